// SPDX-License-Identifier: Apache-2.0
/*
 * UUIDs: version bits, text round trip, what is not a UUID.
 */
#include "../unit.h"

#include "base/uuid.h"

static void
generated_ones_are_version_4_and_differ(void **state)
{
    struct uuid a, b;

    for (int i = 0; i < 1000; i++) {
        uuid_generate(&a);
        uuid_generate(&b);
        assert_int_equal(a.b[6] >> 4, 4);
        assert_int_equal(a.b[8] >> 6, 2);
        assert_false(uuid_equals(&a, &b));
    }
}

static void
text_round_trips(void **state)
{
    char text[UUID_LEN + 1];
    struct uuid a, b;

    for (int i = 0; i < 1000; i++) {
        uuid_generate(&a);
        uuid_format(&a, text);
        assert_int_equal(strlen(text), UUID_LEN);
        assert_true(uuid_from_string(&b, text));
        assert_true(uuid_equals(&a, &b));
    }
    assert_true(uuid_from_string(&a, "0123ABCD-4567-89ef-0123-456789abcdef"));
    uuid_format(&a, text);
    assert_string_equal(text, "0123abcd-4567-89ef-0123-456789abcdef");
}

static void
bad_texts_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "0123abcd",
        "0123abcd-4567-89ef-0123-456789abcde",
        "0123abcd-4567-89ef-0123-456789abcdef0",
        "0123abcd-4567-89ef-0123-456789abcdeg",
        "0123abcd04567-89ef-0123-456789abcdef",
        "-123abcd-4567-89ef-0123-456789abcdef",
        "0123abcd-4567-89ef-0123-456789abcde\n",
    };
    struct uuid uuid = {{7}};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_false(uuid_from_string(&uuid, bad[i]));
    }
    assert_int_equal(uuid.b[0], 7);
    assert_true(uuid_from_prefix(&uuid, "0123abcd-4567-89ef-0123-456789abcdef,more"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generated_ones_are_version_4_and_differ),
        cmocka_unit_test(text_round_trips),
        cmocka_unit_test(bad_texts_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
