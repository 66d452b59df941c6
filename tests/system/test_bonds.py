# SPDX-License-Identifier: Apache-2.0
"""Bonds of dummies under a clock that stands still: what bond/* says and does, delays, which member carries
what, what neighbours are told, and what the database shows; the whole against genuine Open vSwitch."""
import collections
import os
import re
import struct
import subprocess
import time

import pytest

from switchlib import Netns, sh, wait_for

pytestmark = pytest.mark.rootless  # but for the last one

HOST = "0200000000ab"
ARP = "ffffffffffff" + HOST + "08060001080006040001" + HOST + "0a000001" + "00" * 6 + "0a000002" + \
    "00" * 18
RARP = "ffffffffffff" + HOST + "80350001080006040003" + HOST + "00000000" + HOST + "00000000"


def make(make_hermetic, *more, kind=None, members=("p1", "p2")):
    """A switch with a bond of two members that are up, and p9 beside it."""
    sw = make_hermetic(kind=kind) if kind else make_hermetic()
    sw.appctl("time/stop")
    interfaces = []
    for i, m in enumerate(members, 1):
        interfaces += ["--", "set", "Interface", m, "type=dummy", "ofport_request=%d" % i,
                       "options:pstream=punix:%s/%s" % (sw.dir, m),
                       "options:tx_pcap=%s/%s.pcap" % (sw.dir, m)]
    sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy",
             "--", "add-bond", "br0", "bond0", *members, *more, *interfaces,
             "--", "add-port", "br0", "p9", "--", "set", "Interface", "p9", "type=dummy",
             "ofport_request=9")
    for m in members:
        link(sw, m, "up")
    sw.appctl("bond/set-active-member", "bond0", members[0])  # which one is first is nobody's promise
    sw.appctl("time/warp", "10")
    return sw


def link(sw, port, state):
    sw.appctl("netdev-dummy/set-admin-state", port, state)
    sw.appctl("time/warp", "10")


def trace(sw, port, dst="ff:ff:ff:ff:ff:ff", src="02:00:00:00:00:55"):
    """The datapath's actions for a packet, ports as a sorted list."""
    text = sw.appctl("ofproto/trace", "br0", "in_port=%s,dl_src=%s,dl_dst=%s" % (port, src, dst))
    return sorted(text.split("Datapath actions: ")[1].strip().split(","))


def sent(sw, port):
    """Frames in the pcap file of a port, in hex."""
    with open("%s/%s.pcap" % (sw.dir, port), "rb") as f:
        data = f.read()
    at, found = 24, []
    while at + 16 <= len(data):
        size = struct.unpack_from("<4I", data, at)[2]
        found.append(data[at + 16:at + 16 + size].hex())
        at += 16 + size
    return found


def active(sw):
    """(name, MAC) of the active member."""
    mac, name = re.search(r"active member mac: (\S+)\((\S+)\)", sw.appctl("bond/show", "bond0")).groups()
    return name, mac


def column(sw):
    return sw.get("Port", "bond0", "bond_active_slave").strip('"')


def shows(sw, mac):
    """Waits until the database has the MAC; the write has a rhythm of its own."""
    def look():
        sw.appctl("time/warp", "300")
        return column(sw) == mac
    wait_for(look, what="bond_active_slave=" + mac)


# --- the same words ---------------------------------------------------------------------------

