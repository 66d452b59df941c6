// SPDX-License-Identifier: Apache-2.0
/* Actions from text.
 *
 * The reverse of action_format.c for what start-up files and 'ofproto/trace' need: everything but learn, ct, nat, sample,
 * bundle, multipath and write_actions, which are refused by name (controllers send those on the wire).  The stock ovs-ofctl
 * parses by itself and never comes here.
 */
#include "base/util.h"
#include "flow/text.h"
#include "openflow/ofp_flow.h"
#include "openflow/ofp_packet.h"
#include "openflow/ofp_text.h"

#include <stdlib.h>
#include <strings.h>

struct parser {
    const struct mf_port_names *ports;
    struct ofpacts *out;
    unsigned int depth;
};

typedef char *parse_fn(struct parser *, enum ofpact_type, char *arg);

static char *parse_list(struct parser *, char *text);

/* --- small pieces -------------------------------------------------------------------------- */

static char *
parse_number(const char *text, uint64_t max, uint64_t *value)
{
    const char *s = text;

    if (!scan_u64(&s, max, value) || *s) {
        return text_error("'%s' is not a number up to %llu", text, (unsigned long long) max);
    }
    return NULL;
}

static char *
parse_port(struct parser *p, const char *text, uint16_t *port)
{
    ofp_port_t n;

    if (!ofp_port_parse(text, p->ports, &n)) {
        return text_error("'%s' is not a port", text);
    }
    *port = (uint16_t) n;
    return NULL;
}

/* Cuts the next part off '*s' at 'sep' outside parentheses and brackets; NULL at the end. */
static char *
next_part(char **s, char sep)
{
    char *start = *s, *c;
    int depth = 0;

    if (!start) {
        return NULL;
    }
    for (c = start; *c && (*c != sep || depth); c++) {
        depth += *c == '(' || *c == '[';
        depth -= *c == ')' || *c == ']';
    }
    *s = *c ? c + 1 : NULL;
    *c = '\0';
    return start;
}

/* Splits "a->b"; false if there is no arrow. */
static bool
split_arrow(char *arg, char **left, char **right)
{
    char *arrow = strstr(arg, "->");

    if (!arrow) {
        return false;
    }
    *arrow = '\0';
    *left = arg;
    *right = arrow + 2;
    return true;
}

/* --- output -------------------------------------------------------------------------------- */

static char *
put_output(struct parser *p, const char *port_text, const char *max_len_text)
{
    uint64_t max_len = UINT16_MAX;
    struct ofpact_output *o;
    uint16_t port = 0;
    char *error = parse_port(p, port_text, &port);

    if (!error && max_len_text) {
        error = parse_number(max_len_text, UINT16_MAX, &max_len);
    }
    if (!error) {
        o = ofpacts_put_struct(p->out, OUTPUT, struct ofpact_output);
        o->port = port;
        o->max_len = port == OFPP_CONTROLLER ? (uint16_t) max_len : 0;
    }
    return error;
}

static char *
parse_output(struct parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_output_reg *reg;
    struct mf_subfield src;
    (void) type;

    if (!strchr(arg, '[')) {
        return put_output(p, arg, NULL);
    }
    memset(&src, 0, sizeof src);
    char *error = mf_parse_subfield(&src, arg);
    if (!error) {
        reg = ofpacts_put_struct(p->out, OUTPUT_REG, struct ofpact_output_reg);
        memcpy(&reg->src, &src, sizeof src);
        reg->max_len = UINT16_MAX;
    }
    return error;
}

static char *
parse_controller(struct parser *p, enum ofpact_type type, char *arg)
{
    uint64_t max_len = UINT16_MAX, id = 0;
    struct ofpact_controller *c;
    char *part, *error = NULL;

    (void) type;
    if (!*arg || (*arg >= '0' && *arg <= '9')) {
        return put_output(p, "CONTROLLER", *arg ? arg : NULL);
    }
    while (!error && (part = next_part(&arg, ','))) {
        char *value = part, *key = next_part(&value, '=');

        if (value && !strcmp(key, "max_len")) {
            error = parse_number(value, UINT16_MAX, &max_len);
        } else if (value && !strcmp(key, "id")) {
            error = parse_number(value, UINT16_MAX, &id);
        } else if (!value || strcmp(key, "reason") || strcmp(value, "action")) {
            error = text_error("controller: '%s' is not understood", key);
        }
    }
    if (!error && !id) {
        struct ofpact_output *o = ofpacts_put_struct(p->out, OUTPUT, struct ofpact_output);

        o->port = OFPP_CONTROLLER;
        o->max_len = (uint16_t) max_len;
    } else if (!error) {
        c = ofpacts_put_struct(p->out, CONTROLLER, struct ofpact_controller);
        c->max_len = (uint16_t) max_len;
        c->controller_id = (uint16_t) id;
        c->reason = OFPR_ACTION;
        c->meter_id = OFP_METER_NONE;
    }
    return error;
}

