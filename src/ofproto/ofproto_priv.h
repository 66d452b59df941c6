// SPDX-License-Identifier: Apache-2.0
/*
 * ofproto_priv.h - the main thread's side of a bridge: what the files of ofproto share among
 * themselves, and translation does not see.  Everything is for the main thread but where noted.
 *
 * ofproto.c       the set of bridges, life, configuration        ports.c    ports, bundles, mirrors
 * view.c          snapshots for translation                      rule.c     rules and their actions
 * flow_table.c    transactions on tables, versions, expiry       flow_mod.c semantics of flow-mods
 * connmgr.c       listeners, controllers, who gets what          ofconn*.c  one connection
 * from_handlers.c what other threads send to main                changes.c  what revalidators read
 */
#ifndef OFPROTO_OFPROTO_PRIV_H
#define OFPROTO_OFPROTO_PRIV_H 1

#include <pthread.h>

#include "base/loop.h"
#include "base/uthash.h"
#include "ofproto/flow_journal.h"
#include "ofproto/lacp.h"
#include "ofproto/ofproto_int.h"
#include "openflow/ofp_flow.h"
#include "openflow/ofp_group.h"
#include "openflow/ofp_port.h"
#include "openflow/ofp_switch.h"
#include "openflow/ofp_meter.h"
#include "openflow/ofp_table.h"
#include "openflow/ofp_tlv.h"

struct connmgr;
struct ofconn;

/* --- the set ------------------------------------------------------------------------------------
 */

struct flow_garbage;
struct handler_job;

enum {
    OFPROTO_MAX_JOBS = 4096,                       /* from_handlers.c */
    OFPROTO_MAX_PACKET_JOBS = OFPROTO_MAX_JOBS / 2 /* before a packet for controllers */
};

struct ofprotos {
    struct loop *loop; /* constant */
    struct dp *dp;     /* constant, may be NULL */
    struct ofproto_hooks hooks;
    void *hooks_aux;
    struct ofproto *by_name;               /* uthash */
    _Atomic uint64_t by_odp[DP_MAX_PORTS]; /* pointer << 16 | ofp_port; w main, r all */
    _Atomic uint64_t seq;                  /* w main, r all */
    uint64_t synced_seq;                   /* the datapath follows all up to here */
    bool flow_restore_wait;
    bool is_ending;                   /* with the process: rules stay where they are */
    struct rule_actions_set *actions; /* interned lists (rule.c) */
    struct frozens *frozens;          /* constant */
    pthread_mutex_t lock;             /* the members below; leaf lock */
    struct ofproto_change *changes;   /* under 'lock' */
    size_t n_changes, allocated_changes;
    bool has_other_changes;               /* than of rules */
    struct handler_job *jobs, **last_job; /* from other threads, in order */
    size_t n_jobs, most_jobs;
    uint64_t n_packet_jobs_dropped;
    struct lacp_waiting *lacp_waiting; /* uthash (lacp_in.c) */
    /* For limits-show; main: of one connection at once, ever. */
    size_t most_backlog;
    struct flow_garbage *ripe;              /* grace period over: to be unlinked */
    struct flow_garbage *unlinking;         /* main only: taken from 'ripe', not yet done */
    struct flow_garbage *garbage;           /* main only: all batches that wait */
    struct loop_timer timer;                /* once a second */
    uint64_t dp_meters[DP_MAX_METERS / 64]; /* the datapath's meters in use */
    uint64_t netdev_seq;                    /* netdev_global_change_seq() last looked at */
    uint64_t bond_seq;                      /* counts changes of members of bonds */
    bool bonds_dirty;                       /* bonds_run() is due */
    struct bond_lb_leaving *lb_leaving;     /* bond_lb.c */
    struct ofproto_bundles_use bundles_use; /* of OpenFlow's bundles (ofconn_bundle.c) */
    struct loop_timer bond_timer;           /* the next delay of a bond, */
    int64_t bonds_due_ms;                   /* and when it ends; BOND_NO_DELAY: none */
};

/* --- a bridge ------------------------------------------------------------------------------------
 */

