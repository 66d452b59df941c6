// SPDX-License-Identifier: Apache-2.0
/*
 * journal.h - the file under a database: a sequence of JSON records, each behind a header line with
 * its length and SHA-1, the format that stock ovsdb-server and ovsdb-tool read and write.
 *
 *     OVSDB JSON 14759 deed1daa3dc5e33410f5590b12b7cf86e5ad7c1b
 *     {"name":"Open_vSwitch",...}
 *
 * This file knows records, not what they mean: store.h does.  One process at a time holds the lock
 * file ".NAME.~lock~" beside the journal.  A failed append leaves the file as it was.
 * Main thread.
 */
#ifndef OVSDB_JOURNAL_H
#define OVSDB_JOURNAL_H 1

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct ovsdb_error;
struct ovsdb_journal;

/* Opens and locks an existing journal for reading and appending.  -ENOENT if there is none,
 * -EAGAIN if another process has it locked, other errors negative; '*error' a text for the operator
 * that the caller frees. */
int ovsdb_journal_open(const char *path, struct ovsdb_journal **journalp, char **error);

/* Makes a new journal that consists of 'records', durable under its final name, and opens it.
 * -EEXIST if there is one. */
int ovsdb_journal_create(const char *path, json_t *const records[], size_t n,
                         struct ovsdb_journal **journalp, char **error);

void ovsdb_journal_close(struct ovsdb_journal *journal);

enum ovsdb_journal_status {
    OVSDB_JOURNAL_RECORD,  /* '*record' is a new reference */
    OVSDB_JOURNAL_END,     /* after the last record */
    OVSDB_JOURNAL_TORN,    /* the file ends within a record: a crash during an append */
    OVSDB_JOURNAL_DAMAGED, /* something else than a record */
    OVSDB_JOURNAL_FAILED,  /* the file cannot be read */
};

/* Reads the next record.  '*problem' gets a text for all but RECORD and END, which the caller
 * frees. */
enum ovsdb_journal_status ovsdb_journal_read(struct ovsdb_journal *journal, json_t **record,
                                             char **problem);

/* Gives the last record that was read back as bad: ovsdb_journal_cut() will cut in front of it. */
void ovsdb_journal_unread(struct ovsdb_journal *journal);

/* Ends reading.  Whatever follows the last good record is cut off; if 'copy_path' is not NULL it is
 * first saved under that name.  0 or a negative errno, with nothing changed. */
int ovsdb_journal_cut(struct ovsdb_journal *journal, const char *copy_path);

/* Appends a record and makes it durable.  0 or a negative errno, then the journal holds what it
 * held before. */
int ovsdb_journal_append(struct ovsdb_journal *journal, const json_t *record);

/* Replaces the whole contents in one atomic step.  0 or a negative errno with the old contents. */
int ovsdb_journal_replace(struct ovsdb_journal *journal, json_t *const records[], size_t n);

/* Copies the file as it is to 'path', which must not exist.  0 or a negative errno. */
int ovsdb_journal_copy(const struct ovsdb_journal *journal, const char *path);

const char *ovsdb_journal_path(const struct ovsdb_journal *journal);
uint64_t ovsdb_journal_size(const struct ovsdb_journal *journal);

/* For tests and the fuzzer: the header and body of one record as a new string of '*len' bytes. */
char *ovsdb_journal_encode(const json_t *record, size_t *len);

#endif /* ovsdb/journal.h */
