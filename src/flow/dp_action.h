// SPDX-License-Identifier: Apache-2.0
/*
 * Datapath actions: what a megaflow does with its packets.
 *
 * A list is an array of records, each a struct dp_action header followed by its body; records are
 * multiples of 8 bytes and 8-byte aligned.  Lists are built by translation (or parsed from text),
 * are immutable afterwards, and are executed by PMDs; nested lists lie inside their record.  An
 * empty list drops.
 *
 * The one list of types is dp_action.def; a switch over enum dp_action_type without default makes
 * the compiler name the places that must learn of a new one.
 */
#ifndef SLUICE_FLOW_DP_ACTION_H
#define SLUICE_FLOW_DP_ACTION_H 1

#include "flow/flow.h"
#include "packet/rewrite.h"

struct text;
struct dp_port_names;

enum dp_action_type {
#define DP_ACTION(TYPE, STRUCT) DP_ACT_##TYPE,
#include "flow/dp_action.def"
#undef DP_ACTION
    DP_ACT_N_TYPES,
};

/* Record header.  'len8' counts the whole record, in units of 8 bytes. */
struct dp_action {
    uint16_t type; /* enum dp_action_type */
    uint16_t len8;
    uint32_t pad;
};

/* Lists longer than this are refused by the builder ('overflow'). */
#define DP_ACTIONS_MAX_SIZE (128 * 1024)
/* Nesting deeper than this is refused, so that executors may be sure of their depth. */
#define DP_ACTIONS_MAX_DEPTH 16

/* The bodies.  Each starts with the header; 'hdr.pad' is not used but for alignment. */
struct dp_act_u32 { /* RECIRC (id), TRUNC (size), METER (datapath meter id), LB_OUTPUT (bond) */
    struct dp_action hdr;
    uint32_t value;
    uint32_t pad;
};

struct dp_act_port { /* OUTPUT, TNL_POP */
    struct dp_action hdr;
    odp_port_t port;
    uint32_t pad;
};

struct dp_act_drop {
    struct dp_action hdr;
    uint32_t reason; /* enum dp_drop_reason; what the drop counts as */
    uint32_t pad;
};

enum dp_drop_reason {
    DP_DROP_OF_PIPELINE,
    DP_DROP_BRIDGE_NOT_FOUND,
    DP_DROP_RECURSION_TOO_DEEP,
    DP_DROP_TOO_MANY_RESUBMITS,
    DP_DROP_STACK_TOO_DEEP,
    DP_DROP_NO_RECIRC_CONTEXT,
    DP_DROP_RECIRC_CONFLICT,
    DP_DROP_TOO_MANY_MPLS_LABELS,
    DP_DROP_INVALID_TUNNEL_METADATA,
    DP_DROP_UNSUPPORTED_PACKET_TYPE,
    DP_DROP_CONGESTION,
    DP_DROP_FORWARDING_DISABLED,
    DP_DROP_TUNNEL_ROUTING_FAILED,
    DP_DROP_TUNNEL_OUTPUT_NO_ETHERNET,
    DP_DROP_TUNNEL_NEIGH_CACHE_MISS,
    DP_DROP_METER,
};

/* METER: no meter; the packet passes. */
#define DP_METER_PASSED UINT32_MAX

struct dp_act_push_vlan {
    struct dp_action hdr;
    rte_be16_t tpid;
    rte_be16_t tci; /* with VLAN_CFI set */
    uint32_t pad;
};

/* Masked sets: bits under a one of 'mask' change to those of 'value' (whose other bits are zero).
 */
#define DP_ACT_SET(NAME, TYPE) \
    struct NAME {              \
        struct dp_action hdr;  \
        TYPE value;            \
        TYPE mask;             \
    } __attribute__((aligned(8)))
