// SPDX-License-Identifier: Apache-2.0
/* Messages about meters (OpenFlow 1.3 and later).  Pure functions; any thread.
 *
 * A 'struct ofp_meter_config' owns its bands: zero-initialise it, release it with
 * ofp_meter_config_fini().
 */
#ifndef OPENFLOW_OFP_METER_H
#define OPENFLOW_OFP_METER_H 1

#include "openflow/ofp_msg.h"

enum ofp_meter_command {
    OFPMC_ADD = 0,
    OFPMC_MODIFY = 1,
    OFPMC_DELETE = 2,
};
#define OFPMF_KBPS 0x1
#define OFPMF_PKTPS 0x2
#define OFPMF_BURST 0x4
#define OFPMF_STATS 0x8

enum ofp_meter_band_type {
    OFPMBT_DROP = 1,
    OFPMBT_DSCP_REMARK = 2,
};
struct ofp_meter_band {
    uint16_t type; /* enum ofp_meter_band_type. */
    uint32_t rate;
    uint32_t burst;
    uint8_t prec_level;
};
struct ofp_meter_config {
    uint32_t meter_id;
    uint16_t flags; /* OFPMF_*. */
    size_t n_bands;
    struct ofp_meter_band *bands;
};
void ofp_meter_config_fini(struct ofp_meter_config *config);

enum ofperr ofp_meter_mod_decode(const struct ofp_msg *msg, enum ofp_meter_command *command,
                                 struct ofp_meter_config *config);
void ofp_meter_mod_encode(enum ofp_meter_command command, const struct ofp_meter_config *config,
                          enum ofp_version version, uint32_t xid, struct wr *out);

/* METER and METER_CONFIG requests: OFP_METER_ALL is all. */
enum ofperr ofp_meter_request_decode(const struct ofp_msg *msg, uint32_t *meter_id);
void ofp_meter_config_encode(struct ofp_mp *mp, const struct ofp_meter_config *config);

struct ofp_meter_band_stats {
    uint64_t n_packets;
    uint64_t n_bytes;
};
struct ofp_meter_stats {
    uint32_t meter_id;
    uint32_t flow_count;
    uint64_t packet_in_count;
    uint64_t byte_in_count;
    uint32_t duration_sec;
    uint32_t duration_nsec;
    size_t n_bands;
    const struct ofp_meter_band_stats *bands;
};
void ofp_meter_stats_encode(struct ofp_mp *mp, const struct ofp_meter_stats *stats);

struct ofp_meter_features {
    uint32_t max_meters;
    uint32_t band_types;   /* Bitmap: bit N is band type N. */
    uint32_t capabilities; /* OFPMF_*. */
    uint8_t max_bands;
    uint8_t max_color;
};
void ofp_meter_features_encode(const struct ofp_meter_features *features, enum ofp_version version,
                               uint32_t xid, struct wr *out);

#endif
