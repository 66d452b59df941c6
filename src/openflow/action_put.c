// SPDX-License-Identifier: Apache-2.0
/* The building blocks of an action's bytes; see action_encode.h. */
#include "openflow/action_encode.h"

/* Begins an action; action_end() pads it and fixes its length. */
size_t
action_begin(struct wr *out, uint16_t type)
{
    size_t start = out->size;

    wr_u16(out, type);
    wr_u16(out, 0);
    return start;
}

size_t
action_begin_nx(struct wr *out, enum nxast subtype)
{
    size_t start = action_begin(out, OFPAT_EXPERIMENTER);

    wr_u32(out, OFP_VENDOR_NX);
    wr_u16(out, (uint16_t)subtype);
    return start;
}

/* Pads to at least 'min' bytes and to a multiple of 8. */
void
action_end(struct wr *out, size_t start, size_t min)
{
    if (out->size - start < min) {
        wr_zeros(out, min - (out->size - start));
    }
    wr_align(out, start, 8);
    wr_set_u16(out, start + 2, (uint16_t)(out->size - start));
}

void
action_put_empty(struct wr *out, uint16_t type)
{
    action_end(out, action_begin(out, type), 8);
}

void
action_put_empty_nx(struct wr *out, enum nxast subtype)
{
    action_end(out, action_begin_nx(out, subtype), 16);
}

void
action_put_u16(struct wr *out, uint16_t type, uint16_t x)
{
    size_t start = action_begin(out, type);

    wr_u16(out, x);
    action_end(out, start, 8);
}

void
action_put_u8(struct wr *out, uint16_t type, uint8_t x)
{
    size_t start = action_begin(out, type);

    wr_u8(out, x);
    action_end(out, start, 8);
}

void
action_put_u32(struct wr *out, uint16_t type, uint32_t x)
{
    size_t start = action_begin(out, type);

    wr_u32(out, x);
    action_end(out, start, 8);
}

void
action_put_nx_u8(struct wr *out, enum nxast subtype, uint8_t x)
{
    size_t start = action_begin_nx(out, subtype);

    wr_u8(out, x);
    action_end(out, start, 16);
}

void
action_put_nx_u16(struct wr *out, enum nxast subtype, uint16_t x)
{
    size_t start = action_begin_nx(out, subtype);

    wr_u16(out, x);
    action_end(out, start, 16);
}

void
action_put_nx_u32(struct wr *out, enum nxast subtype, uint32_t x)
{
    size_t start = action_begin_nx(out, subtype);

    wr_u16(out, 0);
    wr_u32(out, x);
    action_end(out, start, 16);
}

uint16_t
action_ofs_nbits(const struct mf_subfield *sf)
{
    return (uint16_t)(sf->ofs << 6 | (sf->n_bits - 1));
}

uint16_t
action_pick(enum ofp_version version, enum ofpat10 of10, enum ofpat11 of11)
{
    return version == OFP10_VERSION ? (uint16_t)of10 : (uint16_t)of11;
}

void
action_put_mac(struct wr *out, uint16_t type, const void *mac)
{
    size_t start = action_begin(out, type);

    wr_bytes(out, mac, 6);
    action_end(out, start, 16);
}

void
action_put_ipv4(struct wr *out, uint16_t type, const void *ipv4)
{
    size_t start = action_begin(out, type);

    wr_bytes(out, ipv4, 4);
    action_end(out, start, 8);
}
