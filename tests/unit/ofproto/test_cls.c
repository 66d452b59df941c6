// SPDX-License-Identifier: Apache-2.0
/*
 * The classifier against a slow, obvious twin: a list of all rules.  Random rules come and go in
 * random versions; each random packet must get a rule of the twin's priority, and every packet that
 * agrees with it in the reported bits must get the same rule.  A reader in another thread must see
 * whole versions only.
 */
#include "cls_rules.h"

#include <pthread.h>

#include "base/random.h"
#include "base/thread.h"

enum { MAX_RULES = 300 };

struct twin {
    struct cls *cls;
    struct twin_rule rules[MAX_RULES];
    size_t n;
};

static void
random_match(struct match *m)
{
    static const uint8_t lens[] = {0, 0, 8, 10, 16, 24, 25, 30, 31, 32};
    struct flow f;

    random_flow(&f);
    match_init_any(m);
    if (random_range(2)) {
        m->mask.bits.ofp_in_port = UINT32_MAX;
    }
    if (!random_range(4)) {
        m->mask.bits.regs[3] = random_range(2) ? 1 : UINT32_MAX;
    }
    if (random_range(3)) {
        m->mask.bits.dl_type = UINT16_MAX;
    }
    if (!random_range(4)) {
        m->mask.bits.vlans[0].tci = htobe16_(0x1fff);
    }
    if (!random_range(4)) {
        memset(&m->mask.bits.dl_dst, 0xff, 6);
    }
    m->mask.bits.nw_src = prefix32(lens[random_range(ARRAY_SIZE(lens))]);
    m->mask.bits.nw_dst =
        random_range(6) ? prefix32(lens[random_range(ARRAY_SIZE(lens))]) : htobe32_(0x000000ff);
    if (!random_range(4)) {
        memset(&m->mask.bits.ipv6_src, 0xff, random_range(3) * 8);
    }
    if (random_range(2)) {
        m->mask.bits.nw_proto = UINT8_MAX;
        m->mask.bits.tp_dst = random_range(2) ? UINT16_MAX : random_range(2) ? htobe16_(0xfffc) : 0;
        m->mask.bits.tp_src = random_range(3) ? 0 : UINT16_MAX;
        m->mask.bits.tcp_flags = random_range(5) ? 0 : htobe16_(1);
    }
    for (unsigned w = 0; w < FLOW_WORDS; w++) {
        m->flow.w[w] = f.w[w] & m->mask.bits.w[w];
    }
}

static int
twin_best(const struct twin *t, cls_version_t v, const struct flow *f)
{
    int best = -1;

    for (size_t i = 0; i < t->n; i++) {
        if (cls_rule_is_visible(t->rules[i].rule, v) && matches(&t->rules[i].match, f)) {
            best = MAX(best, t->rules[i].rule->priority);
        }
    }
    return best;
}

static void
twin_unlink(struct twin *t, size_t i)
{
    cls_unlink(t->cls, t->rules[i].rule);
    cls_publish(t->cls);
    rcu_defer(rule_destroy, t->rules[i].rule);
    t->rules[i] = t->rules[--t->n];
}

static void
twin_add_match(struct twin *t, cls_version_t v, int priority, struct match m)
{
    if (t->n >= MAX_RULES || cls_find_exactly(t->cls, v, &m, priority)) {
        return;
    }
    t->rules[t->n].match = m;
    t->rules[t->n].rule = rule_create(&m);
    cls_insert(t->cls, t->rules[t->n++].rule, &m, priority, v);
    cls_publish(t->cls);
}

static void
twin_add(struct twin *t, cls_version_t v, int priority)
{
    struct match m;

    random_match(&m);
    twin_add_match(t, v, priority, m);
}

