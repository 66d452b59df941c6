// SPDX-License-Identifier: Apache-2.0
/*
 * br_datapath.c - what the switch writes about itself as a whole: Datapath.capabilities with each
 * reconfiguration, Open_vSwitch.statistics every five seconds while they are asked for.
 *
 * Rows of Datapath are made by others (ovn-controller, ovs-vsctl add-zone-tp): one for each type,
 * under its name in Open_vSwitch.datapaths.
 */
#include <stdlib.h>
#include <string.h>

#include "bridge/bridge_int.h"
#include "bridge/system_stats.h"

static void
put_capability(const char *name, const char *value, void *smap)
{
    smap_put(smap, name, value);
}

/* One datapath serves all types; a type counts as there while a bridge has it. */
static bool
type_runs(const struct bridges *b, const char *type)
{
    for (const struct br *br = b->brs; br; br = br->hh.next) {
        if (!strcmp(*br->type ? br->type : "system", type)) {
            return true;
        }
    }
    return false;
}

void
bridges_put_capabilities(struct bridges *b, struct db_txn *txn, const struct db_row *ovs)
{
    struct smap capabilities = SMAP_INIT;
    size_t n;
    const struct db_row **rows = row_refs(ovs, "datapaths", &n);

    /* With fewer rows than keys it is not known which is whose; they are there in the next pass. */
    if (n && n == row_n(ovs, "datapaths")) {
        slowpath_capabilities(b->slowpath, put_capability, &capabilities);
        for (size_t i = 0; i < n; i++) {
            if (type_runs(b, row_str_at(ovs, "datapaths", i))) {
                txn_put_smap(txn, rows[i], "capabilities", &capabilities);
            }
        }
        smap_destroy(&capabilities);
    }
    free(rows);
}

void
bridges_put_system_stats(struct bridges *b)
{
    const struct db_row *ovs;
    struct smap stats = SMAP_INIT;
    struct db_txn *txn;
    bool wanted;

    if (!db_is_ready(b->db) || !db_has_lock(b->db) || db_txn_in_flight(b->db)) {
        return;
    }
    ovs = db_first(b->db, "Open_vSwitch");
    wanted = ovs && row_map_bool(ovs, "other_config", "enable-statistics", false);
    if (wanted && !b->system_stats) {
        const struct system_self self = {b->cfg.pidfile, b->cfg.n_crashes};
        b->system_stats = system_stats_start(&self);
    }
    if (!b->system_stats || (wanted && !system_stats_take(b->system_stats, &stats))) {
        return;
    }
    if (!wanted) {
        system_stats_stop(b->system_stats);
        b->system_stats = NULL;
    }
    if (ovs) {
        txn = db_txn_create(b->db);
        txn_put_smap(txn, ovs, "statistics", &stats);
        db_txn_commit(txn, NULL, NULL);
    }
    smap_destroy(&stats);
}
