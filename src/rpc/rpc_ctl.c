// SPDX-License-Identifier: Apache-2.0
/*
 * The commands that belong to no subsystem: vlog, coverage, memory; and, for tests, the clock's.
 */
#include <limits.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "base/log.h"
#include "base/memory_report.h"
#include "rpc/unixctl.h"

LOG_MODULE(base_ctl);

static void
reply_str(struct unixctl_conn *conn, struct str *out)
{
    unixctl_reply(conn, str_cstr(out));
    str_free(out);
}

/* Answers with 'error', which it frees, or with success when it is NULL. */
static void
reply_or_error(struct unixctl_conn *conn, char *error)
{
    if (error != NULL) {
        unixctl_reply_error(conn, error);
        free(error);
    } else {
        unixctl_reply(conn, NULL);
    }
}

/* ---- vlog ---- */

static void
cmd_vlog_set(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    char *error = argc == 1 ? log_set_spec(NULL) : NULL;

    for (int i = 1; i < argc && error == NULL; i++) {
        error = log_set_spec(argv[i]);
    }
    reply_or_error(conn, error);
}

static void
cmd_vlog_list(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct str out = STR_INIT;

    log_list(&out);
    reply_str(conn, &out);
}

static void
cmd_vlog_list_pattern(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct str out = STR_INIT;

    log_list_pattern(&out);
    reply_str(conn, &out);
}

/* 'aux' is not NULL to enable. */
static void
cmd_vlog_rate_limit(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    char *error = argc == 1 ? log_set_rate_limit(NULL, aux != NULL) : NULL;

    for (int i = 1; i < argc && error == NULL; i++) {
        error = log_set_rate_limit(argv[i], aux != NULL);
    }
    reply_or_error(conn, error);
}

static void
cmd_vlog_reopen(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    if (log_file_path() == NULL) {
        unixctl_reply(conn, "Logging to file not configured");
        return;
    }
    int error = log_reopen_file();
    if (error != 0) {
        unixctl_reply_error(conn, err_str(error));
    } else {
        unixctl_reply(conn, NULL);
    }
}

static void
cmd_vlog_close(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    log_close_file();
    unixctl_reply(conn, NULL);
}

/* ---- Coverage and memory ---- */

static void
cmd_coverage_show(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct str out = STR_INIT;

    coverage_show(&out);
    reply_str(conn, &out);
}

static void
cmd_coverage_read(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    uint64_t total;

    if (!coverage_read(argv[1], &total)) {
        unixctl_reply_error(conn, "No such counter");
        return;
    }
    struct str out = STR_INIT;
    str_printf(&out, "%llu", (unsigned long long)total);
    reply_str(conn, &out);
}

static void
cmd_memory_show(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct str out = STR_INIT;

    memory_report_show(&out);
    reply_str(conn, &out);
}

void
rpc_ctl_register(struct loop *loop)
{
    static int enable;

    unixctl_register("vlog/set", "{spec | PATTERN:destination:pattern}", 0, INT_MAX, cmd_vlog_set,
                     NULL);
    unixctl_register("vlog/list", "", 0, 0, cmd_vlog_list, NULL);
    unixctl_register("vlog/list-pattern", "", 0, 0, cmd_vlog_list_pattern, NULL);
    unixctl_register("vlog/enable-rate-limit", "[module]...", 0, INT_MAX, cmd_vlog_rate_limit,
                     &enable);
    unixctl_register("vlog/disable-rate-limit", "[module]...", 0, INT_MAX, cmd_vlog_rate_limit,
                     NULL);
    unixctl_register("vlog/close", "", 0, 0, cmd_vlog_close, NULL);
    unixctl_register("vlog/reopen", "", 0, 0, cmd_vlog_reopen, NULL);
    unixctl_register("coverage/show", "", 0, 0, cmd_coverage_show, NULL);
    unixctl_register("coverage/read-counter", "COUNTER", 1, 1, cmd_coverage_read, NULL);
    unixctl_register("memory/show", "", 0, 0, cmd_memory_show, NULL);
}

/* ---- The clock, for tests ---- */

/* A warp under way: the loop runs once between steps, so that timers fire in their order. */
struct warp {
    struct loop *loop;
    struct unixctl_conn *conn;
    int64_t left_ms;
    int64_t step_ms;
};

static void
warp_step(void *arg)
{
    struct warp *warp = arg;

    if (warp->left_ms <= 0) {
        unixctl_reply(warp->conn, "warped");
        free(warp);
        return;
    }
    int64_t step = MIN(warp->step_ms, warp->left_ms);
    warp->left_ms -= step;
    clock_warp(step);
    loop_post(warp->loop, warp_step, warp);
}

static void
cmd_time_stop(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    clock_stop();
    unixctl_reply(conn, NULL);
}

/* time/warp [LARGE_MSECS] MSECS */
static void
cmd_time_warp(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    int64_t total, step;

    if (!str_to_i64(argv[1], 10, &total) || total <= 0 ||
        (argc > 2 && (!str_to_i64(argv[2], 10, &step) || step <= 0)) || total > INT32_MAX) {
        unixctl_reply_error(conn, "invalid MSECS");
        return;
    }
    struct warp *warp = xmalloc(sizeof(*warp));
    *warp = (struct warp){
        .loop = aux, .conn = conn, .left_ms = total, .step_ms = argc > 2 ? step : total};
    loop_post(warp->loop, warp_step, warp);
}

/* vlog/message [LEVEL] TEXT: a line for tests that look at the log. */
static void
cmd_vlog_message(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    enum log_level level = LOG_LVL_INFO;

    if (argc > 2) {
        for (level = LOG_LVL_EMER; level < LOG_LVL_DBG; level++) {
            if (strcasecmp(log_level_name(level), argv[1]) == 0) {
                break;
            }
        }
    }
    log_at(level, "%s", argv[argc - 1]);
    unixctl_reply(conn, NULL);
}

void
rpc_ctl_register_time(struct loop *loop)
{
    unixctl_register("time/stop", "", 0, 0, cmd_time_stop, loop);
    unixctl_register("time/warp", "[large_msecs] msecs", 1, 2, cmd_time_warp, loop);
    unixctl_register("vlog/message", "[level] text", 1, 2, cmd_vlog_message, loop);
}
