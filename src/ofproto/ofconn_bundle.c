// SPDX-License-Identifier: Apache-2.0
/*
 * ofconn_bundle.c - OpenFlow bundles (1.4 section 6.9.4, and the same as an extension at 1.3):
 * messages are collected, checked as they come, and take effect together or not at all.
 *
 * Main thread.  Flow-mods and group-mods of a bundle become visible in one version.  Ports have no
 * versions: they change in the same turn, when nothing can fail any more, each once, to what all
 * port-mods together make of it.  Packets go out when all is visible.
 * A million packets take their time; so they have turns, and the connection waits.  The
 * rule of a flow-mod that adds is made and linked when the message comes, for no
 * version yet: a commit has little left to do then, and the work was done while the peer was
 * sending. Other messages are decoded again at commit.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "ofproto/ofconn.h"
#include "openflow/ofp_bundle.h"

COVERAGE_DEFINE(bundle_memory_refused);

enum { MAX_BUNDLES = 64, MAX_MESSAGES = 4 << 20 };
/* A rule that was made ahead, with what it takes in the classifier. */
#define RULE_BYTES ((size_t)320)
/* Rules of so many messages are linked together. */
enum { LINK_MESSAGES = CLS_LINK_MAX };
#define MAX_BYTES ((size_t)1 << 30)
/* Beyond so many rules made ahead, a bundle's messages wait as bytes, which need less memory. */
#define MAX_PREPARED ((size_t)2 << 20)

/* What a bundle makes of a port. */
struct bundle_port {
    UT_hash_handle hh;
    ofp_port_t ofp_port;
    uint32_t config, mask;
};

struct ofbundle_msgs {
    struct ofbundle_msgs *next;
    uint32_t id;
    uint16_t flags;
    bool is_closed;
    int64_t used_ms;
    struct wr bytes; /* whole messages, one after the other */
    size_t n, allocated;
    struct rule **prepared; /* for each message: its rule, of no version yet, or NULL */
    size_t n_prepared;
    uint64_t options_seq;      /* ofproto->options_seq when they began to be made */
    size_t cost;               /* bytes, as all bundles together are bounded */
    size_t n_linked;           /* the rules of so many messages, from the first on, are linked */
    bool has_others;           /* than flow-mods */
    struct bundle_port *ports; /* while it is committed */

    /* Once committed: what follows, and the reply when it is done. */
    size_t late; /* so many of 'bytes' are done */
    struct ofp_bundle_ctrl reply;
    uint8_t reply_version;
    uint32_t reply_xid;
};

/* What the packets of a committed bundle may take of one turn of the loop. */
enum { LATE_US = 2000 };

static struct ofbundle_msgs **
find_bundle(struct ofconn *c, uint32_t id)
{
    struct ofbundle_msgs **b = &c->bundles;

    while (*b && (*b)->id != id) {
        b = &(*b)->next;
    }
    return b;
}

/* Links the rules that wait for it: some at a time, which is quicker (cls_link_many()). */
static void
link_rules(struct ofconn *c, struct ofbundle_msgs *b)
{
    flow_mod_link(c->ofproto, b->prepared + b->n_linked, b->n - b->n_linked);
    b->n_linked = b->n;
}

static void
forget_ports(struct ofbundle_msgs *b)
{
    struct bundle_port *bp, *next;

    HASH_ITER (hh, b->ports, bp, next) {
        HASH_DEL(b->ports, bp);
        free(bp);
    }
}

static void
free_bundle(struct ofconn *c, struct ofbundle_msgs *b)
{
    link_rules(c, b);
    if (b->n_prepared) {
        flow_discard(c->ofproto, b->prepared, b->n);
    }
    c->ofproto->all->bundles_use.now -= b->cost;
    forget_ports(b);
    free(b->prepared);
    wr_fini(&b->bytes);
    free(b);
}

