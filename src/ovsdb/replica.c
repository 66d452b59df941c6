// SPDX-License-Identifier: Apache-2.0
/*
 * replica.c - applies monitor updates to a copy of the contents, see replica.h.
 */
#include "ovsdb/replica.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ovsdb/error.h"

json_t *
ovsdb_replica_requests(const struct ovsdb_schema *schema)
{
    json_t *requests = json_object();

    for (uint32_t i = 0; i < schema->n_tables; i++) {
        const struct ovsdb_table_schema *table = schema->tables[i];
        json_t *columns = json_array();

        for (uint32_t j = OVSDB_N_STD_COLS; j < table->n_columns; j++) {
            json_array_append_new(columns, json_string(table->columns[j]->name));
        }
        json_object_set_new(requests, table->name, json_pack("[{s:o}]", "columns", columns));
    }
    return requests;
}

struct ovsdb_error *
ovsdb_replica_check_schema(const struct ovsdb_schema *schema)
{
    static const struct {
        const char *table, *column;
    } names[] = {{"Bridge", "name"}, {"Port", "name"},         {"Interface", "name"},
                 {"Mirror", "name"}, {"Controller", "target"}, {"Manager", "target"}};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const struct ovsdb_table_schema *table = ovsdb_schema_table(schema, names[i].table);
        const struct ovsdb_column *column =
            table != NULL ? ovsdb_table_column(table, names[i].column) : NULL;

        if (table != NULL && (column == NULL || column->type.key.type != OVSDB_STRING ||
                              !ovsdb_type_is_scalar(&column->type))) {
            return ovsdb_error_create(OVSDB_E_CONSTRAINT,
                                      "column %s of table %s is missing or not one string",
                                      names[i].column, names[i].table);
        }
    }
    return NULL;
}

struct apply {
    struct ovsdb_database *db;
    uint64_t seqno;
    ovsdb_replica_is_own_fn *is_own;
    void *aux;
    bool foreign;
};

static void
touch(struct apply *apply, struct db_row *row)
{
    row->seqno = apply->seqno;
    apply->foreign = true;
}

/* Others write it for others to read.  The server tells every few seconds how its managers are:
 * with each a reconfiguration would be too much. */
static bool
is_nothing_to_us(const char *table, const char *column)
{
    static const char *const of_root[] = {"ovs_version", "db_version", "system_type",
                                          "system_version"};

    if (!strcmp(column, "external_ids")) {
        return true;
    }
    for (size_t i = 0; !strcmp(table, "Open_vSwitch") && i < ARRAY_SIZE(of_root); i++) {
        if (!strcmp(column, of_root[i])) {
            return true;
        }
    }
    return !strcmp(table, "Manager") && strcmp(column, "target");
}

/* Sets the columns in 'columns' of a row; 'is_diff' as in "modify" of dialect 2. */
static struct ovsdb_error *
set_columns(struct apply *apply, struct db_row *row, const json_t *columns, bool is_diff)
{
    const struct ovsdb_table_schema *schema = row->table->schema;
    bool is_foreign = false;
    const char *name;
    json_t *json;

    if (!json_is_object(columns)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, columns, "a row that is no object");
    }
    json_object_foreach ((json_t *)columns, name, json) {
        const struct ovsdb_column *column = ovsdb_table_column(schema, name);
        struct ovsdb_datum *datum, *diff;
        struct ovsdb_error *error;

        if (column == NULL) {
            continue;
        }
        error = ovsdb_datum_from_json_any_n(&column->type, json, NULL, &datum);
        if (error != NULL) {
            return error;
        }
        if (is_diff) {
            diff = datum;
            datum = ovsdb_datum_apply_diff(&column->type, row->data[column->index], diff);
            ovsdb_datum_unref(diff);
        }
        if (datum->n < column->type.n_min || datum->n > column->type.n_max) {
            error = ovsdb_error_at(OVSDB_E_SYNTAX, json, "%u values for column %s", datum->n, name);
            ovsdb_datum_unref(datum);
            return error;
        }
        if (ovsdb_datum_equals(datum, row->data[column->index])) {
            ovsdb_datum_unref(datum);
            continue;
        }
        ovsdb_row_set(row, column->index, datum);
        is_foreign =
            is_foreign || (!is_nothing_to_us(schema->name, name) &&
                           (apply->is_own == NULL || !apply->is_own(apply->aux, &row->uuid, name)));
    }
    if (is_foreign) {
        touch(apply, row);
    }
    return NULL;
}

