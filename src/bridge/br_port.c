// SPDX-License-Identifier: Apache-2.0
/*
 * br_port.c - one row of Port: the VLAN mode and the members of a logical port, as NORMAL sees it.
 */
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "bridge/bridge_int.h"
#include "ofproto/lacp.h"

LOG_MODULE(bridge);

enum { N_VLANS = 4096, VLAN_WORDS = N_VLANS / 64, DOT1Q_ETHTYPE = 0x8100, DOT1AD_ETHTYPE = 0x88a8 };

static void
port_destroy(struct br *br, struct br_port *port)
{
    ofproto_bundle_del(br->ofproto, port->name);
    HASH_DEL(br->ports, port);
    free(port->name);
    free(port);
}

void
br_ports_close(struct br *br, bool all)
{
    struct br_port *port, *next;

    HASH_ITER (hh, br->ports, port, next) {
        if (all || !port->wanted) {
            port_destroy(br, port);
        }
    }
}

/* Fills the 4096-bit map from a set of integers.  Returns NULL if the set is empty: all VLANs. */
static const uint64_t *
vlan_bitmap(const struct db_row *row, const char *column, uint64_t map[static VLAN_WORDS])
{
    size_t n = row_n(row, column);

    memset(map, 0, VLAN_WORDS * sizeof *map);
    for (size_t i = 0; i < n; i++) {
        int64_t vlan = row_int_at(row, column, i);

        if (vlan >= 0 && vlan < N_VLANS) {
            map[vlan / 64] |= UINT64_C(1) << (vlan % 64);
        }
    }
    return n ? map : NULL;
}

/* Without vlan_mode, a tag makes an access port, and no tag a trunk. */
static enum ofproto_vlan_mode
port_vlan_mode(const struct db_row *row, int tag)
{
    static const struct {
        const char *name;
        enum ofproto_vlan_mode mode;
    } modes[] = {
        {"access", OFPROTO_VLAN_ACCESS},
        {"trunk", OFPROTO_VLAN_TRUNK},
        {"native-tagged", OFPROTO_VLAN_NATIVE_TAGGED},
        {"native-untagged", OFPROTO_VLAN_NATIVE_UNTAGGED},
        {"dot1q-tunnel", OFPROTO_VLAN_DOT1Q_TUNNEL},
    };
    const char *name = row_str(row, "vlan_mode");

    for (size_t i = 0; name && i < ARRAY_SIZE(modes); i++) {
        if (!strcmp(name, modes[i].name)) {
            return modes[i].mode;
        }
    }
    return tag >= 0 ? OFPROTO_VLAN_ACCESS : OFPROTO_VLAN_TRUNK;
}

static enum ofproto_priority_tags
port_priority_tags(const struct db_row *row)
{
    const char *value = row_map_get(row, "other_config", "priority-tags");

    if (!value || !strcmp(value, "never") || !strcmp(value, "false")) {
        return OFPROTO_PRIO_TAGS_NEVER;
    }
    return !strcmp(value, "always") ? OFPROTO_PRIO_TAGS_ALWAYS : OFPROTO_PRIO_TAGS_NONZERO;
}

/* In ms; 0: links are what the kernel says.  The schema asks for 100 or more, and less than 10
 * would keep main busy. */
static int
port_miimon(const struct db_row *row)
{
    static struct log_rate rl = LOG_RATE_INIT(5, 5);
    const char *mode = row_map_get(row, "other_config", "bond-detect-mode");
    int interval = row_map_int(row, "other_config", "bond-miimon-interval", 0);

    if (row_n(row, "interfaces") < 2 || !mode || !strcmp(mode, "carrier")) {
        return 0;
    }
    if (strcmp(mode, "miimon")) {
        log_warn_rl(&rl, "port %s: unsupported bond-detect-mode %s, defaulting to carrier",
                    row_str(row, "name"), mode);
        return 0;
    }
    return interval > 0 ? MAX(interval, 10) : 200;
}

/* In ms; 0: never. */
static int
port_rebalance_interval(const struct db_row *row)
{
    int interval = row_map_int(row, "other_config", "bond-rebalance-interval", 10000);

    return interval ? MAX(interval, 1000) : 0;
}

static void
port_bond_cfg(const struct db_row *row, struct ofproto_bond_cfg *bond)
{
    const char *mode = row_str(row, "bond_mode");
    const char *active = row_str(row, "bond_active_slave");

    *bond = (struct ofproto_bond_cfg){
        .mode = !mode || !strcmp(mode, "active-backup") ? OFPROTO_BOND_ACTIVE_BACKUP
                : !strcmp(mode, "balance-tcp")          ? OFPROTO_BOND_TCP
                                                        : OFPROTO_BOND_SLB,
        .up_delay_ms = MAX(0, row_int_or(row, "bond_updelay", 0)),
        .down_delay_ms = MAX(0, row_int_or(row, "bond_downdelay", 0)),
        .rebalance_ms = port_rebalance_interval(row),
        .hash_basis = row_map_int(row, "other_config", "bond-hash-basis", 0),
        .primary = row_map_get(row, "other_config", "bond-primary"),
        .lacp_fallback_ab = row_map_bool(row, "other_config", "lacp-fallback-ab", false),
        .lb_output = row_map_bool(row, "other_config", "lb-output-action", false),
        .all_members_active = row_map_bool(row, "other_config", "all-members-active", false),
    };
    if (!active || rte_ether_unformat_addr(active, &bond->active_mac)) {
        bond->active_mac = (struct rte_ether_addr){{0}};
    }
}

