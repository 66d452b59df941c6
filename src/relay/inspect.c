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
#include "base/fd_served.h"
#include "relay/confine.h"
#include "relay/control.h"
#include "relay/vhu.h"

// Duplicates of what waits: nothing is taken out.
static void
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
    // What does not fit stays there; the switch refuses such messages itself.
    if (recvmsg(sock, &msg, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC) > 0) {
        vhu_take_fds(&msg, found);
    }
}

// False when something was bad: then closing it may never end.
static bool
inspect(int channel, int sock)
{
    struct vhu_msg found;
    char answer = RELAY_GOOD;

    peek(sock, &found);
    for (unsigned int i = 0; i < found.n_fds; i++) {
        if (fd_is_served_by_others(found.fds[i])) {
            answer = RELAY_BAD;
        }
    }
    close(sock); // first: the front-end is to see the end of its connection
    if (answer == RELAY_GOOD) {
        vhu_close_fds(&found); // so is what it sent no longer open when the switch goes on
    }
    if (send(channel, &answer, sizeof(answer), MSG_NOSIGNAL) != (ssize_t)sizeof(answer)) {
        answer = RELAY_BAD;
    }
    vhu_close_fds(&found);
    return answer == RELAY_GOOD;
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
        if (n <= 0 || sock < 0 || !inspect(channel, sock)) {
            return;
        }
    }
}
