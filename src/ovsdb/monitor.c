// SPDX-License-Identifier: Apache-2.0
/*
 * monitor.c - composes the notifications of one monitor, see monitor.h; monitor_parse.c reads the
 * requests.
 */
#include "ovsdb/monitor.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/util.h"
#include "ovsdb/error.h"
#include "ovsdb/monitor_priv.h"

void
ovsdb_monitor_destroy(struct ovsdb_monitor *monitor)
{
    if (monitor == NULL) {
        return;
    }
    for (uint32_t i = 0; i < monitor->db->schema->n_tables; i++) {
        struct ovsdb_monitor_table *table = monitor->tables[i];

        if (table != NULL) {
            ovsdb_condition_fini(&table->condition);
            free(table->columns);
            free(table);
        }
    }
    free(monitor->tables);
    free(monitor);
}

enum ovsdb_monitor_version
ovsdb_monitor_version(const struct ovsdb_monitor *monitor)
{
    return monitor->version;
}

const struct ovsdb_database *
ovsdb_monitor_db(const struct ovsdb_monitor *monitor)
{
    return monitor->db;
}

/* Rows. */

/* The columns selected by 'select'; in dialects 2 and 3 without those that have their default. */
static json_t *
row_to_json(const struct ovsdb_monitor *monitor, const struct ovsdb_monitor_table *table,
            struct ovsdb_datum *const *data, unsigned int select)
{
    json_t *json = json_object();

    for (size_t i = 0; i < table->n_columns; i++) {
        const struct ovsdb_column *column = table->columns[i].column;
        const struct ovsdb_datum *datum = data[column->index];

        if ((table->columns[i].select & select) &&
            (monitor->version == OVSDB_MONITOR_V1 ||
             !ovsdb_datum_is_default(datum, &column->type))) {
            json_object_set_new(json, column->name, ovsdb_datum_to_json(datum));
        }
    }
    return json;
}

/* {"old": the changed columns, "new": all} or NULL if no selected column changed. */
static json_t *
modify_v1(const struct ovsdb_monitor *monitor, const struct ovsdb_monitor_table *table,
          const struct ovsdb_txn_row *txn_row)
{
    json_t *old = NULL;

    for (size_t i = 0; i < table->n_columns; i++) {
        const struct ovsdb_column *column = table->columns[i].column;

        if ((table->columns[i].select & MONITOR_MODIFY) && txn_row->changed[column->index]) {
            old = old != NULL ? old : json_object();
            json_object_set_new(old, column->name,
                                ovsdb_datum_to_json(txn_row->old[column->index]));
        }
    }
    if (old == NULL) {
        return NULL;
    }
    return json_pack("{s:o, s:o}", "old", old, "new",
                     row_to_json(monitor, table, txn_row->row->data, MONITOR_MODIFY));
}

static json_t *
modify_v2(const struct ovsdb_monitor_table *table, const struct ovsdb_txn_row *txn_row)
{
    json_t *diff_json = NULL;

    for (size_t i = 0; i < table->n_columns; i++) {
        const struct ovsdb_column *column = table->columns[i].column;
        uint32_t index = column->index;

        if ((table->columns[i].select & MONITOR_MODIFY) && txn_row->changed[index]) {
            struct ovsdb_datum *diff =
                ovsdb_datum_diff(&column->type, txn_row->old[index], txn_row->row->data[index]);

            diff_json = diff_json != NULL ? diff_json : json_object();
            json_object_set_new(diff_json, column->name, ovsdb_datum_to_json(diff));
            ovsdb_datum_unref(diff);
        }
    }
    return diff_json != NULL ? json_pack("{s:o}", "modify", diff_json) : NULL;
}

static json_t *
insert_json(const struct ovsdb_monitor *monitor, const struct ovsdb_monitor_table *table,
            struct ovsdb_datum *const *data, unsigned int select)
{
    const char *key = monitor->version == OVSDB_MONITOR_V1 ? "new"
                      : select == MONITOR_INITIAL          ? "initial"
                                                           : "insert";

    return json_pack("{s:o}", key, row_to_json(monitor, table, data, select));
}

static json_t *
delete_json(const struct ovsdb_monitor *monitor, const struct ovsdb_monitor_table *table,
            struct ovsdb_datum *const *old)
{
    return monitor->version == OVSDB_MONITOR_V1
               ? json_pack("{s:o}", "old", row_to_json(monitor, table, old, MONITOR_DELETE))
               : json_pack("{s:n}", "delete");
}

/* What became of one row, as its client sees it: entering and leaving a condition look like
 * insertion and deletion. */
