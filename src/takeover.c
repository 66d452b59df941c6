// SPDX-License-Identifier: Apache-2.0
/*
 * A planned change of processes.
 *
 *   new                                      running
 *   starts EAL, makes packet buffers         forwards
 *   listens in the run directory
 *   sluice/hand-over SOCKET  --------------> connects to it
 *                                            release(): gives up database, listeners, pidfile, and
 *                                            devices that only one process can have
 *   learns descriptors       <-------------- P name + fd..., E (base/keep.c)
 *   database, bridges, ports                 forwards between the ports it has left
 *   C                        --------------> release_guests()
 *   opens guests' ports      <-------------- C
 *   polls the same sockets and taps
 *   X                        --------------> end(): stops polling, and ends
 *
 * Should the new process die before its 'X', the end of the connection says so, and the running one
 * takes all back.  One that hangs is ended: until 'X' it says 'K' from its event loop.  Meanwhile
 * the running one listens where one that lingers does, so that other starts find it, and are
 * refused.
 */
#include "takeover.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/dirs.h"
#include "base/keep.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/process.h"
#include "daemon_pidfile.h"
#include "linger.h"
#include "netdev/netdev.h"
#include "rpc/unixctl.h"

LOG_MODULE(takeover);

/* For a command that the other one answers at once, and for what it then gives up. */
#define ANSWER_MS 10000
#define ANSWER_MAX 65536

/* For the end of a successor that was killed. */
#define KILL_MS 2000
/* For the end of one that lingers. */
#define END_MS 10000

/* What the new process says.  Earlier versions read and wrote the first byte. */
struct message {
    char op;
    int32_t pid; /* under which it is known; 0: that of the connection */
};
#define CLAIM_GUESTS 'C' /* answered with the same byte */
#define ALIVE 'K'        /* only to who answered sluice/hand-over with HEARS_ALIVE */
#define FORWARDING 'X'
/* Of sluice/hand-over: the new process will claim guests' ports. */
#define LATE_GUESTS "late-guests"
#define HEARS_ALIVE "alive"
#define BUSY "another process is taking over"

/* Between two ALIVE, and how long a successor may say nothing: more than it takes it to open all
 * devices and restore all flows. */
#define ALIVE_MS 1000
#define SILENCE_MS 30000

static bool
unix_address(struct sockaddr_un *sun, const char *path)
{
    memset(sun, 0, sizeof(*sun));
    sun->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof(sun->sun_path)) {
        return false;
    }
    str_copy(sun->sun_path, path, sizeof(sun->sun_path));
    return true;
}

/* A socket that is connected to 'path' or, with 'serve', listens there; a negative errno. */
static int
unix_socket(int type, const char *path, bool serve)
{
    struct sockaddr_un sun;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    int error = fd < 0 ? -errno : 0;

    if (error == 0 && !unix_address(&sun, path)) {
        error = -ENAMETOOLONG;
    } else if (error == 0 && serve) {
        unlink(path); /* Of a process that had this pid before. */
        if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 || listen(fd, 1) != 0) {
            error = -errno;
        }
    } else if (error == 0 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0) {
        error = -errno;
    }
    if (error != 0 && fd >= 0) {
        close(fd);
    }
    return error != 0 ? error : fd;
}

static bool
wait_readable(int fd, int timeout_ms)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    int n;

    do {
        n = poll(&pollfd, 1, timeout_ms);
    } while (n < 0 && errno == EINTR);
    return n > 0;
}

/* ---- The new process ---- */

static int predecessor_fd = -1; /* main: rw */
static bool predecessor_hears;
static struct loop_timer alive_timer;

static NO_RETURN void refuse(pid_t pid, const char *why);

static NO_RETURN void
refuse(pid_t pid, const char *why)
{
    fprintf(stderr, "%s: cannot take over from pid %ld: %s\n", PROGRAM_NAME, (long)pid, why);
    log_err("cannot take over from pid %ld: %s", (long)pid, why);
    exit(EXIT_FAILURE);
}

