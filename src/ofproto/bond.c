// SPDX-License-Identifier: Apache-2.0
/*
 * bond.c - members of bonds: links with their delays and the active member (see bond.h;
 * bond_balance.c has the buckets of balanced bonds, bond_teach.c tells neighbours of a change).
 */
#include "ofproto/bond.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "base/log.h"
#include "ofproto/frozen.h"
#include "ofproto/mac_table.h"
#include "ofproto/ofproto_priv.h"

LOG_MODULE(bond);

COVERAGE_DEFINE(rev_bond); /* changes of bonds that flows must follow */
COVERAGE_DEFINE(bond_run); /* logical ports that were looked at, with a bond or without */

enum { LESSONS_PAUSE_MS = 5 }; /* between two parts of them */

/* Who makes a link come and go, a partner too, fills no disk, and hides nothing of other bonds. */
#define bond_log(BOND, ...) log_info_rl(&(BOND)->events, __VA_ARGS__)
static const struct log_rate fresh_events = LOG_RATE_INIT(60, 120);
/* As many as one rebalancing can move. */
static const struct log_rate fresh_moves = LOG_RATE_INIT(BOND_BUCKETS, BOND_BUCKETS);

const char *
bond_mode_name(enum ofproto_bond_mode mode)
{
    switch (mode) {
    case OFPROTO_BOND_ACTIVE_BACKUP:
        return "active-backup";
    case OFPROTO_BOND_SLB:
        return "balance-slb";
    case OFPROTO_BOND_TCP:
        return "balance-tcp";
    }
    return "";
}

/* --- the hash of buckets ------------------------------------------------------------------------
 * MurmurHash3 (32 bit) of the VLAN and the address as one number of 64 bits: bond/hash must answer
 * what operators know from other hosts.
 */

static uint32_t
rotate_left(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

static uint32_t
murmur_add(uint32_t hash, uint32_t word)
{
    hash ^= rotate_left(word * UINT32_C(0xcc9e2d51), 15) * UINT32_C(0x1b873593);
    return rotate_left(hash, 13) * 5 + UINT32_C(0xe6546b64);
}

static uint32_t
murmur_finish(uint32_t hash)
{
    hash = (hash ^ hash >> 16) * UINT32_C(0x85ebca6b);
    hash = (hash ^ hash >> 13) * UINT32_C(0xc2b2ae35);
    return hash ^ hash >> 16;
}

uint32_t
bond_hash_mac(struct rte_ether_addr mac, uint16_t vlan, uint32_t basis)
{
    const uint8_t *m = mac.addr_bytes;
    uint32_t low = (uint32_t)m[2] << 24 | (uint32_t)m[3] << 16 | (uint32_t)m[4] << 8 | m[5];
    uint32_t high = (uint32_t)vlan << 16 | (uint32_t)m[0] << 8 | m[1];

    return murmur_finish(murmur_add(murmur_add(basis, low), high) ^ sizeof(uint64_t));
}

/* --- members ------------------------------------------------------------------------------------
 */

static void
changed(struct ofproto *p)
{
    coverage_inc(rev_bond);
    p->all->bond_seq++;
    ofproto_view_changed(p);
}

void
bond_set_enabled(struct ofproto *p, struct ofbundle *b, struct bond_member *m, bool enabled)
{
    m->delay_ends = BOND_NO_DELAY;
    if (m->enabled == enabled) {
        return;
    }
    m->enabled = enabled;
    b->state->teach |= !enabled;
    bond_log(b->state, "member %s: %s", m->name, enabled ? "enabled" : "disabled");
    changed(p);
}

static int
compare_members(const void *a_, const void *b_)
{
    const struct bond_member *a = a_, *b = b_;

    return strcmp(a->name, b->name);
}

static int
find_port(const struct bond *bond, ofp_port_t port, const char *name)
{
    for (size_t i = 0; i < bond->n_members; i++) {
        if (bond->members[i].port == port && !strcmp(bond->members[i].name, name)) {
            return (int)i;
        }
    }
    return -1;
}

/* Ports of the bundle that exist, in a new array; members that stay keep their state. */
static struct bond_member *
present_members(const struct ofproto *p, const struct ofbundle *b, size_t *n)
{
    struct bond_member *members = xcalloc(b->n_members + 1, sizeof *members);

    *n = 0;
    for (size_t i = 0; i < b->n_members && *n < BOND_MAX_MEMBERS; i++) {
        const struct ofport *port = ofport_find(p, b->members[i]);
        struct bond_member *m = &members[*n];
        int old;

        if (!port) {
            continue;
        }
        old = find_port(b->state, port->ofp_port, port->name);
        *m = old >= 0 ? b->state->members[old]
                      : (struct bond_member){.port = port->ofp_port, .delay_ends = BOND_NO_DELAY};
        m->name = xstrdup(port->name);
        memcpy(&m->mac, port->desc.hw_addr, sizeof m->mac);
        m->has_link =
            !(port->desc.state & OFPPS_LINK_DOWN) && lacp_may_enable(b->lacp, port->ofp_port);
        (*n)++;
    }
    qsort(members, *n, sizeof *members, compare_members);
    return members;
}

static void
free_members(struct bond_member *members, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(members[i].name);
    }
    free(members);
}

