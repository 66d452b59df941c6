// SPDX-License-Identifier: Apache-2.0
/*
 * Text to matches, in ovs-ofctl's syntax.  See match.h.
 *
 * Items may come in any order: what says the protocol is taken first, so that "tp_dst=80,tcp" means
 * what it says and tp_dst finds its protocol.
 */
#include <ctype.h>
#include <stdlib.h>

#include "base/util.h"
#include "flow/match.h"
#include "flow/option.h"
#include "flow/text.h"

#define OFP10_VLAN_NONE 0xffff

static const struct match_protocol protocols[] = {
    {"ip", ETH_TYPE_IP, 0},
    {"ip4", ETH_TYPE_IP, 0},
    {"ipv4", ETH_TYPE_IP, 0},
    {"icmp", ETH_TYPE_IP, IP_PROTO_ICMP},
    {"igmp", ETH_TYPE_IP, IP_PROTO_IGMP},
    {"tcp", ETH_TYPE_IP, IP_PROTO_TCP},
    {"udp", ETH_TYPE_IP, IP_PROTO_UDP},
    {"sctp", ETH_TYPE_IP, IP_PROTO_SCTP},
    {"ipv6", ETH_TYPE_IPV6, 0},
    {"ip6", ETH_TYPE_IPV6, 0},
    {"icmp6", ETH_TYPE_IPV6, IP_PROTO_ICMPV6},
    {"tcp6", ETH_TYPE_IPV6, IP_PROTO_TCP},
    {"udp6", ETH_TYPE_IPV6, IP_PROTO_UDP},
    {"sctp6", ETH_TYPE_IPV6, IP_PROTO_SCTP},
    {"arp", ETH_TYPE_ARP, 0},
    {"rarp", ETH_TYPE_RARP, 0},
    {"mpls", ETH_TYPE_MPLS, 0},
    {"mplsm", ETH_TYPE_MPLS_MCAST, 0},
};

const struct match_protocol *
match_protocol_from_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        if (!strcmp(protocols[i].name, name)) {
            return &protocols[i];
        }
    }
    return NULL;
}

/* One "key" or "key=value"; 'value' is NULL for the former. */
struct item {
    char *key;
    char *value;
};

/* Cuts the next item off '*s', which it changes; false at the end.  Parentheses protect commas. */
static bool
next_item(char **s, struct item *item)
{
    int depth = 0;
    char *p;

    *s += strspn(*s, ", \t\r\n");
    if (!**s) {
        return false;
    }
    item->key = p = *s;
    item->value = NULL;
    for (; *p; p++) {
        if (*p == '=' && !item->value && !depth) {
            *p = '\0';
            item->value = p + 1;
        } else if (*p == '(') {
            depth++;
        } else if (*p == ')' && depth) {
            depth--;
        } else if (!depth && (*p == ',' || isspace((unsigned char)*p))) {
            *p++ = '\0';
            break;
        }
    }
    *s = p;
    return true;
}

/* The passes over the text: a field is set after what it requires, wherever that stands. */
enum pass {
    PASS_PROTOCOL, /* keywords, dl_type, nw_proto */
    PASS_REQUIRED, /* fields that other fields require */
    PASS_REST,
    N_PASSES,
};

static enum pass
pass_of(const struct item *item)
{
    const struct mf_field *mf = mf_from_name(item->key);

    if (!item->value) {
        return PASS_PROTOCOL;
    }
    if (!mf) {
        return PASS_REST;
    }
    if (mf->id == MF_ETH_TYPE || mf->id == MF_IP_PROTO || mf->id == MF_PACKET_TYPE) {
        return PASS_PROTOCOL;
    }
    return mf->id == MF_ICMPV4_TYPE || mf->id == MF_ICMPV4_CODE || mf->id == MF_ICMPV6_TYPE ||
                   mf->id == MF_ICMPV6_CODE || mf->id == MF_DL_VLAN || mf->id == MF_VLAN_VID ||
                   mf->id == MF_VLAN_TCI || mf->id == MF_CT_STATE
               ? PASS_REQUIRED
               : PASS_REST;
}

/* "tp_src" and the like, for the protocol of the match. */
static const struct mf_field *
port_field(const char *key, const struct flow *flow)
{
    bool src = !strcmp(key, "tp_src");

    if (!src && strcmp(key, "tp_dst")) {
        return NULL;
    }
    switch (flow->nw_proto) {
    case IP_PROTO_UDP:
        return mf_from_id(src ? MF_UDP_SRC : MF_UDP_DST);
    case IP_PROTO_SCTP:
        return mf_from_id(src ? MF_SCTP_SRC : MF_SCTP_DST);
    case IP_PROTO_ICMP:
        return mf_from_id(src ? MF_ICMPV4_TYPE : MF_ICMPV4_CODE);
    case IP_PROTO_ICMPV6:
        return mf_from_id(src ? MF_ICMPV6_TYPE : MF_ICMPV6_CODE);
    default:
        return mf_from_id(src ? MF_TCP_SRC : MF_TCP_DST);
    }
}

