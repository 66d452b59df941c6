// SPDX-License-Identifier: Apache-2.0
//
// The interpreter of action lists, on the packet's PMD.  Always consumes the packet.  Packets that
// were just received go together while actions change headers and send; from the first other action
// on, and those that come back, go one at a time.  A list that sends twice to a port so sends all
// packets for the first time and then all for the second.
// Nested lists (clone, sample, check_pkt_len) run from a stack of frames, not by recursion; each
// frame owns a packet, and the frame whose list ends gives its packet up.  An action that is the
// last of its list takes the packet itself, one that is not takes a copy.
#include "base/random.h"
#include "pmd/bonds.h"
#include "pmd/dp_int.h"
#include "pmd/meter.h"
#include "pmd/pmd.h"

struct frame {
    const struct dp_action *next, *end;
    struct rte_mbuf *m; // NULL: gone
    struct packet_layers ly;
    uint32_t max_size; // of the next output (trunc); 0: all
    bool has_md;       // 'md' is filled in: it is when somebody first asks
    struct packet_md md;
};

struct interpreter {
    struct pmd *pmd;
    const struct flow_key *key; // of the packet as it came: the source of its metadata
    uint8_t depth;              // passes of the packet through the datapath
    unsigned n_frames;
    struct frame frames[DP_ACTIONS_MAX_DEPTH + 1];
};

static struct packet_md *
frame_md(const struct interpreter *in, struct frame *f)
{
    if (!f->has_md) {
        packet_md_from_key(in->key, &f->md);
        f->has_md = true;
    }
    return &f->md;
}

static bool
is_last(const struct frame *f)
{
    return f->next >= f->end;
}

static void
frame_drop(struct frame *f, enum drop_reason reason)
{
    drop_packet(f->m, reason);
    f->m = NULL;
}

// May two owners send the same mbuf?  Not where sending would write into it (checksums, segments).
// Whoever changes headers later asks packet_unshare() first.
static bool
is_shareable(const struct rte_mbuf *m)
{
    return RTE_MBUF_DIRECT(m) && m->nb_segs == 1 && !(m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK);
}

// Another reference to a packet, or a copy; NULL without memory.
static struct rte_mbuf *
share(struct rte_mbuf *m)
{
    if (UNLIKELY(!is_shareable(m))) {
        return packet_copy(m, netdev_default_pool());
    }
    rte_mbuf_refcnt_update(m, 1);
    return m;
}

// The packet for an action: the frame's own if that is the end of it, else another reference or a
// copy; cut as 'trunc' said.  NULL with the loss counted.
static struct rte_mbuf *
frame_take(struct frame *f)
{
    struct packet_layers ly = f->ly;
    struct rte_mbuf *m = f->m;

    if (is_last(f)) {
        f->m = NULL;
        if (UNLIKELY(f->max_size)) {
            m = packet_unshare(m, netdev_default_pool()); // earlier outputs may have it, too
        }
    } else {
        m = f->max_size ? packet_copy(m, netdev_default_pool()) : share(m);
    }
    if (UNLIKELY(!m)) {
        drop_count(DROP_NO_MEMORY, 1);
    } else if (f->max_size) {
        packet_truncate(m, &ly, f->max_size);
    }
    f->max_size = 0;
    return m;
}

static void
run_nested(struct interpreter *in, struct frame *f, const void *actions, uint32_t size)
{
    const struct dp_action *first = actions;
    const struct dp_action *end = (const struct dp_action *)((const uint8_t *)actions + size);

    if (is_last(f)) {
        f->next = first;
        f->end = end;
        return;
    }
    if (in->n_frames == ARRAY_SIZE(in->frames)) {
        drop_count(DROP_RECURSION_TOO_DEEP, 1);
        return;
    }
    struct rte_mbuf *copy = packet_copy(f->m, netdev_default_pool());
    if (!copy) {
        drop_count(DROP_NO_MEMORY, 1);
        return;
    }
    struct frame *g = &in->frames[in->n_frames++];
    g->m = copy;
    g->next = first;
    g->end = end;
    g->ly = f->ly;
    g->max_size = f->max_size;
    g->has_md = f->has_md;
    if (f->has_md) {
        g->md = f->md;
    }
}

