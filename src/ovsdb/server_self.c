// SPDX-License-Identifier: Apache-2.0
/*
 * server_self.c - the "_Server" database: one row for each database served, from which clients
 * learn the schema and that the server is a standalone one.  It never changes while the server
 * runs.
 */
#include <stdlib.h>

#include "base/util.h"
#include "ovsdb/error.h"
#include "ovsdb/server.h"

static const char self_schema[] =
    "{\"name\": \"_Server\", \"version\": \"1.2.0\", \"tables\": {\"Database\": {\"isRoot\": true,"
    " \"columns\": {"
    "  \"name\": {\"type\": \"string\"},"
    "  \"model\": {\"type\": {\"key\": {\"type\": \"string\","
    "    \"enum\": [\"set\", [\"standalone\", \"clustered\", \"relay\"]]}}},"
    "  \"connected\": {\"type\": \"boolean\"},"
    "  \"leader\": {\"type\": \"boolean\"},"
    "  \"schema\": {\"type\": {\"key\": {\"type\": \"string\"}, \"min\": 0, \"max\": 1}},"
    "  \"cid\": {\"type\": {\"key\": {\"type\": \"uuid\"}, \"min\": 0, \"max\": 1}},"
    "  \"sid\": {\"type\": {\"key\": {\"type\": \"uuid\"}, \"min\": 0, \"max\": 1}},"
    "  \"index\": {\"type\": {\"key\": {\"type\": \"integer\"}, \"min\": 0, \"max\": 1}}"
    "}}}}";

static void
set(struct db_row *row, const char *column, struct ovsdb_datum *datum)
{
    ovsdb_row_set(row, ovsdb_table_column(row->table->schema, column)->index, datum);
}

static void
insert_database(struct ovsdb_txn *txn, const struct ovsdb_schema *schema)
{
    json_t *json = ovsdb_schema_to_json(schema);
    char *text = json_dumps(json, JSON_COMPACT);
    struct uuid uuid;

    uuid_generate(&uuid);
    struct db_row *row = ovsdb_txn_insert(txn, ovsdb_database_table(txn->db, "Database"), &uuid);
    set(row, "name", ovsdb_datum_from_string(schema->name));
    set(row, "model", ovsdb_datum_from_string("standalone"));
    set(row, "connected", ovsdb_datum_from_boolean(true));
    set(row, "leader", ovsdb_datum_from_boolean(true));
    set(row, "schema", ovsdb_datum_from_string(text));
    free(text);
    json_decref(json);
}

struct ovsdb_database *
ovsdb_server_self_create(const struct ovsdb_server_db *main)
{
    struct ovsdb_schema *schema;
    struct ovsdb_database *db;
    struct ovsdb_txn *txn;

    /* Both the schema and the rows are ours: an error here is a bug that any test run shows. */
    if (ovsdb_schema_from_text(self_schema, &schema) != NULL) {
        abort();
    }
    db = ovsdb_database_create(schema);
    txn = ovsdb_txn_create(db);
    insert_database(txn, schema);
    insert_database(txn, main->db->schema);
    if (ovsdb_txn_precommit(txn) != NULL) {
        abort();
    }
    ovsdb_txn_commit(txn, 0);
    return db;
}
