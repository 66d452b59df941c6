// SPDX-License-Identifier: Apache-2.0
/*
 * xlate.c - one translation from beginning to end, and the walk through the tables.
 *
 * Start with xlate() at the end of this file.  See xlate.h for the contract and xlate_int.h for the
 * parts; xlate_report.c has what it says about itself.
 */
#include "ofproto/xlate_int.h"

#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "base/coverage.h"
#include "base/log.h"
#include "flow/match.h"
#include "flow/text.h"
#include "openflow/ofp_text.h"

LOG_MODULE(ofproto_dpif_xlate);

COVERAGE_DEFINE(xlate_actions);
COVERAGE_DEFINE(xlate_actions_oversize);
COVERAGE_DEFINE(xlate_resume);

static enum dp_drop_reason
drop_reason(enum xlate_error error)
{
    switch (error) {
    case XLATE_BRIDGE_NOT_FOUND:
        return DP_DROP_BRIDGE_NOT_FOUND;
    case XLATE_RECURSION_TOO_DEEP:
        return DP_DROP_RECURSION_TOO_DEEP;
    case XLATE_TOO_MANY_RESUBMITS:
        return DP_DROP_TOO_MANY_RESUBMITS;
    case XLATE_STACK_TOO_DEEP:
        return DP_DROP_STACK_TOO_DEEP;
    case XLATE_NO_RECIRC_CONTEXT:
        return DP_DROP_NO_RECIRC_CONTEXT;
    case XLATE_TOO_MANY_MPLS_LABELS:
        return DP_DROP_TOO_MANY_MPLS_LABELS;
    case XLATE_FORWARDING_DISABLED:
        return DP_DROP_FORWARDING_DISABLED;
    case XLATE_NO_RECIRC_ID:
        return DP_DROP_CONGESTION;
    case XLATE_OK:
    default:
        return DP_DROP_OF_PIPELINE;
    }
}

void
xlate_fail(struct xlate_ctx *ctx, enum xlate_error error)
{
    if (!ctx->error) {
        ctx->error = error;
    }
}

uint64_t *
xlate_words_put(struct xlate_words *words, uint32_t n)
{
    uint64_t *w;

    if (!words->w) {
        words->w = words->first;
        words->cap = ARRAY_SIZE(words->first);
    }
    if (words->n + n > words->cap) {
        uint32_t cap = MAX(words->cap * 2, words->n + n);

        if (words->w == words->first) {
            w = xmalloc(cap * sizeof *w);
            memcpy(w, words->first, words->n * sizeof *w);
        } else {
            w = xreallocarray(words->w, cap, sizeof *w);
        }
        words->w = w;
        words->cap = cap;
    }
    w = &words->w[words->n];
    words->n += n;
    return w;
}

static void
words_fini(struct xlate_words *words)
{
    if (words->w != words->first) {
        free(words->w);
    }
}

/* --- bridges -----------------------------------------------------------------------------------
 */

/* Each bridge is read in one version and one view for the whole of a translation. */
const struct xlate_bridge *
xlate_bridge_get(struct xlate_ctx *ctx, const struct ofproto *ofproto)
{
    struct xlate_bridge *b;

    for (size_t i = 0; i < ctx->n_bridges; i++) {
        if (ctx->bridges[i].view->ofproto == ofproto) {
            return &ctx->bridges[i];
        }
    }
    if (ctx->n_bridges == XLATE_MAX_BRIDGES) {
        return NULL;
    }
    b = &ctx->bridges[ctx->n_bridges++];
    b->view = ofproto_view(ofproto);
    b->version = ofproto_version(ofproto);
    xlate_dep_view(ctx, ofproto);
    return b;
}

/* --- tables ------------------------------------------------------------------------------------
 */

