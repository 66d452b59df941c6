// SPDX-License-Identifier: Apache-2.0
/* Actions that steer the translation, and what takes one number or nothing, from text. */
#include "openflow/action_parse.h"

/* group, set_queue, meter and set_mpls_label: one 32-bit number each. */
char *
action_parse_u32(struct action_parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_group *a;
    uint64_t n;
    char *error =
        action_parse_number(arg, type == OFPACT_SET_MPLS_LABEL ? 0xfffff : UINT32_MAX, &n);

    static_assert(
        offsetof(struct ofpact_group, group_id) == offsetof(struct ofpact_queue, queue_id) &&
            offsetof(struct ofpact_group, group_id) == offsetof(struct ofpact_meter, meter_id) &&
            offsetof(struct ofpact_group, group_id) == offsetof(struct ofpact_mpls_label, label),
        "one parser for all");
    if (!error) {
        a = ofpacts_put(p->out, type, sizeof *a);
        a->group_id = (uint32_t)n;
    }
    return error;
}

char *
action_parse_goto_table(struct action_parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_goto_table *a;
    uint64_t n;
    char *error = action_parse_number(arg, 254, &n);

    if (!error) {
        a = ofpacts_put(p->out, type, sizeof *a);
        a->table_id = (uint8_t)n;
    }
    return error;
}

char *
action_parse_conjunction(struct action_parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_conjunction *a;
    unsigned int id, k, n;
    int end = 0;

    if (sscanf(arg, "%u,%u/%u%n", &id, &k, &n, &end) != 3 || arg[end] || n < 2 || n > 64 || !k ||
        k > n) {
        return text_error("conjunction: needs ID,K/N with 1 <= K <= N, 2 <= N <= 64");
    }
    a = ofpacts_put(p->out, type, sizeof *a);
    a->id = id;
    a->clause = (uint8_t)(k - 1);
    a->n_clauses = (uint8_t)n;
    return NULL;
}

char *
action_parse_null(struct action_parser *p, enum ofpact_type type, char *arg)
{
    if (*arg) {
        return text_error("%s takes no argument", ofpact_type_name(type));
    }
    ofpacts_put(p->out, type, sizeof(struct ofpact_null));
    return NULL;
}

char *
action_parse_clone(struct action_parser *p, enum ofpact_type type, char *arg)
{
    size_t ofs;
    char *error;

    if (++p->depth > OFPACTS_MAX_DEPTH) {
        return text_error("actions are nested too deeply");
    }
    ofs = ofpacts_open(p->out, type, offsetof(struct ofpact_nest, actions));
    error = action_parse_list(p, arg);
    ofpacts_close(p->out, ofs);
    p->depth--;
    return error;
}
