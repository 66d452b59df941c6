// SPDX-License-Identifier: Apache-2.0
//
// What the vhost library counts for each ring of a guest: sizes, multicast, interrupts, look-ups of
// the IOTLB.  Its counters begin with a connection, and so do these; those that ports of each type
// have (netdev_vhost_io.c) go on over connections.  Main thread.
#include "netdev/netdev_vhost.h"

#include <stdio.h>

#include <rte_vhost.h>

// Those of all rings of a direction are also summed, under the names that the database documents.
static const struct {
    const char *ring, *port;
} sums[] = {
    {"undersize_packets", "1_to_64_packets"},
    {"size_64_packets", "1_to_64_packets"},
    {"size_65_127_packets", "65_to_127_packets"},
    {"size_128_255_packets", "128_to_255_packets"},
    {"size_256_511_packets", "256_to_511_packets"},
    {"size_512_1023_packets", "512_to_1023_packets"},
    {"size_1024_1518_packets", "1024_to_1522_packets"},
    {"size_1519_max_packets", "1523_to_max_packets"},
    {"broadcast_packets", "broadcast_packets"},
    {"multicast_packets", "multicast_packets"},
};

enum { N_SUMS = ARRAY_SIZE(sums), MAX_STATS = 64 };

struct direction {
    const char *name;   // from our side
    unsigned int vring; // of a pair
    uint64_t sums[N_SUMS];
};

struct report {
    void (*cb)(const char *name, uint64_t value, void *aux);
    void *aux;
};

static void
report_ring(int vid, unsigned int pair, struct direction *direction, const struct report *report)
{
    struct rte_vhost_stat_name names[MAX_STATS];
    struct rte_vhost_stat stats[MAX_STATS];
    uint16_t vring = (uint16_t)(pair * VHOST_VRINGS_PER_PAIR + direction->vring);
    int n = rte_vhost_vring_stats_get_names(vid, vring, names, MAX_STATS);
    char prefix[24]; // of the library's names
    int len = snprintf(prefix, sizeof(prefix), "%s_q%u_", direction->name, pair);

    if (n <= 0 || n > MAX_STATS || rte_vhost_vring_stats_get(vid, vring, stats, (unsigned)n) != n) {
        return;
    }
    for (int i = 0; i < n; i++) {
        if (strncmp(names[i].name, prefix, (size_t)len) != 0) {
            continue;
        }
        const char *name = names[i].name + len;
        for (size_t k = 0; k < N_SUMS; k++) {
            direction->sums[k] += strcmp(name, sums[k].ring) == 0 ? stats[i].value : 0;
        }
        // What a port receives is counted by us, as frames of the wire.
        if (direction->vring == 0 ||
            (strcmp(name, "good_packets") != 0 && strcmp(name, "good_bytes") != 0)) {
            report->cb(names[i].name, stats[i].value, report->aux);
        }
    }
}

void
netdev_vhost_get_ring_stats(const struct netdev *netdev,
                            void (*cb)(const char *name, uint64_t value, void *aux), void *aux)
{
    struct netdev_vhost *vhost = netdev_vhost_cast(netdev);
    struct direction directions[] = {{.name = "rx", .vring = 1}, {.name = "tx", .vring = 0}};
    const struct report report = {cb, aux};
    char name[64];

    pthread_mutex_lock(&vhost->lock);
    int vid = atomic_load(&vhost->vid);
    for (unsigned int pair = 0; vid >= 0 && pair < vhost->n_pairs; pair++) {
        report_ring(vid, pair, &directions[0], &report);
        report_ring(vid, pair, &directions[1], &report);
    }
    pthread_mutex_unlock(&vhost->lock);
    for (size_t d = 0; vid >= 0 && d < ARRAY_SIZE(directions); d++) {
        for (size_t k = 0; k < N_SUMS; k++) {
            uint64_t value = directions[d].sums[k];
            if (k + 1 < N_SUMS && strcmp(sums[k].port, sums[k + 1].port) == 0) {
                directions[d].sums[k + 1] += value;
                continue;
            }
            snprintf(name, sizeof(name), "%s_%s", directions[d].name, sums[k].port);
            cb(name, value, aux);
        }
    }
}
