// SPDX-License-Identifier: Apache-2.0
/*
 * The table of match fields, how to find a field, and how its value is read from and written to struct
 * flow.  See field.h for the contract, field.def for the list, field_text.c for text and subfield
 * names, subfield.c for runs of bits.
 *
 * A field's place in struct flow is a kind (enum loc) and an offset: most are bytes as they stand, some
 * are host integers, bits of a VLAN tag or an MPLS label entry, or share bytes with others.
 */
#include "flow/field.h"

#include <ctype.h>

#include "base/util.h"
#include "flow/field_private.h"
#include "flow/match.h"

/* Locations: kind, offset, bytes that it may touch. */
#define FLOW_SIZEOF(M) sizeof(((struct flow *)0)->M)
#define AT(M) LOC_AT, offsetof(struct flow, M), FLOW_SIZEOF(M)
#define HOST16(M) LOC_HOST16, offsetof(struct flow, M), 2
#define HOST32(M) LOC_HOST32, offsetof(struct flow, M), 4
#define OFPORT16(M) LOC_OFPORT16, offsetof(struct flow, M), 4
#define OFPORT32(M) LOC_OFPORT32, offsetof(struct flow, M), 4
#define XREG(M) LOC_XREG, offsetof(struct flow, M), 8
#define XXREG(M) LOC_XXREG, offsetof(struct flow, M), 16
#define CTSTATE(M) LOC_CTSTATE, offsetof(struct flow, M), 2
#define DLVLAN(M) LOC_DLVLAN, offsetof(struct flow, M), 2
#define VLANVID(M) LOC_VLANVID, offsetof(struct flow, M), 2
#define VLANPCP(M) LOC_VLANPCP, offsetof(struct flow, M), 2
#define MPLSLABEL(M) LOC_MPLSLABEL, offsetof(struct flow, M), 4
#define MPLSTC(M) LOC_MPLSTC, offsetof(struct flow, M), 4
#define MPLSBOS(M) LOC_MPLSBOS, offsetof(struct flow, M), 4
#define MPLSTTL(M) LOC_MPLSTTL, offsetof(struct flow, M), 4
#define TOS(M) LOC_TOS, offsetof(struct flow, M), 1
#define DSCP(M) LOC_DSCP, offsetof(struct flow, M), 1
#define ECN(M) LOC_ECN, offsetof(struct flow, M), 1
#define LOW8(M) LOC_LOW8, offsetof(struct flow, M), 2
#define ARPOP(M) LOC_ARPOP, offsetof(struct flow, M), 1

/* Access. */
#define RW true
#define RO false

/* Codes. */
#define NXM0(N) {0x0000, N, 0, 0, true}
#define NXM1(N) {0x0001, N, 0, 0, true}
#define OXM(N, V) {0x8000, N, V, 0, true}
#define PKT_REG(N) {0x8001, N, 0x04, 0, true}
#define NXET(N) {0xffff, N, 0, NX_EXPERIMENTER, true}
#define ONF(N) {0xffff, N, 0x04, ONF_EXPERIMENTER, true}
#define ERIC(N) {0x1000, N, 0, 0, true}

/* The words of struct flow that 'size' bytes from 'ofs' lie in. */
#define WORDS(OFS, SIZE)                                                                           \
    ((UINT64_C(2) << (((OFS) + (SIZE)-1) / 8)) - (UINT64_C(1) << ((OFS) / 8)))

#define MF_FIELD_AT(ID, NAME, ALIAS, BYTES, BITS, MASKABLE, PREREQS, FORMAT, ACCESS, LOC, OFS,     \
                    SIZE, ...)                                                                     \
    [ID] = {ID,                                                                                 \
                 NAME,                                                                             \
                 ALIAS,                                                                            \
                 BYTES,                                                                            \
                 BITS,                                                                             \
                 ACCESS,                                                                           \
                 MF_MASK_##MASKABLE,                                                               \
                 MF_PRE_##PREREQS,                                                                 \
                 MF_FMT_##FORMAT,                                                                  \
                 {__VA_ARGS__},                                                                    \
                 WORDS(OFS, SIZE),                                                                 \
                 LOC,                                                                              \
                 OFS},
