// SPDX-License-Identifier: Apache-2.0
/*
 * ofproto_int.h - what the files of src/ofproto and src/slowpath share: how a translation reads a
 * bridge, and what it sends back.
 *
 * A translation, in a handler's or revalidator's thread, online in RCU, does this:
 *
 *     struct ofproto_port_ref in = ofprotos_port_by_odp(all, odp_in_port);
 *     const struct ofproto_view *view = ofproto_view(in.ofproto);  ports, bundles, settings
 *     cls_version_t v = ofproto_version(in.ofproto);                once for the whole translation
 *     struct rule *r = ofproto_lookup(in.ofproto, v, table, flow, wc);
 *
 * Views, rules and groups are immutable; all stay valid until the thread's next quiescent state.  A
 * translation that crosses a patch port reads the peer's view and version once, too.
 *
 * What came of it goes back through the functions at the end of this header, from any thread.
 */
#ifndef OFPROTO_OFPROTO_INT_H
#define OFPROTO_OFPROTO_INT_H 1

#include "base/rcu.h"
#include "flow/flow.h"
#include "netdev/netdev.h"
#include "ofproto/group.h"
#include "ofproto/ofproto.h"
#include "ofproto/rule.h"
#include "pmd/dp.h"

struct bond_loads;
struct frozen;
struct frozens;
struct match;
struct mac_table;
struct ofproto_view;

/* --- reading: any thread under RCU ----------------------------------------------------------- */

/* Counters of one port that translation keeps: patch ports, and what tunnels add. */
struct ofport_counters {
    _Atomic uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};

/* OpenFlow port configuration bits (OFPPC_*), and our state bits. */
enum ofport_config {
    OFPORT_PORT_DOWN = 1 << 0,
    OFPORT_NO_STP = 1 << 1,
    OFPORT_NO_RECV = 1 << 2,
    OFPORT_NO_RECV_STP = 1 << 3,
    OFPORT_NO_FLOOD = 1 << 4,
    OFPORT_NO_FWD = 1 << 5,
    OFPORT_NO_PACKET_IN = 1 << 6,
};

/* One port in a view. */
struct view_port {
    const char *name;
    ofp_port_t ofp_port;
    odp_port_t odp_port; /* ODPP_NONE for patch ports */
    uint32_t config;     /* enum ofport_config */
    bool is_live;        /* may carry traffic; patch: the peer exists */
    bool bond_collects;  /* as a member of a bond, from a partner that knows it by LACP */
    struct netdev *netdev;
    struct tnl_port *tunnel;          /* or NULL */
    struct ofproto *peer_ofproto;     /* patch with a peer that names us back, else NULL */
    ofp_port_t peer_port;             /* in peer_ofproto */
    const struct view_bundle *bundle; /* NULL: in none */
    struct ofport_counters *counters;
};

/* One logical port of NORMAL. */
struct view_bundle {
    const char *name;
    uint32_t id; /* stable while the bundle lives; never reused */
    enum ofproto_vlan_mode vlan_mode;
    int tag; /* -1: none */
    uint16_t qinq_ethtype;
    enum ofproto_priority_tags priority_tags;
    bool is_protected;
    bool all_vlans; /* trunks not restricted: 'trunks' is not set */
    bool all_cvlans;
    uint64_t trunks[4096 / 64]; /* VLANs that it carries (tag included where implied) */
    uint64_t cvlans[4096 / 64];
    const struct view_port **members;
    size_t n_members;
    bool has_bond;
    struct ofproto_bond_cfg bond;   /* valid if has_bond; 'primary' is NULL */
    const struct view_port *active; /* valid if has_bond; NULL: no member is */
    bool has_lacp;
    uint8_t lacp_status;      /* enum lacp_status */
    bool falls_back;          /* balanced by configuration, but without a partner active-backup */
    struct bond_loads *loads; /* what buckets sent; has a reference */
    struct frozen *recirc;    /* of a balanced bond: what bond.h says; has a reference */
    uint32_t lb_id;           /* of a bond whose buckets the datapath has; 0: packets recirculate */
    const struct view_port **buckets;  /* of a balanced bond, BOND_BUCKETS of them; may be NULL */
    uint32_t src_mirrors, dst_mirrors; /* bitmaps of view->mirrors: selected on receive, on send */
    uint32_t out_mirrors;              /* mirrors whose output this bundle is */
};

struct view_mirror {
    const struct view_bundle *out; /* NULL: out_vlan */
    int out_vlan;                  /* -1 */
    uint16_t snaplen;              /* 0: whole */
    bool all_vlans;
    uint64_t vlans[4096 / 64];
    struct rule_stats *stats;
};

enum ofproto_frag { OFPROTO_FRAG_NORMAL = 0, OFPROTO_FRAG_DROP = 1, OFPROTO_FRAG_NX_MATCH = 3 };

