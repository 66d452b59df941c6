// SPDX-License-Identifier: Apache-2.0
/*
 * Setting fields keeps checksums right: each rewrite of random packets is checked against a
 * verification over the whole packet, which shares nothing with the incremental update.
 */
#include "../unit.h"

#include "packet/build.h"
#include "packet/csum.h"
#include "packet/rewrite.h"

enum { ROOM = 2048, HEADROOM = 128, ROUNDS = 2000 };

struct frame {
    struct rte_mbuf m;
    uint8_t bytes[ROOM];
    struct packet_layers ly;
};

static void
frame_init(struct frame *f)
{
    memset(f, 0, sizeof *f);
    f->m.buf_addr = f->bytes;
    f->m.buf_len = ROOM;
    f->m.data_off = HEADROOM;
    f->m.nb_segs = 1;
    rte_mbuf_refcnt_set(&f->m, 1);
    packet_layers_clear(&f->ly);
}

static void
fill_random(void *p, size_t n)
{
    for (uint8_t *b = p; n--; b++) {
        *b = (uint8_t)rand();
    }
}

/* An IPv4 or IPv6 frame of 'proto' with random contents and right checksums. */
static void
make(struct frame *f, bool v6, uint8_t proto)
{
    static const struct rte_ether_addr src = {{2, 0, 0, 0, 0, 1}};
    static const struct rte_ether_addr dst = {{2, 0, 0, 0, 0, 2}};
    uint32_t l4_size = proto == IP_PROTO_TCP ? 20 : proto == IP_PROTO_SCTP ? 12 : 8, ip;
    uint32_t payload = (uint32_t)rand() % 64;
    struct frame_buf b;
    uint8_t *l4;

    frame_init(f);
    b = frame_buf_init(f->bytes + HEADROOM, ROOM - HEADROOM);
    frame_put_eth(&b, &src, &dst, v6 ? ETH_TYPE_IPV6 : ETH_TYPE_IP);
    if (v6) {
        struct in6_addr s, d;

        fill_random(&s, sizeof s);
        fill_random(&d, sizeof d);
        ip = frame_put_ipv6(&b, &s, &d, proto, (uint8_t)rand(), 64);
    } else {
        ip = frame_put_ipv4(&b, (rte_be32_t)rand(), (rte_be32_t)rand(), proto, (uint8_t)rand(), 64);
    }
    f->ly.l3 = (uint16_t)ip;
    f->ly.l4 = (uint16_t)b.size;
    l4 = frame_put_zeros(&b, l4_size + payload);
    fill_random(l4, l4_size + payload);
    if (proto == IP_PROTO_TCP) {
        l4[12] = 0x50;
    }
    frame_finish_ip(&b, ip);
    assert_false(b.overflow);
    f->m.data_len = (uint16_t)b.size;
    f->m.pkt_len = b.size;
    assert_int_not_equal(packet_verify_l4_csum(&f->m, &f->ly), CSUM_BAD);
}

static void
check(const struct frame *f, bool v6)
{
    assert_int_equal(packet_verify_l3_csum(&f->m, &f->ly), v6 ? CSUM_NONE : CSUM_GOOD);
    assert_int_equal(packet_verify_l4_csum(&f->m, &f->ly), CSUM_GOOD);
}

static const uint8_t protos[] = {IP_PROTO_TCP, IP_PROTO_UDP, IP_PROTO_SCTP};

// Byte by byte: what was there with the masked bits of 'value'.
static void
check_merged(const uint8_t *now, const uint8_t *before, const void *value, const void *mask,
             unsigned size)
{
    const uint8_t *v = value, *k = mask;

    for (unsigned i = 0; i < size; i++) {
        assert_int_equal(now[i], (before[i] & ~k[i]) | (v[i] & k[i]));
    }
}

static void
test_set_eth(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        uint8_t before[RTE_ETHER_HDR_LEN + 1];
        struct set_eth value, mask;
        struct frame f;

        make(&f, i & 1, IP_PROTO_UDP);
        memcpy(before, packet_data(&f.m), sizeof before);
        fill_random(&value, sizeof value);
        fill_random(&mask, sizeof mask);
        assert_int_equal(packet_set_eth(&f.m, &value, &mask), 0);
        check_merged(packet_data(&f.m), before, &value.dst, &mask.dst, RTE_ETHER_ADDR_LEN);
        check_merged(packet_data(&f.m) + 6, before + 6, &value.src, &mask.src, RTE_ETHER_ADDR_LEN);
        assert_memory_equal(packet_data(&f.m) + 12, before + 12, 3);
    }
}

