// SPDX-License-Identifier: Apache-2.0
//
// The keeper: a thread that looks after what PMDs must not stop for.  Ten times a second it sizes
// the signature caches to the flows that are active, every five seconds it notes the load of each
// queue, and now and then it tidies the lanes.
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits_report.h"
#include "base/thread.h"
#include "pmd/dp_int.h"

enum {
    KEEPER_PERIOD_MS = 100,
    SWEEP_PARTS = 256,      // a whole sweep of a signature cache takes 25 s
    SMC_EVICTED_SHARE = 50, // grow when more than 1 of 50 lookups found its word gone
    LOAD_TICKS = 50,        // 5 s
    TIDY_TICKS = 100,
};

// State of one PMD's cache between ticks.
struct sweep {
    const struct smc *smc; // only compared
    uint32_t part;
    uint64_t n_used;           // words found so far in this sweep
    uint64_t lookups, evicted; // at the last look
};

struct keeper {
    struct dp *dp;
    uint64_t tick;
    struct sweep sweeps[PMD_MAX];
};

static void
smc_replace(struct pmd *pmd, struct smc *old, uint32_t n_buckets)
{
    struct smc *new = smc_create_from(old, n_buckets);

    limit_note(&pmd->smc_most_buckets, n_buckets);
    atomic_fetch_add(&pmd->smc_evicted, atomic_load(&old->n_evicted));
    rcu_assign(&pmd->smc, new);
    rcu_defer(smc_free, old);
}

// Grows fast, by what was pushed out since the last look; shrinks slowly, by what a whole sweep
// found in use.  The sweep empties what it counts, so flows that ended go and active ones come back
// at the cost of one masked lookup each.
static void
keep_smc(struct keeper *k, struct pmd *pmd)
{
    struct sweep *s = &k->sweeps[pmd->index];
    struct smc *smc = rcu_get(&pmd->smc);
    uint32_t max = atomic_load_explicit(&pmd->smc_max_buckets, memory_order_relaxed);

    if (!smc) {
        return;
    }
    if (s->smc != smc) {
        *s = (struct sweep){.smc = smc, .lookups = s->lookups};
    }
    // Of an interval's lookups, those that came after their word had been pushed out.
    uint64_t lookups =
        atomic_load_explicit(&pmd->perf.stat[PMD_STAT_SMC_HIT], memory_order_relaxed) +
        atomic_load_explicit(&pmd->perf.stat[PMD_STAT_DPCLS_HIT], memory_order_relaxed);
    uint64_t evicted = atomic_load_explicit(&smc->n_evicted, memory_order_relaxed);
    uint64_t n_lookups = lookups - s->lookups, n_evicted = evicted - s->evicted;
    s->lookups = lookups;
    s->evicted = evicted;
    if (n_evicted > smc->n_buckets / 4 && n_evicted > n_lookups / SMC_EVICTED_SHARE &&
        smc->n_buckets < max) {
        smc_replace(pmd, smc, MIN(smc->n_buckets * 4, max));
        return;
    }
    if (smc->n_buckets > max) { // it was made less
        smc_replace(pmd, smc, max);
        return;
    }
    s->n_used += smc_sweep(smc, s->part, SWEEP_PARTS);
    if (++s->part == SWEEP_PARTS) {
        uint64_t n_used = s->n_used;
        s->part = 0;
        s->n_used = 0;
        if (n_used < smc->n_buckets / 2 && smc->n_buckets > SMC_MIN_BUCKETS) {
            smc_replace(pmd, smc, MAX(smc->n_buckets / 4, (uint32_t)SMC_MIN_BUCKETS));
        }
    }
}

static void
note_load(struct dp *dp, uint64_t tick)
{
    unsigned slot = (unsigned)(tick / LOAD_TICKS % RXQ_INTERVALS);

    DP_FOREACH_PORT (port, dp) {
        for (unsigned i = 0; i < port->n_rxq; i++) {
            struct rxq *rxq = port->rxqs[i];
            uint64_t cycles = atomic_load_explicit(&rxq->cycles, memory_order_relaxed);
            atomic_store_explicit(&rxq->interval[slot], cycles - rxq->seen_cycles,
                                  memory_order_relaxed);
            rxq->seen_cycles = cycles;
        }
    }
    DP_FOREACH_PMD (pmd, dp) {
        uint64_t busy =
            atomic_load_explicit(&pmd->perf.stat[PMD_STAT_BUSY_CYCLES], memory_order_relaxed);
        atomic_store_explicit(&pmd->busy_interval[slot], busy - pmd->busy_seen,
                              memory_order_relaxed);
        pmd->busy_seen = busy;
    }
    atomic_store_explicit(&dp->load_intervals, tick / LOAD_TICKS, memory_order_relaxed);
}

struct keeper *
keeper_create(struct dp *dp)
{
    struct keeper *k = xzalloc(sizeof *k);

    k->dp = dp;
    return k;
}

void
keeper_tick(struct keeper *k)
{
    k->tick++;
    DP_FOREACH_PMD (pmd, k->dp) {
        keep_smc(k, pmd);
        perf_log_run(pmd, &pmd->perf.log);
    }
    if (k->tick % LOAD_TICKS == 0) {
        note_load(k->dp, k->tick);
    }
    if (k->tick % TIDY_TICKS == 0) {
        megaflows_tidy(&k->dp->mf, clock_now_ms());
    }
    megaflows_make_sieves(&k->dp->mf);
}

static void *
keeper_main(void *dp_)
{
    struct dp *dp = dp_;
    struct keeper *k = keeper_create(dp);

    rcu_offline(); // who holds the lock may wait for a grace period
    pthread_mutex_lock(&dp->keeper_lock);
    rcu_online();
    while (!dp->keeper_stop) {
        struct timespec ts;
        clock_gettime(CLOCK_REALTIME, &ts);
        ts.tv_nsec += KEEPER_PERIOD_MS * 1000000L;
        ts.tv_sec += ts.tv_nsec / 1000000000;
        ts.tv_nsec %= 1000000000;
        rcu_offline();
        pthread_cond_timedwait(&dp->keeper_cond, &dp->keeper_lock, &ts);
        rcu_online();
        if (!dp->keeper_stop) {
            keeper_tick(k);
        }
    }
    pthread_mutex_unlock(&dp->keeper_lock);
    free(k);
    return NULL;
}

void
keeper_start(struct dp *dp)
{
    dp->keeper = thread_create("dp-keeper", keeper_main, dp);
}

void
keeper_stop(struct dp *dp)
{
    pthread_mutex_lock(&dp->keeper_lock);
    bool is_stopped = dp->keeper_stop;
    dp->keeper_stop = true;
    pthread_cond_signal(&dp->keeper_cond);
    pthread_mutex_unlock(&dp->keeper_lock);
    if (!is_stopped) {
        thread_join(dp->keeper);
    }
}
