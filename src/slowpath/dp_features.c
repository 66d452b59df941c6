// SPDX-License-Identifier: Apache-2.0
/*
 * dp_features.c - the table of what the datapath can do, and its texts.  See dp_features.h.
 *
 * Whoever builds something that is missing here (conntrack, tunnels) changes its line.
 */
#include "slowpath/dp_features.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "flow/extract.h"

static const struct feature {
    const char *name, *title; /* 'title' NULL: only in the database */
    bool is_number;
    bool only_whether; /* a number of which the database says whether it is not 0 */
    unsigned value;
} table[] = {
    {.name = "masked_set_action", .title = "Masked set action", .value = 1},
    {.name = "tnl_push_pop", .title = "Tunnel push pop"},
    {.name = "ufid", .title = "Ufid", .value = 1},
    {.name = "trunc", .title = "Truncate action", .value = 1},
    {.name = "clone", .title = "Clone action", .value = 1},
    {.name = "sample_nesting",
     .title = "Sample nesting",
     .is_number = true,
     .only_whether = true,
     .value = 10},
    {.name = "ct_eventmask", .title = "Conntrack eventmask"},
    {.name = "ct_clear", .title = "Conntrack clear"},
    {.name = "max_hash_alg", .title = "Max dp_hash algorithm", .is_number = true, .value = 1},
    {.name = "check_pkt_len", .title = "Check pkt length action", .value = 1},
    {.name = "ct_timeout", .title = "Conntrack timeout policy"},
    {.name = "explicit_drop_action", .title = "Explicit Drop action", .value = 1},
    {.name = "lb_output_action", .title = "Optimized Balance TCP mode", .value = 1},
    {.name = "ct_zero_snat", .title = "Conntrack all-zero IP SNAT"},
    {.name = "add_mpls", .title = "MPLS Label add"},
    /* Its value is that of other_config:vlan-limit. */
    {.name = "max_vlan_headers", .title = "Max VLAN headers", .is_number = true},
    {.name = "max_mpls_depth", .title = "Max MPLS depth", .is_number = true, .value = 3},
    {.name = "recirc", .title = "Recirc", .value = 1},
    {.name = "ct_state", .title = "CT state"},
    {.name = "ct_zone", .title = "CT zone"},
    {.name = "ct_mark", .title = "CT mark"},
    {.name = "ct_label", .title = "CT label"},
    {.name = "ct_state_nat", .title = "CT state NAT"},
    {.name = "ct_orig_tuple", .title = "CT orig tuple"},
    {.name = "ct_orig_tuple6", .title = "CT orig tuple for IPv6"},
    {.name = "nd_ext", .title = "IPv6 ND Extension"},
    {.name = "ct_flush"},
};

_Static_assert(ARRAY_SIZE(table) <= FEATURES_MAX, "room in struct features");

static unsigned
there_is(size_t i)
{
    return strcmp(table[i].name, "max_vlan_headers") ? table[i].value
                                                     : (unsigned)extract_vlan_limit();
}

static unsigned
in_force(const struct features *f, size_t i)
{
    return f->is_set[i] ? f->value[i] : there_is(i);
}

void
features_show(struct str *s)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (table[i].title && table[i].is_number) {
            str_printf(s, "%s: %u\n", table[i].title, there_is(i));
        } else if (table[i].title) {
            str_printf(s, "%s: %s\n", table[i].title, there_is(i) ? "Yes" : "No");
        }
    }
}

static void
put_value(struct str *s, size_t i, unsigned value)
{
    if (table[i].is_number) {
        str_printf(s, "%u", value);
    } else {
        str_put(s, value ? "true" : "false");
    }
}

static void
put_setting(const struct features *f, size_t i, struct str *s)
{
    str_printf(s, "%s (%s) : [run time]:", table[i].name, table[i].title);
    put_value(s, i, in_force(f, i));
    str_put(s, ", [boot time]:");
    put_value(s, i, there_is(i));
    str_putc(s, '\n');
}

static bool
find(const char *name, size_t *i)
{
    for (*i = 0; *i < ARRAY_SIZE(table); (*i)++) {
        if (table[*i].title && !strcmp(table[*i].name, name)) {
            return true;
        }
    }
    return false;
}

void
features_show_settings(const struct features *f, const char *name, struct str *s)
{
    size_t i;

    if (name && !find(name, &i)) {
        str_put(s, "Unexpected support field");
    } else if (name) {
        put_setting(f, i, s);
    } else {
        for (i = 0; i < ARRAY_SIZE(table) && table[i].title; i++) {
            put_setting(f, i, s);
        }
    }
}

static bool
parse_number(const char *text, unsigned *value)
{
    unsigned long long number;
    char *end;

    errno = 0;
    number = strtoull(text, &end, 10);
    *value = (unsigned)number;
    return *text >= '0' && *text <= '9' && !*end && !errno && number <= UINT32_MAX;
}

const char *
features_set(struct features *f, const char *name, const char *text)
{
    unsigned value;
    size_t i;

    if (!find(name, &i)) {
        return "Unexpected support field";
    }
    if (table[i].is_number) {
        if (!parse_number(text, &value)) {
            return "Integer number expected";
        }
    } else if (!strcasecmp(text, "true") || !strcasecmp(text, "false")) {
        value = !strcasecmp(text, "true");
    } else {
        return "Boolean value expected";
    }
    if (value > there_is(i)) {
        return "Can not set value beyond the datapath capability";
    }
    f->is_set[i] = value != there_is(i);
    f->value[i] = value;
    return NULL;
}

void
features_capabilities(const struct features *f,
                      void (*fn)(const char *name, const char *value, void *aux), void *aux)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        unsigned value = in_force(f, i);
        struct str s = STR_INIT;

        if (table[i].is_number && !table[i].only_whether) {
            str_printf(&s, "%u", value);
        } else {
            str_put(&s, value ? "true" : "false");
        }
        fn(table[i].name, str_cstr(&s), aux);
        str_free(&s);
    }
}
