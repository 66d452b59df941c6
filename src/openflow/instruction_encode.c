// SPDX-License-Identifier: Apache-2.0
/* Instructions, structs to bytes, from OpenFlow 1.1 on; OpenFlow 1.0 has a list of actions instead.
 */
#include "openflow/action_encode.h"

static void
put_instruction(const struct ofpact *a, enum ofp_version version, struct wr *out)
{
    const struct ofpact *acts;
    size_t start, size;

    switch ((int)a->type) {
    case OFPACT_METER:
        if (version == OFP13_VERSION || version == OFP14_VERSION) {
            action_put_u32(out, OFPIT_METER, OFPACT_CAST(ofpact_meter, a)->meter_id);
        }
        break;
    case OFPACT_CLEAR_ACTIONS:
        action_put_empty(out, OFPIT_CLEAR_ACTIONS);
        break;
    case OFPACT_WRITE_ACTIONS:
        acts = ofpact_nest_actions(OFPACT_CAST(ofpact_nest, a), &size);
        start = action_begin(out, OFPIT_WRITE_ACTIONS);
        wr_zeros(out, 4);
        ofpacts_encode(acts, size, version, out);
        action_end(out, start, 8);
        break;
    case OFPACT_WRITE_METADATA:
        start = action_begin(out, OFPIT_WRITE_METADATA);
        wr_zeros(out, 4);
        wr_u64(out, OFPACT_CAST(ofpact_metadata, a)->metadata);
        wr_u64(out, OFPACT_CAST(ofpact_metadata, a)->mask);
        action_end(out, start, 24);
        break;
    case OFPACT_GOTO_TABLE:
        action_put_u8(out, OFPIT_GOTO_TABLE, OFPACT_CAST(ofpact_goto_table, a)->table_id);
        break;
    default:
        break;
    }
}

/* Whether this version has 'a' as an instruction: METER became an action in OpenFlow 1.5. */
static bool
is_instruction(const struct ofpact *a, enum ofp_version version)
{
    return ofpact_is_instruction(a->type) && (a->type != OFPACT_METER || version < OFP15_VERSION);
}

void
ofpacts_encode_instructions(const struct ofpact *acts, size_t size, enum ofp_version version,
                            struct wr *out)
{
    const struct ofpact *limit = ofpact_end(acts, size);
    const struct ofpact *a = acts;

    if (version == OFP10_VERSION) {
        ofpacts_encode(acts, size, version, out);
        return;
    }
    while (a < limit) {
        size_t start;

        if (is_instruction(a, version)) {
            put_instruction(a, version, out);
            a = ofpact_next(a);
            continue;
        }
        start = action_begin(out, OFPIT_APPLY_ACTIONS);
        wr_zeros(out, 4);
        for (; a < limit && !is_instruction(a, version); a = ofpact_next(a)) {
            action_encode_one(a, version, out);
        }
        action_end(out, start, 8);
    }
}