/* Finds the row or makes it. */
static struct db_row *
get_row(struct apply *apply, struct ovsdb_table *table, const struct uuid *uuid)
{
    struct db_row *row = ovsdb_table_row(table, uuid);

    if (row == NULL) {
        row = ovsdb_row_create(table, uuid);
        ovsdb_table_add(table, row);
        touch(apply, row);
    }
    return row;
}

static void
delete_row(struct apply *apply, struct ovsdb_table *table, const struct uuid *uuid)
{
    struct db_row *row = ovsdb_table_row(table, uuid);

    if (row != NULL) {
        ovsdb_table_remove(table, row);
        ovsdb_row_destroy(row);
        apply->foreign = true;
    }
}

static struct ovsdb_error *
apply_row_v1(struct apply *apply, struct ovsdb_table *table, const struct uuid *uuid,
             const json_t *update)
{
    const json_t *new = json_object_get(update, "new");

    if (new == NULL) {
        delete_row(apply, table, uuid);
        return NULL;
    }
    return set_columns(apply, get_row(apply, table, uuid), new, false);
}

static struct ovsdb_error *
apply_row_v2(struct apply *apply, struct ovsdb_table *table, const struct uuid *uuid,
             const json_t *update)
{
    const json_t *initial = json_object_get(update, "initial");
    const json_t *insert = json_object_get(update, "insert");
    const json_t *modify = json_object_get(update, "modify");

    if (initial != NULL || insert != NULL) {
        return set_columns(apply, get_row(apply, table, uuid), initial ? initial : insert, false);
    }
    if (modify != NULL) {
        struct db_row *row = ovsdb_table_row(table, uuid);

        return row != NULL ? set_columns(apply, row, modify, true)
                           : ovsdb_error_at(OVSDB_E_SYNTAX, update,
                                            "modifies a row that is not "
                                            "there");
    }
    delete_row(apply, table, uuid);
    return NULL;
}

struct ovsdb_error *
ovsdb_replica_apply(struct ovsdb_database *db, const json_t *updates, bool is_v1, uint64_t seqno,
                    ovsdb_replica_is_own_fn *is_own, void *aux, bool *foreign)
{
    struct apply apply = {.db = db, .seqno = seqno, .is_own = is_own, .aux = aux};
    struct ovsdb_error *error = NULL;
    const char *name, *uuid_text;
    json_t *rows, *update;

    *foreign = false;
    if (!json_is_object(updates)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, updates, "updates that are no object");
    }
    json_object_foreach ((json_t *)updates, name, rows) {
        struct ovsdb_table *table = ovsdb_database_table(db, name);

        if (table == NULL || !json_is_object(rows)) {
            return ovsdb_error_at(OVSDB_E_SYNTAX, NULL, "an update of table %.64s", name);
        }
        json_object_foreach (rows, uuid_text, update) {
            struct uuid uuid;

            if (!uuid_from_string(&uuid, uuid_text) || !json_is_object(update)) {
                return ovsdb_error_at(OVSDB_E_SYNTAX, update, "an update of row %.64s", uuid_text);
            }
            error = is_v1 ? apply_row_v1(&apply, table, &uuid, update)
                          : apply_row_v2(&apply, table, &uuid, update);
            if (error != NULL) {
                return error;
            }
        }
    }
    *foreign = apply.foreign;
    return NULL;
}

/* True if 'row' has the values of 'old', column by column; schemas may differ. */
static bool
row_is_same(const struct db_row *row, const struct db_row *old)
{
    const struct ovsdb_table_schema *schema = row->table->schema;

    for (uint32_t i = OVSDB_N_STD_COLS; i < schema->n_columns; i++) {
        const struct ovsdb_column *column =
            ovsdb_table_column(old->table->schema, schema->columns[i]->name);

        if (column == NULL || !ovsdb_datum_equals(row->data[i], old->data[column->index])) {
            return false;
        }
    }
    return true;
}

void
ovsdb_replica_keep_seqnos(struct ovsdb_database *new, const struct ovsdb_database *old)
{
    for (uint32_t i = 0; i < new->schema->n_tables; i++) {
        struct ovsdb_table *before = ovsdb_database_table(old, new->tables[i]->schema->name);
        struct db_row *row = before != NULL ? new->tables[i]->rows : NULL;

        for (; row != NULL; row = row->hh.next) {
            const struct db_row *was = ovsdb_table_row(before, &row->uuid);

            if (was != NULL && row_is_same(row, was)) {
                row->seqno = was->seqno;
            }
        }
    }
}
