// SPDX-License-Identifier: Apache-2.0
//
// A lane's sieve leaves out no subtable that holds a match, while flows and masks come and go, and
// leaves few where the masks are those of the published attack.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "pmd/megaflow.h"

enum { SHAPE = 0x1f, LONG_SHAPE = 0x1ffff, N_FLOWS = 2000, IN_PORT = 1 };

struct fixture {
    struct key_secret secret;
    struct megaflows mf;
    struct dp_actions actions;
};

static int
setup(void **state)
{
    struct fixture *fx = xzalloc_cacheline(sizeof *fx);

    rcu_thread_register();
    random_bytes(&fx->secret, sizeof fx->secret);
    megaflows_init(&fx->mf, &fx->secret);
    *state = fx;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *fx = *state;

    for (uint32_t slot = 1; slot < fx->mf.high_slot; slot++) {
        megaflow_del(&fx->mf, &fx->mf.slab[slot]);
    }
    rcu_barrier();
    megaflows_fini(&fx->mf);
    dp_actions_fini(&fx->actions);
    free(fx);
    rcu_thread_unregister();
    return 0;
}

static int
put(struct fixture *fx, const struct flow *key, const struct flow_mask *mask, uint64_t shape,
    struct dp_flow **f)
{
    struct dp_flow_put p = {.key = key, .mask = mask, .shape = shape, .actions = &fx->actions};

    return megaflow_put(&fx->mf, &p, f);
}

static const struct lane_view *
view_of(struct fixture *fx, uint64_t shape)
{
    struct lane *lane = megaflow_find_lane(&fx->mf, IN_PORT, shape);

    return lane ? rcu_get(&lane->view) : NULL;
}

static void
words_of(const struct flow *f, uint64_t shape, uint64_t *w)
{
    uint32_t n = 0;

    for (uint64_t map = shape & ~UINT64_C(1); map; map &= map - 1) {
        w[n++] = f->w[__builtin_ctzll(map)];
    }
}

// Subtables with a match, each asked; none of them may be missing from the sieve's.
static unsigned
check_packet(struct fixture *fx, const struct flow *packet, uint64_t shape)
{
    const struct lane_view *v = view_of(fx, shape);
    uint64_t w[FLOW_KEY_MAX], left;
    uint32_t n = (uint32_t)__builtin_popcountll(shape) - 1;
    unsigned n_found = 0;

    if (!v || !v->sieve) {
        return 0;
    }
    words_of(packet, shape, w);
    left = sieve_subtables(v->sieve, w);
    for (uint32_t i = 0; i < v->n_subtables; i++) {
        const struct subtable *st = v->subtables[i];
        uint32_t hash = key_hash(w, st->mask, n, &fx->secret, st->basis);
        if (subtable_find(st, fx->mf.slab, w, n, hash)) {
            assert_true(left >> i & 1);
            n_found++;
        }
    }
    return n_found;
}

// As check_packet(), of a sieve that is not in use.
static unsigned
check_sieve(struct fixture *fx, const struct sieve *s, const struct flow *packet, uint64_t shape)
{
    const struct lane_view *v = view_of(fx, shape);
    uint32_t n = (uint32_t)__builtin_popcountll(shape) - 1;
    uint64_t w[FLOW_KEY_MAX];
    unsigned n_found = 0;

    words_of(packet, shape, w);
    for (uint32_t i = 0; i < v->n_subtables; i++) {
        const struct subtable *st = v->subtables[i];
        uint32_t hash = key_hash(w, st->mask, n, &fx->secret, st->basis);
        if (subtable_find(st, fx->mf.slab, w, n, hash)) {
            assert_true(sieve_subtables(s, w) >> i & 1);
            n_found++;
        }
    }
    return n_found;
}

static void
random_packet(struct flow *f)
{
    memset(f, 0, sizeof *f);
    for (unsigned i = 1; i < 20; i++) {
        f->w[i] = random_u64() & UINT64_C(0x0303030303030303);
    }
    f->in_port = IN_PORT;
}

// Of 60 masks, each with bits of its own from anywhere.
static void
random_mask(struct flow_mask *m)
{
    uint64_t bits = (random_range(60) + 1) * UINT64_C(0x9e3779b97f4a7c15);

    memset(m, 0, sizeof *m);
    m->bits.w[0] = UINT64_MAX;
    for (unsigned i = 1; i < 20; i++) {
        bits = bits * UINT64_C(0xd1342543de82ef95) + 1;
        m->bits.w[i] = bits & bits >> 17 & UINT64_C(0x0303030303030303);
    }
}

