// SPDX-License-Identifier: Apache-2.0
/*
 * Streams: names, unix and TCP connections, bounded output, half-dead peers, reconnection.
 */
#include "stream_peers.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/log.h"

/* ---- Names ---- */

static void
names_are_checked(void **state)
{
    static const char *const active[] = {"unix:x",         "unix:/a/b",         "tcp:1.2.3.4:5",
                                         "tcp:[::1]:6640", "ssl:10.0.0.1:1",    "tcp:[fe80::1]",
                                         "tcp:1.2.3.4",    "tcp:::1",           "tcp:host:1",
                                         "ssl:a.b-c.d",    "tcp:[fe80::1%lo]:1"};
    static const char *const passive[] = {"punix:x",      "ptcp:",           "ptcp:6640",
                                          "ptcp:0",       "pssl:1:10.0.0.1", "ptcp:6640:[::]",
                                          "ptcp::1.2.3.4"};
    static const char *const bad[] = {"",
                                      "unix:",
                                      "tcp:",
                                      "tcp:[host]:1",
                                      "tcp:1.2.3.4:x",
                                      "tcp:1.2.3.4:70000",
                                      "tcp:host:",
                                      "tcp::1",
                                      "tcp:10.0.0.256:1",
                                      "tcp:a:b:1",
                                      "tcp:a b:1",
                                      "tcp:host:0",
                                      "tcp:[::1",
                                      "tcp:[::1]x",
                                      "ptcp:x",
                                      "ptcp:1:host",
                                      "udp:1.2.3.4:5",
                                      "tcp:1.2.3.4:-1",
                                      "punix:"};

    for (size_t i = 0; i < ARRAY_SIZE(active); i++) {
        assert_true(stream_name_is_active(active[i]));
        assert_false(stream_name_is_passive(active[i]));
    }
    for (size_t i = 0; i < ARRAY_SIZE(passive); i++) {
        assert_true(stream_name_is_passive(passive[i]));
        assert_false(stream_name_is_active(passive[i]));
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char *error = stream_name_check(bad[i]);
        assert_non_null(error);
        free(error);
    }
}

/* ---- Connections ---- */

static void
unix_sockets_talk_and_clean_up(void **state)
{
    char path[256], name[300];
    struct stat st;

    snprintf(path, sizeof(path), "%s/sock", test_dir);
    snprintf(name, sizeof(name), "punix:%s", path);
    struct listener *listener = listen_on(name, NULL);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0750);

    /* A second one finds the first alive. */
    struct listener *second;
    char *error = NULL;
    assert_int_equal(listener_open(loop, name, 0, NULL, accept_server, NULL, &second, &error),
                     -EADDRINUSE);
    free(error);
    RUN_UNTIL(server.n_opens == 1); /* Its probe. */
    reset();

    snprintf(name, sizeof(name), "unix:%s", path);
    connect_to(name, NULL);
    talk();
    assert_string_equal(stream_peer_ip(client.stream), "");
    listener_close(listener);
    assert_int_equal(stat(path, &st), -1);
    stream_close(server.stream);
    server.stream = NULL;
    RUN_UNTIL(client.n_closes == 1);
    assert_int_equal(client.last_error, 0);
    reset();
}

