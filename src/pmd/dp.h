// SPDX-License-Identifier: Apache-2.0
//
// The datapath: ports, megaflows and PMD threads, as the control path sees them.  This header and
// pmd/upcall.h are the only doors into the fast path.
//
// Threads: main adds and removes ports, sets configuration and reads statistics.  Handlers and
// revalidators put and delete flows and inject packets from their own threads (registered with
// base/rcu.h).  Flows are shared by all PMDs and read under RCU: a pointer to a struct dp_flow is
// good until the caller's next quiescent state unless it holds a reference.
#ifndef PMD_DP_H
#define PMD_DP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "base/smap.h"
#include "base/str.h"
#include "base/uuid.h"
#include "flow/dp_action.h"
#include "flow/flow.h"
#include "flow/key.h"
#include "netdev/netdev.h"

struct dp;
struct dp_flow;
struct dp_shared;

enum { DP_MAX_PORTS = 4096 };

// --- life ----------------------------------------------------------------------------------

struct dp *dp_create(void);   // main, after dpdk_start(); makes port 0 "ovs-netdev" by name only
void dp_destroy(struct dp *); // stops all threads, flushes, frees; ports must be gone

// What commands call it: 'type' and "ovs-TYPE", by itself "netdev".  A dummy (hermetic runs) gives
// ports the numbers in their names: p7 is 7, br0 100.  Main, while there is no port.
void dp_set_identity(struct dp *, const char *type, bool is_dummy);
const char *dp_type(const struct dp *);
const char *dp_name(const struct dp *);

// Open_vSwitch.other_config keys of the datapath: pmd-cpu-mask, pmd-rxq-assign, pmd-rxq-isolate,
// emc-insert-inv-prob, emc-entries, smc-enable, smc-max-entries, pmd-miss-share, tx-flush-interval,
// pmd-sleep-max/pmd-maxsleep, pmd-auto-lb*, pmd-perf-metrics, flow-limit ceiling, dpdk-lcore-mask.
// Idempotent.
void dp_set_config(struct dp *, const struct smap *other_config);

// --- ports: main ---------------------------------------------------------------------------

// Adds 'netdev' (borrowed until dp_port_del) under 'wanted' if that number is free, else under that
// of its name (a dummy), else under the lowest free one.  0 or a negative errno with a text in
// '*errorp'.
int dp_port_add(struct dp *, struct netdev *, odp_port_t wanted, odp_port_t *out, char **errorp);
// Return when no PMD uses the ports any more; traffic of other ports is not stopped.  Many at once
// take hardly longer than one.  Numbers without a port are passed over; none may stand twice.
void dp_port_del(struct dp *, odp_port_t);
void dp_ports_del(struct dp *, const odp_port_t *, size_t n);
// 'netdev' needs netdev_reconfigure(): takes its queues from the PMDs, reconfigures, gives back.
int dp_port_reconfigure(struct dp *, odp_port_t, char **errorp);
bool dp_port_name(const struct dp *, odp_port_t, char *buf, size_t size);
odp_port_t dp_port_by_name(const struct dp *, const char *name); // ODPP_NONE if there is none
// pmd-rxq-affinity and emc-enable of one port (Interface.other_config).
void dp_port_set_config(struct dp *, odp_port_t, const struct smap *other_config);

// Policing of what a port receives (Interface.ingress_policing_*).  Rates are per second, bursts
// the size of the bucket; frames count without their Ethernet header.  Rate 0: no limit.
struct dp_bucket {
    uint64_t rate, burst;
};
struct dp_ingress_policing {
    struct dp_bucket bytes, packets;
};
void dp_port_set_ingress_policing(struct dp *, odp_port_t, const struct dp_ingress_policing *);

// Policing of what is sent to a port (Port.qos): one rate for all (RFC 2697), or two (RFC 4115) for
// each queue that set_queue names, 'rates' being for queue 0 and for those that are not there.
enum dp_qos_type { DP_QOS_NONE, DP_QOS_EGRESS_POLICER, DP_QOS_TRTCM_POLICER };
struct dp_qos_rates {
    uint64_t cir, cbs, eir, ebs; // bytes per second, bytes
};
struct dp_qos_queue {
    uint64_t id; // 32 bits
    struct dp_qos_rates rates;
};
struct dp_qos {
    enum dp_qos_type type;
    struct dp_qos_rates rates;
    unsigned n_queues;
    const struct dp_qos_queue *queues; // borrowed
};
// 0; -EINVAL: a rate without a bucket, or none: nothing is policed then.  Idempotent: a setting
// that the port has already changes nothing and is no error.
int dp_port_set_qos(struct dp *, odp_port_t, const struct dp_qos *);
const struct dp_qos *dp_port_qos(const struct dp *, odp_port_t); // as it works; borrowed
struct dp_queue_stats {
    uint64_t n_packets, n_bytes, n_dropped; // bytes without Ethernet headers
};
bool dp_port_queue_stats(const struct dp *, odp_port_t, uint32_t queue, struct dp_queue_stats *);

