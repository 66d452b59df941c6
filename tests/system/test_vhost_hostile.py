# SPDX-License-Identifier: Apache-2.0
"""A guest that writes anything into its rings while its neighbours exchange frames.

Each torture runs beside two honest drivers: nothing ends, and they lose nothing.  What DPDK's vhost
library must check is tried by name: lengths that underflow (CVE-2026-86566), indirect tables that
change (CVE-2026-93683), in-flight tables that do not fit (CVE-2026-86565), memory that is not there
(CVE-2026-86561), logs that begin elsewhere (CVE-2026-86563), forged checksum offsets (CVE-2024-11614).
"""
import contextlib
import itertools
import os
import random
import socket
import struct
import threading
import time

import pytest

import vhost_frontend as vf
from switchlib import wait_for
from test_vhost_protocol import (OFFLOADS, add_server, begin, connect, drivers, ether,  # noqa: F401
                                 super_header, tcp)
from vhost_frontend import Driver, Frontend

SECONDS = float(os.environ.get("TORTURE_SECONDS", "0.6"))
TOP = (1 << 64) - 1
NEXT, WRITE, INDIRECT = 1, 2, 4


class Neighbours:
    """Two honest drivers; every frame from one must reach the other."""

    def __init__(self, sw, drivers):
        self.sw = sw
        self.a, self.b = (connect(sw, drivers, name) for name in "ab")
        self.numbers = itertools.count()

    def exchange(self, n=20):
        wanted = [struct.pack(">I", next(self.numbers)) for _ in range(n)]
        self.a.send(*[ether(src=b"\2\0\0\0\0\7", payload=w.ljust(60)) for w in wanted])
        got = []

        def all_came():
            got.extend(f[14:18] for _, f in self.b.receive() if f[6:12] == b"\2\0\0\0\0\7")
            return set(wanted) <= set(got)

        wait_for(all_came, 20, "the neighbour's frames")
        assert self.sw.proc.poll() is None


class Torturer(Driver):
    """Descriptors by chance, biased to where mistakes are made."""

    def __init__(self, path, rng, features, **kw):
        super().__init__(path, features=features, **kw)
        self.rng = rng

    def address(self):
        r = self.rng
        return r.choice((0, self.rx.data, self.tx.data, self.size - 1, self.size - 8, self.size,
                         self.size + 4096, TOP, TOP - 11, 1 << 63, r.getrandbits(64),
                         r.randrange(self.size))) & TOP

    def length(self):
        return self.rng.choice((0, 1, 5, 10, 11, 12, 13, 25, 26, 60, 74, 1514, 4096, 65535, 65548,
                                0x7fffffff, 0xfffffff0, 0xffffffff, self.rng.getrandbits(32)))

    def table(self, at, n):
        for i in range(n):
            struct.pack_into("<QIHH", self.mem, at + 16 * i, self.address(), self.length(),
                             self.rng.choice((0, NEXT, NEXT, WRITE, NEXT | WRITE, INDIRECT, 7)),
                             self.rng.choice((i + 1, i, 0, n, self.rng.getrandbits(16))) & 0xffff)

    def split_step(self, ring):
        r = self.rng
        self.table(ring.desc, self.N)
        for i in range(0, self.N, 8):  # and some that point to tables
            at = ring.data + 4096 * r.randrange(16)
            self.table(at, 16)
            struct.pack_into("<QIHH", self.mem, ring.desc + 16 * i, at,
                             r.choice((0, 1, 15, 16, 17, 64, 256, 4096, 65536, 0xfffffff0)),
                             INDIRECT | r.choice((0, NEXT, WRITE)), 0)
        for _ in range(r.choice((1, 16, 256))):
            ring.offer(r.choice((r.randrange(self.N), r.getrandbits(16))))
        if r.random() < 0.1:
            ring.avail_idx = r.getrandbits(16)

    def packed_step(self, ring):
        r = self.rng
        for i in range(self.N):
            struct.pack_into("<QIHH", self.mem, ring.desc + 16 * i, self.address(), self.length(),
                             r.choice((i, 0, r.getrandbits(16))),
                             r.choice((0, NEXT, WRITE, INDIRECT, NEXT | WRITE))
                             | r.choice((0, 1 << 7, 1 << 15, 1 << 7 | 1 << 15)))


