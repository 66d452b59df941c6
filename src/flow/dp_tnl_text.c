// SPDX-License-Identifier: Apache-2.0
/*
 * Tunnels in datapath text: tunnel(...) of keys and set actions, and the header template of
 * tnl_push(), which is bytes in the action and "eth(...),ipv4(...),udp(...),vxlan(...)" in text.
 */
#include "base/util.h"
#include "flow/dp_text.h"

/* One integer of the tunnel, printed when it is not zero and looked at. */
static void
put_int(struct text *out, const char *name, uint64_t v, uint64_t mask, uint64_t exact, bool hex)
{
    text_printf(out, "%s=", name);
    if (hex) {
        text_printf(out, "0x%llx", (unsigned long long)v);
        if (mask != exact) {
            text_printf(out, "/%#llx", (unsigned long long)mask);
        }
    } else {
        dp_put_masked(out, v, mask, exact, false);
    }
    text_putc(out, ',');
}

static void
put_ip4(struct text *out, const char *name, rte_be32_t ip, rte_be32_t mask)
{
    text_printf(out, "%s=", name);
    text_put_ipv4(out, ip);
    if (mask != UINT32_MAX) {
        text_putc(out, '/');
        text_put_ipv4(out, mask);
    }
    text_putc(out, ',');
}

static void
put_ip6(struct text *out, const char *name, const struct in6_addr *ip, const struct in6_addr *mask)
{
    struct in6_addr ones;
    memset(&ones, 0xff, sizeof ones);
    text_printf(out, "%s=", name);
    text_put_ipv6(out, ip);
    if (memcmp(mask, &ones, sizeof ones)) {
        text_putc(out, '/');
        text_put_ipv6(out, mask);
    }
    text_putc(out, ',');
}

static bool
is_zero6(const struct in6_addr *a)
{
    static const struct in6_addr zero;
    return !memcmp(a, &zero, sizeof zero);
}

static void
put_addresses(struct text *out, const struct flow_tnl *t, const struct flow_tnl *m, bool verbose)
{
    if (t->ip_src && (verbose || m->ip_src)) {
        put_ip4(out, "src", t->ip_src, m->ip_src);
    }
    if (t->ip_dst && (verbose || m->ip_dst)) {
        put_ip4(out, "dst", t->ip_dst, m->ip_dst);
    }
    if (!is_zero6(&t->ipv6_src) && (verbose || !is_zero6(&m->ipv6_src))) {
        put_ip6(out, "ipv6_src", &t->ipv6_src, &m->ipv6_src);
    }
    if (!is_zero6(&t->ipv6_dst) && (verbose || !is_zero6(&m->ipv6_dst))) {
        put_ip6(out, "ipv6_dst", &t->ipv6_dst, &m->ipv6_dst);
    }
}

static void
put_gbp(struct text *out, const struct flow_tnl *t, const struct flow_tnl *m)
{
    if (!(t->gbp_id || t->gbp_flags) || !(m->gbp_id || m->gbp_flags)) {
        return;
    }
    text_put(out, "vxlan(gbp(");
    put_int(out, "id", rte_be_to_cpu_16(t->gbp_id), rte_be_to_cpu_16(m->gbp_id), UINT16_MAX, false);
    put_int(out, "flags", t->gbp_flags, m->gbp_flags, UINT8_MAX, true);
    text_chomp(out, ',');
    text_put(out, ")),");
}

void
dp_put_tunnel_text(struct text *out, const struct flow_tnl *t, const struct flow_tnl *mask,
                   bool verbose)
{
    struct flow_tnl ones;
    memset(&ones, 0xff, sizeof ones);
    const struct flow_tnl *m = mask ? mask : &ones;
    if (t->flags & FLOW_TNL_F_KEY && (verbose || m->tun_id)) {
        put_int(out, "tun_id", rte_be_to_cpu_64(t->tun_id), rte_be_to_cpu_64(m->tun_id), UINT64_MAX,
                true);
    }
    put_addresses(out, t, m, verbose);
    if (t->ip_tos && (verbose || m->ip_tos)) {
        put_int(out, "tos", t->ip_tos, m->ip_tos, UINT8_MAX, true);
    }
    if (verbose || m->ip_ttl) { /* The one that is always there: 0 is what a flow asked for. */
        put_int(out, "ttl", t->ip_ttl, m->ip_ttl, UINT8_MAX, false);
    }
    if (t->tp_src && (verbose || m->tp_src)) {
        put_int(out, "tp_src", rte_be_to_cpu_16(t->tp_src), rte_be_to_cpu_16(m->tp_src), UINT16_MAX,
                false);
    }
    if (t->tp_dst && (verbose || m->tp_dst)) {
        put_int(out, "tp_dst", rte_be_to_cpu_16(t->tp_dst), rte_be_to_cpu_16(m->tp_dst), UINT16_MAX,
                false);
    }
    put_gbp(out, t, m);
    uint16_t flag_mask = m->flags & FLOW_TNL_F_MASK;
    if (!mask) {
        text_put(out, "flags(");
        dp_put_flags(out, dp_tnl_flags, t->flags & FLOW_TNL_F_MASK);
        text_put(out, "),");
    } else if (flag_mask) {
        text_put(out, "flags(");
        dp_put_flags_masked(out, dp_tnl_flags, t->flags, flag_mask);
        text_put(out, "),");
    }
    text_chomp(out, ',');
}

