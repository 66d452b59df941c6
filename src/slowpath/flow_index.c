// SPDX-License-Identifier: Apache-2.0
/*
 * flow_index.c - see flow_index.h.
 *
 * A word that actions had changed by the time of some lookup says nothing about what a rule saw
 * there, so such words are no part of a group's mask; nor are words of the pipeline.
 */
#include "slowpath/flow_index.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/util.h"
#include "base/uthash.h"
#include "flow/match.h"
#include "ofproto/ofproto_int.h"
#include "ofproto/rule.h"
#include "slowpath/slowpath_int.h"

struct flow_group {
    UT_hash_handle hh;
    uint32_t n, allocated;
    uint32_t n_words;
    uint64_t **values;   /* [n_words][n]: the columns */
    uint64_t *tables;    /* [n]: as xlate_deps_sum() has them; all bits for "all" */
    uint32_t *priority;  /* [n] */
    struct ukey **ukeys; /* [n] */
    uint64_t map;        /* which words; 'mask' follows: the hash's key */
    uint64_t mask[];
};

struct flow_index {
    pthread_mutex_t lock; /* leaf: all below, and the places and 'suspect' of the ukeys */
    struct flow_group *groups;
    uint64_t seq;
    struct ukey **suspects;
    size_t n_suspects, allocated_suspects;
};

struct flow_index *
flow_index_create(void)
{
    struct flow_index *x = xzalloc(sizeof *x);

    pthread_mutex_init(&x->lock, NULL);
    return x;
}

void
flow_index_destroy(struct flow_index *x)
{
    if (x) {
        pthread_mutex_destroy(&x->lock);
        free(x->suspects);
        free(x);
    }
}

/* --- groups ----------------------------------------------------------------------------------- */

static struct flow_group *
group_get(struct flow_index *x, const uint64_t *key, uint32_t n_words)
{
    size_t size = (n_words + 1) * sizeof *key;
    struct flow_group *g;

    HASH_FIND(hh, x->groups, key, size, g);
    if (!g) {
        g = xzalloc(sizeof *g + n_words * sizeof g->mask[0]);
        g->n_words = n_words;
        g->values = xcalloc(n_words + 1, sizeof *g->values);
        memcpy(&g->map, key, size);
        HASH_ADD_KEYPTR(hh, x->groups, &g->map, size, g);
    }
    return g;
}

static void
group_resize(struct flow_group *g, uint32_t n)
{
    for (uint32_t w = 0; w < g->n_words; w++) {
        g->values[w] = xreallocarray(g->values[w], n, sizeof *g->values[w]);
    }
    g->tables = xreallocarray(g->tables, n, sizeof *g->tables);
    g->priority = xreallocarray(g->priority, n, sizeof *g->priority);
    g->ukeys = xreallocarray(g->ukeys, n, sizeof *g->ukeys);
    g->allocated = n;
}

static void
group_free(struct flow_index *x, struct flow_group *g)
{
    HASH_DEL(x->groups, g);
    for (uint32_t w = 0; w < g->n_words; w++) {
        free(g->values[w]);
    }
    free(g->values);
    free(g->tables);
    free(g->priority);
    free(g->ukeys);
    free(g);
}

static void
place_set_sum(struct flow_group *g, uint32_t pos, const struct xlate_deps_sum *sum)
{
    g->tables[pos] = sum->all ? UINT64_MAX : sum->tables;
    g->priority[pos] = sum->all ? 0 : sum->priority;
}

/* --- places ----------------------------------------------------------------------------------- */

static void
place_add(struct flow_index *x, struct ukey *ukey, const struct flow *key,
          const struct flow_mask *mask)
{
    const struct xlate_deps_sum *sum = xlate_deps_sum(ukey->deps);
    uint64_t id[1 + FLOW_KEY_WORDS];
    uint32_t n_words = 0;
    struct flow_group *g;

    id[0] = 0;
    for (uint32_t k = 0; k < FLOW_KEY_WORDS; k++) {
        if (mask->bits.w[k] && !(sum->changed >> k & 1)) {
            id[0] |= UINT64_C(1) << k;
            id[++n_words] = mask->bits.w[k];
        }
    }
    g = group_get(x, id, n_words);
    if (g->n >= g->allocated) {
        group_resize(g, MAX(g->allocated * 2, UINT32_C(4)));
    }
    n_words = 0;
    for (uint64_t map = g->map; map; map &= map - 1) {
        unsigned k = (unsigned)__builtin_ctzll(map);

        g->values[n_words++][g->n] = key->w[k] & mask->bits.w[k];
    }
    place_set_sum(g, g->n, sum);
    g->ukeys[g->n] = ukey;
    ukey->place.group = g;
    ukey->place.pos = g->n++;
    ukey->place.changed = sum->changed;
}

