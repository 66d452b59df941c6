// SPDX-License-Identifier: Apache-2.0
/*
 * db_txn.c - collects the switch's write-backs and turns them into operations of RFC 7047, which
 * the embedded server executes and the client sends, see db.h.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "base/util.h"
#include "ovsdb/db.h"
#include "ovsdb/db_priv.h"
#include "ovsdb/error.h"

LOG_MODULE(ovsdb_db);

/* The values for one row. */
struct txn_change {
    UT_hash_handle hh; /* by uuid */
    struct uuid uuid;
    const struct ovsdb_table_schema *table;
    json_t *columns; /* {COLUMN: value} to be set */
    json_t *maps;    /* {COLUMN: {key: value or null}} to be put or removed */
};

struct db_txn {
    struct db *db;
    struct txn_change *changes;
    struct str comment;
};

struct db_txn *
db_txn_create(struct db *db)
{
    struct db_txn *txn = xzalloc(sizeof *txn);

    txn->db = db;
    return txn;
}

void
db_txn_abort(struct db_txn *txn)
{
    struct txn_change *change, *next;

    if (txn == NULL) {
        return;
    }
    HASH_ITER (hh, txn->changes, change, next) {
        HASH_DEL(txn->changes, change);
        json_decref(change->columns);
        json_decref(change->maps);
        free(change);
    }
    str_free(&txn->comment);
    free(txn);
}

void
db_txn_comment(struct db_txn *txn, const char *text)
{
    if (txn->comment.len > 0) {
        str_putc(&txn->comment, '\n');
    }
    str_put(&txn->comment, text);
}

static struct txn_change *
change_get(struct db_txn *txn, const struct db_row *row)
{
    struct txn_change *change;

    HASH_FIND(hh, txn->changes, &row->uuid, sizeof row->uuid, change);
    if (change == NULL) {
        change = xzalloc(sizeof *change);
        change->uuid = row->uuid;
        change->table = row->table->schema;
        change->columns = json_object();
        change->maps = json_object();
        HASH_ADD(hh, txn->changes, uuid, sizeof change->uuid, change);
    }
    return change;
}

/* Sets a column unless the row has that value already.  Takes 'json'. */
static void
set(struct db_txn *txn, const struct db_row *row, const char *name, json_t *json)
{
    static struct log_rate rl = LOG_RATE_INIT(5, 5);
    const struct ovsdb_column *column = ovsdb_table_column(row->table->schema, name);
    struct ovsdb_datum *datum;
    struct ovsdb_error *error;

    if (column == NULL || !column->is_mutable) {
        json_decref(json); /* the server is older than this switch */
        return;
    }
    error = ovsdb_datum_from_json(&column->type, json, NULL, &datum);
    if (error != NULL) {
        char *text = ovsdb_error_take_text(error);

        log_warn_rl(&rl, "table %s, column %s is left as it is: %s", row_table(row), name, text);
        free(text);
        json_decref(json);
        return;
    }

    struct txn_change *change = change_get(txn, row);
    if (ovsdb_datum_equals(datum, ovsdb_row_get(row, column))) {
        json_object_del(change->columns, name);
        json_decref(json);
    } else {
        json_object_set_new(change->columns, name, json);
    }
    ovsdb_datum_unref(datum);
}

/* ["set" or "map", elements]; takes 'elements'. */
static json_t *
composite(const char *tag, json_t *elements)
{
    return json_pack("[s,o]", tag, elements);
}

void
db_txn_clear(struct db_txn *txn, const struct db_row *row, const char *name)
{
    const struct ovsdb_column *column = ovsdb_table_column(row->table->schema, name);
    bool is_map = column != NULL && ovsdb_type_is_map(&column->type);

    set(txn, row, name, composite(is_map ? "map" : "set", json_array()));
}

/* Text from outside (devices, peers) need not be UTF-8; then every byte above 127 becomes '?'. */
static json_t *
string_json(const char *s)
{
    json_t *json = json_string(s);

    if (json == NULL) {
        char *copy = xstrdup(s);

        for (char *p = copy; *p != '\0'; p++) {
            *p = (unsigned char)*p > 127 ? '?' : *p;
        }
        json = json_string(copy);
        free(copy);
    }
    return json;
}

void
db_txn_set_str(struct db_txn *txn, const struct db_row *row, const char *column, const char *value)
{
    if (value == NULL) {
        db_txn_clear(txn, row, column);
    } else {
        set(txn, row, column, string_json(value));
    }
}

void
db_txn_set_int(struct db_txn *txn, const struct db_row *row, const char *column, int64_t value)
{
    set(txn, row, column, json_integer(value));
}

void
db_txn_set_bool(struct db_txn *txn, const struct db_row *row, const char *column, bool value)
{
    set(txn, row, column, json_boolean(value));
}

/* The "set" of an array whose repetitions have been dropped; takes 'array'. */
static json_t *
set_of(json_t *array)
{
    json_t *seen = json_object();

    for (size_t i = 0; i < json_array_size(array);) {
        char *key = json_dumps(json_array_get(array, i), JSON_COMPACT | JSON_ENCODE_ANY);

        if (json_object_get(seen, key) != NULL) {
            json_array_remove(array, i);
        } else {
            json_object_set_new(seen, key, json_true());
            i++;
        }
        free(key);
    }
    json_decref(seen);
    return composite("set", array);
}

