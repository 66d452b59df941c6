// SPDX-License-Identifier: Apache-2.0
/*
 * monitor_parse.c - reads <monitor-requests>: which columns of which tables, which kinds of change,
 * under which condition.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ovsdb/error.h"
#include "ovsdb/monitor_priv.h"

static struct ovsdb_error *
parse_select(const json_t *json, unsigned int *select)
{
    static const struct {
        const char *name;
        unsigned int bit;
    } kinds[] = {{"initial", MONITOR_INITIAL},
                 {"insert", MONITOR_INSERT},
                 {"delete", MONITOR_DELETE},
                 {"modify", MONITOR_MODIFY}};
    static const char *const members[] = {"initial", "insert", "delete", "modify", NULL};
    struct ovsdb_error *error;

    *select = MONITOR_ALL;
    if (json == NULL) {
        return NULL;
    }
    error = ovsdb_check_members(json, "monitor select", members);
    if (error != NULL) {
        return error;
    }
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        const json_t *value = json_object_get(json, kinds[i].name);

        if (value != NULL && !json_is_boolean(value)) {
            return ovsdb_error_at(OVSDB_E_SYNTAX, json, "member '%s' must be a boolean",
                                  kinds[i].name);
        }
        if (json_is_false(value)) {
            *select &= ~kinds[i].bit;
        }
    }
    return NULL;
}

static struct ovsdb_error *
add_column(struct ovsdb_monitor_table *table, const struct ovsdb_column *column,
           unsigned int select, const json_t *json)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        if (table->columns[i].column == column) {
            return ovsdb_error_at(OVSDB_E_SYNTAX, json, "column %s mentioned more than once",
                                  column->name);
        }
    }
    table->columns = xreallocarray(table->columns, table->n_columns + 1, sizeof *table->columns);
    table->columns[table->n_columns].column = column;
    table->columns[table->n_columns].select = select;
    table->n_columns++;
    table->select |= select;
    return NULL;
}

static struct ovsdb_error *
add_columns(const struct ovsdb_table_schema *schema, struct ovsdb_monitor_table *table,
            const json_t *json, unsigned int select)
{
    struct ovsdb_error *error = NULL;

    if (json == NULL) {
        /* All but the UUID, which names the row anyway. */
        for (uint32_t i = OVSDB_COL_VERSION; i < schema->n_columns && error == NULL; i++) {
            error = add_column(table, schema->columns[i], select, json);
        }
        return error;
    }
    if (!json_is_array(json)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json, "array of column names expected");
    }
    /* A request without columns still tells of rows that come and go. */
    table->select |= select & ~(unsigned int)MONITOR_MODIFY;
    for (size_t i = 0; i < json_array_size(json) && error == NULL; i++) {
        const char *name = json_string_value(json_array_get(json, i));
        const struct ovsdb_column *column = name ? ovsdb_table_column(schema, name) : NULL;

        error = column != NULL
                    ? add_column(table, column, select, json)
                    : ovsdb_error_at(OVSDB_E_SYNTAX, json, "%.64s is not a valid column name",
                                     name != NULL ? name : "a value that is no string");
    }
    return error;
}

/* Adds the clauses of 'json' to 'condition': clauses are alternatives. */
static struct ovsdb_error *
add_condition(const struct ovsdb_table_schema *schema, struct ovsdb_condition *condition,
              const json_t *json, json_t *collected)
{
    if (json == NULL) {
        return NULL;
    }
    if (!json_is_array(json)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json, "a condition must be an array");
    }
    json_array_extend(collected, (json_t *)json);
    ovsdb_condition_fini(condition);
    return ovsdb_condition_from_json(schema, collected, NULL, condition);
}