static void
remove_bundle(struct ofconn *c, struct ofbundle_msgs **slot)
{
    struct ofbundle_msgs *b = *slot;

    *slot = b->next;
    free_bundle(c, b);
}

void
ofconn_bundles_run(struct ofconn *c)
{
    int64_t oldest = clock_now_ms() - c->ofproto->bundle_idle_timeout_s * INT64_C(1000);
    struct ofbundle_msgs **b = &c->bundles;

    while (*b) {
        if ((*b)->used_ms < oldest) {
            uint8_t header[OFP_HEADER_SIZE] = {c->version, 33, 0, OFP_HEADER_SIZE};

            ofperr_encode_reply(OFPERR_OFPBFC_TIMEOUT, header, sizeof header, &c->out);
            ofconn_flush(c);
            remove_bundle(c, b);
        } else {
            b = &(*b)->next;
        }
    }
}

/* --- commit ---------------------------------------------------------------------------------- */

/* Adds a port-mod to what the bundle makes of its port. */
static enum ofperr
add_port_mod(const struct ofconn *c, struct ofbundle_msgs *b, const struct ofp_msg *msg)
{
    struct bundle_port *bp;
    struct ofp_port_mod pm;
    struct ofport *port;
    enum ofperr error = find_port_to_mod(c, msg, &pm, &port);

    if (error) {
        return error;
    }
    HASH_FIND(hh, b->ports, &pm.port_no, sizeof pm.port_no, bp);
    if (!bp) {
        bp = xzalloc(sizeof *bp);
        bp->ofp_port = pm.port_no;
        HASH_ADD(hh, b->ports, ofp_port, sizeof bp->ofp_port, bp);
    }
    bp->config = (bp->config & ~pm.mask) | (pm.config & pm.mask);
    bp->mask |= pm.mask;
    return OFPERR_OK;
}

static void
change_ports(struct ofconn *c, struct ofbundle_msgs *b)
{
    struct bundle_port *bp, *next;

    HASH_ITER (hh, b->ports, bp, next) {
        ofport_update_config(ofport_find(c->ofproto, bp->ofp_port), bp->config, bp->mask);
    }
    forget_ports(b);
}

/* Applies message 'i' of a bundle, but for port-mods and packet-outs, which are only checked. */
static enum ofperr
apply(struct ofconn *c, struct flow_txn *txn, struct ofbundle_msgs *b, size_t i, const void *data,
      size_t size)
{
    struct ofp_flow_mod *fm = &c->ofproto->fm;
    struct ofp_msg msg;
    enum ofperr error;

    if (b->prepared[i]) {
        error = flow_mod_apply_prepared(txn, b->prepared[i]);
        if (!error) {
            b->prepared[i] = NULL;
            b->n_prepared--;
        }
        return error;
    }
    ofp_msg_decode(data, size, &msg);
    msg.body.options = &c->ofproto->options;
    if (msg.type == OFPTYPE_FLOW_MOD) {
        error = ofconn_decode_flow_mod(c, &msg, fm);
        return error ? error : flow_mod_apply(txn, fm);
    }
    if (msg.type == OFPTYPE_GROUP_MOD) {
        return apply_group_mod(&msg, txn);
    }
    return msg.type == OFPTYPE_PORT_MOD ? add_port_mod(c, b, &msg) : check_packet_out(c, &msg);
}

/* Rules that were made with another map of tunnel options are made again of their messages. */
static void
forget_outdated(struct ofconn *c, struct ofbundle_msgs *b)
{
    if (b->n_prepared && b->options_seq != c->ofproto->options_seq) {
        flow_discard(c->ofproto, b->prepared, b->n);
        memset(b->prepared, 0, b->n * sizeof *b->prepared);
        b->n_prepared = 0;
    }
}

/* Fetches the rules of messages soon to come. */
static void
look_ahead(const struct ofbundle_msgs *b, size_t i)
{
    enum { FAR = 24, NEAR = 12 };

    if (i + FAR < b->n && b->prepared[i + FAR]) {
        flow_mod_prefetch(b->prepared[i + FAR]);
    }
    if (i + NEAR < b->n && b->prepared[i + NEAR]) {
        flow_mod_prefetch_like(b->prepared[i + NEAR]);
    }
}

