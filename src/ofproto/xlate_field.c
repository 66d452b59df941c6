// SPDX-License-Identifier: Apache-2.0
/*
 * xlate_field.c - actions that change what the pipeline knows of the packet.
 *
 * Nothing is sent to the datapath here: xlate_commit() does that before the next output.  What an
 * action overwrites becomes part of the mask, because whether the datapath has to change it depends
 * on what it was.
 */
#include <stdlib.h>
#include <string.h>

#include "flow/option.h"
#include "ofproto/xlate_int.h"
#include "openflow/ofp_packet.h"

static bool
has_vlan(const struct flow *flow)
{
    return flow->vlans[0].tci & htons(VLAN_CFI);
}

/* How many tags there are decides what is popped and pushed. */
static void
mask_vlan_count(struct xlate_ctx *ctx)
{
    for (int i = 0; i < FLOW_MAX_VLANS; i++) {
        ctx->wc->bits.vlans[i].tci |= htons(VLAN_CFI);
    }
}

static void
set_vlan_bits(struct xlate_ctx *ctx, uint16_t value, uint16_t mask, bool push)
{
    struct flow_vlan *v = &ctx->flow.vlans[0];

    mask_vlan_count(ctx);
    ctx->wc->bits.vlans[0].tci |= htons(mask | VLAN_CFI);
    if (has_vlan(&ctx->flow)) {
        v->tci = (v->tci & htons((uint16_t)~mask)) | htons(value | VLAN_CFI);
    } else if (push) {
        v->tpid = htons(ETH_TYPE_VLAN);
        v->tci = htons(value | VLAN_CFI);
    }
}

void
xlate_set_vlan_vid(struct xlate_ctx *ctx, uint16_t vid, bool push)
{
    set_vlan_bits(ctx, vid & VLAN_VID_MASK, VLAN_VID_MASK, push);
}

void
xlate_set_vlan_pcp(struct xlate_ctx *ctx, uint8_t pcp, bool push)
{
    set_vlan_bits(ctx, (uint16_t)(pcp << VLAN_PCP_SHIFT), VLAN_PCP_MASK, push);
}

/* The inner tag becomes the outer one.  Who looks at that from now on marks it as the outer one, so
 * the inner one is marked here. */
void
xlate_remove_tag(struct xlate_ctx *ctx)
{
    if (ctx->flow.vlans[1].tci & htons(VLAN_CFI)) {
        FLOW_MASK_SET(ctx->wc, vlans[1]);
    }
    flow_pop_vlan(&ctx->flow);
}

void
xlate_pop_vlan(struct xlate_ctx *ctx)
{
    mask_vlan_count(ctx);
    if (has_vlan(&ctx->flow)) {
        /* A tag that is put in its place later may be the same: then nothing is to be done. */
        FLOW_MASK_SET(ctx->wc, vlans[0]);
        xlate_remove_tag(ctx);
    }
}

void
xlate_push_vlan(struct xlate_ctx *ctx, uint16_t ethertype)
{
    mask_vlan_count(ctx);
    if (flow_n_vlans(&ctx->flow) == FLOW_MAX_VLANS) {
        /* The inner tag goes out of sight, but comes back when tags are popped. */
        FLOW_MASK_SET(ctx->wc, vlans[0]);
        FLOW_MASK_SET(ctx->wc, vlans[1]);
    }
    if (!flow_push_vlan(&ctx->flow, htons(ethertype), htons(VLAN_CFI))) {
        xlate_report_error(ctx, "more than %d VLAN tags: none is pushed", FLOW_VLAN_STACK);
    }
}

/* True if the packet has the field. */
static bool
field_is_there(struct xlate_ctx *ctx, const struct mf_field *mf)
{
    return mf->prereqs == MF_PRE_NONE || mf_prereqs_ok(mf, &ctx->flow, ctx->wc);
}

