// SPDX-License-Identifier: Apache-2.0
/*
 * slowpath.c - life and settings of the slow path.  Main thread.
 */
#include "slowpath/slowpath.h"

#include "flow/extract.h"

#include <unistd.h>

#include "base/limits_report.h"
#include "base/log.h"
#include "base/memory_report.h"
#include "base/smap.h"
#include "base/util.h"
#include "ofproto/frozen.h"
#include "rpc/unixctl.h"
#include "slowpath/slowpath_int.h"

LOG_MODULE(ofproto_dpif_upcall);

enum {
    MAX_IDLE_MS = 10000,
    MAX_REVALIDATOR_MS = 500,
    MIN_REVALIDATE_PPS = 5,
    FLOW_LIMIT = 200000,
};

static void
destroyed(void *slowpath_, struct ofproto *ofproto)
{
    (void)ofproto;
    revalidators_request(slowpath_, PASS_WALK);
}

static const struct ofproto_hooks hooks = {
    .sync = sync_follow,
    .is_synced = sync_try,
    .packet_out = packet_out_execute,
    .changed = sync_changed,
    .refresh_stats = sync_request,
    .destroyed = destroyed,
};

static int
bounded(int value, int min, int max)
{
    return value < min ? min : value > max ? max : value;
}

/* As the documentation of other_config has it: by the number of cores, at least one of each. */
static void
default_threads(unsigned *n_handlers, unsigned *n_revalidators)
{
    long n_cores = sysconf(_SC_NPROCESSORS_ONLN);

    *n_revalidators = (unsigned)bounded((int)(n_cores / 4 + 1), 1, SLOWPATH_MAX_REVALIDATORS);
    *n_handlers = (unsigned)bounded((int)(n_cores / 2), 1, 4);
}

static void
set_threads(struct slowpath *sp, unsigned n_handlers, unsigned n_revalidators)
{
    if (n_handlers == sp->n_handlers && n_revalidators == sp->n_revalidators) {
        return;
    }
    log_info("Setting n-handler-threads to %u, setting n-revalidator-threads to %u", n_handlers,
             n_revalidators);
    if (sp->n_revalidators) {
        handlers_stop(sp);
        revalidators_stop(sp);
    }
    log_info("Starting %u threads", n_handlers + n_revalidators);
    handlers_start(sp, n_handlers);
    revalidators_start(sp, n_revalidators);
}

static void
nothing_to_tell(void *aux)
{
    (void)aux;
}

void
slowpath_set_config(struct slowpath *sp, const struct smap *c)
{
    struct slowpath_settings *s = &sp->settings;
    unsigned n_handlers, n_revalidators;
    int n;

    atomic_store(&s->max_idle_ms,
                 bounded(smap_get_int(c, "max-idle", MAX_IDLE_MS), 500, INT32_MAX));
    atomic_store(&s->max_revalidator_ms,
                 bounded(smap_get_int(c, "max-revalidator", MAX_REVALIDATOR_MS), 100, 60000));
    atomic_store(&s->min_revalidate_pps,
                 bounded(smap_get_int(c, "min-revalidate-pps", MIN_REVALIDATE_PPS), 0, 1 << 20));
    n = bounded(smap_get_int(c, "flow-limit", FLOW_LIMIT), 1000, 1 << 24);
    if ((uint64_t)n != atomic_load(&s->flow_limit)) {
        atomic_store(&s->flow_limit, (uint64_t)n);
        dp_set_flow_limit(sp->dp, (size_t)n);
    }
    if (extract_set_vlan_limit(smap_get_int(c, "vlan-limit", 1)) && sp->n_revalidators) {
        /* Keys of packets with more tags are made differently from now on: nothing must be left
         * that was installed for the other kind. */
        sync_purge(sp, nothing_to_tell, NULL);
    }
    default_threads(&n_handlers, &n_revalidators);
    n = smap_get_int(c, "n-handler-threads", 0);
    if (n > 0) {
        n_handlers = (unsigned)bounded(n, 1, SLOWPATH_MAX_HANDLERS);
    }
    n = smap_get_int(c, "n-revalidator-threads", 0);
    if (n > 0) {
        n_revalidators = (unsigned)bounded(n, 1, SLOWPATH_MAX_REVALIDATORS);
    }
    set_threads(sp, n_handlers, n_revalidators);
}