static char *
parse_enqueue(struct parser *p, enum ofpact_type type, char *arg)
{
    char *queue_text = arg, *port_text = next_part(&queue_text, ':');
    struct ofpact_enqueue *e;
    uint64_t queue;
    uint16_t port = 0;
    char *error;

    (void) type;
    if (!queue_text) {
        return text_error("enqueue: needs PORT:QUEUE");
    }
    error = parse_port(p, port_text, &port);
    if (!error) {
        error = parse_number(queue_text, UINT32_MAX, &queue);
    }
    if (!error) {
        e = ofpacts_put_struct(p->out, ENQUEUE, struct ofpact_enqueue);
        e->port = port;
        e->queue = (uint32_t) queue;
    }
    return error;
}

static char *
parse_resubmit(struct parser *p, enum ofpact_type type, char *arg)
{
    char *table_text = arg, *port_text = next_part(&table_text, ',');
    uint64_t table = 255;
    uint16_t port = OFPP_IN_PORT;
    struct ofpact_resubmit *r;
    char *error = *port_text ? parse_port(p, port_text, &port) : NULL;

    (void) type;
    if (!error && table_text && *table_text) {
        error = parse_number(table_text, 255, &table);
    }
    if (!error) {
        r = ofpacts_put_struct(p->out, RESUBMIT, struct ofpact_resubmit);
        r->ofpact.raw = table_text ? OFPACT_RAW_RESUBMIT_TABLE : OFPACT_RAW_DEFAULT;
        r->port = port;
        r->table_id = (uint8_t) table;
    }
    return error;
}

/* --- fields -------------------------------------------------------------------------------- */

static char *
parse_set_field(struct parser *p, enum ofpact_type type, char *arg)
{
    union mf_value value, mask;
    const struct mf_field *mf;
    char *left, *right, *error;

    (void) type;
    if (!split_arrow(arg, &left, &right)) {
        return text_error("set_field: needs VALUE->FIELD");
    }
    mf = mf_from_name(right);
    if (!mf || !mf->writable) {
        return text_error("set_field: '%s' is not a field that can be set", right);
    }
    error = mf_parse(mf, left, p->ports, &value, &mask);
    if (!error && !mf_is_value_valid(mf, &value)) {
        error = text_error("set_field: '%s' is not a value of %s", left, mf->name);
    }
    if (!error) {
        ofpacts_put_set_field(p->out, mf->id, value.b, mask.b);
    }
    return error;
}

static char *
parse_load(struct parser *p, enum ofpact_type type, char *arg)
{
    union mf_value value = { .w = { 0, 0 } }, field_value, field_mask;
    struct ofpact_set_field *sf;
    struct mf_subfield dst;
    char *left, *right, *error;
    uint64_t n;

    (void) type;
    if (!split_arrow(arg, &left, &right)) {
        return text_error("load: needs VALUE->FIELD[]");
    }
    error = parse_number(left, UINT64_MAX, &n);
    if (!error) {
        error = mf_parse_subfield(&dst, right);
    }
    if (!error && dst.n_bits < 64 && n >> dst.n_bits) {
        error = text_error("load: %s does not fit %s", left, right);
    }
    if (error) {
        return error;
    }
    for (int i = 0; i < 8; i++) {
        value.b[15 - i] = (uint8_t) (n >> i * 8);
    }
    mf_subfield_to_field(&dst, &value, &field_value, &field_mask);
    sf = ofpacts_put_set_field(p->out, dst.field->id, field_value.b, field_mask.b);
    sf->ofpact.raw = OFPACT_RAW_REG_LOAD;
    return NULL;
}

