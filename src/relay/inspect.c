// SPDX-License-Identifier: Apache-2.0
#include "relay/inspect.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd_pass.h"
#include "relay/confine.h"
#include "relay/control.h"
#include "relay/fds.h"
#include "relay/vhu.h"

// Duplicates of what waits: nothing is taken out.  False when not all fit.
static bool
peek(int sock, struct vhu_msg *found)
{
    char header[VHU_HEADER_SIZE];
    struct iovec iov = {.iov_base = header, .iov_len = sizeof(header)};
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(VHU_MAX_FDS * sizeof(int))];
    } control;
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.buf,
                         .msg_controllen = sizeof(control.buf)};

    found->n_fds = 0;
    found->request = 0;
    ssize_t n = recvmsg(sock, &msg, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n > 0) {
        vhu_take_fds(&msg, found);
    }
    if (n == (ssize_t)sizeof(header)) {
        memcpy(&found->request, header, sizeof(found->request));
    }
    return n <= 0 || (msg.msg_flags & MSG_CTRUNC) == 0;
}

// Who is the last to close a connection closes what waits in it.
static void
await_switch(int channel)
{
    char op;
    int fd;

    while (fd_pass_recv(channel, &op, sizeof(op), 0, &fd) < 0 && errno == EINTR) {
    }
}

// False when something was bad: then closing it may never end.
static bool
inspect(int channel, int sock)
{
    struct vhu_msg found;
    char answer = peek(sock, &found) && fds_are_fit(&found) ? RELAY_GOOD : RELAY_BAD;

    if (answer == RELAY_GOOD) {
        close(sock); // first: what it sent is no longer open here when the switch goes on
        vhu_close_fds(&found);
        return send(channel, &answer, sizeof(answer), MSG_NOSIGNAL) == (ssize_t)sizeof(answer);
    }
    (void)shutdown(sock, SHUT_RDWR); // The front-end sees the end of its connection.
    if (send(channel, &answer, sizeof(answer), MSG_NOSIGNAL) == (ssize_t)sizeof(answer)) {
        await_switch(channel);
    }
    // Before our end: by the channel the switch sees whether we hang.
    vhu_close_fds(&found);
    close(sock);
    return false;
}

void
inspect_run(int channel)
{
    const char *no_paths[] = {NULL};
    char op;
    int sock;

    relay_leave_parent();
    (void)relay_confine(no_paths); // What it keeps it keeps: nobody would hear of it.
    for (;;) {
        ssize_t n = fd_pass_recv(channel, &op, sizeof(op), 0, &sock);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0 || sock < 0) {
            return;
        }
        if (op == RELAY_CLOSE) {
            close(sock);
        } else if (!inspect(channel, sock)) {
            return;
        }
    }
}
