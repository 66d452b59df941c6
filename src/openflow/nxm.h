// SPDX-License-Identifier: Apache-2.0
/* Matches and fields on the wire: NXM and OXM TLVs (OpenFlow 1.2 and later, Nicira's extension
 * of 1.0), OpenFlow 1.0's struct ofp_match and OpenFlow 1.1's.
 *
 * A TLV header is 32 bits: class, field, has-mask, length of what follows; class 0xffff is followed
 * by a 32-bit experimenter id that counts as part of the length (OpenFlow 1.3.1, section 7.2.3).
 * Fields, codes and prerequisites stand in flow/field.def.  Pure functions; any thread.
 */
#ifndef OPENFLOW_NXM_H
#define OPENFLOW_NXM_H 1

#include "flow/field.h"
#include "flow/match.h"
#include "openflow/ofp_error.h"
#include "openflow/ofp_wire.h"

/* Takes one TLV: field, value, mask (all ones where it has none).  'masked' (may be NULL) says
 * whether it had one. OFPBMC_BAD_FIELD for one that we do not know, with the TLV skipped and *field
 * NULL. */
enum ofperr nxm_pull_entry(struct rd *in, const struct mf_field **field, union mf_value *value,
                           union mf_value *mask, bool *masked);

/* Takes a header without payload, as in actions and learn specs.  NULL to 'masked' where a mask bit
 * is an error. */
enum ofperr nxm_pull_header(struct rd *in, const struct mf_field **field, bool *masked);

/* Decodes all of 'in' as a match.  'loose': unknown fields are skipped and prerequisites are not
 * checked, as in packet-ins.  'cookie' and 'cookie_mask' (may be NULL: then they are errors)
 * receive NXM_NX_COOKIE. */
enum ofperr nxm_pull_match(struct rd *in, bool loose, struct match *match, uint64_t *cookie,
                           uint64_t *cookie_mask);

/* Appends the match as TLVs, in the deployed switch's order; 'version' 0 means NXM (Nicira
 * extension messages), else OXM of that OpenFlow version.  A cookie goes first where cookie_mask is
 * not 0. */
void nxm_put_match(struct wr *out, const struct match *match, uint8_t version, uint64_t cookie,
                   uint64_t cookie_mask);

/* Appends one TLV (mask all ones or NULL: none), or a header alone. */
void nxm_put_entry(struct wr *out, const struct mf_field *field, const union mf_value *value,
                   const union mf_value *mask, uint8_t version);
void nxm_put_header(struct wr *out, const struct mf_field *field, bool masked, uint8_t version);
/* Size of that header: 4, or 8 for an experimenter's. */
size_t nxm_header_size(const struct mf_field *field, uint8_t version);

/* May set_field write this?  A value that is possible, and to vlan_vid only together with the bit
 * that says that there is a tag (OpenFlow 1.5, section 7.2.6.7): who reads such an action refuses
 * it. */
bool nxm_is_set_field_valid(const struct mf_field *field, const union mf_value *value,
                            const union mf_value *mask);

/* struct ofp11_match_header of type OXM with its TLVs and padding to 8 (OpenFlow 1.2 and later). */
enum ofperr oxm_pull_match(struct rd *in, bool loose, struct match *match);
void oxm_put_match(struct wr *out, const struct match *match, enum ofp_version version);

/* OpenFlow 1.0's 40-byte and OpenFlow 1.1's 88-byte struct ofp_match. */
enum ofperr ofp10_match_pull(struct rd *in, struct match *match);
/* Takes out of 'match' what no packet has that matches the rest, as a flow's is meant. */
void ofp10_match_normalize(struct match *match);
void ofp10_match_put(struct wr *out, const struct match *match);
enum ofperr ofp11_match_pull(struct rd *in, struct match *match);
void ofp11_match_put(struct wr *out, const struct match *match);

/* What precedes a flow's instructions: 1.1's match or OXM, which both say what they are.  Written
 * is 1.1's in that version, which leaves out what it has no room for: only where the deployed
 * switch does that as well. */
enum ofperr ofp_match_pull(struct rd *in, struct match *match);
void ofp_match_put(struct wr *out, const struct match *match, enum ofp_version version);

#endif