struct oftable {
    struct cls *cls;                           /* constant */
    char *name;                                /* NULL: default */
    uint32_t max_flows;                        /* UINT32_MAX: no limit */
    bool evict_by_config, evict_by_controller; /* either: a full table makes room */
    char *prefixes;                            /* as configured; NULL: default */
    char *groups_text;                         /* of which 'groups' were parsed */
    struct mf_subfield *groups;                /* whose values make eviction groups */
    size_t n_groups;
    struct evict_groups *evictable; /* what may be evicted; NULL: was not needed yet */
    uint8_t vacancy_event; /* OFPTR_VACANCY_*: the next to be told of; 0: vacancy events are off */
    uint8_t vacancy_down, vacancy_up;     /* percent */
    uint8_t miss;                         /* enum ofproto_miss */
    size_t n_flows;                       /* not hidden, not removed */
    _Atomic uint64_t n_matched, n_missed; /* w all, r main */
    _Atomic bool had_clauses;             /* conjunction(); w main before the version, r all */
};

struct ofport {
    UT_hash_handle hh; /* by ofp_port */
    struct ofproto *ofproto;
    char *name;
    char *peer; /* patch peer's name or NULL */
    struct netdev *netdev;
    struct tnl_port *tunnel;
    ofp_port_t ofp_port;
    odp_port_t odp_port;
    uint32_t config;      /* OFPPC_* */
    struct ofp_port desc; /* as last told to controllers */
    uint64_t netdev_seq;
    bool lacp_holds;         /* LACP keeps it out of use: it is not live */
    uint64_t carrier_resets; /* that LACP was told of */
    uint64_t carrier_seq;    /* netdev_change_seq() when they were looked at */
    int64_t created_ms;
    struct ofport_counters *counters; /* freed after a grace period */
};

struct ofbundle {
    struct ofbundle *next;
    UT_hash_handle by_id; /* in ofproto->bundles_by_id */
    char *name;
    uint32_t id;
    struct ofproto_bundle_cfg cfg; /* pointers in it are ours or NULL */
    uint64_t trunks[4096 / 64], cvlans[4096 / 64];
    struct ofproto_bond_cfg bond;
    char *bond_primary;
    struct bond *state; /* NULL: no bond */
    struct lacp *lacp;  /* NULL: off */
    bool lacp_heard;    /* frames came; bundle_run() is due */
    struct lacp_cfg lacp_cfg;
    struct lacp_member_cfg *lacp_members;
    ofp_port_t *members; /* those that exist are in the bundle */
    size_t n_members;
};

struct ofmirror {
    char *id;
    bool select_all;
    char **src, **dst;
    size_t n_src, n_dst;
    bool all_vlans;
    uint64_t vlans[4096 / 64];
    char *out_port;
    int out_vlan;
    uint16_t snaplen;
    struct rule_stats *stats; /* freed after a grace period */
};

enum { OFPROTO_MAX_MIRRORS = 32 };

struct ofproto {
    UT_hash_handle hh;                 /* in ofprotos->by_name */
    char *name;                        /* constant */
    struct ofprotos *all;              /* constant */
    struct uuid uuid;                  /* constant */
    RCU_PTR(struct ofproto_view) view; /* w main, r all */
    _Atomic cls_version_t version;     /* w main, r all */
    struct oftable tables[OFPROTO_N_TABLES + 1];
    struct mac_table *mac_table; /* constant */

    struct ofport *ports;     /* by ofp_port */
    int64_t *port_freed_ms;   /* by ofp_port: when it was last in use; 0: never */
    struct ofbundle *bundles; /* in order of id */
    struct ofbundle *bundles_by_id;
    uint32_t next_bundle_id;
    struct ofmirror mirrors[OFPROTO_MAX_MIRRORS];
    size_t n_mirrors;
    bool view_dirty;

    enum ofproto_fail_mode fail_mode;
    uint64_t dpid;
    struct rte_ether_addr mac;
    char *dp_desc, *dp_sn;
    bool forward_bpdu;
    int vlan_limit;
    int bundle_idle_timeout_s;
    bool has_flood_vlans;
    uint64_t flood_vlans[4096 / 64];
    enum ofproto_frag frag;

