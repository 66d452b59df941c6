// SPDX-License-Identifier: Apache-2.0
//
// sluice-vhost-relay: keeps the connection of one vhost-user port to its front-end (QEMU) while the
// switch is restarted, upgraded or killed, so that the guest's link stays up.
//
//   QEMU ──outer── relay ──inner── DPDK's vhost library, in the switch
//                    └────control── the switch (control.h)
//
// The switch starts one for each port (netdev_vhost_relay.c).  It has one thread, touches neither
// rings nor memory of the guest, and passes messages on, one at a time and whole ones only.  It
// notes what is in force (record.h); when another switch comes, it tells it that (replay.c).
// Meanwhile the front-end's requests wait in its socket.  It has no privileges (confine.h): when
// the front-end is the one that listens, the switch connects and hands the connection over.
//
// The inner connection breaks when the switch dies, but also when the library refuses a message.
// Then the switch is still there: it breaks the outer connection too, as the library would have.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd_pass.h"
#include "relay/confine.h"
#include "relay/control.h"
#include "relay/fds.h"
#include "relay/inspect.h"
#include "relay/relay.h"

enum {
    CONNECT_MS = 100,      // between the first tries to have the front-end connected,
    MAX_CONNECT_MS = 1000, // and the later ones: the switch's main thread makes them, for all ports
    CALL_MS = 1000,        // for its answer
    VERDICT_MS = 300,      // did the switch die, or did it refuse?
    MAX_REPLAYS = 3,       // of a record that kills switches
    LASTING_MS = 1000,     // that a switch lives after a replay that was good
    RELEASE_MS = 2000,     // for the library of a switch that has told us to go
    SHARED_MS = 1000,      // for the switch to close its end of a connection that it made
};

// --- the front-end -------------------------------------------------------------------------

void
relay_drop_front_end(struct relay *r, const char *why)
{
    if (why != NULL) {
        relay_log(r, why);
    }
    if (r->is_asked) {
        vhu_close_fds(&r->asked);
        r->is_asked = r->is_asked_again = false;
    }
    r->confirm_ms = 0;
    vhu_reset(&r->reader);
    record_clear(r->record);
    relay_close_fd(&r->outer);
    r->is_lost = false;
    r->connect_ms = relay_now_ms() + CONNECT_MS;
    r->pause_ms = CONNECT_MS;
}

// The front-end is gone: the library has to forget it too, and connects again.
static void
end_connection(struct relay *r, const char *why)
{
    relay_drop_front_end(r, why);
    relay_close_fd(&r->inner);
}

static void
use_outer(struct relay *r, int fd)
{
    r->outer = fd;
    r->n_replays = 0;
}

// The front-end is the one that listens, and there is none.
static bool
needs_outer(const struct relay *r)
{
    return r->outer < 0 && r->inner >= 0 && r->outer_listen < 0 && r->outer_path[0] != '\0' &&
           r->control >= 0 && !r->is_calling;
}

static void
call_outer(struct relay *r)
{
    r->is_calling = relay_tell(r, RELAY_CONNECT, "");
    r->called_ms = relay_now_ms();
    r->connect_ms = r->called_ms + r->pause_ms;
    r->pause_ms = 2 * r->pause_ms < MAX_CONNECT_MS ? 2 * r->pause_ms : MAX_CONNECT_MS;
}

// When to look for a front-end again: INT64_MAX when there is one or it comes by itself.
static int64_t
seek_outer(struct relay *r, int64_t now)
{
    if (r->is_calling && now - r->called_ms >= CALL_MS) {
        r->is_calling = false; // The answer is lost, or too late: it is taken all the same.
    }
    if (needs_outer(r) && now >= r->connect_ms) {
        call_outer(r);
    }
    return r->is_calling ? r->called_ms + CALL_MS : needs_outer(r) ? r->connect_ms : INT64_MAX;
}

// The switch has tried: 'fd' is connected, or -1.
static void
take_outer(struct relay *r, int fd)
{
    r->is_calling = false;
    if (fd < 0) {
        return;
    }
    // Who is the last to close it closes what waits in it, which may take for ever: that is to be
    // us.  The switch's next message tells that it has done so.
    r->shared_ms = relay_now_ms() + SHARED_MS;
    if (needs_outer(r)) {
        use_outer(r, fd);
    } else {
        r->unwanted = fd; // The library has gone meanwhile.
    }
}

