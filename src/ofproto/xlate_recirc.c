// SPDX-License-Identifier: Apache-2.0
/*
 * xlate_recirc.c - translations that go on after the datapath looked at the packet anew: what is
 * left is frozen as for controller(pause) (xlate_freeze.c), but stays here under the number of a
 * recirculation (frozen.h).
 *
 * Who finds that the datapath must have another look calls xlate_freeze_recirc() or
 * xlate_freeze_hash(); at the end of the branch xlate_recirc_finish() emits the recirculation.  The
 * packet comes back with that recirc_id: xlate_thaw_begin(), xlate_thaw().
 */
#include <stdlib.h>
#include <string.h>

#include "base/coverage.h"
#include "base/util.h"
#include "flow/text.h"
#include "ofproto/bond.h"
#include "ofproto/xlate_int.h"
#include "openflow/ofp_continuation.h"
#include "openflow/ofp_text.h"

COVERAGE_DEFINE(xlate_recirc);
COVERAGE_DEFINE(xlate_thaw);

enum { BOND_TABLE = 254 }; /* where traces say that a bond goes on */

/* --- when --------------------------------------------------------------------------------------
 */

/* Of these it is known that they look at nothing below the label that was popped; all others may.
 */
bool
xlate_needs_parsing(const struct xlate_ctx *ctx, const struct ofpact *a)
{
    if (!ctx->was_mpls) {
        return false;
    }
    switch ((int)a->type) {
    case OFPACT_OUTPUT:
        return OFPACT_CAST(ofpact_output, a)->port == OFPP_TABLE;
    case OFPACT_SET_FIELD: { /* Ids of tunnel options come after those of all fields. */
        unsigned id = OFPACT_CAST(ofpact_set_field, a)->field;

        return id >= MF_IPV4_SRC && id < MF_FIRST_OPTION;
    }
    case OFPACT_OUTPUT_TRUNC:
    case OFPACT_OUTPUT_REG:
    case OFPACT_ENQUEUE:
    case OFPACT_SET_VLAN_VID:
    case OFPACT_SET_VLAN_PCP:
    case OFPACT_SET_ETH_SRC:
    case OFPACT_SET_ETH_DST:
    case OFPACT_SET_TUNNEL:
    case OFPACT_SET_QUEUE:
    case OFPACT_GROUP: /* Its buckets' actions are asked. */
        return false;
    default:
        return true;
    }
}

void
xlate_freeze_recirc(struct xlate_ctx *ctx)
{
    ctx->frozen = xzalloc(sizeof *ctx->frozen);
    ctx->pause = NULL;
    ctx->frozen_looks_up = ctx->frozen_by_hash = false;
}

void
xlate_freeze_hash(struct xlate_ctx *ctx, enum dp_hash_alg alg, uint32_t basis)
{
    xlate_freeze_recirc(ctx);
    ctx->again = true;
    ctx->frozen_by_hash = true;
    ctx->hash_alg = (uint8_t)alg;
    ctx->hash_basis = basis;
}

void
xlate_freeze_lookup(struct xlate_ctx *ctx)
{
    xlate_freeze_recirc(ctx);
    ctx->frozen_looks_up = true;
}

/* --- freezing ----------------------------------------------------------------------------------
 */

void
xlate_keep_frozen(struct xlate_ctx *ctx, struct frozen *frozen)
{
    struct xc_entry *e = xlate_credit_add(ctx, XC_FROZEN);

    ctx->recircs = xreallocarray(ctx->recircs, ctx->n_recircs + 1, sizeof(struct frozen *));
    ctx->recircs[ctx->n_recircs++] = frozen;
    if (e) {
        e->frozen = frozen;
    }
}

void
xlate_recircs_fini(struct xlate_ctx *ctx)
{
    for (size_t i = 0; i < ctx->n_recircs; i++) {
        frozen_unref(ctx->recircs[i]);
    }
    free(ctx->recircs);
}

