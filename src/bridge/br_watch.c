// SPDX-License-Identifier: Apache-2.0
/*
 * br_watch.c - what happens between reconfigurations: a look at sequence numbers a few times in a
 * second, and statistics by the clock.  Main thread.
 */
#include "bridge/bridge_int.h"

enum { WATCH_PERIOD_MS = 200 };

static bool
some_interface_failed(const struct bridges *b)
{
    for (struct br *br = b->brs; br; br = br->hh.next) {
        for (struct br_iface *iface = br->ifaces; iface; iface = iface->hh.next) {
            if (!iface->netdev) {
                return true;
            }
        }
    }
    return false;
}

static bool
some_queues_changed(const struct bridges *b)
{
    for (struct br *br = b->brs; br; br = br->hh.next) {
        for (struct br_iface *iface = br->ifaces; iface; iface = iface->hh.next) {
            if (iface->netdev && netdev_wants_reconfigure(iface->netdev)) {
                return true;
            }
        }
    }
    return false;
}

/* Link events, guests that change their queues, devices that appear.  Looks at sequence numbers
 * only, unless something moved. */
static void
bridges_watch(void *bridges_)
{
    struct bridges *b = bridges_;
    uint64_t seq = netdev_global_change_seq();
    struct db_txn *txn;

    bridges_journal_run(b);
    bridges_put_system_stats(b);
    if (!b->dp || !db_has_lock(b->db)) {
        return;
    }
    if (some_queues_changed(b)) {
        bridges_run(b);
        return;
    }
    bridges_forward(b);
    if ((seq == b->netdev_seq && ofprotos_bond_seq(b->ofprotos) == b->bond_seq) ||
        db_txn_in_flight(b->db)) {
        return;
    }
    b->netdev_seq = seq;
    b->bond_seq = ofprotos_bond_seq(b->ofprotos);
    if (some_interface_failed(b)) {
        bridges_run(b);
        return;
    }
    for (struct br *br = b->brs; br; br = br->hh.next) {
        br_ifaces_follow_mtu(br);
    }
    txn = db_txn_create(b->db);
    bridges_put_status(b, txn);
    db_txn_commit(txn, NULL, NULL);
}

static void
bridges_statistics(void *bridges_)
{
    struct bridges *b = bridges_;

    if (b->dp && db_is_ready(b->db) && db_has_lock(b->db) && !db_txn_in_flight(b->db)) {
        struct db_txn *txn = db_txn_create(b->db);

        bridges_put_status(b, txn);
        bridges_put_statistics(b, txn);
        db_txn_commit(txn, NULL, NULL);
    }
    loop_timer_once(&b->stats_timer, b->cfg.loop, b->stats_interval_ms, bridges_statistics, b);
}

void
bridges_watch_start(struct bridges *b)
{
    loop_timer_every(&b->watch_timer, b->cfg.loop, WATCH_PERIOD_MS, bridges_watch, b);
    loop_timer_once(&b->stats_timer, b->cfg.loop, b->stats_interval_ms, bridges_statistics, b);
}

void
bridges_watch_stop(struct bridges *b)
{
    loop_timer_stop(&b->watch_timer);
    loop_timer_stop(&b->stats_timer);
}
