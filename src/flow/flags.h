// SPDX-License-Identifier: Apache-2.0
/*
 * Sets of named bits as text: "syn|ack" where every bit counts, "+syn-ack" where only some do.  For
 * tcp_flags, ct_state and tun_flags; private to flow/.
 */
#ifndef SLUICE_FLOW_FLAGS_H
#define SLUICE_FLOW_FLAGS_H 1

#include <stdbool.h>
#include <stdint.h>

struct text;

struct flag_set {
    const char *const *names; /* bit N's name; NULL where it has none */
    int n_names;
    uint32_t all; /* the bits that may be matched */
};

extern const struct flag_set flags_tcp;
extern const struct flag_set flags_ct_state;
extern const struct flag_set flags_tnl;

/* Appends the text; "0" for no flag of an exact value. */
void flags_format(const struct flag_set *set, uint32_t value, uint32_t mask, struct text *out);

/* Parses either form, or a number with an optional mask. */
bool flags_parse(const struct flag_set *set, const char *s, uint32_t *value, uint32_t *mask);

/* Of a text that does not parse: from the name behind a sign that is at fault on, or all of it. */
const char *flags_first_bad(const struct flag_set *set, const char *s);

#endif
