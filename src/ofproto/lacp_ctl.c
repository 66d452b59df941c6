// SPDX-License-Identifier: Apache-2.0
/*
 * lacp_ctl.c - lacp/show and lacp/show-stats for ovs-appctl.  Main thread.
 */
#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "ofproto/bond.h"
#include "ofproto/ofproto_priv.h"
#include "rpc/unixctl.h"

static void
put_info(struct str *s, const char *who, const struct lacp_info *info)
{
    static const char *const states[] = {
        "activity",   "timeout",      "aggregation", "synchronized",
        "collecting", "distributing", "defaulted",   "expired",
    };

    str_printf(s, "\n  %s sys_id: ", who);
    str_put_eth(s, info->sys_id.addr_bytes);
    str_printf(s, "\n  %s sys_priority: %u\n", who, info->sys_priority);
    str_printf(s, "  %s port_id: %u\n", who, info->port_id);
    str_printf(s, "  %s port_priority: %u\n", who, info->port_priority);
    str_printf(s, "  %s key: %u\n", who, info->key);
    str_printf(s, "  %s state:", who);
    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        if (info->state & 1u << i) {
            str_printf(s, " %s", states[i]);
        }
    }
    str_putc(s, '\n');
}

static void
put_member(struct str *s, const struct lacp *lacp, const struct lacp_member *m)
{
    static const char *const words[] = {
        [LACP_MEMBER_DEFAULTED] = "defaulted",
        [LACP_MEMBER_EXPIRED] = "expired",
        [LACP_MEMBER_CURRENT] = "current",
    };
    const struct lacp_info actor = lacp_actor(lacp, m);

    str_printf(s, "\nmember: %s: %s %s\n", m->name, words[m->status],
               m->attached ? "attached" : "detached");
    str_printf(s, "  port_id: %u\n", m->cfg.port_id);
    str_printf(s, "  port_priority: %u\n", m->cfg.port_priority);
    str_printf(s, "  may_enable: %s\n", lacp_may_enable(lacp, m->port) ? "true" : "false");
    put_info(s, "actor", &actor);
    put_info(s, "partner", &m->partner);
}

static void
put_counts(struct str *s, const struct lacp *lacp, const struct lacp_member *m)
{
    const struct lacp_counts *c = &m->counts;

    (void)lacp;
    str_printf(s, "\nmember: %s:\n", m->name);
    str_printf(s, "  TX PDUs: %" PRIu64 "\n  RX PDUs: %" PRIu64 "\n", c->tx, c->rx);
    str_printf(s, "  RX Bad PDUs: %" PRIu64 "\n", c->rx_bad);
    str_printf(s, "  RX Marker Request PDUs: %" PRIu64 "\n", c->rx_marker);
    str_printf(s, "  Link Expired: %" PRIu64 "\n", c->expired);
    str_printf(s, "  Link Defaulted: %" PRIu64 "\n", c->defaulted);
    str_printf(s, "  Carrier Status Changed: %" PRIu64 "\n", c->carrier);
}

typedef void put_member_fn(struct str *, const struct lacp *, const struct lacp_member *);

/* In the order of their names. */
static void
put_members(struct str *s, const struct lacp *lacp, put_member_fn *put)
{
    const struct lacp_member *last = NULL;

    for (size_t n = 0; n < lacp->n_members; n++) {
        const struct lacp_member *next = NULL;

        for (size_t i = 0; i < lacp->n_members; i++) {
            const struct lacp_member *m = &lacp->members[i];

            if ((!last || strcmp(m->name, last->name) > 0) &&
                (!next || strcmp(m->name, next->name) < 0)) {
                next = m;
            }
        }
        if (!next) {
            break;
        }
        put(s, lacp, next);
        last = next;
    }
}

static void
put_lacp(struct str *s, const struct ofbundle *b)
{
    const struct lacp *lacp = b->lacp;

    str_printf(s, "---- %s ----\n", b->name);
    str_printf(s, "  status: %s%s\n", lacp->cfg.active ? "active" : "passive",
               lacp->negotiated ? " negotiated" : "");
    str_put(s, "  sys_id: ");
    str_put_eth(s, lacp->cfg.sys_id.addr_bytes);
    str_printf(s, "\n  sys_priority: %u\n", lacp->cfg.sys_priority);
    str_put(s, "  aggregation key: ");
    if (lacp->n_members) {
        str_printf(s, "%u\n", lacp_key(lacp));
    } else {
        str_put(s, "none\n");
    }
    str_printf(s, "  lacp_time: %s\n", lacp->cfg.fast ? "fast" : "slow");
    put_members(s, lacp, put_member);
}

static void
put_stats(struct str *s, const struct ofbundle *b)
{
    str_printf(s, "---- %s statistics ----\n", b->name);
    put_members(s, b->lacp, put_counts);
}

static void
show_with(struct unixctl_conn *conn, const char *name, struct ofprotos *all,
          void (*put)(struct str *, const struct ofbundle *))
{
    struct str s = STR_INIT;
    bool found = false;

    for (struct ofproto *p = all->by_name; p; p = p->hh.next) {
        for (struct ofbundle *b = p->bundles; b; b = b->next) {
            if (b->lacp && (!name || !strcmp(b->name, name))) {
                put(&s, b);
                found = true;
            }
        }
    }
    if (name && !found) {
        unixctl_reply_error(conn, "no such lacp object");
    } else {
        unixctl_reply(conn, found ? str_cstr(&s) : NULL);
    }
    str_free(&s);
}

static void
lacp_show(struct unixctl_conn *conn, int argc, const char *argv[], void *all)
{
    show_with(conn, argc > 1 ? argv[1] : NULL, all, put_lacp);
}

static void
lacp_show_stats(struct unixctl_conn *conn, int argc, const char *argv[], void *all)
{
    show_with(conn, argc > 1 ? argv[1] : NULL, all, put_stats);
}

void
lacp_ctl_init(struct ofprotos *all)
{
    unixctl_register("lacp/show", "[port]", 0, 1, lacp_show, all);
    unixctl_register("lacp/show-stats", "[port]", 0, 1, lacp_show_stats, all);
}
