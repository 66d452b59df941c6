// SPDX-License-Identifier: Apache-2.0
//
// Fuzz target: what a front-end sends to the relay.  The input goes through a socket as its bytes
// stand, with descriptors beside the first; each message is noted, and each third time the record
// is replayed.  No descriptor may stay open, and what is replayed must be within its bounds.
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "relay/record.h"

#define MAX_INPUT 16384

static unsigned int
replay(const struct record *record)
{
    struct vhu_msg msg;
    unsigned int pos = 0, n = 0;

    while (record_next(record, &pos, &msg)) {
        if (msg.size > VHU_MAX_PAYLOAD || msg.n_fds > VHU_MAX_FDS || msg.flags != VHU_VERSION) {
            abort();
        }
        n++;
    }
    (void)record_obstacle(record, n & 1 ? RECORD_KILLED : RECORD_STOPPED);
    return n;
}

static void
feed(int sock, const uint8_t *data, size_t size)
{
    struct iovec iov = {.iov_base = (void *)data, .iov_len = size};
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr hdr = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.buf,
                         .msg_controllen = sizeof(control.buf)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&hdr);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    *(int *)(void *)CMSG_DATA(c) = sock;
    if (sendmsg(sock, &hdr, MSG_NOSIGNAL) != (ssize_t)size) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record *record;
    struct vhu_msg msg;
    int fds[2], probe = dup(0), n = 0;

    if (size == 0 || size > MAX_INPUT || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) {
        close(probe);
        return 0;
    }
    close(probe);
    record = record_create();
    // Twice: descriptors come with the first byte of each.
    feed(fds[0], data, size / 2 + 1);
    if (size > size / 2 + 1) {
        feed(fds[0], data + size / 2 + 1, size - size / 2 - 1);
    }
    shutdown(fds[0], SHUT_WR);
    while (vhu_receive(fds[1], &msg) == 1) {
        record_request(record, &msg);
        record_reply(record, &msg, &msg);
        if (++n % 3 == 0) {
            replay(record);
        }
        vhu_close_fds(&msg);
    }
    if (msg.n_fds != 0) {
        abort();
    }
    replay(record);
    record_destroy(record);
    close(fds[0]);
    close(fds[1]);
    // The lowest free number is what it was.
    int again = dup(0);
    if (again != probe) {
        abort();
    }
    close(again);
    return 0;
}
