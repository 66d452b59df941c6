// SPDX-License-Identifier: Apache-2.0
/*
 * bundle_lacp.c - LACP of logical ports: hands lacp.c the configuration, links, time and frames,
 * and sends what it says.  Main thread; run by bond.c.
 */
#include "base/clock.h"
#include "ofproto/bond.h"
#include "ofproto/ofproto_priv.h"
#include "openflow/ofp_action.h"

static void
sync_member(struct ofproto *p, struct ofbundle *b, size_t i)
{
    struct ofport *port = ofport_find(p, b->members[i]);
    bool is_new = !lacp_member(b->lacp, b->members[i]);
    struct netdev_link link;
    uint64_t seq;

    if (!port || !port->netdev) {
        return;
    }
    lacp_put_member(b->lacp, port->ofp_port, port->name, &b->lacp_members[i], clock_now_ms());
    /* Frames and timers lead here, too; to ask a device for its link is up to its driver. */
    seq = netdev_change_seq(port->netdev);
    if (!is_new && seq == port->carrier_seq) {
        return;
    }
    port->carrier_seq = seq;
    netdev_get_link(port->netdev, &link);
    if (!is_new && link.resets != port->carrier_resets) {
        lacp_carrier_changed(b->lacp, port->ofp_port, clock_now_ms());
    }
    port->carrier_resets = link.resets;
}

static void
sync(struct ofproto *p, struct ofbundle *b)
{
    ofp_port_t *present = xcalloc(b->n_members + 1, sizeof *present);
    struct lacp_cfg cfg = b->lacp_cfg;
    size_t n = 0;

    if (rte_is_zero_ether_addr(&cfg.sys_id)) {
        cfg.sys_id = p->mac;
    }
    lacp_configure(b->lacp, &cfg);
    for (size_t i = 0; i < b->n_members; i++) {
        if (ofport_find(p, b->members[i])) {
            present[n++] = b->members[i];
        }
    }
    lacp_keep_members(b->lacp, present, n);
    for (size_t i = 0; i < b->n_members; i++) {
        sync_member(p, b, i);
    }
    free(present);
}

void
bundle_lacp_tell_ports(struct ofproto *p, const struct ofbundle *b)
{
    for (size_t i = 0; i < b->n_members; i++) {
        ofport_set_lacp_holds(ofport_find(p, b->members[i]),
                              !lacp_may_enable(b->lacp, b->members[i]));
    }
}

void
bundle_lacp_release_ports(struct ofproto *p, const struct ofbundle *b, const ofp_port_t *kept,
                          size_t n_kept)
{
    for (size_t i = 0; i < b->n_members; i++) {
        bool is_kept = false;

        for (size_t j = 0; j < n_kept && !is_kept; j++) {
            is_kept = kept[j] == b->members[i];
        }
        if (!is_kept) {
            ofport_set_lacp_holds(ofport_find(p, b->members[i]), false);
        }
    }
}

bool
bundle_lacp_run(struct ofproto *p, struct ofbundle *b)
{
    uint64_t seq, status_seq;

    if (!b->cfg.lacp) {
        bool had = b->lacp != NULL;

        lacp_destroy(b->lacp);
        b->lacp = NULL;
        if (had) {
            bundle_lacp_tell_ports(p, b);
            p->all->bond_seq++;
            ofproto_view_changed(p);
        }
        return had;
    }
    if (!b->lacp) {
        b->lacp = lacp_create();
        ofproto_view_changed(p);
    }
    seq = b->lacp->seq;
    status_seq = b->lacp->status_seq;
    sync(p, b);
    lacp_run(b->lacp, clock_now_ms());
    /* Views and the database hear of what changes for them only: partners may say something new as
     * often as they like. */
    if (seq != b->lacp->seq || status_seq != b->lacp->status_seq) {
        p->all->bond_seq++;
    }
    if (seq == b->lacp->seq) {
        return false;
    }
    bundle_lacp_tell_ports(p, b);
    ofproto_view_changed(p);
    return true;
}

/* --- frames -------------------------------------------------------------------------------------
 */

static void
send_pdu(struct ofproto *p, const struct ofport *port, const uint8_t pdu[static LACP_PDU_SIZE])
{
    static const uint8_t header[] = {0x01, 0x80, 0xc2, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0x88, 0x09};
    uint8_t frame[sizeof header + LACP_PDU_SIZE];
    struct ofproto_packet_out out = {
        .data = frame,
        .len = sizeof frame,
        .version = ofproto_version(p),
    };
    struct ofpacts acts = {0};
    struct flow metadata;

    if (!p->all->hooks.packet_out) {
        return;
    }
    memcpy(frame, header, sizeof header);
    memcpy(frame + 6, &port->desc.hw_addr, 6);
    memcpy(frame + sizeof header, pdu, LACP_PDU_SIZE);
    memset(&metadata, 0, sizeof metadata);
    metadata.ofp_in_port = OFPP_NONE;
    ofpacts_put_struct(&acts, OUTPUT, struct ofpact_output)->port = port->ofp_port;
    out.metadata = &metadata;
    out.acts = ofpacts_data(&acts);
    out.acts_size = acts.size;
    p->all->hooks.packet_out(p->all->hooks_aux, p, &out);
    ofpacts_fini(&acts);
}

int64_t
bundle_lacp_send(struct ofproto *p, struct ofbundle *b)
{
    uint8_t pdu[LACP_PDU_SIZE];
    ofp_port_t number;

    if (!b->lacp) {
        return LACP_NEVER;
    }
    while (lacp_next_pdu(b->lacp, clock_now_ms(), &number, pdu)) {
        const struct ofport *port = ofport_find(p, number);

        if (port) {
            send_pdu(p, port, pdu);
        }
    }
    return lacp_next_event(b->lacp);
}

/* The bundle with LACP on the port, as the last view has it; NULL: none. */
static struct ofbundle *
lacp_bundle(const struct ofproto *p, ofp_port_t number)
{
    const struct view_port *port = view_port(ofproto_view(p), number);
    struct ofbundle *b;

    if (!port || !port->bundle || !port->bundle->has_lacp) {
        return NULL;
    }
    HASH_FIND(by_id, p->bundles_by_id, &port->bundle->id, sizeof port->bundle->id, b);
    return b && lacp_member(b->lacp, number) ? b : NULL;
}

/* Some devices are slow to say that they have a link: what comes before counts for nothing. */
void
bundle_lacp_receive(struct ofproto *p, ofp_port_t number, const void *data, size_t len)
{
    const struct ofport *port = ofport_find(p, number);
    struct ofbundle *b = lacp_bundle(p, number);

    if (b && port && !(port->desc.state & OFPPS_LINK_DOWN)) {
        lacp_receive(b->lacp, number, data, len, clock_now_ms());
        b->lacp_heard = true;
    }
}

void
bundle_lacp_heard(struct ofproto *p, ofp_port_t number)
{
    struct ofbundle *b = lacp_bundle(p, number);

    if (b && b->lacp_heard) {
        b->lacp_heard = false;
        bundle_run(p, b);
    }
}

int
ofproto_lacp_current(const struct ofproto *p, ofp_port_t number)
{
    const struct ofbundle *b = lacp_bundle(p, number);

    return b ? lacp_member(b->lacp, number)->status != LACP_MEMBER_DEFAULTED : -1;
}
