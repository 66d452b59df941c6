// SPDX-License-Identifier: Apache-2.0
/*
 * ofproto_ctl.c - commands for ovs-appctl about bridges: ofproto/list, bridge/dump-flows,
 * bridge/reconnect.
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

static bool
put_rule(struct cls_rule *c, void *text)
{
    struct ofp_flow_stats fs;
    struct match match;

    rule_get_stats(rule_from_cls(c), &match, &fs);
    /* Priorities above OpenFlow's are shown as they are. */
    fs.priority = (uint16_t)MIN(c->priority, UINT16_MAX);
    ofp_flow_format_line(&fs, NULL, text);
    text_put(text, "\n");
    return true;
}

static void
bridge_dump_flows(struct unixctl_conn *conn, int argc, const char *argv[], void *all_)
{
    const struct ofprotos *all = all_;
    const char *name = argv[argc - 1];
    struct ofproto *p = ofprotos_find(all, name);
    struct text out = {0};

    if (argc == 3 && strcmp(argv[1], "--offload-stats")) {
        unixctl_reply_error(conn, "unknown option");
        return;
    }
    if (!p) {
        unixctl_reply_error(conn, "Unknown bridge");
        return;
    }
    for (int i = 0; i <= OFPROTO_N_TABLES; i++) {
        cls_visit_loose(p->tables[i].cls, ofproto_version(p), NULL, put_rule, &out);
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
    unixctl_register("bridge/dump-flows", "[--offload-stats] bridge", 1, 2, bridge_dump_flows,
                     all);
    unixctl_register("bridge/reconnect", "[bridge]", 0, 1, bridge_reconnect, all);
}
