// SPDX-License-Identifier: Apache-2.0
/* The learn() action: a template of a flow, made of specs that copy bits from the packet or from
 * constants into the match or the actions of the flow to be learned.
 *
 * See struct ofpact_learn in ofp_action.h.  On the wire a spec is a 16-bit header (number of bits,
 * kind of source, kind of destination), the source (a field header and offset, or the constant
 * rounded up to 16 bits), and the destination (a field header and offset, or nothing for an
 * output).  A header of zero ends the list.
 */
#include "base/util.h"
#include "openflow/action_decode.h"
#include "openflow/nxm.h"
#include "openflow/ofp_text.h"

#include <inttypes.h>

static size_t
imm_size(unsigned int n_bits)
{
    return 2 * ((n_bits + 15) / 16);
}

static enum ofperr
pull_learn_subfield(struct rd *in, uint16_t n_bits, struct mf_subfield *sf)
{
    enum ofperr error = nxm_pull_header(in, &sf->field, NULL);

    if (error) {
        return action_field_error(error);
    }
    sf->ofs = rd_u16(in);
    sf->n_bits = n_bits;
    if (!rd_ok(in) || sf->ofs + n_bits > sf->field->n_bits) {
        return OFPERR_OFPBAC_BAD_SET_LEN;
    }
    return 0;
}

static enum ofperr
check_imm(const uint8_t *imm, size_t size, unsigned int n_bits)
{
    unsigned int spare = (unsigned int)size * 8 - n_bits;

    for (unsigned int i = 0; i < spare; i++) {
        if (imm[i / 8] >> (7 - i % 8) & 1) {
            return OFPERR_OFPBAC_BAD_ARGUMENT;
        }
    }
    return 0;
}

static enum ofperr
pull_spec(struct rd *in, uint16_t header, struct ofpacts *out)
{
    struct ofpact_learn_spec spec = {.n_bits = header & NX_LEARN_N_BITS_MASK};
    const uint8_t *imm = NULL;
    enum ofperr error = 0;
    size_t room;
    uint8_t *p;

    spec.src_type = (header >> NX_LEARN_SRC_SHIFT) & 1;
    spec.dst_type = (header >> NX_LEARN_DST_SHIFT) & 3;
    if (!spec.n_bits || header >> 14 || spec.dst_type > LEARN_DST_OUTPUT) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    if (spec.src_type == LEARN_SRC_FIELD) {
        error = pull_learn_subfield(in, spec.n_bits, &spec.src);
    } else {
        spec.imm_size = (uint16_t)imm_size(spec.n_bits);
        imm = rd_bytes(in, spec.imm_size);
        error = imm ? check_imm(imm, spec.imm_size, spec.n_bits) : OFPERR_OFPBAC_BAD_LEN;
    }
    if (error) {
        return error;
    }
    if (spec.dst_type == LEARN_DST_OUTPUT) {
        if (spec.src_type == LEARN_SRC_IMMEDIATE && spec.n_bits != 16 && spec.n_bits != 32) {
            return OFPERR_OFPBAC_BAD_ARGUMENT;
        }
    } else {
        error = pull_learn_subfield(in, spec.n_bits, &spec.dst);
        if (!error && spec.dst_type == LEARN_DST_LOAD && !spec.dst.field->writable) {
            error = OFPERR_OFPBAC_BAD_SET_ARGUMENT;
        }
        if (error) {
            return error;
        }
    }
    /* Specs lie in the list as bytes behind the learn header. */
    room = OFPACT_ROUND(sizeof spec + spec.imm_size);
    p = ofpacts_put(out, OFPACT_NOTE, room);
    memset(p, 0, room);
    memcpy(p, &spec, sizeof spec);
    if (imm) {
        memcpy(p + sizeof spec, imm, spec.imm_size);
    }
    return 0;
}

static struct ofpact_learn *
learn_at(struct ofpacts *out, size_t ofs)
{
    return (struct ofpact_learn *)(void *)(out->data + ofs);
}

