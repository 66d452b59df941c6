// SPDX-License-Identifier: Apache-2.0
/*
 * cls_trie.c - see cls_trie.h.
 *
 * A node stands for the bits on the path to it plus up to 32 bits of its own.  'n_here' rules have
 * exactly that prefix.  The first own bit of a child is the bit that leads to it, so a child always
 * has at least one bit; only the root may have none.
 */
#include "ofproto/cls_trie.h"

#include <stdlib.h>

#include "base/util.h"

struct cls_trie_node {
    uint32_t bits;                         /* constant, left-aligned, rest zero */
    _Atomic uint32_t count;                /* w main, r all: rules here * 64 + own bits */
    RCU_PTR(struct cls_trie_node) edge[2]; /* w main, r all */
};

/* One word for both, so that a node is 24 bytes and malloc() adds no more than 8. */
#define COUNT_ONE 64u

static unsigned
node_n_bits(const struct cls_trie_node *node)
{
    return atomic_load_explicit(&node->count, memory_order_relaxed) % COUNT_ONE;
}

static uint32_t
node_n_here(const struct cls_trie_node *node)
{
    return atomic_load_explicit(&node->count, memory_order_acquire) / COUNT_ONE;
}

/* 'n' (0...32) bits of 'key' from bit 'ofs' on, left-aligned. */
static uint32_t
key_bits_at(const uint32_t *key, unsigned ofs, unsigned n)
{
    unsigned word = ofs / 32, shift = ofs % 32;
    uint32_t x;

    if (!n) {
        return 0;
    }
    x = key[word] << shift;
    if (shift && shift + n > 32) {
        x |= key[word + 1] >> (32 - shift);
    }
    return n == 32 ? x : x & ~(UINT32_MAX >> n);
}

static unsigned
key_bit(const uint32_t *key, unsigned ofs)
{
    return key[ofs / 32] >> (31 - ofs % 32) & 1;
}

/* How many leading bits of 'a' and 'b' agree, at most 'n'. */
static unsigned
common_bits(uint32_t a, uint32_t b, unsigned n)
{
    uint32_t diff = a ^ b;
    unsigned c = diff ? (unsigned)__builtin_clz(diff) : 32;

    return MIN(c, n);
}

static uint32_t
shift_left(uint32_t x, unsigned n)
{
    return n < 32 ? x << n : 0;
}

static struct cls_trie_node *
node_create(uint32_t bits, unsigned n_bits, uint32_t n_here)
{
    struct cls_trie_node *node = xzalloc(sizeof *node);

    node->bits = bits;
    atomic_init(&node->count, n_here * COUNT_ONE + n_bits);
    return node;
}

/* A run of nodes for the bits [ofs, plen) of 'key', counting one at the last. */
static struct cls_trie_node *
branch_create(const uint32_t *key, unsigned ofs, unsigned plen)
{
    struct cls_trie_node *top = NULL;
    RCU_PTR(struct cls_trie_node) *link = NULL;

    while (ofs < plen) {
        unsigned n = MIN(plen - ofs, 32u);
        struct cls_trie_node *node = node_create(key_bits_at(key, ofs, n), n, ofs + n == plen);

        if (link) {
            rcu_assign(link, node);
        } else {
            top = node;
        }
        ofs += n;
        if (ofs < plen) {
            link = &node->edge[key_bit(key, ofs)];
        }
    }
    return top;
}

/* Replaces 'node' by a parent with its first 'c' bits, and the branch to the new prefix beside it.
 */
