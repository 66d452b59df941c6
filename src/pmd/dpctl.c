// SPDX-License-Identifier: Apache-2.0
//
// dpctl/*: the datapath's ports and flows as text.  Main thread.  Flows are shared by all PMDs; a
// dump lists each once, under the thread that had most of its packets.  Flows by hand:
// dpctl_flow.c.
#include "pmd/dpctl.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "flow/match.h"
#include "pmd/dp_int.h"
#include "rpc/unixctl.h"

// --- arguments ------------------------------------------------------------------------------

/* Takes "--more", or letters that stand together ("-ms").  NULL, or what is not known of them;
 * 'letter' has room for one of these. */
static const char *
take_option(struct dpctl_args *a, const char *word, char letter[3])
{
    const struct {
        const char *name;
        char letter;
        bool *flag;
    } options[] = {
        {"--more", 'm', &a->more},    {"--statistics", 's', &a->statistics},
        {"--names", '\0', &a->names}, {"--no-names", '\0', &a->no_names},
        {"--clear", '\0', &a->clear}, {"--may-create", '\0', NULL},
        {"--read-only", '\0', NULL},
    };
    bool is_long = !strncmp(word, "--", 2);

    for (const char *c = word + !is_long; *c; c++) {
        size_t j = 0;

        while (j < ARRAY_SIZE(options) &&
               (is_long ? strcmp(word, options[j].name) != 0 : *c != options[j].letter)) {
            j++;
        }
        if (j == ARRAY_SIZE(options)) {
            snprintf(letter, 3, "-%c", *c);
            return is_long ? word : letter;
        }
        if (options[j].flag) {
            *options[j].flag = true;
        }
        if (is_long) {
            break;
        }
    }
    return NULL;
}

bool
dpctl_parse_options(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp,
                    struct dpctl_args *a)
{
    char letter[3];

    *a = (struct dpctl_args){.dp = pmd_ctl_dp(dpp)};
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1]) {
            const char *unknown = take_option(a, argv[i], letter);

            if (unknown) {
                unixctl_reply_errorf(conn, "Unrecognized option %s", unknown);
                return false;
            }
        } else if (a->n_words < DPCTL_MAX_WORDS) {
            a->words[a->n_words++] = argv[i];
        }
    }
    return true;
}

int
dpctl_parse_leading_options(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp,
                            struct dpctl_args *a)
{
    int n = 0;

    while (n + 1 < argc && argv[n + 1][0] == '-') {
        n++;
    }
    return dpctl_parse_options(conn, n + 1, argv, dpp, a) ? n : -1;
}

bool
dpctl_parse_args(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp,
                 struct dpctl_args *a)
{
    if (!dpctl_parse_options(conn, argc, argv, dpp, a)) {
        return false;
    }
    if (!a->dp) {
        unixctl_reply_error(conn, "ovs-vswitchd: no datapaths exist\n"
                                  "ovs-vswitchd: datapath not found (Invalid argument)");
    }
    return a->dp != NULL;
}

bool
dpctl_take_dp_name(struct unixctl_conn *conn, struct dpctl_args *a, int n_max)
{
    if (a->n_words <= n_max) {
        return true;
    }
    if (a->n_words > n_max + 1 || !pmd_ctl_is_dp_name(a->dp, a->words[0])) {
        unixctl_reply_error(conn, "ovs-vswitchd: datapath not found (Invalid argument)");
        return false;
    }
    memmove(a->words, a->words + 1, (size_t)--a->n_words * sizeof a->words[0]);
    return true;
}

// --- dump-dps, show -------------------------------------------------------------------------

static void
dpctl_dump_dps(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    const struct dp *dp = pmd_ctl_dp(dpp);
    char *text = dp ? xasprintf("%s@%s\n", dp_type(dp), dp_name(dp)) : NULL;

    unixctl_reply(conn, text);
    free(text);
}

