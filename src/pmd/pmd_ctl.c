// SPDX-License-Identifier: Apache-2.0
//
// Commands of ovs-appctl about PMD threads: dpif-netdev/pmd-*, and those that chose between
// implementations in older releases, which answer for the one there is.  Main thread.
#include "pmd/pmd_ctl.h"

#include <stdlib.h>

#include "base/clock.h"
#include "pmd/bonds.h"
#include "pmd/dp_int.h"
#include "rpc/unixctl.h"

struct dp *
pmd_ctl_dp(struct dp **dpp)
{
    if (*dpp) {
        DP_FOREACH_PORT (port, *dpp) {
            return *dpp;
        }
    }
    return NULL;
}

struct dp *
pmd_ctl_dp_or_error(struct unixctl_conn *conn, struct dp **dpp)
{
    struct dp *dp = pmd_ctl_dp(dpp);

    if (!dp) {
        unixctl_reply_error(conn, "please specify an existing datapath");
    }
    return dp;
}

// The PMDs by core, the kernel thread last; the caller frees the array.
struct pmd **
pmd_ctl_list(const struct dp *dp, unsigned *n)
{
    struct pmd **list = xcalloc(PMD_MAX, sizeof *list);

    *n = 0;
    DP_FOREACH_PMD (pmd, dp) {
        unsigned i = (*n)++;
        for (; i > 0 && !pmd->is_kernel &&
               (list[i - 1]->is_kernel || list[i - 1]->core_id > pmd->core_id);
             i--) {
            list[i] = list[i - 1];
        }
        list[i] = pmd;
    }
    return list;
}

void
pmd_ctl_put_header(struct str *s, const struct pmd *pmd)
{
    if (pmd->is_kernel) {
        str_put(s, "main thread:\n");
    } else {
        str_printf(s, "pmd thread numa_id %d core_id %d:\n", pmd->numa_id, pmd->core_id);
    }
}

bool
pmd_ctl_is_dp_name(const struct dp *dp, const char *name)
{
    size_t n = strlen(dp->type);

    return !strcmp(name, dp->name) ||
           (!strncmp(name, dp->type, n) && name[n] == '@' && !strcmp(name + n + 1, dp->name));
}

// Options first, then perhaps the name of the datapath.  False: an error was sent.
bool
pmd_ctl_parse(struct unixctl_conn *conn, const struct dp *dp, int argc, const char *argv[],
              struct pmd_ctl_args *args)
{
    *args = (struct pmd_ctl_args){.core = -1, .secs = 60};
    for (int i = 1; i < argc; i++) {
        unsigned *number = NULL;
        unsigned core;
        if (!strcmp(argv[i], "-nh")) {
            args->no_histograms = true;
            continue;
        }
        if (!strcmp(argv[i], "-pmd")) {
            number = &core;
        } else if (!strcmp(argv[i], "-secs")) {
            number = &args->secs;
        } else if (!strcmp(argv[i], "-it")) {
            number = &args->n_iterations;
        } else if (!strcmp(argv[i], "-ms")) {
            number = &args->n_milliseconds;
        } else if (pmd_ctl_is_dp_name(dp, argv[i])) {
            continue;
        } else {
            unixctl_reply_error(conn, "please specify an existing datapath");
            return false;
        }
        if (i + 1 >= argc || !str_to_uint(argv[i + 1], 10, number)) {
            unixctl_reply_errorf(conn, "%s: a number is expected after it", argv[i]);
            return false;
        }
        i++;
        if (number == &core) {
            args->core = (int)core;
        }
    }
    return true;
}

// --- pmd-stats-show -------------------------------------------------------------------------

