// SPDX-License-Identifier: Apache-2.0
/* Every OpenFlow error, its number in each protocol version, and the OFPT_ERROR message.
 *
 * 'enum ofperr' has one negative value per error, out of the range of errno: decoders return 0 or
 * an ofperr, and a function that fails in both ways returns an int that carries either (ofperr_is()
 * tells). The list and its per-version codes stand in ofp_error.def.  Errors with no standard code
 * in a version travel as Nicira extension errors (type 0xb0c2 before OpenFlow 1.2, experimenter
 * type 0xffff since) or as ONF extension errors.  Pure functions; any thread.
 */
#ifndef OPENFLOW_OFP_ERROR_H
#define OPENFLOW_OFP_ERROR_H 1

#include "openflow/ofp_version.h"
#include "openflow/ofp_wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OFPERR_BASE (-0x10000)

enum ofperr_index {
#define OFPERR(NAME, ...) OFPERR_INDEX_##NAME,
#include "openflow/ofp_error.def"
#undef OFPERR
    OFPERR_N,
};

enum ofperr {
    OFPERR_OK = 0,
#define OFPERR(NAME, ...) OFPERR_##NAME = OFPERR_BASE - OFPERR_INDEX_##NAME,
#include "openflow/ofp_error.def"
#undef OFPERR
};

static inline bool
ofperr_is(int error)
{
    return error <= OFPERR_BASE && error > OFPERR_BASE - (int)OFPERR_N;
}

/* "OFPBRC_BAD_TYPE"; NULL for 0 and for what is not an ofperr. */
const char *ofperr_name(enum ofperr error);

/* How 'error' looks in 'version'; false if it has no form there. */
struct ofperr_code {
    uint32_t vendor; /* 0 (standard), OFP_VENDOR_NX or OFP_VENDOR_ONF. */
    uint16_t type;
    uint16_t code;
};
bool ofperr_to_code(enum ofperr error, enum ofp_version version, struct ofperr_code *code);

/* The inverse; 0 where nothing is known. */
enum ofperr ofperr_from_code(const struct ofperr_code *code, enum ofp_version version);

/* Appends an OFPT_ERROR that answers 'msg' ('msg_size' bytes, at least a header), which it repeats
 * as deployed switches do. The version and the xid are the message's.  An error without a form in
 * that version becomes NXBRC_UNENCODABLE_ERROR. */
void ofperr_encode_reply(enum ofperr error, const void *msg, size_t msg_size, struct wr *out);

/* The same with version, xid and payload of the caller's choosing: for HELLO_FAILED, whose payload
 * is text. */
void ofperr_encode(enum ofperr error, enum ofp_version version, uint32_t xid, const void *payload,
                   size_t payload_size, struct wr *out);

/* Decodes a whole OFPT_ERROR message: the error (0 if its code is unknown), what it repeats in
 * 'payload'.  Returns OFPBRC_BAD_LEN if it is too short. */
enum ofperr ofperr_decode(const void *msg, size_t msg_size, enum ofperr *error, struct rd *payload);

#endif