static void
put_counter(struct str *s, const char *label, uint64_t value)
{
    if (value == UINT64_MAX) {
        str_printf(s, "%s:?", label);
    } else {
        str_printf(s, "%s:%" PRIu64, label, value);
    }
}

static void
put_port_stats(struct str *s, const struct netdev *netdev)
{
    struct netdev_stats st;

    netdev_get_stats(netdev, &st);
    put_counter(s, "    RX packets", st.rx_packets);
    put_counter(s, " errors", st.rx_errors);
    put_counter(s, " dropped", st.rx_dropped);
    put_counter(s, " overruns", st.rx_fifo_errors);
    put_counter(s, " frame", st.rx_frame_errors);
    put_counter(s, "\n    TX packets", st.tx_packets);
    put_counter(s, " errors", st.tx_errors);
    put_counter(s, " dropped", st.tx_dropped);
    put_counter(s, " aborted", st.tx_aborted_errors);
    put_counter(s, " carrier", st.tx_carrier_errors);
    put_counter(s, "\n    collisions", st.collisions);
    put_counter(s, "\n    RX bytes", st.rx_bytes);
    put_counter(s, "  TX bytes", st.tx_bytes);
    str_putc(s, '\n');
}

static void
put_port(struct str *s, const struct dp_port *port, bool stats)
{
    const char *type = !strcmp(port->type, "internal") ? "tap" : port->type;
    struct smap cfg = SMAP_INIT;

    str_printf(s, "  port %" PRIu32 ": %s", port->odp, port->name);
    netdev_get_config(port->netdev, &cfg);
    if (strcmp(type, "system") && *type) {
        str_printf(s, " (%s%s", type, smap_is_empty(&cfg) ? "" : ": ");
        smap_format(&cfg, s);
        str_putc(s, ')');
    }
    str_putc(s, '\n');
    smap_destroy(&cfg);
    if (stats) {
        put_port_stats(s, port->netdev);
    }
}

// False: some words are not the datapath's name, and an error with each of them was sent.
static bool
are_dp_names(struct unixctl_conn *conn, const struct dpctl_args *a, const char *before)
{
    struct str s = STR_INIT;

    for (int i = 0; i < a->n_words; i++) {
        if (!a->dp || !pmd_ctl_is_dp_name(a->dp, a->words[i])) {
            str_printf(&s, "ovs-vswitchd: %s %s failed (No such device)\n", before, a->words[i]);
        }
    }
    bool ok = s.len == 0;
    if (!ok) {
        unixctl_reply_error(conn, str_cstr(&s));
    }
    str_free(&s);
    return ok;
}

// Without a datapath, an empty answer; a name that is not its, an error.
static void
dpctl_show(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    const struct dp *dp = pmd_ctl_dp(dpp);
    struct str s = STR_INIT;
    struct dp_stats stats;
    struct dpctl_args a;

    if (!dpctl_parse_options(conn, argc, argv, dpp, &a) ||
        !are_dp_names(conn, &a, "opening datapath")) {
        return;
    }
    if (!dp) {
        unixctl_reply(conn, NULL);
        return;
    }
    dp_get_stats(dp, &stats);
    str_printf(&s,
               "%s@%s:\n  lookups: hit:%" PRIu64 " missed:%" PRIu64 " lost:%" PRIu64
               "\n  flows: %" PRIu64 "\n  port 0: %s (%s)\n",
               dp_type(dp), dp_name(dp), stats.n_hit, stats.n_missed, stats.n_lost, stats.n_flows,
               dp_name(dp), dp->is_dummy ? "dummy-internal" : "tap");
    if (a.statistics) { // a name without a device
        str_put(&s, "    RX packets:0 errors:? dropped:? overruns:? frame:?\n"
                    "    TX packets:0 errors:? dropped:? aborted:? carrier:?\n"
                    "    collisions:?\n    RX bytes:0  TX bytes:0\n");
    }
    DP_FOREACH_PORT (port, dp) {
        put_port(&s, port, a.statistics);
    }
    unixctl_reply(conn, str_cstr(&s));
    str_free(&s);
}

