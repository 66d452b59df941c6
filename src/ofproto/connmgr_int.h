// SPDX-License-Identifier: Apache-2.0
/*
 * connmgr_int.h - the connections of one bridge, for the files of connmgr*.c.  Main thread.
 */
#ifndef OFPROTO_CONNMGR_INT_H
#define OFPROTO_CONNMGR_INT_H 1

#include "ofproto/ofconn.h"

struct snoop;

struct connmgr {
    struct ofproto *ofproto;
    struct listener *mgmt, *snoop_listener;
    struct snoop *snoops;
    struct controller **controllers;
    size_t n_controllers;
    struct ofconn *conns;
    uint32_t versions;
    int queue_size; /* 0: the default */
    struct in_band *in_band;
    struct tls_config *tls;
    bool is_configured;
    bool is_closed;         /* connmgr_disconnect(): flows stay as they are */
    bool has_controllers;   /* configured, if not running yet */
    bool wants_miss;        /* as the view has it */
    uint64_t generation;    /* UINT64_MAX: none seen */
    int64_t alone_since_ms; /* no primary controller has admitted us since; 0: one has */
    bool is_fail_open;
    const struct ofconn *requester; /* whose message is being handled, or NULL */
    uint32_t request_xid;
};

#endif /* ofproto/connmgr_int.h */
