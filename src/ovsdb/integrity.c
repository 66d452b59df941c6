// SPDX-License-Identifier: Apache-2.0
/*
 * integrity.c - what a transaction must satisfy when it ends: strong references lead to rows, rows
 * outside the root set are referred to, weak references to deleted rows vanish, tables keep their
 * maxRows and unique indexes (RFC 7047 paragraph 3.2 and the notes on "commit").
 *
 * Everything is incremental: only rows that the transaction touched, and what they refer to, are
 * looked at; the exception are tables with weak references, which are searched when a table that
 * they refer to lost a row.
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/util.h"
#include "ovsdb/error.h"
#include "ovsdb/txn.h"

/* Strong references. */

/* The row that a reference leads to, also if this transaction deleted it. */
static struct db_row *
find_deleted_too(struct ovsdb_txn *txn, const struct ovsdb_table_schema *ref,
                 const struct uuid *uuid)
{
    struct db_row *row = ovsdb_table_row(txn->db->tables[ref->index], uuid);

    if (row == NULL) {
        HASH_FIND(hh, txn->deleted[ref->index], uuid, sizeof *uuid, row);
    }
    return row;
}

static bool
is_strong(const struct ovsdb_base *base)
{
    return base->type == OVSDB_UUID && base->uuid.ref != NULL && !base->uuid.is_weak;
}

static bool
is_weak(const struct ovsdb_base *base)
{
    return base->type == OVSDB_UUID && base->uuid.ref != NULL && base->uuid.is_weak;
}

static struct ovsdb_error *
nonexistent(const struct db_row *row, const struct ovsdb_column *column,
            const struct ovsdb_base *base, const union ovsdb_atom *atom)
{
    char from[UUID_LEN + 1], to[UUID_LEN + 1];

    uuid_format(&row->uuid, from);
    uuid_format(&atom->uuid, to);
    return ovsdb_error_create(
        OVSDB_E_REFERENCE, "Table %s column %s row %s references nonexistent row %s in table %s.",
        row->table->schema->name, column->name, from, to, base->uuid.ref->name);
}

/* Adds 'delta' to the count of the row that 'atom' leads to. */
static struct ovsdb_error *
count_atom(struct ovsdb_txn *txn, const struct db_row *row, const struct ovsdb_column *column,
           const union ovsdb_atom *atom, bool is_value, int delta)
{
    const struct ovsdb_base *base = is_value ? &column->type.value : &column->type.key;
    struct db_row *target =
        delta < 0 ? find_deleted_too(txn, base->uuid.ref, &atom->uuid)
                  : ovsdb_table_row(txn->db->tables[base->uuid.ref->index], &atom->uuid);

    if (target == NULL) {
        return nonexistent(row, column, base, atom);
    }
    if (target != row) { /* a row cannot keep itself */
        ovsdb_txn_modify(txn, target);
        target->n_refs += (uint64_t)(int64_t)delta;
    }
    return NULL;
}

/* Counts the references of 'datum' that are not in 'other' as well (NULL: none are): a set of
 * thousands of which one changes must not touch thousands of rows. */
static struct ovsdb_error *
count_datum(struct ovsdb_txn *txn, const struct db_row *row, const struct ovsdb_column *column,
            const struct ovsdb_datum *datum, const struct ovsdb_datum *other, int delta)
{
    bool strong_keys = is_strong(&column->type.key), strong_values = is_strong(&column->type.value);
    struct ovsdb_error *error = NULL;

    for (uint32_t i = 0; datum != NULL && i < datum->n && error == NULL; i++) {
        uint32_t j = other != NULL ? ovsdb_datum_find(other, &datum->keys[i]) : UINT32_MAX;
        bool is_same_value = j != UINT32_MAX && strong_values &&
                             uuid_equals(&other->values[j].uuid, &datum->values[i].uuid);

        if (strong_keys && j == UINT32_MAX) {
            error = count_atom(txn, row, column, &datum->keys[i], false, delta);
        }
        if (strong_values && !is_same_value && error == NULL) {
            error = count_atom(txn, row, column, &datum->values[i], true, delta);
        }
    }
    return error;
}

