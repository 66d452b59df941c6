// SPDX-License-Identifier: Apache-2.0
//
// Lanes: the flows of one in_port, recirculation id and packet shape, and the choice of a mask for
// a new flow.  Everything that changes here runs under the flow lock; PMDs read lane->view.
//
// The number of masks of a lane is bounded, whatever traffic or rules ask for, because a flow may
// always be narrower than what its translation consulted: once LANE_MAX_MASKS masks stand, a new
// flow takes the least specific existing mask that covers its own, or else a wide one, which covers
// all header fields of the shape.
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "base/limits_report.h"
#include "base/random.h"
#include "pmd/megaflow.h"

COVERAGE_DEFINE(megaflow_covering_mask); // the lane had all its masks

enum {
    LANE_LINGER_MS = 10000, // an empty lane is kept that long
    SIEVE_MASKS_STEP = 4,   // so many new masks are worth another choice of bytes
    SIEVE_STALE = 4,        // so is this part of the flows, if it came or went
    SIEVE_AT_ONCE = 4096,   // a lane with more flows waits for the keeper
    SIEVE_STEP = 1024,      // flows that the keeper looks at before it lets others have the lock
    SIEVE_REST_US = 50,
};

uint32_t
lane_hash(const struct megaflows *mf, uint64_t w0, uint64_t map)
{
    return (uint32_t)key_hash_mix(w0 ^ mf->secret->k[0], map ^ mf->secret->k[1]);
}

struct lane *
megaflow_find_lane(const struct megaflows *mf, uint64_t w0, uint64_t map)
{
    struct lane *l = rcu_get(&mf->lanes[lane_hash(mf, w0, map) % LANE_HEADS]);

    while (l && (l->w0 != w0 || l->map != map)) {
        l = rcu_get(&l->next);
    }
    return l;
}

static uint64_t
next_generation(void)
{
    static _Atomic uint64_t last;

    return ++last;
}

struct lane *
lane_get(struct megaflows *mf, uint64_t w0, uint64_t map)
{
    struct lane *lane = megaflow_find_lane(mf, w0, map);

    if (!lane) {
        struct lane_view *view = xzalloc_cacheline(sizeof *view);
        view->basis = random_u64();
        view->generation = next_generation();
        lane = xzalloc_cacheline(sizeof *lane);
        lane->w0 = w0;
        lane->map = map;
        lane->n_words = (uint32_t)__builtin_popcountll(map);
        lane->empty_since_ms = clock_now_ms();
        rcu_assign(&lane->view, view);
        uint32_t head = lane_hash(mf, w0, map) % LANE_HEADS;
        rcu_assign(&lane->next, rcu_get_protected(&mf->lanes[head]));
        rcu_assign(&mf->lanes[head], lane);
    }
    return lane;
}

static void
lane_free(void *lane_)
{
    struct lane *lane = lane_;
    struct lane_view *view = rcu_get_protected(&lane->view);

    for (uint32_t i = 0; i < view->n_subtables; i++) {
        subtable_free(view->subtables[i]);
    }
    free(view->sieve);
    free(view);
    free(lane);
}

void
lanes_destroy(struct megaflows *mf)
{
    for (uint32_t i = 0; i < LANE_HEADS; i++) {
        struct lane *lane = rcu_get_protected(&mf->lanes[i]);
        while (lane) {
            struct lane *next = rcu_get_protected(&lane->next);
            lane_free(lane);
            lane = next;
        }
    }
}

struct subtable *
lane_find_subtable(const struct lane *lane, const uint64_t *mask)
{
    const struct lane_view *view = rcu_get_protected(&lane->view);

    for (uint32_t i = 0; i < view->n_subtables; i++) {
        if (!memcmp(view->subtables[i]->mask, mask, (lane->n_words - 1) * sizeof *mask)) {
            return view->subtables[i];
        }
    }
    return NULL;
}

static void
lane_publish(struct lane *lane, struct lane_view *view)
{
    struct lane_view *old = rcu_get_protected(&lane->view);

    view->generation = next_generation();
    rcu_assign(&lane->view, view);
    if (old->sieve && old->sieve != view->sieve) {
        rcu_free(old->sieve);
    }
    rcu_free(old);
}

// Lines of its own: what lies beside it on the heap may be written by any thread.
static struct lane_view *
view_copy(const struct lane *lane)
{
    struct lane_view *view = xzalloc_cacheline(sizeof *view);

    *view = *rcu_get_protected(&lane->view);
    return view;
}

