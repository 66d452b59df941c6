// SPDX-License-Identifier: Apache-2.0
//
// Placement of receive queues: policies, pins, isolation, and that a move touches nobody else.  The
// PMDs have no threads: only their lists are looked at.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fake_ports.h"
#include "netdev/netdev_provider.h"

enum { N_PMDS = 3 };

static struct dp *dp;
static struct pmd *pmds[N_PMDS];
static struct dp_port ports[2];
static struct netdev *devs[2];

static const struct netdev_class spin_class = {.type = "fake", .poll = NETDEV_POLL_SPIN};

// Two ports with three queues each; load[i] is that of queue i counted over both.
static void
make(const uint64_t load[6])
{
    dp = dp_create();
    for (unsigned i = 0; i < N_PMDS; i++) {
        pmds[i] = pmd_create(dp, i + 1, (int)i + 4, 0);
        rcu_assign(&dp->pmds[i + 1], pmds[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        devs[i] = fake_netdev(i ? "b" : "a", NULL);
        devs[i]->class = &spin_class;
        devs[i]->queues.numa_id = -1;
        ports[i] = (struct dp_port){
            .dp = dp, .netdev = devs[i], .odp = i + 1, .n_rxq = 3, .name = devs[i]->name};
        ports[i].rxqs = xcalloc(3, sizeof *ports[i].rxqs);
        for (unsigned q = 0; q < 3; q++) {
            struct rxq *rxq = xzalloc_cacheline(ROUND_UP(sizeof *rxq, 64));
            *rxq = (struct rxq){.port = &ports[i],
                                .netdev = devs[i],
                                .odp = i + 1,
                                .qid = (uint16_t)q,
                                .pmd = PMD_MAX,
                                .pinned_core = -1};
            atomic_store(&rxq->interval[0], load[i * 3 + q]);
            ports[i].rxqs[q] = rxq;
        }
        rcu_assign(&dp->ports[i + 1], &ports[i]);
    }
}

static void
unmake(void)
{
    for (unsigned i = 0; i < 2; i++) {
        rcu_assign(&dp->ports[i + 1], NULL);
    }
    for (unsigned i = 0; i < N_PMDS; i++) {
        fake_pmd_free(dp, pmds[i]);
    }
    dp_destroy(dp);
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned q = 0; q < 3; q++) {
            free(ports[i].rxqs[q]);
        }
        free(ports[i].rxqs);
        fake_netdev_free(devs[i]);
    }
}

static uint64_t
load_of(const struct pmd *pmd)
{
    const struct poll_list *list = rcu_get(&pmd->poll);
    uint64_t sum = 0;

    for (unsigned i = 0; i < list->n; i++) {
        sum += rxq_load(list->rxq[i]);
    }
    return sum;
}

static unsigned
n_of(const struct pmd *pmd)
{
    return rcu_get(&pmd->poll)->n;
}

static void
test_cycles_pairs_heavy_with_light(void **state)
{
    make((uint64_t[]){60, 50, 40, 30, 20, 10});
    rxq_schedule(dp, true);
    for (unsigned i = 0; i < N_PMDS; i++) {
        assert_int_equal(n_of(pmds[i]), 2);
        assert_int_equal(load_of(pmds[i]), 70);
    }
    unmake();
}

static void
test_group_balances_one_heavy_queue(void **state)
{
    make((uint64_t[]){100, 20, 20, 20, 20, 20});
    dp->set.rxq_assign = RXQ_ASSIGN_GROUP;
    rxq_schedule(dp, true);
    // The heavy one is alone; the five light ones share the other two.
    unsigned alone = 0;
    for (unsigned i = 0; i < N_PMDS; i++) {
        alone += load_of(pmds[i]) == 100 && n_of(pmds[i]) == 1;
    }
    assert_int_equal(alone, 1);
    unmake();
}

