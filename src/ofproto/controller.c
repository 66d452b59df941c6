// SPDX-License-Identifier: Apache-2.0
/*
 * controller.c - one configured target of a bridge: an active one that is kept connected, or a
 * passive one on which any number of peers may connect.
 *
 * Main thread.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ofproto/ofconn.h"

LOG_MODULE(connmgr);

#define OFP_PORT 6653
#define DEFAULT_PROBE_MS 5000
#define PASSIVE_PROBE_MS 60000
#define MIN_BACKOFF_MS 1000
#define DEFAULT_MAX_BACKOFF_MS 8000

struct controller {
    struct connmgr *mgr;
    struct ofproto *ofproto;
    struct ofproto_controller_cfg cfg; /* strings are ours */
    uint32_t versions;
    struct reconnect *rc;      /* active */
    struct listener *listener; /* passive */
    struct ofconn *conn;       /* active: the connection while there is one */
    size_t n_peers;            /* passive */
    char *error;               /* the target cannot be used */
};

/* Of a kind that the switch connects to, whether the rest of it makes sense or not: an address that
 * is mistyped does not make the bridge one without a controller. */
static bool
is_active_kind(const char *target)
{
    return !strncmp(target, "tcp:", 4) || !strncmp(target, "ssl:", 4) ||
           !strncmp(target, "unix:", 5);
}

int
controller_probe_ms(const struct controller *ctl)
{
    if (ctl->cfg.inactivity_probe_ms >= 0) {
        return ctl->cfg.inactivity_probe_ms;
    }
    return is_active_kind(ctl->cfg.target) ? DEFAULT_PROBE_MS : PASSIVE_PROBE_MS;
}

bool
controller_cfg_is_primary(const struct ofproto_controller_cfg *cfg)
{
    return cfg->type ? !strcmp(cfg->type, "primary") : is_active_kind(cfg->target);
}

bool
controller_is_primary(const struct controller *ctl)
{
    return controller_cfg_is_primary(&ctl->cfg);
}

/* What the configuration says, on a connection that there is. */
static void
apply_settings(struct ofconn *c)
{
    const struct controller *ctl = c->controller;

    c->is_primary = controller_is_primary(ctl);
    c->probe_ms = controller_probe_ms(ctl);
    if (c->version && !c->async_is_set && c->async_enabled != ctl->cfg.enable_async_messages) {
        c->async = (struct ofp_async_config){0};
        if (ctl->cfg.enable_async_messages) {
            ofp_async_config_init(&c->async, (enum ofp_version)c->version);
        }
    }
    c->async_enabled = ctl->cfg.enable_async_messages;
    ofconn_set_rate_limit(c, ctl->cfg.rate_limit, ctl->cfg.burst_limit);
}

static int64_t
max_backoff_ms(const struct ofproto_controller_cfg *cfg)
{
    return cfg->max_backoff_ms ? MAX(cfg->max_backoff_ms, MIN_BACKOFF_MS) : DEFAULT_MAX_BACKOFF_MS;
}

static struct ofconn *
connect_conn(struct controller *ctl, struct stream *stream)
{
    struct ofconn *c = ofconn_create(&(struct ofconn_cfg){
        .ofproto = ctl->ofproto,
        .mgr = ctl->mgr,
        .controller = ctl,
        .stream = stream,
        .is_active = ctl->rc != NULL,
        .is_primary = controller_is_primary(ctl),
        .probe_ms = controller_probe_ms(ctl),
        .versions = ctl->versions,
    });

    apply_settings(c);
    stream_set_dscp(stream, ctl->cfg.dscp);
    return c;
}

/* --- active
 * --------------------------------------------------------------------------------------------------
 */

static void
active_open(struct stream *stream, void *ctl_)
{
    struct controller *ctl = ctl_;

    log_info("%s<->%s: connected", ofproto_name(ctl->ofproto), ctl->cfg.target);
    ctl->conn = connect_conn(ctl, stream);
}

static void
active_read(struct stream *stream, void *ctl_)
{
    struct controller *ctl = ctl_;

    (void)stream;
    if (ctl->conn) {
        ofconn_process(ctl->conn);
    }
}

static void
active_closed(struct stream *stream, int error, const char *reason, void *ctl_)
{
    static struct log_rate rl = LOG_RATE_INIT(10, 10);
    struct controller *ctl = ctl_;

    (void)stream;
    (void)error;
    if (!ctl->conn) {
        log_warn_rl(&rl, "%s<->%s: connection failed (%s)", ofproto_name(ctl->ofproto),
                    ctl->cfg.target, reason);
    } else {
        log_info("%s<->%s: connection dropped (%s)", ofproto_name(ctl->ofproto), ctl->cfg.target,
                 reason);
        ofconn_destroy(ctl->conn);
        ctl->conn = NULL;
    }
}

static void
active_drained(struct stream *stream, void *ctl_)
{
    struct controller *ctl = ctl_;

    (void)stream;
    if (ctl->conn) {
        ofconn_drained(ctl->conn);
    }
}

static const struct stream_callbacks active_callbacks = {
    .on_open = active_open,
    .on_read = active_read,
    .on_closed = active_closed,
    .on_drained = active_drained,
};

/* --- passive
 * -------------------------------------------------------------------------------------------------
 */

static void
peer_read(struct stream *stream, void *c)
{
    (void)stream;
    ofconn_process(c);
}

static void
peer_closed(struct stream *stream, int error, const char *reason, void *c_)
{
    struct ofconn *c = c_;

    (void)stream;
    (void)error;
    (void)reason;
    if (c->controller) {
        c->controller->n_peers--;
    }
    ofconn_destroy(c);
}

static void
peer_drained(struct stream *stream, void *c)
{
    (void)stream;
    ofconn_drained(c);
}

