// SPDX-License-Identifier: Apache-2.0
/*
 * Random flows and frames for the tests of the parser: see twin_extract.h.
 */
#include "base/util.h"
#include "flow/compose.h"
#include "twin_extract.h"

uint64_t
frame_gen_u64(struct frame_gen *g)
{
    g->state ^= g->state << 13;
    g->state ^= g->state >> 7;
    g->state ^= g->state << 17;
    return g->state * UINT64_C(0x2545f4914f6cdd1d);
}

uint32_t
frame_gen_below(struct frame_gen *g, uint32_t max)
{
    return (uint32_t)((frame_gen_u64(g) >> 32) % max);
}

static bool
one_in(struct frame_gen *g, uint32_t n)
{
    return !frame_gen_below(g, n);
}

static void
fill(struct frame_gen *g, void *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ((uint8_t *)p)[i] = (uint8_t)(frame_gen_u64(g) >> 40);
    }
}

/* 'N' bytes from MEMBER on, which may run into the next one. */
#define FILL(G, F, MEMBER, N) fill(G, (uint8_t *)(F) + offsetof(struct flow, MEMBER), N)

static void
gen_l4(struct frame_gen *g, struct flow *f, bool v6)
{
    static const uint8_t v4_protos[] = {6, 6, 17, 17, 132, 1, 2, 47, 0, 89};
    static const uint8_t v6_protos[] = {6, 6, 17, 17, 132, 58, 58, 58, 47, 89};
    f->nw_proto = v6 ? v6_protos[frame_gen_below(g, sizeof v6_protos)]
                     : v4_protos[frame_gen_below(g, sizeof v4_protos)];
    FILL(g, f, nw_tos, 2);
    f->nw_frag = one_in(g, 8) ? (one_in(g, 2) ? 1 : 3) : 0;
    if (f->nw_frag & NW_FRAG_LATER) {
        f->nw_proto = v6 ? 44 : f->nw_proto;
        return;
    }
    switch (f->nw_proto) {
    case 6:
        f->tcp_flags = htobe16_(frame_gen_below(g, 0x1000));
        /* fall through */
    case 17:
    case 132:
        FILL(g, f, tp_src, 4);
        break;
    case 1:
    case 2:
        f->tp_src = htobe16_(frame_gen_below(g, 256));
        f->tp_dst = htobe16_(frame_gen_below(g, 256));
        if (f->nw_proto == 2) {
            FILL(g, f, igmp_group, 4);
        }
        break;
    case 58:
        f->tp_src = htobe16_(one_in(g, 2) ? 135 + frame_gen_below(g, 2) : frame_gen_below(g, 256));
        f->tp_dst = htobe16_(one_in(g, 4) ? frame_gen_below(g, 256) : 0);
        if (flow_is_nd(f)) {
            FILL(g, f, nd_target, 16);
            FILL(g, f, nd_reserved, 4);
            if (one_in(g, 2)) {
                FILL(g, f, arp_sha, 6);
                f->arp_sha.addr_bytes[0] |= 1;
                f->nd_options_type = 1;
            }
            if (one_in(g, 2)) {
                FILL(g, f, arp_tha, 6);
                f->arp_tha.addr_bytes[0] |= 1;
                f->nd_options_type = f->nd_options_type && one_in(g, 2) ? 1 : 2;
            }
        }
        break;
    default:
        break;
    }
}

static void
gen_l3(struct frame_gen *g, struct flow *f)
{
    switch (frame_gen_below(g, 10)) {
    case 0:
        f->dl_type = htobe16_(one_in(g, 3) ? ETH_TYPE_RARP : ETH_TYPE_ARP);
        f->nw_proto = (uint8_t)frame_gen_u64(g);
        FILL(g, f, nw_src, 8);
        FILL(g, f, arp_sha, 6);
        FILL(g, f, arp_tha, 6);
        break;
    case 1:
        f->dl_type = htobe16_(ETH_TYPE_MPLS);
        for (uint32_t i = 0, n = 1 + frame_gen_below(g, 3); i < n; i++) {
            uint32_t lse = (uint32_t)frame_gen_u64(g) & ~MPLS_BOS_MASK;
            f->mpls_lse[i] = htobe32_(lse | (i == n - 1 ? MPLS_BOS_MASK : 0));
        }
        break;
    case 2:
        f->dl_type = one_in(g, 2) ? htobe16_(ETH_TYPE_NONE) : htobe16_(0x88cc);
        break;
    case 3:
    case 4:
    case 5:
        f->dl_type = htobe16_(ETH_TYPE_IPV6);
        FILL(g, f, ipv6_src, 32);
        f->ipv6_label = htobe32_((uint32_t)frame_gen_u64(g) & IPV6_LABEL_MASK);
        gen_l4(g, f, true);
        break;
    default:
        f->dl_type = htobe16_(ETH_TYPE_IP);
        FILL(g, f, nw_src, 8);
        gen_l4(g, f, false);
        break;
    }
}

