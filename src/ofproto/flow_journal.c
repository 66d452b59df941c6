// SPDX-License-Identifier: Apache-2.0
/*
 * flow_journal.c - when what is written: a transaction's records become one block of the log, and a
 * log that is mostly garbage is written anew.  flow_journal.h says what is in it.
 *
 * The keeper has the old log until the new one is complete.
 */
#include "ofproto/flow_journal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/keep.h"
#include "base/log.h"
#include "base/memlog.h"
#include "ofproto/flow_records.h"

LOG_MODULE(flow_journal);

enum {
    MAX_SIZE = 256 << 20,  /* of a bridge's log: about 8 million flows */
    GARBAGE_MIN = 1 << 16, /* less is not worth a new log */
    BLOCK_MAX = 1 << 16,   /* of a log that is written anew */
    AHEAD = 16,            /* rules of a large transaction are not in the processor's cache */
};
/* A process that has lived this long was not ended by what it restored. */
#define SETTLED_MS 10000

struct flow_journal {
    char name[KEEP_NAME_MAX];
    struct memlog *log;      /* NULL: not begun, or behind; the next commit writes all of it */
    struct flow_records rec; /* of the transaction */
    bool is_dirty;           /* something changed since the last commit */
    bool is_off;             /* there was no room */
    uint32_t context, n_restores;
    int64_t started_ms;
};

static bool
is_journaled(const struct rule *r)
{
    return r->cls.priority <= UINT16_MAX && r->table_id < OFPROTO_N_TABLES;
}

/* A journal that takes records: not one that will be written as a whole anyway. */
static struct flow_journal *
writable(const struct ofproto *p)
{
    struct flow_journal *j = p->journal;

    if (!j || j->is_off) {
        return NULL;
    }
    j->is_dirty = true;
    return j->log ? j : NULL;
}

/* --- a new log ---------------------------------------------------------------------------------
 */

struct rewrite {
    struct flow_journal *j;
    int error;
};

static bool
rewrite_block(struct rewrite *rw, size_t when_above)
{
    struct wr *w = &rw->j->rec.out;

    if (!rw->error && w->size > when_above) {
        rw->error = memlog_append(rw->j->log, w->data, w->size);
        w->size = 0;
    }
    return !rw->error;
}

static void
rewrite_meter(const struct ofp_meter_config *config, void *rw_)
{
    struct rewrite *rw = rw_;

    flow_records_put_meter(&rw->j->rec, config);
    rewrite_block(rw, BLOCK_MAX);
}

static void
rewrite_group(const struct ofgroup *g, void *rw_)
{
    struct rewrite *rw = rw_;

    flow_records_put_group(&rw->j->rec, g->spec);
    rewrite_block(rw, BLOCK_MAX);
}

static bool
rewrite_rule(struct cls_rule *c, void *rw_)
{
    struct rule *r = rule_from_cls(c);
    struct rewrite *rw = rw_;

    if (!is_journaled(r)) {
        return true;
    }
    if (rw->j->rec.n_flows >= FLOW_JOURNAL_MAX_FLOWS) {
        rw->error = -ENOSPC;
        return false;
    }
    flow_records_put(&rw->j->rec, r);
    return rewrite_block(rw, BLOCK_MAX);
}

/* Writes all that there is to a new log, and has the keeper hold it in place of the old one. */
static int
rewrite(struct ofproto *p)
{
    struct flow_journal *j = p->journal;
    struct memlog *old = j->log;
    struct rewrite rw = {.j = j};

    flow_records_reset(&j->rec);
    rw.error = memlog_create("flows", flow_journal_format(), MAX_SIZE, &j->log);
    if (rw.error) {
        j->log = old;
        return rw.error;
    }
    atomic_store(memlog_note(j->log, FLOW_JOURNAL_NOTE_RESTORES), j->n_restores);
    atomic_store(memlog_note(j->log, FLOW_JOURNAL_NOTE_CONTEXT), j->context);
    if (p->n_tlv_maps) {
        flow_records_put_tlv_map(&j->rec, p);
    }
    meters_visit(p, rewrite_meter, &rw);
    groups_visit(p, OFP_GROUP_ALL, rewrite_group, &rw);
    for (int i = 0; i < OFPROTO_N_TABLES && !rw.error; i++) {
        if (p->tables[i].n_flows) {
            cls_visit_loose(p->tables[i].cls, ofproto_version(p), NULL, rewrite_rule, &rw);
        }
    }
    j->rec.garbage = 0;
    if (rewrite_block(&rw, 0)) {
        wr_fini(&j->rec.out); /* It may have grown with a bundle. */
        keep_put(j->name, memlog_fd(j->log));
    }
    memlog_void(old); /* Also in the hands of a keeper that did not hear of the new one. */
    memlog_close(old);
    return rw.error;
}

static void
turn_off(struct ofproto *p, int error)
{
    struct flow_journal *j = p->journal;

    log_warn("bridge %s: flows would not survive a crash any more: %s", p->name,
             error == -ENOSPC ? "there are too many" : err_str(error));
    flow_records_reset(&j->rec);
    memlog_void(j->log);
    memlog_close(j->log);
    j->log = NULL;
    j->is_off = true;
    wr_fini(&j->rec.out);
    keep_drop(j->name);
}

