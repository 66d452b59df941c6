// SPDX-License-Identifier: Apache-2.0
/*
 * The scanner of json_frame.h.  Only objects and arrays can be messages; what is inside them is
 * jansson's to judge.
 */
#include "rpc/json_frame.h"

void
json_frame_init(struct json_frame *frame, size_t max_size)
{
    *frame = (struct json_frame){.max_size = max_size};
}

static inline bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* A byte inside a string; says nothing about escapes' validity. */
static inline void
scan_string(struct json_frame *frame, char c)
{
    if (frame->escaped) {
        frame->escaped = false;
    } else if (c == '\\') {
        frame->escaped = true;
    } else if (c == '"') {
        frame->in_string = false;
    }
}

enum json_frame_result
json_frame_scan(struct json_frame *frame, const char *p, size_t len, size_t *used, size_t *skip)
{
    size_t i = 0;

    *skip = 0;
    if (frame->size == 0) {
        while (i < len && is_space(p[i])) {
            i++;
        }
        *skip = i;
        *used = i;
        if (i < len && p[i] != '{' && p[i] != '[') {
            return JSON_FRAME_GARBAGE;
        }
    }
    for (; i < len; i++) {
        char c = p[i];

        if (++frame->size > frame->max_size) {
            return JSON_FRAME_TOO_BIG;
        }
        if (frame->in_string) {
            scan_string(frame, c);
        } else if (c == '"') {
            frame->in_string = true;
        } else if (c == '{' || c == '[') {
            if (++frame->depth > JSON_FRAME_MAX_DEPTH) {
                return JSON_FRAME_TOO_DEEP;
            }
        } else if ((c == '}' || c == ']') && --frame->depth == 0) {
            *used = i + 1;
            json_frame_init(frame, frame->max_size);
            return JSON_FRAME_DONE;
        }
    }
    *used = len;
    return JSON_FRAME_MORE;
}

const char *
json_frame_result_text(enum json_frame_result result)
{
    switch (result) {
    case JSON_FRAME_GARBAGE:
        return "message is not a JSON object";
    case JSON_FRAME_TOO_BIG:
        return "message is too big";
    case JSON_FRAME_TOO_DEEP:
        return "message is nested too deeply";
    case JSON_FRAME_MORE:
        return "message is incomplete";
    case JSON_FRAME_DONE:
        break;
    }
    return "message is complete";
}
