// SPDX-License-Identifier: Apache-2.0
/*
 * cls_trie.h - the set of prefixes of one field that a table's rules use, as a path-compressed
 * binary trie with counts.
 *
 * For a packet's value it answers two questions: which prefix lengths can match (all other
 * subtables can be skipped), and how many leading bits of the value decide that.
 *
 * One writer; lock-free readers under RCU: nodes that readers can see only change their counts and
 * edges.  Keys are arrays of 32-bit words in host order, the
 * first bit is the most significant one of the first word.
 */
#ifndef OFPROTO_CLS_TRIE_H
#define OFPROTO_CLS_TRIE_H 1

#include <stdbool.h>
#include <stdint.h>

#include "base/rcu.h"

enum { CLS_TRIE_MAX_BITS = 128 };

struct cls_trie_node;
struct cls_trie {
    RCU_PTR(struct cls_trie_node) root;
};

struct cls_trie_prefix {
    const struct cls_trie *trie; /* it is about to come into */
    uint32_t key[CLS_TRIE_MAX_BITS / 32];
    unsigned plen;
};

struct cls_trie_result {
    unsigned n_bits;                            /* leading bits that decided */
    uint64_t plens[CLS_TRIE_MAX_BITS / 64 + 1]; /* bit N: a prefix of N bits matches */
};

/* Counts one more, or one less, rule with the first 'plen' (1...128) bits of 'key'. */
void cls_trie_insert(struct cls_trie *, const uint32_t *key, unsigned plen);
void cls_trie_remove(struct cls_trie *, const uint32_t *key, unsigned plen);
/* Brings what insertions of 'n' prefixes (at most CLS_TRIE_WARM_MAX) will walk over into the
 * processor's cache, side by side: one after the other, each step of each walk would wait for
 * memory.  Changes nothing; writer only. */
enum { CLS_TRIE_WARM_MAX = 80 };
void cls_trie_warm(const struct cls_trie_prefix *, size_t n);
/* Frees all nodes after a grace period, in the reclaimer's thread. */
void cls_trie_clear(struct cls_trie *);

/* Looks a value of 'key_bits' bits up.  Any thread. */
void cls_trie_lookup(const struct cls_trie *, const uint32_t *key, unsigned key_bits,
                     struct cls_trie_result *);

static inline bool
cls_trie_result_has(const struct cls_trie_result *r, unsigned plen)
{
    return r->plens[plen / 64] >> (plen % 64) & 1;
}

#endif /* ofproto/cls_trie.h */
