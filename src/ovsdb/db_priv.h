// SPDX-License-Identifier: Apache-2.0
/*
 * db_priv.h - what both faces of the database have in common: a copy of the contents in memory, the
 * change callback, and how a finished transaction goes on its way.  Private to db*.c.
 */
#ifndef OVSDB_DB_PRIV_H
#define OVSDB_DB_PRIV_H 1

#include <jansson.h>

#include "base/loop.h"
#include "ovsdb/db.h"
#include "ovsdb/row.h"

/* The result of a transaction that its owner is still to hear. */
struct db_completion {
    struct db_completion *prev, *next;
    db_txn_cb *cb;
    void *aux;
    enum db_txn_status status;
    char *error;
};

struct db_class {
    void (*close)(struct db *db);
    bool (*is_ready)(const struct db *db);
    bool (*has_lock)(const struct db *db);
    bool (*is_lock_contended)(const struct db *db);
    int (*yield_ms)(const struct db *db); /* NULL: -1 */
    /* Takes 'ops', an array of operations without the database's name.  Must call db_complete()
     * once, now or later, with 'completion', which it takes too. */
    void (*transact)(struct db *db, json_t *ops, struct db_completion *completion);
    /* At once; takes 'ops'.  NULL: cannot. */
    int (*execute)(struct db *db, json_t *ops, char **error);
    char *(*describe)(const struct db *db);
};

struct db {
    const struct db_class *class;
    struct loop *loop;
    struct ovsdb_database *contents; /* NULL before the first snapshot (client face) */
    uint64_t seqno;
    db_change_cb *change_cb;
    void *change_aux;
    struct db_completion *completions; /* utlist, finished */
    size_t n_in_flight;
};

void db_init(struct db *db, const struct db_class *class, struct loop *loop);
void db_fini(struct db *db);

/* Raises the sequence number, with that of the contents, and schedules the change callback. */
void db_changed(struct db *db);

/* Hands a result over to the loop.  Takes 'completion' and 'error'. */
void db_complete(struct db *db, struct db_completion *completion, enum db_txn_status status,
                 char *error);

#endif /* ovsdb/db_priv.h */
