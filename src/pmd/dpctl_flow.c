// SPDX-License-Identifier: Apache-2.0
//
// dpctl/*: flows by hand (add-flow, mod-flow, del-flow, get-flow and their forms with a file).  The
// texts of errors are those that scripts know.  Main thread.
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "pmd/dp_int.h"
#include "pmd/dpctl.h"
#include "rpc/unixctl.h"

enum flow_op { FLOW_ADD, FLOW_MODIFY, FLOW_DELETE };

// --- one flow -------------------------------------------------------------------------------

static char *
key_from_text(struct dp *dp, const char *text, struct flow *key, struct flow_mask *mask)
{
    struct dp_port_names names = dpctl_names(dp, false);

    memset(mask, 0, sizeof *mask);
    return dpkey_parse(text, &names, key, mask);
}

// NULL, or a new error text.  '*out' (unless an error) is the flow.
static char *
put_flow(struct dp *dp, const char *key_text, const char *actions_text, enum flow_op op,
         struct dp_flow **out)
{
    struct dp_port_names names = dpctl_names(dp, false);
    struct dp_actions actions = {0};
    struct flow_mask mask;
    struct flow key;
    char *error = key_from_text(dp, key_text, &key, &mask);

    if (error) {
        char *text = xasprintf("parsing flow key (%s) (Invalid argument)", error);
        free(error);
        return text;
    }
    error = dp_actions_parse(actions_text, &names, &actions);
    if (error) {
        free(error);
        dp_actions_fini(&actions);
        return xstrdup("parsing actions (Invalid argument)");
    }
    struct dp_flow_put put = {.key = &key, .mask = &mask, .actions = &actions};
    int rc;
    if (!mask.bits.dl_type) {
        rc = -EINVAL; // a flow without a protocol would stand in the way of all packets of its port
    } else if (op == FLOW_MODIFY) {
        *out = dp_flow_find_key(dp, &key);
        rc = *out ? dp_flow_set_actions(dp, *out, &actions) : -ENOENT;
    } else {
        rc = dp_flow_put(dp, &put, out);
    }
    dp_actions_fini(&actions);
    if (rc) {
        return xasprintf("updating flow table (%s)", err_str(rc));
    }
    if (op == FLOW_ADD) {
        dp_flow_adopt(dp, *out);
    }
    return NULL;
}

// By ufid ("ufid:..."), or by the text of its key.  NULL with a new '*error', which is NULL when
// there simply is no such flow.
static struct dp_flow *
find_flow(struct dp *dp, const char *text, char **error)
{
    struct flow_mask mask;
    struct uuid ufid;
    struct flow key;

    *error = NULL;
    if (!strncmp(text, "ufid:", 5)) {
        return uuid_from_string(&ufid, text + 5) ? dp_flow_find(dp, &ufid) : NULL;
    }
    *error = key_from_text(dp, text, &key, &mask);
    return *error ? NULL : dp_flow_find_key(dp, &key);
}

static void
reply_stats(struct unixctl_conn *conn, const struct dpctl_args *a, const struct dp_flow *f)
{
    struct dp_flow_stats stats;
    struct text t = {0};

    if (a->statistics && f) {
        dp_flow_get_stats(f, &stats);
        dpctl_put_stats(&t, &stats);
        text_putc(&t, '\n');
    }
    unixctl_reply(conn, text_cstr(&t));
    text_fini(&t);
}

static void
put_by_args(struct unixctl_conn *conn, struct dpctl_args *a, enum flow_op op)
{
    struct dp_flow *f = NULL;
    char *error;

    if (!dpctl_take_dp_name(conn, a, 2)) {
        return;
    }
    if (a->n_words < 2) {
        unixctl_reply_error(conn, "ovs-vswitchd: a flow and its actions are needed");
        return;
    }
    // Counters belong to the revalidators, which would credit them twice.
    error = a->clear ? xstrdup("updating flow table (Operation not supported)")
                     : put_flow(a->dp, a->words[0], a->words[1], op, &f);
    if (error) {
        unixctl_reply_errorf(conn, "ovs-vswitchd: %s", error);
        free(error);
    } else {
        reply_stats(conn, a, f);
    }
}

