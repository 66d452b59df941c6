// SPDX-License-Identifier: Apache-2.0
//
// Memory that is not there, touched on purpose: a noted mapping is replaced in one piece and its
// port is told; any other goes to the handler that the thread has set, or ends the process, as does
// one that has been unmapped and mapped by somebody else.
#include "guard_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LENGTH = 64 << 20 };

static void
test_many_pages_are_one_mapping(void **state)
{
    struct netdev_vhost *vhost = port(), *other = port();
    int fd = empty_file(0), sound_fd = empty_file(0);
    uint8_t *sound = map_file(other, sound_fd, PAGE), *p = map_file(vhost, fd, LENGTH);
    unsigned int before = count_mappings();

    netdev_vhost_guard_start(); // cmocka has handlers of its own for each test
    assert_int_equal(ftruncate(sound_fd, PAGE), 0);
    for (size_t at = 0; at < LENGTH; at += 2 * (size_t)PAGE) {
        assert_int_equal(p[at], 0);
        p[at + 1] = 1;
    }
    assert_true(count_mappings() <= before + 2);
    assert_true(vhost->is_broken);
    assert_int_equal(vhost->vid, VHOST_NO_VID);
    sound[0] = 1;
    assert_false(other->is_broken);
    assert_int_equal(other->vid, 7);
    munmap(p, LENGTH);
    munmap(sound, PAGE);
    close(fd);
    close(sound_fd);
    free(vhost);
    free(other);
}

// What lies behind the end of a guest's memory is its own, however its regions come and go.
static void
test_an_apron(void **state)
{
    enum { N = 8, APRON = 1 << 20 };
    static const size_t lengths[] = {1, PAGE - 1, PAGE, 3 * PAGE, LENGTH};
    struct netdev_vhost *vhost = port();
    unsigned int before = count_mappings();

    for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
        size_t length = lengths[k], size = (length + PAGE - 1) / PAGE * PAGE;
        uint8_t *p[N];
        for (int i = 0; i < N; i++) {
            int fd = empty_file(0);
            assert_int_equal(ftruncate(fd, (off_t)size), 0);
            p[i] = map_file(vhost, fd, length);
            assert_true(p[i] != MAP_FAILED);
            close(fd);
        }
        for (int i = 0; i < N; i++) {
            memset(p[i] + size, 1 + i, APRON);
            p[i][0] = (uint8_t)(100 + i);
        }
        for (int i = 0; i < N; i++) {
            assert_int_equal(p[i][0], 100 + i);
            assert_int_equal(p[i][size], 1 + i);
            assert_int_equal(p[i][size + APRON - 1], 1 + i);
            assert_int_equal(munmap(p[i], length), 0);
        }
        assert_int_equal(count_mappings(), before);
    }
    netdev_vhost_guard_note(vhost);
    int fd = empty_file(0);
    assert_true(mmap(NULL, SIZE_MAX - PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
    netdev_vhost_guard_note(NULL);
    close(fd);
    assert_true(count_mappings() <= before);
    free(vhost);
}

static void
test_huge_pages(void **state)
{
    enum { HUGE = 2 << 20 };
    struct netdev_vhost *vhost = port();
    int fd = memfd_create("guest", MFD_CLOEXEC | MFD_HUGETLB);
    uint8_t *p = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, 2 * HUGE) == 0) {
        p = map_file(vhost, fd, 2 * HUGE);
    }
    if (p == MAP_FAILED) {
        free(vhost);
        skip(); // no free huge pages
    }
    netdev_vhost_guard_start();
    p[5] = 1;
    assert_false(vhost->is_broken);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(p[HUGE + 12345], 0);
    assert_int_equal(p[5], 0);
    assert_true(vhost->is_broken);
    munmap(p, 2 * HUGE);
    close(fd);
    free(vhost);
}

// A log need not be as long as its pages are.
static void
test_a_part_of_a_huge_page(void **state)
{
    enum { HUGE = 2 << 20 };
    struct netdev_vhost *vhost = port();
    int fd = memfd_create("guest", MFD_CLOEXEC | MFD_HUGETLB);
    unsigned int before = count_mappings();
    uint8_t *p = fd >= 0 && ftruncate(fd, HUGE) == 0 ? map_file(vhost, fd, PAGE) : MAP_FAILED;

    if (p == MAP_FAILED) {
        free(vhost);
        skip(); // no free huge pages
    }
    netdev_vhost_guard_start();
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(*(volatile uint8_t *)(p + 5), 0);
    assert_true(vhost->is_broken);
    munmap(p, PAGE);
    assert_int_equal(count_mappings(), before);
    close(fd);
    free(vhost);
}

