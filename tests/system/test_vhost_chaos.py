# SPDX-License-Identifier: Apache-2.0
"""Messages of every kind in orders that no front-end sends them, under running rings and beside two honest drivers,
who lose nothing.  With a relay it is the first to read them, without one DPDK's library.

Where it matters what comes of it, a test of its own says so: see also test_vhost_protocol.py for what is right.
"""
import os
import random
import re
import struct
import time

import pytest

import vhost_frontend as vf
from switchlib import wait_for
from test_vhost_hostile import NEXT, SECONDS, TOP, WRITE, Neighbours
from test_vhost_protocol import add_server, begin, drivers  # noqa: F401
from vhost_frontend import Driver, Frontend

RELAY = pytest.mark.parametrize("relay", (True, False), ids=("relay", "no-relay"))
RESET_OWNER, SEND_RARP, SET_MTU, GET_CONFIG, SET_CONFIG, RESET_DEVICE = 4, 19, 20, 24, 25, 34
SET_STATUS, GET_STATUS = 39, 40
AVAIL, USED = 1 << 7, 1 << 15  # flags of packed descriptors


def start(sw, relay, *config):
    begin(sw, "other_config:vhost-relay=%s" % str(relay).lower(), *config)
    return Neighbours(sw, sw.drivers)


@pytest.fixture
def near_and_path(sw, drivers, request):  # noqa: F811
    """Neighbours, and the socket of a port for who is hostile."""
    sw.drivers = drivers

    def make(relay, *config):
        return start(sw, relay, *config), add_server(sw, "h")
    return make


def is_open(driver):
    """Whether its connection lasts after all that was sent has been read."""
    return driver.fe.ask(vf.GET_FEATURES) is not None


