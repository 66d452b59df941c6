// SPDX-License-Identifier: Apache-2.0
//
// Lanes, subtables and megaflows from the control side, against a linear list as the twin.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "pmd/megaflow.h"

enum { SHAPE = 0x1f }; // Ethernet, IPv4, ports

struct fixture {
    struct key_secret secret;
    struct megaflows mf;
    struct dp_actions actions;
};

static int
setup(void **state)
{
    struct fixture *fx = xzalloc_cacheline(sizeof *fx);
    struct dp_act_port out = {.hdr = {.type = DP_ACT_OUTPUT, .len8 = sizeof out / 8}, .port = 7};

    rcu_thread_register();
    random_bytes(&fx->secret, sizeof fx->secret);
    megaflows_init(&fx->mf, &fx->secret);
    dp_actions_append(&fx->actions, &out, sizeof out);
    *state = fx;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *fx = *state;

    for (uint32_t slot = 1; slot < fx->mf.high_slot; slot++) {
        megaflow_del(&fx->mf, &fx->mf.slab[slot]);
    }
    rcu_barrier();
    megaflows_fini(&fx->mf);
    dp_actions_fini(&fx->actions);
    free(fx);
    rcu_thread_unregister();
    return 0;
}

static int
put(struct fixture *fx, const struct flow *key, const struct flow_mask *mask, uint64_t shape,
    struct dp_flow **f)
{
    struct dp_flow_put p = {.key = key, .mask = mask, .shape = shape, .actions = &fx->actions};

    return megaflow_put(&fx->mf, &p, f);
}

static void
random_packet(struct flow *f)
{
    memset(f, 0, sizeof *f);
    f->in_port = 1 + random_range(3);
    f->dl_dst.addr_bytes[5] = (uint8_t)random_range(4);
    f->dl_type = rte_cpu_to_be_16(ETH_TYPE_IP);
    f->nw_proto = random_range(2) ? IP_PROTO_UDP : IP_PROTO_TCP;
    f->nw_src = rte_cpu_to_be_32(0x0a000000 | random_range(64));
    f->nw_dst = rte_cpu_to_be_32(0x0b000000 | random_range(64));
    f->tp_src = rte_cpu_to_be_16((uint16_t)random_range(16));
    f->tp_dst = rte_cpu_to_be_16((uint16_t)random_range(16));
    f->nw_ttl = (uint8_t)random_range(4);
}

static void
random_mask(struct flow_mask *m)
{
    memset(m, 0, sizeof *m);
    m->bits.w[0] = UINT64_MAX;
    FLOW_MASK_SET(m, dl_type);
    m->bits.nw_src = rte_cpu_to_be_32((uint32_t)(UINT64_MAX << random_range(7)));
    if (random_range(2)) {
        m->bits.nw_dst = rte_cpu_to_be_32((uint32_t)(UINT64_MAX << random_range(7)));
    }
    if (random_range(2)) {
        FLOW_MASK_SET(m, tp_dst);
    }
}

static struct dp_flow *
lookup(struct fixture *fx, const struct flow *f)
{
    return megaflow_find_key(&fx->mf, f);
}

// Every packet finds a flow exactly when the list has one that matches, and the one it finds does.
static void
test_lookup_agrees_with_a_list(void **state)
{
    struct fixture *fx = *state;
    struct {
        struct flow key;
        struct flow_mask mask;
        struct dp_flow *f;
    } *list = xcalloc(3000, sizeof *list);
    unsigned n = 0, n_found = 0;

    for (int step = 0; step < 20000; step++) {
        struct flow packet;
        random_packet(&packet);
        if (random_range(8) == 0 && n < 3000) {
            struct flow_mask mask;
            random_mask(&mask);
            if (!put(fx, &packet, &mask, SHAPE, &list[n].f)) {
                megaflow_get_key(list[n].f, &list[n].key, &list[n].mask);
                assert_true(flow_mask_is_subset(&mask, &list[n].mask));
                assert_true(flow_equal_masked(&packet, &list[n].key, &list[n].mask));
                n++;
            }
        } else if (random_range(16) == 0 && n) {
            unsigned i = random_range(n);
            assert_true(megaflow_del(&fx->mf, list[i].f));
            list[i] = list[--n];
        } else {
            struct dp_flow *f = lookup(fx, &packet);
            unsigned i = 0;
            while (i < n && !flow_equal_masked(&packet, &list[i].key, &list[i].mask)) {
                i++;
            }
            assert_int_equal(f != NULL, i < n);
            if (f) {
                struct flow key;
                struct flow_mask mask;
                megaflow_get_key(f, &key, &mask);
                assert_true(flow_equal_masked(&packet, &key, &mask));
                n_found++;
            }
        }
        rcu_quiesce();
    }
    assert_int_equal(atomic_load(&fx->mf.n_flows), n);
    assert_true(n_found > 1000);
    free(list);
}