DP_ACT_SET(dp_act_set_eth, struct set_eth);
DP_ACT_SET(dp_act_set_ipv4, struct set_ipv4);
DP_ACT_SET(dp_act_set_ipv6, struct set_ipv6);
DP_ACT_SET(dp_act_set_tp, struct set_tp);
DP_ACT_SET(dp_act_set_icmp, struct set_icmp);
DP_ACT_SET(dp_act_set_arp, struct set_arp);
DP_ACT_SET(dp_act_set_nd, struct set_nd);
DP_ACT_SET(dp_act_set_nd_ext, struct set_nd_ext);
DP_ACT_SET(dp_act_set_mpls, rte_be32_t); /* outermost label stack entry */
DP_ACT_SET(dp_act_set_u32, uint32_t);    /* host order */

struct dp_act_set_tunnel {
    struct dp_action hdr;
    struct flow_tnl tunnel;
};

enum dp_hash_alg {
    DP_HASH_L4,
    DP_HASH_SYM_L4,
};

/* Sets dp_hash of the packet. */
struct dp_act_hash {
    struct dp_action hdr;
    uint32_t alg; /* enum dp_hash_alg */
    uint32_t basis;
};

struct dp_act_nested { /* CLONE: the list runs on a copy of the packet and its metadata */
    struct dp_action hdr;
    uint32_t size; /* bytes of 'actions' */
    uint32_t pad;
    uint8_t actions[] __attribute__((aligned(8)));
};

struct dp_act_sample {
    struct dp_action hdr;
    uint32_t size;
    uint32_t probability; /* of UINT32_MAX */
    uint8_t actions[] __attribute__((aligned(8)));
};

struct dp_act_check_pkt_len {
    struct dp_action hdr;
    uint32_t pkt_len;
    uint32_t gt_size; /* list for longer packets comes first, */
    uint32_t le_size; /* then the one for others */
    uint32_t pad;
    uint8_t actions[] __attribute__((aligned(8)));
};

enum dp_userspace_kind {
    DP_USERSPACE_SLOW_PATH,
    DP_USERSPACE_CONTROLLER,
    DP_USERSPACE_SFLOW,
    DP_USERSPACE_FLOW_SAMPLE,
    DP_USERSPACE_IPFIX,
};

/* Why a flow takes the slow path: names as slow_path(...) prints them. */
#define DP_SLOW_CFM 0x001
#define DP_SLOW_BFD 0x002
#define DP_SLOW_LACP 0x004
#define DP_SLOW_STP 0x008
#define DP_SLOW_LLDP 0x010
#define DP_SLOW_ACTION 0x020
#define DP_SLOW_MATCH 0x040
#define DP_SLOW_CONTROLLER 0x080

/* Give (a copy of) the packet to a handler with what it needs to know. */
struct dp_act_userspace {
    struct dp_action hdr;
    uint32_t kind; /* enum dp_userspace_kind */
    uint32_t pid;  /* printed; 0 in a userspace datapath */
    ofp_port_t ofp_in_port;
    bool include_actions; /* the handler wants the flow's actions too */
    bool has_tunnel_out_port;
    uint16_t pad;
    odp_port_t tunnel_out_port;
    uint32_t pad1;
    uint8_t ofproto_uuid[16]; /* which bridge */
    union {
        struct {
            uint32_t reasons; /* DP_SLOW_* */
        } slow_path;
        struct {
            bool dont_send;
            bool continuation;
            uint16_t reason;
            uint32_t recirc_id;
            uint64_t rule_cookie;
            uint16_t controller_id;
            uint16_t max_len;
        } controller;
        struct {
            rte_be16_t vlan_tci;
            uint16_t pad;
            uint32_t output;
        } sflow;
        struct {
            uint16_t probability;
            uint8_t direction; /* 0 none, 1 ingress, 2 egress */
            uint8_t pad;
            uint32_t collector_set_id;
            uint32_t obs_domain_id;
            uint32_t obs_point_id;
            odp_port_t output_port;
        } flow_sample;
        struct {
            odp_port_t output_port;
        } ipfix;
    };
};

