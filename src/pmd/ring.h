// SPDX-License-Identifier: Apache-2.0
//
// rte_ring on ordinary memory: no EAL, no memzone, no name.  Any thread may enqueue and dequeue.
#ifndef PMD_RING_H
#define PMD_RING_H

#include <stdlib.h>

#include <rte_ring.h>

#include "base/util.h"

// Room for 'size' - 1 pointers; 'size' is a power of two.
static inline struct rte_ring *
ring_create(unsigned size, unsigned flags)
{
    struct rte_ring *r = xzalloc_cacheline(ROUND_UP((size_t) rte_ring_get_memsize(size), 64));

    if (rte_ring_init(r, "", size, flags)) {
        abort();
    }
    return r;
}

static inline void
ring_destroy(struct rte_ring *r)
{
    free(r);
}

#endif
