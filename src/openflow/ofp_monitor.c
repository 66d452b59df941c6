// SPDX-License-Identifier: Apache-2.0
/* Flow monitors.  See ofp_monitor.h.
 *
 * Three dialects: Nicira's (OpenFlow 1.0 to 1.2), ONF's extension 187 (1.3), and OpenFlow 1.4
 * section 7.3.5.17.  The first two number the events from ADDED (0) and have neither groups nor
 * commands.
 */
#include "openflow/ofp_monitor.h"

#include "openflow/nxm.h"

#define FLAGS_NX 0x3fu
#define FLAGS_14 0x7fu
#define FLAG_ONLY_OWN 0x40

static enum ofperr
pull_nx(struct rd *in, bool onf, struct ofp_flow_monitor_request *fmr)
{
    uint16_t match_len;
    struct rd match;
    enum ofperr error;

    fmr->id = rd_u32(in);
    fmr->flags = rd_u16(in);
    if (onf) {
        match_len = rd_u16(in);
        if (!ofp_port_from_wire32(rd_u32(in), &fmr->out_port)) {
            return OFPERR_OFPMOFC_BAD_OUT;
        }
        fmr->table_id = rd_u8(in);
        rd_skip(in, 3);
    } else {
        fmr->out_port = rd_u16(in);
        match_len = rd_u16(in);
        fmr->table_id = rd_u8(in);
        if (!rd_zeros(in, 5)) {
            return rd_ok(in) ? OFPERR_NXBRC_MUST_BE_ZERO : OFPERR_OFPBRC_BAD_LEN;
        }
    }
    match = rd_sub(in, onf ? OFP_ROUND8(match_len) : match_len);
    rd_skip(in, onf ? 0 : OFP_ROUND8(match_len) - match_len);
    if (!rd_ok(in)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    error = onf ? ofp_match_pull(&match, &fmr->match)
                : nxm_pull_match(&match, false, &fmr->match, NULL, NULL);
    if (!error && rd_left(&match)) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    return error ? error : fmr->flags & ~FLAGS_NX ? OFPERR_OFPMOFC_BAD_FLAGS : 0;
}

static enum ofperr
pull14(struct rd *in, struct ofp_flow_monitor_request *fmr)
{
    uint32_t out_port;
    enum ofperr error;

    fmr->id = rd_u32(in);
    out_port = rd_u32(in);
    fmr->out_group = rd_u32(in);
    fmr->flags = rd_u16(in);
    fmr->table_id = rd_u8(in);
    fmr->command = rd_u8(in);
    if (!rd_ok(in)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    if (!ofp_port_from_wire32(out_port, &fmr->out_port)) {
        return OFPERR_OFPMOFC_BAD_OUT;
    }
    error = ofp_match_pull(in, &fmr->match);
    if (error) {
        return error;
    }
    if (fmr->command > OFPFMC_DELETE) {
        return OFPERR_OFPMOFC_BAD_COMMAND;
    }
    if (fmr->flags & ~FLAGS_14) {
        return OFPERR_OFPMOFC_BAD_FLAGS;
    }
    if (fmr->flags & FLAG_ONLY_OWN) {
        fmr->flags = (uint16_t)((fmr->flags & ~FLAG_ONLY_OWN) | OFPFMF_NO_ABBREV);
    }
    return 0;
}

int
ofp_flow_monitor_request_decode(const struct ofp_msg *msg, struct rd *body,
                                struct ofp_flow_monitor_request *fmr)
{
    *fmr = (struct ofp_flow_monitor_request){.out_group = OFP_GROUP_ANY};
    if (!rd_left(body)) {
        return -1;
    }
    return msg->raw == OFPRAW_OFPST14_FLOW_MONITOR_REQUEST
               ? pull14(body, fmr)
               : pull_nx(body, msg->raw == OFPRAW_ONFST13_FLOW_MONITOR_REQUEST, fmr);
}

enum ofperr
ofp_flow_monitor_cancel_decode(const struct ofp_msg *msg, uint32_t *id)
{
    struct rd in = msg->body;

    *id = rd_u32(&in);
    return 0;
}

enum ofp_raw
ofp_flow_update_raw(enum ofp_version version)
{
    return version >= OFP14_VERSION   ? OFPRAW_OFPST14_FLOW_MONITOR_REPLY
           : version == OFP13_VERSION ? OFPRAW_ONFST13_FLOW_MONITOR_REPLY
                                      : OFPRAW_NXST_FLOW_MONITOR_REPLY;
}

/* Nicira's numbers have no INITIAL: what stands at the start was "added". */
static uint16_t
event_to_wire(uint8_t event, enum ofp_version version)
{
    if (version >= OFP14_VERSION) {
        return event;
    }
    return event == OFPFME_INITIAL ? 0 : (uint16_t)(event - 1);
}

static void
put_full_nx(struct wr *out, const struct ofp_flow_update *u, enum ofp_version version)
{
    size_t len_ofs, match;

    wr_u16(out, u->event == OFPFME_REMOVED ? u->reason : 0);
    wr_u16(out, u->priority);
    wr_u16(out, u->idle_timeout);
    wr_u16(out, u->hard_timeout);
    len_ofs = out->size;
    wr_u16(out, 0);
    wr_u8(out, u->table_id);
    wr_u8(out, 0);
    wr_u64(out, u->cookie);
    match = out->size;
    if (version ==
        OFP13_VERSION) { /* The standard's form; its own length counts, without the padding. */
        ofp_match_put(out, u->match, version);
        wr_set_u16(out, len_ofs, (uint16_t)(out->data[match + 2] << 8 | out->data[match + 3]));
    } else {
        nxm_put_match(out, u->match, 0, 0, 0);
        wr_set_u16(out, len_ofs, (uint16_t)(out->size - match));
        wr_align(out, match, 8);
    }
}

static void
put_full14(struct wr *out, const struct ofp_flow_update *u, enum ofp_version version)
{
    wr_u8(out, u->table_id);
    wr_u8(out, u->event == OFPFME_REMOVED ? u->reason : 0);
    wr_u16(out, u->idle_timeout);
    wr_u16(out, u->hard_timeout);
    wr_u16(out, u->priority);
    wr_u32(out, 0);
    wr_u64(out, u->cookie);
    ofp_match_put(out, u->match, version);
}

void
ofp_flow_update_encode(struct ofp_mp *mp, const struct ofp_flow_update *u)
{
    struct wr *out = mp->out;
    size_t start = out->size;

    wr_u16(out, 0);
    wr_u16(out, event_to_wire(u->event, mp->version));
    if (u->event >= OFPFME_ABBREV) {
        wr_u32(out, u->event == OFPFME_ABBREV ? u->xid : 0);
    } else {
        if (mp->version >= OFP14_VERSION) {
            put_full14(out, u, mp->version);
        } else {
            put_full_nx(out, u, mp->version);
        }
        if (u->actions && mp->version < OFP13_VERSION) {
            /* Nicira's message, whatever version carries it, has actions. */
            ofpacts_encode(u->actions, u->actions_size, mp->version, out);
        } else if (u->actions) {
            ofpacts_encode_instructions(u->actions, u->actions_size, mp->version, out);
        }
    }
    if (out->size - start > UINT16_MAX) {
        wr_truncate(out, start);
        return;
    }
    wr_set_u16(out, start, (uint16_t)(out->size - start));
    ofp_mp_commit(mp);
}
