// SPDX-License-Identifier: Apache-2.0
/*
 * flow/field*.c and subfield.c: every field of the table is written and read back bit by bit, keeps
 * to the words it declares, is found by its names and wire codes, and survives its own text.
 */
#include "../unit.h"

#include "base/util.h"
#include "flow/match.h"
#include "flow/text.h"
#include "twin_extract.h"

#define FOR_EACH_FIELD(MF) \
    for (const struct mf_field *MF = mf_fields; MF < mf_fields + MF_N_IDS; MF++)

/* A random value that the field can have. */
static void
random_value(struct frame_gen *g, const struct mf_field *mf, union mf_value *v)
{
    union mf_value mask;
    mf_exact_mask(mf, &mask);
    memset(v, 0, sizeof *v);
    do {
        for (int i = 0; i < mf->n_bytes; i++) {
            v->b[i] = (uint8_t)(frame_gen_u64(g) >> 30) & mask.b[i];
        }
        if (mf->format == MF_FMT_OFP_PORT_OXM || mf->format == MF_FMT_OFP_PORT) {
            v->be32 = 0;
            v->b[mf->n_bytes - 1] = (uint8_t)(1 + frame_gen_below(g, 200));
        }
        if (mf->id == MF_ARP_OP) {
            v->b[0] = 0; /* the flow holds 8 bits */
        }
        if (mf->id == MF_IP_TOS) {
            v->b[0] &= IP_DSCP_MASK;
        }
        if (mf->id == MF_IP_FRAG && v->b[0] == NW_FRAG_LATER) {
            v->b[0] |= NW_FRAG_ANY; /* a later fragment is a fragment */
        }
        if (mf->id == MF_CT_STATE) {
            v->be32 &= RTE_BE32(CT_STATE_MASK);
        }
        if (mf->id == MF_PACKET_TYPE) {
            v->be32 = RTE_BE32(PACKET_TYPE(1, 0x800));
        }
    } while (!mf_is_value_valid(mf, v));
}

static void
test_set_and_get(void **state)
{
    struct frame_gen g = {3};
    (void)state;
    FOR_EACH_FIELD(mf)
    {
        for (int i = 0; i < 200; i++) {
            union mf_value v;
            union mf_value got;
            struct flow f = {0};
            random_value(&g, mf, &v);
            mf_set_flow_value(mf, &v, &f);
            memset(&got, 0xee, sizeof got);
            mf_get_value(mf, &f, &got);
            if (memcmp(&v, &got, mf->n_bytes)) {
                print_error("%s\n", mf->name);
            }
            assert_memory_equal(&v, &got, mf->n_bytes);
            assert_int_equal(flow_words_map(&f) & ~mf->flow_words, 0);
            /* Writing a value over another leaves nothing of the other. */
            struct flow f2 = {0};
            union mf_value v2;
            random_value(&g, mf, &v2);
            mf_set_flow_value(mf, &v2, &f2);
            mf_set_flow_value(mf, &v, &f2);
            assert_true(flow_equal(&f, &f2));
        }
    }
}

/* CVE-2023-1668: requiring that a field be zero is a requirement, for each field there is. */
static void
test_zero_is_a_value(void **state)
{
    (void)state;
    FOR_EACH_FIELD(mf)
    {
        union mf_value zero = {.b = {0}};
        union mf_value value;
        union mf_value mask;
        struct match m;
        match_init_any(&m);
        assert_true(mf_is_all_wild(mf, &m.mask));
        mf_set(mf, &zero, NULL, &m);
        assert_false(match_is_any(&m));
        assert_false(mf_is_all_wild(mf, &m.mask));
        mf_get(mf, &m, &value, &mask);
        assert_false(mf_is_zero(mf, &mask));
        assert_int_equal(flow_words_map(&m.mask.bits) & ~mf->flow_words, 0);
        struct flow_mask consulted = {0};
        mf_mask_field(mf, &consulted);
        assert_false(flow_mask_is_any(&consulted));
    }
}

