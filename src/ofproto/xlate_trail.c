// SPDX-License-Identifier: Apache-2.0
/*
 * xlate_trail.c - the way through the tables that an earlier packet of a batch took, to begin where
 * it leads.
 *
 * Most of a pipeline is a chain: a rule sets registers and goes on to the next table, and nothing
 * is left to do when that one comes back.  Then all that a translation knows when a rule is about
 * to be done is small: registers and the like, the mask, credits and deps so far.  All of it is the
 * same for every packet that agrees in the mask as it is there, since it follows from those bits
 * alone.  So a packet is compared with the trail of an earlier one, step by step, and goes on at
 * the last step where it still agrees.  A step is the last rule before the mask grew.
 *
 * A trail ends at the first action that is more than that: one that sends, changes the packet,
 * comes back, or adds to the action set.  What is kept is for as long as the thread does not
 * quiesce: rules are borrowed.
 *
 * Handlers.
 */
#include "ofproto/xlate_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

enum {
    N_TRAILS = 4,
    N_STEPS = 8,
    N_WORDS = 2 * FLOW_KEY_WORDS, /* of masks: each step has those that grew */
    N_CREDITS = 48,
    N_DEPS = 256,
    N_PIPELINE = FLOW_WORDS - FLOW_KEY_WORDS,
    PATIENCE = 4, /* packets in a row that leave a trail before its end and lay it anew */
};

/* What holds when 'rule' of 'table_id' is about to be done. */
struct step {
    struct rule *rule;
    uint8_t table_id;
    uint32_t n_words, n_credits, n_deps; /* of the trail, up to here */
    /* Members of struct xlate_ctx. */
    const struct rule *outer;
    uint64_t cookie, first_cookie;
    uint8_t outer_table;
    int depth, n_resubmits;
    ofp_port_t in_port; /* that the table was looked up with */
    uint64_t dep_changed;
    uint64_t pipeline[N_PIPELINE];
};

struct xlate_trail {
    const struct ofproto_view *view; /* with 'version': what all of it was read in */
    cls_version_t version;
    unsigned n, n_useless;
    struct flow_mask mask; /* at the last step, words of the key */
    uint8_t word[N_WORDS];
    uint64_t bits[N_WORDS], value[N_WORDS];
    struct step step[N_STEPS];
    struct xc_entry credits[N_CREDITS];
    uint64_t deps[N_DEPS];
};

/* Packets of different ports or protocols have different ways. */
static struct xlate_trail *
trail_for(struct xlate_share *share, const struct flow *flow)
{
    if (!share->trails) {
        share->trails = xmalloc(N_TRAILS * sizeof *share->trails);
        for (unsigned i = 0; i < N_TRAILS; i++) {
            share->trails[i].view = NULL;
        }
    }
    return &share->trails[(flow->in_port + flow->nw_proto + 3u * flow->dl_type) % N_TRAILS];
}

void
xlate_share_fini_trails(struct xlate_share *share)
{
    free(share->trails);
    share->trails = NULL;
}

/* Is all as it is in the beginning of a translation through the tables? */
static bool
is_at_start(const struct xlate_ctx *ctx)
{
    const struct xlate_in *in = ctx->in;

    return in->share && in->want_cache && !in->trace && !in->first_rule && !ctx->error &&
           !ctx->is_own && !ctx->in_at_mirror && !ctx->mirrors && !ctx->n_credits &&
           !ctx->out->actions.size && !(ctx->flow.nw_frag & NW_FRAG_ANY);
}

/* How many steps are the packet's, too. */
static unsigned
steps_in_common(const struct xlate_trail *t, const struct flow *flow)
{
    uint32_t i = 0;

    for (unsigned s = 0; s < t->n; s++) {
        for (; i < t->step[s].n_words; i++) {
            if ((flow->w[t->word[i]] ^ t->value[i]) & t->bits[i]) {
                return s;
            }
        }
    }
    return t->n;
}

/* Makes the translation what it was at the step 's' of another packet. */
static void
go_to(struct xlate_ctx *ctx, const struct xlate_trail *t, const struct step *s)
{
    for (uint32_t i = 0; i < s->n_words; i++) {
        ctx->wc->bits.w[t->word[i]] |= t->bits[i];
    }
    memcpy(ctx->credits, t->credits, s->n_credits * sizeof t->credits[0]);
    ctx->n_credits = s->n_credits;
    ctx->deps.n = 0;
    memcpy(xlate_words_put(&ctx->deps, s->n_deps), t->deps, s->n_deps * sizeof t->deps[0]);
    memcpy(&ctx->flow.w[FLOW_KEY_WORDS], s->pipeline, sizeof s->pipeline);
    ctx->dep_flow = ctx->flow;
    ctx->dep_flow.ofp_in_port = s->in_port;
    ctx->dep_changed = s->dep_changed;
    ctx->looked_up = ctx->untouched = true;
    ctx->rule = s->outer;
    ctx->cookie = s->cookie;
    ctx->first_cookie = s->first_cookie;
    ctx->table_id = s->outer_table;
    ctx->depth = s->depth;
    ctx->n_resubmits = s->n_resubmits;
}

