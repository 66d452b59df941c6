// SPDX-License-Identifier: Apache-2.0
//
// Logging of suspicious iterations (see perf_log.h).
#include "pmd/perf_log.h"

#include "base/clock.h"
#include "base/log.h"
#include "pmd/pmd.h"
#include "pmd/pmd_ctl.h"

LOG_MODULE(dpif_netdev);

const struct perf_log_settings perf_log_defaults = {
    .before = 5, .after = 5, .us = 250, .qlen = 128};

void
perf_log_set(struct perf_log *log, const struct perf_log_settings *set)
{
    atomic_store(&log->extend, set->extend);
    atomic_store(&log->before, MIN(set->before, (uint32_t)PERF_LOG_MAX_SIDE));
    atomic_store(&log->after, MIN(set->after, (uint32_t)PERF_LOG_MAX_SIDE));
    atomic_store(&log->us, set->us);
    atomic_store(&log->qlen, set->qlen);
    atomic_store(&log->cycles, (uint64_t)set->us * (clock_tsc_hz() / 1000000));
    atomic_store(&log->on, set->on);
}

// --- on the PMD -----------------------------------------------------------------------------

static bool
is_suspicious(const struct perf_log *log, const struct perf_record *r, enum perf_log_reason *why)
{
    if (r->cycles > atomic_load_explicit(&log->cycles, memory_order_relaxed)) {
        *why = PERF_LOG_TIME;
        return true;
    }
    if (r->max_vhost_qlen > atomic_load_explicit(&log->qlen, memory_order_relaxed)) {
        *why = PERF_LOG_QLEN;
        return true;
    }
    return false;
}

static void
copy_neighbourhood(struct perf_log *log, const struct perf_record *history, uint32_t size,
                   uint64_t idx)
{
    uint32_t before = atomic_load_explicit(&log->before, memory_order_relaxed);

    // The first record has index 1.
    log->n_before = (uint32_t)MIN((uint64_t)before, log->culprit - 1);
    log->n = (uint32_t)MIN(idx - log->culprit + log->n_before + 1, (uint64_t)PERF_LOG_MAX);
    for (uint32_t i = 0; i < log->n; i++) {
        log->copy[i] = history[(log->culprit - log->n_before + i) % size];
    }
    log->copy_reason = log->reason;
    atomic_store_explicit(&log->ready, true, memory_order_release);
}

void
perf_log_note(struct perf_log *log, const struct perf_record *history, uint32_t size, uint64_t idx)
{
    enum perf_log_reason why;
    uint32_t after = atomic_load_explicit(&log->after, memory_order_relaxed);

    if (is_suspicious(log, &history[idx % size], &why)) {
        uint64_t n = atomic_load_explicit(&log->n_suspicious, memory_order_relaxed);
        atomic_store_explicit(&log->n_suspicious, n + 1, memory_order_relaxed);
        if (!log->wait && !atomic_load_explicit(&log->ready, memory_order_acquire)) {
            log->culprit = idx;
            log->reason = why;
            log->wait = after + 1;
        } else if (log->wait && atomic_load_explicit(&log->extend, memory_order_relaxed) &&
                   idx - log->culprit + after < PERF_LOG_MAX - PERF_LOG_MAX_SIDE) {
            log->wait = after + 1;
        }
    }
    if (log->wait && !--log->wait) {
        copy_neighbourhood(log, history, size, idx);
    }
}

// --- keeper ---------------------------------------------------------------------------------

static void
log_lines(struct str *s)
{
    char *save = NULL;

    for (char *line = strtok_r(s->buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        log_warn("%s", line);
    }
}

void
perf_log_run(const struct pmd *pmd, struct perf_log *log)
{
    struct str s = STR_INIT;

    if (!atomic_load_explicit(&log->ready, memory_order_acquire)) {
        return;
    }
    const struct perf_record *culprit = &log->copy[log->n_before];
    str_printf(&s, "Suspicious iteration (%s) of the PMD thread on core %d: iter=%" PRIu64,
               log->copy_reason == PERF_LOG_TIME ? "Excessive total time" : "Vhost RX queue full",
               pmd->core_id, culprit->number);
    if (log->copy_reason == PERF_LOG_TIME) {
        str_printf(&s, " duration=%" PRIu64 " us\n",
                   culprit->cycles * 1000000 / MAX(clock_tsc_hz(), UINT64_C(1)));
    } else {
        str_printf(&s, " vq=%u\n", culprit->max_vhost_qlen);
    }
    str_put(&s, "Neighborhood of suspicious iteration:\n");
    perf_put_iteration_header(&s);
    for (uint32_t i = log->n; i > 0; i--) {
        perf_put_iteration(&s, &log->copy[i - 1]);
    }
    log_lines(&s);
    str_free(&s);
    atomic_store_explicit(&log->ready, false, memory_order_release);
}
