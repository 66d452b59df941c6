// SPDX-License-Identifier: Apache-2.0
/*
 * Cycles per packet of header parsing and key hashing, for the common shapes, with everything in
 * L1:
 *
 *     bench_extract [ROUNDS]
 *
 * One burst of 32 frames of a shape is parsed again and again; the best of the rounds counts, since
 * the machine is shared.  Not part of the tests.
 */
#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>

#include "flow/compose.h"
#include "flow/extract.h"

#define BURST 32
#define REPEAT 2000

struct shape {
    const char *name;
    struct flow flow;
};

static const struct shape shapes[] = {
    {"ipv4 udp", {.dl_type = RTE_BE16(ETH_TYPE_IP), .nw_proto = IP_PROTO_UDP, .nw_ttl = 64}},
    {"ipv4 tcp", {.dl_type = RTE_BE16(ETH_TYPE_IP), .nw_proto = IP_PROTO_TCP, .nw_ttl = 64}},
    {"vlan ipv4 udp",
     {.dl_type = RTE_BE16(ETH_TYPE_IP),
      .nw_proto = IP_PROTO_UDP,
      .nw_ttl = 64,
      .vlans[0] = {RTE_BE16(ETH_TYPE_VLAN), RTE_BE16(VLAN_CFI | 5)}}},
    {"ipv6 udp", {.dl_type = RTE_BE16(ETH_TYPE_IPV6), .nw_proto = IP_PROTO_UDP, .nw_ttl = 64}},
    {"ipv4 icmp", {.dl_type = RTE_BE16(ETH_TYPE_IP), .nw_proto = IP_PROTO_ICMP, .nw_ttl = 64}},
    {"arp", {.dl_type = RTE_BE16(ETH_TYPE_ARP), .nw_proto = 1}},
};

static uint8_t frames[BURST][256] __attribute__((aligned(64)));
static struct rte_mbuf mbufs[BURST];
static struct flow_key keys[BURST] __attribute__((aligned(64)));
static struct packet_layers layers[BURST];

static void
make_burst(const struct shape *s)
{
    for (int i = 0; i < BURST; i++) {
        struct flow f = s->flow;
        f.nw_src = RTE_BE32(0x0a000001) + ((uint32_t)i << 24);
        f.nw_dst = RTE_BE32(0x0a010001);
        f.ipv6_src.s6_addr[15] = (uint8_t)i;
        uint32_t size = flow_compose(&f, frames[i], sizeof frames[i], 18);
        memset(&mbufs[i], 0, sizeof mbufs[i]);
        mbufs[i].buf_addr = frames[i];
        mbufs[i].data_len = (uint16_t)size;
        mbufs[i].pkt_len = size;
        mbufs[i].nb_segs = 1;
    }
}

static double
time_extract(void)
{
    uint64_t start = rte_rdtsc_precise();
    for (int r = 0; r < REPEAT; r++) {
        for (int i = 0; i < BURST; i++) {
            key_extract(&mbufs[i], 1, &keys[i], &layers[i]);
        }
        __asm__ volatile("" ::: "memory");
    }
    return (double)(rte_rdtsc_precise() - start) / (REPEAT * BURST);
}

static double
time_hash(uint32_t *sink)
{
    uint64_t start = rte_rdtsc_precise();
    for (int r = 0; r < REPEAT; r++) {
        for (int i = 0; i < BURST; i++) {
            keys[i].hash = flow_key_hash(&keys[i], 0x123456789abcdefULL);
        }
        __asm__ volatile("" ::: "memory");
    }
    *sink += keys[0].hash;
    return (double)(rte_rdtsc_precise() - start) / (REPEAT * BURST);
}

int
main(int argc, char *argv[])
{
    int rounds = argc > 1 ? atoi(argv[1]) : 100;
    uint32_t sink = 0;
    printf("%-16s %10s %10s\n", "shape", "extract", "hash");
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        double extract = 1e9;
        double hash = 1e9;
        make_burst(&shapes[s]);
        for (int r = 0; r < rounds; r++) {
            double e = time_extract();
            double h = time_hash(&sink);
            extract = e < extract ? e : extract;
            hash = h < hash ? h : hash;
        }
        printf("%-16s %10.1f %10.1f\n", shapes[s].name, extract, hash);
    }
    return sink == 1;
}
