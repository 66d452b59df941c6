// SPDX-License-Identifier: Apache-2.0
//
// Megaflows from the control path's side: put, delete, find (see megaflow.h for the structure). All
// writers take "flow_lock"; the flows that these functions return are good until the caller's next
// quiescent state.
#include "pmd/megaflow.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits_report.h"
#include "pmd/huge.h"

void
megaflows_init(struct megaflows *mf, const struct key_secret *secret)
{
    memset(mf, 0, sizeof *mf);
    pthread_mutex_init(&mf->lock, NULL);
    mf->secret = secret;
    mf->slab = huge_map((size_t)FLOW_MAX_SLOTS * sizeof *mf->slab);
    mf->free_slots = huge_map((size_t)FLOW_MAX_SLOTS * sizeof *mf->free_slots);
    atomic_init(&mf->slab[0].subtable, &dead_subtable);
    mf->high_slot = 1;
    mf->ufid_mask = 1023;
    mf->ufid_heads = xcalloc(mf->ufid_mask + 1, sizeof *mf->ufid_heads);
    atomic_init(&mf->limit, 200000);
    mf->port_flows = xcalloc(DP_MAX_PORTS, sizeof *mf->port_flows);
    plan_table_init(&mf->plans);
}

static void
cold_free(struct flow_cold *cold)
{
    free(cold->asked);
    free(cold->wild_value);
    free(cold->more);
    free(cold);
}

void
megaflows_fini(struct megaflows *mf)
{
    for (uint32_t slot = 1; slot < mf->high_slot; slot++) {
        plan_unref(&mf->plans, rcu_get_protected(&mf->slab[slot].plan));
        if (mf->slab[slot].cold) {
            cold_free(mf->slab[slot].cold);
        }
    }
    lanes_destroy(mf);
    for (struct subtable *st = rcu_get_protected(&mf->wild), *next; st; st = next) {
        next = rcu_get_protected(&st->wild_next);
        subtable_free(st);
    }
    plan_table_fini(&mf->plans);
    huge_unmap(mf->slab, (size_t)FLOW_MAX_SLOTS * sizeof *mf->slab);
    huge_unmap(mf->free_slots, (size_t)FLOW_MAX_SLOTS * sizeof *mf->free_slots);
    free(mf->ufid_heads);
    free(mf->port_flows);
    pthread_mutex_destroy(&mf->lock);
}

// --- slots and ufids ------------------------------------------------------------------------

// A slot with fresh cold memory; readers see it as dead.  NULL when all are taken.
struct dp_flow *
flow_alloc(struct megaflows *mf)
{
    uint32_t slot;

    if (mf->n_free) {
        slot = mf->free_slots[--mf->n_free];
    } else if (mf->high_slot < FLOW_MAX_SLOTS) {
        slot = __atomic_fetch_add(&mf->high_slot, 1, __ATOMIC_RELEASE);
        atomic_init(&mf->slab[slot].subtable, &dead_subtable);
    } else {
        return NULL;
    }
    struct dp_flow *f = &mf->slab[slot];
    struct flow_cold *cold = xzalloc(sizeof *cold);
    cold->slot = slot;
    cold->mf = mf;
    __atomic_store_n(&f->cold, cold, __ATOMIC_RELEASE);
    return f;
}

// After the grace period: nobody counts on the slot any more.
static void
flow_release(void *cold_)
{
    struct flow_cold *cold = cold_;
    struct megaflows *mf = cold->mf;

    pthread_mutex_lock(&mf->lock);
    if (mf->slot_freed) {
        mf->slot_freed(mf->slot_freed_aux, cold->slot);
    }
    plan_unref(&mf->plans, rcu_get_protected(&mf->slab[cold->slot].plan));
    rcu_assign(&mf->slab[cold->slot].plan, NULL);
    __atomic_store_n(&mf->slab[cold->slot].cold, NULL, __ATOMIC_RELEASE);
    mf->free_slots[mf->n_free++] = cold->slot;
    pthread_mutex_unlock(&mf->lock);
    // A walker may have loaded the pointer just now.
    rcu_defer((rcu_fn *)cold_free, cold);
}

// What ufid_grow() is about to need of the flows whose heads come some places later: a line of
// each, anywhere in memory, and that tells where the next one is.
static void
ufid_prefetch(const struct megaflows *mf, uint32_t i)
{
    enum { COLD_AHEAD = 8, FLOW_AHEAD = 16 };

    if (i + FLOW_AHEAD <= mf->ufid_mask) {
        __builtin_prefetch(&mf->slab[mf->ufid_heads[i + FLOW_AHEAD]].cold);
        // Slot 0 is nobody's, and has none.
        __builtin_prefetch(mf->slab[mf->ufid_heads[i + COLD_AHEAD]].cold);
    }
}

