// SPDX-License-Identifier: Apache-2.0
/*
 * test_mac_table.c - learning, moving, aging, eviction and static entries; what a megaflow that
 * depends on an address notices; many threads at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/bitmap.h"
#include "base/clock.h"
#include "base/coverage.h"
#include "base/rcu.h"
#include "base/thread.h"
#include "ofproto/mac_table.h"

static struct rte_ether_addr
mac(uint32_t n)
{
    return (struct rte_ether_addr){
        {0x02, 0, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

static enum mac_learned
learn(struct mac_table *mt, uint32_t n, uint16_t vlan, uint32_t bundle)
{
    const struct mac_source src = {.mac = mac(n), .vlan = vlan, .bundle_id = bundle};

    return mac_table_learn(mt, &src);
}

/* The bundle of the address, or -1. */
static int
where(struct mac_table *mt, uint32_t n, uint16_t vlan)
{
    struct mac_where w;

    return mac_table_lookup(mt, vlan, mac(n), &w) ? (int)w.bundle_id : -1;
}

static size_t
count(struct mac_table *mt)
{
    struct mac_table_stats st;

    mac_table_get_stats(mt, &st);
    return st.n;
}

static void
finish(struct mac_table *mt)
{
    mac_table_stop(mt);
    mac_table_unref(mt);
    rcu_barrier();
}

static void
learns_per_vlan_and_moves(void **state)
{
    struct mac_table *mt = mac_table_create(NULL);
    struct mac_table_stats st;

    (void)state;
    assert_int_equal(where(mt, 1, 0), -1);
    assert_int_equal(learn(mt, 1, 0, 7), MAC_NEW);
    assert_int_equal(learn(mt, 1, 5, 8), MAC_NEW);
    assert_int_equal(learn(mt, 1, 0, 7), MAC_KNOWN);
    assert_int_equal(where(mt, 1, 0), 7);
    assert_int_equal(where(mt, 1, 5), 8);
    assert_int_equal(learn(mt, 1, 0, 9), MAC_MOVED);
    assert_int_equal(where(mt, 1, 0), 9);
    assert_int_equal(where(mt, 1, 5), 8);
    mac_table_get_stats(mt, &st);
    assert_int_equal(st.learned, 2);
    assert_int_equal(st.moved, 1);
    finish(mt);
}

static void
never_learns_groups_or_flood_vlans(void **state)
{
    struct mac_table *mt = mac_table_create(NULL);
    struct mac_source src = {.mac = {{0x01, 0, 0, 0, 0, 1}}, .bundle_id = 1};
    uint64_t flood[64] = {0};

    (void)state;
    assert_int_equal(mac_table_learn(mt, &src), MAC_KNOWN);
    bitmap_set(flood, 9);
    mac_table_configure(mt, 300, 100, flood);
    assert_int_equal(learn(mt, 1, 9, 1), MAC_KNOWN);
    assert_int_equal(learn(mt, 1, 8, 1), MAC_NEW);
    assert_int_equal(count(mt), 1);
    finish(mt);
}

static void
ages_what_is_not_used(void **state)
{
    struct mac_table *mt = mac_table_create(NULL);

    (void)state;
    clock_stop();
    mac_table_configure(mt, 20, 100, NULL);
    learn(mt, 1, 0, 1);
    learn(mt, 2, 0, 1);
    clock_warp(15000);
    learn(mt, 2, 0, 1); /* Refreshes. */
    clock_warp(6000);
    mac_table_expire(mt);
    assert_int_equal(where(mt, 1, 0), -1);
    assert_int_equal(where(mt, 2, 0), 1);
    clock_warp(15000);
    mac_table_expire(mt);
    assert_int_equal(count(mt), 0);
    finish(mt);
}

