// SPDX-License-Identifier: Apache-2.0
//
// Ports of the datapath and their queues.  Main thread.  A port appears to PMDs when its pieces are
// published one after another (send buffers, upcall queue, then receive queues) and goes in the
// reverse order with a grace period between, so that other ports' traffic never waits.
#include <errno.h>
#include <stdlib.h>

#include "base/coverage.h"
#include "base/log.h"
#include "pmd/dp_int.h"
#include "pmd/policer.h"

LOG_MODULE(dpif_netdev);

COVERAGE_DEFINE(dpif_port_add);
COVERAGE_DEFINE(dpif_port_del);

struct dp_port *
dp_port_find(const struct dp *dp, odp_port_t odp)
{
    return odp < DP_MAX_PORTS ? rcu_get(&dp->ports[odp]) : NULL;
}

_Atomic uint64_t *
dp_port_drops(const struct dp *dp, odp_port_t odp)
{
    struct dp_port *port = dp_port_find(dp, odp);

    return port ? port->drops : NULL;
}

// One sending thread for each PMD, and the kernel thread.
unsigned
dp_n_txq_wanted(const struct dp *dp)
{
    unsigned n = 1;

    for (unsigned i = 0; i < PMD_MAX; i++) {
        if (rcu_get_protected(&dp->pmds[i])) {
            n = i + 1;
        }
    }
    return n;
}

void
dp_port_give_tx(struct dp *dp, struct dp_port *port, struct pmd *pmd)
{
    struct tx_port *tx = xzalloc_cacheline(sizeof *tx);

    if (netdev_poll(port->netdev) == NETDEV_POLL_NONE) {
        free(tx);
        return;
    }
    tx->netdev = port->netdev;
    tx->odp = port->odp;
    tx->qid = (uint16_t)pmd->index;
    rcu_assign(&tx->policer, port->tx_policer);
    rcu_assign(&pmd->tx[port->odp], tx);
}

// Takes the port from all who may send to it; what they had stands in 'gone' then.
static void
port_hide_tx(struct dp *dp, odp_port_t odp, struct tx_port *gone[static PMD_MAX])
{
    for (unsigned i = 0; i < PMD_MAX; i++) {
        struct pmd *pmd = rcu_get_protected(&dp->pmds[i]);
        gone[i] = pmd ? rcu_get_protected(&pmd->tx[odp]) : NULL;
        if (pmd) {
            rcu_assign(&pmd->tx[odp], NULL);
        }
    }
}

// Waits until no PMD sends to ports that were hidden, nor holds packets for them.
static void
await_tx(struct dp *dp)
{
    for (unsigned i = 0; i < PMD_MAX; i++) {
        struct pmd *pmd = rcu_get_protected(&dp->pmds[i]);
        if (pmd) {
            atomic_fetch_add(&pmd->tx_seq, 1);
            pmd_wake(pmd);
        }
    }
    // After the first, nobody adds to the buffers.  In the iteration that the second waits for,
    // each PMD has seen tx_seq and sent what it had.  A kernel thread that sleeps holds nothing
    // back but for tx-flush-interval, hence the third.
    rcu_synchronize();
    for (unsigned i = 0; i < PMD_MAX; i++) {
        struct pmd *pmd = rcu_get_protected(&dp->pmds[i]);
        while (pmd && pmd->running && atomic_load(&pmd->tx_seq) != atomic_load(&pmd->tx_seq_seen)) {
            pmd_wake(pmd);
            rcu_synchronize();
        }
    }
}

// After this no PMD sends to the ports, nor holds packets for them.
static void
ports_take_tx(struct dp *dp, const odp_port_t *odps, size_t n)
{
    struct tx_port *(*gone)[PMD_MAX] = xcalloc(n, sizeof *gone);

    for (size_t i = 0; i < n; i++) {
        port_hide_tx(dp, odps[i], gone[i]);
    }
    await_tx(dp);
    for (size_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < PMD_MAX; k++) {
            free(gone[i][k]);
        }
    }
    free(gone);
}

// --- queues ---------------------------------------------------------------------------------

static void
port_make_rxqs(struct dp_port *port)
{
    const struct netdev_queues *q = netdev_queues(port->netdev);

    port->n_rxq = netdev_poll(port->netdev) == NETDEV_POLL_NONE ? 0 : q->n_rxq;
    port->rxqs = xcalloc(MAX(port->n_rxq, 1u), sizeof *port->rxqs);
    for (unsigned i = 0; i < port->n_rxq; i++) {
        struct rxq *rxq = xzalloc_cacheline(ROUND_UP(sizeof *rxq, CACHE_LINE_SIZE));
        rxq->port = port;
        rxq->netdev = port->netdev;
        rxq->odp = port->odp;
        rxq->qid = (uint16_t)i;
        rxq->pmd = PMD_MAX;
        rxq->pinned_core = rxq_affinity_core(port->affinity, i);
        atomic_init(&rxq->emc_enable, port->emc_enable);
        rcu_assign(&rxq->policer, port->rx_policer);
        port->rxqs[i] = rxq;
    }
}

