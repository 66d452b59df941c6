// SPDX-License-Identifier: Apache-2.0
/* Actions, structs to bytes, in the form that each OpenFlow version has for them.
 *
 * Where a version lacks an action the encoder says the same with others.  The choices decide what
 * 'ovs-ofctl dump-flows' prints at each version, so they are those of the deployed switch.  See
 * ofp_action.h and action_wire.h.
 */
#include "openflow/action_encode.h"

void
action_encode_one(const struct ofpact *a, enum ofp_version version, struct wr *out)
{
    switch ((enum ofpact_type)a->type) {
    case OFPACT_OUTPUT:
        action_encode_output(OFPACT_CAST(ofpact_output, a)->port,
                             OFPACT_CAST(ofpact_output, a)->max_len, version, out);
        break;
    case OFPACT_CONTROLLER:
        action_encode_controller(OFPACT_CAST(ofpact_controller, a), out);
        break;
    case OFPACT_ENQUEUE:
        action_encode_enqueue(OFPACT_CAST(ofpact_enqueue, a), version, out);
        break;
    case OFPACT_OUTPUT_REG:
        action_encode_output_reg(OFPACT_CAST(ofpact_output_reg, a), out);
        break;
    case OFPACT_OUTPUT_TRUNC:
        action_encode_output_trunc(OFPACT_CAST(ofpact_output_trunc, a), out);
        break;
    case OFPACT_BUNDLE:
        action_encode_bundle(OFPACT_CAST(ofpact_bundle, a), out);
        break;
    case OFPACT_GROUP:
        if (version == OFP10_VERSION) {
            action_put_nx_u32(out, NXAST_GROUP, OFPACT_CAST(ofpact_group, a)->group_id);
        } else {
            action_put_u32(out, OFPAT11_GROUP, OFPACT_CAST(ofpact_group, a)->group_id);
        }
        break;
    case OFPACT_SET_FIELD:
        action_encode_set_field(OFPACT_CAST(ofpact_set_field, a), version, out);
        break;
    case OFPACT_REG_MOVE:
        action_encode_move(OFPACT_CAST(ofpact_reg_move, a), version, out);
        break;
    case OFPACT_STACK_PUSH:
    case OFPACT_STACK_POP:
        action_encode_stack(OFPACT_CAST(ofpact_stack, a), out);
        break;
    case OFPACT_DELETE_FIELD:
        action_encode_delete_field(OFPACT_CAST(ofpact_delete_field, a), out);
        break;
    case OFPACT_SET_VLAN_VID:
    case OFPACT_SET_VLAN_PCP:
    case OFPACT_STRIP_VLAN:
    case OFPACT_PUSH_VLAN:
    case OFPACT_SET_ETH_SRC:
    case OFPACT_SET_ETH_DST:
    case OFPACT_SET_IPV4_SRC:
    case OFPACT_SET_IPV4_DST:
    case OFPACT_SET_IP_DSCP:
    case OFPACT_SET_IP_ECN:
    case OFPACT_SET_IP_TTL:
    case OFPACT_SET_L4_SRC_PORT:
    case OFPACT_SET_L4_DST_PORT:
    case OFPACT_DEC_TTL:
    case OFPACT_SET_MPLS_LABEL:
    case OFPACT_SET_MPLS_TC:
    case OFPACT_SET_MPLS_TTL:
    case OFPACT_DEC_MPLS_TTL:
    case OFPACT_PUSH_MPLS:
    case OFPACT_POP_MPLS:
        action_encode_header_change(a, version, out);
        break;
    case OFPACT_SET_TUNNEL:
        action_encode_set_tunnel(OFPACT_CAST(ofpact_tunnel, a), version, out);
        break;
    case OFPACT_SET_QUEUE:
        action_encode_set_queue(OFPACT_CAST(ofpact_queue, a)->queue_id, version, out);
        break;
    case OFPACT_POP_QUEUE:
        action_put_empty_nx(out, NXAST_POP_QUEUE);
        break;
    case OFPACT_FIN_TIMEOUT:
        action_encode_fin_timeout(OFPACT_CAST(ofpact_fin_timeout, a), out);
        break;
    case OFPACT_RESUBMIT:
        action_encode_resubmit(OFPACT_CAST(ofpact_resubmit, a), out);
        break;
    case OFPACT_LEARN:
        action_encode_learn(OFPACT_CAST(ofpact_learn, a), out);
        break;
    case OFPACT_CONJUNCTION:
        action_encode_conjunction(OFPACT_CAST(ofpact_conjunction, a), out);
        break;
    case OFPACT_MULTIPATH:
        action_encode_multipath(OFPACT_CAST(ofpact_multipath, a), out);
        break;
    case OFPACT_NOTE:
        action_encode_note(OFPACT_CAST(ofpact_note, a), out);
        break;
    case OFPACT_EXIT:
        action_put_empty_nx(out, NXAST_EXIT);
        break;
    case OFPACT_DEBUG_RECIRC:
        action_put_empty_nx(out, NXAST_DEBUG_RECIRC);
        break;
    case OFPACT_SAMPLE:
        action_encode_sample(OFPACT_CAST(ofpact_sample, a), out);
        break;
    case OFPACT_CLONE:
        action_encode_clone(OFPACT_CAST(ofpact_nest, a), version, out);
        break;
    case OFPACT_CHECK_PKT_LARGER:
        action_encode_check_pkt(OFPACT_CAST(ofpact_check_pkt, a), out);
        break;
    case OFPACT_CT:
        action_encode_ct(OFPACT_CAST(ofpact_ct, a), version, out);
        break;
    case OFPACT_CT_CLEAR:
        action_put_empty_nx(out, NXAST_CT_CLEAR);
        break;
    case OFPACT_NAT:
        action_encode_nat(OFPACT_CAST(ofpact_nat, a), out);
        break;
    case OFPACT_METER:
        if (version >= OFP15_VERSION) {
            action_put_u32(out, OFPAT15_METER, OFPACT_CAST(ofpact_meter, a)->meter_id);
        }
        break;
    case OFPACT_WRITE_METADATA:
        action_encode_metadata_action(OFPACT_CAST(ofpact_metadata, a), version, out);
        break;
    case OFPACT_GOTO_TABLE:
        if (version == OFP10_VERSION) {
            action_put_resubmit(OFPP_IN_PORT, OFPACT_CAST(ofpact_goto_table, a)->table_id,
                                NXAST_RESUBMIT_TABLE, out);
        }
        break;
    case OFPACT_CLEAR_ACTIONS:
    case OFPACT_WRITE_ACTIONS:
        break;
    }
}

void
ofpacts_encode(const struct ofpact *acts, size_t size, enum ofp_version version, struct wr *out)
{
    OFPACT_FOR_EACH(a, acts, size)
    {
        action_encode_one(a, version, out);
    }
}
