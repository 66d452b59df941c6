// SPDX-License-Identifier: Apache-2.0
/* Actions from text.
 *
 * The reverse of action_format.c, for start-up files and 'ofproto/trace-packet-out'.  The stock
 * ovs-ofctl parses by itself and never comes here.  One row per name; the functions are in the
 * files action_parse_*.c.
 */
#include "openflow/action_parse.h"
#include "base/util.h"
#include "openflow/ofp_text.h"

#include <stdlib.h>
#include <strings.h>

char *
action_parse_number(const char *text, uint64_t max, uint64_t *value)
{
    const char *s = text;

    if (!scan_u64(&s, max, value) || *s) {
        return text_error("'%s' is not a number up to %llu", text, (unsigned long long)max);
    }
    return NULL;
}

char *
action_parse_port(struct action_parser *p, const char *text, uint16_t *port)
{
    ofp_port_t n;

    if (!ofp_port_parse(text, p->ports, &n)) {
        return text_error("%s: output to unknown port", text);
    }
    *port = (uint16_t)n;
    return NULL;
}

/* Cuts the next part off '*s' at 'sep' outside parentheses and brackets; NULL at the end. */
char *
action_next_part(char **s, char sep)
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
bool
action_split_arrow(char *arg, char **left, char **right)
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

static const struct {
    const char *name;
    enum ofpact_type type;
    parse_fn *parse;
} parsers[] = {
    {"output", OFPACT_OUTPUT, action_parse_output},
    {"controller", OFPACT_CONTROLLER, action_parse_controller},
    {"enqueue", OFPACT_ENQUEUE, action_parse_enqueue},
    {"resubmit", OFPACT_RESUBMIT, action_parse_resubmit},
    {"group", OFPACT_GROUP, action_parse_u32},
    {"set_field", OFPACT_SET_FIELD, action_parse_set_field},
    {"load", OFPACT_SET_FIELD, action_parse_load},
    {"move", OFPACT_REG_MOVE, action_parse_move},
    {"push", OFPACT_STACK_PUSH, action_parse_stack},
    {"delete_field", OFPACT_DELETE_FIELD, action_parse_delete_field},
    {"pop", OFPACT_STACK_POP, action_parse_stack},
    {"mod_vlan_vid", OFPACT_SET_VLAN_VID, action_parse_vlan_vid},
    {"set_vlan_vid", OFPACT_SET_VLAN_VID, action_parse_set_vlan_vid},
    {"set_vlan_pcp", OFPACT_SET_VLAN_PCP, action_parse_set_vlan_pcp},
    {"mod_vlan_pcp", OFPACT_SET_VLAN_PCP, action_parse_vlan_pcp},
    {"strip_vlan", OFPACT_STRIP_VLAN, action_parse_null},
    {"pop_vlan", OFPACT_STRIP_VLAN, action_parse_null},
    {"push_vlan", OFPACT_PUSH_VLAN, action_parse_ethertype},
    {"mod_dl_src", OFPACT_SET_ETH_SRC, action_parse_mac},
    {"mod_dl_dst", OFPACT_SET_ETH_DST, action_parse_mac},
    {"mod_nw_src", OFPACT_SET_IPV4_SRC, action_parse_ipv4},
    {"mod_nw_dst", OFPACT_SET_IPV4_DST, action_parse_ipv4},
    {"mod_nw_tos", OFPACT_SET_IP_DSCP, action_parse_u8},
    {"mod_nw_ecn", OFPACT_SET_IP_ECN, action_parse_u8},
    {"mod_nw_ttl", OFPACT_SET_IP_TTL, action_parse_u8},
    {"mod_tp_src", OFPACT_SET_L4_SRC_PORT, action_parse_l4_port},
    {"mod_tp_dst", OFPACT_SET_L4_DST_PORT, action_parse_l4_port},
    {"dec_ttl", OFPACT_DEC_TTL, action_parse_dec_ttl},
    {"set_mpls_label", OFPACT_SET_MPLS_LABEL, action_parse_u32},
    {"set_mpls_tc", OFPACT_SET_MPLS_TC, action_parse_u8},
    {"set_mpls_ttl", OFPACT_SET_MPLS_TTL, action_parse_u8},
    {"dec_mpls_ttl", OFPACT_DEC_MPLS_TTL, action_parse_null},
    {"push_mpls", OFPACT_PUSH_MPLS, action_parse_ethertype},
    {"pop_mpls", OFPACT_POP_MPLS, action_parse_ethertype},
    {"set_tunnel", OFPACT_SET_TUNNEL, action_parse_tunnel},
    {"set_tunnel64", OFPACT_SET_TUNNEL, action_parse_tunnel},
    {"set_queue", OFPACT_SET_QUEUE, action_parse_u32},
    {"pop_queue", OFPACT_POP_QUEUE, action_parse_null},
    {"conjunction", OFPACT_CONJUNCTION, action_parse_conjunction},
    {"learn", OFPACT_LEARN, action_parse_learn},
    {"multipath", OFPACT_MULTIPATH, action_parse_multipath},
    {"bundle", OFPACT_BUNDLE, action_parse_bundle},
    {"bundle_load", OFPACT_BUNDLE, action_parse_bundle_load},
    {"note", OFPACT_NOTE, action_parse_note},
    {"sample", OFPACT_SAMPLE, action_parse_sample},
    {"fin_timeout", OFPACT_FIN_TIMEOUT, action_parse_fin_timeout},
    {"check_pkt_larger", OFPACT_CHECK_PKT_LARGER, action_parse_check_pkt},
    {"exit", OFPACT_EXIT, action_parse_null},
    {"debug_recirc", OFPACT_DEBUG_RECIRC, action_parse_null},
    {"clone", OFPACT_CLONE, action_parse_clone},
    {"ct", OFPACT_CT, action_parse_ct},
    {"nat", OFPACT_NAT, action_parse_nat},
    {"ct_clear", OFPACT_CT_CLEAR, action_parse_null},
    {"meter", OFPACT_METER, action_parse_u32},
    {"clear_actions", OFPACT_CLEAR_ACTIONS, action_parse_null},
    {"write_actions", OFPACT_WRITE_ACTIONS, action_parse_clone},
    {"write_metadata", OFPACT_WRITE_METADATA, action_parse_write_metadata},
    {"goto_table", OFPACT_GOTO_TABLE, action_parse_goto_table},
};

