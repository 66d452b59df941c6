// SPDX-License-Identifier: Apache-2.0
/*
 * bond_lb.c - bonds that the datapath balances by itself (Port.other_config:lb-output-action of a
 * balance-tcp bond): it has their buckets, and megaflows say lb_output(id) and no more.  A bucket
 * that moves to another member concerns no megaflow.  Main thread.
 *
 * The bond's number is that of its recirculation.  Megaflows that say so outlive the wish, and
 * packets on their way outlive these: the datapath keeps the buckets until its flows follow, and
 * LEAVE_MS longer.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ofproto/bond.h"
#include "ofproto/frozen.h"
#include "ofproto/ofproto_priv.h"

enum { LEAVE_MS = 1000 };

/* Buckets that nobody is to be sent to any more. */
struct bond_lb_leaving {
    struct bond_lb_leaving *next;
    struct ofprotos *all;
    struct frozen *recirc; /* a reference: nobody else gets its number */
    bool waits;            /* was asked for: the flows are to follow */
    bool stays;            /* a bond has the number again */
    int64_t ends_ms;       /* clock_now_ms(); INT64_MAX: there may be flows */
};

static bool
is_wished(const struct ofbundle *b)
{
    return b->bond.lb_output && b->bond.mode == OFPROTO_BOND_TCP;
}

uint32_t
bond_lb_id(const struct ofbundle *b)
{
    const struct bond *bond = b->state;

    return bond && bond->lb_all && is_wished(b) ? bond->recirc->id : 0;
}

/* The buckets may be there still, of a wish that was taken back. */
static void
start(struct bond *bond, struct ofprotos *all)
{
    bond->lb_all = all;
    dp_bond_get_bytes(all->dp, bond->recirc->id, bond->lb_taken);
    for (struct bond_lb_leaving *l = all->lb_leaving; l; l = l->next) {
        l->stays |= l->recirc == bond->recirc;
    }
}

void
bond_lb_sync(const struct ofproto *p, struct ofbundle *b)
{
    struct bond *bond = b->state;
    struct dp_bond_config cfg;

    if (!bond || !bond->recirc || !p->all->dp) {
        return;
    }
    if (!is_wished(b)) {
        bond_lb_stop(bond);
        return;
    }
    if (!bond->lb_all) {
        start(bond, p->all);
    }
    cfg.id = bond->recirc->id;
    cfg.hash_basis = (uint32_t)b->bond.hash_basis;
    for (size_t i = 0; i < BOND_BUCKETS; i++) {
        const struct ofport *port = bond->bucket[i] < bond->n_members
                                        ? ofport_find(p, bond->members[bond->bucket[i]].port)
                                        : NULL;

        cfg.ports[i] = port ? port->odp_port : ODPP_NONE;
    }
    dp_bond_set(p->all->dp, &cfg);
}

void
bond_lb_take(struct bond *bond)
{
    uint64_t bytes[BOND_BUCKETS];

    _Static_assert((int)BOND_BUCKETS == (int)DP_BOND_BUCKETS, "the datapath's buckets are ours");
    if (!bond->lb_all || !dp_bond_get_bytes(bond->lb_all->dp, bond->recirc->id, bytes)) {
        return;
    }
    for (size_t i = 0; i < BOND_BUCKETS; i++) {
        atomic_fetch_add_explicit(&bond->loads->bytes[i], bytes[i] - bond->lb_taken[i],
                                  memory_order_relaxed);
        bond->lb_taken[i] = bytes[i];
    }
}

/* --- leaving ------------------------------------------------------------------------------------
 */

void
bond_lb_stop(struct bond *bond)
{
    struct ofprotos *all = bond->lb_all;
    struct bond_lb_leaving *l;

    if (!all) {
        return;
    }
    bond_lb_take(bond);
    bond->lb_all = NULL;
    dp_bond_hide(all->dp, bond->recirc->id);
    l = xzalloc(sizeof *l);
    l->all = all;
    l->recirc = frozen_ref(bond->recirc);
    l->ends_ms = INT64_MAX;
    l->next = all->lb_leaving;
    all->lb_leaving = l;
}

static void
flows_follow(void *l_)
{
    struct bond_lb_leaving *l = l_;

    l->ends_ms = clock_now_ms() + LEAVE_MS;
}

void
bonds_lb_published(struct ofproto *p)
{
    struct ofprotos *all = p->all;

    for (struct bond_lb_leaving *l = all->lb_leaving; l; l = l->next) {
        if (l->waits || l->recirc->state.ofproto != p) {
            continue;
        }
        l->waits = true;
        if (all->hooks.sync) {
            all->hooks.sync(all->hooks_aux, flows_follow, l);
        } else {
            flows_follow(l);
        }
    }
}

static void
leaving_free(struct bond_lb_leaving *l)
{
    if (!l->stays) {
        dp_bond_del(l->all->dp, l->recirc->id);
    }
    frozen_unref(l->recirc);
    free(l);
}

void
bonds_lb_run(struct ofprotos *all)
{
    struct bond_lb_leaving **slot = &all->lb_leaving, *l;

    while ((l = *slot)) {
        if (clock_now_ms() >= l->ends_ms) {
            *slot = l->next;
            leaving_free(l);
        } else {
            slot = &l->next;
        }
    }
}

void
bonds_lb_fini(struct ofprotos *all)
{
    struct bond_lb_leaving *l;

    while ((l = all->lb_leaving)) {
        all->lb_leaving = l->next;
        loop_cancel(all->loop, flows_follow, l);
        leaving_free(l);
    }
}
