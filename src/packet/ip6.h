// SPDX-License-Identifier: Apache-2.0
/*
 * The chain of IPv6 extension headers up to the upper-layer header (RFC 8200 section 4), bounded.
 */
#ifndef SLUICE_PACKET_IP6_H
#define SLUICE_PACKET_IP6_H 1

#include "packet/packet.h"

struct ip6_chain {
    uint8_t proto;    /* of the upper layer */
    uint16_t l4;      /* its offset from the start of the packet */
    bool is_fragment; /* a fragment header with an offset or "more fragments" */
    bool has_routing; /* a routing header with segments left: the final destination is in there */
};

/* Walks the chain of the IPv6 header at 'l3'.  False if it is cut or longer than any sane one. */
bool ip6_chain_walk(const struct rte_mbuf *m, uint32_t l3, struct ip6_chain *chain);

#endif
