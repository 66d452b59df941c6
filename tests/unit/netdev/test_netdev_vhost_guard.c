// SPDX-License-Identifier: Apache-2.0
//
// Memory that is not there, touched on purpose: a noted mapping is replaced in one piece and its
// port is told; any other goes to the handler that the thread has set, or ends the process, as does
// one that has been unmapped and mapped by somebody else.
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd_pass.h"
#include "netdev/netdev_vhost.h"
#include "netdev/netdev_vhost_guard.h"

enum { LENGTH = 64 << 20, PAGE = 4096 };

static int
empty_file(unsigned int flags)
{
    int fd = memfd_create("guest", MFD_CLOEXEC | flags);

    assert_true(fd >= 0);
    return fd;
}

static uint8_t *
map_file(struct netdev_vhost *vhost, int fd, size_t length)
{
    netdev_vhost_guard_note(vhost);
    uint8_t *p = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    netdev_vhost_guard_note(NULL);
    return p;
}

static struct netdev_vhost *
port(void)
{
    struct netdev_vhost *vhost = aligned_alloc(_Alignof(struct netdev_vhost), sizeof(*vhost));

    memset(vhost, 0, sizeof(*vhost));
    vhost->vid = 7;
    return vhost;
}

static unsigned int
count_mappings(void)
{
    FILE *f = fopen("/proc/self/maps", "r");
    unsigned int n = 0;

    for (int c; (c = getc(f)) != EOF;) {
        n += c == '\n';
    }
    fclose(f);
    return n;
}

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

// --- descriptors of messages ---------------------------------------------------------------

static void *
wait_for_message(void *sock)
{
    char byte;
    struct iovec iov = {.iov_base = &byte, .iov_len = sizeof(byte)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    (void)recvmsg(*(const int *)sock, &msg, 0);
    return NULL;
}

// So EAL ends its thread for other processes, with --legacy-mem; it waits for that without end.
static void
test_who_waits_can_be_cancelled(void **state)
{
    struct timespec end;
    pthread_t thread;
    void *result = NULL;
    int socks[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, socks), 0);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_message, &socks[0]), 0);
    usleep(50000); // Most likely it waits by now; one that does not yet is cancelled, too.
    pthread_cancel(thread);
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 10;
    int error = pthread_timedjoin_np(thread, &result, &end);
    if (error != 0) {
        assert_int_equal(send(socks[1], "", 1, 0), 1);
        pthread_join(thread, NULL);
    }
    assert_int_equal(error, 0);
    assert_ptr_equal(result, PTHREAD_CANCELED);
    close(socks[0]);
    close(socks[1]);
}

// Sends 'size' bytes that begin with 'request', and 'n_fds' descriptors of a pipe's writing end.
static void
send_message(int sock, uint32_t request, size_t size, size_t n_fds)
{
    uint32_t bytes[4] = {request, 1};
    struct iovec iov = {.iov_base = bytes, .iov_len = size};
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(9 * sizeof(int))];
    } control = {0};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    int fds[9], pair[2];

    assert_int_equal(pipe(pair), 0);
    if (n_fds > 0) {
        msg.msg_control = control.buf;
        msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        control.align = (struct cmsghdr){.cmsg_len = CMSG_LEN(n_fds * sizeof(int)),
                                         .cmsg_level = SOL_SOCKET,
                                         .cmsg_type = SCM_RIGHTS};
        for (size_t i = 0; i < n_fds; i++) {
            fds[i] = pair[1];
        }
        memcpy(CMSG_DATA(&control.align), fds, n_fds * sizeof(int));
    }
    assert_int_equal(sendmsg(sock, &msg, 0), (ssize_t)size);
    close(pair[0]);
    close(pair[1]);
}

static unsigned int
count_open(void)
{
    unsigned int n = 0;

    for (int fd = 0; fd < 256; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

// Reads as the library does, with room for 'n' descriptors; how many came, -1: refused.
static int
read_message(int sock, size_t size, size_t n)
{
    char bytes[64], control[CMSG_SPACE(16 * sizeof(int))];
    struct iovec iov = {.iov_base = bytes, .iov_len = size};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = CMSG_SPACE(n * sizeof(int))};
    unsigned int before = count_open(), after;

    errno = 0;
    if (recvmsg(sock, &msg, 0) < 0) {
        assert_int_equal(errno, EPROTO);
        assert_int_equal(count_open(), before);
        return -1;
    }
    after = count_open();
    for (int fd = 0; fd < 256 && after > before; fd++) {
        struct stat st;
        if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && fd > sock) {
            close(fd);
        }
    }
    return (int)(after - before);
}

static void
test_descriptors_that_nobody_wants(void **state)
{
    static const struct {
        uint32_t request;
        size_t size, n_fds;
        int result;
    } messages[] = {
        {5, 12, 8, 8},  {6, 12, 1, 1},   {12, 12, 1, 1},   {13, 12, 1, 1},
        {21, 12, 1, 1}, {32, 12, 0, 0},  {5, 12, 9, -1},   {12, 12, 2, -1},
        {1, 12, 1, -1}, {32, 12, 1, -1}, {999, 12, 1, -1}, {12, 8, 1, -1},
    };
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        send_message(pair[0], messages[i].request, messages[i].size, messages[i].n_fds);
        assert_int_equal(read_message(pair[1], 12, 8), messages[i].result);
    }
    // Whoever reads otherwise is not the library.
    send_message(pair[0], 1, 12, 2);
    assert_int_equal(read_message(pair[1], 16, 8), 2);
    send_message(pair[0], 1, 12, 1);
    assert_int_equal(read_message(pair[1], 12, 1), 1);
    close(pair[0]);
    close(pair[1]);
}

