// SPDX-License-Identifier: Apache-2.0
/*
 * ports.c - a bridge's ports: numbers, configuration bits, link state, counters, and what
 * controllers are told of them.  Bundles and mirrors are in bundles.c.
 *
 * Main thread.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "ofproto/ofproto_priv.h"

COVERAGE_DEFINE(ofproto_update_port); /* ports that came, went or were looked at anew */
COVERAGE_DEFINE(rev_port_toggled);    /* links that went up or down */

/* A number is not used again for this long, so that flows for a port that went do not catch another
 * port. */
#define PORT_REUSE_MS (60 * 60 * 1000)

struct ofport *
ofport_find(const struct ofproto *p, ofp_port_t ofp_port)
{
    struct ofport *port;

    HASH_FIND(hh, p->ports, &ofp_port, sizeof ofp_port, port);
    return port;
}

struct ofport *
ofport_by_name(const struct ofproto *p, const char *name)
{
    for (struct ofport *port = p->ports; port; port = port->hh.next) {
        if (!strcmp(port->name, name)) {
            return port;
        }
    }
    return NULL;
}

/* --- what controllers are told
 * -------------------------------------------------------------------- */

/* The speed of the fastest mode among 'features'; 0 for a device that names none. */
static uint32_t
fastest_kbps(uint32_t features)
{
    static const struct {
        uint32_t modes, mbps;
    } speeds[] = {
        {NETDEV_F_1TB_FD, 1000000},
        {NETDEV_F_100GB_FD, 100000},
        {NETDEV_F_40GB_FD, 40000},
        {NETDEV_F_10GB_FD, 10000},
        {NETDEV_F_1GB_HD | NETDEV_F_1GB_FD, 1000},
        {NETDEV_F_100MB_HD | NETDEV_F_100MB_FD, 100},
        {NETDEV_F_10MB_HD | NETDEV_F_10MB_FD, 10},
    };

    for (size_t i = 0; i < ARRAY_SIZE(speeds); i++) {
        if (features & speeds[i].modes) {
            return speeds[i].mbps * 1000;
        }
    }
    return 0;
}

static void
describe(const struct ofport *port, struct ofp_port *d)
{
    struct netdev_link link = {0};
    struct rte_ether_addr mac = {{0}};
    int flags = netdev_get_flags(port->netdev);

    memset(d, 0, sizeof *d);
    netdev_get_link(port->netdev, &link);
    if (!netdev_get_mac(port->netdev, &mac)) {
        memcpy(d->hw_addr, mac.addr_bytes, sizeof d->hw_addr);
    }
    if (port->ofp_port == OFPP_LOCAL && !rte_is_zero_ether_addr(&port->ofproto->mac)) {
        memcpy(d->hw_addr, port->ofproto->mac.addr_bytes, sizeof d->hw_addr);
    }
    str_copy(d->name, port->name, sizeof d->name);
    d->port_no = port->ofp_port;
    d->config = port->config & ~(uint32_t)OFPPC_PORT_DOWN;
    if (!port->peer && flags >= 0 && !(flags & NETDEV_UP)) {
        d->config |= OFPPC_PORT_DOWN;
    }
    if (!port->peer && !link.carrier) {
        d->state |= OFPPS_LINK_DOWN;
    } else if (!port->lacp_holds) {
        d->state |= OFPPS_LIVE;
    }
    d->curr = link.current;
    d->advertised = link.advertised;
    d->supported = link.supported;
    d->peer = link.peer;
    d->curr_speed = (uint32_t)MIN(link.speed_bps / 1000, (uint64_t)UINT32_MAX);
    d->max_speed = fastest_kbps(link.supported);
}

/* Looks at the device; tells controllers and publishes when something moved. */
static void
refresh(struct ofport *port)
{
    struct ofp_port d;

    coverage_inc(ofproto_update_port);
    port->netdev_seq = netdev_change_seq(port->netdev);
    describe(port, &d);
    if (!memcmp(&d, &port->desc, sizeof d)) {
        return;
    }
    if ((d.state ^ port->desc.state) & OFPPS_LINK_DOWN) {
        coverage_inc(rev_port_toggled);
    }
    port->desc = d;
    port->config = d.config;
    ofproto_view_changed(port->ofproto);
    if (port->ofproto->connmgr) {
        connmgr_send_port_status(port->ofproto->connmgr, &port->desc, OFPPR_MODIFY);
    }
}

