// SPDX-License-Identifier: Apache-2.0
//
// Network devices: what every port type offers.  A `struct netdev` is one port's device: a DPDK
// ethdev, a kernel tap, an existing kernel device, a vhost-user socket, a dummy.  The main thread
// opens, configures and closes devices; PMD threads only call netdev_rx_burst(), netdev_tx_burst()
// and read their counters.  A new type is one file with a `struct netdev_class` and one line in
// netdev_classes.def (src/tunnel registers its own types).  Patch and tunnel ports have a netdev
// too (for statistics and rows), but no queues.
//
// Frames in the datapath are always whole: linear or chained mbufs with complete checksums and no
// larger than the sender's MTU.  What kernel devices exchange beyond that (partial checksums, GSO
// super-frames) is resolved inside the device on the way in.
#ifndef NETDEV_NETDEV_H
#define NETDEV_NETDEV_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include "base/loop.h"
#include "base/smap.h"
#include "base/str.h"

struct netdev;
struct netdev_class;

enum {
    NETDEV_MAX_BURST = 32,
    NETDEV_MAX_RXQ = 128, // what DPDK's vhost library tells guests, too
    NETDEV_MAX_TXQ = 128,
    NETDEV_NO_ETHDEV = UINT16_MAX,
};

// How a device's receive queues are served.
enum netdev_poll {
    NETDEV_POLL_NONE,  // no queues: patch, tunnel
    NETDEV_POLL_SPIN,  // by PMD threads on cores of pmd-cpu-mask: dpdk, vhost-user, dummy-pmd
    NETDEV_POLL_EPOLL, // by the kernel-port thread, which sleeps on netdev_rx_fd(): tap, system
};

// Counters.  A value of UINT64_MAX means "not known" and is left out of the database.
struct netdev_stats {
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes;
    uint64_t rx_dropped, tx_dropped, rx_errors, tx_errors;
    uint64_t rx_missed_errors, collisions, multicast;
    uint64_t rx_length_errors, rx_over_errors, rx_crc_errors, rx_frame_errors, rx_fifo_errors;
    uint64_t tx_aborted_errors, tx_carrier_errors, tx_fifo_errors;
};

enum netdev_flags {
    NETDEV_UP = 1 << 0,
    NETDEV_PROMISC = 1 << 1,
};

enum netdev_feature_bits { // OFPPF_* of OpenFlow 1.1+, link speeds and media
    NETDEV_F_10MB_HD = 1 << 0,
    NETDEV_F_10MB_FD = 1 << 1,
    NETDEV_F_100MB_HD = 1 << 2,
    NETDEV_F_100MB_FD = 1 << 3,
    NETDEV_F_1GB_HD = 1 << 4,
    NETDEV_F_1GB_FD = 1 << 5,
    NETDEV_F_10GB_FD = 1 << 6,
    NETDEV_F_40GB_FD = 1 << 7,
    NETDEV_F_100GB_FD = 1 << 8,
    NETDEV_F_1TB_FD = 1 << 9,
    NETDEV_F_OTHER = 1 << 10,
    NETDEV_F_COPPER = 1 << 11,
    NETDEV_F_FIBER = 1 << 12,
    NETDEV_F_AUTONEG = 1 << 13,
    NETDEV_F_PAUSE = 1 << 14,
    NETDEV_F_PAUSE_ASYM = 1 << 15,
};

struct netdev_link {
    bool carrier;
    bool full_duplex;
    uint64_t speed_bps;                            // 0 when not known
    uint64_t resets;                               // carrier changes since the device was opened
    uint32_t current, advertised, supported, peer; // enum netdev_feature_bits
};

// Where an opened device's queues stand.  Written by main in netdev_reconfigure() only.
struct netdev_queues {
    uint16_t n_rxq, n_txq;
    uint16_t n_rxq_desc, n_txq_desc;
    int numa_id;
    bool txq_shared; // fewer tx queues than threads: callers take the queue's lock
};