// A new sieve for a view that is not published yet, or soon if it takes long to make.
static void
view_sieve(struct megaflows *mf, struct lane *lane, struct lane_view *view)
{
    if (lane->n_flows > SIEVE_AT_ONCE) {
        lane->wants_sieve = true;
        atomic_store_explicit(&mf->wants_sieves, true, memory_order_relaxed);
        return;
    }
    struct sieve_work *work = sieve_begin(view, mf->slab, lane->n_words - 1);
    sieve_step(work, view, mf->slab, UINT32_MAX);
    view->sieve = sieve_end(work, view->n_subtables);
    lane->n_changes = 0;
}

// Which bytes tell masks apart shows when there are some; more may need others.
static bool
is_time_for_sieve(uint32_t n_subtables)
{
    return n_subtables >= SIEVE_MIN_MASKS && n_subtables % SIEVE_MASKS_STEP == 0;
}

static struct subtable *
lane_add_subtable(struct megaflows *mf, struct lane *lane, const uint64_t *mask)
{
    struct subtable *st = subtable_create(lane, mask, lane->n_words - 1);
    struct lane_view *view = view_copy(lane);

    for (uint32_t i = 0; i < st->n_words; i++) {
        view->umask[i] |= mask[i];
    }
    if (is_time_for_sieve(view->n_subtables)) {
        view_sieve(mf, lane, view);
    }
    st->place = view->n_subtables;
    if (view->sieve) {
        sieve_add_mask(view->sieve, st->place, mask);
    }
    if (lane->sieve_work) {
        sieve_work_add_mask(lane->sieve_work, st->place, mask);
    }
    view->subtables[view->n_subtables++] = st;
    limit_note(&mf->most_masks, view->n_subtables);
    lane_publish(lane, view);
    return st;
}

// The union of masks stays as it is until megaflows_tidy(): each change of it makes the PMDs'
// caches of this lane start anew.
void
lane_remove_subtable(struct lane *lane, struct subtable *st)
{
    struct lane_view *view = view_copy(lane);
    uint32_t n = 0;

    for (uint32_t i = 0; i < view->n_subtables; i++) {
        if (view->subtables[i] != st) {
            view->subtables[i]->place = n;
            view->subtables[n++] = view->subtables[i];
        }
    }
    view->n_subtables = n;
    if (view->sieve) {
        view->sieve = n < SIEVE_MIN_MASKS / 2 ? NULL : sieve_without(view->sieve, st->place);
    }
    if (lane->sieve_work) {
        sieve_work_remove_mask(lane->sieve_work, st->place);
    }
    lane_publish(lane, view);
    rcu_defer(subtable_free, st);
}

void
lane_note_put(struct lane *lane, const struct subtable *st, const uint64_t *value)
{
    struct sieve *sieve = rcu_get_protected(&lane->view)->sieve;

    lane->n_flows++;
    lane->n_changes++;
    if (sieve) {
        sieve_add_flow(sieve, st->place, st->mask, value);
    }
    if (lane->sieve_work) {
        sieve_work_add_flow(lane->sieve_work, st->place, st->mask, value);
    }
}

void
lane_note_del(struct lane *lane)
{
    lane->n_changes++;
    if (!--lane->n_flows) {
        lane->empty_since_ms = clock_now_ms();
    }
}

// The mask that covers all headers of the shape, with or without the three fields that vary from
// packet to packet of one connection.
static void
lane_wide_mask(const struct lane *lane, bool all, uint64_t *mask)
{
    struct flow bits;
    uint32_t i = 0;

    memset(&bits, 0xff, sizeof bits);
    if (!all) {
        bits.tcp_flags = 0;
        bits.nw_tos = 0;
        bits.nw_ttl = 0;
    }
    for (uint64_t map = lane->map & ~UINT64_C(1); map; map &= map - 1) {
        mask[i++] = bits.w[__builtin_ctzll(map)];
    }
}

static bool
mask_covers(const uint64_t *wide, const uint64_t *mask, uint32_t n)
{
    uint64_t missing = 0;

    for (uint32_t i = 0; i < n; i++) {
        missing |= mask[i] & ~wide[i];
    }
    return !missing;
}

static bool
lane_mask_is_wide(const struct lane *lane, const uint64_t *mask)
{
    uint64_t wide[FLOW_KEY_MAX];

    lane_wide_mask(lane, false, wide);
    return mask_covers(mask, wide, lane->n_words - 1);
}

// The covering mask with the fewest ones, if there is any.
static struct subtable *
lane_find_cover(const struct lane *lane, const uint64_t *mask)
{
    const struct lane_view *view = rcu_get_protected(&lane->view);
    struct subtable *best = NULL;
    int best_bits = 0;

    for (uint32_t i = 0; i < view->n_subtables; i++) {
        struct subtable *st = view->subtables[i];
        if (mask_covers(st->mask, mask, st->n_words)) {
            int bits = 0;
            for (uint32_t j = 0; j < st->n_words; j++) {
                bits += __builtin_popcountll(st->mask[j]);
            }
            if (!best || bits < best_bits) {
                best = st;
                best_bits = bits;
            }
        }
    }
    return best;
}

