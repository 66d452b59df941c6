// SPDX-License-Identifier: Apache-2.0
/* TABLE_FEATURES: what one table can match, write and do, OpenFlow 1.3 section 7.3.5.5.
 *
 * Every table of this switch can do the same, so the lists come from the field table and from the
 * actions that the encoder knows.  The stock tools ask for this before each flow command (it has
 * the tables' names), 254 tables at a time: hence the lists are short of what one could say about
 * misses, and repeat nothing.
 */
#include "base/util.h"
#include "flow/option.h"
#include "openflow/nxm.h"
#include "openflow/ofp_prop.h"
#include "openflow/ofp_table.h"

enum tfpt {
    TFPT_INSTRUCTIONS = 0,
    TFPT_NEXT_TABLES = 2,
    TFPT_WRITE_ACTIONS = 4,
    TFPT_APPLY_ACTIONS = 6,
    TFPT_MATCH = 8,
    TFPT_WILDCARDS = 10,
    TFPT_WRITE_SETFIELD = 12,
    TFPT_APPLY_SETFIELD = 14,
};

#define CAP_EVICTION 0x4u
#define CAP_VACANCY 0x8u
#define INST_GOTO 1u
#define INST_METER 6u

static void
put_id(struct wr *out, uint16_t type)
{
    wr_u16(out, type);
    wr_u16(out, 4);
}

static void
put_instructions(struct wr *out, bool has_next, enum ofp_version version)
{
    size_t prop = ofp_prop_begin(out, TFPT_INSTRUCTIONS);

    for (uint16_t type = INST_GOTO; type <= INST_METER; type++) {
        if ((type != INST_GOTO || has_next) && (type != INST_METER || version < OFP15_VERSION)) {
            put_id(out, type);
        }
    }
    ofp_prop_end(out, prop);
}

static void
put_next_tables(struct wr *out, uint8_t table_id, unsigned int n_tables)
{
    size_t prop = ofp_prop_begin(out, TFPT_NEXT_TABLES);

    for (unsigned int next = table_id + 1u; next < n_tables; next++) {
        wr_u8(out, (uint8_t)next);
    }
    ofp_prop_end(out, prop);
}

static void
put_actions(struct wr *out, enum tfpt type, enum ofp_version version)
{
    static const uint8_t actions[] = {0, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 28, 29};
    size_t prop = ofp_prop_begin(out, (uint16_t)type);

    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        if (actions[i] <= 25 || version >= OFP15_VERSION) {
            put_id(out, actions[i]);
        }
    }
    ofp_prop_end(out, prop);
}

/* Fields: all that have a code in this version, or only those that actions may write. */
static void
put_fields(struct wr *out, enum tfpt type, enum ofp_version version)
{
    bool set = type == TFPT_WRITE_SETFIELD || type == TFPT_APPLY_SETFIELD;
    size_t prop = ofp_prop_begin(out, (uint16_t)type);

    for (int id = 0; id < MF_N_IDS; id++) {
        const struct mf_field *mf = mf_from_id(id);
        bool masked = type == TFPT_MATCH && mf->maskable == MF_MASK_FULL;

        if (set && !mf->writable) {
            continue;
        }
        if (mf_code_for(mf, version)) {
            nxm_put_header(out, mf, masked, version);
        }
    }
    for (uint32_t i = 0; i < MF_N_OPTIONS; i++) {
        bool masked = type == TFPT_MATCH;

        wr_u32(out, (uint32_t)MF_OPTION_NXM_CLASS << 16 | (MF_OPTION_NXM_FIELD + i) << 9 |
                        (uint32_t)masked << 8 | MF_OPTION_WIRE_MAX_BYTES * (1u + masked));
    }
    ofp_prop_end(out, prop);
}

void
ofp_table_features_encode(struct ofp_mp *mp, const struct ofp_table_features *f)
{
    struct wr *out = mp->out;
    size_t start = out->size;
    uint32_t caps = (f->eviction ? CAP_EVICTION : 0) | (f->vacancy ? CAP_VACANCY : 0);
    bool has_next = f->table_id + 1u < f->n_tables;

    wr_u16(out, 0);
    wr_u8(out, f->table_id);
    wr_zeros(out, 5);
    wr_string(out, f->name, OFP_TABLE_NAME_MAX);
    wr_u64(out, f->metadata_match);
    wr_u64(out, f->metadata_write);
    wr_u32(out, mp->version >= OFP14_VERSION ? caps : 0);
    wr_u32(out, f->max_entries);
    put_instructions(out, has_next, mp->version);
    put_next_tables(out, f->table_id, f->n_tables);
    put_actions(out, TFPT_WRITE_ACTIONS, mp->version);
    put_fields(out, TFPT_WRITE_SETFIELD, mp->version);
    put_actions(out, TFPT_APPLY_ACTIONS, mp->version);
    put_fields(out, TFPT_APPLY_SETFIELD, mp->version);
    put_fields(out, TFPT_MATCH, mp->version);
    put_fields(out, TFPT_WILDCARDS, mp->version);
    wr_set_u16(out, start, (uint16_t)(out->size - start));
    ofp_mp_commit(mp);
}

enum ofperr
ofp_table_features_request_decode(const struct ofp_msg *msg, size_t *n_tables)
{
    struct rd in = msg->body;

    for (*n_tables = 0; rd_left(&in); ++*n_tables) {
        uint16_t len = rd_u16(&in);
        struct rd table;

        if (!rd_ok(&in) || len < 64 || len % 8) {
            return OFPERR_OFPBPC_BAD_LEN;
        }
        table = rd_sub(&in, len - 2u);
        rd_skip(&table, 62);
        if (!rd_ok(&in)) {
            return OFPERR_OFPBPC_BAD_LEN;
        }
        while (rd_left(&table)) {
            struct ofp_prop prop;
            enum ofperr error = ofp_prop_pull(&table, &prop);

            if (error) {
                return error;
            }
        }
    }
    return 0;
}
