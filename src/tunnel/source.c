// SPDX-License-Identifier: Apache-2.0
/*
 * See source.h.  The kernel's devices come from getifaddrs(3), sorted by name; dummy ports are
 * asked when they are looked for.
 */
#include "tunnel/source.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdlib.h>

#include "base/log.h"
#include "netdev/netdev.h"

LOG_MODULE(ovs_router);

struct source {
    char dev[IFNAMSIZ];
    struct in6_addr address;
    unsigned int plen;
    size_t order; /* as the kernel has them: the first of equals counts */
};

struct device {
    unsigned int ifindex;
    char name[IFNAMSIZ];
};

struct sources {
    struct source *sources; /* by name */
    size_t n;
    struct device *devices; /* by index */
    size_t n_devices;
};

/* The best address seen so far. */
struct best {
    const struct in6_addr *dst;
    struct in6_addr *src;
    int plen;
};

static void
best_offer(struct best *best, const struct in6_addr *address, unsigned int plen)
{
    struct in6_addr ours = address_prefix(address, plen);
    struct in6_addr theirs = address_prefix(best->dst, plen);

    if ((int)plen > best->plen && memcmp(&ours, &theirs, sizeof(ours)) == 0) {
        *best->src = *address;
        best->plen = (int)plen;
    }
}

static int
compare_sources(const void *a_, const void *b_)
{
    const struct source *a = a_, *b = b_;
    int cmp = strcmp(a->dev, b->dev);

    return cmp != 0 ? cmp : a->order < b->order ? -1 : a->order > b->order;
}

static int
compare_devices(const void *a_, const void *b_)
{
    const struct device *a = a_, *b = b_;

    return a->ifindex < b->ifindex ? -1 : a->ifindex > b->ifindex;
}

static unsigned int
count_bits(const void *mask, size_t size)
{
    unsigned int n = 0;

    for (size_t i = 0; i < size; i++) {
        n += (unsigned int)__builtin_popcount(((const uint8_t *)mask)[i]);
    }
    return n;
}

/* IPv4 addresses may have a label, "eth0:1", in the place of the device's name. */
static void
copy_name(char name[IFNAMSIZ], const char *label)
{
    str_copy(name, label, IFNAMSIZ);
    name[strcspn(name, ":")] = '\0';
}

static void
add_source(struct sources *s, const struct ifaddrs *ifa)
{
    struct source *source = &s->sources[s->n];

    copy_name(source->dev, ifa->ifa_name);
    source->order = s->n;
    if (ifa->ifa_addr->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)ifa->ifa_addr;
        const struct sockaddr_in *mask = (const void *)ifa->ifa_netmask;
        source->address = address_from_ip4(in->sin_addr.s_addr);
        source->plen = ADDRESS_IP4_PLEN + count_bits(&mask->sin_addr, sizeof(mask->sin_addr));
    } else {
        const struct sockaddr_in6 *in6 = (const void *)ifa->ifa_addr;
        const struct sockaddr_in6 *mask = (const void *)ifa->ifa_netmask;
        source->address = in6->sin6_addr;
        source->plen = count_bits(&mask->sin6_addr, sizeof(mask->sin6_addr));
    }
    s->n++;
}

static void
add_device(struct sources *s, const struct ifaddrs *ifa)
{
    struct device *device = &s->devices[s->n_devices++];

    device->ifindex =
        (unsigned int)((const struct sockaddr_ll *)(const void *)ifa->ifa_addr)->sll_ifindex;
    copy_name(device->name, ifa->ifa_name);
}

static void
read_kernel(struct sources *s)
{
    struct ifaddrs *first;
    size_t n = 0;

    if (getifaddrs(&first) != 0) {
        log_dbg("addresses of devices are not known (%s)", err_str(errno));
        return;
    }
    for (const struct ifaddrs *ifa = first; ifa != NULL; ifa = ifa->ifa_next) {
        n++;
    }
    s->sources = xcalloc(n + 1, sizeof(*s->sources));
    s->devices = xcalloc(n + 1, sizeof(*s->devices));
    for (const struct ifaddrs *ifa = first; ifa != NULL; ifa = ifa->ifa_next) {
        int family = ifa->ifa_addr != NULL ? ifa->ifa_addr->sa_family : AF_UNSPEC;

        if (family == AF_PACKET) {
            add_device(s, ifa);
        } else if ((family == AF_INET || family == AF_INET6) && ifa->ifa_netmask != NULL) {
            add_source(s, ifa);
        }
    }
    freeifaddrs(first);
    qsort(s->sources, s->n, sizeof(*s->sources), compare_sources);
    qsort(s->devices, s->n_devices, sizeof(*s->devices), compare_devices);
}

struct sources *
sources_read(void)
{
    struct sources *s = xzalloc(sizeof(*s));

    if (netdev_dummy_level() < NETDEV_DUMMY_OVERRIDE_SYSTEM) {
        read_kernel(s);
    }
    return s;
}

void
sources_free(struct sources *s)
{
    if (s != NULL) {
        free(s->sources);
        free(s->devices);
        free(s);
    }
}

const char *
sources_device(const struct sources *s, unsigned int ifindex)
{
    const struct device key = {.ifindex = ifindex};
    const struct device *found =
        s->n_devices > 0 ? bsearch(&key, s->devices, s->n_devices, sizeof(key), compare_devices)
                         : NULL;

    return found != NULL ? found->name : NULL;
}

/* The first entry of 'dev', or the place where it would be. */
static size_t
first_of(const struct sources *s, const char *dev)
{
    size_t low = 0, high = s->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(s->sources[middle].dev, dev) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void
offer_dummy(const struct in6_addr *address, unsigned int plen, void *best)
{
    best_offer(best, address, plen);
}

static bool
find_for(const struct sources *s, const char *dev, const struct in6_addr *dst, struct in6_addr *src)
{
    const struct netdev *netdev = netdev_find(dev);
    struct best best = {.dst = dst, .src = src, .plen = -1};

    if (netdev != NULL && netdev_get_addresses(netdev, offer_dummy, &best)) {
        return best.plen >= 0;
    }
    if (netdev != NULL && netdev_get_ifindex(netdev) <= 0) {
        return false; /* no device of the kernel's */
    }
    for (size_t i = first_of(s, dev); i < s->n && strcmp(s->sources[i].dev, dev) == 0; i++) {
        best_offer(&best, &s->sources[i].address, s->sources[i].plen);
    }
    return best.plen >= 0;
}

bool
sources_find(const struct sources *s, const char *dev, const struct in6_addr *dst,
             const struct in6_addr *gw, struct in6_addr *src)
{
    return find_for(s, dev, dst, src) || (address_is_set(gw) && find_for(s, dev, gw, src));
}