/* Connection tracking. */
#define DP_CT_COMMIT 0x01
#define DP_CT_FORCE 0x02 /* with COMMIT: start over if the direction is wrong */
#define DP_CT_NAT 0x04   /* apply NAT (of an existing binding, or a new one by the flags below) */
#define DP_CT_NAT_SRC 0x08
#define DP_CT_NAT_DST 0x10
#define DP_CT_NAT_PERSISTENT 0x20
#define DP_CT_NAT_HASH 0x40
#define DP_CT_NAT_RANDOM 0x80
#define DP_CT_NAT_V6 0x100
#define DP_CT_EVENTMASK 0x200

struct dp_act_ct {
    struct dp_action hdr;
    uint16_t flags; /* DP_CT_* */
    uint16_t zone;
    uint32_t eventmask;
    uint32_t mark;
    uint32_t mark_mask;
    uint8_t label[16];
    uint8_t label_mask[16];
    union {
        struct {
            rte_be32_t nat_ip_min;
            rte_be32_t nat_ip_max;
        };
        struct {
            struct in6_addr nat_ipv6_min;
            struct in6_addr nat_ipv6_max;
        };
    };
    uint16_t nat_port_min; /* host order; both 0: not given */
    uint16_t nat_port_max;
    char helper[12];  /* "ftp", "tftp" or "" */
    char timeout[32]; /* timeout policy or "" */
};

struct dp_act_push_mpls {
    struct dp_action hdr;
    rte_be32_t lse;
    rte_be16_t ethertype;
    uint16_t pad;
};

struct dp_act_pop_mpls {
    struct dp_action hdr;
    rte_be16_t ethertype;
    uint16_t pad[3];
};

/* Tunnel types, numbered as the header(...,type=N) of the text. */
enum dp_tnl_type {
    DP_TNL_GRE = 3,
    DP_TNL_VXLAN = 4,
    DP_TNL_GENEVE = 5,
    DP_TNL_ERSPAN = 107,
    DP_TNL_IP6ERSPAN = 108,
    DP_TNL_IP6GRE = 109,
    DP_TNL_GTPU = 110,
    DP_TNL_SRV6 = 112,
};

#define DP_TNL_HEADER_MAX 512

/*
 * Prepend 'header' (Ethernet up to the tunnel header, lengths and checksums to be patched), then
 * output to out_port.
 */
struct dp_act_tnl_push {
    struct dp_action hdr;
    odp_port_t tnl_port;
    odp_port_t out_port;
    uint16_t tnl_type; /* enum dp_tnl_type */
    uint16_t header_size;
    uint32_t pad;
    uint8_t header[] __attribute__((aligned(8)));
};

/*
 * A list under construction.  Zero-initialise; dp_actions_fini() frees.  After an overflow
 * nothing more is appended and 'overflow' stays set: callers check it once, at the end.
 */
struct dp_actions {
    uint8_t *data;
    uint32_t size;
    uint32_t cap;
    bool overflow;
};

void dp_actions_fini(struct dp_actions *acts);
/* Appends a record of 'size' bytes, zeroed, with its header set.  Never NULL (on overflow:
 * scratch). */
void *dp_actions_put(struct dp_actions *acts, enum dp_action_type type, size_t size);
/* Appends a copy of whole records. */
void dp_actions_append(struct dp_actions *acts, const void *data, uint32_t size);

