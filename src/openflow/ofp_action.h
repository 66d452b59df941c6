// SPDX-License-Identifier: Apache-2.0
/* Decoded OpenFlow actions and instructions.
 *
 * A list of actions ("ofpacts") is one flat, 8-byte aligned run of bytes: each action is a 'struct
 * ofpact_*' that begins with a 'struct ofpact' header whose 'len' leads to the next one.  Lists
 * nest by containment (clone, write_actions, ct).  A list holds no pointers, so it is copied with
 * memcpy and compared with memcmp (all padding is zero), and one flow's actions are one allocation.
 *
 * The same list comes from every OpenFlow version: what a peer wrote as OFPAT_SET_VLAN_VID,
 * set_field or NXAST_REG_LOAD keeps its kind in 'raw' only where the text form tells them apart.
 * Instructions stand in the list too, in the order in which the specification executes them: METER,
 * the apply-actions in place, CLEAR_ACTIONS, WRITE_ACTIONS, WRITE_METADATA, GOTO_TABLE.
 *
 * Everything here is a pure function of its arguments; any thread.  Input from peers is hostile:
 * decoding yields an OpenFlow error, never an assertion, and nesting is bounded by
 * OFPACTS_MAX_DEPTH.
 *
 * Values are in host byte order unless a comment says otherwise.  Ports are in OpenFlow 1.0's
 * 16-bit form (OFPP_LOCAL is 0xfffe), as in struct flow.
 */
#ifndef OPENFLOW_OFP_ACTION_H
#define OPENFLOW_OFP_ACTION_H 1

#include "flow/field.h"
#include "flow/flow.h"
#include "flow/match.h"
#include "openflow/ofp_error.h"
#include "openflow/ofp_version.h"
#include "openflow/ofp_wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ofpact_type {
#define OFPACT(ENUM, STRUCT, NAME) OFPACT_##ENUM,
#include "openflow/ofp_action.def"
#undef OFPACT
};

enum {
#define OFPACT(ENUM, STRUCT, NAME) +1
    OFPACT_N_TYPES = 0
#include "openflow/ofp_action.def"
#undef OFPACT
};

/* How a peer wrote an action where that shows in the text form; in 'struct ofpact'. */
enum ofpact_raw {
    OFPACT_RAW_DEFAULT = 0,
    OFPACT_RAW_REG_LOAD,       /* SET_FIELD that came as NXAST_REG_LOAD: "load:". */
    OFPACT_RAW_REG_LOAD2,      /* SET_FIELD that came as NXAST_REG_LOAD2. */
    OFPACT_RAW_CNT_IDS,        /* DEC_TTL that came with controller ids: "dec_ttl(1,2)". */
    OFPACT_RAW_SET_TUNNEL64,   /* SET_TUNNEL that came as 64 bits: "set_tunnel64:". */
    OFPACT_RAW_CONTROLLER2,    /* CONTROLLER that came as NXAST_CONTROLLER2. */
    OFPACT_RAW_LEARN2,         /* LEARN that came as NXAST_LEARN2 (with limit). */
    OFPACT_RAW_SAMPLE2,        /* SAMPLE with sampling_port. */
    OFPACT_RAW_SAMPLE3,        /* SAMPLE with direction. */
    OFPACT_RAW_RESUBMIT_TABLE, /* RESUBMIT that came with a table: "resubmit(1,2)". */
    OFPACT_RAW_POP_VLAN,       /* STRIP_VLAN that came from OpenFlow 1.1 or later: "pop_vlan". */
    OFPACT_RAW_METER_ACTION, /* METER that came as OpenFlow 1.5's action, not as the instruction. */
};

#define OFPACT_ALIGN 8
#define OFPACT_ROUND(N) (((N) + 7u) & ~7u)
#define OFPACTS_MAX_DEPTH 16

/* Header of each action. */
struct ofpact {
    uint8_t type; /* enum ofpact_type. */
    uint8_t raw;  /* enum ofpact_raw. */
    uint16_t pad; /* 0. */
    uint32_t len; /* Bytes of this action with its header and nested actions, a multiple of 8. */
};

/* Actions without arguments. */
struct ofpact_null {
    struct ofpact ofpact;
};

struct ofpact_output {
    struct ofpact ofpact;
    uint16_t port;
    uint16_t max_len; /* Bytes for the controller, where 'port' is OFPP_CONTROLLER (0xffff: all). */
};

