// SPDX-License-Identifier: Apache-2.0
//
// What dummy ports send and receive, in files.  Under a lock, as this is for tests only.
#include "netdev/netdev_dummy_pcap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <rte_mbuf.h>

#include "base/log.h"
#include "base/util.h"

LOG_MODULE(netdev_dummy);

// The classic format of pcap-savefile(5): microseconds, Ethernet.
static int
pcap_create(const char *path)
{
    const struct {
        uint32_t magic;
        uint16_t major, minor;
        uint32_t zone, sigfigs, snaplen, linktype;
    } header = {0xa1b2c3d4, 2, 4, 0, 0, 0x40000, 1};
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd >= 0 && write(fd, &header, sizeof(header)) != (ssize_t)sizeof(header)) {
        close(fd);
        fd = -1;
    }
    if (fd < 0) {
        log_warn("%s: cannot write (%s)", path, err_str(errno));
    }
    return fd;
}

void
dummy_pcap_init(struct dummy_pcap *pcap)
{
    *pcap = (struct dummy_pcap){.tx_fd = -1, .rx_fd = -1};
    pthread_mutex_init(&pcap->lock, NULL);
}

void
dummy_pcap_fini(struct dummy_pcap *pcap)
{
    dummy_pcap_set(pcap, NULL, NULL);
    pthread_mutex_destroy(&pcap->lock);
}

static bool
same_path(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

void
dummy_pcap_set(struct dummy_pcap *pcap, const char *tx_path, const char *rx_path)
{
    if (same_path(tx_path, pcap->tx_path) && same_path(rx_path, pcap->rx_path)) {
        return;
    }
    pthread_mutex_lock(&pcap->lock);
    if (pcap->tx_fd >= 0) {
        close(pcap->tx_fd);
    }
    if (pcap->rx_fd >= 0) {
        close(pcap->rx_fd);
    }
    pcap->tx_fd = tx_path != NULL ? pcap_create(tx_path) : -1;
    pcap->rx_fd = -1;
    if (rx_path != NULL) {
        bool shared = same_path(tx_path, rx_path);
        pcap->rx_fd = shared ? fcntl(pcap->tx_fd, F_DUPFD_CLOEXEC, 0) : pcap_create(rx_path);
    }
    pthread_mutex_unlock(&pcap->lock);
    free(pcap->tx_path);
    free(pcap->rx_path);
    pcap->tx_path = xstrdup_null(tx_path);
    pcap->rx_path = xstrdup_null(rx_path);
}

void
dummy_pcap_write(struct dummy_pcap *pcap, bool rx, const struct rte_mbuf *m)
{
    pthread_mutex_lock(&pcap->lock);
    int fd = rx ? pcap->rx_fd : pcap->tx_fd;
    if (fd >= 0) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        uint32_t header[4] = {(uint32_t)now.tv_sec, (uint32_t)(now.tv_nsec / 1000), m->pkt_len,
                              m->pkt_len};
        struct iovec iov[1 + 64] = {{header, sizeof(header)}};
        int n = 1;
        for (; m != NULL && n < (int)ARRAY_SIZE(iov); m = m->next) {
            iov[n++] = (struct iovec){rte_pktmbuf_mtod(m, void *), m->data_len};
        }
        if (writev(fd, iov, n) < 0) {
            log_dbg("pcap: %s", err_str(errno));
        }
    }
    pthread_mutex_unlock(&pcap->lock);
}
