// SPDX-License-Identifier: Apache-2.0
/*
 * mutation.h - <mutation> of RFC 7047 paragraph 5.1: [column, mutator, value], for arithmetic on
 * numbers and for adding to and removing from sets and maps.
 */
#ifndef OVSDB_MUTATION_H
#define OVSDB_MUTATION_H 1

#include <stddef.h>

#include <jansson.h>

#include "ovsdb/row.h"

struct ovsdb_error;
struct ovsdb_symtab;

struct ovsdb_mutation;

struct ovsdb_mutations {
    struct ovsdb_mutation *list;
    size_t n;
};

struct ovsdb_error *ovsdb_mutations_from_json(const struct ovsdb_table_schema *table,
                                              const json_t *json, struct ovsdb_symtab *symtab,
                                              struct ovsdb_mutations *mutations);
void ovsdb_mutations_fini(struct ovsdb_mutations *mutations);

/* Applies all of them in order to a row that its transaction has opened for writing. */
struct ovsdb_error *ovsdb_mutations_apply(const struct ovsdb_mutations *mutations,
                                          struct db_row *row);

#endif /* ovsdb/mutation.h */