static struct ovsdb_error *
parse_request(struct ovsdb_monitor *monitor, const struct ovsdb_table_schema *schema,
              const json_t *json, json_t *collected)
{
    static const char *const members[] = {"columns", "select", "where", NULL};
    static const char *const members_v1[] = {"columns", "select", NULL};
    struct ovsdb_monitor_table *table = monitor->tables[schema->index];
    unsigned int select;
    struct ovsdb_error *error = ovsdb_check_members(
        json, schema->name, monitor->version == OVSDB_MONITOR_V1 ? members_v1 : members);

    if (error == NULL) {
        error = parse_select(json_object_get(json, "select"), &select);
    }
    if (error == NULL) {
        error = add_columns(schema, table, json_object_get(json, "columns"), select);
    }
    if (error == NULL) {
        error = add_condition(schema, &table->condition, json_object_get(json, "where"), collected);
    }
    return error;
}

static struct ovsdb_error *
parse_table(struct ovsdb_monitor *monitor, const char *name, const json_t *json)
{
    const struct ovsdb_table_schema *schema = ovsdb_schema_table(monitor->db->schema, name);
    json_t *collected = json_array();
    struct ovsdb_error *error = NULL;

    if (schema == NULL) {
        error = ovsdb_error_create(OVSDB_E_NO_TABLE, "no table named %.64s", name);
    } else {
        monitor->tables[schema->index] = xzalloc(sizeof *monitor->tables[0]);
        if (json_is_array(json)) {
            for (size_t i = 0; i < json_array_size(json) && error == NULL; i++) {
                error = parse_request(monitor, schema, json_array_get(json, i), collected);
            }
        } else {
            error = parse_request(monitor, schema, json, collected);
        }
    }
    json_decref(collected);
    return error;
}

struct ovsdb_error *
ovsdb_monitor_create(struct ovsdb_database *db, enum ovsdb_monitor_version version,
                     const json_t *requests, struct ovsdb_monitor **monitorp)
{
    struct ovsdb_monitor *monitor;
    struct ovsdb_error *error = NULL;
    const char *name;
    json_t *request;

    *monitorp = NULL;
    if (!json_is_object(requests)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, requests, "monitor requests must be an object");
    }
    monitor = xzalloc(sizeof *monitor);
    monitor->db = db;
    monitor->version = version;
    monitor->tables = xcalloc(db->schema->n_tables + 1, sizeof(struct ovsdb_monitor_table *));
    json_object_foreach ((json_t *)requests, name, request) {
        if (error == NULL) {
            error = parse_table(monitor, name, request);
        }
    }
    if (error != NULL) {
        ovsdb_monitor_destroy(monitor);
        return error;
    }
    *monitorp = monitor;
    return NULL;
}

static struct ovsdb_error *
parse_change_table(const struct ovsdb_table_schema *schema, const json_t *json,
                   struct ovsdb_condition *condition)
{
    static const char *const members[] = {"where", NULL};
    json_t *list = json_is_array(json) ? json_incref((json_t *)json) : json_pack("[O]", json);
    json_t *collected = json_array();
    struct ovsdb_error *error = NULL;

    for (size_t i = 0; i < json_array_size(list) && error == NULL; i++) {
        const json_t *request = json_array_get(list, i);

        error = ovsdb_check_members(request, "monitor condition change", members);
        if (error == NULL) {
            error = add_condition(schema, condition, json_object_get(request, "where"), collected);
        }
    }
    json_decref(list);
    json_decref(collected);
    return error;
}

struct ovsdb_error *
ovsdb_monitor_parse_change(const struct ovsdb_monitor *monitor, const json_t *requests,
                           struct ovsdb_condition *conditions, bool *is_given)
{
    struct ovsdb_error *error = NULL;
    const char *name;
    json_t *request;

    if (!json_is_object(requests)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, requests, "condition changes must be an object");
    }
    json_object_foreach ((json_t *)requests, name, request) {
        const struct ovsdb_table_schema *schema = ovsdb_schema_table(monitor->db->schema, name);

        if (error != NULL) {
            break;
        }
        if (schema == NULL || monitor->tables[schema->index] == NULL) {
            error = ovsdb_error_create(OVSDB_E_NO_TABLE, "no monitored table named %.64s", name);
        } else {
            is_given[schema->index] = true;
            error = parse_change_table(schema, request, &conditions[schema->index]);
        }
    }
    return error;
}
