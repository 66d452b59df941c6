// SPDX-License-Identifier: Apache-2.0
/* Actions as text.
 *
 * See ofp_text.h.  The text is what the stock tools print for the same action, because operators,
 * scripts and tests compare it; ovs-actions(7) documents it.  Used by ofproto/trace,
 * bridge/dump-flows and logs.
 */
#include "base/util.h"
#include "openflow/action_wire.h"
#include "openflow/ofp_flow.h"
#include "openflow/ofp_packet.h"
#include "openflow/ofp_text.h"

#include <ctype.h>
#include <inttypes.h>
#include <strings.h>

static const struct {
    ofp_port_t port;
    const char *name;
} reserved_ports[] = {
    {OFPP_IN_PORT, "IN_PORT"}, {OFPP_TABLE, "TABLE"}, {OFPP_NORMAL, "NORMAL"},
    {OFPP_FLOOD, "FLOOD"},     {OFPP_ALL, "ALL"},     {OFPP_CONTROLLER, "CONTROLLER"},
    {OFPP_LOCAL, "LOCAL"},     {OFPP_NONE, "ANY"},    {OFPP_UNSET, "UNSET"},
    {OFPP_NONE, "NONE"}, /* For parsing only: ANY comes first. */
};

static bool
name_needs_quotes(const char *name)
{
    if (!isalpha((unsigned char)name[0])) {
        return true;
    }
    for (const char *p = name; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("_-.", *p)) {
            return true;
        }
    }
    return false;
}

static void
put_port_name(const char *name, struct text *out)
{
    if (!name_needs_quotes(name)) {
        text_put(out, name);
        return;
    }
    text_putc(out, '"');
    for (; *name; name++) {
        if (*name == '"' || *name == '\\') {
            text_putc(out, '\\');
        }
        text_putc(out, *name);
    }
    text_putc(out, '"');
}

void
ofp_port_format(ofp_port_t port, const struct mf_port_names *ports, struct text *out)
{
    const char *name;

    for (size_t i = 0; i < ARRAY_SIZE(reserved_ports); i++) {
        if (reserved_ports[i].port == port) {
            text_put(out, reserved_ports[i].name);
            return;
        }
    }
    name = ports && ports->name ? ports->name(ports->aux, port) : NULL;
    if (name) {
        put_port_name(name, out);
    } else {
        text_printf(out, "%" PRIu32, (uint32_t)port);
    }
}

bool
ofp_port_parse(const char *s, const struct mf_port_names *ports, ofp_port_t *port)
{
    unsigned int x;

    if (str_to_uint(s, 0, &x)) {
        if (x > UINT16_MAX && !ofp_port_from_wire32(x, port)) {
            return false;
        }
        *port = x > UINT16_MAX ? *port : x;
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(reserved_ports); i++) {
        if (!strcasecmp(s, reserved_ports[i].name)) {
            *port = reserved_ports[i].port;
            return true;
        }
    }
    return ports && ports->lookup && ports->lookup(ports->aux, s, port);
}

static void
format_output(const struct ofpact_output *a, const struct mf_port_names *ports, struct text *out)
{
    if (a->port < OFPP_MAX) {
        text_put(out, "output:");
    }
    ofp_port_format(a->port, ports, out);
    if (a->port == OFPP_CONTROLLER) {
        text_printf(out, ":%" PRIu16, a->max_len);
    }
}

static void
put_bytes(struct text *out, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        text_printf(out, "%s%02" PRIx8, i ? "." : "", p[i]);
    }
}

static void
format_controller(const struct ofpact_controller *a, struct text *out)
{
    if (a->reason == OFPR_ACTION && !a->controller_id && !a->userdata_len && !a->pause &&
        a->meter_id == OFP_METER_NONE) {
        text_printf(out, "CONTROLLER:%" PRIu16, a->max_len);
        return;
    }
    text_put(out, "controller(");
    if (a->reason != OFPR_ACTION) {
        text_printf(out, "reason=%s,", ofp_packet_in_reason_name(a->reason));
    }
    if (a->max_len != UINT16_MAX) {
        text_printf(out, "max_len=%" PRIu16 ",", a->max_len);
    }
    if (a->controller_id) {
        text_printf(out, "id=%" PRIu16 ",", a->controller_id);
    }
    if (a->userdata_len) {
        text_put(out, "userdata=");
        put_bytes(out, a->userdata, a->userdata_len);
        text_putc(out, ',');
    }
    if (a->pause) {
        text_put(out, "pause,");
    }
    if (a->meter_id != OFP_METER_NONE) {
        text_printf(out, "meter_id=%" PRIu32 ",", a->meter_id);
    }
    text_chomp(out, ',');
    text_putc(out, ')');
}

