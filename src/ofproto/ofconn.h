// SPDX-License-Identifier: Apache-2.0
/*
 * ofconn.h - one OpenFlow connection of a bridge: a controller's, or one on BR.mgmt.
 *
 * Bytes come from a stream; whole messages are handled in order, a bounded amount of work at a
 * time, so that a busy connection leaves room for others.  A message whose answer takes longer (a
 * barrier, a large dump) blocks the connection: later messages wait, and so answers keep their
 * order.
 *
 * Main thread.  ofconn.c has the life of a connection, ofconn_*.c handle the messages, connmgr.c
 * and controller.c own connections.
 */
#ifndef OFPROTO_OFCONN_H
#define OFPROTO_OFCONN_H 1

#include "ofproto/ofproto_priv.h"
#include "ofproto/pinsched.h"
#include "openflow/ofp_packet.h"
#include "rpc/stream.h"

struct barrier_wait;
struct controller;
struct dump;
struct ofbundle_msgs;
struct ofmonitors;

enum { OFCONN_MAX_PIN_QUEUE = 512, OFCONN_PIN_QUEUE = 100 };
enum { OFCONN_N_PINSCHEDS = 2 }; /* those of actions, those of misses */

struct ofconn {
    struct ofconn *next;
    struct ofproto *ofproto;       /* constant */
    struct connmgr *mgr;           /* constant */
    struct controller *controller; /* constant; NULL: accepted on BR.mgmt */
    struct stream *stream;         /* ours unless the controller's reconnector owns it */
    bool is_active;                /* the reconnector owns the stream */
    bool is_primary;               /* else a service connection */
    bool in_process;               /* handling messages: do not free */
    bool closing;                  /* nothing more is read; close when it can be done */
    bool dead;                     /* gone: free after handling */
    bool is_scheduled;             /* ofconn_process() was posted */
    uint32_t allowed_versions;
    uint8_t version; /* 0 until HELLO has come */

    struct wr out;                 /* replies of this turn, not yet given to the stream */
    bool barrier_answered;         /* 'out' has the answer to a barrier */
    struct barrier_wait *barrier;  /* or NULL */
    struct dump *dump;             /* or NULL */
    uint64_t mod_seq;              /* ofprotos_seq() after its last change */
    struct ofbundle_msgs *bundles; /* open ones, by id */
    struct ofbundle_msgs *late;    /* committed, with packets still to be sent; or NULL */
    struct ofmonitors *monitors;   /* flow monitors, or NULL */
    int64_t last_rx_ms;
    bool echo_sent;
    bool is_admitted; /* see ofconn_is_admitted() */
    int64_t connected_ms;
    int probe_ms; /* 0: never */

    /* What the peer chose. */
    enum ofp_flow_format flow_format;
    bool table_id_in_command;
    bool flow_age;
    enum ofp_packet_in_format pin_format;
    uint16_t controller_id;
    uint16_t miss_send_len;
    struct ofp_async_config async;
    enum ofp_role role;
    bool async_enabled; /* Controller.enable_async_messages */
    bool async_is_set;  /* the peer said itself what it wants to be told */
    /* Packet-ins that wait for Controller.controller_rate_limit, misses by themselves; NULL: there
     * is none. */
    struct pinsched *pinsched[OFCONN_N_PINSCHEDS];

    /* Packet-ins that the stream has not given to the kernel yet: where they end, in bytes of what
     * the stream got so far, in a ring. */
    uint64_t sent;
    uint64_t pin_ends[OFCONN_MAX_PIN_QUEUE];
    unsigned first_pin, n_pins;
};

struct ofconn_cfg {
    struct ofproto *ofproto;
    struct connmgr *mgr;
    struct controller *controller;
    struct stream *stream;
    bool is_active;
    bool is_primary;
    int probe_ms;
    uint32_t versions;
};
struct ofconn *ofconn_create(const struct ofconn_cfg *);
/* Lets go of everything; closes the stream if it is the connection's. */
void ofconn_destroy(struct ofconn *);
/* Reads and handles what has arrived. */
void ofconn_process(void *ofconn);
void ofconn_drained(struct ofconn *);
/* Probes; drops a dead peer.  Once a second. */
void ofconn_run(struct ofconn *);

/* True if the peer sent what only a controller sends that has accepted the switch, or did not hang
 * up for so long that it seems to have. */
bool ofconn_is_admitted(const struct ofconn *);

/* Gives conn->out to the stream. */
void ofconn_flush(struct ofconn *);
/* Ends the connection as soon as that can be done. */
void ofconn_close(struct ofconn *);
/* Does it take asynchronous messages of this kind and reason? */
bool ofconn_wants(const struct ofconn *, enum ofp_async_type, unsigned reason);
/* The peer stopped reading: drop asynchronous messages rather than queue them. */
bool ofconn_is_congested(const struct ofconn *);

