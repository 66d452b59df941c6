// SPDX-License-Identifier: Apache-2.0
/* ct() and nat(): the connection tracking actions, on the wire.
 *
 * See struct ofpact_ct and struct ofpact_nat in ofp_action.h, action_wire.h for the numbers. Inside
 * ct() stand at most one nat(), and changes of ct_mark and ct_label only.
 */
#include "openflow/action_decode.h"
#include "openflow/nxm.h"
#include "openflow/ofp_text.h"

#include <inttypes.h>

static bool
is_ct_field(uint16_t id)
{
    return id == MF_CT_MARK || id == MF_CT_LABEL;
}

/* What may stand in ct(...)'s list. */
static enum ofperr
check_ct_actions(const struct ofpact *acts, size_t size)
{
    int n_nat = 0;

    OFPACT_FOR_EACH(a, acts, size)
    {
        if (a->type == OFPACT_NAT) {
            if (n_nat++) {
                return OFPERR_OFPBAC_BAD_ARGUMENT;
            }
        } else if (a->type == OFPACT_SET_FIELD) {
            if (!is_ct_field(OFPACT_CAST(ofpact_set_field, a)->field)) {
                return OFPERR_OFPBAC_BAD_SET_ARGUMENT;
            }
        } else if (a->type == OFPACT_REG_MOVE) {
            if (!is_ct_field((uint16_t)OFPACT_CAST(ofpact_reg_move, a)->dst.field->id)) {
                return OFPERR_OFPBAC_BAD_SET_ARGUMENT;
            }
        } else {
            return OFPERR_OFPBAC_BAD_TYPE;
        }
    }
    return 0;
}

static enum ofperr
pull_ct_header(struct rd *in, struct ofpact_ct *a)
{
    uint32_t zone_header;
    struct rd zone_src = *in;
    uint16_t zone;

    a->flags = rd_u16(in);
    zone_src = *in;
    zone_header = rd_u32(in);
    zone = rd_u16(in);
    a->recirc_table = rd_u8(in);
    if (!rd_zeros(in, 3)) {
        return OFPERR_NXBAC_MUST_BE_ZERO;
    }
    a->alg = rd_u16(in);
    if (a->flags & ~(OFPACT_CT_COMMIT | OFPACT_CT_FORCE) ||
        (a->flags & OFPACT_CT_FORCE && !(a->flags & OFPACT_CT_COMMIT)) ||
        (a->alg != 0 && a->alg != 21 && a->alg != 69)) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    if (!zone_header) {
        a->zone_imm = zone;
        return 0;
    }
    {
        struct rd header = rd_sub(&zone_src, 4);
        enum ofperr error =
            action_pull_subfield(&header, zone >> 6, (zone & 0x3f) + 1, &a->zone_src);

        return error ? error : a->zone_src.n_bits == 16 ? 0 : OFPERR_OFPBAC_BAD_SET_LEN;
    }
}

enum ofperr
action_decode_ct(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct action_ctx inner = {ctx->version, ctx->depth + 1};
    size_t ofs = ofpacts_open(out, OFPACT_CT, sizeof(struct ofpact_ct));
    struct ofpact_ct *a = (struct ofpact_ct *)(void *)(out->data + ofs);
    enum ofperr error = pull_ct_header(in, a);
    const struct ofpact *acts;
    size_t size;

    error = error ? error : action_decode_list(in, &inner, out);
    if (error) {
        return error;
    }
    ofpacts_close(out, ofs);
    a = (struct ofpact_ct *)(void *)(out->data + ofs);
    acts = ofpact_ct_actions(a, &size);
    if (size && !(a->flags & OFPACT_CT_COMMIT) && acts->type != OFPACT_NAT) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    return check_ct_actions(acts, size);
}