/* A flood of addresses on one port must not push out what the others learned. */
static void
evicts_from_the_fullest_port(void **state)
{
    struct mac_table *mt = mac_table_create(NULL);
    struct mac_table_stats st;

    (void)state;
    mac_table_configure(mt, 300, 100, NULL);
    for (uint32_t i = 0; i < 20; i++) {
        learn(mt, i, 0, 1);
    }
    for (uint32_t i = 1000; i < 2000; i++) {
        learn(mt, i, 0, 2);
    }
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(where(mt, i, 0), 1);
    }
    assert_int_equal(where(mt, 1999, 0), 2);
    mac_table_get_stats(mt, &st);
    assert_int_equal(st.n, 100);
    assert_int_equal(st.evicted, 920);
    finish(mt);
}

/* Nor may it have the table changed as often as it likes.  Other ports learn as ever. */
static void
a_port_churns_with_measure(void **state)
{
    struct mac_table *mt = mac_table_create(NULL);
    struct mac_table_stats st;
    uint64_t limited = 0;

    (void)state;
    clock_stop();
    mac_table_configure(mt, 300, 100, NULL);
    for (uint32_t i = 0; i < 5000; i++) {
        learn(mt, 1000 + i, 0, 2);
    }
    mac_table_get_stats(mt, &st);
    assert_int_equal(st.n, 100);
    assert_int_equal(st.evicted, 1024);
    coverage_read("mac_learning_limited", &limited);
    assert_int_equal(limited, 5000 - 100 - 1024);
    assert_int_equal(where(mt, 5999, 0), -1);
    /* What is known goes on, moves included. */
    uint32_t known = 1000 + 1024 + 50;
    assert_int_equal(where(mt, known, 0), 2);
    assert_int_equal(learn(mt, known, 0, 3), MAC_MOVED);
    assert_int_equal(learn(mt, known, 0, 2), MAC_MOVED);
    /* Another port, with an entry or without one. */
    assert_int_equal(learn(mt, 1, 0, 3), MAC_NEW);
    assert_int_equal(learn(mt, 2, 0, 3), MAC_NEW);
    /* Ten more after ten milliseconds. */
    clock_warp(10);
    for (uint32_t i = 0; i < 100; i++) {
        learn(mt, 7000 + i, 0, 2);
    }
    assert_int_equal(where(mt, 7009, 0), 2);
    assert_int_equal(where(mt, 7010, 0), -1);
    assert_int_equal(where(mt, 1, 0), 3);
    finish(mt);
}

static void
static_entries_stay(void **state)
{
    struct mac_table *mt = mac_table_create(NULL);
    uint32_t old = 0;

    (void)state;
    assert_false(mac_table_add_static(mt, 3, mac(1), 5, &old));
    assert_int_equal(learn(mt, 1, 3, 6), MAC_KNOWN);
    assert_int_equal(where(mt, 1, 3), 5);
    assert_true(mac_table_add_static(mt, 3, mac(1), 6, &old));
    assert_int_equal(old, 5);
    learn(mt, 2, 3, 6);
    mac_table_flush(mt);
    assert_int_equal(where(mt, 2, 3), -1);
    assert_int_equal(where(mt, 1, 3), 6);
    assert_false(mac_table_del_static(mt, 3, mac(2)));
    assert_true(mac_table_del_static(mt, 3, mac(1)));
    assert_int_equal(count(mt), 0);
    mac_table_add_static(mt, 3, mac(1), 6, &old);
    mac_table_forget_bundle(mt, 6);
    assert_int_equal(count(mt), 0);
    finish(mt);
}

/* What depends on one address hears of it, and of (nearly) no other. */
static void
sequence_numbers_tell_what_moved(void **state)
{
    struct mac_table *mt = mac_table_create(NULL);
    uint32_t index = mac_table_seq_index(0, mac(1)), seq, others = 0;
    uint64_t global = mac_table_global_seq();

    (void)state;
    seq = mac_table_seq(mt, index);
    learn(mt, 1, 0, 1);
    assert_int_not_equal(mac_table_seq(mt, index), seq);
    assert_true(mac_table_global_seq() > global);
    seq = mac_table_seq(mt, index);
    global = mac_table_global_seq();
    learn(mt, 1, 0, 1);
    assert_int_equal(mac_table_seq(mt, index), seq);
    assert_int_equal(mac_table_global_seq(), global);
    for (uint32_t i = 2; i < 102; i++) {
        uint32_t before = mac_table_seq(mt, index);

        learn(mt, i, 0, 1);
        others += mac_table_seq(mt, index) != before;
    }
    assert_true(others <= 3);
    seq = mac_table_seq(mt, index);
    learn(mt, 1, 0, 2);
    assert_int_not_equal(mac_table_seq(mt, index), seq);
    seq = mac_table_seq(mt, index);
    mac_table_flush(mt);
    assert_int_not_equal(mac_table_seq(mt, index), seq);
    finish(mt);
}

