// SPDX-License-Identifier: Apache-2.0
/* Numbers of actions and instructions on the wire, shared by action_decode.c, action_encode.c and
 * their neighbours.
 *
 * Private to the codec.  OpenFlow 1.0.0 section 5.2.4, 1.1.0 section A.2.5, 1.2 to 1.5 section
 * "Action Structures"; the Nicira actions (experimenter 0x2320) as ovs-actions(7) names them.
 */
#ifndef OPENFLOW_ACTION_WIRE_H
#define OPENFLOW_ACTION_WIRE_H 1

#include "openflow/ofp_action.h"

#define OFPAT_EXPERIMENTER 0xffffu

enum ofpat10 {
    OFPAT10_OUTPUT = 0,
    OFPAT10_SET_VLAN_VID = 1,
    OFPAT10_SET_VLAN_PCP = 2,
    OFPAT10_STRIP_VLAN = 3,
    OFPAT10_SET_DL_SRC = 4,
    OFPAT10_SET_DL_DST = 5,
    OFPAT10_SET_NW_SRC = 6,
    OFPAT10_SET_NW_DST = 7,
    OFPAT10_SET_NW_TOS = 8,
    OFPAT10_SET_TP_SRC = 9,
    OFPAT10_SET_TP_DST = 10,
    OFPAT10_ENQUEUE = 11,
    OFPAT10_N,
};

enum ofpat11 {
    OFPAT11_OUTPUT = 0,
    OFPAT11_SET_VLAN_VID = 1, /* 1...10, 13 and 14 are of OpenFlow 1.1: read in later ones, too. */
    OFPAT11_SET_VLAN_PCP = 2,
    OFPAT11_SET_DL_SRC = 3,
    OFPAT11_SET_DL_DST = 4,
    OFPAT11_SET_NW_SRC = 5,
    OFPAT11_SET_NW_DST = 6,
    OFPAT11_SET_NW_TOS = 7,
    OFPAT11_SET_NW_ECN = 8,
    OFPAT11_SET_TP_SRC = 9,
    OFPAT11_SET_TP_DST = 10,
    OFPAT11_SET_MPLS_LABEL = 13,
    OFPAT11_SET_MPLS_TC = 14,
    OFPAT11_SET_MPLS_TTL = 15,
    OFPAT11_DEC_MPLS_TTL = 16,
    OFPAT11_PUSH_VLAN = 17,
    OFPAT11_POP_VLAN = 18,
    OFPAT11_PUSH_MPLS = 19,
    OFPAT11_POP_MPLS = 20,
    OFPAT11_SET_QUEUE = 21,
    OFPAT11_GROUP = 22,
    OFPAT11_SET_NW_TTL = 23,
    OFPAT11_DEC_NW_TTL = 24,
    OFPAT12_SET_FIELD = 25,
    OFPAT15_COPY_FIELD = 28,
    OFPAT15_METER = 29,
    OFPAT11_N,
};

enum nxast {
    NXAST_RESUBMIT = 1,
    NXAST_SET_TUNNEL = 2,
    NXAST_SET_QUEUE = 4,
    NXAST_POP_QUEUE = 5,
    NXAST_REG_MOVE = 6,
    NXAST_REG_LOAD = 7,
    NXAST_NOTE = 8,
    NXAST_SET_TUNNEL64 = 9,
    NXAST_MULTIPATH = 10,
    NXAST_BUNDLE = 12,
    NXAST_BUNDLE_LOAD = 13,
    NXAST_RESUBMIT_TABLE = 14,
    NXAST_OUTPUT_REG = 15,
    NXAST_LEARN = 16,
    NXAST_EXIT = 17,
    NXAST_DEC_TTL = 18,
    NXAST_FIN_TIMEOUT = 19,
    NXAST_CONTROLLER = 20,
    NXAST_DEC_TTL_CNT_IDS = 21,
    NXAST_WRITE_METADATA = 22,
    NXAST_PUSH_MPLS = 23,
    NXAST_POP_MPLS = 24,
    NXAST_SET_MPLS_TTL = 25,
    NXAST_DEC_MPLS_TTL = 26,
    NXAST_STACK_PUSH = 27,
    NXAST_STACK_POP = 28,
    NXAST_SAMPLE = 29,
    NXAST_SET_MPLS_LABEL = 30,
    NXAST_SET_MPLS_TC = 31,
    NXAST_OUTPUT_REG2 = 32,
    NXAST_REG_LOAD2 = 33,
    NXAST_CONJUNCTION = 34,
    NXAST_CT = 35,
    NXAST_NAT = 36,
    NXAST_CONTROLLER2 = 37,
    NXAST_SAMPLE2 = 38,
    NXAST_OUTPUT_TRUNC = 39,
    NXAST_GROUP = 40,
    NXAST_SAMPLE3 = 41,
    NXAST_CLONE = 42,
    NXAST_CT_CLEAR = 43,
    NXAST_RESUBMIT_TABLE_CT = 44,
    NXAST_LEARN2 = 45,
    NXAST_CHECK_PKT_LARGER = 49,
    NXAST_DELETE_FIELD = 50,
    NXAST_N,
    NXAST_DEBUG_RECIRC = 255, /* tests only: ofpacts_enable_debug() */
};

