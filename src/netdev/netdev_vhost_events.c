// SPDX-License-Identifier: Apache-2.0
//
// What DPDK's vhost library tells of guests: connections, messages, devices and rings.
//
// All of it comes in the library's vhost thread, which knows a port by the path of its socket.  It
// stores what PMDs read, and asks main to set the queues up anew when the guest's number of queues
// or its NUMA node changed.  See netdev_vhost.h for how a connection ends safely.
#include "netdev/netdev_vhost.h"

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include <rte_vhost.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rcu.h"
#include "netdev/netdev_gro.h"
#include "netdev/netdev_private.h"
#include "netdev/netdev_vhost_call.h"
#include "netdev/netdev_vhost_guard.h"
#include "netdev/netdev_vhost_relay.h"

LOG_MODULE(netdev_dpdk);

static struct {
    pthread_mutex_t lock;
    struct netdev_vhost *first;
} vhosts = {.lock = PTHREAD_MUTEX_INITIALIZER};

const char *
netdev_vhost_library_path(const struct netdev_vhost *vhost)
{
    return vhost->relay != NULL ? netdev_vhost_relay_path(vhost->relay) : vhost->path;
}

// --- the ports: main ----------------------------------------------------------------------

void
netdev_vhost_list(struct netdev_vhost *vhost, bool listed)
{
    pthread_mutex_lock(&vhosts.lock);
    if (listed) {
        vhost->next = vhosts.first;
        vhosts.first = vhost;
    } else {
        for (struct netdev_vhost **p = &vhosts.first; *p != NULL; p = &(*p)->next) {
            if (*p == vhost) {
                *p = vhost->next;
                break;
            }
        }
    }
    pthread_mutex_unlock(&vhosts.lock);
}

bool
netdev_vhost_has_path(const char *path)
{
    const struct netdev_vhost *vhost;

    pthread_mutex_lock(&vhosts.lock);
    for (vhost = vhosts.first; vhost != NULL && strcmp(vhost->path, path) != 0;) {
        vhost = vhost->next;
    }
    pthread_mutex_unlock(&vhosts.lock);
    return vhost != NULL;
}

// --- events: vhost thread ------------------------------------------------------------------

// The port of a connection, with its lock held; NULL when there is none.
static struct netdev_vhost *
lock_port_of(int vid)
{
    char path[PATH_MAX];
    struct netdev_vhost *vhost;

    if (rte_vhost_get_ifname(vid, path, sizeof(path)) != 0) {
        return NULL;
    }
    pthread_mutex_lock(&vhosts.lock);
    for (vhost = vhosts.first; vhost != NULL; vhost = vhost->next) {
        if (strcmp(netdev_vhost_library_path(vhost), path) == 0) {
            pthread_mutex_lock(&vhost->lock);
            break;
        }
    }
    pthread_mutex_unlock(&vhosts.lock);
    return vhost;
}

static void
map_tx_queues(struct netdev_vhost *vhost)
{
    uint16_t n = 0;

    for (uint16_t i = 0; i < vhost->n_pairs; i++) {
        if (vhost->tx_enabled[i]) {
            atomic_store_explicit(&vhost->tx_map[n++], i, memory_order_relaxed);
        }
    }
    atomic_store_explicit(&vhost->n_tx, n, memory_order_release);
}

// What of super-frames the guest takes from us, as enum netdev_gro_families.
static unsigned int
accepted_supers(const struct netdev_vhost *vhost, int vid)
{
    uint64_t features = 0;

    if (!vhost->offloads || rte_vhost_get_negotiated_features(vid, &features) != 0 ||
        (features & 1ULL << VIRTIO_NET_F_GUEST_CSUM) == 0) {
        return 0;
    }
    return ((features & 1ULL << VIRTIO_NET_F_GUEST_TSO4) != 0 ? NETDEV_GRO_IP4 : 0) |
           ((features & 1ULL << VIRTIO_NET_F_GUEST_TSO6) != 0 ? NETDEV_GRO_IP6 : 0);
}

