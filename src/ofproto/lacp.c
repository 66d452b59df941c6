// SPDX-License-Identifier: Apache-2.0
/*
 * lacp.c - the states of links and of the aggregation (see lacp.h).
 *
 * The receive machine of 6.4.12 with three states: current, expired (heard nothing in time: three
 * more seconds), defaulted.  In place of the selection and mux machines there is one rule: the
 * aggregation is that of the best link with a partner, and all links with the same partner and key
 * are attached to it.
 */
#include "ofproto/lacp.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"

LOG_MODULE(lacp);

struct lacp *
lacp_create(void)
{
    return xzalloc(sizeof(struct lacp));
}

void
lacp_destroy(struct lacp *lacp)
{
    if (lacp) {
        lacp_keep_members(lacp, NULL, 0);
        free(lacp->members);
        free(lacp);
    }
}

void
lacp_configure(struct lacp *lacp, const struct lacp_cfg *cfg)
{
    lacp->cfg = *cfg;
}

/* --- members ------------------------------------------------------------------------------------
 */

static struct lacp_member *
find(const struct lacp *lacp, ofp_port_t port)
{
    for (size_t i = 0; i < lacp->n_members; i++) {
        if (lacp->members[i].port == port) {
            return &lacp->members[i];
        }
    }
    return NULL;
}

const struct lacp_member *
lacp_member(const struct lacp *lacp, ofp_port_t port)
{
    return lacp ? find(lacp, port) : NULL;
}

static void
set_status(struct lacp *lacp, struct lacp_member *m, enum lacp_member_status status)
{
    lacp->status_seq += (m->status == LACP_MEMBER_DEFAULTED) != (status == LACP_MEMBER_DEFAULTED);
    m->status = status;
}

static void
set_defaulted(struct lacp *lacp, struct lacp_member *m)
{
    m->partner = (struct lacp_info){0};
    m->rx_ends = LACP_NEVER;
    set_status(lacp, m, LACP_MEMBER_DEFAULTED);
}

/* The partner is asked to hurry. */
static void
set_expired(struct lacp *lacp, struct lacp_member *m, int64_t now)
{
    m->partner.state |= LACP_STATE_TIMEOUT;
    m->partner.state &= (uint8_t)~LACP_STATE_SYNC;
    m->rx_ends = now + LACP_LOST * LACP_FAST_MS;
    set_status(lacp, m, LACP_MEMBER_EXPIRED);
}

void
lacp_put_member(struct lacp *lacp, ofp_port_t port, const char *name,
                const struct lacp_member_cfg *cfg, int64_t now)
{
    struct lacp_member *m = find(lacp, port);

    if (!m) {
        lacp->members = xreallocarray(lacp->members, lacp->n_members + 1, sizeof *lacp->members);
        m = &lacp->members[lacp->n_members++];
        *m = (struct lacp_member){.port = port, .rx_ends = LACP_NEVER, .tx_next = now};
        lacp->key_port = lacp->n_members == 1 ? port : lacp->key_port;
        lacp->seq++;
    } else if (m->cfg.port_id == cfg->port_id && m->cfg.port_priority == cfg->port_priority &&
               m->cfg.key == cfg->key && !strcmp(m->name, name)) {
        return;
    }
    free(m->name);
    m->name = xstrdup(name);
    m->cfg = *cfg;
    if (lacp->cfg.active || lacp->negotiated) {
        set_expired(lacp, m, now);
    }
}

void
lacp_keep_members(struct lacp *lacp, const ofp_port_t *ports, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < lacp->n_members; i++) {
        struct lacp_member *m = &lacp->members[i];
        bool keep = false;

        for (size_t j = 0; j < n; j++) {
            keep |= ports[j] == m->port;
        }
        if (keep) {
            lacp->members[kept++] = *m;
        } else {
            free(m->name);
            lacp->seq++;
        }
    }
    lacp->n_members = kept;
    if (kept && !find(lacp, lacp->key_port)) {
        lacp->key_port = lacp->members[0].port;
    }
}

/* --- what a member says -------------------------------------------------------------------------
 */

uint16_t
lacp_key(const struct lacp *lacp)
{
    const struct lacp_member *m = find(lacp, lacp->key_port);

    return !m ? 0 : m->cfg.key ? m->cfg.key : m->cfg.port_id;
}

