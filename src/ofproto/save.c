// SPDX-License-Identifier: Apache-2.0
/*
 * save.c - a bridge's meters, groups, flows and MAC addresses as bytes, for a process that takes
 * over from this one (src/bridge/br_state.c), and back; and back from the journal of a process that
 * crashed (flow_journal.h).
 *
 * The TLV map, meters, groups and flows are OpenFlow 1.5 messages that would make them, in an order
 * in which all that is referred to is there.  Counters and ages begin anew.  A MAC address is a
 * struct saved_mac, least recently used first.  Main thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/memlog.h"
#include "ofproto/ofconn.h"
#include "ofproto/xlate_int.h"
#include "openflow/ofp_flow.h"
#include "openflow/ofp_group.h"
#include "openflow/ofp_meter.h"

LOG_MODULE(ofproto);

#define SAVE_VERSION OFP15_VERSION

/* ---- Meters, groups, flows ---- */

/* One that became longer than a message can be (it came in several, or in another version's
 * shorter encoding) is left out, whole: its length would be a lie about all that follow. */
static void
leave_out_if_too_long(struct wr *out, size_t start, const char *what, uint64_t id)
{
    if (out->size - start > OFP_MSG_MAX) {
        log_warn("%s %#" PRIx64 " is too long to be handed on", what, id);
        wr_truncate(out, start);
    }
}

static void
save_meter(const struct ofp_meter_config *config, void *out)
{
    ofp_meter_mod_encode(OFPMC_ADD, config, SAVE_VERSION, 0, out);
}

static void
save_group(const struct ofgroup *g, void *out_)
{
    struct wr *out = out_;
    size_t start = out->size;
    struct ofp_group mod;

    ofp_group_copy(&mod, g->spec);
    mod.command = OFPGC_ADD;
    mod.command_bucket_id = OFPG_BUCKET_ALL;
    ofp_group_mod_encode(&mod, SAVE_VERSION, 0, out);
    ofp_group_fini(&mod);
    leave_out_if_too_long(out, start, "group", g->spec->group_id);
}

static bool
save_rule(struct cls_rule *c, void *out_)
{
    struct wr *out = out_;
    size_t start = out->size;
    struct ofp_flow_stats fs;
    struct match match;

    rule_get_stats(rule_from_cls(c), &match, &fs);
    if (fs.priority > UINT16_MAX) {
        return true; /* Hidden: whoever wants it makes it again. */
    }
    struct ofp_flow_mod fm = {
        .match = match,
        .new_cookie = fs.cookie,
        .command = OFPFC_ADD,
        .table_id = fs.table_id,
        .priority = (uint16_t)fs.priority,
        .idle_timeout = fs.idle_timeout,
        .hard_timeout = fs.hard_timeout,
        .importance = fs.importance,
        .flags = fs.flags,
        .buffer_id = OFP_BUFFER_NONE,
        .out_port = OFPP_NONE,
        .out_group = OFP_GROUP_ANY,
    };
    ofpacts_append(&fm.actions, fs.actions, fs.actions_size);
    ofp_flow_mod_encode(&fm, SAVE_VERSION, false, false, 0, out);
    ofp_flow_mod_fini(&fm);
    leave_out_if_too_long(out, start, "flow with cookie", fs.cookie);
    return true;
}

uint8_t *
ofproto_save_flows(const struct ofproto *p, size_t *size)
{
    struct wr out = {0};

    if (p->n_tlv_maps) {
        tlv_map_encode(p, SAVE_VERSION, &out);
    }
    meters_visit(p, save_meter, &out);
    groups_visit(p, OFP_GROUP_ALL, save_group, &out);
    for (int i = 0; i < OFPROTO_TABLE_HIDDEN; i++) {
        cls_visit_loose(p->tables[i].cls, ofproto_version(p), NULL, save_rule, &out);
    }
    *size = out.size;
    return out.data;
}

static enum ofperr
restore_flow(struct flow_txn *txn, const struct ofp_msg *msg)
{
    struct ofp_flow_mod *fm = &txn->ofproto->fm;
    enum ofperr error = ofp_flow_mod_decode(msg, false, fm);

    if (error) {
        return error;
    }
    if (fm->command != OFPFC_ADD || fm->table_id >= OFPROTO_N_TABLES) {
        return OFPERR_OFPBRC_EPERM;
    }
    error = ofconn_check_acts(txn->ofproto, &fm->actions, &fm->match, fm->table_id, SAVE_VERSION);
    return error ? error : flow_mod_apply(txn, fm);
}

