// SPDX-License-Identifier: Apache-2.0
/*
 * The ten operations on a database in memory, with their conditions and mutations.
 */
#include "ovsdb_test.h"

static int
setup(void **state)
{
    struct ovsdb_database *db = make_db();

    run_ok(db, "[{'op':'insert','table':'Root','row':{'name':'a','n':1,'on':5,'ints':['set',[1,2]],"
               "   'map':['map',[['k','v']]],'mode':'a'}},"
               " {'op':'insert','table':'Root','row':{'name':'b','n':2}}]");
    *state = db;
    return 0;
}

static int
teardown(void **state)
{
    ovsdb_database_destroy(*state);
    return 0;
}

/* The names of the rows that a condition selects. */
static void
selects(struct ovsdb_database *db, const char *where, const char *names)
{
    char *op = xasprintf("[{'op':'select','table':'Root','where':%s,'columns':['name']}]", where);
    json_t *results = run(db, op), *found = json_array();
    json_t *rows = json_object_get(json_array_get(results, 0), "rows");

    if (rows == NULL) {
        fail_msg("%s: %s", where, json_dumps(results, 0));
    }
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_array_append(found, json_object_get(json_array_get(rows, i), "name"));
    }
    assert_json(found, names);
    json_decref(results);
    free(op);
}

static void
test_conditions(void **state)
{
    struct ovsdb_database *db = *state;

    selects(db, "[]", "['a','b']");
    selects(db, "[['n','==',1]]", "['a']");
    selects(db, "[['n','!=',1]]", "['b']");
    selects(db, "[['n','<',2]]", "['a']");
    selects(db, "[['n','>=',1],['name','==','b']]", "['b']");
    selects(db, "[['on','>',4]]", "['a']");
    selects(db, "[['on','<',4]]", "[]");
    selects(db, "[['ints','includes',['set',[2]]]]", "['a']");
    selects(db, "[['ints','includes',['set',[]]]]", "['a','b']");
    selects(db, "[['ints','excludes',['set',[2,9]]]]", "['b']");
    selects(db, "[['ints','==',['set',[2,1]]]]", "['a']");
    selects(db, "[['map','includes',['map',[['k','v']]]]]", "['a']");
    selects(db, "[['map','includes',['map',[['k','w']]]]]", "[]");
    selects(db, "[true]", "['a','b']");
    selects(db, "[false]", "[]");
    run_fails(db, "[{'op':'select','table':'Root','where':[['name','<','x']]}]", OVSDB_E_SYNTAX);
    run_fails(db, "[{'op':'select','table':'Root','where':[['x','==','x']]}]", OVSDB_E_NO_COLUMN);
    run_fails(db, "[{'op':'select','table':'Root','where':[['n','~',1]]}]", "unknown function");
    run_fails(db, "[{'op':'select','table':'Root','where':[['n','==']]}]", OVSDB_E_SYNTAX);
}

/* What column 'column' of row 'a' is after a mutation. */
static void
mutates(struct ovsdb_database *db, const char *column, const char *mutation, const char *result)
{
    char *ops = xasprintf("[{'op':'mutate','table':'Root','where':[['name','==','a']],"
                          "'mutations':[%s]},"
                          "{'op':'select','table':'Root','where':[['name','==','a']],"
                          "'columns':['%s']},{'op':'abort'}]",
                          mutation, column);
    json_t *results = run(db, ops);
    json_t *row = json_array_get(json_object_get(json_array_get(results, 1), "rows"), 0);

    if (row == NULL) {
        fail_msg("%s: %s", mutation, json_dumps(results, 0));
    }
    assert_json(json_incref(json_object_get(row, column)), result);
    json_decref(results);
    free(ops);
}

static void
mutation_fails(struct ovsdb_database *db, const char *mutation, const char *tag)
{
    char *ops = xasprintf("[{'op':'mutate','table':'Root','where':[],'mutations':[%s]}]", mutation);

    run_fails(db, ops, tag);
    free(ops);
}

