// SPDX-License-Identifier: Apache-2.0
/*
 * Logging: specifications, patterns, the file destination, rate limits, tables.
 */
#include "../unit.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_private.h"
#include "base/thread.h"

LOG_MODULE(test_module);

static char log_path[] = "/tmp/sluice-test-log-XXXXXX";

static char *
read_log(void)
{
    static char text[65536];
    FILE *stream = fopen(log_path, "r");
    size_t n = fread(text, 1, sizeof(text) - 1, stream);

    fclose(stream);
    text[n] = '\0';
    assert_int_equal(truncate(log_path, 0), 0);
    return text;
}

static void
set(const char *spec)
{
    char *error = log_set_spec(spec);

    if (error != NULL) {
        fail_msg("%s: %s", spec ? spec : "(none)", error);
    }
}

static void
assert_bad(const char *spec, const char *expected)
{
    char *error = log_set_spec(spec);

    assert_non_null(error);
    assert_string_equal(error, expected);
    free(error);
}

static int
level(enum log_dest dest)
{
    return atomic_load(&this_log_module.levels[dest]);
}

static void
specs_set_levels(void **state)
{
    set("ANY:ANY:info");
    set("test_module:file:dbg");
    assert_int_equal(level(LOG_DEST_FILE), LOG_LVL_DBG);
    assert_int_equal(level(LOG_DEST_CONSOLE), LOG_LVL_INFO);
    set("console:warn");
    assert_int_equal(level(LOG_DEST_CONSOLE), LOG_LVL_WARN);
    set("syslog,off test_module");
    assert_int_equal(level(LOG_DEST_SYSLOG), LOG_LVL_OFF);
    set("TEST_MODULE:err");
    for (int dest = 0; dest < LOG_N_DESTS; dest++) {
        assert_int_equal(level(dest), LOG_LVL_ERR);
    }
    set(NULL);
    assert_int_equal(level(LOG_DEST_SYSLOG), LOG_LVL_DBG);
    set("any:syslog:off");
    set("any:console:off");
    set("any:file:info");
}

static void
bad_specs_say_what_is_wrong(void **state)
{
    assert_bad("nosuch:file:dbg", "no destination, level, or module \"nosuch\"");
    assert_bad("any:any:file:dbg:dbg", "cannot specify multiple levels");
    assert_bad("file:syslog", "cannot specify multiple destinations");
    assert_bad("PATTERN:xx:y", "unknown destination \"xx\"");
    assert_bad("PATTERN", "missing destination");
    assert_bad("PATTERN:", "missing destination");
    assert_bad("PATTERN::xx", "unknown destination \"xx\"");
    assert_bad("FACILITY", "invalid facility");
    assert_bad("FACILITY:foo", "invalid facility");
    set("FACILITY:local3");
    set("FACILITY:daemon");
    char *error = log_set_syslog_method("carrier-pigeon");
    assert_non_null(error);
    free(error);
    error = log_set_rate_limit("nosuch", true);
    assert_string_equal(error, "unknown module");
    free(error);
}

/* "2026-11-20T23:57:14.033Z|00001|module|LEVEL|text\n": checks all but the time. */
static void
assert_line(const char *line, const char *tail)
{
    unsigned int year, month, day, hour, minute, second, ms, seq;
    int at = 0;

    assert_int_equal(sscanf(line, "%4u-%2u-%2uT%2u:%2u:%2u.%3uZ|%5u|%n", &year, &month, &day, &hour,
                            &minute, &second, &ms, &seq, &at),
                     8);
    assert_string_equal(line + at, tail);
}

static void *
log_from_thread(void *arg)
{
    log_warn("from a thread");
    return NULL;
}

static void
lines_reach_the_file(void **state)
{
    log_info("hello %d", 5);
    assert_line(read_log(), "test_module|INFO|hello 5\n");
    log_dbg("not shown");
    assert_string_equal(read_log(), "");
    thread_join(thread_create("handler1", log_from_thread, NULL));
    assert_line(read_log(), "test_module(handler1)|WARN|from a thread\n");

    log_err("first\nsecond\n");
    char *text = read_log();
    char *second = strchr(text, '\n') + 1;
    assert_line(second, "test_module|ERR|second\n");
    *second = '\0';
    assert_line(text, "test_module|ERR|first\n");
}

