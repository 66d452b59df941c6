// SPDX-License-Identifier: Apache-2.0
/* Memory that outlives its process: real processes, of which one is killed. */
#include "base/heir.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/dirs.h"
#include "base/util.h"

#define SIZE ((size_t)8 << 20)

struct dead {
    pid_t heir;
    int held; /* the reading end of a pipe whose other end the process had */
};

/* The one child of process 'pid'. */
static pid_t
child_of(pid_t pid)
{
    char path[64];
    int child = 0;

    snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", (long)pid, (long)pid);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    int n = fscanf(f, "%d", &child);
    fclose(f);
    return n == 1 ? child : 0;
}

/* In kB, of memory that process 'pid' has; 0: it is gone. */
static long
resident_kb(pid_t pid)
{
    char path[64], line[256];
    long kb = 0;

    snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        if (sscanf(line, "VmRSS: %ld", &kb) == 1) {
            break;
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return kb;
}

/* A process with an heir and some memory, whose heir is stopped and which then is killed. */
static struct dead
kill_one(void)
{
    int held[2], ready[2];
    char byte;

    assert_int_equal(pipe(held), 0);
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(held[0]);
        static char *volatile memory;
        memory = xmalloc(SIZE);
        memset(memory, 1, SIZE);
        heir_appoint();
        (void)!write(ready[1], "", 1);
        for (;;) {
            pause();
        }
    }
    close(held[1]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    pid_t heir = child_of(pid);
    assert_true(heir > 0);
    assert_int_equal(kill(heir, SIGSTOP), 0);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return (struct dead){.heir = heir, .held = held[0]};
}

static void
end_heir(struct dead *dead)
{
    kill(dead->heir, SIGCONT);
    assert_int_equal(waitpid(dead->heir, NULL, __WALL), dead->heir); /* We are its reaper. */
    close(dead->held);
}

/* All but the memory goes with the process. */
static void
test_descriptors_go_first(void **state)
{
    struct dead dead = kill_one();
    char byte;

    assert_int_equal(read(dead.held, &byte, 1), 0);
    assert_true(resident_kb(dead.heir) >= (long)(SIZE / 1024));
    end_heir(&dead);
    assert_int_equal(resident_kb(dead.heir), 0);
}

/* Waited for, it has a priority that is no worse than ours. */
static void
await_haste(pid_t heir)
{
    int wanted = getpriority(PRIO_PROCESS, 0);

    for (int i = 0; geteuid() == 0 && i < 1000 && getpriority(PRIO_PROCESS, (id_t)heir) != wanted;
         i++) {
        usleep(10000);
    }
    assert_true(geteuid() != 0 || getpriority(PRIO_PROCESS, (id_t)heir) == wanted);
}

/* 'Await' returns true when there was something to wait for. */
static void
check_that_it_waits(void (*expect)(void), bool (*await)(void))
{
    struct dead dead = kill_one();
    int done[2];
    char byte;

    assert_int_equal(pipe(done), 0);
    pid_t pid = fork();
    if (pid == 0) {
        expect();
        (void)!write(done[1], "", 1);
        bool waited = await();
        bool is_back = resident_kb(dead.heir) == 0;
        (void)!write(done[1], waited && is_back && !await() ? "y" : "n", 1);
        _exit(0);
    }
    close(done[1]);
    assert_int_equal(read(done[0], &byte, 1), 1);
    struct pollfd pollfd = {.fd = done[0], .events = POLLIN};
    await_haste(dead.heir);
    assert_int_equal(poll(&pollfd, 1, 50), 0);
    end_heir(&dead);
    assert_int_equal(read(done[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    close(done[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Who follows is told when the memory is back, once. */
static void
test_who_follows_waits(void **state)
{
    check_that_it_waits(heir_expect, heir_await);
    /* Its number may be another's: nobody else waits for it. */
    heir_expect();
    assert_false(heir_await());
}

static void
expect_nothing(void)
{
}

static bool
await_orphans(void)
{
    static bool waited;

    heir_await_orphans();
    waited = !waited;
    return waited;
}

/* Who knows of nobody finds the heirs of the dead, and only those. */
static void
test_a_stranger_waits(void **state)
{
    check_that_it_waits(expect_nothing, await_orphans);
    prctl(PR_SET_NAME, PROGRAM_NAME);
    heir_appoint();
    pid_t heir = child_of(getpid());
    assert_true(heir > 0);
    while (getpriority(PRIO_PROCESS, (id_t)heir) < 10) {
        usleep(1000); /* It is not waited for. */
    }
    heir_await_orphans();
    assert_true(resident_kb(heir) > 0);
    assert_true(getpriority(PRIO_PROCESS, (id_t)heir) >= 10); /* Nobody has hurried it. */
    heir_dismiss();
}

/* A planned end leaves nothing behind, whatever state the heir is in. */
static void
test_dismissed(void **state)
{
    heir_appoint();
    pid_t heir = child_of(getpid());
    assert_true(heir > 0);
    heir_appoint(); /* Again: it stays that one. */
    assert_int_equal(child_of(getpid()), heir);
    /* What ends its owner leaves it alone; only the owner's death counts. */
    kill(heir, SIGTERM);
    kill(heir, SIGINT);
    assert_true(resident_kb(heir) > 0);
    kill(heir, SIGSTOP);
    heir_dismiss();
    assert_int_equal(kill(heir, 0), -1);
    assert_int_equal(errno, ESRCH);
    heir_dismiss();
    /* Nobody has died. */
    heir_expect();
    assert_false(heir_await());
}

static void
test_without_leave_there_is_none(void **state)
{
    heir_appoint();
    assert_int_equal(child_of(getpid()), 0);
    heir_expect();
    assert_false(heir_await());
    heir_dismiss();
}

int
main(void)
{
    const struct CMUnitTest first[] = {cmocka_unit_test(test_without_leave_there_is_none)};
    const struct CMUnitTest rest[] = {
        cmocka_unit_test(test_descriptors_go_first),
        cmocka_unit_test(test_who_follows_waits),
        cmocka_unit_test(test_a_stranger_waits),
        cmocka_unit_test(test_dismissed),
    };
    int failed = cmocka_run_group_tests(first, NULL, NULL);

    prctl(PR_SET_CHILD_SUBREAPER, 1); /* Heirs are ours when their owners are dead. */
    heir_allow();
    return failed + cmocka_run_group_tests(rest, NULL, NULL);
}