    struct rule **expirable; /* rules with timeouts */
    size_t n_expirable, allocated_expirable;
    RCU_PTR(struct ofgroup_map) groups; /* w main, r all (group.c) */
    struct group_stage *group_stage;    /* what a transaction makes of them, or NULL; main */
    uint64_t group_walks;               /* over groups that lead to groups, so far; main */
    RCU_PTR(struct ofmeter_map) meters; /* w main, r all (meter.c) */
    struct ofp_tlv_map tlv_maps[OFP_TUN_METADATA_FIELDS];
    size_t n_tlv_maps;
    struct mf_options options; /* where the fields of tlv_maps lie in a flow */
    uint64_t options_seq;      /* grows with each change of them */
    struct connmgr *connmgr;
    struct learned *learned; /* who holds which learned flows (learned.c) */
    pthread_mutex_t quotas_lock;
    struct learn_quota *quotas;   /* learn_limit.c; under its lock */
    struct flow_journal *journal; /* NULL: none */
    struct ofp_flow_mod fm;       /* scratch: decoded flow-mod, memory is kept */
};

/* ofproto.c */
void ofproto_view_changed(struct ofproto *); /* marks; ofproto_commit() publishes */

/* view.c */
struct ofproto_view *view_build(struct ofproto *);
void view_destroy(void *view); /* fits rcu_defer() */

/* conj.c: what cls_lookup() would find if clauses of conjunctive matches were no rules themselves,
 * but the rules for the conj_ids that they make up.  Any thread under RCU. */
const struct cls_rule *conj_lookup(const struct cls *, cls_version_t, const struct flow *,
                                   struct flow_mask *wc);

/* bundle_lacp.c: LACP of a logical port, with or without a bond */
/* Makes the machine what 'b' is configured to have, and lets time pass; true if it may have changed
 * what the bond is to do. */
bool bundle_lacp_run(struct ofproto *, struct ofbundle *b);
/* Members that LACP does not let be used are not live, for controllers and for groups that watch
 * them. */
void bundle_lacp_tell_ports(struct ofproto *, const struct ofbundle *b);
/* Those of the members that are not among the 'kept' are live again as far as LACP is concerned. */
void bundle_lacp_release_ports(struct ofproto *, const struct ofbundle *b, const ofp_port_t *kept,
                               size_t n_kept);
/* Sends what is due; returns when to run again, LACP_NEVER. */
int64_t bundle_lacp_send(struct ofproto *, struct ofbundle *b);
/* A frame of LACP came in on a port. */
void bundle_lacp_receive(struct ofproto *, ofp_port_t, const void *data, size_t len);
/* Acts upon what came in there. */
void bundle_lacp_heard(struct ofproto *, ofp_port_t);

/* ports.c */
struct ofport *ofport_find(const struct ofproto *, ofp_port_t);
struct ofport *ofport_by_name(const struct ofproto *, const char *name);
void ofports_refresh(struct ofproto *); /* all whose netdev moved */
/* Whether LACP keeps it out of use, so that it is not live; without asking its device.  NULL is
 * fine. */
void ofport_set_lacp_holds(struct ofport *, bool holds);
void ofports_destroy(struct ofproto *); /* all ports, bundles, mirrors */
void ofport_get_stats(const struct ofport *, struct netdev_stats *);
/* Applies config bits under 'mask'; 0 or an ofperr. */
void ofport_update_config(struct ofport *, uint32_t config, uint32_t mask);

/* --- rules: rule.c
 * -------------------------------------------------------------------------------- */

struct rule_actions_set *rule_actions_set_create(void);
void rule_actions_set_destroy(struct rule_actions_set *);
/* Returns the shared object for a list of actions, with a reference for the caller. */
const struct rule_actions *rule_actions_get(struct ofprotos *, const struct ofpact *, size_t size);
void rule_actions_ref(const struct rule_actions *);
void rule_actions_unref(const struct rule_actions *);
/* The tunnel options, by number, that any list that still exists names, of whatever bridge. */
uint64_t rule_actions_options(const struct ofprotos *);

struct rule_new {
    uint8_t table_id;
    int priority;
    uint64_t cookie;
    uint16_t idle_timeout, hard_timeout, importance, flags;
    const struct match *match;
    const struct rule_actions *actions; /* taken */
    struct rule *stats_from;            /* counts go on with this rule's, or NULL */
    int64_t created_ms;                 /* 0: now */
    int64_t now_ms;                     /* clock_now_ms(), or 0: rule_start() follows */
};
struct rule *rule_create(struct ofproto *, const struct rule_new *);
/* For a rule that no translation has seen: it counts on where 'old' stops; its life begins. */
void rule_count_on(struct rule *, struct rule *old);
void rule_start(struct rule *, int64_t now_ms);

/* --- tables: flow_table.c
 * ------------------------------------------------------------------------- */

