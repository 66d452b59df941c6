// SPDX-License-Identifier: Apache-2.0
/*
 * The slow twin of the parser: see twin_extract.h.
 *
 * Written from the wire formats (RFC 791, 8200, 4302, 9293, 768, 9260, 792, 4443, 4861, 826, 3032,
 * IEEE 802.1Q, 802.2), with every read by offset and checked.  It shares no code with src/flow.
 */
#include "twin_extract.h"

#include "base/util.h"

#define WINDOW 2048

struct twin {
    const uint8_t *p;
    uint32_t size; /* of what is left of the packet, shrinks to the IP packet */
    struct flow *f;
    struct packet_layers *ly;
};

/* Are bytes ofs..ofs+n there? */
static bool
has(const struct twin *t, uint32_t ofs, uint32_t n)
{
    return ofs + n <= t->size && ofs + n <= WINDOW;
}

static uint16_t
u16(const struct twin *t, uint32_t ofs)
{
    return (uint16_t)(t->p[ofs] << 8 | t->p[ofs + 1]);
}

static void
copy(void *dst, const struct twin *t, uint32_t ofs, uint32_t n)
{
    memcpy(dst, t->p + ofs, n);
}

static void
neighbour(struct twin *t, uint32_t ofs)
{
    uint32_t target = ofs + 8;
    uint8_t sll[6] = {0};
    uint8_t tll[6] = {0};
    static const uint8_t zero[6];
    uint8_t first = 0;
    copy(&t->f->nd_reserved, t, ofs + 4, 4);
    if (!has(t, target, 16)) {
        return;
    }
    for (uint32_t o = target + 16; has(t, o, 8);) {
        uint32_t n = t->p[o + 1] * 8u;
        if (n == 0 || o + n > t->size) {
            break;
        }
        if (n == 8 && t->p[o] == 1) {
            if (memcmp(sll, zero, 6)) {
                return;
            }
            copy(sll, t, o + 2, 6);
            first = first ? first : 1;
        } else if (n == 8 && t->p[o] == 2) {
            if (memcmp(tll, zero, 6)) {
                return;
            }
            copy(tll, t, o + 2, 6);
            first = first ? first : 2;
        }
        o += n;
    }
    copy(&t->f->nd_target, t, target, 16);
    memcpy(&t->f->arp_sha, sll, 6);
    memcpy(&t->f->arp_tha, tll, 6);
    t->f->nd_options_type = first;
}

static void
l4(struct twin *t, uint32_t ofs, bool v6)
{
    struct flow *f = t->f;
    uint32_t need = 0;
    if (f->nw_frag & NW_FRAG_LATER) {
        return;
    }
    if (f->nw_proto == 6) {
        need = 20;
    } else if (f->nw_proto == 17) {
        need = 8;
    } else if (f->nw_proto == 132) {
        need = 12;
    } else if ((f->nw_proto == 1 && !v6) || (f->nw_proto == 2 && !v6) ||
               (f->nw_proto == 58 && v6)) {
        need = 8;
    }
    if (need && !has(t, ofs, need)) {
        return;
    }
    if (f->nw_proto == 6) {
        uint32_t header = (t->p[ofs + 12] >> 4) * 4u;
        if (header < 20 || ofs + header > t->size) {
            return;
        }
    }
    t->ly->l4 = (uint16_t)ofs;
    if (!need) {
        return;
    }
    if (need == 8 && f->nw_proto != 17) {
        f->tp_src = RTE_BE16(t->p[ofs]);
        f->tp_dst = RTE_BE16(t->p[ofs + 1]);
        if (f->nw_proto == 2) {
            copy(&f->igmp_group, t, ofs + 4, 4);
        }
        if (v6 && (t->p[ofs] == 135 || t->p[ofs] == 136) && t->p[ofs + 1] == 0) {
            neighbour(t, ofs);
        }
        return;
    }
    f->tp_src = RTE_BE16(u16(t, ofs));
    f->tp_dst = RTE_BE16(u16(t, ofs + 2));
    if (f->nw_proto == 6) {
        f->tcp_flags = RTE_BE16(u16(t, ofs + 12) & 0xfff);
    }
}

static void
ipv4(struct twin *t, uint32_t ofs)
{
    if (!has(t, ofs, 20)) {
        return;
    }
    uint32_t header = (t->p[ofs] & 15) * 4u;
    uint32_t total = u16(t, ofs + 2);
    if (header < 20 || total < header || total > t->size - ofs || t->size - ofs - total > 65535) {
        return;
    }
    t->ly->l2_pad = (uint16_t)(t->size - ofs - total);
    t->size = ofs + total;
    copy(&t->f->nw_src, t, ofs + 12, 4);
    copy(&t->f->nw_dst, t, ofs + 16, 4);
    t->f->nw_proto = t->p[ofs + 9];
    t->f->nw_tos = t->p[ofs + 1];
    t->f->nw_ttl = t->p[ofs + 8];
    bool more = u16(t, ofs + 6) & 0x2000;
    bool offset = u16(t, ofs + 6) & 0x1fff;
    t->f->nw_frag = offset ? 3 : more ? 1 : 0;
    if (has(t, ofs, header)) {
        l4(t, ofs + header, false);
    }
}

