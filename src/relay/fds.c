// SPDX-License-Identifier: Apache-2.0
#include "relay/fds.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd_served.h"

enum kind { EVENT = 1, PIPE = 2, STREAM = 4, FILE_HERE = 8, OTHER = 16 };

static bool
begins_with(const char *text, const char *begin)
{
    return strncmp(text, begin, strlen(begin)) == 0;
}

static int
socket_option(int fd, int option)
{
    int value = -1;
    socklen_t size = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

// Connected: so it stays, and will never listen (the queue of a socket that listens has others,
// with queues of their own).
static bool
is_stream(int fd)
{
    struct sockaddr_un sun;
    socklen_t size = sizeof(sun);

    return socket_option(fd, SO_DOMAIN) == AF_UNIX && socket_option(fd, SO_TYPE) == SOCK_STREAM &&
           getpeername(fd, (struct sockaddr *)&sun, &size) == 0;
}

static bool
is_file_here(int fd)
{
    struct statx st;

    return fcntl(fd, F_GET_SEALS) >= 0 ||
           (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 &&
            S_ISREG(st.stx_mode) && !fd_is_served_by_others(fd));
}

// The kernel's own names for what has no path: a path begins with a slash.  Asks no file system, as
// fstat() would: a pipe with a name may be in any.
static enum kind
find_kind(int fd)
{
    char path[64], name[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(path, name, sizeof(name) - 1);
    if (n <= 0) {
        return OTHER;
    }
    name[n] = '\0';
    if (name[0] == '/') {
        return is_file_here(fd) ? FILE_HERE : OTHER;
    }
    return strcmp(name, "anon_inode:[eventfd]") == 0        ? EVENT
           : begins_with(name, "pipe:[")                    ? PIPE
           : begins_with(name, "socket:[") && is_stream(fd) ? STREAM
                                                            : OTHER;
}

static unsigned int
kinds_of(uint32_t request)
{
    switch (request) {
    case VHU_SET_VRING_KICK:
        return EVENT | PIPE;
    case VHU_SET_VRING_CALL:
    case VHU_SET_VRING_ERR:
        return EVENT | PIPE | STREAM;
    case VHU_SET_BACKEND_REQ_FD:
        return STREAM;
    default: // Others take none, or memory; what is no memory is refused when it is mapped.
        return FILE_HERE | EVENT | PIPE;
    }
}

// Descriptors in a stream's queue are closed by whoever closes the stream: there must be none, now
// and later.  Switch and library write to it only.  The count knows urgent bytes, too; only the end
// of the stream is behind those that were read.
static bool
stays_empty(int fd)
{
    int waiting = 0;
    char byte;

    return shutdown(fd, SHUT_RD) == 0 && ioctl(fd, FIONREAD, &waiting) == 0 && waiting == 0 &&
           recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) == 0;
}

static bool
are_of(const struct vhu_msg *msg, unsigned int kinds)
{
    for (unsigned int i = 0; i < msg->n_fds; i++) {
        enum kind kind = find_kind(msg->fds[i]);
        if ((kind & kinds) == 0 || (kind == STREAM && !stays_empty(msg->fds[i]))) {
            return false;
        }
    }
    return true;
}

bool
fds_are_fit(const struct vhu_msg *msg)
{
    return are_of(msg, kinds_of(msg->request));
}

bool
fds_may_be_fit(const struct vhu_msg *msg)
{
    return are_of(msg, EVENT | PIPE | STREAM | FILE_HERE);
}