static void
test_mutations(void **state)
{
    struct ovsdb_database *db = *state;

    mutates(db, "n", "['n','+=',3]", "4");
    mutates(db, "n", "['n','-=',3]", "-2");
    mutates(db, "n", "['n','*=',7],['n','/=',2]", "3");
    mutates(db, "n", "['n','+=',8],['n','%=',5]", "4");
    mutates(db, "r", "['r','+=',0.5]", "0.5");
    mutates(db, "ints", "['ints','+=',1]", "['set',[2,3]]");
    mutates(db, "ints", "['ints','insert',['set',[2,7]]]", "['set',[1,2,7]]");
    mutates(db, "ints", "['ints','delete',2]", "1");
    mutates(db, "map", "['map','insert',['map',[['k','new'],['l','x']]]]",
            "['map',[['k','v'],['l','x']]]");
    mutates(db, "map", "['map','delete',['set',['k']]]", "['map',[]]");
    mutates(db, "map", "['map','delete',['map',[['k','other']]]]", "['map',[['k','v']]]");
    mutates(db, "on", "['on','delete',5]", "['set',[]]");
    mutation_fails(db, "['n','+=',1000]", OVSDB_E_CONSTRAINT);
    mutation_fails(db, "['n','/=',0]", OVSDB_E_DOMAIN);
    mutation_fails(db, "['on','*=',9223372036854775807]", OVSDB_E_RANGE);
    mutation_fails(db, "['ints','*=',0]", OVSDB_E_CONSTRAINT);
    mutation_fails(db, "['ints','insert',['set',[7,8]]]", OVSDB_E_CONSTRAINT);
    mutation_fails(db, "['name','insert','x']", OVSDB_E_CONSTRAINT);
    mutation_fails(db, "['n','insert',1]", OVSDB_E_SYNTAX);
    mutation_fails(db, "['map','+=',1]", OVSDB_E_SYNTAX);
    mutation_fails(db, "['r','%=',1]", OVSDB_E_SYNTAX);
    mutation_fails(db, "['mode','insert','c']", OVSDB_E_CONSTRAINT);
    mutation_fails(db, "['n','?',1]", "unknown mutator");
}

static void
test_int64_limits(void **state)
{
    struct ovsdb_database *db = *state;

    run_ok(db, "[{'op':'update','table':'Root','where':[['name','==','a']],"
               "'row':{'on':-9223372036854775808}}]");
    mutation_fails(db, "['on','/=',-1]", OVSDB_E_RANGE);
    mutates(db, "on", "['on','%=',-1]", "0");
    mutation_fails(db, "['on','-=',1]", OVSDB_E_RANGE);
}

static void
test_insert_and_update(void **state)
{
    struct ovsdb_database *db = *state;

    run_fails(db, "[{'op':'insert','table':'Root','row':{'n':'x'}}]", OVSDB_E_SYNTAX);
    run_fails(db, "[{'op':'insert','table':'Root'}]", OVSDB_E_SYNTAX);
    run_fails(db, "[{'op':'insert','table':'Root','row':{},'x':1}]", OVSDB_E_SYNTAX);
    run_fails(db, "[{'op':'insert','table':'Nosuch','row':{}}]", OVSDB_E_SYNTAX);
    run_fails(db, "[{'op':'insert','table':'Root','row':{},'uuid-name':'3'}]", OVSDB_E_SYNTAX);
    run_fails(db,
              "[{'op':'insert','table':'Kid','row':{},'uuid-name':'x'},"
              " {'op':'insert','table':'Kid','row':{},'uuid-name':'x'}]",
              OVSDB_E_DUPLICATE_NAME);
    run_fails(db, "[{'op':'update','table':'Root','where':[],'row':{'name':'x'}}]",
              OVSDB_E_CONSTRAINT);
    assert_json(run(db, "[{'op':'update','table':'Root','where':[['n','>',1]],'row':{'n':9}}]"),
                "[{'count':1}]");
    selects(db, "[['n','==',9]]", "['b']");
    assert_int_equal(n_rows(db, "Root"), 2);
}