void
ofport_set_lacp_holds(struct ofport *port, bool holds)
{
    if (!port || port->lacp_holds == holds) {
        return;
    }
    port->lacp_holds = holds;
    if (!(port->desc.state & OFPPS_LINK_DOWN)) {
        port->desc.state &= ~(uint32_t)OFPPS_LIVE;
        port->desc.state |= holds ? 0 : OFPPS_LIVE;
        ofproto_view_changed(port->ofproto);
        if (port->ofproto->connmgr) {
            connmgr_send_port_status(port->ofproto->connmgr, &port->desc, OFPPR_MODIFY);
        }
    }
}

void
ofports_refresh(struct ofproto *p)
{
    for (struct ofport *port = p->ports; port; port = port->hh.next) {
        if (netdev_change_seq(port->netdev) != port->netdev_seq) {
            refresh(port);
        }
    }
}

void
ofproto_port_refresh(struct ofproto *p, ofp_port_t ofp_port)
{
    struct ofport *port = ofport_find(p, ofp_port);

    if (port) {
        refresh(port);
    }
}

void
ofport_update_config(struct ofport *port, uint32_t config, uint32_t mask)
{
    mask &= (port->config ^ config);
    if (mask & OFPPC_PORT_DOWN) {
        int error = config & OFPPC_PORT_DOWN ? netdev_set_flags(port->netdev, NETDEV_UP, 0)
                                             : netdev_set_flags(port->netdev, 0, NETDEV_UP);
        if (error) {
            mask &= ~(uint32_t)OFPPC_PORT_DOWN;
        }
    }
    /* Without a spanning tree its two bits are only kept and shown. */
    mask &= OFPPC_PORT_DOWN | OFPPC_NO_STP | OFPPC_NO_RECV | OFPPC_NO_RECV_STP | OFPPC_NO_FLOOD |
            OFPPC_NO_FWD | OFPPC_NO_PACKET_IN;
    if (mask) {
        port->config ^= mask;
        ofproto_view_changed(port->ofproto);
        refresh(port);
        ofproto_commit(port->ofproto);
    }
}

/* --- adding and removing
 * --------------------------------------------------------------------------- */

static bool
number_is_free(const struct ofproto *p, ofp_port_t n)
{
    return n >= 1 && n <= OFPROTO_MAX_PORT && !ofport_find(p, n);
}

static ofp_port_t
choose_number(const struct ofproto *p, ofp_port_t wanted)
{
    int64_t now = clock_now_ms();
    ofp_port_t oldest = OFPP_NONE;
    int64_t oldest_ms = INT64_MAX;

    if (wanted && number_is_free(p, wanted)) {
        return wanted;
    }
    for (ofp_port_t n = 1; n < 32768; n++) {
        int64_t freed = p->port_freed_ms[n];

        if (!number_is_free(p, n)) {
            continue;
        }
        if (!freed || now - freed >= PORT_REUSE_MS) {
            return n;
        }
        if (freed < oldest_ms) {
            oldest_ms = freed;
            oldest = n;
        }
    }
    if (oldest != OFPP_NONE) {
        return oldest;
    }
    for (ofp_port_t n = 32768; n <= OFPROTO_MAX_PORT; n++) {
        if (number_is_free(p, n)) {
            return n;
        }
    }
    return OFPP_NONE;
}

static void
map_odp(struct ofport *port, bool present)
{
    uint64_t x = (uint64_t)(uintptr_t)port->ofproto << 16 | port->ofp_port;

    if (port->odp_port < DP_MAX_PORTS) {
        atomic_store_explicit(&port->ofproto->all->by_odp[port->odp_port], present ? x : 0,
                              memory_order_release);
    }
}

