// SPDX-License-Identifier: Apache-2.0
/*
 * The control socket's server and the table of commands.
 *
 * A client's requests are answered in order, one at a time: reading from it stops while a command
 * is being worked on.  A 'struct unixctl_conn' is one such command; it outlives its client when the
 * answer comes late.
 */
#include "rpc/unixctl.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

#include "base/coverage.h"
#include "base/dirs.h"
#include "base/log.h"
#include "base/process.h"
#include "base/uthash.h"
#include "rpc/jsonrpc.h"

LOG_MODULE(unixctl);

COVERAGE_DEFINE(unixctl_received);
COVERAGE_DEFINE(unixctl_replied);

#define MAX_ARGS 4096
#define MAX_REQUEST ((size_t)4 << 20)

struct command {
    const char *name;
    const char *usage;
    int min_args, max_args;
    unixctl_fn *fn;
    void *aux;
    UT_hash_handle hh;
};

struct session {
    struct unixctl *server;
    struct jsonrpc *rpc;
    struct unixctl_conn *running; /* NULL when idle */
    bool json;
    struct session *prev, *next;
};

struct unixctl_conn {
    struct session *session; /* NULL: the client left, or unixctl_run() */
    json_t *id;
    bool json;
    char **result; /* unixctl_run(): where the text goes */
    bool *ok;
};

struct unixctl {
    struct loop *loop;
    struct listener *listener;
    struct session *sessions;
};

/* The table of commands, filled at start-up: w main thread. */
static struct command *commands;

void
unixctl_register(const char *name, const char *usage, int min_args, int max_args, unixctl_fn *fn,
                 void *aux)
{
    struct command *command;

    HASH_FIND_STR(commands, name, command);
    if (command == NULL) {
        command = xzalloc(sizeof(*command));
        command->name = name;
        HASH_ADD_KEYPTR(hh, commands, command->name, strlen(command->name), command);
    }
    command->usage = usage;
    command->min_args = min_args;
    command->max_args = max_args;
    command->fn = fn;
    command->aux = aux;
}

void
unixctl_unregister_aux(void *aux)
{
    struct command *command, *next;

    HASH_ITER (hh, commands, command, next) {
        if (command->aux == aux && aux != NULL) {
            HASH_DEL(commands, command);
            free(command);
        }
    }
}

/* ---- Answers ---- */

static void
conn_finish(struct unixctl_conn *conn)
{
    struct session *session = conn->session;

    coverage_inc(unixctl_replied);
    json_decref(conn->id);
    free(conn);
    if (session != NULL) {
        session->running = NULL;
        jsonrpc_set_reading(session->rpc, true);
    }
}

/* Returns a new text that ends in a newline unless it is empty. */
static char *
with_newline(const char *text)
{
    size_t len = text ? strlen(text) : 0;

    if (len == 0) {
        return xstrdup("");
    }
    return text[len - 1] == '\n' ? xstrdup(text) : xasprintf("%s\n", text);
}

static json_t *
text_to_json(const char *text)
{
    json_t *json = json_string(text);

    /* Bytes that are not UTF-8 (a device's description) must not lose the whole answer. */
    if (json == NULL) {
        char *ascii = xstrdup(text);
        for (char *p = ascii; *p != '\0'; p++) {
            if (*p & 0x80) {
                *p = '?';
            }
        }
        json = json_string(ascii);
        free(ascii);
    }
    return json;
}

static void
answer(struct unixctl_conn *conn, bool ok, const char *text)
{
    char *body = with_newline(text);

    if (conn->result != NULL) {
        *conn->result = body;
        *conn->ok = ok;
        conn_finish(conn);
        return;
    }
    if (conn->session != NULL) {
        struct jsonrpc *rpc = conn->session->rpc;
        if (!ok) {
            jsonrpc_send_error(rpc, text_to_json(body), conn->id);
        } else if (conn->json) {
            json_t *wrapped =
                json_pack("{s:s, s:o}", "reply-format", "plain", "reply", text_to_json(body));
            jsonrpc_send_reply(rpc, wrapped, conn->id);
        } else {
            jsonrpc_send_reply(rpc, text_to_json(body), conn->id);
        }
    }
    free(body);
    conn_finish(conn);
}

