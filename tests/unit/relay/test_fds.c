// SPDX-License-Identifier: Apache-2.0
//
// Descriptors of every kind that a front-end may think of, with the messages that carry some: only
// those whose last close waits for nobody are fit.
#include "../unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay/fds.h"

enum { PIPES = 1, STREAMS = 2, FILES = 4, NOTHING = 0 };

static int other_end; // of a pair; the test's

static int
make_pipe(void)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    other_end = ends[0];
    return ends[1];
}

static int
make_pair(int type)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, type, 0, ends), 0);
    other_end = ends[0];
    return ends[1];
}

static bool
is_fit(uint32_t request, int fd)
{
    struct vhu_msg msg;

    vhu_make(&msg, request, NULL, 0);
    msg.fds[msg.n_fds++] = fd;
    return fds_are_fit(&msg);
}

// Tells with which messages 'fd' is fit, and closes it.
static int
try_all(int fd)
{
    static const uint32_t others[] = {VHU_GET_FEATURES,
                                      VHU_SET_OWNER,
                                      VHU_SET_MEM_TABLE,
                                      VHU_SET_LOG_BASE,
                                      VHU_SET_LOG_FD,
                                      VHU_GET_INFLIGHT_FD,
                                      37,
                                      VHU_SET_FEATURES,
                                      UINT32_MAX};
    struct vhu_msg msg;

    assert_true(fd >= 0);
    int kinds = (is_fit(VHU_SET_VRING_KICK, fd) ? PIPES : 0) |
                (is_fit(VHU_SET_BACKEND_REQ_FD, fd) ? STREAMS : 0) |
                (is_fit(VHU_SET_MEM_TABLE, fd) ? FILES : 0);
    // Interrupts and errors take both kinds, all other messages those of memory.
    assert_int_equal(is_fit(VHU_SET_VRING_CALL, fd), (kinds & (PIPES | STREAMS)) != 0);
    assert_int_equal(is_fit(VHU_SET_VRING_ERR, fd), (kinds & (PIPES | STREAMS)) != 0);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(is_fit(others[i], fd), (kinds & FILES) != 0);
    }
    vhu_make(&msg, VHU_SET_OWNER, NULL, 0);
    msg.fds[msg.n_fds++] = fd;
    assert_int_equal(fds_may_be_fit(&msg), kinds != 0);
    close(fd);
    if (other_end > 0) {
        close(other_end);
        other_end = 0;
    }
    return kinds;
}

static void
test_what_front_ends_send(void **state)
{
    char path[] = "/tmp/sluice-test-XXXXXX", shm[] = "/dev/shm/sluice-test-XXXXXX";

    assert_int_equal(try_all(eventfd(0, 0)), PIPES | FILES);
    assert_int_equal(try_all(eventfd(3, EFD_NONBLOCK | EFD_SEMAPHORE)), PIPES | FILES);
    assert_int_equal(try_all(make_pipe()), PIPES | FILES);
    assert_int_equal(try_all(make_pair(SOCK_STREAM)), STREAMS);
    assert_int_equal(try_all(memfd_create("guest", 0)), FILES);
    assert_int_equal(try_all(memfd_create("anon_inode:[eventfd]", MFD_ALLOW_SEALING)), FILES);
    assert_int_equal(try_all(mkstemp(shm)), FILES);
    unlink(shm);
    int fd = memfd_create("guest", MFD_HUGETLB);
    assert_int_equal(fd >= 0 ? try_all(fd) : FILES, FILES);
    fd = mkstemp(path);
    unlink(path);
    assert_int_equal(try_all(fd), FILES);
}

static void
test_what_nobody_sends(void **state)
{
    char fifo[] = "/tmp/sluice-test-XXXXXX";
    sigset_t none;

    sigemptyset(&none);
    assert_int_equal(try_all(open("/tmp", O_RDONLY)), NOTHING);
    assert_int_equal(try_all(open("/dev/null", O_RDWR)), NOTHING);
    assert_int_equal(try_all(open("/dev/ptmx", O_RDWR)), NOTHING);
    assert_int_equal(try_all(open("/proc/sys/kernel/ostype", O_RDONLY)), NOTHING);
    assert_int_equal(try_all(timerfd_create(CLOCK_MONOTONIC, 0)), NOTHING);
    assert_int_equal(try_all(epoll_create1(0)), NOTHING);
    assert_int_equal(try_all(inotify_init()), NOTHING);
    assert_int_equal(try_all(signalfd(-1, &none, 0)), NOTHING);
    assert_int_equal(try_all((int)syscall(SYS_pidfd_open, getpid(), 0)), NOTHING);
    assert_int_equal(try_all(socket(AF_INET, SOCK_STREAM, 0)), NOTHING);
    assert_int_equal(try_all(socket(AF_INET, SOCK_DGRAM, 0)), NOTHING);
    assert_int_equal(try_all(make_pair(SOCK_DGRAM)), NOTHING);
    assert_int_equal(try_all(make_pair(SOCK_SEQPACKET)), NOTHING);
    assert_int_equal(try_all(socket(AF_UNIX, SOCK_STREAM, 0)), NOTHING); // may listen one day
    // A pipe with a name may be in any file system.
    close(mkstemp(fifo));
    unlink(fifo);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    int fd = open(fifo, O_RDWR);
    unlink(fifo);
    assert_int_equal(try_all(fd), NOTHING);
    assert_false(is_fit(VHU_SET_MEM_TABLE, 1000)); // none at all
}

static void
test_a_listening_socket(void **state)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun.sun_family)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(try_all(fd), NOTHING);
}

// What waits in a stream is closed with it.
static void
test_streams_that_are_not_empty(void **state)
{
    int fd = make_pair(SOCK_STREAM);

    assert_int_equal(send(other_end, "x", 1, 0), 1);
    assert_int_equal(try_all(fd), NOTHING);
    fd = make_pair(SOCK_STREAM);
    if (send(other_end, "x", 1, MSG_OOB) == 1) { // unless the kernel has none
        assert_int_equal(try_all(fd), NOTHING);
    }
    // Nor does anything come later; in the other direction it goes on.
    fd = make_pair(SOCK_STREAM);
    assert_true(is_fit(VHU_SET_BACKEND_REQ_FD, fd));
    assert_int_equal(send(other_end, "x", 1, MSG_NOSIGNAL), -1);
    assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
    assert_true(is_fit(VHU_SET_BACKEND_REQ_FD, fd)); // once more
    assert_int_equal(try_all(fd), STREAMS);
}

static void
test_one_of_many(void **state)
{
    struct vhu_msg msg;

    vhu_make(&msg, VHU_SET_MEM_TABLE, NULL, 0);
    assert_true(fds_are_fit(&msg));
    for (int i = 0; i < VHU_MAX_FDS; i++) {
        msg.fds[msg.n_fds++] = memfd_create("guest", 0);
    }
    assert_true(fds_are_fit(&msg));
    close(msg.fds[VHU_MAX_FDS - 1]);
    msg.fds[VHU_MAX_FDS - 1] = socket(AF_INET, SOCK_STREAM, 0);
    assert_false(fds_are_fit(&msg));
    assert_false(fds_may_be_fit(&msg));
    vhu_close_fds(&msg);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_front_ends_send),
        cmocka_unit_test(test_what_nobody_sends),
        cmocka_unit_test(test_a_listening_socket),
        cmocka_unit_test(test_streams_that_are_not_empty),
        cmocka_unit_test(test_one_of_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