struct ofpact_controller {
    struct ofpact ofpact;
    uint16_t max_len;
    uint16_t controller_id; /* 0: every controller. */
    uint8_t reason;         /* enum ofp_packet_in_reason. */
    bool pause;             /* Freeze the pipeline into a continuation. */
    uint16_t userdata_len;
    uint32_t meter_id; /* OFP_METER_NONE: the default. */
    uint8_t userdata[];
};
#define OFP_METER_NONE UINT32_MAX
#define OFP_METER_MAX 0xffff0000u
#define OFP_METER_SLOWPATH 0xfffffffdu
#define OFP_METER_CONTROLLER 0xfffffffeu
#define OFP_METER_ALL 0xffffffffu

struct ofpact_enqueue {
    struct ofpact ofpact;
    uint16_t port;
    uint32_t queue;
};

struct ofpact_output_reg {
    struct ofpact ofpact;
    struct mf_subfield src;
    uint16_t max_len;
};

struct ofpact_output_trunc {
    struct ofpact ofpact;
    uint16_t port;
    uint32_t max_len;
};

/* Which bits a hash runs over; the wire's numbers. */
enum ofp_hash_fields {
    OFP_HASH_ETH_SRC = 0,
    OFP_HASH_SYMMETRIC_L4 = 1,
    OFP_HASH_SYMMETRIC_L3L4 = 2,
    OFP_HASH_SYMMETRIC_L3L4_UDP = 3,
    OFP_HASH_NW_SRC = 4,
    OFP_HASH_NW_DST = 5,
    OFP_HASH_SYMMETRIC_L3 = 6,
};
const char *ofp_hash_fields_name(enum ofp_hash_fields fields);

enum ofp_bundle_algorithm {
    OFP_BUNDLE_ACTIVE_BACKUP = 0,
    OFP_BUNDLE_HRW = 1,
};

/* bundle(...) and, where dst.n_bits is not 0, bundle_load(...). */
struct ofpact_bundle {
    struct ofpact ofpact;
    uint16_t algorithm; /* enum ofp_bundle_algorithm. */
    uint16_t basis;
    uint16_t fields; /* enum ofp_hash_fields. */
    uint16_t n_members;
    struct mf_subfield dst;
    uint16_t members[]; /* Port numbers. */
};
#define OFP_BUNDLE_MAX_MEMBERS 2048

struct ofpact_group {
    struct ofpact ofpact;
    uint32_t group_id;
};

/* set_field and load: 'data' holds the field's value and then its mask, each of the field's size in
 * bytes, big-endian and aligned as the field is on the wire; bits outside the mask are zero in the
 * value. */
struct ofpact_set_field {
    struct ofpact ofpact;
    uint16_t field;     /* enum mf_id. */
    uint8_t n_bytes;    /* Size of the field: 'data' is twice that. */
    bool flow_has_vlan; /* Set by ofpacts_check(): a VLAN tag is there when this runs. */
    uint8_t data[];
};

static inline const uint8_t *
ofpact_set_field_value(const struct ofpact_set_field *a)
{
    return a->data;
}

static inline const uint8_t *
ofpact_set_field_mask(const struct ofpact_set_field *a)
{
    return a->data + a->n_bytes;
}

struct ofpact_reg_move {
    struct ofpact ofpact;
    struct mf_subfield src;
    struct mf_subfield dst;
};

struct ofpact_stack {
    struct ofpact ofpact;
    struct mf_subfield subfield;
};

struct ofpact_delete_field {
    struct ofpact ofpact;
    uint16_t field; /* enum mf_id, a tunnel option. */
};

struct ofpact_vlan_vid {
    struct ofpact ofpact;
    uint16_t vid;             /* 0...4095. */
    bool push_vlan_if_needed; /* OpenFlow 1.0's meaning: add a tag where there is none. */
    bool flow_has_vlan;       /* Set by ofpacts_check(). */
};

struct ofpact_vlan_pcp {
    struct ofpact ofpact;
    uint8_t pcp; /* 0...7. */
    bool push_vlan_if_needed;
    bool flow_has_vlan;
};

struct ofpact_push_vlan {
    struct ofpact ofpact;
    uint16_t ethertype; /* 0x8100 or 0x88a8. */
};

struct ofpact_mac {
    struct ofpact ofpact;
    uint8_t mac[6];
};

struct ofpact_ipv4 {
    struct ofpact ofpact;
    uint32_t ipv4; /* Network byte order. */
};

/* SET_IP_DSCP (the value with ECN bits zero, 0...252), _ECN, _TTL, SET_MPLS_TC, SET_MPLS_TTL. */
struct ofpact_u8 {
    struct ofpact ofpact;
    uint8_t value;
};

