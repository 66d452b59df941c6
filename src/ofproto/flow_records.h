/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow_records.h - the records of flow_journal.h as bytes: what flow_journal.c puts into blocks.
 *
 * A rule remembers its number, in three bytes that struct rule had to spare.  Masks and lists of
 * actions that many rules have are written once, as long as one of two caches knows them; what
 * falls out of a cache is written again.  Main thread.
 */
#ifndef OFPROTO_FLOW_RECORDS_H
#define OFPROTO_FLOW_RECORDS_H 1

#include "ofproto/ofproto_priv.h"

struct flow_shape;
struct flow_known_actions;

struct flow_records {
    struct wr out;                         /* records; the owner takes them and empties it */
    uint32_t n_shapes, n_actions, n_flows; /* numbers given */
    size_t flow_bytes;                     /* of all FLOWs, with SHAPEs and ACTIONS before them */
    size_t garbage;                        /* bytes of what is no longer there, about */
    struct flow_shape **shapes;            /* by hash; NULL: free */
    struct flow_known_actions *actions;    /* by hash */
    size_t shapes_len, actions_len;        /* powers of two */
};

/* Forgets all numbers, and what is in 'out'.  {0} is to be reset before use. */
void flow_records_reset(struct flow_records *);
void flow_records_fini(struct flow_records *);

/* A rule that has a number now; n_flows must be below FLOW_JOURNAL_MAX_FLOWS. */
void flow_records_put(struct flow_records *, struct rule *);
/* Does the rule have a number, in the log that is being written? */
bool flow_records_has(const struct rule *);
/* For a rule with a number. */
void flow_records_put_times(struct flow_records *, const struct rule *);
void flow_records_remove(struct flow_records *, struct rule *);
void flow_records_put_group(struct flow_records *, const struct ofp_group *);
void flow_records_remove_group(struct flow_records *, uint32_t id);
void flow_records_put_meter(struct flow_records *, const struct ofp_meter_config *);
void flow_records_remove_meter(struct flow_records *, uint32_t id);
void flow_records_put_tlv_map(struct flow_records *, const struct ofproto *);

#endif /* ofproto/flow_records.h */
