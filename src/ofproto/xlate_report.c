// SPDX-License-Identifier: Apache-2.0
/*
 * xlate_report.c - what a translation says about itself: its errors' texts, the lines of
 * ofproto/trace, the log.
 *
 * On whatever thread translates; all but errors costs nothing unless somebody traces.
 */
#include "ofproto/xlate_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "flow/match.h"
#include "flow/text.h"
#include "openflow/ofp_text.h"

LOG_MODULE(ofproto_dpif_xlate);

const char *
xlate_error_text(enum xlate_error error)
{
    switch (error) {
    case XLATE_OK:
        return "OK";
    case XLATE_BRIDGE_NOT_FOUND:
        return "Bridge not found";
    case XLATE_RECURSION_TOO_DEEP:
        return "Recursion too deep";
    case XLATE_TOO_MANY_RESUBMITS:
        return "Too many resubmits";
    case XLATE_STACK_TOO_DEEP:
        return "Stack too deep";
    case XLATE_NO_RECIRC_CONTEXT:
        return "No recirculation context";
    case XLATE_TOO_MANY_MPLS_LABELS:
        return "Too many MPLS labels";
    case XLATE_FORWARDING_DISABLED:
        return "Forwarding is disabled";
    case XLATE_NO_RECIRC_ID:
        return "Too many recirculations";
    default:
        return "Unknown error";
    }
}

const char *
xlate_out_error_text(const struct xlate_out *out)
{
    return xlate_error_text((enum xlate_error)out->error);
}

void
xlate_report(struct xlate_ctx *ctx, enum trace_type type, const char *fmt, ...)
{
    va_list args;

    if (!ctx->trace) {
        return;
    }
    va_start(args, fmt);
    trace_append_v(ctx->trace, type, fmt, args);
    va_end(args);
}

void
xlate_report_error(struct xlate_ctx *ctx, const char *fmt, ...)
{
    static struct log_rate rate = LOG_RATE_INIT(1, 5);
    struct text flow = {0};
    char *what;
    va_list args;

    if (!ctx->trace && !log_is_on(LOG_LVL_WARN)) {
        return;
    }
    va_start(args, fmt);
    what = xvasprintf(fmt, args);
    va_end(args);
    if (ctx->trace) {
        trace_append(ctx->trace, TRACE_ERROR, "%s", what);
    } else {
        flow_format(&ctx->flow, NULL, &flow);
        log_warn_rl(&rate, "%s on bridge %s while processing %s", what,
                    ctx->view ? ctx->view->name : "(none)", text_cstr(&flow));
        text_fini(&flow);
    }
    free(what);
}

const char *
xlate_port_name(const void *view, ofp_port_t number)
{
    const struct view_port *port = view_port(view, number);

    return port ? port->name : NULL;
}

const struct mf_port_names *
xlate_names(const struct xlate_ctx *ctx, struct mf_port_names *names)
{
    if (!ctx->in->trace || !ctx->in->trace->with_names) {
        return NULL;
    }
    *names = (struct mf_port_names){.name = xlate_port_name, .aux = ctx->view};
    return names;
}

/* The subfield's bits as a number, which may be wider than 64 bits; 0 has no prefix. */
static void
put_bits(const struct mf_subfield *sf, const struct flow *flow, struct text *t)
{
    union mf_value bits;
    size_t i = 0;

    mf_read_subfield(sf, flow, &bits);
    while (i < sizeof bits.b && !bits.b[i]) {
        i++;
    }
    if (i == sizeof bits.b) {
        text_putc(t, '0');
        return;
    }
    text_printf(t, "0x%x", bits.b[i]);
    while (++i < sizeof bits.b) {
        text_printf(t, "%02x", bits.b[i]);
    }
}

void
xlate_report_subfield(struct xlate_ctx *ctx, const struct mf_subfield *sf)
{
    struct text t = {0};

    if (!ctx->trace) {
        return;
    }
    mf_format_subfield(sf, &t);
    text_put(&t, " is now ");
    if (sf->ofs == 0 && sf->n_bits == sf->field->n_bits) {
        union mf_value value;

        mf_get_value(sf->field, &ctx->flow, &value);
        mf_format(sf->field, &value, NULL, NULL, &t);
    } else {
        put_bits(sf, &ctx->flow, &t);
    }
    trace_append(ctx->trace, TRACE_DETAIL, "%s", text_cstr(&t));
    text_fini(&t);
}

void
xlate_report_table(struct xlate_ctx *ctx, uint8_t table_id, const struct rule *rule,
                   struct trace_list **outer)
{
    struct trace_node *node;
    struct mf_port_names names;
    struct text t = {0};

    *outer = ctx->trace;
    if (!ctx->trace) {
        return;
    }
    text_printf(&t, "%2d. ", table_id);
    if (rule) {
        struct match match;
        size_t len = t.len;

        cls_rule_get_match(&rule->cls, &match);
        match_format(&match, xlate_names(ctx, &names), &t, MATCH_NO_PRIORITY);
        text_printf(&t, "%spriority %d", t.len > len ? ", " : "", rule->cls.priority);
        if (rule->cookie) {
            text_printf(&t, ", cookie %#llx", (unsigned long long)rule->cookie);
        }
    } else {
        text_put(&t, "No match.");
    }
    node = trace_append(ctx->trace, TRACE_TABLE, "%s", text_cstr(&t));
    ctx->trace = &node->subs;
    text_fini(&t);
}