static enum ofperr
check_nat(const struct ofpact_nat *a, uint16_t range)
{
    bool src = a->flags & OFPACT_NAT_SRC, dst = a->flags & OFPACT_NAT_DST;

    if (a->flags & ~(OFPACT_NAT_SRC | OFPACT_NAT_DST | OFPACT_NAT_PERSISTENT | OFPACT_NAT_HASH |
                     OFPACT_NAT_RANDOM) ||
        (src && dst) || ((a->flags & OFPACT_NAT_HASH) && (a->flags & OFPACT_NAT_RANDOM))) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    if (!src && !dst && (range || a->flags)) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    if ((range & NX_NAT_IPV4_MAX && !(range & NX_NAT_IPV4_MIN)) ||
        (range & NX_NAT_IPV6_MAX && !(range & NX_NAT_IPV6_MIN)) ||
        (range & NX_NAT_PROTO_MAX && !(range & NX_NAT_PROTO_MIN)) ||
        (range & NX_NAT_IPV4_MIN && range & NX_NAT_IPV6_MIN)) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    if (range & (NX_NAT_IPV4_MAX | NX_NAT_IPV6_MAX) &&
        memcmp(a->addr_max, a->addr_min, sizeof a->addr_max) < 0) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    if (range & NX_NAT_PROTO_MAX && a->port_max < a->port_min) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    return 0;
}

enum ofperr
action_decode_nat(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_nat *a = ofpacts_put_struct(out, NAT, struct ofpact_nat);
    uint16_t flags, range;

    if (!rd_zeros(in, 2)) {
        return OFPERR_NXBAC_MUST_BE_ZERO;
    }
    flags = rd_u16(in);
    range = rd_u16(in);
    if (flags > UINT8_MAX || range & ~0x3f) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    a->flags = (uint8_t)flags;
    a->range_af = range & NX_NAT_IPV4_MIN ? 4 : range & NX_NAT_IPV6_MIN ? 6 : 0;
    if (range & NX_NAT_IPV4_MIN) {
        rd_copy(in, a->addr_min, 4);
    }
    if (range & NX_NAT_IPV4_MAX) {
        rd_copy(in, a->addr_max, 4);
    }
    if (range & NX_NAT_IPV6_MIN) {
        rd_copy(in, a->addr_min, 16);
    }
    if (range & NX_NAT_IPV6_MAX) {
        rd_copy(in, a->addr_max, 16);
    }
    if (range & NX_NAT_PROTO_MIN) {
        a->port_min = rd_u16(in);
    }
    if (range & NX_NAT_PROTO_MAX) {
        a->port_max = rd_u16(in);
    }
    if (!rd_ok(in) || rd_left(in) >= 8) {
        return OFPERR_OFPBAC_BAD_LEN;
    }
    if (!rd_zeros(in, rd_left(in))) {
        return OFPERR_NXBAC_MUST_BE_ZERO;
    }
    return check_nat(a, range);
}

static size_t
begin_nx(struct wr *out, enum nxast subtype)
{
    size_t start = out->size;

    wr_u16(out, OFPAT_EXPERIMENTER);
    wr_u16(out, 0);
    wr_u32(out, OFP_VENDOR_NX);
    wr_u16(out, (uint16_t)subtype);
    return start;
}

static void
end_nx(struct wr *out, size_t start)
{
    wr_align(out, start, 8);
    wr_set_u16(out, start + 2, (uint16_t)(out->size - start));
}

void
action_encode_ct(const struct ofpact_ct *a, enum ofp_version version, struct wr *out)
{
    size_t start = begin_nx(out, NXAST_CT);
    const struct ofpact *acts;
    size_t size;

    wr_u16(out, a->flags);
    if (a->zone_src.n_bits) {
        nxm_put_header(out, a->zone_src.field, false, 0);
        wr_u16(out, (uint16_t)(a->zone_src.ofs << 6 | (a->zone_src.n_bits - 1)));
    } else {
        wr_u32(out, 0);
        wr_u16(out, a->zone_imm);
    }
    wr_u8(out, a->recirc_table);
    wr_zeros(out, 3);
    wr_u16(out, a->alg);
    acts = ofpact_ct_actions(a, &size);
    ofpacts_encode(acts, size, version, out);
    end_nx(out, start);
}

static bool
nat_has_max_addr(const struct ofpact_nat *a)
{
    static const uint8_t zero[16];

    return memcmp(a->addr_max, zero, sizeof zero) != 0;
}