/* Moves the counts from 'counted' to the row's present data. */
static struct ovsdb_error *
count_row(struct ovsdb_txn *txn, struct ovsdb_txn_row *txn_row)
{
    const struct db_row *row = txn_row->row;
    const struct ovsdb_table_schema *schema = row->table->schema;
    struct ovsdb_error *error = NULL;

    for (uint32_t i = OVSDB_N_STD_COLS; i < schema->n_columns && error == NULL; i++) {
        const struct ovsdb_column *column = schema->columns[i];
        const struct ovsdb_type *type = &column->type;
        const struct ovsdb_datum *old = txn_row->counted != NULL ? txn_row->counted[i] : NULL;
        const struct ovsdb_datum *new = txn_row->is_deleted ? NULL : row->data[i];

        if (old == new || !(is_strong(&type->key) || is_strong(&type->value))) {
            continue;
        }
        error = count_datum(txn, row, column, old, new, -1);
        if (error == NULL) {
            error = count_datum(txn, row, column, new, old, 1);
        }
    }
    ovsdb_data_destroy(txn_row->counted, schema->n_columns);
    txn_row->counted = txn_row->is_deleted ? NULL : ovsdb_data_clone(row->data, schema->n_columns);
    return error;
}

static struct ovsdb_error *
count_all(struct ovsdb_txn *txn)
{
    struct ovsdb_txn_row *txn_row;
    struct ovsdb_error *error;

    DL_FOREACH (txn->rows, txn_row) {
        error = count_row(txn, txn_row);
        if (error != NULL) {
            return error;
        }
    }
    return NULL;
}

/* Deletes rows outside the root set that nothing refers to; deleting one can free others, which
 * are then in the list as well because counting touched them. */
static struct ovsdb_error *
collect_garbage(struct ovsdb_txn *txn)
{
    bool found;

    do {
        struct ovsdb_txn_row *txn_row;

        found = false;
        DL_FOREACH (txn->rows, txn_row) {
            struct db_row *row = txn_row->row;

            if (!txn_row->is_deleted && row->n_refs == 0 && !row->table->schema->is_root) {
                ovsdb_txn_delete(txn, row);
                struct ovsdb_error *error = count_row(txn, txn_row);
                if (error != NULL) {
                    return error;
                }
                found = true;
            }
        }
    } while (found);
    return NULL;
}

static struct ovsdb_error *
check_deleted(const struct ovsdb_txn *txn)
{
    const struct ovsdb_txn_row *txn_row;

    DL_FOREACH (txn->rows, txn_row) {
        if (txn_row->is_deleted && txn_row->row->n_refs > 0) {
            char uuid[UUID_LEN + 1];

            uuid_format(&txn_row->row->uuid, uuid);
            return ovsdb_error_create(OVSDB_E_REFERENCE,
                                      "cannot delete %s row %s because of %zu remaining "
                                      "reference(s)",
                                      txn_row->row->table->schema->name, uuid,
                                      (size_t)txn_row->row->n_refs);
        }
    }
    return NULL;
}

/* Weak references. */

static bool
weak_target_exists(const struct ovsdb_txn *txn, const struct ovsdb_base *base,
                   const union ovsdb_atom *atom)
{
    return !is_weak(base) ||
           ovsdb_table_row(txn->db->tables[base->uuid.ref->index], &atom->uuid) != NULL;
}

/* The elements of 'datum' whose weak references lead nowhere, or NULL if there are none. */
static struct ovsdb_datum *
dangling(const struct ovsdb_txn *txn, const struct ovsdb_type *type,
         const struct ovsdb_datum *datum)
{
    struct ovsdb_datum *bad = NULL;

    for (uint32_t i = 0; i < datum->n; i++) {
        if (weak_target_exists(txn, &type->key, &datum->keys[i]) &&
            (datum->values == NULL || weak_target_exists(txn, &type->value, &datum->values[i]))) {
            continue;
        }
        if (bad == NULL) {
            bad = ovsdb_datum_create(datum->key_type, OVSDB_VOID, datum->n);
        }
        union ovsdb_atom key = datum->keys[i];
        if (datum->key_type == OVSDB_STRING) {
            key.string = xstrdup(key.string);
        }
        ovsdb_datum_add(bad, key, NULL);
    }
    return bad;
}

