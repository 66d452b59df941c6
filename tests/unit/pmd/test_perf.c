// SPDX-License-Identifier: Apache-2.0
//
// Histograms, history and the log of suspicious iterations (perf.c, perf_log.c).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/util.h"
#include "pmd/perf.h"

static struct pmd_perf *p;
static uint64_t now;

static int
setup(void **state)
{
    p = xzalloc_cacheline(ROUND_UP(sizeof *p, CACHE_LINE_SIZE));
    perf_init(p);
    now = clock_tsc();
    return 0;
}

static int
teardown(void **state)
{
    free(p);
    return 0;
}

static void
iterate(uint64_t cycles, uint32_t n_packets)
{
    now += cycles;
    perf_end_iteration(p, now, cycles, n_packets, n_packets > 0);
}

static uint64_t
samples(enum perf_histogram_id id)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < PERF_BINS; i++) {
        n += atomic_load(&p->histogram[id].bin[i]);
    }
    return n;
}

// The wall of the only bin that has samples.
static uint32_t
wall_of_all(enum perf_histogram_id id)
{
    for (unsigned i = 0; i < PERF_BINS; i++) {
        if (atomic_load(&p->histogram[id].bin[i])) {
            assert_int_equal(atomic_load(&p->histogram[id].bin[i]), samples(id));
            return p->histogram[id].wall[i];
        }
    }
    return 0;
}

