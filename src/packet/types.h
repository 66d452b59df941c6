// SPDX-License-Identifier: Apache-2.0
/*
 * Small types that every layer above packet/ shares: the two port number spaces and the constants
 * of the Ethernet/IP wire formats that DPDK's headers do not name.
 *
 * Values that travel as they stand on the wire carry DPDK's rte_be16_t/rte_be32_t/rte_be64_t types.
 */
#ifndef SLUICE_PACKET_TYPES_H
#define SLUICE_PACKET_TYPES_H 1

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_byteorder.h>
#include <rte_ether.h>

/* A datapath port number: what in_port(N) means in 'ovs-appctl dpctl/dump-flows'.  Host order. */
typedef uint32_t odp_port_t;
#define ODPP_NONE UINT32_MAX

/*
 * An OpenFlow port number in the 16-bit numbering of OpenFlow 1.0 (reserved ports from 0xff00 up),
 * whatever the protocol version on the wire is.  Host order.
 */
typedef uint32_t ofp_port_t;
#define OFPP_MAX 0xff00   /* ports from 1 to OFPP_MAX - 1 are real */
#define OFPP_UNSET 0xfff7 /* actset_output before any output */
#define OFPP_IN_PORT 0xfff8
#define OFPP_TABLE 0xfff9
#define OFPP_NORMAL 0xfffa
#define OFPP_FLOOD 0xfffb
#define OFPP_ALL 0xfffc
#define OFPP_CONTROLLER 0xfffd
#define OFPP_LOCAL 0xfffe
#define OFPP_NONE 0xffff /* "ANY" where OpenFlow 1.1+ says so */

/* Host-order EtherTypes.  A dl_type below ETH_TYPE_MIN cannot come from an Ethernet II frame. */
#define ETH_TYPE_IP 0x0800
#define ETH_TYPE_ARP 0x0806
#define ETH_TYPE_RARP 0x8035
#define ETH_TYPE_VLAN 0x8100
#define ETH_TYPE_QINQ 0x88a8
#define ETH_TYPE_IPV6 0x86dd
#define ETH_TYPE_MPLS 0x8847
#define ETH_TYPE_MPLS_MCAST 0x8848
#define ETH_TYPE_LACP 0x8809
#define ETH_TYPE_LLDP 0x88cc
#define ETH_TYPE_CFM 0x8902
#define ETH_TYPE_TEB 0x6558
#define ETH_TYPE_NSH 0x894f
#define ETH_TYPE_NONE 0x05ff /* dl_type of a frame without an EtherType (802.2 LLC) */
#define ETH_TYPE_MIN 0x0600

#define ETH_HEADER_SIZE 14
#define VLAN_TAG_SIZE 4

/*
 * A VLAN TCI as it stands in struct flow: PCP (3 bits), "a tag is there" (1 bit, set in each tag
 * that a frame carries, whatever its DEI), VID (12 bits).  0 means no tag.
 */
#define VLAN_CFI 0x1000
#define VLAN_VID_MASK 0x0fff
#define VLAN_PCP_MASK 0xe000
#define VLAN_PCP_SHIFT 13

/* IP protocol numbers that netinet/in.h lacks or names clumsily. */
#define IP_PROTO_ICMP 1
#define IP_PROTO_IGMP 2
#define IP_PROTO_TCP 6
#define IP_PROTO_UDP 17
#define IP_PROTO_GRE 47
#define IP_PROTO_ICMPV6 58
#define IP_PROTO_SCTP 132

#define IP_DSCP_MASK 0xfc
#define IP_ECN_MASK 0x03
#define IPV6_LABEL_MASK 0x000fffff /* host order, of the first 32-bit word of the header */

/* nw_frag of struct flow. */
#define NW_FRAG_ANY 1u   /* the packet is an IP fragment */
#define NW_FRAG_LATER 2u /* ...and not the first one: it has no L4 header */
#define NW_FRAG_MASK 3u

/* An MPLS label stack entry, host order. */
#define MPLS_LABEL_SHIFT 12
#define MPLS_TC_SHIFT 9
#define MPLS_BOS_SHIFT 8
#define MPLS_LABEL_MASK 0xfffff000u
#define MPLS_TC_MASK 0x00000e00u
#define MPLS_BOS_MASK 0x00000100u
#define MPLS_TTL_MASK 0x000000ffu

/* TCP flags as in the low 12 bits of bytes 12-13 of the header, host order. */
#define TCP_FIN 0x001
#define TCP_SYN 0x002
#define TCP_RST 0x004
#define TCP_PSH 0x008
#define TCP_ACK 0x010
#define TCP_URG 0x020
#define TCP_ECE 0x040
#define TCP_CWR 0x080
#define TCP_NS 0x100
#define TCP_FLAGS_MASK 0xfff

#endif
