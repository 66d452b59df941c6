// SPDX-License-Identifier: Apache-2.0
/*
 * pace.c - see pace.h.
 */
#include "slowpath/pace.h"

#include "base/util.h"

enum { NS_PER_MS = 1000000 };
#define NS_PER_S INT64_C(1000000000)

static int64_t
timespec_ns(const struct timespec *t)
{
    return t->tv_sec * NS_PER_S + t->tv_nsec;
}

int64_t
pace_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return timespec_ns(&t);
}

void
pace_worked(struct pace *p, int64_t began_ns, unsigned factor, int min_ms)
{
    int64_t now = pace_now_ns();
    int64_t rest = (now - began_ns) * factor;

    rest = MAX(rest, (int64_t)min_ms * NS_PER_MS);
    rest = MIN(rest, (int64_t)PACE_REST_MAX_MS * NS_PER_MS);
    atomic_store_explicit(&p->rest_until_ns, now + rest, memory_order_relaxed);
}

bool
pace_rests(const struct pace *p)
{
    return pace_now_ns() < atomic_load_explicit(&p->rest_until_ns, memory_order_relaxed);
}

struct timespec
pace_or(const struct pace *p, struct timespec other)
{
    int64_t until = atomic_load_explicit(&p->rest_until_ns, memory_order_relaxed);

    if (until >= timespec_ns(&other)) {
        return other;
    }
    return (struct timespec){.tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S};
}
