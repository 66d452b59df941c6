// SPDX-License-Identifier: Apache-2.0
/* NXM and OXM: fields and matches as type-length-value.
 *
 * See nxm.h for the contract and flow/field.def for the fields.  Several fields may name the same
 * bits of struct flow (tp_src is TCP's, UDP's and SCTP's); writing a match takes those whose
 * prerequisites the match itself guarantees, and skip_alias() decides the rest.  A dump of a
 * hundred thousand flows runs through nxm_put_match(), hence the bitmap of words that rules most
 * fields out at once.
 */
#include "openflow/nxm.h"

#include "flow/option.h"

#define OXM_CLASS_EXPERIMENTER 0xffffu
#define NXM_CLASS_NX 0x0001u
#define NXM_FIELD_COOKIE 30u
#define NXM_COOKIE_SIZE 8u

#define OFPMT_OXM 1u

/* A TLV header, taken apart. */
struct tlv {
    uint16_t class;
    uint8_t field;
    bool masked;
    uint8_t payload_size; /* Without the experimenter id. */
    uint32_t experimenter;
};

static enum ofperr
pull_tlv(struct rd *in, struct tlv *t)
{
    uint32_t header = rd_u32(in);
    uint8_t len = header & 0xff;

    t->class = (uint16_t)(header >> 16);
    t->field = (header >> 9) & 0x7f;
    t->masked = (header >> 8) & 1;
    t->experimenter = 0;
    if (t->class == OXM_CLASS_EXPERIMENTER) {
        t->experimenter = rd_u32(in);
        if (len < 4) {
            return OFPERR_OFPBMC_BAD_LEN;
        }
        len -= 4;
    }
    t->payload_size = len;
    return rd_ok(in) ? 0 : OFPERR_OFPBMC_BAD_LEN;
}

static bool
tlv_is_cookie(const struct tlv *t)
{
    return t->class == NXM_CLASS_NX && t->field == NXM_FIELD_COOKIE &&
           t->payload_size == NXM_COOKIE_SIZE * (1 + t->masked);
}

static bool
tlv_is_option(const struct tlv *t)
{
    return t->class == MF_OPTION_NXM_CLASS && t->field >= MF_OPTION_NXM_FIELD &&
           t->field < MF_OPTION_NXM_FIELD + MF_N_OPTIONS;
}

/* A tunnel option has a field only while it is mapped. */
static const struct mf_field *
tlv_field(const struct rd *in, const struct tlv *t)
{
    return tlv_is_option(t) ? mf_option_find(in->options, t->field - MF_OPTION_NXM_FIELD)
                            : mf_from_code(t->class, t->field, t->experimenter);
}

/* Why a field that we do not have is refused. */
static enum ofperr
unknown_field(const struct tlv *t)
{
    return tlv_is_option(t) ? OFPERR_NXFMFC_INVALID_TLV_FIELD : OFPERR_OFPBMC_BAD_FIELD;
}

static bool
all_ones(const uint8_t *p, size_t n)
{
    uint8_t and = 0xff;

    for (size_t i = 0; i < n; i++) {
        and &= p[i];
    }
    return and == 0xff;
}

/* A value of any length into the field's: leading zeros need not be sent, and the deployed switch
 * keeps the beginning of what is too long. */
static void
copy_option(const struct mf_field *mf, const uint8_t *p, size_t n, union mf_value *value)
{
    size_t kept = n < mf->n_bytes ? n : mf->n_bytes;

    if (kept) {
        memcpy(value->b + mf->n_bytes - kept, p, kept);
    }
}

/* Whether the value has no bit outside the mask, in what is kept of both and what is not. */
static bool
within_mask(const uint8_t *value, const uint8_t *mask, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (value[i] & ~mask[i]) {
            return false;
        }
    }
    return true;
}

/* A tunnel option: its mask may be empty, which asks only whether the option is there. */
static enum ofperr
pull_option(struct rd *in, const struct tlv *t, const struct mf_field *mf, union mf_value *value,
            union mf_value *mask)
{
    const size_t n = t->payload_size / (1u + t->masked);
    const uint8_t *p = rd_bytes(in, t->payload_size);

