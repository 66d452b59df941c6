// SPDX-License-Identifier: Apache-2.0
/*
 * xlate_output.c - sending: to a port, to all of them, through a patch port into the next bridge,
 * to the controllers.
 */
#include <string.h>

#include <rte_mbuf.h>

#include "base/coverage.h"
#include "flow/extract.h"
#include "ofproto/xlate_int.h"
#include "openflow/ofp_continuation.h"
#include "openflow/ofp_packet.h"
#include "packet/packet.h"
#include "packet/rewrite.h"

COVERAGE_DEFINE(xlate_patch_loop);
COVERAGE_DEFINE(xlate_packet_in);

/* --- patch ports -------------------------------------------------------------------------------
 */

/* True if the packet, as it is now, went into 'port' before on its way: it would go round for ever.
 */
static bool
is_loop(const struct xlate_ctx *ctx, const struct view_port *port)
{
    for (const struct xlate_patch *p = ctx->patch; p; p = p->outer) {
        if (p->port->counters == port->counters &&
            !memcmp(p->flow, &ctx->flow, FLOW_KEY_WORDS * sizeof ctx->flow.w[0])) {
            return true;
        }
    }
    return false;
}

static void
credit_port(struct xlate_ctx *ctx, enum xc_type type, const struct view_port *port)
{
    struct xc_entry *e = xlate_credit_add(ctx, type);

    if (e) {
        e->port = port->ofp_port;
    }
}

/* What the pipeline of the next bridge starts with: the packet, and nothing that is this bridge's.
 */
static void
forget_pipeline(struct xlate_ctx *ctx, ofp_port_t in_port)
{
    struct flow *f = &ctx->flow;
    struct flow_vlan deep[FLOW_MAX_DEEP_VLANS];

    memcpy(deep, f->deep_vlans, sizeof deep);
    for (unsigned i = FLOW_KEY_WORDS; i < FLOW_WORDS; i++) {
        f->w[i] = 0;
    }
    memcpy(f->deep_vlans, deep, sizeof deep);
    memset(&f->tunnel, 0, sizeof f->tunnel);
    f->ofp_in_port = in_port;
    f->actset_output = OFPP_UNSET;
}

/* Runs the tables of ctx->view for what came in on 'in'. */
static void
run_peer(struct xlate_ctx *ctx, const struct view_port *in)
{
    struct trace_list *trace = ctx->trace;
    const struct rule *rule = ctx->rule;
    uint64_t cookie = ctx->cookie;
    uint8_t table_id = ctx->table_id;
    bool exit = ctx->exit, in_group = ctx->in_group, in_action_set = ctx->in_action_set;
    bool in_packet_out = ctx->in_packet_out;
    struct ofpacts set = ctx->action_set;
    struct xlate_stack_copy stack = xlate_stack_save(ctx);
    bool was_mpls = ctx->was_mpls;

    ctx->action_set = (struct ofpacts){0};
    ctx->stack.n = 0;
    ctx->in_group = ctx->in_action_set = ctx->in_packet_out = false;
    ctx->table_id = 0;
    if (trace) {
        ctx->trace = &trace_append(trace, TRACE_BRIDGE, "bridge(\"%s\")", ctx->view->name)->subs;
    }
    if (ctx->view->flow_restore_wait) {
        xlate_report(ctx, TRACE_DETAIL, "flows are not restored yet, dropping");
    } else if (in->config & OFPORT_NO_RECV) {
        xlate_report(ctx, TRACE_DETAIL, "OFPPC_NO_RECV is set on the input port, dropping");
    } else {
        xlate_mirror_in(ctx);
        if (was_mpls) {
            xlate_freeze_lookup(ctx);
        } else {
            xlate_table(ctx, in->ofp_port, 0, true, true);
        }
        xlate_pipeline_end(ctx);
    }
    ofpacts_fini(&ctx->action_set);
    ctx->action_set = set;
    xlate_stack_restore(ctx, &stack);
    ctx->was_mpls = was_mpls;
    ctx->trace = trace;
    ctx->rule = rule;
    ctx->cookie = cookie;
    ctx->table_id = table_id;
    ctx->exit = exit;
    ctx->in_group = in_group;
    ctx->in_action_set = in_action_set;
    ctx->in_packet_out = in_packet_out;
}

