// SPDX-License-Identifier: Apache-2.0
//
// They would keep the front-end to themselves: as its peer, or by the socket on which it looks for
// one.  A relay goes when it is told to (RELAY_DELETE, in all versions).  One that hangs is found
// by its arguments, which say whose it is: the credentials of its sockets are those of the switch
// that has started it.
#include "netdev/netdev_vhost_relay_old.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/log.h"
#include "base/util.h"
#include "netdev/netdev_vhost_relay.h"
#include "relay/control.h"

LOG_MODULE(netdev_dpdk);

enum {
    SILENCE_MS = 250,       // for one that was told to go
    ALL_SILENCES_MS = 1000, // all of them together, in this process's life
    LEAST_MS = 20,          // for each, all the same
    KILL_MS = 1000,         // for the kernel
};

char *
netdev_vhost_relay_inner_path(const char *dir, const char *name, int version, bool is_server)
{
    return xasprintf("%s/%s.%d%c", dir, name, version, is_server ? 's' : 'c');
}

int
netdev_vhost_relay_connect(const char *path, int type)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    str_copy(sun.sun_path, path, sizeof(sun.sun_path));
    if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        fd = -1;
    }
    return fd;
}

// --- those that hang -------------------------------------------------------------------------

// Whether process 'pid' is a relay with this control socket, of our user.
static bool
is_relay(pid_t pid, const char *control_path)
{
    static const char program[] = RELAY_PROGRAM;
    char path[32], args[sizeof(program) + sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
    struct stat st;

    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t n =
        fstat(fd, &st) == 0 && st.st_uid == geteuid() ? read(fd, args, sizeof(args) - 1) : 0;
    close(fd);
    if (n <= (ssize_t)sizeof(program)) {
        return false;
    }
    args[n] = '\0';
    return memcmp(args, program, sizeof(program)) == 0 &&
           strcmp(args + sizeof(program), control_path) == 0;
}

// A descriptor of its process, or -1.
static int
find_relay(const char *control_path)
{
    DIR *dir = opendir("/proc");
    int pidfd = -1;

    for (struct dirent *d; dir != NULL && pidfd < 0 && (d = readdir(dir)) != NULL;) {
        pid_t pid = (pid_t)atoi(d->d_name);
        if (pid <= 0 || !is_relay(pid, control_path)) {
            continue;
        }
        pidfd = pidfd_open(pid, 0);
        // The number may be another's by then.
        if (pidfd >= 0 && !is_relay(pid, control_path)) {
            close(pidfd);
            pidfd = -1;
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return pidfd;
}

void
netdev_vhost_relay_kill(const char *name, const char *control_path)
{
    int pidfd = find_relay(control_path);
    struct pollfd pollfd = {.fd = pidfd, .events = POLLIN};

    if (pidfd < 0) {
        return; // It has just ended, or is none of ours.
    }
    if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0) != 0) {
        log_warn("%s: a relay of its guest hangs and cannot be ended: %s", name, err_str(errno));
    } else if (poll(&pollfd, 1, KILL_MS) == 1) {
        log_warn("%s: a relay of its guest that hung was ended", name);
    } else {
        log_warn("%s: a relay of its guest hangs and has not ended yet: it waits for a file system",
                 name);
    }
    // Whatever becomes of it, nobody is to find it any more.
    char *inner_path =
        xasprintf("%.*s", (int)(strlen(control_path) - strlen(".ctl")), control_path);
    unlink(control_path);
    unlink(inner_path);
    free(inner_path);
    close(pidfd);
}

// --- those that hear -------------------------------------------------------------------------

// Until the relay has ended.  It does so at once, unless it hangs: false.
static bool
await_end(int fd)
{
    static int64_t left_ms = ALL_SILENCES_MS; // main only
    int64_t start_ms = clock_now_ms();
    int64_t end_ms = start_ms + MAX(MIN(left_ms, (int64_t)SILENCE_MS), (int64_t)LEAST_MS);
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    char message[RELAY_CONTROL_MAX];

    for (int64_t now_ms = start_ms; now_ms < end_ms; now_ms = clock_now_ms()) {
        if (poll(&pollfd, 1, (int)(end_ms - now_ms)) != 1) {
            continue;
        }
        ssize_t n = recv(fd, message, sizeof(message), MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            return true;
        }
    }
    left_ms -= MIN(clock_now_ms() - start_ms, left_ms);
    return false;
}

static void
dismiss(const char *name, const char *control, const char *inner)
{
    const char op = RELAY_DELETE;
    int fd = netdev_vhost_relay_connect(control, SOCK_SEQPACKET);

    if (fd >= 0) {
        log_info("%s: a relay that this switch does not use lets its guest go", name);
        if (send(fd, &op, sizeof(op), MSG_NOSIGNAL) != (ssize_t)sizeof(op) || !await_end(fd)) {
            netdev_vhost_relay_kill(name, control);
        }
        close(fd);
    } else if (errno == ECONNREFUSED) {
        unlink(control);
        unlink(inner);
    } else if (errno == EAGAIN) {
        netdev_vhost_relay_kill(name, control); // so many were not heard
    }
}

void
netdev_vhost_relay_dismiss_others(const char *name, const char *dir, const char *own)
{
    for (int i = 0; i < 2 * RELAY_CONTROL_VERSIONS; i++) {
        char *inner = netdev_vhost_relay_inner_path(dir, name, 1 + i / 2, i % 2 != 0);
        char *control = xasprintf("%s.ctl", inner);

        if ((own == NULL || strcmp(control, own) != 0) && access(control, F_OK) == 0 &&
            strlen(control) < sizeof(((struct sockaddr_un *)0)->sun_path)) {
            dismiss(name, control, inner);
        }
        free(control);
        free(inner);
    }
}

void
netdev_vhost_relay_dismiss(const char *name)
{
    char *dir = xasprintf("%s/vhost-relay", dirs_run());

    netdev_vhost_relay_dismiss_others(name, dir, NULL);
    (void)rmdir(dir); // unless there are others
    free(dir);
}
