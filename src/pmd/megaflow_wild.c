// SPDX-License-Identifier: Apache-2.0
//
// Flows for packets of any shape: those that an operator or a test adds by hand ("dpctl/add-flow"),
// whose key names only some fields and so tells no shape.  They are looked up last, mask by mask,
// and never enter a cache.  The flow lock guards changes.
#include <stdlib.h>

#include "pmd/megaflow.h"

static uint32_t
wild_hash(const struct subtable *st, const struct flow_key *k)
{
    return flow_key_hash_masked(k, st->wild_mask, st->basis);
}

static struct dp_flow *
wild_find_in(const struct megaflows *mf, const struct subtable *st, const struct flow_key *k)
{
    struct subtable_map map = subtable_get_map(st);
    uint32_t hash = wild_hash(st, k);
    uint32_t i = hash & map.bucket_mask;
    uint64_t reach = bucket_get(&map.b[i], SUBTABLE_BUCKET_FLOWS);

    for (uint64_t d = 0; d <= reach; d++, i = (i + 1) & map.bucket_mask) {
        unsigned hits = bucket_match(&map.b[i], hash) & SUBTABLE_FLOW_WORDS;
        for (; hits; hits &= hits - 1) {
            uint64_t word = bucket_get(&map.b[i], (unsigned)__builtin_ctz(hits));
            struct dp_flow *f = &mf->slab[bucket_word_slot(word)];
            if (atomic_load_explicit(&f->subtable, memory_order_acquire) == st &&
                flow_key_match(k, st->wild_mask, f->cold->wild_value)) {
                return f;
            }
        }
    }
    return NULL;
}

struct dp_flow *
megaflow_find_wild(const struct megaflows *mf, const struct flow_key *k)
{
    struct dp_flow *f = NULL;

    for (const struct subtable *st = rcu_get(&mf->wild); st && !f; st = rcu_get(&st->wild_next)) {
        f = wild_find_in(mf, st, k);
    }
    return f;
}

static struct subtable *
wild_get_subtable(struct megaflows *mf, const struct flow_key *mask)
{
    for (struct subtable *st = rcu_get_protected(&mf->wild); st;
         st = rcu_get_protected(&st->wild_next)) {
        if (flow_key_equal(st->wild_mask, mask)) {
            return st;
        }
    }
    struct subtable *st = subtable_create(NULL, NULL, 0);
    st->wild_mask = xmemdup(mask, flow_key_size(mask));
    rcu_assign(&st->wild_next, rcu_get_protected(&mf->wild));
    rcu_assign(&mf->wild, st);
    return st;
}

// While there is a wild subtable PMDs look for no trains, so the last flow takes it along.
static void
wild_drop_if_empty(struct megaflows *mf, struct subtable *st)
{
    if (st->n_flows) {
        return;
    }
    RCU_PTR(struct subtable) *link = &mf->wild;
    while (rcu_get_protected(link) != st) {
        link = &rcu_get_protected(link)->wild_next;
    }
    // A reader at 'st' goes on along its 'wild_next', which stays.
    rcu_assign(link, rcu_get_protected(&st->wild_next));
    rcu_defer(subtable_free, st);
}

static struct uuid
wild_make_ufid(const struct flow_key *value, const struct flow_key *mask)
{
    struct uuid ufid;

    for (int half = 0; half < 2; half++) {
        uint64_t h = hash_2u64(mask->map, 0, (uint64_t)half + 3);
        h = hash_bytes(mask->w, mask->n * sizeof mask->w[0], h);
        h = hash_bytes(value->w, value->n * sizeof value->w[0], h);
        memcpy(&ufid.b[half * 8], &h, sizeof h);
    }
    return ufid;
}

int
megaflow_put_wild(struct megaflows *mf, const struct dp_flow_put *put, struct dp_flow **out)
{
    struct flow_key mask, value;

    flow_key_from_mask(put->mask, &mask);
    flow_key_value(put->key, &mask, &value);
    struct subtable *st = wild_get_subtable(mf, &mask);
    *out = wild_find_in(mf, st, &value);
    if (*out) {
        return -EEXIST;
    }
    struct dp_flow *f = atomic_load(&mf->n_flows) < atomic_load(&mf->limit) ? flow_alloc(mf) : NULL;
    if (!f) {
        wild_drop_if_empty(mf, st);
        return -ENOSPC;
    }
    f->cold->wild = true;
    f->cold->wild_value = xmemdup(&value, flow_key_size(&value));
    f->cold->hash = wild_hash(st, &value);
    f->cold->ufid = wild_make_ufid(&value, &mask);
    flow_publish(mf, f, st, put->actions);
    *out = f;
    return 0;
}

void
megaflow_unlink_wild(struct megaflows *mf, struct dp_flow *f)
{
    struct subtable *st = (struct subtable *)atomic_load(&f->subtable);

    atomic_store_explicit(&f->subtable, &dead_subtable, memory_order_release);
    subtable_remove(st, f->cold->hash, f->cold->slot);
    wild_drop_if_empty(mf, st);
}
