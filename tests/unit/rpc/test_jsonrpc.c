// SPDX-License-Identifier: Apache-2.0
/*
 * JSON-RPC sessions over a socket: messages split anywhere and back to back, echo, probes, hostile
 * bytes, reconnection.
 */
#include "rpc_test.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/log.h"
#include "rpc/jsonrpc.h"

/* What the server end saw. */
static struct {
    struct jsonrpc *rpc;
    int n_opens, n_msgs, n_closes, error;
    char reason[200];
    struct jsonrpc_msg *last;
} server;

static struct listener *listener;

static void
on_open(struct jsonrpc *rpc, void *arg)
{
    server.n_opens++;
}

static void
on_msg(struct jsonrpc *rpc, struct jsonrpc_msg *msg, void *arg)
{
    server.n_msgs++;
    jsonrpc_msg_destroy(server.last);
    server.last = msg;
}

static void
on_closed(struct jsonrpc *rpc, int error, const char *reason, void *arg)
{
    server.n_closes++;
    server.error = error;
    str_copy(server.reason, reason, sizeof(server.reason));
}

static const struct jsonrpc_callbacks callbacks = {
    .on_open = on_open, .on_msg = on_msg, .on_closed = on_closed};

static void
accept_one(struct listener *l, struct stream *stream, void *arg)
{
    jsonrpc_destroy(server.rpc);
    server.rpc = jsonrpc_create(stream, &callbacks, NULL);
}

/* A raw client socket, blocking. */
static int
raw_client(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    memset(&server, 0, sizeof(server));
    snprintf(un.sun_path, sizeof(un.sun_path), "%s/rpc", test_dir);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    RUN_UNTIL(server.rpc != NULL);
    return fd;
}

static void
finish_client(int fd)
{
    close(fd);
    if (server.n_closes == 0) {
        RUN_UNTIL(server.n_closes == 1);
    }
    jsonrpc_destroy(server.rpc);
    jsonrpc_msg_destroy(server.last);
    memset(&server, 0, sizeof(server));
}

static void
send_raw(int fd, const char *text, size_t len)
{
    assert_int_equal(write(fd, text, len), len);
}

static char *
receive(int fd)
{
    static char buf[4096];
    ssize_t n = 0;

    for (int i = 0; i < 200 && n <= 0; i++) {
        loop_run_once(loop, 10);
        n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);
    }
    assert_true(n > 0);
    buf[n] = '\0';
    return buf;
}

static void
messages_arrive_however_they_are_split(void **state)
{
    static const char text[] = "{\"method\":\"a\",\"params\":[\"}\"],\"id\":1}"
                               "{\"method\":\"b\",\"params\":[],\"id\":null} "
                               "{\"result\":[{\"x\":\"\\\"{\"}],\"error\":null,\"id\":7}"
                               "{\"result\":null,\"error\":\"no\",\"id\":\"s\"}";
    static const enum jsonrpc_type types[] = {JSONRPC_REQUEST, JSONRPC_NOTIFY, JSONRPC_REPLY,
                                              JSONRPC_ERROR};

    for (size_t piece = 1; piece < sizeof(text); piece += 1 + piece / 3) {
        int fd = raw_client();
        int seen = 0;
        for (size_t pos = 0; pos < sizeof(text) - 1; pos += piece) {
            send_raw(fd, text + pos, MIN(piece, sizeof(text) - 1 - pos));
            for (int i = 0; i < 3; i++) {
                loop_run_once(loop, 0);
            }
            if (server.n_msgs == seen + 1) {
                assert_int_equal(server.last->type, types[seen]);
            }
            seen = server.n_msgs;
        }
        RUN_UNTIL(server.n_msgs == 4);
        assert_int_equal(server.last->type, JSONRPC_ERROR);
        assert_string_equal(json_string_value(server.last->error), "no");
        assert_int_equal(server.n_closes, 0);
        finish_client(fd);
    }
}

