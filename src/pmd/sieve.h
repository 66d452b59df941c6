// SPDX-License-Identifier: Apache-2.0
//
// Which subtables of a lane can hold a flow for a packet, from a few bytes of its key: for each of
// these bytes a table says for all 256 values which masks have a flow that such a byte can match.
// The packet's entries, and-ed, are the subtables that are worth a probe.  A lane gets one when it
// has many masks; without one (NULL), all are worth it.
//
// Bits come before the flow that they are for, and stay when it goes, so a sieve may name too many
// subtables, but leaves none out that holds a match.  megaflows_tidy() makes them anew.  Writers
// hold "flow_lock"; PMDs read under RCU, with the lane's view that points here.
#ifndef PMD_SIEVE_H
#define PMD_SIEVE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/util.h"

enum {
    SIEVE_MIN_MASKS = 8, // with fewer, probing them is as good
    SIEVE_BYTES = 8,
};

struct dp_flow;
struct lane_view;

struct sieve {
    uint32_t n;              // bytes looked at; constant, as 'at' is
    uint8_t at[SIEVE_BYTES]; // where they are in words 1... of the key
    // Bit i: the view's subtable i.
    _Atomic uint64_t may[SIEVE_BYTES][256] CACHE_ALIGNED; /* control: w, pmd: r */
};

// Making one of a view's masks and their flows, in steps between which the lock may go; the bytes
// are those that tell most.  'n_words': of the lane's key after word 0.  What comes meanwhile is
// put in with sieve_work_add_*(); a mask that goes, taken out.
struct sieve_work;
struct sieve_work *sieve_begin(const struct lane_view *, const struct dp_flow *slab,
                               uint32_t n_words);
// Puts in so many flows; true: all are in.  With the lane's present view.
bool sieve_step(struct sieve_work *, const struct lane_view *, const struct dp_flow *slab,
                uint32_t n_flows);
// Frees the work.  NULL: no bytes rule out enough.
struct sieve *sieve_end(struct sieve_work *, uint32_t n_subtables);
void sieve_work_add_mask(struct sieve_work *, uint32_t i, const uint64_t *mask);
void sieve_work_add_flow(struct sieve_work *, uint32_t i, const uint64_t *mask,
                         const uint64_t *value);
void sieve_work_remove_mask(struct sieve_work *, uint32_t i);

// For view subtable 'i', whose bit was free.
void sieve_add_mask(struct sieve *, uint32_t i, const uint64_t *mask);
void sieve_add_flow(struct sieve *, uint32_t i, const uint64_t *mask, const uint64_t *value);
// A copy for a view that lacks subtable 'i'.
struct sieve *sieve_without(const struct sieve *, uint32_t i);

// Bits of subtables that may hold a match; 'w' are the packet's words after word 0.  Bits of masks
// that came after the caller's view may be set, too.
static inline uint64_t
sieve_subtables(const struct sieve *s, const uint64_t *w)
{
    const uint8_t *bytes = (const uint8_t *)w;
    uint64_t left = UINT64_MAX;

    for (uint32_t i = 0; i < s->n; i++) {
        left &= atomic_load_explicit(&s->may[i][bytes[s->at[i]]], memory_order_relaxed);
    }
    return left;
}

#endif
