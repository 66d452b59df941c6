// SPDX-License-Identifier: Apache-2.0
/*
 * The front process: passes signals to the switch, holds the pidfile's lock, which is a process's
 * own, and speaks to systemd, which listens to the main process only.  It has one thread and does
 * nothing by itself.
 *
 * Requests are datagrams, the first byte is the operation, the rest a text; 'P' and 'F' are
 * answered with the same byte.
 */
#include "daemon_front.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "base/dirs.h"
#include "base/process.h"
#include "daemon.h"
#include "daemon_int.h"
#include "daemon_pidfile.h"
#include "daemon_watch.h"

enum operation {
    TAKE_PIDFILE = 'P',
    GIVE_PIDFILE = 'F',
    ACTIVATE = 'A',
    SILENCE = 'R',
    NOTIFY = 'N',
    LEAVE = 'E', /* text: the signal's number */
};

enum { TEXT_MAX = 256 };

/* Those that end a process and may be sent to one: the switch shall die of them, and its parent
 * afterwards, when the kernel has taken it apart. */
static const int passed_on[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGABRT,
                                SIGSEGV, SIGBUS, SIGFPE, SIGILL};

/* Of the switch: the connection to its front, -1: it has none. */
static int channel = -1;
static pid_t front_pid;

/* ---- The front ---- */

struct front {
    const struct daemon_settings *settings;
    pid_t worker;
    int sock, signals;
};

/* Ends like the switch, which has dumped its core if there is one to dump. */
static NO_RETURN void
end_like(int status)
{
    const struct rlimit no_core = {0, 0};
    sigset_t none;

    (void)setrlimit(RLIMIT_CORE, &no_core); /* A second core would tell nothing. */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    daemon_exit_like(status);
}

static void
answer(const struct front *front, char op)
{
    (void)!send(front->sock, &op, 1, MSG_NOSIGNAL); /* One that is dead needs none. */
}

static void
serve_request(const struct front *front, char op, const char *text)
{
    switch ((enum operation)op) {
    case TAKE_PIDFILE:
        daemon_become_user(front->settings);
        watch_follow();
        pidfile_create(front->settings->pidfile, front->settings->overwrite_pidfile);
        answer(front, op);
        break;
    case GIVE_PIDFILE:
        pidfile_remove();
        answer(front, op);
        break;
    case ACTIVATE:
        watch_activate();
        break;
    case SILENCE:
        daemon_silence();
        break;
    case NOTIFY:
        sd_notify(0, text);
        break;
    case LEAVE:
        pidfile_remove();
        end_like(atoi(text));
    }
}

static void
on_request(struct front *front)
{
    char message[TEXT_MAX + 1];
    ssize_t n = recv(front->sock, message, TEXT_MAX, 0);

    if (n > 0) {
        message[n] = '\0';
        serve_request(front, message[0], message + 1);
    } else if (n == 0 || errno != EINTR) {
        close(front->sock); /* It is about to end. */
        front->sock = -1;
    }
}

static void
on_signal(const struct front *front)
{
    struct signalfd_siginfo info;
    int status;

    if (read(front->signals, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        return;
    }
    if (info.ssi_signo != SIGCHLD) {
        kill(front->worker, (int)info.ssi_signo);
        kill(front->worker, SIGCONT); /* One that was stopped would not take it. */
    } else if (waitpid(front->worker, &status, WNOHANG) == front->worker) {
        if (WIFEXITED(status)) {
            pidfile_remove();
        }
        end_like(status);
    }
}

static NO_RETURN void
serve(struct front *front)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = front->sock, .events = POLLIN},
                               {.fd = front->signals, .events = POLLIN}};

        if (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
            continue; /* EINTR */
        }
        /* What it said before it ended comes first. */
        if (fds[0].revents != 0) {
            on_request(front);
        } else {
            on_signal(front);
        }
    }
}

void
front_fork(const struct daemon_settings *settings)
{
    struct front front = {.settings = settings};
    sigset_t set, before;
    int fds[2];

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++) {
        sigaddset(&set, passed_on[i]);
    }
    sigprocmask(SIG_BLOCK, &set, &before);
    front_pid = getpid();
    front.signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (front.signals < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0 ||
        (front.worker = fork()) < 0) {
        fprintf(stderr, PROGRAM_NAME ": cannot start a process (%s)\n", err_str(errno));
        exit(EXIT_FAILURE);
    }
    if (front.worker > 0) {
        close(fds[1]);
        front.sock = fds[0];
        serve(&front);
    }
    close(fds[0]);
    close(front.signals);
    sigprocmask(SIG_SETMASK, &before, NULL);
    (void)setsid(); /* What a terminal sends to the group comes from the front, and once. */
    channel = fds[1];
    process_set_public_pid(front_pid);
    front_follow();
}

/* ---- The switch ---- */

bool
front_is_there(void)
{
    return channel >= 0;
}

void
front_follow(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != front_pid) {
        _exit(EXIT_FAILURE);
    }
}

static void
request(char op, const char *text)
{
    char message[TEXT_MAX];
    int n = snprintf(message, sizeof(message), "%c%s", op, text);

    n = MIN(n, (int)sizeof(message) - 1);
    (void)!send(channel, message, (size_t)n, MSG_NOSIGNAL); /* Without it we are dead, too. */
}

static void
await_answer(char op)
{
    char byte = 0;
    ssize_t n;

    do {
        n = recv(channel, &byte, 1, 0);
    } while ((n < 0 && errno == EINTR) || (n == 1 && byte != op));
}

void
front_activate(void)
{
    request(ACTIVATE, "");
}

void
front_take_pidfile(void)
{
    request(TAKE_PIDFILE, "");
    await_answer(TAKE_PIDFILE);
}

void
front_give_pidfile(void)
{
    request(GIVE_PIDFILE, "");
    await_answer(GIVE_PIDFILE);
}

void
front_silence(void)
{
    request(SILENCE, "");
}

void
front_notify(const char *text)
{
    request(NOTIFY, text);
}

void
front_leave(int signum)
{
    char text[16];

    prctl(PR_SET_PDEATHSIG, 0);
    snprintf(text, sizeof(text), "%d", signum);
    request(LEAVE, text);
    close(channel);
    channel = -1;
}
