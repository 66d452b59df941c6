// SPDX-License-Identifier: Apache-2.0
/*
 * Text to datapath actions: what 'dpctl/add-flow' and 'dpctl/parse-actions' take and
 * dp_actions_format() makes.  Any text gives a list or an error; nesting is bounded.
 */
#include <stdlib.h>

#include "base/util.h"
#include "flow/dp_text.h"

struct act_in {
    const char *s;
    const struct dp_port_names *ports;
    struct dp_actions *acts;
    int depth;
};

static bool parse_list(struct act_in *in, const char *end);

static bool
scan_max(struct act_in *in, const char *prefix, uint64_t max, uint64_t *v)
{
    const char *start = in->s;

    if (scan_literal(&in->s, prefix) && scan_u64(&in->s, max, v)) {
        return true;
    }
    in->s = start;
    return false;
}

static bool
at_end_of_word(const struct act_in *in)
{
    return !*in->s || strchr(",) \t\r\n", *in->s);
}

/* A port number, or a name that ends before one of ",)" or space. */
static bool
scan_port(struct act_in *in, odp_port_t *port)
{
    uint64_t v;
    size_t n = strcspn(in->s, ",() \t");
    const char *start = in->s;
    if (scan_u64(&in->s, UINT32_MAX, &v) && in->s == start + n) {
        *port = (odp_port_t)v;
        return true;
    }
    in->s = start;
    char name[64];
    if (!n || n >= sizeof name || !in->ports || !in->ports->lookup) {
        return false;
    }
    memcpy(name, in->s, n);
    name[n] = '\0';
    if (!in->ports->lookup(in->ports->aux, name, port)) {
        return false;
    }
    in->s += n;
    return true;
}

static bool
parse_push_vlan(struct act_in *in)
{
    uint64_t tpid = ETH_TYPE_VLAN;
    uint64_t vid;
    uint64_t pcp = 0;
    uint64_t cfi = 1;
    if (scan_max(in, "tpid=", UINT16_MAX, &tpid) && !scan_literal(&in->s, ",")) {
        return false;
    }
    if (!scan_max(in, "vid=", VLAN_VID_MASK, &vid)) {
        return false;
    }
    scan_max(in, ",pcp=", 7, &pcp);
    scan_max(in, ",cfi=", 1, &cfi);
    if (!scan_literal(&in->s, ")") || !cfi) {
        return false; /* a tag without the "present" bit cannot be pushed */
    }
    dp_put_push_vlan(in->acts, rte_cpu_to_be_16((uint16_t)tpid),
                     rte_cpu_to_be_16((uint16_t)(vid | pcp << VLAN_PCP_SHIFT)));
    return true;
}

/* The inside of one set() into the body of a record of 'size' with value and mask of 'field' bytes.
 */
static bool
parse_set_attr(struct act_in *in, enum dp_attr_id id, enum dp_action_type type, size_t size,
               size_t field)
{
    uint8_t *value = (uint8_t *)dp_actions_put(in->acts, type, size) + sizeof(struct dp_action);
    return dp_attr_parse(&in->s, id, value, value + field, true) && scan_literal(&in->s, ")");
}

static bool
parse_set_u32(struct act_in *in, enum dp_action_type type)
{
    struct dp_act_set_u32 *a = dp_actions_put(in->acts, type, sizeof *a);
    uint64_t v;
    uint64_t m;
    if (!dp_scan_masked(&in->s, UINT32_MAX, UINT32_MAX, &v, &m)) {
        return false;
    }
    a->value = (uint32_t)(v & m);
    a->mask = (uint32_t)m;
    return scan_literal(&in->s, "))");
}

