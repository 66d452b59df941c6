// SPDX-License-Identifier: Apache-2.0
/*
 * trace.c - see trace.h.
 */
#include "ofproto/trace.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

void
xlate_trace_init(struct xlate_trace *trace)
{
    STAILQ_INIT(&trace->nodes);
    trace->with_names = false;
}

static void
list_free(struct trace_list *list)
{
    struct trace_node *node;

    while ((node = STAILQ_FIRST(list))) {
        STAILQ_REMOVE_HEAD(list, link);
        list_free(&node->subs);
        free(node->text);
        free(node);
    }
}

void
xlate_trace_fini(struct xlate_trace *trace)
{
    list_free(&trace->nodes);
}

struct trace_node *
trace_append_v(struct trace_list *list, enum trace_type type, const char *fmt, va_list args)
{
    struct trace_node *node = xzalloc(sizeof *node);

    node->type = type;
    node->text = xvasprintf(fmt, args);
    STAILQ_INIT(&node->subs);
    STAILQ_INSERT_TAIL(list, node, link);
    return node;
}

struct trace_node *
trace_append(struct trace_list *list, enum trace_type type, const char *fmt, ...)
{
    struct trace_node *node;
    va_list args;

    va_start(args, fmt);
    node = trace_append_v(list, type, fmt, args);
    va_end(args);
    return node;
}

/* Always one step to the right, the last of its list or not. */
static bool
is_indented(enum trace_type type)
{
    return type == TRACE_ACTION || type == TRACE_DETAIL || type == TRACE_WARN ||
           type == TRACE_ERROR || type == TRACE_BUCKET;
}

static void
put_indent(struct text *out, int n)
{
    while (n-- > 0) {
        text_putc(out, ' ');
    }
}

static void
list_format(const struct trace_list *list, int level, struct text *out)
{
    const struct trace_node *node;

    STAILQ_FOREACH(node, list, link)
    {
        int step = STAILQ_NEXT(node, link) || is_indented(node->type);
        int indent = (level + step) * 4;

        if (node->type == TRACE_BRIDGE) {
            text_putc(out, '\n');
        }
        put_indent(out, indent);
        switch (node->type) {
        case TRACE_DETAIL:
            text_printf(out, " -> %s\n", node->text);
            break;
        case TRACE_WARN:
            text_printf(out, " >> %s\n", node->text);
            break;
        case TRACE_ERROR:
            text_printf(out, " >>>> %s <<<<\n", node->text);
            break;
        case TRACE_BRIDGE:
            text_printf(out, "%s\n", node->text);
            put_indent(out, indent);
            for (size_t i = 0; i < strlen(node->text); i++) {
                text_putc(out, '-');
            }
            text_putc(out, '\n');
            break;
        case TRACE_TABLE:
        case TRACE_THAW:
        case TRACE_ACTION:
        case TRACE_BUCKET:
        default:
            text_printf(out, "%s\n", node->text);
            break;
        }
        list_format(&node->subs, level + 2 * step, out);
    }
}

void
xlate_trace_format(const struct xlate_trace *trace, struct text *out)
{
    list_format(&trace->nodes, 0, out);
}
