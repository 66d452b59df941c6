// SPDX-License-Identifier: Apache-2.0
/*
 * ofconn_monitor.c - flow monitors: who is told which changes of flows (OpenFlow 1.4
 * section 7.3.5.17; Nicira's and ONF's extensions before it).
 *
 * Main thread.  The updates of one transaction go out together.  A change that the connection
 * itself asked for is told in full only if it wants that, else as the number of its request.  A
 * peer that does not read pauses its monitors: only removals of what it knows are queued then, and
 * when it has read everything it is told how the flows are now.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "ofproto/ofconn.h"
#include "openflow/ofp_monitor.h"

COVERAGE_DEFINE(ofmonitor_pause);
COVERAGE_DEFINE(ofmonitor_resume);

enum { MAX_MONITORS = 1024 };
#define PAUSE_BYTES ((size_t)128 << 10)

struct ofmonitor {
    struct ofmonitor *next;
    struct ofp_flow_monitor_request r;
};

struct ofmonitors {
    struct ofmonitor *list;
    size_t n;
    struct wr updates; /* of this transaction */
    struct ofp_mp mp;
    bool is_open; /* 'mp' is begun */
    bool sent_abbrev;
    bool is_paused;
    int64_t paused_ms;
    cls_version_t paused_version;
};

/* --- a rule as an update
 * ------------------------------------------------------------------------------- */

void
ofmonitor_put_rule(struct ofp_mp *mp, const struct rule *r, uint8_t event, uint8_t reason,
                   uint16_t flags)
{
    struct match match;
    struct ofp_flow_update u = {
        .event = event,
        .reason = reason,
        .table_id = r->table_id,
        .priority = (uint16_t)r->cls.priority,
        .idle_timeout = r->idle_timeout,
        .hard_timeout = r->hard_timeout,
        .cookie = r->cookie,
        .match = &match,
    };

    cls_rule_get_match(&r->cls, &match);
    if (flags & OFPFMF_INSTRUCTIONS) {
        u.actions = rule_acts(r->actions);
        u.actions_size = r->actions->size;
    }
    ofp_flow_update_encode(mp, &u);
}

static bool
leads_to(const struct rule_actions *a, const struct ofp_flow_monitor_request *r)
{
    return a &&
           (r->out_port == OFPP_NONE ||
            ofpacts_output_to_port(rule_acts(a), a->size, (uint16_t)r->out_port)) &&
           (r->out_group == OFP_GROUP_ANY ||
            ofpacts_output_to_group(rule_acts(a), a->size, r->out_group));
}

static uint16_t
flag_of(uint8_t event)
{
    return event == OFPFME_INITIAL   ? OFPFMF_INITIAL
           : event == OFPFME_ADDED   ? OFPFMF_ADD
           : event == OFPFME_REMOVED ? OFPFMF_REMOVED
                                     : OFPFMF_MODIFY;
}

/* The flags of all monitors of 'c' that want to know of the event. */
static uint16_t
interested(const struct ofmonitors *ms, const struct rule_event *e, const struct match *match)
{
    uint16_t flags = 0;

    for (const struct ofmonitor *m = ms->list; m; m = m->next) {
        const struct ofp_flow_monitor_request *r = &m->r;

        if ((r->flags & flag_of(e->event)) &&
            (r->table_id == OFP_TABLE_ALL || r->table_id == e->rule->table_id) &&
            (leads_to(e->rule->actions, r) || leads_to(e->old_actions, r)) &&
            match_is_within(match, &r->match)) {
            flags |= r->flags;
        }
    }
    return flags;
}

/* --- telling
 * ------------------------------------------------------------------------------------------- */

static struct ofp_mp *
open_updates(struct ofconn *c)
{
    struct ofmonitors *ms = c->monitors;

    if (!ms->is_open) {
        ofp_mp_begin(&ms->mp, &ms->updates, ofp_flow_update_raw((enum ofp_version)c->version),
                     (enum ofp_version)c->version, 0);
        ms->is_open = true;
        ms->sent_abbrev = false;
    }
    return &ms->mp;
}

