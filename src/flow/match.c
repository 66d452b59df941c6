// SPDX-License-Identifier: Apache-2.0
/*
 * Matches: comparing, hashing, and the setters that callers use most.  See match.h; text is in
 * match_format.c and match_parse.c.
 */
#include "flow/match.h"

#include "base/util.h"

#define OFP10_VLAN_NONE 0xffff

void
match_init(struct match *m, const struct flow *flow, const struct flow_mask *mask)
{
    m->flow = *flow;
    m->mask = *mask;
    flow_apply_mask(&m->flow, &m->mask);
}

bool
match_is_within(const struct match *a, const struct match *b)
{
    return flow_mask_is_subset(&b->mask, &a->mask) &&
           flow_equal_masked(&a->flow, &b->flow, &b->mask);
}

bool
match_overlaps(const struct match *a, const struct match *b)
{
    struct flow_mask both = a->mask;

    flow_mask_and(&both, &b->mask);
    return flow_equal_masked(&a->flow, &b->flow, &both);
}

uint32_t
match_hash(const struct match *m, uint32_t basis)
{
    return flow_hash_masked(&m->flow, &m->mask, flow_hash_masked(&m->mask.bits, &m->mask, basis));
}

void
match_set_in_port(struct match *m, ofp_port_t port)
{
    m->flow.ofp_in_port = port;
    FLOW_MASK_SET(&m->mask, ofp_in_port);
}

void
match_set_dl_type(struct match *m, uint16_t type)
{
    m->flow.dl_type = htobe16_(type);
    FLOW_MASK_SET(&m->mask, dl_type);
}

void
match_set_nw_proto(struct match *m, uint8_t proto)
{
    m->flow.nw_proto = proto;
    FLOW_MASK_SET(&m->mask, nw_proto);
}

void
match_set_reg_masked(struct match *m, int idx, uint32_t value, uint32_t mask)
{
    m->flow.regs[idx] = value & mask;
    m->mask.bits.regs[idx] = mask;
}

void
match_set_vlan_tci_masked(struct match *m, rte_be16_t tci, rte_be16_t mask)
{
    m->flow.vlans[0].tci = tci & mask;
    m->mask.bits.vlans[0].tci = mask;
}

/* Changes only 'bits' of what is matched of the TCI. */
static void
set_tci_bits(struct match *m, uint16_t value, uint16_t bits)
{
    struct flow_vlan *flow = &m->flow.vlans[0], *mask = &m->mask.bits.vlans[0];

    flow->tci = (flow->tci & ~htobe16_(bits)) | htobe16_(value & bits);
    mask->tci |= htobe16_(bits);
}

void
match_set_dl_vlan(struct match *m, uint16_t vid)
{
    if (vid == OFP10_VLAN_NONE) {
        match_set_vlan_tci_masked(m, 0, UINT16_MAX);
    } else {
        set_tci_bits(m, (vid & VLAN_VID_MASK) | VLAN_CFI, VLAN_VID_MASK | VLAN_CFI);
    }
}

void
match_set_dl_vlan_pcp(struct match *m, uint8_t pcp)
{
    set_tci_bits(m, (uint16_t)(pcp << VLAN_PCP_SHIFT) | VLAN_CFI, VLAN_PCP_MASK | VLAN_CFI);
}
