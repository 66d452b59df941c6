// SPDX-License-Identifier: Apache-2.0
//
// Type dpdk: any ethdev that DPDK has a driver for.  Main configures and starts it; PMDs receive
// with rte_eth_rx_burst() directly (netdev.h) and send through netdev_dpdk_tx.c.
//
// The device decides how many sending queues there are: when fewer than there are threads, queues
// are shared under a lock.
#include "netdev/netdev_dpdk.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "netdev/netdev_private.h"
#include "netdev/netdev_steer.h"

LOG_MODULE(netdev_dpdk);

enum {
    DEFAULT_DESC = 2048,
    MAX_DESC = 4096,
    LINK_PERIOD_MS = 1000, // for devices without link interrupts
};

bool
netdev_is_dpdk(const struct netdev *netdev)
{
    return netdev->class == &netdev_dpdk_class;
}

struct port_search {
    uint16_t port_id;
    const struct netdev_dpdk *except;
    struct netdev_dpdk *found;
};

static void
search_port(struct netdev *netdev, void *search_)
{
    struct port_search *search = search_;

    if (netdev_is_dpdk(netdev) && netdev_dpdk_cast(netdev) != search->except &&
        netdev_dpdk_cast(netdev)->port_id == search->port_id) {
        search->found = netdev_dpdk_cast(netdev);
    }
}

struct netdev_dpdk *
netdev_dpdk_by_port(uint16_t port_id, const struct netdev_dpdk *except)
{
    struct port_search search = {.port_id = port_id, .except = except};

    netdev_foreach(search_port, &search);
    return search.found;
}

// PMDs see the pointers change one by one: each combination is harmless.
static void
show_fast_path(struct netdev_dpdk *dev)
{
    bool open = dev->started && dev->is_up;

    dev->up.tx = !open                  ? netdev_tx_nothing
                 : dev->have.is_steered ? netdev_dpdk_tx_steered
                                        : netdev_dpdk_tx;
    dev->up.rx = netdev_rx_nothing;
    dev->up.ethdev_id = open ? dev->port_id : NETDEV_NO_ETHDEV;
}

// --- link ----------------------------------------------------------------------------------

static void
look_at_link(void *dev_)
{
    struct netdev_dpdk *dev = dev_;
    struct rte_eth_link link;

    if (!dev->started || rte_eth_link_get_nowait(dev->port_id, &link) != 0) {
        return;
    }
    if (link.link_status != dev->link.link_status || link.link_speed != dev->link.link_speed ||
        link.link_duplex != dev->link.link_duplex) {
        dev->link_resets += link.link_status != dev->link.link_status;
        dev->link = link;
        netdev_changed(&dev->up);
    }
}

// In DPDK's interrupt thread.
static int
on_event(uint16_t port_id, enum rte_eth_event_type type, void *dev_, void *ret)
{
    struct netdev_dpdk *dev = dev_;

    if (type == RTE_ETH_EVENT_INTR_LSC) {
        if (netdev_loop() != NULL) {
            loop_post(netdev_loop(), look_at_link, dev);
        }
    } else if (type == RTE_ETH_EVENT_INTR_RESET) {
        atomic_store(&dev->wants_reset, true);
        netdev_want_reconfigure(&dev->up);
    }
    return 0;
}

static void
watch_link(struct netdev_dpdk *dev)
{
    if (netdev_loop() != NULL && !dev->have.lsc_interrupt) {
        loop_timer_every(&dev->link_timer, netdev_loop(), LINK_PERIOD_MS, look_at_link, dev);
    } else {
        loop_timer_stop(&dev->link_timer);
    }
}

// --- life ----------------------------------------------------------------------------------

static int
dpdk_open(struct netdev *netdev, char **errorp)
{
    struct netdev_dpdk *dev = netdev_dpdk_cast(netdev);

    if (!dpdk_wanted()) {
        return -EAFNOSUPPORT; // what operators know: other_config:dpdk-init is not true
    }
    dev->port_id = DPDK_NO_PORT;
    dev->is_up = true;
    dev->want = (struct netdev_dpdk_settings){
        .mtu = RTE_ETHER_MTU, .n_rxq = 1, .n_rxq_desc = DEFAULT_DESC, .n_txq_desc = DEFAULT_DESC};
    dev->have.mtu = RTE_ETHER_MTU;
    return 0;
}

