# SPDX-License-Identifier: Apache-2.0
"""The other end of a vhost-user socket, spoken by hand: a Frontend sends messages, Rings can write
anything into rings, and a Driver behaves like a guest's virtio driver, frame by frame.
"""
import mmap
import os
import socket
import struct

from switchlib import wait_for

GET_FEATURES, SET_FEATURES, SET_OWNER, SET_MEM_TABLE = 1, 2, 3, 5
SET_LOG_BASE, SET_LOG_FD, SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE = range(6, 12)
SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR = 12, 13, 14
GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, SET_VRING_ENABLE = 15, 16, 17, 18
SET_BACKEND_REQ_FD, IOTLB_MSG, POSTCOPY_ADVISE, POSTCOPY_LISTEN, POSTCOPY_END = 21, 22, 28, 29, 30
GET_INFLIGHT_FD, SET_INFLIGHT_FD = 31, 32
F_PROTOCOL_FEATURES, F_VERSION_1 = 1 << 30, 1 << 32
CSUM, GUEST_CSUM, GUEST_TSO4, GUEST_TSO6, HOST_TSO4, HOST_TSO6 = 0, 1, 7, 8, 11, 12
MRG_RXBUF, MQ, LOG_ALL, INDIRECT, IOMMU, PACKED = 15, 22, 26, 28, 33, 34
P_MQ, P_LOG_SHMFD, P_REPLY_ACK, P_INFLIGHT = 0, 1, 3, 12
NEED_REPLY = 1 | 8  # flags of a message: version 1, and an answer
USER = 0x7f0000000000  # where the front-end says that its memory is


class Frontend:
    """A connection that sends messages, true ones and others."""

    def __init__(self, path, sock=None):
        self.s = sock or socket.socket(socket.AF_UNIX)
        if sock is None:
            self.s.connect(path)  # waits while the backlog is full
        self.s.settimeout(20)  # a busy machine's

    def send(self, request, payload=b"", fds=(), size=None, flags=1):
        header = struct.pack("<III", request, flags, len(payload) if size is None else size)
        try:
            if fds:
                socket.send_fds(self.s, [header + payload], list(fds))
            else:
                self.s.sendall(header + payload)
        except OSError:
            return False
        return True

    def ask(self, request, payload=b"", fds=(), flags=1):
        self.send(request, payload, fds, flags=flags)
        try:
            data = self.s.recv(12 + 8)
        except OSError:
            return None
        return struct.unpack("<Q", data[12:20])[0] if len(data) == 20 else None

    def close(self):
        self.s.close()


class Rings:
    """A front-end that got as far as running rings, in memory that the test writes freely."""
    SIZE, N = 1 << 20, 256
    DESC, AVAIL, USED, DATA = 0, 0x2000, 0x4000, 0x10000

    def __init__(self, path, file_size=None, num=N, addr=None):
        self.fe = Frontend(path)
        self.fd = os.memfd_create("guest")
        os.ftruncate(self.fd, self.SIZE if file_size is None else file_size)
        fe = self.fe
        features = fe.ask(GET_FEATURES) or 0
        fe.send(SET_FEATURES, struct.pack("<Q", features & (F_VERSION_1 | F_PROTOCOL_FEATURES)))
        fe.ask(GET_PROTOCOL_FEATURES)
        fe.send(SET_PROTOCOL_FEATURES, struct.pack("<Q", 0))
        fe.send(SET_OWNER)
        fe.send(SET_MEM_TABLE, struct.pack("<IIQQQQ", 1, 0, 0, self.SIZE, 0x7f0000000000, 0),
                [self.fd])
        for i in (0, 1):
            base = 0x7f0000000000 + i * 0x80000 if addr is None else addr
            fe.send(SET_VRING_NUM, struct.pack("<II", i, num))
            fe.send(SET_VRING_BASE, struct.pack("<II", i, 0))
            places = [(base + x) & (1 << 64) - 1 for x in (self.DESC, self.USED, self.AVAIL)]
            fe.send(SET_VRING_ADDR, struct.pack("<IIQQQQ", i, 0, *places, 0))
            for request in (SET_VRING_CALL, SET_VRING_KICK):
                e = os.eventfd(0)
                fe.send(request, struct.pack("<Q", i), [e])
                os.close(e)
            fe.send(SET_VRING_ENABLE, struct.pack("<II", i, 1))

    def put(self, ofs, data, ring=1):
        try:
            os.pwrite(self.fd, data, ring * 0x80000 + ofs)
        except OSError:
            pass

    def desc(self, i, addr, length, flags, nxt):
        self.put(self.DESC + 16 * i, struct.pack("<QIHH", addr & (1 << 64) - 1, length, flags, nxt))

    def kick(self, heads):
        for i, head in enumerate(heads):
            self.put(self.AVAIL + 4 + 2 * (i % self.N), struct.pack("<H", head & 0xffff))
        self.put(self.AVAIL + 2, struct.pack("<H", len(heads) & 0xffff))

    def close(self):
        self.fe.close()
        os.close(self.fd)


