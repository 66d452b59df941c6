// SPDX-License-Identifier: Apache-2.0
/*
 * view.c - snapshots of a bridge's ports, bundles, mirrors and settings for translation.
 *
 * Main builds one from its own structures and publishes it with RCU; readers in any thread.  All of
 * a view is freed together, after a grace period.
 */
#include <stdlib.h>

#include "ofproto/bond.h"
#include "ofproto/frozen.h"
#include "ofproto/ofproto_priv.h"

/* --- building: main
 * ---------------------------------------------------------------------------------- */

static uint32_t
port_hash(ofp_port_t port)
{
    return port * UINT32_C(0x9e3779b1) >> 15;
}

/* Two patch ports are connected when each names the other. */
static void
resolve_peer(const struct ofport *port, struct view_port *v)
{
    struct ofprotos *all = port->ofproto->all;

    if (!port->peer) {
        return;
    }
    for (struct ofproto *p = all->by_name; p; p = p->hh.next) {
        struct ofport *peer = ofport_by_name(p, port->peer);

        if (peer && peer->peer && !strcmp(peer->peer, port->name)) {
            v->peer_ofproto = p;
            v->peer_port = peer->ofp_port;
            return;
        }
    }
}

static int
compare_ports(const void *a_, const void *b_)
{
    const struct view_port *a = a_, *b = b_;

    return a->ofp_port < b->ofp_port ? -1 : a->ofp_port > b->ofp_port;
}

static void
build_ports(struct ofproto *p, struct ofproto_view *v)
{
    v->ports = xcalloc(HASH_COUNT(p->ports) + 1, sizeof *v->ports);
    for (struct ofport *port = p->ports; port; port = port->hh.next) {
        struct view_port *vp = &v->ports[v->n_ports++];

        *vp = (struct view_port){
            .name = xstrdup(port->name),
            .ofp_port = port->ofp_port,
            .odp_port = port->odp_port,
            .config = port->config,
            .netdev = port->netdev,
            .tunnel = port->tunnel,
            .counters = port->counters,
        };
        resolve_peer(port, vp);
        vp->is_live = port->peer ? vp->peer_ofproto != NULL : (port->desc.state & OFPPS_LIVE) != 0;
    }
    qsort(v->ports, v->n_ports, sizeof *v->ports, compare_ports);

    v->port_index_mask = 15;
    while (v->port_index_mask < v->n_ports * 2) {
        v->port_index_mask = v->port_index_mask * 2 + 1;
    }
    v->port_index = xcalloc(v->port_index_mask + 1, sizeof *v->port_index);
    for (size_t i = 0; i < v->n_ports; i++) {
        uint32_t h = port_hash(v->ports[i].ofp_port) & v->port_index_mask;

        while (v->port_index[h]) {
            h = (h + 1) & v->port_index_mask;
        }
        v->port_index[h] = (uint16_t)(i + 1);
    }
    v->local = view_port(v, OFPP_LOCAL);
}

static void
build_bond(const struct ofbundle *b, struct ofproto_view *v, struct view_bundle *vb)
{
    const struct bond *bond = b->state;

    vb->active = bond->active >= 0 ? view_port(v, bond->members[bond->active].port) : NULL;
    for (size_t i = 0; i < bond->n_members; i++) {
        struct view_port *vp = (struct view_port *)(uintptr_t)view_port(v, bond->members[i].port);

        if (vp) {
            /* While it waits to be enabled, too: the partner sends from the moment on when LACP
             * said that we are in sync. */
            vp->bond_collects = bond->members[i].enabled || bond->members[i].has_link;
        }
    }
    vb->falls_back = b->bond.mode != OFPROTO_BOND_ACTIVE_BACKUP && b->bond.lacp_fallback_ab &&
                     vb->lacp_status == LACP_CONFIGURED;
    if (b->bond.mode == OFPROTO_BOND_ACTIVE_BACKUP || vb->falls_back) {
        return;
    }
    vb->loads = bond_loads_ref(bond->loads);
    vb->recirc = bond->recirc ? frozen_ref(bond->recirc) : NULL;
    vb->lb_id = bond_lb_id(b);
    vb->buckets = xcalloc(BOND_BUCKETS, sizeof *vb->buckets);
    for (size_t i = 0; i < BOND_BUCKETS; i++) {
        if (bond->bucket[i] < bond->n_members) {
            vb->buckets[i] = view_port(v, bond->members[bond->bucket[i]].port);
        }
    }
}