static void
stop_device(struct netdev_dpdk *dev)
{
    if (dev->started) {
        dev->started = false;
        show_fast_path(dev);
        int error = rte_eth_dev_stop(dev->port_id);
        if (error != 0) {
            log_warn("%s: cannot stop the device (%s)", dev->up.name, err_str(error));
        }
    }
}

// Lets go of the ethdev port.
static void
release_port(struct netdev_dpdk *dev)
{
    loop_timer_stop(&dev->link_timer);
    if (dev->port_id != DPDK_NO_PORT) {
        uint16_t port_id = dev->port_id;
        rte_eth_dev_callback_unregister(port_id, RTE_ETH_EVENT_INTR_LSC, on_event, dev);
        rte_eth_dev_callback_unregister(port_id, RTE_ETH_EVENT_INTR_RESET, on_event, dev);
        if (netdev_loop() != NULL) {
            loop_cancel(netdev_loop(), look_at_link, dev);
        }
        stop_device(dev);
        dev->port_id = DPDK_NO_PORT;
        netdev_dpdk_detach(port_id, dev->attached);
    }
    dev->attached = false;
    netdev_pool_put(dev->pool, &dev->pool_wish);
    dev->pool = NULL;
    free(dev->devargs);
    dev->devargs = NULL;
}

static void
dpdk_close(struct netdev *netdev)
{
    struct netdev_dpdk *dev = netdev_dpdk_cast(netdev);

    release_port(dev);
    free(dev->txqs);
}

// --- configuration -------------------------------------------------------------------------

static int
take_device(struct netdev_dpdk *dev, const char *devargs, char **errorp)
{
    uint16_t port_id;
    bool attached;

    if (dev->devargs != NULL && strcmp(dev->devargs, devargs) == 0) {
        return 0;
    }
    release_port(dev);
    int error = netdev_dpdk_attach(devargs, &port_id, &attached, errorp);
    if (error != 0) {
        return error;
    }
    const struct netdev_dpdk *other = netdev_dpdk_by_port(port_id, dev);
    if (other != NULL) {
        *errorp = xasprintf("'%s' is trying to use device '%s' which is already in use by '%s'",
                            dev->up.name, devargs, other->up.name);
        return -EADDRINUSE;
    }
    error = rte_eth_dev_info_get(port_id, &dev->info);
    if (error != 0) {
        *errorp = xasprintf("device '%s' does not describe itself (%s)", devargs, err_str(error));
        netdev_dpdk_detach(port_id, attached);
        return error;
    }
    dev->port_id = port_id;
    dev->attached = attached;
    dev->devargs = xstrdup(devargs);
    dev->have = (struct netdev_dpdk_settings){.mtu = dev->have.mtu};
    rte_eth_dev_callback_register(port_id, RTE_ETH_EVENT_INTR_LSC, on_event, dev);
    rte_eth_dev_callback_register(port_id, RTE_ETH_EVENT_INTR_RESET, on_event, dev);
    return 0;
}

static uint16_t
desc_option(const struct smap *options, const char *key)
{
    unsigned int n = smap_get_uint(options, key, DEFAULT_DESC);

    return IS_POW2(n) && n <= MAX_DESC ? (uint16_t)n : DEFAULT_DESC;
}

static void
set_flow_control(struct netdev_dpdk *dev, const struct netdev_dpdk_settings *want)
{
    struct rte_eth_fc_conf conf = {0};

    if (!want->flow_ctrl_set) {
        return;
    }
    int error = rte_eth_dev_flow_ctrl_get(dev->port_id, &conf);
    conf.mode = want->rx_flow_ctrl   ? (want->tx_flow_ctrl ? RTE_ETH_FC_FULL : RTE_ETH_FC_RX_PAUSE)
                : want->tx_flow_ctrl ? RTE_ETH_FC_TX_PAUSE
                                     : RTE_ETH_FC_NONE;
    conf.autoneg = want->flow_ctrl_autoneg;
    if (error == 0) {
        error = rte_eth_dev_flow_ctrl_set(dev->port_id, &conf);
    }
    if (error != 0) {
        log_warn("%s: cannot set flow control (%s)", dev->up.name, err_str(error));
    }
}

static void
set_vf_mac(struct netdev_dpdk *dev, const char *text)
{
    struct rte_ether_addr mac;

    if (text == NULL) {
        return;
    }
    if (rte_ether_unformat_addr(text, &mac) != 0 || !rte_is_valid_assigned_ether_addr(&mac) ||
        (*dev->info.dev_flags & RTE_ETH_DEV_REPRESENTOR) == 0) {
        log_warn("%s: dpdk-vf-mac '%s' is not an address for a representor's VF", dev->up.name,
                 text);
        return;
    }
    int error = rte_eth_dev_default_mac_addr_set(dev->port_id, &mac);
    if (error != 0) {
        log_warn("%s: cannot set the VF's address (%s)", dev->up.name, err_str(error));
    }
}

