// SPDX-License-Identifier: Apache-2.0
/*
 * xlate_deps.c - what a translation's result depends on, so that a change touches only the
 * megaflows it can matter to.
 *
 * A dependency is a few words:
 *
 *   lookup   in one table of one bridge; the priority of the rule found; and the words of the flow
 * that differed then from the packet's, because actions had changed them or because they belong to
 * the pipeline only MAC      the sequence number of an address's bucket group, view
 *
 * A rule that comes or goes matters to a megaflow only if it is in a table that was looked up, and
 * if some packet of the megaflow could have matched it there: in each bit that is known of all its
 * packets (the megaflow's mask, and whatever actions or the pipeline had set) the rule must agree.
 * Nor does one matter that comes with a lower priority than that of the rule found: all packets of
 * the megaflow match the latter.  For the same reason one that goes must have been the rule found.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ofproto/cls_int.h"
#include "ofproto/xlate_int.h"

enum dep_type { DEP_LOOKUP, DEP_MAC, DEP_GROUP, DEP_VIEW };

/* The first word of each: type, table or so, number of words in all, one more value (of a lookup:
 * the priority of the rule that was found + 1, 0 for none, ANY_PRIORITY if that says nothing). */
struct dep_head {
    uint8_t type;
    uint8_t table_id;
    uint16_t n;
    uint32_t value;
};

struct xlate_deps {
    struct xlate_deps_sum sum;
    _Atomic uint32_t n_refs;
    uint32_t n;
    uint64_t w[];
};

enum { MAX_DEP_WORDS = 16384 };
#define ANY_PRIORITY UINT32_MAX

static struct dep_head
head_of(const uint64_t *w)
{
    struct dep_head head;

    memcpy(&head, w, sizeof head);
    return head;
}

/* Appends a dependency of 'n' words, with room for those after the first. */
static uint64_t *
dep_put(struct xlate_ctx *ctx, enum dep_type type, uint32_t n)
{
    struct dep_head head = {.type = (uint8_t)type, .n = (uint16_t)n};
    uint64_t *w;

    if (!ctx->in->want_cache || ctx->deps_all) {
        return NULL;
    }
    if (ctx->deps.n + n > MAX_DEP_WORDS) {
        ctx->deps_all = true;
        return NULL;
    }
    w = xlate_words_put(&ctx->deps, n);
    memcpy(w, &head, sizeof head);
    return w;
}

static void
head_set(uint64_t *w, uint8_t table_id, uint32_t value)
{
    struct dep_head head = head_of(w);

    head.table_id = table_id;
    head.value = value;
    memcpy(w, &head, sizeof head);
}

/* The words of the flow that are not the packet's.  From one lookup to the next mostly none
 * changes. */
static uint64_t
changed_words(struct xlate_ctx *ctx, const struct flow *flow)
{
    uint64_t map = 0;

    if (ctx->looked_up &&
        ((ctx->untouched && flow == &ctx->flow && flow->ofp_in_port == ctx->dep_flow.ofp_in_port) ||
         !memcmp(flow, &ctx->dep_flow, sizeof *flow))) {
        return ctx->dep_changed;
    }
    for (unsigned k = 0; k < FLOW_WORDS; k += 4) { /* Four at once: most are equal. */
        const uint64_t *a = &flow->w[k], *b = &ctx->first.w[k];

        if ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3])) {
            map |= (uint64_t)(a[0] != b[0]) << k | (uint64_t)(a[1] != b[1]) << (k + 1) |
                   (uint64_t)(a[2] != b[2]) << (k + 2) | (uint64_t)(a[3] != b[3]) << (k + 3);
        }
    }
    ctx->dep_flow = *flow;
    ctx->dep_changed = map;
    return map;
}

