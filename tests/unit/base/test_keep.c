// SPDX-License-Identifier: Apache-2.0
/* The keeper of descriptors, with a real process behind a real socket. */
#include "base/keep.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    pid_t keeper;
    int fd; /* of clients; each gets a duplicate */
};

static int
setup(void **state)
{
    struct fixture *f = xzalloc(sizeof(*f));
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    f->keeper = fork();
    if (f->keeper == 0) {
        close(fds[0]);
        keep_serve(fds[1]);
        _exit(0);
    }
    close(fds[1]);
    f->fd = fds[0];
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    int status;

    keep_detach();
    close(f->fd);
    /* It ends by itself when its last client is gone. */
    assert_int_equal(waitpid(f->keeper, &status, 0), f->keeper);
    free(f);
    return 0;
}

/* What the next process of the switch does. */
static void
attach_again(struct fixture *f)
{
    keep_detach();
    keep_attach(dup(f->fd));
}

/* A pipe whose read end is kept under 'name'; the write end. */
static int
keep_pipe(const char *name)
{
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    keep_put(name, fds[0]);
    close(fds[0]);
    return fds[1];
}

/* The same; this process has the read end open as long as the test runs, as a device has. */
static int
keep_pipe_open(const char *name)
{
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    keep_put(name, fds[0]);
    return fds[1];
}

/* Whether somebody holds the other end of the pipe. */
static bool
is_held(int write_fd)
{
    signal(SIGPIPE, SIG_IGN);
    return write(write_fd, "x", 1) == 1;
}

static void
the_next_process_gets_what_was_kept(void **state)
{
    char byte;

    attach_again(*state);
    int out = keep_pipe("tap:br0"), other = keep_pipe("tap:br1");
    attach_again(*state);
    assert_int_equal(keep_take("tap:br2"), -1);
    assert_int_equal(write(out, "7", 1), 1);
    int in = keep_take("tap:br0");
    assert_true(in >= 0);
    assert_int_equal(read(in, &byte, 1), 1);
    assert_int_equal(byte, '7');
    assert_int_equal(keep_take("tap:br0"), -1); /* once */
    close(in);
    close(out);
    close(other);
}

static void
a_name_holds_the_last_descriptor(void **state)
{
    attach_again(*state);
    int first = keep_pipe("a"), second = keep_pipe("a");
    attach_again(*state); /* its answer comes after the keeper has done all */
    assert_false(is_held(first));
    assert_true(is_held(second));
    close(first);
    close(second);
}

static void
dropped_means_closed(void **state)
{
    attach_again(*state);
    int out = keep_pipe("a");
    assert_true(is_held(out));
    keep_drop("a");
    assert_false(is_held(out));
    keep_drop("never seen");
    close(out);
}

static void
what_nobody_takes_goes(void **state)
{
    attach_again(*state);
    int taken = keep_pipe("taken"), left = keep_pipe("left");
    attach_again(*state);
    int fd = keep_take("taken");
    keep_sweep();
    assert_true(is_held(taken));
    assert_false(is_held(left));
    close(fd);
    close(taken);
    close(left);
}

/* Answers to a client that died before it read them. */
static void
strange_answers_are_skipped(void **state)
{
    struct fixture *f = *state;
    char message[64] = "G1"; /* as pid 1 would ask */

    attach_again(f);
    int out = keep_pipe("a");
    assert_int_equal(send(f->fd, message, sizeof(message), 0), sizeof(message));
    attach_again(f);
    int fd = keep_take("a");
    assert_true(fd >= 0);
    close(fd);
    close(out);
}

static void
without_a_keeper_nothing_happens(void **state)
{
    struct fixture *f = *state;

    keep_put("a", f->fd);
    keep_drop("a");
    keep_sweep();
    assert_int_equal(keep_take("a"), -1);
    /* One that dies in between is forgotten. */
    attach_again(f);
    kill(f->keeper, SIGKILL);
    keep_drop("a");
    keep_put("a", f->fd);
    assert_int_equal(keep_take("a"), -1);
}

/* A planned change: no keeper, both processes alive. */
static void
one_process_sends_another_what_it_keeps(void **state)
{
    int fds[2], status;

    attach_again(*state);
    int sent = keep_pipe_open("sent"), dropped = keep_pipe_open("dropped");
    keep_drop("dropped");
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(write(sent, "7", 1), 1);
    pid_t pid = fork();
    if (pid == 0) {
        char byte = 0;
        keep_detach();
        close(fds[0]);
        bool ok = keep_receive(fds[1]) && keep_take("dropped") == -1;
        int in = keep_take("sent");
        _exit(ok && in >= 0 && read(in, &byte, 1) == 1 && byte == '7' ? 0 : 1);
    }
    close(fds[1]);
    assert_true(keep_send(fds[0]));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_false(keep_send(fds[0])); /* nobody is there any more */
    close(fds[0]);
    close(sent);
    close(dropped);
}

static void
what_was_put_can_be_taken_by_oneself(void **state)
{
    attach_again(*state);
    int out = keep_pipe_open("a");
    keep_turn();
    keep_drop("a"); /* of the device that is closed and opened again */
    int in = keep_take("a");
    assert_true(in >= 0);
    assert_true(is_held(out));
    close(in);
    close(out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_next_process_gets_what_was_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_holds_the_last_descriptor, setup, teardown),
        cmocka_unit_test_setup_teardown(dropped_means_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(what_nobody_takes_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(strange_answers_are_skipped, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_keeper_nothing_happens, setup, teardown),
        cmocka_unit_test_setup_teardown(one_process_sends_another_what_it_keeps, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_put_can_be_taken_by_oneself, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