    if (!p || t->payload_size % (1 + t->masked) || n > MF_OPTION_WIRE_MAX_BYTES) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    memset(value, 0, sizeof *value);
    memset(mask, 0, sizeof *mask);
    copy_option(mf, p, n, value);
    if (!t->masked) {
        mf_exact_mask(mf, mask);
        return 0;
    }
    copy_option(mf, p + n, n, mask);
    return within_mask(p, p + n, n) ? 0 : OFPERR_OFPBMC_BAD_WILDCARDS;
}

/* Takes value and mask of a known field after its header. */
static enum ofperr
pull_payload(struct rd *in, const struct tlv *t, const struct mf_field *mf, union mf_value *value,
             union mf_value *mask)
{
    if (mf_is_option(mf)) {
        return pull_option(in, t, mf, value, mask);
    }
    if (t->payload_size != mf->n_bytes * (1 + t->masked)) {
        rd_skip(in, t->payload_size);
        return OFPERR_OFPBMC_BAD_LEN;
    }
    memset(value, 0, sizeof *value);
    memset(mask, 0, sizeof *mask);
    rd_copy(in, value->b, mf->n_bytes);
    if (!t->masked) {
        mf_exact_mask(mf, mask);
        return rd_ok(in) ? 0 : OFPERR_OFPBMC_BAD_LEN;
    }
    rd_copy(in, mask->b, mf->n_bytes);
    if (!rd_ok(in)) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    if (!within_mask(value->b, mask->b, mf->n_bytes)) {
        return OFPERR_OFPBMC_BAD_WILDCARDS;
    }
    if (all_ones(mask->b, mf->n_bytes)) {
        mf_exact_mask(mf, mask);
        return 0;
    }
    /* A field that has no masks is matched as a whole, all bytes of it, or not at all. */
    return mf->maskable == MF_MASK_FULL || mf_is_zero(mf, mask) ? 0 : OFPERR_OFPBMC_BAD_MASK;
}

enum ofperr
nxm_pull_entry(struct rd *in, const struct mf_field **field, union mf_value *value,
               union mf_value *mask, bool *masked)
{
    struct tlv t;
    enum ofperr error = pull_tlv(in, &t);

    *field = NULL;
    if (error) {
        return error;
    }
    if (masked) {
        *masked = t.masked;
    }
    *field = tlv_field(in, &t);
    if (!*field) {
        rd_skip(in, t.payload_size);
        return rd_ok(in) ? unknown_field(&t) : OFPERR_OFPBMC_BAD_LEN;
    }
    return pull_payload(in, &t, *field, value, mask);
}

enum ofperr
nxm_pull_header(struct rd *in, const struct mf_field **field, bool *masked)
{
    struct tlv t;
    enum ofperr error = pull_tlv(in, &t);

    *field = NULL;
    if (error) {
        return error;
    }
    *field = tlv_field(in, &t);
    if (!*field) {
        return unknown_field(&t);
    }
    if (t.payload_size != (*field)->n_bytes * (1 + t.masked) && !mf_is_option(*field)) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    if (masked) {
        *masked = t.masked;
    } else if (t.masked) {
        return OFPERR_OFPBMC_BAD_MASK;
    }
    return 0;
}

static enum ofperr
pull_cookie(struct rd *in, const struct tlv *t, uint64_t *cookie, uint64_t *cookie_mask)
{
    if (!cookie) {
        return OFPERR_OFPBMC_BAD_FIELD;
    }
    if (*cookie_mask) {
        return OFPERR_OFPBMC_DUP_FIELD;
    }
    *cookie = rd_u64(in);
    *cookie_mask = t->masked ? rd_u64(in) : UINT64_MAX;
    return rd_ok(in) ? 0 : OFPERR_OFPBMC_BAD_LEN;
}

