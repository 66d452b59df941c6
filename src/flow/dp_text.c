// SPDX-License-Identifier: Apache-2.0
/*
 * Components of datapath keys and set actions as text: see dp_text.h.  The order of the tables is
 * the order of printing; names and number formats are those of 'ovs-appctl dpctl/dump-flows'.
 */
#include "flow/dp_text.h"

#include "base/util.h"

#define F(STORE, MEMBER) DP_AT_##STORE, offsetof(struct flow, MEMBER)
#define S(STORE, TYPE, MEMBER) DP_AT_##STORE, offsetof(struct TYPE, MEMBER)
#define NOT DP_AT_NONE, 0

static const struct dp_comp eth_comps[] = {
    {"src", DP_FMT_ETH, F(BYTES, dl_src), S(BYTES, set_eth, src)},
    {"dst", DP_FMT_ETH, F(BYTES, dl_dst), S(BYTES, set_eth, dst)},
};
static const struct dp_comp ipv4_comps[] = {
    {"src", DP_FMT_IPV4, F(BYTES, nw_src), S(BYTES, set_ipv4, src)},
    {"dst", DP_FMT_IPV4, F(BYTES, nw_dst), S(BYTES, set_ipv4, dst)},
    {"proto", DP_FMT_DEC, F(U8, nw_proto), NOT},
    {"tos", DP_FMT_HEX, F(U8, nw_tos), S(U8, set_ipv4, tos)},
    {"ttl", DP_FMT_DEC, F(U8, nw_ttl), S(U8, set_ipv4, ttl)},
    {"frag", DP_FMT_FRAG, F(U8, nw_frag), NOT},
};
static const struct dp_comp ipv6_comps[] = {
    {"src", DP_FMT_IPV6, F(BYTES, ipv6_src), S(BYTES, set_ipv6, src)},
    {"dst", DP_FMT_IPV6, F(BYTES, ipv6_dst), S(BYTES, set_ipv6, dst)},
    {"label", DP_FMT_HEX, F(BE32_LABEL, ipv6_label), S(BE32_LABEL, set_ipv6, label)},
    {"proto", DP_FMT_DEC, F(U8, nw_proto), NOT},
    {"tclass", DP_FMT_HEX, F(U8, nw_tos), S(U8, set_ipv6, tclass)},
    {"hlimit", DP_FMT_DEC, F(U8, nw_ttl), S(U8, set_ipv6, hlimit)},
    {"frag", DP_FMT_FRAG, F(U8, nw_frag), NOT},
};
static const struct dp_comp port_comps[] = {
    {"src", DP_FMT_DEC, F(BE16, tp_src), S(BE16, set_tp, src)},
    {"dst", DP_FMT_DEC, F(BE16, tp_dst), S(BE16, set_tp, dst)},
};
static const struct dp_comp icmp_comps[] = {
    {"type", DP_FMT_DEC, F(BE16_LOW8, tp_src), S(U8, set_icmp, type)},
    {"code", DP_FMT_DEC, F(BE16_LOW8, tp_dst), S(U8, set_icmp, code)},
};
static const struct dp_comp arp_comps[] = {
    {"sip", DP_FMT_IPV4, F(BYTES, nw_src), S(BYTES, set_arp, spa)},
    {"tip", DP_FMT_IPV4, F(BYTES, nw_dst), S(BYTES, set_arp, tpa)},
    {"op", DP_FMT_DEC, F(U8, nw_proto), S(BE16, set_arp, op)},
    {"sha", DP_FMT_ETH, F(BYTES, arp_sha), S(BYTES, set_arp, sha)},
    {"tha", DP_FMT_ETH, F(BYTES, arp_tha), S(BYTES, set_arp, tha)},
};
static const struct dp_comp nd_comps[] = {
    {"target", DP_FMT_IPV6, F(BYTES, nd_target), S(BYTES, set_nd, target)},
    {"sll", DP_FMT_ETH, F(BYTES, arp_sha), S(BYTES, set_nd, sll)},
    {"tll", DP_FMT_ETH, F(BYTES, arp_tha), S(BYTES, set_nd, tll)},
};
static const struct dp_comp nd_ext_comps[] = {
    {"nd_reserved", DP_FMT_HEX, F(BE32, nd_reserved), S(BE32, set_nd_ext, reserved)},
    {"nd_options_type", DP_FMT_DEC, F(U8, nd_options_type), S(U8, set_nd_ext, options_type)},
};
static const struct dp_comp ct4_comps[] = {
    {"src", DP_FMT_IPV4, F(BYTES, ct_nw_src), NOT},
    {"dst", DP_FMT_IPV4, F(BYTES, ct_nw_dst), NOT},
    {"proto", DP_FMT_DEC, F(U8, ct_nw_proto), NOT},
    {"tp_src", DP_FMT_DEC, F(BE16, ct_tp_src), NOT},
    {"tp_dst", DP_FMT_DEC, F(BE16, ct_tp_dst), NOT},
};
static const struct dp_comp ct6_comps[] = {
    {"src", DP_FMT_IPV6, F(BYTES, ct_ipv6_src), NOT},
    {"dst", DP_FMT_IPV6, F(BYTES, ct_ipv6_dst), NOT},
    {"proto", DP_FMT_DEC, F(U8, ct_nw_proto), NOT},
    {"src_port", DP_FMT_DEC, F(BE16, ct_tp_src), NOT},
    {"dst_port", DP_FMT_DEC, F(BE16, ct_tp_dst), NOT},
    /* Accepted, never printed: the printer takes the first five. */
    {"tp_src", DP_FMT_DEC, F(BE16, ct_tp_src), NOT},
    {"tp_dst", DP_FMT_DEC, F(BE16, ct_tp_dst), NOT},
};
#define CT6_N_PRINTED 5

