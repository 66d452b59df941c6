// SPDX-License-Identifier: Apache-2.0
/*
 * br_mac.c - which MAC address a bridge has, and its datapath id.
 *
 * As operators know it: other_config:hwaddr if set, else the lowest universally administered MAC
 * address among its ports, else one that is made from the UUID of its row and so is the same after
 * each start.  Locally administered ones are those of guests' taps, veths and containers: they come
 * and go, and an identity that goes with them would be none.  A port's address is Port.mac, else
 * that of its interface whose name is the first; the local port and the outputs of mirrors have
 * none.  The datapath id is other_config:datapath-id, else the MAC address with zeros in front.
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

/* Says once what is wrong with an address that no bridge can have. */
static void
refuse_mac(struct br *br, const struct rte_ether_addr *mac)
{
    if (br->hwaddr_refused && rte_is_same_ether_addr(&br->refused_hwaddr, mac)) {
        return;
    }
    br->hwaddr_refused = true;
    br->refused_hwaddr = *mac;
    if (rte_is_zero_ether_addr(mac)) {
        log_err("bridge %s: cannot set mac address to zero", br->name);
    } else {
        log_err("bridge %s: cannot set mac address to multicast address "
                "%02x:%02x:%02x:%02x:%02x:%02x",
                br->name, RTE_ETHER_ADDR_BYTES(mac));
    }
}

static bool
mac_from_row(struct br *br, const struct db_row *br_row, struct rte_ether_addr *mac)
{
    const char *text = row_map_get(br_row, "other_config", "hwaddr");
    bool is_mac = text && !rte_ether_unformat_addr(text, mac);

    if (is_mac && !mac_is_usable(mac)) {
        refuse_mac(br, mac);
        return false;
    }
    br->hwaddr_refused = false;
    return is_mac;
}

/* Addresses of protocols between neighbours that are no multicast: EDP, EAPS. */
static bool
mac_is_reserved(const struct rte_ether_addr *mac)
{
    static const uint8_t extreme[] = {0x00, 0xe0, 0x2b, 0x00, 0x00};
    uint8_t last = mac->addr_bytes[5];

    return !memcmp(mac->addr_bytes, extreme, sizeof extreme) &&
           (last == 0 || last == 4 || last == 6);
}

/* One that is made to last, and so can be a bridge's. */
static bool
mac_can_name(const struct rte_ether_addr *mac)
{
    return mac_is_usable(mac) && !rte_is_local_admin_ether_addr(mac) && !mac_is_reserved(mac);
}

static bool
is_mirror_output(const struct db_row *br_row, const struct db_row *port_row)
{
    for (size_t i = 0; i < row_n(br_row, "mirrors"); i++) {
        const struct db_row *mirror = row_ref_at(br_row, "mirrors", i);

        if (mirror && row_ref(mirror, "output_port") == port_row) {
            return true;
        }
    }
    return false;
}

/* Of those that run, the one whose name is the first; NULL: none runs. */
static const struct br_iface *
first_iface(const struct br *br, const struct db_row *port_row)
{
    const struct br_iface *first = NULL;

    for (size_t i = 0; i < row_n(port_row, "interfaces"); i++) {
        const struct db_row *row = row_ref_at(port_row, "interfaces", i);
        const struct br_iface *iface = row ? br_iface_find(br, row_str(row, "name")) : NULL;

        if (iface && iface->netdev && (!first || strcmp(iface->name, first->name) < 0)) {
            first = iface;
        }
    }
    return first;
}

/* With a 'tag' that is not -1, an interface of another VLAN has none; what Port.mac says counts in
 * all of them. */
static bool
port_mac(const struct br *br, const struct db_row *port_row, int64_t tag,
         struct rte_ether_addr *mac)
{
    const struct br_iface *iface = first_iface(br, port_row);
    const char *text = row_str(port_row, "mac");

    if (!iface) {
        return false;
    }
    if (text && !rte_ether_unformat_addr(text, mac)) {
        return true;
    }
    if (br_iface_is_local(iface) || (tag >= 0 && row_int_or(port_row, "tag", -1) != tag)) {
        return false;
    }
    return !netdev_get_mac(iface->netdev, mac);
}

/* The lowest of the ports, or of those with this tag; -1: whatever their tag. */
static bool
lowest_port_mac(const struct br *br, const struct db_row *br_row, int64_t tag,
                struct rte_ether_addr *mac)
{
    bool found = false;

    for (size_t i = 0; i < row_n(br_row, "ports"); i++) {
        const struct db_row *row = row_ref_at(br_row, "ports", i);
        struct rte_ether_addr candidate;

        if (!row || !port_mac(br, row, tag, &candidate) || !mac_can_name(&candidate) ||
            (found && memcmp(&candidate, mac, sizeof candidate) >= 0) ||
            is_mirror_output(br_row, row)) {
            continue;
        }
        *mac = candidate;
        found = true;
    }
    return found;
}

/* The last resort.  Which bytes of the UUID they are is what other hosts' bridges show. */
static struct rte_ether_addr
default_mac(const struct br *br)
{
    const uint8_t *b = br->uuid.b;

    return (struct rte_ether_addr){{(b[3] & ~RTE_ETHER_GROUP_ADDR) | RTE_ETHER_LOCAL_ADMIN_ADDR,
                                    b[2], b[1], b[0], b[7], b[6]}};
}

static void
iface_set_mac(struct br_iface *iface, const struct rte_ether_addr *mac)
{
    struct rte_ether_addr now;
    int retval;

    if (netdev_get_mac(iface->netdev, &now) || rte_is_same_ether_addr(&now, mac)) {
        return;
    }
    retval = netdev_set_mac(iface->netdev, mac);
    if (retval) {
        log_err("interface %s: cannot set its MAC address: %s", iface->name, strerror(-retval));
    }
    iface->status_stale = true;
}

/* The internal port of a bridge that is only a VLAN of another one (ovs-vsctl add-br NAME PARENT
 * VLAN) has the address of the ports in that VLAN. */
static void
fake_bridges_sync(struct br *br, const struct db_row *br_row)
{
    for (size_t i = 0; i < row_n(br_row, "ports"); i++) {
        const struct db_row *row = row_ref_at(br_row, "ports", i);
        const struct db_row *iface_row = row ? row_ref(row, "interfaces") : NULL;
        struct rte_ether_addr mac = default_mac(br);
        struct br_iface *iface;

        if (!iface_row || !row_bool_or(row, "fake_bridge", false) || row_n(iface_row, "mac")) {
            continue;
        }
        iface = br_iface_find(br, row_str(iface_row, "name"));
        if (iface && iface->netdev && !br_iface_is_local(iface) &&
            !strcmp(iface->type, "internal")) {
            lowest_port_mac(br, br_row, row_int_or(row, "tag", -1), &mac);
            iface_set_mac(iface, &mac);
        }
    }
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
    struct rte_ether_addr mac;
    uint64_t dpid;

    if (!mac_from_row(br, br_row, &mac)) {
        mac = default_mac(br);
        lowest_port_mac(br, br_row, -1, &mac);
    }
    br->mac = mac;
    if (local && local->netdev) {
        iface_set_mac(local, &mac);
    }
    fake_bridges_sync(br, br_row);
    if (!dpid_from_row(br_row, &dpid)) {
        dpid = mac_to_dpid(&mac);
    }
    if (dpid != br->dpid) {
        br->dpid = dpid;
        log_info("bridge %s: using datapath ID %016" PRIx64, br->name, dpid);
    }
}