/* What happens to a packet that no rule of a table matches. */
enum ofproto_miss {
    OFPROTO_MISS_DEFAULT, /* by protocol: OF1.0 to the controllers that want it, else drop */
    OFPROTO_MISS_CONTROLLER,
    OFPROTO_MISS_CONTINUE, /* to the next table (OF1.1/1.2 TABLE_MOD) */
    OFPROTO_MISS_DROP,
};

/* Everything of a bridge but its rules and groups. */
struct ofproto_view {
    struct ofproto *ofproto;
    const char *name;
    enum ofproto_fail_mode fail_mode;
    enum ofproto_frag frag;
    bool forward_bpdu;
    bool flow_restore_wait;       /* forward nothing */
    bool wants_packet_in_on_miss; /* some controller does, under MISS_DEFAULT */
    bool is_in_band;              /* its own DHCP replies get to 'local' whatever the tables say */
    int vlan_limit;               /* 0: none */
    struct rte_ether_addr mac;    /* of the local port */
    const uint64_t *flood_vlans;  /* 4096 bits or NULL */
    struct mac_table *mac_table;
    uint8_t miss[OFPROTO_N_TABLES]; /* enum ofproto_miss */
    const struct view_port *local;  /* or NULL */
    struct view_port *ports;        /* in ascending order of ofp_port */
    size_t n_ports;
    struct view_bundle *bundles; /* in ascending order of id */
    size_t n_bundles;
    struct view_mirror *mirrors;
    size_t n_mirrors;
    /* private */
    uint16_t *port_index; /* hash of ofp_port to place in 'ports' + 1 */
    uint32_t port_index_mask;
};

/* The present view; never NULL. */
const struct ofproto_view *ofproto_view(const struct ofproto *);
/* What tun_metadata fields mean.  Main thread. */
const struct mf_options *ofproto_options(const struct ofproto *);
const struct view_port *view_port(const struct ofproto_view *, ofp_port_t); /* NULL: none */
const struct view_port *view_port_by_name(const struct ofproto_view *, const char *name);
const struct view_bundle *view_bundle(const struct ofproto_view *, uint32_t id);

struct ofproto_port_ref {
    struct ofproto *ofproto; /* NULL: nothing known about this datapath port */
    ofp_port_t ofp_port;
};
/* For tunnels, whose datapath port is shared, ask tunnel/ and then ofproto_view(). */
struct ofproto_port_ref ofprotos_port_by_odp(const struct ofprotos *, odp_port_t);

/* The version that is published now. */
cls_version_t ofproto_version(const struct ofproto *);

/* The best rule of 'table_id' (0...254) in 'version', or NULL (the caller applies view->miss).
 * Adds what was consulted to 'wc', which may be NULL.  Honours view->frag for the caller: no. */
struct rule *ofproto_lookup(const struct ofproto *, cls_version_t version, uint8_t table_id,
                            const struct flow *, struct flow_mask *wc);
/* True if the table has or had clauses of conjunctive matches: then rules of lower priority than
 * the one found may have decided, too. */
bool ofproto_table_had_clauses(const struct ofproto *, uint8_t table_id);
struct ofgroup *ofproto_group_lookup(const struct ofproto *, cls_version_t version,
                                     uint32_t group_id);
/* Statistics of table lookups (dump-tables): any thread, cheap. */
void ofproto_count_lookup(struct ofproto *, uint8_t table_id, bool matched, uint64_t n);
/* The datapath's meter of an OpenFlow meter; UINT32_MAX if there is none. */
uint32_t ofproto_meter_to_dp(const struct ofproto *, uint32_t meter_id);

struct dp *ofprotos_dp(const struct ofprotos *);
/* What recirculated packets go on with (frozen.h). */
struct frozens *ofprotos_frozens(const struct ofprotos *);
struct loop *ofprotos_loop(const struct ofprotos *);
struct ofprotos *ofproto_set(const struct ofproto *);
/* Random, new with each start: what continuations name. */
struct uuid ofproto_uuid(const struct ofproto *);
/* Grows with every change of any bridge that may change a translation: commits of flows, groups,
 * ports and settings.  Any thread. */
uint64_t ofprotos_seq(const struct ofprotos *);

/* --- what changed, for revalidation: one consumer (slowpath) -------------------------------- */

enum ofproto_change_kind {
    OFPROTO_CHANGE_RULE_ADDED,   /* 'rule' is new in the table */
    OFPROTO_CHANGE_RULE_REMOVED, /* 'rule' is no longer there */
    OFPROTO_CHANGE_GROUP,        /* 'group_id' was added, changed or deleted */
    OFPROTO_CHANGE_VIEW,         /* ports or settings of the bridge */
    OFPROTO_CHANGE_ALL,          /* too many to list, or a bridge came or went */
};
struct ofproto_change {
    enum ofproto_change_kind kind;
    struct ofproto *ofproto; /* NULL for OFPROTO_CHANGE_ALL */
    struct rule *rule;       /* RULE_*: a reference that the consumer drops by rule_unref() */
    uint32_t group_id;
    cls_version_t version; /* in which it became visible */
};
/* Takes all changes since the last call, in order, into a new array that the caller frees (with
 * the rules' references); '*seq' becomes the ofprotos_seq() that they lead to.  NULL and 0 when
 * there are none.  The main thread puts them, any one thread takes them.  At most
 * OFPROTO_MAX_CHANGES. */