// No queue is polled before the next dp_run(): so that frames that wait already do not meet half a
// configuration.  For a datapath that has no ports yet.
void dp_hold(struct dp *);
// No queue is polled any more; for a datapath that goes.
void dp_halt(struct dp *);
// Changes of queues, threads and devices since the last call are applied; cheap when there are
// none.
void dp_run(struct dp *);

// --- flows: any registered thread ----------------------------------------------------------

struct dp_flow_stats {
    uint64_t n_packets, n_bytes;
    uint64_t used_ms;   // clock_now_ms() of the last packet, 0 = never
    uint16_t tcp_flags; // ORed, host order
};

// The flow's id: a keyed 128-bit hash of key and mask, printed as ufid.
struct uuid dp_flow_ufid(const struct dp_flow *);

struct dp_flow_put {
    const struct flow *key;       // the whole packet's, not only the bits under 'mask'
    const struct flow_mask *mask; // packet words only
    // upcall.key.map of the packet: the flow then matches packets of that shape only, which is what
    // makes it fast to find.  0 (dpctl/add-flow): 'key' need not be a packet's, all shapes match,
    // and no cache ever holds the flow.
    uint64_t shape;
    const struct dp_actions *actions; // copied
    bool replace;                     // an equal flow's actions change; else -EEXIST
};
// 0; -EEXIST; -ENOSPC at the flow limit.  The datapath may install a narrower mask than asked
// (bounded masks per port), with the same verdict for the packet of 'key'; dp_flow_get_key() tells.
// '*out' (may be NULL) is the new flow, or the equal one with -EEXIST.
int dp_flow_put(struct dp *, const struct dp_flow_put *, struct dp_flow **out);
int dp_flow_set_actions(struct dp *, struct dp_flow *, const struct dp_actions *);
// Actions of many flows at once: what dp_shared_set_actions() gives it is done by all flows that
// share it from then on, whatever their number.  Counted: one reference for the creator and one for
// each flow, until the flow is gone or was given other actions.  Any control thread.
struct dp_shared *dp_shared_create(struct dp *, const struct dp_actions *);
void dp_shared_unref(struct dp *, struct dp_shared *); // NULL is fine
void dp_shared_set_actions(struct dp *, struct dp_shared *, const struct dp_actions *);
const struct dp_actions *dp_shared_actions(const struct dp_shared *);
// 0, or -ENOENT: the flow is dead.
int dp_flow_share(struct dp *, struct dp_flow *, struct dp_shared *);
// Unlinks; the final statistics are in '*stats' after the call (packets in flight excepted).
void dp_flow_del(struct dp *, struct dp_flow *, struct dp_flow_stats *stats);
void dp_flow_flush(struct dp *);
// Deletions by command (dpctl/del-flow, del-flows, dp_flow_flush()) go through 'fn', so that who
// keeps records of flows can settle them: it calls dp_flow_del().  NULL: dp_flow_del() at once.
// Main.
typedef void dp_flow_expel_fn(struct dp *, struct dp_flow *, void *aux);
void dp_set_flow_expel(struct dp *dp, dp_flow_expel_fn *fn, void *aux);
// Flows put by command (dpctl/add-flow) are told to 'fn', so that somebody looks after them, too.
// Main.
typedef void dp_flow_adopt_fn(struct dp *, struct dp_flow *, void *aux);
void dp_set_flow_adopt(struct dp *dp, dp_flow_adopt_fn *fn, void *aux);
struct dp_flow *dp_flow_find(struct dp *, const struct uuid *ufid);
struct dp_flow *dp_flow_find_key(struct dp *, const struct flow *key); // the one that would match

