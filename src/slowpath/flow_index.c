// SPDX-License-Identifier: Apache-2.0
/*
 * flow_index.c - see flow_index.h.
 *
 * A word that actions had changed by the time of some lookup says nothing about what a rule saw
 * there, so such words are no part of a group's mask; nor are words of the pipeline.  What changes
 * do stands in flow_mark.c, what megaflows share in cohort.c.
 */
#include "slowpath/flow_index.h"

#include <stdlib.h>

#include "base/util.h"
#include "ofproto/rule.h"
#include "slowpath/flow_index_int.h"

enum { FORGET_AT_ONCE = 1024 }; /* then others get the lock */

struct flow_index *
flow_index_create(void)
{
    struct flow_index *x = xzalloc(sizeof *x);

    pthread_mutex_init(&x->door, NULL);
    pthread_mutex_init(&x->lock, NULL);
    return x;
}

void
flow_index_destroy(struct flow_index *x)
{
    if (x) {
        pthread_mutex_destroy(&x->lock);
        pthread_mutex_destroy(&x->door);
        free(x->suspects);
        free(x);
    }
}

void
index_lock(struct flow_index *x)
{
    pthread_mutex_lock(&x->door);
    pthread_mutex_lock(&x->lock);
    pthread_mutex_unlock(&x->door);
}

/* --- groups ----------------------------------------------------------------------------------- */

static struct flow_group *
group_get(struct flow_index *x, const uint64_t *key, uint32_t n_words)
{
    size_t size = (n_words + 1) * sizeof *key;
    struct flow_group *g = x->last_group;

    if (g && g->n_words == n_words && !memcmp(&g->map, key, size)) {
        return g;
    }
    HASH_FIND(hh, x->groups, key, size, g);
    if (!g) {
        g = xzalloc(sizeof *g + n_words * sizeof g->mask[0]);
        g->n_words = n_words;
        g->values = xcalloc(n_words + 1, sizeof *g->values);
        memcpy(&g->map, key, size);
        HASH_ADD_KEYPTR(hh, x->groups, &g->map, size, g);
    }
    x->last_group = g;
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
    g->cohort_of = xreallocarray(g->cohort_of, n, sizeof *g->cohort_of);
    g->ukeys = xreallocarray(g->ukeys, n, sizeof *g->ukeys);
    g->allocated = n;
}

static void
group_free(struct flow_index *x, struct flow_group *g)
{
    if (x->last_group == g) {
        x->last_group = NULL;
    }
    HASH_DEL(x->groups, g);
    for (uint32_t w = 0; w < g->n_words; w++) {
        free(g->values[w]);
    }
    free(g->values);
    free(g->tables);
    free(g->priority);
    free(g->cohort_of);
    free(g->ukeys);
    free(g);
}

static void
place_set_sum(struct flow_group *g, uint32_t pos, const struct xlate_deps_sum *sum)
{
    g->tables[pos] = sum->all ? UINT64_MAX : sum->tables;
    g->priority[pos] = sum->all ? 0 : sum->priority;
    g->lowest = MIN(g->lowest, g->priority[pos]);
}

/* --- places ----------------------------------------------------------------------------------- */

static void
place_add(struct flow_index *x, struct ukey *ukey, const struct flow *key,
          const struct flow_mask *mask)
{
    const struct xlate_deps_sum *sum = xlate_deps_sum(ukey_deps(ukey));
    uint64_t id[1 + FLOW_KEY_WORDS];
    uint32_t n_words = 0;
    struct flow_group *g;

    id[0] = flow_words_map(&mask->bits) & FLOW_KEY_WORDS_MAP & ~sum->changed;
    for (uint64_t map = id[0]; map; map &= map - 1) {
        id[++n_words] = mask->bits.w[__builtin_ctzll(map)];
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
    g->cohort_of[g->n] = 0;
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
    g->cohort_of[pos] = g->cohort_of[last];
    g->ukeys[pos] = g->ukeys[last];
    g->ukeys[pos]->place.pos = pos;
    ukey->place.group = NULL;
    if (!g->n) {
        group_free(x, g);
    } else if (g->allocated > 64 && g->n < g->allocated / 4) {
        group_resize(g, g->allocated / 2);
    }
}

void
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

void
suspect_set_by(struct ukey *ukey, struct rule *by)
{
    rule_unref(ukey->by);
    ukey->by = by && rule_ref(by) ? by : NULL;
}

void
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
    index_lock(x);
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
    struct cohort *left;

    index_lock(x);
    left = cohort_leave(x, ukey);
    if (ukey->place.group) {
        place_remove(x, ukey);
    }
    suspect_remove(x, ukey);
    suspect_set_by(ukey, NULL);
    pthread_mutex_unlock(&x->lock);
    cohort_free(left);
}

void
flow_index_update(struct flow_index *x, struct ukey *ukey)
{
    const struct xlate_deps_sum *sum = xlate_deps_sum(ukey_deps(ukey));
    bool moves = (ukey->place.changed ^ sum->changed) & FLOW_KEY_WORDS_MAP;
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

size_t
flow_index_n_suspects(struct flow_index *x)
{
    size_t n;

    pthread_mutex_lock(&x->lock);
    n = x->n_suspects;
    pthread_mutex_unlock(&x->lock);
    return n;
}

/* From the end: what is taken out of the list meanwhile moves others towards the beginning only,
 * and what comes has no rule. */
void
flow_index_forget_rules(struct flow_index *x)
{
    size_t left = SIZE_MAX;

    while (left) {
        index_lock(x);
        left = MIN(left, x->n_suspects);
        for (unsigned i = 0; left && i < FORGET_AT_ONCE; i++) {
            suspect_set_by(x->suspects[--left], NULL);
        }
        pthread_mutex_unlock(&x->lock);
    }
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
