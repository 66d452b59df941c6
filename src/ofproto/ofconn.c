// SPDX-License-Identifier: Apache-2.0
/*
 * ofconn.c - the life of one OpenFlow connection: hello, cutting the stream into messages,
 * barriers, probes, the end.
 *
 * Main thread.  The peer is not trusted: a length below 8 ends the connection, everything else that
 * is wrong gets an OpenFlow error, and a peer that does not read its replies is dropped.
 */
#include "ofproto/ofconn.h"

#include <stdlib.h>

#include <event2/buffer.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "base/log.h"

LOG_MODULE(rconn);

COVERAGE_DEFINE(ofproto_recv_openflow);
COVERAGE_DEFINE(rconn_queued);
COVERAGE_DEFINE(rconn_sent);
COVERAGE_DEFINE(vconn_received);
COVERAGE_DEFINE(vconn_sent);

/* One turn of a connection ends after this time or so many messages. */
#define TURN_US 2000
#define TURN_MESSAGES 2000
/* Replies that a peer may leave unread. */
#define BACKLOG_LIMIT ((size_t)64 << 20)
#define ADMISSION_MS 30000

static struct log_rate rl = LOG_RATE_INIT(60, 5);

struct ofconn *
ofconn_create(const struct ofconn_cfg *cfg)
{
    struct ofconn *c = xzalloc(sizeof *c);

    c->ofproto = cfg->ofproto;
    c->mgr = cfg->mgr;
    c->controller = cfg->controller;
    c->stream = cfg->stream;
    c->is_active = cfg->is_active;
    c->is_primary = cfg->is_primary;
    c->probe_ms = cfg->probe_ms;
    c->connected_ms = clock_now_ms();
    c->allowed_versions = cfg->versions;
    c->miss_send_len = c->is_primary ? OFP_DEFAULT_MISS_SEND_LEN : 0;
    c->role = OFPCR_ROLE_EQUAL;
    c->async_enabled = true;
    c->last_rx_ms = clock_now_ms();
    stream_set_backlog_limit(c->stream, BACKLOG_LIMIT);
    connmgr_attach(c->mgr, c);
    ofp_hello_encode(c->allowed_versions, 1, &c->out);
    ofconn_flush(c);
    return c;
}

static void
ofconn_free(struct ofconn *c)
{
    wr_fini(&c->out);
    free(c);
}

struct barrier_wait {
    struct ofconn *conn; /* NULL: it is gone */
    uint64_t seq;        /* ofprotos_seq() that the datapath will have reached */
    struct ofprotos *all;
    uint8_t version;
    uint32_t xid;
};

void
ofconn_destroy(struct ofconn *c)
{
    if (!c || c->dead) {
        return;
    }
    c->dead = true;
    loop_cancel(c->ofproto->all->loop, ofconn_process, c);
    loop_cancel(c->ofproto->all->loop, dump_continue, c);
    if (c->barrier) {
        c->barrier->conn = NULL;
    }
    dump_destroy(c->dump);
    c->dump = NULL;
    ofconn_bundles_destroy(c);
    ofconn_monitors_destroy(c);
    for (int i = 0; i < OFCONN_N_PINSCHEDS; i++) {
        pinsched_destroy(c->pinsched[i]);
        c->pinsched[i] = NULL;
    }
    connmgr_detach(c->mgr, c);
    if (!c->is_active) {
        stream_close_flushed(c->stream, 1000);
    }
    c->stream = NULL;
    if (!c->in_process) {
        ofconn_free(c);
    }
}

void
ofconn_close(struct ofconn *c)
{
    c->closing = true;
}

/* Ends a connection that was asked to close, or whose peer is dead. */
static void
disconnect(struct ofconn *c)
{
    struct controller *controller = c->controller;
    bool is_active = c->is_active;

    ofconn_flush(c);
    if (is_active) {
        controller_lost(controller, c);
    } else {
        ofconn_destroy(c);
    }
}

static void
count_sent(const struct wr *out)
{
    uint64_t n = 0;

    for (size_t ofs = 0; ofs + OFP_HEADER_SIZE <= out->size; n++) {
        ofs += MAX((size_t)ofp_msg_size(out->data + ofs), (size_t)OFP_HEADER_SIZE);
    }
    coverage_add(rconn_queued, n);
    coverage_add(rconn_sent, n);
    coverage_add(vconn_sent, n);
}

void
ofconn_flush(struct ofconn *c)
{
    if (!c->out.size || !c->stream) {
        return;
    }
    count_sent(&c->out);
    if (c->is_primary) {
        connmgr_snoop(c->mgr, c->out.data, c->out.size);
    }
    stream_send(c->stream, c->out.data, c->out.size);
    c->sent += c->out.size;
    wr_truncate(&c->out, 0);
    c->barrier_answered = false;
}

