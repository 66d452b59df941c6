// SPDX-License-Identifier: Apache-2.0
//
// Everything here comes from a peer that may be hostile: sizes are bounded before anything is read,
// and descriptors that do not belong to a whole message are closed.
#include "relay/vhu.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

void
vhu_close_fds(struct vhu_msg *msg)
{
    for (unsigned int i = 0; i < msg->n_fds; i++) {
        close(msg->fds[i]);
    }
    msg->n_fds = 0;
}

static void
take_fds(struct msghdr *hdr, struct vhu_msg *msg)
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

// The rest of something that has begun, without descriptors.  As vhu_receive().
static int
read_rest(int sock, void *p, size_t size)
{
    while (size > 0) {
        ssize_t n = recv(sock, p, size, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0 ? 0 : -errno;
        }
        p = (char *)p + n;
        size -= (size_t)n;
    }
    return 1;
}

// The first bytes, with the descriptors.  How many, or as vhu_receive().
static ssize_t
read_start(int sock, uint32_t *header, struct vhu_msg *msg)
{
    struct iovec iov = {.iov_base = header, .iov_len = VHU_HEADER_SIZE};
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(VHU_MAX_FDS * sizeof(int))];
    } control;
    struct msghdr hdr = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.buf,
                         .msg_controllen = sizeof(control.buf)};
    ssize_t n;

    do {
        n = recvmsg(sock, &hdr, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return n == 0 ? 0 : -errno;
    }
    take_fds(&hdr, msg);
    return (hdr.msg_flags & MSG_CTRUNC) != 0 ? -EPROTO : n;
}

static int
receive(int sock, struct vhu_msg *msg)
{
    uint32_t header[VHU_HEADER_SIZE / sizeof(uint32_t)];
    ssize_t n = read_start(sock, header, msg);

    if (n <= 0) {
        return (int)n;
    }
    int result = read_rest(sock, (char *)header + n, VHU_HEADER_SIZE - (size_t)n);
    if (result <= 0) {
        return result;
    }
    msg->request = header[0];
    msg->flags = header[1];
    msg->size = header[2];
    if (msg->size > VHU_MAX_PAYLOAD || (msg->flags & VHU_VERSION_MASK) != VHU_VERSION) {
        return -EPROTO;
    }
    return read_rest(sock, msg->payload, msg->size);
}

int
vhu_receive(int sock, struct vhu_msg *msg)
{
    msg->n_fds = 0;
    int result = receive(sock, msg);
    if (result <= 0) {
        vhu_close_fds(msg);
    }
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
