// SPDX-License-Identifier: Apache-2.0
/*
 * condition.h - <condition> of RFC 7047 paragraph 5.1: clauses [column, function, value], and the
 * plain booleans that monitor_cond adds.  In operations all clauses must hold, in monitors any.
 */
#ifndef OVSDB_CONDITION_H
#define OVSDB_CONDITION_H 1

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "ovsdb/row.h"

struct ovsdb_error;
struct ovsdb_symtab;

struct ovsdb_clause;

struct ovsdb_condition {
    struct ovsdb_clause *clauses;
    size_t n;
};

/* Parses an array of clauses.  The empty condition matches every row. */
struct ovsdb_error *ovsdb_condition_from_json(const struct ovsdb_table_schema *table,
                                              const json_t *json, struct ovsdb_symtab *symtab,
                                              struct ovsdb_condition *condition);
void ovsdb_condition_fini(struct ovsdb_condition *condition);

/* Whether data of one row satisfy all, or at least one, of the clauses. */
bool ovsdb_condition_all(const struct ovsdb_condition *condition, struct ovsdb_datum *const *data);
bool ovsdb_condition_any(const struct ovsdb_condition *condition, struct ovsdb_datum *const *data);

/* The UUID that every matching row must have, if a clause demands one. */
const struct uuid *ovsdb_condition_uuid(const struct ovsdb_condition *condition);

#endif /* ovsdb/condition.h */