static void
ufid_grow(struct megaflows *mf)
{
    uint32_t mask = mf->ufid_mask * 2 + 1;
    uint32_t *heads = xcalloc((size_t)mask + 1, sizeof *heads);

    for (uint32_t i = 0; i <= mf->ufid_mask; i++) {
        ufid_prefetch(mf, i);
        for (uint32_t slot = mf->ufid_heads[i], next; slot; slot = next) {
            struct flow_cold *cold = mf->slab[slot].cold;
            uint32_t *head = &heads[uuid_hash(&cold->ufid) & mask];
            next = cold->ufid_next;
            cold->ufid_next = *head;
            *head = slot;
        }
    }
    free(mf->ufid_heads);
    mf->ufid_heads = heads;
    mf->ufid_mask = mask;
}

static void
ufid_insert(struct megaflows *mf, struct flow_cold *cold)
{
    if (atomic_load_explicit(&mf->n_flows, memory_order_relaxed) > mf->ufid_mask) {
        ufid_grow(mf);
    }
    uint32_t *head = &mf->ufid_heads[uuid_hash(&cold->ufid) & mf->ufid_mask];
    cold->ufid_next = *head;
    *head = cold->slot;
}

static void
ufid_remove(struct megaflows *mf, struct flow_cold *cold)
{
    uint32_t *p = &mf->ufid_heads[uuid_hash(&cold->ufid) & mf->ufid_mask];

    while (*p != cold->slot) {
        p = &mf->slab[*p].cold->ufid_next;
    }
    *p = cold->ufid_next;
}

struct dp_flow *
megaflow_find_ufid(struct megaflows *mf, const struct uuid *ufid)
{
    struct dp_flow *found = NULL;

    pthread_mutex_lock(&mf->lock);
    for (uint32_t slot = mf->ufid_heads[uuid_hash(ufid) & mf->ufid_mask]; slot && !found;
         slot = mf->slab[slot].cold->ufid_next) {
        if (uuid_equals(&mf->slab[slot].cold->ufid, ufid)) {
            found = &mf->slab[slot];
        }
    }
    pthread_mutex_unlock(&mf->lock);
    return found;
}

// --- put ------------------------------------------------------------------------------------

// Makes the flow, whose values and cold side are complete, visible to readers.
void
flow_publish(struct megaflows *mf, struct dp_flow *f, struct subtable *st,
             const struct dp_actions *actions)
{
    rcu_assign(&f->plan, plan_get(&mf->plans, actions));
    atomic_store_explicit(&f->subtable, st, memory_order_release);
    ufid_insert(mf, f->cold);
    limit_note(&mf->most_flows,
               atomic_fetch_add_explicit(&mf->n_flows, 1, memory_order_relaxed) + 1);
    subtable_insert(st, f->cold->hash, f->cold->slot);
}

static struct uuid
flow_make_ufid(const struct subtable *st, const uint64_t *value)
{
    struct uuid ufid;

    for (int half = 0; half < 2; half++) {
        uint64_t h = hash_bytes(value, st->n_words * sizeof *value, st->ufid_basis[half]);
        memcpy(&ufid.b[half * 8], &h, sizeof h);
    }
    return ufid;
}

// The mask's words that packets of the shape do not have: they are zero for all of them, and only
// dp_flow_get_key() tells of them.
static struct flow_key *
flow_asked_outside(const struct flow_mask *mask, uint64_t shape)
{
    uint64_t outside = flow_words_map(&mask->bits) & FLOW_KEY_WORDS_MAP & ~shape;
    struct flow_key k;

    if (!outside) {
        return NULL;
    }
    flow_key_from_mask_words(mask, outside, &k);
    return xmemdup(&k, flow_key_size(&k));
}

static void
flow_set_values(struct dp_flow *f, const uint64_t *value, uint32_t n)
{
    uint32_t inline_n = MIN(n, (uint32_t)FLOW_INLINE_WORDS);

    for (uint32_t i = 0; i < inline_n; i++) {
        __atomic_store_n(&f->value[i], value[i], __ATOMIC_RELAXED);
    }
    if (n > inline_n) {
        f->cold->more = xmemdup(value + inline_n, (n - inline_n) * sizeof *value);
    }
}