/* The pipeline's words of the flow.  What a thawed translation finds by itself is left out. */
static void
take_pipeline(const struct xlate_ctx *ctx, struct frozen_state *s)
{
    struct flow flow = ctx->flow;

    flow.conj_id = 0;
    flow.actset_output = OFPP_UNSET;
    memcpy(s->pipeline, &flow.w[FLOW_KEY_WORDS], sizeof s->pipeline);
    /* What the packet carries by itself it brings along. */
    s->has_tunnel = memcmp(&flow.tunnel, &ctx->first.tunnel, sizeof flow.tunnel);
    if (s->has_tunnel) {
        s->tunnel = flow.tunnel;
    }
}

void
xlate_recirc_finish(struct xlate_ctx *ctx)
{
    struct frozen_state s = {
        .ofproto = ctx->view->ofproto,
        .macs = ctx->view->mac_table,
        .is_hashed = ctx->frozen_by_hash || (ctx->thawed && ctx->thawed->state.is_hashed),
        .looks_up = ctx->frozen_looks_up,
        .bundle = FROZEN_NO_BUNDLE,
    };
    struct frozen *frozen;

    xlate_commit(ctx);
    take_pipeline(ctx, &s);
    s.left = *ctx->frozen;
    free(ctx->frozen);
    ctx->frozen = NULL;
    frozen = frozen_get(ofprotos_frozens(ctx->in->ofprotos), (uint32_t)ctx->in->flow->in_port, &s);
    if (!frozen) {
        xlate_report_error(ctx,
                           "more than %d recirculations, or %d MB of them, or little is left and "
                           "the port has half, dropping",
                           FROZEN_MAX, FROZEN_MAX_SIZE >> 20);
        xlate_fail(ctx, XLATE_NO_RECIRC_ID);
        ctx->out->drop_unknown = true;
        return;
    }
    coverage_inc(xlate_recirc);
    xlate_keep_frozen(ctx, frozen);
    if (ctx->frozen_by_hash) {
        dp_put_hash(&ctx->out->actions, (enum dp_hash_alg)ctx->hash_alg, ctx->hash_basis);
    }
    dp_put_recirc(&ctx->out->actions, frozen->id);
}

void
xlate_output_hashed(struct xlate_ctx *ctx, const struct view_bundle *b, uint32_t truncate)
{
    if (ctx->error) {
        return;
    }
    xlate_mirror_out(ctx, b->members[0]); /* Mirrors know bundles, not members. */
    xlate_commit(ctx);
    if (truncate) {
        dp_put_trunc(&ctx->out->actions, truncate);
    }
    ctx->sent = true;
    if (b->lb_id) {
        dp_put_lb_output(&ctx->out->actions, b->lb_id);
        return;
    }
    coverage_inc(xlate_recirc);
    xlate_keep_frozen(ctx, frozen_ref(b->recirc));
    dp_put_hash(&ctx->out->actions, DP_HASH_L4, (uint32_t)b->bond.hash_basis);
    dp_put_recirc(&ctx->out->actions, b->recirc->id);
}

/* --- thawing -----------------------------------------------------------------------------------
 */

bool
xlate_thaw_begin(struct xlate_ctx *ctx)
{
    const struct xlate_in *in = ctx->in;
    struct frozen *frozen = frozen_find(ofprotos_frozens(in->ofprotos), in->flow->recirc_id);
    struct ofproto *ofproto = frozen ? frozen_bridge(frozen) : NULL;

    if (!ofproto) {
        frozen_unref(frozen);
        ctx->out->drop_unknown = true;
        xlate_fail(ctx, frozen ? XLATE_BRIDGE_NOT_FOUND : XLATE_NO_RECIRC_CONTEXT);
        return false;
    }
    ctx->bridge = xlate_bridge_get(ctx, ofproto);
    ctx->view = ctx->bridge->view;
    ctx->thawed = frozen;
    xlate_keep_frozen(ctx, frozen);
    return true;
}

