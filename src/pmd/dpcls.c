// SPDX-License-Identifier: Apache-2.0
//
// Masked lookup: which subtables of the packet's lane hold a flow for it, of those that the lane's
// sieve leaves (sieve.h), and those first that served this PMD's packets of the lane most.  On the
// PMD; the tables are read under RCU (megaflow.h).
#include "pmd/dp_int.h"
#include "pmd/pmd.h"

enum {
    LANE_SORT_LOOKUPS = 4096,
    LANE_LOOKUP_MEMORY = 1024,
    RANK_FROM = 4, // with no more subtables to ask, their order is not worth the steps
};

static bool
is_record_of(const struct pmd_lane *l, const struct flow_key *k)
{
    return l->map == k->map && l->w0 == k->w[0];
}

// The key's record is not at its place: it is at the next one, or made anew where no packet of this
// burst has its record.
static struct pmd_lane *
find_displaced(struct pmd *pmd, const struct flow_key *k, uint32_t hash)
{
    struct pmd_lane *l = &pmd->lanes[(hash + 1) % PMD_LANES];

    if (is_record_of(l, k)) {
        return l;
    }
    do {
        l = &pmd->lanes[hash++ % PMD_LANES];
    } while (l->used == pmd->burst_number && !is_record_of(l, k));
    return l;
}

// The PMD's record of the key's lane, made anew when it was that of another.
struct pmd_lane *
pmd_find_lane(struct pmd *pmd, const struct flow_key *k)
{
    uint32_t hash = lane_hash(pmd->mf, k->w[0], k->map);
    struct pmd_lane *l = &pmd->lanes[hash % PMD_LANES];

    if (UNLIKELY(!is_record_of(l, k))) {
        l = find_displaced(pmd, k, hash);
    }
    if (l->used == pmd->burst_number) {
        return l; // a lane or a view that came meanwhile is for the next burst
    }
    if (UNLIKELY(!is_record_of(l, k) || !l->lane)) {
        // One that did not exist may do so now; what is known of its lookups stays.
        if (!is_record_of(l, k)) {
            l->w0 = k->w[0];
            l->map = k->map;
            l->n_looked = l->n_missed = 0;
        }
        l->lane = megaflow_find_lane(pmd->mf, k->w[0], k->map);
        l->ranked = 0;
        l->n_words = k->n - 1;
    }
    l->used = pmd->burst_number;
    l->view = l->lane ? rcu_get(&l->lane->view) : NULL;
    return l;
}

void
pmd_forget_lanes(struct pmd *pmd)
{
    for (unsigned i = 0; i < PMD_LANES; i++) {
        pmd->lanes[i].lane = NULL;
    }
}

// Insertion sort of the order by hits, and half of each hit count forgotten.
static void
lane_sort(struct pmd_lane *l)
{
    for (uint32_t i = 1; i < l->view->n_subtables; i++) {
        uint8_t x = l->order[i];
        uint32_t j = i;
        for (; j > 0 && l->hits[l->order[j - 1]] < l->hits[x]; j--) {
            l->order[j] = l->order[j - 1];
        }
        l->order[j] = x;
    }
    for (uint32_t i = 0; i < l->view->n_subtables; i++) {
        l->hits[i] /= 2;
    }
    l->n_until_sort = LANE_SORT_LOOKUPS;
}

static void
lane_start_ranking(struct pmd_lane *l)
{
    for (uint32_t i = 0; i < l->view->n_subtables; i++) {
        l->order[i] = (uint8_t)i;
        l->hits[i] = 0;
    }
    l->ranked = l->view->generation;
    // The first guess is soon worth a correction.
    l->n_until_sort = LANE_SORT_LOOKUPS / 16;
}

