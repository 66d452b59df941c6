// SPDX-License-Identifier: Apache-2.0
//
// The datapath as a whole: life, settings, and the doors of dp.h that lead to megaflows.  Main
// thread, unless dp.h says otherwise.
#include "pmd/dp.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "base/log.h"
#include "base/random.h"
#include "base/thread.h"
#include "pmd/bonds.h"
#include "pmd/dp_int.h"
#include "pmd/meter.h"

LOG_MODULE(dpif_netdev);

COVERAGE_DEFINE(dpif_destroy);
COVERAGE_DEFINE(dpif_flow_del);
COVERAGE_DEFINE(dpif_flow_flush);
COVERAGE_DEFINE(dpif_flow_get);
COVERAGE_DEFINE(dpif_flow_put);

enum { DP_MISS_SHARE_DEFAULT = 2 };

static void
settings_default(struct dp_settings *set)
{
    memset(set, 0, sizeof *set);
    memset(set->core_sleep_us, 0xff, sizeof set->core_sleep_us);
    set->rxq_isolate = true;
    set->perf_log = perf_log_defaults;
    set->emc_inv_prob = 100;
    set->emc_entries = EMC_ENTRIES_DEFAULT;
    set->miss_share = DP_MISS_SHARE_DEFAULT;
    set->smc_enable = true;
    set->smc_max_buckets = SMC_MAX_BUCKETS_DEFAULT;
    set->auto_lb_interval_min = AUTO_LB_INTERVAL_MIN;
    set->auto_lb_load = AUTO_LB_LOAD;
    set->auto_lb_improvement = AUTO_LB_IMPROVEMENT;
}

void
dp_set_identity(struct dp *dp, const char *type, bool is_dummy)
{
    snprintf(dp->type, sizeof dp->type, "%.20s", type);
    snprintf(dp->name, sizeof dp->name, "ovs-%.20s", dp->type);
    dp->is_dummy = is_dummy;
}

const char *
dp_type(const struct dp *dp)
{
    return dp->type;
}

const char *
dp_name(const struct dp *dp)
{
    return dp->name;
}

struct dp *
dp_create(void)
{
    struct dp *dp = xzalloc_cacheline(sizeof *dp);

    dp_set_identity(dp, "netdev", false);
    random_bytes(&dp->secret, sizeof dp->secret);
    megaflows_init(&dp->mf, &dp->secret);
    dp->mf.slot_freed = dp_clear_slot;
    dp->mf.slot_freed_aux = dp;
    pthread_mutex_init(&dp->pmds_lock, NULL);
    pthread_mutex_init(&dp->keeper_lock, NULL);
    pthread_cond_init(&dp->keeper_cond, NULL);
    settings_default(&dp->set);
    dp->upcalls = upcall_queues_create();
    dp->meters = meters_create();
    dp->bonds = bonds_create();
    struct pmd *kernel = pmd_create(dp, PMD_KERNEL, -1, 0);
    dp_apply_settings(dp, kernel);
    rcu_assign(&dp->pmds[PMD_KERNEL], kernel);
    pmd_start(kernel);
    keeper_start(dp);
    return dp;
}

void
dp_destroy(struct dp *dp)
{
    if (!dp) {
        return;
    }
    coverage_inc(dpif_destroy);
    for (odp_port_t odp = 0; odp < DP_MAX_PORTS; odp++) {
        dp_port_del(dp, odp);
    }
    keeper_stop(dp);
    for (unsigned i = 0; i < PMD_MAX; i++) {
        struct pmd *pmd = rcu_get_protected(&dp->pmds[i]);
        if (pmd) {
            pmd_stop(pmd);
        }
    }
    dp_flow_flush(dp);
    rcu_barrier();
    for (unsigned i = 0; i < PMD_MAX; i++) {
        struct pmd *pmd = rcu_get_protected(&dp->pmds[i]);
        if (pmd) {
            rcu_assign(&dp->pmds[i], NULL);
            pmd_destroy(pmd);
        }
    }
    rcu_barrier();
    upcall_queues_destroy(dp->upcalls);
    meters_destroy(dp->meters);
    bonds_destroy(dp->bonds);
    megaflows_fini(&dp->mf);
    if (dp->retired) {
        dp_unmap_counters(dp->retired);
    }
    pthread_mutex_destroy(&dp->pmds_lock);
    pthread_mutex_destroy(&dp->keeper_lock);
    pthread_cond_destroy(&dp->keeper_cond);
    free(dp);
}