struct ofpact_l4_port {
    struct ofpact ofpact;
    uint16_t port;
    uint8_t flow_ip_proto; /* Set by ofpacts_check(): 6, 17 or 132; 0 if unknown. */
};

struct ofpact_cnt_ids {
    struct ofpact ofpact;
    uint32_t n_controllers;
    uint16_t ids[]; /* { 0 } when the peer named none. */
};

struct ofpact_mpls_label {
    struct ofpact ofpact;
    uint32_t label; /* 20 bits. */
};

struct ofpact_ethertype {
    struct ofpact ofpact;
    uint16_t ethertype;
};

struct ofpact_tunnel {
    struct ofpact ofpact;
    uint64_t tun_id;
};

struct ofpact_queue {
    struct ofpact ofpact;
    uint32_t queue_id;
};

struct ofpact_fin_timeout {
    struct ofpact ofpact;
    uint16_t idle_timeout; /* Seconds; 0: leave. */
    uint16_t hard_timeout;
};

struct ofpact_resubmit {
    struct ofpact ofpact;
    uint16_t port;     /* OFPP_IN_PORT: keep the packet's. */
    uint8_t table_id;  /* 255: the current table. */
    bool with_ct_orig; /* Look up with the conntrack original tuple as addresses
                          ("resubmit(,1,ct)"). */
};

/* One template of learn(): writes 'n_bits' from 'src' or from 'imm' to a match or to an action of
 * the flow learned. */
struct ofpact_learn_spec {
    struct mf_subfield src; /* Valid where src_type is LEARN_SRC_FIELD. */
    struct mf_subfield dst; /* Valid where dst_type is not LEARN_DST_OUTPUT. */
    uint16_t n_bits;
    uint8_t src_type; /* enum ofpact_learn_src. */
    uint8_t dst_type; /* enum ofpact_learn_dst. */
    uint16_t
        imm_size; /* Bytes of 'imm', big-endian, right-aligned; 0 unless LEARN_SRC_IMMEDIATE. */
    uint16_t pad;
    uint8_t imm[]; /* Padded to 8 bytes. */
};
enum ofpact_learn_src { LEARN_SRC_FIELD = 0, LEARN_SRC_IMMEDIATE = 1 };
enum ofpact_learn_dst { LEARN_DST_MATCH = 0, LEARN_DST_LOAD = 1, LEARN_DST_OUTPUT = 2 };

#define OFPACT_LEARN_SEND_FLOW_REM 0x1
#define OFPACT_LEARN_DELETE_LEARNED 0x2
#define OFPACT_LEARN_WRITE_RESULT 0x4

struct ofpact_learn {
    struct ofpact ofpact;
    uint64_t cookie;
    uint16_t idle_timeout;
    uint16_t hard_timeout;
    uint16_t priority;
    uint16_t flags; /* OFPACT_LEARN_*. */
    uint16_t fin_idle_timeout;
    uint16_t fin_hard_timeout;
    uint8_t table_id;
    uint8_t pad[3];
    uint32_t limit;                /* 0: none. */
    struct mf_subfield result_dst; /* n_bits is 0 where there is none. */
    uint32_t specs_size; /* Bytes of specs, which follow at offset ofpact_learn_specs(). */
};

/* Does the packet learn whether the limit left room for the flow? */
static inline bool
ofpact_learn_tells_room(const struct ofpact_learn *a)
{
    return a->limit && a->flags & OFPACT_LEARN_WRITE_RESULT && a->result_dst.n_bits;
}

/* Iterates: 'SPEC' is a const struct ofpact_learn_spec *. */
const struct ofpact_learn_spec *ofpact_learn_first(const struct ofpact_learn *a);
const struct ofpact_learn_spec *ofpact_learn_next(const struct ofpact_learn *a,
                                                  const struct ofpact_learn_spec *spec);
#define OFPACT_LEARN_FOR_EACH(SPEC, LEARN)                                       \
    for (const struct ofpact_learn_spec *SPEC = ofpact_learn_first(LEARN); SPEC; \
         SPEC = ofpact_learn_next(LEARN, SPEC))

struct ofpact_conjunction {
    struct ofpact ofpact;
    uint8_t clause; /* 0-based. */
    uint8_t n_clauses;
    uint32_t id;
};

enum ofp_multipath_algorithm {
    OFP_MP_MODULO_N = 0,
    OFP_MP_HASH_THRESHOLD = 1,
    OFP_MP_HRW = 2,
    OFP_MP_ITER_HASH = 3,
};

