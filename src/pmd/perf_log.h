// SPDX-License-Identifier: Apache-2.0
//
// dpif-netdev/pmd-perf-log-set: iterations that took too long, or found a guest's queue too full,
// are logged with their neighbours.  The PMD copies records when the last neighbour is over; the
// keeper writes them to the log.
#ifndef PMD_PERF_LOG_H
#define PMD_PERF_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { PERF_LOG_MAX_SIDE = 100, PERF_LOG_MAX = 4 * PERF_LOG_MAX_SIDE };

// One iteration, or the sum of those of one millisecond.
struct perf_record {
    uint64_t tsc;
    uint64_t number; // of an iteration, counted from the start of the thread's history
    uint64_t cycles;
    uint32_t n_its;
    uint32_t n_packets;
    uint32_t n_upcalls;
    uint32_t n_batches; // received
    uint32_t max_vhost_qlen;
    uint64_t upcall_cycles;
};

// What is suspicious, and how much of its neighbourhood to show.
struct perf_log_settings {
    bool on, extend;
    uint32_t before, after; // iterations
    uint32_t us;            // longer than that
    uint32_t qlen;          // more frames than that in a guest's queue
};

enum perf_log_reason { PERF_LOG_TIME, PERF_LOG_QLEN };

struct perf_log {
    _Atomic bool on, extend; /* main: w, pmd: r, like the four that follow */
    _Atomic uint32_t before, after, us, qlen;
    _Atomic uint64_t cycles;       // 'us' in cycles
    uint32_t wait;                 // pmd: iterations until the copy is due; 0: none is
    uint64_t culprit;              // pmd: index of the suspicious one
    enum perf_log_reason reason;   // pmd
    _Atomic uint64_t n_suspicious; /* pmd: w, all: r */
    // From the PMD to the keeper: the members below belong to the keeper while 'ready'.
    _Atomic bool ready;
    enum perf_log_reason copy_reason;
    uint32_t n, n_before;
    struct perf_record copy[PERF_LOG_MAX]; // oldest first
};

extern const struct perf_log_settings perf_log_defaults;

struct pmd;
void perf_log_set(struct perf_log *, const struct perf_log_settings *);
// PMD, after an iteration: 'history' has 'size' slots, that of iteration i is i % size.
void perf_log_note(struct perf_log *, const struct perf_record *history, uint32_t size,
                   uint64_t idx);
// Keeper: writes what is ready.
void perf_log_run(const struct pmd *, struct perf_log *);

#endif
