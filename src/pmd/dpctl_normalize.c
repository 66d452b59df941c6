// SPDX-License-Identifier: Apache-2.0
//
// dpctl/normalize-actions: what is done with a packet, ordered by the tags it has at that time, so
// that tests can compare lists that push and pop in another order.  Main thread.
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "flow/text.h"
#include "pmd/dp_int.h"
#include "pmd/dpctl.h"
#include "rpc/unixctl.h"

// The outermost tag and label of a packet; zero: none.
struct tags {
    rte_be16_t tpid, tci;
    rte_be32_t lse;
};

struct group {
    struct tags tags;
    struct dp_actions actions;
};

struct groups {
    struct group *all;
    size_t n;
};

static struct group *
group_of(struct groups *gs, const struct tags *tags)
{
    for (size_t i = 0; i < gs->n; i++) {
        if (!memcmp(&gs->all[i].tags, tags, sizeof *tags)) {
            return &gs->all[i];
        }
    }
    gs->all = xrealloc(gs->all, (gs->n + 1) * sizeof *gs->all);
    gs->all[gs->n] = (struct group){.tags = *tags};
    return &gs->all[gs->n++];
}

static void
sort_into_groups(struct groups *gs, struct tags tags, const struct dp_actions *actions)
{
    DP_ACTION_FOREACH (a, actions->data, actions->size) {
        switch ((int)a->type) {
        case DP_ACT_PUSH_VLAN:
            tags.tpid = ((const struct dp_act_push_vlan *)a)->tpid;
            tags.tci = ((const struct dp_act_push_vlan *)a)->tci;
            break;
        case DP_ACT_POP_VLAN:
            tags.tpid = tags.tci = 0;
            break;
        case DP_ACT_PUSH_MPLS:
            tags.lse = ((const struct dp_act_push_mpls *)a)->lse;
            break;
        case DP_ACT_POP_MPLS:
            tags.lse = 0;
            break;
        default:
            dp_actions_append(&group_of(gs, &tags)->actions, a, (uint32_t)a->len8 * 8);
            break;
        }
    }
}

static int
compare_groups(const void *a_, const void *b_)
{
    const struct group *a = a_, *b = b_;
    int by_vlan = (int)rte_be_to_cpu_16(a->tags.tci) - (int)rte_be_to_cpu_16(b->tags.tci);
    uint32_t la = rte_be_to_cpu_32(a->tags.lse), lb = rte_be_to_cpu_32(b->tags.lse);

    return by_vlan ? by_vlan : la < lb ? -1 : la > lb;
}

static int
compare_outputs(const void *a_, const void *b_)
{
    const struct dp_act_port *a = a_, *b = b_;

    return a->port < b->port ? -1 : a->port > b->port;
}

// Outputs in a row go by the port's number: none of them sees what another does.
static void
sort_outputs(struct dp_actions *actions)
{
    struct dp_act_port *first = NULL;
    size_t n = 0;

    DP_ACTION_FOREACH (a, actions->data, actions->size) {
        if (a->type == DP_ACT_OUTPUT) {
            first = n++ ? first : (struct dp_act_port *)a;
            continue;
        }
        if (n) {
            qsort(first, n, sizeof *first, compare_outputs);
        }
        n = 0;
    }
    if (n) {
        qsort(first, n, sizeof *first, compare_outputs);
    }
}

static void
put_group(struct text *t, const struct group *g)
{
    static const struct dp_port_names names;
    uint16_t tci = rte_be_to_cpu_16(g->tags.tci);
    uint32_t lse = rte_be_to_cpu_32(g->tags.lse);

    if (tci) {
        text_printf(t, "vlan(vid=%d,pcp=%d): ", tci & 0xfff, tci >> 13);
    } else {
        text_put(t, "no vlan: ");
    }
    if (lse) {
        text_printf(t, "mpls(label=%u,tc=%u,ttl=%u): ", lse >> 12, lse >> 9 & 7, lse & 0xff);
    } else {
        text_put(t, "no mpls: ");
    }
    dp_actions_format(g->actions.data, g->actions.size, &names, t);
}

