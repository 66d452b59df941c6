// SPDX-License-Identifier: Apache-2.0
/*
 * The journal and the store on it: a file cut at every byte keeps all whole records, transactions
 * come back as they were, differences and full values, compaction.
 */
#include "ovsdb_test.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "ovsdb/journal.h"
#include "ovsdb/store.h"

static char dir[] = "/tmp/test_journal.XXXXXX";
static char *path;

static void
remove_all(void)
{
    char *command = xasprintf("rm -rf %s/* %s/.*~lock~", dir, dir);

    assert_int_equal(system(command), 0);
    free(command);
}

static int
setup(void **state)
{
    remove_all();
    return 0;
}

static struct ovsdb_journal *
make_journal(int n_records)
{
    json_t *schema = parse("{'first':true}");
    struct ovsdb_journal *journal;
    char *error = NULL;

    assert_int_equal(ovsdb_journal_create(path, &schema, 1, &journal, &error), 0);
    json_decref(schema);
    for (int i = 0; i < n_records; i++) {
        json_t *record = json_pack("{s:i}", "i", i);

        assert_int_equal(ovsdb_journal_append(journal, record), 0);
        json_decref(record);
    }
    return journal;
}

/* Opens the file and counts its good records; '*status' is what ended them. */
static int
count(enum ovsdb_journal_status *status)
{
    struct ovsdb_journal *journal;
    char *error = NULL, *problem = NULL;
    json_t *record;
    int n = 0;

    assert_int_equal(ovsdb_journal_open(path, &journal, &error), 0);
    while ((*status = ovsdb_journal_read(journal, &record, &problem)) == OVSDB_JOURNAL_RECORD) {
        json_decref(record);
        n++;
    }
    free(problem);
    ovsdb_journal_close(journal);
    return n;
}

static void
test_cut_at_every_byte(void **state)
{
    struct ovsdb_journal *journal = make_journal(3);
    uint64_t size = ovsdb_journal_size(journal);
    enum ovsdb_journal_status status;
    size_t record_len;
    json_t *record = json_pack("{s:i}", "i", 2);

    free(ovsdb_journal_encode(record, &record_len));
    json_decref(record);
    ovsdb_journal_close(journal);
    assert_int_equal(count(&status), 4);
    assert_int_equal(status, OVSDB_JOURNAL_END);
    for (size_t cut = 1; cut < record_len; cut++) {
        assert_int_equal(truncate(path, (off_t)(size - cut)), 0);
        assert_int_equal(count(&status), 3);
        assert_int_equal(status, OVSDB_JOURNAL_TORN);
    }
    assert_int_equal(truncate(path, (off_t)(size - record_len)), 0);
    assert_int_equal(count(&status), 3);
    assert_int_equal(status, OVSDB_JOURNAL_END);
}

static void
test_every_flipped_byte_is_noticed(void **state)
{
    struct ovsdb_journal *journal = make_journal(1);
    uint64_t size = ovsdb_journal_size(journal);

    ovsdb_journal_close(journal);
    for (uint64_t at = 0; at < size; at++) {
        FILE *file = fopen(path, "r+");
        enum ovsdb_journal_status status;
        int byte;

        fseek(file, (long)at, SEEK_SET);
        byte = fgetc(file);
        fseek(file, (long)at, SEEK_SET);
        fputc(byte ^ 1, file);
        fclose(file);
        assert_true(count(&status) < 2);
        assert_int_not_equal(status, OVSDB_JOURNAL_END);
        file = fopen(path, "r+");
        fseek(file, (long)at, SEEK_SET);
        fputc(byte, file);
        fclose(file);
    }
}

static void
test_create_does_not_replace(void **state)
{
    struct ovsdb_journal *journal = make_journal(0), *second;
    json_t *record = json_object();
    char *error = NULL;

    ovsdb_journal_close(journal);
    assert_int_equal(ovsdb_journal_create(path, &record, 1, &second, &error), -EEXIST);
    assert_null(second);
    free(error);
    json_decref(record);
}

static void
test_replace(void **state)
{
    struct ovsdb_journal *journal = make_journal(50);
    json_t *records[] = {parse("{'a':1}"), parse("{'b':2}")};
    enum ovsdb_journal_status status;

    chmod(path, 0600);
    assert_int_equal(ovsdb_journal_replace(journal, records, 2), 0);
    assert_int_equal(ovsdb_journal_append(journal, records[0]), 0);
    ovsdb_journal_close(journal);
    assert_int_equal(count(&status), 3);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    json_decref(records[0]);
    json_decref(records[1]);
}

/* The store. */

static struct ovsdb_store *
open_store(struct ovsdb_schema *schema)
{
    struct ovsdb_store *store;
    char *error = NULL;

    if (ovsdb_store_open(path, schema, &store, &error)) {
        fail_msg("%s", error);
    }
    return store;
}

/* Runs and writes a transaction. */
static void
write_txn(struct ovsdb_store *store, const char *ops)
{
    struct ovsdb_exec exec = {.db = ovsdb_store_db(store)};
    json_t *params = parse(ops);

    json_array_insert_new(params, 0, json_string("Test"));
    ovsdb_exec(&exec, params);
    json_decref(params);
    assert_non_null(exec.txn);
    json_decref(exec.results);
    assert_error(ovsdb_txn_precommit(exec.txn), NULL);
    assert_error(ovsdb_store_write(store, exec.txn), NULL);
    ovsdb_txn_commit(exec.txn, 1);
}

