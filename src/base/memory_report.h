// SPDX-License-Identifier: Apache-2.0
/*
 * What "memory/show" prints: each subsystem registers a provider that adds its counts.
 * Main thread only.
 */
#ifndef BASE_MEMORY_REPORT_H
#define BASE_MEMORY_REPORT_H

#include "base/str.h"

struct memory_report;
typedef void memory_report_fn(struct memory_report *report, void *aux);

void memory_report_register(memory_report_fn *fn, void *aux);
void memory_report_unregister(memory_report_fn *fn, void *aux);

/* For providers: adds 'count' to 'key' (several providers may add to one key).  Zero is not shown.
 */
void memory_report_add(struct memory_report *report, const char *key, uint64_t count);

/* "handlers:1 ports:4 rules:5\n", sorted by key. */
void memory_report_show(struct str *out);

#endif
