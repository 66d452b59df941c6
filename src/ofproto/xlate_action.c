// SPDX-License-Identifier: Apache-2.0
/*
 * xlate_action.c - a list of OpenFlow actions, one after the other.
 *
 * One switch says for each action which function does it; the compiler names the actions that are
 * missing here.
 */
#include <string.h>

#include "flow/text.h"
#include "ofproto/xlate_int.h"
#include "openflow/ofp_packet.h"
#include "openflow/ofp_text.h"

static void
report_action(struct xlate_ctx *ctx, const struct ofpact *a)
{
    struct mf_port_names names;
    struct text t = {0};

    if (!ctx->trace) {
        return;
    }
    ofpact_format(a, xlate_names(ctx, &names), &t);
    trace_append(ctx->trace, TRACE_ACTION, "%s", text_cstr(&t));
    text_fini(&t);
}

static void
do_resubmit(struct xlate_ctx *ctx, const struct ofpact_resubmit *a)
{
    ofp_port_t in_port = a->port == OFPP_IN_PORT ? ctx->flow.ofp_in_port : a->port;
    uint8_t table_id = a->table_id == 255 ? ctx->table_id : a->table_id;

    /* A bucket or an action set may resubmit, but starts from its own table.  A miss there is no
     * controller's business: the flow that resubmits is what the packet met. */
    xlate_table(ctx, in_port, table_id, false, false);
}

static void
do_output(struct xlate_ctx *ctx, ofp_port_t port, uint16_t max_len, uint32_t truncate)
{
    const struct xlate_output o = {
        .port = port,
        .controller_max_len = max_len,
        .truncate = truncate,
        .may_packet_in = true,
    };

    xlate_output(ctx, &o);
}

static void
do_output_reg(struct xlate_ctx *ctx, const struct ofpact_output_reg *a)
{
    uint64_t port = mf_get_subfield(&a->src, &ctx->flow);

    if (port > UINT16_MAX) {
        xlate_report(ctx, TRACE_WARN, "output port %#llx is out of range",
                     (unsigned long long)port);
        return;
    }
    xlate_report(ctx, TRACE_DETAIL, "output port is %u", (unsigned)port);
    mf_mask_subfield(&a->src, ctx->wc);
    do_output(ctx, (ofp_port_t)port, a->max_len, 0);
}

static void
do_controller(struct xlate_ctx *ctx, const struct ofpact_controller *a)
{
    const struct xlate_to_controller to = {
        .max_len = a->max_len,
        .controller_id = a->controller_id,
        .reason = a->reason,
        .meter_id = a->meter_id == OFP_METER_NONE ? 0 : a->meter_id,
        .userdata = a->userdata,
        .userdata_len = a->userdata_len,
    };

    xlate_controller(ctx, &to);
}

static void
do_enqueue(struct xlate_ctx *ctx, const struct ofpact_enqueue *a)
{
    ofp_port_t port = a->port == OFPP_IN_PORT ? ctx->flow.ofp_in_port : a->port;
    uint32_t old = ctx->flow.skb_priority;
    const struct view_port *out;

    if (a->port != OFPP_IN_PORT && port == ctx->flow.ofp_in_port) {
        return;
    }
    FLOW_MASK_SET(ctx->wc, skb_priority);
    ctx->flow.skb_priority = a->queue;
    out = view_port(ctx->view, port);
    if (out) {
        xlate_output_port(ctx, out, 0);
    } else {
        xlate_report(ctx, TRACE_WARN, "Nonexistent output port");
    }
    ctx->flow.skb_priority = old;
}

/* A list that is done beside the rest of the pipeline ends: what was frozen in it is complete. */
static void
end_branch(struct xlate_ctx *ctx)
{
    if (ctx->frozen) {
        xlate_freeze_finish(ctx);
    }
}

