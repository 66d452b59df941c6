// SPDX-License-Identifier: Apache-2.0
/*
 * A match: the packets whose flow equals 'flow' in the bits of 'mask'.  Bits of 'flow' outside the
 * mask are always zero, so that equal matches are equal bytes.
 *
 * The text is that of ovs-ofctl: "priority=10,tcp,nw_dst=10.0.0.0/8,tp_dst=80".  Used in dumps,
 * trace, and error messages; the parsers serve ofproto/trace, filters of dpctl, start-up files and
 * tests, since ovs-ofctl parses by itself.  Any thread.
 */
#ifndef SLUICE_FLOW_MATCH_H
#define SLUICE_FLOW_MATCH_H 1

#include "flow/field.h"
#include "flow/flow.h"

struct match {
    struct flow flow;
    struct flow_mask mask;
};

/* Matches every packet. */
static inline void
match_init_any(struct match *m)
{
    memset(m, 0, sizeof *m);
}

static inline bool
match_is_any(const struct match *m)
{
    return flow_mask_is_any(&m->mask);
}

static inline bool
match_equal(const struct match *a, const struct match *b)
{
    return !memcmp(a, b, sizeof *a);
}

/* Takes flow and mask over and clears the flow's bits outside the mask. */
void match_init(struct match *m, const struct flow *flow, const struct flow_mask *mask);

/* Does a packet of this flow match? */
static inline bool
match_flow(const struct match *m, const struct flow *flow)
{
    return flow_equal_masked(flow, &m->flow, &m->mask);
}

/* True if every packet that matches 'a' also matches 'b' (b is as wide or wider): loose delete. */
bool match_is_within(const struct match *a, const struct match *b);
/* True if some packet matches both: OFPFF_CHECK_OVERLAP. */
bool match_overlaps(const struct match *a, const struct match *b);

uint32_t match_hash(const struct match *m, uint32_t basis);

/* Setters that callers use most; everything else goes through mf_set(). */
void match_set_in_port(struct match *m, ofp_port_t port);
void match_set_dl_type(struct match *m, uint16_t type);
void match_set_nw_proto(struct match *m, uint8_t proto);
void match_set_reg_masked(struct match *m, int idx, uint32_t value, uint32_t mask);
/* OpenFlow 1.0 semantics: vid OFP10_VLAN_NONE (0xffff) means untagged. */
void match_set_dl_vlan(struct match *m, uint16_t vid);
void match_set_dl_vlan_pcp(struct match *m, uint8_t pcp);
/* 'tci' and 'mask' of the outer tag, network order, with VLAN_CFI. */
void match_set_vlan_tci_masked(struct match *m, rte_be16_t tci, rte_be16_t mask);

#define MATCH_NO_PRIORITY -1

/*
 * Appends the text.  "priority=N," comes first unless 'priority' is 32768 (the default) or
 * MATCH_NO_PRIORITY.  A match for everything prints nothing (only the priority).
 * 'ports' (may be NULL) names in_port.
 */
void match_format(const struct match *m, const struct mf_port_names *ports, struct text *out,
                  int priority);

/* The text of a flow, as "Flow:" of ofproto/trace prints it: what a packet of its shape has. */
void flow_format(const struct flow *flow, const struct mf_port_names *ports, struct text *out);

/* What match_parse() read beside match fields; 'has_*' say which. */
struct match_extra {
    bool has_priority;
    uint16_t priority;
    bool has_table;
    uint8_t table_id;
    bool has_cookie;
    uint64_t cookie;
    uint64_t cookie_mask;
};

/*
 * Parses "field[=value[/mask]],..." in ovs-ofctl's syntax, with protocol keywords.  'extra' (may be
 * NULL: then they are errors) receives priority=, table=, cookie=.  Returns NULL, or a new text of
 * what is wrong (caller frees).  Prerequisites are checked as ovs-ofctl does.
 */
char *match_parse(struct match *m, const char *text, const struct mf_port_names *ports,
                  struct match_extra *extra);

/*
 * Parses the flow of a packet, as ofproto/trace takes it: "field=value,...", each once, whole, and
 * behind what it requires; "field(value)" and "field:value" are the same.  'flow' is zero but for
 * what is said.  Returns NULL, or a new text of what is wrong (caller frees).
 */
char *flow_parse(struct flow *flow, const char *text, const struct mf_port_names *ports);
/* The same with masks: the packets that such a flow may be of, as dpctl/dump-flows filter= takes
 * them. */
char *match_parse_filter(struct match *m, const char *text, const struct mf_port_names *ports);

/* The field that 'key' ("tp_src", "nw_dst"...) means in a flow of that protocol; NULL if none. */
const struct mf_field *mf_from_name_in(const char *key, const struct flow *flow);

/* The protocol keyword ("tcp", "ip6"...) and the match it stands for. */
struct match_protocol {
    const char *name;
    uint16_t dl_type;
    uint8_t nw_proto; /* 0: any */
};
const struct match_protocol *match_protocol_from_name(const char *name);

#endif
