/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memlog.h - a log of blocks in a file in memory (memfd), for whoever comes after this process.
 *
 * Blocks are written through a mapping, without a system call but when the file grows; a mark in
 * the header then says that they count.  A process that dies at any instruction leaves all blocks
 * up to the mark and nothing of a later one.  Each block has a checksum, against stray writes of
 * the process that dies.  The file lives as long as somebody has a descriptor of it (base/keep.h).
 *
 * The owner writes from one thread.  Reading works on bytes that nobody can trust: it fails, and
 * never reads outside of them.
 */
#ifndef BASE_MEMLOG_H
#define BASE_MEMLOG_H

#include <stdatomic.h>

#include "base/util.h"

/* At the start of the file; integers in the order of bytes of the machine. */
struct memlog_header {
    uint64_t magic;
    uint64_t format;            /* of the blocks, the owner's */
    _Atomic uint64_t committed; /* the mark: bytes of the file that count */
    _Atomic uint32_t notes[8];  /* the owner's, at will */
};

struct memlog;

/* An empty log.  'format' says what blocks look like; the file never gets larger than 'max_size'.
 * 0 or a negative errno. */
int memlog_create(const char *name, uint64_t format, size_t max_size, struct memlog **);
/* Unmaps and closes.  NULL is fine. */
void memlog_close(struct memlog *);
/* Says in the file that its contents no longer count, to whoever still has a descriptor of it: a
 * keeper that cannot be told.  NULL is fine. */
void memlog_void(struct memlog *);
/* The file's descriptor, which stays the log's. */
int memlog_fd(const struct memlog *);
/* Bytes in use. */
size_t memlog_size(const struct memlog *);
/* A word in the header; 'i' is below 8. */
_Atomic uint32_t *memlog_note(struct memlog *, unsigned int i);
/* Appends a block of one byte or more, all of it or nothing.  -ENOSPC: beyond the limit; other
 * negative errnos when there is no memory. */
int memlog_append(struct memlog *, const void *data, size_t size);

struct memlog_reader {
    const uint8_t *data;
    size_t end; /* the mark */
    size_t ofs; /* of the next block */
};
/* Prepares to read the bytes of a file.  -EPROTO: not a log, or one of another format; -ENODATA:
 * memlog_void(); -EBADMSG: it is damaged. */
int memlog_read(struct memlog_reader *, const void *data, size_t size, uint64_t format);
/* 1 and the next block, whose bytes are in the file; 0 at the end; -EBADMSG: damaged from here on.
 */
int memlog_next(struct memlog_reader *, const uint8_t **block, size_t *size);

#endif
