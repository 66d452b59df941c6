// SPDX-License-Identifier: Apache-2.0
/*
 * packet_out.c - packets that controllers send, of their own or back after a pause: translated
 * here, in main, by the same code as any other packet, and then given to a PMD.
 */
#include <string.h>

#include "base/coverage.h"
#include "flow/extract.h"
#include "netdev/netdev.h"
#include "packet/packet.h"
#include "slowpath/slowpath_int.h"

COVERAGE_DEFINE(flow_extract);
COVERAGE_DEFINE(ofproto_packet_out);
COVERAGE_DEFINE(packet_out_no_buffer);

/* The datapath's side of the packet: where it came in, and what it carries beside its bytes. */
static void
metadata_init(struct packet_md *md, const struct slowpath *sp, const struct ofproto *ofproto,
              const struct ofproto_packet_out *po)
{
    const struct flow *f = po->metadata;
    const struct view_port *port = view_port(ofproto_view(ofproto), f->ofp_in_port);
    static const struct flow_tnl none;

    *md = (struct packet_md){.in_port = port ? port->odp_port : ODPP_NONE};
    if (po->resume && ofprotos_port_by_odp(sp->ofprotos, po->odp_port).ofproto) {
        md->in_port = po->odp_port;
    }
    md->pkt_mark = f->pkt_mark;
    md->ct_state = f->ct_state;
    md->ct_zone = f->ct_zone;
    md->ct_mark = f->ct_mark;
    memcpy(md->ct_label, f->ct_label, sizeof md->ct_label);
    md->has_tunnel = memcmp(&f->tunnel, &none, sizeof none) != 0;
    md->tunnel = f->tunnel;
}

void
packet_out_execute(void *slowpath_, struct ofproto *ofproto, const struct ofproto_packet_out *po)
{
    struct slowpath *sp = slowpath_;
    struct rte_mempool *pool = netdev_default_pool();
    struct rte_mbuf *m = pool ? packet_from_bytes(pool, po->data, (uint32_t)po->len) : NULL;
    struct packet_layers layers;
    struct packet_md md;
    struct flow_key key;
    struct flow flow;
    struct xlate_out out;

    coverage_inc(ofproto_packet_out);
    if (!m) {
        coverage_inc(packet_out_no_buffer);
        return;
    }
    metadata_init(&md, sp, ofproto, po);
    coverage_inc(flow_extract);
    if (key_extract_md(m, &md, &key, &layers) != EXTRACT_OK) {
        rte_pktmbuf_free(m);
        return;
    }
    flow_from_key(&key, &flow);
    for (unsigned i = FLOW_KEY_WORDS; i < FLOW_WORDS; i++) {
        flow.w[i] = po->metadata->w[i];
    }
    const struct xlate_in in = {
        .ofprotos = sp->ofprotos,
        .flow = &flow,
        .packet = m,
        .side_effects = true,
        .n_packets = 1,
        .n_bytes = po->len,
        .tcp_flags = ntohs(flow.tcp_flags),
        .ofproto = ofproto,
        .is_packet_out = !po->resume,
        .acts = po->acts,
        .acts_size = po->acts_size,
        .resume = po->resume,
    };

    xlate(&in, &out);
    dp_inject(sp->dp, DP_ANY_PMD, &m, 1, &key, &out.actions);
    xlate_out_fini(&out);
}
