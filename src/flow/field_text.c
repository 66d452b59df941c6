// SPDX-License-Identifier: Apache-2.0
/*
 * Fields and subfields as text: how a value of each format prints and parses.  See field.h.
 *
 * The forms are those of ovs-ofctl(8) and ovs-fields(7).  Errors are sentences for the person who
 * typed.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

#include "base/util.h"
#include "flow/field.h"
#include "flow/flags.h"
#include "flow/option.h"
#include "flow/text.h"

static const struct {
    ofp_port_t port;
    const char *name;
} reserved[] = {
    {OFPP_IN_PORT, "IN_PORT"}, {OFPP_TABLE, "TABLE"}, {OFPP_NORMAL, "NORMAL"},
    {OFPP_FLOOD, "FLOOD"},     {OFPP_ALL, "ALL"},     {OFPP_CONTROLLER, "CONTROLLER"},
    {OFPP_LOCAL, "LOCAL"},     {OFPP_NONE, "ANY"},    {OFPP_UNSET, "UNSET"},
    {OFPP_NONE, "NONE"},
};

static const struct {
    const char *name;
    uint8_t value;
    uint8_t mask;
} frags[] = {
    {"no", 0, NW_FRAG_MASK},
    {"yes", NW_FRAG_ANY, NW_FRAG_ANY},
    {"first", NW_FRAG_ANY, NW_FRAG_MASK},
    {"later", NW_FRAG_MASK, NW_FRAG_MASK},
    {"not_later", 0, NW_FRAG_LATER},
};

/* Formatting. */

static void
put_hex(struct text *out, const uint8_t *p, size_t n)
{
    size_t i = 0;

    while (i + 1 < n && !p[i]) {
        i++;
    }
    if (i + 1 == n && !p[i]) {
        text_putc(out, '0');
        return;
    }
    text_printf(out, "0x%" PRIx8, p[i]);
    while (++i < n) {
        text_printf(out, "%02" PRIx8, p[i]);
    }
}

static uint64_t
to_u64(const uint8_t *p, size_t n)
{
    uint64_t x = 0;

    for (size_t i = 0; i < n; i++) {
        x = x << 8 | p[i];
    }
    return x;
}

static void
put_integer(const struct mf_field *mf, const union mf_value *v, const union mf_value *mask,
            struct text *out)
{
    if (mf->format == MF_FMT_DECIMAL && mf->n_bytes <= 8) {
        text_printf(out, "%" PRIu64, to_u64(v->b, mf->n_bytes));
    } else {
        put_hex(out, v->b, mf->n_bytes);
    }
    if (mask) {
        text_putc(out, '/');
        put_hex(out, mask->b, mf->n_bytes);
    }
}

static void
put_port(ofp_port_t port, const struct mf_port_names *ports, struct text *out)
{
    const char *name;

    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
        if (reserved[i].port == port) {
            text_put(out, reserved[i].name);
            return;
        }
    }
    name = ports && ports->name ? ports->name(ports->aux, port) : NULL;
    if (name) {
        text_put(out, name);
    } else {
        text_printf(out, "%" PRIu32, (uint32_t)port);
    }
}

static void
put_frag(uint8_t value, uint8_t mask, struct text *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(frags); i++) {
        if (frags[i].value == (value & mask) && frags[i].mask == mask) {
            text_put(out, frags[i].name);
            return;
        }
    }
    text_put(out, (value & NW_FRAG_LATER) && mask == NW_FRAG_LATER ? "later" : "<error>");
}

static void
format_address(const struct mf_field *mf, const union mf_value *v, const union mf_value *m,
               struct text *out)
{
    switch ((int)mf->format) {
    case MF_FMT_ETHERNET:
        text_put_eth_masked(out, &v->mac, &m->mac);
        break;
    case MF_FMT_IPV4:
        text_put_ipv4_masked(out, v->be32, m->be32);
        break;
    case MF_FMT_IPV6:
        text_put_ipv6_masked(out, &v->ipv6, &m->ipv6);
        break;
    default:
        break;
    }
}

