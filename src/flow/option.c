// SPDX-License-Identifier: Apache-2.0
/*
 * The fields that tunnel options are, and whose the slots of a flow are.  See option.h.
 */
#include "flow/option.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/util.h"
#include "flow/field_private.h"
#include "flow/match.h"

#define MAX_UNITS (MF_OPTION_MAX_BYTES / MF_OPTION_UNIT)
#define N_VARIANTS (MF_N_OPTIONS * FLOW_OPTION_SLOTS * MAX_UNITS)
#define NAME_SIZE 32
#define PRESENCE_COUNTS 0xff /* The owner of a slot, in a mask. */

static_assert(MF_FIRST_OPTION + N_VARIANTS <= UINT16_MAX, "actions keep an id in 16 bits");
static_assert(MF_N_OPTIONS < PRESENCE_COUNTS, "an owner is no mask");

/* One number at one place in one length. */
struct variant {
    struct mf_field mf;
    char name[NAME_SIZE];
    char nxm_name[NAME_SIZE];
};

/* By number, slot and length; NULL until somebody asks.  w any thread (once), r any thread. */
static _Atomic(struct variant *) variants[N_VARIANTS];

static unsigned
variant_number(unsigned index, unsigned slot, unsigned n_slots)
{
    return (index * FLOW_OPTION_SLOTS + slot) * MAX_UNITS + n_slots - 1;
}

static uint64_t
words_of(size_t ofs, size_t size)
{
    return (UINT64_C(2) << ((ofs + size - 1) / 8)) - (UINT64_C(1) << (ofs / 8));
}

static struct variant *
variant_create(unsigned number)
{
    const unsigned n_slots = number % MAX_UNITS + 1;
    const unsigned slot = number / MAX_UNITS % FLOW_OPTION_SLOTS;
    const unsigned index = number / MAX_UNITS / FLOW_OPTION_SLOTS;
    const size_t ofs = offsetof(struct flow, option_values) + slot * MF_OPTION_UNIT;
    const size_t size = n_slots * MF_OPTION_UNIT;
    struct variant *v = xzalloc(sizeof *v);

    snprintf(v->name, sizeof v->name, "tun_metadata%u", index);
    snprintf(v->nxm_name, sizeof v->nxm_name, "NXM_NX_TUN_METADATA%u", index);
    v->mf = (struct mf_field){
        .id = (enum mf_id)(MF_FIRST_OPTION + number),
        .name = v->name,
        .n_bytes = (uint8_t)size,
        .n_bits = (uint8_t)(size * 8),
        .writable = true,
        .maskable = MF_MASK_FULL,
        .prereqs = MF_PRE_NONE,
        .format = MF_FMT_HEX,
        .codes = {{.oxm_class = MF_OPTION_NXM_CLASS,
                   .oxm_field = (uint8_t)(MF_OPTION_NXM_FIELD + index),
                   .valid = true}},
        .flow_words =
            words_of(ofs, size) | words_of(offsetof(struct flow, option_owners) + slot, n_slots),
        .loc = LOC_OPTION,
        .ofs = (uint16_t)ofs,
    };
    return v;
}

static const struct mf_field *
variant_get(unsigned number)
{
    struct variant *v = atomic_load_explicit(&variants[number], memory_order_acquire), *made;

    if (v) {
        return &v->mf;
    }
    made = variant_create(number);
    if (atomic_compare_exchange_strong(&variants[number], &v, made)) {
        return &made->mf;
    }
    free(made); /* Another thread was faster. */
    return &v->mf;
}

const struct mf_field *
mf_option_from_id(unsigned id)
{
    return variant_get(id - MF_FIRST_OPTION);
}

static unsigned
slot_of(const struct mf_field *mf)
{
    return (mf->id - MF_FIRST_OPTION) / MAX_UNITS % FLOW_OPTION_SLOTS;
}

static unsigned
n_slots_of(const struct mf_field *mf)
{
    return mf->n_bytes / MF_OPTION_UNIT;
}

unsigned
mf_option_index(const struct mf_field *mf)
{
    return (mf->id - MF_FIRST_OPTION) / MAX_UNITS / FLOW_OPTION_SLOTS;
}

const char *
mf_option_nxm_name(const struct mf_field *mf)
{
    return ((const struct variant *)(const void *)mf)->nxm_name;
}