static void
sync_members(struct ofproto *p, struct ofbundle *b)
{
    struct bond *bond = b->state;
    uint8_t moved[BOND_NO_MEMBER + 1];
    int active = -1;
    size_t n;
    struct bond_member *members = present_members(p, b, &n);

    memset(moved, BOND_NO_MEMBER, sizeof moved);
    for (size_t i = 0; i < n; i++) {
        int old = find_port(bond, members[i].port, members[i].name);

        if (old >= 0) {
            if (bond->members[old].has_link != members[i].has_link) {
                ofproto_view_changed(p); /* It collects, or does not any more. */
            }
            moved[old] = (uint8_t)i;
            active = old == bond->active ? (int)i : active;
        }
    }
    for (size_t i = 0; i < BOND_BUCKETS; i++) {
        bond->bucket[i] = moved[bond->bucket[i]];
    }
    const struct bond before = *bond;
    bond->members = members;
    bond->n_members = n;
    bond->active = active;
    for (size_t i = 0; i < bond->n_members; i++) {
        struct bond_member *m = &bond->members[i];

        if (find_port(&before, m->port, m->name) < 0) {
            bond_set_enabled(p, b, m, m->has_link); /* A new one waits for no delay. */
        }
    }
    free_members(before.members, before.n_members);
}

/* --- links and delays ---------------------------------------------------------------------------
 */

static void
follow_link(struct ofproto *p, struct ofbundle *b, struct bond_member *m)
{
    bool up = m->has_link;

    if ((up == m->enabled) != (m->delay_ends == BOND_NO_DELAY)) {
        bond_log(b->state, "member %s: link state %s", m->name, up ? "up" : "down");
        if (up == m->enabled) {
            m->delay_ends = BOND_NO_DELAY;
            bond_log(b->state, "member %s: will not be %s", m->name, up ? "disabled" : "enabled");
        } else {
            int delay = up ? b->bond.up_delay_ms : b->bond.down_delay_ms;

            m->delay_ends = clock_now_ms() + delay;
            if (delay) {
                bond_log(b->state, "member %s: will be %s if it stays %s for %d ms", m->name,
                         up ? "enabled" : "disabled", up ? "up" : "down", delay);
            }
        }
    }
    if (clock_now_ms() >= m->delay_ends) {
        bond_set_enabled(p, b, m, up);
    }
}

/* --- the active member --------------------------------------------------------------------------
 */

/* Index of the member that bond-primary names, if it is enabled; -1 else. */
static int
primary(const struct ofbundle *b)
{
    const struct bond *bond = b->state;

    for (size_t i = 0; b->bond_primary && i < bond->n_members; i++) {
        if (bond->members[i].enabled && !strcmp(bond->members[i].name, b->bond_primary) &&
            b->bond.mode == OFPROTO_BOND_ACTIVE_BACKUP) {
            return (int)i;
        }
    }
    return -1;
}

/* The best one: the primary, the one that was it before, any that is enabled, the first that will
 * be.  -1: none. */
static int
choose(const struct ofbundle *b)
{
    const struct bond *bond = b->state;
    int best = primary(b), enabled = -1;

    if (best >= 0) {
        return best;
    }
    for (size_t i = bond->n_members; i-- > 0;) {
        const struct bond_member *m = &bond->members[i];

        if (m->enabled && rte_is_same_ether_addr(&m->mac, &bond->active_mac)) {
            return (int)i;
        }
        enabled = m->enabled ? (int)i : enabled;
        if (m->has_link && m->delay_ends != BOND_NO_DELAY &&
            (best < 0 || m->delay_ends <= bond->members[best].delay_ends)) {
            best = (int)i;
        }
    }
    return enabled >= 0 ? enabled : best;
}

