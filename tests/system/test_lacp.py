# SPDX-License-Identifier: Apache-2.0
"""LACP: with partners made of bytes under a clock that stands still, beside genuine Open vSwitch that is told the
same; and with genuine Open vSwitch as the partner."""
import os
import re
import struct

import pytest

from switchlib import wait_for

pytestmark = pytest.mark.rootless

SYS = {"a": bytes.fromhex("aa66aa660000"), "b": bytes.fromhex("0200000000bb"), "c": bytes.fromhex("0200000000cc")}
ACTIVITY, TIMEOUT, AGGREGATION, SYNC, COLLECTING, DISTRIBUTING = 1, 2, 4, 8, 16, 32
UP = ACTIVITY | AGGREGATION | SYNC | COLLECTING | DISTRIBUTING


def info(kind, system, priority, key, port, state):
    return struct.pack(">BBH6sHHHB3x", kind, 20, priority, SYS[system], key, 0xffff, port, state)


def pdu(port, system="b", state=UP, key=9, priority=0xfffe):
    """A frame from port 'port' of a partner that knows what a switch of ours has there."""
    payload = (b"\1\1" + info(1, system, priority, key, port, state) + info(2, "a", 0xfffe, 1, port, UP) +
               b"\3\20").ljust(110, b"\0")
    return (bytes.fromhex("0180c2000002020000001100") + bytes.fromhex("8809") + payload).hex()


def make(make_hermetic, kind=None, mode="active-backup", lacp="active", more=()):
    sw = make_hermetic(kind=kind) if kind else make_hermetic()
    sw.appctl("time/stop")
    args = ["add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy",
            "other_config:hwaddr=aa:66:aa:66:00:00", "--", "add-bond", "br0", "bond0", "p1", "p2",
            "bond_mode=" + mode, "lacp=" + lacp, *more]
    for i in (1, 2):
        args += ["--", "set", "Interface", "p%d" % i, "type=dummy", "ofport_request=%d" % i,
                 "options:pstream=punix:%s/p%d" % (sw.dir, i), "other_config:lacp-aggregation-key=1"]
    sw.vsctl(*args)
    for p in ("p1", "p2"):
        sw.appctl("netdev-dummy/set-admin-state", p, "up")
    sw.appctl("time/warp", "10")
    return sw


def received_in(stats, port):
    return int(re.search(r"member: %s:\n.*\n  RX PDUs: (\d+)" % port, stats).group(1))


def received(sw, port):
    return received_in(sw.appctl("lacp/show-stats", "bond0"), port)


def deliver(sw, port, frame):
    n = received(sw, port)
    sw.appctl("netdev-dummy/receive", port, frame)
    wait_for(lambda: received(sw, port) > n, what="the PDU")
    sw.appctl("time/warp", "1")


def trace(sw, flow, dst="02:00:00:00:00:01"):
    text = sw.appctl("ofproto/trace", "br0", "%s,dl_src=02:00:00:00:00:55,dl_dst=%s" % (flow, dst))
    return text.split("Datapath actions: ")[1]


LACP = "in_port=1,dl_src=02:00:00:00:00:55,dl_dst=01:80:c2:00:00:02,dl_type=0x8809"