/* Reads one JSON text.  NULL when none comes. */
static json_t *
read_answer(int fd)
{
    char *buf = xmalloc(ANSWER_MAX);
    json_t *answer = NULL;
    size_t len = 0;
    ssize_t n;

    while (answer == NULL && len < ANSWER_MAX && wait_readable(fd, ANSWER_MS) &&
           (n = recv(fd, buf + len, ANSWER_MAX - len, 0)) > 0) {
        len += (size_t)n;
        answer = json_loadb(buf, len, 0, NULL);
    }
    free(buf);
    return answer;
}

/* Runs the command on the other one's control socket.  NULL, or a new text: why it did not. */
static char *
ask(int fd, const char *path)
{
    json_t *request = json_pack("{s:i, s:s, s:[s, s]}", "id", 0, "method", "sluice/hand-over",
                                "params", path, LATE_GUESTS);
    char *text = json_dumps(request, JSON_COMPACT), *why = NULL;
    ssize_t len = (ssize_t)strlen(text);
    json_t *answer = send(fd, text, (size_t)len, MSG_NOSIGNAL) == len ? read_answer(fd) : NULL;
    const json_t *error = json_object_get(answer, "error");

    if (answer == NULL) {
        why = xstrdup("it does not answer");
    } else if (!json_is_null(error)) {
        why = xstrdup(json_is_string(error) ? json_string_value(error) : "it refuses");
    }
    /* Results of commands end with a line feed. */
    const char *result = json_string_value(json_object_get(answer, "result"));
    predecessor_hears = result != NULL && strncmp(result, HEARS_ALIVE, strlen(HEARS_ALIVE)) == 0;
    json_decref(answer);
    json_decref(request);
    free(text);
    return why;
}

/* NULL, or a new text. */
static char *
prepare_dpdk(void)
{
    int error = dpdk_standby_prepare();

    /* -EAGAIN: the other one does not use it. */
    if (error == -EAGAIN) {
        return NULL;
    }
    (void)dpdk_standby_is_current(); /* Other keys wait for the next start, as ever. */
    /* Where a spare may do without buffers, what ends the other one may not. */
    if (error == 0 && netdev_default_pool() != NULL) {
        return NULL;
    }
    return xstrdup(dpdk_started() ? "there is no memory for packet buffers"
                                  : "DPDK does not start");
}

/* Has the one that listens at 'control' hand over.  NULL, or a new text: why it does not. */
static char *
receive_all(const char *control)
{
    char *path = xasprintf("%s/%s.%ld.takeover", dirs_run(), PROGRAM_NAME, (long)getpid());
    int listen_fd = unix_socket(SOCK_SEQPACKET, path, true);
    int control_fd = listen_fd < 0 ? listen_fd : unix_socket(SOCK_STREAM, control, false);
    char *why = control_fd < 0 ? xstrdup(err_str(control_fd)) : ask(control_fd, path);

    unlink(path); /* Who was told the name is connected. */
    free(path);
    if (why == NULL) {
        predecessor_fd =
            wait_readable(listen_fd, ANSWER_MS) ? accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (predecessor_fd < 0 || !wait_readable(predecessor_fd, ANSWER_MS) ||
            !keep_receive(predecessor_fd)) {
            why = xstrdup("it did not hand over");
        }
    }
    if (why != NULL && predecessor_fd >= 0) {
        close(predecessor_fd);
        predecessor_fd = -1;
    }
    if (control_fd >= 0) {
        close(control_fd);
    }
    if (listen_fd >= 0) {
        close(listen_fd);
    }
    return why;
}

void
takeover_begin(pid_t pid, const char *unixctl)
{
    char *control = unixctl ? dirs_path(dirs_run(), unixctl)
                            : xasprintf("%s/%s.%ld.ctl", dirs_run(), PROGRAM_NAME, (long)pid);
    char *why = prepare_dpdk();

    if (why == NULL) {
        why = receive_all(control);
    }
    if (why != NULL) {
        refuse(pid, why);
    }
    free(control);
    log_info("taking over from pid %ld", (long)pid);
}

/* The process that lingers. */
struct lingerer {
    pid_t pid; /* 0: there is none, or only one that is ending */
    int pidfd; /* -1: unknown; with pid 0, who ends, or who has got the same number since */
};