/* False once a limit is passed that keeps loops of tables finite. */
static bool
may_go_deeper(struct xlate_ctx *ctx)
{
    if (ctx->depth >= XLATE_MAX_DEPTH) {
        xlate_report_error(ctx, "over max translation depth %d", XLATE_MAX_DEPTH);
        xlate_fail(ctx, XLATE_RECURSION_TOO_DEEP);
    } else if (ctx->n_resubmits >= XLATE_MAX_RESUBMITS) {
        xlate_report_error(ctx, "over %d resubmit actions", XLATE_MAX_RESUBMITS);
        xlate_fail(ctx, XLATE_TOO_MANY_RESUBMITS);
    } else if (ctx->out->actions.size > XLATE_MAX_ACTIONS) {
        xlate_report_error(ctx, "resubmits yielded over %d kB of actions",
                           XLATE_MAX_ACTIONS / 1024);
        xlate_fail(ctx, XLATE_TOO_MANY_RESUBMITS);
    } else if (ctx->stack.n * 8 > XLATE_MAX_STACK) {
        xlate_report_error(ctx, "resubmits yielded over %d kB of stack", XLATE_MAX_STACK / 1024);
        xlate_fail(ctx, XLATE_STACK_TOO_DEEP);
    } else {
        return true;
    }
    return false;
}

static struct rule *
table_lookup(struct xlate_ctx *ctx, uint8_t table_id)
{
    const struct flow *flow = &ctx->flow;
    struct flow without_ports;
    struct rule *rule;

    if (flow->nw_frag & NW_FRAG_ANY && ctx->view->frag == OFPROTO_FRAG_NORMAL) {
        /* Rules see no fragment's ports, the first one's neither: all of a packet goes one way.
         * What flags the first one has they do see, as in the deployed switch. */
        without_ports = *flow;
        without_ports.tp_src = without_ports.tp_dst = 0;
        flow = &without_ports;
    }
    if (ctx->in->first_rule && !ctx->looked_up) {
        rule = ctx->in->first_rule;
    } else {
        rule = xlate_look_up(ctx, table_id, flow);
    }
    xlate_dep_lookup(ctx, ctx->view->ofproto, table_id, flow, rule);
    ctx->looked_up = true;
    ctx->untouched = flow == &ctx->flow; /* But for the port that a resubmit may name. */
    return rule;
}

static void
credit_lookup(struct xlate_ctx *ctx, uint8_t table_id, struct rule *rule)
{
    struct xc_entry *e = xlate_credit_add(ctx, rule ? XC_RULE : XC_TABLE_MISS);

    if (!e) {
        return;
    }
    if (rule) {
        e->rule = rule;
    } else {
        e->table_id = table_id;
    }
}

/* Does what 'rule' says, in 'table_id'. */
static void
run_rule(struct xlate_ctx *ctx, const struct rule *rule, uint8_t table_id)
{
    const struct rule *old_rule = ctx->rule;
    uint64_t old_cookie = ctx->cookie;
    uint8_t old_table = ctx->table_id;
    bool deepens = table_id <= old_table;

    if (ctx->in_at_mirror) {
        xlate_report_error(ctx,
                           "dropping packet received on port %s, which is reserved "
                           "exclusively for mirroring",
                           ctx->in_at_mirror->name);
        return;
    }
    if (ctx->first_cookie == UINT64_MAX) {
        ctx->first_cookie = rule->cookie;
    }
    ctx->rule = rule;
    ctx->cookie = rule->cookie;
    ctx->table_id = table_id;
    ctx->n_resubmits++;
    ctx->depth += deepens;
    xlate_actions(ctx, rule_acts(rule->actions), rule->actions->size, true);
    ctx->depth -= deepens;
    ctx->table_id = old_table;
    ctx->cookie = old_cookie;
    ctx->rule = old_rule;
}

static bool
table_miss_to_controller(const struct xlate_ctx *ctx, uint8_t table_id)
{
    uint8_t miss = ctx->view->miss[table_id];

    return miss == OFPROTO_MISS_CONTROLLER ||
           (miss == OFPROTO_MISS_DEFAULT && ctx->view->wants_packet_in_on_miss);
}

static void
table_miss(struct xlate_ctx *ctx, uint8_t table_id, bool may_packet_in)
{
    const struct view_port *in = view_port(ctx->view, ctx->flow.ofp_in_port);

    if (may_packet_in && table_miss_to_controller(ctx, table_id) &&
        !(in && in->config & OFPORT_NO_PACKET_IN)) {
        const struct xlate_to_controller to = {
            .max_len = UINT16_MAX,
            .reason = 0,
            .is_miss = true,
        };
        const struct rule *old_rule = ctx->rule;
        uint64_t old_cookie = ctx->cookie;
        uint8_t old_table = ctx->table_id;

        xlate_report(ctx, TRACE_ACTION, "CONTROLLER:65535");
        ctx->rule = NULL;
        ctx->cookie = 0;
        ctx->table_id = table_id;
        xlate_controller(ctx, &to);
        ctx->rule = old_rule;
        ctx->cookie = old_cookie;
        ctx->table_id = old_table;
    } else {
        xlate_report(ctx, TRACE_ACTION, "drop");
    }
}

