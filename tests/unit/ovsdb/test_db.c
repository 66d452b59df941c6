// SPDX-License-Identifier: Apache-2.0
/*
 * The interface that the bridge uses, on the embedded server: getters, write-backs that leave out
 * what is equal, the change callback that does not hear of them.
 */
#include "ovsdb_test.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "ovsdb/db.h"

struct fixture {
    char dir[32];
    char *journal;
    struct loop *loop;
    struct db *db;
    int n_changes;
    int n_done;
    enum db_txn_status status;
};

static void
on_change(void *f_)
{
    ((struct fixture *)f_)->n_changes++;
}

static void
on_done(void *f_, enum db_txn_status status, const char *error)
{
    struct fixture *f = f_;

    f->n_done++;
    f->status = status;
}

static int
setup(void **state)
{
    struct fixture *f = xzalloc(sizeof *f);
    char *error = NULL;

    strcpy(f->dir, "/tmp/test_db.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->journal = xasprintf("%s/conf.db", f->dir);
    f->loop = loop_create("main");
    struct db_embedded_cfg cfg = {.loop = f->loop, .journal_path = f->journal};
    if (db_open_embedded(&cfg, &f->db, &error)) {
        fail_msg("%s", error);
    }
    db_set_change_cb(f->db, on_change, f);
    loop_run_once(f->loop, 0);
    assert_int_equal(f->n_changes, 1);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    char *command = xasprintf("rm -rf %s", f->dir);

    db_close(f->db);
    loop_destroy(f->loop);
    assert_int_equal(system(command), 0);
    free(command);
    free(f->journal);
    free(f);
    return 0;
}

static long
journal_size(const struct fixture *f)
{
    struct stat st;

    assert_int_equal(stat(f->journal, &st), 0);
    return (long)st.st_size;
}

static enum db_txn_status
commit(struct fixture *f, struct db_txn *txn)
{
    int n = f->n_done;

    db_txn_commit(txn, on_done, f);
    assert_int_equal(f->n_done, n); /* never from within */
    assert_true(db_txn_in_flight(f->db));
    loop_run_once(f->loop, 0);
    assert_int_equal(f->n_done, n + 1);
    assert_false(db_txn_in_flight(f->db));
    return f->status;
}

static void
test_root_row(void **state)
{
    struct fixture *f = *state;
    const struct db_row *root = db_first(f->db, "Open_vSwitch");

    assert_true(db_is_ready(f->db) && db_has_lock(f->db));
    assert_non_null(root);
    assert_null(db_next(root));
    assert_string_equal(row_str(root, "db_version"), "8.3.1");
    assert_string_equal(row_str(root, "ovs_version"), "3.1.0");
    assert_int_equal(strlen(row_map_get(root, "external_ids", "system-id")), 36);
    assert_ptr_equal(db_get(f->db, "Open_vSwitch", row_uuid(root)), root);
    assert_int_equal(db_n_rows(f->db, "Open_vSwitch"), 1);
}

static void
test_getters_of_what_is_not_there(void **state)
{
    struct fixture *f = *state;
    const struct db_row *root = db_first(f->db, "Open_vSwitch"), *ref;
    int64_t integer = 7;
    bool boolean = true;
    const char *key, *value;
    size_t n;

    assert_null(db_first(f->db, "Nosuch"));
    assert_false(db_has_column(f->db, "Open_vSwitch", "nosuch"));
    assert_null(row_str(root, "nosuch"));
    assert_null(row_str(root, "next_cfg"));
    assert_null(row_str(root, "dpdk_version"));
    assert_false(row_int(root, "ovs_version", &integer));
    assert_int_equal(integer, 7);
    assert_false(row_bool(root, "nosuch", &boolean));
    assert_int_equal(row_int_or(root, "nosuch", 4), 4);
    assert_null(row_ref(root, "ssl"));
    assert_null(row_refs(root, "bridges", &n));
    assert_int_equal(n, 0);
    assert_null(row_map_get(root, "other_config", "x"));
    assert_null(row_map_get(root, "datapaths", "x"));
    row_map_at(root, "other_config", 0, &key, &value);
    assert_null(key);
    assert_int_equal(row_imap_at(root, "next_cfg", 5, &ref), 0);
    assert_null(ref);
}

static void
test_write_and_read(void **state)
{
    struct fixture *f = *state;
    const struct db_row *root = db_first(f->db, "Open_vSwitch");
    const char *keys[] = {"b", "a", "hex", "yes"}, *values[] = {"2", "1", "0x1F", "true"};
    const char *types[] = {"netdev", "system", "netdev"};
    struct db_txn *txn = db_txn_create(f->db);
    const char *key, *value;

    db_txn_set_int(txn, root, "cur_cfg", 5);
    db_txn_set_bool(txn, root, "dpdk_initialized", true);
    db_txn_set_str(txn, root, "dpdk_version", "DPDK 22.11");
    db_txn_set_strs(txn, root, "datapath_types", types, 3);
    db_txn_set_smap(txn, root, "other_config", keys, values, 4);
    db_txn_map_put(txn, root, "external_ids", "mine", "x");
    db_txn_set_str(txn, root, "nosuch", "ignored");
    assert_int_equal(commit(f, txn), DB_TXN_SUCCESS);
    assert_int_equal(row_int_or(root, "cur_cfg", 0), 5);
    assert_true(row_bool_or(root, "dpdk_initialized", false));
    assert_string_equal(row_str(root, "dpdk_version"), "DPDK 22.11");
    assert_int_equal(row_n(root, "datapath_types"), 2);
    assert_string_equal(row_str_at(root, "datapath_types", 1), "system");
    row_map_at(root, "other_config", 0, &key, &value);
    assert_string_equal(key, "a");
    assert_string_equal(value, "1");
    assert_int_equal(row_map_int(root, "other_config", "hex", 0), 31);
    assert_int_equal(row_map_int(root, "other_config", "yes", -1), -1);
    assert_true(row_map_bool(root, "other_config", "yes", false));
    assert_string_equal(row_map_get(root, "external_ids", "mine"), "x");
    assert_non_null(row_map_get(root, "external_ids", "system-id"));
    assert_int_equal(f->n_changes, 1); /* own changes are not news */

    txn = db_txn_create(f->db);
    db_txn_map_put(txn, root, "external_ids", "mine", NULL);
    db_txn_clear(txn, root, "other_config");
    db_txn_set_str(txn, root, "dpdk_version", NULL);
    assert_int_equal(commit(f, txn), DB_TXN_SUCCESS);
    assert_null(row_map_get(root, "external_ids", "mine"));
    assert_int_equal(row_n(root, "other_config"), 0);
    assert_null(row_str(root, "dpdk_version"));
}

static void
test_equal_values_are_left_out(void **state)
{
    struct fixture *f = *state;
    const struct db_row *root = db_first(f->db, "Open_vSwitch");
    long size = journal_size(f);
    struct db_txn *txn = db_txn_create(f->db);

    db_txn_set_int(txn, root, "cur_cfg", 0);
    db_txn_set_str(txn, root, "ovs_version", "other");
    db_txn_set_str(txn, root, "ovs_version", "3.1.0"); /* changed its mind */
    db_txn_map_put(txn, root, "external_ids", "nosuch", NULL);
    db_txn_comment(txn, "nothing");
    assert_int_equal(commit(f, txn), DB_TXN_UNCHANGED);
    assert_int_equal(journal_size(f), size);
}

static void
test_ephemeral_values_stay_off_the_disk(void **state)
{
    struct fixture *f = *state;
    const struct db_row *root = db_first(f->db, "Open_vSwitch");
    long size = journal_size(f);
    const char *keys[] = {"cpu"}, *values[] = {"2"};
    struct db_txn *txn = db_txn_create(f->db);

    db_txn_set_smap(txn, root, "statistics", keys, values, 1);
    assert_int_equal(commit(f, txn), DB_TXN_SUCCESS);
    assert_string_equal(row_map_get(root, "statistics", "cpu"), "2");
    assert_int_equal(journal_size(f), size);
}

static void
test_bad_values_are_left_out(void **state)
{
    struct fixture *f = *state;
    const struct db_row *root = db_first(f->db, "Open_vSwitch");
    struct db_txn *txn = db_txn_create(f->db);

    db_txn_set_str(txn, root, "cur_cfg", "no number");
    db_txn_set_str(txn, root, "dpdk_version", "not \xff UTF-8");
    assert_int_equal(commit(f, txn), DB_TXN_SUCCESS);
    assert_int_equal(row_int_or(root, "cur_cfg", -1), 0);
    assert_string_equal(row_str(root, "dpdk_version"), "not ? UTF-8");
}

static void
test_second_open_and_reopen(void **state)
{
    struct fixture *f = *state;
    struct db_embedded_cfg cfg = {.loop = f->loop, .journal_path = f->journal};
    char *id = xstrdup(row_map_get(db_first(f->db, "Open_vSwitch"), "external_ids", "system-id"));
    char *error = NULL, *text;

    db_close(f->db);
    assert_int_equal(db_open_embedded(&cfg, &f->db, &error), 0);
    assert_string_equal(row_map_get(db_first(f->db, "Open_vSwitch"), "external_ids", "system-id"),
                        id);
    text = db_describe(f->db);
    assert_non_null(strstr(text, f->journal));
    free(text);
    free(id);
}

static void
test_open_errors(void **state)
{
    struct fixture *f = *state;
    const char *bad[] = {"ptcp:what", "db:Open_vSwitch,Nosuch,x"};
    char *other = xasprintf("%s/other.db", f->dir), *error = NULL;
    struct db *db;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct db_embedded_cfg cfg = {
            .loop = f->loop, .journal_path = other, .remotes = &bad[i], .n_remotes = 1};

        assert_true(db_open_embedded(&cfg, &db, &error) < 0);
        assert_null(db);
        assert_non_null(error);
        free(error);
    }
    struct db_embedded_cfg cfg = {.loop = f->loop, .journal_path = "/nonexistent/conf.db"};
    assert_int_equal(db_open_embedded(&cfg, &db, &error), -ENOENT);
    free(error);
    struct db_client_cfg client = {.loop = f->loop, .remote = "nonsense"};
    assert_int_equal(db_open_client(&client, &db, &error), -EINVAL);
    free(error);
    client.remote = "punix:/x";
    assert_int_equal(db_open_client(&client, &db, &error), -EINVAL);
    free(error);
    free(other);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_root_row, setup, teardown),
        cmocka_unit_test_setup_teardown(test_getters_of_what_is_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_and_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_equal_values_are_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ephemeral_values_stay_off_the_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_values_are_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_second_open_and_reopen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_errors, setup, teardown),
    };

    log_init("test_db");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