#define ATTR(NAME, COMPS)              \
    {                                  \
        NAME, COMPS, ARRAY_SIZE(COMPS) \
    }
const struct dp_attr dp_attrs[DP_N_ATTRS] = {
    [DP_ATTR_ETH] = ATTR("eth", eth_comps),
    [DP_ATTR_IPV4] = ATTR("ipv4", ipv4_comps),
    [DP_ATTR_IPV6] = ATTR("ipv6", ipv6_comps),
    [DP_ATTR_TCP] = ATTR("tcp", port_comps),
    [DP_ATTR_UDP] = ATTR("udp", port_comps),
    [DP_ATTR_SCTP] = ATTR("sctp", port_comps),
    [DP_ATTR_ICMP] = ATTR("icmp", icmp_comps),
    [DP_ATTR_ICMPV6] = ATTR("icmpv6", icmp_comps),
    [DP_ATTR_ARP] = ATTR("arp", arp_comps),
    [DP_ATTR_ND] = ATTR("nd", nd_comps),
    [DP_ATTR_ND_EXT] = ATTR("nd_ext", nd_ext_comps),
    [DP_ATTR_CT_TUPLE4] = ATTR("ct_tuple4", ct4_comps),
    [DP_ATTR_CT_TUPLE6] = ATTR("ct_tuple6", ct6_comps),
};

const struct dp_flag dp_tcp_flags[] = {
    {"fin", TCP_FIN}, {"syn", TCP_SYN}, {"rst", TCP_RST}, {"psh", TCP_PSH}, {"ack", TCP_ACK},
    {"urg", TCP_URG}, {"ece", TCP_ECE}, {"cwr", TCP_CWR}, {"ns", TCP_NS},   {"[200]", 0x200},
    {"[400]", 0x400}, {"[800]", 0x800}, {NULL, 0},
};
const struct dp_flag dp_ct_states[] = {
    {"new", CT_STATE_NEW},   {"est", CT_STATE_EST},   {"rel", CT_STATE_REL},
    {"rpl", CT_STATE_RPL},   {"inv", CT_STATE_INV},   {"trk", CT_STATE_TRK},
    {"snat", CT_STATE_SNAT}, {"dnat", CT_STATE_DNAT}, {NULL, 0},
};
const struct dp_flag dp_tnl_flags[] = {
    {"oam", FLOW_TNL_F_OAM},
    {"df", FLOW_TNL_F_DF},
    {"csum", FLOW_TNL_F_CSUM},
    {"key", FLOW_TNL_F_KEY},
    {NULL, 0},
};

