# SPDX-License-Identifier: Apache-2.0
"""Hostile peers: each gets a clear error or is dropped, and nobody else notices."""
import json
import os
import re
import socket
import struct
import time

import pytest

from switchlib import wait_for

OFPT_HELLO, OFPT_ERROR, OFPT_ECHO_REQUEST, OFPT_ECHO_REPLY = 0, 1, 2, 3
OFPT_FEATURES_REQUEST, OFPT_FLOW_MOD, OFPT_BARRIER_REQUEST, OFPT_BARRIER_REPLY = 5, 14, 18, 19


def of_message(kind, body=b"", xid=1, version=1, length=None):
    return struct.pack("!BBHI", version, kind, length or 8 + len(body), xid) + body


class OpenFlow:
    """A bare OpenFlow 1.0 connection to a bridge's management socket."""

    def __init__(self, sw, bridge="br0"):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(5)
        self.s.connect("%s/%s.mgmt" % (sw.dir, bridge))
        self.s.sendall(of_message(OFPT_HELLO))
        self.data = b""
        assert self.receive()[0] == OFPT_HELLO

    def receive(self):
        """(type, xid, body) of the next message, or None at the end of the connection."""
        while True:
            if len(self.data) >= 8:
                _, kind, length, xid = struct.unpack("!BBHI", self.data[:8])
                if len(self.data) >= length:
                    body, self.data = self.data[8:length], self.data[length:]
                    return kind, xid, body
            try:
                got = self.s.recv(65536)
            except ConnectionError:
                return None
            if not got:
                return None
            self.data += got

    def answers(self, message):
        """What comes back for 'message' before the answer to a barrier; None: hung up."""
        try:
            self.s.sendall(message + of_message(OFPT_BARRIER_REQUEST, xid=0xBA))
        except ConnectionError:
            return None
        got = []
        while True:
            m = self.receive()
            if m is None:
                return None
            if m[:2] == (OFPT_BARRIER_REPLY, 0xBA):
                return got
            if m[0] != OFPT_ECHO_REQUEST:
                got.append(m)


def flow_mod(actions=b"", command=0, match=None):
    match = match or struct.pack("!I", (1 << 22) - 1) + bytes(36)
    return match + struct.pack("!QHHHHIHH", 0, command, 0, 0, 1, 0xFFFFFFFF, 0xFFFF, 0) + actions


MESSAGES = {
    "flow_mod": (14, flow_mod(struct.pack("!HHHH", 0, 8, 1, 0)
                              + struct.pack("!HHHxx", 1, 8, 5))),
    "packet_out": (13, struct.pack("!IHH", 0xFFFFFFFF, 0xFFFF, 8)
                   + struct.pack("!HHHH", 0, 8, 1, 0) + bytes(60)),
    "port_mod": (15, struct.pack("!H6sIII4x", 1, bytes(6), 0, 0, 0)),
    "stats_flow": (16, struct.pack("!HH", 1, 0) + struct.pack("!I", (1 << 22) - 1) + bytes(36)
                   + struct.pack("!BxH", 0xFF, 0xFFFF)),
    "stats_port": (16, struct.pack("!HHH6x", 4, 0, 0xFFFF)),
    "set_config": (9, struct.pack("!HH", 0, 128)),
    "nxt_flow_mod": (4, struct.pack("!II", 0x2320, 13) + struct.pack(
        "!QHHHHIHHH6x", 0, 0, 0, 0, 5, 0xFFFFFFFF, 0xFFFF, 0, 6)
        + struct.pack("!IH2x", 0x00000002, 1) + struct.pack("!HHHH", 0, 8, 1, 0)),
    "nxt_role": (4, struct.pack("!III", 0x2320, 10, 0)),
    "queue_get_config": (20, struct.pack("!Hxx", 1)),
}


@pytest.fixture
def of_sw(sw):
    sw.add_bridge("br0")
    return sw


@pytest.mark.parametrize("name", MESSAGES)
def test_openflow_cut_at_every_byte(of_sw, name):
    """Shortened messages with true and false lengths: an error or nothing, never a crash."""
    kind, body = MESSAGES[name]
    conn = OpenFlow(of_sw)
    for n in range(len(body)):
        got = conn.answers(of_message(kind, body[:n], xid=n + 1000))
        if got is None:  # a length that the switch cannot stay in step with
            conn = OpenFlow(of_sw)
            continue
        for m in got:
            if m[0] == OFPT_ERROR:
                assert m[1] == n + 1000, "an error without its cause"
    for off in (-1, 1, 7, 8):
        padded = of_message(kind, body + bytes(8), length=8 + len(body) + off)
        OpenFlow(of_sw).answers(padded[:8 + len(body) + off])
    OpenFlow(of_sw).answers(of_message(kind, body, length=4))
    assert of_sw.ofctl("show", "br0").startswith("OFPT_FEATURES_REPLY")


