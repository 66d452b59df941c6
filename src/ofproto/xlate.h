// SPDX-License-Identifier: Apache-2.0
/*
 * xlate.h - from a flow to datapath actions: one translation of one packet, or of the megaflow that
 * it stands for, through the OpenFlow tables of all bridges that it meets.
 *
 * The same code serves handlers (a miss), revalidators (is the megaflow still right?), packet-outs
 * and ofproto/trace.  The caller is online in RCU from before xlate() until it has taken what it
 * wants from the result.  Any thread.
 */
#ifndef OFPROTO_XLATE_H
#define OFPROTO_XLATE_H 1

#include <stdbool.h>
#include <stdint.h>

#include "flow/dp_action.h"
#include "flow/flow.h"
#include "ofproto/ofproto_int.h"

struct ofp_continuation;
struct ofpact;
struct rte_mbuf;
struct rule;
struct xlate_cache;
struct xlate_deps;
struct xlate_trace;
struct xlate_trail;

/* What a table answered to an earlier packet of a batch, which is the answer to each packet that
 * agrees with it in the bits that were looked at; see xlate_seen.c. */
enum { XLATE_SEEN = 64, XLATE_SEEN_WORDS = 6 };
struct xlate_seen {
    const struct ofproto *ofproto;
    cls_version_t version;
    struct rule *rule; /* borrowed, or NULL: none matched */
    uint8_t table_id;
    uint8_t n_useless; /* lookups in a row that found another packet's answer here */
    uint8_t n_words;   /* more than XLATE_SEEN_WORDS: too many to compare */
    uint8_t word[XLATE_SEEN_WORDS];
    uint64_t mask[XLATE_SEEN_WORDS], value[XLATE_SEEN_WORDS];
};

/* What the translations of one batch have in common: most of their caches and deps come out equal,
 * and then they are one, which also gets the batch's credits in one go; and most of their tables
 * answer as they did to the packet before, or whole chains of tables do.  One thread's, for the
 * time of a batch, in which the thread does not quiesce.  A share holds references. */
enum { XLATE_SHARED = 4 };
struct xlate_share {
    struct xlate_shared_cache {
        struct xlate_cache *cache;
        uint64_t n_packets, n_bytes; /* to be credited */
    } caches[XLATE_SHARED];
    struct xlate_deps *deps[XLATE_SHARED];
    unsigned n_caches, next_cache, n_deps, next_deps;
    struct xlate_trail *trails; /* xlate_trail.c; NULL: none yet */
    uint64_t seen_map;          /* which of 'seen' say something */
    struct xlate_seen seen[XLATE_SEEN];
};
/* An empty one. */
void xlate_share_init(struct xlate_share *);
/* Credits what is due, and lets go. */
void xlate_share_fini(struct xlate_share *);

struct xlate_in {
    struct ofprotos *ofprotos;
    /* As the datapath saw the packet: in_port is the datapath's, recirc_id as given. */
    const struct flow *flow;
    /* The packet, for what needs its bytes (packet-in, learning from ARP); NULL when there is none
     * (revalidation, trace without a packet): such side effects do not happen then. */
    const struct rte_mbuf *packet;
    /* Side effects (MAC learning, learn(), controller messages, statistics) happen only if true. */
    bool side_effects;
    /* How many packets and bytes to credit rules, ports and mirrors with, if 'side_effects'. */
    uint64_t n_packets, n_bytes;
    uint16_t tcp_flags;
    /* Packet-out: start with these actions, if any, in 'ofproto' instead of table 0;
     * flow->ofp_in_port is set by the caller. */
    bool is_packet_out;
    struct ofproto *ofproto;
    const struct ofpact *acts;
    size_t acts_size;
    /* A packet that a controller sends back: go on in 'ofproto' where 'resume' says; pipeline words
     * of 'flow' are set by the caller.  NULL otherwise. */
    const struct ofp_continuation *resume;
    /* The answer of the first lookup is known: this rule; NULL otherwise. */
    struct rule *first_rule;
    /* Where trace lines go, or NULL. */
    struct xlate_trace *trace;
    /* Fill in out->cache and out->deps (a megaflow is to be installed or revalidated). */
    bool want_cache;
    /* Where equal caches and deps may come from, or NULL. */
    struct xlate_share *share;
};

