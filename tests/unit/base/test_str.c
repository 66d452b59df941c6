// SPDX-License-Identifier: Apache-2.0
/*
 * The growable string: growth against a plain reference, and the text forms of addresses.
 */
#include "../unit.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/str.h"

static void
grows_like_a_plain_buffer(void **state)
{
    static char expected[200000];
    struct str s = STR_INIT;
    size_t len = 0;

    for (int i = 0; i < 20000; i++) {
        len += (size_t)sprintf(expected + len, "%d,", i);
        str_printf(&s, "%d,", i);
    }
    assert_int_equal(s.len, len);
    assert_string_equal(str_cstr(&s), expected);
    assert_true(str_chomp(&s, ','));
    assert_false(str_chomp(&s, ','));
    assert_true(str_ends_with(&s, "19999"));
    assert_true(str_starts_with(&s, "0,1,2"));
    str_free(&s);
    assert_string_equal(str_cstr(&s), "");
}

static void
printf_fits_exactly(void **state)
{
    /* Lengths around the first capacity: an off-by-one loses the last character. */
    for (size_t len = 1; len < 140; len++) {
        struct str s = STR_INIT;
        char text[160];

        str_putc(&s, '<');
        memset(text, 'x', len);
        text[len] = '\0';
        str_printf(&s, "%s", text);
        assert_int_equal(s.len, len + 1);
        assert_string_equal(str_cstr(&s) + 1, text);
        char *taken = str_steal(&s);
        assert_int_equal(strlen(taken), len + 1);
        assert_string_equal(str_cstr(&s), "");
        free(taken);
    }
}

static void
trims_and_truncates(void **state)
{
    struct str s = STR_INIT;

    str_put(&s, "text \t\n\n");
    str_trim_end(&s);
    assert_string_equal(str_cstr(&s), "text");
    str_truncate(&s, 2);
    assert_string_equal(str_cstr(&s), "te");
    str_truncate(&s, 5);
    assert_string_equal(str_cstr(&s), "te");
    str_clear(&s);
    str_put_mem(&s, "a\0b", 3);
    assert_int_equal(s.len, 3);
    str_free(&s);
}

static void
formats_ip6_as_rfc5952(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"::", "::"},
        {"::1", "::1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:0db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        {"fe80:0:0:0:0:0:0:0", "fe80::"},
        {"::ffff:10.1.2.3", "::ffff:10.1.2.3"},
        {"ABCD:EF01:2345:6789:ABCD:EF01:2345:6789", "abcd:ef01:2345:6789:abcd:ef01:2345:6789"},
        {"1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0"},
        {"0:2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        {"0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"},
    };
    struct str s = STR_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct in6_addr ip;
        assert_int_equal(inet_pton(AF_INET6, cases[i].in, &ip), 1);
        str_clear(&s);
        str_put_ip6(&s, &ip);
        assert_string_equal(str_cstr(&s), cases[i].out);
    }
    str_free(&s);
}

static void
formats_masks(void **state)
{
    struct in6_addr ip, mask;
    struct str s = STR_INIT;

    str_put_ip4_masked(&s, inet_addr("10.1.2.0"), inet_addr("255.255.255.0"));
    str_putc(&s, ' ');
    str_put_ip4_masked(&s, inet_addr("10.1.2.3"), inet_addr("255.255.255.255"));
    str_putc(&s, ' ');
    str_put_ip4_masked(&s, inet_addr("10.0.2.0"), inet_addr("255.0.255.0"));
    str_putc(&s, ' ');
    str_put_ip4_masked(&s, 0, 0);
    assert_string_equal(str_cstr(&s), "10.1.2.0/24 10.1.2.3 10.0.2.0/255.0.255.0 0.0.0.0/0");

    str_clear(&s);
    inet_pton(AF_INET6, "fe80::", &ip);
    inet_pton(AF_INET6, "ffc0::", &mask);
    str_put_ip6_masked(&s, &ip, &mask);
    str_putc(&s, ' ');
    inet_pton(AF_INET6, "ffff::ff", &mask);
    str_put_ip6_masked(&s, &ip, &mask);
    assert_string_equal(str_cstr(&s), "fe80::/10 fe80::/ffff::ff");
    str_free(&s);
}

static void
formats_bytes(void **state)
{
    static const uint8_t bytes[16] = {0x00, 0x01, 0xab, 0xff, 0x10, 0x20, 0x30, 0x40,
                                      0x50, 0x60, 0x70, 0x80, 0x90, 0xa0, 0xb0, 0xc0};
    struct str s = STR_INIT;

    str_put_hex(&s, bytes, 4);
    str_putc(&s, ' ');
    str_put_eth(&s, bytes);
    str_putc(&s, ' ');
    str_put_uuid(&s, bytes);
    assert_string_equal(str_cstr(&s),
                        "0001abff 00:01:ab:ff:10:20 0001abff-1020-3040-5060-708090a0b0c0");
    str_clear(&s);
    str_put_hexdump(&s, "ABCDEFGHIJKLMNOP0", 17, 0);
    assert_string_equal(
        str_cstr(&s),
        "00000000  41 42 43 44 45 46 47 48-49 4a 4b 4c 4d 4e 4f 50  |ABCDEFGHIJKLMNOP|\n"
        "00000010  30                     -                         |0               |\n");
    str_free(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_like_a_plain_buffer),
        cmocka_unit_test(printf_fits_exactly),
        cmocka_unit_test(trims_and_truncates),
        cmocka_unit_test(formats_ip6_as_rfc5952),
        cmocka_unit_test(formats_masks),
        cmocka_unit_test(formats_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
