// SPDX-License-Identifier: Apache-2.0
/*
 * br_status.c - what the switch writes into the database: results of a reconfiguration with
 * cur_cfg, status columns when they change, statistics by the clock.
 *
 * db_txn_set_*() leaves out values that the row has already, so everything may be offered always.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "bridge/bridge_int.h"

/* --- small helpers ------------------------------------------------------------------------ */

void
txn_put_smap(struct db_txn *txn, const struct db_row *row, const char *column,
             const struct smap *smap)
{
    size_t n = smap_count(smap), i = 0;
    const char **keys = xcalloc(n + 1, sizeof *keys);
    const char **values = xcalloc(n + 1, sizeof *values);

    SMAP_FOREACH (node, smap) {
        keys[i] = node->key;
        values[i++] = node->value;
    }
    db_txn_set_smap(txn, row, column, keys, values, n);
    free(keys);
    free(values);
}

/* A growing map from name to number. */
struct counters {
    const char **keys;
    int64_t *values;
    char **owned; /* the keys that were copied */
    size_t n, allocated, n_owned;
};

static void
counters_add(struct counters *c, const char *key, uint64_t value)
{
    if (value == UINT64_MAX) {
        return;
    }
    if (c->n == c->allocated) {
        c->allocated = MAX((size_t)32, c->allocated * 2);
        c->keys = xrealloc(c->keys, c->allocated * sizeof *c->keys);
        c->values = xrealloc(c->values, c->allocated * sizeof *c->values);
        c->owned = xrealloc(c->owned, c->allocated * sizeof *c->owned);
    }
    c->keys[c->n] = key;
    c->values[c->n++] = (int64_t)MIN(value, (uint64_t)INT64_MAX);
}

static void
counters_add_custom(const char *key, uint64_t value, void *counters_)
{
    struct counters *c = counters_;
    char *copy = xstrdup(key);
    size_t n = c->n;

    counters_add(c, copy, value);
    if (c->n > n) {
        c->owned[c->n_owned++] = copy;
    } else {
        free(copy);
    }
}

static void
counters_free(struct counters *c)
{
    for (size_t i = 0; i < c->n_owned; i++) {
        free(c->owned[i]);
    }
    free(c->owned);
    free(c->keys);
    free(c->values);
}

/* --- statistics --------------------------------------------------------------------------- */

static void
iface_put_statistics(const struct br_iface *iface, struct db_txn *txn, const struct db_row *row)
{
    struct netdev_stats s;
    struct counters c = {0};

    if (ofproto_port_get_stats(iface->br->ofproto, iface->ofp_port, &s)) {
        return;
    }
    const struct {
        const char *name;
        uint64_t value;
    } known[] = {
        {"rx_packets", s.rx_packets},
        {"tx_packets", s.tx_packets},
        {"rx_bytes", s.rx_bytes},
        {"tx_bytes", s.tx_bytes},
        {"rx_dropped", s.rx_dropped},
        {"tx_dropped", s.tx_dropped},
        {"rx_errors", s.rx_errors},
        {"tx_errors", s.tx_errors},
        {"rx_missed_errors", s.rx_missed_errors},
        {"rx_multicast_packets", s.multicast},
        {"collisions", s.collisions},
        {"rx_frame_err", s.rx_frame_errors},
        {"rx_over_err", s.rx_over_errors},
        {"rx_crc_err", s.rx_crc_errors},
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        counters_add(&c, known[i].name, known[i].value);
    }
    netdev_get_custom_stats(iface->netdev, counters_add_custom, &c);
    db_txn_set_simap(txn, row, "statistics", c.keys, c.values, c.n);
    counters_free(&c);
}

