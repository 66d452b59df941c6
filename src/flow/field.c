// SPDX-License-Identifier: Apache-2.0
/*
 * The table of match fields and how to find a field.  See field.h for the contract, field.def for
 * the list, field_value.c for values in struct flow, field_text.c for text and subfield names,
 * subfield.c for runs of bits.
 *
 * A field's place in struct flow is a kind (enum loc) and an offset: most are bytes as they stand,
 * some are host integers, bits of a VLAN tag or an MPLS label entry, or share bytes with others.
 */
#include "flow/field.h"

#include <ctype.h>

#include "base/util.h"
#include "flow/field_private.h"
#include "flow/match.h"
#include "flow/option.h"

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
#define NXM0(N)               \
    {                         \
        0x0000, N, 0, 0, true \
    }
#define NXM1(N)               \
    {                         \
        0x0001, N, 0, 0, true \
    }
#define OXM(N, V)             \
    {                         \
        0x8000, N, V, 0, true \
    }
#define PKT_REG(N)               \
    {                            \
        0x8001, N, 0x04, 0, true \
    }
#define NXET(N)                             \
    {                                       \
        0xffff, N, 0, NX_EXPERIMENTER, true \
    }
#define ONF(N)                                  \
    {                                           \
        0xffff, N, 0x04, ONF_EXPERIMENTER, true \
    }
#define ERIC(N)               \
    {                         \
        0x1000, N, 0, 0, true \
    }

/* The words of struct flow that 'size' bytes from 'ofs' lie in. */
#define WORDS(OFS, SIZE) ((UINT64_C(2) << (((OFS) + (SIZE)-1) / 8)) - (UINT64_C(1) << ((OFS) / 8)))

#define MF_FIELD_AT(ID, NAME, ALIAS, BYTES, BITS, MASKABLE, PREREQS, FORMAT, ACCESS, LOC, OFS, \
                    SIZE, ...)                                                                 \
    [ID] = {ID,                                                                                \
            NAME,                                                                              \
            ALIAS,                                                                             \
            BYTES,                                                                             \
            BITS,                                                                              \
            ACCESS,                                                                            \
            MF_MASK_##MASKABLE,                                                                \
            MF_PRE_##PREREQS,                                                                  \
            MF_FMT_##FORMAT,                                                                   \
            {__VA_ARGS__},                                                                     \
            WORDS(OFS, SIZE),                                                                  \
            LOC,                                                                               \
            OFS},
#define MF_FIELD(ID, NAME, ALIAS, BYTES, BITS, MASKABLE, PREREQS, FORMAT, ACCESS, LOCATION, ...) \
    MF_FIELD_AT(MF_##ID, NAME, ALIAS, BYTES, BITS, MASKABLE, PREREQS, FORMAT, ACCESS, LOCATION,  \
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

/* What follows NXM_OF_ and the like: the field's name in capitals, with the standards' exceptions.
 */
static void
code_suffix(const struct mf_field *mf, char *out, size_t size)
{
    static const struct {
        const char *prefix;
        const char *replacement;
    } rules[] = {
        {"nw_", "ip_"},
        {"tun_src", "tun_ipv4_src"},
        {"tun_dst", "tun_ipv4_dst"},
        {"tun_erspan", "erspan"},
        {"tun_gtpu", "gtpu"},
        {"in_port_oxm", "in_port"},
        {"xreg", "pkt_reg"},
        {"nd_reserved", "icmpv6_nd_reserved"},
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

static void __attribute__((constructor)) index_fields(void)
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
    if (mf_is_option(mf)) {
        return mf_option_nxm_name(mf);
    }
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
