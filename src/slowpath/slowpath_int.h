// SPDX-License-Identifier: Apache-2.0
/*
 * slowpath_int.h - what the files of src/slowpath share.
 *
 * Each megaflow carries a 'struct ukey' (dp_flow_aux()): whom its packets are credited to, what its
 * translation depended on, and how much of its counters was pushed already.  Handlers make it, from
 * then on it belongs to the one revalidator whose part of the flow table the flow is in, or to main
 * while it holds 'pass_lock'; whoever deletes the flow frees it after a grace period.
 */
#ifndef SLOWPATH_SLOWPATH_INT_H
#define SLOWPATH_SLOWPATH_INT_H 1

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ofproto/xlate.h"
#include "pmd/dp.h"
#include "slowpath/cohort.h"
#include "slowpath/dp_features.h"
#include "slowpath/flow_index.h"
#include "slowpath/pace.h"
#include "slowpath/slowpath.h"
#include "slowpath/trim.h"

enum {
    SLOWPATH_MAX_HANDLERS = 16,
    SLOWPATH_MAX_REVALIDATORS = 16,
    SLOWPATH_BATCH = 64, /* upcalls that a handler takes at once */
};

/* What is asked of a pass; each includes those before it. */
enum pass_kind {
    PASS_FOLLOW, /* recheck what changes can matter to: a barrier waits */
    PASS_WALK,   /* and visit all flows: counters, idle ones, MAC entries */
    PASS_PURGE,  /* delete all flows */
};

struct ukey {
    struct xlate_cache *cache; /* NULL in a cohort: see ukey_cache(), ukey_deps() */
    struct xlate_deps *deps; /* likewise; NULL, too: put by hand and not translated yet; not in the
                              * index then */
    struct cohort *cohort;   /* or NULL; w under the index's lock by whoever rechecks the ukey */
    struct dp_flow *flow;    /* constant */
    struct flow_place place; /* flow_index.c's */
    bool suspect;            /* to be translated anew; flow_index.c sets, a pass clears */
    struct rule *by;         /* a reference: what alone made it a suspect is that this rule came */
    uint64_t seq;            /* ofprotos_seq() that the actions are right for */
    uint64_t state_seq;      /* xlate_state_seq() likewise */
    uint64_t packets, bytes; /* pushed so far; w revalidator */
    int64_t created_ms;
};

/* Settings, read by threads each time they need one. */
struct slowpath_settings {
    _Atomic int max_idle_ms;
    _Atomic int max_revalidator_ms;
    _Atomic int min_revalidate_pps;
    _Atomic uint64_t flow_limit; /* the configured ceiling */
    _Atomic bool megaflows;      /* upcall/disable-megaflows: exact flows only */
    _Atomic bool ufid;           /* upcall/disable-ufid: shown only */
};

struct handler {
    pthread_t thread;
    struct slowpath *slowpath;
    unsigned index;
    /* ofprotos_seq() when the present batch began; UINT64_MAX between batches.  Seq_cst: a pass
     * that sees the old value waits, one that does not is seen by the batch.  w handler, r
     * revalidator */
    _Atomic uint64_t batch_seq;
    bool moved; /* some MAC did, and no walk was asked for yet; handler */
};

struct revalidator {
    pthread_t thread;
    struct slowpath *slowpath;
    unsigned index;
    _Atomic uint64_t n_keys; /* flows of its part at the last pass */
};

/* One request to be told when the datapath follows; main only. */
struct sync_waiter {
    struct sync_waiter *next;
    uint64_t pass; /* wait until so many passes were finished */
    ofproto_sync_done_fn *done;
    void *aux;
};

/* What the leader hands to all revalidators for one pass. */
struct pass {
    enum pass_kind kind;
    uint64_t seq; /* ofprotos_seq() that flows will be right for */
    uint64_t state_seq;
    struct ofproto_change *changes; /* since the pass before, if a walk looks at them */
    size_t n_changes;
    bool all;               /* too many changes: all flows are suspects */
    struct memo *memo;      /* of what cohorts got: revalidators begin with it */
    struct ukey **suspects; /* taken out of the index, if this is no walk */
    size_t n_suspects;
    bool stop; /* no pass: the threads end */
    int64_t now_ms, began_ns;
    int64_t cpu_ms; /* of the leader's time, at the beginning */
    int max_idle_ms;
};

struct slowpath {
    struct loop *loop;
    struct dp *dp; /* NULL before slowpath_start() */
    struct ofprotos *ofprotos;
    struct slowpath_settings settings;
    struct features features; /* main */

    unsigned n_handlers;
    struct handler handlers[SLOWPATH_MAX_HANDLERS];
    _Atomic bool stop_handlers;
    _Atomic uint64_t n_upcalls; /* that were handled; w handlers, r the leading revalidator */

