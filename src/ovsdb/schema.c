// SPDX-License-Identifier: Apache-2.0
/*
 * schema.c - parses, checks and prints database schemas, see schema.h.
 */
#include "ovsdb/schema.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ovsdb/datum.h"
#include "ovsdb/error.h"
#include "ovsdb/symtab.h"

/* More than any schema has; bounds what a hostile journal makes us allocate. */
#define SCHEMA_MAX_COLUMNS 4096

struct ovsdb_table_schema *
ovsdb_schema_table(const struct ovsdb_schema *schema, const char *name)
{
    struct ovsdb_table_schema *table;

    HASH_FIND_STR(schema->by_name, name, table);
    return table;
}

const struct ovsdb_column *
ovsdb_table_column(const struct ovsdb_table_schema *table, const char *name)
{
    struct ovsdb_column *column;

    HASH_FIND_STR(table->by_name, name, column);
    return column;
}

/* Columns. */

static struct ovsdb_column *
column_add(struct ovsdb_table_schema *table, const char *name)
{
    struct ovsdb_column *column = xzalloc(sizeof *column);

    column->name = xstrdup(name);
    column->index = table->n_columns;
    column->is_mutable = true;
    column->is_persistent = true;
    column->type.n_min = column->type.n_max = 1;
    ovsdb_base_init(&column->type.value, OVSDB_VOID);
    table->columns =
        xreallocarray(table->columns, table->n_columns + 1, sizeof(struct ovsdb_column *));
    table->columns[table->n_columns++] = column;
    HASH_ADD_KEYPTR(hh, table->by_name, column->name, strlen(column->name), column);
    return column;
}

static void
columns_add_standard(struct ovsdb_table_schema *table)
{
    static const char *const names[] = {
        [OVSDB_COL_UUID] = "_uuid", [OVSDB_COL_VERSION] = "_version"};

    for (size_t i = 0; i < OVSDB_N_STD_COLS; i++) {
        struct ovsdb_column *column = column_add(table, names[i]);

        column->is_mutable = column->is_persistent = false;
        ovsdb_base_init(&column->type.key, OVSDB_UUID);
    }
}

static struct ovsdb_error *
boolean_member(const json_t *json, const char *name, bool *value)
{
    const json_t *member = json_object_get(json, name);

    if (member == NULL) {
        return NULL;
    }
    if (!json_is_boolean(member)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json, "member '%s' must be a boolean", name);
    }
    *value = json_is_true(member);
    return NULL;
}

static struct ovsdb_error *
column_from_json(struct ovsdb_table_schema *table, const char *name, const json_t *json)
{
    static const char *const members[] = {"type", "ephemeral", "mutable", NULL};
    char what[300];
    bool is_ephemeral = false;
    struct ovsdb_error *error;

    snprintf(what, sizeof what, "schema for column %.255s", name);
    if (!ovsdb_is_id(name) || name[0] == '_') {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json, "\"%.64s\" is not a valid column name", name);
    }
    error = ovsdb_check_members(json, what, members);
    if (error != NULL) {
        return error;
    }
    if (json_object_get(json, "type") == NULL) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json, "Parsing %s failed: no type.", what);
    }

    struct ovsdb_column *column = column_add(table, name);
    error = ovsdb_type_from_json(json_object_get(json, "type"), &column->type);
    if (error == NULL) {
        error = boolean_member(json, "ephemeral", &is_ephemeral);
    }
    if (error == NULL) {
        error = boolean_member(json, "mutable", &column->is_mutable);
    }
    column->is_persistent = !is_ephemeral;
    return error;
}

/* Tables. */

static struct ovsdb_error *
index_from_json(struct ovsdb_table_schema *table, const json_t *json,
                struct ovsdb_index_schema *index)
{
    size_t n = json_array_size(json);

