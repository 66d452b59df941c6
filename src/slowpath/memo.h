// SPDX-License-Identifier: Apache-2.0
/*
 * memo.h - the last few translations of a pass.  A rule that covers much makes many megaflows
 * suspects, and most of them get the same answer: a megaflow that agrees with an earlier one in all
 * bits that the earlier one's translation looked at shares its result.
 *
 * One thread's, for the time of one pass.
 */
#ifndef SLOWPATH_MEMO_H
#define SLOWPATH_MEMO_H 1

#include "ofproto/xlate.h"

struct cohort;

enum { MEMO_ENTRIES = 4 };

struct memo_entry {
    const struct rule *by;     /* the rule that the first lookup finds, if that was given */
    struct flow_mask mask;     /* what the translation looked at */
    struct flow key;           /* under the mask */
    uint64_t map;              /* words of the mask */
    struct dp_actions actions; /* what is to be installed */
    struct xlate_cache *cache; /* references */
    struct xlate_deps *deps;
    uint32_t n_shared;      /* cohort.c: megaflows that took it */
    struct cohort *founded; /* by them, or NULL */
};

struct memo {
    unsigned n, next;
    struct memo_entry e[MEMO_ENTRIES];
};

/* Zeroed memory is an empty memo. */
void memo_fini(struct memo *);
/* The result for the megaflow 'key'/'mask', or NULL.  'by': its first lookup finds that rule, which
 * the caller keeps until memo_fini(); NULL: not known. */
struct memo_entry *memo_find(struct memo *, const struct rule *by, const struct flow *key,
                             const struct flow_mask *mask);
/* Begins 'dst' with what is in 'src', which may be NULL. */
void memo_init_copy(struct memo *dst, const struct memo *src);
/* Remembers 'out' of the translation of 'key', if others may share it. */
void memo_put(struct memo *, const struct rule *by, const struct flow *key,
              const struct xlate_out *out);

#endif /* slowpath/memo.h */