void
mf_format(const struct mf_field *mf, const union mf_value *value, const union mf_value *mask,
          const struct mf_port_names *ports, struct text *out)
{
    union mf_value exact;

    mf_exact_mask(mf, &exact);
    if (mask && mf_is_zero(mf, mask)) {
        text_put(out, "ANY");
        return;
    }
    if (mask && mf_is_exact(mf, mask)) {
        mask = NULL;
    }
    switch (mf->format) {
    case MF_FMT_DECIMAL:
    case MF_FMT_HEX:
        put_integer(mf, value, mask, out);
        break;
    case MF_FMT_ETHERNET:
    case MF_FMT_IPV4:
    case MF_FMT_IPV6:
        format_address(mf, value, mask ? mask : &exact, out);
        break;
    case MF_FMT_OFP_PORT:
        put_port(get_be16(value->b), ports, out);
        break;
    case MF_FMT_OFP_PORT_OXM:
        put_port(get_be32(value->b) & 0xffff, ports, out);
        break;
    case MF_FMT_FRAG:
        put_frag(value->b[0], mask ? mask->b[0] : NW_FRAG_MASK, out);
        break;
    case MF_FMT_TNL_FLAGS:
        if (!mask) {
            text_put(out, value->b[1] & FLOW_TNL_F_OAM ? "oam" : "0");
        } else {
            flags_format(&flags_tnl, get_be16(value->b), get_be16(mask->b), out);
        }
        break;
    case MF_FMT_TCP_FLAGS:
        flags_format(&flags_tcp, get_be16(value->b), get_be16((mask ? mask : &exact)->b), out);
        break;
    case MF_FMT_CT_STATE:
        flags_format(&flags_ct_state, get_be32(value->b), mask ? get_be32(mask->b) : CT_STATE_MASK,
                     out);
        break;
    case MF_FMT_PACKET_TYPE:
        text_printf(out, "(%" PRIu32 ",%#" PRIx32 ")", get_be32(value->b) >> 16,
                    get_be32(value->b) & 0xffff);
        break;
    }
}

/* Parsing. */

enum number {
    NUMBER_OK,
    NUMBER_BAD,
    NUMBER_LARGE,
};

/* Hexadecimal digits of any number into the field's bytes, from the last one on. */
static enum number
parse_hex(const struct mf_field *mf, const char *s, size_t len, union mf_value *v)
{
    enum number result = NUMBER_OK;

    for (size_t nibble = 0; nibble < len; nibble++) {
        char c = s[len - 1 - nibble];
        int digit = isdigit((unsigned char)c)    ? c - '0'
                    : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
                                                 : -1;

        if (digit < 0) {
            return NUMBER_BAD;
        }
        if (nibble / 2 < mf->n_bytes) {
            v->b[mf->n_bytes - 1 - nibble / 2] |= (uint8_t)(digit << (nibble % 2 * 4));
        } else if (digit) {
            result = NUMBER_LARGE;
        }
    }
    return result;
}

/* A number of any size into the field's bytes: 0x hexadecimal, or decimal up to 64 bits. */
static enum number
parse_number(const struct mf_field *mf, const char *s, size_t len, union mf_value *v)
{
    char buf[80];
    uint64_t x;

    memset(v, 0, sizeof *v);
    if (len > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        return parse_hex(mf, s + 2, len - 2, v);
    }
    if (!len || len >= sizeof buf) {
        return NUMBER_BAD;
    }
    memcpy(buf, s, len);
    buf[len] = '\0';
    if (!str_to_u64(buf, 0, &x)) {
        return strspn(buf, "0123456789") == len ? NUMBER_LARGE : NUMBER_BAD;
    }
    for (int i = mf->n_bytes - 1; i >= 0; i--, x >>= 8) {
        v->b[i] = (uint8_t)x;
    }
    return x ? NUMBER_LARGE : NUMBER_OK;
}

static char *
number_error(const struct mf_field *mf, const char *s, enum number number, const char *part)
{
    return number == NUMBER_OK ? NULL
           : number == NUMBER_LARGE
               ? text_error("%s: %s too large for %u-byte field %s", s, part, mf->n_bytes, mf->name)
               : text_error("%s: bad syntax for %s %s", s, mf->name, part);
}

static char *
parse_integer(const struct mf_field *mf, const char *s, union mf_value *value, union mf_value *mask)
{
    const char *slash = strchr(s, '/');
    size_t len = slash ? (size_t)(slash - s) : strlen(s);
    char *error = number_error(mf, s, parse_number(mf, s, len, value), "value");

    if (!error && slash) {
        error = number_error(mf, s, parse_number(mf, slash + 1, strlen(slash + 1), mask), "mask");
    }
    return error;
}

/* "/24" or "/255.255.255.0" behind an address of 'n_bits'. */
static bool
prefix_mask(unsigned n_prefix, unsigned n_bits, uint8_t *mask)
{
    if (n_prefix > n_bits) {
        return false;
    }
    memset(mask, 0, n_bits / 8);
    for (unsigned i = 0; i < n_prefix; i++) {
        mask[i / 8] |= (uint8_t)(0x80u >> (i % 8));
    }
    return true;
}

static bool
scan_address(const struct mf_field *mf, const char **s, union mf_value *v)
{
    return mf->format == MF_FMT_ETHERNET ? scan_eth(s, &v->mac)
           : mf->format == MF_FMT_IPV4   ? scan_ipv4(s, &v->be32)
                                         : scan_ipv6(s, &v->ipv6);
}

