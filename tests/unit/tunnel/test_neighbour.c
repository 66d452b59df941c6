// SPDX-License-Identifier: Apache-2.0
/* Neighbours: found by bridge and address, aging, the bound. */
#include "../unit.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
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

/* The last byte of the MAC address, as the table shows it; -1: it is not there. */
static int
find(struct neighbours *ns, const char *bridge, const char *ip)
{
    struct str s = STR_INIT;
    char start[100], end[40];
    int found = -1;

    snprintf(start, sizeof(start), "%-46s00:00:00:00:00:", ip);
    snprintf(end, sizeof(end), "   %s\n", bridge);
    neighbours_format(ns, &s);
    for (const char *at = str_cstr(&s); (at = strstr(at, start)) != NULL;) {
        at += strlen(start);
        if (!strncmp(at + 2, end, strlen(end))) {
            found = (int)strtol(at, NULL, 16);
        }
    }
    str_free(&s);
    return found;
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
    neighbours_flush(ns);
    assert_int_equal(find(ns, "br0", "1.1.1.1"), -1);
    assert_int_equal(find(ns, "br1", "1.1.1.1"), -1);
    neighbours_destroy(ns);
}

static void
what_is_not_put_again_ages(void **state)
{
    struct neighbours *ns = neighbours_create();

    clock_stop();
    assert_int_equal(neighbours_aging(ns), NEIGHBOURS_AGING_S);
    put(ns, "br0", "1.1.1.1", 1);
    put(ns, "br0", "1.1.1.2", 2);
    clock_warp(600 * 1000);
    put(ns, "br0", "1.1.1.1", 1);
    clock_warp(600 * 1000);
    assert_int_equal(find(ns, "br0", "1.1.1.1"), 1);
    assert_int_equal(find(ns, "br0", "1.1.1.2"), -1);
    neighbours_set_aging(ns, 10);
    assert_int_equal(neighbours_aging(ns), 10);
    clock_warp(11 * 1000);
    assert_int_equal(find(ns, "br0", "1.1.1.1"), -1);
    neighbours_destroy(ns);
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
}

static void
the_bound_keeps_those_there(void **state)
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
    assert_int_equal(put(ns, "br0", "1.1.1.1", 3), 0);
    clock_warp(1001);
    assert_int_equal(put(ns, "br0", "1.1.1.2", 2), 0);
    assert_int_equal(find(ns, "br0", "1.1.1.1"), 3);
    neighbours_destroy(ns);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_by_bridge_and_address),
        cmocka_unit_test(what_is_not_put_again_ages),
        cmocka_unit_test(the_text),
        cmocka_unit_test(the_bound_keeps_those_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
