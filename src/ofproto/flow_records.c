// SPDX-License-Identifier: Apache-2.0
/*
 * flow_records.c - rules, groups and meters as records.
 *
 * A flow takes some 25 bytes, and about 300 instructions of the thousands that a flow-mod takes:
 * its values are copied in runs of bytes that its mask, which many flows share, says once.
 */
#include "ofproto/flow_records.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "ofproto/cls_int.h"

LOG_MODULE(flow_journal);

enum {
    CACHE_MIN = 8,
    SHAPES_MAX = 4096,
    ACTIONS_MAX = 4096,
    BLOCK_HEADER = 8, /* of memlog.c, for the account of what is garbage */
};

/* How the values of a mask's rules are written: 'n' bytes of a word from bit 'shift' on. */
struct run {
    uint8_t word, shift, n;
};

struct flow_shape {
    uint32_t number;
    unsigned int n, n_runs;
    uint64_t map;
    const struct run *runs; /* behind the masks */
    uint64_t mask[];
};

struct flow_known_actions {
    uint32_t number;
    const struct rule_actions *actions; /* a reference, so that the address stays taken */
};

/* --- numbers -----------------------------------------------------------------------------------
 */

static uint32_t
rule_number(const struct rule *r)
{
    return (uint32_t)r->journal[0] << 16 | (uint32_t)r->journal[1] << 8 | r->journal[2];
}

static void
rule_set_number(struct rule *r, uint32_t number)
{
    r->journal[0] = (uint8_t)(number >> 16);
    r->journal[1] = (uint8_t)(number >> 8);
    r->journal[2] = (uint8_t)number;
}

static uint8_t *
write_number(uint8_t *p, uint32_t x)
{
    for (; x >= 0x80; x >>= 7) {
        *p++ = (uint8_t)(x | 0x80);
    }
    *p++ = (uint8_t)x;
    return p;
}

static void
put_number(struct wr *w, uint32_t x)
{
    uint8_t bytes[5];

    wr_bytes(w, bytes, (size_t)(write_number(bytes, x) - bytes));
}

/* --- shapes ------------------------------------------------------------------------------------
 */

static void
forget_shapes(struct flow_records *rec, size_t len)
{
    for (size_t i = 0; i < rec->shapes_len; i++) {
        free(rec->shapes[i]);
    }
    free(rec->shapes);
    rec->shapes = xcalloc(len, sizeof *rec->shapes);
    rec->shapes_len = len;
}

static bool
words_equal(const uint64_t *a, const uint64_t *b, unsigned int n)
{
    while (n && *a == *b) {
        n--, a++, b++;
    }
    return !n;
}

static bool
shape_is(const struct flow_shape *s, const struct cls_subtable *st)
{
    return s->map == st->map && words_equal(s->mask, st->mask, s->n);
}

/* Finds the bytes of the mask that are not zero; returns how many runs they make. */
static unsigned int
find_runs(uint64_t mask, unsigned int word, struct run *runs)
{
    unsigned int n = 0;

    for (unsigned int b = 0, start; b < 8; b++) {
        start = b;
        while (b < 8 && mask >> 8 * b & 0xff) {
            b++;
        }
        if (b > start) {
            runs[n++] = (struct run){
                .word = (uint8_t)word, .shift = (uint8_t)(8 * start), .n = (uint8_t)(b - start)};
        }
    }
    return n;
}

static struct flow_shape *
shape_create(const struct cls_subtable *st)
{
    struct run runs[FLOW_WORDS * 4];
    size_t mask_size = st->n_words * sizeof st->mask[0];
    unsigned int n_runs = 0;

    for (unsigned int i = 0; i < st->n_words; i++) {
        n_runs += find_runs(st->mask[i], i, &runs[n_runs]);
    }
    struct flow_shape *s = xmalloc(sizeof *s + mask_size + n_runs * sizeof runs[0]);
    s->n = st->n_words;
    s->n_runs = n_runs;
    s->map = st->map;
    memcpy(s->mask, st->mask, mask_size);
    s->runs = memcpy((uint8_t *)s->mask + mask_size, runs, n_runs * sizeof runs[0]);
    return s;
}

static struct flow_shape *
learn_shape(struct flow_records *rec, const struct cls_subtable *st)
{
    struct flow_shape *s = shape_create(st);
    struct wr *w = &rec->out;

    s->number = ++rec->n_shapes;
    wr_u8(w, FLOW_JOURNAL_SHAPE);
    wr_u8(w, (uint8_t)s->n);
    for (unsigned int i = 0; i < s->n; i++) {
        wr_u8(w, st->word[i]);
        wr_u64(w, st->mask[i]);
    }
    return s;
}

