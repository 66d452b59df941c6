// SPDX-License-Identifier: Apache-2.0
/*
 * xlate_own.c - what is for the switch itself, whatever the tables say: frames of LACP, and what
 * DHCP answers to a bridge whose controllers are reached through it.
 */
#include <rte_mbuf.h>

#include "ofproto/lacp.h"
#include "ofproto/xlate_int.h"

enum { DHCP_SERVER_PORT = 67, DHCP_CLIENT_PORT = 68 };

/* Only the first translation of a frame counts it.  The mask has the Ethernet type already. */
bool
xlate_take_lacp(struct xlate_ctx *ctx, const struct view_port *port)
{
    const struct xlate_in *in = ctx->in;
    const struct flow *f = &ctx->flow;
    uint8_t bytes[LACP_PDU_SIZE];
    uint32_t at = ETH_HEADER_SIZE, len;

    if (!port || !port->bundle || !port->bundle->has_lacp || !flow_dl_type_is(f, ETH_TYPE_LACP)) {
        return false;
    }
    ctx->out->slow |= DP_SLOW_LACP;
    if (in->side_effects && in->packet) {
        at += (uint32_t)flow_n_vlans(f) * VLAN_TAG_SIZE;
        len = rte_pktmbuf_pkt_len(in->packet);
        len = len > at ? MIN(len - at, (uint32_t)sizeof bytes) : 0;
        ofproto_lacp_in(ctx->view->ofproto, port->ofp_port,
                        len ? rte_pktmbuf_read(in->packet, at, len, bytes) : NULL, len);
    }
    return true;
}

/* True if a port of UDP is 'want'.  Where it is not, the mask gets the highest bit that tells so,
 * and no more: flows of all other ports stay few. */
static bool
udp_port_is(rte_be16_t port, uint16_t want, rte_be16_t *mask)
{
    uint32_t differs = (uint32_t)rte_be_to_cpu_16(port) ^ want;

    if (!differs) {
        *mask = UINT16_MAX;
        return true;
    }
    *mask |= rte_cpu_to_be_16((uint16_t)(1U << (31 - __builtin_clz(differs))));
    return false;
}

static bool
outputs_to(const struct dp_actions *acts, odp_port_t port)
{
    DP_ACTION_FOREACH (a, acts->data, acts->size) {
        if (a->type == DP_ACT_OUTPUT && ((const struct dp_act_port *)a)->port == port) {
            return true;
        }
    }
    return false;
}

/* As the deployed switch has it, the reply goes there whomever it is for: the bridge's address is
 * not known here.  What the tables say goes on as well. */
void
xlate_dhcp_to_local(struct xlate_ctx *ctx)
{
    const struct view_port *local = ctx->view->local;
    const struct flow *f = &ctx->flow;
    bool of_bond = ctx->thawed && ctx->thawed->state.bundle != FROZEN_NO_BUNDLE; /* had it before */

    if (!ctx->view->is_in_band || !local || f->ofp_in_port == local->ofp_port || of_bond ||
        ctx->in_at_mirror || !flow_dl_type_is(f, ETH_TYPE_IP)) {
        return;
    }
    FLOW_MASK_SET(ctx->wc, nw_proto);
    if (f->nw_proto == IP_PROTO_UDP && !(f->nw_frag & NW_FRAG_LATER) &&
        udp_port_is(f->tp_src, DHCP_SERVER_PORT, &ctx->wc->bits.tp_src) &&
        udp_port_is(f->tp_dst, DHCP_CLIENT_PORT, &ctx->wc->bits.tp_dst) &&
        !outputs_to(&ctx->out->actions, local->odp_port)) {
        xlate_report(ctx, TRACE_DETAIL, "a DHCP reply, perhaps to this bridge itself");
        xlate_output_port(ctx, local, 0);
    }
}
