// SPDX-License-Identifier: Apache-2.0
/*
 * trim.c - see trim.h.
 */
#include "slowpath/trim.h"

#include "base/util.h"

/* Had handlers something to do since the last walk? */
static bool
handlers_were_busy(const struct trim *t, uint64_t n_upcalls, int64_t now_ms)
{
    uint64_t ms =
        (uint64_t)MAX(now_ms - t->last_ms, (int64_t)100); /* a few at once are no traffic */

    return (n_upcalls - t->n_upcalls) * 1000 > TRIM_UPCALLS * ms;
}

bool
trim_is_due(struct trim *t, uint64_t n, uint64_t n_upcalls, int64_t now_ms)
{
    bool is_busy = handlers_were_busy(t, n_upcalls, now_ms);

    t->most = MAX(t->most, n);
    t->n_upcalls = n_upcalls;
    t->last_ms = now_ms;
    if (is_busy || t->most - n < TRIM_FLOWS || n > t->most / TRIM_SHARE) {
        t->n_walks = 0;
        return false;
    }
    if (++t->n_walks < TRIM_WALKS || now_ms < t->next_ms) {
        return false;
    }
    t->most = n;
    t->n_walks = 0;
    t->next_ms = now_ms + TRIM_REST_MS;
    return true;
}
