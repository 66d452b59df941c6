// SPDX-License-Identifier: Apache-2.0
/*
 * Connections to hosts that are given by name: names that may be asked for, names that nobody
 * knows, ends of streams while their host is looked up, several servers in turn.
 */
#include "stream_peers.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "rpc/lookup.h"
#include "rpc/stream.h"

static void
names_that_may_be_asked_for(void **state)
{
    static const char *const good[] = {"localhost",       "a",       "db-1.example.org",
                                       "db.example.org.", "1.2.3.x", "_x._tcp.y",
                                       "xn--bcher-kva.de"};
    static const char *const bad[] = {"",        ".",      "a..b",      "-a",    "1.2.3",
                                      "1.2.3.4", "10",     "a b",       "a\nb",  "a\x01",
                                      "a/b",     "a%eth0", "b\xc3\xbc", "[::1]", "a:b"};
    char name[300];

    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_true(lookup_is_name(good[i]));
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_false(lookup_is_name(bad[i]));
    }
    memset(name, 'a', sizeof(name));
    name[63] = '\0';
    assert_true(lookup_is_name(name));
    name[63] = 'a';
    name[64] = '\0';
    assert_false(lookup_is_name(name));
    for (size_t i = 0; i < sizeof(name); i++) {
        name[i] = i % 2 ? '.' : 'a';
    }
    name[253] = '\0';
    assert_true(lookup_is_name(name));
    name[253] = '.';
    name[254] = '\0';
    assert_false(lookup_is_name(name));
}

static void
errors_show_no_control_characters(void **state)
{
    char name[20000];
    char *error = stream_name_check("tcp:a\nb\x1b:1");

    assert_non_null(strstr(error, "tcp:a\\x0ab\\x1b:1"));
    free(error);
    error = stream_name_check("unix:/a\nb");
    assert_non_null(strstr(error, "control character"));
    free(error);
    memset(name, 'a', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    memcpy(name, "tcp:", 4);
    error = stream_name_check(name);
    assert_true(strlen(error) < 300);
    free(error);
    memcpy(name, "unix:", 5);
    error = stream_name_check(name);
    assert_true(strlen(error) < 300);
    free(error);
}

static void
a_host_is_connected_to_by_its_name(void **state)
{
    struct listener *listener = listen_on("ptcp:0:127.0.0.1", NULL);
    char name[64];

    /* "localhost" may be ::1 first, where nobody listens. */
    snprintf(name, sizeof(name), "tcp:localhost:%u", listener_port(listener));
    connect_to(name, NULL);
    assert_true(stream_is_dialing(client.stream));
    assert_false(stream_is_open(client.stream));
    assert_int_equal(stream_send(client.stream, "x", 1), -ENOTCONN);
    assert_int_equal(client.n_opens, 0);
    RUN_UNTIL(client.n_opens == 1 && server.n_opens == 1);
    assert_false(stream_is_dialing(client.stream));
    assert_string_equal(stream_name(client.stream), name);
    assert_string_equal(stream_peer_ip(client.stream), "127.0.0.1");
    assert_int_equal(stream_send(client.stream, "x", 1), 0);
    listener_close(listener);
    reset();
}

static void
what_nobody_answers_is_reported(void **state)
{
    struct listener *listener = listen_on("ptcp:0:127.0.0.1", NULL);
    char name[64];

    snprintf(name, sizeof(name), "tcp:localhost:%u", listener_port(listener));
    listener_close(listener);
    connect_to(name, NULL);
    RUN_UNTIL(client.n_closes == 1);
    assert_int_equal(client.last_error, ECONNREFUSED);
    reset();

    /* Names under "invalid" do not exist (RFC 2606). */
    connect_to("tcp:nosuch.invalid:1", NULL);
    RUN_UNTIL(client.n_closes == 1);
    assert_int_equal(client.last_error, EHOSTUNREACH);
    assert_non_null(strstr(client.reason, "nosuch.invalid"));
    reset();
}

static void
streams_end_while_their_host_is_looked_up(void **state)
{
    struct stream *streams[40];

    for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
        connect_to(i % 2 ? "tcp:nosuch.invalid:1" : "tcp:localhost:1", NULL);
        streams[i] = client.stream;
        client.stream = NULL;
    }
    /* Some wait, some are asked for, some may have an answer that was not delivered. */
    for (size_t i = 0; i < ARRAY_SIZE(streams); i += 2) {
        stream_close(streams[i]);
    }
    loop_run_once(loop, 20);
    for (size_t i = 1; i < ARRAY_SIZE(streams); i += 2) {
        stream_close(streams[i]);
    }
    client.n_closes = 0;
    for (int i = 0; i < 5; i++) {
        loop_run_once(loop, 20);
    }
    assert_int_equal(client.n_closes, 0);
    reset();
    a_host_is_connected_to_by_its_name(state);
}

static void
several_servers_are_tried_in_turn(void **state)
{
    static char names_text[3][100];
    const char *names[3];
    struct reconnect_settings settings = {
        .names = names, .n_names = 3, .min_backoff_ms = 100000, .max_backoff_ms = 100000};
    char name[100];

    for (int i = 0; i < 3; i++) {
        snprintf(names_text[i], sizeof(names_text[i]), "unix:%s/s%d", test_dir, i);
        names[i] = names_text[i];
    }
    snprintf(name, sizeof(name), "punix:%s/s2", test_dir);
    struct listener *listener = listen_on(name, NULL);
    struct reconnect *rc = reconnect_create(loop, &settings, &callbacks, &client);

    /* Without a wait: that would be longer than this test. */
    RUN_UNTIL(client.n_opens == 1 && server.n_opens == 1);
    assert_string_equal(reconnect_name(rc), names[2]);

    /* A connection that did not last counts as one more attempt; the wait comes after the third. */
    stream_close(server.stream);
    server.stream = NULL;
    RUN_UNTIL(client.n_closes >= 1);
    for (int i = 0; i < 5; i++) {
        loop_run_once(loop, 10);
    }
    assert_int_equal(client.n_opens, 1);
    assert_string_equal(reconnect_state(rc), "BACKOFF");
    reconnect_force(rc, true);
    RUN_UNTIL(client.n_opens == 2 && server.n_opens == 2);

    /* Given up, it is the turn of the others, and only then we wait. */
    reconnect_force(rc, false);
    RUN_UNTIL(!strcmp(reconnect_name(rc), names[1]) && !strcmp(reconnect_state(rc), "BACKOFF"));
    assert_int_equal(client.n_opens, 2);
    client.stream = NULL;
    reconnect_destroy(rc);
    listener_close(listener);
    reset();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_may_be_asked_for),
        cmocka_unit_test(errors_show_no_control_characters),
        cmocka_unit_test(a_host_is_connected_to_by_its_name),
        cmocka_unit_test(what_nobody_answers_is_reported),
        cmocka_unit_test(streams_end_while_their_host_is_looked_up),
        cmocka_unit_test(several_servers_are_tried_in_turn),
    };

    /* Where no server of names answers, that is found out sooner. */
    setenv("RES_OPTIONS", "timeout:1 attempts:1", 1);
    free(log_set_spec("ANY:ANY:off"));
    return cmocka_run_group_tests(tests, rpc_test_start, rpc_test_finish);
}
