// SPDX-License-Identifier: Apache-2.0
/*
 * ct(...) in datapath text: to and from struct dp_act_ct.
 */
#include "flow/dp_text.h"

static void
put_nat_range(struct text *out, const struct dp_act_ct *a)
{
    bool v6 = a->flags & DP_CT_NAT_V6;
    bool brackets = v6 && a->nat_port_min;
    static const struct in6_addr zero;
    bool has_min = v6 ? memcmp(&a->nat_ipv6_min, &zero, sizeof zero) != 0 : a->nat_ip_min != 0;
    bool has_max = v6 ? memcmp(&a->nat_ipv6_max, &zero, sizeof zero) != 0 &&
                            memcmp(&a->nat_ipv6_max, &a->nat_ipv6_min, sizeof zero) != 0
                      : a->nat_ip_max && a->nat_ip_max != a->nat_ip_min;
    if (!has_min && !a->nat_port_min) {
        return;
    }
    text_putc(out, '=');
    for (int i = 0; has_min && i <= has_max; i++) {
        text_put(out, i ? "-" : "");
        text_put(out, brackets ? "[" : "");
        if (v6) {
            text_put_ipv6(out, i ? &a->nat_ipv6_max : &a->nat_ipv6_min);
        } else {
            text_put_ipv4(out, i ? a->nat_ip_max : a->nat_ip_min);
        }
        text_put(out, brackets ? "]" : "");
    }
    if (a->nat_port_min) {
        text_printf(out, ":%u", a->nat_port_min);
        if (a->nat_port_max && a->nat_port_max != a->nat_port_min) {
            text_printf(out, "-%u", a->nat_port_max);
        }
    }
}

static void
put_nat(struct text *out, const struct dp_act_ct *a)
{
    text_put(out, "nat");
    if (a->flags & (DP_CT_NAT_SRC | DP_CT_NAT_DST)) {
        text_put(out, a->flags & DP_CT_NAT_SRC ? "(src" : "(dst");
        put_nat_range(out, a);
        text_put(out, a->flags & DP_CT_NAT_PERSISTENT ? ",persistent" : "");
        text_put(out, a->flags & DP_CT_NAT_HASH ? ",hash" : "");
        text_put(out, a->flags & DP_CT_NAT_RANDOM ? ",random" : "");
        text_putc(out, ')');
    }
    text_putc(out, ',');
}

void
dp_put_ct_text(struct text *out, const struct dp_act_ct *a)
{
    static const uint8_t zero[16];
    text_put(out, "ct(");
    if (a->flags & DP_CT_COMMIT) {
        text_put(out, a->flags & DP_CT_FORCE ? "force_commit," : "commit,");
    }
    if (a->zone) {
        text_printf(out, "zone=%u,", a->zone);
    }
    if (a->mark_mask) {
        text_printf(out, "mark=%#x/%#x,", a->mark, a->mark_mask);
    }
    if (memcmp(a->label_mask, zero, sizeof zero)) {
        text_put(out, "label=");
        dp_put_u128(out, a->label);
        text_putc(out, '/');
        dp_put_u128(out, a->label_mask);
        text_putc(out, ',');
    }
    if (a->helper[0]) {
        text_printf(out, "helper=%s,", a->helper);
    }
    if (a->timeout[0]) {
        text_printf(out, "timeout=%s,", a->timeout);
    }
    if (a->flags & DP_CT_NAT) {
        put_nat(out, a);
    }
    if (out->str[out->len - 1] == '(') {
        text_chomp(out, '(');
    } else {
        text_chomp(out, ',');
        text_putc(out, ')');
    }
}

static bool
scan_max(const char **s, const char *prefix, uint64_t max, uint64_t *v)
{
    return scan_literal(s, prefix) && scan_u64(s, max, v);
}

/* An IPv4 or IPv6 address, the latter in brackets or not.  Sets DP_CT_NAT_V6. */
static bool
scan_nat_address(const char **s, struct dp_act_ct *a, bool max)
{
    struct in6_addr ip6;
    rte_be32_t ip;
    const char *start = *s;
    if (scan_ipv4(s, &ip) && **s != ':') {
        *(max ? &a->nat_ip_max : &a->nat_ip_min) = ip;
        return !(a->flags & DP_CT_NAT_V6);
    }
    *s = start;
    if (scan_ipv4(s, &ip) && (*s)[0] == ':' && (*s)[1] >= '0' && (*s)[1] <= '9') {
        *(max ? &a->nat_ip_max : &a->nat_ip_min) = ip;
        return !(a->flags & DP_CT_NAT_V6);
    }
    *s = start;
    bool brackets = scan_literal(s, "[");
    if (!scan_ipv6(s, &ip6) || (brackets && !scan_literal(s, "]"))) {
        return false;
    }
    memcpy(max ? &a->nat_ipv6_max : &a->nat_ipv6_min, &ip6, sizeof ip6);
    a->flags |= DP_CT_NAT_V6;
    return true;
}

