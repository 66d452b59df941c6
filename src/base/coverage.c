// SPDX-License-Identifier: Apache-2.0
/*
 * Coverage counters: a registry of names, an array of slots per thread, and the rates that
 * "coverage/show" prints.
 *
 * Threads that end fold their slots into 'retired' under the lock, so totals never fall.  Rates
 * come from samples that the main loop takes every 5 seconds: a ring of the last minute in 12
 * steps, and one of the last hour in 60.
 */
#include "base/coverage.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"

#define SAMPLE_MS 5000
#define MINUTE_SLOTS 12
#define HOUR_SLOTS 60

struct thread_slots {
    _Atomic uint64_t counts[COVERAGE_MAX]; /* owner: w, any: r */
    struct thread_slots *next;             /* Under 'lock'. */
} CACHE_ALIGNED;

struct history {
    uint64_t last_total;
    uint32_t minute[MINUTE_SLOTS]; /* Events in each 5 s. */
    uint32_t hour[HOUR_SLOTS];     /* Events in each minute. */
};

_Thread_local _Atomic uint64_t *coverage_slots;

static const char *const never[] = {
#define NEVER(NAME) #NAME,
#include "base/coverage_never.def"
#undef NEVER
};

static struct {
    pthread_mutex_t lock;
    pthread_once_t once;
    pthread_key_t key;
    struct coverage_counter *counters[COVERAGE_MAX]; /* By id; constructors: w */
    unsigned int n_counters;
    struct thread_slots *threads;
    uint64_t retired[COVERAGE_MAX];
    struct history history[COVERAGE_MAX];
    unsigned int n_samples;
    int64_t next_sample_ms;
} coverage = {.lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

/* Runs in constructors: one thread. */
void
coverage_register(struct coverage_counter *counter)
{
    for (unsigned int i = 0; i < coverage.n_counters; i++) {
        if (strcmp(coverage.counters[i]->name, counter->name) == 0) {
            counter->id = i;
            return;
        }
    }
    if (coverage.n_counters == COVERAGE_MAX) {
        abort();
    }
    counter->id = coverage.n_counters;
    coverage.counters[coverage.n_counters++] = counter;
}

static void
thread_exit(void *arg)
{
    struct thread_slots *slots = arg;

    coverage_slots = NULL;
    pthread_mutex_lock(&coverage.lock);
    for (unsigned int i = 0; i < coverage.n_counters; i++) {
        coverage.retired[i] += atomic_load_explicit(&slots->counts[i], memory_order_relaxed);
    }
    for (struct thread_slots **p = &coverage.threads; *p != NULL; p = &(*p)->next) {
        if (*p == slots) {
            *p = slots->next;
            break;
        }
    }
    pthread_mutex_unlock(&coverage.lock);
    free(slots);
}

static void
make_key(void)
{
    pthread_key_create(&coverage.key, thread_exit);
}

void
coverage_thread_init(void)
{
    if (coverage_slots != NULL) {
        return;
    }
    struct thread_slots *slots = xzalloc_cacheline(sizeof(*slots));
    pthread_once(&coverage.once, make_key);
    pthread_setspecific(coverage.key, slots);
    pthread_mutex_lock(&coverage.lock);
    slots->next = coverage.threads;
    coverage.threads = slots;
    pthread_mutex_unlock(&coverage.lock);
    coverage_slots = slots->counts;
}

/* Needs the lock. */
static uint64_t
total_of(unsigned int id)
{
    uint64_t total = coverage.retired[id];

    for (const struct thread_slots *t = coverage.threads; t != NULL; t = t->next) {
        total += atomic_load_explicit(&t->counts[id], memory_order_relaxed);
    }
    return total;
}

bool
coverage_read(const char *name, uint64_t *total)
{
    bool found = false;

    pthread_mutex_lock(&coverage.lock);
    for (unsigned int i = 0; i < coverage.n_counters && !found; i++) {
        if (strcmp(coverage.counters[i]->name, name) == 0) {
            *total = total_of(i);
            found = true;
        }
    }
    pthread_mutex_unlock(&coverage.lock);
    for (size_t i = 0; i < ARRAY_SIZE(never) && !found; i++) {
        if (strcmp(never[i], name) == 0) {
            *total = 0;
            found = true;
        }
    }
    return found;
}

static void
take_sample(unsigned int n_steps)
{
    for (unsigned int i = 0; i < coverage.n_counters; i++) {
        struct history *h = &coverage.history[i];
        uint64_t total = total_of(i);
        uint32_t delta = (uint32_t)MIN(total - h->last_total, (uint64_t)UINT32_MAX);

        h->last_total = total;
        /* What happened in a gap counts as if spread over it. */
        for (unsigned int step = 0; step < n_steps; step++) {
            unsigned int sample = coverage.n_samples + step;
            unsigned int minute = sample / MINUTE_SLOTS % HOUR_SLOTS;
            uint32_t share = delta / n_steps + (step < delta % n_steps);

            h->minute[sample % MINUTE_SLOTS] = share;
            h->hour[minute] = (sample % MINUTE_SLOTS == 0 ? 0 : h->hour[minute]) + share;
        }
    }
    coverage.n_samples += n_steps;
}

void
coverage_run(void)
{
    int64_t now = clock_now_ms();

    pthread_mutex_lock(&coverage.lock);
    if (coverage.next_sample_ms == 0) {
        coverage.next_sample_ms = now + SAMPLE_MS;
    } else if (now >= coverage.next_sample_ms) {
        int64_t n_steps = 1 + (now - coverage.next_sample_ms) / SAMPLE_MS;
        coverage.next_sample_ms += n_steps * SAMPLE_MS;
        take_sample((unsigned int)MIN(n_steps, (int64_t)MINUTE_SLOTS * HOUR_SLOTS));
    }
    pthread_mutex_unlock(&coverage.lock);
}

static uint64_t
sum(const uint32_t *slots, unsigned int n)
{
    uint64_t total = 0;

    for (unsigned int i = 0; i < n; i++) {
        total += slots[i];
    }
    return total;
}

static int
compare_ids(const void *a, const void *b)
{
    const unsigned int *x = a;
    const unsigned int *y = b;

    return strcmp(coverage.counters[*x]->name, coverage.counters[*y]->name);
}

/* Tells two runs apart by which events they hit and roughly how often. */
static uint32_t
fingerprint(const unsigned int *ids, const uint64_t *totals, unsigned int n)
{
    uint32_t hash = 0;

    for (unsigned int i = 0; i < n; i++) {
        unsigned int log2 =
            totals[ids[i]] ? 64u - (unsigned int)__builtin_clzll(totals[ids[i]]) : 0;
        for (const char *s = coverage.counters[ids[i]]->name; *s != '\0'; s++) {
            hash = (hash ^ (uint8_t)*s) * 16777619u;
        }
        hash = (hash ^ log2) * 16777619u;
    }
    return hash;
}

static void
show_counter(struct str *out, unsigned int id, uint64_t total)
{
    const struct history *h = &coverage.history[id];
    unsigned int last = (coverage.n_samples + MINUTE_SLOTS - 1) % MINUTE_SLOTS;
    double rate_5s = coverage.n_samples ? h->minute[last] / 5.0 : 0.0;

    str_printf(out, "%-24s %5.1f/sec %9.3f/sec %13.4f/sec   total: %" PRIu64 "\n",
               coverage.counters[id]->name, rate_5s, (double)sum(h->minute, MINUTE_SLOTS) / 60.0,
               (double)sum(h->hour, HOUR_SLOTS) / 3600.0, total);
}

void
coverage_show(struct str *out)
{
    unsigned int ids[COVERAGE_MAX];
    uint64_t totals[COVERAGE_MAX];
    unsigned int n_never = ARRAY_SIZE(never);

    pthread_mutex_lock(&coverage.lock);
    unsigned int n = coverage.n_counters;
    for (unsigned int i = 0; i < n; i++) {
        ids[i] = i;
        totals[i] = total_of(i);
    }
    qsort(ids, n, sizeof(ids[0]), compare_ids);
    str_printf(out,
               "Event coverage, avg rate over last: %d seconds, last minute, last hour,  "
               "hash=%08" PRIx32 ":\n",
               SAMPLE_MS / 1000, fingerprint(ids, totals, n));
    for (unsigned int i = 0; i < n; i++) {
        if (totals[ids[i]] > 0) {
            show_counter(out, ids[i], totals[ids[i]]);
        } else {
            n_never++;
        }
    }
    pthread_mutex_unlock(&coverage.lock);
    str_printf(out, "%u events never hit\n", n_never);
}