// The part of a device that the fast path reads; each type embeds it first in its own struct.
// Only src/netdev touches the fields directly, but for the inline functions below.
struct netdev {
    // main: w in netdev_reconfigure() while nobody polls, pmd: r
    uint16_t (*rx)(struct netdev *, uint16_t qid, struct rte_mbuf **);
    void (*tx)(struct netdev *, uint16_t qid, struct rte_mbuf **, uint16_t n);
    uint16_t ethdev_id; // where rx is rte_eth_rx_burst() and nothing else, or NETDEV_NO_ETHDEV
    struct netdev_queues queues;

    // main only
    const struct netdev_class *class;
    char *name;
    char *type;
    UT_hash_handle hh;              // by name, in the registry
    _Atomic uint64_t change_seq;    // main and interrupt threads: w, main: r
    _Atomic bool wants_reconfigure; // main and interrupt threads: w, main: r

    // Frames that policing dropped.  pmd: w, main: r
    _Atomic uint64_t policed_rx_packets, policed_rx_bytes, policed_tx_packets;
};

// --- life: main thread ---------------------------------------------------------------------

// Starts the registry and the watch on kernel devices, whose events arrive in 'loop'.  Opens no
// device and does not start DPDK.
void netdev_init(struct loop *);
// The process ends: descriptors of devices that are closed from now on may wait for netdev_fini().
void netdev_end(void);
void netdev_fini(void); // all devices must have been closed
// With 'keep', guests of ports that are closed from now on stay connected for a while: for the next
// switch.
void netdev_keep_guests(bool keep);
// Guests of ports that are opened from now on belong to another process, which forwards, until
// netdev_begin_guests(); that one must have called netdev_release_guests() by then.
void netdev_defer_guests(void);
void netdev_begin_guests(void);
// Before all ports are closed: those of guests let go of them at once, not one after the other.
void netdev_end_guests(void);
// Gives up the guests of all ports, which stay open otherwise, until netdev_begin_guests().
void netdev_release_guests(void);
// Waits, for half a second at most, until guests that an earlier switch left are connected: what
// the first frames are forwarded to.
void netdev_await_guests(void);

// --- control: main thread only -------------------------------------------------------------

// Opens 'name' of 'type' ("internal", "tap", "system", "", "dpdk", "patch", "dummy", ...).  On
// failure returns NULL and stores in '*errorp' a text for Interface.error, which the caller frees.
// The device gets no queues before netdev_reconfigure().
struct netdev *netdev_open(const char *name, const char *type, char **errorp);
void netdev_close(struct netdev *); // NULL is fine; the datapath must have let go of the queues

struct netdev *netdev_find(const char *name); // an open one, or NULL
// Calls 'cb' for each open device.
void netdev_foreach(void (*cb)(struct netdev *, void *aux), void *aux);
const char *netdev_name(const struct netdev *);
const char *netdev_type(const struct netdev *);
// Two processes may have the device open at once, as they do while one takes over from the other.
bool netdev_can_share(const struct netdev *);
// If not, it is closed by one and opened by the other at the last moment: netdev_defer_guests().
bool netdev_is_quick(const struct netdev *);
enum netdev_poll netdev_poll(const struct netdev *);

// Applies Interface.options and other_config.  0, or a negative errno with a text in '*errorp'.
// '*needs_reconfigure' is set when netdev_reconfigure() must run for the change to take effect.
int netdev_set_config(struct netdev *, const struct smap *options, const struct smap *other_config,
                      bool *needs_reconfigure, char **errorp);
// What dpif/show prints between the parentheses after the type.
void netdev_get_config(const struct netdev *, struct smap *);

// Brings the queues up for 'n_txq_wanted' sending threads.  Nobody may poll meanwhile.
int netdev_reconfigure(struct netdev *, uint16_t n_txq_wanted, char **errorp);
bool netdev_wants_reconfigure(const struct netdev *); // e.g. a guest changed its queue count
const struct netdev_queues *netdev_queues(const struct netdev *);
bool netdev_rxq_enabled(const struct netdev *, uint16_t qid);
// Frames that a guest has ready in the queue, or -1 where that is not known.  The polling thread.
int netdev_rxq_length(const struct netdev *, uint16_t qid);

