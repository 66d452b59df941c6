// SPDX-License-Identifier: Apache-2.0
/*
 * remote.c - opens and closes the server's remotes and reports on those that the database asked for
 * in their Manager rows, see remote.h.
 */
#include "ovsdb/remote.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/log.h"
#include "base/str.h"
#include "base/util.h"
#include "ovsdb/error.h"
#include "ovsdb/remote_status.h"
#include "ovsdb/session.h"
#include "rpc/stream.h"

LOG_MODULE(ovsdb_remote);

/* How often failed listeners are tried again and status columns are written. */
#define REFRESH_MS 5000
#define DEFAULT_PROBE_MS 5000
#define DEFAULT_PORT 6640

/* "db:DB,TABLE,COLUMN" */
struct db_spec {
    struct db_spec *next;
    struct ovsdb_server_db *sdb;
    struct ovsdb_table *table;
    const struct ovsdb_column *column;
};

struct ovsdb_remotes {
    struct ovsdb_server *server;
    struct ovsdb_remote *list; /* utlist */
    struct db_spec *specs;     /* utlist, singly linked */
    char *tls_names[3];        /* as configured: key, certificate, CA */
    char *tls_files[3];        /* what they lead to now */
    struct tls_config *tls;
    struct loop_timer timer;
};

/* Names in the database. */

static struct ovsdb_error *
parse_db_spec(struct ovsdb_server *server, const char *text, struct db_spec *spec)
{
    char *copy = xstrdup(text), *save = NULL;
    const char *db = strtok_r(copy, ":", &save) ? strtok_r(NULL, ",", &save) : NULL;
    const char *table = db != NULL ? strtok_r(NULL, ",", &save) : NULL;
    const char *column = table != NULL ? strtok_r(NULL, ",", &save) : NULL;
    struct ovsdb_error *error = NULL;

    if (column == NULL) {
        error = ovsdb_error_create(OVSDB_E_SYNTAX, "\"%s\" is not db:DB,TABLE,COLUMN", text);
    } else if ((spec->sdb = ovsdb_server_find_db(server, db)) == NULL) {
        error = ovsdb_error_create(OVSDB_E_NO_DATABASE, "%s: no database %s", text, db);
    } else if ((spec->table = ovsdb_database_table(spec->sdb->db, table)) == NULL) {
        error = ovsdb_error_create(OVSDB_E_NO_TABLE, "%s: no table %s", text, table);
    } else if ((spec->column = ovsdb_table_column(spec->table->schema, column)) == NULL) {
        error = ovsdb_error_create(OVSDB_E_NO_COLUMN, "%s: no column %s", text, column);
    }
    free(copy);
    return error;
}

static bool
is_db_spec(const char *name)
{
    return !strncmp(name, "db:", 3);
}

/* TLS. */

/* The file that a configured name leads to; a new string, or NULL. */
static char *
resolve_file(struct ovsdb_remotes *remotes, const char *name)
{
    struct db_spec spec;
    struct ovsdb_error *error;

    if (name == NULL || !is_db_spec(name)) {
        return xstrdup_null(name);
    }
    error = parse_db_spec(remotes->server, name, &spec);
    if (error != NULL) {
        ovsdb_error_free(error);
        return NULL;
    }
    for (const struct db_row *row = spec.table->rows; row != NULL; row = row->hh.next) {
        const struct ovsdb_datum *datum = ovsdb_row_get(row, spec.column);

        if (datum->n > 0 && datum->key_type == OVSDB_STRING && datum->keys[0].string[0] != '\0') {
            return xstrdup(datum->keys[0].string);
        }
    }
    return NULL;
}

static bool
same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && !strcmp(a, b));
}

/* Makes the TLS configuration again if one of the three names changed. */
static void
refresh_tls(struct ovsdb_remotes *remotes)
{
    bool changed = false;

    for (size_t i = 0; i < 3; i++) {
        char *file = resolve_file(remotes, remotes->tls_names[i]);

        changed = changed || !same_text(file, remotes->tls_files[i]);
        free(remotes->tls_files[i]);
        remotes->tls_files[i] = file;
    }
    if (!changed) {
        return;
    }
    tls_config_unref(remotes->tls);
    remotes->tls = NULL;
    if (remotes->tls_files[0] != NULL && remotes->tls_files[1] != NULL) {
        struct tls_settings settings = {
            .private_key_file = remotes->tls_files[0],
            .certificate_file = remotes->tls_files[1],
            .ca_cert_file = remotes->tls_files[2],
        };
        char *error = NULL;

        remotes->tls = tls_config_create(&settings, &error);
        if (remotes->tls == NULL) {
            log_err("ssl remotes cannot be served: %s", error);
            free(error);
        }
    }
    /* Those that use it are opened again with the new keys. */
    struct ovsdb_remote *remote;
    DL_FOREACH (remotes->list, remote) {
        if (!strncmp(remote->name, "ssl:", 4) || !strncmp(remote->name, "pssl:", 5)) {
            ovsdb_session_destroy_all(remotes->server, remote);
            remote->session = NULL;
            listener_close(remote->listener);
            remote->listener = NULL;
        }
    }
}

