// SPDX-License-Identifier: Apache-2.0
/*
 * rule.c - flow entries: making them, counting, freeing; and the shared lists of actions.
 *
 * Main makes rules; references are counted from any thread.  The last reference gone, a rule is
 * freed after a grace period.
 */
#include "ofproto/rule.h"

#include <stdlib.h>

#include "base/clock.h"
#include "flow/option.h"
#include "ofproto/ofproto_priv.h"
#include "openflow/ofp_action.h"

/* --- actions
 * --------------------------------------------------------------------------------------- */

/* One shared list.  Counted under the set's lock only when the count may reach zero. */
struct shared_actions {
    UT_hash_handle hh;
    struct rule_actions_set *set;
    struct rule_actions pub; /* last: the actions follow */
};

struct rule_actions_set {
    pthread_mutex_t lock; /* leaf lock: 'all', and counts that fall to zero */
    struct shared_actions *all;
    uint32_t n_refs;                 /* under 'lock': lists, and one of the creator */
    uint32_t n_naming[MF_N_OPTIONS]; /* under 'lock': lists that name a tunnel option */
};

struct rule_actions_set *
rule_actions_set_create(void)
{
    struct rule_actions_set *set = xzalloc(sizeof *set);

    pthread_mutex_init(&set->lock, NULL);
    set->n_refs = 1;
    return set;
}

static void
actions_set_unref(struct rule_actions_set *set)
{
    bool last;

    pthread_mutex_lock(&set->lock);
    last = !--set->n_refs;
    pthread_mutex_unlock(&set->lock);
    if (last) {
        pthread_mutex_destroy(&set->lock);
        free(set);
    }
}

void
rule_actions_set_destroy(struct rule_actions_set *set)
{
    actions_set_unref(set);
}

static void
classify_actions(struct rule_actions *a, const struct ofpact *acts, size_t size)
{
    OFPACT_FOR_EACH(act, acts, size)
    {
        if (act->type == OFPACT_LEARN) {
            const struct ofpact_learn *learn = OFPACT_CAST(ofpact_learn, act);

            a->has_learn = true;
            a->deletes_learned |= (learn->flags & OFPACT_LEARN_DELETE_LEARNED) != 0;
            a->learn_tells_room |= ofpact_learn_tells_room(learn);
        }
        a->has_groups |= act->type == OFPACT_GROUP;
        a->has_conj |= act->type == OFPACT_CONJUNCTION;
        if (act->type == OFPACT_WRITE_ACTIONS || act->type == OFPACT_CLONE) {
            size_t inner_size;
            const struct ofpact *inner =
                ofpact_nest_actions(OFPACT_CAST(ofpact_nest, act), &inner_size);

            classify_actions(a, inner, inner_size); /* Depth: OFPACTS_MAX_DEPTH. */
        }
    }
}

/* Under the set's lock; once when a list comes, and once, backwards, when it goes. */
static void
count_options(struct rule_actions_set *set, const struct rule_actions *a, int step)
{
    uint64_t options = a->has_options ? ofpacts_options(rule_acts(a), a->size) : 0;

    for (; options; options &= options - 1) {
        set->n_naming[__builtin_ctzll(options)] += (uint32_t)step;
    }
}

uint64_t
rule_actions_options(const struct ofprotos *all)
{
    struct rule_actions_set *set = all->actions;
    uint64_t options = 0;

    pthread_mutex_lock(&set->lock);
    for (unsigned i = 0; i < MF_N_OPTIONS; i++) {
        options |= set->n_naming[i] ? UINT64_C(1) << i : 0;
    }
    pthread_mutex_unlock(&set->lock);
    return options;
}

const struct rule_actions *
rule_actions_get(struct ofprotos *all, const struct ofpact *acts, size_t size)
{
    static const uint64_t none[1];
    struct rule_actions_set *set = all->actions;
    struct shared_actions *s;

    if (!size) {
        acts = (const struct ofpact *)(const void *)none;
    }
    pthread_mutex_lock(&set->lock);
    HASH_FIND(hh, set->all, acts, size, s);
    if (s) {
        atomic_fetch_add_explicit(&s->pub.n_refs, 1, memory_order_relaxed);
    } else {
        s = xzalloc(sizeof *s + size);
        s->set = set;
        atomic_init(&s->pub.n_refs, 1);
        s->pub.size = (uint32_t)size;
        memcpy(s->pub.acts, acts, size);
        classify_actions(&s->pub, rule_acts(&s->pub), size);
        s->pub.meter_id = ofpacts_meter(rule_acts(&s->pub), size);
        s->pub.has_options = ofpacts_options(rule_acts(&s->pub), size) != 0;
        count_options(set, &s->pub, 1);
        HASH_ADD_KEYPTR(hh, set->all, s->pub.acts, size, s);
        set->n_refs++;
    }
    pthread_mutex_unlock(&set->lock);
    return &s->pub;
}