// Takes the queues from their PMDs, and waits until nobody polls them.
static void
ports_withdraw_rxqs(struct dp *dp, struct dp_port *const *ports, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        for (unsigned i = 0; i < ports[k]->n_rxq; i++) {
            ports[k]->rxqs[i]->withdrawn = true;
        }
    }
    rxq_publish(dp);
    rcu_synchronize();
}

// The keeper and commands may still look at the queues until a grace period has passed.
static void
port_free_rxqs(struct dp_port *port)
{
    for (unsigned i = 0; i < port->n_rxq; i++) {
        for (unsigned r = 0; r < DROP_N_REASONS; r++) {
            atomic_fetch_add(&port->drops[r], atomic_load(&port->rxqs[i]->drops[r]));
        }
        rcu_free(port->rxqs[i]);
    }
    rcu_free(port->rxqs);
    port->rxqs = NULL;
    port->n_rxq = 0;
}

static int
port_configure(struct dp *dp, struct dp_port *port, char **errorp)
{
    uint16_t n_txq = (uint16_t)dp_n_txq_wanted(dp);
    int error = netdev_reconfigure(port->netdev, n_txq, errorp);

    port->n_txq_configured = n_txq;
    if (error) {
        log_err("%s: could not set up queues: %s", port->name, *errorp ? *errorp : err_str(error));
    }
    return error;
}

// --- add and remove -------------------------------------------------------------------------

static bool
odp_is_free(const struct dp *dp, odp_port_t odp)
{
    return odp && odp < DP_MAX_PORTS && !rcu_get_protected(&dp->ports[odp]);
}

// The number in a name, so that tests can foretell it; those of bridges begin at 100.  0: none.
static odp_port_t
odp_of_name(const char *name)
{
    const char *digits = name + strcspn(name, "0123456789");
    unsigned long base = strncmp(name, "br", 2) ? 0 : 100;

    return *digits && strlen(digits) < 10 ? (odp_port_t)(base + strtoul(digits, NULL, 10)) : 0;
}

static odp_port_t
dp_choose_odp(const struct dp *dp, odp_port_t wanted, const char *name)
{
    if (odp_is_free(dp, wanted)) {
        return wanted;
    }
    if (dp->is_dummy && odp_is_free(dp, odp_of_name(name))) {
        return odp_of_name(name);
    }
    for (odp_port_t odp = 1; odp < DP_MAX_PORTS; odp++) {
        if (odp_is_free(dp, odp)) {
            return odp;
        }
    }
    return ODPP_NONE;
}

static void
port_free(struct dp_port *port)
{
    policer_free_deferred(port->rx_policer);
    policer_free_deferred(port->tx_policer);
    free(port->qos_queues);
    free(port->rxqs);
    free(port->affinity);
    free(port->name);
    free(port->type);
    free(port);
}

int
dp_port_add(struct dp *dp, struct netdev *netdev, odp_port_t wanted, odp_port_t *out, char **errorp)
{
    odp_port_t odp = dp_choose_odp(dp, wanted, netdev_name(netdev));
    struct dp_port *port;
    int error;

    *errorp = NULL;
    if (odp == ODPP_NONE) {
        dp->n_ports_refused++;
        *errorp = xasprintf("no free datapath port number: %d ports at most", DP_MAX_PORTS - 1);
        return -EFBIG;
    }
    port = xzalloc(sizeof *port);
    port->dp = dp;
    port->netdev = netdev;
    port->odp = odp;
    port->emc_enable = true;
    port->name = xstrdup(netdev_name(netdev));
    port->type = xstrdup(netdev_type(netdev));
    if (netdev_poll(netdev) == NETDEV_POLL_SPIN) {
        // Threads first: their number is the number of send queues.
        dp->n_spin_ports++;
        dp_update_threads(dp);
    }
    error = netdev_poll(netdev) == NETDEV_POLL_NONE ? 0 : port_configure(dp, port, errorp);
    if (error) {
        if (netdev_poll(netdev) == NETDEV_POLL_SPIN) {
            dp->n_spin_ports--;
            dp->want_reconfigure = true;
        }
        port_free(port);
        return error;
    }
    for (unsigned i = 0; i < PMD_MAX; i++) {
        struct pmd *pmd = rcu_get_protected(&dp->pmds[i]);
        if (pmd) {
            dp_port_give_tx(dp, port, pmd);
        }
    }
    upcall_port_add(dp, odp);
    port_make_rxqs(port);
    rcu_assign(&dp->ports[odp], port);
    dp->most_ports = MAX(dp->most_ports, ++dp->n_ports);
    rxq_schedule(dp, false);
    *out = odp;
    coverage_inc(dpif_port_add);
    return 0;
}