static char *
parse_move(struct parser *p, enum ofpact_type type, char *arg)
{
    /* Zeroed whole: lists are compared byte by byte. */
    struct mf_subfield src, dst;
    struct ofpact_reg_move *m;
    char *left, *right, *error;

    (void) type;
    memset(&src, 0, sizeof src);
    memset(&dst, 0, sizeof dst);
    if (!split_arrow(arg, &left, &right)) {
        return text_error("move: needs FIELD[]->FIELD[]");
    }
    error = mf_parse_subfield(&src, left);
    if (!error) {
        error = mf_parse_subfield(&dst, right);
    }
    if (!error && src.n_bits != dst.n_bits) {
        error = text_error("move: %s and %s differ in size", left, right);
    }
    if (!error) {
        m = ofpacts_put_struct(p->out, REG_MOVE, struct ofpact_reg_move);
        memcpy(&m->src, &src, sizeof src);
        memcpy(&m->dst, &dst, sizeof dst);
    }
    return error;
}

static char *
parse_stack(struct parser *p, enum ofpact_type type, char *arg)
{
    struct mf_subfield sf;
    struct ofpact_stack *s;
    char *error;

    memset(&sf, 0, sizeof sf);
    error = mf_parse_subfield(&sf, arg);
    if (!error) {
        s = ofpacts_put(p->out, type, sizeof *s);
        memcpy(&s->subfield, &sf, sizeof sf);
    }
    return error;
}

/* --- header changes ------------------------------------------------------------------------ */

static char *
parse_vlan_vid(struct parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_vlan_vid *v;
    uint64_t vid;
    char *error = parse_number(arg, VLAN_VID_MASK, &vid);

    if (!error) {
        v = ofpacts_put(p->out, type, sizeof *v);
        v->vid = (uint16_t) vid;
        v->push_vlan_if_needed = true;
    }
    return error;
}

static char *
parse_vlan_pcp(struct parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_vlan_pcp *v;
    uint64_t pcp;
    char *error = parse_number(arg, 7, &pcp);

    if (!error) {
        v = ofpacts_put(p->out, type, sizeof *v);
        v->pcp = (uint8_t) pcp;
        v->push_vlan_if_needed = true;
    }
    return error;
}

/* push_vlan, push_mpls and pop_mpls: both structures have the EtherType first. */
static char *
parse_ethertype(struct parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_ethertype *e;
    uint64_t ethertype;
    char *error = parse_number(arg, UINT16_MAX, &ethertype);

    static_assert(offsetof(struct ofpact_ethertype, ethertype)
                      == offsetof(struct ofpact_push_vlan, ethertype),
                  "one parser for both");
    if (!error && type == OFPACT_PUSH_VLAN && ethertype != ETH_TYPE_VLAN
        && ethertype != ETH_TYPE_QINQ) {
        error = text_error("push_vlan: %s is no VLAN EtherType", arg);
    }
    if (!error) {
        e = ofpacts_put(p->out, type, sizeof *e);
        e->ethertype = (uint16_t) ethertype;
    }
    return error;
}

static char *
parse_mac(struct parser *p, enum ofpact_type type, char *arg)
{
    struct rte_ether_addr mac;
    struct ofpact_mac *m;
    const char *s = arg;

    if (!scan_eth(&s, &mac) || *s) {
        return text_error("'%s' is not an Ethernet address", arg);
    }
    m = ofpacts_put(p->out, type, sizeof *m);
    memcpy(m->mac, &mac, sizeof m->mac);
    return NULL;
}

static char *
parse_ipv4(struct parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_ipv4 *a;
    const char *s = arg;
    rte_be32_t ip;

    if (!scan_ipv4(&s, &ip) || *s) {
        return text_error("'%s' is not an IPv4 address", arg);
    }
    a = ofpacts_put(p->out, type, sizeof *a);
    a->ipv4 = ip;
    return NULL;
}

static char *
parse_u8(struct parser *p, enum ofpact_type type, char *arg)
{
    uint64_t max = type == OFPACT_SET_IP_ECN ? 3 : type == OFPACT_SET_MPLS_TC ? 7 : UINT8_MAX, n;
    struct ofpact_u8 *a;
    char *error = parse_number(arg, max, &n);

    if (!error && type == OFPACT_SET_IP_DSCP && n & IP_ECN_MASK) {
        error = text_error("%s: not a valid DSCP value", arg);
    }
    if (!error) {
        a = ofpacts_put(p->out, type, sizeof *a);
        a->value = (uint8_t) n;
    }
    return error;
}