// Each bin can be met, and small counts have bins of their own: an iteration without packets is
// not one with a packet.
static void
test_no_two_walls_are_the_same(void **state)
{
    static const enum perf_histogram_id counts[] = {PERF_PKTS_PER_IT, PERF_UPCALLS_PER_IT,
                                                    PERF_MAX_VHOST_QLEN, PERF_PKTS_PER_BATCH};

    for (unsigned id = 0; id < PERF_N_HISTOGRAMS; id++) {
        for (unsigned i = 1; i < PERF_BINS; i++) {
            assert_true(p->histogram[id].wall[i] > p->histogram[id].wall[i - 1]);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        for (uint32_t n = 0; n < 10; n++) {
            assert_int_equal(p->histogram[counts[i]].wall[n], n);
        }
    }
    iterate(500, 0);
    assert_int_equal(wall_of_all(PERF_PKTS_PER_IT), 0);
    assert_int_equal(p->histogram[PERF_PKTS_PER_IT].wall[PERF_BINS - 2], 1000);
}

static void
test_samples_fall_below_their_walls(void **state)
{
    for (unsigned i = 0; i < 10; i++) {
        p->current.n_upcalls = 4;
        p->current.upcall_cycles = 8000;
        perf_note_batch(p, 31);
        perf_note_batch(p, 1);
        p->current.max_vhost_qlen = 100;
        iterate(40000, 32);
    }
    assert_int_equal(samples(PERF_CYCLES_PER_IT), 10);
    assert_true(wall_of_all(PERF_CYCLES_PER_IT) >= 40000);
    assert_true(wall_of_all(PERF_CYCLES_PER_IT) < 40000 * 2);
    assert_true(wall_of_all(PERF_PKTS_PER_IT) >= 32 && wall_of_all(PERF_PKTS_PER_IT) < 64);
    assert_true(wall_of_all(PERF_CYCLES_PER_PKT) >= 1250);
    // Each batch is a sample, not the mean of an iteration.
    assert_int_equal(samples(PERF_PKTS_PER_BATCH), 20);
    assert_int_equal(atomic_load(&p->histogram[PERF_PKTS_PER_BATCH].bin[1]), 10);
    assert_int_equal(atomic_load(&p->totals.batches), 20);
    assert_int_equal(atomic_load(&p->totals.packets), 320);
    assert_true(wall_of_all(PERF_MAX_VHOST_QLEN) >= 100);
    assert_true(wall_of_all(PERF_MAX_VHOST_QLEN) < 200);
    assert_true(wall_of_all(PERF_CYCLES_PER_UPCALL) >= 2000);
    assert_int_equal(atomic_load(&p->totals.vhost_qlen), 1000);
    // An idle one has no packets to share its cycles.
    iterate(500, 0);
    assert_int_equal(samples(PERF_CYCLES_PER_IT), 11);
    assert_int_equal(samples(PERF_CYCLES_PER_PKT), 10);
    // But it had no upcalls and no guest waiting, which is something to know.
    assert_int_equal(samples(PERF_UPCALLS_PER_IT), 11);
    assert_int_equal(samples(PERF_MAX_VHOST_QLEN), 11);
    assert_int_equal(atomic_load(&p->histogram[PERF_MAX_VHOST_QLEN].bin[0]), 1);
    assert_int_equal(atomic_load(&p->totals.its), 11);
    assert_int_equal(atomic_load(&p->totals.cycles), 400500);
    assert_int_equal(atomic_load(&p->totals.busy_cycles), 400000);
}

// Walls of Open vSwitch 3.1, from its pmd-perf-show.
static void
test_walls_are_the_known_ones(void **state)
{
    static const uint32_t its[] = {499,  716,  1025,  1469,  2104,  3014,  4317,
                                   6183, 8857, 12686, 18171, 26027, 37279, 53395};
    static const uint32_t packets[] = {11, 13, 17, 22, 28, 35, 45, 57, 72, 92, 117};
    static const uint32_t qlen[] = {11, 12, 13, 16, 20, 25, 31, 38, 48, 59, 73};
    static const uint32_t upcall[] = {999, 1258, 1584, 1995, 2511, 3162, 3981};

    for (unsigned i = 1; i < ARRAY_SIZE(its); i++) {
        assert_int_equal(p->histogram[PERF_CYCLES_PER_IT].wall[i], its[i]);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(packets); i++) {
        assert_int_equal(p->histogram[PERF_PKTS_PER_IT].wall[11 + i], packets[i]);
        assert_int_equal(p->histogram[PERF_MAX_VHOST_QLEN].wall[11 + i], qlen[i]);
    }
    for (unsigned i = 1; i < ARRAY_SIZE(upcall); i++) {
        assert_int_equal(p->histogram[PERF_CYCLES_PER_UPCALL].wall[i], upcall[i]);
    }
    for (unsigned i = 0; i < PERF_BINS - 1; i++) {
        assert_int_equal(p->histogram[PERF_UPCALLS_PER_IT].wall[i], i);
    }
    assert_int_equal(p->histogram[PERF_MAX_VHOST_QLEN].wall[PERF_BINS - 2], 512);
    assert_int_equal(p->histogram[PERF_CYCLES_PER_UPCALL].wall[PERF_BINS - 2], 1000000);
}

// Upcalls are counted with and without metrics; those of before are no iteration's.
static void
test_what_was_before_the_metrics_does_not_count(void **state)
{
    p->current.n_upcalls = 1000;
    p->current.upcall_cycles = 1000000;
    perf_set_detailed(p, true);
    perf_note_batch(p, 7);
    iterate(1000, 7); // which had begun without them
    assert_int_equal(samples(PERF_UPCALLS_PER_IT), 0);
    assert_int_equal(samples(PERF_PKTS_PER_BATCH), 0);
    p->current.n_upcalls = 2;
    iterate(1000, 2);
    perf_set_detailed(p, true); // nothing new
    iterate(1000, 0);
    assert_int_equal(samples(PERF_UPCALLS_PER_IT), 2);
    assert_int_equal(atomic_load(&p->totals.upcalls), 2);
    assert_int_equal(atomic_load(&p->totals.upcall_cycles), 0);
}

static void
test_what_is_too_large_falls_into_the_last_bin(void **state)
{
    iterate(UINT64_C(1) << 40, 5000);
    for (unsigned id = PERF_CYCLES_PER_IT; id <= PERF_CYCLES_PER_PKT; id++) {
        assert_int_equal(atomic_load(&p->histogram[id].bin[PERF_BINS - 1]), 1);
    }
}

static void
test_milliseconds_sum_iterations(void **state)
{
    uint64_t tenth = clock_tsc_hz() / 10000;

    for (unsigned i = 0; i < 100; i++) {
        p->current.max_vhost_qlen = i;
        iterate(tenth, 3);
    }
    uint32_t n = (uint32_t)atomic_load(&p->millisecond_idx), its = 0, packets = 0;
    assert_in_range(n, 9, 11);
    for (uint32_t i = 1; i <= n; i++) {
        its += p->milliseconds[i % PERF_HISTORY].n_its;
        packets += p->milliseconds[i % PERF_HISTORY].n_packets;
    }
    assert_int_equal(its, 100);
    assert_int_equal(packets, 300);
    assert_int_equal(p->milliseconds[n % PERF_HISTORY].max_vhost_qlen, 99);
}

static void
test_clearing_starts_anew(void **state)
{
    p->stage_tsc = now;
    perf_stage_end(p, PERF_STAGE_EMC, 32, now + 100);
    assert_int_equal(atomic_load(&p->stage[PERF_STAGE_EMC].cycles), 100);
    assert_int_equal(atomic_load(&p->stage[PERF_STAGE_EMC].n_packets), 32);
    iterate(1000, 1);
    perf_clear(p, 0);
    iterate(1000, 1);
    assert_int_equal(samples(PERF_CYCLES_PER_IT), 1);
    assert_int_equal(atomic_load(&p->totals.its), 1);
    assert_int_equal(atomic_load(&p->stage[PERF_STAGE_EMC].cycles), 0);
}

// --- suspicious iterations ------------------------------------------------------------------

static uint64_t
us(uint64_t n)
{
    return n * (clock_tsc_hz() / 1000000);
}

static void
log_on(uint32_t before, uint32_t after, bool extend)
{
    struct perf_log_settings set = perf_log_defaults;

    set.on = true;
    set.before = before;
    set.after = after;
    set.extend = extend;
    perf_log_set(&p->log, &set);
}

static void
quick(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        iterate(us(1), i + 1);
    }
}

