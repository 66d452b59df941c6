// SPDX-License-Identifier: Apache-2.0
/*
 * cls_trie.c - see cls_trie.h.
 *
 * A node stands for the bits on the path to it plus up to 32 bits of its own.  It knows where its
 * bits end; where they begin follows from its parent's end.  Its word holds the last 32 bits of
 * the prefix up to its end, those of its parents among them, so that a parent that comes between,
 * or goes, leaves the node as it is: inserting and removing copies nothing.  'n_here' rules have
 * exactly that prefix.  The first own bit of a child is the bit that leads to it, so a child always
 * has at least one bit; only the root may have none.
 */
#include "ofproto/cls_trie.h"

#include <stdlib.h>

#include "base/util.h"

struct cls_trie_node {
    uint32_t bits;                         /* constant: those before the end, the last one lowest */
    _Atomic uint32_t count;                /* w main, r all: rules here * 256 + end */
    RCU_PTR(struct cls_trie_node) edge[2]; /* w main, r all */
};

/* One word for both, so that a node is 24 bytes and malloc() adds no more than 8. */
#define COUNT_ONE 256u
/* A count that came so far stays there: the prefix is kept for ever, which costs precision only. */
#define MAX_COUNT (UINT32_MAX / COUNT_ONE)

static unsigned
node_end(const struct cls_trie_node *node)
{
    return atomic_load_explicit(&node->count, memory_order_relaxed) % COUNT_ONE;
}

static uint32_t
node_n_here(const struct cls_trie_node *node)
{
    return atomic_load_explicit(&node->count, memory_order_acquire) / COUNT_ONE;
}

/* Up to 32 bits of 'key' before bit 'end' (0...128), the last one lowest; zeros before the first.
 */
static inline uint32_t
key_bits_before(const uint32_t *key, unsigned end)
{
    unsigned word, n;

    if (LIKELY(end <= 32)) {
        return (uint32_t)((uint64_t)key[0] >> (32 - end)); /* All of IPv4, and L4 ports. */
    }
    word = (end - 1) / 32;
    n = end - 32 * word;
    return (uint32_t)(((uint64_t)key[word - 1] << 32 | key[word]) >> (32 - n));
}

static unsigned
key_bit(const uint32_t *key, unsigned ofs)
{
    return key[ofs / 32] >> (31 - ofs % 32) & 1;
}

/* Where 'key' leaves the bits [ofs, end) of a node that ends at 'node_end', which may be behind
 * 'end' by up to 31: 'end' if it does not. */
static inline unsigned
first_difference(const struct cls_trie_node *node, unsigned node_end, const uint32_t *key,
                 unsigned ofs, unsigned end)
{
    uint32_t own = node->bits >> (node_end - end);
    uint32_t diff =
        (own ^ key_bits_before(key, end)) & (uint32_t)((UINT64_C(1) << (end - ofs)) - 1);

    return diff ? end - 32 + (unsigned)__builtin_clz(diff) : end;
}

static struct cls_trie_node *
node_create(const uint32_t *key, unsigned end, uint32_t n_here)
{
    struct cls_trie_node *node = xmalloc(sizeof *node);

    node->bits = key_bits_before(key, end);
    atomic_init(&node->count, n_here * COUNT_ONE + end);
    atomic_init(&node->edge[0], NULL);
    atomic_init(&node->edge[1], NULL);
    return node;
}

/* A run of nodes for the bits [ofs, plen) of 'key', counting one at the last. */
static struct cls_trie_node *
branch_create(const uint32_t *key, unsigned ofs, unsigned plen)
{
    struct cls_trie_node *top = NULL;
    RCU_PTR(struct cls_trie_node) *link = NULL;

    while (ofs < plen) {
        unsigned end = MIN(plen, ofs + 32);
        struct cls_trie_node *node = node_create(key, end, end == plen);

        if (link) {
            rcu_assign(link, node);
        } else {
            top = node;
        }
        ofs = end;
        if (ofs < plen) {
            link = &node->edge[key_bit(key, ofs)];
        }
    }
    return top;
}

/* Puts a parent before 'node' that takes its bits up to 'at', and the branch to the new prefix
 * beside it. */
static void
node_split(RCU_PTR(struct cls_trie_node) * link, struct cls_trie_node *node, unsigned at,
           const uint32_t *key, unsigned plen)
{
    struct cls_trie_node *parent = node_create(key, at, at == plen);
    unsigned bit = node->bits >> (node_end(node) - at - 1) & 1;

    rcu_assign(&parent->edge[bit], node);
    if (at < plen) {
        rcu_assign(&parent->edge[!bit], branch_create(key, at, plen));
    }
    rcu_assign(link, parent);
}

void
cls_trie_insert(struct cls_trie *trie, const uint32_t *key, unsigned plen)
{
    RCU_PTR(struct cls_trie_node) *link = &trie->root;
    unsigned ofs = 0;

    for (;;) {
        struct cls_trie_node *node = rcu_get_protected(link);

        if (!node) {
            rcu_assign(link, branch_create(key, ofs, plen));
            return;
        }

        unsigned end = node_end(node);
        unsigned at = first_difference(node, end, key, ofs, MIN(end, plen));
        if (at < end) {
            node_split(link, node, at, key, plen);
            return;
        }
        ofs = at;
        if (ofs == plen) {
            if (node_n_here(node) < MAX_COUNT) {
                atomic_fetch_add_explicit(&node->count, COUNT_ONE, memory_order_release);
            }
            return;
        }
        link = &node->edge[key_bit(key, ofs)];
    }
}

