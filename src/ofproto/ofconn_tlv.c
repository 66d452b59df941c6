// SPDX-License-Identifier: Apache-2.0
/*
 * ofconn_tlv.c - NXT_TLV_TABLE_*: the bridge's table of tunnel options (tlv_map.c), as controllers
 * and tools change and read it.  ovs-save keeps it across restarts, OVN writes it.
 *
 * Main thread.
 */
#include <stdlib.h>

#include "ofproto/flow_journal.h"
#include "ofproto/ofconn.h"

enum ofperr
handle_tlv_table_mod(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofp_tlv_table_mod tm = {0};
    enum ofperr error = ofp_tlv_table_mod_decode(msg, &tm);

    error = error ? error : tlv_map_mod(c->ofproto, &tm);
    flow_journal_commit(c->ofproto);
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
