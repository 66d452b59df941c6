// SPDX-License-Identifier: Apache-2.0
/*
 * bridge_int.h - what the files of src/bridge share.  Main thread only.
 *
 * A 'struct br' stands for a row of Bridge that runs, a 'struct br_port' for a row of Port in it
 * (a logical port, "bundle" in ofproto/), a 'struct br_iface' for a row of Interface.  Rows are
 * remembered by UUID and looked up anew in each pass, since row pointers do not outlive one.
 *
 * Read bridge.c first, then br_iface.c; the others each answer one question.
 */
#ifndef BRIDGE_BRIDGE_INT_H
#define BRIDGE_BRIDGE_INT_H 1

#include <rte_ether.h>

#include "base/loop.h"
#include "base/smap.h"
#include "base/util.h"
#include "base/uthash.h"
#include "base/uuid.h"
#include "bridge/bridge.h"
#include "netdev/netdev.h"
#include "ofproto/ofproto.h"
#include "ovsdb/db.h"
#include "pmd/dp.h"
#include "rpc/stream.h"
#include "slowpath/slowpath.h"

struct br;
struct br_port;

struct br_iface {
    UT_hash_handle hh; /* in br->ifaces, by name */
    struct br *br;
    char *name;
    char *type;                        /* as opened: "system" for an empty column */
    struct uuid uuid;                  /* of the row */
    struct uuid port_uuid;             /* of the Port row that it belongs to */
    struct netdev *netdev;             /* NULL: failed, see 'error' */
    odp_port_t odp_port;               /* ODPP_NONE: none (patch) */
    odp_port_t wanted_odp;             /* ODPP_NONE: any */
    ofp_port_t ofp_port;               /* 0: not in the bridge */
    bool is_withdrawn;                 /* has no number for a moment, see br_ifaces_number() */
    char *error;                       /* for Interface.error, or NULL */
    struct smap options, other_config; /* as last applied */
    uint64_t change_seq;               /* netdev_change_seq() as last written to the database */
    bool wanted;                       /* by the present pass */
    bool status_stale; /* status columns are to be written whatever 'change_seq' says */
};

struct br_port {
    UT_hash_handle hh; /* in br->ports, by name */
    char *name;
    bool wanted;
};

struct br {
    UT_hash_handle hh; /* in bridges->brs, by name */
    struct bridges *all;
    char *name;
    char *type; /* Bridge.datapath_type as created */
    struct uuid uuid;
    struct ofproto *ofproto;
    struct br_port *ports;
    struct br_iface *ifaces;
    struct rte_ether_addr mac;            /* in use */
    struct rte_ether_addr refused_hwaddr; /* if 'hwaddr_refused': as was logged */
    bool hwaddr_refused;
    uint64_t dpid;
    int flows_fd, macs_fd;       /* br_state.c; -1: none */
    struct uuid journal_uuid;    /* br_journal.c: under which the keeper has it */
    int journal_macs_fd;         /* br_journal.c; -1: none */
    uint64_t journal_macs_seq;   /* ofproto_macs_seq() as last written there */
    int64_t journal_macs_due_ms; /* not written again before */
    int min_mtu;                 /* that internal ports follow; 0: none known */
    bool wanted;
};

struct bridges {
    struct bridges_cfg cfg;
    struct db *db; /* NULL: released */
    struct dp *dp; /* NULL until the first bridge needs it */
    struct ofprotos *ofprotos;
    struct slowpath *slowpath;
    struct br *brs;
    struct tls_config *tls; /* of the SSL row, or NULL */
    char *tls_key;          /* what 'tls' was made from */
    bool is_ready;
    bool is_forwarding;                /* cfg.forwarding was called */
    bool restore_wait_over;            /* flow-restore-wait has been false once */
    bool journal_wanted;               /* other_config:flow-journal */
    int64_t cur_cfg;                   /* as last written */
    uint64_t netdev_seq;               /* netdev_global_change_seq() as last looked at */
    uint64_t bond_seq;                 /* ofprotos_bond_seq() as last looked at */
    struct system_stats *system_stats; /* NULL: not asked for */
    struct loop_timer stats_timer, retry_timer, watch_timer;
    struct loop_timer yield_timer; /* br_lock.c */
    int stats_interval_ms;
    uint32_t unserved_said; /* lines of br_unserved.c's table that were logged */
    bool unserved_qos_said;
};

/* br_state.c */

/* Puts flows and MAC addresses where a process that takes over finds them. */
void br_state_save(struct br *);
/* Takes those of the process before, if there are any; ports must be there.  True if there were.
 * Flows go unless 'with_flows'. */
bool br_state_restore(struct br *, bool with_flows);
/* MAC addresses of a file in memory, which stays the caller's. */
void br_state_restore_macs(struct br *, int fd);
/* A new file in memory with these bytes; -1: there is no memory. */
int br_state_file(const char *what, const uint8_t *data, size_t size);
/* Closes what was put. */
void br_state_forget(struct br *);

/* br_lock.c */

