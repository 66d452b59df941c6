// SPDX-License-Identifier: Apache-2.0
/* ct() and nat from text. */
#include <arpa/inet.h>

#include "openflow/action_parse.h"

static char *
parse_zone(const struct action_parser *p, struct ofpact_ct *a, const char *text)
{
    struct mf_subfield src;
    uint64_t n;
    char *error;

    if (!strchr(text, '[')) {
        error = action_parse_number(text, UINT16_MAX, &n);
        a->zone_imm = error ? 0 : (uint16_t)n;
        return error;
    }
    memset(&src, 0, sizeof src);
    error = mf_parse_subfield(&src, text, action_options(p));
    if (!error && src.n_bits != 16) {
        error = text_error("ct: a zone has 16 bits");
    }
    if (!error) {
        memcpy(&a->zone_src, &src, sizeof src);
    }
    return error;
}

struct ct_lists {
    char *nat, *exec; /* NULL: none */
};

static char *
parse_ct_part(const struct action_parser *p, struct ofpact_ct *a, char *part,
              struct ct_lists *lists)
{
    uint64_t n;
    char *error = NULL;
    size_t len = strlen(part);

    if (!strcmp(part, "commit")) {
        a->flags |= OFPACT_CT_COMMIT;
    } else if (!strcmp(part, "force")) {
        a->flags |= OFPACT_CT_FORCE;
    } else if (!strncmp(part, "table=", 6)) {
        error = action_parse_number(part + 6, 254, &n);
        a->recirc_table = error ? 0 : (uint8_t)n;
    } else if (!strncmp(part, "zone=", 5)) {
        error = parse_zone(p, a, part + 5);
    } else if (!strcmp(part, "alg=ftp") || !strcmp(part, "alg=tftp")) {
        a->alg = part[4] == 'f' ? 21 : 69;
    } else if (!strcmp(part, "nat") && !lists->nat) {
        lists->nat = part + len;
    } else if (!strncmp(part, "nat(", 4) && part[len - 1] == ')' && !lists->nat) {
        part[len - 1] = '\0';
        lists->nat = part + 4;
    } else if (!strncmp(part, "exec(", 5) && part[len - 1] == ')' && !lists->exec) {
        part[len - 1] = '\0';
        lists->exec = part + 5;
    } else {
        error = text_error("ct: '%s' is not understood", part);
    }
    return error;
}

/* Inside exec() only the connection's mark and label are changed. */
static char *
check_exec(const struct action_parser *p, size_t ofs)
{
    while (ofs < p->out->size) {
        const struct ofpact *a = (const struct ofpact *)(const void *)(p->out->data + ofs);
        int field = a->type == OFPACT_SET_FIELD ? (int)OFPACT_CAST(ofpact_set_field, a)->field
                    : a->type == OFPACT_REG_MOVE
                        ? (int)OFPACT_CAST(ofpact_reg_move, a)->dst.field->id
                        : -1;

        if (field != MF_CT_MARK && field != MF_CT_LABEL) {
            return text_error("ct: exec may set ct_mark and ct_label only");
        }
        ofs += a->len;
    }
    return NULL;
}

char *
action_parse_ct(struct action_parser *p, enum ofpact_type type, char *arg)
{
    struct ct_lists lists = {NULL, NULL};
    struct ofpact_ct head;
    char *part, *error = NULL;
    size_t ofs;

    if (++p->depth > OFPACTS_MAX_DEPTH) {
        return text_error("actions are nested too deeply");
    }
    ofs = ofpacts_open(p->out, type, sizeof head);
    memcpy(&head, p->out->data + ofs, sizeof head);
    head.recirc_table = OFPACT_CT_NO_RECIRC;
    while (!error && (part = action_next_part(&arg, ','))) {
        error = *part ? parse_ct_part(p, &head, part, &lists) : NULL;
    }
    if (!error && !(head.flags & OFPACT_CT_COMMIT) &&
        (head.flags & OFPACT_CT_FORCE || lists.exec)) {
        error = text_error("ct: force and exec need commit");
    }
    if (!error && lists.nat) {
        error = action_parse_nat(p, OFPACT_NAT, lists.nat);
    }
    if (!error && lists.exec) {
        size_t exec = p->out->size;

        error = action_parse_list(p, lists.exec);
        error = error ? error : check_exec(p, exec);
    }
    if (!error) {
        memcpy(p->out->data + ofs, &head, sizeof head);
        ofpacts_close(p->out, ofs);
    }
    p->depth--;
    return error;
}