static const struct flow_shape *
shape_of(struct flow_records *rec, const struct cls_subtable *st)
{
    /* The table's own hash of map and mask. */
    struct flow_shape **s = &rec->shapes[st->hh.hashv & (rec->shapes_len - 1)];

    if (*s && shape_is(*s, st)) {
        return *s;
    }
    if (*s && rec->shapes_len < SHAPES_MAX) {
        forget_shapes(rec, rec->shapes_len * 2);
        s = &rec->shapes[st->hh.hashv & (rec->shapes_len - 1)];
    }
    free(*s);
    *s = learn_shape(rec, st);
    return *s;
}

/* --- actions -----------------------------------------------------------------------------------
 */

static void
forget_actions(struct flow_records *rec, size_t len)
{
    for (size_t i = 0; i < rec->actions_len; i++) {
        rule_actions_unref(rec->actions[i].actions);
    }
    free(rec->actions);
    rec->actions = xcalloc(len, sizeof *rec->actions);
    rec->actions_len = len;
}

static uint32_t
number_of_actions(struct flow_records *rec, const struct rule_actions *actions)
{
    size_t hash = (size_t)hash_pointer(actions, 0);
    struct flow_known_actions *known = &rec->actions[hash & (rec->actions_len - 1)];
    struct wr acts = {0};

    if (known->actions == actions) {
        return known->number;
    }
    if (known->actions && rec->actions_len < ACTIONS_MAX) {
        forget_actions(rec, rec->actions_len * 2);
        known = &rec->actions[hash & (rec->actions_len - 1)];
    }
    ofpacts_encode_instructions(rule_acts(actions), actions->size, OFP15_VERSION, &acts);
    wr_u8(&rec->out, FLOW_JOURNAL_ACTIONS);
    put_number(&rec->out, (uint32_t)acts.size);
    wr_bytes(&rec->out, acts.data, acts.size);
    wr_fini(&acts);
    rule_actions_ref(actions);
    rule_actions_unref(known->actions);
    *known = (struct flow_known_actions){.number = ++rec->n_actions, .actions = actions};
    return known->number;
}

/* --- flows -------------------------------------------------------------------------------------
 */

/* Bytes of a FLOW at most.  A table's worth of them is written at once: no call for each integer.
 */
#define FLOW_MAX (64 + sizeof(struct flow))

static uint8_t *
write_int(uint8_t *p, uint64_t x, unsigned int n_bytes)
{
    uint64_t be = __builtin_bswap64(x << 8 * (8 - n_bytes));

    memcpy(p, &be, sizeof be); /* What is behind is not written yet. */
    return p + n_bytes;
}

static uint8_t *
write_extras(uint8_t *p, const struct rule *r, unsigned int has, uint16_t flags)
{
    if (has & FLOW_JOURNAL_COOKIE32) {
        p = write_int(p, r->cookie, 4);
    }
    if (has & FLOW_JOURNAL_COOKIE64) {
        p = write_int(p, r->cookie, 8);
    }
    if (has & FLOW_JOURNAL_FLAGS) {
        p = write_int(p, flags, 2);
    }
    if (has & FLOW_JOURNAL_IMPORTANCE) {
        p = write_int(p, r->importance, 2);
    }
    if (has & FLOW_JOURNAL_TIMES) {
        p = write_int(p, r->idle_timeout, 2);
        p = write_int(p, r->hard_timeout, 2);
        p = write_int(p, (uint64_t)r->modified_ms, 8);
    }
    return p;
}

static uint8_t *
write_values(uint8_t *p, const struct rule *r, const struct flow_shape *s)
{
    const struct run *end = s->runs + s->n_runs;

    for (const struct run *run = s->runs; run < end; run++) {
        uint64_t x = r->cls.values[run->word] >> run->shift;

        memcpy(p, &x, sizeof x);
        p += run->n;
    }
    return p;
}

void
flow_records_put(struct flow_records *rec, struct rule *r)
{
    size_t before = rec->out.size;
    const struct flow_shape *s = shape_of(rec, r->cls.subtable);
    uint32_t actions = number_of_actions(rec, r->actions);
    uint16_t flags = r->flags & (uint16_t)~RULE_HIDDEN_READONLY;
    struct wr *w = &rec->out;
    unsigned int has = 0;

    if (r->cookie) {
        has |= r->cookie > UINT32_MAX ? FLOW_JOURNAL_COOKIE64 : FLOW_JOURNAL_COOKIE32;
    }
    has |= flags ? FLOW_JOURNAL_FLAGS : 0;
    has |= r->importance ? FLOW_JOURNAL_IMPORTANCE : 0;
    has |= r->idle_timeout || r->hard_timeout ? FLOW_JOURNAL_TIMES : 0;
    if (w->cap - w->size < FLOW_MAX) {
        wr_reserve(w, FLOW_MAX);
    }
    uint8_t *start = w->data + w->size, *p = start;
    *p++ = FLOW_JOURNAL_FLOW;
    *p++ = r->table_id;
    *p++ = (uint8_t)has;
    p = write_int(p, (uint64_t)r->cls.priority, 2);
    p = write_extras(p, r, has, flags);
    p = write_number(p, s->number);
    p = write_number(p, actions);
    p = write_values(p, r, s);
    w->size += (size_t)(p - start);
    rule_set_number(r, ++rec->n_flows);
    rec->flow_bytes += w->size - before;
}

