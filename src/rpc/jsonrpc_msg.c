// SPDX-License-Identifier: Apache-2.0
/*
 * JSON-RPC messages as structs: made, checked, turned into JSON and back.  RFC 7047 section 4 says
 * what each kind must have.
 */
#include <stdlib.h>

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

static bool
is_null_or_missing(const json_t *json)
{
    return json == NULL || json_is_null(json);
}

static struct jsonrpc_msg *
parse_call(const json_t *method, json_t *params, json_t *id, char **error)
{
    if (!json_is_string(method)) {
        *error = xstrdup("\"method\" is not a string");
        return NULL;
    }
    if (!is_null_or_missing(params) && !json_is_array(params)) {
        *error = xstrdup("\"params\" is not an array");
        return NULL;
    }
    params = json_is_array(params) ? json_incref(params) : json_array();
    return is_null_or_missing(id)
               ? jsonrpc_msg_notify(json_string_value(method), params)
               : jsonrpc_msg_request(json_string_value(method), params, json_incref(id));
}

struct jsonrpc_msg *
jsonrpc_msg_from_json(json_t *json, char **error)
{
    struct jsonrpc_msg *msg = NULL;

    if (!json_is_object(json)) {
        *error = xstrdup("message is not a JSON object");
        json_decref(json);
        return NULL;
    }
    const json_t *method = json_object_get(json, "method");
    json_t *id = json_object_get(json, "id");
    json_t *result = json_object_get(json, "result");
    json_t *failure = json_object_get(json, "error");

    if (!is_null_or_missing(method)) {
        msg = parse_call(method, json_object_get(json, "params"), id, error);
    } else if (is_null_or_missing(id)) {
        *error = xstrdup("message has neither \"method\" nor \"id\"");
    } else if (!is_null_or_missing(failure)) {
        msg = jsonrpc_msg_error(json_incref(failure), json_incref(id));
    } else if (result != NULL) {
        msg = jsonrpc_msg_reply(json_incref(result), json_incref(id));
    } else {
        *error = xstrdup("reply has neither \"result\" nor \"error\"");
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
    case JSONRPC_ERROR:
        json_object_set_new(json, "result", json_null());
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