static void
put_cycles(struct str *s, const struct pmd_perf *p, uint64_t packets)
{
    uint64_t idle = perf_get(p, PMD_STAT_IDLE_CYCLES);
    uint64_t busy = perf_get(p, PMD_STAT_BUSY_CYCLES);
    double total = (double)(idle + busy);

    if (total <= 0) {
        return;
    }
    str_printf(s, "  idle cycles: %" PRIu64 " (%.02f%%)\n", idle, (double)idle / total * 100);
    str_printf(s, "  processing cycles: %" PRIu64 " (%.02f%%)\n", busy, (double)busy / total * 100);
    if (packets) {
        str_printf(s, "  avg cycles per packet: %.02f (%" PRIu64 "/%" PRIu64 ")\n",
                   total / (double)packets, idle + busy, packets);
        str_printf(s, "  avg processing cycles per packet: %.02f (%" PRIu64 "/%" PRIu64 ")\n",
                   (double)busy / (double)packets, busy, packets);
    }
}

static double
ratio(uint64_t a, uint64_t b)
{
    return b ? (double)a / (double)b : 0;
}

static void
put_stats(struct str *s, struct pmd *pmd, const struct pmd_ctl_args *args)
{
    const struct pmd_perf *p = &pmd->perf;
    uint64_t packets = perf_get(p, PMD_STAT_RX);
    uint64_t recircs = perf_get(p, PMD_STAT_RECIRC);
    uint64_t megaflow = perf_get(p, PMD_STAT_DPCLS_HIT);

    pmd_ctl_put_header(s, pmd);
    str_printf(s, "  packets received: %" PRIu64 "\n", packets);
    str_printf(s, "  packet recirculations: %" PRIu64 "\n", recircs);
    str_printf(s, "  avg. datapath passes per packet: %.02f\n", ratio(packets + recircs, packets));
    str_put(s, "  phwol hits: 0\n  mfex opt hits: 0\n  simple match hits: 0\n");
    str_printf(s, "  emc hits: %" PRIu64 "\n", perf_get(p, PMD_STAT_EMC_HIT));
    str_printf(s, "  smc hits: %" PRIu64 "\n", perf_get(p, PMD_STAT_SMC_HIT));
    str_printf(s, "  megaflow hits: %" PRIu64 "\n", megaflow);
    str_printf(s, "  avg. subtable lookups per megaflow hit: %.02f\n",
               ratio(perf_get(p, PMD_STAT_LOOKUPS), megaflow));
    str_printf(s, "  miss with success upcall: %" PRIu64 "\n", perf_get(p, PMD_STAT_MISS));
    str_printf(s, "  miss with failed upcall: %" PRIu64 "\n", perf_get(p, PMD_STAT_LOST));
    str_printf(s, "  avg. packets per output batch: %.02f\n",
               ratio(perf_get(p, PMD_STAT_TX), perf_get(p, PMD_STAT_TX_BATCHES)));
    if (!pmd->is_kernel) {
        put_cycles(s, p, packets);
    }
}

void
pmd_ctl_show(struct unixctl_conn *conn, const struct dp *dp, const struct pmd_ctl_args *args,
             pmd_ctl_put_fn *put)
{
    struct str s = STR_INIT;
    unsigned n;
    struct pmd **list = pmd_ctl_list(dp, &n);

    for (unsigned i = 0; i < n; i++) {
        if (args->core < 0 || list[i]->core_id == args->core) {
            put(&s, list[i], args);
        }
    }
    free(list);
    unixctl_reply(conn, str_cstr(&s));
    str_free(&s);
}

static void
pmd_stats_show(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dp *dp = pmd_ctl_dp_or_error(conn, dpp);
    struct pmd_ctl_args args;

    if (!dp || !pmd_ctl_parse(conn, dp, argc, argv, &args)) {
        return;
    }
    pmd_ctl_show(conn, dp, &args, put_stats);
}

static void
pmd_stats_clear(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dp *dp = pmd_ctl_dp_or_error(conn, dpp);
    struct pmd_ctl_args args;

    if (!dp || !pmd_ctl_parse(conn, dp, argc, argv, &args)) {
        return;
    }
    DP_FOREACH_PMD (pmd, dp) {
        if (args.core < 0 || pmd->core_id == args.core) {
            perf_clear(&pmd->perf, clock_now_ms());
        }
    }
    unixctl_reply(conn, NULL);
}

// --- pmd-rxq-show ---------------------------------------------------------------------------