static bool
parse_set(struct act_in *in)
{
    static const struct {
        const char *prefix;
        enum dp_attr_id id;
        enum dp_action_type type;
        size_t size;
        size_t field;
    } sets[] = {
#define SET(PREFIX, ATTR, TYPE, ACT, FIELD) \
    {PREFIX "(", DP_ATTR_##ATTR, DP_ACT_SET_##TYPE, sizeof(struct ACT), sizeof(struct FIELD)}
        SET("eth", ETH, ETH, dp_act_set_eth, set_eth),
        SET("ipv4", IPV4, IPV4, dp_act_set_ipv4, set_ipv4),
        SET("ipv6", IPV6, IPV6, dp_act_set_ipv6, set_ipv6),
        SET("tcp", TCP, TCP, dp_act_set_tp, set_tp),
        SET("udp", UDP, UDP, dp_act_set_tp, set_tp),
        SET("sctp", SCTP, SCTP, dp_act_set_tp, set_tp),
        SET("icmp", ICMP, ICMP, dp_act_set_icmp, set_icmp),
        SET("arp", ARP, ARP, dp_act_set_arp, set_arp),
        SET("nd", ND, ND, dp_act_set_nd, set_nd),
        SET("nd_ext", ND_EXT, ND_EXT, dp_act_set_nd_ext, set_nd_ext),
#undef SET
    };
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
        if (scan_literal(&in->s, sets[i].prefix)) {
            return parse_set_attr(in, sets[i].id, sets[i].type, sets[i].size, sets[i].field);
        }
    }
    if (scan_literal(&in->s, "icmpv6(")) {
        uint32_t pos = in->acts->size;
        if (!parse_set_attr(in, DP_ATTR_ICMPV6, DP_ACT_SET_ICMP, sizeof(struct dp_act_set_icmp),
                            sizeof(struct set_icmp))) {
            return false;
        }
        if (!in->acts->overflow) {
            ((struct dp_act_set_icmp *)(in->acts->data + pos))->value.is_ipv6 = true;
        }
        return true;
    }
    if (scan_literal(&in->s, "mpls(")) {
        struct dp_act_set_mpls *a = dp_actions_put(in->acts, DP_ACT_SET_MPLS, sizeof *a);
        return dp_scan_mpls_lse(&in->s, &a->value, &a->mask) && scan_literal(&in->s, "))");
    }
    if (scan_literal(&in->s, "tunnel(")) {
        struct dp_act_set_tunnel *a = dp_actions_put(in->acts, DP_ACT_SET_TUNNEL, sizeof *a);
        return dp_scan_tunnel(&in->s, &a->tunnel, NULL) && scan_literal(&in->s, ")");
    }
    if (scan_literal(&in->s, "skb_priority(")) {
        return parse_set_u32(in, DP_ACT_SET_PRIORITY);
    }
    return scan_literal(&in->s, "skb_mark(") && parse_set_u32(in, DP_ACT_SET_MARK);
}

static bool
parse_hash(struct act_in *in)
{
    uint64_t basis;
    bool sym = scan_literal(&in->s, "sym_l4(");
    if ((!sym && !scan_literal(&in->s, "l4(")) || !scan_u64(&in->s, UINT32_MAX, &basis) ||
        !scan_literal(&in->s, "))")) {
        return false;
    }
    dp_put_hash(in->acts, sym ? DP_HASH_SYM_L4 : DP_HASH_L4, (uint32_t)basis);
    return true;
}

/* A nested list up to 'end'; "drop" alone is the empty one. */
static bool
parse_nested(struct act_in *in, const char *end)
{
    const char *start = in->s;
    if (scan_literal(&in->s, "drop") && scan_literal(&in->s, end)) {
        return true;
    }
    in->s = start;
    if (++in->depth > DP_ACTIONS_MAX_DEPTH) {
        return false;
    }
    bool ok = parse_list(in, end);
    in->depth--;
    return ok;
}

static bool
parse_clone(struct act_in *in)
{
    uint32_t pos = dp_begin_clone(in->acts);
    bool ok = parse_nested(in, ")");
    dp_end_nested(in->acts, pos);
    return ok;
}

