// SPDX-License-Identifier: Apache-2.0
/*
 * connmgr.c - a bridge's connections as a whole: BR.mgmt and BR.snoop, the configured controllers,
 * roles, and what happens without controllers (fail_mode).  connmgr_tell.c has who is told what.
 *
 * Main thread.
 */
#include <stdlib.h>

#include <event2/buffer.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/log.h"
#include "ofproto/connmgr_int.h"

LOG_MODULE(connmgr);

#define SERVICE_PROBE_MS 60000
#define UNPROBED_PATIENCE_MS 1000
/* Above all of OpenFlow's priorities: hidden. */
#define FAIL_OPEN_PRIORITY 0xf0f0f0

struct snoop {
    struct snoop *next;
    struct connmgr *mgr;
    struct stream *stream;
};

struct connmgr *
connmgr_create(struct ofproto *ofproto)
{
    struct connmgr *mgr = xzalloc(sizeof *mgr);

    mgr->ofproto = ofproto;
    mgr->versions = OFP_VERSIONS_ALL;
    mgr->generation = UINT64_MAX;
    mgr->in_band = in_band_create();
    return mgr;
}

static void
snoop_close(struct snoop *s)
{
    struct snoop **link = &s->mgr->snoops;

    while (*link != s) {
        link = &(*link)->next;
    }
    *link = s->next;
    stream_close(s->stream);
    free(s);
}

void
connmgr_disconnect(struct connmgr *mgr)
{
    for (size_t i = 0; i < mgr->n_controllers; i++) {
        controller_destroy(mgr->controllers[i]);
    }
    free(mgr->controllers);
    listener_close(mgr->mgmt);
    listener_close(mgr->snoop_listener);
    while (mgr->conns) {
        ofconn_destroy(mgr->conns);
    }
    while (mgr->snoops) {
        snoop_close(mgr->snoops);
    }
    mgr->controllers = NULL;
    mgr->n_controllers = 0;
    mgr->mgmt = mgr->snoop_listener = NULL;
    mgr->is_closed = true;
}

void
connmgr_destroy(struct connmgr *mgr)
{
    if (!mgr) {
        return;
    }
    connmgr_disconnect(mgr);
    tls_config_unref(mgr->tls);
    in_band_destroy(mgr->in_band);
    free(mgr);
}

/* --- service sockets
 * ------------------------------------------------------------------------------------- */

static void
mgmt_accepted(struct listener *listener, struct stream *stream, void *mgr_)
{
    struct connmgr *mgr = mgr_;
    struct ofconn *c = ofconn_create(&(struct ofconn_cfg){
        .ofproto = mgr->ofproto,
        .mgr = mgr,
        .stream = stream,
        .probe_ms = SERVICE_PROBE_MS,
        .versions = mgr->versions,
    });

    (void)listener;
    stream_set_callbacks(stream, &ofconn_peer_callbacks, c);
}

static void
snoop_read(struct stream *stream, void *snoop)
{
    struct evbuffer *in = stream_input(stream);

    (void)snoop;
    evbuffer_drain(in, evbuffer_get_length(in)); /* It only listens. */
}

static void
snoop_closed(struct stream *stream, int error, const char *reason, void *snoop)
{
    (void)stream;
    (void)error;
    (void)reason;
    snoop_close(snoop);
}

static const struct stream_callbacks snoop_callbacks = {
    .on_read = snoop_read,
    .on_closed = snoop_closed,
};

static void
snoop_accepted(struct listener *listener, struct stream *stream, void *mgr_)
{
    struct connmgr *mgr = mgr_;
    struct snoop *s = xzalloc(sizeof *s);
    struct wr hello = {0};

    (void)listener;
    s->mgr = mgr;
    s->stream = stream;
    s->next = mgr->snoops;
    mgr->snoops = s;
    stream_set_backlog_limit(stream, (size_t)1 << 20);
    stream_set_callbacks(stream, &snoop_callbacks, s);
    ofp_hello_encode(mgr->versions, 1, &hello);
    stream_send(stream, hello.data, hello.size);
    wr_fini(&hello);
}