static char *
parse_l4_port(struct parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_l4_port *a;
    uint64_t n;
    char *error = parse_number(arg, UINT16_MAX, &n);

    if (!error) {
        a = ofpacts_put(p->out, type, sizeof *a);
        a->port = (uint16_t) n;
    }
    return error;
}

static char *
parse_dec_ttl(struct parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_cnt_ids *a;

    (void) type;
    if (*arg) {
        return text_error("dec_ttl: controller ids are not accepted here");
    }
    a = ofpacts_put(p->out, OFPACT_DEC_TTL, sizeof *a + sizeof a->ids[0]);
    a->n_controllers = 1;
    return NULL;
}

static char *
parse_tunnel(struct parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_tunnel *a;
    uint64_t n;
    char *error = parse_number(arg, UINT64_MAX, &n);

    if (!error) {
        a = ofpacts_put(p->out, type, sizeof *a);
        a->tun_id = n;
        a->ofpact.raw = n > UINT32_MAX ? OFPACT_RAW_SET_TUNNEL64 : OFPACT_RAW_DEFAULT;
    }
    return error;
}

/* group, set_queue, meter and set_mpls_label: one 32-bit number each. */
static char *
parse_u32(struct parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_group *a;
    uint64_t n;
    char *error = parse_number(arg, type == OFPACT_SET_MPLS_LABEL ? 0xfffff : UINT32_MAX, &n);

    static_assert(offsetof(struct ofpact_group, group_id) == offsetof(struct ofpact_queue, queue_id)
                      && offsetof(struct ofpact_group, group_id)
                             == offsetof(struct ofpact_meter, meter_id)
                      && offsetof(struct ofpact_group, group_id)
                             == offsetof(struct ofpact_mpls_label, label),
                  "one parser for all");
    if (!error) {
        a = ofpacts_put(p->out, type, sizeof *a);
        a->group_id = (uint32_t) n;
    }
    return error;
}

static char *
parse_goto_table(struct parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_goto_table *a;
    uint64_t n;
    char *error = parse_number(arg, 254, &n);

    if (!error) {
        a = ofpacts_put(p->out, type, sizeof *a);
        a->table_id = (uint8_t) n;
    }
    return error;
}

static char *
parse_write_metadata(struct parser *p, enum ofpact_type type, char *arg)
{
    char *mask_text = arg, *value_text = next_part(&mask_text, '/');
    uint64_t value, mask = UINT64_MAX;
    struct ofpact_metadata *a;
    char *error = parse_number(value_text, UINT64_MAX, &value);

    if (!error && mask_text) {
        error = parse_number(mask_text, UINT64_MAX, &mask);
    }
    if (!error) {
        a = ofpacts_put(p->out, type, sizeof *a);
        a->metadata = value & mask;
        a->mask = mask;
    }
    return error;
}

static char *
parse_conjunction(struct parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_conjunction *a;
    unsigned int id, k, n;
    int end = 0;

    if (sscanf(arg, "%u,%u/%u%n", &id, &k, &n, &end) != 3 || arg[end] || n < 2 || n > 64 || !k
        || k > n) {
        return text_error("conjunction: needs ID,K/N with 1 <= K <= N, 2 <= N <= 64");
    }
    a = ofpacts_put(p->out, type, sizeof *a);
    a->id = id;
    a->clause = (uint8_t) (k - 1);
    a->n_clauses = (uint8_t) n;
    return NULL;
}

static char *
parse_null(struct parser *p, enum ofpact_type type, char *arg)
{
    if (*arg) {
        return text_error("%s takes no argument", ofpact_type_name(type));
    }
    ofpacts_put(p->out, type, sizeof(struct ofpact_null));
    return NULL;
}

static char *
parse_clone(struct parser *p, enum ofpact_type type, char *arg)
{
    size_t ofs;
    char *error;

    if (++p->depth > OFPACTS_MAX_DEPTH) {
        return text_error("actions are nested too deeply");
    }
    ofs = ofpacts_open(p->out, type, offsetof(struct ofpact_nest, actions));
    error = parse_list(p, arg);
    ofpacts_close(p->out, ofs);
    p->depth--;
    return error;
}

