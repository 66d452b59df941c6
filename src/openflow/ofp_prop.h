// SPDX-License-Identifier: Apache-2.0
/* Properties: the type-length-value lists that OpenFlow 1.4 and Nicira's newer messages are made
 * of.  Private to the codec.
 *
 * A property is a 16-bit type, a 16-bit length with this header but without the padding to 8 that
 * follows, and a body. Type 0xffff is an experimenter's: a 32-bit experimenter id and a 32-bit type
 * follow.
 */
#ifndef OPENFLOW_OFP_PROP_H
#define OPENFLOW_OFP_PROP_H 1

#include "openflow/ofp_error.h"
#include "openflow/ofp_wire.h"

#define OFP_PROP_EXPERIMENTER 0xffffu

struct ofp_prop {
    uint16_t type;
    uint32_t experimenter; /* 0 unless type is OFP_PROP_EXPERIMENTER. */
    uint32_t exp_type;
    struct rd body;
};

/* Takes the next property with its padding. */
enum ofperr ofp_prop_pull(struct rd *in, struct ofp_prop *prop);

/* The body as one integer that fills it (a 16-bit one with 2 bytes of padding behind it, a 64-bit
 * one after 4 of them, as everywhere in OpenFlow): OFPBPC_BAD_LEN where it does not. */
enum ofperr ofp_prop_u8(struct ofp_prop *prop, uint8_t *x);
enum ofperr ofp_prop_u16(struct ofp_prop *prop, uint16_t *x);
enum ofperr ofp_prop_u32(struct ofp_prop *prop, uint32_t *x);
enum ofperr ofp_prop_u64(struct ofp_prop *prop, uint64_t *x);

/* Begins a property; returns the offset for ofp_prop_end(), which fixes the length and pads. */
size_t ofp_prop_begin(struct wr *out, uint16_t type);
size_t ofp_prop_begin_exp(struct wr *out, uint32_t experimenter, uint32_t exp_type);
void ofp_prop_end(struct wr *out, size_t start);
void ofp_prop_put(struct wr *out, uint16_t type, const void *data, size_t size);
void ofp_prop_put_u8(struct wr *out, uint16_t type, uint8_t x);
void ofp_prop_put_u16(struct wr *out, uint16_t type, uint16_t x);
void ofp_prop_put_u32(struct wr *out, uint16_t type, uint32_t x);
void ofp_prop_put_u64(struct wr *out, uint16_t type, uint64_t x);

/* The error of a property that we do not know. */
enum ofperr ofp_prop_unknown(const struct ofp_prop *prop);

#endif