static void
run_sample(struct interpreter *in, struct frame *f, const struct dp_act_sample *a)
{
    if (random_u32() <= a->probability && a->probability) {
        run_nested(in, f, a->actions, a->size);
    }
}

static void
run_check_pkt_len(struct interpreter *in, struct frame *f, const struct dp_act_check_pkt_len *a)
{
    uint32_t size = rte_pktmbuf_pkt_len(f->m);

    if (f->max_size && size > f->max_size) {
        size = f->max_size;
    }
    if (size > a->pkt_len) {
        run_nested(in, f, a->actions, a->gt_size);
    } else {
        run_nested(in, f, a->actions + a->gt_size, a->le_size);
    }
}

// Not 0, which says "none" to the pipeline.
static uint32_t
packet_hash(struct frame *f, const struct packet_md *md, enum dp_hash_alg alg, uint32_t basis)
{
    struct flow flow;
    uint32_t hash = 0;

    if (flow_extract(f->m, md, &flow, &f->ly) == EXTRACT_OK) {
        hash = alg == DP_HASH_SYM_L4 ? flow_hash_symmetric_l4(&flow, basis)
                                     : flow_hash_5tuple(&flow, basis);
    }
    return hash ? hash : 1;
}

static void
run_hash(struct interpreter *in, struct frame *f, const struct dp_act_hash *a)
{
    struct packet_md *md = frame_md(in, f);

    md->dp_hash = packet_hash(f, md, (enum dp_hash_alg)a->alg, a->basis);
}

static void
run_output(struct interpreter *in, struct frame *f, odp_port_t port)
{
    uint32_t queue = f->has_md ? f->md.skb_priority : burst_key_queue(in->key);
    struct rte_mbuf *m = frame_take(f);

    if (m && UNLIKELY(queue)) {
        pmd_send_queue(in->pmd, port, queue, m);
    } else if (m) {
        pmd_send(in->pmd, port, &m, 1);
    }
}

static void
run_lb_output(struct interpreter *in, struct frame *f, uint32_t id)
{
    const struct bond_map *map = bonds_find(in->pmd->dp->bonds, id);
    odp_port_t port = ODPP_NONE;

    if (map) {
        uint32_t hash = packet_hash(f, frame_md(in, f), DP_HASH_L4, bond_map_basis(map));
        port = bond_map_choose(map, in->pmd->index, hash, rte_pktmbuf_pkt_len(f->m));
    }
    if (port != ODPP_NONE) {
        run_output(in, f, port);
    } else if (is_last(f)) {
        frame_drop(f, DROP_INVALID_BOND);
    } else {
        f->max_size = 0;
        drop_count(DROP_INVALID_BOND, 1);
    }
}

static void
run_recirc(struct interpreter *in, struct frame *f, uint32_t id)
{
    struct packet_md md = *frame_md(in, f);
    struct rte_mbuf *m = frame_take(f);

    md.recirc_id = id;
    if (m) {
        perf_add(&in->pmd->perf, PMD_STAT_RECIRC, 1);
        recirc_push(in->pmd, m, &md, (uint8_t)(in->depth + 1));
    }
}

static void
run_userspace(struct interpreter *in, struct frame *f, const struct dp_act_userspace *a)
{
    uint64_t start = clock_tsc();
    struct rte_mbuf *m;

    // Before the copy and its metadata are made: that is where the cycles go.
    if (!pmd_may_ask(in->pmd)) {
        if (is_last(f)) {
            frame_drop(f, DROP_MISS_SHARE);
        } else {
            f->max_size = 0;
            drop_count(DROP_MISS_SHARE, 1);
        }
        return;
    }
    m = frame_take(f);
    if (m) {
        pmd_upcall_action(in->pmd, m, frame_md(in, f), a, in->depth);
    }
    pmd_charge_ask(in->pmd, clock_tsc() - start);
}

