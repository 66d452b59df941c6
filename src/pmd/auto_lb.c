// SPDX-License-Identifier: Apache-2.0
//
// pmd-auto-lb: places the queues anew when a PMD has been overloaded for a minute and the new
// placement would spread the load better.  The measure is the variance of the load of a NUMA node's
// PMDs, in percent of a core, over that minute: queues stay on their nodes.  When it looks, and
// what it then does and says, is as in Open vSwitch.  Main thread, from dp_run().
#include <stdlib.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "base/log.h"
#include "pmd/dp_int.h"

LOG_MODULE(dpif_netdev);

COVERAGE_DEFINE(pmd_auto_lb_dry_run);
COVERAGE_DEFINE(pmd_auto_lb_rebalance);

enum { MINUTE_INTERVALS = RXQ_INTERVALS };

// A number from 'min' to 'max'; what is beyond asks for the default, as in Open vSwitch.
static uint32_t
uint_within(const struct smap *cfg, const char *key, uint32_t min, uint32_t max, uint32_t def)
{
    uint32_t value = smap_get_uint(cfg, key, def);

    return value >= min && value <= max ? value : def;
}

void
auto_lb_set(struct dp *dp, const struct smap *cfg)
{
    struct dp_settings *set = &dp->set, old = *set;

    set->auto_lb = smap_get_bool(cfg, "pmd-auto-lb", false);
    set->auto_lb_interval_min =
        uint_within(cfg, "pmd-auto-lb-rebal-interval", 1, 20000, AUTO_LB_INTERVAL_MIN);
    set->auto_lb_improvement =
        uint_within(cfg, "pmd-auto-lb-improvement-threshold", 0, 100, AUTO_LB_IMPROVEMENT);
    set->auto_lb_load = uint_within(cfg, "pmd-auto-lb-load-threshold", 0, 100, AUTO_LB_LOAD);
    bool interval = set->auto_lb_interval_min != old.auto_lb_interval_min;
    bool improvement = set->auto_lb_improvement != old.auto_lb_improvement;
    bool load = set->auto_lb_load != old.auto_lb_load;
    if (interval) {
        log_info("PMD auto load balance interval set to %u mins", set->auto_lb_interval_min);
    }
    if (improvement) {
        log_info("PMD auto load balance improvement threshold set to %u%%",
                 set->auto_lb_improvement);
    }
    if (load) {
        log_info("PMD auto load balance load threshold set to %u%%", set->auto_lb_load);
    }
    if (set->auto_lb == old.auto_lb && !interval && !improvement && !load) {
        return;
    }
    dp->auto_lb_checked = atomic_load(&dp->load_intervals);
    if (set->auto_lb) {
        log_info("PMD auto load balance is enabled, interval %u mins, pmd load threshold %u%%, "
                 "improvement threshold %u%%.",
                 set->auto_lb_interval_min, set->auto_lb_load, set->auto_lb_improvement);
    } else {
        log_info("PMD auto load balance is disabled.");
    }
}

// Percent of its core that the PMD was busy over the last minute.
static unsigned
pmd_busy_percent(const struct pmd *pmd)
{
    uint64_t minute = clock_tsc_hz() * 60, busy = 0;

    for (unsigned i = 0; i < MINUTE_INTERVALS; i++) {
        busy += atomic_load_explicit(&pmd->busy_interval[i], memory_order_relaxed);
    }
    return minute ? (unsigned)(busy * 100 / minute) : 0;
}

static unsigned
n_queues_of(const struct dp *dp, const struct pmd *pmd)
{
    unsigned n = 0;

    DP_FOREACH_PORT (port, dp) {
        for (unsigned i = 0; i < port->n_rxq; i++) {
            n += port->rxqs[i]->pmd == pmd->index;
        }
    }
    return n;
}

static bool
takes_part(const struct pmd *pmd)
{
    return !pmd->is_kernel && !pmd->isolated;
}

static bool
some_pmd_is_overloaded(const struct dp *dp)
{
    DP_FOREACH_PMD (pmd, dp) {
        if (takes_part(pmd) && pmd_busy_percent(pmd) >= dp->set.auto_lb_load) {
            return true;
        }
    }
    return false;
}

// There must be two PMDs, one of them with two queues.
static bool
something_can_move(const struct dp *dp)
{
    unsigned n = 0, most = 0;

    if (dp->set.rxq_assign == RXQ_ASSIGN_ROUNDROBIN) {
        log_dbg("PMD auto load balance nothing to do, pmd-rxq-assign=roundrobin assignment type "
                "configured.");
        return false;
    }
    DP_FOREACH_PMD (pmd, dp) {
        if (takes_part(pmd)) {
            n++;
            most = MAX(most, n_queues_of(dp, pmd));
        }
    }
    if (n < 2 || most < 2) {
        log_dbg("PMD auto load balance nothing to do, not enough non-isolated PMDs or RxQs.");
        return false;
    }
    return true;
}