static void
format_bundle(const struct ofpact_bundle *a, const struct mf_port_names *ports, struct text *out)
{
    text_printf(out, "%s(%s,%" PRIu16 ",%s,ofport,", a->dst.n_bits ? "bundle_load" : "bundle",
                ofp_hash_fields_name(a->fields), a->basis,
                a->algorithm == OFP_BUNDLE_HRW ? "hrw" : "active_backup");
    if (a->dst.n_bits) {
        mf_format_subfield(&a->dst, out);
        text_putc(out, ',');
    }
    text_put(out, "members:");
    for (int i = 0; i < a->n_members; i++) {
        if (i) {
            text_putc(out, ',');
        }
        ofp_port_format(a->members[i], ports, out);
    }
    text_putc(out, ')');
}

static void
format_set_field(const struct ofpact_set_field *a, const struct mf_port_names *ports,
                 struct text *out)
{
    const struct mf_field *mf = mf_from_id(a->field);

    if (a->ofpact.raw == OFPACT_RAW_REG_LOAD) {
        struct mf_subfield dst;
        unsigned int next = 0;
        uint64_t value;

        while (action_next_load(a, &next, &dst, &value)) {
            text_printf(out, "load:%#" PRIx64 "->", value);
            mf_format_subfield(&dst, out);
            text_putc(out, ',');
        }
        text_chomp(out, ',');
    } else {
        union mf_value value = {.w = {0, 0}}, mask = {.w = {0, 0}};

        memcpy(value.b, ofpact_set_field_value(a), a->n_bytes);
        memcpy(mask.b, ofpact_set_field_mask(a), a->n_bytes);
        text_put(out, "set_field:");
        mf_format(mf, &value, mf_is_exact(mf, &mask) ? NULL : &mask, ports, out);
        text_printf(out, "->%s", mf->name);
    }
}

static void
format_move(const struct ofpact_reg_move *a, struct text *out)
{
    text_put(out, "move:");
    mf_format_subfield(&a->src, out);
    text_put(out, "->");
    mf_format_subfield(&a->dst, out);
}

static void
format_dec_ttl(const struct ofpact_cnt_ids *a, struct text *out)
{
    text_put(out, "dec_ttl");
    if (a->ofpact.raw != OFPACT_RAW_CNT_IDS) {
        return;
    }
    text_putc(out, '(');
    for (uint32_t i = 0; i < a->n_controllers; i++) {
        text_printf(out, "%s%" PRIu16, i ? "," : "", a->ids[i]);
    }
    text_putc(out, ')');
}

static void
format_fin_timeout(const struct ofpact_fin_timeout *a, struct text *out)
{
    text_put(out, "fin_timeout(");
    if (a->idle_timeout) {
        text_printf(out, "idle_timeout=%" PRIu16 ",", a->idle_timeout);
    }
    if (a->hard_timeout) {
        text_printf(out, "hard_timeout=%" PRIu16 ",", a->hard_timeout);
    }
    text_chomp(out, ',');
    text_putc(out, ')');
}

static void
format_resubmit(const struct ofpact_resubmit *a, const struct mf_port_names *ports,
                struct text *out)
{
    if (a->port != OFPP_IN_PORT && a->table_id == OFP_TABLE_ALL && !a->with_ct_orig) {
        text_put(out, "resubmit:");
        ofp_port_format(a->port, ports, out);
        return;
    }
    text_put(out, "resubmit(");
    if (a->port != OFPP_IN_PORT) {
        ofp_port_format(a->port, ports, out);
    }
    text_putc(out, ',');
    if (a->table_id != OFP_TABLE_ALL) {
        text_printf(out, "%" PRIu8, a->table_id);
    }
    text_put(out, a->with_ct_orig ? ",ct)" : ")");
}