// Files without pages, as long as can be: there is a place for everybody else's memory, and for
// other guests' when these are gone.
static void
test_more_memory_than_there_are_addresses(void **state)
{
    enum { MOST = 1024 };
    static const size_t huge = 1ULL << 46, large = (1ULL << 40) - (1 << 20);
    struct netdev_vhost *vhost = port();
    unsigned int before = count_mappings();
    uint8_t *p[MOST];

#ifdef __SANITIZE_THREAD__
    skip(); // It leaves few places.
#endif
    netdev_vhost_guard_start();
    // What is refused is closed when the next is noted.
    assert_true(map_file(vhost, empty_file(0), huge) == MAP_FAILED);
    for (int i = 0; i < 3; i++) {
        int n = 0, fd = empty_file(0);
        while (n < MOST && (p[n] = map_file(vhost, fd, large)) != MAP_FAILED) {
            n++;
        }
        assert_int_equal(n, 64);
        void *ours = mmap(NULL, huge / 2, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(ours != MAP_FAILED);
        munmap(ours, huge / 2);
        while (n > 0) {
            munmap(p[--n], large);
        }
        assert_true(count_mappings() <= before);
    }
    free(vhost);
}

// Touches what 'get' returns in a process of its own; the signal that ended it, 0: none.
static int
touch(uint8_t *(*get)(void))
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGBUS, SIG_DFL);
        netdev_vhost_guard_start();
        volatile uint8_t *p = get();
        _exit(p[100]);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static uint8_t *
get_noted(void)
{
    return map_file(port(), empty_file(0), PAGE);
}

static uint8_t *
get_other(void)
{
    get_noted();
    return map_file(NULL, empty_file(0), PAGE);
}

static uint8_t *
get_unmapped(void)
{
    uint8_t *p = get_noted();

    munmap(p, PAGE);
    return mmap(p, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, empty_file(0), 0);
}

static uint8_t *
get_after_a_signal(void)
{
    static uint8_t sound[PAGE];

    raise(SIGBUS);
    return sound;
}

static void
test_other_faults_end_the_process(void **state)
{
    assert_int_equal(touch(get_after_a_signal), SIGBUS);
    assert_int_equal(touch(get_noted), 0);
    assert_int_equal(touch(get_other), SIGBUS);
    assert_int_equal(touch(get_unmapped), SIGBUS);
}

// --- handlers of others --------------------------------------------------------------------

static _Thread_local sigjmp_buf before_touch;

static void
jump_back(int signum)
{
    siglongjmp(before_touch, 1);
}

struct taker {
    uint8_t *hole; // nobody's guest
    pthread_barrier_t steps;
    volatile unsigned int n_jumps;
};

static void
touch_and_jump(struct taker *t)
{
    if (sigsetjmp(before_touch, 1) == 0) {
        *(volatile uint8_t *)t->hole = 1;
    } else {
        t->n_jumps++;
    }
}

// Takes a page as EAL does, which is not there.
static void *
take_page(void *taker)
{
    struct sigaction action = {.sa_handler = jump_back}, old, now;
    struct taker *t = taker;

    assert_int_equal(sigaction(SIGBUS, &action, &old), 0);
    pthread_barrier_wait(&t->steps); // set
    pthread_barrier_wait(&t->steps); // the other thread has touched its guest's
    touch_and_jump(t);
    touch_and_jump(t);
    assert_int_equal(sigaction(SIGBUS, &old, &now), 0);
    assert_true(now.sa_handler == jump_back);
    return NULL;
}

static void
test_a_handler_is_its_threads(void **state)
{
    struct netdev_vhost *vhost = port(), *other = port();
    int fd = empty_file(0);
    uint8_t *guests = map_file(vhost, fd, PAGE), *others = map_file(other, fd, PAGE);
    struct taker t = {.hole = map_file(NULL, fd, PAGE)};
    struct sigaction mine, after;
    pthread_t thread;

    netdev_vhost_guard_start();
    assert_int_equal(sigaction(SIGBUS, NULL, &mine), 0);
    pthread_barrier_init(&t.steps, NULL, 2);
    pthread_create(&thread, NULL, take_page, &t);
    pthread_barrier_wait(&t.steps);
    assert_int_equal(sigaction(SIGBUS, NULL, &after), 0);
    assert_true(after.sa_sigaction == mine.sa_sigaction);
    netdev_vhost_guard_start(); // which takes nothing from the other
    guests[5] = 1;
    assert_true(vhost->is_broken);
    pthread_barrier_wait(&t.steps);
    pthread_join(thread, NULL);
    assert_int_equal(t.n_jumps, 2);
    others[5] = 1;
    assert_true(other->is_broken);
    pthread_barrier_destroy(&t.steps);
    munmap(guests, PAGE);
    munmap(others, PAGE);
    munmap(t.hole, PAGE);
    close(fd);
    free(vhost);
    free(other);
}

