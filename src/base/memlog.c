// SPDX-License-Identifier: Apache-2.0
/*
 * The file: a struct memlog_header, then blocks, each of four bytes of length, four of checksum,
 * and its contents, without gaps.
 */
#include "base/memlog.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMLOG_MAGIC UINT64_C(0x31676f6c6d656d53)
#define MEMLOG_VOID UINT64_C(0x30676f6c6d656d53) /* in its place */
#define BLOCK_HEADER 8u
#define PAGE 4096u
/* The file grows by an eighth, so that little memory waits for use, and by this at least. */
#define GROW_MIN (4 * PAGE)
#define PIECE ((size_t)64 * PAGE)

static_assert(sizeof(struct memlog_header) == 56, "the header is part of a format");

struct memlog {
    int fd;
    size_t max_size;
    size_t capacity; /* of file and mapping */
    size_t size;     /* in use */
    union {
        struct memlog_header *header;
        uint8_t *bytes;
    } map;
};

static uint64_t
mix(uint64_t sum, uint64_t word)
{
    __uint128_t product = (__uint128_t)(sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);

    return (uint64_t)product ^ (uint64_t)(product >> 64) ^ word << 7;
}

/* Of a block that stands at 'ofs': one that was copied elsewhere is not valid there. */
static uint32_t
checksum(const uint8_t *data, size_t size, uint64_t ofs)
{
    uint64_t sum = ofs ^ (uint64_t)size << 32 ^ UINT64_C(0x5bd1e9955bd1e995), word;

    for (; size >= sizeof(word); size -= sizeof(word), data += sizeof(word)) {
        memcpy(&word, data, sizeof(word));
        sum = mix(sum, word);
    }
    word = 0;
    for (size_t i = 0; i < size; i++) {
        word |= (uint64_t)data[i] << 8 * i;
    }
    sum = mix(sum, word);
    return (uint32_t)(sum ^ sum >> 32);
}

/* --- writing --- */

/* Pages are there before they are written: no memory is an error here, not a SIGBUS later.
 * A signal, also one that nobody handles (a debugger attaches, a cgroup is frozen), ends
 * fallocate() and undoes it: pieces are small, so that each is done between two signals. */
static int
reserve(int fd, size_t ofs, size_t end)
{
    while (ofs < end) {
        size_t n = MIN(end - ofs, PIECE);

        if (fallocate(fd, 0, (off_t)ofs, (off_t)n) == 0) {
            ofs += n;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

static int
grow(struct memlog *log, size_t wanted)
{
    size_t capacity = MAX(log->capacity + MAX(log->capacity / 8, GROW_MIN), wanted);

    capacity = (capacity + PAGE - 1) / PAGE * PAGE;
    int error = reserve(log->fd, log->capacity, capacity);
    if (error != 0) {
        return error;
    }
    void *map = mremap(log->map.bytes, log->capacity, capacity, MREMAP_MAYMOVE);
    if (map == MAP_FAILED) {
        return -errno;
    }
    log->map.bytes = map;
    log->capacity = capacity;
    return 0;
}

int
memlog_create(const char *name, uint64_t format, size_t max_size, struct memlog **logp)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    void *map = MAP_FAILED;
    int error = fd < 0 ? -errno : reserve(fd, 0, PAGE);

    if (error == 0) {
        map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        error = map == MAP_FAILED ? -errno : 0;
    }
    if (error != 0) {
        if (fd >= 0) {
            close(fd);
        }
        return error;
    }
    struct memlog *log = xzalloc(sizeof(*log));
    *log = (struct memlog){.fd = fd,
                           .max_size = max_size,
                           .capacity = PAGE,
                           .size = sizeof(struct memlog_header),
                           .map.bytes = map};
    log->map.header->magic = MEMLOG_MAGIC;
    log->map.header->format = format;
    atomic_store_explicit(&log->map.header->committed, log->size, memory_order_release);
    *logp = log;
    return 0;
}

void
memlog_close(struct memlog *log)
{
    if (log != NULL) {
        munmap(log->map.bytes, log->capacity);
        close(log->fd);
        free(log);
    }
}

void
memlog_void(struct memlog *log)
{
    if (log != NULL) {
        log->map.header->magic = MEMLOG_VOID;
        atomic_thread_fence(memory_order_release);
    }
}

int
memlog_fd(const struct memlog *log)
{
    return log->fd;
}

size_t
memlog_size(const struct memlog *log)
{
    return log->size;
}

_Atomic uint32_t *
memlog_note(struct memlog *log, unsigned int i)
{
    return &log->map.header->notes[i];
}

int
memlog_append(struct memlog *log, const void *data, size_t size)
{
    size_t end = log->size + BLOCK_HEADER + size;

    if (size > UINT32_MAX || end < size || end > log->max_size) {
        return -ENOSPC;
    }
    if (end > log->capacity) {
        int error = grow(log, end);

        if (error != 0) {
            return error;
        }
    }
    uint8_t *p = log->map.bytes + log->size;
    uint32_t header[2] = {(uint32_t)size, checksum(data, size, log->size)};

    memcpy(p, header, BLOCK_HEADER);
    memcpy(p + BLOCK_HEADER, data, size);
    log->size = end;
    /* Stores before this one are in the file when this one is, whenever the process dies. */
    atomic_store_explicit(&log->map.header->committed, end, memory_order_release);
    return 0;
}

/* --- reading --- */

int
memlog_read(struct memlog_reader *reader, const void *data, size_t size, uint64_t format)
{
    struct memlog_header header;

    if (size < sizeof(header)) {
        return -EPROTO;
    }
    memcpy(&header, data, sizeof(header));
    if (header.magic == MEMLOG_VOID) {
        return -ENODATA;
    }
    if (header.magic != MEMLOG_MAGIC || header.format != format) {
        return -EPROTO;
    }
    uint64_t end = atomic_load_explicit(&header.committed, memory_order_relaxed);
    if (end < sizeof(header) || end > size) {
        return -EBADMSG;
    }
    *reader = (struct memlog_reader){.data = data, .end = (size_t)end, .ofs = sizeof(header)};
    return 0;
}

int
memlog_next(struct memlog_reader *reader, const uint8_t **block, size_t *size)
{
    size_t left = reader->end - reader->ofs;
    uint32_t header[2];

    if (left == 0) {
        return 0;
    }
    if (left < BLOCK_HEADER) {
        return -EBADMSG;
    }
    memcpy(header, reader->data + reader->ofs, BLOCK_HEADER);
    const uint8_t *contents = reader->data + reader->ofs + BLOCK_HEADER;
    if (header[0] == 0 || header[0] > left - BLOCK_HEADER ||
        checksum(contents, header[0], reader->ofs) != header[1]) {
        return -EBADMSG;
    }
    *block = contents;
    *size = header[0];
    reader->ofs += BLOCK_HEADER + header[0];
    return 1;
}