static void
place_remove(struct flow_index *x, struct ukey *ukey)
{
    struct flow_group *g = ukey->place.group;
    uint32_t pos = ukey->place.pos, last = --g->n;

    for (uint32_t w = 0; w < g->n_words; w++) {
        g->values[w][pos] = g->values[w][last];
    }
    g->tables[pos] = g->tables[last];
    g->priority[pos] = g->priority[last];
    g->ukeys[pos] = g->ukeys[last];
    g->ukeys[pos]->place.pos = pos;
    ukey->place.group = NULL;
    if (!g->n) {
        group_free(x, g);
    } else if (g->allocated > 64 && g->n < g->allocated / 4) {
        group_resize(g, g->allocated / 2);
    }
}

static void
suspect_add(struct flow_index *x, struct ukey *ukey)
{
    if (ukey->place.suspect_pos) {
        return;
    }
    if (x->n_suspects >= x->allocated_suspects) {
        x->allocated_suspects = MAX(x->allocated_suspects * 2, (size_t)64);
        x->suspects = xreallocarray(x->suspects, x->allocated_suspects, sizeof *x->suspects);
    }
    x->suspects[x->n_suspects++] = ukey;
    ukey->place.suspect_pos = (uint32_t)x->n_suspects;
    ukey->suspect = true;
}

static void
suspect_set_by(struct ukey *ukey, struct rule *by)
{
    rule_unref(ukey->by);
    ukey->by = by && rule_ref(by) ? by : NULL;
}

static void
suspect_remove(struct flow_index *x, struct ukey *ukey)
{
    if (ukey->place.suspect_pos) {
        struct ukey *last = x->suspects[--x->n_suspects];

        x->suspects[ukey->place.suspect_pos - 1] = last;
        last->place.suspect_pos = ukey->place.suspect_pos;
        ukey->place.suspect_pos = 0;
    }
}

bool
flow_index_add(struct flow_index *x, struct ukey *ukey)
{
    struct flow_mask mask;
    struct flow key;
    bool late;

    dp_flow_get_key(ukey->flow, &key, &mask);
    pthread_mutex_lock(&x->lock);
    place_add(x, ukey, &key, &mask);
    late = ukey->seq < x->seq;
    if (late) {
        suspect_add(x, ukey);
    }
    pthread_mutex_unlock(&x->lock);
    return late;
}

void
flow_index_remove(struct flow_index *x, struct ukey *ukey)
{
    pthread_mutex_lock(&x->lock);
    if (ukey->place.group) {
        place_remove(x, ukey);
    }
    suspect_remove(x, ukey);
    suspect_set_by(ukey, NULL);
    pthread_mutex_unlock(&x->lock);
}

void
flow_index_update(struct flow_index *x, struct ukey *ukey)
{
    const struct xlate_deps_sum *sum = xlate_deps_sum(ukey->deps);
    bool moves = ukey->place.changed != sum->changed;
    struct flow_mask mask;
    struct flow key;

    if (moves) {
        dp_flow_get_key(ukey->flow, &key, &mask);
    }
    pthread_mutex_lock(&x->lock);
    if (moves) {
        place_remove(x, ukey);
        place_add(x, ukey, &key, &mask);
    } else {
        place_set_sum(ukey->place.group, ukey->place.pos, sum);
    }
    suspect_remove(x, ukey);
    suspect_set_by(ukey, NULL);
    ukey->suspect = false;
    pthread_mutex_unlock(&x->lock);
}

void
flow_index_set_seq(struct flow_index *x, uint64_t seq)
{
    pthread_mutex_lock(&x->lock);
    x->seq = MAX(x->seq, seq);
    pthread_mutex_unlock(&x->lock);
}

/* --- changes ---------------------------------------------------------------------------------- */

/* What a rule's match says about the words of one group. */
struct probe {
    uint32_t n;
    struct probe_word {
        const uint64_t *values;
        uint64_t mask, value;
    } word[FLOW_KEY_WORDS];
};

