// SPDX-License-Identifier: Apache-2.0
/*
 * flow/extract.c: agrees with its twin on a million frames however they are segmented, gives flows
 * back that compose wrote, and treats hostile lengths as extract.h says.
 */
#include "../unit.h"

#include <stdio.h>

#include "base/util.h"
#include "flow/compose.h"
#include "twin_extract.h"

#define CAP 4096
#define N_RANDOM 1000000

/* One mbuf per piece, pieces of random sizes. */
static void
extract_segmented(struct frame_gen *g, const uint8_t *data, uint32_t size, struct flow *flow,
                  struct packet_layers *ly, enum extract_result *r)
{
    static uint8_t piece[16][CAP];
    struct rte_mbuf m[16];
    uint32_t n = 2 + frame_gen_below(g, 14);
    uint32_t ofs = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t len = i == n - 1 ? size - ofs : MIN(size - ofs, frame_gen_below(g, 60));
        memcpy(piece[i], data + ofs, len);
        frame_mbuf(&m[i], piece[i], len);
        m[i].next = i == n - 1 ? NULL : &m[i + 1];
        ofs += len;
    }
    m[0].pkt_len = size;
    m[0].nb_segs = (uint16_t)n;
    struct flow_key key;
    *r = key_extract(&m[0], 7, &key, ly);
    if (*r == EXTRACT_OK) {
        flow_from_key(&key, flow);
    }
}

static void
fail_with(const char *what, const uint8_t *data, uint32_t size, const struct flow *a,
          const struct flow *b)
{
    print_error("%s, %u bytes:", what, size);
    for (uint32_t i = 0; i < size; i++) {
        print_error("%02x", data[i]);
    }
    print_error("\n");
    for (int i = 0; i < FLOW_WORDS; i++) {
        if (a->w[i] != b->w[i]) {
            print_error("word %d: %016llx, twin %016llx\n", i, (unsigned long long)a->w[i],
                        (unsigned long long)b->w[i]);
        }
    }
    fail();
}

/* The frame at the end of an allocation of its own, so that a sanitizer sees reads beyond it. */
static void
check_frame(struct frame_gen *g, const uint8_t *bytes, uint32_t size)
{
    uint8_t *data = malloc(size ? size : 1);
    memcpy(data, bytes, size);
    struct flow want;
    struct flow got;
    struct packet_layers want_ly;
    struct packet_layers ly;
    struct flow_key key;
    struct rte_mbuf m;
    enum extract_result r = twin_extract(data, size, 7, &want, &want_ly);
    frame_mbuf(&m, data, size);
    assert_int_equal(key_extract(&m, 7, &key, &ly), r);
    if (r == EXTRACT_OK) {
        assert_int_equal(key.n, __builtin_popcountll(key.map));
        flow_from_key(&key, &got);
        if (!flow_equal(&got, &want)) {
            fail_with("contiguous", data, size, &got, &want);
        }
        assert_memory_equal(&ly, &want_ly, sizeof ly);
    }
    enum extract_result seg;
    struct flow seg_flow;
    extract_segmented(g, data, size, &seg_flow, &ly, &seg);
    assert_int_equal(seg, r);
    if (r == EXTRACT_OK) {
        if (!flow_equal(&seg_flow, &want)) {
            fail_with("segmented", data, size, &seg_flow, &want);
        }
        assert_memory_equal(&ly, &want_ly, sizeof ly);
    }
    free(data);
}

static void
test_agrees_with_twin(void **state)
{
    struct frame_gen g = {UINT64_C(0x5eed5eed12345678)};
    static uint8_t data[CAP];
    (void)state;
    for (int i = 0; i < N_RANDOM; i++) {
        uint32_t size = frame_gen_frame(&g, data, CAP);
        check_frame(&g, data, size);
    }
}

static void
test_compose_roundtrip(void **state)
{
    struct frame_gen g = {42};
    uint8_t data[CAP];
    (void)state;
    for (int i = 0; i < 100000; i++) {
        struct flow f;
        struct flow got;
        struct packet_layers ly;
        frame_gen_flow(&g, &f);
        uint32_t size = flow_compose(&f, data, sizeof data, FLOW_PAYLOAD);
        assert_true(size >= 14);
        struct packet_md md = {.in_port = f.in_port};
        assert_int_equal(flow_extract_bytes(data, size, &md, &got, &ly), EXTRACT_OK);
        if (!flow_equal(&got, &f)) {
            fail_with("composed", data, size, &got, &f);
        }
    }
}

