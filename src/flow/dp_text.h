// SPDX-License-Identifier: Apache-2.0
/*
 * Private to dpkey_*.c and dp_action_*.c: the components "name=value/mask" that datapath keys and
 * set actions share, as tables, and the functions that format and parse them.
 */
#ifndef SLUICE_FLOW_DP_TEXT_H
#define SLUICE_FLOW_DP_TEXT_H 1

#include "flow/dp_action.h"
#include "flow/dpkey.h"

/* How the value prints. */
enum dp_comp_format {
    DP_FMT_DEC,
    DP_FMT_HEX,
    DP_FMT_ETH,
    DP_FMT_IPV4,
    DP_FMT_IPV6,
    DP_FMT_FRAG,
};

/* How it lies in memory. */
enum dp_comp_store {
    DP_AT_NONE, /* this struct does not have it */
    DP_AT_U8,
    DP_AT_BE16,
    DP_AT_BE16_LOW8, /* a byte in the place of a port */
    DP_AT_BE32,
    DP_AT_BE32_LABEL, /* 20 bits */
    DP_AT_BYTES,      /* an address */
};

struct dp_comp {
    const char *name;
    enum dp_comp_format format;
    enum dp_comp_store flow_store;
    uint16_t flow_ofs;
    enum dp_comp_store set_store;
    uint16_t set_ofs;
};

struct dp_attr {
    const char *name;
    const struct dp_comp *comps;
    int n_comps;
};

enum dp_attr_id {
    DP_ATTR_ETH,
    DP_ATTR_IPV4,
    DP_ATTR_IPV6,
    DP_ATTR_TCP,
    DP_ATTR_UDP,
    DP_ATTR_SCTP,
    DP_ATTR_ICMP,
    DP_ATTR_ICMPV6,
    DP_ATTR_ARP,
    DP_ATTR_ND,
    DP_ATTR_ND_EXT,
    DP_ATTR_CT_TUPLE4,
    DP_ATTR_CT_TUPLE6,
    DP_N_ATTRS,
};

extern const struct dp_attr dp_attrs[DP_N_ATTRS];

/*
 * "name(comp=value,...)" of an attribute of a flow ('set' false) or of a set action's struct.
 * 'mask' NULL: exact.  Components under a zero mask are left out unless 'verbose'.
 */
void dp_attr_format(struct text *out, enum dp_attr_id id, const void *value, const void *mask,
                    bool set, bool verbose);
/* Has any component a one in 'mask'?  NULL counts as ones. */
bool dp_attr_is_masked(enum dp_attr_id id, const struct flow_mask *mask);

/* Parses the components after "name(" up to and with ")".  'mask' NULL: masks are errors. */
bool dp_attr_parse(const char **s, enum dp_attr_id id, void *value, void *mask, bool set);

/* "V/M" of integers: "/M" unless M has all of 'exact'.  'alt' prints V in hexadecimal. */
void dp_put_masked(struct text *out, uint64_t value, uint64_t mask, uint64_t exact, bool hex);
/* Scans V[/M]; without a mask '*mask' becomes 'exact'. */
bool dp_scan_masked(const char **s, uint64_t max, uint64_t exact, uint64_t *value, uint64_t *mask);

struct dp_flag {
    const char *name;
    uint32_t bit;
};
/* "a|b" (or "0"), and "+a-b" of the masked ones. */
void dp_put_flags(struct text *out, const struct dp_flag *flags, uint32_t value);
void dp_put_flags_masked(struct text *out, const struct dp_flag *flags, uint32_t value,
                         uint32_t mask);
/* Scans "+a-b", "a|b" or V[/M]. */
bool dp_scan_flags(const char **s, const struct dp_flag *flags, uint32_t exact, uint32_t *value,
                   uint32_t *mask);

extern const struct dp_flag dp_tcp_flags[];
extern const struct dp_flag dp_ct_states[];
extern const struct dp_flag dp_tnl_flags[];

/* 128-bit numbers: "0x1"; the scanner takes up to 32 hexadecimal digits, with or without "0x". */
void dp_put_u128(struct text *out, const uint8_t value[16]);
bool dp_scan_u128(const char **s, uint8_t value[16]);

/* The inside of "mpls(...)" or "push_mpls(...)" for one entry. */
void dp_put_mpls_lse(struct text *out, rte_be32_t lse, rte_be32_t mask, bool verbose);
bool dp_scan_mpls_lse(const char **s, rte_be32_t *lse, rte_be32_t *mask);

/* "tunnel(...)" without the name and the parentheses; parse reads up to and with ")". */
void dp_put_tunnel_text(struct text *out, const struct flow_tnl *t, const struct flow_tnl *mask,
                        bool verbose);
bool dp_scan_tunnel(const char **s, struct flow_tnl *t, struct flow_tnl *mask);

/* "size=...,type=...,eth(...)...": the inside of header(...) of tnl_push. */
void dp_put_tnl_header(struct text *out, const struct dp_act_tnl_push *a);
/* Fills type, size and header of 'a' (which has DP_TNL_HEADER_MAX bytes of room). */
bool dp_scan_tnl_header(const char **s, struct dp_act_tnl_push *a);

/* "ct" with or without arguments; the scanner starts after the name, with '*a' zero. */
void dp_put_ct_text(struct text *out, const struct dp_act_ct *a);
bool dp_scan_ct(const char **s, struct dp_act_ct *a);

#endif
