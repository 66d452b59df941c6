// SPDX-License-Identifier: Apache-2.0
/*
 * db_client_txn.c - transactions of the client face: sent as requests that end with "assert" of the
 * lock, and kept until their reply is there, see db_client.h.
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/util.h"
#include "ovsdb/db_client.h"
#include "ovsdb/error.h"

bool
client_txn_is_own(void *db_, const struct uuid *uuid, const char *column)
{
    const struct db_client *db = db_;
    const struct client_txn *txn;

    DL_FOREACH (db->txns, txn) {
        const struct client_txn_row *row;

        HASH_FIND(hh, txn->rows, uuid, sizeof *uuid, row);
        if (row != NULL && json_object_get(row->columns, column) != NULL) {
            return true;
        }
    }
    return false;
}

/* The row of an operation's "where"; NULL: it has none. */
static struct client_txn_row *
get_row(struct client_txn *txn, const json_t *op)
{
    const json_t *clause = json_array_get(json_object_get(op, "where"), 0);
    const char *text = json_string_value(json_array_get(json_array_get(clause, 2), 1));
    struct client_txn_row *row;
    struct uuid uuid;

    if (text == NULL || !uuid_from_string(&uuid, text)) {
        return NULL;
    }
    HASH_FIND(hh, txn->rows, &uuid, sizeof uuid, row);
    if (row == NULL) {
        row = xzalloc(sizeof *row);
        row->uuid = uuid;
        row->columns = json_object();
        HASH_ADD(hh, txn->rows, uuid, sizeof row->uuid, row);
    }
    return row;
}

/* There may be thousands of operations, and as many rows in the notification of what they did. */
static void
note_rows(struct client_txn *txn, const json_t *ops)
{
    for (size_t i = 0; i < json_array_size(ops); i++) {
        const json_t *op = json_array_get(ops, i);
        const json_t *mutations = json_object_get(op, "mutations");
        struct client_txn_row *row = get_row(txn, op);
        const char *name;
        json_t *value;

        if (row == NULL) {
            continue;
        }
        json_object_foreach (json_object_get(op, "row"), name, value) {
            json_object_set_new(row->columns, name, json_null());
        }
        for (size_t j = 0; j < json_array_size(mutations); j++) {
            name = json_string_value(json_array_get(json_array_get(mutations, j), 0));
            json_object_set_new(row->columns, name, json_null());
        }
    }
}

static void
txn_finish(struct db_client *db, struct client_txn *txn, enum db_txn_status status, char *error)
{
    struct client_txn_row *row, *next;

    DL_DELETE(db->txns, txn);
    db_complete(&db->up, txn->completion, status, error);
    HASH_ITER (hh, txn->rows, row, next) {
        HASH_DEL(txn->rows, row);
        json_decref(row->columns);
        free(row);
    }
    free(txn);
}

/* What the results of a transaction come to; '*text' gets a new string for DB_TXN_ERROR. */
static enum db_txn_status
classify(const json_t *results, char **text)
{
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *result = json_array_get(results, i);
        const char *error = json_string_value(json_object_get(result, "error"));
        const char *details = json_string_value(json_object_get(result, "details"));

        if (error == NULL) {
            continue;
        }
        if (!strcmp(error, OVSDB_E_NOT_OWNER)) {
            return DB_TXN_NOT_LOCKED;
        }
        if (!strcmp(error, OVSDB_E_TIMEOUT)) {
            return DB_TXN_TRY_AGAIN;
        }
        *text = xasprintf("%s: %s", error, details != NULL ? details : "");
        return DB_TXN_ERROR;
    }
    return DB_TXN_SUCCESS;
}

void
client_transact(struct db *db_, json_t *ops, struct db_completion *completion)
{
    struct db_client *db = client(db_);
    struct client_txn *txn;
    json_t *params = json_copy(ops);

    json_array_insert_new(params, 0, json_string(db->database));
    json_array_append_new(params, json_pack("{s:s, s:s}", "op", "assert", "lock", db->lock));
    txn = xzalloc(sizeof *txn);
    note_rows(txn, ops);
    json_decref(ops);
    txn->completion = completion;
    DL_APPEND(db->txns, txn);
    if (!db->is_monitoring || jsonrpc_send_request(db->rpc, "transact", params, &txn->id) != 0) {
        if (!db->is_monitoring) {
            json_decref(params);
        }
        txn_finish(db, txn, DB_TXN_TRY_AGAIN, NULL);
    }
}

void
client_txn_reply(struct db_client *db, const struct jsonrpc_msg *msg, int64_t id)
{
    struct client_txn *txn, *next;

    DL_FOREACH_SAFE (db->txns, txn, next) {
        if (txn->id == id) {
            char *text = NULL;
            enum db_txn_status status;

            if (msg->type == JSONRPC_ERROR) {
                status = DB_TXN_ERROR;
                text = json_dumps(msg->error, JSON_COMPACT | JSON_ENCODE_ANY);
            } else {
                status = classify(msg->result, &text);
            }
            txn_finish(db, txn, status, text);
            return;
        }
    }
}

void
client_txns_fail(struct db_client *db)
{
    while (db->txns != NULL) {
        txn_finish(db, db->txns, DB_TXN_TRY_AGAIN, NULL);
    }
}