/* NULL: off, or nothing that can be. */
static const struct lacp_cfg *
port_lacp_cfg(const struct db_row *row, struct lacp_cfg *lacp)
{
    const char *word = row_str(row, "lacp");
    const char *id = row_map_get(row, "other_config", "lacp-system-id");
    const char *time = row_map_get(row, "other_config", "lacp-time");
    int priority = row_map_int(row, "other_config", "lacp-system-priority", 0);

    *lacp = (struct lacp_cfg){
        .active = word && !strcmp(word, "active"),
        .fast = time && !strcasecmp(time, "fast"),
        .fallback_ab = row_map_bool(row, "other_config", "lacp-fallback-ab", false),
        /* Without a wish, links that can be aggregated are preferred. */
        .sys_priority = priority > 0 && priority <= UINT16_MAX ? (uint16_t)priority
                        : row_n(row, "interfaces") > 1         ? UINT16_MAX - 1
                                                               : UINT16_MAX,
    };
    if (!lacp->active && (!word || strcmp(word, "passive"))) {
        return NULL;
    }
    if (id && rte_ether_unformat_addr(id, &lacp->sys_id)) {
        log_warn("port %s: LACP system ID (%s) must be an Ethernet address.", row_str(row, "name"),
                 id);
        return NULL;
    }
    if (id && rte_is_zero_ether_addr(&lacp->sys_id)) {
        log_warn("port %s: Invalid zero LACP system ID.", row_str(row, "name"));
        return NULL;
    }
    return lacp;
}

static struct lacp_member_cfg
iface_lacp_cfg(const struct br_iface *iface, const struct db_row *row)
{
    int id = row_map_int(row, "other_config", "lacp-port-id", 0);
    int priority = row_map_int(row, "other_config", "lacp-port-priority", 0);
    int key = row_map_int(row, "other_config", "lacp-aggregation-key", 0);

    return (struct lacp_member_cfg){
        .port_id = (uint16_t)(id > 0 && id <= UINT16_MAX ? (ofp_port_t)id : iface->ofp_port),
        .port_priority = priority > 0 && priority <= UINT16_MAX ? (uint16_t)priority : UINT16_MAX,
        .key = key >= 0 && key <= UINT16_MAX ? (uint16_t)key : 0,
    };
}

/* The OpenFlow ports of the members that run, and what LACP is to say of them, in new arrays. */
static ofp_port_t *
port_members(const struct br *br, const struct db_row *row, struct lacp_member_cfg **lacp,
             size_t *n)
{
    size_t n_rows = row_n(row, "interfaces");
    ofp_port_t *members = xcalloc(n_rows + 1, sizeof *members);

    *lacp = xcalloc(n_rows + 1, sizeof **lacp);
    *n = 0;
    for (size_t i = 0; i < n_rows; i++) {
        const struct db_row *iface_row = row_ref_at(row, "interfaces", i);
        const struct br_iface *iface =
            iface_row ? br_iface_find(br, row_str(iface_row, "name")) : NULL;

        if (iface && iface->ofp_port) {
            (*lacp)[*n] = iface_lacp_cfg(iface, iface_row);
            members[(*n)++] = iface->ofp_port;
            netdev_set_miimon(iface->netdev, port_miimon(row));
        }
    }
    return members;
}

void
br_port_sync(struct br *br, const struct db_row *row)
{
    const char *name = row_str(row, "name");
    const char *ethtype = row_map_get(row, "other_config", "qinq-ethtype");
    uint64_t trunks[VLAN_WORDS], cvlans[VLAN_WORDS];
    struct ofproto_bond_cfg bond;
    struct lacp_cfg lacp;
    struct lacp_member_cfg *lacp_members;
    struct ofproto_bundle_cfg cfg = {.name = name};
    struct br_port *port;
    ofp_port_t *members;

    members = port_members(br, row, &lacp_members, &cfg.n_members);
    HASH_FIND_STR(br->ports, name, port);
    if (!cfg.n_members) {
        if (port) {
            port_destroy(br, port);
        }
        free(lacp_members);
        free(members);
        return;
    }
    if (!port) {
        port = xzalloc(sizeof *port);
        port->name = xstrdup(name);
        HASH_ADD_KEYPTR(hh, br->ports, port->name, strlen(port->name), port);
    }
    port->wanted = true;
    cfg.tag = row_int_or(row, "tag", -1);
    cfg.vlan_mode = port_vlan_mode(row, cfg.tag);
    if (cfg.vlan_mode == OFPROTO_VLAN_ACCESS && cfg.tag < 0) {
        cfg.tag = 0;
    } else if (cfg.vlan_mode == OFPROTO_VLAN_TRUNK) {
        cfg.tag = -1;
    } else if (cfg.tag < 0) {
        log_warn("port %s: vlan_mode %s without a tag: VLAN 0 is taken", name,
                 row_str(row, "vlan_mode"));
        cfg.tag = 0;
    }
    cfg.trunks = vlan_bitmap(row, "trunks", trunks);
    cfg.cvlans = vlan_bitmap(row, "cvlans", cvlans);
    cfg.qinq_ethtype = ethtype && !strcmp(ethtype, "802.1q") ? DOT1Q_ETHTYPE : DOT1AD_ETHTYPE;
    cfg.priority_tags = port_priority_tags(row);
    cfg.is_protected = row_bool_or(row, "protected", false);
    cfg.members = members;
    if (row_n(row, "interfaces") > 1) {
        port_bond_cfg(row, &bond);
        cfg.bond = &bond;
    }
    cfg.lacp = port_lacp_cfg(row, &lacp);
    cfg.lacp_members = lacp_members;
    ofproto_bundle_set(br->ofproto, &cfg);
    free(lacp_members);
    free(members);
}
