// SPDX-License-Identifier: Apache-2.0
//
// From options:dpdk-devargs to an ethdev port.  Nothing is probed when EAL starts, so a device is
// attached when the first port names it: a PCI address (with ",representor=[N]"), a vdev with its
// arguments ("net_pcap0,rx_pcap=..."), or "class=eth,mac=..." for a port of a device that has been
// attached already (mlx5 has several ports on one PCI address).
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>

#include "base/heir.h"
#include "base/log.h"
#include "base/rcu.h"
#include "netdev/dpdk_quick.h"
#include "netdev/netdev_dpdk.h"

LOG_MODULE(netdev_dpdk);

static uint16_t
find_by_mac(const char *text)
{
    struct rte_ether_addr wanted, mac;
    uint16_t port_id;

    if (rte_ether_unformat_addr(text, &wanted) != 0) {
        return DPDK_NO_PORT;
    }
    RTE_ETH_FOREACH_DEV(port_id)
    {
        if (rte_eth_macaddr_get(port_id, &mac) == 0 && rte_is_same_ether_addr(&mac, &wanted)) {
            return port_id;
        }
    }
    return DPDK_NO_PORT;
}

static bool
is_pci_address(const char *devargs)
{
    return isxdigit((unsigned char)devargs[0]) && strchr(devargs, ':') != NULL &&
           strspn(devargs, "0123456789abcdefABCDEF:.") >= 7;
}

uint16_t
netdev_dpdk_find_port(const char *devargs)
{
    static const char by_mac[] = "class=eth,mac=";
    struct rte_dev_iterator it;
    uint16_t port_id;

    if (strncmp(devargs, by_mac, sizeof(by_mac) - 1) == 0) {
        return find_by_mac(devargs + sizeof(by_mac) - 1);
    }
    if (!is_pci_address(devargs)) {
        // A vdev is known by the name in front of its arguments.
        char *name = xmemdup0(devargs, strcspn(devargs, ","));
        int error = rte_eth_dev_get_port_by_name(name, &port_id);
        free(name);
        return error == 0 ? port_id : DPDK_NO_PORT;
    }
    RTE_ETH_FOREACH_MATCHING_DEV(port_id, devargs, &it)
    {
        rte_eth_iterator_cleanup(&it);
        return port_id;
    }
    return DPDK_NO_PORT;
}

// Takes seconds with some devices: nobody's grace period waits for that.
static int
probe(const char *devargs)
{
    rcu_offline();
    // What maps a device's registers or rings keeps it.
    (void)heir_await();
    dpdk_load_driver(devargs);
    int error = rte_dev_probe(devargs);
    rcu_online();
    return error;
}

int
netdev_dpdk_attach(const char *devargs, uint16_t *port_id, bool *attached, char **errorp)
{
    *attached = false;
    *port_id = netdev_dpdk_find_port(devargs);
    if (*port_id != DPDK_NO_PORT) {
        return 0;
    }
    if (strncmp(devargs, "class=", 6) == 0) {
        *errorp = xasprintf("no attached DPDK device matches '%s': attach its PCI device first, or "
                            "set other_config:dpdk-probe-at-init",
                            devargs);
        return -ENODEV;
    }
    int error = probe(devargs);
    if (error != 0) {
        // EAL's ways to say that no bus knows the device.
        error = error < -1 && error != -EFAULT ? error : -ENODEV;
        *errorp = xasprintf("Error attaching device '%s' to DPDK (%s)", devargs, err_str(error));
        return error;
    }
    *port_id = netdev_dpdk_find_port(devargs);
    if (*port_id == DPDK_NO_PORT) {
        *errorp = xasprintf("device '%s' has no Ethernet port of that description", devargs);
        return -ENODEV;
    }
    *attached = true;
    log_info("Device '%s' attached to DPDK", devargs);
    return 0;
}

static bool
device_has_other_user(const struct rte_device *device, uint16_t port_id)
{
    struct rte_eth_dev_info info;
    uint16_t other;

    RTE_ETH_FOREACH_DEV(other)
    {
        if (other != port_id && netdev_dpdk_by_port(other, NULL) != NULL &&
            rte_eth_dev_info_get(other, &info) == 0 && info.device == device) {
            return true;
        }
    }
    return false;
}

void
netdev_dpdk_detach(uint16_t port_id, bool remove)
{
    struct rte_eth_dev_info info;

    if (!rte_eth_dev_is_valid_port(port_id) || rte_eth_dev_info_get(port_id, &info) != 0) {
        return;
    }
    struct rte_device *device = info.device;
    char *name = xstrdup_null(device != NULL ? rte_dev_name(device) : NULL);
    remove = remove && device != NULL && !device_has_other_user(device, port_id);
    int error = rte_eth_dev_close(port_id);
    if (error != 0) {
        log_warn("cannot close DPDK port %u (%s)", port_id, err_str(error));
    }
    if (remove) {
        error = rte_dev_remove(device);
        if (error < 0) {
            log_warn("cannot detach device '%s' (%s)", name, err_str(error));
        } else {
            log_info("Device '%s' has been removed from DPDK", name);
        }
    }
    free(name);
}

// Frames in a file of pcap-savefile(5), or 0 when it is something else.
static uint64_t
count_pcap(const uint8_t *p, size_t size)
{
    enum { FILE_HEADER = 24, RECORD_HEADER = 16, LEN_OFS = 8 };
    uint32_t magic, len;
    uint64_t n = 0;

    if (size < FILE_HEADER) {
        return 0;
    }
    memcpy(&magic, p, sizeof(magic));
    bool swapped = magic == 0xd4c3b2a1 || magic == 0x4d3cb2a1;
    if (!swapped && magic != 0xa1b2c3d4 && magic != 0xa1b23c4d) {
        return 0;
    }
    for (size_t ofs = FILE_HEADER; size - ofs >= RECORD_HEADER; n++) {
        memcpy(&len, p + ofs + LEN_OFS, sizeof(len));
        len = swapped ? rte_bswap32(len) : len;
        ofs += RECORD_HEADER;
        if (len > size - ofs) {
            break;
        }
        ofs += len;
    }
    return n;
}

static uint64_t
count_frames_in(const char *path)
{
    enum { LEAST_BYTES_PER_FRAME = 16 + 42 };
    struct stat st;
    uint64_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p != MAP_FAILED) {
            n = count_pcap(p, (size_t)st.st_size);
            munmap(p, (size_t)st.st_size);
        }
        n = n != 0 ? n : (uint64_t)st.st_size / LEAST_BYTES_PER_FRAME + 1;
    }
    if (fd >= 0) {
        close(fd);
    }
    return n;
}

unsigned int
netdev_dpdk_devargs_mbufs(const char *devargs)
{
    uint64_t n = 0;

    if (devargs == NULL || strstr(devargs, "infinite_rx=1") == NULL) {
        return 0;
    }
    for (const char *p = devargs; (p = strstr(p, "rx_pcap=")) != NULL;) {
        p += strlen("rx_pcap=");
        char *path = xmemdup0(p, strcspn(p, ","));
        n += count_frames_in(path);
        free(path);
    }
    return (unsigned int)MIN(n, (uint64_t)16 << 20);
}