def test_openflow_errors_have_the_standards_codes(of_sw):
    conn = OpenFlow(of_sw)

    def error(message):
        got = conn.answers(message)
        assert got and got[0][0] == OFPT_ERROR, got
        return struct.unpack("!HH", got[0][2][:4])
    assert error(of_message(99)) == (1, 1)  # BAD_REQUEST/BAD_TYPE
    assert error(of_message(16, struct.pack("!HH", 77, 0))) == (1, 2)  # BAD_STAT
    assert error(of_message(4, struct.pack("!II", 0xABCDEF, 1))) == (1, 3)  # BAD_VENDOR
    assert error(of_message(14, bytes(10))) == (1, 6)  # BAD_LEN
    bad_action = struct.pack("!HHI", 77, 8, 0)
    assert error(of_message(14, flow_mod(bad_action))) == (2, 0)  # BAD_ACTION/BAD_TYPE
    bad_len = struct.pack("!HHI", 0, 7, 0)
    assert error(of_message(14, flow_mod(bad_len))) == (2, 1)  # BAD_ACTION/BAD_LEN
    bad_port = struct.pack("!HHHH", 0, 8, 0xFF42, 0)
    assert error(of_message(14, flow_mod(bad_port))) == (2, 4)  # BAD_OUT_PORT


def test_openflow_version_from_the_future(of_sw):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(5)
    s.connect(of_sw.dir + "/br0.mgmt")
    s.sendall(of_message(OFPT_HELLO, version=0x63))
    data = s.recv(65536)
    assert data and data[1] == OFPT_HELLO
    s.sendall(of_message(OFPT_FEATURES_REQUEST, version=0x63))
    time.sleep(0.2)
    assert of_sw.ofctl("show", "br0")


def test_openflow_peer_that_never_reads(of_sw):
    """Answers that nobody takes away are bounded, and others are served meanwhile."""
    lines = "\n".join("priority=%d,actions=drop" % i for i in range(1, 1001))
    of_sw.ofctl("add-flows", "br0", "-", input=lines)

    def rss_kb():
        with open("/proc/%d/status" % of_sw.pid) as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

    def show():
        start = time.monotonic()
        assert "n_tables" in of_sw.ofctl("show", "br0")
        return time.monotonic() - start

    usual, before = max(show() for _ in range(5)), rss_kb()
    conn = OpenFlow(of_sw)
    kind, body = MESSAGES["stats_flow"]
    conn.s.settimeout(1)
    try:
        for _ in range(20000):
            conn.s.sendall(of_message(kind, body))
    except (socket.timeout, ConnectionError):
        pass
    assert show() < 0.5 + 10 * usual
    assert rss_kb() < before + 96 * 1024  # docs/openflow.md: 64 MB unread end a connection


# --- JSON-RPC ---------------------------------------------------------------------------------