/* The connection shows that the pidfd is not of somebody who has got the same number since. */
static struct lingerer
find_lingerer(const char *path)
{
    struct lingerer found = {.pidfd = -1};
    struct ucred peer = {0};
    socklen_t len = sizeof(peer);
    struct pollfd end = {.fd = unix_socket(SOCK_STREAM, path, false), .events = POLLRDHUP};

    if (end.fd == -ECONNREFUSED) {
        unlink(path); /* It was killed. */
    }
    if (end.fd < 0) {
        return found;
    }
    (void)getsockopt(end.fd, SOL_SOCKET, SO_PEERCRED, &peer, &len); /* Then there is none. */
    found.pidfd = peer.pid > 0 ? pidfd_open(peer.pid, 0) : -1;
    if (poll(&end, 1, 0) == 0) {
        found.pid = peer.pid;
    }
    close(end.fd);
    return found;
}

/* Returns when the process is gone. */
static void
end_process(int pidfd)
{
    static const int signals[] = {SIGTERM, SIGKILL};

    for (size_t i = 0; pidfd >= 0 && i < ARRAY_SIZE(signals); i++) {
        if (pidfd_send_signal(pidfd, signals[i], NULL, 0) != 0 || wait_readable(pidfd, END_MS)) {
            break;
        }
    }
}

/* Somebody else has taken over, or is about to: then this process has no right to end anybody. */
static void
check_rivals(pid_t pid, const char *why, const char *pidfile)
{
    if (strncmp(why, BUSY, strlen(BUSY)) == 0) {
        fprintf(stderr, "%s: already running as pid %ld, aborting (%s from it)\n", PROGRAM_NAME,
                (long)pid, BUSY);
        exit(EXIT_FAILURE);
    }
    if (pidfile != NULL) {
        pidfile_check_free(pidfile);
    }
}

void
takeover_begin_lingering(const char *pidfile)
{
    char *path = linger_path();
    struct lingerer other = find_lingerer(path);
    pid_t pid = other.pid;

    if (pid != 0) {
        char *why = !dpdk_standby_has_room() ? xstrdup("there is no memory for two switches")
                    : !dpdk_standby_try()    ? xstrdup("DPDK does not start beside it")
                                             : prepare_dpdk();
        if (why == NULL) {
            why = receive_all(path);
        }
        if (why == NULL) {
            log_info("taking over from pid %ld, which lingers", (long)pid);
        } else {
            check_rivals(pid, why, pidfile);
            log_info("ending pid %ld, which lingers: %s", (long)pid, why);
            end_process(other.pidfd);
            unlink(path); /* If it was killed. */
        }
        free(why);
    } else if (other.pidfd >= 0) {
        /* It has closed the socket, and may still have its memory and devices. */
        (void)wait_readable(other.pidfd, END_MS);
    }
    if (other.pidfd >= 0) {
        close(other.pidfd);
    }
    free(path);
}

bool
takeover_is_begun(void)
{
    return predecessor_fd >= 0;
}

/* Gone already is fine. */
static bool
tell_predecessor(char op)
{
    const struct message message = {.op = op, .pid = process_public_pid()};

    return predecessor_fd >= 0 &&
           send(predecessor_fd, &message, sizeof(message), MSG_NOSIGNAL) == sizeof(message);
}

void
takeover_claim_guests(void)
{
    char answer;

    if (tell_predecessor(CLAIM_GUESTS) && wait_readable(predecessor_fd, ANSWER_MS)) {
        (void)!recv(predecessor_fd, &answer, 1, 0); /* Or its end. */
    }
}

void
takeover_finish(void)
{
    loop_timer_stop(&alive_timer);
    if (predecessor_fd >= 0) {
        (void)tell_predecessor(FORWARDING);
        close(predecessor_fd);
        predecessor_fd = -1;
    }
}

static void
say_alive(void *arg)
{
    (void)tell_predecessor(ALIVE);
}

/* ---- The running process ---- */

static struct {
    struct loop *loop;
    const struct takeover_ops *ops;
    void *aux;
    int fd; /* to the successor; -1: there is none */
    pid_t successor;
    bool late_guests;
    struct loop_fd watch;
    struct loop_timer start, silence;
} server = {.fd = -1};

