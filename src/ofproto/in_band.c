// SPDX-License-Identifier: Apache-2.0
/*
 * in_band.c - controllers that are reached through the bridge itself (connection_mode=in-band, the
 * default, and disable-in-band of ovs-vswitchd.conf.db(5)): hidden flows above all others, so that
 * the tables that a controller writes, or has not written yet, cannot cut it off.
 *
 * The next hop to a controller, which may be a gateway, has flows, too, as far as the kernel knows
 * its address: it is asked for now and then.  And what DHCP answers comes to the bridge's own port
 * past the tables (xlate_own.c).
 *
 * Main thread.  Flows are made anew when the set of remotes, a next hop, the bridge's address or
 * the queue moves.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "flow/match.h"
#include "netdev/netdev_hop.h"
#include "ofproto/ofconn.h"
#include "openflow/ofp_text.h"

/* As other hosts show them in bridge/dump-flows. */
enum {
    PRIORITY_FROM_LOCAL_DHCP = 180000,
    PRIORITY_TO_LOCAL_ARP = 180001,
    PRIORITY_FROM_LOCAL_ARP = 180002,
    PRIORITY_TO_NEXT_HOP_ARP = 180003,
    PRIORITY_FROM_NEXT_HOP_ARP = 180004,
    PRIORITY_TO_REMOTE_ARP = 180005,
    PRIORITY_FROM_REMOTE_ARP = 180006,
    PRIORITY_TO_REMOTE_TCP = 180007,
    PRIORITY_FROM_REMOTE_TCP = 180008,
    OPENFLOW_PORT = 6653,
    OVSDB_PORT = 6640,
    HOP_KNOWN_MS = 10000, /* asked for again after; one that is not known each second */
};

struct in_band_remote {
    char ip[INET_ADDRSTRLEN];
    unsigned port;
    struct rte_ether_addr hop; /* the next on the way to it; zero: not known */
    int64_t hop_due_ms;        /* when 'hop' is asked for again */
};

struct in_band_flow {
    int priority;
    struct match match;
};

struct in_band_flows {
    struct in_band_flow *flows;
    size_t n;
    int queue;
};

struct in_band {
    struct in_band_remote *remotes;
    size_t n_remotes;
    int queue;                  /* that is wanted */
    struct in_band_flows flows; /* as they are in the table */
};

struct in_band *
in_band_create(void)
{
    struct in_band *ib = xzalloc(sizeof *ib);

    ib->queue = ib->flows.queue = -1;
    return ib;
}

void
in_band_destroy(struct in_band *ib)
{
    if (ib) {
        free(ib->remotes);
        free(ib->flows.flows);
        free(ib);
    }
}

/* --- remotes ------------------------------------------------------------------------------------
 */

/* "tcp:1.2.3.4:6653" and the like; false for names, IPv6 and sockets that are not remote. */
static bool
parse_remote(const char *target, uint16_t default_port, struct in_band_remote *r)
{
    const char *s = target + 4, *colon;
    struct in_addr addr;
    size_t len;

    if (strncmp(target, "tcp:", 4) && strncmp(target, "ssl:", 4)) {
        return false;
    }
    colon = strchr(s, ':');
    len = colon ? (size_t)(colon - s) : strlen(s);
    if (len >= sizeof r->ip) {
        return false;
    }
    memcpy(r->ip, s, len);
    r->ip[len] = '\0';
    r->port = default_port;
    if (colon) {
        char *end;
        unsigned long n = strtoul(colon + 1, &end, 10);

        if (end == colon + 1 || *end || !n || n > UINT16_MAX) {
            return false;
        }
        r->port = (unsigned)n;
    }
    return inet_pton(AF_INET, r->ip, &addr) == 1;
}

static void
add_remote(struct in_band *ib, const char *target, uint16_t default_port)
{
    struct in_band_remote r = {.hop_due_ms = 0};

    if (parse_remote(target, default_port, &r)) {
        ib->remotes = xreallocarray(ib->remotes, ib->n_remotes + 1, sizeof *ib->remotes);
        ib->remotes[ib->n_remotes++] = r;
    }
}

