// SPDX-License-Identifier: Apache-2.0
//
// dpif-netdev/pmd-perf-log-set and dpif-netdev/pmd-stage-show.  Main thread.
#include <stdlib.h>

#include "pmd/dp_int.h"
#include "pmd/pmd_ctl.h"
#include "rpc/unixctl.h"

// on|off, and what changes of the present settings.  False: an error was sent.
static bool
parse_log_args(struct unixctl_conn *conn, int argc, const char *argv[],
               struct perf_log_settings *set)
{
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        uint32_t *number = !strcmp(a, "-b")    ? &set->before
                           : !strcmp(a, "-a")  ? &set->after
                           : !strcmp(a, "-us") ? &set->us
                           : !strcmp(a, "-q")  ? &set->qlen
                                               : NULL;
        if (number) {
            unsigned value;
            if (i + 1 >= argc || !str_to_uint(argv[i + 1], 10, &value) ||
                ((number == &set->before || number == &set->after) && value > PERF_LOG_MAX_SIDE)) {
                unixctl_reply_errorf(
                    conn, "%s: a number is expected after it%s", a,
                    number == &set->before || number == &set->after ? ", at most 100" : "");
                return false;
            }
            *number = value;
            i++;
        } else if (!strcmp(a, "on") || !strcmp(a, "off")) {
            set->on = a[1] == 'n';
        } else if (!strcmp(a, "-e") || !strcmp(a, "-ne")) {
            set->extend = a[1] == 'e';
        } else {
            unixctl_reply_errorf(conn,
                                 "Usage: ovs-appctl %s [on|off] [-b before] [-a after] [-e|-ne] "
                                 "[-us usec] [-q qlen]",
                                 argv[0]);
            return false;
        }
    }
    return true;
}

static void
pmd_perf_log_set(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dp *dp = pmd_ctl_dp_or_error(conn, dpp);
    struct perf_log_settings set;

    if (!dp) {
        return;
    }
    set = dp->set.perf_log;
    if (!parse_log_args(conn, argc, argv, &set)) {
        return;
    }
    dp->set.perf_log = set;
    DP_FOREACH_PMD (pmd, dp) {
        perf_log_set(&pmd->perf.log, &set);
    }
    unixctl_reply(conn, NULL);
}

// --- stages ---------------------------------------------------------------------------------

static const char *const stage_names[PERF_N_STAGES] = {
    [PERF_STAGE_RECEIVE] = "receive", [PERF_STAGE_EXTRACT] = "extract",
    [PERF_STAGE_HASH] = "hash",       [PERF_STAGE_EMC] = "emc",
    [PERF_STAGE_SMC] = "smc",         [PERF_STAGE_DPCLS] = "dpcls",
    [PERF_STAGE_UPCALL] = "upcall",   [PERF_STAGE_PROMOTE] = "promote",
    [PERF_STAGE_EXECUTE] = "execute", [PERF_STAGE_SEND] = "send, recirculate",
};

static void
put_stages(struct str *s, struct pmd *pmd, const struct pmd_ctl_args *args)
{
    uint64_t sum = 0;

    pmd_ctl_put_header(s, pmd);
    for (unsigned i = 0; i < PERF_N_STAGES; i++) {
        sum += atomic_load_explicit(&pmd->perf.stage[i].cycles, memory_order_relaxed);
    }
    str_printf(s, "  %-18s %14s %16s %10s %8s\n", "stage", "packets", "cycles", "cycles/pkt",
               "share");
    for (unsigned i = 0; i < PERF_N_STAGES; i++) {
        uint64_t cycles = atomic_load_explicit(&pmd->perf.stage[i].cycles, memory_order_relaxed);
        uint64_t n = atomic_load_explicit(&pmd->perf.stage[i].n_packets, memory_order_relaxed);
        str_printf(s, "  %-18s %14" PRIu64 " %16" PRIu64 " %10.1f %7.1f%%\n", stage_names[i], n,
                   cycles, n ? (double)cycles / (double)n : 0,
                   sum ? (double)cycles * 100 / (double)sum : 0);
    }
}

static void
pmd_stage_show(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dp *dp = pmd_ctl_dp_or_error(conn, dpp);
    struct pmd_ctl_args args;

    if (!dp || !pmd_ctl_parse(conn, dp, argc, argv, &args)) {
        return;
    }
    if (!dp->set.perf_metrics) {
        unixctl_reply_error(conn, "stages are measured with other_config:pmd-perf-metrics=true");
        return;
    }
    pmd_ctl_show(conn, dp, &args, put_stages);
}

void
perf_log_ctl_init(struct dp **dpp)
{
    unixctl_register("dpif-netdev/pmd-perf-log-set",
                     "on|off [-b before] [-a after] [-e|-ne] [-us usec] [-q qlen]", 0, 10,
                     pmd_perf_log_set, dpp);
    unixctl_register("dpif-netdev/pmd-stage-show", "[-pmd core] [dp]", 0, 3, pmd_stage_show, dpp);
}
