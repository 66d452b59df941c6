// SPDX-License-Identifier: Apache-2.0
/*
 * xlate_cache.c - whom the packets of a megaflow are credited to: rules, buckets, patch ports,
 * mirrors, MAC entries, learned flows.
 *
 * A translation collects credits with borrowed pointers.  A cache is a copy that may outlive rules,
 * ports and bridges: it holds references to rules and groups; ports and mirrors it finds again by
 * number each time; and each bridge's MAC table, which it holds too, says whether the bridge is
 * still there (under RCU).
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "ofproto/bond.h"
#include "ofproto/xlate_int.h"

struct cache_bridge {
    struct ofproto *ofproto; /* valid only if the table is live */
    struct mac_table *macs;  /* a reference */
};

struct xlate_cache {
    struct cache_bridge *bridges; /* behind 'entries' */
    uint32_t n_bridges;
    uint32_t n;
    _Atomic uint32_t n_refs;
    struct xc_entry entries[];
};

struct xc_entry *
xlate_credit_add(struct xlate_ctx *ctx, enum xc_type type)
{
    struct xc_entry *e;

    if (!ctx->collects) {
        return NULL;
    }
    if (ctx->n_credits == ctx->cap_credits) {
        size_t cap = ctx->cap_credits * 2;

        if (ctx->credits == ctx->first_credits) {
            ctx->credits = xmemdup(ctx->first_credits, sizeof ctx->first_credits);
        }
        ctx->credits = xreallocarray(ctx->credits, cap, sizeof *ctx->credits);
        ctx->cap_credits = cap;
    }
    e = &ctx->credits[ctx->n_credits++];
    memset(e, 0, sizeof *e); /* They are compared as bytes. */
    e->type = (uint8_t)type;
    e->bridge = (uint8_t)(ctx->bridge - ctx->bridges);
    return e;
}

void
xlate_credit_bucket(struct xlate_ctx *ctx, const struct view_bundle *b, unsigned bucket)
{
    struct xc_entry *e = xlate_credit_add(ctx, XC_BOND);

    if (e) {
        e->bond.bundle_id = b->id;
        e->bond.bucket = (uint8_t)bucket;
    }
}

/* --- crediting ---------------------------------------------------------------------------------
 */

struct credit {
    uint64_t packets, bytes;
    int64_t used_ms;
    uint16_t tcp_flags;
    bool first; /* by the translation itself, which had its other effects already */
};

static void
credit_counters(_Atomic uint64_t *packets, _Atomic uint64_t *bytes, const struct credit *c)
{
    atomic_fetch_add_explicit(packets, c->packets, memory_order_relaxed);
    atomic_fetch_add_explicit(bytes, c->bytes, memory_order_relaxed);
}

/* 'p' is NULL if the bridge is gone. */
static void
credit_port(const struct ofproto *p, const struct xc_entry *e, const struct credit *c)
{
    const struct view_port *port = p ? view_port(ofproto_view(p), e->port) : NULL;

    if (!port) {
        return;
    }
    if (e->type == XC_PORT_TX) {
        ofport_credit_tx(port, c->packets, c->bytes);
    } else {
        ofport_credit_rx(port, c->packets, c->bytes);
    }
}

static void
credit_mirror(const struct ofproto *p, const struct xc_entry *e, const struct credit *c)
{
    const struct ofproto_view *view = p ? ofproto_view(p) : NULL;

    for (size_t i = 0; view && i < view->n_mirrors; i++) {
        if (view->mirrors[i].stats == e->mirror) {
            credit_counters(&e->mirror->packets, &e->mirror->bytes, c);
        }
    }
}

static void
credit_bond(const struct ofproto *p, const struct xc_entry *e, const struct credit *c)
{
    const struct view_bundle *b = p ? view_bundle(ofproto_view(p), e->bond.bundle_id) : NULL;

    if (b && b->loads) {
        atomic_fetch_add_explicit(&b->loads->bytes[e->bond.bucket], c->bytes, memory_order_relaxed);
    }
}

