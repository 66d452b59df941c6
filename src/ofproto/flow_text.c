// SPDX-License-Identifier: Apache-2.0
/*
 * flow_text.c - flows in the text form of ovs-ofctl that come from a file of the daemon's own
 * rather than from a controller: the start-up file (src/bridge/startup.c).  Main thread.
 */
#include "base/util.h"
#include "flow/text.h"
#include "ofproto/ofproto_priv.h"
#include "openflow/ofp_error.h"
#include "openflow/ofp_text.h"

/* ---- Names of ports ---- */

struct some_ports {
    bool (*is_port)(const void *aux, const char *name);
    const void *aux;
};

/* Any number will do to see whether a flow parses. */
static bool
lookup_some_port(const void *aux, const char *name, ofp_port_t *port)
{
    const struct some_ports *some = aux;

    *port = 1;
    return some->is_port(some->aux, name);
}

static bool
lookup_port(const void *ofproto, const char *name, ofp_port_t *port)
{
    *port = ofproto_port_by_name(ofproto, name);
    return *port != 0;
}

static const char *
no_name(const void *aux, ofp_port_t port)
{
    return NULL;
}

/* ---- Flows ---- */

/* What a controller's flow-mod would be refused for as well. */
static char *
check_actions(struct ofp_flow_mod *fm)
{
    struct ofpacts_check check = {
        .match = &fm->match,
        .max_ports = OFPROTO_MAX_PORT + 1,
        .table_id = fm->table_id == 255 ? 0 : fm->table_id,
        .n_tables = OFPROTO_N_TABLES,
        .version = OFP15_VERSION,
    };
    enum ofperr error;

    if (fm->table_id != 255 && fm->table_id >= OFPROTO_N_TABLES) {
        return xasprintf("there is no table %d", fm->table_id);
    }
    error = ofpacts_check((struct ofpact *)(void *)fm->actions.data, fm->actions.size, &check);
    return error ? xasprintf("refused (%s)", ofperr_name(error)) : NULL;
}

static char *
parse(const char *text, const struct mf_port_names *names, struct ofp_flow_mod *fm)
{
    char *error = ofp_flow_mod_parse(text, OFPFC_ADD, names, fm);

    return error ? error : check_actions(fm);
}

char *
ofproto_flow_text_check(const char *text, bool (*is_port)(const void *aux, const char *name),
                        const void *aux)
{
    struct some_ports some = {is_port, aux};
    struct mf_port_names names = {lookup_some_port, no_name, &some};
    struct ofp_flow_mod fm = {0};
    char *error = parse(text, &names, &fm);

    ofp_flow_mod_fini(&fm);
    return error;
}

void
flow_txn_remove_all(struct flow_txn *txn)
{
    struct ofp_flow_mod fm = {
        .command = OFPFC_DELETE,
        .table_id = 255,
        .out_port = OFPP_NONE,
        .out_group = OFP_GROUP_ANY,
        .buffer_id = OFP_BUFFER_NONE,
    };

    match_init_any(&fm.match);
    (void)flow_mod_apply(txn, &fm); /* Deleting everything matches no limit. */
    ofp_flow_mod_fini(&fm);
}

void
ofproto_flows_from_text(struct ofproto *p, bool replace, const char *const *texts, size_t n,
                        char **errors)
{
    struct mf_port_names names = {lookup_port, no_name, p};
    struct ofp_flow_mod fm = {0};
    struct flow_txn txn;

    flow_txn_begin(&txn, p);
    if (replace) {
        flow_txn_remove_all(&txn);
    }
    for (size_t i = 0; i < n; i++) {
        errors[i] = parse(texts[i], &names, &fm);
        if (errors[i] == NULL) {
            enum ofperr error = flow_mod_apply(&txn, &fm);
            errors[i] = error ? xasprintf("refused (%s)", ofperr_name(error)) : NULL;
        }
    }
    flow_txn_commit(&txn);
    ofp_flow_mod_fini(&fm);
}
