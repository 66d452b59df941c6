// SPDX-License-Identifier: Apache-2.0
/*
 * replica.h - a copy of another server's contents, kept up to date by its notifications.  The
 * server has checked everything that spans rows; here only the form of what arrives is checked, and
 * an update is applied even if it refers to rows that are not there.  Main thread.
 */
#ifndef OVSDB_REPLICA_H
#define OVSDB_REPLICA_H 1

#include <stdbool.h>

#include <jansson.h>

#include "ovsdb/row.h"

struct ovsdb_error;

/* The <monitor-requests> for all columns of all tables of 'schema'. */
json_t *ovsdb_replica_requests(const struct ovsdb_schema *schema);

/* Checks that the switch can work with the contents of a server of this schema: the columns that
 * name things are there, and each is one string.  Others may be missing or of other types. */
struct ovsdb_error *ovsdb_replica_check_schema(const struct ovsdb_schema *schema);

/* Says whether a changed column was written by this switch itself. */
typedef bool ovsdb_replica_is_own_fn(void *aux, const struct uuid *row, const char *column);

/* Applies <table-updates> ('is_v1') or <table-updates2>.  Rows that changed in more than columns of
 * our own, or of no use to the switch (external_ids, ...), get 'seqno'; '*foreign' tells whether
 * there was one.  After an error the replica is not what the server has: fetch it anew. */
struct ovsdb_error *ovsdb_replica_apply(struct ovsdb_database *db, const json_t *updates,
                                        bool is_v1, uint64_t seqno, ovsdb_replica_is_own_fn *is_own,
                                        void *aux, bool *foreign);

/* Gives rows of 'new' that are as they were in 'old' their old sequence number. */
void ovsdb_replica_keep_seqnos(struct ovsdb_database *new, const struct ovsdb_database *old);

#endif /* ovsdb/replica.h */
