// SPDX-License-Identifier: Apache-2.0
//
// blast DEVICE KIND RATE SECONDS [SEED]: sends RATE hostile frames per second out of a network
// device, for the attack rows of the bench and for tests.  KIND is
//
//   tse     the tuple-space explosion: frames that differ from three allow-rules (see tse_rules()
//           of rows_attack.py) in one bit of each field, 32 x 16 x 16 shapes, random bits below
//   masks   32 of these shapes, over and over, so that all may have flows; the noise below changes,
//           so that no cache of exact matches knows them
//   tse6    the same in IPv6, 128 x 16 x 16 shapes
//   flows   no five-tuple comes twice
//   hash    five-tuples with one and the same MurmurHash3 of basis 0 (the hash, and the basis, of
//           the exact match cache of a well-known switch)
//   macs    a new source MAC address in each frame
//   same    one frame again and again: what receiving an attack costs by itself
//
// Prints how many frames the device took.  Runs until SECONDS are over; SIGTERM ends it early.
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_SIZE = 60, FRAME6_SIZE = 62, BATCH = 64, ALLOWED_SRC = 0x0a00000a };
enum { ALLOWED_SPORT = 12345, ALLOWED_DPORT = 80, SHAPES = 32 * 16 * 16, TICK_NS = 1000000 };

enum kind { KIND_TSE, KIND_MASKS, KIND_TSE6, KIND_FLOWS, KIND_HASH, KIND_MACS, KIND_SAME, N_KINDS };

struct tuple {
    uint32_t src, dst;  // of IPv6: the last 32 bits of the source
    uint32_t prefix[3]; // of IPv6: those before
    uint16_t sport, dport;
};

static volatile sig_atomic_t stopped;

static void
on_term(int sig)
{
    stopped = sig;
}

// splitmix64
static uint64_t
mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

// 'value' up to bit 'bit' (0 is the highest of 'width'), that bit flipped, noise below.
static uint32_t
differ_at(uint32_t value, unsigned bit, unsigned width, uint32_t noise)
{
    uint32_t flip = UINT32_C(1) << (width - 1 - bit);

    return ((value ^ flip) & ~(flip - 1)) | (noise & (flip - 1));
}

static struct tuple
shape_tuple(uint32_t shape, uint64_t noise)
{
    return (struct tuple){
        .src = differ_at(ALLOWED_SRC, shape % 32, 32, (uint32_t)noise),
        .dst = 0xc0a80101,
        .sport = (uint16_t)differ_at(ALLOWED_SPORT, shape / 32 % 16, 16, (uint32_t)(noise >> 32)),
        .dport = (uint16_t)differ_at(ALLOWED_DPORT, shape / 512, 16, (uint32_t)(noise >> 48)),
    };
}

static struct tuple
tse_tuple(uint64_t i, uint64_t seed)
{
    return shape_tuple((uint32_t)(i * 4099 % SHAPES), mix(i ^ seed));
}

static struct tuple
masks_tuple(uint64_t i, uint64_t seed)
{
    return shape_tuple((uint32_t)(i % 32), mix(i ^ seed));
}

// The three permits are for 2001:db8::a, port 80 and source port 12345.
static struct tuple
tse6_tuple(uint64_t i, uint64_t seed)
{
    uint32_t shape = (uint32_t)(i * 4099 % (4 * SHAPES)), bit = shape % 128;
    uint64_t noise = mix(i ^ seed), more = mix(noise);
    uint32_t src[4] = {0x20010db8, 0, 0, 10};

    src[bit / 32] = differ_at(src[bit / 32], bit % 32, 32, (uint32_t)noise);
    for (unsigned word = bit / 32 + 1; word < 4; word++) {
        src[word] = (uint32_t)(more >> 8 * word);
    }
    return (struct tuple){
        .prefix = {src[0], src[1], src[2]},
        .src = src[3],
        .sport = (uint16_t)differ_at(ALLOWED_SPORT, shape / 128 % 16, 16, (uint32_t)(noise >> 32)),
        .dport = (uint16_t)differ_at(ALLOWED_DPORT, shape / 2048, 16, (uint32_t)(noise >> 48)),
    };
}

