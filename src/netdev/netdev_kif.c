// SPDX-License-Identifier: Apache-2.0
//
// The ioctls of netdevice(7) and ethtool.  Each call is one system call; the values are not kept,
// since anybody may change a kernel device at any time.  Only what a PHY says is: to ask it can
// take its driver a while.
#include "netdev/netdev_kif.h"

#include <ctype.h>
#include <errno.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/mii.h>
#include <linux/sockios.h>

#include "base/coverage.h"
#include "netdev/netdev_provider.h"

COVERAGE_DEFINE(netdev_get_ethtool);

int
netdev_kif_init(struct netdev_kif *kif, const char *name)
{
    *kif = (struct netdev_kif){.fd = -1};
    if (name[0] == '\0' || strlen(name) >= IFNAMSIZ || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0) {
        return -EINVAL;
    }
    for (const char *p = name; *p != '\0'; p++) {
        if (*p == '/' || *p == ':' || isspace((unsigned char)*p)) {
            return -EINVAL;
        }
    }
    str_copy(kif->name, name, sizeof(kif->name));
    kif->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return kif->fd < 0 ? -errno : 0;
}

void
netdev_kif_fini(struct netdev_kif *kif)
{
    if (kif->fd >= 0) {
        close(kif->fd);
        kif->fd = -1;
    }
}

static int
kif_ioctl(const struct netdev_kif *kif, unsigned long request, struct ifreq *ifr)
{
    memcpy(ifr->ifr_name, kif->name, IFNAMSIZ);
    return ioctl(kif->fd, request, ifr) < 0 ? -errno : 0;
}

static int
kif_ethtool(const struct netdev_kif *kif, void *command)
{
    struct ifreq ifr = {.ifr_data = command};

    coverage_inc(netdev_get_ethtool);
    return kif_ioctl(kif, SIOCETHTOOL, &ifr);
}

int
netdev_kif_ifindex(const struct netdev_kif *kif)
{
    struct ifreq ifr;
    int error = kif_ioctl(kif, SIOCGIFINDEX, &ifr);

    return error != 0 ? error : ifr.ifr_ifindex;
}

int
netdev_kif_get_mac(const struct netdev_kif *kif, struct rte_ether_addr *mac)
{
    struct ifreq ifr;
    int error = kif_ioctl(kif, SIOCGIFHWADDR, &ifr);

    if (error == 0) {
        memcpy(mac->addr_bytes, ifr.ifr_hwaddr.sa_data, RTE_ETHER_ADDR_LEN);
    }
    return error;
}

int
netdev_kif_set_mac(const struct netdev_kif *kif, const struct rte_ether_addr *mac)
{
    struct ifreq ifr = {.ifr_hwaddr.sa_family = ARPHRD_ETHER};
    struct rte_ether_addr now;

    if (netdev_kif_get_mac(kif, &now) == 0 && rte_is_same_ether_addr(&now, mac)) {
        return 0;
    }
    memcpy(ifr.ifr_hwaddr.sa_data, mac->addr_bytes, RTE_ETHER_ADDR_LEN);
    return kif_ioctl(kif, SIOCSIFHWADDR, &ifr);
}

int
netdev_kif_get_mtu(const struct netdev_kif *kif)
{
    struct ifreq ifr;
    int error = kif_ioctl(kif, SIOCGIFMTU, &ifr);

    return error != 0 ? error : ifr.ifr_mtu;
}

int
netdev_kif_set_mtu(const struct netdev_kif *kif, int mtu)
{
    struct ifreq ifr = {.ifr_mtu = mtu};

    return kif_ioctl(kif, SIOCSIFMTU, &ifr);
}

static int
kif_raw_flags(const struct netdev_kif *kif, unsigned int *flags)
{
    struct ifreq ifr;
    int error = kif_ioctl(kif, SIOCGIFFLAGS, &ifr);

    *flags = error == 0 ? (unsigned short)ifr.ifr_flags : 0;
    return error;
}

int
netdev_kif_get_flags(const struct netdev_kif *kif)
{
    unsigned int flags;
    int error = kif_raw_flags(kif, &flags);

    if (error != 0) {
        return error;
    }
    return (flags & IFF_UP ? NETDEV_UP : 0) | (flags & IFF_PROMISC ? NETDEV_PROMISC : 0);
}