static void
test_roundrobin_ignores_load(void **state)
{
    make((uint64_t[]){100, 0, 0, 100, 0, 0});
    dp->set.rxq_assign = RXQ_ASSIGN_ROUNDROBIN;
    rxq_schedule(dp, true);
    for (unsigned i = 0; i < N_PMDS; i++) {
        assert_int_equal(n_of(pmds[i]), 2);
    }
    assert_int_equal(load_of(pmds[0]), 200);
    unmake();
}

// Of the queues of 'port', how many this PMD has.
static unsigned
n_of_port(const struct pmd *pmd, const struct dp_port *port)
{
    const struct poll_list *list = rcu_get(&pmd->poll);
    unsigned n = 0;

    for (unsigned i = 0; i < list->n; i++) {
        n += list->rxq[i]->port == port;
    }
    return n;
}

// A guest's queues are polled where its memory is, if anybody polls there.
static void
test_queues_stay_on_their_node(void **state)
{
    static const enum rxq_assign policies[] = {RXQ_ASSIGN_CYCLES, RXQ_ASSIGN_GROUP,
                                               RXQ_ASSIGN_ROUNDROBIN};

    for (unsigned i = 0; i < ARRAY_SIZE(policies); i++) {
        make((uint64_t[]){90, 90, 90, 1, 1, 1});
        dp->set.rxq_assign = policies[i];
        pmds[1]->numa_id = pmds[2]->numa_id = 1;
        devs[0]->queues.numa_id = 0;
        devs[1]->queues.numa_id = 1;
        rxq_schedule(dp, true);
        assert_int_equal(n_of_port(pmds[0], &ports[0]), 3);
        assert_int_equal(n_of(pmds[0]), 3);
        assert_int_equal(n_of_port(pmds[1], &ports[1]) + n_of_port(pmds[2], &ports[1]), 3);
        // It has come again, with its memory elsewhere.
        devs[0]->queues.numa_id = 1;
        rxq_schedule(dp, true);
        assert_int_equal(n_of(pmds[0]), 0);
        // A node without a thread: any is better than none.
        devs[0]->queues.numa_id = 5;
        rxq_schedule(dp, true);
        assert_int_equal(n_of(pmds[0]) + n_of(pmds[1]) + n_of(pmds[2]), 6);
        assert_int_not_equal(n_of(pmds[0]), 0);
        unmake();
    }
}

// Each node's threads take their own turns: what other nodes get between does not disturb them.
static void
test_nodes_take_turns_of_their_own(void **state)
{
    make((uint64_t[]){25, 15, 5, 30, 20, 10});
    pmds[1]->numa_id = pmds[2]->numa_id = 1;
    devs[0]->queues.numa_id = 0;
    devs[1]->queues.numa_id = 1;
    rxq_schedule(dp, true);
    assert_int_equal(load_of(pmds[0]), 45);
    assert_int_equal(load_of(pmds[1]), 30);
    assert_int_equal(load_of(pmds[2]), 30);
    unmake();
}

static void
test_a_pin_isolates_its_core(void **state)
{
    make((uint64_t[]){1, 1, 1, 1, 1, 1});
    ports[0].rxqs[1]->pinned_core = 5;
    rxq_schedule(dp, true);
    assert_true(pmds[1]->isolated);
    assert_int_equal(n_of(pmds[1]), 1);
    assert_ptr_equal(rcu_get(&pmds[1]->poll)->rxq[0], ports[0].rxqs[1]);
    dp->set.rxq_isolate = false;
    rxq_schedule(dp, true);
    assert_false(pmds[1]->isolated);
    assert_true(n_of(pmds[1]) > 1);
    assert_int_equal(n_of(pmds[0]) + n_of(pmds[1]) + n_of(pmds[2]), 6);
    unmake();
}

