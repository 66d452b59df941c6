# SPDX-License-Identifier: Apache-2.0
"""vhost-user ports of a whole switch, with drivers that this file plays: offered features, offloads,
dirty log, memory that changes, queues that come and go, slow guests, many ports on one PMD.
"""
import os
import re
import socket
import struct

import pytest

import vhost_frontend as vf
from switchlib import Failed, wait_for
from vhost_frontend import Driver, Frontend


@pytest.fixture
def drivers():
    made = []
    yield made
    for d in made:
        d.close()


def begin(sw, *other_config, bridge=True):
    """DPDK on ordinary pages, as also genuine OVS can have it."""
    if sw.kind == "ovs":
        other_config += ("other_config:dpdk-extra=--no-huge --legacy-mem -m 512 --no-pci "
                         "--file-prefix t%d" % os.getpid(),)
    sw.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true", *other_config)
    if bridge:
        sw.add_bridge("br0")
    return sw


def add_server(sw, name):
    sw.vsctl("add-port", "br0", name, "--", "set", "Interface", name, "type=dpdkvhostuser")
    return "%s/%s" % (sw.dir, name)


def connect(sw, drivers, name, **kw):
    d = Driver(add_server(sw, name), **kw)
    drivers.append(d)
    wait_for(lambda: sw.get("Interface", name, "link_state") == "up", 20, name + " to connect")
    return d


def statistics(sw, name):
    """The counters of now; the column of the database is up to 5 s old."""
    text = sw.ofctl("-O", "OpenFlow14", "dump-ports", "br0", name)
    rx, tx = text.index("rx pkts"), text.index("tx pkts")
    out = {}
    for prefix, part in (("rx_", text[rx:tx]), ("tx_", text[tx:])):
        for key, name in (("pkts", "packets"), ("bytes", "bytes"), ("drop", "dropped"),
                          ("errs", "errors")):
            out[prefix + name] = int(re.search(key + r"=(\d+)", part).group(1))
    return out


def counted(sw, name, key, at_least, timeout=20):
    return wait_for(lambda: statistics(sw, name).get(key, 0) >= at_least, timeout,
                    "%s of %s to be %d" % (key, name, at_least))


# --- frames -------------------------------------------------------------------------------------