/* True while the lock is ours.  When another process has it, bridges that run are given up. */
bool bridges_follow_lock(struct bridges *);

/* br_journal.c */

/* Restores flows and MAC addresses of a process that crashed, unless the bridge has got its state
 * already, and begins to keep them for the next one, or ends it, as configured.  Settings and
 * ports must be there.  True when flows were restored. */
bool br_journal_sync(struct br *, bool has_state);
void br_journal_stop(struct br *);
/* Now and then: writes MAC addresses that changed. */
void bridges_journal_run(struct bridges *);

/* br_iface.c */

/* Opens what the rows of 'port_row' want and is not open, applies settings to what is.  Marks the
 * interfaces wanted. */
void br_ifaces_sync(struct br *, const struct db_row *port_row);
/* Gives running interfaces the numbers that the rows of 'ports' request.  One that has such a
 * number without having requested it gets another; of two requests for one number that which has it
 * stays. */
void br_ifaces_number(struct br *, const struct db_row *const *ports, size_t n);
/* Closes the interfaces of 'br' that are not wanted (all, if 'all'). */
void br_ifaces_close(struct br *, bool all);
struct br_iface *br_iface_find(const struct br *, const char *name);
/* Sets the MTU of internal ports to the smallest of the others. */
void br_ifaces_follow_mtu(struct br *);
/* Patch ports whose peer does not name them back get a text in 'error'. */
void br_ifaces_check_peers(struct bridges *);
/* Stops it, to start under datapath port 'odp' with the next pass. */
void br_iface_renumber(struct br_iface *, odp_port_t odp);
/* Takes the interface out of bridge and datapath and closes its device; it stays in the table. */
void br_iface_stop(struct br_iface *);
/* True for the port that carries the bridge's own name. */
bool br_iface_is_local(const struct br_iface *);

/* br_port.c */

/* Makes the logical port of 'port_row' look like its row. */
void br_port_sync(struct br *, const struct db_row *port_row);
void br_ports_close(struct br *, bool all);

/* br_qos.c */

/* Policing and QoS of the interfaces of 'port_row', which run already. */
void br_qos_sync(struct br *, const struct db_row *port_row);
/* Registers qos/show and qos/show-types. */
void br_qos_ctl_init(struct bridges *);

/* br_unserved.c */

/* Logs, once for each, the columns that ask for what is not served. */
void bridges_note_unserved(struct bridges *);

/* br_ofproto.c */

/* Applies the Bridge row's own settings: fail mode, controllers, tables, limits. */
void br_ofproto_sync(struct br *, const struct db_row *br_row);
/* Follows the SSL row; '*changed' when controllers have to be configured anew. */
void bridges_tls_sync(struct bridges *, const struct db_row *ovs);

/* br_mac.c */

/* Chooses the bridge's MAC address and datapath id, and gives the MAC to the local port. */
void br_mac_sync(struct br *, const struct db_row *br_row);

/* br_status.c */

/* Everything that one reconfiguration found out, and cur_cfg, into 'txn'. */
void bridges_put_results(struct bridges *, struct db_txn *, const struct db_row *ovs);
/* The status columns of interfaces that changed since the last time. */
void bridges_put_status(struct bridges *, struct db_txn *);
/* Interface.statistics, Mirror.statistics, Controller.status. */
void bridges_put_statistics(struct bridges *, struct db_txn *);
/* A whole map column. */
void txn_put_smap(struct db_txn *, const struct db_row *, const char *column, const struct smap *);
/* datapath_types, iface_types, dpdk_version, dpdk_initialized. */
void bridges_put_abilities(struct bridges *, struct db_txn *, const struct db_row *ovs);

/* br_datapath.c */

/* Datapath.capabilities, for rows of the types of bridges that run. */
void bridges_put_capabilities(struct bridges *, struct db_txn *, const struct db_row *ovs);
/* Open_vSwitch.statistics, if asked for; gathers them in a thread meanwhile. */
void bridges_put_system_stats(struct bridges *);

/* bridge_ctl.c: commands about ports that the database knows. */
void bridge_ctl_init(struct bridges *);
/* An interface of any bridge, or NULL. */
struct br_iface *bridges_find_iface(const struct bridges *, const char *name);

/* br_watch.c */

/* Looks from now on at what changes without the configuration, and writes statistics. */
void bridges_watch_start(struct bridges *);
void bridges_watch_stop(struct bridges *);

/* bridge.c */
/* Makes everything as the database has it, now. */
void bridges_run(struct bridges *);
/* Takes a bridge down. */
void br_destroy(struct br *);
/* A datapath of this type ("": the kernel's) plays one without devices; as --enable-dummy says. */
bool datapath_type_is_dummy(const char *type);
/* Lets the datapath go on, unless another one does until flows are restored. */
void bridges_forward(struct bridges *);

/* A whole map column as a new smap; free with smap_destroy(). */
void row_to_smap(const struct db_row *, const char *column, struct smap *);

#endif /* bridge/bridge_int.h */