/* --- the whole ----------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum ofpact_type type;
    parse_fn *parse;
} parsers[] = {
    { "output", OFPACT_OUTPUT, parse_output },
    { "controller", OFPACT_CONTROLLER, parse_controller },
    { "enqueue", OFPACT_ENQUEUE, parse_enqueue },
    { "resubmit", OFPACT_RESUBMIT, parse_resubmit },
    { "group", OFPACT_GROUP, parse_u32 },
    { "set_field", OFPACT_SET_FIELD, parse_set_field },
    { "load", OFPACT_SET_FIELD, parse_load },
    { "move", OFPACT_REG_MOVE, parse_move },
    { "push", OFPACT_STACK_PUSH, parse_stack },
    { "pop", OFPACT_STACK_POP, parse_stack },
    { "mod_vlan_vid", OFPACT_SET_VLAN_VID, parse_vlan_vid },
    { "mod_vlan_pcp", OFPACT_SET_VLAN_PCP, parse_vlan_pcp },
    { "strip_vlan", OFPACT_STRIP_VLAN, parse_null },
    { "pop_vlan", OFPACT_STRIP_VLAN, parse_null },
    { "push_vlan", OFPACT_PUSH_VLAN, parse_ethertype },
    { "mod_dl_src", OFPACT_SET_ETH_SRC, parse_mac },
    { "mod_dl_dst", OFPACT_SET_ETH_DST, parse_mac },
    { "mod_nw_src", OFPACT_SET_IPV4_SRC, parse_ipv4 },
    { "mod_nw_dst", OFPACT_SET_IPV4_DST, parse_ipv4 },
    { "mod_nw_tos", OFPACT_SET_IP_DSCP, parse_u8 },
    { "mod_nw_ecn", OFPACT_SET_IP_ECN, parse_u8 },
    { "mod_nw_ttl", OFPACT_SET_IP_TTL, parse_u8 },
    { "mod_tp_src", OFPACT_SET_L4_SRC_PORT, parse_l4_port },
    { "mod_tp_dst", OFPACT_SET_L4_DST_PORT, parse_l4_port },
    { "dec_ttl", OFPACT_DEC_TTL, parse_dec_ttl },
    { "set_mpls_label", OFPACT_SET_MPLS_LABEL, parse_u32 },
    { "set_mpls_tc", OFPACT_SET_MPLS_TC, parse_u8 },
    { "set_mpls_ttl", OFPACT_SET_MPLS_TTL, parse_u8 },
    { "dec_mpls_ttl", OFPACT_DEC_MPLS_TTL, parse_null },
    { "push_mpls", OFPACT_PUSH_MPLS, parse_ethertype },
    { "pop_mpls", OFPACT_POP_MPLS, parse_ethertype },
    { "set_tunnel", OFPACT_SET_TUNNEL, parse_tunnel },
    { "set_tunnel64", OFPACT_SET_TUNNEL, parse_tunnel },
    { "set_queue", OFPACT_SET_QUEUE, parse_u32 },
    { "pop_queue", OFPACT_POP_QUEUE, parse_null },
    { "conjunction", OFPACT_CONJUNCTION, parse_conjunction },
    { "exit", OFPACT_EXIT, parse_null },
    { "clone", OFPACT_CLONE, parse_clone },
    { "ct_clear", OFPACT_CT_CLEAR, parse_null },
    { "meter", OFPACT_METER, parse_u32 },
    { "clear_actions", OFPACT_CLEAR_ACTIONS, parse_null },
    { "write_metadata", OFPACT_WRITE_METADATA, parse_write_metadata },
    { "goto_table", OFPACT_GOTO_TABLE, parse_goto_table },
};

/* One action: "name", "name:arg" or "name(arg)". */
static char *
parse_one(struct parser *p, char *text)
{
    size_t n = strcspn(text, ":(");
    char *arg = text + n;
    uint16_t port = 0;

    if (*arg == '(') {
        size_t len = strlen(arg);

        if (arg[len - 1] != ')') {
            return text_error("%s: missing ')'", text);
        }
        arg[len - 1] = '\0';
    }
    if (*arg) {
        *arg++ = '\0';
    }
    for (size_t i = 0; i < ARRAY_SIZE(parsers); i++) {
        if (!strcasecmp(text, parsers[i].name)) {
            return parsers[i].parse(p, parsers[i].type, arg);
        }
    }
    if (!*arg) {
        char *error = parse_port(p, text, &port);

        free(error);
        if (!error) {
            return put_output(p, text, NULL);
        }
    }
    return text_error("unknown action %s", text);
}