// The switch has closed its end of what it had connected.
static void
end_sharing(struct relay *r)
{
    r->shared_ms = 0;
    relay_close_fd(&r->unwanted);
}

static void
accept_outer(struct relay *r)
{
    int fd = relay_accept(r->outer_listen, SOCK_NONBLOCK);

    if (fd >= 0 && r->outer >= 0) {
        close(fd); // A port has one guest.
    } else if (fd >= 0) {
        use_outer(r, fd);
    }
}

static void
on_outer(struct relay *r)
{
    struct vhu_msg *msg = &r->reader.msg;
    bool is_new = r->reader.n == 0;
    int result = vhu_read(r->outer, &r->reader);

    if (result == -EAGAIN) {
        // It may take its time, but not ours: the switch is answered meanwhile.
        r->message_ms = is_new ? relay_now_ms() + VHU_MESSAGE_MS : r->message_ms;
        return;
    }
    if (result != 1) {
        end_connection(r, NULL);
        return;
    }
    // To close it may take for ever (fds.h).  That costs this port; of the switch, to which nothing
    // goes, it would cost the library's only thread.
    if (!fds_are_fit(msg)) {
        end_connection(r, "a descriptor of a kind that its message may not carry was refused");
        vhu_close_fds(msg);
        return;
    }
    record_request(r->record, msg);
    r->confirm_ms = 0; // Whatever it is, the library waits no longer.
    // When this fails, so does reading from there, and that tells more.
    (void)vhu_send(r->inner, msg);
    if (vhu_wants_reply(msg)) {
        r->asked = *msg;
        r->is_asked = true;
    } else {
        vhu_close_fds(msg);
    }
}

// --- the library ---------------------------------------------------------------------------

// The switch is gone for sure: will the next one be able to go on?
static void
judge_end(struct relay *r)
{
    const char *obstacle =
        record_obstacle(r->record, r->is_stopped ? RECORD_STOPPED : RECORD_KILLED);

    if (r->outer >= 0 && obstacle != NULL) {
        relay_drop_front_end(r, NULL);
    }
}

static void
lose_inner(struct relay *r)
{
    relay_close_fd(&r->inner);
    if (r->outer < 0) {
        return;
    }
    r->is_lost = true;
    r->lost_ms = relay_now_ms();
    r->lost_session = r->inner_session;
    if (r->control < 0) {
        judge_end(r);
    }
}

static void
on_inner(struct relay *r)
{
    struct vhu_msg msg;

    if (vhu_receive(r->inner, &msg) != 1) {
        lose_inner(r);
    } else if (r->outer < 0) {
        vhu_close_fds(&msg);
    } else if (!relay_pass_reply(r, &msg)) {
        end_connection(r, NULL);
    }
}

static void
replay(struct relay *r)
{
    const char *why = NULL;

    // A question that is asked once more and has no answer yet may take longer: a switch that hangs
    // is there until its watchdog ends it.
    if (r->lost_ms - r->replayed_ms > LASTING_MS && !r->is_asked_again) {
        r->n_replays = 0;
    }
    if (++r->n_replays > MAX_REPLAYS) {
        end_connection(r, "not kept: the switch does not survive it");
        return;
    }
    r->is_lost = false;
    bool ok = relay_replay(r, &why);
    r->replayed_ms = relay_now_ms(); // One that hung the switch did not last.
    if (ok) {
        relay_log(r, "the guest's connection was kept");
    } else if (why != NULL) {
        end_connection(r, why);
    } else {
        lose_inner(r);
    }
}

static void
accept_inner(struct relay *r)
{
    int fd = relay_accept(r->inner_listen, 0);

    if (fd < 0) {
        return;
    }
    if (r->inner >= 0) {
        lose_inner(r);
    }
    relay_limit_sends(fd);
    r->inner = fd;
    r->inner_session = r->session;
    r->message_ms = relay_now_ms() + VHU_MESSAGE_MS; // The rest has waited in the socket.
    if (r->outer < 0) {
        r->connect_ms = 0;
        r->pause_ms = CONNECT_MS;
    } else if (r->lost_session == r->session) {
        // The same switch comes again: it had refused what it was told.
        relay_drop_front_end(r, NULL);
    } else {
        replay(r);
    }
    relay_tell(r, RELAY_READY, "");
}

