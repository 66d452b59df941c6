// SPDX-License-Identifier: Apache-2.0
//
// The registry of open devices and the dispatch to their types.  Main thread only, but for
// netdev_changed() and netdev_want_reconfigure(), which interrupt threads call too.
#include "netdev/netdev_provider.h"

#include <errno.h>
#include <stdlib.h>

#include "base/coverage.h"
#include "base/log.h"
#include "netdev/netdev_private.h"
#include "netdev/netdev_watch.h"

LOG_MODULE(netdev);

COVERAGE_DEFINE(netdev_get_hwaddr);
COVERAGE_DEFINE(netdev_get_ifindex);
COVERAGE_DEFINE(netdev_get_stats);
COVERAGE_DEFINE(netdev_set_hwaddr);

enum { MAX_CLASSES = 64 };

// Devices are resources of the process, as their names in the kernel are.
static struct {
    const struct netdev_class *classes[MAX_CLASSES];
    size_t n_classes;
    struct netdev *devices; // by name
    struct loop *loop;
    struct netdev_watch *watch;
    enum netdev_dummy_level dummy;
    _Atomic uint64_t change_seq;
} registry;

static const struct netdev_class *const builtin_classes[] = {
#define NETDEV_CLASS(NAME) &netdev_##NAME##_class,
#include "netdev/netdev_classes.def"
#undef NETDEV_CLASS
};

void
netdev_register_class(const struct netdev_class *class)
{
    if (registry.n_classes < MAX_CLASSES) {
        registry.classes[registry.n_classes++] = class;
    }
}

static void
register_builtin(void)
{
    static bool done;

    if (!done) {
        done = true;
        for (size_t i = 0; i < ARRAY_SIZE(builtin_classes); i++) {
            netdev_register_class(builtin_classes[i]);
        }
    }
}

static bool
class_is_dummy(const struct netdev_class *class)
{
    return strncmp(class->type, "dummy", 5) == 0;
}

static const struct netdev_class *
class_by_name(const char *type)
{
    register_builtin();
    for (size_t i = 0; i < registry.n_classes; i++) {
        if (strcmp(registry.classes[i]->type, type) == 0) {
            return registry.classes[i];
        }
    }
    return NULL;
}

static const struct netdev_class *
find_class(const char *type)
{
    const struct netdev_class *class = class_by_name(type);
    if (class == NULL) {
        return NULL;
    }
    if (class_is_dummy(class)) {
        return registry.dummy != NETDEV_DUMMY_OFF ? class : NULL;
    }
    bool override = class->poll == NETDEV_POLL_NONE ? false
                    : strcmp(type, "system") == 0   ? registry.dummy >= NETDEV_DUMMY_OVERRIDE_SYSTEM
                                                    : registry.dummy >= NETDEV_DUMMY_OVERRIDE_ALL;
    if (!override) {
        return class;
    }
    bool internal = strcmp(type, "internal") == 0 || strcmp(type, "tap") == 0;
    return class_by_name(internal ? "dummy-internal" : "dummy");
}

void
netdev_enable_dummy(enum netdev_dummy_level level)
{
    registry.dummy = level;
}

