// SPDX-License-Identifier: Apache-2.0
/* A log in memory: what is in it whenever its writer dies, and what of damage is seen. */
#include "base/memlog.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define FORMAT 7u
enum { N_BLOCKS = 12 };

static const size_t sizes[N_BLOCKS] = {1, 8, 7, 9, 100, 3000, 2000, 64, 5, 16384, 40, 33};

static void
make_block(uint8_t *block, unsigned int i)
{
    for (size_t k = 0; k < sizes[i]; k++) {
        block[k] = (uint8_t)(i * 31 + k * 7 + 1);
    }
}

static size_t
append(struct memlog *log, unsigned int i)
{
    uint8_t block[16384];

    make_block(block, i);
    assert_int_equal(memlog_append(log, block, sizes[i]), 0);
    return memlog_size(log);
}

/* A copy of the file. */
static uint8_t *
copy_file(struct memlog *log, size_t *size)
{
    struct stat st;

    assert_int_equal(fstat(memlog_fd(log), &st), 0);
    *size = (size_t)st.st_size;
    uint8_t *copy = xmalloc(*size);
    assert_int_equal(pread(memlog_fd(log), copy, *size, 0), (ssize_t)*size);
    return copy;
}

/* How many of the blocks are there, in order and complete; negative: what was said instead. */
static int
read_blocks(const uint8_t *data, size_t size)
{
    struct memlog_reader reader;
    const uint8_t *block;
    size_t n;
    int result = memlog_read(&reader, data, size, FORMAT), count = 0;

    if (result) {
        return result;
    }
    while ((result = memlog_next(&reader, &block, &n)) > 0) {
        uint8_t expected[16384];

        assert_in_range(count, 0, N_BLOCKS - 1);
        make_block(expected, (unsigned int)count);
        assert_int_equal(n, sizes[count]);
        assert_memory_equal(block, expected, n);
        count++;
    }
    return result ? result : count;
}

/* Whatever part of the next block was written, in whatever order, before the mark moved. */
static void
is_whole_after_death_at_any_byte(void **state)
{
    struct memlog *log;
    size_t size, before;

    assert_int_equal(memlog_create("test", FORMAT, 1 << 20, &log), 0);
    for (int i = 0; i < N_BLOCKS; i++) {
        uint8_t *old = copy_file(log, &size), *new, *torn;
        size_t old_size = size;

        before = memlog_size(log);
        assert_int_equal(read_blocks(old, size), i);
        append(log, (unsigned int)i);
        new = copy_file(log, &size);
        torn = xzalloc(size);
        memcpy(torn, old, old_size);
        for (size_t k = before; k < memlog_size(log); k++) {
            torn[k] = new[k];
            assert_int_equal(read_blocks(torn, size), i);
        }
        free(old);
        free(new);
        free(torn);
    }
    memlog_close(log);
}

static void
damage_is_seen(void **state)
{
    struct memlog *log;
    size_t size, end = 0;

    assert_int_equal(memlog_create("test", FORMAT, 1 << 20, &log), 0);
    for (unsigned int i = 0; i < 9; i++) {
        end = append(log, i);
    }
    uint8_t *copy = copy_file(log, &size);
    assert_int_equal(read_blocks(copy, size), 9);
    for (size_t k = sizeof(struct memlog_header); k < end; k++) {
        copy[k] ^= (uint8_t)(1u << k % 8);
        assert_int_equal(read_blocks(copy, size), -EBADMSG);
        copy[k] ^= (uint8_t)(1u << k % 8);
    }
    for (size_t k = 0; k < 16; k++) {
        copy[k] ^= 0x40;
        assert_int_equal(read_blocks(copy, size), -EPROTO);
        copy[k] ^= 0x40;
    }
    /* A file that ends before its mark, at any place. */
    for (size_t n = 0; n < end; n++) {
        assert_int_equal(read_blocks(copy, n),
                         n < sizeof(struct memlog_header) ? -EPROTO : -EBADMSG);
    }
    assert_int_equal(read_blocks(copy, end), 9);
    free(copy);
    memlog_close(log);
}

