// SPDX-License-Identifier: Apache-2.0
/*
 * trace.h - what a translation did, as a tree: bridges, tables, actions, and remarks on them.
 *
 * A translation appends to the tree as it goes (xlate_report()); ofproto/trace prints it
 * afterwards. A node that is the last of its list prints in its parent's column, so that a chain of
 * resubmits does not wander to the right.  One thread.
 */
#ifndef OFPROTO_TRACE_H
#define OFPROTO_TRACE_H 1

#include <stdarg.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "flow/text.h"

enum trace_type {
    TRACE_BRIDGE, /* bridge("br0"), underlined */
    TRACE_TABLE,  /*  0. in_port=1, priority 5 */
    TRACE_THAW,
    TRACE_ACTION,
    TRACE_BUCKET,
    TRACE_DETAIL, /*  -> text */
    TRACE_WARN,   /*  >> text */
    TRACE_ERROR,  /*  >>>> text <<<< */
};

struct trace_node;
STAILQ_HEAD(trace_list, trace_node);

struct trace_node {
    STAILQ_ENTRY(trace_node) link;
    struct trace_list subs;
    enum trace_type type;
    char *text;
};

/* The sink that struct xlate_in points to. */
struct xlate_trace {
    struct trace_list nodes;
    bool with_names; /* ports by name, not by number */
};

void xlate_trace_init(struct xlate_trace *);
void xlate_trace_fini(struct xlate_trace *);
/* Appends a node, whose 'subs' the caller may go on in. */
struct trace_node *trace_append(struct trace_list *, enum trace_type, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
struct trace_node *trace_append_v(struct trace_list *, enum trace_type, const char *fmt, va_list)
    __attribute__((format(printf, 3, 0)));
void xlate_trace_format(const struct xlate_trace *, struct text *out);

#endif /* ofproto/trace.h */