// The queues' cycles on each PMD, in percent of a core.
struct loads {
    uint64_t load[PMD_MAX];
};

static void
sum_loads(const struct dp *dp, struct loads *loads)
{
    uint64_t minute = MAX(clock_tsc_hz() * 60, UINT64_C(1));

    memset(loads, 0, sizeof *loads);
    DP_FOREACH_PORT (port, dp) {
        for (unsigned i = 0; i < port->n_rxq; i++) {
            const struct rxq *rxq = port->rxqs[i];
            loads->load[MIN(rxq->pmd, PMD_MAX - 1u)] += rxq_load(rxq);
        }
    }
    for (unsigned i = 0; i < PMD_MAX; i++) {
        loads->load[i] = loads->load[i] * 100 / minute;
    }
}

// Of the node's PMDs that take part.
static uint64_t
load_variance(const struct dp *dp, const struct loads *loads, int numa_id)
{
    uint64_t sum = 0, squares = 0;
    unsigned n = 0;

    DP_FOREACH_PMD (pmd, dp) {
        if (takes_part(pmd) && pmd->numa_id == numa_id) {
            sum += loads->load[pmd->index];
            n++;
        }
    }
    DP_FOREACH_PMD (pmd, dp) {
        if (takes_part(pmd) && pmd->numa_id == numa_id) {
            int64_t off = (int64_t)loads->load[pmd->index] - (int64_t)(sum / n);
            squares += (uint64_t)(off * off);
        }
    }
    return n ? squares / n : 0;
}

// Is 'pmd' the first one of its node?
static bool
is_first_of_node(const struct dp *dp, const struct pmd *first)
{
    DP_FOREACH_PMD (pmd, dp) {
        if (takes_part(pmd) && pmd->numa_id == first->numa_id) {
            return pmd == first;
        }
    }
    return false;
}

// Is some node's load spread that much better?
static bool
is_better(const struct dp *dp, const struct loads *now, const struct loads *then)
{
    bool met = false;

    DP_FOREACH_PMD (pmd, dp) {
        if (!takes_part(pmd) || !is_first_of_node(dp, pmd)) {
            continue;
        }
        uint64_t before = load_variance(dp, now, pmd->numa_id);
        uint64_t after = load_variance(dp, then, pmd->numa_id);
        uint64_t better = after < before ? (before - after) * 100 / before : 0;
        log_info("Numa node %d. Current variance %" PRIu64 " Estimated variance %" PRIu64
                 ". Variance improvement %" PRIu64 "%%.",
                 pmd->numa_id, before, after, better);
        met |= better && better >= dp->set.auto_lb_improvement;
    }
    log_info("PMD load variance improvement threshold %u%% is %s.", dp->set.auto_lb_improvement,
             met ? "met" : "not met");
    return met;
}

// Places all queues as a rebalance would.  Keeps that, and makes it so, if the variance improves
// enough.
static void
dry_run(struct dp *dp)
{
    struct loads now, then;
    unsigned *old = NULL;
    size_t n = 0, i = 0;

    coverage_inc(pmd_auto_lb_dry_run);
    log_info("PMD auto load balance performing dry run.");
    DP_FOREACH_PORT (port, dp) {
        old = xreallocarray(old, n + port->n_rxq, sizeof *old);
        for (unsigned q = 0; q < port->n_rxq; q++) {
            old[n++] = port->rxqs[q]->pmd;
        }
    }
    sum_loads(dp, &now);
    rxq_place(dp, true, true);
    sum_loads(dp, &then);
    bool take = is_better(dp, &now, &then);
    DP_FOREACH_PORT (port, dp) {
        for (unsigned q = 0; q < port->n_rxq; q++) {
            port->rxqs[q]->pmd = old[i++];
        }
    }
    free(old);
    if (take) {
        coverage_inc(pmd_auto_lb_rebalance);
        log_info("PMD auto load balance dry run. Requesting datapath reconfigure.");
        rxq_schedule(dp, true);
    }
}

void
auto_lb_run(struct dp *dp)
{
    uint64_t now = atomic_load(&dp->load_intervals);

    // A whole minute must have been seen with the present placement.
    if (!dp->set.auto_lb ||
        now < dp->auto_lb_checked + dp->set.auto_lb_interval_min * MINUTE_INTERVALS) {
        return;
    }
    dp->auto_lb_checked = now;
    if (some_pmd_is_overloaded(dp) && something_can_move(dp)) {
        dry_run(dp);
    }
}
