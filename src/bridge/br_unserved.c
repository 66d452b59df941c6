// SPDX-License-Identifier: Apache-2.0
/*
 * br_unserved.c - columns of the database, and keys of their maps, that ask for something this
 * switch does not do yet.  They are accepted, so that nothing that writes them fails, and each is
 * named in the log once.
 *
 * Who begins to serve one takes its line away here.
 */
#include <string.h>

#include "base/log.h"
#include "bridge/bridge_int.h"

LOG_MODULE(bridge);

/* When a column asks for something. */
enum ask {
    ASK_SET,     /* it is not empty; its key is there */
    ASK_TRUE,    /* it, or its key, is true */
    ASK_ENABLED, /* its key "enable" is "true" */
};

static const struct {
    const char *table, *column;
    enum ask ask;
    const char *key; /* of a map; NULL: the whole column */
} unserved[] = {
    {"Open_vSwitch", "other_config", ASK_TRUE, "hw-offload"},
    {"Open_vSwitch", "other_config", ASK_SET, "hw-offload-priority"},
    {"Open_vSwitch", "other_config", ASK_SET, "n-offload-threads"},
    {"Open_vSwitch", "other_config", ASK_SET, "tc-policy"},
    {"Open_vSwitch", "other_config", ASK_TRUE, "offload-rebalance"},
    {"Open_vSwitch", "other_config", ASK_SET, "offloaded-stats-delay"},
    {"Open_vSwitch", "other_config", ASK_SET, "shared-mempool-config"},
    {"Open_vSwitch", "other_config", ASK_TRUE, "explicit-sampled-drops"},
    {"Datapath", "ct_zones", ASK_SET, NULL},
    {"Bridge", "stp_enable", ASK_TRUE, NULL},
    {"Bridge", "rstp_enable", ASK_TRUE, NULL},
    {"Bridge", "mcast_snooping_enable", ASK_TRUE, NULL},
    {"Bridge", "netflow", ASK_SET, NULL},
    {"Bridge", "sflow", ASK_SET, NULL},
    {"Bridge", "ipfix", ASK_SET, NULL},
    {"Bridge", "auto_attach", ASK_SET, NULL},
    {"Port", "bond_fake_iface", ASK_TRUE, NULL},
    {"Interface", "bfd", ASK_ENABLED, NULL},
    {"Interface", "cfm_mpid", ASK_SET, NULL},
    {"Interface", "lldp", ASK_ENABLED, NULL},
    {"Queue", "dscp", ASK_SET, NULL},
    {"Mirror", "filter", ASK_SET, NULL},
    {"Controller", "local_ip", ASK_SET, NULL},
    {"Flow_Sample_Collector_Set", "ipfix", ASK_SET, NULL},
};

_Static_assert(ARRAY_SIZE(unserved) <= 32, "bits of bridges.unserved_said");

static bool
row_asks(const struct db_row *row, const char *column, enum ask ask, const char *key)
{
    switch (ask) {
    case ASK_SET:
        return key ? row_map_get(row, column, key) != NULL : row_n(row, column) > 0;
    case ASK_TRUE:
        return key ? row_map_bool(row, column, key, false) : row_bool_or(row, column, false);
    case ASK_ENABLED:
        return row_map_bool(row, column, "enable", false);
    }
    return false;
}

void
bridges_note_unserved(struct bridges *b)
{
    for (size_t i = 0; i < ARRAY_SIZE(unserved); i++) {
        const struct db_row *row;

        if (b->unserved_said & UINT32_C(1) << i) {
            continue;
        }
        DB_FOR_EACH_ROW (row, b->db, unserved[i].table) {
            if (row_asks(row, unserved[i].column, unserved[i].ask, unserved[i].key)) {
                b->unserved_said |= UINT32_C(1) << i;
                log_info("column %s%s%s of table %s is accepted, but has no effect here",
                         unserved[i].column, unserved[i].key ? ":" : "",
                         unserved[i].key ? unserved[i].key : "", unserved[i].table);
                break;
            }
        }
    }
}