void
connmgr_snoop(struct connmgr *mgr, const void *data, size_t size)
{
    for (struct snoop *s = mgr->snoops; s; s = s->next) {
        stream_send(s->stream, data, size);
    }
}

static void
open_service(struct connmgr *mgr, const char *suffix, listener_fn *fn, struct listener **listener)
{
    char *name, *error = NULL;

    if (*listener) {
        return;
    }
    name = xasprintf("punix:%s/%s.%s", dirs_run(), mgr->ofproto->name, suffix);
    if (listener_open(mgr->ofproto->all->loop, name, 0, NULL, fn, mgr, listener, &error)) {
        log_err("%s: failed to listen on %s: %s", mgr->ofproto->name, name, error);
        *listener = NULL;
        free(error);
    }
    free(name);
}

/* --- connections
 * ------------------------------------------------------------------------------------------- */

void
connmgr_attach(struct connmgr *mgr, struct ofconn *c)
{
    c->next = mgr->conns;
    mgr->conns = c;
}

void
connmgr_detach(struct connmgr *mgr, struct ofconn *c)
{
    struct ofconn **link = &mgr->conns;

    while (*link && *link != c) {
        link = &(*link)->next;
    }
    if (*link) {
        *link = c->next;
    }
    if (mgr->ofproto->connmgr) {
        connmgr_miss_changed(mgr);
    }
}

bool
connmgr_wants_miss(const struct connmgr *mgr)
{
    for (const struct ofconn *c = mgr->conns; c; c = c->next) {
        if (c->version && c->version < OFP13_VERSION && !c->controller_id &&
            ofconn_wants(c, OFP_ASYNC_PACKET_IN, OFPR_NO_MATCH)) {
            return true;
        }
    }
    return false;
}

void
connmgr_miss_changed(struct connmgr *mgr)
{
    bool wants = connmgr_wants_miss(mgr);

    if (wants != mgr->wants_miss) {
        mgr->wants_miss = wants;
        ofproto_view_changed(mgr->ofproto);
        ofproto_commit(mgr->ofproto);
    }
}

void
connmgr_demote_others(struct connmgr *mgr, struct ofconn *keep)
{
    for (struct ofconn *c = mgr->conns; c; c = c->next) {
        if (c != keep && c->role == OFPCR_ROLE_PRIMARY) {
            c->role = OFPCR_ROLE_SECONDARY;
            ofp_role_status_encode(c->role, mgr->generation, OFPCRR_PRIMARY_REQUEST,
                                   (enum ofp_version)c->version, &c->out);
            ofconn_flush(c);
        }
    }
}

enum ofperr
connmgr_check_generation(struct connmgr *mgr, uint64_t id)
{
    if (mgr->generation != UINT64_MAX && (int64_t)(id - mgr->generation) < 0) {
        return OFPERR_OFPRRFC_STALE;
    }
    mgr->generation = id;
    return OFPERR_OK;
}

uint64_t
connmgr_generation(const struct connmgr *mgr)
{
    return mgr->generation;
}

/* --- fail modes
 * ---------------------------------------------------------------------------------------------- */

/* Adds or removes a flow that says "switch like a plain bridge". */
static void
set_normal_flow(struct connmgr *mgr, int priority, bool present)
{
    struct ofproto *p = mgr->ofproto;
    struct ofpacts acts = {0};
    const struct cls_rule *old;
    struct flow_txn txn;
    struct match any;

    match_init_any(&any);
    old = cls_find_exactly(p->tables[0].cls, ofproto_version(p), &any, priority);
    flow_txn_begin(&txn, p);
    if (old) {
        flow_txn_remove(&txn, rule_from_cls(old), OFPRR_DELETE, true);
    }
    if (present) {
        ofpacts_put_struct(&acts, OUTPUT, struct ofpact_output)->port = OFPP_NORMAL;
        flow_txn_add(&txn, &(struct rule_new){
                               .priority = priority,
                               .match = &any,
                               .actions = rule_actions_get(p->all, ofpacts_data(&acts), acts.size),
                           });
    }
    flow_txn_commit(&txn);
    ofpacts_fini(&acts);
}

