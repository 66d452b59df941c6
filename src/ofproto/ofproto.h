// SPDX-License-Identifier: Apache-2.0
/*
 * ofproto.h - a bridge's OpenFlow side, as src/bridge sees it: create, configure, ports, logical
 * ports ("bundles"), queries for the database.
 *
 * 'struct ofprotos' is the set of all bridges of this switch; everything else hangs off it.  All
 * functions here are for the main thread (the loop's), unless a comment says otherwise.  Handlers
 * read what they need through ofproto_int.h, under RCU.
 *
 * Changes to ports, bundles and settings are collected and published together by ofproto_commit():
 * a handler sees all of a reconfiguration or nothing of it.
 *
 * OpenFlow port numbers are in the 16-bit form (ofp_port_t, OFPP_LOCAL is 0xfffe = 65534), as in
 * the database and in struct flow.
 */
#ifndef OFPROTO_OFPROTO_H
#define OFPROTO_OFPROTO_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ether.h>

#include "base/smap.h"
#include "ofproto/pinsched.h"
#include "packet/types.h"

struct dp;
struct loop;
struct netdev;
struct netdev_stats;
struct ofproto;
struct ofprotos;
struct tls_config;

enum { OFPROTO_MAX_PORT = 65279, OFPROTO_N_TABLES = 254, OFPROTO_TABLE_HIDDEN = 254 };

/* --- the set of bridges ------------------------------------------------------------------- */

/* What the layers below and beside do for OpenFlow; set by slowpath (tests give their own).  Every
 * member may be NULL.  Called from the main thread. */
struct ofproto_packet_out;
typedef void ofproto_sync_done_fn(void *aux);
struct ofproto_hooks {
    /* Make the datapath follow all changes that were committed before the call, then call
     * done(done_aux) from the main loop (never from within sync()).  NULL: nothing to wait for. */
    void (*sync)(void *aux, ofproto_sync_done_fn *done, void *done_aux);
    /* True if sync() would have nothing to do. */
    bool (*is_synced)(void *aux);
    /* Translate and send one packet; the structure and the bytes are borrowed. */
    void (*packet_out)(void *aux, struct ofproto *, const struct ofproto_packet_out *);
    /* Changes are waiting in ofprotos_take_changes(), or ports and settings were published. */
    void (*changed)(void *aux);
    /* Ask for fresh statistics: push what the datapath counted up to the rules, then done(). */
    void (*refresh_stats)(void *aux, ofproto_sync_done_fn *done, void *done_aux);
    /* An ofproto goes away: after the return nothing may refer to it but under RCU. */
    void (*destroyed)(void *aux, struct ofproto *);
};

/* 'dp' may be NULL (unit tests): ports then have no datapath behind them. */
struct ofprotos *ofprotos_create(struct loop *, struct dp *);
/* Gives the datapath that was not there at creation; before the first bridge. */
void ofprotos_set_dp(struct ofprotos *, struct dp *);
/* The process is about to end: bridges that are destroyed from now on leave the memory of their
 * rules to the kernel, which takes it in far less time than a million free()s. */
void ofprotos_end(struct ofprotos *);
void ofprotos_destroy(struct ofprotos *);
/* What the open bundles of all bridges and connections hold, in bytes. */
struct ofproto_bundles_use {
    size_t now, most, max;
    uint64_t n_refused; /* messages, because of 'max' */
};
struct ofproto_bundles_use ofprotos_bundles_use(const struct ofprotos *);
void ofprotos_set_hooks(struct ofprotos *, const struct ofproto_hooks *, void *aux);
struct ofproto *ofprotos_find(const struct ofprotos *, const char *name); /* NULL: none */
struct ofproto *ofprotos_first(const struct ofprotos *);
struct ofproto *ofprotos_next(const struct ofproto *);

/* True (default false): flows are taken, but nothing is forwarded or expired and no controller is
 * connected, until it is set to false once. */
void ofprotos_set_flow_restore_wait(struct ofprotos *, bool);
bool ofprotos_flow_restore_wait(const struct ofprotos *);

/* Closes all connections to controllers and tools and listens to nobody any more. */
void ofprotos_disconnect(struct ofprotos *);

/* --- a bridge ------------------------------------------------------------------------------ */

/* Creates the bridge with nothing in it.  Its sockets RUNDIR/NAME.mgmt and NAME.snoop are opened by
 * the first ofproto_configure().  0 or a negative errno with a text in '*errorp' for the caller to
 * free: a name with a slash, a name that is taken. */
