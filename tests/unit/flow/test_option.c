// SPDX-License-Identifier: Apache-2.0
/*
 * Tunnel options as fields: their places, their presence in flows and matches, their texts.
 */
#include "../unit.h"

#include "base/util.h"
#include "flow/match.h"
#include "flow/option.h"
#include "flow/text.h"

static void
set(const struct mf_field *mf, struct flow *flow, uint8_t first, uint8_t last)
{
    union mf_value v = {.w = {0, 0}};

    v.b[0] = first;
    v.b[mf->n_bytes - 1] = last;
    mf_set_flow_value(mf, &v, flow);
}

static void
places_lie_in_a_row_and_run_out(void **state)
{
    struct mf_options o = {0};

    for (unsigned i = 0; i < 6; i++) {
        assert_true(mf_options_place(&o, i, 16)); /* 24 of 25 slots */
    }
    assert_false(mf_options_place(&o, 6, 8));
    assert_true(mf_options_place(&o, 6, 4));
    assert_false(mf_options_place(&o, 7, 4));
    mf_options_remove(&o, 2);
    assert_null(mf_option_find(&o, 2));
    assert_true(mf_options_place(&o, 7, 12));
    assert_int_equal(o.at[7].slot, o.at[1].slot + 4);
    assert_true(mf_options_place(&o, 63, 4));
    assert_int_equal(mf_option_index(mf_option_find(&o, 63)), 63);
    assert_null(mf_option_find(&o, 64));
    assert_null(mf_option_find(NULL, 0));
}

static void
fields_have_names_and_ids(void **state)
{
    struct mf_options o = {0};
    const struct mf_field *mf;

    assert_true(mf_options_place(&o, 5, 8));
    mf = mf_option_from_name(&o, "tun_metadata5");
    assert_non_null(mf);
    assert_ptr_equal(mf, mf_option_from_name(&o, "NXM_NX_TUN_METADATA5"));
    assert_ptr_equal(mf, mf_from_id(mf->id));
    assert_ptr_equal(mf, mf_option_find(&o, 5));
    assert_string_equal(mf_nxm_name(mf), "NXM_NX_TUN_METADATA5");
    assert_int_equal(mf->n_bits, 64);
    assert_null(mf_option_from_name(&o, "tun_metadata"));
    assert_null(mf_option_from_name(&o, "tun_metadata4"));
    assert_null(mf_option_from_name(&o, "tun_metadata5x"));
    assert_null(mf_from_name("tun_metadata5"));
}

static void
a_value_makes_present(void **state)
{
    struct mf_options o = {0};
    const struct mf_field *a, *b;
    struct flow flow = {0}, zero = {0};
    union mf_value v;

    assert_true(mf_options_place(&o, 0, 4) && mf_options_place(&o, 1, 8));
    a = mf_option_find(&o, 0);
    b = mf_option_find(&o, 1);
    assert_false(mf_option_is_present(a, &flow));
    set(a, &flow, 0, 0);
    assert_true(mf_option_is_present(a, &flow)); /* also with value zero */
    assert_false(mf_option_is_present(b, &flow));
    set(b, &flow, 1, 2);
    mf_get_value(b, &flow, &v);
    assert_memory_equal(v.b, "\1\0\0\0\0\0\0\2", 8);
    assert_ptr_equal(mf_option_next(&flow, &(unsigned){0}), a);
    assert_ptr_equal(mf_option_next(&flow, &(unsigned){1}), b);
    mf_option_delete(b, &flow);
    assert_false(mf_option_is_present(b, &flow));
    assert_true(mf_option_is_present(a, &flow));
    mf_option_delete(a, &flow);
    assert_true(flow_equal(&flow, &zero));
}

/* A flow that waited while the map changed: the new field is not what the old one left. */
static void
a_place_with_another_owner_is_absent(void **state)
{
    struct mf_options old = {0}, new = {0};
    struct flow flow = {0};
    union mf_value v;

    assert_true(mf_options_place(&old, 3, 8) && mf_options_place(&new, 4, 4));
    set(mf_option_find(&old, 3), &flow, 9, 9);
    assert_false(mf_option_is_present(mf_option_find(&new, 4), &flow));
    mf_get_value(mf_option_find(&new, 4), &flow, &v);
    assert_int_equal(v.b[0], 0);
    set(mf_option_find(&new, 4), &flow, 0, 7);
    assert_false(mf_option_is_present(mf_option_find(&old, 3), &flow));
    mf_get_value(mf_option_find(&old, 3), &flow, &v);
    assert_int_equal(v.b[0], 0);
}

static void
matches_tell_presence_from_value(void **state)
{
    struct mf_options o = {0};
    const struct mf_port_names names = {.options = &o};
    const struct mf_field *mf;
    struct match there, value;
    struct flow flow = {0};

    assert_true(mf_options_place(&o, 2, 4));
    mf = mf_option_find(&o, 2);
    assert_null(match_parse(&there, "tun_metadata2", &names, NULL));
    assert_null(match_parse(&value, "tun_metadata2=0/0xff", &names, NULL));
    assert_true(match_is_within(&value, &there));
    assert_false(match_is_within(&there, &value));
    assert_false(match_flow(&there, &flow));
    assert_false(match_flow(&value, &flow));
    set(mf, &flow, 1, 0);
    assert_true(match_flow(&there, &flow) && match_flow(&value, &flow));
    set(mf, &flow, 0, 1);
    assert_true(match_flow(&there, &flow));
    assert_false(match_flow(&value, &flow));
    assert_true(mf_is_all_wild(mf, &(struct flow_mask){0}));
    assert_false(mf_is_all_wild(mf, &there.mask));
}

static void
texts_read_as_they_print(void **state)
{
    static const char *const texts[] = {
        "tun_metadata0",
        "tun_metadata0=0x1234",
        "tun_metadata0=0x1234/0xffff",
        "reg1=0x5,tun_metadata0=0,tun_metadata9=0x10000000000000002,metadata=0x1",
    };
    struct mf_options o = {0};
    const struct mf_port_names names = {.options = &o};
    struct match m;

    assert_true(mf_options_place(&o, 0, 4) && mf_options_place(&o, 9, 12));
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct text t = {0};

        assert_null(match_parse(&m, texts[i], &names, NULL));
        match_format(&m, NULL, &t, MATCH_NO_PRIORITY);
        assert_string_equal(text_cstr(&t), texts[i]);
        text_fini(&t);
    }
    for (size_t i = 0; i < 2; i++) {
        char *error =
            match_parse(&m, i ? "tun_metadata1=1" : "tun_metadata0=0x123456789", &names, NULL);

        assert_non_null(error);
        free(error);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_lie_in_a_row_and_run_out),
        cmocka_unit_test(fields_have_names_and_ids),
        cmocka_unit_test(a_value_makes_present),
        cmocka_unit_test(a_place_with_another_owner_is_absent),
        cmocka_unit_test(matches_tell_presence_from_value),
        cmocka_unit_test(texts_read_as_they_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
