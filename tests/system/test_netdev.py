# SPDX-License-Identifier: Apache-2.0
"""Devices with real kernels on both ends: two of them joined by tests/unit/netdev/wire.c.

No switch takes part: what fails here is src/netdev's.
"""
import os
import queue
import re
import socket
import struct
import subprocess
import threading
import time

import pytest

from switchlib import ROOT, Netns, sh, wait_for

BUILD = os.path.dirname(os.path.dirname(os.environ.get(
    "SLUICED", os.path.join(ROOT, "build", "src", "sluiced"))))
WIRE = os.path.join(BUILD, "tests", "unit", "netdev", "netdev_wire")
SOL_PACKET, PACKET_AUXDATA = 263, 8


class Wire:
    """The process; it runs in a namespace of its own, as a switch would."""

    def __init__(self, *ends, dpdk=False, env=None):
        self.ns = Netns("wire")
        self.args = [WIRE] + (["--dpdk"] if dpdk else []) + list(ends)
        self.env = dict(os.environ, **(env or {}))
        self.proc = None

    def start(self):
        self.proc = self.ns.popen(self.args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, bufsize=1, env=self.env)
        self.log = []
        self.lines = queue.Queue()
        for target in (lambda: self.log.extend(self.proc.stderr),
                       lambda: [self.lines.put(line) for line in self.proc.stdout]):
            threading.Thread(target=target, daemon=True).start()
        assert self.answer() == ["ready"], self.log
        return self

    def answer(self):
        lines = []
        while True:
            try:
                line = self.lines.get(timeout=20)
            except queue.Empty:
                raise AssertionError("no answer: %s" % "".join(self.log))
            if line == "\n":
                return lines
            lines.append(line.rstrip("\n"))

    def ask(self, command):
        self.proc.stdin.write(command + "\n")
        return self.answer()

    def dev(self, name):
        """What 'stats' says of one device, as numbers and texts by key."""
        text = "\n".join(self.ask("stats"))
        m = re.search(r"^dev %s (.*)$" % name, text, re.M).group(1).split()
        d = dict(zip(m[::2], m[1::2]))
        s = re.search(r"^stats %s rx (\d+) (\d+) drop (\d+) err (\d+) tx (\d+) (\d+) drop (\d+) "
                      r"err (\d+)" % name, text, re.M).groups()
        d.update(zip(("rx", "rx_bytes", "rx_drop", "rx_err", "tx", "tx_bytes", "tx_drop",
                      "tx_err"), map(int, s)))
        return d

    def close(self):
        if self.proc:
            self.proc.stdin.close()
            try:
                status = self.proc.wait(10)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                status = self.proc.wait()
            assert status == 0, "wire ended with %s: %s" % (status, "".join(self.log))
        self.ns.close()


class Lab:
    """Two hosts whose veth ends 'va' and 'vb' are in the wire's namespace."""

    def __init__(self):
        self.a, self.b = Netns("a"), Netns("b")
        self.wires = []

    def wire(self, *ends, veths=("va", "vb"), mtu=1500, **kw):
        w = Wire(*ends, **kw)
        self.wires.append(w)
        w.ns.run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv4.conf.all.arp_ignore=8")
        for veth, host, ip in (("va", self.a, "10.1.0.1/24"), ("vb", self.b, "10.1.0.2/24")):
            if veth in veths:
                w.ns.run("ip link add %s mtu %d type veth peer name e0 mtu %d netns %s"
                         % (veth, mtu, mtu, host.name))
                w.ns.run("ip link set %s up" % veth)
                host.run("ip addr add %s dev e0" % ip)
                host.run("ip link set e0 up")
        return w.start()

    def close(self):
        try:
            for w in self.wires:
                w.close()
        finally:
            self.a.close()
            self.b.close()


@pytest.fixture
def lab():
    lab = Lab()
    yield lab
    lab.close()


def ping(ns, ip, *more):
    return ns.run(["ping", "-c", "3", "-i", "0.05", "-W", "1", ip] + list(more))


