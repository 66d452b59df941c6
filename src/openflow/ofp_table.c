// SPDX-License-Identifier: Apache-2.0
/* Table statistics, descriptions, table-mod and table-status; table features are in
 * ofp_table_features.c.
 *
 * See ofp_table.h.  Versions 1.0 to 1.2 tell in the statistics what a table can do; this switch's
 * tables all can do the same.
 */
#include "openflow/ofp_table.h"

#include "openflow/ofp_prop.h"

#define FW10_ALL ((1u << 22) - 1)
#define MISS_CONTROLLER 0u
#define MISS_CONTINUE 1u
#define MISS_DROP 2u
#define CONFIG_EVICTION 0x4u
#define CONFIG_VACANCY 0x8u
#define PROP_EVICTION 2u
#define PROP_VACANCY 3u

/* OpenFlow 1.1's fields in_port to metadata, but for the TOS byte's ECN. */
#define MATCH11_ALL 0xfbffu
/* Bits are OXM fields: all of OpenFlow 1.2 but in_phy_port, MPLS's bottom of stack, packet_type;
 * those that actions may write are fewer. */
#define OXM12_ALL 0x101ffffffffdULL
#define OXM12_WRITABLE 0xffffffbddULL
/* From OFPAT_OUTPUT (with 1.1's setters of fields) to OFPAT_SET_FIELD, without copy-TTL. */
#define ACTIONS11_ALL 0x1ffe7ffu
#define ACTIONS12_ALL 0x3ff8001u
#define INSTRUCTIONS_ALL 0x3eu /* Bits 1 to 5. */

static uint32_t
miss_to_wire(enum ofp_table_miss miss, enum ofp_version version)
{
    switch (miss) {
    case OFP_TABLE_MISS_CONTROLLER:
        return MISS_CONTROLLER;
    case OFP_TABLE_MISS_CONTINUE:
        return MISS_CONTINUE;
    case OFP_TABLE_MISS_DROP:
        return MISS_DROP;
    case OFP_TABLE_MISS_DEFAULT:
        break;
    }
    return version < OFP13_VERSION ? MISS_CONTROLLER : MISS_DROP;
}

static void
put_counts(struct wr *out, const struct ofp_table_stats *s)
{
    wr_u32(out, s->active_count);
    wr_u64(out, s->lookup_count);
    wr_u64(out, s->matched_count);
}

void
ofp_table_stats_encode(struct ofp_mp *mp, const struct ofp_table_stats *s, bool has_next)
{
    uint32_t miss = miss_to_wire(s->miss_config, mp->version);
    uint32_t instructions = INSTRUCTIONS_ALL & ~(has_next ? 0u : 1u << 1);
    struct wr *out = mp->out;

    wr_u8(out, s->table_id);
    wr_zeros(out, mp->version == OFP11_VERSION || mp->version == OFP12_VERSION ? 7 : 3);
    if (mp->version < OFP13_VERSION) {
        wr_string(out, s->name, OFP_TABLE_NAME_MAX);
    }
    if (mp->version == OFP10_VERSION) {
        wr_u32(out, FW10_ALL);
        wr_u32(out, s->max_entries);
    } else if (mp->version == OFP11_VERSION) {
        wr_u32(out, MATCH11_ALL);
        wr_u32(out, MATCH11_ALL);
        wr_u32(out, instructions);
        wr_u32(out, ACTIONS11_ALL);
        wr_u32(out, ACTIONS11_ALL);
        wr_u32(out, miss);
        wr_u32(out, s->max_entries);
    } else if (mp->version == OFP12_VERSION) {
        wr_u64(out, OXM12_ALL);
        wr_u64(out, OXM12_ALL);
        wr_u32(out, ACTIONS12_ALL);
        wr_u32(out, ACTIONS12_ALL);
        wr_u64(out, OXM12_WRITABLE);
        wr_u64(out, OXM12_WRITABLE);
        wr_u64(out, UINT64_MAX);
        wr_u64(out, UINT64_MAX);
        wr_u32(out, instructions);
        wr_u32(out, miss);
        wr_u32(out, s->max_entries);
    }
    put_counts(out, s);
    ofp_mp_commit(mp);
}

static uint32_t
desc_config(const struct ofp_table_desc *d)
{
    return (d->eviction ? CONFIG_EVICTION : 0) | (d->vacancy ? CONFIG_VACANCY : 0);
}