/* Handles one message whose headers are understood: 0, or the error to answer.  ofconn_msg.c. */
enum ofperr ofconn_handle(struct ofconn *, const struct ofp_msg *);

/* ofconn_flow.c */
enum ofperr handle_flow_mod(struct ofconn *, const struct ofp_msg *);
enum ofperr handle_flow_stats(struct ofconn *, const struct ofp_msg *);
enum ofperr handle_aggregate_stats(struct ofconn *, const struct ofp_msg *);
enum ofperr handle_table_stats(struct ofconn *, const struct ofp_msg *);
enum ofperr handle_table_features(struct ofconn *, const struct ofp_msg *);
enum ofperr handle_table_desc(struct ofconn *, const struct ofp_msg *);
enum ofperr handle_table_mod(struct ofconn *, const struct ofp_msg *);
enum ofperr handle_resume(struct ofconn *, const struct ofp_msg *);
enum ofperr handle_packet_out(struct ofconn *, const struct ofp_msg *);
/* The error that it would get. */
enum ofperr check_packet_out(struct ofconn *, const struct ofp_msg *);
/* Decodes into 'fm' and checks against the switch. */
enum ofperr ofconn_decode_flow_mod(struct ofconn *, const struct ofp_msg *,
                                   struct ofp_flow_mod *fm);
/* Checks a list of actions; 'match' may be NULL.  With 'p' NULL groups and meters need not exist.
 */
enum ofperr ofconn_check_acts(const struct ofproto *, struct ofpacts *, const struct match *,
                              uint8_t table_id, enum ofp_version);

/* ofconn_dump.c */
/* Lists 'rules' (taken, with the references) as flow statistics or, with 'monitor_flags' (taken;
 * OFPFMF_* for each), as what flow monitors found at first. */
enum ofperr dump_start(struct ofconn *, const struct ofp_msg *request, struct rule **rules,
                       uint16_t *monitor_flags, size_t n);
void dump_continue(void *ofconn);
void dump_destroy(struct dump *);

/* ofconn_monitor.c */
enum ofperr handle_flow_monitor(struct ofconn *, const struct ofp_msg *);
enum ofperr handle_flow_monitor_cancel(struct ofconn *, const struct ofp_msg *);
/* Writes one rule as an update; 'flags' are OFPFMF_*. */
void ofmonitor_put_rule(struct ofp_mp *, const struct rule *, uint8_t event, uint8_t reason,
                        uint16_t flags);
/* Tells of a change, if the connection watches; 'match' is the rule's. */
void ofconn_monitor_report(struct ofconn *, const struct rule_event *, const struct match *match);
/* The transaction is over. */
void ofconn_monitor_flush(struct ofconn *);
/* The peer has read all: go on after a pause. */
void ofconn_monitor_drained(struct ofconn *);
void ofconn_monitors_destroy(struct ofconn *);

/* ofconn_port.c: ports, queues, groups */
enum ofperr handle_port_desc(struct ofconn *, const struct ofp_msg *);
enum ofperr handle_port_stats(struct ofconn *, const struct ofp_msg *);
enum ofperr handle_port_mod(struct ofconn *, const struct ofp_msg *);
/* Decodes into 'pm' and finds the port that it is for. */
enum ofperr find_port_to_mod(const struct ofconn *, const struct ofp_msg *, struct ofp_port_mod *pm,
                             struct ofport **port);
/* The error that it would get. */
enum ofperr handle_queue_stats(struct ofconn *, const struct ofp_msg *);
enum ofperr handle_queue_config(struct ofconn *, const struct ofp_msg *);
enum ofperr handle_group_mod(struct ofconn *, const struct ofp_msg *);
/* The error that its form gets, whatever groups there are. */
enum ofperr check_group_mod(const struct ofp_msg *);
/* As handle_group_mod() within a bundle's transaction. */
enum ofperr apply_group_mod(const struct ofp_msg *, struct flow_txn *);
enum ofperr handle_group_desc(struct ofconn *, const struct ofp_msg *);
enum ofperr handle_group_stats(struct ofconn *, const struct ofp_msg *);
enum ofperr handle_group_features(struct ofconn *, const struct ofp_msg *);
/* What FEATURES_REPLY and PORT_DESC say of a port. */
struct ofport **ofports_sorted(const struct ofproto *, size_t *n);

/* meter.c */
enum ofperr handle_meter_mod(struct ofconn *, const struct ofp_msg *);
enum ofperr handle_meter_request(struct ofconn *, const struct ofp_msg *);
enum ofperr handle_meter_features(struct ofconn *, const struct ofp_msg *);

/* ofconn_tlv.c */
enum ofperr handle_tlv_table_mod(struct ofconn *, const struct ofp_msg *);
enum ofperr handle_tlv_table_request(struct ofconn *, const struct ofp_msg *);

