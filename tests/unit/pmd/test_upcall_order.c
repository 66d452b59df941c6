// SPDX-License-Identifier: Apache-2.0
//
// Who sees what first between a PMD and a handler (upcall_queue.c).  Here a processor's store
// buffer is as slow as it may be: what the PMD puts into a ring is seen by others after its next
// fence. And a handler comes at the worst moment, just before that.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_ports.h"
#include "packet/build.h"
#include "pmd/ring.h"

static struct rte_ring *late_ring;
static void *late_item;

static void
drain_stores(void)
{
    if (late_ring) {
        ring_put(late_ring, late_item);
        late_ring = NULL;
    }
}

static void
put_late(struct rte_ring *ring, void *item)
{
    drain_stores();
    late_ring = ring;
    late_item = item;
}

static struct dp *datapath;
static bool handler_comes, is_handler;
static unsigned n_taken;

static void
take(void)
{
    struct upcall *up[8];

    is_handler = true;
    unsigned n = upcall_wait(datapath, 0, up, 8, 0);
    upcall_free_all(datapath, up, n);
    n_taken += n;
    is_handler = false;
}

static void
fence(void)
{
    if (is_handler) {
        return; // it has another store buffer
    }
    if (handler_comes) {
        take();
    }
    drain_stores();
}

#undef atomic_thread_fence
#define atomic_thread_fence(ORDER) fence()
#define ring_put put_late
#include "pmd/upcall_queue.c"
#undef ring_put

static void
miss(struct pmd *pmd, uint16_t number)
{
    struct rte_ether_addr src = {{2, 0, 0, 0, 0, 1}}, dst = {{2, 0, 0, 0, 0, 2}};
    uint8_t buf[128];
    struct rte_mbuf *m =
        fake_packet(buf, compose_udp4(buf, sizeof buf, &src, &dst, 1, 2, number, 4, "x", 1));

    fake_pmd_receive(pmd, 1, &m, 1);
}

// The second packet comes while the bit of the first is set, and a handler takes that away.
static void
test_no_packet_stays_behind_the_bit_of_another(void **state)
{
    struct pmd *pmd;

    datapath = dp_create();
    pmd = fake_pmd(datapath);
    upcall_port_add(datapath, 1);
    upcall_set_n_handlers(datapath, 1);
    miss(pmd, 1);
    handler_comes = true;
    miss(pmd, 2);
    handler_comes = false;
    take();
    assert_int_equal(n_taken, 2);
    fake_pmd_free(datapath, pmd);
    dp_destroy(datapath);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_packet_stays_behind_the_bit_of_another),
    };
    return cmocka_run_group_tests(tests, fake_group_start, NULL);
}