void
rule_actions_ref(const struct rule_actions *a)
{
    atomic_fetch_add_explicit(&((struct rule_actions *)(uintptr_t)a)->n_refs, 1,
                              memory_order_relaxed);
}

void
rule_actions_unref(const struct rule_actions *a)
{
    struct shared_actions *s;
    struct rule_actions_set *set;
    uint32_t n;

    if (!a) {
        return;
    }
    s = container_of((struct rule_actions *)(uintptr_t)a, struct shared_actions, pub);
    n = atomic_load_explicit(&s->pub.n_refs, memory_order_relaxed);
    while (n > 1) {
        if (atomic_compare_exchange_weak_explicit(&s->pub.n_refs, &n, n - 1, memory_order_release,
                                                  memory_order_relaxed)) {
            return;
        }
    }

    set = s->set;
    pthread_mutex_lock(&set->lock);
    if (atomic_fetch_sub_explicit(&s->pub.n_refs, 1, memory_order_acq_rel) != 1) {
        s = NULL;
    } else {
        HASH_DEL(set->all, s);
        count_options(set, &s->pub, -1);
    }
    pthread_mutex_unlock(&set->lock);
    if (s) {
        rcu_free(s);
        actions_set_unref(set);
    }
}

/* --- rules
 * ------------------------------------------------------------------------------------------ */

void
rule_count_on(struct rule *r, struct rule *old)
{
    r->stats_from = old->stats_from ? old->stats_from : old;
    rule_ref(r->stats_from);
    r->stats = r->stats_from->stats;
}

struct rule *
rule_create(struct ofproto *ofproto, const struct rule_new *rn)
{
    struct rule *r = xzalloc(sizeof *r + cls_values_size(rn->match));

    r->ofproto = ofproto;
    r->actions = rn->actions;
    r->cookie = rn->cookie;
    r->created_ms = rn->created_ms ? rn->created_ms : rn->now_ms;
    r->modified_ms = rn->now_ms;
    atomic_init(&r->n_refs, 1);
    r->idle_timeout = rn->idle_timeout;
    r->hard_timeout = rn->hard_timeout;
    r->importance = rn->importance;
    r->flags = rn->flags;
    r->table_id = rn->table_id;
    atomic_init(&r->own_stats.used_ms, rn->now_ms);
    r->stats = &r->own_stats;
    if (rn->stats_from) {
        rule_count_on(r, rn->stats_from);
    }
    return r;
}

void
rule_start(struct rule *r, int64_t now_ms)
{
    r->created_ms = r->modified_ms = now_ms;
    atomic_store_explicit(&r->own_stats.used_ms, r->created_ms, memory_order_relaxed);
}

static void
rule_free(void *rule_)
{
    struct rule *r = rule_;

    cls_rule_release(&r->cls);
    rule_actions_unref(r->actions);
    rule_unref(r->stats_from);
    free(r);
}

bool
rule_ref(struct rule *r)
{
    uint32_t n = atomic_load_explicit(&r->n_refs, memory_order_relaxed);

    while (n) {
        if (atomic_compare_exchange_weak_explicit(&r->n_refs, &n, n + 1, memory_order_relaxed,
                                                  memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

void
rule_unref(struct rule *r)
{
    if (r && atomic_fetch_sub_explicit(&r->n_refs, 1, memory_order_acq_rel) == 1) {
        rcu_defer(rule_free, r);
    }
}

void
rule_credit(struct rule *r, uint64_t packets, uint64_t bytes, int64_t used_ms)
{
    struct rule_stats *s = r->stats;
    int64_t used = atomic_load_explicit(&s->used_ms, memory_order_relaxed);

    if (packets) {
        atomic_fetch_add_explicit(&s->packets, packets, memory_order_relaxed);
        atomic_fetch_add_explicit(&s->bytes, bytes, memory_order_relaxed);
    }
    while (used_ms > used &&
           !atomic_compare_exchange_weak_explicit(&s->used_ms, &used, used_ms, memory_order_relaxed,
                                                  memory_order_relaxed)) {
        continue;
    }
}
