// SPDX-License-Identifier: Apache-2.0
//
// The path of a burst through the datapath, on its PMD.  Each stage takes the packets that the ones
// before it left over (bits of b->todo).  pmd_input() is the whole story; miss.c, dpcls.c,
// upcall_queue.c and execute.c tell the longer chapters.  Lines of memory that a stage will need
// are asked for one stage earlier, for the whole burst, so that their latencies overlap.
#include "base/random.h"
#include "pmd/dp_int.h"
#include "pmd/pmd.h"

enum {
    EXTRACT_PREFETCH_AHEAD = 4,
    FEED_WINDOW = 1024, // packets of a queue that dpcls found, before it is judged
    FEED_KNOWN = 32,    // one of so many known to the caches is little
    FEED_TURNS = 16,
};

// Headers to keys.  What is not even an Ethernet frame goes.
static uint32_t
extract_received(struct burst *b)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < b->n; i++) {
        struct rte_mbuf *m = b->m[i];
        // The last ones ask for the last one again, which costs less than a branch.
        uint32_t ahead = MIN(i + EXTRACT_PREFETCH_AHEAD, b->n - 1);
        rte_prefetch0(rte_pktmbuf_mtod(b->m[ahead], void *));
        if (UNLIKELY(key_extract(m, b->in_port, &b->key[n], &b->ly[n]) != EXTRACT_OK)) {
            drop_packet(m, DROP_RX_INVALID);
            continue;
        }
        b->m[n++] = m;
    }
    return n;
}

// The same for packets with metadata.
static uint32_t
extract_recirculated(struct burst *b)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < b->n; i++) {
        struct rte_mbuf *m = b->m[i];
        if (UNLIKELY(key_extract_md(m, &b->md[i], &b->key[n], &b->ly[n]) != EXTRACT_OK)) {
            drop_packet(m, DROP_RX_INVALID);
            continue;
        }
        b->m[n++] = m;
    }
    return n;
}

static void
extract(struct burst *b)
{
    uint32_t n = LIKELY(!b->md) ? extract_received(b) : extract_recirculated(b);

    b->n = n;
    b->all = n < 32 ? (UINT32_C(1) << n) - 1 : UINT32_MAX;
    b->promote = 0;
    b->wild = 0;
}

// Looking for trains pays where there are some.  When the last burst had few, only its beginning is
// looked at.
static bool
expect_trains(struct pmd *pmd, const struct burst *b)
{
    const struct pmd_lane *l;

    if (UNLIKELY(rcu_get(&pmd->mf->wild) != NULL)) {
        return false; // those look at bits that no lane knows of
    }
    if (pmd->trains || b->n < 2 || b->key[0].map != b->key[1].map ||
        b->key[0].w[0] != b->key[1].w[0]) {
        return pmd->trains;
    }
    l = pmd_find_lane(pmd, &b->key[0]);
    return l->lane && key_same(b->key[0].w + 1, b->key[1].w + 1, l->view->umask, l->n_words);
}

// How many packets from 'i' on belong to the train of 'leader'.
static __rte_always_inline uint32_t
train_length(const struct burst *b, uint32_t leader, const struct pmd_lane *l, uint32_t n_words)
{
    const struct flow_key *first = &b->key[leader];
    const uint64_t *umask = l->view->umask;
    uint32_t i = leader + 1;

    for (; i < b->n; i++) {
        const struct flow_key *k = &b->key[i];
        if (k->map != first->map || k->w[0] != first->w[0] ||
            !key_same_n(k->w + 1, first->w + 1, umask, n_words)) {
            break;
        }
    }
    return i - leader;
}

// Keys to lanes, trains and cache hashes.  Most bursts are of one lane, so the last one is tried
// first.
static void
hash_keys(struct pmd *pmd, struct burst *b)
{
    const struct key_secret *secret = pmd->mf->secret;
    const struct smc *smc = rcu_get(&pmd->smc);
    pmd->burst_number++; // before any lane is looked for
    bool trains = expect_trains(pmd, b);
    uint32_t leaders = 0, known = 0;
    struct pmd_lane *l = NULL;

    for (uint32_t i = 0; i < b->n; i += b->run[i]) {
        const struct flow_key *k = &b->key[i];
        if (UNLIKELY(!l || k->map != l->map || k->w[0] != l->w0)) {
            l = pmd_find_lane(pmd, k);
        }
        leaders |= UINT32_C(1) << i;
        b->run[i] = 1;
        b->lane[i] = l;
        b->flow[i] = NULL;
        if (UNLIKELY(!l->lane)) {
            continue;
        }
        known |= UINT32_C(1) << i;
        b->hash[i] = key_hash(k->w + 1, l->view->umask, l->n_words, secret, l->view->basis);
        if (smc) {
            smc_prefetch(smc, b->hash[i]);
        }
        if (trains) {
            b->run[i] = (uint8_t)(LIKELY(l->n_words == 4) ? train_length(b, i, l, 4)
                                                          : train_length(b, i, l, l->n_words));
        }
    }
    b->leaders = b->todo = leaders;
    b->known = known;
    pmd->trains = (uint32_t)__builtin_popcount(leaders) * 2 < b->n;
}

