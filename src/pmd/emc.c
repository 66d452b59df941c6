// SPDX-License-Identifier: Apache-2.0
//
// The words of an exact-match cache (see cache.h): making and freeing, main thread.  What a PMD
// does with them stands in input.c.
#include "pmd/cache.h"

#include <stdlib.h>

#include "pmd/huge.h"

struct emc_table *
emc_table_create(uint32_t n_entries)
{
    // The PMD counts in it: a line of its own.
    struct emc_table *t = xzalloc_cacheline(sizeof *t);

    t->n_entries = n_entries;
    t->w = huge_map(n_entries * sizeof *t->w);
    return t;
}

void
emc_table_free(void *table)
{
    struct emc_table *t = table;

    if (t) {
        huge_unmap(t->w, t->n_entries * sizeof *t->w);
        free(t);
    }
}
