// SPDX-License-Identifier: Apache-2.0
/*
 * dp_action.c - building lists of datapath actions.
 */
#include "flow/dp_action.h"

#include <stdlib.h>

#include "base/util.h"

enum { INITIAL_SIZE = 256 };

void
dp_actions_fini(struct dp_actions *acts)
{
    free(acts->data);
    *acts = (struct dp_actions){0};
}

/* Room for 'size' more bytes (a multiple of 8), zeroed; after an overflow, scratch at the front
 * that nobody will read as actions. */
static void *
put_uninit(struct dp_actions *acts, size_t size)
{
    uint8_t *p;

    if (acts->overflow || size > DP_ACTIONS_MAX_SIZE - acts->size) {
        acts->overflow = true;
        acts->size = 0;
    }
    if (acts->size + size > acts->cap) {
        acts->cap =
            (uint32_t)MAX((size_t)MAX(acts->cap * 2, (uint32_t)INITIAL_SIZE), acts->size + size);
        acts->data = xrealloc(acts->data, acts->cap);
    }
    p = acts->data + acts->size;
    if (!acts->overflow) {
        acts->size += (uint32_t)size;
    }
    memset(p, 0, size);
    return p;
}

void *
dp_actions_put(struct dp_actions *acts, enum dp_action_type type, size_t size)
{
    size_t whole = (size + 7) / 8 * 8;
    struct dp_action *a = put_uninit(acts, whole);

    a->type = (uint16_t)type;
    a->len8 = (uint16_t)(whole / 8);
    return a;
}

void
dp_actions_append(struct dp_actions *acts, const void *data, uint32_t size)
{
    if (size) {
        memcpy(put_uninit(acts, size), data, size);
    }
}

static void
put_port(struct dp_actions *acts, enum dp_action_type type, odp_port_t port)
{
    struct dp_act_port *a = dp_actions_put(acts, type, sizeof *a);

    a->port = port;
}

void
dp_put_output(struct dp_actions *acts, odp_port_t port)
{
    put_port(acts, DP_ACT_OUTPUT, port);
}

void
dp_put_tnl_pop(struct dp_actions *acts, odp_port_t port)
{
    put_port(acts, DP_ACT_TNL_POP, port);
}

void
dp_put_drop(struct dp_actions *acts, enum dp_drop_reason reason)
{
    struct dp_act_drop *a = dp_actions_put(acts, DP_ACT_DROP, sizeof *a);

    a->reason = reason;
}

void
dp_put_u32(struct dp_actions *acts, enum dp_action_type type, uint32_t value)
{
    struct dp_act_u32 *a = dp_actions_put(acts, type, sizeof *a);

    a->value = value;
}

void
dp_put_hash(struct dp_actions *acts, enum dp_hash_alg alg, uint32_t basis)
{
    struct dp_act_hash *a = dp_actions_put(acts, DP_ACT_HASH, sizeof *a);

    a->alg = alg;
    a->basis = basis;
}

void
dp_put_push_vlan(struct dp_actions *acts, rte_be16_t tpid, rte_be16_t tci)
{
    struct dp_act_push_vlan *a = dp_actions_put(acts, DP_ACT_PUSH_VLAN, sizeof *a);

    a->tpid = tpid;
    a->tci = tci | rte_cpu_to_be_16(VLAN_CFI);
}

void
dp_put_pop_vlan(struct dp_actions *acts)
{
    dp_actions_put(acts, DP_ACT_POP_VLAN, sizeof(struct dp_action));
}

void
dp_put_push_mpls(struct dp_actions *acts, rte_be32_t lse, rte_be16_t ethertype)
{
    struct dp_act_push_mpls *a = dp_actions_put(acts, DP_ACT_PUSH_MPLS, sizeof *a);

    a->lse = lse;
    a->ethertype = ethertype;
}

void
dp_put_pop_mpls(struct dp_actions *acts, rte_be16_t ethertype)
{
    struct dp_act_pop_mpls *a = dp_actions_put(acts, DP_ACT_POP_MPLS, sizeof *a);

    a->ethertype = ethertype;
}