static enum ofperr
commit(struct ofconn *c, struct ofbundle_msgs *b)
{
    struct flow_txn txn;
    struct rd in = rd_init(b->bytes.data, b->bytes.size);
    enum ofperr error = OFPERR_OK;

    link_rules(c, b);
    forget_outdated(c, b);
    flow_txn_begin(&txn, c->ofproto);
    for (size_t i = 0; !error && i < b->n; i++) {
        size_t size = ofp_msg_size(in.p);
        const void *data = rd_bytes(&in, size);

        look_ahead(b, i);
        error = apply(c, &txn, b, i, data, size);
        if (error) {
            ofperr_encode_reply(error, data, size, &c->out);
        }
    }
    if (error) {
        flow_txn_abort(&txn);
        return OFPERR_OFPBFC_MSG_FAILED;
    }
    flow_txn_commit(&txn);
    change_ports(c, b);
    return OFPERR_OK;
}

/* --- after the commit --------------------------------------------------------------------------
 */

/* Packets follow when nothing can fail any more, but for a group that a packet-out names
 * and that a later message of the bundle takes away. */
static void
apply_late(struct ofconn *c, const struct ofp_msg *msg)
{
    enum ofperr error = OFPERR_OK;

    if (msg->type == OFPTYPE_PACKET_OUT) {
        error = handle_packet_out(c, msg);
    }
    if (error) {
        ofperr_encode_reply(error, msg->data, msg->size, &c->out);
    }
}

/* The next message that follows the commit; false if there is none. */
static bool
late_next(struct ofconn *c, struct ofbundle_msgs *b, struct ofp_msg *msg)
{
    const uint8_t *data = b->bytes.data + b->late;
    size_t size;

    if (!b->has_others || b->late == b->bytes.size) {
        return false;
    }
    size = ofp_msg_size(data);
    ofp_msg_decode(data, size, msg);
    msg->body.options = &c->ofproto->options;
    b->late += size;
    return true;
}

/* Does what follows the commit until 'deadline' (clock_now_us()); true when all is done. */
static bool
late_piece(struct ofconn *c, struct ofbundle_msgs *b, int64_t deadline)
{
    struct ofp_msg msg;

    while (late_next(c, b, &msg)) {
        apply_late(c, &msg);
        connmgr_forward_request(c->mgr, c, &msg);
        if (clock_now_us() > deadline) {
            break;
        }
    }
    return !b->has_others || b->late == b->bytes.size;
}

/* The peer is gone: packets get lost, but others hear of what was committed. */
static void
late_finish(struct ofconn *c, struct ofbundle_msgs *b)
{
    struct ofp_msg msg;

    while (late_next(c, b, &msg)) {
        connmgr_forward_request(c->mgr, c, &msg);
    }
    free_bundle(c, b);
}

static void bundle_continue(void *);

/* One turn of a committed bundle, which is taken: false if it is to have another. */
static bool
late_turn(struct ofconn *c, struct ofbundle_msgs *b)
{
    bool done = late_piece(c, b, clock_now_us() + LATE_US);

    if (c->dead) {
        late_finish(c, b);
    } else if (done) {
        free_bundle(c, b);
    } else {
        c->late = b;
        loop_post(c->ofproto->all->loop, bundle_continue, c);
    }
    return c->dead || done;
}

static void
bundle_continue(void *c_)
{
    struct ofconn *c = c_;
    struct ofbundle_msgs *b = c->late;
    struct ofp_bundle_ctrl reply = b->reply;
    enum ofp_version version = (enum ofp_version)b->reply_version;
    uint32_t xid = b->reply_xid;

    c->late = NULL;
    c->in_process = true;
    c->last_rx_ms = clock_now_ms(); /* It is our turn, not the peer's. */
    if (late_turn(c, b)) {
        c->mod_seq = ofprotos_seq(c->ofproto->all);
        ofp_bundle_ctrl_encode(&reply, version, xid, &c->out);
    }
    c->in_process = false;
    ofconn_process(c);
}

