// SPDX-License-Identifier: Apache-2.0
/*
 * slowpath_ctl.c - the groups "upcall" and "revalidator" for ovs-appctl.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/limits_report.h"
#include "base/str.h"
#include "base/util.h"
#include "rpc/unixctl.h"
#include "slowpath/flow_index_int.h"
#include "slowpath/slowpath_int.h"

bool
slowpath_serves_bridges(const struct slowpath *sp)
{
    return sp->dp && ofprotos_first(sp->ofprotos);
}

static void
upcall_show(struct unixctl_conn *conn, int argc, const char *argv[], void *sp_)
{
    struct slowpath *sp = sp_;
    struct str s;

    (void)argc;
    (void)argv;
    if (!slowpath_serves_bridges(sp)) {
        unixctl_reply(conn, NULL);
        return;
    }
    str_init(&s);
    str_printf(&s, "%s@%s:\n", dp_type(sp->dp), dp_name(sp->dp));
    str_printf(&s,
               "  flows         : (current %zu) (avg %" PRIu64 ") (max %" PRIu64 ") (limit %zu)\n",
               dp_n_flows(sp->dp), atomic_load(&sp->avg_flows), atomic_load(&sp->max_flows),
               dp_flow_limit(sp->dp));
    str_printf(&s, "  dump duration : %" PRIu64 "ms\n", atomic_load(&sp->dump_duration_ms));
    str_printf(&s, "  ufid enabled : %s\n\n", atomic_load(&sp->settings.ufid) ? "true" : "false");
    for (unsigned i = 0; i < sp->n_revalidators; i++) {
        str_printf(&s, "  %u: (keys %" PRIu64 ")\n", sp->n_handlers + i,
                   atomic_load(&sp->revalidators[i].n_keys));
    }
    unixctl_reply(conn, str_cstr(&s));
    str_free(&s);
}

static void
set_bool(struct unixctl_conn *conn, struct slowpath *sp, _Atomic bool *flag, bool value,
         const char *text)
{
    atomic_store(flag, value);
    if (sp->dp) {
        revalidators_request(sp, flag == &sp->settings.megaflows ? PASS_PURGE : PASS_WALK);
    }
    unixctl_reply(conn, text);
}

static void
disable_megaflows(struct unixctl_conn *conn, int argc, const char *argv[], void *sp_)
{
    struct slowpath *sp = sp_;

    (void)argc;
    (void)argv;
    set_bool(conn, sp, &sp->settings.megaflows, false, "megaflows disabled");
}

static void
enable_megaflows(struct unixctl_conn *conn, int argc, const char *argv[], void *sp_)
{
    struct slowpath *sp = sp_;

    (void)argc;
    (void)argv;
    set_bool(conn, sp, &sp->settings.megaflows, true, "megaflows enabled");
}

static void
disable_ufid(struct unixctl_conn *conn, int argc, const char *argv[], void *sp_)
{
    struct slowpath *sp = sp_;

    (void)argc;
    (void)argv;
    set_bool(conn, sp, &sp->settings.ufid, false, "Datapath dumping tersely using UFID disabled");
}

static void
enable_ufid(struct unixctl_conn *conn, int argc, const char *argv[], void *sp_)
{
    struct slowpath *sp = sp_;

    (void)argc;
    (void)argv;
    set_bool(conn, sp, &sp->settings.ufid, true,
             "Datapath dumping tersely using UFID enabled for supported datapaths");
}

static void
set_flow_limit(struct unixctl_conn *conn, int argc, const char *argv[], void *sp_)
{
    struct slowpath *sp = sp_;
    long long value = strtoll(argv[1], NULL, 10);
    uint32_t n = (uint32_t)value; /* -1: as many as there can be */
    char *text;

    (void)argc;
    if (value < INT32_MIN || value > UINT32_MAX) {
        unixctl_reply_errorf(conn, "%s: a flow limit has 32 bits", argv[1]);
        return;
    }
    if (sp->dp) {
        atomic_store(&sp->settings.flow_limit, n);
        dp_set_flow_limit(sp->dp, n);
    }
    text = xasprintf("set flow_limit to %" PRIu32 "\n", n);
    unixctl_reply(conn, text);
    free(text);
}

static void
reply_empty(void *conn)
{
    unixctl_reply(conn, NULL);
}

static void
revalidator_wait(struct unixctl_conn *conn, int argc, const char *argv[], void *sp_)
{
    struct slowpath *sp = sp_;

    (void)argc;
    (void)argv;
    if (sp->dp) {
        sync_request(sp, reply_empty, conn);
    } else {
        unixctl_reply(conn, NULL);
    }
}

static void
revalidator_purge(struct unixctl_conn *conn, int argc, const char *argv[], void *sp_)
{
    struct slowpath *sp = sp_;

    (void)argc;
    (void)argv;
    if (sp->dp) {
        sync_purge(sp, reply_empty, conn);
    } else {
        unixctl_reply(conn, NULL);
    }
}

static void
revalidator_pause(struct unixctl_conn *conn, int argc, const char *argv[], void *sp_)
{
    struct slowpath *sp = sp_;

    (void)argc;
    (void)argv;
    pthread_mutex_lock(&sp->lock);
    sp->paused = 1;
    pthread_mutex_unlock(&sp->lock);
    unixctl_reply(conn, NULL);
}

static void
revalidator_resume(struct unixctl_conn *conn, int argc, const char *argv[], void *sp_)
{
    struct slowpath *sp = sp_;

    (void)argc;
    (void)argv;
    pthread_mutex_lock(&sp->lock);
    sp->paused = 0;
    pthread_cond_signal(&sp->wanted);
    pthread_mutex_unlock(&sp->lock);
    unixctl_reply(conn, NULL);
}

void
slowpath_put_limits(struct str *out, void *sp_)
{
    struct slowpath *sp = sp_;
    struct flow_index *x = sp->index;
    struct limit cohorts = {
        .name = "cohorts of megaflows", .max = COHORTS_MAX, .beyond = "not founded"};

    pthread_mutex_lock(&x->lock);
    cohorts.now = x->n_cohorts;
    cohorts.most = x->most_cohorts;
    cohorts.n_beyond = x->n_cohorts_refused;
    pthread_mutex_unlock(&x->lock);
    limit_put(out, &cohorts);
}

void
slowpath_ctl_init(struct slowpath *sp)
{
    unixctl_register("upcall/show", "", 0, 0, upcall_show, sp);
    unixctl_register("upcall/disable-megaflows", "", 0, 0, disable_megaflows, sp);
    unixctl_register("upcall/enable-megaflows", "", 0, 0, enable_megaflows, sp);
    unixctl_register("upcall/disable-ufid", "", 0, 0, disable_ufid, sp);
    unixctl_register("upcall/enable-ufid", "", 0, 0, enable_ufid, sp);
    unixctl_register("upcall/set-flow-limit", "flow-limit-number", 1, 1, set_flow_limit, sp);
    unixctl_register("revalidator/wait", "", 0, 0, revalidator_wait, sp);
    unixctl_register("revalidator/purge", "", 0, 0, revalidator_purge, sp);
    unixctl_register("revalidator/pause", "", 0, 0, revalidator_pause, sp);
    unixctl_register("revalidator/resume", "", 0, 0, revalidator_resume, sp);
}
