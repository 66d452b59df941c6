// SPDX-License-Identifier: Apache-2.0
/* What action_parse.c and its neighbours share.  Private to the codec.
 *
 * A parse function appends one action from the text of its argument, which it may cut up.  Errors
 * are new strings, NULL where all is well.
 */
#ifndef OPENFLOW_ACTION_PARSE_H
#define OPENFLOW_ACTION_PARSE_H 1

#include "flow/text.h"
#include "openflow/ofp_action.h"

struct action_parser {
    const struct mf_port_names *ports; /* May be NULL. */
    struct ofpacts *out;
    unsigned int depth;
    bool is_bundle_load;
};

/* The tun_metadata names that the text may use. */
static inline const struct mf_options *
action_options(const struct action_parser *p)
{
    return p->ports ? p->ports->options : NULL;
}

typedef char *parse_fn(struct action_parser *, enum ofpact_type, char *arg);

parse_fn action_parse_output, action_parse_controller, action_parse_enqueue, action_parse_resubmit,
    action_parse_set_field, action_parse_delete_field, action_parse_load, action_parse_move,
    action_parse_stack, action_parse_write_metadata, action_parse_vlan_vid, action_parse_vlan_pcp,
    action_parse_ethertype, action_parse_mac, action_parse_ipv4, action_parse_u8,
    action_parse_l4_port, action_parse_dec_ttl, action_parse_tunnel, action_parse_u32,
    action_parse_goto_table, action_parse_conjunction, action_parse_null, action_parse_clone,
    action_parse_learn, action_parse_ct, action_parse_nat, action_parse_multipath,
    action_parse_bundle, action_parse_bundle_load, action_parse_note, action_parse_sample,
    action_parse_fin_timeout, action_parse_check_pkt, action_parse_set_vlan_vid,
    action_parse_set_vlan_pcp;

/* A list, "a,b(c),d:e". */
char *action_parse_list(struct action_parser *p, char *text);

char *action_put_output(struct action_parser *p, const char *port_text, const char *max_len_text);

char *action_parse_number(const char *text, uint64_t max, uint64_t *value);
/* "01.02.03", with or without dots. */
char *action_parse_bytes(const char *text, uint8_t *bytes, size_t max, size_t *n);
char *action_parse_port(struct action_parser *p, const char *text, uint16_t *port);

/* Cuts the next part off '*s' at 'sep' outside parentheses and brackets; NULL at the end. */
char *action_next_part(char **s, char sep);

/* Splits "a->b"; false if there is no arrow. */
bool action_split_arrow(char *arg, char **left, char **right);

#endif