    if (n == 0) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json, "an index must have at least one column");
    }
    index->columns = xcalloc(n, sizeof(struct ovsdb_column *));
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(json, i));
        const struct ovsdb_column *column = name != NULL ? ovsdb_table_column(table, name) : NULL;

        if (column == NULL) {
            return ovsdb_error_at(OVSDB_E_SYNTAX, json, "index on something that is no column");
        }
        if (!column->is_persistent && column->index >= OVSDB_N_STD_COLS) {
            return ovsdb_error_at(OVSDB_E_SYNTAX, json, "ephemeral column %s cannot be in an index",
                                  column->name);
        }
        for (size_t j = 0; j < i; j++) {
            if (index->columns[j] == column) {
                return ovsdb_error_at(OVSDB_E_SYNTAX, json, "column %s twice in one index",
                                      column->name);
            }
        }
        index->columns[index->n_columns++] = column;
    }
    return NULL;
}

static struct ovsdb_error *
indexes_from_json(struct ovsdb_table_schema *table, const json_t *json)
{
    struct ovsdb_error *error = NULL;

    if (json == NULL) {
        return NULL;
    }
    if (!json_is_array(json)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json, "indexes must be an array");
    }
    table->indexes = xcalloc(json_array_size(json) + 1, sizeof *table->indexes);
    for (size_t i = 0; i < json_array_size(json) && error == NULL; i++) {
        error = index_from_json(table, json_array_get(json, i), &table->indexes[i]);
        table->n_indexes++;
    }
    return error;
}

static struct ovsdb_error *
table_members_from_json(struct ovsdb_table_schema *table, const json_t *json)
{
    const json_t *max_rows = json_object_get(json, "maxRows");
    struct ovsdb_error *error = boolean_member(json, "mutable", &table->is_mutable);

    if (error == NULL) {
        error = boolean_member(json, "isRoot", &table->is_root);
    }
    if (error == NULL && max_rows != NULL) {
        int64_t n;

        if (!ovsdb_json_to_int64(max_rows, &n) || n < 1) {
            error = ovsdb_error_at(OVSDB_E_SYNTAX, json, "maxRows must be at least 1");
        } else {
            table->max_rows = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
        }
    }
    return error;
}

static struct ovsdb_table_schema *
table_add(struct ovsdb_schema *schema, const char *name)
{
    struct ovsdb_table_schema *table = xzalloc(sizeof *table);

    table->name = xstrdup(name);
    table->index = schema->n_tables;
    table->is_mutable = true;
    table->max_rows = UINT32_MAX;
    schema->tables =
        xreallocarray(schema->tables, schema->n_tables + 1, sizeof(struct ovsdb_table_schema *));
    schema->tables[schema->n_tables++] = table;
    HASH_ADD_KEYPTR(hh, schema->by_name, table->name, strlen(table->name), table);
    columns_add_standard(table);
    return table;
}

static struct ovsdb_error *
table_from_json(struct ovsdb_schema *schema, const char *name, const json_t *json)
{
    static const char *const members[] = {"columns", "mutable", "maxRows",
                                          "isRoot",  "indexes", NULL};
    const json_t *columns = json_object_get(json, "columns");
    struct ovsdb_error *error;
    const char *key;
    json_t *value;

    if (!ovsdb_is_id(name) || name[0] == '_') {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json, "\"%.64s\" is not a valid table name", name);
    }
    error = ovsdb_check_members(json, "table schema", members);
    if (error != NULL) {
        return error;
    }
    if (!json_is_object(columns) || json_object_size(columns) == 0 ||
        json_object_size(columns) > SCHEMA_MAX_COLUMNS) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json, "table %s must have 1 to %d columns", name,
                              SCHEMA_MAX_COLUMNS);
    }

    struct ovsdb_table_schema *table = table_add(schema, name);
    error = table_members_from_json(table, json);
    json_object_foreach ((json_t *)columns, key, value) {
        if (error == NULL) {
            error = column_from_json(table, key, value);
        }
    }
    return error != NULL ? error : indexes_from_json(table, json_object_get(json, "indexes"));
}

/* The whole. */

static struct ovsdb_error *
resolve_reference(struct ovsdb_schema *schema, struct ovsdb_column *column, struct ovsdb_base *base)
{
    if (base->type != OVSDB_UUID || base->uuid.ref_name == NULL) {
        return NULL;
    }
    base->uuid.ref = ovsdb_schema_table(schema, base->uuid.ref_name);
    if (base->uuid.ref == NULL) {
        return ovsdb_error_create(OVSDB_E_SYNTAX, "column %s refers to undefined table %s",
                                  column->name, base->uuid.ref_name);
    }
    /* A strong reference from a column that is gone after a restart could not keep its row. */
    if (!base->uuid.is_weak && !column->is_persistent && !base->uuid.ref->is_root) {
        column->is_persistent = true;
    }
    return NULL;
}

