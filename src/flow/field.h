// SPDX-License-Identifier: Apache-2.0
/*
 * The match fields: one table, flow/field.def, says of each its name, its codes on the wire, its
 * width, how it may be masked, what it requires, how it prints and where it lies in struct flow.
 *
 * Values travel as union mf_value: big endian, mf->n_bytes bytes from the start, as in OXM.  A
 * field of n_bits < 8 * n_bytes has zeros in the high bits.
 *
 * Parsers return NULL on success or a new, malloc'd, one-line text for people (the caller frees
 * it). Formatters append to a struct strbuf (base/strbuf.h is not needed here: see flow/text.h).
 */
#ifndef SLUICE_FLOW_FIELD_H
#define SLUICE_FLOW_FIELD_H 1

#include "flow/flow.h"

struct match;
struct mf_options;
struct text;

/* MF_ID_<name>.  Order is the order of field.def and is also the order in which OXM is written. */
enum mf_id {
#define MF_FIELD(ID, ...) MF_##ID,
#include "flow/field.def"
#undef MF_FIELD
    MF_N_IDS,
    /* Ids from here on are those of tunnel options; mf_from_id() and flow/option.h know them. */
    MF_FIRST_OPTION,
};

enum mf_maskable {
    MF_MASK_NONE, /* exact match or nothing */
    MF_MASK_FULL, /* any bits */
};

/* What must be matched for the field to make sense (OpenFlow's BAD_PREREQ). */
enum mf_prereqs {
    MF_PRE_NONE,
    MF_PRE_ETHERNET, /* packet_type is Ethernet */
    MF_PRE_ARP,      /* dl_type ARP or RARP */
    MF_PRE_VLAN_VID, /* a VLAN tag is there */
    MF_PRE_IPV4,
    MF_PRE_IPV6,
    MF_PRE_IP_ANY, /* IPv4 or IPv6 */
    MF_PRE_CT_VALID,
    MF_PRE_MPLS,
    MF_PRE_TCP,
    MF_PRE_UDP,
    MF_PRE_SCTP,
    MF_PRE_ICMPV4,
    MF_PRE_ICMPV6,
    MF_PRE_ND, /* neighbour solicitation or advertisement */
    MF_PRE_ND_SOLICIT,
    MF_PRE_ND_ADVERT,
};

enum mf_format {
    MF_FMT_DECIMAL,
    MF_FMT_HEX,
    MF_FMT_ETHERNET,
    MF_FMT_IPV4,
    MF_FMT_IPV6,
    MF_FMT_OFP_PORT,     /* 16-bit numbering */
    MF_FMT_OFP_PORT_OXM, /* 32-bit numbering of OpenFlow 1.1+ */
    MF_FMT_FRAG,
    MF_FMT_TNL_FLAGS,
    MF_FMT_TCP_FLAGS,
    MF_FMT_CT_STATE,
    MF_FMT_PACKET_TYPE,
};

/* A wire code.  NXM: class 0 or 1, version 0.  OXM: class 0x8000, 0x8001 or, with experimenter,
 * 0xffff. */
struct mf_code {
    uint16_t oxm_class;
    uint8_t oxm_field;
    uint8_t min_version; /* first OpenFlow version (wire value) that has it; 0 for NXM */
    uint32_t experimenter;
    bool valid;
};

#define MF_MAX_CODES 3
#define NX_EXPERIMENTER 0x00002320u
#define ONF_EXPERIMENTER 0x4f4e4600u

struct mf_field {
    enum mf_id id;
    const char *name;  /* what the switch prints */
    const char *alias; /* another accepted name, or NULL */
    uint8_t n_bytes;
    uint8_t n_bits;
    bool writable; /* set_field, load, move may change it */
    enum mf_maskable maskable;
    enum mf_prereqs prereqs;
    enum mf_format format;
    struct mf_code codes[MF_MAX_CODES]; /* preferred first for each version; see mf_code_for() */
    uint64_t flow_words;                /* bitmap of the words of struct flow it may touch */
    /* Private to field.c: where it lies. */
    uint8_t loc;
    uint16_t ofs;
};

union mf_value {
    uint8_t b[16];
    rte_be16_t be16;
    rte_be32_t be32;
    rte_be64_t be64;
    struct rte_ether_addr mac;
    struct in6_addr ipv6;
    uint64_t w[2];
};

extern const struct mf_field mf_fields[MF_N_IDS];

const struct mf_field *mf_option_from_id(unsigned id); /* flow/option.h */

static inline const struct mf_field *
mf_from_id(enum mf_id id)
{
    return id < MF_N_IDS ? &mf_fields[id] : mf_option_from_id(id);
}

/* By name or alias ("reg0", "nw_src", "ip_src"...), or by NXM/OXM name ("NXM_NX_REG0"); NULL if
 * none.  Tunnel options have names only where a bridge maps them: mf_option_from_name(). */
const struct mf_field *mf_from_name(const char *name);
const struct mf_field *mf_from_name_n(const char *name, size_t len);

/* By wire code; 'experimenter' counts only with class 0xffff.  NULL if we do not know it. */
const struct mf_field *mf_from_code(uint16_t oxm_class, uint8_t oxm_field, uint32_t experimenter);

/*
 * The code to write for 'mf' in a protocol of that wire version (0 for NXM in OpenFlow 1.0/1.1):
 * OXM codes of that version or older first, NXM otherwise.  NULL if the field cannot be written at
 * all.
 */
const struct mf_code *mf_code_for(const struct mf_field *mf, uint8_t version);

/* The NXM/OXM name ("NXM_OF_IN_PORT"), as actions print it; the plain name where there is none. */
const char *mf_nxm_name(const struct mf_field *mf);