static const char *const frag_names[] = {"no", "first", "", "later"};

static size_t
format_size(enum dp_comp_format format)
{
    return format == DP_FMT_ETH ? 6 : format == DP_FMT_IPV4 ? 4 : 16;
}

static uint64_t
load(enum dp_comp_store store, const void *p)
{
    rte_be16_t be16;
    rte_be32_t be32;
    switch (store) {
    case DP_AT_U8:
        return *(const uint8_t *)p;
    case DP_AT_BE16:
    case DP_AT_BE16_LOW8:
        memcpy(&be16, p, sizeof be16);
        return rte_be_to_cpu_16(be16) & (store == DP_AT_BE16 ? UINT16_MAX : UINT8_MAX);
    case DP_AT_BE32:
    case DP_AT_BE32_LABEL:
        memcpy(&be32, p, sizeof be32);
        return rte_be_to_cpu_32(be32) & (store == DP_AT_BE32 ? UINT32_MAX : IPV6_LABEL_MASK);
    case DP_AT_NONE:
    case DP_AT_BYTES:
        break;
    }
    return 0;
}

static void
save(enum dp_comp_store store, void *p, uint64_t value)
{
    if (store == DP_AT_U8) {
        *(uint8_t *)p = (uint8_t)value;
    } else if (store == DP_AT_BE16 || store == DP_AT_BE16_LOW8) {
        rte_be16_t be16 = rte_cpu_to_be_16((uint16_t)value);
        memcpy(p, &be16, sizeof be16);
    } else {
        rte_be32_t be32 = rte_cpu_to_be_32((uint32_t)value);
        memcpy(p, &be32, sizeof be32);
    }
}

static uint64_t
store_max(enum dp_comp_store store)
{
    switch (store) {
    case DP_AT_U8:
    case DP_AT_BE16_LOW8:
        return UINT8_MAX;
    case DP_AT_BE16:
        return UINT16_MAX;
    case DP_AT_BE32:
        return UINT32_MAX;
    case DP_AT_BE32_LABEL:
        return IPV6_LABEL_MASK;
    case DP_AT_NONE:
    case DP_AT_BYTES:
        break;
    }
    return 0;
}

void
dp_put_masked(struct text *out, uint64_t value, uint64_t mask, uint64_t exact, bool hex)
{
    text_printf(out, hex ? "%#llx" : "%llu", (unsigned long long)value);
    if ((mask & exact) != exact) {
        text_printf(out, "/%#llx", (unsigned long long)mask);
    }
}

static bool
is_all(const void *p, size_t size, uint8_t byte)
{
    for (size_t i = 0; i < size; i++) {
        if (((const uint8_t *)p)[i] != byte) {
            return false;
        }
    }
    return true;
}

static void
put_address(struct text *out, enum dp_comp_format format, const void *p)
{
    if (format == DP_FMT_ETH) {
        text_put_eth(out, p);
    } else if (format == DP_FMT_IPV4) {
        rte_be32_t ip;
        memcpy(&ip, p, sizeof ip);
        text_put_ipv4(out, ip);
    } else {
        text_put_ipv6(out, p);
    }
}