class Chaos(Driver):
    """A driver whose every next message is chosen by chance."""

    def __init__(self, path, rng, files, features):
        super().__init__(path, features=features, fill=rng.random() < 0.5)
        self.rng, self.files = rng, files
        self.steps = [getattr(self, name) for name in sorted(dir(self)) if name.startswith("do_")]

    def somewhere(self):
        r = self.rng
        ring = r.choice(self.rings)
        return vf.USER + r.choice((ring.desc, ring.used, ring.avail, ring.data, 0, 1, self.size - 1, self.size - 16,
                                   self.size, r.randrange(self.size) & ~15, r.randrange(self.size)))

    def regions(self):
        """Overlapping, adjacent, twice the same, or beyond their files."""
        r = self.rng
        out = [(0, self.size, self.fd)] if r.random() < 0.7 else []
        for _ in range(r.choice((0, 1, 2, 7))):
            at = r.choice((0, 4096, self.size // 2 & ~4095, self.size - 4096, self.size, 1 << 32))
            out.append((at, r.choice((4096, self.size, 2 * self.size, 100)), r.choice(self.files + [self.fd])))
        return out[:8]

    def do_memory(self):
        self.set_memory(self.regions())
        for ring in self.rings:
            if self.rng.random() < 0.8:
                self.set_address(ring)

    def do_same_guest_address_elsewhere(self):
        gpa = self.rng.choice((0, self.size // 2 & ~4095))
        table = b"".join(struct.pack("<QQQQ", gpa, self.size, vf.USER + i * self.rng.choice((0, 4096, 1 << 40)), 0)
                         for i in range(2))
        self.fe.send(vf.SET_MEM_TABLE, struct.pack("<II", 2, 0) + table, [self.fd, self.fd])

    def do_address(self):
        places = [self.somewhere() for _ in range(3)]
        if self.rng.random() < 0.3:
            places = [places[0]] * 3  # descriptors, indices and what is used at one place
        self.fe.send(vf.SET_VRING_ADDR, struct.pack("<IIQQQQ", self.rng.randrange(4), self.rng.randrange(2), *places,
                                                    self.rng.choice((0, 4096, TOP))))

    def do_size(self):
        self.fe.send(vf.SET_VRING_NUM, struct.pack("<II", self.rng.randrange(4), self.rng.choice(
            (0, 1, 2, 3, 128, 256, 1024, 32768, 65535))))

    def do_base(self):
        # Of packed rings the 15th and 31st bits are wrap counters.
        self.fe.send(vf.SET_VRING_BASE, struct.pack("<II", self.rng.randrange(4), self.rng.choice(
            (0, 255, 256, 0x7fff, 0x8000, 0x80008000, 0x80ff00ff, 0xffffffff, self.rng.getrandbits(32)))))

    def do_stop(self):
        self.fe.send(vf.GET_VRING_BASE, struct.pack("<II", self.rng.randrange(4), 0))

    def do_reset(self):
        self.fe.send(self.rng.choice((RESET_OWNER, RESET_DEVICE, vf.SET_OWNER)))

    def do_status(self):
        if self.rng.random() < 0.5:
            self.fe.send(SET_STATUS, struct.pack("<Q", self.rng.choice((0, 1, 3, 11, 15, 64, 128, 255, TOP))))
        else:
            self.fe.send(GET_STATUS)

    def do_features(self):
        bits = self.rng.choice((self.features, self.features ^ 1 << vf.PACKED, self.features ^ 1 << vf.MRG_RXBUF,
                                self.features ^ vf.F_VERSION_1, self.features | 1 << vf.LOG_ALL, 0, TOP,
                                self.rng.getrandbits(40)))
        self.set_features(bits)

    def do_protocol_features(self):
        self.fe.send(vf.SET_PROTOCOL_FEATURES, struct.pack("<Q", self.rng.choice((0, self.protocol, TOP))))

    def do_log(self):
        self.fe.send(vf.SET_LOG_BASE, struct.pack("<QQ", self.rng.choice((1, 4096, self.size // 32768 + 8, 1 << 40)), 0),
                     [self.rng.choice(self.files)])

    def do_config(self):
        n = self.rng.choice((0, 1, 8, 255, 256, 257, 65536))
        self.fe.send(self.rng.choice((GET_CONFIG, SET_CONFIG)),
                     struct.pack("<III", self.rng.choice((0, 8, 256, 0xffffffff)), n, 1) + bytes(min(n, 900)))

    def do_descriptors(self):
        n = self.rng.choice((1, 2, 8, 9, 253))
        self.fe.send(self.rng.randrange(45), struct.pack("<QQQ", self.rng.randrange(4), 0, 0),
                     [self.rng.choice(self.files)] * n)

    def do_iotlb(self):
        self.fe.send(vf.IOTLB_MSG, struct.pack("<QQQBB6x", self.somewhere() & 0xffffff, self.rng.choice((0, 4096, TOP)),
                                               self.somewhere(), self.rng.randrange(4), self.rng.randrange(6)))

    def do_arp(self):
        self.fe.send(SEND_RARP, struct.pack("<Q", self.rng.getrandbits(48)))

    def do_mtu(self):
        self.fe.send(SET_MTU, struct.pack("<Q", self.rng.choice((0, 67, 1500, 65535, TOP))))

    def do_backchannel(self):
        self.fe.send(vf.SET_BACKEND_REQ_FD, b"", [self.rng.choice(self.files)])

    def do_enable(self):
        self.enable(self.rng.choice((0, 1, 2, 3, 255, 256)), self.rng.randrange(2))

    def do_kick(self):
        fds = [self.rng.choice(self.files)] if self.rng.random() < 0.7 else []
        self.fe.send(self.rng.choice((vf.SET_VRING_KICK, vf.SET_VRING_CALL, vf.SET_VRING_ERR)),
                     struct.pack("<Q", self.rng.randrange(4) | (0 if fds else 256)), fds)

    def do_rings(self):
        for ring in self.rings:
            for i in range(0, self.N, 16):
                ring.describe(i, self.rng.choice((self.somewhere() - vf.USER, TOP, 1 << 32)), self.rng.getrandbits(17),
                              self.rng.choice((0, NEXT, WRITE, AVAIL, USED, AVAIL | USED, WRITE | AVAIL)), i + 1)
            for _ in range(8):
                ring.offer(self.rng.randrange(self.N))


SHAPES = {"split": (vf.INDIRECT, vf.LOG_ALL), "packed": (vf.PACKED, vf.INDIRECT, vf.LOG_ALL)}


@RELAY
@pytest.mark.parametrize("shape", SHAPES)
def test_messages_by_chance(near_and_path, shape, relay):
    near, path = near_and_path(relay)
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print("seed", seed)
    rng = random.Random(seed)
    files = []
    for size in (0, 100, 8192, 1 << 22):
        files.append(os.memfd_create("file"))
        os.ftruncate(files[-1], size)
    files.append(os.eventfd(0))
    end = time.monotonic() + 2 * SECONDS
    while time.monotonic() < end:
        h = Chaos(path, rng, files, SHAPES[shape])
        for _ in range(rng.choice((5, 20, 50))):
            rng.choice(h.steps)()
            if rng.random() < 0.2:
                near.exchange(3)
        near.exchange(5)
        h.close()
    for fd in files:
        os.close(fd)
    near.exchange(100)
    # The port is not lost to those who come later.
    wait_for(lambda: honest(near, path), 30, "an honest guest")


def honest(near, path):
    try:
        d = Driver(path)
    except (OSError, TypeError):
        return False  # the library has not come back to the relay yet
    try:
        # Its rings are set up after the driver has written what it asks for: earlier frames are lost.
        return wait_for(lambda: near.exchange(1) or d.receive(), 2, "a frame")
    except AssertionError:
        return False
    finally:
        d.close()


@RELAY
def test_regions_that_overlap(near_and_path, relay):
    """Under running rings: the guest may see its own bytes twice, others see nothing of it."""
    near, path = near_and_path(relay)
    h = Driver(path)
    half = h.size // 2 & ~4095
    for regions in ([(0, h.size, h.fd), (half, h.size - half, h.fd)], [(0, h.size, h.fd)] * 8,
                    [(half, h.size - half, h.fd), (0, h.size, h.fd)], [(0, h.size, h.fd), (h.size - 4096, 8192, h.fd)]):
        h.set_memory(regions)
        for ring in h.rings:
            h.set_address(ring)
        near.exchange(20)
    h.close()
    near.exchange(100)


@RELAY
@pytest.mark.parametrize("kind", ("eventfd", "read-only", "pipe"))
def test_memory_that_cannot_be_mapped(near_and_path, kind, relay):
    """The library gives up what there was, and leaves running rings in it: forwarding threads touched it.  It is
    refused before, and the old memory stays."""
    near, path = near_and_path(relay)
    h = Driver(path)
    wait_for(lambda: near.exchange(1) or h.receive(), 20, "a frame")
    fd = {"eventfd": lambda: os.eventfd(0), "pipe": lambda: os.open("/proc/self/fd/%d" % os.pipe()[0], os.O_RDWR),
          "read-only": lambda: os.open("/proc/self/fd/%d" % h.fd, os.O_RDONLY)}[kind]()
    for _ in range(10):
        table = h.memory_table([(0, h.size, h.fd), (1 << 32, 4096, fd)])
        assert h.fe.ask(vf.SET_MEM_TABLE, *table, flags=vf.NEED_REPLY) == 1
        near.exchange(10)
    os.close(fd)
    h.receive()
    near.exchange(1)
    assert h.expect(1)
    h.close()
    near.exchange(100)


@RELAY
def test_resets_under_running_rings(near_and_path, relay):
    near, path = near_and_path(relay)
    for requests in ((RESET_OWNER,), (RESET_DEVICE,), (vf.SET_OWNER, RESET_OWNER, vf.SET_OWNER), (RESET_OWNER,) * 3):
        h = Driver(path)
        for request in requests:
            h.fe.send(request)
            h.fe.send(SET_STATUS, struct.pack("<Q", 0))
            h.fe.send(SET_STATUS, struct.pack("<Q", 15))
            near.exchange(10)
        h.close()
    near.exchange(100)


@RELAY
def test_a_ring_of_commands(near_and_path, relay):
    """A third ring, as that of a device with a control queue: nobody reads the commands in it."""
    near, path = near_and_path(relay)
    h = Driver(path, pairs=2, enable=False)
    for index in (0, 1, 2):
        h.enable(index, True)
    ring = h.rings[2]
    for i in range(h.N // 2):
        # Class and command (among them VLANs, MACs, the number of queues), data, where the answer goes.
        at = ring.data + 64 * i
        h.mem[at:at + 4] = struct.pack("<BBH", i % 7, i % 5, 0xffff)
        ring.describe(2 * i, at, 4, NEXT, 2 * i + 1)
        ring.describe(2 * i + 1, TOP if i % 2 else at + 8, 1, WRITE, 0)
        ring.offer(2 * i)
    near.exchange(100)
    h.close()
    near.exchange(100)


@RELAY
@pytest.mark.parametrize("shape", ("short", "shortened"))
def test_a_log_that_is_too_short(near_and_path, sw, shape, relay):
    """Where there is no page to mark a page dirty in, the port is given up, not the daemon."""
    near, path = near_and_path(relay)
    h = Driver(path, features=(vf.LOG_ALL,))
    size = h.size // 4096 // 8 + 8
    fd = os.memfd_create("log")
    os.ftruncate(fd, 0 if shape == "short" else 4096)
    h.fe.send(vf.SET_LOG_BASE, struct.pack("<QQ", size, 0), [fd])
    h.set_features(h.features)
    for ring in h.rings:
        h.set_address(ring, log=ring.used)
    os.ftruncate(fd, 0)
    os.close(fd)
    near.exchange(100)  # floods to h, too
    wait_for(lambda: near.exchange(5) or sw.get("Interface", "h", "link_state") == "down", 20, "the link to go down")
    h.close()


@RELAY
def test_rings_together_are_bounded(near_and_path, relay):
    """As many as QEMU can give to all queues, and no more: what the library needs for them is everybody's."""
    near, path = near_and_path(relay)
    fe = Frontend(path)
    fe.ask(vf.GET_FEATURES)
    for i in range(256):
        assert fe.send(vf.SET_VRING_NUM, struct.pack("<II", i, 1024))
    for _ in range(3):
        assert fe.send(vf.SET_VRING_NUM, struct.pack("<II", 7, 512))  # in place of what it was
        assert fe.send(vf.SET_VRING_NUM, struct.pack("<II", 7, 1024))
    assert fe.ask(vf.GET_FEATURES)
    fe.send(vf.SET_VRING_NUM, struct.pack("<II", 0, 2048))
    assert fe.ask(vf.GET_FEATURES) is None
    fe.close()
    # Another connection begins from nothing.
    h = wait_for(lambda: begun(path), 20, "another connection")
    for i in range(8):
        assert h.send(vf.SET_VRING_NUM, struct.pack("<II", i, 32768))
    assert h.ask(vf.GET_FEATURES)
    h.send(vf.SET_VRING_NUM, struct.pack("<II", 8, 1))
    assert h.ask(vf.GET_FEATURES) is None
    h.close()
    near.exchange(100)


def begun(path):
    fe = Frontend(path)
    if fe.ask(vf.GET_FEATURES):
        return fe
    fe.close()
    return None


class Restarts(Driver):
    """Stops its rings, and starts them again as a test says."""

    def __init__(self, path, packed=False):
        super().__init__(path, features=(vf.INDIRECT,) + ((vf.PACKED,) if packed else ()), fill=False)

    def stop(self, ring):
        self.fe.send(vf.GET_VRING_BASE, struct.pack("<II", ring.index, 0))
        return struct.unpack("<II", self.fe.s.recv(100)[12:20])[1]

    def begin(self, ring, size=None, base=0):
        """Whether all of it was accepted."""
        e = os.eventfd(0)
        steps = [(vf.SET_VRING_BASE, struct.pack("<II", ring.index, base), [])] if base is not None else []
        if size is not None:
            steps.insert(0, (vf.SET_VRING_NUM, struct.pack("<II", ring.index, size), []))
        steps += [(vf.SET_VRING_ADDR, struct.pack("<IIQQQQ", ring.index, 0, vf.USER + ring.desc, vf.USER + ring.used,
                                                  vf.USER + ring.avail, 0), [])]
        steps += [(r, struct.pack("<Q", ring.index), [e]) for r in (vf.SET_VRING_CALL, vf.SET_VRING_KICK)]
        steps += [(vf.SET_VRING_ENABLE, struct.pack("<II", ring.index, 1), [])]
        accepted = [self.fe.ask(*step, flags=vf.NEED_REPLY) == 0 for step in steps]
        os.close(e)
        return all(accepted)

    def fill_packed(self, flags):
        for ring in self.rings:
            for i in range(self.N):
                struct.pack_into("<QIHH", self.mem, ring.desc + 16 * i, ring.data + 2048 * (i % 64), 2048, i,
                                 flags | (WRITE if ring is self.rx else 0) | (NEXT if i % 3 else 0))


@RELAY
@pytest.mark.parametrize("packed", (False, True), ids=("split", "packed"))
def test_a_ring_without_a_size(near_and_path, sw, packed, relay):
    """The library frees what it has for a ring that is stopped, and makes it for a size only: without, a
    forwarding thread wrote to nowhere."""
    near, path = near_and_path(relay)
    sw.ofctl("add-flow", "br0", "in_port=h,actions=drop")
    h = Restarts(path, packed)
    for ring in h.rings:
        h.stop(ring)
        assert not h.begin(ring)
        assert not h.begin(ring, size=0)
    for flags in (AVAIL, USED, AVAIL | USED, 0):
        h.fill_packed(flags)
        near.exchange(20)
    # With a size it runs.
    for ring in h.rings:
        assert h.begin(ring, size=h.N)
    near.exchange(20)
    h.close()
    near.exchange(100)


@RELAY
def test_a_size_that_changes(near_and_path, sw, relay):
    """Of a ring that has its place: it would be read beyond what was looked at."""
    near, path = near_and_path(relay)
    h = Restarts(path)
    for size in (1, 128, 512, 32768):
        assert h.fe.ask(vf.SET_VRING_NUM, struct.pack("<II", 1, size), flags=vf.NEED_REPLY) == 1
    assert h.fe.ask(vf.SET_VRING_NUM, struct.pack("<II", 1, h.N), flags=vf.NEED_REPLY) == 0
    for size in (0, 3, 255, 32769, 65536, 0xffffffff):  # no size of a split ring
        h.stop(h.tx)
        assert not h.begin(h.tx, size=size)
    # The kind of rings is the kind of all of them, for as long as one has its place.
    assert h.fe.ask(vf.SET_FEATURES, struct.pack("<Q", h.features | 1 << vf.PACKED), flags=vf.NEED_REPLY) == 1
    near.exchange(100)
    h.stop(h.rx)
    h.stop(h.tx)
    assert h.fe.ask(vf.SET_FEATURES, struct.pack("<Q", h.features | 1 << vf.PACKED), flags=vf.NEED_REPLY) == 0
    h.close()
    near.exchange(100)


@RELAY
def test_wrap_counters_that_lie(near_and_path, sw, relay):
    """Packed rings whose place is given with every combination of counters, and descriptors that claim to be
    available in each lap.  A place beyond the ring's end is none."""
    near, path = near_and_path(relay)
    sw.ofctl("add-flow", "br0", "in_port=h,actions=drop")
    for base, is_one in ((0, True), (0x8000, True), (0x80000000, True), (0x80008000, True), (0x80ff00ff, True),
                         (0x7fff7fff, False), (0xffffffff, False), (0x01008000, False), (0x00008100, False),
                         (None, False)):
        h = Restarts(path, packed=True)
        assert h.features >> vf.PACKED & 1
        for ring in h.rings:
            h.stop(ring)
            assert h.begin(ring, h.N, base) == is_one
        for flags in (AVAIL, USED, AVAIL | USED, 0):
            h.fill_packed(flags)
            near.exchange(10)
        h.close()
    near.exchange(100)


@RELAY
@pytest.mark.parametrize("resized", (False, True), ids=("other-kind", "resized"))
def test_a_base_from_before(near_and_path, sw, resized, relay):
    """Where a ring is was said to split rings, with 16 bits, or before its size: as packed ones they would begin far
    behind their end, in another guest's memory."""
    near, path = near_and_path(relay)
    sw.ofctl("add-flow", "br0", "in_port=h,actions=drop")
    h = Restarts(path, packed=resized)
    for ring in h.rings:
        h.stop(ring)
        assert h.fe.ask(vf.SET_VRING_BASE, struct.pack("<II", ring.index, 0x80ff), flags=vf.NEED_REPLY) == 0
    h.fe.ask(vf.SET_FEATURES, struct.pack("<Q", h.features | 1 << vf.PACKED), flags=vf.NEED_REPLY)
    for ring in h.rings:
        assert not h.begin(ring, size=128 if resized else h.N, base=None)
    for flags in (AVAIL, USED, AVAIL | USED, 0):
        h.fill_packed(flags)
        near.exchange(10)
    # With a base of the kind it runs.
    for ring in h.rings:
        h.stop(ring)
        assert h.begin(ring, size=h.N, base=0x8000)
    h.close()
    near.exchange(50)


def free_heap(sw):
    return int(re.search(r"Free_size:(\d+)", sw.appctl("dpdk/get-malloc-stats")).group(1))


@RELAY
@pytest.mark.parametrize("how", ("reset", "kinds", "pairs"))
def test_no_message_takes_the_heap(near_and_path, sw, how, relay):
    """The library forgets what it has for rings when it is reset, and keeps it when they are of another kind."""
    near, path = near_and_path(relay)
    fe = wait_for(lambda: begun(path), 20, "a connection")
    before = free_heap(sw)
    features = vf.F_VERSION_1 | vf.F_PROTOCOL_FEATURES
    for turn in range(40):
        first = 8 * (turn % 16) if how == "kinds" else 0
        bits = features | (1 << vf.MQ if how != "reset" else 0) | (1 << vf.PACKED if how == "kinds" and turn % 2 else 0)
        fe.send(vf.SET_OWNER)
        fe.send(vf.SET_FEATURES, struct.pack("<Q", bits))
        for i in range(first, first + 8):
            fe.send(vf.SET_VRING_NUM, struct.pack("<II", i, 32768))
        if how == "reset":
            fe.send(RESET_OWNER)
        elif how == "pairs":
            fe.send(vf.SET_FEATURES, struct.pack("<Q", features))
        if not fe.ask(vf.GET_FEATURES):
            fe.close()
            fe = wait_for(lambda: begun(path), 20, "another connection")
        assert before - free_heap(sw) < 48 << 20
    fe.close()
    near.exchange()


@RELAY
def test_another_front_end(near_and_path, sw, relay):
    """At a socket that serves one already it is not heard, nor does it change what is known of the first's rings."""
    near, path = near_and_path(relay)
    h = Driver(path)
    wait_for(lambda: near.exchange(1) or h.receive(), 20, "a frame")
    before = free_heap(sw)
    others = [Frontend(path) for _ in range(20)]
    for other in others:
        other.send(vf.SET_VRING_NUM, struct.pack("<II", 1, 32768))
        other.send(vf.SET_VRING_ENABLE, struct.pack("<II", 3, 1))
    for size in (1, 128, 32768):
        assert h.fe.ask(vf.SET_VRING_NUM, struct.pack("<II", 1, size), flags=vf.NEED_REPLY) == 1
    near.exchange()
    h.receive()
    near.exchange(1)
    assert h.expect(1)
    assert before - free_heap(sw) < 16 << 20
    for other in others:
        other.close()
    h.close()
    wait_for(lambda: honest(near, path), 30, "the next guest")