static void
build_bundle(const struct ofbundle *b, struct ofproto_view *v, struct view_bundle *vb)
{
    *vb = (struct view_bundle){
        .name = xstrdup(b->name),
        .id = b->id,
        .vlan_mode = b->cfg.vlan_mode,
        .tag = b->cfg.tag,
        .qinq_ethtype = b->cfg.qinq_ethtype ? b->cfg.qinq_ethtype : ETH_TYPE_QINQ,
        .priority_tags = b->cfg.priority_tags,
        .is_protected = b->cfg.is_protected,
        .all_vlans = !b->cfg.trunks,
        .all_cvlans = !b->cfg.cvlans,
        .members = xcalloc(b->n_members + 1, sizeof *vb->members),
        .has_bond = b->cfg.bond != NULL,
        .has_lacp = b->lacp != NULL,
        .lacp_status = (uint8_t)lacp_status(b->lacp),
    };
    memcpy(vb->trunks, b->trunks, sizeof vb->trunks);
    memcpy(vb->cvlans, b->cvlans, sizeof vb->cvlans);
    if (vb->tag >= 0 && b->cfg.trunks) {
        vb->trunks[vb->tag / 64] |= UINT64_C(1) << (vb->tag % 64);
    }
    if (vb->has_bond) {
        vb->bond = b->bond;
        vb->bond.primary = NULL;
    }
    for (size_t i = 0; i < b->n_members; i++) {
        struct view_port *vp = (struct view_port *)(uintptr_t)view_port(v, b->members[i]);

        if (vp && !vp->bundle) {
            vp->bundle = vb;
            vb->members[vb->n_members++] = vp;
        }
    }
    if (b->state) {
        build_bond(b, v, vb);
    }
}

static struct view_bundle *
bundle_by_name(struct ofproto_view *v, const char *name)
{
    for (size_t i = 0; i < v->n_bundles; i++) {
        if (!strcmp(v->bundles[i].name, name)) {
            return &v->bundles[i];
        }
    }
    return NULL;
}

static void
build_mirror(const struct ofmirror *m, struct ofproto_view *v, size_t idx)
{
    struct view_mirror *vm = &v->mirrors[idx];
    struct view_bundle *out = m->out_port ? bundle_by_name(v, m->out_port) : NULL;
    uint32_t bit = UINT32_C(1) << idx, *mask;

    *vm = (struct view_mirror){
        .out = out,
        .out_vlan = out ? -1 : m->out_vlan,
        .snaplen = m->snaplen,
        .all_vlans = m->all_vlans,
        .stats = m->stats,
    };
    memcpy(vm->vlans, m->vlans, sizeof vm->vlans);
    if (out) {
        out->out_mirrors |= bit;
    }
    for (size_t i = 0; i < v->n_bundles; i++) {
        struct view_bundle *b = &v->bundles[i];

        for (int dir = 0; dir < 2; dir++) {
            char **names = dir ? m->dst : m->src;
            size_t n = dir ? m->n_dst : m->n_src;

            mask = dir ? &b->dst_mirrors : &b->src_mirrors;
            *mask |= m->select_all ? bit : 0;
            for (size_t j = 0; j < n; j++) {
                *mask |= strcmp(names[j], b->name) ? 0 : bit;
            }
        }
    }
}

struct ofproto_view *
view_build(struct ofproto *p)
{
    struct ofproto_view *v = xzalloc(sizeof *v);

    v->ofproto = p;
    v->name = p->name;
    v->fail_mode = p->fail_mode;
    v->frag = p->frag;
    v->forward_bpdu = p->forward_bpdu;
    v->flow_restore_wait = p->all->flow_restore_wait;
    v->wants_packet_in_on_miss = p->connmgr && connmgr_wants_miss(p->connmgr);
    v->is_in_band = p->connmgr && connmgr_is_in_band(p->connmgr);
    v->vlan_limit = p->vlan_limit;
    v->mac = p->mac;
    v->flood_vlans = p->has_flood_vlans ? xmemdup(p->flood_vlans, sizeof p->flood_vlans) : NULL;
    v->mac_table = p->mac_table;
    for (int i = 0; i < OFPROTO_N_TABLES; i++) {
        v->miss[i] = p->tables[i].miss;
    }
    build_ports(p, v);

    for (struct ofbundle *b = p->bundles; b; b = b->next) {
        v->n_bundles++;
    }
    v->bundles = xcalloc(v->n_bundles + 1, sizeof *v->bundles);
    v->n_bundles = 0;
    for (struct ofbundle *b = p->bundles; b; b = b->next) {
        build_bundle(b, v, &v->bundles[v->n_bundles]);
        v->n_bundles++;
    }
    v->n_mirrors = p->n_mirrors;
    v->mirrors = xcalloc(v->n_mirrors + 1, sizeof *v->mirrors);
    for (size_t i = 0; i < v->n_mirrors; i++) {
        build_mirror(&p->mirrors[i], v, i);
    }
    return v;
}

static void
free_const(const void *p)
{
    free((void *)(uintptr_t)p);
}

