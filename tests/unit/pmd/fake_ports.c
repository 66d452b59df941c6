// SPDX-License-Identifier: Apache-2.0
//
// See fake_ports.h.
#include "fake_ports.h"

#include <stdlib.h>

#include "packet/packet.h"

void
fake_start(void)
{
    struct smap cfg = SMAP_INIT;
    char *error = NULL;

    if (!dpdk_started()) {
        smap_put(&cfg, "dpdk-extra", "--no-huge -m 256 --no-pci");
        if (dpdk_start(&cfg, &error)) {
            fprintf(stderr, "EAL: %s\n", error ? error : "failed");
            exit(1);
        }
        smap_destroy(&cfg);
    }
    if (!netdev_default_pool()) {
        fprintf(stderr, "no packet buffers\n");
        exit(1);
    }
}

int
fake_group_start(void **state)
{
    rcu_init(64);
    rcu_thread_register();
    fake_start();
    return 0;
}

struct netdev *
fake_netdev(const char *name, void (*tx)(struct netdev *, uint16_t, struct rte_mbuf **, uint16_t))
{
    struct netdev *netdev = xzalloc(sizeof *netdev);

    netdev->name = xstrdup(name);
    netdev->tx = tx;
    return netdev;
}

void
fake_netdev_free(struct netdev *netdev)
{
    free(netdev->name);
    free(netdev);
}

struct pmd *
fake_pmd(struct dp *dp)
{
    struct pmd *pmd = pmd_create(dp, 1, 1, 0);

    dp_apply_settings(dp, pmd);
    rcu_assign(&dp->pmds[1], pmd);
    return pmd;
}

void
fake_pmd_free(struct dp *dp, struct pmd *pmd)
{
    rcu_assign(&dp->pmds[pmd->index], NULL);
    rcu_synchronize();
    pmd_destroy(pmd);
}

void
fake_pmd_connect(struct pmd *pmd, odp_port_t port, struct netdev *netdev)
{
    struct tx_port *tx = xzalloc(sizeof *tx);

    tx->netdev = netdev;
    tx->odp = port;
    rcu_assign(&pmd->tx[port], tx);
}

static void
finish_iteration(struct pmd *pmd)
{
    recirc_drain(pmd);
    pmd_run_inline_upcalls(pmd);
    pmd_run_side_work(pmd);
    pmd_flush_all(pmd);
    pmd_refresh_time(pmd);
    rcu_quiesce();
}

void
fake_pmd_receive(struct pmd *pmd, odp_port_t in_port, struct rte_mbuf **m, unsigned n)
{
    struct burst *b = &pmd->burst;

    pmd_obey(pmd);
    memcpy(b->m, m, n * sizeof *m);
    b->n = n;
    b->in_port = in_port;
    pmd_input(pmd, b);
    finish_iteration(pmd);
}

void
fake_pmd_settle(struct pmd *pmd)
{
    for (int i = 0; i < 64; i++) {
        pmd_obey(pmd);
        finish_iteration(pmd);
    }
}

struct rte_mbuf *
fake_packet(const void *data, uint32_t size)
{
    struct rte_mbuf *m = packet_from_bytes(netdev_default_pool(), data, size);

    if (!m) {
        abort();
    }
    return m;
}
