// SPDX-License-Identifier: Apache-2.0
/*
 * br_qos.c - what limits the traffic of a port: Interface.ingress_policing_*, and Port.qos with its
 * queues.  Each member of a bond is limited by itself.  qos/show and qos/show-types.
 *
 * The types egress-policer and trtcm-policer are the datapath's, on every type of device.  The
 * kernel's disciplines (linux-htb and so on) would have to be set in the kernel by tc, and limit
 * what leaves by the kernel's stack; they are accepted, have no effect and are logged once.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "bridge/bridge_int.h"
#include "rpc/unixctl.h"

LOG_MODULE(bridge);

/* Of ovs-vswitchd.conf.db(5): the bucket when only the rate is given. */
enum { DEFAULT_BURST_KBITS = 8000, DEFAULT_BURST_KPKTS = 16, MAX_QUEUES = 1024 };

static const struct {
    const char *name;
    enum dp_qos_type type;
} qos_types[] = {
    {"egress-policer", DP_QOS_EGRESS_POLICER},
    {"trtcm-policer", DP_QOS_TRTCM_POLICER},
};

/* --- what comes in ------------------------------------------------------------------------- */

/* A rate and a burst column, in thousands of a unit of which 'divisor' make a token. */
static struct dp_bucket
row_bucket(const struct db_row *row, const char *rate, const char *burst, int64_t default_burst,
           uint64_t divisor)
{
    int64_t r = row_int_or(row, rate, 0), b = row_int_or(row, burst, 0);

    if (r <= 0) {
        return (struct dp_bucket){0};
    }
    return (struct dp_bucket){
        .rate = MIN((uint64_t)r, UINT32_MAX) * 1000 / divisor,
        .burst = MIN((uint64_t)(b > 0 ? b : default_burst), UINT32_MAX) * 1000 / divisor,
    };
}

static void
iface_sync_policing(const struct br_iface *iface, const struct db_row *row)
{
    const struct dp_ingress_policing cfg = {
        .bytes = row_bucket(row, "ingress_policing_rate", "ingress_policing_burst",
                            DEFAULT_BURST_KBITS, 8),
        .packets = row_bucket(row, "ingress_policing_kpkts_rate", "ingress_policing_kpkts_burst",
                              DEFAULT_BURST_KPKTS, 1),
    };

    dp_port_set_ingress_policing(iface->br->all->dp, iface->odp_port, &cfg);
}

/* --- what goes out ------------------------------------------------------------------------- */

/* 0: it is not there, or no number. */
static uint64_t
row_rate(const struct db_row *row, const char *key)
{
    const char *text = row_map_get(row, "other_config", key);
    uint64_t rate;

    return text && str_to_u64(text, 10, &rate) ? rate : 0;
}

static struct dp_qos_rates
row_rates(const struct db_row *row)
{
    return (struct dp_qos_rates){
        .cir = row_rate(row, "cir"),
        .cbs = row_rate(row, "cbs"),
        .eir = row_rate(row, "eir"),
        .ebs = row_rate(row, "ebs"),
    };
}

/* The queues of a QoS row, in a new array. */
static struct dp_qos_queue *
row_queues(const struct db_row *row, unsigned *n)
{
    size_t n_rows = MIN(row_n(row, "queues"), (size_t)MAX_QUEUES);
    struct dp_qos_queue *queues = xcalloc(n_rows + 1, sizeof *queues);

    *n = 0;
    for (size_t i = 0; i < n_rows; i++) {
        const struct db_row *queue;
        int64_t id = row_imap_at(row, "queues", i, &queue);

        if (queue) {
            queues[*n].id = (uint32_t)id;
            queues[(*n)++].rates = row_rates(queue);
        }
    }
    return queues;
}

static void
note_unserved_type(struct bridges *b, const char *type)
{
    if (!b->unserved_qos_said) {
        b->unserved_qos_said = true;
        log_info("QoS type %s has no effect here; egress-policer and trtcm-policer do", type);
    }
}

static void
iface_sync_qos(const struct br_iface *iface, const struct db_row *qos_row)
{
    const char *type = qos_row ? row_str(qos_row, "type") : NULL;
    struct dp *dp = iface->br->all->dp;
    struct dp_qos_queue *queues = NULL;
    struct dp_qos cfg = {.type = DP_QOS_NONE};

    for (size_t i = 0; type && i < ARRAY_SIZE(qos_types); i++) {
        if (!strcmp(type, qos_types[i].name)) {
            cfg.type = qos_types[i].type;
        }
    }
    if (cfg.type != DP_QOS_NONE) {
        cfg.rates = row_rates(qos_row);
        if (cfg.type == DP_QOS_TRTCM_POLICER) {
            cfg.queues = queues = row_queues(qos_row, &cfg.n_queues);
        }
    } else if (type && *type) {
        note_unserved_type(iface->br->all, type);
    }
    if (dp_port_set_qos(dp, iface->odp_port, &cfg)) {
        log_warn("%s: QoS %s is off: each rate needs a bucket (cir with cbs, eir with ebs)",
                 iface->name, type);
    }
    free(queues);
}

