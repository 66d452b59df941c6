// SPDX-License-Identifier: Apache-2.0
//
// Counters of flows and of the datapath, summed over PMDs.  Each PMD has an array with a line half
// for each slot of a flow, mapped at once and touched as used; the counts of PMDs that are gone are
// kept in an array of the same form.
#include "pmd/dp_int.h"
#include "pmd/huge.h"

static const size_t counters_size = (size_t)FLOW_MAX_SLOTS * sizeof(struct flow_counters);

void *
dp_map_counters(void)
{
    return huge_map(counters_size);
}

void
dp_unmap_counters(void *p)
{
    huge_unmap(p, counters_size);
}

// A flow of that slot is past its grace period: the next one starts from zero.
void
dp_clear_slot(void *dp_, uint32_t slot)
{
    struct dp *dp = dp_;

    pthread_mutex_lock(&dp->pmds_lock);
    for (unsigned i = 0; i < PMD_MAX; i++) {
        struct pmd *pmd = rcu_get_protected(&dp->pmds[i]);
        // A write makes the page real: only where somebody counted.
        if (pmd && pmd->counters[slot].n_packets) {
            memset(&pmd->counters[slot], 0, sizeof pmd->counters[slot]);
        }
    }
    if (dp->retired && dp->retired[slot].n_packets) {
        memset(&dp->retired[slot], 0, sizeof dp->retired[slot]);
    }
    pthread_mutex_unlock(&dp->pmds_lock);
}

static void
counters_sum(struct dp_flow_stats *stats, const struct flow_counters *c)
{
    uint64_t used = __atomic_load_n(&c->used_ms, __ATOMIC_RELAXED);

    stats->n_packets += __atomic_load_n(&c->n_packets, __ATOMIC_RELAXED);
    stats->n_bytes += __atomic_load_n(&c->n_bytes, __ATOMIC_RELAXED);
    stats->used_ms = MAX(stats->used_ms, used);
    stats->tcp_flags |= rte_be_to_cpu_16(__atomic_load_n(&c->tcp_flags, __ATOMIC_RELAXED));
}

// The PMD has stopped and is no longer in dp->pmds.
void
dp_retire_pmd(struct dp *dp, struct pmd *pmd)
{
    uint32_t n = __atomic_load_n(&dp->mf.high_slot, __ATOMIC_ACQUIRE);

    pthread_mutex_lock(&dp->pmds_lock);
    if (!dp->retired) {
        dp->retired = dp_map_counters();
    }
    for (uint32_t slot = 1; slot < n; slot++) {
        const struct flow_counters *c = &pmd->counters[slot];
        struct flow_counters *r = &dp->retired[slot];
        if (c->n_packets) {
            r->n_packets += c->n_packets;
            r->n_bytes += c->n_bytes;
            r->used_ms = MAX(r->used_ms, c->used_ms);
            r->tcp_flags |= c->tcp_flags;
        }
    }
    for (unsigned i = 0; i < PMD_N_STATS; i++) {
        dp->retired_stat[i] += atomic_load(&pmd->perf.stat[i]);
    }
    pthread_mutex_unlock(&dp->pmds_lock);
}

void
dp_flow_get_stats(const struct dp_flow *f, struct dp_flow_stats *stats)
{
    const struct flow_cold *cold = __atomic_load_n(&f->cold, __ATOMIC_ACQUIRE);

    memset(stats, 0, sizeof *stats);
    if (!cold) {
        return;
    }
    const struct dp *dp = cold->mf->slot_freed_aux;
    DP_FOREACH_PMD (pmd, dp) {
        counters_sum(stats, &pmd->counters[cold->slot]);
    }
    const struct flow_counters *retired = __atomic_load_n(&dp->retired, __ATOMIC_ACQUIRE);
    if (retired) {
        counters_sum(stats, &retired[cold->slot]);
    }
}

static uint64_t
dp_sum(const struct dp *dp, enum pmd_stat stat)
{
    uint64_t n = dp->retired_stat[stat];

    DP_FOREACH_PMD (pmd, dp) {
        n += atomic_load_explicit(&pmd->perf.stat[stat], memory_order_relaxed);
    }
    return n;
}

void
dp_get_stats(const struct dp *dp, struct dp_stats *stats)
{
    stats->n_hit = dp_sum(dp, PMD_STAT_EMC_HIT) + dp_sum(dp, PMD_STAT_SMC_HIT) +
                   dp_sum(dp, PMD_STAT_DPCLS_HIT);
    stats->n_missed = dp_sum(dp, PMD_STAT_MISS);
    stats->n_lost = dp_sum(dp, PMD_STAT_LOST);
    stats->n_flows = dp_n_flows(dp);
}