void
ofconn_monitor_report(struct ofconn *c, const struct rule_event *e, const struct match *match)
{
    struct ofmonitors *ms = c->monitors;
    bool is_own = c == e->requester;
    uint16_t flags;

    if (!ms ||
        (ms->is_paused && (e->event != OFPFME_REMOVED || e->rule->created_ms > ms->paused_ms))) {
        return;
    }
    flags = interested(ms, e, match);
    if (!flags) {
        return;
    }
    if ((flags & OFPFMF_NO_ABBREV) || !is_own || ms->is_paused) {
        ofmonitor_put_rule(open_updates(c), e->rule, e->event, e->reason, flags);
    } else if (!ms->sent_abbrev || !ms->is_open) {
        ofp_flow_update_encode(open_updates(c), &(struct ofp_flow_update){
                                                    .event = OFPFME_ABBREV,
                                                    .xid = e->request_xid,
                                                });
        ms->sent_abbrev = true;
    }
}

/* Says "paused" or "resumed": an update of OpenFlow 1.4, a message before. */
static void
put_state(struct ofconn *c, uint8_t event)
{
    if (event == OFPFME_PAUSED) {
        coverage_inc(ofmonitor_pause);
    } else {
        coverage_inc(ofmonitor_resume);
    }
    if (c->version >= OFP14_VERSION) {
        ofp_flow_update_encode(open_updates(c), &(struct ofp_flow_update){.event = event});
    } else {
        ofp_msg_put_empty(&c->out,
                          event == OFPFME_PAUSED ? OFPTYPE_FLOW_MONITOR_PAUSED
                                                 : OFPTYPE_FLOW_MONITOR_RESUMED,
                          (enum ofp_version)c->version, 0);
    }
}

static void
move_updates(struct ofconn *c)
{
    struct ofmonitors *ms = c->monitors;

    if (ms->is_open) {
        ofp_mp_end(&ms->mp);
        wr_bytes(&c->out, ms->updates.data, ms->updates.size);
        wr_truncate(&ms->updates, 0);
        ms->is_open = false;
    }
}

void
ofconn_monitor_flush(struct ofconn *c)
{
    struct ofmonitors *ms = c->monitors;

    if (!ms || !ms->is_open) {
        return;
    }
    move_updates(c);
    if (!ms->is_paused && c->stream && stream_backlog(c->stream) > PAUSE_BYTES) {
        put_state(c, OFPFME_PAUSED);
        move_updates(c);
        ms->is_paused = true;
        ms->paused_ms = clock_now_ms();
        ms->paused_version = ofproto_version(c->ofproto);
    }
    if (!c->in_process) {
        ofconn_flush(c);
    }
}

/* Tells of a rule as it is now, if it changed during the pause. */
static void
catch_up(struct ofconn *c, struct rule *r)
{
    struct ofmonitors *ms = c->monitors;
    struct rule_event e = {
        .rule = r,
        .event = r->created_ms > ms->paused_ms ? OFPFME_ADDED : OFPFME_MODIFIED,
    };
    struct match match;

    if (atomic_load_explicit(&r->cls.add, memory_order_relaxed) > ms->paused_version) {
        cls_rule_get_match(&r->cls, &match);
        ofconn_monitor_report(c, &e, &match);
    }
}

void
ofconn_monitor_drained(struct ofconn *c)
{
    struct ofp_flow_stats_request all = {
        .table_id = OFP_TABLE_ALL, .out_port = OFPP_NONE, .out_group = OFP_GROUP_ANY};
    struct rule **rules;
    size_t n;

    if (!c->monitors || !c->monitors->is_paused || !c->stream || stream_backlog(c->stream)) {
        return;
    }
    c->monitors->is_paused = false;
    match_init_any(&all.match);
    if (!rules_collect(c->ofproto, &all, &rules, &n)) {
        for (size_t i = 0; i < n; i++) {
            catch_up(c, rules[i]);
        }
        rules_unref(rules, n);
    }
    move_updates(c);
    put_state(c, OFPFME_RESUMED);
    move_updates(c);
    if (!c->in_process) {
        ofconn_flush(c);
    }
}

/* --- requests
 * ------------------------------------------------------------------------------------------ */

static struct ofmonitor **
find(struct ofmonitors *ms, uint32_t id)
{
    struct ofmonitor **m = &ms->list;

    while (*m && (*m)->r.id != id) {
        m = &(*m)->next;
    }
    return m;
}

static void
remove_monitor(struct ofmonitors *ms, struct ofmonitor **slot)
{
    struct ofmonitor *m = *slot;

    *slot = m->next;
    ms->n--;
    free(m);
}

void
ofconn_monitors_destroy(struct ofconn *c)
{
    struct ofmonitors *ms = c->monitors;

    if (ms) {
        while (ms->list) {
            remove_monitor(ms, &ms->list);
        }
        wr_fini(&ms->updates);
        free(ms);
        c->monitors = NULL;
    }
}