/* A transaction: changes to tables that become visible together, or are undone. */
struct flow_txn_op {
    struct rule *rule;
    enum { FLOW_OP_ADD, FLOW_OP_REMOVE } kind;
    uint8_t reason; /* OFPRR_* */
    bool silent;    /* replaced: no flow-removed */
    bool is_modify; /* of an ADD: it replaces the rule before it, by a modify */
};
struct flow_txn {
    struct ofproto *ofproto;
    cls_version_t version; /* in which it will be visible */
    int64_t now_ms;        /* clock_now_ms() of its beginning */
    bool is_restore;       /* flows, groups were there before: overlaps, loops were looked for */
    struct flow_txn_op *ops;
    size_t n_ops, allocated_ops;
    size_t n_removals;         /* of the operations */
    bool has_holders;          /* of learned flows, among the added rules */
    bool has_quotas;           /* that ask for room for learned flows, among the added rules */
    struct group_users *users; /* group_users.c; or NULL */
    size_t n_walked;           /* groups that group.c met on its walks */
    uint64_t touched[(OFPROTO_N_TABLES + 64) / 64]; /* a bit for each table of an operation */
};
void flow_txn_begin(struct flow_txn *, struct ofproto *);
void flow_txn_remove_all(struct flow_txn *); /* all flows that are not hidden */
void flow_txn_add(struct flow_txn *, const struct rule_new *);
/* Adds a rule that is linked already, for no version yet; it belongs to the transaction now. */
void flow_txn_show(struct flow_txn *, struct rule *);
void flow_txn_remove(struct flow_txn *, struct rule *, uint8_t reason, bool silent);
/* Undoes everything back to when n_ops was 'mark'. */
void flow_txn_rollback(struct flow_txn *, size_t mark);
/* Publishes; ends the transaction. */
void flow_txn_commit(struct flow_txn *);
/* Undoes all; ends the transaction. */
void flow_txn_abort(struct flow_txn *);

/* evict.c: which rule makes room in a full table */
/* A rule with a timeout came, got another one, or stays after all; goes. */
void evict_put(struct oftable *, struct rule *);
void evict_take(struct oftable *, struct rule *);
void evict_forget(struct oftable *); /* the table does not evict any more, or by other groups */
/* The rule to be removed next, of those that are there in 'version' and were there before; NULL:
 * none may go. */
struct rule *evict_choose(struct ofproto *, struct oftable *, cls_version_t version);

/* The subfields of Flow_Table.groups, a line for each, or NULL; the others are for the log. */
void evict_set_groups(struct oftable *, const char *groups, const char *bridge, int table_id);
static inline bool
oftable_evicts(const struct oftable *t)
{
    return t->evict_by_config || t->evict_by_controller;
}
/* flow_mod.c: makes room in tables that have more flows than they may, as far as they evict. */
void flow_tables_shrink(struct ofproto *);

/* learned.c: before a commit: flows that go with the last one that taught them, and their cookies
 */
void learned_run(struct flow_txn *);
void learned_destroy(struct ofproto *);

/* learn_limit.c: before a commit, after learned_run(): which flows are there, of those whose number
 * is limited; what was promised was done, or cannot be done */
void learn_limit_run(struct flow_txn *);
void learn_limit_kept(struct ofproto *, const struct ofproto_learned *);
void learn_limit_destroy(struct ofproto *);

/* vacancy.c: events of tables that fill up or empty */
void oftable_set_vacancy(struct oftable *, bool on, uint8_t down, uint8_t up);
struct ofp_table_desc oftable_desc(const struct ofproto *, uint8_t table_id);
void vacancy_run(struct ofproto *, const struct flow_txn *); /* tells who wants to know */

/* flow_expiry.c: flows that end by themselves */
void flow_tables_expire(struct ofproto *);
/* The rule got a timeout that it did not have, or a shorter one. */
void flow_rule_made_expirable(struct rule *);
/* When the rule ends (clock_now_ms()), or INT64_MAX; '*reason' says by which timeout, OFPRR_*. */
int64_t flow_rule_deadline(const struct rule *, uint8_t *reason);
/* In the list of what ends by itself, and out of it; nothing for a rule that does not, or is not
 * there. */
void flow_expirable_add(struct ofproto *, struct rule *);
void flow_expirable_del(struct ofproto *, struct rule *);