void
cls_trie_warm(const struct cls_trie_prefix *prefixes, size_t n)
{
    struct {
        const struct cls_trie_node *node;
        const struct cls_trie_prefix *prefix;
    } walks[CLS_TRIE_WARM_MAX];
    size_t left = 0;

    for (size_t i = 0; i < n; i++) {
        walks[left].prefix = &prefixes[i];
        walks[left].node = rcu_get_protected(&prefixes[i].trie->root);
        left += walks[left].node != NULL;
    }
    while (left) {
        size_t still = 0;

        for (size_t i = 0; i < left; i++) {
            const struct cls_trie_prefix *p = walks[i].prefix;
            const struct cls_trie_node *node = walks[i].node;
            unsigned end = node_end(node);

            if (end >= p->plen) {
                continue;
            }
            /* Bits between are not compared: a wrong turn fetches a line too many. */
            node = rcu_get_protected(&node->edge[key_bit(p->key, end)]);
            __builtin_prefetch(node);
            walks[still].prefix = p;
            walks[still].node = node;
            still += node != NULL;
        }
        left = still;
    }
}

/* Takes away a node that counts nothing any more, or lets its only child take its place. */
static bool
node_prune(RCU_PTR(struct cls_trie_node) * link, unsigned ofs)
{
    struct cls_trie_node *node = rcu_get_protected(link);
    struct cls_trie_node *a = rcu_get_protected(&node->edge[0]);
    struct cls_trie_node *b = rcu_get_protected(&node->edge[1]);
    struct cls_trie_node *child = a ? a : b;

    if (node_n_here(node) || (a && b)) {
        return false;
    }
    if (child && node_end(child) - ofs > 32) {
        return false;
    }
    rcu_assign(link, child);
    rcu_free(node);
    return !child;
}

void
cls_trie_remove(struct cls_trie *trie, const uint32_t *key, unsigned plen)
{
    RCU_PTR(struct cls_trie_node) * links[CLS_TRIE_MAX_BITS + 2];
    uint8_t begins[CLS_TRIE_MAX_BITS + 2];
    RCU_PTR(struct cls_trie_node) *link = &trie->root;
    unsigned ofs = 0, depth = 0;

    for (;;) {
        struct cls_trie_node *node = rcu_get_protected(link);
        unsigned end = node ? node_end(node) : 0;

        if (!node || end > plen || first_difference(node, end, key, ofs, end) < end) {
            return; /* Not there: nothing was counted. */
        }
        begins[depth] = (uint8_t)ofs;
        links[depth++] = link;
        ofs = end;
        if (ofs == plen) {
            uint32_t n_here = node_n_here(node);

            if (n_here && n_here < MAX_COUNT) {
                atomic_fetch_sub_explicit(&node->count, COUNT_ONE, memory_order_release);
            }
            break;
        }
        link = &node->edge[key_bit(key, ofs)];
    }

    while (depth > 0 && node_prune(links[depth - 1], begins[depth - 1])) {
        depth--;
    }
}

/* A whole trie that nobody reads any more. */
static void
free_nodes(void *root)
{
    struct cls_trie_node *stack[CLS_TRIE_MAX_BITS + 2];
    unsigned n = 0;

    stack[n++] = root;
    while (n) {
        struct cls_trie_node *node = stack[--n];

        /* At most one sibling per level waits on the stack, so its depth is bounded. */
        for (int i = 0; i < 2; i++) {
            struct cls_trie_node *child = rcu_get_protected(&node->edge[i]);
            if (child) {
                stack[n++] = child;
            }
        }
        free(node);
    }
}

void
cls_trie_clear(struct cls_trie *trie)
{
    struct cls_trie_node *root = rcu_get_protected(&trie->root);

    rcu_assign(&trie->root, NULL);
    if (root) {
        rcu_defer(free_nodes, root);
    }
}

void
cls_trie_lookup(const struct cls_trie *trie, const uint32_t *key, unsigned key_bits,
                struct cls_trie_result *r)
{
    const struct cls_trie_node *node = rcu_get(&trie->root);
    unsigned ofs = 0;

    memset(r, 0, sizeof *r);
    while (node) {
        unsigned end = node_end(node), at;

        at = first_difference(node, end, key, ofs, end); /* No prefix is longer than the key. */
        if (at < end) {
            r->n_bits = at + 1;
            return;
        }
        ofs = end;
        if (node_n_here(node)) {
            r->plens[ofs / 64] |= UINT64_C(1) << (ofs % 64);
        }
        if (ofs == key_bits) {
            break;
        }

        unsigned bit = key_bit(key, ofs);
        const struct cls_trie_node *next = rcu_get(&node->edge[bit]);
        if (!next && rcu_get(&node->edge[!bit])) {
            ofs++;
        }
        node = next;
    }
    r->n_bits = ofs;
}
