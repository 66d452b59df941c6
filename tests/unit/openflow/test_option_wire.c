// SPDX-License-Identifier: Apache-2.0
/*
 * Tunnel options on the wire: TLVs of any length, as ovs-ofctl sends them, in matches and actions;
 * and what a list of actions uses.
 */
#include "../unit.h"

#include "base/util.h"
#include "flow/option.h"
#include "flow/text.h"
#include "openflow/nxm.h"
#include "openflow/ofp_text.h"

static const struct mf_options options = {.at = {[0] = {0, 1}, [1] = {1, 2}}};
static const struct mf_port_names names = {.options = &options};

static enum ofperr
pull(const void *bytes, size_t n, const struct mf_options *o, struct match *match)
{
    struct rd in = rd_init(bytes, n);

    in.options = o;
    return nxm_pull_match(&in, false, match, NULL, NULL);
}

struct example {
    const char *bytes;
    size_t n;
    const char *text;
};

static void
matches_come_in_any_length(void **state)
{
    static const struct example examples[] = {
        {"\0\1\x50\0", 4, "tun_metadata0=0"},
        {"\0\1\x51\0", 4, "tun_metadata0"},
        {"\0\1\x50\2\x12\x34", 6, "tun_metadata0=0x1234"},
        {"\0\1\x51\4\x12\x34\xff\xff", 8, "tun_metadata0=0x1234/0xffff"},
        {"\0\1\x51\2\0\xff", 6, "tun_metadata0=0/0xff"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
        const struct example *e = &examples[i];
        struct text t = {0};
        struct wr out = {0};
        struct match m;

        assert_int_equal(pull(e->bytes, e->n, &options, &m), 0);
        match_format(&m, NULL, &t, MATCH_NO_PRIORITY);
        assert_string_equal(text_cstr(&t), e->text);
        nxm_put_match(&out, &m, 0, 0, 0);
        assert_int_equal(out.size, e->n);
        assert_memory_equal(out.data, e->bytes, e->n);
        text_fini(&t);
        wr_fini(&out);
    }
}

/* Where both the match of OpenFlow 1.1 and OXM may stand, also in a message of that version. */
static void
matches_say_what_they_are(void **state)
{
    static const char *const texts[] = {"tcp,tp_dst=80,in_port=3", "reg0=5,tun_metadata0=1,tcp"};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct match m, back;
        struct wr out = {0};
        struct rd in;

        assert_null(match_parse(&m, texts[i], &names, NULL));
        if (i) {
            oxm_put_match(&out, &m, OFP11_VERSION);
        } else {
            ofp11_match_put(&out, &m);
        }
        in = rd_init(out.data, out.size);
        in.options = &options;
        assert_int_equal(ofp_match_pull(&in, &back), 0);
        assert_true(match_equal(&m, &back));
        assert_int_equal(rd_left(&in), 0);
        out.data[1] = 7; /* neither */
        in = rd_init(out.data, out.size);
        assert_int_equal(ofp_match_pull(&in, &back), OFPERR_OFPBMC_BAD_TYPE);
        wr_fini(&out);
    }
}

static void
too_long_keeps_the_beginning(void **state)
{
    struct match m, same;

    assert_int_equal(pull("\0\1\x50\5\1\x23\x45\x67\x89", 9, &options, &m), 0);
    assert_null(match_parse(&same, "tun_metadata0=0x1234567", &names, NULL));
    assert_true(match_equal(&m, &same));
}

static void
bad_matches_are_refused(void **state)
{
    struct match m;

    assert_int_equal(pull("\0\1\x50\1\5", 5, NULL, &m), OFPERR_NXFMFC_INVALID_TLV_FIELD);
    assert_int_equal(pull("\0\1\x54\1\5", 5, &options, &m), OFPERR_NXFMFC_INVALID_TLV_FIELD);
    assert_int_equal(pull("\0\1\x51\3\0\0\0", 7, &options, &m), OFPERR_OFPBMC_BAD_LEN);
    assert_int_equal(pull("\0\1\x50\4\0", 5, &options, &m), OFPERR_OFPBMC_BAD_LEN);
    assert_int_equal(pull("\0\1\x51\2\5\2", 6, &options, &m), OFPERR_OFPBMC_BAD_WILDCARDS);
    assert_int_equal(pull("\0\1\x51\0\0\1\x51\0", 8, &options, &m), OFPERR_OFPBMC_DUP_FIELD);
}

