// SPDX-License-Identifier: Apache-2.0
/* Which tunnel options a list of actions names: what holds the bridge's map of them in place.  See
 * ofpacts_options() in ofp_action.h. */
#include "flow/option.h"
#include "openflow/ofp_action.h"

static uint64_t
of_field(const struct mf_field *mf)
{
    return mf && mf_is_option(mf) ? UINT64_C(1) << mf_option_index(mf) : 0;
}

/* Of one that need not be there. */
static uint64_t
of_subfield(const struct mf_subfield *sf)
{
    return sf->n_bits ? of_field(sf->field) : 0;
}

static uint64_t
of_learn(const struct ofpact_learn *a)
{
    uint64_t used = of_subfield(&a->result_dst);

    OFPACT_LEARN_FOR_EACH(spec, a)
    {
        used |= spec->src_type == LEARN_SRC_FIELD ? of_field(spec->src.field) : 0;
        used |= spec->dst_type != LEARN_DST_OUTPUT ? of_field(spec->dst.field) : 0;
    }
    return used;
}

static uint64_t
of_nest(const struct ofpact *a)
{
    size_t size;
    const struct ofpact *inner = ofpact_nest_actions(OFPACT_CAST(ofpact_nest, a), &size);

    return ofpacts_options(inner, size); /* Depth: OFPACTS_MAX_DEPTH. */
}

static uint64_t
of_ct(const struct ofpact_ct *a)
{
    const size_t header = offsetof(struct ofpact_ct, actions);

    return of_subfield(&a->zone_src) |
           ofpacts_options((const struct ofpact *)(const void *)a->actions, a->ofpact.len - header);
}

static uint64_t
of_action(const struct ofpact *a)
{
    switch ((int)a->type) {
    case OFPACT_SET_FIELD:
        return of_field(mf_from_id((enum mf_id)OFPACT_CAST(ofpact_set_field, a)->field));
    case OFPACT_DELETE_FIELD:
        return of_field(mf_from_id((enum mf_id)OFPACT_CAST(ofpact_delete_field, a)->field));
    case OFPACT_REG_MOVE:
        return of_field(OFPACT_CAST(ofpact_reg_move, a)->src.field) |
               of_field(OFPACT_CAST(ofpact_reg_move, a)->dst.field);
    case OFPACT_STACK_PUSH:
    case OFPACT_STACK_POP:
        return of_field(OFPACT_CAST(ofpact_stack, a)->subfield.field);
    case OFPACT_OUTPUT_REG:
        return of_field(OFPACT_CAST(ofpact_output_reg, a)->src.field);
    case OFPACT_BUNDLE:
        return of_subfield(&OFPACT_CAST(ofpact_bundle, a)->dst);
    case OFPACT_MULTIPATH:
        return of_field(OFPACT_CAST(ofpact_multipath, a)->dst.field);
    case OFPACT_CHECK_PKT_LARGER:
        return of_field(OFPACT_CAST(ofpact_check_pkt, a)->dst.field);
    case OFPACT_LEARN:
        return of_learn(OFPACT_CAST(ofpact_learn, a));
    case OFPACT_CLONE:
    case OFPACT_WRITE_ACTIONS:
        return of_nest(a);
    case OFPACT_CT:
        return of_ct(OFPACT_CAST(ofpact_ct, a));
    default:
        return 0;
    }
}

uint64_t
ofpacts_options(const struct ofpact *acts, size_t size)
{
    uint64_t used = 0;

    OFPACT_FOR_EACH(a, acts, size)
    {
        used |= of_action(a);
    }
    return used;
}
