// SPDX-License-Identifier: Apache-2.0
/*
 * What the switch knows about one packet: an array of 64-bit words, each with named fields.
 *
 * FLOW_WORDS <= 64, so one uint64_t bitmap says which words of a flow, a mask or a sparse key are
 * in use.  The first FLOW_KEY_WORDS words are what a datapath key may contain; the words after them
 * live only in OpenFlow translation (registers, metadata...).  Words are ordered by how common they
 * are: a plain Ethernet/IPv4/UDP packet is words 0-4, one with VLAN tags words 0-5.
 *
 * Byte order: members of type rte_be* and all addresses stand as on the wire; integers are in host
 * order. Members that a packet does not have are zero.  Unused ('pad') bytes are always zero, so
 * two flows compare with memcmp.
 *
 * struct flow is dense, for translation; struct flow_key (flow/key.h) is the sparse form of the
 * datapath.  A field with a name that an operator may type stands in flow/field.def.
 */
#ifndef SLUICE_FLOW_FLOW_H
#define SLUICE_FLOW_FLOW_H 1

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "packet/types.h"

/* The outer headers of a packet that came out of a tunnel; all zero for one that did not. */
struct flow_tnl {
    rte_be64_t tun_id; /* VNI or key, right-aligned */
    rte_be32_t ip_src; /* zero if the outer header is IPv6 */
    rte_be32_t ip_dst;
    struct in6_addr ipv6_src; /* zero if the outer header is IPv4 */
    struct in6_addr ipv6_dst;
    uint16_t flags; /* FLOW_TNL_F_* */
    uint8_t ip_tos;
    uint8_t ip_ttl;
    rte_be16_t tp_src;
    rte_be16_t tp_dst;
    rte_be16_t gbp_id; /* VXLAN group based policy */
    uint8_t gbp_flags;
    uint8_t gtpu_flags;
    uint8_t gtpu_msgtype;
    uint8_t erspan_ver;
    uint8_t erspan_dir;
    uint8_t erspan_hwid;
    uint32_t erspan_idx;
    uint32_t pad;
};

#define FLOW_TNL_F_OAM 0x0001   /* what tun_flags=oam matches */
#define FLOW_TNL_F_DF 0x0002    /* outer "don't fragment" */
#define FLOW_TNL_F_CSUM 0x0004  /* outer UDP or GRE checksum */
#define FLOW_TNL_F_KEY 0x0008   /* the tunnel header has a key */
#define FLOW_TNL_F_UDPIF 0x0010 /* tun_metadata is in wire format */
#define FLOW_TNL_F_MASK 0x001f

/* ct_state bits, as NXM_NX_CT_STATE defines them. */
#define CT_STATE_NEW 0x01
#define CT_STATE_EST 0x02
#define CT_STATE_REL 0x04
#define CT_STATE_RPL 0x08
#define CT_STATE_INV 0x10
#define CT_STATE_TRK 0x20
#define CT_STATE_SNAT 0x40
#define CT_STATE_DNAT 0x80
#define CT_STATE_MASK 0xff

/* A VLAN tag; both zero where there is none.  VLAN_CFI is set in 'tci' of every tag that is there.
 */
struct flow_vlan {
    rte_be16_t tpid;
    rte_be16_t tci;
};

#define FLOW_MAX_VLANS 2
/* Tags below those, which pushed ones moved out of the key's sight: kept, so that they can be put
 * back and are not taken from the packet. */
#define FLOW_MAX_DEEP_VLANS 3
#define FLOW_MAX_MPLS 3
#define FLOW_N_REGS 16
#define FLOW_N_XREGS (FLOW_N_REGS / 2)
#define FLOW_N_XXREGS (FLOW_N_REGS / 4)
/* Room for tunnel options (flow/option.h), in units of the four bytes that an option is a multiple
 * of. */
#define FLOW_OPTION_SLOTS 25

/* Values of packet_type: namespace << 16 | type.  Zero, Ethernet, unless the packet starts at L3.
 */
#define PACKET_TYPE_ETH 0x00000000u
#define PACKET_TYPE(NS, TYPE) ((uint32_t)(NS) << 16 | (TYPE)) /* host order */

/* Number of 64-bit words of a flow, and of those among them that a datapath key may contain. */
#define FLOW_WORDS 64
#define FLOW_KEY_WORDS 36