static void
node_split(RCU_PTR(struct cls_trie_node) * link, struct cls_trie_node *node, unsigned c,
           const uint32_t *key, unsigned ofs, unsigned plen)
{
    uint32_t rest = shift_left(node->bits, c);
    uint32_t head = c ? node->bits & ~(c == 32 ? 0 : UINT32_MAX >> c) : 0;
    struct cls_trie_node *parent = node_create(head, c, ofs + c == plen);
    struct cls_trie_node *child = node_create(rest, node_n_bits(node) - c, node_n_here(node));

    for (int i = 0; i < 2; i++) {
        rcu_assign(&child->edge[i], rcu_get_protected(&node->edge[i]));
    }
    rcu_assign(&parent->edge[rest >> 31], child);
    if (ofs + c < plen) {
        rcu_assign(&parent->edge[key_bit(key, ofs + c)], branch_create(key, ofs + c, plen));
    }
    rcu_assign(link, parent);
    rcu_free(node);
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

        unsigned n = MIN(node_n_bits(node), plen - ofs);
        unsigned c = common_bits(node->bits, key_bits_at(key, ofs, n), n);
        if (c < node_n_bits(node)) {
            node_split(link, node, c, key, ofs, plen);
            return;
        }
        ofs += c;
        if (ofs == plen) {
            atomic_fetch_add_explicit(&node->count, COUNT_ONE, memory_order_release);
            return;
        }
        link = &node->edge[key_bit(key, ofs)];
    }
}

/* Takes away a node that counts nothing any more, or joins it with its only child. */
static bool
node_prune(RCU_PTR(struct cls_trie_node) * link)
{
    struct cls_trie_node *node = rcu_get_protected(link);
    struct cls_trie_node *a = rcu_get_protected(&node->edge[0]);
    struct cls_trie_node *b = rcu_get_protected(&node->edge[1]);
    struct cls_trie_node *child = a ? a : b;

    if (node_n_here(node) || (a && b)) {
        return false;
    }
    if (!child) {
        rcu_assign(link, NULL);
        rcu_free(node);
        return true;
    }
    if (node_n_bits(node) + node_n_bits(child) > 32) {
        return false;
    }

    uint32_t below = node_n_bits(node) == 32 ? 0 : child->bits >> node_n_bits(node);
    struct cls_trie_node *joined =
        node_create(node->bits | below, node_n_bits(node) + node_n_bits(child), node_n_here(child));
    for (int i = 0; i < 2; i++) {
        rcu_assign(&joined->edge[i], rcu_get_protected(&child->edge[i]));
    }
    rcu_assign(link, joined);
    rcu_free(node);
    rcu_free(child);
    return false;
}

void
cls_trie_remove(struct cls_trie *trie, const uint32_t *key, unsigned plen)
{
    RCU_PTR(struct cls_trie_node) * links[CLS_TRIE_MAX_BITS + 2];
    RCU_PTR(struct cls_trie_node) *link = &trie->root;
    unsigned ofs = 0, depth = 0;

    for (;;) {
        struct cls_trie_node *node = rcu_get_protected(link);

        if (!node || node_n_bits(node) > plen - ofs ||
            node->bits != key_bits_at(key, ofs, node_n_bits(node))) {
            return; /* Not there: nothing was counted. */
        }
        links[depth++] = link;
        ofs += node_n_bits(node);
        if (ofs == plen) {
            if (node_n_here(node)) {
                atomic_fetch_sub_explicit(&node->count, COUNT_ONE, memory_order_release);
            }
            break;
        }
        link = &node->edge[key_bit(key, ofs)];
    }

    while (depth > 0 && node_prune(links[depth - 1])) {
        depth--;
    }
}

void
cls_trie_clear(struct cls_trie *trie)
{
    struct cls_trie_node *stack[CLS_TRIE_MAX_BITS + 2];
    unsigned n = 0;
    struct cls_trie_node *root = rcu_get_protected(&trie->root);

    rcu_assign(&trie->root, NULL);
    if (root) {
        stack[n++] = root;
    }
    while (n) {
        struct cls_trie_node *node = stack[--n];

        /* At most one sibling per level waits on the stack, so its depth is bounded. */
        for (int i = 0; i < 2; i++) {
            struct cls_trie_node *child = rcu_get_protected(&node->edge[i]);
            if (child) {
                stack[n++] = child;
            }
        }
        rcu_free(node);
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
        unsigned c =
            common_bits(node->bits, key_bits_at(key, ofs, node_n_bits(node)), node_n_bits(node));

        if (c < node_n_bits(node)) {
            r->n_bits = ofs + c + 1;
            return;
        }
        ofs += c;
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
