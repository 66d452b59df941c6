# SPDX-License-Identifier: Apache-2.0
"""other_config:vhost-iommu-support and vhost-postcopy-support, with and without a relay."""
import os
import socket
import struct
import threading

import pytest

import vhost_frontend as vf
from switchlib import wait_for
from test_vhost_protocol import begin, drivers, ether  # noqa: F401
from vhost_frontend import Driver

P_BACKEND_REQ, P_PAGEFAULT = 5, 8
MISS, UPDATE, INVALIDATE, READ_WRITE = 1, 2, 3, 3
PAGE = 4096
IOVA = 1 << 40  # where the guest's IOMMU puts its memory

RELAY = pytest.mark.parametrize("relay", (True, False), ids=("relay", "no-relay"))


class Behind(Driver):
    """A driver whose rings and buffers have addresses of its IOMMU, which it tells page by page."""

    def _negotiate(self):
        self.misses, self.stop = [], False
        self.lock = threading.Lock()
        self.channel, theirs = socket.socketpair()
        self.offered = self.fe.ask(vf.GET_FEATURES)
        self.features = self.offered & self.wanted
        assert self.features >> vf.IOMMU & 1
        self.protocol = self.fe.ask(vf.GET_PROTOCOL_FEATURES)
        self.fe.send(vf.SET_PROTOCOL_FEATURES, struct.pack(
            "<Q", self.protocol & (1 << vf.P_MQ | 1 << P_BACKEND_REQ)))
        self.fe.send(vf.SET_OWNER)
        self.fe.send(vf.SET_BACKEND_REQ_FD, fds=[theirs.fileno()])
        theirs.close()
        self.set_features(self.features)
        self.set_memory([(0, self.size, self.fd)])
        self.server = threading.Thread(target=self._serve)
        self.server.start()

    def _serve(self):
        while True:
            try:
                data = self.channel.recv(12 + 32)
            except OSError:
                return
            if len(data) < 44:
                return
            iova, _, _, _, kind = struct.unpack("<QQQBB", data[12:38])
            if kind == MISS and IOVA <= iova < IOVA + self.size:
                self.misses.append(iova)
                self.tell(UPDATE, iova & -PAGE)

    def tell(self, kind, iova, size=PAGE):
        self.fe.send(vf.IOTLB_MSG, struct.pack("<QQQBB6x", iova, size, vf.USER + iova - IOVA, READ_WRITE,
                                            kind))

    def invalidate(self):
        """All of it; the switch has done so at the end."""
        self.tell(INVALIDATE, IOVA, (self.size + PAGE - 1) & -PAGE)
        assert self.fe.ask(vf.GET_FEATURES)

    def set_address(self, ring, log=None):
        self.fe.send(vf.SET_VRING_ADDR, struct.pack(
            "<IIQQQQ", ring.index, 0, IOVA + ring.desc, IOVA + ring.used, IOVA + ring.avail, 0))

    def close(self):
        self.channel.shutdown(socket.SHUT_RDWR)
        self.server.join()
        self.channel.close()
        super().close()


def begin_with(sw, option, relay):
    begin(sw, "other_config:%s=true" % option, "other_config:vhost-relay=%s" % str(relay).lower())


def make(sw, drivers, name, cls, **kw):  # noqa: F811
    path = "%s/%s.sock" % (sw.dir, name)
    sw.vsctl("add-port", "br0", name, "--", "set", "Interface", name, "type=dpdkvhostuserclient",
             "options:vhost-server-path=" + path)
    d = cls(path, listen=True, **kw)
    drivers.append(d)
    return d


def make_translated(sw, drivers, name, cls=Behind):  # noqa: F811
    """Its buffers, too, lie behind the IOMMU."""
    driver = make(sw, drivers, name, cls, features=(vf.IOMMU,), fill=False)
    for ring in driver.rings:
        plain = ring.describe
        ring.describe = lambda i, address, *args, plain=plain, **kw: plain(i, IOVA + address, *args,
                                                                           **kw)
    for ring in driver.rings[::2]:
        driver.fill(ring)
    return driver


def until_one_arrives(sender, receiver, also=lambda: True):
    """A page that is asked for is no reason to wait: frames may be lost meanwhile."""
    frame = ether(payload=os.urandom(100))
    wait_for(lambda: (sender.send(frame) or frame in [f for _, f in receiver.receive()]) and also(),
             20, "a frame")


@RELAY
def test_iotlb(sw, drivers, relay):  # noqa: F811
    """What the switch does not know it asks for; what is invalid it asks for again."""
    begin_with(sw, "vhost-iommu-support", relay)
    a, b = (make_translated(sw, drivers, name) for name in "ab")
    until_one_arrives(a, b)
    assert {IOVA + r.desc for r in a.rings} <= {m & -PAGE for m in a.misses}
    assert IOVA + a.tx.data in {m & -PAGE for m in a.misses}
    n = len(a.misses)
    a.invalidate()
    until_one_arrives(a, b, also=lambda: len(a.misses) > n)


@RELAY
def test_rings_that_became_invalid(sw, drivers, relay):  # noqa: F811
    """Of an idle ring, and of one that is turned on only afterwards: used, they are asked for."""
    begin_with(sw, "vhost-iommu-support", relay)
    a, b = (make_translated(sw, drivers, name) for name in "ab")
    until_one_arrives(a, b)
    until_one_arrives(b, a)
    a.invalidate()
    until_one_arrives(b, a)
    until_one_arrives(a, b)
    for ring in a.rings:
        a.enable(ring.index, False)
    a.invalidate()
    for ring in a.rings:
        a.enable(ring.index, True)
    until_one_arrives(b, a)
    until_one_arrives(a, b)


