// SPDX-License-Identifier: Apache-2.0
/*
 * The start-up file: what it may say, how errors are told, what it makes of a database, and which
 * flows are handed to ofproto.  The database is the real embedded one; ofproto is a fake that takes
 * down what it is given.
 */
#include "../unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/str.h"
#include "bridge/startup.h"
#include "bridge/startup_int.h"
#include "ofproto/ofproto.h"
#include "ovsdb/db.h"

static char dir[] = "/tmp/test_startup.XXXXXX";
static struct loop *loop;
static struct db *db;

/* ---- The fake ofproto ---- */

static struct str taken;         /* flows that were added, a line each */
static const char *missing_port; /* flows that have this word cannot be added */

char *
ofproto_flow_text_check(const char *text, bool (*is_port)(const void *aux, const char *name),
                        const void *aux)
{
    char name[32];

    if (strstr(text, "actions=") == NULL) {
        return xstrdup("a flow needs actions");
    }
    if (sscanf(text, "in_port=%31[a-z0-9]", name) == 1 && !is_port(aux, name)) {
        return xasprintf("there is no port %s", name);
    }
    return NULL;
}

void
ofproto_flows_from_text(struct ofproto *p, bool replace, const char *const *texts, size_t n,
                        char **errors)
{
    if (replace) {
        str_put(&taken, "replace\n");
    }
    for (size_t i = 0; i < n; i++) {
        if (missing_port != NULL && strstr(texts[i], missing_port) != NULL) {
            errors[i] = xstrdup("no such port");
        } else {
            str_printf(&taken, "%s\n", texts[i]);
        }
    }
}

/* ---- Helpers ---- */