static enum ofperr
pull_learn_header(struct rd *in, bool learn2, struct ofpact_learn *a)
{
    enum ofperr error;
    uint8_t pad;

    a->idle_timeout = rd_u16(in);
    a->hard_timeout = rd_u16(in);
    a->priority = rd_u16(in);
    a->cookie = rd_u64(in);
    a->flags = rd_u16(in);
    a->table_id = rd_u8(in);
    pad = rd_u8(in);
    a->fin_idle_timeout = rd_u16(in);
    a->fin_hard_timeout = rd_u16(in);
    if (pad || a->table_id == OFP_TABLE_ALL ||
        a->flags & ~(OFPACT_LEARN_SEND_FLOW_REM | OFPACT_LEARN_DELETE_LEARNED |
                     (learn2 ? OFPACT_LEARN_WRITE_RESULT : 0))) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    if (learn2) {
        uint16_t ofs;

        a->ofpact.raw = OFPACT_RAW_LEARN2;
        a->limit = rd_u32(in);
        ofs = rd_u16(in);
        if (rd_u16(in)) {
            return OFPERR_OFPBAC_BAD_ARGUMENT;
        }
        if (a->flags & OFPACT_LEARN_WRITE_RESULT) {
            error = action_pull_subfield(in, ofs, 1, &a->result_dst);
            if (error) {
                return error;
            }
            if (!a->result_dst.field->writable) {
                return OFPERR_OFPBAC_BAD_SET_ARGUMENT;
            }
        }
    }
    return 0;
}

static enum ofperr
decode_learn(struct rd *in, bool learn2, struct ofpacts *out)
{
    size_t ofs = ofpacts_open(out, OFPACT_LEARN, sizeof(struct ofpact_learn));
    enum ofperr error = pull_learn_header(in, learn2, learn_at(out, ofs));

    while (!error && rd_left(in) >= 2) {
        uint16_t header = rd_u16(in);

        if (!header) {
            break;
        }
        error = pull_spec(in, header, out);
    }
    if (error) {
        return error;
    }
    learn_at(out, ofs)->specs_size = (uint32_t)(out->size - ofs - sizeof(struct ofpact_learn));
    ofpacts_close(out, ofs);
    return rd_zeros(in, rd_left(in)) ? 0 : OFPERR_OFPBAC_BAD_ARGUMENT;
}

enum ofperr
action_decode_learn(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return decode_learn(in, false, out);
}

enum ofperr
action_decode_learn2(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return decode_learn(in, true, out);
}

static void
put_spec(const struct ofpact_learn_spec *spec, struct wr *out)
{
    wr_u16(out, (uint16_t)(spec->n_bits | spec->dst_type << NX_LEARN_DST_SHIFT |
                           spec->src_type << NX_LEARN_SRC_SHIFT));
    if (spec->src_type == LEARN_SRC_FIELD) {
        nxm_put_header(out, spec->src.field, false, 0);
        wr_u16(out, spec->src.ofs);
    } else {
        wr_bytes(out, spec->imm, spec->imm_size);
    }
    if (spec->dst_type != LEARN_DST_OUTPUT) {
        nxm_put_header(out, spec->dst.field, false, 0);
        wr_u16(out, spec->dst.ofs);
    }
}

void
action_encode_learn(const struct ofpact_learn *a, struct wr *out)
{
    bool learn2 =
        a->ofpact.raw == OFPACT_RAW_LEARN2 || a->limit || a->flags & OFPACT_LEARN_WRITE_RESULT;
    size_t start = out->size;

    wr_u16(out, OFPAT_EXPERIMENTER);
    wr_u16(out, 0);
    wr_u32(out, OFP_VENDOR_NX);
    wr_u16(out, learn2 ? NXAST_LEARN2 : NXAST_LEARN);
    wr_u16(out, a->idle_timeout);
    wr_u16(out, a->hard_timeout);
    wr_u16(out, a->priority);
    wr_u64(out, a->cookie);
    wr_u16(out, a->flags);
    wr_u8(out, a->table_id);
    wr_u8(out, 0);
    wr_u16(out, a->fin_idle_timeout);
    wr_u16(out, a->fin_hard_timeout);
    if (learn2) {
        wr_u32(out, a->limit);
        wr_u16(out, a->result_dst.n_bits ? a->result_dst.ofs : 0);
        wr_u16(out, 0);
        if (a->flags & OFPACT_LEARN_WRITE_RESULT) {
            nxm_put_header(out, a->result_dst.field, false, 0);
        }
    }
    OFPACT_LEARN_FOR_EACH(spec, a)
    {
        put_spec(spec, out);
    }
    wr_align(out, start, 8);
    wr_set_u16(out, start + 2, (uint16_t)(out->size - start));
}

/* Text: "learn(table=1,hard_timeout=60,NXM_OF_VLAN_TCI[0..11],output:NXM_OF_IN_PORT[])". */