enum netdev_dummy_level
netdev_dummy_level(void)
{
    return registry.dummy;
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **
netdev_types(size_t *n)
{
    register_builtin();
    const char **types = xcalloc(registry.n_classes + 1, sizeof(*types));
    *n = 0;
    for (size_t i = 0; i < registry.n_classes; i++) {
        const struct netdev_class *class = registry.classes[i];
        if (!class->hidden && (!class_is_dummy(class) || registry.dummy != NETDEV_DUMMY_OFF)) {
            types[(*n)++] = class->type;
        }
    }
    qsort(types, *n, sizeof(*types), compare_names);
    return types;
}

// --- events --------------------------------------------------------------------------------

static void
tell_link_event(const char *name, int ifindex)
{
    struct netdev *netdev, *tmp;

    HASH_ITER (hh, registry.devices, netdev, tmp) {
        if (netdev->class->link_event != NULL) {
            netdev->class->link_event(netdev, name, ifindex);
        }
    }
    /* A device that is not open: perhaps one that a port has been waiting for. */
    if (name == NULL || netdev_find(name) == NULL) {
        atomic_fetch_add_explicit(&registry.change_seq, 1, memory_order_release);
    }
}

void
netdev_init(struct loop *loop)
{
    register_builtin();
    registry.loop = loop;
    registry.watch = netdev_watch_create(loop, tell_link_event);
}

void
netdev_fini(void)
{
    netdev_close_rest();
    netdev_watch_destroy(registry.watch);
    registry.watch = NULL;
    registry.loop = NULL;
}

struct loop *
netdev_loop(void)
{
    return registry.loop;
}

void
netdev_changed(struct netdev *netdev)
{
    atomic_fetch_add_explicit(&netdev->change_seq, 1, memory_order_release);
    atomic_fetch_add_explicit(&registry.change_seq, 1, memory_order_release);
    if (registry.loop != NULL) {
        loop_wake(registry.loop);
    }
}

void
netdev_want_reconfigure(struct netdev *netdev)
{
    atomic_store_explicit(&netdev->wants_reconfigure, true, memory_order_release);
    netdev_changed(netdev);
}

uint64_t
netdev_change_seq(const struct netdev *netdev)
{
    return atomic_load_explicit(&netdev->change_seq, memory_order_acquire);
}

uint64_t
netdev_global_change_seq(void)
{
    return atomic_load_explicit(&registry.change_seq, memory_order_acquire);
}

// --- life ----------------------------------------------------------------------------------

static struct netdev *
open_failed(const char *name, const char *detail, int error, char **errorp)
{
    *errorp = detail != NULL
                  ? xasprintf("could not open network device %s (%s)", name, detail)
                  : xasprintf("could not open network device %s (%s)", name, err_str(error));
    return NULL;
}

// The datapath's own port, and those that tunnels have in it whatever their device is called.
static bool
name_is_reserved(const char *name)
{
    static const char *const tunnels[] = {"bareudp_sys", "erspan_sys",    "genev_sys",  "gre_sys",
                                          "gtpu_sys",    "ip6erspan_sys", "ip6gre_sys", "lisp_sys",
                                          "srv6_sys",    "stt_sys",       "vxlan_sys"};

    for (size_t i = 0; i < ARRAY_SIZE(tunnels); i++) {
        if (!strncmp(name, tunnels[i], strlen(tunnels[i]))) {
            return true;
        }
    }
    return name[0] == '\0' || !strcmp(name, "ovs-netdev");
}

struct netdev *
netdev_open(const char *name, const char *type, char **errorp)
{
    char *detail = NULL;

    *errorp = NULL;
    type = type == NULL || type[0] == '\0' ? "system" : type;
    const struct netdev_class *class = find_class(type);
    if (class == NULL) {
        return open_failed(name, NULL, EAFNOSUPPORT, errorp);
    }
    if (name_is_reserved(name)) {
        return open_failed(name, "the name is reserved", EINVAL, errorp);
    }
    if (netdev_find(name) != NULL) {
        return open_failed(name, NULL, EEXIST, errorp);
    }
    if (class->needs_dpdk && dpdk_start(NULL, &detail) != 0) {
        open_failed(name, detail, EIO, errorp);
        free(detail);
        return NULL;
    }

    struct netdev *netdev = xzalloc_cacheline(ROUND_UP(class->size, (size_t)CACHE_LINE_SIZE));
    netdev->class = class;
    netdev->name = xstrdup(name);
    netdev->type = xstrdup(type); // What was asked for, whoever stands in for it.
    netdev->ethdev_id = NETDEV_NO_ETHDEV;
    netdev->rx = netdev_rx_nothing;
    netdev->tx = netdev_tx_nothing;
    int error = class->open(netdev, &detail);
    if (error != 0) {
        open_failed(name, detail, error, errorp);
        free(detail);
        free(netdev->name);
        free(netdev->type);
        free(netdev);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, registry.devices, netdev->name, strlen(netdev->name), netdev);
    netdev_changed(netdev);
    return netdev;
}

void
netdev_close(struct netdev *netdev)
{
    if (netdev == NULL) {
        return;
    }
    HASH_DEL(registry.devices, netdev);
    netdev->class->close(netdev);
    free(netdev->name);
    free(netdev->type);
    free(netdev);
    atomic_fetch_add_explicit(&registry.change_seq, 1, memory_order_release);
}

struct netdev *
netdev_find(const char *name)
{
    struct netdev *netdev;

    HASH_FIND_STR(registry.devices, name, netdev);
    return netdev;
}

void
netdev_foreach(void (*cb)(struct netdev *, void *aux), void *aux)
{
    struct netdev *netdev, *tmp;

    HASH_ITER (hh, registry.devices, netdev, tmp) {
        cb(netdev, aux);
    }
}

const char *
netdev_name(const struct netdev *netdev)
{
    return netdev->name;
}

const char *
netdev_type(const struct netdev *netdev)
{
    return netdev->type;
}

bool
netdev_can_share(const struct netdev *netdev)
{
    return netdev->class->can_share;
}

bool
netdev_is_quick(const struct netdev *netdev)
{
    return netdev->class->is_quick;
}

enum netdev_poll
netdev_poll(const struct netdev *netdev)
{
    return netdev->class->poll;
}

// --- dispatch ------------------------------------------------------------------------------

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

uint16_t
netdev_rx_nothing(struct netdev *netdev, uint16_t qid, struct rte_mbuf **mbufs)
{
    return 0;
}

void
netdev_tx_nothing(struct netdev *netdev, uint16_t qid, struct rte_mbuf **mbufs, uint16_t n)
{
    rte_pktmbuf_free_bulk(mbufs, n);
}

void
netdev_sum_tx(const struct netdev_queue_counts *counts, unsigned int n, struct netdev_stats *stats)
{
    stats->tx_packets = stats->tx_bytes = stats->tx_dropped = stats->tx_errors = 0;
    for (unsigned int i = 0; i < n; i++) {
        stats->tx_packets += atomic_load_explicit(&counts[i].packets, memory_order_relaxed);
        stats->tx_bytes += atomic_load_explicit(&counts[i].bytes, memory_order_relaxed);
        stats->tx_dropped += atomic_load_explicit(&counts[i].dropped, memory_order_relaxed);
        stats->tx_errors += atomic_load_explicit(&counts[i].errors, memory_order_relaxed);
    }
}

void
netdev_grow_counts(struct netdev_queue_counts **counts, unsigned int *n_counts, unsigned int n)
{
    if (*n_counts < n) {
        struct netdev_queue_counts *grown = xzalloc_cacheline(n * sizeof(*grown));
        if (*counts != NULL) {
            memcpy((void *)grown, *counts, *n_counts * sizeof(*grown));
        }
        free(*counts);
        *counts = grown;
        *n_counts = n;
    }
}