/* One remote. */

static void
accepted(struct listener *listener, struct stream *stream, void *remote_)
{
    struct ovsdb_remote *remote = remote_;
    bool is_unix = !strncmp(remote->name, "punix:", 6);

    ovsdb_session_accept(remote->server, stream, is_unix ? 0 : remote->probe_ms, remote);
}

static bool
remote_is_open(const struct ovsdb_remote *remote)
{
    return remote->listener != NULL || remote->session != NULL;
}

static int
remote_open(struct ovsdb_remotes *remotes, struct ovsdb_remote *remote, char **error)
{
    bool is_tls = !strncmp(remote->name, "ssl:", 4) || !strncmp(remote->name, "pssl:", 5);

    *error = stream_name_check(remote->name);
    if (*error != NULL) {
        return -EINVAL;
    }
    if (is_tls && remotes->tls == NULL) {
        *error = xasprintf("%s: no private key and certificate are configured", remote->name);
        return -EINVAL;
    }
    if (stream_name_is_passive(remote->name)) {
        return listener_open(remotes->server->loop, remote->name, DEFAULT_PORT, remotes->tls,
                             accepted, remote, &remote->listener, error);
    }
    struct reconnect_settings settings = {
        .name = remote->name,
        .default_port = DEFAULT_PORT,
        .tls = remotes->tls,
        .max_backoff_ms = remote->max_backoff_ms,
    };
    remote->session = ovsdb_session_connect(remotes->server, &settings, remote->probe_ms, remote);
    return 0;
}

static struct ovsdb_remote *
remote_add(struct ovsdb_remotes *remotes, const char *name)
{
    struct ovsdb_remote *remote = xzalloc(sizeof *remote);

    remote->server = remotes->server;
    remote->name = xstrdup(name);
    remote->probe_ms = DEFAULT_PROBE_MS;
    DL_APPEND(remotes->list, remote);
    return remote;
}

static void
remote_destroy(struct ovsdb_remotes *remotes, struct ovsdb_remote *remote)
{
    DL_DELETE(remotes->list, remote);
    ovsdb_session_destroy_all(remotes->server, remote);
    listener_close(remote->listener);
    free(remote->name);
    free(remote->last_error);
    free(remote);
}

/* Those of the database. */

static struct ovsdb_remote *
find_dynamic(struct ovsdb_remotes *remotes, const char *name)
{
    struct ovsdb_remote *remote;

    DL_FOREACH (remotes->list, remote) {
        if (remote->is_dynamic && !strcmp(remote->name, name)) {
            return remote;
        }
    }
    return NULL;
}

static int64_t
integer_of(const struct db_row *row, const char *name, int64_t dflt)
{
    const struct ovsdb_column *column = ovsdb_table_column(row->table->schema, name);
    const struct ovsdb_datum *datum = column != NULL ? ovsdb_row_get(row, column) : NULL;

    return datum != NULL && datum->key_type == OVSDB_INTEGER && datum->n > 0
               ? datum->keys[0].integer
               : dflt;
}

/* Marks the remote 'name' as wanted; 'row' is its Manager row or NULL. */
static void
want(struct ovsdb_remotes *remotes, const char *name, const struct db_row *row)
{
    struct ovsdb_remote *remote = find_dynamic(remotes, name);
    int64_t probe_ms =
        row ? integer_of(row, "inactivity_probe", DEFAULT_PROBE_MS) : DEFAULT_PROBE_MS;

    if (remote == NULL) {
        remote = remote_add(remotes, name);
        remote->is_dynamic = true;
    }
    remote->is_wanted = true;
    remote->probe_ms = MAX(probe_ms, 0);
    remote->max_backoff_ms = row != NULL ? integer_of(row, "max_backoff", 0) : 0;
    remote->has_row = row != NULL;
    if (row != NULL) {
        remote->row = row->uuid;
    }
    if (remote->session != NULL) {
        jsonrpc_set_probe_interval(ovsdb_session_rpc(remote->session), remote->probe_ms);
    }
}

