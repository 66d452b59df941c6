// SPDX-License-Identifier: Apache-2.0
/*
 * Text to the flow of a packet, for ofproto/trace, and to a filter of such flows, for
 * dpctl/dump-flows: see match.h.
 *
 * Unlike in a match (match_parse.c) items mean something in their order, and a field that is there
 * twice is a mistake; mistakes are told in the words that operators and their scripts know.
 */
#include <stdlib.h>

#include "base/util.h"
#include "flow/match.h"
#include "flow/option.h"
#include "flow/text.h"

struct parsing {
    struct match *m;
    const struct mf_port_names *ports;
    bool may_mask;
};

#define SEPARATORS ", \t\r\n"
#define OFP10_VLAN_NONE 0xffff

/* The end of a value: a separator outside of parentheses, or the parenthesis that closes one which
 * was opened before 's'. */
static char *
value_end(char *s, bool is_open)
{
    int depth = 0;

    for (; *s; s++) {
        if (*s == '(') {
            depth++;
        } else if (*s == ')' && depth) {
            depth--;
        } else if (is_open ? *s == ')' : !depth && strchr(SEPARATORS, *s)) {
            break;
        }
    }
    return s;
}

/* Cuts "key", "key=value", "key:value" or "key(value)" off '*s', which it changes; without a value
 * that is "".  False at the end. */
static bool
next_pair(char **s, char **key, char **value)
{
    char *p = *s + strspn(*s, SEPARATORS), delimiter;

    if (!*p) {
        return false;
    }
    *key = p;
    p += strcspn(p, ":=(" SEPARATORS);
    delimiter = *p;
    if (delimiter) {
        *p++ = '\0';
    }
    *value = p;
    if (delimiter && strchr(":=(", delimiter)) {
        p = value_end(p, delimiter == '(');
        if (*p) {
            *p++ = '\0';
        }
    } else {
        *value = *key + strlen(*key);
    }
    *s = p;
    return true;
}

static char *
set_protocol(const struct match_protocol *proto, struct match *m)
{
    if (m->flow.dl_type) {
        return text_error("Ethernet type set multiple times");
    }
    match_set_dl_type(m, proto->dl_type);
    if (proto->nw_proto) {
        if (m->flow.nw_proto) {
            return text_error("network protocol set multiple times");
        }
        match_set_nw_proto(m, proto->nw_proto);
    }
    return NULL;
}

/* Signs say of which flags something is said, even if that is all of them. */
static bool
has_signs(const struct mf_field *mf, const char *text)
{
    return (mf->format == MF_FMT_TNL_FLAGS || mf->format == MF_FMT_TCP_FLAGS ||
            mf->format == MF_FMT_CT_STATE) &&
           (*text == '+' || *text == '-');
}

/* Parses what is said of a field: 'key' and 'text' as they were typed. */
static char *
parse_field(const struct mf_field *mf, const char *key, const char *text, const struct parsing *p,
            union mf_value *value, union mf_value *mask)
{
    char *inner = mf_parse(mf, text, p->ports, value, mask);
    char *error = NULL;

    if (inner) {
        error = text_error("bad value for %s (%s)", key, inner);
        free(inner);
    } else if (!p->may_mask && (has_signs(mf, text) || !mf_is_exact(mf, mask))) {
        error = text_error("bad value for %s (%s: wildcards not allowed here)", key, text);
    }
    return error;
}

static char *
set_field(const char *key, const char *text, const struct parsing *p)
{
    struct match *m = p->m;
    const struct mf_field *mf = mf_from_name_in(key, &m->flow);
    union mf_value value, mask;
    unsigned int x;
    char *error;

    if (!mf) {
        mf = mf_option_from_name(p->ports ? p->ports->options : NULL, key);
    }
    if (!mf) {
        return strcmp(key, "eth") ? text_error("unknown field %s", key) : NULL;
    }
    /* A priority says by itself that there is a tag. */
    if (mf->id != MF_DL_VLAN_PCP && !mf_prereqs_ok(mf, &m->flow, NULL)) {
        return text_error("prerequisites not met for setting %s", key);
    }
    mf_get_value(mf, &m->flow, &value);
    if (!mf_is_zero(mf, &value)) {
        return text_error("field %s set multiple times", key);
    }
    if (mf->id == MF_DL_VLAN && str_to_uint(text, 0, &x) && x == OFP10_VLAN_NONE) {
        match_set_dl_vlan(m, OFP10_VLAN_NONE);
        return NULL;
    }
    error = parse_field(mf, key, text, p, &value, &mask);
    if (!error && !mf_is_zero(mf, &mask)) {
        mf_set(mf, &value, &mask, m);
    }
    return error;
}

static char *
parse(const struct parsing *p, const char *text)
{
    char *copy = xstrdup(text), *s = copy, *key, *value, *error = NULL;

    match_init_any(p->m);
    while (!error && next_pair(&s, &key, &value)) {
        const struct match_protocol *proto = match_protocol_from_name(key);

        error = proto ? set_protocol(proto, p->m) : set_field(key, value, p);
    }
    free(copy);
    return error;
}

char *
flow_parse(struct flow *flow, const char *text, const struct mf_port_names *ports)
{
    struct match m;
    char *error = parse(&(struct parsing){.m = &m, .ports = ports}, text);

    *flow = m.flow;
    return error;
}

char *
match_parse_filter(struct match *m, const char *text, const struct mf_port_names *ports)
{
    return parse(&(struct parsing){.m = m, .ports = ports, .may_mask = true}, text);
}
