// SPDX-License-Identifier: Apache-2.0
/* Addresses and prefixes as texts, and what is none. */
#include "../unit.h"

#include "tunnel/address.h"

/* "ADDRESS/PLEN" of what 's' is read as; "" for what is refused. */
static const char *
reread(const char *s)
{
    static char text[64];
    struct str out = STR_INIT;
    struct in6_addr a;
    unsigned int plen;

    if (address_parse_prefix(s, &a, &plen)) {
        address_format(&out, &a);
        str_printf(&out, "/%u", plen);
    }
    str_copy(text, str_cstr(&out), sizeof(text));
    str_free(&out);
    return text;
}

static void
prefixes_are_read(void **state)
{
    assert_string_equal(reread("10.1.2.3"), "10.1.2.3/128");
    assert_string_equal(reread("10.1.2.3/8"), "10.1.2.3/104");
    assert_string_equal(reread("0.0.0.0/0"), "0.0.0.0/96");
    assert_string_equal(reread("10.1.2.3/255.255.0.0"), "10.1.2.3/112");
    assert_string_equal(reread("fc00::1"), "fc00::1/128");
    assert_string_equal(reread("::/0"), "::/0");
    assert_string_equal(reread("fc00::1/ffff::"), "fc00::1/16");
    assert_string_equal(reread("::ffff:1.2.3.4/128"), "1.2.3.4/128");
}

static void
others_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "/",
        "10.1.2",
        "10.1.2.3/",
        "10.1.2.3/33",
        "10.1.2.3/-1",
        "10.1.2.3/x",
        "10.1.2.3/ 8",
        "fc00::/129",
        "fc00::/255.0.0.0",
        "x/8",
        "10.1.2.3/8/8",
        "10.1.2.3/255.0.255.0",
        "10.1.2.3/4294967240",
        "10.1.2.3/18446744073709551615",
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_string_equal(reread(bad[i]), "");
    }
}

static void
a_prefix_has_zeros_behind_it(void **state)
{
    struct in6_addr ones, prefix;

    memset(&ones, 0xff, sizeof(ones));
    for (unsigned int plen = 0; plen <= ADDRESS_BITS; plen++) {
        unsigned int n = 0;

        prefix = address_prefix(&ones, plen);
        for (unsigned int bit = 0; bit < ADDRESS_BITS; bit++) {
            bool is_set = (prefix.s6_addr[bit / 8] & (0x80 >> bit % 8)) != 0;

            assert_int_equal(is_set, bit < plen);
            n += is_set;
        }
        assert_int_equal(n, plen);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes_are_read),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(a_prefix_has_zeros_behind_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
