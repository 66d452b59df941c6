// SPDX-License-Identifier: Apache-2.0
/*
 * Texts of Open_vSwitch.statistics from tables and processes of this machine.
 */
#include "../unit.h"

#include <fcntl.h>
#include <inttypes.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/smap.h"
#include "base/str.h"
#include "bridge/system_stats.h"

static void
test_meminfo(void **state)
{
    struct str out = STR_INIT;

    assert_true(system_parse_meminfo("MemTotal:  1000 kB\nMemFree: 300 kB\nMemAvailable: 7 kB\n"
                                     "Buffers: 50 kB\nCached: 60 kB\nSwapCached: 9 kB\n"
                                     "SwapTotal: 500 kB\nSwapFree: 499 kB\n",
                                     &out));
    assert_string_equal(str_cstr(&out), "1000,700,110,500,1");
    str_clear(&out);
    assert_false(system_parse_meminfo("MemTotal: 1000 kB\n", &out));
    assert_false(system_parse_meminfo("", &out));
    assert_int_equal(out.len, 0);
    str_free(&out);
}

static void
write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Only writable ones on devices, and names that cannot break the list. */
static void
test_file_systems(void **state)
{
    char dir[] = "/tmp/test-proc-a b,cXXXXXX", expected[128];
    char *mounts, *table;
    struct str out = STR_INIT;
    struct statvfs vfs;

    assert_non_null(mkdtemp(dir));
    mounts = xasprintf("%s/mounts", dir);
    table = xasprintf("proc /proc proc rw 0 0\n/dev/x / ext4 ro,noatime 0 0\n"
                      "host:/x / nfs rw 0 0\n/dev/y /nosuch ext4 rw 0 0\n"
                      "/dev/z /tmp/test-proc-a\\040b,c%s ext4 rw,noatime 0 0\n",
                      dir + strlen("/tmp/test-proc-a b,c"));
    write_file(mounts, table);
    assert_return_code(statvfs(dir, &vfs), errno);
    system_put_file_systems(mounts, &out);
    snprintf(expected, sizeof expected, "/tmp/test-proc-a_b_c%s,%" PRIu64 ",",
             dir + strlen("/tmp/test-proc-a b,c"), (uint64_t)vfs.f_blocks * vfs.f_frsize / 1024);
    assert_memory_equal(str_cstr(&out), expected, strlen(expected));
    assert_null(strchr(str_cstr(&out), ' '));
    unlink(mounts);
    rmdir(dir);
    free(mounts);
    free(table);
    str_free(&out);
}

/* A child that holds the lock of 'path' until it is killed, or this process ends. */
static pid_t
lock_in_child(const char *path)
{
    int ready[2];
    char byte;
    pid_t pid;

    assert_return_code(pipe(ready), errno);
    pid = fork();
    if (!pid) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        int fd = open(path, O_RDWR);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (fcntl(fd, F_SETLK, &lock) || write(ready[1], "", 1) != 1) {
            _exit(1);
        }
        for (;;) {
            pause();
        }
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void
test_processes(void **state)
{
    char dir[] = "/tmp/test-procXXXXXX";
    char *self = NULL, *other, *stale;
    struct smap stats = SMAP_INIT;
    uint64_t size, resident, cpu, start, age;
    unsigned crashes;
    int core;
    pid_t child;

    assert_non_null(mkdtemp(dir));
    self = xasprintf("%s/me.pid", dir);
    other = xasprintf("%s/other.pid", dir);
    stale = xasprintf("%s/stale.pid", dir);
    write_file(self, "1\n");
    write_file(other, "2\n");
    write_file(stale, "3\n");
    child = lock_in_child(other);

    system_put_processes(dir, &(struct system_self){self, 7}, &stats);
    assert_int_equal(smap_count(&stats), 2);
    assert_non_null(smap_get(&stats, "process_me"));
    assert_int_equal(sscanf(smap_get(&stats, "process_me"),
                            "%" SCNu64 ",%" SCNu64 ",%" SCNu64 ",%u,%" SCNu64 ",%" SCNu64 ",%d",
                            &size, &resident, &cpu, &crashes, &start, &age, &core),
                     7);
    assert_true(size > resident && resident > 0);
    assert_int_equal(crashes, 7);
    assert_true(start >= age && age < 3600 * 1000);
    /* The child's parent has its name, as a monitor has: its age counts from there. */
    assert_int_equal(sscanf(smap_get(&stats, "process_other"),
                            "%*u,%*u,%*u,%u,%" SCNu64 ",%" SCNu64, &crashes, &start, &age),
                     3);
    assert_int_equal(crashes, 0);
    assert_true(start >= age);

    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    unlink(self);
    unlink(other);
    unlink(stale);
    rmdir(dir);
    free(self);
    free(other);
    free(stale);
    smap_destroy(&stats);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meminfo),
        cmocka_unit_test(test_file_systems),
        cmocka_unit_test(test_processes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