def send_stream(src, dst, ip, n_bytes):
    """Sends bytes over TCP from one host to another and compares them."""
    family = int(socket.AF_INET6 if ":" in ip else socket.AF_INET)
    code_rx = ("import socket,hashlib\ns=socket.create_server(('%s',5000),family=%d)\n"
               "print('up',flush=True)\nc,_=s.accept()\nh=hashlib.sha256()\n"
               "while (d:=c.recv(1<<20)): h.update(d)\nprint(h.hexdigest())" % (ip, family))
    code_tx = ("import socket,hashlib,random\nd=random.Random(5).randbytes(%d)\n"
               "c=socket.create_connection(('%s',5000),timeout=20)\nc.sendall(d)\nc.close()\n"
               "print(hashlib.sha256(d).hexdigest())" % (n_bytes, ip))
    rx = dst.popen(["/usr/bin/python3", "-c", code_rx], stdout=subprocess.PIPE, text=True)
    try:
        rx.stdout.readline()
        sent = src.run(["/usr/bin/python3", "-c", code_tx], timeout=60).strip()
        assert rx.communicate(timeout=30)[0].strip() == sent
    finally:
        rx.kill()


def in_netns(ns, fn):
    """Calls fn() with this thread in the namespace; returns its result."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    result = []

    def run():
        fd = os.open("/var/run/netns/" + ns.name, os.O_RDONLY)
        if libc.setns(fd, 0) == 0:
            result.append(fn())
        os.close(fd)

    t = threading.Thread(target=run)
    t.start()
    t.join()
    return result[0]


def raw_socket(ns, dev):
    def make():
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        s.bind((dev, 3))
        s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        s.settimeout(2)
        return s
    return in_netns(ns, make)


def receive(sock, wanted, timeout=5):
    """The next frame for which wanted(frame) is true, its VLAN tag put back."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        data, aux, _, _ = sock.recvmsg(70000, 128)
        for level, kind, value in aux:
            if level == SOL_PACKET and kind == PACKET_AUXDATA:
                status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", value[:20])
                if status & 0x10:
                    data = data[:12] + struct.pack("!HH", tpid, tci) + data[12:]
        if wanted(data):
            return data
    raise AssertionError("the frame did not come")


def csum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def l4_is_right(ip):
    """Whether the TCP or UDP checksum of an IPv4 packet is."""
    ihl = (ip[0] & 15) * 4
    l4 = ip[ihl:struct.unpack("!H", ip[2:4])[0]]
    return csum(ip[12:20] + struct.pack("!HH", ip[9], len(l4)) + l4) == 0xffff


# --- tests --------------------------------------------------------------------------------------

def test_system_to_system(lab):
    w = lab.wire("system:va", "system:vb")
    ping(lab.a, "10.1.0.2")
    ping(lab.b, "10.1.0.1", "-s", "1400")
    # TSO and checksum offload are on, as veth has it: 64 kB super-frames with begun checksums.
    send_stream(lab.a, lab.b, "10.1.0.2", 30 << 20)
    send_stream(lab.b, lab.a, "10.1.0.1", 30 << 20)
    va, vb = w.dev("va"), w.dev("vb")
    assert va["rx"] > 20000 and va["rx_err"] == 0 and vb["rx_err"] == 0
    assert abs(va["rx_bytes"] - vb["tx_bytes"]) == 0


def test_every_frame_is_whole(lab):
    """What leaves the wire has right checksums and no frame beyond the MTU."""
    lab.wire("system:va", "system:vb")
    ping(lab.a, "10.1.0.2")
    # The receiver must not merge what it gets, else raw sockets see merged frames.
    lab.b.run("ethtool -K e0 gro off", check=False)
    s = raw_socket(lab.b, "e0")
    s.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)
    send_stream(lab.a, lab.b, "10.1.0.2", 1 << 20)
    seen = 0
    s.settimeout(0.3)
    try:
        while True:
            f = s.recv(70000)
            if f[12:14] == b"\x08\0" and f[26:30] == bytes([10, 1, 0, 1]) and f[23] == 6:
                assert len(f) <= 1514
                assert csum(f[14:34]) == 0xffff and l4_is_right(f[14:])
                seen += 1
    except TimeoutError:
        pass
    assert seen > 600
    # UDP with a begun checksum, of odd length.
    lab.a.run(["/usr/bin/python3", "-c", "import socket\n"
               "socket.socket(2,2).sendto(b'x'*101,('10.1.0.2',7777))"])
    f = receive(s, lambda d: d[23] == 17 and d[36:38] == struct.pack("!H", 7777))
    assert l4_is_right(f[14:])


