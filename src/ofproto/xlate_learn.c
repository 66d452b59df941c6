// SPDX-License-Identifier: Apache-2.0
/*
 * xlate_learn.c - the action learn(): a packet makes a flow.
 *
 * What is copied from the packet becomes part of the mask.  The flow is made by the main thread; as
 * long as packets come, it is made again and again, which keeps its timeouts from running out.
 * learn_limit.c knows beforehand whether there is room for it.
 */
#include <stdlib.h>
#include <string.h>

#include "flow/match.h"
#include "flow/text.h"
#include "ofproto/xlate_int.h"
#include "openflow/ofp_text.h"

struct xc_learn {
    struct ofproto_learned learned;
    struct match match;
    struct ofpacts acts;
};

/* The bits that 'spec' copies, right-aligned. */
static void
spec_value(const struct ofpact_learn_spec *spec, const struct flow *flow, union mf_value *value)
{
    memset(value, 0, sizeof *value);
    if (spec->src_type == LEARN_SRC_FIELD) {
        mf_read_subfield(&spec->src, flow, value);
    } else {
        size_t n = MIN((size_t)spec->imm_size, sizeof value->b);

        memcpy(&value->b[sizeof value->b - n], spec->imm + spec->imm_size - n, n);
    }
}

static uint16_t
value_port(const union mf_value *value)
{
    return (uint16_t)(value->b[14] << 8 | value->b[15]);
}

static void
put_match(struct match *match, const struct ofpact_learn_spec *spec, const union mf_value *value)
{
    union mf_value field, mask, old, old_mask;
    const struct mf_field *mf = spec->dst.field;

    mf_subfield_to_field(&spec->dst, value, &field, &mask);
    mf_get(mf, match, &old, &old_mask);
    for (int i = 0; i < mf->n_bytes; i++) {
        field.b[i] = (uint8_t)((old.b[i] & ~mask.b[i]) | (field.b[i] & mask.b[i]));
        mask.b[i] |= old_mask.b[i];
    }
    mf_set(mf, &field, &mask, match);
}

static void
put_load(struct ofpacts *acts, const struct ofpact_learn_spec *spec, const union mf_value *value)
{
    union mf_value field, mask;

    mf_subfield_to_field(&spec->dst, value, &field, &mask);
    ofpacts_put_set_field(acts, spec->dst.field->id, &field, &mask)->ofpact.raw =
        OFPACT_RAW_REG_LOAD;
}

static void
put_output(struct ofpacts *acts, const union mf_value *value)
{
    uint16_t port = value_port(value);
    struct ofpact_output *o;

    /* A real port, or one of the few others that make sense. */
    if (port < OFPP_MAX || port == OFPP_IN_PORT || port == OFPP_FLOOD || port == OFPP_LOCAL ||
        port == OFPP_ALL) {
        o = ofpacts_put_struct(acts, OUTPUT, struct ofpact_output);
        o->port = port;
    }
}

static void
learn_fill(struct xlate_ctx *ctx, const struct ofpact_learn *a, struct xc_learn *l)
{
    match_init_any(&l->match);
    OFPACT_LEARN_FOR_EACH(spec, a)
    {
        union mf_value value;

        if (spec->src_type == LEARN_SRC_FIELD) {
            mf_mask_subfield(&spec->src, ctx->wc);
        }
        spec_value(spec, &ctx->flow, &value);
        switch ((enum ofpact_learn_dst)spec->dst_type) {
        case LEARN_DST_MATCH:
            put_match(&l->match, spec, &value);
            break;
        case LEARN_DST_LOAD:
            put_load(&l->acts, spec, &value);
            break;
        case LEARN_DST_OUTPUT:
        default:
            put_output(&l->acts, &value);
            break;
        }
    }
    if (a->fin_idle_timeout || a->fin_hard_timeout) {
        struct ofpact_fin_timeout *fin =
            ofpacts_put_struct(&l->acts, FIN_TIMEOUT, struct ofpact_fin_timeout);

        fin->idle_timeout = a->fin_idle_timeout;
        fin->hard_timeout = a->fin_hard_timeout;
    }
    l->learned = (struct ofproto_learned){
        .table_id = a->table_id,
        .priority = a->priority,
        .idle_timeout = a->idle_timeout,
        .hard_timeout = a->hard_timeout,
        .flags = a->flags & OFPACT_LEARN_SEND_FLOW_REM ? RULE_SEND_FLOW_REM : 0,
        .cookie = a->cookie,
        .limit = a->limit,
        .tells_room = ofpact_learn_tells_room(a),
        .match = &l->match,
        .acts = ofpacts_data(&l->acts),
        .acts_size = l->acts.size,
    };
}