int
ofproto_port_add(struct ofproto *p, const struct ofproto_port_cfg *cfg, ofp_port_t *out,
                 char **errorp)
{
    struct ofport *port;
    ofp_port_t n;

    if (ofport_by_name(p, cfg->name)) {
        *errorp = xasprintf("%s: a port of this name is in bridge %s already", cfg->name, p->name);
        return -EEXIST;
    }
    n = strcmp(cfg->name, p->name) ? choose_number(p, cfg->wanted) : OFPP_LOCAL;
    if (n == OFPP_NONE) {
        *errorp = xasprintf("%s: no OpenFlow port number is free", cfg->name);
        return -ENOSPC;
    }

    port = xzalloc(sizeof *port);
    port->ofproto = p;
    port->name = xstrdup(cfg->name);
    port->peer = xstrdup_null(cfg->patch_peer);
    port->netdev = cfg->netdev;
    port->tunnel = cfg->tunnel;
    port->ofp_port = n;
    port->odp_port = cfg->odp_port;
    port->created_ms = clock_now_ms();
    port->counters = xzalloc(sizeof *port->counters);
    HASH_ADD(hh, p->ports, ofp_port, sizeof port->ofp_port, port);
    describe(port, &port->desc);
    port->netdev_seq = netdev_change_seq(port->netdev);
    port->config = port->desc.config;
    map_odp(port, true);
    ofproto_view_changed(p);
    if (p->connmgr) {
        connmgr_send_port_status(p->connmgr, &port->desc, OFPPR_ADD);
    }
    coverage_inc(ofproto_update_port);
    *out = n;
    return 0;
}

static void
port_free(struct ofport *port)
{
    HASH_DEL(port->ofproto->ports, port);
    map_odp(port, false);
    rcu_free(port->counters);
    free(port->name);
    free(port->peer);
    free(port);
}

void
ofproto_port_del(struct ofproto *p, ofp_port_t ofp_port)
{
    struct ofport *port = ofport_find(p, ofp_port);

    if (!port) {
        return;
    }
    if (ofp_port <= OFPROTO_MAX_PORT) {
        p->port_freed_ms[ofp_port] = clock_now_ms() ? clock_now_ms() : 1;
    }
    if (p->connmgr) {
        connmgr_send_port_status(p->connmgr, &port->desc, OFPPR_DELETE);
    }
    coverage_inc(ofproto_update_port);
    port_free(port);
    ofproto_view_changed(p);
}

void
ofproto_port_set_peer(struct ofproto *p, ofp_port_t ofp_port, const char *peer)
{
    struct ofport *port = ofport_find(p, ofp_port);

    if (port && (!port->peer != !peer || (peer && strcmp(port->peer, peer)))) {
        free(port->peer);
        port->peer = xstrdup_null(peer);
        ofproto_view_changed(p);
    }
}

void
ofproto_port_set_tunnel(struct ofproto *p, ofp_port_t ofp_port, struct tnl_port *tunnel)
{
    struct ofport *port = ofport_find(p, ofp_port);

    if (port && port->tunnel != tunnel) {
        port->tunnel = tunnel;
        ofproto_view_changed(p);
    }
}

void
ofports_destroy(struct ofproto *p)
{
    while (p->ports) {
        port_free(p->ports);
    }
    while (p->bundles) {
        ofproto_bundle_del(p, p->bundles->name);
    }
    ofproto_mirrors_set(p, NULL, 0);
}

/* --- queries
 * ------------------------------------------------------------------------------------------ */

ofp_port_t
ofproto_port_by_name(const struct ofproto *p, const char *name)
{
    const struct ofport *port = ofport_by_name(p, name);

    return port ? port->ofp_port : 0;
}

const char *
ofproto_port_name(const struct ofproto *p, ofp_port_t ofp_port)
{
    const struct ofport *port = ofport_find(p, ofp_port);

    return port ? port->name : NULL;
}

void
ofport_get_stats(const struct ofport *port, struct netdev_stats *s)
{
    const struct ofport_counters *c = port->counters;

    if (!port->peer) {
        netdev_get_stats(port->netdev, s);
        return;
    }
    memset(s, 0xff, sizeof *s);
    s->rx_packets = atomic_load_explicit(&c->rx_packets, memory_order_relaxed);
    s->rx_bytes = atomic_load_explicit(&c->rx_bytes, memory_order_relaxed);
    s->tx_packets = atomic_load_explicit(&c->tx_packets, memory_order_relaxed);
    s->tx_bytes = atomic_load_explicit(&c->tx_bytes, memory_order_relaxed);
}

int
ofproto_port_get_stats(const struct ofproto *p, ofp_port_t ofp_port, struct netdev_stats *s)
{
    const struct ofport *port = ofport_find(p, ofp_port);

    if (!port) {
        return -ENODEV;
    }
    ofport_get_stats(port, s);
    return 0;
}
