// SPDX-License-Identifier: Apache-2.0
/* The rules of a valid action list: ports that exist, tables that lie ahead, fields whose
 * prerequisites the match guarantees, actions that may stand together.
 *
 * See ofpacts_check() in ofp_action.h.  The check walks the list with a copy of the match that it
 * updates as actions change the packet's shape: after push_vlan there is a tag, after push_mpls no
 * IP header can be seen.  OpenFlow 1.0 lets an action be without effect where later versions answer
 * MATCH_INCONSISTENT ("soft" below); fields named by NXM or OXM must always have their
 * prerequisites.
 */
#include "openflow/action_wire.h"

struct check {
    const struct ofpacts_check *args;
    struct match match;     /* Of the packet at this point of the list. */
    bool lenient;           /* No match is known: prerequisites cannot be checked. */
    enum ofpact_type outer; /* The list's owner, OFPACT_OUTPUT at the top. */
};

static enum ofperr check_list(struct ofpact *acts, size_t size, struct check *c);

/* Without effect in OpenFlow 1.0, an error since. */
static enum ofperr
soft(const struct check *c)
{
    return c->lenient || c->args->version == OFP10_VERSION ? 0 : OFPERR_OFPBAC_MATCH_INCONSISTENT;
}

static bool
has_vlan(const struct check *c)
{
    return (c->match.flow.vlans[0].tci & c->match.mask.bits.vlans[0].tci &
            rte_cpu_to_be_16(VLAN_CFI)) != 0;
}

static void
note_vlan(struct check *c)
{
    c->match.flow.vlans[0].tci |= rte_cpu_to_be_16(VLAN_CFI);
    c->match.mask.bits.vlans[0].tci |= rte_cpu_to_be_16(VLAN_CFI);
}

static enum ofperr
check_field(const struct check *c, const struct mf_field *mf)
{
    return c->lenient || mf_match_prereqs_ok(mf, &c->match) ? 0 : OFPERR_OFPBAC_MATCH_INCONSISTENT;
}

static enum ofperr
check_port(const struct check *c, ofp_port_t port)
{
    switch (port) {
    case OFPP_IN_PORT:
    case OFPP_TABLE:
    case OFPP_NORMAL:
    case OFPP_FLOOD:
    case OFPP_ALL:
    case OFPP_CONTROLLER:
    case OFPP_LOCAL:
        return 0;
    default:
        return port < c->args->max_ports ? 0 : OFPERR_OFPBAC_BAD_OUT_PORT;
    }
}

/* One real port: an ordinary number, LOCAL, or where the packet came from. */
static enum ofperr
check_single_port(const struct check *c, ofp_port_t port)
{
    return port < c->args->max_ports || port == OFPP_LOCAL || port == OFPP_IN_PORT
               ? 0
               : OFPERR_OFPBAC_BAD_OUT_PORT;
}

static enum ofperr
check_bundle(const struct check *c, const struct ofpact_bundle *a)
{
    for (int i = 0; i < a->n_members; i++) {
        ofp_port_t port = a->members[i];

        if (port >= c->args->max_ports && port != OFPP_LOCAL && port != OFPP_NONE) {
            return OFPERR_OFPBAC_BAD_OUT_PORT;
        }
    }
    return a->dst.n_bits ? check_field(c, a->dst.field) : 0;
}

static enum ofperr
check_output(struct ofpact *a, struct check *c)
{
    switch ((int)a->type) {
    case OFPACT_OUTPUT:
        return check_port(c, OFPACT_CAST(ofpact_output, a)->port);
    case OFPACT_ENQUEUE:
        return check_single_port(c, OFPACT_CAST(ofpact_enqueue, a)->port);
    case OFPACT_OUTPUT_TRUNC:
        return check_single_port(c, OFPACT_CAST(ofpact_output_trunc, a)->port);
    case OFPACT_OUTPUT_REG:
        return check_field(c, OFPACT_CAST(ofpact_output_reg, a)->src.field);
    case OFPACT_BUNDLE:
        return check_bundle(c, OFPACT_CAST(ofpact_bundle, a));
    default:
        return 0;
    }
}

static enum ofperr
check_ct_field(const struct check *c, enum mf_id id)
{
    return (id == MF_CT_MARK || id == MF_CT_LABEL) && c->outer != OFPACT_CT
               ? OFPERR_OFPBAC_BAD_SET_ARGUMENT
               : 0;
}