def add(data, initial=0):
    total = initial + sum(struct.unpack(">%dH" % (len(data + b"\0") // 2),
                                        data + b"\0" * (len(data) & 1)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def ether(dst=b"\xff" * 6, src=b"\2\0\0\0\0\1", kind=0x88b5, payload=bytes(50)):
    return dst + src + struct.pack(">H", kind) + payload


def tcp(payload, v6=False, seq=1000, flags=0x10, whole=True, proto=6, ident=77):
    """A TCP frame; without 'whole' its checksum is the pseudo-header's, as for a device."""
    head = struct.pack(">HHIIBBHHH", 4000, 5001, seq, 7, 0x50, flags, 8192, 0, 0)
    length = len(head) + len(payload)
    if v6:
        addresses = bytes(15) + b"\1" + bytes(15) + b"\2"
        ip = struct.pack(">IHBB", 0x60000000, length, proto, 64) + addresses
    else:
        addresses = b"\x0a\0\0\1\x0a\0\0\2"
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, ident, 0x4000, 64, proto, 0) + addresses
        ip = ip[:10] + struct.pack(">H", 0xffff ^ add(ip)) + ip[12:]
    pseudo = add(addresses + struct.pack(">HH", proto, length & 0xffff))
    csum = 0xffff ^ add(head + payload, pseudo) if whole else pseudo
    head = head[:16] + struct.pack(">H", csum) + head[18:]
    return ether(dst=b"\2\0\0\0\0\2", kind=0x86dd if v6 else 0x0800, payload=ip + head + payload)


def has_right_sums(frame):
    """Whether the IP header's and the TCP checksum are right and the lengths fit."""
    if frame[12:14] == b"\x86\xdd":
        addresses, l4, ok = frame[22:54], 54, True
        length = struct.unpack(">H", frame[18:20])[0] == len(frame) - 54
    else:
        addresses, l4, ok = frame[26:34], 34, add(frame[14:34]) == 0xffff
        length = struct.unpack(">H", frame[16:18])[0] == len(frame) - 14
    pseudo = add(addresses + struct.pack(">HH", 6, len(frame) - l4))
    return ok and length and add(frame[l4:], pseudo) == 0xffff


def super_header(v6, mss=1448, flags=1, csum_start=None, csum_offset=16, kind=None):
    l4 = 54 if v6 else 34
    return struct.pack("<BBHHHHH", flags, (4 if v6 else 1) if kind is None else kind, l4 + 20, mss,
                       l4 if csum_start is None else csum_start, csum_offset, 0)


# --- what is offered ----------------------------------------------------------------------------

# Of genuine OVS 3.1.0 with DPDK 22.11.11 (SWITCH_KIND=ovs runs this test on it).  A guest keeps the
# features that it negotiated when it migrates, so none may be missing.  It gives its server ports
# half of TSO; ours have all.
OFFERED = {
    (): ("client", 0xd7c66a7ca, 0x10cbf),
    ("userspace-tso-enable=true",): ("client", 0xd7c669fcb, 0x10cbf),
    ("vhost-iommu-support=true", "vhost-postcopy-support=true"): ("client", 0xf7c66a7ca, 0x10dbf),
}


@pytest.mark.parametrize("config", OFFERED, ids=lambda c: "+".join(c) or "default")
def test_offers_what_open_vswitch_offers(sw, config):
    _, features, protocol = OFFERED[config]
    begin(sw, *("other_config:" + c for c in config))
    path = sw.dir + "/c0.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(20)
        sw.vsctl("add-port", "br0", "c0", "--", "set", "Interface", "c0",
                 "type=dpdkvhostuserclient", "options:vhost-server-path=" + path)
        fe = Frontend(None, listener.accept()[0])
    assert hex(fe.ask(vf.GET_FEATURES)) == hex(features)
    assert hex(fe.ask(vf.GET_PROTOCOL_FEATURES)) == hex(protocol)
    assert fe.ask(vf.GET_QUEUE_NUM) == 128
    fe.close()
    fe = Frontend(add_server(sw, "s0"))
    assert fe.ask(vf.GET_FEATURES) & 0xd7c66a7ca == 0xd7c66a7ca
    fe.close()


# --- offloads -----------------------------------------------------------------------------------

OFFLOADS = (vf.CSUM, vf.GUEST_CSUM, vf.GUEST_TSO4, vf.GUEST_TSO6, vf.HOST_TSO4, vf.HOST_TSO6)


def payload_of(frames, v6):
    return b"".join(f[74 if v6 else 54:] for _, f in frames)


def send_until_joined(sender, receiver, frame, header, v6):
    """The first frames of a flow are upcalls, which send each by itself; returns the one that came."""
    n = len(frame) - (74 if v6 else 54)
    for _ in range(100):
        sender.send(frame, header=header)
        got = receiver.expect(1)
        while len(payload_of(got, v6)) < n:
            got += receiver.expect(1)
        assert payload_of(got, v6) == frame[-n:]
        if len(got) == 1:
            return got[0]
    raise AssertionError("never joined")


def test_offloads(sw, drivers):
    """A super-frame arrives as one where that was agreed upon, else as whole frames."""
    begin(sw, "other_config:userspace-tso-enable=true")
    a = connect(sw, drivers, "a", features=OFFLOADS)
    b = connect(sw, drivers, "b", features=OFFLOADS)
    c = connect(sw, drivers, "c")
    assert a.features >> vf.HOST_TSO4 & 1 and not c.features & 1
    for v6 in (False, True):
        frame = tcp(os.urandom(20000), v6, whole=False)
        sw.ofctl("add-flow", "br0", "in_port=a,actions=output:c")
        a.send(frame, header=super_header(v6))
        segments = c.expect(14)
        assert all(has_right_sums(f) and len(f) <= 1522 for _, f in segments)
        assert payload_of(segments, v6) == frame[-20000:]
        sw.ofctl("add-flow", "br0", "in_port=a,actions=output:b")
        header, f = send_until_joined(a, b, frame, super_header(v6), v6)
        flags, kind, hdr_len, mss, start, offset, _ = struct.unpack("<BBHHHHH", header)
        assert (flags, kind, mss, start, offset) == (1, 4 if v6 else 1, 1448, 54 if v6 else 34, 16)
        # The headers that were sent; DPDK counts no length into the pseudo-header's sum.
        assert f[:start + 16] == frame[:start + 16]
        # A checksum alone.
        a.send(tcp(b"x" * 101, v6, whole=False), header=super_header(v6, mss=0, kind=0))
        (header, f), = b.expect(1)
        assert has_right_sums(f) and header[:2] == b"\0\0", header


def test_whole_frames_are_joined_and_counted(sw, drivers):
    """What comes from a guest without offloads is joined too; counted are the wire's frames."""
    begin(sw, "other_config:userspace-tso-enable=true")
    b = connect(sw, drivers, "b", features=OFFLOADS)
    c = connect(sw, drivers, "c")
    frames = [tcp(os.urandom(1000), seq=1000 + 1000 * i, ident=i) for i in range(8)]

    def joined():
        c.send(*frames)
        got = b.expect(1)
        while len(payload_of(got, False)) < 8000:
            got += b.expect(1)
        return len(got) < 8
    wait_for(joined, 20, "frames to be joined")
    sent, came = statistics(sw, "c"), statistics(sw, "b")
    assert came["tx_packets"] == sent["rx_packets"] and sent["rx_packets"] % 8 == 0
    assert came["tx_bytes"] == sent["rx_bytes"] == 1054 * sent["rx_packets"]


def forged_headers(n):
    """Offload headers that lie, or may, about a frame of 'n' bytes."""
    tiny = 1 if n < 10000 else 40  # 60,000 segments of a byte each would only take time
    for kind in (0, 1, 3, 4, 5, 0x81, 0xff):
        for start, offset, mss in ((34, 16, 1448), (54, 16, tiny), (0, 0, 0), (65535, 65535, 65535),
                                   (34, 65535, 9), (n & 0xffff, 0, 1448), (14, 6, 70)):
            yield super_header(False, mss=mss, kind=kind, csum_start=start, csum_offset=offset)


def test_forged_offload_headers(sw, drivers):
    """Offload headers that lie cost their sender's frame; the next one passes.  It has a receiver of
    its own: the other one's ring overflows with what is cut, as it may."""
    begin(sw, "other_config:userspace-tso-enable=true")
    a = connect(sw, drivers, "a", features=OFFLOADS)
    b = connect(sw, drivers, "b", features=OFFLOADS)
    c = connect(sw, drivers, "c", features=OFFLOADS)
    sw.ofctl("add-flow", "br0", "priority=1,in_port=a,actions=output:b")
    sw.ofctl("add-flow", "br0", "priority=2,in_port=a,dl_dst=02:00:00:00:00:03,actions=output:c")
    bodies = [tcp(os.urandom(n), v6, whole=False) for n in (1, 100, 3000, 60000)
              for v6 in (False, True)]
    bodies += [ether(payload=os.urandom(n)) for n in (0, 1, 50, 1400)]
    bodies += [ether(kind=k, payload=os.urandom(n)) for k in (0x0800, 0x86dd, 0x8100, 0x88a8)
               for n in (0, 3, 19, 39, 60)]
    bodies += [tcp(b"z" * 50, proto=p, whole=False) for p in (0, 17, 43, 60, 132)]
    for i, body in enumerate(bodies):
        for header in forged_headers(len(body)):
            a.send(body, header=header)
        b.receive()
        good = ether(dst=b"\2\0\0\0\0\3", payload=b"good %d" % i + bytes(50))
        a.send(good)
        try:
            got = c.expect(1, timeout=20)
        except Failed as e:
            raise Failed("%s after %d bytes of %s: %s, %s\n%s" % (
                e, len(body), body[12:14].hex(), statistics(sw, "a"), statistics(sw, "c"),
                sw.appctl("coverage/show"))) from None
        assert [f for _, f in got] == [good]
    counted(sw, "a", "rx_errors", 100)
    assert sw.proc.poll() is None


# --- live migration -----------------------------------------------------------------------------

def test_dirty_log(sw, drivers):
    """While the log is on, each page that the switch writes is marked, and only those."""
    begin(sw)
    a, b = (connect(sw, drivers, name, features=(vf.LOG_ALL,)) for name in "ab")
    a.send(ether())
    b.expect(1)
    log_size = b.size // 4096 // 8 + 8
    fd = os.memfd_create("log")
    os.ftruncate(fd, log_size)
    b.set_features(b.features & ~(1 << vf.LOG_ALL))
    a.send(ether())
    b.expect(1)
    assert os.pread(fd, log_size, 0) == bytes(log_size)
    b.fe.send(vf.SET_LOG_BASE, struct.pack("<QQ", log_size, 0), [fd])
    assert b.fe.s.recv(12)[:4] == struct.pack("<I", vf.SET_LOG_BASE)
    b.set_features(b.features)
    for ring in b.rings:
        b.set_address(ring, log=ring.used)
    assert b.fe.ask(vf.GET_FEATURES)  # the messages before have been handled
    for i in range(3):
        a.send(ether(payload=b"page %d".ljust(60)))
        b.expect(1)
    log = os.pread(fd, log_size, 0)
    dirty = {i for i in range(log_size * 8) if log[i // 8] >> i % 8 & 1}
    os.close(fd)
    heads = [0, 1, 2, 3, 4, 5]
    buffers = {(b.rx.data + h * b.RX_SIZE) >> 12 for h in heads}
    used = {b.rx.used >> 12}
    assert used <= dirty and dirty & buffers, dirty
    assert dirty <= buffers | used | {b.rx.used + 0x1000 >> 12}, (dirty, buffers, used)


# --- memory and queues --------------------------------------------------------------------------

def test_memory_hot_plug(sw, drivers):
    """A second region arrives while frames pass, and is used; then the first one is replaced."""
    begin(sw)
    a, b = connect(sw, drivers, "a"), connect(sw, drivers, "b")
    extra = os.memfd_create("extra")
    os.ftruncate(extra, 1 << 20)
    a.send(ether())
    b.expect(1)
    for _ in range(3):
        for d in (a, b):
            d.set_memory([(0, d.size, d.fd), (1 << 30, 1 << 20, extra)])
            # The library stops rings whose memory changes, as QEMU knows.
            for ring in d.rings:
                d.set_address(ring)
        frame = ether(payload=os.urandom(100))
        a.send(frame)
        assert frame in [f for _, f in b.expect(1)]
        body = ether(payload=os.urandom(300))
        os.pwrite(extra, bytes(12) + body, 0x8000)
        a.tx.describe(200, (1 << 30) + 0x8000, 12 + len(body))
        a.tx.offer(200)
        assert body in [f for _, f in b.expect(1)]
        for d in (a, b):
            d.set_memory([(0, d.size, d.fd)])
            for ring in d.rings:
                d.set_address(ring)
        a.send(frame)
        assert frame in [f for _, f in b.expect(1)]
    os.close(extra)


def test_queues_follow_the_guest(sw, drivers):
    """Four queue pairs, then two of them, then all again; frames only go to enabled ones."""
    begin(sw)
    a = connect(sw, drivers, "a", features=(vf.MQ,), pairs=4)
    b = connect(sw, drivers, "b")
    wait_for(lambda: 'n_rxq="4"' in sw.get("Interface", "a", "status"), 20, "four queues")
    assert 'num_of_vrings="8"' in sw.get("Interface", "a", "status")

    def through(queue):
        a.send(ether(payload=b"from %d" % queue), queue=queue)
        b.expect(1)

    def back(queues):
        got = 0
        while got < 1:
            b.send(ether(src=b"\2\0\0\0\0\3", payload=b"back"))
            for q in queues:
                got += len(a.receive(q))
        for q in set(range(4)) - set(queues):
            assert not a.receive(q)

    for q in range(4):
        through(q)
    back(range(4))
    for index in (0, 1, 4, 5):
        a.enable(index, False)
    a.fe.ask(vf.GET_FEATURES)
    a.receive(0), a.receive(2)
    back((1, 3))
    through(1), through(3)
    for index in (0, 1, 4, 5):
        a.enable(index, True)
    for q in range(4):
        through(q)


def send_at_once(driver, n):
    """One store of the index makes 'n' frames visible; returns when they have been taken."""
    ring = driver.tx
    driver.mem[ring.data:ring.data + 76] = bytes(12) + ether()
    for k in range(n):
        ring.describe(k, ring.data, 76)
        driver.words[ring.avail // 2 + 2 + (ring.avail_idx + k) % driver.N] = k
    ring.avail_idx = (ring.avail_idx + n) & 0xffff
    driver.words[ring.avail // 2 + 1] = ring.avail_idx
    wait_for(lambda: len(ring.reap()) == n or ring.used_idx == ring.avail_idx, 20, "the frames")


def test_length_of_the_queue_in_pmd_perf_show(sw, drivers):
    """What stood in a guest's ring when the PMD came, as pmd-perf-metrics show it."""
    begin(sw, "other_config:pmd-perf-metrics=true")
    a, b = connect(sw, drivers, "a"), connect(sw, drivers, "b")

    a.send(ether())
    b.expect(1)

    def longest():
        send_at_once(a, 200)
        b.receive()
        rows = sw.appctl("dpif-netdev/pmd-perf-show", "-nh", "-ms", "1000").splitlines()
        at = next(i for i, line in enumerate(rows) if "vhost qlen" in line)
        head = re.split(r"  +", rows[at].strip())
        column = head.index("vhost qlen")
        return max((int(line.split()[column]) for line in rows[at + 1:]
                    if re.fullmatch(r"[\d. ]+", line) and len(line.split()) == len(head)), default=0)

    wait_for(lambda: longest() == 200, 20, "a queue of 200")


# Of genuine OVS 3.1.0 for a connected guest.
RING_KEYS = ("broadcast_packets good_bytes good_packets guest_notifications inflight_completed "
             "inflight_submitted iotlb_hits iotlb_misses multicast_packets size_1024_1518_packets "
             "size_128_255_packets size_1519_max_packets size_256_511_packets "
             "size_512_1023_packets size_64_packets size_65_127_packets undersize_packets").split()
PORT_KEYS = ("1024_to_1522_packets 128_to_255_packets 1523_to_max_packets 1_to_64_packets "
             "256_to_511_packets 512_to_1023_packets 65_to_127_packets broadcast_packets bytes "
             "dropped multicast_packets packets").split()
SIZES = {60: "1_to_64", 64: "1_to_64", 65: "65_to_127", 100: "65_to_127", 200: "128_to_255",
         300: "256_to_511", 600: "512_to_1023", 1100: "1024_to_1522", 1514: "1024_to_1522"}


def test_documented_statistics(sw, drivers):
    begin(sw)
    a, b = (connect(sw, drivers, name) for name in "ab")
    for length in SIZES:
        a.send(ether(payload=bytes(length - 14)))
    b.expect(len(SIZES))

    def column(name):
        return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", sw.get("Interface", name, "statistics"))}

    wait_for(lambda: column("b").get("tx_broadcast_packets") == len(SIZES), 20, "counters")
    for name, way in (("a", "rx"), ("b", "tx")):
        stats = column(name)
        assert {"%s_%s" % (w, key) for w in ("rx", "tx") for key in PORT_KEYS} <= set(stats)
        assert {"%s_q0_%s" % (w, key) for w in ("rx", "tx") for key in RING_KEYS} <= set(stats)
        for size in set(SIZES.values()):
            assert stats["%s_%s_packets" % (way, size)] == list(SIZES.values()).count(size)
        assert stats[way + "_multicast_packets"] == 0
        assert stats[way + "_q0_good_bytes"] == stats[way + "_bytes"] == sum(SIZES)


def test_one_queue_per_connection(sw, drivers):
    """The next guest on the same socket may have another number of queues."""
    begin(sw)
    path = add_server(sw, "a")
    for pairs in (1, 3, 2):
        d = Driver(path, features=(vf.MQ,), pairs=pairs)
        drivers.append(d)
        wait_for(lambda: 'n_rxq="%d"' % pairs in sw.get("Interface", "a", "status"), 20, "queues")
        drivers.pop().close()
        wait_for(lambda: "disconnected" in sw.get("Interface", "a", "status"), 20, "its end")


def test_jumbo_frames(sw, drivers):
    """A frame beyond the MTU is its sender's error; with mtu_request it passes, over many buffers."""
    begin(sw)
    a, b = connect(sw, drivers, "a"), connect(sw, drivers, "b")
    big = ether(payload=os.urandom(8900))
    a.send(big, ether())
    b.expect(1)
    # Longer than a buffer of the switch: refused by the library, which has no counter of its own.
    sw.vsctl("set", "Interface", "b", "mtu_request=9000")
    wait_for(lambda: sw.get("Interface", "b", "mtu") == "9000", 20, "the MTU of b")
    sw.vsctl("set", "Interface", "a", "mtu_request=9000")
    wait_for(lambda: sw.get("Interface", "a", "mtu") == "9000", 20, "the MTU of a")
    for _ in range(3):
        a.send(big)
        assert big in [f for _, f in b.expect(1)]
    # Back: what b would get is dropped on the way out.
    sw.vsctl("set", "Interface", "b", "mtu_request=1500")
    wait_for(lambda: sw.get("Interface", "b", "mtu") == "1500", 20, "the MTU of b")
    before = statistics(sw, "b")["tx_dropped"]
    a.send(big, ether())
    assert big not in [f for _, f in b.expect(1)]
    counted(sw, "b", "tx_dropped", before + 1)
    assert statistics(sw, "b")["tx_dropped"] == before + 1


# --- slow and many ------------------------------------------------------------------------------

def test_a_stopped_guest_costs_only_itself(sw, drivers):
    """Its frames are dropped and counted after its ring is full; the neighbour gets all of his."""
    begin(sw)
    a, b = connect(sw, drivers, "a"), connect(sw, drivers, "b")
    stopped = connect(sw, drivers, "stopped")
    n, got = 2000, []
    for i in range(0, n, 20):
        a.send(*[ether(payload=struct.pack(">I", i + k).ljust(60)) for k in range(20)])
        got += [f[14:18] for _, f in b.expect(20)]
    assert got == [struct.pack('>I', i) for i in range(n)]
    counted(sw, "stopped", "tx_dropped", n - stopped.N)
    s = statistics(sw, "stopped")
    assert s["tx_packets"] <= stopped.N and s["tx_dropped"] == n - s["tx_packets"]
    assert statistics(sw, "b")["tx_dropped"] == 0


def test_tx_retries_max(sw, drivers):
    """No retries with 0, one where the ring had no more room; out of range is the default."""
    begin(sw)
    a = connect(sw, drivers, "a")
    path = sw.dir + "/c0.sock"
    sw.vsctl("add-port", "br0", "c0", "--", "set", "Interface", "c0", "type=dpdkvhostuserclient",
             "options:vhost-server-path=" + path, "options:tx-retries-max=0")
    c0 = Driver(path, listen=True, fill=False)
    drivers.append(c0)
    wait_for(lambda: sw.get("Interface", "c0", "link_state") == "up", 20, "c0 to connect")

    def retries():
        text = sw.ofctl("-O", "OpenFlow14", "dump-ports", "br0", "c0")
        return int(re.search(r"ovs_tx_retries=(\d+)", text).group(1))

    send_at_once(a, 32)  # the flow is there
    for asked, shown in ((0, 0), (32, 32), (33, 8), (5, 5)):
        sw.vsctl("set", "Interface", "c0", "options:tx-retries-max=%d" % asked)
        if sw.kind == "sluice":  # a later release says so, too
            wait_for(lambda: "tx-retries-max=%d" % shown in sw.appctl("dpif/show"), 10, "the number")
        before = retries()
        for _ in range(3):
            c0.fill(c0.rx, 3)
            send_at_once(a, 32)
            wait_for(lambda: len(c0.rx.reap()) == 3, 20, "what has room")  # and is not offered again
        assert retries() - before == (0 if asked == 0 else 3)


def test_64_ports_on_one_pmd(sw, drivers):
    """A frame from each of 64 guests is flooded to the 63 others by one PMD thread."""
    begin(sw, "other_config:pmd-cpu-mask=0x1")
    n = 64
    names = ["v%d" % i for i in range(n)]
    cmd = []
    for name in names:
        cmd += ["--", "add-port", "br0", name, "--", "set", "Interface", name, "type=dpdkvhostuser"]
    sw.vsctl(*cmd[1:], timeout=60)
    drivers += [Driver("%s/%s" % (sw.dir, name)) for name in names]
    wait_for(lambda: sw.vsctl("--columns=name", "--format=csv", "--no-headings", "find", "Interface",
                              "type=dpdkvhostuser", "link_state=up").count("v") == n, 60,
             "64 links")
    assert sw.appctl("dpif-netdev/pmd-rxq-show").count("v") >= n
    assert sw.appctl("dpif-netdev/pmd-stats-show").count("pmd thread") == 1
    for i, d in enumerate(drivers):
        d.send(ether(src=b"\2\0\0\0\1" + bytes([i]), payload=b"from %d".ljust(60) % i))
    for i, d in enumerate(drivers):
        frames = {f[14:] for _, f in d.expect(n - 1, timeout=30)}
        assert frames == {b"from %d".ljust(60) % k for k in range(n) if k != i}, i
