// SPDX-License-Identifier: Apache-2.0
//
// The process ends by itself with the first descriptor that is bad, as it may not get rid of that.
// The next one is started at once, so that no front-end waits for another one's.
#include "netdev/netdev_vhost_inspect.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd_pass.h"
#include "base/log.h"
#include "base/util.h"
#include "netdev/netdev_vhost_spawn.h"
#include "relay/control.h"

LOG_MODULE(netdev_dpdk);

enum { ANSWER_MS = 1000 };

static _Atomic bool is_on;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int channel = -1; // under 'lock'

// With the lock held: a process that lives as long as our end of the channel.
static void
begin(void)
{
    static struct log_rate rl = LOG_RATE_INIT(1, 1);
    char *argv[] = {(char *)RELAY_PROGRAM, (char *)RELAY_INSPECT, NULL};
    int pair[2];

    if (channel >= 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return;
    }
    int error = netdev_vhost_spawn(argv, &pair[1], 1);
    close(pair[1]);
    if (error == 0) {
        channel = pair[0];
        return;
    }
    close(pair[0]);
    log_err_rl(&rl, "nobody looks at the descriptors of guests without a relay: %s",
               err_str(error));
}

static void
end(void)
{
    if (channel >= 0) {
        close(channel);
        channel = -1;
    }
}

// RELAY_GOOD, RELAY_BAD, or 0: there is nobody at the other end.
static char
ask(int sock)
{
    struct pollfd pollfd = {.fd = channel, .events = POLLIN};
    char message = RELAY_LOOK;

    if (fd_pass_send(channel, &message, sizeof(message), MSG_NOSIGNAL, sock) !=
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

void
netdev_vhost_inspect_start(void)
{
    pthread_mutex_lock(&lock);
    begin();
    pthread_mutex_unlock(&lock);
    atomic_store_explicit(&is_on, true, memory_order_release);
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
    char answer = 0;

    pthread_mutex_lock(&lock);
    // Another one when somebody has ended the last.
    for (int tries = 0; tries < 2 && answer == 0; tries++) {
        begin();
        answer = channel >= 0 ? ask(sock) : RELAY_GOOD;
        if (answer != RELAY_GOOD) {
            end();
        }
    }
    begin();
    pthread_mutex_unlock(&lock);
    if (answer != RELAY_GOOD) {
        log_warn_rl(&rl, "a file of a file system that need not answer was refused");
    }
    return answer == RELAY_GOOD;
}
