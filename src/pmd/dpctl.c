// SPDX-License-Identifier: Apache-2.0
//
// dpctl/*: the datapath's ports and flows as text, and flows by hand.  Main thread.  Flows are
// shared by all PMDs; a dump lists each once, under the thread that had most of its packets.
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "flow/dpkey.h"
#include "flow/match.h"
#include "pmd/dp_int.h"
#include "pmd/pmd_ctl.h"
#include "rpc/unixctl.h"

// --- names ----------------------------------------------------------------------------------

static const char *
port_name(const void *dp, odp_port_t odp)
{
    const struct dp_port *port = dp_port_find(dp, odp);

    return port ? port->name : odp == 0 ? "ovs-netdev" : NULL;
}

static bool
port_lookup(const void *dp, const char *name, odp_port_t *odp)
{
    *odp = dp ? dp_port_by_name(dp, name) : ODPP_NONE;
    return *odp != ODPP_NONE;
}

static struct dp_port_names
names_of(const struct dp *dp, bool print)
{
    return (struct dp_port_names){
        .name = print ? port_name : NULL, .lookup = port_lookup, .aux = dp};
}

// The datapath for commands that work on its flows; an error is sent when there is none.
static struct dp *
existing_dp(struct unixctl_conn *conn, struct dp **dpp)
{
    struct dp *dp = pmd_ctl_dp(dpp);

    if (!dp) {
        unixctl_reply_error(conn, "ovs-vswitchd: no datapaths exist\n"
                                  "ovs-vswitchd: datapath not found (Invalid argument)");
    }
    return dp;
}

// --- dump-dps, show -------------------------------------------------------------------------

static void
dpctl_dump_dps(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    unixctl_reply(conn, pmd_ctl_dp(dpp) ? "netdev@ovs-netdev\n" : NULL);
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

static void
dpctl_show(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dp *dp = pmd_ctl_dp(dpp);
    struct str s = STR_INIT;
    struct dp_stats stats;
    bool verbose = false;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-s") || !strcmp(argv[i], "--statistics")) {
            verbose = true;
        } else if (!pmd_ctl_is_dp_name(argv[i])) {
            unixctl_reply_errorf(conn,
                                 "ovs-vswitchd: opening datapath %s failed "
                                 "(No such device)",
                                 argv[i]);
            return;
        }
    }
    if (!dp) {
        unixctl_reply(conn, NULL);
        return;
    }
    dp_get_stats(dp, &stats);
    str_printf(&s,
               "netdev@ovs-netdev:\n  lookups: hit:%" PRIu64 " missed:%" PRIu64 " lost:%" PRIu64
               "\n  flows: %" PRIu64 "\n  port 0: ovs-netdev (tap)\n",
               stats.n_hit, stats.n_missed, stats.n_lost, stats.n_flows);
    DP_FOREACH_PORT (port, dp) {
        put_port(&s, port, verbose);
    }
    unixctl_reply(conn, str_cstr(&s));
    str_free(&s);
}

// --- one flow -------------------------------------------------------------------------------

static void
put_tcp_flags(struct text *t, uint16_t flags)
{
    static const struct {
        uint16_t bit;
        char letter;
    } letters[] = {{TCP_SYN, 'S'}, {TCP_FIN, 'F'}, {TCP_PSH, 'P'}, {TCP_RST, 'R'}, {TCP_URG, 'U'},
                   {TCP_ACK, '.'}, {TCP_ECE, 'E'}, {TCP_CWR, 'C'}, {TCP_NS, 'N'}};

    text_put(t, ", flags:");
    for (size_t i = 0; i < ARRAY_SIZE(letters); i++) {
        if (flags & letters[i].bit) {
            text_putc(t, letters[i].letter);
        }
    }
}

static void
put_flow_stats(struct text *t, const struct dp_flow_stats *st)
{
    text_printf(t, ", packets:%" PRIu64 ", bytes:%" PRIu64 ", used:", st->n_packets, st->n_bytes);
    if (st->used_ms) {
        text_printf(t, "%.3fs", (double)(clock_now_ms() - (int64_t)st->used_ms) / 1000);
    } else {
        text_put(t, "never");
    }
    if (st->tcp_flags) {
        put_tcp_flags(t, st->tcp_flags);
    }
}

