// SPDX-License-Identifier: Apache-2.0
/* Flow-mods in their three encodings: OpenFlow 1.0, OpenFlow 1.1 and later, Nicira's NXT_FLOW_MOD;
 * and the two messages that choose between them.
 *
 * See ofp_flow.h.  Called by ofproto for each flow-mod of a connection or bundle, so it reuses the
 * caller's memory.
 */
#include "openflow/nxm.h"
#include "openflow/ofp_flow.h"

#define FW10_ALL ((1u << 22) - 1)
#define FF10_EMERG 0x4u

void
ofp_flow_mod_fini(struct ofp_flow_mod *fm)
{
    ofpacts_fini(&fm->actions);
}

static bool
is_delete(uint8_t command)
{
    return command == OFPFC_DELETE || command == OFPFC_DELETE_STRICT;
}

static enum ofperr
set_flags(uint16_t raw, const struct ofp_msg *msg, struct ofp_flow_mod *fm)
{
    uint16_t known = OFPFF_SEND_FLOW_REM | OFPFF_CHECK_OVERLAP;

    if (msg->version >= OFP12_VERSION) {
        known |= OFPFF_RESET_COUNTS;
    }
    if (msg->version >= OFP13_VERSION) {
        known |= OFPFF_NO_PKT_COUNTS | OFPFF_NO_BYT_COUNTS;
    }
    if (msg->version == OFP10_VERSION && raw & FF10_EMERG) {
        return OFPERR_OFPFMFC_TABLE_FULL; /* There is no emergency flow table. */
    }
    if (raw & ~known) {
        return OFPERR_OFPFMFC_BAD_FLAGS;
    }
    fm->flags = raw;
    if (msg->version < OFP12_VERSION && fm->command == OFPFC_ADD) {
        fm->flags |= OFPFF_RESET_COUNTS; /* What an add means where the flag does not exist. */
    }
    return 0;
}

/* The cookie of OpenFlow 1.0 and NXT_FLOW_MOD, where all ones say that none is given. */
static void
set_cookie(uint64_t cookie, struct ofp_flow_mod *fm)
{
    fm->new_cookie = cookie == UINT64_MAX && fm->command == OFPFC_ADD ? 0 : cookie;
    fm->modify_cookie = cookie != UINT64_MAX;
}

/* The 16-bit command of OpenFlow 1.0 and NXT_FLOW_MOD, which may hold the table in its high byte.
 */
static enum ofperr
set_command(uint16_t command, bool table_id_in_command, struct ofp_flow_mod *fm)
{
    fm->table_id = OFP_TABLE_ALL;
    if (table_id_in_command) {
        fm->table_id = (uint8_t)(command >> 8);
        command &= 0xff;
    }
    if (command > OFPFC_DELETE_STRICT) {
        return OFPERR_OFPFMFC_BAD_COMMAND;
    }
    fm->command = (uint8_t)command;
    return 0;
}

static enum ofperr
decode10(const struct ofp_msg *msg, bool table_id_in_command, struct ofp_flow_mod *fm,
         struct rd *body)
{
    struct rd peek = *body;
    uint32_t wildcards = rd_u32(&peek);
    enum ofperr error = ofp10_match_pull(body, &fm->match);
    uint64_t cookie;
    uint16_t flags;

    ofp10_match_normalize(&fm->match);
    cookie = rd_u64(body);
    error = error ? error : set_command(rd_u16(body), table_id_in_command, fm);
    fm->idle_timeout = rd_u16(body);
    fm->hard_timeout = rd_u16(body);
    fm->priority = rd_u16(body);
    fm->buffer_id = rd_u32(body);
    fm->out_port = rd_u16(body);
    flags = rd_u16(body);
    if (!(wildcards & FW10_ALL)) {
        fm->priority = UINT16_MAX; /* OpenFlow 1.0: exact matches come before all others. */
    }
    set_cookie(cookie, fm);
    return error ? error : set_flags(flags, msg, fm);
}

static enum ofperr
decode_nx(const struct ofp_msg *msg, bool table_id_in_command, struct ofp_flow_mod *fm,
          struct rd *body)
{
    uint64_t cookie = rd_u64(body);
    uint16_t flags, match_len;
    struct rd match;
    enum ofperr error;