static void
output_patch(struct xlate_ctx *ctx, const struct view_port *out)
{
    const struct xlate_bridge *here = ctx->bridge, *there;
    const struct view_port *peer;
    struct flow old = ctx->flow;
    struct xlate_patch hop = {.outer = ctx->patch, .port = out, .flow = &old};
    uint32_t mirrors = ctx->mirrors;

    there = out->peer_ofproto ? xlate_bridge_get(ctx, out->peer_ofproto) : NULL;
    peer = there ? view_port(there->view, out->peer_port) : NULL;
    if (!peer) {
        xlate_report(ctx, TRACE_WARN, "Nonexistent patch port peer");
        return;
    }
    if (is_loop(ctx, out)) {
        coverage_inc(xlate_patch_loop);
        xlate_report_error(ctx, "packet goes round through patch port %s, dropping", out->name);
        return;
    }
    credit_port(ctx, XC_PORT_TX, out);
    ctx->patch = &hop;
    ctx->bridge = there;
    ctx->view = there->view;
    ctx->mirrors = 0;
    credit_port(ctx, XC_PORT_RX, peer);
    forget_pipeline(ctx, peer->ofp_port);
    ctx->depth++;
    run_peer(ctx, peer);
    ctx->depth--;
    ctx->mirrors = mirrors;
    ctx->view = here->view;
    ctx->bridge = here;
    ctx->patch = hop.outer;
    /* What the peer changed in the datapath's packet, flow_commit() changes back when it matters.
     */
    ctx->flow = old;
}

/* --- ports -------------------------------------------------------------------------------------
 */

void
xlate_output_port(struct xlate_ctx *ctx, const struct view_port *port, uint32_t truncate)
{
    if (ctx->error) {
        return;
    }
    if (port->config & OFPORT_NO_FWD) {
        xlate_report(ctx, TRACE_DETAIL, "OFPPC_NO_FWD set, skipping output");
        return;
    }
    xlate_mirror_out(ctx, port);
    if (port->peer_ofproto) {
        if (truncate) {
            xlate_report_error(ctx, "output_trunc does not support patch output action");
            return;
        }
        output_patch(ctx, port);
    } else if (port->odp_port == ODPP_NONE) {
        xlate_report(ctx, TRACE_WARN, "Nonexistent patch port peer");
    } else {
        xlate_commit(ctx);
        if (truncate) {
            dp_put_trunc(&ctx->out->actions, truncate);
        }
        dp_put_output(&ctx->out->actions, port->odp_port);
        ctx->sent = true;
    }
}

/* To all ports but the input port; with 'flood', but those that want no floods. */
static void
output_all(struct xlate_ctx *ctx, bool flood)
{
    const struct ofproto_view *view = ctx->view;

    for (size_t i = 0; i < view->n_ports; i++) {
        const struct view_port *port = &view->ports[i];

        if (port->ofp_port == ctx->flow.ofp_in_port || (flood && port->config & OFPORT_NO_FLOOD) ||
            port->config & OFPORT_NO_FWD || (port->odp_port == ODPP_NONE && !port->peer_ofproto)) {
            continue;
        }
        xlate_output_port(ctx, port, 0);
    }
}

static void
output_numbered(struct xlate_ctx *ctx, ofp_port_t number, uint32_t truncate)
{
    const struct view_port *port = view_port(ctx->view, number);

    if (port) {
        xlate_output_port(ctx, port, truncate);
    } else {
        xlate_report(ctx, TRACE_WARN, "Nonexistent output port");
    }
}

static bool
can_truncate(ofp_port_t port)
{
    return port < OFPP_MAX || port == OFPP_LOCAL || port == OFPP_IN_PORT;
}