/* Does the action set of such a list. */
static void
do_own_set(struct xlate_ctx *ctx)
{
    bool exit = ctx->exit;

    if (!ctx->error && !ctx->frozen) {
        xlate_action_set(ctx);
        ctx->exit = ctx->exit || exit;
    }
}

static void
do_clone(struct xlate_ctx *ctx, const struct ofpact_nest *a)
{
    struct flow old = ctx->flow;
    struct ofpacts old_set = ctx->action_set;
    struct xlate_stack_copy stack = xlate_stack_save(ctx);
    bool was_mpls = ctx->was_mpls;
    size_t size;
    const struct ofpact *acts = ofpact_nest_actions(a, &size);

    /* Whatever the copy changed in the datapath's packet, flow_commit() changes back. */
    ctx->action_set = (struct ofpacts){0};
    ofpacts_append(&ctx->action_set, ofpacts_data(&old_set), old_set.size);
    xlate_actions(ctx, acts, size, false);
    do_own_set(ctx);
    end_branch(ctx);
    ofpacts_fini(&ctx->action_set);
    ctx->action_set = old_set;
    ctx->flow = old;
    ctx->was_mpls = was_mpls;
    xlate_stack_restore(ctx, &stack);
    /* "exit" ends all but the bucket that it is in: it holds after the copy, too. */
}

static void
do_fin_timeout(struct xlate_ctx *ctx, const struct ofpact_fin_timeout *a)
{
    struct xc_entry *e;

    if (!flow_is_ip(&ctx->flow)) {
        return;
    }
    FLOW_MASK_SET(ctx->wc, nw_proto);
    if (ctx->flow.nw_proto == IP_PROTO_TCP && ctx->rule) {
        e = xlate_credit_add(ctx, XC_FIN_TIMEOUT);
        if (e) {
            e->fin.rule = (struct rule *)ctx->rule;
            e->fin.idle = a->idle_timeout;
            e->fin.hard = a->hard_timeout;
        }
    }
}

static void
do_meter(struct xlate_ctx *ctx, const struct ofpact_meter *a)
{
    uint32_t id = ofproto_meter_to_dp(ctx->view->ofproto, a->meter_id);

    if (id != UINT32_MAX) {
        xlate_commit(ctx);
        dp_put_meter(&ctx->out->actions, id);
    }
}

/* From here on actions go into one of the lists of the record at 'pos': what they do is done after
 * what stands before the record, and what stands in the record's other list is not done. */
static void
nest_begin(struct xlate_ctx *ctx, uint32_t pos, bool larger)
{
    if (ctx->n_nest < XLATE_MAX_NEST) {
        ctx->nest_larger[ctx->n_nest] = larger;
        ctx->nest[ctx->n_nest] = pos;
        ctx->nest_header[ctx->n_nest] = ctx->out->actions.size - pos;
    }
    ctx->n_nest++;
}

/* 'rest' in one of the lists of the record at 'pos'.  Each packet does one of the lists: it ends
 * the action set that it finds, and what it leaves on the stack is not for the other list. */
static void
do_one_size(struct xlate_ctx *ctx, const struct ofpact_check_pkt *a, const struct ofpact *rest,
            size_t rest_size, uint32_t pos, bool larger)
{
    struct flow flow = ctx->flow;
    struct flow base = ctx->base;
    struct ofpacts set = ctx->action_set;
    struct xlate_stack_copy stack = xlate_stack_save(ctx);

    ctx->action_set = (struct ofpacts){0};
    ofpacts_append(&ctx->action_set, ofpacts_data(&set), set.size);
    nest_begin(ctx, pos, larger);
    mf_set_subfield(&a->dst, larger, &ctx->flow);
    xlate_actions(ctx, rest, rest_size, true);
    do_own_set(ctx);
    end_branch(ctx);
    ctx->n_nest--;
    ofpacts_fini(&ctx->action_set);
    ctx->action_set = set;
    xlate_stack_restore(ctx, &stack);
    ctx->flow = flow;
    ctx->base = base;
}