static void
test_set_ipv4(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct set_ipv4 value, mask;
        struct frame f;

        make(&f, false, protos[i % 3]);
        fill_random(&value, sizeof value);
        fill_random(&mask, sizeof mask);
        assert_int_equal(packet_set_ipv4(&f.m, &f.ly, &value, &mask), 0);
        check(&f, false);
    }
}

static void
test_set_ipv6(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        const uint8_t v6_protos[] = {IP_PROTO_TCP, IP_PROTO_UDP, IP_PROTO_ICMPV6};
        struct set_ipv6 value, mask;
        struct frame f;

        uint8_t before[40];

        make(&f, true, v6_protos[i % 3]);
        memcpy(before, packet_data(&f.m) + f.ly.l3, sizeof before);
        fill_random(&value, sizeof value);
        fill_random(&mask, sizeof mask);
        assert_int_equal(packet_set_ipv6(&f.m, &f.ly, &value, &mask), 0);
        check(&f, true);
        const uint8_t *now = packet_data(&f.m) + f.ly.l3;
        check_merged(now + 8, before + 8, &value.src, &mask.src, 16);
        check_merged(now + 24, before + 24, &value.dst, &mask.dst, 16);
        assert_int_equal(packet_data(&f.m)[14] >> 4, 6);
    }
}

static void
test_set_ports(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct set_tp value, mask;
        struct frame f;
        int retval;

        make(&f, i & 1, protos[i % 3]);
        fill_random(&value, sizeof value);
        fill_random(&mask, sizeof mask);
        retval = i % 3 == 0   ? packet_set_tcp(&f.m, &f.ly, &value, &mask)
                 : i % 3 == 1 ? packet_set_udp(&f.m, &f.ly, &value, &mask)
                              : packet_set_sctp(&f.m, &f.ly, &value, &mask);
        assert_int_equal(retval, 0);
        check(&f, i & 1);
    }
}

static void
test_values_arrive(void **state)
{
    const struct set_ipv4 value = {.src = RTE_BE32(0x01020304), .ttl = 9};
    const struct set_ipv4 mask = {.src = RTE_BE32(0xffffff00), .ttl = 0xff};
    struct frame f;
    uint8_t *ip;

    (void)state;
    make(&f, false, IP_PROTO_TCP);
    ip = packet_data(&f.m) + 14;
    ip[15] = 77;
    packet_fill_l3_csum(&f.m, &f.ly);
    packet_fill_l4_csum(&f.m, &f.ly);
    assert_int_equal(packet_set_ipv4(&f.m, &f.ly, &value, &mask), 0);
    assert_int_equal(ip[12], 1);
    assert_int_equal(ip[14], 3);
    assert_int_equal(ip[15], 77);
    assert_int_equal(ip[8], 9);
}

static void
test_udp_without_checksum_stays_so(void **state)
{
    const struct set_ipv4 value = {.dst = RTE_BE32(0x0a0a0a0a)}, mask = {.dst = UINT32_MAX};
    const struct set_tp tp = {.src = RTE_BE16(99)}, tp_mask = {.src = UINT16_MAX};
    struct frame f;
    uint8_t *udp;

    (void)state;
    make(&f, false, IP_PROTO_UDP);
    udp = packet_data(&f.m) + f.ly.l4;
    udp[6] = udp[7] = 0;
    packet_set_ipv4(&f.m, &f.ly, &value, &mask);
    packet_set_udp(&f.m, &f.ly, &tp, &tp_mask);
    assert_int_equal(udp[6] | udp[7], 0);
    assert_int_equal(packet_verify_l4_csum(&f.m, &f.ly), CSUM_NONE);
}

static void
test_wrong_checksums_stay_wrong(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        const struct set_tp value = {.dst = (rte_be16_t)rand()}, mask = {.dst = UINT16_MAX};
        struct frame f;

        make(&f, false, protos[i % 3]);
        packet_data(&f.m)[f.ly.l4 + 4] ^= 0x5a; /* sequence number, length, verification tag */
        i % 3 == 0   ? packet_set_tcp(&f.m, &f.ly, &value, &mask)
        : i % 3 == 1 ? packet_set_udp(&f.m, &f.ly, &value, &mask)
                     : packet_set_sctp(&f.m, &f.ly, &value, &mask);
        if (packet_verify_l4_csum(&f.m, &f.ly) != CSUM_NONE) {
            assert_int_equal(packet_verify_l4_csum(&f.m, &f.ly), CSUM_BAD);
        }
    }
}