    error = set_command(rd_u16(body), table_id_in_command, fm);
    fm->idle_timeout = rd_u16(body);
    fm->hard_timeout = rd_u16(body);
    fm->priority = rd_u16(body);
    fm->buffer_id = rd_u32(body);
    fm->out_port = rd_u16(body);
    flags = rd_u16(body);
    match_len = rd_u16(body);
    rd_skip(body, 6);
    match = rd_sub(body, match_len);
    rd_skip(body, OFP_ROUND8(match_len) - match_len);
    if (!rd_ok(body)) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    error =
        error ? error : nxm_pull_match(&match, false, &fm->match, &fm->cookie, &fm->cookie_mask);
    error = error ? error : set_flags(flags, msg, fm);
    if (!error && fm->command == OFPFC_ADD && fm->cookie_mask) {
        return OFPERR_NXBRC_NXM_INVALID;
    }
    set_cookie(cookie, fm);
    return error;
}

static enum ofperr
decode11(const struct ofp_msg *msg, struct ofp_flow_mod *fm, struct rd *body)
{
    uint64_t cookie = rd_u64(body), cookie_mask = rd_u64(body);
    uint32_t out_port;
    uint16_t flags;
    enum ofperr error;

    fm->table_id = rd_u8(body);
    fm->command = rd_u8(body);
    fm->idle_timeout = rd_u16(body);
    fm->hard_timeout = rd_u16(body);
    fm->priority = rd_u16(body);
    fm->buffer_id = rd_u32(body);
    out_port = rd_u32(body);
    fm->out_group = rd_u32(body);
    flags = rd_u16(body);
    fm->importance = rd_u16(body);
    if (msg->version < OFP14_VERSION) {
        fm->importance = 0;
    }
    if (fm->command > OFPFC_DELETE_STRICT) {
        return OFPERR_OFPFMFC_BAD_COMMAND;
    }
    if (fm->table_id == OFP_TABLE_ALL && !is_delete(fm->command)) {
        return OFPERR_OFPFMFC_BAD_TABLE_ID; /* "All tables" is for deletes. */
    }
    error = ofp_match_pull(body, &fm->match);
    if (error) {
        return error;
    }
    if (!ofp_port_from_wire32(out_port, &fm->out_port) && is_delete(fm->command)) {
        return OFPERR_OFPBAC_BAD_OUT_PORT;
    }
    /* In OpenFlow 1.1 a modify that is not for a cookie and changes nothing adds. */
    if (fm->command == OFPFC_ADD ||
        (msg->version == OFP11_VERSION && !is_delete(fm->command) && !cookie_mask)) {
        fm->new_cookie = cookie;
    } else {
        fm->cookie = cookie;
        fm->cookie_mask = cookie_mask;
        fm->new_cookie = UINT64_MAX;
    }
    return set_flags(flags, msg, fm);
}

