// SPDX-License-Identifier: Apache-2.0
//
// Histograms and history of a PMD's iterations (see perf.h).  perf_end_iteration() runs on the PMD,
// and only with pmd-perf-metrics; the rest on main.
#include "pmd/perf.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"

// Walls of the bins, as in Open vSwitch: in equal ratios from 'min' to 'max'.
// Each wall is above the one before, so that small counts have bins of their own.
static void
histogram_init_log(struct perf_histogram *h, uint32_t min, uint32_t max)
{
    unsigned first = min == 0, n = PERF_BINS - 1 - first;
    double from = log(MAX(min, 1u)), step = (log(max) - from) / (n - 1);
    uint32_t above = min == 0;

    h->wall[0] = min;
    for (unsigned i = 0; i + 1 < n; i++) {
        h->wall[first + i] = MAX(above, (uint32_t)exp(from + step * i));
        above = h->wall[first + i] + 1;
    }
    h->wall[PERF_BINS - 2] = max;
    h->wall[PERF_BINS - 1] = UINT32_MAX;
}

static void
histogram_init_linear(struct perf_histogram *h, uint32_t min, uint32_t max)
{
    for (unsigned i = 0; i < PERF_BINS - 1; i++) {
        h->wall[i] = min + (uint32_t)((uint64_t)(max - min) * i / (PERF_BINS - 2));
    }
    h->wall[PERF_BINS - 1] = UINT32_MAX;
}

static void
histogram_add(struct perf_histogram *h, uint32_t value)
{
    unsigned lo = 0, hi = PERF_BINS - 1;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (value <= h->wall[mid]) {
            hi = mid;
        } else {
            lo = mid + 1;
        }
    }
    uint64_t n = atomic_load_explicit(&h->bin[lo], memory_order_relaxed);
    atomic_store_explicit(&h->bin[lo], n + 1, memory_order_relaxed);
}

void
perf_note_batch(struct pmd_perf *p, uint32_t n)
{
    if (UNLIKELY(atomic_load_explicit(&p->is_new, memory_order_relaxed))) {
        return;
    }
    p->current.n_batches++;
    histogram_add(&p->histogram[PERF_PKTS_PER_BATCH], n);
}

void
perf_init(struct pmd_perf *p)
{
    histogram_init_log(&p->histogram[PERF_CYCLES_PER_IT], 500, 24000000);
    histogram_init_log(&p->histogram[PERF_PKTS_PER_IT], 0, 1000);
    histogram_init_linear(&p->histogram[PERF_CYCLES_PER_PKT], 100, 30000);
    histogram_init_linear(&p->histogram[PERF_PKTS_PER_BATCH], 0, 32);
    histogram_init_log(&p->histogram[PERF_MAX_VHOST_QLEN], 0, 512);
    histogram_init_log(&p->histogram[PERF_UPCALLS_PER_IT], 0, 30);
    histogram_init_log(&p->histogram[PERF_CYCLES_PER_UPCALL], 1000, 1000000);
    p->cleared_ms = clock_now_ms();
}

// The owner clears what only it writes, in its next iteration.
void
perf_clear(struct pmd_perf *p, int64_t now_ms)
{
    for (unsigned i = 0; i < PMD_N_STATS; i++) {
        p->cleared[i] = atomic_load_explicit(&p->stat[i], memory_order_relaxed);
    }
    p->cleared_ms = now_ms;
    atomic_store(&p->clear_wanted, true);
}

static void
total_add(_Atomic uint64_t *total, uint64_t n)
{
    uint64_t value = atomic_load_explicit(total, memory_order_relaxed);
    atomic_store_explicit(total, value + n, memory_order_relaxed);
}

static void
totals_add(struct perf_totals *t, const struct perf_record *r, bool busy)
{
    total_add(&t->its, 1);
    total_add(&t->cycles, r->cycles);
    total_add(&t->busy_cycles, busy ? r->cycles : 0);
    total_add(&t->packets, r->n_packets);
    total_add(&t->batches, r->n_batches);
    total_add(&t->upcalls, r->n_upcalls);
    total_add(&t->upcall_cycles, r->upcall_cycles);
    total_add(&t->vhost_qlen, r->max_vhost_qlen);
}

static void
totals_clear(struct perf_totals *t)
{
    _Atomic uint64_t *const all[] = {&t->its,     &t->cycles,  &t->busy_cycles,   &t->packets,
                                     &t->batches, &t->upcalls, &t->upcall_cycles, &t->vhost_qlen};

    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        atomic_store_explicit(all[i], 0, memory_order_relaxed);
    }
}

