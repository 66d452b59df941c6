// SPDX-License-Identifier: Apache-2.0
/* Properties; see ofp_prop.h. */
#include "openflow/ofp_prop.h"

enum ofperr
ofp_prop_pull(struct rd *in, struct ofp_prop *prop)
{
    uint16_t len;

    prop->type = rd_u16(in);
    len = rd_u16(in);
    prop->experimenter = prop->exp_type = 0;
    if (!rd_ok(in) || len < 4) {
        return OFPERR_OFPBPC_BAD_LEN;
    }
    prop->body = rd_sub(in, len - 4u);
    rd_skip(in, OFP_ROUND8(len) - len);
    if (!rd_ok(in)) {
        return OFPERR_OFPBPC_BAD_LEN;
    }
    if (prop->type == OFP_PROP_EXPERIMENTER) {
        prop->experimenter = rd_u32(&prop->body);
        prop->exp_type = rd_u32(&prop->body);
    }
    return rd_ok(&prop->body) ? 0 : OFPERR_OFPBPC_BAD_LEN;
}

static enum ofperr
finished(const struct ofp_prop *prop)
{
    return rd_ok(&prop->body) && !rd_left(&prop->body) ? 0 : OFPERR_OFPBPC_BAD_LEN;
}

enum ofperr
ofp_prop_u8(struct ofp_prop *prop, uint8_t *x)
{
    *x = rd_u8(&prop->body);
    return finished(prop);
}

enum ofperr
ofp_prop_u16(struct ofp_prop *prop, uint16_t *x)
{
    *x = rd_u16(&prop->body);
    rd_skip(&prop->body, 2);
    return finished(prop);
}

enum ofperr
ofp_prop_u32(struct ofp_prop *prop, uint32_t *x)
{
    *x = rd_u32(&prop->body);
    return finished(prop);
}

enum ofperr
ofp_prop_u64(struct ofp_prop *prop, uint64_t *x)
{
    rd_skip(&prop->body, 4);
    *x = rd_u64(&prop->body);
    return finished(prop);
}

size_t
ofp_prop_begin(struct wr *out, uint16_t type)
{
    size_t start = out->size;

    wr_u16(out, type);
    wr_u16(out, 0);
    return start;
}

size_t
ofp_prop_begin_exp(struct wr *out, uint32_t experimenter, uint32_t exp_type)
{
    size_t start = ofp_prop_begin(out, OFP_PROP_EXPERIMENTER);

    wr_u32(out, experimenter);
    wr_u32(out, exp_type);
    return start;
}

void
ofp_prop_end(struct wr *out, size_t start)
{
    wr_set_u16(out, start + 2, (uint16_t)(out->size - start));
    wr_align(out, start, 8);
}

void
ofp_prop_put(struct wr *out, uint16_t type, const void *data, size_t size)
{
    size_t start = ofp_prop_begin(out, type);

    wr_bytes(out, data, size);
    ofp_prop_end(out, start);
}

void
ofp_prop_put_u8(struct wr *out, uint16_t type, uint8_t x)
{
    ofp_prop_put(out, type, &x, 1);
}

void
ofp_prop_put_u16(struct wr *out, uint16_t type, uint16_t x)
{
    size_t start = ofp_prop_begin(out, type);

    wr_u16(out, x);
    wr_u16(out, 0);
    ofp_prop_end(out, start);
}

void
ofp_prop_put_u32(struct wr *out, uint16_t type, uint32_t x)
{
    size_t start = ofp_prop_begin(out, type);

    wr_u32(out, x);
    ofp_prop_end(out, start);
}

void
ofp_prop_put_u64(struct wr *out, uint16_t type, uint64_t x)
{
    size_t start = ofp_prop_begin(out, type);

    wr_u32(out, 0);
    wr_u64(out, x);
    ofp_prop_end(out, start);
}

enum ofperr
ofp_prop_unknown(const struct ofp_prop *prop)
{
    if (prop->type != OFP_PROP_EXPERIMENTER) {
        return OFPERR_OFPBPC_BAD_TYPE;
    }
    return prop->experimenter == OFP_VENDOR_NX || prop->experimenter == OFP_VENDOR_ONF ||
                   prop->experimenter == OFP_VENDOR_NTR || prop->experimenter == OFP_VENDOR_INTEL
               ? OFPERR_OFPBPC_BAD_EXP_TYPE
               : OFPERR_OFPBPC_BAD_EXPERIMENTER;
}
