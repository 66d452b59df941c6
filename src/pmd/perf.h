// SPDX-License-Identifier: Apache-2.0
//
// Counters of a PMD: events, cycles, and histograms when pmd-perf-metrics is on.  The thread that
// owns them writes; commands read them at any time and subtract the snapshot that
// pmd-stats-clear took.
#ifndef PMD_PERF_H
#define PMD_PERF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pmd/perf_log.h"

enum pmd_stat {
    PMD_STAT_RX,     // packets from queues and rings
    PMD_STAT_RECIRC, // packets that came back for another pass
    PMD_STAT_EMC_HIT,
    PMD_STAT_SMC_HIT,
    PMD_STAT_DPCLS_HIT,
    PMD_STAT_LOOKUPS, // subtables asked
    PMD_STAT_MISS,    // packets without a megaflow that were given to a handler
    PMD_STAT_LOST,    // those that were not: no room in the queue, or pmd-miss-share
    PMD_STAT_TX,
    PMD_STAT_TX_BATCHES,
    PMD_STAT_IDLE_CYCLES,
    PMD_STAT_BUSY_CYCLES,
    PMD_STAT_IDLE_ITER,
    PMD_STAT_BUSY_ITER,
    PMD_STAT_SLEEP_ITER,
    PMD_STAT_SLEEP_CYCLES,
    PMD_STAT_UPCALL_CYCLES,
    PMD_N_STATS,
};

enum { PERF_BINS = 32, PERF_HISTORY = 1000 };

// Bin i counts samples <= wall[i]; the last one the rest.
struct perf_histogram {
    uint32_t wall[PERF_BINS];
    _Atomic uint64_t bin[PERF_BINS]; /* pmd: w, main: r */
};

enum perf_histogram_id {
    PERF_CYCLES_PER_IT,
    PERF_PKTS_PER_IT,
    PERF_CYCLES_PER_PKT,
    PERF_PKTS_PER_BATCH,
    PERF_MAX_VHOST_QLEN,
    PERF_UPCALLS_PER_IT,
    PERF_CYCLES_PER_UPCALL,
    PERF_N_HISTOGRAMS,
};

// Sums over the iterations that the histograms are of, so of those with pmd-perf-metrics only.
struct perf_totals {
    _Atomic uint64_t its, cycles, busy_cycles, packets, batches, upcalls, upcall_cycles;
    _Atomic uint64_t vhost_qlen; // of the fullest guest's queue of each iteration
};

// What a burst goes through, in this order; measured with pmd-perf-metrics.
enum perf_stage_id {
    PERF_STAGE_RECEIVE,
    PERF_STAGE_EXTRACT,
    PERF_STAGE_HASH,
    PERF_STAGE_EMC,
    PERF_STAGE_SMC,
    PERF_STAGE_DPCLS,
    PERF_STAGE_UPCALL,
    PERF_STAGE_PROMOTE,
    PERF_STAGE_EXECUTE,
    PERF_STAGE_SEND,
    PERF_N_STAGES,
};

struct perf_stage {
    _Atomic uint64_t n_packets, cycles; /* pmd: w, main: r */
};

struct pmd_perf {
    _Atomic uint64_t stat[PMD_N_STATS];
    uint64_t cleared[PMD_N_STATS]; /* main: pmd-stats-clear */
    int64_t cleared_ms;            /* main */
    _Atomic bool detailed;         /* main: w, pmd: r; pmd-perf-metrics */
    _Atomic bool clear_wanted;     /* main: w, pmd: w */
    _Atomic bool is_new;           /* main: w, pmd: w; 'detailed' since the present iteration */
    struct perf_histogram histogram[PERF_N_HISTOGRAMS];
    struct perf_totals totals;                   /* pmd: w, main: r */
    struct perf_record iterations[PERF_HISTORY]; /* pmd: w, main: r, may be torn */
    struct perf_record milliseconds[PERF_HISTORY];
    _Atomic uint64_t iteration_idx, millisecond_idx; // 64 bits: they never come round
    struct perf_record current;                      // this iteration
    struct perf_stage stage[PERF_N_STAGES];
    uint64_t stage_tsc; // pmd: when the present stage began
    struct perf_log log;
};

static inline void
perf_add(struct pmd_perf *p, enum pmd_stat stat, uint64_t n)
{
    uint64_t value = atomic_load_explicit(&p->stat[stat], memory_order_relaxed);
    atomic_store_explicit(&p->stat[stat], value + n, memory_order_relaxed);
}

static inline uint64_t
perf_get(const struct pmd_perf *p, enum pmd_stat stat)
{
    return atomic_load_explicit(&p->stat[stat], memory_order_relaxed) - p->cleared[stat];
}

// The present stage, which 'n' packets went through, ends, and the next one begins.
static inline void
perf_stage_end(struct pmd_perf *p, enum perf_stage_id id, uint64_t n, uint64_t tsc)
{
    struct perf_stage *s = &p->stage[id];
    uint64_t cycles = atomic_load_explicit(&s->cycles, memory_order_relaxed);
    uint64_t packets = atomic_load_explicit(&s->n_packets, memory_order_relaxed);

    atomic_store_explicit(&s->cycles, cycles + tsc - p->stage_tsc, memory_order_relaxed);
    atomic_store_explicit(&s->n_packets, packets + n, memory_order_relaxed);
    p->stage_tsc = tsc;
}

// The owner, when 'detailed': 'n' packets came in one burst.
void perf_note_batch(struct pmd_perf *, uint32_t n);
void perf_init(struct pmd_perf *);
void perf_clear(struct pmd_perf *, int64_t now_ms);
// Main: pmd-perf-metrics.
void perf_set_detailed(struct pmd_perf *, bool);
// The owner, after each iteration that ended at 'tsc', when 'detailed'.  'busy': it found work.
void perf_end_iteration(struct pmd_perf *, uint64_t tsc, uint64_t cycles, uint32_t n_packets,
                        bool busy);

#endif
