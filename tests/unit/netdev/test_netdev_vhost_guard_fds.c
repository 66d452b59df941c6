// SPDX-License-Identifier: Apache-2.0
//
// The guard and the messages that bring descriptors: which of them the library sees, and memory
// that is mapped for a try before it has the message.
#include "guard_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd_pass.h"

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
        cmocka_unit_test(test_who_waits_can_be_cancelled),
        cmocka_unit_test(test_descriptors_that_nobody_wants),
        cmocka_unit_test(test_memory_that_changes_after_the_trial),
        cmocka_unit_test(test_a_trial_that_nobody_wants),
        cmocka_unit_test(test_a_trial_for_a_message_that_was_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