void
xlate_table(struct xlate_ctx *ctx, ofp_port_t in_port, uint8_t table_id, bool may_packet_in,
            bool honor_miss)
{
    ofp_port_t old_in_port = ctx->flow.ofp_in_port;
    struct trace_list *trace;
    struct rule *rule;

    if (!may_go_deeper(ctx)) {
        return;
    }
    if (ctx->flow.nw_frag & NW_FRAG_ANY && ctx->view->frag == OFPROTO_FRAG_DROP) {
        xlate_report(ctx, TRACE_WARN,
                     "Packets are IP fragments and the fragment handling mode is "
                     "\"drop\".");
        return;
    }
    ctx->flow.ofp_in_port = in_port;
    rule = table_lookup(ctx, table_id);
    credit_lookup(ctx, table_id, rule);
    while (!rule && honor_miss && table_id + 1 < OFPROTO_N_TABLES &&
           ctx->view->miss[table_id] == OFPROTO_MISS_CONTINUE) {
        table_id++;
        rule = table_lookup(ctx, table_id);
        credit_lookup(ctx, table_id, rule);
    }
    ctx->flow.ofp_in_port = old_in_port;
    xlate_report_table(ctx, table_id, rule, &trace);
    if (rule && ctx->trail) {
        xlate_trail_note(ctx, rule, table_id, in_port);
    }
    if (rule && !ctx->is_own) {
        run_rule(ctx, rule, table_id);
    } else if (!ctx->is_own) {
        table_miss(ctx, table_id, may_packet_in);
    }
    ctx->untouched = false;
    ctx->trace = trace;
}

/* --- begin and end -----------------------------------------------------------------------------
 */

void
xlate_commit(struct xlate_ctx *ctx)
{
    ctx->out->slow |=
        flow_commit(&ctx->base, &ctx->flow, &ctx->out->actions, ctx->wc, !ctx->was_mpls);
}

/* What every translation consults, whatever the tables say. */
static void
mask_init(struct flow_mask *wc, const struct flow *flow)
{
    memset(wc, 0, sizeof *wc);
    FLOW_MASK_SET(wc, in_port);
    FLOW_MASK_SET(wc, recirc_id);
    FLOW_MASK_SET(wc, dl_type);
    if (flow_is_ip(flow)) {
        wc->bits.nw_frag = NW_FRAG_MASK;
    }
}

/* Takes out of the mask what no packet of the megaflow can differ in, and adds what must go
 * together. */
static void
mask_finish(struct flow_mask *wc, const struct flow *flow)
{
    for (unsigned i = FLOW_KEY_WORDS; i < FLOW_WORDS; i++) {
        wc->bits.w[i] = 0;
    }
    for (int i = 0; i < FLOW_MAX_VLANS; i++) {
        if (wc->bits.vlans[i].tci) {
            wc->bits.vlans[i].tci |= htons(VLAN_CFI);
            if (flow->vlans[i].tci) {
                wc->bits.vlans[i].tpid = UINT16_MAX;
            }
        }
    }
    if (flow->nw_frag & NW_FRAG_LATER) {
        wc->bits.tp_src = wc->bits.tp_dst = 0;
        wc->bits.tcp_flags = 0;
    }
    /* ICMP types and codes are 8 bits in fields of 16. */
    if ((flow_dl_type_is(flow, ETH_TYPE_IP) && flow->nw_proto == IP_PROTO_ICMP) ||
        (flow_dl_type_is(flow, ETH_TYPE_IPV6) && flow->nw_proto == IP_PROTO_ICMPV6)) {
        wc->bits.tp_src &= htons(UINT8_MAX);
        wc->bits.tp_dst &= htons(UINT8_MAX);
    }
    FLOW_MASK_SET(wc, in_port);
    FLOW_MASK_SET(wc, recirc_id);
}

