// SPDX-License-Identifier: Apache-2.0
/*
 * Streams over TLS: verification of both ends, and how a client without a CA gets one.
 */
#include "stream_peers.h"

#include <sys/stat.h>

#include "base/log.h"

static void
shell(const char *command)
{
    if (system(command) != 0) {
        fail_msg("%s", command);
    }
}

static void
make_keys(const char *dir, const char *ca, const char *name)
{
    char command[2000];

    snprintf(command, sizeof(command),
             "cd %s && [ -e %s-ca.pem ] || openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "
             "/CN=%s-ca -keyout %s-ca.key -out %s-ca.pem 2>/dev/null",
             dir, ca, ca, ca, ca);
    shell(command);
    snprintf(command, sizeof(command),
             "cd %s && openssl req -newkey rsa:2048 -nodes -subj /CN=%s -keyout %s.key -out %s.csr "
             "2>/dev/null && openssl x509 -req -days 2 -in %s.csr -CA %s-ca.pem -CAkey %s-ca.key "
             "-CAcreateserial -out %s.pem 2>/dev/null",
             dir, name, name, name, name, ca, ca, name);
    shell(command);
}

static struct tls_config *
tls_for(const char *dir, const char *name, const char *ca, const char *peer_ca, bool bootstrap)
{
    char key[300], cert[300], ca_file[300], peer_file[300];
    char *error = NULL;

    snprintf(key, sizeof(key), "%s/%s.key", dir, name);
    snprintf(cert, sizeof(cert), "%s/%s.pem", dir, name);
    snprintf(ca_file, sizeof(ca_file), "%s/%s.pem", dir, ca);
    snprintf(peer_file, sizeof(peer_file), "%s/%s.pem", dir, peer_ca ? peer_ca : "");
    struct tls_settings settings = {.private_key_file = key,
                                    .certificate_file = cert,
                                    .ca_cert_file = ca_file,
                                    .peer_ca_cert_file = peer_ca ? peer_file : NULL,
                                    .bootstrap_ca_cert = bootstrap};
    struct tls_config *tls = tls_config_create(&settings, &error);
    if (tls == NULL) {
        fail_msg("%s", error);
    }
    return tls;
}

static void
tls_verifies_both_ends_and_bootstraps(void **state)
{
    char dir[128], name[64], command[400];
    char *error = NULL;

    snprintf(dir, sizeof(dir), "%s/pki", test_dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    make_keys(dir, "good", "switch");
    make_keys(dir, "good", "controller");
    make_keys(dir, "evil", "mallory");
    struct tls_config *switch_tls = tls_for(dir, "switch", "good-ca", "good-ca", false);
    struct tls_config *good = tls_for(dir, "controller", "good-ca", NULL, false);
    struct tls_config *evil = tls_for(dir, "mallory", "good-ca", NULL, false);
    struct listener *listener = listen_on("pssl:0:127.0.0.1", switch_tls);
    snprintf(name, sizeof(name), "ssl:127.0.0.1:%u", listener_port(listener));

    connect_to(name, good);
    talk();
    assert_string_equal(stream_peer_cn(client.stream), "switch");
    assert_string_equal(stream_peer_cn(server.stream), "controller");
    reset();

    /* A certificate of another CA: the listener's owner never hears of it. */
    connect_to(name, evil);
    RUN_UNTIL(client.n_closes == 1);
    assert_int_equal(server.n_opens, 0);
    reset();

    /* Without a CA file: the first connection saves it, the second is verified with it. */
    struct tls_config *fresh = tls_for(dir, "controller", "saved", NULL, true);
    connect_to(name, fresh);
    RUN_UNTIL(client.n_closes == 1);
    assert_int_equal(client.n_opens, 0);
    reset();
    connect_to(name, fresh);
    talk();
    reset();
    snprintf(command, sizeof(command), "cmp -s %s/saved.pem %s/good-ca.pem", dir, dir);
    shell(command);

    /* Plain bytes at a TLS port. */
    snprintf(name, sizeof(name), "tcp:127.0.0.1:%u", listener_port(listener));
    connect_to(name, NULL);
    RUN_UNTIL(client.n_opens == 1);
    stream_send(client.stream, "GET / HTTP/1.0\r\n\r\n", 18);
    RUN_UNTIL(client.n_closes == 1);
    assert_int_equal(server.n_opens, 0);
    reset();

    struct tls_settings wrong = {.private_key_file = "/nonexistent",
                                 .certificate_file = "/nonexistent",
                                 .ca_cert_file = "/nonexistent"};
    assert_null(tls_config_create(&wrong, &error));
    assert_non_null(strstr(error, "/nonexistent"));
    free(error);

    listener_close(listener);
    tls_config_unref(switch_tls);
    tls_config_unref(good);
    tls_config_unref(evil);
    tls_config_unref(fresh);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    shell(command);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_verifies_both_ends_and_bootstraps),
    };

    free(log_set_spec("ANY:ANY:off"));
    return cmocka_run_group_tests(tests, rpc_test_start, rpc_test_finish);
}
