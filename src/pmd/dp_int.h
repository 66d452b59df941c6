// SPDX-License-Identifier: Apache-2.0
//
// The datapath's own view of itself: ports, threads, settings.  Main changes it; PMDs, handlers and
// the keeper read the parts that are marked.  Only src/pmd includes this.
#ifndef PMD_DP_INT_H
#define PMD_DP_INT_H

#include "pmd/dp.h"
#include "pmd/megaflow.h"
#include "pmd/pmd.h"
#include "pmd/upcall.h"

struct upcall_queues;

struct dp_port {
    struct dp *dp;
    struct netdev *netdev;
    odp_port_t odp;
    char *name;
    char *type;
    struct rxq **rxqs;
    unsigned n_rxq;
    uint16_t n_txq_configured;
    char *affinity;                         // pmd-rxq-affinity, or NULL
    bool emc_enable;                        /* main */
    struct dp_ingress_policing ingress;     /* main */
    struct dp_qos qos;                      /* main */
    struct dp_qos_queue *qos_queues;        /* main: what 'qos' points to */
    struct policer *rx_policer;             /* main: NULL, none; queues have it, too */
    struct policer *tx_policer;             /* main: the same for send buffers */
    _Atomic uint64_t drops[DROP_N_REASONS]; // packets that came from here: by handlers, and what
                                            // queues counted that are gone
};

enum rxq_assign { RXQ_ASSIGN_CYCLES, RXQ_ASSIGN_ROUNDROBIN, RXQ_ASSIGN_GROUP };

struct dp_settings {
    uint64_t pmd_mask[PMD_CORES / 64]; // cores; all zero: the default
    bool pmd_mask_given;
    enum rxq_assign rxq_assign;
    bool rxq_isolate;
    bool rxq_isolate_refused; // it cannot be false with that assignment
    uint32_t emc_inv_prob;
    uint32_t emc_entries; // a power of two
    uint32_t miss_share;  // percent
    bool smc_enable;
    uint32_t smc_max_buckets; // a power of two
    uint64_t tx_flush_us;
    uint32_t max_sleep_us;
    uint32_t core_sleep_us[PMD_CORES]; // UINT32_MAX: as for all
    bool perf_metrics;
    struct perf_log_settings perf_log; // pmd-perf-log-set
    bool auto_lb;
    uint32_t auto_lb_interval_min, auto_lb_load, auto_lb_improvement;
};

enum { DP_NAME_SIZE = 32 };

struct dp {
    char type[DP_NAME_SIZE], name[DP_NAME_SIZE]; /* main */
    bool is_dummy;                               /* main */
    struct key_secret secret;
    struct megaflows mf;
    struct dp_settings set;                      /* main */
    RCU_PTR(struct dp_port) ports[DP_MAX_PORTS]; /* main: w, all: r */
    RCU_PTR(struct pmd) pmds[PMD_MAX];           /* main: w, all: r; [PMD_KERNEL] always there */
    pthread_mutex_t pmds_lock;     // "pmds_lock": pmds[] changes, or retired counters are touched
    struct flow_counters *retired; // counts of PMDs that are gone, by slot; under pmds_lock
    uint64_t retired_stat[PMD_N_STATS];
    struct upcall_queues *upcalls;
    struct meters *meters;
    struct bonds *bonds;
    dp_flow_expel_fn *expel; /* main */
    void *expel_aux;
    dp_flow_adopt_fn *adopt; /* main */
    void *adopt_aux;
    unsigned n_spin_ports;        /* main */
    unsigned n_ports, most_ports; /* main */
    uint64_t n_ports_refused;     /* main */
    unsigned most_pmds;           /* main */
    uint64_t n_pmds_refused;      /* main: cores that were to have one when there were PMD_MAX */
    uint64_t auto_lb_checked;     /* main: load_intervals when pmd-auto-lb last looked */
    bool hold;                    /* main: dp_hold() */
    bool want_schedule;           /* main: all queues are to be placed anew */
    bool want_reconfigure;        /* main: threads may have to come or go */
    pthread_t keeper;
    pthread_mutex_t keeper_lock; // with keeper_cond: the keeper's sleep
    pthread_cond_t keeper_cond;
    bool keeper_stop;                // under keeper_lock
    _Atomic uint64_t load_intervals; /* keeper: w, main: r; intervals noted so far */
};

// dp.c
void dp_flow_expel(struct dp *, struct dp_flow *);
void dp_flow_adopt(struct dp *, struct dp_flow *);
// dp_port.c
struct dp_port *dp_port_find(const struct dp *, odp_port_t);
_Atomic uint64_t *dp_port_drops(const struct dp *, odp_port_t); // RCU; NULL: no such port
void dp_port_give_tx(struct dp *, struct dp_port *, struct pmd *);
unsigned dp_n_txq_wanted(const struct dp *);
// dp_threads.c
void dp_update_threads(struct dp *);
void dp_apply_settings(struct dp *, struct pmd *);
// rxq_sched.c
void rxq_schedule(struct dp *, bool all);
// rxq_schedule() without making it so; 'dry': only to see what would come of it.
void rxq_place(struct dp *, bool all, bool dry);
void rxq_publish(struct dp *);
int rxq_affinity_core(const char *affinity, unsigned qid);
uint64_t rxq_load(const struct rxq *);
// auto_lb.c
enum { AUTO_LB_INTERVAL_MIN = 1, AUTO_LB_LOAD = 95, AUTO_LB_IMPROVEMENT = 25 }; // defaults
void auto_lb_run(struct dp *);
void auto_lb_set(struct dp *, const struct smap *other_config);
// keeper.c
void keeper_start(struct dp *);
void keeper_stop(struct dp *); // or when it was stopped already: nothing
// What the thread does, for tests that do not want to wait: free() ends it.
struct keeper;
struct keeper *keeper_create(struct dp *);
void keeper_tick(struct keeper *); // each 100 ms
// upcall_queue.c
struct upcall_queues *upcall_queues_create(void);
void upcall_queues_destroy(struct upcall_queues *);
void upcall_port_add(struct dp *, odp_port_t);
void upcall_ports_del(struct dp *, const odp_port_t *,
                      size_t n); // no PMD enqueues for them any more
// Upcalls of a port that wait; '*most': that waited at once, ever.
unsigned upcall_port_waiting(const struct dp *, odp_port_t, uint64_t *most);
// dp_stats.c
void *dp_map_counters(void);
void dp_unmap_counters(void *);
void dp_clear_slot(void *dp, uint32_t slot);
void dp_retire_pmd(struct dp *, struct pmd *);

// Without the lock of main: for readers that are registered with RCU.
#define DP_FOREACH_PMD(PMD, DP)                              \
    for (unsigned PMD##_i = 0; PMD##_i < PMD_MAX; PMD##_i++) \
        for (struct pmd *PMD = rcu_get(&(DP)->pmds[PMD##_i]); PMD; PMD = NULL)

#define DP_FOREACH_PORT(PORT, DP)                                    \
    for (unsigned PORT##_i = 0; PORT##_i < DP_MAX_PORTS; PORT##_i++) \
        for (struct dp_port *PORT = rcu_get(&(DP)->ports[PORT##_i]); PORT; PORT = NULL)

#endif
