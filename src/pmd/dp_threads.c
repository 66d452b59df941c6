// SPDX-License-Identifier: Apache-2.0
//
// Which PMD threads exist: one for each core of pmd-cpu-mask, or one for each NUMA node with ports,
// as long as there is a port that wants to be polled.  Main thread.
#include <numa.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "pmd/dp_int.h"

LOG_MODULE(dpif_netdev);

static int
core_numa(int core)
{
    int node = numa_available() < 0 ? 0 : numa_node_of_cpu(core);

    return node < 0 ? 0 : node;
}

static unsigned
n_cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_CONF);

    return n < 1 ? 1 : n > PMD_CORES ? PMD_CORES : (unsigned)n;
}

static bool
core_bit(const uint64_t *mask, unsigned core)
{
    return mask[core / 64] >> (core % 64) & 1;
}

// Without a mask: the first core of each node that has a device to poll.
static void
default_cores(const struct dp *dp, uint64_t *mask)
{
    uint64_t nodes = dp->n_spin_ports ? 1 : 0;

    DP_FOREACH_PORT (port, dp) {
        int node = netdev_queues(port->netdev)->numa_id;
        if (netdev_poll(port->netdev) == NETDEV_POLL_SPIN && node > 0 && node < 64) {
            nodes |= UINT64_C(1) << node;
        }
    }
    for (unsigned core = 0; core < n_cores(); core++) {
        int node = core_numa((int)core);
        if (nodes >> node & 1) {
            mask[core / 64] |= UINT64_C(1) << (core % 64);
            nodes &= ~(UINT64_C(1) << node);
        }
    }
}

static void
wanted_cores(const struct dp *dp, uint64_t *mask)
{
    if (!dp->n_spin_ports) {
        return;
    }
    if (!dp->set.pmd_mask_given) {
        default_cores(dp, mask);
        return;
    }
    for (unsigned core = 0; core < n_cores(); core++) {
        if (core_bit(dp->set.pmd_mask, core)) {
            mask[core / 64] |= UINT64_C(1) << (core % 64);
        }
    }
}

// Flows come back into the new one as they did into the first.
static void
apply_emc_entries(struct pmd *pmd, uint32_t n_entries)
{
    struct emc_table *old = rcu_get_protected(&pmd->emc.table);

    if (old->n_entries != n_entries) {
        rcu_assign(&pmd->emc.table, emc_table_create(n_entries));
        rcu_defer(emc_table_free, old);
    }
}

void
dp_apply_settings(struct dp *dp, struct pmd *pmd)
{
    const struct dp_settings *set = &dp->set;
    uint32_t sleep_us = 0;

    atomic_store(&pmd->emc_inv_prob, set->emc_inv_prob);
    apply_emc_entries(pmd, set->emc_entries);
    atomic_store(&pmd->smc_max_buckets, set->smc_max_buckets);
    atomic_store(&pmd->miss_share, set->miss_share * 1024 / 100);
    if (!pmd->is_kernel) {
        sleep_us = set->core_sleep_us[pmd->core_id] == UINT32_MAX
                       ? set->max_sleep_us
                       : set->core_sleep_us[pmd->core_id];
    }
    atomic_store(&pmd->max_sleep_us, sleep_us);
    atomic_store(&pmd->tx_flush_cycles, set->tx_flush_us * clock_tsc_hz() / 1000000);
    perf_log_set(&pmd->perf.log, &set->perf_log);
    perf_set_detailed(&pmd->perf, set->perf_metrics);
    // The keeper resizes it; both hold keeper_lock.
    pthread_mutex_lock(&dp->keeper_lock);
    struct smc *smc = rcu_get_protected(&pmd->smc);
    if (set->smc_enable && !smc) {
        rcu_assign(&pmd->smc, smc_create(SMC_MIN_BUCKETS));
    } else if (!set->smc_enable && smc) {
        rcu_assign(&pmd->smc, NULL);
        rcu_defer(smc_free, smc);
    }
    pthread_mutex_unlock(&dp->keeper_lock);
}

// False: there are as many as there can be.
static bool
thread_add(struct dp *dp, unsigned core)
{
    unsigned index = PMD_KERNEL + 1;
    char *error = NULL;

    while (index < PMD_MAX && rcu_get_protected(&dp->pmds[index])) {
        index++;
    }
    if (index == PMD_MAX) {
        log_warn("No PMD thread for core %u: there are %d already.", core, PMD_MAX - 1);
        dp->n_pmds_refused++;
        return false;
    }
    struct pmd *pmd = pmd_create(dp, index, (int)core, core_numa((int)core));
    dp_apply_settings(dp, pmd);
    pthread_mutex_lock(&dp->pmds_lock);
    rcu_assign(&dp->pmds[index], pmd);
    pthread_mutex_unlock(&dp->pmds_lock);
    // Devices get a send queue for it, or say that they share.
    DP_FOREACH_PORT (port, dp) {
        if (netdev_poll(port->netdev) != NETDEV_POLL_NONE && port->n_txq_configured <= index &&
            !netdev_queues(port->netdev)->txq_shared) {
            if (dp_port_reconfigure(dp, port->odp, &error)) {
                free(error);
            }
        } else {
            dp_port_give_tx(dp, port, pmd);
        }
    }
    dp->most_pmds = MAX(dp->most_pmds, dp_n_pmds(dp));
    pmd_start(pmd);
    return true;
}

static void
thread_remove(struct dp *dp, struct pmd *pmd)
{
    DP_FOREACH_PORT (port, dp) {
        for (unsigned i = 0; i < port->n_rxq; i++) {
            if (port->rxqs[i]->pmd == pmd->index) {
                port->rxqs[i]->pmd = PMD_MAX;
            }
        }
    }
    rxq_publish(dp);
    pthread_mutex_lock(&dp->pmds_lock);
    rcu_assign(&dp->pmds[pmd->index], NULL);
    pthread_mutex_unlock(&dp->pmds_lock);
    // Whoever injects or looks at counters has let go after this.
    rcu_synchronize();
    pmd_stop(pmd);
    dp_retire_pmd(dp, pmd);
    pmd_destroy(pmd);
}

static void
log_threads(const struct dp *dp)
{
    for (int node = 0; node < 64; node++) {
        unsigned n = 0;
        DP_FOREACH_PMD (pmd, dp) {
            n += !pmd->is_kernel && pmd->numa_id == node;
        }
        if (n) {
            log_info("There are %u pmd threads on numa node %d", n, node);
        }
    }
}

void
dp_update_threads(struct dp *dp)
{
    uint64_t mask[PMD_CORES / 64] = {0};
    bool changed = false;

    wanted_cores(dp, mask);
    DP_FOREACH_PMD (pmd, dp) {
        if (pmd->is_kernel) {
            continue;
        }
        if (core_bit(mask, (unsigned)pmd->core_id)) {
            mask[pmd->core_id / 64] &= ~(UINT64_C(1) << (pmd->core_id % 64));
        } else {
            thread_remove(dp, pmd);
            changed = true;
        }
    }
    for (unsigned core = 0; core < n_cores(); core++) {
        if (core_bit(mask, core)) {
            changed |= thread_add(dp, core);
        }
    }
    if (changed) {
        log_threads(dp);
        rxq_schedule(dp, true);
    }
}