static void
format_multipath(const struct ofpact_multipath *a, struct text *out)
{
    static const char *const algorithms[] = {"modulo_n", "hash_threshold", "hrw", "iter_hash"};

    text_printf(out, "multipath(%s,%" PRIu16 ",%s,%d,%" PRIu32 ",", ofp_hash_fields_name(a->fields),
                a->basis, algorithms[a->algorithm & 3], a->max_link + 1, a->arg);
    mf_format_subfield(&a->dst, out);
    text_putc(out, ')');
}

static void
format_sample(const struct ofpact_sample *a, const struct mf_port_names *ports, struct text *out)
{
    text_printf(out,
                "sample(probability=%" PRIu16 ",collector_set_id=%" PRIu32 ",obs_domain_id=%" PRIu32
                ",obs_point_id=%" PRIu32,
                a->probability, a->collector_set_id, a->obs_domain_id, a->obs_point_id);
    if (a->sampling_port != OFPP_NONE) {
        text_put(out, ",sampling_port=");
        ofp_port_format(a->sampling_port, ports, out);
    }
    text_put(out, a->direction == 1 ? ",ingress)" : a->direction == 2 ? ",egress)" : ")");
}

static void
format_nest(const char *name, const struct ofpact_nest *a, const struct mf_port_names *ports,
            struct text *out)
{
    size_t size;
    const struct ofpact *acts = ofpact_nest_actions(a, &size);

    text_printf(out, "%s(", name);
    ofpacts_format(acts, size, ports, out);
    text_putc(out, ')');
}

static void
format_metadata(const struct ofpact_metadata *a, struct text *out)
{
    text_printf(out, "write_metadata:%#" PRIx64, a->metadata);
    if (a->mask != UINT64_MAX) {
        text_printf(out, "/%#" PRIx64, a->mask);
    }
}

/* The old header changes: a name, a colon, a value. */
static void
format_header_change(const struct ofpact *a, struct text *out)
{
    const struct ofpact_vlan_vid *vid = OFPACT_CAST(ofpact_vlan_vid, a);
    const struct ofpact_vlan_pcp *pcp = OFPACT_CAST(ofpact_vlan_pcp, a);
    struct rte_ether_addr mac;

    switch ((int)a->type) {
    case OFPACT_SET_VLAN_VID:
        text_printf(out, "%s:%" PRIu16, vid->push_vlan_if_needed ? "mod_vlan_vid" : "set_vlan_vid",
                    vid->vid);
        break;
    case OFPACT_SET_VLAN_PCP:
        text_printf(out, "%s:%" PRIu8, pcp->push_vlan_if_needed ? "mod_vlan_pcp" : "set_vlan_pcp",
                    pcp->pcp);
        break;
    case OFPACT_SET_ETH_SRC:
    case OFPACT_SET_ETH_DST:
        memcpy(&mac, OFPACT_CAST(ofpact_mac, a)->mac, sizeof mac);
        text_printf(out, "%s:", ofpact_type_name(a->type));
        text_put_eth(out, &mac);
        break;
    case OFPACT_SET_IPV4_SRC:
    case OFPACT_SET_IPV4_DST:
        text_printf(out, "%s:", ofpact_type_name(a->type));
        text_put_ipv4(out, OFPACT_CAST(ofpact_ipv4, a)->ipv4);
        break;
    case OFPACT_SET_IP_DSCP:
    case OFPACT_SET_IP_ECN:
    case OFPACT_SET_IP_TTL:
        text_printf(out, "%s:%" PRIu8, ofpact_type_name(a->type), OFPACT_CAST(ofpact_u8, a)->value);
        break;
    case OFPACT_SET_L4_SRC_PORT:
    case OFPACT_SET_L4_DST_PORT:
        text_printf(out, "%s:%" PRIu16, ofpact_type_name(a->type),
                    OFPACT_CAST(ofpact_l4_port, a)->port);
        break;
    case OFPACT_SET_MPLS_LABEL:
        text_printf(out, "set_mpls_label(%" PRIu32 ")", OFPACT_CAST(ofpact_mpls_label, a)->label);
        break;
    case OFPACT_SET_MPLS_TC:
    case OFPACT_SET_MPLS_TTL:
        text_printf(out, "%s(%" PRIu8 ")", ofpact_type_name(a->type),
                    OFPACT_CAST(ofpact_u8, a)->value);
        break;
    case OFPACT_PUSH_MPLS:
    case OFPACT_POP_MPLS:
        text_printf(out, "%s:0x%04" PRIx16, ofpact_type_name(a->type),
                    OFPACT_CAST(ofpact_ethertype, a)->ethertype);
        break;
    default:
        break;
    }
}

