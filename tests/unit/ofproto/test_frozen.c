// SPDX-License-Identifier: Apache-2.0
/*
 * What recirculation goes on with: equal states are one, numbers live as long as somebody needs
 * them, and there is an end to how many there are.
 */
#include "xlate_fixture.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "ofproto/frozen.h"

static struct fx fx;
static struct ofproto *br;

static int
setup(void **state)
{
    fx_init(&fx);
    br = fx_bridge(&fx, "br0");
    return 0;
}

static int
teardown(void **state)
{
    fx_fini(&fx);
    return 0;
}

static struct frozens *
all(void)
{
    return ofprotos_frozens(fx.all);
}

/* A state that is told from others by a register, the stack and an action. */
static struct frozen_state
state_of(uint64_t reg, uint64_t stacked, uint16_t port)
{
    struct frozen_state s = {
        .ofproto = br,
        .macs = ofproto_view(br)->mac_table,
        .bundle = FROZEN_NO_BUNDLE,
    };

    s.pipeline[0] = reg;
    s.left.n_stack = 1;
    s.left.stack = xcalloc(1, sizeof *s.left.stack);
    s.left.stack[0].w[0] = stacked;
    fx_output(&ofp_continuation_add(&s.left, 3, 7)->actions, port);
    return s;
}

static struct frozen *
get_for(uint32_t asking, uint64_t reg)
{
    struct frozen_state s = state_of(reg, 0, 1);

    return frozen_get(all(), asking, &s);
}

static struct frozen *
get(uint64_t reg, uint64_t stacked, uint16_t port)
{
    struct frozen_state s = state_of(reg, stacked, port);

    return frozen_get(all(), 1, &s);
}

static uint32_t
count(void)
{
    return frozens_use(all()).now;
}

static void
test_equal_states_are_one(void **state)
{
    struct frozen *a = get(1, 2, 3), *b = get(1, 2, 3);
    struct frozen *other[] = {get(9, 2, 3), get(1, 9, 3), get(1, 2, 9)};

    assert_ptr_equal(a, b);
    assert_int_equal(a->id, 1);
    assert_int_equal(count(), 4);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(other[i]->id, 2 + i);
        frozen_unref(other[i]);
    }
    assert_ptr_equal(frozen_bridge(a), br);
    frozen_unref(a);
    frozen_unref(b);
}

static void
test_unneeded_state_lingers_then_goes(void **state)
{
    struct frozen *a = get(1, 2, 3), *found;
    uint32_t id = a->id;

    frozen_unref(a);
    found = frozen_find(all(), id); /* a packet on its way */
    assert_ptr_equal(found, a);
    frozens_tidy(all(), clock_now_ms() + 10 * FROZEN_LINGER_MS);
    assert_int_equal(count(), 1); /* needed */
    frozen_unref(found);
    a = get(1, 2, 3); /* translated anew */
    assert_int_equal(a->id, id);
    frozen_unref(a);
    frozens_tidy(all(), clock_now_ms());
    assert_int_equal(count(), 1);
    frozens_tidy(all(), clock_now_ms() + FROZEN_LINGER_MS + 1);
    assert_int_equal(count(), 0);
    assert_null(frozen_find(all(), id));
    a = get(1, 2, 3);
    assert_int_not_equal(a->id, id); /* not soon again */
    frozen_unref(a);
}

static void
test_there_is_an_end(void **state)
{
    struct frozen **f = xcalloc(FROZEN_MAX, sizeof(struct frozen *));

    for (uint32_t i = 0; i < FROZEN_MAX; i++) {
        f[i] = get_for(i % 3, i);
        assert_non_null(f[i]);
    }
    uint64_t n_refused = frozens_use(all()).n_refused;
    assert_null(get(FROZEN_MAX, 0, 1));
    assert_int_equal(frozens_use(all()).n_refused, n_refused + 1);
    assert_ptr_equal(get(7, 0, 1), f[7]); /* known ones are still given out */
    frozen_unref(f[7]);
    for (uint32_t i = 0; i < FROZEN_MAX; i++) {
        frozen_unref(f[i]);
    }
    free(f);
    frozens_tidy(all(), clock_now_ms() + FROZEN_LINGER_MS + 1);
    f = NULL;
    frozen_unref(get(FROZEN_MAX, 0, 1));
    assert_int_equal(count(), 1);
    assert_int_equal(frozens_use(all()).now, 1);
    assert_int_equal(frozens_use(all()).most, FROZEN_MAX);
}

