// SPDX-License-Identifier: Apache-2.0
/* Flow statistics, aggregates and flow-removed, in every encoding.
 *
 * See ofp_flow.h.  A flow's entry in a reply is written in place, without copies: a dump of a
 * hundred thousand flows is the longest message that a switch sends.
 */
#include "openflow/nxm.h"
#include "openflow/ofp_flow.h"
#include "openflow/ofp_oxs.h"

static uint64_t
unknown_to_zero(uint64_t x)
{
    return x == UINT64_MAX ? 0 : x;
}

/* Requests. */

static enum ofperr
request_decode11(const struct ofp_msg *msg, struct rd *body, struct ofp_flow_stats_request *fsr)
{
    fsr->table_id = rd_u8(body);
    rd_skip(body, 3);
    if (!ofp_port_from_wire32(rd_u32(body), &fsr->out_port)) {
        return OFPERR_OFPBAC_BAD_OUT_PORT;
    }
    fsr->out_group = rd_u32(body);
    rd_skip(body, 4);
    fsr->cookie = rd_u64(body);
    fsr->cookie_mask = rd_u64(body);
    return ofp_match_pull(body, &fsr->match);
}

static enum ofperr
request_decode_nx(struct rd *body, struct ofp_flow_stats_request *fsr)
{
    uint16_t match_len;
    struct rd match;

    fsr->out_port = rd_u16(body);
    match_len = rd_u16(body);
    fsr->table_id = rd_u8(body);
    rd_skip(body, 3);
    match = rd_sub(body, match_len);
    rd_skip(body, OFP_ROUND8(match_len) - match_len);
    if (!rd_ok(body)) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    return nxm_pull_match(&match, false, &fsr->match, &fsr->cookie, &fsr->cookie_mask);
}

enum ofperr
ofp_flow_stats_request_decode(const struct ofp_msg *msg, struct ofp_flow_stats_request *fsr)
{
    struct rd body = msg->body;
    enum ofperr error;

    *fsr = (struct ofp_flow_stats_request){.out_group = OFP_GROUP_ANY};
    fsr->aggregate = msg->type == OFPTYPE_AGGREGATE_STATS_REQUEST;
    if (msg->raw == OFPRAW_OFPST10_FLOW_REQUEST || msg->raw == OFPRAW_OFPST10_AGGREGATE_REQUEST) {
        error = ofp10_match_pull(&body, &fsr->match);
        fsr->table_id = rd_u8(&body);
        rd_skip(&body, 1);
        fsr->out_port = rd_u16(&body);
    } else if (msg->raw == OFPRAW_NXST_FLOW_REQUEST || msg->raw == OFPRAW_NXST_AGGREGATE_REQUEST) {
        error = request_decode_nx(&body, fsr);
    } else {
        error = request_decode11(msg, &body, fsr);
    }
    return error ? error : rd_ok(&body) && !rd_left(&body) ? 0 : OFPERR_OFPBRC_BAD_LEN;
}

/* Replies. */

/* Ages travel plus one, so that 0 means unknown. */
static uint16_t
age_to_wire(int32_t age)
{
    return age < 0 ? 0 : age < UINT16_MAX ? (uint16_t)(age + 1) : UINT16_MAX;
}

static void
put_duration_and_timeouts(struct wr *out, const struct ofp_flow_stats *fs)
{
    wr_u32(out, fs->duration_sec);
    wr_u32(out, fs->duration_nsec);
    wr_u16(out, fs->priority);
    wr_u16(out, fs->idle_timeout);
    wr_u16(out, fs->hard_timeout);
}

static void
put_counts(struct wr *out, const struct ofp_flow_stats *fs, bool zero)
{
    wr_u64(out, fs->cookie);
    wr_u64(out, zero ? unknown_to_zero(fs->n_packets) : fs->n_packets);
    wr_u64(out, zero ? unknown_to_zero(fs->n_bytes) : fs->n_bytes);
}

static void
entry10(struct wr *out, const struct ofp_flow_stats *fs)
{
    wr_u8(out, fs->table_id);
    wr_u8(out, 0);
    ofp10_match_put(out, fs->match);
    put_duration_and_timeouts(out, fs);
    wr_zeros(out, 6);
    put_counts(out, fs, true);
}

