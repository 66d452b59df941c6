// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: "transact" and "monitor" requests.  The input is a stream of JSON values, each the
 * parameters of a transaction, or an object of monitor requests.  After each transaction a replica
 * that is fed by notifications and a database that is fed by the journal's records must both hold
 * what the database holds: nothing gets lost, and a transaction that fails leaves nothing behind.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "json_values.h"
#include "ovsdb/builtin_schema.h"
#include "ovsdb/error.h"
#include "ovsdb/exec.h"
#include "ovsdb/monitor.h"
#include "ovsdb/replica.h"
#include "ovsdb/schema.h"
#include "ovsdb/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A few rows for conditions to match. */
static const char *const seeds[] = {
    "[\"Open_vSwitch\", {\"op\": \"insert\", \"table\": \"Open_vSwitch\", \"row\": {\"bridges\":"
    " [\"named-uuid\", \"b\"], \"external_ids\": [\"map\", [[\"a\", \"1\"], [\"b\", \"2\"]]]}},"
    " {\"op\": \"insert\", \"table\": \"Bridge\", \"uuid-name\": \"b\", \"row\": {\"name\": "
    "\"br0\","
    " \"ports\": [\"named-uuid\", \"p\"], \"mirrors\": [\"named-uuid\", \"m\"]}},"
    " {\"op\": \"insert\", \"table\": \"Mirror\", \"uuid-name\": \"m\", \"row\": {\"output_port\":"
    " [\"named-uuid\", \"p\"], \"select_src_port\": [\"named-uuid\", \"p\"]}},"
    " {\"op\": \"insert\", \"table\": \"Port\", \"uuid-name\": \"p\", \"row\": {\"name\": \"p0\","
    " \"interfaces\": [\"named-uuid\", \"i\"], \"tag\": 5, \"trunks\": [\"set\", [1, 2, 3]]}},"
    " {\"op\": \"insert\", \"table\": \"Interface\", \"uuid-name\": \"i\", \"row\": {\"name\": "
    "\"p0\"}}]",
};

static struct ovsdb_database *
make_db(void)
{
    struct ovsdb_schema *schema;

    if (ovsdb_schema_from_text(ovsdb_builtin_schema, &schema) != NULL) {
        abort();
    }
    return ovsdb_database_create(schema);
}

static void
check_same(const struct ovsdb_database *a, const struct ovsdb_database *b, bool with_ephemeral)
{
    for (uint32_t i = 0; i < a->schema->n_tables; i++) {
        const struct ovsdb_table_schema *schema = a->schema->tables[i];

        if (HASH_COUNT(a->tables[i]->rows) != HASH_COUNT(b->tables[i]->rows)) {
            abort();
        }
        for (const struct db_row *row = a->tables[i]->rows; row != NULL; row = row->hh.next) {
            const struct db_row *other = ovsdb_table_row(b->tables[i], &row->uuid);

            if (other == NULL || row->txn_row != NULL) {
                abort();
            }
            for (uint32_t j = OVSDB_N_STD_COLS; j < schema->n_columns; j++) {
                if ((with_ephemeral || schema->columns[j]->is_persistent) &&
                    !ovsdb_datum_equals(row->data[j], other->data[j])) {
                    abort();
                }
            }
        }
    }
}

struct world {
    struct ovsdb_database *db;
    struct ovsdb_database *replica; /* follows the notifications of 'monitor' */
    struct ovsdb_database *journal; /* follows the records */
    struct ovsdb_monitor *monitor;
};

static bool
has_lock(void *aux, const char *name)
{
    return name[0] == 'o';
}

static void
follow(struct world *w, const struct ovsdb_txn *txn)
{
    json_t *update = ovsdb_monitor_update(w->monitor, txn);
    json_t *record = ovsdb_store_record(txn);
    bool foreign;

    if (update != NULL &&
        ovsdb_replica_apply(w->replica, update, false, 1, NULL, NULL, &foreign) != NULL) {
        abort();
    }
    if (ovsdb_store_replay(w->journal, record) != NULL) {
        abort();
    }
    json_decref(update);
    json_decref(record);
}

static void
transact(struct world *w, const json_t *params)
{
    struct ovsdb_exec exec = {.db = w->db, .elapsed_ms = 1000000, .has_lock = has_lock};
    struct ovsdb_error *error;

    ovsdb_exec(&exec, params);
    if (exec.txn != NULL) {
        error = ovsdb_txn_precommit(exec.txn);
        if (error != NULL) {
            ovsdb_exec_append_error(exec.results, error);
            ovsdb_txn_abort(exec.txn);
        } else {
            follow(w, exec.txn);
            ovsdb_txn_commit(exec.txn, 1);
        }
    }
    if (exec.results != NULL) {
        free(json_dumps(exec.results, 0));
        json_decref(exec.results);
    }
    check_same(w->db, w->replica, true);
    check_same(w->db, w->journal, false);
}

static void
request_monitor(struct world *w, const json_t *requests)
{
    struct ovsdb_monitor *monitor;
    json_t *update;

    for (int version = OVSDB_MONITOR_V1; version <= OVSDB_MONITOR_V3; version++) {
        struct ovsdb_error *error =
            ovsdb_monitor_create(w->db, (enum ovsdb_monitor_version)version, requests, &monitor);

        if (error == NULL) {
            json_decref(ovsdb_monitor_initial(monitor));
            error = ovsdb_monitor_change(monitor, requests, &update);
            json_decref(error == NULL ? update : NULL);
            ovsdb_monitor_destroy(monitor);
        }
        ovsdb_error_free(error);
    }
}

static void
take(json_t *json, void *arg)
{
    if (json_is_array(json)) {
        transact(arg, json);
    } else if (json_is_object(json)) {
        request_monitor(arg, json);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w = {make_db(), make_db(), make_db(), NULL};
    json_t *all = ovsdb_replica_requests(w.db->schema);

    if (ovsdb_monitor_create(w.db, OVSDB_MONITOR_V2, all, &w.monitor) != NULL) {
        abort();
    }
    json_decref(all);
    for (size_t i = 0; i < ARRAY_SIZE(seeds); i++) {
        json_t *json = json_loads(seeds[i], 0, NULL);

        transact(&w, json);
        json_decref(json);
    }
    fuzz_json_values(data, size, take, &w);
    ovsdb_monitor_destroy(w.monitor);
    ovsdb_database_destroy(w.db);
    ovsdb_database_destroy(w.replica);
    ovsdb_database_destroy(w.journal);
    return 0;
}