static void
mirrors_put_statistics(const struct br *br, struct db_txn *txn, const struct db_row *br_row)
{
    static const char *const keys[] = {"tx_packets", "tx_bytes"};

    for (size_t i = 0; i < row_n(br_row, "mirrors"); i++) {
        const struct db_row *row = row_ref_at(br_row, "mirrors", i);
        uint64_t packets, bytes;
        char id[UUID_LEN + 1];

        if (!row) {
            continue;
        }
        uuid_format(row_uuid(row), id);
        if (!ofproto_mirror_get_stats(br->ofproto, id, &packets, &bytes)) {
            const int64_t values[] = {packets, bytes};
            db_txn_set_simap(txn, row, "statistics", keys, values, ARRAY_SIZE(values));
        }
    }
}

struct controller_ctx {
    struct db_txn *txn;
    const struct db_row *br_row;
};

static void
put_packet_in_stats(struct smap *smap, const char *kind, const struct pinsched_stats *stats)
{
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {{"backlog", stats->backlog},
                  {"bypassed", stats->bypassed},
                  {"queued", stats->queued},
                  {"dropped", stats->dropped}};

    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        char key[64];

        snprintf(key, sizeof key, "packet-in-%s-%s", kind, counts[i].name);
        smap_put_format(smap, key, "%" PRIu64, counts[i].value);
    }
}

static void
controller_put_status(const struct ofproto_controller_status *status, void *ctx_)
{
    struct controller_ctx *ctx = ctx_;
    const struct db_row *row = NULL;
    struct smap smap = SMAP_INIT;

    for (size_t i = 0; i < row_n(ctx->br_row, "controller"); i++) {
        const struct db_row *r = row_ref_at(ctx->br_row, "controller", i);

        if (r && !strcmp(row_str(r, "target"), status->target)) {
            row = r;
        }
    }
    if (!row) {
        return;
    }
    db_txn_set_bool(ctx->txn, row, "is_connected", status->is_connected);
    if (status->role) {
        db_txn_set_str(ctx->txn, row, "role", status->role);
    } else if (row_n(row, "role")) {
        db_txn_clear(ctx->txn, row, "role");
    }
    if (status->state) {
        smap_put(&smap, "state", status->state);
    }
    if (status->last_error) {
        smap_put(&smap, "last_error", status->last_error);
    }
    if (status->secs_since_connect >= 0) {
        smap_put_format(&smap, "sec_since_connect", "%" PRId64, status->secs_since_connect);
    }
    if (status->secs_since_disconnect >= 0) {
        smap_put_format(&smap, "sec_since_disconnect", "%" PRId64, status->secs_since_disconnect);
    }
    if (status->has_rate_limit) {
        put_packet_in_stats(&smap, "miss", &status->misses);
        put_packet_in_stats(&smap, "action", &status->actions);
    }
    txn_put_smap(ctx->txn, row, "status", &smap);
    smap_destroy(&smap);
}

void
bridges_put_statistics(struct bridges *b, struct db_txn *txn)
{
    for (struct br *br = b->brs; br; br = br->hh.next) {
        const struct db_row *br_row = db_get(b->db, "Bridge", &br->uuid);
        struct controller_ctx ctx = {txn, br_row};

        for (struct br_iface *iface = br->ifaces; iface; iface = iface->hh.next) {
            const struct db_row *row = db_get(b->db, "Interface", &iface->uuid);

            if (row && iface->netdev && iface->ofp_port) {
                iface_put_statistics(iface, txn, row);
            }
        }
        if (br_row) {
            mirrors_put_statistics(br, txn, br_row);
            ofproto_controllers_status(br->ofproto, controller_put_status, &ctx);
        }
    }
}

/* --- status of interfaces ------------------------------------------------------------------ */

/* How often the link changed stays, for a port that had one. */
static void
iface_clear_status(struct db_txn *txn, const struct db_row *row)
{
    static const char *const columns[] = {"admin_state", "duplex",     "ifindex",
                                          "link_speed",  "link_state", "mac_in_use",
                                          "mtu",         "statistics", "status"};

    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        db_txn_clear(txn, row, columns[i]);
    }
}