static void
test_masks_of_a_lane_are_bounded(void **state)
{
    struct fixture *fx = *state;

    // 32 x 17 prefixes: the shapes of the published attack.
    for (unsigned src = 1; src <= 32; src++) {
        for (unsigned port = 0; port <= 16; port++) {
            struct flow packet;
            struct flow_mask mask;
            struct dp_flow *f;
            random_packet(&packet);
            packet.in_port = 1;
            packet.nw_src = rte_cpu_to_be_32(random_u32());
            packet.tp_src = (uint16_t)random_u32();
            memset(&mask, 0, sizeof mask);
            mask.bits.w[0] = UINT64_MAX;
            mask.bits.nw_src = rte_cpu_to_be_32(UINT32_MAX << (32 - src));
            mask.bits.tp_src = rte_cpu_to_be_16((uint16_t)(0xffffu << (16 - port)));
            int rc = put(fx, &packet, &mask, SHAPE, &f);
            assert_true(rc == 0 || rc == -EEXIST);
            // Whatever mask it got, the packet finds it.
            assert_non_null(lookup(fx, &packet));
        }
    }
    struct lane *lane = megaflow_find_lane(&fx->mf, 1, SHAPE);
    assert_non_null(lane);
    assert_true(rcu_get(&lane->view)->n_subtables <= LANE_MAX_SUBTABLES);
    assert_true(rcu_get(&lane->view)->n_subtables > LANE_MAX_MASKS);
}

static void
test_shapes_do_not_meet(void **state)
{
    struct fixture *fx = *state;
    struct flow packet;
    struct flow_mask mask;
    struct dp_flow *f;

    random_packet(&packet);
    memset(&mask, 0, sizeof mask);
    mask.bits.w[0] = UINT64_MAX;
    assert_int_equal(put(fx, &packet, &mask, SHAPE, &f), 0);
    packet.vlans[0].tci = rte_cpu_to_be_16(VLAN_CFI | 5);
    assert_null(lookup(fx, &packet));
}

static void
test_wild_flows_match_any_shape(void **state)
{
    struct fixture *fx = *state;
    struct flow packet, key = {.in_port = 1};
    struct flow_mask mask;
    struct dp_flow *f, *again;

    memset(&mask, 0, sizeof mask);
    FLOW_MASK_SET(&mask, in_port);
    assert_int_equal(put(fx, &key, &mask, 0, &f), 0);
    assert_int_equal(put(fx, &key, &mask, 0, &again), -EEXIST);
    assert_ptr_equal(f, again);
    random_packet(&packet);
    packet.in_port = 1;
    assert_ptr_equal(lookup(fx, &packet), f);
    packet.in_port = 2;
    assert_null(lookup(fx, &packet));
    packet.in_port = 1;
    assert_true(megaflow_del(&fx->mf, f));
    assert_false(megaflow_del(&fx->mf, f));
    assert_null(lookup(fx, &packet));
}

