// SPDX-License-Identifier: Apache-2.0
/*
 * xlate_int.h - what the files of translation share: the state of one translation, and who does
 * what.
 *
 *   xlate.c          begins and ends a translation; tables
 *   xlate_action.c   the list of actions, one by one
 *   xlate_field.c    actions that change fields: set_field, move, VLAN, TTL, stack
 *   xlate_output.c   ports, floods, patch ports, controllers
 *   xlate_group.c    groups, multipath, bundle
 *   xlate_set.c      the action set of OpenFlow 1.1 and later
 *   xlate_learn.c    learn()
 *   xlate_freeze.c   controller(pause) and what goes on after it
 *   xlate_recirc.c   the same for recirculation by the datapath
 *   xlate_vlan.c     VLAN modes of logical ports
 *   xlate_mirror.c   mirrors
 *   xlate_own.c      what is for the switch itself
 *   normal.c         NORMAL
 *   xlate_seen.c     what tables answered to earlier packets of a batch
 *   xlate_trail.c    which way through the tables earlier packets of a batch took
 *   xlate_cache.c    whom to credit packets to
 *   xlate_deps.c     what the result depends on
 *
 * A translation keeps two flows: 'flow' is what the OpenFlow pipeline sees, 'base' is what the
 * datapath's packet looks like after the actions emitted so far.  flow_commit() emits what makes
 * the difference, just before something is sent.
 */
#ifndef OFPROTO_XLATE_INT_H
#define OFPROTO_XLATE_INT_H 1

#include "ofproto/frozen.h"
#include "ofproto/mac_table.h"
#include "ofproto/trace.h"
#include "ofproto/xlate.h"
#include "openflow/ofp_action.h"

enum {
    XLATE_MAX_DEPTH = 64,
    XLATE_MAX_RESUBMITS = 64 * 64,
    XLATE_MAX_BUCKETS = 65536, /* of all groups of type "all" together */
    XLATE_MAX_WATCHED = 16384, /* groups that are asked whether they are alive */
    XLATE_MAX_ACTIONS = 65536, /* bytes of datapath actions before resubmits are refused */
    XLATE_MAX_STACK = 65536,   /* bytes */
    XLATE_MAX_BRIDGES = 32,    /* remembered with their view and version */
    XLATE_MAX_NEST = 16,       /* datapath lists in each other */
};

enum xlate_error {
    XLATE_OK,
    XLATE_BRIDGE_NOT_FOUND,
    XLATE_RECURSION_TOO_DEEP,
    XLATE_TOO_MANY_RESUBMITS,
    XLATE_STACK_TOO_DEEP,
    XLATE_NO_RECIRC_CONTEXT,
    XLATE_TOO_MANY_MPLS_LABELS,
    XLATE_FORWARDING_DISABLED,
    XLATE_NO_RECIRC_ID,
};
const char *xlate_error_text(enum xlate_error);

/* A growing array of 64-bit words that starts on the stack. */
struct xlate_words {
    uint64_t *w;
    uint32_t n, cap;
    uint64_t first[256];
};
uint64_t *xlate_words_put(struct xlate_words *, uint32_t n);

/* A copy of the entries of the stack, while something runs that must not change them. */
struct xlate_stack_copy {
    uint64_t *w;
    uint32_t n;
};

/* One credit; see xlate_cache.c. */
enum xc_type {
    XC_RULE,
    XC_TABLE_MISS,
    XC_GROUP,
    XC_PORT_TX,
    XC_PORT_RX,
    XC_MIRROR,
    XC_MAC,
    XC_LEARN,
    XC_FIN_TIMEOUT,
    XC_BOND,
    XC_FROZEN,
};
struct xc_entry {
    uint8_t type;   /* enum xc_type */
    uint8_t bridge; /* place in ctx->bridges: where it happened */
    union {
        struct rule *rule;
        uint8_t table_id;
        struct {
            struct ofgroup *group;
            struct ofbucket *bucket; /* NULL: the group itself */
        } group;
        ofp_port_t port;
        struct rule_stats *mirror;
        struct mac_source mac;
        struct xc_learn *learn;
        struct frozen *frozen; /* not credited: a reference to what recirculation needs */
        struct {
            struct rule *rule;
            uint16_t idle, hard;
        } fin;
        struct {
            uint32_t bundle_id;
            uint8_t bucket;
        } bond;
    };
};
struct xc_learn;

