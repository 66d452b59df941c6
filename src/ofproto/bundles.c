// SPDX-License-Identifier: Apache-2.0
/*
 * bundles.c - the logical ports of NORMAL (rows of Port) and mirrors, as the bridge configured
 * them.
 *
 * Main thread; translation sees copies in views (view.c).
 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "ofproto/bond.h"
#include "ofproto/ofproto_priv.h"

LOG_MODULE(bridge); /* Its words, as operators know them. */

/* --- bundles
 * --------------------------------------------------------------------------------------- */

static struct ofbundle **
find_bundle(struct ofproto *p, const char *name)
{
    struct ofbundle **b = &p->bundles;

    while (*b && strcmp((*b)->name, name)) {
        b = &(*b)->next;
    }
    return b;
}

/* A member belongs to the bundle that named it last. */
static void
leave_other_bundles(struct ofproto *p, const struct ofbundle *keep, ofp_port_t port)
{
    for (struct ofbundle *b = p->bundles; b; b = b->next) {
        size_t n = 0;

        for (size_t i = 0; b != keep && i < b->n_members; i++) {
            if (b->members[i] != port) {
                b->members[n++] = b->members[i];
            }
        }
        if (b != keep && n != b->n_members) {
            b->n_members = n;
            ofproto_view_changed(p);
        }
    }
}

/* Pointers of 'cfg' that lead elsewhere, made our own or NULL. */
static void
bundle_fill(struct ofbundle *b, const struct ofproto_bundle_cfg *cfg)
{
    memset(b->trunks, 0, sizeof b->trunks);
    memset(b->cvlans, 0, sizeof b->cvlans);
    if (cfg->trunks) {
        memcpy(b->trunks, cfg->trunks, sizeof b->trunks);
    }
    if (cfg->cvlans) {
        memcpy(b->cvlans, cfg->cvlans, sizeof b->cvlans);
    }
    memset(&b->bond, 0, sizeof b->bond);
    free(b->bond_primary);
    b->bond_primary = NULL;
    if (cfg->bond) {
        b->bond = *cfg->bond;
        b->bond_primary = xstrdup_null(cfg->bond->primary);
        b->bond.primary = b->bond_primary;
    }
    free(b->lacp_members);
    b->lacp_members = NULL;
    memset(&b->lacp_cfg, 0, sizeof b->lacp_cfg);
    if (cfg->lacp) {
        b->lacp_cfg = *cfg->lacp;
        b->lacp_members = xmemdup(cfg->lacp_members, cfg->n_members * sizeof *cfg->lacp_members);
    }
    free(b->members);
    b->members = xmemdup(cfg->members, cfg->n_members * sizeof *cfg->members);
    b->n_members = cfg->n_members;
    b->cfg = *cfg;
    b->cfg.name = b->name;
    b->cfg.trunks = cfg->trunks ? b->trunks : NULL;
    b->cfg.cvlans = cfg->cvlans ? b->cvlans : NULL;
    b->cfg.bond = cfg->bond ? &b->bond : NULL;
    b->cfg.lacp = cfg->lacp ? &b->lacp_cfg : NULL;
    b->cfg.lacp_members = NULL;
    b->cfg.members = NULL;
    b->cfg.n_members = 0;
}

static bool
bitmaps_equal(const uint64_t *a, const uint64_t *b)
{
    return a && b ? !memcmp(a, b, 4096 / 8) : a == b;
}

