// SPDX-License-Identifier: Apache-2.0
/*
 * bond_teach.c - learning packets: after another member of a bond became the one that sends, the
 * neighbours hear from there of each host that is known on other ports.  Main thread; run by
 * bond.c.
 */
#include <stdlib.h>
#include <string.h>

#include "ofproto/bond.h"
#include "ofproto/mac_table.h"
#include "ofproto/ofproto_priv.h"
#include "openflow/ofp_action.h"

enum { LESSONS_AT_ONCE = 256 }; /* of a bond between two looks at the loop */

/* Whether what the bundle sends in 'vlan' carries a tag that says so. */
static bool
is_tagged(const struct ofbundle *b, uint16_t vlan)
{
    return vlan && !(b->cfg.tag == vlan && (b->cfg.vlan_mode == OFPROTO_VLAN_ACCESS ||
                                            b->cfg.vlan_mode == OFPROTO_VLAN_NATIVE_UNTAGGED));
}

static bool
carries(const struct ofbundle *b, uint16_t vlan)
{
    if (b->cfg.vlan_mode == OFPROTO_VLAN_ACCESS || b->cfg.tag == vlan) {
        return b->cfg.tag == vlan;
    }
    return !b->cfg.trunks || (b->trunks[vlan / 64] >> vlan % 64 & 1);
}

/* A request of reverse ARP (RFC 903) by the host itself, which all switches learn from and nobody
 * answers.  Returns its size. */
static size_t
compose_lesson(const struct ofbundle *b, const struct mac_row *row, uint8_t frame[64])
{
    static const uint8_t rarp[] = {0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3};
    const uint8_t *mac = row->mac.addr_bytes;
    uint8_t *f = frame;

    memset(f, 0xff, 6);
    memcpy(f + 6, mac, 6);
    f += 12;
    if (is_tagged(b, row->vlan)) {
        const uint8_t tag[] = {0x81, 0, (uint8_t)(row->vlan >> 8), (uint8_t)row->vlan};

        memcpy(f, tag, sizeof tag);
        f += sizeof tag;
    }
    memcpy(f, rarp, sizeof rarp);
    f += sizeof rarp;
    memset(f, 0, 20);
    memcpy(f, mac, 6);
    memcpy(f + 10, mac, 6);
    return (size_t)(f + 20 - frame);
}

static void
send_lesson(struct ofproto *p, const struct ofbundle *b, const struct mac_row *row)
{
    const struct bond *bond = b->state;
    int member = bond->active;
    struct ofproto_packet_out out = {.version = ofproto_version(p)};
    struct ofpacts acts = {0};
    struct flow metadata;
    uint8_t frame[64];

    if (b->bond.mode == OFPROTO_BOND_SLB && !bond_falls_back(b)) {
        member =
            bond->bucket[bond_hash_mac(row->mac, row->vlan, b->bond.hash_basis) % BOND_BUCKETS];
    }
    if (member < 0 || member == BOND_NO_MEMBER || row->bundle_id == b->id ||
        !carries(b, row->vlan)) {
        return;
    }
    memset(&metadata, 0, sizeof metadata);
    metadata.ofp_in_port = OFPP_NONE;
    ofpacts_put_struct(&acts, OUTPUT, struct ofpact_output)->port = bond->members[member].port;
    out.data = frame;
    out.len = compose_lesson(b, row, frame);
    out.metadata = &metadata;
    out.acts = ofpacts_data(&acts);
    out.acts_size = acts.size;
    p->all->hooks.packet_out(p->all->hooks_aux, p, &out);
    ofpacts_fini(&acts);
}

/* A partner learns by itself: it knows which links are one. */
static bool
may_teach(const struct ofbundle *b)
{
    return bond_falls_back(b) ||
           (lacp_status(b->lacp) == LACP_OFF && b->bond.mode != OFPROTO_BOND_TCP);
}

bool
bond_teach(struct ofproto *p, struct ofbundle *b)
{
    struct bond *bond = b->state;

    if (bond->teach) {
        bond->teach = false;
        free(bond->lessons);
        bond->lessons = NULL;
        bond->n_lessons = bond->lesson = 0;
        if (p->mac_table && p->all->hooks.packet_out && may_teach(b)) {
            bond->lessons = mac_table_rows(p->mac_table, &bond->n_lessons);
        }
    }
    for (int i = 0; i < LESSONS_AT_ONCE && bond->lesson < bond->n_lessons; i++) {
        send_lesson(p, b, &bond->lessons[bond->lesson++]);
    }
    return bond->lesson < bond->n_lessons;
}
