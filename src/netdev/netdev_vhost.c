// SPDX-License-Identifier: Apache-2.0
//
// Types dpdkvhostuserclient (we connect to the socket that QEMU listens on, again and again) and
// dpdkvhostuser (we listen): the life of the socket.
//
// Which offloads guests are offered is what Open vSwitch 3.1 offers, so that a guest can migrate
// from one switch to the other: a feature that it has negotiated must not vanish.
#include "netdev/netdev_vhost.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/virtio_net.h>

#include <rte_vhost.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/log.h"
#include "base/random.h"
#include "base/rcu.h"
#include "netdev/netdev_private.h"
#include "netdev/netdev_steer.h"
#include "netdev/netdev_vhost_call.h"
#include "netdev/netdev_vhost_inspect.h"
#include "netdev/netdev_vhost_relay.h"

LOG_MODULE(netdev_dpdk);

// Lines about a guest that comes and goes: it can do that as often as it likes.
#define COMINGS_PER_MINUTE 20

// --- the socket ----------------------------------------------------------------------------

void
netdev_vhost_remove_stale_socket(const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    struct stat st;
    int fd;

    if (stat(path, &st) != 0 || !S_ISSOCK(st.st_mode) ||
        str_copy(sun.sun_path, path, sizeof(sun.sun_path)) >= sizeof(sun.sun_path) ||
        (fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0) {
        return;
    }
    // One whose listener does not keep up (EAGAIN) is alive.
    if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 && errno == ECONNREFUSED) {
        unlink(path);
    }
    close(fd);
}

static uint64_t
socket_flags(const struct netdev_vhost *vhost)
{
    const struct smap *config = dpdk_config();
    // What one buffer does not hold has one of 64 kB: a chain of buffers has as many as a guest
    // wants, all that the pool has, and the thread copies all of it.
    uint64_t flags = RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS | RTE_VHOST_USER_NET_STATS_ENABLE |
                     RTE_VHOST_USER_LINEARBUF_SUPPORT;

    if (vhost->offloads) {
        flags |= RTE_VHOST_USER_EXTBUF_SUPPORT;
    }
    if (vhost->is_client || vhost->relay != NULL) {
        flags |= RTE_VHOST_USER_CLIENT;
    }
    if (vhost->is_client) {
        if (smap_get_bool(config, "vhost-iommu-support", false)) {
            flags |= RTE_VHOST_USER_IOMMU_SUPPORT;
        }
        if (smap_get_bool(config, "vhost-postcopy-support", false)) {
            flags |= RTE_VHOST_USER_POSTCOPY_SUPPORT;
        }
    }
    return flags;
}

// What of the library's features guests are not offered.  UDP fragmentation offload is obsolete.
static uint64_t
withheld_features(const struct netdev_vhost *vhost)
{
    if (!vhost->offloads) {
        return 1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_HOST_TSO4 |
               1ULL << VIRTIO_NET_F_HOST_TSO6 | 1ULL << VIRTIO_NET_F_HOST_UFO;
    }
    // Open vSwitch leaves HOST_ECN to server ports.
    return 1ULL << VIRTIO_NET_F_HOST_UFO | (vhost->is_client ? 1ULL << VIRTIO_NET_F_HOST_ECN : 0);
}

// Between tries to have what another process has left.
#define BEGIN_AGAIN_MS 500
#define SETTLE_MS 50

// True while another process has the guests of all ports.
static bool are_deferred; // main: rw

// The library that has just lost a connection is about to connect again, in its own thread.  If it
// is told meanwhile to forget the socket, 22.11.11 may do so first, and uses it then.
static void
let_settle(struct netdev_vhost *vhost)
{
    pthread_mutex_lock(&vhost->lock);
    int64_t left_ms = vhost->ended_ms + SETTLE_MS - clock_now_ms();
    pthread_mutex_unlock(&vhost->lock);
    if (left_ms > 0) {
        usleep((useconds_t)left_ms * 1000);
    }
}

