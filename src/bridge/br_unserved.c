// SPDX-License-Identifier: Apache-2.0
/*
 * br_unserved.c - columns of the database that ask for something this switch does not do yet.  They
 * are accepted, so that nothing that writes them fails, and each is named in the log once.
 *
 * Who begins to serve a column takes its line away here.
 */
#include <string.h>

#include "base/log.h"
#include "bridge/bridge_int.h"

LOG_MODULE(bridge);

/* When a column asks for something. */
enum ask {
    ASK_SET,     /* it is not empty */
    ASK_TRUE,    /* it is true */
    ASK_ENABLED, /* its key "enable" is "true" */
};

static const struct {
    const char *table, *column;
    enum ask ask;
} unserved[] = {
    {"Datapath", "ct_zones", ASK_SET},
    {"Bridge", "stp_enable", ASK_TRUE},
    {"Bridge", "rstp_enable", ASK_TRUE},
    {"Bridge", "mcast_snooping_enable", ASK_TRUE},
    {"Bridge", "netflow", ASK_SET},
    {"Bridge", "sflow", ASK_SET},
    {"Bridge", "ipfix", ASK_SET},
    {"Bridge", "auto_attach", ASK_SET},
    {"Port", "bond_fake_iface", ASK_TRUE},
    {"Interface", "bfd", ASK_ENABLED},
    {"Interface", "cfm_mpid", ASK_SET},
    {"Interface", "lldp", ASK_ENABLED},
    {"Mirror", "filter", ASK_SET},
    {"Controller", "local_ip", ASK_SET},
    {"Flow_Sample_Collector_Set", "ipfix", ASK_SET},
};

_Static_assert(ARRAY_SIZE(unserved) <= 32, "bits of bridges.unserved_said");

static bool
row_asks(const struct db_row *row, const char *column, enum ask ask)
{
    switch (ask) {
    case ASK_SET:
        return row_n(row, column) > 0;
    case ASK_TRUE:
        return row_bool_or(row, column, false);
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
            if (row_asks(row, unserved[i].column, unserved[i].ask)) {
                b->unserved_said |= UINT32_C(1) << i;
                log_info("column %s of table %s is accepted, but has no effect here",
                         unserved[i].column, unserved[i].table);
                break;
            }
        }
    }
}