void
action_encode_nat(const struct ofpact_nat *a, struct wr *out)
{
    size_t start = begin_nx(out, NXAST_NAT);
    size_t addr_size = a->range_af == 4 ? 4 : 16;
    bool max = a->range_af && nat_has_max_addr(a);
    uint16_t range = 0;

    if (a->range_af) {
        range |= a->range_af == 4 ? NX_NAT_IPV4_MIN : NX_NAT_IPV6_MIN;
        range |= !max ? 0 : a->range_af == 4 ? NX_NAT_IPV4_MAX : NX_NAT_IPV6_MAX;
    }
    range |= a->port_min ? NX_NAT_PROTO_MIN : 0;
    range |= a->port_min && a->port_max ? NX_NAT_PROTO_MAX : 0;
    wr_zeros(out, 2);
    wr_u16(out, a->flags);
    wr_u16(out, range);
    if (a->range_af) {
        wr_bytes(out, a->addr_min, addr_size);
    }
    if (max) {
        wr_bytes(out, a->addr_max, addr_size);
    }
    if (range & NX_NAT_PROTO_MIN) {
        wr_u16(out, a->port_min);
    }
    if (range & NX_NAT_PROTO_MAX) {
        wr_u16(out, a->port_max);
    }
    end_nx(out, start);
}

/* Text: "ct(commit,zone=5,nat(src=10.0.0.1-10.0.0.9:1000-2000),exec(set_field:0x1->ct_mark))". */

static void
put_nat_addr(const struct ofpact_nat *a, const uint8_t addr[16], bool bracket, struct text *out)
{
    if (a->range_af == 4) {
        rte_be32_t ip;

        memcpy(&ip, addr, sizeof ip);
        text_put_ipv4(out, ip);
    } else {
        struct in6_addr ip;

        memcpy(&ip, addr, sizeof ip);
        text_put(out, bracket ? "[" : "");
        text_put_ipv6(out, &ip);
        text_put(out, bracket ? "]" : "");
    }
}

static void
format_nat_range(const struct ofpact_nat *a, struct text *out)
{
    bool bracket = a->port_min != 0;

    if (a->range_af) {
        text_putc(out, '=');
        put_nat_addr(a, a->addr_min, bracket, out);
        if (nat_has_max_addr(a) && memcmp(a->addr_min, a->addr_max, sizeof a->addr_min)) {
            text_putc(out, '-');
            put_nat_addr(a, a->addr_max, bracket, out);
        }
    } else if (a->port_min) {
        text_putc(out, '=');
    }
    if (a->port_min) {
        text_printf(out, ":%" PRIu16, a->port_min);
        if (a->port_max && a->port_max != a->port_min) {
            text_printf(out, "-%" PRIu16, a->port_max);
        }
    }
}

void
action_format_nat(const struct ofpact_nat *a, struct text *out)
{
    text_put(out, "nat");
    if (!(a->flags & (OFPACT_NAT_SRC | OFPACT_NAT_DST))) {
        return;
    }
    text_put(out, a->flags & OFPACT_NAT_SRC ? "(src" : "(dst");
    format_nat_range(a, out);
    text_put(out, a->flags & OFPACT_NAT_PERSISTENT ? ",persistent" : "");
    text_put(out, a->flags & OFPACT_NAT_HASH ? ",hash" : "");
    text_put(out, a->flags & OFPACT_NAT_RANDOM ? ",random" : "");
    text_putc(out, ')');
}

void
action_format_ct(const struct ofpact_ct *a, const struct mf_port_names *ports, struct text *out)
{
    const struct ofpact *acts;
    size_t size;

    text_put(out, "ct(");
    text_put(out, a->flags & OFPACT_CT_COMMIT ? "commit," : "");
    text_put(out, a->flags & OFPACT_CT_FORCE ? "force," : "");
    if (a->recirc_table != OFPACT_CT_NO_RECIRC) {
        text_printf(out, "table=%" PRIu8 ",", a->recirc_table);
    }
    if (a->zone_src.n_bits) {
        text_put(out, "zone=");
        mf_format_subfield(&a->zone_src, out);
        text_putc(out, ',');
    } else if (a->zone_imm) {
        text_printf(out, "zone=%" PRIu16 ",", a->zone_imm);
    }
    acts = ofpact_ct_actions(a, &size);
    if (size && acts->type == OFPACT_NAT) {
        action_format_nat(OFPACT_CAST(ofpact_nat, acts), out);
        text_putc(out, ',');
        size -= acts->len;
        acts = ofpact_next(acts);
    }
    if (size) {
        text_put(out, "exec(");
        ofpacts_format(acts, size, ports, out);
        text_put(out, "),");
    }
    if (a->alg) {
        text_printf(out, "alg=%s,", a->alg == 21 ? "ftp" : "tftp");
    }
    text_chomp(out, ',');
    text_putc(out, ')');
}