static void
credit_entry(const struct xc_entry *e, struct ofproto *p, struct mac_table *macs,
             const struct credit *c)
{
    switch ((enum xc_type)e->type) {
    case XC_RULE:
        rule_credit(e->rule, c->packets, c->bytes, c->used_ms);
        if (p) {
            ofproto_count_lookup(p, e->rule->table_id, true, c->packets);
        }
        break;
    case XC_TABLE_MISS:
        if (p) {
            ofproto_count_lookup(p, e->table_id, false, c->packets);
        }
        break;
    case XC_GROUP:
        ofgroup_credit(e->group.group, e->group.bucket, c->packets, c->bytes);
        break;
    case XC_PORT_TX:
    case XC_PORT_RX:
        credit_port(p, e, c);
        break;
    case XC_MIRROR:
        credit_mirror(p, e, c);
        break;
    case XC_MAC:
        if (!c->first && p) {
            mac_table_learn(macs, &e->mac);
        }
        break;
    case XC_LEARN:
        if (!c->first && p) {
            xc_learn_apply(e->learn, p);
        }
        break;
    case XC_FROZEN:
        break;
    case XC_FIN_TIMEOUT:
        if (c->tcp_flags & (TCP_FIN | TCP_RST) && p) {
            ofproto_reduce_timeouts(e->fin.rule, e->fin.idle, e->fin.hard);
        }
        break;
    case XC_BOND:
        credit_bond(p, e, c);
        break;
    default:
        break;
    }
}

void
xlate_cache_credit(const struct xlate_cache *cache, uint64_t packets, uint64_t bytes,
                   int64_t used_ms, uint16_t tcp_flags)
{
    const struct credit c = {packets, bytes, used_ms, tcp_flags, false};

    for (uint32_t i = 0; cache && i < cache->n; i++) {
        const struct xc_entry *e = &cache->entries[i];
        const struct cache_bridge *b = &cache->bridges[e->bridge];

        credit_entry(e, mac_table_is_live(b->macs) ? b->ofproto : NULL, b->macs, &c);
    }
}

/* --- references --------------------------------------------------------------------------------
 */

/* False if what it is about is on its way out. */
static bool
entry_ref(const struct xc_entry *e)
{
    switch ((enum xc_type)e->type) {
    case XC_RULE:
        return rule_ref(e->rule);
    case XC_GROUP:
        return ofgroup_ref(e->group.group);
    case XC_FIN_TIMEOUT:
        return rule_ref(e->fin.rule);
    case XC_FROZEN:
        frozen_ref(e->frozen);
        return true;
    case XC_TABLE_MISS:
    case XC_PORT_TX:
    case XC_PORT_RX:
    case XC_MIRROR:
    case XC_MAC:
    case XC_BOND:
    case XC_LEARN: /* Ours from the beginning. */
    default:
        return true;
    }
}

static void
entry_unref(const struct xc_entry *e)
{
    switch ((enum xc_type)e->type) {
    case XC_RULE:
        rule_unref(e->rule);
        break;
    case XC_GROUP:
        ofgroup_unref(e->group.group);
        break;
    case XC_FIN_TIMEOUT:
        rule_unref(e->fin.rule);
        break;
    case XC_LEARN:
        xc_learn_destroy(e->learn);
        break;
    case XC_FROZEN:
        frozen_unref(e->frozen);
        break;
    case XC_TABLE_MISS:
    case XC_PORT_TX:
    case XC_PORT_RX:
    case XC_MIRROR:
    case XC_MAC:
    case XC_BOND:
    default:
        break;
    }
}

struct xlate_cache *
xlate_cache_ref(struct xlate_cache *cache)
{
    if (cache) {
        atomic_fetch_add_explicit(&cache->n_refs, 1, memory_order_relaxed);
    }
    return cache;
}

bool
xlate_cache_is_shareable(const struct xlate_cache *cache)
{
    for (uint32_t i = 0; i < cache->n; i++) {
        enum xc_type type = (enum xc_type)cache->entries[i].type;

        if (type == XC_MAC || type == XC_LEARN || type == XC_FIN_TIMEOUT) {
            return false;
        }
    }
    return true;
}