// The guest is cut off, or left to its relay; the port keeps its path.
static void
stop_socket(struct netdev_vhost *vhost)
{
    if (vhost->is_registered) {
        // Waits for the vhost thread, which may wait for a grace period: not for ours.
        rcu_offline();
        if (vhost->relay != NULL) {
            netdev_vhost_relay_release(vhost->relay);
        }
        let_settle(vhost);
        if (rte_vhost_driver_unregister(netdev_vhost_library_path(vhost)) != 0) {
            log_warn("%s: cannot remove the vhost-user socket '%s'", vhost->up.name, vhost->path);
        }
        rcu_online();
        netdev_vhost_list(vhost, false);
        vhost->is_registered = false;
    }
    loop_timer_stop(&vhost->begin_again);
    netdev_vhost_relay_close(vhost->relay);
    vhost->relay = NULL;
}

static void
unregister(struct netdev_vhost *vhost)
{
    stop_socket(vhost);
    free(vhost->path);
    vhost->path = NULL;
    vhost->is_deferred = false;
}

// Lets the library have the port's socket.  The thread is offline.
static int
open_socket(struct netdev_vhost *vhost, char **errorp)
{
    const char *path = vhost->path;
    bool wants_relay = smap_get_bool(dpdk_config(), "vhost-relay", true);
    uint64_t flags;

    if (!wants_relay) {
        netdev_vhost_relay_dismiss(vhost->up.name);
    }
    if (!vhost->is_client) {
        netdev_vhost_remove_stale_socket(path);
    }
    if (wants_relay) {
        vhost->relay =
            netdev_vhost_relay_open(vhost->up.name, path, !vhost->is_client, netdev_loop());
    }
    if (vhost->relay == NULL) {
        netdev_vhost_inspect_start();
    }
    // The library, which cannot have it either, would remove what is there.
    if (!vhost->is_client && vhost->relay == NULL &&
        faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        *errorp =
            xasprintf("cannot listen on the vhost-user socket '%s': there is something else", path);
        return -EEXIST;
    }
    flags = socket_flags(vhost);
    vhost->offers_postcopy = (flags & RTE_VHOST_USER_POSTCOPY_SUPPORT) != 0;
    if (rte_vhost_driver_register(netdev_vhost_library_path(vhost), flags) != 0) {
        *errorp = xasprintf("cannot register the vhost-user socket '%s'", path);
        stop_socket(vhost);
        return -EEXIST;
    }
    const char *lib = netdev_vhost_library_path(vhost);
    vhost->is_registered = true;
    // Of connections that ended with a socket nothing was told.
    vhost->served = vhost->waiting = VHOST_NO_VID;
    netdev_vhost_list(vhost, true);
    if (rte_vhost_driver_callback_register(lib, &netdev_vhost_ops) != 0 ||
        rte_vhost_driver_disable_features(lib, withheld_features(vhost)) != 0 ||
        rte_vhost_driver_start(lib) != 0) {
        *errorp = xasprintf("cannot start the vhost-user socket '%s'", path);
        stop_socket(vhost);
        return -EIO;
    }
    log_info("vHost User device '%s' %s, using %s socket '%s'", vhost->up.name, "created",
             vhost->is_client ? "client" : "server", path);
    return 0;
}

// At a start many ports come one after the other, and relays that hang are waited for.  Guests that
// an earlier switch left are served already, by a thread that may wait for a grace period; and
// their relays do not wait for long.
static int
start_socket(struct netdev_vhost *vhost, char **errorp)
{
    rcu_offline();
    int error = open_socket(vhost, errorp);
    rcu_online();
    return error;
}

static int
register_socket(struct netdev_vhost *vhost, char *path, char **errorp)
{
    if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
        *errorp = xasprintf("the path of the socket is too long: %s", path);
        free(path);
        return -ENAMETOOLONG;
    }
    if (netdev_vhost_has_path(path)) {
        *errorp = xasprintf("another port has the vhost-user socket '%s'", path);
        free(path);
        return -EEXIST;
    }
    vhost->path = path;
    vhost->is_deferred = are_deferred;
    int error = are_deferred ? 0 : start_socket(vhost, errorp);
    if (error != 0) {
        unregister(vhost);
    }
    return error;
}