/* What was known of the next hops stays known. */
static void
set_remotes(struct in_band *ib, const struct ofproto_cfg *cfg)
{
    struct in_band_remote *old = ib->remotes;
    size_t n_old = ib->n_remotes;

    ib->remotes = NULL;
    ib->n_remotes = 0;
    for (size_t i = 0; !cfg->disable_in_band && i < cfg->n_controllers; i++) {
        const struct ofproto_controller_cfg *c = &cfg->controllers[i];

        if (c->band == OFPROTO_IN_BAND) {
            add_remote(ib, c->target, OPENFLOW_PORT);
        }
    }
    for (size_t i = 0; !cfg->disable_in_band && i < cfg->n_managers; i++) {
        add_remote(ib, cfg->managers[i], OVSDB_PORT);
    }
    for (size_t i = 0; i < ib->n_remotes; i++) {
        struct in_band_remote *r = &ib->remotes[i];

        for (size_t j = 0; j < n_old; j++) {
            if (!strcmp(old[j].ip, r->ip)) {
                r->hop = old[j].hop;
                r->hop_due_ms = old[j].hop_due_ms;
            }
        }
    }
    free(old);
}

/* True if the bridge's own port is a device of the kernel's, which has routes. */
static bool
has_routes(const struct ofproto *p)
{
    const struct ofport *local = ofport_find(p, OFPP_LOCAL);

    return local && local->netdev && netdev_get_ifindex(local->netdev) > 0;
}

/* Asks for the next hops whose time has come.  True if one is another now. */
static bool
find_hops(struct in_band *ib, const struct ofproto *p)
{
    bool changed = false, can_ask = ib->n_remotes && has_routes(p);
    int64_t now = clock_now_ms();

    for (size_t i = 0; i < ib->n_remotes; i++) {
        struct in_band_remote *r = &ib->remotes[i];
        struct rte_ether_addr hop = {{0}};
        struct in_addr addr;

        if (now < r->hop_due_ms) {
            continue;
        }
        if (can_ask && inet_pton(AF_INET, r->ip, &addr) == 1 &&
            !netdev_next_hop_mac(addr.s_addr, &hop)) {
            r->hop_due_ms = now + HOP_KNOWN_MS;
        }
        changed |= !rte_is_same_ether_addr(&hop, &r->hop);
        r->hop = hop;
    }
    return changed;
}

/* --- what is wanted -----------------------------------------------------------------------------
 */

static void __attribute__((format(printf, 3, 4)))
put_flow(struct in_band_flows *flows, int priority, const char *fmt, ...)
{
    struct in_band_flow *f;
    char *text, *error;
    va_list args;

    va_start(args, fmt);
    text = xvasprintf(fmt, args);
    va_end(args);
    flows->flows = xreallocarray(flows->flows, flows->n + 1, sizeof *flows->flows);
    f = &flows->flows[flows->n];
    memset(f, 0, sizeof *f); /* They are compared as bytes. */
    f->priority = priority;
    error = match_parse(&f->match, text, NULL, NULL);
    flows->n += !error;
    free(error);
    free(text);
}

static void
put_remote(struct in_band_flows *flows, const struct in_band_remote *r)
{
    char hop[RTE_ETHER_ADDR_FMT_SIZE];

    if (!rte_is_zero_ether_addr(&r->hop)) {
        snprintf(hop, sizeof hop, "%02x:%02x:%02x:%02x:%02x:%02x", RTE_ETHER_ADDR_BYTES(&r->hop));
        put_flow(flows, PRIORITY_TO_NEXT_HOP_ARP, "arp,dl_dst=%s,arp_op=2", hop);
        put_flow(flows, PRIORITY_FROM_NEXT_HOP_ARP, "arp,dl_src=%s,arp_op=1", hop);
    }
    put_flow(flows, PRIORITY_TO_REMOTE_ARP, "arp,arp_tpa=%s,arp_op=2", r->ip);
    put_flow(flows, PRIORITY_FROM_REMOTE_ARP, "arp,arp_spa=%s,arp_op=1", r->ip);
    put_flow(flows, PRIORITY_TO_REMOTE_TCP, "tcp,nw_dst=%s,tp_dst=%u", r->ip, r->port);
    put_flow(flows, PRIORITY_FROM_REMOTE_TCP, "tcp,nw_src=%s,tp_src=%u", r->ip, r->port);
}