static void
test_no_port_takes_all(void **state)
{
    enum { HOSTILE = 5, OTHER = 6, THREE_QUARTERS = FROZEN_MAX / 4 * 3 };
    struct frozen **f = xcalloc(FROZEN_MAX, sizeof(struct frozen *));
    uint64_t n_refused = frozens_use(all()).n_port_refused;
    uint32_t n = 0;

    while ((f[n] = get_for(HOSTILE, n)) != NULL) {
        assert_true(frozens_are_many(all(), HOSTILE) == (n + 1 >= FROZEN_MAX / 2));
        assert_true(frozens_are_many(all(), OTHER) == (n + 1 >= THREE_QUARTERS));
        assert_true(++n <= THREE_QUARTERS);
    }
    assert_int_equal(n, THREE_QUARTERS);
    struct frozens_use use = frozens_use(all());
    assert_int_equal(use.full_port, HOSTILE);
    assert_int_equal(use.of_full_port, n);
    assert_int_equal(use.most_of_port, n);
    assert_int_equal(use.n_port_refused, n_refused + 1);
    /* What it has it keeps, and others share it; what is new is for others. */
    assert_ptr_equal(get_for(OTHER, 7), f[7]);
    frozen_unref(f[7]);
    assert_int_equal(frozens_use(all()).of_full_port, n);
    while (n < FROZEN_MAX) {
        f[n] = get_for(OTHER, n);
        assert_non_null(f[n]);
        n++;
    }
    assert_null(get_for(OTHER, n));
    assert_int_equal(frozens_use(all()).n_port_refused, n_refused + 1);
    while (n) {
        frozen_unref(f[--n]);
    }
    free(f);
    frozens_tidy(all(), clock_now_ms() + FROZEN_LINGER_MS + 1);
    assert_int_equal(frozens_use(all()).of_full_port, 0);
}

/* However many ports take states for as long as they are not told to do without: a quarter is left
 * for those that cannot. */
static void
test_ports_that_can_do_without_leave_a_quarter(void **state)
{
    struct frozen **f = xcalloc(FROZEN_MAX, sizeof(struct frozen *));
    uint32_t n = 0;

    for (uint32_t port = 1; port <= 3; port++) {
        while (!frozens_are_many(all(), port)) {
            assert_true(n < FROZEN_MAX);
            f[n] = get_for(port, n);
            assert_non_null(f[n]);
            n++;
        }
    }
    assert_int_equal(n, FROZEN_MAX / 4 * 3);
    assert_true(frozens_are_many(all(), 4));
    assert_true(frozens_are_many(all(), FROZEN_NO_PORT));
    while (n < FROZEN_MAX) {
        f[n] = get_for(4, n);
        assert_non_null(f[n]);
        n++;
    }
    while (n) {
        frozen_unref(f[--n]);
    }
    free(f);
}

static void
test_no_port_is_no_port(void **state)
{
    struct frozen *f[] = {get_for(FROZEN_NO_PORT, 1), get_for(FROZEN_PORTS - 1, 2),
                          get_for(FROZEN_PORTS - 1, 3)};
    struct frozens_use use = frozens_use(all());

    assert_int_equal(use.full_port, FROZEN_PORTS - 1);
    assert_int_equal(use.of_full_port, 2);
    frozen_unref(f[1]);
    frozen_unref(f[2]);
    frozens_tidy(all(), clock_now_ms() + FROZEN_LINGER_MS + 1);
    use = frozens_use(all());
    assert_int_equal(use.full_port, FROZEN_NO_PORT);
    assert_int_equal(use.of_full_port, 1);
    frozen_unref(f[0]);
}

static void
test_size_is_bounded(void **state)
{
    struct frozen *f[FROZEN_MAX_SIZE / 1000000];
    size_t n = 0;

    for (;;) {
        struct frozen_state s = state_of(n, 0, 1);

        for (int i = 0; i < 65536; i++) {
            fx_output(&s.left.action_set, 1);
        }
        f[n] = frozen_get(all(), n % 3, &s);
        if (!f[n]) {
            break;
        }
        assert_true(++n < ARRAY_SIZE(f));
    }
    assert_true(n > 10);
    while (n) {
        frozen_unref(f[--n]);
    }
}

static void
test_bridge_goes(void **state)
{
    struct frozen *a = get(1, 2, 3);

    ofproto_destroy(br);
    assert_null(frozen_bridge(a));
    frozen_unref(a);
}