// --- life and configuration ----------------------------------------------------------------

static int
vhost_open(struct netdev *netdev, char **errorp)
{
    struct netdev_vhost *vhost = netdev_vhost_cast(netdev);

    if (!dpdk_wanted()) {
        return -EAFNOSUPPORT;
    }
    // The name becomes a file's.
    if (strchr(netdev->name, '/') != NULL) {
        *errorp = xstrdup("a vhost-user port's name must not have a slash");
        return -EINVAL;
    }
    netdev_vhost_call_start();
    vhost->is_client = netdev->class == &netdev_vhostuserclient_class;
    vhost->offloads = smap_get_bool(dpdk_config(), "userspace-tso-enable", false);
    vhost->vid = VHOST_NO_VID;
    vhost->served = vhost->waiting = VHOST_NO_VID;
    vhost->n_pairs = 1;
    vhost->numa_id = -1;
    vhost->comings = (struct log_rate)LOG_RATE_INIT(COMINGS_PER_MINUTE, 2 * COMINGS_PER_MINUTE);
    vhost->mtu = RTE_ETHER_MTU;
    vhost->is_up = true;
    random_eth(vhost->mac.addr_bytes);
    vhost->tx_retries_max = VHOST_RETRIES_DEFAULT;
    pthread_mutex_init(&vhost->lock, NULL);
    return 0;
}

// Makes the first 'n' receiving queues able to cut super-frames, and frees what the others had.
static void
set_cuts(struct netdev_vhost *vhost, uint16_t n)
{
    for (uint16_t i = 0; i < VHOST_MAX_PAIRS; i++) {
        if (i < n && vhost->cuts[i] == NULL) {
            vhost->cuts[i] = netdev_vhost_cut_create();
        } else if (i < n) {
            netdev_vhost_cut_clear(vhost->cuts[i]); // what waits lies in the pool that we had
        } else {
            netdev_vhost_cut_destroy(vhost->cuts[i]);
            vhost->cuts[i] = NULL;
        }
    }
}

static void
vhost_close(struct netdev *netdev)
{
    struct netdev_vhost *vhost = netdev_vhost_cast(netdev);

    unregister(vhost);
    set_cuts(vhost, 0);
    netdev_pool_put(vhost->pool, &vhost->pool_wish);
    free(vhost->tx_counts);
    pthread_mutex_destroy(&vhost->lock);
}

static int
server_socket(struct netdev_vhost *vhost, char **errorp)
{
    const char *sub = smap_get_def(dpdk_config(), "vhost-sock-dir", "");

    if (vhost->path != NULL) {
        return 0;
    }
    if (strstr(sub, "..") != NULL) {
        *errorp = xasprintf("other_config:vhost-sock-dir '%s' leaves the run directory", sub);
        return -EINVAL;
    }
    char *path = sub[0] != '\0' ? xasprintf("%s/%s/%s", dirs_run(), sub, vhost->up.name)
                                : xasprintf("%s/%s", dirs_run(), vhost->up.name);
    return register_socket(vhost, path, errorp);
}

static int
client_socket(struct netdev_vhost *vhost, const struct smap *options, char **errorp)
{
    const char *path = smap_get(options, "vhost-server-path");
    unsigned int retries = smap_get_uint(options, "tx-retries-max", VHOST_RETRIES_DEFAULT);

    atomic_store(&vhost->tx_retries_max,
                 retries <= VHOST_RETRIES_MAX ? retries : VHOST_RETRIES_DEFAULT);
    if (path == NULL || path[0] == '\0') {
        *errorp = xasprintf("'%s' is missing 'options:vhost-server-path', the socket that QEMU "
                            "listens on",
                            vhost->up.name);
        return -EINVAL;
    }
    if (vhost->path != NULL && strcmp(vhost->path, path) == 0) {
        return 0;
    }
    unregister(vhost);
    return register_socket(vhost, xstrdup(path), errorp);
}

