// SPDX-License-Identifier: Apache-2.0
//
// What a dpdk port tells the database: counters, extended counters under the names that operators
// know, link, status and configuration.  Main thread only.
#include <errno.h>
#include <stdlib.h>

#include <rte_bus.h>
#include <rte_dev.h>

#include "netdev/netdev_dpdk.h"

static uint64_t
sum_drops(const struct netdev_dpdk *dev, bool mtu)
{
    uint64_t sum = 0;

    for (uint16_t i = 0; dev->txqs != NULL && i < dev->n_txq; i++) {
        sum += atomic_load_explicit(mtu ? &dev->txqs[i].mtu_drops : &dev->txqs[i].failure_drops,
                                    memory_order_relaxed);
    }
    return sum;
}

void
netdev_dpdk_get_stats(const struct netdev *netdev, struct netdev_stats *stats)
{
    const struct netdev_dpdk *dev = netdev_dpdk_cast(netdev);
    struct rte_eth_stats hw;

    if (dev->port_id == DPDK_NO_PORT || rte_eth_stats_get(dev->port_id, &hw) != 0) {
        return;
    }
    stats->rx_packets = hw.ipackets;
    stats->tx_packets = hw.opackets;
    stats->rx_bytes = hw.ibytes;
    stats->tx_bytes = hw.obytes;
    stats->rx_errors = hw.ierrors;
    stats->tx_errors = hw.oerrors;
    stats->rx_dropped = hw.rx_nombuf;
    stats->rx_missed_errors = hw.imissed;
    stats->tx_dropped = sum_drops(dev, false) + sum_drops(dev, true);
}

// Extended counters that have a name of their own in the database.
static const struct {
    const char *dpdk, *name;
} renamed[] = {
    {"rx_size_64_packets", "rx_1_to_64_packets"},
    {"rx_size_65_to_127_packets", "rx_65_to_127_packets"},
    {"rx_size_128_to_255_packets", "rx_128_to_255_packets"},
    {"rx_size_256_to_511_packets", "rx_256_to_511_packets"},
    {"rx_size_512_to_1023_packets", "rx_512_to_1023_packets"},
    {"rx_size_1024_to_1522_packets", "rx_1024_to_1522_packets"},
    {"rx_size_1523_to_max_packets", "rx_1523_to_max_packets"},
    {"tx_size_64_packets", "tx_1_to_64_packets"},
    {"tx_size_65_to_127_packets", "tx_65_to_127_packets"},
    {"tx_size_128_to_255_packets", "tx_128_to_255_packets"},
    {"tx_size_256_to_511_packets", "tx_256_to_511_packets"},
    {"tx_size_512_to_1023_packets", "tx_512_to_1023_packets"},
    {"tx_size_1024_to_1522_packets", "tx_1024_to_1522_packets"},
    {"tx_size_1523_to_max_packets", "tx_1523_to_max_packets"},
    {"rx_multicast_packets", "rx_multicast_packets"},
    {"tx_multicast_packets", "tx_multicast_packets"},
    {"rx_broadcast_packets", "rx_broadcast_packets"},
    {"tx_broadcast_packets", "tx_broadcast_packets"},
    {"rx_undersized_errors", "rx_undersized_errors"},
    {"rx_oversize_errors", "rx_oversize_errors"},
    {"rx_fragmented_errors", "rx_fragmented_errors"},
    {"rx_jabber_errors", "rx_jabber_errors"},
};

static bool
ends_with(const char *s, const char *suffix)
{
    size_t len = strlen(s), suffix_len = strlen(suffix);

    return len >= suffix_len && strcmp(s + len - suffix_len, suffix) == 0;
}

// The database's name of an extended counter, or NULL when it is not shown: shown are errors, drops
// and what single queues count.
static const char *
shown_name(const char *name)
{
    unsigned int queue;
    char rest;

    for (size_t i = 0; i < ARRAY_SIZE(renamed); i++) {
        if (strcmp(name, renamed[i].dpdk) == 0) {
            return renamed[i].name;
        }
    }
    if (strcmp(name, "rx_errors") == 0 || strcmp(name, "tx_errors") == 0 ||
        strcmp(name, "rx_missed_errors") == 0) {
        return NULL; // among the base counters
    }
    if (ends_with(name, "_errors") || ends_with(name, "_dropped") || ends_with(name, "_discards") ||
        sscanf(name, "rx_q%u%c", &queue, &rest) == 2 ||
        sscanf(name, "tx_q%u%c", &queue, &rest) == 2) {
        return name;
    }
    return NULL;
}

