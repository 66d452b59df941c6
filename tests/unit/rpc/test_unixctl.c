// SPDX-License-Identifier: Apache-2.0
/*
 * The control socket: dispatch, arity errors, late answers, JSON output, clients that leave.
 */
#include "rpc_test.h"

#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/log.h"
#include "rpc/unixctl.h"

static struct unixctl *server;
static struct unixctl_conn *late;
static char sock_path[200];

static void
cmd_join(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct str out = STR_INIT;

    for (int i = 0; i < argc; i++) {
        str_printf(&out, "%s;", argv[i]);
    }
    assert_null(argv[argc]);
    unixctl_reply(conn, str_cstr(&out));
    str_free(&out);
}

static void
cmd_fail(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    unixctl_reply_errorf(conn, "%s: unknown bridge", argv[1]);
}

static void
cmd_late(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    late = conn;
}

static int
client(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    str_copy(un.sun_path, sock_path, sizeof(un.sun_path));
    assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    return fd;
}

/* Sends one request, returns the reply as JSON. */
static json_t *
call(int fd, const char *request)
{
    char buf[65536];
    ssize_t n = 0;

    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    for (int i = 0; i < 300 && n <= 0; i++) {
        loop_run_once(loop, 5);
        n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);
    }
    assert_true(n > 0);
    json_t *json = json_loadb(buf, (size_t)n, 0, NULL);
    assert_non_null(json);
    return json;
}

static void
assert_reply(int fd, const char *request, const char *key, const char *expected)
{
    json_t *json = call(fd, request);

    assert_string_equal(json_string_value(json_object_get(json, key)), expected);
    json_decref(json);
}

static void
commands_are_dispatched(void **state)
{
    int fd = client();

    assert_reply(fd, "{\"id\":0,\"method\":\"test/join\",\"params\":[\"a\",\"b c\"]}", "result",
                 "test/join;a;b c;\n");
    assert_reply(fd, "{\"id\":1,\"method\":\"version\",\"params\":[]}", "result",
                 "ovs-vswitchd (Open vSwitch) 3.1.0\n");
    assert_reply(fd, "{\"id\":2,\"method\":\"test/fail\",\"params\":[\"br9\"]}", "error",
                 "br9: unknown bridge\n");
    json_t *json = call(fd, "{\"id\":3,\"method\":\"list-commands\",\"params\":[]}");
    assert_non_null(strstr(json_string_value(json_object_get(json, "result")),
                           "The available commands are:\n  coverage/read-counter   COUNTER\n"));
    json_decref(json);
    close(fd);
}

static void
wrong_calls_get_the_standard_texts(void **state)
{
    int fd = client();

    assert_reply(fd, "{\"id\":0,\"method\":\"bogus\",\"params\":[]}", "error",
                 "\"bogus\" is not a valid command (use \"list-commands\" to see a list of valid "
                 "commands)\n");
    assert_reply(fd, "{\"id\":1,\"method\":\"test/fail\",\"params\":[]}", "error",
                 "\"test/fail\" command requires at least 1 arguments\n");
    assert_reply(fd, "{\"id\":2,\"method\":\"test/fail\",\"params\":[\"a\",\"b\"]}", "error",
                 "\"test/fail\" command takes at most 1 arguments\n");
    assert_reply(fd, "{\"id\":3,\"method\":\"test/join\",\"params\":[1]}", "error",
                 "\"test/join\" command has non-string argument\n");
    close(fd);
}

static void
late_answers_reach_their_client_in_order(void **state)
{
    static const char two[] = "{\"id\":0,\"method\":\"test/late\",\"params\":[]}"
                              "{\"id\":1,\"method\":\"version\",\"params\":[]}";
    int fd = client();
    char buf[1000];

    late = NULL;
    assert_int_equal(write(fd, two, strlen(two)), strlen(two));
    RUN_UNTIL(late != NULL);
    for (int i = 0; i < 5; i++) {
        loop_run_once(loop, 5);
    }
    /* The second command waits for the first. */
    assert_int_equal(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), -1);
    unixctl_reply(late, "at last");
    size_t n = 0;
    RUN_UNTIL(({
        ssize_t got = recv(fd, buf + n, sizeof(buf) - 1 - n, MSG_DONTWAIT);
        n += got > 0 ? (size_t)got : 0;
        buf[n] = '\0';
        strstr(buf, "Open vSwitch") != NULL;
    }));
    assert_true(strstr(buf, "at last") < strstr(buf, "Open vSwitch"));
    close(fd);
}

