// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: message framing of JSON-RPC.  The first byte chooses how the rest is split; whatever
 * the split, the same messages must come out, and what the scanner calls a message must either
 * parse or be refused by jansson without harm.
 */
#include <stdlib.h>

#include "base/str.h"
#include "rpc/json_frame.h"
#include "rpc/jsonrpc.h"

#define MAX_MESSAGE 20000

struct outcome {
    enum json_frame_result last;
    unsigned int n_messages;
    size_t bytes; /* Of whole messages. */
};

static void
check_message(const struct str *text)
{
    json_error_t json_error;
    char *error = NULL;
    json_t *json = json_loadb(str_cstr(text), text->len, JSON_ALLOW_NUL, &json_error);

    if (json != NULL) {
        struct jsonrpc_msg *msg = jsonrpc_msg_from_json(json, &error);
        if ((msg != NULL) == (error != NULL)) {
            abort();
        }
        if (msg != NULL) {
            json_decref(jsonrpc_msg_to_json(msg));
        }
        free(error);
    }
}

static struct outcome
run(const char *p, size_t size, size_t piece)
{
    struct outcome out = {JSON_FRAME_MORE, 0, 0};
    struct str text = STR_INIT;
    struct json_frame frame;

    json_frame_init(&frame, MAX_MESSAGE);
    for (size_t pos = 0; pos < size;) {
        size_t n = MIN(piece, size - pos);
        size_t used = 0, skip = 0;

        out.last = json_frame_scan(&frame, p + pos, n, &used, &skip);
        if (out.last != JSON_FRAME_MORE && out.last != JSON_FRAME_DONE) {
            break;
        }
        if (used > n || skip > used || (used == 0 && n > 0)) {
            abort(); /* Not within the piece, or no progress. */
        }
        str_put_mem(&text, p + pos + skip, used - skip);
        pos += used;
        if (out.last == JSON_FRAME_DONE) {
            out.n_messages++;
            out.bytes += text.len;
            check_message(&text);
            str_clear(&text);
        }
    }
    str_free(&text);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const char *p = (const char *)data + 1;
    struct outcome whole = run(p, size - 1, size);
    struct outcome split = run(p, size - 1, (size_t)data[0] + 1);

    if (whole.n_messages != split.n_messages || whole.bytes != split.bytes ||
        (whole.last > JSON_FRAME_DONE) != (split.last > JSON_FRAME_DONE)) {
        abort();
    }
    return 0;
}