static char *
write_file(const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", dir, name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

/* The error of a file with this text, without the name of the file; NULL if it is good. */
static char *
load_error(const char *text)
{
    char *path = write_file("bad.json", text);
    struct startup *st;
    char *error;
    int result = startup_load(path, &st, &error);

    if (result == 0) {
        startup_destroy(st);
        assert_null(error);
    } else {
        assert_null(st);
        assert_non_null(error);
        assert_int_equal(strncmp(error, path, strlen(path)), 0);
        memmove(error, error + strlen(path), strlen(error + strlen(path)) + 1);
    }
    free(path);
    return error;
}

static void
check_error(const char *text, const char *expected)
{
    char *error = load_error(text);

    if (error == NULL || strcmp(error, expected) != 0) {
        print_error("%s\n  gave:     %s\n  expected: %s\n", text, error ? error : "(no error)",
                    expected);
    }
    assert_non_null(error);
    assert_string_equal(error, expected);
    free(error);
}

static struct startup *
load(const char *text)
{
    char *path = write_file("good.json", text);
    struct startup *st;
    char *error;

    if (startup_load(path, &st, &error) != 0) {
        fail_msg("%s", error);
    }
    free(path);
    return st;
}

static void
apply(const char *text)
{
    struct startup *st = load(text);
    char *error = NULL;

    if (startup_apply(st, db, &error) != 0) {
        fail_msg("%s", error);
    }
    startup_destroy(st);
}

static const struct db_row *
find(const char *table, const char *name)
{
    const struct db_row *row;

    DB_FOR_EACH_ROW (row, db, table) {
        if (!strcmp(row_str(row, "name"), name)) {
            return row;
        }
    }
    return NULL;
}

static bool
has_port(const char *bridge, const char *port)
{
    const struct db_row *br = find("Bridge", bridge);

    for (size_t i = 0; br != NULL && i < row_n(br, "ports"); i++) {
        if (!strcmp(row_str(row_ref_at(br, "ports", i), "name"), port)) {
            return true;
        }
    }
    return false;
}

static off_t
journal_size(void)
{
    char *path = xasprintf("%s/conf.db", dir);
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    free(path);
    return st.st_size;
}

static int
setup(void **state)
{
    char *path = xasprintf("%s/conf.db", dir);
    char *error = NULL;
    struct db_embedded_cfg cfg = {.journal_path = path, .ovs_version = "3.1.0"};

    loop = loop_create("test");
    cfg.loop = loop;
    unlink(path);
    assert_int_equal(db_open_embedded(&cfg, &db, &error), 0);
    free(path);
    return 0;
}

static int
teardown(void **state)
{
    db_close(db);
    loop_destroy(loop);
    str_free(&taken);
    missing_port = NULL;
    return 0;
}

/* ---- Reading ---- */

static void
test_syntax_errors_have_line_and_column(void **state)
{
    check_error("{\n  \"bridges\": {,}\n}", ":2:15: string or '}' expected near ','");
    check_error("", ":1:0: '[' or '{' expected near end of file");
    check_error("{\"exclusive\": true,\n \"exclusive\": true}",
                ":2:12: duplicate object key near '\"exclusive\"'");
}

static void
test_unknown_keys_are_named_with_their_line(void **state)
{
    check_error("{\n\n\"bridge\": {}}", ":3: bridge: unknown key \"bridge\"");
    check_error("{\"bridges\": {\n\"br0\": {\n\"ports\": {\"p\": {\n\"tags\": 1}}}}}",
                ":4: bridges.br0.ports.p.tags: unknown key \"tags\"");
    check_error("{\"bridges\": {\"br0\": {\"fail-mode\": \"secure\"}}}",
                ":1: bridges.br0.fail-mode: unknown key \"fail-mode\"");
    check_error(
        "{\"bridges\": {\"b\": {\"ports\": {\"p\": {\"interfaces\": {\"e\": {\n\"tag\": 1}}}}}}}",
        ":2: bridges.b.ports.p.interfaces.e.tag: unknown key \"tag\"");
    check_error("{\"bridges\": {\"b\": {\"ports\": {\"p\": {\"type\": \"tap\","
                "\n\"interfaces\": {\"e\": {}}}}}}}",
                ":1: bridges.b.ports.p.type: belongs into \"interfaces\" here");
}

static void
test_values_are_checked_against_the_schema(void **state)
{
    static const struct {
        const char *port, *word;
    } bad[] = {
        {"\"tag\": 5000", "tag"},
        {"\"tag\": \"5\"", "tag"},
        {"\"vlan_mode\": \"acces\"", "vlan_mode"},
        {"\"options\": [1]", "must be an object"},
        {"\"options\": {\"a\": {}}", "options.a: must be a string"},
        {"\"type\": null", "must be a single value"},
        {"\"trunks\": [1, \"x\"]", "trunks"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char *text =
            xasprintf("{\"bridges\": {\"br0\": {\"ports\": {\"p\": {\n%s}}}}}", bad[i].port);
        char *error = load_error(text);

        assert_non_null(error);
        assert_non_null(strstr(error, ":2: bridges.br0.ports.p."));
        assert_non_null(strstr(error, bad[i].word));
        free(error);
        free(text);
    }
    check_error("[]", ":1: must be an object");
    check_error("{\"exclusive\": 1}", ":1: exclusive: must be true or false");
    check_error("{\"bridges\": {\"a/b\": {}}}",
                ":1: bridges.a/b: \"a/b\" is no name for a bridge, port or interface");
}

static void
test_names_are_unique_in_the_switch(void **state)
{
    check_error(
        "{\"bridges\": {\"a\": {\"ports\": {\"p\": {}}},\n\"b\": {\"ports\": {\"p\": {}}}}}",
        ":2: bridges.b.ports.p: there is another port of this name");
    check_error(
        "{\"bridges\": {\"a\": {\"ports\": {\"p\": {}, \"q\": {\"interfaces\": {\"p\": {}}}}}}}",
        ":1: bridges.a.ports.q: there is another interface called \"p\"");
    check_error("{\"bridges\": {\"a\": {}, \"b\": {\"ports\": {\"a\": {}}}}}",
                ":1: bridges.b.ports.a: there is another port of this name");
}

static void
test_flows_are_checked_with_their_line(void **state)
{
    check_error("{\"bridges\": {\"a\": {\"flows\": [\n\"actions=drop\",\n\"priority=1\"]}}}",
                ":3: bridges.a.flows#1: a flow needs actions");
    check_error("{\"bridges\": {\"a\": {\"flows\": [\"in_port=x,actions=drop\"]}}}",
                ":1: bridges.a.flows#0: there is no port x");
    check_error("{\"bridges\": {\"a\": {\"flows\": \"actions=drop\"}}}",
                ":1: bridges.a.flows: must be an array of strings");
    free(write_file("flows", "# comment\n\nactions=drop\n  wrong\n"));
    char *error = load_error("{\"bridges\": {\"a\": {\"flows_file\": \"flows\"}}}");
    assert_non_null(strstr(error, "/flows:4: a flow needs actions"));
    free(error);
    error = load_error("{\"bridges\": {\"a\": {\"flows_file\": \"none\"}}}");
    assert_non_null(strstr(error, "cannot read"));
    free(error);
}

static void
test_missing_file_is_told(void **state)
{
    struct startup *st;
    char *error;

    assert_true(startup_load("/nonexistent/x.json", &st, &error) < 0);
    assert_string_equal(error, "/nonexistent/x.json: cannot read (No such file or directory)");
    free(error);
    assert_true(startup_load("/", &st, &error) < 0);
    free(error);
}

/* ---- The database ---- */

static const char two_ports[] =
    "{\"comment\": \"x\", \"other_config\": {\"dpdk-init\": true, \"n\": 4},"
    " \"bridges\": {\"br0\": {\"fail_mode\": \"secure\", \"protocols\": [\"OpenFlow13\"],"
    " \"controllers\": [\"tcp:192.0.2.1\"], \"ports\": {"
    " \"p1\": {\"type\": \"internal\", \"tag\": 7, \"ofport_request\": 3, \"comment\": 1,"
    "   \"interface_external_ids\": {\"iface-id\": \"x\"}},"
    " \"bond0\": {\"bond_mode\": \"balance-slb\", \"interfaces\": {\"e1\": {}, \"e2\":"
    "   {\"options\": {\"n_rxq\": 2}}}}}}}}";

static void
test_new_rows_hold_what_the_file_says(void **state)
{
    const struct db_row *ovs = db_first(db, "Open_vSwitch");

    apply(two_ports);
    assert_string_equal(row_map_get(ovs, "other_config", "dpdk-init"), "true");
    assert_string_equal(row_map_get(ovs, "other_config", "n"), "4");
    assert_int_equal(row_n(ovs, "bridges"), 1);

    const struct db_row *br = find("Bridge", "br0");
    assert_string_equal(row_str(br, "datapath_type"), "netdev");
    assert_string_equal(row_str(br, "fail_mode"), "secure");
    assert_string_equal(row_str(br, "protocols"), "OpenFlow13");
    assert_string_equal(row_str(row_ref(br, "controller"), "target"), "tcp:192.0.2.1");
    assert_int_equal(row_n(br, "ports"), 3);
    assert_string_equal(row_str(find("Interface", "br0"), "type"), "internal");

    assert_int_equal(row_int_or(find("Port", "p1"), "tag", -1), 7);
    assert_string_equal(row_str(find("Interface", "p1"), "type"), "internal");
    assert_int_equal(row_int_or(find("Interface", "p1"), "ofport_request", -1), 3);
    assert_string_equal(row_map_get(find("Interface", "p1"), "external_ids", "iface-id"), "x");

    assert_int_equal(row_n(find("Port", "bond0"), "interfaces"), 2);
    assert_string_equal(row_map_get(find("Interface", "e2"), "options", "n_rxq"), "2");
}

static void
test_second_start_changes_nothing(void **state)
{
    off_t size;
    struct uuid before;

    apply(two_ports);
    size = journal_size();
    before = *row_uuid(find("Port", "p1"));
    apply(two_ports);
    assert_int_equal(journal_size(), size);
    assert_memory_equal(&before, row_uuid(find("Port", "p1")), sizeof before);
    assert_int_equal(db_n_rows(db, "Controller"), 1);
}

static void
test_what_is_not_named_stays(void **state)
{
    apply(two_ports);
    apply("{\"other_config\": {\"m\": \"5\"}, \"bridges\": {\"br0\": {\"ports\":"
          " {\"p2\": {\"type\": \"internal\"}}}, \"br1\": {}}}");
    assert_true(has_port("br0", "p1") && has_port("br0", "p2") && has_port("br0", "bond0"));
    assert_int_equal(row_int_or(find("Port", "p1"), "tag", -1), 7);
    assert_string_equal(row_str(find("Bridge", "br0"), "fail_mode"), "secure");
    assert_string_equal(row_map_get(db_first(db, "Open_vSwitch"), "other_config", "n"), "4");
    assert_string_equal(row_map_get(db_first(db, "Open_vSwitch"), "other_config", "m"), "5");
    assert_int_equal(db_n_rows(db, "Bridge"), 2);
}

static void
test_named_columns_are_brought_in_line(void **state)
{
    apply(two_ports);
    apply("{\"bridges\": {\"br0\": {\"controllers\": [], \"ports\": {\"p1\": {\"tag\": null,"
          " \"trunks\": [1, 2], \"options\": {\"a\": \"b\"}}}}}}");
    assert_int_equal(row_n(find("Port", "p1"), "tag"), 0);
    assert_int_equal(row_n(find("Port", "p1"), "trunks"), 2);
    assert_int_equal(row_int_or(find("Interface", "p1"), "ofport_request", -1), 3);
    assert_int_equal(db_n_rows(db, "Controller"), 0);
    apply("{\"bridges\": {\"br0\": {\"ports\": {\"p1\": {\"options\": {\"c\": \"d\"}}}}}}");
    assert_null(row_map_get(find("Interface", "p1"), "options", "a"));
}

static void
test_exclusive_leaves_nothing_else(void **state)
{
    apply(two_ports);
    apply("{\"bridges\": {\"br1\": {\"ports\": {\"x\": {\"type\": \"internal\"}}}}}");
    apply("{\"exclusive\": true, \"bridges\": {\"br0\": {\"ports\": {\"p1\": {\"type\": "
          "\"internal\"}}}}}");
    assert_int_equal(db_n_rows(db, "Bridge"), 1);
    assert_int_equal(db_n_rows(db, "Port"), 2);
    assert_int_equal(db_n_rows(db, "Interface"), 2);
    assert_int_equal(db_n_rows(db, "Controller"), 0);
    assert_int_equal(row_n(find("Port", "p1"), "tag"), 0);
    assert_int_equal(row_n(find("Interface", "p1"), "ofport_request"), 0);
    assert_int_equal(row_n(find("Bridge", "br0"), "fail_mode"), 0);
    assert_string_equal(row_str(find("Bridge", "br0"), "datapath_type"), "netdev");
    assert_int_equal(row_n(db_first(db, "Open_vSwitch"), "other_config"), 0);
    assert_non_null(row_map_get(db_first(db, "Open_vSwitch"), "external_ids", "system-id"));
    /* Identifiers that others gave to a port survive. */
    assert_string_equal(row_map_get(find("Interface", "p1"), "external_ids", "iface-id"), "x");
}

static void
test_ports_and_interfaces_move(void **state)
{
    apply(two_ports);
    /* A port to another bridge; a member of a bond, and then all, to ports of their own. */
    apply("{\"bridges\": {\"br1\": {\"ports\": {\"p1\": {}, \"e1\": {}}}}}");
    assert_true(has_port("br1", "p1") && !has_port("br0", "p1"));
    assert_int_equal(row_int_or(find("Port", "p1"), "tag", -1), 7);
    assert_int_equal(row_n(find("Port", "bond0"), "interfaces"), 1);
    apply("{\"bridges\": {\"br1\": {\"ports\": {\"e2\": {}}}}}");
    assert_false(has_port("br0", "bond0"));
    assert_null(find("Port", "bond0"));
    assert_true(has_port("br1", "e1") && has_port("br1", "e2"));
    /* And back into a bond. */
    apply("{\"bridges\": {\"br0\": {\"ports\": {\"b\": {\"interfaces\": {\"e1\": {}, \"e2\": "
          "{}}}}}}}");
    assert_int_equal(row_n(find("Port", "b"), "interfaces"), 2);
    assert_null(find("Port", "e1"));
    assert_int_equal(db_n_rows(db, "Interface"), 5);
}

/* ---- Flows ---- */

static void
test_flows_replace_once_and_wait_for_their_ports(void **state)
{
    struct startup *st;

    free(write_file("flows", "priority=2,actions=drop\n"));
    st = load(
        "{\"bridges\": {\"a\": {\"ports\": {\"late\": {}}, \"flows_file\": \"flows\", \"flows\":"
        " [\"in_port=late,actions=drop\", \"actions=drop\"]}, \"b\": {}}}");
    missing_port = "late";
    startup_install_flows(st, "b", NULL);
    startup_install_flows(st, "unknown", NULL);
    assert_string_equal(str_cstr(&taken), "");
    startup_install_flows(st, "a", NULL);
    assert_string_equal(str_cstr(&taken), "replace\nactions=drop\npriority=2,actions=drop\n");
    str_clear(&taken);
    startup_install_flows(st, "a", NULL);
    assert_string_equal(str_cstr(&taken), "");
    missing_port = NULL;
    startup_install_flows(st, "a", NULL);
    assert_string_equal(str_cstr(&taken), "in_port=late,actions=drop\n");
    startup_install_flows(st, "a", NULL);
    assert_string_equal(str_cstr(&taken), "in_port=late,actions=drop\n");
    startup_destroy(st);
    startup_install_flows(NULL, "a", NULL);
    startup_destroy(NULL);
}

static void
test_an_empty_list_of_flows_empties_the_tables(void **state)
{
    struct startup *st = load("{\"bridges\": {\"a\": {\"flows\": []}}}");

    startup_install_flows(st, "a", NULL);
    startup_install_flows(st, "a", NULL);
    assert_string_equal(str_cstr(&taken), "replace\n");
    startup_destroy(st);
}

static int
remove_dir(void **state)
{
    char *command = xasprintf("rm -r %s", dir);
    int result = system(command);

    free(command);
    return result;
}

static int
make_dir(void **state)
{
    return mkdtemp(dir) == NULL;
}

int
main(void)
{
#define WITH_DB(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_DB(test_syntax_errors_have_line_and_column),
        WITH_DB(test_unknown_keys_are_named_with_their_line),
        WITH_DB(test_values_are_checked_against_the_schema),
        WITH_DB(test_names_are_unique_in_the_switch),
        WITH_DB(test_flows_are_checked_with_their_line),
        WITH_DB(test_missing_file_is_told),
        WITH_DB(test_new_rows_hold_what_the_file_says),
        WITH_DB(test_second_start_changes_nothing),
        WITH_DB(test_what_is_not_named_stays),
        WITH_DB(test_named_columns_are_brought_in_line),
        WITH_DB(test_exclusive_leaves_nothing_else),
        WITH_DB(test_ports_and_interfaces_move),
        WITH_DB(test_flows_replace_once_and_wait_for_their_ports),
        WITH_DB(test_an_empty_list_of_flows_empties_the_tables),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
