// SPDX-License-Identifier: Apache-2.0
/*
 * ofconn_tlv.c - the bridge's table of tunnel options (NXT_TLV_TABLE_*): which Geneve option is
 * which tun_metadata field.  ovs-save keeps it across restarts, OVN writes it.
 *
 * Main thread.
 */
#include <stdlib.h>

#include "ofproto/ofconn.h"

static struct ofp_tlv_map *
find_index(struct ofproto *p, uint16_t index)
{
    for (size_t i = 0; i < p->n_tlv_maps; i++) {
        if (p->tlv_maps[i].index == index) {
            return &p->tlv_maps[i];
        }
    }
    return NULL;
}

static struct ofp_tlv_map *
find_option(struct ofproto *p, const struct ofp_tlv_map *m)
{
    for (size_t i = 0; i < p->n_tlv_maps; i++) {
        if (p->tlv_maps[i].option_class == m->option_class &&
            p->tlv_maps[i].option_type == m->option_type) {
            return &p->tlv_maps[i];
        }
    }
    return NULL;
}

static size_t
space_used(const struct ofproto *p)
{
    size_t used = 0;

    for (size_t i = 0; i < p->n_tlv_maps; i++) {
        used += p->tlv_maps[i].option_len;
    }
    return used;
}

static enum ofperr
add_map(struct ofproto *p, const struct ofp_tlv_map *m)
{
    if (m->index >= OFP_TUN_METADATA_FIELDS) {
        return OFPERR_NXTTMFC_BAD_FIELD_IDX;
    }
    if (!m->option_len || m->option_len % 4 || m->option_len > 124) {
        return OFPERR_NXTTMFC_BAD_OPT_LEN;
    }
    if (find_index(p, m->index)) {
        return OFPERR_NXTTMFC_ALREADY_MAPPED;
    }
    if (find_option(p, m)) {
        return OFPERR_NXTTMFC_DUP_ENTRY;
    }
    if (space_used(p) + m->option_len > OFP_TUN_METADATA_SPACE) {
        return OFPERR_NXTTMFC_TABLE_FULL;
    }
    p->tlv_maps[p->n_tlv_maps++] = *m;
    return OFPERR_OK;
}

static enum ofperr
delete_map(struct ofproto *p, const struct ofp_tlv_map *m)
{
    struct ofp_tlv_map *old = find_index(p, m->index);

    if (m->index >= OFP_TUN_METADATA_FIELDS) {
        return OFPERR_NXTTMFC_BAD_FIELD_IDX;
    }
    if (old && find_option(p, m) == old) { /* What is not mapped need not be unmapped. */
        *old = p->tlv_maps[--p->n_tlv_maps];
    }
    return OFPERR_OK;
}

enum ofperr
handle_tlv_table_mod(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofproto *p = c->ofproto;
    struct ofp_tlv_table_mod tm = {0};
    enum ofperr error = ofp_tlv_table_mod_decode(msg, &tm);
    struct ofp_tlv_map saved[OFP_TUN_METADATA_FIELDS];
    size_t n_saved = p->n_tlv_maps;

    memcpy(saved, p->tlv_maps, sizeof saved);
    if (!error && tm.command == OFP_TLV_CLEAR) {
        p->n_tlv_maps = 0;
    }
    for (size_t i = 0; !error && tm.command != OFP_TLV_CLEAR && i < tm.n; i++) {
        error = tm.command == OFP_TLV_ADD ? add_map(p, &tm.maps[i]) : delete_map(p, &tm.maps[i]);
    }
    if (error) { /* All or nothing. */
        memcpy(p->tlv_maps, saved, sizeof saved);
        p->n_tlv_maps = n_saved;
    }
    free(tm.maps);
    return error;
}

static int
compare_maps(const void *a_, const void *b_)
{
    const struct ofp_tlv_map *a = a_, *b = b_;

    return a->index < b->index ? -1 : a->index > b->index;
}

enum ofperr
handle_tlv_table_request(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofproto *p = c->ofproto;

    qsort(p->tlv_maps, p->n_tlv_maps, sizeof *p->tlv_maps, compare_maps);
    ofp_tlv_table_reply_encode(p->tlv_maps, p->n_tlv_maps, (enum ofp_version)msg->version, msg->xid,
                               &c->out);
    return OFPERR_OK;
}
