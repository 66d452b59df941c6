// SPDX-License-Identifier: Apache-2.0
/* Group statistics and group features.  See ofp_group.h. */
#include "openflow/ofp_group.h"

/* OFPAT_OUTPUT, and OFPAT_SET_MPLS_TTL to OFPAT_SET_FIELD. */
#define ACTIONS12 0x03ff8001u
#define ACTIONS10 0xfffu
/* With setters of fields, to OFPAT_DEC_NW_TTL, without copy-TTL. */
#define ACTIONS11 0x01ffe7ffu

enum ofperr
ofp_group_stats_request_decode(const struct ofp_msg *msg, uint32_t *group_id)
{
    struct rd in = msg->body;

    *group_id = rd_u32(&in);
    return 0;
}

void
ofp_group_stats_encode(struct ofp_mp *mp, const struct ofp_group_stats *s)
{
    struct wr *out = mp->out;
    size_t start = out->size;

    wr_u16(out, 0);
    wr_u16(out, 0);
    wr_u32(out, s->group_id);
    wr_u32(out, s->ref_count);
    wr_u32(out, 0);
    wr_u64(out, s->total.n_packets);
    wr_u64(out, s->total.n_bytes);
    if (mp->raw != OFPRAW_OFPST11_GROUP_REPLY) {
        wr_u32(out, s->duration_sec);
        wr_u32(out, s->duration_nsec);
    }
    for (size_t i = 0; i < s->n_buckets; i++) {
        wr_u64(out, s->buckets[i].n_packets);
        wr_u64(out, s->buckets[i].n_bytes);
    }
    if (out->size - start > UINT16_MAX) {
        wr_truncate(out, start);
        return;
    }
    wr_set_u16(out, start, (uint16_t)(out->size - start));
    ofp_mp_commit(mp);
}

void
ofp_group_features_init(struct ofp_group_features *f, enum ofp_version version)
{
    *f = (struct ofp_group_features){.types = 0xf};
    f->capabilities = OFPGFC_SELECT_WEIGHT | OFPGFC_SELECT_LIVENESS | OFPGFC_CHAINING;
    for (int i = 0; i < 4; i++) {
        f->max_groups[i] = OFP_GROUP_MAX;
        /* By the numbers of the version.  OpenFlow 1.5's two newer actions are left out, as ever.
         */
        f->actions[i] = version == OFP10_VERSION   ? ACTIONS10
                        : version == OFP11_VERSION ? ACTIONS11
                                                   : ACTIONS12;
    }
}

void
ofp_group_features_encode(const struct ofp_group_features *f, const struct ofp_msg *request,
                          struct wr *out)
{
    enum ofp_raw raw;
    size_t start;

    if (!ofp_mp_reply_raw(request, &raw)) {
        return;
    }
    start = ofp_msg_begin(out, raw, request->version, request->xid);
    wr_u32(out, f->types);
    wr_u32(out, f->capabilities);
    for (int i = 0; i < 4; i++) {
        wr_u32(out, f->max_groups[i]);
    }
    for (int i = 0; i < 4; i++) {
        wr_u32(out, f->actions[i]);
    }
    ofp_msg_end(out, start);
}