struct flow {
    union {
        struct {
            /* Word 0. */
            odp_port_t in_port; /* datapath port */
            uint32_t recirc_id; /* 0 for a packet straight from a port */
            /* Word 1. */
            struct rte_ether_addr dl_dst;
            rte_be16_t dl_type; /* after VLAN tags; ETH_TYPE_NONE for 802.2 LLC */
            /* Word 2. */
            struct rte_ether_addr dl_src;
            uint8_t nw_proto; /* IP protocol, or the low 8 bits of the ARP opcode */
            uint8_t nw_frag;  /* NW_FRAG_* */
            /* Word 3. */
            rte_be32_t nw_src; /* IPv4, or ARP sender protocol address */
            rte_be32_t nw_dst; /* IPv4, or ARP target protocol address */
            /* Word 4. */
            rte_be16_t tp_src;    /* TCP, UDP, SCTP port; ICMP, ICMPv6 type; IGMP type */
            rte_be16_t tp_dst;    /* TCP, UDP, SCTP port; ICMP, ICMPv6 code; IGMP code */
            rte_be16_t tcp_flags; /* 12 bits */
            uint8_t nw_tos;       /* DSCP and ECN */
            uint8_t nw_ttl;       /* TTL or hop limit */
            /* Word 5. */
            struct flow_vlan vlans[FLOW_MAX_VLANS]; /* [0] is the outer one */
            /* Word 6. */
            uint32_t pkt_mark;
            uint32_t dp_hash;
            /* Words 7-10. */
            struct in6_addr ipv6_src;
            struct in6_addr ipv6_dst;
            /* Word 11. */
            rte_be32_t ipv6_label; /* 20 bits */
            uint32_t skb_priority;
            /* Words 12-13. */
            struct rte_ether_addr arp_sha; /* ARP sender, or ND source link-layer address */
            uint8_t nd_options_type;       /* type of the first ND option */
            uint8_t pad0;
            struct rte_ether_addr arp_tha; /* ARP target, or ND target link-layer address */
            uint16_t pad1;
            /* Words 14-15. */
            struct in6_addr nd_target;
            /* Words 16-17. */
            rte_be32_t mpls_lse[FLOW_MAX_MPLS]; /* [0] is the outer one */
            rte_be32_t packet_type;             /* PACKET_TYPE_* */
            /* Word 18. */
            rte_be32_t igmp_group;
            rte_be32_t nd_reserved; /* reserved and flag bits of an ND message */
            /* Words 19-27. */
            struct flow_tnl tunnel;
            /* Words 28-35. */
            uint16_t ct_state; /* CT_STATE_* */
            uint16_t ct_zone;
            uint32_t ct_mark;
            uint8_t ct_label[16]; /* big endian: [0] is the most significant byte */
            union {
                struct {
                    rte_be32_t ct_nw_src; /* original direction, IPv4; zero in ct_ipv6_* case */
                    rte_be32_t ct_nw_dst;
                    uint64_t ct_pad[3];
                };
                struct {
                    struct in6_addr ct_ipv6_src; /* original direction, IPv6 */
                    struct in6_addr ct_ipv6_dst;
                };
            };
            rte_be16_t ct_tp_src;
            rte_be16_t ct_tp_dst;
            uint8_t ct_nw_proto; /* 0 if the packet has no connection */
            uint8_t ct_pad1[3];

            /* From here on never in a datapath key.  Words 36-43. */
            uint32_t regs[FLOW_N_REGS];
            /* Word 44. */
            rte_be64_t metadata;
            /* Word 45. */
            ofp_port_t ofp_in_port; /* OpenFlow port; what a match on in_port compares */
            uint32_t actset_output;
            /* Word 46. */
            uint32_t conj_id;
            struct flow_vlan deep_vlans[FLOW_MAX_DEEP_VLANS]; /* Word 47; never in a mask */
            /* Words 48-63: values of tun_metadata fields, and of each slot whose it is: the field's
             * number plus 1, or 0 if no field that lies there is present.  In a mask 0 or 0xff. */
            uint8_t option_values[FLOW_OPTION_SLOTS][4];
            uint8_t option_owners[FLOW_OPTION_SLOTS];
            uint8_t option_pad[3];
        };
        uint64_t w[FLOW_WORDS];
    };
};