// PMDs look for no trains while there are masks for any shape.
static void
test_masks_of_wild_flows_go_with_their_last_flow(void **state)
{
    enum { N = 5 };
    struct fixture *fx = *state;
    struct flow packet, keys[N] = {{.in_port = 1}};
    struct dp_flow *f[N], *second, *refused;
    struct flow_mask masks[N];

    for (unsigned i = 0; i < N; i++) {
        memset(&masks[i], 0, sizeof masks[i]);
        FLOW_MASK_SET(&masks[i], in_port);
        masks[i].bits.nw_src = rte_cpu_to_be_32(UINT32_MAX << i);
        keys[i] = (struct flow){.in_port = i + 1};
        assert_int_equal(put(fx, &keys[i], &masks[i], 0, &f[i]), 0);
    }
    keys[0].in_port = 9;
    assert_int_equal(put(fx, &keys[0], &masks[0], 0, &second), 0);
    atomic_store(&fx->mf.limit, N + 1);
    masks[0].bits.nw_src = 0;
    assert_int_equal(put(fx, &keys[0], &masks[0], 0, &refused), -ENOSPC);

    // From the middle, the ends, and one that another flow still needs.
    static const unsigned order[N] = {2, 4, 0, 1, 3};
    for (unsigned i = 0; i < N; i++) {
        assert_true(megaflow_del(&fx->mf, f[order[i]]));
        rcu_barrier();
        for (unsigned j = 0; j < N; j++) {
            bool gone = false;
            for (unsigned k = 0; k <= i; k++) {
                gone |= order[k] == j;
            }
            memset(&packet, 0, sizeof packet);
            packet.in_port = j + 1;
            assert_ptr_equal(lookup(fx, &packet), gone ? NULL : f[j]);
        }
    }
    assert_non_null(rcu_get_protected(&fx->mf.wild));
    assert_true(megaflow_del(&fx->mf, second));
    assert_null(rcu_get_protected(&fx->mf.wild));
    rcu_barrier();
    atomic_store(&fx->mf.limit, 0);
    assert_int_equal(put(fx, &keys[0], &masks[0], 0, &refused), -ENOSPC);
    assert_null(rcu_get_protected(&fx->mf.wild));
}

static void
test_limit_and_ufid(void **state)
{
    struct fixture *fx = *state;
    struct flow packet;
    struct flow_mask mask;
    struct dp_flow *f, *g;

    atomic_store(&fx->mf.limit, 1);
    random_packet(&packet);
    random_mask(&mask);
    FLOW_MASK_SET(&mask, nw_src);
    assert_int_equal(put(fx, &packet, &mask, SHAPE, &f), 0);
    assert_ptr_equal(megaflow_find_ufid(&fx->mf, &f->cold->ufid), f);
    packet.nw_src ^= 0x01000000;
    assert_int_equal(put(fx, &packet, &mask, SHAPE, &g), -ENOSPC);
    struct uuid ufid = f->cold->ufid;
    megaflow_del(&fx->mf, f);
    assert_null(megaflow_find_ufid(&fx->mf, &ufid));
    assert_int_equal(put(fx, &packet, &mask, SHAPE, &g), 0);
}

// One port's flood leaves a quarter of a full table to the others.
static void
test_limit_is_fair_to_ports(void **state)
{
    struct fixture *fx = *state;
    struct flow packet;
    struct flow_mask mask;
    struct dp_flow *f;
    unsigned n_of[3] = {0};

    atomic_store(&fx->mf.limit, 80);
    random_packet(&packet);
    memset(&mask, 0, sizeof mask);
    mask.bits.w[0] = UINT64_MAX;
    FLOW_MASK_SET(&mask, nw_src);
    for (odp_port_t port = 1; port <= 2; port++) {
        packet.in_port = port;
        for (unsigned i = 0; i < 200; i++) {
            packet.nw_src = i;
            n_of[port] += put(fx, &packet, &mask, SHAPE, &f) == 0;
        }
    }
    assert_int_equal(n_of[1], 60);
    assert_int_equal(n_of[2], 20);
}

