// SPDX-License-Identifier: Apache-2.0
//
// Type patch: one end of a cable between two bridges.  Nothing is sent or received here:
// translation goes through to the other bridge, and counts what passes with netdev_count_rx() and
// netdev_count_tx() from its own threads.
#include "netdev/netdev_provider.h"

#include <errno.h>
#include <stdlib.h>

#include "base/random.h"

struct netdev_patch {
    struct netdev up;
    char *peer;
    struct rte_ether_addr mac;
    // handlers, revalidators: w, main: r
    _Atomic uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};

static struct netdev_patch *
patch_cast(const struct netdev *netdev)
{
    return container_of(netdev, struct netdev_patch, up);
}

static int
patch_open(struct netdev *netdev, char **errorp)
{
    random_eth(patch_cast(netdev)->mac.addr_bytes);
    return 0;
}

static void
patch_close(struct netdev *netdev)
{
    free(patch_cast(netdev)->peer);
}

static int
patch_set_config(struct netdev *netdev, const struct smap *options, const struct smap *other_config,
                 bool *needs_reconfigure, char **errorp)
{
    struct netdev_patch *patch = patch_cast(netdev);
    const char *peer = smap_get(options, "peer");

    if (peer == NULL || peer[0] == '\0') {
        *errorp = xasprintf("%s: patch type requires valid 'peer' argument", netdev->name);
        return -EINVAL;
    }
    if (strcmp(peer, netdev->name) == 0) {
        *errorp = xasprintf("%s: patch peer must not be self", netdev->name);
        return -EINVAL;
    }
    if (patch->peer == NULL || strcmp(peer, patch->peer) != 0) {
        free(patch->peer);
        patch->peer = xstrdup(peer);
        netdev_changed(netdev);
    }
    return 0;
}

static void
patch_get_config(const struct netdev *netdev, struct smap *config)
{
    if (patch_cast(netdev)->peer != NULL) {
        smap_put(config, "peer", patch_cast(netdev)->peer);
    }
}

static int
patch_get_mac(const struct netdev *netdev, struct rte_ether_addr *mac)
{
    *mac = patch_cast(netdev)->mac;
    return 0;
}

static int
patch_set_mac(struct netdev *netdev, const struct rte_ether_addr *mac)
{
    patch_cast(netdev)->mac = *mac;
    return 0;
}

static void
patch_add_counts(struct netdev *netdev, bool rx, uint64_t packets, uint64_t bytes)
{
    struct netdev_patch *patch = patch_cast(netdev);

    atomic_fetch_add_explicit(rx ? &patch->rx_packets : &patch->tx_packets, packets,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(rx ? &patch->rx_bytes : &patch->tx_bytes, bytes,
                              memory_order_relaxed);
}

static void
patch_get_stats(const struct netdev *netdev, struct netdev_stats *stats)
{
    const struct netdev_patch *patch = patch_cast(netdev);

    stats->rx_packets = atomic_load_explicit(&patch->rx_packets, memory_order_relaxed);
    stats->rx_bytes = atomic_load_explicit(&patch->rx_bytes, memory_order_relaxed);
    stats->tx_packets = atomic_load_explicit(&patch->tx_packets, memory_order_relaxed);
    stats->tx_bytes = atomic_load_explicit(&patch->tx_bytes, memory_order_relaxed);
}

const struct netdev_class netdev_patch_class = {
    .type = "patch",
    .poll = NETDEV_POLL_NONE,
    .can_share = true,
    .size = sizeof(struct netdev_patch),
    .open = patch_open,
    .close = patch_close,
    .set_config = patch_set_config,
    .get_config = patch_get_config,
    .get_mac = patch_get_mac,
    .set_mac = patch_set_mac,
    .add_counts = patch_add_counts,
    .get_stats = patch_get_stats,
};
