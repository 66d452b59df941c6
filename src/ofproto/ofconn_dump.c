// SPDX-License-Identifier: Apache-2.0
/*
 * ofconn_dump.c - replies that list flows: statistics, and what a new flow monitor finds.
 *
 * Main thread.  A long list is written in pieces of a few hundred kilobytes, each when the peer has
 * taken the one before; the connection is blocked meanwhile.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "ofproto/ofconn.h"
#include "openflow/ofp_monitor.h"

/* What one piece of a dump may cost. */
#define PIECE_BYTES ((size_t)512 << 10)
#define PIECE_US 2000
#define UNREAD_BYTES ((size_t)2 << 20)

struct dump {
    struct rule **rules;
    uint16_t
        *monitor_flags; /* for each rule OFPFMF_*: an update of a flow monitor; NULL: statistics */
    size_t n, next;
    struct wr out;
    struct ofp_mp mp;
};

void
dump_destroy(struct dump *d)
{
    if (d) {
        rules_unref(d->rules, d->n);
        free(d->monitor_flags);
        wr_fini(&d->out);
        free(d);
    }
}

/* Gives the finished messages to the stream. */
static void
dump_send(struct ofconn *c, struct dump *d, bool all)
{
    size_t size = all ? d->out.size : d->mp.start;

    wr_bytes(&c->out, d->out.data, size);
    memmove(d->out.data, d->out.data + size, d->out.size - size);
    wr_truncate(&d->out, d->out.size - size);
    d->mp.start -= MIN(size, d->mp.start);
    d->mp.committed -= MIN(size, d->mp.committed);
    ofconn_flush(c);
}

static void
put_rule(struct dump *d, size_t i)
{
    struct match match;
    struct ofp_flow_stats fs;

    if (d->monitor_flags) {
        ofmonitor_put_rule(&d->mp, d->rules[i], OFPFME_INITIAL, 0, d->monitor_flags[i]);
    } else {
        rule_get_stats(d->rules[i], &match, &fs);
        ofp_flow_stats_encode(&d->mp, &fs, true);
    }
}

/* Writes a piece; true when the dump is complete. */
static bool
dump_piece(struct ofconn *c, struct dump *d)
{
    int64_t deadline = clock_now_us() + PIECE_US;

    while (d->next < d->n) {
        if (d->out.size >= PIECE_BYTES || (d->next % 64 == 63 && clock_now_us() > deadline)) {
            dump_send(c, d, false);
            return false;
        }
        put_rule(d, d->next++);
    }
    ofp_mp_end(&d->mp);
    dump_send(c, d, true);
    return true;
}

void
dump_continue(void *c_)
{
    struct ofconn *c = c_;
    struct loop *loop = c->ofproto->all->loop;

    if (!c->dump || stream_backlog(c->stream) > UNREAD_BYTES) {
        return; /* ofconn_drained() continues. */
    }
    if (!dump_piece(c, c->dump)) {
        loop_cancel(loop, dump_continue, c);
        loop_post(loop, dump_continue, c);
        return;
    }
    dump_destroy(c->dump);
    c->dump = NULL;
    loop_cancel(loop, dump_continue, c);
    if (!c->in_process) {
        ofconn_process(c);
    }
}

enum ofperr
dump_start(struct ofconn *c, const struct ofp_msg *request, struct rule **rules,
           uint16_t *monitor_flags, size_t n)
{
    struct dump *d = xzalloc(sizeof *d);
    enum ofp_raw raw;

    d->rules = rules;
    d->monitor_flags = monitor_flags;
    d->n = n;
    if (!ofp_mp_reply_raw(request, &raw)) {
        dump_destroy(d);
        return OFPERR_OFPBRC_BAD_STAT;
    }
    ofp_mp_begin(&d->mp, &d->out, raw, (enum ofp_version)request->version, request->xid);
    if (dump_piece(c, d)) {
        dump_destroy(d);
    } else {
        c->dump = d;
        loop_post(c->ofproto->all->loop, dump_continue, c);
    }
    return OFPERR_OK;
}
