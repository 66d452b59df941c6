// SPDX-License-Identifier: Apache-2.0
/*
 * Subfields: runs of bits of a field, as load, move, learn, output:reg and multipath name them. See
 * field.h; the text forms are in field_text.c.  Offsets count from the field's least significant
 * bit, which is in its last byte.
 */
#include "flow/field.h"

#include "base/util.h"
#include "flow/field_private.h"
#include "flow/match.h"

/* The low 64 bits as the 16 big-endian bytes of a subfield's value. */
static void
from_u64(uint64_t x, union mf_value *v)
{
    memset(v, 0, sizeof *v);
    put_be64(&v->b[8], x);
}

/* The bits of a subfield of a number, right-aligned. */
static uint64_t
ones(const struct mf_subfield *sf)
{
    return UINT64_MAX >> (64 - sf->n_bits);
}

void
mf_bitwise_copy(const void *src_, unsigned src_len, unsigned src_ofs, void *dst_, unsigned dst_len,
                unsigned dst_ofs, unsigned n_bits)
{
    const uint8_t *src = src_;
    uint8_t *dst = dst_;

    if (src_ofs % 8 == 0 && dst_ofs % 8 == 0 && n_bits % 8 == 0) {
        memmove(dst + dst_len - (dst_ofs + n_bits) / 8, src + src_len - (src_ofs + n_bits) / 8,
                n_bits / 8);
        return;
    }
    for (unsigned i = 0; i < n_bits; i++) {
        unsigned s = src_ofs + i, d = dst_ofs + i;
        uint8_t bit = (uint8_t)(src[src_len - 1 - s / 8] >> (s % 8) & 1);
        uint8_t *p = &dst[dst_len - 1 - d / 8];

        *p = (uint8_t)((*p & ~(1u << (d % 8))) | (uint8_t)(bit << (d % 8)));
    }
}

void
mf_read_subfield(const struct mf_subfield *sf, const struct flow *flow, union mf_value *out)
{
    union mf_value v;

    if (mf_is_number(sf->field)) {
        from_u64(mf_get_number(sf->field, flow) >> sf->ofs & ones(sf), out);
        return;
    }
    mf_get_value(sf->field, flow, &v);
    memset(out, 0, sizeof *out);
    mf_bitwise_copy(v.b, sf->field->n_bytes, sf->ofs, out->b, sizeof out->b, 0, sf->n_bits);
}

uint64_t
mf_get_subfield(const struct mf_subfield *sf, const struct flow *flow)
{
    union mf_value v;

    mf_read_subfield(sf, flow, &v);
    return get_be64(&v.b[8]);
}

void
mf_subfield_to_field(const struct mf_subfield *sf, const union mf_value *value,
                     union mf_value *field_value, union mf_value *field_mask)
{
    union mf_value ones;
    uint8_t n = sf->field->n_bytes;

    memset(&ones, 0xff, sizeof ones);
    memset(field_value, 0, sizeof *field_value);
    memset(field_mask, 0, sizeof *field_mask);
    mf_bitwise_copy(value->b, sizeof value->b, 0, field_value->b, n, sf->ofs, sf->n_bits);
    mf_bitwise_copy(ones.b, sizeof ones.b, 0, field_mask->b, n, sf->ofs, sf->n_bits);
}

void
mf_write_subfield(const struct mf_subfield *sf, const union mf_value *in, struct flow *flow)
{
    union mf_value value, mask;

    if (mf_is_number(sf->field)) {
        uint64_t bits = ones(sf) << sf->ofs;
        uint64_t x = mf_get_number(sf->field, flow);

        mf_put_number(sf->field, (x & ~bits) | (get_be64(&in->b[8]) << sf->ofs & bits), flow);
        return;
    }
    mf_subfield_to_field(sf, in, &value, &mask);
    mf_set_flow_value_masked(sf->field, &value, &mask, flow);
}

void
mf_set_subfield(const struct mf_subfield *sf, uint64_t x, struct flow *flow)
{
    union mf_value v;

    from_u64(x, &v);
    mf_write_subfield(sf, &v, flow);
}

void
mf_set_subfield_match(const struct mf_subfield *sf, uint64_t x, struct match *match)
{
    union mf_value v, value, mask, old_value, old_mask;

    from_u64(x, &v);
    mf_subfield_to_field(sf, &v, &value, &mask);
    mf_get(sf->field, match, &old_value, &old_mask);
    for (int i = 0; i < sf->field->n_bytes; i++) {
        value.b[i] |= old_value.b[i] & ~mask.b[i];
        mask.b[i] |= old_mask.b[i];
    }
    mf_set(sf->field, &value, &mask, match);
}

void
mf_mask_subfield(const struct mf_subfield *sf, struct flow_mask *mask)
{
    union mf_value unused, bits, zero;

    if (mf_is_number(sf->field)) {
        uint64_t x = mf_get_number(sf->field, &mask->bits);

        mf_put_number(sf->field, x | ones(sf) << sf->ofs, &mask->bits);
        return;
    }
    memset(&zero, 0, sizeof zero);
    mf_subfield_to_field(sf, &zero, &unused, &bits);
    mf_mask_field_masked(sf->field, &bits, mask);
}