static bool
strings_equal(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool
lacp_is_as(const struct ofbundle *b, const struct ofproto_bundle_cfg *cfg)
{
    const struct lacp_cfg *x = b->cfg.lacp, *y = cfg->lacp;

    if (!x || !y) {
        return !x && !y;
    }
    if (x->active != y->active || x->fast != y->fast || x->fallback_ab != y->fallback_ab ||
        x->sys_priority != y->sys_priority || !rte_is_same_ether_addr(&x->sys_id, &y->sys_id)) {
        return false;
    }
    for (size_t i = 0; i < cfg->n_members; i++) {
        const struct lacp_member_cfg *m = &b->lacp_members[i], *n = &cfg->lacp_members[i];

        if (m->port_id != n->port_id || m->port_priority != n->port_priority || m->key != n->key) {
            return false;
        }
    }
    return true;
}

static bool
bundle_is_as(const struct ofbundle *b, const struct ofproto_bundle_cfg *cfg)
{
    const struct ofproto_bundle_cfg *o = &b->cfg;

    if (o->vlan_mode != cfg->vlan_mode || o->tag != cfg->tag ||
        o->qinq_ethtype != cfg->qinq_ethtype || o->priority_tags != cfg->priority_tags ||
        o->is_protected != cfg->is_protected || !bitmaps_equal(o->trunks, cfg->trunks) ||
        !bitmaps_equal(o->cvlans, cfg->cvlans) || b->n_members != cfg->n_members ||
        (cfg->n_members &&
         memcmp(b->members, cfg->members, cfg->n_members * sizeof *cfg->members)) ||
        !o->bond != !cfg->bond || !lacp_is_as(b, cfg)) {
        return false;
    }
    return !cfg->bond ||
           (b->bond.mode == cfg->bond->mode && b->bond.up_delay_ms == cfg->bond->up_delay_ms &&
            b->bond.down_delay_ms == cfg->bond->down_delay_ms &&
            b->bond.rebalance_ms == cfg->bond->rebalance_ms &&
            b->bond.hash_basis == cfg->bond->hash_basis &&
            b->bond.all_members_active == cfg->bond->all_members_active &&
            b->bond.lacp_fallback_ab == cfg->bond->lacp_fallback_ab &&
            b->bond.lb_output == cfg->bond->lb_output &&
            strings_equal(b->bond_primary, cfg->bond->primary));
}

void
ofproto_bundle_set(struct ofproto *p, const struct ofproto_bundle_cfg *cfg)
{
    struct ofbundle **slot = find_bundle(p, cfg->name), *b = *slot;

    if (!b) {
        b = *slot = xzalloc(sizeof *b); /* At the end: ids ascend. */
        b->name = xstrdup(cfg->name);
        b->id = p->next_bundle_id++;
        HASH_ADD(by_id, p->bundles_by_id, id, sizeof b->id, b);
        b->cfg.tag = -2;
    }
    for (size_t i = 0; i < cfg->n_members; i++) {
        leave_other_bundles(p, b, cfg->members[i]);
    }
    if (!bundle_is_as(b, cfg)) {
        bundle_lacp_release_ports(p, b, cfg->members, cfg->n_members);
        bundle_fill(b, cfg);
        ofproto_view_changed(p);
        if (b->cfg.bond || b->state || b->cfg.lacp || b->lacp) {
            bundle_lacp_run(p, b);
            bond_run(p, b);
            p->all->bonds_dirty = true;
        }
        bundle_lacp_tell_ports(p, b);
    }
}

void
ofproto_bundle_del(struct ofproto *p, const char *name)
{
    struct ofbundle **slot = find_bundle(p, name), *b = *slot;

    if (!b) {
        return;
    }
    bundle_lacp_release_ports(p, b, NULL, 0);
    *slot = b->next;
    HASH_DELETE(by_id, p->bundles_by_id, b);
    if (p->mac_table) {
        xlate_mac_table_forget_bundle(p->mac_table, b->id);
    }
    bond_destroy(b->state);
    lacp_destroy(b->lacp);
    p->all->bond_seq++;
    free(b->name);
    free(b->bond_primary);
    free(b->lacp_members);
    free(b->members);
    free(b);
    ofproto_view_changed(p);
}

/* --- mirrors
 * ---------------------------------------------------------------------------------------- */

static char **
copy_strings(const char *const *strings, size_t n)
{
    char **copy = xcalloc(n + 1, sizeof *copy);

    for (size_t i = 0; i < n; i++) {
        copy[i] = xstrdup(strings[i]);
    }
    return copy;
}

static void
free_strings(char **strings, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(strings[i]);
    }
    free(strings);
}

static void
mirror_fini(struct ofmirror *m)
{
    free(m->id);
    free_strings(m->src, m->n_src);
    free_strings(m->dst, m->n_dst);
    free(m->out_port);
    if (m->stats) {
        rcu_free(m->stats);
    }
}

static bool
string_lists_equal(char *const *a, size_t n_a, const char *const *b, size_t n_b)
{
    for (size_t i = 0; n_a == n_b && i < n_a; i++) {
        if (strcmp(a[i], b[i])) {
            return false;
        }
    }
    return n_a == n_b;
}

static bool
mirror_is_as(const struct ofmirror *m, const struct ofproto_mirror_cfg *cfg)
{
    return !strcmp(m->id, cfg->id) && m->select_all == cfg->select_all &&
           string_lists_equal(m->src, m->n_src, cfg->select_src, cfg->n_src) &&
           string_lists_equal(m->dst, m->n_dst, cfg->select_dst, cfg->n_dst) &&
           m->all_vlans == !cfg->select_vlans &&
           (m->all_vlans || bitmaps_equal(m->vlans, cfg->select_vlans)) &&
           strings_equal(m->out_port, cfg->output_port) && m->out_vlan == cfg->output_vlan &&
           m->snaplen == cfg->snaplen;
}

static bool
mirrors_are_as(const struct ofproto *p, const struct ofproto_mirror_cfg *cfg, size_t n)
{
    for (size_t i = 0; n == p->n_mirrors && i < n; i++) {
        if (!mirror_is_as(&p->mirrors[i], &cfg[i])) {
            return false;
        }
    }
    return n == p->n_mirrors;
}

/* Takes the counters of the same mirror over. */
static struct rule_stats *
take_stats(struct ofmirror *old, size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++) {
        if (old[i].stats && !strcmp(old[i].id, id)) {
            struct rule_stats *stats = old[i].stats;

            old[i].stats = NULL;
            return stats;
        }
    }
    return xzalloc(sizeof(struct rule_stats));
}