void
xlate_dep_lookup(struct xlate_ctx *ctx, const struct ofproto *ofproto, uint8_t table_id,
                 const struct flow *flow, const struct rule *found)
{
    uint32_t weight = found ? (uint32_t)found->cls.priority + 1 : 0;
    uint64_t map;
    uint64_t *w;
    uint32_t i = 3;

    if (!ctx->in->want_cache) {
        return;
    }
    map = changed_words(ctx, flow);
    w = dep_put(ctx, DEP_LOOKUP, 3 + (uint32_t)__builtin_popcountll(map));
    if (!w) {
        return;
    }
    if (ofproto_table_had_clauses(ofproto, table_id)) {
        weight = ANY_PRIORITY;
    }
    head_set(w, table_id, weight);
    w[1] = (uint64_t)(uintptr_t)ofproto;
    w[2] = map;
    for (; map; map &= map - 1) {
        w[i++] = flow->w[__builtin_ctzll(map)];
    }
}

void
xlate_dep_mac(struct xlate_ctx *ctx, struct mac_table *mt, uint16_t vlan, struct rte_ether_addr mac)
{
    uint32_t index = mac_table_seq_index(vlan, mac);
    uint64_t *w = dep_put(ctx, DEP_MAC, 3);

    if (w) {
        head_set(w, 0, index);
        w[1] = (uint64_t)(uintptr_t)mt;
        w[2] = mac_table_seq(mt, index);
    }
}

void
xlate_dep_group(struct xlate_ctx *ctx, const struct ofproto *ofproto, uint32_t group_id)
{
    uint64_t *w = dep_put(ctx, DEP_GROUP, 2);

    if (w) {
        head_set(w, 0, group_id);
        w[1] = (uint64_t)(uintptr_t)ofproto;
    }
}

void
xlate_dep_view(struct xlate_ctx *ctx, const struct ofproto *ofproto)
{
    uint64_t *w = dep_put(ctx, DEP_VIEW, 2);

    if (w) {
        w[1] = (uint64_t)(uintptr_t)ofproto;
    }
}

/* Each table of each bridge is one bit of 64. */
static uint64_t
table_bit(const struct ofproto *ofproto, uint8_t table_id)
{
    return UINT64_C(1) << (hash_u64((uint64_t)(uintptr_t)ofproto, table_id) >> 58);
}

static void
summarize(struct xlate_deps *deps, bool all)
{
    struct xlate_deps_sum *sum = &deps->sum;

    *sum = (struct xlate_deps_sum){
        .all = all,
        .changed = all ? UINT64_MAX : 0,
        .priority = UINT32_MAX,
    };
    for (uint32_t i = 0; i < deps->n; i += head_of(&deps->w[i]).n) {
        const uint64_t *w = &deps->w[i];
        const struct dep_head head = head_of(w);

        if (head.type == DEP_LOOKUP) {
            uint32_t weight = head.value == ANY_PRIORITY ? 0 : head.value;

            sum->tables |= table_bit((const struct ofproto *)(uintptr_t)w[1], head.table_id);
            sum->changed |= w[2];
            sum->priority = MIN(sum->priority, weight);
        }
    }
}

const struct xlate_deps_sum *
xlate_deps_sum(const struct xlate_deps *deps)
{
    return &deps->sum;
}

struct xlate_deps_sum
xlate_change_sum(const struct ofproto_change *c)
{
    return (struct xlate_deps_sum){
        .tables = table_bit(c->ofproto, c->rule->table_id),
        .priority = (uint32_t)c->rule->cls.priority + 1,
    };
}

static struct mac_table *
dep_mac_table(const uint64_t *w)
{
    return (struct mac_table *)(uintptr_t)w[1];
}

static struct xlate_deps *
deps_create(const struct xlate_ctx *ctx)
{
    uint32_t n = ctx->deps_all ? 0 : ctx->deps.n;
    struct xlate_deps *deps;

    deps = xmalloc(sizeof *deps + n * sizeof deps->w[0]);
    atomic_init(&deps->n_refs, 1);
    deps->n = n;
    if (n) {
        memcpy(deps->w, ctx->deps.w, n * sizeof deps->w[0]);
    }
    for (uint32_t i = 0; i < n; i += head_of(&deps->w[i]).n) {
        if (head_of(&deps->w[i]).type == DEP_MAC) {
            mac_table_ref(dep_mac_table(&deps->w[i]));
        }
    }
    summarize(deps, ctx->deps_all);
    return deps;
}

