// SPDX-License-Identifier: Apache-2.0
/*
 * ofproto.c - the set of bridges and their life: create, configure, publish, destroy.
 *
 * Main thread.  ofproto_priv.h says which file has what.
 */
#include "ofproto/ofproto.h"

#include <errno.h>
#include <stdlib.h>

#include "base/limits_report.h"
#include "base/log.h"
#include "base/random.h"
#include "ofproto/bond.h"
#include "ofproto/frozen.h"
#include "ofproto/ofproto_priv.h"

LOG_MODULE(ofproto);

enum { DEFAULT_BUNDLE_MEMORY_MB = 2048 };

static size_t bundle_bytes(int mb);

/* --- the set ------------------------------------------------------------------------------------
 */

static void
each_iteration(void *all_)
{
    struct ofprotos *all = all_;

    flow_garbage_run(all);
    handler_jobs_run(all);
    if (netdev_global_change_seq() != all->netdev_seq) {
        all->netdev_seq = netdev_global_change_seq();
        for (struct ofproto *p = all->by_name; p; p = p->hh.next) {
            ofports_refresh(p);
        }
        all->bonds_dirty = true; /* commits, too */
    }
    if (all->bonds_dirty) {
        all->bonds_dirty = false;
        bonds_run(all);
    }
}

static void
each_second(void *all_)
{
    struct ofprotos *all = all_;

    for (struct ofproto *p = all->by_name, *next; p; p = next) {
        next = p->hh.next;
        if (!all->flow_restore_wait) {
            flow_tables_expire(p);
        }
        connmgr_run(p->connmgr);
        ofproto_commit(p);
        flow_journal_run(p);
    }
    bonds_lb_run(all);
}

struct ofprotos *
ofprotos_create(struct loop *loop, struct dp *dp)
{
    struct ofprotos *all = xzalloc(sizeof *all);

    all->loop = loop;
    all->dp = dp;
    all->actions = rule_actions_set_create();
    all->frozens = frozens_create();
    all->last_job = &all->jobs;
    all->bonds_due_ms = BOND_NO_DELAY;
    atomic_init(&all->seq, 1);
    all->bundles_use.max = bundle_bytes(0);
    pthread_mutex_init(&all->lock, NULL);
    loop_add_hook(loop, each_iteration, all);
    loop_timer_every(&all->timer, loop, 1000, each_second, all);
    limits_register(ofprotos_put_limits, all);
    return all;
}

void
ofprotos_set_dp(struct ofprotos *all, struct dp *dp)
{
    all->dp = dp;
}

void
ofprotos_end(struct ofprotos *all)
{
    all->is_ending = true;
}