void
xlate_output(struct xlate_ctx *ctx, const struct xlate_output *o)
{
    if (o->truncate && !can_truncate(o->port)) {
        xlate_report_error(ctx, "output_trunc does not support this output port");
        return;
    }
    switch (o->port) {
    case OFPP_IN_PORT:
        output_numbered(ctx, ctx->flow.ofp_in_port, o->truncate);
        break;
    case OFPP_TABLE:
        xlate_table(ctx, ctx->flow.ofp_in_port, 0, o->may_packet_in, true);
        break;
    case OFPP_NORMAL:
        xlate_normal(ctx);
        break;
    case OFPP_FLOOD:
        output_all(ctx, true);
        break;
    case OFPP_ALL:
        output_all(ctx, false);
        break;
    case OFPP_CONTROLLER: {
        const struct xlate_to_controller to = {
            .max_len = o->controller_max_len,
            .reason = xlate_packet_in_reason(ctx),
        };

        xlate_controller(ctx, &to);
        break;
    }
    case OFPP_NONE:
        break;
    default:
        if (o->port == ctx->flow.ofp_in_port) {
            xlate_report(ctx, TRACE_WARN, "skipping output to input port");
        } else {
            output_numbered(ctx, o->port, o->truncate);
        }
        break;
    }
}

/* --- controllers -------------------------------------------------------------------------------
 */

static bool
is_table_miss_flow(const struct rule *rule)
{
    struct match match;

    if (rule->cls.priority != 0) {
        return false;
    }
    cls_rule_get_match(&rule->cls, &match);
    return match_is_any(&match);
}

uint8_t
xlate_packet_in_reason(const struct xlate_ctx *ctx)
{
    if (ctx->in_packet_out) { /* Whatever its way was: whoever sent it knows it again. */
        return OFPR_PACKET_OUT;
    }
    if (ctx->in_group) {
        return OFPR_GROUP;
    }
    if (ctx->in_action_set) {
        return OFPR_ACTION_SET;
    }
    return ctx->rule && is_table_miss_flow(ctx->rule) ? OFPR_EXPLICIT_MISS : OFPR_ACTION;
}

/* Whether a meter among the actions so far admits 'm', the packet as it is there.  The meter counts
 * it once: what the datapath finds in its place lets the packet pass, or drops it.  (A trace shows
 * the actions and nobody executes them.) */
static bool
pass_meter(struct xlate_ctx *ctx, struct dp_action *a, const struct rte_mbuf *m)
{
    struct dp *dp = ofprotos_dp(ofproto_set(ctx->view->ofproto));
    struct dp_act_u32 *meter = (struct dp_act_u32 *)a;

    _Static_assert(sizeof(struct dp_act_drop) == sizeof *meter, "one takes the other's place");
    if (!dp || ctx->in->trace) {
        return true;
    }
    if (dp_meter_admits(dp, meter->value, m)) {
        meter->value = DP_METER_PASSED;
        return true;
    }
    meter->hdr.type = DP_ACT_DROP;
    ((struct dp_act_drop *)a)->reason = DP_DROP_METER;
    return false;
}

/* Does to 'm' what the datapath actions before this moment do to the packet's headers.  Where a
 * list is unfinished, what was done inside counts too.  False: a meter among them
 * drops it. */
