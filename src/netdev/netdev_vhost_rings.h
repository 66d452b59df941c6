// SPDX-License-Identifier: Apache-2.0
//
// What a front-end may say of its rings, and when.  DPDK's vhost library (22.11.11) does as it is
// told: a ring that is started again without a size has no memory for what is used, one whose size,
// kind or place changes while it runs is read and written beyond its end, by forwarding threads.
// So a ring needs its size before its place, keeps both until it is stopped, and begins within
// itself.  QEMU and DPDK's virtio-user do so.
//
// One struct for each connection.  The caller has messages as the library has them, with whatever
// stands behind a payload that is too short: the library reads that, too.
#ifndef NETDEV_NETDEV_VHOST_RINGS_H
#define NETDEV_NETDEV_VHOST_RINGS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    VHOST_RINGS_MAX = 256,
    VHOST_RING_MAX_SIZE = 32768,
    // Of all rings together: as many as QEMU can give to all of them.  The library takes 40 bytes
    // of DPDK's heap for each, which all ports share.
    VHOST_RINGS_MAX_ENTRIES = VHOST_RINGS_MAX * 1024,
};

// All zero: a connection that has said nothing.
struct netdev_vhost_rings {
    bool is_packed;
    uint32_t n_entries;
    struct netdev_vhost_ring {
        uint32_t size; // 0: the library has none that it could use
        uint32_t base; // as in SET_VRING_BASE; of packed rings VHOST_RING_NO_BASE: nobody knows
        bool is_placed;
    } rings[VHOST_RINGS_MAX];
};

#define VHOST_RING_NO_BASE UINT32_MAX

// Before the library handles request number 'request' with this payload: false if it must not.
bool netdev_vhost_rings_may(struct netdev_vhost_rings *, uint32_t request, const void *payload);
// After the library has accepted it.
void netdev_vhost_rings_did(struct netdev_vhost_rings *, uint32_t request, const void *payload);

#endif