// Requests of a front-end that are looked at here, by their numbers in vhost-user.rst.
enum {
    HEADER_SIZE = 12,
    SET_FEATURES = 2,
    SET_MEM_TABLE = 5,
    SET_VRING_NUM = 8,
    SET_VRING_ENABLE = 18,
    IOTLB_MSG = 22,
    POSTCOPY_ADVISE = 28,
    POSTCOPY_LISTEN = 29,
    POSTCOPY_END = 30,
    GET_INFLIGHT_FD = 31,
    SET_INFLIGHT_FD = 32,
};

// Of the message that this thread has last begun to handle.
static _Thread_local uint32_t request;

// Postcopy begins once, and only where it is offered: the library would begin it anywhere, forget
// its last userfaultfd each time, and then wait for that front-end with its only thread.
static bool
may_advise(struct netdev_vhost *vhost)
{
    bool may = vhost->offers_postcopy && !vhost->is_advised;

    vhost->is_advised = true;
    return may;
}

// Memory that can be somewhere.  Of any other the library has taken the first descriptors when it
// finds out, and does not close them; and it has given up the memory that there was, while rings
// still lie in it, which forwarding threads go on to touch.
static bool
is_memory(const char *msg)
{
    enum { REGIONS = 8, MAX_REGIONS = 8 };
    static const uint64_t too_much = 1ULL << 48;
    struct {
        uint64_t guest, size, user, offset;
    } region;
    uint32_t size, n;

    memcpy(&size, msg + 8, sizeof(size));
    memcpy(&n, msg + HEADER_SIZE, sizeof(n));
    if (size < REGIONS || n > MAX_REGIONS || size < REGIONS + n * sizeof(region)) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        memcpy(&region, msg + HEADER_SIZE + REGIONS + i * sizeof(region), sizeof(region));
        if (region.size == 0 || region.size >= too_much || region.offset >= too_much ||
            !netdev_vhost_guard_can_map(i, region.size + region.offset)) {
            return false;
        }
    }
    return true;
}

// True for what the library must not see.  In-flight tables, which its network devices do not
// offer, it serves all the same: it fills a table of any length with zeros, and writes behind one
// that is shorter than its front-end says (CVE-2026-86565).
static bool
is_refused(struct netdev_vhost *vhost, const void *msg)
{
    switch (request) {
    case SET_MEM_TABLE:
        return !is_memory(msg) ||
               !netdev_vhost_rings_may(&vhost->rings, request, (const char *)msg + HEADER_SIZE);
    case GET_INFLIGHT_FD:
    case SET_INFLIGHT_FD:
        return true;
    case POSTCOPY_ADVISE:
        return !may_advise(vhost);
    case POSTCOPY_LISTEN:
        // Else the next memory table is answered with where it lies in our memory, and waited for.
        return !vhost->offers_postcopy || !vhost->is_advised;
    case POSTCOPY_END:
        vhost->is_advised = false;
        return false;
    default:
        return !netdev_vhost_rings_may(&vhost->rings, request, (const char *)msg + HEADER_SIZE);
    }
}

static void
set_ring(struct netdev_vhost *vhost, uint16_t vring, bool enable)
{
    uint16_t pair = vring / VHOST_VRINGS_PER_PAIR;

    if (vring % VHOST_VRINGS_PER_PAIR == 0) {
        vhost->tx_enabled[pair] = enable;
        map_tx_queues(vhost);
    } else {
        atomic_store(&vhost->rx_enabled[pair], enable);
    }
    log_dbg("vring %u of '%s' is %s", vring, vhost->path, enable ? "enabled" : "disabled");
    netdev_changed(&vhost->up);
}

