// SPDX-License-Identifier: Apache-2.0
/*
 * cohort.c - see cohort.h.
 *
 * Members come by a shared translation only (recheck.c), so all that a cohort does for them was
 * right for each; they go when they get a verdict of their own, or are deleted.  What members have
 * in common only shrinks while they come, and stays right while they go.
 */
#include "slowpath/cohort.h"

#include <stdlib.h>
#include <string.h>

#include "base/coverage.h"
#include "base/util.h"
#include "ofproto/rule.h"
#include "slowpath/flow_index_int.h"
#include "slowpath/memo.h"

COVERAGE_DEFINE(revalidator_cohort_changed);
COVERAGE_DEFINE(revalidator_cohort_dissolved);

enum { CREDIT_REST_FACTOR = 50 };

void
cohort_free(struct cohort *c)
{
    if (c) {
        rule_unref(c->by);
        dp_shared_unref(c->dp, c->shared);
        xlate_cache_destroy(c->cache);
        xlate_deps_destroy(c->deps);
        free(c);
    }
}

static struct cohort *
cohort_create(struct dp *dp, const struct memo_entry *e)
{
    struct cohort *c = xzalloc(sizeof *c);

    c->dp = dp;
    c->shared = dp_shared_create(dp, &e->actions);
    c->cache = xlate_cache_ref(e->cache);
    c->deps = xlate_deps_ref(e->deps);
    return c;
}

/* --- membership: under the index's lock ------------------------------------------------------- */

/* Of several with the result, the one that knows most about its members and has this one's values;
 * else the one that the pass is just filling. */
static struct cohort *
find_cohort(const struct flow_index *x, const struct memo_entry *e, const struct flow *key,
            const struct flow_mask *mask)
{
    struct cohort *best = NULL;
    int most = -1;

    for (uint32_t i = 0; i < x->n_cohorts; i++) {
        struct cohort *c = x->cohorts[i];
        uint64_t diff = c->key.w[0] ^ key->w[0];
        int bits = 0;

        if (c->deps != e->deps || c->suspect) {
            continue;
        }
        for (unsigned k = 0; k < FLOW_KEY_WORDS; k++) {
            diff |= (c->key.w[k] ^ key->w[k]) & c->mask.bits.w[k];
            diff |= c->mask.bits.w[k] & ~mask->bits.w[k];
            bits += __builtin_popcountll(c->mask.bits.w[k]);
        }
        if (!diff && bits > most) {
            best = c;
            most = bits;
        }
    }
    if (!best && e->founded && e->founded->key.w[0] == key->w[0]) {
        best = e->founded;
    }
    return best;
}

static void
add_cohort(struct flow_index *x, struct cohort *c, const struct flow *key,
           const struct flow_mask *mask)
{
    c->key = *key;
    c->mask = *mask;
    x->cohorts[x->n_cohorts++] = c;
    c->id = x->n_cohorts;
    x->most_cohorts = MAX(x->most_cohorts, x->n_cohorts);
}

/* The last one takes its place. */
static void
drop_cohort(struct flow_index *x, struct cohort *c)
{
    struct cohort *last = x->cohorts[--x->n_cohorts];

    x->n_suspect_cohorts -= c->suspect;
    if (last == c) {
        return;
    }
    for (struct flow_group *g = x->groups; g; g = g->hh.next) {
        for (uint32_t pos = 0; pos < g->n; pos++) {
            if (g->cohort_of[pos] == last->id) {
                g->cohort_of[pos] = (uint8_t)c->id;
            }
        }
    }
    last->id = c->id;
    x->cohorts[c->id - 1] = last;
}

struct cohort *
cohort_leave(struct flow_index *x, struct ukey *ukey)
{
    struct cohort *c = ukey->cohort;

    if (!c) {
        return NULL;
    }
    ukey->cohort = NULL;
    ukey->place.group->cohort_of[ukey->place.pos] = 0;
    ukey->place.group->n_members--;
    if (--c->n) {
        return NULL;
    }
    drop_cohort(x, c);
    return c;
}

static void
enter(struct cohort *c, struct ukey *ukey, const struct flow *key, const struct flow_mask *mask)
{
    struct flow_group *g = ukey->place.group;

    for (unsigned k = 0; k < FLOW_KEY_WORDS; k++) {
        c->mask.bits.w[k] &= mask->bits.w[k] & ~(c->key.w[k] ^ key->w[k]);
        c->key.w[k] &= c->mask.bits.w[k];
    }
    g->cohort_of[ukey->place.pos] = (uint8_t)c->id;
    g->n_members++;
    c->n++;
    ukey->cohort = c;
}