static void
entry_nx(struct wr *out, const struct ofp_flow_stats *fs, bool flow_age)
{
    size_t len_ofs, match;

    wr_u8(out, fs->table_id);
    wr_u8(out, 0);
    put_duration_and_timeouts(out, fs);
    len_ofs = out->size;
    wr_u16(out, 0);
    wr_u16(out, flow_age ? age_to_wire(fs->idle_age) : 0);
    wr_u16(out, flow_age ? age_to_wire(fs->hard_age) : 0);
    put_counts(out, fs, false);
    match = out->size;
    nxm_put_match(out, fs->match, 0, 0, 0);
    wr_set_u16(out, len_ofs, (uint16_t)(out->size - match));
    wr_align(out, match, 8);
}

static void
entry11(struct wr *out, const struct ofp_flow_stats *fs, enum ofp_version version)
{
    wr_u8(out, fs->table_id);
    wr_u8(out, 0);
    put_duration_and_timeouts(out, fs);
    wr_u16(out, version >= OFP13_VERSION ? fs->flags : 0);
    wr_u16(out, version >= OFP14_VERSION ? fs->importance : 0);
    wr_u16(out, 0);
    put_counts(out, fs, true);
    oxm_put_match(out, fs->match, version); /* In 1.1, too: its own has no registers. */
}

static void
entry15(struct wr *out, const struct ofp_flow_stats *fs, enum ofp_version version)
{
    struct ofp_oxs oxs = {.has = OFP_OXS_DURATION | OFP_OXS_PACKET_COUNT | OFP_OXS_BYTE_COUNT};

    oxs.duration_sec = fs->duration_sec;
    oxs.duration_nsec = fs->duration_nsec;
    if (fs->idle_age != OFP_AGE_UNKNOWN) {
        oxs.has |= OFP_OXS_IDLE_TIME;
        oxs.idle_sec = (uint32_t)fs->idle_age;
    }
    oxs.n_packets = unknown_to_zero(fs->n_packets);
    oxs.n_bytes = unknown_to_zero(fs->n_bytes);
    wr_zeros(out, 2);
    wr_u8(out, fs->table_id);
    wr_u8(out, 0);
    wr_u16(out, fs->priority);
    wr_u16(out, fs->idle_timeout);
    wr_u16(out, fs->hard_timeout);
    wr_u16(out, fs->flags);
    wr_u16(out, fs->importance);
    wr_u64(out, fs->cookie);
    oxm_put_match(out, fs->match, version);
    ofp_oxs_put(out, &oxs);
}

void
ofp_flow_stats_encode(struct ofp_mp *mp, const struct ofp_flow_stats *fs, bool flow_age)
{
    struct wr *out = mp->out;
    size_t start = out->size;

    wr_u16(out, 0);
    if (mp->raw == OFPRAW_OFPST10_FLOW_REPLY) {
        entry10(out, fs);
    } else if (mp->raw == OFPRAW_NXST_FLOW_REPLY) {
        entry_nx(out, fs, flow_age);
    } else if (mp->raw == OFPRAW_OFPST15_FLOW_REPLY) {
        entry15(out, fs, mp->version);
    } else {
        entry11(out, fs, mp->version);
    }
    ofpacts_encode_instructions(fs->actions, fs->actions_size, mp->version, out);
    if (out->size - start > UINT16_MAX) { /* Cannot be: what we hold came in one message. */
        wr_truncate(out, start);
        return;
    }
    wr_set_u16(out, start, (uint16_t)(out->size - start));
    ofp_mp_commit(mp);
}

/* Aggregates. */

void
ofp_aggregate_stats_reply_encode(const struct ofp_aggregate_stats *stats,
                                 const struct ofp_msg *request, struct wr *out)
{
    enum ofp_raw raw;
    size_t start;

    if (!ofp_mp_reply_raw(request, &raw)) {
        return;
    }
    start = ofp_msg_begin(out, raw, request->version, request->xid);
    if (raw == OFPRAW_OFPST15_AGGREGATE_REPLY) {
        struct ofp_oxs oxs = {.has =
                                  OFP_OXS_FLOW_COUNT | OFP_OXS_PACKET_COUNT | OFP_OXS_BYTE_COUNT};

        oxs.n_flows = stats->n_flows;
        oxs.n_packets = unknown_to_zero(stats->n_packets);
        oxs.n_bytes = unknown_to_zero(stats->n_bytes);
        ofp_oxs_put(out, &oxs);
    } else {
        wr_u64(out, unknown_to_zero(stats->n_packets));
        wr_u64(out, unknown_to_zero(stats->n_bytes));
        wr_u32(out, stats->n_flows);
        wr_u32(out, 0);
    }
    ofp_msg_end(out, start);
}

/* Flow-removed. */

