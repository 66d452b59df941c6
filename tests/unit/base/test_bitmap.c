// SPDX-License-Identifier: Apache-2.0
/*
 * Bitmap scans against a slow twin, for many sizes.
 */
#include "../unit.h"

#include "base/bitmap.h"
#include "base/random.h"

static size_t
slow_scan(const bool *bits, bool value, size_t start, size_t n)
{
    while (start < n && bits[start] != value) {
        start++;
    }
    return start < n ? start : n;
}

static void
scans_like_the_slow_twin(void **state)
{
    bool bits[300];

    random_set_seed(1);
    for (size_t n = 1; n < ARRAY_SIZE(bits); n++) {
        uint64_t *bitmap = bitmap_create(n);
        size_t count = 0;

        for (size_t i = 0; i < n; i++) {
            bits[i] = random_range(8) == 0;
            count += bits[i];
            if (bits[i]) {
                bitmap_set(bitmap, i);
            }
        }
        assert_int_equal(bitmap_count(bitmap, n), count);
        for (size_t i = 0; i <= n; i++) {
            assert_int_equal(bitmap_scan(bitmap, true, i, n), slow_scan(bits, true, i, n));
            assert_int_equal(bitmap_scan(bitmap, false, i, n), slow_scan(bits, false, i, n));
        }
        BITMAP_FOREACH_SET (bit, bitmap, n) {
            assert_true(bits[bit] && bitmap_is_set(bitmap, bit));
            bitmap_clear(bitmap, bit);
            count--;
        }
        assert_int_equal(count, 0);
        assert_int_equal(bitmap_count(bitmap, n), 0);
        free(bitmap);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(scans_like_the_slow_twin)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
