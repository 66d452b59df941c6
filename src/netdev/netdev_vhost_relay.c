// SPDX-License-Identifier: Apache-2.0
//
// A relay that is there already is found by the name of its control socket.  A new one inherits
// sockets that exist by then, so nobody has to wait for it.
#include "netdev/netdev_vhost_relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/fd_pass.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/rcu.h"
#include "base/util.h"
#include "netdev/netdev_vhost.h"
#include "netdev/netdev_vhost_relay_old.h"
#include "netdev/netdev_vhost_spawn.h"
#include "relay/control.h"

LOG_MODULE(netdev_dpdk);

#define BACKLOG 16
#define LINES_PER_MINUTE 20
#define RETRY_MS 200
#define RETRY_AGAIN_MS 1000
#define RELEASE_SILENCE_MS 250   // without any answer
#define TAKEOVER_SILENCE_MS 2500 // of one that was taken over, which answers its library first

struct netdev_vhost_relay {
    char *name, *outer, *dir, *control_path, *inner_path;
    bool is_server;
    struct loop *loop;
    int control; // -1: the relay is gone
    struct loop_fd watch;
    struct loop_timer retry;   // of a relay that ended
    struct loop_timer silence; // of one that was taken over
    bool was_silent;           // for half of the time that it has
    bool is_catching_up;       // taken over: the library is being told what its predecessor knew
    bool is_asked;             // to stop its rings or to end; 'watch' is stopped
    bool is_due;               // its answer
    bool hangs;                // did not hear that it is to go
    bool has_none;             // was said: there is no other for one that ended
    struct log_rate told;      // what it has to say, often of what a front-end did
    struct netdev_vhost_relay *next;
};

// Main only.
static struct netdev_vhost_relay *relays;
static bool keep;

static int start(struct netdev_vhost_relay *relay);

// --- its sockets ---------------------------------------------------------------------------

