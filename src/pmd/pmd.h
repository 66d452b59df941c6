// SPDX-License-Identifier: Apache-2.0
//
// One forwarding thread: what it polls, its caches, counters and send buffers.  A PMD that spins is
// pinned to a core; the one of kernel devices (index 0, "main thread" for ovs-appctl) sleeps in
// epoll.  Everything here belongs to the thread itself unless a comment names other readers or
// writers.
#ifndef PMD_PMD_H
#define PMD_PMD_H

#include <pthread.h>
#include <rte_ring.h>

#include "base/clock.h"
#include "base/rcu.h"
#include "pmd/burst.h"
#include "pmd/cache.h"
#include "pmd/drop.h"
#include "pmd/megaflow.h"
#include "pmd/perf.h"

enum {
    PMD_KERNEL = 0,   // index of the thread of kernel devices
    PMD_MAX = 128,    // as many as DPDK has numbers for its threads
    PMD_CORES = 1024, // numbers of cores, as in cpu_set_t
    PMD_LANES = 256,
    PMD_MAX_GROUPS = BURST_MAX,
    RECIRC_MAX = 512,          // packets that wait for another pass
    RECIRC_MAX_DEPTH = 8,      // passes of a packet
    UPCALL_MAX_WAITING = 511,  // misses of a port between PMD and handler
    INJECT_MAX_WAITING = 1023, // answers, packet-outs of a PMD
    RXQ_INTERVALS = 12,        // of 5 s: what pmd-rxq-show looks back on
};

struct dp;
struct dp_port;
struct policer;

// A receive queue and what it cost.  Exists as long as its port has it.
struct rxq {
    struct dp_port *port;
    struct netdev *netdev;
    odp_port_t odp;
    uint16_t qid;
    _Atomic uint64_t cycles;                  /* polling pmd: w, all: r */
    _Atomic uint64_t n_packets;               /* polling pmd: w, all: r */
    uint64_t seen_cycles;                     /* keeper */
    _Atomic uint64_t interval[RXQ_INTERVALS]; /* keeper: w, main: r */
    unsigned pmd;                             /* main: index of the polling thread, PMD_MAX none */
    int pinned_core;                          /* main: -1 unless pmd-rxq-affinity says so */
    bool withdrawn;                           /* main: on its way out, nobody may poll it */
    _Atomic bool emc_enable;                  /* main: w, pmd: r */
    RCU_PTR(struct policer) policer;          /* main: w, pmd: r; NULL: none */
    int64_t miss_credit;                      /* pmd; see miss.c */
    uint64_t miss_tsc;                        /* pmd: when it was refilled */
    uint64_t refused_cycles;                  /* pmd: that refused packets took, not charged yet */
    uint64_t refused_tsc;                     /* pmd: when some were refused last */
    uint64_t refused_seen;                    /* pmd: how many packets had come by then */
    uint64_t rest_tsc;                        /* pmd: not polled before that */
    uint64_t promoted_seen;                   /* pmd: packets by the last look at feeding */
    uint32_t n_promoted;                      /* pmd: that dpcls found since */
    uint32_t feed_turn;                       /* pmd; see queue_feeds_all() */
    bool feeds_by_turns;                      /* pmd: the caches know hardly any */
    _Atomic uint64_t drops[DROP_N_REASONS];   /* pmd: w, main: r */
};

struct poll_list {
    unsigned n;
    struct rxq *rxq[];
};

// Packets on their way out of one port.
struct tx_port {
    struct netdev *netdev;
    odp_port_t odp;
    uint16_t qid;
    uint16_t n;
    bool dirty; // in pmd->dirty
    uint64_t flush_tsc;
    RCU_PTR(struct policer) policer; /* main: w, pmd: r; NULL: none */
    struct rte_mbuf *m[BURST_MAX];
};

// What a PMD remembers of a lane: in which order its subtables are worth asking.
struct pmd_lane {
    uint64_t w0, map;
    struct lane *lane;            // NULL: there was none
    const struct lane_view *view; // good for the present burst
    uint64_t ranked;              // generation of the view that 'order' and 'hits' speak of
    uint64_t used;                // number of the burst that used it last
    uint32_t n_words;             // after word 0
    uint32_t n_until_sort;
    uint32_t n_looked, n_missed; // lookups of late, and those that found nothing
    uint8_t order[LANE_MAX_SUBTABLES];
    uint32_t hits[LANE_MAX_SUBTABLES];
};