static void
put_comp(struct text *out, const struct dp_comp *c, enum dp_comp_store store, const void *value,
         const void *mask)
{
    text_put(out, c->name);
    text_putc(out, '=');
    if (store == DP_AT_BYTES) {
        put_address(out, c->format, value);
        if (mask && !is_all(mask, format_size(c->format), 0xff)) {
            text_putc(out, '/');
            put_address(out, c->format, mask);
        }
    } else if (c->format == DP_FMT_FRAG) {
        text_put(out, frag_names[load(store, value) & NW_FRAG_MASK]);
    } else {
        uint64_t exact = store_max(store);
        dp_put_masked(out, load(store, value), mask ? load(store, mask) : exact, exact,
                      c->format == DP_FMT_HEX);
    }
    text_putc(out, ',');
}

static bool
comp_is_masked(const struct dp_comp *c, enum dp_comp_store store, const void *mask)
{
    return store == DP_AT_BYTES ? !is_all(mask, format_size(c->format), 0) : load(store, mask) != 0;
}

void
dp_attr_format(struct text *out, enum dp_attr_id id, const void *value, const void *mask, bool set,
               bool verbose)
{
    const struct dp_attr *a = &dp_attrs[id];
    int n = id == DP_ATTR_CT_TUPLE6 ? CT6_N_PRINTED : a->n_comps;
    text_printf(out, "%s(", a->name);
    for (int i = 0; i < n; i++) {
        const struct dp_comp *c = &a->comps[i];
        enum dp_comp_store store = set ? c->set_store : c->flow_store;
        size_t ofs = set ? c->set_ofs : c->flow_ofs;
        const void *m = mask ? (const uint8_t *)mask + ofs : NULL;
        if (store != DP_AT_NONE && (verbose || !m || comp_is_masked(c, store, m))) {
            put_comp(out, c, store, (const uint8_t *)value + ofs, m);
        }
    }
    text_chomp(out, ',');
    text_putc(out, ')');
}

bool
dp_attr_is_masked(enum dp_attr_id id, const struct flow_mask *mask)
{
    const struct dp_attr *a = &dp_attrs[id];
    for (int i = 0; mask && i < a->n_comps; i++) {
        const struct dp_comp *c = &a->comps[i];
        if (comp_is_masked(c, c->flow_store, (const uint8_t *)mask + c->flow_ofs)) {
            return true;
        }
    }
    return !mask;
}

bool
dp_scan_masked(const char **s, uint64_t max, uint64_t exact, uint64_t *value, uint64_t *mask)
{
    const char *p = *s;
    *mask = exact;
    if (!scan_u64(&p, max, value) || (scan_literal(&p, "/") && !scan_u64(&p, max, mask))) {
        return false;
    }
    *s = p;
    return true;
}

static bool
scan_address(const char **s, enum dp_comp_format format, void *p)
{
    if (format == DP_FMT_ETH) {
        return scan_eth(s, p);
    }
    if (format == DP_FMT_IPV6) {
        return scan_ipv6(s, p);
    }
    rte_be32_t ip;
    bool ok = scan_ipv4(s, &ip);
    if (ok) {
        memcpy(p, &ip, sizeof ip);
    }
    return ok;
}

/* The value and mask of one component into 16-byte buffers. */
static bool
scan_comp(const char **s, const struct dp_comp *c, enum dp_comp_store store, uint8_t *value,
          uint8_t *mask)
{
    if (store == DP_AT_BYTES) {
        memset(mask, 0xff, 16);
        return scan_address(s, c->format, value) &&
               (!scan_literal(s, "/") || scan_address(s, c->format, mask));
    }
    uint64_t v = 0;
    uint64_t m = store_max(store);
    if (c->format == DP_FMT_FRAG) {
        while (v <= NW_FRAG_MASK && !(frag_names[v][0] && scan_literal(s, frag_names[v]))) {
            v++;
        }
        m = NW_FRAG_MASK;
        if (v > NW_FRAG_MASK) {
            return false;
        }
    } else if (!dp_scan_masked(s, m, m, &v, &m)) {
        return false;
    }
    save(store, value, v);
    save(store, mask, m);
    return true;
}