static int
listen_at(const char *path, int type, mode_t mode)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    str_copy(sun.sun_path, path, sizeof(sun.sun_path));
    if (fd >= 0 && (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 ||
                    (mode != 0 && chmod(path, mode) != 0) || listen(fd, BACKLOG) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

// Only we and our relays go in there.  The last relay that ends removes the directory, which may be
// now.
static int
listen_in_dir(const struct netdev_vhost_relay *relay)
{
    int fd = -1;

    for (int i = 0; i < 3 && fd < 0 && (i == 0 || errno == ENOENT); i++) {
        (void)mkdir(relay->dir, 0700); // That it exists is the rule.
        fd = listen_at(relay->control_path, SOCK_SEQPACKET, 0600);
    }
    return fd;
}

// --- a relay of our own --------------------------------------------------------------------

// The end of a new relay's control connection, or -1.
static int
start_process(const struct netdev_vhost_relay *relay)
{
    static struct log_rate rl = LOG_RATE_INIT(6, 20);
    int pair[2] = {-1, -1};
    int error = -EIO;

    // Nobody listens there any more.
    unlink(relay->control_path);
    unlink(relay->inner_path);
    if (relay->is_server) {
        netdev_vhost_remove_stale_socket(relay->outer);
    }
    int fds[RELAY_N_FDS] = {-1, listen_in_dir(relay),
                            listen_at(relay->inner_path, SOCK_STREAM, 0600),
                            relay->is_server ? listen_at(relay->outer, SOCK_STREAM, 0)
                                             : open("/dev/null", O_RDWR | O_CLOEXEC)};
    if (fds[1] >= 0 && fds[2] >= 0 && fds[3] >= 0 &&
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0) {
        fds[0] = pair[1];
        // Which of the ends does not wait is not inherited: each is a file of its own.
        (void)fcntl(pair[1], F_SETFL, 0);
        char *argv[] = {(char *)RELAY_PROGRAM, relay->control_path, relay->inner_path,
                        (char *)(relay->is_server ? "server" : "client"), NULL};
        error = netdev_vhost_spawn(argv, fds, RELAY_N_FDS);
    }
    for (int i = 0; i < RELAY_N_FDS; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    if (error != 0) {
        log_info_rl(&rl, "%s: no relay keeps its guest while the switch is away: %s", relay->name,
                    err_str(error));
        unlink(relay->control_path);
        unlink(relay->inner_path);
        if (relay->is_server && fds[3] >= 0) {
            unlink(relay->outer); // for the library, which does without us
        }
        if (pair[0] >= 0) {
            close(pair[0]);
        }
        return -1;
    }
    return pair[0];
}

// --- the control connection ----------------------------------------------------------------

static bool
tell(const struct netdev_vhost_relay *relay, char op, const char *text)
{
    char message[RELAY_CONTROL_MAX];
    int n = snprintf(message, sizeof(message), "%c%s", op, text);

    return n < (int)sizeof(message) && send(relay->control, message, (size_t)n, MSG_NOSIGNAL) == n;
}

// Answers RELAY_CONNECT, with 'fd' unless it is -1.
static bool
answer_call(const struct netdev_vhost_relay *relay, int fd)
{
    char op = RELAY_OUTER;

    return fd_pass_send(relay->control, &op, sizeof(op), MSG_NOSIGNAL | MSG_DONTWAIT, fd) >= 0;
}

// One try for a relay whose front-end is the one that listens; it asks again.
static void
connect_front_end(const struct netdev_vhost_relay *relay)
{
    int fd = netdev_vhost_relay_connect(relay->outer, SOCK_STREAM);

    // A descriptor may be what cannot be sent (ETOOMANYREFS).
    if (!answer_call(relay, fd) && (fd < 0 || !answer_call(relay, -1))) {
        log_dbg("%s: its relay was not answered: %s", relay->name, err_str(errno));
    }
    if (fd >= 0) {
        close(fd);
        // Only now does the relay read from it, or close it.  It knows what this says.
        (void)tell(relay, RELAY_ATTACH, relay->outer);
    }
}

static void
on_retry(void *relay_)
{
    struct netdev_vhost_relay *relay = relay_;

    if (start(relay) == 0) {
        relay->has_none = false;
        return;
    }
    if (!relay->has_none) {
        log_warn("%s: its relay is gone and there is no other: the port has no guest", relay->name);
    }
    relay->has_none = true;
    loop_timer_once(&relay->retry, relay->loop, RETRY_AGAIN_MS, on_retry, relay);
}

static void
start_another(struct netdev_vhost_relay *relay)
{
    loop_fd_stop(&relay->watch);
    loop_timer_stop(&relay->silence);
    close(relay->control);
    relay->control = -1;
    relay->is_catching_up = false;
    loop_timer_once(&relay->retry, relay->loop, RETRY_MS, on_retry, relay);
}

// Whether all that it was told has been received.
static bool
has_read(const struct netdev_vhost_relay *relay)
{
    int left = 0;

    return ioctl(relay->control, SIOCOUTQ, &left) == 0 && left == 0;
}

// What takes connections and does nothing with them has what another relay needs.  It has the time
// twice: a machine that stands still takes it from both of us.
static void
on_silence(void *relay_)
{
    struct netdev_vhost_relay *relay = relay_;
    struct pollfd pollfd = {.fd = relay->control, .events = POLLIN};

    if (poll(&pollfd, 1, 0) != 0) {
        return; // It has said something that is not read yet, or has ended.
    }
    // The library may not have come yet, which is not the relay's fault: does it read?
    if (relay->was_silent && has_read(relay)) {
        return;
    }
    if (!relay->was_silent) {
        relay->was_silent = true;
        (void)tell(relay, RELAY_ATTACH, relay->outer); // It knows that.
        loop_timer_once(&relay->silence, relay->loop, TAKEOVER_SILENCE_MS, on_silence, relay);
        return;
    }
    netdev_vhost_relay_kill(relay->name, relay->control_path);
    if (relay->is_server) {
        unlink(relay->outer); // its own, also when it cannot be ended
    }
    start_another(relay);
}

static void
on_control(int fd, unsigned int events, void *relay_)
{
    struct netdev_vhost_relay *relay = relay_;
    char message[RELAY_CONTROL_MAX + 1];
    ssize_t n = recv(fd, message, RELAY_CONTROL_MAX, MSG_DONTWAIT);

    if (n > 0) {
        message[n] = '\0';
        loop_timer_stop(&relay->silence);
        relay->is_catching_up = relay->is_catching_up && message[0] != RELAY_READY;
        if (message[0] == RELAY_LOG) {
            log_info_rl(&relay->told, "%s: %s", relay->name, message + 1);
        } else if (message[0] == RELAY_CONNECT) {
            connect_front_end(relay);
        }
        return;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    log_warn("%s: the relay of its guest has ended, starting another", relay->name);
    start_another(relay);
}

static int
start(struct netdev_vhost_relay *relay)
{
    relay->control = netdev_vhost_relay_connect(relay->control_path, SOCK_SEQPACKET);
    relay->is_catching_up = relay->control >= 0;
    if (relay->control < 0 && errno == EAGAIN) {
        // Nobody takes what waits there.
        netdev_vhost_relay_kill(relay->name, relay->control_path);
    }
    if (relay->control < 0) {
        relay->control = start_process(relay);
    } else {
        relay->was_silent = false;
        loop_timer_once(&relay->silence, relay->loop, TAKEOVER_SILENCE_MS, on_silence, relay);
    }
    if (relay->control < 0) {
        return -EIO;
    }
    (void)tell(relay, RELAY_ATTACH, relay->outer);
    return loop_fd_start(&relay->watch, relay->loop, relay->control, LOOP_READ, on_control, relay);
}

struct netdev_vhost_relay *
netdev_vhost_relay_open(const char *name, const char *outer, bool is_server, struct loop *loop)
{
    struct netdev_vhost_relay *relay = xzalloc(sizeof(*relay));
    char *dir = xasprintf("%s/vhost-relay", dirs_run());
    char *inner = netdev_vhost_relay_inner_path(dir, name, RELAY_CONTROL_VERSION, is_server);

    *relay = (struct netdev_vhost_relay){
        .name = xstrdup(name),
        .outer = xstrdup(outer),
        .dir = dir,
        .control_path = xasprintf("%s.ctl", inner),
        .inner_path = inner,
        .is_server = is_server,
        .loop = loop,
        .control = -1,
        .told = LOG_RATE_INIT(LINES_PER_MINUTE, 2 * LINES_PER_MINUTE),
        .next = relays,
    };
    relays = relay;
    netdev_vhost_relay_dismiss_others(name, dir, relay->control_path);
    bool ok =
        loop != NULL && strlen(relay->control_path) < sizeof(((struct sockaddr_un *)0)->sun_path);
    if (!ok || start(relay) != 0) {
        netdev_vhost_relay_close(relay);
        return NULL;
    }
    return relay;
}

const char *
netdev_vhost_relay_path(const struct netdev_vhost_relay *relay)
{
    return relay->inner_path;
}

static void
ask(struct netdev_vhost_relay *relay)
{
    if (relay->control >= 0 && !relay->is_asked) {
        loop_fd_stop(&relay->watch);
        loop_timer_stop(&relay->silence);
        relay->is_asked = true;
        relay->is_due = tell(relay, keep ? RELAY_STOP : RELAY_DELETE, "");
    }
}

// It has stopped the rings, or has removed its sockets and waits for the library, or has ended.
static void
take_answer(struct netdev_vhost_relay *relay)
{
    char message[RELAY_CONTROL_MAX];
    ssize_t n = recv(relay->control, message, sizeof(message), MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ||
        (n > 0 && message[0] == RELAY_STOPPED)) {
        relay->is_due = false;
    }
}

// For the answers of all that were asked.  A relay answers at once, unless its front-end found a
// way to hold it up, and the vhost library serves them one after the other: those that are silent
// cost RELEASE_SILENCE_MS all together.  What becomes of those that were not heard is theirs.
static void
await_answers(void)
{
    int64_t end_ms = clock_now_ms() + 2 * RELAY_ANSWER_MS;
    size_t n_relays = 0;

    for (const struct netdev_vhost_relay *relay = relays; relay != NULL; relay = relay->next) {
        n_relays++;
    }
    struct pollfd *fds = xcalloc(n_relays + 1, sizeof(*fds));
    struct netdev_vhost_relay **asked = xcalloc(n_relays + 1, sizeof(struct netdev_vhost_relay *));
    for (;;) {
        nfds_t n = 0;
        for (struct netdev_vhost_relay *relay = relays; relay != NULL; relay = relay->next) {
            if (relay->is_due) {
                fds[n] = (struct pollfd){.fd = relay->control, .events = POLLIN};
                asked[n++] = relay;
            }
        }
        int64_t left_ms = MIN(end_ms - clock_now_ms(), (int64_t)RELEASE_SILENCE_MS);
        if (n == 0 || left_ms <= 0 || poll(fds, n, (int)left_ms) <= 0) {
            break;
        }
        for (nfds_t i = 0; i < n; i++) {
            if (fds[i].revents != 0) {
                take_answer(asked[i]);
            }
        }
    }
    for (struct netdev_vhost_relay *relay = relays; relay != NULL; relay = relay->next) {
        if (relay->is_due) {
            log_warn("%s: the relay of its guest does not answer, going on", relay->name);
            relay->is_due = false;
            relay->hangs = !keep;
        }
    }
    free(asked);
    free(fds);
}

void
netdev_vhost_relay_release(struct netdev_vhost_relay *relay)
{
    if (!relay->is_asked) {
        ask(relay);
        await_answers();
    }
}

void
netdev_vhost_relay_release_all(void)
{
    for (struct netdev_vhost_relay *relay = relays; relay != NULL; relay = relay->next) {
        ask(relay);
    }
    await_answers();
}

void
netdev_vhost_relay_close(struct netdev_vhost_relay *relay)
{
    if (relay == NULL) {
        return;
    }
    if (relay->control >= 0) {
        loop_fd_stop(&relay->watch);
        close(relay->control);
    }
    if (relay->hangs) {
        netdev_vhost_relay_kill(relay->name, relay->control_path);
    }
    if (relay->is_server && relay->is_asked && !keep) {
        unlink(relay->outer); // when its directory is not the relay's user's
    }
    loop_timer_stop(&relay->retry);
    loop_timer_stop(&relay->silence);
    for (struct netdev_vhost_relay **p = &relays; *p != NULL; p = &(*p)->next) {
        if (*p == relay) {
            *p = relay->next;
            break;
        }
    }
    free(relay->name);
    free(relay->outer);
    (void)rmdir(relay->dir); // unless there are others
    free(relay->dir);
    free(relay->control_path);
    free(relay->inner_path);
    free(relay);
}

void
netdev_await_guests(void)
{
    int64_t end_ms = clock_now_ms() + RELAY_ANSWER_MS;

    for (struct netdev_vhost_relay *relay = relays; relay != NULL; relay = relay->next) {
        while (relay->is_catching_up) {
            struct pollfd pollfd = {.fd = relay->control, .events = POLLIN};
            int64_t left_ms = end_ms - clock_now_ms();
            // The vhost thread, for which we wait, may wait for a grace period.
            rcu_offline();
            int n = left_ms <= 0 ? 0 : poll(&pollfd, 1, (int)left_ms);
            rcu_online();
            if (n != 1) {
                return;
            }
            on_control(relay->control, LOOP_READ, relay);
        }
    }
}

void
netdev_keep_guests(bool wanted)
{
    keep = wanted;
}