static enum ofperr
check_dst(const struct check *c, const struct mf_subfield *dst)
{
    enum ofperr error = check_ct_field(c, dst->field->id);

    return error ? error : check_field(c, dst->field);
}

static enum ofperr
check_set_field(struct ofpact_set_field *a, struct check *c)
{
    const struct mf_field *mf = mf_from_id(a->field);
    enum ofperr error = check_ct_field(c, mf->id);

    error = error ? error : check_field(c, mf);
    a->flow_has_vlan = has_vlan(c);
    if (!error && mf->id == MF_VLAN_VID && !c->lenient && !a->flow_has_vlan) {
        error = OFPERR_OFPBAC_MATCH_INCONSISTENT;
    }
    if (!error && mf->id == MF_VLAN_TCI) {
        note_vlan(c);
    }
    return error;
}

static enum ofperr
check_any_field(struct ofpact *a, struct check *c)
{
    const struct ofpact_reg_move *move;
    enum ofperr error;

    switch ((int)a->type) {
    case OFPACT_SET_FIELD:
        return check_set_field((struct ofpact_set_field *)(void *)a, c);
    case OFPACT_REG_MOVE:
        move = OFPACT_CAST(ofpact_reg_move, a);
        error = check_field(c, move->src.field);
        return error ? error : check_dst(c, &move->dst);
    case OFPACT_STACK_PUSH:
        return check_field(c, OFPACT_CAST(ofpact_stack, a)->subfield.field);
    case OFPACT_STACK_POP:
        return check_dst(c, &OFPACT_CAST(ofpact_stack, a)->subfield);
    case OFPACT_MULTIPATH:
        return check_dst(c, &OFPACT_CAST(ofpact_multipath, a)->dst);
    case OFPACT_CHECK_PKT_LARGER:
        return check_dst(c, &OFPACT_CAST(ofpact_check_pkt, a)->dst);
    default:
        return 0;
    }
}

static enum ofperr
check_vlan(struct ofpact *a, struct check *c)
{
    bool vlan = has_vlan(c);
    bool push = false;

    switch ((int)a->type) {
    case OFPACT_SET_VLAN_VID:
        ((struct ofpact_vlan_vid *)(void *)a)->flow_has_vlan = vlan;
        push = OFPACT_CAST(ofpact_vlan_vid, a)->push_vlan_if_needed;
        break;
    case OFPACT_SET_VLAN_PCP:
        ((struct ofpact_vlan_pcp *)(void *)a)->flow_has_vlan = vlan;
        push = OFPACT_CAST(ofpact_vlan_pcp, a)->push_vlan_if_needed;
        break;
    case OFPACT_PUSH_VLAN:
        if (flow_n_vlans(&c->match.flow) >= FLOW_MAX_VLANS) {
            return OFPERR_OFPBAC_BAD_TAG;
        }
        flow_push_vlan(&c->match.flow,
                       rte_cpu_to_be_16(OFPACT_CAST(ofpact_push_vlan, a)->ethertype),
                       rte_cpu_to_be_16(VLAN_CFI));
        note_vlan(c);
        return 0;
    case OFPACT_STRIP_VLAN:
        if (!vlan) {
            return soft(c);
        }
        flow_pop_vlan(&c->match.flow);
        c->match.mask.bits.vlans[0] = c->match.mask.bits.vlans[1];
        memset(&c->match.mask.bits.vlans[1], 0, sizeof c->match.mask.bits.vlans[1]);
        return 0;
    default:
        return 0;
    }
    note_vlan(c);
    return vlan || push ? 0 : soft(c);
}

static enum ofperr
check_l4_port(struct ofpact_l4_port *a, struct check *c)
{
    const struct flow *f = &c->match.flow;
    uint8_t proto = f->nw_proto;

    // Of flows of later fragments, too: 1.2 and later say whose port it is.
    a->flow_ip_proto = flow_is_ip(f) ? proto : 0;
    if (!flow_is_ip(f) || (f->nw_frag & NW_FRAG_LATER) ||
        (proto != IP_PROTO_TCP && proto != IP_PROTO_UDP && proto != IP_PROTO_SCTP)) {
        return soft(c);
    }
    return 0;
}

