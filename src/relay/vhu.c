// SPDX-License-Identifier: Apache-2.0
//
// Everything here comes from a peer that may be hostile: sizes are bounded before anything is read,
// and descriptors that do not belong to a whole message are closed.
#include "relay/vhu.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

void
vhu_close_fds(struct vhu_msg *msg)
{
    for (unsigned int i = 0; i < msg->n_fds; i++) {
        close(msg->fds[i]);
    }
    msg->n_fds = 0;
}

void
vhu_take_fds(struct msghdr *hdr, struct vhu_msg *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c != NULL; c = CMSG_NXTHDR(hdr, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (msg->n_fds < VHU_MAX_FDS) {
                msg->fds[msg->n_fds++] = fd;
            } else {
                close(fd);
            }
        }
    }
}

// The next bytes of the message.  As recv(); the first ones bring the descriptors.
static ssize_t
read_some(int sock, void *p, size_t size, bool is_first, struct vhu_msg *msg)
{
    struct iovec iov = {.iov_base = p, .iov_len = size};
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(VHU_MAX_FDS * sizeof(int))];
    } control;
    struct msghdr hdr = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = is_first ? control.buf : NULL,
                         .msg_controllen = is_first ? sizeof(control.buf) : 0};
    ssize_t n;

    do {
        n = recvmsg(sock, &hdr, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return n == 0 ? 0 : -errno;
    }
    if (is_first) {
        vhu_take_fds(&hdr, msg);
    }
    return is_first && (hdr.msg_flags & MSG_CTRUNC) != 0 ? -EPROTO : n;
}

static int
read_on(int sock, struct vhu_reader *reader)
{
    struct vhu_msg *msg = &reader->msg;
    size_t size = VHU_HEADER_SIZE;

    for (;;) {
        if (reader->n >= VHU_HEADER_SIZE) {
            msg->request = reader->header[0];
            msg->flags = reader->header[1];
            msg->size = reader->header[2];
            if (msg->size > VHU_MAX_PAYLOAD || (msg->flags & VHU_VERSION_MASK) != VHU_VERSION) {
                return -EPROTO;
            }
            size = VHU_HEADER_SIZE + msg->size;
        }
        if (reader->n == size) {
            return 1;
        }
        char *p = reader->n < VHU_HEADER_SIZE ? (char *)reader->header + reader->n
                                              : (char *)msg->payload + reader->n - VHU_HEADER_SIZE;
        ssize_t n = read_some(sock, p, size - reader->n, reader->n == 0, msg);
        if (n <= 0) {
            return (int)n;
        }
        reader->n += (size_t)n;
    }
}

void
vhu_reset(struct vhu_reader *reader)
{
    if (reader->n > 0) {
        vhu_close_fds(&reader->msg);
    }
    reader->n = 0;
}

int
vhu_read(int sock, struct vhu_reader *reader)
{
    if (reader->n == 0) {
        reader->msg.n_fds = 0;
    }
    int result = read_on(sock, reader);
    if (result == 1) {
        reader->n = 0;
    } else if (result != -EAGAIN) {
        vhu_close_fds(&reader->msg);
        reader->n = 0;
    }
    return result;
}

static int64_t
now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int
vhu_receive(int sock, struct vhu_msg *msg)
{
    struct vhu_reader reader = {0};
    int64_t end_ms = now_ms() + VHU_MESSAGE_MS;
    int result;

    while ((result = vhu_read(sock, &reader)) == -EAGAIN) {
        struct pollfd pollfd = {.fd = sock, .events = POLLIN};
        int64_t left_ms = end_ms - now_ms();
        if (left_ms <= 0 || (poll(&pollfd, 1, (int)left_ms) < 0 && errno != EINTR)) {
            vhu_reset(&reader);
            return -ETIMEDOUT;
        }
    }
    *msg = reader.msg;
    return result;
}

static int
send_rest(int sock, const char *p, size_t size)
{
    while (size > 0) {
        ssize_t n = send(sock, p, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

int
vhu_send(int sock, const struct vhu_msg *msg)
{
    char bytes[VHU_HEADER_SIZE + VHU_MAX_PAYLOAD];
    uint32_t header[VHU_HEADER_SIZE / sizeof(uint32_t)] = {msg->request, msg->flags, msg->size};
    size_t size = VHU_HEADER_SIZE + msg->size;
    struct iovec iov = {.iov_base = bytes, .iov_len = size};
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(VHU_MAX_FDS * sizeof(int))];
    } control = {0};
    struct msghdr hdr = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n;

    memcpy(bytes, header, VHU_HEADER_SIZE);
    memcpy(bytes + VHU_HEADER_SIZE, msg->payload, msg->size);
    if (msg->n_fds > 0) {
        hdr.msg_control = control.buf;
        hdr.msg_controllen = CMSG_SPACE(msg->n_fds * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&hdr);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(msg->n_fds * sizeof(int));
        memcpy(CMSG_DATA(c), msg->fds, msg->n_fds * sizeof(int));
    }
    do {
        n = sendmsg(sock, &hdr, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : send_rest(sock, bytes + n, size - (size_t)n);
}

int
vhu_wants_reply(const struct vhu_msg *msg)
{
    switch (msg->request) {
    case VHU_GET_FEATURES:
    case VHU_GET_PROTOCOL_FEATURES:
    case VHU_GET_VRING_BASE:
    case VHU_GET_QUEUE_NUM:
    case VHU_GET_CONFIG:
    case VHU_POSTCOPY_ADVISE:
    case VHU_POSTCOPY_END:
    case VHU_GET_INFLIGHT_FD:
    case VHU_GET_MAX_MEM_SLOTS:
    case VHU_GET_STATUS:
    case VHU_SET_LOG_BASE:
        return true;
    default:
        return (msg->flags & VHU_FLAG_NEED_REPLY) != 0;
    }
}

void
vhu_make(struct vhu_msg *msg, uint32_t request, const void *payload, size_t size)
{
    msg->request = request;
    msg->flags = VHU_VERSION;
    msg->size = (uint32_t)size;
    msg->n_fds = 0;
    if (size > 0) {
        memcpy(msg->payload, payload, size);
    }
}

uint64_t
vhu_u64(const struct vhu_msg *msg)
{
    uint64_t value = 0;

    if (msg->size >= sizeof(value)) {
        memcpy(&value, msg->payload, sizeof(value));
    }
    return value;
}

int
vhu_ring(const struct vhu_msg *msg)
{
    uint32_t index;

    if (msg->size < 2 * sizeof(index)) {
        return -1;
    }
    memcpy(&index, msg->payload, sizeof(index));
    switch (msg->request) {
    case VHU_SET_VRING_KICK:
    case VHU_SET_VRING_CALL:
    case VHU_SET_VRING_ERR:
        return (int)(index & (VHU_RING_FD_NONE - 1));
    default:
        return index < VHU_MAX_RINGS ? (int)index : -1;
    }
}