static void
put_local(struct in_band_flows *flows, struct rte_ether_addr mac)
{
    char text[RTE_ETHER_ADDR_FMT_SIZE];

    snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", RTE_ETHER_ADDR_BYTES(&mac));
    put_flow(flows, PRIORITY_FROM_LOCAL_DHCP, "udp,in_port=LOCAL,dl_src=%s,tp_src=68,tp_dst=67",
             text);
    put_flow(flows, PRIORITY_TO_LOCAL_ARP, "arp,dl_dst=%s,arp_op=2", text);
    put_flow(flows, PRIORITY_FROM_LOCAL_ARP, "arp,dl_src=%s,arp_op=1", text);
}

static struct in_band_flows
wanted_flows(const struct in_band *ib, const struct ofproto *p)
{
    struct in_band_flows flows = {.queue = ib->queue};

    for (size_t i = 0; i < ib->n_remotes; i++) {
        put_remote(&flows, &ib->remotes[i]);
    }
    if (flows.n) {
        put_local(&flows, p->mac);
    }
    return flows;
}

/* --- making it so -------------------------------------------------------------------------------
 */

static void
remove_flow(struct flow_txn *txn, const struct in_band_flow *f)
{
    struct ofproto *p = txn->ofproto;
    const struct cls_rule *old =
        cls_find_exactly(p->tables[0].cls, ofproto_version(p), &f->match, f->priority);

    if (old) {
        flow_txn_remove(txn, rule_from_cls(old), OFPRR_DELETE, true);
    }
}

static void
add_flow(struct flow_txn *txn, const struct in_band_flow *f, const struct ofpacts *acts)
{
    flow_txn_add(txn,
                 &(struct rule_new){
                     .priority = f->priority,
                     .match = &f->match,
                     .actions = rule_actions_get(txn->ofproto->all, ofpacts_data(acts), acts->size),
                 });
}

/* The same remote or gateway twice is one flow. */
static bool
is_repeated(const struct in_band_flows *all, size_t i)
{
    const struct in_band_flow *f = &all->flows[i];

    for (size_t j = 0; j < i; j++) {
        if (all->flows[j].priority == f->priority &&
            !memcmp(&all->flows[j].match, &f->match, sizeof f->match)) {
            return true;
        }
    }
    return false;
}

static void
update_flows(struct in_band *ib, struct ofproto *p)
{
    struct in_band_flows wanted = wanted_flows(ib, p), *old = &ib->flows;
    struct ofpacts acts = {0};
    struct flow_txn txn;

    if (wanted.n == old->n &&
        (!old->n || (wanted.queue == old->queue &&
                     !memcmp(wanted.flows, old->flows, old->n * sizeof *old->flows)))) {
        free(wanted.flows);
        return;
    }
    if (wanted.queue >= 0) {
        ofpacts_put_struct(&acts, SET_QUEUE, struct ofpact_queue)->queue_id =
            (uint32_t)wanted.queue;
    }
    ofpacts_put_struct(&acts, OUTPUT, struct ofpact_output)->port = OFPP_NORMAL;
    flow_txn_begin(&txn, p);
    for (size_t i = 0; i < old->n; i++) {
        if (!is_repeated(old, i)) {
            remove_flow(&txn, &old->flows[i]);
        }
    }
    for (size_t i = 0; i < wanted.n; i++) {
        if (!is_repeated(&wanted, i)) {
            add_flow(&txn, &wanted.flows[i], &acts);
        }
    }
    flow_txn_commit(&txn);
    ofpacts_fini(&acts);
    free(old->flows);
    *old = wanted;
}

void
in_band_configure(struct in_band *ib, struct ofproto *p, const struct ofproto_cfg *cfg)
{
    set_remotes(ib, cfg);
    ib->queue = cfg->in_band_queue;
    find_hops(ib, p);
    update_flows(ib, p);
}

void
in_band_run(struct in_band *ib, struct ofproto *p)
{
    if (find_hops(ib, p)) {
        update_flows(ib, p);
    }
}

bool
in_band_is_on(const struct in_band *ib)
{
    return ib->n_remotes > 0;
}