static enum ofperr
check_mpls(struct ofpact *a, struct check *c)
{
    bool mpls = flow_is_mpls(&c->match.flow);

    if (a->type == OFPACT_PUSH_MPLS || a->type == OFPACT_POP_MPLS) {
        bool known = a->type == OFPACT_PUSH_MPLS || mpls;

        c->match.flow.dl_type = rte_cpu_to_be_16(OFPACT_CAST(ofpact_ethertype, a)->ethertype);
        FLOW_MASK_SET(&c->match.mask, dl_type);
        c->match.flow.nw_proto = 0; /* What is behind the label cannot be seen. */
        FLOW_MASK_CLEAR(&c->match.mask, nw_proto);
        return known ? 0 : soft(c);
    }
    return mpls ? 0 : soft(c);
}

static enum ofperr
check_header_change(struct ofpact *a, struct check *c)
{
    const struct flow *f = &c->match.flow;

    switch ((int)a->type) {
    case OFPACT_SET_VLAN_VID:
    case OFPACT_SET_VLAN_PCP:
    case OFPACT_STRIP_VLAN:
    case OFPACT_PUSH_VLAN:
        return check_vlan(a, c);
    case OFPACT_SET_IPV4_SRC:
    case OFPACT_SET_IPV4_DST:
        return flow_dl_type_is(f, ETH_TYPE_IP) ? 0 : soft(c);
    case OFPACT_SET_IP_DSCP:
    case OFPACT_SET_IP_ECN:
    case OFPACT_SET_IP_TTL:
    case OFPACT_DEC_TTL:
        return flow_is_ip(f) ? 0 : soft(c);
    case OFPACT_SET_L4_SRC_PORT:
    case OFPACT_SET_L4_DST_PORT:
        return check_l4_port((struct ofpact_l4_port *)(void *)a, c);
    case OFPACT_SET_MPLS_LABEL:
    case OFPACT_SET_MPLS_TC:
    case OFPACT_SET_MPLS_TTL:
    case OFPACT_DEC_MPLS_TTL:
    case OFPACT_PUSH_MPLS:
    case OFPACT_POP_MPLS:
        return check_mpls(a, c);
    case OFPACT_FIN_TIMEOUT:
        return flow_is_ip(f) && f->nw_proto == IP_PROTO_TCP ? 0 : soft(c);
    default:
        return 0;
    }
}

/* The learned flow's match grows with the constants that the specs put into it. */
static enum ofperr
check_learn(const struct ofpact_learn *a, struct check *c)
{
    struct match learned;

    match_init_any(&learned);
    OFPACT_LEARN_FOR_EACH(spec, a)
    {
        if (spec->src_type == LEARN_SRC_FIELD && check_field(c, spec->src.field)) {
            return OFPERR_OFPBAC_MATCH_INCONSISTENT;
        }
        if (spec->dst_type != LEARN_DST_OUTPUT && !mf_match_prereqs_ok(spec->dst.field, &learned)) {
            return OFPERR_OFPBAC_MATCH_INCONSISTENT;
        }
        if (spec->dst_type == LEARN_DST_MATCH && spec->src_type == LEARN_SRC_IMMEDIATE) {
            uint64_t value = 0;

            for (int i = 0; i < spec->imm_size; i++) {
                value = value << 8 | spec->imm[i];
            }
            mf_set_subfield_match(&spec->dst, value, &learned);
        }
    }
    return a->result_dst.n_bits ? check_dst(c, &a->result_dst) : 0;
}

static enum ofperr
check_nested(struct ofpact *a, size_t header_size, struct check *c)
{
    struct check inner = *c; /* What the nested actions do to the packet ends with them. */

    inner.outer = a->type;
    return check_list((struct ofpact *)(void *)((uint8_t *)a + header_size), a->len - header_size,
                      &inner);
}

static enum ofperr
check_ct(struct ofpact *a, struct check *c)
{
    const struct ofpact_ct *ct = OFPACT_CAST(ofpact_ct, a);
    uint8_t proto = c->match.flow.nw_proto;

    if (c->outer == OFPACT_CT) {
        return OFPERR_OFPBAC_BAD_TYPE;
    }
    if (!c->lenient && (!flow_is_ip(&c->match.flow) || (ct->alg == 21 && proto != IP_PROTO_TCP) ||
                        (ct->alg == 69 && proto != IP_PROTO_UDP))) {
        return OFPERR_OFPBAC_MATCH_INCONSISTENT;
    }
    if (ct->zone_src.n_bits) {
        enum ofperr error = check_field(c, ct->zone_src.field);

        if (error) {
            return error;
        }
    }
    return check_nested(a, offsetof(struct ofpact_ct, actions), c);
}

