// SPDX-License-Identifier: Apache-2.0
//
// Types internal and tap: kernel taps that we make, the host's end of a bridge.  The device lives
// as long as its descriptor, so a daemon that dies leaves nothing.  It may be moved into another
// network namespace: frames go on through the descriptor, and the control socket follows it there.
//
// The kernel hands over TCP super-frames and begun checksums (TUN_F_*), resolved in netdev_krx.c.
// Statistics are the switch's: what the host sends is received.
#include "netdev/netdev_provider.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include "base/log.h"
#include "netdev/netdev_kif.h"
#include "netdev/netdev_krx.h"

LOG_MODULE(netdev_linux);

#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)
#endif

struct netdev_tap {
    struct netdev up;
    int fd;               // -1: the device was deleted under us; pmd: r
    _Atomic bool is_gone; // pmd: w, main: r
    struct netdev_kif kif;
    struct netdev_krx *krx;
    struct netdev_queue_counts *tx_counts; // [queues.n_txq]; each its thread's: w, main: r
    unsigned int n_tx_counts;
};

static struct netdev_tap *
tap_cast(const struct netdev *netdev)
{
    return container_of(netdev, struct netdev_tap, up);
}

// --- the device ----------------------------------------------------------------------------

static int
tap_set_offloads(int fd)
{
    int size = sizeof(struct virtio_net_hdr);

    if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0) {
        return -errno;
    }
    // Without them the kernel completes and cuts frames itself: slower, not wrong.
    if (ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN) < 0) {
        log_dbg("TUNSETOFFLOAD: %s", err_str(errno));
    }
    return 0;
}

static int
tap_make(const char *name, int *fdp)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        return -errno;
    }
    str_copy(ifr.ifr_name, name, sizeof(ifr.ifr_name));
    int error = ioctl(fd, TUNSETIFF, &ifr) < 0 ? -errno : tap_set_offloads(fd);
    if (error != 0) {
        close(fd);
        return error;
    }
    // One that somebody left as persistent is taken over and goes when we do.
    ioctl(fd, TUNSETPERSIST, 0);
    *fdp = fd;
    return 0;
}

static int
tap_open(struct netdev *netdev, char **errorp)
{
    struct netdev_tap *tap = tap_cast(netdev);
    int error = netdev_kif_init(&tap->kif, netdev->name);

    tap->fd = -1;
    if (error == 0) {
        error = tap_make(netdev->name, &tap->fd);
    }
    if (error == -ENOENT) {
        *errorp = xstrdup("/dev/net/tun does not exist: load the tun module");
    } else if (error == -EPERM || error == -EACCES) {
        *errorp = xstrdup("no permission to make taps: CAP_NET_ADMIN is needed");
    }
    if (error != 0) {
        netdev_kif_fini(&tap->kif);
        return error;
    }
    tap->kif.last_carrier = netdev_kif_carrier(&tap->kif);
    return 0;
}

static void
tap_close(struct netdev *netdev)
{
    struct netdev_tap *tap = tap_cast(netdev);

    if (tap->krx != NULL) {
        netdev_krx_fini(tap->krx);
        free(tap->krx);
    }
    free(tap->tx_counts);
    netdev_kif_fini(&tap->kif);
    if (tap->fd >= 0) {
        close(tap->fd);
    }
}

// The device has left the namespace of 'kif': opens a socket where it is now.
static void
tap_follow(struct netdev_tap *tap)
{
    struct ifreq ifr = {0};
    int ns = ioctl(tap->fd, TUNGETDEVNETNS, 0);
    int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

    if (ns >= 0 && home >= 0 && setns(ns, CLONE_NEWNET) == 0) {
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (setns(home, CLONE_NEWNET) != 0) {
            log_abort("cannot return to the daemon's network namespace (%s)", err_str(errno));
        }
        if (fd >= 0) {
            close(tap->kif.fd);
            tap->kif.fd = fd;
        }
        if (ioctl(tap->fd, TUNGETIFF, &ifr) == 0) {
            str_copy(tap->kif.name, ifr.ifr_name, sizeof(tap->kif.name));
        }
    }
    if (ns >= 0) {
        close(ns);
    }
    if (home >= 0) {
        close(home);
    }
}

