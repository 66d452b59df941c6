// SPDX-License-Identifier: Apache-2.0
//
// Only the first bytes of a frame are looked at, and nothing is believed that they do not hold.
#include "netdev/netdev_steer.h"

#include <netinet/in.h>

#include <rte_ip.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/util.h"
#include "packet/ip6.h"

LOG_MODULE(dpif_netdev);

#define DEALT UINT16_MAX

enum { MAX_TAGS = 2, PORTS_SIZE = 4 };

void
netdev_steer_configure(const struct netdev *netdev, const struct smap *other_config, bool *by_hash)
{
    const char *mode = smap_get_def(other_config, "tx-steering", "thread");
    bool wanted = strcmp(mode, "hash") == 0;

    if (wanted != *by_hash) {
        log_info("%s: Tx packet steering mode has been set to '%s'.", netdev->name,
                 wanted ? "hash" : "thread");
    }
    *by_hash = wanted;
}

static uint64_t
load64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

// Protocol and, where there are any, ports.
static uint64_t
hash_l4(struct rte_mbuf *m, uint8_t proto, uint32_t l4, bool is_fragment, uint64_t hash)
{
    bool has_ports = proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
    const uint8_t *p = has_ports && !is_fragment ? packet_at(m, l4, PORTS_SIZE) : NULL;
    uint32_t ports = 0;

    if (p != NULL) {
        memcpy(&ports, p, sizeof(ports));
    }
    return hash_2u64(ports, proto, hash);
}

static uint64_t
hash_packet(struct rte_mbuf *m)
{
    const uint8_t *eth = packet_at(m, 0, ETH_HEADER_SIZE), *p;
    uint32_t l3 = ETH_HEADER_SIZE;
    struct ip6_chain chain;

    if (eth == NULL) {
        return 0;
    }
    uint16_t type = get_be16(eth + l3 - 2);
    for (int i = 0; i < MAX_TAGS && (type == ETH_TYPE_VLAN || type == ETH_TYPE_QINQ) &&
                    (p = packet_at(m, l3, VLAN_TAG_SIZE)) != NULL;
         i++) {
        type = get_be16(p + 2);
        l3 += VLAN_TAG_SIZE;
    }
    if (type == ETH_TYPE_IP && (p = packet_at(m, l3, sizeof(struct rte_ipv4_hdr))) != NULL) {
        bool is_fragment = (get_be16(p + 6) & (uint16_t)~RTE_IPV4_HDR_DF_FLAG) != 0;
        return hash_l4(m, p[9], l3 + (p[0] & 0xfu) * 4, is_fragment, hash_add(0, load64(p + 12)));
    }
    if (type == ETH_TYPE_IPV6 && (p = packet_at(m, l3, sizeof(struct rte_ipv6_hdr))) != NULL) {
        uint64_t hash = hash_add(hash_add(0, load64(p + 8)), load64(p + 16));
        hash = hash_add(hash_add(hash, load64(p + 24)), load64(p + 32));
        // A chain that is cut has no ports.
        bool is_whole = ip6_chain_walk(m, l3, &chain);
        return hash_l4(m, chain.proto, chain.l4, chain.is_fragment || !is_whole, hash);
    }
    return hash_2u64(load64(eth), load64(eth + 4), 0);
}

void
netdev_steer_begin(struct netdev_steer *steer, struct rte_mbuf **mbufs, uint16_t n,
                   uint16_t n_queues)
{
    steer->mbufs = mbufs;
    steer->n = n;
    steer->next = 0;
    for (uint16_t i = 0; i < n; i++) {
        struct rte_mbuf *m = mbufs[i];
        uint64_t hash = (m->ol_flags & RTE_MBUF_F_RX_RSS_HASH) != 0 ? m->hash.rss : hash_packet(m);
        steer->queues[i] = (uint16_t)(hash % n_queues);
    }
}

uint16_t
netdev_steer_next(struct netdev_steer *steer, struct rte_mbuf **out, uint16_t *queue)
{
    uint16_t n = 0;

    while (steer->next < steer->n && steer->queues[steer->next] == DEALT) {
        steer->next++;
    }
    if (steer->next == steer->n) {
        return 0;
    }
    *queue = steer->queues[steer->next];
    for (uint16_t i = steer->next; i < steer->n; i++) {
        if (steer->queues[i] == *queue) {
            out[n++] = steer->mbufs[i];
            steer->queues[i] = DEALT;
        }
    }
    return n;
}
