// SPDX-License-Identifier: Apache-2.0
/*
 * xlate_seen.c - what tables answered to earlier packets of a batch.
 *
 * A lookup reports the bits that its answer depends on, so the answer is the same for every packet
 * that agrees in them: that is what makes megaflows right, and it holds for one table as it does
 * for all of them together.  Of most tables of a pipeline the packets of a batch agree in the one
 * or two words that it looks at, and comparing those is a fraction of a search.  What is kept is
 * the last answer of each table, for as long as the thread does not quiesce: rules are borrowed.
 * A table whose packets differ is soon left alone.
 *
 * Handlers.
 */
#include "ofproto/xlate_int.h"

#include <string.h>

enum { PATIENCE = 4 }; /* lookups that keep an answer for nothing before a table is left alone */

static struct xlate_seen *
place(struct xlate_share *share, const struct xlate_ctx *ctx, uint8_t table_id)
{
    return &share->seen[(table_id + 7 * (size_t)(ctx->bridge - ctx->bridges)) % XLATE_SEEN];
}

/* Is it about this table, as it is in the version of this translation? */
static bool
is_of(const struct xlate_share *share, const struct xlate_seen *s, const struct xlate_ctx *ctx,
      uint8_t table_id)
{
    return share->seen_map >> (s - share->seen) & 1 && s->table_id == table_id &&
           s->ofproto == ctx->view->ofproto && s->version == ctx->bridge->version;
}

static bool
agrees(const struct xlate_seen *s, const struct flow *flow)
{
    uint64_t diff = s->n_words > XLATE_SEEN_WORDS;

    for (unsigned i = 0; !diff && i < s->n_words; i++) {
        diff = (flow->w[s->word[i]] ^ s->value[i]) & s->mask[i];
    }
    return !diff;
}

/* Looks up and keeps the answer in 's', with the bits that it depends on. */
static struct rule *
look_up_and_keep(struct xlate_ctx *ctx, uint8_t table_id, const struct flow *flow,
                 struct xlate_seen *s)
{
    struct flow_mask own;
    unsigned n = 0;

    memset(&own, 0, sizeof own);
    s->ofproto = ctx->view->ofproto;
    s->version = ctx->bridge->version;
    s->table_id = table_id;
    s->rule = ofproto_lookup(s->ofproto, s->version, table_id, flow, &own);
    for (uint64_t map = flow_words_map(&own.bits); map; map &= map - 1, n++) {
        unsigned w = (unsigned)__builtin_ctzll(map);

        ctx->wc->bits.w[w] |= own.bits.w[w];
        if (n < XLATE_SEEN_WORDS) {
            s->word[n] = (uint8_t)w;
            s->mask[n] = own.bits.w[w];
            s->value[n] = flow->w[w];
        }
    }
    s->n_words = (uint8_t)n;
    return s->rule;
}

struct rule *
xlate_look_up(struct xlate_ctx *ctx, uint8_t table_id, const struct flow *flow)
{
    struct xlate_share *share = ctx->in->share;
    struct xlate_seen *s = share ? place(share, ctx, table_id) : NULL;

    if (!share) {
        return ofproto_lookup(ctx->view->ofproto, ctx->bridge->version, table_id, flow, ctx->wc);
    }
    if (!is_of(share, s, ctx, table_id)) {
        share->seen_map |= UINT64_C(1) << (s - share->seen);
        s->n_useless = 0;
    } else if (agrees(s, flow)) {
        for (unsigned i = 0; i < s->n_words; i++) {
            ctx->wc->bits.w[s->word[i]] |= s->mask[i];
        }
        s->n_useless = 0;
        return s->rule;
    } else if (s->n_useless >= PATIENCE) {
        return ofproto_lookup(s->ofproto, s->version, table_id, flow, ctx->wc);
    } else {
        s->n_useless++;
    }
    return look_up_and_keep(ctx, table_id, flow, s);
}
