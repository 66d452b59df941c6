// SPDX-License-Identifier: Apache-2.0
/*
 * Any text as a datapath key, as datapath actions, as an OpenFlow match and as a subfield: an
 * error, or something whose own text reads back as the same thing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/dp_action.h"
#include "flow/dpkey.h"
#include "flow/match.h"
#include "flow/option.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fail_on(const char *what, const char *text, const char *again, const char *error)
{
    fprintf(stderr, "fuzz_flow_text: %s: \"%s\" gives \"%s\": %s\n", what, text, again,
            error ? error : "differs");
    abort();
}

static void
try_key(const char *text)
{
    struct flow f, f2;
    struct flow_mask m, m2;
    struct text t = {0}, t2 = {0};
    char *error = dpkey_parse(text, NULL, &f, &m);
    if (error) {
        free(error);
        return;
    }
    /* Printing is canonical after one round (a frame's missing layers have no text). */
    dpkey_format(&f, &m, NULL, false, &t);
    error = dpkey_parse(text_cstr(&t), NULL, &f2, &m2);
    if (!error) {
        dpkey_format(&f2, &m2, NULL, false, &t2);
    }
    if (error || strcmp(text_cstr(&t), text_cstr(&t2))) {
        fail_on("key", text, text_cstr(&t), error);
    }
    dpkey_format(&f, NULL, NULL, true, &t2);
    text_fini(&t);
    text_fini(&t2);
}

static void
try_actions(const char *text)
{
    struct dp_actions acts = {0}, again = {0};
    struct text t = {0};
    char *error = dp_actions_parse(text, NULL, &acts);
    if (!error) {
        dp_actions_format(acts.data, acts.size, NULL, &t);
        struct text t2 = {0};
        error = dp_actions_parse(text_cstr(&t), NULL, &again);
        if (!error) {
            dp_actions_format(again.data, again.size, NULL, &t2);
        }
        if (error || strcmp(text_cstr(&t), text_cstr(&t2))) {
            fail_on("actions", text, text_cstr(&t), error);
        }
        text_fini(&t2);
    }
    free(error);
    text_fini(&t);
    dp_actions_fini(&acts);
    dp_actions_fini(&again);
}

/* A bridge's map: tun_metadata0 to 2, and 7, of 4, 8, 16 and 4 bytes. */
static const struct mf_options options = {
    .at = {[0] = {0, 1}, [1] = {1, 2}, [2] = {3, 4}, [7] = {24, 1}},
};
static const struct mf_port_names names = {.options = &options};

static void
try_match(const char *text)
{
    struct match m, m2;
    struct match_extra extra, extra2;
    struct text t = {0};
    char *error = match_parse(&m, text, &names, &extra);
    if (!error) {
        match_format(&m, NULL, &t, MATCH_NO_PRIORITY);
        error = match_parse(&m2, text_cstr(&t), &names, &extra2);
        if (error || !match_equal(&m, &m2)) {
            fail_on("match", text, text_cstr(&t), error);
        }
    }
    free(error);
    /* A packet's flow is a filter, too, for that flow. */
    struct flow flow;
    char *flow_error = flow_parse(&flow, text, &names);
    error = match_parse_filter(&m, text, &names);
    if (!flow_error && (error || !match_flow(&m, &flow))) {
        fail_on("filter", text, "", error);
    }
    free(flow_error);
    free(error);
    text_fini(&t);
}

static void
try_subfield(const char *text)
{
    struct mf_subfield sf;
    char *error = mf_parse_subfield(&sf, text, &options);
    if (!error) {
        struct text t = {0};
        mf_format_subfield(&sf, &t);
        text_fini(&t);
    }
    free(error);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    try_key(text);
    try_actions(text);
    try_match(text);
    try_subfield(text);
    free(text);
    return 0;
}
