// SPDX-License-Identifier: Apache-2.0
/*
 * in_band.c - controllers that are reached through the bridge itself (connection_mode=in-band, the
 * default, and disable-in-band of ovs-vswitchd.conf.db(5)): hidden flows above all others, so that
 * the tables that a controller writes, or has not written yet, cannot cut it off.
 *
 * Main thread.  Flows are made anew when the set of remotes, the bridge's address or the queue
 * moves.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "flow/match.h"
#include "ofproto/ofconn.h"
#include "openflow/ofp_text.h"

/* As other hosts show them in bridge/dump-flows. */
enum {
    PRIORITY_FROM_LOCAL_DHCP = 180000,
    PRIORITY_TO_LOCAL_ARP = 180001,
    PRIORITY_FROM_LOCAL_ARP = 180002,
    PRIORITY_TO_REMOTE_ARP = 180005,
    PRIORITY_FROM_REMOTE_ARP = 180006,
    PRIORITY_TO_REMOTE_TCP = 180007,
    PRIORITY_FROM_REMOTE_TCP = 180008,
    OPENFLOW_PORT = 6653,
    OVSDB_PORT = 6640,
};

struct in_band_flow {
    int priority;
    struct match match;
};

struct in_band {
    struct in_band_flow *flows;
    size_t n;
    int queue;
};

struct in_band *
in_band_create(void)
{
    struct in_band *ib = xzalloc(sizeof *ib);

    ib->queue = -1;
    return ib;
}

void
in_band_destroy(struct in_band *ib)
{
    if (ib) {
        free(ib->flows);
        free(ib);
    }
}

/* --- what is wanted -----------------------------------------------------------------------------
 */

static void __attribute__((format(printf, 3, 4)))
put_flow(struct in_band *ib, int priority, const char *fmt, ...)
{
    struct in_band_flow *f;
    char *text, *error;
    va_list args;

    va_start(args, fmt);
    text = xvasprintf(fmt, args);
    va_end(args);
    ib->flows = xreallocarray(ib->flows, ib->n + 1, sizeof *ib->flows);
    f = &ib->flows[ib->n];
    memset(f, 0, sizeof *f); /* They are compared as bytes. */
    f->priority = priority;
    error = match_parse(&f->match, text, NULL, NULL);
    ib->n += !error;
    free(error);
    free(text);
}

/* "tcp:1.2.3.4:6653" and the like; false for names, IPv6 and sockets that are not remote. */
static bool
parse_remote(const char *target, uint16_t default_port, char ip[INET_ADDRSTRLEN], unsigned *port)
{
    const char *s = target + 4, *colon;
    struct in_addr addr;
    size_t len;

    if (strncmp(target, "tcp:", 4) && strncmp(target, "ssl:", 4)) {
        return false;
    }
    colon = strchr(s, ':');
    len = colon ? (size_t)(colon - s) : strlen(s);
    if (len >= INET_ADDRSTRLEN) {
        return false;
    }
    memcpy(ip, s, len);
    ip[len] = '\0';
    *port = default_port;
    if (colon) {
        char *end;
        unsigned long n = strtoul(colon + 1, &end, 10);

        if (end == colon + 1 || *end || !n || n > UINT16_MAX) {
            return false;
        }
        *port = (unsigned)n;
    }
    return inet_pton(AF_INET, ip, &addr) == 1;
}

static void
put_remote(struct in_band *ib, const char *target, uint16_t default_port)
{
    char ip[INET_ADDRSTRLEN];
    unsigned port;

    if (parse_remote(target, default_port, ip, &port)) {
        put_flow(ib, PRIORITY_TO_REMOTE_ARP, "arp,arp_tpa=%s,arp_op=2", ip);
        put_flow(ib, PRIORITY_FROM_REMOTE_ARP, "arp,arp_spa=%s,arp_op=1", ip);
        put_flow(ib, PRIORITY_TO_REMOTE_TCP, "tcp,nw_dst=%s,tp_dst=%u", ip, port);
        put_flow(ib, PRIORITY_FROM_REMOTE_TCP, "tcp,nw_src=%s,tp_src=%u", ip, port);
    }
}

static void
put_local(struct in_band *ib, struct rte_ether_addr mac)
{
    char text[RTE_ETHER_ADDR_FMT_SIZE];

    snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", RTE_ETHER_ADDR_BYTES(&mac));
    put_flow(ib, PRIORITY_FROM_LOCAL_DHCP, "udp,in_port=LOCAL,dl_src=%s,tp_src=68,tp_dst=67", text);
    put_flow(ib, PRIORITY_TO_LOCAL_ARP, "arp,dl_dst=%s,arp_op=2", text);
    put_flow(ib, PRIORITY_FROM_LOCAL_ARP, "arp,dl_src=%s,arp_op=1", text);
}

static void
put_wanted(struct in_band *ib, const struct ofproto *p, const struct ofproto_cfg *cfg)
{
    ib->queue = cfg->in_band_queue;
    for (size_t i = 0; !cfg->disable_in_band && i < cfg->n_controllers; i++) {
        const struct ofproto_controller_cfg *c = &cfg->controllers[i];

        if (c->band == OFPROTO_IN_BAND) {
            put_remote(ib, c->target, OPENFLOW_PORT);
        }
    }
    for (size_t i = 0; !cfg->disable_in_band && i < cfg->n_managers; i++) {
        put_remote(ib, cfg->managers[i], OVSDB_PORT);
    }
    if (ib->n) {
        put_local(ib, p->mac);
    }
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

/* The same remote twice is one flow. */
static bool
is_repeated(const struct in_band *ib, size_t i)
{
    for (size_t j = 0; j < i; j++) {
        if (ib->flows[j].priority == ib->flows[i].priority &&
            !memcmp(&ib->flows[j].match, &ib->flows[i].match, sizeof ib->flows[i].match)) {
            return true;
        }
    }
    return false;
}

void
in_band_configure(struct in_band *ib, struct ofproto *p, const struct ofproto_cfg *cfg)
{
    struct in_band wanted = {0};
    struct ofpacts acts = {0};
    struct flow_txn txn;

    put_wanted(&wanted, p, cfg);
    if (wanted.n == ib->n &&
        (!ib->n || (wanted.queue == ib->queue &&
                    !memcmp(wanted.flows, ib->flows, ib->n * sizeof *ib->flows)))) {
        free(wanted.flows);
        return;
    }
    if (wanted.queue >= 0) {
        ofpacts_put_struct(&acts, SET_QUEUE, struct ofpact_queue)->queue_id =
            (uint32_t)wanted.queue;
    }
    ofpacts_put_struct(&acts, OUTPUT, struct ofpact_output)->port = OFPP_NORMAL;
    flow_txn_begin(&txn, p);
    for (size_t i = 0; i < ib->n; i++) {
        if (!is_repeated(ib, i)) {
            remove_flow(&txn, &ib->flows[i]);
        }
    }
    for (size_t i = 0; i < wanted.n; i++) {
        if (!is_repeated(&wanted, i)) {
            add_flow(&txn, &wanted.flows[i], &acts);
        }
    }
    flow_txn_commit(&txn);
    ofpacts_fini(&acts);
    free(ib->flows);
    *ib = wanted;
}
