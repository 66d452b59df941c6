// SPDX-License-Identifier: Apache-2.0
//
// Making sieves (sieve.h).  The bytes are chosen one after the other: each time the one that rules
// out most of what is left for some packets like the lane's own flows.  Then all flows are put in,
// some at a time.  Control path, under the flow lock.
#include "pmd/sieve.h"

#include <stdlib.h>

#include "base/random.h"
#include "pmd/megaflow.h"

static_assert(LANE_MAX_SUBTABLES <= 64, "a bit for each");

enum {
    POSITIONS = FLOW_INLINE_WORDS * 8, // those of which a flow's value is at hand
    SAMPLES_OF_MASK = 4,
    LEARNT_OF_MASK = 256, // enough to choose by
    WORTH = 2,            // this part of the subtables at most may be left on average
};

typedef _Atomic uint64_t sieve_table[256];

struct sieve_work {
    struct sieve *sieve;
    uint32_t at_subtable, at_flow; // that come next
    uint32_t n_resizes;            // of the subtable, when 'at_flow' began
    uint32_t n_at;                 // bytes that some mask looks at
    uint8_t at[POSITIONS];
    sieve_table may[POSITIONS];
    uint32_t n_samples;
    struct {
        uint64_t w[FLOW_INLINE_WORDS];
        uint64_t left; // subtables, after the bytes chosen so far
    } sample[LANE_MAX_SUBTABLES * SAMPLES_OF_MASK];
};

static uint8_t
byte_of(const uint64_t *w, uint32_t at)
{
    return ((const uint8_t *)w)[at];
}

static uint64_t
table_get(const _Atomic uint64_t *entry)
{
    return atomic_load_explicit(entry, memory_order_relaxed);
}

static void
table_set(_Atomic uint64_t *entry, uint64_t bit)
{
    uint64_t old = table_get(entry);

    if (!(old & bit)) {
        atomic_store_explicit(entry, old | bit, memory_order_relaxed);
    }
}

// All values that agree with 'value' in the bits of 'mask'.  A bit is always learnt with the same
// mask, so these are all there already if one of them is.
static void
table_learn(sieve_table *t, uint8_t mask, uint8_t value, uint64_t bit)
{
    const unsigned wild = (uint8_t)~mask;
    unsigned more = wild;

    while (!(table_get(&(*t)[value & mask]) & bit)) {
        table_set(&(*t)[(value & mask) | more], bit);
        if (!more) {
            return;
        }
        more = (more - 1) & wild;
    }
}

// --- bytes ------------------------------------------------------------------------------------

// The next flow of a subtable, whose walk began with *i = 0.
static const struct dp_flow *
next_flow(const struct subtable *st, const struct dp_flow *slab, uint32_t *i)
{
    struct subtable_map map = subtable_get_map(st);

    while (*i < (map.bucket_mask + 1) * BUCKET_WORDS) {
        uint32_t at = (*i)++;
        uint64_t word = bucket_get(&map.b[at / BUCKET_WORDS], at % BUCKET_WORDS);
        if (at % BUCKET_WORDS < SUBTABLE_BUCKET_FLOWS && word) {
            return &slab[bucket_word_slot(word)];
        }
    }
    return NULL;
}

// Bytes at which no mask has a bit tell nothing.
static void
choice_find_positions(struct sieve_work *c, const struct lane_view *v, uint32_t n_words)
{
    for (uint32_t at = 0; at < n_words * 8; at++) {
        bool used = false;
        for (uint32_t i = 0; i < v->n_subtables; i++) {
            used |= byte_of(v->subtables[i]->mask, at) != 0;
        }
        if (used) {
            c->at[c->n_at++] = (uint8_t)at;
        }
    }
}

// A packet that the flow matches, with anything where its mask has no bits.
static void
choice_add_sample(struct sieve_work *c, const struct dp_flow *f, const uint64_t *mask,
                  uint32_t n_words)
{
    for (uint32_t i = 0; i < n_words; i++) {
        c->sample[c->n_samples].w[i] = f->value[i] | (random_u64() & ~mask[i]);
    }
    c->sample[c->n_samples++].left = UINT64_MAX;
}

static void
choice_learn(struct sieve_work *c, const struct lane_view *v, const struct dp_flow *slab,
             uint32_t n_words)
{
    for (uint32_t i = 0; i < v->n_subtables; i++) {
        const struct subtable *st = v->subtables[i];
        const struct dp_flow *f;
        uint32_t walk = 0;
        for (uint32_t n = 0; n < LEARNT_OF_MASK && (f = next_flow(st, slab, &walk)); n++) {
            for (uint32_t k = 0; k < c->n_at; k++) {
                table_learn(&c->may[k], byte_of(st->mask, c->at[k]), byte_of(f->value, c->at[k]),
                            UINT64_C(1) << i);
            }
            if (n < SAMPLES_OF_MASK) {
                choice_add_sample(c, f, st->mask, n_words);
            }
        }
    }
}

// Subtables left over all samples if the k-th byte is looked at, too.
static uint32_t
choice_left(const struct sieve_work *c, uint32_t k)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < c->n_samples; i++) {
        uint64_t may = table_get(&c->may[k][byte_of(c->sample[i].w, c->at[k])]);
        n += (uint32_t)__builtin_popcountll(c->sample[i].left & may);
    }
    return n;
}