void
ofconn_bundles_destroy(struct ofconn *c)
{
    struct ofbundle_msgs *b = c->late;

    if (b) {
        c->late = NULL;
        loop_cancel(c->ofproto->all->loop, bundle_continue, c);
        late_finish(c, b);
    }
    while (c->bundles) {
        remove_bundle(c, &c->bundles);
    }
}

/* --- control and add
 * -------------------------------------------------------------------------------------- */

static enum ofperr
open_bundle(struct ofconn *c, uint32_t id, uint16_t flags)
{
    size_t n = 0;
    struct ofbundle_msgs *b;

    if (*find_bundle(c, id)) {
        remove_bundle(c, find_bundle(c, id));
        return OFPERR_OFPBFC_BAD_ID;
    }
    for (b = c->bundles; b; b = b->next) {
        n++;
    }
    if (n >= MAX_BUNDLES) {
        return OFPERR_OFPBFC_OUT_OF_BUNDLES;
    }
    b = xzalloc(sizeof *b);
    b->id = id;
    b->flags = flags;
    b->used_ms = clock_now_ms();
    b->options_seq = c->ofproto->options_seq;
    b->next = c->bundles;
    c->bundles = b;
    return OFPERR_OK;
}

static enum ofperr
close_bundle(struct ofconn *c, struct ofbundle_msgs **slot, uint16_t flags)
{
    if (!*slot) {
        return OFPERR_OFPBFC_BAD_ID;
    }
    if ((*slot)->is_closed) {
        remove_bundle(c, slot);
        return OFPERR_OFPBFC_BUNDLE_CLOSED;
    }
    if ((*slot)->flags != flags) {
        remove_bundle(c, slot);
        return OFPERR_OFPBFC_BAD_FLAGS;
    }
    (*slot)->is_closed = true;
    return OFPERR_OK;
}

/* Sets c->late if the reply has to wait. */
static enum ofperr
commit_bundle(struct ofconn *c, struct ofbundle_msgs **slot, uint16_t flags)
{
    struct ofbundle_msgs *b = *slot;
    enum ofperr error;

    if (!b) {
        return OFPERR_OFPBFC_BAD_ID;
    }
    error = b->flags != flags ? OFPERR_OFPBFC_BAD_FLAGS : commit(c, b);
    *slot = b->next;
    if (error) {
        free_bundle(c, b);
    } else {
        late_turn(c, b);
    }
    return error;
}

enum ofperr
handle_bundle_control(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofp_bundle_ctrl bc;
    enum ofperr error = ofp_bundle_ctrl_decode(msg, &bc);
    struct ofbundle_msgs **slot;

    if (error) {
        return error;
    }
    slot = find_bundle(c, bc.bundle_id);
    if (*slot) {
        (*slot)->used_ms = clock_now_ms();
    }
    switch (bc.type) {
    case OFPBCT_OPEN_REQUEST:
        error = open_bundle(c, bc.bundle_id, bc.flags);
        break;
    case OFPBCT_CLOSE_REQUEST:
        error = close_bundle(c, slot, bc.flags);
        break;
    case OFPBCT_COMMIT_REQUEST:
        error = commit_bundle(c, slot, bc.flags);
        break;
    case OFPBCT_DISCARD_REQUEST:
        error = *slot ? OFPERR_OK : OFPERR_OFPBFC_BAD_ID;
        if (*slot) {
            remove_bundle(c, slot);
        }
        break;
    default:
        error = OFPERR_OFPBFC_BAD_TYPE;
        break;
    }
    if (!error) {
        bc.type++; /* Each reply's number follows its request's. */
        bc.flags = 0;
    }
    if (!error && c->late) {
        c->late->reply = bc;
        c->late->reply_version = msg->version;
        c->late->reply_xid = msg->xid;
    } else if (!error) {
        ofp_bundle_ctrl_encode(&bc, (enum ofp_version)msg->version, msg->xid, &c->out);
    }
    return error;
}