#define MF_FIELD(ID, NAME, ALIAS, BYTES, BITS, MASKABLE, PREREQS, FORMAT, ACCESS, LOCATION, ...)   \
    MF_FIELD_AT(MF_##ID, NAME, ALIAS, BYTES, BITS, MASKABLE, PREREQS, FORMAT, ACCESS, LOCATION,    \
                __VA_ARGS__)

const struct mf_field mf_fields[MF_N_IDS] = {
#include "flow/field.def"
};
#undef MF_FIELD

/* Finding a field. */

#define NAME_MAX_SIZE 40

/* Set once before main(), constant afterwards: codes to fields, and the NXM and OXM names. */
static uint8_t by_code[6][128];
static char nxm_names[MF_N_IDS][NAME_MAX_SIZE];
static char oxm_names[MF_N_IDS][NAME_MAX_SIZE];

/* Row of 'by_code'; -1 for a class that we have no field of. */
static int
class_row(uint16_t oxm_class, uint32_t experimenter)
{
    switch (oxm_class) {
    case 0x0000:
        return 0;
    case 0x0001:
        return 1;
    case 0x8000:
        return 2;
    case 0x8001:
        return 3;
    case 0xffff:
        return experimenter == NX_EXPERIMENTER ? 4 : experimenter == ONF_EXPERIMENTER ? 5 : -1;
    default:
        return -1;
    }
}

#define ERIC_CLASS 0x1000

const struct mf_field *
mf_from_code(uint16_t oxm_class, uint8_t oxm_field, uint32_t experimenter)
{
    int row = class_row(oxm_class, experimenter);

    if (oxm_class == ERIC_CLASS) {
        return oxm_field == 1   ? &mf_fields[MF_ND_RESERVED]
               : oxm_field == 2 ? &mf_fields[MF_ND_OPTIONS_TYPE]
                                : NULL;
    }
    if (row < 0 || oxm_field > 127 || !by_code[row][oxm_field]) {
        return NULL;
    }
    return &mf_fields[by_code[row][oxm_field] - 1];
}

const struct mf_code *
mf_code_for(const struct mf_field *mf, uint8_t version)
{
    const struct mf_code *nxm = NULL;

    for (int i = 0; i < MF_MAX_CODES && mf->codes[i].valid; i++) {
        const struct mf_code *code = &mf->codes[i];

        if (code->min_version && version >= code->min_version) {
            return code;
        }
        if (!code->min_version && !nxm) {
            nxm = code;
        }
    }
    return nxm;
}

/* What follows NXM_OF_ and the like: the field's name in capitals, with the standards' exceptions. */
static void
code_suffix(const struct mf_field *mf, char *out, size_t size)
{
    static const struct {
        const char *prefix;
        const char *replacement;
    } rules[] = {
        {"nw_", "ip_"},         {"tun_src", "tun_ipv4_src"}, {"tun_dst", "tun_ipv4_dst"},
        {"tun_erspan", "erspan"}, {"tun_gtpu", "gtpu"},      {"in_port_oxm", "in_port"},
        {"xreg", "pkt_reg"},    {"nd_reserved", "icmpv6_nd_reserved"},
        {"nd_options_type", "icmpv6_nd_options_type"},
    };
    const char *name = mf->name, *replacement = "";

    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        size_t n = strlen(rules[i].prefix);

        if (!strncmp(name, rules[i].prefix, n)) {
            replacement = rules[i].replacement;
            name += n;
            break;
        }
    }
    for (; *replacement && size > 1; size--) {
        *out++ = (char)toupper((unsigned char)*replacement++);
    }
    for (; *name && size > 1; size--) {
        *out++ = (char)toupper((unsigned char)*name++);
    }
    *out = '\0';
}

static const char *
code_prefix(const struct mf_code *code)
{
    switch (code->oxm_class) {
    case 0x0000:
        return "NXM_OF_";
    case 0x0001:
        return "NXM_NX_";
    case ERIC_CLASS:
        return "ERICOXM_OF_";
    case 0xffff:
        return code->experimenter == NX_EXPERIMENTER ? "NXOXM_ET_" : "ONFOXM_ET_";
    default:
        return "OXM_OF_";
    }
}

