// SPDX-License-Identifier: Apache-2.0
/* Actions that change one header field each, from text. */
#include "base/util.h"
#include "openflow/action_parse.h"

static char *
parse_vid(struct action_parser *p, enum ofpact_type type, const char *arg, bool push)
{
    struct ofpact_vlan_vid *v;
    uint64_t vid;
    char *error = action_parse_number(arg, VLAN_VID_MASK, &vid);

    if (!error) {
        v = ofpacts_put(p->out, type, sizeof *v);
        v->vid = (uint16_t)vid;
        v->push_vlan_if_needed = push;
    }
    return error;
}

static char *
parse_pcp(struct action_parser *p, enum ofpact_type type, const char *arg, bool push)
{
    struct ofpact_vlan_pcp *v;
    uint64_t pcp;
    char *error = action_parse_number(arg, 7, &pcp);

    if (!error) {
        v = ofpacts_put(p->out, type, sizeof *v);
        v->pcp = (uint8_t)pcp;
        v->push_vlan_if_needed = push;
    }
    return error;
}

char *
action_parse_vlan_vid(struct action_parser *p, enum ofpact_type type, char *arg)
{
    return parse_vid(p, type, arg, true);
}

/* The standard's actions change a tag that is there. */
char *
action_parse_set_vlan_vid(struct action_parser *p, enum ofpact_type type, char *arg)
{
    return parse_vid(p, type, arg, false);
}

char *
action_parse_vlan_pcp(struct action_parser *p, enum ofpact_type type, char *arg)
{
    return parse_pcp(p, type, arg, true);
}

char *
action_parse_set_vlan_pcp(struct action_parser *p, enum ofpact_type type, char *arg)
{
    return parse_pcp(p, type, arg, false);
}

/* push_vlan, push_mpls and pop_mpls: both structures have the EtherType first. */
char *
action_parse_ethertype(struct action_parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_ethertype *e;
    uint64_t ethertype;
    char *error = action_parse_number(arg, UINT16_MAX, &ethertype);

    static_assert(offsetof(struct ofpact_ethertype, ethertype) ==
                      offsetof(struct ofpact_push_vlan, ethertype),
                  "one parser for both");
    if (!error && type == OFPACT_PUSH_VLAN && ethertype != ETH_TYPE_VLAN &&
        ethertype != ETH_TYPE_QINQ) {
        error = text_error("push_vlan: %s is no VLAN EtherType", arg);
    }
    if (!error) {
        e = ofpacts_put(p->out, type, sizeof *e);
        e->ethertype = (uint16_t)ethertype;
    }
    return error;
}

char *
action_parse_mac(struct action_parser *p, enum ofpact_type type, char *arg)
{
    struct rte_ether_addr mac;
    struct ofpact_mac *m;
    const char *s = arg;

    if (!scan_eth(&s, &mac) || *s) {
        return text_error("'%s' is not an Ethernet address", arg);
    }
    m = ofpacts_put(p->out, type, sizeof *m);
    memcpy(m->mac, &mac, sizeof m->mac);
    return NULL;
}

char *
action_parse_ipv4(struct action_parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_ipv4 *a;
    const char *s = arg;
    rte_be32_t ip;

    if (!scan_ipv4(&s, &ip) || *s) {
        return text_error("'%s' is not an IPv4 address", arg);
    }
    a = ofpacts_put(p->out, type, sizeof *a);
    a->ipv4 = ip;
    return NULL;
}

char *
action_parse_u8(struct action_parser *p, enum ofpact_type type, char *arg)
{
    uint64_t max = type == OFPACT_SET_IP_ECN ? 3 : type == OFPACT_SET_MPLS_TC ? 7 : UINT8_MAX, n;
    struct ofpact_u8 *a;
    char *error = action_parse_number(arg, max, &n);

    if (!error && type == OFPACT_SET_IP_DSCP && n & IP_ECN_MASK) {
        error = text_error("%s: not a valid TOS", arg);
    }
    if (!error) {
        a = ofpacts_put(p->out, type, sizeof *a);
        a->value = (uint8_t)n;
    }
    return error;
}

char *
action_parse_l4_port(struct action_parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_l4_port *a;
    uint64_t n;
    char *error = action_parse_number(arg, UINT16_MAX, &n);

    if (!error) {
        a = ofpacts_put(p->out, type, sizeof *a);
        a->port = (uint16_t)n;
    }
    return error;
}

char *
action_parse_dec_ttl(struct action_parser *p, enum ofpact_type type, char *arg)
{
    uint16_t ids[64] = {0};
    struct ofpact_cnt_ids *a;
    uint32_t n = 0;

    (void)type;
    for (char *part; (part = action_next_part(&arg, ',')) && *part;) {
        uint64_t id = 0;
        char *error = action_parse_number(part, UINT16_MAX, &id);

        if (error || n == ARRAY_SIZE(ids)) {
            return error ? error : text_error("dec_ttl: too many controllers");
        }
        ids[n++] = (uint16_t)id;
    }
    a = ofpacts_put(p->out, OFPACT_DEC_TTL, sizeof *a + MAX(n, 1u) * sizeof a->ids[0]);
    a->ofpact.raw = n ? OFPACT_RAW_CNT_IDS : a->ofpact.raw;
    a->n_controllers = MAX(n, 1u); /* Nobody named: controller 0. */
    memcpy(a->ids, ids, a->n_controllers * sizeof ids[0]);
    return NULL;
}

char *
action_parse_tunnel(struct action_parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_tunnel *a;
    uint64_t n;
    char *error = action_parse_number(arg, UINT64_MAX, &n);

    if (!error) {
        a = ofpacts_put(p->out, type, sizeof *a);
        a->tun_id = n;
        a->ofpact.raw = n > UINT32_MAX ? OFPACT_RAW_SET_TUNNEL64 : OFPACT_RAW_DEFAULT;
    }
    return error;
}