static bool
parse_sample(struct act_in *in)
{
    char *end;
    double percent = strtod(in->s, &end);
    if (end == in->s || !(percent >= 0) || percent > 100) {
        return false;
    }
    in->s = end;
    if (!scan_literal(&in->s, "%,actions(")) {
        return false;
    }
    uint32_t pos = dp_begin_sample(in->acts, (uint32_t)(percent / 100.0 * UINT32_MAX + 0.5));
    bool ok = parse_nested(in, "))");
    dp_end_nested(in->acts, pos);
    return ok;
}

static bool
parse_check_pkt_len(struct act_in *in)
{
    uint64_t size;
    if (!scan_u64(&in->s, UINT32_MAX, &size) || !scan_literal(&in->s, ",gt(")) {
        return false;
    }
    uint32_t pos = dp_begin_check_pkt_len(in->acts, (uint32_t)size);
    bool ok = parse_nested(in, ")");
    dp_check_pkt_len_else(in->acts, pos);
    ok = ok && scan_literal(&in->s, ",le(") && parse_nested(in, "))");
    dp_end_nested(in->acts, pos);
    return ok;
}

static bool
parse_slow_path(struct act_in *in, struct dp_act_userspace *a)
{
    static const char *const names[] = {"cfm",  "bfd",    "lacp",  "stp",
                                        "lldp", "action", "match", "controller"};
    a->kind = DP_USERSPACE_SLOW_PATH;
    while (!scan_literal(&in->s, ")")) {
        size_t n = strcspn(in->s, ",|)");
        size_t i = 0;
        while (i < ARRAY_SIZE(names) && (strlen(names[i]) != n || strncmp(names[i], in->s, n))) {
            i++;
        }
        if (i == ARRAY_SIZE(names)) {
            return false;
        }
        a->slow_path.reasons |= 1u << i;
        in->s += n;
        in->s += *in->s == ',' || *in->s == '|';
    }
    return true;
}

static bool
parse_controller(struct act_in *in, struct dp_act_userspace *a)
{
    uint64_t v[7];
    a->kind = DP_USERSPACE_CONTROLLER;
    if (!scan_max(in, "reason=", UINT16_MAX, &v[0]) || !scan_max(in, ",dont_send=", 1, &v[1]) ||
        !scan_max(in, ",continuation=", 1, &v[2]) ||
        !scan_max(in, ",recirc_id=", UINT32_MAX, &v[3]) ||
        !scan_max(in, ",rule_cookie=", UINT64_MAX, &v[4]) ||
        !scan_max(in, ",controller_id=", UINT16_MAX, &v[5]) ||
        !scan_max(in, ",max_len=", UINT16_MAX, &v[6])) {
        return false;
    }
    a->controller.reason = (uint16_t)v[0];
    a->controller.dont_send = v[1];
    a->controller.continuation = v[2];
    a->controller.recirc_id = (uint32_t)v[3];
    a->controller.rule_cookie = v[4];
    a->controller.controller_id = (uint16_t)v[5];
    a->controller.max_len = (uint16_t)v[6];
    return scan_literal(&in->s, ")");
}

static bool
parse_sflow(struct act_in *in, struct dp_act_userspace *a)
{
    uint64_t vid;
    uint64_t pcp;
    uint64_t output;
    a->kind = DP_USERSPACE_SFLOW;
    if (!scan_max(in, "vid=", VLAN_VID_MASK, &vid) || !scan_max(in, ",pcp=", 7, &pcp) ||
        !scan_max(in, ",output=", UINT32_MAX, &output)) {
        return false;
    }
    uint16_t tci = (uint16_t)(vid | pcp << VLAN_PCP_SHIFT);
    a->sflow.vlan_tci = rte_cpu_to_be_16((uint16_t)(tci ? tci | VLAN_CFI : 0));
    a->sflow.output = (uint32_t)output;
    return scan_literal(&in->s, ")");
}