/* 'f' gets what the twin finds, and so do packets that agree with it in the reported bits. */
static void
check_flow(const struct twin *t, cls_version_t v, const struct flow *f)
{
    struct flow_mask wc = {0};
    struct flow g;
    const struct cls_rule *r = cls_lookup(t->cls, v, f, &wc);

    assert_int_equal(r ? r->priority : -1, twin_best(t, v, f));
    assert_ptr_equal(cls_lookup(t->cls, v, f, NULL), r);
    for (int i = 0; i < 4; i++) {
        if (i < 2) {
            random_flow(&g);
        } else {
            for (unsigned w = 0; w < FLOW_WORDS; w++) {
                g.w[w] = i == 2 ? random_u64() : ~f->w[w];
            }
        }
        for (unsigned w = 0; w < FLOW_WORDS; w++) {
            g.w[w] = (f->w[w] & wc.bits.w[w]) | (g.w[w] & ~wc.bits.w[w]);
        }
        assert_ptr_equal(cls_lookup(t->cls, v, &g, NULL), r);
    }
}

static void
check_packet(const struct twin *t, cls_version_t v)
{
    struct flow f;

    random_flow(&f);
    check_flow(t, v, &f);
}

static void
agrees_with_a_linear_twin(void **state)
{
    for (int round = 0; round < 30; round++) {
        struct twin *t = xzalloc(sizeof *t);
        cls_version_t v = CLS_VERSION_MIN;
        int n_wanted = 1 + (int)random_range(MAX_RULES);

        t->cls = cls_create();
        for (int step = 0; step < 400; step++, v++) {
            if ((int)t->n < n_wanted || random_range(2)) {
                twin_add(t, v, (int)random_range(2000));
            } else {
                size_t i = random_range((uint32_t)t->n);
                if (random_range(2)) {
                    cls_mark_removed(t->rules[i].rule, v);
                } else {
                    twin_unlink(t, i);
                }
            }
            check_packet(t, v);
            check_packet(t, v - 1 - random_range(3));
            rcu_quiesce();
        }
        while (t->n) {
            twin_unlink(t, random_range((uint32_t)t->n));
            check_packet(t, v);
        }
        assert_int_equal(cls_n_subtables(t->cls), 0);
        cls_destroy(t->cls);
        rcu_quiesce();
        free(t);
    }
}

/* Fields of which a rule may look at any bits, and how long they are. */
static const struct {
    size_t ofs, size;
} hostile_fields[] = {
#define FIELD(NAME)                                                   \
    {                                                                 \
        offsetof(struct flow, NAME), sizeof(((struct flow *)0)->NAME) \
    }
    FIELD(metadata),     FIELD(regs[3]),   FIELD(dl_src),     FIELD(dl_dst),
    FIELD(vlans[0].tci), FIELD(nw_src),    FIELD(nw_dst),     FIELD(nw_tos),
    FIELD(ipv6_src),     FIELD(ipv6_dst),  FIELD(ipv6_label), FIELD(tp_src),
    FIELD(tp_dst),       FIELD(tcp_flags), FIELD(arp_tha),    FIELD(nd_target),
#undef FIELD
};

/* A prefix of any length, any bits, or all. */
static void
hostile_mask(uint8_t *mask, size_t size)
{
    unsigned kind = random_range(4), n_bits = random_range((uint32_t)size * 8 + 1);

    for (unsigned i = 0; i < size * 8; i++) {
        if (kind == 0 ? random_range(2) != 0 : kind == 1 || i < n_bits) {
            mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
        }
    }
}

/* Any bits of some fields; or the match of another rule, at another priority. */
static void
hostile_match(const struct twin *t, struct match *m)
{
    uint64_t values[] = {0, UINT64_MAX, UINT64_C(0xa5a5a5a5a5a5a5a5), random_u64()};

    if (t->n && !random_range(3)) {
        *m = t->rules[random_range((uint32_t)t->n)].match;
        return;
    }
    match_init_any(m);
    for (size_t i = 0; i < ARRAY_SIZE(hostile_fields); i++) {
        if (!random_range(4)) {
            hostile_mask((uint8_t *)&m->mask.bits + hostile_fields[i].ofs, hostile_fields[i].size);
        }
    }
    for (unsigned w = 0; w < FLOW_WORDS; w++) {
        m->flow.w[w] = values[random_range(ARRAY_SIZE(values))] & m->mask.bits.w[w];
    }
}