void dp_put_output(struct dp_actions *acts, odp_port_t port);
void dp_put_tnl_pop(struct dp_actions *acts, odp_port_t port);
void dp_put_drop(struct dp_actions *acts, enum dp_drop_reason reason);
void dp_put_u32(struct dp_actions *acts, enum dp_action_type type, uint32_t value);
static inline void
dp_put_recirc(struct dp_actions *acts, uint32_t id)
{
    dp_put_u32(acts, DP_ACT_RECIRC, id);
}
static inline void
dp_put_trunc(struct dp_actions *acts, uint32_t size)
{
    dp_put_u32(acts, DP_ACT_TRUNC, size);
}
static inline void
dp_put_meter(struct dp_actions *acts, uint32_t id)
{
    dp_put_u32(acts, DP_ACT_METER, id);
}
static inline void
dp_put_lb_output(struct dp_actions *acts, uint32_t bond)
{
    dp_put_u32(acts, DP_ACT_LB_OUTPUT, bond);
}
void dp_put_hash(struct dp_actions *acts, enum dp_hash_alg alg, uint32_t basis);
void dp_put_push_vlan(struct dp_actions *acts, rte_be16_t tpid, rte_be16_t tci);
void dp_put_pop_vlan(struct dp_actions *acts);
void dp_put_push_mpls(struct dp_actions *acts, rte_be32_t lse, rte_be16_t ethertype);
void dp_put_pop_mpls(struct dp_actions *acts, rte_be16_t ethertype);
void dp_put_ct_clear(struct dp_actions *acts);
void dp_put_tunnel(struct dp_actions *acts, const struct flow_tnl *tunnel);
/* 'act->hdr' is ignored. */
void dp_put_userspace(struct dp_actions *acts, const struct dp_act_userspace *act);
void dp_put_ct(struct dp_actions *acts, const struct dp_act_ct *act);
void dp_put_tnl_push(struct dp_actions *acts, odp_port_t tnl_port, odp_port_t out_port,
                     enum dp_tnl_type type, const void *header, uint16_t header_size);

/*
 * Nested lists: begin returns the position to hand to end; what is appended between lies inside.
 * For check_pkt_len: begin, append the "greater" list, dp_check_pkt_len_else(), append the other,
 * end.
 */
uint32_t dp_begin_clone(struct dp_actions *acts);
uint32_t dp_begin_sample(struct dp_actions *acts, uint32_t probability);
uint32_t dp_begin_check_pkt_len(struct dp_actions *acts, uint32_t pkt_len);
void dp_check_pkt_len_else(struct dp_actions *acts, uint32_t pos);
void dp_end_nested(struct dp_actions *acts, uint32_t pos);

static inline const struct dp_action *
dp_action_next(const struct dp_action *a)
{
    return (const struct dp_action *)((const uint8_t *)a + (size_t)a->len8 * 8);
}

/* Iterates a list made by this API (trusted: len8 is never zero). */
#define DP_ACTION_FOREACH(A, DATA, SIZE)                                             \
    for (const struct dp_action *                                                    \
             A = (const struct dp_action *)(DATA),                                   \
            *A##_end = (const struct dp_action *)((const uint8_t *)(DATA) + (SIZE)); \
         A < A##_end; A = dp_action_next(A))

/* Text as dpctl prints it: "push_vlan(vid=1,pcp=0),2"; "drop" for an empty list. */
void dp_actions_format(const void *data, uint32_t size, const struct dp_port_names *ports,
                       struct text *out);
/* The reverse; appends.  NULL or a new error text (caller frees; 'acts' then holds the part read).
 */
char *dp_actions_parse(const char *text, const struct dp_port_names *ports,
                       struct dp_actions *acts);

/*
 * Appends the actions that turn a packet of flow 'base' into one of flow 'flow' (VLAN tags, MPLS
 * entries, header fields, mark, priority), sets 'base' to what the packet then looks like, and
 * marks in 'mask' the bits that the result depends on (fields that share a set action, and
 * prerequisites). Returns the slow-path reason, DP_SLOW_ACTION, if the datapath has no action for
 * the change, else 0. Tunnel and conntrack metadata are not committed here: see dp_put_tunnel(),
 * dp_put_ct().
 *
 * Without 'knows_l3' nothing below L2 is written: after an MPLS stack was pushed and popped again
 * the fields of 'flow' are empty, while the packet still has them.  Whether it is so cannot be told
 * from the fields: those of a megaflow that is translated anew are zero where it does not match
 * them.
 */
uint32_t flow_commit(struct flow *base, const struct flow *flow, struct dp_actions *acts,
                     struct flow_mask *mask, bool knows_l3);

#endif