static bool
parse_flow_sample(struct act_in *in, struct dp_act_userspace *a)
{
    uint64_t v[4];
    a->kind = DP_USERSPACE_FLOW_SAMPLE;
    if (!scan_max(in, "probability=", UINT16_MAX, &v[0]) ||
        !scan_max(in, ",collector_set_id=", UINT32_MAX, &v[1]) ||
        !scan_max(in, ",obs_domain_id=", UINT32_MAX, &v[2]) ||
        !scan_max(in, ",obs_point_id=", UINT32_MAX, &v[3]) ||
        !scan_literal(&in->s, ",output_port=") || !scan_port(in, &a->flow_sample.output_port)) {
        return false;
    }
    a->flow_sample.probability = (uint16_t)v[0];
    a->flow_sample.collector_set_id = (uint32_t)v[1];
    a->flow_sample.obs_domain_id = (uint32_t)v[2];
    a->flow_sample.obs_point_id = (uint32_t)v[3];
    a->flow_sample.direction = scan_literal(&in->s, ",ingress")  ? 1
                               : scan_literal(&in->s, ",egress") ? 2
                                                                 : 0;
    return scan_literal(&in->s, ")");
}

static bool
parse_userspace(struct act_in *in)
{
    struct dp_act_userspace a = {0};
    uint64_t pid;
    if (!scan_max(in, "pid=", UINT32_MAX, &pid)) {
        return false;
    }
    a.pid = (uint32_t)pid;
    bool ok = false;
    if (scan_literal(&in->s, ",slow_path(")) {
        ok = parse_slow_path(in, &a);
    } else if (scan_literal(&in->s, ",controller(")) {
        ok = parse_controller(in, &a);
    } else if (scan_literal(&in->s, ",sFlow(")) {
        ok = parse_sflow(in, &a);
    } else if (scan_literal(&in->s, ",flow_sample(")) {
        ok = parse_flow_sample(in, &a);
    } else if (scan_literal(&in->s, ",ipfix(output_port=")) {
        a.kind = DP_USERSPACE_IPFIX;
        ok = scan_port(in, &a.ipfix.output_port) && scan_literal(&in->s, ")");
    }
    if (!ok) {
        return false;
    }
    a.include_actions = scan_literal(&in->s, ",actions");
    if (scan_literal(&in->s, ",tunnel_out_port=")) {
        a.has_tunnel_out_port = true;
        if (!scan_port(in, &a.tunnel_out_port)) {
            return false;
        }
    }
    if (!scan_literal(&in->s, ")")) {
        return false;
    }
    dp_put_userspace(in->acts, &a);
    return true;
}

static bool
parse_ct(struct act_in *in)
{
    struct dp_act_ct a = {0};
    if (!dp_scan_ct(&in->s, &a)) {
        return false;
    }
    dp_put_ct(in->acts, &a);
    return true;
}

static bool
parse_push_mpls(struct act_in *in)
{
    rte_be32_t lse;
    rte_be32_t mask;
    uint64_t type;
    if (!dp_scan_mpls_lse(&in->s, &lse, &mask) || !scan_max(in, "eth_type=", UINT16_MAX, &type) ||
        !scan_literal(&in->s, ")")) {
        return false;
    }
    dp_put_push_mpls(in->acts, lse, rte_cpu_to_be_16((uint16_t)type));
    return true;
}

static bool
parse_tnl_push(struct act_in *in)
{
    union {
        struct dp_act_tnl_push a;
        uint64_t room[(sizeof(struct dp_act_tnl_push) + DP_TNL_HEADER_MAX) / 8];
    } u = {.room = {0}};
    odp_port_t out_port;
    if (!scan_port(in, &u.a.tnl_port) || !scan_literal(&in->s, "),header(") ||
        !dp_scan_tnl_header(&in->s, &u.a) || !scan_literal(&in->s, ",out_port(") ||
        !scan_port(in, &out_port) || !scan_literal(&in->s, "))")) {
        return false;
    }
    dp_put_tnl_push(in->acts, u.a.tnl_port, out_port, (enum dp_tnl_type)u.a.tnl_type, u.a.header,
                    u.a.header_size);
    return true;
}

static bool
parse_tnl_pop(struct act_in *in)
{
    odp_port_t port;
    if (!scan_port(in, &port) || !scan_literal(&in->s, ")")) {
        return false;
    }
    dp_put_tnl_pop(in->acts, port);
    return true;
}