void
dp_ports_del(struct dp *dp, const odp_port_t *odps, size_t n)
{
    struct dp_port **ports = xcalloc(n, sizeof *ports);
    odp_port_t *found = xcalloc(n, sizeof *found);
    bool spun = false;
    size_t n_found = 0;

    for (size_t i = 0; i < n; i++) {
        struct dp_port *port = dp_port_find(dp, odps[i]);
        if (port) {
            found[n_found] = odps[i];
            ports[n_found++] = port;
        }
    }
    if (n_found) {
        ports_withdraw_rxqs(dp, ports, n_found);
        for (size_t i = 0; i < n_found; i++) {
            coverage_inc(dpif_port_del);
            rcu_assign(&dp->ports[found[i]], NULL);
            dp->n_ports--;
        }
        ports_take_tx(dp, found, n_found);
        upcall_ports_del(dp, found, n_found);
        for (size_t i = 0; i < n_found; i++) {
            port_free_rxqs(ports[i]);
            if (netdev_poll(ports[i]->netdev) == NETDEV_POLL_SPIN) {
                dp->n_spin_ports--;
                spun = true;
            }
        }
        if (spun) {
            dp_update_threads(dp);
        }
        rcu_synchronize();
    }
    for (size_t i = 0; i < n_found; i++) {
        port_free(ports[i]);
    }
    free(found);
    free(ports);
}

void
dp_port_del(struct dp *dp, odp_port_t odp)
{
    dp_ports_del(dp, &odp, 1);
}

// Sending stops too: the device has no queues meanwhile.
int
dp_port_reconfigure(struct dp *dp, odp_port_t odp, char **errorp)
{
    struct dp_port *port = dp_port_find(dp, odp);
    int error;

    *errorp = NULL;
    if (!port) {
        return -ENODEV;
    }
    ports_withdraw_rxqs(dp, &port, 1);
    ports_take_tx(dp, &odp, 1);
    port_free_rxqs(port);
    error = netdev_poll(port->netdev) == NETDEV_POLL_NONE ? 0 : port_configure(dp, port, errorp);
    if (!error) {
        for (unsigned i = 0; i < PMD_MAX; i++) {
            struct pmd *pmd = rcu_get_protected(&dp->pmds[i]);
            if (pmd) {
                dp_port_give_tx(dp, port, pmd);
            }
        }
        port_make_rxqs(port);
        rxq_schedule(dp, false);
    }
    return error;
}

// --- questions and settings -----------------------------------------------------------------

bool
dp_port_name(const struct dp *dp, odp_port_t odp, char *buf, size_t size)
{
    struct dp_port *port = dp_port_find(dp, odp);

    if (!port) {
        if (odp == 0) {
            str_copy(buf, dp->name, size);
        }
        return odp == 0;
    }
    str_copy(buf, port->name, size);
    return true;
}

odp_port_t
dp_port_by_name(const struct dp *dp, const char *name)
{
    DP_FOREACH_PORT (port, dp) {
        if (!strcmp(port->name, name)) {
            return port->odp;
        }
    }
    return strcmp(name, dp->name) ? ODPP_NONE : 0;
}

static void
port_set_emc(struct dp_port *port, bool enable)
{
    port->emc_enable = enable;
    for (unsigned i = 0; i < port->n_rxq; i++) {
        atomic_store_explicit(&port->rxqs[i]->emc_enable, enable, memory_order_relaxed);
    }
}

void
dp_port_set_config(struct dp *dp, odp_port_t odp, const struct smap *other_config)
{
    struct dp_port *port = dp_port_find(dp, odp);
    const char *affinity = smap_get(other_config, "pmd-rxq-affinity");

    if (!port) {
        return;
    }
    port_set_emc(port, smap_get_bool(other_config, "emc-enable", true));
    if (!strcmp(affinity ? affinity : "", port->affinity ? port->affinity : "")) {
        return;
    }
    free(port->affinity);
    port->affinity = xstrdup_null(affinity);
    for (unsigned i = 0; i < port->n_rxq; i++) {
        port->rxqs[i]->pinned_core = rxq_affinity_core(port->affinity, i);
    }
    dp->want_schedule = true;
}