// Sum over the newest 'n' intervals.
static uint64_t
recent(const _Atomic uint64_t *interval, uint64_t n_noted, unsigned n)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < n && i < n_noted; i++) {
        sum += atomic_load_explicit(&interval[(n_noted - i) % RXQ_INTERVALS], memory_order_relaxed);
    }
    return sum;
}

static void
put_rxq(struct str *s, const struct rxq *rxq, uint64_t n_noted, unsigned n)
{
    double window = (double)clock_tsc_hz() * 5 * (double)MIN(n_noted, (uint64_t)n);

    str_printf(s, "  port: %-16s  queue-id: %2u %s  pmd usage: ", rxq->port->name, rxq->qid,
               netdev_rxq_enabled(rxq->netdev, rxq->qid) ? "(enabled) " : "(disabled)");
    if (window > 0) {
        str_printf(s, "%2d %%\n", (int)((double)recent(rxq->interval, n_noted, n) * 100 / window));
    } else {
        str_put(s, "NOT AVAIL\n");
    }
}

static void
put_rxqs(struct str *s, const struct dp *dp, const struct pmd *pmd, unsigned secs)
{
    uint64_t n_noted = atomic_load(&dp->load_intervals);
    unsigned n = MIN(DIV_ROUND_UP(secs, 5), (unsigned)RXQ_INTERVALS);
    double window = (double)clock_tsc_hz() * 5 * (double)MIN(n_noted, (uint64_t)n);
    uint64_t used = 0;

    pmd_ctl_put_header(s, pmd);
    str_printf(s, "  isolated : %s\n", pmd->isolated ? "true" : "false");
    DP_FOREACH_PORT (port, dp) {
        for (unsigned i = 0; i < port->n_rxq; i++) {
            if (port->rxqs[i]->pmd == pmd->index) {
                put_rxq(s, port->rxqs[i], n_noted, n);
                used += recent(port->rxqs[i]->interval, n_noted, n);
            }
        }
    }
    uint64_t busy = recent(pmd->busy_interval, n_noted, n);
    if (window > 0) {
        str_printf(s, "  overhead: %2d %%\n",
                   (int)((double)(busy > used ? busy - used : 0) * 100 / window));
    } else {
        str_put(s, "  overhead: NOT AVAIL\n");
    }
}

static void
pmd_rxq_show(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dp *dp = pmd_ctl_dp_or_error(conn, dpp);
    struct pmd_ctl_args args;
    struct str s = STR_INIT;
    unsigned n;

    if (!dp || !pmd_ctl_parse(conn, dp, argc, argv, &args)) {
        return;
    }
    unsigned secs = MIN(MAX(ROUND_UP(args.secs, 5), 5u), RXQ_INTERVALS * 5u);
    struct pmd **list = pmd_ctl_list(dp, &n);
    for (unsigned i = 0; i < n; i++) {
        if (args.core >= 0 && list[i]->core_id != args.core) {
            continue;
        }
        if (!s.len) {
            str_printf(&s, "Displaying last %u seconds pmd usage %%\n", secs);
        }
        if (!list[i]->is_kernel) {
            put_rxqs(&s, dp, list[i], secs);
        }
    }
    free(list);
    unixctl_reply(conn, str_cstr(&s));
    str_free(&s);
}

static void
pmd_rxq_rebalance(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dp *dp = pmd_ctl_dp_or_error(conn, dpp);
    struct pmd_ctl_args args;

    if (dp && pmd_ctl_parse(conn, dp, argc, argv, &args)) {
        rxq_schedule(dp, true);
        unixctl_reply(conn, "pmd rxq rebalance requested.\n");
    }
}

static void
pmd_sleep_show(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dp *dp = pmd_ctl_dp_or_error(conn, dpp);
    struct str s = STR_INIT;
    unsigned n;

    if (!dp) {
        return;
    }
    str_printf(&s, "Default max sleep: %4u us\n", dp->set.max_sleep_us);
    struct pmd **list = pmd_ctl_list(dp, &n);
    for (unsigned i = 0; i < n; i++) {
        if (!list[i]->is_kernel) {
            pmd_ctl_put_header(&s, list[i]);
            str_printf(&s, "  max sleep: %4u us\n", atomic_load(&list[i]->max_sleep_us));
        }
    }
    free(list);
    unixctl_reply(conn, str_cstr(&s));
    str_free(&s);
}

