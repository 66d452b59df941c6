// SPDX-License-Identifier: Apache-2.0
/* Which route counts, beside a slow twin that looks at all; bounds; the text. */
#include "../unit.h"

#include <errno.h>
#include <stdio.h>

#include "base/rcu.h"
#include "tunnel/route.h"

static struct route
make_route(enum route_kind kind, const char *prefix, const char *dev)
{
    struct route r = {.kind = kind};
    unsigned int plen;

    assert_true(address_parse_prefix(prefix, &r.dst, &plen));
    r.plen = (uint8_t)plen;
    r.dst = address_prefix(&r.dst, plen);
    str_copy(r.dev, dev, sizeof(r.dev));
    return r;
}

/* The device by which 'rs' sends to 'ip'; "-": none. */
static const char *
dev_of(const struct routes *rs, const char *ip, uint32_t mark)
{
    const struct route *r;
    struct in6_addr a;

    assert_true(address_parse(ip, &a));
    r = routes_lookup(rs, mark, &a);
    return r != NULL ? r->dev : "-";
}

static void
the_longest_prefix_counts(void **state)
{
    struct routes *rs = routes_create();
    struct route cached[] = {
        make_route(ROUTE_CACHED, "0.0.0.0/0", "default4"),
        make_route(ROUTE_CACHED, "10.0.0.0/8", "a"),
        make_route(ROUTE_CACHED, "10.1.0.0/16", "b"),
        make_route(ROUTE_CACHED, "::/0", "default6"),
        make_route(ROUTE_CACHED, "fc00::/64", "c"),
    };

    assert_string_equal(dev_of(rs, "10.1.2.3", 0), "-");
    routes_set_cached(rs, cached, ARRAY_SIZE(cached));
    assert_string_equal(dev_of(rs, "10.1.2.3", 0), "b");
    assert_string_equal(dev_of(rs, "10.2.2.3", 0), "a");
    assert_string_equal(dev_of(rs, "11.2.2.3", 0), "default4");
    assert_string_equal(dev_of(rs, "fc00::9", 0), "c");
    assert_string_equal(dev_of(rs, "fc00:0:0:1::9", 0), "default6");
    assert_string_equal(dev_of(rs, "10.1.2.3", 7), "-");
    routes_set_cached(rs, cached, 0);
    assert_string_equal(dev_of(rs, "fc00::9", 0), "-");
    routes_destroy(rs);
    rcu_synchronize();
}

static void
ip4_takes_no_ip6_route(void **state)
{
    struct routes *rs = routes_create();
    struct route cached[] = {make_route(ROUTE_CACHED, "::/0", "default6")};

    routes_set_cached(rs, cached, 1);
    assert_string_equal(dev_of(rs, "10.1.2.3", 0), "-");
    assert_string_equal(dev_of(rs, "fc00::1", 0), "default6");
    routes_destroy(rs);
    rcu_synchronize();
}

static void
users_and_local_routes_rank_higher(void **state)
{
    struct routes *rs = routes_create();
    struct route user = make_route(ROUTE_USER, "10.0.0.0/8", "user");
    struct route cached[] = {
        make_route(ROUTE_CACHED, "10.1.2.0/24", "cached"),
        make_route(ROUTE_LOCAL, "10.1.2.3/32", "local"),
    };

    routes_set_cached(rs, cached, ARRAY_SIZE(cached));
    assert_string_equal(dev_of(rs, "10.1.2.4", 0), "cached");
    assert_int_equal(routes_put_user(rs, &user), 0);
    assert_string_equal(dev_of(rs, "10.1.2.4", 0), "user");
    assert_string_equal(dev_of(rs, "10.1.2.3", 0), "local");
    routes_set_cached(rs, cached, 0); /* the user's stays */
    assert_string_equal(dev_of(rs, "10.1.2.3", 0), "user");
    assert_false(routes_del_user(rs, &user.dst, user.plen, 1));
    assert_true(routes_del_user(rs, &user.dst, user.plen, 0));
    assert_false(routes_del_user(rs, &user.dst, user.plen, 0));
    assert_string_equal(dev_of(rs, "10.1.2.3", 0), "-");
    routes_destroy(rs);
    rcu_synchronize();
}

static void
the_lowest_metric_counts(void **state)
{
    struct routes *rs = routes_create();
    struct route cached[] = {
        make_route(ROUTE_CACHED, "0.0.0.0/0", "b"),
        make_route(ROUTE_CACHED, "0.0.0.0/0", "a"),
        make_route(ROUTE_CACHED, "0.0.0.0/0", "c"),
    };

    cached[0].metric = 600;
    cached[1].metric = 100;
    cached[2].metric = 700;
    routes_set_cached(rs, cached, ARRAY_SIZE(cached));
    assert_string_equal(dev_of(rs, "1.1.1.1", 0), "a");
    cached[0].metric = cached[1].metric = cached[2].metric = 5;
    str_copy(cached[2].dev, "last", sizeof(cached[2].dev));
    routes_set_cached(rs, cached, ARRAY_SIZE(cached));
    assert_string_equal(dev_of(rs, "1.1.1.1", 0), "last");
    routes_destroy(rs);
    rcu_synchronize();
}

