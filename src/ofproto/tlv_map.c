// SPDX-License-Identifier: Apache-2.0
/*
 * tlv_map.c - a bridge's table of tunnel options: which Geneve option is which tun_metadata field,
 * and where the field lies in a flow.  Rules and groups hold on to the entries that they use: this
 * is found out when an entry is to go, which is rare; only lists of actions count what they name.
 *
 * docs/decisions/0025-room-for-tunnel-options.md.  Main thread.
 */
#include "ofproto/ofconn.h"
#include "ofproto/flow_journal.h"
#include "openflow/ofp_group.h"

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

static enum ofperr
add_map(struct ofproto *p, const struct ofp_tlv_map *m)
{
    if (m->index >= MF_N_OPTIONS) {
        return OFPERR_NXTTMFC_BAD_FIELD_IDX;
    }
    if (!m->option_len || m->option_len % MF_OPTION_UNIT || m->option_len > MF_OPTION_MAX_BYTES) {
        return OFPERR_NXTTMFC_BAD_OPT_LEN;
    }
    if (find_index(p, m->index)) {
        return OFPERR_NXTTMFC_ALREADY_MAPPED;
    }
    if (find_option(p, m)) {
        return OFPERR_NXTTMFC_DUP_ENTRY;
    }
    if (!mf_options_place(&p->options, m->index, m->option_len)) {
        return OFPERR_NXTTMFC_TABLE_FULL;
    }
    p->tlv_maps[p->n_tlv_maps++] = *m;
    return OFPERR_OK;
}

/* --- what is in use ----------------------------------------------------------------------------
 */

/* Numbers of options as bits: asked for, and found in use so far. */
struct search {
    uint64_t wanted, found;
};

static bool
has_more(const struct search *search)
{
    return (search->wanted & ~search->found) != 0;
}

static bool
look_at_match(struct cls_rule *c, void *search_)
{
    struct search *search = search_;
    struct match match;

    cls_rule_get_match(c, &match);
    MF_OPTION_FOR_EACH(mf, &match.flow)
    {
        search->found |= UINT64_C(1) << mf_option_index(mf);
    }
    return has_more(search);
}

static void
look_at_list(const struct rule_actions *acts, struct search *search)
{
    if (acts->has_options) {
        search->found |= ofpacts_options(rule_acts(acts), acts->size);
    }
}

static bool
look_at_actions(struct cls_rule *c, void *search)
{
    look_at_list(rule_from_cls(c)->actions, search);
    return has_more(search);
}

static void
look_at_group(const struct ofgroup *g, void *search)
{
    for (size_t i = 0; i < g->n_buckets; i++) {
        look_at_list(g->buckets[i].actions, search);
    }
}

/* Rules of masks that look where the fields lie: there are no others in such a place while a rule
 * that matches on one keeps it mapped. */
static void
search_matches(struct ofproto *p, struct search *search)
{
    struct flow_mask bits = {0};

    for (unsigned i = 0; i < MF_N_OPTIONS; i++) {
        if (search->wanted >> i & 1) {
            mf_option_mask_presence(mf_option_find(&p->options, i), &bits);
        }
    }
    for (int i = 0; i < OFPROTO_N_TABLES && has_more(search); i++) {
        cls_visit_looking(p->tables[i].cls, ofproto_version(p), &bits, look_at_match, search);
    }
}

static void
search_actions(struct ofproto *p, struct search *search)
{
    for (int i = 0; i < OFPROTO_N_TABLES && has_more(search); i++) {
        cls_visit_looking(p->tables[i].cls, ofproto_version(p), NULL, look_at_actions, search);
    }
    groups_visit(p, OFP_GROUP_ALL, look_at_group, search);
}

/* Those of 'wanted', which are mapped, that are in use.  All rules are looked at only where some
 * list of actions names what is not found otherwise: a bridge may have a million of them. */
static uint64_t
options_in_use(struct ofproto *p, uint64_t wanted)
{
    struct search search = {.wanted = wanted};

    if (wanted) {
        search_matches(p, &search);
    }
    if (has_more(&search) && (rule_actions_options(p->all) & wanted & ~search.found) != 0) {
        search_actions(p, &search);
    }
    return search.found & wanted;
}