// --- settings -------------------------------------------------------------------------------

// A hexadecimal mask of any length, with or without "0x".  False: not a mask.
static bool
parse_cpu_mask(const char *s, uint64_t *mask)
{
    unsigned bit = 0;

    memset(mask, 0, PMD_CORES / 8);
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        s += 2;
    }
    for (size_t i = strlen(s); i-- > 0; bit += 4) {
        const char *digits = "0123456789abcdef";
        const char *d = strchr(digits, s[i] | 0x20);
        if (!d || !s[i]) {
            return false;
        }
        if (bit < PMD_CORES) {
            mask[bit / 64] |= (uint64_t)(d - digits) << (bit % 64);
        }
    }
    return bit > 0;
}

static void
set_pmd_mask(struct dp *dp, const char *text)
{
    uint64_t mask[PMD_CORES / 64] = {0};
    bool given = text && *text;

    if (given && !parse_cpu_mask(text, mask)) {
        log_warn("Invalid cpu mask: %s", text);
        given = false;
    }
    if (given != dp->set.pmd_mask_given || memcmp(mask, dp->set.pmd_mask, sizeof mask)) {
        memcpy(dp->set.pmd_mask, mask, sizeof mask);
        dp->set.pmd_mask_given = given;
        dp->want_reconfigure = true;
    }
}

static void
set_rxq_assign(struct dp *dp, const char *text)
{
    enum rxq_assign assign = RXQ_ASSIGN_CYCLES;

    if (!strcmp(text, "roundrobin")) {
        assign = RXQ_ASSIGN_ROUNDROBIN;
    } else if (!strcmp(text, "group")) {
        assign = RXQ_ASSIGN_GROUP;
    } else if (strcmp(text, "cycles")) {
        log_warn("Unsupported rx queue to PMD assignment mode in pmd-rxq-assign. Defaulting to "
                 "'cycles'.");
    }
    if (assign != dp->set.rxq_assign) {
        log_info("Rxq to PMD assignment mode changed to: '%s'.",
                 assign == RXQ_ASSIGN_CYCLES ? "cycles" : text);
        dp->set.rxq_assign = assign;
        dp->want_schedule = true;
    }
}

// A queue that is pinned to a core may leave that to others, too, where these are placed by load.
static void
set_rxq_isolate(struct dp *dp, bool isolate)
{
    struct dp_settings *set = &dp->set;
    bool refused = !isolate && set->rxq_assign != RXQ_ASSIGN_GROUP;

    if (refused && !set->rxq_isolate_refused) {
        log_warn("pmd-rxq-isolate can only be set false when using pmd-rxq-assign=group");
    }
    set->rxq_isolate_refused = refused;
    isolate |= refused;
    if (isolate != set->rxq_isolate) {
        log_info("pmd-rxq-affinity %s PMD core", isolate ? "isolates" : "does not isolate");
        set->rxq_isolate = isolate;
        dp->want_schedule = true;
    }
}