static void
test_equal_actions_share_a_plan(void **state)
{
    struct fixture *fx = *state;
    struct flow packet;
    struct flow_mask mask;
    struct dp_flow *f, *g;

    random_mask(&mask);
    FLOW_MASK_SET(&mask, nw_src);
    random_packet(&packet);
    assert_int_equal(put(fx, &packet, &mask, SHAPE, &f), 0);
    packet.nw_src ^= 0x01000000;
    assert_int_equal(put(fx, &packet, &mask, SHAPE, &g), 0);
    const struct plan *plan = rcu_get(&f->plan);
    assert_ptr_equal(plan, rcu_get(&g->plan));
    assert_int_equal(plan->kind, PLAN_OUTPUT);
    assert_int_equal(plan->port, 7);
    struct dp_actions none = {0};
    assert_int_equal(megaflow_set_actions(&fx->mf, g, &none), 0);
    assert_int_equal(rcu_get(&g->plan)->kind, PLAN_DROP);
    assert_ptr_equal(rcu_get(&f->plan), plan);
}

// A mask on words that the shape lacks is told back: a revalidator compares.
static void
test_asked_mask_is_told_back(void **state)
{
    struct fixture *fx = *state;
    struct flow packet, key;
    struct flow_mask mask, got;
    struct dp_flow *f;

    random_packet(&packet);
    random_mask(&mask);
    FLOW_MASK_SET(&mask, vlans[0]);
    FLOW_MASK_SET(&mask, ct_state);
    assert_int_equal(put(fx, &packet, &mask, SHAPE, &f), 0);
    megaflow_get_key(f, &key, &got);
    assert_true(flow_mask_is_subset(&mask, &got));
}

static void
test_empty_lanes_go(void **state)
{
    struct fixture *fx = *state;
    struct flow packet;
    struct flow_mask mask;
    struct dp_flow *f;

    random_packet(&packet);
    random_mask(&mask);
    assert_int_equal(put(fx, &packet, &mask, SHAPE, &f), 0);
    megaflows_tidy(&fx->mf, INT64_MAX / 2);
    assert_non_null(megaflow_find_lane(&fx->mf, packet.w[0], SHAPE));
    megaflow_del(&fx->mf, f);
    megaflows_tidy(&fx->mf, INT64_MAX / 2);
    assert_null(megaflow_find_lane(&fx->mf, packet.w[0], SHAPE));
    assert_int_equal(atomic_load(&fx->mf.lane_gen), 1);
}

// What a PMD knows of a view must not be taken for knowledge of a later one at the same address.
static void
test_each_view_of_a_lane_is_told_from_all_before(void **state)
{
    struct fixture *fx = *state;
    const struct lane_view *views[64];
    uint64_t last = 0;
    unsigned n_again = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(views); i++) {
        struct flow packet;
        struct flow_mask mask = {0};
        struct dp_flow *f;

        random_packet(&packet);
        packet.in_port = 1;
        mask.bits.w[0] = UINT64_MAX;
        mask.bits.nw_src = rte_cpu_to_be_32(UINT32_MAX << i % 32);
        assert_int_equal(put(fx, &packet, &mask, SHAPE, &f), 0);
        views[i] = rcu_get_protected(&megaflow_find_lane(&fx->mf, packet.w[0], SHAPE)->view);
        assert_true(views[i]->generation > last);
        last = views[i]->generation;
        for (unsigned j = 0; j < i; j++) {
            n_again += views[j] == views[i];
        }
        megaflow_del(&fx->mf, f);
        rcu_barrier();
    }
    print_message("an address came again %u times\n", n_again);
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_lookup_agrees_with_a_list),
        TEST(test_masks_of_a_lane_are_bounded),
        TEST(test_shapes_do_not_meet),
        TEST(test_wild_flows_match_any_shape),
        TEST(test_masks_of_wild_flows_go_with_their_last_flow),
        TEST(test_limit_and_ufid),
        TEST(test_equal_actions_share_a_plan),
        TEST(test_limit_is_fair_to_ports),
        TEST(test_asked_mask_is_told_back),
        TEST(test_empty_lanes_go),
        TEST(test_each_view_of_a_lane_is_told_from_all_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
