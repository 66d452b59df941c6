// SPDX-License-Identifier: Apache-2.0
//
// pmd-auto-lb: places the queues anew when a PMD has been overloaded for a minute and the new
// placement would spread the load better.  The measure is the variance of the PMDs' load, in
// percent of a core, over that minute.  Main thread, from dp_run().
#include <stdlib.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "base/log.h"
#include "pmd/dp_int.h"

LOG_MODULE(dpif_netdev);

COVERAGE_DEFINE(pmd_auto_lb_dry_run);
COVERAGE_DEFINE(pmd_auto_lb_rebalance);

enum { MINUTE_INTERVALS = RXQ_INTERVALS };

void
auto_lb_log_settings(const struct dp_settings *set)
{
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

// There is something to move only off a PMD with two queues or more.
static bool
some_pmd_is_overloaded(const struct dp *dp)
{
    DP_FOREACH_PMD (pmd, dp) {
        if (!pmd->is_kernel && !pmd->isolated && n_queues_of(dp, pmd) > 1 &&
            pmd_busy_percent(pmd) >= dp->set.auto_lb_load) {
            return true;
        }
    }
    return false;
}

// Of the loads that the queues' cycles add up to on each PMD that takes part.
static uint64_t
load_variance(const struct dp *dp)
{
    uint64_t minute = clock_tsc_hz() * 60, load[PMD_MAX] = {0}, sum = 0, squares = 0;
    unsigned n = 0;

    DP_FOREACH_PORT (port, dp) {
        for (unsigned i = 0; i < port->n_rxq; i++) {
            const struct rxq *rxq = port->rxqs[i];
            load[MIN(rxq->pmd, PMD_MAX - 1u)] += rxq_load(rxq);
        }
    }
    DP_FOREACH_PMD (pmd, dp) {
        if (!pmd->is_kernel && !pmd->isolated) {
            load[n++] = load[pmd->index] * 100 / MAX(minute, UINT64_C(1)); // n <= index
            sum += load[n - 1];
        }
    }
    for (unsigned i = 0; i < n; i++) {
        int64_t off = (int64_t)load[i] - (int64_t)(sum / n);
        squares += (uint64_t)(off * off);
    }
    return n ? squares / n : 0;
}

// Places all queues as a rebalance would.  Keeps that, and makes it so, if the variance improves
// enough.
bool
auto_lb_dry_run(struct dp *dp)
{
    uint64_t before = load_variance(dp), after, better;
    unsigned *old = NULL;
    size_t n = 0, i = 0;

    coverage_inc(pmd_auto_lb_dry_run);
    DP_FOREACH_PORT (port, dp) {
        old = xreallocarray(old, n + port->n_rxq, sizeof *old);
        for (unsigned q = 0; q < port->n_rxq; q++) {
            old[n++] = port->rxqs[q]->pmd;
        }
    }
    rxq_place(dp, true);
    after = load_variance(dp);
    better = before && after < before ? (before - after) * 100 / before : 0;
    log_info("PMD auto load balance: variance %" PRIu64 " now, %" PRIu64 " estimated after a "
             "rebalance, improvement %" PRIu64 "%%, threshold %u%%.",
             before, after, better, dp->set.auto_lb_improvement);
    bool take = better && better >= dp->set.auto_lb_improvement;
    DP_FOREACH_PORT (port, dp) {
        for (unsigned q = 0; q < port->n_rxq && !take; q++) {
            port->rxqs[q]->pmd = old[i++];
        }
    }
    free(old);
    if (take) {
        coverage_inc(pmd_auto_lb_rebalance);
        log_info("PMD auto load balance: queues are placed anew.");
        rxq_publish(dp);
    }
    return take;
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
    if (some_pmd_is_overloaded(dp)) {
        auto_lb_dry_run(dp);
    }
}
