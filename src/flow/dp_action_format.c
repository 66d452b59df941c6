// SPDX-License-Identifier: Apache-2.0
/*
 * Datapath actions to text, as dpctl/dump-flows prints them.  The reverse is dp_action_parse.c.
 */
#include "flow/dp_text.h"

struct act_out {
    struct text *out;
    const struct dp_port_names *ports;
};

static void
put_port(const struct act_out *o, odp_port_t port)
{
    const char *name = o->ports && o->ports->name ? o->ports->name(o->ports->aux, port) : NULL;
    if (name) {
        text_put(o->out, name);
    } else {
        text_printf(o->out, "%u", port);
    }
}

static void
put_push_vlan(struct text *out, const struct dp_act_push_vlan *a)
{
    uint16_t tci = rte_be_to_cpu_16(a->tci);
    text_put(out, "push_vlan(");
    if (a->tpid != RTE_BE16(ETH_TYPE_VLAN)) {
        text_printf(out, "tpid=0x%04x,", rte_be_to_cpu_16(a->tpid));
    }
    text_printf(out, "vid=%d,pcp=%d", tci & VLAN_VID_MASK, tci >> VLAN_PCP_SHIFT);
    text_put(out, tci & VLAN_CFI ? ")" : ",cfi=0)");
}

static void
put_set(struct text *out, enum dp_attr_id id, const void *value, const void *mask)
{
    text_put(out, "set(");
    dp_attr_format(out, id, value, mask, true, false);
    text_putc(out, ')');
}

static void
put_set_u32(struct text *out, const char *name, const struct dp_act_set_u32 *a)
{
    text_printf(out, "set(%s(", name);
    dp_put_masked(out, a->value, a->mask, UINT32_MAX, true);
    text_put(out, "))");
}

static void
put_nested(const struct act_out *o, const void *actions, uint32_t size, const char *end)
{
    dp_actions_format(actions, size, o->ports, o->out);
    text_put(o->out, end);
}

static void
put_sample(const struct act_out *o, const struct dp_act_sample *a)
{
    text_printf(o->out, "sample(sample=%.1f%%,actions(", 100.0 * a->probability / UINT32_MAX);
    put_nested(o, a->actions, a->size, "))");
}

static void
put_check_pkt_len(const struct act_out *o, const struct dp_act_check_pkt_len *a)
{
    text_printf(o->out, "check_pkt_len(size=%u,gt(", a->pkt_len);
    put_nested(o, a->actions, a->gt_size, "),le(");
    put_nested(o, a->actions + a->gt_size, a->le_size, "))");
}

static void
put_slow_path(struct text *out, uint32_t reasons)
{
    static const char *const names[] = {"cfm",  "bfd",    "lacp",  "stp",
                                        "lldp", "action", "match", "controller"};
    text_put(out, ",slow_path(");
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (reasons >> i & 1) {
            text_printf(out, "%s,", names[i]);
        }
    }
    text_chomp(out, ',');
    text_putc(out, ')');
}

static void
put_flow_sample(const struct act_out *o, const struct dp_act_userspace *a)
{
    text_printf(o->out,
                ",flow_sample(probability=%u,collector_set_id=%u,obs_domain_id=%u,"
                "obs_point_id=%u,output_port=",
                a->flow_sample.probability, a->flow_sample.collector_set_id,
                a->flow_sample.obs_domain_id, a->flow_sample.obs_point_id);
    put_port(o, a->flow_sample.output_port);
    text_put(o->out, a->flow_sample.direction == 1   ? ",ingress)"
                     : a->flow_sample.direction == 2 ? ",egress)"
                                                     : ")");
}

