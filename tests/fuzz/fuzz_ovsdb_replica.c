// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: what a server of the database sends.  The input is a stream of JSON values: an
 * object with "tables" is a schema that the contents begin anew with, another one the
 * <table-updates2> of a monitor, an array of one object the <table-updates> of an old server.  What
 * is taken over has as many values in each column as its type allows, and a name where the switch
 * looks for one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "json_values.h"
#include "ovsdb/builtin_schema.h"
#include "ovsdb/db.h"
#include "ovsdb/error.h"
#include "ovsdb/replica.h"
#include "ovsdb/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_row(const struct db_row *row)
{
    const struct ovsdb_table_schema *schema = row->table->schema;
    static const char *const named[] = {"Bridge", "Port", "Interface", "Mirror"};

    for (uint32_t i = OVSDB_N_STD_COLS; i < schema->n_columns; i++) {
        const struct ovsdb_type *type = &schema->columns[i]->type;
        size_t n;

        if (row->data[i]->n < type->n_min || row->data[i]->n > type->n_max) {
            abort();
        }
        free(row_refs(row, schema->columns[i]->name, &n));
    }
    for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
        if (!strcmp(schema->name, named[i]) && row_str(row, "name") == NULL) {
            abort();
        }
    }
}

static void
check(const struct ovsdb_database *db)
{
    for (uint32_t i = 0; i < db->schema->n_tables; i++) {
        for (const struct db_row *row = db->tables[i]->rows; row != NULL; row = row->hh.next) {
            check_row(row);
        }
    }
}

/* The contents of a server of that schema; NULL when it cannot be used. */
static struct ovsdb_database *
make_db(struct ovsdb_error *error, struct ovsdb_schema *schema)
{
    if (error == NULL) {
        error = ovsdb_replica_check_schema(schema);
    }
    if (error != NULL) {
        ovsdb_error_free(error);
        ovsdb_schema_destroy(schema);
        return NULL;
    }
    return ovsdb_database_create(schema);
}

static void
take(json_t *json, void *arg)
{
    struct ovsdb_database **db = arg;
    struct ovsdb_schema *schema;
    struct ovsdb_error *error;
    bool foreign;

    if (json_object_get(json, "tables") != NULL) {
        error = ovsdb_schema_from_json(json, &schema);
        struct ovsdb_database *new = make_db(error, schema);
        if (new != NULL) {
            ovsdb_replica_keep_seqnos(new, *db);
            ovsdb_database_destroy(*db);
            *db = new;
            json_decref(ovsdb_replica_requests(new->schema));
        }
        return;
    }
    bool is_v1 = json_is_array(json);
    error = ovsdb_replica_apply(*db, is_v1 ? json_array_get(json, 0) : json, is_v1, 1, NULL, NULL,
                                &foreign);
    ovsdb_error_free(error);
    check(*db);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ovsdb_schema *schema;
    struct ovsdb_error *error = ovsdb_schema_from_text(ovsdb_builtin_schema, &schema);
    struct ovsdb_database *db = make_db(error, schema);

    if (db == NULL) {
        abort();
    }
    fuzz_json_values(data, size, take, &db);
    ovsdb_database_destroy(db);
    return 0;
}