static struct ovsdb_error *
clean_row(struct ovsdb_txn *txn, struct db_row *row, bool *changed)
{
    const struct ovsdb_table_schema *schema = row->table->schema;

    for (uint32_t i = OVSDB_N_STD_COLS; i < schema->n_columns; i++) {
        const struct ovsdb_type *type = &schema->columns[i]->type;

        if (!is_weak(&type->key) && !is_weak(&type->value)) {
            continue;
        }
        struct ovsdb_datum *bad = dangling(txn, type, row->data[i]);
        if (bad == NULL) {
            continue;
        }
        ovsdb_txn_modify(txn, row);
        ovsdb_row_set(row, i, ovsdb_datum_subtract(row->data[i], bad));
        ovsdb_datum_unref(bad);
        *changed = true;
        if (row->data[i]->n < type->n_min) {
            char uuid[UUID_LEN + 1];

            uuid_format(&row->uuid, uuid);
            return ovsdb_error_create(OVSDB_E_CONSTRAINT,
                                      "Weak reference column \"%s\" in \"%s\" row %s would be left "
                                      "without a value, which its type does not allow.",
                                      schema->columns[i]->name, schema->name, uuid);
        }
    }
    return NULL;
}

/* True if some column of 'schema' refers weakly to a table that lost rows. */
static bool
table_may_dangle(const struct ovsdb_txn *txn, const struct ovsdb_table_schema *schema)
{
    for (uint32_t i = OVSDB_N_STD_COLS; i < schema->n_columns; i++) {
        const struct ovsdb_type *type = &schema->columns[i]->type;

        if ((is_weak(&type->key) && txn->deleted[type->key.uuid.ref->index] != NULL) ||
            (is_weak(&type->value) && txn->deleted[type->value.uuid.ref->index] != NULL)) {
            return true;
        }
    }
    return false;
}

static struct ovsdb_error *
clean_weak(struct ovsdb_txn *txn, bool *changed)
{
    struct ovsdb_error *error = NULL;
    struct ovsdb_txn_row *txn_row;

    *changed = false;
    DL_FOREACH (txn->rows, txn_row) {
        if (!txn_row->is_deleted && error == NULL) {
            error = clean_row(txn, txn_row->row, changed);
        }
    }
    for (uint32_t i = 0; i < txn->db->schema->n_tables && error == NULL; i++) {
        struct ovsdb_table *table = txn->db->tables[i];

        if (table_may_dangle(txn, table->schema)) {
            for (struct db_row *row = table->rows; row != NULL && error == NULL;
                 row = row->hh.next) {
                error = clean_row(txn, row, changed);
            }
        }
    }
    return error;
}

/* Tables as wholes. */

static void
find_changes(struct ovsdb_txn_row *txn_row)
{
    struct db_row *row = txn_row->row;
    uint32_t n = row->table->schema->n_columns;

    if (txn_row->old == NULL || txn_row->is_deleted) {
        /* Inserted and deleted in one transaction is no change at all. */
        txn_row->is_changed = !(txn_row->old == NULL && txn_row->is_deleted);
    } else {
        txn_row->changed = xcalloc(n, sizeof(bool));
        for (uint32_t i = OVSDB_N_STD_COLS; i < n; i++) {
            txn_row->changed[i] = !ovsdb_datum_equals(txn_row->old[i], row->data[i]);
            txn_row->is_changed = txn_row->is_changed || txn_row->changed[i];
        }
        txn_row->changed[OVSDB_COL_VERSION] = txn_row->is_changed;
    }
    if (txn_row->is_changed && !txn_row->is_deleted) {
        struct uuid version;

        uuid_generate(&version);
        ovsdb_row_set(row, OVSDB_COL_VERSION, ovsdb_datum_from_uuid(&version));
    }
}

static struct ovsdb_error *
check_max_rows(const struct ovsdb_txn *txn)
{
    for (uint32_t i = 0; i < txn->db->schema->n_tables; i++) {
        const struct ovsdb_table *table = txn->db->tables[i];
        size_t n = HASH_COUNT(table->rows);

        if (n > table->schema->max_rows) {
            return ovsdb_error_create(
                OVSDB_E_CONSTRAINT,
                "transaction causes \"%s\" table to contain %zu rows, greater "
                "than the schema-defined limit of %u row(s)",
                table->schema->name, n, table->schema->max_rows);
        }
    }
    return NULL;
}

struct new_key {
    UT_hash_handle hh;
    struct db_row *row;
    size_t size;
    char key[];
};

