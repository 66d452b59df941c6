# SPDX-License-Identifier: Apache-2.0
"""Hermetic runs: dummy datapath and ports, a clock that stands still, no root."""
import os
import re
import stat
import struct
import time

import pytest

import openflow as of
from switchlib import Hermetic, wait_for

pytestmark = pytest.mark.rootless

BROADCAST = "ffffffffffff" "020000000001" "0806" + "00" * 46


def start(kind="sluice", **kw):
    switch = Hermetic(kind, **kw).start()
    switch.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    return switch


@pytest.fixture
def made():
    """A list of switches that are closed again."""
    switches = []
    yield switches
    for switch in switches:
        switch.close()


def n_rx(switch, port):
    switch.appctl("revalidator/wait")
    text = switch.ofctl("dump-ports", "br0", port)
    return int(text.split("rx pkts=")[1].split(",")[0])


def frames(path):
    """The frames of a pcap file."""
    with open(path, "rb") as f:
        data = f.read()
    assert struct.unpack_from("<IHH", data) == (0xa1b2c3d4, 2, 4)
    at, found = 24, []
    while at + 16 <= len(data):
        size = struct.unpack_from("<4I", data, at)[2]
        found.append(data[at + 16:at + 16 + size])
        at += 16 + size
    return found


@pytest.mark.parametrize("peer", ["sluice", "ovs"])
@pytest.mark.parametrize("listens", [True, False])
def test_streams_join_two_switches(made, peer, listens):
    """Frames that go into one come out of the other, which is genuine Open vSwitch or ours."""
    made += [start(), start(peer)]
    path = made[0].dir + "/stream"
    for switch, is_passive in zip(made, (listens, not listens)):
        options = "pstream=punix:" if is_passive else "stream=unix:"
        switch.add_ports("br0", "p1", "p2")
        switch.vsctl("set", "Interface", "p2", "options:%s%s" % (options, path))
    active = made[1] if listens else made[0]
    wait_for(lambda: active.appctl("netdev-dummy/conn-state", "p2") == "p2: connected\n",
             what="the connection")
    for a, b in (made, made[::-1]):
        before = n_rx(b, "p2")
        a.appctl("netdev-dummy/receive", "p1", BROADCAST)
        wait_for(lambda: n_rx(b, "p2") == before + 1, what="the frame at the other end")


def test_stream_that_breaks_comes_back(made):
    made += [start(), start()]
    path = made[0].dir + "/stream"
    made[0].add_ports("br0", "p1")
    made[1].add_ports("br0", "p1")
    made[0].vsctl("set", "Interface", "p1", "options:pstream=punix:" + path)
    made[1].vsctl("set", "Interface", "p1", "options:stream=unix:" + path)
    state = lambda: made[1].appctl("netdev-dummy/conn-state", "p1")
    wait_for(lambda: state() == "p1: connected\n", what="the connection")
    made[0].vsctl("remove", "Interface", "p1", "options", "pstream")
    wait_for(lambda: state() == "p1: disconnected\n", what="the end of the connection")
    made[0].vsctl("set", "Interface", "p1", "options:pstream=punix:" + path)
    wait_for(lambda: state() == "p1: connected\n", what="the connection again")


def test_pcap_files(made):
    switch = start()
    made.append(switch)
    switch.add_ports("br0", "p1", "p2", "p3")
    for port, option in (("p1", "rxq_pcap"), ("p2", "tx_pcap"), ("p3", "pcap")):
        switch.vsctl("set", "Interface", port, "options:%s=%s/%s.pcap" % (option, switch.dir, port))
    switch.appctl("netdev-dummy/receive", "p1", BROADCAST)
    for port in ("p1", "p2", "p3"):
        path = "%s/%s.pcap" % (switch.dir, port)
        wait_for(lambda: frames(path), what="a frame in " + path)
        assert frames(path) == [bytes.fromhex(BROADCAST)]
    # 'pcap' has both directions.
    switch.appctl("netdev-dummy/receive", "p3", BROADCAST)
    wait_for(lambda: len(frames(switch.dir + "/p3.pcap")) == 2, what="both directions")