/* One bridge, as this translation sees it from beginning to end. */
struct xlate_bridge {
    const struct ofproto_view *view;
    cls_version_t version;
};

/* A patch port on the way: to notice that the packet goes round. */
struct xlate_patch {
    const struct xlate_patch *outer;
    const struct view_port *port;
    const struct flow *flow;
};

struct xlate_ctx {
    const struct xlate_in *in;
    struct xlate_out *out;
    struct flow_mask *wc; /* &out->mask */
    struct flow flow;
    struct flow base;
    struct flow first; /* as it came, with pipeline words clear */
    bool looked_up;    /* in some table */
    bool untouched;    /* nothing was done since the last lookup: the flow is as it was then */

    const struct xlate_bridge *bridge;
    const struct ofproto_view *view; /* bridge->view */
    struct xlate_bridge bridges[XLATE_MAX_BRIDGES];
    size_t n_bridges;
    const struct xlate_patch *patch;

    const struct rule *rule; /* whose actions these are; NULL: packet-out or miss */
    uint64_t cookie;         /* theirs; UINT64_MAX: of no flow */
    uint64_t first_cookie;   /* of the first flow that was met: the action set's */
    uint8_t table_id;
    int depth; /* of tables in tables */
    int n_resubmits;
    int n_buckets, n_watched;
    bool in_group, in_action_set, in_packet_out;
    bool exit;
    enum xlate_error error;

    struct ofp_continuation *frozen;       /* not NULL: freezing, lists add to it what is left */
    const struct ofpact_controller *pause; /* then: why, and of which flow; NULL: to recirculate */
    uint64_t pause_cookie;
    uint8_t pause_table;
    bool again;           /* the action that is being done is what freezes, and is left, too */
    bool frozen_looks_up; /* what is left is to look up in table 0 */
    bool frozen_by_hash;  /* the datapath sets dp_hash, by: */
    uint8_t hash_alg;     /* enum dp_hash_alg */
    uint32_t hash_basis;
    bool was_mpls;           /* popped the last label: what is below is not known */
    struct frozen *thawed;   /* among 'recircs'; NULL: begins at the beginning */
    struct frozen **recircs; /* references to what 'actions' recirculate to */
    size_t n_recircs;

    struct ofpacts action_set;
    struct xlate_words stack;
    uint32_t orig_priority;
    uint32_t mirrors;                       /* that have had this packet */
    const struct view_bundle *in_at_mirror; /* the output of a mirror, where nothing may come in */
    bool is_own;                   /* for a protocol of the switch itself: no action is done */
    uint32_t nest[XLATE_MAX_NEST]; /* where unfinished nested lists begin, in out->actions */
    uint32_t nest_header[XLATE_MAX_NEST]; /* and how long their own headers are */
    bool nest_larger[XLATE_MAX_NEST];     /* the list is that for larger packets */
    int n_nest;
    bool sent; /* something was output */

    struct xlate_trail *trail; /* to be gone on with: all done so far is part of it; or NULL */
    unsigned n_steps;          /* of it that are this packet's */

    bool collects; /* credits are wanted */
    struct xc_entry *credits;
    size_t n_credits, cap_credits;
    struct xc_entry first_credits[48];
    struct xlate_words deps;
    bool deps_all;        /* too many: depends on everything */
    struct flow dep_flow; /* of the last lookup, if looked_up */
    uint64_t dep_changed; /* its words that differ from 'first' */

