// SPDX-License-Identifier: Apache-2.0
#include "relay/inspect.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd_pass.h"
#include "relay/confine.h"
#include "relay/control.h"
#include "relay/fds.h"
#include "relay/vhu.h"

// Duplicates of what waits: nothing is taken out.  They may be of a later message than the first:
// the kernel goes on to the next that has some.  False when not all fit.
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
    return n <= 0 || (msg.msg_flags & MSG_CTRUNC) == 0;
}

// Who is the last to close a connection closes what waits in it: that is not the switch as long as
// the connection is open here.
static char
look(int sock)
{
    struct vhu_msg found;

    if (!peek(sock, &found) || !fds_may_be_fit(&found)) {
        (void)shutdown(sock, SHUT_RDWR); // The front-end sees the end of its connection.
        return RELAY_BAD;
    }
    close(sock); // first: what it sent is no longer open here when the switch goes on
    vhu_close_fds(&found);
    return RELAY_GOOD;
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
            return; // as told, or as nobody is there
        }
        if (op == RELAY_LOOK) {
            char answer = look(sock);
            if (send(channel, &answer, sizeof(answer), MSG_NOSIGNAL) != (ssize_t)sizeof(answer)) {
                return;
            }
        }
    }
}