const struct stream_callbacks ofconn_peer_callbacks = {
    .on_read = peer_read,
    .on_closed = peer_closed,
    .on_drained = peer_drained,
};

static void
accepted(struct listener *listener, struct stream *stream, void *ctl_)
{
    struct controller *ctl = ctl_;
    struct ofconn *c;

    (void)listener;
    ctl->n_peers++;
    c = connect_conn(ctl, stream);
    stream_set_callbacks(stream, &ofconn_peer_callbacks, c);
}

/* --- life
 * ----------------------------------------------------------------------------------------------------
 */

struct controller *
controller_create(struct connmgr *mgr, struct ofproto *ofproto,
                  const struct ofproto_controller_cfg *cfg, uint32_t versions,
                  struct tls_config *tls)
{
    struct controller *ctl = xzalloc(sizeof *ctl);

    ctl->mgr = mgr;
    ctl->ofproto = ofproto;
    ctl->cfg = *cfg;
    ctl->cfg.target = xstrdup(cfg->target);
    ctl->cfg.type = xstrdup_null(cfg->type);
    ctl->versions = versions;
    if (stream_name_is_active(cfg->target)) {
        struct reconnect_settings settings = {
            .name = cfg->target,
            .default_port = OFP_PORT,
            .tls = tls,
            .min_backoff_ms = MIN_BACKOFF_MS,
            .max_backoff_ms = max_backoff_ms(cfg),
        };
        ctl->rc = reconnect_create(ofproto->all->loop, &settings, &active_callbacks, ctl);
    } else if (listener_open(ofproto->all->loop, cfg->target, OFP_PORT, tls, accepted, ctl,
                             &ctl->listener, &ctl->error)) {
        log_err("%s: %s", ofproto_name(ofproto), ctl->error);
    }
    return ctl;
}

void
controller_destroy(struct controller *ctl)
{
    if (!ctl) {
        return;
    }
    ofconn_destroy(ctl->conn);
    reconnect_destroy(ctl->rc);
    listener_close(ctl->listener);
    free((char *)(uintptr_t)ctl->cfg.target);
    free((char *)(uintptr_t)ctl->cfg.type);
    free(ctl->error);
    free(ctl);
}

static bool
strings_equal(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

bool
controller_reconfigure(struct controller *ctl, const struct ofproto_controller_cfg *cfg)
{
    struct ofproto_controller_cfg *o = &ctl->cfg;

    if (strcmp(o->target, cfg->target) || o->dscp != cfg->dscp) {
        return false;
    }
    if (!strings_equal(o->type, cfg->type)) {
        free((char *)(uintptr_t)o->type);
        o->type = xstrdup_null(cfg->type);
    }
    if (ctl->rc && o->max_backoff_ms != cfg->max_backoff_ms) {
        reconnect_set_backoff(ctl->rc, MIN_BACKOFF_MS, max_backoff_ms(cfg));
    }
    o->max_backoff_ms = cfg->max_backoff_ms;
    o->inactivity_probe_ms = cfg->inactivity_probe_ms;
    o->band = cfg->band;
    o->enable_async_messages = cfg->enable_async_messages;
    o->rate_limit = cfg->rate_limit;
    o->burst_limit = cfg->burst_limit;
    o->queue_size = cfg->queue_size;
    connmgr_for_each_of(ctl->mgr, ctl, apply_settings);
    return true;
}

void
controller_lost(struct controller *ctl, struct ofconn *c)
{
    if (ctl->conn == c) {
        ctl->conn = NULL;
    }
    ofconn_destroy(c);
    if (ctl->rc) {
        reconnect_force(ctl->rc, false);
    }
}

void
controller_reconnect(struct controller *ctl)
{
    if (ctl->rc) {
        ofconn_destroy(ctl->conn);
        ctl->conn = NULL;
        reconnect_force(ctl->rc, true);
    }
}

bool
controller_is_admitted(const struct controller *ctl)
{
    return ctl->rc ? ctl->conn && ofconn_is_admitted(ctl->conn) : ctl->n_peers > 0;
}

bool
controller_is_connected(const struct controller *ctl)
{
    return ctl->rc ? ctl->conn && ctl->conn->version : ctl->n_peers > 0;
}

void
controller_get_status(const struct controller *ctl, struct ofproto_controller_status *s)
{
    static const char *const roles[] = {
        [OFPCR_ROLE_NOCHANGE] = "other",
        [OFPCR_ROLE_EQUAL] = "other",
        [OFPCR_ROLE_PRIMARY] = "master",
        [OFPCR_ROLE_SECONDARY] = "slave",
    };

    *s = (struct ofproto_controller_status){
        .target = ctl->cfg.target,
        .is_connected = controller_is_connected(ctl),
        /* Of a passive one there may be several connections, each with a role of its own. */
        .role = ctl->conn ? roles[ctl->conn->role] : NULL,
        .state = ctl->rc         ? reconnect_state(ctl->rc)
                 : ctl->listener ? NULL
                                 : "VOID",
        .secs_since_connect = ctl->rc ? reconnect_secs_since_connect(ctl->rc) : -1,
        .secs_since_disconnect = ctl->rc ? reconnect_secs_since_disconnect(ctl->rc) : -1,
        .last_error = ctl->rc ? reconnect_last_error(ctl->rc) : ctl->error,
    };
    for (int i = 0; ctl->conn && i < OFCONN_N_PINSCHEDS; i++) {
        const struct pinsched *ps = ctl->conn->pinsched[i];

        s->has_rate_limit = ps != NULL;
        if (ps) {
            pinsched_get_stats(ps, i ? &s->misses : &s->actions);
        }
    }
}

const struct ofproto_controller_cfg *
controller_cfg(const struct controller *ctl)
{
    return &ctl->cfg;
}
