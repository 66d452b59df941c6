// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: opening a journal.  The first byte says whether the rest is the file as it is, or
 * lines of JSON that get a correct header each, so that mutations reach what lies behind the
 * checksum.  Whatever the file holds, opening it either fails with a text or gives a database, and
 * what it gives the next opening gives again without repairing anything.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "base/util.h"
#include "ovsdb/builtin_schema.h"
#include "ovsdb/error.h"
#include "ovsdb/journal.h"
#include "ovsdb/schema.h"
#include "ovsdb/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Gives each line that is JSON its header, copies the others. */
static void
seal(const char *text, size_t size, struct str *out)
{
    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t len = end != NULL ? (size_t)(end - text) : size, n;
        json_t *json = json_loadb(text, len, 0, NULL);

        if (json != NULL) {
            char *record = ovsdb_journal_encode(json, &n);

            str_put_mem(out, record, n);
            free(record);
            json_decref(json);
        } else {
            str_put_mem(out, text, len);
            str_putc(out, '\n');
        }
        len += end != NULL;
        text += len;
        size -= len;
    }
}

static void
write_file(const char *path, const struct str *contents)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, str_cstr(contents), contents->len) != (ssize_t)contents->len) {
        abort();
    }
    close(fd);
}

static size_t
count_rows(const struct ovsdb_database *db)
{
    size_t n = 0;

    for (uint32_t i = 0; i < db->schema->n_tables; i++) {
        n += HASH_COUNT(db->tables[i]->rows);
    }
    return n;
}

static void
open_twice(const char *path, const struct ovsdb_schema *schema)
{
    struct ovsdb_store *store;
    char *error = NULL;
    size_t n;
    uint64_t size;

    if (ovsdb_store_open(path, schema, &store, &error)) {
        if (error == NULL || error[0] == '\0') {
            abort();
        }
        free(error);
        return;
    }
    n = count_rows(ovsdb_store_db(store));
    size = ovsdb_store_size(store);
    ovsdb_store_close(store);
    if (ovsdb_store_open(path, schema, &store, &error)) {
        abort();
    }
    if (count_rows(ovsdb_store_db(store)) != n || ovsdb_store_size(store) != size) {
        abort();
    }
    ovsdb_store_close(store);
}

static void
remove_directory(const char *dir)
{
    char *command = xasprintf("rm -rf %s", dir);

    if (system(command) != 0) {
        abort();
    }
    free(command);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char dir[] = "/dev/shm/fuzz_ovsdb_journal.XXXXXX";
    struct ovsdb_schema *schema;
    struct str contents = STR_INIT;
    char *path, *spec;

    if (size == 0 || mkdtemp(dir) == NULL) {
        return 0;
    }
    spec = log_set_spec("any:any:off");
    free(spec);
    path = xasprintf("%s/conf.db", dir);
    if (data[0] == 's') {
        seal((const char *)data + 1, size - 1, &contents);
    } else {
        str_put_mem(&contents, data + 1, size - 1);
    }
    write_file(path, &contents);
    if (ovsdb_schema_from_text(ovsdb_builtin_schema, &schema) != NULL) {
        abort();
    }
    open_twice(path, schema);
    ovsdb_schema_destroy(schema);
    str_free(&contents);
    free(path);
    remove_directory(dir);
    return 0;
}