static bool
is_mostly_garbage(const struct flow_journal *j)
{
    return j->rec.garbage > GARBAGE_MIN && j->rec.garbage > memlog_size(j->log) / 2;
}

static void
commit(struct ofproto *p)
{
    struct flow_journal *j = p->journal;
    bool anew;
    int error = 0;

    if (!j || !j->is_dirty || j->is_off) {
        return;
    }
    j->is_dirty = false;
    anew = !j->log || is_mostly_garbage(j) || j->rec.n_flows >= FLOW_JOURNAL_MAX_FLOWS;
    if (!anew && j->rec.out.size) {
        error = memlog_append(j->log, j->rec.out.data, j->rec.out.size);
        anew = error && j->rec.garbage > 0;
    }
    if (anew) {
        error = rewrite(p);
    }
    if (error) {
        turn_off(p, error);
    } else if (j->rec.out.cap > BLOCK_MAX) {
        wr_fini(&j->rec.out);
    } else {
        j->rec.out.size = 0;
    }
}

/* --- what others say ---------------------------------------------------------------------------
 */

void
flow_journal_txn(const struct flow_txn *txn)
{
    struct flow_journal *j = txn->n_ops ? writable(txn->ofproto) : NULL;

    for (size_t i = 0; j && i < txn->n_ops; i++) {
        struct rule *r = txn->ops[i].rule;

        if (i + AHEAD < txn->n_ops) {
            flow_mod_prefetch(txn->ops[i + AHEAD].rule);
        }
        if (txn->ops[i].kind == FLOW_OP_REMOVE) {
            if (flow_records_has(r)) {
                flow_records_remove(&j->rec, r);
            }
        } else if (is_journaled(r) && !rule_is_removed(r, txn->version) &&
                   j->rec.n_flows < FLOW_JOURNAL_MAX_FLOWS) {
            flow_records_put(&j->rec, r);
        }
    }
    commit(txn->ofproto);
}

void
flow_journal_times(struct rule *r)
{
    struct flow_journal *j = writable(r->ofproto);

    if (j && flow_records_has(r)) {
        flow_records_put_times(&j->rec, r);
    }
    commit(r->ofproto);
}

void
flow_journal_group(struct ofproto *p, uint32_t id, const struct ofp_group *spec)
{
    struct flow_journal *j = writable(p);

    if (j && spec) {
        flow_records_put_group(&j->rec, spec);
    } else if (j) {
        flow_records_remove_group(&j->rec, id);
    }
}

void
flow_journal_meter(struct ofproto *p, uint32_t id, const struct ofp_meter_config *config)
{
    struct flow_journal *j = writable(p);

    if (j && config) {
        flow_records_put_meter(&j->rec, config);
    } else if (j) {
        flow_records_remove_meter(&j->rec, id);
    }
}

void
flow_journal_tlv_map(struct ofproto *p)
{
    struct flow_journal *j = writable(p);

    if (j) {
        flow_records_put_tlv_map(&j->rec, p);
    }
}

void
flow_journal_commit(struct ofproto *p)
{
    commit(p);
}

void
flow_journal_context(struct ofproto *p, uint32_t context)
{
    struct flow_journal *j = p->journal;

    if (j) {
        j->context = context;
        if (j->log) {
            atomic_store(memlog_note(j->log, FLOW_JOURNAL_NOTE_CONTEXT), context);
        }
    }
}

void
flow_journal_run(struct ofproto *p)
{
    struct flow_journal *j = p->journal;

    if (!j || j->is_off) {
        return;
    }
    if (!j->log) {
        j->is_dirty = true;
        commit(p);
    }
    if (j->n_restores && j->log && clock_now_ms() - j->started_ms >= SETTLED_MS) {
        j->n_restores = 0;
        atomic_store(memlog_note(j->log, FLOW_JOURNAL_NOTE_RESTORES), 0);
    }
}

/* --- its life ----------------------------------------------------------------------------------
 */

void
ofproto_journal_start(struct ofproto *p, const char *name, uint32_t n_restores)
{
    struct flow_journal *j = xzalloc(sizeof *j);

    str_copy(j->name, name, sizeof j->name);
    j->n_restores = n_restores;
    j->started_ms = clock_now_ms();
    j->context = connmgr_context(p->connmgr);
    flow_records_reset(&j->rec);
    p->journal = j;
}

void
ofproto_journal_stop(struct ofproto *p)
{
    struct flow_journal *j = p->journal;

    if (j) {
        p->journal = NULL;
        memlog_void(j->log);
        keep_drop(j->name);
        memlog_close(j->log);
        flow_records_fini(&j->rec);
        free(j);
    }
}

bool
ofproto_journal_is_on(const struct ofproto *p)
{
    return p->journal != NULL;
}

size_t
ofproto_journal_size(const struct ofproto *p)
{
    return p->journal && p->journal->log ? memlog_size(p->journal->log) : 0;
}
