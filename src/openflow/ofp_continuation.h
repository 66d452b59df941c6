// SPDX-License-Identifier: Apache-2.0
/*
 * What is left of a packet's way through the tables: what controller(pause) freezes, and what
 * NXT_RESUME brings back.
 *
 * On the wire it is a list of properties inside of the packet-in, opaque to controllers; the types
 * are those that ovs-ofctl prints.  It comes back from outside, so that nothing in it is trusted:
 * the caller checks the actions as it does those of a packet-out.  Pure functions; any thread.
 */
#ifndef OPENFLOW_OFP_CONTINUATION_H
#define OPENFLOW_OFP_CONTINUATION_H 1

#include "base/uuid.h"
#include "openflow/ofp_action.h"
#include "openflow/ofp_wire.h"

/* Actions that run as if a flow of 'table_id' with 'cookie' had them. */
struct ofp_frozen_part {
    uint64_t cookie; /* UINT64_MAX: of no flow */
    uint8_t table_id;
    /* For who makes it; not encoded: */
    bool instructions; /* goto_table, write_actions... */
    bool tells;        /* actions of it show table and cookie */
    struct ofpacts actions;
};

/* Bytes of the stack, in all, and parts: more come neither from translation nor from a peer. */
enum { OFP_FROZEN_MAX_STACK = 65536, OFP_FROZEN_MAX_PARTS = 4096 };

struct ofp_continuation {
    struct uuid bridge;
    uint32_t mirrors;  /* that have had the packet */
    uint32_t odp_port; /* datapath port that it came in on */
    bool conntracked;
    union mf_value *stack; /* from the bottom */
    size_t n_stack;
    struct ofp_frozen_part *parts; /* in the order of execution */
    size_t n_parts;
    struct ofpacts action_set;
};

/* Appends a part; the pointer is good until the next call. */
struct ofp_frozen_part *ofp_continuation_add(struct ofp_continuation *, uint8_t table_id,
                                             uint64_t cookie);
/* Appends the properties.  'options' is the bridge's map, by which they will be read; may be NULL.
 * False if 'c' holds more than a message can carry: 'out' is as before. */
bool ofp_continuation_encode(const struct ofp_continuation *c, enum ofp_version version,
                             const struct mf_options *options, struct wr *out);
/* Fills in '*c' from all of 'in'; to be freed by ofp_continuation_fini() whatever the result. */
enum ofperr ofp_continuation_decode(struct rd *in, enum ofp_version version,
                                    struct ofp_continuation *c);
void ofp_continuation_fini(struct ofp_continuation *);
/* Frees one from xzalloc() too; NULL is fine. */
void ofp_continuation_destroy(struct ofp_continuation *);

#endif