// --- choices of older releases --------------------------------------------------------------

static void
lookup_info_get(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dp *dp = pmd_ctl_dp(dpp);
    unsigned n = 0;

    for (unsigned i = 0; dp && i < LANE_HEADS; i++) {
        for (const struct lane *l = rcu_get(&dp->mf.lanes[i]); l; l = rcu_get(&l->next)) {
            n += rcu_get(&l->view)->n_subtables;
        }
    }
    char *text = xasprintf("Available dpcls implementations:\n"
                           "  autovalidator (Use count: 0, Priority: 0)\n"
                           "  generic (Use count: %u, Priority: 1)\n",
                           n);
    unixctl_reply(conn, text);
    free(text);
}

// "0,1": the cores of all PMD threads; "none".  Takes memory that the caller frees.
static char *
pmd_cores(const struct dp *dp)
{
    struct str s = STR_INIT;

    DP_FOREACH_PMD (pmd, dp) {
        if (!pmd->is_kernel) {
            str_printf(&s, "%s%d", s.len ? "," : "", pmd->core_id);
        }
    }
    char *text = xstrdup(s.len ? str_cstr(&s) : "none");
    str_free(&s);
    return text;
}

static void
dpif_impl_get(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    const struct dp *dp = pmd_ctl_dp(dpp);

    if (!dp) {
        unixctl_reply(conn, NULL);
        return;
    }
    char *cores = pmd_cores(dp);
    char *text = xasprintf("Available DPIF implementations:\n  dpif_scalar (pmds: %s)\n", cores);
    unixctl_reply(conn, text);
    free(text);
    free(cores);
}

static void
miniflow_parser_get(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    const struct dp *dp = pmd_ctl_dp(dpp);

    if (!dp) {
        unixctl_reply(conn, NULL);
        return;
    }
    char *cores = pmd_cores(dp);
    char *text =
        xasprintf("Available MFEX implementations:\n  scalar (available: True pmds: %s)\n", cores);
    unixctl_reply(conn, text);
    free(text);
    free(cores);
}

// Setting the one implementation there is works; any other is unknown.
static void
answer_choice(struct unixctl_conn *conn, bool known, const char *ok, const char *unknown,
              const char *name, const char *after)
{
    if (known) {
        unixctl_reply(conn, ok);
    } else {
        unixctl_reply_errorf(conn, "%s%s%s", unknown, name, after);
    }
}

static void
lookup_prio_set(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    bool known = !strcmp(argv[1], "generic") || !strcmp(argv[1], "autovalidator");

    answer_choice(conn, known, "Lookup priority change affected 0 dpcls ports and 0 subtables.\n",
                  "error, subtable lookup function not found", "", "");
}

static void
dpif_impl_set(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    answer_choice(conn, !strcmp(argv[1], "dpif_scalar"),
                  "DPIF implementation set to dpif_scalar.\n",
                  "DPIF implementation not available: Unknown DPIF implementation ", argv[1], ".");
}

// NULL, or a new error text, without the end of the line.
static char *
check_core(const struct dp *dp, const char *text, unsigned int *core)
{
    static const char unchanged[] = "Error: miniflow extract parser not changed, PMD thread";

    if (!str_to_uint(text, 10, core) || *core > INT_MAX) {
        return xasprintf("%s passed is not valid: '%s'. Pass a valid pmd thread ID.", unchanged,
                         text);
    }
    if (dp) {
        DP_FOREACH_PMD (pmd, dp) {
            if (!pmd->is_kernel && pmd->core_id == (int)*core) {
                return NULL;
            }
        }
    }
    return xasprintf("%s %u not in use, pass a valid pmd thread ID.", unchanged, *core);
}