// A flow's counters on one PMD.  Single writer; others read without order.
struct flow_counters {
    uint64_t n_packets;
    uint64_t n_bytes;
    uint64_t used_ms;
    uint16_t tcp_flags; // network order
} __attribute__((aligned(32)));

struct recirc_packet {
    struct rte_mbuf *m;
    uint8_t depth;
    struct packet_md md;
};

struct recirc_list {
    unsigned n;
    struct recirc_packet p[RECIRC_MAX];
};

struct inject_queue;

// When a queue last gave a full burst: more packets wait behind it.
struct rxq_backlog {
    const struct rxq *rxq; // only compared
    uint64_t tsc;
};

struct pmd {
    // Read by the loop.
    struct dp *dp;
    const struct megaflows *mf;
    struct flow_counters *counters; // by slot; mapped
    RCU_PTR(struct poll_list) poll; /* main: w, pmd: r */
    RCU_PTR(struct smc) smc;        /* keeper: w, pmd: r; NULL: smc-enable=false */
    _Atomic uint32_t emc_inv_prob;  /* main: w, pmd: r; 0: off */
    _Atomic uint32_t max_sleep_us;  /* main: w, pmd: r */
    _Atomic bool stop;              /* main: w, pmd: r */
    _Atomic uint32_t tx_seq;        /* main: w, pmd: r; send what is waiting: a port goes */
    _Atomic uint32_t tx_seq_seen;   /* pmd: w, main: r */
    uint64_t lane_gen_seen;
    uint64_t now_tsc;
    uint64_t now_ms;
    uint64_t ms_tsc; // when now_ms was read
    uint64_t half_ms_cycles;
    _Atomic uint64_t tx_flush_cycles; /* main: w, pmd: r */
    _Atomic uint64_t poll_seq;        /* main: w, pmd: r; counts the values of 'poll' */
    struct inject_queue *inject;
    RCU_PTR(struct tx_port) tx[DP_MAX_PORTS]; /* main: w, pmd: r */
    struct tx_port *dirty[DP_MAX_PORTS];
    unsigned n_dirty;
    struct rxq *polling;              // whose burst this is; NULL: not a queue's
    struct rxq_backlog backlog[2];    // of the last two different queues
    _Atomic uint32_t smc_max_buckets; /* main: w, keeper: r */
    _Atomic uint32_t miss_share;      /* main: w, pmd: r; 1024ths of the time, 1024: no limit */
    uint64_t answer_cycles;           // of injected packets, not charged yet; see miss.c
    bool woke_handler;                // since miss.c looked
    bool timed;                       // stages are measured: pmd-perf-metrics, for this burst
    bool trains;                      // the last burst had some
    struct pmd_perf perf;             // counters; all: r
    struct burst burst;
    uint64_t burst_number;            // of the present one
    struct pmd_lane lanes[PMD_LANES]; // more than a burst has packets
    struct emc emc;
    struct recirc_list recirc;

    // Identity; constant after the thread started.
    unsigned index;
    int core_id, numa_id;
    bool is_kernel;
    bool isolated; /* main */
    int wake_fd;   // kernel thread: eventfd; -1 else
    int epoll_fd;
    _Atomic bool asleep; // kernel thread waits for wake_fd
    pthread_t thread;
    bool running;                                  /* main */
    uint64_t busy_seen;                            /* keeper */
    _Atomic uint64_t smc_evicted;                  /* keeper: w, main: r; by caches before this */
    _Atomic uint64_t smc_most_buckets;             /* likewise */
    _Atomic uint64_t busy_interval[RXQ_INTERVALS]; /* keeper: w, main: r */
};

struct pmd *pmd_create(struct dp *, unsigned index, int core_id, int numa_id);
void pmd_start(struct pmd *);
void pmd_stop(struct pmd *); // joins; the poll list must be empty
void pmd_destroy(struct pmd *);
void *pmd_spin_main(void *pmd);
void *pmd_kernel_main(void *pmd);
void pmd_wake(struct pmd *);

// One pass over what is not a receive queue: answers of handlers, recirculated packets.
bool pmd_run_side_work(struct pmd *); // true: there were packets of handlers or packet-outs
void pmd_obey(struct pmd *);          // what control threads asked of the loop
void pmd_refresh_time(struct pmd *);

