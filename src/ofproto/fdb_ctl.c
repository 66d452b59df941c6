// SPDX-License-Identifier: Apache-2.0
/*
 * fdb_ctl.c - the group "fdb" for ovs-appctl: MAC tables of bridges.  Main thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "base/util.h"
#include "ofproto/xlate_int.h"
#include "rpc/unixctl.h"

/* NULL, with the error sent, if there is no such bridge. */
static const struct ofproto_view *
find_bridge(struct unixctl_conn *conn, struct ofprotos *all, const char *name)
{
    struct ofproto *p = ofprotos_find(all, name);

    if (!p) {
        unixctl_reply_error(conn, "no such bridge");
        return NULL;
    }
    return ofproto_view(p);
}

/* The OpenFlow port of a row: the first member's. */
static void
put_port(struct str *s, const struct ofproto_view *view, uint32_t bundle_id)
{
    const struct view_bundle *b = view_bundle(view, bundle_id);
    char name[16] = "?";

    if (b && b->n_members) {
        ofp_port_t port = b->members[0]->ofp_port;

        if (port == OFPP_LOCAL) {
            str_copy(name, "LOCAL", sizeof name);
        } else {
            snprintf(name, sizeof name, "%" PRIu32, port);
        }
    }
    str_printf(s, "%5s", name);
}

static void
fdb_show(struct unixctl_conn *conn, int argc, const char *argv[], void *all)
{
    const struct ofproto_view *view = find_bridge(conn, all, argv[1]);
    struct str s = STR_INIT;
    struct mac_row *rows;
    size_t n;

    (void)argc;
    if (!view) {
        return;
    }
    str_put(&s, " port  VLAN  MAC                Age\n");
    rows = mac_table_rows(view->mac_table, &n);
    for (size_t i = 0; i < n; i++) {
        put_port(&s, view, rows[i].bundle_id);
        str_printf(&s, "  %4d  ", rows[i].vlan);
        str_put_eth(&s, rows[i].mac.addr_bytes);
        if (rows[i].is_static) {
            str_put(&s, "  static\n");
        } else {
            str_printf(&s, "  %3d\n", rows[i].age_s);
        }
    }
    free(rows);
    unixctl_reply(conn, str_cstr(&s));
    str_free(&s);
}

static void
for_bridges(struct unixctl_conn *conn, int argc, const char *argv[], struct ofprotos *all,
            void (*fn)(struct mac_table *), const char *done)
{
    if (argc > 1) {
        const struct ofproto_view *view = find_bridge(conn, all, argv[1]);

        if (!view) {
            return;
        }
        fn(view->mac_table);
    } else {
        for (struct ofproto *p = ofprotos_first(all); p; p = ofprotos_next(p)) {
            fn(ofproto_view(p)->mac_table);
        }
    }
    unixctl_reply(conn, done);
}

static void
fdb_flush(struct unixctl_conn *conn, int argc, const char *argv[], void *all)
{
    for_bridges(conn, argc, argv, all, mac_table_flush, "table successfully flushed");
}

static void
fdb_stats_clear(struct unixctl_conn *conn, int argc, const char *argv[], void *all)
{
    for_bridges(conn, argc, argv, all, mac_table_clear_stats, "statistics successfully cleared");
}

static void
fdb_stats_show(struct unixctl_conn *conn, int argc, const char *argv[], void *all)
{
    const struct ofproto_view *view = find_bridge(conn, all, argv[1]);
    struct mac_table_stats st;
    struct str s = STR_INIT;

    (void)argc;
    if (!view) {
        return;
    }
    mac_table_get_stats(view->mac_table, &st);
    str_printf(&s, "Statistics for bridge \"%s\":\n", view->name);
    str_printf(&s, "  Current/maximum MAC entries in the table: %zu/%zu\n", st.n, st.max);
    str_printf(&s, "  Current static MAC entries in the table : %zu\n", st.n_static);
    str_printf(&s, "  Total number of learned MAC entries     : %" PRIu64 "\n", st.learned);
    str_printf(&s, "  Total number of expired MAC entries     : %" PRIu64 "\n", st.expired);
    str_printf(&s, "  Total number of evicted MAC entries     : %" PRIu64 "\n", st.evicted);
    str_printf(&s, "  Total number of port moved MAC entries  : %" PRIu64 "\n", st.moved);
    unixctl_reply(conn, str_cstr(&s));
    str_free(&s);
}

static bool
parse_mac(struct unixctl_conn *conn, const char *text, struct rte_ether_addr *mac)
{
    if (!scan_eth(&text, mac) || *text) {
        unixctl_reply_error(conn, "bad MAC address");
        return false;
    }
    return true;
}

static bool
parse_vlan(struct unixctl_conn *conn, const char *text, uint16_t *vlan)
{
    unsigned int v;

    if (!str_to_uint(text, 10, &v) || v > 4095) {
        unixctl_reply_error(conn, "bad VLAN: it must be between 0 and 4095");
        return false;
    }
    *vlan = (uint16_t)v;
    return true;
}

static void
fdb_add(struct unixctl_conn *conn, int argc, const char *argv[], void *all)
{
    const struct ofproto_view *view = find_bridge(conn, all, argv[1]);
    const struct view_port *port;
    struct rte_ether_addr mac;
    uint32_t old_bundle;
    uint16_t vlan;

    (void)argc;
    if (!view || !parse_vlan(conn, argv[3], &vlan) || !parse_mac(conn, argv[4], &mac)) {
        return;
    }
    port = view_port_by_name(view, argv[2]);
    if (!port || !port->bundle) {
        unixctl_reply_error(conn, "software error, odp port is present but no ofp port");
    } else if (mac_table_add_static(view->mac_table, vlan, mac, port->bundle->id, &old_bundle)) {
        struct str s = STR_INIT, name = STR_INIT;

        put_port(&name, view, old_bundle);
        str_printf(&s, "Overriding already existing static entry on %s",
                   str_cstr(&name) + strspn(str_cstr(&name), " "));
        unixctl_reply(conn, str_cstr(&s));
        str_free(&name);
        str_free(&s);
    } else {
        unixctl_reply(conn, NULL);
    }
}

static void
fdb_del(struct unixctl_conn *conn, int argc, const char *argv[], void *all)
{
    const struct ofproto_view *view = find_bridge(conn, all, argv[1]);
    struct rte_ether_addr mac;
    uint16_t vlan;

    (void)argc;
    if (!view || !parse_mac(conn, argv[3], &mac) || !parse_vlan(conn, argv[2], &vlan)) {
        return;
    }
    if (mac_table_del_static(view->mac_table, vlan, mac)) {
        unixctl_reply(conn, NULL);
    } else {
        unixctl_reply_error(conn, "could not find static mac entry");
    }
}

void
fdb_ctl_init(struct ofprotos *all)
{
    unixctl_register("fdb/add", "bridge port vlan mac", 4, 4, fdb_add, all);
    unixctl_register("fdb/del", "bridge vlan mac", 3, 3, fdb_del, all);
    unixctl_register("fdb/flush", "[bridge]", 0, 1, fdb_flush, all);
    unixctl_register("fdb/show", "bridge", 1, 1, fdb_show, all);
    unixctl_register("fdb/stats-clear", "[bridge]", 0, 1, fdb_stats_clear, all);
    unixctl_register("fdb/stats-show", "bridge", 1, 1, fdb_stats_show, all);
}
