// SPDX-License-Identifier: Apache-2.0
/*
 * xlate_freeze.c - a translation that stops in the middle: controller(pause) sends the packet to
 * the controllers with what is left to do, and NXT_RESUME goes on there.
 *
 * Freezing begins at an action.  Each list of actions on the way out then adds its rest instead of
 * doing it, innermost first, so that the parts stand in the order in which they would have run.
 * Whoever began something of its own (the translation, a patch port, clone, a bucket, a branch)
 * ends the freezing with xlate_freeze_finish().
 */
#include <stdlib.h>
#include <string.h>

#include "base/coverage.h"
#include "ofproto/xlate_int.h"
#include "openflow/ofp_continuation.h"

COVERAGE_DEFINE(xlate_pause);

void
xlate_freeze_pause(struct xlate_ctx *ctx, const struct ofpact_controller *a)
{
    ctx->frozen = xzalloc(sizeof *ctx->frozen);
    ctx->pause = a;
    ctx->pause_table = ctx->table_id;
    ctx->pause_cookie = ctx->cookie;
}

/* Whether it shows which flow the action belongs to: in a packet-in, or by looking up "this" table.
 */
static bool
tells_its_flow(const struct ofpact *a)
{
    switch ((int)a->type) {
    case OFPACT_OUTPUT:
    case OFPACT_OUTPUT_REG:
    case OFPACT_CONTROLLER:
    case OFPACT_GROUP:
    case OFPACT_DEC_TTL:
    case OFPACT_DEC_MPLS_TTL:
    case OFPACT_CLONE:
    case OFPACT_CHECK_PKT_LARGER:
        return true;
    case OFPACT_RESUBMIT:
        return OFPACT_CAST(ofpact_resubmit, a)->table_id == OFP_TABLE_ALL;
    default:
        return false;
    }
}

void
xlate_freeze_rest(struct xlate_ctx *ctx, const struct ofpact *a, const struct ofpact *end)
{
    struct ofp_continuation *f = ctx->frozen;
    struct ofp_frozen_part *part = f->n_parts ? &f->parts[f->n_parts - 1] : NULL;

    /* The instructions of a list have an order of their own on the wire: another list's do not
     * follow them.  What stays here need not be split. */
    bool to_wire = ctx->pause != NULL;
    bool full = to_wire && part && part->instructions;

    for (; a < end; a = ofpact_next(a)) {
        bool instruction = to_wire && ofpact_is_instruction((enum ofpact_type)a->type);
        bool tells = tells_its_flow(a);
        uint8_t table_id = part ? part->table_id : 0;
        uint64_t cookie = part ? part->cookie : 0;

        if (tells && (table_id != ctx->table_id || cookie != ctx->cookie ||
                      (!to_wire && part && !part->tells))) {
            table_id = ctx->table_id;
            cookie = ctx->cookie;
            full = true;
        }
        if (!part || full || part->instructions != instruction) {
            part = ofp_continuation_add(f, table_id, cookie);
            part->instructions = instruction;
            part->tells = tells;
            full = false;
        }
        ofpacts_append(&part->actions, a, a->len);
    }
}

static void
take_state(struct xlate_ctx *ctx, struct ofp_continuation *f)
{
    f->bridge = ofproto_uuid(ctx->view->ofproto);
    f->mirrors = ctx->mirrors;
    f->odp_port = (uint32_t)ctx->in->flow->in_port;
    f->conntracked = ctx->flow.ct_state != 0;
    f->n_stack = ctx->stack.n / 2;
    if (f->n_stack) {
        f->stack = xreallocarray(NULL, f->n_stack, sizeof *f->stack);
        memcpy(f->stack, ctx->stack.w, f->n_stack * sizeof *f->stack);
    }
    ofpacts_append(&f->action_set, ofpacts_data(&ctx->action_set), ctx->action_set.size);
}

static void
send_paused(struct xlate_ctx *ctx, const struct ofpact_controller *a)
{
    uint8_t table_id = ctx->table_id;
    uint64_t cookie = ctx->cookie;
    const struct xlate_to_controller to = {
        .max_len = a->max_len,
        .controller_id = a->controller_id,
        .reason = a->reason,
        .userdata = a->userdata,
        .userdata_len = a->userdata_len,
        .continuation = ctx->frozen,
    };

    coverage_inc(xlate_pause);
    ctx->table_id = ctx->pause_table;
    ctx->cookie = ctx->pause_cookie;
    xlate_controller(ctx, &to); /* which takes it */
    ctx->table_id = table_id;
    ctx->cookie = cookie;
    ctx->frozen = NULL;
    ctx->pause = NULL;
}

void
xlate_freeze_finish(struct xlate_ctx *ctx)
{
    const struct ofpact_controller *a = ctx->pause;

    take_state(ctx, ctx->frozen);
    if (a) {
        send_paused(ctx, a);
    } else {
        xlate_recirc_finish(ctx);
    }
}

static void
restore_state(struct xlate_ctx *ctx, const struct ofp_continuation *f)
{
    ctx->mirrors = f->mirrors;
    for (size_t i = 0; i < f->n_stack; i++) {
        memcpy(xlate_words_put(&ctx->stack, 2), f->stack[i].w, sizeof f->stack[i].w);
    }
    xlate_action_set_restore(ctx, ofpacts_data(&f->action_set), f->action_set.size);
}

static void
report_unroll(struct xlate_ctx *ctx, const struct ofp_frozen_part *part)
{
    xlate_report(ctx, TRACE_ACTION, "unroll_xlate(table=%u, cookie=%llu)", part->table_id,
                 (unsigned long long)part->cookie);
    xlate_report(ctx, TRACE_ACTION, "restored state: table=%u, cookie=%#llx", part->table_id,
                 (unsigned long long)part->cookie);
}

void
xlate_resume(struct xlate_ctx *ctx, const struct ofp_continuation *f)
{
    restore_state(ctx, f);
    for (size_t i = 0; i < f->n_parts && !ctx->error; i++) {
        const struct ofp_frozen_part *part = &f->parts[i];
        const struct ofpact *acts = ofpacts_data(&part->actions);

        if (part->tells) {
            report_unroll(ctx, part);
        }
        ctx->table_id = part->table_id;
        ctx->cookie = part->cookie;
        if (ctx->frozen) {
            xlate_freeze_rest(ctx, acts, ofpact_end(acts, part->actions.size));
        } else if (!ctx->exit) {
            xlate_actions(ctx, acts, part->actions.size, true);
        }
    }
}
