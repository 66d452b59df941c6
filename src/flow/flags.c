// SPDX-License-Identifier: Apache-2.0
/* Named bits; see flags.h. */
#include "flow/flags.h"

#include <inttypes.h>

#include "base/util.h"
#include "flow/text.h"

static const char *const tcp_names[] = {"fin", "syn", "rst", "psh",   "ack",   "urg",
                                        "ece", "cwr", "ns",  "[200]", "[400]", "[800]"};
static const char *const ct_names[] = {"new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"};
static const char *const tnl_names[] = {"oam"};

const struct flag_set flags_tcp = {tcp_names, ARRAY_SIZE(tcp_names), TCP_FLAGS_MASK};
const struct flag_set flags_ct_state = {ct_names, ARRAY_SIZE(ct_names), CT_STATE_MASK};
const struct flag_set flags_tnl = {tnl_names, ARRAY_SIZE(tnl_names), FLOW_TNL_F_OAM};

static uint32_t
named_bits(const struct flag_set *set)
{
    return (UINT32_C(1) << set->n_names) - 1;
}

void
flags_format(const struct flag_set *set, uint32_t value, uint32_t mask, struct text *out)
{
    bool exact = (mask & set->all) == set->all && set != &flags_tnl;
    uint32_t rest = mask & ~named_bits(set);
    bool first = true;

    for (int i = 0; i < set->n_names; i++) {
        uint32_t bit = UINT32_C(1) << i;

        if (!(mask & bit) || (exact && !(value & bit))) {
            continue;
        }
        if (!exact) {
            text_putc(out, value & bit ? '+' : '-');
        } else if (!first) {
            text_putc(out, '|');
        }
        text_put(out, set->names[i]);
        first = false;
    }
    if (exact) {
        if (value & rest) {
            text_printf(out, "%s0x%" PRIx32, first ? "" : "|", value & rest);
        } else if (first) {
            text_putc(out, '0');
        }
    } else if (rest) {
        text_printf(out, "%c0x%" PRIx32, value & rest ? '+' : '-', rest);
    }
}

static bool
take_name(const struct flag_set *set, const char **s, uint32_t *bit)
{
    size_t len = strcspn(*s, "+-|");

    for (int i = 0; i < set->n_names; i++) {
        if (strlen(set->names[i]) == len && !strncmp(set->names[i], *s, len)) {
            *bit = UINT32_C(1) << i;
            *s += len;
            return true;
        }
    }
    return false;
}

static bool
parse_signed(const struct flag_set *set, const char *s, uint32_t *value, uint32_t *mask)
{
    *value = *mask = 0;
    while (*s) {
        bool on = *s == '+';
        uint32_t bit;

        if (*s != '+' && *s != '-') {
            return false;
        }
        s++;
        if (!take_name(set, &s, &bit) || (*mask & bit)) {
            return false;
        }
        *mask |= bit;
        *value |= on ? bit : 0;
    }
    return true;
}

static bool
parse_list(const struct flag_set *set, const char *s, uint32_t *value, uint32_t *mask)
{
    *value = 0;
    *mask = set->all;
    for (;;) {
        uint32_t bit;

        if (!take_name(set, &s, &bit)) {
            return false;
        }
        *value |= bit;
        if (!*s) {
            return true;
        }
        if (*s++ != '|') {
            return false;
        }
    }
}

bool
flags_parse(const struct flag_set *set, const char *s, uint32_t *value, uint32_t *mask)
{
    uint64_t x;

    if (*s == '+' || *s == '-') {
        return parse_signed(set, s, value, mask);
    }
    if (!scan_u64(&s, UINT32_MAX, &x)) {
        return parse_list(set, s, value, mask);
    }
    *value = (uint32_t)x;
    *mask = set->all;
    if (*s == '/') {
        s++;
        if (!scan_u64(&s, UINT32_MAX, &x)) {
            return false;
        }
        *mask = (uint32_t)x;
    }
    return !*s && !(*value & ~set->all) && !(*mask & ~set->all);
}

const char *
flags_first_bad(const struct flag_set *set, const char *s)
{
    const char *p = s;
    uint32_t bit;

    while (*p == '+' || *p == '-') {
        const char *name = ++p;

        if (!take_name(set, &p, &bit)) {
            return name;
        }
    }
    return s;
}
