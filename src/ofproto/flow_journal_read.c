// SPDX-License-Identifier: Apache-2.0
/*
 * flow_journal_read.c - what the log of a process that died says that there was.
 *
 * Two passes.  The first reads every block and every record, and fails at the first that is not as
 * it must be: a log in which one byte is wrong is of a process that wrote where it should not have,
 * and half a state may be worse than none.  The second makes messages of what is left in the end,
 * which the caller checks like a controller's.  Pure functions on bytes that nobody can trust;
 * memory is bounded by a small multiple of the file's size.
 */
#include "ofproto/flow_journal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/memlog.h"
#include "base/util.h"
#include "flow/match.h"
#include "ofproto/ofproto.h"
#include "openflow/ofp_flow.h"

uint64_t
flow_journal_format(void)
{
    return UINT64_C(0x666c6f7700000100) + FLOW_WORDS;
}

struct bytes {
    const uint8_t *data;
    uint32_t size;
};

struct read_flow {
    struct bytes head; /* what comes before the values */
    const uint8_t *values;
    uint32_t shape, actions;
    uint16_t idle_timeout, hard_timeout;
    bool is_gone;
    int64_t modified_ms;
};

/* A group or a meter, or that there is none. */
struct read_thing {
    uint32_t id;
    size_t order;
    struct bytes msg; /* size 0: gone */
};

struct list {
    void *items;
    size_t n, allocated;
};

struct journal {
    struct list shapes;                   /* struct bytes: of u8 word, u64 mask */
    struct list actions;                  /* struct bytes */
    struct list flows;                    /* struct read_flow */
    struct list groups, meters, tlv_maps; /* struct read_thing */
};

static void *
list_add(struct list *list, size_t item_size)
{
    if (list->n >= list->allocated) {
        list->allocated = MAX(list->allocated * 2, (size_t)16);
        list->items = xreallocarray(list->items, list->allocated, item_size);
    }
    void *item = (uint8_t *)list->items + list->n++ * item_size;
    memset(item, 0, item_size);
    return item;
}

static void
journal_fini(struct journal *j)
{
    free(j->shapes.items);
    free(j->actions.items);
    free(j->flows.items);
    free(j->groups.items);
    free(j->meters.items);
    free(j->tlv_maps.items);
}

/* --- the first pass: records -------------------------------------------------------------------
 */

static uint32_t
read_number(struct rd *r)
{
    uint32_t x = 0;

    for (unsigned int shift = 0; shift < 28; shift += 7) {
        uint8_t byte = rd_u8(r);

        x |= (uint32_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            return x;
        }
    }
    r->bad = true;
    return 0;
}

static struct bytes
read_bytes(struct rd *r, size_t max)
{
    uint32_t size = read_number(r);
    const uint8_t *data = size <= max ? rd_bytes(r, size) : NULL;

    r->bad |= !data;
    return (struct bytes){.data = data, .size = data ? size : 0};
}

static void
read_shape(struct journal *j, struct rd *r)
{
    uint8_t n = rd_u8(r);
    const uint8_t *start = r->p;
    uint64_t seen = 0;

    for (unsigned int i = 0; i < n; i++) {
        uint8_t word = rd_u8(r);
        uint64_t mask = rd_u64(r);

        if (word >= FLOW_WORDS || !mask || seen >> word & 1) {
            r->bad = true;
            return;
        }
        seen |= UINT64_C(1) << word;
    }
    struct bytes *shape = list_add(&j->shapes, sizeof *shape);
    *shape = (struct bytes){.data = start, .size = n * 9u};
}

/* Bytes of the flow that stand in a FLOW of the shape. */
static size_t
n_values(const struct bytes *shape)
{
    size_t n = 0;

    for (size_t i = 0; i < shape->size; i++) {
        n += i % 9 && shape->data[i];
    }
    return n;
}

static void
read_extras(struct rd *r, uint8_t has, struct ofp_flow_mod *fm, int64_t *modified_ms)
{
    if (has & FLOW_JOURNAL_COOKIE32) {
        fm->new_cookie = rd_u32(r);
    }
    if (has & FLOW_JOURNAL_COOKIE64) {
        fm->new_cookie = rd_u64(r);
    }
    if (has & FLOW_JOURNAL_FLAGS) {
        fm->flags = rd_u16(r);
    }
    if (has & FLOW_JOURNAL_IMPORTANCE) {
        fm->importance = rd_u16(r);
    }
    if (has & FLOW_JOURNAL_TIMES) {
        fm->idle_timeout = rd_u16(r);
        fm->hard_timeout = rd_u16(r);
        *modified_ms = (int64_t)rd_u64(r);
    }
}

