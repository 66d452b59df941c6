// SPDX-License-Identifier: Apache-2.0
/*
 * bond_ctl.c - the group "bond" for ovs-appctl.  Main thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "ofproto/bond.h"
#include "ofproto/ofproto_priv.h"
#include "rpc/unixctl.h"

LOG_MODULE(bond);

/* --- finding ------------------------------------------------------------------------------------
 */

struct found {
    struct ofproto *p;
    struct ofbundle *b;
    struct bond_member *member;
};

#define FOREACH_BOND(P, B, ALL)                                 \
    for (struct ofproto *P = (ALL)->by_name; P; P = P->hh.next) \
        for (struct ofbundle *B = P->bundles; B; B = B->next)   \
            if (B->state)

static bool
find_bond(struct unixctl_conn *conn, struct ofprotos *all, const char *name, struct found *found)
{
    FOREACH_BOND(p, b, all)
    {
        if (!strcmp(b->name, name)) {
            *found = (struct found){.p = p, .b = b};
            return true;
        }
    }
    unixctl_reply_error(conn, "no such bond");
    return false;
}

static bool
find_member(struct unixctl_conn *conn, const char *name, struct found *found)
{
    struct bond *bond = found->b->state;

    for (size_t i = 0; i < bond->n_members; i++) {
        if (!strcmp(bond->members[i].name, name)) {
            found->member = &bond->members[i];
            return true;
        }
    }
    unixctl_reply_error(conn, "no such member");
    return false;
}

/* --- sight --------------------------------------------------------------------------------------
 */

static void
bond_list(struct unixctl_conn *conn, int argc, const char *argv[], void *all_)
{
    struct ofprotos *all = all_;
    struct str s = STR_INIT;

    (void)argc;
    (void)argv;
    str_put(&s, "bond\ttype\trecircID\tmembers\n");
    FOREACH_BOND(p, b, all)
    {
        str_printf(&s, "%s\t%s\t%" PRIu32 "\t", b->name, bond_mode_name(b->bond.mode),
                   bond_recirc_id(b->state));
        for (size_t i = 0; i < b->state->n_members; i++) {
            str_printf(&s, "%s%s", i ? ", " : "", b->state->members[i].name);
        }
        str_putc(&s, '\n');
    }
    unixctl_reply(conn, str_cstr(&s));
    str_free(&s);
}

static void
put_primary(struct str *s, const struct ofbundle *b)
{
    const char *name = b->bond.mode == OFPROTO_BOND_ACTIVE_BACKUP ? b->bond_primary : NULL;
    bool found = false;

    for (size_t i = 0; name && i < b->state->n_members; i++) {
        found |= !strcmp(b->state->members[i].name, name);
    }
    str_printf(s, "active-backup primary: %s%s\n", name ? name : "<none>",
               name && !found ? " (no such member)" : "");
}

static void
put_member(struct str *s, const struct bond *bond, int i)
{
    const struct bond_member *m = &bond->members[i];

    str_printf(s, "\nmember %s: %s\n", m->name, m->enabled ? "enabled" : "disabled");
    if (i == bond->active) {
        str_put(s, "  active member\n");
    }
    if (m->delay_ends != BOND_NO_DELAY) {
        str_printf(s, "  %s expires in %" PRId64 " ms\n", m->enabled ? "downdelay" : "updelay",
                   m->delay_ends - clock_now_ms());
    }
    str_printf(s, "  may_enable: %s\n", m->has_link ? "true" : "false");
    for (int bucket = 0; bond->mode != OFPROTO_BOND_ACTIVE_BACKUP && bucket < BOND_BUCKETS;
         bucket++) {
        uint64_t kb = bond_load(bond, bucket) / 1024;

        if (kb && bond->bucket[bucket] == i) {
            str_printf(s, "  hash %d: %" PRIu64 " kB load\n", bucket, kb);
        }
    }
}

