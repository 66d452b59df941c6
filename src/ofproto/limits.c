// SPDX-License-Identifier: Apache-2.0
/*
 * limits.c - how full the tables and queues of bridges and their connections are, for
 * "dpif-netdev/limits-show".  Main thread.
 */
#include "base/limits_report.h"

#include <stdio.h>

#include "base/coverage.h"
#include "ofproto/ofconn.h"
#include "ofproto/xlate_int.h"

static uint64_t
counted(const char *name)
{
    uint64_t n = 0;

    coverage_read(name, &n);
    return n;
}

static void
put_mac_tables(struct str *out, struct ofprotos *all)
{
    for (struct ofproto *p = ofprotos_first(all); p; p = ofprotos_next(p)) {
        const struct ofproto_view *view = ofproto_view(p);
        struct mac_table_stats st;

        mac_table_get_stats(view->mac_table, &st);
        limit_put(out, &(struct limit){.name = "learned MAC addresses",
                                       .of = view->name,
                                       .now = st.n - st.n_static,
                                       .most = st.most,
                                       .max = st.max,
                                       .beyond = "evicted",
                                       .n_beyond = st.evicted});
    }
}

static void
put_jobs(struct str *out, struct ofprotos *all)
{
    const size_t max_before = OFPROTO_MAX_PACKET_JOBS;
    size_t n, most;
    uint64_t n_packets_dropped;

    pthread_mutex_lock(&all->lock);
    n = all->n_jobs;
    most = all->most_jobs;
    n_packets_dropped = all->n_packet_jobs_dropped;
    pthread_mutex_unlock(&all->lock);
    limit_put(out, &(struct limit){.name = "jobs of handlers for the main thread",
                                   .now = n,
                                   .most = most,
                                   .max = OFPROTO_MAX_JOBS,
                                   .beyond = "dropped",
                                   .n_beyond = counted("ofproto_job_dropped")});
    limit_put(out, &(struct limit){.name = "jobs before a packet for controllers",
                                   .now = MIN(n, max_before),
                                   .most = MIN(most, max_before),
                                   .max = max_before,
                                   .beyond = "packets dropped, of those",
                                   .n_beyond = n_packets_dropped});
}

static void
put_connections(struct str *out, struct ofprotos *all)
{
    size_t backlog = 0;

    for (struct ofproto *p = ofprotos_first(all); p; p = ofprotos_next(p)) {
        backlog = MAX(backlog, connmgr_most_backlog(p->connmgr));
    }
    all->most_backlog = MAX(all->most_backlog, backlog);
    limit_put(out, &(struct limit){.name = "bytes that a controller has yet to read",
                                   .now = backlog,
                                   .most = all->most_backlog,
                                   .max = OFCONN_CONGESTED,
                                   .beyond = "packets not sent to it",
                                   .n_beyond = counted("packet_in_overflow")});
}

static void
put_bundles(struct str *out, const struct ofprotos *all)
{
    struct ofproto_bundles_use use = ofprotos_bundles_use(all);

    limit_put(out, &(struct limit){.name = "bytes of open OpenFlow bundles",
                                   .now = use.now,
                                   .most = use.most,
                                   .max = use.max,
                                   .beyond = "messages refused",
                                   .n_beyond = use.n_refused});
}

static void
put_frozens(struct str *out, struct ofprotos *all)
{
    struct frozens_use use = frozens_use(ofprotos_frozens(all));
    char port[32];

    limit_put(out, &(struct limit){.name = "translations that wait for a recirculation",
                                   .now = use.now,
                                   .most = use.most,
                                   .max = FROZEN_MAX,
                                   .beyond = "refused",
                                   .n_beyond = use.n_refused});
    limit_put(out, &(struct limit){.name = "bytes of those translations",
                                   .now = use.size,
                                   .most = use.most_size,
                                   .max = FROZEN_MAX_SIZE,
                                   .beyond = "refused for either bound",
                                   .n_beyond = use.n_refused});
    if (use.full_port == FROZEN_NO_PORT) {
        snprintf(port, sizeof port, "none");
    } else {
        snprintf(port, sizeof port, "datapath port %u", use.full_port);
    }
    limit_put(out, &(struct limit){.name = "those of the fullest port",
                                   .of = use.of_full_port ? port : NULL,
                                   .now = use.of_full_port,
                                   .most = use.most_of_port,
                                   .max = FROZEN_MAX / 2,
                                   .beyond = "refused when three quarters of all were there",
                                   .n_beyond = use.n_port_refused});
}

/* Of those that many have one each, only how often they were met. */
static void
put_counts(struct str *out)
{
    static const struct {
        const char *text, *counter;
    } counts[] = {
        {"LACP frames that wait for the main thread, 8 of a port: dropped", "lacp_pdu_dropped"},
        {"TLS handshakes at once, 256 of a listener: refused", "tls_handshake_refused"},
        {"peers that left too much unread, 64 MiB of OpenFlow: disconnected",
         "stream_peer_does_not_read"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        str_printf(out, "%s %" PRIu64 "\n", counts[i].text, counted(counts[i].counter));
    }
}

void
ofprotos_put_limits(struct str *out, void *all_)
{
    struct ofprotos *all = all_;

    put_mac_tables(out, all);
    put_jobs(out, all);
    put_connections(out, all);
    put_bundles(out, all);
    put_frozens(out, all);
    put_counts(out);
}