static void
tap_link_event(struct netdev *netdev, const char *name, int ifindex)
{
    struct netdev_tap *tap = tap_cast(netdev);

    if ((name != NULL && strcmp(name, tap->kif.name) != 0) || tap->fd < 0) {
        return;
    }
    if (netdev_kif_ifindex(&tap->kif) < 0) {
        struct ifreq ifr = {0};
        if (ioctl(tap->fd, TUNGETIFF, &ifr) == 0) {
            tap_follow(tap);
        } else {
            atomic_store(&tap->is_gone, true);
            netdev_want_reconfigure(netdev);
            return;
        }
    }
    netdev_kif_look(&tap->kif);
    int mtu = netdev_kif_get_mtu(&tap->kif);
    if (tap->krx != NULL && mtu > 0 && !netdev_krx_fits(tap->krx, mtu)) {
        netdev_want_reconfigure(netdev);
    }
    netdev_changed(netdev);
}

// --- fast path -----------------------------------------------------------------------------

static uint16_t
tap_rx(struct netdev *netdev, uint16_t qid, struct rte_mbuf **mbufs)
{
    struct netdev_tap *tap = tap_cast(netdev);
    struct netdev_krx *krx = tap->krx;
    uint16_t n = 0;

    if (netdev_krx_pending(krx)) {
        n = netdev_krx_deliver(krx, mbufs, 0);
    }
    // What happens outside this namespace sends no events: a frame beyond the MTU is the first
    // sign.
    while (n < NETDEV_MAX_BURST) {
        unsigned int want = netdev_krx_prepare(krx, 1);
        if (want == 0) {
            break;
        }
        struct netdev_krx_slot *slot = &krx->slots[0];
        ssize_t len = readv(tap->fd, slot->iov, KRX_IOVS);
        if (len < (ssize_t)sizeof(slot->hdr)) {
            if (len < 0 && errno == EBADFD && !atomic_exchange(&tap->is_gone, true)) {
                netdev_want_reconfigure(netdev);
            }
            break;
        }
        slot->len = (uint32_t)((size_t)len - sizeof(slot->hdr));
        krx->n_slots = 1;
        n = netdev_krx_deliver(krx, mbufs, n);
    }
    netdev_krx_report(krx, netdev);
    return n;
}

static ssize_t
tap_write(int fd, const struct rte_mbuf *m)
{
    static const struct virtio_net_hdr plain;
    struct iovec iov[17];
    int n_iov = 1;

    iov[0] = (struct iovec){(void *)(uintptr_t)&plain, sizeof(plain)};
    for (; m != NULL && n_iov < (int)ARRAY_SIZE(iov); m = m->next) {
        iov[n_iov++] = (struct iovec){rte_pktmbuf_mtod(m, void *), m->data_len};
    }
    return m != NULL ? -1 : writev(fd, iov, n_iov);
}

static void
tap_tx(struct netdev *netdev, uint16_t qid, struct rte_mbuf **mbufs, uint16_t n)
{
    struct netdev_tap *tap = tap_cast(netdev);
    struct netdev_queue_counts *counts = &tap->tx_counts[qid % netdev->queues.n_txq];
    uint64_t n_sent = 0, bytes = 0;

    for (uint16_t i = 0; i < n; i++) {
        if (tap_write(tap->fd, mbufs[i]) >= 0) {
            n_sent++;
            bytes += mbufs[i]->pkt_len;
        }
    }
    rte_pktmbuf_free_bulk(mbufs, n);
    netdev_count(&counts->packets, n_sent);
    netdev_count(&counts->bytes, bytes);
    if (n_sent < n) {
        netdev_count(&counts->dropped, n - n_sent);
    }
}