static char *
parse_list(struct parser *p, char *text)
{
    char *part, *error = NULL;

    while (!error && (part = next_part(&text, ','))) {
        part += strspn(part, " \t");
        part[strcspn(part, " \t\r\n")] = '\0';
        if (*part) {
            error = parse_one(p, part);
        }
    }
    return error;
}

char *
ofpacts_parse(const char *text, const struct mf_port_names *ports, bool instructions,
              struct ofpacts *out)
{
    struct parser p = { .ports = ports, .out = out };
    char *copy = xstrdup(text), *error = NULL;
    size_t size = out->size;

    if (strcmp(text, "drop")) {
        error = parse_list(&p, copy);
    }
    free(copy);
    for (size_t ofs = size; !error && !instructions && ofs < out->size;) {
        const struct ofpact *a = (const struct ofpact *) (const void *) (out->data + ofs);

        if (ofpact_is_instruction(a->type) && a->type != OFPACT_METER) {
            error = text_error("%s is an instruction, not an action", ofpact_type_name(a->type));
        }
        ofs += a->len;
    }
    if (error) {
        out->size = size;
    }
    return error;
}

/* --- flows --------------------------------------------------------------------------------- */

/* Takes the parts that are of the flow, not of its match, out of 'text' into 'fm'. */
static char *
parse_flow_part(struct ofp_flow_mod *fm, const char *key, const char *value, bool *is_mine)
{
    static const struct {
        const char *name;
        uint16_t flag;
    } flags[] = {
        { "send_flow_rem", OFPFF_SEND_FLOW_REM },
        { "check_overlap", OFPFF_CHECK_OVERLAP },
        { "reset_counts", OFPFF_RESET_COUNTS },
    };
    const struct {
        const char *name;
        uint16_t *field;
    } numbers[] = {
        { "idle_timeout", &fm->idle_timeout },
        { "hard_timeout", &fm->hard_timeout },
        { "importance", &fm->importance },
    };
    uint64_t n;

    *is_mine = true;
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        if (!value && !strcmp(key, flags[i].name)) {
            fm->flags |= flags[i].flag;
            return NULL;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        if (value && !strcmp(key, numbers[i].name)) {
            char *error = parse_number(value, UINT16_MAX, &n);

            *numbers[i].field = error ? 0 : (uint16_t) n;
            return error;
        }
    }
    *is_mine = false;
    return NULL;
}

static char *
parse_flow_match(struct ofp_flow_mod *fm, char *text, const struct mf_port_names *ports)
{
    struct match_extra extra = { 0 };
    struct text rest = { 0 };
    char *part, *error = NULL;

    while (!error && (part = next_part(&text, ','))) {
        char *whole = xstrdup(part), *value = part, *key = next_part(&value, '=');
        bool is_mine;

        error = parse_flow_part(fm, key, value, &is_mine);
        if (!error && !is_mine && *whole) {
            text_printf(&rest, "%s%s", rest.len ? "," : "", whole);
        }
        free(whole);
    }
    if (!error) {
        error = match_parse(&fm->match, text_cstr(&rest), ports, &extra);
    }
    text_fini(&rest);
    if (!error) {
        fm->priority = extra.has_priority ? extra.priority : 0x8000;
        fm->table_id = extra.has_table ? extra.table_id : 0;
        fm->new_cookie = extra.has_cookie ? extra.cookie : 0;
    }
    return error;
}

char *
ofp_flow_mod_parse(const char *text, int command, const struct mf_port_names *ports,
                   struct ofp_flow_mod *fm)
{
    char *copy = xstrdup(text), *actions = strstr(copy, "actions="), *error;

    memset(fm, 0, sizeof *fm);
    fm->command = (uint8_t) command;
    fm->buffer_id = OFP_BUFFER_NONE;
    fm->out_port = OFPP_NONE;
    fm->out_group = OFP_GROUP_ANY;
    if (actions) {
        if (actions > copy) {
            actions[-1] = '\0';
        }
        *actions = '\0';
        actions += strlen("actions=");
        error = parse_flow_match(fm, copy, ports);
    } else {
        error = text_error("a flow needs actions=");
    }
    if (!error) {
        error = ofpacts_parse(actions, ports, true, &fm->actions);
    }
    free(copy);
    if (error) {
        ofp_flow_mod_fini(fm);
    }
    return error;
}
