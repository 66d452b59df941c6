// SPDX-License-Identifier: Apache-2.0
/*
 * trace_ctl.c - ofproto/trace and ofproto/trace-packet-out: what would the switch do with this
 * packet?
 *
 * The translation is the handlers' own (xlate.h), with a sink for remarks.  The packet comes as an
 * OpenFlow flow and a bridge, or as a datapath flow; with -generate or with the packet's bytes in
 * hex, the side effects happen too.  Main thread.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "flow/compose.h"
#include "flow/dpkey.h"
#include "flow/extract.h"
#include "flow/match.h"
#include "ofproto/bond.h"
#include "ofproto/ofconn.h"
#include "ofproto/xlate_int.h"
#include "openflow/ofp_text.h"
#include "packet/packet.h"
#include "rpc/unixctl.h"

enum {
    MAX_FRAME = 65535,
    MAX_WORDS = 3, /* besides options */
};

struct request {
    struct ofprotos *all;
    struct ofproto *ofproto;
    struct flow flow;
    struct ofpacts acts;
    bool is_packet_out;
    bool with_names;
    bool generate;
    uint8_t *frame;
    uint32_t frame_size;
    char *error;
};

/* --- names of ports ----------------------------------------------------------------------------
 */

static bool
lookup_ofp_port(const void *view, const char *name, ofp_port_t *port)
{
    const struct view_port *p = view_port_by_name(view, name);

    if (p) {
        *port = p->ofp_port;
    }
    return p;
}

static const char *
name_odp_port(const void *all, odp_port_t odp_port)
{
    struct ofproto_port_ref ref = ofprotos_port_by_odp(all, odp_port);
    const struct view_port *p =
        ref.ofproto ? view_port(ofproto_view(ref.ofproto), ref.ofp_port) : NULL;

    return p ? p->name : NULL;
}

static bool
lookup_odp_port(const void *all, const char *name, odp_port_t *port)
{
    for (struct ofproto *p = ofprotos_first(all); p; p = ofprotos_next(p)) {
        const struct view_port *vp = view_port_by_name(ofproto_view(p), name);

        if (vp && vp->odp_port != ODPP_NONE) {
            *port = vp->odp_port;
            return true;
        }
    }
    return false;
}

/* --- arguments ---------------------------------------------------------------------------------
 */

static void
parse_ofp_flow(struct request *r, const char *bridge, const char *text)
{
    struct mf_port_names names = {.lookup = lookup_ofp_port};
    const struct view_port *port;
    char *error;

    r->ofproto = ofprotos_find(r->all, bridge);
    if (!r->ofproto) {
        r->error = xasprintf("%s: unknown bridge", bridge);
        return;
    }
    names.aux = ofproto_view(r->ofproto);
    names.options = ofproto_options(r->ofproto);
    error = flow_parse(&r->flow, text, &names);
    if (error) {
        r->error = xasprintf("Bad openflow flow syntax: %s: %s", text, error);
        free(error);
        return;
    }
    if (!r->flow.ofp_in_port) {
        r->flow.ofp_in_port = OFPP_NONE;
    }
    port = view_port(ofproto_view(r->ofproto), r->flow.ofp_in_port);
    r->flow.in_port = port ? port->odp_port : ODPP_NONE;
}

/* The bridge and port of a recirculated packet are where its translation stopped. */
static void
find_frozen(struct request *r)
{
    struct frozen *frozen = frozen_find(ofprotos_frozens(r->all), r->flow.recirc_id);

    r->ofproto = frozen ? frozen_bridge(frozen) : NULL;
    if (r->ofproto) {
        struct flow then = {0};

        memcpy(&then.w[FLOW_KEY_WORDS], frozen->state.pipeline, sizeof frozen->state.pipeline);
        r->flow.ofp_in_port = then.ofp_in_port;
    } else {
        r->error = xasprintf("no recirculation data for recirc_id %#x", r->flow.recirc_id);
    }
    frozen_unref(frozen);
}