static void
prefetch_candidate(const struct pmd *pmd, uint32_t slot)
{
    __builtin_prefetch(&pmd->mf->slab[slot]);
    __builtin_prefetch(&pmd->counters[slot], 1);
}

// False: the flow may be new, at the slot of an old one, and of a mask that came after the burst's
// view of the lane and tells the packets of the train apart.
static inline bool
train_is_of_flow(const struct burst *b, uint32_t leader, const struct pmd_lane *l)
{
    return b->run[leader] == 1 || rcu_get(&l->lane->view) == l->view;
}

static __rte_always_inline uint32_t
verify_some(struct pmd *pmd, struct burst *b, uint32_t candidates, bool trains)
{
    uint32_t hits = 0;

    BURST_FOREACH (i, candidates) {
        const struct pmd_lane *l = b->lane[i];
        const struct dp_flow *f = &pmd->mf->slab[b->slot[i]];
        if (LIKELY(megaflow_candidate_matches(f, l->lane, b->key[i].w + 1, l->n_words)) &&
            (!trains || LIKELY(train_is_of_flow(b, i, l)))) {
            b->flow[i] = (struct dp_flow *)f;
            hits |= UINT32_C(1) << i;
        }
    }
    return hits;
}

// Apart: it would cost the loop below registers.
static __rte_noinline uint32_t
verify_trains(struct pmd *pmd, struct burst *b, uint32_t candidates)
{
    return verify_some(pmd, b, candidates, true);
}

// Of the candidates in b->slot, those whose flow really matches.
static uint32_t
verify(struct pmd *pmd, struct burst *b, uint32_t candidates)
{
    if (UNLIKELY(b->leaders != b->all)) {
        return verify_trains(pmd, b, candidates);
    }
    return verify_some(pmd, b, candidates, false);
}

// A cache that most packets miss costs more than it saves: look away for a while, then try again.
static bool
emc_is_resting(struct emc_table *t, uint32_t n)
{
    if (t->rest) {
        t->rest -= MIN(t->rest, n);
        return true;
    }
    const uint32_t window = MAX(t->n_entries, (uint32_t)EMC_WINDOW);
    if (t->n_lookups >= window) {
        if (t->n_hits < t->n_lookups / 2) {
            t->rest = EMC_REST * window;
        }
        t->n_lookups = t->n_hits = 0;
    }
    return false;
}

// emc-insert-inv-prob; 0, which turns the stage off, for queues of ports that want none.
static uint32_t
emc_inv_prob(const struct pmd *pmd)
{
    const struct rxq *rxq = pmd->polling;

    if (UNLIKELY(rxq && !atomic_load_explicit(&rxq->emc_enable, memory_order_relaxed))) {
        return 0;
    }
    return atomic_load_explicit(&pmd->emc_inv_prob, memory_order_relaxed);
}

// Exact match: the whole hash picks the word.
static void
emc_lookup(struct pmd *pmd, struct burst *b, uint32_t known)
{
    struct emc_table *t = rcu_get(&pmd->emc.table);
    uint32_t candidates = 0;

    if (!emc_inv_prob(pmd) || emc_is_resting(t, b->n)) {
        return;
    }
    const uint64_t *w = t->w;
    const uint32_t mask = t->n_entries - 1;
    BURST_FOREACH (i, known) {
        uint64_t word = w[b->hash[i] & mask];
        b->slot[i] = bucket_word_slot(word);
        prefetch_candidate(pmd, b->slot[i]);
        candidates |= (uint32_t)(bucket_word_hash(word) == b->hash[i]) << i;
    }
    uint32_t hits = verify(pmd, b, candidates);
    t->n_lookups += (uint32_t)__builtin_popcount(known);
    t->n_hits += (uint32_t)__builtin_popcount(hits);
    b->todo &= ~hits;
    perf_add(&pmd->perf, PMD_STAT_EMC_HIT, burst_count(b, hits));
}

// Signature match: a line of eight words for each hash.  The first word that agrees is the
// candidate; where two agree and the first was wrong, dpcls finds out.
static void
smc_lookup(struct pmd *pmd, struct burst *b, uint32_t known)
{
    const struct smc *smc = rcu_get(&pmd->smc);
    uint32_t candidates = 0;

    if (!smc) {
        return;
    }
    BURST_FOREACH (i, known) {
        const struct bucket *line = &smc->b[b->hash[i] & smc->mask];
        unsigned match = bucket_match(line, b->hash[i]);
        if (LIKELY(match)) {
            b->slot[i] = bucket_word_slot(bucket_get(line, (unsigned)__builtin_ctz(match)));
            prefetch_candidate(pmd, b->slot[i]);
            candidates |= UINT32_C(1) << i;
        }
    }
    uint32_t hits = verify(pmd, b, candidates);
    b->todo &= ~hits;
    perf_add(&pmd->perf, PMD_STAT_SMC_HIT, burst_count(b, hits));
}