static void
many_messages_in_one_read_all_arrive(void **state)
{
    int fd = raw_client();
    struct str text = STR_INIT;

    for (int i = 0; i < 1000; i++) {
        str_printf(&text, "{\"method\":\"m\",\"params\":[%d],\"id\":%d}", i, i);
    }
    send_raw(fd, str_cstr(&text), text.len);
    RUN_UNTIL(server.n_msgs == 1000);
    assert_int_equal(json_integer_value(server.last->id), 999);
    str_free(&text);
    finish_client(fd);
}

static void
echo_is_answered_here(void **state)
{
    int fd = raw_client();

    send_raw(fd, "{\"method\":\"echo\",\"params\":[1,\"x\"],\"id\":\"echo\"}", 46);
    json_t *reply = json_loads(receive(fd), 0, NULL);
    assert_non_null(reply);
    assert_int_equal(json_array_size(json_object_get(reply, "result")), 2);
    assert_string_equal(json_string_value(json_object_get(reply, "id")), "echo");
    assert_true(json_is_null(json_object_get(reply, "error")));
    json_decref(reply);
    assert_int_equal(server.n_msgs, 0);
    finish_client(fd);
}

static void
hostile_bytes_end_the_session_with_a_reason(void **state)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"hello", "message is not a JSON object"},
        {"{]", "malformed JSON"},
        {"{\"method\":5}", "\"method\" is not a string"},
        {"{\"method\":\"m\",\"params\":{}}", "\"params\" is not an array"},
        {"{\"result\":1}", "reply must have \"id\""},
        {"{\"id\":1}", "request must have \"method\""},
        {"{\"id\":1,\"method\":\"m\"}", "request must have \"params\""},
        {"{\"method\":\"m\",\"params\":null}", "notification must have \"params\""},
        {"{\"id\":1,\"result\":1,\"error\":1}", "reply must not have \"error\""},
        {"{\"id\":1,\"error\":1,\"method\":\"m\"}", "error must not have \"method\""},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":[]}",
         "message has unexpected member \"jsonrpc\""},
        {"[]", "message is not a JSON object"},
        {"{\"a\":\"\xff\xfe\"}", "malformed JSON"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int fd = raw_client();
        send_raw(fd, cases[i].text, strlen(cases[i].text));
        RUN_UNTIL(server.n_closes == 1);
        assert_int_equal(server.error, EPROTO);
        if (strncmp(server.reason, cases[i].reason, strlen(cases[i].reason)) != 0) {
            fail_msg("%s: %s", cases[i].text, server.reason);
        }
        assert_int_equal(server.n_msgs, 0);
        finish_client(fd);
    }
    char *deep = xmalloc(5000);
    memset(deep, '[', 5000);
    int fd = raw_client();
    send_raw(fd, deep, 5000);
    RUN_UNTIL(server.n_closes == 1);
    assert_string_equal(server.reason, "message is nested too deeply");
    finish_client(fd);
    free(deep);
}

static void
a_huge_message_is_refused_early(void **state)
{
    static char block[10000];
    int fd = raw_client();

    jsonrpc_set_max_size(server.rpc, 50000);
    memset(block, 'x', sizeof(block));
    send_raw(fd, "{\"", 2);
    for (int i = 0; i < 6 && server.n_closes == 0; i++) {
        send_raw(fd, block, sizeof(block));
        for (int j = 0; j < 5; j++) {
            loop_run_once(loop, 5);
        }
        assert_true(server.n_closes == 0 || i == 4); /* With the 50,001st byte. */
    }
    RUN_UNTIL(server.n_closes == 1);
    assert_string_equal(server.reason, "message is too big");
    finish_client(fd);
}

static void
stopping_to_read_holds_messages_back(void **state)
{
    int fd = raw_client();

    jsonrpc_set_reading(server.rpc, false);
    send_raw(fd, "{\"method\":\"m\",\"params\":[]}", 26);
    for (int i = 0; i < 10; i++) {
        loop_run_once(loop, 5);
    }
    assert_int_equal(server.n_msgs, 0);
    jsonrpc_set_reading(server.rpc, true);
    RUN_UNTIL(server.n_msgs == 1);
    finish_client(fd);
}