static void
report_xstats(const struct netdev_dpdk *dev,
              void (*cb)(const char *name, uint64_t value, void *aux), void *aux)
{
    int n = rte_eth_xstats_get_names(dev->port_id, NULL, 0);
    if (n <= 0) {
        return;
    }
    struct rte_eth_xstat_name *names = xcalloc((size_t)n, sizeof(*names));
    struct rte_eth_xstat *values = xcalloc((size_t)n, sizeof(*values));
    if (rte_eth_xstats_get_names(dev->port_id, names, (unsigned int)n) == n &&
        rte_eth_xstats_get(dev->port_id, values, (unsigned int)n) == n) {
        for (int i = 0; i < n; i++) {
            uint64_t id = values[i].id;
            const char *name = id < (uint64_t)n ? shown_name(names[id].name) : NULL;
            if (name != NULL) {
                cb(name, values[i].value, aux);
            }
        }
    }
    free(names);
    free(values);
}

void
netdev_dpdk_get_custom_stats(const struct netdev *netdev,
                             void (*cb)(const char *name, uint64_t value, void *aux), void *aux)
{
    const struct netdev_dpdk *dev = netdev_dpdk_cast(netdev);

    if (dev->port_id != DPDK_NO_PORT) {
        report_xstats(dev, cb, aux);
    }
    cb("ovs_tx_failure_drops", sum_drops(dev, false), aux);
    cb("ovs_tx_mtu_exceeded_drops", sum_drops(dev, true), aux);
    cb("ovs_tx_qos_drops", netdev_policed(netdev, false), aux);
    cb("ovs_rx_qos_drops", netdev_policed(netdev, true), aux);
    cb("ovs_tx_invalid_hwol_drops", 0, aux);
}

static uint32_t
link_feature(const struct rte_eth_link *link)
{
    switch (link->link_speed) {
    case RTE_ETH_SPEED_NUM_10M:
        return link->link_duplex ? NETDEV_F_10MB_FD : NETDEV_F_10MB_HD;
    case RTE_ETH_SPEED_NUM_100M:
        return link->link_duplex ? NETDEV_F_100MB_FD : NETDEV_F_100MB_HD;
    case RTE_ETH_SPEED_NUM_1G:
        return link->link_duplex ? NETDEV_F_1GB_FD : NETDEV_F_1GB_HD;
    case RTE_ETH_SPEED_NUM_10G:
        return NETDEV_F_10GB_FD;
    case RTE_ETH_SPEED_NUM_40G:
        return NETDEV_F_40GB_FD;
    case RTE_ETH_SPEED_NUM_100G:
        return NETDEV_F_100GB_FD;
    default:
        return link->link_speed != RTE_ETH_SPEED_NUM_NONE ? NETDEV_F_OTHER : 0;
    }
}

void
netdev_dpdk_get_link(const struct netdev *netdev, struct netdev_link *link)
{
    const struct netdev_dpdk *dev = netdev_dpdk_cast(netdev);

    link->carrier = dev->started && dev->is_up && dev->link.link_status == RTE_ETH_LINK_UP;
    link->full_duplex = dev->link.link_duplex == RTE_ETH_LINK_FULL_DUPLEX;
    link->resets = dev->link_resets;
    if (dev->link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN) {
        link->speed_bps = (uint64_t)dev->link.link_speed * 1000000;
        link->current = link_feature(&dev->link);
    }
    link->current |= dev->link.link_autoneg ? NETDEV_F_AUTONEG : 0;
}

static void
put_link_speed(const struct rte_eth_link *link, struct smap *status)
{
    uint32_t mbps = link->link_speed;

    if (mbps == RTE_ETH_SPEED_NUM_UNKNOWN) {
        smap_put(status, "link_speed", "Unknown");
    } else if (mbps >= 1000 && mbps % 500 == 0) {
        smap_put_format(status, "link_speed", "%gGbps", mbps / 1000.0);
    } else {
        smap_put_format(status, "link_speed", "%uMbps", mbps);
    }
}