/* A UDP/IPv4 frame with its IP total length right; returns its size. */
static uint32_t
udp_frame(uint8_t *data)
{
    struct flow f = {
        .in_port = 1,
        .dl_type = RTE_BE16(ETH_TYPE_IP),
        .nw_src = RTE_BE32(0x0a000001),
        .nw_dst = RTE_BE32(0x0a000002),
        .nw_proto = IP_PROTO_UDP,
        .nw_ttl = 64,
        .tp_src = RTE_BE16(1000),
        .tp_dst = RTE_BE16(53),
        .dl_src.addr_bytes = {2, 0, 0, 0, 0, 1},
        .dl_dst.addr_bytes = {2, 0, 0, 0, 0, 2},
    };
    return flow_compose(&f, data, CAP, 18);
}

static void
extract(const uint8_t *data, uint32_t size, struct flow *f, struct packet_layers *ly)
{
    struct packet_md md = {.in_port = 1};
    assert_int_equal(flow_extract_bytes(data, size, &md, f, ly), EXTRACT_OK);
}

/* CVE-2020-35498: Ethernet padding must not change the key. */
static void
test_padding_is_invisible(void **state)
{
    uint8_t data[CAP] = {0};
    struct flow want;
    struct packet_layers ly;
    (void)state;
    uint32_t size = udp_frame(data);
    extract(data, size, &want, &ly);
    assert_int_equal(ly.l2_pad, 0);
    for (uint32_t pad = 1; pad < 600; pad++) {
        struct flow f;
        memset(data + size, 0xff, pad);
        extract(data, size + pad, &f, &ly);
        assert_true(flow_equal(&f, &want));
        assert_int_equal(ly.l2_pad, pad);
    }
}

/* CVE-2016-10377: every IHL with every total length: no L3 unless both are possible. */
static void
test_ihl_and_total_length_matrix(void **state)
{
    uint8_t data[CAP];
    (void)state;
    uint32_t size = udp_frame(data);
    for (uint32_t ihl = 0; ihl < 16; ihl++) {
        for (uint32_t total = 0; total < 80; total++) {
            struct flow f;
            struct packet_layers ly;
            data[14] = (uint8_t)(0x40 | ihl);
            data[16] = 0;
            data[17] = (uint8_t)total;
            extract(data, size, &f, &ly);
            bool ok = ihl >= 5 && total >= ihl * 4 && total <= size - 14;
            assert_int_equal(f.dl_type, RTE_BE16(ETH_TYPE_IP));
            assert_int_equal(f.nw_src, ok ? RTE_BE32(0x0a000001) : 0);
            assert_int_equal(f.nw_proto, ok ? IP_PROTO_UDP : 0);
            assert_int_equal(ly.l3, 14);
            bool l4 = ok && total >= ihl * 4 + 8;
            assert_int_equal(ly.l4, l4 ? 14 + ihl * 4 : PACKET_LAYER_NONE);
            if (!l4) {
                assert_int_equal(f.tp_dst, 0);
            } else if (ihl == 5) {
                assert_int_equal(f.tp_dst, RTE_BE16(53));
            }
        }
    }
}

static void
test_runts(void **state)
{
    uint8_t data[CAP];
    struct flow f;
    struct packet_layers ly;
    struct packet_md md = {.in_port = 1};
    (void)state;
    udp_frame(data);
    for (uint32_t size = 0; size < 14; size++) {
        assert_int_equal(flow_extract_bytes(data, size, &md, &f, &ly), EXTRACT_RUNT);
    }
    assert_int_equal(flow_extract_bytes(data, 14, &md, &f, &ly), EXTRACT_OK);
    assert_int_equal(f.dl_type, RTE_BE16(ETH_TYPE_IP));
    assert_int_equal(f.nw_proto, 0);
}

/* CVE-2016-2074: stacks of every depth, with and without a bottom, cut anywhere. */
static void
test_mpls_stacks(void **state)
{
    (void)state;
    for (uint32_t depth = 0; depth <= 600; depth += depth < 10 ? 1 : 59) {
        for (uint32_t bos = 0; bos < 2; bos++) {
            uint8_t *data = calloc(1, 14 + depth * 4 + 3);
            data[12] = 0x88;
            data[13] = 0x47;
            for (uint32_t i = 0; i < depth; i++) {
                put_be32(data + 14 + i * 4,
                         (i + 1) << 12 | 64 | (bos && i == depth - 1 ? 0x100 : 0));
            }
            for (uint32_t cut = 0; cut < 4 && cut <= depth * 4; cut++) {
                struct flow f;
                struct packet_layers ly;
                extract(data, 14 + depth * 4 - cut, &f, &ly);
                assert_int_equal(ly.l2_5, 14);
                for (uint32_t i = 0; i < FLOW_MAX_MPLS; i++) {
                    bool there = i < depth && !(cut && i == depth - 1);
                    assert_int_equal(be32toh_(f.mpls_lse[i]) >> 12, there ? i + 1 : 0);
                }
            }
            free(data);
        }
    }
}