static void
a_full_log_stays_as_it_is(void **state)
{
    static const uint8_t block[1000];
    struct memlog *log;
    struct memlog_reader reader;
    const uint8_t *data;
    size_t size, n, count = 0, read = 0;
    int error;

    assert_int_equal(memlog_create("test", FORMAT, 1 << 20, &log), 0);
    while ((error = memlog_append(log, block, sizeof block)) == 0) {
        count++;
    }
    assert_int_equal(error, -ENOSPC);
    assert_in_range(memlog_size(log), (1 << 20) - 2000, 1 << 20);
    assert_int_equal(memlog_append(log, block, 8), 0); /* A small one fits. */
    uint8_t *copy = copy_file(log, &size);
    assert_int_equal(memlog_read(&reader, copy, size, FORMAT), 0);
    while ((error = memlog_next(&reader, &data, &n)) > 0) {
        read++;
    }
    assert_int_equal(error, 0);
    assert_int_equal(read, count + 1);
    free(copy);
    memlog_close(log);
}

static void
write_for_ever(struct memlog *log, _Atomic uint32_t *n_done)
{
    uint8_t block[300];

    for (uint32_t i = 0;; i++) {
        size_t size = 4 + i % 250;

        memset(block, (int)i, size);
        memcpy(block, &i, sizeof i);
        if (memlog_append(log, block, size)) {
            pause();
        }
        atomic_store(n_done, i + 1);
    }
}

/* A real process is killed at some moment: all that it had finished is there, in order. */
static void
a_killed_writer_loses_nothing(void **state)
{
    for (unsigned int round = 0; round < 20; round++) {
        struct memlog *log;
        struct memlog_reader reader;
        const uint8_t *block;
        size_t size, n;
        uint32_t expected = 0;
        int result;

        assert_int_equal(memlog_create("test", FORMAT, 64 << 20, &log), 0);
        _Atomic uint32_t *n_done =
            mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_true(n_done != MAP_FAILED);
        pid_t pid = fork();
        if (pid == 0) {
            write_for_ever(log, n_done);
        }
        while (atomic_load(n_done) < round * 10) {
            usleep(100);
        }
        usleep(round * 37);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);

        uint8_t *copy = copy_file(log, &size);
        assert_int_equal(memlog_read(&reader, copy, size, FORMAT), 0);
        while ((result = memlog_next(&reader, &block, &n)) > 0) {
            uint32_t i;

            memcpy(&i, block, sizeof i);
            assert_int_equal(i, expected);
            assert_int_equal(n, 4 + i % 250);
            expected++;
        }
        assert_int_equal(result, 0);
        assert_in_range(expected, atomic_load(n_done), atomic_load(n_done) + 1);
        free(copy);
        munmap(n_done, 4096);
        memlog_close(log);
    }
}

/* Whoever has a descriptor of a log that was given up is told so. */
static void
a_void_log_says_so(void **state)
{
    struct memlog *log;
    size_t size;

    assert_int_equal(memlog_create("test", FORMAT, 64 << 20, &log), 0);
    append(log, 0);
    int fd = dup(memlog_fd(log));
    uint8_t *copy = copy_file(log, &size);
    assert_int_equal(read_blocks(copy, size), 1);
    memlog_void(log);
    memlog_close(log);
    memlog_void(NULL);
    assert_int_equal(pread(fd, copy, size, 0), (ssize_t)size);
    assert_int_equal(read_blocks(copy, size), -ENODATA);
    free(copy);
    close(fd);
}

static volatile sig_atomic_t n_signals;

static void
on_alarm(int number)
{
    n_signals++;
}

/* Signals that come again and again neither make an error of growing nor keep it from ending. */
static void
signals_do_not_hurt(void **state)
{
    struct sigaction action = {.sa_handler = on_alarm}, old;
    struct itimerval timer = {.it_interval.tv_usec = 1000, .it_value.tv_usec = 1000}, none = {0};
    size_t size = 4 << 20;
    uint8_t *block = xcalloc(1, size);
    struct memlog *log;

    assert_int_equal(memlog_create("test", FORMAT, 512 << 20, &log), 0);
    assert_int_equal(sigaction(SIGALRM, &action, &old), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(memlog_append(log, block, size), 0);
    }
    assert_int_equal(setitimer(ITIMER_REAL, &none, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
    assert_true(n_signals > 0);
    memlog_close(log);
    free(block);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_whole_after_death_at_any_byte),
        cmocka_unit_test(damage_is_seen),
        cmocka_unit_test(a_full_log_stays_as_it_is),
        cmocka_unit_test(a_killed_writer_loses_nothing),
        cmocka_unit_test(a_void_log_says_so),
        cmocka_unit_test(signals_do_not_hurt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
