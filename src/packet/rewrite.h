// SPDX-License-Identifier: Apache-2.0
/*
 * Set fields of a packet in place and keep every checksum that covers them right.
 *
 * Each struct set_* below is both the value and the mask of a "masked set" action of the datapath
 * (flow/dp_action.h): a bit of the header changes where the mask has a one.  Bits under a zero mask
 * may have any value in 'value'.  All members are in network order.
 *
 * Checksums are updated incrementally (RFC 1624), so a packet that arrived with a wrong checksum
 * leaves with a wrong one.  UDP: a zero IPv4 checksum means "none" and stays; a result of zero goes
 * out as 0xffff.  SCTP's CRC32c is recomputed, keeping the error of a packet that had a wrong one.
 * Where the mbuf asks the NIC for a checksum (RTE_MBUF_F_TX_*_CKSUM) the pseudo-header sum is kept
 * right.
 *
 * All return 0, or -EINVAL if the packet has no such header (then nothing was changed).
 */
#ifndef SLUICE_PACKET_REWRITE_H
#define SLUICE_PACKET_REWRITE_H 1

#include "packet/packet.h"

struct set_eth {
    struct rte_ether_addr src;
    struct rte_ether_addr dst;
};

struct set_ipv4 {
    rte_be32_t src;
    rte_be32_t dst;
    uint8_t tos;
    uint8_t ttl;
    uint16_t pad;
};

struct set_ipv6 {
    struct in6_addr src;
    struct in6_addr dst;
    rte_be32_t label; /* low 20 bits */
    uint8_t tclass;
    uint8_t hlimit;
    uint16_t pad;
};

/* TCP, UDP or SCTP ports. */
struct set_tp {
    rte_be16_t src;
    rte_be16_t dst;
};

/* ICMP or ICMPv6. */
struct set_icmp {
    uint8_t type;
    uint8_t code;
    bool is_ipv6; /* of 'value', for the text only: icmpv6(...) */
    uint8_t pad;
};

struct set_arp {
    rte_be32_t spa;
    rte_be32_t tpa;
    struct rte_ether_addr sha;
    struct rte_ether_addr tha;
    rte_be16_t op;
    uint16_t pad;
};

/* Neighbour solicitation or advertisement: target and the first sll and tll options that are there.
 */
struct set_nd {
    struct in6_addr target;
    struct rte_ether_addr sll;
    struct rte_ether_addr tll;
    uint32_t pad;
};

/* The reserved/flags word of a neighbour message and the type of its first option. */
struct set_nd_ext {
    rte_be32_t reserved;
    uint8_t options_type;
    uint8_t pad[3];
};

int packet_set_eth(struct rte_mbuf *m, const struct set_eth *value, const struct set_eth *mask);
int packet_set_ipv4(struct rte_mbuf *m, const struct packet_layers *ly,
                    const struct set_ipv4 *value, const struct set_ipv4 *mask);
int packet_set_ipv6(struct rte_mbuf *m, const struct packet_layers *ly,
                    const struct set_ipv6 *value, const struct set_ipv6 *mask);
int packet_set_tcp(struct rte_mbuf *m, const struct packet_layers *ly, const struct set_tp *value,
                   const struct set_tp *mask);
int packet_set_udp(struct rte_mbuf *m, const struct packet_layers *ly, const struct set_tp *value,
                   const struct set_tp *mask);
int packet_set_sctp(struct rte_mbuf *m, const struct packet_layers *ly, const struct set_tp *value,
                    const struct set_tp *mask);
/* Type and code of an ICMP or ICMPv6 message, whichever the packet's L3 header says it is. */
int packet_set_icmp(struct rte_mbuf *m, const struct packet_layers *ly,
                    const struct set_icmp *value, const struct set_icmp *mask);
int packet_set_arp(struct rte_mbuf *m, const struct packet_layers *ly, const struct set_arp *value,
                   const struct set_arp *mask);
int packet_set_nd(struct rte_mbuf *m, const struct packet_layers *ly, const struct set_nd *value,
                  const struct set_nd *mask);
int packet_set_nd_ext(struct rte_mbuf *m, const struct packet_layers *ly,
                      const struct set_nd_ext *value, const struct set_nd_ext *mask);
/* Rewrites the outermost MPLS label stack entry ('value' and 'mask' are whole entries). */
int packet_set_mpls(struct rte_mbuf *m, const struct packet_layers *ly, rte_be32_t value,
                    rte_be32_t mask);

#endif
