// SPDX-License-Identifier: Apache-2.0
//
// The registry of types and of open devices, and what the types share.  Main thread only, but for
// netdev_changed() and netdev_want_reconfigure(), which interrupt threads call too.  What is asked
// of an open device goes through netdev_dispatch.c.
#include "netdev/netdev_provider.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "netdev/netdev_private.h"
#include "netdev/netdev_watch.h"

LOG_MODULE(netdev);

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

// --- for the types ------------------------------------------------------------------------

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