def rpc(sw, payload, timeout=5, name="db.sock"):
    """Sends bytes to a socket of the daemon; returns what came back until it was quiet."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(timeout)
    s.connect(os.path.join(sw.dir, name))
    data = b""
    try:
        s.sendall(payload)
        while True:
            got = s.recv(65536)
            if not got:
                break
            data += got
            s.settimeout(0.3)
    except (socket.timeout, ConnectionError):
        pass
    s.close()
    return data


HOSTILE_JSON = [
    b"not json at all", b"{", b"}", b'{"id":1', b'{"method":7,"params":[],"id":1}',
    b'{"method":"transact","params":{},"id":1}', b"[" * 200000, b'{"a":' * 100000,
    b'{"method":"echo","params":["' + b"x" * 3000000 + b'"],"id":1}', b"\xff\xfe\x00\x00",
    b'{"method":"transact","params":["Open_vSwitch",{"op":"nosuch"}],"id":1}',
    b'{"method":"transact","params":["nosuch"],"id":1}',
    b'{"method":"monitor","params":["Open_vSwitch",1,{"Bridge":{"columns":["nosuch"]}}],"id":1}',
]


@pytest.mark.parametrize("i", range(len(HOSTILE_JSON)))
def test_hostile_json(sw, i):
    # A request that does not end has no answer.
    timeout = 0.5 if HOSTILE_JSON[i] in (b"{", b'{"id":1') else 5
    rpc(sw, HOSTILE_JSON[i], timeout)
    rpc(sw, HOSTILE_JSON[i], timeout, name="ovs-vswitchd.%d.ctl" % sw.pid)
    sw.vsctl("add-br", "after%d" % i)
    assert sw.vsctl("list-br").split() == ["after%d" % i]


def test_rpc_error_objects(sw):
    def ask(*ops):
        request = {"method": "transact", "params": ["Open_vSwitch"] + list(ops), "id": 1}
        return json.loads(rpc(sw, json.dumps(request).encode()))["result"]
    assert ask({"op": "nosuch"})[0]["error"]
    assert ask({"op": "insert", "table": "Nosuch", "row": {}})[0]["error"] == "syntax error"
    assert ask({"op": "insert", "table": "Bridge", "row": {"nosuch": 1}})[0]["error"] \
        in ("unknown column", "syntax error")
    bridge = {"op": "insert", "table": "Bridge", "row": {"name": "twice"}}
    parent = {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [
        ["bridges", "insert", ["set", [["named-uuid", "a"], ["named-uuid", "b"]]]]]}
    got = ask(dict(bridge, **{"uuid-name": "a"}), dict(bridge, **{"uuid-name": "b"}), parent)
    assert got[-1]["error"] == "constraint violation"
    assert sw.vsctl("list-br") == ""


def test_half_open_clients_cost_nothing(sw):
    idle = []
    for _ in range(200):
        s = socket.socket(socket.AF_UNIX)
        s.connect(sw.dir + "/db.sock")
        s.sendall(b'{"id":')
        idle.append(s)
    sw.add_bridge("br0")
    assert "br0" in sw.vsctl("list-br")
    for s in idle:
        s.close()


# --- configuration ------------------------------------------------------------------------------

@pytest.mark.parametrize("devargs,words", [
    ("0000:99:00.0", "0000:99:00.0"), ("net_nosuch0", "net_nosuch0"), ("", "dpdk-devargs"),
    ("net_pcap0,rx_pcap=/nonexistent/file", "net_pcap0"),
])
def test_dpdk_ports_that_cannot_be(sw, devargs, words):
    sw.vsctl("set", "Open_vSwitch", ".", "other_config:dpdk-init=try")
    sw.add_bridge("br0")
    options = ["options:dpdk-devargs=\"%s\"" % devargs] if devargs else []
    p = sw.vsctl("add-port", "br0", "d0", "--", "set", "Interface", "d0", "type=dpdk", *options,
                 check=False)
    assert "d0" in p.stderr
    assert sw.get("Interface", "d0", "ofport") == "-1"
    assert words in sw.get("Interface", "d0", "error")
    sw.vsctl("del-port", "br0", "d0")
    assert sw.ofctl("show", "br0")


@pytest.mark.parametrize("name", ["ovs-netdev", "vxlan_sys_4789", "gre_sys"])
def test_reserved_names(sw, name):
    """Also where the kernel has such a device, as one that genuine Open vSwitch has left behind."""
    sw.add_bridge("br0")
    sw.ns.run("ip link add %s type veth peer name peer0" % name, check=False)
    sw.vsctl("add-port", "br0", name)
    assert sw.get("interface", name, "ofport") == "-1"


def test_unknown_things_are_named(sw):
    p = sw.vsctl("set", "Bridge", "nosuch", "fail_mode=secure", check=False)
    assert p.returncode and "nosuch" in p.stderr
    p = sw.appctl("fdb/show", "nosuch", check=False)
    assert p.returncode == 2
    p = sw.appctl("bogus", check=False)
    assert '"bogus" is not a valid command' in p.stderr
    p = sw.appctl("fdb/show", check=False)
    assert "requires at least 1 argument" in p.stderr


# --- frames -------------------------------------------------------------------------------------

FRAME_SENDER = r"""
import random, socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
rng = random.Random(5)
good = [bytes.fromhex(h) for h in sys.argv[1:]]
for i in range(4000):
    f = bytearray(rng.choice(good))
    for _ in range(rng.randrange(6)):
        f[rng.randrange(12, len(f))] = rng.choice((0, 1, 0x7f, 0x80, 0xff, rng.randrange(256)))
    try:
        s.send(bytes(f[:rng.randrange(14, len(f) + 1)]))
    except OSError:
        pass
"""


def test_mangled_frames(sw, hosts):
    """Short, padded and lying frames pass or drop; the switch lives and others still talk."""
    import random
    from oracle import random_frame
    sw.add_bridge("br0")
    hosts += [sw.add_host("br0", "p%d" % i, "10.1.0.%d/24" % i) for i in (1, 2, 3)]
    rng = random.Random(3)
    good = [random_frame(rng).hex() for _ in range(40)]
    sw.ofctl("add-flow", "br0", "priority=1,in_port=1,ip,actions=dec_ttl,mod_nw_src:1.2.3.4,NORMAL")
    sw.ofctl("add-flow", "br0", "priority=2,in_port=1,udp,actions=mod_tp_dst:9,NORMAL")
    sw.ofctl("add-flow", "br0", "priority=2,in_port=1,ipv6,actions="
             "push_vlan:0x8100,mod_vlan_vid:3,NORMAL", check=False)
    hosts[0].run(["/usr/bin/python3", "-c", FRAME_SENDER] + good)
    hosts[1].ping("10.1.0.3", check=True)
    wait_for(lambda: sw.appctl("upcall/show"), 5)