static void
test_given_uuid(void **state)
{
    struct ovsdb_database *db = *state;
    const char *op = "[{'op':'insert','table':'Root','row':{'name':'c'},"
                     "'uuid':'00000000-0000-4000-8000-000000000001'}]";

    run_ok(db, op);
    run_fails(db, op, OVSDB_E_DUPLICATE_UUID);
    run_fails(db,
              "[{'op':'delete','table':'Root','where':[['name','==','c']]},"
              "{'op':'insert','table':'Root','row':{'name':'d'},"
              "'uuid':'00000000-0000-4000-8000-000000000001'}]",
              OVSDB_E_DUPLICATE_UUID);
}

static void
test_failed_operation_undoes_all(void **state)
{
    struct ovsdb_database *db = *state;

    assert_json(
        run(db, "[{'op':'update','table':'Root','where':[],'row':{'n':50}},"
                " {'op':'delete','table':'Root','where':[['name','==','b']]},"
                " {'op':'abort'},{'op':'comment','comment':'x'}]"),
        "[{'count':2},{'count':1},{'error':'aborted','details':'aborted by request'},null]");
    selects(db, "[['n','<',3]]", "['a','b']");
}

static void
test_select_drops_repetitions(void **state)
{
    assert_json(run(*state, "[{'op':'update','table':'Root','where':[],'row':{'n':7}},"
                            "{'op':'select','table':'Root','where':[],'columns':['n']}]"),
                "[{'count':2},{'rows':[{'n':7}]}]");
}

static void
test_wait(void **state)
{
    struct ovsdb_database *db = *state;
    struct ovsdb_exec exec = {.db = db};
    json_t *params;

#define WAIT(REST) \
    "[{'op':'wait','table':'Root','where':[['name','==','a']],'columns':['n']," REST "}]"
    run_ok(db, WAIT("'until':'==','rows':[{'n':1}]"));
    run_fails(db, WAIT("'until':'!=','rows':[{'n':1}],'timeout':0"), OVSDB_E_TIMEOUT);
    params = parse(WAIT("'until':'==','rows':[{'n':3}],'timeout':50"));
    json_array_insert_new(params, 0, json_string("Test"));
    ovsdb_exec(&exec, params);
    assert_null(exec.results);
    assert_null(exec.txn);
    assert_int_equal(exec.timeout_ms, 50);
    exec.elapsed_ms = 50;
    ovsdb_exec(&exec, params);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(exec.results, 0), "error")),
        OVSDB_E_TIMEOUT);
    json_decref(exec.results);
    json_decref(params);
}

static bool
has_lock(void *aux, const char *name)
{
    return !strcmp(name, aux);
}

static void
test_assert(void **state)
{
    char mine[] = "mine";
    struct ovsdb_exec exec = {.db = *state, .has_lock = has_lock, .aux = mine};
    json_t *params = parse("['Test',{'op':'assert','lock':'mine'},{'op':'assert','lock':'other'}]");

    ovsdb_exec(&exec, params);
    assert_null(exec.txn);
    assert_json(exec.results,
                "[{},{'error':'not owner','details':'Asserted lock other not held.'}]");
    json_decref(params);
}

static void
test_read_only(void **state)
{
    struct ovsdb_exec exec = {.db = *state, .is_read_only = true};
    json_t *params = parse("['Test',{'op':'delete','table':'Root','where':[]}]");

    ovsdb_exec(&exec, params);
    assert_null(exec.txn);
    json_decref(exec.results);
    json_decref(params);
    assert_int_equal(n_rows(*state, "Root"), 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_conditions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mutations, setup, teardown),
        cmocka_unit_test_setup_teardown(test_int64_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_insert_and_update, setup, teardown),
        cmocka_unit_test_setup_teardown(test_given_uuid, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_operation_undoes_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_select_drops_repetitions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(test_assert, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_only, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