void
flow_records_remove(struct flow_records *rec, struct rule *r)
{
    struct wr *w = &rec->out;
    size_t start = w->size;

    wr_u8(w, FLOW_JOURNAL_FLOW_DEL);
    put_number(w, rule_number(r));
    rule_set_number(r, 0);
    rec->garbage += rec->flow_bytes / rec->n_flows + 2 * BLOCK_HEADER + (w->size - start);
}

bool
flow_records_has(const struct rule *r)
{
    return rule_number(r) != 0;
}

void
flow_records_put_times(struct flow_records *rec, const struct rule *r)
{
    wr_u8(&rec->out, FLOW_JOURNAL_FLOW_TIMES);
    put_number(&rec->out, rule_number(r));
    wr_u16(&rec->out, r->idle_timeout);
    wr_u16(&rec->out, r->hard_timeout);
    wr_u64(&rec->out, (uint64_t)r->modified_ms);
    rec->garbage += BLOCK_HEADER + 16;
}

/* --- groups and meters -------------------------------------------------------------------------
 */

static void
put_message(struct flow_records *rec, enum flow_journal_record type, uint32_t id,
            const struct wr *msg)
{
    wr_u8(&rec->out, (uint8_t)type);
    wr_u32(&rec->out, id);
    put_number(&rec->out, (uint32_t)msg->size);
    wr_bytes(&rec->out, msg->data, msg->size);
}

static void
put_removed_id(struct flow_records *rec, enum flow_journal_record type, uint32_t id)
{
    wr_u8(&rec->out, (uint8_t)type);
    wr_u32(&rec->out, id);
    rec->garbage += BLOCK_HEADER + 64;
}

void
flow_records_put_group(struct flow_records *rec, const struct ofp_group *spec)
{
    struct wr msg = {0};
    struct ofp_group mod;

    ofp_group_copy(&mod, spec);
    mod.command = OFPGC_ADD;
    mod.command_bucket_id = OFPG_BUCKET_ALL;
    ofp_group_mod_encode(&mod, OFP15_VERSION, 0, &msg);
    ofp_group_fini(&mod);
    if (msg.size <= OFP_MSG_MAX) {
        put_message(rec, FLOW_JOURNAL_GROUP, spec->group_id, &msg);
        rec->garbage += msg.size; /* As if it had replaced one of its size. */
    } else {
        log_warn("group %u has too many buckets to survive a crash", spec->group_id);
        put_removed_id(rec, FLOW_JOURNAL_GROUP_DEL, spec->group_id);
    }
    wr_fini(&msg);
}

void
flow_records_put_meter(struct flow_records *rec, const struct ofp_meter_config *config)
{
    struct wr msg = {0};

    ofp_meter_mod_encode(OFPMC_ADD, config, OFP15_VERSION, 0, &msg);
    put_message(rec, FLOW_JOURNAL_METER, config->meter_id, &msg);
    rec->garbage += msg.size;
    wr_fini(&msg);
}

void
flow_records_remove_group(struct flow_records *rec, uint32_t id)
{
    put_removed_id(rec, FLOW_JOURNAL_GROUP_DEL, id);
}

void
flow_records_remove_meter(struct flow_records *rec, uint32_t id)
{
    put_removed_id(rec, FLOW_JOURNAL_METER_DEL, id);
}

/* --- life --------------------------------------------------------------------------------------
 */

void
flow_records_reset(struct flow_records *rec)
{
    forget_shapes(rec, CACHE_MIN);
    forget_actions(rec, CACHE_MIN);
    rec->n_shapes = rec->n_actions = rec->n_flows = 0;
    rec->flow_bytes = rec->garbage = 0;
    rec->out.size = 0;
}

void
flow_records_fini(struct flow_records *rec)
{
    forget_shapes(rec, 1);
    forget_actions(rec, 1);
    free(rec->shapes);
    free(rec->actions);
    wr_fini(&rec->out);
}

void
flow_records_put_tlv_map(struct flow_records *rec, const struct ofproto *p)
{
    struct wr msg = {0};

    tlv_map_encode(p, OFP15_VERSION, &msg);
    put_message(rec, FLOW_JOURNAL_TLV_MAP, 0, &msg);
    rec->garbage += msg.size;
    wr_fini(&msg);
}
