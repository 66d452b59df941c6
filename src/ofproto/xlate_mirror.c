// SPDX-License-Identifier: Apache-2.0
/*
 * xlate_mirror.c - mirrors (rows of Mirror): copies of what a logical port receives or sends go to
 * an output port, or flood a VLAN of their own.
 *
 * Each mirror takes a packet once, however many selected ports it passes.
 */
#include "base/bitmap.h"
#include "ofproto/xlate_int.h"

static bool
selects_vlan(const struct view_mirror *m, uint16_t vlan)
{
    return m->all_vlans || bitmap_is_set(m->vlans, vlan);
}

/* Floods 'vlan' with the packet. */
static void
output_vlan(struct xlate_ctx *ctx, const struct view_bundle *at, uint16_t vlan, uint32_t truncate)
{
    for (size_t i = 0; i < ctx->view->n_bundles; i++) {
        const struct view_bundle *b = &ctx->view->bundles[i];

        if (!b->out_mirrors && xlate_vlan_includes(ctx, at, b, vlan)) {
            xlate_output_bundle(ctx, at, b, vlan, truncate);
        }
    }
}

/* A copy of what neighbours tell each other would be taken for it where it comes out. */
static bool
may_flood(struct xlate_ctx *ctx)
{
    FLOW_MASK_SET(ctx->wc, dl_dst);
    return !xlate_is_reserved(&ctx->flow.dl_dst);
}

static void
mirror_one(struct xlate_ctx *ctx, const struct view_mirror *m, const struct view_bundle *at,
           uint16_t vlan)
{
    struct xc_entry *e;

    if (m->out) {
        xlate_output_bundle(ctx, at, m->out, vlan, m->snaplen);
    } else if (m->out_vlan >= 0 && vlan != m->out_vlan && may_flood(ctx)) {
        output_vlan(ctx, at, (uint16_t)m->out_vlan, m->snaplen);
    } else {
        return;
    }
    e = xlate_credit_add(ctx, XC_MIRROR);
    if (e) {
        e->mirror = m->stats;
    }
}

/* The mirrors that send where 'm' sends: a packet goes there once. */
static uint32_t
with_same_output(const struct ofproto_view *view, const struct view_mirror *m)
{
    uint32_t found = 0;

    for (unsigned i = 0; i < view->n_mirrors; i++) {
        const struct view_mirror *o = &view->mirrors[i];

        found |= o->out == m->out && o->out_vlan == m->out_vlan ? 1u << i : 0;
    }
    return found;
}

/* The packet passes 'at', in or out: its VLAN is the one that it would come in with there. */
static void
mirror(struct xlate_ctx *ctx, const struct view_bundle *at, uint32_t wanted)
{
    uint16_t vlan;

    wanted &= ~ctx->mirrors;
    if (!wanted || !xlate_vlan_input(ctx, at, &vlan)) {
        return;
    }
    while (wanted) {
        unsigned i = (unsigned)__builtin_ctz(wanted);

        wanted &= wanted - 1;
        if (i < ctx->view->n_mirrors && selects_vlan(&ctx->view->mirrors[i], vlan)) {
            ctx->mirrors |= with_same_output(ctx->view, &ctx->view->mirrors[i]);
            mirror_one(ctx, &ctx->view->mirrors[i], at, vlan);
            wanted &= ~ctx->mirrors; /* The copy may have been copied by others of them. */
        }
    }
}

void
xlate_mirror_in(struct xlate_ctx *ctx)
{
    const struct view_port *port = view_port(ctx->view, ctx->flow.ofp_in_port);

    if (port && port->bundle && port->bundle->src_mirrors) {
        mirror(ctx, port->bundle, port->bundle->src_mirrors);
    }
}

void
xlate_mirror_out(struct xlate_ctx *ctx, const struct view_port *port)
{
    if (port->bundle && port->bundle->dst_mirrors) {
        mirror(ctx, port->bundle, port->bundle->dst_mirrors);
    }
}