static bool
apply_actions(struct xlate_ctx *ctx, struct rte_mbuf *m, struct packet_layers *ly, uint32_t from,
              uint32_t to)
{
    DP_ACTION_FOREACH (a, ctx->out->actions.data + from, to - from) {
        const void *p = a;

#define APPLY_SET(STRUCT, CALL)     \
    do {                            \
        const struct STRUCT *s = p; \
        (void)CALL;                 \
    } while (0)
        if (a->type == DP_ACT_PUSH_VLAN) {
            const struct dp_act_push_vlan *v = p;
            (void)packet_push_vlan(m, ly, v->tpid, v->tci);
        } else if (a->type == DP_ACT_POP_VLAN) {
            (void)packet_pop_vlan(m, ly);
        } else if (a->type == DP_ACT_SET_ETH) {
            APPLY_SET(dp_act_set_eth, packet_set_eth(m, &s->value, &s->mask));
        } else if (a->type == DP_ACT_SET_IPV4) {
            APPLY_SET(dp_act_set_ipv4, packet_set_ipv4(m, ly, &s->value, &s->mask));
        } else if (a->type == DP_ACT_SET_IPV6) {
            APPLY_SET(dp_act_set_ipv6, packet_set_ipv6(m, ly, &s->value, &s->mask));
        } else if (a->type == DP_ACT_SET_TCP) {
            APPLY_SET(dp_act_set_tp, packet_set_tcp(m, ly, &s->value, &s->mask));
        } else if (a->type == DP_ACT_SET_UDP) {
            APPLY_SET(dp_act_set_tp, packet_set_udp(m, ly, &s->value, &s->mask));
        } else if (a->type == DP_ACT_SET_SCTP) {
            APPLY_SET(dp_act_set_tp, packet_set_sctp(m, ly, &s->value, &s->mask));
        } else if (a->type == DP_ACT_SET_ICMP) {
            APPLY_SET(dp_act_set_icmp, packet_set_icmp(m, ly, &s->value, &s->mask));
        } else if (a->type == DP_ACT_SET_ARP) {
            APPLY_SET(dp_act_set_arp, packet_set_arp(m, ly, &s->value, &s->mask));
        } else if (a->type == DP_ACT_SET_ND) {
            APPLY_SET(dp_act_set_nd, packet_set_nd(m, ly, &s->value, &s->mask));
        } else if (a->type == DP_ACT_SET_ND_EXT) {
            APPLY_SET(dp_act_set_nd_ext, packet_set_nd_ext(m, ly, &s->value, &s->mask));
        } else if (a->type == DP_ACT_SET_MPLS) {
            APPLY_SET(dp_act_set_mpls, packet_set_mpls(m, ly, s->value, s->mask));
        } else if (a->type == DP_ACT_PUSH_MPLS) {
            APPLY_SET(dp_act_push_mpls, packet_push_mpls(m, ly, s->ethertype, s->lse));
        } else if (a->type == DP_ACT_POP_MPLS) {
            APPLY_SET(dp_act_pop_mpls, packet_pop_mpls(m, ly, s->ethertype));
        } else if (a->type == DP_ACT_METER) {
            if (!pass_meter(ctx, (struct dp_action *)(uintptr_t)p, m)) {
                return false;
            }
        } else if (a->type == DP_ACT_DROP) {
            return false; /* a meter's verdict, see pass_meter() */
        }
#undef APPLY_SET
    }
    return true;
}

/* True if the packet's size, as it is at the check_pkt_len() that began unfinished list 'i', leads
 * into that list. */
static bool
goes_into_list(const struct xlate_ctx *ctx, int i, const struct rte_mbuf *m)
{
    const struct dp_act_check_pkt_len *a =
        (const struct dp_act_check_pkt_len *)(ctx->out->actions.data + ctx->nest[i]);

    return (rte_pktmbuf_pkt_len(m) > a->pkt_len) == ctx->nest_larger[i];
}

/* A copy of the packet as it is at this point of the pipeline; NULL if it does not come here (its
 * size leads elsewhere, a meter drops it), or there is no buffer for it. */
static struct rte_mbuf *
packet_as_now(struct xlate_ctx *ctx)
{
    struct rte_mbuf *m = packet_copy(ctx->in->packet, ctx->in->packet->pool);
    struct packet_layers ly;
    struct flow_key key;
    uint32_t pos = 0;
    bool is_there = m && !ctx->out->actions.overflow &&
                    key_extract(m, ctx->in->flow->in_port, &key, &ly) == EXTRACT_OK;

    for (int i = 0; is_there && i < MIN(ctx->n_nest, (int)XLATE_MAX_NEST); i++) {
        uint32_t begin = ctx->nest[i];

        is_there = apply_actions(ctx, m, &ly, pos, begin) && goes_into_list(ctx, i, m);
        pos = begin + ctx->nest_header[i];
    }
    if (!is_there || !apply_actions(ctx, m, &ly, pos, ctx->out->actions.size)) {
        rte_pktmbuf_free(m);
        return NULL;
    }
    return m;
}

