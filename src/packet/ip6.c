// SPDX-License-Identifier: Apache-2.0
/*
 * ip6.c - IPv6 extension headers.
 */
#include "packet/ip6.h"

enum { MAX_HEADERS = 8, IP6_SIZE = 40, IP6_NEXT_OFS = 6, EXT_MIN_SIZE = 8 };

bool
ip6_chain_walk(const struct rte_mbuf *m_, uint32_t l3, struct ip6_chain *chain)
{
    struct rte_mbuf *m = (struct rte_mbuf *)(uintptr_t)m_;
    const uint8_t *ip = packet_at(m, l3, IP6_SIZE);
    uint32_t ofs = l3 + IP6_SIZE;

    *chain = (struct ip6_chain){0};
    if (!ip) {
        return false;
    }
    chain->proto = ip[IP6_NEXT_OFS];
    for (int i = 0; i < MAX_HEADERS; i++) {
        const uint8_t *ext;
        uint32_t size;

        switch (chain->proto) {
        case IPPROTO_HOPOPTS:
        case IPPROTO_ROUTING:
        case IPPROTO_DSTOPTS:
        case IPPROTO_FRAGMENT:
        case IPPROTO_AH:
            break;
        default:
            chain->l4 = (uint16_t)ofs;
            return ofs < UINT16_MAX;
        }
        ext = packet_at(m, ofs, EXT_MIN_SIZE);
        if (!ext) {
            return false;
        }
        size = chain->proto == IPPROTO_AH         ? (ext[1] + 2u) * 4
               : chain->proto == IPPROTO_FRAGMENT ? EXT_MIN_SIZE
                                                  : (ext[1] + 1u) * 8;
        if (chain->proto == IPPROTO_FRAGMENT && ((ext[2] << 8 | ext[3]) & 0xfff9)) {
            chain->is_fragment = true;
        }
        if (chain->proto == IPPROTO_ROUTING && ext[3]) {
            chain->has_routing = true;
        }
        chain->proto = ext[0];
        ofs += size;
    }
    return false;
}
