// SPDX-License-Identifier: Apache-2.0
/*
 * Headers to key: the parser of the datapath, and of everybody else who needs to know what a packet
 * is.
 *
 * key_extract() has straight-line code for Ethernet, at most one VLAN tag, IPv4 without options or
 * IPv6 without extension headers, TCP or UDP; everything else takes the general path.  tests/ has a
 * slow and obvious twin, and both must agree on any bytes.
 *
 * Lengths in headers are hostile.  What is malformed stays out of the key, exactly so:
 *  - fewer than 14 bytes: EXTRACT_RUNT, no key.
 *  - an IPv4 or IPv6 header that is cut, has an IHL below 5, or a total length below its header's
 * or beyond the frame: dl_type stands in the key, nothing of L3 and above does, and ly->l3 is set
 * but ly->l4 is not.
 *  - a cut L4 header, or a TCP data offset below 5 or beyond the packet: L3 stands in the key, L4
 * fields are zero, ly->l4 is NONE.
 *  - bytes after the IP packet's total length (padding) never reach the key.
 * Reads the packet's first segment in place; headers that span segments are copied first.
 */
#ifndef SLUICE_FLOW_EXTRACT_H
#define SLUICE_FLOW_EXTRACT_H 1

#include "flow/key.h"
#include "packet/packet.h"

/*
 * What a packet carries beside its bytes, from pass to pass of the datapath.  Zero it, then set
 * what is known.
 */
struct packet_md {
    odp_port_t in_port;
    uint32_t recirc_id;
    uint32_t pkt_mark;
    uint32_t dp_hash;
    uint32_t skb_priority;
    rte_be32_t packet_type;
    uint16_t ct_state;
    uint16_t ct_zone;
    uint32_t ct_mark;
    uint8_t ct_label[16];
    union {
        struct {
            rte_be32_t ct_nw_src; /* original direction; IPv4 */
            rte_be32_t ct_nw_dst;
        };
        struct {
            struct in6_addr ct_ipv6_src; /* original direction; IPv6 */
            struct in6_addr ct_ipv6_dst;
        };
    };
    rte_be16_t ct_tp_src;
    rte_be16_t ct_tp_dst;
    uint8_t ct_nw_proto;
    bool ct_is_ipv6;
    bool has_tunnel;
    struct flow_tnl tunnel; /* meaningful if has_tunnel */
};

/*
 * How many tags of a frame are headers (other_config:vlan-limit): what is behind them is payload
 * whose type is that of the next tag, and neither matched nor changed.  0, or more than the flow
 * has room for, stands for that many.  One number for the whole process, because a packet must mean
 * the same to every thread and bridge; FLOW_MAX_VLANS until somebody sets it.  Any thread; true if
 * it changed, and then flows of packets with more tags are to be translated anew.
 */
bool extract_set_vlan_limit(int limit);
int extract_vlan_limit(void); /* 1 .. FLOW_MAX_VLANS */

enum extract_result {
    EXTRACT_OK = 0,
    EXTRACT_RUNT, /* no complete Ethernet header: drop */
};

/*
 * Parses a packet straight from a port: only in_port is known of it.  Fills key->map, key->n,
 * key->w (not key->hash) and 'ly'.
 */
enum extract_result key_extract(const struct rte_mbuf *m, odp_port_t in_port, struct flow_key *key,
                                struct packet_layers *ly);

/* The same with metadata: recirculated packets, packets out of a tunnel, packet-outs. */
enum extract_result key_extract_md(const struct rte_mbuf *m, const struct packet_md *md,
                                   struct flow_key *key, struct packet_layers *ly);

/* The same to the dense form (pipeline-only words zero). */
enum extract_result flow_extract(const struct rte_mbuf *m, const struct packet_md *md,
                                 struct flow *flow, struct packet_layers *ly);

/* The same for contiguous bytes. */
enum extract_result flow_extract_bytes(const void *data, uint32_t size, const struct packet_md *md,
                                       struct flow *flow, struct packet_layers *ly);

/* The metadata of 'flow': what an upcall must give back with its packet. */
void packet_md_from_flow(const struct flow *flow, struct packet_md *md);
void packet_md_from_key(const struct flow_key *key, struct packet_md *md);

/* TCP flags (host order) of a packet of this key; 0 if it has none.  For statistics' "flags:". */
static inline uint16_t
flow_key_tcp_flags(const struct flow_key *k)
{
    return k->map >> 4 & 1 ? rte_be_to_cpu_16((uint16_t)(flow_key_word(k, 4) >> 32)) : 0;
}

#endif
