// SPDX-License-Identifier: Apache-2.0
/*
 * journal_io.h - encoding records, and file operations that are either complete or an error.
 * Private to journal.c and journal_io.c.  Results are 0 or a negative errno.
 */
#ifndef OVSDB_JOURNAL_IO_H
#define OVSDB_JOURNAL_IO_H 1

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/str.h"

#define SHA1_HEX_LEN 40

void journal_sha1_hex(const void *data, size_t len, char hex[SHA1_HEX_LEN + 1]);

/* Appends header and body of a record. */
void journal_encode(const json_t *record, struct str *out);

int journal_write_all(int fd, const char *data, size_t len, uint64_t offset);
int journal_read_all(int fd, char *data, size_t len, uint64_t offset);

/* Makes a rename or a new name in the directory of 'path' durable. */
int journal_sync_directory(const char *path);

/* Writes 'records' to a new file 'path' and syncs it; its descriptor, or a negative errno and no
 * file. */
int journal_write_new_file(const char *path, json_t *const records[], size_t n, uint64_t *size);

#endif /* ovsdb/journal_io.h */