static void
test_a_long_iteration_is_copied_with_neighbours(void **state)
{
    log_on(3, 2, false);
    quick(10);
    assert_int_equal(atomic_load(&p->log.n_suspicious), 0);
    iterate(us(300), 77);
    quick(1);
    assert_false(atomic_load(&p->log.ready));
    quick(1);
    assert_true(atomic_load(&p->log.ready));
    assert_int_equal(p->log.n, 3 + 1 + 2);
    assert_int_equal(p->log.n_before, 3);
    assert_int_equal(p->log.copy[3].n_packets, 77);
    assert_int_equal(p->log.copy[0].n_packets, 8);
    assert_int_equal(p->log.copy_reason, PERF_LOG_TIME);
    // Until the keeper has written it, the next one is only counted.
    iterate(us(300), 88);
    quick(5);
    assert_int_equal(atomic_load(&p->log.n_suspicious), 2);
    assert_int_equal(p->log.copy[3].n_packets, 77);
}

// After 2^32 iterations, some minutes of a busy poll, history goes on where it was.
static void
test_history_goes_on_after_32_bits_of_iterations(void **state)
{
    const uint64_t first = UINT32_MAX - 2;

    atomic_store(&p->iteration_idx, first);
    log_on(3, 3, false);
    quick(1);
    iterate(us(300), 77);
    quick(3);
    assert_int_equal(atomic_load(&p->iteration_idx), first + 5);
    for (uint64_t i = first + 1; i <= first + 5; i++) {
        assert_int_equal(p->iterations[i % PERF_HISTORY].n_its, 1);
    }
    assert_true(atomic_load(&p->log.ready));
    assert_int_equal(p->log.n, 7);
    assert_int_equal(p->log.copy[3].n_packets, 77);
}

static void
test_a_full_queue_is_suspicious(void **state)
{
    log_on(5, 0, false);
    quick(2);
    p->current.max_vhost_qlen = 128;
    quick(1);
    assert_int_equal(atomic_load(&p->log.n_suspicious), 0);
    p->current.max_vhost_qlen = 129;
    quick(1);
    assert_true(atomic_load(&p->log.ready));
    assert_int_equal(p->log.copy_reason, PERF_LOG_QLEN);
    assert_int_equal(p->log.n, 4); // there were only three before
    assert_int_equal(p->log.copy[p->log.n_before].max_vhost_qlen, 129);
}

static void
test_one_more_extends_the_neighbourhood(void **state)
{
    log_on(1, 3, true);
    quick(5);
    iterate(us(300), 1);
    quick(2);
    iterate(us(300), 2);
    quick(2);
    assert_false(atomic_load(&p->log.ready));
    quick(1);
    assert_true(atomic_load(&p->log.ready));
    assert_int_equal(p->log.n, 1 + 1 + 2 + 1 + 3);
    assert_int_equal(atomic_load(&p->log.n_suspicious), 2);
}

static void
test_extension_has_an_end(void **state)
{
    log_on(100, 100, true);
    quick(200);
    for (unsigned i = 0; i < 2 * PERF_LOG_MAX; i++) {
        iterate(us(300), 1);
    }
    assert_true(atomic_load(&p->log.ready));
    assert_in_range(p->log.n, PERF_LOG_MAX / 2, PERF_LOG_MAX);
}

static void
test_off_means_off(void **state)
{
    iterate(us(100000), 1);
    quick(10);
    assert_int_equal(atomic_load(&p->log.n_suspicious), 0);
    assert_false(atomic_load(&p->log.ready));
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_no_two_walls_are_the_same),
        TEST(test_samples_fall_below_their_walls),
        TEST(test_walls_are_the_known_ones),
        TEST(test_what_was_before_the_metrics_does_not_count),
        TEST(test_what_is_too_large_falls_into_the_last_bin),
        TEST(test_milliseconds_sum_iterations),
        TEST(test_clearing_starts_anew),
        TEST(test_a_long_iteration_is_copied_with_neighbours),
        TEST(test_history_goes_on_after_32_bits_of_iterations),
        TEST(test_a_full_queue_is_suspicious),
        TEST(test_one_more_extends_the_neighbourhood),
        TEST(test_extension_has_an_end),
        TEST(test_off_means_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
