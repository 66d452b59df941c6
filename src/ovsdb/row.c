// SPDX-License-Identifier: Apache-2.0
/*
 * row.c - tables, rows and unique indexes in memory, see row.h.
 */
#include "ovsdb/row.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/util.h"

struct ovsdb_index_entry {
    UT_hash_handle hh;
    struct db_row *row;
    size_t size;
    char key[];
};

struct ovsdb_database *
ovsdb_database_create(struct ovsdb_schema *schema)
{
    struct ovsdb_database *db = xzalloc(sizeof *db);

    db->schema = schema;
    db->tables = xcalloc(schema->n_tables + 1, sizeof(struct ovsdb_table *));
    for (uint32_t i = 0; i < schema->n_tables; i++) {
        struct ovsdb_table *table = xzalloc(sizeof *table);

        table->schema = schema->tables[i];
        table->db = db;
        table->indexes = xcalloc(table->schema->n_indexes + 1, sizeof(struct ovsdb_index_entry *));
        db->tables[i] = table;
    }
    return db;
}

static void
index_clear(struct ovsdb_index_entry **index)
{
    struct ovsdb_index_entry *entry, *next;

    HASH_ITER (hh, *index, entry, next) {
        HASH_DEL(*index, entry);
        free(entry);
    }
}

void
ovsdb_database_destroy(struct ovsdb_database *db)
{
    if (db == NULL) {
        return;
    }
    for (uint32_t i = 0; i < db->schema->n_tables; i++) {
        struct ovsdb_table *table = db->tables[i];
        struct db_row *row, *next;

        HASH_ITER (hh, table->rows, row, next) {
            HASH_DEL(table->rows, row);
            ovsdb_row_destroy(row);
        }
        for (size_t j = 0; j < table->schema->n_indexes; j++) {
            index_clear(&table->indexes[j]);
        }
        free(table->indexes);
        free(table);
    }
    free(db->tables);
    ovsdb_schema_destroy(db->schema);
    free(db);
}

struct ovsdb_table *
ovsdb_database_table(const struct ovsdb_database *db, const char *name)
{
    const struct ovsdb_table_schema *schema = ovsdb_schema_table(db->schema, name);

    return schema != NULL ? db->tables[schema->index] : NULL;
}

struct db_row *
ovsdb_table_row(const struct ovsdb_table *table, const struct uuid *uuid)
{
    struct db_row *row;

    HASH_FIND(hh, table->rows, uuid, sizeof *uuid, row);
    return row;
}

struct db_row *
ovsdb_row_create(struct ovsdb_table *table, const struct uuid *uuid)
{
    const struct ovsdb_table_schema *schema = table->schema;
    struct db_row *row = xzalloc(sizeof *row);

    row->table = table;
    row->uuid = *uuid;
    row->data = xcalloc(schema->n_columns, sizeof(struct ovsdb_datum *));
    for (uint32_t i = 0; i < schema->n_columns; i++) {
        row->data[i] = i == OVSDB_COL_UUID ? ovsdb_datum_from_uuid(uuid)
                                           : ovsdb_datum_default(&schema->columns[i]->type);
    }
    return row;
}

void
ovsdb_row_destroy(struct db_row *row)
{
    if (row != NULL) {
        ovsdb_data_destroy(row->data, row->table->schema->n_columns);
        free(row);
    }
}

void
ovsdb_table_add(struct ovsdb_table *table, struct db_row *row)
{
    HASH_ADD(hh, table->rows, uuid, sizeof row->uuid, row);
}

void
ovsdb_table_remove(struct ovsdb_table *table, struct db_row *row)
{
    HASH_DEL(table->rows, row);
}

void
ovsdb_row_set(struct db_row *row, uint32_t column, struct ovsdb_datum *datum)
{
    ovsdb_datum_unref(row->data[column]);
    row->data[column] = datum;
}

struct ovsdb_datum **
ovsdb_data_clone(struct ovsdb_datum *const *data, uint32_t n)
{
    struct ovsdb_datum **clone = xcalloc(n, sizeof(struct ovsdb_datum *));

    for (uint32_t i = 0; i < n; i++) {
        clone[i] = ovsdb_datum_ref(data[i]);
    }
    return clone;
}

void
ovsdb_data_destroy(struct ovsdb_datum **data, uint32_t n)
{
    if (data != NULL) {
        for (uint32_t i = 0; i < n; i++) {
            ovsdb_datum_unref(data[i]);
        }
        free(data);
    }
}

/* Unique indexes. */

void
ovsdb_index_put_key(const struct ovsdb_index_schema *index, struct ovsdb_datum *const *data,
                    struct str *key)
{
    for (size_t i = 0; i < index->n_columns; i++) {
        ovsdb_datum_put_key(data[index->columns[i]->index], key);
    }
}

static struct ovsdb_index_entry *
index_find_entry(const struct ovsdb_table *table, size_t i, struct ovsdb_datum *const *data)
{
    struct ovsdb_index_entry *entry;
    struct str key = STR_INIT;

    ovsdb_index_put_key(&table->schema->indexes[i], data, &key);
    HASH_FIND(hh, table->indexes[i], key.buf, key.len, entry);
    str_free(&key);
    return entry;
}

struct db_row *
ovsdb_index_find(const struct ovsdb_table *table, size_t i, struct ovsdb_datum *const *data,
                 const struct db_row *row)
{
    struct ovsdb_index_entry *entry = index_find_entry(table, i, data);

    return entry != NULL && entry->row != row ? entry->row : NULL;
}

void
ovsdb_index_add(struct db_row *row, struct ovsdb_datum *const *data)
{
    for (size_t i = 0; i < row->table->schema->n_indexes; i++) {
        struct str key = STR_INIT;

        ovsdb_index_put_key(&row->table->schema->indexes[i], data, &key);
        struct ovsdb_index_entry *entry = xzalloc(sizeof *entry + key.len);
        entry->row = row;
        entry->size = key.len;
        memcpy(entry->key, key.buf, key.len);
        HASH_ADD_KEYPTR(hh, row->table->indexes[i], entry->key, entry->size, entry);
        str_free(&key);
    }
}

void
ovsdb_index_remove(struct db_row *row, struct ovsdb_datum *const *data)
{
    for (size_t i = 0; i < row->table->schema->n_indexes; i++) {
        struct ovsdb_index_entry *entry = index_find_entry(row->table, i, data);

        if (entry != NULL && entry->row == row) {
            HASH_DEL(row->table->indexes[i], entry);
            free(entry);
        }
    }
}