// --- the switch ----------------------------------------------------------------------------

static void
lose_control(struct relay *r)
{
    relay_close_fd(&r->control);
    r->is_calling = false;
    r->gone_ms = relay_now_ms();
    if (r->is_lost) {
        judge_end(r);
    }
}

static void
attach(struct relay *r, const char *path)
{
    if (strcmp(r->outer_path, path) == 0) {
        return;
    }
    end_connection(r, NULL);
    memset(r->outer_path, 0, sizeof(r->outer_path));
    if (strlen(path) < sizeof(r->outer_path)) {
        memcpy(r->outer_path, path, strlen(path));
    }
}

static void
stop(struct relay *r)
{
    if (r->outer >= 0 && r->inner >= 0) {
        r->is_stopped = relay_stop_rings(r);
    }
    relay_tell(r, RELAY_STOPPED, "");
}

static void
on_control(struct relay *r)
{
    char message[RELAY_CONTROL_MAX + 1];
    int fd;
    ssize_t n = fd_pass_recv(r->control, message, RELAY_CONTROL_MAX, 0, &fd);

    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    if (n <= 0) {
        lose_control(r);
        return;
    }
    message[n] = '\0';
    end_sharing(r);
    switch (message[0]) {
    case RELAY_ATTACH:
        attach(r, message + 1);
        break;
    case RELAY_STOP:
        stop(r);
        break;
    case RELAY_DELETE:
        r->is_done = true;
        break;
    case RELAY_OUTER:
        take_outer(r, fd);
        break;
    default:
        break;
    }
}

static void
accept_control(struct relay *r)
{
    int fd = relay_accept(r->control_listen, 0);

    if (fd < 0) {
        return;
    }
    if (r->control >= 0) {
        lose_control(r);
    }
    relay_limit_sends(fd);
    r->control = fd;
    r->session++;
    if (r->is_stopped) {
        r->n_replays = 0; // The one before did not die.
    }
    r->is_stopped = false;
}

// --- the loop ------------------------------------------------------------------------------

static bool
listens(const struct relay *r)
{
    return !r->is_stopped && r->outer >= 0 && r->inner >= 0 && !r->is_asked;
}

// What is due now; how long there is nothing else to do, in ms (-1: for ever).
static int
run_timers(struct relay *r)
{
    int64_t now = relay_now_ms(), next = seek_outer(r, now);

    if (r->control < 0) {
        // Nobody needs a relay that has nothing to keep.
        r->is_done = r->is_done || r->outer < 0 || now - r->gone_ms >= RELAY_LINGER_MS;
        next = r->gone_ms + RELAY_LINGER_MS;
    }
    if (r->is_lost && r->control >= 0 && r->lost_session == r->session && !r->is_stopped) {
        if (now - r->lost_ms >= VERDICT_MS) {
            relay_drop_front_end(r, NULL);
        } else {
            next = r->lost_ms + VERDICT_MS;
        }
    }
    if (listens(r) && r->reader.n > 0) {
        if (now >= r->message_ms) {
            end_connection(r, NULL);
        } else {
            next = r->message_ms < next ? r->message_ms : next;
        }
    }
    if (r->shared_ms != 0 && now >= r->shared_ms) {
        end_sharing(r);
    } else if (r->shared_ms != 0) {
        next = r->shared_ms < next ? r->shared_ms : next;
    }
    if (r->confirm_ms != 0 && now >= r->confirm_ms) {
        end_connection(r, NULL);
    } else if (r->confirm_ms != 0) {
        next = r->confirm_ms < next ? r->confirm_ms : next;
    }
    return next == INT64_MAX ? -1 : next <= now ? 0 : (int)(next - now);
}

