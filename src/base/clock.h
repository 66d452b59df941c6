// SPDX-License-Identifier: Apache-2.0
/*
 * Time: a monotonic millisecond clock that tests can stop and move ("time/stop", "time/warp"), the
 * wall clock, and the CPU's cycle counter.
 *
 * Everything with a meaning for users (timeouts, aging, statistics' intervals) uses clock_now_ms(),
 * so that a test can move it.  Cost accounting uses clock_tsc().  All functions are thread safe.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_cycles.h>

/* Milliseconds since some time in the past; never goes back. */
int64_t clock_now_ms(void);
/* Microseconds of the same clock. */
int64_t clock_now_us(void);
/* Milliseconds since 1970 UTC, not warped. */
int64_t clock_wall_ms(void);
/* Milliseconds of clock_now_ms() that a real wait until 'deadline_ms' must take: -1 when the clock
 * is stopped and the deadline is ahead (only a warp gets there), 0 when it has passed. */
int64_t clock_until_ms(int64_t deadline_ms);

/* Freezes clock_now_ms(); clock_warp() moves it ahead, frozen or not. */
void clock_stop(void);
void clock_warp(int64_t ms);
bool clock_is_stopped(void);

/* 'fn' runs after each clock_warp() and clock_stop(), in the caller's thread: the event loops use
 * it to look at their timers again. */
typedef void clock_warp_fn(void *arg);
void clock_add_warp_hook(clock_warp_fn *fn, void *arg);
void clock_del_warp_hook(clock_warp_fn *fn, void *arg);

static inline uint64_t
clock_tsc(void)
{
    return rte_rdtsc();
}

/* Begins to measure the TSC, so that clock_tsc_hz() need not wait later.  Before there are threads;
 * may be left out. */
void clock_start(void);

/* Cycles per second of clock_tsc(); measured once, over 20 ms or more since clock_start(). */
uint64_t clock_tsc_hz(void);

/* "YYYY-MM-DDTHH:MM:SS.mmmZ" of a wall time. */
struct str;
void clock_format_utc(struct str *out, int64_t wall_ms);

#endif