static enum ofperr
check_nat(const struct ofpact_nat *a, const struct check *c)
{
    const struct flow *f = &c->match.flow;

    if (c->outer != OFPACT_CT) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    if (!c->lenient && ((a->range_af == 4 && !flow_dl_type_is(f, ETH_TYPE_IP)) ||
                        (a->range_af == 6 && !flow_dl_type_is(f, ETH_TYPE_IPV6)))) {
        return OFPERR_OFPBAC_MATCH_INCONSISTENT;
    }
    return 0;
}

static enum ofperr
check_goto(const struct check *c, uint8_t next)
{
    const struct ofpacts_check *args = c->args;

    return (args->table_id != OFP_TABLE_ALL && next <= args->table_id) || next >= args->n_tables
               ? OFPERR_OFPBIC_BAD_TABLE_ID
               : 0;
}

static enum ofperr
check_resubmit(const struct ofpact_resubmit *a, const struct check *c)
{
    static const enum mf_id ct_id = MF_CT_NW_PROTO;

    return a->with_ct_orig ? check_field(c, mf_from_id(ct_id)) : 0;
}

/* What has no place in an action set, for it has no place in its order (OpenFlow 1.3 section 5.10)
 * or is an instruction. */
static bool
may_be_written(const struct ofpact *a)
{
    switch ((int)a->type) {
    case OFPACT_ENQUEUE:
    case OFPACT_OUTPUT_REG:
    case OFPACT_OUTPUT_TRUNC:
    case OFPACT_BUNDLE:
    case OFPACT_STACK_PUSH:
    case OFPACT_STACK_POP:
    case OFPACT_MULTIPATH:
    case OFPACT_CHECK_PKT_LARGER:
    case OFPACT_DELETE_FIELD:
    case OFPACT_POP_QUEUE:
    case OFPACT_FIN_TIMEOUT:
    case OFPACT_LEARN:
    case OFPACT_CONJUNCTION:
    case OFPACT_CLONE:
    case OFPACT_NAT:
    case OFPACT_NOTE:
    case OFPACT_EXIT:
    case OFPACT_SAMPLE:
    case OFPACT_DEBUG_RECIRC:
    case OFPACT_METER:
        return false;
    default:
        return !ofpact_is_instruction(a->type);
    }
}

static enum ofperr
check_write_actions(struct ofpact *a, struct check *c)
{
    struct check inner = *c;
    size_t size;
    const struct ofpact *written = ofpact_nest_actions(OFPACT_CAST(ofpact_nest, a), &size);

    OFPACT_FOR_EACH(w, written, size)
    {
        if (!may_be_written(w)) {
            return OFPERR_OFPBAC_BAD_TYPE;
        }
    }

    inner.lenient =
        true; /* The set runs at the end of the pipeline, on a packet that nobody knows yet. */
    return check_nested(a, offsetof(struct ofpact_nest, actions), &inner);
}