/* The shared ones that are what this translation found, or NULL. */
static struct xlate_deps *
share_find_deps(const struct xlate_share *share, const struct xlate_ctx *ctx)
{
    for (unsigned i = 0; i < share->n_deps; i++) {
        struct xlate_deps *deps = share->deps[i];

        if (deps->n == ctx->deps.n && !deps->sum.all && !ctx->deps_all &&
            !memcmp(deps->w, ctx->deps.w, deps->n * sizeof deps->w[0])) {
            return deps;
        }
    }
    return NULL;
}

static void
share_put_deps(struct xlate_share *share, struct xlate_deps *deps)
{
    struct xlate_deps **place = &share->deps[share->next_deps];

    if (share->next_deps < share->n_deps) {
        xlate_deps_destroy(*place);
    } else {
        share->n_deps++;
    }
    share->next_deps = (share->next_deps + 1) % XLATE_SHARED;
    *place = xlate_deps_ref(deps);
}

void
xlate_share_fini_deps(struct xlate_share *share)
{
    for (unsigned i = 0; i < share->n_deps; i++) {
        xlate_deps_destroy(share->deps[i]);
    }
    share->n_deps = share->next_deps = 0;
}

void
xlate_deps_finish(struct xlate_ctx *ctx)
{
    struct xlate_share *share = ctx->in->share;
    struct xlate_deps *deps;

    if (!ctx->in->want_cache) {
        return;
    }
    deps = share ? share_find_deps(share, ctx) : NULL;
    if (deps) {
        ctx->out->deps = xlate_deps_ref(deps);
        return;
    }
    ctx->out->deps = deps_create(ctx);
    if (share) {
        share_put_deps(share, ctx->out->deps);
    }
}

struct xlate_deps *
xlate_deps_ref(struct xlate_deps *deps)
{
    if (deps) {
        atomic_fetch_add_explicit(&deps->n_refs, 1, memory_order_relaxed);
    }
    return deps;
}

bool
xlate_out_is_shareable(const struct xlate_out *out)
{
    return out->cache && out->deps && !out->slow && !out->drop_unknown && !out->deps->sum.all &&
           !(out->deps->sum.changed & FLOW_KEY_WORDS_MAP) && xlate_cache_is_shareable(out->cache);
}

