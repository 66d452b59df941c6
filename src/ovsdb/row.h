// SPDX-License-Identifier: Apache-2.0
/*
 * row.h - the contents of a database: tables of rows, found by UUID or by the columns of a unique
 * index.  Only transactions (txn.h) change them; the replica of the client face fills its own.
 *
 * A row keeps its address from insertion to deletion while its data come and go, so that whoever
 * holds 'struct db_row *' within one iteration of the loop sees the present contents.  Main thread.
 */
#ifndef OVSDB_ROW_H
#define OVSDB_ROW_H 1

#include "base/uthash.h"
#include "base/uuid.h"
#include "ovsdb/datum.h"
#include "ovsdb/schema.h"

struct ovsdb_txn_row;

struct db_row {
    UT_hash_handle hh; /* in its table, by uuid */
    struct ovsdb_table *table;
    struct uuid uuid;
    uint64_t seqno;                /* of the last change that the bridge wants to hear of */
    uint64_t n_refs;               /* strong references from other rows */
    struct ovsdb_txn_row *txn_row; /* NULL outside of a transaction that touches it */
    struct ovsdb_datum **data;     /* by column index */
};

/* Finds the committed row for one value of a unique index. */
struct ovsdb_index_entry;

struct ovsdb_table {
    const struct ovsdb_table_schema *schema;
    struct ovsdb_database *db;
    struct db_row *rows;
    struct ovsdb_index_entry **indexes; /* one hash for each index of the schema */
};

struct ovsdb_database {
    struct ovsdb_schema *schema;
    struct ovsdb_table **tables; /* by the schema's index */
    uint64_t seqno;
};

/* An empty database.  Takes 'schema'. */
struct ovsdb_database *ovsdb_database_create(struct ovsdb_schema *schema);
void ovsdb_database_destroy(struct ovsdb_database *db);

struct ovsdb_table *ovsdb_database_table(const struct ovsdb_database *db, const char *name);
struct db_row *ovsdb_table_row(const struct ovsdb_table *table, const struct uuid *uuid);

/* A new row of default values, in no table yet. */
struct db_row *ovsdb_row_create(struct ovsdb_table *table, const struct uuid *uuid);
void ovsdb_row_destroy(struct db_row *row);
void ovsdb_table_add(struct ovsdb_table *table, struct db_row *row);
void ovsdb_table_remove(struct ovsdb_table *table, struct db_row *row);

/* Sets one column; takes 'datum'. */
void ovsdb_row_set(struct db_row *row, uint32_t column, struct ovsdb_datum *datum);

static inline const struct ovsdb_datum *
ovsdb_row_get(const struct db_row *row, const struct ovsdb_column *column)
{
    return row->data[column->index];
}

/* Data of a row on their own: for undo records. */
struct ovsdb_datum **ovsdb_data_clone(struct ovsdb_datum *const *data, uint32_t n);
void ovsdb_data_destroy(struct ovsdb_datum **data, uint32_t n);

/* Unique indexes: the committed row other than 'row' with the same values as 'data' has in index
 * 'i', or NULL; and entering and leaving. */
struct db_row *ovsdb_index_find(const struct ovsdb_table *table, size_t i,
                                struct ovsdb_datum *const *data, const struct db_row *row);
void ovsdb_index_add(struct db_row *row, struct ovsdb_datum *const *data);
void ovsdb_index_remove(struct db_row *row, struct ovsdb_datum *const *data);

/* Appends the hash key of 'data' in index 'i'. */
struct str;
void ovsdb_index_put_key(const struct ovsdb_index_schema *index, struct ovsdb_datum *const *data,
                         struct str *key);

#endif /* ovsdb/row.h */