static bool
parse_u32_action(struct act_in *in, enum dp_action_type type)
{
    uint64_t v;
    if (!scan_u64(&in->s, UINT32_MAX, &v) || !scan_literal(&in->s, ")")) {
        return false;
    }
    dp_put_u32(in->acts, type, (uint32_t)v);
    return true;
}

/* The next character ends a word. */
static bool
parse_word_action(struct act_in *in)
{
    const char *start = in->s;
    if (scan_literal(&in->s, "pop_vlan") && at_end_of_word(in)) {
        dp_put_pop_vlan(in->acts);
        return true;
    }
    in->s = start;
    if (scan_literal(&in->s, "ct_clear") && at_end_of_word(in)) {
        dp_put_ct_clear(in->acts);
        return true;
    }
    in->s = start;
    if (scan_literal(&in->s, "drop") && at_end_of_word(in)) {
        dp_put_drop(in->acts, DP_DROP_OF_PIPELINE);
        return true;
    }
    in->s = start;
    if (scan_literal(&in->s, "ct") && (*in->s == '(' || at_end_of_word(in))) {
        return parse_ct(in);
    }
    in->s = start;
    odp_port_t port;
    if (!scan_port(in, &port) || !at_end_of_word(in)) {
        return false;
    }
    dp_put_output(in->acts, port);
    return true;
}

static bool
parse_action(struct act_in *in)
{
    static const struct {
        const char *prefix;
        bool (*parse)(struct act_in *in);
    } table[] = {
        {"push_vlan(", parse_push_vlan},
        {"set(", parse_set},
        {"hash(", parse_hash},
        {"clone(", parse_clone},
        {"sample(sample=", parse_sample},
        {"userspace(", parse_userspace},
        {"push_mpls(", parse_push_mpls},
        {"tnl_push(tnl_port(", parse_tnl_push},
        {"tnl_pop(", parse_tnl_pop},
        {"check_pkt_len(size=", parse_check_pkt_len},
    };
    static const struct {
        const char *prefix;
        enum dp_action_type type;
    } u32s[] = {
        {"recirc(", DP_ACT_RECIRC},
        {"trunc(", DP_ACT_TRUNC},
        {"meter(", DP_ACT_METER},
        {"lb_output(", DP_ACT_LB_OUTPUT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (scan_literal(&in->s, table[i].prefix)) {
            return table[i].parse(in);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(u32s); i++) {
        if (scan_literal(&in->s, u32s[i].prefix)) {
            return parse_u32_action(in, u32s[i].type);
        }
    }
    uint64_t type;
    if (scan_max(in, "pop_mpls(eth_type=", UINT16_MAX, &type)) {
        dp_put_pop_mpls(in->acts, rte_cpu_to_be_16((uint16_t)type));
        return scan_literal(&in->s, ")");
    }
    return parse_word_action(in);
}

/* Actions up to 'end' (consumed), or to the end of the text where 'end' is NULL. */
static bool
parse_list(struct act_in *in, const char *end)
{
    for (;;) {
        in->s += strspn(in->s, ", \t\r\n");
        if (end ? scan_literal(&in->s, end) : !*in->s) {
            return true;
        }
        if (!*in->s || in->acts->overflow || !parse_action(in) || !at_end_of_word(in)) {
            return false;
        }
    }
}

char *
dp_actions_parse(const char *text, const struct dp_port_names *ports, struct dp_actions *acts)
{
    struct act_in in = {.s = text, .ports = ports, .acts = acts};
    size_t n = strlen("drop");
    if (!strncmp(text, "drop", n) && !text[n + strspn(text + n, " \t\r\n")]) {
        return NULL; /* the empty list */
    }
    if (!parse_list(&in, NULL)) {
        if (acts->overflow) {
            return text_error("the actions are too long");
        }
        return text_error("syntax error in actions at \"%.40s\"", in.s);
    }
    return acts->overflow ? text_error("the actions are too long") : NULL;
}