void
unixctl_reply(struct unixctl_conn *conn, const char *text)
{
    answer(conn, true, text);
}

void
unixctl_reply_error(struct unixctl_conn *conn, const char *text)
{
    answer(conn, false, text ? text : "");
}

void
unixctl_reply_errorf(struct unixctl_conn *conn, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    char *text = xvasprintf(fmt, args);
    va_end(args);
    unixctl_reply_error(conn, text);
    free(text);
}

void
unixctl_reply_json(struct unixctl_conn *conn, json_t *json)
{
    if (conn->session == NULL) {
        char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
        json_decref(json);
        answer(conn, true, text);
        free(text);
        return;
    }
    jsonrpc_send_reply(conn->session->rpc, json, conn->id);
    conn_finish(conn);
}

bool
unixctl_wants_json(const struct unixctl_conn *conn)
{
    return conn->json;
}

/* ---- Commands ---- */

/* Runs argv[0]; 'conn' is answered now or later. */
static void
dispatch(struct unixctl_conn *conn, int argc, const char *argv[])
{
    struct command *command;
    int n_args = argc - 1;

    coverage_inc(unixctl_received);
    HASH_FIND_STR(commands, argv[0], command);
    if (command == NULL) {
        unixctl_reply_errorf(
            conn,
            "\"%s\" is not a valid command (use \"list-commands\" to see a list of valid commands)",
            argv[0]);
    } else if (n_args < command->min_args) {
        unixctl_reply_errorf(conn, "\"%s\" command requires at least %d arguments", argv[0],
                             command->min_args);
    } else if (n_args > command->max_args) {
        unixctl_reply_errorf(conn, "\"%s\" command takes at most %d arguments", argv[0],
                             command->max_args);
    } else {
        command->fn(conn, argc, argv, command->aux);
    }
}

char *
unixctl_run(int argc, const char *argv[], bool *ok)
{
    struct unixctl_conn *conn = xzalloc(sizeof(*conn));
    char *result = NULL;

    conn->result = &result;
    conn->ok = ok;
    dispatch(conn, argc, argv);
    return result;
}

static void
run_request(struct session *session, const struct jsonrpc_msg *msg)
{
    size_t n_args = json_array_size(msg->params);
    struct unixctl_conn *conn = xzalloc(sizeof(*conn));

    conn->session = session;
    conn->id = json_incref(msg->id);
    conn->json = session->json;
    session->running = conn;
    jsonrpc_set_reading(session->rpc, false);
    if (n_args > MAX_ARGS) {
        unixctl_reply_errorf(conn, "\"%s\" has more than %d arguments", msg->method, MAX_ARGS);
        return;
    }
    const char **argv = xcalloc(n_args + 2, sizeof(*argv));
    argv[0] = msg->method;
    for (size_t i = 0; i < n_args; i++) {
        argv[i + 1] = json_string_value(json_array_get(msg->params, i));
        if (argv[i + 1] == NULL) {
            unixctl_reply_errorf(conn, "\"%s\" command has non-string argument", msg->method);
            free(argv);
            return;
        }
    }
    dispatch(conn, (int)n_args + 1, argv);
    free(argv);
}

/* ---- Clients ---- */

static void
session_destroy(struct session *session, bool flush)
{
    if (session->running != NULL) {
        session->running->session = NULL;
    }
    DL_DELETE(session->server->sessions, session);
    if (flush) {
        jsonrpc_destroy_flushed(session->rpc);
    } else {
        jsonrpc_destroy(session->rpc);
    }
    free(session);
}

static void
on_msg(struct jsonrpc *rpc, struct jsonrpc_msg *msg, void *arg)
{
    struct session *session = arg;

    if (msg->type == JSONRPC_REQUEST) {
        run_request(session, msg);
    } else {
        jsonrpc_refuse(rpc, "message is no request");
    }
    jsonrpc_msg_destroy(msg);
}

static void
on_closed(struct jsonrpc *rpc, int error, const char *reason, void *arg)
{
    static struct log_rate rl = LOG_RATE_INIT(5, 5);
    struct session *session = arg;

    if (error != 0) {
        log_info_rl(&rl, "%s: control connection ended (%s)", jsonrpc_name(rpc), reason);
    }
    session_destroy(session, false);
}