/* The datapath's meter of what goes to the controllers; UINT32_MAX: none.  A packet that is paused
 * has none: nobody would resume it. */
static uint32_t
controller_meter(const struct xlate_ctx *ctx, const struct xlate_to_controller *to)
{
    const struct ofproto *ofproto = ctx->view->ofproto;
    uint32_t id = UINT32_MAX;

    if (!to->continuation) {
        id = to->meter_id ? ofproto_meter_to_dp(ofproto, to->meter_id) : UINT32_MAX;
        id = id == UINT32_MAX ? ofproto_meter_to_dp(ofproto, OFP_METER_CONTROLLER) : id;
    }
    return id;
}

static void
send_packet_in(struct xlate_ctx *ctx, const struct xlate_to_controller *to, uint32_t meter)
{
    struct dp *dp = ofprotos_dp(ofproto_set(ctx->view->ofproto));
    struct rte_mbuf *m = packet_as_now(ctx);
    uint8_t bytes[9216];
    struct ofproto_packet_in pin = {
        .reason = to->reason,
        .is_miss = to->is_miss,
        .table_id = ctx->table_id,
        .cookie = ctx->cookie,
        .controller_id = to->controller_id,
        .flow = &ctx->flow,
        .userdata = to->userdata,
        .userdata_len = to->userdata_len,
        .continuation = to->continuation,
    };

    if (!m || (meter != UINT32_MAX && dp && !dp_meter_admits(dp, meter, m))) {
        ofp_continuation_destroy(to->continuation);
        rte_pktmbuf_free(m);
        return;
    }
    pin.total_len = pin.len = rte_pktmbuf_pkt_len(m);
    pin.len = MIN(pin.len, sizeof bytes);
    pin.data = rte_pktmbuf_read(m, 0, (uint32_t)pin.len, bytes);
    coverage_inc(xlate_packet_in);
    ofproto_packet_in(ctx->view->ofproto, &pin);
    rte_pktmbuf_free(m);
}

/* What ofproto/trace shows for it: within a sample of all packets the meter concerns nothing else.
 */
static void
put_userspace(struct xlate_ctx *ctx, const struct xlate_to_controller *to, uint32_t meter)
{
    struct dp_actions *acts = &ctx->out->actions;
    uint32_t sample = 0;
    struct dp_act_userspace u = {
        .kind = DP_USERSPACE_CONTROLLER,
        .controller =
            {
                .dont_send = !ctx->in->side_effects,
                .reason = to->reason,
                .continuation = to->continuation != NULL,
                .rule_cookie = ctx->cookie,
                .controller_id = to->controller_id,
                .max_len = to->max_len,
            },
    };

    if (meter != UINT32_MAX) {
        sample = dp_begin_sample(acts, UINT32_MAX);
        dp_put_meter(acts, meter);
    }
    dp_put_userspace(acts, &u);
    if (meter != UINT32_MAX) {
        dp_end_nested(acts, sample);
    }
}

void
xlate_controller(struct xlate_ctx *ctx, const struct xlate_to_controller *to)
{
    uint32_t meter = controller_meter(ctx, to);

    ctx->out->slow |= DP_SLOW_CONTROLLER;
    xlate_commit(ctx);
    if (ctx->in->trace && (ctx->in->packet || !to->continuation)) {
        put_userspace(ctx, to, meter);
    }
    if (ctx->in->side_effects && ctx->in->packet && !ctx->error) {
        send_packet_in(ctx, to, meter);
    } else {
        ofp_continuation_destroy(to->continuation);
    }
}
