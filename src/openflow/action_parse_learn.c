// SPDX-License-Identifier: Apache-2.0
/* learn() from text; see action_learn.c for what a spec is. */
#include "openflow/action_parse.h"
#include "openflow/ofp_text.h"

#include <stdlib.h>

/* Room for the constant of any field. */
#define MAX_IMM 64

struct spec_text {
    const struct mf_options *options;
    struct ofpact_learn_spec spec;
    uint8_t imm[MAX_IMM];
};

static void
spec_put(struct action_parser *p, const struct spec_text *s)
{
    const size_t room = OFPACT_ROUND(sizeof s->spec + s->spec.imm_size);
    uint8_t *to = ofpacts_put(p->out, OFPACT_NOTE, room);

    memset(to, 0, room);
    memcpy(to, &s->spec, sizeof s->spec);
    memcpy(to + sizeof s->spec, s->imm, s->spec.imm_size);
}

/* The constant of 'n' big-endian bytes, right-aligned in whole 16-bit words. */
static void
set_imm(struct spec_text *s, const uint8_t *bytes, size_t n)
{
    size_t size = 2 * (((size_t)s->spec.n_bits + 15) / 16);

    s->spec.src_type = LEARN_SRC_IMMEDIATE;
    s->spec.imm_size = (uint16_t)size;
    if (n > size) {
        bytes += n - size;
        n = size;
    }
    memcpy(s->imm + size - n, bytes, n);
}

static char *
set_number(struct spec_text *s, const char *text)
{
    uint8_t bytes[8];
    uint64_t n;
    char *error = action_parse_number(text, UINT64_MAX, &n);

    if (error) {
        return error;
    }
    if (s->spec.n_bits < 64 && n >> s->spec.n_bits) {
        return text_error("learn: %s does not fit %d bits", text, s->spec.n_bits);
    }
    for (int i = 0; i < 8; i++) {
        bytes[7 - i] = (uint8_t)(n >> i * 8);
    }
    set_imm(s, bytes, sizeof bytes);
    return NULL;
}

/* A subfield or a number, which has as many bits as the destination. */
static char *
set_source(struct spec_text *s, const char *text)
{
    char *error;

    if (!strchr(text, '[')) {
        return set_number(s, text);
    }
    s->spec.src_type = LEARN_SRC_FIELD;
    error = mf_parse_subfield(&s->spec.src, text, s->options);
    if (!error && s->spec.src.n_bits != s->spec.n_bits) {
        error = text_error("learn: %s has not %d bits", text, s->spec.n_bits);
    }
    return error;
}

static char *
parse_load(struct spec_text *s, char *arg)
{
    char *left, *right, *error;

    if (!action_split_arrow(arg, &left, &right)) {
        return text_error("learn: load needs VALUE->FIELD[]");
    }
    s->spec.dst_type = LEARN_DST_LOAD;
    error = mf_parse_subfield(&s->spec.dst, right, s->options);
    if (error) {
        return error;
    }
    if (!s->spec.dst.field->writable) {
        return text_error("learn: %s cannot be set", right);
    }
    s->spec.n_bits = s->spec.dst.n_bits;
    return set_source(s, left);
}

static char *
parse_output(struct spec_text *s, const char *arg)
{
    char *error;

    s->spec.dst_type = LEARN_DST_OUTPUT;
    if (!strchr(arg, '[')) {
        s->spec.n_bits = 16;
        return set_number(s, arg);
    }
    error = mf_parse_subfield(&s->spec.src, arg, s->options);
    s->spec.n_bits = s->spec.src.n_bits;
    return error;
}

/* "FIELD[..]", "FIELD[..]=SOURCE", "FIELD=VALUE". */
static char *
parse_match(struct action_parser *p, struct spec_text *s, char *part)
{
    char *value = part, *name = action_next_part(&value, '=');
    const struct mf_field *mf;
    union mf_value v;
    char *error;

    s->spec.dst_type = LEARN_DST_MATCH;
    if (strchr(name, '[')) {
        error = mf_parse_subfield(&s->spec.dst, name, s->options);
        if (error) {
            return error;
        }
        s->spec.n_bits = s->spec.dst.n_bits;
        return set_source(s, value ? value : name);
    }
    mf = mf_from_name(name);
    if (!mf || !value) {
        return text_error("learn: '%s' is not understood", name);
    }
    if (strchr(value, '[')) {
        s->spec.dst.field = mf;
        s->spec.dst.n_bits = s->spec.n_bits = mf->n_bits;
        return set_source(s, value);
    }
    error = mf_parse_value(mf, value, p->ports, &v);
    if (!error) {
        s->spec.dst.field = mf;
        s->spec.dst.n_bits = s->spec.n_bits = mf->n_bits;
        set_imm(s, v.b, mf->n_bytes);
    }
    return error;
}

