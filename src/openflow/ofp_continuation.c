// SPDX-License-Identifier: Apache-2.0
/* Continuations to and from bytes.  See ofp_continuation.h; ofconn_async.c encodes, ofconn_flow.c
 * decodes. */
#include "openflow/ofp_continuation.h"

#include <stdlib.h>

#include "base/util.h"
#include "openflow/ofp_prop.h"

enum nxcpt {
    NXCPT_BRIDGE = 0x8000,
    NXCPT_STACK = 0x8001, /* one entry, big-endian; the top of the stack comes first */
    NXCPT_MIRRORS = 0x8002,
    NXCPT_CONNTRACKED = 0x8003,
    NXCPT_TABLE_ID = 0x8004, /* of the actions that follow; 0 before the first */
    NXCPT_COOKIE = 0x8005,   /* likewise */
    NXCPT_ACTIONS = 0x8006,
    NXCPT_ACTION_SET = 0x8007,
    NXCPT_ODP_PORT = 0x8008,
    /* Our own: as NXCPT_ACTIONS and NXCPT_ACTION_SET, with instructions of OpenFlow 1.5. */
    NXCPT_OWN_ACTIONS = 0x80f0,
    NXCPT_OWN_ACTION_SET = 0x80f1,
};

/* Leaves room for the packet and its metadata. */
enum { MAX_SIZE = 40000 };

struct ofp_frozen_part *
ofp_continuation_add(struct ofp_continuation *c, uint8_t table_id, uint64_t cookie)
{
    c->parts = xreallocarray(c->parts, c->n_parts + 1, sizeof *c->parts);
    c->parts[c->n_parts] = (struct ofp_frozen_part){.cookie = cookie, .table_id = table_id};
    return &c->parts[c->n_parts++];
}

void
ofp_continuation_fini(struct ofp_continuation *c)
{
    for (size_t i = 0; i < c->n_parts; i++) {
        ofpacts_fini(&c->parts[i].actions);
    }
    free(c->parts);
    free(c->stack);
    ofpacts_fini(&c->action_set);
    *c = (struct ofp_continuation){0};
}

void
ofp_continuation_destroy(struct ofp_continuation *c)
{
    if (c) {
        ofp_continuation_fini(c);
        free(c);
    }
}

/* The fewest words that hold the value, as the field that it was pushed from would be. */
static void
put_stack_entry(const union mf_value *v, struct wr *out)
{
    const size_t size = sizeof v->b;
    size_t n = size;

    while (n > 4 && !v->b[size - n] && !v->b[size - n + 1] && !v->b[size - n + 2] &&
           !v->b[size - n + 3]) {
        n -= 4;
    }
    ofp_prop_put(out, NXCPT_STACK, v->b + size - n, n);
}

struct put {
    enum ofp_version version;
    const struct mf_options *options;
    struct wr *out;
};

/* Whether the bytes from 'start' on say all that 'acts' does: versions differ in what they can. */
static bool
says_all(const struct put *put, size_t start, const struct ofpacts *acts)
{
    struct rd in = rd_init(put->out->data + start, put->out->size - start);
    struct ofpacts back = {0};
    bool same;

    in.options = put->options;
    same = !ofpacts_decode(&in, put->version, &back) &&
           ofpacts_equal(ofpacts_data(acts), acts->size, ofpacts_data(&back), back.size);
    ofpacts_fini(&back);
    return same;
}

/* Puts 'type' with actions of 'version', or, where these do not do, 'own_type' with instructions
 * of OpenFlow 1.5.  An empty list puts nothing. */
static bool
put_actions(const struct put *put, uint16_t type, uint16_t own_type, const struct ofpacts *acts)
{
    struct wr *out = put->out;
    const size_t before = out->size;
    size_t start;

    if (!acts->size) {
        return true;
    }
    start = ofp_prop_begin(out, type);
    wr_zeros(out, 4);
    ofpacts_encode(ofpacts_data(acts), acts->size, put->version, out);
    if (!says_all(put, before + 8, acts)) {
        wr_truncate(out, before);
        start = ofp_prop_begin(out, own_type);
        wr_zeros(out, 4);
        ofpacts_encode_instructions(ofpacts_data(acts), acts->size, OFP15_VERSION, out);
    }
    if (out->size - before > MAX_SIZE) {
        return false;
    }
    ofp_prop_end(out, start);
    return true;
}

static bool
put_parts(const struct put *put, const struct ofp_continuation *c)
{
    struct wr *out = put->out;
    uint8_t table_id = 0;
    uint64_t cookie = 0;
    size_t start = out->size;

    for (size_t i = 0; i < c->n_parts; i++) {
        const struct ofp_frozen_part *part = &c->parts[i];

        if (part->table_id != table_id) {
            table_id = part->table_id;
            ofp_prop_put_u8(out, NXCPT_TABLE_ID, table_id);
        }
        if (part->cookie != cookie) {
            cookie = part->cookie;
            ofp_prop_put_u64(out, NXCPT_COOKIE, cookie);
        }
        if (!put_actions(put, NXCPT_ACTIONS, NXCPT_OWN_ACTIONS, &part->actions) ||
            out->size - start > MAX_SIZE) {
            return false;
        }
    }
    return true;
}

