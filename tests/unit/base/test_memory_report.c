// SPDX-License-Identifier: Apache-2.0
/*
 * memory/show: providers are summed by key, sorted, zeros left out.
 */
#include "../unit.h"

#include "base/memory_report.h"

static void
report_some(struct memory_report *report, void *aux)
{
    memory_report_add(report, "rules", 5);
    memory_report_add(report, "none", 0);
    memory_report_add(report, "ports", (uint64_t) * (int *)aux);
}

static void
sums_and_sorts(void **state)
{
    struct str s = STR_INIT;
    int a = 1, b = 3;

    memory_report_register(report_some, &a);
    memory_report_register(report_some, &b);
    memory_report_show(&s);
    assert_string_equal(str_cstr(&s), "ports:4 rules:10\n");
    memory_report_unregister(report_some, &a);
    str_clear(&s);
    memory_report_show(&s);
    assert_string_equal(str_cstr(&s), "ports:3 rules:5\n");
    memory_report_unregister(report_some, &b);
    str_clear(&s);
    memory_report_show(&s);
    assert_string_equal(str_cstr(&s), "\n");
    str_free(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sums_and_sorts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