/* The rest of the list is translated twice, for packets above the size and for others. */
static void
do_check_pkt_larger(struct xlate_ctx *ctx, const struct ofpact_check_pkt *a,
                    const struct ofpact *rest, size_t rest_size)
{
    struct dp_actions *acts = &ctx->out->actions;
    bool old_exit = ctx->exit;
    uint32_t pos;

    xlate_commit(ctx);
    pos = dp_begin_check_pkt_len(acts, a->pkt_len);
    do_one_size(ctx, a, rest, rest_size, pos, true);
    ctx->was_mpls = false; /* as it was: after a label was popped this list is not done */
    ctx->exit = old_exit;
    dp_check_pkt_len_else(acts, pos);
    do_one_size(ctx, a, rest, rest_size, pos, false);
    dp_end_nested(acts, pos);
    ofpacts_clear(&ctx->action_set); /* Done, whatever the size is. */
}

static void
do_metadata(struct xlate_ctx *ctx, const struct ofpact_metadata *a)
{
    uint64_t m = rte_be_to_cpu_64(ctx->flow.metadata);

    ctx->flow.metadata = rte_cpu_to_be_64((m & ~a->mask) | (a->metadata & a->mask));
}

static void
do_goto_table(struct xlate_ctx *ctx, const struct ofpact_goto_table *a)
{
    xlate_table(ctx, ctx->flow.ofp_in_port, a->table_id, !ctx->in_packet_out, true);
}

/* Actions that this version of the datapath has nothing for: conntrack comes with src/conntrack. */
static void
do_unsupported(struct xlate_ctx *ctx, const struct ofpact *a)
{
    xlate_report_error(ctx, "action %s is not supported by this datapath",
                       ofpact_type_name((enum ofpact_type)a->type));
}