void
bond_set_active(struct ofproto *p, struct ofbundle *b, struct bond_member *m)
{
    struct bond *bond = b->state;
    int64_t left = m->delay_ends - clock_now_ms();

    bond->active = (int)(m - bond->members);
    bond->active_mac = m->mac;
    bond->teach = true;
    if (m->enabled) {
        bond_log(bond, "bond %s: active member is now %s", b->name, m->name);
    } else {
        bond_log(bond,
                 "bond %s: active member is now %s, skipping remaining %d ms updelay (since no "
                 "member was enabled)",
                 b->name, m->name, (int)left);
        bond_set_enabled(p, b, m, true);
    }
    changed(p);
}

static void
choose_active(struct ofproto *p, struct ofbundle *b)
{
    struct bond *bond = b->state;
    int best = primary(b);

    if (bond->active >= 0 && bond->members[bond->active].enabled &&
        (best < 0 || best == bond->active)) {
        return;
    }
    best = choose(b);
    if (best >= 0) {
        bond_set_active(p, b, &bond->members[best]);
    } else if (bond->active >= 0 || !rte_is_zero_ether_addr(&bond->active_mac)) {
        bond->active = -1;
        bond->active_mac = (struct rte_ether_addr){{0}};
        bond_log(bond, "bond %s: all members disabled", b->name);
        changed(p);
    }
}

/* --- all of it ----------------------------------------------------------------------------------
 */

static struct bond *
bond_create(const struct ofbundle *b)
{
    struct bond *bond = xzalloc(sizeof *bond);

    bond->active = -1;
    bond->active_mac = b->bond.active_mac;
    bond->events = fresh_events;
    bond->moves = fresh_moves;
    bond->loads = bond_loads_ref(xzalloc(sizeof *bond->loads));
    memset(bond->bucket, BOND_NO_MEMBER, sizeof bond->bucket);
    return bond;
}

void
bond_log_all(struct bond *bond)
{
    bond->events.last_fill_ms = 0; /* the state in which a bucket is filled to the brim */
}

struct bond_loads *
bond_loads_ref(struct bond_loads *loads)
{
    atomic_fetch_add_explicit(&loads->n_refs, 1, memory_order_relaxed);
    return loads;
}

void
bond_loads_unref(struct bond_loads *loads)
{
    if (loads && atomic_fetch_sub_explicit(&loads->n_refs, 1, memory_order_acq_rel) == 1) {
        free(loads);
    }
}

static void
drop_recirc(struct bond *bond)
{
    bond_lb_stop(bond);
    frozen_unref(bond->recirc);
    bond->recirc = NULL;
}

void
bond_destroy(struct bond *bond)
{
    if (bond) {
        free_members(bond->members, bond->n_members);
        free(bond->lessons);
        bond_loads_unref(bond->loads);
        drop_recirc(bond);
        free(bond);
    }
}

uint32_t
bond_recirc_id(const struct bond *bond)
{
    return bond->recirc ? bond->recirc->id : 0;
}

/* A balanced bond has one recirculation for all packets that it sends, as long as it lives. */
static void
take_recirc(struct ofproto *p, const struct ofbundle *b)
{
    struct bond *bond = b->state;
    struct flow none = {.ofp_in_port = OFPP_NONE, .actset_output = OFPP_UNSET};
    struct frozen_state s = {.ofproto = p, .macs = p->mac_table, .bundle = b->id};

    if (bond->recirc) {
        return;
    }
    memcpy(s.pipeline, &none.w[FLOW_KEY_WORDS], sizeof s.pipeline);
    bond->recirc = frozen_get(p->all->frozens, FROZEN_NO_PORT, &s);
    if (bond->recirc) {
        ofproto_view_changed(p);
    }
}

