// SPDX-License-Identifier: Apache-2.0
/*
 * journal_io.c - the bytes of journal records and the system calls that move them, see
 * journal_io.h.
 */
#include "ovsdb/journal_io.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "ovsdb/journal.h"

/* Encoding. */

void
journal_sha1_hex(const void *data, size_t len, char hex[SHA1_HEX_LEN + 1])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int n = 0;

    if (!EVP_Digest(data, len, digest, &n, EVP_sha1(), NULL) || n != SHA1_HEX_LEN / 2) {
        memset(digest, 0, sizeof digest);
    }
    for (size_t i = 0; i < SHA1_HEX_LEN / 2; i++) {
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
}

void
journal_encode(const json_t *record, struct str *out)
{
    char hex[SHA1_HEX_LEN + 1];
    char *body = json_dumps(record, JSON_COMPACT);
    size_t len = strlen(body);

    body[len++] = '\n'; /* in place of the terminator */
    journal_sha1_hex(body, len, hex);
    str_printf(out, "OVSDB JSON %zu %s\n", len, hex);
    str_put_mem(out, body, len);
    free(body);
}

char *
ovsdb_journal_encode(const json_t *record, size_t *len)
{
    struct str out = STR_INIT;

    journal_encode(record, &out);
    *len = out.len;
    return str_steal(&out);
}

/* Files. */

int
journal_write_all(int fd, const char *data, size_t len, uint64_t offset)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, data, len, (off_t)offset);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        data += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

int
journal_read_all(int fd, char *data, size_t len, uint64_t offset)
{
    while (len > 0) {
        ssize_t n = pread(fd, data, len, (off_t)offset);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        data += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

/* Makes a rename or a new name in the directory of 'path' durable. */
int
journal_sync_directory(const char *path)
{
    char *copy = xstrdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = fd < 0 ? -errno : 0;

    free(copy);
    if (fd >= 0) {
        /* Some file systems cannot sync directories; then there is nothing better to do. */
        if (fsync(fd) && errno != EINVAL) {
            error = -errno;
        }
        close(fd);
    }
    return error;
}

/* Writes 'records' to a new file 'path' and syncs it; the descriptor or a negative errno. */
int
journal_write_new_file(const char *path, json_t *const records[], size_t n, uint64_t *size)
{
    struct str out = STR_INIT;
    int error;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

    if (fd < 0) {
        return -errno;
    }
    for (size_t i = 0; i < n; i++) {
        journal_encode(records[i], &out);
    }
    error = journal_write_all(fd, str_cstr(&out), out.len, 0);
    if (!error && fsync(fd)) {
        error = -errno;
    }
    *size = out.len;
    str_free(&out);
    if (error) {
        close(fd);
        unlink(path);
        return error;
    }
    return fd;
}
