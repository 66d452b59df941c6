// SPDX-License-Identifier: Apache-2.0
//
// Joining is the opposite of cutting: whatever a burst holds (several connections, holes, broken
// checksums, other flags, IPv6, tags), cutting what netdev_gro_join() made gives back every frame,
// byte for byte, and each connection's frames in their order.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <rte_ether.h>

#include "base/random.h"
#include "netdev/netdev.h"
#include "netdev/netdev_gro.h"
#include "netdev/netdev_gso.h"

enum { ROOM = 2048, MAX_SUPER = 66000, N_CONNECTIONS = 12, BOTH = NETDEV_GRO_IP4 | NETDEV_GRO_IP6 };

struct frame {
    struct rte_mbuf m;
    uint8_t bytes[ROOM];
};

struct burst {
    struct frame frames[NETDEV_MAX_BURST];
    struct frame before[NETDEV_MAX_BURST]; // as they were
    struct rte_mbuf *mbufs[NETDEV_MAX_BURST];
    uint16_t n;
};

// One side of a connection: what its next frame begins with.
struct connection {
    uint8_t header[128];
    uint32_t l3, l4, header_len;
    uint32_t seq;
    uint16_t id;
    bool v6;
};

static void
make_connection(struct connection *c, uint8_t number, bool v6, bool vlan, bool options)
{
    uint8_t *p = c->header;

    memset(c, 0, sizeof(*c));
    memset(p, 2, 12);
    p[5] = number;
    c->v6 = v6;
    c->l3 = vlan ? 18 : 14;
    if (vlan) {
        put_be16(p + 12, RTE_ETHER_TYPE_VLAN);
        put_be16(p + 14, 7);
    }
    put_be16(p + c->l3 - 2, v6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
    c->l4 = c->l3 + (v6 ? 40 : 20);
    p[c->l3] = v6 ? 0x60 : 0x45;
    p[c->l3 + (v6 ? 6 : 9)] = 6;
    p[c->l3 + (v6 ? 7 : 8)] = 64;
    memset(p + c->l3 + (v6 ? 8 : 12), 10, v6 ? 32 : 8);
    p[c->l3 + (v6 ? 39 : 19)] = number;
    c->header_len = c->l4 + (options ? 32 : 20);
    put_be16(p + c->l4, 4000);
    put_be16(p + c->l4 + 2, number);
    p[c->l4 + 12] = options ? 0x80 : 0x50;
    p[c->l4 + 13] = 0x10;
    put_be16(p + c->l4 + 14, 8192);
    c->seq = random_u32();
    c->id = (uint16_t)random_u32();
}

// Adds the next segment of 'c' to the burst; the checksums come from cutting a super-frame of one
// and a bit, which is also how guests' segments come about.
static struct frame *
add(struct burst *b, struct connection *c, uint32_t payload_len)
{
    static uint8_t super_bytes[MAX_SUPER];
    struct frame *f = &b->frames[b->n];
    struct netdev_super super;
    uint32_t len = c->header_len + payload_len + 1; // the odd byte makes it a super-frame
    struct virtio_net_hdr hdr = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                 .gso_type =
                                     c->v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4,
                                 .gso_size = (uint16_t)payload_len,
                                 .csum_start = (uint16_t)c->l4,
                                 .csum_offset = 16};

    memcpy(super_bytes, c->header, c->header_len);
    for (uint32_t i = c->header_len; i < len; i++) {
        super_bytes[i] = (uint8_t)random_u32();
    }
    put_be16(super_bytes + c->l3 + (c->v6 ? 4 : 2), (uint16_t)(len - (c->v6 ? c->l4 : c->l3)));
    if (!c->v6) {
        put_be16(super_bytes + c->l3 + 4, c->id++);
    }
    put_be32(super_bytes + c->l4 + 4, c->seq);
    c->seq += payload_len;
    assert_int_equal(netdev_super_init(&super, super_bytes, len, &hdr), 0);
    memset(&f->m, 0, sizeof(f->m));
    f->m.buf_addr = f->bytes;
    f->m.pkt_len = netdev_super_next_len(&super);
    f->m.data_len = (uint16_t)f->m.pkt_len;
    f->m.buf_len = ROOM;
    f->m.nb_segs = 1;
    rte_mbuf_refcnt_set(&f->m, 1);
    netdev_super_next(&super, f->bytes);
    b->mbufs[b->n++] = &f->m;
    return f;
}