static void
test_a_new_queue_moves_nobody(void **state)
{
    unsigned before[6];

    make((uint64_t[]){60, 50, 40, 30, 20, 10});
    rxq_schedule(dp, true);
    for (unsigned i = 0; i < 6; i++) {
        before[i] = ports[i / 3].rxqs[i % 3]->pmd;
    }
    ports[1].rxqs[2]->pmd = PMD_MAX;
    atomic_store(&ports[0].rxqs[0]->interval[0], 1000);
    rxq_schedule(dp, false);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(ports[i / 3].rxqs[i % 3]->pmd, before[i]);
    }
    // It went where there is least to do.
    assert_int_not_equal(ports[1].rxqs[2]->pmd, before[0]);
    unmake();
}

// A minute in which 'busy[i]' percent of PMD i's core went away.
static void
note_minute(const unsigned busy[N_PMDS])
{
    uint64_t five_seconds = clock_tsc_hz() * 5;

    for (unsigned i = 0; i < N_PMDS; i++) {
        for (unsigned j = 0; j < RXQ_INTERVALS; j++) {
            atomic_store(&pmds[i]->busy_interval[j], five_seconds * busy[i] / 100);
        }
    }
    atomic_fetch_add(&dp->load_intervals, RXQ_INTERVALS);
}

// The loads of the queues are percents of a core.  The keeper sleeps until unmake_percent().
static void
make_percent(const uint64_t load[6])
{
    uint64_t cycles[6];

    for (unsigned i = 0; i < 6; i++) {
        cycles[i] = clock_tsc_hz() * 60 * load[i] / 100;
    }
    make(cycles);
    pthread_mutex_lock(&dp->keeper_lock);
    for (unsigned i = 0; i < 6; i++) {
        ports[i / 3].rxqs[i % 3]->pmd = pmds[i % 3]->index; // queues i of both ports together
    }
    rxq_publish(dp);
    dp->set.auto_lb = true;
    dp->set.rxq_assign = RXQ_ASSIGN_GROUP;
}

// The first 'n' queues are the first PMD's, the others the second one's.
static void
meet_on_first(unsigned n)
{
    for (unsigned i = 0; i < 6; i++) {
        ports[i / 3].rxqs[i % 3]->pmd = pmds[i >= n]->index;
    }
    rxq_publish(dp);
}

static void
unmake_percent(void)
{
    pthread_mutex_unlock(&dp->keeper_lock);
    unmake();
}

static void
test_auto_lb_moves_off_an_overloaded_pmd(void **state)
{
    make_percent((uint64_t[]){50, 10, 10, 50, 10, 10});
    note_minute((unsigned[]){100, 20, 20});
    dp_run(dp);
    unsigned heavy = 0;
    for (unsigned i = 0; i < N_PMDS; i++) {
        heavy += load_of(pmds[i]) >= load_of(pmds[0]) + clock_tsc_hz() * 60 * 40 / 100;
        assert_true(n_of(pmds[i]) > 0);
    }
    assert_int_equal(heavy, 0);
    assert_int_not_equal(ports[0].rxqs[0]->pmd, ports[1].rxqs[0]->pmd);
    unmake_percent();
}

static void
test_auto_lb_leaves_things_alone(void **state)
{
    static const struct {
        uint64_t load[6];
        unsigned busy[N_PMDS];
        bool on;
        unsigned improvement;
        enum rxq_assign assign;
    } cases[] = {
        // nobody is overloaded
        {{40, 10, 10, 40, 10, 10}, {94, 20, 20}, true, 25, RXQ_ASSIGN_GROUP},
        // not asked for
        {{50, 10, 10, 50, 10, 10}, {100, 20, 20}, false, 25, RXQ_ASSIGN_GROUP},
        // nothing to gain
        {{50, 50, 50, 49, 49, 49}, {99, 99, 99}, true, 25, RXQ_ASSIGN_GROUP},
        // not enough to gain
        {{50, 20, 20, 50, 20, 20}, {100, 40, 40}, true, 100, RXQ_ASSIGN_GROUP},
        // who wants them in turn does not ask for the load
        {{45, 45, 10, 0, 0, 0}, {100, 20, 20}, true, 25, RXQ_ASSIGN_ROUNDROBIN},
    };

    for (unsigned c = 0; c < ARRAY_SIZE(cases); c++) {
        unsigned before[6];
        make_percent(cases[c].load);
        dp->set.auto_lb = cases[c].on;
        dp->set.auto_lb_improvement = cases[c].improvement;
        dp->set.rxq_assign = cases[c].assign;
        if (cases[c].assign == RXQ_ASSIGN_ROUNDROBIN) {
            meet_on_first(4); // in turn they would part
        }
        for (unsigned i = 0; i < 6; i++) {
            before[i] = ports[i / 3].rxqs[i % 3]->pmd;
        }
        note_minute(cases[c].busy);
        dp_run(dp);
        for (unsigned i = 0; i < 6; i++) {
            assert_int_equal(ports[i / 3].rxqs[i % 3]->pmd, before[i]);
        }
        unmake_percent();
    }
}