static struct ovsdb_error *
resolve_references(struct ovsdb_schema *schema)
{
    struct ovsdb_error *error = NULL;
    bool has_root = false;

    for (uint32_t i = 0; i < schema->n_tables; i++) {
        has_root = has_root || schema->tables[i]->is_root;
    }
    for (uint32_t i = 0; i < schema->n_tables && error == NULL; i++) {
        struct ovsdb_table_schema *table = schema->tables[i];

        /* RFC 7047 paragraph 3.2: without any "isRoot", all tables are in the root set. */
        table->is_root = table->is_root || !has_root;
    }
    for (uint32_t i = 0; i < schema->n_tables && error == NULL; i++) {
        struct ovsdb_table_schema *table = schema->tables[i];

        for (uint32_t j = 0; j < table->n_columns && error == NULL; j++) {
            error = resolve_reference(schema, table->columns[j], &table->columns[j]->type.key);
            if (error == NULL) {
                error =
                    resolve_reference(schema, table->columns[j], &table->columns[j]->type.value);
            }
        }
    }
    return error;
}

/* "1.2.3" */
static bool
is_version(const char *s)
{
    int n_dots = 0;

    for (const char *p = s; *p != '\0'; p++) {
        bool is_dot = *p == '.';

        if ((!is_dot && (*p < '0' || *p > '9')) ||
            (is_dot && (p == s || p[1] == '.' || p[1] == '\0'))) {
            return false;
        }
        n_dots += is_dot;
    }
    return n_dots == 2;
}

static struct ovsdb_error *
schema_parse(struct ovsdb_schema *schema, const json_t *json)
{
    static const char *const members[] = {"name", "version", "cksum", "tables", NULL};
    struct ovsdb_error *error = ovsdb_check_members(json, "database schema", members);

    if (error != NULL) {
        return error;
    }

    const char *name = json_string_value(json_object_get(json, "name"));
    const json_t *version = json_object_get(json, "version");
    const json_t *cksum = json_object_get(json, "cksum");
    const json_t *tables = json_object_get(json, "tables");
    const char *key;
    json_t *value;

    if (name == NULL || !ovsdb_is_id(name)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, NULL, "the schema has no valid \"name\"");
    }
    if (version != NULL && (!json_is_string(version) || !is_version(json_string_value(version)))) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, version, "the schema's version is not x.y.z");
    }
    if (cksum != NULL && !json_is_string(cksum)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, cksum, "the schema's cksum is not a string");
    }
    if (!json_is_object(tables)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, tables, "the schema has no tables");
    }
    schema->name = xstrdup(name);
    schema->version = xstrdup(version != NULL ? json_string_value(version) : "");
    schema->cksum = xstrdup(cksum != NULL ? json_string_value(cksum) : "");
    json_object_foreach ((json_t *)tables, key, value) {
        if (error == NULL) {
            error = table_from_json(schema, key, value);
        }
    }
    return error != NULL ? error : resolve_references(schema);
}

struct ovsdb_error *
ovsdb_schema_from_json(const json_t *json, struct ovsdb_schema **schemap)
{
    struct ovsdb_schema *schema = xzalloc(sizeof *schema);
    struct ovsdb_error *error = schema_parse(schema, json);

    if (error != NULL) {
        ovsdb_schema_destroy(schema);
        schema = NULL;
    }
    *schemap = schema;
    return error;
}

static struct ovsdb_error *
from_loaded(json_t *json, const json_error_t *problem, const char *source,
            struct ovsdb_schema **schemap)
{
    *schemap = NULL;
    if (json == NULL) {
        return ovsdb_error_create(OVSDB_E_SYNTAX, "%s: line %d: %s", source, problem->line,
                                  problem->text);
    }
    struct ovsdb_error *error = ovsdb_schema_from_json(json, schemap);
    json_decref(json);
    return error;
}

struct ovsdb_error *
ovsdb_schema_from_text(const char *text, struct ovsdb_schema **schemap)
{
    json_error_t problem;
    json_t *json = json_loads(text, 0, &problem);

    return from_loaded(json, &problem, "schema", schemap);
}

