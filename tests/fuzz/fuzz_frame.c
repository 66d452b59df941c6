// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as a received frame: the fast parser and its slow twin agree, whole and in two
 * segments; then every rewrite that the datapath knows is run on it, which must stay within the
 * bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packet/csum.h"
#include "packet/rewrite.h"
#include "twin_extract.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(COND)                                     \
    do {                                                \
        if (!(COND)) {                                  \
            fprintf(stderr, "fuzz_frame: %s\n", #COND); \
            abort();                                    \
        }                                               \
    } while (0)

/* A copy of exactly 'size' bytes, so that a sanitizer sees any access beyond them. */
static uint8_t *
exact_copy(const uint8_t *data, uint32_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    return copy;
}

static void
check_flow(enum extract_result got, const struct flow_key *key, const struct packet_layers *ly,
           enum extract_result want, const struct flow *want_flow,
           const struct packet_layers *want_ly)
{
    struct flow flow;
    CHECK(got == want);
    if (got != EXTRACT_OK) {
        return;
    }
    flow_from_key(key, &flow);
    CHECK(flow_equal(&flow, want_flow));
    CHECK(!memcmp(ly, want_ly, sizeof *ly));
}

static void
in_two_segments(const uint8_t *data, uint32_t size, enum extract_result want,
                const struct flow *want_flow, const struct packet_layers *want_ly)
{
    uint32_t cut = size ? data[size - 1] % (size + 1) : 0;
    uint8_t *a = exact_copy(data, cut);
    uint8_t *b = exact_copy(data + cut, size - cut);
    struct rte_mbuf m[2];
    struct flow_key key;
    struct packet_layers ly;
    frame_mbuf(&m[0], a, cut);
    frame_mbuf(&m[1], b, size - cut);
    m[0].next = &m[1];
    m[0].nb_segs = 2;
    m[0].pkt_len = size;
    check_flow(key_extract(&m[0], 1, &key, &ly), &key, &ly, want, want_flow, want_ly);
    free(a);
    free(b);
}

static void
rewrite(const uint8_t *data, uint32_t size, const struct packet_layers *ly)
{
    struct rte_mbuf m;
    uint8_t *copy = exact_copy(data, size);
    frame_mbuf(&m, copy, size);
    static const struct set_eth eth;
    static const struct set_ipv4 ipv4;
    static const struct set_ipv6 ipv6;
    static const struct set_tp tp;
    static const struct set_icmp icmp;
    static const struct set_arp arp;
    static const struct set_nd nd;
    static const struct set_nd_ext nd_ext;
    uint8_t ones[128];
    memset(ones, 0xff, sizeof ones);
    const void *mask = ones;
    packet_verify_l3_csum(&m, ly);
    packet_verify_l4_csum(&m, ly);
    packet_set_eth(&m, &eth, mask);
    packet_set_ipv4(&m, ly, &ipv4, mask);
    packet_set_ipv6(&m, ly, &ipv6, mask);
    packet_set_tcp(&m, ly, &tp, mask);
    packet_set_udp(&m, ly, &tp, mask);
    packet_set_sctp(&m, ly, &tp, mask);
    packet_set_icmp(&m, ly, &icmp, mask);
    packet_set_arp(&m, ly, &arp, mask);
    packet_set_nd(&m, ly, &nd, mask);
    packet_set_nd_ext(&m, ly, &nd_ext, mask);
    packet_set_mpls(&m, ly, 0, UINT32_MAX);
    packet_fill_l3_csum(&m, ly);
    packet_fill_l4_csum(&m, ly);
    struct packet_layers moved = *ly;
    packet_pop_mpls(&m, &moved, RTE_BE16(ETH_TYPE_IP));
    packet_pop_vlan(&m, &moved);
    packet_push_vlan(&m, &moved, RTE_BE16(ETH_TYPE_VLAN), RTE_BE16(5));
    packet_truncate(&m, &moved, size / 2);
    free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len > UINT16_MAX) {
        return 0;
    }
    uint32_t size = (uint32_t)len;
    struct flow want;
    struct packet_layers want_ly;
    struct packet_layers ly;
    struct flow_key key;
    struct rte_mbuf m;
    uint8_t *copy = exact_copy(data, size);
    enum extract_result r = twin_extract(copy, size, 1, &want, &want_ly);
    frame_mbuf(&m, copy, size);
    check_flow(key_extract(&m, 1, &key, &ly), &key, &ly, r, &want, &want_ly);
    in_two_segments(copy, size, r, &want, &want_ly);
    if (r == EXTRACT_OK) {
        rewrite(copy, size, &want_ly);
    }
    free(copy);
    return 0;
}
