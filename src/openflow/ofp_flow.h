// SPDX-License-Identifier: Apache-2.0
/* Messages about flows: flow-mods, flow and aggregate statistics, flow-removed, and the options of
 * connections that concern them.
 *
 * Every encoding (OpenFlow 1.0 to 1.5, Nicira's) decodes into the same structs.  Decoding checks
 * what can be checked without a switch: lengths, matches (prerequisites, duplicates, masks),
 * actions' own arguments, flags, commands. What depends on ports, tables and the match as a whole
 * is ofpacts_check()'s (ofp_action.h). Pure functions; any thread.  Structs that hold a 'struct
 * ofpacts' are to be zero-initialised, may be used for message after message (the memory is kept),
 * and are released with their _fini function.
 */
#ifndef OPENFLOW_OFP_FLOW_H
#define OPENFLOW_OFP_FLOW_H 1

#include "flow/match.h"
#include "openflow/ofp_action.h"
#include "openflow/ofp_msg.h"

enum ofp_flow_mod_command {
    OFPFC_ADD = 0,
    OFPFC_MODIFY = 1,
    OFPFC_MODIFY_STRICT = 2,
    OFPFC_DELETE = 3,
    OFPFC_DELETE_STRICT = 4,
};

/* Flags of a flow, as OpenFlow 1.3 numbers them. */
#define OFPFF_SEND_FLOW_REM 0x01
#define OFPFF_CHECK_OVERLAP 0x02
#define OFPFF_RESET_COUNTS 0x04
#define OFPFF_NO_PKT_COUNTS 0x08
#define OFPFF_NO_BYT_COUNTS 0x10

struct ofp_flow_mod {
    struct match match;
    uint64_t cookie;      /* To filter MODIFY and DELETE by, under 'cookie_mask'. */
    uint64_t cookie_mask; /* 0: no filter. */
    uint64_t new_cookie;  /* For ADD; for MODIFY if 'modify_cookie', else UINT64_MAX. */
    bool modify_cookie;
    uint8_t command;  /* enum ofp_flow_mod_command. */
    uint8_t table_id; /* 255: the switch chooses (ADD), every table (MODIFY and DELETE). */
    uint16_t priority;
    uint16_t idle_timeout; /* Seconds; 0: none. */
    uint16_t hard_timeout;
    uint16_t flags; /* OFPFF_*.  OpenFlow 1.0...1.2 ADD and MODIFY imply OFPFF_RESET_COUNTS as
                       deployed switches do. */
    uint16_t importance;
    uint32_t buffer_id;  /* OFP_BUFFER_NONE, else the switch answers OFPBRC_BUFFER_UNKNOWN. */
    ofp_port_t out_port; /* DELETE only: OFPP_NONE (any) or a port. */
    uint32_t out_group;  /* DELETE only: OFP_GROUP_ANY or a group. */
    struct ofpacts actions;
};

/* 'table_id_in_command': the connection enabled NXT_FLOW_MOD_TABLE_ID (OpenFlow 1.0 and
 * NXT_FLOW_MOD). */
enum ofperr ofp_flow_mod_decode(const struct ofp_msg *msg, bool table_id_in_command,
                                struct ofp_flow_mod *fm);
void ofp_flow_mod_fini(struct ofp_flow_mod *fm);

/* How flows travel on a connection: OpenFlow 1.0 may speak its own ofp_match or NXM. */
enum ofp_flow_format {
    OFP_FLOW_FORMAT_OF10 = 0,
    OFP_FLOW_FORMAT_NXM = 2,
};

/* Encodes for 'version'; 'nxm' and 'table_id_in_command' count at OpenFlow 1.0 only. */
void ofp_flow_mod_encode(const struct ofp_flow_mod *fm, enum ofp_version version, bool nxm,
                         bool table_id_in_command, uint32_t xid, struct wr *out);

