// SPDX-License-Identifier: Apache-2.0
/*
 * The warpable monotonic clock.  now = (stopped ? time of the stop : CLOCK_MONOTONIC) + warp; both
 * parts are atomics, so any thread reads the clock without a lock.
 */
#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"

struct warp_hook {
    clock_warp_fn *fn;
    void *arg;
    struct warp_hook *next;
};

static struct {
    _Atomic int64_t warp_us;
    _Atomic int64_t stopped_us; /* 0: running */
    _Atomic uint64_t tsc_hz;
    int64_t base_ns;      /* Where the measurement of the TSC begins; 0: not yet.  Written by */
    uint64_t base_tsc;    /* clock_start(), before there are threads. */
    pthread_mutex_t lock; /* Guards 'hooks'. */
    struct warp_hook *hooks;
} clock_state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int64_t
monotonic_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_now_us(void)
{
    int64_t stopped = atomic_load_explicit(&clock_state.stopped_us, memory_order_acquire);
    int64_t warp = atomic_load_explicit(&clock_state.warp_us, memory_order_relaxed);

    return (stopped ? stopped : monotonic_us()) + warp;
}

int64_t
clock_now_ms(void)
{
    return clock_now_us() / 1000;
}

int64_t
clock_wall_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

bool
clock_is_stopped(void)
{
    return atomic_load_explicit(&clock_state.stopped_us, memory_order_acquire) != 0;
}

int64_t
clock_until_ms(int64_t deadline_ms)
{
    int64_t now_us = clock_now_us();

    if (deadline_ms <= now_us / 1000) {
        return 0;
    }
    /* Rounded up, so that the deadline has passed on this clock once the wait is over. */
    return clock_is_stopped() ? -1 : (deadline_ms * 1000 - now_us + 999) / 1000;
}

static void
run_hooks(void)
{
    pthread_mutex_lock(&clock_state.lock);
    for (struct warp_hook *h = clock_state.hooks; h != NULL; h = h->next) {
        h->fn(h->arg);
    }
    pthread_mutex_unlock(&clock_state.lock);
}

void
clock_stop(void)
{
    int64_t running = 0;

    atomic_compare_exchange_strong(&clock_state.stopped_us, &running, monotonic_us());
    run_hooks();
}

void
clock_warp(int64_t ms)
{
    atomic_fetch_add_explicit(&clock_state.warp_us, ms * 1000, memory_order_acq_rel);
    run_hooks();
}

void
clock_add_warp_hook(clock_warp_fn *fn, void *arg)
{
    struct warp_hook *hook = xmalloc(sizeof(*hook));

    pthread_mutex_lock(&clock_state.lock);
    *hook = (struct warp_hook){.fn = fn, .arg = arg, .next = clock_state.hooks};
    clock_state.hooks = hook;
    pthread_mutex_unlock(&clock_state.lock);
}

void
clock_del_warp_hook(clock_warp_fn *fn, void *arg)
{
    pthread_mutex_lock(&clock_state.lock);
    for (struct warp_hook **p = &clock_state.hooks; *p != NULL; p = &(*p)->next) {
        if ((*p)->fn == fn && (*p)->arg == arg) {
            struct warp_hook *gone = *p;
            *p = gone->next;
            free(gone);
            break;
        }
    }
    pthread_mutex_unlock(&clock_state.lock);
}

static int64_t
monotonic_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Long enough that a pair's uncertainty (some 20 ns) does not show. */
#define CALIBRATION_NS 20000000

/* The shortest of several read pairs: a preemption between the two would spoil the ratio. */
static void
read_pair(int64_t *ns, uint64_t *tsc)
{
    uint64_t best = UINT64_MAX;

    for (int i = 0; i < 16; i++) {
        uint64_t before = clock_tsc();
        int64_t now = monotonic_ns();
        uint64_t after = clock_tsc();

        if (after - before < best) {
            best = after - before;
            *ns = now;
            *tsc = before + (after - before) / 2;
        }
    }
}

void
clock_start(void)
{
    read_pair(&clock_state.base_ns, &clock_state.base_tsc);
}

uint64_t
clock_tsc_hz(void)
{
    uint64_t hz = atomic_load_explicit(&clock_state.tsc_hz, memory_order_relaxed);
    int64_t ns0 = clock_state.base_ns, ns1 = 0;
    uint64_t tsc0 = clock_state.base_tsc, tsc1 = 0;

    if (hz == 0) {
        if (ns0 == 0) {
            read_pair(&ns0, &tsc0);
        }
        int64_t passed_ns = monotonic_ns() - ns0;
        if (passed_ns < CALIBRATION_NS) {
            usleep((useconds_t)((CALIBRATION_NS - passed_ns) / 1000));
        }
        read_pair(&ns1, &tsc1);
        hz = (uint64_t)((double)(tsc1 - tsc0) * 1e9 / (double)(ns1 - ns0));
        atomic_store_explicit(&clock_state.tsc_hz, hz, memory_order_relaxed);
    }
    return hz;
}

void
clock_format_utc(struct str *out, int64_t wall_ms)
{
    time_t seconds = wall_ms / 1000;
    struct tm tm;
    char text[32];

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    str_printf(out, "%s.%03dZ", text, (int)(wall_ms % 1000));
}