// --- memory that was tried -----------------------------------------------------------------

// Has this thread read a memory table with the file 'fd', by what number it then has.
static int
receive_file(int fd)
{
    char bytes[12], control[CMSG_SPACE(8 * sizeof(int))];
    struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = sizeof(control)};
    uint32_t header[3] = {5, 1, 0};
    int pair[2], got;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(fd_pass_send(pair[0], header, sizeof(header), 0, fd), sizeof(header));
    assert_int_equal(recvmsg(pair[1], &msg, 0), sizeof(bytes));
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(got));
    close(pair[0]);
    close(pair[1]);
    return got;
}

// The library has given up the old memory when it maps the new one.
static void
test_memory_that_changes_after_the_trial(void **state)
{
    static const unsigned int seals[] = {0, F_SEAL_FUTURE_WRITE};
    struct netdev_vhost *vhost = port();

    netdev_vhost_guard_start();
    for (size_t i = 0; i < sizeof(seals) / sizeof(seals[0]); i++) {
        int file = empty_file(MFD_ALLOW_SEALING);
        assert_int_equal(ftruncate(file, 2 * PAGE), 0);
        int fd = receive_file(file);
        unsigned int before = count_mappings();
        assert_true(netdev_vhost_guard_can_map(0, 2 * PAGE));
        assert_int_equal(ftruncate(file, 0), 0);
        if (seals[i] != 0) {
            assert_int_equal(fcntl(file, F_ADD_SEALS, seals[i]), 0);
            assert_true(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) ==
                        MAP_FAILED);
        }
        // Neither other lengths nor other files have anything of it.
        netdev_vhost_guard_note(vhost);
        uint8_t *other = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
        assert_true(other != MAP_FAILED);
        uint8_t *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(p != MAP_FAILED);
        netdev_vhost_guard_note(NULL);
        assert_false(vhost->is_broken);
        p[PAGE] = 1; // It is known as this guest's.
        assert_true(vhost->is_broken);
        vhost->is_broken = false;
        munmap(p, 2 * PAGE);
        munmap(other, PAGE);
        assert_true(count_mappings() <= before);
        close(fd);
        close(file);
    }
    free(vhost);
}

static void
test_a_trial_that_nobody_wants(void **state)
{
    unsigned int before;

    netdev_vhost_guard_start();
    before = count_mappings();
    for (int i = 0; i < 20; i++) {
        int file = empty_file(0);
        assert_int_equal(ftruncate(file, PAGE), 0);
        int fd = receive_file(file);
        assert_true(netdev_vhost_guard_can_map(0, PAGE));
        assert_false(netdev_vhost_guard_can_map(1, PAGE)); // there is none
        if (i % 2 == 0) {
            netdev_vhost_guard_drop_fds();
            assert_int_equal(fcntl(fd, F_GETFD), -1);
        } else {
            netdev_vhost_guard_note(NULL);
            close(fd);
        }
        close(file);
    }
    assert_int_equal(count_mappings(), before);
}

// The library answers a message that it refuses if it is to, and tells nobody: what was tried for
// it is neither the next one's, of whatever port, nor in its way.
static void
test_a_trial_for_a_message_that_was_refused(void **state)
{
    struct netdev_vhost *vhost = port();
    unsigned int before = count_mappings();

    netdev_vhost_guard_start();
    for (int i = 0; i < 20; i++) {
        int other = empty_file(0), file = empty_file(0);
        assert_int_equal(ftruncate(other, PAGE), 0);
        assert_int_equal(ftruncate(file, PAGE), 0);
        int others_fd = receive_file(other);
        assert_true(netdev_vhost_guard_can_map(0, PAGE));
        close(others_fd);
        int fd = receive_file(file);
        assert_int_equal(fd, others_fd);
        assert_true(netdev_vhost_guard_can_map(0, PAGE));
        netdev_vhost_guard_note(vhost);
        uint8_t *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), byte = 0;
        assert_true(p != MAP_FAILED);
        netdev_vhost_guard_note(NULL);
        p[0] = 7;
        assert_int_equal(pread(file, &byte, 1, 0), 1);
        assert_int_equal(byte, 7);
        munmap(p, PAGE);
        close(fd);
        close(file);
        close(other);
    }
    assert_int_equal(count_mappings(), before);
    free(vhost);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_that_changes_after_the_trial),
        cmocka_unit_test(test_a_trial_that_nobody_wants),

        cmocka_unit_test(test_a_trial_for_a_message_that_was_refused),
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
        cmocka_unit_test(test_descriptors_that_nobody_wants),
        cmocka_unit_test(test_who_waits_can_be_cancelled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
