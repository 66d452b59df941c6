// SPDX-License-Identifier: Apache-2.0
/*
 * JSON-RPC messages as structs: made, checked, turned into JSON and back.  RFC 7047 section 4 says
 * what each kind must have.
 */
#include <stdlib.h>
#include <string.h>

#include "rpc/jsonrpc.h"

static struct jsonrpc_msg *
msg_create(enum jsonrpc_type type)
{
    struct jsonrpc_msg *msg = xzalloc(sizeof(*msg));

    msg->type = type;
    return msg;
}

struct jsonrpc_msg *
jsonrpc_msg_request(const char *method, json_t *params, json_t *id)
{
    struct jsonrpc_msg *msg = msg_create(JSONRPC_REQUEST);

    msg->method = xstrdup(method);
    msg->params = params ? params : json_array();
    msg->id = id;
    return msg;
}

struct jsonrpc_msg *
jsonrpc_msg_notify(const char *method, json_t *params)
{
    struct jsonrpc_msg *msg = msg_create(JSONRPC_NOTIFY);

    msg->method = xstrdup(method);
    msg->params = params ? params : json_array();
    return msg;
}

struct jsonrpc_msg *
jsonrpc_msg_reply(json_t *result, json_t *id)
{
    struct jsonrpc_msg *msg = msg_create(JSONRPC_REPLY);

    msg->result = result;
    msg->id = id;
    return msg;
}

struct jsonrpc_msg *
jsonrpc_msg_error(json_t *error, json_t *id)
{
    struct jsonrpc_msg *msg = msg_create(JSONRPC_ERROR);

    msg->error = error;
    msg->id = id;
    return msg;
}

void
jsonrpc_msg_destroy(struct jsonrpc_msg *msg)
{
    if (msg != NULL) {
        free(msg->method);
        json_decref(msg->params);
        json_decref(msg->result);
        json_decref(msg->error);
        json_decref(msg->id);
        free(msg);
    }
}

/* The members of a message.  What is null counts as missing. */
enum member { METHOD, PARAMS, RESULT, ERROR, ID, N_MEMBERS };

static const char *const member_names[N_MEMBERS] = {"method", "params", "result", "error", "id"};

/* Puts the members of 'json' in 'm'; returns NULL, or a new text about one that should not be. */
static char *
take_members(json_t *json, json_t *m[N_MEMBERS])
{
    const char *name;
    json_t *value;

    json_object_foreach (json, name, value) {
        size_t i = 0;

        while (i < N_MEMBERS && strcmp(name, member_names[i])) {
            i++;
        }
        if (i >= N_MEMBERS) {
            return xasprintf("message has unexpected member \"%.64s\"", name);
        }
        m[i] = json_is_null(value) ? NULL : value;
    }
    if (json_object_get(json, "method") && !json_is_string(json_object_get(json, "method"))) {
        return xstrdup("\"method\" is not a string");
    }
    if (m[PARAMS] && !json_is_array(m[PARAMS])) {
        return xstrdup("\"params\" is not an array");
    }
    return NULL;
}

/* Each kind has its members, all of them and no other ones. */
static char *
check_members(enum jsonrpc_type type, json_t *const m[N_MEMBERS])
{
    static const struct {
        const char *name;
        bool has[N_MEMBERS];
    } kinds[] = {
        [JSONRPC_REQUEST] = {"request", {[METHOD] = true, [PARAMS] = true, [ID] = true}},
        [JSONRPC_NOTIFY] = {"notification", {[METHOD] = true, [PARAMS] = true}},
        [JSONRPC_REPLY] = {"reply", {[RESULT] = true, [ID] = true}},
        [JSONRPC_ERROR] = {"error", {[ERROR] = true, [ID] = true}},
    };

    for (size_t i = 0; i < N_MEMBERS; i++) {
        if (kinds[type].has[i] != (m[i] != NULL)) {
            return xasprintf("%s must %shave \"%s\"", kinds[type].name,
                             kinds[type].has[i] ? "" : "not ", member_names[i]);
        }
    }
    return NULL;
}

struct jsonrpc_msg *
jsonrpc_msg_from_json(json_t *json, char **error)
{
    json_t *m[N_MEMBERS] = {NULL};
    struct jsonrpc_msg *msg = NULL;

    *error = json_is_object(json) ? take_members(json, m) : xstrdup("message is not a JSON object");
    if (*error == NULL) {
        enum jsonrpc_type type = m[RESULT]  ? JSONRPC_REPLY
                                 : m[ERROR] ? JSONRPC_ERROR
                                 : m[ID]    ? JSONRPC_REQUEST
                                            : JSONRPC_NOTIFY;

        *error = check_members(type, m);
        if (*error == NULL) {
            msg = msg_create(type);
            msg->method = m[METHOD] ? xstrdup(json_string_value(m[METHOD])) : NULL;
            msg->params = json_incref(m[PARAMS]);
            msg->result = json_incref(m[RESULT]);
            msg->error = json_incref(m[ERROR]);
            msg->id = json_incref(m[ID]);
        }
    }
    json_decref(json);
    return msg;
}

json_t *
jsonrpc_msg_to_json(struct jsonrpc_msg *msg)
{
    json_t *json = json_object();

    switch (msg->type) {
    case JSONRPC_REQUEST:
    case JSONRPC_NOTIFY:
        json_object_set_new(json, "method", json_string(msg->method));
        json_object_set(json, "params", msg->params);
        break;
    case JSONRPC_REPLY:
        json_object_set(json, "result", msg->result);
        json_object_set_new(json, "error", json_null());
        break;
    case JSONRPC_ERROR: /* Clients do not expect a null result. */
        json_object_set(json, "error", msg->error);
        break;
    }
    if (msg->id != NULL) {
        json_object_set(json, "id", msg->id);
    } else {
        json_object_set_new(json, "id", json_null());
    }
    jsonrpc_msg_destroy(msg);
    return json;
}
