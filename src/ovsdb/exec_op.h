// SPDX-License-Identifier: Apache-2.0
/*
 * exec_op.h - one operation under way: shared by exec.c and exec_read.c, private to them.
 */
#ifndef OVSDB_EXEC_OP_H
#define OVSDB_EXEC_OP_H 1

#include "ovsdb/condition.h"
#include "ovsdb/exec.h"

struct ovsdb_op {
    struct ovsdb_exec *exec;
    struct ovsdb_txn *txn;
    struct ovsdb_symtab *symtab;
    const json_t *json;           /* the operation */
    json_t *result;               /* its result object, to be filled */
    struct ovsdb_table *table;    /* by ovsdb_op_table() */
    struct ovsdb_condition where; /* by ovsdb_op_where(); freed by the caller */
    bool is_blocked;              /* set by "wait" */
};

/* Parse the members of that name. */
struct ovsdb_error *ovsdb_op_table(struct ovsdb_op *op);
struct ovsdb_error *ovsdb_op_where(struct ovsdb_op *op);

/* Parses a <row> into 'data', an array of the table's n_columns NULL pointers that the caller frees
 * with ovsdb_op_free_row(), also after an error.  Columns that the row does not name stay NULL. */
struct ovsdb_error *ovsdb_op_row(struct ovsdb_op *op, const json_t *json,
                                 struct ovsdb_datum **data);
void ovsdb_op_free_row(struct ovsdb_op *op, struct ovsdb_datum **data);

/* The rows that satisfy 'op->where', a new array. */
struct db_row **ovsdb_op_matches(struct ovsdb_op *op, size_t *np);

/* exec_read.c */
struct ovsdb_error *ovsdb_exec_select(struct ovsdb_op *op);
struct ovsdb_error *ovsdb_exec_wait(struct ovsdb_op *op);

#endif /* ovsdb/exec_op.h */