/* Value of the field in a flow; and setting it.  Bits beyond n_bits are ignored. */
void mf_get_value(const struct mf_field *mf, const struct flow *flow, union mf_value *value);
void mf_set_flow_value(const struct mf_field *mf, const union mf_value *value, struct flow *flow);
/* Sets only the bits in 'mask'. */
void mf_set_flow_value_masked(const struct mf_field *mf, const union mf_value *value,
                              const union mf_value *mask, struct flow *flow);

/* Value and mask of the field in a match (mask zero: not matched). */
void mf_get(const struct mf_field *mf, const struct match *match, union mf_value *value,
            union mf_value *mask);
/* Makes the match require it.  'mask' may be NULL: all bits.  Value bits outside the mask are
 * dropped. */
void mf_set(const struct mf_field *mf, const union mf_value *value, const union mf_value *mask,
            struct match *match);
/* True if the match does not look at the field at all. */
bool mf_is_all_wild(const struct mf_field *mf, const struct flow_mask *mask);
/* Marks bits of the field as consulted: all of it, or 'bits'. */
void mf_mask_field(const struct mf_field *mf, struct flow_mask *mask);
void mf_mask_field_masked(const struct mf_field *mf, const union mf_value *bits,
                          struct flow_mask *mask);

/* Is the value possible at all (ip_frag above 3, vlan_vid 13 bits...)? */
bool mf_is_value_valid(const struct mf_field *mf, const union mf_value *value);
/* Is the mask allowed by mf->maskable? */
bool mf_is_mask_valid(const struct mf_field *mf, const union mf_value *mask);
static inline bool
mf_is_zero(const struct mf_field *mf, const union mf_value *v)
{
    for (int i = 0; i < mf->n_bytes; i++) {
        if (v->b[i]) {
            return false;
        }
    }
    return true;
}
/* All of the field's n_bits ones. */
void mf_exact_mask(const struct mf_field *mf, union mf_value *mask);
bool mf_is_exact(const struct mf_field *mf, const union mf_value *mask);

/* Does the packet have the field?  Marks in 'mask' (may be NULL) the bits that the answer depends
 * on. */
bool mf_prereqs_ok(const struct mf_field *mf, const struct flow *flow, struct flow_mask *mask);
/* Does the match guarantee that each packet has the field? */
bool mf_match_prereqs_ok(const struct mf_field *mf, const struct match *match);

/*
 * Text to value and mask ("10.0.0.0/8", "0x5/0xf", "LOCAL", "+syn-ack", "later"...).
 * 'port_name' (may be NULL) resolves port names.
 */
typedef bool mf_port_lookup_fn(const void *aux, const char *name, ofp_port_t *port);
typedef const char *mf_port_name_fn(const void *aux, ofp_port_t port);
struct mf_port_names {
    mf_port_lookup_fn *lookup;
    mf_port_name_fn *name; /* NULL result: print the number */
    const void *aux;
    const struct mf_options *options; /* tun_metadata names that parsers know; NULL: none */
};
char *mf_parse(const struct mf_field *mf, const char *text, const struct mf_port_names *ports,
               union mf_value *value, union mf_value *mask);
char *mf_parse_value(const struct mf_field *mf, const char *text, const struct mf_port_names *ports,
                     union mf_value *value);
/* Value to text, "value/mask" or "value"; 'mask' NULL means exact; a zero mask prints "ANY". */
void mf_format(const struct mf_field *mf, const union mf_value *value, const union mf_value *mask,
               const struct mf_port_names *ports, struct text *out);

/* A run of bits of a field: "NXM_OF_IN_PORT[0..15]", "reg0[0..7]", "eth_dst[]", "reg1[3]". */
struct mf_subfield {
    const struct mf_field *field;
    uint16_t ofs;
    uint16_t n_bits;
};

/* Parses the subfield at '*s' and moves '*s' behind it.  'options' may be NULL. */
char *mf_parse_subfield_n(struct mf_subfield *sf, const char **s, const struct mf_options *options);
/* The same where nothing may follow. */
char *mf_parse_subfield(struct mf_subfield *sf, const char *s, const struct mf_options *options);
void mf_format_subfield(const struct mf_subfield *sf, struct text *out);

/* The subfield's bits, right-aligned in 16 big-endian bytes; and the low 64 of them. */
void mf_read_subfield(const struct mf_subfield *sf, const struct flow *flow, union mf_value *out);
uint64_t mf_get_subfield(const struct mf_subfield *sf, const struct flow *flow);
/* Writes right-aligned bits; the rest of the field keeps its value. */
void mf_write_subfield(const struct mf_subfield *sf, const union mf_value *in, struct flow *flow);
void mf_set_subfield(const struct mf_subfield *sf, uint64_t value, struct flow *flow);
/* Makes 'match' require the subfield to be 'value'. */
void mf_set_subfield_match(const struct mf_subfield *sf, uint64_t value, struct match *match);
/* Marks the subfield's bits as consulted. */
void mf_mask_subfield(const struct mf_subfield *sf, struct flow_mask *mask);
/* Shifts 'value' (right-aligned) into place of the whole field, and gives the mask of the bits. */
void mf_subfield_to_field(const struct mf_subfield *sf, const union mf_value *value,
                          union mf_value *field_value, union mf_value *field_mask);

/* Copies n_bits bits between big-endian bit strings; offsets count from the least significant bit.
 */
void mf_bitwise_copy(const void *src, unsigned src_len, unsigned src_ofs, void *dst,
                     unsigned dst_len, unsigned dst_ofs, unsigned n_bits);

#endif
