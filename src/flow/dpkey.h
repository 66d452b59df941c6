// SPDX-License-Identifier: Apache-2.0
/*
 * The text of datapath flow keys, as 'dpctl/dump-flows' prints and 'dpctl/add-flow',
 * 'ofproto/trace' and 'netdev-dummy/receive' take it:
 *
 * recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth(src=..,dst=..),eth_type(0x0800),ipv4(...),udp(...)
 */
#ifndef SLUICE_FLOW_DPKEY_H
#define SLUICE_FLOW_DPKEY_H 1

#include "flow/flow.h"
#include "flow/text.h"

/* Names of datapath ports; any function may be NULL. */
struct dp_port_names {
    const char *(*name)(const void *aux, odp_port_t port); /* NULL: print the number */
    bool (*lookup)(const void *aux, const char *name, odp_port_t *port);
    const void *aux;
};

/*
 * Appends the key.  With 'mask', only fields with ones in it are printed, with "/mask" where it is
 * partial; 'verbose' (dump-flows -m) prints also the wildcarded ones of the layers that are there.
 * 'mask' NULL: an exact key, all that the packet has.
 */
void dpkey_format(const struct flow *flow, const struct flow_mask *mask,
                  const struct dp_port_names *ports, bool verbose, struct text *out);

/*
 * Parses.  With 'mask' non-NULL masks are accepted and stored; fields that are not named stay
 * wildcarded, but for recirc_id, which is 0, and the VLAN tag that an eth_type() without vlan()
 * denies. NULL: fields must be exact.  Returns NULL or a new error text (caller frees).
 */
char *dpkey_parse(const char *text, const struct dp_port_names *ports, struct flow *flow,
                  struct flow_mask *mask);

/* "ufid:01234567-89ab-cdef-0123-456789abcdef" without the prefix; parse returns false on bad text.
 */
struct dp_ufid {
    uint32_t u32[4];
};
void dp_ufid_format(const struct dp_ufid *ufid, struct text *out);
bool dp_ufid_parse(const char **s, struct dp_ufid *ufid);

#endif