static void
set_u32(uint32_t *field, const struct dp_act_set_u32 *a)
{
    *field = (*field & ~a->mask) | a->value;
}

static void
run_ct_clear(struct packet_md *md)
{
    md->ct_state = 0;
    md->ct_zone = 0;
    md->ct_mark = 0;
    memset(md->ct_label, 0, sizeof md->ct_label);
    memset(&md->ct_ipv6_src, 0, sizeof md->ct_ipv6_src);
    memset(&md->ct_ipv6_dst, 0, sizeof md->ct_ipv6_dst);
    md->ct_tp_src = md->ct_tp_dst = 0;
    md->ct_nw_proto = 0;
}

static void
run_action(struct interpreter *in, struct frame *f, const struct dp_action *a)
{
    const struct dp_act_u32 *u32 = (const struct dp_act_u32 *)a;
    const struct dp_act_set_u32 *set = (const struct dp_act_set_u32 *)a;
    const struct dp_act_nested *clone = (const struct dp_act_nested *)a;

    switch ((enum dp_action_type)a->type) {
    case DP_ACT_OUTPUT:
        run_output(in, f, ((const struct dp_act_port *)a)->port);
        break;
    case DP_ACT_DROP:
        frame_drop(f, drop_from_action(((const struct dp_act_drop *)a)->reason));
        break;
    case DP_ACT_PUSH_VLAN:
    case DP_ACT_POP_VLAN:
    case DP_ACT_PUSH_MPLS:
    case DP_ACT_POP_MPLS:
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
    case DP_ACT_SET_MPLS:
        f->m = pmd_change_headers(f->m, &f->ly, a);
        break;
    case DP_ACT_SET_PRIORITY:
        set_u32(&frame_md(in, f)->skb_priority, set);
        break;
    case DP_ACT_SET_MARK:
        set_u32(&frame_md(in, f)->pkt_mark, set);
        break;
    case DP_ACT_SET_TUNNEL:
        frame_md(in, f)->tunnel = ((const struct dp_act_set_tunnel *)a)->tunnel;
        f->md.has_tunnel = true;
        break;
    case DP_ACT_RECIRC:
        run_recirc(in, f, u32->value);
        break;
    case DP_ACT_LB_OUTPUT:
        run_lb_output(in, f, u32->value);
        break;
    case DP_ACT_HASH:
        run_hash(in, f, (const struct dp_act_hash *)a);
        break;
    case DP_ACT_TRUNC:
        f->max_size = u32->value;
        break;
    case DP_ACT_CLONE:
        run_nested(in, f, clone->actions, clone->size);
        break;
    case DP_ACT_SAMPLE:
        run_sample(in, f, (const struct dp_act_sample *)a);
        break;
    case DP_ACT_CHECK_PKT_LEN:
        run_check_pkt_len(in, f, (const struct dp_act_check_pkt_len *)a);
        break;
    case DP_ACT_USERSPACE:
        run_userspace(in, f, (const struct dp_act_userspace *)a);
        break;
    case DP_ACT_METER:
        if (!meter_admits(in->pmd->dp->meters, u32->value, f->m, in->pmd->now_ms)) {
            frame_drop(f, DROP_METER);
        }
        break;
    case DP_ACT_CT_CLEAR:
        run_ct_clear(frame_md(in, f));
        break;
    case DP_ACT_CT:
    case DP_ACT_TNL_PUSH:
    case DP_ACT_TNL_POP:
    case DP_ACT_N_TYPES:
        frame_drop(f, DROP_UNSUPPORTED);
        break;
    }
}

static void
interpret(struct interpreter *in)
{
    while (in->n_frames) {
        struct frame *f = &in->frames[in->n_frames - 1];
        if (!f->m || is_last(f)) {
            rte_pktmbuf_free(f->m);
            in->n_frames--;
            continue;
        }
        const struct dp_action *a = f->next;
        f->next = dp_action_next(a);
        run_action(in, f, a);
    }
}

