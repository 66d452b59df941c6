// SPDX-License-Identifier: Apache-2.0
/* The tunnel option table and conntrack flushes, Nicira's extensions.  See ofp_tlv.h. */
#include "openflow/ofp_tlv.h"

#include "base/util.h"
#include "openflow/ofp_prop.h"

#define MAP_SIZE 8u

enum { CT_PROP_ORIG = 0, CT_PROP_REPLY = 1, CT_PROP_ZONE = 2 };
enum {
    CT_TUPLE_SRC = 0,
    CT_TUPLE_DST = 1,
    CT_TUPLE_SRC_PORT = 2,
    CT_TUPLE_DST_PORT = 3,
    CT_TUPLE_ICMP_ID = 4,
    CT_TUPLE_ICMP_TYPE = 5,
    CT_TUPLE_ICMP_CODE = 6,
};

static enum ofperr
pull_map(struct rd *in, struct ofp_tlv_map *map)
{
    map->option_class = rd_u16(in);
    map->option_type = rd_u8(in);
    map->option_len = rd_u8(in);
    map->index = rd_u16(in);
    rd_skip(in, 2);
    if (!map->option_len || map->option_len % MF_OPTION_UNIT ||
        map->option_len > MF_OPTION_WIRE_MAX_BYTES) {
        return OFPERR_NXTTMFC_BAD_OPT_LEN;
    }
    return map->index < OFP_TUN_METADATA_FIELDS ? 0 : OFPERR_NXTTMFC_BAD_FIELD_IDX;
}

enum ofperr
ofp_tlv_table_mod_decode(const struct ofp_msg *msg, struct ofp_tlv_table_mod *tm)
{
    struct rd in = msg->body;
    uint16_t command = rd_u16(&in);
    size_t n;

    *tm = (struct ofp_tlv_table_mod){.n = 0};
    rd_skip(&in, 6);
    if (command > OFP_TLV_CLEAR) {
        return OFPERR_NXTTMFC_BAD_COMMAND;
    }
    tm->command = command;
    n = rd_left(&in) / MAP_SIZE;
    tm->maps = n ? xcalloc(n, sizeof *tm->maps) : NULL;
    for (; tm->n < n; tm->n++) {
        enum ofperr error = pull_map(&in, &tm->maps[tm->n]);

        if (error) {
            return error;
        }
    }
    return 0;
}

static void
put_maps(struct wr *out, const struct ofp_tlv_map *maps, size_t n)
{
    for (size_t i = 0; i < n && i < OFP_TUN_METADATA_FIELDS; i++) {
        wr_u16(out, maps[i].option_class);
        wr_u8(out, maps[i].option_type);
        wr_u8(out, maps[i].option_len);
        wr_u16(out, maps[i].index);
        wr_u16(out, 0);
    }
}

void
ofp_tlv_table_mod_encode(enum ofp_tlv_command command, const struct ofp_tlv_map *maps, size_t n,
                         enum ofp_version version, uint32_t xid, struct wr *out)
{
    size_t start = ofp_msg_begin(out, OFPRAW_NXT_TLV_TABLE_MOD, version, xid);

    wr_u16(out, (uint16_t)command);
    wr_zeros(out, 6);
    put_maps(out, maps, n);
    ofp_msg_end(out, start);
}

void
ofp_tlv_table_reply_encode(const struct ofp_tlv_map *maps, size_t n, enum ofp_version version,
                           uint32_t xid, struct wr *out)
{
    size_t start = ofp_msg_begin(out, OFPRAW_NXT_TLV_TABLE_REPLY, version, xid);

    wr_u32(out, OFP_TUN_METADATA_SPACE);
    wr_u16(out, OFP_TUN_METADATA_FIELDS);
    wr_zeros(out, 10);
    put_maps(out, maps, n);
    ofp_msg_end(out, start);
}

