// SPDX-License-Identifier: Apache-2.0
//
// Type system: an existing kernel device (a NIC, a veth, somebody's tap), by a packet socket.
// Frames come with their virtio_net_hdr (begun checksums and super-frames are resolved in
// netdev_krx.c) and with the VLAN tag that the kernel took off, which is put back.  What we send
// does not come back (PACKET_IGNORE_OUTGOING).
//
// A device that vanishes leaves the socket unbound; when one of the same name appears, the socket
// is bound to it.
#include "netdev/netdev_kdev.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "base/log.h"
#include "netdev/netdev_watch.h"

LOG_MODULE(netdev_linux);

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

enum {
    SOCKET_BUFFER = 4 << 20, // bytes, each way
};

struct netdev_system {
    struct netdev_kdev dev;
    int ifindex;           // that the socket is bound to, 0 while there is none
    uint64_t socket_drops; // frames that found the socket's buffer full
};

static struct netdev_system *
system_cast(const struct netdev *netdev)
{
    return container_of(netdev, struct netdev_system, dev.up);
}

// --- the socket ----------------------------------------------------------------------------

static void
set_option(int fd, int level, int option, int value)
{
    if (setsockopt(fd, level, option, &value, sizeof(value)) < 0) {
        log_dbg("socket option %d: %s", option, err_str(errno));
    }
}

// Binds to the device and asks for all frames on it.
static int
system_bind(struct netdev_system *sys)
{
    int ifindex = netdev_kif_ifindex(&sys->dev.kif);
    if (ifindex < 0) {
        return ifindex;
    }
    struct sockaddr_ll sll = {
        .sll_family = AF_PACKET, .sll_protocol = htobe16_(ETH_P_ALL), .sll_ifindex = ifindex};
    struct packet_mreq mreq = {.mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC};
    if (bind(sys->dev.fd, (struct sockaddr *)&sll, sizeof(sll)) < 0 ||
        setsockopt(sys->dev.fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mreq, sizeof(mreq)) < 0) {
        return -errno;
    }
    struct sockaddr_ll bound;
    socklen_t len = sizeof(bound);
    if (!getsockname(sys->dev.fd, (struct sockaddr *)&bound, &len) &&
        bound.sll_hatype == ARPHRD_LOOPBACK) {
        return -EINVAL; // what is sent on it would come to the host, not to a wire
    }
    sys->ifindex = ifindex;
    return 0;
}