def test_vlan_tags_stay(lab):
    w = lab.wire("system:va", "system:vb")
    tx, rx = raw_socket(lab.a, "e0"), raw_socket(lab.b, "e0")
    macs = b"\2\0\0\0\0\2" + b"\2\0\0\0\0\1"
    for tag in (b"\x81\0\x60\x05", b"\x88\xa8\0\x07\x81\0\0\x09", b"\x81\0\0\0"):
        frame = macs + tag + b"\x88\xb5" + os.urandom(80)
        tx.send(frame)
        assert receive(rx, lambda d: d[:12] == macs) == frame
    assert w.dev("va")["rx_err"] == 0


def test_short_and_long_frames(lab):
    w = lab.wire("system:va", "internal:in0")
    w.ns.run("ip link set in0 up")
    tx = raw_socket(lab.a, "e0")
    tx.send(b"\xff" * 6 + b"\2\0\0\0\0\1" + b"\x88\xb5")  # an Ethernet header and nothing
    wait_for(lambda: w.dev("in0")["tx"] + w.dev("in0")["tx_drop"] >= 1)
    # Beyond the other end's MTU: the frame is lost and counted, the next one passes.
    w.ns.run("ip link set in0 mtu 1000")
    before = w.dev("in0")
    lab.a.run("ip link set e0 mtu 3000")
    w.ns.run("ip link set va mtu 3000")
    tx.send(b"\xff" * 6 + b"\2\0\0\0\0\1" + b"\x88\xb5" + bytes(2900))
    tx.send(b"\xff" * 6 + b"\2\0\0\0\0\1" + b"\x88\xb5" + bytes(100))
    wait_for(lambda: w.dev("in0")["tx"] > before["tx"])


def test_internal_in_a_namespace(lab):
    w = lab.wire("internal:in0", "system:vb", veths=("vb",))
    w.ns.run("ip link set in0 netns %s" % lab.a.name)
    lab.a.run("ip addr add 10.1.0.3/24 dev in0")
    lab.a.run("ip link set in0 up")
    ping(lab.a, "10.1.0.2")
    send_stream(lab.a, lab.b, "10.1.0.2", 10 << 20)
    send_stream(lab.b, lab.a, "10.1.0.3", 10 << 20)
    # Its properties are still known, and can be changed from both sides.
    lab.a.run("ip link set in0 address 02:00:00:00:00:77")
    d = w.dev("in0")
    assert d["mac"] == "02:00:00:00:00:77" and d["carrier"] == "1" and int(d["ifindex"]) > 0
    assert w.ask("mtu in0 1400") == ["0"]
    assert "mtu 1400" in lab.a.run("ip link show in0")
    assert d["rx_err"] == 0


def test_mtu_grows(lab):
    w = lab.wire("internal:in0", "system:vb", veths=("vb",), mtu=9000)
    w.ns.run("ip addr add 10.1.0.3/24 dev in0")
    w.ns.run("ip link set in0 up")
    ping(w.ns, "10.1.0.2")
    w.ns.run("ip link set in0 mtu 9000")
    wait_for(lambda: w.dev("in0")["mtu"] == "9000")
    ping(w.ns, "10.1.0.2", "-s", "8900", "-M", "do")
    # In a namespace nobody tells us; the first long frame does.
    w.ns.run("ip link set in0 mtu 1500")
    w.ns.run("ip link set in0 netns %s" % lab.a.name)
    lab.a.run("ip addr add 10.1.0.3/24 dev in0")
    lab.a.run("ip link set in0 up")
    lab.a.run("ip link set in0 mtu 8000")
    lab.a.run("ping -c 5 -i 0.1 -W 1 -s 7900 -M do 10.1.0.2")