/* One action: "name", "name:arg" or "name(arg)". */
static char *
parse_one(struct action_parser *p, char *text)
{
    size_t n = strcspn(text, ":(");
    char *arg = text + n;
    uint16_t port = 0;

    if (*arg == '(') {
        size_t len = strlen(arg);

        if (arg[len - 1] == ')') {
            arg[len - 1] = '\0';
        } else if (!strstr(arg, ")->")) {
            return text_error("%s: missing ')'", text);
        }
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
        char *error = action_parse_port(p, text, &port);

        free(error);
        if (!error) {
            return action_put_output(p, text, NULL);
        }
    }
    return text_error("unknown action %.*s", (int)strcspn(text, "="), text);
}

char *
action_parse_list(struct action_parser *p, char *text)
{
    char *part, *error = NULL;

    if (!strcmp(text, "drop")) {
        return NULL; /* How an empty list is printed. */
    }
    while (!error && (part = action_next_part(&text, ','))) {
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
    struct action_parser p = {.ports = ports, .out = out};
    const size_t size = out->size;
    char *copy = xstrdup(text), *error = action_parse_list(&p, copy);

    free(copy);
    for (size_t ofs = size; !error && !instructions && ofs < out->size;) {
        const struct ofpact *a = (const struct ofpact *)(const void *)(out->data + ofs);

        if (ofpact_is_instruction(a->type) && a->type != OFPACT_METER) {
            error = text_error("%s instruction not allowed here", ofpact_type_name(a->type));
        }
        ofs += a->len;
    }
    if (error) {
        out->size = size;
    }
    return error;
}