// An odd multiplier and a bijection of the counter: 2^40 tuples before one repeats.
static struct tuple
flows_tuple(uint64_t i, uint64_t seed)
{
    uint64_t x = (i * UINT64_C(0x9e3779b97f) + seed) & UINT64_C(0xffffffffff);

    return (struct tuple){
        .src = 0x0a000000 | (uint32_t)(x & 0xffffff),
        .dst = 0xc0a80101,
        .sport = (uint16_t)(1024 + (x >> 24)),
        .dport = 80,
    };
}

// --- MurmurHash3 of 32-bit words, and its last step backwards -------------------------------

static uint32_t
rotl(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static uint32_t
murmur_word(uint32_t hash, uint32_t word)
{
    hash ^= rotl(word * 0xcc9e2d51, 15) * 0x1b873593;
    return rotl(hash, 13) * 5 + 0xe6546b64;
}

static uint32_t
inverse(uint32_t odd)
{
    uint32_t x = odd;

    for (int i = 0; i < 5; i++) {
        x *= 2 - odd * x;
    }
    return x;
}

// The word that takes 'hash' to 'target'.
static uint32_t
murmur_solve(uint32_t hash, uint32_t target)
{
    uint32_t k = rotl((target - 0xe6546b64) * inverse(5), 32 - 13) ^ hash;

    return rotl(k * inverse(0x1b873593), 32 - 15) * inverse(0xcc9e2d51);
}

// Addresses as they lie in memory, then the protocol, then both ports: the ports are free to solve
// for.
static struct tuple
hash_tuple(uint64_t i, uint64_t seed)
{
    struct tuple t = {.src = 0x0a000000 | (uint32_t)((i + seed) & 0xffffff), .dst = 0xc0a80101};
    uint32_t hash = murmur_word(murmur_word(murmur_word(0, htonl(t.src)), htonl(t.dst)), 17);
    uint32_t ports = murmur_solve(hash, 0x5eed5eed);
    uint16_t p[2];

    memcpy(p, &ports, sizeof p);
    t.sport = ntohs(p[0]);
    t.dport = ntohs(p[1]);
    return t;
}

// --- frames ---------------------------------------------------------------------------------

static uint16_t
ip_checksum(const uint8_t *p)
{
    uint32_t sum = 0;

    for (int i = 0; i < 20; i += 2) {
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t) ~(sum + (sum >> 16));
}

static void
put16(uint8_t *p, uint16_t x)
{
    p[0] = (uint8_t)(x >> 8);
    p[1] = (uint8_t)x;
}

static void
put32(uint8_t *p, uint32_t x)
{
    put16(p, (uint16_t)(x >> 16));
    put16(p + 2, (uint16_t)x);
}

static uint32_t
make_frame6(uint8_t *f, struct tuple t)
{
    static const uint8_t head[] = {
        2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60, 0, 0, 0, 0, FRAME6_SIZE - 54, 17, 64};

    memset(f, 0, FRAME6_SIZE);
    memcpy(f, head, sizeof head);
    for (unsigned i = 0; i < 3; i++) {
        put32(f + 22 + 4 * i, t.prefix[i]);
    }
    put32(f + 34, t.src);
    put32(f + 38, 0x20010db8);
    f[53] = 1;
    put16(f + 54, t.sport);
    put16(f + 56, t.dport);
    put16(f + 58, FRAME6_SIZE - 54);
    return FRAME6_SIZE;
}

// Returns the frame's size.
static uint32_t
make_frame(uint8_t *f, enum kind kind, uint64_t i, uint64_t seed)
{
    static const uint8_t head[] = {2,    0,    0,    0, 0, 2, 2, 0, 0,    0, 0,  1,
                                   0x08, 0x00, 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17};
    if (kind == KIND_TSE6) {
        return make_frame6(f, tse6_tuple(i, seed));
    }
    struct tuple t = kind == KIND_TSE     ? tse_tuple(i, seed)
                     : kind == KIND_MASKS ? masks_tuple(i, seed)
                     : kind == KIND_HASH  ? hash_tuple(i, seed)
                     : kind == KIND_FLOWS ? flows_tuple(i, seed)
                                          : flows_tuple(0, seed);

    memset(f, 0, FRAME_SIZE);
    memcpy(f, head, sizeof head);
    if (kind == KIND_MACS) {
        uint64_t noise = mix(i ^ seed);
        memcpy(f + 7, &noise, 5);
    }
    put16(f + 16, FRAME_SIZE - 14);
    put32(f + 26, t.src);
    put32(f + 30, t.dst);
    put16(f + 24, ip_checksum(f + 14));
    put16(f + 34, t.sport);
    put16(f + 36, t.dport);
    put16(f + 38, FRAME_SIZE - 34);
    return FRAME_SIZE;
}

static unsigned
send_frames(int fd, enum kind kind, uint64_t from, unsigned n, uint64_t seed)
{
    static uint8_t frames[BATCH][FRAME6_SIZE];
    struct mmsghdr msgs[BATCH];
    struct iovec iov[BATCH];
    int sent;

    memset(msgs, 0, sizeof msgs);
    for (unsigned i = 0; i < n; i++) {
        iov[i] = (struct iovec){frames[i], make_frame(frames[i], kind, from + i, seed)};
        msgs[i].msg_hdr.msg_iov = &iov[i];
        msgs[i].msg_hdr.msg_iovlen = 1;
    }
    sent = sendmmsg(fd, msgs, n, 0);
    return sent < 0 ? 0 : (unsigned)sent;
}

static int
open_device(const char *name)
{
    struct sockaddr_ll sll = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name)};
    int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1;

    if (fd < 0 || !sll.sll_ifindex || bind(fd, (struct sockaddr *)&sll, sizeof sll)) {
        fprintf(stderr, "blast: %s: %s\n", name, strerror(errno));
        exit(1);
    }
    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
    return fd;
}