// "50" or "50,2:100,7:0": a number for all, and others for single cores, each at most 10,000.
static void
read_max_sleep(struct dp_settings *set, const struct smap *cfg)
{
    const char *p = smap_get(cfg, "pmd-sleep-max");

    p = p ? p : smap_get_def(cfg, "pmd-maxsleep", "0");
    set->max_sleep_us = 0;
    memset(set->core_sleep_us, 0xff, sizeof set->core_sleep_us);
    while (*p) {
        unsigned core, us;
        int n = 0;
        if (sscanf(p, " %u : %u %n", &core, &us, &n) == 2 && n) {
            if (core < PMD_CORES) {
                set->core_sleep_us[core] = MIN(us, 10000u);
            }
        } else if (sscanf(p, " %u %n", &us, &n) == 1 && n) {
            set->max_sleep_us = MIN(us, 10000u);
        } else {
            return;
        }
        p += n;
        p += *p == ',';
    }
}

static void
set_max_sleep(struct dp_settings *set, const struct smap *cfg)
{
    uint32_t before = set->max_sleep_us;

    read_max_sleep(set, cfg);
    if (set->max_sleep_us != before) {
        log_info("PMD max sleep request is %u usecs.", set->max_sleep_us);
        log_info("PMD load based sleeps are %s.", set->max_sleep_us ? "enabled" : "disabled");
    }
}

// The largest power of two up to 'n', but from 'min' to 'max', which are such powers, too.
static uint32_t
power_of_two(uint32_t n, uint32_t min, uint32_t max)
{
    while (min < max && min * 2 <= n) {
        min *= 2;
    }
    return min;
}

static void
log_emc_probability(uint32_t inv_prob)
{
    if (inv_prob) {
        log_info("EMC insertion probability changed to 1/%u (~%.2f%%)", inv_prob, 100.0 / inv_prob);
    } else {
        log_info("EMC insertion probability changed to zero");
    }
}

static void
log_changes(const struct dp_settings *old, const struct dp_settings *set)
{
    if (set->emc_inv_prob != old->emc_inv_prob) {
        log_emc_probability(set->emc_inv_prob);
    }
    if (set->smc_enable != old->smc_enable) {
        log_info("SMC cache is %s", set->smc_enable ? "enabled" : "disabled");
    }
    if (set->tx_flush_us != old->tx_flush_us) {
        log_info("Flushing interval for tx queues set to %" PRIu64 " us", set->tx_flush_us);
    }
    if (set->perf_metrics != old->perf_metrics) {
        log_info("PMD performance metrics collection %s",
                 set->perf_metrics ? "enabled" : "disabled");
    }
}

void
dp_set_config(struct dp *dp, const struct smap *cfg)
{
    struct dp_settings *set = &dp->set, old = *set;

    set_pmd_mask(dp, smap_get(cfg, "pmd-cpu-mask"));
    set_rxq_assign(dp, smap_get_def(cfg, "pmd-rxq-assign", "cycles"));
    set_rxq_isolate(dp, smap_get_bool(cfg, "pmd-rxq-isolate", true));
    set->emc_inv_prob = smap_get_uint(cfg, "emc-insert-inv-prob", 100);
    set->emc_entries = power_of_two(smap_get_uint(cfg, "emc-entries", EMC_ENTRIES_DEFAULT),
                                    EMC_ENTRIES_MIN, EMC_ENTRIES_MAX);
    set->miss_share = MIN(smap_get_uint(cfg, "pmd-miss-share", DP_MISS_SHARE_DEFAULT), 100u);
    set->smc_enable = smap_get_bool(cfg, "smc-enable", true);
    set->smc_max_buckets =
        power_of_two(smap_get_uint(cfg, "smc-max-entries", SMC_MAX_BUCKETS_DEFAULT * BUCKET_WORDS) /
                         BUCKET_WORDS,
                     SMC_MIN_BUCKETS, SMC_MAX_BUCKETS_LIMIT);
    set->tx_flush_us = MIN(smap_get_uint(cfg, "tx-flush-interval", 0), 1000000u);
    set_max_sleep(set, cfg);
    set->perf_metrics = smap_get_bool(cfg, "pmd-perf-metrics", false);
    log_changes(&old, set);
    auto_lb_set(dp, cfg);
    DP_FOREACH_PMD (pmd, dp) {
        dp_apply_settings(dp, pmd);
    }
    dp_run(dp);
}