static enum ofperr
check_one(struct ofpact *a, struct check *c)
{
    uint32_t meter_id;

    switch ((enum ofpact_type)a->type) {
    case OFPACT_OUTPUT:
    case OFPACT_ENQUEUE:
    case OFPACT_OUTPUT_REG:
    case OFPACT_OUTPUT_TRUNC:
    case OFPACT_BUNDLE:
        return check_output(a, c);
    case OFPACT_SET_FIELD:
    case OFPACT_REG_MOVE:
    case OFPACT_STACK_PUSH:
    case OFPACT_STACK_POP:
    case OFPACT_MULTIPATH:
    case OFPACT_CHECK_PKT_LARGER:
        return check_any_field(a, c);
    case OFPACT_SET_VLAN_VID:
    case OFPACT_SET_VLAN_PCP:
    case OFPACT_STRIP_VLAN:
    case OFPACT_PUSH_VLAN:
    case OFPACT_SET_IPV4_SRC:
    case OFPACT_SET_IPV4_DST:
    case OFPACT_SET_IP_DSCP:
    case OFPACT_SET_IP_ECN:
    case OFPACT_SET_IP_TTL:
    case OFPACT_SET_L4_SRC_PORT:
    case OFPACT_SET_L4_DST_PORT:
    case OFPACT_DEC_TTL:
    case OFPACT_SET_MPLS_LABEL:
    case OFPACT_SET_MPLS_TC:
    case OFPACT_SET_MPLS_TTL:
    case OFPACT_DEC_MPLS_TTL:
    case OFPACT_PUSH_MPLS:
    case OFPACT_POP_MPLS:
    case OFPACT_FIN_TIMEOUT:
        return check_header_change(a, c);
    case OFPACT_RESUBMIT:
        return check_resubmit(OFPACT_CAST(ofpact_resubmit, a), c);
    case OFPACT_LEARN:
        return check_learn(OFPACT_CAST(ofpact_learn, a), c);
    case OFPACT_CLONE:
        return check_nested(a, offsetof(struct ofpact_nest, actions), c);
    case OFPACT_CT:
        return check_ct(a, c);
    case OFPACT_NAT:
        return check_nat(OFPACT_CAST(ofpact_nat, a), c);
    case OFPACT_METER:
        meter_id = OFPACT_CAST(ofpact_meter, a)->meter_id;
        return !meter_id || meter_id > OFP_METER_MAX ? OFPERR_OFPMMFC_INVALID_METER : 0;
    case OFPACT_WRITE_ACTIONS:
        return check_write_actions(a, c);
    case OFPACT_GOTO_TABLE:
        return check_goto(c, OFPACT_CAST(ofpact_goto_table, a)->table_id);
    case OFPACT_CONTROLLER:
    case OFPACT_GROUP:
    case OFPACT_DELETE_FIELD:
    case OFPACT_SET_ETH_SRC:
    case OFPACT_SET_ETH_DST:
    case OFPACT_SET_TUNNEL:
    case OFPACT_SET_QUEUE:
    case OFPACT_POP_QUEUE:
    case OFPACT_CONJUNCTION:
    case OFPACT_NOTE:
    case OFPACT_EXIT:
    case OFPACT_DEBUG_RECIRC:
    case OFPACT_SAMPLE:
    case OFPACT_CT_CLEAR:
    case OFPACT_CLEAR_ACTIONS:
    case OFPACT_WRITE_METADATA:
        return 0;
    }
    return OFPERR_OFPBAC_BAD_TYPE;
}

static enum ofperr
check_list(struct ofpact *acts, size_t size, struct check *c)
{
    uint8_t *p = (uint8_t *)acts, *limit = p + size;

    while (p < limit) {
        struct ofpact *a = (struct ofpact *)(void *)p;
        enum ofperr error = check_one(a, c);

        if (error) {
            return error;
        }
        p += a->len;
    }
    return 0;
}

/* Where an instruction stands in the order of execution; METER may come with the actions where it
 * is one. */
static int
rank(const struct ofpact *a)
{
    if (a->type == OFPACT_METER) {
        return a->raw == OFPACT_RAW_METER_ACTION ? 1 : 0;
    }
    return ofpact_is_instruction(a->type) ? 2 + a->type - OFPACT_METER : 1;
}

static enum ofperr
check_order(const struct ofpact *acts, size_t size)
{
    bool conjunction = false, other = false;
    int last = 0;

    OFPACT_FOR_EACH(a, acts, size)
    {
        int r = rank(a);

        if (r < last || (r == last && r != 1 && a != acts)) {
            return r == last ? OFPERR_OFPBIC_DUP_INST : OFPERR_OFPBAC_UNSUPPORTED_ORDER;
        }
        last = r;
        if (a->type == OFPACT_CONJUNCTION) {
            conjunction = true;
        } else if (a->type != OFPACT_NOTE) {
            other = true;
        }
    }
    return conjunction && other ? OFPERR_NXBAC_BAD_CONJUNCTION : 0;
}

enum ofperr
ofpacts_check(struct ofpact *acts, size_t size, const struct ofpacts_check *args)
{
    struct check c = {.args = args, .lenient = !args->match, .outer = OFPACT_OUTPUT};
    enum ofperr error = check_order(acts, size);

    if (error) {
        return error;
    }
    if (args->match) {
        c.match = *args->match;
    }
    return check_list(acts, size, &c);
}