// The thread's handler is for what is not a guest's.
static void
test_a_guest_comes_first(void **state)
{
    struct sigaction action = {.sa_handler = jump_back}, old;
    struct netdev_vhost *vhost = port();
    int fd = empty_file(0);
    struct taker t = {.hole = map_file(vhost, fd, PAGE)};

    netdev_vhost_guard_start();
    assert_int_equal(sigaction(SIGBUS, &action, &old), 0);
    touch_and_jump(&t);
    assert_int_equal(sigaction(SIGBUS, &old, NULL), 0);
    assert_int_equal(t.n_jumps, 0);
    assert_true(vhost->is_broken);
    munmap(t.hole, PAGE);
    close(fd);
    free(vhost);
}

static uint8_t *
get_after_a_handler(void)
{
    struct sigaction action = {.sa_handler = jump_back}, old;

    sigaction(SIGBUS, &action, &old);
    sigaction(SIGBUS, &old, NULL);
    return get_other();
}

static void
test_a_handler_ends(void **state)
{
    assert_int_equal(touch(get_after_a_handler), SIGBUS);
}

// --- the table, and what is refused --------------------------------------------------------

static void
test_regions_without_number(void **state)
{
    static uint8_t *maps[20000];
    struct netdev_vhost *vhost = port();
    int fd = empty_file(0), again = dup(fd);
    size_t n = 0;

    while (n < 20000 && (maps[n] = map_file(vhost, fd, PAGE)) != MAP_FAILED) {
        n++;
    }
    assert_int_equal(n, 16384);
    for (size_t i = 0; i < n; i++) {
        munmap(maps[i], PAGE);
    }
    assert_true((maps[0] = map_file(vhost, again, PAGE)) != MAP_FAILED);
    munmap(maps[0], PAGE);
    close(again); // the other went with the one that did not fit
    free(vhost);
}

// A guest's mapping that is refused.
static void
be_refused(struct netdev_vhost *vhost, int fd, off_t offset)
{
    errno = 0;
    assert_true(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset) == MAP_FAILED);
    assert_int_equal(errno, EINVAL);
    assert_false(vhost->is_broken);
}

static bool
is_file(int fd, int other)
{
    struct stat a, b;

    assert_int_equal(fstat(other, &b), 0);
    return fstat(fd, &a) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// CVE-2026-86563: the library would add the offset once more.
static void
test_files_from_their_beginnings(void **state)
{
    struct netdev_vhost *vhost = port(), *other = port();
    int file = empty_file(0), fd = dup(file);

    assert_int_equal(ftruncate(file, 2 * PAGE), 0);
    netdev_vhost_guard_start();
    netdev_vhost_guard_note(vhost);
    be_refused(vhost, fd, PAGE);
    assert_true(is_file(fd, file)); // which the caller closes
    close(fd);
    // Another port's message brings the same file by the same number.
    assert_int_equal(dup(file), fd);
    netdev_vhost_guard_note(other);
    assert_true(is_file(fd, file));
    netdev_vhost_guard_note(NULL);
    assert_true(is_file(fd, file));
    // Everybody else maps what he likes.
    void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGE);
    assert_true(p != MAP_FAILED);
    munmap(p, PAGE);
    close(fd);
    close(file);
    free(vhost);
    free(other);
}

// A guest's file that cannot be mapped: who tried forgets about it.
static void
test_files_that_cannot_be_mapped(void **state)
{
    struct netdev_vhost *vhost = port();
    int file = empty_file(0), fd = open("/dev/null", O_RDONLY), null = dup(fd);

    netdev_vhost_guard_start();
    netdev_vhost_guard_note(vhost);
    assert_true(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    assert_int_equal(errno, EACCES);
    assert_false(is_file(fd, null)); // the guest's is gone, the number is taken
    assert_true(fcntl(fd, F_GETFD) >= 0);
    netdev_vhost_guard_note(NULL);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    // One that closes it, after all, and somebody else's file by the same number.
    assert_int_equal(dup(null), fd);
    netdev_vhost_guard_note(vhost);
    assert_true(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    close(fd);
    assert_int_equal(dup(file), fd);
    netdev_vhost_guard_note(NULL);
    assert_true(is_file(fd, file));
    close(fd);
    close(null);
    close(file);
    free(vhost);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_pages_are_one_mapping),
        cmocka_unit_test(test_an_apron),
        cmocka_unit_test(test_huge_pages),
        cmocka_unit_test(test_a_part_of_a_huge_page),
        cmocka_unit_test(test_more_memory_than_there_are_addresses),
        cmocka_unit_test(test_other_faults_end_the_process),
        cmocka_unit_test(test_a_handler_is_its_threads),
        cmocka_unit_test(test_a_guest_comes_first),
        cmocka_unit_test(test_a_handler_ends),
        cmocka_unit_test(test_regions_without_number),
        cmocka_unit_test(test_files_from_their_beginnings),
        cmocka_unit_test(test_files_that_cannot_be_mapped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