bool
ofconn_is_congested(const struct ofconn *c)
{
    return !c->stream || stream_backlog(c->stream) > OFCONN_CONGESTED;
}

bool
ofconn_wants(const struct ofconn *c, enum ofp_async_type type, unsigned reason)
{
    const uint32_t *bits = c->role == OFPCR_ROLE_SECONDARY ? c->async.secondary : c->async.primary;

    /* Who only came to give orders is told nothing until it says how much of a packet it wants. */
    return c->version && !c->closing && (c->is_primary || c->miss_send_len) &&
           bits[type] >> reason & 1;
}

/* --- barriers
 * --------------------------------------------------------------------------------------- */

static void
schedule(struct ofconn *c)
{
    if (!c->is_scheduled && !c->dead) {
        c->is_scheduled = true;
        loop_post(c->ofproto->all->loop, ofconn_process, c);
    }
}

static void
barrier_done(void *wait_)
{
    struct barrier_wait *wait = wait_;
    struct ofconn *c = wait->conn;

    wait->all->synced_seq = MAX(wait->all->synced_seq, wait->seq);
    if (c) {
        c->barrier = NULL;
        ofp_msg_put_empty(&c->out, OFPTYPE_BARRIER_REPLY, (enum ofp_version)wait->version,
                          wait->xid);
        ofconn_flush(c);
        schedule(c);
    }
    free(wait);
}

static enum ofperr
handle_barrier(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofprotos *all = c->ofproto->all;
    struct barrier_wait *wait;

    if (c->mod_seq > all->synced_seq && all->hooks.is_synced &&
        all->hooks.is_synced(all->hooks_aux)) {
        all->synced_seq = ofprotos_seq(all);
    }
    if (!all->hooks.sync || c->mod_seq <= all->synced_seq) {
        ofp_msg_put_empty(&c->out, OFPTYPE_BARRIER_REPLY, (enum ofp_version)msg->version, msg->xid);
        c->barrier_answered = true;
        return OFPERR_OK;
    }
    wait = xzalloc(sizeof *wait);
    wait->conn = c;
    wait->all = all;
    wait->seq = ofprotos_seq(all);
    wait->version = msg->version;
    wait->xid = msg->xid;
    c->barrier = wait;
    all->hooks.sync(all->hooks_aux, barrier_done, wait);
    return OFPERR_OK;
}

/* --- messages
 * ---------------------------------------------------------------------------------------- */

static void
negotiate(struct ofconn *c, const struct ofp_msg *msg)
{
    uint32_t theirs = 0;
    unsigned version;

    if (!ofp_hello_decode(msg, &theirs)) {
        log_warn_rl(&rl, "%s: hello (%zu bytes) with elements that are unknown or damaged",
                    stream_name(c->stream), msg->size);
    }
    version = ofp_version_negotiate(c->allowed_versions, theirs);
    if (!version) {
        struct str us = STR_INIT, peer = STR_INIT;

        ofp_versions_format(c->allowed_versions, &us);
        ofp_versions_format(theirs, &peer);
        log_warn_rl(&rl, "%s: version negotiation failed (we support %s, peer supports %s)",
                    stream_name(c->stream), str_cstr(&us), str_cstr(&peer));
        str_free(&us);
        str_free(&peer);
        ofp_hello_failed_encode(c->allowed_versions, theirs, msg->xid, &c->out);
        ofconn_close(c);
        return;
    }
    c->version = (uint8_t)version;
    if (c->async_enabled) {
        ofp_async_config_init(&c->async, (enum ofp_version)version);
    }
    connmgr_miss_changed(c->mgr);
}

/* Greetings and questions come before a controller has decided; anything else says that it has. */
static bool
shows_admission(const struct ofp_msg *msg)
{
    switch ((int)msg->type) {
    case OFPTYPE_HELLO:
    case OFPTYPE_ERROR:
    case OFPTYPE_ECHO_REQUEST:
    case OFPTYPE_ECHO_REPLY:
    case OFPTYPE_FEATURES_REQUEST:
    case OFPTYPE_GET_CONFIG_REQUEST:
    case OFPTYPE_SET_CONFIG:
        return false;
    default:
        return true;
    }
}

bool
ofconn_is_admitted(const struct ofconn *c)
{
    return c->version && (c->is_admitted || clock_now_ms() - c->connected_ms >= ADMISSION_MS);
}