static void
put_imm(const struct ofpact_learn_spec *spec, struct text *out)
{
    bool seen = false;

    text_put(out, "0x");
    for (int i = 0; i < spec->imm_size; i++) {
        if (seen) {
            text_printf(out, "%02" PRIx8, spec->imm[i]);
        } else if (spec->imm[i] || i == spec->imm_size - 1) {
            text_printf(out, "%" PRIx8, spec->imm[i]);
            seen = true;
        }
    }
}

/* The low 128 bits of the constant, right-aligned. */
static void
imm_to_value(const struct ofpact_learn_spec *spec, union mf_value *v)
{
    size_t n = spec->imm_size < sizeof v->b ? spec->imm_size : sizeof v->b;

    memset(v, 0, sizeof *v);
    memcpy(v->b + sizeof v->b - n, spec->imm + spec->imm_size - n, n);
}

static void
format_spec_match(const struct ofpact_learn_spec *spec, const struct mf_port_names *ports,
                  struct text *out)
{
    const struct mf_field *mf = spec->dst.field;

    if (spec->src_type == LEARN_SRC_FIELD) {
        mf_format_subfield(&spec->dst, out);
        if (spec->src.field != spec->dst.field || spec->src.ofs != spec->dst.ofs) {
            text_putc(out, '=');
            mf_format_subfield(&spec->src, out);
        }
    } else if (spec->dst.ofs == 0 && spec->dst.n_bits == mf->n_bits) {
        union mf_value bits, value, mask;

        imm_to_value(spec, &bits);
        mf_subfield_to_field(&spec->dst, &bits, &value, &mask);
        text_printf(out, "%s=", mf->name);
        mf_format(mf, &value, NULL, ports, out);
    } else {
        mf_format_subfield(&spec->dst, out);
        text_putc(out, '=');
        put_imm(spec, out);
    }
}

static void
format_spec(const struct ofpact_learn_spec *spec, const struct mf_port_names *ports,
            struct text *out)
{
    switch ((enum ofpact_learn_dst)spec->dst_type) {
    case LEARN_DST_MATCH:
        format_spec_match(spec, ports, out);
        break;
    case LEARN_DST_LOAD:
        text_put(out, "load:");
        if (spec->src_type == LEARN_SRC_FIELD) {
            mf_format_subfield(&spec->src, out);
        } else {
            put_imm(spec, out);
        }
        text_put(out, "->");
        mf_format_subfield(&spec->dst, out);
        break;
    case LEARN_DST_OUTPUT:
        text_put(out, "output:");
        if (spec->src_type == LEARN_SRC_FIELD) {
            mf_format_subfield(&spec->src, out);
        } else {
            put_imm(spec, out);
        }
        break;
    }
}

void
action_format_learn(const struct ofpact_learn *a, const struct mf_port_names *ports,
                    struct text *out)
{
    const struct {
        const char *name;
        uint16_t seconds;
    } timeouts[] = {
        {"idle_timeout", a->idle_timeout},
        {"hard_timeout", a->hard_timeout},
        {"fin_idle_timeout", a->fin_idle_timeout},
        {"fin_hard_timeout", a->fin_hard_timeout},
    };

    text_printf(out, "learn(table=%" PRIu8, a->table_id);
    for (size_t i = 0; i < ARRAY_SIZE(timeouts); i++) {
        if (timeouts[i].seconds) {
            text_printf(out, ",%s=%" PRIu16, timeouts[i].name, timeouts[i].seconds);
        }
    }
    if (a->priority != OFP_DEFAULT_PRIORITY) {
        text_printf(out, ",priority=%" PRIu16, a->priority);
    }
    if (a->flags & OFPACT_LEARN_SEND_FLOW_REM) {
        text_put(out, ",send_flow_rem");
    }
    if (a->flags & OFPACT_LEARN_DELETE_LEARNED) {
        text_put(out, ",delete_learned");
    }
    if (a->cookie) {
        text_printf(out, ",cookie=%#" PRIx64, a->cookie);
    }
    if (a->limit) {
        text_printf(out, ",limit=%" PRIu32, a->limit);
    }
    if (a->flags & OFPACT_LEARN_WRITE_RESULT) {
        text_put(out, ",result_dst=");
        mf_format_subfield(&a->result_dst, out);
    }
    OFPACT_LEARN_FOR_EACH(spec, a)
    {
        text_putc(out, ',');
        format_spec(spec, ports, out);
    }
    text_putc(out, ')');
}