/* Does what one request of a message says; those that start or change a monitor are put on 'fresh'.
 */
static enum ofperr
run_request(struct ofmonitors *ms, const struct ofp_flow_monitor_request *r,
            enum ofp_version version)
{
    struct ofmonitor **slot = find(ms, r->id), *m = *slot;

    if (r->command == OFPFMC_DELETE || r->command == OFPFMC_MODIFY) {
        if (!m) {
            return OFPERR_OFPMOFC_UNKNOWN_MONITOR;
        }
        remove_monitor(ms, slot);
        if (r->command == OFPFMC_DELETE) {
            return OFPERR_OK;
        }
    } else if (m) {
        return OFPERR_OFPMOFC_MONITOR_EXISTS;
    }
    if (r->table_id != OFP_TABLE_ALL && r->table_id >= OFPROTO_N_TABLES) {
        return version >= OFP14_VERSION ? OFPERR_OFPMOFC_BAD_TABLE_ID : OFPERR_OFPBRC_BAD_TABLE_ID;
    }
    if (ms->n >= MAX_MONITORS) {
        return OFPERR_OFPBRC_EPERM;
    }
    m = xzalloc(sizeof *m);
    m->r = *r;
    m->next = ms->list;
    ms->list = m;
    ms->n++;
    return OFPERR_OK;
}

/* The rules that the 'n_fresh' newest monitors find, each once. */
static enum ofperr
start_dump(struct ofconn *c, const struct ofp_msg *msg, size_t n_fresh)
{
    struct ofp_flow_stats_request all = {
        .table_id = OFP_TABLE_ALL, .out_port = OFPP_NONE, .out_group = OFP_GROUP_ANY};
    struct ofmonitors fresh = {0};
    struct ofmonitor **end = &c->monitors->list, *rest;
    struct rule **rules;
    uint16_t *flags;
    size_t n, kept = 0;
    enum ofperr error;

    match_init_any(&all.match);
    error = rules_collect(c->ofproto, &all, &rules, &n);
    if (error) {
        return error;
    }
    for (size_t i = 0; i < n_fresh; i++) {
        end = &(*end)->next;
    }
    rest = *end;
    *end = NULL;
    fresh.list = n_fresh ? c->monitors->list : NULL;
    flags = xcalloc(n + 1, sizeof *flags);
    for (size_t i = 0; i < n; i++) {
        struct rule_event e = {.rule = rules[i], .event = OFPFME_INITIAL};
        struct match match;

        cls_rule_get_match(&rules[i]->cls, &match);
        flags[kept] = interested(&fresh, &e, &match);
        if (flags[kept]) {
            rules[kept++] = rules[i];
        } else {
            rule_unref(rules[i]);
        }
    }
    *end = rest;
    return dump_start(c, msg, rules, flags, kept);
}

enum ofperr
handle_flow_monitor(struct ofconn *c, const struct ofp_msg *msg)
{
    enum ofp_version version = (enum ofp_version)msg->version;
    struct rd body = msg->body;
    struct ofmonitors *ms = c->monitors;
    size_t n_fresh = 0;
    enum ofperr error = OFPERR_OK;

    if (!ms) {
        ms = c->monitors = xzalloc(sizeof *ms);
    }
    for (;;) {
        struct ofp_flow_monitor_request r;
        int result = ofp_flow_monitor_request_decode(msg, &body, &r);

        if (result == -1) {
            break;
        }
        error = result ? (enum ofperr)result : run_request(ms, &r, version);
        if (error) {
            break;
        }
        n_fresh += r.command != OFPFMC_DELETE;
    }
    if (error) {
        while (n_fresh--) {
            remove_monitor(ms, &ms->list); /* Newest first: those of this message. */
        }
        return error;
    }
    return start_dump(c, msg, n_fresh);
}

enum ofperr
handle_flow_monitor_cancel(struct ofconn *c, const struct ofp_msg *msg)
{
    uint32_t id;
    enum ofperr error = ofp_flow_monitor_cancel_decode(msg, &id);

    if (error) {
        return error;
    }
    if (!c->monitors || !*find(c->monitors, id)) {
        return OFPERR_OFPMOFC_UNKNOWN_MONITOR;
    }
    remove_monitor(c->monitors, find(c->monitors, id));
    return OFPERR_OK;
}