enum { OFPROTO_MAX_CHANGES = 4096 };
struct ofproto_change *ofprotos_take_changes(struct ofprotos *, size_t *n, uint64_t *seq);
/* How many there are to take; '*of_rules' says if all are of rules. */
size_t ofprotos_n_changes(struct ofprotos *, bool *of_rules);
/* Whether some are of something else: ports, groups, settings of a bridge. */
bool ofprotos_has_other_changes(struct ofprotos *);
void ofproto_changes_free(struct ofproto_change *, size_t n);

/* --- what translation sends back: any thread ------------------------------------------------- */

/* A packet for the controllers. */
struct ofproto_packet_in {
    const void *data; /* the frame */
    size_t len;
    size_t total_len; /* before it was cut to what a message can carry */
    uint8_t reason;   /* OFPR_* numbers of OpenFlow 1.4 */
    bool is_miss;     /* table miss without a rule */
    uint8_t table_id;
    uint64_t cookie;         /* UINT64_MAX: no rule */
    uint16_t controller_id;  /* 0 */
    const struct flow *flow; /* metadata: in_port, registers, tunnel, ct */
    const void *userdata;
    size_t userdata_len;
    struct ofp_continuation *continuation; /* from pause, taken; NULL: none */
};
/* 'continuation' is taken, the rest is copied. */
void ofproto_packet_in(struct ofproto *, const struct ofproto_packet_in *);

/* A flow that a learn() action makes.  Applied in the main thread soon. */
struct ofproto_learned {
    uint8_t table_id;
    uint16_t priority;
    uint16_t idle_timeout, hard_timeout;
    uint16_t flags; /* enum rule_flags */
    uint64_t cookie;
    uint32_t limit;  /* 0: none; else at most so many flows with this cookie */
    bool tells_room; /* the packet is told if there was room: ofproto_learn_promise() comes first */
    const struct match *match;
    const struct ofpact *acts;
    size_t acts_size;
};
void ofproto_learn(struct ofproto *, const struct ofproto_learned *);
/* learn_limit.c.  Any thread. */
enum learn_room { LEARN_NO_ROOM, LEARN_ROOM, LEARN_THERE };
enum learn_room ofproto_learn_room(struct ofproto *, const struct ofproto_learned *);
/* Keeps room for a flow with 'tells_room', for which ofproto_learn() must follow; false: there is
 * none.  Where no flow of the bridge has such an action (a group's bucket has) there always is. */
bool ofproto_learn_promise(struct ofproto *, const struct ofproto_learned *);
/* A frame of LACP, from behind its Ethernet type, that came in on a port. */
void ofproto_lacp_in(struct ofproto *, ofp_port_t, const void *data, size_t len);
/* fin_timeout(): lowers the rule's timeouts. */
void ofproto_reduce_timeouts(struct rule *, uint16_t idle, uint16_t hard);
/* Counts for a port that has no datapath counters of its own.  Any thread. */
void ofport_credit_rx(const struct view_port *, uint64_t packets, uint64_t bytes);
void ofport_credit_tx(const struct view_port *, uint64_t packets, uint64_t bytes);
/* Link state of a port as monitors see it (BFD, LACP) changed.  Any thread. */
void ofproto_mark_dirty(struct ofproto *);

/* --- packet-out: main to slowpath, through ofproto_hooks.packet_out --------------------------- */

struct ofproto_packet_out {
    const void *data;
    size_t len;
    const struct flow *metadata; /* ofp_in_port (a port, OFPP_CONTROLLER, _NONE, _LOCAL), tunnel,
                                  * registers; other members are to be extracted */
    const struct ofpact *acts;
    size_t acts_size;
    const struct ofp_continuation *resume; /* instead of 'acts': a packet that was paused */
    odp_port_t odp_port;                   /* then: where it says that it came in */
    cls_version_t version;                 /* of the translation */
};

/* --- implemented by the files of translation (mac_table.c, xlate*.c) ------------------------- */

/* Called by ofproto_create(), ofproto_configure() and ofproto_destroy() in main.  The table made by
 * the first is what views carry. */
struct mac_table *xlate_mac_table_create(struct ofproto *);
void xlate_mac_table_configure(struct mac_table *, int aging_s, int max_entries,
                               const uint64_t *flood_vlans);
/* Forgets what was learned on a bundle that goes away. */
void xlate_mac_table_forget_bundle(struct mac_table *, uint32_t bundle_id);
/* The bridge is not live (mac_table_is_live()) from here on: who then waits for a grace period may
 * take it apart.  The table's memory goes later, after a grace period. */
void xlate_mac_table_stop(struct mac_table *);
void xlate_mac_table_destroy(struct mac_table *);

#endif /* ofproto/ofproto_int.h */
