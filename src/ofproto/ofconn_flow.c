// SPDX-License-Identifier: Apache-2.0
/*
 * ofconn_flow.c - messages about flows, tables and packets: flow-mod, statistics, packet-out.
 *
 * Main thread.  ofconn_dump.c writes the flows themselves.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ofproto/ofconn.h"
#include "openflow/ofp_continuation.h"
#include "openflow/ofp_table.h"

static enum ofp_version
version_of(const struct ofp_msg *msg)
{
    return (enum ofp_version)msg->version;
}

/* --- flow-mods
 * ------------------------------------------------------------------------------------------- */

struct missing {
    const struct ofproto *p;
    bool is_found;
};

static void
look_for_group(uint32_t group_id, void *missing_)
{
    struct missing *missing = missing_;

    missing->is_found |= !group_exists(missing->p, group_id);
}

/* Every group and meter that the actions lead to must be there. */
static enum ofperr
check_targets(const struct ofproto *p, const struct ofpact *acts, size_t size)
{
    struct missing missing = {.p = p};

    OFPACT_FOR_EACH(a, acts, size)
    {
        if (a->type == OFPACT_METER && !meter_exists(p, OFPACT_CAST(ofpact_meter, a)->meter_id)) {
            return OFPERR_OFPMMFC_INVALID_METER;
        }
    }
    ofpacts_for_each_group(acts, size, look_for_group, &missing);
    return missing.is_found ? OFPERR_OFPBAC_BAD_OUT_GROUP : OFPERR_OK;
}

enum ofperr
ofconn_check_acts(const struct ofproto *p, struct ofpacts *acts, const struct match *match,
                  uint8_t table_id, enum ofp_version version)
{
    struct ofpacts_check check = {
        .match = match,
        .max_ports = OFPP_MAX,
        .table_id = table_id,
        .n_tables = OFPROTO_N_TABLES,
        .version = version,
    };
    enum ofperr error;

    if (!acts->size) {
        return OFPERR_OK;
    }
    error = ofpacts_check((struct ofpact *)(void *)acts->data, acts->size, &check);
    /* Buckets may lead to groups that come later: a saved set of groups is restored in any order.
     */
    return error || !p ? error : check_targets(p, ofpacts_data(acts), acts->size);
}

enum ofperr
ofconn_decode_flow_mod(struct ofconn *c, const struct ofp_msg *msg, struct ofp_flow_mod *fm)
{
    enum ofperr error = ofp_flow_mod_decode(msg, c->table_id_in_command, fm);
    bool is_delete;

    if (error) {
        return error;
    }
    is_delete = fm->command == OFPFC_DELETE || fm->command == OFPFC_DELETE_STRICT;
    if (!is_delete && fm->table_id == OFPROTO_TABLE_HIDDEN) {
        return OFPERR_OFPBRC_EPERM; /* The switch's own: a delete that meets none of it is fine. */
    }
    if (!is_delete && (fm->match.flow.recirc_id || fm->match.mask.bits.dp_hash)) {
        return OFPERR_OFPBRC_EPERM; /* These are the datapath's; 0 is any packet from a port. */
    }
    return is_delete ? OFPERR_OK
                     : ofconn_check_acts(c->ofproto, &fm->actions, &fm->match,
                                         fm->table_id == OFP_TABLE_ALL ? 0 : fm->table_id,
                                         version_of(msg));
}

enum ofperr
handle_flow_mod(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofp_flow_mod *fm = &c->ofproto->fm;
    enum ofperr error = ofconn_decode_flow_mod(c, msg, fm);

    return error ? error : flow_mod_run(c->ofproto, fm);
}

/* --- flow statistics
 * -------------------------------------------------------------------------------------- */

enum ofperr
handle_flow_stats(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofp_flow_stats_request fsr;
    enum ofperr error = ofp_flow_stats_request_decode(msg, &fsr);
    struct rule **rules;
    size_t n;

    error = error ? error : rules_collect(c->ofproto, &fsr, &rules, &n);
    return error ? error : dump_start(c, msg, rules, NULL, n);
}

