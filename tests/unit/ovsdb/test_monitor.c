// SPDX-License-Identifier: Apache-2.0
/*
 * Monitors, and the replica that is built from what they send: after any random transaction a
 * replica fed by each dialect must hold what the database holds.
 */
#include "ovsdb_test.h"

#include "base/random.h"
#include "ovsdb/monitor.h"
#include "ovsdb/replica.h"

static struct ovsdb_monitor *
make_monitor(struct ovsdb_database *db, enum ovsdb_monitor_version version, const char *requests)
{
    json_t *json = parse(requests);
    struct ovsdb_monitor *monitor;

    assert_error(ovsdb_monitor_create(db, version, json, &monitor), NULL);
    json_decref(json);
    return monitor;
}

/* Runs operations and returns what the monitor makes of them. */
static json_t *
watch(struct ovsdb_database *db, struct ovsdb_monitor *monitor, const char *ops)
{
    struct ovsdb_exec exec = {.db = db};
    json_t *params = parse(ops), *update;

    json_array_insert_new(params, 0, json_string("Test"));
    ovsdb_exec(&exec, params);
    json_decref(params);
    json_decref(exec.results);
    assert_non_null(exec.txn);
    assert_error(ovsdb_txn_precommit(exec.txn), NULL);
    update = ovsdb_monitor_update(monitor, exec.txn);
    ovsdb_txn_commit(exec.txn, 1);
    return update;
}

#define U "00000000-0000-4000-8000-000000000001"

static void
test_dialect_1(void **state)
{
    struct ovsdb_database *db = make_db();
    struct ovsdb_monitor *m =
        make_monitor(db, OVSDB_MONITOR_V1, "{'Root':{'columns':['n','map']}}");

    assert_json(watch(db, m, "[{'op':'insert','table':'Root','row':{'n':1},'uuid':'" U "'}]"),
                "{'Root':{'" U "':{'new':{'n':1,'map':['map',[]]}}}}");
    assert_json(watch(db, m, "[{'op':'update','table':'Root','where':[],'row':{'n':2}}]"),
                "{'Root':{'" U "':{'old':{'n':1},'new':{'n':2,'map':['map',[]]}}}}");
    assert_null(watch(db, m, "[{'op':'update','table':'Root','where':[],'row':{'on':2}}]"));
    assert_json(ovsdb_monitor_initial(m), "{'Root':{'" U "':{'new':{'n':2,'map':['map',[]]}}}}");
    assert_json(watch(db, m, "[{'op':'delete','table':'Root','where':[]}]"),
                "{'Root':{'" U "':{'old':{'n':2,'map':['map',[]]}}}}");
    assert_json(ovsdb_monitor_initial(m), "{}");
    ovsdb_monitor_destroy(m);
    ovsdb_database_destroy(db);
}

static void
test_dialect_2(void **state)
{
    struct ovsdb_database *db = make_db();
    struct ovsdb_monitor *m =
        make_monitor(db, OVSDB_MONITOR_V2, "{'Root':[{'columns':['n']},{'columns':['map']}]}");

    assert_json(watch(db, m,
                      "[{'op':'insert','table':'Root','row':{'map':['map',[['a','1']]]},"
                      "'uuid':'" U "'}]"),
                "{'Root':{'" U "':{'insert':{'map':['map',[['a','1']]]}}}}");
    assert_json(ovsdb_monitor_initial(m),
                "{'Root':{'" U "':{'initial':{'map':['map',[['a','1']]]}}}}");
    assert_json(watch(db, m,
                      "[{'op':'update','table':'Root','where':[],'row':{'map':['map',"
                      "[['b','2']]]}}]"),
                "{'Root':{'" U "':{'modify':{'map':['map',[['a','1'],['b','2']]]}}}}");
    assert_json(watch(db, m, "[{'op':'delete','table':'Root','where':[]}]"),
                "{'Root':{'" U "':{'delete':null}}}");
    ovsdb_monitor_destroy(m);
    ovsdb_database_destroy(db);
}

static void
test_select(void **state)
{
    struct ovsdb_database *db = make_db();
    struct ovsdb_monitor *m = make_monitor(
        db, OVSDB_MONITOR_V1,
        "{'Root':{'columns':['n'],'select':{'initial':false,'insert':false,'delete':false}}}");

    assert_null(watch(db, m, "[{'op':'insert','table':'Root','row':{},'uuid':'" U "'}]"));
    assert_json(ovsdb_monitor_initial(m), "{}");
    assert_json(watch(db, m, "[{'op':'update','table':'Root','where':[],'row':{'n':2}}]"),
                "{'Root':{'" U "':{'old':{'n':0},'new':{'n':2}}}}");
    assert_null(watch(db, m, "[{'op':'delete','table':'Root','where':[]}]"));
    ovsdb_monitor_destroy(m);
    ovsdb_database_destroy(db);
}

