// SPDX-License-Identifier: Apache-2.0
/*
 * xlate_fixture.h - bridges with dummy ports and no datapath, for tests of translation: add ports,
 * bundles and flows, translate a flow, look at the actions as text.
 */
#ifndef XLATE_FIXTURE_H
#define XLATE_FIXTURE_H 1

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/rcu.h"
#include "base/util.h"
#include "flow/match.h"
#include "netdev/netdev.h"
#include "ofproto/ofproto_priv.h"
#include "ofproto/trace.h"
#include "ofproto/xlate.h"
#include "openflow/ofp_text.h"

enum { FX_MAX_PORTS = 64 };

struct fx {
    struct loop *loop;
    struct ofprotos *all;
    struct netdev *netdevs[FX_MAX_PORTS];
    size_t n_netdevs;
};

/* One run directory for all tests of the program, for the bridges' sockets. */
static char fx_rundir[32] = "/tmp/xlate_test_XXXXXX";

static inline int
fx_group_setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(fx_rundir));
    setenv("OVS_RUNDIR", fx_rundir, 1);
    free(log_set_spec("any:console:off"));
    return 0;
}

static inline int
fx_group_teardown(void **state)
{
    char cmd[64];

    (void)state;
    snprintf(cmd, sizeof cmd, "rm -rf %s", fx_rundir);
    return system(cmd);
}

static inline void
fx_init(struct fx *fx)
{
    memset(fx, 0, sizeof *fx);
    rcu_init(16);
    rcu_thread_register();
    fx->loop = loop_create("test");
    netdev_init(fx->loop);
    netdev_enable_dummy(NETDEV_DUMMY_OVERRIDE_ALL);
    fx->all = ofprotos_create(fx->loop, NULL);
}

static inline void
fx_fini(struct fx *fx)
{
    struct ofproto *p;

    while ((p = ofprotos_first(fx->all))) {
        ofproto_destroy(p);
    }
    ofprotos_destroy(fx->all);
    rcu_synchronize();
    for (size_t i = 0; i < fx->n_netdevs; i++) {
        netdev_close(fx->netdevs[i]);
    }
    netdev_fini();
    loop_destroy(fx->loop);
    rcu_thread_unregister();
    rcu_fini();
}

static inline struct ofproto *
fx_bridge(struct fx *fx, const char *name)
{
    const struct ofproto_cfg cfg = {
        .fail_mode = OFPROTO_FAIL_SECURE,
        .mac = {{0xaa, 0x55, 0xaa, 0x55, 0, 1}},
        .mac_aging_s = 300,
        .mac_table_size = 8192,
        .vlan_limit = 1,
    };
    struct ofproto *p;
    char *error = NULL;

    assert_int_equal(ofproto_create(fx->all, name, &p, &error), 0);
    ofproto_configure(p, &cfg);
    ofproto_commit(p);
    return p;
}

/* A port, and a bundle of the same name with it as the only member.  'peer' makes it a patch port.
 */
static inline ofp_port_t
fx_port(struct fx *fx, struct ofproto *p, const char *name, odp_port_t odp, const char *peer,
        const struct ofproto_bundle_cfg *bundle)
{
    struct ofproto_bundle_cfg b =
        bundle ? *bundle : (struct ofproto_bundle_cfg){.vlan_mode = OFPROTO_VLAN_TRUNK, .tag = -1};
    struct ofproto_port_cfg cfg = {.name = name, .odp_port = odp, .patch_peer = peer};
    char *error = NULL;
    ofp_port_t ofp;

    assert_true(fx->n_netdevs < FX_MAX_PORTS);
    cfg.netdev = netdev_open(name, peer ? "patch" : "dummy", &error);
    assert_non_null(cfg.netdev);
    fx->netdevs[fx->n_netdevs++] = cfg.netdev;
    assert_int_equal(ofproto_port_add(p, &cfg, &ofp, &error), 0);
    b.name = name;
    b.members = &ofp;
    b.n_members = 1;
    ofproto_bundle_set(p, &b);
    ofproto_commit(p);
    return ofp;
}