int ofproto_create(struct ofprotos *, const char *name, struct ofproto **, char **errorp);
/* Its ports must have been removed, or are removed now; connections are closed.  NULL is fine. */
void ofproto_destroy(struct ofproto *);

enum ofproto_fail_mode { OFPROTO_FAIL_STANDALONE, OFPROTO_FAIL_SECURE };
enum ofproto_band { OFPROTO_OUT_OF_BAND, OFPROTO_IN_BAND };

/* One row of Controller.  Strings are copied. */
struct ofproto_controller_cfg {
    const char *target;      /* "tcp:IP[:PORT]", ssl:, unix:, ptcp:, pssl:, punix: */
    const char *type;        /* "primary", "service" or NULL: by target */
    int max_backoff_ms;      /* 0: 8000 */
    int inactivity_probe_ms; /* 0: no probes; -1: not set, 5000 */
    enum ofproto_band band;
    bool enable_async_messages;  /* default true */
    int rate_limit, burst_limit; /* packet-ins per second; 0: no limit */
    int queue_size;              /* 0: controller-queue-size of the bridge */
    uint8_t dscp;
};

/* One Flow_Table row. */
struct ofproto_table_cfg {
    uint8_t table_id;
    const char *name;     /* NULL: none */
    uint32_t max_flows;   /* UINT32_MAX: no limit */
    bool evict;           /* overflow_policy=evict */
    const char *groups;   /* subfields, each with '\n' behind it; NULL: none */
    const char *prefixes; /* "ip_dst,ip_src", "none", NULL: default */
};

struct ofproto_cfg {
    enum ofproto_fail_mode fail_mode;
    uint64_t dpid;               /* 0: from 'mac' */
    struct rte_ether_addr mac;   /* of the local port, for dpid and LOCAL's hw_addr */
    const char *dp_desc, *dp_sn; /* NULL: "None" */
    int mac_aging_s;             /* 300; 15..3600 */
    int mac_table_size;          /* 8192 */
    bool forward_bpdu;
    uint32_t versions;         /* OFP_VERSION_BIT()s; 0: all */
    int controller_queue_size; /* 0: 100 */
    bool disable_in_band;
    int in_band_queue;           /* of set_queue; -1: none */
    const char *const *managers; /* targets that are reached in band, too; active ones count */
    size_t n_managers;
    int bundle_idle_timeout_s; /* 0: 10 */
    int bundle_memory_mb;      /* of all bridges' bundles; 0: 2048 */
    int vlan_limit;            /* 0: no limit */
    bool mcast_snooping;
    const uint64_t *flood_vlans; /* bitmap of 4096 bits or NULL: VLANs without learning */
    const struct ofproto_table_cfg *tables;
    size_t n_tables;
    const struct ofproto_controller_cfg *controllers;
    size_t n_controllers;
    struct tls_config *tls; /* for ssl: and pssl:, may be NULL; ref'd */
};

/* Makes the bridge look like 'cfg'.  Idempotent; unchanged controllers keep their connections. */
void ofproto_configure(struct ofproto *, const struct ofproto_cfg *);
/* Publishes what changed since the last commit (ports, bundles, settings) to the handlers. */
void ofproto_commit(struct ofproto *);

const char *ofproto_name(const struct ofproto *);
/* Deletes all flows (not hidden ones), groups and meters. */
void ofproto_flush(struct ofproto *);

/* Connection state of the controllers, for Controller.is_connected, role and status. */
struct ofproto_controller_status {
    const char *target;
    bool is_connected;
    const char *role;  /* "other", "master", "slave"; NULL: not connected */
    const char *state; /* "ACTIVE", "BACKOFF", "CONNECTING", "VOID", ... */
    int64_t secs_since_connect, secs_since_disconnect; /* -1: never */
    const char *last_error;                            /* NULL: none */
    bool has_rate_limit; /* then: packet-ins of misses, and the others */
    struct pinsched_stats misses, actions;
};
/* Calls 'cb' once for each configured controller (for a passive one: whether it has any peer). */
void ofproto_controllers_status(const struct ofproto *,
                                void (*cb)(const struct ofproto_controller_status *, void *aux),
                                void *aux);

/* --- ports --------------------------------------------------------------------------------- */