static void
put_desc(struct wr *out, const struct ofp_table_desc *d)
{
    size_t start = out->size;

    wr_u16(out, 0);
    wr_u8(out, d->table_id);
    wr_u8(out, 0);
    wr_u32(out, desc_config(d));
    ofp_prop_put_u32(out, PROP_EVICTION, d->eviction_flags);
    if (d->vacancy) {
        uint8_t v[4] = {d->vacancy_down, d->vacancy_up, d->vacancy_now, 0};

        ofp_prop_put(out, PROP_VACANCY, v, sizeof v);
    }
    wr_set_u16(out, start, (uint16_t)(out->size - start));
}

void
ofp_table_desc_encode(struct ofp_mp *mp, const struct ofp_table_desc *desc)
{
    put_desc(mp->out, desc);
    ofp_mp_commit(mp);
}

static enum ofperr
decode_mod_prop(struct ofp_prop *prop, struct ofp_table_mod *tm)
{
    if (prop->type == PROP_EVICTION) {
        tm->has_eviction_flags = true;
        if (ofp_prop_u32(prop, &tm->eviction_flags)) {
            return OFPERR_OFPBPC_BAD_LEN;
        }
        return tm->eviction_flags & ~(OFPTMPEF_OTHER | OFPTMPEF_IMPORTANCE | OFPTMPEF_LIFETIME)
                   ? OFPERR_OFPTMFC_BAD_CONFIG
                   : 0;
    }
    if (prop->type == PROP_VACANCY) {
        uint8_t now;

        tm->vacancy_down = rd_u8(&prop->body);
        tm->vacancy_up = rd_u8(&prop->body);
        now = rd_u8(&prop->body);
        rd_skip(&prop->body, 1);
        if (!rd_ok(&prop->body) || rd_left(&prop->body)) {
            return OFPERR_OFPBPC_BAD_LEN;
        }
        return now || tm->vacancy_down > tm->vacancy_up || tm->vacancy_up > 100
                   ? OFPERR_OFPBPC_BAD_VALUE
                   : 0;
    }
    return ofp_prop_unknown(prop);
}

static enum ofperr
decode_mod14(struct rd *in, uint32_t config, struct ofp_table_mod *tm)
{
    if (config & ~(CONFIG_EVICTION | CONFIG_VACANCY)) {
        return OFPERR_OFPTMFC_BAD_CONFIG;
    }
    tm->eviction = config & CONFIG_EVICTION ? OFP_TABLE_ON : OFP_TABLE_OFF;
    tm->vacancy = config & CONFIG_VACANCY ? OFP_TABLE_ON : OFP_TABLE_OFF;
    while (rd_left(in)) {
        struct ofp_prop prop;
        enum ofperr error = ofp_prop_pull(in, &prop);

        error = error ? error : decode_mod_prop(&prop, tm);
        if (error) {
            return error;
        }
    }
    return 0;
}

enum ofperr
ofp_table_mod_decode(const struct ofp_msg *msg, struct ofp_table_mod *tm)
{
    struct rd in = msg->body;
    uint32_t config;

    *tm = (struct ofp_table_mod){.table_id = rd_u8(&in)};
    rd_skip(&in, 3);
    config = rd_u32(&in);
    if (msg->version >= OFP14_VERSION) {
        return decode_mod14(&in, config, tm);
    }
    if (config > MISS_DROP) {
        return OFPERR_OFPTMFC_BAD_CONFIG;
    }
    if (msg->version < OFP13_VERSION) {
        tm->has_miss = true;
        tm->miss = config == MISS_CONTROLLER ? OFP_TABLE_MISS_CONTROLLER
                   : config == MISS_CONTINUE ? OFP_TABLE_MISS_CONTINUE
                                             : OFP_TABLE_MISS_DROP;
    }
    return 0;
}

void
ofp_table_status_encode(const struct ofp_table_desc *desc, uint8_t reason, enum ofp_version version,
                        struct wr *out)
{
    enum ofp_raw raw;
    size_t start;

    if (!ofp_raw_for(OFPTYPE_TABLE_STATUS, version, &raw)) {
        return;
    }
    start = ofp_msg_begin(out, raw, version, 0);
    wr_u8(out, reason);
    wr_zeros(out, 7);
    put_desc(out, desc);
    ofp_msg_end(out, start);
}