void flow_tables_init(struct ofproto *);
void flow_tables_destroy(struct ofproto *);
/* Removes all rules but hidden ones. */
void flow_tables_flush(struct ofproto *);
/* Unlinks rules that were linked for no version, piece by piece; NULLs are skipped. */
void flow_discard(struct ofproto *, struct rule *const *rules, size_t n);

/* --- flow_garbage.c
 * -------------------------------------------------------------------------------- */

/* A batch for 'n' rules, which are put into it with the references that the tables have. */
struct flow_garbage *flow_garbage_create(struct ofproto *, size_t n);
void flow_garbage_put(struct flow_garbage *, struct rule *);
/* No reader can find the rules any more: takes the batch.  Any thread; an rcu_fn. */
void flow_garbage_is_ripe(void *garbage);
/* Unlinks what is ripe, a bounded amount; a loop hook. */
void flow_garbage_run(struct ofprotos *);
/* Unlinks all of a bridge that has no readers. */
void flow_garbage_collect(struct ofproto *);

/* --- flow_mod.c
 * ----------------------------------------------------------------------------------- */

/* Does what a decoded flow-mod says within a transaction; 0 or the error to send. */
enum ofperr flow_mod_apply(struct flow_txn *, const struct ofp_flow_mod *);
/* The rule of a flow-mod that adds, to be linked with others by flow_mod_link() for no version yet,
 * so that flow_mod_apply_prepared() is short; NULL: this one must wait for flow_mod_apply(). */
struct rule *flow_mod_prepare(struct ofproto *, const struct ofp_flow_mod *);
/* Must follow before anything else is done with the rules; NULLs are skipped. */
void flow_mod_link(struct ofproto *, struct rule *const *rules, size_t n);
/* Says that flow_mod_apply_prepared() comes soon for this rule, and then that it is about to come:
 * the rules of a large bundle are not in the processor's cache. */
void flow_mod_prefetch(const struct rule *);
void flow_mod_prefetch_like(const struct rule *);
/* Like flow_mod_apply().  The rule is the transaction's unless there is an error. */
enum ofperr flow_mod_apply_prepared(struct flow_txn *, struct rule *);
/* Removes the rules that lead to a group, or with OFP_GROUP_ALL to any. */
/* group_users.c */
void flow_txn_remove_by_group(struct flow_txn *, uint32_t group_id);
void flow_txn_forget_users(struct flow_txn *);
/* The same for a meter; and how many rules use it. */
void flow_txn_remove_by_meter(struct flow_txn *, uint32_t meter_id); /* or OFP_METER_ALL */
/* How many flows lead to each of 'n' groups or meters, whose ids are sorted. */
void rules_count_groups(struct ofproto *, const uint32_t *ids, size_t n, uint32_t *counts);
void rules_count_meters(struct ofproto *, const uint32_t *ids, size_t n, uint32_t *counts);
/* flow_mod_apply() as a transaction of its own. */
enum ofperr flow_mod_run(struct ofproto *, const struct ofp_flow_mod *);

/* Rules that a statistics request asks for, as an array of references; the caller frees with
 * rules_unref(). */
enum ofperr rules_collect(struct ofproto *, const struct ofp_flow_stats_request *,
                          struct rule ***rules, size_t *n);
void rules_unref(struct rule **, size_t n);
/* What a flow-stats reply says about a rule; fills in 'match', too. */
void rule_get_stats(const struct rule *, struct match *, struct ofp_flow_stats *);

/* --- changes.c, from_handlers.c
 * ---------------------------------------------------------------------- */

/* Grow ofprotos_seq(); translations see what changed already. */
void changes_put_rule(struct ofprotos *, struct rule *, bool added, cls_version_t);
void changes_put(struct ofprotos *, enum ofproto_change_kind, struct ofproto *, uint32_t group_id);
/* Wakes the consumer. */
void changes_publish(struct ofprotos *);
void changes_forget(struct ofprotos *, const struct ofproto *);
/* lacp_in.c: LACP's frames that handlers took; NULL: all bridges' */
void lacp_in_run(struct ofprotos *);
void lacp_in_forget(struct ofprotos *, const struct ofproto *);
void handler_jobs_run(struct ofprotos *);
void handler_jobs_forget(struct ofprotos *, const struct ofproto *); /* NULL: all */

/* --- group.c
 * ------------------------------------------------------------------------------------------ */

