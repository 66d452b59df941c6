// SPDX-License-Identifier: Apache-2.0
/*
 * Tunnel options as match fields: tun_metadata0 to tun_metadata63.  What they are differs from one
 * bridge to the next (ovs-ofctl add-tlv-map): a 'struct mf_options' says which are mapped, and
 * where in struct flow's option_values[] each lies.
 *
 * Each number at each place in each length is a struct mf_field of its own, made when it is first
 * asked for and kept for ever, so that actions, matches and flows that were decoded with one map
 * can be read without it, and also after it has changed.  A flow says of each slot whose it is, and
 * so which fields are present; a mask, with a one byte, that presence counts.
 *
 * docs/decisions/0025-room-for-tunnel-options.md.  Any thread; a struct mf_options has one writer,
 * the main thread, which is also who reads by it.
 */
#ifndef SLUICE_FLOW_OPTION_H
#define SLUICE_FLOW_OPTION_H 1

#include "flow/field.h"

#define MF_N_OPTIONS 64
#define MF_OPTION_UNIT 4 /* Options are multiples of so many bytes. */
#define MF_OPTION_MAX_BYTES ((int)sizeof(union mf_value))
/* The longest that there is on the wire: 31 units. */
#define MF_OPTION_WIRE_MAX_BYTES 124

/* Codes on the wire: NXM class 1, from this field on. */
#define MF_OPTION_NXM_CLASS 0x0001
#define MF_OPTION_NXM_FIELD 40

/* Where the fields of a bridge lie; n_slots 0: not mapped. */
struct mf_options {
    struct {
        uint8_t slot;
        uint8_t n_slots;
    } at[MF_N_OPTIONS];
};

/* Gives field 'index' of 'options', which must not be mapped, 'n_bytes' (a multiple of the unit, at
 * most MF_OPTION_MAX_BYTES) in a row.  False: there is no room. */
bool mf_options_place(struct mf_options *options, unsigned index, unsigned n_bytes);
static inline void
mf_options_remove(struct mf_options *options, unsigned index)
{
    options->at[index].n_slots = 0;
}

/* NULL if 'index' is too large or not mapped, or 'options' NULL. */
const struct mf_field *mf_option_find(const struct mf_options *options, unsigned index);
/* By "tun_metadata5" or "NXM_NX_TUN_METADATA5". */
const struct mf_field *mf_option_from_name(const struct mf_options *options, const char *name);
const struct mf_field *mf_option_from_name_n(const struct mf_options *options, const char *name,
                                             size_t len);

static inline bool
mf_is_option(const struct mf_field *mf)
{
    return mf->id >= MF_FIRST_OPTION;
}

/* Of an option: its number, 0 to 63; its name in actions. */
unsigned mf_option_index(const struct mf_field *mf);
const char *mf_option_nxm_name(const struct mf_field *mf);

/* Is the option there?  Of a mask's bits: does the mask look at it? */
bool mf_option_is_present(const struct mf_field *mf, const struct flow *flow);
/* Makes it present, with whatever value its slots have; makes a mask look at its presence; makes it
 * absent. */
void mf_option_own(const struct mf_field *mf, struct flow *flow);
void mf_option_mask_presence(const struct mf_field *mf, struct flow_mask *mask);
void mf_option_delete(const struct mf_field *mf, struct flow *flow);

/* The options that are present, in the order of their slots: '*slot' starts with 0; NULL at the
 * end. */
const struct mf_field *mf_option_next(const struct flow *flow, unsigned *slot);
#define MF_OPTION_FOR_EACH(MF, FLOW)                                \
    for (unsigned MF##_slot = 0, MF##_go = 1; MF##_go; MF##_go = 0) \
        for (const struct mf_field *MF; (MF = mf_option_next(FLOW, &MF##_slot));)

/* Makes all present options of 'flow' part of 'match', exactly. */
void mf_options_to_match(const struct flow *flow, struct match *match);

#endif