int netdev_get_mac(const struct netdev *, struct rte_ether_addr *);
int netdev_set_mac(struct netdev *, const struct rte_ether_addr *);
int netdev_get_mtu(const struct netdev *); // or a negative errno
int netdev_set_mtu(struct netdev *, int mtu);
int netdev_get_flags(const struct netdev *); // enum netdev_flags
int netdev_set_flags(struct netdev *, int off, int on);
int netdev_get_ifindex(const struct netdev *); // negative errno without a kernel device
// Calls 'cb' for each IP address that the device has by itself, which a dummy may; IPv4 is
// ::ffff:a.b.c.d, 'plen' out of 128.  False: not of a type that has any; ask the kernel.
typedef void netdev_address_fn(const struct in6_addr *address, unsigned int plen, void *aux);
bool netdev_get_addresses(const struct netdev *, netdev_address_fn *cb, void *aux);
void netdev_get_link(const struct netdev *, struct netdev_link *);
// Asks a kernel device's PHY (MII, else ethtool) whether there is a link, each 'interval_ms' and
// after the kernel's news of the device, instead of taking the kernel's word on its state; 0: no
// more.  Between two such looks netdev_get_link() says what the last one saw.  No effect on other
// types.
void netdev_set_miimon(struct netdev *, int interval_ms);
void netdev_get_status(const struct netdev *, struct smap *); // Interface.status
void netdev_get_stats(const struct netdev *, struct netdev_stats *);
// Calls 'cb' for the counters beyond struct netdev_stats, by the names of Interface.statistics.
void netdev_get_custom_stats(const struct netdev *,
                             void (*cb)(const char *name, uint64_t value, void *aux), void *aux);
// Changes whenever link, flags, MTU, MAC or status may have changed (link events, guest events).
uint64_t netdev_change_seq(const struct netdev *);
// The global one also when a kernel device comes or goes that is not open.
uint64_t netdev_global_change_seq(void);

// The names for Open_vSwitch.iface_types, sorted; the caller frees the array (not the strings).
const char **netdev_types(size_t *n);
// Types of the folders above (tunnels); before the first netdev_types().  netdev_provider.h has the
// struct.
void netdev_register_class(const struct netdev_class *);

// Adds to the counters of a device without queues (patch, tunnel).  Any thread.
void netdev_count_rx(struct netdev *, uint64_t packets, uint64_t bytes);
void netdev_count_tx(struct netdev *, uint64_t packets, uint64_t bytes);

// Counts frames that the datapath's policers dropped for this device, received ('rx') from it or on
// their way to it.  Any thread.
void netdev_count_policed(struct netdev *, bool rx, uint64_t packets, uint64_t bytes);
// Packets; they are part of rx_dropped and tx_dropped.
uint64_t netdev_policed(const struct netdev *, bool rx);

// --enable-dummy: the types "dummy", "dummy-internal" and "dummy-pmd" exist; with a level above
// TYPE they also stand in for system devices, or for every type.
enum netdev_dummy_level {
    NETDEV_DUMMY_OFF,
    NETDEV_DUMMY_TYPE,
    NETDEV_DUMMY_OVERRIDE_SYSTEM,
    NETDEV_DUMMY_OVERRIDE_ALL,
};
void netdev_enable_dummy(enum netdev_dummy_level);
enum netdev_dummy_level netdev_dummy_level(void);
// How 'netdev-dummy/receive' reads a packet given as a flow's text: returns a new array of bytes
// and its size, or NULL and a new '*errorp'.  Set by whoever knows flows (src/ofproto or main.c).
typedef uint8_t *netdev_dummy_compose_fn(const char *flow_text, size_t *size, char **errorp);
void netdev_dummy_set_compose(netdev_dummy_compose_fn *);

// Registers netdev-dpdk/*, dpdk/* and (with --enable-dummy) netdev-dummy/* (netdev_ctl.c).
void netdev_ctl_register(void);

// --- fast path: PMD threads ----------------------------------------------------------------