static void
want_column(struct ovsdb_remotes *remotes, const struct db_spec *spec, const struct db_row *row)
{
    const struct ovsdb_datum *datum = ovsdb_row_get(row, spec->column);
    const struct ovsdb_base *base = &spec->column->type.key;

    for (uint32_t i = 0; i < datum->n; i++) {
        if (datum->key_type == OVSDB_STRING) {
            want(remotes, datum->keys[i].string, NULL);
        } else if (datum->key_type == OVSDB_UUID && base->uuid.ref != NULL) {
            const struct db_row *manager =
                ovsdb_table_row(spec->sdb->db->tables[base->uuid.ref->index], &datum->keys[i].uuid);
            const struct ovsdb_column *target = ovsdb_table_column(base->uuid.ref, "target");

            if (manager != NULL && target != NULL &&
                ovsdb_row_get(manager, target)->key_type == OVSDB_STRING &&
                ovsdb_row_get(manager, target)->n == 1) {
                want(remotes, ovsdb_row_get(manager, target)->keys[0].string, manager);
            }
        }
    }
}

static void
refresh_dynamic(struct ovsdb_remotes *remotes)
{
    struct ovsdb_remote *remote, *next;
    const struct db_spec *spec;

    DL_FOREACH (remotes->list, remote) {
        remote->is_wanted = !remote->is_dynamic;
    }
    LL_FOREACH(remotes->specs, spec)
    {
        for (const struct db_row *row = spec->table->rows; row != NULL; row = row->hh.next) {
            want_column(remotes, spec, row);
        }
    }
    /* Old ones go first: a new one may want the same port. */
    DL_FOREACH_SAFE (remotes->list, remote, next) {
        if (!remote->is_wanted) {
            remote_destroy(remotes, remote);
        }
    }
}

static void
open_missing(struct ovsdb_remotes *remotes)
{
    struct ovsdb_remote *remote;

    DL_FOREACH (remotes->list, remote) {
        char *error = NULL;

        if (remote_is_open(remote)) {
            continue;
        }
        if (!remote_open(remotes, remote, &error)) {
            free(remote->last_error);
            remote->last_error = NULL;
        } else if (!same_text(error, remote->last_error)) {
            /* Said once; it is tried again every few seconds. */
            log_warn("remote %s cannot be opened: %s", remote->name, error);
            free(remote->last_error);
            remote->last_error = error;
        } else {
            free(error);
        }
    }
}

void
ovsdb_remotes_refresh(struct ovsdb_remotes *remotes)
{
    refresh_tls(remotes);
    refresh_dynamic(remotes);
    open_missing(remotes);
}

static void
on_timer(void *remotes_)
{
    struct ovsdb_remotes *remotes = remotes_;

    ovsdb_remotes_refresh(remotes);
    ovsdb_remotes_write_status(remotes->server, remotes->list);
}

/* The whole. */

static int
add_fixed(struct ovsdb_remotes *remotes, const char *name, char **error)
{
    if (is_db_spec(name)) {
        struct db_spec *spec = xzalloc(sizeof *spec);
        struct ovsdb_error *e = parse_db_spec(remotes->server, name, spec);

        LL_APPEND(remotes->specs, spec);
        if (e != NULL) {
            *error = ovsdb_error_take_text(e);
            return -EINVAL;
        }
        return 0;
    }
    return remote_open(remotes, remote_add(remotes, name), error);
}

int
ovsdb_remotes_create(struct ovsdb_server *server, const char *const *names, size_t n,
                     const struct ovsdb_tls_files *tls, struct ovsdb_remotes **remotesp,
                     char **error)
{
    struct ovsdb_remotes *remotes = xzalloc(sizeof *remotes);
    int result = 0;

    *remotesp = NULL;
    remotes->server = server;
    remotes->tls_names[0] = xstrdup_null(tls->private_key);
    remotes->tls_names[1] = xstrdup_null(tls->certificate);
    remotes->tls_names[2] = xstrdup_null(tls->ca_cert);
    refresh_tls(remotes);
    for (size_t i = 0; i < n && !result; i++) {
        result = add_fixed(remotes, names[i], error);
    }
    if (result) {
        ovsdb_remotes_destroy(remotes);
        return result;
    }
    ovsdb_remotes_refresh(remotes);
    loop_timer_every(&remotes->timer, server->loop, REFRESH_MS, on_timer, remotes);
    *remotesp = remotes;
    return 0;
}

void
ovsdb_remotes_destroy(struct ovsdb_remotes *remotes)
{
    struct ovsdb_remote *remote, *next;
    struct db_spec *spec, *next_spec;

    if (remotes == NULL) {
        return;
    }
    loop_timer_stop(&remotes->timer);
    DL_FOREACH_SAFE (remotes->list, remote, next) {
        remote_destroy(remotes, remote);
    }
    LL_FOREACH_SAFE(remotes->specs, spec, next_spec)
    {
        free(spec);
    }
    for (size_t i = 0; i < 3; i++) {
        free(remotes->tls_names[i]);
        free(remotes->tls_files[i]);
    }
    tls_config_unref(remotes->tls);
    free(remotes);
}