def play(sw):
    out = []

    def look(what):
        for command in ("lacp/show", "bond/show"):
            text = re.sub(r"aa:55:aa:55(:..){2}\(p\d\)", "MAC", sw.appctl(command))
            text = re.sub("  active member\n|(?<=yes), Recirc-ID : .*|next rebalance: .*\n", "", text)
            out.extend((what, command, line) for line in text.splitlines())
        actions = trace(sw, "in_port=LOCAL")
        out.append((what, "sends", "by a member" if actions in ("1\n", "2\n") else actions))
        # Which of two equal members is the active one is nobody's promise.
        out.append((what, "takes", sorted(trace(sw, "in_port=%d" % i) for i in (1, 2))))

    out.append(("no such one", sw.appctl("lacp/show", "nix", check=False).stderr.splitlines()[0]))
    look("nobody spoke")
    deliver(sw, "p1", pdu(1))
    look("a partner on one link")
    deliver(sw, "p2", pdu(2))
    look("on both")
    out.append(("a PDU", sw.appctl("ofproto/trace", "br0", LACP)))
    deliver(sw, "p2", pdu(2, state=UP & ~SYNC))
    look("not in sync")
    deliver(sw, "p2", pdu(2, "c"))
    look("another system")
    deliver(sw, "p2", pdu(2, key=10))
    look("another key")
    deliver(sw, "p2", pdu(2, "a"))
    look("ourselves")
    deliver(sw, "p2", pdu(2))
    look("on both again")
    deliver(sw, "p1", pdu(1)[:28 + 2 * 60])
    deliver(sw, "p1", pdu(1)[:28] + "02" + pdu(1)[30:])
    deliver(sw, "p1", pdu(1)[:28] + "03" + pdu(1)[30:])
    for _ in range(2):
        sw.appctl("time/warp", "45100")
        sw.appctl("time/warp", "45100")
        look("time passed")
        sw.appctl("time/warp", "3000")
        look("and more")
    sw.vsctl("set", "Port", "bond0", "other_config:lacp-fallback-ab=true")
    sw.appctl("time/warp", "10")
    look("fallback")
    sw.vsctl("set", "Port", "bond0", "bond_mode=balance-slb")
    sw.appctl("time/warp", "10")
    look("fallback of SLB")
    sw.vsctl("set", "Port", "bond0", "bond_mode=balance-tcp")
    sw.appctl("time/warp", "10")
    look("fallback of TCP")
    sw.vsctl("remove", "Port", "bond0", "other_config", "lacp-fallback-ab")
    sw.appctl("time/warp", "10")
    look("no fallback")
    sw.vsctl("set", "Port", "bond0", "lacp=[]")
    sw.appctl("time/warp", "10")
    look("TCP without LACP")
    sw.vsctl("set", "Port", "bond0", "lacp=passive", "bond_mode=balance-slb", "other_config:lacp-system-id=aa:66:aa:66:00:0f",
             "other_config:lacp-system-priority=77", "other_config:lacp-time=FAST",
             "--", "set", "Interface", "p1", "other_config:lacp-port-id=500", "other_config:lacp-port-priority=3",
             "other_config:lacp-aggregation-key=33", "--", "set", "Interface", "p2", "other_config:lacp-port-id=70000",
             "other_config:lacp-aggregation-key=33")
    sw.appctl("time/warp", "10")
    look("all options")
    sw.vsctl("set", "Port", "bond0", "other_config:lacp-system-id=00:00:00:00:00:00")
    sw.appctl("time/warp", "10")
    look("a bad system ID")
    return out


def test_the_same_words_as_genuine_open_vswitch(make_hermetic):
    ours, theirs = [play(make(make_hermetic, kind)) for kind in ("sluice", "ovs")]
    for a, b in zip(ours, theirs):
        assert a == b
    assert len(ours) == len(theirs)


def test_counts_and_frames_cut_anywhere(make_hermetic):
    sw = make(make_hermetic)
    control = sw.control()
    whole = pdu(1)
    cut = [whole[:2 * size] for size in range(15, 15 + 109, 3)]
    tagged = whole[:24] + "81000007" + whole[24:]  # and still one
    # A port's frames wait in few places, so each is counted before the next one comes.
    for i, frame in enumerate([*cut, whole[:28] + "02" + whole[30:], tagged, whole], 1):
        control.run("netdev-dummy/receive", "p1", frame)
        wait_for(lambda: received_in(control.run("lacp/show-stats", "bond0")[1], "p1") == i,
                 what="PDU %d" % i)
    control.close()
    n = len(cut)
    stats = sw.appctl("lacp/show-stats", "bond0")
    assert "RX Bad PDUs: %d\n  RX Marker Request PDUs: 1\n" % n in stats.split("member: p2")[0]
    assert "member: p1: current attached" in sw.appctl("lacp/show")
    if sw.kind == "sluice":
        assert sw.alarms() == []