// --- dump-flows -----------------------------------------------------------------------------

struct dump {
    struct dp *dp;
    struct text *texts; // for each PMD index
    unsigned how;       // of DP_FLOW_*
    bool has_filter;
    struct match filter;
    int core; // -1: the main thread's; -2: all
    bool has_types, wants_ours;
};

// The thread with most of its packets; before any packet, that of its port's first queue.
static unsigned
flow_owner(const struct dp *dp, const struct dp_flow *f, const struct flow *key)
{
    uint32_t slot = megaflow_slot(&dp->mf, f);
    const struct dp_port *port = dp_port_find(dp, key->in_port);
    unsigned owner = port && port->n_rxq ? port->rxqs[0]->pmd : PMD_KERNEL;
    uint64_t most = 0;

    DP_FOREACH_PMD (pmd, dp) {
        uint64_t n = __atomic_load_n(&pmd->counters[slot].n_packets, __ATOMIC_RELAXED);
        if (n > most) {
            most = n;
            owner = pmd->index;
        }
    }
    return owner < PMD_MAX && rcu_get(&dp->pmds[owner]) ? owner : PMD_KERNEL;
}

// A flow is listed for a filter when packets of the filter may meet it.
static bool
is_filtered_out(const struct dump *d, const struct flow *key, const struct flow_mask *mask)
{
    struct match match = {.flow = *key, .mask = *mask};

    match_set_in_port(&match, key->in_port); // the filter counts ports as the datapath does
    return d->has_filter && !match_overlaps(&d->filter, &match);
}

static bool
dump_one(struct dp *dp, struct dp_flow *f, void *dump_)
{
    struct dump *d = dump_;
    struct flow_mask mask;
    struct flow key;

    dp_flow_get_key(f, &key, &mask);
    unsigned owner = flow_owner(dp, f, &key);
    if (is_filtered_out(d, &key, &mask) ||
        (d->core >= -1 && rcu_get(&dp->pmds[owner])->core_id != d->core)) {
        return true;
    }
    dp_flow_format(dp, f, d->how, &d->texts[owner]);
    text_putc(&d->texts[owner], '\n');
    return true;
}

static void
dump_put_groups(const struct dump *d, struct str *s)
{
    DP_FOREACH_PMD (pmd, d->dp) {
        if (!d->texts[pmd->index].len) {
            continue;
        }
        if (pmd->is_kernel && d->core == -2) {
            str_put(s, "flow-dump from the main thread:\n");
        } else if (!pmd->is_kernel) {
            str_printf(s, "flow-dump from pmd on cpu core: %d\n", pmd->core_id);
        }
        str_put(s, text_cstr(&d->texts[pmd->index]));
    }
}

// type=A,B...: no flow is offloaded, so types that ask for those have none.
static char *
dump_parse_types(struct dump *d, const char *list)
{
    static const struct {
        const char *name;
        bool has_ours;
    } types[] = {{"ovs", true},
                 {"tc", false},
                 {"dpdk", false},
                 {"all", true},
                 {"offloaded", false},
                 {"non-offloaded", true},
                 {"partially-offloaded", false}};

    d->has_types = true;
    for (const char *s = list; *s; s += strspn(s, ", ")) {
        size_t n = strcspn(s, ", "), i = 0;

        while (i < ARRAY_SIZE(types) &&
               (strlen(types[i].name) != n || strncmp(s, types[i].name, n) != 0)) {
            i++;
        }
        if (i == ARRAY_SIZE(types)) {
            return xasprintf("ovs-vswitchd: Failed to parse type (%s) (Invalid argument)", list);
        }
        d->wants_ours |= types[i].has_ours;
        s += n;
    }
    return NULL;
}