struct ofpact_multipath {
    struct ofpact ofpact;
    uint16_t fields; /* enum ofp_hash_fields. */
    uint16_t basis;
    uint16_t algorithm; /* enum ofp_multipath_algorithm. */
    uint16_t max_link;
    uint32_t arg;
    struct mf_subfield dst;
};

struct ofpact_note {
    struct ofpact ofpact;
    uint32_t n;
    uint8_t data[];
};

struct ofpact_sample {
    struct ofpact ofpact;
    uint16_t probability;   /* 1...65535. */
    uint16_t sampling_port; /* OFPP_NONE where absent. */
    uint8_t direction;      /* 0 default, 1 ingress, 2 egress. */
    uint32_t collector_set_id;
    uint32_t obs_domain_id;
    uint32_t obs_point_id;
};

/* CLONE and WRITE_ACTIONS: the nested actions follow. */
struct ofpact_nest {
    struct ofpact ofpact;
    uint64_t actions[]; /* A list; use ofpact_nest_actions(). */
};

struct ofpact_check_pkt {
    struct ofpact ofpact;
    struct mf_subfield dst; /* One bit. */
    uint16_t pkt_len;
};

#define OFPACT_CT_COMMIT 0x1
#define OFPACT_CT_FORCE 0x2
#define OFPACT_CT_NO_RECIRC 0xff /* 'recirc_table' where the packet does not come back. */

struct ofpact_ct {
    struct ofpact ofpact;
    struct mf_subfield zone_src; /* n_bits is 0: 'zone_imm' counts. */
    uint16_t flags;              /* OFPACT_CT_*. */
    uint16_t zone_imm;
    uint16_t alg; /* 0, 21 (ftp) or 69 (tftp). */
    uint8_t recirc_table;
    uint8_t pad[5];
    uint64_t actions[]; /* At most one NAT; SET_FIELD and REG_MOVE of ct_mark and ct_label
                           ("exec(...)"). */
};

#define OFPACT_NAT_SRC 0x01
#define OFPACT_NAT_DST 0x02
#define OFPACT_NAT_PERSISTENT 0x04
#define OFPACT_NAT_HASH 0x08
#define OFPACT_NAT_RANDOM 0x10

struct ofpact_nat {
    struct ofpact ofpact;
    uint8_t range_af;     /* 0: no addresses, 4, 6. */
    uint8_t flags;        /* OFPACT_NAT_*. */
    uint16_t port_min;    /* 0: no ports. */
    uint16_t port_max;    /* 0: only port_min. */
    uint8_t addr_min[16]; /* Network order; an IPv4 address takes the first four bytes.  All zeros
                             in addr_max: only addr_min. */
    uint8_t addr_max[16];
};

struct ofpact_meter {
    struct ofpact ofpact;
    uint32_t meter_id;
};

struct ofpact_metadata {
    struct ofpact ofpact;
    uint64_t metadata;
    uint64_t mask;
};

struct ofpact_goto_table {
    struct ofpact ofpact;
    uint8_t table_id;
};

/* A growable list, which owns its memory.  {0} is an empty one. */
struct ofpacts {
    uint8_t *data; /* Aligned to 8; NULL while empty. */
    size_t size;   /* Bytes used. */
    size_t cap;
};

void ofpacts_fini(struct ofpacts *list);
static inline void
ofpacts_clear(struct ofpacts *list)
{
    list->size = 0;
}
void ofpacts_append(struct ofpacts *list, const struct ofpact *acts, size_t size);

/* Appends a zeroed action of 'type' with 'size' bytes (rounded up); the pointer is valid until the
 * next append. */
void *ofpacts_put(struct ofpacts *list, enum ofpact_type type, size_t size);

/* Appends an action of 'type' as in: struct ofpact_output *o = ofpacts_put_struct(&list, OUTPUT,
 * struct ofpact_output); */