/* A mask over struct flow: a one bit says that the bit of the flow matters. */
struct flow_mask {
    struct flow bits;
};

#define FLOW_WORD_OF(MEMBER) (offsetof(struct flow, MEMBER) / 8)
#define FLOW_WORD_BIT(MEMBER) (UINT64_C(1) << FLOW_WORD_OF(MEMBER))
#define FLOW_KEY_WORDS_MAP ((UINT64_C(1) << FLOW_KEY_WORDS) - 1)

/* Make the whole of MEMBER significant, or insignificant, in the mask M. */
#define FLOW_MASK_SET(M, MEMBER) memset(&(M)->bits.MEMBER, 0xff, sizeof((M)->bits.MEMBER))
#define FLOW_MASK_CLEAR(M, MEMBER) memset(&(M)->bits.MEMBER, 0, sizeof((M)->bits.MEMBER))

static inline bool
flow_equal(const struct flow *a, const struct flow *b)
{
    return !memcmp(a, b, sizeof *a);
}

/* True if 'a' and 'b' agree in every bit of 'mask'. */
bool flow_equal_masked(const struct flow *a, const struct flow *b, const struct flow_mask *mask);

/* flow &= mask. */
void flow_apply_mask(struct flow *flow, const struct flow_mask *mask);

/* dst |= src; dst &= src. */
void flow_mask_or(struct flow_mask *dst, const struct flow_mask *src);
void flow_mask_and(struct flow_mask *dst, const struct flow_mask *src);

static inline bool
flow_mask_equal(const struct flow_mask *a, const struct flow_mask *b)
{
    return flow_equal(&a->bits, &b->bits);
}

/* True if every one bit of 'a' is a one bit of 'b'. */
bool flow_mask_is_subset(const struct flow_mask *a, const struct flow_mask *b);

static inline bool
flow_mask_is_any(const struct flow_mask *m)
{
    uint64_t any = 0;
    for (int i = 0; i < FLOW_WORDS; i++) {
        any |= m->bits.w[i];
    }
    return !any;
}

/* Bitmap of the words of 'f' that are not zero. */
uint64_t flow_words_map(const struct flow *f);

/* Number of the mask's ones: more is more specific. */
int flow_mask_n_bits(const struct flow_mask *m);

/*
 * Sets in 'mask' all bits of the fields that a packet shaped as 'flow' has: what an exact-match key
 * of it means.  Pipeline-only words are left alone.
 */
void flow_mask_exact_for(const struct flow *flow, struct flow_mask *mask);

/*
 * VLAN tags of the flow: insert an outermost one (false, with nothing done, if there is no room),
 * remove the outermost one, count those in vlans[].  flow_vlan_stack() fills 'stack' with all that
 * are known, deep ones included, outermost first, and returns their number.
 */
#define FLOW_VLAN_STACK (FLOW_MAX_VLANS + FLOW_MAX_DEEP_VLANS)
int flow_vlan_stack(const struct flow *flow, struct flow_vlan stack[FLOW_VLAN_STACK]);
bool flow_push_vlan(struct flow *flow, rte_be16_t tpid, rte_be16_t tci);
void flow_pop_vlan(struct flow *flow);
int flow_n_vlans(const struct flow *flow);

/*
 * MPLS label stack of the flow.  Push fills label, TC, TTL as OpenFlow says (copied from the outer
 * entry, or 0 and 64 or the IP TTL, for a first one) and clears the L3 and L4 fields; it consults,
 * and therefore sets in 'mask' (may be NULL), what it copies.  Pop is false if there is no entry.
 * After the last entry was popped the L3 fields are unknown until recirculation.
 */
int flow_n_mpls(const struct flow *flow, struct flow_mask *mask);
bool flow_push_mpls(struct flow *flow, rte_be16_t ethertype, struct flow_mask *mask);
bool flow_pop_mpls(struct flow *flow, rte_be16_t ethertype, struct flow_mask *mask);

/* Forget what conntrack said, and the datapath-only metadata, of a flow. */
void flow_clear_conntrack(struct flow *flow);

/* Ones in every L3/L4 member: cleared when the packet's type below L2 changes. */
void flow_clear_l3_l4(struct flow *flow);

