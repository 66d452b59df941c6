// SPDX-License-Identifier: Apache-2.0
//
// Placement of receive queues: policies, pins, isolation, and that a move touches nobody else.  The
// PMDs have no threads: only their lists are looked at.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

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
        rcu_assign(&dp->pmds[i + 1], NULL);
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
        cmocka_unit_test(test_a_pin_isolates_its_core),
        cmocka_unit_test(test_a_new_queue_moves_nobody),
        cmocka_unit_test(test_affinity_text),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