void
cohort_suspect(struct flow_index *x, struct cohort *c, struct rule *by)
{
    if (c->suspect) {
        by = NULL;
    }
    x->n_suspect_cohorts += !c->suspect;
    c->suspect = true;
    rule_unref(c->by);
    c->by = by && rule_ref(by) ? by : NULL;
}

/* --- joining ---------------------------------------------------------------------------------- */

/* The cohort that the ukey entered, or NULL; '*left' the one that nobody is in any more. */
static struct cohort *
join_locked(struct flow_index *x, struct ukey *ukey, struct memo_entry *e, struct cohort *fresh,
            struct cohort **left)
{
    struct cohort *c;
    struct flow_mask mask;
    struct flow key;

    if (!ukey->place.group || ukey->place.changed & FLOW_KEY_WORDS_MAP) {
        return NULL;
    }
    dp_flow_get_key(ukey->flow, &key, &mask);
    if (key.nw_frag) {
        return NULL; /* For xlate_deps_first_is(). */
    }
    c = find_cohort(x, e, &key, &mask);
    if (!c && fresh && x->n_cohorts < COHORTS_MAX) {
        add_cohort(x, fresh, &key, &mask);
        e->founded = c = fresh;
    } else if (!c && fresh) {
        x->n_cohorts_refused++;
    }
    if (c && c != ukey->cohort) {
        *left = cohort_leave(x, ukey);
        enter(c, ukey, &key, &mask);
    }
    return c;
}

bool
cohort_join(struct slowpath *sp, struct ukey *ukey, struct memo_entry *e, bool *gone)
{
    struct cohort *left = NULL, *fresh = NULL, *c, *before = ukey->cohort;

    *gone = false;
    e->n_shared++;
    if (e->n_shared % COHORT_MIN == 0) {
        fresh = cohort_create(sp->dp, e);
    }
    pthread_mutex_lock(&sp->index->lock);
    c = join_locked(sp->index, ukey, e, fresh, &left);
    pthread_mutex_unlock(&sp->index->lock);
    if (fresh != c) {
        cohort_free(fresh);
    }
    if (!c || c == before) {
        return c;
    }
    if (e->founded == left) {
        e->founded = NULL;
    }
    cohort_free(left);
    xlate_cache_destroy(ukey->cache);
    xlate_deps_destroy(ukey->deps);
    ukey->cache = NULL;
    ukey->deps = NULL;
    *gone = dp_flow_share(sp->dp, ukey->flow, c->shared) != 0;
    return true;
}

void
cohort_part(struct flow_index *x, struct ukey *ukey)
{
    struct cohort *left;

    pthread_mutex_lock(&x->lock);
    left = cohort_leave(x, ukey);
    pthread_mutex_unlock(&x->lock);
    cohort_free(left);
}

/* --- following -------------------------------------------------------------------------------- */

static struct ukey **
members(struct flow_index *x, const struct cohort *c, uint32_t *n)
{
    struct ukey **all;

    pthread_mutex_lock(&x->lock);
    all = xmalloc(c->n * sizeof(struct ukey *));
    *n = 0;
    for (const struct flow_group *g = x->groups; g; g = g->hh.next) {
        for (uint32_t pos = 0; g->n_members && pos < g->n; pos++) {
            if (g->cohort_of[pos] == c->id) {
                all[(*n)++] = g->ukeys[pos];
            }
        }
    }
    pthread_mutex_unlock(&x->lock);
    return all;
}

/* What the members counted so far belongs to those whom the cohort credited so far.  Reading the
 * counters costs the PMDs their cache lines, so it is done in a fiftieth of the time: in a storm of
 * changes, packets of some milliseconds are credited to the rule that came after. */
static void
credit_members(struct slowpath *sp, const struct cohort *c)
{
    int64_t began = pace_now_ns();
    struct ukey **all;
    uint32_t n;

    if (c->by && pace_rests(&sp->credit_pace)) {
        return;
    }
    all = members(sp->index, c, &n);
    for (uint32_t i = 0; i < n; i++) {
        struct dp_flow_stats stats;

        dp_flow_get_stats(all[i]->flow, &stats);
        ukey_push(all[i], &stats);
    }
    free(all);
    pace_worked(&sp->credit_pace, began, CREDIT_REST_FACTOR, 0);
}

/* The cohort's result as if it were one megaflow, or NULL if it does not have one. */
static struct memo_entry *
translate(struct slowpath *sp, const struct cohort *c, struct memo *memo)
{
    struct xlate_in in = {
        .ofprotos = sp->ofprotos,
        .flow = &c->key,
        .want_cache = true,
        .first_rule = c->by,
    };
    struct memo_entry *e = memo_find(memo, c->by, &c->key, &c->mask);
    struct xlate_out out;

    if (!e) {
        xlate(&in, &out);
        if (key_mask_is_subset(&out.mask, &c->mask)) {
            memo_put(memo, c->by, &c->key, &out);
            e = memo_find(memo, c->by, &c->key, &c->mask);
        }
        xlate_out_fini(&out);
    }
    return e;
}

