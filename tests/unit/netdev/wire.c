// SPDX-License-Identifier: Apache-2.0
//
// A cable between two devices: what comes from one goes to the other, until standard input ends or
// a line says what to do ("stats", "mtu DEV N", "close").  The system tests of src/netdev drive it
// with real traffic from network namespaces; each line is answered with lines and an empty one.
//
// usage: wire [--dpdk=EXTRA] TYPE:NAME[:KEY=VALUE[;KEY=VALUE...]] TYPE:NAME...
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rcu.h"
#include "netdev/netdev.h"

static struct netdev *ends[2];
static bool stop;

static void
fail(const char *what, char *text)
{
    printf("error: %s: %s\n\n", what, text != NULL ? text : "?");
    fflush(stdout);
    free(text);
}

static bool
open_end(struct netdev **end, const char *spec)
{
    char *copy = xstrdup(spec), *save = NULL, *error = NULL;
    char *type = strtok_r(copy, ":", &save), *name = strtok_r(NULL, ":", &save);
    char *options = save;
    struct smap config = SMAP_INIT, other = SMAP_INIT;
    bool needs, ok = false;

    for (char *o; options != NULL && (o = strsep(&options, ";")) != NULL;) {
        char *value = strchr(o, '=');
        if (value != NULL) {
            *value++ = '\0';
            smap_put(&config, o, value);
        }
    }
    *end = netdev_open(name, type, &error);
    if (*end == NULL) {
        fail("open", error);
    } else if (netdev_set_config(*end, &config, &other, &needs, &error) != 0) {
        fail("set_config", error);
    } else if (netdev_reconfigure(*end, 2, &error) != 0) {
        fail("reconfigure", error);
    } else {
        ok = true;
    }
    smap_destroy(&config);
    smap_destroy(&other);
    free(copy);
    return ok;
}

static void
print_custom(const char *name, uint64_t value, void *aux)
{
    printf("custom %s %llu\n", name, (unsigned long long)value);
}

static void
print_end(struct netdev *netdev)
{
    struct netdev_stats s;
    struct netdev_link link;
    struct rte_ether_addr mac = {0};
    char mac_text[RTE_ETHER_ADDR_FMT_SIZE];
    struct smap map = SMAP_INIT;
    struct str text = STR_INIT;

    netdev_get_stats(netdev, &s);
    netdev_get_link(netdev, &link);
    netdev_get_mac(netdev, &mac);
    rte_ether_format_addr(mac_text, sizeof(mac_text), &mac);
    printf("dev %s type %s mtu %d mac %s ifindex %d flags %d carrier %d resets %llu seq %llu\n",
           netdev_name(netdev), netdev_type(netdev), netdev_get_mtu(netdev), mac_text,
           netdev_get_ifindex(netdev), netdev_get_flags(netdev), link.carrier,
           (unsigned long long)link.resets, (unsigned long long)netdev_change_seq(netdev));
    printf("stats %s rx %llu %llu drop %llu err %llu tx %llu %llu drop %llu err %llu\n",
           netdev_name(netdev), (unsigned long long)s.rx_packets, (unsigned long long)s.rx_bytes,
           (unsigned long long)s.rx_dropped, (unsigned long long)s.rx_errors,
           (unsigned long long)s.tx_packets, (unsigned long long)s.tx_bytes,
           (unsigned long long)s.tx_dropped, (unsigned long long)s.tx_errors);
    netdev_get_status(netdev, &map);
    smap_format(&map, &text);
    printf("status %s\n", str_cstr(&text));
    smap_clear(&map);
    str_clear(&text);
    netdev_get_config(netdev, &map);
    smap_format(&map, &text);
    printf("config %s\n", str_cstr(&text));
    netdev_get_custom_stats(netdev, print_custom, NULL);
    smap_destroy(&map);
    str_free(&text);
}

static void
command(int fd, unsigned int events, void *aux)
{
    static char line[512];
    static size_t len;
    ssize_t n = read(fd, line + len, sizeof(line) - 1 - len);
    char name[64];
    int value;

    if (n <= 0) {
        stop = true;
        return;
    }
    len += (size_t)n;
    line[len] = '\0';
    for (char *end; (end = strchr(line, '\n')) != NULL;) {
        *end++ = '\0';
        if (strcmp(line, "stats") == 0) {
            print_end(ends[0]);
            print_end(ends[1]);
        } else if (sscanf(line, "mtu %63s %d", name, &value) == 2) {
            printf("%d\n", netdev_set_mtu(netdev_find(name), value));
        } else if (sscanf(line, "up %63s %d", name, &value) == 2) {
            printf("%d\n", netdev_set_flags(netdev_find(name), value ? 0 : NETDEV_UP,
                                            value ? NETDEV_UP : 0));
        } else if (strcmp(line, "close") == 0) {
            stop = true;
        }
        printf("\n");
        fflush(stdout);
        len -= (size_t)(end - line);
        memmove(line, end, len + 1);
    }
}

// Everything that waits on one end goes to the other.
static unsigned int
pass(struct netdev *from, struct netdev *to)
{
    struct rte_mbuf *mbufs[NETDEV_MAX_BURST];
    unsigned int total = 0;
    uint16_t n;

    do {
        n = netdev_rx_burst(from, 0, mbufs);
        if (n > 0) {
            netdev_tx_burst(to, 0, mbufs, n);
            total += n;
        }
    } while (n == NETDEV_MAX_BURST && total < 512);
    return total;
}

int
main(int argc, char *argv[])
{
    struct smap config = SMAP_INIT;
    struct loop *loop = loop_create("wire");
    struct loop_fd in = {0};
    char *error = NULL;
    int arg = 1;

    log_init("wire");
    rcu_init(8);
    rcu_thread_register();
    free(log_set_spec("any:console:info"));
    if (argc > arg && strncmp(argv[arg], "--dpdk", 6) == 0) {
        smap_put(&config, "dpdk-init", "true");
        smap_put(&config, "dpdk-extra", argv[arg][6] == '=' ? argv[arg] + 7 : "");
        arg++;
    }
    netdev_init(loop);
    if (dpdk_set_config(&config, &error) != 0) {
        fail("dpdk", error);
        return 1;
    }
    if (argc != arg + 2 || !open_end(&ends[0], argv[arg]) || !open_end(&ends[1], argv[arg + 1])) {
        return 1;
    }
    loop_fd_start(&in, loop, STDIN_FILENO, LOOP_READ, command, NULL);
    printf("ready\n\n");
    fflush(stdout);
    for (unsigned int i = 0; !stop; i++) {
        unsigned int n = pass(ends[0], ends[1]) + pass(ends[1], ends[0]);
        rcu_quiesce();
        if (n == 0 || i % 64 == 0) {
            loop_run_once(loop, n == 0 ? 1 : 0);
        }
        for (int e = 0; e < 2; e++) {
            if (netdev_wants_reconfigure(ends[e]) && netdev_reconfigure(ends[e], 2, &error) != 0) {
                fail("reconfigure", error);
            }
        }
    }
    loop_fd_stop(&in);
    netdev_close(ends[0]);
    netdev_close(ends[1]);
    netdev_fini();
    dpdk_stop();
    smap_destroy(&config);
    loop_destroy(loop);
    rcu_thread_unregister();
    rcu_fini();
    log_fini();
    return 0;
}