static bool
scan_addr4(const char **s, rte_be32_t *ip, rte_be32_t *mask)
{
    *mask = UINT32_MAX;
    return scan_ipv4(s, ip) && (!scan_literal(s, "/") || scan_ipv4(s, mask));
}

static bool
scan_addr6(const char **s, struct in6_addr *ip, struct in6_addr *mask)
{
    memset(mask, 0xff, sizeof *mask);
    return scan_ipv6(s, ip) && (!scan_literal(s, "/") || scan_ipv6(s, mask));
}

static bool
scan_gbp(const char **s, struct flow_tnl *t, struct flow_tnl *m)
{
    while (!scan_literal(s, "))")) {
        uint64_t v;
        uint64_t v_mask;
        if (scan_literal(s, "id=")) {
            if (!dp_scan_masked(s, UINT16_MAX, UINT16_MAX, &v, &v_mask)) {
                return false;
            }
            t->gbp_id = rte_cpu_to_be_16((uint16_t)v);
            m->gbp_id = rte_cpu_to_be_16((uint16_t)v_mask);
        } else if (scan_literal(s, "flags=")) {
            if (!dp_scan_masked(s, UINT8_MAX, UINT8_MAX, &v, &v_mask)) {
                return false;
            }
            t->gbp_flags = (uint8_t)v;
            m->gbp_flags = (uint8_t)v_mask;
        } else {
            return false;
        }
        scan_literal(s, ",");
    }
    return true;
}

/* tos=, ttl=, tp_src=, tp_dst=, tun_id= */
static bool
scan_tunnel_int(const char **s, struct flow_tnl *t, struct flow_tnl *m)
{
    uint64_t v;
    uint64_t mask;
    if (scan_literal(s, "tun_id=")) {
        if (!dp_scan_masked(s, UINT64_MAX, UINT64_MAX, &v, &mask)) {
            return false;
        }
        t->tun_id = rte_cpu_to_be_64(v);
        m->tun_id = rte_cpu_to_be_64(mask);
        t->flags |= FLOW_TNL_F_KEY;
        m->flags |= FLOW_TNL_F_KEY;
        return true;
    }
    bool tos = scan_literal(s, "tos=");
    if (tos || scan_literal(s, "ttl=")) {
        if (!dp_scan_masked(s, UINT8_MAX, UINT8_MAX, &v, &mask)) {
            return false;
        }
        *(tos ? &t->ip_tos : &t->ip_ttl) = (uint8_t)v;
        *(tos ? &m->ip_tos : &m->ip_ttl) = (uint8_t)mask;
        return true;
    }
    bool src = scan_literal(s, "tp_src=");
    if (!src && !scan_literal(s, "tp_dst=")) {
        return false;
    }
    if (!dp_scan_masked(s, UINT16_MAX, UINT16_MAX, &v, &mask)) {
        return false;
    }
    *(src ? &t->tp_src : &t->tp_dst) = rte_cpu_to_be_16((uint16_t)v);
    *(src ? &m->tp_src : &m->tp_dst) = rte_cpu_to_be_16((uint16_t)mask);
    return true;
}

static bool
scan_tunnel_part(const char **s, struct flow_tnl *t, struct flow_tnl *m)
{
    if (scan_literal(s, "src=")) {
        return scan_addr4(s, &t->ip_src, &m->ip_src);
    }
    if (scan_literal(s, "dst=")) {
        return scan_addr4(s, &t->ip_dst, &m->ip_dst);
    }
    if (scan_literal(s, "ipv6_src=")) {
        return scan_addr6(s, &t->ipv6_src, &m->ipv6_src);
    }
    if (scan_literal(s, "ipv6_dst=")) {
        return scan_addr6(s, &t->ipv6_dst, &m->ipv6_dst);
    }
    if (scan_literal(s, "vxlan(gbp(")) {
        return scan_gbp(s, t, m);
    }
    if (scan_literal(s, "flags(")) {
        uint32_t v = 0;
        uint32_t mask = 0;
        if (!scan_literal(s, ")")) {
            if (!dp_scan_flags(s, dp_tnl_flags, FLOW_TNL_F_MASK, &v, &mask) ||
                !scan_literal(s, ")")) {
                return false;
            }
        }
        t->flags |= (uint16_t)v;
        m->flags |= (uint16_t)mask;
        return true;
    }
    return scan_tunnel_int(s, t, m);
}

bool
dp_scan_tunnel(const char **s, struct flow_tnl *t, struct flow_tnl *mask)
{
    struct flow_tnl scratch;
    struct flow_tnl *m = mask ? mask : &scratch;
    memset(t, 0, sizeof *t);
    memset(m, 0, sizeof *m);
    while (!scan_literal(s, ")")) {
        if (!scan_tunnel_part(s, t, m)) {
            return false;
        }
        scan_literal(s, ",");
    }
    return true;
}
