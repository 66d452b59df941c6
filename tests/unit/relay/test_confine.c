// SPDX-License-Identifier: Apache-2.0
//
// What a relay can no longer do, tried by a child, and that it still can do what it must.
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "base/fd_served.h"
#include "relay/confine.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    !(defined(__x86_64__) || defined(__aarch64__))
#define IS_FILTERED 0
#else
#define IS_FILTERED 1
#endif

static char dir[32], own[64], others[64], control[80];

// A file in the relay's directory and one beside it.
static int
set_up(void **state)
{
    strcpy(dir, "/tmp/test-confine-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(own, sizeof(own), "%s/relay", dir);
    snprintf(others, sizeof(others), "%s/other", dir);
    snprintf(control, sizeof(control), "%s/v0.ctl", own);
    assert_int_equal(mkdir(own, 0700), 0);
    close(open(control, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    close(open(others, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    return 0;
}

static int
tear_down(void **state)
{
    unlink(control);
    unlink(others);
    rmdir(own);
    rmdir(dir);
    return 0;
}

static bool
is_confined(void)
{
    const char *paths[] = {control, NULL};
    struct relay_kept kept = relay_confine(paths);

    return kept.capabilities == 0 && kept.syscalls == 0 && kept.files == 0;
}

static bool
no_preparation(void)
{
    return true;
}

// Runs 'body' in a child that is confined after 'prepare'; what it returns.
static int
confined_after(bool (*prepare)(void), int (*body)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        _exit(!prepare() ? 98 : is_confined() ? body() : 99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int
confined(int (*body)(void))
{
    return confined_after(no_preparation, body);
}

static bool
is_refused(long result)
{
    return result == -1 && errno == EPERM;
}

// The number of the first thing that was possible.
static int
try_all(void)
{
    const struct sockaddr_un sun = {.sun_family = AF_UNIX,
                                    .sun_path = "/run/dbus/system_bus_socket"};
    char *argv[] = {"true", NULL};

    if (!is_refused(open("/etc/passwd", O_RDONLY | O_CLOEXEC)) ||
        !is_refused(openat(AT_FDCWD, dir, O_PATH | O_CLOEXEC))) {
        return 1;
    }
    if (!is_refused(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) ||
        !is_refused(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) ||
        !is_refused(connect(0, (const struct sockaddr *)&sun, sizeof(sun)))) {
        return 2;
    }
    if (!is_refused(execv("/bin/true", argv)) || !is_refused(fork())) {
        return 3;
    }
    if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED ||
        errno != EPERM) {
        return 4;
    }
    if (!is_refused(kill(getppid(), 0)) || !is_refused(syscall(SYS_ptrace, 16, getppid(), 0, 0)) ||
        !is_refused(setuid(1)) || !is_refused(fcntl(0, F_SETOWN, 1))) {
        return 5;
    }
    return 0;
}

static void
test_nothing_else(void **state)
{
    if (!IS_FILTERED) {
        skip();
    }
    assert_int_equal(confined(try_all), 0);
}

// As in a container whose filter is older than Landlock.
static bool
deny_landlock(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// The rest is in force, and nothing is said to be missing.
static void
test_landlock_that_is_denied(void **state)
{
    if (!IS_FILTERED) {
        skip();
    }
    assert_int_equal(confined_after(deny_landlock, try_all), 0);
}

// What is missing is named, and only that.
static int
confine_without_directory(void)
{
    const char *paths[] = {"/nowhere/at/all/v0.ctl", NULL};
    struct relay_kept kept = relay_confine(paths);

    if (kept.capabilities != 0 || kept.syscalls != 0 || kept.files != -ENOENT) {
        return 1;
    }
    return IS_FILTERED && !is_refused(open("/etc/passwd", O_RDONLY | O_CLOEXEC)) ? 2 : 0;
}

static void
test_what_is_missing_is_named(void **state)
{
    int status = -1;

    if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 0) {
        skip();
    }
    pid_t pid = fork();
    if (pid == 0) {
        _exit(confine_without_directory());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int
remove_files(void)
{
    if (unlink(others) == 0) {
        return 1;
    }
    return unlink(control) == 0 && rmdir(own) == 0 ? 0 : 2;
}

static void
test_its_own_files_only(void **state)
{
    // The version; the flag has no name in older headers.
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 0) {
        skip();
    }
    assert_int_equal(confined(remove_files), 0);
    assert_int_equal(access(others, F_OK), 0);
    assert_int_equal(access(own, F_OK), -1);
}

static int pair[2], memory = -1;

// It can tell so, by asking nobody.
static bool
is_memory_of_here(void)
{
    return fcntl(memory, F_GET_SEALS) >= 0 && !fd_is_served_by_others(memory);
}

// Says that it is confined, and waits: all that a relay does.
static int
speak(void)
{
    char *p = malloc(1 << 20);
    char byte = 'c';
    int fd = fcntl(pair[1], F_DUPFD_CLOEXEC, 10);

    if (p == NULL || fd < 10 || send(fd, &byte, 1, MSG_NOSIGNAL) != 1) {
        return 1;
    }
    free(p);
    if (fd_is_served_by_others(pair[1]) || !is_memory_of_here()) {
        return 3;
    }
    return close(fd) == 0 && recv(pair[1], &byte, 1, 0) == 1 ? 0 : 2;
}

static bool
status_has(pid_t pid, const char *line)
{
    char path[64], text[8192];

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    return strstr(text, line) != NULL;
}

static void
test_no_capabilities(void **state)
{
    char byte;
    int status;

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    memory = memfd_create("memory", MFD_CLOEXEC);
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        _exit(is_confined() ? speak() : 99);
    }
    close(pair[1]);
    assert_int_equal(recv(pair[0], &byte, 1, 0), 1);
    assert_true(status_has(pid, "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"));
    assert_true(status_has(pid, "CapInh:\t0000000000000000\n"));
    assert_true(status_has(pid, "NoNewPrivs:\t1\n"));
    if (IS_FILTERED) {
        assert_true(status_has(pid, "Seccomp:\t2\n"));
    }
    assert_int_equal(send(pair[0], &byte, 1, MSG_NOSIGNAL), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(pair[0]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_its_own_files_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_capabilities, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_landlock_that_is_denied, set_up, tear_down),
        cmocka_unit_test(test_what_is_missing_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