const struct mf_field *
mf_from_name_in(const char *key, const struct flow *flow)
{
    const struct mf_field *mf = port_field(key, flow);
    bool v6 = flow_dl_type_is(flow, ETH_TYPE_IPV6), arp = flow_is_arp(flow);

    mf = mf ? mf : mf_from_name(key);
    if (!mf) {
        return NULL;
    }
    if (mf->id == MF_ICMPV4_TYPE && v6) {
        return mf_from_id(MF_ICMPV6_TYPE);
    }
    if (mf->id == MF_ICMPV4_CODE && v6) {
        return mf_from_id(MF_ICMPV6_CODE);
    }
    if (mf->id == MF_IPV4_SRC && arp) {
        return mf_from_id(MF_ARP_SPA);
    }
    return mf->id == MF_IPV4_DST && arp ? mf_from_id(MF_ARP_TPA) : mf;
}

/* A bare keyword: a protocol, or a tunnel option that is to be there. */
static char *
set_protocol(const struct item *item, const struct mf_port_names *ports, struct match *m)
{
    const struct match_protocol *proto = match_protocol_from_name(item->key);
    const struct mf_field *option;

    if (!item->value && proto) {
        match_set_dl_type(m, proto->dl_type);
        if (proto->nw_proto) {
            match_set_nw_proto(m, proto->nw_proto);
        }
        return NULL;
    }
    if (item->value || !strcmp(item->key, "eth")) {
        return NULL;
    }
    option = mf_option_from_name(ports ? ports->options : NULL, item->key);
    if (option) {
        static const union mf_value zero;

        mf_set(option, &zero, &zero, m);
        return NULL;
    }
    return mf_from_name_in(item->key, &m->flow) ? text_error("field %s missing value", item->key)
                                                : text_error("unknown field %s", item->key);
}

static char *
set_field(const struct item *item, const struct mf_port_names *ports, struct match *m)
{
    const struct mf_field *mf = mf_from_name_in(item->key, &m->flow);
    union mf_value value, mask;
    unsigned int x;
    char *error;

    if (!mf && ports) {
        mf = mf_option_from_name(ports->options, item->key);
    }
    if (!mf) {
        return text_error("unknown field %s", item->key);
    }
    if (mf->id == MF_DL_VLAN && str_to_uint(item->value, 0, &x) && x == OFP10_VLAN_NONE) {
        match_set_dl_vlan(m, OFP10_VLAN_NONE);
        return NULL;
    }
    /* A priority says by itself that there is a tag. */
    if (mf->prereqs != MF_PRE_VLAN_VID && !mf_match_prereqs_ok(mf, m)) {
        return text_error("prerequisites of %s are not met", item->key);
    }
    error = mf_parse(mf, item->value, ports, &value, &mask);
    if (error && mf->format <= MF_FMT_OFP_PORT_OXM && mf->format >= MF_FMT_OFP_PORT) {
        char *inner = error;

        error = text_error("bad value for %s (%s)", mf->name, inner);
        free(inner);
    }
    if (!error && !mf_is_zero(mf, &mask)) {
        mf_set(mf, &value, &mask, m);
    }
    return error;
}

static char *
parse_cookie(const char *s, struct match_extra *extra)
{
    const char *p = s;

    extra->has_cookie = true;
    extra->cookie_mask = UINT64_MAX;
    if (!scan_u64(&p, UINT64_MAX, &extra->cookie) ||
        (scan_literal(&p, "/") && !scan_u64(&p, UINT64_MAX, &extra->cookie_mask)) || *p) {
        return text_error("%s: bad cookie", s);
    }
    return NULL;
}

/* priority=, table=, cookie=; '*mine' says whether it was one of them. */
static char *
set_extra(const struct item *item, struct match_extra *extra, bool *mine)
{
    unsigned int x;

    *mine = true;
    if (!strcmp(item->key, "priority")) {
        if (!str_to_uint(item->value, 0, &x) || x > UINT16_MAX) {
            return text_error("%s: invalid priority", item->value);
        }
        extra->has_priority = true;
        extra->priority = (uint16_t)x;
    } else if (!strcmp(item->key, "table")) {
        if (!str_to_uint(item->value, 0, &x) || x > UINT8_MAX) {
            return text_error("%s: invalid table", item->value);
        }
        extra->has_table = true;
        extra->table_id = (uint8_t)x;
    } else if (!strcmp(item->key, "cookie")) {
        return parse_cookie(item->value, extra);
    } else {
        *mine = false;
    }
    return NULL;
}

static char *
parse_pass(char *text, enum pass pass, const struct mf_port_names *ports, struct match *m,
           struct match_extra *extra)
{
    struct item item;
    char *error = NULL;

    while (!error && next_item(&text, &item)) {
        bool mine = false;

        if (pass_of(&item) != pass) {
            continue;
        }
        if (!item.value) {
            error = set_protocol(&item, ports, m);
            continue;
        }
        if (extra) {
            error = set_extra(&item, extra, &mine);
        }
        if (!error && !mine) {
            error = set_field(&item, ports, m);
        }
    }
    return error;
}

char *
match_parse(struct match *m, const char *text, const struct mf_port_names *ports,
            struct match_extra *extra)
{
    char *error = NULL;

    match_init_any(m);
    if (extra) {
        memset(extra, 0, sizeof *extra);
    }
    for (enum pass pass = 0; pass < N_PASSES && !error; pass++) {
        char *copy = xstrdup(text);

        error = parse_pass(copy, pass, ports, m, extra);
        free(copy);
    }
    return error;
}