static void
miniflow_parser_set(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    bool has_core = !strcmp(argv[1], "-pmd");
    int i = has_core ? 3 : 1;
    unsigned int core = 0;
    char *error = NULL;

    if (has_core && argc < 3) {
        error = xstrdup("Error: -pmd option requires a thread id argument.");
    } else if (i >= argc) {
        error = xstrdup("Error: no miniflow extract name provided. Output of miniflow-parser-get "
                        "shows implementation list.");
    } else if (i + 1 < argc) {
        error = xasprintf("Error: unknown argument %s.", argv[i + 1]);
    } else if (strcmp(argv[i], "scalar") != 0) {
        error = xasprintf("Error: unknown miniflow extract implementation %s.", argv[i]);
    } else if (has_core) {
        error = check_core(pmd_ctl_dp(dpp), argv[2], &core);
    }
    if (error) {
        unixctl_reply_error(conn, error);
        free(error);
    } else if (has_core) {
        char *text =
            xasprintf("Miniflow extract implementation set to scalar, on pmd thread %u.\n", core);
        unixctl_reply(conn, text);
        free(text);
    } else {
        unixctl_reply(conn, "Miniflow extract implementation set to scalar.\n");
    }
}

static void
actions_impl_show(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    unixctl_reply(conn, "Available Actions implementations:\n"
                        "  scalar (available: Yes, active: Yes)\n");
}

static void
actions_impl_set(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    answer_choice(conn, !strcmp(argv[1], "scalar"), "Action implementation set to scalar.\n",
                  "Error: unknown action implementation, ", argv[1], ", specified!");
}

// Those of lb_output; all others are balanced in translation.
static void
bond_show(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    const struct dp *dp = pmd_ctl_dp(dpp);

    if (!dp || (argc > 1 && !pmd_ctl_is_dp_name(dp, argv[1]))) {
        unixctl_reply_error(conn, "please specify an existing datapath");
    } else {
        struct str s = STR_INIT;

        bonds_show(dp->bonds, &s);
        unixctl_reply(conn, s.len ? str_cstr(&s) : NULL);
        str_free(&s);
    }
}

void
dp_ctl_init(struct dp **dpp)
{
    unixctl_register("dpif-netdev/pmd-stats-show", "[-pmd core] [dp]", 0, 3, pmd_stats_show, dpp);
    unixctl_register("dpif-netdev/pmd-stats-clear", "[-pmd core] [dp]", 0, 3, pmd_stats_clear, dpp);
    unixctl_register("dpif-netdev/pmd-rxq-show", "[-pmd core] [-secs secs] [dp]", 0, 5,
                     pmd_rxq_show, dpp);
    unixctl_register("dpif-netdev/pmd-rxq-rebalance", "[dp]", 0, 1, pmd_rxq_rebalance, dpp);
    unixctl_register("dpif-netdev/pmd-sleep-show", "[dp]", 0, 1, pmd_sleep_show, dpp);
    unixctl_register("dpif-netdev/subtable-lookup-info-get", "", 0, 0, lookup_info_get, dpp);
    unixctl_register("dpif-netdev/subtable-lookup-prio-get", "", 0, 0, lookup_info_get, dpp);
    unixctl_register("dpif-netdev/subtable-lookup-prio-set", "[lookup_func] [prio]", 2, 2,
                     lookup_prio_set, dpp);
    unixctl_register("dpif-netdev/dpif-impl-get", "", 0, 0, dpif_impl_get, dpp);
    unixctl_register("dpif-netdev/dpif-impl-set", "dpif_implementation_name", 1, 1, dpif_impl_set,
                     dpp);
    unixctl_register("odp-execute/action-impl-show", "", 0, 0, actions_impl_show, dpp);
    unixctl_register("odp-execute/action-impl-set", "name", 1, 1, actions_impl_set, dpp);
    unixctl_register("dpif-netdev/miniflow-parser-get", "", 0, 0, miniflow_parser_get, dpp);
    unixctl_register("dpif-netdev/miniflow-parser-set",
                     "[-pmd core] miniflow_implementation_name [study_pkt_cnt]", 1, 5,
                     miniflow_parser_set, dpp);
    unixctl_register("dpif-netdev/bond-show", "[dp]", 0, 1, bond_show, dpp);
    perf_ctl_init(dpp);
    limits_ctl_init(dpp);
    dpctl_init(dpp);
}