static void
test_names_and_codes(void **state)
{
    (void)state;
    FOR_EACH_FIELD(mf)
    {
        assert_ptr_equal(mf_from_name(mf->name), mf);
        assert_ptr_equal(mf_from_id(mf->id), mf);
        if (mf->alias) {
            assert_ptr_equal(mf_from_name(mf->alias), mf);
        }
        for (int i = 0; i < MF_MAX_CODES; i++) {
            const struct mf_code *c = &mf->codes[i];
            if (c->valid) {
                assert_ptr_equal(mf_from_code(c->oxm_class, c->oxm_field, c->experimenter), mf);
            }
        }
        assert_true(mf->n_bits <= mf->n_bytes * 8 && mf->n_bits > 0 && mf->n_bytes <= 16);
    }
    assert_null(mf_from_name("nonsense"));
    assert_null(mf_from_code(0x8000, 127, 0));
    /* Codes by version: NXM for OpenFlow 1.0, OXM later; experimenter codes only where they are. */
    const struct mf_field *reg0 = mf_from_id(MF_REG0);
    const struct mf_field *eth = mf_from_id(MF_ETH_SRC);
    const struct mf_field *flags = mf_from_id(MF_TCP_FLAGS);
    assert_int_equal(mf_code_for(reg0, 0x06)->oxm_class, 1);
    assert_int_equal(mf_code_for(eth, 0)->oxm_class, 0);
    assert_int_equal(mf_code_for(eth, 0x04)->oxm_class, 0x8000);
    assert_int_equal(mf_code_for(flags, 0)->oxm_class, 1);
    assert_int_equal(mf_code_for(flags, 0x04)->oxm_class, 0xffff);
    assert_int_equal(mf_code_for(flags, 0x04)->experimenter, ONF_EXPERIMENTER);
    assert_int_equal(mf_code_for(flags, 0x06)->oxm_class, 0x8000);
}

static void
test_text_roundtrip(void **state)
{
    struct frame_gen g = {11};
    (void)state;
    FOR_EACH_FIELD(mf)
    {
        for (int i = 0; i < 200; i++) {
            union mf_value v;
            union mf_value mask;
            union mf_value v2;
            union mf_value mask2;
            struct text t = {0};
            random_value(&g, mf, &v);
            mf_exact_mask(mf, &mask);
            mf_format(mf, &v, NULL, NULL, &t);
            char *error = mf_parse(mf, text_cstr(&t), NULL, &v2, &mask2);
            if (error || memcmp(&v, &v2, mf->n_bytes)) {
                print_error("%s: %s: %s\n", mf->name, text_cstr(&t), error ? error : "differs");
            }
            assert_null(error);
            assert_memory_equal(&v, &v2, mf->n_bytes);
            assert_true(mf_is_exact(mf, &mask2));
            text_fini(&t);
        }
    }
}

/* One bit at a time: the obvious twin of the subfield functions. */
static bool
bit_of(const union mf_value *v, int n_bytes, unsigned bit)
{
    return v->b[n_bytes - 1 - bit / 8] >> (bit % 8) & 1;
}

static void
test_subfields(void **state)
{
    struct frame_gen g = {17};
    (void)state;
    for (int i = 0; i < 50000; i++) {
        const struct mf_field *mf = &mf_fields[frame_gen_below(&g, MF_N_IDS)];
        if (mf->format == MF_FMT_OFP_PORT_OXM || mf->format == MF_FMT_PACKET_TYPE ||
            mf->id == MF_ARP_OP || mf->id == MF_IP_TOS || mf->id == MF_CT_STATE ||
            mf->id == MF_VLAN_VID || mf->id == MF_DL_VLAN) {
            continue; /* not every bit can have every value */
        }
        struct mf_subfield sf = {.field = mf};
        sf.ofs = (uint16_t)frame_gen_below(&g, mf->n_bits);
        sf.n_bits = (uint16_t)(1 + frame_gen_below(&g, mf->n_bits - sf.ofs));
        union mf_value before;
        union mf_value bits = {.b = {0}};
        union mf_value after;
        union mf_value read;
        struct flow f = {0};
        random_value(&g, mf, &before);
        mf_set_flow_value(mf, &before, &f);
        for (unsigned b = 0; b < sf.n_bits; b++) {
            bits.b[15 - b / 8] |= (uint8_t)(frame_gen_below(&g, 2) << (b % 8));
        }
        mf_write_subfield(&sf, &bits, &f);
        mf_get_value(mf, &f, &after);
        for (unsigned b = 0; b < mf->n_bits; b++) {
            bool inside = b >= sf.ofs && b < sf.ofs + sf.n_bits;
            bool want = inside ? bit_of(&bits, 16, b - sf.ofs) : bit_of(&before, mf->n_bytes, b);
            if (bit_of(&after, mf->n_bytes, b) != want) {
                print_error("%s[%u..%u] bit %u\n", mf->name, sf.ofs, sf.ofs + sf.n_bits - 1, b);
            }
            assert_int_equal(bit_of(&after, mf->n_bytes, b), want);
        }
        mf_read_subfield(&sf, &f, &read);
        assert_memory_equal(&read, &bits, 16);
        assert_int_equal(mf_get_subfield(&sf, &f), get_be64(&bits.b[8]));
        /* Its mask has its bits and no others, but for fields of which all bits are looked at. */
        struct flow_mask mask = {0};
        mf_mask_subfield(&sf, &mask);
        mf_get_value(mf, &mask.bits, &after);
        for (unsigned b = 0; b < mf->n_bits; b++) {
            bool inside = b >= sf.ofs && b < sf.ofs + sf.n_bits;
            bool all = mf->format == MF_FMT_OFP_PORT || mf->id == MF_ICMPV4_TYPE ||
                       mf->id == MF_ICMPV4_CODE || mf->id == MF_ICMPV6_TYPE ||
                       mf->id == MF_ICMPV6_CODE;
            assert_true(bit_of(&after, mf->n_bytes, b) == inside || (all && !inside));
        }
        /* Its name means the same subfield. */
        struct text t = {0};
        struct mf_subfield again;
        mf_format_subfield(&sf, &t);
        char *error = mf_parse_subfield(&again, text_cstr(&t), NULL);
        assert_null(error);
        assert_ptr_equal(again.field, mf);
        assert_int_equal(again.ofs, sf.ofs);
        assert_int_equal(again.n_bits, sf.n_bits);
        text_fini(&t);
    }
}