struct ofproto_port_cfg {
    const char *name;
    struct netdev *netdev;   /* borrowed until ofproto_port_del() */
    odp_port_t odp_port;     /* ODPP_NONE: a patch port, which has no datapath port */
    ofp_port_t wanted;       /* ofport_request or the database's last ofport; 0: any */
    bool wanted_is_request;  /* ofport_request: take it if no other port *requests* it */
    const char *patch_peer;  /* name of the other port (maybe of another bridge), or NULL */
    struct tnl_port *tunnel; /* tunnel/'s view of the port, or NULL */
};

/* Adds a port; its number is in '*out': OFPP_LOCAL when the name is the bridge's own, 'wanted' when
 * that is free, else the lowest number of 1...32767 that was not used during the last hour (then
 * those used, then up to 65279).  The port is in no bundle and forwards nothing under NORMAL until
 * ofproto_bundle_set() names it.  0, -EEXIST, -ENOSPC; '*errorp' as above. */
int ofproto_port_add(struct ofproto *, const struct ofproto_port_cfg *, ofp_port_t *out,
                     char **errorp);
/* Takes the port out of its bundle, tells controllers.  Handlers may use netdev and counters until
 * a grace period has passed: close the netdev by rcu_defer() or after rcu_synchronize(). */
void ofproto_port_del(struct ofproto *, ofp_port_t);
/* The port's peer or tunnel settings changed. */
void ofproto_port_set_peer(struct ofproto *, ofp_port_t, const char *patch_peer);
void ofproto_port_set_tunnel(struct ofproto *, ofp_port_t, struct tnl_port *);
/* Looks at netdev flags, link and MAC again, sends PORT_STATUS when they differ.  ofproto does this
 * itself for all ports when netdev_global_change_seq() moves. */
void ofproto_port_refresh(struct ofproto *, ofp_port_t);

/* 0 if there is no such port. */
ofp_port_t ofproto_port_by_name(const struct ofproto *, const char *name);
/* NULL if there is no such port. */
const char *ofproto_port_name(const struct ofproto *, ofp_port_t);
/* Counters for the database: netdev's, or translation's for patch ports.  0 or -ENODEV. */
int ofproto_port_get_stats(const struct ofproto *, ofp_port_t, struct netdev_stats *);

/* --- bundles: the logical ports of NORMAL (rows of Port) ------------------------------------- */

enum ofproto_vlan_mode {
    OFPROTO_VLAN_ACCESS,
    OFPROTO_VLAN_TRUNK,
    OFPROTO_VLAN_NATIVE_TAGGED,
    OFPROTO_VLAN_NATIVE_UNTAGGED,
    OFPROTO_VLAN_DOT1Q_TUNNEL,
};
enum ofproto_priority_tags {
    OFPROTO_PRIO_TAGS_NEVER,
    OFPROTO_PRIO_TAGS_NONZERO,
    OFPROTO_PRIO_TAGS_ALWAYS,
};
enum ofproto_bond_mode { OFPROTO_BOND_ACTIVE_BACKUP, OFPROTO_BOND_SLB, OFPROTO_BOND_TCP };

struct lacp_cfg;
struct lacp_member_cfg;

struct ofproto_bond_cfg {
    enum ofproto_bond_mode mode;
    int up_delay_ms, down_delay_ms, rebalance_ms;
    uint32_t hash_basis;
    const char *primary; /* name of a member or NULL */
    bool all_members_active;
    bool lb_output;                   /* balance-tcp: the datapath has the buckets */
    bool lacp_fallback_ab;            /* without a partner it runs as active-backup */
    struct rte_ether_addr active_mac; /* of the active member before a restart; zero: none */
};

struct ofproto_bundle_cfg {
    const char *name;
    enum ofproto_vlan_mode vlan_mode;
    int tag;                /* 0...4095; -1: none (trunk) */
    const uint64_t *trunks; /* bitmap of 4096 bits; NULL: all */
    const uint64_t *cvlans; /* dot1q-tunnel; NULL: all */
    uint16_t qinq_ethtype;  /* 0: 0x88a8 */
    enum ofproto_priority_tags priority_tags;
    bool is_protected;
    const ofp_port_t *members;
    size_t n_members;
    const struct ofproto_bond_cfg *bond; /* NULL with one member */
    const struct lacp_cfg *lacp;         /* NULL: off; a zero 'sys_id': the bridge's address */
    const struct lacp_member_cfg *lacp_members; /* n_members of them, with 'lacp' */
};

/* Creates or changes the bundle called cfg->name.  A member leaves the bundle it was in before. */
void ofproto_bundle_set(struct ofproto *, const struct ofproto_bundle_cfg *);
void ofproto_bundle_del(struct ofproto *, const char *name);