struct lacp_info
lacp_actor(const struct lacp *lacp, const struct lacp_member *m)
{
    unsigned state = 0;

    state |= lacp->cfg.active ? LACP_STATE_ACTIVITY : 0;
    state |= lacp->cfg.fast ? LACP_STATE_TIMEOUT : 0;
    state |= lacp->n_members > 1 ? LACP_STATE_AGGREGATION : 0;
    state |= m->attached ? LACP_STATE_SYNC : 0;
    state |= m->attached || !lacp->negotiated ? LACP_STATE_COLLECTING | LACP_STATE_DISTRIBUTING : 0;
    state |= m->status == LACP_MEMBER_DEFAULTED ? LACP_STATE_DEFAULTED : 0;
    state |= m->status == LACP_MEMBER_EXPIRED ? LACP_STATE_EXPIRED : 0;
    return (struct lacp_info){
        .sys_priority = lacp->cfg.sys_priority,
        .sys_id = lacp->cfg.sys_id,
        .key = lacp_key(lacp),
        .port_priority = m->cfg.port_priority,
        .port_id = m->cfg.port_id,
        .state = (uint8_t)state,
    };
}

/* --- the aggregation ----------------------------------------------------------------------------
 */

static int
compare16(uint16_t a, uint16_t b)
{
    return a < b ? -1 : a > b;
}

static int
compare_systems(const struct lacp_info *a, const struct lacp_info *b)
{
    int diff = compare16(a->sys_priority, b->sys_priority);

    return diff ? diff : memcmp(&a->sys_id, &b->sys_id, sizeof a->sys_id);
}

/* Whether link 'a' is better than 'b': so says the system of higher priority (lower number) of each
 * link's two, by its port's priority and number. */
static bool
is_better(const struct lacp *lacp, const struct lacp_member *a, const struct lacp_member *b)
{
    const struct lacp_info actor_a = lacp_actor(lacp, a), actor_b = lacp_actor(lacp, b);
    const struct lacp_info *x = compare_systems(&actor_a, &a->partner) < 0 ? &actor_a : &a->partner;
    const struct lacp_info *y = compare_systems(&actor_b, &b->partner) < 0 ? &actor_b : &b->partner;
    int diff = compare_systems(x, y);

    diff = diff ? diff : compare16(x->port_priority, y->port_priority);
    return (diff ? diff : compare16(x->port_id, y->port_id)) < 0;
}

static bool
is_looped(const struct lacp *lacp, struct lacp_member *m)
{
    static struct log_rate rl = LOG_RATE_INIT(1, 5);
    bool looped = rte_is_same_ether_addr(&m->partner.sys_id, &lacp->cfg.sys_id);

    if (looped && !m->looped) {
        log_warn_rl(&rl, "member %s: Loopback detected. Interface is connected to its own bond",
                    m->name);
    }
    m->looped = looped;
    return looped;
}

/* How much speaks for a link before its priority does: its partner agrees; and it is in use. */
static int
rank(const struct lacp_member *m)
{
    bool agrees = m->partner.state & LACP_STATE_SYNC;

    return agrees + (agrees && m->attached && m->status == LACP_MEMBER_CURRENT);
}

/* The link whose partner is the aggregation's.  One that works is not given up for a better one:
 * links that come and go must not move all others.  One whose partner takes it out of service must
 * not keep the others out. */
static const struct lacp_member *
choose_lead(struct lacp *lacp)
{
    const struct lacp_member *lead = NULL;
    int lead_rank = 0;

    for (size_t i = 0; i < lacp->n_members; i++) {
        struct lacp_member *m = &lacp->members[i];
        int r = rank(m);

        if (is_looped(lacp, m) || m->status == LACP_MEMBER_DEFAULTED) {
            continue;
        }
        if (!lead || r > lead_rank || (r == lead_rank && is_better(lacp, m, lead))) {
            lead = m;
            lead_rank = r;
        }
    }
    return lead;
}

static bool
may_enable(const struct lacp *lacp, const struct lacp_member *m)
{
    return m->attached && (m->partner.state & LACP_STATE_SYNC ||
                           (lacp->cfg.fallback_ab && m->status == LACP_MEMBER_DEFAULTED));
}

static void
attach(struct lacp *lacp)
{
    const struct lacp_member *lead = choose_lead(lacp);

    lacp->seq += lacp->negotiated != (lead != NULL);
    lacp->negotiated = lead != NULL;
    for (size_t i = 0; i < lacp->n_members; i++) {
        struct lacp_member *m = &lacp->members[i];
        bool attached;

        if (!lead) {
            attached = lacp->cfg.fallback_ab && !m->looped;
        } else {
            attached = m->status != LACP_MEMBER_DEFAULTED && !m->looped &&
                       m->partner.key == lead->partner.key &&
                       rte_is_same_ether_addr(&m->partner.sys_id, &lead->partner.sys_id);
        }
        m->attached = attached;
        lacp->seq += m->may_enable != may_enable(lacp, m);
        m->may_enable = may_enable(lacp, m);
    }
}