static void
a_stale_socket_is_replaced_another_file_is_not(void **state)
{
    char path[256], name[300];
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct listener *listener;
    char *error = NULL;

    snprintf(path, sizeof(path), "%s/stale", test_dir);
    snprintf(name, sizeof(name), "punix:%s", path);
    str_copy(un.sun_path, path, sizeof(un.sun_path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    close(fd);
    listener = listen_on(name, NULL);
    listener_close(listener);

    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(listener_open(loop, name, 0, NULL, accept_server, NULL, &listener, &error),
                     -EEXIST);
    free(error);
    unlink(path);
}

static void
long_paths_work(void **state)
{
    char dir[200], path[400], name[420];

    snprintf(dir, sizeof(dir), "%s/%0120d", test_dir, 1);
    assert_int_equal(mkdir(dir, 0700), 0);
    snprintf(path, sizeof(path), "%s/sock", dir);
    snprintf(name, sizeof(name), "punix:%s", path);
    struct listener *listener = listen_on(name, NULL);
    connect_to(name + 1, NULL);
    talk();
    listener_close(listener);
    reset();
    assert_int_equal(rmdir(dir), 0);
}

static void
tcp_talks_over_ip4_and_ip6(void **state)
{
    static const char *const passive[] = {"ptcp:0:127.0.0.1", "ptcp:0:[::1]"};
    static const char *const active[] = {"127.0.0.1", "[::1]"};
    static const char *const ips[] = {"127.0.0.1", "::1"};

    for (int i = 0; i < 2; i++) {
        char name[64];
        struct listener *listener;
        char *error = NULL;

        if (listener_open(loop, passive[i], 0, NULL, accept_server, NULL, &listener, &error) != 0) {
            free(error); /* A machine without IPv6. */
            assert_int_equal(i, 1);
            continue;
        }
        assert_true(listener_port(listener) > 0);
        snprintf(name, sizeof(name), "tcp:%s:%u", active[i], listener_port(listener));
        connect_to(name, NULL);
        talk();
        assert_string_equal(stream_peer_ip(client.stream), ips[i]);
        assert_string_equal(stream_peer_ip(server.stream), ips[i]);
        assert_int_equal(stream_peer_port(client.stream), listener_port(listener));
        listener_close(listener);
        reset();
    }
}

static void
refused_connections_are_reported(void **state)
{
    struct listener *listener = listen_on("ptcp:0:127.0.0.1", NULL);
    char name[64];
    char *error = NULL;

    snprintf(name, sizeof(name), "tcp:127.0.0.1:%u", listener_port(listener));
    listener_close(listener);
    if (stream_open(loop, name, 0, NULL, &callbacks, &client, &client.stream, &error) == 0) {
        RUN_UNTIL(client.n_closes == 1);
        assert_int_equal(client.last_error, ECONNREFUSED);
    }
    free(error);
    error = NULL;
    reset();
    assert_int_equal(stream_open(loop, "unix:/nonexistent/sock", 0, NULL, &callbacks, &client,
                                 &client.stream, &error),
                     -ENOENT);
    assert_non_null(strstr(error, "unix:/nonexistent/sock"));
    free(error);
    assert_int_equal(
        stream_open(loop, "ssl:127.0.0.1:1", 0, NULL, &callbacks, &client, &client.stream, &error),
        -EPROTO);
    free(error);
}

static void
a_peer_that_never_reads_is_dropped(void **state)
{
    static char block[65536];
    struct listener *listener = listen_on("ptcp:0:127.0.0.1", NULL);
    char name[64];
    int error = 0;

    snprintf(name, sizeof(name), "tcp:127.0.0.1:%u", listener_port(listener));
    connect_to(name, NULL);
    RUN_UNTIL(client.n_opens == 1 && server.n_opens == 1);
    stream_set_reading(client.stream, false);
    stream_set_backlog_limit(server.stream, 1 << 20);
    for (int i = 0; i < 10000 && error == 0; i++) {
        error = stream_send(server.stream, block, sizeof(block));
        assert_true(stream_backlog(server.stream) <= 1 << 20);
        if (i % 4 == 0) {
            loop_run_once(loop, 0);
        }
    }
    assert_int_equal(error, -ENOBUFS);
    RUN_UNTIL(server.n_closes == 1);
    assert_int_equal(server.last_error, ENOBUFS);
    assert_int_equal(stream_send(server.stream, "x", 1), -ENOTCONN);
    listener_close(listener);
    reset();
}

/* Pieces that the kernel takes at once and pieces that have to wait keep their order. */
static void
bytes_arrive_in_order_whatever_the_pieces(void **state)
{
    static char block[200000];
    struct listener *listener = listen_on("ptcp:0:127.0.0.1", NULL);
    struct str sent = {0};
    char name[64];

    snprintf(name, sizeof(name), "tcp:127.0.0.1:%u", listener_port(listener));
    connect_to(name, NULL);
    RUN_UNTIL(client.n_opens == 1 && server.n_opens == 1);
    stream_set_reading(server.stream, false);
    /* Until the kernel takes no more, and then for a while with a peer that reads. */
    for (unsigned int i = 0, end = 2000; i < end; i++) {
        size_t len = i % 3 == 2 ? sizeof(block) : 1 + i * 37 % 3000;

        memset(block, (int)('a' + i % 26), len);
        assert_int_equal(stream_send(client.stream, block, len), 0);
        memcpy(str_put_uninit(&sent, len), block, len);
        if (i % 5 == 0) {
            loop_run_once(loop, 0);
        }
        if (end == 2000 && stream_backlog(client.stream) > 0) {
            end = i + 100;
        }
        if (i + 50 == end) {
            assert_true(stream_backlog(client.stream) > 0);
            stream_set_reading(server.stream, true);
            RUN_UNTIL(stream_backlog(client.stream) == 0);
        }
    }
    RUN_UNTIL(server.received.len == sent.len);
    assert_memory_equal(str_cstr(&server.received), str_cstr(&sent), sent.len);
    str_free(&sent);
    listener_close(listener);
    reset();
}

static void
callbacks_may_close_and_data_before_the_end_arrives(void **state)
{
    struct listener *listener = listen_on("ptcp:0:127.0.0.1", NULL);
    char name[64];

    snprintf(name, sizeof(name), "tcp:127.0.0.1:%u", listener_port(listener));
    connect_to(name, NULL);
    RUN_UNTIL(client.n_opens == 1 && server.n_opens == 1);
    server.close_on_read = true;
    stream_send(client.stream, "bye", 3);
    RUN_UNTIL(client.n_closes == 1);
    assert_null(server.stream);
    reset();

    connect_to(name, NULL);
    RUN_UNTIL(client.n_opens == 1 && server.n_opens == 1);
    stream_send(server.stream, "last words", 10);
    stream_close_flushed(server.stream, 1000);
    server.stream = NULL;
    RUN_UNTIL(client.n_closes == 1);
    assert_string_equal(str_cstr(&client.received), "last words");
    listener_close(listener);
    reset();
}

/* ---- Reconnection ---- */

static void
reconnects_with_growing_backoff(void **state)
{
    char path[256], name[300], active[300];
    struct reconnect_settings settings = {
        .name = active, .min_backoff_ms = 20, .max_backoff_ms = 80};

    snprintf(path, sizeof(path), "%s/rc", test_dir);
    snprintf(name, sizeof(name), "punix:%s", path);
    snprintf(active, sizeof(active), "unix:%s", path);
    struct reconnect *rc = reconnect_create(loop, &settings, &callbacks, &client);
    loop_run_once(loop, 10);
    loop_run_once(loop, 30);
    assert_false(reconnect_is_connected(rc));
    assert_string_equal(reconnect_state(rc), "BACKOFF");
    assert_non_null(reconnect_last_error(rc));
    assert_int_equal(reconnect_secs_since_connect(rc), -1);

    struct listener *listener = listen_on(name, NULL);
    RUN_UNTIL(client.n_opens == 1 && server.n_opens == 1);
    assert_string_equal(reconnect_state(rc), "ACTIVE");
    assert_true(reconnect_stream(rc) == client.stream);

    stream_close(server.stream);
    server.stream = NULL;
    RUN_UNTIL(client.n_closes >= 1);
    RUN_UNTIL(client.n_opens == 2 && server.n_opens == 2);
    assert_int_equal(reconnect_n_connects(rc), 2);
    reconnect_force(rc, true);
    RUN_UNTIL(client.n_opens == 3);
    client.stream = NULL;
    reconnect_destroy(rc);
    listener_close(listener);
    reset();
}

/* Without the loop: what the peer has sent, once, and not where the owner does not want to read. */
static void
more_is_read_at_once(void **state)
{
    char name[100];
    struct evbuffer *in;

    (void)state;
    snprintf(name, sizeof(name), "punix:%s/more", test_dir);
    struct listener *listener = listen_on(name, NULL);
    connect_to(name + 1, NULL);
    RUN_UNTIL(client.n_opens && server.n_opens);
    loop_run_once(loop, 0);
    assert_false(stream_read_more(server.stream));

    assert_int_equal(stream_send(client.stream, "abc", 3), 0);
    assert_true(stream_read_more(server.stream));
    in = stream_input(server.stream);
    assert_int_equal(evbuffer_get_length(in), 3);
    assert_memory_equal(evbuffer_pullup(in, 3), "abc", 3);
    evbuffer_drain(in, 3);
    assert_false(stream_read_more(server.stream));

    stream_set_reading(server.stream, false);
    assert_int_equal(stream_send(client.stream, "def", 3), 0);
    assert_false(stream_read_more(server.stream));
    stream_set_reading(server.stream, true);
    RUN_UNTIL(server.received.len == 3);

    /* The end is reported by the loop. */
    stream_close(client.stream);
    client.stream = NULL;
    assert_false(stream_read_more(server.stream));
    assert_int_equal(server.n_closes, 0);
    RUN_UNTIL(server.n_closes == 1);
    assert_false(stream_read_more(server.stream));
    listener_close(listener);
    reset();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(unix_sockets_talk_and_clean_up),
        cmocka_unit_test(a_stale_socket_is_replaced_another_file_is_not),
        cmocka_unit_test(long_paths_work),
        cmocka_unit_test(tcp_talks_over_ip4_and_ip6),
        cmocka_unit_test(refused_connections_are_reported),
        cmocka_unit_test(a_peer_that_never_reads_is_dropped),
        cmocka_unit_test(bytes_arrive_in_order_whatever_the_pieces),
        cmocka_unit_test(callbacks_may_close_and_data_before_the_end_arrives),
        cmocka_unit_test(more_is_read_at_once),
        cmocka_unit_test(reconnects_with_growing_backoff),
    };

    free(log_set_spec("ANY:ANY:off"));
    return cmocka_run_group_tests(tests, rpc_test_start, rpc_test_finish);
}