#define ONFACT_COPY_FIELD 3200u /* OpenFlow 1.3 and 1.4; 28 of the standard since 1.5. */

/* Properties of NXAST_CONTROLLER2. */
enum nxac2pt {
    NXAC2PT_MAX_LEN = 0,
    NXAC2PT_CONTROLLER_ID = 1,
    NXAC2PT_REASON = 2,
    NXAC2PT_USERDATA = 3,
    NXAC2PT_PAUSE = 4,
    NXAC2PT_METER_ID = 5,
};

/* Which members of a range follow NXAST_NAT. */
#define NX_NAT_IPV4_MIN 0x01
#define NX_NAT_IPV4_MAX 0x02
#define NX_NAT_IPV6_MIN 0x04
#define NX_NAT_IPV6_MAX 0x08
#define NX_NAT_PROTO_MIN 0x10
#define NX_NAT_PROTO_MAX 0x20

/* Header of a learn spec. */
#define NX_LEARN_N_BITS_MASK 0x07ffu
#define NX_LEARN_DST_SHIFT 11
#define NX_LEARN_SRC_SHIFT 13

enum ofpit {
    OFPIT_GOTO_TABLE = 1,
    OFPIT_WRITE_METADATA = 2,
    OFPIT_WRITE_ACTIONS = 3,
    OFPIT_APPLY_ACTIONS = 4,
    OFPIT_CLEAR_ACTIONS = 5,
    OFPIT_METER = 6, /* OpenFlow 1.3 and 1.4. */
    OFPIT_N,
};

/* The state of decoding one list. */
struct action_ctx {
    enum ofp_version version;
    int depth; /* Lists around this one. */
};

/* One run of bits that a masked set_field changes, at most 64 wide.  Starts with *ofs == 0; false
 * at the end. */
bool action_next_load(const struct ofpact_set_field *a, unsigned int *next, struct mf_subfield *dst,
                      uint64_t *value);

/* action_decode.c */
enum ofperr action_decode_list(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out);
/* action_decode_field.c.  The error of a field in a match, as an action's. */
enum ofperr action_field_error(enum ofperr error);
/* Takes a field header and makes a subfield of it. */
enum ofperr action_pull_subfield(struct rd *in, uint16_t ofs, uint16_t n_bits,
                                 struct mf_subfield *sf);

/* action_learn.c */
void action_encode_learn(const struct ofpact_learn *a, struct wr *out);
void action_format_learn(const struct ofpact_learn *a, const struct mf_port_names *ports,
                         struct text *out);
char *action_parse_learn(char *args, const struct mf_port_names *ports, struct ofpacts *out);

/* action_ct.c */
void action_encode_ct(const struct ofpact_ct *a, enum ofp_version version, struct wr *out);
void action_encode_nat(const struct ofpact_nat *a, struct wr *out);
void action_format_ct(const struct ofpact_ct *a, const struct mf_port_names *ports,
                      struct text *out);
void action_format_nat(const struct ofpact_nat *a, struct text *out);
char *action_parse_ct(char *args, const struct mf_port_names *ports, struct ofpacts *out);
char *action_parse_nat(char *args, struct ofpacts *out);

#endif