@RELAY
def test_misses_that_nobody_reads(sw, drivers, relay):  # noqa: F811
    """A front-end that leaves its channel full stops no forwarding thread."""
    begin_with(sw, "vhost-iommu-support", relay)
    a, b = (make(sw, drivers, name, Driver) for name in "ab")
    h = make_translated(sw, drivers, "h")
    frame = ether(src=b"\2\0\0\0\0\7", payload=bytes(60))
    wait_for(lambda: a.send(frame) or h.receive(), 20, "the rings of h")
    # Nobody reads from here on.
    full, theirs = socket.socketpair()
    theirs.setblocking(False)
    try:
        while True:
            theirs.send(bytes(64))
    except BlockingIOError:
        theirs.setblocking(True)
    h.fe.send(vf.SET_BACKEND_REQ_FD, fds=[theirs.fileno()])
    h.invalidate()
    try:
        for _ in range(20):
            a.send(frame)
            b.expect(1)
        assert sw.proc.poll() is None
    finally:
        theirs.close()
        full.close()


class Crossing(Behind):
    """Has one page more, of which it says that it lies before its first one for the guest.  It does
    not, in the switch."""
    TAIL, GUEST_TAIL = IOVA - PAGE, 1 << 30

    def _negotiate(self):
        self.tail = os.memfd_create("tail")
        os.ftruncate(self.tail, PAGE)
        super()._negotiate()

    def set_memory(self, regions):
        super().set_memory(regions + [(self.GUEST_TAIL, PAGE, self.tail)])

    def tell_tail(self):
        self.fe.send(vf.IOTLB_MSG, struct.pack("<QQQBB6x", self.TAIL, PAGE, vf.USER + self.GUEST_TAIL,
                                            READ_WRITE, UPDATE))
        self.tell(UPDATE, IOVA)

    def close(self):
        super().close()
        os.close(self.tail)


@RELAY
def test_a_frame_across_two_places(sw, drivers, relay):  # noqa: F811
    """Of other memory than the page's the switch neither tells nor changes anything: what follows
    it are zeros (the library takes both places for one)."""
    begin_with(sw, "vhost-iommu-support", relay)
    b = make(sw, drivers, "b", Driver)
    h = make_translated(sw, drivers, "h", Crossing)
    until_one_arrives(h, b)
    h.tell_tail()
    head = bytes(12) + ether(src=b"\2\0\0\0\0\7", payload=b"tail")
    os.pwrite(h.tail, head, PAGE - len(head))
    ring = h.tx
    i = h.slot % h.SLOTS
    ring.describe(i, Crossing.TAIL - IOVA + PAGE - len(head), len(head) + 400)
    b.receive()
    ring.offer(i)
    got = []
    wait_for(lambda: got.extend(f for _, f in b.receive() if f[6:12] == b"\2\0\0\0\0\7") or got, 20,
             "the frame")
    assert got[0] == head[12:] + bytes(400)
    until_one_arrives(h, b)


@RELAY
def test_places_from_before(sw, drivers, relay):  # noqa: F811
    """What an IOMMU told of memory that went while the guest did without it is not gone on with."""
    begin_with(sw, "vhost-iommu-support", relay)
    a, b = (make(sw, drivers, name, Driver) for name in "ab")

    class Turning(Behind):
        def set_memory(self, regions):
            super().set_memory(regions)
            for ring in self.rings:
                self.fe.send(vf.SET_VRING_NUM, struct.pack("<II", ring.index, self.N))
            self.tell(UPDATE, IOVA, self.size)
            self.set_features(self.features & ~(1 << vf.IOMMU))
            super().set_memory([(0, PAGE, self.fd)])
            self.set_features(self.features)

    try:
        h = make(sw, drivers, "h", Turning, features=(vf.IOMMU,), fill=False)
        assert h.fe.ask(vf.GET_FEATURES) is None
    finally:
        until_one_arrives(a, b)
    assert sw.proc.poll() is None


@pytest.mark.skipif(os.geteuid() != 0, reason="userfaultfd needs root")
@RELAY
def test_postcopy(sw, drivers, relay):  # noqa: F811
    """The switch gives its userfaultfd, tells where the guest's memory is, and waits until its
    front-end has seen that; afterwards frames pass."""
    begin_with(sw, "vhost-postcopy-support", relay)

    class Arriving(Driver):
        def set_memory(self, regions):
            s = self.fe.s
            self.fe.send(vf.SET_PROTOCOL_FEATURES, struct.pack(
                "<Q", self.protocol & (1 << P_PAGEFAULT | 1 << P_BACKEND_REQ | 1 << vf.P_MQ)))
            self.fe.send(vf.POSTCOPY_ADVISE)
            answer, fds, _, _ = socket.recv_fds(s, 20, 1)
            assert answer[:4] == struct.pack("<I", vf.POSTCOPY_ADVISE) and len(fds) == 1
            assert os.readlink("/proc/self/fd/%d" % fds[0]) == "anon_inode:[userfaultfd]"
            self.fe.send(vf.POSTCOPY_LISTEN)
            super().set_memory(regions)
            table = s.recv(1000)
            request, _, size, n = struct.unpack("<IIII", table[:16])
            assert request == vf.SET_MEM_TABLE and n == 1 and len(table) == 12 + size
            assert struct.unpack("<QQ", table[20:36]) == (0, self.size)
            self.fe.send(vf.SET_MEM_TABLE, table[12:])
            assert self.fe.ask(vf.POSTCOPY_END) == 0
            os.close(fds[0])

    a, b = make(sw, drivers, "a", Arriving), make(sw, drivers, "b", Driver)
    until_one_arrives(a, b)
    until_one_arrives(b, a)