/* To bytes of 'version' and back; 'again' in the other bytes is what the same list says there. */
static void
check_actions(const char *text, enum ofp_version version, const char *again, uint64_t used)
{
    struct ofpacts acts = {0}, back = {0};
    struct wr out = {0};
    struct text t = {0};
    struct rd in;

    assert_null(ofpacts_parse(text, &names, false, &acts));
    assert_true(ofpacts_options(ofpacts_data(&acts), acts.size) == used);
    ofpacts_encode(ofpacts_data(&acts), acts.size, version, &out);
    in = rd_init(out.data, out.size);
    assert_int_equal(ofpacts_decode(&in, version, &back), OFPERR_NXFMFC_INVALID_TLV_FIELD);
    in = rd_init(out.data, out.size);
    in.options = &options;
    assert_int_equal(ofpacts_decode(&in, version, &back), 0);
    ofpacts_format(ofpacts_data(&back), back.size, NULL, &t);
    assert_string_equal(text_cstr(&t), again ? again : text);
    text_fini(&t);
    wr_fini(&out);
    ofpacts_fini(&acts);
    ofpacts_fini(&back);
}

static void
actions_survive(void **state)
{
    check_actions("set_field:0x1234->tun_metadata0", OFP10_VERSION, NULL, 1);
    check_actions("set_field:0x1234->tun_metadata0", OFP13_VERSION, NULL, 1);
    check_actions("set_field:0->tun_metadata1", OFP15_VERSION, NULL, 2);
    check_actions("load:0x12->NXM_NX_TUN_METADATA0[0..15]", OFP10_VERSION,
                  "set_field:0x12/0xffff->tun_metadata0", 1);
    check_actions("move:NXM_NX_TUN_METADATA0[]->NXM_NX_TUN_METADATA1[16..47]", OFP13_VERSION, NULL,
                  3);
    check_actions("push:NXM_NX_TUN_METADATA0[0..7],pop:NXM_NX_REG0[0..7]", OFP10_VERSION, NULL, 1);
    check_actions("delete_field:tun_metadata1", OFP10_VERSION, NULL, 2);
    check_actions("output:NXM_NX_TUN_METADATA0[0..15]", OFP13_VERSION, NULL, 1);
    check_actions("learn(table=3,NXM_NX_TUN_METADATA0[0..15],load:NXM_NX_REG0[]->"
                  "NXM_NX_TUN_METADATA1[0..31])",
                  OFP10_VERSION, NULL, 3);
    check_actions("clone(set_field:1->tun_metadata1)", OFP13_VERSION,
                  "clone(set_field:0x1->tun_metadata1)", 2);
    check_actions("ct(zone=NXM_NX_TUN_METADATA0[0..15])", OFP13_VERSION, NULL, 1);
}

static void
only_options_are_deleted(void **state)
{
    static const uint8_t bytes[24] = {0xff, 0xff, 0, 24, 0, 0, 0x23, 0x20, 0, 50, 0, 1, 0, 4};
    struct rd in = rd_init(bytes, sizeof bytes);
    struct ofpacts acts = {0};

    in.options = &options;
    assert_int_equal(ofpacts_decode(&in, OFP10_VERSION, &acts), OFPERR_OFPBAC_BAD_ARGUMENT);
    ofpacts_fini(&acts);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_come_in_any_length),
        cmocka_unit_test(matches_say_what_they_are),
        cmocka_unit_test(too_long_keeps_the_beginning),
        cmocka_unit_test(bad_matches_are_refused),
        cmocka_unit_test(actions_survive),
        cmocka_unit_test(only_options_are_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
