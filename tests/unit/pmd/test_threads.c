// SPDX-License-Identifier: Apache-2.0
//
// The datapath with its real threads: two PMDs, a handler, and main changing everything it can
// while traffic runs.  Nothing may be lost without being counted: what the sources made equals what
// the sinks saw plus what the drop counters say.  Built with -Dc_args=-fsanitize=thread this is the
// race test.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/coverage.h"
#include "base/random.h"
#include "base/thread.h"
#include "fake_ports.h"
#include "netdev/netdev_provider.h"
#include "packet/build.h"

enum { N_QUEUES = 3, N_SINKS = 2, N_STEPS = 150, DRAIN_MS_MAX = 60000 };

static struct {
    struct dp *dp;
    struct rte_mbuf *frames[64];
    _Atomic bool run;
    _Atomic uint64_t n_made, n_seen;
    _Atomic bool polled[2][N_QUEUES]; // someone is in rx: two at once is the bug
    _Atomic unsigned n_double;
    odp_port_t sink[N_SINKS];
} world;

// --- devices --------------------------------------------------------------------------------

static uint16_t
source_rx(struct netdev *netdev, uint16_t qid, struct rte_mbuf **m)
{
    unsigned source = netdev->name[3] == '1';
    uint16_t n = (uint16_t)random_range(BURST_MAX + 1);

    if (atomic_exchange(&world.polled[source][qid], true)) {
        atomic_fetch_add(&world.n_double, 1);
    }
    if (!atomic_load(&world.run)) {
        n = 0;
    }
    uint16_t made = 0;
    for (; made < n; made++) {
        m[made] = rte_pktmbuf_copy(world.frames[random_range(ARRAY_SIZE(world.frames))],
                                   netdev_default_pool(), 0, UINT32_MAX);
        if (!m[made]) {
            break;
        }
    }
    atomic_fetch_add(&world.n_made, made);
    atomic_store(&world.polled[source][qid], false);
    return made;
}

static void
sink_tx(struct netdev *netdev, uint16_t qid, struct rte_mbuf **m, uint16_t n)
{
    atomic_fetch_add(&world.n_seen, n);
    rte_pktmbuf_free_bulk(m, n);
}

static int
fake_reconfigure(struct netdev *netdev, uint16_t n_txq, char **errorp)
{
    netdev->queues.n_rxq = netdev->rx ? N_QUEUES : 1;
    netdev->queues.n_txq = n_txq;
    netdev->queues.numa_id = -1;
    return 0;
}

static const struct netdev_class fake_class = {
    .type = "fake", .poll = NETDEV_POLL_SPIN, .reconfigure = fake_reconfigure};

static uint16_t
nothing_rx(struct netdev *netdev, uint16_t qid, struct rte_mbuf **m)
{
    return 0;
}

static struct netdev *
make_device(const char *name, bool source)
{
    struct netdev *netdev = fake_netdev(name, sink_tx);

    netdev->class = &fake_class;
    netdev->type = (char *)"fake";
    netdev->ethdev_id = NETDEV_NO_ETHDEV;
    netdev->rx = source ? source_rx : nothing_rx;
    return netdev;
}

static odp_port_t
add(struct netdev *netdev, odp_port_t wanted)
{
    odp_port_t odp;
    char *error = NULL;

    assert_int_equal(dp_port_add(world.dp, netdev, wanted, &odp, &error), 0);
    return odp;
}

// --- the slow path --------------------------------------------------------------------------

static void
answer(struct upcall *up)
{
    struct dp_actions actions = {0};
    struct flow_mask mask;
    struct flow flow;

    memset(&mask, 0, sizeof mask);
    mask.bits.w[0] = UINT64_MAX;
    FLOW_MASK_SET(&mask, nw_src);
    if (random_range(2)) {
        FLOW_MASK_SET(&mask, tp_src);
    }
    flow_from_key(&up->key, &flow);
    if (flow.recirc_id == 0 && (flow.nw_src >> 24 & 3) == 0) {
        dp_put_recirc(&actions, 5);
    } else {
        dp_put_output(&actions, world.sink[flow.nw_src >> 24 & 1]);
    }
    struct dp_flow_put put = {
        .key = &flow, .mask = &mask, .shape = up->key.map, .actions = &actions, .replace = true};
    dp_flow_put(world.dp, &put, NULL);
    dp_inject(world.dp, up->pmd_index, &up->mbuf, 1, &up->key, &actions);
    up->mbuf = NULL;
    upcall_free(world.dp, up);
    dp_actions_fini(&actions);
}

static _Atomic bool handler_stop;

static void *
handler_main(void *arg)
{
    struct upcall *up[64];

    while (!atomic_load(&handler_stop)) {
        unsigned n = upcall_wait(world.dp, 0, up, ARRAY_SIZE(up), 50);
        for (unsigned i = 0; i < n; i++) {
            answer(up[i]);
        }
        rcu_quiesce();
    }
    return NULL;
}

// --- the test -------------------------------------------------------------------------------

static bool
delete_half(struct dp *dp, struct dp_flow *f, void *aux)
{
    struct dp_flow_stats stats;

    if (random_range(2)) {
        dp_flow_del(dp, f, &stats);
    }
    return true;
}

static void
configure(const char *mask, const char *assign, bool smc)
{
    struct smap cfg = SMAP_INIT;

    smap_put(&cfg, "pmd-cpu-mask", mask);
    smap_put(&cfg, "pmd-rxq-assign", assign);
    smap_put(&cfg, "smc-enable", smc ? "true" : "false");
    smap_put_format(&cfg, "emc-insert-inv-prob", "%u", random_range(3));
    smap_put_format(&cfg, "emc-entries", "%u", 1024u << random_range(5));
    smap_put_format(&cfg, "tx-flush-interval", "%u", random_range(2) * 100);
    dp_set_config(world.dp, &cfg);
    smap_destroy(&cfg);
}