void
view_destroy(void *view_)
{
    struct ofproto_view *v = view_;

    for (size_t i = 0; i < v->n_ports; i++) {
        free_const(v->ports[i].name);
    }
    for (size_t i = 0; i < v->n_bundles; i++) {
        free_const(v->bundles[i].name);
        free(v->bundles[i].buckets);
        free(v->bundles[i].members);
        bond_loads_unref(v->bundles[i].loads);
        frozen_unref(v->bundles[i].recirc);
    }
    free_const(v->flood_vlans);
    free(v->ports);
    free(v->port_index);
    free(v->bundles);
    free(v->mirrors);
    free(v);
}

/* --- reading: any thread under RCU
 * ------------------------------------------------------------------- */

const struct ofproto_view *
ofproto_view(const struct ofproto *p)
{
    return rcu_get(&p->view);
}

const struct view_port *
view_port(const struct ofproto_view *v, ofp_port_t port)
{
    for (uint32_t h = port_hash(port) & v->port_index_mask; v->port_index[h];
         h = (h + 1) & v->port_index_mask) {
        const struct view_port *vp = &v->ports[v->port_index[h] - 1];

        if (vp->ofp_port == port) {
            return vp;
        }
    }
    return NULL;
}

const struct view_port *
view_port_by_name(const struct ofproto_view *v, const char *name)
{
    for (size_t i = 0; i < v->n_ports; i++) {
        if (!strcmp(v->ports[i].name, name)) {
            return &v->ports[i];
        }
    }
    return NULL;
}

const struct view_bundle *
view_bundle(const struct ofproto_view *v, uint32_t id)
{
    size_t lo = 0, hi = v->n_bundles;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (v->bundles[mid].id < id) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < v->n_bundles && v->bundles[lo].id == id ? &v->bundles[lo] : NULL;
}

struct ofproto_port_ref
ofprotos_port_by_odp(const struct ofprotos *all, odp_port_t port)
{
    struct ofproto_port_ref ref = {NULL, OFPP_NONE};
    uint64_t x;

    if (port < DP_MAX_PORTS) {
        x = atomic_load_explicit(&all->by_odp[port], memory_order_acquire);
        if (x) {
            ref.ofproto = (struct ofproto *)(uintptr_t)(x >> 16);
            ref.ofp_port = (ofp_port_t)(x & 0xffff);
        }
    }
    return ref;
}

cls_version_t
ofproto_version(const struct ofproto *p)
{
    return atomic_load_explicit(&p->version, memory_order_acquire);
}

struct rule *
ofproto_lookup(const struct ofproto *p, cls_version_t version, uint8_t table_id,
               const struct flow *flow, struct flow_mask *wc)
{
    const struct cls_rule *r;

    if (table_id > OFPROTO_TABLE_HIDDEN) {
        return NULL;
    }
    r = cls_lookup(p->tables[table_id].cls, version, flow, wc);
    if (r && rule_from_cls(r)->actions->has_conj) {
        r = conj_lookup(p->tables[table_id].cls, version, flow, wc);
    }
    return r ? rule_from_cls(r) : NULL;
}

bool
ofproto_table_had_clauses(const struct ofproto *p, uint8_t table_id)
{
    return table_id <= OFPROTO_TABLE_HIDDEN &&
           atomic_load_explicit(&p->tables[table_id].had_clauses, memory_order_relaxed);
}

void
ofproto_count_lookup(struct ofproto *p, uint8_t table_id, bool matched, uint64_t n)
{
    struct oftable *t = &p->tables[MIN(table_id, (uint8_t)OFPROTO_TABLE_HIDDEN)];

    atomic_fetch_add_explicit(matched ? &t->n_matched : &t->n_missed, n, memory_order_relaxed);
}

struct frozens *
ofprotos_frozens(const struct ofprotos *all)
{
    return all->frozens;
}

struct dp *
ofprotos_dp(const struct ofprotos *all)
{
    return all->dp;
}

struct loop *
ofprotos_loop(const struct ofprotos *all)
{
    return all->loop;
}

struct uuid
ofproto_uuid(const struct ofproto *p)
{
    return p->uuid;
}

struct ofprotos *
ofproto_set(const struct ofproto *p)
{
    return p->all;
}

void
ofport_credit_rx(const struct view_port *port, uint64_t packets, uint64_t bytes)
{
    atomic_fetch_add_explicit(&port->counters->rx_packets, packets, memory_order_relaxed);
    atomic_fetch_add_explicit(&port->counters->rx_bytes, bytes, memory_order_relaxed);
}

void
ofport_credit_tx(const struct view_port *port, uint64_t packets, uint64_t bytes)
{
    atomic_fetch_add_explicit(&port->counters->tx_packets, packets, memory_order_relaxed);
    atomic_fetch_add_explicit(&port->counters->tx_bytes, bytes, memory_order_relaxed);
}