/* Finds the bridge and port that the packet came in on.  False if there is none. */
static bool
find_start(struct xlate_ctx *ctx)
{
    const struct xlate_in *in = ctx->in;
    struct ofproto *ofproto = in->ofproto;

    if (!ofproto) {
        struct ofproto_port_ref ref = ofprotos_port_by_odp(in->ofprotos, in->flow->in_port);

        ofproto = ref.ofproto;
        ctx->flow.ofp_in_port = ref.ofp_port;
    }
    if (!ofproto) {
        ctx->out->drop_unknown = true;
        xlate_fail(ctx, XLATE_BRIDGE_NOT_FOUND);
        return false;
    }
    ctx->bridge = xlate_bridge_get(ctx, ofproto);
    ctx->view = ctx->bridge->view;
    return true;
}

static void
begin(struct xlate_ctx *ctx, const struct xlate_in *in, struct xlate_out *out)
{
    memset(out, 0, offsetof(struct xlate_out, final_flow));
    ctx->in = in;
    ctx->out = out;
    ctx->wc = &out->mask;
    ctx->flow = *in->flow;
    ctx->flow.actset_output = OFPP_UNSET;
    ctx->flow.conj_id = 0;
    ctx->first = *in->flow;
    for (unsigned i = FLOW_KEY_WORDS; i < FLOW_WORDS; i++) {
        ctx->first.w[i] = 0;
    }
    ctx->looked_up = ctx->untouched = false;
    ctx->base = ctx->first;
    ctx->orig_priority = in->flow->skb_priority;
    ctx->n_bridges = 0;
    ctx->bridge = NULL;
    ctx->view = NULL;
    ctx->patch = NULL;
    ctx->rule = NULL;
    ctx->cookie = ctx->first_cookie = UINT64_MAX;
    ctx->frozen = NULL;
    ctx->pause = NULL;
    ctx->again = ctx->was_mpls = false;
    ctx->thawed = NULL;
    ctx->recircs = NULL;
    ctx->n_recircs = 0;
    ctx->table_id = 0;
    ctx->depth = ctx->n_resubmits = ctx->n_buckets = ctx->n_watched = 0;
    ctx->in_group = ctx->in_action_set = false;
    ctx->in_packet_out = in->is_packet_out;
    ctx->exit = ctx->sent = false;
    ctx->error = XLATE_OK;
    ctx->action_set = (struct ofpacts){0};
    ctx->stack.w = ctx->deps.w = NULL;
    ctx->stack.n = ctx->deps.n = 0;
    ctx->stack.cap = ctx->deps.cap = 0;
    ctx->deps_all = false;
    ctx->mirrors = 0;
    ctx->in_at_mirror = NULL;
    ctx->is_own = false;
    ctx->n_nest = 0;
    ctx->collects = in->want_cache || (in->side_effects && in->n_packets);
    ctx->credits = ctx->first_credits;
    ctx->n_credits = 0;
    ctx->cap_credits = ARRAY_SIZE(ctx->first_credits);
    ctx->trace = in->trace ? &in->trace->nodes : NULL;
    ctx->trail = NULL;
    ctx->n_steps = 0;
    mask_init(ctx->wc, &ctx->flow);
}

bool
xlate_pipeline_end(struct xlate_ctx *ctx)
{
    bool freezes;

    if (!ctx->error && !ctx->frozen) {
        xlate_action_set(ctx);
    }
    freezes = ctx->frozen != NULL;
    if (freezes) {
        xlate_freeze_finish(ctx);
    }
    return !freezes && !ctx->error;
}

static void
run_tables(struct xlate_ctx *ctx)
{
    uint8_t table_id;
    struct rule *rule;

    ctx->depth = -1; /* The first table is not in another one. */
    rule = xlate_trail_follow(ctx, &table_id);
    if (rule) {
        run_rule(ctx, rule, table_id);
        ctx->rule = NULL;
        ctx->cookie = UINT64_MAX;
        ctx->table_id = 0;
        ctx->untouched = false;
    } else {
        xlate_table(ctx, ctx->flow.ofp_in_port, 0, true, true);
    }
    ctx->depth = 0;
    ctx->trail = NULL;
}

