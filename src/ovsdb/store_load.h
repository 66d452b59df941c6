// SPDX-License-Identifier: Apache-2.0
/*
 * store_load.h - the loading half of a store; private to store.c.
 */
#ifndef OVSDB_STORE_LOAD_H
#define OVSDB_STORE_LOAD_H 1

#include <stdbool.h>

#include "ovsdb/row.h"

struct ovsdb_journal;

/* Does what ovsdb_store_open() promises, up to the conversion in memory; '*must_rewrite' says that
 * the journal still has the old schema. */
int ovsdb_store_load(const char *path, const struct ovsdb_schema *schema,
                     struct ovsdb_database **dbp, struct ovsdb_journal **journalp,
                     bool *must_rewrite, char **error);

#endif /* ovsdb/store_load.h */
