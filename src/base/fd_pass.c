// SPDX-License-Identifier: Apache-2.0
/* fd_pass.c - see fd_pass.h. */
#include "base/fd_pass.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Room for one descriptor, which by its alignment may hold two. */
union control {
    struct cmsghdr align;
    char buf[CMSG_SPACE(sizeof(int))];
};

ssize_t
fd_pass_send(int sock, const void *data, size_t size, int flags, int fd)
{
    struct iovec iov = {.iov_base = (void *)data, .iov_len = size};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    union control control = {0};

    if (fd >= 0) {
        struct cmsghdr *c = &control.align;

        msg.msg_control = control.buf;
        msg.msg_controllen = sizeof(control.buf);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(fd));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    return sendmsg(sock, &msg, flags);
}

ssize_t
fd_pass_recv(int sock, void *data, size_t size, int flags, int *fd)
{
    struct iovec iov = {.iov_base = data, .iov_len = size};
    union control control = {0};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.buf,
                         .msg_controllen = sizeof(control.buf)};
    ssize_t n = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
    const struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&msg) : NULL;

    *fd = -1;
    if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
        return n;
    }
    for (size_t at = 0; at + sizeof(*fd) <= c->cmsg_len - CMSG_LEN(0); at += sizeof(*fd)) {
        int got;

        memcpy(&got, CMSG_DATA(c) + at, sizeof(got));
        if (*fd < 0) {
            *fd = got;
        } else {
            close(got);
        }
    }
    return n;
}
