// SPDX-License-Identifier: Apache-2.0
//
// Memory files that are made ahead: which requests get one, that no more are made than EAL was
// going to ask for, and that none stays behind.  Pages are imagined: the files are empty.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/mempolicy.h>

#include "netdev/dpdk_ahead.h"

#define MB (1ULL << 20)

enum {
    PAGE_2M = MFD_HUGETLB | 21 << 26,
    PAGE_1G = MFD_HUGETLB | 30 << 26,
    MADE_MAX = 64,
};

static atomic_size_t n_made, n_allowed;
static int made[MADE_MAX];
static atomic_uint last_flags;
static atomic_bool is_wrong_size;

static int
make(unsigned int flags, uint64_t bytes)
{
    size_t i = atomic_fetch_add(&n_made, 1);

    if (bytes != (flags == PAGE_2M ? 2 * MB : 1024 * MB)) {
        atomic_store(&is_wrong_size, true);
    }
    if (i >= atomic_load(&n_allowed)) {
        return -1;
    }
    atomic_store(&last_flags, flags);
    made[i] = (int)syscall(SYS_memfd_create, "imagined", 0);
    return made[i];
}

static bool has_policies = true;

static void
begin(uint64_t node0_bytes, uint64_t node1_bytes)
{
    struct dpdk_ahead_plan plan = {
        .bytes = {node0_bytes, node1_bytes}, .n_threads = 3, .make = make};

    if (!has_policies) {
        skip(); // a container that may not set them
    }
    n_made = 0;
    n_allowed = MADE_MAX;
    dpdk_ahead_begin(&plan);
}

// As EAL before it takes pages of a node.
static bool
prefer_node_0(bool wanted)
{
    unsigned long mask = 1;

    return syscall(SYS_set_mempolicy, wanted ? MPOL_PREFERRED : MPOL_DEFAULT, wanted ? &mask : NULL,
                   wanted ? 64UL : 0UL) == 0;
}

static size_t
n_open(void)
{
    size_t n = 0;

    for (size_t i = 0; i < MIN(n_made, n_allowed); i++) {
        n += fcntl(made[i], F_GETFD) >= 0;
    }
    return n;
}

static int
setup(void **state)
{
    has_policies = prefer_node_0(true) || errno == ENOSYS;
    return 0;
}

static void
test_no_more_than_planned(void **state)
{
    int fds[5];

    begin(11 * MB, 0);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = dpdk_ahead_take("seg_0-7", PAGE_2M);
        assert_true(fds[i] >= 0);
    }
    // What EAL takes for the last megabyte is its own.
    assert_int_equal(dpdk_ahead_take("seg_0-8", PAGE_2M), -1);
    assert_int_equal(n_made, 5);
    dpdk_ahead_end();
    assert_int_equal(n_open(), 5);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        close(fds[i]);
    }
    assert_int_equal(dpdk_ahead_take("seg_0-9", PAGE_2M), -1);
}

static void
test_other_files_are_not_ours(void **state)
{
    begin(64 * MB, 0);
    assert_int_equal(dpdk_ahead_take("seg_0", PAGE_2M), -1); // --single-file-segments
    assert_int_equal(dpdk_ahead_take("seg_0-1x", PAGE_2M), -1);
    assert_int_equal(dpdk_ahead_take("test", PAGE_2M), -1);
    assert_int_equal(dpdk_ahead_take("seg_0-1", 0), -1);
    assert_int_equal(dpdk_ahead_take("seg_0-1", MFD_HUGETLB), -1);
    dpdk_ahead_end();
    assert_int_equal(n_made, 0);
}

static void
test_two_sizes(void **state)
{
    begin(2053 * MB, 0);
    int first = dpdk_ahead_take("seg_0-0", PAGE_1G), second = dpdk_ahead_take("seg_0-1", PAGE_1G);
    assert_true(first >= 0 && second >= 0);
    assert_int_equal(n_made, 2);
    int third = dpdk_ahead_take("seg_1-0", PAGE_2M), fourth = dpdk_ahead_take("seg_1-1", PAGE_2M);
    assert_true(third >= 0 && fourth >= 0);
    assert_int_equal(last_flags, PAGE_2M);
    assert_false(is_wrong_size);
    assert_int_equal(dpdk_ahead_take("seg_1-2", PAGE_2M), -1);
    assert_int_equal(n_made, 4);
    dpdk_ahead_end();
    assert_int_equal(n_open(), 4);
    for (size_t i = 0; i < 4; i++) {
        close(made[i]);
    }
}

static void
test_one_page_is_left_to_eal(void **state)
{
    begin(1024 * MB, 0);
    assert_int_equal(dpdk_ahead_take("seg_0-0", PAGE_1G), -1);
    // It has it now.
    assert_int_equal(dpdk_ahead_take("seg_1-0", PAGE_2M), -1);
    dpdk_ahead_end();
    assert_int_equal(n_made, 0);
}

static void
test_pages_run_out(void **state)
{
    size_t n_taken = 0;

    begin(64 * MB, 0);
    n_allowed = 3;
    for (size_t i = 0; i < 32; i++) {
        int fd = dpdk_ahead_take("seg_0-0", PAGE_2M);
        if (fd >= 0) {
            n_taken++;
            close(fd);
        }
    }
    assert_int_equal(n_taken, 3);
    assert_true(n_made <= 3 + 3); // of each thread one
    dpdk_ahead_end();
}

static void
test_what_nobody_takes_goes(void **state)
{
    begin(64 * MB, 0);
    int fd = dpdk_ahead_take("seg_0-0", PAGE_2M);
    assert_true(fd >= 0);
    dpdk_ahead_end();
    assert_int_equal(n_open(), 1);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    close(fd);
}

static void
test_node_by_policy(void **state)
{
    begin(0, 64 * MB);
    assert_int_equal(dpdk_ahead_take("seg_0-0", PAGE_2M), -1); // node 0
    if (prefer_node_0(false)) {
        assert_int_equal(dpdk_ahead_take("seg_0-0", PAGE_2M), -1); // which?
        prefer_node_0(true);
    }
    dpdk_ahead_end();
    assert_int_equal(n_made, 0);
}

static void
test_one_processor(void **state)
{
    struct dpdk_ahead_plan plan = {.bytes = {64 * MB}, .n_threads = 1, .make = make};

    n_made = 0;
    dpdk_ahead_begin(&plan);
    assert_int_equal(dpdk_ahead_take("seg_0-0", PAGE_2M), -1);
    dpdk_ahead_end();
    assert_int_equal(n_made, 0);
}

// No descriptor stays open.
static void
test_what_cannot_be_made(void **state)
{
    int next = dup(0);

    close(next);
    assert_int_equal(dpdk_ahead_make(PAGE_2M, 0), -1);
    assert_int_equal(dup(0), next);
    close(next);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_more_than_planned),
        cmocka_unit_test(test_other_files_are_not_ours),
        cmocka_unit_test(test_two_sizes),
        cmocka_unit_test(test_one_page_is_left_to_eal),
        cmocka_unit_test(test_pages_run_out),
        cmocka_unit_test(test_what_nobody_takes_goes),
        cmocka_unit_test(test_node_by_policy),
        cmocka_unit_test(test_one_processor),
        cmocka_unit_test(test_what_cannot_be_made),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