static void
test_bad_subfields(void **state)
{
    static const char *const texts[] = {"",           "reg0[",       "reg0[0..32]",
                                        "reg0[5..4]", "reg0[32]",    "nonsense[]",
                                        "reg0[0..7",  "reg0[0..7]x", "reg0[-1]"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct mf_subfield sf;
        char *error = mf_parse_subfield(&sf, texts[i], NULL);
        if (!error) {
            print_error("accepted: %s\n", texts[i]);
        }
        assert_non_null(error);
        free(error);
    }
    struct mf_subfield sf;
    const char *s = "NXM_OF_IN_PORT[0..7],1";
    assert_null(mf_parse_subfield_n(&sf, &s, NULL));
    assert_string_equal(s, ",1");
    assert_int_equal(sf.field->id, MF_IN_PORT);
    assert_int_equal(sf.n_bits, 8);
}

static void
test_prereqs(void **state)
{
    static const struct {
        enum mf_id id;
        const char *good;
        const char *bad;
    } cases[] = {
        {MF_TCP_DST, "tcp", "udp"},
        {MF_TCP_DST, "tcp6", "ip"},
        {MF_UDP_SRC, "udp6", "tcp"},
        {MF_IPV4_SRC, "ip", "ipv6"},
        {MF_IPV6_SRC, "ipv6", "arp"},
        {MF_ARP_OP, "arp", "ip"},
        {MF_ARP_SPA, "rarp", "dl_type=0x1234"},
        {MF_IP_TTL, "ipv6", "arp"},
        {MF_ICMPV4_TYPE, "icmp", "icmp6"},
        {MF_ICMPV6_TYPE, "icmp6", "icmp"},
        {MF_ND_TARGET, "icmp6,icmp_type=136,icmp_code=0", "icmp6,icmp_type=128"},
        {MF_ND_SLL, "icmp6,icmp_type=135,icmp_code=0", "icmp6,icmp_type=136,icmp_code=0"},
        {MF_MPLS_LABEL, "mpls", "ip"},
        {MF_VLAN_PCP, "dl_vlan=5", "vlan_tci=0"},
        {MF_SCTP_DST, "sctp", "udp"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct mf_field *mf = mf_from_id(cases[i].id);
        struct match good;
        struct match bad;
        assert_null(match_parse(&good, cases[i].good, NULL, NULL));
        assert_null(match_parse(&bad, cases[i].bad, NULL, NULL));
        if (!mf_match_prereqs_ok(mf, &good) || mf_match_prereqs_ok(mf, &bad)) {
            print_error("%s with %s, %s\n", mf->name, cases[i].good, cases[i].bad);
        }
        assert_true(mf_match_prereqs_ok(mf, &good));
        assert_false(mf_match_prereqs_ok(mf, &bad));
        struct flow_mask mask = {0};
        assert_true(mf_prereqs_ok(mf, &good.flow, &mask));
        assert_false(flow_mask_is_any(&mask)); /* the answer depends on something */
        assert_false(mf_prereqs_ok(mf, &bad.flow, NULL));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_and_get),     cmocka_unit_test(test_zero_is_a_value),
        cmocka_unit_test(test_names_and_codes), cmocka_unit_test(test_text_roundtrip),
        cmocka_unit_test(test_subfields),       cmocka_unit_test(test_bad_subfields),
        cmocka_unit_test(test_prereqs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