static void
dpctl_add_flow(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dpctl_args a;

    if (dpctl_parse_args(conn, argc, argv, dpp, &a)) {
        put_by_args(conn, &a, FLOW_ADD);
    }
}

static void
dpctl_mod_flow(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dpctl_args a;

    if (dpctl_parse_args(conn, argc, argv, dpp, &a)) {
        put_by_args(conn, &a, FLOW_MODIFY);
    }
}

// NULL, or a new error text without the program's name.
static char *
delete_flow(struct dp *dp, const char *text)
{
    char *parse_error, *error;
    struct dp_flow *f = find_flow(dp, text, &parse_error);

    if (f) {
        dp_flow_expel(dp, f);
        return NULL;
    }
    error = parse_error ? xasprintf("%s (Invalid argument)", parse_error)
                        : xstrdup("deleting flow (No such file or directory)\n"
                                  "Perhaps you need to specify a UFID?");
    free(parse_error);
    return error;
}

static void
dpctl_del_flow(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    char *error, *parse_error;
    struct dpctl_args a;

    if (!dpctl_parse_args(conn, argc, argv, dpp, &a) || !dpctl_take_dp_name(conn, &a, 1)) {
        return;
    }
    if (!a.n_words) {
        unixctl_reply_error(conn, "ovs-vswitchd: a flow is needed");
        return;
    }
    const char *text = a.words[0];
    struct dp_flow *f = find_flow(a.dp, text, &parse_error);
    free(parse_error);
    if (f) {
        reply_stats(conn, &a, f); // f is freed after this thread's next quiescent state
        dp_flow_expel(a.dp, f);
        return;
    }
    error = delete_flow(a.dp, text);
    unixctl_reply_errorf(conn, "ovs-vswitchd: %s", error);
    free(error);
}

static void
dpctl_get_flow(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct text t = {0};
    struct dpctl_args a;
    struct uuid ufid;

    if (!dpctl_parse_args(conn, argc, argv, dpp, &a) || !dpctl_take_dp_name(conn, &a, 1)) {
        return;
    }
    const char *text = a.n_words ? a.words[0] : "";
    if (strncmp(text, "ufid:", 5) != 0 || !uuid_from_string(&ufid, text + 5)) {
        // Scripts know this as an answer, not as an error.
        unixctl_reply(conn, strncmp(text, "ufid:", 5) != 0
                                ? "ovs-vswitchd: parsing flow ufid\n"
                                : "ovs-vswitchd: parsing flow ufid (Invalid argument)\n");
        return;
    }
    struct dp_flow *f = dp_flow_find(a.dp, &ufid);
    if (!f) {
        unixctl_reply_error(conn, "ovs-vswitchd: getting flow (No such file or directory)");
        return;
    }
    dp_flow_format(a.dp, f,
                   (a.more ? DP_FLOW_VERBOSE : 0) |
                       ((a.more && !a.no_names) || a.names ? DP_FLOW_NAMES : 0),
                   &t);
    text_putc(&t, '\n');
    unixctl_reply(conn, text_cstr(&t));
    text_fini(&t);
}

// --- files ----------------------------------------------------------------------------------

// Cuts the first word off '*s', which moves behind it; NULL at the end.
static char *
next_word(char **s)
{
    char *word = *s + strspn(*s, " \t\r\n");
    size_t n = strcspn(word, " \t\r\n");

    *s = word + n + (word[n] != '\0');
    word[n] = '\0';
    return n ? word : NULL;
}

// "[add|modify|delete] KEY [ACTIONS]"; nothing after KEY to delete.  NULL, or a new error text.
static char *
run_line(struct dp *dp, char *line, unsigned number, enum flow_op op)
{
    static const char *const ops[] = {"add", "modify", "delete"};
    char *word = next_word(&line), *actions;
    struct dp_flow *f;

    for (unsigned i = 0; word && i < ARRAY_SIZE(ops); i++) {
        if (!strcmp(word, ops[i])) {
            op = (enum flow_op)i;
            word = next_word(&line);
            break;
        }
    }
    if (!word) {
        return NULL;
    }
    actions = line + strspn(line, " \t\r\n");
    for (size_t n = strlen(actions); n && isspace((unsigned char)actions[n - 1]);) {
        actions[--n] = '\0';
    }
    if ((op == FLOW_DELETE) != !*actions) {
        return xasprintf("Failed parsing line number %u, skipped!", number);
    }
    return op == FLOW_DELETE ? delete_flow(dp, word) : put_flow(dp, word, actions, op, &f);
}

