// SPDX-License-Identifier: Apache-2.0
//
// dpif-netdev/limits-show: how full each bounded thing of the datapath is and how often its bound
// was met; dpif-netdev/drops-show: drops by port and reason.  Main thread.
#include <stdlib.h>

#include "base/coverage.h"
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

static void
put_megaflows(struct str *s, const struct dp *dp)
{
    size_t limit = dp_flow_limit(dp);
    const struct dp_port *most = NULL;

    DP_FOREACH_PORT (port, dp) {
        if (!most || dp->mf.port_flows[port->odp] > dp->mf.port_flows[most->odp]) {
            most = port;
        }
    }
    str_printf(s, "megaflows: %zu of %zu, refused %" PRIu64 "\n", dp_n_flows(dp), limit,
               counted("upcall_flow_limit_hit"));
    str_printf(s, "megaflows of one port: %zu when more than %zu are there; ", limit / 2,
               limit - limit / 4);
    str_printf(s, "most: %s %u\n", most ? most->name : "none",
               most ? dp->mf.port_flows[most->odp] : 0);
}

static void
put_masks(struct str *s, const struct dp *dp)
{
    uint32_t most = 0, n_lanes = 0;
    odp_port_t port = ODPP_NONE;

    for (unsigned i = 0; i < LANE_HEADS; i++) {
        for (const struct lane *l = rcu_get(&dp->mf.lanes[i]); l; l = rcu_get(&l->next)) {
            uint32_t n = rcu_get(&l->view)->n_subtables;
            n_lanes++;
            if (n > most) {
                most = n;
                port = (odp_port_t)l->w0;
            }
        }
    }
    const struct dp_port *p = dp_port_find(dp, port);
    str_printf(s, "masks of a lane: %u of %u in the fullest of %u lanes", most, LANE_MAX_SUBTABLES,
               n_lanes);
    if (p) {
        str_printf(s, " (port %s)", p->name);
    }
    str_printf(s, ", flows under a covering mask %" PRIu64 "\n", counted("megaflow_covering_mask"));
}

static void
put_caches(struct str *s, const struct dp *dp)
{
    unsigned n;
    struct pmd **list = pmd_ctl_list(dp, &n);

    for (unsigned i = 0; i < n; i++) {
        const struct smc *smc = rcu_get(&list[i]->smc);
        if (smc) {
            str_printf(s, "signature cache, %s %d: %u of %u words\n",
                       list[i]->is_kernel ? "main thread, core" : "core", list[i]->core_id,
                       smc->n_buckets * BUCKET_WORDS, dp->set.smc_max_buckets * BUCKET_WORDS);
        }
    }
    free(list);
}

static void
limits_show(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    const struct dp *dp = pmd_ctl_dp_or_error(conn, dpp);
    struct str s = STR_INIT;

    if (!dp) {
        return;
    }
    put_megaflows(&s, dp);
    put_masks(&s, dp);
    str_printf(&s, "misses that wait, per port: %u, dropped %" PRIu64 "\n", UPCALL_MAX_WAITING,
               counted("datapath_drop_upcall_error"));
    str_printf(&s, "misses' share of a PMD that others wait for: %u %%, dropped %" PRIu64 "\n",
               dp->set.miss_share, counted("datapath_drop_miss_share"));
    str_printf(&s, "rests of queues whose misses were refused: %" PRIu64 "\n",
               counted("miss_share_rest"));
    str_printf(&s,
               "addresses that a port may have replaced in a full MAC table: 1000 in a second, "
               "not learned %" PRIu64 "\n",
               counted("mac_learning_limited"));
    str_printf(&s, "answers that wait, per PMD: %u, dropped %" PRIu64 "\n", INJECT_MAX_WAITING,
               counted("datapath_drop_inject_full"));
    str_printf(&s, "passes of a packet: %u, and %u packets between passes, dropped %" PRIu64 "\n",
               RECIRC_MAX_DEPTH, RECIRC_MAX, counted("datapath_drop_recirc_error"));
    put_caches(&s, dp);
    unixctl_reply(conn, str_cstr(&s));
    str_free(&s);
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
put_port_drops(struct str *s, const struct dp_port *port)
{
    str_printf(s, "port %u: %s\n", port->odp, port->name);
    for (unsigned reason = 0; reason < DROP_N_REASONS; reason++) {
        uint64_t n = port_drops(port, reason);
        if (n) {
            str_printf(s, "  %s: %" PRIu64 "\n", drop_reason_name(reason), n);
        }
    }
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
