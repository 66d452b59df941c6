// SPDX-License-Identifier: Apache-2.0
/*
 * The header template of tnl_push(): bytes in the action, "eth(...),ipv4(...),udp(...),vxlan(...)"
 * in text, and back.
 */
#include "base/util.h"
#include "flow/dp_text.h"

/* The template's bytes, in turn. */
struct bytes {
    const uint8_t *p;
    uint32_t left;
};

static const uint8_t *
take(struct bytes *b, uint32_t n)
{
    if (n > b->left) {
        return NULL;
    }
    const uint8_t *p = b->p;
    b->p += n;
    b->left -= n;
    return p;
}

/* Returns the protocol after the IP header, or -1. */
static int
put_ip_header(struct text *out, struct bytes *b, uint16_t type)
{
    if (type == ETH_TYPE_IP) {
        const uint8_t *p = take(b, 20);
        if (!p) {
            return -1;
        }
        rte_be32_t ip[2];
        memcpy(ip, p + 12, sizeof ip);
        text_put(out, "ipv4(src=");
        text_put_ipv4(out, ip[0]);
        text_put(out, ",dst=");
        text_put_ipv4(out, ip[1]);
        text_printf(out, ",proto=%d,tos=%#x,ttl=%d,frag=0x%x),", p[9], p[1], p[8], get_be16(p + 6));
        return p[9];
    }
    const uint8_t *p = type == ETH_TYPE_IPV6 ? take(b, 40) : NULL;
    if (!p) {
        return -1;
    }
    struct in6_addr ip[2];
    memcpy(ip, p + 8, sizeof ip);
    uint32_t flow = get_be32(p);
    text_put(out, "ipv6(src=");
    text_put_ipv6(out, &ip[0]);
    text_put(out, ",dst=");
    text_put_ipv6(out, &ip[1]);
    text_printf(out, ",label=%u,proto=%d,tclass=0x%x,hlimit=%d),", flow & IPV6_LABEL_MASK, p[6],
                flow >> 20 & 0xff, p[7]);
    return p[6];
}

static void
put_geneve_options(struct text *out, struct bytes *b)
{
    const uint8_t *o;
    text_put(out, ",options(");
    while ((o = take(b, 4))) {
        uint32_t size = (o[3] & 0x1f) * 4u;
        const uint8_t *data = take(b, size);
        text_printf(out, "{class=0x%x,type=0x%x,len=%u", get_be16(o), o[2], data ? size : 0);
        text_put(out, data && size ? ",0x" : "");
        for (uint32_t i = 0; data && i < size; i++) {
            text_printf(out, "%02x", data[i]);
        }
        text_putc(out, '}');
    }
    text_putc(out, ')');
}

static void
put_udp_tunnel(struct text *out, struct bytes *b, uint16_t tnl_type)
{
    const uint8_t *udp = take(b, 8);
    if (!udp) {
        return;
    }
    text_printf(out, "udp(src=%u,dst=%u,csum=0x%x),", get_be16(udp), get_be16(udp + 2),
                get_be16(udp + 6));
    const uint8_t *p = take(b, 8);
    if (p && tnl_type == DP_TNL_VXLAN) {
        text_printf(out, "vxlan(flags=0x%x,vni=0x%x)", get_be32(p), get_be32(p + 4) >> 8);
    } else if (p && tnl_type == DP_TNL_GENEVE) {
        text_printf(out, "geneve(%s%svni=0x%x", p[1] & 0x80 ? "oam," : "",
                    p[1] & 0x40 ? "crit," : "", get_be32(p + 4) >> 8);
        if (p[0] & 0x3f) {
            put_geneve_options(out, b);
        }
        text_putc(out, ')');
    }
}

static void
put_gre(struct text *out, struct bytes *b)
{
    const uint8_t *p = take(b, 4);
    if (!p) {
        return;
    }
    uint16_t flags = get_be16(p);
    text_printf(out, "gre((flags=0x%x,proto=0x%x)", flags, get_be16(p + 2));
    if (flags & 0x8000 && (p = take(b, 4))) {
        text_printf(out, ",csum=0x%x", get_be16(p));
    }
    if (flags & 0x2000 && (p = take(b, 4))) {
        text_printf(out, ",key=0x%x", get_be32(p));
    }
    if (flags & 0x1000 && (p = take(b, 4))) {
        text_printf(out, ",seq=0x%x", get_be32(p));
    }
    text_putc(out, ')');
}

