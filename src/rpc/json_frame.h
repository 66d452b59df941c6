// SPDX-License-Identifier: Apache-2.0
/*
 * Finds where one JSON value ends in a stream of them, however the bytes are split: counts braces
 * outside strings and nothing else, so it is one pass and needs no memory.  jansson then parses the
 * whole message.  Bounds size and depth before anything is allocated.
 */
#ifndef RPC_JSON_FRAME_H
#define RPC_JSON_FRAME_H

#include "base/util.h"

/* Below jansson's own JSON_PARSER_MAX_DEPTH (2048) and small enough for any thread's stack. */
#define JSON_FRAME_MAX_DEPTH 1000

struct json_frame {
    size_t max_size;
    size_t size; /* Bytes of the present message so far. */
    unsigned int depth;
    bool in_string;
    bool escaped;
};

enum json_frame_result {
    JSON_FRAME_MORE,     /* All bytes were used; the message goes on. */
    JSON_FRAME_DONE,     /* The message ends after '*used' bytes. */
    JSON_FRAME_GARBAGE,  /* A byte that cannot begin a message, or a bracket too many. */
    JSON_FRAME_TOO_BIG,  /* More than 'max_size' bytes. */
    JSON_FRAME_TOO_DEEP, /* More than JSON_FRAME_MAX_DEPTH open brackets. */
};

void json_frame_init(struct json_frame *frame, size_t max_size);
/* Looks at 'len' more bytes.  White space between messages is used up silently (it counts in
 * '*used' and '*skip', the number of leading bytes that belong to no message).  After DONE the next
 * call begins a new message. */
enum json_frame_result json_frame_scan(struct json_frame *frame, const char *p, size_t len,
                                       size_t *used, size_t *skip);
const char *json_frame_result_text(enum json_frame_result result);

#endif
