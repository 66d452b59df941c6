// SPDX-License-Identifier: Apache-2.0
/* Messages about flow tables: statistics, features, descriptions, table-mod, table-status.  Pure
 * functions; any thread.
 */
#ifndef OPENFLOW_OFP_TABLE_H
#define OPENFLOW_OFP_TABLE_H 1

#include "openflow/ofp_msg.h"

#define OFP_TABLE_NAME_MAX 32

/* What a table does with a packet that no flow matches. */
enum ofp_table_miss {
    OFP_TABLE_MISS_DEFAULT =
        0, /* By protocol: to the controller before OpenFlow 1.3, dropped since. */
    OFP_TABLE_MISS_CONTROLLER,
    OFP_TABLE_MISS_CONTINUE,
    OFP_TABLE_MISS_DROP,
};

struct ofp_table_stats {
    uint8_t table_id;
    const char *name; /* "classifier" or the administrator's. */
    uint32_t max_entries;
    uint32_t active_count;
    uint64_t lookup_count; /* UINT64_MAX: unknown. */
    uint64_t matched_count;
    enum ofp_table_miss miss_config;
};
/* Appends one table; what older versions say about a table's abilities is what this switch can do
 * everywhere. */
void ofp_table_stats_encode(struct ofp_mp *mp, const struct ofp_table_stats *stats, bool has_next);

/* Features of one table in a TABLE_FEATURES reply: every match field, action and instruction that
 * we have. */
struct ofp_table_features {
    uint8_t table_id;
    const char *name;
    uint64_t metadata_match;
    uint64_t metadata_write;
    uint32_t max_entries;
    bool eviction;
    bool vacancy;
    unsigned int n_tables; /* Tables above table_id up to n_tables are listed as next ones. */
};
void ofp_table_features_encode(struct ofp_mp *mp, const struct ofp_table_features *features);

/* A TABLE_FEATURES request that is not empty asks to change tables: 'n_tables' says how many.
 * OFPBRC_... on damage. */
enum ofperr ofp_table_features_request_decode(const struct ofp_msg *msg, size_t *n_tables);

struct ofp_table_desc {
    uint8_t table_id;
    bool eviction;
    uint32_t eviction_flags; /* OFPTMPEF_*. */
    bool vacancy;
    uint8_t vacancy_down;
    uint8_t vacancy_up;
    uint8_t vacancy_now;
};
#define OFPTMPEF_OTHER 0x1
#define OFPTMPEF_IMPORTANCE 0x2
#define OFPTMPEF_LIFETIME 0x4
void ofp_table_desc_encode(struct ofp_mp *mp, const struct ofp_table_desc *desc);

enum ofp_table_tristate {
    OFP_TABLE_UNCHANGED,
    OFP_TABLE_ON,
    OFP_TABLE_OFF,
};
struct ofp_table_mod {
    uint8_t table_id; /* 255: all. */
    bool has_miss;    /* OpenFlow 1.1 and 1.2 (NXM none). */
    enum ofp_table_miss miss;
    enum ofp_table_tristate eviction; /* OpenFlow 1.4 and later. */
    bool has_eviction_flags;
    uint32_t eviction_flags;
    enum ofp_table_tristate vacancy;
    uint8_t vacancy_down;
    uint8_t vacancy_up;
};
enum ofperr ofp_table_mod_decode(const struct ofp_msg *msg, struct ofp_table_mod *tm);

#define OFPTR_VACANCY_DOWN 3
#define OFPTR_VACANCY_UP 4
void ofp_table_status_encode(const struct ofp_table_desc *desc, uint8_t reason,
                             enum ofp_version version, struct wr *out);

#endif