void
dp_put_tnl_header(struct text *out, const struct dp_act_tnl_push *a)
{
    struct bytes b = {a->header, a->header_size};
    text_printf(out, "size=%u,type=%u,", a->header_size, a->tnl_type);
    const uint8_t *eth = take(&b, ETH_HEADER_SIZE);
    if (!eth) {
        text_chomp(out, ',');
        return;
    }
    text_put(out, "eth(dst=");
    text_put_eth(out, (const struct rte_ether_addr *)eth);
    text_put(out, ",src=");
    text_put_eth(out, (const struct rte_ether_addr *)(eth + 6));
    text_printf(out, ",dl_type=0x%04x),", get_be16(eth + 12));
    int proto = put_ip_header(out, &b, get_be16(eth + 12));
    if (proto == IP_PROTO_UDP) {
        put_udp_tunnel(out, &b, a->tnl_type);
    } else if (proto == IP_PROTO_GRE) {
        put_gre(out, &b);
    }
    text_chomp(out, ',');
}

/* Room for 'n' more bytes of the template being read. */
static uint8_t *
grow(struct dp_act_tnl_push *a, uint32_t n)
{
    if (n > DP_TNL_HEADER_MAX - (uint32_t)a->header_size) {
        return NULL;
    }
    uint8_t *p = a->header + a->header_size;
    memset(p, 0, n);
    a->header_size += (uint16_t)n;
    return p;
}

static bool
scan_int(const char **s, const char *name, uint64_t max, uint64_t *v)
{
    return scan_literal(s, name) && scan_u64(s, max, v);
}

static bool
scan_header_eth(const char **s, struct dp_act_tnl_push *a, uint16_t *type)
{
    uint8_t *p = grow(a, ETH_HEADER_SIZE);
    uint64_t v;
    struct rte_ether_addr dst;
    struct rte_ether_addr src;
    if (!p || !scan_literal(s, "eth(dst=") || !scan_eth(s, &dst) || !scan_literal(s, ",src=") ||
        !scan_eth(s, &src) || !scan_int(s, ",dl_type=", UINT16_MAX, &v) || !scan_literal(s, "),")) {
        return false;
    }
    memcpy(p, &dst, 6);
    memcpy(p + 6, &src, 6);
    *type = (uint16_t)v;
    put_be16(p + 12, *type);
    return true;
}

static bool
scan_header_ipv4(const char **s, struct dp_act_tnl_push *a, uint64_t *proto)
{
    uint8_t *p = grow(a, 20);
    rte_be32_t ip[2];
    uint64_t tos;
    uint64_t ttl;
    uint64_t frag;
    if (!p || !scan_literal(s, "ipv4(src=") || !scan_ipv4(s, &ip[0]) || !scan_literal(s, ",dst=") ||
        !scan_ipv4(s, &ip[1]) || !scan_int(s, ",proto=", 255, proto) ||
        !scan_int(s, ",tos=", 255, &tos) || !scan_int(s, ",ttl=", 255, &ttl) ||
        !scan_int(s, ",frag=", UINT16_MAX, &frag) || !scan_literal(s, "),")) {
        return false;
    }
    p[0] = 0x45;
    p[1] = (uint8_t)tos;
    put_be16(p + 6, (uint16_t)frag);
    p[8] = (uint8_t)ttl;
    p[9] = (uint8_t)*proto;
    memcpy(p + 12, ip, sizeof ip);
    return true;
}

static bool
scan_header_ipv6(const char **s, struct dp_act_tnl_push *a, uint64_t *proto)
{
    uint8_t *p = grow(a, 40);
    struct in6_addr ip[2];
    uint64_t label;
    uint64_t tclass;
    uint64_t hlimit;
    if (!p || !scan_literal(s, "ipv6(src=") || !scan_ipv6(s, &ip[0]) || !scan_literal(s, ",dst=") ||
        !scan_ipv6(s, &ip[1]) || !scan_int(s, ",label=", IPV6_LABEL_MASK, &label) ||
        !scan_int(s, ",proto=", 255, proto) || !scan_int(s, ",tclass=", 255, &tclass) ||
        !scan_int(s, ",hlimit=", 255, &hlimit) || !scan_literal(s, "),")) {
        return false;
    }
    put_be32(p, (uint32_t)(6u << 28 | tclass << 20 | label));
    p[6] = (uint8_t)*proto;
    p[7] = (uint8_t)hlimit;
    memcpy(p + 8, ip, sizeof ip);
    return true;
}

/* "{class=0x..,type=0x..,len=4,0xabcd}" options after 'base', the Geneve header. */
static bool
scan_geneve_options(const char **s, struct dp_act_tnl_push *a, uint8_t *base)
{
    static const char digits[] = "0123456789abcdef";
    while (scan_literal(s, "{")) {
        uint64_t cls;
        uint64_t type;
        uint64_t size;
        if (!scan_int(s, "class=", UINT16_MAX, &cls) || !scan_int(s, ",type=", 255, &type) ||
            !scan_int(s, ",len=", 124, &size) || size % 4) {
            return false;
        }
        uint8_t *o = grow(a, 4 + (uint32_t)size);
        if (!o || (base[0] & 0x3f) + 1 + size / 4 > 63) {
            return false;
        }
        put_be16(o, (uint16_t)cls);
        o[2] = (uint8_t)type;
        o[3] = (uint8_t)(size / 4);
        base[0] += (uint8_t)(1 + size / 4);
        if (size && !scan_literal(s, ",0x")) {
            return false;
        }
        /* Right-aligned hexadecimal: leading zeros may be missing. */
        size_t n = strspn(*s, digits);
        if (n > size * 2) {
            return false;
        }
        for (size_t i = 0; i < n; i++) {
            size_t nibble = size * 2 - n + i;
            unsigned d = (unsigned)(strchr(digits, (*s)[i]) - digits);
            o[4 + nibble / 2] |= (uint8_t)(d << (nibble % 2 ? 0 : 4));
        }
        *s += n;
        if (!scan_literal(s, "}")) {
            return false;
        }
        scan_literal(s, ",");
    }
    return scan_literal(s, ")");
}

