// SPDX-License-Identifier: Apache-2.0
/*
 * Any text as a list of OpenFlow actions: an error, or a list that prints as text which reads as a
 * list that prints the same, and whose bytes are what a decoder takes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/option.h"
#include "flow/text.h"
#include "openflow/ofp_text.h"
#include "openflow/ofp_version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A bridge's map: tun_metadata0 to 2, and 7, of 4, 8, 16 and 4 bytes. */
static const struct mf_options options = {
    .at = {[0] = {0, 1}, [1] = {1, 2}, [2] = {3, 4}, [7] = {24, 1}},
};
static const struct mf_port_names names = {.options = &options};

static void
try_wire(const struct ofpacts *acts)
{
    struct ofpacts back = {0};
    struct wr out = {0};
    struct rd in;

    ofpacts_encode_instructions(ofpacts_data(acts), acts->size, OFP15_VERSION, &out);
    in = rd_init(out.data, out.size);
    in.options = &options;
    /* An error may be: what text can say, a flow may not. */
    (void)ofpacts_decode_instructions(&in, OFP15_VERSION, &back);
    ofpacts_fini(&back);
    wr_fini(&out);
}

static void
try_round(const struct ofpacts *acts)
{
    struct ofpacts again = {0};
    struct text t = {0}, t2 = {0};
    char *error;

    ofpacts_format(ofpacts_data(acts), acts->size, NULL, &t);
    error = ofpacts_parse(text_cstr(&t), &names, true, &again);
    if (!error) {
        ofpacts_format(ofpacts_data(&again), again.size, NULL, &t2);
    }
    if (error || strcmp(text_cstr(&t), text_cstr(&t2))) {
        fprintf(stderr, "%s\nreads as: %s\n", text_cstr(&t), error ? error : text_cstr(&t2));
        abort();
    }
    text_fini(&t);
    text_fini(&t2);
    ofpacts_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ofpacts acts = {0};
    char *text, *error;

    if (size > 4096) {
        return 0;
    }
    text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    error = ofpacts_parse(text, &names, true, &acts);
    if (!error) {
        try_round(&acts);
        try_wire(&acts);
    }
    free(error);
    ofpacts_fini(&acts);
    free(text);
    return 0;
}