void
frame_gen_flow(struct frame_gen *g, struct flow *f)
{
    memset(f, 0, sizeof *f);
    f->in_port = frame_gen_below(g, 64);
    FILL(g, f, dl_src, 6);
    FILL(g, f, dl_dst, 6);
    uint32_t n_vlans = one_in(g, 2) ? 0 : frame_gen_below(g, 3);
    for (uint32_t i = 0; i < n_vlans; i++) {
        f->vlans[i].tpid = one_in(g, 3) ? htobe16_(ETH_TYPE_QINQ) : htobe16_(ETH_TYPE_VLAN);
        f->vlans[i].tci = htobe16_((frame_gen_u64(g) & 0xffff) | VLAN_CFI);
    }
    gen_l3(g, f);
}

/* Bytes that headers branch on. */
static const uint8_t choice[] = {0,    1,    2,    4,    5,    6,    8,    17,   20,
                                 43,   44,   45,   0x45, 0x46, 0x4f, 51,   58,   60,
                                 0x60, 0x81, 0x88, 132,  135,  136,  0xa8, 0xaa, 0xdd,
                                 0x86, 0x47, 0x35, 0xfe, 0xff, 0x20, 0x40};

static uint32_t
mutate(struct frame_gen *g, uint8_t *data, uint32_t size, uint32_t cap)
{
    /* Mostly within the headers. */
    uint32_t pos = frame_gen_below(g, one_in(g, 3) ? size : MIN(size, 80u));
    switch (frame_gen_below(g, 7)) {
    case 0:
        data[pos] ^= (uint8_t)(1u << frame_gen_below(g, 8));
        break;
    case 1:
        data[pos] = (uint8_t)frame_gen_u64(g);
        break;
    case 2:
        data[pos] = choice[frame_gen_below(g, sizeof choice)];
        break;
    case 3: /* cut */
        size =
            one_in(g, 2) ? frame_gen_below(g, size + 1) : size - MIN(size, frame_gen_below(g, 70));
        break;
    case 4: { /* pad */
        uint32_t n = MIN(frame_gen_below(g, 80), cap - size);
        fill(g, data + size, n);
        size += n;
        break;
    }
    case 5: { /* insert what may become options or an extension header */
        uint32_t n = 4 + 4 * frame_gen_below(g, 6);
        if (size + n <= cap) {
            memmove(data + pos + n, data + pos, size - pos);
            fill(g, data + pos, n);
            data[pos] = choice[frame_gen_below(g, sizeof choice)];
            data[pos + 1] = (uint8_t)frame_gen_below(g, 3);
            size += n;
        }
        break;
    }
    default: { /* shift by a duplicate */
        uint32_t n = MIN(8u, size - pos);
        if (size + n <= cap) {
            memmove(data + pos + n, data + pos, size - pos);
            size += n;
        }
        break;
    }
    }
    return size;
}

uint32_t
frame_gen_frame(struct frame_gen *g, uint8_t *data, uint32_t cap)
{
    struct flow f;
    frame_gen_flow(g, &f);
    uint32_t payload = one_in(g, 20) ? 1 + frame_gen_below(g, 2600) : 1 + frame_gen_below(g, 80);
    uint32_t size = flow_compose(&f, data, cap - 200, payload);
    uint32_t n = one_in(g, 4) ? 0 : 1 + frame_gen_below(g, 4);
    while (n-- && size) {
        size = mutate(g, data, size, cap);
    }
    return size;
}

void
frame_mbuf(struct rte_mbuf *m, void *data, uint32_t size)
{
    memset(m, 0, sizeof *m);
    m->buf_addr = data;
    m->buf_len = m->data_len = (uint16_t)size;
    m->pkt_len = size;
    m->nb_segs = 1;
    m->refcnt = 1;
}