/* The counts of memory/show that are the slow path's. */
static void
report_memory(struct memory_report *report, void *slowpath_)
{
    const struct slowpath *sp = slowpath_;
    uint32_t n_frozen = frozens_use(ofprotos_frozens(sp->ofprotos)).now;

    memory_report_add(report, "handlers", sp->n_handlers);
    memory_report_add(report, "revalidators", sp->n_revalidators);
    memory_report_add(report, "rules", ofprotos_n_rules(sp->ofprotos));
    memory_report_add(report, "udpif keys", dp_n_flows(sp->dp));
    if (n_frozen) {
        memory_report_add(report, "recirculations", n_frozen);
    }
}

struct slowpath *
slowpath_create(struct loop *loop, struct ofprotos *ofprotos)
{
    struct slowpath *sp = xzalloc(sizeof *sp);
    pthread_condattr_t attr;

    sp->loop = loop;
    sp->ofprotos = ofprotos;
    sp->index = flow_index_create();
    atomic_store(&sp->settings.megaflows, true);
    atomic_store(&sp->settings.ufid, true);
    pthread_mutex_init(&sp->lock, NULL);
    pthread_mutex_init(&sp->pass_lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&sp->wanted, &attr);
    pthread_condattr_destroy(&attr);
    slowpath_ctl_init(sp);
    dpif_ctl_init(sp);
    return sp;
}

void
slowpath_start(struct slowpath *sp, struct dp *dp, const struct smap *other_config)
{
    sp->dp = dp;
    ofprotos_set_hooks(sp->ofprotos, &hooks, sp);
    dp_set_flow_expel(dp, revalidator_expel, sp);
    dp_set_flow_adopt(dp, ukey_adopt, sp);
    slowpath_set_config(sp, other_config);
    memory_report_register(report_memory, sp);
    limits_register(slowpath_put_limits, sp);
}

/* Deletes what the revalidators left, with nobody else at work. */
static bool
delete_flow(struct dp *dp, struct dp_flow *flow, void *aux)
{
    struct slowpath *sp = aux;
    struct ukey *ukey = dp_flow_aux(flow);
    struct dp_flow_stats stats;

    dp_flow_set_aux(flow, NULL);
    dp_flow_del(dp, flow, &stats);
    if (ukey) {
        flow_index_remove(sp->index, ukey);
        ukey_destroy(ukey);
    }
    return true;
}

void
slowpath_stop(struct slowpath *sp)
{
    if (!sp || !sp->dp) {
        return;
    }
    ofprotos_set_hooks(sp->ofprotos, &(struct ofproto_hooks){0}, NULL);
    memory_report_unregister(report_memory, sp);
    limits_unregister(slowpath_put_limits, sp);
    dp_set_flow_expel(sp->dp, NULL, NULL);
    dp_set_flow_adopt(sp->dp, NULL, NULL);
    handlers_stop(sp);
    revalidators_stop(sp);
    sync_drop(sp);
    dp_flow_walk(sp->dp, 0, 1, delete_flow, sp);
    sp->dp = NULL;
}

void
slowpath_destroy(struct slowpath *sp)
{
    if (!sp) {
        return;
    }
    unixctl_unregister_aux(sp);
    slowpath_stop(sp);
    flow_index_destroy(sp->index);
    pthread_cond_destroy(&sp->wanted);
    pthread_mutex_destroy(&sp->pass_lock);
    pthread_mutex_destroy(&sp->lock);
    free(sp);
}

void
slowpath_capabilities(const struct slowpath *sp,
                      void (*fn)(const char *name, const char *value, void *aux), void *aux)
{
    features_capabilities(&sp->features, fn, aux);
}