bool
ofp_continuation_encode(const struct ofp_continuation *c, enum ofp_version version,
                        const struct mf_options *options, struct wr *out)
{
    const struct put put = {version, options, out};
    const size_t start = out->size;

    if (c->n_stack * 24 > MAX_SIZE) {
        return false;
    }
    ofp_prop_put(out, NXCPT_BRIDGE, c->bridge.b, sizeof c->bridge.b);
    for (size_t i = c->n_stack; i-- > 0;) {
        put_stack_entry(&c->stack[i], out);
    }
    if (c->mirrors) {
        ofp_prop_put_u32(out, NXCPT_MIRRORS, c->mirrors);
    }
    if (c->conntracked) {
        ofp_prop_put(out, NXCPT_CONNTRACKED, NULL, 0);
    }
    if (put_parts(&put, c) &&
        put_actions(&put, NXCPT_ACTION_SET, NXCPT_OWN_ACTION_SET, &c->action_set) &&
        out->size - start <= MAX_SIZE) {
        ofp_prop_put_u32(out, NXCPT_ODP_PORT, c->odp_port);
        return true;
    }
    wr_truncate(out, start);
    return false;
}

/* --- decoding --- */

static enum ofperr
pull_bridge(struct rd *body, struct uuid *bridge)
{
    if (rd_left(body) != sizeof bridge->b) {
        return OFPERR_OFPBPC_BAD_LEN;
    }
    rd_copy(body, bridge->b, sizeof bridge->b);
    return OFPERR_OK;
}

static enum ofperr
pull_stack_entry(struct rd *body, struct ofp_continuation *c)
{
    const size_t n = rd_left(body);
    union mf_value *v;

    if (n > sizeof v->b || c->n_stack * sizeof *v >= OFP_FROZEN_MAX_STACK) {
        return OFPERR_OFPBPC_BAD_LEN;
    }
    c->stack = xreallocarray(c->stack, c->n_stack + 1, sizeof *c->stack);
    v = &c->stack[c->n_stack++];
    *v = (union mf_value){0};
    rd_copy(body, v->b + sizeof v->b - n, n);
    return OFPERR_OK;
}

static enum ofperr
pull_actions(struct rd *body, enum ofp_version version, bool own, struct ofpacts *acts)
{
    rd_skip(body, 4);
    if (!rd_ok(body)) {
        return OFPERR_OFPBPC_BAD_LEN;
    }
    return own ? ofpacts_decode_instructions(body, OFP15_VERSION, acts)
               : ofpacts_decode(body, version, acts);
}

struct pull {
    struct ofp_continuation *c;
    enum ofp_version version;
    uint8_t table_id;
    uint64_t cookie;
    bool has_bridge;
};

static enum ofperr
pull_prop(struct pull *p, struct ofp_prop *prop)
{
    struct ofp_continuation *c = p->c;
    struct ofp_frozen_part *part;

    switch (prop->type) {
    case NXCPT_BRIDGE:
        p->has_bridge = true;
        return pull_bridge(&prop->body, &c->bridge);
    case NXCPT_STACK:
        return pull_stack_entry(&prop->body, c);
    case NXCPT_MIRRORS:
        return ofp_prop_u32(prop, &c->mirrors);
    case NXCPT_CONNTRACKED:
        c->conntracked = true;
        return OFPERR_OK;
    case NXCPT_TABLE_ID:
        return ofp_prop_u8(prop, &p->table_id);
    case NXCPT_COOKIE:
        return ofp_prop_u64(prop, &p->cookie);
    case NXCPT_ACTIONS:
    case NXCPT_OWN_ACTIONS:
        if (c->n_parts == OFP_FROZEN_MAX_PARTS) {
            return OFPERR_OFPBPC_BAD_LEN;
        }
        part = ofp_continuation_add(c, p->table_id, p->cookie);
        return pull_actions(&prop->body, p->version, prop->type == NXCPT_OWN_ACTIONS,
                            &part->actions);
    case NXCPT_ACTION_SET:
    case NXCPT_OWN_ACTION_SET:
        return pull_actions(&prop->body, p->version, prop->type == NXCPT_OWN_ACTION_SET,
                            &c->action_set);
    case NXCPT_ODP_PORT:
        return ofp_prop_u32(prop, &c->odp_port);
    default:
        return ofp_prop_unknown(prop);
    }
}

static void
stack_reverse(struct ofp_continuation *c)
{
    for (size_t i = 0, j = c->n_stack; i + 1 < j; i++) {
        union mf_value v = c->stack[i];

        c->stack[i] = c->stack[--j];
        c->stack[j] = v;
    }
}

enum ofperr
ofp_continuation_decode(struct rd *in, enum ofp_version version, struct ofp_continuation *c)
{
    struct pull p = {.c = c, .version = version};

    *c = (struct ofp_continuation){0};
    while (rd_left(in)) {
        struct ofp_prop prop;
        enum ofperr error = ofp_prop_pull(in, &prop);

        error = error ? error : pull_prop(&p, &prop);
        if (error) {
            return error;
        }
    }
    stack_reverse(c);
    return p.has_bridge ? OFPERR_OK : OFPERR_NXR_STALE;
}
