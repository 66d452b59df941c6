// SPDX-License-Identifier: Apache-2.0
/*
 * flow.c, key.c, key.h and flow_hash.c: masks, the sparse form against the dense one, tag stacks,
 * hashes.
 */
#include "../unit.h"

#include "base/util.h"
#include "flow/extract.h"
#include "twin_extract.h"

#define ROUNDS 20000

/* Random bits in a few random words. */
static void
random_mask(struct frame_gen *g, struct flow_mask *m)
{
    memset(m, 0, sizeof *m);
    for (uint32_t i = 0, n = frame_gen_below(g, 8); i < n; i++) {
        m->bits.w[frame_gen_below(g, FLOW_WORDS)] = frame_gen_u64(g) & frame_gen_u64(g);
    }
}

static void
test_mask_algebra(void **state)
{
    struct frame_gen g = {1};
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct flow_mask a;
        struct flow_mask b;
        random_mask(&g, &a);
        random_mask(&g, &b);
        struct flow_mask either = a;
        struct flow_mask both = a;
        flow_mask_or(&either, &b);
        flow_mask_and(&both, &b);
        assert_true(flow_mask_is_subset(&a, &either) && flow_mask_is_subset(&b, &either));
        assert_true(flow_mask_is_subset(&both, &a) && flow_mask_is_subset(&both, &b));
        assert_int_equal(flow_mask_n_bits(&either) + flow_mask_n_bits(&both),
                         flow_mask_n_bits(&a) + flow_mask_n_bits(&b));
        assert_int_equal(flow_mask_is_subset(&a, &b), flow_mask_equal(&both, &a));
        assert_int_equal(flow_mask_is_any(&a), flow_mask_n_bits(&a) == 0);
    }
}

/* The sparse forms say what the dense ones say. */
static void
test_key_and_flow_agree(void **state)
{
    struct frame_gen g = {2};
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct flow f;
        struct flow other;
        struct flow back;
        struct flow_mask m;
        struct flow_key key;
        struct flow_key other_key;
        struct flow_key mask;
        struct flow_key value;
        uint64_t words[FLOW_KEY_MAX];
        frame_gen_flow(&g, &f);
        frame_gen_flow(&g, &other);
        random_mask(&g, &m);
        memset(&m.bits.w[FLOW_KEY_WORDS], 0, (FLOW_WORDS - FLOW_KEY_WORDS) * 8);
        if (i & 1) { /* often the same under the mask */
            for (int w = 0; w < FLOW_WORDS; w++) {
                other.w[w] = (f.w[w] & m.bits.w[w]) | (other.w[w] & ~m.bits.w[w]);
            }
        }
        flow_key_from_flow(&f, &key);
        flow_key_from_flow(&other, &other_key);
        flow_from_key(&key, &back);
        assert_true(flow_equal(&f, &back));
        for (uint32_t w = 0; w < FLOW_KEY_WORDS; w++) {
            assert_int_equal(flow_key_word(&key, w), f.w[w]);
        }
        flow_key_from_mask(&m, &mask);
        flow_key_value(&f, &mask, &value);
        assert_int_equal(value.map, mask.map);
        assert_true(flow_key_match(&key, &mask, &value));
        bool same = flow_equal_masked(&f, &other, &m);
        assert_int_equal(flow_key_match(&other_key, &mask, &value), same);
        flow_key_mask(&other_key, &mask, words);
        assert_int_equal(flow_key_hash_words(words, mask.n, 7),
                         flow_key_hash_masked(&other_key, &mask, 7));
        if (same) {
            assert_int_equal(flow_key_hash_masked(&key, &mask, 7),
                             flow_key_hash_masked(&other_key, &mask, 7));
            assert_int_equal(flow_hash_masked(&f, &m, 3), flow_hash_masked(&other, &m, 3));
        }
        assert_int_equal(flow_key_equal(&key, &other_key), flow_equal(&f, &other));
    }
}

/* A seed that is not known makes collisions unpredictable, and single bits matter. */
static void
test_key_hash_spreads(void **state)
{
    static uint32_t seen[1 << 16];
    struct flow f = {.dl_type = RTE_BE16(ETH_TYPE_IP), .nw_proto = 17, .nw_ttl = 64};
    int collisions = 0;
    (void)state;
    for (uint32_t i = 0; i < 1 << 16; i++) {
        struct flow_key k;
        f.tp_src = RTE_BE16(i & 0xff);
        f.nw_src = RTE_BE32(0x0a000000 | i >> 8);
        flow_key_from_flow(&f, &k);
        uint32_t h = flow_key_hash(&k, UINT64_C(0x1234567890abcdef));
        collisions += seen[h & 0xffff]++ != 0;
    }
    /* 65,536 balls in 65,536 bins: 36.8 % of the bins stay empty. */
    assert_in_range(collisions, 65536 * 34 / 100, 65536 * 39 / 100);
}

static void
reverse(struct flow *f)
{
    struct flow r = *f;
    r.dl_src = f->dl_dst;
    r.dl_dst = f->dl_src;
    r.nw_src = f->nw_dst;
    r.nw_dst = f->nw_src;
    r.ipv6_src = f->ipv6_dst;
    r.ipv6_dst = f->ipv6_src;
    r.tp_src = f->tp_dst;
    r.tp_dst = f->tp_src;
    *f = r;
}