// Chooses bytes for 's' while they tell anything.
static void
choice_make(struct sieve_work *c, uint32_t n_subtables, struct sieve *s)
{
    uint32_t left = c->n_samples * n_subtables;

    while (s->n < SIEVE_BYTES) {
        uint32_t best = UINT32_MAX;
        for (uint32_t k = 0; k < c->n_at; k++) {
            uint32_t n = choice_left(c, k);
            if (n < left) {
                left = n;
                best = k;
            }
        }
        if (best == UINT32_MAX) {
            break;
        }
        for (uint32_t i = 0; i < c->n_samples; i++) {
            c->sample[i].left &= table_get(&c->may[best][byte_of(c->sample[i].w, c->at[best])]);
        }
        s->at[s->n++] = c->at[best];
    }
}

// --- sieves -----------------------------------------------------------------------------------

void
sieve_add_mask(struct sieve *s, uint32_t i, const uint64_t *mask)
{
    for (uint32_t k = 0; k < s->n; k++) {
        if (!byte_of(mask, s->at[k])) {
            table_learn(&s->may[k], 0, 0, UINT64_C(1) << i);
        }
    }
}

void
sieve_add_flow(struct sieve *s, uint32_t i, const uint64_t *mask, const uint64_t *value)
{
    for (uint32_t k = 0; k < s->n; k++) {
        if (byte_of(mask, s->at[k])) { // else sieve_add_mask() has seen to it
            table_learn(&s->may[k], byte_of(mask, s->at[k]), byte_of(value, s->at[k]),
                        UINT64_C(1) << i);
        }
    }
}

// With all flows in it, which are more than its bytes were chosen by.
static bool
sieve_is_worth_it(const struct sieve *s, const struct sieve_work *c, uint32_t n_subtables)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < c->n_samples; i++) {
        n += (uint32_t)__builtin_popcountll(sieve_subtables(s, c->sample[i].w));
    }
    return n <= c->n_samples * n_subtables / WORTH;
}

struct sieve_work *
sieve_begin(const struct lane_view *v, const struct dp_flow *slab, uint32_t n_words)
{
    n_words = MIN(n_words, (uint32_t)FLOW_INLINE_WORDS);
    struct sieve_work *c = xzalloc_cacheline(sizeof *c);
    c->sieve = xzalloc_cacheline(sizeof *c->sieve);
    choice_find_positions(c, v, n_words);
    choice_learn(c, v, slab, n_words);
    choice_make(c, v->n_subtables, c->sieve);
    for (uint32_t i = 0; i < v->n_subtables; i++) {
        sieve_add_mask(c->sieve, i, v->subtables[i]->mask);
    }
    return c;
}

bool
sieve_step(struct sieve_work *c, const struct lane_view *v, const struct dp_flow *slab,
           uint32_t n_flows)
{
    while (c->sieve->n && c->at_subtable < v->n_subtables) {
        const struct subtable *st = v->subtables[c->at_subtable];
        const struct dp_flow *f;
        if (c->n_resizes != st->n_resizes) { // flows lie elsewhere now
            c->n_resizes = st->n_resizes;
            c->at_flow = 0;
        }
        while (n_flows && (f = next_flow(st, slab, &c->at_flow))) {
            sieve_add_flow(c->sieve, c->at_subtable, st->mask, f->value);
            n_flows--;
        }
        if (!n_flows) {
            return false;
        }
        c->at_subtable++;
        c->at_flow = 0;
    }
    return true;
}

struct sieve *
sieve_end(struct sieve_work *c, uint32_t n_subtables)
{
    struct sieve *s = c->sieve;

    if (!s->n || !sieve_is_worth_it(s, c, n_subtables)) {
        free(s);
        s = NULL;
    }
    free(c);
    return s;
}

void
sieve_work_add_mask(struct sieve_work *c, uint32_t i, const uint64_t *mask)
{
    sieve_add_mask(c->sieve, i, mask);
}

void
sieve_work_add_flow(struct sieve_work *c, uint32_t i, const uint64_t *mask, const uint64_t *value)
{
    sieve_add_flow(c->sieve, i, mask, value);
}

void
sieve_work_remove_mask(struct sieve_work *c, uint32_t i)
{
    struct sieve *old = c->sieve;

    c->sieve = sieve_without(old, i);
    free(old);
    if (i < c->at_subtable) {
        c->at_subtable--;
    } else if (i == c->at_subtable) {
        c->at_flow = 0;
    }
}

struct sieve *
sieve_without(const struct sieve *s, uint32_t i)
{
    const uint64_t below = (UINT64_C(1) << i) - 1;
    struct sieve *new = xzalloc_cacheline(sizeof *new);

    new->n = s->n;
    memcpy(new->at, s->at, sizeof new->at);
    for (uint32_t k = 0; k < s->n; k++) {
        for (uint32_t value = 0; value < 256; value++) {
            uint64_t may = table_get(&s->may[k][value]);
            atomic_init(&new->may[k][value], (may & below) | (may >> 1 & ~below));
        }
    }
    return new;
}
