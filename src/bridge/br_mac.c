// SPDX-License-Identifier: Apache-2.0
/*
 * br_mac.c - which MAC address a bridge has, and its datapath id.
 *
 * As operators know it: other_config:hwaddr if set, else the lowest universally administered MAC
 * address among the ports that are neither internal nor patch ports, else the one that the local
 * port was born with.  Locally administered ones are those of guests' taps, veths and containers:
 * they come and go, and an identity that goes with them would be none.  The datapath id is
 * other_config:datapath-id, else the MAC address with zeros in front.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "bridge/bridge_int.h"

LOG_MODULE(bridge);

static bool
mac_is_usable(const struct rte_ether_addr *mac)
{
    return rte_is_unicast_ether_addr(mac) && !rte_is_zero_ether_addr(mac);
}

static bool
mac_from_row(const struct db_row *br_row, struct rte_ether_addr *mac)
{
    const char *text = row_map_get(br_row, "other_config", "hwaddr");

    return text && !rte_ether_unformat_addr(text, mac) && mac_is_usable(mac);
}

static bool
lowest_port_mac(const struct br *br, struct rte_ether_addr *mac)
{
    bool found = false;

    for (const struct br_iface *iface = br->ifaces; iface; iface = iface->hh.next) {
        struct rte_ether_addr candidate;

        if (!iface->netdev || !strcmp(iface->type, "internal") || !strcmp(iface->type, "patch") ||
            !strcmp(iface->type, "tap") || netdev_get_mac(iface->netdev, &candidate) ||
            !mac_is_usable(&candidate) || rte_is_local_admin_ether_addr(&candidate)) {
            continue;
        }
        if (!found || memcmp(&candidate, mac, sizeof candidate) < 0) {
            *mac = candidate;
            found = true;
        }
    }
    return found;
}

static uint64_t
mac_to_dpid(const struct rte_ether_addr *mac)
{
    uint64_t dpid = 0;

    for (int i = 0; i < RTE_ETHER_ADDR_LEN; i++) {
        dpid = dpid << 8 | mac->addr_bytes[i];
    }
    return dpid;
}

/* 16 hexadecimal digits that are not all zero. */
static bool
dpid_from_row(const struct db_row *br_row, uint64_t *dpid)
{
    const char *text = row_map_get(br_row, "other_config", "datapath-id");

    if (text && (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))) {
        text += 2;
    }
    if (!text || strlen(text) != 16 || strspn(text, "0123456789abcdefABCDEF") != 16) {
        return false;
    }
    *dpid = strtoull(text, NULL, 16);
    return *dpid != 0;
}

void
br_mac_sync(struct br *br, const struct db_row *br_row)
{
    struct br_iface *local = br_iface_find(br, br->name);
    struct rte_ether_addr mac = br->own_mac, now;
    uint64_t dpid;

    if (!mac_from_row(br_row, &mac)) {
        lowest_port_mac(br, &mac);
    }
    br->mac = mac;
    if (local && local->netdev && !netdev_get_mac(local->netdev, &now) &&
        !rte_is_same_ether_addr(&now, &mac) && mac_is_usable(&mac)) {
        int retval = netdev_set_mac(local->netdev, &mac);

        if (retval) {
            log_err("bridge %s: cannot set its MAC address: %s", br->name, strerror(-retval));
        }
        local->status_stale = true;
    }
    if (!dpid_from_row(br_row, &dpid)) {
        dpid = mac_to_dpid(&mac);
    }
    if (dpid != br->dpid) {
        br->dpid = dpid;
        log_info("bridge %s: using datapath ID %016" PRIx64, br->name, dpid);
    }
}