void
xlate_deps_destroy(struct xlate_deps *deps)
{
    if (!deps || atomic_fetch_sub_explicit(&deps->n_refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (uint32_t i = 0; i < deps->n; i += head_of(&deps->w[i]).n) {
        if (head_of(&deps->w[i]).type == DEP_MAC) {
            mac_table_unref(dep_mac_table(&deps->w[i]));
        }
    }
    free(deps);
}

uint64_t
xlate_state_seq(void)
{
    return mac_table_global_seq();
}

/* --- does a change matter? ---------------------------------------------------------------------
 */

/* True unless the rule differs from all packets of the megaflow, as they were at this lookup. */
static bool
rule_may_match(const struct rule *rule, const uint64_t *w, const struct flow *key,
               const struct flow_mask *mask)
{
    const struct cls_subtable *st = rule->cls.subtable;
    const uint64_t map = w[2];

    for (unsigned i = 0; i < st->n_words; i++) {
        unsigned k = st->word[i];
        uint64_t known = k < FLOW_KEY_WORDS ? mask->bits.w[k] : UINT64_MAX;
        uint64_t value = k < FLOW_KEY_WORDS ? key->w[k] : 0;

        if (k == FLOW_WORD_OF(conj_id)) {
            continue; /* The classifier's own. */
        }
        if (map >> k & 1) {
            /* What an action overwrote is in the mask; the word's other bits may be any packet's.
             */
            value = w[3 + __builtin_popcountll(map & ((UINT64_C(1) << k) - 1))];
        }
        if ((value ^ rule->cls.values[i]) & st->mask[i] & known) {
            return false;
        }
    }
    return true;
}

/* Does the rule match all packets of the megaflow, as they were at this lookup? */
static bool
rule_covers(const struct rule *rule, const uint64_t *w, const struct flow *key,
            const struct flow_mask *mask)
{
    const struct cls_subtable *st = rule->cls.subtable;
    const uint64_t map = w[2];

    for (unsigned i = 0; i < st->n_words; i++) {
        unsigned k = st->word[i];
        uint64_t value = k < FLOW_KEY_WORDS ? key->w[k] : 0;

        if (map >> k & 1) {
            value = w[3 + __builtin_popcountll(map & ((UINT64_C(1) << k) - 1))];
        }
        if ((k < FLOW_KEY_WORDS && st->mask[i] & ~mask->bits.w[k]) ||
            (value ^ rule->cls.values[i]) & st->mask[i]) {
            return false;
        }
    }
    return true;
}

bool
xlate_deps_first_is(const struct xlate_deps *deps, const struct flow *key,
                    const struct flow_mask *mask, const struct rule *rule)
{
    for (uint32_t i = 0; i < deps->n && !key->nw_frag; i += head_of(&deps->w[i]).n) {
        const uint64_t *w = &deps->w[i];
        const struct dep_head head = head_of(w);

        if (head.type == DEP_LOOKUP) {
            return head.table_id == rule->table_id && w[1] == (uint64_t)(uintptr_t)rule->ofproto &&
                   head.value != ANY_PRIORITY && (uint32_t)rule->cls.priority + 1 > head.value &&
                   !rule->actions->has_conj && !(w[2] & FLOW_KEY_WORDS_MAP) &&
                   rule_covers(rule, w, key, mask);
        }
    }
    return false;
}

/* A rule that comes can take packets from rules of its priority and below; one that goes takes
 * along what was found if that was it. */
static bool
priority_matters(const struct ofproto_change *c, uint32_t found)
{
    uint32_t weight = (uint32_t)c->rule->cls.priority + 1;

    return found == ANY_PRIORITY ||
           (c->kind == OFPROTO_CHANGE_RULE_ADDED ? weight >= found : weight == found);
}

static bool
change_matters(const struct ofproto_change *c, const uint64_t *w, const struct flow *key,
               const struct flow_mask *mask)
{
    const struct dep_head head = head_of(w);
    bool same_bridge = w[1] == (uint64_t)(uintptr_t)c->ofproto;

    switch (c->kind) {
    case OFPROTO_CHANGE_RULE_ADDED:
    case OFPROTO_CHANGE_RULE_REMOVED:
        return head.type == DEP_LOOKUP && same_bridge && head.table_id == c->rule->table_id &&
               priority_matters(c, head.value) && rule_may_match(c->rule, w, key, mask);
    case OFPROTO_CHANGE_GROUP:
        return head.type == DEP_GROUP && same_bridge && head.value == c->group_id;
    case OFPROTO_CHANGE_VIEW:
        return head.type == DEP_VIEW && same_bridge;
    case OFPROTO_CHANGE_ALL:
    default:
        return true;
    }
}

bool
xlate_deps_affected(const struct xlate_deps *deps, const struct flow *key,
                    const struct flow_mask *mask, const struct ofproto_change *changes,
                    size_t n_changes)
{
    if (!deps || (deps->sum.all && n_changes)) {
        return true;
    }
    for (uint32_t i = 0; i < deps->n; i += head_of(&deps->w[i]).n) {
        const uint64_t *w = &deps->w[i];
        const struct dep_head head = head_of(w);

        if (head.type == DEP_MAC) {
            if (mac_table_seq(dep_mac_table(w), head.value) != w[2]) {
                return true;
            }
            continue;
        }
        for (size_t j = 0; j < n_changes; j++) {
            if (change_matters(&changes[j], w, key, mask)) {
                return true;
            }
        }
    }
    return false;
}