static int
dpdk_set_options(struct netdev *netdev, const struct smap *options, const struct smap *other_config,
                 bool *needs_reconfigure, char **errorp)
{
    struct netdev_dpdk *dev = netdev_dpdk_cast(netdev);
    const char *devargs = smap_get(options, "dpdk-devargs");

    if (devargs == NULL || devargs[0] == '\0') {
        *errorp = xasprintf("'%s' is missing 'options:dpdk-devargs', which names the device",
                            netdev->name);
        return -EINVAL;
    }
    int error = take_device(dev, devargs, errorp);
    if (error != 0) {
        return error;
    }
    struct netdev_dpdk_settings *want = &dev->want;
    unsigned int max_rxq = MIN((unsigned int)dev->info.max_rx_queues, (unsigned int)NETDEV_MAX_RXQ);
    unsigned int n_rxq = smap_get_uint(options, "n_rxq", 1);
    want->n_rxq = (uint16_t)MAX(MIN(n_rxq, max_rxq), 1u);
    want->n_rxq_desc = desc_option(options, "n_rxq_desc");
    want->n_txq_desc = desc_option(options, "n_txq_desc");
    rte_eth_dev_adjust_nb_rx_tx_desc(dev->port_id, &want->n_rxq_desc, &want->n_txq_desc);
    want->lsc_interrupt = smap_get_bool(options, "dpdk-lsc-interrupt", false) &&
                          (*dev->info.dev_flags & RTE_ETH_DEV_INTR_LSC) != 0;
    want->rx_flow_ctrl = smap_get_bool(options, "rx-flow-ctrl", false);
    want->tx_flow_ctrl = smap_get_bool(options, "tx-flow-ctrl", false);
    want->flow_ctrl_autoneg = smap_get_bool(options, "flow-ctrl-autoneg", false);
    want->flow_ctrl_set |= want->rx_flow_ctrl || want->tx_flow_ctrl || want->flow_ctrl_autoneg;
    set_vf_mac(dev, smap_get(options, "dpdk-vf-mac"));
    netdev_steer_configure(netdev, other_config, &want->is_steered);
    *needs_reconfigure =
        !dev->started || want->is_steered != dev->have.is_steered ||
        want->n_rxq != dev->have.n_rxq || want->n_rxq_desc != dev->have.n_rxq_desc ||
        want->n_txq_desc != dev->have.n_txq_desc || want->lsc_interrupt != dev->have.lsc_interrupt;
    if (dev->started) {
        set_flow_control(dev, want);
    }
    return 0;
}

// --- queues --------------------------------------------------------------------------------

static void
fill_conf(struct netdev_dpdk *dev, struct rte_eth_conf *conf)
{
    const uint64_t csum =
        RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
    uint64_t rss =
        (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP) & dev->info.flow_type_rss_offloads;

    *conf = (struct rte_eth_conf){.rxmode.mtu = (uint32_t)dev->want.mtu};
    if (dev->want.n_rxq > 1 && rss != 0) {
        conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf->rx_adv_conf.rss_conf.rss_hf = rss;
        conf->rxmode.offloads |= dev->info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_RSS_HASH;
    }
    dev->hw_rx_csum = (dev->info.rx_offload_capa & csum) == csum;
    conf->rxmode.offloads |= dev->hw_rx_csum ? csum : 0;
    conf->intr_conf.lsc = dev->want.lsc_interrupt;
}

// How many of the wished sending queues the driver lets us have.
static uint16_t
limit_n_txq(const struct netdev_dpdk *dev, uint16_t wished)
{
    // net_tap has its queues in pairs.
    uint16_t max = dev->info.driver_name != NULL && strcmp(dev->info.driver_name, "net_tap") == 0
                       ? dev->want.n_rxq
                       : dev->info.max_tx_queues;

    return MAX(MIN(wished, max), (uint16_t)1);
}

