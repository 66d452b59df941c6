// SPDX-License-Identifier: Apache-2.0
//
// dpif-netdev/limits-show: how full each bounded thing of the datapath is and how often its bound
// was met, those of src/pmd first, then what others registered (base/limits.h);
// dpif-netdev/drops-show: drops by port and reason, and what the ports' devices dropped.  Main
// thread.
#include <stdlib.h>

#include "base/coverage.h"
#include "base/limits_report.h"
#include "pmd/dp_int.h"
#include "pmd/pmd_ctl.h"
#include "rpc/unixctl.h"

static uint64_t
counted(const char *name)
{
    uint64_t n = 0;

    coverage_read(name, &n);
    return n;
}

static uint64_t
port_drops(const struct dp_port *port, enum drop_reason reason)
{
    uint64_t n = atomic_load_explicit(&port->drops[reason], memory_order_relaxed);

    for (unsigned i = 0; i < port->n_rxq; i++) {
        n += atomic_load_explicit(&port->rxqs[i]->drops[reason], memory_order_relaxed);
    }
    return n;
}

static void
put_ports(struct str *s, const struct dp *dp)
{
    limit_put(s, &(struct limit){.name = "ports",
                                 .now = dp->n_ports,
                                 .most = dp->most_ports,
                                 .max = DP_MAX_PORTS - 1,
                                 .beyond = "refused",
                                 .n_beyond = dp->n_ports_refused});
}

static void
put_threads(struct str *s, const struct dp *dp)
{
    limit_put(s, &(struct limit){.name = "PMD threads",
                                 .now = dp_n_pmds(dp),
                                 .most = dp->most_pmds,
                                 .max = PMD_MAX - 1,
                                 .beyond = "cores left without one",
                                 .n_beyond = dp->n_pmds_refused});
}

static void
put_megaflows(struct str *s, const struct dp *dp)
{
    const struct megaflows *mf = &dp->mf;
    size_t limit = dp_flow_limit(dp);
    const struct dp_port *full = NULL;

    DP_FOREACH_PORT (port, dp) {
        if (!full || mf->port_flows[port->odp] > mf->port_flows[full->odp]) {
            full = port;
        }
    }
    limit_put(s, &(struct limit){.name = "megaflows",
                                 .now = dp_n_flows(dp),
                                 .most = atomic_load(&mf->most_flows),
                                 .max = limit,
                                 .beyond = "refused",
                                 .n_beyond = counted("upcall_flow_limit_hit")});
    limit_put(s, &(struct limit){.name = "megaflows of the fullest port",
                                 .of = full ? full->name : NULL,
                                 .now = full ? mf->port_flows[full->odp] : 0,
                                 .most = atomic_load(&mf->most_port_flows),
                                 .max = limit / 2,
                                 .beyond = "refused when three quarters of all were there",
                                 .n_beyond = atomic_load(&mf->n_port_refused)});
}

static void
put_masks(struct str *s, const struct dp *dp)
{
    const struct dp_port *port = NULL;
    uint32_t full = 0;

    for (unsigned i = 0; i < LANE_HEADS; i++) {
        for (const struct lane *l = rcu_get(&dp->mf.lanes[i]); l; l = rcu_get(&l->next)) {
            uint32_t n = rcu_get(&l->view)->n_subtables;
            if (n > full) {
                full = n;
                port = dp_port_find(dp, (odp_port_t)l->w0);
            }
        }
    }
    limit_put(s, &(struct limit){.name = "masks of the fullest lane",
                                 .of = port ? port->name : NULL,
                                 .now = full,
                                 .most = atomic_load(&dp->mf.most_masks),
                                 .max = LANE_MAX_SUBTABLES,
                                 .beyond = "flows put under a covering mask",
                                 .n_beyond = counted("megaflow_covering_mask")});
}

static uint32_t
emc_n_used(const struct emc_table *t)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < t->n_entries; i++) {
        n += __atomic_load_n(&t->w[i], __ATOMIC_RELAXED) != 0;
    }
    return n;
}

static void
put_caches(struct str *s, const struct dp *dp, const struct pmd *pmd, const char *core)
{
    const struct emc_table *emc = rcu_get(&pmd->emc.table);
    const struct smc *smc = rcu_get(&pmd->smc);

    limit_put(s, &(struct limit){.name = "exact-match cache, words",
                                 .of = core,
                                 .now = emc_n_used(emc),
                                 .max = emc->n_entries,
                                 .beyond = "evicted",
                                 .n_beyond = atomic_load(&pmd->emc.n_evicted)});
    if (smc) {
        limit_put(s, &(struct limit){.name = "signature cache, room for words",
                                     .of = core,
                                     .now = (uint64_t)smc->n_buckets * BUCKET_WORDS,
                                     .most = atomic_load(&pmd->smc_most_buckets) * BUCKET_WORDS,
                                     .max = (uint64_t)dp->set.smc_max_buckets * BUCKET_WORDS,
                                     .beyond = "words evicted",
                                     .n_beyond = atomic_load(&pmd->smc_evicted) +
                                                 atomic_load(&smc->n_evicted)});
    }
}

static void
put_pmds(struct str *s, const struct dp *dp)
{
    unsigned n;
    struct pmd **list = pmd_ctl_list(dp, &n);
    uint64_t most = 0, now = 0;

    for (unsigned i = 0; i < n; i++) {
        char core[32];
        snprintf(core, sizeof core, "%s %d", list[i]->is_kernel ? "main thread, core" : "core",
                 list[i]->core_id);
        put_caches(s, dp, list[i], core);
        uint64_t its_most;
        now = MAX(now, inject_waiting(list[i]->inject, &its_most));
        most = MAX(most, its_most);
    }
    free(list);
    limit_put(s, &(struct limit){.name = "answers that wait for the busiest PMD",
                                 .now = now,
                                 .most = most,
                                 .max = INJECT_MAX_WAITING,
                                 .beyond = "dropped",
                                 .n_beyond = counted("datapath_drop_inject_full")});
}

