// SPDX-License-Identifier: Apache-2.0
/*
 * cohort.h - megaflows with one verdict, changed together.
 *
 * A broad rule gives thousands of megaflows the same answer, and the next one another.  Megaflows
 * that shared a translation form a cohort: their actions (dp_shared), whom they credit and what
 * they depend on stand in one place.  To a change of rules the cohort is one megaflow, as wide as
 * what its members have in common; only if a change can matter to some members and not to all are
 * they looked at one by one, and those that get another verdict leave.
 *
 * Under the slow path's pass_lock, or in a revalidator's part of a pass; membership also under the
 * index's lock.  A cohort lives as long as it has members.
 */
#ifndef SLOWPATH_COHORT_H
#define SLOWPATH_COHORT_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/flow.h"

struct dp;
struct dp_shared;
struct flow_index;
struct memo;
struct memo_entry;
struct rule;
struct slowpath;
struct ukey;

enum {
    COHORT_MIN = 16,   /* so many megaflows that share a translation found one */
    COHORTS_MAX = 64,  /* of an index: its columns have a byte for them */
    COHORTS_MANY = 24, /* beyond this the smallest are merged with others of the same result */
};

struct cohort {
    uint32_t id;     /* its place in the index + 1 */
    uint32_t n;      /* members; under the index's lock */
    bool suspect;    /* all of it, to be translated anew */
    struct rule *by; /* a reference: what alone made it a suspect is that this rule came */
    bool partly;     /* flow_mark.c: the present change can matter to some members */
    struct dp *dp;
    struct dp_shared *shared;  /* what the datapath does */
    struct xlate_cache *cache; /* references; change only while no revalidator is at its part */
    struct xlate_deps *deps;
    struct flow key; /* what members have in common, under the bits: */
    struct flow_mask mask;
};

/* Makes the ukey, whose megaflow is to have the result of 'e', a member of a cohort with that
 * result.  False if there is none to join and none was founded.  '*gone': the flow is dead. */
bool cohort_join(struct slowpath *, struct ukey *, struct memo_entry *e, bool *gone);
/* Makes it stand alone; its cache and deps are NULL then. */
void cohort_part(struct flow_index *, struct ukey *);
/* Translates suspect cohorts anew.  Those whose members no longer have one answer are dissolved:
 * the members are suspects then.  Under pass_lock, with no revalidator at work. */
void cohorts_follow(struct slowpath *, struct memo *);
/* NULL is fine. */
void cohort_free(struct cohort *);

#endif /* slowpath/cohort.h */
