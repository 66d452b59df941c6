// SPDX-License-Identifier: Apache-2.0
/*
 * remote_status.c - writes what became of the remotes back to their Manager rows, see
 * remote_status.h.
 */
#include "ovsdb/remote_status.h"

#include <inttypes.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/smap.h"
#include "base/util.h"
#include "ovsdb/error.h"
#include "ovsdb/session.h"
#include "rpc/stream.h"

static void
active_status(const struct ovsdb_remote *remote, struct smap *status)
{
    struct reconnect *rc = jsonrpc_reconnect(ovsdb_session_rpc(remote->session));
    int64_t connect = reconnect_secs_since_connect(rc);
    int64_t disconnect = reconnect_secs_since_disconnect(rc);
    const char *last_error = reconnect_last_error(rc);

    smap_put(status, "state", reconnect_state(rc));
    if (connect >= 0) {
        smap_put_format(status, "sec_since_connect", "%" PRId64, connect);
    }
    if (disconnect >= 0) {
        smap_put_format(status, "sec_since_disconnect", "%" PRId64, disconnect);
    }
    if (last_error != NULL) {
        smap_put(status, "last_error", last_error);
    }
}

static bool
collect(const struct ovsdb_remote *remote, struct smap *status)
{
    int64_t seconds;
    size_t n = ovsdb_session_count(remote->server, remote, &seconds);

    if (remote->session != NULL) {
        active_status(remote, status);
        return n > 0;
    }
    if (remote->listener == NULL) {
        smap_put(status, "state", "VOID");
        if (remote->last_error != NULL) {
            smap_put(status, "last_error", remote->last_error);
        }
        return false;
    }
    if (listener_port(remote->listener) != 0) {
        smap_put_format(status, "bound_port", "%u", listener_port(remote->listener));
    }
    if (n > 0) {
        smap_put(status, "state", "ACTIVE");
        smap_put_format(status, "sec_since_connect", "%" PRId64, seconds);
    }
    if (n > 1) {
        smap_put_format(status, "n_connections", "%zu", n);
    }
    return n > 0;
}

static struct ovsdb_datum *
smap_to_datum(const struct smap *smap)
{
    struct ovsdb_datum *datum =
        ovsdb_datum_create(OVSDB_STRING, OVSDB_STRING, (uint32_t)smap_count(smap));

    SMAP_FOREACH (node, smap) {
        union ovsdb_atom key = {.string = xstrdup(node->key)};
        union ovsdb_atom value = {.string = xstrdup(node->value)};

        ovsdb_datum_add(datum, key, &value);
    }
    ovsdb_datum_finish(datum);
    return datum;
}

/* Sets 'column' if the schema has it with the type of 'datum'.  Takes 'datum'. */
static void
set(struct db_row *row, const char *name, struct ovsdb_datum *datum)
{
    const struct ovsdb_column *column = ovsdb_table_column(row->table->schema, name);

    if (column != NULL && column->type.key.type == datum->key_type &&
        column->type.value.type == datum->value_type) {
        ovsdb_row_set(row, column->index, datum);
    } else {
        ovsdb_datum_unref(datum);
    }
}

void
ovsdb_remotes_write_status(struct ovsdb_server *server, struct ovsdb_remote *list)
{
    struct ovsdb_server_db *sdb = &server->dbs[OVSDB_SERVER_MAIN];
    struct ovsdb_table *managers = ovsdb_database_table(sdb->db, "Manager");
    struct ovsdb_txn *txn;
    struct ovsdb_remote *remote;

    if (managers == NULL || managers->rows == NULL) {
        return;
    }
    txn = ovsdb_txn_create(sdb->db);
    DL_FOREACH (list, remote) {
        struct db_row *row = remote->has_row ? ovsdb_table_row(managers, &remote->row) : NULL;
        struct smap status = SMAP_INIT;

        if (row != NULL) {
            bool is_connected = collect(remote, &status);

            ovsdb_txn_modify(txn, row);
            set(row, "is_connected", ovsdb_datum_from_boolean(is_connected));
            set(row, "status", smap_to_datum(&status));
        }
        smap_destroy(&status);
    }
    /* Ephemeral columns only: this neither touches the disk nor breaks a constraint. */
    ovsdb_error_free(ovsdb_server_commit(server, sdb, txn, true));
}