def test_clock_stands_still_and_jumps(made):
    """An idle timeout of 100 s: nothing happens by itself, and all at once after a warp."""
    switch = start()
    made.append(switch)
    switch.appctl("time/stop")
    switch.ofctl("add-flow", "br0", "idle_timeout=100,in_port=1,actions=drop")
    duration = lambda: switch.ofctl("dump-flows", "br0", "in_port=1").split("duration=")[-1]
    before = duration().split(",")[0]
    time.sleep(1.1)
    assert duration().split(",")[0] == before
    assert switch.appctl("time/warp", "50000") == "warped\n"
    assert duration().startswith("50")
    switch.appctl("time/warp", "60000", "1000")
    wait_for(lambda: switch.flows("br0", "in_port=1") == [], what="the end of the flow")


def test_receive_queues_and_addresses(made):
    """Queues of a polled dummy; a port that stands for a host answers ARP."""
    switch = start()
    made.append(switch)
    switch.vsctl("add-port", "br0", "q1", "--", "set", "Interface", "q1", "type=dummy-pmd",
                 "options:n_rxq=4")
    switch.add_ports("br0", "p1")
    for qid in range(4):
        switch.appctl("netdev-dummy/receive", "q1", "--qid", str(qid), BROADCAST)
    wait_for(lambda: n_rx(switch, "q1") == 4, what="all queues")
    switch.appctl("netdev-dummy/ip4addr", "p1", "10.0.0.9/24")
    before = n_rx(switch, "p1")
    switch.appctl("netdev-dummy/receive", "q1", "in_port(1),eth(src=02:00:00:00:00:01,"
                  "dst=ff:ff:ff:ff:ff:ff),eth_type(0x0806),arp(sip=10.0.0.1,tip=10.0.0.9,op=1,"
                  "sha=02:00:00:00:00:01,tha=00:00:00:00:00:00)")
    wait_for(lambda: n_rx(switch, "p1") == before + 1, what="the answer")


def test_any_mtu_and_frames_as_long(made):
    for kind in ("sluice", "ovs"):
        switch = start(kind)
        made.append(switch)
        switch.add_ports("br0", "p1", "p2")
        for port in ("p1", "p2"):
            switch.vsctl("set", "Interface", port, "mtu_request=65535",
                         "options:pcap=%s/%s.pcap" % (switch.dir, port))
            wait_for(lambda: switch.get("Interface", port, "mtu") == "65535", what="the MTU")
        switch.ofctl("add-flow", "br0", "in_port=1,actions=mod_dl_src:02:00:00:00:00:09,output:2")
        body = os.urandom(60000)
        switch.appctl("netdev-dummy/receive", "p1", "020000000002" "020000000001" "88b5" + body.hex())
        wait_for(lambda: os.path.getsize(switch.dir + "/p2.pcap") == 24 + 16 + 14 + len(body),
                 what="the frame")
        assert frames(switch.dir + "/p2.pcap") == [
            bytes.fromhex("020000000002" "020000000009" "88b5") + body]
        sent = bytes.fromhex("020000000001" "020000000002" "88b5") + body
        peer = of.Peer(switch.dir + "/br0.mgmt")
        assert peer.errors(of.packet_out(peer.version, of.output(peer.version, 1), sent)) == []
        peer.close()
        wait_for(lambda: os.path.getsize(switch.dir + "/p1.pcap") == 24 + 2 * 16 + 2 * len(sent), what="the packet-out")
        assert frames(switch.dir + "/p1.pcap")[1] == sent


def test_2000_ports(made):
    switch = start()
    made.append(switch)
    for first in range(0, 2000, 500):
        switch.vsctl(*sum([["--", "add-port", "br0", "x%d" % i, "--", "set", "Interface", "x%d" % i, "type=dummy"]
                           for i in range(first, first + 500)], [])[1:])
    assert switch.vsctl("--columns=name", "find", "Interface", "ofport=-1") == ""
    switch.ofctl("add-flow", "br0", "actions=output:1")
    switch.appctl("netdev-dummy/receive", "x1999", BROADCAST)
    wait_for(lambda: n_rx(switch, "x1999") == 1, what="the frame")
    switch.vsctl(*sum([["--", "del-port", "br0", "x%d" % i] for i in range(1500)], [])[1:])
    left = re.findall(r"^ *port \d+: (x\d+)", switch.appctl("dpctl/show"), re.M)
    assert sorted(left) == sorted("x%d" % i for i in range(1500, 2000))
    assert len(re.findall(r"\(x\d+\): addr", switch.ofctl("show", "br0"))) == 500
    switch.appctl("netdev-dummy/receive", "x1999", BROADCAST)
    wait_for(lambda: n_rx(switch, "x1999") == 2, what="a frame of a port that stays")


