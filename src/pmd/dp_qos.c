// SPDX-License-Identifier: Apache-2.0
//
// Which policers a port has.  Main thread; PMDs find them in their receive queues and send buffers.
// A setting that did not change keeps its buckets as full as they are.
#include <errno.h>
#include <stdlib.h>

#include "pmd/dp_int.h"
#include "pmd/policer.h"

// Every queue and send buffer of the port, as dp_port.c gives them to new ones.
static void
publish(struct dp *dp, struct dp_port *port)
{
    for (unsigned i = 0; i < port->n_rxq; i++) {
        rcu_assign(&port->rxqs[i]->policer, port->rx_policer);
    }
    for (unsigned i = 0; i < PMD_MAX; i++) {
        struct pmd *pmd = rcu_get_protected(&dp->pmds[i]);
        struct tx_port *tx = pmd ? rcu_get_protected(&pmd->tx[port->odp]) : NULL;

        if (tx) {
            rcu_assign(&tx->policer, port->tx_policer);
        }
    }
}

void
dp_port_set_ingress_policing(struct dp *dp, odp_port_t odp, const struct dp_ingress_policing *cfg)
{
    struct dp_port *port = dp_port_find(dp, odp);
    struct policer *old;

    if (!port || !memcmp(&port->ingress, cfg, sizeof *cfg)) {
        return;
    }
    old = port->rx_policer;
    port->ingress = *cfg;
    port->rx_policer = policer_create_ingress(cfg);
    publish(dp, port);
    policer_free_deferred(old);
}

static bool
qos_is_as(const struct dp_port *port, const struct dp_qos *cfg)
{
    const struct dp_qos *old = &port->qos;

    return old->type == cfg->type && !memcmp(&old->rates, &cfg->rates, sizeof cfg->rates) &&
           old->n_queues == cfg->n_queues &&
           (!cfg->n_queues ||
            !memcmp(port->qos_queues, cfg->queues, cfg->n_queues * sizeof *cfg->queues));
}

int
dp_port_set_qos(struct dp *dp, odp_port_t odp, const struct dp_qos *cfg)
{
    struct dp_port *port = dp_port_find(dp, odp);
    struct policer *old;
    int error;

    if (!port) {
        return -ENODEV;
    }
    if (qos_is_as(port, cfg)) {
        return 0;
    }
    old = port->tx_policer;
    error = policer_create_qos(cfg, &port->tx_policer);
    free(port->qos_queues);
    port->qos_queues = xmemdup(cfg->queues, cfg->n_queues * sizeof *cfg->queues);
    port->qos = *cfg;
    port->qos.queues = port->qos_queues;
    publish(dp, port);
    policer_free_deferred(old);
    return error;
}

const struct dp_qos *
dp_port_qos(const struct dp *dp, odp_port_t odp)
{
    static const struct dp_qos none;
    struct dp_port *port = dp_port_find(dp, odp);

    return port && port->tx_policer ? &port->qos : &none;
}

bool
dp_port_queue_stats(const struct dp *dp, odp_port_t odp, uint32_t queue,
                    struct dp_queue_stats *stats)
{
    struct dp_port *port = dp_port_find(dp, odp);

    return port && port->tx_policer && policer_queue_stats(port->tx_policer, queue, stats);
}