static char *
parse_spec(struct action_parser *p, char *part)
{
    struct spec_text s;
    char *error;

    memset(&s, 0, sizeof s); /* Lists are compared byte by byte. */
    s.options = action_options(p);
    if (!strncmp(part, "load:", 5)) {
        error = parse_load(&s, part + 5);
    } else if (!strncmp(part, "output:", 7)) {
        error = parse_output(&s, part + 7);
    } else {
        error = parse_match(p, &s, part);
    }
    if (!error) {
        spec_put(p, &s);
    }
    return error;
}

/* "NAME=NUMBER": sets '*known' if the name is the template's own. */
static char *
parse_number_arg(struct ofpact_learn *a, const char *name, const char *value, bool *known)
{
    const struct {
        const char *name;
        uint16_t *to;
    } shorts[] = {
        {"idle_timeout", &a->idle_timeout},
        {"hard_timeout", &a->hard_timeout},
        {"fin_idle_timeout", &a->fin_idle_timeout},
        {"fin_hard_timeout", &a->fin_hard_timeout},
        {"priority", &a->priority},
    };
    uint64_t n = 0;
    char *error = NULL;

    *known = true;
    for (size_t i = 0; i < sizeof shorts / sizeof shorts[0]; i++) {
        if (!strcmp(name, shorts[i].name)) {
            error = action_parse_number(value, UINT16_MAX, &n);
            *shorts[i].to = (uint16_t)n;
            return error;
        }
    }
    if (!strcmp(name, "table")) {
        error = action_parse_number(value, 254, &n);
        a->table_id = (uint8_t)n;
    } else if (!strcmp(name, "cookie")) {
        error = action_parse_number(value, UINT64_MAX, &a->cookie);
    } else if (!strcmp(name, "limit")) {
        error = action_parse_number(value, UINT32_MAX, &n);
        a->limit = (uint32_t)n;
    } else {
        *known = false;
    }
    return error;
}

static char *
parse_result(const struct action_parser *p, struct ofpact_learn *a, const char *text)
{
    struct mf_subfield dst;
    char *error;

    memset(&dst, 0, sizeof dst);
    error = mf_parse_subfield(&dst, text, action_options(p));
    if (!error && (dst.n_bits != 1 || !dst.field->writable)) {
        error = text_error("learn: result_dst needs one bit that can be set");
    }
    if (!error) {
        a->flags |= OFPACT_LEARN_WRITE_RESULT;
        memcpy(&a->result_dst, &dst, sizeof dst);
    }
    return error;
}

/* One argument.  '*a' is the header, which parts of the list may not move. */
static char *
parse_part(struct action_parser *p, struct ofpact_learn *a, char *part)
{
    char *eq = strchr(part, '=');
    char *error = NULL;
    bool known = false;

    if (!strcmp(part, "send_flow_rem")) {
        a->flags |= OFPACT_LEARN_SEND_FLOW_REM;
        return NULL;
    }
    if (!strcmp(part, "delete_learned")) {
        a->flags |= OFPACT_LEARN_DELETE_LEARNED;
        return NULL;
    }
    if (!strncmp(part, "result_dst=", 11)) {
        return parse_result(p, a, part + 11);
    }
    if (eq) {
        *eq = '\0';
        error = parse_number_arg(a, part, eq + 1, &known);
        *eq = '=';
    }
    return known ? error : parse_spec(p, part);
}

char *
action_parse_learn(struct action_parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_learn head, *a;
    size_t ofs = ofpacts_open(p->out, type, sizeof head);
    char *part, *error = NULL;

    a = (struct ofpact_learn *)(void *)(p->out->data + ofs);
    memcpy(&head, a, sizeof head);
    head.table_id = 1;
    head.priority = OFP_DEFAULT_PRIORITY;
    while (!error && (part = action_next_part(&arg, ','))) {
        error = *part ? parse_part(p, &head, part) : NULL;
    }
    if (!error && p->out->size - ofs > UINT16_MAX) {
        error = text_error("learn: too long");
    }
    if (!error) {
        if (head.limit || head.flags & OFPACT_LEARN_WRITE_RESULT) {
            head.ofpact.raw = OFPACT_RAW_LEARN2;
        }
        head.specs_size = (uint32_t)(p->out->size - ofs - sizeof head);
        memcpy(p->out->data + ofs, &head, sizeof head);
        ofpacts_close(p->out, ofs);
    }
    return error;
}
