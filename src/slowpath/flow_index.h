// SPDX-License-Identifier: Apache-2.0
/*
 * flow_index.h - from a rule that came or went to the megaflows that it can matter to.
 *
 * Megaflows with one mask form a group: the values of each word in an array of their own, beside
 * them which tables their translations looked up and the lowest priority that was found.  A rule is
 * compared with the column of its most telling word first, a straight line of comparisons per
 * group; what is left after all columns is asked for its dependencies in full
 * (xlate_deps_affected()).
 *
 * Those that a change matters to are suspects until a pass has rechecked them.  So is a megaflow
 * whose translation began before changes that a pass had taken already when it was put here.
 *
 * Any thread; one lock.  A ukey's deps may be replaced only by whoever holds the slow path's
 * pass_lock.
 */
#ifndef SLOWPATH_FLOW_INDEX_H
#define SLOWPATH_FLOW_INDEX_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct flow_group;
struct flow_index;
struct ofproto_change;
struct ukey;

/* A megaflow's place in the index; in struct ukey, zeroed before flow_index_add(). */
struct flow_place {
    struct flow_group *group; /* NULL: not in the index */
    uint32_t pos;             /* in the group */
    uint32_t suspect_pos;     /* in the list of suspects + 1; 0: not in it */
    uint64_t changed;         /* of the deps that chose the group */
};

struct flow_index *flow_index_create(void);
void flow_index_destroy(struct flow_index *); /* must be empty */

/* 'ukey' has its flow and deps.  Returns true if it is a suspect from the beginning. */
bool flow_index_add(struct flow_index *, struct ukey *);
/* No effect if it is not there. */
void flow_index_remove(struct flow_index *, struct ukey *);
/* The ukey's deps are new ones. */
void flow_index_update(struct flow_index *, struct ukey *);

/* Everything that is added from now on with a ukey->seq before 'seq' is a suspect. */
void flow_index_set_seq(struct flow_index *, uint64_t seq);
/* Makes suspects of those that one of 'changes', all of them of rules, may matter to.  Returns how
 * many suspects there are now. */
size_t flow_index_mark(struct flow_index *, const struct ofproto_change *changes, size_t n);
/* Changes came that are not marked: no suspect's result is any more that of the one rule that made
 * it a suspect, which may be gone by now, or have one above it. */
void flow_index_forget_rules(struct flow_index *);
size_t flow_index_n_suspects(struct flow_index *);
/* Empties the list of suspects into a new array that the caller frees; they keep ukey->suspect. */
struct ukey **flow_index_take_suspects(struct flow_index *, size_t *n);

#endif /* slowpath/flow_index.h */