// What the flow says of the packet; of the rest, only its port.
static void
put_input(struct text *t, const struct flow *key)
{
    static const struct dp_port_names names;
    static const char type[] = "packet_type(ns=0,id=0),";
    struct text all = {0};

    dpkey_format(key, NULL, &names, true, &all);
    const char *port = strstr(text_cstr(&all), "in_port(");
    const char *packet = strstr(text_cstr(&all), type);
    text_put(t, "input flow: ");
    if (port && packet && packet > port) {
        text_put_n(t, port, (size_t)(packet - port));
        text_put(t, packet + strlen(type));
    } else {
        text_put(t, text_cstr(&all));
    }
    text_putc(t, '\n');
    text_fini(&all);
}

// Words NAME=NUMBER.
struct named_ports {
    const char **words;
    int n;
};

static bool
parse_named_port(const char *word, odp_port_t *odp)
{
    const char *eq = strchr(word, '=');
    unsigned int number;

    if (!eq || eq == word || !str_to_uint(eq + 1, 10, &number)) {
        return false;
    }
    *odp = number;
    return true;
}

// The last word of a name counts.
static bool
lookup_named_port(const void *named_, const char *name, odp_port_t *odp)
{
    const struct named_ports *named = named_;
    size_t len = strlen(name);

    for (int i = named->n; i-- > 0;) {
        const char *word = named->words[i];
        if (!strncmp(word, name, len) && word[len] == '=') {
            return parse_named_port(word, odp);
        }
    }
    return false;
}

static void
dpctl_normalize_actions(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dpctl_args a;
    int n_options = dpctl_parse_leading_options(conn, argc, argv, dpp, &a);

    if (n_options < 0) {
        return;
    }
    argv += n_options;
    argc -= n_options;
    if (argc < 3) {
        unixctl_reply_error(conn, "ovs-vswitchd: a flow and its actions are needed");
        return;
    }
    for (int i = 3; i < argc; i++) {
        odp_port_t odp;
        if (!parse_named_port(argv[i], &odp)) {
            unixctl_reply_errorf(conn, "ovs-vswitchd: %s: expected NAME=NUMBER", argv[i]);
            return;
        }
    }

    const struct named_ports named = {.words = argv + 3, .n = argc - 3};
    const struct dp_port_names names = {.lookup = lookup_named_port, .aux = &named};
    struct dp_actions actions = {0};
    struct groups gs = {0};
    struct text t = {0};
    struct flow key;
    char *error = dpkey_parse(argv[1], &names, &key, NULL);

    if (error) {
        unixctl_reply_errorf(conn, "ovs-vswitchd: odp_flow_key_from_string (%s) (Invalid argument)",
                             error);
        free(error);
        return;
    }
    put_input(&t, &key);
    error = dp_actions_parse(argv[2], &names, &actions);
    if (error) {
        unixctl_reply_errorf(conn, "%sovs-vswitchd: odp_actions_from_string (Invalid argument)",
                             text_cstr(&t));
    } else {
        const struct tags tags = {
            .tpid = key.vlans[0].tpid, .tci = key.vlans[0].tci, .lse = key.mpls_lse[0]};
        if (a.more) {
            text_put(&t, "input actions: ");
            dp_actions_format(actions.data, actions.size, &names, &t);
            text_putc(&t, '\n');
        }
        sort_into_groups(&gs, tags, &actions);
        qsort(gs.all, gs.n, sizeof *gs.all, compare_groups);
        for (size_t i = 0; i < gs.n; i++) {
            sort_outputs(&gs.all[i].actions);
            put_group(&t, &gs.all[i]);
            dp_actions_fini(&gs.all[i].actions);
        }
        text_putc(&t, '\n');
        unixctl_reply(conn, text_cstr(&t));
    }
    free(error);
    free(gs.all);
    dp_actions_fini(&actions);
    text_fini(&t);
}

void
dpctl_normalize_init(struct dp **dpp)
{
    unixctl_register("dpctl/normalize-actions", "actions", 2, INT_MAX, dpctl_normalize_actions,
                     dpp);
}