static void
put_userspace(const struct act_out *o, const struct dp_act_userspace *a)
{
    uint16_t tci;
    text_printf(o->out, "userspace(pid=%u", a->pid);
    switch ((enum dp_userspace_kind)a->kind) {
    case DP_USERSPACE_SLOW_PATH:
        put_slow_path(o->out, a->slow_path.reasons);
        break;
    case DP_USERSPACE_CONTROLLER:
        text_printf(o->out,
                    ",controller(reason=%u,dont_send=%d,continuation=%d,recirc_id=%u,"
                    "rule_cookie=%#llx,controller_id=%u,max_len=%u)",
                    a->controller.reason, a->controller.dont_send, a->controller.continuation,
                    a->controller.recirc_id, (unsigned long long)a->controller.rule_cookie,
                    a->controller.controller_id, a->controller.max_len);
        break;
    case DP_USERSPACE_SFLOW:
        tci = rte_be_to_cpu_16(a->sflow.vlan_tci);
        text_printf(o->out, ",sFlow(vid=%d,pcp=%d,output=%u)", tci & VLAN_VID_MASK,
                    tci >> VLAN_PCP_SHIFT, a->sflow.output);
        break;
    case DP_USERSPACE_FLOW_SAMPLE:
        put_flow_sample(o, a);
        break;
    case DP_USERSPACE_IPFIX:
        text_put(o->out, ",ipfix(output_port=");
        put_port(o, a->ipfix.output_port);
        text_putc(o->out, ')');
        break;
    }
    if (a->include_actions) {
        text_put(o->out, ",actions");
    }
    if (a->has_tunnel_out_port) {
        text_put(o->out, ",tunnel_out_port=");
        put_port(o, a->tunnel_out_port);
    }
    text_putc(o->out, ')');
}

static void
put_push_mpls(struct text *out, const struct dp_act_push_mpls *a)
{
    text_put(out, "push_mpls(");
    dp_put_mpls_lse(out, a->lse, UINT32_MAX, true);
    text_printf(out, ",eth_type=0x%x)", rte_be_to_cpu_16(a->ethertype));
}

static void
put_tnl_push(const struct act_out *o, const struct dp_act_tnl_push *a)
{
    text_put(o->out, "tnl_push(tnl_port(");
    put_port(o, a->tnl_port);
    text_put(o->out, "),header(");
    dp_put_tnl_header(o->out, a);
    text_put(o->out, "),out_port(");
    put_port(o, a->out_port);
    text_put(o->out, "))");
}

#define BODY(NAME, TYPE) const struct TYPE *NAME = (const struct TYPE *)a

static void
put_set_action(struct text *out, const struct dp_action *a)
{
#define SET_BODY(TYPE, ATTR)                     \
    do {                                         \
        BODY(s, TYPE);                           \
        put_set(out, ATTR, &s->value, &s->mask); \
    } while (0)

    switch (a->type) {
    case DP_ACT_SET_ETH:
        SET_BODY(dp_act_set_eth, DP_ATTR_ETH);
        break;
    case DP_ACT_SET_IPV4:
        SET_BODY(dp_act_set_ipv4, DP_ATTR_IPV4);
        break;
    case DP_ACT_SET_IPV6:
        SET_BODY(dp_act_set_ipv6, DP_ATTR_IPV6);
        break;
    case DP_ACT_SET_TCP:
        SET_BODY(dp_act_set_tp, DP_ATTR_TCP);
        break;
    case DP_ACT_SET_UDP:
        SET_BODY(dp_act_set_tp, DP_ATTR_UDP);
        break;
    case DP_ACT_SET_SCTP:
        SET_BODY(dp_act_set_tp, DP_ATTR_SCTP);
        break;
    case DP_ACT_SET_ICMP:
        SET_BODY(dp_act_set_icmp, ((const struct dp_act_set_icmp *)a)->value.is_ipv6
                                      ? DP_ATTR_ICMPV6
                                      : DP_ATTR_ICMP);
        break;
    case DP_ACT_SET_ARP:
        SET_BODY(dp_act_set_arp, DP_ATTR_ARP);
        break;
    case DP_ACT_SET_ND:
        SET_BODY(dp_act_set_nd, DP_ATTR_ND);
        break;
    case DP_ACT_SET_ND_EXT:
        SET_BODY(dp_act_set_nd_ext, DP_ATTR_ND_EXT);
        break;
    default:
        break;
    }
#undef SET_BODY
}

static void
put_set_mpls(struct text *out, const struct dp_act_set_mpls *a)
{
    text_put(out, "set(mpls(");
    dp_put_mpls_lse(out, a->value, a->mask, false);
    text_put(out, "))");
}

static void
put_set_tunnel(struct text *out, const struct dp_act_set_tunnel *a)
{
    text_put(out, "set(tunnel(");
    dp_put_tunnel_text(out, &a->tunnel, NULL, false);
    text_put(out, "))");
}