static void
do_action(struct xlate_ctx *ctx, const struct ofpact *a, const struct ofpact *list_end)
{
    const struct ofpact *next = ofpact_next(a);

    switch ((enum ofpact_type)a->type) {
    case OFPACT_OUTPUT: {
        const struct ofpact_output *o = OFPACT_CAST(ofpact_output, a);
        do_output(ctx, o->port, o->max_len, 0);
        break;
    }
    case OFPACT_CONTROLLER: {
        const struct ofpact_controller *c = OFPACT_CAST(ofpact_controller, a);
        if (c->pause) {
            xlate_freeze_pause(ctx, c);
        } else {
            do_controller(ctx, c);
        }
        break;
    }
    case OFPACT_ENQUEUE:
        do_enqueue(ctx, OFPACT_CAST(ofpact_enqueue, a));
        break;
    case OFPACT_OUTPUT_REG:
        do_output_reg(ctx, OFPACT_CAST(ofpact_output_reg, a));
        break;
    case OFPACT_OUTPUT_TRUNC: {
        const struct ofpact_output_trunc *o = OFPACT_CAST(ofpact_output_trunc, a);
        do_output(ctx, o->port, 0, o->max_len);
        break;
    }
    case OFPACT_BUNDLE:
        xlate_bundle(ctx, OFPACT_CAST(ofpact_bundle, a));
        break;
    case OFPACT_GROUP:
        xlate_group(ctx, OFPACT_CAST(ofpact_group, a)->group_id);
        break;
    case OFPACT_SET_FIELD:
        xlate_set_field(ctx, OFPACT_CAST(ofpact_set_field, a));
        break;
    case OFPACT_REG_MOVE:
        xlate_reg_move(ctx, OFPACT_CAST(ofpact_reg_move, a));
        break;
    case OFPACT_STACK_PUSH:
        xlate_stack_push(ctx, OFPACT_CAST(ofpact_stack, a));
        break;
    case OFPACT_STACK_POP:
        xlate_stack_pop(ctx, OFPACT_CAST(ofpact_stack, a));
        break;
    case OFPACT_SET_VLAN_VID: {
        const struct ofpact_vlan_vid *v = OFPACT_CAST(ofpact_vlan_vid, a);
        xlate_set_vlan_vid(ctx, v->vid, v->push_vlan_if_needed);
        break;
    }
    case OFPACT_SET_VLAN_PCP: {
        const struct ofpact_vlan_pcp *v = OFPACT_CAST(ofpact_vlan_pcp, a);
        xlate_set_vlan_pcp(ctx, v->pcp, v->push_vlan_if_needed);
        break;
    }
    case OFPACT_STRIP_VLAN:
        xlate_pop_vlan(ctx);
        break;
    case OFPACT_PUSH_VLAN:
        xlate_push_vlan(ctx, OFPACT_CAST(ofpact_push_vlan, a)->ethertype);
        break;
    case OFPACT_SET_ETH_SRC:
        FLOW_MASK_SET(ctx->wc, dl_src);
        memcpy(&ctx->flow.dl_src, OFPACT_CAST(ofpact_mac, a)->mac, 6);
        break;
    case OFPACT_SET_ETH_DST:
        FLOW_MASK_SET(ctx->wc, dl_dst);
        memcpy(&ctx->flow.dl_dst, OFPACT_CAST(ofpact_mac, a)->mac, 6);
        break;
    case OFPACT_SET_IPV4_SRC:
        xlate_set_ipv4(ctx, OFPACT_CAST(ofpact_ipv4, a), true);
        break;
    case OFPACT_SET_IPV4_DST:
        xlate_set_ipv4(ctx, OFPACT_CAST(ofpact_ipv4, a), false);
        break;
    case OFPACT_SET_IP_DSCP:
    case OFPACT_SET_IP_ECN:
    case OFPACT_SET_IP_TTL:
        xlate_set_ip_byte(ctx, OFPACT_CAST(ofpact_u8, a));
        break;
    case OFPACT_SET_L4_SRC_PORT:
        xlate_set_l4_port(ctx, OFPACT_CAST(ofpact_l4_port, a), true);
        break;
    case OFPACT_SET_L4_DST_PORT:
        xlate_set_l4_port(ctx, OFPACT_CAST(ofpact_l4_port, a), false);
        break;
    case OFPACT_DEC_TTL:
        break; /* Done by xlate_actions(): it may end the list. */
    case OFPACT_SET_MPLS_LABEL:
    case OFPACT_SET_MPLS_TC:
    case OFPACT_SET_MPLS_TTL:
    case OFPACT_DEC_MPLS_TTL:
    case OFPACT_PUSH_MPLS:
    case OFPACT_POP_MPLS:
        break; /* Likewise. */
    case OFPACT_SET_TUNNEL:
        ctx->flow.tunnel.tun_id = rte_cpu_to_be_64(OFPACT_CAST(ofpact_tunnel, a)->tun_id);
        break;
    case OFPACT_SET_QUEUE:
        FLOW_MASK_SET(ctx->wc, skb_priority);
        ctx->flow.skb_priority = OFPACT_CAST(ofpact_queue, a)->queue_id;
        break;
    case OFPACT_POP_QUEUE:
        FLOW_MASK_SET(ctx->wc, skb_priority);
        if (ctx->flow.skb_priority != ctx->orig_priority) {
            ctx->flow.skb_priority = ctx->orig_priority;
            xlate_report(ctx, TRACE_DETAIL, "queue = %#x", ctx->orig_priority);
        }
        break;
    case OFPACT_FIN_TIMEOUT:
        do_fin_timeout(ctx, OFPACT_CAST(ofpact_fin_timeout, a));
        break;
    case OFPACT_RESUBMIT:
        do_resubmit(ctx, OFPACT_CAST(ofpact_resubmit, a));
        break;
    case OFPACT_LEARN:
        xlate_learn(ctx, OFPACT_CAST(ofpact_learn, a));
        break;
    case OFPACT_CONJUNCTION:
        /* The classifier takes whole conjunctions; one alone matches nothing that can be done. */
        xlate_report_error(ctx, "executing no-op conjunction action");
        break;
    case OFPACT_MULTIPATH:
        xlate_multipath(ctx, OFPACT_CAST(ofpact_multipath, a));
        break;
    case OFPACT_DELETE_FIELD:
        xlate_delete_field(ctx, OFPACT_CAST(ofpact_delete_field, a));
        break;
    case OFPACT_NOTE:
    case OFPACT_SAMPLE: /* No collector is configured that could take samples. */
        break;
    case OFPACT_EXIT:
        ctx->exit = true;
        break;
    case OFPACT_DEBUG_RECIRC:
        xlate_freeze_recirc(ctx);
        break;
    case OFPACT_CLONE:
        do_clone(ctx, OFPACT_CAST(ofpact_nest, a));
        break;
    case OFPACT_CHECK_PKT_LARGER:
        do_check_pkt_larger(ctx, OFPACT_CAST(ofpact_check_pkt, a), next,
                            (size_t)((const uint8_t *)list_end - (const uint8_t *)next));
        break;
    case OFPACT_CT_CLEAR:
        flow_clear_conntrack(&ctx->flow);
        break;
    case OFPACT_CT:
    case OFPACT_NAT:
        do_unsupported(ctx, a);
        break;
    case OFPACT_METER:
        do_meter(ctx, OFPACT_CAST(ofpact_meter, a));
        break;
    case OFPACT_CLEAR_ACTIONS:
        xlate_clear_actions(ctx);
        break;
    case OFPACT_WRITE_ACTIONS:
        xlate_write_actions(ctx, OFPACT_CAST(ofpact_nest, a));
        break;
    case OFPACT_WRITE_METADATA:
        do_metadata(ctx, OFPACT_CAST(ofpact_metadata, a));
        break;
    case OFPACT_GOTO_TABLE:
        do_goto_table(ctx, OFPACT_CAST(ofpact_goto_table, a));
        break;
    default:
        do_unsupported(ctx, a);
        break;
    }
}

