// SPDX-License-Identifier: Apache-2.0
/* OpenFlow message headers: which message is this, where does its body begin; and the writing of
 * headers.
 *
 * A message has a meaning (enum ofp_type: what a switch dispatches on) and an encoding (enum
 * ofp_raw: which struct the body has); ofp_msg.def lists both.  A connection collects whole
 * messages by ofp_msg_size(), calls ofp_msg_decode(), switches on 'type' and hands the decoded
 * 'struct ofp_msg' to the decoder of that type in ofp_*.h.  When decoding fails it answers with
 * ofperr_encode_reply().
 *
 *     struct ofp_msg msg;
 *     enum ofperr error = ofp_msg_decode(data, size, &msg);
 *     switch (msg.type) {
 *     case OFPTYPE_FLOW_MOD:
 *         error = ofp_flow_mod_decode(&msg, &fm, ...);
 *
 * To write: ofp_msg_begin() and ofp_msg_end() around the body, or, for a multipart reply that may
 * need more than one message, a 'struct ofp_mp'.  Pure functions; any thread.
 */
#ifndef OPENFLOW_OFP_MSG_H
#define OPENFLOW_OFP_MSG_H 1

#include "openflow/ofp_error.h"
#include "openflow/ofp_version.h"
#include "openflow/ofp_wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a message means. */
enum ofp_type {
    OFPTYPE_HELLO,
    OFPTYPE_ERROR,
    OFPTYPE_ECHO_REQUEST,
    OFPTYPE_ECHO_REPLY,
    OFPTYPE_FEATURES_REQUEST,
    OFPTYPE_FEATURES_REPLY,
    OFPTYPE_GET_CONFIG_REQUEST,
    OFPTYPE_GET_CONFIG_REPLY,
    OFPTYPE_SET_CONFIG,
    OFPTYPE_PACKET_IN,
    OFPTYPE_FLOW_REMOVED,
    OFPTYPE_PORT_STATUS,
    OFPTYPE_PACKET_OUT,
    OFPTYPE_FLOW_MOD,
    OFPTYPE_GROUP_MOD,
    OFPTYPE_PORT_MOD,
    OFPTYPE_TABLE_MOD,
    OFPTYPE_BARRIER_REQUEST,
    OFPTYPE_BARRIER_REPLY,
    OFPTYPE_METER_MOD,
    OFPTYPE_QUEUE_GET_CONFIG_REQUEST,
    OFPTYPE_QUEUE_GET_CONFIG_REPLY,
    OFPTYPE_ROLE_REQUEST,
    OFPTYPE_ROLE_REPLY,
    OFPTYPE_ROLE_STATUS,
    OFPTYPE_GET_ASYNC_REQUEST,
    OFPTYPE_GET_ASYNC_REPLY,
    OFPTYPE_SET_ASYNC_CONFIG,
    OFPTYPE_TABLE_STATUS,
    OFPTYPE_REQUESTFORWARD,
    OFPTYPE_BUNDLE_CONTROL,
    OFPTYPE_BUNDLE_ADD_MESSAGE,
    OFPTYPE_DESC_REQUEST,
    OFPTYPE_DESC_REPLY,
    OFPTYPE_FLOW_STATS_REQUEST,
    OFPTYPE_FLOW_STATS_REPLY,
    OFPTYPE_AGGREGATE_STATS_REQUEST,
    OFPTYPE_AGGREGATE_STATS_REPLY,
    OFPTYPE_TABLE_STATS_REQUEST,
    OFPTYPE_TABLE_STATS_REPLY,
    OFPTYPE_PORT_STATS_REQUEST,
    OFPTYPE_PORT_STATS_REPLY,
    OFPTYPE_QUEUE_STATS_REQUEST,
    OFPTYPE_QUEUE_STATS_REPLY,
    OFPTYPE_GROUP_STATS_REQUEST,
    OFPTYPE_GROUP_STATS_REPLY,
    OFPTYPE_GROUP_DESC_REQUEST,
    OFPTYPE_GROUP_DESC_REPLY,
    OFPTYPE_GROUP_FEATURES_REQUEST,
    OFPTYPE_GROUP_FEATURES_REPLY,
    OFPTYPE_METER_STATS_REQUEST,
    OFPTYPE_METER_STATS_REPLY,
    OFPTYPE_METER_CONFIG_REQUEST,
    OFPTYPE_METER_CONFIG_REPLY,
    OFPTYPE_METER_FEATURES_REQUEST,
    OFPTYPE_METER_FEATURES_REPLY,
    OFPTYPE_TABLE_FEATURES_REQUEST,
    OFPTYPE_TABLE_FEATURES_REPLY,
    OFPTYPE_PORT_DESC_REQUEST,
    OFPTYPE_PORT_DESC_REPLY,
    OFPTYPE_TABLE_DESC_REQUEST,
    OFPTYPE_TABLE_DESC_REPLY,
    OFPTYPE_FLOW_MONITOR_REQUEST,
    OFPTYPE_FLOW_MONITOR_REPLY,
    OFPTYPE_FLOW_MONITOR_CANCEL,
    OFPTYPE_FLOW_MONITOR_PAUSED,
    OFPTYPE_FLOW_MONITOR_RESUMED,
    OFPTYPE_IPFIX_BRIDGE_REQUEST,
    OFPTYPE_IPFIX_FLOW_REQUEST,
    OFPTYPE_SET_FLOW_FORMAT,
    OFPTYPE_FLOW_MOD_TABLE_ID,
    OFPTYPE_SET_PACKET_IN_FORMAT,
    OFPTYPE_FLOW_AGE,
    OFPTYPE_SET_CONTROLLER_ID,
    OFPTYPE_TLV_TABLE_MOD,
    OFPTYPE_TLV_TABLE_REQUEST,
    OFPTYPE_TLV_TABLE_REPLY,
    OFPTYPE_RESUME,
    OFPTYPE_CT_FLUSH_ZONE,
    OFPTYPE_CT_FLUSH,
};