SCRIPT = """
bond/list
bond/show
bond/show nix
time/warp 100
bond/show bond0
netdev-dummy/set-admin-state p1 down
time/warp 100
bond/show
netdev-dummy/set-admin-state p2 down
time/warp 100
bond/show
! set Port bond0 bond_updelay=1000 bond_downdelay=500
netdev-dummy/set-admin-state p2 up
time/warp 100
bond/show
netdev-dummy/set-admin-state p1 up
time/warp 100
bond/show
netdev-dummy/set-admin-state p1 down
time/warp 100
bond/show
netdev-dummy/set-admin-state p1 up
time/warp 100
time/warp 1000
bond/show
netdev-dummy/set-admin-state p2 down
time/warp 100
bond/show
time/warp 500
bond/show
netdev-dummy/set-admin-state p2 up
time/warp 100
time/warp 1000
bond/show
bond/set-active-slave bond0 p1
bond/set-active-member bond0 p1
bond/set-active-member bond0 p2
bond/set-active-member bond0 p9
bond/set-active-member bond9 p9
bond/set-active-member bond0 p1
bond/disable-slave bond0 p2
bond/set-active-slave bond0 p2
bond/show
time/warp 2000
bond/show
bond/disable-member bond0 p1
time/warp 10
bond/show
bond/enable-slave bond0 p1
bond/enable-member bond0 p7
bond/disable-member bond7 p7
bond/migrate bond0 1 p2
bond/migrate bond7 1 p2
bond/hash 02:00:00:00:00:01
bond/hash 02:00:00:00:00:01 7
bond/hash 02:00:00:00:00:01 4095 9
bond/hash fe:dc:ba:98:76:54 100 4294967295
bond/hash 1
bond/hash 02:00:00:00:00:01 x
bond/hash 02:00:00:00:00:01 1 x
! set Port bond0 other_config:bond-primary=p2
time/warp 100
bond/show
bond/set-active-slave bond0 p1
time/warp 100
bond/show
! set Port bond0 other_config:bond-primary=p9
bond/show
! set Port bond0 bond_mode=balance-slb other_config:bond-hash-basis=7 other_config:bond-rebalance-interval=5000
time/warp 100
bond/show
bond/list
! set Port bond0 other_config:bond-rebalance-interval=5 other_config:bond-detect-mode=miimon
time/warp 100
bond/show
! set Port bond0 other_config:bond-rebalance-interval=0
time/warp 100
bond/show
bond/migrate bond0 1 p2
bond/migrate bond0 x1 p2
bond/migrate bond0 1 p5
bond/migrate bond9 1 p5
! set Port bond0 bond_mode=balance-tcp
time/warp 100
bond/show
bond/list
lacp/show
lacp/show-stats
lacp/show bond0
! set Port bond0 bond_mode=active-backup other_config={}
time/warp 100
bond/show
! del-port bond0
bond/list
bond/show
bond/show bond0
"""


def play(sw):
    """[(line, what it said)]; MAC addresses of dummies and the order of members have no meaning."""
    out = []
    for line in SCRIPT.strip().splitlines():
        if line.startswith("! "):
            sw.vsctl(*line[2:].split())
            continue
        p = sw.appctl(*line.split(), check=False)
        said = p.stdout + re.sub(r"ovs-appctl: .*\n", "", p.stderr)
        out.append((line, p.returncode, re.sub(r"aa:55:aa:55(:..){2}", "MAC", said).replace("p2, p1", "p1, p2")))
    return out


def test_the_same_words_as_genuine_open_vswitch(make_hermetic):
    ours, theirs = [play(make(make_hermetic, kind=kind)) for kind in ("sluice", "ovs")]
    for a, b in zip(ours, theirs):
        assert a == b


def test_the_same_log(make_hermetic):
    logs = []
    for kind in ("sluice", "ovs"):
        sw = make(make_hermetic, "bond_updelay=1000", kind=kind)
        for port, state in (("p1", "down"), ("p1", "up"), ("p1", "down"), ("p2", "down"), ("p2", "up")):
            link(sw, port, state)
        sw.appctl("time/warp", "2000")
        sw.stop()  # writes what it holds back
        with open(sw.log) as f:
            lines = re.findall(r"\|bond\|INFO\|(.*)", f.read())
        start = lines.index("member p1: link state down")
        end = lines.index("bond bond0: active member is now p2, skipping remaining 1000 ms updelay "
                          "(since no member was enabled)")
        logs.append(lines[start:end + 2])
    assert logs[0] == logs[1] and len(logs[0]) > 10


# --- what it does -----------------------------------------------------------------------------

def test_one_member_carries_all(make_hermetic):
    sw = make(make_hermetic)
    assert active(sw)[0] == "p1"
    assert trace(sw, "p9") == ["1", "100"]
    assert trace(sw, "p1") == ["100", "9"]
    assert trace(sw, "p2") == ["drop"]  # what the neighbour floods comes in once
    link(sw, "p1", "down")
    assert trace(sw, "p9") == ["100", "2"]
    assert trace(sw, "p2") == ["100", "9"]
    assert trace(sw, "p1") == ["drop"]
    link(sw, "p1", "up")  # nothing moves back
    assert trace(sw, "p9") == ["100", "2"]
    link(sw, "p2", "down")
    link(sw, "p1", "down")
    assert trace(sw, "p9") == ["100"]


def test_frames_follow(make_hermetic):
    """Megaflows that are there already change over, too."""
    sw = make(make_hermetic)
    for n in (1, 2):
        sw.appctl("netdev-dummy/receive", "p9", ARP)
        wait_for(lambda: sent(sw, "p1").count(ARP) == n, what="the frame on p1")
    link(sw, "p1", "down")
    sw.appctl("revalidator/wait")
    sw.appctl("netdev-dummy/receive", "p9", ARP)
    wait_for(lambda: sent(sw, "p2").count(ARP) == 1, what="the frame on p2")
    assert sent(sw, "p1").count(ARP) == 2