/* Begins with bridge "br0" and its ports "p1", "p2"... of the same numbers. */
static inline struct ofproto *
fx_start(struct fx *fx, unsigned n_ports)
{
    struct ofproto *br0;

    fx_init(fx);
    br0 = fx_bridge(fx, "br0");
    for (unsigned i = 1; i <= n_ports; i++) {
        char name[16];

        snprintf(name, sizeof name, "p%u", i);
        assert_int_equal(fx_port(fx, br0, name, i, NULL, NULL), i);
    }
    return br0;
}

/* Takes the actions. */
static inline void
fx_flow_acts(struct ofproto *p, uint8_t table_id, const char *match_text, uint16_t priority,
             struct ofpacts *acts)
{
    struct ofp_flow_mod fm = {
        .command = OFPFC_ADD,
        .table_id = table_id,
        .priority = priority,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_NONE,
        .out_group = UINT32_MAX,
        .actions = *acts,
    };
    char *error = match_parse(&fm.match, match_text, NULL, NULL);

    if (error) {
        fail_msg("%s: %s", match_text, error);
    }
    assert_int_equal(flow_mod_run(p, &fm), 0);
    ofp_flow_mod_fini(&fm);
    *acts = (struct ofpacts){0};
}

/* As if by ovs-ofctl; 'command': OFPFC_*. */
static inline void
fx_flow_mod(struct ofproto *p, const char *text, int command)
{
    struct ofp_flow_mod fm;
    char *error = ofp_flow_mod_parse(text, command, NULL, &fm);

    if (error) {
        fail_msg("%s: %s", text, error);
    }
    assert_int_equal(flow_mod_run(p, &fm), 0);
    ofp_flow_mod_fini(&fm);
}

static inline void
fx_output(struct ofpacts *acts, uint16_t port)
{
    ofpacts_put_struct(acts, OUTPUT, struct ofpact_output)->port = port;
}

static inline void
fx_resubmit(struct ofpacts *acts, uint8_t table_id)
{
    struct ofpact_resubmit *r = ofpacts_put_struct(acts, RESUBMIT, struct ofpact_resubmit);

    r->port = OFPP_IN_PORT;
    r->table_id = table_id;
}

static inline struct flow
fx_flow_of(const char *text)
{
    struct match match;
    char *error = match_parse(&match, text, NULL, NULL);

    if (error) {
        fail_msg("%s: %s", text, error);
    }
    for (int i = 0; i < FLOW_MAX_VLANS; i++) {
        if (match.flow.vlans[i].tci) {
            match.flow.vlans[i].tpid = htons(ETH_TYPE_VLAN);
        }
    }
    return match.flow;
}

/* Translates 'flow' as from datapath port 'odp'. */
static inline void
fx_xlate(struct fx *fx, odp_port_t odp, struct flow *flow, bool side_effects, struct xlate_out *out)
{
    const struct xlate_in in = {
        .ofprotos = fx->all,
        .flow = flow,
        .side_effects = side_effects,
        .n_packets = side_effects ? 1 : 0,
        .n_bytes = side_effects ? 100 : 0,
        .want_cache = true,
    };

    flow->in_port = odp;
    flow->ofp_in_port = 0;
    xlate(&in, out);
}

/* The actions of a packet as new text. */
static inline char *
fx_actions(struct fx *fx, odp_port_t odp, const char *flow_text, bool side_effects)
{
    struct flow flow = fx_flow_of(flow_text);
    struct xlate_out out;
    struct text t = {0};

    fx_xlate(fx, odp, &flow, side_effects, &out);
    dp_actions_format(out.actions.data, out.actions.size, NULL, &t);
    xlate_out_fini(&out);
    return text_steal(&t);
}

static inline void
fx_expect(struct fx *fx, odp_port_t odp, const char *flow_text, bool side_effects,
          const char *expected)
{
    char *got = fx_actions(fx, odp, flow_text, side_effects);

    assert_string_equal(got, expected);
    free(got);
}

#endif
