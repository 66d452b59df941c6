// SPDX-License-Identifier: Apache-2.0
/* Messages about groups: group-mod, descriptions, statistics, features; OpenFlow 1.1 to 1.5, and
 * the Nicira forms that bring OpenFlow 1.5's to older versions.
 *
 * Pure functions; any thread.  A 'struct ofp_group' owns its buckets: zero-initialise it, release
 * it with ofp_group_fini().
 */
#ifndef OPENFLOW_OFP_GROUP_H
#define OPENFLOW_OFP_GROUP_H 1

#include "openflow/ofp_action.h"
#include "openflow/ofp_msg.h"

enum ofp_group_type {
    OFPGT_ALL = 0,
    OFPGT_SELECT = 1,
    OFPGT_INDIRECT = 2,
    OFPGT_FF = 3,
};

enum ofp_group_command {
    OFPGC_ADD = 0,
    OFPGC_MODIFY = 1,
    OFPGC_DELETE = 2,
    OFPGC_INSERT_BUCKET = 3,
    OFPGC_REMOVE_BUCKET = 5,
    OFPGC_ADD_OR_MOD = 0x8000,
};

/* Bucket ids of the bucket commands. */
#define OFPG_BUCKET_MAX 0xffffff00u
#define OFPG_BUCKET_FIRST 0xfffffffdu
#define OFPG_BUCKET_LAST 0xfffffffeu
#define OFPG_BUCKET_ALL 0xffffffffu /* Also "no id": the switch numbers the buckets. */

struct ofp_bucket {
    uint32_t bucket_id;
    uint16_t weight;
    ofp_port_t watch_port; /* OFPP_NONE: none. */
    uint32_t watch_group;  /* OFP_GROUP_ANY: none. */
    struct ofpacts actions;
};

/* selection_method of a select group. */
#define OFP_SELECTION_METHOD_MAX 16

struct ofp_group {
    uint32_t group_id; /* OFP_GROUP_ALL in a delete: every group. */
    uint8_t type;      /* enum ofp_group_type. */
    uint16_t command;  /* enum ofp_group_command; group-mods only. */
    uint32_t command_bucket_id;
    size_t n_buckets;
    struct ofp_bucket *buckets;
    char selection_method[OFP_SELECTION_METHOD_MAX]; /* "" none, "hash", "dp_hash"; cut and
                                                        terminated. */
    uint64_t selection_method_param;
    /* fields(...) of "hash": which fields, with what masks. */
    bool hash_field[MF_N_IDS];
    struct match hash_mask; /* The mask part holds the masks. */
};
void ofp_group_fini(struct ofp_group *group);
/* Moves or copies; 'dst' is overwritten without being released. */
void ofp_group_copy(struct ofp_group *dst, const struct ofp_group *src);

enum ofperr ofp_group_mod_decode(const struct ofp_msg *msg, struct ofp_group *group);
void ofp_group_mod_encode(const struct ofp_group *group, enum ofp_version version, uint32_t xid,
                          struct wr *out);

/* GROUP_DESC: which group (OFP_GROUP_ALL: all), and one group of a reply. */
enum ofperr ofp_group_desc_request_decode(const struct ofp_msg *msg, uint32_t *group_id);
void ofp_group_desc_encode(struct ofp_mp *mp, const struct ofp_group *group);

struct ofp_group_counters {
    uint64_t n_packets; /* UINT64_MAX: unknown. */
    uint64_t n_bytes;
};
struct ofp_group_stats {
    uint32_t group_id;
    uint32_t ref_count;
    uint32_t duration_sec;
    uint32_t duration_nsec;
    struct ofp_group_counters total;
    size_t n_buckets;
    const struct ofp_group_counters *buckets;
};
enum ofperr ofp_group_stats_request_decode(const struct ofp_msg *msg, uint32_t *group_id);
void ofp_group_stats_encode(struct ofp_mp *mp, const struct ofp_group_stats *stats);

struct ofp_group_features {
    uint32_t types;         /* Bitmap of enum ofp_group_type. */
    uint32_t capabilities;  /* OFPGFC_*. */
    uint32_t max_groups[4]; /* By type. */
    uint32_t actions[4]; /* Wire bitmaps of action types, by type; see ofp_group_features_init(). */
};
#define OFPGFC_SELECT_WEIGHT 0x1
#define OFPGFC_SELECT_LIVENESS 0x2
#define OFPGFC_CHAINING 0x4
#define OFPGFC_CHAINING_CHECKS 0x8
/* All types, weights, liveness and chaining, 0xffffff00 groups of each type, and our actions. */
void ofp_group_features_init(struct ofp_group_features *features, enum ofp_version version);
void ofp_group_features_encode(const struct ofp_group_features *features,
                               const struct ofp_msg *request, struct wr *out);

#endif