static void
learn_report(struct xlate_ctx *ctx, const struct xc_learn *l)
{
    struct text t = {0};

    if (!ctx->trace) {
        return;
    }
    text_printf(&t, "table=%d ", l->learned.table_id);
    match_format(&l->match, NULL, &t, MATCH_NO_PRIORITY);
    text_printf(&t, " priority=%d", l->learned.priority);
    if (l->learned.cookie) {
        text_printf(&t, " cookie=%#llx", (unsigned long long)l->learned.cookie);
    }
    if (l->learned.idle_timeout) {
        text_printf(&t, " idle=%d", l->learned.idle_timeout);
    }
    if (l->learned.hard_timeout) {
        text_printf(&t, " hard=%d", l->learned.hard_timeout);
    }
    if (l->learned.flags & RULE_SEND_FLOW_REM) {
        text_put(&t, " send_flow_rem");
    }
    text_put(&t, " actions=");
    ofpacts_format(l->learned.acts, l->learned.acts_size, NULL, &t);
    xlate_report(ctx, TRACE_DETAIL, "%s", text_cstr(&t));
    text_fini(&t);
}

bool
xc_learn_apply(const struct xc_learn *l, struct ofproto *ofproto)
{
    if (l->learned.tells_room && !ofproto_learn_promise(ofproto, &l->learned)) {
        return false;
    }
    ofproto_learn(ofproto, &l->learned);
    return true;
}

void
xc_learn_destroy(struct xc_learn *l)
{
    ofpacts_fini(&l->acts);
    free(l);
}

/* What a megaflow of this translation says about room.  Without a packet nothing is made: then it
 * is known only if the flow is there or may not be made. */
static bool
learn_has_room(struct xlate_ctx *ctx, const struct xc_learn *l)
{
    enum learn_room room;

    ctx->deps_all = true; /* Any flow that comes or goes may be the one that counts. */
    if (ctx->in->side_effects) {
        return xc_learn_apply(l, ctx->view->ofproto);
    }
    room = ofproto_learn_room(ctx->view->ofproto, &l->learned);
    if (room == LEARN_ROOM) {
        ctx->out->drop_unknown = true;
    }
    return room != LEARN_NO_ROOM;
}

void
xlate_learn(struct xlate_ctx *ctx, const struct ofpact_learn *a)
{
    struct xc_learn *l;
    struct xc_entry *e = NULL;
    bool success = true;

    l = xzalloc(sizeof *l);
    learn_fill(ctx, a, l);
    if (!ctx->in->side_effects && !ctx->in->want_cache) {
        xlate_report(ctx, TRACE_WARN, "suppressing side effects, so learn action ignored");
        xc_learn_destroy(l);
        return;
    }
    if (ctx->in->side_effects) {
        learn_report(ctx, l);
    }
    if (l->learned.tells_room) {
        success = learn_has_room(ctx, l);
    } else if (ctx->in->side_effects) {
        xc_learn_apply(l, ctx->view->ofproto);
    }
    if (a->flags & OFPACT_LEARN_WRITE_RESULT && a->result_dst.n_bits) {
        mf_set_subfield(&a->result_dst, success, &ctx->flow);
        xlate_report_subfield(ctx, &a->result_dst);
    }
    if (success) {
        e = xlate_credit_add(ctx, XC_LEARN);
    } else {
        xlate_report(ctx, TRACE_DETAIL, "Limit exceeded, learn failed");
    }
    if (e) {
        e->learn = l;
    } else {
        xc_learn_destroy(l);
    }
}
