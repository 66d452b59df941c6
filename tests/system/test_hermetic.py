# SPDX-License-Identifier: Apache-2.0
"""Hermetic runs: dummy datapath and ports, a clock that stands still, no root."""
import struct
import time

import pytest

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


def test_override_needs_no_device(made):
    """--enable-dummy=override: any type of port and datapath, nothing touched."""
    switch = Hermetic().start()
    made.append(switch)
    switch.vsctl("add-br", "br0", "--", "add-port", "br0", "eth7", "--", "add-port", "br0", "x")
    assert switch.get("Interface", "eth7", "ofport") != "-1"
    assert "port 7: eth7 (dummy)" in switch.appctl("dpctl/show")
    assert switch.appctl("dpctl/dump-dps") == "system@ovs-system\n"
    assert switch.get("Open_vSwitch", ".", "datapath_types") == "[dummy, netdev, system]"