def test_neighbours_are_told(make_hermetic):
    """After a change each host that is not behind the bond is heard by the new member."""
    sw = make(make_hermetic)
    sw.appctl("netdev-dummy/receive", "p9", ARP)
    wait_for(lambda: HOST[-2:] in sw.appctl("fdb/show", "br0"), what="the host")
    sw.appctl("netdev-dummy/receive", "p1", ARP.replace(HOST, "0200000000cd"))
    link(sw, "p1", "down")
    wait_for(lambda: RARP in sent(sw, "p2"), what="the lesson")
    sw.appctl("bond/set-active-member", "bond0", "p2")
    sw.appctl("time/warp", "100")
    assert [f for f in sent(sw, "p2") if f[24:28] == "8035"] == [RARP]
    assert [f for f in sent(sw, "p1") if f[24:28] == "8035"] == []


def test_lessons_have_the_tag_of_their_vlan(make_hermetic):
    sw = make(make_hermetic)
    sw.vsctl("set", "Port", "p9", "tag=7")
    sw.appctl("netdev-dummy/receive", "p9", ARP)
    wait_for(lambda: HOST[-2:] in sw.appctl("fdb/show", "br0"), what="the host")
    link(sw, "p1", "down")
    tagged = RARP[:24] + "81000007" + RARP[24:]
    wait_for(lambda: tagged in sent(sw, "p2"), what="the lesson")


@pytest.mark.skipif(os.environ.get("SWITCH_KIND") == "ovs", reason="it tags here, too")
def test_lessons_of_an_access_port_have_no_tag(make_hermetic):
    sw = make(make_hermetic)
    sw.vsctl("set", "Port", "p9", "tag=7", "--", "set", "Port", "bond0", "tag=7")
    sw.appctl("netdev-dummy/receive", "p9", ARP)
    wait_for(lambda: HOST[-2:] in sw.appctl("fdb/show", "br0"), what="the host")
    link(sw, "p1", "down")
    wait_for(lambda: RARP in sent(sw, "p2"), what="the lesson")


@pytest.mark.skipif(os.environ.get("SWITCH_KIND") == "ovs", reason="the same, but slowly")
def test_many_hosts_are_taught(make_hermetic):
    """More than fit into one turn of the main loop."""
    n = 3000
    sw = make(make_hermetic)
    control = sw.control()
    for i in range(n):
        control.run("fdb/add", "br0", "p9", "0", "02:00:00:01:%02x:%02x" % (i >> 8, i & 255))
    control.close()
    link(sw, "p1", "down")

    def all_there():
        sw.appctl("time/warp", "10")
        return len(set(f for f in sent(sw, "p2") if f[24:28] == "8035")) == n
    wait_for(all_there, 30, "the lessons")


def test_the_database_shows_the_active_member(make_hermetic):
    sw = make(make_hermetic)
    shows(sw, active(sw)[1])
    link(sw, "p1", "down")
    assert active(sw)[0] == "p2"
    shows(sw, active(sw)[1])
    link(sw, "p2", "down")
    shows(sw, "00:00:00:00:00:00")
    link(sw, "p2", "up")
    shows(sw, active(sw)[1])
    sw.vsctl("del-port", "br0", "bond0")
    sw.vsctl("add-port", "br0", "p1", "--", "set", "Interface", "p1", "type=dummy")
    assert sw.get("Port", "p1", "bond_active_slave") == "[]"


@pytest.mark.skipif(os.environ.get("SWITCH_KIND") == "ovs", reason="its server is not started anew")
def test_the_active_member_outlives_a_restart(make_hermetic):
    sw = make_hermetic()
    macs = {"i1": "02:00:00:00:11:01", "i2": "02:00:00:00:11:02"}
    sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy",
             "--", "add-bond", "br0", "bond0", "i1", "i2",
             *[x for m, mac in macs.items() for x in
               ("--", "set", "Interface", m, "type=internal", 'mac="%s"' % mac)])
    for first, then in (("i1", "i2"), ("i2", "i1")):
        for m in (first, then):
            sw.appctl("netdev-dummy/set-admin-state", m, "up")
        sw.appctl("bond/set-active-member", "bond0", then)
        wait_for(lambda: column(sw) == macs[then], what="the column")
        sw.kill()
        sw.start()
        wait_for(lambda: active(sw)[0] != "none", what="the bond")
        assert active(sw) == (then, macs[then])