static void
remember(struct burst *b)
{
    memcpy(b->before, b->frames, sizeof(b->before));
}

// Checks one frame against the next one of its connection that has not come back yet.
static void
check_back(struct burst *b, bool *back, const uint8_t *bytes, uint32_t len)
{
    for (uint16_t i = 0; i < b->n; i++) {
        if (!back[i] && b->before[i].bytes[5] == bytes[5]) {
            assert_int_equal(b->before[i].m.pkt_len, len);
            assert_memory_equal(b->before[i].bytes, bytes, len);
            back[i] = true;
            return;
        }
    }
    fail_msg("a frame that nobody sent");
}

// Cuts what 'm' has become and checks each part.
static void
cut_back(struct burst *b, bool *back, const struct rte_mbuf *m)
{
    static uint8_t whole[MAX_SUPER], part[MAX_SUPER];
    struct netdev_super super;
    uint32_t len, n = 0;

    const uint8_t *p = rte_pktmbuf_read(m, 0, m->pkt_len, whole);
    assert_non_null(p);
    if ((m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) == 0) {
        check_back(b, back, p, m->pkt_len);
        return;
    }
    struct virtio_net_hdr hdr = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                 .gso_type = (m->ol_flags & RTE_MBUF_F_TX_IPV6) != 0
                                                 ? VIRTIO_NET_HDR_GSO_TCPV6
                                                 : VIRTIO_NET_HDR_GSO_TCPV4,
                                 .gso_size = m->tso_segsz,
                                 .csum_start = (uint16_t)(m->l2_len + m->l3_len),
                                 .csum_offset = 16};
    assert_int_equal(netdev_super_init(&super, p, m->pkt_len, &hdr), 0);
    assert_int_equal(super.header_len, m->l2_len + m->l3_len + m->l4_len);
    uint32_t bytes = 0;
    for (; (len = netdev_super_next_len(&super)) != 0; n++, bytes += len) {
        netdev_super_next(&super, part);
        check_back(b, back, part, len);
    }
    assert_int_equal(netdev_gro_frames(m), n);
    assert_int_equal(netdev_gro_bytes(m), bytes);
}

static uint16_t
join_and_check(struct burst *b, unsigned int families)
{
    bool back[NETDEV_MAX_BURST] = {false};

    remember(b);
    uint16_t n = netdev_gro_join(b->mbufs, b->n, families);
    for (uint16_t i = 0; i < n; i++) {
        cut_back(b, back, b->mbufs[i]);
    }
    for (uint16_t i = 0; i < b->n; i++) {
        assert_true(back[i]);
    }
    return n;
}

static void
test_a_stream_becomes_one(void **state)
{
    static struct burst b;
    struct connection c;

    for (int shape = 0; shape < 8; shape++) {
        b.n = 0;
        make_connection(&c, 1, shape & 1, shape & 2, shape & 4);
        for (int i = 0; i < NETDEV_MAX_BURST - 1; i++) {
            add(&b, &c, 1400);
        }
        add(&b, &c, 100);
        assert_int_equal(join_and_check(&b, BOTH), 1);
        assert_int_equal(b.mbufs[0]->nb_segs, NETDEV_MAX_BURST);
    }
}

static void
test_only_what_the_receiver_takes(void **state)
{
    static struct burst b;
    struct connection c[2];

    b.n = 0;
    make_connection(&c[0], 1, false, false, false);
    make_connection(&c[1], 2, true, false, false);
    for (int i = 0; i < 8; i++) {
        add(&b, &c[i & 1], 500);
    }
    assert_int_equal(join_and_check(&b, NETDEV_GRO_IP6), 5);
}