static bool
is_vlan_field(enum mf_id id)
{
    return id == MF_VLAN_TCI || id == MF_DL_VLAN || id == MF_VLAN_VID || id == MF_DL_VLAN_PCP ||
           id == MF_VLAN_PCP;
}

/* Writing a tag whose "present" bit stays clear must not leave half a tag. */
static void
fix_vlan(struct xlate_ctx *ctx)
{
    struct flow_vlan *v = &ctx->flow.vlans[0];

    if (!v->tci) {
        xlate_remove_tag(ctx);
    } else if (!v->tpid) {
        v->tpid = htons(ETH_TYPE_VLAN);
        v->tci |= htons(VLAN_CFI);
    }
}

void
xlate_set_field(struct xlate_ctx *ctx, const struct ofpact_set_field *a)
{
    const struct mf_field *mf = mf_from_id((enum mf_id)a->field);
    union mf_value value = {0}, mask = {0};

    if (!field_is_there(ctx, mf)) {
        return;
    }
    memcpy(&value, ofpact_set_field_value(a), mf->n_bytes);
    memcpy(&mask, ofpact_set_field_mask(a), mf->n_bytes);
    mf_mask_field_masked(mf, &mask, ctx->wc);
    mf_set_flow_value_masked(mf, &value, &mask, &ctx->flow);
    if (is_vlan_field(mf->id)) {
        mask_vlan_count(ctx);
        fix_vlan(ctx);
    }
}

void
xlate_reg_move(struct xlate_ctx *ctx, const struct ofpact_reg_move *a)
{
    union mf_value bits;

    if (!field_is_there(ctx, a->dst.field) || !field_is_there(ctx, a->src.field)) {
        return;
    }
    mf_mask_subfield(&a->src, ctx->wc);
    mf_mask_subfield(&a->dst, ctx->wc);
    mf_read_subfield(&a->src, &ctx->flow, &bits);
    mf_write_subfield(&a->dst, &bits, &ctx->flow);
    if (is_vlan_field(a->dst.field->id)) {
        mask_vlan_count(ctx);
        fix_vlan(ctx);
    }
    xlate_report_subfield(ctx, &a->dst);
}

void
xlate_delete_field(struct xlate_ctx *ctx, const struct ofpact_delete_field *a)
{
    const struct mf_field *mf = mf_from_id((enum mf_id)a->field);

    mf_option_delete(mf, &ctx->flow);
    xlate_report(ctx, TRACE_DETAIL, "delete %s", mf->name);
}

/* Each entry of the stack is 128 bits. */
void
xlate_stack_push(struct xlate_ctx *ctx, const struct ofpact_stack *a)
{
    union mf_value bits;

    if (ctx->stack.n * 8 >= XLATE_MAX_STACK) {
        xlate_report_error(ctx, "over %d kB of stack", XLATE_MAX_STACK / 1024);
        xlate_fail(ctx, XLATE_STACK_TOO_DEEP);
        return;
    }
    mf_mask_subfield(&a->subfield, ctx->wc);
    mf_read_subfield(&a->subfield, &ctx->flow, &bits);
    memcpy(xlate_words_put(&ctx->stack, 2), bits.w, sizeof bits.w);
}

struct xlate_stack_copy
xlate_stack_save(const struct xlate_ctx *ctx)
{
    struct xlate_stack_copy copy = {.n = ctx->stack.n};

    if (copy.n) {
        copy.w = xreallocarray(NULL, copy.n, sizeof *copy.w);
        memcpy(copy.w, ctx->stack.w, copy.n * sizeof *copy.w);
    }
    return copy;
}

void
xlate_stack_restore(struct xlate_ctx *ctx, struct xlate_stack_copy *copy)
{
    ctx->stack.n = 0;
    if (copy->n) {
        memcpy(xlate_words_put(&ctx->stack, copy->n), copy->w, copy->n * sizeof *copy->w);
    }
    free(copy->w);
    *copy = (struct xlate_stack_copy){0};
}