enum ofperr
ofp_flow_mod_decode(const struct ofp_msg *msg, bool table_id_in_command, struct ofp_flow_mod *fm)
{
    struct ofpacts actions = fm->actions;
    struct rd body = msg->body;
    enum ofperr error;

    *fm = (struct ofp_flow_mod){.out_group = OFP_GROUP_ANY, .actions = actions};
    ofpacts_clear(&fm->actions);
    error = msg->raw == OFPRAW_OFPT10_FLOW_MOD ? decode10(msg, table_id_in_command, fm, &body)
            : msg->raw == OFPRAW_NXT_FLOW_MOD  ? decode_nx(msg, table_id_in_command, fm, &body)
                                               : decode11(msg, fm, &body);
    if (error) {
        return error;
    }
    if (!rd_ok(&body)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    if (!is_delete(fm->command)) {
        fm->out_port = OFPP_NONE;
        fm->out_group = OFP_GROUP_ANY;
    }
    return ofpacts_decode_instructions(&body, msg->version, &fm->actions);
}

static uint16_t
wire_flags(const struct ofp_flow_mod *fm, enum ofp_version version)
{
    uint16_t known = version >= OFP13_VERSION ? 0x1f : version >= OFP12_VERSION ? 0x07 : 0x03;

    return fm->flags & known;
}

static uint16_t
wire_command(const struct ofp_flow_mod *fm, bool table_id_in_command)
{
    return (uint16_t)(fm->command | (table_id_in_command ? fm->table_id << 8 : 0));
}

static size_t
encode11(const struct ofp_flow_mod *fm, enum ofp_version version, uint32_t xid, struct wr *out)
{
    size_t start = ofp_msg_begin(out, OFPRAW_OFPT11_FLOW_MOD, version, xid);
    bool add = fm->command == OFPFC_ADD;

    wr_u64(out, add ? fm->new_cookie : fm->cookie);
    wr_u64(out, add ? 0 : fm->cookie_mask);
    wr_u8(out, fm->table_id);
    wr_u8(out, fm->command);
    wr_u16(out, fm->idle_timeout);
    wr_u16(out, fm->hard_timeout);
    wr_u16(out, fm->priority);
    wr_u32(out, fm->buffer_id);
    wr_u32(out, ofp_port_to_wire32(fm->out_port));
    wr_u32(out, fm->out_group);
    wr_u16(out, wire_flags(fm, version));
    wr_u16(out, version >= OFP14_VERSION ? fm->importance : 0);
    ofp_match_put(out, &fm->match, version);
    return start;
}

static size_t
encode_nx(const struct ofp_flow_mod *fm, enum ofp_version version, bool table_id_in_command,
          uint32_t xid, struct wr *out)
{
    size_t start = ofp_msg_begin(out, OFPRAW_NXT_FLOW_MOD, version, xid);
    size_t len_ofs, match;

    wr_u64(out, fm->new_cookie);
    wr_u16(out, wire_command(fm, table_id_in_command));
    wr_u16(out, fm->idle_timeout);
    wr_u16(out, fm->hard_timeout);
    wr_u16(out, fm->priority);
    wr_u32(out, fm->buffer_id);
    wr_u16(out, (uint16_t)fm->out_port);
    wr_u16(out, wire_flags(fm, version));
    len_ofs = out->size;
    wr_zeros(out, 8);
    match = out->size;
    nxm_put_match(out, &fm->match, 0, fm->cookie, fm->cookie_mask);
    wr_set_u16(out, len_ofs, (uint16_t)(out->size - match));
    wr_align(out, match, 8);
    return start;
}

static size_t
encode10(const struct ofp_flow_mod *fm, bool table_id_in_command, uint32_t xid, struct wr *out)
{
    size_t start = ofp_msg_begin(out, OFPRAW_OFPT10_FLOW_MOD, OFP10_VERSION, xid);

    ofp10_match_put(out, &fm->match);
    wr_u64(out, fm->new_cookie);
    wr_u16(out, wire_command(fm, table_id_in_command));
    wr_u16(out, fm->idle_timeout);
    wr_u16(out, fm->hard_timeout);
    wr_u16(out, fm->priority);
    wr_u32(out, fm->buffer_id);
    wr_u16(out, (uint16_t)fm->out_port);
    wr_u16(out, wire_flags(fm, OFP10_VERSION));
    return start;
}

void
ofp_flow_mod_encode(const struct ofp_flow_mod *fm, enum ofp_version version, bool nxm,
                    bool table_id_in_command, uint32_t xid, struct wr *out)
{
    size_t start = version > OFP10_VERSION ? encode11(fm, version, xid, out)
                   : nxm                   ? encode_nx(fm, version, table_id_in_command, xid, out)
                                           : encode10(fm, table_id_in_command, xid, out);

    ofpacts_encode_instructions(ofpacts_data(&fm->actions), fm->actions.size, version, out);
    ofp_msg_end(out, start);
}

enum ofperr
ofp_set_flow_format_decode(const struct ofp_msg *msg, enum ofp_flow_format *format)
{
    struct rd body = msg->body;
    uint32_t x = rd_u32(&body);

    if (x != OFP_FLOW_FORMAT_OF10 && x != OFP_FLOW_FORMAT_NXM) {
        return OFPERR_OFPBRC_EPERM;
    }
    *format = x;
    return 0;
}

enum ofperr
ofp_flow_mod_table_id_decode(const struct ofp_msg *msg, bool *enable)
{
    struct rd body = msg->body;

    *enable = rd_u8(&body) != 0;
    return 0;
}
