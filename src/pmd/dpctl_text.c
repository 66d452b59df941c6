// SPDX-License-Identifier: Apache-2.0
//
// One megaflow as text, for the dumps of dpctl and dpif, and names of ports.  Main thread.
#include "base/clock.h"
#include "flow/dpkey.h"
#include "pmd/dp_int.h"
#include "pmd/dpctl.h"

// --- names ----------------------------------------------------------------------------------

static const char *
port_name(const void *dp, odp_port_t odp)
{
    const struct dp_port *port = dp_port_find(dp, odp);

    return port ? port->name : odp == 0 ? dp_name(dp) : NULL;
}

static bool
port_lookup(const void *dp, const char *name, odp_port_t *odp)
{
    *odp = dp ? dp_port_by_name(dp, name) : ODPP_NONE;
    return *odp != ODPP_NONE;
}

struct dp_port_names
dpctl_names(const struct dp *dp, bool print)
{
    return (struct dp_port_names){
        .name = print ? port_name : NULL, .lookup = port_lookup, .aux = dp};
}

// --- flows ----------------------------------------------------------------------------------

static void
put_tcp_flags(struct text *t, uint16_t flags)
{
    static const struct {
        uint16_t bit;
        char letter;
    } letters[] = {{TCP_SYN, 'S'}, {TCP_FIN, 'F'}, {TCP_PSH, 'P'}, {TCP_RST, 'R'}, {TCP_URG, 'U'},
                   {TCP_ACK, '.'}, {TCP_ECE, 'E'}, {TCP_CWR, 'C'}, {TCP_NS, 'N'}};

    text_put(t, ", flags:");
    for (size_t i = 0; i < ARRAY_SIZE(letters); i++) {
        if (flags & letters[i].bit) {
            text_putc(t, letters[i].letter);
        }
    }
}

void
dpctl_put_stats(struct text *t, const struct dp_flow_stats *st)
{
    text_printf(t, "packets:%" PRIu64 ", bytes:%" PRIu64 ", used:", st->n_packets, st->n_bytes);
    if (st->used_ms) {
        text_printf(t, "%.3fs", (double)(clock_now_ms() - (int64_t)st->used_ms) / 1000);
    } else {
        text_put(t, "never");
    }
    if (st->tcp_flags) {
        put_tcp_flags(t, st->tcp_flags);
    }
}

// How many words of each kind the flow's lookup reads: what stands for a miniflow's size here.
static void
put_extra_info(struct text *t, const struct flow_mask *mask)
{
    text_printf(t, ", dp-extra-info:miniflow_bits(%d,0)",
                __builtin_popcountll(flow_words_map(&mask->bits)));
}

void
dp_flow_format(const struct dp *dp, const struct dp_flow *f, unsigned how, struct text *t)
{
    bool verbose = how & DP_FLOW_VERBOSE, with_names = how & DP_FLOW_NAMES;
    struct dp_port_names names = dpctl_names(dp, with_names);
    const struct dp_actions *actions = dp_flow_actions(f);
    struct uuid ufid = dp_flow_ufid(f);
    struct dp_flow_stats stats;
    char ufid_text[UUID_LEN + 1];
    struct flow_mask mask;
    struct flow key;

    dp_flow_get_key(f, &key, &mask);
    if (!f->cold || !f->cold->wild) {
        // A megaflow of a packet says its type.  The word is not in the mask, since no packet of
        // another type comes here.
        FLOW_MASK_SET(&mask, packet_type);
    }
    dp_flow_get_stats(f, &stats);
    if (verbose) {
        uuid_format(&ufid, ufid_text);
        text_printf(t, "ufid:%s%s ", ufid_text, how & DP_FLOW_OF_BRIDGE ? "" : ",");
    }
    dpkey_format(&key, &mask, &names, verbose, t);
    text_put(t, ", ");
    dpctl_put_stats(t, &stats);
    if (verbose && !(how & DP_FLOW_OF_BRIDGE)) {
        text_put(t, ", dp:ovs");
    }
    text_put(t, ", actions:");
    dp_actions_format(actions->data, actions->size, &names, t);
    if (verbose && !(how & DP_FLOW_OF_BRIDGE)) {
        put_extra_info(t, &mask);
    }
}