/* "=ADDR[-ADDR][:PORT[-PORT]]" */
static bool
parse_nat_range(const char **s, struct dp_act_ct *a)
{
    uint64_t v;
    if (**s != ':' || (*s)[1] == ':') { /* one colon begins a port, two an IPv6 address */
        if (!scan_nat_address(s, a, false)) {
            return false;
        }
        if (scan_literal(s, "-")) {
            if (!scan_nat_address(s, a, true)) {
                return false;
            }
        } else if (a->flags & DP_CT_NAT_V6) {
            a->nat_ipv6_max = a->nat_ipv6_min;
        } else {
            a->nat_ip_max = a->nat_ip_min;
        }
    }
    if (scan_literal(s, ":")) {
        if (!scan_u64(s, UINT16_MAX, &v)) {
            return false;
        }
        a->nat_port_min = a->nat_port_max = (uint16_t)v;
        if (scan_literal(s, "-")) {
            if (!scan_u64(s, UINT16_MAX, &v)) {
                return false;
            }
            a->nat_port_max = (uint16_t)v;
        }
    }
    return a->nat_port_max >= a->nat_port_min;
}

static bool
parse_nat(const char **s, struct dp_act_ct *a)
{
    a->flags |= DP_CT_NAT;
    if (!scan_literal(s, "(")) {
        return true;
    }
    bool src = scan_literal(s, "src");
    if (!src && !scan_literal(s, "dst")) {
        return false;
    }
    a->flags |= src ? DP_CT_NAT_SRC : DP_CT_NAT_DST;
    if (scan_literal(s, "=") && !parse_nat_range(s, a)) {
        return false;
    }
    while (scan_literal(s, ",")) {
        if (scan_literal(s, "persistent")) {
            a->flags |= DP_CT_NAT_PERSISTENT;
        } else if (scan_literal(s, "hash")) {
            a->flags |= DP_CT_NAT_HASH;
        } else if (scan_literal(s, "random")) {
            a->flags |= DP_CT_NAT_RANDOM;
        } else {
            return false;
        }
    }
    return scan_literal(s, ")");
}

/* A word up to ",)" into 'out' of 'size' bytes. */
static bool
scan_word(const char **s, char *out, size_t size)
{
    size_t n = strcspn(*s, ",) \t");
    if (!n || n >= size) {
        return false;
    }
    memcpy(out, *s, n);
    out[n] = '\0';
    *s += n;
    return true;
}

static bool
parse_ct_label(const char **s, struct dp_act_ct *a)
{
    if (!dp_scan_u128(s, a->label)) {
        return false;
    }
    memset(a->label_mask, 0xff, sizeof a->label_mask);
    if (scan_literal(s, "/") && !dp_scan_u128(s, a->label_mask)) {
        return false;
    }
    for (size_t i = 0; i < sizeof a->label; i++) {
        a->label[i] &= a->label_mask[i];
    }
    return true;
}

static bool
parse_ct_arg(const char **s, struct dp_act_ct *a)
{
    uint64_t v;
    uint64_t m;
    if (scan_literal(s, "commit")) {
        a->flags |= DP_CT_COMMIT;
        return true;
    }
    if (scan_literal(s, "force_commit")) {
        a->flags |= DP_CT_COMMIT | DP_CT_FORCE;
        return true;
    }
    if (scan_max(s, "zone=", UINT16_MAX, &v)) {
        a->zone = (uint16_t)v;
        return true;
    }
    if (scan_literal(s, "mark=")) {
        if (!dp_scan_masked(s, UINT32_MAX, UINT32_MAX, &v, &m)) {
            return false;
        }
        a->mark = (uint32_t)(v & m);
        a->mark_mask = (uint32_t)m;
        return true;
    }
    if (scan_literal(s, "label=")) {
        return parse_ct_label(s, a);
    }
    if (scan_literal(s, "helper=")) {
        return scan_word(s, a->helper, sizeof a->helper);
    }
    if (scan_literal(s, "timeout=")) {
        return scan_word(s, a->timeout, sizeof a->timeout);
    }
    return scan_literal(s, "nat") && parse_nat(s, a);
}

bool
dp_scan_ct(const char **s, struct dp_act_ct *a)
{
    if (scan_literal(s, "(")) {
        while (!scan_literal(s, ")")) {
            *s += strspn(*s, " ");
            if (!parse_ct_arg(s, a)) {
                return false;
            }
            scan_literal(s, ",");
        }
    }
    return !(a->flags & DP_CT_FORCE) || a->flags & DP_CT_COMMIT;
}