struct reader {
    struct frozen *frozen;
    _Atomic bool is_in;
    bool lost;
};

/* Stays in the bridge, as a long translation does, until nobody can find it any more. */
static void *
reader_main(void *reader_)
{
    struct reader *r = reader_;

    atomic_store(&r->is_in, true);
    for (int i = 0; i < 10000 && !r->lost; i++) {
        usleep(1000);
        r->lost = !frozen_bridge(r->frozen);
    }
    return NULL;
}

/* Who finds a bridge after the wait for those that are in it would be in what is being freed. */
static void
test_bridge_is_not_found_while_readers_are_waited_for(void **state)
{
    struct reader r = {.frozen = get(1, 2, 3)};
    pthread_t thread = thread_create("reader", reader_main, &r);

    while (!atomic_load(&r.is_in)) {
        usleep(100);
    }
    ofproto_destroy(br);
    thread_join(thread);
    assert_true(r.lost);
    frozen_unref(r.frozen);
}

/* --- translations ------------------------------------------------------------------------------
 */

static struct frozen *
thaw_of(const struct xlate_out *out)
{
    DP_ACTION_FOREACH (a, out->actions.data, out->actions.size) {
        if (a->type == DP_ACT_RECIRC) {
            return frozen_find(all(), ((const struct dp_act_u32 *)a)->value);
        }
    }
    return NULL;
}

/* mpls: pop_mpls, resubmit(,1).  ip, table 1: output. */
static void
put_mpls_flows(void)
{
    struct ofpacts acts = {0};

    ofpacts_put_struct(&acts, POP_MPLS, struct ofpact_ethertype)->ethertype = ETH_TYPE_IP;
    fx_resubmit(&acts, 1);
    fx_flow_acts(br, 0, "mpls", 1, &acts);
    fx_output(&acts, 2);
    fx_flow_acts(br, 1, "ip,nw_dst=10.0.0.2", 1, &acts);
    ofproto_commit(br);
}

static void
test_megaflow_keeps_its_recirculation(void **state)
{
    struct flow mpls = fx_flow_of("mpls,mpls_bos=1,mpls_ttl=9"),
                ip = fx_flow_of("ip,nw_dst=10.0.0.2");
    struct xlate_in in = {.ofprotos = fx.all, .flow = &mpls, .want_cache = true};
    struct xlate_out first, again, second;
    struct frozen *frozen;

    fx_port(&fx, br, "p1", 1, NULL, NULL);
    fx_port(&fx, br, "p2", 2, NULL, NULL);
    put_mpls_flows();
    mpls.in_port = ip.in_port = 1;
    mpls.mpls_lse[0] |= htonl(MPLS_BOS_MASK);
    xlate(&in, &first);
    frozen = thaw_of(&first);
    assert_non_null(frozen);
    ip.recirc_id = frozen->id;
    frozen_unref(frozen);
    frozens_tidy(all(), clock_now_ms() + FROZEN_LINGER_MS + 1);
    xlate(&in, &again); /* a revalidator: the same number */
    assert_int_equal(first.actions.size, again.actions.size);
    assert_memory_equal(first.actions.data, again.actions.data, again.actions.size);
    xlate_out_fini(&again);
    in.flow = &ip;
    xlate(&in, &second);
    assert_int_equal(second.error, 0);
    assert_int_equal(((const struct dp_act_port *)(const void *)second.actions.data)->port, 2);
    assert_int_equal(second.mask.bits.recirc_id, UINT32_MAX);
    xlate_out_fini(&first); /* the second megaflow needs it by itself */
    frozens_tidy(all(), clock_now_ms() + FROZEN_LINGER_MS + 1);
    assert_int_equal(count(), 1);
    xlate_out_fini(&second);
    frozens_tidy(all(), clock_now_ms() + FROZEN_LINGER_MS + 1);
    assert_int_equal(count(), 0);
    xlate(&in, &second);
    assert_true(second.drop_unknown);
    xlate_out_fini(&second);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_equal_states_are_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unneeded_state_lingers_then_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_there_is_an_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_port_takes_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ports_that_can_do_without_leave_a_quarter, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_no_port_is_no_port, setup, teardown),
        cmocka_unit_test_setup_teardown(test_size_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bridge_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bridge_is_not_found_while_readers_are_waited_for,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_megaflow_keeps_its_recirculation, setup, teardown),
    };

    return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
