// SPDX-License-Identifier: Apache-2.0
/*
 * Which servers a client of the database accepts, by what they say of themselves.
 */
#include "ovsdb_test.h"

#include "ovsdb/server_choice.h"

#define U "00000000-0000-4000-8000-000000000001"
#define CID "00000000-0000-4000-8000-0000000000c1"
#define OTHER_CID "00000000-0000-4000-8000-0000000000c2"

static const char schema[] =
    "{'name':'_Server','version':'1.2.0','tables':{'Database':{'columns':{"
    "'name':{'type':'string'},'model':{'type':'string'},'connected':{'type':'boolean'},"
    "'leader':{'type':'boolean'},'schema':{'type':{'key':'string','min':0}},"
    "'cid':{'type':{'key':'uuid','min':0}},'index':{'type':{'key':'integer','min':0}}}}}}";

static struct server_choice *
make(const char *remotes)
{
    char *error;
    struct server_choice *choice = server_choice_create(remotes, "Open_vSwitch", &error);

    if (choice == NULL) {
        fail_msg("%s", error);
    }
    return choice;
}

/* A new connection to a server that has a row of these columns. */
static const char *
meet(struct server_choice *choice, const char *columns)
{
    json_t *s = parse(schema);
    char *text = xasprintf("{'Database':{'" U "':{'initial':{%s}}}}", columns);
    json_t *updates = parse(text);

    server_choice_reset(choice);
    assert_json(server_choice_request(choice, s),
                "['_Server',['monid','_Server'],{'Database':[{'columns':"
                "['name','model','connected','leader','cid','index']}]}]");
    const char *why_not = server_choice_update(choice, updates);
    json_decref(updates);
    json_decref(s);
    free(text);
    return why_not;
}

static const char *
update(struct server_choice *choice, const char *text)
{
    json_t *updates = parse(text);
    const char *why_not = server_choice_update(choice, updates);

    json_decref(updates);
    return why_not;
}

static void
test_remotes(void **state)
{
    static const char *const bad[] = {"",
                                      "tcp:1.2.3.4:1,",
                                      ",unix:a",
                                      "ptcp:1",
                                      "unix:a,punix:b",
                                      "cid:" CID,
                                      "unix:a,cid:1",
                                      "tcp:a\nb:1",
                                      "unix:a b,tcp:1.2.3.4:99999"};
    struct server_choice *choice = make("tcp:h:1,unix:/a,ssl:[::1]:2,cid:" CID);
    size_t n;
    const char *const *names = server_choice_names(choice, &n);

    assert_int_equal(n, 3);
    assert_string_equal(names[0], "tcp:h:1");
    assert_string_equal(names[2], "ssl:[::1]:2");
    assert_true(server_choice_has(choice, "ssl:"));
    assert_false(server_choice_is_all(choice, "unix:"));
    server_choice_destroy(choice);

    choice = make("unix:a,unix:b");
    assert_true(server_choice_is_all(choice, "unix:"));
    server_choice_destroy(choice);

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char *error = NULL;

        assert_null(server_choice_create(bad[i], "Open_vSwitch", &error));
        assert_non_null(error);
        free(error);
    }
}

static void
test_servers_to_rely_on(void **state)
{
    struct server_choice *choice = make("unix:a");

    assert_null(meet(choice, "'name':'Open_vSwitch','model':'standalone','connected':true"));
    assert_null(meet(choice, "'name':'Open_vSwitch','model':'relay','connected':true"));
    assert_null(meet(choice, "'name':'Open_vSwitch','model':'clustered','connected':true,"
                             "'leader':true,'index':5,'cid':['uuid','" CID "']"));
    server_choice_destroy(choice);
}

static void
test_servers_not_to_rely_on(void **state)
{
    struct server_choice *choice = make("unix:a");

    assert_non_null(meet(choice, "'name':'Other','model':'standalone','connected':true"));
    assert_non_null(meet(choice, "'name':'Open_vSwitch','model':'relay'"));
    assert_non_null(meet(choice, "'name':'Open_vSwitch','model':'clustered','leader':true"));
    assert_non_null(meet(choice, "'name':'Open_vSwitch','model':'clustered','connected':true"));

    /* One that ceases to be, while we are connected. */
    assert_null(meet(choice, "'name':'Open_vSwitch','model':'clustered','connected':true,"
                             "'leader':true"));
    assert_null(update(choice, "{'Database':{'" U "':{'modify':{'index':7}}}}"));
    assert_non_null(update(choice, "{'Database':{'" U "':{'modify':{'leader':false}}}}"));
    assert_non_null(update(choice, "{'Database':{'" U "':{'delete':null}}}"));
    assert_non_null(update(choice, "{'Database':{'" U "':{'modify':{'leader':3}}}}"));
    assert_non_null(update(choice, "[]"));
    server_choice_destroy(choice);
}

static void
test_old_contents(void **state)
{
    static const char new[] = "'name':'Open_vSwitch','model':'clustered','connected':true,"
                              "'leader':true,'cid':['uuid','" CID "'],'index':9";
    static const char old[] = "'name':'Open_vSwitch','model':'clustered','connected':true,"
                              "'leader':true,'cid':['uuid','" CID "'],'index':8";
    static const char other[] = "'name':'Open_vSwitch','model':'clustered','connected':true,"
                                "'leader':true,'cid':['uuid','" OTHER_CID "'],'index':1";
    struct server_choice *choice = make("unix:a");

    assert_null(meet(choice, new));
    assert_non_null(meet(choice, old));
    assert_null(meet(choice, new));
    /* A cluster that was made anew counts from the start. */
    assert_null(meet(choice, other));
    server_choice_destroy(choice);

    choice = make("unix:a,cid:" CID);
    assert_null(meet(choice, old));
    assert_non_null(meet(choice, other));
    assert_non_null(meet(choice, "'name':'Open_vSwitch','model':'standalone','connected':true"));
    server_choice_destroy(choice);
}

/* What servers of other times say, or hostile ones. */
static void
test_other_schemas(void **state)
{
    static const char *const useless[] = {"{'name':'_Server','tables':{}}", "{}", "[]", "null",
                                          "{'name':'_Server','tables':{'Database':3}}"};
    struct server_choice *choice = make("unix:a");

    for (size_t i = 0; i < ARRAY_SIZE(useless); i++) {
        json_t *s = parse(useless[i]);

        assert_null(server_choice_request(choice, s));
        assert_null(update(choice, "{}"));
        json_decref(s);
    }
    json_t *s = parse("{'name':'_Server','tables':{'Database':{'columns':{"
                      "'name':{'type':'integer'},'connected':{'type':'string'}}}}}");
    assert_json(server_choice_request(choice, s),
                "['_Server',['monid','_Server'],{'Database':[{'columns':['name','connected']}]}]");
    assert_non_null(update(choice, "{'Database':{'" U "':{'initial':{'name':1}}}}"));
    json_decref(s);
    server_choice_destroy(choice);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_remotes),
        cmocka_unit_test(test_servers_to_rely_on),
        cmocka_unit_test(test_servers_not_to_rely_on),
        cmocka_unit_test(test_old_contents),
        cmocka_unit_test(test_other_schemas),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