// A line that fails is told and skipped; the rest is done all the same.
static void
run_file(struct unixctl_conn *conn, struct dp *dp, const char *path, enum flow_op op)
{
    FILE *file = fopen(path, "r");
    struct str s = STR_INIT;
    char *line = NULL;
    size_t cap = 0;

    if (!file) {
        str_printf(&s, "ovs-vswitchd: Opening file \"%s\" failed (%s)\n", path, err_str(errno));
    }
    for (unsigned number = 1; file && getline(&line, &cap, file) >= 0; number++) {
        line[strcspn(line, "#")] = '\0';
        char *error = run_line(dp, line, number, op);
        if (error) {
            str_printf(&s, "ovs-vswitchd: %s\n", error);
            free(error);
        }
    }
    free(line);
    if (file) {
        fclose(file);
    }
    unixctl_reply(conn, str_cstr(&s));
    str_free(&s);
}

static void
run_file_by_args(struct unixctl_conn *conn, struct dpctl_args *a, enum flow_op op)
{
    if (!dpctl_take_dp_name(conn, a, 1)) {
        return;
    }
    if (a->n_words) {
        run_file(conn, a->dp, a->words[0], op);
    } else if (op == FLOW_DELETE) {
        dp_flow_flush(a->dp);
        unixctl_reply(conn, NULL);
    } else {
        unixctl_reply_error(conn, "ovs-vswitchd: a file is needed");
    }
}

static void
dpctl_add_flows(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dpctl_args a;

    if (dpctl_parse_args(conn, argc, argv, dpp, &a)) {
        run_file_by_args(conn, &a, FLOW_ADD);
    }
}

static void
dpctl_mod_flows(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dpctl_args a;

    if (dpctl_parse_args(conn, argc, argv, dpp, &a)) {
        run_file_by_args(conn, &a, FLOW_MODIFY);
    }
}

static void
dpctl_del_flows(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dpctl_args a;

    if (dpctl_parse_args(conn, argc, argv, dpp, &a)) {
        run_file_by_args(conn, &a, FLOW_DELETE);
    }
}

// --- texts ----------------------------------------------------------------------------------

static void
dpctl_parse_actions(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dp_port_names names = {0};
    struct text t = {0};
    struct dpctl_args a;
    bool ok = true;
    int n_options = dpctl_parse_leading_options(conn, argc, argv, dpp, &a);

    if (n_options < 0) {
        return;
    }
    for (int i = n_options + 1; i < argc && ok; i++) {
        struct dp_actions actions = {0};
        char *error = dp_actions_parse(argv[i], &names, &actions);

        ok = !error;
        free(error);
        if (ok) {
            dp_actions_format(actions.data, actions.size, &names, &t);
            text_putc(&t, '\n');
        }
        dp_actions_fini(&actions);
    }
    if (ok) {
        unixctl_reply(conn, text_cstr(&t));
    } else {
        unixctl_reply_errorf(conn, "%sovs-vswitchd: odp_actions_from_string (Invalid argument)",
                             text_cstr(&t));
    }
    text_fini(&t);
}

void
dpctl_flow_init(struct dp **dpp)
{
    unixctl_register("dpctl/add-flow", "[dp] flow actions", 2, 3, dpctl_add_flow, dpp);
    unixctl_register("dpctl/mod-flow", "[dp] flow actions", 2, 3, dpctl_mod_flow, dpp);
    unixctl_register("dpctl/get-flow", "[dp] ufid", 1, 2, dpctl_get_flow, dpp);
    unixctl_register("dpctl/del-flow", "[dp] flow", 1, 2, dpctl_del_flow, dpp);
    unixctl_register("dpctl/add-flows", "[dp] file", 1, 2, dpctl_add_flows, dpp);
    unixctl_register("dpctl/mod-flows", "[dp] file", 1, 2, dpctl_mod_flows, dpp);
    unixctl_register("dpctl/del-flows", "[dp] [file]", 0, 2, dpctl_del_flows, dpp);
    unixctl_register("dpctl/parse-actions", "actions", 1, INT_MAX, dpctl_parse_actions, dpp);
}