// Sets the queues up; a driver may refuse a queue although it claimed to have so many: then with
// fewer.
static int
setup_queues(struct netdev_dpdk *dev, uint16_t *n_txq)
{
    int node = rte_eth_dev_socket_id(dev->port_id);
    unsigned int socket = node < 0 ? (unsigned int)SOCKET_ID_ANY : (unsigned int)node;
    struct rte_eth_conf conf;
    int error;

    fill_conf(dev, &conf);
    for (;;) {
        uint16_t i = 0, j = 0;
        error = rte_eth_dev_configure(dev->port_id, dev->want.n_rxq, *n_txq, &conf);
        if (error != 0) {
            return error;
        }
        while (i < *n_txq && (error = rte_eth_tx_queue_setup(dev->port_id, i, dev->want.n_txq_desc,
                                                             socket, NULL)) == 0) {
            i++;
        }
        if (i == *n_txq) {
            while (j < dev->want.n_rxq &&
                   (error = rte_eth_rx_queue_setup(dev->port_id, j, dev->want.n_rxq_desc, socket,
                                                   NULL, netdev_pool_mempool(dev->pool))) == 0) {
                j++;
            }
        }
        if (error == 0) {
            return 0;
        }
        bool tx_short = i < *n_txq;
        if (tx_short ? i == 0 : j == 0) {
            return error;
        }
        log_info("%s: the device gives only %u %s queues (%s)", dev->up.name, tx_short ? i : j,
                 tx_short ? "tx" : "rx", err_str(error));
        *(tx_short ? n_txq : &dev->want.n_rxq) = tx_short ? i : j;
    }
}

static int
get_pool(struct netdev_dpdk *dev, uint16_t n_txq, char **errorp)
{
    bool own = smap_get_bool(dpdk_config(), "per-port-memory", false);
    struct netdev_pool_wish wish = {
        .mtu = dev->want.mtu,
        .numa_id = rte_eth_dev_socket_id(dev->port_id),
        .n_mbufs = (unsigned int)dev->want.n_rxq * (dev->want.n_rxq_desc + NETDEV_MAX_BURST) +
                   (unsigned int)n_txq * (dev->want.n_txq_desc + NETDEV_MAX_BURST) +
                   netdev_dpdk_devargs_mbufs(dev->devargs),
        .owner = own ? dev->up.name : NULL,
    };
    struct netdev_pool *pool = netdev_pool_get(&wish, errorp);

    if (pool == NULL) {
        return -ENOMEM;
    }
    netdev_pool_put(dev->pool, &dev->pool_wish);
    dev->pool = pool;
    dev->pool_wish = wish;
    return 0;
}

static void
reset_if_wanted(struct netdev_dpdk *dev)
{
    if (atomic_exchange(&dev->wants_reset, false)) {
        int error = rte_eth_dev_reset(dev->port_id);
        if (error != 0) {
            log_warn("%s: cannot reset the device (%s)", dev->up.name, err_str(error));
        }
    }
}

// Everything after the queues: MTU, promiscuity, start.
static int
start_device(struct netdev_dpdk *dev)
{
    int error = rte_eth_dev_set_mtu(dev->port_id, (uint16_t)dev->want.mtu);

    // Drivers of virtual devices take any frame and have no MTU to set.
    if (error != 0 && error != -ENOTSUP) {
        log_warn("%s: cannot set MTU %d (%s)", dev->up.name, dev->want.mtu, err_str(error));
        dev->want.mtu = dev->have.mtu;
    }
    error = rte_eth_dev_start(dev->port_id);
    if (error != 0) {
        return error;
    }
    dev->started = true;
    error = rte_eth_promiscuous_enable(dev->port_id);
    if (error != 0 && error != -ENOTSUP) {
        log_warn("%s: cannot make the device promiscuous (%s)", dev->up.name, err_str(error));
    }
    rte_eth_allmulticast_enable(dev->port_id);
    set_flow_control(dev, &dev->want);
    return 0;
}