static void
put_bond(struct str *s, const struct ofbundle *b)
{
    const struct bond *bond = b->state;
    uint32_t lb_id = bond_lb_id(b);
    bool falls_back = bond_falls_back(b);
    bool may_recirc = b->bond.mode == OFPROTO_BOND_TCP && !falls_back;
    static const char *const lacp_words[] = {
        [LACP_OFF] = "off",
        [LACP_CONFIGURED] = "configured",
        [LACP_NEGOTIATED] = "negotiated",
    };

    bond_lb_take(b->state);
    str_printf(s, "---- %s ----\n", b->name);
    str_printf(s, "bond_mode: %s\n", bond_mode_name(b->bond.mode));
    str_printf(s, "bond may use recirculation: %s, Recirc-ID : %d\n", may_recirc ? "yes" : "no",
               may_recirc ? (int)bond_recirc_id(bond) : -1);
    str_printf(s, "bond-hash-basis: %" PRIu32 "\n", b->bond.hash_basis);
    str_printf(s, "lb_output action: %s, bond-id: %d\n", lb_id ? "enabled" : "disabled",
               lb_id ? (int)lb_id : -1);
    if (b->bond.mode == OFPROTO_BOND_SLB) {
        str_printf(s, "all members active: %s\n", b->bond.all_members_active ? "true" : "false");
    }
    str_printf(s, "updelay: %d ms\ndowndelay: %d ms\n", b->bond.up_delay_ms, b->bond.down_delay_ms);
    if (b->bond.mode != OFPROTO_BOND_ACTIVE_BACKUP && b->bond.rebalance_ms > 0) {
        str_printf(s, "next rebalance: %" PRId64 " ms\n", bond->next_rebalance - clock_now_ms());
    }
    str_printf(s, "lacp_status: %s\nlacp_fallback_ab: %s\n", lacp_words[lacp_status(b->lacp)],
               b->bond.lacp_fallback_ab ? "true" : "false");
    put_primary(s, b);
    str_put(s, "active member mac: ");
    str_put_eth(s, bond->active_mac.addr_bytes);
    str_printf(s, "(%s)\n", bond->active >= 0 ? bond->members[bond->active].name : "none");
    for (size_t i = 0; i < bond->n_members; i++) {
        put_member(s, bond, (int)i);
    }
    str_putc(s, '\n');
}

static void
bond_show(struct unixctl_conn *conn, int argc, const char *argv[], void *all_)
{
    struct ofprotos *all = all_;
    struct str s = STR_INIT;
    struct found found;

    if (argc > 1) {
        if (!find_bond(conn, all, argv[1], &found)) {
            return;
        }
        put_bond(&s, found.b);
    } else {
        FOREACH_BOND(p, b, all)
        {
            put_bond(&s, b);
        }
    }
    unixctl_reply(conn, str_cstr(&s));
    str_free(&s);
}

/* --- changes ------------------------------------------------------------------------------------
 */

static void
set_active(struct unixctl_conn *conn, int argc, const char *argv[], void *all_)
{
    struct ofprotos *all = all_;
    struct found found;

    (void)argc;
    if (!find_bond(conn, all, argv[1], &found) || !find_member(conn, argv[2], &found)) {
        return;
    }
    if (!found.member->enabled) {
        unixctl_reply_error(conn, "cannot make disabled member active");
    } else if (found.member - found.b->state->members == found.b->state->active) {
        unixctl_reply(conn, "no change");
    } else {
        bond_log_all(found.b->state);
        bond_set_active(found.p, found.b, found.member);
        all->bonds_dirty = true;
        unixctl_reply(conn, "done");
    }
}

static void
set_enabled(struct unixctl_conn *conn, const char *argv[], struct ofprotos *all, bool enabled)
{
    struct found found;

    if (find_bond(conn, all, argv[1], &found) && find_member(conn, argv[2], &found)) {
        bond_log_all(found.b->state);
        bond_set_enabled(found.p, found.b, found.member, enabled);
        all->bonds_dirty = true;
        unixctl_reply(conn, enabled ? "enabled" : "disabled");
    }
}