static bool
ofp_port_lookup(const void *dp, const char *name, ofp_port_t *port)
{
    *port = dp_port_by_name(dp, name);
    return *port != ODPP_NONE;
}

// NULL, or a new error text.
static char *
dump_parse_word(struct dump *d, const char *word)
{
    struct mf_port_names names = {.lookup = ofp_port_lookup, .aux = d->dp};
    char *error, *text;

    if (!strncmp(word, "type=", 5)) {
        return dump_parse_types(d, word + 5);
    }
    if (!strncmp(word, "pmd=", 4)) {
        return str_to_int(word + 4, 10, &d->core) && d->core >= -1 ? NULL : xstrdup("");
    }
    if (strncmp(word, "filter=", 7) != 0 || d->has_filter) {
        return pmd_ctl_is_dp_name(d->dp, word)
                   ? NULL
                   : xstrdup("ovs-vswitchd: datapath not found (Invalid argument)");
    }
    d->has_filter = true;
    error = match_parse_filter(&d->filter, word + 7, &names);
    text =
        error ? xasprintf("ovs-vswitchd: Failed to parse filter (%s: %s)", word + 7, error) : NULL;
    free(error);
    return text;
}

static void
dpctl_dump_flows(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dump d = {.core = -2};
    struct str s = STR_INIT;
    struct dpctl_args a;

    if (!dpctl_parse_args(conn, argc, argv, dpp, &a)) {
        return;
    }
    d.dp = a.dp;
    d.how =
        (a.more ? DP_FLOW_VERBOSE : 0) | ((a.more && !a.no_names) || a.names ? DP_FLOW_NAMES : 0);
    for (int i = 0; i < a.n_words; i++) {
        char *error = dump_parse_word(&d, a.words[i]);
        if (error) {
            unixctl_reply_error(conn, error);
            free(error);
            return;
        }
    }
    d.texts = xcalloc(PMD_MAX, sizeof *d.texts);
    if (!d.has_types || d.wants_ours) {
        dp_flow_walk(d.dp, 0, 1, dump_one, &d);
        dump_put_groups(&d, &s);
    }
    for (unsigned i = 0; i < PMD_MAX; i++) {
        text_fini(&d.texts[i]);
    }
    free(d.texts);
    unixctl_reply(conn, str_cstr(&s));
    str_free(&s);
}

// --- what there is not ----------------------------------------------------------------------

// There is one datapath and it is the bridges'.
static void
dpctl_no_such_dp(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    const struct dp *dp = pmd_ctl_dp(dpp);

    unixctl_reply_error(conn, dp && pmd_ctl_is_dp_name(dp, argv[1])
                                  ? "ovs-vswitchd: the bridges' datapath changes with the database "
                                    "only (Operation not supported)"
                                  : "ovs-vswitchd: opening datapath (No such device)");
}

static void
dpctl_add_dp(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    unixctl_reply_error(conn, "ovs-vswitchd: add_dp (Operation not supported)");
}

// The kernel's mask cache, which a datapath in user space has not.
static void
dpctl_cache_get_size(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    const struct dp *dp = pmd_ctl_dp(dpp);
    struct dpctl_args a;

    if (!dpctl_parse_options(conn, argc, argv, dpp, &a) ||
        !are_dp_names(conn, &a, "Opening datapath")) {
        return;
    }
    char *text = dp ? xasprintf("%s@%s:\n", dp_type(dp), dp_name(dp)) : NULL;
    unixctl_reply(conn, text);
    free(text);
}

static void
dpctl_cache_set_size(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dpctl_args a;
    unsigned int size;

    if (!dpctl_parse_options(conn, argc, argv, dpp, &a)) {
        return;
    }
    if (a.n_words != 3) {
        unixctl_reply_error(conn, "ovs-vswitchd: Invalid number of arguments (Invalid argument)");
    } else if (!str_to_uint(a.words[2], 10, &size)) {
        unixctl_reply_error(conn, "ovs-vswitchd: size is malformed (Invalid argument)");
    } else if (!a.dp || !pmd_ctl_is_dp_name(a.dp, a.words[0])) {
        unixctl_reply_errorf(conn, "ovs-vswitchd: Opening datapath %s failed (No such device)",
                             a.words[0]);
    } else {
        unixctl_reply_error(conn,
                            "ovs-vswitchd: Setting caches not supported (Operation not supported)");
    }
}