void
xlate_stack_pop(struct xlate_ctx *ctx, const struct ofpact_stack *a)
{
    union mf_value bits;

    if (ctx->stack.n < 2) {
        xlate_report_error(ctx, "stack underflow");
        return;
    }
    ctx->stack.n -= 2;
    memcpy(bits.w, &ctx->stack.w[ctx->stack.n], sizeof bits.w);
    if (field_is_there(ctx, a->subfield.field)) {
        mf_mask_subfield(&a->subfield, ctx->wc);
        mf_write_subfield(&a->subfield, &bits, &ctx->flow);
        if (is_vlan_field(a->subfield.field->id)) {
            mask_vlan_count(ctx);
            fix_vlan(ctx);
        }
        xlate_report_subfield(ctx, &a->subfield);
    }
}

void
xlate_set_ipv4(struct xlate_ctx *ctx, const struct ofpact_ipv4 *a, bool is_src)
{
    if (!flow_dl_type_is(&ctx->flow, ETH_TYPE_IP)) {
        return;
    }
    if (is_src) {
        FLOW_MASK_SET(ctx->wc, nw_src);
        ctx->flow.nw_src = a->ipv4;
    } else {
        FLOW_MASK_SET(ctx->wc, nw_dst);
        ctx->flow.nw_dst = a->ipv4;
    }
}

void
xlate_set_ip_byte(struct xlate_ctx *ctx, const struct ofpact_u8 *a)
{
    struct flow *f = &ctx->flow;

    if (!flow_is_ip(f)) {
        return;
    }
    if (a->ofpact.type == OFPACT_SET_IP_DSCP) {
        ctx->wc->bits.nw_tos |= IP_DSCP_MASK;
        f->nw_tos = (uint8_t)((f->nw_tos & ~IP_DSCP_MASK) | (a->value & IP_DSCP_MASK));
    } else if (a->ofpact.type == OFPACT_SET_IP_ECN) {
        ctx->wc->bits.nw_tos |= IP_ECN_MASK;
        f->nw_tos = (uint8_t)((f->nw_tos & ~IP_ECN_MASK) | (a->value & IP_ECN_MASK));
    } else {
        ctx->wc->bits.nw_ttl = UINT8_MAX;
        f->nw_ttl = a->value;
    }
}

/* OpenFlow's "transport port" is also an ICMP message's type or code. */
void
xlate_set_l4_port(struct xlate_ctx *ctx, const struct ofpact_l4_port *a, bool is_src)
{
    struct flow *f = &ctx->flow;

    if (!flow_is_ip(f) || f->nw_frag & NW_FRAG_LATER) {
        return;
    }
    FLOW_MASK_SET(ctx->wc, nw_proto);
    if (is_src) {
        FLOW_MASK_SET(ctx->wc, tp_src);
        f->tp_src = htons(a->port);
    } else {
        FLOW_MASK_SET(ctx->wc, tp_dst);
        f->tp_dst = htons(a->port);
    }
}

bool
xlate_dec_ttl(struct xlate_ctx *ctx, const struct ofpact_cnt_ids *a)
{
    struct flow *f = &ctx->flow;

    if (!flow_is_ip(f)) {
        return false;
    }
    ctx->wc->bits.nw_ttl = UINT8_MAX;
    if (f->nw_ttl > 1) {
        f->nw_ttl--;
        return false;
    }
    xlate_report(ctx, TRACE_WARN, "IPv%d decrement TTL exception",
                 flow_dl_type_is(f, ETH_TYPE_IP) ? 4 : 6);
    for (uint32_t i = 0; i < a->n_controllers; i++) {
        const struct xlate_to_controller to = {
            .max_len = UINT16_MAX,
            .controller_id = a->ids[i],
            .reason = OFPR_INVALID_TTL,
        };

        xlate_controller(ctx, &to);
    }
    return true;
}

