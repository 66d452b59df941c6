// SPDX-License-Identifier: Apache-2.0
/*
 * trim.h - when memory of megaflows that are gone is given back to the system.
 *
 * malloc() keeps what is freed, for the next ones.  When a great many megaflows have gone, and few
 * came since, it is told to let go; that takes its locks for some milliseconds.
 */
#ifndef SLOWPATH_TRIM_H
#define SLOWPATH_TRIM_H 1

#include <stdbool.h>
#include <stdint.h>

enum {
    TRIM_FLOWS = 50000, /* fewer are some 15 MB: not worth it */
    TRIM_SHARE = 4,     /* few: a quarter of the most there were, or less */
    TRIM_WALKS = 6,     /* in a row with few: what was freed has had its grace period */
};

struct trim {
    uint64_t most;    /* flows at once since the last time */
    unsigned n_walks; /* in a row with few */
};

/* After each walk over the table, which has 'n' flows.  True: now. */
bool trim_is_due(struct trim *, uint64_t n);

#endif /* slowpath/trim.h */
