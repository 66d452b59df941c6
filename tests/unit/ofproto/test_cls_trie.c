// SPDX-License-Identifier: Apache-2.0
/*
 * The trie of prefixes against a slow, obvious twin: an array of them.  For random keys it must
 * name exactly the lengths at which a prefix matches, and every key that agrees in the bits that it
 * says decided that must get the same answer.
 */
#include "../unit.h"

#include "base/random.h"
#include "ofproto/cls_trie.h"

enum { MAX_PREFIXES = 200 };

struct prefix {
    uint32_t key[4];
    unsigned plen;
};

struct twin {
    struct cls_trie trie;
    unsigned n_bits; /* of keys */
    struct prefix prefixes[MAX_PREFIXES];
    size_t n;
};

static void
keep_bits(uint32_t key[4], unsigned n)
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned left = n > 32 * i ? MIN(n - 32 * i, 32u) : 0;

        key[i] &= left == 32 ? UINT32_MAX : ~(UINT32_MAX >> left);
    }
}

/* Keys that often share long beginnings. */
static void
random_key(const struct twin *t, uint32_t key[4])
{
    unsigned shared = random_range(t->n_bits + 1);

    for (unsigned i = 0; i < 4; i++) {
        key[i] = 32 * i < t->n_bits ? random_u32() : 0;
    }
    if (t->n && random_range(4)) {
        uint32_t head[4];

        memcpy(head, t->prefixes[random_range((uint32_t)t->n)].key, sizeof head);
        keep_bits(head, shared);
        for (unsigned b = 0; b < shared; b++) {
            key[b / 32] &= ~(UINT32_C(1) << (31 - b % 32));
        }
        for (unsigned i = 0; i < 4; i++) {
            key[i] |= head[i];
        }
    }
}

static bool
has_prefix(const struct prefix *p, const uint32_t key[4])
{
    uint32_t head[4];

    memcpy(head, key, sizeof head);
    keep_bits(head, p->plen);
    return !memcmp(head, p->key, sizeof head);
}

static void
check_key(const struct twin *t, const uint32_t key[4], unsigned *n_bits)
{
    struct cls_trie_result r;
    bool has[CLS_TRIE_MAX_BITS + 1] = {false};

    cls_trie_lookup(&t->trie, key, t->n_bits, &r);
    for (size_t i = 0; i < t->n; i++) {
        has[t->prefixes[i].plen] |= has_prefix(&t->prefixes[i], key);
    }
    for (unsigned plen = 1; plen <= t->n_bits; plen++) {
        assert_int_equal(cls_trie_result_has(&r, plen), has[plen]);
    }
    assert_true(r.n_bits <= t->n_bits);
    *n_bits = r.n_bits;
}

/* The answer for 'key' holds for whatever differs from it only behind the bits that decided. */
static void
check_lookup(const struct twin *t)
{
    struct cls_trie_result a, b;
    uint32_t key[4], other[4];
    unsigned n_bits;

    random_key(t, key);
    check_key(t, key, &n_bits);
    memcpy(other, key, sizeof other);
    for (unsigned i = n_bits; i < t->n_bits; i++) {
        other[i / 32] ^= random_range(2) << (31 - i % 32);
    }
    cls_trie_lookup(&t->trie, key, t->n_bits, &a);
    cls_trie_lookup(&t->trie, other, t->n_bits, &b);
    assert_memory_equal(a.plens, b.plens, sizeof a.plens);
}

static void
add(struct twin *t)
{
    struct prefix *p = &t->prefixes[t->n];

    random_key(t, p->key);
    p->plen = 1 + random_range(t->n_bits);
    keep_bits(p->key, p->plen);
    if (random_range(2)) {
        struct cls_trie_prefix warm = {.trie = &t->trie, .plen = p->plen};

        memcpy(warm.key, p->key, sizeof warm.key);
        cls_trie_warm(&warm, 1);
    }
    cls_trie_insert(&t->trie, p->key, p->plen);
    t->n++;
}

static void
del(struct twin *t)
{
    size_t i = random_range((uint32_t)t->n);

    cls_trie_remove(&t->trie, t->prefixes[i].key, t->prefixes[i].plen);
    t->prefixes[i] = t->prefixes[--t->n];
}

static void
agrees_with_an_array(void **state)
{
    static const unsigned sizes[] = {32, 128, 16};

    for (int round = 0; round < 60; round++) {
        struct twin *t = xzalloc(sizeof *t);
        size_t wanted = 1 + random_range(MAX_PREFIXES);

        t->n_bits = sizes[round % 3];
        for (int step = 0; step < 600; step++) {
            if (t->n < MAX_PREFIXES && (!t->n || random_range(t->n < wanted ? 4 : 2))) {
                add(t);
            } else {
                del(t);
            }
            check_lookup(t);
            rcu_quiesce();
        }
        while (t->n) {
            del(t);
            check_lookup(t);
        }
        assert_null(rcu_get_protected(&t->trie.root)); /* Nothing is left behind. */
        rcu_quiesce();
        free(t);
    }
}

static void
removing_what_is_not_there_changes_nothing(void **state)
{
    struct cls_trie trie = {NULL};
    struct cls_trie_result r;
    uint32_t key[4] = {0x0a000000}, other[4] = {0x0a800000};

    cls_trie_insert(&trie, key, 8);
    cls_trie_remove(&trie, other, 9);
    cls_trie_remove(&trie, key, 7);
    cls_trie_lookup(&trie, key, 32, &r);
    assert_true(cls_trie_result_has(&r, 8));
    cls_trie_clear(&trie);
    assert_null(rcu_get_protected(&trie.root));
    rcu_quiesce();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_an_array),
        cmocka_unit_test(removing_what_is_not_there_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