static void
mirror_check_ports(struct ofproto *p, const char *mirror, const char *const *ports, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!*find_bundle(p, ports[i])) {
            log_warn("bridge %s: mirror %s cannot match on nonexistent port %s", p->name, mirror,
                     ports[i]);
        }
    }
}

/* Whoever makes a mirror that sees nothing, or that nobody sees, finds the reason in the log. */
static void
mirror_check(struct ofproto *p, const struct ofproto_mirror_cfg *cfg)
{
    if (!cfg->output_port && cfg->output_vlan < 0) {
        log_err("bridge %s: mirror %s does not specify output; ignoring", p->name, cfg->name);
        return;
    }
    if (cfg->output_port && !*find_bundle(p, cfg->output_port)) {
        log_err("bridge %s: mirror %s outputs to port not on bridge", p->name, cfg->name);
        return;
    }
    if (cfg->output_port && cfg->output_vlan >= 0) {
        log_err("bridge %s: mirror %s specifies both output port and output vlan; ignoring output "
                "vlan",
                p->name, cfg->name);
    }
    if (!cfg->select_all) {
        mirror_check_ports(p, cfg->name, cfg->select_src, cfg->n_src);
        mirror_check_ports(p, cfg->name, cfg->select_dst, cfg->n_dst);
    }
}

/* Those that were not there, or not so, before. */
static void
mirrors_check(struct ofproto *p, const struct ofproto_mirror_cfg *cfg, size_t n)
{
    for (size_t i = 0; i < MIN(n, (size_t)OFPROTO_MAX_MIRRORS); i++) {
        bool is_as_before = false;

        for (size_t j = 0; j < p->n_mirrors && !is_as_before; j++) {
            is_as_before = mirror_is_as(&p->mirrors[j], &cfg[i]);
        }
        if (!is_as_before) {
            mirror_check(p, &cfg[i]);
        }
    }
    if (n > OFPROTO_MAX_MIRRORS) {
        log_warn("bridge %s: maximum of %d port mirrors reached, %zu are left out", p->name,
                 OFPROTO_MAX_MIRRORS, n - OFPROTO_MAX_MIRRORS);
    }
}

void
ofproto_mirrors_set(struct ofproto *p, const struct ofproto_mirror_cfg *cfg, size_t n)
{
    struct ofmirror old[OFPROTO_MAX_MIRRORS];
    size_t n_old = p->n_mirrors;

    if (mirrors_are_as(p, cfg, MIN(n, (size_t)OFPROTO_MAX_MIRRORS))) {
        return;
    }
    mirrors_check(p, cfg, n);
    n = MIN(n, (size_t)OFPROTO_MAX_MIRRORS);
    memcpy(old, p->mirrors, sizeof old);
    memset(p->mirrors, 0, sizeof p->mirrors);
    for (size_t i = 0; i < n; i++) {
        struct ofmirror *m = &p->mirrors[i];

        m->id = xstrdup(cfg[i].id);
        m->select_all = cfg[i].select_all;
        m->src = copy_strings(cfg[i].select_src, cfg[i].n_src);
        m->n_src = cfg[i].n_src;
        m->dst = copy_strings(cfg[i].select_dst, cfg[i].n_dst);
        m->n_dst = cfg[i].n_dst;
        m->all_vlans = !cfg[i].select_vlans;
        if (cfg[i].select_vlans) {
            memcpy(m->vlans, cfg[i].select_vlans, sizeof m->vlans);
        }
        m->out_port = xstrdup_null(cfg[i].output_port);
        m->out_vlan = cfg[i].output_vlan;
        m->snaplen = cfg[i].snaplen;
        m->stats = take_stats(old, n_old, m->id);
    }
    p->n_mirrors = n;
    for (size_t i = 0; i < n_old; i++) {
        mirror_fini(&old[i]);
    }
    ofproto_view_changed(p);
}

/* The others are ignored, as mirror_check() says. */
static bool
mirror_has_output(const struct ofproto *p, const struct ofmirror *m)
{
    const struct ofbundle *b = m->out_port ? p->bundles : NULL;

    while (b && strcmp(b->name, m->out_port)) {
        b = b->next;
    }
    return m->out_port ? b != NULL : m->out_vlan >= 0;
}

int
ofproto_mirror_get_stats(const struct ofproto *p, const char *id, uint64_t *packets,
                         uint64_t *bytes)
{
    for (size_t i = 0; i < p->n_mirrors; i++) {
        const struct ofmirror *m = &p->mirrors[i];

        if (!strcmp(m->id, id) && mirror_has_output(p, m)) {
            const struct rule_stats *s = m->stats;

            *packets = atomic_load_explicit(&s->packets, memory_order_relaxed);
            *bytes = atomic_load_explicit(&s->bytes, memory_order_relaxed);
            return 0;
        }
    }
    return -ENOENT;
}