/* So many are named; the caller counts the others. */
enum { REFUSED_TOLD = 20 };

/* What is missing now may have been what denied: whoever runs the switch is to know which. */
static void
tell_refused(struct ofproto *p, const uint8_t *data, size_t size, enum ofperr error, size_t n)
{
    struct ofp_flow_mod *fm = &p->fm;
    struct text t = {0};
    struct ofp_msg msg;
    bool is_sound = !ofp_msg_decode(data, size, &msg);

    if (n > REFUSED_TOLD) {
        return;
    }
    msg.body.options = &p->options;
    if (!is_sound) {
        text_put(&t, "a message that cannot be read");
    } else if (msg.type == OFPTYPE_FLOW_MOD && !ofp_flow_mod_decode(&msg, false, fm)) {
        text_printf(&t, "flow table=%u, cookie=%#" PRIx64 ", ", fm->table_id, fm->new_cookie);
        match_format(&fm->match, NULL, &t, fm->priority);
    } else {
        text_printf(&t, "%s",
                    msg.type == OFPTYPE_FLOW_MOD    ? "flow"
                    : msg.type == OFPTYPE_GROUP_MOD ? "group"
                    : msg.type == OFPTYPE_METER_MOD ? "meter"
                                                    : "the TLV map");
    }
    log_err("bridge %s: not restored (%s): %s", p->name, ofperr_name(error), text_cstr(&t));
    text_fini(&t);
}

static enum ofperr
restore_group(struct flow_txn *txn, const struct ofp_msg *msg)
{
    struct ofp_group group = {0};
    enum ofperr error = ofp_group_mod_decode(msg, &group);

    error = error ? error : group_mod_apply(txn, &group);
    ofp_group_fini(&group);
    return error;
}

static enum ofperr
restore_meter(struct flow_txn *txn, const struct ofp_msg *msg)
{
    struct ofp_meter_config config = {0};
    enum ofp_meter_command command;
    enum ofperr error = ofp_meter_mod_decode(msg, &command, &config);

    error = error ? error : meter_mod(txn, command, &config);
    ofp_meter_config_fini(&config);
    return error;
}

static enum ofperr
restore_tlv_map(struct ofproto *p, const struct ofp_msg *msg)
{
    struct ofp_tlv_table_mod tm = {0};
    enum ofperr error = ofp_tlv_table_mod_decode(msg, &tm);

    error = error ? error : tlv_map_restore(p, &tm);
    free(tm.maps);
    return error;
}

static enum ofperr
restore_message(struct flow_txn *txn, const uint8_t *data, size_t size)
{
    struct ofp_msg msg;
    enum ofperr error = ofp_msg_decode(data, size, &msg);

    if (error) {
        return error;
    }
    msg.body.options = &txn->ofproto->options;
    if (msg.type == OFPTYPE_TLV_TABLE_MOD) {
        return restore_tlv_map(txn->ofproto, &msg);
    }
    if (msg.type == OFPTYPE_FLOW_MOD) {
        return restore_flow(txn, &msg);
    }
    if (msg.type == OFPTYPE_GROUP_MOD) {
        return restore_group(txn, &msg);
    }
    return msg.type == OFPTYPE_METER_MOD ? restore_meter(txn, &msg) : OFPERR_OFPBRC_BAD_TYPE;
}

static void
restore_begin(struct flow_txn *txn, struct ofproto *p)
{
    groups_destroy(p);
    meters_destroy_all(p);
    flow_txn_begin(txn, p);
    txn->is_restore = true;
    flow_txn_remove_all(txn);
}

static void
restore_end(struct flow_txn *txn)
{
    struct ofprotos *all = txn->ofproto->all;

    flow_txn_commit(txn);
    changes_put(all, OFPROTO_CHANGE_VIEW, txn->ofproto, 0);
    changes_publish(all);
}

size_t
ofproto_restore_flows(struct ofproto *p, const uint8_t *data, size_t size)
{
    struct flow_txn txn;
    size_t n_refused = 0, n;

    restore_begin(&txn, p);
    for (size_t ofs = 0; ofs < size; ofs += n) {
        n = size - ofs >= OFP_HEADER_SIZE ? ofp_msg_size(data + ofs) : 0;
        if (n < OFP_HEADER_SIZE || n > size - ofs) {
            n_refused++;
            break;
        }
        enum ofperr error = restore_message(&txn, data + ofs, n);
        if (error) {
            tell_refused(p, data + ofs, n, error, ++n_refused);
        }
    }
    restore_end(&txn);
    return n_refused;
}