def test_deleted_from_outside(lab):
    """Both kinds of device go away under traffic and come back."""
    w = lab.wire("internal:in0", "system:vb", veths=("vb",))
    w.ns.run("ip addr add 10.1.0.3/24 dev in0")
    w.ns.run("ip link set in0 up")
    flood = lab.b.popen("ping -i 0.002 -w 20 10.1.0.3", stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.3)
        w.ns.run("ip link del in0")
        wait_for(lambda: int(w.dev("in0")["ifindex"]) > 0, what="the tap to be made again")
        w.ns.run("ip addr add 10.1.0.3/24 dev in0")
        w.ns.run("ip link set in0 up")
        ping(w.ns, "10.1.0.2")
    finally:
        flood.kill()
        flood.wait()
    w.ns.run("ip link del vb")
    wait_for(lambda: w.dev("vb")["ifindex"] == "-19")
    w.ns.run("ip link add vb type veth peer name e0 netns " + lab.b.name)
    w.ns.run("ip link set vb up")
    lab.b.run("ip addr add 10.1.0.2/24 dev e0")
    lab.b.run("ip link set e0 up")
    wait_for(lambda: int(w.dev("vb")["ifindex"]) > 0)
    w.ns.run("ip neigh flush all")
    ping(w.ns, "10.1.0.2")
    # No more than a moment of processor time goes into what is gone.
    w.ns.run("ip link del vb")
    wait_for(lambda: w.dev("vb")["ifindex"] == "-19")

    def busy():
        with open("/proc/%d/stat" % w.proc.pid) as f:
            return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))
    start = busy()
    time.sleep(0.5)
    assert busy() - start < 25


def test_link_and_flags(lab):
    w = lab.wire("system:va", "internal:in0")
    seq = int(w.dev("va")["seq"])
    lab.a.run("ip link set e0 down")
    wait_for(lambda: w.dev("va")["carrier"] == "0")
    lab.a.run("ip link set e0 up")
    wait_for(lambda: w.dev("va")["carrier"] == "1")
    d = w.dev("va")
    assert int(d["seq"]) > seq and int(d["resets"]) >= 2
    assert w.ask("up in0 1") == ["0"] and "UP" in w.ns.run("ip link show in0")
    assert w.ask("up in0 0") == ["0"]
    wait_for(lambda: w.dev("in0")["carrier"] == "0")


def test_taps_leave_nothing(lab):
    w = lab.wire("internal:in0", "tap:tp0", veths=())
    assert "in0" in w.ns.run("ip link") and "tp0" in w.ns.run("ip link")
    w.proc.kill()
    w.proc.wait()
    links = w.ns.run("ip link")
    assert "in0" not in links and "tp0" not in links
    # One that somebody made persistent is taken over.
    w.ns.run("ip tuntap add in0 mode tap")
    w.start()
    assert int(w.dev("in0")["ifindex"]) > 0


@pytest.mark.parametrize("driver", ["net_af_packet", "eth_af_packet"])
def test_dpdk_on_veth(lab, driver):
    w = lab.wire("dpdk:p0:dpdk-devargs=%s0,iface=va" % driver, "system:vb", dpdk=True)
    ping(lab.a, "10.1.0.2")
    d = w.dev("p0")
    assert d["rx"] >= 3 and d["tx"] >= 3 and d["carrier"] == "1"


def test_dpdk_tap(lab):
    """net_tap wants its queues in pairs."""
    w = lab.wire("dpdk:p0:dpdk-devargs=net_tap0,iface=dt0", "system:vb", veths=("vb",), dpdk=True)
    w.ns.run("ip addr add 10.1.0.3/24 dev dt0")
    w.ns.run("ip link set dt0 up")
    ping(w.ns, "10.1.0.2")
    assert not [x for x in w.log if "|WARN|" in x or "|ERR|" in x]