class Ring:
    """A split ring in the memory of a Driver, and the buffers that it offers."""

    def __init__(self, driver, index, base):
        self.driver, self.index, self.base = driver, index, base
        self.desc, self.avail, self.used = base, base + 0x2000, base + 0x4000
        self.data = base + 0x8000
        self.avail_idx = self.used_idx = 0

    def offer(self, head):
        words = self.driver.words
        words[self.avail // 2 + 2 + self.avail_idx % self.driver.N] = head
        self.avail_idx = (self.avail_idx + 1) & 0xffff
        words[self.avail // 2 + 1] = self.avail_idx

    def describe(self, i, address, length, flags=0, nxt=0):
        struct.pack_into("<QIHH", self.driver.mem, self.desc + 16 * i, address, length, flags, nxt)

    def reap(self):
        """The (head, length) that came back since the last time."""
        m, done = self.driver.mem, []
        idx = self.driver.words[self.used // 2 + 1]
        while self.used_idx != idx:
            done.append(struct.unpack_from("<II", m, self.used + 4
                                           + 8 * (self.used_idx % self.driver.N)))
            self.used_idx = (self.used_idx + 1) & 0xffff
        return done


class Driver:
    """A virtio driver on 'pairs' queue pairs.  'features' are bits it accepts beside the usual."""
    N, RX_SIZE, SLOT, SLOTS = 256, 2048, 68 << 10, 16
    PER_RING = 0x8000 + SLOTS * SLOT

    def __init__(self, path, features=(), listen=False, pairs=1, fill=True, enable=True):
        self.path, self.pairs = path, pairs
        self.size = (2 * pairs * self.PER_RING + 0x3fff) & ~0x3fff
        self.fd = os.memfd_create("driver")
        os.ftruncate(self.fd, self.size)
        self.mem = mmap.mmap(self.fd, self.size)
        # struct writes byte by byte, which the other side would see: indices go through this.
        self.words = memoryview(self.mem).cast("H")
        self.wanted = sum(1 << bit for bit in features) | F_VERSION_1 | F_PROTOCOL_FEATURES \
            | 1 << MRG_RXBUF
        if listen:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            self.listener.listen(1)
            self.listener.settimeout(20)
            self.fe = Frontend(None, self.listener.accept()[0])
            self.listener.close()
        else:
            self.fe = Frontend(path)
        self.rings = [Ring(self, i, i * self.PER_RING) for i in range(2 * pairs)]
        self.rx, self.tx = self.rings[0], self.rings[1]
        self.slot = 0
        self._negotiate()
        for ring in self.rings:
            self._set_up(ring)
        if enable:
            for ring in self.rings:
                self.enable(ring.index, True)
        if fill:
            for ring in self.rings[::2]:
                self.fill(ring)

    def _negotiate(self):
        self.offered = self.fe.ask(GET_FEATURES)
        self.features = self.offered & self.wanted
        self.protocol = self.fe.ask(GET_PROTOCOL_FEATURES)
        self.fe.send(SET_PROTOCOL_FEATURES, struct.pack(
            "<Q", self.protocol & (1 << P_MQ | 1 << P_LOG_SHMFD | 1 << P_REPLY_ACK)))
        self.fe.send(SET_OWNER)
        self.set_features(self.features)
        self.set_memory([(0, self.size, self.fd)])

    def set_features(self, features):
        self.fe.send(SET_FEATURES, struct.pack("<Q", features))

    def set_memory(self, regions):
        self.fe.send(SET_MEM_TABLE, *self.memory_table(regions))

    @staticmethod
    def memory_table(regions):
        """A message's payload and descriptors.  'regions': (guest address, size, descriptor)."""
        table = b"".join(struct.pack("<QQQQ", gpa, size, USER + gpa, 0) for gpa, size, _ in regions)
        return struct.pack("<II", len(regions), 0) + table, [fd for _, _, fd in regions]

    def set_address(self, ring, log=None):
        self.fe.send(SET_VRING_ADDR, struct.pack(
            "<IIQQQQ", ring.index, 0 if log is None else 1, USER + ring.desc, USER + ring.used,
            USER + ring.avail, log or 0))

    def _set_up(self, ring):
        self.fe.send(SET_VRING_NUM, struct.pack("<II", ring.index, self.N))
        self.fe.send(SET_VRING_BASE, struct.pack("<II", ring.index, 0))
        self.set_address(ring)
        for request in (SET_VRING_CALL, SET_VRING_KICK):
            e = os.eventfd(0)
            self.fe.send(request, struct.pack("<Q", ring.index), [e])
            os.close(e)

    def enable(self, index, on):
        self.fe.send(SET_VRING_ENABLE, struct.pack("<II", index, int(on)))

    def fill(self, ring, n=None):
        for i in range(self.N if n is None else n):
            ring.describe(i, ring.data + i * self.RX_SIZE, self.RX_SIZE, flags=2)
            ring.offer(i)

    def send(self, *frames, header=bytes(12), queue=0):
        """Puts frames into the send ring; each waits for room."""
        ring = self.rings[2 * queue + 1]
        for frame in frames:
            wait_for(lambda: (self.slot - len(self._sent(ring))) < self.SLOTS, 30, "the send ring")
            i = self.slot % self.SLOTS
            at = ring.data + i * self.SLOT
            data = header + frame
            self.mem[at:at + len(data)] = data
            ring.describe(i, at, len(data))
            ring.offer(i)
            self.slot += 1

    def _sent(self, ring):
        self.done = getattr(self, "done", [])
        self.done += ring.reap()
        return self.done

    def receive(self, queue=0):
        """What has come: a list of (virtio header, frame); the buffers are offered again."""
        ring, out = self.rings[2 * queue], []
        parts = ring.reap()
        while parts:
            head, length = parts[0]
            at = ring.data + head * self.RX_SIZE
            header = bytes(self.mem[at:at + 12])
            n = struct.unpack_from("<H", header, 10)[0]
            frame = b""
            for k, (h, size) in enumerate(parts[:n]):
                at = ring.data + h * self.RX_SIZE
                frame += self.mem[at + (12 if k == 0 else 0):at + size]
                ring.offer(h)
            parts = parts[n:]
            out.append((header, frame))
        return out

    def expect(self, n, timeout=10, queue=0):
        """Waits for 'n' frames at least; returns all that came."""
        got = []

        def enough():
            got.extend(self.receive(queue))
            return len(got) >= n

        wait_for(enough, timeout, "%d frames" % n)
        return got

    def close(self):
        self.fe.close()
        self.words.release()
        self.mem.close()
        os.close(self.fd)
