// SPDX-License-Identifier: Apache-2.0
/*
 * xlate_set.c - the action set of OpenFlow 1.1 and later: what write_actions collects is done when
 * the tables are through, in an order that the specification fixes (OpenFlow 1.3.5, 5.10).
 */
#include "flow/text.h"
#include "ofproto/xlate_int.h"
#include "openflow/ofp_text.h"

/* Places in the order of execution.  Of the actions of one place only the last is done, but for
 * those that set fields, which are all done. */
enum place {
    PLACE_STRIP_VLAN,
    PLACE_POP_MPLS,
    PLACE_PUSH_MPLS,
    PLACE_PUSH_VLAN,
    PLACE_DEC_TTL,
    PLACE_DEC_MPLS_TTL,
    PLACE_SET,
    PLACE_SET_QUEUE,
    PLACE_GROUP,
    PLACE_OUTPUT,
    PLACE_RESUBMIT,
    N_PLACES,
    PLACE_NONE,
};

static enum place
action_place(enum ofpact_type type)
{
    switch ((int)type) {
    case OFPACT_STRIP_VLAN:
        return PLACE_STRIP_VLAN;
    case OFPACT_POP_MPLS:
        return PLACE_POP_MPLS;
    case OFPACT_PUSH_MPLS:
        return PLACE_PUSH_MPLS;
    case OFPACT_PUSH_VLAN:
        return PLACE_PUSH_VLAN;
    case OFPACT_DEC_TTL:
        return PLACE_DEC_TTL;
    case OFPACT_DEC_MPLS_TTL:
        return PLACE_DEC_MPLS_TTL;
    case OFPACT_SET_FIELD:
    case OFPACT_REG_MOVE:
    case OFPACT_SET_VLAN_VID:
    case OFPACT_SET_VLAN_PCP:
    case OFPACT_SET_ETH_SRC:
    case OFPACT_SET_ETH_DST:
    case OFPACT_SET_IPV4_SRC:
    case OFPACT_SET_IPV4_DST:
    case OFPACT_SET_IP_DSCP:
    case OFPACT_SET_IP_ECN:
    case OFPACT_SET_IP_TTL:
    case OFPACT_SET_L4_SRC_PORT:
    case OFPACT_SET_L4_DST_PORT:
    case OFPACT_SET_MPLS_LABEL:
    case OFPACT_SET_MPLS_TC:
    case OFPACT_SET_MPLS_TTL:
    case OFPACT_SET_TUNNEL:
        return PLACE_SET;
    case OFPACT_SET_QUEUE:
        return PLACE_SET_QUEUE;
    case OFPACT_GROUP:
        return PLACE_GROUP;
    case OFPACT_OUTPUT:
    case OFPACT_OUTPUT_REG:
    case OFPACT_OUTPUT_TRUNC:
    case OFPACT_CONTROLLER:
    case OFPACT_ENQUEUE:
        return PLACE_OUTPUT;
    case OFPACT_RESUBMIT:
    case OFPACT_CT:
        return PLACE_RESUBMIT;
    default:
        return PLACE_NONE;
    }
}

static void
append_all(struct ofpacts *out, const struct ofpact *acts, size_t size, enum place place)
{
    OFPACT_FOR_EACH(a, acts, size)
    {
        if (action_place((enum ofpact_type)a->type) == place) {
            ofpacts_append(out, a, a->len);
        }
    }
}

static bool
append_last(struct ofpacts *out, const struct ofpact *acts, size_t size, enum place place)
{
    const struct ofpact *last = NULL;

    OFPACT_FOR_EACH(a, acts, size)
    {
        if (action_place((enum ofpact_type)a->type) == place) {
            last = a;
        }
    }
    if (last) {
        ofpacts_append(out, last, last->len);
    }
    return last;
}

void
xlate_order_actions(const struct ofpact *acts, size_t size, struct ofpacts *out)
{
    for (int p = PLACE_STRIP_VLAN; p < PLACE_GROUP; p++) {
        if (p == PLACE_SET) {
            append_all(out, acts, size, PLACE_SET);
        } else {
            append_last(out, acts, size, (enum place)p);
        }
    }
    /* A group says where the packet goes; without one an output does.  A set that sends the packet
     * nowhere does nothing at all. */
    if (!append_last(out, acts, size, PLACE_GROUP) && !append_last(out, acts, size, PLACE_OUTPUT) &&
        !append_last(out, acts, size, PLACE_RESUBMIT)) {
        ofpacts_clear(out);
    }
}