static void
enable_member(struct unixctl_conn *conn, int argc, const char *argv[], void *all)
{
    (void)argc;
    set_enabled(conn, argv, all, true);
}

static void
disable_member(struct unixctl_conn *conn, int argc, const char *argv[], void *all)
{
    (void)argc;
    set_enabled(conn, argv, all, false);
}

static void
migrate(struct unixctl_conn *conn, int argc, const char *argv[], void *all_)
{
    struct ofprotos *all = all_;
    struct found found;
    unsigned bucket;

    (void)argc;
    if (!find_bond(conn, all, argv[1], &found)) {
        return;
    }
    if (found.b->bond.mode != OFPROTO_BOND_SLB) {
        unixctl_reply_error(conn, "not an SLB bond");
        return;
    }
    if (!str_to_uint(argv[2], 10, &bucket)) {
        unixctl_reply_error(conn, "bad hash");
        return;
    }
    if (!find_member(conn, argv[3], &found)) {
        return;
    }
    if (!found.member->enabled) {
        unixctl_reply_error(conn, "cannot migrate to disabled member");
        return;
    }
    found.b->state->bucket[bucket % BOND_BUCKETS] =
        (uint8_t)(found.member - found.b->state->members);
    ofproto_view_changed(found.p);
    ofproto_commit(found.p);
    unixctl_reply(conn, "migrated");
}

/* Bytes of one digit, too. */
static bool
parse_mac(const char *text, struct rte_ether_addr *mac)
{
    uint8_t *b = mac->addr_bytes;
    int n = 0;

    return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &b[0], &b[1], &b[2], &b[3], &b[4],
                  &b[5], &n) == 6 &&
           !text[n];
}

/* bond/hash MAC [VLAN] [BASIS]: the bucket. */
static void
hash(struct unixctl_conn *conn, int argc, const char *argv[], void *all)
{
    struct rte_ether_addr mac;
    unsigned vlan = 0, basis = 0;
    char text[16];

    (void)all;
    if (argc > 2 && !str_to_uint(argv[2], 10, &vlan)) {
        unixctl_reply_error(conn, "invalid vlan");
    } else if (argc > 3 && !str_to_uint(argv[3], 10, &basis)) {
        unixctl_reply_error(conn, "invalid basis");
    } else if (!parse_mac(argv[1], &mac)) {
        unixctl_reply_error(conn, "invalid mac");
    } else {
        snprintf(text, sizeof text, "%u", bond_hash_mac(mac, (uint16_t)vlan, basis) % BOND_BUCKETS);
        unixctl_reply(conn, text);
    }
}

void
bond_ctl_init(struct ofprotos *all)
{
    static const char member_usage[] = "port member";
    static const struct {
        const char *name, *old_name; /* the older one is not listed */
        unixctl_fn *fn;
    } member_commands[] = {
        {"bond/set-active-member", "bond/set-active-slave", set_active},
        {"bond/enable-member", "bond/enable-slave", enable_member},
        {"bond/disable-member", "bond/disable-slave", disable_member},
    };

    unixctl_register("bond/list", "", 0, 0, bond_list, all);
    unixctl_register("bond/show", "[port]", 0, 1, bond_show, all);
    unixctl_register("bond/migrate", "port hash member", 3, 3, migrate, all);
    unixctl_register("bond/hash", "mac [vlan] [basis]", 1, 3, hash, all);
    for (size_t i = 0; i < ARRAY_SIZE(member_commands); i++) {
        unixctl_register(member_commands[i].name, member_usage, 2, 2, member_commands[i].fn, all);
        unixctl_register(member_commands[i].old_name, NULL, 2, 2, member_commands[i].fn, all);
    }
}