/* --- MPLS --------------------------------------------------------------------------------------
 */

static void
set_lse(struct xlate_ctx *ctx, uint32_t value, uint32_t mask)
{
    rte_be32_t *lse = &ctx->flow.mpls_lse[0];

    ctx->wc->bits.mpls_lse[0] |= htonl(mask);
    *lse = (*lse & htonl(~mask)) | htonl(value & mask);
}

static bool
dec_mpls_ttl(struct xlate_ctx *ctx)
{
    uint32_t ttl = ntohl(ctx->flow.mpls_lse[0]) & MPLS_TTL_MASK;

    ctx->wc->bits.mpls_lse[0] |= htonl(MPLS_TTL_MASK);
    if (ttl > 1) {
        set_lse(ctx, ttl - 1, MPLS_TTL_MASK);
        return true;
    }
    const struct xlate_to_controller to = {.max_len = UINT16_MAX, .reason = OFPR_INVALID_TTL};
    xlate_report(ctx, TRACE_WARN, "MPLS decrement TTL exception");
    xlate_controller(ctx, &to);
    return false;
}

/* Said where there is a packet that is dropped, as in ofproto/trace with one. */
static bool
too_many_labels(struct xlate_ctx *ctx, const char *reason)
{
    if (ctx->in->packet) {
        xlate_report_error(
            ctx, "dropping packet on which an MPLS %s more MPLS LSEs than the %d supported.",
            reason, FLOW_MAX_MPLS);
    }
    xlate_fail(ctx, XLATE_TOO_MANY_MPLS_LABELS);
    return false;
}

static bool
push_mpls(struct xlate_ctx *ctx, uint16_t ethertype)
{
    int n = flow_n_mpls(&ctx->flow, ctx->wc);

    if (n >= FLOW_MAX_MPLS) {
        return too_many_labels(ctx, "push action can't be performed as it would have");
    }
    if (!n) {
        xlate_commit(ctx); /* L3 changes are made while L3 can be seen. */
    }
    flow_push_mpls(&ctx->flow, htons(ethertype), ctx->wc);
    return true;
}

static bool
pop_mpls(struct xlate_ctx *ctx, uint16_t ethertype)
{
    if (flow_pop_mpls(&ctx->flow, htons(ethertype), ctx->wc)) {
        ctx->was_mpls = !flow_is_mpls(&ctx->flow);
    } else if (flow_n_mpls(&ctx->flow, NULL) >= FLOW_MAX_MPLS) {
        return too_many_labels(ctx, "pop action can't be performed as it has");
    }
    return true;
}

/* Returns false if the list ends here. */
bool
xlate_mpls(struct xlate_ctx *ctx, const struct ofpact *a)
{
    if (a->type == OFPACT_PUSH_MPLS) {
        return push_mpls(ctx, OFPACT_CAST(ofpact_ethertype, a)->ethertype);
    }
    if (!flow_is_mpls(&ctx->flow)) {
        return true;
    }
    if (a->type == OFPACT_POP_MPLS) {
        return pop_mpls(ctx, OFPACT_CAST(ofpact_ethertype, a)->ethertype);
    } else if (a->type == OFPACT_SET_MPLS_LABEL) {
        set_lse(ctx, OFPACT_CAST(ofpact_mpls_label, a)->label << MPLS_LABEL_SHIFT, MPLS_LABEL_MASK);
    } else if (a->type == OFPACT_SET_MPLS_TC) {
        set_lse(ctx, (uint32_t)OFPACT_CAST(ofpact_u8, a)->value << MPLS_TC_SHIFT, MPLS_TC_MASK);
    } else if (a->type == OFPACT_SET_MPLS_TTL) {
        set_lse(ctx, OFPACT_CAST(ofpact_u8, a)->value, MPLS_TTL_MASK);
    } else if (a->type == OFPACT_DEC_MPLS_TTL) {
        return dec_mpls_ttl(ctx);
    }
    return true;
}