// Receives up to NETDEV_MAX_BURST frames from 'qid'.  One thread at a time per queue.  The mbufs
// are the caller's.  The thread should be registered with rte_thread_register() (mempool cache).
static inline uint16_t
netdev_rx_burst(struct netdev *netdev, uint16_t qid, struct rte_mbuf **mbufs)
{
    if (netdev->ethdev_id != NETDEV_NO_ETHDEV) {
        return rte_eth_rx_burst(netdev->ethdev_id, qid, mbufs, NETDEV_MAX_BURST);
    }
    return netdev->rx(netdev, qid, mbufs);
}

// Sends and always consumes all 'n' mbufs (at most NETDEV_MAX_BURST); what does not fit is dropped
// and counted (tx_dropped or a custom counter).  'qid' is any number: it is taken modulo the
// queues. With queues.txq_shared the call locks the queue itself, else each qid belongs to one
// thread.
static inline void
netdev_tx_burst(struct netdev *netdev, uint16_t qid, struct rte_mbuf **mbufs, uint16_t n)
{
    netdev->tx(netdev, qid, mbufs, n);
}

// A descriptor that polls readable when frames wait (NETDEV_POLL_EPOLL only); -1 while the device
// is gone.  It does not show what the device has already taken from the kernel: after a full burst
// (NETDEV_MAX_BURST) poll again, until a burst is not full.
int netdev_rx_fd(const struct netdev *, uint16_t qid);

// --- DPDK itself: main thread --------------------------------------------------------------

// Starts EAL with the keys of Open_vSwitch.other_config ("dpdk-socket-mem", "dpdk-extra", ...).
// Without a memory key: on huge pages when enough are free, else on ordinary pages (--no-huge),
// said once in the log.  Starts once; later calls only look at "dpdk-init" again and return the
// first outcome.  Called by the first netdev_open() that needs packet buffers, with the keys that
// dpdk_set_config() left; or directly.  Leaves no file behind, and the thread's affinity as it was
// unless the keys name lcores: then it stays on the lowest of dpdk-lcore-mask, or where dpdk-extra
// put it.
// Keys that EAL does not understand are left out, unless dpdk-init=true; then there are no ports of
// its types.
int dpdk_start(const struct smap *other_config, char **errorp);
// Notes the keys for a later start, and starts when they say dpdk-init=true or try.  Returns a
// negative errno with a text when that failed: with "true" the caller ends the process, with "try"
// it goes on.
int dpdk_set_config(const struct smap *other_config, char **errorp);
bool dpdk_started(void);
// EAL runs with the keys, and dpdk-init is not "false" in so many words: ports of type dpdk may be
// opened.
bool dpdk_wanted(void);
const char *dpdk_version_text(void); // "DPDK 22.11.11"
// The mempool for frames made by ourselves (packet-outs, ARP, tests), of at least MTU 1500.  Starts
// EAL when nobody has; NULL when EAL cannot start.
struct rte_mempool *netdev_default_pool(void);

// Can two processes have memory for packets, the switch and one that prepares to be it?  Waits up
// to a second for it.
bool dpdk_standby_has_room(void);
// This process has a spare one, which is to have a share of the memory for packets.  Before EAL
// starts.
void dpdk_expect_spare(void);
// For a spare process, before it is the switch.  0: EAL runs, with the keys that the switch noted.
// -EAGAIN: the switch needs no EAL so far, ask again.  Else, -ENOMEM among it when there is no
// memory for packet buffers though there seemed to be: this process is of no use.
int dpdk_standby_prepare(void);
// Would dpdk_standby_prepare() succeed?  Tried in a process that ends afterwards: EAL starts once
// in each, and this one has to start as ever when not.  Before the first thread.
bool dpdk_standby_try(void);
// Whether a switch that starts now would have prepared the same.  Once, at the end of waiting.
bool dpdk_standby_is_current(void);
// The prepared process can be the switch before the memory of the one before is back.
bool dpdk_standby_has_memory(void);
// Another process is the switch from now on: the note of keys is its own.
void dpdk_hand_over(void);

void dpdk_stop(void); // frees EAL's resources; at exit only, after the last netdev_close()

#endif
