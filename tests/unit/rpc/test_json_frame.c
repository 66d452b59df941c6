// SPDX-License-Identifier: Apache-2.0
/*
 * Message framing: boundaries wherever the bytes are split, bounds on size and depth, garbage.
 */
#include "../unit.h"

#include "base/str.h"
#include "rpc/json_frame.h"

/* Scans 'text' in pieces of 'piece' bytes; each message, followed by '|', goes to 'out'. */
static enum json_frame_result
scan(const char *text, size_t piece, size_t max_size, struct str *out)
{
    enum json_frame_result result = JSON_FRAME_MORE;
    size_t len = strlen(text);
    struct json_frame frame;

    json_frame_init(&frame, max_size);
    for (size_t pos = 0; pos < len;) {
        size_t used = 0, skip = 0;
        result = json_frame_scan(&frame, text + pos, MIN(piece, len - pos), &used, &skip);
        if (result != JSON_FRAME_MORE && result != JSON_FRAME_DONE) {
            return result;
        }
        str_put_mem(out, text + pos + skip, used - skip);
        pos += used;
        if (result == JSON_FRAME_DONE) {
            str_putc(out, '|');
        }
    }
    return result;
}

static void
finds_messages_however_they_are_split(void **state)
{
    static const char text[] =
        " {\"a\":\"}]\\\"{\"}{}[1,[2,{\"\\\\\":\"\\\\\"}]]\n\t{\"x\":[{}]} \r\n";
    static const char expected[] =
        "{\"a\":\"}]\\\"{\"}|{}|[1,[2,{\"\\\\\":\"\\\\\"}]]|{\"x\":[{}]}|";

    for (size_t piece = 1; piece <= sizeof(text); piece++) {
        struct str out = STR_INIT;
        assert_int_equal(scan(text, piece, 1000, &out), JSON_FRAME_MORE);
        assert_string_equal(str_cstr(&out), expected);
        str_free(&out);
    }
}

static void
refuses_what_cannot_begin_a_message(void **state)
{
    static const char *const bad[] = {"x", "1", "\"s\"", "}", "]", "null", "{}x", " \x80", "GET /"};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct str out = STR_INIT;
        assert_int_equal(scan(bad[i], 100, 1000, &out), JSON_FRAME_GARBAGE);
        str_free(&out);
    }
}

static void
stops_at_the_size_limit(void **state)
{
    struct str out = STR_INIT;

    assert_int_equal(scan("{\"123456\"}", 3, 10, &out), JSON_FRAME_DONE);
    assert_int_equal(scan("{\"1234567\"}", 3, 10, &out), JSON_FRAME_TOO_BIG);
    /* The limit is for one message, not for the stream. */
    assert_int_equal(scan("{\"123456\"}{\"123456\"}{}", 7, 10, &out), JSON_FRAME_DONE);
    str_free(&out);
}

static void
stops_at_the_depth_limit(void **state)
{
    char *deep = xzalloc(2 * JSON_FRAME_MAX_DEPTH + 3);
    struct str out = STR_INIT;

    memset(deep, '[', JSON_FRAME_MAX_DEPTH);
    memset(deep + JSON_FRAME_MAX_DEPTH, ']', JSON_FRAME_MAX_DEPTH);
    assert_int_equal(scan(deep, 64, SIZE_MAX, &out), JSON_FRAME_DONE);
    memset(deep, '[', JSON_FRAME_MAX_DEPTH + 1);
    assert_int_equal(scan(deep, 64, SIZE_MAX, &out), JSON_FRAME_TOO_DEEP);
    str_free(&out);
    free(deep);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_messages_however_they_are_split),
        cmocka_unit_test(refuses_what_cannot_begin_a_message),
        cmocka_unit_test(stops_at_the_size_limit),
        cmocka_unit_test(stops_at_the_depth_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