#define ofpacts_put_struct(LIST, TYPE, STRUCT) \
    ((STRUCT *)ofpacts_put(LIST, OFPACT_##TYPE, sizeof(STRUCT)))

/* Appends a SET_FIELD of the bits of 'mask' (all bits where NULL); 'value' and 'mask' are of the
 * field's size, big-endian. */
struct ofpact_set_field *ofpacts_put_set_field(struct ofpacts *list, enum mf_id field,
                                               const void *value, const void *mask);

/* A nested action: open returns its offset; close fixes its length after the inner actions were
 * put. */
size_t ofpacts_open(struct ofpacts *list, enum ofpact_type type, size_t header_size);
void ofpacts_close(struct ofpacts *list, size_t ofs);

static inline const struct ofpact *
ofpacts_data(const struct ofpacts *list)
{
    return (const struct ofpact *)(const void *)list->data;
}

static inline const struct ofpact *
ofpact_next(const struct ofpact *a)
{
    return (const struct ofpact *)(const void *)((const uint8_t *)a + a->len);
}

static inline const struct ofpact *
ofpact_end(const struct ofpact *acts, size_t size)
{
    return (const struct ofpact *)(const void *)((const uint8_t *)acts + size);
}

#define OFPACT_FOR_EACH(A, ACTS, SIZE) \
    for (const struct ofpact *A = (ACTS); A < ofpact_end(ACTS, SIZE); A = ofpact_next(A))

/* The action as its own struct; 'a' must be of the right type. */
#define OFPACT_CAST(STRUCT, A) ((const struct STRUCT *)(const void *)(A))

static inline const struct ofpact *
ofpact_nest_actions(const struct ofpact_nest *a, size_t *size)
{
    *size = a->ofpact.len - offsetof(struct ofpact_nest, actions);
    return (const struct ofpact *)(const void *)a->actions;
}

static inline const struct ofpact *
ofpact_ct_actions(const struct ofpact_ct *a, size_t *size)
{
    *size = a->ofpact.len - offsetof(struct ofpact_ct, actions);
    return (const struct ofpact *)(const void *)a->actions;
}

/* "output", "set_field", ... */
const char *ofpact_type_name(enum ofpact_type type);

/* Whether 'type' is an instruction of its own in OpenFlow 1.1 and later (METER counts). */
bool ofpact_is_instruction(enum ofpact_type type);

/* Equal for the purposes of 'modify only if different'. */
static inline bool
ofpacts_equal(const struct ofpact *a, size_t a_size, const struct ofpact *b, size_t b_size)
{
    return a_size == b_size && (!a_size || !memcmp(a, b, a_size));
}

/* Whether some action outputs to 'port' (also within nested lists; for out_port filters, which look
 * at output, enqueue and controller), or leads to 'group'. */
bool ofpacts_output_to_port(const struct ofpact *acts, size_t size, ofp_port_t port);
bool ofpacts_output_to_group(const struct ofpact *acts, size_t size, uint32_t group_id);
/* Calls 'cb' for each group that the list leads to, maybe more than once. */
void ofpacts_for_each_group(const struct ofpact *acts, size_t size, void (*cb)(uint32_t, void *),
                            void *aux);

/* The tunnel options (tun_metadata fields) that actions name, nested ones included: bit i for
 * number i. */
uint64_t ofpacts_options(const struct ofpact *acts, size_t size);

/* The meter that the list passes through first, or 0. */
uint32_t ofpacts_meter(const struct ofpact *acts, size_t size);

/* Decodes all of 'in' as actions (not instructions) of 'version', appends to 'out'.  On error 'out'
 * keeps its former contents. */
enum ofperr ofpacts_decode(struct rd *in, enum ofp_version version, struct ofpacts *out);
/* Actions that only tests need are accepted from now on (--enable-dummy): debug_recirc.  At start.
 */
void ofpacts_enable_debug(void);

/* As ofpacts_decode(), for the body of a flow-mod or flow-stats: actions at OpenFlow 1.0, else
 * instructions. */
enum ofperr ofpacts_decode_instructions(struct rd *in, enum ofp_version version,
                                        struct ofpacts *out);

/* Appends the wire form of 'acts' to 'out', as actions (instructions in the list are left out), or
 * as what a flow carries.  What 'version' cannot say at all is left out, as the deployed switch
 * does. */
void ofpacts_encode(const struct ofpact *acts, size_t size, enum ofp_version version,
                    struct wr *out);
void ofpacts_encode_instructions(const struct ofpact *acts, size_t size, enum ofp_version version,
                                 struct wr *out);

/* What ofpacts_check() needs to know. */
struct ofpacts_check {
    const struct match
        *match; /* The flow's match; NULL for packet-outs and groups: no prerequisite is checked. */
    ofp_port_t max_ports; /* Ordinary ports are below this (OFPP_MAX, or the switch's). */
    uint8_t table_id;     /* The flow's table; 255: none (no goto check). */
    uint8_t n_tables;
    enum ofp_version version;
};

/* Checks a whole list: ports, table order, prerequisites, meters, conjunction rules, write-actions
 * contents; fills in the actions' 'flow_has_vlan' and 'flow_ip_proto'.  0 or the error to send. */
enum ofperr ofpacts_check(struct ofpact *acts, size_t size, const struct ofpacts_check *check);

#endif