// A device whose guest or driver wants other queues is set up anew.
static void
run_port_wishes(struct dp *dp)
{
    DP_FOREACH_PORT (port, dp) {
        if (netdev_wants_reconfigure(port->netdev)) {
            char *error = NULL;
            if (dp_port_reconfigure(dp, port->odp, &error)) {
                free(error);
            }
        }
    }
}

void
dp_hold(struct dp *dp)
{
    dp->hold = true;
}

void
dp_halt(struct dp *dp)
{
    DP_FOREACH_PORT (port, dp) {
        for (unsigned int i = 0; i < port->n_rxq; i++) {
            port->rxqs[i]->withdrawn = true;
        }
    }
    rxq_publish(dp);
    rcu_synchronize();
}

void
dp_run(struct dp *dp)
{
    if (dp->hold) {
        // Guests that are there set their ports' queues up anew, and such a port sends nothing.
        netdev_await_guests();
        run_port_wishes(dp);
        dp->hold = false;
        dp->want_schedule = true;
    }
    run_port_wishes(dp);
    if (dp->want_reconfigure) {
        dp->want_reconfigure = false;
        dp_update_threads(dp);
    }
    if (dp->want_schedule) {
        dp->want_schedule = false;
        rxq_schedule(dp, true);
    }
    auto_lb_run(dp);
}

// --- flows ----------------------------------------------------------------------------------

int
dp_flow_put(struct dp *dp, const struct dp_flow_put *put, struct dp_flow **out)
{
    coverage_inc(dpif_flow_put);
    return megaflow_put(&dp->mf, put, out);
}

int
dp_flow_set_actions(struct dp *dp, struct dp_flow *f, const struct dp_actions *actions)
{
    return megaflow_set_actions(&dp->mf, f, actions);
}

struct dp_shared *
dp_shared_create(struct dp *dp, const struct dp_actions *actions)
{
    struct dp_shared *shared;

    pthread_mutex_lock(&dp->mf.lock);
    shared = plan_shared_create(&dp->mf.plans, actions);
    pthread_mutex_unlock(&dp->mf.lock);
    return shared;
}

void
dp_shared_unref(struct dp *dp, struct dp_shared *shared)
{
    if (shared) {
        pthread_mutex_lock(&dp->mf.lock);
        plan_unref(&dp->mf.plans, &shared->plan);
        pthread_mutex_unlock(&dp->mf.lock);
    }
}

void
dp_shared_set_actions(struct dp *dp, struct dp_shared *shared, const struct dp_actions *actions)
{
    pthread_mutex_lock(&dp->mf.lock);
    plan_shared_set(&dp->mf.plans, shared, actions);
    pthread_mutex_unlock(&dp->mf.lock);
}

const struct dp_actions *
dp_shared_actions(const struct dp_shared *shared)
{
    return &plan_resolve(&shared->plan)->actions;
}

int
dp_flow_share(struct dp *dp, struct dp_flow *f, struct dp_shared *shared)
{
    return megaflow_share(&dp->mf, f, shared);
}

void
dp_flow_del(struct dp *dp, struct dp_flow *f, struct dp_flow_stats *stats)
{
    coverage_inc(dpif_flow_del);
    megaflow_del(&dp->mf, f);
    if (stats) {
        dp_flow_get_stats(f, stats);
    }
}

void
dp_set_flow_expel(struct dp *dp, dp_flow_expel_fn *fn, void *aux)
{
    dp->expel = fn;
    dp->expel_aux = aux;
}

void
dp_flow_expel(struct dp *dp, struct dp_flow *f)
{
    if (dp->expel) {
        dp->expel(dp, f, dp->expel_aux);
    } else {
        dp_flow_del(dp, f, NULL);
    }
}

void
dp_set_flow_adopt(struct dp *dp, dp_flow_adopt_fn *fn, void *aux)
{
    dp->adopt = fn;
    dp->adopt_aux = aux;
}

