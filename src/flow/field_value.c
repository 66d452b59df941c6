// SPDX-License-Identifier: Apache-2.0
/*
 * How a match field's value and mask are read from and written to struct flow, by the kind of place
 * that field.c's table gives it.  Any thread: nothing here keeps state.
 */
#include "base/util.h"
#include "flow/field.h"
#include "flow/field_private.h"
#include "flow/match.h"
#include "flow/option.h"

static uint32_t
mpls_shift(uint8_t loc)
{
    return loc == LOC_MPLSLABEL ? MPLS_LABEL_SHIFT
           : loc == LOC_MPLSTC  ? MPLS_TC_SHIFT
           : loc == LOC_MPLSBOS ? MPLS_BOS_SHIFT
                                : 0;
}

static uint32_t
mpls_mask(uint8_t loc)
{
    return loc == LOC_MPLSLABEL ? MPLS_LABEL_MASK
           : loc == LOC_MPLSTC  ? MPLS_TC_MASK
           : loc == LOC_MPLSBOS ? MPLS_BOS_MASK
                                : MPLS_TTL_MASK;
}

static uint32_t
get_host32(const uint8_t *p)
{
    uint32_t x;

    memcpy(&x, p, sizeof x);
    return x;
}

static void
set_host32(uint8_t *p, uint32_t x)
{
    memcpy(p, &x, sizeof x);
}

/* Fields that are part of a byte or of a 16-bit word. */
static void
get_part(const struct mf_field *mf, const uint8_t *p, union mf_value *v)
{
    uint16_t host16;

    switch ((enum mf_loc)mf->loc) {
    case LOC_CTSTATE:
        memcpy(&host16, p, sizeof host16);
        v->be32 = htobe32_(host16);
        break;
    case LOC_DLVLAN:
        v->be16 = htobe16_(get_be16(p) & VLAN_VID_MASK);
        break;
    case LOC_VLANVID:
        v->be16 = htobe16_(get_be16(p) & (VLAN_VID_MASK | VLAN_CFI));
        break;
    case LOC_VLANPCP:
        v->b[0] = (uint8_t)(get_be16(p) >> VLAN_PCP_SHIFT);
        break;
    case LOC_TOS:
        v->b[0] = *p & IP_DSCP_MASK;
        break;
    case LOC_DSCP:
        v->b[0] = *p >> 2;
        break;
    case LOC_ECN:
        v->b[0] = *p & IP_ECN_MASK;
        break;
    case LOC_LOW8:
        v->b[0] = p[1];
        break;
    case LOC_ARPOP:
        v->be16 = htobe16_(*p);
        break;
    case LOC_OPTION:
    case LOC_AT:
    case LOC_HOST16:
    case LOC_HOST32:
    case LOC_OFPORT16:
    case LOC_OFPORT32:
    case LOC_XREG:
    case LOC_XXREG:
    case LOC_MPLSLABEL:
    case LOC_MPLSTC:
    case LOC_MPLSBOS:
    case LOC_MPLSTTL:
        break;
    }
}

/* A field's bytes.  Nearly all have one of these sizes, which are moves in place of a call. */
static inline void
copy_bytes(uint8_t *to, const uint8_t *from, unsigned n)
{
    switch (n) {
    case 1:
        *to = *from;
        break;
    case 2:
        memcpy(to, from, 2);
        break;
    case 4:
        memcpy(to, from, 4);
        break;
    case 6:
        memcpy(to, from, 6);
        break;
    case 16:
        memcpy(to, from, 16);
        break;
    default:
        memcpy(to, from, n);
        break;
    }
}

