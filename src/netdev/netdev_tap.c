// SPDX-License-Identifier: Apache-2.0
//
// Types internal and tap: kernel taps that we make, the host's end of a bridge.  The device lives
// as long as its descriptor, so a daemon that dies leaves nothing.  It may be moved into another
// network namespace: frames go on through the descriptor, and the control socket follows it there.
//
// The kernel hands over TCP super-frames and begun checksums (TUN_F_*), resolved in netdev_krx.c.
// Statistics are the switch's: what the host sends is received.
#include "netdev/netdev_kdev.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include "base/log.h"

LOG_MODULE(netdev_linux);

#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)
#endif

struct netdev_tap {
    struct netdev_kdev dev; // dev.fd -1: the device was deleted under us
    _Atomic bool is_gone;   // pmd: w, main: r
};

static struct netdev_tap *
tap_cast(const struct netdev *netdev)
{
    return container_of(netdev, struct netdev_tap, dev.up);
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

// The device has left the namespace of 'kif': opens a socket where it is now.
static void
tap_follow(struct netdev_tap *tap)
{
    struct ifreq ifr = {0};
    int ns = ioctl(tap->dev.fd, TUNGETDEVNETNS, 0);
    int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

    if (ns >= 0 && home >= 0 && setns(ns, CLONE_NEWNET) == 0) {
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (setns(home, CLONE_NEWNET) != 0) {
            log_abort("cannot return to the daemon's network namespace (%s)", err_str(errno));
        }
        if (fd >= 0) {
            close(tap->dev.kif.fd);
            tap->dev.kif.fd = fd;
        }
        if (ioctl(tap->dev.fd, TUNGETIFF, &ifr) == 0) {
            str_copy(tap->dev.kif.name, ifr.ifr_name, sizeof(tap->dev.kif.name));
        }
    }
    if (ns >= 0) {
        close(ns);
    }
    if (home >= 0) {
        close(home);
    }
}

// Takes up the tap of a switch that died: with its addresses, wherever it is now.
static bool
tap_take_up(struct netdev_tap *tap)
{
    struct ifreq ifr = {0};
    int fd = netdev_kdev_take(&tap->dev);

    if (fd < 0) {
        return false;
    }
    if (ioctl(fd, TUNGETIFF, &ifr) != 0 || tap_set_offloads(fd) != 0) {
        close(fd);
        return false;
    }
    tap->dev.fd = fd;
    if (netdev_kif_ifindex(&tap->dev.kif) < 0) {
        tap_follow(tap);
    }
    return true;
}

static int
tap_open(struct netdev *netdev, char **errorp)
{
    struct netdev_tap *tap = tap_cast(netdev);
    int error = netdev_kif_init(&tap->dev.kif, netdev->name);

    tap->dev.fd = -1;
    tap->dev.offloads = netdev_kdev_wants_offloads();
    if (error == 0 && !tap_take_up(tap)) {
        error = tap_make(netdev->name, &tap->dev.fd);
    }
    if (error == -ENOENT) {
        *errorp = xstrdup("/dev/net/tun does not exist: load the tun module");
    } else if (error == -EPERM || error == -EACCES) {
        *errorp = xstrdup("no permission to make taps: CAP_NET_ADMIN is needed");
    }
    if (error != 0) {
        netdev_kif_fini(&tap->dev.kif);
        return error;
    }
    netdev_kdev_keep(&tap->dev);
    tap->dev.kif.last_carrier = netdev_kif_carrier(&tap->dev.kif);
    return 0;
}

static void
tap_close(struct netdev *netdev)
{
    netdev_kdev_fini(netdev_kdev_cast(netdev));
}

static void
tap_link_event(struct netdev *netdev, const char *name, int ifindex)
{
    struct netdev_tap *tap = tap_cast(netdev);

    if ((name != NULL && strcmp(name, tap->dev.kif.name) != 0) || tap->dev.fd < 0) {
        return;
    }
    if (netdev_kif_ifindex(&tap->dev.kif) < 0) {
        struct ifreq ifr = {0};
        if (ioctl(tap->dev.fd, TUNGETIFF, &ifr) == 0) {
            tap_follow(tap);
        } else {
            atomic_store(&tap->is_gone, true);
            netdev_want_reconfigure(netdev);
            return;
        }
    }
    netdev_kdev_look(&tap->dev);
}

// --- fast path -----------------------------------------------------------------------------

static uint16_t
tap_rx(struct netdev *netdev, uint16_t qid, struct rte_mbuf **mbufs)
{
    struct netdev_tap *tap = tap_cast(netdev);
    struct netdev_krx *krx = tap->dev.krx;
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
        ssize_t len = readv(tap->dev.fd, slot->iov, KRX_IOVS);
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

static void
tap_tx(struct netdev *netdev, uint16_t qid, struct rte_mbuf **mbufs, uint16_t n)
{
    struct netdev_tap *tap = tap_cast(netdev);
    uint16_t n_joined = netdev_kdev_join(&tap->dev, mbufs, n);
    struct iovec iov[KDEV_IOVS];
    struct virtio_net_hdr hdr;
    uint64_t n_sent = 0, bytes = 0;

    for (uint16_t i = 0; i < n_joined; i++) {
        unsigned int n_iov = netdev_kdev_iov(mbufs[i], &hdr, iov);
        if (n_iov > 0 && writev(tap->dev.fd, iov, (int)n_iov) >= 0) {
            n_sent += netdev_gro_frames(mbufs[i]);
            bytes += netdev_gro_bytes(mbufs[i]);
        }
    }
    rte_pktmbuf_free_bulk(mbufs, n_joined);
    netdev_kdev_count_tx(&tap->dev, qid, n, n_sent, bytes);
}

static int
tap_reconfigure(struct netdev *netdev, uint16_t n_txq, char **errorp)
{
    struct netdev_tap *tap = tap_cast(netdev);

    if (atomic_exchange(&tap->is_gone, false)) {
        log_info("%s: the device was deleted from outside; making it again", netdev->name);
        close(tap->dev.fd);
        tap->dev.fd = -1;
        int error = tap_make(netdev->name, &tap->dev.fd);
        if (error != 0) {
            return error;
        }
        netdev_kdev_keep(&tap->dev);
    }
    int mtu = netdev_kif_get_mtu(&tap->dev.kif);
    netdev->rx = tap_rx;
    netdev->tx = tap_tx;
    return netdev_kdev_reconfigure(&tap->dev, mtu, 1, n_txq, errorp);
}

// --- control -------------------------------------------------------------------------------

static void
tap_get_stats(const struct netdev *netdev, struct netdev_stats *stats)
{
    const struct netdev_tap *tap = tap_cast(netdev);

    netdev_krx_stats(tap->dev.krx, stats);
    netdev_sum_tx(tap->dev.tx_counts, tap->dev.n_tx_counts, stats);
    // What goes wrong on wires does not happen here, and that is known.
    stats->rx_missed_errors = stats->collisions = stats->multicast = 0;
    stats->rx_length_errors = stats->rx_over_errors = stats->rx_crc_errors = 0;
    stats->rx_frame_errors = stats->rx_fifo_errors = 0;
    stats->tx_aborted_errors = stats->tx_carrier_errors = stats->tx_fifo_errors = 0;
}

#define TAP_CLASS(NAME)                                                                  \
    {                                                                                    \
        .type = NAME, .poll = NETDEV_POLL_EPOLL, .needs_dpdk = true, .can_share = true,  \
        .size = sizeof(struct netdev_tap), .open = tap_open, .close = tap_close,         \
        .reconfigure = tap_reconfigure, NETDEV_KDEV_METHODS, .get_stats = tap_get_stats, \
        .link_event = tap_link_event,                                                    \
    }

const struct netdev_class netdev_internal_class = TAP_CLASS("internal");
const struct netdev_class netdev_tap_class = TAP_CLASS("tap");
