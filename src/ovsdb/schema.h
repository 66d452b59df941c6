// SPDX-License-Identifier: Apache-2.0
/*
 * schema.h - <database-schema> of RFC 7047 paragraph 3.2: parsed, checked, and printed again in a
 * normal form.  Read-only once parsed; owned by the database that it describes.
 */
#ifndef OVSDB_SCHEMA_H
#define OVSDB_SCHEMA_H 1

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/uthash.h"
#include "ovsdb/type.h"

struct ovsdb_error;

/* Every table has these two in front of its own columns. */
enum { OVSDB_COL_UUID, OVSDB_COL_VERSION, OVSDB_N_STD_COLS };

struct ovsdb_column {
    UT_hash_handle hh; /* by name */
    char *name;
    uint32_t index; /* in a row's array of data */
    bool is_mutable;
    bool is_persistent; /* false: "ephemeral" */
    struct ovsdb_type type;
};

/* An entry of "indexes". */
struct ovsdb_index_schema {
    const struct ovsdb_column **columns;
    size_t n_columns;
};

struct ovsdb_table_schema {
    UT_hash_handle hh; /* by name */
    char *name;
    uint32_t index; /* in the database's array of tables */
    bool is_mutable;
    bool is_root; /* rows stay without being referred to */
    uint32_t max_rows;
    struct ovsdb_column *by_name;  /* all columns */
    struct ovsdb_column **columns; /* by index */
    uint32_t n_columns;
    struct ovsdb_index_schema *indexes;
    size_t n_indexes;
};

struct ovsdb_schema {
    char *name;
    char *version; /* "" if absent */
    char *cksum;   /* "" if absent */
    struct ovsdb_table_schema *by_name;
    struct ovsdb_table_schema **tables; /* by index */
    uint32_t n_tables;
};

struct ovsdb_error *ovsdb_schema_from_json(const json_t *json, struct ovsdb_schema **schemap);
struct ovsdb_error *ovsdb_schema_from_text(const char *text, struct ovsdb_schema **schemap);
struct ovsdb_error *ovsdb_schema_from_file(const char *path, struct ovsdb_schema **schemap);
void ovsdb_schema_destroy(struct ovsdb_schema *schema);

json_t *ovsdb_schema_to_json(const struct ovsdb_schema *schema);

/* Same tables, columns, types, constraints and indexes, same name and version; "cksum" may differ.
 */
bool ovsdb_schema_equals(const struct ovsdb_schema *a, const struct ovsdb_schema *b);

/* NULL when there is none of that name. */
struct ovsdb_table_schema *ovsdb_schema_table(const struct ovsdb_schema *schema, const char *name);
const struct ovsdb_column *ovsdb_table_column(const struct ovsdb_table_schema *table,
                                              const char *name);

#endif /* ovsdb/schema.h */
