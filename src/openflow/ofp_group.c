// SPDX-License-Identifier: Apache-2.0
/* Group-mods and group descriptions: OpenFlow 1.1's buckets and OpenFlow 1.5's, and the Nicira
 * messages that carry the latter to older versions.  Group statistics and features are in
 * ofp_group_stats.c.
 *
 * See ofp_group.h.  OpenFlow 1.1.0 section A.3.4.2, OpenFlow 1.5.0 sections 7.3.4.3 and 7.3.5.7;
 * the selection method is Netronome's experimenter property.
 */
#include "openflow/ofp_group.h"

#include "base/util.h"
#include "flow/option.h"
#include "openflow/nxm.h"
#include "openflow/ofp_prop.h"

#include <stdlib.h>

#define BUCKET11_SIZE 16u
#define BUCKET15_SIZE 8u
#define NTRT_SELECTION_METHOD 1u

enum { BUCKET_WEIGHT = 0, BUCKET_WATCH_PORT = 1, BUCKET_WATCH_GROUP = 2 };

void
ofp_group_fini(struct ofp_group *group)
{
    for (size_t i = 0; i < group->n_buckets; i++) {
        ofpacts_fini(&group->buckets[i].actions);
    }
    free(group->buckets);
    *group = (struct ofp_group){0};
}

void
ofp_group_copy(struct ofp_group *dst, const struct ofp_group *src)
{
    *dst = *src;
    dst->buckets = src->n_buckets ? xcalloc(src->n_buckets, sizeof *dst->buckets) : NULL;
    for (size_t i = 0; i < src->n_buckets; i++) {
        const struct ofpacts *acts = &src->buckets[i].actions;

        dst->buckets[i] = src->buckets[i];
        dst->buckets[i].actions = (struct ofpacts){0};
        ofpacts_append(&dst->buckets[i].actions, ofpacts_data(acts), acts->size);
    }
}

/* Adds an empty bucket.  Each takes at least 8 bytes of a message, which bounds their number. */
static struct ofp_bucket *
add_bucket(struct ofp_group *group)
{
    struct ofp_bucket *b;

    if (IS_POW2(group->n_buckets) || !group->n_buckets) {
        size_t cap = group->n_buckets ? 2 * group->n_buckets : 1;

        group->buckets = xreallocarray(group->buckets, cap, sizeof *group->buckets);
    }
    b = &group->buckets[group->n_buckets++];
    *b = (struct ofp_bucket){
        .bucket_id = OFPG_BUCKET_ALL, .watch_port = OFPP_NONE, .watch_group = OFP_GROUP_ANY};
    return b;
}

static enum ofperr
pull_buckets11(struct rd *in, enum ofp_version version, struct ofp_group *group)
{
    while (rd_left(in)) {
        struct ofp_bucket *b = add_bucket(group);
        uint16_t len = rd_u16(in);
        enum ofperr error;
        struct rd body;

        if (!rd_ok(in) || len < BUCKET11_SIZE || len % 8 || len - 2u > rd_left(in)) {
            return OFPERR_OFPGMFC_BAD_BUCKET;
        }
        body = rd_sub(in, len - 2u);
        b->bucket_id = (uint32_t)group->n_buckets - 1;
        b->weight = rd_u16(&body);
        if (!ofp_port_from_wire32(rd_u32(&body), &b->watch_port)) {
            return OFPERR_OFPGMFC_BAD_WATCH;
        }
        b->watch_group = rd_u32(&body);
        rd_skip(&body, 4);
        error = ofpacts_decode(&body, version, &b->actions);
        if (error) {
            return error;
        }
    }
    return 0;
}