static void
a_users_route_is_replaced_and_bounded(void **state)
{
    struct routes *rs = routes_create();
    struct route r = make_route(ROUTE_USER, "10.0.0.1/32", "a");

    for (uint32_t i = 0; i < ROUTES_MAX_USER; i++) {
        r.mark = i;
        assert_int_equal(routes_put_user(rs, &r), 0);
    }
    r.mark = ROUTES_MAX_USER;
    assert_int_equal(routes_put_user(rs, &r), -ENOSPC);
    r.mark = 5;
    str_copy(r.dev, "b", sizeof(r.dev));
    assert_int_equal(routes_put_user(rs, &r), 0);
    assert_string_equal(dev_of(rs, "10.0.0.1", 5), "b");
    assert_string_equal(dev_of(rs, "10.0.0.1", 6), "a");
    assert_string_equal(dev_of(rs, "10.0.0.1", ROUTES_MAX_USER), "-");
    routes_destroy(rs);
    rcu_synchronize();
}

static void
the_text(void **state)
{
    struct routes *rs = routes_create();
    struct route user = make_route(ROUTE_USER, "2.2.2.0/24", "br0");
    struct route cached[] = {
        make_route(ROUTE_LOCAL, "10.1.1.1/32", "br0"),
        make_route(ROUTE_CACHED, "fc00::/64", "br1"),
    };
    struct str s = STR_INIT;

    user.mark = 9;
    assert_true(address_parse("1.1.1.1", &user.src));
    assert_true(address_parse("1.1.1.254", &user.gw));
    cached[0].src = cached[0].dst;
    assert_true(address_parse("fc00::1", &cached[1].src));
    routes_set_cached(rs, cached, ARRAY_SIZE(cached));
    assert_int_equal(routes_put_user(rs, &user), 0);
    routes_format(rs, &s);
    assert_string_equal(str_cstr(&s), "Cached: 10.1.1.1/32 dev br0 SRC 10.1.1.1 local\n"
                                      "User: 2.2.2.0/24 MARK 9 dev br0 GW 1.1.1.254 SRC 1.1.1.1\n"
                                      "Cached: fc00::/64 dev br1 SRC fc00::1\n");
    str_free(&s);
    routes_destroy(rs);
    rcu_synchronize();
}

/* --- the twin ---------------------------------------------------------------------------------
 */

static unsigned int
rank_of(const struct route *r)
{
    return r->plen + (r->kind == ROUTE_USER ? 32 : r->kind == ROUTE_LOCAL ? 64 : 0);
}

static bool
is_better(const struct route *a, const struct route *b)
{
    return b == NULL || rank_of(a) > rank_of(b) || (rank_of(a) == rank_of(b) && a->plen > b->plen);
}

static const struct route *
twin_lookup(const struct route *routes, size_t n, uint32_t mark, const struct in6_addr *dst)
{
    const struct route *best = NULL;

    for (size_t i = 0; i < n; i++) {
        struct in6_addr prefix = address_prefix(dst, routes[i].plen);

        if (routes[i].mark == mark && memcmp(&prefix, &routes[i].dst, sizeof(prefix)) == 0 &&
            (!address_is_ip4(dst) || routes[i].plen >= ADDRESS_IP4_PLEN) &&
            is_better(&routes[i], best)) {
            best = &routes[i];
        }
    }
    return best;
}

/* Few different bits, so that prefixes lie in each other. */
static struct in6_addr
random_address(void)
{
    struct in6_addr a = {.s6_addr = {0}};

    if (rand() % 2) {
        a = address_from_ip4(0);
    }
    for (size_t i = rand() % 2 ? 12 : address_is_ip4(&a) ? 12 : 0; i < 16; i++) {
        a.s6_addr[i] = (uint8_t)(rand() % 3 ? 0 : 1 << rand() % 8);
    }
    return a;
}

static void
lookups_are_those_of_the_twin(void **state)
{
    enum { N = 300 };
    struct route all[N], cached[N];
    size_t n_found = 0;

    srand(7);
    for (int round = 0; round < 40; round++) {
        struct routes *rs = routes_create();
        size_t n_all = 0, n_cached = 0;

        for (size_t i = 0; i < N; i++) {
            struct route r = {.dst = random_address(), .mark = rand() % 4 ? 0 : 1};
            bool is_new = true;

            r.plen = (uint8_t)(address_is_ip4(&r.dst) ? 96 + rand() % 33 : rand() % 129);
            r.dst = address_prefix(&r.dst, r.plen);
            r.kind = (uint8_t)(rand() % 3);
            snprintf(r.dev, sizeof(r.dev), "d%zu", i);
            for (size_t j = 0; j < n_all; j++) {
                is_new &= all[j].plen != r.plen || all[j].kind != r.kind || all[j].mark != r.mark ||
                          memcmp(&all[j].dst, &r.dst, sizeof(r.dst)) != 0;
            }
            if (is_new) {
                all[n_all++] = r;
                if (r.kind == ROUTE_USER) {
                    assert_int_equal(routes_put_user(rs, &r), 0);
                } else {
                    cached[n_cached++] = r;
                }
            }
        }
        routes_set_cached(rs, cached, n_cached);
        for (int i = 0; i < 1000; i++) {
            struct in6_addr dst = random_address();
            uint32_t mark = rand() % 4 ? 0 : 1;
            const struct route *ours = routes_lookup(rs, mark, &dst);
            const struct route *theirs = twin_lookup(all, n_all, mark, &dst);

            assert_string_equal(ours != NULL ? ours->dev : "-", theirs != NULL ? theirs->dev : "-");
            n_found += theirs != NULL;
        }
        routes_destroy(rs);
        rcu_synchronize();
    }
    assert_in_range(n_found, 4000, 39900);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_prefix_counts),
        cmocka_unit_test(ip4_takes_no_ip6_route),
        cmocka_unit_test(users_and_local_routes_rank_higher),
        cmocka_unit_test(the_lowest_metric_counts),
        cmocka_unit_test(a_users_route_is_replaced_and_bounded),
        cmocka_unit_test(the_text),
        cmocka_unit_test(lookups_are_those_of_the_twin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