def test_a_bond_that_becomes_a_port_and_back(make_hermetic):
    sw = make(make_hermetic)
    uuid = {m: sw.get("Interface", m, "_uuid") for m in ("p1", "p2")}
    sw.vsctl("--id=@p", "get", "Interface", "p1", "--", "set", "Port", "bond0", "interfaces=@p")
    assert sw.appctl("bond/list") == "bond\ttype\trecircID\tmembers\n"
    assert trace(sw, "p9") == ["1", "100"]
    assert uuid["p1"] in sw.get("Port", "bond0", "interfaces")


def test_balance_slb_by_hash(make_hermetic):
    """A source keeps to the member of its bucket; buckets follow bond/migrate and failures."""
    sw = make(make_hermetic, "bond_mode=balance-slb", members=("p1", "p2", "p3"))

    def outputs():
        found = {}
        for i in range(60):
            src = "02:00:00:00:01:%02x" % i
            bucket = int(sw.appctl("bond/hash", src))
            (out,) = set(trace(sw, "p9", src=src)) - {"100"}
            assert found.setdefault(bucket, out) == out
        return found

    spread = outputs()
    shares = collections.Counter(spread.values())
    assert set(shares) == {"1", "2", "3"} and min(shares.values()) >= 5
    bucket, was = next((b, o) for b, o in spread.items() if o != "2")
    assert sw.appctl("bond/migrate", "bond0", str(bucket), "p2") == "migrated\n"
    assert outputs() == dict(spread, **{}) | {bucket: "2"}
    link(sw, "p2", "down")
    after = outputs()
    assert "2" not in after.values()
    assert all(after[b] == o for b, o in spread.items() if o != "2" and b != bucket)
    # What is for all comes in by one member, what is for one host by any.
    name = active(sw)[0]
    number, other = name[1:], "p3" if name == "p1" else "p1"
    assert trace(sw, name) == ["100", "9"]
    assert trace(sw, other) == ["drop"]
    assert trace(sw, other, dst="02:00:00:00:00:99") == ["100", "9"]
    assert number in ("1", "3")
    sw.vsctl("set", "Port", "bond0", "other_config:all-members-active=true")
    assert trace(sw, other) == ["100", "9"]


def test_balance_slb_by_load(make_hermetic):
    """Two sources that share a member part when they carry much; what bond/show says of it."""
    sw = make(make_hermetic, "bond_mode=balance-slb", "other_config:bond-rebalance-interval=4000")
    by_member = collections.defaultdict(dict)
    for i in range(64):
        src = "02:00:00:00:01:%02x" % i
        (out,) = set(trace(sw, "p9", src=src)) - {"100"}
        by_member[out].setdefault(int(sw.appctl("bond/hash", src)), src)
    buckets = dict(list(by_member["1"].items())[:2])
    control = sw.control()
    for n in range(1, 121):
        for src in buckets.values():
            control.run("netdev-dummy/receive", "p9", "ffffffffffff" + src.replace(":", "") + "88b5" + "00" * 1486)

    def loads():
        sw.appctl("time/warp", "100")
        return {int(b): int(kb) for b, kb in re.findall(r"  hash (\d+): (\d+) kB load", sw.appctl("bond/show"))}
    control.close()
    wait_for(lambda: len(loads()) == 2, what="the load")
    assert set(loads()) == set(buckets)

    def outputs():
        sw.appctl("time/warp", "500")
        return {out for src in buckets.values() for out in trace(sw, "p9", src=src)} - {"100"}
    wait_for(lambda: outputs() == {"1", "2"}, 15, "the move")
    text = sw.appctl("bond/show")
    for b in loads():  # below their members
        assert re.search(r"member p[12]: enabled\n(  active member\n)?  may_enable: true\n  hash %d: \d+ kB load\n" % b, text)
    sw.stop()
    with open(sw.log) as f:
        assert re.search(r"bond bond0: shift \d+kB of load \(with hash \d+\) from p1 to p2 \(now carrying "
                         r"\d+kB and \d+kB load, respectively\)", f.read())


def test_mode_changes_while_it_runs(make_hermetic):
    sw = make(make_hermetic, "bond_mode=balance-slb")
    srcs = ["02:00:00:00:01:%02x" % i for i in range(16)]
    outputs = lambda: {out for s in srcs for out in trace(sw, "p9", src=s)} - {"100"}
    assert outputs() == {"1", "2"}
    sw.vsctl("set", "Port", "bond0", "bond_mode=active-backup")
    assert len(outputs()) == 1
    sw.vsctl("set", "Port", "bond0", "bond_mode=balance-slb")
    assert outputs() == {"1", "2"}
    assert sw.alarms() == []


