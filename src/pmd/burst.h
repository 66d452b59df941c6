// SPDX-License-Identifier: Apache-2.0
//
// Up to 32 packets on their way through the fast path, kept as arrays: each stage of pmd_input()
// walks one or two of them.  A PMD has one struct burst; recirculated packets come back as a new
// burst, never by recursion.
#ifndef PMD_BURST_H
#define PMD_BURST_H

#include "flow/extract.h"
#include "flow/key.h"
#include "netdev/netdev.h"

enum { BURST_MAX = NETDEV_MAX_BURST };

struct dp_flow;
struct pmd_lane;

struct burst {
    uint32_t n;
    odp_port_t in_port;         // all packets came from here; not used when 'md' is set
    const struct packet_md *md; // NULL: straight from a port, nothing but in_port is known
    uint8_t depth;              // passes so far
    // A train is a run of packets that no megaflow of their lane tells apart; its first one, the
    // leader, is classified for all.  run[] is its length.
    uint32_t all;     // bits 0 to n - 1
    uint32_t leaders; // bit i: packet i is one
    uint32_t todo;    // bit i: leader i has no flow yet
    uint32_t known;   // bit i: leader i's lane exists, hash[i] is set
    uint32_t promote; // bit i: found by dpcls, belongs into the caches
    uint32_t wild;    // bit i: found among the flows for any shape, never cached
    uint8_t run[BURST_MAX];
    uint32_t hash[BURST_MAX];
    uint32_t slot[BURST_MAX]; // candidates of the caches
    struct rte_mbuf *m[BURST_MAX];
    struct dp_flow *flow[BURST_MAX];
    struct pmd_lane *lane[BURST_MAX];
    struct packet_layers ly[BURST_MAX];
    struct flow_key key[BURST_MAX];
};

// Packets of the trains that 'leaders' lead.
static inline uint32_t
burst_count(const struct burst *b, uint32_t leaders)
{
    uint32_t n = 0;

    if (b->leaders == b->all) {
        return (uint32_t)__builtin_popcount(leaders);
    }
    for (; leaders; leaders &= leaders - 1) {
        n += b->run[__builtin_ctz(leaders)];
    }
    return n;
}

// The queue that set_queue chose in an earlier pass; 0 for a packet that was just received.
static inline uint32_t
burst_key_queue(const struct flow_key *key)
{
    return (uint32_t)(flow_key_word(key, FLOW_WORD_OF(skb_priority)) >> 32);
}

#define BURST_FOREACH(I, BITS)                                                                     \
    for (uint32_t I##_bits = (BITS), I; I##_bits && (I = (uint32_t)__builtin_ctz(I##_bits), true); \
         I##_bits &= I##_bits - 1)

#endif