/* Takes the address at the start of '*s': "1.2.3.4", "::1" or "[::1]".  0: there is none. */
static int
pull_addr(char **s, uint8_t addr[16])
{
    char *text = *s, *end, saved;
    int af;

    if (*text == '[') {
        end = strchr(++text, ']');
        if (!end) {
            return 0;
        }
    } else {
        size_t v4 = strspn(text, "0123456789.");

        end = text + (text[v4] == ':' && memchr(text, '.', v4) ? v4 : strcspn(text, "-"));
    }
    saved = *end;
    *end = '\0';
    af = inet_pton(AF_INET, text, addr) == 1 ? 4 : inet_pton(AF_INET6, text, addr) == 1 ? 6 : 0;
    *end = saved;
    *s = saved == ']' ? end + 1 : end;
    return af;
}

static char *
parse_ports(struct ofpact_nat *a, char *text)
{
    char *max = text, *min = action_next_part(&max, '-');
    uint64_t n, m = 0;
    char *error = action_parse_number(min, UINT16_MAX, &n);

    if (!error && max) {
        error = action_parse_number(max, UINT16_MAX, &m);
    }
    if (!error && (!n || (max && m < n))) {
        error = text_error("nat: not a range of ports");
    }
    if (!error) {
        a->port_min = (uint16_t)n;
        a->port_max = (uint16_t)m;
    }
    return error;
}

static char *
parse_range(struct ofpact_nat *a, char *s)
{
    /* Only ports: ":80".  An IPv6 address starts with two colons or none. */
    if (*s != ':' || s[1] == ':') {
        int af = pull_addr(&s, a->addr_min);

        if (!af) {
            return text_error("nat: '%s' is not an address", s);
        }
        a->range_af = (uint8_t)af;
        if (*s == '-') {
            s++;
            if (pull_addr(&s, a->addr_max) != af ||
                memcmp(a->addr_max, a->addr_min, sizeof a->addr_min) < 0) {
                return text_error("nat: not a range of addresses");
            }
        }
    }
    if (!*s) {
        return NULL;
    }
    return *s == ':' ? parse_ports(a, s + 1) : text_error("nat: '%s' is not understood", s);
}

static char *
parse_nat_part(struct ofpact_nat *a, char *part)
{
    char *range = part, *name = action_next_part(&range, '=');
    const struct {
        const char *name;
        uint8_t flag;
    } flags[] = {
        {"src", OFPACT_NAT_SRC},
        {"dst", OFPACT_NAT_DST},
        {"persistent", OFPACT_NAT_PERSISTENT},
        {"hash", OFPACT_NAT_HASH},
        {"random", OFPACT_NAT_RANDOM},
    };

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (!strcmp(name, flags[i].name) && (i < 2 || !range)) {
            a->flags |= flags[i].flag;
            return range ? parse_range(a, range) : NULL;
        }
    }
    return text_error("nat: '%s' is not understood", name);
}

char *
action_parse_nat(struct action_parser *p, enum ofpact_type type, char *arg)
{
    struct ofpact_nat *a = ofpacts_put(p->out, type, sizeof *a);
    char *part, *error = NULL;
    uint8_t both = OFPACT_NAT_SRC | OFPACT_NAT_DST, ways = OFPACT_NAT_HASH | OFPACT_NAT_RANDOM;

    while (!error && (part = action_next_part(&arg, ','))) {
        error = *part ? parse_nat_part(a, part) : NULL;
    }
    if (!error && ((a->flags & both) == both || (a->flags & ways) == ways ||
                   (!(a->flags & both) && a->flags))) {
        error = text_error("nat: needs src or dst, and at most one of hash and random");
    }
    return error;
}