static bool
scan_header_udp(const char **s, struct dp_act_tnl_push *a)
{
    uint8_t *udp = grow(a, 8);
    uint8_t *p = grow(a, 8);
    uint64_t v[3];
    if (!p || !scan_int(s, "udp(src=", UINT16_MAX, &v[0]) ||
        !scan_int(s, ",dst=", UINT16_MAX, &v[1]) || !scan_int(s, ",csum=", UINT16_MAX, &v[2]) ||
        !scan_literal(s, "),")) {
        return false;
    }
    put_be16(udp, (uint16_t)v[0]);
    put_be16(udp + 2, (uint16_t)v[1]);
    put_be16(udp + 6, (uint16_t)v[2]);
    if (scan_int(s, "vxlan(flags=", UINT32_MAX, &v[0])) {
        if (!scan_int(s, ",vni=", 0xffffff, &v[1]) || !scan_literal(s, ")")) {
            return false;
        }
        put_be32(p, (uint32_t)v[0]);
        put_be32(p + 4, (uint32_t)v[1] << 8);
        a->tnl_type = DP_TNL_VXLAN;
        return true;
    }
    if (!scan_literal(s, "geneve(")) {
        return false;
    }
    p[1] |= scan_literal(s, "oam,") ? 0x80 : 0;
    p[1] |= scan_literal(s, "crit,") ? 0x40 : 0;
    put_be16(p + 2, ETH_TYPE_TEB);
    a->tnl_type = DP_TNL_GENEVE;
    if (!scan_int(s, "vni=", 0xffffff, &v[1])) {
        return false;
    }
    put_be32(p + 4, (uint32_t)v[1] << 8);
    if (scan_literal(s, ",options(") && !scan_geneve_options(s, a, p)) {
        return false;
    }
    return scan_literal(s, ")");
}

static bool
scan_header_gre(const char **s, struct dp_act_tnl_push *a)
{
    uint8_t *p = grow(a, 4);
    uint64_t flags;
    uint64_t proto;
    uint64_t v;
    if (!p || !scan_int(s, "gre((flags=", UINT16_MAX, &flags) ||
        !scan_int(s, ",proto=", UINT16_MAX, &proto) || !scan_literal(s, ")")) {
        return false;
    }
    put_be16(p, (uint16_t)flags);
    put_be16(p + 2, (uint16_t)proto);
    a->tnl_type = DP_TNL_GRE;
    if (flags & 0x8000) {
        if (!(p = grow(a, 4)) || !scan_int(s, ",csum=", UINT16_MAX, &v)) {
            return false;
        }
        put_be16(p, (uint16_t)v);
    }
    if (flags & 0x2000) {
        if (!(p = grow(a, 4)) || !scan_int(s, ",key=", UINT32_MAX, &v)) {
            return false;
        }
        put_be32(p, (uint32_t)v);
    }
    if (flags & 0x1000) {
        if (!(p = grow(a, 4)) || !scan_int(s, ",seq=", UINT32_MAX, &v)) {
            return false;
        }
        put_be32(p, (uint32_t)v);
    }
    return scan_literal(s, ")");
}

bool
dp_scan_tnl_header(const char **s, struct dp_act_tnl_push *a)
{
    uint64_t size;
    uint64_t type;
    uint64_t proto;
    uint16_t eth_type;
    a->header_size = 0;
    if (!scan_int(s, "size=", DP_TNL_HEADER_MAX, &size) ||
        !scan_int(s, ",type=", UINT16_MAX, &type) || !scan_literal(s, ",") ||
        !scan_header_eth(s, a, &eth_type)) {
        return false;
    }
    if (eth_type == ETH_TYPE_IP ? !scan_header_ipv4(s, a, &proto)
                                : eth_type != ETH_TYPE_IPV6 || !scan_header_ipv6(s, a, &proto)) {
        return false;
    }
    if (proto == IP_PROTO_UDP ? !scan_header_udp(s, a)
                              : proto != IP_PROTO_GRE || !scan_header_gre(s, a)) {
        return false;
    }
    return a->header_size == size && a->tnl_type == type && scan_literal(s, ")");
}