void
xlate_actions(struct xlate_ctx *ctx, const struct ofpact *acts, size_t size, bool is_last)
{
    const struct ofpact *list_end = ofpact_end(acts, size);

    (void)is_last;
    if (!size) {
        xlate_report(ctx, TRACE_ACTION, "drop");
        return;
    }
    OFPACT_FOR_EACH(a, acts, size)
    {
        if (ctx->frozen) {
            xlate_freeze_rest(ctx, a, list_end);
            break;
        }
        if (ctx->error || ctx->exit) {
            break;
        }
        if (xlate_needs_parsing(ctx, a)) {
            xlate_freeze_recirc(ctx);
            xlate_freeze_rest(ctx, a, list_end);
            break;
        }
        report_action(ctx, a);
        if (ctx->trail && !xlate_trail_goes_on(a, list_end)) {
            ctx->trail = NULL;
        }
        if (a->type != OFPACT_RESUBMIT && a->type != OFPACT_GOTO_TABLE) {
            ctx->untouched = false;
        }
        if (a->type == OFPACT_DEC_TTL) {
            if (xlate_dec_ttl(ctx, OFPACT_CAST(ofpact_cnt_ids, a))) {
                break;
            }
        } else if (a->type >= OFPACT_SET_MPLS_LABEL && a->type <= OFPACT_POP_MPLS) {
            if (!xlate_mpls(ctx, a)) {
                break;
            }
        } else {
            do_action(ctx, a, list_end);
            if (a->type == OFPACT_CHECK_PKT_LARGER) {
                break; /* It did the rest. */
            }
            if (ctx->again) {
                ctx->again = false;
                xlate_freeze_rest(ctx, a, list_end);
                break;
            }
        }
    }
}