static void
check_no_match_is_left_out(struct fixture *fx, uint64_t shape)
{
    struct dp_flow **flows = xcalloc(N_FLOWS, sizeof *flows);
    unsigned n = 0, n_found = 0, n_most = N_FLOWS, n_sieved = 0;
    const struct sieve *last = NULL;
    int64_t now_ms = 0;

    for (int step = 0; step < 60000; step++) {
        struct flow packet;
        random_packet(&packet);
        if (step % 10000 == 0) {
            n_most = step / 10000 % 2 ? 3 : N_FLOWS; // many masks go, then come again
        }
        if (n > n_most || (n && random_range(16) == 0)) {
            unsigned i = random_range(n);
            assert_true(megaflow_del(&fx->mf, flows[i]));
            flows[i] = flows[--n];
        } else if (n < n_most && random_range(4) == 0) {
            struct flow_mask mask;
            random_mask(&mask);
            n += !put(fx, &packet, &mask, shape, &flows[n]);
        } else if (random_range(500) == 0) {
            megaflows_tidy(&fx->mf, now_ms);
        }
        n_found += check_packet(fx, &packet, shape);
        const struct lane_view *v = view_of(fx, shape);
        n_sieved += v && v->sieve && v->sieve != last;
        last = v ? v->sieve : NULL;
        rcu_quiesce();
    }
    assert_true(n_found > 1000);
    assert_true(n_sieved > 10); // made anew and changed as often
    free(flows);
}

static void
test_no_match_is_left_out(void **state)
{
    check_no_match_is_left_out(*state, SHAPE);
}

// More words than a flow has at hand.
static void
test_no_match_of_a_long_shape_is_left_out(void **state)
{
    check_no_match_is_left_out(*state, LONG_SHAPE);
}

struct population {
    struct dp_flow **flows;
    struct flow *packets; // one of each flow
    unsigned n, most;
};

static void
population_change(struct fixture *fx, struct population *p)
{
    struct flow_mask mask;

    if (p->n > p->most || (p->n && random_range(8) == 0)) {
        unsigned i = random_range(p->n);
        assert_true(megaflow_del(&fx->mf, p->flows[i]));
        p->flows[i] = p->flows[--p->n];
        p->packets[i] = p->packets[p->n];
    } else if (p->n < p->most) {
        random_packet(&p->packets[p->n]);
        random_mask(&mask);
        p->n += !put(fx, &p->packets[p->n], &mask, SHAPE, &p->flows[p->n]);
    }
    rcu_quiesce();
}

// While a sieve is made a few flows at a time, masks and flows come and go, and flows move.
static void
test_a_sieve_made_in_steps_leaves_no_match_out(void **state)
{
    struct fixture *fx = *state;
    struct population p = {
        .flows = xcalloc(N_FLOWS, sizeof *p.flows),
        .packets = xcalloc(N_FLOWS, sizeof *p.packets),
    };
    unsigned n_made = 0, n_found = 0;

    for (int round = 0; round < 400; round++) {
        struct lane *lane;
        p.most = round % 2 ? 40 : N_FLOWS / 2;
        for (int i = random_range(1500); i >= 0; i--) {
            population_change(fx, &p);
        }
        lane = megaflow_find_lane(&fx->mf, IN_PORT, SHAPE);
        lane->sieve_work = sieve_begin(view_of(fx, SHAPE), fx->mf.slab, lane->n_words - 1);
        p.most = random_range(2) ? 40 : N_FLOWS / 2;
        while (!sieve_step(lane->sieve_work, view_of(fx, SHAPE), fx->mf.slab, 20)) {
            for (int i = random_range(60); i >= 0; i--) {
                population_change(fx, &p);
            }
        }
        struct sieve *s = sieve_end(lane->sieve_work, view_of(fx, SHAPE)->n_subtables);
        lane->sieve_work = NULL;
        for (unsigned i = 0; s && i < p.n; i++) {
            n_found += check_sieve(fx, s, &p.packets[i], SHAPE);
        }
        n_made += s != NULL;
        free(s);
    }
    assert_true(n_made > 50);
    assert_true(n_found > 1000);
    free(p.flows);
    free(p.packets);
}