struct subtable *
lane_choose_subtable(struct megaflows *mf, struct lane *lane, const uint64_t *mask)
{
    const struct lane_view *view = rcu_get_protected(&lane->view);
    struct subtable *st = lane_find_subtable(lane, mask);
    uint64_t wide[FLOW_KEY_MAX];
    uint32_t n_narrow = 0;

    if (st) {
        return st;
    }
    for (uint32_t i = 0; i < view->n_subtables; i++) {
        n_narrow += !lane_mask_is_wide(lane, view->subtables[i]->mask);
    }
    if (n_narrow < LANE_MAX_MASKS && !lane_mask_is_wide(lane, mask)) {
        return lane_add_subtable(mf, lane, mask);
    }
    if (!lane_mask_is_wide(lane, mask)) {
        coverage_inc(megaflow_covering_mask);
    }
    st = lane_find_cover(lane, mask);
    if (st) {
        return st;
    }
    lane_wide_mask(lane, false, wide);
    if (!mask_covers(wide, mask, lane->n_words - 1)) {
        lane_wide_mask(lane, true, wide);
    }
    return lane_add_subtable(mf, lane, wide);
}

static void
lane_shrink_union(struct lane *lane)
{
    const struct lane_view *view = rcu_get_protected(&lane->view);
    uint64_t umask[FLOW_KEY_MAX] = {0};

    for (uint32_t i = 0; i < view->n_subtables; i++) {
        for (uint32_t j = 0; j < lane->n_words - 1; j++) {
            umask[j] |= view->subtables[i]->mask[j];
        }
    }
    if (memcmp(umask, view->umask, sizeof umask)) {
        struct lane_view *new = view_copy(lane);
        memcpy(new->umask, umask, sizeof umask);
        lane_publish(lane, new);
    }
}

// Lets the lock go now and then, for long enough that those who wait get it.
static void
lane_make_sieve(struct megaflows *mf, struct lane *lane)
{
    struct lane_view *view = rcu_get_protected(&lane->view);

    lane->wants_sieve = false;
    lane->n_changes = 0;
    lane->sieve_work = sieve_begin(view, mf->slab, lane->n_words - 1);
    while (!sieve_step(lane->sieve_work, view, mf->slab, SIEVE_STEP)) {
        pthread_mutex_unlock(&mf->lock);
        rcu_quiesce();
        usleep(SIEVE_REST_US);
        pthread_mutex_lock(&mf->lock);
        view = rcu_get_protected(&lane->view);
    }
    view = view_copy(lane);
    view->sieve = sieve_end(lane->sieve_work, view->n_subtables);
    lane->sieve_work = NULL;
    lane_publish(lane, view);
}

static void
lane_renew_sieve(struct megaflows *mf, struct lane *lane)
{
    const struct lane_view *view = rcu_get_protected(&lane->view);

    if (view->n_subtables >= SIEVE_MIN_MASKS &&
        (lane->wants_sieve || lane->n_changes > lane->n_flows / SIEVE_STALE)) {
        lane_make_sieve(mf, lane);
    }
}

void
megaflows_make_sieves(struct megaflows *mf)
{
    if (!atomic_load_explicit(&mf->wants_sieves, memory_order_relaxed)) {
        return;
    }
    pthread_mutex_lock(&mf->lock);
    atomic_store_explicit(&mf->wants_sieves, false, memory_order_relaxed);
    for (uint32_t i = 0; i < LANE_HEADS; i++) {
        for (struct lane *l = rcu_get_protected(&mf->lanes[i]); l;
             l = rcu_get_protected(&l->next)) {
            if (l->wants_sieve) {
                lane_renew_sieve(mf, l);
            }
        }
    }
    pthread_mutex_unlock(&mf->lock);
}

void
megaflows_tidy(struct megaflows *mf, int64_t now_ms)
{
    pthread_mutex_lock(&mf->lock);
    for (uint32_t i = 0; i < LANE_HEADS; i++) {
        _Atomic(struct lane *) *p = &mf->lanes[i];
        struct lane *lane;
        while ((lane = rcu_get_protected(p))) {
            if (!lane->n_flows && now_ms - lane->empty_since_ms > LANE_LINGER_MS) {
                rcu_assign(p, rcu_get_protected(&lane->next));
                atomic_fetch_add_explicit(&mf->lane_gen, 1, memory_order_release);
                rcu_defer(lane_free, lane);
                continue;
            }
            lane_shrink_union(lane);
            lane_renew_sieve(mf, lane);
            p = &lane->next;
        }
    }
    pthread_mutex_unlock(&mf->lock);
}