static void
gratuitous_arp_locks_against_reflections(void **state)
{
    struct mac_table *mt = mac_table_create(NULL);
    struct mac_source grat = {.mac = mac(1), .bundle_id = 1, .is_grat_arp = true};
    struct mac_source back = {.mac = mac(1), .bundle_id = 2, .is_grat_arp = true, .is_bond = true};

    (void)state;
    clock_stop();
    mac_table_learn(mt, &grat);
    assert_int_equal(mac_table_learn(mt, &back), MAC_KNOWN);
    assert_int_equal(where(mt, 1, 0), 1);
    clock_warp(5001);
    assert_int_equal(mac_table_learn(mt, &back), MAC_MOVED);
    finish(mt);
}

static void
resizing_keeps_entries(void **state)
{
    struct mac_table *mt = mac_table_create(NULL);
    struct mac_row *rows;
    size_t n;

    (void)state;
    for (uint32_t i = 0; i < 5000; i++) {
        learn(mt, i, (uint16_t)(i % 4096), i % 10);
    }
    mac_table_configure(mt, 300, 100000, NULL);
    for (uint32_t i = 0; i < 5000; i++) {
        assert_int_equal(where(mt, i, (uint16_t)(i % 4096)), i % 10);
    }
    for (uint32_t i = 5000; i < 60000; i++) {
        learn(mt, i, 1, 1);
    }
    assert_int_equal(count(mt), 60000);
    mac_table_configure(mt, 300, 1000, NULL);
    rows = mac_table_rows(mt, &n);
    assert_int_equal(n, 1000);
    free(rows);
    finish(mt);
}

struct hammer {
    struct mac_table *mt;
    uint32_t first;
};

static void *
hammer_main(void *hammer_)
{
    const struct hammer *h = hammer_;
    struct mac_where w;

    for (uint32_t i = 0; i < 100000; i++) {
        learn(h->mt, h->first + i % 3000, 0, i / 3000 % 4);
        mac_table_lookup(h->mt, 0, mac(i % 9000), &w);
        if (i % 64 == 0) {
            rcu_quiesce();
        }
    }
    return NULL;
}

static void
threads_learn_at_once(void **state)
{
    struct mac_table *mt = mac_table_create(NULL);
    struct hammer h[3];
    pthread_t threads[3];

    (void)state;
    mac_table_configure(mt, 300, 5000, NULL);
    for (unsigned i = 0; i < 3; i++) {
        h[i] = (struct hammer){mt, i * 2000};
        threads[i] = thread_create("hammer", hammer_main, &h[i]);
    }
    for (int i = 0; i < 50; i++) {
        mac_table_flush(mt);
        rcu_quiesce();
    }
    for (unsigned i = 0; i < 3; i++) {
        thread_join(threads[i]);
    }
    assert_true(count(mt) <= 5000);
    finish(mt);
}

static int
setup(void **state)
{
    (void)state;
    rcu_init(16);
    rcu_thread_register();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    rcu_thread_unregister();
    rcu_fini();
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_per_vlan_and_moves),
        cmocka_unit_test(never_learns_groups_or_flood_vlans),
        cmocka_unit_test(ages_what_is_not_used),
        cmocka_unit_test(evicts_from_the_fullest_port),
        cmocka_unit_test(a_port_churns_with_measure),
        cmocka_unit_test(static_entries_stay),
        cmocka_unit_test(sequence_numbers_tell_what_moved),
        cmocka_unit_test(gratuitous_arp_locks_against_reflections),
        cmocka_unit_test(resizing_keeps_entries),
        cmocka_unit_test(threads_learn_at_once),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
