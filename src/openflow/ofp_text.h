// SPDX-License-Identifier: Apache-2.0
/* Actions as text: printed as the stock tools and 'ofproto/trace' print them, and parsed from the
 * same syntax.
 *
 * "actions=set_field:0x1->reg0,resubmit(,1)", "mod_vlan_vid:5,output:2", "drop" for an empty list.
 * ovs-ofctl(8) and ovs-actions(7) document the syntax.  Used by appctl commands, logs, learn and
 * tests. Pure functions; any thread.
 */
#ifndef OPENFLOW_OFP_TEXT_H
#define OPENFLOW_OFP_TEXT_H 1

#include "flow/field.h"
#include "flow/text.h"
#include "openflow/ofp_action.h"

/* Appends "NORMAL" or "drop" and so on, without "actions=". */
void ofpacts_format(const struct ofpact *acts, size_t size, const struct mf_port_names *ports,
                    struct text *out);

/* Appends one action. */
void ofpact_format(const struct ofpact *a, const struct mf_port_names *ports, struct text *out);

/* Parses what follows "actions=".  Returns NULL, or a new text that says what is wrong (caller
 * frees).  Instructions (goto_table, write_metadata...) are accepted where 'instructions'. */
char *ofpacts_parse(const char *text, const struct mf_port_names *ports, bool instructions,
                    struct ofpacts *out);

/* A port: its reserved name in capitals, its name from 'ports' (quoted where it needs it), or its
 * number. */
void ofp_port_format(ofp_port_t port, const struct mf_port_names *ports, struct text *out);
/* A reserved name in any case, a number, or a name from 'ports'. */
bool ofp_port_parse(const char *text, const struct mf_port_names *ports, ofp_port_t *port);

/* Parses a whole flow as ovs-ofctl's add-flow takes it ("table=1,priority=5,tcp,actions=NORMAL"),
 * for the daemon's own start-up flows and tests. */
struct ofp_flow_mod;
char *ofp_flow_mod_parse(const char *text, int command, const struct mf_port_names *ports,
                         struct ofp_flow_mod *fm);

#endif