static void
emc_insert(struct emc *emc, const struct emc_table *t, uint32_t hash, uint32_t slot)
{
    uint64_t *w = &t->w[hash & (t->n_entries - 1)];

    if (*w && bucket_word_hash(*w) != hash) {
        uint64_t n = atomic_load_explicit(&emc->n_evicted, memory_order_relaxed);
        atomic_store_explicit(&emc->n_evicted, n + 1, memory_order_relaxed);
    }
    __atomic_store_n(w, bucket_word(hash, slot), __ATOMIC_RELAXED);
}

// Twice the mean of inv_prob - 1 needs more than 32 bits.
static int64_t
emc_random_countdown(uint32_t inv_prob)
{
    uint64_t n = 2 * (uint64_t)inv_prob - 1; // 0 ... n - 1

    return n > 1 ? (int64_t)((__uint128_t)random_u64() * n >> 64) : 0;
}

// A queue whose packets the caches hardly ever know fills them with words that nobody asks for
// again, and which take lines of memory from those of other queues.  The hashes of such a queue
// have turns, one of 16 at a time.  Where packets do come again those are found, and that is enough
// for the others to be taken, too.
static bool
queue_feeds_all(const struct pmd *pmd, const struct burst *b)
{
    struct rxq *rxq = pmd->polling;

    if (!rxq || b->md) {
        return !rxq || !rxq->feeds_by_turns;
    }
    rxq->n_promoted += burst_count(b, b->promote);
    if (UNLIKELY(rxq->n_promoted >= FEED_WINDOW)) {
        uint64_t seen = atomic_load_explicit(&rxq->n_packets, memory_order_relaxed);
        uint64_t came = seen - rxq->promoted_seen;
        rxq->feeds_by_turns = came - came / FEED_KNOWN < rxq->n_promoted;
        rxq->feed_turn++;
        rxq->promoted_seen = seen;
        rxq->n_promoted = 0;
    }
    return !rxq->feeds_by_turns;
}

static void
feed_smc(struct pmd *pmd, struct smc *smc, const struct burst *b)
{
    bool all = queue_feeds_all(pmd, b);

    BURST_FOREACH (i, b->promote) {
        if (all || (b->hash[i] >> 28 ^ pmd->polling->feed_turn) % FEED_TURNS == 0) {
            smc_insert(smc, b->hash[i], megaflow_slot(pmd->mf, b->flow[i]));
        }
    }
}

// What a lower stage found moves up: into the SMC nearly always, into the EMC now and then.
static void
promote(struct pmd *pmd, struct burst *b, uint32_t below_emc)
{
    struct smc *smc = rcu_get(&pmd->smc);
    uint32_t inv_prob = emc_inv_prob(pmd);
    struct emc *emc = &pmd->emc;
    const struct emc_table *t = rcu_get(&emc->table);

    if (smc && b->promote) {
        feed_smc(pmd, smc, b);
    }
    if (!inv_prob || t->rest) {
        return;
    }
    if (UNLIKELY(emc->inv_prob != inv_prob)) {
        emc->inv_prob = inv_prob; // at once, however long the other one would have taken
        emc->countdown = 0;
    }
    emc->countdown -= __builtin_popcount(below_emc);
    if (emc->countdown >= 0) {
        return;
    }
    // Uniform with the right mean, so that no pattern of arrival keeps a flow out.
    emc->countdown = emc_random_countdown(inv_prob);
    BURST_FOREACH (i, below_emc) {
        emc_insert(emc, t, b->hash[i], megaflow_slot(pmd->mf, b->flow[i]));
        if (inv_prob > 1) {
            break;
        }
    }
}

void
pmd_input(struct pmd *pmd, struct burst *b)
{
    extract(b);
    pmd_stage_end(pmd, PERF_STAGE_EXTRACT, b->n);
    hash_keys(pmd, b);
    pmd_stage_end(pmd, PERF_STAGE_HASH, b->n);
    emc_lookup(pmd, b, b->known);
    pmd_stage_end(pmd, PERF_STAGE_EMC, b->n);
    uint32_t below_emc = b->todo & b->known;
    if (below_emc) {
        smc_lookup(pmd, b, below_emc);
        pmd_stage_end(pmd, PERF_STAGE_SMC, burst_count(b, below_emc));
    }
    if (UNLIKELY(b->todo)) {
        pmd_slow_stages(pmd, b);
    }
    below_emc &= ~(b->todo | b->wild);
    if (below_emc) {
        promote(pmd, b, below_emc);
        pmd_stage_end(pmd, PERF_STAGE_PROMOTE, burst_count(b, below_emc));
    }
    pmd_execute(pmd, b);
    pmd_stage_end(pmd, PERF_STAGE_EXECUTE, b->n);
}