static struct flow
told_packet(unsigned mask_bit, unsigned value, struct flow_mask *mask)
{
    struct flow packet;

    memset(&packet, 0, sizeof packet);
    memset(mask, 0, sizeof *mask);
    packet.in_port = IN_PORT;
    packet.nw_src = value;
    mask->bits.w[0] = UINT64_MAX;
    mask->bits.nw_src = 0xff;
    mask->bits.nw_dst = UINT32_C(1) << mask_bit;
    return packet;
}

// Flows that were to be looked at next lie among those that were, after their array has shrunk.
static void
test_flows_that_move_meanwhile_are_not_left_out(void **state)
{
    enum { FIRST = 240, KEPT = 10 };
    struct fixture *fx = *state;
    struct dp_flow *flows[FIRST], *f;
    struct flow_mask mask;

    for (unsigned i = 0; i < FIRST; i++) {
        struct flow packet = told_packet(0, i, &mask);
        assert_int_equal(put(fx, &packet, &mask, SHAPE, &flows[i]), 0);
    }
    for (unsigned i = 1; i < 12; i++) {
        struct flow packet = told_packet(i, FIRST + i, &mask);
        assert_int_equal(put(fx, &packet, &mask, SHAPE, &f), 0);
    }
    struct lane *lane = megaflow_find_lane(&fx->mf, IN_PORT, SHAPE);
    lane->sieve_work = sieve_begin(view_of(fx, SHAPE), fx->mf.slab, lane->n_words - 1);
    assert_false(sieve_step(lane->sieve_work, view_of(fx, SHAPE), fx->mf.slab, FIRST / 2));
    for (unsigned i = KEPT; i < FIRST; i++) {
        assert_true(megaflow_del(&fx->mf, flows[i]));
    }
    assert_true(sieve_step(lane->sieve_work, view_of(fx, SHAPE), fx->mf.slab, UINT32_MAX));
    struct sieve *s = sieve_end(lane->sieve_work, view_of(fx, SHAPE)->n_subtables);
    lane->sieve_work = NULL;
    assert_non_null(s);
    for (unsigned i = 0; i < KEPT; i++) {
        struct flow packet = told_packet(0, i, &mask);
        assert_int_equal(check_sieve(fx, s, &packet, SHAPE), 1);
    }
    free(s);
}

static struct flow
many_packet(unsigned i, struct flow_mask *mask)
{
    struct flow packet;

    memset(&packet, 0, sizeof packet);
    memset(mask, 0, sizeof *mask);
    packet.in_port = IN_PORT;
    packet.nw_src = i;
    packet.nw_dst = rte_cpu_to_be_32((i % 32) * 0x01010101);
    mask->bits.w[0] = UINT64_MAX;
    mask->bits.nw_src = UINT32_MAX;
    mask->bits.nw_dst = UINT32_MAX ^ UINT32_C(0x80) << i % 32 / 8 * 8;
    mask->bits.tp_src = (uint16_t)(1 << i % 8);
    return packet;
}

// Masks that come to many flows do not keep others from the lock: the sieve is the keeper's work.
static void
test_a_sieve_of_many_flows_is_for_the_keeper(void **state)
{
    enum { MANY = 10000 };
    struct fixture *fx = *state;
    struct flow_mask mask;

    for (unsigned i = 0; i < MANY; i++) {
        struct flow packet = many_packet(i / 7 * 32 + i % 7, &mask); // of seven masks
        struct dp_flow *f;
        assert_int_equal(put(fx, &packet, &mask, SHAPE, &f), 0);
    }
    for (unsigned i = 7; i < 32; i++) {
        struct flow packet = many_packet(i, &mask);
        struct dp_flow *f;
        assert_int_equal(put(fx, &packet, &mask, SHAPE, &f), 0);
    }
    assert_int_equal(view_of(fx, SHAPE)->n_subtables, 32);
    assert_null(view_of(fx, SHAPE)->sieve);
    megaflows_make_sieves(&fx->mf);
    assert_non_null(view_of(fx, SHAPE)->sieve);
    for (unsigned i = 0; i < MANY; i++) {
        struct flow packet = many_packet(i / 7 * 32 + i % 7, &mask);
        assert_true(check_packet(fx, &packet, SHAPE) > 0);
    }
}

// The first difference from 10.0.0.10 is at 'bit'; noise behind it.
static void
attack_packet(unsigned bit, struct flow *packet)
{
    uint32_t flip = UINT32_C(1) << (31 - bit);

    memset(packet, 0, sizeof *packet);
    packet->in_port = IN_PORT;
    packet->nw_src =
        rte_cpu_to_be_32(((0x0a00000a ^ flip) & ~(flip - 1)) | (random_u32() & (flip - 1)));
    packet->tp_dst = (uint16_t)random_u32();
}