static void
take(struct slowpath *sp, struct cohort *c, const struct memo_entry *e)
{
    credit_members(sp, c);
    if (!dp_actions_equal(&e->actions, dp_shared_actions(c->shared))) {
        dp_shared_set_actions(sp->dp, c->shared, &e->actions);
    }
    xlate_cache_destroy(c->cache);
    xlate_deps_destroy(c->deps);
    c->cache = xlate_cache_ref(e->cache);
    c->deps = xlate_deps_ref(e->deps);
    coverage_inc(revalidator_cohort_changed);
}

/* The members become suspects; what made the cohort one made them. */
static void
dissolve(struct slowpath *sp, struct cohort *c)
{
    struct flow_index *x = sp->index;
    uint32_t n;
    struct ukey **all = members(x, c, &n);

    pthread_mutex_lock(&x->lock);
    for (uint32_t i = 0; i < n; i++) {
        suspect_set_by(all[i], all[i]->suspect ? NULL : c->by);
        suspect_add(x, all[i]);
    }
    pthread_mutex_unlock(&x->lock);
    free(all);
    coverage_inc(revalidator_cohort_dissolved);
}

static uint32_t
suspects(struct flow_index *x, struct cohort **all)
{
    uint32_t n = 0;

    pthread_mutex_lock(&x->lock);
    for (uint32_t i = 0; x->n_suspect_cohorts && i < x->n_cohorts; i++) {
        if (x->cohorts[i]->suspect) {
            all[n++] = x->cohorts[i];
        }
    }
    pthread_mutex_unlock(&x->lock);
    return n;
}

static void
cleared(struct flow_index *x, struct cohort *c)
{
    pthread_mutex_lock(&x->lock);
    c->suspect = false;
    x->n_suspect_cohorts--;
    pthread_mutex_unlock(&x->lock);
    rule_unref(c->by);
    c->by = NULL;
}

/* --- merging: many cohorts cost each change a look at each ------------------------------------ */

/* The smallest that has the same result as another, and the largest of those; false if none has. */
static bool
find_pair(struct flow_index *x, struct cohort **small, struct cohort **large)
{
    *small = *large = NULL;
    pthread_mutex_lock(&x->lock);
    for (uint32_t i = 0; i < x->n_cohorts; i++) {
        struct cohort *a = x->cohorts[i], *best = NULL;

        for (uint32_t j = 0; j < x->n_cohorts; j++) {
            struct cohort *b = x->cohorts[j];

            if (b != a && b->deps == a->deps && b->key.w[0] == a->key.w[0] && b->n >= a->n &&
                (!best || b->n > best->n)) {
                best = b;
            }
        }
        if (best && (!*small || a->n < (*small)->n)) {
            *small = a;
            *large = best;
        }
    }
    pthread_mutex_unlock(&x->lock);
    return *small;
}

static void
move_member(struct slowpath *sp, struct ukey *ukey, struct cohort *to)
{
    struct flow_mask mask;
    struct flow key;
    struct cohort *left;

    dp_flow_get_key(ukey->flow, &key, &mask);
    dp_flow_share(sp->dp, ukey->flow, to->shared); /* A dead flow needs nothing any more. */
    pthread_mutex_lock(&sp->index->lock);
    left = cohort_leave(sp->index, ukey);
    enter(to, ukey, &key, &mask);
    pthread_mutex_unlock(&sp->index->lock);
    cohort_free(left);
}

static void
merge(struct slowpath *sp)
{
    struct cohort *small, *large;

    while (sp->index->n_cohorts > COHORTS_MANY && find_pair(sp->index, &small, &large)) {
        uint32_t n;
        struct ukey **all = members(sp->index, small, &n);

        for (uint32_t i = 0; i < n; i++) {
            move_member(sp, all[i], large);
        }
        free(all);
    }
}

void
cohorts_follow(struct slowpath *sp, struct memo *memo)
{
    struct cohort *all[COHORTS_MAX];
    uint32_t n = suspects(sp->index, all);

    for (uint32_t i = 0; i < n; i++) {
        const struct memo_entry *e = translate(sp, all[i], memo);

        if (e) {
            take(sp, all[i], e);
        } else {
            dissolve(sp, all[i]);
        }
        cleared(sp->index, all[i]);
    }
    if (n) {
        merge(sp);
    }
}