static int
vhost_set_config(struct netdev *netdev, const struct smap *options, const struct smap *other_config,
                 bool *needs_reconfigure, char **errorp)
{
    struct netdev_vhost *vhost = netdev_vhost_cast(netdev);

    netdev_steer_configure(netdev, other_config, &vhost->is_steered);
    *needs_reconfigure = vhost->is_steered != (netdev->tx == netdev_vhost_tx_steered);
    return vhost->is_client ? client_socket(vhost, options, errorp) : server_socket(vhost, errorp);
}

static int
vhost_reconfigure(struct netdev *netdev, uint16_t n_txq, char **errorp)
{
    struct netdev_vhost *vhost = netdev_vhost_cast(netdev);

    pthread_mutex_lock(&vhost->lock);
    uint16_t n_pairs = vhost->n_pairs;
    int numa_id = vhost->numa_id;
    pthread_mutex_unlock(&vhost->lock);

    struct netdev_pool_wish wish = {
        .mtu = vhost->mtu,
        .numa_id = numa_id,
        // A burst of super-frames waits to be cut.
        .n_mbufs = n_pairs * (4u + (vhost->offloads ? 1 : 0)) * NETDEV_MAX_BURST,
        .owner = smap_get_bool(dpdk_config(), "per-port-memory", false) ? netdev->name : NULL};
    struct netdev_pool *pool = netdev_pool_get(&wish, errorp);
    if (pool == NULL) {
        return -ENOMEM;
    }
    set_cuts(vhost, vhost->offloads ? n_pairs : 0);
    netdev_pool_put(vhost->pool, &vhost->pool_wish);
    vhost->pool = pool;
    vhost->pool_wish = wish;
    vhost->mempool = netdev_pool_mempool(pool);
    vhost->max_frame = netdev_frame_size(vhost->mtu);
    if (vhost->n_tx_counts < n_txq) {
        struct netdev_vhost_tx_counts *counts = xzalloc_cacheline(n_txq * sizeof(*counts));
        if (vhost->tx_counts != NULL) {
            memcpy((void *)counts, vhost->tx_counts, vhost->n_tx_counts * sizeof(*counts));
        }
        free(vhost->tx_counts);
        vhost->tx_counts = counts;
        vhost->n_tx_counts = n_txq;
    }
    // The library locks the rings itself, so each thread may have a queue number of its own.
    netdev->queues = (struct netdev_queues){.n_rxq = n_pairs, .n_txq = n_txq, .numa_id = numa_id};
    netdev->rx = vhost->offloads ? netdev_vhost_rx_cut : netdev_vhost_rx;
    netdev->tx = vhost->is_steered ? netdev_vhost_tx_steered : netdev_vhost_tx;
    return 0;
}

static bool
vhost_rxq_enabled(const struct netdev *netdev, uint16_t qid)
{
    const struct netdev_vhost *vhost = netdev_vhost_cast(netdev);

    return qid < VHOST_MAX_PAIRS && atomic_load(&vhost->rx_enabled[qid]);
}

// --- properties ----------------------------------------------------------------------------

static int
vhost_get_mac(const struct netdev *netdev, struct rte_ether_addr *mac)
{
    *mac = netdev_vhost_cast(netdev)->mac;
    return 0;
}

static int
vhost_set_mac(struct netdev *netdev, const struct rte_ether_addr *mac)
{
    netdev_vhost_cast(netdev)->mac = *mac;
    return 0;
}

static int
vhost_get_mtu(const struct netdev *netdev)
{
    return netdev_vhost_cast(netdev)->mtu;
}

static int
vhost_set_mtu(struct netdev *netdev, int mtu)
{
    struct netdev_vhost *vhost = netdev_vhost_cast(netdev);

    if (mtu < RTE_ETHER_MIN_MTU || mtu > RTE_ETHER_MAX_JUMBO_FRAME_LEN) {
        return -EINVAL;
    }
    if (mtu != vhost->mtu) {
        vhost->mtu = mtu;
        netdev_want_reconfigure(netdev);
    }
    return 0;
}

static int
vhost_get_flags(const struct netdev *netdev)
{
    return atomic_load(&netdev_vhost_cast(netdev)->is_up) ? NETDEV_UP | NETDEV_PROMISC
                                                          : NETDEV_PROMISC;
}