// Of the port that had most of them waiting at once.
static void
put_misses(struct str *s, const struct dp *dp)
{
    const struct dp_port *worst = NULL;
    uint64_t most = 0, its_most;

    DP_FOREACH_PORT (port, dp) {
        upcall_port_waiting(dp, port->odp, &its_most);
        if (!worst || its_most > most) {
            worst = port;
            most = its_most;
        }
    }
    limit_put(s, &(struct limit){.name = "misses that wait, worst port",
                                 .of = worst ? worst->name : NULL,
                                 .now = worst ? upcall_port_waiting(dp, worst->odp, &most) : 0,
                                 .most = most,
                                 .max = UPCALL_MAX_WAITING,
                                 .beyond = "dropped",
                                 .n_beyond = worst ? port_drops(worst, DROP_UPCALL_ERROR) : 0});
    str_printf(s, "misses that waited in vain, all ports: dropped %" PRIu64 "\n",
               counted("datapath_drop_upcall_error"));
}

static void
limits_show(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    const struct dp *dp = pmd_ctl_dp_or_error(conn, dpp);
    struct str s = STR_INIT;

    if (!dp) {
        return;
    }
    put_ports(&s, dp);
    put_threads(&s, dp);
    put_megaflows(&s, dp);
    put_masks(&s, dp);
    put_misses(&s, dp);
    str_printf(&s, "misses' share of a PMD that others wait for: %u %%, dropped %" PRIu64 "\n",
               dp->set.miss_share, counted("datapath_drop_miss_share"));
    str_printf(&s, "rests of queues whose misses were refused: %" PRIu64 "\n",
               counted("miss_share_rest"));
    str_printf(&s,
               "addresses that a port may have replaced in a full MAC table: 1000 in a second, "
               "not learned %" PRIu64 "\n",
               counted("mac_learning_limited"));
    str_printf(&s, "passes of a packet: %u, and %u packets between passes, dropped %" PRIu64 "\n",
               RECIRC_MAX_DEPTH, RECIRC_MAX, counted("datapath_drop_recirc_error"));
    put_pmds(&s, dp);
    limits_put_all(&s);
    unixctl_reply(conn, str_cstr(&s));
    str_free(&s);
}

static void
put_drops(struct str *s, const char *name, uint64_t n)
{
    if (n && n != UINT64_MAX) {
        str_printf(s, "  %s: %" PRIu64 "\n", name, n);
    }
}

static bool
ends_with(const char *s, const char *suffix)
{
    size_t len = strlen(s), suffix_len = strlen(suffix);

    return len >= suffix_len && !strcmp(s + len - suffix_len, suffix);
}

struct device_drops {
    struct str *s;
    bool tells_why; // why frames were not sent
};

// Policers' drops stand among the datapath's.
static void
put_device_drop(const char *name, uint64_t n, void *aux)
{
    struct device_drops *d = aux;

    if (ends_with(name, "_drops") && !ends_with(name, "_qos_drops")) {
        d->tells_why = true;
        put_drops(d->s, name, n);
    }
}

// Policers' drops are the datapath's, which has counted them.
static uint64_t
of_device(const struct netdev *netdev, bool rx, uint64_t dropped)
{
    uint64_t policed = netdev_policed(netdev, rx);

    return dropped == UINT64_MAX || dropped < policed ? dropped : dropped - policed;
}

// What a guest or a wire did not take, and what came too fast, under the names of
// Interface.statistics.
static void
put_device_drops(struct str *s, const struct netdev *netdev)
{
    struct device_drops d = {.s = s};
    struct netdev_stats stats;

    netdev_get_stats(netdev, &stats);
    netdev_get_custom_stats(netdev, put_device_drop, &d);
    put_drops(s, "rx_dropped", of_device(netdev, true, stats.rx_dropped));
    put_drops(s, "rx_missed_errors", stats.rx_missed_errors);
    if (!d.tells_why) {
        put_drops(s, "tx_dropped", of_device(netdev, false, stats.tx_dropped));
    }
}

static void
put_port_drops(struct str *s, const struct dp_port *port)
{
    str_printf(s, "port %u: %s\n", port->odp, port->name);
    for (unsigned reason = 0; reason < DROP_N_REASONS; reason++) {
        put_drops(s, drop_reason_name(reason), port_drops(port, reason));
    }
    put_device_drops(s, port->netdev);
}

static void
drops_show(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    const struct dp *dp = pmd_ctl_dp_or_error(conn, dpp);
    struct str s = STR_INIT;

    if (!dp) {
        return;
    }
    bool found = argc < 2;

    DP_FOREACH_PORT (port, dp) {
        if (argc < 2 || !strcmp(argv[1], port->name)) {
            put_port_drops(&s, port);
            found = true;
        }
    }
    if (found) {
        unixctl_reply(conn, str_cstr(&s));
    } else {
        unixctl_reply_errorf(conn, "%s: no such port", argv[1]);
    }
    str_free(&s);
}

void
limits_ctl_init(struct dp **dpp)
{
    unixctl_register("dpif-netdev/limits-show", "", 0, 0, limits_show, dpp);
    unixctl_register("dpif-netdev/drops-show", "[port]", 0, 1, drops_show, dpp);
}