void
xlate_cache_destroy(struct xlate_cache *cache)
{
    if (!cache || atomic_fetch_sub_explicit(&cache->n_refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (uint32_t i = 0; i < cache->n; i++) {
        entry_unref(&cache->entries[i]);
    }
    for (uint32_t i = 0; i < cache->n_bridges; i++) {
        mac_table_unref(cache->bridges[i].macs);
    }
    free(cache);
}

static struct xlate_cache *
cache_create(const struct xlate_ctx *ctx)
{
    size_t entries_size = ctx->n_credits * sizeof(struct xc_entry);
    struct xlate_cache *cache =
        xmalloc(sizeof *cache + entries_size + ctx->n_bridges * sizeof(struct cache_bridge));

    atomic_init(&cache->n_refs, 1);
    cache->n = 0;
    for (size_t i = 0; i < ctx->n_credits; i++) {
        if (entry_ref(&ctx->credits[i])) {
            memcpy(&cache->entries[cache->n++], &ctx->credits[i], sizeof ctx->credits[i]);
        }
    }
    cache->bridges = (struct cache_bridge *)(void *)((char *)cache->entries + entries_size);
    cache->n_bridges = (uint32_t)ctx->n_bridges;
    for (size_t i = 0; i < ctx->n_bridges; i++) {
        const struct ofproto_view *view = ctx->bridges[i].view;

        cache->bridges[i] = (struct cache_bridge){view->ofproto, view->mac_table};
        mac_table_ref(view->mac_table);
    }
    return cache;
}

/* --- sharing -----------------------------------------------------------------------------------
 */

static bool
cache_is_of(const struct xlate_cache *cache, const struct xlate_ctx *ctx)
{
    if (cache->n != ctx->n_credits || cache->n_bridges != ctx->n_bridges ||
        memcmp(cache->entries, ctx->credits, cache->n * sizeof cache->entries[0])) {
        return false;
    }
    for (size_t i = 0; i < ctx->n_bridges; i++) {
        if (cache->bridges[i].macs != ctx->bridges[i].view->mac_table) {
            return false;
        }
    }
    return true;
}

/* A cache in which nothing is a packet's own has no effects but counts, and those can wait. */
static struct xlate_cache *
share_find_cache(struct xlate_share *share, const struct xlate_ctx *ctx)
{
    for (unsigned i = 0; i < share->n_caches; i++) {
        struct xlate_shared_cache *s = &share->caches[i];

        if (cache_is_of(s->cache, ctx)) {
            if (ctx->in->side_effects) {
                s->n_packets += ctx->in->n_packets;
                s->n_bytes += ctx->in->n_bytes;
            }
            return s->cache;
        }
    }
    return NULL;
}

static void
shared_cache_fini(struct xlate_shared_cache *s)
{
    if (s->n_packets) {
        xlate_cache_credit(s->cache, s->n_packets, s->n_bytes, clock_now_ms(), 0);
    }
    xlate_cache_destroy(s->cache);
}

static void
share_put_cache(struct xlate_share *share, struct xlate_cache *cache)
{
    struct xlate_shared_cache *s = &share->caches[share->next_cache];

    if (!xlate_cache_is_shareable(cache)) {
        return;
    }
    if (share->next_cache < share->n_caches) {
        shared_cache_fini(s);
    } else {
        share->n_caches++;
    }
    share->next_cache = (share->next_cache + 1) % XLATE_SHARED;
    *s = (struct xlate_shared_cache){.cache = xlate_cache_ref(cache)};
}

void
xlate_share_fini_caches(struct xlate_share *share)
{
    for (unsigned i = 0; i < share->n_caches; i++) {
        shared_cache_fini(&share->caches[i]);
    }
    share->n_caches = share->next_cache = 0;
}

/* --- the end of a translation ------------------------------------------------------------------
 */

static void
credit_first(const struct xlate_ctx *ctx)
{
    const struct xlate_in *in = ctx->in;
    const struct credit c = {in->n_packets, in->n_bytes, clock_now_ms(), in->tcp_flags, true};

    for (size_t i = 0; i < ctx->n_credits; i++) {
        const struct xc_entry *e = &ctx->credits[i];
        const struct ofproto_view *view = ctx->bridges[e->bridge].view;

        credit_entry(e, view->ofproto, view->mac_table, &c);
    }
}

void
xlate_credits_finish(struct xlate_ctx *ctx)
{
    const struct xlate_in *in = ctx->in;
    struct xlate_cache *cache =
        in->share && in->want_cache ? share_find_cache(in->share, ctx) : NULL;

    if (cache) {
        ctx->out->cache = xlate_cache_ref(cache);
        return;
    }
    if (in->side_effects && in->n_packets) {
        credit_first(ctx);
    }
    if (in->want_cache) {
        ctx->out->cache = cache_create(ctx);
        if (in->share) {
            share_put_cache(in->share, ctx->out->cache);
        }
        return;
    }
    for (size_t i = 0; i < ctx->n_credits; i++) {
        if (ctx->credits[i].type == XC_LEARN) {
            xc_learn_destroy(ctx->credits[i].learn);
        }
    }
}