static struct ovsdb_error *
duplicate_index(const struct ovsdb_table_schema *table, const struct ovsdb_index_schema *index,
                const struct db_row *first, const struct db_row *second)
{
    char a[UUID_LEN + 1], b[UUID_LEN + 1];
    struct str columns = STR_INIT, values = STR_INIT;

    uuid_format(&first->uuid, a);
    uuid_format(&second->uuid, b);
    for (size_t i = 0; i < index->n_columns; i++) {
        str_printf(&columns, "%s\"%s\"", i > 0 ? ", " : "", index->columns[i]->name);
        str_put(&values, i > 0 ? ", " : "");
        ovsdb_datum_format(ovsdb_row_get(first, index->columns[i]), &values);
    }
    struct ovsdb_error *error = ovsdb_error_create(
        OVSDB_E_CONSTRAINT,
        "Transaction causes multiple rows in \"%s\" table to have identical values (%.256s) for "
        "index on column%s %s: rows %s and %s.",
        table->name, str_cstr(&values), index->n_columns > 1 ? "s" : "", str_cstr(&columns), a, b);
    str_free(&columns);
    str_free(&values);
    return error;
}

/* Compares the new keys of one index with each other and with those of rows that the transaction
 * leaves alone. */
static struct ovsdb_error *
check_index(const struct ovsdb_txn *txn, const struct ovsdb_table *table, size_t i)
{
    const struct ovsdb_index_schema *index = &table->schema->indexes[i];
    struct new_key *keys = NULL, *entry, *next;
    struct ovsdb_error *error = NULL;
    struct ovsdb_txn_row *txn_row;

    DL_FOREACH (txn->rows, txn_row) {
        struct db_row *row = txn_row->row, *other;
        struct str key = STR_INIT;

        if (row->table != table || txn_row->is_deleted || error != NULL) {
            continue;
        }
        ovsdb_index_put_key(index, row->data, &key);
        HASH_FIND(hh, keys, key.buf, key.len, entry);
        other = entry != NULL ? entry->row : ovsdb_index_find(table, i, row->data, row);
        if (other != NULL && (entry != NULL || other->txn_row == NULL)) {
            error = duplicate_index(table->schema, index, row, other);
        } else {
            entry = xzalloc(sizeof *entry + key.len);
            entry->row = row;
            entry->size = key.len;
            memcpy(entry->key, key.buf, key.len);
            HASH_ADD_KEYPTR(hh, keys, entry->key, entry->size, entry);
        }
        str_free(&key);
    }
    HASH_ITER (hh, keys, entry, next) {
        HASH_DEL(keys, entry);
        free(entry);
    }
    return error;
}

static struct ovsdb_error *
check_indexes(const struct ovsdb_txn *txn)
{
    bool *is_touched = xcalloc(txn->db->schema->n_tables + 1, sizeof(bool));
    struct ovsdb_error *error = NULL;
    struct ovsdb_txn_row *txn_row;

    DL_FOREACH (txn->rows, txn_row) {
        is_touched[txn_row->row->table->schema->index] = true;
    }
    for (uint32_t i = 0; i < txn->db->schema->n_tables; i++) {
        const struct ovsdb_table *table = txn->db->tables[i];

        for (size_t j = 0; is_touched[i] && j < table->schema->n_indexes && error == NULL; j++) {
            error = check_index(txn, table, j);
        }
    }
    free(is_touched);
    return error;
}

struct ovsdb_error *
ovsdb_txn_precommit(struct ovsdb_txn *txn)
{
    struct ovsdb_txn_row *txn_row;
    struct ovsdb_error *error;
    bool again;

    /* Cleaning a weak reference can drop a strong one that shares its map, hence the loop. */
    do {
        error = count_all(txn);
        if (error == NULL) {
            /* Also a reference from a row that is about to be collected forbids to delete. */
            error = check_deleted(txn);
        }
        if (error == NULL) {
            error = collect_garbage(txn);
        }
        if (error == NULL) {
            error = clean_weak(txn, &again);
        }
        if (error != NULL) {
            return error;
        }
    } while (again);

    DL_FOREACH (txn->rows, txn_row) {
        find_changes(txn_row);
    }
    error = check_max_rows(txn);
    return error != NULL ? error : check_indexes(txn);
}
