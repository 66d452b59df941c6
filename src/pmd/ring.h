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
    struct rte_ring *r = xzalloc_cacheline(ROUND_UP((size_t)rte_ring_get_memsize(size), 64));

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

// ThreadSanitizer does not see the ordering inside rte_ring: say it.
#ifdef __SANITIZE_THREAD__
void __tsan_acquire(void *);
void __tsan_release(void *);
#define RING_ACQUIRE(R) __tsan_acquire(R)
#define RING_RELEASE(R) __tsan_release(R)
#else
#define RING_ACQUIRE(R) ((void)0)
#define RING_RELEASE(R) ((void)0)
#endif

// False: full.
static inline bool
ring_put(struct rte_ring *r, void *p)
{
    RING_RELEASE(r);
    return !rte_ring_enqueue(r, p);
}

// All of them, for which there is room.
static inline void
ring_put_all(struct rte_ring *r, void *const *p, unsigned n)
{
    RING_RELEASE(r);
    rte_ring_enqueue_bulk(r, p, n, NULL);
}

// NULL: empty.
static inline void *
ring_take(struct rte_ring *r)
{
    void *p = NULL;

    if (rte_ring_dequeue(r, &p)) {
        return NULL;
    }
    RING_ACQUIRE(r);
    return p;
}

static inline unsigned
ring_take_burst(struct rte_ring *r, void **p, unsigned max)
{
    unsigned n = rte_ring_dequeue_burst(r, p, max, NULL);

    RING_ACQUIRE(r);
    return n;
}

#endif