// How many words of each kind the flow's lookup reads: what stands for a miniflow's size here.
static void
put_extra_info(struct text *t, const struct flow_mask *mask)
{
    text_printf(t, ", dp-extra-info:miniflow_bits(%d,0)",
                __builtin_popcountll(flow_words_map(&mask->bits)));
}

void
dp_flow_format(const struct dp *dp, const struct dp_flow *f, bool verbose, bool with_names,
               struct text *t)
{
    struct dp_port_names names = names_of(dp, with_names);
    const struct dp_actions *actions = dp_flow_actions(f);
    struct uuid ufid = dp_flow_ufid(f);
    struct dp_flow_stats stats;
    char ufid_text[UUID_LEN + 1];
    struct flow_mask mask;
    struct flow key;

    dp_flow_get_key(f, &key, &mask);
    FLOW_MASK_SET(&mask, packet_type); // every flow here is of Ethernet, and says so
    dp_flow_get_stats(f, &stats);
    if (verbose) {
        uuid_format(&ufid, ufid_text);
        text_printf(t, "ufid:%s, ", ufid_text);
    }
    dpkey_format(&key, &mask, &names, verbose, t);
    put_flow_stats(t, &stats);
    if (verbose) {
        text_put(t, ", dp:ovs");
    }
    text_put(t, ", actions:");
    dp_actions_format(actions->data, actions->size, &names, t);
    if (verbose) {
        put_extra_info(t, &mask);
    }
}

// --- dump-flows -----------------------------------------------------------------------------

struct dump {
    struct dp *dp;
    struct text *texts; // for each PMD index
    bool verbose, with_names;
    bool has_filter;
    struct match filter;
    int core; // -1: all
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

static bool
dump_one(struct dp *dp, struct dp_flow *f, void *dump_)
{
    struct dump *d = dump_;
    struct flow_mask mask;
    struct flow key;

    dp_flow_get_key(f, &key, &mask);
    unsigned owner = flow_owner(dp, f, &key);
    if ((d->has_filter && !match_flow(&d->filter, &key)) ||
        (d->core >= -1 && rcu_get(&dp->pmds[owner])->core_id != d->core)) {
        return true;
    }
    dp_flow_format(dp, f, d->verbose, d->with_names, &d->texts[owner]);
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
        if (pmd->is_kernel) {
            str_put(s, "flow-dump from the main thread:\n");
        } else {
            str_printf(s, "flow-dump from pmd on cpu core: %d\n", pmd->core_id);
        }
        str_put(s, text_cstr(&d->texts[pmd->index]));
    }
}

// NULL, or a new error text.
static char *
dump_parse_arg(struct dump *d, const char *arg, bool *nothing)
{
    if (!strcmp(arg, "-m") || !strcmp(arg, "--more")) {
        d->verbose = d->with_names = true;
    } else if (!strcmp(arg, "--names")) {
        d->with_names = true;
    } else if (!strcmp(arg, "--no-names")) {
        d->with_names = false;
    } else if (!strncmp(arg, "filter=", 7)) {
        d->has_filter = true;
        return match_parse(&d->filter, arg + 7, NULL, NULL);
    } else if (!strncmp(arg, "type=", 5)) {
        // No flow is offloaded: types that ask for those have none.
        *nothing = !strstr(arg, "ovs") && !strstr(arg, "all") && !strstr(arg, "non-offloaded");
    } else if (!strncmp(arg, "pmd=", 4)) {
        if (!str_to_int(arg + 4, 10, &d->core)) {
            return xasprintf("Invalid pmd number specified.\n");
        }
    } else if (!pmd_ctl_is_dp_name(arg)) {
        return xasprintf("ovs-vswitchd: opening datapath %s failed (No such device)", arg);
    }
    return NULL;
}

