// SPDX-License-Identifier: Apache-2.0
/*
 * Column values: parsing with constraints, ordering, set operations, and that differences undo
 * themselves on random sets and maps.
 */
#include "ovsdb_test.h"

#include "base/random.h"
#include "ovsdb/datum.h"
#include "ovsdb/symtab.h"

static struct ovsdb_type
make_type(const char *text)
{
    json_t *json = parse(text);
    struct ovsdb_type type;

    assert_error(ovsdb_type_from_json(json, &type), NULL);
    json_decref(json);
    return type;
}

static void
check(const char *type_text, const char *value, const char *error, const char *result)
{
    struct ovsdb_type type = make_type(type_text);
    json_t *json = parse(value);
    struct ovsdb_datum *datum;

    assert_error(ovsdb_datum_from_json(&type, json, NULL, &datum), error);
    if (error == NULL) {
        assert_json(ovsdb_datum_to_json(datum), result);
        ovsdb_datum_unref(datum);
    } else {
        assert_null(datum);
    }
    json_decref(json);
    ovsdb_type_fini(&type);
}

#define INTS "{'key':'integer','min':0,'max':'unlimited'}"
#define SMAP "{'key':'string','value':'string','min':0,'max':'unlimited'}"
#define UUID_A "00000000-0000-4000-8000-00000000000a"

static void
test_parse(void **state)
{
    check("'integer'", "5", NULL, "5");
    check("'integer'", "5.0", NULL, "5");
    check("'integer'", "5.5", OVSDB_E_SYNTAX, NULL);
    check("'integer'", "1e30", OVSDB_E_SYNTAX, NULL);
    check("'integer'", "-9223372036854775808", NULL, "-9223372036854775808");
    check("'real'", "5", NULL, "5.0");
    check("'boolean'", "1", OVSDB_E_SYNTAX, NULL);
    check("'string'", "'x'", NULL, "'x'");
    check("'string'", "['set',[]]", OVSDB_E_SYNTAX, NULL);
    check("'uuid'", "['uuid','" UUID_A "']", NULL, "['uuid','" UUID_A "']");
    check("'uuid'", "['uuid','" UUID_A "0']", OVSDB_E_SYNTAX, NULL);
    check("'uuid'", "['named-uuid','x']", OVSDB_E_SYNTAX, NULL);
    check(INTS, "['set',[3,1,2]]", NULL, "['set',[1,2,3]]");
    check(INTS, "['set',[3]]", NULL, "3");
    check(INTS, "7", NULL, "7");
    check(INTS, "['set',[1,1]]", "ovsdb error", NULL);
    check(INTS, "['set',5]", OVSDB_E_SYNTAX, NULL);
    check(SMAP, "['map',[['b','1'],['a','2']]]", NULL, "['map',[['a','2'],['b','1']]]");
    check(SMAP, "['map',[['b','1'],['b','2']]]", "ovsdb error", NULL);
    check(SMAP, "['map',[['b']]]", OVSDB_E_SYNTAX, NULL);
    check(SMAP, "['map',[['b',1]]]", OVSDB_E_SYNTAX, NULL);
    check(SMAP, "['set',[]]", OVSDB_E_SYNTAX, NULL);
}

static void
test_constraints(void **state)
{
    check("{'key':{'type':'integer','minInteger':1,'maxInteger':9}}", "9", NULL, "9");
    check("{'key':{'type':'integer','minInteger':1,'maxInteger':9}}", "10", OVSDB_E_CONSTRAINT,
          NULL);
    check("{'key':{'type':'real','maxReal':0.5}}", "0.6", OVSDB_E_CONSTRAINT, NULL);
    check("{'key':{'type':'string','maxLength':2}}", "'\xc3\xa9\xc3\xa9'", NULL,
          "'\xc3\xa9\xc3\xa9'");
    check("{'key':{'type':'string','maxLength':2}}", "'abc'", OVSDB_E_CONSTRAINT, NULL);
    check("{'key':{'type':'string','minLength':2}}", "'a'", OVSDB_E_CONSTRAINT, NULL);
    check("{'key':{'type':'string','enum':['set',['x','y']]}}", "'y'", NULL, "'y'");
    check("{'key':{'type':'string','enum':['set',['x','y']]}}", "'z'", OVSDB_E_CONSTRAINT, NULL);
    check("{'key':'integer','min':0,'max':2}", "['set',[1,2,3]]", OVSDB_E_SYNTAX, NULL);
    check("{'key':'integer','value':{'type':'integer','maxInteger':1},'min':0}", "['map',[[9,2]]]",
          OVSDB_E_CONSTRAINT, NULL);
}

static void
test_null_bytes_are_refused(void **state)
{
    struct ovsdb_type type = make_type("'string'");
    json_t *json = json_stringn("a\0b", 3);
    struct ovsdb_datum *datum;

    assert_error(ovsdb_datum_from_json(&type, json, NULL, &datum), OVSDB_E_SYNTAX);
    json_decref(json);
    ovsdb_type_fini(&type);
}

