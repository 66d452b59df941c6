// SPDX-License-Identifier: Apache-2.0
/* Lists of decoded actions: building, walking, and the questions that tables ask of them.
 *
 * See ofp_action.h.  The codec stands in action_decode.c and action_encode.c, the rules of a valid
 * list in action_check.c, the text in action_format.c and action_parse.c.
 */
#include "openflow/ofp_action.h"

#include "base/util.h"

#include <stdlib.h>

void
ofpacts_fini(struct ofpacts *list)
{
    free(list->data);
    *list = (struct ofpacts){0};
}

static uint8_t *
reserve(struct ofpacts *list, size_t n)
{
    size_t need = list->size + n;

    if (need > list->cap) {
        size_t grown = MAX(list->cap * 2, (size_t)64);

        list->cap = MAX(need, grown);
        list->data = xrealloc(list->data, list->cap);
    }
    return list->data + list->size;
}

void
ofpacts_append(struct ofpacts *list, const struct ofpact *acts, size_t size)
{
    if (size) {
        memcpy(reserve(list, size), acts, size);
        list->size += size;
    }
}

void *
ofpacts_put(struct ofpacts *list, enum ofpact_type type, size_t size)
{
    size_t len = OFPACT_ROUND(size);
    struct ofpact *a = (struct ofpact *)(void *)reserve(list, len);

    memset(a, 0, len);
    a->type = (uint8_t)type;
    a->len = (uint32_t)len;
    list->size += len;
    return a;
}

struct ofpact_set_field *
ofpacts_put_set_field(struct ofpacts *list, enum mf_id id, const void *value, const void *mask)
{
    const struct mf_field *mf = mf_from_id(id);
    struct ofpact_set_field *sf;
    union mf_value ones;

    memset(&ones, 0, sizeof ones);
    mf_exact_mask(mf, &ones);
    sf = ofpacts_put(list, OFPACT_SET_FIELD, sizeof *sf + 2u * mf->n_bytes);
    sf->field = (uint16_t)id;
    sf->n_bytes = mf->n_bytes;
    memcpy(sf->data, value, mf->n_bytes);
    memcpy(sf->data + mf->n_bytes, mask ? mask : ones.b, mf->n_bytes);
    for (int i = 0; i < mf->n_bytes; i++) {
        sf->data[mf->n_bytes + i] &= ones.b[i];
        sf->data[i] &= sf->data[mf->n_bytes + i];
    }
    return sf;
}

size_t
ofpacts_open(struct ofpacts *list, enum ofpact_type type, size_t header_size)
{
    size_t ofs = list->size;

    ofpacts_put(list, type, header_size);
    return ofs;
}

void
ofpacts_close(struct ofpacts *list, size_t ofs)
{
    struct ofpact *a = (struct ofpact *)(void *)(list->data + ofs);

    a->len = (uint32_t)(list->size - ofs);
}

const char *
ofpact_type_name(enum ofpact_type type)
{
    static const char *const names[] = {
#define OFPACT(ENUM, STRUCT, NAME) NAME,
#include "openflow/ofp_action.def"
#undef OFPACT
    };

    return type < ARRAY_SIZE(names) ? names[type] : "unknown";
}

bool
ofpact_is_instruction(enum ofpact_type type)
{
    return type >= OFPACT_METER;
}

const char *
ofp_hash_fields_name(enum ofp_hash_fields fields)
{
    static const char *const names[] = {
        [OFP_HASH_ETH_SRC] = "eth_src",
        [OFP_HASH_SYMMETRIC_L4] = "symmetric_l4",
        [OFP_HASH_SYMMETRIC_L3L4] = "symmetric_l3l4",
        [OFP_HASH_SYMMETRIC_L3L4_UDP] = "symmetric_l3l4+udp",
        [OFP_HASH_NW_SRC] = "nw_src",
        [OFP_HASH_NW_DST] = "nw_dst",
        [OFP_HASH_SYMMETRIC_L3] = "symmetric_l3",
    };

    return fields < ARRAY_SIZE(names) ? names[fields] : NULL;
}