// When the table is nearly full, one port's flood must leave room for the flows of others.
static bool
flow_has_room(const struct megaflows *mf, odp_port_t in_port)
{
    size_t n = atomic_load(&mf->n_flows), limit = atomic_load(&mf->limit);

    return n < limit && (n < limit - limit / 4 || in_port >= DP_MAX_PORTS ||
                         mf->port_flows[in_port] < limit / 2);
}

static void
count_port_flow(struct megaflows *mf, odp_port_t in_port, int delta)
{
    if (in_port < DP_MAX_PORTS) {
        mf->port_flows[in_port] += (uint32_t)delta;
        limit_note(&mf->most_port_flows, mf->port_flows[in_port]);
    }
}

static int
megaflow_put_locked(struct megaflows *mf, const struct dp_flow_put *put, struct dp_flow **out)
{
    uint64_t shape = (put->shape & FLOW_KEY_WORDS_MAP) | 1;
    struct lane *lane = lane_get(mf, put->key->w[0], shape);
    uint64_t w[FLOW_KEY_MAX], mask[FLOW_KEY_MAX];
    uint32_t n = 0;

    for (uint64_t map = shape & ~UINT64_C(1); map; map &= map - 1, n++) {
        w[n] = put->key->w[__builtin_ctzll(map)];
        mask[n] = put->mask->bits.w[__builtin_ctzll(map)];
    }
    struct subtable *st = lane_choose_subtable(mf, lane, mask);
    uint32_t hash = key_hash(w, st->mask, n, mf->secret, st->basis);
    struct dp_flow *f = subtable_find(st, mf->slab, w, n, hash);
    if (f) {
        *out = f;
        return -EEXIST;
    }
    f = flow_has_room(mf, put->key->in_port) ? flow_alloc(mf) : NULL;
    if (!f) {
        if (!st->n_flows) {
            lane_remove_subtable(lane, st);
        }
        atomic_fetch_add(&mf->n_port_refused, atomic_load(&mf->n_flows) < atomic_load(&mf->limit));
        return -ENOSPC;
    }
    for (uint32_t i = 0; i < n; i++) {
        w[i] &= st->mask[i];
    }
    flow_set_values(f, w, n);
    f->cold->hash = hash;
    f->cold->asked = flow_asked_outside(put->mask, shape);
    f->cold->ufid = flow_make_ufid(st, w);
    lane_note_put(lane, st, w);
    count_port_flow(mf, put->key->in_port, 1);
    flow_publish(mf, f, st, put->actions);
    *out = f;
    return 0;
}

// Takes the reference to 'plan'.
static void
megaflow_replace_plan(struct megaflows *mf, struct dp_flow *f, const struct plan *plan)
{
    const struct plan *old = rcu_get_protected(&f->plan);

    rcu_assign(&f->plan, plan);
    plan_unref(&mf->plans, old);
}

int
megaflow_put(struct megaflows *mf, const struct dp_flow_put *put, struct dp_flow **out)
{
    struct dp_flow *f = NULL;
    int error;

    pthread_mutex_lock(&mf->lock);
    error = put->shape ? megaflow_put_locked(mf, put, &f) : megaflow_put_wild(mf, put, &f);
    if (error == -EEXIST && put->replace) {
        megaflow_replace_plan(mf, f, plan_get(&mf->plans, put->actions));
        error = 0;
    }
    pthread_mutex_unlock(&mf->lock);
    if (out) {
        *out = f;
    }
    return error;
}

static bool
megaflow_is_dead(const struct dp_flow *f)
{
    return !f->cold || f->cold->dead;
}

int
megaflow_set_actions(struct megaflows *mf, struct dp_flow *f, const struct dp_actions *actions)
{
    int error = -ENOENT;

    pthread_mutex_lock(&mf->lock);
    if (!megaflow_is_dead(f)) {
        megaflow_replace_plan(mf, f, plan_get(&mf->plans, actions));
        error = 0;
    }
    pthread_mutex_unlock(&mf->lock);
    return error;
}

int
megaflow_share(struct megaflows *mf, struct dp_flow *f, struct dp_shared *shared)
{
    int error = -ENOENT;

    pthread_mutex_lock(&mf->lock);
    if (!megaflow_is_dead(f)) {
        megaflow_replace_plan(mf, f, plan_ref(&shared->plan));
        error = 0;
    }
    pthread_mutex_unlock(&mf->lock);
    return error;
}

// --- delete ---------------------------------------------------------------------------------

static void
megaflow_unlink(struct megaflows *mf, struct dp_flow *f)
{
    struct subtable *st = (struct subtable *)atomic_load(&f->subtable);
    struct lane *lane = st->lane;

    atomic_store_explicit(&f->subtable, &dead_subtable, memory_order_release);
    subtable_remove(st, f->cold->hash, f->cold->slot);
    if (!st->n_flows) {
        lane_remove_subtable(lane, st);
    }
    count_port_flow(mf, (odp_port_t)lane->w0, -1);
    lane_note_del(lane);
}

