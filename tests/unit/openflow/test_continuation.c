// SPDX-License-Identifier: Apache-2.0
/*
 * What is left of a packet's way through the tables, to bytes and back in each version; and bytes
 * that are cut.
 */
#include "../unit.h"

#include "base/util.h"
#include "flow/option.h"
#include "flow/text.h"
#include "openflow/ofp_continuation.h"
#include "openflow/ofp_prop.h"
#include "openflow/ofp_text.h"

static void
add_part(struct ofp_continuation *c, uint8_t table, uint64_t cookie, bool instructions,
         const char *actions)
{
    struct ofp_frozen_part *part = ofp_continuation_add(c, table, cookie);

    part->instructions = instructions;
    assert_null(ofpacts_parse(actions, NULL, true, &part->actions));
}

/* As after two resubmits: a list, a goto_table, what the outermost flow has left. */
static void
make(struct ofp_continuation *c)
{
    *c = (struct ofp_continuation){.mirrors = 5, .odp_port = 77, .conntracked = true};
    uuid_generate(&c->bridge);
    c->n_stack = 3;
    c->stack = xcalloc(c->n_stack, sizeof *c->stack);
    c->stack[0].b[15] = 1;
    c->stack[1].b[0] = 0xff;
    add_part(c, 0, 0, false, "set_field:7->reg3,pop:NXM_NX_REG5[]");
    add_part(c, 3, 0, true, "write_metadata:0x5,goto_table:9");
    add_part(c, 3, 42, false, "output:2,dec_ttl");
    add_part(c, 0, UINT64_MAX, false, "output:3");
    assert_null(ofpacts_parse("push_vlan:0x8100,output:9", NULL, false, &c->action_set));
}

static void
check_equal(const struct ofp_continuation *a, const struct ofp_continuation *b)
{
    assert_true(uuid_equals(&a->bridge, &b->bridge));
    assert_int_equal(a->mirrors, b->mirrors);
    assert_int_equal(a->odp_port, b->odp_port);
    assert_int_equal(a->conntracked, b->conntracked);
    assert_int_equal(a->n_stack, b->n_stack);
    assert_memory_equal(a->stack, b->stack, a->n_stack * sizeof *a->stack);
    assert_int_equal(a->n_parts, b->n_parts);
    for (size_t i = 0; i < a->n_parts; i++) {
        struct text x = {0}, y = {0};

        assert_int_equal(a->parts[i].table_id, b->parts[i].table_id);
        assert_true(a->parts[i].cookie == b->parts[i].cookie);
        ofpacts_format(ofpacts_data(&a->parts[i].actions), a->parts[i].actions.size, NULL, &x);
        ofpacts_format(ofpacts_data(&b->parts[i].actions), b->parts[i].actions.size, NULL, &y);
        assert_string_equal(text_cstr(&x), text_cstr(&y));
        text_fini(&x);
        text_fini(&y);
    }
    assert_int_equal(a->action_set.size, b->action_set.size);
}

static void
test_round_trip(void **state)
{
    (void)state;
    for (int version = OFP10_VERSION; version <= OFP15_VERSION; version++) {
        struct ofp_continuation c, back;
        struct wr out = {0};
        struct rd in;

        make(&c);
        assert_true(ofp_continuation_encode(&c, version, NULL, &out));
        in = rd_init(out.data, out.size);
        assert_int_equal(ofp_continuation_decode(&in, version, &back), 0);
        check_equal(&c, &back);
        ofp_continuation_fini(&back);
        ofp_continuation_fini(&c);
        wr_fini(&out);
    }
}

/* Whether the properties of the types from 0x80f0 on, which only we read, are among these. */
static bool
has_own(const struct wr *out)
{
    struct rd in = rd_init(out->data, out->size);
    bool own = false;

    while (rd_left(&in)) {
        struct ofp_prop prop;

        assert_int_equal(ofp_prop_pull(&in, &prop), 0);
        own |= prop.type >= 0x80f0;
    }
    return own;
}

/* They are said as other actions are, in the properties that controllers know, by the bridge's map;
 * what that map does not have is not lost either. */
static void
test_tunnel_options(void **state)
{
    static const struct mf_options mapped = {.at = {[0] = {0, 1}, [7] = {1, 2}}}, none;
    static const struct mf_port_names names = {.options = &mapped};
    static const char set[] = "set_field:0x12->tun_metadata0,set_field:7->tun_metadata7,output:2";
    static const char move[] = "move:NXM_NX_REG0[]->NXM_NX_TUN_METADATA0[],output:2";

    (void)state;
    for (int version = OFP10_VERSION; version <= OFP15_VERSION; version++) {
        for (int known = 0; known < 2; known++) {
            struct ofp_continuation c = {.odp_port = 1}, back;
            struct wr out = {0};
            struct rd in;

            /* Before 1.2, set_field of any field becomes a load. */
            assert_null(ofpacts_parse(version < OFP12_VERSION ? move : set, &names, true,
                                      &ofp_continuation_add(&c, 1, 5)->actions));
            assert_null(ofpacts_parse(move, &names, false, &c.action_set));
            assert_true(ofp_continuation_encode(&c, version, known ? &mapped : &none, &out));
            assert_int_equal(has_own(&out), !known);
            in = rd_init(out.data, out.size);
            in.options = &mapped;
            assert_int_equal(ofp_continuation_decode(&in, version, &back), 0);
            check_equal(&c, &back);
            ofp_continuation_fini(&back);
            ofp_continuation_fini(&c);
            wr_fini(&out);
        }
    }
}

static void
test_cut_anywhere(void **state)
{
    struct ofp_continuation c, back;
    struct wr out = {0};

    (void)state;
    make(&c);
    assert_true(ofp_continuation_encode(&c, OFP13_VERSION, NULL, &out));
    for (size_t n = 0; n < out.size; n++) {
        uint8_t *copy = xmalloc(n ? n : 1);
        struct rd in;
        enum ofperr error;

        memcpy(copy, out.data, n);
        in = rd_init(copy, n);
        error = ofp_continuation_decode(&in, OFP13_VERSION, &back);
        /* A list may end between two properties, once it has named the bridge. */
        if (n < 24) {
            assert_int_not_equal(error, 0);
        }
        ofp_continuation_fini(&back);
        free(copy);
    }
    ofp_continuation_fini(&c);
    wr_fini(&out);
}

static void
test_too_much_is_refused_whole(void **state)
{
    struct ofp_continuation c;
    struct wr out = {0};

    (void)state;
    make(&c);
    for (int i = 0; i < 4000; i++) {
        add_part(&c, 1, (uint64_t)i, false, "output:2");
    }
    wr_u32(&out, 1);
    assert_false(ofp_continuation_encode(&c, OFP13_VERSION, NULL, &out));
    assert_int_equal(out.size, 4);
    ofp_continuation_fini(&c);
    wr_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_tunnel_options),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_too_much_is_refused_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