static __rte_always_inline struct dp_flow *
probe(const struct pmd *pmd, const struct pmd_lane *l, const uint64_t *w, uint32_t i)
{
    const struct subtable *st = l->view->subtables[i];
    uint32_t hash = key_hash(w, st->mask, l->n_words, pmd->mf->secret, st->basis);

    return subtable_find(st, pmd->mf->slab, w, l->n_words, hash);
}

static void
count_hit(struct pmd_lane *l, uint32_t i)
{
    l->hits[i]++;
    if (UNLIKELY(--l->n_until_sort == 0)) {
        lane_sort(l);
    }
}

// The subtables that the lane's sieve leaves: by rank where they are many.
static __rte_noinline struct dp_flow *
lane_lookup_sieved(struct pmd *pmd, struct pmd_lane *l, const uint64_t *w, uint32_t n_packets)
{
    uint64_t left =
        sieve_subtables(l->view->sieve, w) & ((UINT64_C(1) << l->view->n_subtables) - 1);
    bool ranked = __builtin_popcountll(left) > RANK_FROM;
    uint32_t n_probed = 0;

    for (uint32_t rank = 0; left; rank++) {
        uint32_t i = ranked ? l->order[rank] : (uint32_t)__builtin_ctzll(left);
        if (!(left >> i & 1)) {
            continue;
        }
        left &= ~(UINT64_C(1) << i);
        n_probed++;
        struct dp_flow *f = probe(pmd, l, w, i);
        if (f) {
            perf_add(&pmd->perf, PMD_STAT_LOOKUPS, n_probed * n_packets);
            count_hit(l, i);
            return f;
        }
    }
    return NULL;
}

static struct dp_flow *
lane_lookup(struct pmd *pmd, struct pmd_lane *l, const struct flow_key *k, uint32_t n_packets)
{
    const uint64_t *w = k->w + 1;
    struct dp_flow *f = NULL;
    uint32_t i;

    if (UNLIKELY(l->ranked != l->view->generation)) {
        lane_start_ranking(l);
    }
    if (l->view->sieve) {
        return lane_lookup_sieved(pmd, l, w, n_packets);
    }
    for (i = 0; i < l->view->n_subtables && !f; i++) {
        f = probe(pmd, l, w, l->order[i]);
    }
    if (f) {
        perf_add(&pmd->perf, PMD_STAT_LOOKUPS, i * n_packets);
        count_hit(l, l->order[i - 1]);
    }
    return f;
}

// How good lookups in each lane are, with a short memory.
static void
count_lookups(struct burst *b, uint32_t looked, uint32_t missed)
{
    BURST_FOREACH (i, looked) {
        struct pmd_lane *l = b->lane[i];
        l->n_missed += missed >> i & 1;
        if (UNLIKELY(++l->n_looked == LANE_LOOKUP_MEMORY)) {
            l->n_looked /= 2;
            l->n_missed /= 2;
        }
    }
}

void
dpcls_lookup(struct pmd *pmd, struct burst *b)
{
    uint32_t hits = 0, wild = 0;

    BURST_FOREACH (i, b->todo) {
        struct pmd_lane *l = b->lane[i];
        struct dp_flow *f = l->lane ? lane_lookup(pmd, l, &b->key[i], b->run[i]) : NULL;
        if (f) {
            b->flow[i] = f;
            hits |= UINT32_C(1) << i;
        }
    }
    b->promote = hits;
    // A burst with trains began before there were any: the next one sees them.
    if (UNLIKELY(rcu_get(&pmd->mf->wild) != NULL) && b->leaders == b->all) {
        BURST_FOREACH (i, b->todo & ~hits) {
            b->flow[i] = megaflow_find_wild(pmd->mf, &b->key[i]);
            wild |= (uint32_t)(b->flow[i] != NULL) << i;
        }
    }
    count_lookups(b, b->todo, b->todo & ~(hits | wild));
    b->todo &= ~(hits | wild);
    b->wild = wild;
    perf_add(&pmd->perf, PMD_STAT_DPCLS_HIT, burst_count(b, hits | wild));
}
