// SPDX-License-Identifier: Apache-2.0
/*
 * dpif_ctl.c - the group "dpif" for ovs-appctl: the datapath as one bridge sees it.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/smap.h"
#include "base/str.h"
#include "base/util.h"
#include "flow/text.h"
#include "rpc/unixctl.h"
#include "slowpath/slowpath_int.h"

/* --- dpif/show ---------------------------------------------------------------------------- */

static int
compare_ports(const void *a_, const void *b_)
{
    const struct view_port *const *a = a_, *const *b = b_;

    return strcmp((*a)->name, (*b)->name);
}

static int
compare_ofprotos(const void *a_, const void *b_)
{
    struct ofproto *const *a = a_, *const *b = b_;

    return strcmp(ofproto_name(*a), ofproto_name(*b));
}

static void
show_port(struct str *s, const struct view_port *port)
{
    struct smap cfg = SMAP_INIT;
    const char *type = netdev_type(port->netdev);

    str_printf(s, "    %s %" PRIu32 "/", port->name, port->ofp_port);
    if (port->odp_port == ODPP_NONE) {
        str_put(s, "none:");
    } else {
        str_printf(s, "%" PRIu32 ":", port->odp_port);
    }
    netdev_get_config(port->netdev, &cfg);
    str_printf(s, " (%s", !strcmp(type, "internal") ? "tap" : type);
    if (!smap_is_empty(&cfg)) {
        str_put(s, ": ");
        smap_format(&cfg, s);
    }
    str_put(s, ")\n");
    smap_destroy(&cfg);
}

static void
show_bridge(struct str *s, const struct ofproto *ofproto)
{
    const struct ofproto_view *view = ofproto_view(ofproto);
    const struct view_port **ports = xcalloc(view->n_ports + 1, sizeof *ports);

    for (size_t i = 0; i < view->n_ports; i++) {
        ports[i] = &view->ports[i];
    }
    qsort(ports, view->n_ports, sizeof *ports, compare_ports);
    str_printf(s, "  %s:\n", ofproto_name(ofproto));
    for (size_t i = 0; i < view->n_ports; i++) {
        show_port(s, ports[i]);
    }
    free(ports);
}

/* All bridges in the order of their names, in a new array. */
static struct ofproto **
sorted_ofprotos(const struct ofprotos *all, size_t *n)
{
    struct ofproto **array = NULL;

    *n = 0;
    for (struct ofproto *o = ofprotos_first(all); o; o = ofprotos_next(o)) {
        array = xrealloc(array, (*n + 1) * sizeof *array);
        array[(*n)++] = o;
    }
    if (array) {
        qsort(array, *n, sizeof *array, compare_ofprotos);
    }
    return array;
}

static void
dpif_show(struct unixctl_conn *conn, int argc, const char *argv[], void *sp_)
{
    struct slowpath *sp = sp_;
    struct ofproto **ofprotos;
    struct dp_stats stats;
    struct str s;
    size_t n;

    (void)argc;
    (void)argv;
    if (!slowpath_serves_bridges(sp)) {
        unixctl_reply(conn, NULL);
        return;
    }
    ofprotos = sorted_ofprotos(sp->ofprotos, &n);
    str_init(&s);
    dp_get_stats(sp->dp, &stats);
    str_printf(&s, "%s@%s: hit:%" PRIu64 " missed:%" PRIu64 "\n", dp_type(sp->dp), dp_name(sp->dp),
               stats.n_hit, stats.n_missed);
    for (size_t i = 0; i < n; i++) {
        show_bridge(&s, ofprotos[i]);
    }
    free(ofprotos);
    unixctl_reply(conn, str_cstr(&s));
    str_free(&s);
}

static void
dpif_dump_dps(struct unixctl_conn *conn, int argc, const char *argv[], void *sp_)
{
    struct slowpath *sp = sp_;
    struct str s;
    size_t n;
    struct ofproto **ofprotos = sorted_ofprotos(sp->ofprotos, &n);

    (void)argc;
    (void)argv;
    str_init(&s);
    for (size_t i = 0; i < n; i++) {
        str_printf(&s, "%s@%s\n", dp_type(sp->dp), ofproto_name(ofprotos[i]));
    }
    free(ofprotos);
    unixctl_reply(conn, str_cstr(&s));
    str_free(&s);
}

