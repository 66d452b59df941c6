// SPDX-License-Identifier: Apache-2.0
/*
 * Forking, readiness and the change of user.  daemon_monitor.c has the monitor process,
 * daemon_watch.c what it and the switch tell each other, daemon_pidfile.c the pidfile.
 */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "base/dirs.h"
#include "base/heir.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/process.h"
#include "daemon_front.h"
#include "daemon_int.h"
#include "daemon_pidfile.h"
#include "daemon_watch.h"
#include "takeover.h"

LOG_MODULE(daemon_unix);

static struct {
    int ready_fd; /* Write end of the pipe to who waits; -1: nobody does. */
    int alive_fd; /* The same afterwards: whose front was killed tells by it when it is dead itself.
                   */
    bool quiet;   /* Standard streams go to /dev/null once ready. */
    uint64_t watchdog_us; /* that systemd waits; 0: it does not */
    struct loop_timer watchdog;
} state = {.ready_fd = -1, .alive_fd = -1};

static NO_RETURN void fatal(const char *fmt, ...) PRINTF_FORMAT(1, 2);

static NO_RETURN void
fatal(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    char *text = xvasprintf(fmt, args);
    va_end(args);
    fprintf(stderr, "%s: %s\n", PROGRAM_NAME, text);
    exit(EXIT_FAILURE);
}

/* ---- Another user ---- */

static void
keep_capabilities(bool rawio)
{
    static const int wanted[] = {CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BROADCAST, CAP_IPC_LOCK,
                                 CAP_SYS_NICE};
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};

    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        data[wanted[i] / 32].permitted |= 1u << (wanted[i] % 32);
    }
    if (rawio) {
        data[CAP_SYS_RAWIO / 32].permitted |= 1u << (CAP_SYS_RAWIO % 32);
    }
    data[0].effective = data[0].permitted;
    data[1].effective = data[1].permitted;
    if (syscall(SYS_capset, &header, data) != 0) {
        fatal("cannot keep network capabilities (%s)", err_str(errno));
    }
}

void
daemon_become_user(const struct daemon_settings *settings)
{
    const char *spec = settings->user;

    if (spec == NULL) {
        return;
    }
    char *name = xstrdup(spec);
    char *group = strchr(name, ':');
    struct passwd *pw;
    gid_t gid;

    if (group != NULL) {
        *group++ = '\0';
    }
    pw = name[0] ? getpwnam(name) : getpwuid(getuid());
    if (pw == NULL) {
        fatal("user %s not found, aborting.", name);
    }
    gid = pw->pw_gid;
    if (group != NULL && group[0] != '\0') {
        struct group *gr = getgrnam(group);
        if (gr == NULL) {
            fatal("group %s not found, aborting.", group);
        }
        gid = gr->gr_gid;
    }
    if (geteuid() != pw->pw_uid || getegid() != gid) {
        if (log_file_path() != NULL && chown(log_file_path(), pw->pw_uid, gid) != 0) {
            fatal("cannot give %s to user %s (%s)", log_file_path(), spec, err_str(errno));
        }
        if (prctl(PR_SET_KEEPCAPS, 1) != 0 || initgroups(pw->pw_name, gid) != 0 ||
            setresgid(gid, gid, gid) != 0 || setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0) {
            fatal("cannot become user %s (%s)", spec, err_str(errno));
        }
        keep_capabilities(settings->keep_rawio);
    }
    free(name);
}

/* ---- Fork and wait ---- */

pid_t
daemon_fork(int *fdp)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0) {
        fatal("pipe failed (%s)", err_str(errno));
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        fatal("fork failed (%s)", err_str(errno));
    }
    if (pid == 0) {
        close(fds[0]);
        if (state.ready_fd >= 0) {
            close(state.ready_fd);
        }
        state.ready_fd = fds[1];
    } else {
        close(fds[1]);
        *fdp = fds[0];
    }
    return pid;
}

bool
daemon_wait_ready(int fd)
{
    ssize_t n;
    char byte;

    do {
        n = read(fd, &byte, 1);
    } while (n < 0 && errno == EINTR);
    close(fd);
    return n == 1;
}

void
daemon_tell_ready(void)
{
    if (state.ready_fd >= 0) {
        ssize_t n = write(state.ready_fd, "", 1);
        (void)n; /* Nobody left to tell is fine. */
        if (front_is_there()) {
            state.alive_fd = state.ready_fd;
        } else {
            close(state.ready_fd);
        }
        state.ready_fd = -1;
    }
}

int
daemon_ready_fd(void)
{
    return state.ready_fd;
}

static int
wait_child(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return 1 << 8;
        }
    }
    return status;
}

NO_RETURN void
daemon_exit_like(int status)
{
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
        exit(128 + WTERMSIG(status));
    }
    exit(WEXITSTATUS(status));
}

void
daemon_null_streams(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (fd >= 0) {
        dup2(fd, STDIN_FILENO);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        if (fd > STDERR_FILENO) {
            close(fd);
        }
    }
}

