// SPDX-License-Identifier: Apache-2.0
/*
 * ofconn_async.c - what a connection is told without having asked: packets, removed flows, ports.
 *
 * Main thread.  A peer that does not read misses packet-ins (controller_queue_size); the rest is
 * queued up to the stream's limit.
 */
#include "base/clock.h"
#include "base/coverage.h"
#include "ofproto/ofconn.h"
#include "openflow/ofp_continuation.h"

COVERAGE_DEFINE(rconn_overflow);
COVERAGE_DEFINE(packet_in_overflow);

bool
ofconn_wants_invalid_ttl(const struct ofconn *c)
{
    return c->async.primary[OFP_ASYNC_PACKET_IN] >> OFPR_INVALID_TTL & 1;
}

void
ofconn_set_invalid_ttl(struct ofconn *c, bool wanted)
{
    uint32_t bit = UINT32_C(1) << OFPR_INVALID_TTL;

    c->async_is_set |= wanted != ofconn_wants_invalid_ttl(c);
    c->async.primary[OFP_ASYNC_PACKET_IN] &= ~bit;
    c->async.primary[OFP_ASYNC_PACKET_IN] |= wanted ? bit : 0;
}

void
ofconn_send_flow_removed(struct ofconn *c, const struct rule *r, uint8_t reason)
{
    int64_t age = clock_now_ms() - r->created_ms;
    struct ofp_flow_removed fr = {
        .cookie = r->cookie,
        .n_packets = atomic_load_explicit(&r->stats->packets, memory_order_relaxed),
        .n_bytes = atomic_load_explicit(&r->stats->bytes, memory_order_relaxed),
        .duration_sec = (uint32_t)(age / 1000),
        .duration_nsec = (uint32_t)(age % 1000 * 1000000),
        .priority = (uint16_t)r->cls.priority,
        .idle_timeout = r->idle_timeout,
        .hard_timeout = r->hard_timeout,
        .reason = reason,
        .table_id = r->table_id,
    };

    if (!ofconn_wants(c, OFP_ASYNC_FLOW_REMOVED, reason)) {
        return;
    }
    cls_rule_get_match(&r->cls, &fr.match);
    ofp_flow_removed_encode(&fr, (enum ofp_version)c->version,
                            c->flow_format == OFP_FLOW_FORMAT_NXM, &c->out);
    if (!c->in_process) {
        ofconn_flush(c);
    }
}

void
ofconn_send_port_status(struct ofconn *c, const struct ofp_port *port, enum ofp_port_reason reason)
{
    if (ofconn_wants(c, OFP_ASYNC_PORT_STATUS, reason)) {
        ofp_port_status_encode(port, reason, (enum ofp_version)c->version, &c->out);
        if (!c->in_process) {
            ofconn_flush(c);
        }
    }
}

void
ofconn_send_table_status(struct ofconn *c, const struct ofp_table_desc *desc, uint8_t reason)
{
    if (ofconn_wants(c, OFP_ASYNC_TABLE_STATUS, reason)) {
        ofp_table_status_encode(desc, reason, (enum ofp_version)c->version, &c->out);
        if (!c->in_process) {
            ofconn_flush(c);
        }
    }
}

/* --- the queue of packet-ins --------------------------------------------------------------------
 */

static bool
queue_is_full(struct ofconn *c)
{
    uint64_t backlog = stream_backlog(c->stream);
    uint64_t gone = c->sent > backlog ? c->sent - backlog : 0;

    while (c->n_pins && c->pin_ends[c->first_pin] <= gone) {
        c->first_pin = (c->first_pin + 1) % OFCONN_MAX_PIN_QUEUE;
        c->n_pins--;
    }
    return c->n_pins >= connmgr_queue_size(c->mgr, c->controller);
}

/* The packet-in is the last thing in c->out. */
static void
queue_put(struct ofconn *c)
{
    unsigned last = (c->first_pin + c->n_pins) % OFCONN_MAX_PIN_QUEUE;

    c->pin_ends[last] = c->sent + c->out.size;
    c->n_pins++;
}

static void
send_now(void *c_, const void *data, size_t size)
{
    struct ofconn *c = c_;

    if (ofconn_is_congested(c) || queue_is_full(c)) {
        coverage_inc(packet_in_overflow);
        coverage_inc(rconn_overflow);
        return;
    }
    wr_bytes(&c->out, data, size);
    queue_put(c);
    if (!c->in_process) {
        ofconn_flush(c);
    }
}

void
ofconn_set_rate_limit(struct ofconn *c, int rate, int burst)
{
    for (int i = 0; i < OFCONN_N_PINSCHEDS; i++) {
        struct pinsched **ps = &c->pinsched[i];

        if (rate > 0 && *ps) {
            pinsched_set_limits(*ps, rate, burst);
        } else if (rate > 0) {
            *ps = pinsched_create(c->ofproto->all->loop, rate, burst, send_now, c);
        } else if (*ps) {
            pinsched_flush(*ps);
            pinsched_destroy(*ps);
            *ps = NULL;
        }
    }
}

