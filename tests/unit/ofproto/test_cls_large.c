// SPDX-License-Identifier: Apache-2.0
/*
 * A large classifier: thousands of masks, masks that rules raise one by one, and 100,000 rules of
 * an ACL.  Each packet must get the best rule, which is looked for in a list of all.
 */
#include "cls_rules.h"

#include "base/random.h"

/* Thousands of masks at once: one array of them, empty ones gone with the next. */
static void
many_masks_are_ordered_at_once(void **state)
{
    enum { N = 4000 };
    struct cls *cls = cls_create();
    struct cls_rule **rules = xcalloc(N, sizeof *rules);
    struct flow f = {0};

    for (int i = 0; i < N; i++) {
        struct match m;

        match_init_any(&m);
        m.mask.bits.metadata = (uint64_t)i + 1;
        rules[i] = rule_create(&m);
        cls_insert(cls, rules[i], &m, (int)((unsigned)i * 2654435761u % 65536), 1);
    }
    assert_null(cls_lookup(cls, 1, &f, NULL)); /* Not before it is published. */
    for (int n = N; n > 0; n -= N / 8) {
        int best = -1;

        cls_publish(cls);
        assert_int_equal(cls_n_subtables(cls), n);
        for (int i = 0; i < n; i++) {
            best = MAX(best, rules[i]->priority);
        }
        assert_int_equal(cls_lookup(cls, 1, &f, NULL)->priority, best);
        for (int i = n - N / 8; i < n; i++) {
            cls_unlink(cls, rules[i]);
            rcu_defer(rule_destroy, rules[i]);
        }
    }
    cls_publish(cls);
    assert_null(cls_lookup(cls, 1, &f, NULL));
    assert_int_equal(cls_n_subtables(cls), 0);
    cls_destroy(cls);
    free(rules);
    rcu_quiesce();
}

/* Rules that come one by one to hundreds of masks, most of them above all before: few of them may
 * cost a copy of the whole order, and each packet gets the best. */
static void
single_rules_raise_masks(void **state)
{
    enum { N_MASKS = 500, N = 3000 };
    struct cls *cls = cls_create();
    struct twin_rule *rules = xcalloc(N, sizeof *rules);
    const struct cls_order_base *base = NULL;
    unsigned n_copies = 0, n_short = 0;

    for (int i = 0; i < N; i++) {
        struct twin_rule *r = &rules[i];
        int priority = random_range(4) ? 20 * i : (int)random_range(60000);

        match_init_any(&r->match);
        r->match.mask.bits.metadata = htobe64(1 + random_range(N_MASKS));
        r->match.flow.metadata = htobe64(random_range(1024)) & r->match.mask.bits.metadata;
        r->rule = rule_create(&r->match);
        cls_insert(cls, r->rule, &r->match, priority, 1);
        if (i > 5 && !random_range(5)) {
            cls_mark_removed(rules[i - 5].rule, 1);
        }
        cls_publish(cls);
        n_copies += rcu_get_protected(&cls->order)->base != base;
        base = rcu_get_protected(&cls->order)->base;
        n_short += rcu_get_protected(&cls->order)->n_raised != 0;

        struct flow f = {.metadata = htobe64(random_range(1024))};
        const struct cls_rule *got = cls_lookup(cls, 1, &f, NULL);
        size_t n_all = 0, n_expected = 0;
        int best = -1;
        for (int j = 0; j <= i; j++) {
            if (cls_rule_is_visible(rules[j].rule, 1) && matches(&rules[j].match, &f)) {
                best = MAX(best, rules[j].rule->priority);
                n_expected++;
            }
        }
        assert_int_equal(got ? got->priority : -1, best);
        free(cls_lookup_all(cls, 1, &f, NULL, &n_all));
        assert_int_equal(n_all, n_expected);
        rcu_quiesce();
    }
    assert_true(n_short > N / 2);
    assert_true(n_copies < N / 4);
    for (int i = 0; i < N; i++) {
        cls_unlink(cls, rules[i].rule);
        cls_publish(cls);
        rcu_defer(rule_destroy, rules[i].rule);
    }
    assert_int_equal(cls_n_subtables(cls), 0);
    cls_destroy(cls);
    free(rules);
    rcu_quiesce();
}

struct acl {
    uint32_t src, src_mask, dst, dst_mask;
    uint16_t tp_src, tp_src_mask, tp_dst, tp_dst_mask;
};

static struct acl
random_acl(void)
{
    static const uint8_t src[] = {0, 16, 20, 24, 28, 32}, dst[] = {0, 16, 24, 26, 30, 32};
    struct acl a = {.src_mask = prefix32(src[random_range(6)]),
                    .dst_mask = prefix32(dst[random_range(6)])};

    a.src = random_u32() & a.src_mask;
    a.dst = random_u32() & a.dst_mask;
    if (random_range(2)) {
        a.tp_dst_mask = UINT16_MAX;
        a.tp_dst = htobe16_((uint16_t)random_range(5));
    }
    if (!random_range(3)) {
        a.tp_src_mask = UINT16_MAX;
        a.tp_src = (uint16_t)random_u32();
    }
    return a;
}

static void
acl_match(const struct acl *a, struct match *m)
{
    match_init_any(m);
    m->mask.bits.ofp_in_port = UINT32_MAX;
    m->flow.ofp_in_port = 1;
    m->mask.bits.dl_type = UINT16_MAX;
    m->flow.dl_type = htobe16_(ETH_TYPE_IP);
    m->mask.bits.nw_proto = UINT8_MAX;
    m->flow.nw_proto = IP_PROTO_UDP;
    m->mask.bits.nw_src = a->src_mask;
    m->flow.nw_src = a->src;
    m->mask.bits.nw_dst = a->dst_mask;
    m->flow.nw_dst = a->dst;
    m->mask.bits.tp_src = a->tp_src_mask;
    m->flow.tp_src = a->tp_src;
    m->mask.bits.tp_dst = a->tp_dst_mask;
    m->flow.tp_dst = a->tp_dst;
}

