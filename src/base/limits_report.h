// SPDX-License-Identifier: Apache-2.0
/*
 * What "dpif-netdev/limits-show" prints: each bounded thing, how full it is and was, and how often
 * its bound was met.  Subsystems above the datapath register a provider that puts theirs.
 *
 * Main thread only, but for limit_note().
 */
#ifndef BASE_LIMITS_REPORT_H
#define BASE_LIMITS_REPORT_H

#include <stdatomic.h>

#include "base/str.h"

struct limit {
    const char *name; /* what is counted: "ports" */
    const char *of;   /* whose: "br0", or NULL */
    uint64_t now, most, max;
    const char *beyond; /* what became of those beyond 'max': "refused", "dropped" */
    uint64_t n_beyond;
};

/* Adds the line "NAME, OF: NOW of MAX, most MOST, BEYOND N". */
void limit_put(struct str *out, const struct limit *);

typedef void limits_fn(struct str *out, void *aux);
void limits_register(limits_fn *fn, void *aux);
void limits_unregister(limits_fn *fn, void *aux);
/* Calls all providers in the order in which they registered. */
void limits_put_all(struct str *out);

/* Keeps the largest 'now' that it was told.  Writers at the same time may lose one to the other. */
static inline void
limit_note(_Atomic uint64_t *most, uint64_t now)
{
    if (UNLIKELY(atomic_load_explicit(most, memory_order_relaxed) < now)) {
        atomic_store_explicit(most, now, memory_order_relaxed);
    }
}

#endif