static void
put_acts(struct xlate_ctx *ctx, const struct ofpacts *acts, struct text *t)
{
    struct mf_port_names names;

    ofpacts_format(ofpacts_data(acts), acts->size, xlate_names(ctx, &names), t);
}

static void
report_thaw(struct xlate_ctx *ctx, const struct frozen_state *s)
{
    const struct ofp_continuation *c = &s->left;
    struct trace_list *list;
    struct text t = {0};

    if (!ctx->trace) {
        return;
    }
    list = &trace_append(ctx->trace, TRACE_THAW, "thaw")->subs;
    trace_append(list, TRACE_THAW, "Resuming from table %d",
                 s->bundle != FROZEN_NO_BUNDLE ? BOND_TABLE : 0);
    if (c->action_set.size) {
        put_acts(ctx, &c->action_set, &t);
        trace_append(list, TRACE_THAW, "Restoring action set: %s", text_cstr(&t));
        text_clear(&t);
    }
    for (size_t i = 0; i < c->n_parts; i++) {
        const struct ofp_frozen_part *part = &c->parts[i];

        text_put(&t, i ? "," : "");
        if (part->tells) {
            text_printf(&t, "unroll_xlate(table=%u, cookie=%llu),", part->table_id,
                        (unsigned long long)part->cookie);
        }
        put_acts(ctx, &part->actions, &t);
    }
    if (c->n_parts) {
        trace_append(list, TRACE_THAW, "Restoring actions: %s", text_cstr(&t));
    }
    text_fini(&t);
}

/* As the deployed switch shows it, which has a hidden rule for each bucket. */
static void
report_bucket(struct xlate_ctx *ctx, unsigned bucket, const struct view_port *port)
{
    struct trace_node *node;

    if (!ctx->trace) {
        return;
    }
    node = trace_append(ctx->trace, TRACE_TABLE, "%d. recirc_id=%#x,dp_hash=%#x/0xff, priority 20",
                        BOND_TABLE, ctx->thawed->id, bucket);
    trace_append(&node->subs, TRACE_ACTION, "output:%u", port->ofp_port);
}

/* All that a bond's recirculation is for. */
static void
output_bucket(struct xlate_ctx *ctx, const struct frozen_state *s)
{
    const struct view_bundle *b = view_bundle(ctx->view, s->bundle);
    unsigned bucket = ctx->flow.dp_hash % BOND_BUCKETS;
    const struct view_port *port;

    ctx->wc->bits.dp_hash |= BOND_BUCKETS - 1;
    if (!b || !b->has_bond || !b->buckets) {
        xlate_report(ctx, TRACE_WARN, "no such balanced bond any more");
        return;
    }
    port = b->buckets[bucket];
    if (port) {
        report_bucket(ctx, bucket, port);
        xlate_credit_bucket(ctx, b, bucket);
        ctx->mirrors = UINT32_MAX; /* They had it before. */
        xlate_output_port(ctx, port, 0);
    }
}

void
xlate_thaw(struct xlate_ctx *ctx)
{
    const struct frozen_state *s = &ctx->thawed->state;

    coverage_inc(xlate_thaw);
    report_thaw(ctx, s);
    memcpy(&ctx->flow.w[FLOW_KEY_WORDS], s->pipeline, sizeof s->pipeline);
    if (s->has_tunnel) {
        ctx->flow.tunnel = s->tunnel;
    }
    if (s->bundle != FROZEN_NO_BUNDLE) {
        output_bucket(ctx, s);
        return;
    }
    xlate_resume(ctx, &s->left);
    if (s->looks_up) {
        ctx->depth = -1; /* as the first table of a packet */
        xlate_table(ctx, ctx->flow.ofp_in_port, 0, true, true);
        ctx->depth = 0;
    }
}
