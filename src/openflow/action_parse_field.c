// SPDX-License-Identifier: Apache-2.0
/* Actions on any field, from text. */
#include "flow/option.h"
#include "openflow/action_parse.h"
#include "openflow/nxm.h"

char *
action_parse_set_field(struct action_parser *p, enum ofpact_type type, char *arg)
{
    union mf_value value, mask;
    const struct mf_field *mf;
    char *left, *right, *error;

    (void)type;
    if (!action_split_arrow(arg, &left, &right)) {
        return text_error("set_field: needs VALUE->FIELD");
    }
    mf = mf_from_name(right);
    mf = mf ? mf : mf_option_from_name(action_options(p), right);
    if (!mf || !mf->writable) {
        return text_error("set_field: '%s' is not a field that can be set", right);
    }
    error = mf_parse(mf, left, p->ports, &value, &mask);
    if (!error && !nxm_is_set_field_valid(mf, &value, &mask)) {
        error = text_error("set_field: '%s' is not a value of %s", left, mf->name);
    }
    if (!error) {
        ofpacts_put_set_field(p->out, mf->id, value.b, mask.b);
    }
    return error;
}

char *
action_parse_load(struct action_parser *p, enum ofpact_type type, char *arg)
{
    union mf_value value = {.w = {0, 0}}, field_value, field_mask;
    struct ofpact_set_field *sf;
    struct mf_subfield dst;
    char *left, *right, *error;
    uint64_t n;

    (void)type;
    if (!action_split_arrow(arg, &left, &right)) {
        return text_error("load: needs VALUE->FIELD[]");
    }
    error = action_parse_number(left, UINT64_MAX, &n);
    if (!error) {
        error = mf_parse_subfield(&dst, right, action_options(p));
    }
    if (!error && dst.n_bits < 64 && n >> dst.n_bits) {
        error = text_error("load: %s does not fit %s", left, right);
    }
    if (error) {
        return error;
    }
    for (int i = 0; i < 8; i++) {
        value.b[15 - i] = (uint8_t)(n >> i * 8);
    }
    mf_subfield_to_field(&dst, &value, &field_value, &field_mask);
    sf = ofpacts_put_set_field(p->out, dst.field->id, field_value.b, field_mask.b);
    sf->ofpact.raw = OFPACT_RAW_REG_LOAD;
    return NULL;
}

char *
action_parse_move(struct action_parser *p, enum ofpact_type type, char *arg)
{
    /* Zeroed whole: lists are compared byte by byte. */
    struct mf_subfield src, dst;
    struct ofpact_reg_move *m;
    char *left, *right, *error;

    (void)type;
    memset(&src, 0, sizeof src);
    memset(&dst, 0, sizeof dst);
    if (!action_split_arrow(arg, &left, &right)) {
        return text_error("move: needs FIELD[]->FIELD[]");
    }
    error = mf_parse_subfield(&src, left, action_options(p));
    if (!error) {
        error = mf_parse_subfield(&dst, right, action_options(p));
    }
    if (!error && src.n_bits != dst.n_bits) {
        error = text_error("move: %s and %s differ in size", left, right);
    }
    if (!error) {
        m = ofpacts_put_struct(p->out, REG_MOVE, struct ofpact_reg_move);
        memcpy(&m->src, &src, sizeof src);
        memcpy(&m->dst, &dst, sizeof dst);
    }
    return error;
}

char *
action_parse_stack(struct action_parser *p, enum ofpact_type type, char *arg)
{
    struct mf_subfield sf;
    struct ofpact_stack *s;
    char *error;

    memset(&sf, 0, sizeof sf);
    error = mf_parse_subfield(&sf, arg, action_options(p));
    if (!error) {
        s = ofpacts_put(p->out, type, sizeof *s);
        memcpy(&s->subfield, &sf, sizeof sf);
    }
    return error;
}

char *
action_parse_delete_field(struct action_parser *p, enum ofpact_type type, char *arg)
{
    const struct mf_field *mf = mf_option_from_name(action_options(p), arg);
    struct ofpact_delete_field *a;

    if (!mf) {
        return text_error("delete_field: '%s' is not a tunnel option that is mapped", arg);
    }
    a = ofpacts_put(p->out, type, sizeof *a);
    a->field = (uint16_t)mf->id;
    return NULL;
}

char *
action_parse_write_metadata(struct action_parser *p, enum ofpact_type type, char *arg)
{
    char *mask_text = arg, *value_text = action_next_part(&mask_text, '/');
    uint64_t value, mask = UINT64_MAX;
    struct ofpact_metadata *a;
    char *error = action_parse_number(value_text, UINT64_MAX, &value);

    if (!error && mask_text) {
        error = action_parse_number(mask_text, UINT64_MAX, &mask);
    }
    if (!error) {
        a = ofpacts_put(p->out, type, sizeof *a);
        a->metadata = value & mask;
        a->mask = mask;
    }
    return error;
}
