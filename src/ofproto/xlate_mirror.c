// SPDX-License-Identifier: Apache-2.0
/*
 * xlate_mirror.c - mirrors (rows of Mirror): copies of what a logical port receives or sends go to an
 * output port, or flood a VLAN of their own.
 *
 * Each mirror takes a packet once, however many selected ports it passes.
 */
#include "base/bitmap.h"
#include "ofproto/xlate_int.h"

static bool
selects_vlan(struct xlate_ctx *ctx, const struct view_mirror *m)
{
    if (m->all_vlans) {
        return true;
    }
    ctx->wc->bits.vlans[0].tci |= htons(VLAN_VID_MASK | VLAN_CFI);
    return bitmap_is_set(m->vlans, ntohs(ctx->flow.vlans[0].tci) & VLAN_VID_MASK);
}

/* Floods 'vlan' with the packet, as if it had come from a trunk. */
static void
output_vlan(struct xlate_ctx *ctx, uint16_t vlan, uint32_t truncate)
{
    for (size_t i = 0; i < ctx->view->n_bundles; i++) {
        const struct view_bundle *b = &ctx->view->bundles[i];

        if (xlate_vlan_includes(ctx, NULL, b, vlan)) {
            xlate_output_bundle(ctx, NULL, b, vlan, truncate);
        }
    }
}

static void
mirror_one(struct xlate_ctx *ctx, const struct view_mirror *m)
{
    uint16_t vlan = ntohs(ctx->flow.vlans[0].tci) & VLAN_VID_MASK;
    struct xc_entry *e;

    if (m->out) {
        xlate_output_bundle(ctx, NULL, m->out, vlan, m->snaplen);
    } else if (m->out_vlan >= 0 && vlan != m->out_vlan) {
        output_vlan(ctx, (uint16_t)m->out_vlan, m->snaplen);
    } else {
        return;
    }
    e = xlate_credit_add(ctx, XC_MIRROR);
    if (e) {
        e->mirror = m->stats;
    }
}

static void
mirror(struct xlate_ctx *ctx, uint32_t wanted)
{
    wanted &= ~ctx->mirrors;
    for (; wanted; wanted &= wanted - 1) {
        unsigned i = (unsigned)__builtin_ctz(wanted);

        if (i < ctx->view->n_mirrors && selects_vlan(ctx, &ctx->view->mirrors[i])) {
            ctx->mirrors |= 1u << i;
            mirror_one(ctx, &ctx->view->mirrors[i]);
        }
    }
}

void
xlate_mirror_in(struct xlate_ctx *ctx)
{
    const struct view_port *port = view_port(ctx->view, ctx->flow.ofp_in_port);

    if (port && port->bundle && port->bundle->src_mirrors) {
        mirror(ctx, port->bundle->src_mirrors);
    }
}

void
xlate_mirror_out(struct xlate_ctx *ctx, const struct view_port *port)
{
    if (port->bundle && port->bundle->dst_mirrors) {
        mirror(ctx, port->bundle->dst_mirrors);
    }
}