void
dp_flow_adopt(struct dp *dp, struct dp_flow *f)
{
    if (dp->adopt) {
        dp->adopt(dp, f, dp->adopt_aux);
    }
}

static bool
flush_one(struct dp *dp, struct dp_flow *f, void *aux)
{
    dp_flow_expel(dp, f);
    return true;
}

void
dp_flow_flush(struct dp *dp)
{
    coverage_inc(dpif_flow_flush);
    dp_flow_walk(dp, 0, 1, flush_one, NULL);
}

struct dp_flow *
dp_flow_find(struct dp *dp, const struct uuid *ufid)
{
    coverage_inc(dpif_flow_get);
    return megaflow_find_ufid(&dp->mf, ufid);
}

struct dp_flow *
dp_flow_find_key(struct dp *dp, const struct flow *key)
{
    return megaflow_find_key(&dp->mf, key);
}

struct uuid
dp_flow_ufid(const struct dp_flow *f)
{
    const struct flow_cold *cold = __atomic_load_n(&f->cold, __ATOMIC_ACQUIRE);

    return cold ? cold->ufid : (struct uuid){{0}};
}

void
dp_flow_get_key(const struct dp_flow *f, struct flow *key, struct flow_mask *mask)
{
    megaflow_get_key(f, key, mask);
}

const struct dp_actions *
dp_flow_actions(const struct dp_flow *f)
{
    static const struct dp_actions none;
    const struct plan *plan = rcu_get(&f->plan);

    return plan ? &plan_resolve(plan)->actions : &none;
}

void *
dp_flow_aux(const struct dp_flow *f)
{
    const struct flow_cold *cold = __atomic_load_n(&f->cold, __ATOMIC_ACQUIRE);

    return cold ? atomic_load(&cold->aux) : NULL;
}

void *
dp_flow_swap_aux(struct dp_flow *f, void *aux)
{
    struct flow_cold *cold = __atomic_load_n(&f->cold, __ATOMIC_ACQUIRE);

    return cold ? atomic_exchange(&cold->aux, aux) : NULL;
}

void
dp_flow_set_aux(struct dp_flow *f, void *aux)
{
    struct flow_cold *cold = __atomic_load_n(&f->cold, __ATOMIC_ACQUIRE);

    if (cold) {
        atomic_store(&cold->aux, aux);
    }
}

bool
dp_flow_is_dead(const struct dp_flow *f)
{
    const struct flow_cold *cold = __atomic_load_n(&f->cold, __ATOMIC_ACQUIRE);

    return !cold || __atomic_load_n(&cold->dead, __ATOMIC_ACQUIRE);
}

void
dp_flow_walk(struct dp *dp, unsigned part, unsigned n_parts,
             bool (*cb)(struct dp *, struct dp_flow *, void *aux), void *aux)
{
    uint32_t high = __atomic_load_n(&dp->mf.high_slot, __ATOMIC_ACQUIRE);

    for (uint32_t slot = 1 + part; slot < high; slot += n_parts) {
        struct dp_flow *f = &dp->mf.slab[slot];
        if (!dp_flow_is_dead(f) && rcu_get(&f->plan) && !cb(dp, f, aux)) {
            return;
        }
    }
}

size_t
dp_n_flows(const struct dp *dp)
{
    return atomic_load(&dp->mf.n_flows);
}

void
dp_set_flow_limit(struct dp *dp, size_t limit)
{
    atomic_store(&dp->mf.limit, MIN(limit, (size_t)FLOW_MAX_SLOTS - 1));
}

size_t
dp_flow_limit(const struct dp *dp)
{
    return atomic_load(&dp->mf.limit);
}

unsigned
dp_n_pmds(const struct dp *dp)
{
    unsigned n = 0;

    DP_FOREACH_PMD (pmd, dp) {
        n += !pmd->is_kernel;
    }
    return n;
}