struct rule *
xlate_trail_follow(struct xlate_ctx *ctx, uint8_t *table_id)
{
    struct xlate_trail *t;
    const struct step *s;
    unsigned n;

    if (!is_at_start(ctx)) {
        return NULL;
    }
    t = trail_for(ctx->in->share, &ctx->flow);
    if (t->view != ctx->view || t->version != ctx->bridge->version) {
        t->view = ctx->view;
        t->version = ctx->bridge->version;
        t->n = t->n_useless = 0;
        memset(&t->mask, 0, sizeof t->mask);
    }
    n = steps_in_common(t, &ctx->flow);
    if (n == t->n) {
        t->n_useless = 0;
    }
    ctx->trail = t->n_useless < PATIENCE ? t : NULL;
    ctx->n_steps = n;
    if (!n) {
        return NULL;
    }
    s = &t->step[n - 1];
    go_to(ctx, t, s);
    *table_id = s->table_id;
    return s->rule;
}

/* Forgets what the packet has not in common with the trail. */
static void
cut(struct xlate_trail *t, unsigned n)
{
    t->n = n;
    t->n_useless++;
    memset(&t->mask, 0, sizeof t->mask);
    for (uint32_t i = 0; n && i < t->step[n - 1].n_words; i++) {
        t->mask.bits.w[t->word[i]] |= t->bits[i];
    }
}

/* The step that 'ctx' is at: the last one if the mask has not grown since, else a new one, whose
 * words are in the trail then.  NULL: no room. */
static struct step *
step_for(struct xlate_trail *t, const struct xlate_ctx *ctx)
{
    uint32_t n = t->n ? t->step[t->n - 1].n_words : 0, before = n;
    struct step *s;

    for (unsigned k = 0; k < FLOW_KEY_WORDS; k++) {
        uint64_t bits = ctx->wc->bits.w[k] & ~t->mask.bits.w[k];

        if (bits && (n == N_WORDS || t->n == N_STEPS)) {
            return NULL;
        }
        if (bits) {
            t->word[n] = (uint8_t)k;
            t->bits[n] = bits;
            t->value[n++] = ctx->flow.w[k];
        }
    }
    if (n > before || !t->n) {
        t->n++;
        for (uint32_t i = before; i < n; i++) {
            t->mask.bits.w[t->word[i]] |= t->bits[i];
        }
    }
    s = &t->step[t->n - 1];
    s->n_words = n;
    return s;
}

void
xlate_trail_note(struct xlate_ctx *ctx, struct rule *rule, uint8_t table_id, ofp_port_t in_port)
{
    struct xlate_trail *t = ctx->trail;
    struct step *s = NULL;
    uint32_t credits, deps;

    if (ctx->n_steps < t->n) {
        cut(t, ctx->n_steps);
    }
    credits = t->n ? t->step[t->n - 1].n_credits : 0;
    deps = t->n ? t->step[t->n - 1].n_deps : 0;
    if (!ctx->deps_all && ctx->n_credits <= N_CREDITS && ctx->deps.n <= N_DEPS) {
        s = step_for(t, ctx);
    }
    if (!s) {
        ctx->trail = NULL;
        return;
    }
    ctx->n_steps = t->n;
    memcpy(&t->credits[credits], &ctx->credits[credits],
           (ctx->n_credits - credits) * sizeof t->credits[0]);
    memcpy(&t->deps[deps], &ctx->deps.w[deps], (ctx->deps.n - deps) * sizeof t->deps[0]);
    s->rule = rule;
    s->table_id = table_id;
    s->n_credits = (uint32_t)ctx->n_credits;
    s->n_deps = ctx->deps.n;
    s->outer = ctx->rule;
    s->cookie = ctx->cookie;
    s->first_cookie = ctx->first_cookie;
    s->outer_table = ctx->table_id;
    s->depth = ctx->depth;
    s->n_resubmits = ctx->n_resubmits;
    s->in_port = in_port;
    s->dep_changed = ctx->dep_changed;
    memcpy(s->pipeline, &ctx->flow.w[FLOW_KEY_WORDS], sizeof s->pipeline);
}

/* A field that no packet has. */
static bool
is_of_pipeline(const struct mf_field *mf)
{
    return mf && mf->prereqs == MF_PRE_NONE && !(mf->flow_words & FLOW_KEY_WORDS_MAP);
}

bool
xlate_trail_goes_on(const struct ofpact *a, const struct ofpact *list_end)
{
    switch ((int)a->type) {
    case OFPACT_RESUBMIT:
    case OFPACT_GOTO_TABLE:
        return ofpact_next(a) == list_end;
    case OFPACT_SET_FIELD:
        return is_of_pipeline(mf_from_id((enum mf_id)OFPACT_CAST(ofpact_set_field, a)->field));
    case OFPACT_REG_MOVE:
        return is_of_pipeline(OFPACT_CAST(ofpact_reg_move, a)->dst.field);
    case OFPACT_WRITE_METADATA:
    case OFPACT_NOTE:
        return true;
    default:
        return false;
    }
}