static void
handle_message(struct ofconn *c, const void *data, size_t size)
{
    struct ofp_msg msg;
    enum ofperr error;

    if (c->is_primary) {
        connmgr_snoop(c->mgr, data, size);
    }
    error = ofp_msg_decode(data, size, &msg);
    msg.body.options = &c->ofproto->options;
    if (!c->version) {
        if (!error && msg.type == OFPTYPE_HELLO) {
            negotiate(c, &msg);
        } else if (!(!error && msg.type == OFPTYPE_ERROR)) {
            log_warn_rl(&rl, "%s: received a message before HELLO", stream_name(c->stream));
            ofconn_close(c);
        }
        return;
    }
    if (!error && msg.type != OFPTYPE_HELLO && msg.type != OFPTYPE_ERROR &&
        msg.type != OFPTYPE_ECHO_REQUEST && msg.type != OFPTYPE_ECHO_REPLY &&
        msg.version != c->version) {
        error = OFPERR_OFPBRC_BAD_VERSION;
    }
    if (!error) {
        c->is_admitted = c->is_admitted || shows_admission(&msg);
        connmgr_set_request(c->mgr, c, msg.xid);
        error =
            msg.type == OFPTYPE_BARRIER_REQUEST ? handle_barrier(c, &msg) : ofconn_handle(c, &msg);
        connmgr_set_request(c->mgr, NULL, 0);
    }
    if (error) {
        log_dbg("%s: sending %s error reply", stream_name(c->stream), ofperr_name(error));
        ofperr_encode_reply(error, data, size, &c->out);
    }
}

/* Takes the next whole message out of the stream: its bytes, valid until drained, or NULL. */
static const uint8_t *
next_message(struct ofconn *c, struct evbuffer *in, size_t *size)
{
    uint8_t *header = evbuffer_get_length(in) >= 4 ? evbuffer_pullup(in, 4) : NULL;

    if (!header) {
        return NULL;
    }
    *size = ofp_msg_size(header);
    if (*size < OFP_HEADER_SIZE) {
        log_warn_rl(&rl, "%s: received too short a message (%zu bytes)", stream_name(c->stream),
                    *size);
        ofconn_close(c);
        return NULL;
    }
    return evbuffer_get_length(in) >= *size ? evbuffer_pullup(in, (ev_ssize_t)*size) : NULL;
}

/* A peer that waits for each barrier has the next message ready when it has run: on a machine that
 * it shares a core with us, by the time our answer is sent. */
static bool
answer_and_read_more(struct ofconn *c)
{
    if (!c->barrier_answered || c->closing) {
        return false;
    }
    ofconn_flush(c);
    return stream_read_more(c->stream);
}

static bool
is_blocked(const struct ofconn *c)
{
    return c->barrier || c->dump || c->late || c->closing || c->dead;
}

void
ofconn_process(void *c_)
{
    struct ofconn *c = c_;
    int64_t deadline = clock_now_us() + TURN_US;
    unsigned n = 0;
    const uint8_t *data;
    size_t size;

    c->is_scheduled = false;
    if (c->in_process) {
        return;
    }
    c->in_process = true;
    while (!is_blocked(c)) {
        struct evbuffer *in = stream_input(c->stream);

        data = next_message(c, in, &size);
        if (!data && answer_and_read_more(c)) {
            data = next_message(c, in, &size);
        }
        if (!data) {
            break;
        }
        if (n++ >= TURN_MESSAGES || (n % 16 == 0 && clock_now_us() > deadline)) {
            schedule(c);
            break;
        }
        coverage_inc(vconn_received);
        coverage_inc(ofproto_recv_openflow);
        c->last_rx_ms = clock_now_ms();
        c->echo_sent = false;
        handle_message(c, data, size);
        if (!c->dead) {
            evbuffer_drain(in, size);
            if (c->out.size > 65536) {
                ofconn_flush(c);
            }
        }
    }
    c->in_process = false;
    if (c->dead) {
        ofconn_free(c);
        return;
    }
    ofconn_flush(c);
    if (c->closing) {
        disconnect(c);
    }
}

void
ofconn_drained(struct ofconn *c)
{
    if (c->dump) {
        dump_continue(c);
    }
    ofconn_monitor_drained(c);
}

void
ofconn_run(struct ofconn *c)
{
    int64_t idle = clock_now_ms() - c->last_rx_ms;

    ofconn_bundles_run(c);
    if (c->closing) {
        disconnect(c);
    } else if (c->probe_ms && idle >= 2 * (int64_t)c->probe_ms && !c->barrier) {
        log_err_rl(&rl, "%s: no response to inactivity probe after %d seconds, disconnecting",
                   stream_name(c->stream), c->probe_ms / 1000);
        disconnect(c);
    } else if (c->probe_ms && idle >= c->probe_ms && !c->echo_sent && c->version) {
        c->echo_sent = true;
        ofp_echo_request_encode((enum ofp_version)c->version, 0, &c->out);
        ofconn_flush(c);
    }
}