// An overloaded PMD with one queue cannot be helped, others that have more of them can.
static void
test_auto_lb_helps_who_can_be_helped(void **state)
{
    make_percent((uint64_t[]){100, 60, 0, 0, 30, 0});
    ports[1].rxqs[0]->pmd = pmds[1]->index;
    rxq_publish(dp);
    assert_int_equal(n_of(pmds[0]), 1);
    note_minute((unsigned[]){100, 90, 1});
    dp_run(dp);
    assert_int_not_equal(ports[0].rxqs[1]->pmd, ports[1].rxqs[1]->pmd);
    unmake_percent();
}

// What is far from the mean of all, but cannot leave its node, does not count.
static void
test_auto_lb_compares_on_each_node(void **state)
{
    make_percent((uint64_t[]){33, 33, 33, 30, 20, 10});
    pmds[1]->numa_id = pmds[2]->numa_id = 1;
    devs[0]->queues.numa_id = 0;
    devs[1]->queues.numa_id = 1;
    for (unsigned q = 0; q < 3; q++) {
        ports[0].rxqs[q]->pmd = pmds[0]->index;
        ports[1].rxqs[q]->pmd = pmds[q < 2 ? 1 : 2]->index;
    }
    rxq_publish(dp);
    note_minute((unsigned[]){99, 50, 10});
    dp_run(dp);
    assert_int_equal(n_of(pmds[0]), 3);
    assert_int_equal(n_of(pmds[1]) + n_of(pmds[2]), 3);
    assert_int_not_equal(ports[1].rxqs[0]->pmd, ports[1].rxqs[1]->pmd);
    assert_int_equal(ports[1].rxqs[1]->pmd, ports[1].rxqs[2]->pmd);
    unmake_percent();
}

static void
configure(const char *const pairs[][2], size_t n)
{
    struct smap cfg = SMAP_INIT;

    for (size_t i = 0; i < n; i++) {
        smap_put(&cfg, pairs[i][0], pairs[i][1]);
    }
    dp_set_config(dp, &cfg);
    smap_destroy(&cfg);
}

static void
test_settings_beyond_their_range(void **state)
{
    dp = dp_create();
    configure((const char *const[][2]){{"pmd-auto-lb-load-threshold", "100"},
                                       {"pmd-auto-lb-improvement-threshold", "0"},
                                       {"pmd-auto-lb-rebal-interval", "20000"}},
              3);
    assert_int_equal(dp->set.auto_lb_load, 100);
    assert_int_equal(dp->set.auto_lb_improvement, 0);
    assert_int_equal(dp->set.auto_lb_interval_min, 20000);
    // What is no percentage is as if it were not said.
    configure((const char *const[][2]){{"pmd-auto-lb-load-threshold", "101"},
                                       {"pmd-auto-lb-improvement-threshold", "4000000000"},
                                       {"pmd-auto-lb-rebal-interval", "0"}},
              3);
    assert_int_equal(dp->set.auto_lb_load, 95);
    assert_int_equal(dp->set.auto_lb_improvement, 25);
    assert_int_equal(dp->set.auto_lb_interval_min, 1);
    dp_destroy(dp);
}

