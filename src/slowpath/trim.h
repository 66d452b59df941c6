// SPDX-License-Identifier: Apache-2.0
/*
 * trim.h - when memory of megaflows that are gone is given back to the system.
 *
 * malloc() keeps what is freed, for the next ones.  When a great many megaflows have gone, and few
 * came since, it is told to let go.  That looks at every page that is free, arena by arena, with
 * the arena's lock held: for what a million megaflows leave some 20 ms of processor time, and
 * another thread's malloc() waited for up to 90 ms.  So it is done only while handlers have hardly
 * anything to do, and at most once a minute.
 */
#ifndef SLOWPATH_TRIM_H
#define SLOWPATH_TRIM_H 1

#include <stdbool.h>
#include <stdint.h>

enum {
    TRIM_FLOWS = 50000, /* fewer are some 15 MB: not worth it */
    TRIM_SHARE = 4,     /* few: a quarter of the most there were, or less */
    TRIM_WALKS = 6,     /* in a row with few: what was freed has had its grace period */
    TRIM_UPCALLS = 100, /* each second, more are traffic that is not to wait */
    TRIM_REST_MS = 60000,
};

struct trim {
    uint64_t most;      /* flows at once since the last time */
    uint64_t n_upcalls; /* at the last walk */
    int64_t last_ms;    /* when that was */
    int64_t next_ms;    /* memory is not given back before */
    unsigned n_walks;   /* in a row with few flows and upcalls */
};

/* After each walk over the table, which has 'n' flows; handlers have had 'n_upcalls', and it is
 * 'now_ms' by the monotonic clock.  True: now. */
bool trim_is_due(struct trim *, uint64_t n, uint64_t n_upcalls, int64_t now_ms);

#endif /* slowpath/trim.h */
