// SPDX-License-Identifier: Apache-2.0
/*
 * pace.h - when changes are followed that nobody waits for.
 *
 * A stream of rules without barriers must not keep a core busy following each of them: after some
 * work of that kind there is a rest in proportion to it, and what comes meanwhile is followed
 * together.  A barrier ends the rest.  The clock is the real one: a test that stops time does not
 * stop this.
 */
#ifndef SLOWPATH_PACE_H
#define SLOWPATH_PACE_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum {
    PACE_REST_FACTOR = 4, /* following takes a fifth of the time at most */
    PACE_REST_MIN_MS = 10,
    PACE_REST_MAX_MS = 250, /* whatever the factor */
};

struct pace {
    _Atomic int64_t rest_until_ns; /* w revalidators' leader, main, under pass_lock; r both */
};

/* Nanoseconds since some time in the past. */
int64_t pace_now_ns(void);
/* Work that began at 'began_ns' is over: the rest begins, 'factor' times as long, at least
 * 'min_ms'. */
void pace_worked(struct pace *, int64_t began_ns, unsigned factor, int min_ms);
bool pace_rests(const struct pace *);
/* The end of the rest, or 'other', whatever comes first; CLOCK_MONOTONIC. */
struct timespec pace_or(const struct pace *, struct timespec other);

#endif /* slowpath/pace.h */