/* Nobody reads the console of a daemon in the background. */
void
daemon_silence(void)
{
    if (!state.quiet) {
        return;
    }
    daemon_null_streams();
    free(log_set_spec("ANY:console:off"));
}

/* Child of the launcher, in a session of its own; the launcher ends here. */
static void
detach(void)
{
    int fd;
    pid_t pid = daemon_fork(&fd);

    if (pid > 0) {
        if (daemon_wait_ready(fd)) {
            exit(EXIT_SUCCESS);
        }
        int status = wait_child(pid);
        if (WIFSIGNALED(status)) {
            fprintf(stderr, "%s: child process died before it was ready (signal %d, %s)\n",
                    PROGRAM_NAME, WTERMSIG(status), strsignal(WTERMSIG(status)));
        }
        exit(WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
    }
    setsid();
}

/* ---- The parts that main.c calls ---- */

/* The process to take over from; 0: none. */
static pid_t
running_pid(const struct daemon_settings *settings)
{
    long pid = settings->takeover ? daemon_read_pidfile(settings->pidfile) : 0;

    return pid > 0 ? (pid_t)pid : 0;
}

static void
take_over(const struct daemon_settings *settings)
{
    pid_t pid = running_pid(settings);

    /* A worker that the monitor starts after a crash finds nobody. */
    if (pid > 0) {
        takeover_begin(pid, settings->unixctl);
    } else {
        takeover_begin_lingering(settings->overwrite_pidfile ? NULL : settings->pidfile);
    }
}

void
daemon_take_pidfile(const struct daemon_settings *settings)
{
    if (settings->pidfile != NULL && front_is_there()) {
        front_take_pidfile();
    } else if (settings->pidfile != NULL) {
        pidfile_create(settings->pidfile, settings->overwrite_pidfile);
    }
}

void
daemon_start(const struct daemon_settings *settings)
{
    state.quiet = settings->detach;
    if (settings->pidfile != NULL && !settings->overwrite_pidfile && running_pid(settings) == 0) {
        pidfile_check_free(settings->pidfile);
        if (access(settings->pidfile, F_OK) == 0) {
            heir_await_orphans(); /* It was killed, and its monitor, too. */
        }
    }
    if (settings->detach) {
        detach();
    }
    if (sd_watchdog_enabled(0, &state.watchdog_us) <= 0) {
        state.watchdog_us = 0;
    }
    if (settings->monitor) {
        daemon_monitor(settings, state.watchdog_us);
        prctl(PR_SET_NAME, PROGRAM_NAME);
    } else if (settings->linger_s > 0) {
        front_fork(settings);
    }
    daemon_become_user(settings);
    if (front_is_there()) {
        front_follow();
    } else {
        watch_follow();
    }
    take_over(settings);
    daemon_take_pidfile(settings);
    if (settings->detach && settings->chdir && chdir("/") != 0) {
        fatal("cannot change to / (%s)", err_str(errno));
    }
}

/* To systemd, which listens to the process that it started; if that is a monitor, it speaks for us.
 */
static void
notify(const char *text)
{
    if (watch_is_there()) {
        return;
    }
    if (front_is_there()) {
        front_notify(text);
    } else {
        sd_notify(0, text);
    }
}

static void
notify_main_pid(const char *before, long pid, const char *after)
{
    char *text = xasprintf("%sMAINPID=%ld%s", before, pid, after);

    notify(text);
    free(text);
}

static void
feed_watchdog(void *arg)
{
    if (watch_is_there()) {
        watch_beat();
    } else {
        notify("WATCHDOG=1");
    }
}

void
daemon_set_ready(struct loop *loop)
{
    daemon_tell_ready();
    daemon_silence();
    if (front_is_there()) {
        front_silence();
    }
    notify_main_pid("READY=1\n", (long)process_public_pid(), "\nSTATUS=Forwarding");
    if (state.watchdog_us >= 4000) {
        feed_watchdog(NULL);
        loop_timer_every(&state.watchdog, loop, (int64_t)(state.watchdog_us / 4000), feed_watchdog,
                         NULL);
    }
    heir_appoint();
}

void
daemon_set_stopping(void)
{
    loop_timer_stop(&state.watchdog);
    watch_expect_end();
    heir_dismiss();
    notify("STOPPING=1");
}

void
daemon_note_end_signal(int signum)
{
    watch_expect_end_by(signum);
}

void
daemon_set_succeeded(long successor)
{
    loop_timer_stop(&state.watchdog);
    watch_expect_end();
    heir_dismiss();
    if (watch_is_there()) {
        watch_set_successor(successor);
    }
    notify_main_pid("", successor, "");
}

void
daemon_leave(int signum)
{
    if (state.alive_fd >= 0) {
        close(state.alive_fd);
        state.alive_fd = -1;
    }
    if (front_is_there()) {
        front_leave(signum);
    }
}

void
daemon_finish(void)
{
    if (front_is_there()) {
        front_give_pidfile();
    } else {
        pidfile_remove();
    }
}