enum ofperr
handle_aggregate_stats(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofp_flow_stats_request fsr;
    struct ofp_aggregate_stats stats = {0};
    enum ofperr error = ofp_flow_stats_request_decode(msg, &fsr);
    struct rule **rules;
    size_t n;

    if (!error) {
        error = rules_collect(c->ofproto, &fsr, &rules, &n);
    }
    if (error) {
        return error;
    }
    for (size_t i = 0; i < n; i++) {
        const struct rule_stats *s = rules[i]->stats;

        stats.n_packets += atomic_load_explicit(&s->packets, memory_order_relaxed);
        stats.n_bytes += atomic_load_explicit(&s->bytes, memory_order_relaxed);
    }
    stats.n_flows = (uint32_t)n;
    rules_unref(rules, n);
    ofp_aggregate_stats_reply_encode(&stats, msg, &c->out);
    return OFPERR_OK;
}

/* --- tables ---------------------------------------------------------------------------------- */

enum ofperr
handle_table_stats(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofp_mp mp;
    enum ofp_raw raw;

    if (!ofp_mp_reply_raw(msg, &raw)) {
        return OFPERR_OFPBRC_BAD_STAT;
    }
    ofp_mp_begin(&mp, &c->out, raw, version_of(msg), msg->xid);
    for (int i = 0; i < OFPROTO_N_TABLES; i++) {
        const struct oftable *t = &c->ofproto->tables[i];
        uint64_t matched = atomic_load_explicit(&t->n_matched, memory_order_relaxed);
        struct ofp_table_stats ts = {
            .table_id = (uint8_t)i,
            .name = t->name ? t->name : "",
            .max_entries = MIN(t->max_flows, UINT32_C(1000000)),
            .active_count = (uint32_t)t->n_flows,
            .lookup_count = matched + atomic_load_explicit(&t->n_missed, memory_order_relaxed),
            .matched_count = matched,
            .miss_config = (enum ofp_table_miss)t->miss,
        };

        ofp_table_stats_encode(&mp, &ts, i + 1 < OFPROTO_N_TABLES);
    }
    ofp_mp_end(&mp);
    return OFPERR_OK;
}

enum ofperr
handle_table_features(struct ofconn *c, const struct ofp_msg *msg)
{
    size_t n_tables = 0;
    enum ofperr error = ofp_table_features_request_decode(msg, &n_tables);
    struct ofp_mp mp;
    enum ofp_raw raw;

    if (error) {
        return error;
    }
    if (n_tables) {
        return OFPERR_OFPTFFC_EPERM;
    }
    if (!ofp_mp_reply_raw(msg, &raw)) {
        return OFPERR_OFPBRC_BAD_STAT;
    }
    ofp_mp_begin(&mp, &c->out, raw, version_of(msg), msg->xid);
    for (int i = 0; i < OFPROTO_N_TABLES; i++) {
        const struct oftable *t = &c->ofproto->tables[i];
        struct ofp_table_features tf = {
            .table_id = (uint8_t)i,
            .name = t->name ? t->name : "",
            .metadata_match = UINT64_MAX,
            .metadata_write = UINT64_MAX,
            .max_entries = MIN(t->max_flows, UINT32_C(1000000)),
            .eviction = t->evict_by_controller,
            .n_tables = OFPROTO_N_TABLES,
        };

        ofp_table_features_encode(&mp, &tf);
    }
    ofp_mp_end(&mp);
    return OFPERR_OK;
}

enum ofperr
handle_table_desc(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofp_mp mp;
    enum ofp_raw raw;

    if (!ofp_mp_reply_raw(msg, &raw)) {
        return OFPERR_OFPBRC_BAD_STAT;
    }
    ofp_mp_begin(&mp, &c->out, raw, version_of(msg), msg->xid);
    for (int i = 0; i < OFPROTO_N_TABLES; i++) {
        const struct ofp_table_desc td = oftable_desc(c->ofproto, (uint8_t)i);

        ofp_table_desc_encode(&mp, &td);
    }
    ofp_mp_end(&mp);
    return OFPERR_OK;
}

