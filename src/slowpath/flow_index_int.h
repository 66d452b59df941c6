// SPDX-License-Identifier: Apache-2.0
/*
 * flow_index_int.h - what flow_index.c, flow_mark.c and cohort.c share.  All under the index's
 * lock.
 */
#ifndef SLOWPATH_FLOW_INDEX_INT_H
#define SLOWPATH_FLOW_INDEX_INT_H 1

#include <pthread.h>

#include "base/hash.h"
#include "base/uthash.h"
#include "slowpath/cohort.h"
#include "slowpath/slowpath_int.h"

struct flow_group {
    UT_hash_handle hh;
    uint32_t n, allocated;
    uint32_t n_words;
    uint64_t **values;   /* [n_words][n]: the columns */
    uint64_t *tables;    /* [n]: as xlate_deps_sum() has them; all bits for "all" */
    uint32_t *priority;  /* [n] */
    uint32_t lowest;     /* no priority of those that are in no cohort is below */
    uint32_t n_scans;    /* since that was looked up */
    uint8_t *cohort_of;  /* [n]: the cohort's id; 0: in none */
    struct ukey **ukeys; /* [n] */
    uint32_t n_members;  /* in cohorts */
    uint64_t map;        /* which words; 'mask' follows: the hash's key */
    uint64_t mask[];
};

struct flow_index {
    pthread_mutex_t door; /* held while waiting for 'lock' in turn: see index_lock() */
    pthread_mutex_t lock; /* leaf: all below, and the places, cohorts and 'suspect' of the ukeys */
    struct flow_group *groups;
    struct flow_group *last_group; /* that a flow was put into, or NULL */
    uint64_t seq;
    struct ukey **suspects;
    size_t n_suspects, allocated_suspects;
    uint32_t n_cohorts, n_suspect_cohorts, most_cohorts;
    uint64_t n_cohorts_refused;
    struct cohort *cohorts[COHORTS_MAX]; /* by id - 1 */
};

/* flow_index.c */
/* Takes the lock in turn: who gives it back to take it again at once, in the midst of long work,
 * waits for the one who waits already.  A mutex alone would go to the quicker of the two. */
void index_lock(struct flow_index *);
void suspect_add(struct flow_index *, struct ukey *);
void suspect_remove(struct flow_index *, struct ukey *);
void suspect_set_by(struct ukey *, struct rule *by);

/* cohort.c */
/* Takes the ukey out of its cohort, if it is in one.  Returns the cohort if nobody is left, for
 * cohort_free() without the lock. */
struct cohort *cohort_leave(struct flow_index *, struct ukey *);
void cohort_suspect(struct flow_index *, struct cohort *, struct rule *by);

#endif /* slowpath/flow_index_int.h */