void
db_txn_set_strs(struct db_txn *txn, const struct db_row *row, const char *column,
                const char *const *values, size_t n)
{
    json_t *array = json_array();

    for (size_t i = 0; i < n; i++) {
        json_array_append_new(array, string_json(values[i]));
    }
    set(txn, row, column, set_of(array));
}

static json_t *
uuid_json(const struct uuid *uuid)
{
    return ovsdb_atom_to_json(&(union ovsdb_atom){.uuid = *uuid}, OVSDB_UUID);
}

/* The "map" of an object; takes 'object'. */
static json_t *
map_of(json_t *object)
{
    json_t *array = json_array();
    const char *key;
    json_t *value;

    json_object_foreach (object, key, value) {
        json_array_append_new(array, json_pack("[s,O]", key, value));
    }
    json_decref(object);
    return composite("map", array);
}

/* Puts one pair under a key that is made valid like a value. */
static void
map_put(json_t *object, const char *key, json_t *value)
{
    json_t *k = string_json(key);

    json_object_set_new(object, json_string_value(k), value);
    json_decref(k);
}

void
db_txn_set_smap(struct db_txn *txn, const struct db_row *row, const char *column,
                const char *const *keys, const char *const *values, size_t n)
{
    json_t *object = json_object();

    for (size_t i = 0; i < n; i++) {
        map_put(object, keys[i], string_json(values[i]));
    }
    set(txn, row, column, map_of(object));
}

void
db_txn_set_simap(struct db_txn *txn, const struct db_row *row, const char *column,
                 const char *const *keys, const int64_t *values, size_t n)
{
    json_t *object = json_object();

    for (size_t i = 0; i < n; i++) {
        map_put(object, keys[i], json_integer(values[i]));
    }
    set(txn, row, column, map_of(object));
}

void
db_txn_map_put(struct db_txn *txn, const struct db_row *row, const char *name, const char *key,
               const char *value)
{
    const struct ovsdb_column *column = ovsdb_table_column(row->table->schema, name);
    const char *present = row_map_get(row, name, key);
    struct txn_change *change;
    json_t *puts;

    if (column == NULL || column->type.key.type != OVSDB_STRING ||
        column->type.value.type != OVSDB_STRING) {
        return;
    }
    change = change_get(txn, row);
    puts = json_object_get(change->maps, name);
    if (puts == NULL) {
        puts = json_object();
        json_object_set_new(change->maps, name, puts);
    }
    if (present == value || (present != NULL && value != NULL && !strcmp(present, value))) {
        json_object_del(puts, key);
    } else {
        map_put(puts, key, value != NULL ? string_json(value) : json_null());
    }
}

/* Committing. */

static json_t *
where_uuid(const struct uuid *uuid)
{
    return json_pack("[[s,s,o]]", "_uuid", "==", uuid_json(uuid));
}

/* {KEY: value or null} as the mutations that remove all the keys and insert the new pairs. */
static void
add_mutations(json_t *mutations, const char *column, json_t *puts)
{
    json_t *keys = json_array(), *pairs = json_object();
    const char *key;
    json_t *value;

    json_object_foreach (puts, key, value) {
        json_array_append_new(keys, json_string(key));
        if (!json_is_null(value)) {
            json_object_set(pairs, key, value);
        }
    }
    json_array_append_new(mutations,
                          json_pack("[s,s,o]", column, "delete", composite("set", keys)));
    json_array_append_new(mutations, json_pack("[s,s,o]", column, "insert", map_of(pairs)));
}

static void
add_ops(json_t *ops, const struct txn_change *change)
{
    json_t *mutations = json_array();
    const char *column;
    json_t *puts;

    if (json_object_size(change->columns) > 0) {
        json_array_append_new(ops, json_pack("{s:s, s:s, s:o, s:O}", "op", "update", "table",
                                             change->table->name, "where",
                                             where_uuid(&change->uuid), "row", change->columns));
    }
    json_object_foreach (change->maps, column, puts) {
        if (json_object_size(puts) > 0) {
            add_mutations(mutations, column, puts);
        }
    }
    if (json_array_size(mutations) > 0) {
        json_array_append_new(ops, json_pack("{s:s, s:s, s:o, s:O}", "op", "mutate", "table",
                                             change->table->name, "where",
                                             where_uuid(&change->uuid), "mutations", mutations));
    }
    json_decref(mutations);
}

void
db_txn_commit(struct db_txn *txn, db_txn_cb *cb, void *aux)
{
    struct db_completion *completion = xzalloc(sizeof *completion);
    struct db *db = txn->db;
    json_t *ops = json_array();

    completion->cb = cb;
    completion->aux = aux;
    db->n_in_flight++;
    for (const struct txn_change *change = txn->changes; change; change = change->hh.next) {
        add_ops(ops, change);
    }
    if (!db_has_lock(db)) {
        db_complete(db, completion, DB_TXN_NOT_LOCKED, NULL);
        json_decref(ops);
    } else if (json_array_size(ops) == 0) {
        db_complete(db, completion, DB_TXN_UNCHANGED, NULL);
        json_decref(ops);
    } else {
        if (txn->comment.len > 0) {
            json_array_append_new(ops, json_pack("{s:s, s:o}", "op", "comment", "comment",
                                                 string_json(str_cstr(&txn->comment))));
        }
        db->class->transact(db, ops, completion);
    }
    db_txn_abort(txn);
}