enum ofperr
handle_table_mod(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofproto *p = c->ofproto;
    struct ofp_table_mod tm;
    enum ofperr error = ofp_table_mod_decode(msg, &tm);
    int first = tm.table_id, last = tm.table_id;

    if (error) {
        return error;
    }
    if (tm.table_id == OFP_TABLE_ALL) {
        first = 0;
        last = OFPROTO_N_TABLES - 1;
    } else if (tm.table_id >= OFPROTO_N_TABLES) {
        return OFPERR_OFPTMFC_EPERM;
    }
    for (int i = first; i <= last; i++) {
        struct oftable *t = &p->tables[i];

        if (tm.has_miss && t->miss != (uint8_t)tm.miss) {
            t->miss = (uint8_t)tm.miss;
            ofproto_view_changed(p);
        }
        if (tm.eviction != OFP_TABLE_UNCHANGED) {
            t->evict_by_controller = tm.eviction == OFP_TABLE_ON;
            if (!oftable_evicts(t)) {
                evict_forget(t);
            }
        }
        if (tm.vacancy != OFP_TABLE_UNCHANGED) {
            oftable_set_vacancy(t, tm.vacancy == OFP_TABLE_ON, tm.vacancy_down, tm.vacancy_up);
        }
    }
    ofproto_commit(p);
    return OFPERR_OK;
}

/* --- packet-out
 * ------------------------------------------------------------------------------------------- */

/* Decodes into 'po', to be released whatever comes, and checks it. */
static enum ofperr
decode_packet_out(struct ofconn *c, const struct ofp_msg *msg, struct ofp_packet_out *po)
{
    enum ofperr error = ofp_packet_out_decode(msg, po);

    if (error) {
        return error;
    }
    if (po->buffer_id != OFP_BUFFER_NONE || !po->packet) {
        return OFPERR_OFPBRC_BUFFER_UNKNOWN;
    }
    if (po->flow.ofp_in_port >= OFPP_MAX && po->flow.ofp_in_port != OFPP_LOCAL &&
        po->flow.ofp_in_port != OFPP_NONE && po->flow.ofp_in_port != OFPP_CONTROLLER) {
        return OFPERR_OFPBRC_BAD_PORT;
    }
    return ofconn_check_acts(c->ofproto, &po->actions, NULL, OFP_TABLE_ALL, version_of(msg));
}

enum ofperr
check_packet_out(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofp_packet_out po = {0};
    enum ofperr error = decode_packet_out(c, msg, &po);

    ofp_packet_out_fini(&po);
    return error;
}

enum ofperr
handle_packet_out(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofproto *p = c->ofproto;
    struct ofp_packet_out po = {0};
    enum ofperr error = decode_packet_out(c, msg, &po);

    if (!error && p->all->hooks.packet_out) {
        const struct ofproto_packet_out out = {
            .data = po.packet,
            .len = po.packet_size,
            .metadata = &po.flow,
            .acts = ofpacts_data(&po.actions),
            .acts_size = po.actions.size,
            .version = ofproto_version(p),
        };

        p->all->hooks.packet_out(p->all->hooks_aux, p, &out);
    }
    ofp_packet_out_fini(&po);
    return error;
}

/* --- packets that were paused
 * ------------------------------------------------------------------------------- */

/* Where it was and what it was to do there must still make sense. */
static enum ofperr
check_continuation(struct ofproto *p, struct ofp_continuation *k, enum ofp_version version)
{
    enum ofperr error = uuid_equals(&k->bridge, &p->uuid) ? OFPERR_OK : OFPERR_NXR_STALE;

    for (size_t i = 0; !error && i < k->n_parts; i++) {
        if (k->parts[i].table_id >= OFPROTO_N_TABLES) {
            return OFPERR_OFPBRC_BAD_TABLE_ID;
        }
        error = ofconn_check_acts(p, &k->parts[i].actions, NULL, OFP_TABLE_ALL, version);
    }
    return error ? error : ofconn_check_acts(p, &k->action_set, NULL, OFP_TABLE_ALL, version);
}

enum ofperr
handle_resume(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofproto *p = c->ofproto;
    struct ofp_continuation k = {0};
    struct ofp_packet_in pin;
    enum ofperr error = ofp_resume_decode(msg, &pin);
    struct rd in;

    if (error) {
        return error;
    }
    in = rd_init(pin.continuation, pin.continuation_size);
    in.options = msg->body.options;
    error = ofp_continuation_decode(&in, version_of(msg), &k);
    error = error ? error : check_continuation(p, &k, version_of(msg));
    if (!error && p->all->hooks.packet_out) {
        const struct ofproto_packet_out out = {
            .data = pin.packet,
            .len = pin.packet_size,
            .metadata = &pin.metadata.flow,
            .resume = &k,
            .odp_port = (odp_port_t)k.odp_port,
            .version = ofproto_version(p),
        };

        p->all->hooks.packet_out(p->all->hooks_aux, p, &out);
    }
    ofp_continuation_fini(&k);
    return error;
}