void
netdev_dpdk_get_status(const struct netdev *netdev, struct smap *status)
{
    const struct netdev_dpdk *dev = netdev_dpdk_cast(netdev);
    const struct rte_eth_dev_info *info = &dev->info;

    if (dev->port_id == DPDK_NO_PORT) {
        return;
    }
    smap_put_format(status, "port_no", "%u", dev->port_id);
    smap_put_format(status, "numa_id", "%d", rte_eth_dev_socket_id(dev->port_id));
    smap_put(status, "driver_name", info->driver_name != NULL ? info->driver_name : "");
    smap_put_format(status, "min_rx_bufsize", "%u", info->min_rx_bufsize);
    smap_put_format(status, "max_rx_pktlen", "%u", dev->max_frame);
    smap_put_format(status, "max_rx_queues", "%u", info->max_rx_queues);
    smap_put_format(status, "max_tx_queues", "%u", info->max_tx_queues);
    smap_put_format(status, "max_mac_addrs", "%u", info->max_mac_addrs);
    smap_put_format(status, "max_hash_mac_addrs", "%u", info->max_hash_mac_addrs);
    smap_put_format(status, "max_vfs", "%u", info->max_vfs);
    smap_put_format(status, "max_vmdq_pools", "%u", info->max_vmdq_pools);
    smap_put_format(status, "n_rxq", "%u", netdev->queues.n_rxq);
    smap_put_format(status, "n_txq", "%u", netdev->queues.n_txq);
    smap_put(status, "rx_csum_offload", dev->hw_rx_csum ? "true" : "false");
    smap_put(status, "if_type", "6"); // ethernetCsmacd of the IANA's ifType
    smap_put_format(status, "if_descr", "%s %s", dpdk_version_text(),
                    info->driver_name != NULL ? info->driver_name : "");
    if (info->device != NULL) {
        const struct rte_bus *bus = rte_dev_bus(info->device);
        const char *about = rte_dev_bus_info(info->device);
        smap_put_format(status, "bus_info", "bus_name=%s%s%s", bus ? rte_bus_name(bus) : "",
                        about && about[0] ? ", " : "", about ? about : "");
    }
    if ((*info->dev_flags & RTE_ETH_DEV_REPRESENTOR) != 0) {
        struct rte_ether_addr mac;
        char text[RTE_ETHER_ADDR_FMT_SIZE];
        if (rte_eth_macaddr_get(dev->port_id, &mac) == 0) {
            rte_ether_format_addr(text, sizeof(text), &mac);
            smap_put(status, "dpdk-vf-mac", text);
        }
    }
    put_link_speed(&dev->link, status);
}

void
netdev_dpdk_get_config(const struct netdev *netdev, struct smap *config)
{
    const struct netdev_dpdk *dev = netdev_dpdk_cast(netdev);

    smap_put_format(config, "requested_rx_queues", "%u", dev->want.n_rxq);
    smap_put_format(config, "configured_rx_queues", "%u", netdev->queues.n_rxq);
    smap_put_format(config, "requested_tx_queues", "%u", netdev->queues.n_txq);
    smap_put_format(config, "configured_tx_queues", "%u", netdev->queues.n_txq);
    smap_put_format(config, "requested_rxq_descriptors", "%u", dev->want.n_rxq_desc);
    smap_put_format(config, "configured_rxq_descriptors", "%u", dev->have.n_rxq_desc);
    smap_put_format(config, "requested_txq_descriptors", "%u", dev->want.n_txq_desc);
    smap_put_format(config, "configured_txq_descriptors", "%u", dev->have.n_txq_desc);
    smap_put_format(config, "mtu", "%d", dev->have.mtu);
    smap_put(config, "lsc_interrupt_mode", dev->have.lsc_interrupt ? "true" : "false");
    smap_put(config, "rx_csum_offload", dev->hw_rx_csum ? "true" : "false");
    smap_put(config, "tx_tso_offload", "false");
}