void
lacp_run(struct lacp *lacp, int64_t now)
{
    for (size_t i = 0; i < lacp->n_members; i++) {
        struct lacp_member *m = &lacp->members[i];

        if (now < m->rx_ends) {
            continue;
        }
        if (m->status == LACP_MEMBER_CURRENT) {
            set_expired(lacp, m, now);
            m->counts.expired++;
        } else {
            set_defaulted(lacp, m);
            m->counts.defaulted++;
        }
    }
    attach(lacp);
}

/* --- links and PDUs -----------------------------------------------------------------------------
 */

void
lacp_carrier_changed(struct lacp *lacp, ofp_port_t port, int64_t now)
{
    struct lacp_member *m = find(lacp, port);

    if (m) {
        if (m->status == LACP_MEMBER_CURRENT || lacp->cfg.active) {
            set_expired(lacp, m, now);
        }
        m->counts.carrier++;
    }
}

void
lacp_receive(struct lacp *lacp, ofp_port_t port, const void *data, size_t len, int64_t now)
{
    struct lacp_member *m = find(lacp, port);
    struct lacp_pdu pdu;

    if (!m) {
        return;
    }
    m->counts.rx++;
    switch (lacp_pdu_decode(data, len, &pdu)) {
    case LACP_PDU_LACP:
        break;
    case LACP_PDU_MARKER:
        m->counts.rx_marker++;
        return;
    case LACP_PDU_BAD:
        m->counts.rx_bad++;
        return;
    }
    m->rx_ends = now + LACP_LOST * (lacp->cfg.fast ? LACP_FAST_MS : LACP_SLOW_MS);
    m->known = pdu.partner;
    m->partner = pdu.actor;
    set_status(lacp, m, LACP_MEMBER_CURRENT);
}

/* Whether the partner would learn something that it acts upon. */
static bool
is_news(const struct lacp_info *actor, const struct lacp_info *known)
{
    enum {
        STATES = LACP_STATE_ACTIVITY | LACP_STATE_TIMEOUT | LACP_STATE_SYNC | LACP_STATE_AGGREGATION
    };
    struct lacp_info a = *actor, k = *known;

    a.state &= STATES;
    k.state &= STATES;
    return !lacp_info_equal(&a, &k);
}

static bool
may_speak(const struct lacp *lacp, const struct lacp_member *m)
{
    return lacp->cfg.active || m->status != LACP_MEMBER_DEFAULTED;
}

bool
lacp_next_pdu(struct lacp *lacp, int64_t now, ofp_port_t *port, uint8_t bytes[static LACP_PDU_SIZE])
{
    for (size_t i = 0; i < lacp->n_members; i++) {
        struct lacp_member *m = &lacp->members[i];
        struct lacp_pdu pdu = {lacp_actor(lacp, m), m->partner};

        if (!may_speak(lacp, m) || (now < m->tx_next && !is_news(&pdu.actor, &m->known))) {
            continue;
        }
        m->known = pdu.actor;
        m->tx_next = now + (m->partner.state & LACP_STATE_TIMEOUT ? LACP_FAST_MS : LACP_SLOW_MS);
        m->counts.tx++;
        lacp_pdu_encode(&pdu, bytes);
        *port = m->port;
        return true;
    }
    return false;
}

int64_t
lacp_next_event(const struct lacp *lacp)
{
    int64_t next = LACP_NEVER;

    for (size_t i = 0; i < lacp->n_members; i++) {
        const struct lacp_member *m = &lacp->members[i];

        next = MIN(next, m->rx_ends);
        next = may_speak(lacp, m) ? MIN(next, m->tx_next) : next;
    }
    return next;
}

/* --- questions ----------------------------------------------------------------------------------
 */

enum lacp_status
lacp_status(const struct lacp *lacp)
{
    return !lacp ? LACP_OFF : lacp->negotiated ? LACP_NEGOTIATED : LACP_CONFIGURED;
}

bool
lacp_may_enable(const struct lacp *lacp, ofp_port_t port)
{
    const struct lacp_member *m = lacp ? find(lacp, port) : NULL;

    return !lacp || (m && may_enable(lacp, m));
}