// input.c: classifies 'b' and runs each packet's actions.  Consumes every packet in 'b'.
void pmd_input(struct pmd *, struct burst *b);
// dpcls.c
void dpcls_lookup(struct pmd *, struct burst *b);
// Good until the present burst's end.
struct pmd_lane *pmd_find_lane(struct pmd *, const struct flow_key *);
void pmd_forget_lanes(struct pmd *);
// miss.c: dpcls and upcalls, within what the queue's misses may take.
void pmd_slow_stages(struct pmd *, struct burst *b);
void pmd_note_backlog(struct pmd *, const struct rxq *);
// Before one packet goes to a handler by an action: false, there is no credit for it.
bool pmd_may_ask(struct pmd *);
void pmd_charge_ask(struct pmd *, uint64_t cycles);  // what it took
void pmd_note_answer(struct pmd *, uint64_t cycles); // what packets from outside the queues took
// execute.c
void pmd_execute(struct pmd *, struct burst *b);
// actions.c
void pmd_execute_list(struct pmd *, struct rte_mbuf *, const struct packet_md *,
                      const struct dp_actions *, uint8_t depth);
// The layers of these packets go with what is done to them.
void pmd_execute_burst_list(struct pmd *, struct burst *, const uint8_t *idx, uint32_t n,
                            const struct dp_actions *);
// change.c
bool pmd_changes_headers(const struct dp_action *);
// The packet or one in its place; NULL: dropped and counted.  The layers go with what is changed.
struct rte_mbuf *pmd_change_headers(struct rte_mbuf *, struct packet_layers *,
                                    const struct dp_action *);
// recirc.c
void recirc_push(struct pmd *, struct rte_mbuf *, const struct packet_md *, uint8_t depth);
void recirc_drain(struct pmd *);
// tx.c
void pmd_send(struct pmd *, odp_port_t, struct rte_mbuf **, unsigned n);
// One packet for which set_queue chose a queue other than 0.
void pmd_send_queue(struct pmd *, odp_port_t, uint32_t queue, struct rte_mbuf *);
void pmd_flush(struct pmd *); // what has waited for tx-flush-interval
void pmd_flush_all(struct pmd *);
// upcall_queue.c
void pmd_upcall_misses(struct pmd *, struct burst *b);
void pmd_upcall_action(struct pmd *, struct rte_mbuf *, const struct packet_md *,
                       const struct dp_act_userspace *, uint8_t depth);
void pmd_run_inline_upcalls(struct pmd *);
// inject.c
struct inject_queue *inject_create(void);
void inject_destroy(struct inject_queue *, struct megaflows *);
bool inject_drain(struct pmd *); // true if there was something
struct rte_ring *inject_ring(struct inject_queue *);
// Items that wait; '*most': that waited at once, ever.
unsigned inject_waiting(const struct inject_queue *, uint64_t *most);

static inline void
pmd_count_upcall_cycles(struct pmd *pmd, uint64_t cycles)
{
    perf_add(&pmd->perf, PMD_STAT_UPCALL_CYCLES, cycles);
    pmd->perf.current.upcall_cycles += cycles;
}

// Before the first stage of a burst: what came before it is nobody's.
static inline void
pmd_stage_begin(struct pmd *pmd)
{
    pmd->timed = atomic_load_explicit(&pmd->perf.detailed, memory_order_relaxed);
    if (UNLIKELY(pmd->timed)) {
        pmd->perf.stage_tsc = clock_tsc();
    }
}

static inline void
pmd_stage_end(struct pmd *pmd, enum perf_stage_id id, uint32_t n_packets)
{
    if (UNLIKELY(pmd->timed)) {
        perf_stage_end(&pmd->perf, id, n_packets, clock_tsc());
    }
}

// The time of the last packet, and so on, as dp_flow_get_stats() reports it.
static inline void
flow_counters_add(struct flow_counters *c, uint32_t packets, uint32_t bytes, uint64_t now_ms,
                  uint16_t tcp_flags)
{
    __atomic_store_n(&c->n_packets, c->n_packets + packets, __ATOMIC_RELAXED);
    __atomic_store_n(&c->n_bytes, c->n_bytes + bytes, __ATOMIC_RELAXED);
    __atomic_store_n(&c->used_ms, now_ms, __ATOMIC_RELAXED);
    __atomic_store_n(&c->tcp_flags, (uint16_t)(c->tcp_flags | tcp_flags), __ATOMIC_RELAXED);
}

#endif