// Behind an IOMMU the library tells nothing of a ring that is turned on or off while it does not
// know where it is (see on_vring_state()).
static void
on_ring_enable(int vid, const void *msg)
{
    uint32_t state[2]; // ring, 1: on
    uint64_t features = 0;

    memcpy(state, (const char *)msg + HEADER_SIZE, sizeof(state));
    if (state[0] / VHOST_VRINGS_PER_PAIR >= VHOST_MAX_PAIRS ||
        rte_vhost_get_negotiated_features(vid, &features) != 0 ||
        (features & 1ULL << VIRTIO_F_ACCESS_PLATFORM) == 0) {
        return;
    }
    struct netdev_vhost *vhost = lock_port_of(vid);
    if (vhost == NULL) {
        return;
    }
    // Of one that does not run yet it tells when it does.
    if (atomic_load_explicit(&vhost->vid, memory_order_relaxed) == vid &&
        (state[1] == 0 || netdev_vhost_rings_has_started(&vhost->rings, state[0]))) {
        set_ring(vhost, (uint16_t)state[0], state[1] != 0);
    }
    pthread_mutex_unlock(&vhost->lock);
}

// One connection of a port at a time: the library has more at server sockets, and tells of the
// rings of each.
static void
serve(struct netdev_vhost *vhost, int vid)
{
    vhost->served = vid;
    vhost->waiting = VHOST_NO_VID;
    atomic_store_explicit(&vhost->is_broken, false, memory_order_relaxed);
    vhost->is_advised = false;
    vhost->rings = (struct netdev_vhost_rings){0};
}

// A front-end that comes back may be seen before it is seen that it went; nothing of it is handled
// until then.  More than one need not wait.
static bool
may_connect(struct netdev_vhost *vhost, int vid)
{
    if (vhost->served == VHOST_NO_VID) {
        serve(vhost, vid);
        return true;
    }
    if (vhost->waiting != VHOST_NO_VID) {
        return false;
    }
    vhost->waiting = vid;
    return true;
}

static bool
is_served(struct netdev_vhost *vhost, int vid)
{
    if (vhost->served == VHOST_NO_VID && vhost->waiting == vid) {
        serve(vhost, vid);
    }
    if (vhost->served != vid) {
        log_warn_rl(&vhost->comings, "%s: another front-end is connected", vhost->path);
    }
    return vhost->served == vid;
}

