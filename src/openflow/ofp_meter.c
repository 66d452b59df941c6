// SPDX-License-Identifier: Apache-2.0
/* Meters: OpenFlow 1.3 sections 7.3.4.4 and 7.3.5.12 to 14.  See ofp_meter.h. */
#include "openflow/ofp_meter.h"

#include "base/util.h"

#include <stdlib.h>

#define BAND_SIZE 16u
#define FLAGS_ALL (OFPMF_KBPS | OFPMF_PKTPS | OFPMF_BURST | OFPMF_STATS)

void
ofp_meter_config_fini(struct ofp_meter_config *config)
{
    free(config->bands);
    *config = (struct ofp_meter_config){0};
}

static enum ofperr
pull_band(struct rd *in, struct ofp_meter_band *band)
{
    uint16_t type = rd_u16(in), len = rd_u16(in);

    *band = (struct ofp_meter_band){.type = type};
    band->rate = rd_u32(in);
    band->burst = rd_u32(in);
    if (!rd_ok(in) || len != BAND_SIZE) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    band->prec_level = rd_u8(in);
    rd_skip(in, 3);
    if (type == OFPMBT_DROP) {
        band->prec_level = 0;
    } else if (type != OFPMBT_DSCP_REMARK) {
        return OFPERR_OFPMMFC_BAD_BAND;
    }
    return rd_ok(in) ? 0 : OFPERR_OFPBRC_BAD_LEN;
}

enum ofperr
ofp_meter_mod_decode(const struct ofp_msg *msg, enum ofp_meter_command *command,
                     struct ofp_meter_config *config)
{
    struct rd in = msg->body;
    uint16_t cmd = rd_u16(&in);
    size_t n;

    ofp_meter_config_fini(config);
    config->flags = rd_u16(&in);
    config->meter_id = rd_u32(&in);
    if (cmd > OFPMC_DELETE) {
        return OFPERR_OFPMMFC_BAD_COMMAND;
    }
    *command = cmd;
    if (cmd == OFPMC_DELETE) {
        return 0;
    }
    if (config->flags & ~FLAGS_ALL ||
        ((config->flags & OFPMF_KBPS) && (config->flags & OFPMF_PKTPS))) {
        return OFPERR_OFPMMFC_BAD_FLAGS;
    }
    n = rd_left(&in) / BAND_SIZE;
    config->bands = n ? xcalloc(n, sizeof *config->bands) : NULL;
    while (rd_left(&in)) {
        enum ofperr error;

        if (config->n_bands >= n) {
            return OFPERR_OFPBRC_BAD_LEN;
        }
        error = pull_band(&in, &config->bands[config->n_bands]);
        if (error) {
            return error;
        }
        config->n_bands++;
    }
    return 0;
}

static void
put_bands(struct wr *out, const struct ofp_meter_config *config)
{
    for (size_t i = 0; i < config->n_bands; i++) {
        const struct ofp_meter_band *band = &config->bands[i];

        wr_u16(out, band->type);
        wr_u16(out, BAND_SIZE);
        wr_u32(out, band->rate);
        wr_u32(out, band->burst);
        wr_u8(out, band->prec_level);
        wr_zeros(out, 3);
    }
}

void
ofp_meter_mod_encode(enum ofp_meter_command command, const struct ofp_meter_config *config,
                     enum ofp_version version, uint32_t xid, struct wr *out)
{
    size_t start = ofp_msg_begin(out, OFPRAW_OFPT13_METER_MOD, version, xid);

    wr_u16(out, (uint16_t)command);
    wr_u16(out, config->flags);
    wr_u32(out, config->meter_id);
    put_bands(out, config);
    ofp_msg_end(out, start);
}

enum ofperr
ofp_meter_request_decode(const struct ofp_msg *msg, uint32_t *meter_id)
{
    struct rd in = msg->body;

    *meter_id = rd_u32(&in);
    return 0;
}

void
ofp_meter_config_encode(struct ofp_mp *mp, const struct ofp_meter_config *config)
{
    struct wr *out = mp->out;
    size_t start = out->size;

    wr_u16(out, 0);
    wr_u16(out, config->flags);
    wr_u32(out, config->meter_id);
    put_bands(out, config);
    wr_set_u16(out, start, (uint16_t)(out->size - start));
    ofp_mp_commit(mp);
}

void
ofp_meter_stats_encode(struct ofp_mp *mp, const struct ofp_meter_stats *s)
{
    struct wr *out = mp->out;
    size_t start = out->size;

    wr_u32(out, s->meter_id);
    wr_u16(out, 0);
    wr_zeros(out, 6);
    wr_u32(out, s->flow_count);
    wr_u64(out, s->packet_in_count);
    wr_u64(out, s->byte_in_count);
    wr_u32(out, s->duration_sec);
    wr_u32(out, s->duration_nsec);
    for (size_t i = 0; i < s->n_bands; i++) {
        wr_u64(out, s->bands[i].n_packets);
        wr_u64(out, s->bands[i].n_bytes);
    }
    wr_set_u16(out, start + 4, (uint16_t)(out->size - start));
    ofp_mp_commit(mp);
}

void
ofp_meter_features_encode(const struct ofp_meter_features *f, enum ofp_version version,
                          uint32_t xid, struct wr *out)
{
    size_t start = ofp_msg_begin(out, OFPRAW_OFPST13_METER_FEATURES_REPLY, version, xid);

    wr_u32(out, f->max_meters);
    wr_u32(out, f->band_types);
    wr_u32(out, f->capabilities);
    wr_u8(out, f->max_bands);
    wr_u8(out, f->max_color);
    wr_u16(out, 0);
    ofp_msg_end(out, start);
}