/* The MAC address of a bond's active member, zero if there is none; false: no such bond. */
bool ofproto_bond_active_mac(const struct ofproto *, const char *bundle, struct rte_ether_addr *);
/* Interface.lacp_current: 1 or 0; -1 where there is no LACP. */
int ofproto_lacp_current(const struct ofproto *, ofp_port_t);
/* Changes whenever one of these may have changed. */
uint64_t ofprotos_bond_seq(const struct ofprotos *);

/* --- mirrors (rows of Mirror); names are of bundles ------------------------------------------- */

struct ofproto_mirror_cfg {
    const char *id;   /* what tells it from the others of the bridge */
    const char *name; /* for the log */
    bool select_all;
    const char *const *select_src;
    size_t n_src;
    const char *const *select_dst;
    size_t n_dst;
    const uint64_t *select_vlans; /* 4096 bits or NULL: all */
    const char *output_port;      /* NULL: output_vlan */
    int output_vlan;              /* -1: none */
    uint16_t snaplen;             /* 0: whole packets */
};
/* Replaces all mirrors of the bridge (at most 32), whose ports are there.  Logs what of those that
 * are new or changed cannot be. */
void ofproto_mirrors_set(struct ofproto *, const struct ofproto_mirror_cfg *, size_t n);
/* 0, or -ENOENT: no such mirror, or one without an output that is there. */
int ofproto_mirror_get_stats(const struct ofproto *, const char *id, uint64_t *packets,
                             uint64_t *bytes);

/* --- flows as text (the start-up file) ---------------------------------------------------------
 */

/* Checks a flow in the syntax of `ovs-ofctl add-flow`; 'is_port' says which names of ports are
 * known. NULL, or a new text that says what is wrong. */
char *ofproto_flow_text_check(const char *text, bool (*is_port)(const void *aux, const char *name),
                              const void *aux);
/* Adds flows in one step, with 'replace' in place of all that are there.  'errors' gets a new text
 * for each flow that could not be added, NULL for the others. */
void ofproto_flows_from_text(struct ofproto *, bool replace, const char *const *texts, size_t n,
                             char **errors);

/* --- what another process needs to go on (save.c) ----------------------------------------------
 */

/* Meters, groups and flows, or MAC addresses, as new bytes that the caller frees.  Restoring flows
 * replaces all that are there and returns how many were refused; addresses want ports and bundles
 * committed. */
uint8_t *ofproto_save_flows(const struct ofproto *, size_t *size);
size_t ofproto_restore_flows(struct ofproto *, const uint8_t *data, size_t size);
uint8_t *ofproto_save_macs(const struct ofproto *, size_t *size);
void ofproto_restore_macs(struct ofproto *, const uint8_t *data, size_t size);
/* Another number when addresses came, went or moved. */
uint64_t ofproto_macs_seq(const struct ofproto *);

/* --- what survives a crash (flow_journal.c) ------------------------------------------------------
 */

/* From the next change on, or a second from now, meters, groups and flows are in a log in memory
 * that the keeper has under 'name' (base/keep.h), in place of what it had there.  'n_restores': how
 * many processes in a row have begun with this state and not lived for ten seconds. */
void ofproto_journal_start(struct ofproto *, const char *name, uint32_t n_restores);
/* Nothing is kept any more, neither here nor with the keeper. */
void ofproto_journal_stop(struct ofproto *);
bool ofproto_journal_is_on(const struct ofproto *);
/* Bytes of the log; 0: none is being written. */
size_t ofproto_journal_size(const struct ofproto *);
/* Restores what a log says, in place of all that is there; settings of the bridge must be in force.
 * A flow, group or meter passes the same checks as a controller's: '*n_refused' did not.
 * 0; -ESTALE: settings are others now, and such a change flushes a bridge; -EPROTO: another
 * build's; -EBADMSG: damaged.  With an error nothing has changed. */
int ofproto_journal_restore(struct ofproto *, const void *data, size_t size, size_t *n_flows,
                            size_t *n_refused);
/* Counts, in the log itself, that a process is going to restore it; how many have before. */
uint32_t ofproto_journal_note_restore(void *data, size_t size);

/* --- commands -------------------------------------------------------------------------------- */

/* Registers ofproto/list, bridge/dump-flows, bridge/reconnect. */
void ofproto_ctl_init(struct ofprotos *);
/* Of all bridges, hidden ones too. */
size_t ofprotos_n_rules(const struct ofprotos *);

#endif /* ofproto/ofproto.h */