void
mf_get_value(const struct mf_field *mf, const struct flow *flow, union mf_value *v)
{
    const uint8_t *p = (const uint8_t *)flow + mf->ofs;
    uint16_t host16;
    uint32_t x;

    memset(v, 0, sizeof *v);
    switch ((enum mf_loc)mf->loc) {
    case LOC_AT:
        copy_bytes(v->b, p, mf->n_bytes);
        break;
    case LOC_HOST16:
        memcpy(&host16, p, sizeof host16);
        v->be16 = htobe16_(host16);
        break;
    case LOC_HOST32:
        v->be32 = htobe32_(get_host32(p));
        break;
    case LOC_OFPORT16:
        v->be16 = htobe16_((uint16_t)get_host32(p));
        break;
    case LOC_OFPORT32:
        x = get_host32(p);
        v->be32 = htobe32_(x < OFPP_MAX ? x : x | 0xffff0000u);
        break;
    case LOC_XREG:
    case LOC_XXREG:
        for (int i = 0; i < mf->n_bytes / 4; i++) {
            put_be32(v->b + 4 * i, get_host32(p + 4 * i));
        }
        break;
    case LOC_MPLSLABEL:
    case LOC_MPLSTC:
    case LOC_MPLSBOS:
    case LOC_MPLSTTL:
        x = (get_be32(p) & mpls_mask(mf->loc)) >> mpls_shift(mf->loc);
        if (mf->n_bytes == 4) {
            v->be32 = htobe32_(x);
        } else {
            v->b[0] = (uint8_t)x;
        }
        break;
    case LOC_CTSTATE:
    case LOC_DLVLAN:
    case LOC_VLANVID:
    case LOC_VLANPCP:
    case LOC_TOS:
    case LOC_DSCP:
    case LOC_ECN:
    case LOC_LOW8:
    case LOC_ARPOP:
        get_part(mf, p, v);
        break;
    case LOC_OPTION:
        if (mf_option_is_present(mf, flow)) {
            memcpy(v->b, p, mf->n_bytes);
        }
        break;
    }
}

static void
set_tci(uint8_t *p, uint16_t bits, uint16_t value)
{
    put_be16(p, (uint16_t)((get_be16(p) & ~bits) | (value & bits)));
}

static void
set_part(const struct mf_field *mf, const union mf_value *v, uint8_t *p)
{
    uint16_t host16;

    switch ((enum mf_loc)mf->loc) {
    case LOC_CTSTATE:
        host16 = (uint16_t)get_be32(v->b);
        memcpy(p, &host16, sizeof host16);
        break;
    case LOC_DLVLAN:
        set_tci(p, VLAN_VID_MASK, get_be16(v->b));
        break;
    case LOC_VLANVID:
        set_tci(p, VLAN_VID_MASK | VLAN_CFI, get_be16(v->b));
        break;
    case LOC_VLANPCP:
        set_tci(p, VLAN_PCP_MASK, (uint16_t)(v->b[0] << VLAN_PCP_SHIFT));
        break;
    case LOC_TOS:
        *p = (uint8_t)((*p & IP_ECN_MASK) | (v->b[0] & IP_DSCP_MASK));
        break;
    case LOC_DSCP:
        *p = (uint8_t)((*p & IP_ECN_MASK) | (uint8_t)(v->b[0] << 2));
        break;
    case LOC_ECN:
        *p = (uint8_t)((*p & ~IP_ECN_MASK) | (v->b[0] & IP_ECN_MASK));
        break;
    case LOC_LOW8:
        p[0] = 0;
        p[1] = v->b[0];
        break;
    case LOC_ARPOP:
        *p = v->b[1];
        break;
    case LOC_OPTION:
    case LOC_AT:
    case LOC_HOST16:
    case LOC_HOST32:
    case LOC_OFPORT16:
    case LOC_OFPORT32:
    case LOC_XREG:
    case LOC_XXREG:
    case LOC_MPLSLABEL:
    case LOC_MPLSTC:
    case LOC_MPLSBOS:
    case LOC_MPLSTTL:
        break;
    }
}

/* Writes the field's bits and nothing else. */
static void
set_raw(const struct mf_field *mf, const union mf_value *v, struct flow *flow)
{
    uint8_t *p = (uint8_t *)flow + mf->ofs;
    uint16_t host16;
    uint32_t x;

    switch ((enum mf_loc)mf->loc) {
    case LOC_AT:
        copy_bytes(p, v->b, mf->n_bytes);
        break;
    case LOC_HOST16:
        host16 = get_be16(v->b);
        memcpy(p, &host16, sizeof host16);
        break;
    case LOC_HOST32:
        set_host32(p, get_be32(v->b));
        break;
    case LOC_OFPORT16:
        set_host32(p, get_be16(v->b));
        break;
    case LOC_OFPORT32:
        set_host32(p, get_be32(v->b) & 0xffff);
        break;
    case LOC_XREG:
    case LOC_XXREG:
        for (int i = 0; i < mf->n_bytes / 4; i++) {
            set_host32(p + 4 * i, get_be32(v->b + 4 * i));
        }
        break;
    case LOC_MPLSLABEL:
    case LOC_MPLSTC:
    case LOC_MPLSBOS:
    case LOC_MPLSTTL:
        x = mf->n_bytes == 4 ? get_be32(v->b) : v->b[0];
        x = (x << mpls_shift(mf->loc)) & mpls_mask(mf->loc);
        put_be32(p, (get_be32(p) & ~mpls_mask(mf->loc)) | x);
        break;
    case LOC_CTSTATE:
    case LOC_DLVLAN:
    case LOC_VLANVID:
    case LOC_VLANPCP:
    case LOC_TOS:
    case LOC_DSCP:
    case LOC_ECN:
    case LOC_LOW8:
    case LOC_ARPOP:
        set_part(mf, v, p);
        break;
    case LOC_OPTION:
        memcpy(p, v->b, mf->n_bytes);
        mf_option_own(mf, flow);
        break;
    }
}