void groups_destroy(struct ofproto *);
/* Does the group exist (as of the next version)? */
bool group_exists(const struct ofproto *, uint32_t group_id);
/* Groups, and rules that go with a deleted one, change with the transaction. */
enum ofperr group_mod_apply(struct flow_txn *, const struct ofp_group *);
/* Of flow_txn_commit() and flow_txn_abort(), for what a transaction did to groups.  Publish before
 * the version is; tell the journal and the list of changes afterwards, which also lets go of the
 * groups that were: true if there are some. */
void groups_publish(struct ofproto *, cls_version_t version);
bool groups_tell(struct ofproto *);
void groups_abort(struct ofproto *);
/* One group, or all of them in order (OFP_GROUP_ALL). */
void groups_visit(const struct ofproto *, uint32_t group_id,
                  void (*cb)(const struct ofgroup *, void *aux), void *aux);

/* --- tlv_map.c
 * ---------------------------------------------------------------------------------------- */

/* All of it or nothing. */
enum ofperr tlv_map_mod(struct ofproto *, const struct ofp_tlv_table_mod *);
/* In place of the map, of which nothing is in use; and the message for that. */
enum ofperr tlv_map_restore(struct ofproto *, const struct ofp_tlv_table_mod *);
void tlv_map_encode(const struct ofproto *, enum ofp_version, struct wr *out);

/* --- meter.c
 * ------------------------------------------------------------------------------------------ */

/* group_hash.c: makes 'slots', if the weights allow. */
bool group_hash_init(struct ofgroup *);
bool meter_exists(const struct ofproto *, uint32_t meter_id);
/* With the rules that use them. */
void meters_destroy_all(struct ofproto *);
enum ofperr meter_mod(struct flow_txn *, enum ofp_meter_command, struct ofp_meter_config *);
void meters_visit(const struct ofproto *, void (*cb)(const struct ofp_meter_config *, void *aux),
                  void *aux);

/* --- connmgr.c
 * ---------------------------------------------------------------------------------------- */

/* limits.c: how full the tables and queues of bridges are, for limits-show. */
void ofprotos_put_limits(struct str *out, void *all);

struct connmgr *connmgr_create(struct ofproto *);
void connmgr_destroy(struct connmgr *);
void connmgr_disconnect(struct connmgr *); /* from all, for good */
void connmgr_configure(struct connmgr *, const struct ofproto_cfg *);
/* Who governs the bridge, as a number; and whether going from 'before' to what is now flushes it.
 */
uint32_t connmgr_context(const struct connmgr *);
bool connmgr_context_flushes(const struct connmgr *, uint32_t before);
/* Some connection takes packet-ins for table misses. */
bool connmgr_wants_miss(const struct connmgr *);
/* Some controller or manager is reached through the bridge. */
bool connmgr_is_in_band(const struct connmgr *);
void connmgr_run(struct connmgr *); /* once a second */
/* Drops all connections; controllers connect anew. */
void connmgr_reconnect(struct connmgr *);
/* The bridge's tables were flushed: puts the standalone flow where it belongs. */
void connmgr_flushed(struct connmgr *);
/* What happened to a rule, for flow monitors. */
struct rule_event {
    struct rule *rule;
    uint8_t event;                          /* OFPFME_* */
    uint8_t reason;                         /* OFPRR_*, of a removal */
    const struct rule_actions *old_actions; /* that were replaced, or NULL */
    const struct ofconn *requester;         /* who asked for the change, or NULL; set by connmgr */
    uint32_t request_xid;
};
bool connmgr_has_monitors(const struct connmgr *);
void connmgr_monitor_report(struct connmgr *, struct rule_event);
/* The transaction of the reports is over. */
void connmgr_monitor_flush(struct connmgr *);
void connmgr_send_flow_removed(struct connmgr *, const struct rule *, uint8_t reason);
void connmgr_send_table_status(struct connmgr *, const struct ofp_table_desc *, uint8_t reason);
void connmgr_send_port_status(struct connmgr *, const struct ofp_port *, enum ofp_port_reason);
void connmgr_send_packet_in(struct connmgr *, const struct ofproto_packet_in *);
/* Bytes that the connection that reads least has still to read. */
size_t connmgr_most_backlog(const struct connmgr *);
void connmgr_status(const struct connmgr *,
                    void (*cb)(const struct ofproto_controller_status *, void *aux), void *aux);

#endif /* ofproto/ofproto_priv.h */