static void
dpctl_dump_flows(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dump d = {.dp = existing_dp(conn, dpp), .core = -2};
    struct str s = STR_INIT;
    bool nothing = false;

    if (!d.dp) {
        return;
    }
    for (int i = 1; i < argc; i++) {
        char *error = dump_parse_arg(&d, argv[i], &nothing);
        if (error) {
            unixctl_reply_error(conn, error);
            free(error);
            return;
        }
    }
    d.texts = xcalloc(PMD_MAX, sizeof *d.texts);
    if (!nothing) {
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

// --- flows by hand --------------------------------------------------------------------------

// Skips options and the datapath's name; returns what is left, or -1 with an error sent.
static int
skip_dp_args(struct unixctl_conn *conn, int argc, const char *argv[], int n_wanted, struct dp **dpp)
{
    int i = 1;

    if (!existing_dp(conn, dpp)) {
        return -1;
    }
    while (i < argc && argv[i][0] == '-') {
        i++;
    }
    if (argc - i == n_wanted + 1 && pmd_ctl_is_dp_name(argv[i])) {
        i++;
    }
    if (argc - i != n_wanted) {
        unixctl_reply_error(conn, "wrong number of arguments, or no such datapath");
        return -1;
    }
    return i;
}

static char *
put_flow_text(struct dp *dp, const char *key_text, const char *actions_text, bool replace,
              bool must_exist)
{
    struct dp_port_names names = names_of(dp, true);
    struct dp_actions actions = {0};
    struct flow_mask mask;
    struct flow key;
    char *error;

    memset(&mask, 0, sizeof mask);
    error = dpkey_parse(key_text, &names, &key, &mask);
    if (!error) {
        error = dp_actions_parse(actions_text, &names, &actions);
    }
    if (!error) {
        struct dp_flow_put put = {
            .key = &key, .mask = &mask, .actions = &actions, .replace = replace};
        bool exists = must_exist && dp_flow_find_key(dp, &key);
        int rc = must_exist && !exists ? -ENOENT : dp_flow_put(dp, &put, NULL);
        error = rc ? xasprintf("updating flow table (%s)", err_str(rc)) : NULL;
    }
    dp_actions_fini(&actions);
    return error;
}

static void
reply_and_free(struct unixctl_conn *conn, char *error)
{
    if (error) {
        unixctl_reply_error(conn, error);
        free(error);
    } else {
        unixctl_reply(conn, NULL);
    }
}

static void
dpctl_add_flow(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    int i = skip_dp_args(conn, argc, argv, 2, dpp);

    if (i > 0) {
        reply_and_free(conn, put_flow_text(*(struct dp **)dpp, argv[i], argv[i + 1], false, false));
    }
}

static void
dpctl_mod_flow(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    int i = skip_dp_args(conn, argc, argv, 2, dpp);

    if (i > 0) {
        reply_and_free(conn, put_flow_text(*(struct dp **)dpp, argv[i], argv[i + 1], true, true));
    }
}

// One line of a file: "[add|modify|delete] KEY, actions:ACTIONS".
static char *
run_flow_line(struct dp *dp, char *line)
{
    char *actions = strstr(line, "actions:");

    if (!actions) {
        return xasprintf("%s: no actions", line);
    }
    char *end = actions;
    while (end > line && (end[-1] == ' ' || end[-1] == ',')) {
        end--;
    }
    *end = '\0';
    actions += strlen("actions:");
    // Statistics of a dump may stand between the key and the actions.
    char *stats = strstr(line, ", packets:");
    if (stats) {
        *stats = '\0';
    }
    if (!strncmp(line, "add ", 4)) {
        line += 4;
    }
    return put_flow_text(dp, line, actions, true, false);
}

static void
dpctl_add_flows(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    int i = skip_dp_args(conn, argc, argv, 1, dpp);
    char *line = NULL, *error = NULL;
    size_t cap = 0;
    ssize_t n;

    if (i < 0) {
        return;
    }
    FILE *file = fopen(argv[i], "r");
    if (!file) {
        unixctl_reply_errorf(conn, "%s: %s", argv[i], err_str(errno));
        return;
    }
    while (!error && (n = getline(&line, &cap, file)) >= 0) {
        while (n > 0 && isspace((unsigned char)line[n - 1])) {
            line[--n] = '\0';
        }
        if (n > 0 && line[0] != '#') {
            error = run_flow_line(*(struct dp **)dpp, line);
        }
    }
    free(line);
    fclose(file);
    reply_and_free(conn, error);
}

// By ufid ("ufid:..."), or by the text of its key.
static struct dp_flow *
find_flow_text(struct dp *dp, const char *text, char **error)
{
    struct dp_port_names names = names_of(dp, true);
    struct dp_flow *f = NULL;
    struct flow_mask mask;
    struct uuid ufid;
    struct flow key;

    if (uuid_from_string(&ufid, strncmp(text, "ufid:", 5) ? text : text + 5)) {
        f = dp_flow_find(dp, &ufid);
    } else {
        memset(&mask, 0, sizeof mask);
        *error = dpkey_parse(text, &names, &key, &mask);
        f = *error ? NULL : dp_flow_find_key(dp, &key);
    }
    if (!f && !*error) {
        *error = xasprintf("no such flow (%s)", err_str(ENOENT));
    }
    return f;
}

static void
dpctl_del_flow(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    int i = skip_dp_args(conn, argc, argv, 1, dpp);
    char *error = NULL;

    if (i > 0) {
        struct dp_flow *f = find_flow_text(*(struct dp **)dpp, argv[i], &error);
        if (f) {
            dp_flow_expel(*(struct dp **)dpp, f);
        }
        reply_and_free(conn, error);
    }
}

static void
dpctl_get_flow(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    int i = skip_dp_args(conn, argc, argv, 1, dpp);
    struct text t = {0};
    char *error = NULL;

    if (i < 0) {
        return;
    }
    struct dp_flow *f = find_flow_text(*(struct dp **)dpp, argv[i], &error);
    if (!f) {
        reply_and_free(conn, error);
        return;
    }
    dp_flow_format(*(struct dp **)dpp, f, false, false, &t);
    text_putc(&t, '\n');
    unixctl_reply(conn, text_cstr(&t));
    text_fini(&t);
}

static void
dpctl_del_flows(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    if (skip_dp_args(conn, argc, argv, 0, dpp) > 0) {
        dp_flow_flush(*(struct dp **)dpp);
        unixctl_reply(conn, NULL);
    }
}

static void
dpctl_parse_actions(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dp_port_names names = names_of(*(struct dp **)dpp, false);
    struct dp_actions actions = {0};
    struct text t = {0};
    char *error = dp_actions_parse(argv[argc - 1], &names, &actions);

    if (error) {
        reply_and_free(conn, error);
    } else {
        dp_actions_format(actions.data, actions.size, &names, &t);
        text_putc(&t, '\n');
        unixctl_reply(conn, text_cstr(&t));
    }
    text_fini(&t);
    dp_actions_fini(&actions);
}

void
dpctl_init(struct dp **dpp)
{
    unixctl_register("dpctl/dump-dps", "", 0, 0, dpctl_dump_dps, dpp);
    unixctl_register("dpctl/show", "[-s] [dp...]", 0, 10, dpctl_show, dpp);
    unixctl_register("dpctl/dump-flows", "[-m] [--names] [dp] [filter=..] [type=..] [pmd=..]", 0, 8,
                     dpctl_dump_flows, dpp);
    unixctl_register("dpctl/add-flow", "[dp] flow actions", 2, 5, dpctl_add_flow, dpp);
    unixctl_register("dpctl/mod-flow", "[dp] flow actions", 2, 5, dpctl_mod_flow, dpp);
    unixctl_register("dpctl/add-flows", "[dp] file", 1, 3, dpctl_add_flows, dpp);
    unixctl_register("dpctl/mod-flows", "[dp] file", 1, 3, dpctl_add_flows, dpp);
    unixctl_register("dpctl/get-flow", "[dp] ufid", 1, 3, dpctl_get_flow, dpp);
    unixctl_register("dpctl/del-flow", "[dp] flow", 1, 4, dpctl_del_flow, dpp);
    unixctl_register("dpctl/del-flows", "[dp]", 0, 2, dpctl_del_flows, dpp);
    unixctl_register("dpctl/parse-actions", "actions", 1, 2, dpctl_parse_actions, dpp);
}