static size_t
learn_spec_size(const struct ofpact_learn_spec *spec)
{
    return OFPACT_ROUND(sizeof *spec + spec->imm_size);
}

static const struct ofpact_learn_spec *
learn_spec_at(const struct ofpact_learn *a, const uint8_t *p)
{
    const uint8_t *end = (const uint8_t *)(a + 1) + a->specs_size;

    return p < end ? (const struct ofpact_learn_spec *)(const void *)p : NULL;
}

const struct ofpact_learn_spec *
ofpact_learn_first(const struct ofpact_learn *a)
{
    return learn_spec_at(a, (const uint8_t *)(a + 1));
}

const struct ofpact_learn_spec *
ofpact_learn_next(const struct ofpact_learn *a, const struct ofpact_learn_spec *spec)
{
    return learn_spec_at(a, (const uint8_t *)spec + learn_spec_size(spec));
}

/* The list that 'a' contains, or NULL. */
static const struct ofpact *
nested(const struct ofpact *a, size_t *size)
{
    if (a->type == OFPACT_CLONE || a->type == OFPACT_WRITE_ACTIONS) {
        return ofpact_nest_actions(OFPACT_CAST(ofpact_nest, a), size);
    }
    if (a->type == OFPACT_CT) {
        return ofpact_ct_actions(OFPACT_CAST(ofpact_ct, a), size);
    }
    return NULL;
}

static bool
outputs_to(const struct ofpact *a, ofp_port_t port)
{
    switch ((int)a->type) {
    case OFPACT_OUTPUT:
        return OFPACT_CAST(ofpact_output, a)->port == port;
    case OFPACT_OUTPUT_TRUNC:
        return OFPACT_CAST(ofpact_output_trunc, a)->port == port;
    case OFPACT_ENQUEUE:
        return OFPACT_CAST(ofpact_enqueue, a)->port == port;
    case OFPACT_CONTROLLER:
        return port == OFPP_CONTROLLER;
    default:
        return false;
    }
}

bool
ofpacts_output_to_port(const struct ofpact *acts, size_t size, ofp_port_t port)
{
    OFPACT_FOR_EACH(a, acts, size)
    {
        const struct ofpact *inner;
        size_t inner_size = 0;

        if (outputs_to(a, port)) {
            return true;
        }
        inner = nested(a, &inner_size);
        if (inner && ofpacts_output_to_port(inner, inner_size, port)) {
            return true;
        }
    }
    return false;
}

bool
ofpacts_output_to_group(const struct ofpact *acts, size_t size, uint32_t group_id)
{
    OFPACT_FOR_EACH(a, acts, size)
    {
        const struct ofpact *inner;
        size_t inner_size = 0;

        if (a->type == OFPACT_GROUP && OFPACT_CAST(ofpact_group, a)->group_id == group_id) {
            return true;
        }
        inner = nested(a, &inner_size);
        if (inner && ofpacts_output_to_group(inner, inner_size, group_id)) {
            return true;
        }
    }
    return false;
}

void
ofpacts_for_each_group(const struct ofpact *acts, size_t size, void (*cb)(uint32_t, void *),
                       void *aux)
{
    OFPACT_FOR_EACH(a, acts, size)
    {
        const struct ofpact *inner;
        size_t inner_size = 0;

        if (a->type == OFPACT_GROUP) {
            cb(OFPACT_CAST(ofpact_group, a)->group_id, aux);
        }
        inner = nested(a, &inner_size);
        if (inner) {
            ofpacts_for_each_group(inner, inner_size, cb, aux);
        }
    }
}

uint32_t
ofpacts_meter(const struct ofpact *acts, size_t size)
{
    OFPACT_FOR_EACH(a, acts, size)
    {
        if (a->type == OFPACT_METER) {
            return OFPACT_CAST(ofpact_meter, a)->meter_id;
        }
    }
    return 0;
}