static void
requests_and_replies_have_their_form(void **state)
{
    int fd = raw_client();
    json_t *id = json_integer(9);
    int64_t request;

    assert_int_equal(jsonrpc_send_request(server.rpc, "list_dbs", NULL, &request), 0);
    assert_string_equal(receive(fd), "{\"method\":\"list_dbs\",\"params\":[],\"id\":0}");
    assert_int_equal(request, 0);
    jsonrpc_send_notify(server.rpc, "update", json_pack("[n]"));
    assert_string_equal(receive(fd), "{\"method\":\"update\",\"params\":[null],\"id\":null}");
    jsonrpc_send_error(server.rpc, json_string("bad"), id);
    assert_string_equal(receive(fd), "{\"error\":\"bad\",\"id\":9}");
    jsonrpc_send_reply(server.rpc, json_object(), id);
    assert_string_equal(receive(fd), "{\"result\":{},\"error\":null,\"id\":9}");
    json_decref(id);
    finish_client(fd);
}

static void
reconnecting_sessions_start_afresh(void **state)
{
    char name[300];
    struct reconnect_settings settings = {.name = name, .min_backoff_ms = 10, .max_backoff_ms = 20};

    memset(&server, 0, sizeof(server));
    snprintf(name, sizeof(name), "unix:%s/rpc", test_dir);
    struct jsonrpc *client = jsonrpc_create_reconnecting(loop, &settings, &callbacks, NULL);
    RUN_UNTIL(server.n_opens == 1 && server.rpc != NULL);
    /* Half a message, then the connection ends: the next one must not be joined to it. */
    jsonrpc_send_text(server.rpc, "{\"method\":", 10);
    loop_run_once(loop, 10);
    jsonrpc_destroy_flushed(server.rpc);
    server.rpc = NULL;
    RUN_UNTIL(server.n_opens == 2 && server.rpc != NULL);
    jsonrpc_send_text(server.rpc, "{\"method\":\"m\",\"params\":[]}", 26);
    RUN_UNTIL(server.n_msgs == 1);
    assert_int_equal(server.last->type, JSONRPC_NOTIFY);
    jsonrpc_destroy(client);
    RUN_UNTIL(server.n_closes >= 2);
    jsonrpc_destroy(server.rpc);
    jsonrpc_msg_destroy(server.last);
}

/* Last: it stops the clock. */
static void
a_silent_peer_is_probed_and_given_up(void **state)
{
    int fd = raw_client();

    clock_stop();
    jsonrpc_set_probe_interval(server.rpc, 5000);
    clock_warp(5000);
    assert_string_equal(receive(fd), "{\"method\":\"echo\",\"params\":[],\"id\":\"echo\"}");
    send_raw(fd, "{\"result\":[],\"error\":null,\"id\":\"echo\"}", 38);
    for (int i = 0; i < 5; i++) {
        loop_run_once(loop, 10);
    }
    assert_int_equal(server.n_msgs, 0);
    clock_warp(5000);
    receive(fd);
    assert_int_equal(server.n_closes, 0);
    clock_warp(5000);
    RUN_UNTIL(server.n_closes == 1);
    assert_int_equal(server.error, ETIMEDOUT);
    finish_client(fd);
}

static int
start(void **state)
{
    char name[300];
    char *error = NULL;

    free(log_set_spec("ANY:ANY:off"));
    if (rpc_test_start(state) != 0) {
        return -1;
    }
    snprintf(name, sizeof(name), "punix:%s/rpc", test_dir);
    return listener_open(loop, name, 0, NULL, accept_one, NULL, &listener, &error);
}

static int
finish(void **state)
{
    listener_close(listener);
    return rpc_test_finish(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive_however_they_are_split),
        cmocka_unit_test(many_messages_in_one_read_all_arrive),
        cmocka_unit_test(echo_is_answered_here),
        cmocka_unit_test(hostile_bytes_end_the_session_with_a_reason),
        cmocka_unit_test(a_huge_message_is_refused_early),
        cmocka_unit_test(stopping_to_read_holds_messages_back),
        cmocka_unit_test(requests_and_replies_have_their_form),
        cmocka_unit_test(reconnecting_sessions_start_afresh),
        cmocka_unit_test(a_silent_peer_is_probed_and_given_up),
    };

    return cmocka_run_group_tests(tests, start, finish);
}