int
netdev_kif_set_flags(const struct netdev_kif *kif, int off, int on)
{
    unsigned int flags;
    int error = kif_raw_flags(kif, &flags);
    unsigned int wanted = flags;

    wanted &= ~((off & NETDEV_UP ? IFF_UP : 0u) | (off & NETDEV_PROMISC ? IFF_PROMISC : 0u));
    wanted |= (on & NETDEV_UP ? IFF_UP : 0u) | (on & NETDEV_PROMISC ? IFF_PROMISC : 0u);
    if (error != 0 || wanted == flags) {
        return error;
    }
    struct ifreq ifr = {.ifr_flags = (short)wanted};
    return kif_ioctl(kif, SIOCSIFFLAGS, &ifr);
}

// By the registers of MII (IEEE 802.3, 22.2.4), or where there are none by the driver's answer to
// ethtool.
static bool
kif_phy_link(const struct netdev_kif *kif)
{
    struct ethtool_value link = {.cmd = ETHTOOL_GLINK};
    struct mii_ioctl_data mii;
    struct ifreq ifr = {.ifr_flags = 0};

    if (kif_ioctl(kif, SIOCGMIIPHY, &ifr) == 0) {
        memcpy(&mii, &ifr.ifr_ifru, sizeof(mii)); // where the kernel has it
        mii.reg_num = MII_BMSR;
        memcpy(&ifr.ifr_ifru, &mii, sizeof(mii));
        if (kif_ioctl(kif, SIOCGMIIREG, &ifr) == 0) {
            memcpy(&mii, &ifr.ifr_ifru, sizeof(mii));
            return (mii.val_out & BMSR_LSTATUS) != 0;
        }
    }
    return kif_ethtool(kif, &link) == 0 && link.data != 0;
}

bool
netdev_kif_carrier(const struct netdev_kif *kif)
{
    unsigned int flags;

    if (kif->asks_phy) {
        return kif_phy_link(kif);
    }
    return kif_raw_flags(kif, &flags) == 0 && (flags & IFF_RUNNING) != 0;
}

static uint32_t
feature_of_speed(uint32_t mbps)
{
    switch (mbps) {
    case 10:
        return NETDEV_F_10MB_FD;
    case 100:
        return NETDEV_F_100MB_FD;
    case 1000:
        return NETDEV_F_1GB_FD;
    case 10000:
        return NETDEV_F_10GB_FD;
    case 40000:
        return NETDEV_F_40GB_FD;
    case 100000:
        return NETDEV_F_100GB_FD;
    default:
        return NETDEV_F_OTHER;
    }
}

void
netdev_kif_get_link(const struct netdev_kif *kif, struct netdev_link *link)
{
    struct ethtool_cmd cmd = {.cmd = ETHTOOL_GSET};

    link->carrier = kif->asks_phy ? kif->last_carrier : netdev_kif_carrier(kif);
    link->resets = kif->resets;
    if (kif_ethtool(kif, &cmd) != 0) {
        return;
    }
    uint32_t mbps = ethtool_cmd_speed(&cmd);
    if (mbps != 0 && mbps != (uint32_t)SPEED_UNKNOWN) {
        link->speed_bps = (uint64_t)mbps * 1000000;
        link->current = feature_of_speed(mbps);
    }
    link->full_duplex = cmd.duplex == DUPLEX_FULL;
    link->current |= cmd.port == PORT_FIBRE ? NETDEV_F_FIBER
                     : cmd.port == PORT_TP  ? NETDEV_F_COPPER
                                            : 0;
    link->current |= cmd.autoneg ? NETDEV_F_AUTONEG : 0;
}

void
netdev_kif_get_status(const struct netdev_kif *kif, struct smap *status)
{
    struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};

    if (kif_ethtool(kif, &info) != 0) {
        return;
    }
    info.driver[sizeof(info.driver) - 1] = '\0';
    info.version[sizeof(info.version) - 1] = '\0';
    info.fw_version[sizeof(info.fw_version) - 1] = '\0';
    smap_put(status, "driver_name", info.driver);
    smap_put(status, "driver_version", info.version);
    smap_put(status, "firmware_version", info.fw_version);
}

void
netdev_kif_look(struct netdev_kif *kif)
{
    bool carrier = netdev_kif_carrier(kif);

    if (carrier != kif->last_carrier) {
        kif->last_carrier = carrier;
        kif->resets++;
    }
}