def test_vxlan_super_frames(lab):
    """The kernel leaves the segmentation of what it puts into VXLAN to the device as well."""
    lab.wire("system:va", "system:vb")
    for ns, me, peer, ip in ((lab.a, "10.1.0.1", "10.1.0.2", "10.9.0.1/24"),
                             (lab.b, "10.1.0.2", "10.1.0.1", "10.9.0.2/24")):
        try:
            ns.run("ip link add vx type vxlan id 7 local %s remote %s dstport 4789 dev e0"
                   % (me, peer))
        except AssertionError:
            pytest.skip("this kernel has no vxlan")
        ns.run("ip addr add %s dev vx" % ip)
        ns.run("ip link set vx up")
    ping(lab.a, "10.9.0.2")
    send_stream(lab.a, lab.b, "10.9.0.2", 8 << 20)


def test_super_frames_for_hosts(make_switch, hosts):
    """With userspace-tso-enable kernel devices get super-frames: plain, IPv6 and tagged, by packet
    socket and tap.  Counted are the wire's frames, and what arrives is what was sent."""
    sw, n_bytes = make_switch(), 4 << 20
    sw.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:userspace-tso-enable=true")
    for bridge in ("br0", "br1"):
        sw.add_bridge(bridge)
    hosts += [sw.add_host("br0", "p%d" % i, "10.1.0.%d/24" % i) for i in (1, 2)]
    for number in (1, 2):
        hosts[number - 1].run("ip addr add fd00::%d/64 dev eth0 nodad" % number)
    hosts.append(Netns("in"))
    sw.vsctl("add-port", "br0", "in0", "--", "set", "interface", "in0", "type=internal")
    sw.ns.run("ip link set in0 netns " + hosts[2].name)
    hosts[2].run("ip addr add 10.1.0.3/24 dev in0")
    hosts[2].run("ip link set in0 up")
    # Between the bridges frames are tagged.
    hosts.append(sw.add_host("br1", "p4", "10.1.0.4/24", "tag=9"))
    sw.ns.run("ip link add t0 type veth peer name t1")
    for bridge, dev in (("br0", "t0"), ("br1", "t1")):
        sw.ns.run("ip link set %s up" % dev)
        sw.vsctl("add-port", bridge, dev, "trunks=9")

    def came(ns, dev):
        return int(ns.run("cat /sys/class/net/%s/statistics/rx_packets" % dev))

    def stream(to, ip, ns, dev, port, bridge="br0"):
        wait_for(lambda: hosts[0].ping(ip, count=1), 20, "traffic to " + ip)
        frames, before = tx_packets(sw, bridge, port), came(ns, dev)
        send_stream(hosts[0], to, ip, n_bytes)
        assert came(ns, dev) - before < n_bytes / 1500 / 2, ip
        assert tx_packets(sw, bridge, port) - frames >= n_bytes / 1500, ip

    stream(hosts[1], "10.1.0.2", hosts[1], "eth0", "p2")
    stream(hosts[1], "fd00::2", hosts[1], "eth0", "p2")
    stream(hosts[2], "10.1.0.3", hosts[2], "in0", "in0")
    sw.vsctl("set", "port", "p1", "tag=9")
    stream(hosts[3], "10.1.0.4", sw.ns, "t1", "t0")


def tx_packets(sw, bridge, port):
    return int(re.search(r"tx pkts=(\d+)", sw.ofctl("dump-ports", bridge, port)).group(1))


def test_a_bridge_is_named_after_devices_not_after_guests(make_switch):
    """Locally administered addresses (veths, taps of guests) come and go: the bridge's stays."""
    sw = make_switch()
    sw.add_bridge("br0")

    def identity():
        return sw.get("bridge", "br0", "datapath_id"), sw.get("interface", "br0", "mac_in_use")

    def add(name, mac):
        sw.ns.run("ip link add %s address %s type veth peer name %sp" % (name, mac, name))
        sw.vsctl("add-port", "br0", name)

    born = identity()
    add("v1", "02:00:00:00:00:01")
    assert identity() == born
    add("v2", "04:00:00:00:00:02")
    assert identity() == ('"0000040000000002"', '"04:00:00:00:00:02"')
    sw.vsctl("del-port", "v1")
    assert identity() == ('"0000040000000002"', '"04:00:00:00:00:02"')
    sw.vsctl("del-port", "v2")
    assert identity() == born