static void
read_flow(struct journal *j, struct rd *r)
{
    struct ofp_flow_mod fm = {0};
    const uint8_t *start = r->p;
    uint8_t table = rd_u8(r), has = rd_u8(r);
    int64_t modified_ms = 0;

    rd_skip(r, 2);
    read_extras(r, has, &fm, &modified_ms);
    uint32_t shape = read_number(r), actions = read_number(r);
    if (r->bad || table >= OFPROTO_N_TABLES || has & ~FLOW_JOURNAL_ALL || !shape || !actions ||
        shape > j->shapes.n || actions > j->actions.n || j->flows.n >= FLOW_JOURNAL_MAX_FLOWS) {
        r->bad = true;
        return;
    }
    struct bytes head = {.data = start, .size = (uint32_t)(r->p - start)};
    const uint8_t *values =
        rd_bytes(r, n_values(&((const struct bytes *)j->shapes.items)[shape - 1]));
    if (r->bad) {
        return;
    }
    struct read_flow *f = list_add(&j->flows, sizeof *f);
    *f = (struct read_flow){
        .head = head,
        .values = values,
        .shape = shape - 1,
        .actions = actions - 1,
        .idle_timeout = fm.idle_timeout,
        .hard_timeout = fm.hard_timeout,
        .modified_ms = modified_ms,
    };
}

/* The flow that a record is about; NULL and 'bad' when there is none. */
static struct read_flow *
read_flow_number(struct journal *j, struct rd *r)
{
    uint32_t number = read_number(r);
    struct read_flow *f =
        number && number <= j->flows.n ? &((struct read_flow *)j->flows.items)[number - 1] : NULL;

    if (!f || f->is_gone) {
        r->bad = true;
        return NULL;
    }
    return f;
}

static void
read_flow_times(struct journal *j, struct rd *r)
{
    struct read_flow *f = read_flow_number(j, r);
    uint16_t idle = rd_u16(r), hard = rd_u16(r);
    int64_t modified_ms = (int64_t)rd_u64(r);

    if (f) {
        f->idle_timeout = idle;
        f->hard_timeout = hard;
        f->modified_ms = modified_ms;
    }
}

static void
read_flow_del(struct journal *j, struct rd *r)
{
    struct read_flow *f = read_flow_number(j, r);

    if (f) {
        f->is_gone = true;
    }
}

static void
read_thing(struct list *list, struct rd *r, bool is_gone, enum ofp_type type)
{
    uint32_t id = rd_u32(r);
    struct bytes bytes = {0};
    struct ofp_msg msg;

    if (!is_gone) {
        bytes = read_bytes(r, OFP_MSG_MAX);
        r->bad = r->bad || bytes.size < OFP_HEADER_SIZE || ofp_msg_size(bytes.data) != bytes.size ||
                 ofp_msg_decode(bytes.data, bytes.size, &msg) || msg.type != type;
    }
    if (!r->bad) {
        struct read_thing *thing = list_add(list, sizeof *thing);
        *thing = (struct read_thing){.id = id, .order = list->n, .msg = bytes};
    }
}

static bool
read_record(struct journal *j, struct rd *r)
{
    switch ((enum flow_journal_record)rd_u8(r)) {
    case FLOW_JOURNAL_SHAPE:
        read_shape(j, r);
        break;
    case FLOW_JOURNAL_ACTIONS: {
        /* May be longer than a message, which tell_flows() looks at, flow by flow. */
        struct bytes actions = read_bytes(r, UINT32_MAX);
        struct bytes *item = list_add(&j->actions, sizeof *item);
        *item = actions;
        break;
    }
    case FLOW_JOURNAL_FLOW:
        read_flow(j, r);
        break;
    case FLOW_JOURNAL_FLOW_TIMES:
        read_flow_times(j, r);
        break;
    case FLOW_JOURNAL_FLOW_DEL:
        read_flow_del(j, r);
        break;
    case FLOW_JOURNAL_GROUP:
        read_thing(&j->groups, r, false, OFPTYPE_GROUP_MOD);
        break;
    case FLOW_JOURNAL_GROUP_DEL:
        read_thing(&j->groups, r, true, OFPTYPE_GROUP_MOD);
        break;
    case FLOW_JOURNAL_METER:
        read_thing(&j->meters, r, false, OFPTYPE_METER_MOD);
        break;
    case FLOW_JOURNAL_METER_DEL:
        read_thing(&j->meters, r, true, OFPTYPE_METER_MOD);
        break;
    case FLOW_JOURNAL_TLV_MAP:
        read_thing(&j->tlv_maps, r, false, OFPTYPE_TLV_TABLE_MOD);
        break;
    default:
        return false;
    }
    return rd_ok(r);
}

