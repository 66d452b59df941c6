// SPDX-License-Identifier: Apache-2.0
/*
 * group.h - OpenFlow groups as translation reads them.
 *
 * Main makes and removes groups; a modify makes a new one.  Handlers find them with
 * ofproto_group_lookup() under RCU, in the version of their translation.
 */
#ifndef OFPROTO_GROUP_H
#define OFPROTO_GROUP_H 1

#include "flow/flow.h"
#include "ofproto/rule.h"

enum ofgroup_type { OFGROUP_ALL = 0, OFGROUP_SELECT = 1, OFGROUP_INDIRECT = 2, OFGROUP_FF = 3 };
enum ofgroup_method { OFGROUP_METHOD_DEFAULT, OFGROUP_METHOD_DP_HASH, OFGROUP_METHOD_HASH };
enum { OFGROUP_MAX_SLOTS = 256 };

struct ofp_group;

struct ofbucket {
    uint32_t bucket_id;
    uint16_t weight;
    ofp_port_t watch_port; /* OFPP_NONE: none */
    uint32_t watch_group;  /* UINT32_MAX: none */
    const struct rule_actions *actions;
    struct rule_stats stats; /* by ofgroup_credit() */
};

struct ofgroup {
    struct ofproto *ofproto;
    uint32_t group_id;
    uint8_t type;     /* enum ofgroup_type */
    uint8_t method;   /* enum ofgroup_method; DP_HASH only with slots */
    uint8_t hash_alg; /* OFGROUP_METHOD_DP_HASH: enum dp_hash_alg */
    uint32_t hash_basis;
    uint32_t n_slots; /* of 'slots', a power of two: indices of buckets, by dp_hash */
    uint32_t *slots;
    struct flow_mask hash_fields; /* OFGROUP_METHOD_HASH: which bits to hash; empty: five-tuple */
    int64_t created_ms, modified_ms;
    _Atomic uint32_t n_refs;
    struct ofp_group *spec; /* as the controller gave it, for descriptions; main only */
    uint64_t walk;          /* the last that met it, see group.c; main only */
    struct rule_stats stats;
    size_t n_buckets;
    struct ofbucket buckets[];
};

/* As rule_ref() and rule_unref(). */
bool ofgroup_ref(struct ofgroup *);
void ofgroup_unref(struct ofgroup *);
/* Counts packets for one of the group's buckets, or, if that is NULL, for the group.  Any thread.
 */
void ofgroup_credit(struct ofgroup *, struct ofbucket *bucket, uint64_t packets, uint64_t bytes);

#endif /* ofproto/group.h */