/* A packet that some rule takes, or would but for a bit or two. */
static void
hostile_flow(const struct twin *t, struct flow *f)
{
    const struct match *m = t->n ? &t->rules[random_range((uint32_t)t->n)].match : NULL;

    for (unsigned w = 0; w < FLOW_WORDS; w++) {
        uint64_t mask = m ? m->mask.bits.w[w] : 0;

        f->w[w] = (m ? m->flow.w[w] : 0) | (random_u64() & ~mask);
    }
    for (uint32_t n = random_range(3); n; n--) {
        const size_t i = random_range(ARRAY_SIZE(hostile_fields));
        const uint32_t bit = random_range((uint32_t)hostile_fields[i].size * 8);

        ((uint8_t *)f)[hostile_fields[i].ofs + bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* Masks that no sane table has: hundreds of them, few rules of each, many priorities of one match.
 */
static void
agrees_with_the_twin_about_hostile_rules(void **state)
{
    for (int round = 0; round < 20; round++) {
        struct twin *t = xzalloc(sizeof *t);
        cls_version_t v = CLS_VERSION_MIN;

        t->cls = cls_create();
        for (int step = 0; step < 500; step++, v++) {
            struct flow f;
            size_t i = random_range((uint32_t)t->n + 1);

            if (step < 350 || i == t->n) {
                struct match m;

                hostile_match(t, &m);
                twin_add_match(t, v, (int)random_range(round % 2 ? 65536 : 8), m);
            } else if (random_range(2)) {
                cls_mark_removed(t->rules[i].rule, v);
            } else {
                twin_unlink(t, i);
            }
            for (int j = 0; j < 3; j++) {
                hostile_flow(t, &f);
                check_flow(t, v - random_range(2), &f);
            }
            rcu_quiesce();
        }
        while (t->n) {
            twin_unlink(t, 0);
        }
        assert_int_equal(cls_n_subtables(t->cls), 0);
        cls_destroy(t->cls);
        rcu_quiesce();
        free(t);
    }
}

static void
a_masked_port_reports_few_bits(void **state)
{
    struct cls *cls = cls_create();
    struct flow_mask wc = {0};
    struct match m;
    struct flow f = {0};

    match_init_any(&m);
    m.mask.bits.dl_type = UINT16_MAX;
    m.flow.dl_type = htobe16_(ETH_TYPE_IP);
    m.mask.bits.tp_dst = UINT16_MAX;
    m.flow.tp_dst = htobe16_(80);
    struct cls_rule *r = rule_create(&m);
    cls_insert(cls, r, &m, 5, 1);
    cls_publish(cls);

    f.dl_type = htobe16_(ETH_TYPE_IP);
    f.tp_dst = htobe16_(0x8050);
    assert_null(cls_lookup(cls, 1, &f, &wc));
    assert_int_equal(wc.bits.tp_dst, htobe16_(0x8000));

    /* A miss in an early stage says nothing about ports. */
    memset(&wc, 0, sizeof wc);
    f.dl_type = htobe16_(ETH_TYPE_ARP);
    assert_null(cls_lookup(cls, 1, &f, &wc));
    assert_int_equal(wc.bits.tp_dst, 0);
    assert_int_equal(wc.bits.dl_type, UINT16_MAX);
    cls_unlink(cls, r);
    rule_destroy(r);
    cls_destroy(cls);
    rcu_quiesce();
}

static void
a_prefix_that_is_not_there_costs_its_first_different_bit(void **state)
{
    struct cls *cls = cls_create();
    struct flow_mask wc = {0};
    struct match m;
    struct flow f = {0};

    match_init_any(&m);
    m.mask.bits.nw_dst = prefix32(24);
    m.flow.nw_dst = htobe32_(0x0a010200);
    struct cls_rule *r = rule_create(&m);
    cls_insert(cls, r, &m, 5, 1);
    cls_publish(cls);
    f.nw_dst = htobe32_(0x0b010203);
    assert_null(cls_lookup(cls, 1, &f, &wc));
    assert_int_equal(wc.bits.nw_dst, prefix32(8));
    cls_unlink(cls, r);
    rule_destroy(r);
    cls_destroy(cls);
    rcu_quiesce();
}

static void
overlap_means_same_priority_and_a_common_packet(void **state)
{
    struct cls *cls = cls_create();
    struct match a, b;

    match_init_any(&a);
    a.mask.bits.nw_dst = prefix32(24);
    a.flow.nw_dst = htobe32_(0x0a010200);
    struct cls_rule *r = rule_create(&a);
    cls_insert(cls, r, &a, 5, 1);
    cls_publish(cls);
    match_init_any(&b);
    b.mask.bits.tp_dst = UINT16_MAX;
    assert_true(cls_overlaps(cls, 1, &b, 5));
    assert_false(cls_overlaps(cls, 1, &b, 6));
    assert_false(cls_overlaps(cls, 0, &b, 5));
    b.mask.bits.nw_dst = prefix32(16);
    b.flow.nw_dst = htobe32_(0x0b010000);
    assert_false(cls_overlaps(cls, 1, &b, 5));
    assert_false(cls_overlaps(cls, 1, &a, 5));
    cls_unlink(cls, r);
    rule_destroy(r);
    cls_destroy(cls);
    rcu_quiesce();
}

static bool
count_rule(struct cls_rule *r, void *n_)
{
    (*(size_t *)n_)++;
    return true;
}

static void
loose_visits_what_is_within(void **state)
{
    struct twin *t = xzalloc(sizeof *t);

    t->cls = cls_create();
    for (int i = 0; i < 250; i++) {
        twin_add(t, 1, i);
    }
    for (int i = 0; i < 200; i++) {
        struct match m;
        size_t n = 0, expected = 0;

        random_match(&m);
        cls_visit_loose(t->cls, 1, &m, count_rule, &n);
        for (size_t j = 0; j < t->n; j++) {
            bool within = true;
            for (unsigned w = 0; w < FLOW_WORDS; w++) {
                const struct match *r = &t->rules[j].match;
                within = within && !(m.mask.bits.w[w] & ~r->mask.bits.w[w]) &&
                         (r->flow.w[w] & m.mask.bits.w[w]) == m.flow.w[w];
            }
            expected += within;
        }
        assert_int_equal(n, expected);
    }
    while (t->n) {
        twin_unlink(t, 0);
    }
    cls_destroy(t->cls);
    free(t);
    rcu_quiesce();
}

static bool
count_some(struct cls_rule *r, void *left_)
{
    return --*(size_t *)left_ > 0;
}

/* Those whose mask has a bit in common; no more than are wanted. */
static void
looking_visits_masks_that_do(void **state)
{
    struct twin *t = xzalloc(sizeof *t);

    t->cls = cls_create();
    for (int i = 0; i < 250; i++) {
        twin_add(t, i % 5 ? 1 : 2, i);
    }
    for (int i = 0; i < 200; i++) {
        struct match m;
        size_t n = 0, expected = 0;

        random_match(&m);
        cls_visit_looking(t->cls, 1, i ? &m.mask : NULL, count_rule, &n);
        for (size_t j = 0; j < t->n; j++) {
            bool looks = !i;

            for (unsigned w = 0; w < FLOW_WORDS; w++) {
                looks |= (m.mask.bits.w[w] & t->rules[j].match.mask.bits.w[w]) != 0;
            }
            expected += looks && cls_rule_is_visible(t->rules[j].rule, 1);
        }
        assert_int_equal(n, expected);
        if (expected > 1) {
            n = expected - 1;
            cls_visit_looking(t->cls, 1, i ? &m.mask : NULL, count_some, &n);
            assert_int_equal(n, 0); /* not one less */
        }
    }
    while (t->n) {
        twin_unlink(t, 0);
    }
    cls_destroy(t->cls);
    free(t);
    rcu_quiesce();
}

/* A writer moves one high rule over all others in each version: a reader that stays at a version
 * must see exactly one of priority 1000. */
struct shared {
    struct cls *cls;
    _Atomic cls_version_t version;
    _Atomic bool stop;
    _Atomic unsigned n_errors, n_lookups;
};

static void *
reader_main(void *s_)
{
    struct shared *s = s_;

    while (!atomic_load(&s->stop)) {
        cls_version_t v = atomic_load(&s->version);
        unsigned n_seen = 0;

        for (unsigned i = 0; i < 16; i++) {
            struct flow f = {0};
            f.tp_dst = htobe16_((uint16_t)i);
            const struct cls_rule *r = cls_lookup(s->cls, v, &f, NULL);
            n_seen += r && r->priority == 1000;
        }
        if (n_seen != 1) {
            atomic_fetch_add(&s->n_errors, 1);
        }
        atomic_fetch_add(&s->n_lookups, 1);
        rcu_quiesce();
    }
    return NULL;
}

static void
readers_see_whole_versions(void **state)
{
    struct shared s = {.cls = cls_create(), .version = 1};
    struct cls_rule *old[64] = {NULL};
    struct match m;
    pthread_t reader;

    rcu_init(8);
    rcu_thread_register();
    match_init_any(&m);
    m.mask.bits.tp_dst = UINT16_MAX;
    struct cls_rule *rule = rule_create(&m);
    cls_insert(s.cls, rule, &m, 1000, 1);
    cls_publish(s.cls);
    reader = thread_create("reader", reader_main, &s);
    for (unsigned i = 1; i < 20000 || atomic_load(&s.n_lookups) < 1000; i++) {
        cls_version_t next = i + 1;

        m.flow.tp_dst = htobe16_((uint16_t)(i % 16));
        cls_mark_removed(rule, next);
        old[i % 64] = rule;
        rule = rule_create(&m);
        cls_insert(s.cls, rule, &m, 1000, next);
        atomic_store(&s.version, next);
        if (i % 64 == 63) {
            rcu_synchronize();
            for (unsigned j = 0; j < 64; j++) {
                if (old[j]) {
                    cls_unlink(s.cls, old[j]);
                    rcu_defer(rule_destroy, old[j]);
                    old[j] = NULL;
                }
            }
        }
    }
    atomic_store(&s.stop, true);
    thread_join(reader);
    assert_int_equal(s.n_errors, 0);
    for (unsigned j = 0; j < 64; j++) {
        if (old[j]) {
            cls_unlink(s.cls, old[j]);
            rcu_defer(rule_destroy, old[j]);
        }
    }
    cls_unlink(s.cls, rule);
    rcu_defer(rule_destroy, rule);
    cls_destroy(s.cls);
    rcu_thread_unregister();
    rcu_fini();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_linear_twin),
        cmocka_unit_test(agrees_with_the_twin_about_hostile_rules),
        cmocka_unit_test(a_masked_port_reports_few_bits),
        cmocka_unit_test(a_prefix_that_is_not_there_costs_its_first_different_bit),
        cmocka_unit_test(overlap_means_same_priority_and_a_common_packet),
        cmocka_unit_test(loose_visits_what_is_within),
        cmocka_unit_test(looking_visits_masks_that_do),
        cmocka_unit_test(readers_see_whole_versions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