static int
read_all(struct journal *j, const void *data, size_t size)
{
    struct memlog_reader reader;
    const uint8_t *block;
    size_t n;
    int result = memlog_read(&reader, data, size, flow_journal_format());

    if (result) {
        return result;
    }
    while ((result = memlog_next(&reader, &block, &n)) > 0) {
        struct rd r = rd_init(block, n);

        while (rd_left(&r)) {
            if (!read_record(j, &r)) {
                return -EBADMSG;
            }
        }
    }
    return result;
}

/* --- the second pass: messages -----------------------------------------------------------------
 */

static void
make_match(const struct bytes *shape, const uint8_t *values, struct match *match)
{
    match_init_any(match);
    for (size_t i = 0; i < shape->size; i += 9) {
        struct rd r = rd_init(shape->data + i, 9);
        uint8_t word = rd_u8(&r);
        uint64_t mask = rd_u64(&r), value = 0;

        for (unsigned int b = 0; b < 8; b++) {
            if (mask >> 8 * b & 0xff) {
                value |= (uint64_t)*values++ << 8 * b;
            }
        }
        match->mask.bits.w[word] = mask;
        match->flow.w[word] = value & mask;
    }
}

/* The message without its instructions, which are bytes already, and then these. */
static void
make_flow(const struct journal *j, const struct read_flow *f, struct wr *out)
{
    const struct bytes *actions = &((const struct bytes *)j->actions.items)[f->actions];
    struct rd r = rd_init(f->head.data, f->head.size);
    struct ofp_flow_mod fm = {
        .command = OFPFC_ADD,
        .table_id = rd_u8(&r),
        .buffer_id = OFP_BUFFER_NONE,
        .out_port = OFPP_NONE,
        .out_group = OFP_GROUP_ANY,
    };
    uint8_t has = rd_u8(&r);
    int64_t unused;

    fm.priority = rd_u16(&r);
    read_extras(&r, has, &fm, &unused);
    fm.idle_timeout = f->idle_timeout;
    fm.hard_timeout = f->hard_timeout;
    make_match(&((const struct bytes *)j->shapes.items)[f->shape], f->values, &fm.match);
    ofp_flow_mod_encode(&fm, OFP15_VERSION, false, false, 0, out);
    wr_bytes(out, actions->data, actions->size);
    wr_set_u16(out, 2, (uint16_t)out->size);
}

static int
compare_things(const void *a_, const void *b_)
{
    const struct read_thing *a = a_, *b = b_;

    return a->id != b->id ? (a->id < b->id ? -1 : 1) : (a->order < b->order ? -1 : 1);
}

/* The last word about each number. */
static void
tell_things(struct list *list, flow_journal_fn *cb, void *aux)
{
    struct read_thing *things = list->items;

    if (list->n) {
        qsort(things, list->n, sizeof *things, compare_things);
    }
    for (size_t i = 0; i < list->n; i++) {
        bool is_last = i + 1 == list->n || things[i + 1].id != things[i].id;

        if (is_last && things[i].msg.size) {
            cb(things[i].msg.data, things[i].msg.size, 0, aux);
        }
    }
}

static void
tell_flows(const struct journal *j, flow_journal_fn *cb, void *aux, size_t *n_lost)
{
    const struct read_flow *flows = j->flows.items;
    struct wr msg = {0};

    for (size_t i = 0; i < j->flows.n; i++) {
        if (flows[i].is_gone) {
            continue;
        }
        wr_truncate(&msg, 0);
        make_flow(j, &flows[i], &msg);
        if (msg.size <= OFP_MSG_MAX) {
            cb(msg.data, msg.size, flows[i].hard_timeout ? flows[i].modified_ms : 0, aux);
        } else {
            ++*n_lost;
        }
    }
    wr_fini(&msg);
}

int
flow_journal_read(const void *data, size_t size, flow_journal_fn *cb, void *aux, size_t *n_lost)
{
    struct journal j = {0};
    int result = read_all(&j, data, size);

    *n_lost = 0;
    if (!result) {
        cb(NULL, 0, 0, aux);
        tell_things(&j.tlv_maps, cb, aux);
        tell_things(&j.meters, cb, aux);
        tell_things(&j.groups, cb, aux);
        tell_flows(&j, cb, aux, n_lost);
    }
    journal_fini(&j);
    return result;
}
