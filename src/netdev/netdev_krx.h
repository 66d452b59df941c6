// SPDX-License-Identifier: Apache-2.0
//
// The receiving half of a kernel device (tap, packet socket): buffers for the kernel to write into,
// and their way from there to mbufs of whole frames.  Owned by the thread that polls the queue;
// main sets it up and takes it down while nobody polls.
//
// The kernel gets for each frame a virtio_net_hdr, one mbuf, and an overflow area behind it.  What
// fits into the mbuf is never copied; a super-frame is cut from the overflow area, segment by
// segment, over as many bursts as it takes.
#ifndef NETDEV_NETDEV_KRX_H
#define NETDEV_NETDEV_KRX_H

#include <sys/uio.h>

#include "netdev/netdev_gso.h"
#include "netdev/netdev_pool.h"
#include "netdev/netdev_provider.h"

enum {
    KRX_SLOTS = NETDEV_MAX_BURST,
    KRX_MARGIN = 16, // room for a VLAN tag in front of a frame in the overflow area
    KRX_FRAME_MAX = 65535 + RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN,
    KRX_IOVS = 3,
};

struct netdev_krx_slot {
    struct virtio_net_hdr hdr;
    struct rte_mbuf *mbuf;
    uint8_t *area; // KRX_MARGIN, then KRX_FRAME_MAX bytes
    struct iovec iov[KRX_IOVS];
    uint32_t len;  // of the frame that came
    bool has_vlan; // the kernel took a tag off
    uint16_t vlan_tpid, vlan_tci;
};

struct netdev_krx {
    struct rte_mempool *pool;
    struct netdev_pool *lent;
    struct netdev_pool_wish wish;
    uint32_t room;                   // bytes of a frame that fit into one mbuf
    unsigned int n_slots, next_slot; // filled by the kernel; delivered
    struct netdev_krx_slot slots[KRX_SLOTS];
    uint8_t *areas;
    _Atomic bool outgrown; // a frame came that is longer than 'room'; poller: w, main: r
    bool reported;         // and main was told; poller: rw
    bool cutting;
    struct netdev_super super;         // of slots[next_slot - 1]
    struct netdev_queue_counts counts; // poller: w, main: r
};

// For at most 'n_slots' (<= KRX_SLOTS) frames from one system call.  0, or a negative errno and a
// new
// '*errorp'.
int netdev_krx_init(struct netdev_krx *, int mtu, unsigned int n_slots, char **errorp);
void netdev_krx_fini(struct netdev_krx *);
// Whether frames of 'mtu' fit.
static inline bool
netdev_krx_fits(const struct netdev_krx *krx, int mtu)
{
    return netdev_frame_size(mtu) <= krx->room;
}

// Gives the first 'n' slots their mbufs.  The number of slots that are ready.
unsigned int netdev_krx_prepare(struct netdev_krx *, unsigned int n);
// Whether frames wait that the kernel has already delivered.
static inline bool
netdev_krx_pending(const struct netdev_krx *krx)
{
    return krx->cutting || krx->next_slot < krx->n_slots;
}
// Moves frames from filled slots to 'mbufs', which has 'n' of NETDEV_MAX_BURST; the new number.
uint16_t netdev_krx_deliver(struct netdev_krx *, struct rte_mbuf **mbufs, uint16_t n);

// Asks for a reconfiguration, once, when frames have become longer than the buffers.
static inline void
netdev_krx_report(struct netdev_krx *krx, struct netdev *netdev)
{
    if (UNLIKELY(atomic_load_explicit(&krx->outgrown, memory_order_relaxed)) && !krx->reported) {
        krx->reported = true;
        netdev_want_reconfigure(netdev);
    }
}

// Adds what the queue counted to 'stats' (sets what is "not known"); NULL: zeros.
void netdev_krx_stats(const struct netdev_krx *, struct netdev_stats *);

#endif
