// SPDX-License-Identifier: Apache-2.0
/* Error names and codes, and the OFPT_ERROR codec.
 *
 * See ofp_error.h for the contract, ofp_error.def for the list.  Called by connections (to answer a
 * bad message) and by tests.  Layouts: OpenFlow 1.0.0 section 5.4.4, OpenFlow 1.2 appendix A.4.4
 * (experimenter errors); a Nicira error in OpenFlow 1.0 and 1.1 has vendor, type and code after an
 * error type of 0xb0c2.
 */
#include "openflow/ofp_error.h"

#define ET_EXPERIMENTER 0xffffu
#define ET_NX_VENDOR 0xb0c2u
#define PAYLOAD_MAX 65000u

#define ABSENT UINT16_MAX

/* Columns of ofp_error.def: who defines the error in a version, with its type and code. */
#define NA                                          \
    {                                               \
        .vendor = 0, .type = ABSENT, .code = ABSENT \
    }
#define OF(TYPE, CODE)                          \
    {                                           \
        .vendor = 0, .type = TYPE, .code = CODE \
    }
#define NX(TYPE, CODE)                                      \
    {                                                       \
        .vendor = OFP_VENDOR_NX, .type = TYPE, .code = CODE \
    }
#define ONF(TYPE)                                         \
    {                                                     \
        .vendor = OFP_VENDOR_ONF, .type = TYPE, .code = 0 \
    }

static const struct {
    const char *name;
    struct ofperr_code codes[OFP_N_VERSIONS];
} errors[OFPERR_N] = {
#define OFPERR(NAME, C10, C11, C12, C13, C14, C15) {#NAME, {C10, C11, C12, C13, C14, C15}},
#include "openflow/ofp_error.def"
#undef OFPERR
};

const char *
ofperr_name(enum ofperr error)
{
    return ofperr_is(error) ? errors[OFPERR_BASE - error].name : NULL;
}

bool
ofperr_to_code(enum ofperr error, enum ofp_version version, struct ofperr_code *code)
{
    if (!ofperr_is(error) || !ofp_version_is_valid(version)) {
        return false;
    }
    *code = errors[OFPERR_BASE - error].codes[version - OFP_VERSION_MIN];
    return code->type != ABSENT;
}

enum ofperr
ofperr_from_code(const struct ofperr_code *code, enum ofp_version version)
{
    if (!ofp_version_is_valid(version)) {
        return 0;
    }
    for (int i = 0; i < (int)OFPERR_N; i++) {
        const struct ofperr_code *c = &errors[i].codes[version - OFP_VERSION_MIN];

        if (c->vendor == code->vendor && c->type == code->type && c->code == code->code) {
            return OFPERR_BASE - i;
        }
    }
    return 0;
}

void
ofperr_encode(enum ofperr error, enum ofp_version version, uint32_t xid, const void *payload,
              size_t payload_size, struct wr *out)
{
    size_t start = out->size;
    struct ofperr_code c;

    if (!ofperr_to_code(error, version, &c) &&
        !ofperr_to_code(OFPERR_NXBRC_UNENCODABLE_ERROR, version, &c)) {
        c = (struct ofperr_code){.vendor = 0, .type = 1, .code = 1};
    }
    wr_u8(out, (uint8_t)version);
    wr_u8(out, 1);
    wr_u16(out, 0);
    wr_u32(out, xid);
    if (!c.vendor) {
        wr_u16(out, c.type);
        wr_u16(out, c.code);
    } else if (version < OFP12_VERSION) {
        wr_u16(out, ET_NX_VENDOR);
        wr_u16(out, 0);
        wr_u32(out, c.vendor);
        wr_u16(out, c.type);
        wr_u16(out, c.code);
    } else {
        wr_u16(out, ET_EXPERIMENTER);
        wr_u16(out, c.type);
        wr_u32(out, c.vendor);
    }
    if (payload_size > OFP_MSG_MAX - (out->size - start)) {
        payload_size = OFP_MSG_MAX - (out->size - start);
    }
    wr_bytes(out, payload, payload_size);
    wr_set_u16(out, start + 2, (uint16_t)(out->size - start));
}

void
ofperr_encode_reply(enum ofperr error, const void *msg, size_t msg_size, struct wr *out)
{
    struct rd r = rd_init(msg, msg_size);
    uint8_t version = rd_u8(&r);
    uint32_t xid;

    rd_skip(&r, 3);
    xid = rd_u32(&r);
    ofperr_encode(error, version, xid, msg, msg_size < PAYLOAD_MAX ? msg_size : PAYLOAD_MAX, out);
}

enum ofperr
ofperr_decode(const void *msg, size_t msg_size, enum ofperr *error, struct rd *payload)
{
    struct rd r = rd_init(msg, msg_size);
    uint8_t version = rd_u8(&r);
    struct ofperr_code c = {0, 0, 0};

    rd_skip(&r, OFP_HEADER_SIZE - 1);
    c.type = rd_u16(&r);
    c.code = rd_u16(&r);
    if (version < OFP12_VERSION && c.type == ET_NX_VENDOR) {
        c.vendor = rd_u32(&r);
        c.type = rd_u16(&r);
        c.code = rd_u16(&r);
    } else if (version >= OFP12_VERSION && c.type == ET_EXPERIMENTER) {
        c.type = c.code;
        c.code = 0;
        c.vendor = rd_u32(&r);
    }
    if (!rd_ok(&r)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    *error = c.type == ABSENT ? 0 : ofperr_from_code(&c, version);
    *payload = r;
    return 0;
}
