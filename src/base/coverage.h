// SPDX-License-Identifier: Apache-2.0
/*
 * Counters of events, cheap enough for the fast path: each thread has its own slots, readers sum.
 *
 * COVERAGE_DEFINE(name) once per file and counter (several files may define the same name: they are
 * summed), then coverage_inc(name) anywhere in that file.  "coverage/show" prints totals and rates.
 */
#ifndef BASE_COVERAGE_H
#define BASE_COVERAGE_H

#include <stdatomic.h>

#include "base/str.h"

#define COVERAGE_MAX 1024

struct coverage_counter {
    const char *name;
    unsigned int id; /* Slot in each thread's array; constant once main() runs. */
};

void coverage_register(struct coverage_counter *counter);

#define COVERAGE_DEFINE(NAME)                                                 \
    static struct coverage_counter coverage_counter_##NAME = {.name = #NAME}; \
    __attribute__((constructor)) static void coverage_register_##NAME(void)   \
    {                                                                         \
        coverage_register(&coverage_counter_##NAME);                          \
    }                                                                         \
    extern int coverage_needs_semicolon_##NAME

/* This thread's slots; NULL until coverage_thread_init().  owner: w, readers of totals: r */
extern _Thread_local _Atomic uint64_t *coverage_slots;

/* Gives this thread its slots; thread_create() does it.  Other threads get theirs at first use. */
void coverage_thread_init(void);

static inline void
coverage_add_id(unsigned int id, uint64_t n)
{
    if (UNLIKELY(coverage_slots == NULL)) {
        coverage_thread_init();
    }
    _Atomic uint64_t *slot = &coverage_slots[id];
    atomic_store_explicit(slot, atomic_load_explicit(slot, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

#define coverage_inc(NAME) coverage_add_id(coverage_counter_##NAME.id, 1)
#define coverage_add(NAME, N) coverage_add_id(coverage_counter_##NAME.id, N)

/* Total of a counter by name; false when there is none.  0 for those of coverage_never.def. */
bool coverage_read(const char *name, uint64_t *total);
/* The text of "coverage/show". */
void coverage_show(struct str *out);
/* Samples the rates; the main loop calls it every 5 s of clock_now_ms(). */
void coverage_run(void);

#endif
