// SPDX-License-Identifier: Apache-2.0
/*
 * journal.c - records on disk, see journal.h.  Reading trusts nothing: lengths are compared with
 * the size of the file before memory is allocated.
 */
#include "ovsdb/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "base/util.h"
#include "ovsdb/error.h"
#include "ovsdb/journal_io.h"

#define HEADER_MAX 128

struct ovsdb_journal {
    char *path; /* with symbolic links resolved */
    int lock_fd;
    int fd;
    uint64_t size;     /* of the good records: where the next one goes */
    uint64_t file_end; /* of the file, while reading */
    uint64_t previous; /* where the last record that was read begins */
    bool is_dirty;     /* the file may be longer than 'size': a failed append could not be undone */
};

/* Locking.  The name and the kind of lock are those of the stock tools. */

enum { DYING_MS = 2000 };

static char *
lock_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    int dir_len = slash != NULL ? (int)(slash - path) + 1 : 0;

    return xasprintf("%.*s.%s.~lock~", dir_len, path, path + dir_len);
}

/* A process that was killed has its locks until the last of its threads is gone. */
static bool
is_dying(pid_t pid)
{
    char *name = xasprintf("/proc/%ld/stat", (long)pid), line[256] = "";
    FILE *f = fopen(name, "re");
    const char *state;

    free(name);
    if (f == NULL) {
        return true;
    }
    if (fgets(line, sizeof line, f) == NULL) {
        line[0] = '\0';
    }
    fclose(f);
    state = strrchr(line, ')');
    return state == NULL || state[1] == '\0' || state[2] == 'Z' || state[2] == 'X';
}

/* F_SETLK that waits, for 'DYING_MS' at most, for a holder that is on its way out. */
static int
set_lock(int fd)
{
    for (int waited_ms = 0;; waited_ms += 10) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        int result = fcntl(fd, F_SETLK, &lock) ? -errno : 0;

        if ((result != -EACCES && result != -EAGAIN) || waited_ms >= DYING_MS ||
            fcntl(fd, F_GETLK, &lock) ||
            (lock.l_type != F_UNLCK && (lock.l_pid <= 0 || !is_dying(lock.l_pid)))) {
            return result;
        }
        usleep(10000);
    }
}

static int
take_lock(const char *path, int *fdp, char **error)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char *name = lock_path(path);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int result = 0;

    if (fd < 0) {
        result = -errno;
        *error = xasprintf("%s: cannot open lock file: %s", name, err_str(result));
    } else if ((result = set_lock(fd))) {
        if (result == -EACCES || result == -EAGAIN) {
            bool is_known = !fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK;

            *error = is_known ? xasprintf("%s: in use by process %ld", path, (long)lock.l_pid)
                              : xasprintf("%s: in use by another process", path);
            result = -EAGAIN;
        } else {
            *error = xasprintf("%s: cannot lock: %s", name, err_str(result));
        }
        close(fd);
    } else {
        *fdp = fd;
    }
    free(name);
    return result;
}

/* Resolves symbolic links as far as the path exists, so that replacing the file replaces what the
 * link leads to. */
static char *
resolve(const char *path)
{
    char buf[PATH_MAX];

    return xstrdup(realpath(path, buf) != NULL ? buf : path);
}

static struct ovsdb_journal *
journal_new(const char *path, int lock_fd)
{
    struct ovsdb_journal *journal = xzalloc(sizeof *journal);

    journal->path = resolve(path);
    journal->lock_fd = lock_fd;
    journal->fd = -1;
    return journal;
}

int
ovsdb_journal_open(const char *path, struct ovsdb_journal **journalp, char **error)
{
    struct stat st;
    int lock_fd, result;
    char *real = resolve(path);

    *journalp = NULL;
    result = take_lock(real, &lock_fd, error);
    if (result) {
        free(real);
        return result;
    }

    struct ovsdb_journal *journal = journal_new(real, lock_fd);
    free(real);
    journal->fd = open(journal->path, O_RDWR | O_CLOEXEC);
    if (journal->fd < 0 || fstat(journal->fd, &st)) {
        result = -errno;
        *error = xasprintf("%s: cannot open: %s", path, err_str(result));
    } else if (!S_ISREG(st.st_mode)) {
        result = -EINVAL;
        *error = xasprintf("%s: not a regular file", path);
    }
    if (result) {
        ovsdb_journal_close(journal);
        return result;
    }
    journal->file_end = (uint64_t)st.st_size;
    *journalp = journal;
    return 0;
}

int
ovsdb_journal_create(const char *path, json_t *const records[], size_t n,
                     struct ovsdb_journal **journalp, char **error)
{
    struct ovsdb_journal *journal;
    int lock_fd, result;
    char *real = resolve(path), *tmp;