void
bond_run(struct ofproto *p, struct ofbundle *b)
{
    uint64_t seq = p->all->bond_seq;
    struct bond *bond = b->state;
    bool is_new = !bond;

    if (!b->cfg.bond) {
        bond_destroy(bond);
        b->state = NULL;
        return;
    }
    if (!bond) {
        bond = b->state = bond_create(b);
    }
    if (b->bond.mode == OFPROTO_BOND_ACTIVE_BACKUP) {
        drop_recirc(bond);
    } else {
        if (is_new || b->bond.mode != bond->mode) {
            bond->next_rebalance = clock_now_ms() + MAX(b->bond.rebalance_ms, 0);
            seq--; /* The buckets were not looked after. */
        }
        take_recirc(p, b);
    }
    bond->mode = b->bond.mode;
    bond->next_rebalance = MIN(bond->next_rebalance, clock_now_ms() + MAX(b->bond.rebalance_ms, 0));
    sync_members(p, b);
    for (size_t i = 0; i < bond->n_members; i++) {
        follow_link(p, b, &bond->members[i]);
    }
    choose_active(p, b);
    if (seq != p->all->bond_seq) {
        bond_spread(bond);
    }
}

/* Moves load between members when it is time to. */
static void
rebalance(struct ofproto *p, struct ofbundle *b)
{
    struct bond *bond = b->state;

    if (!bond_is_rebalanced(b) || clock_now_ms() < bond->next_rebalance) {
        return;
    }
    bond->next_rebalance = clock_now_ms() + b->bond.rebalance_ms;
    bond_lb_take(bond);
    if (!bond_rebalance(bond, b->name)) {
        return;
    }
    if (bond_lb_id(b)) {
        bond_lb_sync(p, b);
    } else {
        ofproto_view_changed(p);
    }
}

static int64_t
next_delay(const struct ofbundle *b, int64_t until)
{
    const struct bond *bond = b->state;

    if (bond_is_rebalanced(b)) {
        until = MIN(until, bond->next_rebalance);
    }
    for (size_t i = 0; i < bond->n_members; i++) {
        until = MIN(until, bond->members[i].delay_ends);
    }
    return until;
}

/* What links, partners and time bring about. */
static void
run_machines(struct ofproto *p, struct ofbundle *b)
{
    coverage_inc(bond_run);
    bundle_lacp_run(p, b);
    if (b->cfg.bond || b->state) {
        bond_run(p, b);
    }
    if (b->state) {
        rebalance(p, b);
    }
}

/* Sends what is due; returns when to run again. */
static int64_t
speak(struct ofproto *p, struct ofbundle *b)
{
    int64_t until = bundle_lacp_send(p, b);

    if (b->state) {
        if (bond_teach(p, b)) {
            until = MIN(until, clock_now_ms() + LESSONS_PAUSE_MS);
        }
        until = next_delay(b, until);
    }
    return until;
}

static void
timer_rings(void *all)
{
    bonds_run(all);
}

static void
wait_until(struct ofprotos *all, int64_t until)
{
    all->bonds_due_ms = until;
    if (until == BOND_NO_DELAY) {
        loop_timer_stop(&all->bond_timer);
    } else {
        loop_timer_once(&all->bond_timer, all->loop, MAX(until - clock_now_ms(), (int64_t)0),
                        timer_rings, all);
    }
}

void
bonds_run(struct ofprotos *all)
{
    int64_t until = BOND_NO_DELAY;

    for (struct ofproto *p = all->by_name; p; p = p->hh.next) {
        for (struct ofbundle *b = p->bundles; b; b = b->next) {
            run_machines(p, b);
        }
        ofproto_commit(p);
        for (struct ofbundle *b = p->bundles; b; b = b->next) {
            until = MIN(until, speak(p, b));
        }
    }
    wait_until(all, until);
}

void
bundle_run(struct ofproto *p, struct ofbundle *b)
{
    int64_t until;

    run_machines(p, b);
    ofproto_commit(p);
    until = speak(p, b);
    if (until < p->all->bonds_due_ms) {
        wait_until(p->all, until); /* Else it rings in time as it is. */
    }
}

void
bonds_stop(struct ofprotos *all)
{
    loop_timer_stop(&all->bond_timer);
}

bool
ofproto_bond_active_mac(const struct ofproto *p, const char *name, struct rte_ether_addr *mac)
{
    for (const struct ofbundle *b = p->bundles; b; b = b->next) {
        if (b->state && !strcmp(b->name, name)) {
            *mac = b->state->active_mac;
            return true;
        }
    }
    return false;
}

uint64_t
ofprotos_bond_seq(const struct ofprotos *all)
{
    return all->bond_seq;
}