/* ofconn_bundle.c */
enum ofperr handle_bundle_control(struct ofconn *, const struct ofp_msg *);
enum ofperr handle_bundle_add(struct ofconn *, const struct ofp_msg *);
void ofconn_bundles_run(struct ofconn *); /* idle ones time out */
/* Who has not read so many bytes misses packet-ins. */
#define OFCONN_CONGESTED ((size_t)1 << 20)
void ofconn_bundles_destroy(struct ofconn *);

/* ofconn_async.c */
/* OFPC_INVALID_TTL_TO_CONTROLLER of OpenFlow 1.0 to 1.2 is one bit of what 1.3 calls the
 * asynchronous configuration. */
bool ofconn_wants_invalid_ttl(const struct ofconn *);
void ofconn_set_invalid_ttl(struct ofconn *, bool wanted);
void ofconn_send_flow_removed(struct ofconn *, const struct rule *, uint8_t reason);
void ofconn_send_table_status(struct ofconn *, const struct ofp_table_desc *, uint8_t reason);
void ofconn_send_port_status(struct ofconn *, const struct ofp_port *, enum ofp_port_reason);
void ofconn_send_packet_in(struct ofconn *, const struct ofproto_packet_in *);
/* Packet-ins per second, and how many may come at once or wait; rate 0: no limit. */
void ofconn_set_rate_limit(struct ofconn *, int rate, int burst);

/* connmgr.c */
void connmgr_attach(struct connmgr *, struct ofconn *);
void connmgr_detach(struct connmgr *, struct ofconn *);
/* A connection became primary: all others that were become secondary. */
void connmgr_demote_others(struct connmgr *, struct ofconn *);
/* 'id' may claim a role: OFPERR_OFPRRFC_STALE if it is older than one seen. */
enum ofperr connmgr_check_generation(struct connmgr *, uint64_t id);
uint64_t connmgr_generation(const struct connmgr *);
/* Whether some connection wants table misses may have changed. */
void connmgr_miss_changed(struct connmgr *);
/* The request that is being handled, for flow monitors; NULL: none. */
/* Calls 'fn' for each connection of 'ctl'. */
void connmgr_for_each_of(struct connmgr *, const struct controller *ctl,
                         void (*fn)(struct ofconn *));
void connmgr_set_request(struct connmgr *, const struct ofconn *, uint32_t xid);
/* Tells the others that want to know (REQUESTFORWARD) of a group-mod or meter-mod that 'from' had
 * done; other messages are nobody's business. */
void connmgr_forward_request(struct connmgr *, const struct ofconn *from, const struct ofp_msg *);
/* Packet-ins that may wait for a peer that does not read: the controller's own number, or the
 * bridge's. */
unsigned connmgr_queue_size(const struct connmgr *, const struct controller *);
/* Copies for BR.snoop what a primary connection sent or received. */
void connmgr_snoop(struct connmgr *, const void *data, size_t size);

/* in_band.c: hidden flows by which a bridge's own packets, and what others send to its controllers,
 * get through whatever the tables say. */
struct in_band;
struct in_band *in_band_create(void);
void in_band_destroy(struct in_band *); /* its flows stay; NULL is fine */
void in_band_configure(struct in_band *, struct ofproto *, const struct ofproto_cfg *);
/* Once a second: follows the next hops to controllers. */
void in_band_run(struct in_band *, struct ofproto *);
/* Some remote is reached through the bridge. */
bool in_band_is_on(const struct in_band *);

/* controller.c: one configured target */
extern const struct stream_callbacks
    ofconn_peer_callbacks; /* of accepted streams; arg: the ofconn */
struct controller *controller_create(struct connmgr *, struct ofproto *,
                                     const struct ofproto_controller_cfg *, uint32_t versions,
                                     struct tls_config *);
void controller_destroy(struct controller *);
/* Takes new settings over, on connections that there are as well; false, with nothing done, if they
 * need a new controller: another target or DSCP. */
bool controller_reconfigure(struct controller *, const struct ofproto_controller_cfg *);
void controller_reconnect(struct controller *);
/* One of its connections ended by our own decision. */
void controller_lost(struct controller *, struct ofconn *);
void controller_get_status(const struct controller *, struct ofproto_controller_status *);
bool controller_is_primary(const struct controller *);
bool controller_cfg_is_primary(const struct ofproto_controller_cfg *);
bool controller_is_connected(const struct controller *);
/* Connected to a peer that does more than greet: see ofconn_is_admitted(). */
bool controller_is_admitted(const struct controller *);
int controller_probe_ms(const struct controller *);
const struct ofproto_controller_cfg *controller_cfg(const struct controller *);

#endif /* ofproto/ofconn.h */