# --- real links -------------------------------------------------------------------------------

class Neighbour(Netns):
    """A kernel bridge with an address, at the other ends of the bond's members."""

    def __init__(self, sw, members, address):
        super().__init__("nb")
        self.run("ip link add nb0 type bridge forward_delay 0")
        for m in members:
            sh(["ip", "-n", sw.ns.name, "link", "add", m, "type", "veth", "peer", "name", m,
                "netns", self.name])
            sw.ns.run("ip link set %s up" % m)
            self.run("ip link set %s up master nb0" % m)
        self.run("ip addr add %s dev nb0" % address)
        self.run("ip link set nb0 up")

    def knows(self, mac):
        """By which link the bridge reaches a host."""
        m = re.search(r"%s dev (\w+)" % mac, self.run("bridge fdb show br nb0"))
        return m and m.group(1)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for namespaces")
def test_failover_on_real_links(make_switch, hosts):
    """A kernel's bridge as neighbour: pings go on within about a second when a link goes, and hears of
    silent hosts when another member becomes active."""
    sw = make_switch()
    sw.add_bridge("br0")
    nb = Neighbour(sw, ("b1", "b2"), "10.0.0.2/24")
    hosts.append(nb)
    host = sw.add_host("br0", "p9", "10.0.0.1/24")
    hosts.append(host)
    sw.vsctl("add-bond", "br0", "bond0", "b1", "b2", "bond_mode=active-backup",
             "other_config:bond-primary=b1")
    wait_for(lambda: host.ping("10.0.0.2", count=1), 20, "the neighbour")
    assert active(sw)[0] == "b1" and nb.knows(host.mac()) == "b1"
    pings = host.popen("ping -n -q -c 300 -i 0.01 -W 1 10.0.0.2", stdout=subprocess.PIPE, text=True)
    time.sleep(1)
    nb.run("ip link set b1 down")
    received = int(re.search(r"(\d+) received", pings.communicate(timeout=60)[0]).group(1))
    assert received >= 180  # a kernel may take a second to tell of a link
    assert active(sw)[0] == "b2"
    wait_for(lambda: column(sw) == active(sw)[1], 10, "bond_active_slave")
    # The primary comes back, and nobody but the switch says so.
    nb.run("ip link set b1 up")
    wait_for(lambda: active(sw)[0] == "b1", 10, "the primary")
    wait_for(lambda: nb.knows(host.mac()) == "b1", 10, "the neighbour to learn")
    assert host.ping("10.0.0.2", count=20)
    if sw.kind == "sluice":
        assert sw.alarms() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for namespaces")
def test_links_by_their_phy(make_switch, hosts):
    """miimon: a link that the kernel holds to be dormant counts, since the device says that it has one."""
    sw = make_switch()
    sw.add_bridge("br0")
    nb = Neighbour(sw, ("b1", "b2"), "10.0.0.2/24")
    hosts.append(nb)
    sw.ns.run("ip link set b1 mode dormant")
    nb.run("ip link set b1 down")
    wait_for(lambda: re.search(r"state \w*DOWN", sw.ns.run("ip link show b1")), what="the kernel")
    nb.run("ip link set b1 up")
    wait_for(lambda: "state DORMANT" in sw.ns.run("ip link show b1"), what="the kernel")
    sw.vsctl("add-bond", "br0", "bond0", "b1", "b2")

    def usable(member):
        text = sw.appctl("bond/show", "bond0").split("member %s: " % member)[1]
        return re.search("may_enable: (true|false)", text).group(1) == "true"
    wait_for(lambda: usable("b2"), what="b2")
    assert not usable("b1")
    sw.vsctl("set", "Port", "bond0", "other_config:bond-detect-mode=miimon", "other_config:bond-miimon-interval=100")
    wait_for(lambda: usable("b1"), what="b1 by its PHY")
    for m, other in (("b1", "b2"), ("b2", "b1")):
        nb.run("ip link set %s down" % m)
        wait_for(lambda: not usable(m), what=m + " down")
        assert usable(other)
        nb.run("ip link set %s up" % m)
        wait_for(lambda: usable(m), what=m + " up")
    if sw.kind == "sluice":
        assert sw.alarms() == []
    sw.vsctl("set", "Port", "bond0", "other_config:bond-detect-mode=tea-leaves")
    wait_for(lambda: not usable("b1"), what="b1 by the kernel")
    with open(sw.log) as f:
        assert "|WARN|port bond0: unsupported bond-detect-mode tea-leaves, defaulting to carrier" in f.read()
