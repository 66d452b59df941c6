// SPDX-License-Identifier: Apache-2.0
/*
 * bond_lb.c - bonds that the datapath balances by itself (Port.other_config:lb-output-action of a
 * balance-tcp bond): it has their buckets, and megaflows say lb_output(id) and no more.  A bucket
 * that moves to another member concerns no megaflow.  Main thread.
 *
 * The datapath keeps the buckets as long as the bond has a recirculation, whose number is the
 * bond's: megaflows that say so may outlive the wish.
 */
#include <string.h>

#include "ofproto/bond.h"
#include "ofproto/frozen.h"
#include "ofproto/ofproto_priv.h"

uint32_t
bond_lb_id(const struct ofbundle *b)
{
    const struct bond *bond = b->state;

    return bond && bond->lb_dp && b->bond.lb_output && b->bond.mode == OFPROTO_BOND_TCP
               ? bond->recirc->id
               : 0;
}

void
bond_lb_sync(const struct ofproto *p, struct ofbundle *b)
{
    struct bond *bond = b->state;
    struct dp_bond_config cfg;

    if (!bond || !bond->recirc || !p->all->dp ||
        (!bond->lb_dp && (!b->bond.lb_output || b->bond.mode != OFPROTO_BOND_TCP))) {
        return;
    }
    if (!bond->lb_dp) {
        bond->lb_dp = p->all->dp;
        memset(bond->lb_taken, 0, sizeof bond->lb_taken);
    }
    cfg.id = bond->recirc->id;
    cfg.hash_basis = (uint32_t)b->bond.hash_basis;
    for (size_t i = 0; i < BOND_BUCKETS; i++) {
        const struct ofport *port = bond->bucket[i] < bond->n_members
                                        ? ofport_find(p, bond->members[bond->bucket[i]].port)
                                        : NULL;

        cfg.ports[i] = port ? port->odp_port : ODPP_NONE;
    }
    dp_bond_set(bond->lb_dp, &cfg);
}

void
bond_lb_take(struct bond *bond)
{
    uint64_t bytes[BOND_BUCKETS];

    _Static_assert((int)BOND_BUCKETS == (int)DP_BOND_BUCKETS, "the datapath's buckets are ours");
    if (!bond->lb_dp || !dp_bond_get_bytes(bond->lb_dp, bond->recirc->id, bytes)) {
        return;
    }
    for (size_t i = 0; i < BOND_BUCKETS; i++) {
        atomic_fetch_add_explicit(&bond->loads->bytes[i], bytes[i] - bond->lb_taken[i],
                                  memory_order_relaxed);
        bond->lb_taken[i] = bytes[i];
    }
}

void
bond_lb_stop(struct bond *bond)
{
    if (bond->lb_dp) {
        dp_bond_del(bond->lb_dp, bond->recirc->id);
        bond->lb_dp = NULL;
    }
}