/* What is wrong with an address, or with its mask unless that is a length out of range. */
static char *
address_error(const struct mf_field *mf, const char *text)
{
    return text_error("%s: invalid %s address", text,
                      mf->format == MF_FMT_ETHERNET ? "Ethernet"
                      : mf->format == MF_FMT_IPV4   ? "IP"
                                                    : "IPv6");
}

static char *
parse_address(const struct mf_field *mf, const char *text, union mf_value *value,
              union mf_value *mask)
{
    const char *s = text;
    const char *m;
    uint64_t n;

    if (!scan_address(mf, &s, value) || (*s && *s != '/')) {
        return address_error(mf, text);
    }
    if (!*s) {
        return NULL;
    }
    m = ++s;
    if (scan_address(mf, &m, mask) && !*m) {
        return NULL;
    }
    if (mf->format == MF_FMT_ETHERNET) {
        return address_error(mf, text);
    }
    m = s + (*s == '-');
    if (!*m || strspn(m, "0123456789") != strlen(m)) {
        return address_error(mf, text);
    }
    if (!scan_u64(&s, mf->n_bits, &n) || !prefix_mask((unsigned)n, mf->n_bits, mask->b)) {
        return text_error("%s: %s network prefix bits not between 0 and %u, inclusive", text,
                          mf->format == MF_FMT_IPV4 ? "IPv4" : "IPv6", mf->n_bits);
    }
    return NULL;
}

static bool
port_by_name(const char *s, const struct mf_port_names *ports, ofp_port_t *port)
{
    unsigned int x;

    if (str_to_uint(s, 0, &x)) {
        *port = x & 0xffff;
        return x <= UINT16_MAX || x >= 0xffff0000u + OFPP_MAX;
    }
    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
        if (!strcasecmp(s, reserved[i].name)) {
            *port = reserved[i].port;
            return true;
        }
    }
    return ports && ports->lookup && ports->lookup(ports->aux, s, port);
}

/* A name may be quoted, as dumps do with those that are no words. */
static bool
port_by_quoted_name(const char *s, const struct mf_port_names *ports, ofp_port_t *port)
{
    char name[64];
    size_t len = strlen(s);

    if (len < 2 || len - 2 >= sizeof name || s[0] != '"' || s[len - 1] != '"') {
        return port_by_name(s, ports, port);
    }
    memcpy(name, s + 1, len - 2);
    name[len - 2] = '\0';
    return port_by_name(name, ports, port);
}

static char *
parse_port(const struct mf_field *mf, const char *s, const struct mf_port_names *ports,
           union mf_value *value)
{
    ofp_port_t port;

    if (!port_by_quoted_name(s, ports, &port)) {
        return text_error(mf->format == MF_FMT_OFP_PORT ? "%s: invalid or unknown port for %s"
                                                        : "%s: port value out of range for %s",
                          s, mf->name);
    }
    if (mf->format == MF_FMT_OFP_PORT) {
        put_be16(value->b, (uint16_t)port);
    } else {
        put_be32(value->b, port < OFPP_MAX ? port : port | 0xffff0000u);
    }
    return NULL;
}

static char *
parse_frag(const char *s, union mf_value *value, union mf_value *mask)
{
    for (size_t i = 0; i < ARRAY_SIZE(frags); i++) {
        if (!strcasecmp(s, frags[i].name)) {
            value->b[0] = frags[i].value;
            mask->b[0] = frags[i].mask;
            return NULL;
        }
    }
    return text_error("%s: unknown fragment type (valid types are \"no\", \"yes\", \"first\", "
                      "\"later\", \"not_later\"",
                      s);
}

static char *
parse_flags(const struct mf_field *mf, const char *s, union mf_value *value, union mf_value *mask)
{
    const struct flag_set *set = mf->format == MF_FMT_TCP_FLAGS  ? &flags_tcp
                                 : mf->format == MF_FMT_CT_STATE ? &flags_ct_state
                                                                 : &flags_tnl;
    uint32_t v, m;

    if (!flags_parse(set, s, &v, &m)) {
        return text_error("%s: unknown %s flag(s)", flags_first_bad(set, s),
                          mf->format == MF_FMT_TCP_FLAGS  ? "TCP"
                          : mf->format == MF_FMT_CT_STATE ? "ct_state"
                                                          : "tunnel");
    }
    if (mf->n_bytes == 4) {
        put_be32(value->b, v);
        if (m != CT_STATE_MASK) {
            put_be32(mask->b, m);
        }
    } else {
        put_be16(value->b, (uint16_t)v);
        put_be16(mask->b, (uint16_t)m);
    }
    return NULL;
}

