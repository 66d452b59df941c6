// SPDX-License-Identifier: Apache-2.0
/*
 * ofproto_ctl.c - commands for ovs-appctl about bridges: ofproto/list, ofproto/list-tunnels,
 * bridge/dump-flows, bridge/reconnect.
 *
 * Main thread.
 */
#include <stdlib.h>

#include "base/str.h"
#include "ofproto/ofproto_priv.h"
#include "openflow/ofp_text.h"
#include "rpc/unixctl.h"

static int
compare_names(const void *a_, const void *b_)
{
    const struct ofproto *const *a = a_, *const *b = b_;

    return strcmp((*a)->name, (*b)->name);
}

static void
ofproto_list(struct unixctl_conn *conn, int argc, const char *argv[], void *all_)
{
    const struct ofprotos *all = all_;
    size_t n = 0;
    struct ofproto **sorted = xcalloc(HASH_COUNT(all->by_name) + 1, sizeof *sorted);
    struct str s = STR_INIT;

    (void)argc;
    (void)argv;
    for (struct ofproto *p = all->by_name; p; p = p->hh.next) {
        sorted[n++] = p;
    }
    qsort(sorted, n, sizeof *sorted, compare_names);
    for (size_t i = 0; i < n; i++) {
        str_printf(&s, "%s\n", sorted[i]->name);
    }
    unixctl_reply(conn, str_cstr(&s));
    str_free(&s);
    free(sorted);
}

/* Bridges have no tunnel ports; the answer is that of a switch without any. */
static void
ofproto_list_tunnels(struct unixctl_conn *conn, int argc, const char *argv[], void *all_)
{
    (void)argc;
    (void)argv;
    (void)all_;
    unixctl_reply(conn, "");
}

/* The line with what a NIC counted, which is nothing yet, behind the sums. */
static void
put_with_offload_stats(struct text *text, const struct ofp_flow_stats *fs)
{
    struct text line = {0};
    const char *n_bytes, *comma;

    ofp_flow_format_line(fs, NULL, &line);
    n_bytes = strstr(text_cstr(&line), "n_bytes=");
    comma = n_bytes ? strchr(n_bytes, ',') : NULL;
    if (comma) {
        text_put_n(text, text_cstr(&line), (size_t)(comma - text_cstr(&line)));
        text_put(text, ", n_offload_packets=0, n_offload_bytes=0");
        text_put(text, comma);
    } else {
        text_put(text, text_cstr(&line));
    }
    text_fini(&line);
}

struct dump_rules {
    struct text *text;
    bool offload_stats;
};

static bool
put_rule(struct cls_rule *c, void *dump_)
{
    struct dump_rules *dump = dump_;
    struct text *text = dump->text;
    struct ofp_flow_stats fs;
    struct match match;

    rule_get_stats(rule_from_cls(c), &match, &fs);
    if (dump->offload_stats) {
        put_with_offload_stats(text, &fs);
    } else {
        ofp_flow_format_line(&fs, NULL, text);
    }
    text_put(text, "\n");
    return true;
}

size_t
ofprotos_n_rules(const struct ofprotos *all)
{
    size_t n = 0;

    for (const struct ofproto *p = all->by_name; p; p = p->hh.next) {
        for (int i = 0; i <= OFPROTO_N_TABLES; i++) {
            n += cls_n_rules(p->tables[i].cls);
        }
    }
    return n;
}

static void
bridge_dump_flows(struct unixctl_conn *conn, int argc, const char *argv[], void *all_)
{
    const struct ofprotos *all = all_;
    const char *name = argv[argc - 1];
    struct ofproto *p = ofprotos_find(all, name);
    struct text out = {0};
    struct dump_rules dump = {.text = &out};

    for (int i = 1; i < argc; i++) {
        dump.offload_stats |= !strcmp(argv[i], "--offload-stats");
    }
    if (!p) {
        unixctl_reply_error(conn, "Unknown bridge");
        return;
    }
    for (int i = 0; i <= OFPROTO_N_TABLES; i++) {
        cls_visit_loose(p->tables[i].cls, ofproto_version(p), NULL, put_rule, &dump);
    }
    unixctl_reply(conn, text_cstr(&out));
    text_fini(&out);
}

static void
bridge_reconnect(struct unixctl_conn *conn, int argc, const char *argv[], void *all_)
{
    const struct ofprotos *all = all_;

    if (argc > 1) {
        struct ofproto *p = ofprotos_find(all, argv[1]);

        if (!p) {
            unixctl_reply_error(conn, "Unknown bridge");
            return;
        }
        connmgr_reconnect(p->connmgr);
    } else {
        for (struct ofproto *p = all->by_name; p; p = p->hh.next) {
            connmgr_reconnect(p->connmgr);
        }
    }
    unixctl_reply(conn, NULL);
}

void
ofproto_ctl_init(struct ofprotos *all)
{
    unixctl_register("ofproto/list", "", 0, 0, ofproto_list, all);
    unixctl_register("ofproto/list-tunnels", "", 0, 0, ofproto_list_tunnels, all);
    unixctl_register("bridge/dump-flows", "[--offload-stats] bridge", 1, 2, bridge_dump_flows, all);
    unixctl_register("bridge/reconnect", "[bridge]", 0, 1, bridge_reconnect, all);
}
