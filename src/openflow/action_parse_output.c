// SPDX-License-Identifier: Apache-2.0
/* Actions that send a frame somewhere, from text. */
#include "openflow/action_parse.h"
#include "openflow/ofp_packet.h"
#include "openflow/ofp_text.h"

char *
action_put_output(struct action_parser *p, const char *port_text, const char *max_len_text)
{
    uint64_t max_len = UINT16_MAX;
    struct ofpact_output *o;
    uint16_t port = 0;
    char *error = action_parse_port(p, port_text, &port);

    if (!error && max_len_text) {
        error = action_parse_number(max_len_text, UINT16_MAX, &max_len);
    }
    if (!error) {
        o = ofpacts_put_struct(p->out, OUTPUT, struct ofpact_output);
        o->port = port;
        o->max_len = port == OFPP_CONTROLLER ? (uint16_t)max_len : 0;
    }
    return error;
}

/* "port=PORT,max_len=BYTES" */
static char *
parse_output_trunc(struct action_parser *p, char *arg)
{
    char *max_text = arg, *port_text = action_next_part(&max_text, ',');
    struct ofpact_output_trunc *a;
    uint16_t port = 0;
    uint64_t max;
    char *error;

    if (!max_text || strncmp(max_text, "max_len=", 8)) {
        return text_error("output: needs port=PORT,max_len=BYTES");
    }
    error = action_parse_port(p, port_text + 5, &port);
    error = error ? error : action_parse_number(max_text + 8, UINT32_MAX, &max);
    if (!error && max < 14) {
        error = text_error("output: max_len has to be at least 14");
    }
    if (!error) {
        a = ofpacts_put_struct(p->out, OUTPUT_TRUNC, struct ofpact_output_trunc);
        a->port = port;
        a->max_len = (uint32_t)max;
    }
    return error;
}

char *
action_parse_output(struct action_parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_output_reg *reg;
    struct mf_subfield src;
    ofp_port_t port;
    (void)type;

    if (!strncmp(arg, "port=", 5)) {
        return parse_output_trunc(p, arg);
    }
    /* A port comes before a field of that name: "in_port" is both. */
    if (ofp_port_parse(arg, p->ports, &port) || (!strchr(arg, '[') && !mf_from_name(arg))) {
        return action_put_output(p, arg, NULL);
    }
    memset(&src, 0, sizeof src);
    char *error = mf_parse_subfield(&src, arg, action_options(p));
    if (!error) {
        reg = ofpacts_put_struct(p->out, OUTPUT_REG, struct ofpact_output_reg);
        memcpy(&reg->src, &src, sizeof src);
        reg->max_len = UINT16_MAX;
    }
    return error;
}

struct controller_args {
    struct ofpact_controller head;
    uint8_t userdata[1024];
    size_t n;
};

static char *
parse_controller_part(struct controller_args *c, char *part)
{
    char *value = part, *key = action_next_part(&value, '=');
    enum ofp_packet_in_reason reason;
    uint64_t n = 0;
    char *error;

    if (!strcmp(key, "pause") && !value) {
        c->head.pause = true;
    } else if (value && !strcmp(key, "max_len")) {
        error = action_parse_number(value, UINT16_MAX, &n);
        c->head.max_len = (uint16_t)n;
        return error;
    } else if (value && !strcmp(key, "id")) {
        error = action_parse_number(value, UINT16_MAX, &n);
        c->head.controller_id = (uint16_t)n;
        return error;
    } else if (value && !strcmp(key, "meter_id")) {
        error = action_parse_number(value, UINT32_MAX, &n);
        c->head.meter_id = (uint32_t)n;
        return error;
    } else if (value && !strcmp(key, "userdata")) {
        return action_parse_bytes(value, c->userdata, sizeof c->userdata, &c->n);
    } else if (value && !strcmp(key, "reason") && ofp_packet_in_reason_from_name(value, &reason)) {
        c->head.reason = (uint8_t)reason;
    } else {
        return text_error("controller: '%s' is not understood", key);
    }
    return NULL;
}

char *
action_parse_controller(struct action_parser *p, enum ofpact_type type, char *arg)
{
    struct controller_args c;
    struct ofpact_controller *a;
    char *part, *error = NULL;

    memset(&c, 0, sizeof c);
    c.head.max_len = UINT16_MAX;
    c.head.reason = OFPR_ACTION;
    c.head.meter_id = OFP_METER_NONE;
    if (!*arg || (*arg >= '0' && *arg <= '9')) {
        return action_put_output(p, "CONTROLLER", *arg ? arg : NULL);
    }
    while (!error && (part = action_next_part(&arg, ','))) {
        error = *part ? parse_controller_part(&c, part) : NULL;
    }
    if (error) {
        return error;
    }
    if (!c.head.controller_id && !c.head.pause && !c.n && c.head.reason == OFPR_ACTION &&
        c.head.meter_id == OFP_METER_NONE) {
        struct ofpact_output *o = ofpacts_put_struct(p->out, OUTPUT, struct ofpact_output);

        o->port = OFPP_CONTROLLER;
        o->max_len = c.head.max_len;
        return NULL;
    }
    a = ofpacts_put(p->out, type, sizeof *a + c.n);
    c.head.ofpact = a->ofpact;
    c.head.userdata_len = (uint16_t)c.n;
    memcpy(a, &c.head, sizeof *a);
    memcpy(a->userdata, c.userdata, c.n);
    return NULL;
}

char *
action_parse_enqueue(struct action_parser *p, enum ofpact_type type, char *arg)
{
    char *queue_text = arg, *port_text = action_next_part(&queue_text, ':');
    struct ofpact_enqueue *e;
    uint64_t queue;
    uint16_t port = 0;
    char *error;

    (void)type;
    if (!queue_text) {
        return text_error("enqueue: needs PORT:QUEUE");
    }
    error = action_parse_port(p, port_text, &port);
    if (!error) {
        error = action_parse_number(queue_text, UINT32_MAX, &queue);
    }
    if (!error) {
        e = ofpacts_put_struct(p->out, ENQUEUE, struct ofpact_enqueue);
        e->port = port;
        e->queue = (uint32_t)queue;
    }
    return error;
}

char *
action_parse_resubmit(struct action_parser *p, enum ofpact_type type, char *arg)
{
    char *table_text = arg, *port_text = action_next_part(&table_text, ',');
    char *ct_text = table_text;
    uint64_t table = 255;
    uint16_t port = OFPP_IN_PORT;
    struct ofpact_resubmit *r;
    char *error = *port_text ? action_parse_port(p, port_text, &port) : NULL;

    (void)type;
    table_text = action_next_part(&ct_text, ',');
    if (!error && ct_text && strcmp(ct_text, "ct")) {
        error = text_error("resubmit: '%s' is not understood", ct_text);
    }
    if (!error && table_text && *table_text) {
        error = action_parse_number(table_text, 255, &table);
    }
    if (!error) {
        r = ofpacts_put_struct(p->out, RESUBMIT, struct ofpact_resubmit);
        r->ofpact.raw = table_text ? OFPACT_RAW_RESUBMIT_TABLE : OFPACT_RAW_DEFAULT;
        r->port = port;
        r->with_ct_orig = ct_text != NULL;
        r->table_id = (uint8_t)table;
    }
    return error;
}