static void
a_client_that_left_is_no_harm(void **state)
{
    int fd = client();
    static const char request[] = "{\"id\":0,\"method\":\"test/late\",\"params\":[]}";

    late = NULL;
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    RUN_UNTIL(late != NULL);
    close(fd);
    for (int i = 0; i < 5; i++) {
        loop_run_once(loop, 5);
    }
    unixctl_reply(late, "nobody listens");
    for (int i = 0; i < 5; i++) {
        loop_run_once(loop, 5);
    }
    fd = client();
    assert_reply(fd, "{\"id\":1,\"method\":\"version\",\"params\":[]}", "result",
                 "ovs-vswitchd (Open vSwitch) 3.1.0\n");
    close(fd);
}

static void
json_output_is_wrapped_for_this_client_only(void **state)
{
    int fd = client(), other = client();

    assert_reply(fd, "{\"id\":0,\"method\":\"set-options\",\"params\":[\"--format\",\"json\"]}",
                 "result", "");
    json_t *json = call(fd, "{\"id\":1,\"method\":\"version\",\"params\":[]}");
    json_t *result = json_object_get(json, "result");
    assert_string_equal(json_string_value(json_object_get(result, "reply-format")), "plain");
    assert_string_equal(json_string_value(json_object_get(result, "reply")),
                        "ovs-vswitchd (Open vSwitch) 3.1.0\n");
    json_decref(json);
    json = call(fd, "{\"id\":2,\"method\":\"list-commands\",\"params\":[]}");
    assert_true(json_is_object(json_object_get(json, "result")));
    json_decref(json);
    assert_reply(other, "{\"id\":0,\"method\":\"version\",\"params\":[]}", "result",
                 "ovs-vswitchd (Open vSwitch) 3.1.0\n");
    json = call(other, "{\"id\":1,\"method\":\"set-options\",\"params\":[\"--format\",\"xml\"]}");
    assert_true(json_is_string(json_object_get(json, "error")));
    json_decref(json);
    close(fd);
    close(other);
}

static void
commands_run_inside_the_process(void **state)
{
    const char *argv[] = {"test/join", "x", NULL};
    bool ok;
    char *text = unixctl_run(2, argv, &ok);

    assert_true(ok);
    assert_string_equal(text, "test/join;x;\n");
    free(text);
    argv[0] = "nosuch";
    text = unixctl_run(2, argv, &ok);
    assert_false(ok);
    free(text);
}

static int
start(void **state)
{
    char *error = NULL;

    free(log_set_spec("ANY:ANY:off"));
    if (rpc_test_start(state) != 0) {
        return -1;
    }
    snprintf(sock_path, sizeof(sock_path), "%s/ctl", test_dir);
    unixctl_register("test/join", "[arg]...", 0, INT_MAX, cmd_join, NULL);
    unixctl_register("test/fail", "bridge", 1, 1, cmd_fail, NULL);
    unixctl_register("test/late", "", 0, 0, cmd_late, NULL);
    rpc_ctl_register(loop);
    return unixctl_create(sock_path, loop, &server, &error);
}

static int
finish(void **state)
{
    struct stat st;

    unixctl_destroy(server);
    return stat(sock_path, &st) == 0 ? -1 : rpc_test_finish(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_dispatched),
        cmocka_unit_test(wrong_calls_get_the_standard_texts),
        cmocka_unit_test(late_answers_reach_their_client_in_order),
        cmocka_unit_test(a_client_that_left_is_no_harm),
        cmocka_unit_test(json_output_is_wrapped_for_this_client_only),
        cmocka_unit_test(commands_run_inside_the_process),
    };

    return cmocka_run_group_tests(tests, start, finish);
}