static void
test_only_groups_share_a_pinned_core(void **state)
{
    static const char *const assign[] = {"cycles", "roundrobin", "group", "nonsense"};

    dp = dp_create();
    for (size_t i = 0; i < ARRAY_SIZE(assign); i++) {
        configure(
            (const char *const[][2]){{"pmd-rxq-assign", assign[i]}, {"pmd-rxq-isolate", "false"}},
            2);
        assert_int_equal(dp->set.rxq_isolate, i != 2);
    }
    dp_destroy(dp);
}

static void
test_auto_lb_waits_for_its_interval(void **state)
{
    make_percent((uint64_t[]){50, 10, 10, 50, 10, 10});
    dp->set.auto_lb_interval_min = 2;
    note_minute((unsigned[]){100, 20, 20});
    dp_run(dp);
    assert_int_equal(ports[0].rxqs[0]->pmd, ports[1].rxqs[0]->pmd);
    note_minute((unsigned[]){100, 20, 20});
    dp_run(dp);
    assert_int_not_equal(ports[0].rxqs[0]->pmd, ports[1].rxqs[0]->pmd);
    unmake_percent();
}

static void
test_affinity_text(void **state)
{
    assert_int_equal(rxq_affinity_core("0:3,1:7", 0), 3);
    assert_int_equal(rxq_affinity_core("0:3,1:7", 1), 7);
    assert_int_equal(rxq_affinity_core("0:3,1:7", 2), -1);
    assert_int_equal(rxq_affinity_core(" 2 : 9 ", 2), 9);
    assert_int_equal(rxq_affinity_core("rubbish", 0), -1);
    assert_int_equal(rxq_affinity_core("0:", 0), -1);
    assert_int_equal(rxq_affinity_core(NULL, 0), -1);
}

// Machines have more cores than a datapath has threads.
static void
test_cores_beyond_the_number_of_threads(void **state)
{
    struct smap cfg = SMAP_INIT;

    dp = dp_create();
    smap_put(&cfg, "pmd-cpu-mask",
             "0x100"
             "0000000000000000"
             "0000000000000000"
             "0000000000000001");
    smap_put(&cfg, "pmd-sleep-max", "200:7,1024:9");
    dp_set_config(dp, &cfg);
    assert_true(dp->set.pmd_mask_given);
    assert_int_equal(dp->set.pmd_mask[0], 1);
    assert_int_equal(dp->set.pmd_mask[3], 0x100);
    assert_int_equal(dp->set.core_sleep_us[200], 7);
    assert_int_equal(rxq_affinity_core("0:200", 0), 200);
    assert_int_equal(rxq_affinity_core("0:1024", 0), -1);
    smap_destroy(&cfg);
    dp_destroy(dp);
}

static int
start(void **state)
{
    rcu_init(64);
    rcu_thread_register();
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cycles_pairs_heavy_with_light),
        cmocka_unit_test(test_group_balances_one_heavy_queue),
        cmocka_unit_test(test_roundrobin_ignores_load),
        cmocka_unit_test(test_queues_stay_on_their_node),
        cmocka_unit_test(test_nodes_take_turns_of_their_own),
        cmocka_unit_test(test_a_pin_isolates_its_core),
        cmocka_unit_test(test_a_new_queue_moves_nobody),
        cmocka_unit_test(test_auto_lb_moves_off_an_overloaded_pmd),
        cmocka_unit_test(test_auto_lb_leaves_things_alone),
        cmocka_unit_test(test_auto_lb_helps_who_can_be_helped),
        cmocka_unit_test(test_auto_lb_compares_on_each_node),
        cmocka_unit_test(test_auto_lb_waits_for_its_interval),
        cmocka_unit_test(test_settings_beyond_their_range),
        cmocka_unit_test(test_only_groups_share_a_pinned_core),
        cmocka_unit_test(test_affinity_text),
        cmocka_unit_test(test_cores_beyond_the_number_of_threads),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
