// SPDX-License-Identifier: Apache-2.0
/* Flows from text: the match and the flow's own keys, then the actions. */
#include "base/util.h"
#include "openflow/action_parse.h"
#include "openflow/ofp_flow.h"
#include "openflow/ofp_packet.h"
#include "openflow/ofp_text.h"

#include <stdlib.h>

/* Takes the parts that are of the flow, not of its match, out of 'text' into 'fm'. */
static char *
parse_flow_part(struct ofp_flow_mod *fm, const char *key, const char *value, bool *is_mine)
{
    static const struct {
        const char *name;
        uint16_t flag;
    } flags[] = {
        {"send_flow_rem", OFPFF_SEND_FLOW_REM},
        {"check_overlap", OFPFF_CHECK_OVERLAP},
        {"reset_counts", OFPFF_RESET_COUNTS},
    };
    const struct {
        const char *name;
        uint16_t *field;
    } numbers[] = {
        {"idle_timeout", &fm->idle_timeout},
        {"hard_timeout", &fm->hard_timeout},
        {"importance", &fm->importance},
    };
    uint64_t n;

    *is_mine = true;
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        if (!value && !strcmp(key, flags[i].name)) {
            fm->flags |= flags[i].flag;
            return NULL;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        if (value && !strcmp(key, numbers[i].name)) {
            char *error = action_parse_number(value, UINT16_MAX, &n);

            *numbers[i].field = error ? 0 : (uint16_t)n;
            return error;
        }
    }
    *is_mine = false;
    return NULL;
}

static char *
parse_flow_match(struct ofp_flow_mod *fm, char *text, const struct mf_port_names *ports)
{
    struct match_extra extra = {0};
    struct text rest = {0};
    char *part, *error = NULL;

    while (!error && (part = action_next_part(&text, ','))) {
        char *whole = xstrdup(part), *value = part, *key = action_next_part(&value, '=');
        bool is_mine;

        error = parse_flow_part(fm, key, value, &is_mine);
        if (!error && !is_mine && *whole) {
            text_printf(&rest, "%s%s", rest.len ? "," : "", whole);
        }
        free(whole);
    }
    if (!error) {
        error = match_parse(&fm->match, text_cstr(&rest), ports, &extra);
    }
    text_fini(&rest);
    if (!error) {
        fm->priority = extra.has_priority ? extra.priority : 0x8000;
        fm->table_id = extra.has_table ? extra.table_id : 0;
        fm->new_cookie = extra.has_cookie ? extra.cookie : 0;
    }
    return error;
}

char *
ofp_flow_mod_parse(const char *text, int command, const struct mf_port_names *ports,
                   struct ofp_flow_mod *fm)
{
    char *copy = xstrdup(text), *actions = strstr(copy, "actions="), *error;

    memset(fm, 0, sizeof *fm);
    fm->command = (uint8_t)command;
    fm->buffer_id = OFP_BUFFER_NONE;
    fm->out_port = OFPP_NONE;
    fm->out_group = OFP_GROUP_ANY;
    if (actions) {
        if (actions > copy) {
            actions[-1] = '\0';
        }
        *actions = '\0';
        actions += strlen("actions=");
        error = parse_flow_match(fm, copy, ports);
    } else {
        error = text_error("a flow needs actions=");
    }
    if (!error) {
        error = ofpacts_parse(actions, ports, true, &fm->actions);
    }
    free(copy);
    if (error) {
        ofp_flow_mod_fini(fm);
    }
    return error;
}