static enum ofperr
pull_bucket_prop(struct ofp_prop *prop, struct ofp_bucket *b)
{
    enum ofperr error;
    uint32_t port;

    switch (prop->type) {
    case BUCKET_WEIGHT:
        b->weight = rd_u16(&prop->body);
        return rd_ok(&prop->body) && rd_left(&prop->body) <= 2 ? 0 : OFPERR_OFPBPC_BAD_LEN;
    case BUCKET_WATCH_PORT:
        error = ofp_prop_u32(prop, &port);
        return error                                        ? error
               : ofp_port_from_wire32(port, &b->watch_port) ? 0
                                                            : OFPERR_OFPGMFC_BAD_WATCH;
    case BUCKET_WATCH_GROUP:
        return ofp_prop_u32(prop, &b->watch_group);
    default:
        return ofp_prop_unknown(prop);
    }
}

static enum ofperr
pull_bucket15(struct rd *in, enum ofp_version version, uint8_t type, struct ofp_bucket *b)
{
    uint16_t acts_len = rd_u16(in);
    enum ofperr error;
    struct rd acts;

    b->bucket_id = rd_u32(in);
    b->weight = type == OFPGT_SELECT ? 1 : 0;
    acts = rd_sub(in, acts_len);
    if (!rd_ok(in)) {
        return OFPERR_OFPGMFC_BAD_BUCKET;
    }
    if (b->bucket_id > OFPG_BUCKET_MAX) {
        return OFPERR_OFPGMFC_BAD_BUCKET;
    }
    error = ofpacts_decode(&acts, version, &b->actions);
    while (!error && rd_left(in)) {
        struct ofp_prop prop;

        error = ofp_prop_pull(in, &prop);
        error = error ? error : pull_bucket_prop(&prop, b);
    }
    return error;
}

static int
compare_ids(const void *a_, const void *b_)
{
    const uint32_t *a = a_, *b = b_;

    return *a < *b ? -1 : *a > *b;
}

static enum ofperr
check_unique_ids(const struct ofp_group *group)
{
    uint32_t *ids;
    enum ofperr error = 0;

    if (group->n_buckets < 2) {
        return 0;
    }
    ids = xcalloc(group->n_buckets, sizeof *ids);
    for (size_t i = 0; i < group->n_buckets; i++) {
        ids[i] = group->buckets[i].bucket_id;
    }
    qsort(ids, group->n_buckets, sizeof *ids, compare_ids);
    for (size_t i = 1; i < group->n_buckets; i++) {
        if (ids[i] == ids[i - 1]) {
            error = OFPERR_OFPGMFC_BUCKET_EXISTS;
        }
    }
    free(ids);
    return error;
}

static enum ofperr
pull_buckets15(struct rd *in, enum ofp_version version, struct ofp_group *group)
{
    while (rd_left(in)) {
        struct ofp_bucket *b = add_bucket(group);
        uint16_t len = rd_u16(in);
        enum ofperr error;
        struct rd body;

        if (!rd_ok(in) || len < BUCKET15_SIZE || len % 8 || len - 2u > rd_left(in)) {
            return OFPERR_OFPGMFC_BAD_BUCKET;
        }
        body = rd_sub(in, len - 2u);
        error = pull_bucket15(&body, version, group->type, b);
        if (error) {
            return error;
        }
    }
    return check_unique_ids(group);
}

/* The fields of "hash": TLVs without mask bit, whose values are the masks. */
static enum ofperr
pull_hash_fields(struct rd *in, struct ofp_group *group)
{
    while (rd_left(in)) {
        const struct mf_field *mf;
        union mf_value value, mask;
        bool masked = false;
        enum ofperr error = nxm_pull_entry(in, &mf, &value, &mask, &masked);

        if (error) {
            return error == OFPERR_OFPBMC_BAD_LEN ? OFPERR_OFPBPC_BAD_LEN : error;
        }
        if (masked) {
            return OFPERR_OFPBMC_BAD_MASK;
        }
        if (mf_is_option(mf)) {
            return OFPERR_OFPBMC_BAD_FIELD; /* A bucket is chosen by what all packets may have. */
        }
        if (group->hash_field[mf->id]) {
            return OFPERR_OFPBMC_DUP_FIELD;
        }
        if (mf_is_zero(mf, &value)) {
            return OFPERR_OFPBMC_BAD_VALUE;
        }
        group->hash_field[mf->id] = true;
        mf_mask_field_masked(mf, &value, &group->hash_mask.mask);
    }
    return 0;
}

