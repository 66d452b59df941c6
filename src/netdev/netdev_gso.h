// SPDX-License-Identifier: Apache-2.0
//
// Frames as the kernel hands them over with a virtio_net_hdr: checksums that are only begun, and
// TCP or UDP super-frames of up to 64 kB.  Completes the former and cuts the latter into frames of
// the segment size, also inside VXLAN, Geneve and GRE.  Pure functions on bytes; any thread.
//
// The header comes from the kernel or from a guest: every offset is checked against the frame.
#ifndef NETDEV_NETDEV_GSO_H
#define NETDEV_NETDEV_GSO_H

#include <linux/virtio_net.h>

#include "base/util.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5 // since Linux 6.2
#endif

// A super-frame and how far it has been cut.
struct netdev_super {
    const uint8_t *frame; // borrowed until the last segment has been made
    uint32_t len;
    uint32_t outer_l3, outer_udp; // 0 without a tunnel; outer_udp 0 for GRE
    uint32_t l3, l4;              // of the TCP or UDP that is cut
    uint32_t header_len;          // all headers
    uint32_t payload;             // cursor: where the next segment's payload begins
    uint32_t n_made;
    uint16_t segment_size;
    bool is_tcp;
    bool is_v6, outer_is_v6;
};

// Completes the checksum that 'hdr' (VIRTIO_NET_HDR_F_NEEDS_CSUM) speaks of.  0 or -EINVAL.
int netdev_complete_csum(uint8_t *frame, uint32_t len, const struct virtio_net_hdr *hdr);

// Checks that 'frame' is what hdr->gso_type says.  0, or -EINVAL: the frame must be dropped.
int netdev_super_init(struct netdev_super *, const uint8_t *frame, uint32_t len,
                      const struct virtio_net_hdr *hdr);
// Bytes of the next segment, 0 when all have been made.
uint32_t netdev_super_next_len(const struct netdev_super *);
// Writes the next segment, with all lengths and checksums right, to 'out', which has room for
// netdev_super_next_len() bytes.
void netdev_super_next(struct netdev_super *, uint8_t *out);

#endif