static json_t *
row_update(const struct ovsdb_monitor *monitor, const struct ovsdb_monitor_table *table,
           const struct ovsdb_txn_row *txn_row)
{
    bool before = txn_row->old != NULL && ovsdb_condition_any(&table->condition, txn_row->old);
    bool after = !txn_row->is_deleted && ovsdb_condition_any(&table->condition, txn_row->row->data);

    if (before && after) {
        return !(table->select & MONITOR_MODIFY)      ? NULL
               : monitor->version == OVSDB_MONITOR_V1 ? modify_v1(monitor, table, txn_row)
                                                      : modify_v2(table, txn_row);
    }
    if (after && (table->select & MONITOR_INSERT)) {
        return insert_json(monitor, table, txn_row->row->data, MONITOR_INSERT);
    }
    if (before && (table->select & MONITOR_DELETE)) {
        return delete_json(monitor, table, txn_row->old);
    }
    return NULL;
}

/* Puts 'update' under '*updates'[table][uuid], making what is missing.  Takes 'update', which may
 * be NULL. */
static void
put_update(json_t **updates, const struct db_row *row, json_t *update)
{
    const char *table = row->table->schema->name;
    char uuid[UUID_LEN + 1];
    json_t *rows;

    if (update == NULL) {
        return;
    }
    if (*updates == NULL) {
        *updates = json_object();
    }
    rows = json_object_get(*updates, table);
    if (rows == NULL) {
        rows = json_object();
        json_object_set_new(*updates, table, rows);
    }
    uuid_format(&row->uuid, uuid);
    json_object_set_new(rows, uuid, update);
}

json_t *
ovsdb_monitor_initial(const struct ovsdb_monitor *monitor)
{
    json_t *updates = json_object();

    for (uint32_t i = 0; i < monitor->db->schema->n_tables; i++) {
        const struct ovsdb_monitor_table *table = monitor->tables[i];

        if (table == NULL || !(table->select & MONITOR_INITIAL)) {
            continue;
        }
        for (const struct db_row *row = monitor->db->tables[i]->rows; row; row = row->hh.next) {
            if (ovsdb_condition_any(&table->condition, row->data)) {
                put_update(&updates, row, insert_json(monitor, table, row->data, MONITOR_INITIAL));
            }
        }
    }
    return updates;
}

json_t *
ovsdb_monitor_update(const struct ovsdb_monitor *monitor, const struct ovsdb_txn *txn)
{
    const struct ovsdb_txn_row *txn_row;
    json_t *updates = NULL;

    DL_FOREACH (txn->rows, txn_row) {
        const struct db_row *row = txn_row->row;
        const struct ovsdb_monitor_table *table = monitor->tables[row->table->schema->index];

        if (table != NULL && txn_row->is_changed) {
            put_update(&updates, row, row_update(monitor, table, txn_row));
        }
    }
    return updates;
}

/* Appends to '*updates' what the change of a table's condition from 'old' to 'new' brings. */
static void
condition_update(const struct ovsdb_monitor *monitor, const struct ovsdb_monitor_table *table,
                 const struct ovsdb_table *contents, const struct ovsdb_condition *new,
                 json_t **updates)
{
    for (const struct db_row *row = contents->rows; row != NULL; row = row->hh.next) {
        bool before = ovsdb_condition_any(&table->condition, row->data);
        bool after = ovsdb_condition_any(new, row->data);

        if (!before && after && (table->select & MONITOR_INSERT)) {
            put_update(updates, row, insert_json(monitor, table, row->data, MONITOR_INSERT));
        } else if (before && !after && (table->select & MONITOR_DELETE)) {
            put_update(updates, row, delete_json(monitor, table, row->data));
        }
    }
}

struct ovsdb_error *
ovsdb_monitor_change(struct ovsdb_monitor *monitor, const json_t *requests, json_t **update)
{
    uint32_t n = monitor->db->schema->n_tables;
    struct ovsdb_condition *conditions = xcalloc(n + 1, sizeof *conditions);
    bool *is_given = xcalloc(n + 1, sizeof(bool));
    struct ovsdb_error *error = ovsdb_monitor_parse_change(monitor, requests, conditions, is_given);

    *update = NULL;
    for (uint32_t i = 0; i < n; i++) {
        struct ovsdb_monitor_table *table = monitor->tables[i];

        if (error == NULL && is_given[i]) {
            condition_update(monitor, table, monitor->db->tables[i], &conditions[i], update);
            ovsdb_condition_fini(&table->condition);
            table->condition = conditions[i];
        } else {
            ovsdb_condition_fini(&conditions[i]);
        }
    }
    free(conditions);
    free(is_given);
    return error;
}