static enum ofperr
pull_selection_method(struct ofp_prop *prop, struct ofp_group *group)
{
    enum ofperr error;

    rd_skip(&prop->body, 4);
    rd_copy(&prop->body, group->selection_method, sizeof group->selection_method);
    group->selection_method_param = rd_u64(&prop->body);
    if (!rd_ok(&prop->body)) {
        return OFPERR_OFPBPC_BAD_LEN;
    }
    if (group->command != OFPGC_ADD && group->command != OFPGC_MODIFY &&
        group->command != OFPGC_ADD_OR_MOD) {
        return OFPERR_OFPBPC_BAD_VALUE;
    }
    if (group->type != OFPGT_SELECT ||
        group->selection_method[sizeof group->selection_method - 1]) {
        return OFPERR_OFPBPC_BAD_VALUE;
    }
    if (strcmp(group->selection_method, "hash") && strcmp(group->selection_method, "dp_hash")) {
        return OFPERR_OFPBPC_BAD_VALUE;
    }
    error = pull_hash_fields(&prop->body, group);
    if (!error && rd_left(&prop->body) == 0 && !strcmp(group->selection_method, "dp_hash")) {
        for (int id = 0; id < MF_N_IDS; id++) {
            if (group->hash_field[id]) {
                return OFPERR_OFPBPC_BAD_VALUE;
            }
        }
    }
    return error;
}

static enum ofperr
pull_group_props(struct rd *in, struct ofp_group *group)
{
    while (rd_left(in)) {
        struct ofp_prop prop;
        enum ofperr error = ofp_prop_pull(in, &prop);

        if (!error) {
            error = prop.experimenter == OFP_VENDOR_NTR && prop.exp_type == NTRT_SELECTION_METHOD
                        ? pull_selection_method(&prop, group)
                        : ofp_prop_unknown(&prop);
        }
        if (error) {
            return error;
        }
    }
    return 0;
}

static enum ofperr
check_bucket(const struct ofp_group *group, const struct ofp_bucket *b)
{
    bool watches = b->watch_port != OFPP_NONE || b->watch_group != OFP_GROUP_ANY;

    if (b->weight && group->type != OFPGT_SELECT) {
        return OFPERR_OFPGMFC_INVALID_GROUP;
    }
    if (group->type == OFPGT_FF) {
        return watches ? 0 : OFPERR_OFPGMFC_INVALID_GROUP;
    }
    return watches && group->type != OFPGT_SELECT ? OFPERR_OFPGMFC_WATCH_UNSUPPORTED : 0;
}

static enum ofperr
check_command(const struct ofp_group *group)
{
    uint32_t id = group->command_bucket_id;

    switch (group->command) {
    case OFPGC_ADD:
    case OFPGC_MODIFY:
    case OFPGC_ADD_OR_MOD:
    case OFPGC_DELETE:
        return id == OFPG_BUCKET_ALL ? 0 : OFPERR_OFPGMFC_BAD_COMMAND;
    case OFPGC_INSERT_BUCKET:
        return id <= OFPG_BUCKET_MAX || id == OFPG_BUCKET_FIRST || id == OFPG_BUCKET_LAST
                   ? 0
                   : OFPERR_OFPGMFC_BAD_COMMAND;
    case OFPGC_REMOVE_BUCKET:
        return id <= OFPG_BUCKET_MAX || id >= OFPG_BUCKET_FIRST ? 0 : OFPERR_OFPGMFC_BAD_COMMAND;
    default:
        return OFPERR_OFPGMFC_BAD_COMMAND;
    }
}

