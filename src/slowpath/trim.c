// SPDX-License-Identifier: Apache-2.0
/*
 * trim.c - see trim.h.
 */
#include "slowpath/trim.h"

#include "base/util.h"

bool
trim_is_due(struct trim *t, uint64_t n)
{
    t->most = MAX(t->most, n);
    if (t->most - n < TRIM_FLOWS || n > t->most / TRIM_SHARE) {
        t->n_walks = 0;
        return false;
    }
    if (++t->n_walks < TRIM_WALKS) {
        return false;
    }
    t->most = n;
    t->n_walks = 0;
    return true;
}