static void
ipv6(struct twin *t, uint32_t ofs)
{
    if (!has(t, ofs, 40)) {
        return;
    }
    uint32_t total = 40u + u16(t, ofs + 4);
    if (total > t->size - ofs || t->size - ofs - total > 65535) {
        return;
    }
    t->ly->l2_pad = (uint16_t)(t->size - ofs - total);
    t->size = ofs + total;
    copy(&t->f->ipv6_src, t, ofs + 8, 16);
    copy(&t->f->ipv6_dst, t, ofs + 24, 16);
    uint8_t next = t->p[ofs + 6];
    uint8_t frag = 0;
    uint32_t o = ofs + 40;
    int n = 0;
    while (next == 0 || next == 43 || next == 60 || next == 51 || next == 44) {
        if (++n > 17 || !has(t, o, 8)) {
            return;
        }
        uint32_t size = next == 44 ? 8 : next == 51 ? (t->p[o + 1] + 2) * 4 : (t->p[o + 1] + 1) * 8;
        bool fragment = next == 44;
        if (!has(t, o, size)) {
            return;
        }
        next = t->p[o];
        if (fragment && u16(t, o + 2)) {
            frag = u16(t, o + 2) & 0xfff8 ? 3 : 1;
        }
        o += size;
        if (frag == 3) {
            next = 44;
            break;
        }
    }
    if (n == 17) {
        return;
    }
    t->f->ipv6_label = RTE_BE32((uint32_t)(t->p[ofs + 1] & 15) << 16 | u16(t, ofs + 2));
    t->f->nw_tos = (uint8_t)(t->p[ofs] << 4 | t->p[ofs + 1] >> 4);
    t->f->nw_ttl = t->p[ofs + 7];
    t->f->nw_proto = next;
    t->f->nw_frag = frag;
    l4(t, o, true);
}

static void
arp(struct twin *t, uint32_t ofs)
{
    if (!has(t, ofs, 28) || u16(t, ofs) != 1 || u16(t, ofs + 2) != 0x800 || t->p[ofs + 4] != 6 ||
        t->p[ofs + 5] != 4) {
        return;
    }
    if (u16(t, ofs + 6) < 256) {
        t->f->nw_proto = t->p[ofs + 7];
    }
    copy(&t->f->arp_sha, t, ofs + 8, 6);
    copy(&t->f->nw_src, t, ofs + 14, 4);
    copy(&t->f->arp_tha, t, ofs + 18, 6);
    copy(&t->f->nw_dst, t, ofs + 24, 4);
}

static uint32_t
mpls(struct twin *t, uint32_t ofs)
{
    t->ly->l2_5 = (uint16_t)ofs;
    for (int i = 0; has(t, ofs, 4); i++) {
        if (i < FLOW_MAX_MPLS) {
            copy(&t->f->mpls_lse[i], t, ofs, 4);
        }
        ofs += 4;
        if (t->p[ofs - 2] & 1) {
            break;
        }
    }
    return ofs;
}

static bool
is_tpid(uint16_t type)
{
    return type == 0x8100 || type == 0x88a8;
}

enum extract_result
twin_extract(const uint8_t *data, uint32_t size, odp_port_t in_port, struct flow *flow,
             struct packet_layers *ly)
{
    struct twin t = {data, size, flow, ly};
    memset(flow, 0, sizeof *flow);
    flow->in_port = in_port;
    ly->l2_5 = ly->l3 = ly->l4 = PACKET_LAYER_NONE;
    ly->l2_pad = 0;
    if (size < 14) {
        return EXTRACT_RUNT;
    }
    copy(&flow->dl_dst, &t, 0, 6);
    copy(&flow->dl_src, &t, 6, 6);
    uint32_t o = 12;
    for (int i = 0; i < FLOW_MAX_VLANS && has(&t, o, 6) && is_tpid(u16(&t, o)); i++) {
        flow->vlans[i].tpid = RTE_BE16(u16(&t, o));
        flow->vlans[i].tci = RTE_BE16(u16(&t, o + 2) | 0x1000);
        o += 4;
    }
    uint16_t type = u16(&t, o);
    o += 2;
    if (type < 0x600) {
        bool snap = has(&t, o, 8) && u16(&t, o) == 0xaaaa && t.p[o + 2] == 3 &&
                    u16(&t, o + 3) == 0 && t.p[o + 5] == 0;
        if (snap) {
            type = u16(&t, o + 6);
            o += 8;
        }
        type = snap && type >= 0x600 ? type : 0x5ff;
    }
    flow->dl_type = RTE_BE16(type);
    if (type == 0x8847 || type == 0x8848) {
        o = mpls(&t, o);
    }
    ly->l3 = (uint16_t)o;
    if (type == 0x800) {
        ipv4(&t, o);
    } else if (type == 0x86dd) {
        ipv6(&t, o);
    } else if (type == 0x806 || type == 0x8035) {
        arp(&t, o);
    }
    return EXTRACT_OK;
}