static void
iface_put_link(const struct br_iface *iface, struct db_txn *txn, const struct db_row *row)
{
    struct netdev_link link;

    netdev_get_link(iface->netdev, &link);
    db_txn_set_str(txn, row, "admin_state",
                   netdev_get_flags(iface->netdev) & NETDEV_UP ? "up" : "down");
    db_txn_set_str(txn, row, "link_state", link.carrier ? "up" : "down");
    db_txn_set_int(txn, row, "link_resets", link.resets);
    if (link.speed_bps) {
        db_txn_set_int(txn, row, "link_speed", link.speed_bps);
        db_txn_set_str(txn, row, "duplex", link.full_duplex ? "full" : "half");
    } else {
        db_txn_clear(txn, row, "link_speed");
        db_txn_clear(txn, row, "duplex");
    }
}

static void
iface_put_status(struct br_iface *iface, struct db_txn *txn, const struct db_row *row)
{
    struct rte_ether_addr mac;
    char text[RTE_ETHER_ADDR_FMT_SIZE];
    struct smap status = SMAP_INIT;
    int mtu = netdev_get_mtu(iface->netdev);
    int ifindex = netdev_get_ifindex(iface->netdev);

    iface_put_link(iface, txn, row);
    if (!netdev_get_mac(iface->netdev, &mac)) {
        snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", RTE_ETHER_ADDR_BYTES(&mac));
        db_txn_set_str(txn, row, "mac_in_use", text);
    } else {
        db_txn_clear(txn, row, "mac_in_use");
    }
    if (mtu >= 0) {
        db_txn_set_int(txn, row, "mtu", mtu);
    } else {
        db_txn_clear(txn, row, "mtu");
    }
    db_txn_set_int(txn, row, "ifindex", MAX(ifindex, 0));
    netdev_get_status(iface->netdev, &status);
    txn_put_smap(txn, row, "status", &status);
    smap_destroy(&status);
}

/* Port.bond_active_slave: the MAC address of the active member; empty where there is no bond. */
static void
br_put_bonds(struct br *br, struct db_txn *txn, const struct db_row *br_row)
{
    for (size_t i = 0; br_row && i < row_n(br_row, "ports"); i++) {
        const struct db_row *row = row_ref_at(br_row, "ports", i);
        char text[RTE_ETHER_ADDR_FMT_SIZE];
        struct rte_ether_addr mac;

        if (!row) {
            continue;
        }
        if (ofproto_bond_active_mac(br->ofproto, row_str(row, "name"), &mac)) {
            snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x",
                     RTE_ETHER_ADDR_BYTES(&mac));
            db_txn_set_str(txn, row, "bond_active_slave", text);
        } else {
            db_txn_set_str(txn, row, "bond_active_slave", NULL);
        }
    }
}

/* Interface.lacp_current, which moves without the device. */
static void
iface_put_lacp(const struct br_iface *iface, struct db_txn *txn, const struct db_row *row)
{
    int current = iface->ofp_port ? ofproto_lacp_current(iface->br->ofproto, iface->ofp_port) : -1;

    if (current < 0) {
        db_txn_clear(txn, row, "lacp_current");
    } else {
        db_txn_set_bool(txn, row, "lacp_current", current);
    }
}

/* 'everything': also what did not change since the last time. */
static void
br_put_status(struct br *br, struct db_txn *txn, bool everything)
{
    br_put_bonds(br, txn, db_get(br->all->db, "Bridge", &br->uuid));
    for (struct br_iface *iface = br->ifaces; iface; iface = iface->hh.next) {
        const struct db_row *row = db_get(br->all->db, "Interface", &iface->uuid);
        uint64_t seq = iface->netdev ? netdev_change_seq(iface->netdev) : 0;

        if (row) {
            iface_put_lacp(iface, txn, row);
        }
        if (!row || (!everything && !iface->status_stale && seq == iface->change_seq)) {
            continue;
        }
        iface->change_seq = seq;
        iface->status_stale = false;
        if (iface->netdev) {
            iface_put_status(iface, txn, row);
        } else {
            iface_clear_status(txn, row);
        }
    }
}

