// SPDX-License-Identifier: Apache-2.0
//
// What a front-end may say of its rings, and when.  DPDK's vhost library (22.11.11) does as it is
// told: a ring that is started again without a size has no memory for what is used, one whose size,
// kind or place changes while it runs is read and written beyond its end, by forwarding threads.
// So a ring needs its size before its place, keeps both until it is stopped, and begins within
// itself; features stay while a ring has its place, as its length is that of the features of then.
// Where a ring of one kind was says nothing to one of the other.  QEMU and DPDK's virtio-user do
// so.
//
// What an IOMMU said of memory that has changed while the guest did without it is for no ring: the
// library would go on with it (22.11.11 and newer), where that memory was.
//
// RESET_OWNER, which front-ends have not sent for ten years, is never for the library: it forgets
// what it has for rings without giving it back.
//
// One struct for the connection that is served.  The caller has messages as the library has them,
// with whatever stands behind a payload that is too short: the library reads that, too.
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
    uint64_t features;           // that the library has accepted
    uint32_t n_entries;          // sum of 'held'
    bool has_translations;       // of an IOMMU
    bool has_stale_translations; // to memory that is gone
    struct netdev_vhost_ring {
        uint32_t size; // 0: the library has none that it could use
        uint32_t held; // entries that it has memory for, also of the other kind
        uint32_t base; // as in SET_VRING_BASE; of packed rings VHOST_RING_NO_BASE: nobody knows
        bool is_placed;
        bool is_started;
    } rings[VHOST_RINGS_MAX];
};

#define VHOST_RING_NO_BASE UINT32_MAX

// Before the library handles request number 'request' with this payload: false if it must not.
bool netdev_vhost_rings_may(struct netdev_vhost_rings *, uint32_t request, const void *payload);
// After the library has accepted it.
void netdev_vhost_rings_did(struct netdev_vhost_rings *, uint32_t request, const void *payload);
// Whether a ring was started and not stopped since: of others nobody has said where they begin.
bool netdev_vhost_rings_has_started(const struct netdev_vhost_rings *, uint32_t ring);

#endif