/* The pipeline's fields of a packet, as the match that packet-ins carry. */
static void
metadata_match(const struct flow *flow, struct match *m)
{
    match_init_any(m);
    m->flow.ofp_in_port = flow->ofp_in_port;
    FLOW_MASK_SET(&m->mask, ofp_in_port);
    if (flow->tunnel.ip_dst || flow->tunnel.tun_id) {
        m->flow.tunnel.tun_id = flow->tunnel.tun_id;
        FLOW_MASK_SET(&m->mask, tunnel.tun_id);
    }
    if (flow->tunnel.ip_src) {
        m->flow.tunnel.ip_src = flow->tunnel.ip_src;
        FLOW_MASK_SET(&m->mask, tunnel.ip_src);
    }
    if (flow->tunnel.ip_dst) {
        m->flow.tunnel.ip_dst = flow->tunnel.ip_dst;
        FLOW_MASK_SET(&m->mask, tunnel.ip_dst);
    }
    for (int i = 0; i < FLOW_N_REGS; i++) {
        if (flow->regs[i]) {
            m->flow.regs[i] = flow->regs[i];
            FLOW_MASK_SET(&m->mask, regs[i]);
        }
    }
    if (flow->metadata) {
        m->flow.metadata = flow->metadata;
        FLOW_MASK_SET(&m->mask, metadata);
    }
    if (flow->pkt_mark) {
        m->flow.pkt_mark = flow->pkt_mark;
        FLOW_MASK_SET(&m->mask, pkt_mark);
    }
    if (flow->ct_state) {
        m->flow.ct_state = flow->ct_state;
        m->flow.ct_zone = flow->ct_zone;
        m->flow.ct_mark = flow->ct_mark;
        memcpy(m->flow.ct_label, flow->ct_label, sizeof m->flow.ct_label);
        FLOW_MASK_SET(&m->mask, ct_state);
        FLOW_MASK_SET(&m->mask, ct_zone);
        FLOW_MASK_SET(&m->mask, ct_mark);
        FLOW_MASK_SET(&m->mask, ct_label);
    }
    mf_options_to_match(flow, m);
}

/* Reasons beyond a version's own look like those that it has. */
static unsigned
wire_reason(const struct ofproto_packet_in *pin)
{
    if (pin->reason == OFPR_EXPLICIT_MISS || pin->reason == OFPR_IMPLICIT_MISS) {
        return OFPR_NO_MATCH;
    }
    return pin->reason;
}

void
ofconn_send_packet_in(struct ofconn *c, const struct ofproto_packet_in *pin)
{
    bool is_miss = pin->is_miss || pin->reason == OFPR_IMPLICIT_MISS;
    struct pinsched *ps = c->pinsched[wire_reason(pin) == OFPR_NO_MATCH];
    struct wr left = {0}, msg = {0};
    struct ofp_packet_in out = {
        .packet = pin->data,
        .packet_size = pin->len,
        .full_size = pin->total_len,
        .buffer_id = OFP_BUFFER_NONE,
        .reason = pin->reason,
        .table_id = pin->table_id,
        .cookie = pin->cookie,
        .userdata = pin->userdata,
        .userdata_size = pin->userdata_len,
    };

    if (c->controller_id != pin->controller_id ||
        !ofconn_wants(c, OFP_ASYNC_PACKET_IN, wire_reason(pin)) ||
        (is_miss && c->version >= OFP13_VERSION)) {
        return;
    }
    if (!ps && (ofconn_is_congested(c) || queue_is_full(c))) {
        coverage_inc(packet_in_overflow); /* Before it costs anything. */
        coverage_inc(rconn_overflow);
        return;
    }
    metadata_match(pin->flow, &out.metadata);
    if (pin->continuation) {
        if (!ofp_continuation_encode(pin->continuation, (enum ofp_version)c->version,
                                     ofproto_options(c->ofproto), &left)) {
            coverage_inc(packet_in_overflow); /* No message can carry so much. */
            coverage_inc(rconn_overflow);
            wr_fini(&left);
            return;
        }
        out.continuation = left.data;
        out.continuation_size = left.size;
    }
    /* Nothing is buffered, so the controller gets the whole packet, whatever length it or the
     * action said (OpenFlow 1.3 section 7.4.1). */
    ofp_packet_in_encode(&out, (enum ofp_version)c->version, c->pin_format, OFP_MAX_LEN_NO_BUFFER,
                         &msg);
    if (ps) {
        pinsched_put(ps, pin->flow->ofp_in_port, msg.data, msg.size);
    } else {
        send_now(c, msg.data, msg.size);
    }
    wr_fini(&left);
    wr_fini(&msg);
}
