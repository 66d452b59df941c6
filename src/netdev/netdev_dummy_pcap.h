// SPDX-License-Identifier: Apache-2.0
//
// The files of a dummy port's options:tx_pcap, rxq_pcap and pcap.
#ifndef NETDEV_NETDEV_DUMMY_PCAP_H
#define NETDEV_NETDEV_DUMMY_PCAP_H

#include <pthread.h>
#include <stdbool.h>

struct rte_mbuf;

struct dummy_pcap {
    pthread_mutex_t lock;    // the two descriptors
    int tx_fd, rx_fd;        // -1: none
    char *tx_path, *rx_path; // main
};

void dummy_pcap_init(struct dummy_pcap *);
void dummy_pcap_fini(struct dummy_pcap *);
// Main thread: creates the files; NULL: none; one path for both: one file.  Those that are in use
// already go on.
void dummy_pcap_set(struct dummy_pcap *, const char *tx_path, const char *rx_path);
// Appends a frame, where there is a file for its direction.  Any thread.
void dummy_pcap_write(struct dummy_pcap *, bool rx, const struct rte_mbuf *);

#endif