/* The reason, as the version can say it. */
static uint8_t
reason_to_wire(uint8_t reason, enum ofp_version version)
{
    if (version < OFP14_VERSION && reason >= OFPRR_METER_DELETE) {
        return OFPRR_DELETE;
    }
    return version == OFP10_VERSION && reason == OFPRR_GROUP_DELETE ? OFPRR_DELETE : reason;
}

static void
removed_nx(const struct ofp_flow_removed *fr, struct wr *out)
{
    size_t len_ofs, match;

    wr_u64(out, fr->cookie);
    wr_u16(out, fr->priority);
    wr_u8(out, reason_to_wire(fr->reason, OFP10_VERSION));
    wr_u8(out, (uint8_t)(fr->table_id + 1)); /* 0 means that the sender does not say. */
    wr_u32(out, fr->duration_sec);
    wr_u32(out, fr->duration_nsec);
    wr_u16(out, fr->idle_timeout);
    len_ofs = out->size;
    wr_u16(out, 0);
    wr_u64(out, fr->n_packets);
    wr_u64(out, fr->n_bytes);
    match = out->size;
    nxm_put_match(out, &fr->match, 0, 0, 0);
    wr_set_u16(out, len_ofs, (uint16_t)(out->size - match));
    wr_align(out, match, 8);
}

static void
removed10(const struct ofp_flow_removed *fr, struct wr *out)
{
    ofp10_match_put(out, &fr->match);
    wr_u64(out, fr->cookie);
    wr_u16(out, fr->priority);
    wr_u8(out, reason_to_wire(fr->reason, OFP10_VERSION));
    wr_u8(out, 0);
    wr_u32(out, fr->duration_sec);
    wr_u32(out, fr->duration_nsec);
    wr_u16(out, fr->idle_timeout);
    wr_u16(out, 0);
    wr_u64(out, unknown_to_zero(fr->n_packets));
    wr_u64(out, unknown_to_zero(fr->n_bytes));
}

static void
removed11(const struct ofp_flow_removed *fr, enum ofp_version version, struct wr *out)
{
    wr_u64(out, fr->cookie);
    wr_u16(out, fr->priority);
    wr_u8(out, reason_to_wire(fr->reason, version));
    wr_u8(out, fr->table_id);
    wr_u32(out, fr->duration_sec);
    wr_u32(out, fr->duration_nsec);
    wr_u16(out, fr->idle_timeout);
    wr_u16(out, version >= OFP12_VERSION ? fr->hard_timeout : 0);
    wr_u64(out, unknown_to_zero(fr->n_packets));
    wr_u64(out, unknown_to_zero(fr->n_bytes));
    ofp_match_put(out, &fr->match, version);
}

static void
removed15(const struct ofp_flow_removed *fr, enum ofp_version version, struct wr *out)
{
    struct ofp_oxs oxs = {.has = OFP_OXS_DURATION | OFP_OXS_PACKET_COUNT | OFP_OXS_BYTE_COUNT};

    oxs.duration_sec = fr->duration_sec;
    oxs.duration_nsec = fr->duration_nsec;
    oxs.n_packets = unknown_to_zero(fr->n_packets);
    oxs.n_bytes = unknown_to_zero(fr->n_bytes);
    wr_u8(out, fr->table_id);
    wr_u8(out, reason_to_wire(fr->reason, version));
    wr_u16(out, fr->priority);
    wr_u16(out, fr->idle_timeout);
    wr_u16(out, fr->hard_timeout);
    wr_u64(out, fr->cookie);
    ofp_match_put(out, &fr->match, version);
    ofp_oxs_put(out, &oxs);
}

void
ofp_flow_removed_encode(const struct ofp_flow_removed *fr, enum ofp_version version, bool nxm,
                        struct wr *out)
{
    enum ofp_raw raw = version == OFP10_VERSION
                           ? (nxm ? OFPRAW_NXT_FLOW_REMOVED : OFPRAW_OFPT10_FLOW_REMOVED)
                       : version < OFP15_VERSION ? OFPRAW_OFPT11_FLOW_REMOVED
                                                 : OFPRAW_OFPT15_FLOW_REMOVED;
    size_t start = ofp_msg_begin(out, raw, version, 0);

    if (raw == OFPRAW_NXT_FLOW_REMOVED) {
        removed_nx(fr, out);
    } else if (raw == OFPRAW_OFPT10_FLOW_REMOVED) {
        removed10(fr, out);
    } else if (raw == OFPRAW_OFPT11_FLOW_REMOVED) {
        removed11(fr, version, out);
    } else {
        removed15(fr, version, out);
    }
    ofp_msg_end(out, start);
}