def test_a_frame_concerns_the_bond_of_its_port(make_hermetic):
    """However many ports there are: what it leads to is not looked for in the others."""
    sw = make(make_hermetic, "sluice")
    sw.add_ports("br0", *("x%d" % i for i in range(40)))
    deliver(sw, "p1", pdu(1))

    def looked_at():
        return int(sw.appctl("coverage/read-counter", "bond_run"))

    before = looked_at()
    assert before > 40
    for key in range(20):
        deliver(sw, "p1", pdu(1, key=key))
    assert looked_at() - before < 200
    assert "partner key: 19" in sw.appctl("lacp/show", "bond0")


def test_lacp_current_and_one_link_without_a_bond(make_hermetic):
    sw = make(make_hermetic)
    sw.vsctl("add-port", "br0", "p3", "lacp=passive", "--", "set", "Interface", "p3", "type=dummy", "ofport_request=3",
             "--", "add-port", "br0", "p4", "--", "set", "Interface", "p4", "type=dummy")
    sw.appctl("netdev-dummy/set-admin-state", "p3", "up")

    def current(port, want):
        def look():
            sw.appctl("time/warp", "300")
            return sw.get("Interface", port, "lacp_current") == want
        wait_for(look, what="lacp_current of " + port)

    current("p3", "false")
    current("p4", "[]")
    sw.appctl("netdev-dummy/receive", "p3", pdu(3))
    current("p3", "true")
    assert "sys_priority: 65535" in sw.appctl("lacp/show", "p3")
    assert trace(sw, "in_port=3") != "drop\n"  # without a bond the state decides nothing
    sw.vsctl("clear", "Port", "p3", "lacp")
    current("p3", "[]")


@pytest.mark.skipif(os.environ.get("SWITCH_KIND") == "ovs", reason="it is the partner")
def states(sw):
    """{port: its OpenFlow state}."""
    return dict(re.findall(r"^ \w+\((\w+)\): .*?state: +(\w+)", sw.ofctl("-OOpenFlow14", "show", "br0"), re.M | re.S))


def test_members_without_a_partner_are_not_live(make_hermetic):
    """To controllers and to groups that watch them; a flood leaves the whole bond out at once."""
    both = [make_hermetic(kind=kind) for kind in ("sluice", "ovs")]
    for sw in both:
        sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy",
                 "--", "add-bond", "br0", "bond0", "p1", "p2", "bond_mode=balance-tcp", "lacp=active",
                 *(w for i, p in enumerate(("p1", "p2"), 1)
                   for w in ("--", "set", "Interface", p, "type=dummy", "ofport_request=%d" % i)))
        for i in (8, 9):
            sw.vsctl("add-port", "br0", "p%d" % i, "--", "set", "Interface", "p%d" % i, "type=dummy", "ofport_request=%d" % i)
        sw.ofctl("-OOpenFlow13", "add-group", "br0", "group_id=1,type=ff,bucket=watch_port:2,output:2,bucket=watch_port:9,output:9")
        sw.ofctl("-OOpenFlow13", "add-flow", "br0", "in_port=8,udp,actions=group:1")

    def sent(sw, packet):
        """The names of the ports that it is sent to."""
        ports = dict((n, p) for p, n in re.findall(r"(\w+) \d+/(\d+):", sw.appctl("dpif/show")))
        actions = sw.appctl("ofproto/trace", "br0", packet).split("Datapath actions: ")[1].strip()
        return sorted(ports.get(word, word) for word in re.split(r",(?![^(]*\))", actions))

    def all_as(lacp, want):
        for sw in both:
            if lacp:
                sw.vsctl("set", "Port", "bond0", "lacp=" + lacp)
            wait_for(lambda: states(sw) == want, what="%s: %s" % (sw.kind, want))
    live = {"p1": "LIVE", "p2": "LIVE", "p8": "LIVE", "p9": "LIVE", "br0": "LIVE"}
    all_as(None, dict(live, p1="0", p2="0"))
    assert [sent(sw, "in_port=8") for sw in both] == [["br0", "p9"]] * 2
    assert [sent(sw, "in_port=8,udp") for sw in both] == [["p9"]] * 2
    all_as("off", live)
    assert [sent(sw, "in_port=8,udp") for sw in both] == [["p2"]] * 2
    all_as("passive", dict(live, p1="0", p2="0"))
    for sw in both:  # out of the bond, a port is its own again
        sw.vsctl("--id=@i", "get", "Interface", "p2", "--", "remove", "Port", "bond0", "interfaces", "@i",
                 "--", "--id=@p", "create", "Port", "name=p2", "interfaces=@i", "--", "add", "Bridge", "br0", "ports", "@p")
    all_as(None, dict(live, p1="0"))
    for sw in both:
        sw.vsctl("del-port", "bond0")
    all_as(None, {k: v for k, v in live.items() if k != "p1"})
    assert both[0].alarms() == []


