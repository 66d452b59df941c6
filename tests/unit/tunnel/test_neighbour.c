// SPDX-License-Identifier: Apache-2.0
/* Neighbours: found by bridge and address, aging, the bound, readers beside a writer. */
#include "../unit.h"

#include <errno.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/rcu.h"
#include "base/thread.h"
#include "tunnel/neighbour.h"

static struct in6_addr
address(const char *s)
{
    struct in6_addr a;

    assert_true(address_parse(s, &a));
    return a;
}

static int
put(struct neighbours *ns, const char *bridge, const char *ip, uint8_t mac)
{
    struct in6_addr a = address(ip);

    return neighbours_put(ns, bridge, &a, &(struct rte_ether_addr){{0, 0, 0, 0, 0, mac}});
}

/* The last byte of the MAC address; -1: not known. */
static int
find(const struct neighbours *ns, const char *bridge, const char *ip)
{
    struct in6_addr a = address(ip);
    struct rte_ether_addr mac;

    return neighbours_find(ns, bridge, &a, &mac) ? mac.addr_bytes[5] : -1;
}

static void
found_by_bridge_and_address(void **state)
{
    struct neighbours *ns = neighbours_create();

    assert_int_equal(find(ns, "br0", "1.1.1.1"), -1);
    assert_int_equal(put(ns, "br0", "1.1.1.1", 1), 0);
    assert_int_equal(put(ns, "br1", "1.1.1.1", 2), 0);
    assert_int_equal(put(ns, "br0", "fc00::1", 3), 0);
    assert_int_equal(find(ns, "br0", "1.1.1.1"), 1);
    assert_int_equal(find(ns, "br1", "1.1.1.1"), 2);
    assert_int_equal(find(ns, "br0", "fc00::1"), 3);
    assert_int_equal(find(ns, "br1", "fc00::1"), -1);
    assert_int_equal(put(ns, "br0", "1.1.1.1", 9), 0);
    assert_int_equal(find(ns, "br0", "1.1.1.1"), 9);
    neighbours_flush(ns, "br0");
    assert_int_equal(find(ns, "br0", "1.1.1.1"), -1);
    assert_int_equal(find(ns, "br1", "1.1.1.1"), 2);
    neighbours_flush(ns, NULL);
    assert_int_equal(find(ns, "br1", "1.1.1.1"), -1);
    neighbours_destroy(ns);
    rcu_synchronize();
}

static void
what_is_not_used_ages(void **state)
{
    struct neighbours *ns = neighbours_create();

    clock_stop();
    assert_int_equal(neighbours_aging(ns), NEIGHBOURS_AGING_S);
    put(ns, "br0", "1.1.1.1", 1);
    put(ns, "br0", "1.1.1.2", 2);
    clock_warp(600 * 1000);
    assert_int_equal(find(ns, "br0", "1.1.1.1"), 1);
    clock_warp(600 * 1000);
    assert_int_equal(find(ns, "br0", "1.1.1.1"), 1);
    assert_int_equal(find(ns, "br0", "1.1.1.2"), -1);
    neighbours_set_aging(ns, 10);
    assert_int_equal(neighbours_aging(ns), 10);
    clock_warp(11 * 1000);
    assert_int_equal(find(ns, "br0", "1.1.1.1"), -1);
    neighbours_destroy(ns);
    rcu_synchronize();
}

static void
the_text(void **state)
{
    static const char head[] =
        "IP                                            MAC                 Bridge\n"
        "=========================================================================="
        "\n";
    struct neighbours *ns = neighbours_create();
    struct str s = STR_INIT;

    neighbours_format(ns, &s);
    assert_string_equal(str_cstr(&s), head);
    str_clear(&s);
    put(ns, "br0", "10.1.1.2", 9);
    put(ns, "br1", "10.1.1.2", 8);
    put(ns, "br0", "fc00::1", 7);
    neighbours_format(ns, &s);
    assert_string_equal(str_cstr(&s) + sizeof(head) - 1,
                        "10.1.1.2                                      00:00:00:00:00:09   br0\n"
                        "10.1.1.2                                      00:00:00:00:00:08   br1\n"
                        "fc00::1                                       00:00:00:00:00:07   br0\n");
    clock_warp(NEIGHBOURS_AGING_S * 1000 + 1);
    str_clear(&s);
    neighbours_format(ns, &s);
    assert_string_equal(str_cstr(&s), head);
    str_free(&s);
    neighbours_destroy(ns);
    rcu_synchronize();
}

static void
the_bound_keeps_those_in_use(void **state)
{
    struct neighbours *ns = neighbours_create();
    struct in6_addr a = address("fc00::");
    struct rte_ether_addr mac = {{0}};

    put(ns, "br0", "1.1.1.1", 1);
    for (uint32_t i = 1; i < NEIGHBOURS_MAX; i++) {
        put_be32(&a.s6_addr[12], i);
        assert_int_equal(neighbours_put(ns, "br0", &a, &mac), 0);
    }
    assert_int_equal(put(ns, "br0", "1.1.1.2", 2), -ENOSPC);
    assert_int_equal(put(ns, "br0", "1.1.1.1", 3), 0);
    assert_int_equal(find(ns, "br0", "1.1.1.1"), 3);
    clock_warp((NEIGHBOURS_AGING_S - 1) * 1000);
    assert_int_equal(find(ns, "br0", "1.1.1.1"), 3);
    clock_warp(1001);
    assert_int_equal(put(ns, "br0", "1.1.1.2", 2), 0);
    assert_int_equal(find(ns, "br0", "1.1.1.1"), 3);
    neighbours_destroy(ns);
    rcu_synchronize();
}

/* Readers never miss an entry that is replaced again and again, among others in its bucket. */
enum { N_REPLACED = 8192 };

struct reading {
    struct neighbours *ns;
    _Atomic bool stop;
    _Atomic unsigned int n_missed, n_found;
};

static struct in6_addr
nth_address(unsigned int i)
{
    struct in6_addr a = address("fc00::");

    put_be32(&a.s6_addr[12], i % N_REPLACED);
    return a;
}

static void *
read_all_the_time(void *reading_)
{
    struct reading *r = reading_;

    for (unsigned int i = 0; !atomic_load(&r->stop); i++) {
        struct in6_addr a = nth_address(i);
        struct rte_ether_addr mac;

        atomic_fetch_add(neighbours_find(r->ns, "br0", &a, &mac) ? &r->n_found : &r->n_missed, 1);
        rcu_quiesce();
    }
    return NULL;
}

static void
readers_find_what_is_replaced(void **state)
{
    struct reading r = {.ns = neighbours_create()};
    pthread_t reader = pthread_self();

    for (unsigned int i = 0; i < 20 * N_REPLACED || atomic_load(&r.n_found) < N_REPLACED; i++) {
        struct in6_addr a = nth_address(i);

        if (i == N_REPLACED) {
            reader = thread_create("reader", read_all_the_time, &r);
        }
        assert_int_equal(neighbours_put(r.ns, "br0", &a, &(struct rte_ether_addr){{0}}), 0);
        rcu_quiesce();
    }
    atomic_store(&r.stop, true);
    thread_join(reader);
    assert_int_equal(atomic_load(&r.n_missed), 0);
    neighbours_destroy(r.ns);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_by_bridge_and_address),
        cmocka_unit_test(what_is_not_used_ages),
        cmocka_unit_test(the_text),
        cmocka_unit_test(the_bound_keeps_those_in_use),
        cmocka_unit_test(readers_find_what_is_replaced),
    };

    rcu_init(4);
    rcu_thread_register();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_fini();
    return failed;
}