/* CVE-2023-1668: protocol 0 is a protocol, in the key and distinguishable from a broken header. */
static void
test_protocol_zero(void **state)
{
    uint8_t data[CAP];
    struct flow f;
    struct packet_layers ly;
    (void)state;
    uint32_t size = udp_frame(data);
    data[23] = 0;
    extract(data, size, &f, &ly);
    assert_int_equal(f.nw_proto, 0);
    assert_int_equal(f.nw_ttl, 64);
    assert_int_equal(f.nw_dst, RTE_BE32(0x0a000002));
    assert_int_equal(f.tp_dst, 0);
    assert_int_equal(ly.l4, 34);
}

/* A message that gives a link-layer address twice must not show either. */
static void
test_nd_with_repeated_option(void **state)
{
    uint8_t data[CAP];
    struct flow ns = {
        .dl_type = RTE_BE16(ETH_TYPE_IPV6),
        .nw_proto = IP_PROTO_ICMPV6,
        .nw_ttl = 255,
        .tp_src = RTE_BE16(135),
        .ipv6_src.s6_addr = {0xfe, 0x80},
        .nd_target.s6_addr = {0xfe, 0x80, [15] = 1},
        .arp_sha.addr_bytes = {2, 2, 2, 2, 2, 2},
        .arp_tha.addr_bytes = {4, 4, 4, 4, 4, 4},
        .nd_options_type = 1,
    };
    struct flow f;
    struct packet_layers ly;
    (void)state;
    uint32_t size = flow_compose(&ns, data, sizeof data, FLOW_PAYLOAD);
    extract(data, size, &f, &ly);
    assert_memory_equal(&f.arp_tha, &ns.arp_tha, 6);
    data[size - 8] = 1; /* the second option becomes a source address, too */
    extract(data, size, &f, &ly);
    assert_true(rte_is_zero_ether_addr(&f.arp_sha));
    assert_int_equal(f.nd_options_type, 0);
    assert_int_equal(f.tp_src, RTE_BE16(135));
    data[size - 8] = 2;
    data[size - 7] = 0; /* length 0: parsing ends there */
    extract(data, size, &f, &ly);
    assert_memory_equal(&f.arp_sha, &ns.arp_sha, 6);
    assert_true(rte_is_zero_ether_addr(&f.arp_tha));
}

static void
test_metadata(void **state)
{
    uint8_t data[CAP];
    struct flow f;
    struct packet_layers ly;
    struct packet_md md = {
        .in_port = 3,
        .recirc_id = 4,
        .pkt_mark = 5,
        .dp_hash = 6,
        .skb_priority = 7,
        .ct_state = CT_STATE_TRK | CT_STATE_EST,
        .ct_zone = 8,
        .ct_mark = 9,
        .ct_label = {1, [15] = 2},
        .ct_nw_src = RTE_BE32(1),
        .ct_nw_dst = RTE_BE32(2),
        .ct_tp_src = RTE_BE16(3),
        .ct_tp_dst = RTE_BE16(4),
        .ct_nw_proto = 17,
        .has_tunnel = true,
        .tunnel = {.tun_id = RTE_BE64(99), .ip_dst = RTE_BE32(5), .flags = FLOW_TNL_F_KEY},
    };
    (void)state;
    uint32_t size = udp_frame(data);
    assert_int_equal(flow_extract_bytes(data, size, &md, &f, &ly), EXTRACT_OK);
    struct packet_md back;
    packet_md_from_flow(&f, &back);
    assert_memory_equal(&back, &md, sizeof md);
    /* Without metadata the same packet is the same but for these words. */
    struct flow plain;
    extract(data, size, &plain, &ly);
    assert_memory_equal(&f.dl_dst, &plain.dl_dst, 40 - 8);
    assert_int_equal(plain.ct_state, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees_with_twin),
        cmocka_unit_test(test_compose_roundtrip),
        cmocka_unit_test(test_padding_is_invisible),
        cmocka_unit_test(test_ihl_and_total_length_matrix),
        cmocka_unit_test(test_runts),
        cmocka_unit_test(test_mpls_stacks),
        cmocka_unit_test(test_protocol_zero),
        cmocka_unit_test(test_nd_with_repeated_option),
        cmocka_unit_test(test_metadata),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
