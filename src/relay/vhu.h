// SPDX-License-Identifier: Apache-2.0
//
// Messages of the vhost-user protocol as they go through a socket: a header of 12 bytes, a payload,
// descriptors beside the header.  Layout and numbers: QEMU's docs/interop/vhost-user.rst.
#ifndef RELAY_VHU_H
#define RELAY_VHU_H

#include <stddef.h>
#include <stdint.h>

// The requests of a front-end that the relay knows by name; others pass unread.
enum vhu_request {
    VHU_GET_FEATURES = 1,
    VHU_SET_FEATURES = 2,
    VHU_SET_OWNER = 3,
    VHU_RESET_OWNER = 4,
    VHU_SET_MEM_TABLE = 5,
    VHU_SET_LOG_BASE = 6,
    VHU_SET_LOG_FD = 7,
    VHU_SET_VRING_NUM = 8,
    VHU_SET_VRING_ADDR = 9,
    VHU_SET_VRING_BASE = 10,
    VHU_GET_VRING_BASE = 11,
    VHU_SET_VRING_KICK = 12,
    VHU_SET_VRING_CALL = 13,
    VHU_SET_VRING_ERR = 14,
    VHU_GET_PROTOCOL_FEATURES = 15,
    VHU_SET_PROTOCOL_FEATURES = 16,
    VHU_GET_QUEUE_NUM = 17,
    VHU_SET_VRING_ENABLE = 18,
    VHU_NET_SET_MTU = 20,
    VHU_SET_BACKEND_REQ_FD = 21,
    VHU_GET_CONFIG = 24,
    VHU_POSTCOPY_ADVISE = 28,
    VHU_POSTCOPY_END = 30,
    VHU_GET_INFLIGHT_FD = 31,
    VHU_RESET_DEVICE = 34,
    VHU_GET_MAX_MEM_SLOTS = 36,
    VHU_SET_STATUS = 39,
    VHU_GET_STATUS = 40,
};

enum {
    VHU_HEADER_SIZE = 12,
    VHU_VERSION = 1,
    VHU_VERSION_MASK = 3,
    VHU_FLAG_REPLY = 1 << 2,
    VHU_FLAG_NEED_REPLY = 1 << 3,
    VHU_MAX_FDS = 8,          // one for each memory region that DPDK takes
    VHU_MAX_PAYLOAD = 1024,   // the longest that DPDK takes has 300 bytes
    VHU_MAX_RINGS = 256,      // as in DPDK
    VHU_MESSAGE_MS = 2000,    // for a whole message, from its first byte
    VHU_RING_FD_NONE = 0x100, // in the payload of KICK, CALL, ERR: no descriptor comes
};

struct msghdr;

struct vhu_msg {
    uint32_t request, flags, size; // as on the wire, in the order of this machine
    uint8_t payload[VHU_MAX_PAYLOAD];
    unsigned int n_fds;
    int fds[VHU_MAX_FDS];
};

// A message that comes in pieces.  All zero: none has begun.
struct vhu_reader {
    size_t n; // bytes of it that are here
    uint32_t header[VHU_HEADER_SIZE / sizeof(uint32_t)];
    struct vhu_msg msg;
};

// Reads what is there, without waiting.  1: 'msg' is whole, and its descriptors are the caller's;
// -EAGAIN: more is to come; otherwise as vhu_receive(), and none has begun.
int vhu_read(int sock, struct vhu_reader *);
// Forgets what has come of a message.
void vhu_reset(struct vhu_reader *);

// Reads one message; its descriptors are the caller's.  1, 0 at the end of the stream, -EPROTO for
// what no peer may send (too long, a wrong version, more descriptors than fit), or another negative
// errno; nothing is left open then.  Waits for VHU_MESSAGE_MS at most.
int vhu_receive(int sock, struct vhu_msg *);
// Sends it with its descriptors, which stay the caller's.  0 or a negative errno.
int vhu_send(int sock, const struct vhu_msg *);
void vhu_close_fds(struct vhu_msg *);
// Adds the descriptors that came beside a header to those of the message; what is too many is
// closed.
void vhu_take_fds(struct msghdr *, struct vhu_msg *);
// True when a back-end answers this request.
int vhu_wants_reply(const struct vhu_msg *);

// A message without descriptors.  'payload' may be NULL when 'size' is 0.
void vhu_make(struct vhu_msg *, uint32_t request, const void *payload, size_t size);
// The payload's first 8 bytes; 0 when it is shorter.
uint64_t vhu_u64(const struct vhu_msg *);
// The ring that a message is about: 0 to VHU_MAX_RINGS - 1, or -1.
int vhu_ring(const struct vhu_msg *);

#endif