static bool
acl_takes(const struct acl *a, const struct flow *f)
{
    return (f->nw_src & a->src_mask) == a->src && (f->nw_dst & a->dst_mask) == a->dst &&
           (f->tp_src & a->tp_src_mask) == a->tp_src && (f->tp_dst & a->tp_dst_mask) == a->tp_dst;
}

// A flow that the rule takes, so that narrow rules are found too; the rest of it is chance.
static void
flow_near(const struct acl *a, struct flow *f)
{
    random_flow(f);
    f->ofp_in_port = 1;
    f->dl_type = htobe16_(ETH_TYPE_IP);
    f->nw_proto = IP_PROTO_UDP;
    f->nw_src = a->src | (random_u32() & ~a->src_mask);
    f->nw_dst = a->dst | (random_u32() & ~a->dst_mask);
    f->tp_src = a->tp_src | ((uint16_t)random_u32() & (uint16_t)~a->tp_src_mask);
    f->tp_dst = a->tp_dst | ((uint16_t)random_u32() & (uint16_t)~a->tp_dst_mask);
}

static void
finds_the_best_of_100000_acl_rules(void **state)
{
    enum { N = 100000, TRIES = 300 };
    struct cls *cls = cls_create();
    struct cls_rule **rules = xcalloc(N, sizeof *rules);
    struct acl *acls = xcalloc(N, sizeof *acls);

    for (int i = 0; i < N; i++) {
        struct match m;

        acls[i] = random_acl();
        acl_match(&acls[i], &m);
        rules[i] = rule_create(&m);
        cls_insert(cls, rules[i], &m, i, 1);
        cls_publish(cls);
    }
    for (int i = 0; i < TRIES; i++) {
        struct flow_mask wc = {0};
        struct flow f;
        int best = N - 1;

        flow_near(&acls[random_range(N)], &f);
        while (!acl_takes(&acls[best], &f)) {
            best--;
        }
        assert_ptr_equal(cls_lookup(cls, 1, &f, &wc), rules[best]);
    }
    for (int i = 0; i < N; i++) {
        cls_unlink(cls, rules[i]);
        rcu_defer(rule_destroy, rules[i]);
    }
    cls_destroy(cls);
    free(acls);
    free(rules);
    rcu_quiesce();
}

enum { N_TOGETHER = 3000 };

/* Packets near rules get the best of them. */
static void
check_acls(const struct cls *cls, const struct acl *acls, struct cls_rule *const *rules)
{
    for (int i = 0; i < 500; i++) {
        struct flow_mask wc = {0};
        int best = N_TOGETHER - 1;
        struct flow f;

        flow_near(&acls[random_range(N_TOGETHER)], &f);
        while (!acl_takes(&acls[best], &f)) {
            best--;
        }
        assert_ptr_equal(cls_lookup(cls, 1, &f, &wc), rules[best]);
    }
}

/* All rules go at once, and what they left behind is in nobody's way: neither of a rule that was
 * made before and is linked afterwards, nor of the same rules when they come again. */
static void
all_rules_go_at_once(void **state)
{
    struct cls *cls = cls_create();
    struct cls_rule **rules = xcalloc(N_TOGETHER, sizeof *rules);
    struct acl *acls = xcalloc(N_TOGETHER, sizeof *acls);
    struct flow f;

    for (int i = 0; i < N_TOGETHER; i++) {
        acls[i] = random_acl();
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N_TOGETHER; i++) {
            struct match m;

            /* Some have equal matches. */
            acl_match(&acls[i % 100 ? i : 0], &m);
            acls[i] = acls[i % 100 ? i : 0];
            rules[i] = rule_create(&m);
            if (i) {
                cls_insert(cls, rules[i], &m, i, 1);
            } else {
                cls_rule_init(cls, rules[i], &m, i, 1);
            }
        }
        assert_int_equal(cls_n_rules(cls), N_TOGETHER - 1);
        cls_link_many(cls, &rules[0], 1);
        cls_publish(cls);
        check_acls(cls, acls, rules);

        struct cls_rule *early;
        struct match m;
        acl_match(&acls[0], &m);
        early = rule_create(&m);
        cls_rule_init(cls, early, &m, 7, 1);
        cls_unlink_all(cls);
        cls_publish(cls);
        assert_int_equal(cls_n_rules(cls), 0);
        for (int t = 0; t < CLS_N_TRIES; t++) {
            assert_null(rcu_get_protected(&cls->tries[t].root));
        }
        assert_int_equal(cls_n_subtables(cls), 1); /* The mask of the rule that is not linked. */
        for (int i = 0; i < N_TOGETHER; i++) {
            rcu_defer(rule_destroy, rules[i]);
            flow_near(&acls[i], &f);
            assert_null(cls_lookup(cls, 1, &f, NULL));
        }
        rcu_barrier();
        cls_link_many(cls, &early, 1);
        cls_publish(cls);
        flow_near(&acls[0], &f);
        assert_ptr_equal(cls_lookup(cls, 1, &f, NULL), early);
        cls_unlink(cls, early);
        cls_publish(cls);
        assert_int_equal(cls_n_subtables(cls), 0);
        rcu_defer(rule_destroy, early);
    }
    cls_destroy(cls);
    free(acls);
    free(rules);
    rcu_quiesce();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_masks_are_ordered_at_once),
        cmocka_unit_test(single_rules_raise_masks),
        cmocka_unit_test(all_rules_go_at_once),
        cmocka_unit_test(finds_the_best_of_100000_acl_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
