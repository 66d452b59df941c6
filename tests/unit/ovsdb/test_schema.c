// SPDX-License-Identifier: Apache-2.0
/*
 * Schemas: what is accepted, what is refused, and that printing and parsing are inverses.
 */
#include "ovsdb_test.h"

#include "ovsdb/builtin_schema.h"

static void
refuse(const char *text)
{
    json_t *json = parse(text);
    struct ovsdb_schema *schema;

    assert_error(ovsdb_schema_from_json(json, &schema), OVSDB_E_SYNTAX);
    assert_null(schema);
    json_decref(json);
}

static void
test_round_trip(void **state)
{
    struct ovsdb_schema *a, *b = make_schema(test_schema), *c;
    json_t *json;

    assert_error(ovsdb_schema_from_text(ovsdb_builtin_schema, &a), NULL);
    assert_string_equal(a->name, "Open_vSwitch");
    assert_string_equal(a->version, "8.3.1");
    assert_int_equal(a->n_tables, 19);
    json = ovsdb_schema_to_json(a);
    assert_error(ovsdb_schema_from_json(json, &c), NULL);
    assert_true(ovsdb_schema_equals(a, c));
    assert_false(ovsdb_schema_equals(a, b));
    json_decref(json);
    ovsdb_schema_destroy(a);
    ovsdb_schema_destroy(b);
    ovsdb_schema_destroy(c);
}

static void
test_columns(void **state)
{
    struct ovsdb_schema *schema = make_schema(test_schema);
    const struct ovsdb_table_schema *root = ovsdb_schema_table(schema, "Root");

    assert_true(root->is_root);
    assert_false(ovsdb_schema_table(schema, "Kid")->is_root);
    assert_null(ovsdb_schema_table(schema, "Nosuch"));
    assert_int_equal(root->max_rows, 3);
    assert_int_equal(ovsdb_table_column(root, "_uuid")->index, OVSDB_COL_UUID);
    assert_false(ovsdb_table_column(root, "name")->is_mutable);
    assert_false(ovsdb_table_column(root, "stat")->is_persistent);
    assert_ptr_equal(ovsdb_table_column(root, "kids")->type.key.uuid.ref,
                     ovsdb_schema_table(schema, "Kid"));
    assert_true(ovsdb_table_column(root, "fav")->type.key.uuid.is_weak);
    ovsdb_schema_destroy(schema);
}

static void
test_all_tables_are_roots_without_any(void **state)
{
    struct ovsdb_schema *schema =
        make_schema("{'name':'X','tables':{'T':{'columns':{'c':{'type':'string'}}}}}");

    assert_true(ovsdb_schema_table(schema, "T")->is_root);
    ovsdb_schema_destroy(schema);
}

#define TABLE(COLUMNS) "{'name':'X','tables':{'T':{'columns':{" COLUMNS "}}}}"

static void
test_refused(void **state)
{
    refuse("[]");
    refuse("{'name':'1x','tables':{}}");
    refuse("{'name':'X','version':'1.2','tables':{}}");
    refuse("{'name':'X','tables':[]}");
    refuse("{'name':'X','tables':{'T':{}}}");
    refuse("{'name':'X','tables':{'T':{'columns':{}}}}");
    refuse("{'name':'X','tables':{'_T':{'columns':{'c':{'type':'string'}}}}}");
    refuse("{'name':'X','other':1,'tables':{}}");
    refuse(TABLE("'_c':{'type':'string'}"));
    refuse(TABLE("'c':{}"));
    refuse(TABLE("'c':{'type':'str'}"));
    refuse(TABLE("'c':{'type':'string','mutable':1}"));
    refuse(TABLE("'c':{'type':{'key':'string','min':2}}"));
    refuse(TABLE("'c':{'type':{'key':'string','max':0}}"));
    refuse(TABLE("'c':{'type':{'key':'string','max':'many'}}"));
    refuse(TABLE("'c':{'type':{'key':{'type':'integer','minInteger':2,'maxInteger':1}}}"));
    refuse(TABLE("'c':{'type':{'key':{'type':'integer','minLength':2}}}"));
    refuse(TABLE("'c':{'type':{'key':{'type':'string','minLength':-1}}}"));
    refuse(TABLE("'c':{'type':{'key':{'type':'uuid','refTable':'Nosuch'}}}"));
    refuse(TABLE("'c':{'type':{'key':{'type':'uuid','refTable':'T','refType':'soft'}}}"));
    refuse(TABLE("'c':{'type':{'key':{'type':'string','enum':['set',[1]]}}}"));
    refuse("{'name':'X','tables':{'T':{'indexes':[['x']],'columns':{'c':{'type':'string'}}}}}");
    refuse("{'name':'X','tables':{'T':{'indexes':[[]],'columns':{'c':{'type':'string'}}}}}");
    refuse("{'name':'X','tables':{'T':{'maxRows':0,'columns':{'c':{'type':'string'}}}}}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_all_tables_are_roots_without_any),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