bool
megaflow_del(struct megaflows *mf, struct dp_flow *f)
{
    bool done = false;

    pthread_mutex_lock(&mf->lock);
    struct flow_cold *cold = f->cold;
    if (cold && !cold->dead) {
        cold->dead = true;
        if (cold->wild) {
            megaflow_unlink_wild(mf, f);
        } else {
            megaflow_unlink(mf, f);
        }
        ufid_remove(mf, cold);
        atomic_fetch_sub_explicit(&mf->n_flows, 1, memory_order_relaxed);
        rcu_defer(flow_release, cold);
        done = true;
    }
    pthread_mutex_unlock(&mf->lock);
    return done;
}

// --- find -----------------------------------------------------------------------------------

// The flow's key in terms of the lane's shape; false when it has words that the shape lacks.
static bool
flow_words_of_shape(const struct flow *flow, uint64_t map, uint64_t *w)
{
    uint32_t n = 0;

    if (flow_words_map(flow) & FLOW_KEY_WORDS_MAP & ~map) {
        return false;
    }
    for (map &= ~UINT64_C(1); map; map &= map - 1) {
        w[n++] = flow->w[__builtin_ctzll(map)];
    }
    return true;
}

static struct dp_flow *
lane_find_flow(const struct megaflows *mf, const struct lane *lane, const uint64_t *w)
{
    const struct lane_view *view = rcu_get_protected(&lane->view);
    uint32_t n = lane->n_words - 1;

    for (uint32_t i = 0; i < view->n_subtables; i++) {
        struct subtable *st = view->subtables[i];
        struct dp_flow *f =
            subtable_find(st, mf->slab, w, n, key_hash(w, st->mask, n, mf->secret, st->basis));
        if (f) {
            return f;
        }
    }
    return NULL;
}

// A dense flow does not tell its packet's shape, so all lanes of its port are asked.  Not fast.
struct dp_flow *
megaflow_find_key(struct megaflows *mf, const struct flow *flow)
{
    struct dp_flow *f = NULL;
    uint64_t w[FLOW_KEY_MAX];
    struct flow_key k;

    pthread_mutex_lock(&mf->lock);
    for (uint32_t i = 0; i < LANE_HEADS && !f; i++) {
        for (struct lane *l = rcu_get_protected(&mf->lanes[i]); l && !f;
             l = rcu_get_protected(&l->next)) {
            if (l->w0 == flow->w[0] && l->n_flows && flow_words_of_shape(flow, l->map, w)) {
                f = lane_find_flow(mf, l, w);
            }
        }
    }
    if (!f) {
        flow_key_from_flow(flow, &k);
        f = megaflow_find_wild(mf, &k);
    }
    pthread_mutex_unlock(&mf->lock);
    return f;
}

// --- what a flow matches --------------------------------------------------------------------

static void
wild_get_key(const struct flow_key *value, const struct flow_key *mask, struct flow *flow,
             struct flow_mask *out)
{
    flow_from_key(value, flow);
    flow_from_key(mask, &out->bits);
}

void
megaflow_get_key(const struct dp_flow *f, struct flow *flow, struct flow_mask *mask)
{
    const struct flow_cold *cold = f->cold;

    memset(flow, 0, sizeof *flow);
    memset(mask, 0, sizeof *mask);
    const struct subtable *st = atomic_load_explicit(&f->subtable, memory_order_acquire);
    if (!cold || (!st->lane && !cold->wild) || (cold->wild && !st->wild_mask)) {
        return; // deleted meanwhile
    }
    if (cold->wild) {
        wild_get_key(cold->wild_value, st->wild_mask, flow, mask);
        return;
    }
    uint32_t i = 0;
    flow->w[0] = st->lane->w0;
    mask->bits.w[0] = UINT64_MAX;
    for (uint64_t map = st->lane->map & ~UINT64_C(1); map; map &= map - 1, i++) {
        int word = __builtin_ctzll(map);
        flow->w[word] = i < FLOW_INLINE_WORDS ? f->value[i] : cold->more[i - FLOW_INLINE_WORDS];
        mask->bits.w[word] = st->mask[i];
    }
    if (cold->asked) {
        struct flow outside;
        flow_from_key(cold->asked, &outside);
        for (int word = 0; word < FLOW_KEY_WORDS; word++) {
            mask->bits.w[word] |= outside.w[word];
        }
    }
}