static void
file_is_reopened_and_closed(void **state)
{
    char moved[64];

    snprintf(moved, sizeof(moved), "%s.1", log_path);
    assert_int_equal(rename(log_path, moved), 0);
    assert_int_equal(log_reopen_file(), 0);
    log_info("after rotation");
    assert_non_null(strstr(read_log(), "|test_module|INFO|after rotation\n"));
    /* Another process does it: who has the old file follows, once there is a new one. */
    assert_int_equal(rename(log_path, moved), 0);
    log_follow_file();
    assert_int_not_equal(access(log_path, F_OK), 0);
    FILE *made = fopen(log_path, "w");
    assert_non_null(made);
    fclose(made);
    log_follow_file();
    log_info("followed");
    log_follow_file();
    assert_non_null(strstr(read_log(), "|test_module|INFO|followed\n"));
    assert_null(strstr(read_log(), "closing log file"));
    unlink(moved);
    log_close_file();
    log_info("lost");
    assert_string_equal(read_log(), "");
    assert_int_equal(log_reopen_file(), 0);
    assert_non_null(strstr(read_log(), "|vlog|INFO|opened log file "));
    assert_true(log_set_file("/nonexistent/dir/x.log") < 0);
    log_info("still there");
    assert_non_null(strstr(read_log(), "|INFO|still there\n"));
}

static void
patterns_are_followed(void **state)
{
    struct str s = STR_INIT;

    log_pattern_format(&s, "%A<%-6p>%06N|%3N|%5c|%m|%%|%T|%t", "x", LOG_LVL_ERR, 42, "text");
    assert_string_equal(str_cstr(&s), "ovs-vswitchd<ERR   >000042| 42|    x|text|%||main");
    str_clear(&s);
    /* Cut or odd patterns must not read past their end. */
    log_pattern_format(&s, "%D{%Y", "x", LOG_LVL_ERR, 1, "m");
    log_pattern_format(&s, "%-", "x", LOG_LVL_ERR, 1, "m");
    log_pattern_format(&s, "%", "x", LOG_LVL_ERR, 1, "m");
    log_pattern_format(&s, "%99999999p", "x", LOG_LVL_ERR, 1, "m");
    assert_true(s.len < 1000);
    str_free(&s);

    set("PATTERN:file:%p-%m");
    log_info("patterned");
    assert_string_equal(read_log(), "INFO-patterned\n");
    str_clear(&s);
    log_list_pattern(&s);
    assert_non_null(strstr(str_cstr(&s), "\nFILE     none                              %p-%m\n"));
    str_free(&s);
    set("PATTERN:file:%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m");
}

static void
rate_limits_hold_back_and_tell(void **state)
{
    static struct log_rate rl = LOG_RATE_INIT(60, 3);

    clock_stop();
    for (int i = 0; i < 10; i++) {
        log_warn_rl(&rl, "flood %d", i);
    }
    char *text = read_log();
    assert_non_null(strstr(text, "flood 2\n"));
    assert_null(strstr(text, "flood 3\n"));
    clock_warp(2000);
    for (int i = 0; i < 10; i++) {
        log_warn_rl(&rl, "again %d", i);
    }
    text = read_log();
    assert_non_null(strstr(text, "Dropped 7 log messages in last 2 seconds (most recently, 2 "
                                 "seconds ago) due to excessive rate\n"));
    assert_non_null(strstr(text, "again 1\n"));
    assert_null(strstr(text, "again 2\n"));
    assert_null(log_set_rate_limit("test_module", false));
    log_warn_rl(&rl, "unlimited");
    assert_non_null(strstr(read_log(), "unlimited\n"));
}

static void
list_has_the_documented_form(void **state)
{
    struct str s = STR_INIT;

    set("test_module:console:warn");
    assert_null(log_set_rate_limit("test_module", false));
    log_list(&s);
    assert_non_null(strstr(str_cstr(&s), "\ntest_module       WARN        OFF       INFO"
                                         "    (rate limiting disabled)\n"));
    str_free(&s);
    s = (struct str)STR_INIT;
    assert_null(log_set_rate_limit("test_module", true));
    log_list(&s);
    assert_true(str_starts_with(&s, "                 console    syslog    file\n"
                                    "                 -------    ------    ------\n"));
    assert_non_null(strstr(str_cstr(&s), "\ntest_module       WARN        OFF       INFO\n"));
    str_free(&s);
}

static int
start(void **state)
{
    int fd = mkstemp(log_path);

    if (fd < 0) {
        return -1;
    }
    close(fd);
    free(log_set_syslog_method("null"));
    int error = log_set_file(log_path);
    read_log();
    return error;
}

static int
finish(void **state)
{
    log_fini();
    unlink(log_path);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specs_set_levels),
        cmocka_unit_test(bad_specs_say_what_is_wrong),
        cmocka_unit_test(lines_reach_the_file),
        cmocka_unit_test(file_is_reopened_and_closed),
        cmocka_unit_test(patterns_are_followed),
        cmocka_unit_test(rate_limits_hold_back_and_tell),
        cmocka_unit_test(list_has_the_documented_form),
    };

    return cmocka_run_group_tests(tests, start, finish);
}