void
ofprotos_destroy(struct ofprotos *all)
{
    if (!all) {
        return;
    }
    while (all->by_name) {
        ofproto_destroy(all->by_name);
    }
    rcu_barrier();
    while (!all->is_ending && (all->unlinking || all->ripe)) {
        flow_garbage_run(all);
    }
    limits_unregister(ofprotos_put_limits, all);
    handler_jobs_forget(all, NULL);
    changes_forget(all, NULL);
    bonds_lb_fini(all);
    loop_timer_stop(&all->timer);
    bonds_stop(all);
    loop_del_hook(all->loop, each_iteration, all);
    rcu_barrier();
    rule_actions_set_destroy(all->actions);
    frozens_destroy(all->frozens);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

void
ofprotos_set_hooks(struct ofprotos *all, const struct ofproto_hooks *hooks, void *aux)
{
    all->hooks = *hooks;
    all->hooks_aux = aux;
}

struct ofproto *
ofprotos_find(const struct ofprotos *all, const char *name)
{
    struct ofproto *p;

    HASH_FIND(hh, all->by_name, name, strlen(name), p);
    return p;
}

struct ofproto *
ofprotos_first(const struct ofprotos *all)
{
    return all->by_name;
}

struct ofproto *
ofprotos_next(const struct ofproto *p)
{
    return p->hh.next;
}

void
ofprotos_set_flow_restore_wait(struct ofprotos *all, bool wait)
{
    if (wait == all->flow_restore_wait) {
        return;
    }
    all->flow_restore_wait = wait;
    for (struct ofproto *p = all->by_name; p; p = p->hh.next) {
        ofproto_view_changed(p);
        ofproto_commit(p);
    }
}

bool
ofprotos_flow_restore_wait(const struct ofprotos *all)
{
    return all->flow_restore_wait;
}

/* --- a bridge
 * ------------------------------------------------------------------------------------- */

int
ofproto_create(struct ofprotos *all, const char *name, struct ofproto **pp, char **errorp)
{
    struct ofproto *p;

    if (!*name || strpbrk(name, "/\\")) {
        *errorp = xasprintf("\"%s\" is not a bridge name: it must have no slash", name);
        return -EINVAL;
    }
    if (ofprotos_find(all, name)) {
        *errorp = xasprintf("%s: there is a bridge of this name already", name);
        return -EEXIST;
    }
    p = xzalloc(sizeof *p);
    p->name = xstrdup(name);
    p->all = all;
    uuid_generate(&p->uuid);
    p->fail_mode = OFPROTO_FAIL_SECURE;
    p->next_bundle_id = 1;
    p->bundle_idle_timeout_s = 10;
    p->port_freed_ms = xcalloc(OFPROTO_MAX_PORT + 1, sizeof *p->port_freed_ms);
    random_eth(p->mac.addr_bytes);
    HASH_ADD_KEYPTR(hh, all->by_name, p->name, strlen(p->name), p);
    p->connmgr = connmgr_create(p);
    pthread_mutex_init(&p->quotas_lock, NULL);
    flow_tables_init(p);
    p->mac_table = xlate_mac_table_create(p);
    p->view_dirty = true;
    ofproto_commit(p);
    *pp = p;
    return 0;
}

void
ofprotos_disconnect(struct ofprotos *all)
{
    for (struct ofproto *p = all->by_name; p; p = p->hh.next) {
        connmgr_disconnect(p->connmgr);
    }
}

void
ofproto_destroy(struct ofproto *p)
{
    struct ofprotos *all;

    if (!p) {
        return;
    }
    all = p->all;
    ofproto_journal_stop(p);
    connmgr_destroy(p->connmgr);
    p->connmgr = NULL;
    handler_jobs_forget(all, p);
    ofports_destroy(p);
    HASH_DEL(all->by_name, p);
    /* Patch ports of others that led here lead nowhere now. */
    for (struct ofproto *other = all->by_name; other; other = other->hh.next) {
        ofproto_view_changed(other);
        ofproto_commit(other);
    }
    p->view_dirty = true;
    ofproto_commit(p);
    if (all->hooks.destroyed) {
        all->hooks.destroyed(all->hooks_aux, p);
    }
    changes_forget(all, p);
    changes_publish(all);

    meters_destroy_all(p);
    /* Credits and recirculations find the bridge by themselves: not any more, before the wait. */
    xlate_mac_table_stop(p->mac_table);
    flow_tables_destroy(p); /* Waits until no translation is under way. */
    groups_destroy(p);
    learned_destroy(p);
    handler_jobs_forget(all, p);
    learn_limit_destroy(p);
    changes_forget(all, p);
    view_destroy(rcu_get_protected(&p->view));
    xlate_mac_table_destroy(p->mac_table);
    ofp_flow_mod_fini(&p->fm);
    free(p->port_freed_ms);
    free(p->dp_desc);
    free(p->dp_sn);
    free(p->name);
    /* Rules that others still hold refer to their bridge. */
    rcu_free(p);
}

void
ofproto_view_changed(struct ofproto *p)
{
    p->view_dirty = true;
}

static void
publish_view(struct ofproto *p)
{
    struct ofproto_view *old = rcu_get_protected(&p->view);

    p->view_dirty = false;
    for (struct ofbundle *b = p->bundles; b; b = b->next) {
        bond_lb_sync(p, b); /* before somebody translates to it */
    }
    rcu_assign(&p->view, view_build(p));
    if (old) {
        rcu_defer(view_destroy, old);
    }
    changes_put(p->all, OFPROTO_CHANGE_VIEW, p, 0);
}

/* Do patch ports of 'p' lead to other bridges, or theirs here, in a way that the views do not have?
 */
static bool
has_patch_ports(const struct ofproto *p)
{
    for (const struct ofport *port = p->ports; port; port = port->hh.next) {
        if (port->peer) {
            return true;
        }
    }
    return false;
}

void
ofproto_commit(struct ofproto *p)
{
    if (!p->view_dirty) {
        return;
    }
    publish_view(p);
    for (struct ofproto *other = p->all->by_name; other; other = other->hh.next) {
        if (other != p && has_patch_ports(other)) {
            publish_view(other);
        }
    }
    changes_publish(p->all);
    bonds_lb_published(p);
}

const char *
ofproto_name(const struct ofproto *p)
{
    return p->name;
}

void
ofproto_flush(struct ofproto *p)
{
    flow_tables_flush(p);
    groups_destroy(p);
    meters_destroy_all(p);
    connmgr_flushed(p->connmgr);
}

/* --- configuration
 * --------------------------------------------------------------------------------- */

static uint64_t
dpid_from_mac(const struct rte_ether_addr *mac)
{
    uint64_t dpid = 0;

    for (int i = 0; i < RTE_ETHER_ADDR_LEN; i++) {
        dpid = dpid << 8 | mac->addr_bytes[i];
    }
    return dpid;
}

static void
set_string(char **dst, const char *src)
{
    if (src && *dst && !strcmp(src, *dst)) {
        return;
    }
    free(*dst);
    *dst = xstrdup_null(src);
}

/* The bits of CLS_TRIE_*; 'bridge' is for the log. */
static unsigned
parse_prefixes(const char *text, const char *bridge)
{
    static const struct {
        const char *name;
        unsigned bits;
    } names[] = {
        {"ip_dst", 1u << CLS_TRIE_IP_DST},     {"nw_dst", 1u << CLS_TRIE_IP_DST},
        {"ip_src", 1u << CLS_TRIE_IP_SRC},     {"nw_src", 1u << CLS_TRIE_IP_SRC},
        {"ipv6_dst", 1u << CLS_TRIE_IPV6_DST}, {"ipv6_src", 1u << CLS_TRIE_IPV6_SRC},
    };
    unsigned fields = 0;

    if (!text) {
        return (1u << CLS_N_TRIES) - 1;
    }
    while (*text) {
        size_t len = strcspn(text, ", ");
        unsigned field = 0;

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
            if (strlen(names[i].name) == len && !strncmp(names[i].name, text, len)) {
                field = names[i].bits;
            }
        }
        if (!field) {
            log_warn("bridge %s: 'prefixes' with unknown field: %.*s", bridge, (int)len, text);
        }
        fields |= field;
        text += len;
        text += strspn(text, ", ");
    }
    return fields;
}