// Around each message of a front-end: what is mapped meanwhile is its guest's.
static enum rte_vhost_msg_result
before_message(int vid, void *msg)
{
    struct netdev_vhost *vhost = lock_port_of(vid);
    bool refused = true;

    memcpy(&request, msg, sizeof(request)); // it begins as on the wire
    if (vhost != NULL) {
        refused = !is_served(vhost, vid) || is_refused(vhost, msg);
        pthread_mutex_unlock(&vhost->lock);
    }
    netdev_vhost_call_never_wait();
    if (refused) {
        netdev_vhost_guard_drop_fds();
        return RTE_VHOST_MSG_RESULT_ERR;
    }
    netdev_vhost_guard_note(vhost);
    netdev_vhost_caller = vhost;
    return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static enum rte_vhost_msg_result
after_message(int vid, void *msg)
{
    netdev_vhost_guard_note(NULL);
    netdev_vhost_caller = NULL;
    if (request == SET_VRING_NUM || request == SET_FEATURES) {
        struct netdev_vhost *vhost = lock_port_of(vid);
        if (vhost != NULL) {
            netdev_vhost_rings_did(&vhost->rings, request, (const char *)msg + HEADER_SIZE);
            pthread_mutex_unlock(&vhost->lock);
        }
    }
    if (request == SET_VRING_ENABLE) {
        on_ring_enable(vid, msg);
    }
    return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static int
on_new_connection(int vid)
{
    static const struct rte_vhost_user_extern_ops around = {
        .pre_msg_handle = before_message,
        .post_msg_handle = after_message,
    };
    struct netdev_vhost *vhost = lock_port_of(vid);

    netdev_vhost_guard_note(NULL); // There is no after_message() when one was refused.
    if (vhost == NULL) {
        return -1;
    }
    bool may = may_connect(vhost, vid);
    pthread_mutex_unlock(&vhost->lock);
    if (!may) {
        return -1;
    }
    return rte_vhost_extern_callback_register(vid, &around, NULL);
}

static void
on_destroy_connection(int vid)
{
    struct netdev_vhost *vhost = lock_port_of(vid);

    netdev_vhost_guard_note(NULL);
    if (vhost != NULL) {
        if (vhost->waiting == vid) {
            vhost->waiting = VHOST_NO_VID;
        }
        if (vhost->served == vid) {
            vhost->served = VHOST_NO_VID;
            vhost->ended_ms = clock_now_ms();
        }
        pthread_mutex_unlock(&vhost->lock);
    }
}

static int
on_new_device(int vid)
{
    struct netdev_vhost *vhost = lock_port_of(vid);
    if (vhost == NULL) {
        return -1;
    }
    if (atomic_load_explicit(&vhost->is_broken, memory_order_relaxed)) {
        pthread_mutex_unlock(&vhost->lock);
        return -1;
    }
    uint16_t n_vrings = rte_vhost_get_vring_num(vid);
    uint16_t n_pairs = MAX(
        MIN((uint16_t)(n_vrings / VHOST_VRINGS_PER_PAIR), (uint16_t)VHOST_MAX_PAIRS), (uint16_t)1);
    int numa_id = rte_vhost_get_numa_node(vid);
    bool changed = n_pairs != vhost->n_pairs || numa_id != vhost->numa_id;

    vhost->n_pairs = n_pairs;
    vhost->numa_id = numa_id;
    vhost->link_resets++;
    // We poll: the guest need not tell us about each frame.
    for (uint16_t i = 1; i < n_vrings; i += VHOST_VRINGS_PER_PAIR) {
        rte_vhost_enable_guest_notification(vid, i, 0);
    }
    map_tx_queues(vhost);
    atomic_store_explicit(&vhost->supers, accepted_supers(vhost, vid), memory_order_relaxed);
    atomic_store_explicit(&vhost->vid, vid, memory_order_release);
    log_info_rl(&vhost->comings, "vHost Device '%s' has been added on numa node %d", vhost->path,
                numa_id);
    if (changed) {
        netdev_want_reconfigure(&vhost->up);
    } else {
        netdev_changed(&vhost->up);
    }
    pthread_mutex_unlock(&vhost->lock);
    return 0;
}

static void
on_destroy_device(int vid)
{
    struct netdev_vhost *vhost = lock_port_of(vid);
    if (vhost == NULL) {
        return;
    }
    atomic_store_explicit(&vhost->vid, VHOST_NO_VID, memory_order_release);
    atomic_store(&vhost->n_tx, 0);
    for (uint16_t i = 0; i < VHOST_MAX_PAIRS; i++) {
        vhost->tx_enabled[i] = false;
        atomic_store(&vhost->rx_enabled[i], false);
    }
    vhost->link_resets++;
    log_info_rl(&vhost->comings, "vHost Device '%s' has been removed", vhost->path);
    netdev_changed(&vhost->up);
    pthread_mutex_unlock(&vhost->lock);
    // PMDs that have loaded the old value finish with it.
    rcu_synchronize();
}

// The library can use a ring from now on, or cannot.
static int
on_vring_state(int vid, uint16_t vring, int enable)
{
    // The front-end took back what its IOMMU had told.  That is asked for when the ring is used the
    // next time: who left it alone would never ask.
    if (!enable && request == IOTLB_MSG) {
        return 0;
    }
    struct netdev_vhost *vhost =
        vring / VHOST_VRINGS_PER_PAIR < VHOST_MAX_PAIRS ? lock_port_of(vid) : NULL;
    if (vhost != NULL) {
        set_ring(vhost, vring, enable != 0);
        pthread_mutex_unlock(&vhost->lock);
    }
    return 0;
}

const struct rte_vhost_device_ops netdev_vhost_ops = {
    .new_connection = on_new_connection,
    .destroy_connection = on_destroy_connection,
    .new_device = on_new_device,
    .destroy_device = on_destroy_device,
    .vring_state_changed = on_vring_state,
};