static void
run(struct xlate_ctx *ctx)
{
    const struct xlate_in *in = ctx->in;
    const struct view_port *port = view_port(ctx->view, ctx->flow.ofp_in_port);

    if (ctx->trace) {
        struct trace_node *node =
            trace_append(ctx->trace, TRACE_BRIDGE, "bridge(\"%s\")", ctx->view->name);
        ctx->trace = &node->subs;
    }
    if (ctx->view->flow_restore_wait) {
        xlate_report(ctx, TRACE_DETAIL, "flows are not restored yet, dropping");
        xlate_fail(ctx, XLATE_FORWARDING_DISABLED);
        return;
    }
    if (ctx->thawed) {
        xlate_thaw(ctx);
    } else if (in->resume) {
        coverage_inc(xlate_resume);
        xlate_resume(ctx, in->resume);
    } else if (in->is_packet_out) {
        ctx->table_id = 0;
        if (in->acts_size) {
            xlate_actions(ctx, in->acts, in->acts_size, true);
        }
    } else {
        if (port && port->config & OFPORT_NO_RECV) {
            xlate_report(ctx, TRACE_DETAIL, "OFPPC_NO_RECV is set on the input port, dropping");
            return;
        }
        ctx->is_own = xlate_take_lacp(ctx, port);
        if (port && port->bundle && port->bundle->out_mirrors) {
            ctx->in_at_mirror = port->bundle;
        } else if (!ctx->is_own) {
            xlate_mirror_in(ctx);
        }
        run_tables(ctx);
        if (ctx->trace && !STAILQ_EMPTY(ctx->trace)) {
            /* The action set is shown beside the actions of the first table. */
            ctx->trace = &STAILQ_FIRST(ctx->trace)->subs;
        }
    }
    if (xlate_pipeline_end(ctx)) {
        xlate_dhcp_to_local(ctx);
    }
}

static void
end(struct xlate_ctx *ctx)
{
    struct xlate_out *out = ctx->out;

    if (out->actions.overflow) {
        coverage_inc(xlate_actions_oversize);
        xlate_report_error(ctx, "more than %d kB of datapath actions", DP_ACTIONS_MAX_SIZE / 1024);
        xlate_fail(ctx, XLATE_TOO_MANY_RESUBMITS);
    }
    if (ctx->error) {
        dp_actions_fini(&out->actions);
        out->actions = (struct dp_actions){0};
        out->slow = 0;
        ctx->sent = false;
    }
    if (!out->actions.size) {
        dp_put_drop(&out->actions, drop_reason(ctx->error));
    }
    out->error = ctx->error;
    mask_finish(ctx->wc, ctx->in->flow);
    xlate_credits_finish(ctx);
    xlate_recircs_fini(ctx);
    xlate_deps_finish(ctx);
    ofpacts_fini(&ctx->action_set);
    words_fini(&ctx->stack);
    words_fini(&ctx->deps);
    if (ctx->credits != ctx->first_credits) {
        free(ctx->credits);
    }
}

void
xlate(const struct xlate_in *in, struct xlate_out *out)
{
    struct xlate_ctx ctx;

    coverage_inc(xlate_actions);
    begin(&ctx, in, out);
    if (in->flow->recirc_id ? xlate_thaw_begin(&ctx) : find_start(&ctx)) {
        run(&ctx);
    }
    if (in->trace) {
        out->final_flow = ctx.flow;
    }
    end(&ctx);
}

void
xlate_share_init(struct xlate_share *share)
{
    memset(share, 0, offsetof(struct xlate_share, seen));
}

void
xlate_share_fini(struct xlate_share *share)
{
    xlate_share_fini_caches(share);
    xlate_share_fini_deps(share);
    xlate_share_fini_trails(share);
}

void
xlate_out_fini(struct xlate_out *out)
{
    dp_actions_fini(&out->actions);
    xlate_cache_destroy(out->cache);
    xlate_deps_destroy(out->deps);
}

/* --- MAC tables of bridges (ofproto_int.h)
 * --------------------------------------------------------------- */

struct mac_table *
xlate_mac_table_create(struct ofproto *ofproto)
{
    return mac_table_create(ofprotos_loop(ofproto_set(ofproto)));
}

void
xlate_mac_table_configure(struct mac_table *mt, int aging_s, int max_entries,
                          const uint64_t *flood_vlans)
{
    mac_table_configure(mt, aging_s, max_entries, flood_vlans);
}

void
xlate_mac_table_forget_bundle(struct mac_table *mt, uint32_t bundle_id)
{
    mac_table_forget_bundle(mt, bundle_id);
}

void
xlate_mac_table_stop(struct mac_table *mt)
{
    mac_table_stop(mt);
}

void
xlate_mac_table_destroy(struct mac_table *mt)
{
    mac_table_unref(mt);
}
