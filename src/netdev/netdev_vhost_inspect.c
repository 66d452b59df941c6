// SPDX-License-Identifier: Apache-2.0
//
// The inspector may not get rid of a descriptor that is bad, but by its end.  The next one is
// started at once, so that no front-end waits for another one's.  Who closes a connection last
// closes what waits in it, and that must not be this process: the inspector is told to end when it
// is no longer open here.  Those that do not end are counted.
#include "netdev/netdev_vhost_inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd_pass.h"
#include "base/log.h"
#include "base/util.h"
#include "netdev/netdev_vhost_spawn.h"
#include "relay/control.h"

LOG_MODULE(netdev_dpdk);

enum {
    ANSWER_MS = 1000,
    END_MS = 50,     // for its end, before it counts as one that hangs
    MAX_HUNG = 64,   // inspectors that cannot end, of all ports
    PORT_HUNG = 4,   // and of one
    MAX_KEPT = 64,   // connections that one inspector has open until it ends
    MAX_UNSEEN = 64, // those that wait for one
};

// One that has met something bad, until it has ended.
struct leaving {
    int channel;
    char port[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
};

static _Atomic bool is_on;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
// Under 'lock'.
static int channel = -1;
static struct leaving leaving[MAX_HUNG];
static size_t n_leaving;
static unsigned int n_kept; // of the one at 'channel'
static int unseen[MAX_UNSEEN];
static size_t n_unseen;

// True when the inspector has it, too, until it ends.
static bool
hand_over(int sock)
{
    char message = RELAY_KEEP;

    if (channel < 0 || fd_pass_send(channel, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT,
                                    sock) != (ssize_t)sizeof(message)) {
        return false;
    }
    n_kept++;
    return true;
}

// With the lock held: a process that lives as long as our end of the channel.
static void
begin(void)
{
    static struct log_rate rl = LOG_RATE_INIT(1, 1);
    char *argv[] = {(char *)RELAY_PROGRAM, (char *)RELAY_INSPECT, NULL};
    int pair[2], error;

    if (channel >= 0) {
        return;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        error = -errno;
    } else {
        error = netdev_vhost_spawn(argv, &pair[1], 1);
        close(pair[1]);
        if (error == 0) {
            channel = pair[0];
            n_kept = 0;
        } else {
            close(pair[0]);
        }
    }
    if (error != 0) {
        log_err_rl(&rl, "nobody looks at the descriptors of guests without a relay: %s",
                   err_str(error));
    }
    while (n_unseen > 0 && hand_over(unseen[n_unseen - 1])) {
        close(unseen[--n_unseen]);
    }
}

// RELAY_GOOD, RELAY_BAD, or 0: there is nobody at the other end.
static char
ask(int sock)
{
    struct pollfd pollfd = {.fd = channel, .events = POLLIN};
    char message = RELAY_LOOK;

    if (fd_pass_send(channel, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT, sock) !=
        (ssize_t)sizeof(message)) {
        return 0;
    }
    if (poll(&pollfd, 1, ANSWER_MS) == 0) {
        return RELAY_BAD;
    }
    return recv(channel, &message, sizeof(message), MSG_DONTWAIT) == (ssize_t)sizeof(message)
               ? message
               : 0;
}

// The socket's file: ours, or the front-end's when it listens.
static void
find_port(int sock, char *port)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    socklen_t size = sizeof(sun) - 1; // leaves a null byte

    if (getsockname(sock, (struct sockaddr *)&sun, &size) == 0 && sun.sun_path[0] == '\0') {
        size = sizeof(sun) - 1;
        (void)getpeername(sock, (struct sockaddr *)&sun, &size); // Without: all such are one port.
    }
    memcpy(port, sun.sun_path, sizeof(sun.sun_path));
    port[sizeof(sun.sun_path)] = '\0';
}

static void
forget_ended(void)
{
    for (size_t i = n_leaving; i-- > 0;) {
        struct pollfd pollfd = {.fd = leaving[i].channel};
        if (poll(&pollfd, 1, 0) > 0) {
            close(leaving[i].channel);
            leaving[i] = leaving[--n_leaving];
        }
    }
}

static bool
are_too_many(const char *port)
{
    size_t n = 0;

    forget_ended();
    for (size_t i = 0; i < n_leaving; i++) {
        n += strcmp(leaving[i].port, port) == 0;
    }
    return n >= PORT_HUNG || n_leaving == MAX_HUNG;
}

// The library finds something else at its number, and closes that.
static void
take_away(int sock)
{
    int nothing = memfd_create("refused", MFD_CLOEXEC);

    if (nothing >= 0) {
        dup3(nothing, sock, O_CLOEXEC);
        close(nothing);
    }
}

// The inspector ends, and closes what it has.  It is the port's until it has done so.
static void
retire(const char *port)
{
    char message = RELAY_END;
    struct pollfd pollfd = {.fd = channel, .events = 0}; // the end only

    (void)send(channel, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT); // It has ended.
    if (poll(&pollfd, 1, END_MS) > 0 || n_leaving == MAX_HUNG) {
        close(channel);
    } else {
        leaving[n_leaving].channel = channel;
        memcpy(leaving[n_leaving++].port, port, sizeof(leaving[0].port));
    }
    channel = -1;
}

// Nobody has looked: somebody else has to close it, now or when there is somebody.
static void
refuse_unseen(int sock, const char *port)
{
    shutdown(sock, SHUT_RDWR);
    begin();
    int copy = hand_over(sock) || n_unseen == MAX_UNSEEN ? -1 : fcntl(sock, F_DUPFD_CLOEXEC, 3);
    if (copy >= 0) {
        unseen[n_unseen++] = copy;
    }
    take_away(sock);
    if (channel >= 0 && n_kept >= MAX_KEPT) {
        retire(port);
    }
}

// With the lock held.  NULL: they may be received; or why not.
static const char *
inspect(int sock)
{
    char port[sizeof(leaving[0].port)], answer = 0;

    find_port(sock, port);
    if (are_too_many(port)) {
        refuse_unseen(sock, port);
        return "what came before is not closed yet";
    }
    // Another one when somebody has ended the last.
    for (int tries = 0; tries < 2 && answer == 0; tries++) {
        begin();
        answer = channel >= 0 ? ask(sock) : 0;
        if (answer == 0 && channel >= 0) {
            close(channel);
            channel = -1;
        }
    }
    if (answer == 0) {
        refuse_unseen(sock, port);
        return "nobody can look at what comes with it";
    }
    if (answer != RELAY_GOOD) {
        shutdown(sock, SHUT_RDWR);
        take_away(sock); // The inspector, which may hang, has it, too.
        retire(port);
        begin();
        return "a descriptor of a kind that its message may not carry";
    }
    return NULL;
}

void
netdev_vhost_inspect_start(void)
{
    atomic_store_explicit(&is_on, true, memory_order_release);
    // Who has the lock waits for an inspector: there is one.
    if (pthread_mutex_trylock(&lock) == 0) {
        begin();
        pthread_mutex_unlock(&lock);
    }
}

bool
netdev_vhost_inspect_is_on(void)
{
    return atomic_load_explicit(&is_on, memory_order_acquire);
}

bool
netdev_vhost_inspect(int sock)
{
    static struct log_rate rl = LOG_RATE_INIT(6, 6);

    pthread_mutex_lock(&lock);
    const char *why = inspect(sock);
    pthread_mutex_unlock(&lock);
    if (why != NULL) {
        log_warn_rl(&rl, "a guest's connection was refused: %s", why);
    }
    return why == NULL;
}