static void
put_attack(struct fixture *fx, struct dp_flow **flows)
{
    for (unsigned bit = 0; bit < 32; bit++) {
        struct flow packet;
        struct flow_mask mask;
        memset(&mask, 0, sizeof mask);
        mask.bits.w[0] = UINT64_MAX;
        mask.bits.nw_src = rte_cpu_to_be_32(UINT32_MAX << (31 - bit));
        attack_packet(bit, &packet);
        assert_int_equal(put(fx, &packet, &mask, SHAPE, &flows[bit]), 0);
    }
}

// Of all subtables, that a packet of each mask has to ask.
static unsigned
attack_left(struct fixture *fx)
{
    const struct lane_view *v = view_of(fx, SHAPE);
    unsigned n = 0;

    for (unsigned bit = 0; bit < 32; bit++) {
        uint64_t w[FLOW_KEY_MAX];
        struct flow packet;
        attack_packet(bit, &packet);
        assert_int_equal(check_packet(fx, &packet, SHAPE), 1);
        words_of(&packet, SHAPE, w);
        n += (unsigned)__builtin_popcountll(sieve_subtables(v->sieve, w));
    }
    return n;
}

static void
test_prefixes_of_the_attack_are_told_apart(void **state)
{
    struct fixture *fx = *state;
    struct dp_flow *flows[32];

    put_attack(fx, flows);
    assert_non_null(view_of(fx, SHAPE)->sieve);
    megaflows_tidy(&fx->mf, 0);
    assert_int_equal(attack_left(fx), 32); // one each
}

// What flows have left behind when they went is gone with the next round of the keeper.
static void
test_flows_that_went_are_forgotten(void **state)
{
    struct fixture *fx = *state;
    struct dp_flow *flows[32], *more[1000];
    unsigned n = 0;

    put_attack(fx, flows);
    // Any first byte, under the widest mask of all.
    for (unsigned i = 0; i < 256; i++) {
        struct flow packet;
        struct flow_mask mask;
        memset(&mask, 0, sizeof mask);
        memset(&packet, 0, sizeof packet);
        packet.in_port = IN_PORT;
        packet.nw_src = rte_cpu_to_be_32(i * 0x01010101);
        mask.bits.w[0] = UINT64_MAX;
        mask.bits.nw_src = UINT32_MAX;
        n += !put(fx, &packet, &mask, SHAPE, &more[n]);
    }
    assert_true(attack_left(fx) > 48);
    while (n) {
        assert_true(megaflow_del(&fx->mf, more[--n]));
    }
    megaflows_tidy(&fx->mf, 0);
    assert_int_equal(attack_left(fx), 32);
}

// Where bytes rule out nothing, subtables are asked without looking at them.
static void
test_masks_that_no_byte_tells_apart_have_none(void **state)
{
    struct fixture *fx = *state;

    for (unsigned i = 0; i < 16; i++) {
        for (unsigned j = 0; j < 1024; j++) {
            struct flow packet;
            struct flow_mask mask;
            struct dp_flow *f;
            memset(&mask, 0, sizeof mask);
            random_packet(&packet);
            packet.nw_src = random_u32();
            packet.nw_dst = random_u32();
            mask.bits.w[0] = UINT64_MAX;
            mask.bits.nw_src = UINT32_MAX ^ UINT32_C(0x01000000) << i % 4;
            mask.bits.nw_dst = UINT32_MAX ^ UINT32_C(0x01000000) << i / 4;
            put(fx, &packet, &mask, SHAPE, &f);
        }
    }
    megaflows_tidy(&fx->mf, 0);
    assert_int_equal(view_of(fx, SHAPE)->n_subtables, 16);
    assert_null(view_of(fx, SHAPE)->sieve);
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_no_match_is_left_out),
        TEST(test_no_match_of_a_long_shape_is_left_out),
        TEST(test_a_sieve_made_in_steps_leaves_no_match_out),
        TEST(test_flows_that_move_meanwhile_are_not_left_out),
        TEST(test_a_sieve_of_many_flows_is_for_the_keeper),
        TEST(test_prefixes_of_the_attack_are_told_apart),
        TEST(test_flows_that_went_are_forgotten),
        TEST(test_masks_that_no_byte_tells_apart_have_none),
    };
#undef TEST

    rcu_init(16);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