    unsigned n_revalidators;
    struct revalidator revalidators[SLOWPATH_MAX_REVALIDATORS];
    bool stop_revalidators;       /* under 'lock' */
    pthread_barrier_t start, end; /* of a pass, among the revalidators */
    pthread_mutex_t pass_lock;    /* held by the leader for the time of a pass, and by main
                                   * while it rechecks or deletes flows itself */
    struct pass pass;             /* w the leader between passes, r all during one */
    struct flow_index *index;
    /* No walk because a MAC moved before that: who floods with MACs moves some in each batch, and
     * walks take no more than a fifth of a core.  w revalidator, r handlers */
    _Atomic int64_t moved_walk_ms;
    _Atomic uint64_t followed_seq; /* the flows are right for changes up to here */
    struct pace pace;
    struct pace credit_pace; /* cohort.c's */
    struct trim trim;        /* the leading revalidator's */

    pthread_mutex_t lock; /* the members below */
    pthread_cond_t wanted;
    uint64_t requested;         /* passes asked for: sync, changes */
    uint64_t finished;          /* passes done */
    enum pass_kind wanted_kind; /* the most that the requests ask for */
    bool soon;                  /* a pass is wanted when 'pace' has rested */
    unsigned paused;            /* revalidator/pause */

    struct sync_waiter *waiters; /* main only, in order */
    uint64_t asked_seq;          /* main: ofprotos_seq() at the last request to follow */

    /* upcall/show */
    _Atomic uint64_t n_flows, avg_flows, max_flows;
    _Atomic uint64_t dump_duration_ms;
    _Atomic uint64_t dynamic_limit;
};

/* handler.c */
/* True while a handler works on upcalls that it took before 'seq'. */
bool handlers_lag(const struct slowpath *, uint64_t seq);
void handlers_start(struct slowpath *, unsigned n);
void handlers_stop(struct slowpath *);

/* revalidator.c */
void revalidators_start(struct slowpath *, unsigned n);
void revalidators_stop(struct slowpath *);
/* Asks for a pass that begins after the call; returns its number.  Any thread. */
uint64_t revalidators_request(struct slowpath *, enum pass_kind);
/* Asks for a pass as soon as there was some rest from following.  Any thread. */
void revalidators_request_soon(struct slowpath *);
/* Main: makes the flows follow all changes now, if that is little work and nobody is at it.  False
 * if a pass has to be asked for. */
bool revalidator_follow(struct slowpath *);
/* Deletes a flow for dpctl: what it counted is credited.  Main; waits for the end of a pass. */
void revalidator_expel(struct dp *, struct dp_flow *, void *slowpath);

/* What is installed for 'out': its actions, or, if packets must come here one by one, a USERSPACE
 * action in 'slow', which the caller frees. */
const struct dp_actions *slowpath_actions(const struct xlate_out *out, struct dp_actions *slow);

/* recheck.c */
/* Translates the ukey's megaflow anew, or finds the answer in 'memo'.  False if the flow has to go.
 */
struct memo;
bool ukey_recheck(struct slowpath *, struct ukey *, struct memo *);

/* True if 'whole' has every bit of 'part'. */
bool key_mask_is_subset(const struct flow_mask *part, const struct flow_mask *whole);
bool dp_actions_equal(const struct dp_actions *, const struct dp_actions *);

/* ukey.c */
const struct xlate_cache *ukey_cache(const struct ukey *);
const struct xlate_deps *ukey_deps(const struct ukey *);
/* Takes cache and deps out of 'out'. */
struct ukey *ukey_create(struct dp_flow *, struct xlate_out *out, uint64_t seq, uint64_t state_seq);
void ukey_destroy(void *ukey);
/* Makes 'ukey' its flow's.  A revalidator that is deleting all flows may have been quicker. */
void ukey_attach(struct slowpath *, struct ukey *);
/* Looks after a flow that was put by command: the next walk translates it, which gives it the right
 * actions or deletes it, and idle it expires as others do.  Main. */
void ukey_adopt(struct dp *, struct dp_flow *, void *slowpath);
/* Credits what the datapath counted since the last time. */
void ukey_push(struct ukey *, const struct dp_flow_stats *);

/* sync.c: main */
/* Nothing is installed or about to be. */
bool sync_is_idle(const struct slowpath *);
/* The hooks: the flows are right for all changes, if need be after some work in place; tell when
 * they will be; some changes came; tell when counters are up to date as well. */
bool sync_try(void *slowpath);
void sync_follow(void *slowpath, ofproto_sync_done_fn *done, void *aux);
void sync_changed(void *slowpath);
void sync_request(void *slowpath, ofproto_sync_done_fn *done, void *aux);
void sync_purge(struct slowpath *, ofproto_sync_done_fn *done, void *aux);
/* A pass was finished: called by a revalidator, runs in main. */
void sync_passes_finished(void *slowpath);
void sync_drop(struct slowpath *);

/* packet_out.c: main */
void packet_out_execute(void *slowpath, struct ofproto *, const struct ofproto_packet_out *);

/* slowpath_ctl.c, dpif_ctl.c */
/* Without a bridge there is nothing to show, as operators know it: the datapath goes with the last
 * one, even if ours stays in memory. */
bool slowpath_serves_bridges(const struct slowpath *);
void slowpath_ctl_init(struct slowpath *);
void slowpath_put_limits(struct str *out, void *slowpath); /* for limits-show */
void dpif_ctl_init(struct slowpath *);

#endif /* slowpath/slowpath_int.h */