static bool
is_vlan_loc(const struct mf_field *mf)
{
    return mf->loc == LOC_DLVLAN || mf->loc == LOC_VLANVID || mf->loc == LOC_VLANPCP ||
           mf->id == MF_VLAN_TCI;
}

void
mf_set_flow_value(const struct mf_field *mf, const union mf_value *v, struct flow *flow)
{
    set_raw(mf, v, flow);
    if (is_vlan_loc(mf)) {
        struct flow_vlan *vlan = &flow->vlans[0];

        if (mf->loc == LOC_DLVLAN || mf->loc == LOC_VLANPCP) {
            vlan->tci |= htobe16_(VLAN_CFI); /* Setting a part of a tag makes it one. */
        }
        /* Without the "present" bit there is no tag yet, but a tag may be written in pieces. */
        if (!(vlan->tci & htobe16_(VLAN_CFI))) {
            vlan->tpid = 0;
        } else if (!vlan->tpid) {
            vlan->tpid = htobe16_(ETH_TYPE_VLAN);
        }
    }
}

void
mf_set_flow_value_masked(const struct mf_field *mf, const union mf_value *value,
                         const union mf_value *mask, struct flow *flow)
{
    union mf_value v;

    mf_get_value(mf, flow, &v);
    for (int i = 0; i < mf->n_bytes; i++) {
        v.b[i] = (uint8_t)((v.b[i] & ~mask->b[i]) | (value->b[i] & mask->b[i]));
    }
    mf_set_flow_value(mf, &v, flow);
}

/* Numbers. */

bool
mf_is_number(const struct mf_field *mf)
{
    static const uint64_t sizes = 1 << 1 | 1 << 2 | 1 << 4 | 1 << 6 | 1 << 8;

    return mf->loc == LOC_HOST32 ||
           (mf->loc == LOC_AT && mf->n_bytes <= 8 && sizes >> mf->n_bytes & 1 && !is_vlan_loc(mf));
}

uint64_t
mf_get_number(const struct mf_field *mf, const struct flow *flow)
{
    const uint8_t *p = (const uint8_t *)flow + mf->ofs;

    if (mf->loc == LOC_HOST32) {
        return get_host32(p);
    }
    switch (mf->n_bytes) {
    case 1:
        return *p;
    case 2:
        return get_be16(p);
    case 4:
        return get_be32(p);
    case 6:
        return (uint64_t)get_be16(p) << 32 | get_be32(p + 2);
    default:
        return get_be64(p);
    }
}

void
mf_put_number(const struct mf_field *mf, uint64_t x, struct flow *flow)
{
    uint8_t *p = (uint8_t *)flow + mf->ofs;

    if (mf->loc == LOC_HOST32) {
        set_host32(p, (uint32_t)x);
        return;
    }
    switch (mf->n_bytes) {
    case 1:
        *p = (uint8_t)x;
        break;
    case 2:
        put_be16(p, (uint16_t)x);
        break;
    case 4:
        put_be32(p, (uint32_t)x);
        break;
    case 6:
        put_be16(p, (uint16_t)(x >> 32));
        put_be32(p + 2, (uint32_t)x);
        break;
    default:
        put_be64(p, x);
        break;
    }
}

/* Masks. */

