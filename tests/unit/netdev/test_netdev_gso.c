// SPDX-License-Identifier: Apache-2.0
//
// Super-frames cut into segments: payload, sequence numbers, flags, lengths and checksums of every
// segment, for TCP and UDP over IPv4 and IPv6, tagged and inside VXLAN; and random headers and
// bytes, which must be refused or cut without a step outside the frame (run under ASan).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <netinet/in.h>

#include <rte_ether.h>

#include "base/random.h"
#include "netdev/netdev_gso.h"

enum { MAX_FRAME = 65600, VXLAN_OUTER = 14 + 20 + 8 + 8 };

struct shape {
    bool tcp, v6, vlan, vxlan, outer_csum;
    uint32_t payload_len;
    uint16_t segment;
};

// A slow checksum, written differently from the one under test: words of the RFC's own examples.
static uint16_t
slow_sum(const uint8_t *p, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++) {
        sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

static uint16_t
slow_l4_sum(const uint8_t *frame, uint32_t l3, uint32_t l4, uint32_t len, bool v6, uint8_t proto)
{
    uint32_t sum = v6 ? slow_sum(frame + l3 + 8, 32, 0) : slow_sum(frame + l3 + 12, 8, 0);
    sum += proto + (len - l4);
    return slow_sum(frame + l4, len - l4, (sum & 0xffff) + (sum >> 16));
}

static uint32_t
put_ip(uint8_t *p, bool v6, uint8_t proto, uint32_t rest)
{
    if (v6) {
        memset(p, 0, 40);
        p[0] = 0x60;
        put_be16(p + 4, (uint16_t)rest);
        p[6] = proto;
        p[7] = 64;
        memset(p + 8, 0x21, 16);
        memset(p + 24, 0x37, 16);
        return 40;
    }
    memset(p, 0, 20);
    p[0] = 0x45;
    put_be16(p + 2, (uint16_t)(20 + rest));
    put_be16(p + 4, 0xfffe); // identification wraps
    p[8] = 64;
    p[9] = proto;
    put_be32(p + 12, 0x0a010203);
    put_be32(p + 16, 0xc0a8ff01);
    return 20;
}

// Builds the frame of 'shape'; where the cut headers lie.
static uint32_t
build(const struct shape *s, uint8_t *frame, uint32_t *l3, uint32_t *l4, uint32_t *header_len)
{
    uint32_t l4_hdr = s->tcp ? 32 : 8, ip_hdr = s->v6 ? 40 : 20, ofs = 0;
    uint32_t inner = 14 + ip_hdr + l4_hdr + s->payload_len;

    if (s->vxlan) {
        memset(frame, 0x11, 12);
        put_be16(frame + 12, RTE_ETHER_TYPE_IPV4);
        put_ip(frame + 14, false, IPPROTO_UDP, 16 + inner);
        put_be16(frame + 34, 54321);
        put_be16(frame + 36, 4789);
        put_be16(frame + 38, (uint16_t)(16 + inner));
        put_be16(frame + 40, s->outer_csum ? 1 : 0);
        memset(frame + 42, 0, 8);
        frame[42] = 8;
        ofs = VXLAN_OUTER;
    }
    memset(frame + ofs, 0x22, 12);
    ofs += 12;
    if (s->vlan) {
        put_be16(frame + ofs, RTE_ETHER_TYPE_VLAN);
        put_be16(frame + ofs + 2, 77);
        ofs += 4;
    }
    put_be16(frame + ofs, s->v6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
    *l3 = ofs + 2;
    *l4 = *l3 +
          put_ip(frame + *l3, s->v6, s->tcp ? IPPROTO_TCP : IPPROTO_UDP, l4_hdr + s->payload_len);
    *header_len = *l4 + l4_hdr;
    memset(frame + *l4, 0, l4_hdr);
    put_be16(frame + *l4, 1000);
    put_be16(frame + *l4 + 2, 2000);
    if (s->tcp) {
        put_be32(frame + *l4 + 4, 0xfffffff0); // the sequence number wraps
        frame[*l4 + 12] = 0x80;
        frame[*l4 + 13] = 0x99; // CWR, ACK, PSH, FIN
    } else {
        put_be16(frame + *l4 + 4, (uint16_t)(8 + s->payload_len));
    }
    for (uint32_t i = 0; i < s->payload_len; i++) {
        frame[*header_len + i] = (uint8_t)(i * 7 + i / 256);
    }
    return *header_len + s->payload_len;
}

static struct virtio_net_hdr
header_of(const struct shape *s, uint32_t l4)
{
    return (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                   .gso_type =
                                       !s->tcp ? VIRTIO_NET_HDR_GSO_UDP_L4
                                       : s->v6 ? VIRTIO_NET_HDR_GSO_TCPV6
                                               : VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN,
                                   .gso_size = s->segment,
                                   .csum_start = (uint16_t)l4,
                                   .csum_offset = s->tcp ? 16 : 6};
}

static void
check_segment(const struct shape *s, const uint8_t *seg, uint32_t len, uint32_t n, bool last,
              uint32_t l3, uint32_t l4)
{
    uint8_t proto = s->tcp ? IPPROTO_TCP : IPPROTO_UDP;

    if (s->v6) {
        assert_int_equal(get_be16(seg + l3 + 4), len - l3 - 40);
    } else {
        assert_int_equal(get_be16(seg + l3 + 2), len - l3);
        assert_int_equal(get_be16(seg + l3 + 4), (uint16_t)(0xfffe + n));
        assert_int_equal(slow_sum(seg + l3, 20, 0), 0xffff);
    }
    assert_int_equal(slow_l4_sum(seg, l3, l4, len, s->v6, proto), 0xffff);
    if (s->tcp) {
        assert_int_equal(get_be32(seg + l4 + 4), (uint32_t)(0xfffffff0 + n * s->segment));
        assert_int_equal(seg[l4 + 13], 0x10 | (n == 0 ? 0x80 : 0) | (last ? 0x09 : 0));
    } else {
        assert_int_equal(get_be16(seg + l4 + 4), len - l4);
    }
    if (s->vxlan) {
        assert_int_equal(get_be16(seg + 16), len - 14);
        assert_int_equal(slow_sum(seg + 14, 20, 0), 0xffff);
        assert_int_equal(get_be16(seg + 38), len - 34);
        if (s->outer_csum) {
            assert_int_equal(slow_l4_sum(seg, 14, 34, len, false, IPPROTO_UDP), 0xffff);
        } else {
            assert_int_equal(get_be16(seg + 40), 0);
        }
    }
}

static void
check_shape(const struct shape *s)
{
    uint8_t *frame = xmalloc(MAX_FRAME);
    uint32_t l3, l4, header_len, len = build(s, frame, &l3, &l4, &header_len);
    struct virtio_net_hdr hdr = header_of(s, l4);
    uint8_t *exact = xmemdup(frame, len); // ASan sees a step beyond it
    struct netdev_super super;
    uint32_t done = 0, n = 0, seg_len;

    free(frame);
    assert_int_equal(netdev_super_init(&super, exact, len, &hdr), 0);
    while ((seg_len = netdev_super_next_len(&super)) != 0) {
        uint8_t *seg = xmalloc(seg_len);
        uint32_t part = seg_len - header_len;
        netdev_super_next(&super, seg);
        assert_in_range(part, 1, s->segment);
        assert_memory_equal(seg + header_len, exact + header_len + done, part);
        done += part;
        check_segment(s, seg, seg_len, n++, done == s->payload_len, l3, l4);
        free(seg);
    }
    assert_int_equal(done, s->payload_len);
    assert_int_equal(n, (s->payload_len + s->segment - 1) / s->segment);
    free(exact);
}

static void
test_every_shape(void **state)
{
    static const uint32_t payloads[] = {1, 1448, 1449, 2896, 9000, 64000};

    for (unsigned int bits = 0; bits < 32; bits++) {
        for (size_t i = 0; i < ARRAY_SIZE(payloads); i++) {
            struct shape s = {.tcp = bits & 1,
                              .v6 = bits & 2,
                              .vlan = bits & 4,
                              .vxlan = bits & 8,
                              .outer_csum = bits & 16,
                              .payload_len = payloads[i],
                              .segment = 1448};
            if (!(s.vlan && s.vxlan)) {
                check_shape(&s);
            }
        }
    }
    check_shape(&(struct shape){.tcp = true, .payload_len = 3000, .segment = 1});
}

static void
test_completes_checksums(void **state)
{
    static const struct shape shapes[] = {{.tcp = true, .payload_len = 100},
                                          {.payload_len = 101},
                                          {.v6 = true, .payload_len = 3},
                                          {.tcp = true, .v6 = true, .payload_len = 1400}};

    for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
        uint8_t *frame = xmalloc(MAX_FRAME);
        uint32_t l3, l4, header_len, len = build(&shapes[i], frame, &l3, &l4, &header_len);
        uint8_t proto = shapes[i].tcp ? IPPROTO_TCP : IPPROTO_UDP;
        struct virtio_net_hdr hdr = header_of(&shapes[i], l4);
        // The sender leaves the sum of the pseudo header in the field.
        uint32_t pseudo =
            shapes[i].v6 ? slow_sum(frame + l3 + 8, 32, 0) : slow_sum(frame + l3 + 12, 8, 0);
        pseudo += proto + (len - l4);
        put_be16(frame + l4 + hdr.csum_offset, (uint16_t)((pseudo & 0xffff) + (pseudo >> 16)));
        assert_int_equal(netdev_complete_csum(frame, len, &hdr), 0);
        assert_int_equal(slow_l4_sum(frame, l3, l4, len, shapes[i].v6, proto), 0xffff);
        free(frame);
    }
}

// RFC 3720 appendix B.4: the CRC32c of 32 bytes of zeros is aa36918a (in the order of the wire).
static void
test_completes_sctp(void **state)
{
    uint8_t frame[34 + 32] = {0};
    struct virtio_net_hdr hdr = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 8};

    memset(frame + 42, 0xee, 4); // what stood there does not matter
    assert_int_equal(netdev_complete_csum(frame, sizeof(frame), &hdr), 0);
    assert_int_equal(get_be32(frame + 42), 0xaa36918a);
}

