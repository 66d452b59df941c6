// SPDX-License-Identifier: Apache-2.0
//
// What is asked of an open device goes to its type here, with the answer for types that have none.
// Main thread only, but where netdev.h says otherwise.
#include "netdev/netdev_provider.h"

#include <errno.h>

#include "base/coverage.h"

COVERAGE_DEFINE(netdev_get_hwaddr);
COVERAGE_DEFINE(netdev_get_ifindex);
COVERAGE_DEFINE(netdev_get_stats);
COVERAGE_DEFINE(netdev_set_hwaddr);

int
netdev_set_config(struct netdev *netdev, const struct smap *options,
                  const struct smap *other_config, bool *needs_reconfigure, char **errorp)
{
    *needs_reconfigure = false;
    *errorp = NULL;
    return netdev->class->set_config != NULL
               ? netdev->class->set_config(netdev, options, other_config, needs_reconfigure, errorp)
               : 0;
}

void
netdev_get_config(const struct netdev *netdev, struct smap *config)
{
    if (netdev->class->get_config != NULL) {
        netdev->class->get_config(netdev, config);
    }
}

int
netdev_reconfigure(struct netdev *netdev, uint16_t n_txq_wanted, char **errorp)
{
    *errorp = NULL;
    atomic_store_explicit(&netdev->wants_reconfigure, false, memory_order_relaxed);
    if (netdev->class->reconfigure == NULL) {
        return 0;
    }
    n_txq_wanted = MIN(MAX(n_txq_wanted, (uint16_t)1), (uint16_t)NETDEV_MAX_TXQ);
    int error = netdev->class->reconfigure(netdev, n_txq_wanted, errorp);
    if (error != 0) {
        netdev->ethdev_id = NETDEV_NO_ETHDEV;
        netdev->rx = netdev_rx_nothing;
        netdev->tx = netdev_tx_nothing;
        if (*errorp == NULL) {
            *errorp =
                xasprintf("could not set up the queues of %s (%s)", netdev->name, err_str(error));
        }
    }
    netdev_changed(netdev);
    return error;
}

bool
netdev_wants_reconfigure(const struct netdev *netdev)
{
    return atomic_load_explicit(&netdev->wants_reconfigure, memory_order_acquire);
}

const struct netdev_queues *
netdev_queues(const struct netdev *netdev)
{
    return &netdev->queues;
}

bool
netdev_rxq_enabled(const struct netdev *netdev, uint16_t qid)
{
    return netdev->class->rxq_enabled == NULL || netdev->class->rxq_enabled(netdev, qid);
}

int
netdev_rxq_length(const struct netdev *netdev, uint16_t qid)
{
    return netdev->class->rxq_length != NULL ? netdev->class->rxq_length(netdev, qid) : -1;
}

int
netdev_rx_fd(const struct netdev *netdev, uint16_t qid)
{
    return netdev->class->rx_fd != NULL ? netdev->class->rx_fd(netdev, qid) : -EOPNOTSUPP;
}

int
netdev_get_mac(const struct netdev *netdev, struct rte_ether_addr *mac)
{
    coverage_inc(netdev_get_hwaddr);
    return netdev->class->get_mac != NULL ? netdev->class->get_mac(netdev, mac) : -EOPNOTSUPP;
}

int
netdev_set_mac(struct netdev *netdev, const struct rte_ether_addr *mac)
{
    int error = netdev->class->set_mac != NULL ? netdev->class->set_mac(netdev, mac) : -EOPNOTSUPP;

    coverage_inc(netdev_set_hwaddr);
    if (error == 0) {
        netdev_changed(netdev);
    }
    return error;
}

int
netdev_get_mtu(const struct netdev *netdev)
{
    return netdev->class->get_mtu != NULL ? netdev->class->get_mtu(netdev) : -EOPNOTSUPP;
}

int
netdev_set_mtu(struct netdev *netdev, int mtu)
{
    int error = netdev->class->set_mtu != NULL ? netdev->class->set_mtu(netdev, mtu) : -EOPNOTSUPP;

    if (error == 0) {
        netdev_changed(netdev);
    }
    return error;
}