void dp_flow_get_stats(const struct dp_flow *, struct dp_flow_stats *);
void dp_flow_get_key(const struct dp_flow *, struct flow *key, struct flow_mask *mask);
const struct dp_actions *dp_flow_actions(const struct dp_flow *); // RCU
void *dp_flow_aux(const struct dp_flow *);                        // the revalidator's ukey
void dp_flow_set_aux(struct dp_flow *, void *);
void *dp_flow_swap_aux(struct dp_flow *, void *); // returns what it was; NULL once the slot is free
bool dp_flow_is_dead(const struct dp_flow *);
// Appends the flow as dump-flows prints it, without a newline.  'how': of DP_FLOW_*.
enum {
    DP_FLOW_VERBOSE = 1,   // -m: the ufid, and what is not matched
    DP_FLOW_NAMES = 2,     // of ports
    DP_FLOW_OF_BRIDGE = 4, // dpif/dump-flows: nothing about the datapath that serves it
};
struct text;
void dp_flow_format(const struct dp *, const struct dp_flow *, unsigned how, struct text *);

// Walks all flows, 'part' of 'n_parts' (revalidators share the work).  'cb' may delete the flow.
// Flows put meanwhile may be missed.  Stops when 'cb' returns false.
void dp_flow_walk(struct dp *, unsigned part, unsigned n_parts,
                  bool (*cb)(struct dp *, struct dp_flow *, void *aux), void *aux);
size_t dp_n_flows(const struct dp *);
void dp_set_flow_limit(struct dp *, size_t);
size_t dp_flow_limit(const struct dp *);

// --- packets from outside ------------------------------------------------------------------

// Gives 'n' packets to a PMD, which runs 'actions' (copied) on them as if they had come from
// key->in_port, or, with actions NULL, classifies them anew.  Takes the mbufs; a full ring drops
// and counts.  'pmd_index' from an upcall, or DP_ANY_PMD.
#define DP_ANY_PMD UINT16_MAX
void dp_inject(struct dp *, uint16_t pmd_index, struct rte_mbuf **, unsigned n,
               const struct flow_key *, const struct dp_actions *actions);

// --- meters --------------------------------------------------------------------------------

enum { DP_MAX_METERS = 262144, DP_METER_MAX_BANDS = 8 };
struct dp_meter_config {
    bool by_packets; // else kilobits
    unsigned n_bands;
    struct {
        uint32_t rate;  // packets or kilobits per second
        uint32_t burst; // packets or kilobits; 0: as much as a second's rate
    } bands[DP_METER_MAX_BANDS];
};
struct dp_meter_stats {
    uint64_t n_packets, n_bytes;
    unsigned n_bands;
    uint64_t band_packets[DP_METER_MAX_BANDS], band_bytes[DP_METER_MAX_BANDS];
};
int dp_meter_set(struct dp *, uint32_t id, const struct dp_meter_config *); // main; new or changed
bool dp_meter_del(struct dp *, uint32_t id);                                // main
bool dp_meter_get_stats(struct dp *, uint32_t id, struct dp_meter_stats *);
// Counts a packet that is not on its way through an action list.  False: it exceeds its meter; an
// unknown meter admits everything.  Any thread that is online in RCU.
bool dp_meter_admits(struct dp *, uint32_t id, const struct rte_mbuf *);

// --- balanced bonds ------------------------------------------------------------------------

// What lb_output(id) does: the packet's L4 hash (as of hash(l4(basis))) chooses a bucket, whose
// port it leaves by.  Main, but for what packets do.
enum { DP_BOND_BUCKETS = 256 };
struct dp_bond_config {
    uint32_t id; // any number
    uint32_t hash_basis;
    odp_port_t ports[DP_BOND_BUCKETS]; // ODPP_NONE: what has this bucket is dropped
};
void dp_bond_set(struct dp *, const struct dp_bond_config *); // new or changed
// It works on, and dpif-netdev/bond-show has it no more, until it is set anew.  Like dp_bond_del()
// without effect when there is none.
void dp_bond_hide(struct dp *, uint32_t id);
// Packets for it are dropped from then on.
void dp_bond_del(struct dp *, uint32_t id);
// What each bucket sent since the bond was made; false, and zeros: there is none.
bool dp_bond_get_bytes(struct dp *, uint32_t id, uint64_t bytes[DP_BOND_BUCKETS]);

// --- sight ---------------------------------------------------------------------------------

struct dp_stats {
    uint64_t n_hit, n_missed, n_lost, n_flows;
};
void dp_get_stats(const struct dp *, struct dp_stats *);
unsigned dp_n_pmds(const struct dp *);

// Registers dpctl/*, dpif-netdev/* commands (pmd_ctl.c).
struct unixctl_server;
void dp_ctl_init(struct dp **dpp);

#endif