/* ---- The journal of a process that crashed ---- */

struct journal_restore {
    struct ofproto *ofproto;
    struct flow_txn txn;
    size_t n_flows, n_refused;
};

/* A hard timeout goes on counting from where it did; the time of the last packet is not known. */
static void
restore_from_journal(const uint8_t *msg, size_t size, int64_t modified_ms, void *restore_)
{
    struct journal_restore *restore = restore_;
    struct flow_txn *txn = &restore->txn;
    size_t n_ops = txn->n_ops;

    if (!msg) {
        restore_begin(txn, restore->ofproto);
        return;
    }
    enum ofperr error = restore_message(txn, msg, size);
    if (error) {
        tell_refused(restore->ofproto, msg, size, error, ++restore->n_refused);
    } else if (txn->n_ops > n_ops) {
        struct rule *r = txn->ops[txn->n_ops - 1].rule;

        restore->n_flows++;
        if (modified_ms > 0 && modified_ms < r->modified_ms) {
            r->modified_ms = modified_ms;
        }
    }
}

int
ofproto_journal_restore(struct ofproto *p, const void *data, size_t size, size_t *n_flows,
                        size_t *n_refused)
{
    const struct memlog_header *header = data;
    struct journal_restore restore = {.ofproto = p};
    size_t n_lost;
    int result;

    *n_flows = *n_refused = 0;
    if (size < sizeof *header) {
        return -EPROTO;
    }
    if (connmgr_context_flushes(p->connmgr, header->notes[FLOW_JOURNAL_NOTE_CONTEXT])) {
        return -ESTALE;
    }
    result = flow_journal_read(data, size, restore_from_journal, &restore, &n_lost);
    if (result) {
        return result;
    }
    restore_end(&restore.txn);
    *n_flows = restore.n_flows;
    *n_refused = restore.n_refused + n_lost;
    return 0;
}

uint32_t
ofproto_journal_note_restore(void *data, size_t size)
{
    struct memlog_header *header = data;

    return size < sizeof *header ? 0
                                 : atomic_fetch_add(&header->notes[FLOW_JOURNAL_NOTE_RESTORES], 1);
}

/* ---- MAC addresses ---- */

struct saved_mac {
    struct rte_ether_addr mac;
    uint16_t vlan;
    uint16_t ofp_port; /* a member of its logical port */
    uint8_t is_static;
    uint8_t pad[5];
};

uint8_t *
ofproto_save_macs(const struct ofproto *p, size_t *size)
{
    const struct ofproto_view *view = ofproto_view(p);
    struct wr out = {0};
    size_t n;
    struct mac_row *rows = mac_table_rows(p->mac_table, &n);

    for (size_t i = 0; i < n; i++) {
        const struct view_bundle *bundle = view_bundle(view, rows[i].bundle_id);

        if (bundle && bundle->n_members) {
            struct saved_mac saved = {
                .mac = rows[i].mac,
                .vlan = rows[i].vlan,
                .ofp_port = bundle->members[0]->ofp_port,
                .is_static = rows[i].is_static,
            };
            wr_bytes(&out, &saved, sizeof saved);
        }
    }
    free(rows);
    *size = out.size;
    return out.data;
}

uint64_t
ofproto_macs_seq(const struct ofproto *p)
{
    struct mac_table_stats s;

    mac_table_get_stats(p->mac_table, &s);
    return hash_2u64(s.learned + s.expired + s.evicted + s.moved, s.n << 32 ^ s.n_static, 0);
}

void
ofproto_restore_macs(struct ofproto *p, const uint8_t *data, size_t size)
{
    const struct ofproto_view *view = ofproto_view(p);
    struct saved_mac saved;

    for (; size >= sizeof saved; data += sizeof saved, size -= sizeof saved) {
        memcpy(&saved, data, sizeof saved);
        const struct view_port *port = view_port(view, saved.ofp_port);

        if (!port || !port->bundle || saved.vlan >= 4096 ||
            rte_is_multicast_ether_addr(&saved.mac)) {
            continue; /* It is learned again, or not. */
        }
        if (saved.is_static) {
            uint32_t old;
            mac_table_add_static(p->mac_table, saved.vlan, saved.mac, port->bundle->id, &old);
        } else {
            struct mac_source source = {
                .mac = saved.mac, .vlan = saved.vlan, .bundle_id = port->bundle->id};
            mac_table_learn(p->mac_table, &source);
        }
    }
}