    *journalp = NULL;
    result = take_lock(real, &lock_fd, error);
    if (result) {
        free(real);
        return result;
    }
    journal = journal_new(real, lock_fd);
    free(real);
    tmp = xasprintf("%s.tmp", journal->path);
    unlink(tmp); /* of a creation that was cut short: we hold the lock */
    journal->fd = journal_write_new_file(tmp, records, n, &journal->size);
    result = journal->fd < 0 ? journal->fd : 0;
    if (!result && link(tmp, journal->path)) {
        result = -errno; /* link, unlike rename, does not replace */
    }
    unlink(tmp);
    if (!result) {
        result = journal_sync_directory(journal->path);
    }
    free(tmp);
    if (result) {
        *error = xasprintf("%s: cannot create: %s", path, err_str(result));
        ovsdb_journal_close(journal);
        return result;
    }
    journal->file_end = journal->size;
    *journalp = journal;
    return 0;
}

void
ovsdb_journal_close(struct ovsdb_journal *journal)
{
    if (journal != NULL) {
        if (journal->fd >= 0) {
            close(journal->fd);
        }
        /* The lock goes with its descriptor; the file stays, others may be waiting on it. */
        close(journal->lock_fd);
        free(journal->path);
        free(journal);
    }
}

/* Reading. */

/* Parses "OVSDB MAGIC LEN SHA1\n".  False if it is nothing of the kind. */
static bool
parse_header(const char *line, char magic[16], uint64_t *len, char sha1[SHA1_HEX_LEN + 1])
{
    int end = 0;

    return sscanf(line, "OVSDB %15[A-Z] %" SCNu64 " %40[0-9a-f]%n", magic, len, sha1, &end) == 3 &&
           strlen(sha1) == SHA1_HEX_LEN && line[end] == '\n' && line[end + 1] == '\0';
}

/* Gets the header line at the reading position into 'line'. */
static enum ovsdb_journal_status
read_header(struct ovsdb_journal *journal, char line[HEADER_MAX + 1], char **problem)
{
    uint64_t left = journal->file_end - journal->size;
    size_t n = left < HEADER_MAX ? (size_t)left : HEADER_MAX;
    int error = journal_read_all(journal->fd, line, n, journal->size);

    if (error) {
        *problem = xasprintf("cannot read: %s", err_str(error));
        return OVSDB_JOURNAL_FAILED;
    }
    line[n] = '\0';
    char *newline = memchr(line, '\n', n);
    if (newline != NULL) {
        newline[1] = '\0';
        return OVSDB_JOURNAL_RECORD;
    }
    if (left < HEADER_MAX && !strncmp(line, "OVSDB ", n < 6 ? n : 6) && strlen(line) == n) {
        *problem = xstrdup("the file ends within the header of a record");
        return OVSDB_JOURNAL_TORN;
    }
    *problem = xstrdup("not the header of a record");
    return OVSDB_JOURNAL_DAMAGED;
}

static enum ovsdb_journal_status
read_body(struct ovsdb_journal *journal, uint64_t offset, size_t len, const char *sha1,
          json_t **record, char **problem)
{
    enum ovsdb_journal_status status = OVSDB_JOURNAL_DAMAGED;
    char *body = xmalloc(len + 1);
    char actual[SHA1_HEX_LEN + 1];
    json_error_t parse_error;
    int error = journal_read_all(journal->fd, body, len, offset);

    if (error) {
        *problem = xasprintf("cannot read: %s", err_str(error));
        status = OVSDB_JOURNAL_FAILED;
        goto out;
    }
    journal_sha1_hex(body, len, actual);
    if (strcmp(actual, sha1)) {
        *problem = xasprintf("%zu bytes have SHA-1 %s, their header says %s", len, actual, sha1);
        goto out;
    }
    *record = json_loadb(body, len, 0, &parse_error);
    if (!json_is_object(*record)) {
        *problem = xasprintf("record is not a JSON object: %s",
                             *record == NULL ? parse_error.text : "another type");
        json_decref(*record);
        *record = NULL;
        goto out;
    }
    journal->previous = journal->size;
    journal->size = offset + len;
    status = OVSDB_JOURNAL_RECORD;
out:
    free(body);
    return status;
}

/* True if the header of a record stands somewhere behind the reading position: then a record that
 * seems to pass the end of the file is not torn, its length is wrong. */
static bool
has_later_record(const struct ovsdb_journal *journal)
{
    static const char mark[] = "\nOVSDB JSON ";
    char buf[65536];

    for (uint64_t offset = journal->size; offset < journal->file_end;) {
        uint64_t left = journal->file_end - offset;
        size_t n = left < sizeof buf ? (size_t)left : sizeof buf;

        if (journal_read_all(journal->fd, buf, n, offset)) {
            return true; /* whatever it is, keep a copy */
        }
        if (memmem(buf, n, mark, sizeof mark - 1) != NULL) {
            return true;
        }
        /* The blocks overlap, so that a mark across two of them is found. */
        offset += n > sizeof mark ? n - sizeof mark : n;
    }
    return false;
}

