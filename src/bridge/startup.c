// SPDX-License-Identifier: Apache-2.0
/*
 * startup.c - the flows of the start-up file, from their text to the tables, see startup.h.
 *
 * Flows are checked when the file is read, with the ports that the file names.  They are installed
 * when the bridge and its ports are there.  A port whose device is missing has no number yet: its
 * flows wait, and are tried again by each reconfiguration.
 */
#include "bridge/startup.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "bridge/startup_int.h"
#include "ofproto/ofproto.h"

LOG_MODULE(startup);

/* ---- Reading ---- */

/* True for the ports that the file gives the bridge. */
static bool
is_port(const void *bridge_, const char *name)
{
    const struct startup_bridge *br = bridge_;

    for (size_t i = 0; i < br->n_ports; i++) {
        for (size_t j = 0; j < br->ports[i].n_ifaces; j++) {
            if (!strcmp(br->ports[i].ifaces[j].name, name)) {
                return true;
            }
        }
    }
    return false;
}

char *
startup_add_flow(struct startup_bridge *br, const char *text, const char *file, int line)
{
    char *error = ofproto_flow_text_check(text, is_port, br);

    if (error != NULL) {
        return error;
    }
    br->flows = xreallocarray(br->flows, br->n_flows + 1, sizeof *br->flows);
    br->flows[br->n_flows++] =
        (struct startup_flow){.text = xstrdup(text), .where = xasprintf("%s:%d", file, line)};
    return NULL;
}

/* A name relative to the directory of the start-up file. */
static char *
beside(const char *config_path, const char *name)
{
    char *copy, *path;

    if (name[0] == '/') {
        return xstrdup(name);
    }
    copy = xstrdup(config_path);
    path = xasprintf("%s/%s", dirname(copy), name);
    free(copy);
    return path;
}

char *
startup_read_flows_file(struct startup_bridge *br, const char *config_path, const char *name)
{
    char *path = beside(config_path, name);
    struct stat st;
    bool is_file = stat(path, &st) != 0 || S_ISREG(st.st_mode);
    FILE *file = is_file ? fopen(path, "re") : NULL; /* A FIFO would block. */
    char *line = NULL, *error = NULL;
    size_t size = 0;
    ssize_t len;

    if (file == NULL) {
        error =
            xasprintf("cannot read %s (%s)", path, is_file ? err_str(errno) : "not a regular file");
        free(path);
        return error;
    }
    for (int n = 1; error == NULL && (len = getline(&line, &size, file)) >= 0; n++) {
        const char *text = line + strspn(line, " \t\r\n");

        if (strlen(line) != (size_t)len) {
            error = xasprintf("%s:%d: has a null byte", path, n);
            break;
        }
        line[strcspn(line, "\r\n")] = '\0';
        if (*text == '\0' || *text == '#') {
            continue;
        }
        char *what = startup_add_flow(br, text, path, n);
        if (what != NULL) {
            error = xasprintf("%s:%d: %s", path, n, what);
            free(what);
        }
    }
    if (error == NULL && ferror(file)) {
        error = xasprintf("cannot read %s", path);
    }
    fclose(file);
    free(line);
    free(path);
    return error;
}

/* ---- Installing ---- */

/* Says what came of the flows that were tried: those with a text in 'errors' wait. */
static void
note_results(struct startup_bridge *br, struct startup_flow **tried, char **errors, size_t n)
{
    size_t n_installed = 0;

    for (size_t i = 0; i < n; i++) {
        if (errors[i] == NULL) {
            tried[i]->is_installed = true;
            n_installed++;
        } else if (!tried[i]->is_reported) {
            log_warn("%s: flow of bridge %s waits: %s", tried[i]->where, br->name, errors[i]);
            tried[i]->is_reported = true;
        }
        free(errors[i]);
    }
    if (n_installed > 0) {
        log_info("bridge %s: installed %zu flows of the start-up file", br->name, n_installed);
    }
}

static void
install_flows(struct startup_bridge *br, struct ofproto *ofproto)
{
    const char **texts = xcalloc(br->n_flows + 1, sizeof *texts);
    struct startup_flow **tried = xcalloc(br->n_flows + 1, sizeof(*tried));
    char **errors = xcalloc(br->n_flows + 1, sizeof *errors);
    size_t n = 0;

    for (size_t i = 0; i < br->n_flows; i++) {
        if (!br->flows[i].is_installed) {
            tried[n] = &br->flows[i];
            texts[n++] = br->flows[i].text;
        }
    }
    if (n > 0 || !br->flows_are_begun) {
        ofproto_flows_from_text(ofproto, !br->flows_are_begun, texts, n, errors);
        br->flows_are_begun = true;
        note_results(br, tried, errors, n);
    }
    free(texts);
    free(tried);
    free(errors);
}

void
startup_flows_are_begun(struct startup *st, const char *bridge)
{
    for (size_t i = 0; st != NULL && i < st->n_bridges; i++) {
        if (!strcmp(st->bridges[i].name, bridge)) {
            st->bridges[i].flows_are_begun = true;
        }
    }
}

void
startup_install_flows(struct startup *st, const char *bridge, struct ofproto *ofproto)
{
    for (size_t i = 0; st != NULL && i < st->n_bridges; i++) {
        if (st->bridges[i].has_flows && !strcmp(st->bridges[i].name, bridge)) {
            install_flows(&st->bridges[i], ofproto);
        }
    }
}

/* ---- The end ---- */

static void
bridge_fini(struct startup_bridge *br)
{
    for (size_t i = 0; i < br->n_ports; i++) {
        struct startup_port *port = &br->ports[i];

        for (size_t j = 0; j < port->n_ifaces; j++) {
            free(port->ifaces[j].name);
            json_decref(port->ifaces[j].columns);
        }
        free(port->ifaces);
        free(port->name);
        json_decref(port->columns);
    }
    for (size_t i = 0; i < br->n_flows; i++) {
        free(br->flows[i].text);
        free(br->flows[i].where);
    }
    free(br->ports);
    free(br->flows);
    free(br->name);
    json_decref(br->columns);
    json_decref(br->controllers);
}

void
startup_destroy(struct startup *st)
{
    if (st == NULL) {
        return;
    }
    for (size_t i = 0; i < st->n_bridges; i++) {
        bridge_fini(&st->bridges[i]);
    }
    free(st->bridges);
    free(st->path);
    json_decref(st->columns);
    free(st);
}
