// SPDX-License-Identifier: Apache-2.0
//
// What ports on a kernel device share, whether a tap's descriptor or a packet socket carries their
// frames: the descriptor, the device's control socket, the received frames, and what each queue
// sent.  A type embeds it first and puts the functions below in its class.  Main thread, but where
// a field says more.
#ifndef NETDEV_NETDEV_KDEV_H
#define NETDEV_NETDEV_KDEV_H

#include <sys/uio.h>

#include "netdev/netdev_gro.h"
#include "netdev/netdev_kif.h"
#include "netdev/netdev_krx.h"
#include "netdev/netdev_provider.h"

// The pieces of one sent frame, its virtio_net_hdr included: a burst may become one super-frame.
enum { KDEV_IOVS = 1 + NETDEV_MAX_BURST };

struct netdev_kdev {
    struct netdev up;
    int fd; // frames; -1: none; main: w, pmd: r
    struct netdev_kif kif;
    struct netdev_krx *krx;
    struct netdev_queue_counts *tx_counts; // [queues.n_txq]; each its thread's: w, main: r
    unsigned int n_tx_counts;
    bool is_kept;  // base/keep.h has a duplicate of 'fd'
    bool offloads; // userspace-tso-enable: super-frames may be sent; set by open, never changes
    int miimon_ms; // 0: off
    struct loop_timer miimon;
};

struct netdev_kdev *netdev_kdev_cast(const struct netdev *);

// The descriptor that a switch before this one had for a port of this type and name; -1: none.
int netdev_kdev_take(struct netdev_kdev *);
// Has 'fd' kept for a switch after this one, until netdev_kdev_fini().
void netdev_kdev_keep(struct netdev_kdev *);

// Frees all but the struct itself; closes the descriptor.
void netdev_kdev_fini(struct netdev_kdev *);

// Makes room for frames of 'mtu' in 'n_slots' at a time and for 'n_txq' queues, and says so in
// up.queues.
int netdev_kdev_reconfigure(struct netdev_kdev *, int mtu, unsigned int n_slots, uint16_t n_txq,
                            char **errorp);

// After a link event: counts the carrier's changes, and asks for bigger buffers where the MTU needs
// them.
void netdev_kdev_look(struct netdev_kdev *);

// Whether super-frames are wanted, for open().
bool netdev_kdev_wants_offloads(void);
// Fast path: joins what can be joined among the 'n' frames where super-frames are wanted; the new
// number.  The kernel cuts them again for a device that cannot.
static inline uint16_t
netdev_kdev_join(const struct netdev_kdev *dev, struct rte_mbuf **mbufs, uint16_t n)
{
    return dev->offloads ? netdev_gro_join(mbufs, n, NETDEV_GRO_IP4 | NETDEV_GRO_IP6) : n;
}
// Fast path: the frame as iov[KDEV_IOVS] behind '*hdr', which is filled; 0 when it has too many
// pieces.
unsigned int netdev_kdev_iov(const struct rte_mbuf *, struct virtio_net_hdr *hdr,
                             struct iovec *iov);
// Fast path: counts for the queue what was sent of 'n' frames (those of the wire).
void netdev_kdev_count_tx(struct netdev_kdev *, uint16_t qid, uint16_t n, uint64_t n_sent,
                          uint64_t bytes);

// For struct netdev_class.
int netdev_kdev_rx_fd(const struct netdev *, uint16_t qid);
int netdev_kdev_get_mac(const struct netdev *, struct rte_ether_addr *);
int netdev_kdev_set_mac(struct netdev *, const struct rte_ether_addr *);
int netdev_kdev_get_mtu(const struct netdev *);
int netdev_kdev_set_mtu(struct netdev *, int mtu);
int netdev_kdev_get_flags(const struct netdev *);
int netdev_kdev_set_flags(struct netdev *, int off, int on);
int netdev_kdev_get_ifindex(const struct netdev *);
void netdev_kdev_get_link(const struct netdev *, struct netdev_link *);
void netdev_kdev_set_miimon(struct netdev *, int interval_ms);
void netdev_kdev_get_status(const struct netdev *, struct smap *);

#define NETDEV_KDEV_METHODS                                                                     \
    .rx_fd = netdev_kdev_rx_fd, .get_mac = netdev_kdev_get_mac, .set_mac = netdev_kdev_set_mac, \
    .get_mtu = netdev_kdev_get_mtu, .set_mtu = netdev_kdev_set_mtu,                             \
    .get_flags = netdev_kdev_get_flags, .set_flags = netdev_kdev_set_flags,                     \
    .get_ifindex = netdev_kdev_get_ifindex, .get_link = netdev_kdev_get_link,                   \
    .set_miimon = netdev_kdev_set_miimon, .get_status = netdev_kdev_get_status

#endif