static void
put_action(const struct act_out *o, const struct dp_action *a)
{
    struct text *out = o->out;
    uint32_t u32 = ((const struct dp_act_u32 *)a)->value;
    switch ((enum dp_action_type)a->type) {
    case DP_ACT_OUTPUT:
        put_port(o, ((const struct dp_act_port *)a)->port);
        break;
    case DP_ACT_DROP:
        text_put(out, "drop");
        break;
    case DP_ACT_PUSH_VLAN:
        put_push_vlan(out, (const struct dp_act_push_vlan *)a);
        break;
    case DP_ACT_POP_VLAN:
        text_put(out, "pop_vlan");
        break;
    case DP_ACT_SET_ETH:
    case DP_ACT_SET_IPV4:
    case DP_ACT_SET_IPV6:
    case DP_ACT_SET_TCP:
    case DP_ACT_SET_UDP:
    case DP_ACT_SET_SCTP:
    case DP_ACT_SET_ICMP:
    case DP_ACT_SET_ARP:
    case DP_ACT_SET_ND:
    case DP_ACT_SET_ND_EXT:
        put_set_action(out, a);
        break;
    case DP_ACT_SET_MPLS:
        put_set_mpls(out, (const struct dp_act_set_mpls *)a);
        break;
    case DP_ACT_SET_PRIORITY:
        put_set_u32(out, "skb_priority", (const struct dp_act_set_u32 *)a);
        break;
    case DP_ACT_SET_MARK:
        put_set_u32(out, "skb_mark", (const struct dp_act_set_u32 *)a);
        break;
    case DP_ACT_SET_TUNNEL:
        put_set_tunnel(out, (const struct dp_act_set_tunnel *)a);
        break;
    case DP_ACT_RECIRC:
        text_printf(out, "recirc(%#x)", u32);
        break;
    case DP_ACT_HASH: {
        BODY(h, dp_act_hash);
        text_printf(out, h->alg == DP_HASH_L4 ? "hash(l4(%u))" : "hash(sym_l4(%u))", h->basis);
        break;
    }
    case DP_ACT_TRUNC:
        text_printf(out, "trunc(%u)", u32);
        break;
    case DP_ACT_CLONE: {
        BODY(n, dp_act_nested);
        text_put(out, "clone(");
        put_nested(o, n->actions, n->size, ")");
        break;
    }
    case DP_ACT_SAMPLE:
        put_sample(o, (const struct dp_act_sample *)a);
        break;
    case DP_ACT_USERSPACE:
        put_userspace(o, (const struct dp_act_userspace *)a);
        break;
    case DP_ACT_METER:
        text_printf(out, "meter(%u)", u32);
        break;
    case DP_ACT_CT:
        dp_put_ct_text(out, (const struct dp_act_ct *)a);
        break;
    case DP_ACT_CT_CLEAR:
        text_put(out, "ct_clear");
        break;
    case DP_ACT_PUSH_MPLS:
        put_push_mpls(out, (const struct dp_act_push_mpls *)a);
        break;
    case DP_ACT_POP_MPLS:
        text_printf(out, "pop_mpls(eth_type=0x%x)",
                    rte_be_to_cpu_16(((const struct dp_act_pop_mpls *)a)->ethertype));
        break;
    case DP_ACT_TNL_PUSH:
        put_tnl_push(o, (const struct dp_act_tnl_push *)a);
        break;
    case DP_ACT_TNL_POP:
        text_put(out, "tnl_pop(");
        put_port(o, ((const struct dp_act_port *)a)->port);
        text_putc(out, ')');
        break;
    case DP_ACT_CHECK_PKT_LEN:
        put_check_pkt_len(o, (const struct dp_act_check_pkt_len *)a);
        break;
    case DP_ACT_LB_OUTPUT:
        text_printf(out, "lb_output(%u)", u32);
        break;
    case DP_ACT_N_TYPES:
        break;
    }
}

void
dp_actions_format(const void *data, uint32_t size, const struct dp_port_names *ports,
                  struct text *out)
{
    struct act_out o = {out, ports};
    if (!size) {
        text_put(out, "drop");
        return;
    }
    bool first = true;
    DP_ACTION_FOREACH (a, data, size) {
        if (!first) {
            text_putc(out, ',');
        }
        first = false;
        put_action(&o, a);
    }
}