static int
vhost_set_flags(struct netdev *netdev, int off, int on)
{
    struct netdev_vhost *vhost = netdev_vhost_cast(netdev);

    if ((on & NETDEV_UP) != 0) {
        atomic_store(&vhost->is_up, true);
    } else if ((off & NETDEV_UP) != 0) {
        atomic_store(&vhost->is_up, false);
    }
    return 0;
}

static void
vhost_get_link(const struct netdev *netdev, struct netdev_link *link)
{
    struct netdev_vhost *vhost = netdev_vhost_cast(netdev);

    pthread_mutex_lock(&vhost->lock);
    link->carrier = atomic_load(&vhost->vid) >= 0 && atomic_load(&vhost->is_up);
    link->resets = vhost->link_resets;
    pthread_mutex_unlock(&vhost->lock);
    link->full_duplex = true;
    link->current = link->carrier ? NETDEV_F_OTHER : 0;
}

// --- another process has the guests --------------------------------------------------------

void
netdev_defer_guests(void)
{
    are_deferred = true;
}

// Nobody asks for it once more: the row's configuration was fine when it was applied.
static void
try_to_begin(void *vhost_)
{
    struct netdev_vhost *vhost = vhost_;
    char *error = NULL;

    if (netdev_vhost_has_path(vhost->path)) {
        error = xasprintf("another port has the vhost-user socket '%s'", vhost->path);
    } else if (start_socket(vhost, &error) == 0) {
        vhost->is_deferred = vhost->has_failed_to_begin = false;
        return;
    }
    log_at(vhost->has_failed_to_begin ? LOG_LVL_DBG : LOG_LVL_ERR, "%s: %s, trying again",
           vhost->up.name, error);
    vhost->has_failed_to_begin = true;
    free(error);
    if (netdev_loop() != NULL) {
        loop_timer_once(&vhost->begin_again, netdev_loop(), BEGIN_AGAIN_MS, try_to_begin, vhost);
    }
}

static void
begin_guest(struct netdev *netdev, void *aux)
{
    struct netdev_vhost *vhost = netdev_vhost_cast(netdev);

    if (netdev->class->open == vhost_open && vhost->is_deferred) {
        try_to_begin(vhost);
    }
}

static void
release_guest(struct netdev *netdev, void *aux)
{
    struct netdev_vhost *vhost = netdev_vhost_cast(netdev);

    if (netdev->class->open == vhost_open && vhost->path != NULL) {
        stop_socket(vhost);
        vhost->is_deferred = true;
    }
}

void
netdev_end_guests(void)
{
    rcu_offline(); // as in stop_socket()
    netdev_vhost_relay_release_all();
    rcu_online();
}

void
netdev_release_guests(void)
{
    netdev_end_guests();
    netdev_foreach(release_guest, NULL);
}

void
netdev_begin_guests(void)
{
    are_deferred = false;
    netdev_foreach(begin_guest, NULL);
}

#define VHOST_CLASS(NAME)                                                                          \
    {                                                                                              \
        .type = NAME, .poll = NETDEV_POLL_SPIN, .size = sizeof(struct netdev_vhost),               \
        .is_quick = true, .open = vhost_open, .close = vhost_close,                                \
        .set_config = vhost_set_config, .get_config = netdev_vhost_get_config,                     \
        .reconfigure = vhost_reconfigure, .rxq_enabled = vhost_rxq_enabled,                        \
        .rxq_length = netdev_vhost_rxq_length, .get_mac = vhost_get_mac, .set_mac = vhost_set_mac, \
        .get_mtu = vhost_get_mtu, .set_mtu = vhost_set_mtu, .get_flags = vhost_get_flags,          \
        .set_flags = vhost_set_flags, .get_link = vhost_get_link,                                  \
        .get_status = netdev_vhost_get_status, .get_stats = netdev_vhost_get_stats,                \
        .get_custom_stats = netdev_vhost_get_custom_stats,                                         \
    }

const struct netdev_class netdev_vhostuser_class = VHOST_CLASS("dpdkvhostuser");
const struct netdev_class netdev_vhostuserclient_class = VHOST_CLASS("dpdkvhostuserclient");