/* The bridge and port of the datapath flow in 'r', which was read from 'text'. */
static void
find_odp_port(struct request *r, const char *text)
{
    struct ofproto_port_ref ref;

    if (r->flow.recirc_id) {
        find_frozen(r);
        return;
    }
    if (!strstr(text, "in_port(")) {
        r->flow.in_port = ODPP_NONE;
    }
    ref = ofprotos_port_by_odp(r->all, r->flow.in_port);
    if (!ref.ofproto) {
        r->error = xasprintf("no OpenFlow port for datapath port %u", r->flow.in_port);
        return;
    }
    r->ofproto = ref.ofproto;
    r->flow.ofp_in_port = ref.ofp_port;
}

static int
hex_digit(char c)
{
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

/* Takes the frame from pairs of hex digits, with white space between them or not.  NULL, or what is
 * wrong with the text. */
static const char *
parse_frame(struct request *r, const char *text)
{
    uint8_t *frame = xmalloc(MAX_FRAME);
    const char *error = NULL;
    uint32_t size = 0;

    for (const char *s = text; *(s += strspn(s, " \t\r\n")) && !error; s += 2) {
        int high = hex_digit(s[0]), low = high < 0 ? -1 : hex_digit(s[1]);

        if (low < 0) {
            error = "Trailing garbage in packet data";
        } else if (size == MAX_FRAME) {
            error = "Packet data is longer than any frame";
        } else {
            frame[size++] = (uint8_t)(high << 4 | low);
        }
    }
    if (!error && size < ETH_HEADER_SIZE) {
        error = "Packet data too short for Ethernet";
    }
    if (error) {
        free(frame);
    } else {
        r->frame = frame;
        r->frame_size = size;
        r->generate = true;
    }
    return error;
}

/* "ovs-netdev", "netdev@ovs-netdev", "netdev". */
static bool
is_dp_name(const struct ofprotos *all, const char *s)
{
    const struct dp *dp = ofprotos_dp(all);
    size_t n = dp ? strlen(dp_type(dp)) : 0;

    return dp && (!strcmp(s, dp_name(dp)) || !strcmp(s, dp_type(dp)) ||
                  (!strncmp(s, dp_type(dp), n) && s[n] == '@' && !strcmp(s + n + 1, dp_name(dp))));
}

/* Takes options out of 'argv'; returns the number of what is left in 'words'. */
static int
take_options(struct request *r, int argc, const char *argv[], const char *words[MAX_WORDS])
{
    int n = 0;

    for (int i = 1; i < argc && !r->error; i++) {
        if (!strcmp(argv[i], "-generate") || !strcmp(argv[i], "--generate")) {
            r->generate = true;
        } else if (!strcmp(argv[i], "--names")) {
            r->with_names = true;
        } else if (!strcmp(argv[i], "--no-names")) {
            r->with_names = false;
        } else if (r->is_packet_out &&
                   (!strcmp(argv[i], "-consistent") || !strcmp(argv[i], "--consistent"))) {
            continue;
        } else if (!strcmp(argv[i], "--ct-next")) {
            if (++i == argc) { /* Nothing recirculates through conntrack. */
                r->error = xstrdup("Missing argument for option --ct-next");
            }
        } else if (argv[i][0] == '-') {
            r->error = xasprintf("%s: unknown option", argv[i]);
        } else if (n < MAX_WORDS) {
            words[n++] = argv[i];
        } else {
            r->error = xstrdup("too many arguments");
        }
    }
    return n;
}

/* Takes the frame off the end of 'words', if there is one; returns the number of the others. */
static int
take_frame_word(struct request *r, const char *words[MAX_WORDS], int n)
{
    const char *error;

    if (n == 0 || (n == MAX_WORDS && r->generate)) {
        r->error = xstrdup("Syntax error");
    } else if (n == MAX_WORDS) {
        error = parse_frame(r, words[--n]);
        r->error = error ? xstrdup(error) : NULL;
    } else if (n == MAX_WORDS - 1 && !r->generate && !parse_frame(r, words[n - 1])) {
        n--;
    }
    return n;
}

/* A word: a datapath flow.  Two: a datapath and its flow, or a bridge and an OpenFlow flow. */
static void
parse_flow(struct request *r, const char *words[MAX_WORDS], int n)
{
    const struct dp_port_names names = {.lookup = lookup_odp_port, .aux = r->all};
    struct flow_mask
        mask; /* Lines of dpctl/dump-flows have them; the values are a packet of theirs. */
    char *error = dpkey_parse(words[n - 1], &names, &r->flow, &mask);

    if (!error && !r->flow.dl_type && !r->flow.packet_type) {
        r->flow.dl_type = RTE_BE16(ETH_TYPE_NONE);
    }
    if (!error && n > 1 && !is_dp_name(r->all, words[0])) {
        r->error = xstrdup("Cannot find the datapath");
    } else if (!error) {
        find_odp_port(r, words[n - 1]);
    } else if (n == 1) {
        r->error = xasprintf("%s (or the bridge name was omitted)", error);
    } else if (is_dp_name(r->all, words[0]) && !ofprotos_find(r->all, words[0])) {
        r->error = xasprintf("Bad datapath flow syntax: %s: %s", words[1], error);
    } else {
        parse_ofp_flow(r, words[0], words[1]);
    }
    free(error);
}

static void
parse_request(struct request *r, int argc, const char *argv[])
{
    const char *words[MAX_WORDS];
    int n;

    if (r->is_packet_out) {
        r->error = ofpacts_parse(argv[--argc], NULL, false, &r->acts);
        if (r->error) {
            return;
        }
    }
    n = take_options(r, argc, argv, words);
    if (!r->error) {
        n = take_frame_word(r, words, n);
    }
    if (!r->error) {
        parse_flow(r, words, n);
    }
    if (!r->error) {
        enum ofperr bad = ofconn_check_acts(r->ofproto, &r->acts, NULL, 0, OFP10_VERSION);

        r->error = bad ? xasprintf("Bad actions: %s", ofperr_name(bad)) : NULL;
    }
}

/* --- the packet --------------------------------------------------------------------------------
 */

/* Given bytes say what the packet is; the flow keeps its metadata. */
static void
take_frame(struct request *r)
{
    struct packet_md md;
    struct packet_layers ly;
    struct flow flow;

    packet_md_from_flow(&r->flow, &md);
    if (flow_extract_bytes(r->frame, r->frame_size, &md, &flow, &ly) != EXTRACT_OK) {
        return;
    }
    for (unsigned i = FLOW_KEY_WORDS; i < FLOW_WORDS; i++) {
        flow.w[i] = r->flow.w[i];
    }
    r->flow = flow;
}

static struct rte_mbuf *
make_packet(struct request *r)
{
    struct rte_mempool *pool = netdev_default_pool();
    struct rte_mbuf *m;

    if (!pool || !r->generate) {
        return NULL;
    }
    if (!r->frame) {
        r->frame = xmalloc(MAX_FRAME);
        r->frame_size = flow_compose(&r->flow, r->frame, MAX_FRAME, FLOW_PAYLOAD);
    }
    m = r->frame_size ? packet_from_bytes(pool, r->frame, r->frame_size) : NULL;
    return m;
}

/* A tag in the text says nothing of its TPID. */
static void
complete_flow(struct flow *flow)
{
    for (int i = 0; i < FLOW_MAX_VLANS; i++) {
        struct flow_vlan *v = &flow->vlans[i];

        if (v->tci & htons(VLAN_CFI) && !v->tpid) {
            v->tpid = htons(ETH_TYPE_VLAN);
        } else if (!(v->tci & htons(VLAN_CFI))) {
            v->tpid = v->tci = 0;
        }
    }
}

/* --- the answer --------------------------------------------------------------------------------
 */

static void
put_megaflow(struct text *t, const struct flow *flow, const struct flow_mask *mask,
             const struct mf_port_names *names)
{
    struct flow_mask m = *mask;
    struct match match;

    /* The datapath's port is the OpenFlow port here, and a tag that is not there goes without
     * saying. */
    FLOW_MASK_CLEAR(&m, in_port);
    FLOW_MASK_SET(&m, ofp_in_port);
    FLOW_MASK_SET(&m, packet_type);
    for (int i = 0; i < FLOW_MAX_VLANS; i++) {
        if (!flow->vlans[i].tci) {
            memset(&m.bits.vlans[i], 0, sizeof m.bits.vlans[i]);
        }
        m.bits.vlans[i].tpid = 0;
    }
    match_init(&match, flow, &m);
    text_put(t, "Megaflow: ");
    match_format(&match, names, t, MATCH_NO_PRIORITY);
    text_putc(t, '\n');
}

static void
put_slow(struct text *t, uint32_t slow)
{
    if (slow & (DP_SLOW_ACTION | DP_SLOW_MATCH | DP_SLOW_LACP)) {
        text_put(t, "This flow is handled by the userspace slow path because it:\n");
        if (slow & DP_SLOW_LACP) {
            text_put(t, "  - Consists of LACP packets.\n");
        }
        if (slow & DP_SLOW_ACTION) {
            text_put(t, "  - Uses action(s) not supported by datapath.\n");
        }
        if (slow & DP_SLOW_MATCH) {
            text_put(t, "  - Needs more specific matching than the datapath supports.\n");
        }
    }
}

static void
format_result(const struct request *r, const struct xlate_trace *trace, const struct xlate_out *out,
              struct text *t)
{
    struct mf_port_names names = {.name = xlate_port_name, .aux = ofproto_view(r->ofproto)};
    const struct dp_port_names dp_names = {.name = name_odp_port, .aux = r->all};
    const struct mf_port_names *n = r->with_names ? &names : NULL;
    struct flow first = r->flow, final = out->final_flow;
    const bool has_set_output = final.actset_output != OFPP_UNSET; /* a change that is not shown */

    text_put(t, "Flow: ");
    flow_format(&r->flow, n, t);
    text_putc(t, '\n');
    xlate_trace_format(trace, t);
    text_put(t, "\nFinal flow: ");
    first.actset_output = final.actset_output = 0;
    if (flow_equal(&first, &final) && !has_set_output) {
        text_put(t, "unchanged");
    } else {
        flow_format(&final, n, t);
    }
    text_putc(t, '\n');
    put_megaflow(t, &r->flow, &out->mask, n);
    text_put(t, "Datapath actions: ");
    dp_actions_format(out->actions.data, out->actions.size, r->with_names ? &dp_names : NULL, t);
    text_putc(t, '\n');
    if (out->error) {
        text_printf(t, "Translation failed (%s), packet is dropped.\n", xlate_out_error_text(out));
    }
    put_slow(t, out->slow);
}

static void
trace(struct unixctl_conn *conn, struct request *r)
{
    struct xlate_trace sink;
    struct xlate_out out;
    struct text t = {0};
    struct rte_mbuf *packet;

    if (r->frame) {
        take_frame(r);
    }
    complete_flow(&r->flow);
    packet = make_packet(r);
    xlate_trace_init(&sink);
    sink.with_names = r->with_names;
    const struct xlate_in in = {
        .ofprotos = r->all,
        .flow = &r->flow,
        .packet = packet,
        .side_effects = r->generate,
        .ofproto = r->ofproto,
        .is_packet_out = r->is_packet_out,
        .acts = ofpacts_data(&r->acts),
        .acts_size = r->acts.size,
        .trace = &sink,
    };

    xlate(&in, &out);
    format_result(r, &sink, &out, &t);
    unixctl_reply(conn, text_cstr(&t));
    text_fini(&t);
    xlate_out_fini(&out);
    xlate_trace_fini(&sink);
    rte_pktmbuf_free(packet);
}

static void
run_trace(struct unixctl_conn *conn, int argc, const char *argv[], struct ofprotos *all,
          bool is_packet_out)
{
    struct request r = {.all = all, .is_packet_out = is_packet_out};

    parse_request(&r, argc, argv);
    if (r.error) {
        unixctl_reply_error(conn, r.error);
    } else {
        trace(conn, &r);
    }
    free(r.error);
    free(r.frame);
    ofpacts_fini(&r.acts);
}

static void
ofproto_trace(struct unixctl_conn *conn, int argc, const char *argv[], void *all)
{
    run_trace(conn, argc, argv, all, false);
}

static void
ofproto_trace_packet_out(struct unixctl_conn *conn, int argc, const char *argv[], void *all)
{
    run_trace(conn, argc, argv, all, true);
}

void
xlate_ctl_init(struct ofprotos *all)
{
    fdb_ctl_init(all);
    bond_ctl_init(all);
    lacp_ctl_init(all);
    unixctl_register("ofproto/trace",
                     "{[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet]", 1,
                     INT_MAX, ofproto_trace, all);
    unixctl_register("ofproto/trace-packet-out",
                     "[-consistent] {[dp_name] odp_flow | bridge br_flow} [OPTIONS...] "
                     "[-generate|packet] actions",
                     2, INT_MAX, ofproto_trace_packet_out, all);
}