static void
interpret_list(struct interpreter *in, const struct dp_action *first, const struct dp_action *end)
{
    struct frame *f = &in->frames[0];

    in->n_frames = 1;
    f->max_size = 0;
    f->next = first;
    f->end = end;
    interpret(in);
}

static const struct dp_action *
list_end(const struct dp_actions *actions)
{
    return (const struct dp_action *)(actions->data + actions->size);
}

void
pmd_execute_list(struct pmd *pmd, struct rte_mbuf *m, const struct packet_md *md,
                 const struct dp_actions *actions, uint8_t depth)
{
    struct interpreter in;
    struct frame *f = &in.frames[0];
    struct flow_key key;

    if (key_extract_md(m, md, &key, &f->ly) != EXTRACT_OK) {
        drop_packet(m, DROP_RX_INVALID);
        return;
    }
    in.pmd = pmd;
    in.key = &key;
    in.depth = depth;
    f->m = m;
    f->md = *md;
    f->has_md = true;
    interpret_list(&in, (const struct dp_action *)actions->data, list_end(actions));
}

// --- packets of a burst ----------------------------------------------------------------------

// Those that are still on their way through a list.
struct together {
    uint32_t n;
    struct rte_mbuf *m[BURST_MAX];
    uint8_t idx[BURST_MAX]; // in the burst
};

static void
change_all(struct together *t, struct burst *b, const struct dp_action *a)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < t->n; i++) {
        t->m[n] = pmd_change_headers(t->m[i], &b->ly[t->idx[i]], a);
        t->idx[n] = t->idx[i];
        n += t->m[n] != NULL;
    }
    t->n = n;
}

static void
output_all(struct pmd *pmd, struct together *t, odp_port_t port, bool is_the_end)
{
    struct rte_mbuf *m[BURST_MAX];
    uint32_t n = 0;

    if (is_the_end) {
        pmd_send(pmd, port, t->m, t->n);
        t->n = 0;
        return;
    }
    for (uint32_t i = 0; i < t->n; i++) {
        m[n] = share(t->m[i]);
        n += m[n] != NULL;
    }
    if (UNLIKELY(n < t->n)) {
        drop_count(DROP_NO_MEMORY, t->n - n);
    }
    if (n) {
        pmd_send(pmd, port, m, n);
    }
}

// The actions from 'a' on that need nothing but headers and ports, each for all packets before the
// next one.  Returns the first that needs more, or the end.
static const struct dp_action *
run_together(struct pmd *pmd, struct together *t, struct burst *b, const struct dp_action *a,
             const struct dp_action *end)
{
    while (t->n && a < end) {
        const struct dp_action *next = dp_action_next(a);
        if (a->type == DP_ACT_OUTPUT) {
            output_all(pmd, t, ((const struct dp_act_port *)a)->port, next >= end);
        } else if (pmd_changes_headers(a)) {
            change_all(t, b, a);
        } else {
            break;
        }
        a = next;
    }
    return a;
}

// The same for packets 'idx' of a burst, whose keys and layers are known.
void
pmd_execute_burst_list(struct pmd *pmd, struct burst *b, const uint8_t *idx, uint32_t n,
                       const struct dp_actions *actions)
{
    const struct dp_action *a = (const struct dp_action *)actions->data;
    struct together t = {.n = n};
    struct interpreter in;
    struct frame *f = &in.frames[0];

    for (uint32_t i = 0; i < n; i++) {
        t.m[i] = b->m[idx[i]];
        t.idx[i] = idx[i];
    }
    // Where they are sent may depend on what else is known of each that comes back.
    if (b->md == NULL) {
        a = run_together(pmd, &t, b, a, list_end(actions));
    }
    in.pmd = pmd;
    in.depth = b->depth;
    for (uint32_t i = 0; i < t.n; i++) {
        in.key = &b->key[t.idx[i]];
        f->m = t.m[i];
        f->ly = b->ly[t.idx[i]];
        f->has_md = false;
        interpret_list(&in, a, list_end(actions));
    }
}