static void
test_cut_headers_are_refused(void **state)
{
    const struct set_tp tp = {0};
    const struct set_ipv4 ip = {0};
    struct frame f;

    (void)state;
    make(&f, false, IP_PROTO_TCP);
    f.m.data_len = f.ly.l4 + 19;
    assert_int_not_equal(packet_set_tcp(&f.m, &f.ly, &tp, &tp), 0);
    f.m.data_len = f.ly.l3 + 19;
    assert_int_not_equal(packet_set_ipv4(&f.m, &f.ly, &ip, &ip), 0);
    f.ly.l4 = PACKET_LAYER_NONE;
    assert_int_not_equal(packet_set_udp(&f.m, &f.ly, &tp, &tp), 0);
}

static void
test_vlan_in_and_out(void **state)
{
    struct frame f, before;

    (void)state;
    make(&f, false, IP_PROTO_UDP);
    before = f;
    assert_int_equal(packet_push_vlan(&f.m, &f.ly, RTE_BE16(0x8100), RTE_BE16(0x1005)), 0);
    assert_int_equal(f.m.pkt_len, before.m.pkt_len + 4);
    assert_int_equal(f.ly.l4, before.ly.l4 + 4);
    assert_memory_equal(packet_data(&f.m) + 12, "\x81\x00\x00\x05\x08\x00", 6);
    check(&f, false);
    assert_int_equal(packet_pop_vlan(&f.m, &f.ly), 0);
    assert_int_equal(f.m.pkt_len, before.m.pkt_len);
    assert_memory_equal(packet_data(&f.m), before.bytes + HEADROOM, f.m.pkt_len);
    assert_int_not_equal(packet_pop_vlan(&f.m, &f.ly), 0);
}

static void
test_no_headroom(void **state)
{
    struct frame f;

    (void)state;
    make(&f, false, IP_PROTO_UDP);
    memmove(f.bytes, f.bytes + HEADROOM, f.m.data_len);
    f.m.data_off = 0;
    assert_int_not_equal(packet_push_vlan(&f.m, &f.ly, RTE_BE16(0x8100), RTE_BE16(5)), 0);
    check(&f, false);
}

static void
test_mpls_in_and_out(void **state)
{
    struct frame f, before;

    (void)state;
    make(&f, false, IP_PROTO_UDP);
    before = f;
    assert_int_equal(packet_push_mpls(&f.m, &f.ly, RTE_BE16(0x8847), RTE_BE32(0x00064140)), 0);
    assert_memory_equal(packet_data(&f.m) + 12, "\x88\x47\x00\x06\x41\x40", 6);
    assert_int_equal(f.ly.l2_5, 14);
    assert_int_equal(packet_pop_mpls(&f.m, &f.ly, RTE_BE16(0x0800)), 0);
    assert_memory_equal(packet_data(&f.m), before.bytes + HEADROOM, f.m.pkt_len);
}

static void
test_truncate(void **state)
{
    struct frame f;

    (void)state;
    make(&f, false, IP_PROTO_TCP);
    packet_truncate(&f.m, &f.ly, 34);
    assert_int_equal(f.m.pkt_len, 34);
    assert_int_equal(f.m.data_len, 34);
    assert_int_equal(f.ly.l3, 14);
    assert_int_equal(f.ly.l4, PACKET_LAYER_NONE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_eth),
        cmocka_unit_test(test_set_ipv4),
        cmocka_unit_test(test_set_ipv6),
        cmocka_unit_test(test_set_ports),
        cmocka_unit_test(test_values_arrive),
        cmocka_unit_test(test_udp_without_checksum_stays_so),
        cmocka_unit_test(test_wrong_checksums_stay_wrong),
        cmocka_unit_test(test_cut_headers_are_refused),
        cmocka_unit_test(test_vlan_in_and_out),
        cmocka_unit_test(test_no_headroom),
        cmocka_unit_test(test_mpls_in_and_out),
        cmocka_unit_test(test_truncate),
    };

    srand(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