void
ofpact_format(const struct ofpact *a, const struct mf_port_names *ports, struct text *out)
{
    const struct ofpact_conjunction *conj;
    const struct ofpact_tunnel *tunnel;

    switch ((enum ofpact_type)a->type) {
    case OFPACT_OUTPUT:
        format_output(OFPACT_CAST(ofpact_output, a), ports, out);
        break;
    case OFPACT_CONTROLLER:
        format_controller(OFPACT_CAST(ofpact_controller, a), out);
        break;
    case OFPACT_ENQUEUE:
        text_put(out, "enqueue:");
        ofp_port_format(OFPACT_CAST(ofpact_enqueue, a)->port, ports, out);
        text_printf(out, ":%" PRIu32, OFPACT_CAST(ofpact_enqueue, a)->queue);
        break;
    case OFPACT_OUTPUT_REG:
        text_put(out, "output:");
        mf_format_subfield(&OFPACT_CAST(ofpact_output_reg, a)->src, out);
        break;
    case OFPACT_OUTPUT_TRUNC:
        text_put(out, "output(port=");
        ofp_port_format(OFPACT_CAST(ofpact_output_trunc, a)->port, ports, out);
        text_printf(out, ",max_len=%" PRIu32 ")", OFPACT_CAST(ofpact_output_trunc, a)->max_len);
        break;
    case OFPACT_BUNDLE:
        format_bundle(OFPACT_CAST(ofpact_bundle, a), ports, out);
        break;
    case OFPACT_GROUP:
        text_printf(out, "group:%" PRIu32, OFPACT_CAST(ofpact_group, a)->group_id);
        break;
    case OFPACT_SET_FIELD:
        format_set_field(OFPACT_CAST(ofpact_set_field, a), ports, out);
        break;
    case OFPACT_REG_MOVE:
        format_move(OFPACT_CAST(ofpact_reg_move, a), out);
        break;
    case OFPACT_STACK_PUSH:
    case OFPACT_STACK_POP:
        text_put(out, a->type == OFPACT_STACK_PUSH ? "push:" : "pop:");
        mf_format_subfield(&OFPACT_CAST(ofpact_stack, a)->subfield, out);
        break;
    case OFPACT_DELETE_FIELD:
        text_printf(out, "delete_field:%s",
                    mf_from_id(OFPACT_CAST(ofpact_delete_field, a)->field)->name);
        break;
    case OFPACT_STRIP_VLAN:
        text_put(out, a->raw == OFPACT_RAW_POP_VLAN ? "pop_vlan" : "strip_vlan");
        break;
    case OFPACT_PUSH_VLAN:
        text_printf(out, "push_vlan:0x%04" PRIx16, OFPACT_CAST(ofpact_push_vlan, a)->ethertype);
        break;
    case OFPACT_SET_VLAN_VID:
    case OFPACT_SET_VLAN_PCP:
    case OFPACT_SET_ETH_SRC:
    case OFPACT_SET_ETH_DST:
    case OFPACT_SET_IPV4_SRC:
    case OFPACT_SET_IPV4_DST:
    case OFPACT_SET_IP_DSCP:
    case OFPACT_SET_IP_ECN:
    case OFPACT_SET_IP_TTL:
    case OFPACT_SET_L4_SRC_PORT:
    case OFPACT_SET_L4_DST_PORT:
    case OFPACT_SET_MPLS_LABEL:
    case OFPACT_SET_MPLS_TC:
    case OFPACT_SET_MPLS_TTL:
    case OFPACT_PUSH_MPLS:
    case OFPACT_POP_MPLS:
        format_header_change(a, out);
        break;
    case OFPACT_DEC_TTL:
        format_dec_ttl(OFPACT_CAST(ofpact_cnt_ids, a), out);
        break;
    case OFPACT_SET_TUNNEL:
        tunnel = OFPACT_CAST(ofpact_tunnel, a);
        text_printf(out, "set_tunnel%s:%#" PRIx64,
                    tunnel->tun_id > UINT32_MAX || a->raw == OFPACT_RAW_SET_TUNNEL64 ? "64" : "",
                    tunnel->tun_id);
        break;
    case OFPACT_SET_QUEUE:
        text_printf(out, "set_queue:%" PRIu32, OFPACT_CAST(ofpact_queue, a)->queue_id);
        break;
    case OFPACT_FIN_TIMEOUT:
        format_fin_timeout(OFPACT_CAST(ofpact_fin_timeout, a), out);
        break;
    case OFPACT_RESUBMIT:
        format_resubmit(OFPACT_CAST(ofpact_resubmit, a), ports, out);
        break;
    case OFPACT_LEARN:
        action_format_learn(OFPACT_CAST(ofpact_learn, a), ports, out);
        break;
    case OFPACT_CONJUNCTION:
        conj = OFPACT_CAST(ofpact_conjunction, a);
        text_printf(out, "conjunction(%" PRIu32 ",%d/%" PRIu8 ")", conj->id, conj->clause + 1,
                    conj->n_clauses);
        break;
    case OFPACT_MULTIPATH:
        format_multipath(OFPACT_CAST(ofpact_multipath, a), out);
        break;
    case OFPACT_NOTE:
        text_put(out, "note:");
        put_bytes(out, OFPACT_CAST(ofpact_note, a)->data, OFPACT_CAST(ofpact_note, a)->n);
        break;
    case OFPACT_SAMPLE:
        format_sample(OFPACT_CAST(ofpact_sample, a), ports, out);
        break;
    case OFPACT_CLONE:
    case OFPACT_WRITE_ACTIONS:
        format_nest(ofpact_type_name(a->type), OFPACT_CAST(ofpact_nest, a), ports, out);
        break;
    case OFPACT_CHECK_PKT_LARGER:
        text_printf(out, "check_pkt_larger(%" PRIu16 ")->",
                    OFPACT_CAST(ofpact_check_pkt, a)->pkt_len);
        mf_format_subfield(&OFPACT_CAST(ofpact_check_pkt, a)->dst, out);
        break;
    case OFPACT_CT:
        action_format_ct(OFPACT_CAST(ofpact_ct, a), ports, out);
        break;
    case OFPACT_NAT:
        action_format_nat(OFPACT_CAST(ofpact_nat, a), out);
        break;
    case OFPACT_METER:
        text_printf(out, "meter:%" PRIu32, OFPACT_CAST(ofpact_meter, a)->meter_id);
        break;
    case OFPACT_WRITE_METADATA:
        format_metadata(OFPACT_CAST(ofpact_metadata, a), out);
        break;
    case OFPACT_GOTO_TABLE:
        text_printf(out, "goto_table:%" PRIu8, OFPACT_CAST(ofpact_goto_table, a)->table_id);
        break;
    case OFPACT_DEC_MPLS_TTL:
    case OFPACT_POP_QUEUE:
    case OFPACT_EXIT:
    case OFPACT_DEBUG_RECIRC:
    case OFPACT_CT_CLEAR:
    case OFPACT_CLEAR_ACTIONS:
        text_put(out, ofpact_type_name(a->type));
        break;
    }
}

void
ofpacts_format(const struct ofpact *acts, size_t size, const struct mf_port_names *ports,
               struct text *out)
{
    if (!size) {
        text_put(out, "drop");
        return;
    }
    OFPACT_FOR_EACH(a, acts, size)
    {
        if (a != acts) {
            text_putc(out, ',');
        }
        ofpact_format(a, ports, out);
    }
}

void
ofp_flow_format_line(const struct ofp_flow_stats *fs, const struct mf_port_names *ports,
                     struct text *out)
{
    if (fs->table_id) {
        text_printf(out, "table_id=%" PRIu8 ", ", fs->table_id);
    }
    text_printf(out, "duration=%" PRIu32 "s, n_packets=%" PRIu64 ", n_bytes=%" PRIu64 ", ",
                fs->duration_sec, fs->n_packets, fs->n_bytes);
    match_format(fs->match, ports, out, fs->priority);
    text_put(out, ",actions=");
    ofpacts_format(fs->actions, fs->actions_size, ports, out);
}
