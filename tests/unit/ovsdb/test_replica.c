// SPDX-License-Identifier: Apache-2.0
/*
 * What the switch takes over from a server that owns its data: which changes it acts upon, and
 * which schemas and values it refuses.
 */
#include "ovsdb_test.h"

#include "ovsdb/builtin_schema.h"
#include "ovsdb/replica.h"

#define U "00000000-0000-4000-8000-000000000001"

static struct ovsdb_database *
make_real_db(void)
{
    struct ovsdb_schema *schema;

    assert_error(ovsdb_schema_from_text(ovsdb_builtin_schema, &schema), NULL);
    assert_error(ovsdb_replica_check_schema(schema), NULL);
    return ovsdb_database_create(schema);
}

/* Applies <table-updates2>; '*foreign' tells whether the switch has something to do. */
static struct ovsdb_error *
apply(struct ovsdb_database *db, const char *updates, bool *foreign)
{
    json_t *json = parse(updates);
    struct ovsdb_error *error = ovsdb_replica_apply(db, json, false, 1, NULL, NULL, foreign);

    json_decref(json);
    return error;
}

static void
test_what_others_tell_others_wakes_nobody(void **state)
{
    static const struct {
        const char *table, *row;
        bool foreign;
    } changes[] = {
        {"Manager", "'is_connected':true,'status':['map',[['state','ACTIVE']]]", false},
        {"Manager", "'target':'ptcp:1'", true},
        {"Bridge", "'external_ids':['map',[['a','b']]]", false},
        {"Bridge", "'other_config':['map',[['a','b']]]", true},
        {"Open_vSwitch", "'external_ids':['map',[['a','b']]],'ovs_version':'9'", false},
        {"Open_vSwitch", "'external_ids':['map',[['a','c']]],'next_cfg':9", true},
    };
    struct ovsdb_database *db = make_real_db();
    bool foreign;

    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        char *insert = xasprintf("{'%s':{'" U "':{'insert':{}}}}", changes[i].table);
        char *modify =
            xasprintf("{'%s':{'" U "':{'modify':{%s}}}}", changes[i].table, changes[i].row);

        assert_error(apply(db, insert, &foreign), NULL);
        assert_error(apply(db, modify, &foreign), NULL);
        assert_int_equal(foreign, changes[i].foreign);
        free(insert);
        free(modify);
    }
    ovsdb_database_destroy(db);
}

static void
test_values_that_no_column_has(void **state)
{
    struct ovsdb_database *db = make_real_db();
    bool foreign;

    assert_error(apply(db, "{'Bridge':{'" U "':{'insert':{'name':['set',[]]}}}}", &foreign),
                 OVSDB_E_SYNTAX);
    assert_error(apply(db, "{'Bridge':{'" U "':{'insert':{'name':['set',['a','b']]}}}}", &foreign),
                 OVSDB_E_SYNTAX);
    assert_error(apply(db, "{'Port':{'" U "':{'insert':{'tag':['set',[1,2]]}}}}", &foreign),
                 OVSDB_E_SYNTAX);
    assert_error(apply(db, "{'Port':{'" U "':{'insert':{'tag':['set',[]]}}}}", &foreign), NULL);
    ovsdb_database_destroy(db);
}

static struct ovsdb_error *
check(const char *tables)
{
    char *text = xasprintf("{'name':'Open_vSwitch','version':'1.0.0','tables':{%s}}", tables);
    struct ovsdb_schema *schema;
    json_t *json = parse(text);
    struct ovsdb_error *error;

    assert_error(ovsdb_schema_from_json(json, &schema), NULL);
    error = ovsdb_replica_check_schema(schema);
    ovsdb_schema_destroy(schema);
    json_decref(json);
    free(text);
    return error;
}

static void
test_schemas_without_names(void **state)
{
    assert_error(check("'Bridge':{'columns':{'name':{'type':'string'}}}"), NULL);
    assert_error(check("'Bridge':{'columns':{'other':{'type':'string'}}}"), OVSDB_E_CONSTRAINT);
    assert_error(check("'Port':{'columns':{'name':{'type':'integer'}}}"), OVSDB_E_CONSTRAINT);
    assert_error(check("'Interface':{'columns':{'name':{'type':{'key':'string','min':0}}}}"),
                 OVSDB_E_CONSTRAINT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_others_tell_others_wakes_nobody),
        cmocka_unit_test(test_values_that_no_column_has),
        cmocka_unit_test(test_schemas_without_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
