// SPDX-License-Identifier: Apache-2.0
/* Actions that choose by a hash, from text: multipath, bundle, bundle_load. */
#include "openflow/action_parse.h"

static char *
parse_fields(const char *text, uint16_t *fields)
{
    const char *name;

    for (uint16_t i = 0; (name = ofp_hash_fields_name((enum ofp_hash_fields)i)); i++) {
        if (!strcmp(name, text)) {
            *fields = i;
            return NULL;
        }
    }
    return text_error("'%s' are not fields to hash", text);
}

static char *
parse_u16(const char *text, uint16_t *x)
{
    uint64_t n;
    char *error = action_parse_number(text, UINT16_MAX, &n);

    *x = error ? 0 : (uint16_t)n;
    return error;
}

/* A subfield that can be set. */
static char *
parse_dst(const struct action_parser *p, const char *text, struct mf_subfield *to)
{
    struct mf_subfield dst;
    char *error;

    memset(&dst, 0, sizeof dst);
    error = mf_parse_subfield(&dst, text, action_options(p));
    if (!error && !dst.field->writable) {
        error = text_error("%s cannot be set", text);
    }
    if (!error) {
        memcpy(to, &dst, sizeof dst);
    }
    return error;
}

/* Cuts 'arg' into exactly 'n' parts; what follows the last comma of them stays in the last one. */
static bool
cut(char *arg, char *parts[], int n)
{
    for (int i = 0; i < n - 1; i++) {
        parts[i] = action_next_part(&arg, ',');
    }
    parts[n - 1] = arg;
    return arg != NULL;
}

char *
action_parse_multipath(struct action_parser *p, enum ofpact_type type, char *arg)
{
    static const char *const algorithms[] = {"modulo_n", "hash_threshold", "hrw", "iter_hash"};
    struct ofpact_multipath *a = ofpacts_put(p->out, type, sizeof *a);
    uint64_t links = 0, n = 0;
    char *part[6], *error;

    if (!cut(arg, part, 6)) {
        return text_error("multipath: needs FIELDS,BASIS,ALGORITHM,LINKS,ARG,FIELD[]");
    }
    error = parse_fields(part[0], &a->fields);
    error = error ? error : parse_u16(part[1], &a->basis);
    while (a->algorithm < 4 && strcmp(part[2], algorithms[a->algorithm])) {
        a->algorithm++;
    }
    if (!error && a->algorithm == 4) {
        error = text_error("multipath: '%s' is not an algorithm", part[2]);
    }
    error = error ? error : action_parse_number(part[3], 65536, &links);
    error = error ? error : action_parse_number(part[4], UINT32_MAX, &n);
    error = error ? error : parse_dst(p, part[5], &a->dst);
    if (!error && (!links || (a->dst.n_bits < 16 && links > 1u << a->dst.n_bits))) {
        error = text_error("multipath: %s cannot hold %s links", part[5], part[3]);
    }
    a->max_link = error ? 0 : (uint16_t)(links - 1);
    a->arg = (uint32_t)n;
    return error;
}

/* "members:1,2,3", or the older name of it. */
static char *
parse_members(struct action_parser *p, char *text, uint16_t *members, uint16_t *n)
{
    char *list = text, *name = action_next_part(&list, ':');
    char *part, *error = NULL;

    if (!list || (strcmp(name, "members") && strcmp(name, "slaves"))) {
        return text_error("bundle: needs members:PORT,...");
    }
    while (!error && (part = action_next_part(&list, ','))) {
        if (*n == OFP_BUNDLE_MAX_MEMBERS) {
            return text_error("bundle: too many members");
        }
        error = *part ? action_parse_port(p, part, &members[(*n)++]) : NULL;
    }
    return error;
}

char *
action_parse_bundle(struct action_parser *p, enum ofpact_type type, char *arg)
{
    uint16_t members[OFP_BUNDLE_MAX_MEMBERS], n = 0;
    const int n_parts = p->is_bundle_load ? 6 : 5;
    struct ofpact_bundle head, *a;
    char *part[6], *error;

    memset(&head, 0, sizeof head);
    if (!cut(arg, part, n_parts) || strcmp(part[3], "ofport")) {
        return text_error("bundle: needs FIELDS,BASIS,ALGORITHM,ofport,%smembers:PORT,...",
                          p->is_bundle_load ? "FIELD[]," : "");
    }
    error = parse_fields(part[0], &head.fields);
    error = error ? error : parse_u16(part[1], &head.basis);
    if (!strcmp(part[2], "hrw")) {
        head.algorithm = OFP_BUNDLE_HRW;
    } else if (!error && strcmp(part[2], "active_backup")) {
        error = text_error("bundle: '%s' is not an algorithm", part[2]);
    }
    if (!error && p->is_bundle_load) {
        error = parse_dst(p, part[4], &head.dst);
    }
    error = error ? error : parse_members(p, part[n_parts - 1], members, &n);
    if (error) {
        return error;
    }
    a = ofpacts_put(p->out, type, sizeof *a + n * sizeof members[0]);
    head.ofpact = a->ofpact;
    head.n_members = n;
    memcpy(a, &head, sizeof head);
    memcpy(a->members, members, n * sizeof members[0]);
    return NULL;
}

char *
action_parse_bundle_load(struct action_parser *p, enum ofpact_type type, char *arg)
{
    char *error;

    p->is_bundle_load = true;
    error = action_parse_bundle(p, type, arg);
    p->is_bundle_load = false;
    return error;
}