/* Checks now what can be checked now, so that an error names its message early. */
static enum ofperr
check_message(struct ofconn *c, const struct ofp_msg *msg)
{
    enum ofperr error = OFPERR_OK;
    struct ofp_port_mod pm;

    switch ((int)msg->type) {
    case OFPTYPE_FLOW_MOD:
        error = ofconn_decode_flow_mod(c, msg, &c->ofproto->fm);
        break;
    case OFPTYPE_GROUP_MOD:
        error = check_group_mod(msg);
        break;
    case OFPTYPE_PORT_MOD:
        error = ofp_port_mod_decode(msg, &pm);
        break;
    case OFPTYPE_PACKET_OUT:
        error = check_packet_out(c, msg);
        break;
    default:
        break;
    }
    /* A group may come in the same bundle. */
    return error == OFPERR_OFPBAC_BAD_OUT_GROUP ? OFPERR_OK : error;
}

/* After check_message(). */
static void
keep_message(struct ofconn *c, struct ofbundle_msgs *b, const struct ofp_msg *msg)
{
    struct ofproto_bundles_use *use = &c->ofproto->all->bundles_use;
    size_t cost;
    bool is_flow_mod = msg->type == OFPTYPE_FLOW_MOD;
    struct rule *r = is_flow_mod && b->n_prepared < MAX_PREPARED
                         ? flow_mod_prepare(c->ofproto, &c->ofproto->fm)
                         : NULL;

    if (b->n >= b->allocated) {
        b->allocated = MAX(b->allocated * 2, (size_t)64);
        b->prepared = xreallocarray(b->prepared, b->allocated, sizeof *b->prepared);
    }
    b->prepared[b->n++] = r;
    b->n_prepared += r != NULL;
    cost = msg->size + sizeof *b->prepared + (r ? RULE_BYTES : 0);
    b->cost += cost;
    use->now += cost;
    use->most = MAX(use->most, use->now);
    b->has_others |= !is_flow_mod;
    if (b->n - b->n_linked >= LINK_MESSAGES) {
        link_rules(c, b);
    }
    wr_bytes(&b->bytes, msg->data, msg->size);
}

/* The last message may pass the bound. */
static bool
has_room(struct ofprotos *all)
{
    struct ofproto_bundles_use *use = &all->bundles_use;

    if (use->now < use->max) {
        return true;
    }
    use->n_refused++;
    coverage_inc(bundle_memory_refused);
    return false;
}

enum ofperr
handle_bundle_add(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofp_bundle_add ba;
    enum ofperr error = ofp_bundle_add_decode(msg, &ba);
    struct ofbundle_msgs *b;

    if (error) {
        return error;
    }
    if (!*find_bundle(c, ba.bundle_id)) {
        error = open_bundle(c, ba.bundle_id, ba.flags); /* An add opens where no open came. */
        if (error) {
            return error;
        }
    }
    b = *find_bundle(c, ba.bundle_id);
    b->used_ms = clock_now_ms();
    if (b->is_closed || b->flags != ba.flags) {
        error = b->is_closed ? OFPERR_OFPBFC_BUNDLE_CLOSED : OFPERR_OFPBFC_BAD_FLAGS;
        remove_bundle(c, find_bundle(c, ba.bundle_id));
    } else if (b->n >= MAX_MESSAGES || b->bytes.size + ba.msg.size > MAX_BYTES ||
               !has_room(c->ofproto->all)) {
        error = OFPERR_OFPBFC_MSG_TOO_MANY;
    } else {
        error = check_message(c, &ba.msg);
    }
    if (!error) {
        keep_message(c, b, &ba.msg);
    }
    return error;
}