/* Those that the message would take away. */
static uint64_t
options_to_go(const struct ofproto *p, const struct ofp_tlv_table_mod *tm)
{
    uint64_t mapped = 0, named = tm->command == OFP_TLV_CLEAR ? UINT64_MAX : 0;

    for (size_t i = 0; i < p->n_tlv_maps; i++) {
        mapped |= UINT64_C(1) << p->tlv_maps[i].index;
    }
    for (size_t i = 0; tm->command == OFP_TLV_DELETE && i < tm->n; i++) {
        named |= tm->maps[i].index < MF_N_OPTIONS ? UINT64_C(1) << tm->maps[i].index : 0;
    }
    return mapped & named;
}

static enum ofperr
delete_map(struct ofproto *p, const struct ofp_tlv_map *m, uint64_t used)
{
    struct ofp_tlv_map *old = find_index(p, m->index);

    if (m->index >= MF_N_OPTIONS) {
        return OFPERR_NXTTMFC_BAD_FIELD_IDX;
    }
    if (!old) {
        return OFPERR_OK; /* What is not mapped need not be unmapped.  Only the number counts. */
    }
    if (used >> m->index & 1) {
        return OFPERR_NXTTMFC_INVALID_TLV_DEL;
    }
    mf_options_remove(&p->options, m->index);
    *old = p->tlv_maps[--p->n_tlv_maps];
    return OFPERR_OK;
}

static enum ofperr
clear_map(struct ofproto *p, uint64_t used)
{
    for (size_t i = 0; i < p->n_tlv_maps; i++) {
        if (used >> p->tlv_maps[i].index & 1) {
            return OFPERR_NXTTMFC_INVALID_TLV_DEL;
        }
    }
    p->n_tlv_maps = 0;
    p->options = (struct mf_options){0};
    return OFPERR_OK;
}

static enum ofperr
apply(struct ofproto *p, const struct ofp_tlv_table_mod *tm)
{
    const uint64_t used = options_in_use(p, options_to_go(p, tm));
    enum ofperr error = OFPERR_OK;

    if (tm->command == OFP_TLV_CLEAR) {
        return clear_map(p, used);
    }
    for (size_t i = 0; !error && i < tm->n; i++) {
        error = tm->command == OFP_TLV_ADD ? add_map(p, &tm->maps[i])
                                           : delete_map(p, &tm->maps[i], used);
    }
    return error;
}

enum ofperr
tlv_map_mod(struct ofproto *p, const struct ofp_tlv_table_mod *tm)
{
    const struct mf_options options = p->options;
    struct ofp_tlv_map maps[MF_N_OPTIONS];
    const size_t n = p->n_tlv_maps;
    enum ofperr error;

    memcpy(maps, p->tlv_maps, sizeof maps);
    error = apply(p, tm);
    if (error) { /* All or nothing. */
        memcpy(p->tlv_maps, maps, sizeof maps);
        p->n_tlv_maps = n;
        p->options = options;
    } else {
        p->options_seq++;
        flow_journal_tlv_map(p);
    }
    return error;
}

/* The journal and what is handed on say the whole map, in one message that adds all of it. */
enum ofperr
tlv_map_restore(struct ofproto *p, const struct ofp_tlv_table_mod *tm)
{
    if (tm->command != OFP_TLV_ADD) {
        return OFPERR_NXTTMFC_BAD_COMMAND;
    }
    p->n_tlv_maps = 0;
    p->options = (struct mf_options){0};
    return tlv_map_mod(p, tm);
}

void
tlv_map_encode(const struct ofproto *p, enum ofp_version version, struct wr *out)
{
    ofp_tlv_table_mod_encode(OFP_TLV_ADD, p->tlv_maps, p->n_tlv_maps, version, 0, out);
}

const struct mf_options *
ofproto_options(const struct ofproto *p)
{
    return &p->options;
}