static void __attribute__((constructor))
index_fields(void)
{
    for (int id = 0; id < MF_N_IDS; id++) {
        const struct mf_field *mf = &mf_fields[id];
        char suffix[NAME_MAX_SIZE];

        code_suffix(mf, suffix, sizeof suffix);
        for (int i = 0; i < MF_MAX_CODES && mf->codes[i].valid; i++) {
            const struct mf_code *code = &mf->codes[i];
            int row = class_row(code->oxm_class, code->experimenter);
            char *name = code->min_version ? oxm_names[id] : nxm_names[id];

            if (row >= 0) {
                by_code[row][code->oxm_field] = (uint8_t)(id + 1);
            }
            if (!name[0]) {
                str_copy(name, code_prefix(code), NAME_MAX_SIZE);
                str_copy(name + strlen(name), suffix, NAME_MAX_SIZE - strlen(name));
            }
        }
    }
}

const char *
mf_nxm_name(const struct mf_field *mf)
{
    return nxm_names[mf->id][0]   ? nxm_names[mf->id]
           : oxm_names[mf->id][0] ? oxm_names[mf->id]
                                  : mf->name;
}

static bool
name_is(const char *candidate, const char *name, size_t len)
{
    return candidate && candidate[0] && strlen(candidate) == len && !strncmp(candidate, name, len);
}

const struct mf_field *
mf_from_name_n(const char *name, size_t len)
{
    for (int id = 0; id < MF_N_IDS; id++) {
        const struct mf_field *mf = &mf_fields[id];

        if (name_is(mf->name, name, len) || name_is(mf->alias, name, len) ||
            name_is(nxm_names[id], name, len) || name_is(oxm_names[id], name, len)) {
            return mf;
        }
    }
    return NULL;
}

const struct mf_field *
mf_from_name(const char *name)
{
    return mf_from_name_n(name, strlen(name));
}

/* Values. */

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

void
mf_get_value(const struct mf_field *mf, const struct flow *flow, union mf_value *v)
{
    const uint8_t *p = (const uint8_t *)flow + mf->ofs;
    uint16_t host16;
    uint32_t x;

    memset(v, 0, sizeof *v);
    switch ((enum mf_loc)mf->loc) {
    case LOC_AT:
        memcpy(v->b, p, mf->n_bytes);
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
        memcpy(p, v->b, mf->n_bytes);
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

/* Masks. */

void
mf_exact_mask(const struct mf_field *mf, union mf_value *mask)
{
    int spare = mf->n_bytes * 8 - mf->n_bits;

    memset(mask, 0, sizeof *mask);
    memset(mask->b, 0xff, mf->n_bytes);
    for (int i = 0; i < spare; i++) {
        mask->b[i / 8] &= (uint8_t)~(0x80u >> (i % 8));
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

/* The field's bits of a mask over struct flow.  Where the flow keeps fewer bits than the field has on the
 * wire, all of the kept ones mean all. */
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

/* Rules. */

bool
mf_is_value_valid(const struct mf_field *mf, const union mf_value *value)
{
    union mf_value exact;
    uint32_t port;

    mf_exact_mask(mf, &exact);
    for (int i = 0; i < mf->n_bytes; i++) {
        if (value->b[i] & ~exact.b[i]) {
            return false;
        }
    }
    switch (mf->format) {
    case MF_FMT_OFP_PORT_OXM:
        port = get_be32(value->b);
        return port < OFPP_MAX || port >= 0xffff0000u + OFPP_MAX;
    case MF_FMT_CT_STATE:
        return !(get_be32(value->b) & ~(uint32_t)CT_STATE_MASK);
    case MF_FMT_DECIMAL:
    case MF_FMT_HEX:
    case MF_FMT_ETHERNET:
    case MF_FMT_IPV4:
    case MF_FMT_IPV6:
    case MF_FMT_OFP_PORT:
    case MF_FMT_FRAG:
    case MF_FMT_TNL_FLAGS:
    case MF_FMT_TCP_FLAGS:
    case MF_FMT_PACKET_TYPE:
        break;
    }
    if (mf->loc == LOC_ARPOP) {
        return get_be16(value->b) <= UINT8_MAX;
    }
    return mf->loc != LOC_TOS || !(value->b[0] & IP_ECN_MASK);
}

bool
mf_is_mask_valid(const struct mf_field *mf, const union mf_value *mask)
{
    return mf->maskable == MF_MASK_FULL || mf_is_zero(mf, mask) || mf_is_exact(mf, mask);
}