static int
system_open_socket(struct netdev_system *sys)
{
    int one = 1;

    // Protocol 0 until bind(): no frame of another device gets in.
    sys->dev.fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (sys->dev.fd < 0 ||
        setsockopt(sys->dev.fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0 ||
        setsockopt(sys->dev.fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) < 0 ||
        setsockopt(sys->dev.fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0) {
        return -errno;
    }
    set_option(sys->dev.fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER);
    set_option(sys->dev.fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER);
    return system_bind(sys);
}

// Takes up the socket of a switch that died, with the frames that wait in it.
static bool
system_take_up(struct netdev_system *sys)
{
    struct sockaddr_ll sll;
    socklen_t len = sizeof(sll);
    int fd = netdev_kdev_take(&sys->dev);

    if (fd < 0) {
        return false;
    }
    // Not when the name belongs to another device now.
    int ifindex = netdev_kif_ifindex(&sys->dev.kif);
    if (ifindex <= 0 || getsockname(fd, (struct sockaddr *)&sll, &len) != 0 ||
        sll.sll_family != AF_PACKET || sll.sll_ifindex != ifindex) {
        close(fd);
        return false;
    }
    sys->dev.fd = fd;
    sys->ifindex = ifindex;
    return true;
}

static void
system_close(struct netdev *netdev)
{
    netdev_kdev_fini(netdev_kdev_cast(netdev));
}

static int
system_open(struct netdev *netdev, char **errorp)
{
    struct netdev_system *sys = system_cast(netdev);
    int error = netdev_kif_init(&sys->dev.kif, netdev->name);

    sys->dev.fd = -1;
    sys->dev.offloads = netdev_kdev_wants_offloads();
    if (error == 0 && !system_take_up(sys)) {
        error = system_open_socket(sys);
    }
    if (error == -EPERM) {
        *errorp = xstrdup("no permission to open a packet socket: CAP_NET_RAW is needed");
    }
    if (error != 0) {
        system_close(netdev);
        return error;
    }
    netdev_kdev_keep(&sys->dev);
    sys->dev.kif.last_carrier = netdev_kif_carrier(&sys->dev.kif);
    return 0;
}

static void
system_link_event(struct netdev *netdev, const char *name, int ifindex)
{
    struct netdev_system *sys = system_cast(netdev);

    if (name != NULL && ifindex != sys->ifindex && strcmp(name, sys->dev.kif.name) != 0) {
        return;
    }
    int now = netdev_kif_ifindex(&sys->dev.kif);
    if (now < 0) {
        if (sys->ifindex != 0) {
            log_info("%s: the device is gone; waiting for one of this name", netdev->name);
        }
        sys->ifindex = 0;
    } else if (now != sys->ifindex) {
        int error = system_bind(sys);
        if (error == 0) {
            log_info("%s: the device is there again", netdev->name);
        } else {
            log_warn("%s: cannot bind to the device that came back (%s)", netdev->name,
                     err_str(error));
        }
    }
    netdev_kdev_look(&sys->dev);
}

// --- fast path -----------------------------------------------------------------------------

static void
read_aux(struct netdev_krx_slot *slot, struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        struct tpacket_auxdata aux;
        if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA ||
            c->cmsg_len < CMSG_LEN(sizeof(aux))) {
            continue;
        }
        memcpy(&aux, CMSG_DATA(c), sizeof(aux));
        if ((aux.tp_status & TP_STATUS_VLAN_VALID) != 0) {
            slot->has_vlan = true;
            slot->vlan_tci = aux.tp_vlan_tci;
            slot->vlan_tpid =
                (aux.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0 ? aux.tp_vlan_tpid : ETH_P_8021Q;
        }
    }
}

// Lets the kernel fill the slots.
static void
system_receive(struct netdev_system *sys)
{
    struct netdev_krx *krx = sys->dev.krx;
    struct mmsghdr msgs[KRX_SLOTS];
    char control[KRX_SLOTS][CMSG_SPACE(sizeof(struct tpacket_auxdata))]
        __attribute__((aligned(__alignof__(struct cmsghdr))));
    unsigned int n = netdev_krx_prepare(krx, KRX_SLOTS);

    for (unsigned int i = 0; i < n; i++) {
        msgs[i].msg_hdr = (struct msghdr){.msg_iov = krx->slots[i].iov,
                                          .msg_iovlen = KRX_IOVS,
                                          .msg_control = control[i],
                                          .msg_controllen = sizeof(control[i])};
    }
    int got = n > 0 ? recvmmsg(sys->dev.fd, msgs, n, MSG_DONTWAIT | MSG_TRUNC, NULL) : 0;
    for (int i = 0; i < got; i++) {
        struct netdev_krx_slot *slot = &krx->slots[i];
        uint32_t len = msgs[i].msg_len;
        bool whole = len >= sizeof(slot->hdr) && (msgs[i].msg_hdr.msg_flags & MSG_TRUNC) == 0;
        // A frame that was cut off counts as an error: length 0 is none.
        slot->len = whole ? len - (uint32_t)sizeof(slot->hdr) : 0;
        if (!whole) {
            slot->hdr = (struct virtio_net_hdr){0};
        }
        read_aux(slot, &msgs[i].msg_hdr);
    }
    krx->n_slots = got > 0 ? (unsigned int)got : 0;
}

static uint16_t
system_rx(struct netdev *netdev, uint16_t qid, struct rte_mbuf **mbufs)
{
    struct netdev_system *sys = system_cast(netdev);

    if (!netdev_krx_pending(sys->dev.krx)) {
        system_receive(sys);
    }
    uint16_t n = netdev_krx_deliver(sys->dev.krx, mbufs, 0);
    netdev_krx_report(sys->dev.krx, netdev);
    return n;
}

// A burst on its way to the kernel: messages, and which frame each one is.
struct system_burst {
    struct mmsghdr msgs[NETDEV_MAX_BURST];
    struct iovec iovs[NETDEV_MAX_BURST][KDEV_IOVS];
    struct virtio_net_hdr hdrs[NETDEV_MAX_BURST];
    const struct rte_mbuf *frames[NETDEV_MAX_BURST];
    unsigned int n;
};

static void
fill_burst(struct system_burst *burst, struct rte_mbuf **mbufs, uint16_t n)
{
    burst->n = 0;
    for (uint16_t i = 0; i < n && burst->n < NETDEV_MAX_BURST; i++) {
        unsigned int k = burst->n;
        unsigned int n_iov = netdev_kdev_iov(mbufs[i], &burst->hdrs[k], burst->iovs[k]);
        if (n_iov > 0) {
            burst->msgs[k].msg_hdr =
                (struct msghdr){.msg_iov = burst->iovs[k], .msg_iovlen = n_iov};
            burst->frames[k] = mbufs[i];
            burst->n++;
        }
    }
}

static void
system_tx(struct netdev *netdev, uint16_t qid, struct rte_mbuf **mbufs, uint16_t n)
{
    struct netdev_system *sys = system_cast(netdev);
    uint16_t n_joined = netdev_kdev_join(&sys->dev, mbufs, n);
    struct system_burst burst;
    unsigned int done = 0;
    uint64_t n_sent = 0, bytes = 0;

    fill_burst(&burst, mbufs, n_joined);
    while (done < burst.n) {
        int sent = sendmmsg(sys->dev.fd, burst.msgs + done, burst.n - done, MSG_DONTWAIT);
        if (sent <= 0) {
            if (errno == EAGAIN || errno == ENETDOWN || errno == ENXIO) {
                break; // full, down or gone: so will be the rest
            }
            done++; // this frame is the trouble (too long for the device, ...)
            continue;
        }
        for (int i = 0; i < sent; i++, done++) {
            n_sent += netdev_gro_frames(burst.frames[done]);
            bytes += netdev_gro_bytes(burst.frames[done]);
        }
    }
    rte_pktmbuf_free_bulk(mbufs, n_joined);
    netdev_kdev_count_tx(&sys->dev, qid, n, n_sent, bytes);
}

static int
system_reconfigure(struct netdev *netdev, uint16_t n_txq, char **errorp)
{
    struct netdev_system *sys = system_cast(netdev);
    int mtu = netdev_kif_get_mtu(&sys->dev.kif);
    int error = netdev_kdev_reconfigure(&sys->dev, mtu, KRX_SLOTS, n_txq, errorp);

    netdev->rx = system_rx;
    netdev->tx = system_tx;
    return error;
}

// --- control -------------------------------------------------------------------------------

static void
system_get_stats(const struct netdev *netdev, struct netdev_stats *stats)
{
    struct netdev_system *sys = system_cast(netdev);
    struct rtnl_link_stats64 kernel;
    struct tpacket_stats socket_stats;
    socklen_t len = sizeof(socket_stats);

    netdev_krx_stats(sys->dev.krx, stats);
    netdev_sum_tx(sys->dev.tx_counts, sys->dev.n_tx_counts, stats);
    // Reading resets the socket's counters.
    if (getsockopt(sys->dev.fd, SOL_PACKET, PACKET_STATISTICS, &socket_stats, &len) == 0) {
        sys->socket_drops += socket_stats.tp_drops;
    }
    stats->rx_dropped += sys->socket_drops;
    if (sys->ifindex == 0 || netdev_link_stats(sys->ifindex, &kernel) != 0) {
        return;
    }
    stats->rx_dropped += kernel.rx_dropped;
    stats->rx_errors += kernel.rx_errors;
    stats->tx_errors += kernel.tx_errors;
    stats->rx_missed_errors = kernel.rx_missed_errors;
    stats->multicast = kernel.multicast;
    stats->collisions = kernel.collisions;
    stats->rx_length_errors = kernel.rx_length_errors;
    stats->rx_over_errors = kernel.rx_over_errors;
    stats->rx_crc_errors = kernel.rx_crc_errors;
    stats->rx_frame_errors = kernel.rx_frame_errors;
    stats->rx_fifo_errors = kernel.rx_fifo_errors;
    stats->tx_aborted_errors = kernel.tx_aborted_errors;
    stats->tx_carrier_errors = kernel.tx_carrier_errors;
    stats->tx_fifo_errors = kernel.tx_fifo_errors;
}

const struct netdev_class netdev_system_class = {
    .type = "system",
    .poll = NETDEV_POLL_EPOLL,
    .needs_dpdk = true,
    .can_share = true,
    .size = sizeof(struct netdev_system),
    .open = system_open,
    .close = system_close,
    .reconfigure = system_reconfigure,
    NETDEV_KDEV_METHODS,
    .get_stats = system_get_stats,
    .link_event = system_link_event,
};