void
bridges_put_status(struct bridges *b, struct db_txn *txn)
{
    for (struct br *br = b->brs; br; br = br->hh.next) {
        br_put_status(br, txn, false);
    }
}

/* --- results of a reconfiguration ----------------------------------------------------------- */

static void
br_put_results(struct br *br, struct db_txn *txn)
{
    const struct db_row *br_row = db_get(br->all->db, "Bridge", &br->uuid);

    if (br_row) {
        char dpid[17];

        snprintf(dpid, sizeof dpid, "%016" PRIx64, br->dpid);
        db_txn_set_str(txn, br_row, "datapath_id", dpid);
        db_txn_set_str(txn, br_row, "datapath_version", "<built-in>");
    }
    for (struct br_iface *iface = br->ifaces; iface; iface = iface->hh.next) {
        const struct db_row *row = db_get(br->all->db, "Interface", &iface->uuid);
        bool is_new;
        int64_t old;

        if (!row) {
            continue;
        }
        is_new = !row_int(row, "ofport", &old) || old != (int64_t)iface->ofp_port;
        db_txn_set_int(txn, row, "ofport", iface->ofp_port ? (int64_t)iface->ofp_port : -1);
        db_txn_set_str(txn, row, "error", iface->error);
        if (is_new && iface->netdev) {
            iface_put_statistics(iface, txn, row);
        }
    }
    /* All of it: a server that restarted has lost the ephemeral columns. */
    br_put_status(br, txn, true);
}

/* Interfaces of bridges that could not be created at all. */
static void
put_orphans(struct bridges *b, struct db_txn *txn, const struct db_row *ovs)
{
    for (size_t i = 0; i < row_n(ovs, "bridges"); i++) {
        const struct db_row *br_row = row_ref_at(ovs, "bridges", i);
        struct br *br = NULL;

        if (br_row) {
            HASH_FIND_STR(b->brs, row_str(br_row, "name"), br);
        }
        for (size_t j = 0; br_row && !br && j < row_n(br_row, "ports"); j++) {
            const struct db_row *port = row_ref_at(br_row, "ports", j);

            for (size_t k = 0; port && k < row_n(port, "interfaces"); k++) {
                const struct db_row *row = row_ref_at(port, "interfaces", k);

                if (row) {
                    db_txn_set_int(txn, row, "ofport", -1);
                    db_txn_set_str(txn, row, "error", "its bridge could not be created");
                    iface_clear_status(txn, row);
                }
            }
        }
    }
}

void
bridges_put_results(struct bridges *b, struct db_txn *txn, const struct db_row *ovs)
{
    int64_t next_cfg = row_int_or(ovs, "next_cfg", 0);

    for (struct br *br = b->brs; br; br = br->hh.next) {
        br_put_results(br, txn);
    }
    put_orphans(b, txn, ovs);
    bridges_put_capabilities(b, txn, ovs);
    db_txn_set_bool(txn, ovs, "dpdk_initialized", dpdk_wanted());
    db_txn_set_int(txn, ovs, "cur_cfg", next_cfg);
    b->cur_cfg = next_cfg;
}

void
bridges_put_abilities(struct bridges *b, struct db_txn *txn, const struct db_row *ovs)
{
    const char *dp_types[3];
    size_t n_dp_types = 0, n_types;
    const char **types = netdev_types(&n_types);

    if (b->cfg.enable_dummy) {
        dp_types[n_dp_types++] = "dummy";
    }
    dp_types[n_dp_types++] = "netdev";
    if (!b->cfg.disable_system || datapath_type_is_dummy("system")) {
        dp_types[n_dp_types++] = "system";
    }
    db_txn_set_strs(txn, ovs, "datapath_types", dp_types, n_dp_types);
    db_txn_set_strs(txn, ovs, "iface_types", types, n_types);
    db_txn_set_str(txn, ovs, "dpdk_version", dpdk_version_text());
    free(types);
}