int
netdev_get_flags(const struct netdev *netdev)
{
    return netdev->class->get_flags != NULL ? netdev->class->get_flags(netdev) : NETDEV_UP;
}

int
netdev_set_flags(struct netdev *netdev, int off, int on)
{
    int error = netdev->class->set_flags != NULL ? netdev->class->set_flags(netdev, off, on) : 0;

    if (error == 0) {
        netdev_changed(netdev);
    }
    return error;
}

int
netdev_get_ifindex(const struct netdev *netdev)
{
    coverage_inc(netdev_get_ifindex);
    return netdev->class->get_ifindex != NULL ? netdev->class->get_ifindex(netdev) : -EOPNOTSUPP;
}

bool
netdev_get_addresses(const struct netdev *netdev, netdev_address_fn *cb, void *aux)
{
    if (netdev->class->get_addresses == NULL) {
        return false;
    }
    netdev->class->get_addresses(netdev, cb, aux);
    return true;
}

void
netdev_get_link(const struct netdev *netdev, struct netdev_link *link)
{
    *link = (struct netdev_link){.carrier = netdev->class->get_link == NULL};
    if (netdev->class->get_link != NULL) {
        netdev->class->get_link(netdev, link);
    }
}

void
netdev_set_miimon(struct netdev *netdev, int interval_ms)
{
    if (netdev->class->set_miimon != NULL) {
        netdev->class->set_miimon(netdev, interval_ms);
    }
}

void
netdev_get_status(const struct netdev *netdev, struct smap *status)
{
    if (netdev->class->get_status != NULL) {
        netdev->class->get_status(netdev, status);
    }
}

void
netdev_count_policed(struct netdev *netdev, bool rx, uint64_t packets, uint64_t bytes)
{
    if (rx) {
        atomic_fetch_add_explicit(&netdev->policed_rx_packets, packets, memory_order_relaxed);
        atomic_fetch_add_explicit(&netdev->policed_rx_bytes, bytes, memory_order_relaxed);
    } else {
        atomic_fetch_add_explicit(&netdev->policed_tx_packets, packets, memory_order_relaxed);
    }
}

uint64_t
netdev_policed(const struct netdev *netdev, bool rx)
{
    return atomic_load_explicit(rx ? &netdev->policed_rx_packets : &netdev->policed_tx_packets,
                                memory_order_relaxed);
}

uint64_t
netdev_policed_rx_bytes(const struct netdev *netdev)
{
    return atomic_load_explicit(&netdev->policed_rx_bytes, memory_order_relaxed);
}

static void
add_policed(uint64_t *dropped, uint64_t policed)
{
    if (policed) {
        *dropped = (*dropped == UINT64_MAX ? 0 : *dropped) + policed;
    }
}

void
netdev_get_stats(const struct netdev *netdev, struct netdev_stats *stats)
{
    coverage_inc(netdev_get_stats);
    memset(stats, 0xff, sizeof(*stats));
    if (netdev->class->get_stats != NULL) {
        netdev->class->get_stats(netdev, stats);
    }
    add_policed(&stats->rx_dropped, netdev_policed(netdev, true));
    add_policed(&stats->tx_dropped, netdev_policed(netdev, false));
}

void
netdev_get_custom_stats(const struct netdev *netdev,
                        void (*cb)(const char *name, uint64_t value, void *aux), void *aux)
{
    if (netdev->class->get_custom_stats != NULL) {
        netdev->class->get_custom_stats(netdev, cb, aux);
    }
}

void
netdev_count_rx(struct netdev *netdev, uint64_t packets, uint64_t bytes)
{
    if (netdev->class->add_counts != NULL) {
        netdev->class->add_counts(netdev, true, packets, bytes);
    }
}

void
netdev_count_tx(struct netdev *netdev, uint64_t packets, uint64_t bytes)
{
    if (netdev->class->add_counts != NULL) {
        netdev->class->add_counts(netdev, false, packets, bytes);
    }
}