static int
dpdk_reconfigure(struct netdev *netdev, uint16_t n_txq_wanted, char **errorp)
{
    struct netdev_dpdk *dev = netdev_dpdk_cast(netdev);
    int error = 0;

    if (dev->port_id == DPDK_NO_PORT) {
        *errorp = xasprintf("%s has no device: set options:dpdk-devargs", netdev->name);
        return -ENODEV;
    }
    uint16_t n_txq = limit_n_txq(dev, n_txq_wanted);
    stop_device(dev);
    reset_if_wanted(dev);
    if ((error = get_pool(dev, n_txq, errorp)) != 0 || (error = setup_queues(dev, &n_txq)) != 0 ||
        (error = start_device(dev)) != 0) {
        if (*errorp == NULL) {
            *errorp =
                xasprintf("device '%s' refuses its queues (%s)", dev->devargs, err_str(error));
        }
        return error;
    }
    dev->have = dev->want;
    dev->n_txq = n_txq;
    dev->txq_shared = n_txq < n_txq_wanted;
    dev->max_frame = netdev_frame_size(dev->have.mtu);
    free(dev->txqs);
    dev->txqs = xzalloc_cacheline(n_txq * sizeof(*dev->txqs));
    netdev->queues = (struct netdev_queues){.n_rxq = dev->have.n_rxq,
                                            .n_txq = n_txq,
                                            .n_rxq_desc = dev->have.n_rxq_desc,
                                            .n_txq_desc = dev->have.n_txq_desc,
                                            .numa_id = rte_eth_dev_socket_id(dev->port_id),
                                            .txq_shared = dev->txq_shared};
    show_fast_path(dev);
    watch_link(dev);
    if (rte_eth_link_get_nowait(dev->port_id, &dev->link) != 0) {
        dev->link = (struct rte_eth_link){0};
    }
    return 0;
}

// --- properties ----------------------------------------------------------------------------

static int
dpdk_get_mac(const struct netdev *netdev, struct rte_ether_addr *mac)
{
    const struct netdev_dpdk *dev = netdev_dpdk_cast(netdev);

    return dev->port_id == DPDK_NO_PORT ? -ENODEV : rte_eth_macaddr_get(dev->port_id, mac);
}

static int
dpdk_set_mac(struct netdev *netdev, const struct rte_ether_addr *mac)
{
    struct netdev_dpdk *dev = netdev_dpdk_cast(netdev);
    struct rte_ether_addr copy = *mac;

    return dev->port_id == DPDK_NO_PORT ? -ENODEV
                                        : rte_eth_dev_default_mac_addr_set(dev->port_id, &copy);
}

static int
dpdk_get_mtu(const struct netdev *netdev)
{
    return netdev_dpdk_cast(netdev)->have.mtu;
}

static int
dpdk_set_mtu(struct netdev *netdev, int mtu)
{
    struct netdev_dpdk *dev = netdev_dpdk_cast(netdev);

    if (mtu < RTE_ETHER_MIN_MTU || mtu > RTE_ETHER_MAX_JUMBO_FRAME_LEN ||
        (dev->port_id != DPDK_NO_PORT && dev->info.max_mtu != 0 && mtu > dev->info.max_mtu)) {
        return -EINVAL;
    }
    if (mtu != dev->want.mtu) {
        dev->want.mtu = mtu;
        netdev_want_reconfigure(netdev);
    }
    return 0;
}

static int
dpdk_get_flags(const struct netdev *netdev)
{
    return netdev_dpdk_cast(netdev)->is_up ? NETDEV_UP | NETDEV_PROMISC : NETDEV_PROMISC;
}

static int
dpdk_set_flags(struct netdev *netdev, int off, int on)
{
    struct netdev_dpdk *dev = netdev_dpdk_cast(netdev);
    bool is_up = on & NETDEV_UP ? true : off & NETDEV_UP ? false : dev->is_up;

    if (is_up == dev->is_up) {
        return 0;
    }
    dev->is_up = is_up;
    show_fast_path(dev);
    if (dev->started) {
        int error =
            is_up ? rte_eth_dev_set_link_up(dev->port_id) : rte_eth_dev_set_link_down(dev->port_id);
        if (error != 0 && error != -ENOTSUP) {
            log_warn("%s: cannot set the link (%s)", netdev->name, err_str(error));
        }
        look_at_link(dev);
    }
    return 0;
}

const struct netdev_class netdev_dpdk_class = {
    .type = "dpdk",
    .poll = NETDEV_POLL_SPIN,
    .size = sizeof(struct netdev_dpdk),
    .open = dpdk_open,
    .close = dpdk_close,
    .set_config = dpdk_set_options,
    .get_config = netdev_dpdk_get_config,
    .reconfigure = dpdk_reconfigure,
    .get_mac = dpdk_get_mac,
    .set_mac = dpdk_set_mac,
    .get_mtu = dpdk_get_mtu,
    .set_mtu = dpdk_set_mtu,
    .get_flags = dpdk_get_flags,
    .set_flags = dpdk_set_flags,
    .get_link = netdev_dpdk_get_link,
    .get_status = netdev_dpdk_get_status,
    .get_stats = netdev_dpdk_get_stats,
    .get_custom_stats = netdev_dpdk_get_custom_stats,
};