@pytest.mark.parametrize("level", ["--enable-dummy", "--enable-dummy=system"])
def test_what_dummies_stand_for(made, level):
    """Without a word they are types of their own; "system" has them for the kernel's datapath and devices, too."""
    said = []
    for kind in ("sluice", "ovs"):
        switch = Hermetic(kind, args=[level, "--disable-system"]).start()
        made.append(switch)
        switch.vsctl("add-br", "br0", "--", "set", "Bridge", "br0",
                     "datapath_type=" + ("dummy" if level == "--enable-dummy" else '""'))
        for i, type in enumerate(("dummy", "dummy-internal", "internal", '""'), 1):
            switch.vsctl("add-port", "br0", "p%d" % i, "--", "set", "Interface", "p%d" % i, "type=" + type,
                         "ofport_request=%d" % i, check=False)
        switch.appctl("netdev-dummy/receive", "p1", BROADCAST)
        wait_for(lambda: n_rx(switch, "p1") == 1, what="the frame")
        said.append(([switch.get("Interface", "p%d" % i, "ofport") for i in range(1, 5)],
                     sorted(line.strip() for line in switch.appctl("dpctl/show").splitlines() if "port" in line),
                     switch.get("Open_vSwitch", ".", "datapath_types"),
                     switch.appctl("dpctl/dump-dps"), switch.get("Bridge", "br0", "datapath_id") != "[]"))
    assert said[0] == said[1]


def test_lines_that_log_readers_look_for(made):
    """sos, hotsos and operators' scripts read them."""
    said = []
    for kind in ("sluice", "ovs"):
        switch = Hermetic(kind).start()
        made.append(switch)
        switch.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy",
                     "other_config:datapath-id=0000000000000005", "--", "add-port", "br0", "p7", "--", "set",
                     "Interface", "p7", "type=dummy-pmd", "ofport_request=7")
        switch.vsctl("del-port", "p7")

        def text():  # Open vSwitch writes from another thread
            with open(switch.log, encoding="utf-8") as f:
                return f.read()
        wait_for(lambda: re.search("core id: +[0-9]+ destroyed", text()), 10, "the last line")
        said.append({line.split("|", 2)[2] for line in text().splitlines()
                     if re.search(r"\|bridge\|.*(ed interface|datapath ID)|\|dpif_netdev\|.*(PMD|pmd) thread", line)})
        said[-1] = {re.sub("core id: +[0-9]+", "core id: N", line) for line in said[-1]}
    assert said[0] == said[1]
    for line in ("bridge|INFO|bridge br0: added interface p7 on port 7",
                 "bridge|INFO|bridge br0: using datapath ID 0000000000000005",
                 "dpif_netdev|INFO|There are 1 pmd threads on numa node 0"):
        assert line in said[0]


def test_who_may_use_the_sockets(made):
    said = []
    for kind in ("sluice", "ovs"):
        switch = start(kind)
        made.append(switch)
        names = ["br0.mgmt", "br0.snoop", "db.sock"]
        said.append([stat.filemode(os.stat(path).st_mode)
                     for path in [switch.control_path()] + [switch.dir + "/" + name for name in names]])
    assert said[0] == said[1] == ["srwxr-x---"] * 4


def test_override_needs_no_device(made):
    """--enable-dummy=override: any type of port and datapath, nothing touched."""
    switch = Hermetic().start()
    made.append(switch)
    switch.vsctl("add-br", "br0", "--", "add-port", "br0", "eth7", "--", "add-port", "br0", "x")
    assert switch.get("Interface", "eth7", "ofport") != "-1"
    assert "port 7: eth7\n" in switch.appctl("dpctl/show") and "7: (system)" in switch.appctl("dpif/show")
    assert switch.appctl("dpctl/dump-dps") == "system@ovs-system\n"
    assert switch.get("Open_vSwitch", ".", "datapath_types") == "[dummy, netdev, system]"