static uint64_t
now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

// What is due is sent each millisecond; what could not be sent in time is not made up for.
static void
run(int fd, enum kind kind, double rate, double seconds, uint64_t seed)
{
    uint64_t start = now_ns(), i = 0, sent = 0;

    for (uint64_t now = start; !stopped && now < start + (uint64_t)(seconds * 1e9);
         now = now_ns()) {
        uint64_t due = (uint64_t)((double)(now - start) / 1e9 * rate);
        if (due > i + (uint64_t)rate / 10 + BATCH) {
            i = due - BATCH;
        }
        while (i < due && !stopped) {
            unsigned n = due - i < BATCH ? (unsigned)(due - i) : BATCH;
            sent += send_frames(fd, kind, i, n, seed);
            i += n;
        }
        nanosleep(&(struct timespec){.tv_nsec = TICK_NS}, NULL);
    }
    printf("%" PRIu64 "\n", sent);
}

int
main(int argc, char *argv[])
{
    static const char *const names[N_KINDS] = {"tse",  "masks", "tse6", "flows",
                                               "hash", "macs",  "same"};
    struct sigaction sa = {.sa_handler = on_term};

    if (argc != 5 && argc != 6) {
        fprintf(stderr,
                "usage: blast DEVICE tse|masks|tse6|flows|hash|macs|same RATE SECONDS [SEED]\n");
        return 2;
    }
    sigaction(SIGTERM, &sa, NULL);
    for (unsigned kind = 0; kind < N_KINDS; kind++) {
        if (!strcmp(argv[2], names[kind])) {
            run(open_device(argv[1]), (enum kind)kind, atof(argv[3]), atof(argv[4]),
                argc == 6 ? strtoull(argv[5], NULL, 0) : 1);
            return 0;
        }
    }
    fprintf(stderr, "blast: no such kind: %s\n", argv[2]);
    return 2;
}