static size_t
store_size(const struct dp_comp *c, enum dp_comp_store store)
{
    switch (store) {
    case DP_AT_BYTES:
        return format_size(c->format);
    case DP_AT_U8:
        return 1;
    case DP_AT_BE16:
    case DP_AT_BE16_LOW8:
        return 2;
    case DP_AT_BE32:
    case DP_AT_BE32_LABEL:
        return 4;
    case DP_AT_NONE:
        break;
    }
    return 0;
}

static bool
parse_named_comp(const char **s, const struct dp_attr *a, void *value, void *mask, bool set)
{
    size_t name_len = strcspn(*s, "=(),");
    for (int i = 0; i < a->n_comps; i++) {
        const struct dp_comp *c = &a->comps[i];
        enum dp_comp_store store = set ? c->set_store : c->flow_store;
        size_t ofs = set ? c->set_ofs : c->flow_ofs;
        if (store == DP_AT_NONE || strlen(c->name) != name_len ||
            strncmp(*s, c->name, name_len) != 0 || (*s)[name_len] != '=') {
            continue;
        }
        uint8_t v[16] = {0};
        uint8_t m[16] = {0};
        *s += name_len + 1;
        if (!scan_comp(s, c, store, v, m)) {
            return false;
        }
        size_t size = store_size(c, store);
        for (size_t b = 0; b < size; b++) {
            ((uint8_t *)value)[ofs + b] = v[b] & m[b];
        }
        if (mask) {
            memcpy((uint8_t *)mask + ofs, m, size);
        } else if (store == DP_AT_BYTES
                       ? !is_all(m, size, 0xff)
                       : c->format != DP_FMT_FRAG && load(store, m) != store_max(store)) {
            return false;
        }
        return true;
    }
    return false;
}

bool
dp_attr_parse(const char **s, enum dp_attr_id id, void *value, void *mask, bool set)
{
    while (!scan_literal(s, ")")) {
        if (!parse_named_comp(s, &dp_attrs[id], value, mask, set)) {
            return false;
        }
        scan_literal(s, ",");
    }
    return true;
}

void
dp_put_flags(struct text *out, const struct dp_flag *flags, uint32_t value)
{
    if (!value) {
        text_putc(out, '0');
        return;
    }
    for (; flags->name; flags++) {
        if (value & flags->bit) {
            value &= ~flags->bit;
            text_printf(out, value ? "%s|" : "%s", flags->name);
        }
    }
    if (value) {
        text_printf(out, "%#x", value);
    }
}

void
dp_put_flags_masked(struct text *out, const struct dp_flag *flags, uint32_t value, uint32_t mask)
{
    if (!mask) {
        text_put(out, "0/0");
        return;
    }
    for (; flags->name; flags++) {
        if (mask & flags->bit) {
            text_printf(out, "%c%s", value & flags->bit ? '+' : '-', flags->name);
        }
    }
}

/* The flag whose name starts at '*s' and ends at a delimiter. */
static bool
scan_flag(const char **s, const struct dp_flag *flags, uint32_t *bit)
{
    size_t len = strcspn(*s, "+-|,)");
    for (; flags->name; flags++) {
        if (strlen(flags->name) == len && !strncmp(*s, flags->name, len)) {
            *s += len;
            *bit = flags->bit;
            return true;
        }
    }
    return false;
}

bool
dp_scan_flags(const char **s, const struct dp_flag *flags, uint32_t exact, uint32_t *value,
              uint32_t *mask)
{
    uint32_t bit;
    *value = *mask = 0;
    if (**s == '+' || **s == '-') {
        while (**s == '+' || **s == '-') {
            bool on = *(*s)++ == '+';
            if (!scan_flag(s, flags, &bit) || *mask & bit) {
                return false;
            }
            *mask |= bit;
            *value |= on ? bit : 0;
        }
        return true;
    }
    uint64_t v;
    uint64_t m;
    if (dp_scan_masked(s, UINT32_MAX, exact, &v, &m)) {
        *value = (uint32_t)(v & m);
        *mask = (uint32_t)m;
        return !(v & ~(uint64_t)exact);
    }
    *mask = exact;
    do {
        if (!scan_flag(s, flags, &bit)) {
            return false;
        }
        *value |= bit;
    } while (scan_literal(s, "|"));
    return true;
}