void
connmgr_flushed(struct connmgr *mgr)
{
    if (!mgr->has_controllers && mgr->ofproto->fail_mode == OFPROTO_FAIL_STANDALONE) {
        set_normal_flow(mgr, 0, true);
    }
    /* The flow of fail-open stays: it is above what can be flushed. */
}

/* Standalone bridges whose controllers are all away for three probe intervals switch by themselves.
 */
static void
run_fail_open(struct connmgr *mgr)
{
    int64_t now = clock_now_ms(), patience = 0;
    bool admitted = false, connected = false, governed = false, wanted;

    if (mgr->is_closed) {
        return;
    }
    for (size_t i = 0; i < mgr->n_controllers; i++) {
        const struct controller *ctl = mgr->controllers[i];

        if (controller_is_primary(ctl)) {
            governed = true;
            admitted = admitted || controller_is_admitted(ctl);
            connected = connected || controller_is_connected(ctl);
            patience = MAX(patience, INT64_C(3) * controller_probe_ms(ctl));
        }
    }
    /* Without probes nobody is waited for, but who is connected is there, and who is about to be
     * has a moment. */
    if (!patience) {
        patience = UNPROBED_PATIENCE_MS;
        admitted = admitted || connected;
    }
    if (admitted || !governed) {
        mgr->alone_since_ms = 0;
    } else if (!mgr->alone_since_ms) {
        mgr->alone_since_ms = now ? now : 1;
    }
    wanted = mgr->ofproto->fail_mode == OFPROTO_FAIL_STANDALONE && mgr->alone_since_ms &&
             now - mgr->alone_since_ms >= patience;
    if (wanted != mgr->is_fail_open) {
        mgr->is_fail_open = wanted;
        if (wanted) {
            log_warn("%s: could not connect to controller (or switch failed controller's "
                     "post-connection admission control policy) for %lld seconds, "
                     "failing open",
                     mgr->ofproto->name, (long long)((now - mgr->alone_since_ms) / 1000));
        } else {
            log_info("%s: no longer in fail-open mode", mgr->ofproto->name);
        }
        set_normal_flow(mgr, FAIL_OPEN_PRIORITY, wanted);
    }
}

/* --- configuration
 * -------------------------------------------------------------------------------------------- */

static struct controller *
take_controller(struct connmgr *mgr, const struct ofproto_controller_cfg *cfg)
{
    for (size_t i = 0; i < mgr->n_controllers; i++) {
        struct controller *ctl = mgr->controllers[i];

        if (ctl && controller_reconfigure(ctl, cfg)) {
            mgr->controllers[i] = NULL;
            return ctl;
        }
    }
    return NULL;
}

static void
configure_controllers(struct connmgr *mgr, const struct ofproto_cfg *cfg)
{
    /* While flows are being restored no controller may interfere. */
    size_t n = mgr->ofproto->all->flow_restore_wait ? 0 : cfg->n_controllers;
    struct controller **controllers = xcalloc(n + 1, sizeof *controllers);

    for (size_t i = 0; i < n; i++) {
        controllers[i] = take_controller(mgr, &cfg->controllers[i]);
    }
    for (size_t i = 0; i < mgr->n_controllers; i++) {
        controller_destroy(mgr->controllers[i]);
    }
    free(mgr->controllers);
    mgr->controllers = controllers;
    mgr->n_controllers = n;
    for (size_t i = 0; i < n; i++) {
        if (!controllers[i]) {
            controllers[i] =
                controller_create(mgr, mgr->ofproto, &cfg->controllers[i], mgr->versions, mgr->tls);
        }
    }
}