static void
test_refuses_bad_offsets(void **state)
{
    uint8_t frame[64] = {0};
    static const struct virtio_net_hdr bad[] = {
        {.csum_start = 64, .csum_offset = 0},      {.csum_start = 60, .csum_offset = 16},
        {.csum_start = 13, .csum_offset = 6},      {.csum_start = 0xffff, .csum_offset = 0xffff},
        {.csum_start = 20, .csum_offset = 0xffff}, {.csum_start = 57, .csum_offset = 8},
        {.csum_start = 63, .csum_offset = 0}};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(netdev_complete_csum(frame, sizeof(frame), &bad[i]), -22);
    }
}

// Bytes of a good frame changed at random, with random headers and lengths.
static void
test_survives_anything(void **state)
{
    uint8_t *frame = xmalloc(MAX_FRAME), *out = xmalloc(MAX_FRAME + 256);
    unsigned int n_cut = 0;

    random_set_seed(7);
    for (int round = 0; round < 200000; round++) {
        struct shape s = {.tcp = random_range(2),
                          .v6 = random_range(2),
                          .vlan = random_range(4) == 0,
                          .vxlan = random_range(2),
                          .payload_len = random_range(300) + 1,
                          .segment = (uint16_t)random_range(400)};
        uint32_t l3, l4, header_len, len = build(&s, frame, &l3, &l4, &header_len);
        struct virtio_net_hdr hdr = header_of(&s, l4);
        uint32_t n_changes = random_range(4);
        for (uint32_t i = 0; i < n_changes; i++) {
            frame[random_range(header_len)] = (uint8_t)random_u32();
        }
        if (random_range(4) == 0) {
            ((uint8_t *)&hdr)[random_range(sizeof(hdr))] = (uint8_t)random_u32();
        }
        if (random_range(8) == 0) {
            len = RTE_ETHER_HDR_LEN + random_range(len - RTE_ETHER_HDR_LEN);
        }
        uint8_t *exact = xmemdup(frame, len);
        struct netdev_super super;
        if (netdev_super_init(&super, exact, len, &hdr) == 0) {
            uint32_t seg_len, total = 0;
            while ((seg_len = netdev_super_next_len(&super)) != 0) {
                assert_in_range(seg_len, super.header_len + 1, len);
                netdev_super_next(&super, out);
                total += seg_len - super.header_len;
            }
            assert_int_equal(total, len - super.header_len);
            n_cut++;
        }
        netdev_complete_csum(exact, len, &hdr);
        free(exact);
    }
    assert_in_range(n_cut, 1000, 199000);
    free(frame);
    free(out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_shape),       cmocka_unit_test(test_completes_checksums),
        cmocka_unit_test(test_completes_sctp),    cmocka_unit_test(test_refuses_bad_offsets),
        cmocka_unit_test(test_survives_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
