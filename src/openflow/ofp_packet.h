// SPDX-License-Identifier: Apache-2.0
/* Packets between switch and controller: packet-in (every format), packet-out, and NXT_RESUME.
 *
 * A packet-in carries the pipeline's metadata as a match: in_port, tunnel, registers, metadata,
 * pkt_mark, conntrack fields.  NXT_PACKET_IN2 may carry a continuation, which a controller sends
 * back in NXT_RESUME: its contents are the switch's own, so here it is just bytes (properties that
 * we neither read nor change). Pure functions; any thread.
 */
#ifndef OPENFLOW_OFP_PACKET_H
#define OPENFLOW_OFP_PACKET_H 1

#include "flow/match.h"
#include "openflow/ofp_action.h"
#include "openflow/ofp_msg.h"

enum ofp_packet_in_reason {
    OFPR_NO_MATCH = 0,
    OFPR_ACTION = 1,
    OFPR_INVALID_TTL = 2,
    OFPR_ACTION_SET = 3,
    OFPR_GROUP = 4,
    OFPR_PACKET_OUT = 5,
    OFPR_EXPLICIT_MISS = 6, /* The table-miss flow, OpenFlow 1.3; sent as NO_MATCH. */
    OFPR_IMPLICIT_MISS = 7, /* No flow at all; sent as NO_MATCH. */
    OFPR_N_REASONS,
};
const char *ofp_packet_in_reason_name(enum ofp_packet_in_reason reason);
bool ofp_packet_in_reason_from_name(const char *name, enum ofp_packet_in_reason *reason);

/* NXT_SET_PACKET_IN_FORMAT. */
enum ofp_packet_in_format {
    OFP_PACKET_IN_STD = 0,
    OFP_PACKET_IN_NXT = 1,
    OFP_PACKET_IN_NXT2 = 2,
};
enum ofperr ofp_set_packet_in_format_decode(const struct ofp_msg *msg,
                                            enum ofp_packet_in_format *format);

struct ofp_packet_in {
    const uint8_t *packet; /* Borrowed. */
    size_t packet_size;    /* Bytes at 'packet' (all of the frame when encoding). */
    size_t full_size;      /* Of the frame; when encoding, packet_size. */
    uint32_t buffer_id;
    uint8_t reason; /* enum ofp_packet_in_reason. */
    uint8_t table_id;
    uint64_t cookie; /* UINT64_MAX: none. */
    struct match metadata;
    const uint8_t *userdata; /* Borrowed. */
    size_t userdata_size;
    const uint8_t *continuation; /* Borrowed; NULL where there is none.  NXT_PACKET_IN2 only. */
    size_t continuation_size;
};

/* Encodes for a connection; at most 'max_len' bytes of the frame (0xffff: all of it). */
void ofp_packet_in_encode(const struct ofp_packet_in *pin, enum ofp_version version,
                          enum ofp_packet_in_format format, uint16_t max_len, struct wr *out);
enum ofperr ofp_packet_in_decode(const struct ofp_msg *msg, struct ofp_packet_in *pin);

/* NXT_RESUME: the same properties; 'continuation' is required. */
enum ofperr ofp_resume_decode(const struct ofp_msg *msg, struct ofp_packet_in *pin);

struct ofp_packet_out {
    const uint8_t *packet; /* Borrowed; NULL where a buffer is meant. */
    size_t packet_size;
    uint32_t buffer_id;
    struct flow flow; /* ofp_in_port, and, in OpenFlow 1.5, what else the match set (metadata,
                         registers...). */
    struct ofpacts actions;
};
enum ofperr ofp_packet_out_decode(const struct ofp_msg *msg, struct ofp_packet_out *po);
void ofp_packet_out_fini(struct ofp_packet_out *po);

#endif