static void
test_conditions(void **state)
{
    struct ovsdb_database *db = make_db();
    struct ovsdb_monitor *m = make_monitor(
        db, OVSDB_MONITOR_V2, "{'Root':{'columns':['on'],'where':[['n','>',5],['n','<',-5]]}}");
    json_t *change = parse("{'Root':[{'where':[['n','<',5]]}]}"), *update;

    assert_null(watch(db, m, "[{'op':'insert','table':'Root','row':{'on':3},'uuid':'" U "'}]"));
    assert_json(watch(db, m, "[{'op':'update','table':'Root','where':[],'row':{'n':9}}]"),
                "{'Root':{'" U "':{'insert':{'on':3}}}}");
    assert_null(watch(db, m, "[{'op':'update','table':'Root','where':[],'row':{'n':-9}}]"));
    assert_json(watch(db, m, "[{'op':'update','table':'Root','where':[],'row':{'n':0}}]"),
                "{'Root':{'" U "':{'delete':null}}}");
    assert_error(ovsdb_monitor_change(m, change, &update), NULL);
    assert_json(update, "{'Root':{'" U "':{'insert':{'on':3}}}}");
    assert_error(ovsdb_monitor_change(m, change, &update), NULL);
    assert_null(update);
    json_decref(change);
    change = parse("{'Kid':[{'where':[]}]}");
    assert_error(ovsdb_monitor_change(m, change, &update), OVSDB_E_NO_TABLE);
    json_decref(change);
    ovsdb_monitor_destroy(m);
    ovsdb_database_destroy(db);
}

static void
test_refused_requests(void **state)
{
    static const char *const bad[] = {
        "[]",
        "{'Root':5}",
        "{'Root':{'columns':'n'}}",
        "{'Root':{'columns':['nosuch']}}",
        "{'Root':{'columns':['n','n']}}",
        "{'Root':[{},{}]}",
        "{'Root':{'select':{'x':true}}}",
        "{'Root':{'select':{'insert':1}}}",
        "{'Root':{'x':1}}",
        "{'Root':{'where':5}}",
        "{'Root':{'where':[['nosuch','==',1]]}}",
    };
    struct ovsdb_database *db = make_db();

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        json_t *json = parse(bad[i]);
        struct ovsdb_monitor *monitor;
        struct ovsdb_error *error = ovsdb_monitor_create(db, OVSDB_MONITOR_V2, json, &monitor);

        assert_non_null(error);
        assert_null(monitor);
        ovsdb_error_free(error);
        json_decref(json);
    }
    ovsdb_database_destroy(db);
}

/* Replicas. */

static void
assert_same(const struct ovsdb_database *a, const struct ovsdb_database *b)
{
    for (uint32_t i = 0; i < a->schema->n_tables; i++) {
        assert_int_equal(HASH_COUNT(a->tables[i]->rows), HASH_COUNT(b->tables[i]->rows));
        for (const struct db_row *row = a->tables[i]->rows; row != NULL; row = row->hh.next) {
            const struct db_row *other = ovsdb_table_row(b->tables[i], &row->uuid);

            assert_non_null(other);
            for (uint32_t j = OVSDB_N_STD_COLS; j < row->table->schema->n_columns; j++) {
                assert_true(ovsdb_datum_equals(row->data[j], other->data[j]));
            }
        }
    }
}

static const char *
random_ops(void)
{
    static const char *const ops[] = {
        "[{'op':'insert','table':'Root','row':{'name':'a','n':1}}]",
        "[{'op':'insert','table':'Root','row':{'name':'b','kids':['named-uuid','k'],"
        "  'fav':['named-uuid','k']}},"
        " {'op':'insert','table':'Kid','uuid-name':'k','row':{'tag':'x'}}]",
        "[{'op':'mutate','table':'Root','where':[],'mutations':[['kids','insert',"
        "  ['named-uuid','k']]]},"
        " {'op':'insert','table':'Kid','uuid-name':'k','row':{'tag':'y'}}]",
        "[{'op':'mutate','table':'Root','where':[['name','==','a']],'mutations':[['n','+=',1],"
        "  ['ints','insert',['set',[1,2]]]]}]",
        "[{'op':'update','table':'Root','where':[],'row':{'map':['map',[['k','1']]],'ints':3}}]",
        "[{'op':'mutate','table':'Root','where':[],'mutations':[['map','insert',"
        "  ['map',[['l','2'],['m','3']]]],['map','delete',['set',['k']]]]}]",
        "[{'op':'update','table':'Root','where':[['name','==','b']],'row':{'kids':['set',[]]}}]",
        "[{'op':'update','table':'Kid','where':[],'row':{'tag':'z'}}]",
        "[{'op':'delete','table':'Root','where':[['name','==','a']]}]",
        "[{'op':'delete','table':'Root','where':[['name','==','b']]}]",
        "[{'op':'update','table':'Root','where':[],'row':{'stat':['map',[['x',5]]]}}]",
    };

    return ops[random_range(ARRAY_SIZE(ops))];
}