// Changes a frame, so that it must stay alone, in one of the ways that matter; the checksums are
// those of before (then the frame is broken) or right again.
static void
spoil(struct frame *f, const struct connection *c, int how)
{
    uint8_t *p = f->bytes;

    switch (how) {
    case 0:
        p[f->m.pkt_len - 1] ^= 1; // payload
        break;
    case 1:
        p[c->l4 + 13] |= 0x01; // FIN
        break;
    case 2:
        p[c->l4 + 15] ^= 1; // window
        break;
    case 3:
        p[c->l3 + (c->v6 ? 7 : 8)]--; // TTL
        break;
    case 4:
        p[c->l4 + 11] ^= 1; // acknowledgement
        break;
    case 5:
        rte_mbuf_refcnt_set(&f->m, 2); // somebody else's, too
        break;
    case 6:
        p[c->l4 + 18] ^= 1; // urgent pointer
        break;
    case 7:
        p[c->l3 + (c->v6 ? 6 : 9)] = 17; // not TCP
        break;
    }
}

static void
test_what_is_different_stays_alone(void **state)
{
    static struct burst b;
    struct connection c;

    for (int how = 0; how < 8; how++) {
        for (int at = 0; at < 3; at++) {
            b.n = 0;
            make_connection(&c, 1, how & 1, false, true);
            for (int i = 0; i < 3; i++) {
                struct frame *f = add(&b, &c, 900);
                if (i == at) {
                    spoil(f, &c, how);
                }
            }
            // Two others remain, and are joined when they are neighbours.
            uint16_t n = join_and_check(&b, BOTH);
            assert_in_range(n, 2, 3);
        }
    }
}

static void
test_known_checksums_are_not_read(void **state)
{
    static struct burst b;
    struct connection c;

    for (int known = 0; known < 2; known++) {
        b.n = 0;
        make_connection(&c, 1, known, false, true);
        for (int i = 0; i < 3; i++) {
            struct frame *f = add(&b, &c, 900);
            f->bytes[f->m.pkt_len - 1] ^= 1;
            f->m.ol_flags = known ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : RTE_MBUF_F_RX_L4_CKSUM_BAD;
        }
        assert_int_equal(netdev_gro_join(b.mbufs, b.n, BOTH), known ? 1 : 3);
    }
}

static void
test_any_burst_comes_back(void **state)
{
    static struct burst b;
    struct connection c[N_CONNECTIONS];
    unsigned int n_in = 0, n_out = 0;

    for (int round = 0; round < 3000; round++) {
        unsigned int n_connections = 1 + random_range(N_CONNECTIONS);
        for (unsigned int i = 0; i < n_connections; i++) {
            make_connection(&c[i], (uint8_t)(i + 1), random_range(2), random_range(2),
                            random_range(2));
        }
        b.n = 0;
        uint16_t n = (uint16_t)(1 + random_range(NETDEV_MAX_BURST));
        while (b.n < n) {
            struct connection *conn = &c[random_range(n_connections)];
            struct frame *f = add(&b, conn, random_range(8) == 0 ? 1 + random_range(1000) : 1000);
            if (random_range(16) == 0) {
                spoil(f, conn, (int)random_range(7));
            }
            if (random_range(16) == 0) {
                conn->seq += random_range(3);
            }
        }
        n_in += b.n;
        n_out += join_and_check(&b, BOTH);
    }
    assert_in_range(n_out, n_in / 10, n_in * 9 / 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stream_becomes_one),
        cmocka_unit_test(test_only_what_the_receiver_takes),
        cmocka_unit_test(test_what_is_different_stays_alone),
        cmocka_unit_test(test_known_checksums_are_not_read),
        cmocka_unit_test(test_any_burst_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