def test_genuine_open_vswitch_as_the_partner(make_hermetic):
    """Real time, real PDUs, from both sides; a link that goes and comes."""
    ovs = make_hermetic(kind="ovs")
    sw = make_hermetic()
    for s, lacp in ((ovs, "passive"), (sw, "active")):
        args = ["add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy",
                "--", "add-bond", "br0", "bond0", "p1", "p2", "bond_mode=balance-tcp", "lacp=" + lacp,
                "other_config:lacp-time=fast"]
        for p in ("p1", "p2"):
            args += ["--", "set", "Interface", p, "type=dummy", "options:%s:%s/%s" %
                     ("pstream=punix" if s is ovs else "stream=unix", ovs.dir, p)]
        s.vsctl(*args)
        for p in ("p1", "p2"):
            s.appctl("netdev-dummy/set-admin-state", p, "up")
    ends = (ovs, sw)
    wait_for(lambda: all(s.appctl("lacp/show").count(": current attached") == 2 for s in ends), 15, "negotiation")
    wait_for(lambda: all(s.appctl("bond/show").count(": enabled") == 2 for s in ends), 15, "members")

    def sides(s, who):
        return sorted(re.findall(r"  %s (?:sys_id|port_id|key|state): .*" % who, s.appctl("lacp/show")))
    wait_for(lambda: all([x.replace("actor", "partner") for x in sides(a, "actor")] == sides(b, "partner")
                         for a, b in (ends, ends[::-1])), 15, "the same of each other")
    ovs.appctl("netdev-dummy/set-admin-state", "p1", "down")
    sw.appctl("netdev-dummy/set-admin-state", "p1", "down")
    wait_for(lambda: sw.appctl("bond/show").count(": enabled") == 1, 15, "one member")
    wait_for(lambda: ": expired" in sw.appctl("lacp/show") or ": defaulted" in sw.appctl("lacp/show"), 15, "silence")
    for s in ends:
        s.appctl("netdev-dummy/set-admin-state", "p1", "up")
    wait_for(lambda: all(s.appctl("bond/show").count(": enabled") == 2 for s in ends), 15, "members again")
    assert sw.alarms() == []


@pytest.fixture
def tcp_bond(make_hermetic):
    """A balance-tcp bond with a partner on both links, and p9 beside it."""
    sw = make(make_hermetic, mode="balance-tcp", more=("other_config:bond-rebalance-interval=4000",))
    sw.vsctl("add-port", "br0", "p9", "--", "set", "Interface", "p9", "type=dummy", "ofport_request=9")
    for n in (1, 2):
        deliver(sw, "p%d" % n, pdu(n))
    return sw


def connections(sw, ports, size=60, times=1):
    """One frame of each TCP connection from p9."""
    control = sw.control()
    for _ in range(times):
        for port in ports:
            control.run("netdev-dummy/receive", "p9", "020000000056" "020000000055" "0800" "4500%04x00000000400600000a0000010a000002"
                        "%04x0050" % (size - 14, port) + "00000000" * 2 + "50100000" + "00000000" + "00" * (size - 54))
    control.close()


def buckets(sw):
    """{bucket: (bytes, member)} of the flows of the second pass; how many others there are for p9."""
    found, others = {}, 0
    for line in sw.appctl("dpctl/dump-flows").splitlines():
        m = re.search(r"dp_hash\((\w+)/0xff\).* packets:\d+, bytes:(\d+),.* actions:(\S+)", line)
        if m:
            found[int(m.group(1), 16) & 255] = (int(m.group(2)), m.group(3))
        elif "in_port(9)" in line:
            others += 1
    return found, others


