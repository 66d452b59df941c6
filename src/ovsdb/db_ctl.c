// SPDX-License-Identifier: Apache-2.0
/*
 * db_ctl.c - what operators can ask of the database: the commands ovsdb/show and ovsdb/compact, and
 * the counts in memory/show.
 */
#include "ovsdb/db_ctl.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/memory_report.h"
#include "base/str.h"
#include "ovsdb/db_priv.h"
#include "ovsdb/server.h"
#include "ovsdb/session.h"
#include "ovsdb/store.h"
#include "rpc/unixctl.h"

static void
report_memory(struct memory_report *report, void *db_)
{
    const struct db *db = db_;
    uint64_t n_cells = 0;

    for (uint32_t i = 0; db->contents != NULL && i < db->contents->schema->n_tables; i++) {
        const struct ovsdb_table *table = db->contents->tables[i];

        n_cells += (uint64_t)HASH_COUNT(table->rows) * table->schema->n_columns;
    }
    memory_report_add(report, "idl-cells-Open_vSwitch", n_cells);
}

void
db_ctl_register(struct db *db)
{
    memory_report_register(report_memory, db);
}

void
db_ctl_unregister(struct db *db)
{
    memory_report_unregister(report_memory, db);
}

/* The embedded server. */

static void
show(struct unixctl_conn *conn, int argc, const char *argv[], void *server_)
{
    const struct ovsdb_server *server = server_;
    const struct ovsdb_server_db *sdb = &server->dbs[OVSDB_SERVER_MAIN];
    struct str out = STR_INIT;
    size_t n_tables = 0;

    str_printf(&out, "%s %s\n  journal: %s, %" PRIu64 " bytes\n  rows:", sdb->name,
               sdb->db->schema->version, ovsdb_store_path(sdb->store),
               ovsdb_store_size(sdb->store));
    for (uint32_t i = 0; i < sdb->db->schema->n_tables; i++) {
        const struct ovsdb_table *table = sdb->db->tables[i];

        if (table->rows != NULL) {
            str_printf(&out, "%s %s %u", n_tables++ > 0 ? "," : "", table->schema->name,
                       HASH_COUNT(table->rows));
        }
    }
    str_printf(&out, "%s\n  clients: %zu\n", n_tables > 0 ? "" : " none", server->n_sessions);
    ovsdb_session_describe_all(server, &out);
    unixctl_reply(conn, str_cstr(&out));
    str_free(&out);
}

static void
compact(struct unixctl_conn *conn, int argc, const char *argv[], void *server_)
{
    struct ovsdb_server *server = server_;
    int error = ovsdb_store_compact(server->dbs[OVSDB_SERVER_MAIN].store);

    if (error) {
        unixctl_reply_errorf(conn, "the journal stays as it is: %s", err_str(error));
    } else {
        unixctl_reply(conn, NULL);
    }
}

void
db_ctl_register_server(struct ovsdb_server *server)
{
    unixctl_register("ovsdb/show", "", 0, 0, show, server);
    unixctl_register("ovsdb/compact", "", 0, 0, compact, server);
}

void
db_ctl_unregister_server(struct ovsdb_server *server)
{
    unixctl_unregister_aux(server);
}