static enum ofperr
pull_addr(struct ofp_prop *prop, struct in6_addr *addr)
{
    rd_copy(&prop->body, addr, sizeof *addr);
    return rd_ok(&prop->body) && !rd_left(&prop->body) ? 0 : OFPERR_OFPBPC_BAD_LEN;
}

static enum ofperr
pull_tuple_prop(struct ofp_prop *prop, uint8_t ip_proto, struct ofp_ct_tuple *t)
{
    bool icmp = ip_proto == IPPROTO_ICMP || ip_proto == IPPROTO_ICMPV6;

    switch (prop->type) {
    case CT_TUPLE_SRC:
        return pull_addr(prop, &t->src);
    case CT_TUPLE_DST:
        return pull_addr(prop, &t->dst);
    case CT_TUPLE_SRC_PORT:
        return icmp ? OFPERR_OFPBPC_BAD_TYPE : ofp_prop_u16(prop, &t->src_port);
    case CT_TUPLE_DST_PORT:
        return icmp ? OFPERR_OFPBPC_BAD_TYPE : ofp_prop_u16(prop, &t->dst_port);
    case CT_TUPLE_ICMP_ID:
        t->has_icmp = true;
        return icmp ? ofp_prop_u16(prop, &t->icmp_id) : OFPERR_OFPBPC_BAD_TYPE;
    case CT_TUPLE_ICMP_TYPE:
        t->has_icmp = true;
        return icmp ? ofp_prop_u8(prop, &t->icmp_type) : OFPERR_OFPBPC_BAD_TYPE;
    case CT_TUPLE_ICMP_CODE:
        t->has_icmp = true;
        return icmp ? ofp_prop_u8(prop, &t->icmp_code) : OFPERR_OFPBPC_BAD_TYPE;
    default:
        return ofp_prop_unknown(prop);
    }
}

/* A tuple is a property whose body, after 4 bytes of padding, is properties again. */
static enum ofperr
pull_tuple(struct ofp_prop *prop, uint8_t ip_proto, struct ofp_ct_tuple *t)
{
    rd_skip(&prop->body, 4);
    if (!rd_ok(&prop->body)) {
        return OFPERR_OFPBPC_BAD_LEN;
    }
    while (rd_left(&prop->body)) {
        struct ofp_prop inner;
        enum ofperr error = ofp_prop_pull(&prop->body, &inner);

        error = error ? error : pull_tuple_prop(&inner, ip_proto, t);
        if (error) {
            return error;
        }
    }
    return 0;
}

enum ofperr
ofp_ct_flush_decode(const struct ofp_msg *msg, struct ofp_ct_flush *f)
{
    struct rd in = msg->body;

    *f = (struct ofp_ct_flush){0};
    if (msg->raw == OFPRAW_NXT_CT_FLUSH_ZONE) {
        if (!rd_zeros(&in, 6)) {
            return OFPERR_NXBRC_MUST_BE_ZERO;
        }
        f->has_zone = true;
        f->zone = rd_u16(&in);
        return 0;
    }
    f->ip_proto = rd_u8(&in);
    if (!rd_zeros(&in, 7)) {
        return OFPERR_NXBRC_MUST_BE_ZERO;
    }
    while (rd_left(&in)) {
        struct ofp_prop prop;
        enum ofperr error = ofp_prop_pull(&in, &prop);

        if (!error && prop.type == CT_PROP_ZONE) {
            f->has_zone = true;
            error = ofp_prop_u16(&prop, &f->zone);
        } else if (!error && prop.type == CT_PROP_ORIG) {
            error = pull_tuple(&prop, f->ip_proto, &f->orig);
        } else if (!error && prop.type == CT_PROP_REPLY) {
            error = pull_tuple(&prop, f->ip_proto, &f->reply);
        } else if (!error) {
            error = ofp_prop_unknown(&prop);
        }
        if (error) {
            return error;
        }
    }
    return 0;
}