static void
configure_prefixes(const struct ofproto *p, struct oftable *t, const char *text)
{
    if (!text || !t->prefixes || strcmp(text, t->prefixes)) {
        set_string(&t->prefixes, text);
        cls_set_tries(t->cls, parse_prefixes(text, p->name));
    }
}

static void
configure_tables(struct ofproto *p, const struct ofproto_cfg *cfg)
{
    for (int i = 0; i < OFPROTO_N_TABLES; i++) {
        const struct ofproto_table_cfg *tc = NULL;
        struct oftable *t = &p->tables[i];

        for (size_t j = 0; j < cfg->n_tables; j++) {
            if (cfg->tables[j].table_id == i) {
                tc = &cfg->tables[j];
            }
        }
        set_string(&t->name, tc ? tc->name : NULL);
        t->max_flows = tc ? tc->max_flows : UINT32_MAX;
        t->evict_by_config = tc && tc->evict;
        if (!oftable_evicts(t)) {
            evict_forget(t);
        }
        evict_set_groups(t, tc ? tc->groups : NULL, p->name, i);
        configure_prefixes(p, t, tc ? tc->prefixes : NULL);
    }
    flow_tables_shrink(p);
}

static size_t
bundle_bytes(int mb)
{
    return (size_t)(mb ? mb : DEFAULT_BUNDLE_MEMORY_MB) << 20;
}

struct ofproto_bundles_use
ofprotos_bundles_use(const struct ofprotos *all)
{
    return all->bundles_use;
}

void
ofproto_configure(struct ofproto *p, const struct ofproto_cfg *cfg)
{
    uint64_t dpid = cfg->dpid ? cfg->dpid : dpid_from_mac(&cfg->mac), old_dpid = p->dpid;

    if (!rte_is_zero_ether_addr(&cfg->mac)) {
        p->mac = cfg->mac;
    }
    if (dpid && dpid != p->dpid) {
        log_info("%s: using datapath ID %016llx", p->name, (unsigned long long)dpid);
        p->dpid = dpid;
    }
    set_string(&p->dp_desc, cfg->dp_desc);
    set_string(&p->dp_sn, cfg->dp_sn);
    p->forward_bpdu = cfg->forward_bpdu;
    p->vlan_limit = cfg->vlan_limit;
    p->bundle_idle_timeout_s = cfg->bundle_idle_timeout_s ? cfg->bundle_idle_timeout_s : 10;
    p->all->bundles_use.max = bundle_bytes(cfg->bundle_memory_mb);
    p->has_flood_vlans = cfg->flood_vlans != NULL;
    if (cfg->flood_vlans) {
        memcpy(p->flood_vlans, cfg->flood_vlans, sizeof p->flood_vlans);
    }
    xlate_mac_table_configure(p->mac_table, cfg->mac_aging_s, cfg->mac_table_size,
                              p->has_flood_vlans ? p->flood_vlans : NULL);
    configure_tables(p, cfg);
    connmgr_configure(p->connmgr, cfg); /* May flush, when fail_mode changes. */
    if (old_dpid && p->dpid != old_dpid) {
        /* Nothing in OpenFlow tells a controller of it but a new FEATURES_REPLY. */
        connmgr_reconnect(p->connmgr);
    }
    ofproto_view_changed(p);
    if (ofport_find(p, OFPP_LOCAL)) {
        ofproto_port_refresh(p, OFPP_LOCAL);
    }
}

void
ofproto_controllers_status(const struct ofproto *p,
                           void (*cb)(const struct ofproto_controller_status *, void *aux),
                           void *aux)
{
    connmgr_status(p->connmgr, cb, aux);
}