/* --- dpif/dump-flows ----------------------------------------------------------------------- */

struct dump_ctx {
    const struct slowpath *sp;
    const struct ofproto *ofproto;
    bool verbose, with_names;
    struct text text;
};

static bool
dump_flow(struct dp *dp, struct dp_flow *flow, void *ctx_)
{
    struct dump_ctx *ctx = ctx_;
    struct flow_mask mask;
    struct flow key;

    dp_flow_get_key(flow, &key, &mask);
    if (ofprotos_port_by_odp(ctx->sp->ofprotos, key.in_port).ofproto == ctx->ofproto) {
        unsigned how = DP_FLOW_OF_BRIDGE | (ctx->verbose ? DP_FLOW_VERBOSE : 0) |
                       (ctx->with_names ? DP_FLOW_NAMES : 0);
        dp_flow_format(dp, flow, how, &ctx->text);
        text_putc(&ctx->text, '\n');
    }
    return true;
}

static void
dpif_dump_flows(struct unixctl_conn *conn, int argc, const char *argv[], void *sp_)
{
    struct slowpath *sp = sp_;
    struct dump_ctx ctx = {.sp = sp};
    const char *bridge = argv[argc - 1];

    for (int i = 1; i < argc - 1; i++) {
        if (!strcmp(argv[i], "-m")) {
            ctx.verbose = ctx.with_names = true;
        } else if (!strcmp(argv[i], "--names")) {
            ctx.with_names = true;
        } else if (!strcmp(argv[i], "--no-names")) {
            ctx.with_names = false;
        }
    }
    ctx.ofproto = ofprotos_find(sp->ofprotos, bridge);
    if (!ctx.ofproto || !sp->dp) {
        unixctl_reply_error(conn, "no such bridge");
        return;
    }
    dp_flow_walk(sp->dp, 0, 1, dump_flow, &ctx);
    unixctl_reply(conn, text_cstr(&ctx.text));
    text_fini(&ctx.text);
}

/* --- dpif/show-dp-features, dpif/set-dp-features -------------------------------------------- */

static void
dpif_show_dp_features(struct unixctl_conn *conn, int argc, const char *argv[], void *sp_)
{
    struct slowpath *sp = sp_;
    struct str s = STR_INIT;

    (void)argc;
    if (!ofprotos_find(sp->ofprotos, argv[1])) {
        unixctl_reply_error(conn, "no such bridge");
        return;
    }
    features_show(&s);
    unixctl_reply(conn, str_cstr(&s));
    str_free(&s);
}

static void
dpif_set_dp_features(struct unixctl_conn *conn, int argc, const char *argv[], void *sp_)
{
    struct slowpath *sp = sp_;
    struct str s = STR_INIT;

    if (!ofprotos_find(sp->ofprotos, argv[1])) {
        unixctl_reply_error(conn, "no such bridge");
        return;
    }
    if (argc > 3) {
        const char *error = features_set(&sp->features, argv[2], argv[3]);
        str_put(&s, error ? error : "");
    } else {
        features_show_settings(&sp->features, argc > 2 ? argv[2] : NULL, &s);
    }
    unixctl_reply(conn, str_cstr(&s));
    str_free(&s);
}

void
dpif_ctl_init(struct slowpath *sp)
{
    unixctl_register("dpif/show", "", 0, 0, dpif_show, sp);
    unixctl_register("dpif/dump-dps", "", 0, 0, dpif_dump_dps, sp);
    unixctl_register("dpif/dump-flows", "[-m] [--names | --no-names] bridge", 1, INT_MAX,
                     dpif_dump_flows, sp);
    unixctl_register("dpif/show-dp-features", "bridge", 1, 1, dpif_show_dp_features, sp);
    unixctl_register("dpif/set-dp-features", "bridge", 1, 3, dpif_set_dp_features, sp);
}