static void
test_named_uuid(void **state)
{
    struct ovsdb_type type = make_type("'uuid'");
    struct ovsdb_symtab *symtab = ovsdb_symtab_create();
    json_t *json = parse("['named-uuid','row']");
    struct ovsdb_datum *datum;

    assert_error(ovsdb_datum_from_json(&type, json, symtab, &datum), NULL);
    assert_true(uuid_equals(&datum->keys[0].uuid, &ovsdb_symtab_get(symtab, "row")->uuid));
    ovsdb_datum_unref(datum);
    json_decref(json);
    ovsdb_symtab_destroy(symtab);
    ovsdb_type_fini(&type);
}

static void
test_defaults(void **state)
{
    static const char *const types[][2] = {
        {"'integer'", "0"},
        {"'real'", "0.0"},
        {"'boolean'", "false"},
        {"'string'", "''"},
        {INTS, "['set',[]]"},
        {SMAP, "['map',[]]"},
        {"'uuid'", "['uuid','00000000-0000-0000-0000-000000000000']"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct ovsdb_type type = make_type(types[i][0]);
        struct ovsdb_datum *datum = ovsdb_datum_default(&type);

        assert_true(ovsdb_datum_is_default(datum, &type));
        assert_json(ovsdb_datum_to_json(datum), types[i][1]);
        ovsdb_datum_unref(datum);
        ovsdb_type_fini(&type);
    }
}

/* A random set of small integers, or a map of them to small integers. */
static struct ovsdb_datum *
random_datum(bool is_map)
{
    uint32_t n = random_u32() % 8;
    struct ovsdb_datum *datum =
        ovsdb_datum_create(OVSDB_INTEGER, is_map ? OVSDB_INTEGER : OVSDB_VOID, n);

    for (uint32_t i = 0; i < n; i++) {
        union ovsdb_atom key = {.integer = random_u32() % 8}, value = {.integer = random_u32() % 2};

        ovsdb_datum_add(datum, key, &value);
    }
    ovsdb_datum_finish(datum);
    return datum;
}

/* Slow twin of membership. */
static bool
contains(const struct ovsdb_datum *datum, int64_t key)
{
    for (uint32_t i = 0; i < datum->n; i++) {
        if (datum->keys[i].integer == key) {
            return true;
        }
    }
    return false;
}

static void
test_random_operations(void **state)
{
    struct ovsdb_type types[] = {make_type(INTS), make_type("{'key':'integer','value':'integer',"
                                                            "'min':0,'max':'unlimited'}")};

    for (int i = 0; i < 20000; i++) {
        bool is_map = i % 2;
        const struct ovsdb_type *type = &types[is_map];
        struct ovsdb_datum *a = random_datum(is_map), *b = random_datum(is_map);
        struct ovsdb_datum *diff = ovsdb_datum_diff(type, a, b);
        struct ovsdb_datum *back = ovsdb_datum_apply_diff(type, a, diff);
        struct ovsdb_datum *sum = ovsdb_datum_union(a, b), *rest = ovsdb_datum_subtract(a, b);
        struct str key_a = STR_INIT, key_b = STR_INIT;

        assert_true(ovsdb_datum_equals(back, b));
        assert_int_equal(diff->n == 0, ovsdb_datum_equals(a, b));
        for (uint32_t j = 1; j < a->n; j++) {
            assert_true(a->keys[j - 1].integer < a->keys[j].integer);
        }
        for (int64_t key = 0; key < 8; key++) {
            assert_int_equal(contains(sum, key), contains(a, key) || contains(b, key));
            if (!is_map) {
                assert_int_equal(contains(rest, key), contains(a, key) && !contains(b, key));
            }
        }
        assert_true(ovsdb_datum_is_subset(rest, a) && ovsdb_datum_is_disjoint(rest, b));
        ovsdb_datum_put_key(a, &key_a);
        ovsdb_datum_put_key(b, &key_b);
        assert_int_equal(key_a.len == key_b.len && !memcmp(key_a.buf, key_b.buf, key_a.len),
                         ovsdb_datum_equals(a, b));
        str_free(&key_a);
        str_free(&key_b);
        ovsdb_datum_unref(a);
        ovsdb_datum_unref(b);
        ovsdb_datum_unref(diff);
        ovsdb_datum_unref(back);
        ovsdb_datum_unref(sum);
        ovsdb_datum_unref(rest);
    }
    ovsdb_type_fini(&types[0]);
    ovsdb_type_fini(&types[1]);
}

static void
test_diff_of_at_most_one_is_the_new_value(void **state)
{
    struct ovsdb_type type = make_type("{'key':'string','min':0}");
    struct ovsdb_datum *old = ovsdb_datum_from_string("a"), *new = ovsdb_datum_from_string("b");
    struct ovsdb_datum *diff = ovsdb_datum_diff(&type, old, new);

    assert_json(ovsdb_datum_to_json(diff), "'b'");
    ovsdb_datum_unref(diff);
    ovsdb_datum_unref(old);
    ovsdb_datum_unref(new);
    ovsdb_type_fini(&type);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_constraints),
        cmocka_unit_test(test_null_bytes_are_refused),
        cmocka_unit_test(test_named_uuid),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_random_operations),
        cmocka_unit_test(test_diff_of_at_most_one_is_the_new_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