static void
lose_successor(void)
{
    log_err("pid %ld did not take over; going on", (long)server.successor);
    loop_timer_stop(&server.silence);
    loop_fd_stop(&server.watch);
    close(server.fd);
    server.fd = -1;
    server.ops->resume(server.aux);
}

/* Whatever holds it: it must not go on later, beside us. */
static void
on_silence(void *arg)
{
    struct pollfd pollfd = {.fd = pidfd_open(server.successor, 0), .events = POLLIN};

    log_err("pid %ld has not taken over and said nothing for %d s: ending it",
            (long)server.successor, SILENCE_MS / 1000);
    if (pollfd.fd >= 0) {
        if (pidfd_send_signal(pollfd.fd, SIGKILL, NULL, 0) == 0) {
            (void)poll(&pollfd, 1, KILL_MS);
        }
        close(pollfd.fd);
    }
    lose_successor();
}

static void
await_sign(void)
{
    loop_timer_once(&server.silence, server.loop, SILENCE_MS, on_silence, NULL);
}

static void
on_successor(int fd, unsigned int events, void *arg)
{
    struct message message = {0};
    ssize_t n = recv(fd, &message, sizeof(message), 0);

    if (n > 0 && (message.op == ALIVE || message.op == CLAIM_GUESTS)) {
        await_sign();
    }
    if (n > 0 && message.op == ALIVE) {
        return;
    }
    if (n > 0 && message.op == CLAIM_GUESTS) {
        server.ops->release_guests(server.aux);
        (void)!send(fd, &message.op, 1, MSG_NOSIGNAL); /* Its end is told by the next event. */
        return;
    }
    if (n < 1 || message.op != FORWARDING) {
        lose_successor();
        return;
    }
    if (message.pid > 0) {
        server.successor = message.pid;
    }
    loop_timer_stop(&server.silence);
    loop_fd_stop(&server.watch);
    log_info("pid %ld has taken over", (long)server.successor);
    server.ops->end(server.successor, server.aux);
}

static void
hand_over(void *arg)
{
    log_info("handing over to pid %ld", (long)server.successor);
    server.ops->release(!server.late_guests, server.aux);
    if (!keep_send(server.fd) ||
        loop_fd_start(&server.watch, server.loop, server.fd, LOOP_READ, on_successor, NULL) != 0) {
        lose_successor();
        return;
    }
    await_sign();
}

static void
cmd_hand_over(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct ucred peer = {0};
    socklen_t len = sizeof(peer);

    if (server.fd >= 0) {
        unixctl_reply_error(conn, BUSY);
        return;
    }
    int fd = unix_socket(SOCK_SEQPACKET, argv[1], false);
    if (fd < 0) {
        unixctl_reply_errorf(conn, "%s: %s", argv[1], err_str(fd));
        return;
    }
    (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len); /* Only for the log and systemd. */
    server.fd = fd;
    server.successor = peer.pid;
    server.late_guests = argc > 2 && strcmp(argv[2], LATE_GUESTS) == 0;
    unixctl_reply(conn, HEARS_ALIVE);
    /* The answer leaves first: the control socket is among what is given up. */
    loop_timer_once(&server.start, server.loop, 1, hand_over, NULL);
}

void
takeover_serve(struct loop *loop, const struct takeover_ops *ops, void *aux)
{
    if (predecessor_fd >= 0 && predecessor_hears) {
        loop_timer_every(&alive_timer, loop, ALIVE_MS, say_alive, NULL);
    }
    server.loop = loop;
    server.ops = ops;
    server.aux = aux;
    unixctl_register("sluice/hand-over", "socket [" LATE_GUESTS "]", 1, 2, cmd_hand_over, &server);
}

bool
takeover_is_under_way(void)
{
    return server.fd >= 0;
}

void
takeover_stop(void)
{
    loop_timer_stop(&alive_timer);
    loop_timer_stop(&server.start);
    loop_timer_stop(&server.silence);
    loop_fd_stop(&server.watch);
    if (server.fd >= 0) {
        close(server.fd);
        server.fd = -1;
    }
}