struct xlate_out {
    struct dp_actions actions; /* complete: an explicit drop reason where nothing is sent */
    struct flow_mask mask;     /* bits consulted; packet words only; exact in_port, recirc_id */
    uint32_t slow;             /* DP_SLOW_*: not 0: packets must come to a handler one by one,
                                * 'actions' is what this one gets */
    int error;                 /* 0, or why everything is dropped: xlate_out_error_text() */
    bool drop_unknown;         /* of a datapath port without a bridge, or recirculated by
                                * nobody: install nothing */
    struct xlate_cache *cache; /* whom to credit later packets to; the caller's */
    struct xlate_deps *deps;   /* what the result depends on; the caller's */
    struct flow final_flow; /* what the pipeline made of the packet; only with in->trace.  Last */
};
/* "Recursion too deep", for out->error. */
const char *xlate_out_error_text(const struct xlate_out *);

/* Translates.  '*out' need not be initialised; free with xlate_out_fini(). */
void xlate(const struct xlate_in *, struct xlate_out *out);
/* Frees what is still in there: set 'cache' and 'deps' to NULL to keep them. */
void xlate_out_fini(struct xlate_out *);

/* Credits rules, ports, mirrors and refreshes MAC entries for packets that the datapath forwarded
 * by itself.  'used_ms': when the last of them came. */
void xlate_cache_credit(const struct xlate_cache *, uint64_t packets, uint64_t bytes,
                        int64_t used_ms, uint16_t tcp_flags);
/* Both are counted: what was destroyed as often as it was made and ref'd is freed.  NULL is fine;
 * any thread. */
struct xlate_cache *xlate_cache_ref(struct xlate_cache *);
void xlate_cache_destroy(struct xlate_cache *);

/* True if one of 'changes' (ofprotos_take_changes()), or a MAC entry that moved or went, may change
 * the result that 'deps' belongs to, for some packet of the megaflow 'key'/'mask'. */
bool xlate_deps_affected(const struct xlate_deps *, const struct flow *key,
                         const struct flow_mask *mask, const struct ofproto_change *changes,
                         size_t n_changes);
/* The same from afar, for an index of many results: a rule that came or went can matter to a result
 * only if 'all', or if xlate_change_sum() shares a bit of 'tables', its 'priority' is not lower,
 * and its match agrees with the megaflow in the words outside 'changed'. */
struct xlate_deps_sum {
    uint64_t tables;   /* a bit for each table looked up; tables may share one */
    uint64_t changed;  /* words of the flow that actions had changed at some lookup */
    uint32_t priority; /* of the lowest rule found, + 1; 0: none was, or it says nothing */
    bool all;
};
struct xlate_deps *xlate_deps_ref(struct xlate_deps *);
/* True if 'cache' and 'deps' are right for every megaflow that agrees with this one in out->mask,
 * because nothing in them is a packet's own: no MAC to learn, no learned flow, no rewritten header.
 */
bool xlate_out_is_shareable(const struct xlate_out *);
/* True if 'rule', which was added when 'deps' were right but for that, is now what the first lookup
 * of all packets of the megaflow 'key'/'mask' finds. */
bool xlate_deps_first_is(const struct xlate_deps *, const struct flow *key,
                         const struct flow_mask *mask, const struct rule *);
const struct xlate_deps_sum *xlate_deps_sum(const struct xlate_deps *);
struct xlate_deps_sum xlate_change_sum(const struct ofproto_change *);
void xlate_deps_destroy(struct xlate_deps *); /* NULL is fine; any thread */
/* Grows when MAC tables or other state of translation (not rules, not views) moved such that
 * installed megaflows may be wrong; then xlate_deps_affected() with no changes tells which. */
uint64_t xlate_state_seq(void);

/* Registers fdb/show and its like, ofproto/trace, ofproto/trace-packet-out.  Main. */
void xlate_ctl_init(struct ofprotos *);

#endif /* ofproto/xlate.h */