/* How it is encoded. */
enum ofp_raw {
#define OFPRAW(NAME, ...) OFPRAW_##NAME,
#include "openflow/ofp_msg.def"
#undef OFPRAW
    OFPRAW_N,
};

/* A message whose headers are understood. */
struct ofp_msg {
    const uint8_t *data; /* The whole message, borrowed. */
    size_t size;
    uint8_t version; /* Wire version; any for HELLO, ERROR and ECHO, else 1...6. */
    uint32_t xid;
    enum ofp_type type;
    enum ofp_raw raw;
    uint16_t mp_flags; /* OFPMPF_MORE, for multiparts. */
    bool is_multipart;
    struct rd body; /* What follows all headers. */
};
#define OFPMPF_MORE 0x1

/* The size that the header of a message announces, from its first four bytes; below 8 it is hostile
 * (close). */
static inline uint16_t
ofp_msg_size(const uint8_t header[4])
{
    return (uint16_t)(header[2] << 8 | header[3]);
}

/* Understands the headers of one whole message.  Errors: OFPBRC_BAD_LEN, _BAD_VERSION, _BAD_TYPE,
 * _BAD_STAT, _BAD_VENDOR, _BAD_SUBTYPE.  On error version and xid are nevertheless filled in. */
enum ofperr ofp_msg_decode(const void *data, size_t size, struct ofp_msg *msg);

/* The encoding of 'type' that 'version' uses by default: the standard one where there is one, else
 * the extension. false where the version has none. */
bool ofp_raw_for(enum ofp_type type, enum ofp_version version, enum ofp_raw *raw);

/* Appends the headers of a message of encoding 'raw'; returns the offset to give to ofp_msg_end(),
 * which fixes the length. 'raw' must exist in 'version'. */
size_t ofp_msg_begin(struct wr *out, enum ofp_raw raw, enum ofp_version version, uint32_t xid);
void ofp_msg_end(struct wr *out, size_t start);

/* A message without body, such as a barrier reply; false where 'version' has no such message. */
bool ofp_msg_put_empty(struct wr *out, enum ofp_type type, enum ofp_version version, uint32_t xid);

/* Writes a multipart reply of any size: a run of messages in 'out', each below 64 kB and all but
 * the last marked OFPMPF_MORE.
 *
 *     struct ofp_mp mp;
 *     ofp_mp_begin(&mp, &out, OFPRAW_NXST_FLOW_REPLY, version, xid);
 *     for each flow: { ofp_flow_stats_encode(&mp, ...); }   (writes, then calls ofp_mp_commit())
 *     ofp_mp_end(&mp);
 */
struct ofp_mp {
    struct wr *out;
    enum ofp_raw raw;
    enum ofp_version version;
    uint32_t xid;
    size_t start;     /* Offset of the current message. */
    size_t committed; /* Offset up to which whole entries stand. */
    size_t soft_max;  /* Start a new message when an entry would make it longer than this. */
};
void ofp_mp_begin(struct ofp_mp *mp, struct wr *out, enum ofp_raw raw, enum ofp_version version,
                  uint32_t xid);

/* Ends one entry, which the caller has written to mp->out since the last commit; moves it into a
 * new message if the current one would exceed 64 kB.  An entry that does not fit into a message by
 * itself is dropped: returns false. */
bool ofp_mp_commit(struct ofp_mp *mp);
void ofp_mp_end(struct ofp_mp *mp);

/* The encoding of the reply to the multipart request 'request' (the same class and number). */
bool ofp_mp_reply_raw(const struct ofp_msg *request, enum ofp_raw *raw);

#endif