static void
assert_root(struct ovsdb_store *store, const char *columns, const char *row)
{
    char *ops = xasprintf("[{'op':'select','table':'Root','where':[],'columns':%s}]", columns);
    char *wanted = xasprintf("[{'rows':[%s]}]", row);

    assert_json(run(ovsdb_store_db(store), ops), wanted);
    free(ops);
    free(wanted);
}

static void
test_contents_come_back(void **state)
{
    struct ovsdb_schema *schema = make_schema(test_schema);
    struct ovsdb_store *store = open_store(schema);
    uint64_t size;

    write_txn(store, "[{'op':'insert','table':'Root','row':{'name':'a','n':3,"
                     "'kids':['named-uuid','k'],'map':['map',[['a','1'],['b','2']]],"
                     "'ints':['set',[1,2,3]]}},"
                     "{'op':'insert','table':'Kid','uuid-name':'k','row':{'tag':'t'}},"
                     "{'op':'comment','comment':'hello'}]");
    write_txn(store, "[{'op':'mutate','table':'Root','where':[],'mutations':["
                     "['map','delete',['set',['a']]],['map','insert',['map',[['c','3']]]]]}]");
    /* A difference of more elements than the column may have. */
    write_txn(store, "[{'op':'update','table':'Root','where':[],'row':{'ints':['set',[4,5,6]]}}]");
    size = ovsdb_store_size(store);
    write_txn(store,
              "[{'op':'update','table':'Root','where':[],'row':{'stat':['map',[['x',1]]]}}]");
    assert_int_equal(ovsdb_store_size(store), size);
    for (int i = 0; i < 3; i++) {
        ovsdb_store_close(store);
        store = open_store(schema);
        assert_root(store, "['n','map','ints','stat']",
                    "{'n':3,'map':['map',[['b','2'],['c','3']]],'ints':['set',[4,5,6]],"
                    "'stat':['map',[]]}");
        assert_int_equal(n_rows(ovsdb_store_db(store), "Kid"), 1);
        assert_int_equal(ovsdb_store_compact(store), 0);
    }
    write_txn(store, "[{'op':'delete','table':'Root','where':[]}]");
    ovsdb_store_close(store);
    store = open_store(schema);
    assert_int_equal(n_rows(ovsdb_store_db(store), "Root"), 0);
    assert_int_equal(n_rows(ovsdb_store_db(store), "Kid"), 0);
    ovsdb_store_close(store);
    ovsdb_schema_destroy(schema);
}

static void
test_replay_is_all_or_nothing(void **state)
{
    static const char *const bad[] = {
        "{'Root':5}",
        "{'Nosuch':{}}",
        "{'Root':{'x':{}}}",
        "{'Root':{'00000000-0000-4000-8000-00000000000a':5}}",
        "{'Root':{'00000000-0000-4000-8000-00000000000a':null}}",
        "{'Root':{'00000000-0000-4000-8000-00000000000a':{'nosuch':1}}}",
        "{'Root':{'00000000-0000-4000-8000-00000000000a':{'_uuid':['uuid','x']}}}",
        "{'Root':{'00000000-0000-4000-8000-000000000001':{'name':'x'},"
        "'00000000-0000-4000-8000-00000000000a':{'n':'x'}}}",
        "{'_is_diff':true,'Root':{'00000000-0000-4000-8000-000000000001':{'ints':['set',[4,5]]}}}",
    };
    struct ovsdb_database *db = make_db();
    json_t *good = parse("{'Root':{'00000000-0000-4000-8000-000000000001':{'name':'a',"
                         "'ints':['set',[1,2]]}}}");

    assert_error(ovsdb_store_replay(db, good), NULL);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        json_t *record = parse(bad[i]);
        struct ovsdb_error *error = ovsdb_store_replay(db, record);

        if (error == NULL) {
            fail_msg("%s was accepted", bad[i]);
        }
        ovsdb_error_free(error);
        json_decref(record);
        assert_json(
            run(db, "[{'op':'select','table':'Root','where':[],'columns':['name','ints']}]"),
            "[{'rows':[{'name':'a','ints':['set',[1,2]]}]}]");
    }
    json_decref(good);
    ovsdb_database_destroy(db);
}

static void
test_lock(void **state)
{
    /* A process does not conflict with its own locks: another one has to try. */
    struct ovsdb_journal *journal = make_journal(0);
    char *command = xasprintf("ovsdb-tool compact %s >/dev/null 2>&1", path);

    if (access("/usr/bin/ovsdb-tool", X_OK)) {
        skip();
    }
    assert_int_not_equal(system(command), 0);
    free(command);
    ovsdb_journal_close(journal);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_cut_at_every_byte, setup),
        cmocka_unit_test_setup(test_every_flipped_byte_is_noticed, setup),
        cmocka_unit_test_setup(test_create_does_not_replace, setup),
        cmocka_unit_test_setup(test_replace, setup),
        cmocka_unit_test_setup(test_contents_come_back, setup),
        cmocka_unit_test_setup(test_replay_is_all_or_nothing, setup),
        cmocka_unit_test_setup(test_lock, setup),
    };

    log_init("test_journal");
    if (mkdtemp(dir) == NULL) {
        return 1;
    }
    path = xasprintf("%s/conf.db", dir);
    int result = cmocka_run_group_tests(tests, NULL, NULL);
    remove_all();
    rmdir(dir);
    free(path);
    return result;
}
