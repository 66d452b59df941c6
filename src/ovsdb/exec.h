// SPDX-License-Identifier: Apache-2.0
/*
 * exec.h - executes the operations of one "transact" request (RFC 7047 paragraph 5.2).
 */
#ifndef OVSDB_EXEC_H
#define OVSDB_EXEC_H 1

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "ovsdb/txn.h"

struct ovsdb_error;

struct ovsdb_exec {
    /* In. */
    struct ovsdb_database *db;
    bool is_read_only;  /* a reserved database: only reading operations */
    int64_t elapsed_ms; /* since the request came, for "wait" */
    bool (*has_lock)(void *aux, const char *name); /* of the requester, for "assert" */
    void *aux;

    /* Out. */
    json_t *results;       /* new array; NULL if blocked */
    struct ovsdb_txn *txn; /* open; NULL if an operation failed, or if blocked */
    int64_t timeout_ms;    /* if blocked: try again at the latest when this much has elapsed;
                            * INT64_MAX: only when the contents change */
};

/* Executes 'params', the parameters of the request: the database's name, then operations.  If all
 * succeed, 'exec->txn' awaits ovsdb_txn_precommit(), whose error, if any, the caller appends to
 * 'exec->results' with ovsdb_exec_append_error().  A "wait" whose time has not come yet undoes
 * everything and reports "blocked" by 'exec->results' NULL. */
void ovsdb_exec(struct ovsdb_exec *exec, const json_t *params);

/* Appends the object for 'error' to 'results' and frees 'error'. */
void ovsdb_exec_append_error(json_t *results, struct ovsdb_error *error);

#endif /* ovsdb/exec.h */