SHAPES = {
    "split": (vf.INDIRECT,),
    "offloads": (vf.INDIRECT,) + OFFLOADS,
    "packed": (vf.INDIRECT, vf.PACKED),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_rings_by_chance(sw, drivers, shape):  # noqa: F811
    begin(sw, *(["other_config:userspace-tso-enable=true"] if shape == "offloads" else []))
    near = Neighbours(sw, drivers)
    path = add_server(sw, "h")
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(int(os.environ.get("SEED", seed)))
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        h = Torturer(path, rng, SHAPES[shape], fill=False)
        for _ in range(4):
            for ring in h.rings:
                (h.packed_step if "packed" == shape else h.split_step)(ring)
            near.exchange()
        h.close()
    near.exchange(200)


def test_receive_buffers_that_are_too_small(sw, drivers):  # noqa: F811
    """Runt buffers around the lengths of the virtio and the Ethernet header, alone and in chains."""
    begin(sw)
    near = Neighbours(sw, drivers)
    path = add_server(sw, "h")
    for mergeable in (True, False):
        for length in (0, 1, 5, 10, 11, 12, 13, 14, 20, 25, 26, 27, 40):
            h = Driver(path, fill=False)
            if not mergeable:
                h.set_features(h.features & ~(1 << vf.MRG_RXBUF))
            for i in range(h.N):
                chained = i % 2 == 0
                h.rx.describe(i, h.rx.data + 64 * i, length, WRITE | (NEXT if chained else 0), i + 1)
                if i % 2 == 0:
                    h.rx.offer(i)
            near.exchange()
            h.close()
    near.exchange(100)


def test_lengths_that_change(sw, drivers):  # noqa: F811
    """Indirect tables and descriptors are rewritten by another thread all the time."""
    begin(sw)
    near = Neighbours(sw, drivers)
    h = Driver(add_server(sw, "h"), features=(vf.INDIRECT,), fill=False)
    drivers.append(h)
    stop = threading.Event()

    def flip():
        good = struct.pack("<QIHH", h.tx.data, 76, 0, 0)
        bad = struct.pack("<QIHH", h.size - 16, 0xfffffff0, NEXT, 60000)
        table = h.tx.data + 0x8000
        outer = [struct.pack("<QIHH", table, n, INDIRECT, 0) for n in (16, 0xfffffff0, 0, 17)]
        for i in itertools.count():
            h.mem[table:table + 16] = good if i % 2 else bad
            h.mem[h.tx.desc:h.tx.desc + 16] = outer[i % 4]
            h.mem[h.tx.desc + 16:h.tx.desc + 32] = good if i % 2 else bad
            h.mem[h.rx.desc:h.rx.desc + 16] = struct.pack("<QIHH", h.rx.data, 11 + i % 5000, WRITE, 0)
            if stop.is_set():
                return

    flipper = threading.Thread(target=flip)
    flipper.start()
    try:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for k in range(64):
                h.tx.offer(k % 2)
                h.rx.offer(0)
            near.exchange()
    finally:
        stop.set()
        flipper.join()
    near.exchange(100)


def test_messages_out_of_turn(sw, drivers):  # noqa: F811
    """Logs, memory and ring addresses that change under running rings."""
    begin(sw)
    near = Neighbours(sw, drivers)
    path = add_server(sw, "h")
    rng = random.Random(7)
    fd = os.memfd_create("small")
    os.ftruncate(fd, 8192)
    for i in range(30):
        h = Driver(path, features=(vf.INDIRECT, vf.LOG_ALL))
        messages = [
            lambda: h.fe.send(vf.SET_LOG_BASE, struct.pack("<QQ", rng.choice((0, 1, 8192, TOP)),
                                                           rng.choice((0, 4096, TOP))), [fd]),
            lambda: h.set_features(rng.getrandbits(40)),
            lambda: h.set_memory([(0, rng.choice((4096, h.size, h.size * 4)), fd)]),
            lambda: h.fe.send(vf.SET_VRING_NUM, struct.pack("<II", rng.randrange(4),
                                                            rng.choice((0, 1, 7, 32768, 65536)))),
            lambda: h.fe.send(vf.SET_VRING_BASE, struct.pack("<II", rng.randrange(4),
                                                             rng.getrandbits(32))),
            lambda: h.fe.send(vf.GET_VRING_BASE, struct.pack("<II", rng.randrange(300), 0)),
            lambda: h.fe.send(vf.SET_VRING_ADDR, struct.pack(
                "<IIQQQQ", rng.randrange(3), rng.randrange(2),
                *(rng.choice((0, 1, vf.USER, vf.USER + h.size - 8, TOP)) for _ in range(4)))),
            lambda: h.enable(rng.randrange(300), rng.randrange(2)),
            lambda: h.fe.send(vf.SET_VRING_KICK, struct.pack("<Q", rng.choice((0, 1, 256, 999)))),
        ]
        for _ in range(12):
            rng.choice(messages)()
        near.exchange(5)
        h.close()
    os.close(fd)
    near.exchange(100)


def test_in_flight_tables(sw, drivers):  # noqa: F811
    """Nobody offers them: the one that is asked for would take all memory, the one that is sent is
    shorter than it says (CVE-2026-86565)."""
    begin(sw)
    near = Neighbours(sw, drivers)
    path = add_server(sw, "h")
    fd = os.memfd_create("table")
    os.ftruncate(fd, 8192)
    fds = "/proc/%d/fd" % sw.pid
    for i in range(20):
        h = Driver(path)
        if i == 4:
            before = len(os.listdir(fds))
        if i % 2:
            h.fe.send(vf.GET_INFLIGHT_FD, struct.pack("<QQHHI", 0, 0, 256, 65535, 0))
        else:
            h.fe.send(vf.SET_INFLIGHT_FD, struct.pack("<QQHHI", 4096, 0, 256, 65000, 0), [fd])
        near.exchange(5)
        with contextlib.suppress(ConnectionResetError):
            assert h.fe.s.recv(1) == b""
        h.close()
    os.close(fd)
    assert len(os.listdir(fds)) <= before + 8  # what was sent has been closed
    near.exchange(100)


def test_giant_frames(sw, drivers):  # noqa: F811
    """A frame as long as a chain of descriptors can be takes no buffers, which are everybody's, and no
    time; what is no longer than TCP makes it passes."""
    begin(sw, "other_config:userspace-tso-enable=true")
    near = Neighbours(sw, drivers)
    h = connect(sw, drivers, "h", features=OFFLOADS)
    n = 60
    for head in range(0, 4 * n, n):
        for i in range(n):
            h.tx.describe(head + i, 0, h.size, NEXT if i + 1 < n else 0, head + i + 1)
    for i in range(100):
        h.tx.offer(i % 4 * n)
        if i % 10 == 0:
            near.exchange()
    wait_for(lambda: len(h.tx.reap()) == 0 and h.tx.used_idx == h.tx.avail_idx, 20, "the chains")
    with open(sw.log, encoding="utf-8") as f:
        assert "failed to allocate memory for mbuf" not in f.read()
    # 45 segments of a usual size; another one's ring has room for all of them.
    frame = tcp(os.urandom(45 * 1448), whole=False)
    near.b.receive()
    h.send(frame, header=super_header(False))
    got = b""
    while len(got) < 45 * 1448:
        got += b"".join(f[54:] for _, f in near.b.expect(1) if f[12:14] == b"\x08\0")
    assert got == frame[54:]


def test_a_log_that_begins_within_its_file(sw, drivers):  # noqa: F811
    """The library would mark pages as far behind the log (CVE-2026-86563)."""
    begin(sw)
    near = Neighbours(sw, drivers)
    h = connect(sw, drivers, "h", features=(vf.LOG_ALL,))
    fd = os.memfd_create("log")
    os.ftruncate(fd, 1 << 46)
    h.set_features(h.features & ~(1 << vf.LOG_ALL))
    h.fe.send(vf.SET_LOG_BASE, struct.pack("<QQ", h.size // 4096, 1 << 45), [fd])
    os.close(fd)
    h.set_features(h.features)
    h.set_address(h.rx, log=h.rx.used)
    near.exchange(100)  # floods to h, too
    with contextlib.suppress(ConnectionResetError):
        assert h.fe.s.recv(1) == b""


def test_a_refused_file_comes_again(sw, drivers):  # noqa: F811
    """The descriptor of what one port was refused is not closed under another that sent the same."""
    begin(sw)
    near = Neighbours(sw, drivers)
    h = connect(sw, drivers, "h", features=(vf.LOG_ALL,))
    b = near.b
    for i in range(3):
        # With an answer asked for the connection lasts, and with it no number becomes free.
        assert h.fe.ask(vf.SET_LOG_BASE, struct.pack("<QQ", 4096, 4096), [b.fd],
                        flags=vf.NEED_REPLY) == 1
        regions = [(0, b.size, b.fd), (1 << 32, 4096 << i, b.fd)]  # other than before
        assert b.fe.ask(vf.SET_MEM_TABLE, *b.memory_table(regions), flags=vf.NEED_REPLY) == 0
        near.exchange()


def test_a_refused_table_leaves_nothing(sw, drivers):  # noqa: F811
    """Of files that came for a table that the library then refused (one too many, and it answers) the next table,
    of another guest, neither has one nor finds them in its way."""
    begin(sw)
    near = Neighbours(sw, drivers)
    h, b = connect(sw, drivers, "h"), near.b
    for i in range(3):
        table, fds = h.memory_table([(k << 32, b.size, h.fd) for k in range(7)])
        assert h.fe.ask(vf.SET_MEM_TABLE, table, fds + [h.fd], flags=vf.NEED_REPLY) == 1
        regions = [(0, b.size, b.fd), (1 << 32, 4096 << i, b.fd)]  # other than before
        assert b.fe.ask(vf.SET_MEM_TABLE, *b.memory_table(regions), flags=vf.NEED_REPLY) == 0
        near.exchange()


def test_more_memory_than_there_are_addresses(sw, drivers):  # noqa: F811
    """A guest with as much memory as has a place: the switch has room for its own, and for other guests'."""
    begin(sw)
    near = Neighbours(sw, drivers)
    h = connect(sw, drivers, "h")
    fd, regions = os.memfd_create("sparse"), []
    os.ftruncate(fd, 1 << 47)
    for i in range(8):  # each takes the longest place that there still is
        size = 0
        for bit in range(46, 20, -1):
            h.set_memory([(0, 4096, h.fd)])
            more = [(i << 48, size + (1 << bit), fd)]
            if h.fe.ask(vf.SET_MEM_TABLE, *h.memory_table(regions + more), flags=vf.NEED_REPLY) == 0:
                size += 1 << bit
        regions += [(i << 48, size, fd)] if size else []
    assert regions[0][1] >= 1 << 39  # so much a guest may have
    h.set_memory([(0, 4096, h.fd)])
    assert h.fe.ask(vf.SET_MEM_TABLE, *h.memory_table(regions), flags=vf.NEED_REPLY) == 0
    os.close(fd)
    near.exchange()
    for name in ("c", "d"):
        connect(sw, drivers, name)
    near.exchange()


def test_endless_kicks_and_connections(sw, drivers):  # noqa: F811
    """Events that never stop, and a thousand connections, cost the neighbours nothing."""
    begin(sw)
    near = Neighbours(sw, drivers)
    path = add_server(sw, "h")
    h = Driver(path)
    kick = os.eventfd(0)
    h.fe.send(vf.SET_VRING_KICK, struct.pack("<Q", 1), [kick])
    stop = threading.Event()

    def storm():
        while not stop.is_set():
            try:
                os.eventfd_write(kick, 1)
            except OSError:
                return

    stormer = threading.Thread(target=storm)
    stormer.start()
    try:
        for _ in range(10):
            for _ in range(100):
                Frontend(path).close()
            near.exchange()
    finally:
        stop.set()
        stormer.join()
        os.close(kick)
    h.close()
    again = Driver(path)
    drivers.append(again)
    # Its link comes up when it does: frames until then are not for it.
    wait_for(lambda: near.exchange() or again.receive(), 20, "frames after it came back")


class Hollow(Driver):
    """Its rings are sound, its buffers lie in a second region of 512 MB that a file lacks."""
    HOLE, AT = 512 << 20, 1 << 32

    def set_memory(self, regions):
        self.hole = os.memfd_create("hole")
        super().set_memory(regions + [(self.AT, self.HOLE, self.hole)])
        os.close(self.hole)


def test_buffers_in_a_hole(sw, drivers):  # noqa: F811
    """Each frame lies in another page that is not there, more of them than a process can map."""
    begin(sw)
    near = Neighbours(sw, drivers)
    path = add_server(sw, "h")
    for _ in range(2):  # the second time it connects again
        h = Hollow(path, fill=False)
        wait_for(lambda: sw.get("Interface", "h", "link_state") == "up", 20, "h to connect")
        pages = itertools.count(0, 2)
        for ring, flags in ((h.tx, 0), (h.rx, WRITE)):
            for _ in range(4):
                for i in range(h.N):
                    ring.describe(i, h.AT + 4096 * next(pages), 2048, flags)
                    ring.offer(i)
                near.exchange()
        wait_for(lambda: sw.ofctl("dump-ports", "br0")
                 and sw.get("Interface", "h", "link_state") == "down", 20, "the guest to be left alone")
        h.close()
    assert "h: the guest's memory is not all there" in logged(sw)
    d = Driver(path)  # an honest one at the same socket
    drivers.append(d)
    wait_for(lambda: near.exchange() or d.receive(), 20, "frames for an honest guest")


def logged(sw):
    with open(sw.log) as f:
        return f.read()


def full(kind):
    """Two ends of something that a write waits on until somebody reads the first."""
    if kind == "eventfd":
        fd = os.eventfd(0)
        os.eventfd_write(fd, TOP - 1)
        return fd, fd
    if kind == "pipe":
        ends = os.pipe()
    else:
        ends = [s.detach() for s in socket.socketpair()]
    os.set_blocking(ends[1], False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(ends[1], bytes(4096))
    os.set_blocking(ends[1], True)
    return ends


@pytest.mark.parametrize("kind", ("eventfd", "pipe", "socket"))
def test_interrupts_that_nobody_takes(sw, drivers, kind):  # noqa: F811
    """What was given for interrupts would stop whoever writes to it, in both directions."""
    begin(sw)
    near = Neighbours(sw, drivers)
    ends = full(kind)
    try:
        h = connect(sw, drivers, "h")
        for ring in h.rings:
            h.fe.send(vf.SET_VRING_CALL, struct.pack("<Q", ring.index), [ends[1]])
        frame = ether(src=b"\2\0\0\0\0\x0b", payload=bytes(60))
        near.a.send(*[frame] * 8)
        h.expect(8)  # so an interrupt was due
        h.send(frame)
        wait_for(lambda: h._sent(h.tx), 10, "the frame to be taken")
        near.exchange(200)
        if kind != "eventfd":
            sw.ofctl("dump-ports", "br0")  # main comes by
            assert "|h: " in logged(sw) and "is no eventfd" in logged(sw)
        sw.vsctl("del-port", "br0", "h")
        near.exchange()
    finally:
        for end in set(ends):
            os.close(end)  # frees whoever waits there


def test_interrupts_by_the_hundred(sw, drivers):  # noqa: F811
    """More signals (two for each frame) than one thread's context holds: each arrives."""
    begin(sw)
    a, b = (connect(sw, drivers, name) for name in "ab")
    call = os.eventfd(0, os.EFD_NONBLOCK)
    b.fe.send(vf.SET_VRING_CALL, struct.pack("<Q", 0), [call])
    wait_for(lambda: a.send(ether(payload=bytes(60))) or b.receive() and has_signal(call), 20,
             "the new descriptor")
    for i in range(100):
        a.send(ether(payload=bytes(60)))
        b.expect(1)
        wait_for(lambda: has_signal(call), 10, "interrupt %d" % i)
    os.close(call)


def has_signal(fd):
    try:
        return os.eventfd_read(fd) > 0
    except BlockingIOError:
        return False
