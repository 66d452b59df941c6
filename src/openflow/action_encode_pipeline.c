// SPDX-License-Identifier: Apache-2.0
/* Actions that steer the translation, to bytes: resubmit, conjunction, multipath, clone, sample,
 * note. */
#include "openflow/action_encode.h"
#include "openflow/nxm.h"

void
action_put_resubmit(ofp_port_t port, uint8_t table_id, enum nxast subtype, struct wr *out)
{
    size_t start = action_begin_nx(out, subtype);

    wr_u16(out, (uint16_t)port);
    if (subtype != NXAST_RESUBMIT) {
        wr_u8(out, table_id);
    }
    action_end(out, start, 16);
}

void
action_encode_resubmit(const struct ofpact_resubmit *a, struct wr *out)
{
    action_put_resubmit(a->port, a->table_id,
                        a->with_ct_orig ? NXAST_RESUBMIT_TABLE_CT
                        : a->table_id == OFP_TABLE_ALL && a->ofpact.raw != OFPACT_RAW_RESUBMIT_TABLE
                            ? NXAST_RESUBMIT
                            : NXAST_RESUBMIT_TABLE,
                        out);
}

void
action_encode_conjunction(const struct ofpact_conjunction *a, struct wr *out)
{
    size_t start = action_begin_nx(out, NXAST_CONJUNCTION);

    wr_u8(out, a->clause);
    wr_u8(out, a->n_clauses);
    wr_u32(out, a->id);
    action_end(out, start, 16);
}

void
action_encode_multipath(const struct ofpact_multipath *a, struct wr *out)
{
    size_t start = action_begin_nx(out, NXAST_MULTIPATH);

    wr_u16(out, a->fields);
    wr_u16(out, a->basis);
    wr_u16(out, 0);
    wr_u16(out, a->algorithm);
    wr_u16(out, a->max_link);
    wr_u32(out, a->arg);
    wr_u16(out, 0);
    wr_u16(out, action_ofs_nbits(&a->dst));
    nxm_put_header(out, a->dst.field, false, 0);
    action_end(out, start, 32);
}

void
action_encode_note(const struct ofpact_note *a, struct wr *out)
{
    size_t start = action_begin_nx(out, NXAST_NOTE);

    wr_bytes(out, a->data, a->n);
    action_end(out, start, 16);
}

void
action_encode_sample(const struct ofpact_sample *a, struct wr *out)
{
    bool direction = a->ofpact.raw == OFPACT_RAW_SAMPLE3 || a->direction;
    bool port = a->ofpact.raw == OFPACT_RAW_SAMPLE2 || a->sampling_port != OFPP_NONE;
    size_t start = action_begin_nx(out, direction ? NXAST_SAMPLE3
                                        : port    ? NXAST_SAMPLE2
                                                  : NXAST_SAMPLE);

    wr_u16(out, a->probability);
    wr_u32(out, a->collector_set_id);
    wr_u32(out, a->obs_domain_id);
    wr_u32(out, a->obs_point_id);
    if (direction || port) {
        wr_u16(out, a->sampling_port);
        wr_u8(out, a->direction);
    }
    action_end(out, start, direction || port ? 32 : 24);
}

void
action_encode_clone(const struct ofpact_nest *a, enum ofp_version version, struct wr *out)
{
    size_t start = action_begin_nx(out, NXAST_CLONE);
    size_t size;
    const struct ofpact *acts = ofpact_nest_actions(a, &size);

    wr_zeros(out, 6);
    ofpacts_encode(acts, size, version, out);
    action_end(out, start, 16);
}

void
action_encode_fin_timeout(const struct ofpact_fin_timeout *a, struct wr *out)
{
    size_t start = action_begin_nx(out, NXAST_FIN_TIMEOUT);

    wr_u16(out, a->idle_timeout);
    wr_u16(out, a->hard_timeout);
    action_end(out, start, 16);
}