void
perf_set_detailed(struct pmd_perf *p, bool detailed)
{
    if (detailed && !atomic_load(&p->detailed)) {
        atomic_store(&p->is_new, true);
    }
    atomic_store(&p->detailed, detailed);
}

static void
perf_clear_histograms(struct pmd_perf *p)
{
    for (unsigned i = 0; i < PERF_N_HISTOGRAMS; i++) {
        for (unsigned j = 0; j < PERF_BINS; j++) {
            atomic_store_explicit(&p->histogram[i].bin[j], 0, memory_order_relaxed);
        }
    }
    for (unsigned i = 0; i < PERF_N_STAGES; i++) {
        atomic_store_explicit(&p->stage[i].cycles, 0, memory_order_relaxed);
        atomic_store_explicit(&p->stage[i].n_packets, 0, memory_order_relaxed);
    }
    totals_clear(&p->totals);
    memset(p->iterations, 0, sizeof p->iterations);
    memset(p->milliseconds, 0, sizeof p->milliseconds);
}

static void
perf_sample(struct pmd_perf *p, const struct perf_record *r)
{
    histogram_add(&p->histogram[PERF_CYCLES_PER_IT], (uint32_t)MIN(r->cycles, UINT32_MAX));
    histogram_add(&p->histogram[PERF_PKTS_PER_IT], r->n_packets);
    if (r->n_packets) {
        histogram_add(&p->histogram[PERF_CYCLES_PER_PKT],
                      (uint32_t)MIN(r->cycles / r->n_packets, UINT32_MAX));
    }
    histogram_add(&p->histogram[PERF_UPCALLS_PER_IT], r->n_upcalls);
    histogram_add(&p->histogram[PERF_MAX_VHOST_QLEN], r->max_vhost_qlen);
    if (r->n_upcalls) {
        histogram_add(&p->histogram[PERF_CYCLES_PER_UPCALL],
                      (uint32_t)MIN(r->upcall_cycles / r->n_upcalls, UINT32_MAX));
    }
}

static void
perf_note_millisecond(struct pmd_perf *p, const struct perf_record *r)
{
    uint64_t idx = atomic_load_explicit(&p->millisecond_idx, memory_order_relaxed);
    struct perf_record *ms = &p->milliseconds[idx % PERF_HISTORY];

    if (r->tsc - ms->tsc > clock_tsc_hz() / 1000 || !ms->tsc) {
        ms = &p->milliseconds[(idx + 1) % PERF_HISTORY];
        *ms = (struct perf_record){.tsc = r->tsc};
        atomic_store_explicit(&p->millisecond_idx, idx + 1, memory_order_release);
    }
    ms->cycles += r->cycles;
    ms->n_its++;
    ms->n_packets += r->n_packets;
    ms->n_upcalls += r->n_upcalls;
    ms->n_batches += r->n_batches;
    ms->upcall_cycles += r->upcall_cycles;
    ms->max_vhost_qlen = MAX(ms->max_vhost_qlen, r->max_vhost_qlen);
}

void
perf_end_iteration(struct pmd_perf *p, uint64_t tsc, uint64_t cycles, uint32_t n_packets, bool busy)
{
    struct perf_record *r = &p->current;
    uint64_t idx = atomic_load_explicit(&p->iteration_idx, memory_order_relaxed) + 1;

    if (UNLIKELY(atomic_exchange(&p->clear_wanted, false))) {
        perf_clear_histograms(p);
    }
    // What 'current' holds is of the time without metrics, too.
    if (UNLIKELY(atomic_load_explicit(&p->is_new, memory_order_relaxed))) {
        atomic_store_explicit(&p->is_new, false, memory_order_relaxed);
        memset(r, 0, sizeof *r);
        return;
    }
    r->tsc = tsc;
    r->cycles = cycles;
    r->n_packets = n_packets;
    r->n_its = 1;
    r->number = idx;
    totals_add(&p->totals, r, busy);
    perf_sample(p, r);
    perf_note_millisecond(p, r);
    p->iterations[idx % PERF_HISTORY] = *r;
    atomic_store_explicit(&p->iteration_idx, idx, memory_order_release);
    if (UNLIKELY(atomic_load_explicit(&p->log.on, memory_order_relaxed))) {
        perf_log_note(&p->log, p->iterations, PERF_HISTORY, idx);
    }
    memset(r, 0, sizeof *r);
}