static char *
parse_packet_type(const struct mf_field *mf, const char *text, union mf_value *value)
{
    const char *s = text;
    uint64_t ns, type;

    if (!scan_literal(&s, "(") || !scan_u64(&s, UINT16_MAX, &ns) || !scan_literal(&s, ",") ||
        !scan_u64(&s, UINT16_MAX, &type) || !scan_literal(&s, ")") || *s) {
        return text_error("%s: %s must be (namespace,type)", text, mf->name);
    }
    put_be32(value->b, (uint32_t)(ns << 16 | type));
    return NULL;
}

char *
mf_parse(const struct mf_field *mf, const char *text, const struct mf_port_names *ports,
         union mf_value *value, union mf_value *mask)
{
    char *error = NULL;

    memset(value, 0, sizeof *value);
    mf_exact_mask(mf, mask);
    if (!strcmp(text, "*")) {
        memset(mask, 0, sizeof *mask);
        return NULL;
    }
    switch (mf->format) {
    case MF_FMT_DECIMAL:
    case MF_FMT_HEX:
        error = parse_integer(mf, text, value, mask);
        break;
    case MF_FMT_ETHERNET:
    case MF_FMT_IPV4:
    case MF_FMT_IPV6:
        error = parse_address(mf, text, value, mask);
        break;
    case MF_FMT_OFP_PORT:
    case MF_FMT_OFP_PORT_OXM:
        error = parse_port(mf, text, ports, value);
        break;
    case MF_FMT_FRAG:
        error = parse_frag(text, value, mask);
        break;
    case MF_FMT_TNL_FLAGS:
    case MF_FMT_TCP_FLAGS:
    case MF_FMT_CT_STATE:
        error = parse_flags(mf, text, value, mask);
        break;
    case MF_FMT_PACKET_TYPE:
        error = parse_packet_type(mf, text, value);
        break;
    }
    if (!error && !mf_is_value_valid(mf, value)) {
        error = text_error("%s: value is out of range for %s", text, mf->name);
    }
    if (!error && !mf_is_mask_valid(mf, mask)) {
        error = text_error("%s: invalid mask for field %s", text, mf->name);
    }
    return error;
}

char *
mf_parse_value(const struct mf_field *mf, const char *text, const struct mf_port_names *ports,
               union mf_value *value)
{
    union mf_value mask;
    char *error = mf_parse(mf, text, ports, value, &mask);

    if (!error && !mf_is_exact(mf, &mask)) {
        error = text_error("%s: %s must be given without a mask here", text, mf->name);
    }
    return error;
}

/* Subfields. */

static size_t
name_len(const char *s)
{
    size_t n = 0;

    while (isalnum((unsigned char)s[n]) || s[n] == '_') {
        n++;
    }
    return n;
}

char *
mf_parse_subfield_n(struct mf_subfield *sf, const char **sp, const struct mf_options *options)
{
    const char *start = *sp, *s = start;
    size_t len = name_len(s);
    uint64_t first, last;

    sf->field = mf_from_name_n(s, len);
    if (!sf->field && options) {
        sf->field = mf_option_from_name_n(options, s, len);
    }
    if (!sf->field) {
        return text_error("%.*s: unknown field", (int)(len ? len : strcspn(s, ",")), s);
    }
    s += len;
    if (!scan_literal(&s, "[") || scan_literal(&s, "]")) {
        first = 0;
        last = sf->field->n_bits - 1u;
    } else {
        if (!scan_u64(&s, UINT16_MAX, &first)) {
            return text_error("%s: expected a bit number after '['", start);
        }
        last = first;
        if (scan_literal(&s, "..") && !scan_u64(&s, UINT16_MAX, &last)) {
            return text_error("%s: expected a bit number after '..'", start);
        }
        if (!scan_literal(&s, "]")) {
            return text_error("%s: expected ']'", start);
        }
    }
    if (first > last || last >= sf->field->n_bits) {
        return text_error("%s: bits are not within the %d bits of %s", start,
                          (int)sf->field->n_bits, sf->field->name);
    }
    sf->ofs = (uint16_t)first;
    sf->n_bits = (uint16_t)(last - first + 1);
    *sp = s;
    return NULL;
}

char *
mf_parse_subfield(struct mf_subfield *sf, const char *s, const struct mf_options *options)
{
    const char *p = s;
    char *error = mf_parse_subfield_n(sf, &p, options);

    return error ? error : *p ? text_error("%s: unexpected text after the field", s) : NULL;
}

void
mf_format_subfield(const struct mf_subfield *sf, struct text *out)
{
    text_put(out, mf_nxm_name(sf->field));
    if (sf->ofs == 0 && sf->n_bits == sf->field->n_bits) {
        text_put(out, "[]");
    } else if (sf->n_bits == 1) {
        text_printf(out, "[%d]", sf->ofs);
    } else {
        text_printf(out, "[%d..%d]", sf->ofs, sf->ofs + sf->n_bits - 1);
    }
}
