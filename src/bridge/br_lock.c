// SPDX-License-Identifier: Apache-2.0
/*
 * br_lock.c - who has the database's lock may act on its contents.  Another process that has got it
 * (both lost the server for a while, and it came back first) makes the same bridges from the same
 * devices, so ours go.
 */
#include "base/log.h"
#include "bridge/bridge_int.h"

LOG_MODULE(bridge);

static void
yield(void *bridges_)
{
    struct bridges *b = bridges_;
    struct br *br, *next;

    if (!db_is_lock_contended(b->db)) {
        return; /* Not any more: bridges_follow_lock() is about to be called. */
    }
    log_err("another ovs-vswitchd process has taken over, giving up the bridges");
    HASH_ITER (hh, b->brs, br, next) {
        br_destroy(br);
    }
}

bool
bridges_follow_lock(struct bridges *b)
{
    static struct log_rate rl = LOG_RATE_INIT(1, 1);
    int yield_ms = db_yield_ms(b->db);

    if (db_has_lock(b->db) || !db_is_lock_contended(b->db)) {
        loop_timer_stop(&b->yield_timer);
        return db_has_lock(b->db);
    }
    log_err_rl(&rl, "another ovs-vswitchd process is running, "
                    "disabling this process until it goes away");
    if (b->brs && yield_ms >= 0 && !loop_timer_is_running(&b->yield_timer)) {
        loop_timer_once(&b->yield_timer, b->cfg.loop, yield_ms, yield, b);
    }
    return false;
}
