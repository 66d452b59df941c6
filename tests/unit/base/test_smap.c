// SPDX-License-Identifier: Apache-2.0
/*
 * The string map: put, replace, typed reads with defaults, equality, order.
 */
#include "../unit.h"

#include <stdio.h>

#include "base/smap.h"

static void
put_get_replace_delete(void **state)
{
    struct smap map = SMAP_INIT;

    assert_true(smap_is_empty(&map));
    smap_put(&map, "b", "2");
    smap_put(&map, "a", "1");
    smap_put_format(&map, "c", "%d", 3);
    smap_put(&map, "b", "two");
    assert_int_equal(smap_count(&map), 3);
    assert_string_equal(smap_get(&map, "b"), "two");
    assert_null(smap_get(&map, "d"));
    assert_string_equal(smap_get_def(&map, "d", "x"), "x");
    assert_true(smap_del(&map, "b"));
    assert_false(smap_del(&map, "b"));
    assert_null(smap_get(&map, "b"));
    smap_destroy(&map);
    assert_true(smap_is_empty(&map));
}

static void
typed_reads_fall_back_to_their_default(void **state)
{
    struct smap map = SMAP_INIT;

    smap_put(&map, "int", "-5");
    smap_put(&map, "hex", "0x10");
    smap_put(&map, "junk", "12x");
    smap_put(&map, "yes", "TRUE");
    smap_put(&map, "no", "false");
    assert_int_equal(smap_get_int(&map, "int", 1), -5);
    assert_int_equal(smap_get_uint(&map, "int", 1), 1);
    assert_int_equal(smap_get_u64(&map, "hex", 1), 16);
    assert_int_equal(smap_get_int(&map, "junk", 9), 9);
    assert_int_equal(smap_get_int(&map, "none", 8), 8);
    assert_true(smap_get_bool(&map, "yes", false));
    assert_false(smap_get_bool(&map, "no", true));
    /* Neither true nor false: the default. */
    assert_true(smap_get_bool(&map, "junk", true));
    assert_false(smap_get_bool(&map, "junk", false));
    smap_destroy(&map);
}

static void
equality_ignores_order(void **state)
{
    struct smap a = SMAP_INIT, b = SMAP_INIT, c = SMAP_INIT;
    struct str s = STR_INIT;

    for (int i = 0; i < 100; i++) {
        char key[16], other[16];
        snprintf(key, sizeof(key), "k%02d", i);
        snprintf(other, sizeof(other), "k%02d", 99 - i);
        smap_put(&a, key, key);
        smap_put(&b, other, other);
    }
    assert_true(smap_equal(&a, &b));
    assert_true(smap_hash(&a) == smap_hash(&b));
    smap_clone(&c, &a);
    assert_true(smap_equal(&a, &c));
    smap_put(&c, "k50", "changed");
    assert_false(smap_equal(&a, &c));
    smap_del(&c, "k50");
    assert_false(smap_equal(&a, &c));
    assert_false(smap_equal(&c, &a));

    const struct smap_node **sorted = smap_sort(&b);
    for (size_t i = 1; i < smap_count(&b); i++) {
        assert_true(strcmp(sorted[i - 1]->key, sorted[i]->key) < 0);
    }
    free(sorted);
    smap_clear(&c);
    smap_put(&c, "b", "2");
    smap_put(&c, "a", "1");
    smap_format(&c, &s);
    assert_string_equal(str_cstr(&s), "a=1, b=2");
    str_free(&s);
    smap_destroy(&a);
    smap_destroy(&b);
    smap_destroy(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_get_replace_delete),
        cmocka_unit_test(typed_reads_fall_back_to_their_default),
        cmocka_unit_test(equality_ignores_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