/* Registers: reg pairs (xreg) and quadruples (xxreg); the lowest-numbered reg is the most
 * significant. */
static inline uint64_t
flow_get_xreg(const struct flow *f, int i)
{
    return (uint64_t)f->regs[i * 2] << 32 | f->regs[i * 2 + 1];
}

static inline void
flow_set_xreg(struct flow *f, int i, uint64_t value)
{
    f->regs[i * 2] = (uint32_t)(value >> 32);
    f->regs[i * 2 + 1] = (uint32_t)value;
}

/* Questions about the kind of packet. */
static inline bool
flow_dl_type_is(const struct flow *f, uint16_t type)
{
    return f->dl_type == rte_cpu_to_be_16(type);
}

static inline bool
flow_is_ip(const struct flow *f)
{
    return flow_dl_type_is(f, ETH_TYPE_IP) || flow_dl_type_is(f, ETH_TYPE_IPV6);
}

static inline bool
flow_is_arp(const struct flow *f)
{
    return flow_dl_type_is(f, ETH_TYPE_ARP) || flow_dl_type_is(f, ETH_TYPE_RARP);
}

static inline bool
flow_is_mpls(const struct flow *f)
{
    return flow_dl_type_is(f, ETH_TYPE_MPLS) || flow_dl_type_is(f, ETH_TYPE_MPLS_MCAST);
}

/* True for an IP packet of that protocol that has its L4 header (so: not a later fragment). */
static inline bool
flow_has_l4(const struct flow *f, uint8_t proto)
{
    return flow_is_ip(f) && f->nw_proto == proto && !(f->nw_frag & NW_FRAG_LATER);
}

/* True for an ICMPv6 neighbour solicitation or advertisement. */
static inline bool
flow_is_nd(const struct flow *f)
{
    return flow_dl_type_is(f, ETH_TYPE_IPV6) && f->nw_proto == IP_PROTO_ICMPV6 &&
           !(f->nw_frag & NW_FRAG_LATER) && !f->tp_dst &&
           (f->tp_src == rte_cpu_to_be_16(135) || f->tp_src == rte_cpu_to_be_16(136));
}

static inline bool
flow_tnl_dst_is_set(const struct flow_tnl *t)
{
    static const struct in6_addr zero;
    return t->ip_dst || memcmp(&t->ipv6_dst, &zero, sizeof zero);
}

/*
 * Hashes.  'basis' is the caller's seed (per process or per use).  The five-tuple hash covers
 * addresses, protocol and ports; the symmetric one is the same for both directions of a connection
 * and covers L2 addresses and VLAN as well; "l3l4" is symmetric over IP addresses and ports only.
 */
uint32_t flow_hash_5tuple(const struct flow *flow, uint32_t basis);
uint32_t flow_hash_symmetric_l4(const struct flow *flow, uint32_t basis);
uint32_t flow_hash_symmetric_l3l4(const struct flow *flow, uint32_t basis, bool inc_udp_ports);
/* All of the flow's bits under 'mask'. */
uint32_t flow_hash_masked(const struct flow *flow, const struct flow_mask *mask, uint32_t basis);

static_assert(sizeof(struct flow_tnl) == 9 * 8, "tunnel words");
static_assert(sizeof(struct flow) == FLOW_WORDS * 8, "FLOW_WORDS must be the size of struct flow");
static_assert(FLOW_WORDS <= 64, "one bitmap word describes a flow");
static_assert(FLOW_WORD_OF(regs) == FLOW_KEY_WORDS, "the key words come first");
static_assert(FLOW_WORD_OF(option_values) == 48, "options start at a word");
static_assert(offsetof(struct flow, dl_dst) == 8 && offsetof(struct flow, dl_src) == 16, "w1 w2");
static_assert(offsetof(struct flow, nw_src) == 24 && offsetof(struct flow, tp_src) == 32, "w3 w4");
static_assert(offsetof(struct flow, vlans) == 40 && offsetof(struct flow, pkt_mark) == 48, "w5 w6");
static_assert(offsetof(struct flow, ipv6_src) % 8 == 0 && offsetof(struct flow, tunnel) % 8 == 0 &&
                  offsetof(struct flow, ct_state) % 8 == 0 &&
                  offsetof(struct flow, ct_label) % 8 == 0,
              "groups start at words");

#endif