static enum ofperr
check_group_mod(const struct ofp_group *group)
{
    bool whole = group->command == OFPGC_ADD || group->command == OFPGC_MODIFY ||
                 group->command == OFPGC_ADD_OR_MOD;
    enum ofperr error = check_command(group);

    if (error) {
        return error;
    }
    if (group->type > OFPGT_FF) {
        return OFPERR_OFPGMFC_BAD_TYPE;
    }
    if (group->group_id > OFP_GROUP_MAX && group->command != OFPGC_DELETE) {
        return OFPERR_OFPGMFC_INVALID_GROUP;
    }
    if ((group->command == OFPGC_DELETE || group->command == OFPGC_REMOVE_BUCKET) &&
        group->n_buckets) {
        return OFPERR_OFPGMFC_INVALID_GROUP;
    }
    if (whole && group->type == OFPGT_INDIRECT && group->n_buckets != 1) {
        return OFPERR_OFPGMFC_INVALID_GROUP;
    }
    for (size_t i = 0; whole && i < group->n_buckets; i++) {
        error = check_bucket(group, &group->buckets[i]);
        if (error) {
            return error;
        }
    }
    return 0;
}

enum ofperr
ofp_group_mod_decode(const struct ofp_msg *msg, struct ofp_group *group)
{
    struct rd in = msg->body, buckets;
    uint16_t buckets_len;
    enum ofperr error;

    ofp_group_fini(group);
    group->command = rd_u16(&in);
    group->type = rd_u8(&in);
    rd_skip(&in, 1);
    group->group_id = rd_u32(&in);
    group->command_bucket_id = OFPG_BUCKET_ALL;
    if (msg->raw == OFPRAW_OFPT11_GROUP_MOD) {
        if (group->command > OFPGC_DELETE && group->command != OFPGC_ADD_OR_MOD) {
            return OFPERR_OFPGMFC_BAD_COMMAND;
        }
        error = pull_buckets11(&in, msg->version, group);
    } else {
        buckets_len = rd_u16(&in);
        rd_skip(&in, 2);
        group->command_bucket_id = rd_u32(&in);
        buckets = rd_sub(&in, buckets_len);
        if (!rd_ok(&in)) {
            return OFPERR_OFPGMFC_BAD_BUCKET;
        }
        error = pull_buckets15(&buckets, msg->version, group);
        error = error ? error : pull_group_props(&in, group);
    }
    return error ? error : check_group_mod(group);
}

static void
put_bucket11(struct wr *out, const struct ofp_bucket *b, enum ofp_version version)
{
    size_t start = out->size;

    wr_u16(out, 0);
    wr_u16(out, b->weight);
    wr_u32(out, ofp_port_to_wire32(b->watch_port));
    wr_u32(out, b->watch_group);
    wr_u32(out, 0);
    ofpacts_encode(ofpacts_data(&b->actions), b->actions.size, version, out);
    wr_set_u16(out, start, (uint16_t)(out->size - start));
}

static void
put_bucket15(struct wr *out, const struct ofp_bucket *b, uint8_t type, enum ofp_version version)
{
    size_t start = out->size, acts;

    wr_u16(out, 0);
    wr_u16(out, 0);
    wr_u32(out, b->bucket_id);
    acts = out->size;
    ofpacts_encode(ofpacts_data(&b->actions), b->actions.size, version, out);
    wr_set_u16(out, start + 2, (uint16_t)(out->size - acts));
    if (type == OFPGT_SELECT) {
        uint8_t weight[4] = {(uint8_t)(b->weight >> 8), (uint8_t)b->weight, 0, 0};

        ofp_prop_put(out, BUCKET_WEIGHT, weight, sizeof weight);
    }
    if (b->watch_port != OFPP_NONE) {
        ofp_prop_put_u32(out, BUCKET_WATCH_PORT, ofp_port_to_wire32(b->watch_port));
    }
    if (b->watch_group != OFP_GROUP_ANY) {
        ofp_prop_put_u32(out, BUCKET_WATCH_GROUP, b->watch_group);
    }
    wr_set_u16(out, start, (uint16_t)(out->size - start));
}

