// SPDX-License-Identifier: Apache-2.0
/* Where fields lie in struct flow; for field*.c and subfield.c only. */
#ifndef SLUICE_FLOW_FIELD_PRIVATE_H
#define SLUICE_FLOW_FIELD_PRIVATE_H 1

#include "flow/field.h"

/* How the bytes at mf->ofs hold the field. */
enum mf_loc {
    LOC_AT,     /* as on the wire */
    LOC_HOST16, /* host-order integers */
    LOC_HOST32,
    LOC_OFPORT16, /* ofp_port_t */
    LOC_OFPORT32,
    LOC_XREG, /* two, four host-order integers */
    LOC_XXREG,
    LOC_CTSTATE, /* 16 host-order bits of a 32-bit field */
    LOC_DLVLAN,  /* bits of a VLAN TCI */
    LOC_VLANVID,
    LOC_VLANPCP,
    LOC_MPLSLABEL, /* bits of an MPLS label stack entry */
    LOC_MPLSTC,
    LOC_MPLSBOS,
    LOC_MPLSTTL,
    LOC_TOS, /* bits of the IP TOS byte */
    LOC_DSCP,
    LOC_ECN,
    LOC_LOW8,   /* an ICMP type or code in the place of a port */
    LOC_ARPOP,  /* an ARP opcode in the place of the IP protocol */
    LOC_OPTION, /* a tunnel option: slots of option_values[], owned in option_owners[] (option.c) */
};

/* Most fields are numbers of 8 to 64 bits that nothing else goes with, in a flow and in a mask.
 * False for others. */
bool mf_is_number(const struct mf_field *);
uint64_t mf_get_number(const struct mf_field *, const struct flow *);
void mf_put_number(const struct mf_field *, uint64_t, struct flow *);

#endif