enum ovsdb_journal_status
ovsdb_journal_read(struct ovsdb_journal *journal, json_t **record, char **problem)
{
    char line[HEADER_MAX + 1], magic[16], sha1[SHA1_HEX_LEN + 1];
    enum ovsdb_journal_status status;
    uint64_t len;

    *record = NULL;
    *problem = NULL;
    if (journal->size == journal->file_end) {
        return OVSDB_JOURNAL_END;
    }
    status = read_header(journal, line, problem);
    if (status != OVSDB_JOURNAL_RECORD) {
        return status;
    }
    if (!parse_header(line, magic, &len, sha1)) {
        *problem = xstrdup("not the header of a record");
        return OVSDB_JOURNAL_DAMAGED;
    }
    if (strcmp(magic, "JSON")) {
        *problem = xasprintf("a record of type %s where JSON is expected%s", magic,
                             strcmp(magic, "CLUSTER")
                                 ? ""
                                 : " (a clustered database: convert it with `ovsdb-tool "
                                   "cluster-to-standalone`)");
        return OVSDB_JOURNAL_DAMAGED;
    }
    uint64_t offset = journal->size + strlen(line);
    if (len > journal->file_end - offset) {
        *problem = xasprintf("the file ends within a record of %" PRIu64 " bytes", len);
        return has_later_record(journal) ? OVSDB_JOURNAL_DAMAGED : OVSDB_JOURNAL_TORN;
    }
    return read_body(journal, offset, (size_t)len, sha1, record, problem);
}

void
ovsdb_journal_unread(struct ovsdb_journal *journal)
{
    journal->size = journal->previous;
}

/* Saves the bytes of 'journal' from 'offset' on. */
static int
save_from(const struct ovsdb_journal *journal, uint64_t offset, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    uint64_t to = 0;
    int error = fd < 0 ? -errno : 0;
    char *buf = xmalloc(65536);

    while (!error && offset < journal->file_end) {
        uint64_t left = journal->file_end - offset;
        size_t n = left < 65536 ? (size_t)left : 65536;

        error = journal_read_all(journal->fd, buf, n, offset);
        if (!error) {
            error = journal_write_all(fd, buf, n, to);
        }
        offset += n;
        to += n;
    }
    free(buf);
    if (!error && fsync(fd)) {
        error = -errno;
    }
    if (fd >= 0) {
        close(fd);
        if (error) {
            unlink(path);
        }
    }
    return error;
}

int
ovsdb_journal_cut(struct ovsdb_journal *journal, const char *copy_path)
{
    int error = 0;

    if (journal->size == journal->file_end) {
        return 0;
    }
    if (copy_path != NULL) {
        error = save_from(journal, journal->size, copy_path);
    }
    if (!error && (ftruncate(journal->fd, (off_t)journal->size) || fsync(journal->fd))) {
        error = -errno;
    }
    if (!error) {
        journal->file_end = journal->size;
    }
    return error;
}

int
ovsdb_journal_copy(const struct ovsdb_journal *journal, const char *path)
{
    return save_from(journal, 0, path);
}

/* Writing. */

/* Cuts off what a failed append left. */
static int
undo_append(struct ovsdb_journal *journal)
{
    journal->is_dirty = ftruncate(journal->fd, (off_t)journal->size) != 0;
    return journal->is_dirty ? -errno : 0;
}

int
ovsdb_journal_append(struct ovsdb_journal *journal, const json_t *record)
{
    struct str out = STR_INIT;
    int error = journal->is_dirty ? undo_append(journal) : 0;

    if (!error) {
        journal_encode(record, &out);
        error = journal_write_all(journal->fd, out.buf, out.len, journal->size);
        if (!error && fdatasync(journal->fd)) {
            error = -errno;
        }
        if (error) {
            undo_append(journal);
        } else {
            journal->size += out.len;
            journal->file_end = journal->size;
        }
        str_free(&out);
    }
    return error;
}

int
ovsdb_journal_replace(struct ovsdb_journal *journal, json_t *const records[], size_t n)
{
    char *tmp = xasprintf("%s.tmp", journal->path);
    uint64_t size = 0;
    struct stat st;
    int error = 0;

    unlink(tmp); /* of a replacement that was cut short: we hold the lock */
    int fd = journal_write_new_file(tmp, records, n, &size);
    if (fd < 0) {
        error = fd;
    } else {
        /* The new file looks like the old one to whoever shares it. */
        if (!fstat(journal->fd, &st) &&
            (fchmod(fd, st.st_mode & 07777) || fchown(fd, st.st_uid, st.st_gid))) {
            error = -errno;
        }
        if (!error && rename(tmp, journal->path)) {
            error = -errno;
        }
        if (error) {
            close(fd);
            unlink(tmp);
        }
    }
    free(tmp);
    if (error) {
        return error;
    }
    close(journal->fd);
    journal->fd = fd;
    journal->size = journal->file_end = size;
    journal->is_dirty = false;
    /* The new file is complete whichever of the two a crash leaves under the name. */
    journal_sync_directory(journal->path);
    return 0;
}

const char *
ovsdb_journal_path(const struct ovsdb_journal *journal)
{
    return journal->path;
}

uint64_t
ovsdb_journal_size(const struct ovsdb_journal *journal)
{
    return journal->size;
}