void
dp_put_mpls_lse(struct text *out, rte_be32_t lse, rte_be32_t mask, bool verbose)
{
    static const struct {
        const char *name;
        uint32_t bits;
        int shift;
    } parts[] = {
        {"label", MPLS_LABEL_MASK, MPLS_LABEL_SHIFT},
        {"tc", MPLS_TC_MASK, MPLS_TC_SHIFT},
        {"ttl", MPLS_TTL_MASK, 0},
        {"bos", MPLS_BOS_MASK, MPLS_BOS_SHIFT},
    };
    uint32_t v = rte_be_to_cpu_32(lse);
    uint32_t m = rte_be_to_cpu_32(mask);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (verbose || m & parts[i].bits) {
            text_printf(out, "%s=", parts[i].name);
            dp_put_masked(out, (v & parts[i].bits) >> parts[i].shift,
                          (m & parts[i].bits) >> parts[i].shift, parts[i].bits >> parts[i].shift,
                          false);
            text_putc(out, ',');
        }
    }
    text_chomp(out, ',');
}

bool
dp_scan_mpls_lse(const char **s, rte_be32_t *lse, rte_be32_t *mask)
{
    static const struct {
        const char *name;
        uint32_t bits;
        int shift;
    } parts[] = {
        {"label=", MPLS_LABEL_MASK, MPLS_LABEL_SHIFT},
        {"tc=", MPLS_TC_MASK, MPLS_TC_SHIFT},
        {"ttl=", MPLS_TTL_MASK, 0},
        {"bos=", MPLS_BOS_MASK, MPLS_BOS_SHIFT},
    };
    uint32_t value_bits = 0;
    uint32_t mask_bits = 0;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        uint64_t max = parts[i].bits >> parts[i].shift;
        uint64_t v;
        uint64_t m;
        if (scan_literal(s, parts[i].name)) {
            if (!dp_scan_masked(s, max, max, &v, &m)) {
                return false;
            }
            value_bits |= (uint32_t)(v & m) << parts[i].shift;
            mask_bits |= (uint32_t)m << parts[i].shift;
            scan_literal(s, ",");
        }
    }
    *lse = rte_cpu_to_be_32(value_bits);
    *mask = rte_cpu_to_be_32(mask_bits);
    return mask_bits != 0;
}

void
dp_put_u128(struct text *out, const uint8_t value[16])
{
    uint64_t hi = get_be64(value);
    uint64_t lo = get_be64(value + 8);
    if (hi) {
        text_printf(out, "%#llx%016llx", (unsigned long long)hi, (unsigned long long)lo);
    } else {
        text_printf(out, "%#llx", (unsigned long long)lo);
    }
}

bool
dp_scan_u128(const char **s, uint8_t value[16])
{
    static const char digits[] = "0123456789abcdef";
    const char *p = *s;
    memset(value, 0, 16);
    if (p[0] == '0' && (p[1] | 0x20) == 'x') {
        p += 2;
    }
    size_t n = strspn(p, "0123456789abcdefABCDEF");
    if (!n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        size_t nibble = n - 1 - i; /* from the least significant one */
        unsigned d = (unsigned)(strchr(digits, p[i] | 0x20) - digits);
        if (nibble >= 32) {
            if (d) {
                return false;
            }
            continue;
        }
        value[15 - nibble / 2] |= (uint8_t)(d << (nibble % 2 ? 4 : 0));
    }
    *s = p + n;
    return true;
}