/* Everything connects anew when what all connections share changed. */
static void
drop_controllers(struct connmgr *mgr)
{
    for (size_t i = 0; i < mgr->n_controllers; i++) {
        controller_destroy(mgr->controllers[i]);
    }
    mgr->n_controllers = 0;
}

/* Those that only serve who asks (passive ones, for a start) do not govern the bridge. */
static bool
has_primary(const struct ofproto_cfg *cfg)
{
    for (size_t i = 0; i < cfg->n_controllers; i++) {
        if (controller_cfg_is_primary(&cfg->controllers[i])) {
            return true;
        }
    }
    return false;
}

void
connmgr_configure(struct connmgr *mgr, const struct ofproto_cfg *cfg)
{
    struct ofproto *p = mgr->ofproto;
    uint32_t versions = cfg->versions ? cfg->versions : OFP_VERSIONS_ALL;
    bool had = mgr->has_controllers, has = has_primary(cfg);
    bool flush = (had != has && mgr->is_configured) || (p->fail_mode != cfg->fail_mode && !has) ||
                 !mgr->is_configured;

    if (versions != mgr->versions || cfg->tls != mgr->tls) {
        drop_controllers(mgr);
        tls_config_unref(mgr->tls);
        mgr->tls = cfg->tls ? tls_config_ref(cfg->tls) : NULL;
        mgr->versions = versions;
    }
    in_band_configure(mgr->in_band, p, cfg);
    configure_controllers(mgr, cfg);
    mgr->queue_size = cfg->controller_queue_size;
    mgr->has_controllers = has;
    p->fail_mode = cfg->fail_mode;
    if (flush) {
        ofproto_flush(p);
    }
    connmgr_miss_changed(mgr);
    run_fail_open(mgr); /* Without controllers, or secure: it ends now. */
    open_service(mgr, "mgmt", mgmt_accepted, &mgr->mgmt);
    open_service(mgr, "snoop", snoop_accepted, &mgr->snoop_listener);
    mgr->is_configured = true;
    flow_journal_context(p, connmgr_context(mgr));
}

/* In one word what connmgr_configure() compares before it flushes. */
uint32_t
connmgr_context(const struct connmgr *mgr)
{
    return (uint32_t)mgr->ofproto->fail_mode << 1 | mgr->has_controllers;
}

bool
connmgr_context_flushes(const struct connmgr *mgr, uint32_t before)
{
    uint32_t now = connmgr_context(mgr);

    return (before & 1) != (now & 1) || (before != now && !(now & 1));
}

void
connmgr_run(struct connmgr *mgr)
{
    for (struct ofconn *c = mgr->conns, *next; c; c = next) {
        next = c->next;
        ofconn_run(c);
    }
    run_fail_open(mgr);
    if (!mgr->is_closed) {
        in_band_run(mgr->in_band, mgr->ofproto);
    }
}

bool
connmgr_is_in_band(const struct connmgr *mgr)
{
    return in_band_is_on(mgr->in_band);
}

void
connmgr_reconnect(struct connmgr *mgr)
{
    for (size_t i = 0; i < mgr->n_controllers; i++) {
        controller_reconnect(mgr->controllers[i]);
    }
}

void
connmgr_status(const struct connmgr *mgr,
               void (*cb)(const struct ofproto_controller_status *, void *aux), void *aux)
{
    for (size_t i = 0; i < mgr->n_controllers; i++) {
        struct ofproto_controller_status status;

        controller_get_status(mgr->controllers[i], &status);
        cb(&status, aux);
    }
}

unsigned
connmgr_queue_size(const struct connmgr *mgr, const struct controller *ctl)
{
    int size = ctl ? controller_cfg(ctl)->queue_size : 0;

    size = size > 0 ? size : mgr->queue_size > 0 ? mgr->queue_size : OFCONN_PIN_QUEUE;
    return (unsigned)MIN(size, (int)OFCONN_MAX_PIN_QUEUE);
}
