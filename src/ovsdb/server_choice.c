// SPDX-License-Identifier: Apache-2.0
/*
 * server_choice.c - judges servers by their "_Server" database, see server_choice.h.
 */
#include "ovsdb/server_choice.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ovsdb/db.h"
#include "ovsdb/error.h"
#include "ovsdb/replica.h"
#include "rpc/stream.h"

struct server_choice {
    char *database;
    char **names;
    size_t n_names;
    bool has_cid;
    struct uuid cid;

    struct ovsdb_database *contents; /* of "_Server"; NULL: not known */
    struct uuid seen_cid;            /* of the cluster that 'seen_index' is of */
    int64_t seen_index;              /* the newest entry of its log that we know of */
};

/* The names. */

static char *
add_name(struct server_choice *choice, const char *name)
{
    char *error;

    if (!strncmp(name, "cid:", 4)) {
        choice->has_cid = true;
        return uuid_from_string(&choice->cid, name + 4)
                   ? NULL
                   : xstrdup("what follows cid: is not a UUID");
    }
    error = stream_name_check(name);
    if (error == NULL && !stream_name_is_active(name)) {
        error =
            xasprintf("%.100s: is not of the form unix:FILE, tcp:HOST:PORT or ssl:HOST:PORT", name);
    }
    if (error == NULL) {
        choice->names = xreallocarray(choice->names, choice->n_names + 1, sizeof(*choice->names));
        choice->names[choice->n_names++] = xstrdup(name);
    }
    return error;
}

struct server_choice *
server_choice_create(const char *remotes, const char *database, char **error)
{
    struct server_choice *choice = xzalloc(sizeof *choice);
    char *copy = xstrdup(remotes), *rest = copy, *name;

    choice->database = xstrdup(database);
    *error = NULL;
    while (*error == NULL && (name = strsep(&rest, ",")) != NULL) {
        *error = add_name(choice, name);
    }
    free(copy);
    if (*error == NULL && choice->n_names == 0) {
        *error = xasprintf("%.100s: names no server", remotes);
    }
    if (*error != NULL) {
        server_choice_destroy(choice);
        return NULL;
    }
    return choice;
}

void
server_choice_destroy(struct server_choice *choice)
{
    if (choice == NULL) {
        return;
    }
    server_choice_reset(choice);
    for (size_t i = 0; i < choice->n_names; i++) {
        free(choice->names[i]);
    }
    free(choice->names);
    free(choice->database);
    free(choice);
}

const char *const *
server_choice_names(const struct server_choice *choice, size_t *n)
{
    *n = choice->n_names;
    return (const char *const *)choice->names;
}

static size_t
count(const struct server_choice *choice, const char *kind)
{
    size_t n = 0;

    for (size_t i = 0; i < choice->n_names; i++) {
        n += !strncmp(choice->names[i], kind, strlen(kind));
    }
    return n;
}

bool
server_choice_has(const struct server_choice *choice, const char *kind)
{
    return count(choice, kind) > 0;
}

bool
server_choice_is_all(const struct server_choice *choice, const char *kind)
{
    return count(choice, kind) == choice->n_names;
}

/* What the server says. */

void
server_choice_reset(struct server_choice *choice)
{
    ovsdb_database_destroy(choice->contents);
    choice->contents = NULL;
}

json_t *
server_choice_request(struct server_choice *choice, const json_t *json)
{
    static const char *const wanted[] = {"name", "model", "connected", "leader", "cid", "index"};
    struct ovsdb_schema *schema = NULL;
    struct ovsdb_error *error = ovsdb_schema_from_json(json, &schema);
    const struct ovsdb_table_schema *table =
        error == NULL ? ovsdb_schema_table(schema, "Database") : NULL;

    server_choice_reset(choice);
    ovsdb_error_free(error);
    if (table == NULL) {
        ovsdb_schema_destroy(schema);
        return NULL;
    }

    json_t *columns = json_array();
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        if (ovsdb_table_column(table, wanted[i]) != NULL) {
            json_array_append_new(columns, json_string(wanted[i]));
        }
    }
    choice->contents = ovsdb_database_create(schema);
    return json_pack("[s,[s,s],{s:[{s:o}]}]", "_Server", "monid", "_Server", "Database", "columns",
                     columns);
}

static bool
row_cid(const struct db_row *row, struct uuid *cid)
{
    const struct ovsdb_column *column = ovsdb_table_column(row->table->schema, "cid");
    const struct ovsdb_datum *datum = column != NULL ? ovsdb_row_get(row, column) : NULL;

    if (datum == NULL || datum->key_type != OVSDB_UUID || datum->n == 0) {
        return false;
    }
    *cid = datum->keys[0].uuid;
    return true;
}

static const char *
judge_member(struct server_choice *choice, const struct db_row *row, const struct uuid *cid)
{
    bool is_leader = true;
    int64_t index;

    row_bool(row, "leader", &is_leader);
    if (!is_leader) {
        return "it is not the leader of its cluster";
    }
    if (row_int(row, "index", &index)) {
        if (uuid_equals(cid, &choice->seen_cid) && index < choice->seen_index) {
            return "its contents are older than those that other servers had";
        }
        choice->seen_cid = *cid;
        choice->seen_index = index;
    }
    return NULL;
}

static const char *
judge(struct server_choice *choice)
{
    const struct ovsdb_table *table = ovsdb_database_table(choice->contents, "Database");

    for (const struct db_row *row = table->rows; row != NULL; row = row->hh.next) {
        const char *name = row_str(row, "name"), *model = row_str(row, "model");
        struct uuid cid = {0};
        bool is_connected = true, has_cid = row_cid(row, &cid);

        if (name == NULL || strcmp(name, choice->database)) {
            continue;
        }
        row_bool(row, "connected", &is_connected);
        if (!is_connected) {
            return "it is cut off from its cluster, or from the server that it relays";
        }
        if (choice->has_cid && (!has_cid || !uuid_equals(&cid, &choice->cid))) {
            return "its database is not of the cluster that was asked for";
        }
        return model != NULL && !strcmp(model, "clustered") ? judge_member(choice, row, &cid)
                                                            : NULL;
    }
    return "it does not have the database";
}

const char *
server_choice_update(struct server_choice *choice, const json_t *updates)
{
    struct ovsdb_error *error;
    bool foreign;

    if (choice->contents == NULL) {
        return NULL;
    }
    error = ovsdb_replica_apply(choice->contents, updates, false, 1, NULL, NULL, &foreign);
    if (error != NULL) {
        ovsdb_error_free(error);
        return "what it says about its databases makes no sense";
    }
    return judge(choice);
}