static void
report_set(struct xlate_ctx *ctx, const char *verb)
{
    struct ofpacts ordered = {0};
    struct text t = {0};

    if (!ctx->trace) {
        return;
    }
    xlate_order_actions(ofpacts_data(&ctx->action_set), ctx->action_set.size, &ordered);
    if (ordered.size) {
        text_put(&t, ": ");
        ofpacts_format(ofpacts_data(&ordered), ordered.size, NULL, &t);
    } else {
        text_put(&t, " empty");
    }
    xlate_report(ctx, TRACE_DETAIL, "action set %s%s", verb, text_cstr(&t));
    text_fini(&t);
    ofpacts_fini(&ordered);
}

static void
note_output(struct xlate_ctx *ctx)
{
    OFPACT_FOR_EACH(a, ofpacts_data(&ctx->action_set), ctx->action_set.size)
    {
        if (a->type == OFPACT_OUTPUT) {
            ctx->flow.actset_output = OFPACT_CAST(ofpact_output, a)->port;
        } else if (a->type == OFPACT_GROUP) { /* With a group the set's output is not done. */
            ctx->flow.actset_output = OFPP_UNSET;
            return;
        }
    }
}

void
xlate_write_actions(struct xlate_ctx *ctx, const struct ofpact_nest *nest)
{
    size_t size;
    const struct ofpact *acts = ofpact_nest_actions(nest, &size);
    struct ofpacts ordered = {0};

    ofpacts_append(&ctx->action_set, acts, size);
    /* What a later action of the same kind replaced goes, which also bounds the set. */
    for (int p = 0; p < N_PLACES; p++) {
        if (p == PLACE_SET) {
            append_all(&ordered, ofpacts_data(&ctx->action_set), ctx->action_set.size, PLACE_SET);
        } else {
            append_last(&ordered, ofpacts_data(&ctx->action_set), ctx->action_set.size,
                        (enum place)p);
        }
    }
    ofpacts_fini(&ctx->action_set);
    ctx->action_set = ordered;
    if (ctx->action_set.size > XLATE_MAX_ACTIONS) {
        xlate_report_error(ctx, "action set of more than %d kB", XLATE_MAX_ACTIONS / 1024);
        xlate_fail(ctx, XLATE_TOO_MANY_RESUBMITS);
    }
    note_output(ctx);
    report_set(ctx, "is");
}

void
xlate_clear_actions(struct xlate_ctx *ctx)
{
    report_set(ctx, "was");
    ofpacts_clear(&ctx->action_set);
    ctx->flow.actset_output = OFPP_UNSET;
}

void
xlate_action_set_restore(struct xlate_ctx *ctx, const struct ofpact *acts, size_t size)
{
    if (size) {
        ofpacts_append(&ctx->action_set, acts, size);
        note_output(ctx);
    }
}

void
xlate_action_set(struct xlate_ctx *ctx)
{
    struct ofpacts ordered = {0};
    struct trace_list *trace = ctx->trace;
    uint64_t cookie = ctx->cookie;
    bool in_action_set = ctx->in_action_set;

    if (!ctx->action_set.size) {
        return;
    }
    xlate_order_actions(ofpacts_data(&ctx->action_set), ctx->action_set.size, &ordered);
    ofpacts_clear(&ctx->action_set); /* Done once, even if the packet comes back. */
    if (!ordered.size) {
        ofpacts_fini(&ordered);
        return;
    }
    if (trace) {
        ctx->trace = &trace_append(trace, TRACE_TABLE, "--. Executing action set:")->subs;
    }
    ctx->in_action_set = true;
    ctx->exit = false;
    ctx->cookie = cookie == UINT64_MAX ? ctx->first_cookie : cookie;
    xlate_actions(ctx, ofpacts_data(&ordered), ordered.size, true);
    ctx->cookie = cookie;
    ctx->in_action_set = in_action_set;
    ctx->trace = trace;
    ofpacts_fini(&ordered);
}
