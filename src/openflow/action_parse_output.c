// SPDX-License-Identifier: Apache-2.0
/* Actions that send a frame somewhere, from text. */
#include "openflow/action_parse.h"
#include "openflow/ofp_packet.h"

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

char *
action_parse_output(struct action_parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_output_reg *reg;
    struct mf_subfield src;
    (void)type;

    if (!strchr(arg, '[')) {
        return action_put_output(p, arg, NULL);
    }
    memset(&src, 0, sizeof src);
    char *error = mf_parse_subfield(&src, arg);
    if (!error) {
        reg = ofpacts_put_struct(p->out, OUTPUT_REG, struct ofpact_output_reg);
        memcpy(&reg->src, &src, sizeof src);
        reg->max_len = UINT16_MAX;
    }
    return error;
}

char *
action_parse_controller(struct action_parser *p, enum ofpact_type type, char *arg)
{
    uint64_t max_len = UINT16_MAX, id = 0;
    struct ofpact_controller *c;
    char *part, *error = NULL;

    (void)type;
    if (!*arg || (*arg >= '0' && *arg <= '9')) {
        return action_put_output(p, "CONTROLLER", *arg ? arg : NULL);
    }
    while (!error && (part = action_next_part(&arg, ','))) {
        char *value = part, *key = action_next_part(&value, '=');

        if (value && !strcmp(key, "max_len")) {
            error = action_parse_number(value, UINT16_MAX, &max_len);
        } else if (value && !strcmp(key, "id")) {
            error = action_parse_number(value, UINT16_MAX, &id);
        } else if (!value || strcmp(key, "reason") || strcmp(value, "action")) {
            error = text_error("controller: '%s' is not understood", key);
        }
    }
    if (!error && !id) {
        struct ofpact_output *o = ofpacts_put_struct(p->out, OUTPUT, struct ofpact_output);

        o->port = OFPP_CONTROLLER;
        o->max_len = (uint16_t)max_len;
    } else if (!error) {
        c = ofpacts_put_struct(p->out, CONTROLLER, struct ofpact_controller);
        c->max_len = (uint16_t)max_len;
        c->controller_id = (uint16_t)id;
        c->reason = OFPR_ACTION;
        c->meter_id = OFP_METER_NONE;
    }
    return error;
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
    uint64_t table = 255;
    uint16_t port = OFPP_IN_PORT;
    struct ofpact_resubmit *r;
    char *error = *port_text ? action_parse_port(p, port_text, &port) : NULL;

    (void)type;
    if (!error && table_text && *table_text) {
        error = action_parse_number(table_text, 255, &table);
    }
    if (!error) {
        r = ofpacts_put_struct(p->out, RESUBMIT, struct ofpact_resubmit);
        r->ofpact.raw = table_text ? OFPACT_RAW_RESUBMIT_TABLE : OFPACT_RAW_DEFAULT;
        r->port = port;
        r->table_id = (uint8_t)table;
    }
    return error;
}