struct ovsdb_error *
ovsdb_schema_from_file(const char *path, struct ovsdb_schema **schemap)
{
    json_error_t problem;
    json_t *json = json_load_file(path, 0, &problem);

    return from_loaded(json, &problem, path, schemap);
}

static void
table_schema_destroy(struct ovsdb_table_schema *table)
{
    HASH_CLEAR(hh, table->by_name);
    for (uint32_t i = 0; i < table->n_columns; i++) {
        ovsdb_type_fini(&table->columns[i]->type);
        free(table->columns[i]->name);
        free(table->columns[i]);
    }
    for (size_t i = 0; i < table->n_indexes; i++) {
        free(table->indexes[i].columns);
    }
    free(table->columns);
    free(table->indexes);
    free(table->name);
    free(table);
}

void
ovsdb_schema_destroy(struct ovsdb_schema *schema)
{
    if (schema == NULL) {
        return;
    }
    HASH_CLEAR(hh, schema->by_name);
    for (uint32_t i = 0; i < schema->n_tables; i++) {
        table_schema_destroy(schema->tables[i]);
    }
    free(schema->tables);
    free(schema->name);
    free(schema->version);
    free(schema->cksum);
    free(schema);
}

/* Printing. */

static json_t *
column_to_json(const struct ovsdb_column *column)
{
    json_t *json = json_object();

    json_object_set_new(json, "type", ovsdb_type_to_json(&column->type));
    if (!column->is_mutable) {
        json_object_set_new(json, "mutable", json_false());
    }
    if (!column->is_persistent) {
        json_object_set_new(json, "ephemeral", json_true());
    }
    return json;
}

static json_t *
table_to_json(const struct ovsdb_table_schema *table, bool is_root_shown)
{
    json_t *json = json_object(), *columns = json_object();

    for (uint32_t i = OVSDB_N_STD_COLS; i < table->n_columns; i++) {
        json_object_set_new(columns, table->columns[i]->name, column_to_json(table->columns[i]));
    }
    json_object_set_new(json, "columns", columns);
    if (!table->is_mutable) {
        json_object_set_new(json, "mutable", json_false());
    }
    if (table->max_rows != UINT32_MAX) {
        json_object_set_new(json, "maxRows", json_integer(table->max_rows));
    }
    if (table->is_root && is_root_shown) {
        json_object_set_new(json, "isRoot", json_true());
    }
    if (table->n_indexes > 0) {
        json_t *indexes = json_array();

        for (size_t i = 0; i < table->n_indexes; i++) {
            json_t *index = json_array();

            for (size_t j = 0; j < table->indexes[i].n_columns; j++) {
                json_array_append_new(index, json_string(table->indexes[i].columns[j]->name));
            }
            json_array_append_new(indexes, index);
        }
        json_object_set_new(json, "indexes", indexes);
    }
    return json;
}

json_t *
ovsdb_schema_to_json(const struct ovsdb_schema *schema)
{
    json_t *json = json_object(), *tables = json_object();
    bool is_root_shown = false;

    for (uint32_t i = 0; i < schema->n_tables; i++) {
        is_root_shown = is_root_shown || !schema->tables[i]->is_root;
    }
    for (uint32_t i = 0; i < schema->n_tables; i++) {
        json_object_set_new(tables, schema->tables[i]->name,
                            table_to_json(schema->tables[i], is_root_shown));
    }
    json_object_set_new(json, "name", json_string(schema->name));
    if (schema->version[0] != '\0') {
        json_object_set_new(json, "version", json_string(schema->version));
    }
    if (schema->cksum[0] != '\0') {
        json_object_set_new(json, "cksum", json_string(schema->cksum));
    }
    json_object_set_new(json, "tables", tables);
    return json;
}

bool
ovsdb_schema_equals(const struct ovsdb_schema *a, const struct ovsdb_schema *b)
{
    json_t *ja = ovsdb_schema_to_json(a), *jb = ovsdb_schema_to_json(b);

    json_object_del(ja, "cksum");
    json_object_del(jb, "cksum");
    bool equal = json_equal(ja, jb);
    json_decref(ja);
    json_decref(jb);
    return equal;
}