static void
dpctl_offload_stats(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dpctl_args a;

    if (dpctl_parse_args(conn, argc, argv, dpp, &a) && dpctl_take_dp_name(conn, &a, 0)) {
        unixctl_reply_error(conn, "ovs-vswitchd: retrieving offload statistics (Invalid argument)");
    }
}

// By topic, as scripts and people know the list.
static const char *const by_topic[] = {
    "add-dp",           "del-dp",         "add-if",        "del-if",
    "set-if",           "dump-dps",       "show",          "dump-flows",
    "add-flow",         "mod-flow",       "get-flow",      "del-flow",
    "add-flows",        "mod-flows",      "del-flows",     "offload-stats-show",
    "cache-get-size",   "cache-set-size", "list-commands", "parse-actions",
    "normalize-actions"};

// Puts the line of 'command' in 'all', the text of list-commands.
static void
put_usage(struct str *s, const char *all, const char *command)
{
    char *name = xasprintf("\n  dpctl/%s ", command);
    const char *line = strstr(all, name);

    if (line) {
        const char *usage = line + strlen(name);
        usage += strspn(usage, " ");
        str_printf(s, "  dpctl/%-23s %.*s\n", command, (int)strcspn(usage, "\n"), usage);
    }
    free(name);
}

static void
dpctl_list_commands(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    const char *list[] = {"list-commands", NULL};
    struct str s = STR_INIT;
    struct dpctl_args a;
    bool ok;

    if (dpctl_parse_leading_options(conn, argc, argv, dpp, &a) < 0) {
        return;
    }
    char *all = unixctl_run(1, list, &ok);
    str_put(&s, "The available commands are:\n");
    for (size_t i = 0; i < ARRAY_SIZE(by_topic); i++) {
        put_usage(&s, all, by_topic[i]);
    }
    free(all);
    unixctl_reply(conn, str_cstr(&s));
    str_free(&s);
}

void
dpctl_init(struct dp **dpp)
{
    unixctl_register("dpctl/dump-dps", "", 0, 0, dpctl_dump_dps, dpp);
    unixctl_register("dpctl/show", "[-s] [dp...]", 0, 10, dpctl_show, dpp);
    unixctl_register("dpctl/dump-flows", "[-m] [--names] [dp] [filter=..] [type=..] [pmd=..]", 0, 6,
                     dpctl_dump_flows, dpp);
    unixctl_register("dpctl/add-dp", "dp [iface...]", 1, 10, dpctl_add_dp, dpp);
    unixctl_register("dpctl/del-dp", "dp", 1, 1, dpctl_no_such_dp, dpp);
    unixctl_register("dpctl/add-if", "dp iface...", 2, 10, dpctl_no_such_dp, dpp);
    unixctl_register("dpctl/del-if", "dp iface...", 2, 10, dpctl_no_such_dp, dpp);
    unixctl_register("dpctl/set-if", "dp iface...", 2, 10, dpctl_no_such_dp, dpp);
    unixctl_register("dpctl/cache-get-size", "[dp]", 0, 1, dpctl_cache_get_size, dpp);
    unixctl_register("dpctl/cache-set-size", "dp cache <size>", 3, 3, dpctl_cache_set_size, dpp);
    unixctl_register("dpctl/offload-stats-show", "[dp]", 0, 1, dpctl_offload_stats, dpp);
    unixctl_register("dpctl/list-commands", "", 0, INT_MAX, dpctl_list_commands, dpp);
    dpctl_flow_init(dpp);
    dpctl_normalize_init(dpp);
}