static enum ofperr
set_field(const struct mf_field *mf, const union mf_value *value, const union mf_value *mask,
          bool loose, struct match *match)
{
    if (!loose) {
        if (!mf_match_prereqs_ok(mf, match)) {
            return OFPERR_OFPBMC_BAD_PREREQ;
        }
        if (!mf_is_all_wild(mf, &match->mask)) {
            return OFPERR_OFPBMC_DUP_FIELD;
        }
    }
    if (!mf_is_value_valid(mf, value)) {
        return OFPERR_OFPBMC_BAD_VALUE;
    }
    mf_set(mf, value, mask, match);
    return 0;
}

enum ofperr
nxm_pull_match(struct rd *in, bool loose, struct match *match, uint64_t *cookie,
               uint64_t *cookie_mask)
{
    match_init_any(match);
    if (cookie) {
        *cookie = *cookie_mask = 0;
    }
    while (rd_left(in)) {
        const struct mf_field *mf;
        union mf_value value, mask;
        struct tlv t;
        enum ofperr error = pull_tlv(in, &t);

        if (error) {
            return error;
        }
        mf = tlv_field(in, &t);
        if (tlv_is_cookie(&t)) {
            error = pull_cookie(in, &t, cookie, cookie_mask);
        } else if (!mf) {
            rd_skip(in, t.payload_size);
            error = !rd_ok(in) ? OFPERR_OFPBMC_BAD_LEN : loose ? 0 : unknown_field(&t);
        } else {
            error = pull_payload(in, &t, mf, &value, &mask);
            if (!error) {
                error = set_field(mf, &value, &mask, loose, match);
            }
        }
        if (error) {
            return error;
        }
    }
    return 0;
}

/* The code for 'mf': of the version or, where it has none (NXM has not, and OpenFlow 1.0 may carry
 * OXM in extensions), the first OXM code. */
static const struct mf_code *
code_for(const struct mf_field *mf, uint8_t version)
{
    const struct mf_code *code = mf_code_for(mf, version);

    return code ? code : mf_code_for(mf, OFP_VERSION_MAX);
}

size_t
nxm_header_size(const struct mf_field *mf, uint8_t version)
{
    const struct mf_code *code = code_for(mf, version);

    return code && code->oxm_class == OXM_CLASS_EXPERIMENTER ? 8 : 4;
}

void
nxm_put_header(struct wr *out, const struct mf_field *mf, bool masked, uint8_t version)
{
    const struct mf_code *code = code_for(mf, version);
    uint32_t len = (uint32_t)mf->n_bytes * (1 + masked);

    if (!code) {
        return;
    }
    if (code->oxm_class == OXM_CLASS_EXPERIMENTER) {
        len += 4;
    }
    wr_u32(out, (uint32_t)code->oxm_class << 16 | (uint32_t)code->oxm_field << 9 |
                    (uint32_t)masked << 8 | len);
    if (code->oxm_class == OXM_CLASS_EXPERIMENTER) {
        wr_u32(out, code->experimenter);
    }
}

/* Without the zeros that value and mask begin with, as the deployed tools have it; nothing may be
 * left. */
static void
put_option(struct wr *out, const struct mf_field *mf, const union mf_value *value,
           const union mf_value *mask)
{
    uint32_t skip = 0, n;

    while (skip < mf->n_bytes && !value->b[skip] && !(mask && mask->b[skip])) {
        skip++;
    }
    n = mf->n_bytes - skip;
    wr_u32(out, (uint32_t)MF_OPTION_NXM_CLASS << 16 | (uint32_t)mf->codes[0].oxm_field << 9 |
                    (mask ? 1u << 8 | 2 * n : n));
    wr_bytes(out, value->b + skip, n);
    if (mask) {
        wr_bytes(out, mask->b + skip, n);
    }
}

void
nxm_put_entry(struct wr *out, const struct mf_field *mf, const union mf_value *value,
              const union mf_value *mask, uint8_t version)
{
    bool masked = mask && !mf_is_exact(mf, mask);

    if (mf_is_option(mf)) {
        put_option(out, mf, value, masked ? mask : NULL);
        return;
    }
    if (!code_for(mf, version)) {
        return;
    }
    nxm_put_header(out, mf, masked, version);
    wr_bytes(out, value->b, mf->n_bytes);
    if (masked) {
        wr_bytes(out, mask->b, mf->n_bytes);
    }
}