/* Request for flow or aggregate statistics. */
struct ofp_flow_stats_request {
    bool aggregate;
    struct match match;
    uint64_t cookie;
    uint64_t cookie_mask;
    ofp_port_t out_port; /* OFPP_NONE: any. */
    uint32_t out_group;  /* OFP_GROUP_ANY: any. */
    uint8_t table_id;    /* 255: all. */
};
enum ofperr ofp_flow_stats_request_decode(const struct ofp_msg *msg,
                                          struct ofp_flow_stats_request *fsr);

/* One flow in a reply. */
#define OFP_AGE_UNKNOWN (-1)
struct ofp_flow_stats {
    const struct match *match;
    const struct ofpact *actions; /* Borrowed. */
    size_t actions_size;
    uint64_t cookie;
    uint64_t n_packets; /* UINT64_MAX: unknown. */
    uint64_t n_bytes;
    uint32_t duration_sec;
    uint32_t duration_nsec;
    int32_t idle_age;  /* Seconds since the last packet, or OFP_AGE_UNKNOWN.  Travels in NXST_FLOW
                          and OpenFlow 1.5. */
    int32_t hard_age;  /* Seconds since the last modification, or OFP_AGE_UNKNOWN. */
    uint32_t priority; /* Above 65535: a hidden flow, which only people see. */
    uint16_t idle_timeout;
    uint16_t hard_timeout;
    uint16_t importance;
    uint16_t flags; /* OFPFF_*. */
    uint8_t table_id;
};

/* Appends one flow to a reply that ofp_mp_begin() began as the answer to the request.  'flow_age':
 * the connection sent NXT_FLOW_AGE.  Match and actions take the form of mp->raw and mp->version. */
void ofp_flow_stats_encode(struct ofp_mp *mp, const struct ofp_flow_stats *fs, bool flow_age);

struct ofp_aggregate_stats {
    uint64_t n_packets; /* UINT64_MAX: unknown. */
    uint64_t n_bytes;
    uint32_t n_flows;
};
void ofp_aggregate_stats_reply_encode(const struct ofp_aggregate_stats *stats,
                                      const struct ofp_msg *request, struct wr *out);

enum ofp_flow_removed_reason {
    OFPRR_IDLE_TIMEOUT = 0,
    OFPRR_HARD_TIMEOUT = 1,
    OFPRR_DELETE = 2,
    OFPRR_GROUP_DELETE = 3,
    OFPRR_METER_DELETE = 4,
    OFPRR_EVICTION = 5,
};
struct ofp_flow_removed {
    struct match match;
    uint64_t cookie;
    uint64_t n_packets;
    uint64_t n_bytes;
    uint32_t duration_sec;
    uint32_t duration_nsec;
    uint16_t priority;
    uint16_t idle_timeout;
    uint16_t hard_timeout;
    uint8_t reason; /* enum ofp_flow_removed_reason. */
    uint8_t table_id;
};
/* 'nxm': the connection chose NXM flow format (OpenFlow 1.0): NXT_FLOW_REMOVED. */
void ofp_flow_removed_encode(const struct ofp_flow_removed *fr, enum ofp_version version, bool nxm,
                             struct wr *out);

/* NXT_SET_FLOW_FORMAT and NXT_FLOW_MOD_TABLE_ID. */
enum ofperr ofp_set_flow_format_decode(const struct ofp_msg *msg, enum ofp_flow_format *format);
enum ofperr ofp_flow_mod_table_id_decode(const struct ofp_msg *msg, bool *enable);

/* One line for people, as 'ovs-appctl bridge/dump-flows' prints a flow:
 * "duration=1s, n_packets=2, n_bytes=108, priority=10,tcp,tp_dst=80,actions=NORMAL".  A table other
 * than 0 comes first
 * ("table_id=254, ") and so does a cookie other than 0 ("cookie=0x5, "). */
void ofp_flow_format_line(const struct ofp_flow_stats *fs, const struct mf_port_names *ports,
                          struct text *out);

#endif