void
dp_put_ct_clear(struct dp_actions *acts)
{
    dp_actions_put(acts, DP_ACT_CT_CLEAR, sizeof(struct dp_action));
}

void
dp_put_tunnel(struct dp_actions *acts, const struct flow_tnl *tunnel)
{
    struct dp_act_set_tunnel *a = dp_actions_put(acts, DP_ACT_SET_TUNNEL, sizeof *a);

    a->tunnel = *tunnel;
}

/* Copies a whole record but for its header. */
static void
put_copy(struct dp_actions *acts, enum dp_action_type type, const void *record, size_t size)
{
    uint8_t *a = dp_actions_put(acts, type, size);

    memcpy(a + sizeof(struct dp_action), (const uint8_t *)record + sizeof(struct dp_action),
           size - sizeof(struct dp_action));
}

void
dp_put_userspace(struct dp_actions *acts, const struct dp_act_userspace *act)
{
    put_copy(acts, DP_ACT_USERSPACE, act, sizeof *act);
}

void
dp_put_ct(struct dp_actions *acts, const struct dp_act_ct *act)
{
    put_copy(acts, DP_ACT_CT, act, sizeof *act);
}

void
dp_put_tnl_push(struct dp_actions *acts, odp_port_t tnl_port, odp_port_t out_port,
                enum dp_tnl_type type, const void *header, uint16_t header_size)
{
    struct dp_act_tnl_push *a;

    header_size = MIN(header_size, (uint16_t)DP_TNL_HEADER_MAX);
    a = dp_actions_put(acts, DP_ACT_TNL_PUSH, sizeof *a + header_size);
    a->tnl_port = tnl_port;
    a->out_port = out_port;
    a->tnl_type = (uint16_t)type;
    a->header_size = header_size;
    memcpy(a->header, header, header_size);
}

/* --- nested lists ------------------------------------------------------------------------- */

uint32_t
dp_begin_clone(struct dp_actions *acts)
{
    uint32_t pos = acts->size;

    dp_actions_put(acts, DP_ACT_CLONE, sizeof(struct dp_act_nested));
    return pos;
}

uint32_t
dp_begin_sample(struct dp_actions *acts, uint32_t probability)
{
    uint32_t pos = acts->size;
    struct dp_act_sample *a = dp_actions_put(acts, DP_ACT_SAMPLE, sizeof *a);

    a->probability = probability;
    return pos;
}

uint32_t
dp_begin_check_pkt_len(struct dp_actions *acts, uint32_t pkt_len)
{
    uint32_t pos = acts->size;
    struct dp_act_check_pkt_len *a = dp_actions_put(acts, DP_ACT_CHECK_PKT_LEN, sizeof *a);

    a->pkt_len = pkt_len;
    return pos;
}

void
dp_check_pkt_len_else(struct dp_actions *acts, uint32_t pos)
{
    if (!acts->overflow) {
        struct dp_act_check_pkt_len *a = (struct dp_act_check_pkt_len *)(acts->data + pos);

        a->gt_size = acts->size - pos - (uint32_t)sizeof *a;
    }
}

void
dp_end_nested(struct dp_actions *acts, uint32_t pos)
{
    struct dp_action *hdr;
    uint32_t whole = acts->size - pos;

    if (acts->overflow) {
        return;
    }
    hdr = (struct dp_action *)(acts->data + pos);
    hdr->len8 = (uint16_t)(whole / 8);
    if (hdr->type == DP_ACT_CHECK_PKT_LEN) {
        struct dp_act_check_pkt_len *a = (struct dp_act_check_pkt_len *)hdr;

        a->le_size = whole - (uint32_t)sizeof *a - a->gt_size;
    } else {
        /* CLONE and SAMPLE have their size at the same place. */
        static_assert(offsetof(struct dp_act_nested, size) ==
                              offsetof(struct dp_act_sample, size) &&
                          sizeof(struct dp_act_nested) == sizeof(struct dp_act_sample),
                      "one way to close both");
        ((struct dp_act_nested *)hdr)->size = whole - (uint32_t)sizeof(struct dp_act_nested);
    }
}
