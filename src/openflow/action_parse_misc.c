// SPDX-License-Identifier: Apache-2.0
/* Actions that say something beside the packet's way, from text: note, sample, fin_timeout,
 * check_pkt_larger. */
#include "openflow/action_parse.h"

/* Two hexadecimal digits; -1 otherwise. */
static int
hex_byte(const char *s)
{
    int byte = 0;

    for (int i = 0; i < 2; i++) {
        char c = s[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;

        if (digit < 0) {
            return -1;
        }
        byte = byte * 16 + digit;
    }
    return byte;
}

char *
action_parse_bytes(const char *text, uint8_t *bytes, size_t max, size_t *n)
{
    for (*n = 0; *text;) {
        int byte = hex_byte(text);

        if (byte < 0 || *n == max) {
            return text_error("'%s' is not a list of up to %zu bytes in hexadecimal", text, max);
        }
        bytes[(*n)++] = (uint8_t)byte;
        text += text[2] == '.' ? 3 : 2;
    }
    return NULL;
}

/* The wire pads a note with zeros that nobody can tell from its own. */
char *
action_parse_note(struct action_parser *p, enum ofpact_type type, char *arg)
{
    uint8_t bytes[1024 + 8] = {0};
    struct ofpact_note *a;
    size_t n;
    char *error = action_parse_bytes(arg, bytes, 1024, &n);

    if (!error) {
        n = OFPACT_ROUND(n + 2) - 2;
        a = ofpacts_put(p->out, type, offsetof(struct ofpact_note, data) + n);
        a->n = (uint32_t)n;
        memcpy(a->data, bytes, n);
    }
    return error;
}

static char *
parse_sample_part(struct action_parser *p, struct ofpact_sample *a, char *part)
{
    char *value = part, *name = action_next_part(&value, '=');
    const struct {
        const char *name;
        uint32_t *to;
    } numbers[] = {
        {"collector_set_id", &a->collector_set_id},
        {"obs_domain_id", &a->obs_domain_id},
        {"obs_point_id", &a->obs_point_id},
    };
    uint64_t n = 0;
    char *error;

    if (!value && (!strcmp(name, "ingress") || !strcmp(name, "egress"))) {
        a->direction = *name == 'i' ? 1 : 2;
        return NULL;
    }
    if (value && !strcmp(name, "probability")) {
        error = action_parse_number(value, UINT16_MAX, &n);
        a->probability = (uint16_t)n;
        return error;
    }
    if (value && !strcmp(name, "sampling_port")) {
        return action_parse_port(p, value, &a->sampling_port);
    }
    for (size_t i = 0; value && i < sizeof numbers / sizeof numbers[0]; i++) {
        if (!strcmp(name, numbers[i].name)) {
            error = action_parse_number(value, UINT32_MAX, &n);
            *numbers[i].to = (uint32_t)n;
            return error;
        }
    }
    return text_error("sample: '%s' is not understood", name);
}

char *
action_parse_sample(struct action_parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_sample *a = ofpacts_put(p->out, type, sizeof *a);
    char *part, *error = NULL;

    a->sampling_port = OFPP_NONE;
    while (!error && (part = action_next_part(&arg, ','))) {
        error = *part ? parse_sample_part(p, a, part) : NULL;
    }
    if (!error && !a->probability) {
        error = text_error("sample: needs probability=1...65535");
    }
    return error;
}

char *
action_parse_fin_timeout(struct action_parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_fin_timeout *a = ofpacts_put(p->out, type, sizeof *a);
    char *part, *error = NULL;

    while (!error && (part = action_next_part(&arg, ','))) {
        char *value = part, *name = action_next_part(&value, '=');
        uint64_t n = 0;

        if (!value || (strcmp(name, "idle_timeout") && strcmp(name, "hard_timeout"))) {
            error = *name ? text_error("fin_timeout: '%s' is not understood", name) : NULL;
            continue;
        }
        error = action_parse_number(value, UINT16_MAX, &n);
        *(*name == 'i' ? &a->idle_timeout : &a->hard_timeout) = (uint16_t)n;
    }
    return error;
}

/* "100)->FIELD[BIT]": what stands behind the name and its parenthesis. */
char *
action_parse_check_pkt(struct action_parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_check_pkt *a;
    char *left, *right, *error;
    struct mf_subfield dst;
    uint64_t n = 0;

    memset(&dst, 0, sizeof dst);
    if (!action_split_arrow(arg, &left, &right) || !*left || left[strlen(left) - 1] != ')') {
        return text_error("check_pkt_larger: needs (BYTES)->FIELD[BIT]");
    }
    left[strlen(left) - 1] = '\0';
    error = action_parse_number(left, UINT16_MAX, &n);
    error = error ? error : mf_parse_subfield(&dst, right, action_options(p));
    if (!error && (dst.n_bits != 1 || !dst.field->writable)) {
        error = text_error("check_pkt_larger: %s is not one bit that can be set", right);
    }
    if (!error) {
        a = ofpacts_put(p->out, type, sizeof *a);
        a->pkt_len = (uint16_t)n;
        memcpy(&a->dst, &dst, sizeof dst);
    }
    return error;
}