static void
run(struct relay *r)
{
    int timeout_ms = run_timers(r);

    if (r->is_done) {
        return;
    }
    // A switch is accepted before its library, and both before anything of an older one is read.
    struct pollfd fds[] = {
        {.fd = r->control, .events = POLLIN},
        {.fd = r->inner, .events = POLLIN},
        {.fd = r->control_listen, .events = POLLIN},
        {.fd = r->inner_listen, .events = POLLIN},
        {.fd = r->shared_ms == 0 ? r->outer : -1, .events = listens(r) ? POLLIN : POLLRDHUP},
        {.fd = r->outer >= 0 || r->inner >= 0 ? r->outer_listen : -1, .events = POLLIN},
    };
    static void (*const handlers[])(struct relay *) = {
        on_control, on_inner, accept_control, accept_inner, on_outer, accept_outer,
    };

    if (poll(fds, sizeof(fds) / sizeof(fds[0]), timeout_ms) <= 0) {
        return;
    }
    // One at a time: each may close what another is about.
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i].revents == 0) {
            continue;
        }
        if (handlers[i] == on_outer && !listens(r)) {
            end_connection(r, NULL);
        } else {
            handlers[i](r);
        }
        return;
    }
}

// The directory of 'path' goes with the last relay.
static void
remove_dir(const char *path)
{
    char dir[108];
    const char *slash = strrchr(path, '/');

    if (slash != NULL && (size_t)(slash - path) < sizeof(dir)) {
        memcpy(dir, path, (size_t)(slash - path));
        dir[slash - path] = '\0';
        (void)rmdir(dir); // unless there are others
    }
}

// The library's end goes first: of one that is given up while it finds its connection broken, DPDK
// 22.11.11 remembers to connect again, and uses what is no longer there.
static void
await_library(struct relay *r)
{
    struct pollfd fds[] = {{.fd = r->inner, .events = POLLRDHUP},
                           {.fd = r->control, .events = POLLIN}};

    if (r->inner >= 0 && relay_tell(r, RELAY_STOPPED, "")) {
        (void)poll(fds, sizeof(fds) / sizeof(fds[0]), RELEASE_MS); // We end all the same.
    }
}

static void
clean_up(struct relay *r)
{
    // Files first: who still finds them finds us, who does not makes his own.
    unlink(r->control_path);
    unlink(r->inner_path);
    remove_dir(r->control_path);
    if (r->outer_listen >= 0) {
        unlink(r->outer_path);
    }
    relay_close_fd(&r->outer_listen);
    relay_close_fd(&r->control_listen);
    relay_close_fd(&r->inner_listen);
    relay_drop_front_end(r, NULL);
    await_library(r);
    relay_close_fd(&r->inner);
    relay_close_fd(&r->control);
    record_destroy(r->record);
}

static void
confine(struct relay *r)
{
    struct sockaddr_un sun = {.sun_path = ""};
    socklen_t size = sizeof(sun) - 1; // leaves a null byte
    const char *parts[] = {"capabilities", "all system calls", "the right to remove any file"};
    char text[RELAY_CONTROL_MAX];
    const char *paths[] = {r->control_path, NULL, NULL};

    if (r->outer_listen >= 0 && getsockname(r->outer_listen, (struct sockaddr *)&sun, &size) == 0) {
        paths[1] = sun.sun_path;
    }
    struct relay_kept kept = relay_confine(paths);
    const int errors[] = {kept.capabilities, kept.syscalls, kept.files};
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (errors[i] != 0) {
            snprintf(text, sizeof(text), "its relay keeps %s: %s", parts[i], strerror(-errors[i]));
            relay_log(r, text);
        }
    }
}

int
main(int argc, char *argv[])
{
    static struct relay r = {.control = RELAY_FD_CONTROL,
                             .control_listen = RELAY_FD_CONTROL_LISTEN,
                             .inner_listen = RELAY_FD_INNER_LISTEN,
                             .inner = -1,
                             .outer = -1,
                             .unwanted = -1,
                             .outer_listen = RELAY_FD_OUTER_LISTEN,
                             .lost_session = UINT32_MAX};

    if (argc == 2 && strcmp(argv[1], RELAY_INSPECT) == 0) {
        inspect_run(RELAY_FD_CONTROL);
        return EXIT_SUCCESS;
    }
    if (argc != 4) {
        fprintf(stderr, "usage: %s CONTROL INNER client|server (the switch starts it)\n", argv[0]);
        return EXIT_FAILURE;
    }
    if (strcmp(argv[3], "client") == 0) {
        relay_close_fd(&r.outer_listen);
    }
    r.control_path = argv[1];
    r.inner_path = argv[2];
    relay_leave_parent();
    r.record = record_create();
    relay_limit_sends(r.control);
    confine(&r);
    while (!r.is_done) {
        run(&r);
    }
    clean_up(&r);
    return EXIT_SUCCESS;
}
