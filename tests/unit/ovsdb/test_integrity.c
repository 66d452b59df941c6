// SPDX-License-Identifier: Apache-2.0
/*
 * What must hold when a transaction ends: references, garbage, weak references, maxRows, indexes;
 * and that a transaction that fails there leaves no trace.
 */
#include "ovsdb_test.h"

#define K1 "'00000000-0000-4000-8000-000000000001'"
#define K2 "'00000000-0000-4000-8000-000000000002'"

static int
setup(void **state)
{
    *state = make_db();
    return 0;
}

static int
teardown(void **state)
{
    ovsdb_database_destroy(*state);
    return 0;
}

/* One root row "a" that refers to the kids K1 and, through it, K2. */
static void
populate(struct ovsdb_database *db)
{
    run_ok(db,
           "[{'op':'insert','table':'Kid','row':{'tag':'2'},'uuid':" K2 "},"
           " {'op':'insert','table':'Kid','row':{'tag':'1','next':['uuid'," K2 "]},'uuid':" K1 "},"
           " {'op':'insert','table':'Root','row':{'name':'a','kids':['uuid'," K1 "],"
           "  'fav':['uuid'," K2 "]}}]");
    assert_int_equal(n_rows(db, "Kid"), 2);
}

static void
test_garbage(void **state)
{
    struct ovsdb_database *db = *state;

    run_ok(db, "[{'op':'insert','table':'Kid','row':{}}]");
    assert_int_equal(n_rows(db, "Kid"), 0);
    populate(db);
    run_ok(db, "[{'op':'update','table':'Root','where':[],'row':{'kids':['set',[]]}}]");
    assert_int_equal(n_rows(db, "Kid"), 0);
    assert_json(run(db, "[{'op':'select','table':'Root','where':[],'columns':['fav']}]"),
                "[{'rows':[{'fav':['set',[]]}]}]");
}

static void
test_self_reference_does_not_keep(void **state)
{
    run_ok(*state, "[{'op':'insert','table':'Kid','row':{'next':['named-uuid','k']},"
                   "'uuid-name':'k'}]");
    assert_int_equal(n_rows(*state, "Kid"), 0);
}

static void
test_strong_references(void **state)
{
    struct ovsdb_database *db = *state;

    run_fails(db, "[{'op':'insert','table':'Root','row':{'name':'x','kids':['uuid'," K1 "]}}]",
              OVSDB_E_REFERENCE);
    assert_int_equal(n_rows(db, "Root"), 0);
    populate(db);
    run_fails(db, "[{'op':'delete','table':'Kid','where':[['_uuid','==',['uuid'," K1 "]]]}]",
              OVSDB_E_REFERENCE);
    run_fails(db, "[{'op':'delete','table':'Kid','where':[]}]", OVSDB_E_REFERENCE);
    assert_int_equal(n_rows(db, "Kid"), 2);
    run_ok(db, "[{'op':'delete','table':'Kid','where':[]},"
               " {'op':'update','table':'Root','where':[],'row':{'kids':['set',[]]}}]");
    assert_int_equal(n_rows(db, "Kid"), 0);
}

static void
test_counts_survive_aborts(void **state)
{
    struct ovsdb_database *db = *state;

    populate(db);
    for (int i = 0; i < 3; i++) {
        run_fails(db,
                  "[{'op':'update','table':'Root','where':[],'row':{'kids':['set',[]]}},"
                  " {'op':'insert','table':'Root','row':{'name':'a'}}]",
                  OVSDB_E_CONSTRAINT);
        run_fails(db,
                  "[{'op':'update','table':'Root','where':[],'row':{'kids':['set',[]]}},"
                  " {'op':'abort'}]",
                  OVSDB_E_ABORTED);
    }
    run_ok(db, "[{'op':'update','table':'Kid','where':[],'row':{'tag':'x'}}]");
    assert_int_equal(n_rows(db, "Kid"), 2);
    run_ok(db, "[{'op':'delete','table':'Root','where':[]}]");
    assert_int_equal(n_rows(db, "Kid"), 0);
}

static void
test_weak_reference_to_nothing_vanishes(void **state)
{
    assert_json(run(*state,
                    "[{'op':'insert','table':'Root','row':{'name':'x','fav':['uuid'," K1 "]},"
                    "'uuid':" K2 "}]"),
                "[{'uuid':['uuid'," K2 "]}]");
    assert_json(run(*state, "[{'op':'select','table':'Root','where':[],'columns':['fav']}]"),
                "[{'rows':[{'fav':['set',[]]}]}]");
}

static void
test_max_rows(void **state)
{
    struct ovsdb_database *db = *state;

    run_ok(db, "[{'op':'insert','table':'Root','row':{'name':'1'}},"
               " {'op':'insert','table':'Root','row':{'name':'2'}},"
               " {'op':'insert','table':'Root','row':{'name':'3'}}]");
    run_fails(db, "[{'op':'insert','table':'Root','row':{'name':'4'}}]", OVSDB_E_CONSTRAINT);
    run_ok(db, "[{'op':'insert','table':'Root','row':{'name':'4'}},"
               " {'op':'delete','table':'Root','where':[['name','==','1']]}]");
    assert_int_equal(n_rows(db, "Root"), 3);
}

static void
test_unique_index(void **state)
{
    struct ovsdb_database *db = *state;

    run_ok(db, "[{'op':'insert','table':'Root','row':{'name':'a'}}]");
    run_fails(db, "[{'op':'insert','table':'Root','row':{'name':'a'}}]", OVSDB_E_CONSTRAINT);
    run_fails(db,
              "[{'op':'insert','table':'Root','row':{'name':'b'}},"
              " {'op':'insert','table':'Root','row':{'name':'b'}}]",
              OVSDB_E_CONSTRAINT);
    /* The name is free again within the transaction that deletes its row. */
    run_ok(db, "[{'op':'delete','table':'Root','where':[]},"
               " {'op':'insert','table':'Root','row':{'name':'a'}}]");
    run_ok(db, "[{'op':'insert','table':'Root','row':{'name':'b'}}]");
    run_fails(db, "[{'op':'insert','table':'Root','row':{'name':'a'}}]", OVSDB_E_CONSTRAINT);
    assert_int_equal(n_rows(db, "Root"), 2);
}

static void
test_version_changes_with_contents_only(void **state)
{
    struct ovsdb_database *db = *state;
    struct ovsdb_datum *first;
    struct db_row *row;

    populate(db);
    row = ovsdb_database_table(db, "Root")->rows;
    first = ovsdb_datum_ref(row->data[OVSDB_COL_VERSION]);
    run_ok(db, "[{'op':'update','table':'Root','where':[],'row':{'n':0}}]");
    assert_ptr_equal(row->data[OVSDB_COL_VERSION], first);
    run_ok(db, "[{'op':'update','table':'Root','where':[],'row':{'n':1}}]");
    assert_false(ovsdb_datum_equals(row->data[OVSDB_COL_VERSION], first));
    ovsdb_datum_unref(first);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_self_reference_does_not_keep, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strong_references, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counts_survive_aborts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_weak_reference_to_nothing_vanishes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_max_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unique_index, setup, teardown),
        cmocka_unit_test_setup_teardown(test_version_changes_with_contents_only, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