static uint64_t
n_drops(void)
{
    static const char *const names[] = {
#define DROP(NAME, COUNTER) #COUNTER,
#include "pmd/drop.def"
#undef DROP
    };
    uint64_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        uint64_t value = 0;
        coverage_read(names[i], &value);
        n += value;
    }
    return n;
}

static void
change_something(unsigned step, struct netdev *extra)
{
    static const char *const masks[] = {"1", "3", "2"};
    static const char *const assigns[] = {"cycles", "roundrobin", "group"};

    switch (step % 6) {
    case 0:
        configure(masks[random_range(3)], assigns[random_range(3)], random_range(2));
        break;
    case 1:
    case 2:
        dp_flow_walk(world.dp, 0, 1, delete_half, NULL);
        break;
    case 3: {
        odp_port_t odp = add(extra, 20);
        usleep(2000);
        dp_port_del(world.dp, odp);
        break;
    }
    case 4: {
        char *error = NULL;
        assert_int_equal(dp_port_reconfigure(world.dp, world.sink[1], &error), 0);
        break;
    }
    case 5:
        megaflows_tidy(&world.dp->mf, INT64_MAX / 2);
        rxq_schedule(world.dp, true);
        break;
    }
    rcu_quiesce();
}

// Until every packet made has been seen or counted as dropped, or the deadline says that it will
// not be.
static void
wait_until_drained(uint64_t drops_before)
{
    rcu_offline();
    for (unsigned ms = 0; ms < DRAIN_MS_MAX; ms++) {
        if (atomic_load(&world.n_made) == atomic_load(&world.n_seen) + n_drops() - drops_before) {
            break;
        }
        usleep(1000);
    }
    rcu_online();
}

static void
test_nothing_is_lost_while_everything_changes(void **state)
{
    uint64_t drops = n_drops();

    world.dp = dp_create();
    configure("3", "cycles", true);
    struct netdev *sources[2] = {make_device("src0", true), make_device("src1", true)};
    struct netdev *sinks[N_SINKS] = {make_device("dst0", false), make_device("dst1", false)};
    struct netdev *extra = make_device("ext0", false);
    world.sink[0] = add(sinks[0], 11);
    world.sink[1] = add(sinks[1], 12);
    upcall_set_n_handlers(world.dp, 1);
    pthread_t handler = thread_create("handler", handler_main, NULL);
    atomic_store(&world.run, true);
    add(sources[0], 1);
    add(sources[1], 2);
    for (unsigned step = 0; step < N_STEPS; step++) {
        change_something(step, extra);
        rcu_offline();
        usleep(5000);
        rcu_online();
    }
    atomic_store(&world.run, false);
    wait_until_drained(drops);
    atomic_store(&handler_stop, true);
    upcall_wake(world.dp);
    thread_join(handler);
    assert_true(dp_n_flows(world.dp) > 0);
    dp_destroy(world.dp);
    assert_int_equal(atomic_load(&world.n_double), 0);
    assert_true(atomic_load(&world.n_made) > 1000);
    assert_int_equal(atomic_load(&world.n_made), atomic_load(&world.n_seen) + n_drops() - drops);
    for (unsigned i = 0; i < 2; i++) {
        fake_netdev_free(sources[i]);
        fake_netdev_free(sinks[i]);
    }
    fake_netdev_free(extra);
    assert_int_equal(rte_mempool_in_use_count(netdev_default_pool()), ARRAY_SIZE(world.frames));
}

// Nobody who knows how one start hashes knows how another does: keys that collide in one do not in
// the next, by more than chance.
static void
test_each_datapath_has_hashes_of_its_own(void **state)
{
    enum { N = 64, MASK = 0xfff, WORDS = 4 };
    struct dp *a = dp_create(), *b = dp_create();
    uint64_t all[WORDS] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}, w[WORDS] = {0};
    unsigned n_found = 0, n_same = 0;
    uint32_t first = key_hash(w, all, WORDS, &a->secret, 0) & MASK;
    uint32_t in_b = key_hash(w, all, WORDS, &b->secret, 0) & MASK;

    assert_memory_not_equal(&a->secret, &b->secret, sizeof a->secret);
    while (n_found < N) {
        w[n_found % WORDS]++;
        if ((key_hash(w, all, WORDS, &a->secret, 0) & MASK) == first) {
            n_found++;
            n_same += (key_hash(w, all, WORDS, &b->secret, 0) & MASK) == in_b;
        }
    }
    assert_in_range(n_same, 0, 3);
    dp_destroy(a);
    dp_destroy(b);
}

static int
start(void **state)
{
    struct rte_ether_addr src = {{2, 0, 0, 0, 0, 1}}, dst = {{2, 0, 0, 0, 0, 2}};
    uint8_t buf[128], payload[18] = {0};

    fake_group_start(state);
    for (unsigned i = 0; i < ARRAY_SIZE(world.frames); i++) {
        uint32_t size =
            compose_udp4(buf, sizeof buf, &src, &dst, rte_cpu_to_be_32(i), rte_cpu_to_be_32(9),
                         (uint16_t)(i * 7), 9, payload, sizeof payload);
        world.frames[i] = fake_packet(buf, size);
    }
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_datapath_has_hashes_of_its_own),
        cmocka_unit_test(test_nothing_is_lost_while_everything_changes),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
