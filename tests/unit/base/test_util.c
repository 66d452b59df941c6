// SPDX-License-Identifier: Apache-2.0
/*
 * Number parsing is strict, copies are bounded, macros evaluate once.
 */
#include "../unit.h"

#include <limits.h>

#include "base/util.h"

static void
numbers_are_parsed_whole_or_not_at_all(void **state)
{
    static const char *const bad[] = {"", " 1", "1 ", "1x", "x", "--1", "+", "0x", NULL};
    uint64_t u = 77;
    int64_t s = 77;
    int i = 77;
    double d = 77;

    for (size_t n = 0; n < ARRAY_SIZE(bad); n++) {
        assert_false(str_to_u64(bad[n], 0, &u));
        assert_false(str_to_i64(bad[n], 0, &s));
        assert_false(str_to_int(bad[n], 0, &i));
        if (bad[n] != NULL) {
            assert_false(str_to_double(bad[n], &d));
        }
    }
    assert_int_equal(u, 77);
    assert_int_equal(s, 77);
    assert_int_equal(i, 77);
    assert_true(d == 77);
}

static void
numbers_respect_their_range(void **state)
{
    unsigned int ui;
    uint64_t u;
    int64_t s;
    int i;

    assert_true(str_to_u64("18446744073709551615", 10, &u));
    assert_true(u == UINT64_MAX);
    assert_false(str_to_u64("18446744073709551616", 10, &u));
    assert_false(str_to_u64("-1", 10, &u));
    assert_true(str_to_i64("-9223372036854775808", 10, &s));
    assert_true(s == INT64_MIN);
    assert_false(str_to_i64("9223372036854775808", 10, &s));
    assert_true(str_to_int("-2147483648", 10, &i));
    assert_int_equal(i, INT_MIN);
    assert_false(str_to_int("2147483648", 10, &i));
    assert_false(str_to_uint("4294967296", 10, &ui));
    assert_true(str_to_uint("0xffffffff", 0, &ui));
    assert_true(ui == UINT_MAX);
    assert_true(str_to_uint("ff", 16, &ui));
    assert_int_equal(ui, 255);
}

static void
str_copy_is_bounded(void **state)
{
    char buf[5] = "####";

    assert_int_equal(str_copy(buf, "abc", sizeof(buf)), 3);
    assert_string_equal(buf, "abc");
    assert_int_equal(str_copy(buf, "abcdefgh", sizeof(buf)), 8);
    assert_string_equal(buf, "abcd");
    assert_int_equal(str_copy(NULL, "abc", 0), 3);
}

static void
min_and_max_evaluate_once(void **state)
{
    int i = 0, j = 10;

    assert_int_equal(MIN(i++, j++), 0);
    assert_int_equal(i, 1);
    assert_int_equal(j, 11);
    assert_int_equal(MAX(MIN(3, 5), MAX(2, 4)), 4);
}

static void
network_order_needs_no_alignment(void **state)
{
    uint8_t bytes[16] = {0};

    put_be16(bytes + 1, 0x1234);
    put_be32(bytes + 3, 0x56789abc);
    put_be64(bytes + 7, UINT64_C(0x0123456789abcdef));
    assert_int_equal(bytes[1], 0x12);
    assert_int_equal(bytes[3], 0x56);
    assert_int_equal(bytes[14], 0xef);
    assert_int_equal(get_be16(bytes + 1), 0x1234);
    assert_int_equal(get_be32(bytes + 3), 0x56789abc);
    assert_true(get_be64(bytes + 7) == UINT64_C(0x0123456789abcdef));
}

static void
cacheline_memory_is_aligned_and_zero(void **state)
{
    uint8_t *p = xzalloc_cacheline(100);

    assert_int_equal((uintptr_t)p % CACHE_LINE_SIZE, 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(p[i], 0);
    }
    free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_parsed_whole_or_not_at_all),
        cmocka_unit_test(numbers_respect_their_range),
        cmocka_unit_test(str_copy_is_bounded),
        cmocka_unit_test(min_and_max_evaluate_once),
        cmocka_unit_test(network_order_needs_no_alignment),
        cmocka_unit_test(cacheline_memory_is_aligned_and_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