static void
test_balancing_hashes(void **state)
{
    struct frame_gen g = {4};
    int five_tuple_differs = 0;
    int ip = 0;
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct flow f;
        frame_gen_flow(&g, &f);
        bool ports = flow_has_l4(&f, 6) || flow_has_l4(&f, 17) || flow_has_l4(&f, 132);
        struct flow r = f;
        reverse(&r);
        if (!flow_is_ip(&f) || ports || f.nw_frag) {
            assert_int_equal(flow_hash_symmetric_l4(&f, 5), flow_hash_symmetric_l4(&r, 5));
            assert_int_equal(flow_hash_symmetric_l3l4(&f, 5, true),
                             flow_hash_symmetric_l3l4(&r, 5, true));
        }
        /* The five-tuple hash ignores everything else. */
        struct flow same = f;
        same.nw_ttl++;
        same.tcp_flags ^= RTE_BE16(TCP_ACK);
        same.dl_src.addr_bytes[0] ^= 2;
        same.in_port++;
        assert_int_equal(flow_hash_5tuple(&f, 5), flow_hash_5tuple(&same, 5));
        if (flow_is_ip(&f)) {
            ip++;
            five_tuple_differs += flow_hash_5tuple(&f, 5) != flow_hash_5tuple(&r, 5);
            assert_int_not_equal(flow_hash_5tuple(&f, 5), flow_hash_5tuple(&f, 6));
        }
    }
    assert_true(five_tuple_differs > ip * 99 / 100);
}

static void
test_vlan_stack(void **state)
{
    struct flow f = {.in_port = 1};
    (void)state;
    assert_int_equal(flow_n_vlans(&f), 0);
    flow_push_vlan(&f, RTE_BE16(ETH_TYPE_VLAN), RTE_BE16(10));
    flow_push_vlan(&f, RTE_BE16(ETH_TYPE_QINQ), RTE_BE16(20));
    assert_int_equal(flow_n_vlans(&f), 2);
    assert_int_equal(f.vlans[0].tci, RTE_BE16(VLAN_CFI | 20));
    assert_int_equal(f.vlans[0].tpid, RTE_BE16(ETH_TYPE_QINQ));
    assert_int_equal(f.vlans[1].tci, RTE_BE16(VLAN_CFI | 10));
    flow_pop_vlan(&f);
    assert_int_equal(f.vlans[0].tci, RTE_BE16(VLAN_CFI | 10));
    flow_pop_vlan(&f);
    flow_pop_vlan(&f);
    assert_int_equal(flow_words_map(&f), 1);
}

static void
test_mpls_stack(void **state)
{
    struct flow f = {.dl_type = RTE_BE16(ETH_TYPE_IP),
                     .nw_proto = 6,
                     .nw_ttl = 33,
                     .nw_tos = 0x28,
                     .nw_src = RTE_BE32(1)};
    struct flow_mask m = {0};
    (void)state;
    assert_false(flow_pop_mpls(&f, RTE_BE16(ETH_TYPE_IP), NULL));
    assert_true(flow_push_mpls(&f, RTE_BE16(ETH_TYPE_MPLS), &m));
    assert_int_equal(m.bits.nw_ttl, 0xff); /* the TTL was copied from the IP header */
    assert_int_equal(m.bits.nw_tos, IP_DSCP_MASK);
    assert_int_equal(rte_be_to_cpu_32(f.mpls_lse[0]), 2u << MPLS_TC_SHIFT | MPLS_BOS_MASK | 33);
    assert_int_equal(f.nw_src, 0);
    assert_int_equal(flow_n_mpls(&f, NULL), 1);
    f.mpls_lse[0] |= RTE_BE32(7u << MPLS_LABEL_SHIFT);
    assert_true(flow_push_mpls(&f, RTE_BE16(ETH_TYPE_MPLS), NULL));
    assert_int_equal(f.mpls_lse[0], f.mpls_lse[1] & ~RTE_BE32(MPLS_BOS_MASK));
    assert_true(flow_push_mpls(&f, RTE_BE16(ETH_TYPE_MPLS), NULL));
    assert_false(flow_push_mpls(&f, RTE_BE16(ETH_TYPE_MPLS), NULL)); /* the key holds three */
    for (int n = 3; n > 0; n--) {
        assert_int_equal(flow_n_mpls(&f, NULL), n);
        assert_true(flow_pop_mpls(&f, RTE_BE16(n > 1 ? ETH_TYPE_MPLS : ETH_TYPE_IP), NULL));
    }
    assert_int_equal(f.mpls_lse[0], 0);
    /* Four entries: what is under the third is unknown, so it cannot be popped. */
    struct flow deep = {.dl_type = RTE_BE16(ETH_TYPE_MPLS)};
    assert_false(flow_pop_mpls(&deep, RTE_BE16(ETH_TYPE_MPLS), &m));
}

/* Exact for a shape: no bit of the packet outside the mask, no field inside that it cannot have. */
static void
test_exact_for_shape(void **state)
{
    struct frame_gen g = {6};
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct flow f;
        struct flow_mask m = {0};
        frame_gen_flow(&g, &f);
        flow_mask_exact_for(&f, &m);
        struct flow masked = f;
        flow_apply_mask(&masked, &m);
        assert_true(flow_equal(&masked, &f));
        if (!flow_is_ip(&f) && !flow_is_arp(&f)) {
            assert_int_equal(m.bits.nw_src, 0);
            assert_int_equal(m.bits.nw_proto, 0);
        }
        if (f.nw_frag & NW_FRAG_LATER) {
            assert_int_equal(m.bits.tp_dst, 0);
        }
        assert_int_equal(flow_words_map(&m.bits) & ~FLOW_KEY_WORDS_MAP, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mask_algebra),     cmocka_unit_test(test_key_and_flow_agree),
        cmocka_unit_test(test_key_hash_spreads), cmocka_unit_test(test_balancing_hashes),
        cmocka_unit_test(test_vlan_stack),       cmocka_unit_test(test_mpls_stack),
        cmocka_unit_test(test_exact_for_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