/* Whether another field says the same bits better in this version. */
static bool
skip_alias(enum mf_id id, const struct match *match, uint8_t version)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
    switch (id) {
    case MF_IN_PORT:
    case MF_VLAN_TCI:
    case MF_IP_TOS:
        return version != 0;
    case MF_IN_PORT_OXM:
    case MF_VLAN_VID:
    case MF_VLAN_PCP:
    case MF_IP_DSCP:
        return version == 0;
    case MF_DL_VLAN:
    case MF_DL_VLAN_PCP:
        return true;
    case MF_CT_NW_SRC:
    case MF_CT_NW_DST:
        return flow_dl_type_is(&match->flow, ETH_TYPE_IPV6);
    case MF_CT_IPV6_SRC:
    case MF_CT_IPV6_DST:
        return !flow_dl_type_is(&match->flow, ETH_TYPE_IPV6);
    default:
        if (id >= MF_REG0 && id <= MF_REG15) {
            return version >= OFP15_VERSION; /* Which has fields of its own for pairs of them. */
        }
        return id >= (version >= OFP15_VERSION ? MF_XXREG0 : MF_XREG0) && id <= MF_XXREG3;
    }
#pragma GCC diagnostic pop
}

void
nxm_put_match(struct wr *out, const struct match *match, uint8_t version, uint64_t cookie,
              uint64_t cookie_mask)
{
    uint64_t words = flow_words_map(&match->mask.bits);

    if (cookie_mask) {
        bool masked = cookie_mask != UINT64_MAX;

        wr_u32(out, NXM_CLASS_NX << 16 | NXM_FIELD_COOKIE << 9 | (uint32_t)masked << 8 |
                        NXM_COOKIE_SIZE * (1 + masked));
        wr_u64(out, cookie & cookie_mask);
        if (masked) {
            wr_u64(out, cookie_mask);
        }
    }
    for (int id = 0; id < MF_N_IDS; id++) {
        const struct mf_field *mf = mf_from_id(id);
        union mf_value value, mask;

        if (!(mf->flow_words & words) || mf_is_all_wild(mf, &match->mask) ||
            skip_alias(id, match, version) || !mf_match_prereqs_ok(mf, match)) {
            continue;
        }
        memset(&value, 0, sizeof value);
        memset(&mask, 0, sizeof mask);
        mf_get(mf, match, &value, &mask);
        nxm_put_entry(out, mf, &value, &mask, version);
    }
    MF_OPTION_FOR_EACH(mf, &match->flow)
    {
        union mf_value value, mask;

        mf_get(mf, match, &value, &mask);
        nxm_put_entry(out, mf, &value, &mask, version);
    }
}

enum ofperr
oxm_pull_match(struct rd *in, bool loose, struct match *match)
{
    uint16_t type = rd_u16(in);
    uint16_t len = rd_u16(in);
    struct rd body;

    if (!rd_ok(in) || len < 4) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    if (type != OFPMT_OXM) {
        return OFPERR_OFPBMC_BAD_TYPE;
    }
    body = rd_sub(in, len - 4u);
    if (!rd_ok(in)) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    rd_skip(in, OFP_ROUND8(len) - len);
    if (!rd_ok(in)) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    return nxm_pull_match(&body, loose, match, NULL, NULL);
}

void
oxm_put_match(struct wr *out, const struct match *match, enum ofp_version version)
{
    size_t start = out->size;

    wr_u16(out, OFPMT_OXM);
    wr_u16(out, 0);
    nxm_put_match(out, match, version, 0, 0);
    wr_set_u16(out, start + 2, (uint16_t)(out->size - start));
    wr_align(out, start, 8);
}

bool
nxm_is_set_field_valid(const struct mf_field *field, const union mf_value *value,
                       const union mf_value *mask)
{
    return mf_is_value_valid(field, value) &&
           (field->id != MF_VLAN_VID || value->b[0] & mask->b[0] & VLAN_CFI >> 8);
}