static const struct jsonrpc_callbacks session_callbacks = {
    .on_msg = on_msg,
    .on_closed = on_closed,
};

static void
accept_session(struct listener *listener, struct stream *stream, void *arg)
{
    struct unixctl *server = arg;
    struct session *session = xzalloc(sizeof(*session));

    session->server = server;
    session->rpc = jsonrpc_create(stream, &session_callbacks, session);
    jsonrpc_set_max_size(session->rpc, MAX_REQUEST);
    DL_APPEND(server->sessions, session);
}

/* ---- The server's own commands ---- */

static int
compare_commands(struct command *a, struct command *b)
{
    return strcmp(a->name, b->name);
}

static void
cmd_list_commands(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct command *command, *next;

    HASH_SORT(commands, compare_commands);
    if (unixctl_wants_json(conn)) {
        json_t *all = json_object();
        HASH_ITER (hh, commands, command, next) {
            if (command->usage) {
                json_object_set_new(all, command->name, json_string(command->usage));
            }
        }
        unixctl_reply_json(conn, all);
        return;
    }
    struct str out = STR_INIT;
    str_put(&out, "The available commands are:\n");
    HASH_ITER (hh, commands, command, next) {
        if (command->usage) {
            str_printf(&out, "  %-23s %s\n", command->name, command->usage);
        }
    }
    unixctl_reply(conn, str_cstr(&out));
    str_free(&out);
}

static void
cmd_version(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    unixctl_reply(conn, PROGRAM_NAME " (Open vSwitch) " COMPAT_VERSION);
}

/* set-options [--format text|json]... for the rest of this connection. */
static void
cmd_set_options(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    bool json = conn->json;

    for (int i = 1; i < argc; i++) {
        const char *value = NULL;
        if (strcmp(argv[i], "--format") == 0 && i + 1 < argc) {
            value = argv[++i];
        } else if (strncmp(argv[i], "--format=", 9) == 0) {
            value = argv[i] + 9;
        }
        if (value == NULL) {
            unixctl_reply_errorf(conn, "unknown or incomplete option %s", argv[i]);
            return;
        }
        if (strcmp(value, "json") != 0 && strcmp(value, "text") != 0) {
            unixctl_reply_errorf(conn, "unsupported output format: %s", value);
            return;
        }
        json = strcmp(value, "json") == 0;
    }
    if (conn->session != NULL) {
        conn->session->json = json;
    }
    unixctl_reply(conn, NULL);
}

int
unixctl_create(const char *path, struct loop *loop, struct unixctl **unixctlp, char **error)
{
    struct unixctl *server = xzalloc(sizeof(*server));

    server->loop = loop;
    unixctl_register("list-commands", "", 0, 0, cmd_list_commands, NULL);
    unixctl_register("version", "", 0, 0, cmd_version, NULL);
    unixctl_register("set-options", "[--format text|json]", 0, 2, cmd_set_options, NULL);

    int result = unixctl_listen(server, path, error);
    if (result != 0) {
        free(server);
        server = NULL;
    }
    *unixctlp = server;
    return result;
}

int
unixctl_listen(struct unixctl *server, const char *path, char **error)
{
    int result = 0;

    if (path == NULL || strcmp(path, "none") != 0) {
        char *file =
            path ? dirs_path(dirs_run(), path)
                 : xasprintf("%s/%s.%ld.ctl", dirs_run(), PROGRAM_NAME, (long)process_public_pid());
        char *name = xasprintf("punix:%s", file);
        result = listener_open(server->loop, name, 0, NULL, accept_session, server,
                               &server->listener, error);
        free(name);
        free(file);
    }
    return result;
}

void
unixctl_mute(struct unixctl *server)
{
    listener_close(server->listener);
    server->listener = NULL;
}

void
unixctl_destroy(struct unixctl *server)
{
    struct session *session, *next;
    struct command *command, *next_command;

    if (server == NULL) {
        return;
    }
    DL_FOREACH_SAFE (server->sessions, session, next) {
        session_destroy(session, true);
    }
    listener_close(server->listener);
    free(server);
    HASH_ITER (hh, commands, command, next_command) {
        HASH_DEL(commands, command);
        free(command);
    }
}