static int
tap_reconfigure(struct netdev *netdev, uint16_t n_txq, char **errorp)
{
    struct netdev_tap *tap = tap_cast(netdev);

    if (atomic_exchange(&tap->is_gone, false)) {
        log_info("%s: the device was deleted from outside; making it again", netdev->name);
        close(tap->fd);
        tap->fd = -1;
        int error = tap_make(netdev->name, &tap->fd);
        if (error != 0) {
            return error;
        }
    }
    int mtu = netdev_kif_get_mtu(&tap->kif);
    if (tap->krx == NULL) {
        tap->krx = xzalloc_cacheline(ROUND_UP(sizeof(*tap->krx), CACHE_LINE_SIZE));
    }
    if (tap->krx->lent == NULL || (mtu > 0 && !netdev_krx_fits(tap->krx, mtu))) {
        int error = netdev_krx_init(tap->krx, mtu > 0 ? mtu : RTE_ETHER_MTU, 1, errorp);
        if (error != 0) {
            return error;
        }
    }
    netdev_grow_counts(&tap->tx_counts, &tap->n_tx_counts, n_txq);
    netdev->queues = (struct netdev_queues){.n_rxq = 1, .n_txq = n_txq, .numa_id = -1};
    netdev->rx = tap_rx;
    netdev->tx = tap_tx;
    return 0;
}

static int
tap_rx_fd(const struct netdev *netdev, uint16_t qid)
{
    return tap_cast(netdev)->fd;
}

// --- control -------------------------------------------------------------------------------

static int
tap_get_mac(const struct netdev *netdev, struct rte_ether_addr *mac)
{
    return netdev_kif_get_mac(&tap_cast(netdev)->kif, mac);
}

static int
tap_set_mac(struct netdev *netdev, const struct rte_ether_addr *mac)
{
    return netdev_kif_set_mac(&tap_cast(netdev)->kif, mac);
}

static int
tap_get_mtu(const struct netdev *netdev)
{
    return netdev_kif_get_mtu(&tap_cast(netdev)->kif);
}

static int
tap_set_mtu(struct netdev *netdev, int mtu)
{
    struct netdev_tap *tap = tap_cast(netdev);
    int error = netdev_kif_set_mtu(&tap->kif, mtu);

    if (error == 0 && tap->krx != NULL && !netdev_krx_fits(tap->krx, mtu)) {
        netdev_want_reconfigure(netdev);
    }
    return error;
}

static int
tap_get_flags(const struct netdev *netdev)
{
    return netdev_kif_get_flags(&tap_cast(netdev)->kif);
}

static int
tap_set_flags(struct netdev *netdev, int off, int on)
{
    return netdev_kif_set_flags(&tap_cast(netdev)->kif, off, on);
}

static int
tap_get_ifindex(const struct netdev *netdev)
{
    return netdev_kif_ifindex(&tap_cast(netdev)->kif);
}

static void
tap_get_link(const struct netdev *netdev, struct netdev_link *link)
{
    netdev_kif_get_link(&tap_cast(netdev)->kif, link);
}

static void
tap_get_status(const struct netdev *netdev, struct smap *status)
{
    netdev_kif_get_status(&tap_cast(netdev)->kif, status);
}

static void
tap_get_stats(const struct netdev *netdev, struct netdev_stats *stats)
{
    const struct netdev_tap *tap = tap_cast(netdev);

    netdev_krx_stats(tap->krx, stats);
    netdev_sum_tx(tap->tx_counts, tap->n_tx_counts, stats);
}

#define TAP_CLASS(NAME)                                                                         \
    {                                                                                           \
        .type = NAME, .poll = NETDEV_POLL_EPOLL, .needs_dpdk = true,                            \
        .size = sizeof(struct netdev_tap), .open = tap_open, .close = tap_close,                \
        .reconfigure = tap_reconfigure, .rx_fd = tap_rx_fd, .get_mac = tap_get_mac,             \
        .set_mac = tap_set_mac, .get_mtu = tap_get_mtu, .set_mtu = tap_set_mtu,                 \
        .get_flags = tap_get_flags, .set_flags = tap_set_flags, .get_ifindex = tap_get_ifindex, \
        .get_link = tap_get_link, .get_status = tap_get_status, .get_stats = tap_get_stats,     \
        .link_event = tap_link_event,                                                           \
    }

const struct netdev_class netdev_internal_class = TAP_CLASS("internal");
const struct netdev_class netdev_tap_class = TAP_CLASS("tap");