void
br_qos_sync(struct br *br, const struct db_row *port_row)
{
    const struct db_row *qos_row = row_ref(port_row, "qos");

    for (size_t i = 0; i < row_n(port_row, "interfaces"); i++) {
        const struct db_row *row = row_ref_at(port_row, "interfaces", i);
        const struct br_iface *iface = row ? br_iface_find(br, row_str(row, "name")) : NULL;

        if (iface && iface->odp_port != ODPP_NONE) {
            iface_sync_policing(iface, row);
            iface_sync_qos(iface, qos_row);
        }
    }
}

/* --- commands ------------------------------------------------------------------------------ */

/* One that runs; NULL, with the error sent, if there is none. */
static const struct br_iface *
find_iface(struct unixctl_conn *conn, const struct bridges *b, const char *name)
{
    const struct br_iface *iface = bridges_find_iface(b, name);

    if (!iface || !iface->netdev) {
        unixctl_reply_error(conn, "no such interface");
        return NULL;
    }
    return iface;
}

static void
put_rates(struct str *s, const char *indent, enum dp_qos_type type, const struct dp_qos_rates *r)
{
    str_printf(s, "%scbs: %" PRIu64 "\n%scir: %" PRIu64 "\n", indent, r->cbs, indent, r->cir);
    if (type == DP_QOS_TRTCM_POLICER) {
        str_printf(s, "%sebs: %" PRIu64 "\n%seir: %" PRIu64 "\n", indent, r->ebs, indent, r->eir);
    }
}

static void
put_queue(struct str *s, const struct br_iface *iface, uint32_t id,
          const struct dp_qos_rates *rates)
{
    struct dp_queue_stats stats;

    if (id) {
        str_printf(s, "\nQueue %" PRIu32 ":\n", id);
    } else {
        str_put(s, "\nDefault:\n");
    }
    put_rates(s, "  ", DP_QOS_TRTCM_POLICER, rates);
    if (dp_port_queue_stats(iface->br->all->dp, iface->odp_port, id, &stats)) {
        str_printf(s,
                   "  tx_packets: %" PRIu64 "\n  tx_bytes: %" PRIu64 "\n"
                   "  tx_errors: %" PRIu64 "\n",
                   stats.n_packets, stats.n_bytes, stats.n_dropped);
    }
}

static void
put_queues(struct str *s, const struct br_iface *iface, const struct dp_qos *qos)
{
    const struct dp_qos_rates *default_rates = &qos->rates;

    for (unsigned i = 0; i < qos->n_queues; i++) {
        if (!qos->queues[i].id) {
            default_rates = &qos->queues[i].rates;
        }
    }
    put_queue(s, iface, 0, default_rates);
    for (unsigned i = 0; i < qos->n_queues; i++) {
        if (qos->queues[i].id) {
            put_queue(s, iface, (uint32_t)qos->queues[i].id, &qos->queues[i].rates);
        }
    }
}

static void
qos_show(struct unixctl_conn *conn, int argc, const char *argv[], void *bridges_)
{
    const struct br_iface *iface = find_iface(conn, bridges_, argv[1]);
    struct str s = STR_INIT;

    (void)argc;
    if (!iface) {
        return;
    }
    const struct dp_qos *qos = dp_port_qos(iface->br->all->dp, iface->odp_port);
    if (qos->type == DP_QOS_NONE) {
        str_printf(&s, "QoS not configured on %s\n", iface->name);
        unixctl_reply(conn, str_cstr(&s));
    } else {
        str_printf(&s, "QoS: %s %s\n", iface->name, qos_types[qos->type - 1].name);
        put_rates(&s, "", qos->type, &qos->rates);
        if (qos->type == DP_QOS_TRTCM_POLICER) {
            put_queues(&s, iface, qos);
        }
        unixctl_reply(conn, str_cstr(&s));
    }
    str_free(&s);
}

static void
qos_show_types(struct unixctl_conn *conn, int argc, const char *argv[], void *bridges_)
{
    const struct br_iface *iface = find_iface(conn, bridges_, argv[1]);
    struct str s = STR_INIT;

    (void)argc;
    if (!iface) {
        return;
    }
    for (size_t i = 0; iface->odp_port != ODPP_NONE && i < ARRAY_SIZE(qos_types); i++) {
        str_printf(&s, "QoS type: %s\n", qos_types[i].name);
    }
    if (!s.len) {
        str_printf(&s, "No QoS types supported for interface: %s\n", iface->name);
    }
    unixctl_reply(conn, str_cstr(&s));
    str_free(&s);
}

void
br_qos_ctl_init(struct bridges *b)
{
    unixctl_register("qos/show-types", "interface", 1, 1, qos_show_types, b);
    unixctl_register("qos/show", "interface", 1, 1, qos_show, b);
}