static void
put_group_props(struct wr *out, const struct ofp_group *group, enum ofp_version version)
{
    size_t prop;

    if (!group->selection_method[0]) {
        return;
    }
    prop = ofp_prop_begin_exp(out, OFP_VENDOR_NTR, NTRT_SELECTION_METHOD);
    wr_u32(out, 0);
    wr_string(out, group->selection_method, OFP_SELECTION_METHOD_MAX);
    wr_u64(out, group->selection_method_param);
    for (int id = 0; id < MF_N_IDS; id++) {
        union mf_value mask, unused;

        if (group->hash_field[id]) {
            const struct mf_field *mf = mf_from_id(id);

            memset(&mask, 0, sizeof mask);
            mf_get(mf, &group->hash_mask, &unused, &mask);
            if (mf_is_exact(mf, &mask)) {
                /* Peers know a whole field by ones in all of its bytes, and take nothing else for
                 * one that has no masks. */
                memset(mask.b, 0xff, mf->n_bytes);
            }
            nxm_put_entry(out, mf, &mask, NULL, version == OFP10_VERSION ? 0 : (uint8_t)version);
        }
    }
    ofp_prop_end(out, prop);
}

/* Buckets, their length at 'len_ofs', then properties. */
static void
put_buckets15(struct wr *out, const struct ofp_group *group, size_t len_ofs,
              enum ofp_version version)
{
    size_t start = out->size;

    for (size_t i = 0; i < group->n_buckets; i++) {
        put_bucket15(out, &group->buckets[i], group->type, version);
    }
    wr_set_u16(out, len_ofs, (uint16_t)(out->size - start));
    put_group_props(out, group, version);
}

void
ofp_group_mod_encode(const struct ofp_group *group, enum ofp_version version, uint32_t xid,
                     struct wr *out)
{
    enum ofp_raw raw = version == OFP10_VERSION  ? OFPRAW_NXT_GROUP_MOD
                       : version < OFP15_VERSION ? OFPRAW_OFPT11_GROUP_MOD
                                                 : OFPRAW_OFPT15_GROUP_MOD;
    size_t start = ofp_msg_begin(out, raw, version, xid);

    wr_u16(out, group->command);
    wr_u8(out, group->type);
    wr_u8(out, 0);
    wr_u32(out, group->group_id);
    if (raw == OFPRAW_OFPT11_GROUP_MOD) {
        for (size_t i = 0; i < group->n_buckets; i++) {
            put_bucket11(out, &group->buckets[i], version);
        }
    } else {
        size_t len_ofs = out->size;

        wr_u32(out, 0);
        wr_u32(out, group->command_bucket_id);
        put_buckets15(out, group, len_ofs, version);
    }
    ofp_msg_end(out, start);
}

enum ofperr
ofp_group_desc_request_decode(const struct ofp_msg *msg, uint32_t *group_id)
{
    struct rd in = msg->body;

    *group_id = rd_left(&in) >= 4 ? rd_u32(&in) : OFP_GROUP_ALL;
    return 0;
}

void
ofp_group_desc_encode(struct ofp_mp *mp, const struct ofp_group *group)
{
    bool old = mp->raw == OFPRAW_OFPST11_GROUP_DESC_REPLY && mp->version < OFP15_VERSION;
    struct wr *out = mp->out;
    size_t start = out->size;

    wr_u16(out, 0);
    wr_u8(out, group->type);
    wr_u8(out, 0);
    wr_u32(out, group->group_id);
    if (old) {
        for (size_t i = 0; i < group->n_buckets; i++) {
            put_bucket11(out, &group->buckets[i], mp->version);
        }
    } else {
        size_t len_ofs = out->size;

        wr_u64(out, 0);
        put_buckets15(out, group, len_ofs, mp->version);
    }
    if (out->size - start > UINT16_MAX) {
        wr_truncate(out, start);
        return;
    }
    wr_set_u16(out, start, (uint16_t)(out->size - start));
    ofp_mp_commit(mp);
}