void
mf_exact_mask(const struct mf_field *mf, union mf_value *mask)
{
    int spare = mf->n_bytes * 8 - mf->n_bits;

    memset(mask, 0, sizeof *mask);
    memset(mask->b, 0xff, mf->n_bytes);
    for (int i = 0; i < spare; i++) {
        mask->b[i / 8] &= (uint8_t) ~(0x80u >> (i % 8));
    }
    if (mf->loc == LOC_VLANVID) {
        mask->be16 = htobe16_(VLAN_VID_MASK | VLAN_CFI); /* The bit that says "tagged" counts. */
    }
}

bool
mf_is_exact(const struct mf_field *mf, const union mf_value *mask)
{
    union mf_value exact;

    mf_exact_mask(mf, &exact);
    for (int i = 0; i < mf->n_bytes; i++) {
        if ((mask->b[i] & exact.b[i]) != exact.b[i]) {
            return false;
        }
    }
    return true;
}

/* The field's bits of a mask over struct flow.  Where the flow keeps fewer bits than the field has
 * on the wire, all of the kept ones mean all. */
static void
get_mask(const struct mf_field *mf, const struct flow_mask *fm, union mf_value *mask)
{
    static const struct flow_mask ones = {
        .bits.w = {[0 ... FLOW_WORDS - 1] = UINT64_MAX},
    };
    union mf_value all;

    mf_get_value(mf, &ones.bits, &all);
    mf_get_value(mf, &fm->bits, mask);
    if (!memcmp(mask->b, all.b, mf->n_bytes)) {
        mf_exact_mask(mf, mask);
    }
}

/* Puts the field's bits of 'mask' in place of what 'fm' has. */
static void
set_mask(const struct mf_field *mf, const union mf_value *mask, struct flow_mask *fm)
{
    bool any = !mf_is_zero(mf, mask);

    set_raw(mf, mask, &fm->bits);
    if (mf->loc == LOC_OFPORT16 || mf->loc == LOC_OFPORT32) {
        set_host32((uint8_t *)&fm->bits + mf->ofs, any ? UINT32_MAX : 0);
    } else if (mf->loc == LOC_LOW8) {
        put_be16((uint8_t *)&fm->bits + mf->ofs, any ? UINT16_MAX : 0);
    } else if ((mf->loc == LOC_DLVLAN || mf->loc == LOC_VLANPCP) && any) {
        fm->bits.vlans[0].tci |= htobe16_(VLAN_CFI);
    } else if (mf->loc == LOC_OPTION) {
        mf_option_mask_presence(mf, fm);
    }
}

void
mf_get(const struct mf_field *mf, const struct match *match, union mf_value *value,
       union mf_value *mask)
{
    mf_get_value(mf, &match->flow, value);
    get_mask(mf, &match->mask, mask);
}

void
mf_set(const struct mf_field *mf, const union mf_value *value, const union mf_value *mask,
       struct match *match)
{
    union mf_value exact, v;

    if (!mask) {
        mf_exact_mask(mf, &exact);
        mask = &exact;
    }
    memset(&v, 0, sizeof v);
    for (int i = 0; i < mf->n_bytes; i++) {
        v.b[i] = value->b[i] & mask->b[i];
    }
    set_mask(mf, mask, &match->mask);
    set_raw(mf, &v, &match->flow);
    if ((mf->loc == LOC_DLVLAN || mf->loc == LOC_VLANPCP) && !mf_is_zero(mf, mask)) {
        match->flow.vlans[0].tci |= htobe16_(VLAN_CFI);
    }
}

bool
mf_is_all_wild(const struct mf_field *mf, const struct flow_mask *mask)
{
    union mf_value bits;

    if (mf->loc == LOC_OPTION) {
        return !mf_option_is_present(mf, &mask->bits);
    }
    mf_get_value(mf, &mask->bits, &bits);
    return mf_is_zero(mf, &bits);
}

void
mf_mask_field(const struct mf_field *mf, struct flow_mask *mask)
{
    union mf_value exact;

    mf_exact_mask(mf, &exact);
    mf_mask_field_masked(mf, &exact, mask);
}

void
mf_mask_field_masked(const struct mf_field *mf, const union mf_value *bits, struct flow_mask *mask)
{
    union mf_value old, merged;

    mf_get_value(mf, &mask->bits, &old);
    memset(&merged, 0, sizeof merged);
    for (int i = 0; i < mf->n_bytes; i++) {
        merged.b[i] = old.b[i] | bits->b[i];
    }
    set_mask(mf, &merged, mask);
}