static_assert(offsetof(struct variant, mf) == 0, "a field leads to its variant");

/* The map of a bridge. */

bool
mf_options_place(struct mf_options *options, unsigned index, unsigned n_bytes)
{
    const unsigned n = n_bytes / MF_OPTION_UNIT;
    bool used[FLOW_OPTION_SLOTS] = {false};
    unsigned n_free = 0;

    for (unsigned i = 0; i < MF_N_OPTIONS; i++) {
        for (unsigned k = 0; k < options->at[i].n_slots; k++) {
            used[options->at[i].slot + k] = true;
        }
    }
    for (unsigned slot = 0; slot < FLOW_OPTION_SLOTS; slot++) {
        n_free = used[slot] ? 0 : n_free + 1;
        if (n_free == n) {
            options->at[index].slot = (uint8_t)(slot + 1 - n);
            options->at[index].n_slots = (uint8_t)n;
            return true;
        }
    }
    return false;
}

const struct mf_field *
mf_option_find(const struct mf_options *options, unsigned index)
{
    if (!options || index >= MF_N_OPTIONS || !options->at[index].n_slots) {
        return NULL;
    }
    return variant_get(variant_number(index, options->at[index].slot, options->at[index].n_slots));
}

const struct mf_field *
mf_option_from_name_n(const struct mf_options *options, const char *name, size_t len)
{
    static const char *const stems[] = {"tun_metadata", "NXM_NX_TUN_METADATA"};

    for (size_t i = 0; i < ARRAY_SIZE(stems); i++) {
        const size_t n = strlen(stems[i]);
        char digits[4];
        unsigned index;

        if (len <= n || len - n >= sizeof digits || strncmp(name, stems[i], n)) {
            continue;
        }
        memcpy(digits, name + n, len - n);
        digits[len - n] = '\0';
        return str_to_uint(digits, 10, &index) ? mf_option_find(options, index) : NULL;
    }
    return NULL;
}

const struct mf_field *
mf_option_from_name(const struct mf_options *options, const char *name)
{
    return mf_option_from_name_n(options, name, strlen(name));
}

/* Options of a flow. */

bool
mf_option_is_present(const struct mf_field *mf, const struct flow *flow)
{
    const unsigned own = mf_option_index(mf) + 1, slot = slot_of(mf);

    for (unsigned i = slot; i < slot + n_slots_of(mf); i++) {
        if (flow->option_owners[i] != own && flow->option_owners[i] != PRESENCE_COUNTS) {
            return false;
        }
    }
    return true;
}

void
mf_option_own(const struct mf_field *mf, struct flow *flow)
{
    memset(&flow->option_owners[slot_of(mf)], (int)mf_option_index(mf) + 1, n_slots_of(mf));
}

void
mf_option_mask_presence(const struct mf_field *mf, struct flow_mask *mask)
{
    memset(&mask->bits.option_owners[slot_of(mf)], PRESENCE_COUNTS, n_slots_of(mf));
}

void
mf_option_delete(const struct mf_field *mf, struct flow *flow)
{
    memset(&flow->option_owners[slot_of(mf)], 0, n_slots_of(mf));
    memset(&flow->option_values[slot_of(mf)], 0, mf->n_bytes);
}

/* A run of slots of one owner is a field.  What a changed map left of one, longer than any field,
 * is several. */
const struct mf_field *
mf_option_next(const struct flow *flow, unsigned *slot)
{
    unsigned first = *slot, n = 1, owner;

    while (first < FLOW_OPTION_SLOTS && !flow->option_owners[first]) {
        first++;
    }
    if (first >= FLOW_OPTION_SLOTS) {
        return NULL;
    }
    owner = flow->option_owners[first];
    while (first + n < FLOW_OPTION_SLOTS && n < MAX_UNITS &&
           flow->option_owners[first + n] == owner) {
        n++;
    }
    *slot = first + n;
    return owner <= MF_N_OPTIONS ? variant_get(variant_number(owner - 1, first, n)) : NULL;
}

void
mf_options_to_match(const struct flow *flow, struct match *match)
{
    MF_OPTION_FOR_EACH(mf, flow)
    {
        union mf_value value;

        mf_get_value(mf, flow, &value);
        mf_set(mf, &value, NULL, match);
    }
}