    struct trace_list *trace; /* NULL: nobody listens */
};

/* --- xlate.c --- */
const struct xlate_bridge *xlate_bridge_get(struct xlate_ctx *, const struct ofproto *);
/* Looks up in 'table_id' as if the packet came from 'in_port', and does what the rule says. */
void xlate_table(struct xlate_ctx *, ofp_port_t in_port, uint8_t table_id, bool may_packet_in,
                 bool honor_miss);
/* After the tables of a bridge: the action set, unless the packet was frozen.  True if nothing
 * failed, and nothing is left to do after a recirculation. */
bool xlate_pipeline_end(struct xlate_ctx *);
void xlate_fail(struct xlate_ctx *, enum xlate_error);
void xlate_report(struct xlate_ctx *, enum trace_type, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* For events that should not be: also goes to the log, rate-limited. */
void xlate_report_error(struct xlate_ctx *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void xlate_report_subfield(struct xlate_ctx *, const struct mf_subfield *);
/* Opens the level of a table that matched 'rule', or NULL: none; the caller restores *outer. */
void xlate_report_table(struct xlate_ctx *, uint8_t table_id, const struct rule *,
                        struct trace_list **outer);
/* Names of OpenFlow ports for remarks: NULL unless the trace wants them, else '*names' filled in.
 */
const struct mf_port_names *xlate_names(const struct xlate_ctx *, struct mf_port_names *names);
const char *xlate_port_name(const void *view, ofp_port_t);
/* Emits what makes the datapath's packet like 'flow'. */
void xlate_commit(struct xlate_ctx *);

/* --- xlate_action.c --- */
void xlate_actions(struct xlate_ctx *, const struct ofpact *, size_t size, bool is_last);

/* --- xlate_field.c --- */
void xlate_set_vlan_vid(struct xlate_ctx *, uint16_t vid, bool push);
void xlate_set_vlan_pcp(struct xlate_ctx *, uint8_t pcp, bool push);
void xlate_pop_vlan(struct xlate_ctx *);
void xlate_remove_tag(struct xlate_ctx *);
void xlate_push_vlan(struct xlate_ctx *, uint16_t ethertype);
void xlate_set_field(struct xlate_ctx *, const struct ofpact_set_field *);
void xlate_reg_move(struct xlate_ctx *, const struct ofpact_reg_move *);
void xlate_delete_field(struct xlate_ctx *, const struct ofpact_delete_field *);
void xlate_stack_push(struct xlate_ctx *, const struct ofpact_stack *);
void xlate_stack_pop(struct xlate_ctx *, const struct ofpact_stack *);
struct xlate_stack_copy xlate_stack_save(const struct xlate_ctx *);
void xlate_stack_restore(struct xlate_ctx *, struct xlate_stack_copy *); /* which is then empty */
void xlate_set_ipv4(struct xlate_ctx *, const struct ofpact_ipv4 *, bool is_src);
void xlate_set_ip_byte(struct xlate_ctx *, const struct ofpact_u8 *);
void xlate_set_l4_port(struct xlate_ctx *, const struct ofpact_l4_port *, bool is_src);
/* True if the TTL ran out: the rest of the list is not done. */
bool xlate_dec_ttl(struct xlate_ctx *, const struct ofpact_cnt_ids *);
bool xlate_mpls(struct xlate_ctx *, const struct ofpact *);

/* --- xlate_output.c --- */
struct xlate_output {
    ofp_port_t port;
    uint16_t controller_max_len;
    uint32_t truncate; /* 0: no */
    bool may_packet_in;
};
void xlate_output(struct xlate_ctx *, const struct xlate_output *);
/* To one port, with no questions about the input port. */
void xlate_output_port(struct xlate_ctx *, const struct view_port *, uint32_t truncate);
struct xlate_to_controller {
    uint16_t max_len;
    uint16_t controller_id;
    uint8_t reason;
    bool is_miss;
    uint32_t meter_id; /* the bridge's meter that limits it; 0: that for all, if there is one */
    const void *userdata;
    size_t userdata_len;
    struct ofp_continuation *continuation; /* taken; NULL: none */
};
void xlate_controller(struct xlate_ctx *, const struct xlate_to_controller *);
uint8_t xlate_packet_in_reason(const struct xlate_ctx *);

/* --- xlate_group.c, xlate_hash.c --- */
void xlate_group(struct xlate_ctx *, uint32_t group_id);
void xlate_multipath(struct xlate_ctx *, const struct ofpact_multipath *);
void xlate_bundle(struct xlate_ctx *, const struct ofpact_bundle *);
/* A hash over 'fields', whose bits become part of the mask. */
uint32_t xlate_hash_fields(struct xlate_ctx *, enum ofp_hash_fields fields, uint32_t basis);

/* --- xlate_set.c --- */
void xlate_write_actions(struct xlate_ctx *, const struct ofpact_nest *);
void xlate_clear_actions(struct xlate_ctx *);
void xlate_action_set(struct xlate_ctx *);
/* The set is what it was when the translation froze. */
void xlate_action_set_restore(struct xlate_ctx *, const struct ofpact *, size_t size);
/* Puts the actions of a set or bucket in the order in which they are executed. */
void xlate_order_actions(const struct ofpact *, size_t size, struct ofpacts *out);

/* --- xlate_freeze.c --- */
/* Stops here: the lists of actions that are under way are left with xlate_freeze_rest(). */
void xlate_freeze_pause(struct xlate_ctx *, const struct ofpact_controller *);
/* Leaves the actions from 'a' to 'end' for later. */
void xlate_freeze_rest(struct xlate_ctx *, const struct ofpact *a, const struct ofpact *end);
/* Freezing has come to the end of what the packet was to do: gives it away. */
void xlate_freeze_finish(struct xlate_ctx *);
/* Does what was left. */
void xlate_resume(struct xlate_ctx *, const struct ofp_continuation *);

/* --- xlate_recirc.c --- */
/* True if the action needs what is below a popped MPLS stack. */
bool xlate_needs_parsing(const struct xlate_ctx *, const struct ofpact *);
/* Stops here, to go on when the datapath has parsed the packet anew. */
void xlate_freeze_recirc(struct xlate_ctx *);
/* The same from within an action, which is to be done again when the datapath has set dp_hash. */
void xlate_freeze_hash(struct xlate_ctx *, enum dp_hash_alg, uint32_t basis);
/* The same instead of the lookup in table 0 of a packet that comes in from a patch port. */
void xlate_freeze_lookup(struct xlate_ctx *);
/* To the member of a balanced bond that the datapath's hash of the packet chooses. */
void xlate_output_hashed(struct xlate_ctx *, const struct view_bundle *, uint32_t truncate);
/* What xlate_freeze_finish() does where no controller is meant. */
void xlate_recirc_finish(struct xlate_ctx *);
/* Takes the reference; out->cache gets one of its own. */
void xlate_keep_frozen(struct xlate_ctx *, struct frozen *);
void xlate_recircs_fini(struct xlate_ctx *);
/* A recirculated packet: finds what its recirc_id stands for.  False if nobody knows. */
bool xlate_thaw_begin(struct xlate_ctx *);
void xlate_thaw(struct xlate_ctx *);

/* --- xlate_own.c --- */
/* Takes what is for LACP on the port: true. */
bool xlate_take_lacp(struct xlate_ctx *, const struct view_port *);
/* At the end of all: what DHCP answers goes to the port of a bridge with in-band control, too. */
void xlate_dhcp_to_local(struct xlate_ctx *);

/* --- xlate_learn.c --- */
void xlate_learn(struct xlate_ctx *, const struct ofpact_learn *);
/* Asks main for the flow; false: it would be one too many. */
bool xc_learn_apply(const struct xc_learn *, struct ofproto *);
void xc_learn_destroy(struct xc_learn *);

/* --- xlate_vlan.c --- */
/* True if a packet with the tags that 'flow' has may come in from 'bundle'; reports why not.  Then
 * '*vlan' is the VLAN it is in. */
bool xlate_vlan_input(struct xlate_ctx *, const struct view_bundle *, uint16_t *vlan);
/* True if 'bundle' carries what came in from 'from' in 'vlan'. */
bool xlate_vlan_includes(const struct xlate_ctx *, const struct view_bundle *from,
                         const struct view_bundle *bundle, uint16_t vlan);
/* Changes the tags of 'flow' as 'bundle' sends a packet of 'vlan' that came in from 'from' (NULL:
 * from none: tags as they are).  False if it cannot be. */
bool xlate_vlan_output(struct xlate_ctx *, const struct view_bundle *from,
                       const struct view_bundle *bundle, uint16_t vlan);

/* --- normal.c --- */
void xlate_normal(struct xlate_ctx *);
/* Sends to a member of 'bundle' with the right tags. */
void xlate_output_bundle(struct xlate_ctx *, const struct view_bundle *from,
                         const struct view_bundle *, uint16_t vlan, uint32_t truncate);

/* An address of protocols between neighbours, which a switch does not forward. */
bool xlate_is_reserved(const struct rte_ether_addr *);

/* --- xlate_mirror.c --- */
void xlate_mirror_in(struct xlate_ctx *);
void xlate_mirror_out(struct xlate_ctx *, const struct view_port *);

/* --- xlate_seen.c --- */
/* ofproto_lookup() in the present bridge, which adds to ctx->wc. */
struct rule *xlate_look_up(struct xlate_ctx *, uint8_t table_id, const struct flow *);

/* --- xlate_trail.c --- */
/* Before the first table: goes where an earlier packet of the batch was, and returns the rule of
 * '*table_id' that is to be done there.  NULL: begin at the beginning. */
struct rule *xlate_trail_follow(struct xlate_ctx *, uint8_t *table_id);
/* With ctx->trail: 'rule' of 'table_id' is about to be done, looked up as from 'in_port'. */
void xlate_trail_note(struct xlate_ctx *, struct rule *rule, uint8_t table_id, ofp_port_t in_port);
/* False if a trail ends before the action. */
bool xlate_trail_goes_on(const struct ofpact *, const struct ofpact *list_end);
void xlate_share_fini_trails(struct xlate_share *);

/* --- xlate_cache.c --- */
/* Room for one more credit; NULL if nobody wants them. */
struct xc_entry *xlate_credit_add(struct xlate_ctx *, enum xc_type);
/* Nothing in it is a packet's own. */
bool xlate_cache_is_shareable(const struct xlate_cache *);
/* Counts what the bond's bucket carries. */
void xlate_credit_bucket(struct xlate_ctx *, const struct view_bundle *, unsigned bucket);
/* At the end: counts for in->n_packets, and makes out->cache. */
void xlate_credits_finish(struct xlate_ctx *);
void xlate_share_fini_caches(struct xlate_share *);

/* --- xlate_deps.c --- */
void xlate_dep_lookup(struct xlate_ctx *, const struct ofproto *, uint8_t table_id,
                      const struct flow *, const struct rule *found);
void xlate_dep_mac(struct xlate_ctx *, struct mac_table *, uint16_t vlan, struct rte_ether_addr);
void xlate_dep_group(struct xlate_ctx *, const struct ofproto *, uint32_t group_id);
void xlate_dep_view(struct xlate_ctx *, const struct ofproto *);
void xlate_deps_finish(struct xlate_ctx *);
void xlate_share_fini_deps(struct xlate_share *);

/* --- fdb_ctl.c --- */
void fdb_ctl_init(struct ofprotos *);

#endif /* ofproto/xlate_int.h */