static void
check_replica(enum ovsdb_monitor_version version)
{
    struct ovsdb_database *db = make_db(), *replica = make_db();
    json_t *requests = ovsdb_replica_requests(db->schema);
    struct ovsdb_monitor *monitor;
    bool foreign;

    assert_error(ovsdb_monitor_create(db, version, requests, &monitor), NULL);
    json_decref(requests);
    for (int i = 0; i < 2000; i++) {
        struct ovsdb_exec exec = {.db = db};
        json_t *params = parse(random_ops()), *update;

        json_array_insert_new(params, 0, json_string("Test"));
        ovsdb_exec(&exec, params);
        json_decref(params);
        json_decref(exec.results);
        if (exec.txn == NULL) {
            continue;
        }
        struct ovsdb_error *error = ovsdb_txn_precommit(exec.txn);
        if (error != NULL) {
            ovsdb_error_free(error);
            ovsdb_txn_abort(exec.txn);
            continue;
        }
        update = ovsdb_monitor_update(monitor, exec.txn);
        ovsdb_txn_commit(exec.txn, 1);
        if (update != NULL) {
            assert_error(ovsdb_replica_apply(replica, update, version == OVSDB_MONITOR_V1,
                                             (uint64_t)i, NULL, NULL, &foreign),
                         NULL);
            assert_true(foreign);
            json_decref(update);
        }
        assert_same(db, replica);
        if (i % 100 == 0) {
            struct ovsdb_database *fresh = make_db();
            json_t *initial = ovsdb_monitor_initial(monitor);

            assert_error(ovsdb_replica_apply(fresh, initial, version == OVSDB_MONITOR_V1, 9, NULL,
                                             NULL, &foreign),
                         NULL);
            assert_same(db, fresh);
            json_decref(initial);
            ovsdb_database_destroy(fresh);
        }
    }
    ovsdb_monitor_destroy(monitor);
    ovsdb_database_destroy(db);
    ovsdb_database_destroy(replica);
}

static void
test_replica_of_dialect_1(void **state)
{
    check_replica(OVSDB_MONITOR_V1);
}

static void
test_replica_of_dialect_2(void **state)
{
    check_replica(OVSDB_MONITOR_V2);
}

static bool
n_is_own(void *aux, const struct uuid *row, const char *column)
{
    return !strcmp(column, "n");
}

static void
test_own_changes_are_told_apart(void **state)
{
    struct ovsdb_database *db = make_db();
    json_t *insert = parse("{'Root':{'" U "':{'insert':{'n':1}}}}");
    json_t *own = parse("{'Root':{'" U "':{'modify':{'n':2}}}}");
    json_t *both = parse("{'Root':{'" U "':{'modify':{'n':3,'on':4}}}}");
    json_t *none = parse("{'Root':{'" U "':{'modify':{'n':3}}}}");
    json_t *lost = parse("{'Kid':{'" U "':{'modify':{'tag':'x'}}}}");
    bool foreign;

    assert_error(ovsdb_replica_apply(db, insert, false, 1, n_is_own, NULL, &foreign), NULL);
    assert_true(foreign);
    assert_error(ovsdb_replica_apply(db, own, false, 2, n_is_own, NULL, &foreign), NULL);
    assert_false(foreign);
    assert_int_equal(ovsdb_database_table(db, "Root")->rows->seqno, 1);
    assert_error(ovsdb_replica_apply(db, both, false, 3, n_is_own, NULL, &foreign), NULL);
    assert_true(foreign);
    assert_int_equal(ovsdb_database_table(db, "Root")->rows->seqno, 3);
    assert_error(ovsdb_replica_apply(db, none, false, 4, NULL, NULL, &foreign), NULL);
    assert_false(foreign);
    assert_error(ovsdb_replica_apply(db, lost, false, 5, NULL, NULL, &foreign), OVSDB_E_SYNTAX);
    json_decref(insert);
    json_decref(own);
    json_decref(both);
    json_decref(none);
    json_decref(lost);
    ovsdb_database_destroy(db);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialect_1),
        cmocka_unit_test(test_dialect_2),
        cmocka_unit_test(test_select),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_refused_requests),
        cmocka_unit_test(test_replica_of_dialect_1),
        cmocka_unit_test(test_replica_of_dialect_2),
        cmocka_unit_test(test_own_changes_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