/* The word that tells most comes first. */
static void
probe_init(struct probe *p, const struct flow_group *g, const struct match *match)
{
    uint32_t i = 0;
    int most = 0;

    p->n = 0;
    p->word[0] = (struct probe_word){0};
    for (uint64_t map = g->map; map; map &= map - 1, i++) {
        unsigned k = (unsigned)__builtin_ctzll(map);
        uint64_t mask = g->mask[i] & match->mask.bits.w[k];

        if (!mask) {
            continue;
        }
        p->word[p->n] = (struct probe_word){g->values[i], mask, match->flow.w[k] & mask};
        if (__builtin_popcountll(mask) > most) {
            struct probe_word first = p->word[0];

            most = __builtin_popcountll(mask);
            p->word[0] = p->word[p->n];
            p->word[p->n] = first;
        }
        p->n++;
    }
}

static bool
probe_matches(const struct probe *p, uint32_t pos)
{
    for (uint32_t i = 0; i < p->n; i++) {
        if ((p->word[i].values[pos] ^ p->word[i].value) & p->word[i].mask) {
            return false;
        }
    }
    return true;
}

enum { BLOCK = 16 };

/* The first block from 'pos' on in which the first word of some flow agrees. */
static uint32_t
skip_blocks(const struct probe *p, uint32_t pos, uint32_t n)
{
    const uint64_t mask = p->word[0].mask, value = p->word[0].value;
    const uint64_t *v = p->word[0].values;

    if (!p->n) {
        return pos;
    }
    for (; pos + BLOCK <= n; pos += BLOCK) {
        uint64_t hit = 0;

        for (uint32_t i = 0; i < BLOCK; i++) { /* Without a branch: for the vectorizer. */
            hit |= (v[pos + i] & mask) == value ? UINT64_MAX : 0;
        }
        if (hit) {
            break;
        }
    }
    return pos;
}

static bool
is_affected(const struct ukey *ukey, const struct ofproto_change *change)
{
    struct flow_mask mask;
    struct flow key;

    dp_flow_get_key(ukey->flow, &key, &mask);
    return xlate_deps_affected(ukey->deps, &key, &mask, change, 1);
}

static void
mark_group(struct flow_index *x, const struct flow_group *g, const struct ofproto_change *change,
           const struct xlate_deps_sum *sum, const struct match *match)
{
    struct probe p;

    probe_init(&p, g, match);
    for (uint32_t pos = skip_blocks(&p, 0, g->n); pos < g->n; pos = skip_blocks(&p, pos, g->n)) {
        uint32_t end = MIN(pos + BLOCK, g->n);

        for (; pos < end; pos++) {
            struct ukey *ukey = g->ukeys[pos];

            if (!(g->tables[pos] & sum->tables) || sum->priority < g->priority[pos] ||
                !probe_matches(&p, pos)) {
                continue;
            }
            if (ukey->suspect) {
                suspect_set_by(ukey, NULL);
            } else if (is_affected(ukey, change)) {
                suspect_add(x, ukey);
                suspect_set_by(ukey,
                               change->kind == OFPROTO_CHANGE_RULE_ADDED ? change->rule : NULL);
            }
        }
    }
}

size_t
flow_index_mark(struct flow_index *x, const struct ofproto_change *changes, size_t n)
{
    size_t n_suspects;

    pthread_mutex_lock(&x->lock);
    for (size_t i = 0; i < n; i++) {
        struct xlate_deps_sum sum = xlate_change_sum(&changes[i]);
        struct match match;

        cls_rule_get_match(&changes[i].rule->cls, &match);
        for (struct flow_group *g = x->groups; g; g = g->hh.next) {
            mark_group(x, g, &changes[i], &sum, &match);
        }
    }
    n_suspects = x->n_suspects;
    pthread_mutex_unlock(&x->lock);
    return n_suspects;
}

size_t
flow_index_n_suspects(struct flow_index *x)
{
    size_t n;

    pthread_mutex_lock(&x->lock);
    n = x->n_suspects;
    pthread_mutex_unlock(&x->lock);
    return n;
}

struct ukey **
flow_index_take_suspects(struct flow_index *x, size_t *n)
{
    struct ukey **suspects;

    pthread_mutex_lock(&x->lock);
    suspects = x->suspects;
    *n = x->n_suspects;
    for (size_t i = 0; i < *n; i++) {
        suspects[i]->place.suspect_pos = 0;
    }
    x->suspects = NULL;
    x->n_suspects = x->allocated_suspects = 0;
    pthread_mutex_unlock(&x->lock);
    return suspects;
}
