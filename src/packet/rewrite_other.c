// SPDX-License-Identifier: Apache-2.0
/*
 * rewrite_other.c - set fields of ARP, IPv6 neighbour discovery and MPLS.
 */
#include <errno.h>
#include <string.h>

#include "packet/csum.h"
#include "packet/rewrite.h"

enum {
    ARP_SIZE = 28,
    ARP_OP = 6,
    ARP_SHA = 8,
    ARP_SPA = 14,
    ARP_THA = 18,
    ARP_TPA = 24,
    ND_SIZE = 24,
    ND_CSUM = 2,
    ND_RESERVED = 4,
    ND_TARGET = 8,
    ND_OPT_SLL = 1,
    ND_OPT_TLL = 2,
};

static void
merge(uint8_t *bytes, const void *value, const void *mask, uint32_t size)
{
    const uint8_t *v = value, *k = mask;

    for (uint32_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)((bytes[i] & ~k[i]) | (v[i] & k[i]));
    }
}

int
packet_set_arp(struct rte_mbuf *m, const struct packet_layers *ly, const struct set_arp *value,
               const struct set_arp *mask)
{
    uint8_t *arp = packet_at(m, ly->l3, ARP_SIZE);

    if (!arp) {
        return -EINVAL;
    }
    merge(arp + ARP_OP, &value->op, &mask->op, sizeof value->op);
    merge(arp + ARP_SHA, &value->sha, &mask->sha, sizeof value->sha);
    merge(arp + ARP_SPA, &value->spa, &mask->spa, sizeof value->spa);
    merge(arp + ARP_THA, &value->tha, &mask->tha, sizeof value->tha);
    merge(arp + ARP_TPA, &value->tpa, &mask->tpa, sizeof value->tpa);
    return 0;
}

/* Sets 'size' (even) bytes at an even offset of the ICMPv6 message 'nd', its checksum following. */
static void
nd_set(uint8_t *nd, uint8_t *field, const void *value, const void *mask, uint32_t size)
{
    uint8_t old[16];
    rte_be16_t csum;

    memcpy(old, field, size);
    merge(field, value, mask, size);
    memcpy(&csum, nd + ND_CSUM, sizeof csum);
    csum = csum_update(csum, old, field, size);
    memcpy(nd + ND_CSUM, &csum, sizeof csum);
}

/* The first option of type 'type' with a link-layer address of Ethernet's size, or NULL.  Stops at
 * an option that lies about its length. */
static uint8_t *
nd_find_option(struct rte_mbuf *m, const struct packet_layers *ly, uint8_t type)
{
    uint32_t ofs = ly->l4 + ND_SIZE;

    for (;;) {
        uint8_t *opt = packet_at(m, ofs, 8);

        if (!opt || !opt[1]) {
            return NULL;
        }
        if (opt[0] == type && opt[1] == 1) {
            return opt;
        }
        ofs += opt[1] * 8u;
    }
}

int
packet_set_nd(struct rte_mbuf *m, const struct packet_layers *ly, const struct set_nd *value,
              const struct set_nd *mask)
{
    uint8_t *nd = packet_at(m, ly->l4, ND_SIZE);
    uint8_t *opt;

    if (!nd) {
        return -EINVAL;
    }
    nd_set(nd, nd + ND_TARGET, &value->target, &mask->target, sizeof value->target);
    opt = nd_find_option(m, ly, ND_OPT_SLL);
    if (opt) {
        nd_set(nd, opt + 2, &value->sll, &mask->sll, sizeof value->sll);
    }
    opt = nd_find_option(m, ly, ND_OPT_TLL);
    if (opt) {
        nd_set(nd, opt + 2, &value->tll, &mask->tll, sizeof value->tll);
    }
    return 0;
}

int
packet_set_nd_ext(struct rte_mbuf *m, const struct packet_layers *ly,
                  const struct set_nd_ext *value, const struct set_nd_ext *mask)
{
    uint8_t *nd = packet_at(m, ly->l4, ND_SIZE);
    uint8_t *opt;

    if (!nd) {
        return -EINVAL;
    }
    nd_set(nd, nd + ND_RESERVED, &value->reserved, &mask->reserved, sizeof value->reserved);
    opt = packet_at(m, ly->l4 + ND_SIZE, 2);
    if (opt && mask->options_type) {
        const uint8_t v[2] = {value->options_type, 0}, k[2] = {mask->options_type, 0};

        nd_set(nd, opt, v, k, sizeof v);
    }
    return 0;
}

int
packet_set_mpls(struct rte_mbuf *m, const struct packet_layers *ly, rte_be32_t value,
                rte_be32_t mask)
{
    uint8_t *lse = packet_at(m, ly->l2_5, sizeof value);

    if (!lse) {
        return -EINVAL;
    }
    merge(lse, &value, &mask, sizeof value);
    return 0;
}