def test_balance_tcp_has_no_megaflow_per_connection(tcp_bond):
    sw = tcp_bond
    connections(sw, range(1000, 1600))
    wait_for(lambda: sum(map(int, re.search(r"hit:(\d+) missed:(\d+)", sw.appctl("dpif/show")).groups())) >= 1200,
             what="two passes of each")
    found, others = buckets(sw)
    assert others == 1 and 150 < len(found) <= 256
    if sw.kind == "sluice":  # the other one gives a link that comes later its share by load only
        assert {member for _, member in found.values()} == {"1", "2"}
    text = sw.appctl("ofproto/trace", "br0", "in_port=p9,dl_src=02:00:00:00:00:55,dl_dst=02:00:00:00:00:56")
    number = re.search(r"Recirc-ID : (\d+)", sw.appctl("bond/show")).group(1)
    assert "hash(l4(0)),recirc(%#x)" % int(number) in text
    for bucket in (0, 77, 255):
        text = sw.appctl("ofproto/trace", "br0", "recirc_id=%s,dp_hash=%d,in_port=p9,dl_src=02:00:00:00:00:55" % (number, bucket))
        match = "recirc_id=%#x,dp_hash=%s/0xff," % (int(number), hex(bucket) if bucket else "0")
        assert "        Resuming from table 254\n254. " + match + " priority 20\n    output:" in text
        assert "Megaflow: " + match in text
    # A link that fails takes nothing with it.
    sw.appctl("netdev-dummy/set-admin-state", "p1", "down")
    sw.appctl("time/warp", "10")
    sw.appctl("revalidator/wait")
    wait_for(lambda: {member for _, member in buckets(sw)[0].values()} == {"2"}, what="all on p2")


def test_balance_tcp_moves_by_load(tcp_bond):
    sw = tcp_bond
    connections(sw, range(1000, 1040))
    by_member = {}
    for port in range(1000, 1040):
        before, _ = buckets(sw)
        connections(sw, [port])
        after = lambda: [b for b, (n, _) in buckets(sw)[0].items() if n > before.get(b, (0, 0))[0]]
        wait_for(after, what="the frame")
        (bucket,) = after()
        by_member.setdefault(buckets(sw)[0][bucket][1], {}).setdefault(bucket, port)
        if len(by_member.get("1", ())) == 2:
            break
    heavy = by_member["1"]
    connections(sw, heavy.values(), size=1500, times=120)

    def members():
        sw.appctl("time/warp", "500")
        return {buckets(sw)[0].get(b, (0, None))[1] for b in heavy}
    wait_for(lambda: members() == {"1", "2"}, 15, "the move")
    assert re.search(r"member p2: .*hash (%s): \d+ kB load" % "|".join(map(str, heavy)), sw.appctl("bond/show"), re.S)


def send_by_a_queue(sw):
    """Five frames of p9 into the bond, all of which leave by queue 1 of its members."""
    sw.vsctl("set", "Port", "bond0", "qos=@q", "--", "--id=@q", "create", "QoS", "type=trtcm-policer",
             "other_config:cir=1", "other_config:cbs=20", "queues:1=@one", "--", "--id=@one", "create", "Queue",
             "other_config:cir=1", "other_config:cbs=100000")
    sw.ofctl("add-flow", "br0", "in_port=9,actions=set_queue:1,NORMAL")
    connections(sw, [1000], times=5)

    def passed():
        shown = sw.appctl("qos/show", "p1") + sw.appctl("qos/show", "p2")
        return sum(map(int, re.findall(r"Queue 1:(?:\n  \S.*)*?\n  tx_packets: (\d+)", shown)))
    wait_for(lambda: passed() == 5, what="five frames by queue 1")


def test_queues_of_what_a_balance_tcp_bond_sends(tcp_bond):
    """The bucket is known in the second pass; the queue was chosen in the first."""
    sw = tcp_bond
    if sw.kind != "sluice":
        pytest.skip("its dummy ports have no queues")
    send_by_a_queue(sw)
    assert sw.alarms() == []
