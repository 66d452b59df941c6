# SPDX-License-Identifier: Apache-2.0
"""Hostile OpenFlow: messages cut and with wrong lengths, bundles left open, peers that never read.  Each gets the
standard's error; the switch goes on, and no other connection waits."""
import os
import re
import struct

import pytest

import openflow as of
import openflow_kinds
from switchlib import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
# Error types of OpenFlow 1.4: those of Nicira's and ONF's errors are 0xb0c2 and 0xffff.
TYPES = set(range(18)) | {0xB0C2, 0xFFFF}


def recorded(version):
    """What was recorded at that version; for 1.1 and 1.2, of which nothing was, what there is of 1.3 with their number."""
    like = of.OF13 if version in (of.OF11, of.OF12) else version
    with open(HERE + "/openflow_messages.txt", encoding="ascii") as f:
        messages = [bytes.fromhex(line) for line in f if line[0] != "#"]
    return [bytes([version]) + m[1:] for m in messages if m[0] == like]


def extensions(version):
    """Nicira's messages that ovs-ofctl says at OpenFlow 1.0 only, at a later version."""
    said = {openflow_kinds.place(m) for m in recorded(version)}
    kinds = {(k.where, k.number): k for k in openflow_kinds.kinds(version)}
    for m in recorded(of.OF10):
        place = openflow_kinds.place(m)
        if place[0] in ("NXT", "NXREQ") and place in kinds and place not in said:
            yield openflow_kinds.message(kinds[place], version, m[16 if place[0] == "NXT" else 24:])


def said_by_controllers(version):
    """What ovs-ofctl never says."""
    hello = struct.pack("!HHI", 1, 8, 0x72)
    yield of.message(version, of.HELLO, hello)
    yield of.message(version, of.ERROR, struct.pack("!HH", 1, 1) + hello)
    yield of.message(version, of.ECHO_REPLY, hello)
    yield of.experimenter(version, 18)  # NXT_FLOW_AGE
    yield of.experimenter(version, 20, struct.pack("!6xH", 5))  # NXT_SET_CONTROLLER_ID
    yield of.experimenter(version, 19, struct.pack("!6I", 7, 7, 7, 7, 7, 7))  # NXT_SET_ASYNC_CONFIG
    yield of.experimenter(version, 10, struct.pack("!I", 0))  # NXT_ROLE_REQUEST
    properties = b"".join(struct.pack("!HHI", i, 8, 7) for i in range(12))
    if version <= of.OF13:
        yield of.experimenter(version, 27, properties)  # NXT_SET_ASYNC_CONFIG2
    if version <= of.OF12:
        yield of.experimenter(version, 21, struct.pack("!I", 1))  # NXT_FLOW_MONITOR_CANCEL
    if version == of.OF10:
        yield of.message(version, 20, struct.pack("!Hxx", 1))  # QUEUE_GET_CONFIG_REQUEST
        for kind in (1, 2):  # FLOW, AGGREGATE: of all tables
            yield of.multipart(version, kind, struct.pack("!I36xBxH", (1 << 22) - 1, 0xFF, 0xFFFF))
        return
    yield from extensions(version)
    if version == of.OF11:  # FLOW_MOD, with the match that only 1.1 has
        match = struct.pack("!HHII24xHBxHBB16xHHIB3x16x", 0, 88, 1, 0x3F8, 0xFFFF, 0, 0x800, 0, 6, 0, 80, 0, 0)
        output = struct.pack("!HHIH6x", 0, 16, 2, 0)
        yield of.message(version, 14, struct.pack("!QQBBHHHIIIH2x", 5, 0, 0, 0, 0, 0, 7, of.ANY, of.ANY, of.ANY, 0) + match
                         + struct.pack("!HH4x", 4, 8 + len(output)) + output)
    yield of.message(version, 26)  # GET_ASYNC_REQUEST
    yield of.message(version, 24, struct.pack("!I4xQ", 1, 5))  # ROLE_REQUEST: equal
    if version <= of.OF13:
        yield of.experimenter(version, 1870, struct.pack("!I", 1), vendor=of.ONF)  # its cancel
        yield of.message(version, 22, struct.pack("!I4x", 1))
        yield of.message(version, 28, struct.pack("!6I", 7, 7, 7, 7, 7, 7))
        yield of.message(version, 17, struct.pack("!B3xI", 0, 3))  # TABLE_MOD
    else:
        yield of.message(version, 28, properties)
        yield of.message(version, 17, struct.pack("!B3xI", 0, 12) + struct.pack("!HHIHHBBBx", 2, 8, 7, 3, 8, 20, 80, 0))
        yield of.multipart(version, 16, struct.pack("!IIIHBB", 1, of.ANY, of.ANY, 0, 0, 2) + of.oxm_match())


@pytest.fixture
def br(make_hermetic):
    sw = make_hermetic()
    sw.add_bridge("br0", "fail_mode=secure")
    sw.add_ports("br0", "p1", "p2", "p3")
    return sw


def continuation(br, version):
    """The NXT_RESUME that sends back a packet which the switch paused."""
    br.ofctl("add-flow", "br0", "actions=push:NXM_NX_REG0[],controller(pause,userdata=01.02),output:2")
    p = of.Peer(br.dir + "/br0.mgmt", version)
    assert p.errors(of.experimenter(version, 16, struct.pack("!I", 2)),  # NXT_SET_PACKET_IN_FORMAT: NXT_PACKET_IN2
                    of.message(version, of.SET_CONFIG, struct.pack("!HH", 0, 0xFFFF))) == []
    br.appctl("netdev-dummy/receive", "p1", "50540000000750540000000508004500001c00000000401100000a0000010a0000020001000200080000")
    body = p.wait(of.EXPERIMENTER)
    p.close()
    br.ofctl("del-flows", "br0")
    assert body[:8] == struct.pack("!II", of.NX, 30)
    return of.experimenter(version, 28, body[8:])


def with_length(message, length):
    return message[:2] + struct.pack("!H", length) + message[4:]


def cut(message):
    """Every shorter message, with its length right, and one that is a byte too long."""
    for n in range(8, len(message)):
        yield with_length(message[:n], n)
    yield with_length(message + b"\0", len(message) + 1)


def off_by_one(message):
    """Every 16-bit number of the body one lower and one higher: lengths are among them."""
    for at in range(8, len(message) - 1, 2):
        x = struct.unpack("!H", message[at:at + 2])[0]
        for y in (x - 1, x + 1):
            yield message[:at] + struct.pack("!H", y & 0xFFFF) + message[at + 2:]


def memory_kb(sw):
    with open("/proc/%d/status" % sw.pid, encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


@pytest.mark.rootless
@pytest.mark.parametrize("version", [of.OF10, of.OF11, of.OF12, of.OF13, of.OF14, of.OF15])
@pytest.mark.parametrize("mangle", [cut, off_by_one])
def test_mangled_messages_get_errors(br, version, mangle):
    """All that ovs-ofctl and controllers say, mangled: answered in order, by errors of the standard, on one
    connection.  No kind of message that the switch knows is left out."""
    resume = continuation(br, version)
    p, other = [of.Peer(br.dir + "/br0.mgmt", version) for _ in range(2)]
    n_errors = 0
    messages = recorded(version) + list(said_by_controllers(version)) + [resume]
    said = {openflow_kinds.place(m) for m in messages}
    assert [k.name for k in openflow_kinds.kinds(version) if (k.where, k.number) not in said] == []
    for m in messages:
        answers = p.answers(*mangle(m))
        assert answers is not None, m.hex()
        for _, kind, _, body in answers:
            if kind == of.ERROR:
                n_errors += 1
                error_type = struct.unpack("!H", body[:2])[0]
                assert error_type in TYPES, (m.hex(), body.hex())
    assert n_errors > 500
    assert other.answers() == []
    br.ofctl("dump-flows", "br0")
    p.close()
    other.close()


@pytest.mark.rootless
def test_bundles_left_open_are_bounded_and_forgotten(br):
    """So many bundles and no more per connection; all go with the connection, and idle ones by themselves."""
    br.vsctl("set", "Open_vSwitch", ".", "other_config:bundle-idle-timeout=1")
    p, version = of.Peer(br.dir + "/br0.mgmt", of.OF14), of.OF14
    opened = [of.message(version, 33, struct.pack("!IHH", i, 0, 3)) for i in range(1, 200)]
    codes = p.errors(*opened)
    assert all(error == (17, 5) for error in codes)  # OFPBFC_OUT_OF_BUNDLES
    if br.kind == "sluice":
        assert codes
    p.version = of.OF14
    got = []
    while len(got) < 1:
        m = p.receive()
        if m[1] == of.ERROR:
            got.append(struct.unpack("!HH", m[3][:4]))
    assert got == [(17, 14)]  # OFPBFC_TIMEOUT
    p.close()


@pytest.mark.rootless
def test_bundles_of_all_connections_have_one_bound(br):
    """Beyond other_config:bundle-memory-limit messages are refused; what ends gives its share back."""
    if br.kind != "sluice":
        pytest.skip("Open vSwitch has no bound")
    version, n = of.OF14, 2000
    br.vsctl("set", "Open_vSwitch", ".", "other_config:bundle-memory-limit=1")
    first, second = [of.Peer(br.dir + "/br0.mgmt", version) for _ in range(2)]

    def add(bundle, i):
        fields = of.oxm(3, bytes([0, 0, 0, bundle, i >> 8, i & 255]))
        inner = of.flow_mod(version, of.output(version, 2), priority=5, fields=fields, xid=1)
        return of.message(version, 34, struct.pack("!IHH", bundle, 0, 3) + inner, xid=1)

    def control(bundle, kind):
        return of.message(version, 33, struct.pack("!IHH", bundle, kind, 3))

    assert first.errors(control(1, 0), *[add(1, i) for i in range(n)]) == []
    codes = second.errors(control(2, 0), *[add(2, i) for i in range(n)])
    assert 0 < len(codes) < n and set(codes) == {(17, 12)}  # OFPBFC_MSG_TOO_MANY
    assert first.errors(control(1, 6)) == []  # Discarded: the other has room now.
    assert second.errors(*[add(2, i) for i in range(n - len(codes), n)], control(2, 4)) == []
    assert len([x for x in br.ofctl("dump-flows", "br0").splitlines() if "priority=5" in x]) == n
    assert "bundle_memory_refused" in br.appctl("coverage/show")
    first.close()
    second.close()


@pytest.mark.rootless
def test_what_a_bundle_holds_is_not_seen_before_its_commit(br):
    """Whether it ends well, fails, is discarded or its connection goes; others change the same rules meanwhile."""
    version = of.OF14
    p = of.Peer(br.dir + "/br0.mgmt", version)

    def control(bundle, kind):
        return of.message(version, 33, struct.pack("!IHH", bundle, kind, 3))

    def add(bundle, mac, port, flags=0, fields=b""):
        fields = fields or of.oxm(3, bytes([0, 0, 0, 0, 0, mac]))
        inner = of.flow_mod(version, of.output(version, port), priority=5, fields=fields, xid=1, flags=flags)
        return of.message(version, 34, struct.pack("!IHH", bundle, 0, 3) + inner)

    def flows():
        text = br.ofctl("--no-stats", "dump-flows", "br0")
        return sorted(re.findall(r"dl_dst=00:00:00:00:00:0(\d) actions=output:\"?p?(\d)", text))

    br.ofctl("add-flow", "br0", "priority=5,dl_dst=00:00:00:00:00:01,actions=output:2")
    adds = [add(1, 1, 1), add(1, 2, 1), add(1, 2, 3)]
    assert p.errors(control(1, 0), *adds) == []
    assert flows() == [("1", "2")]
    assert "flow_count=1" in br.ofctl("dump-aggregate", "br0")
    assert "output:2" in br.appctl("ofproto/trace", "br0", "in_port=3,dl_dst=00:00:00:00:00:01")
    br.ofctl("add-flow", "br0", "priority=5,dl_dst=00:00:00:00:00:01,actions=output:3")
    br.ofctl("add-flow", "br0", "priority=5,dl_dst=00:00:00:00:00:02,actions=output:2")
    assert flows() == [("1", "3"), ("2", "2")]
    assert p.errors(control(1, 4)) == []
    assert flows() == [("1", "1"), ("2", "3")]
    assert "flow_count=2" in br.ofctl("dump-aggregate", "br0")
    # One that fails at its commit, for the last rule overlaps: of it nothing stays, and it may be tried again.
    overlaps = add(2, 0, 2, flags=2, fields=of.oxm(5, b"\x12\x34"))
    assert p.errors(control(2, 0), add(2, 1, 3), add(2, 4, 3), overlaps) == []
    assert p.errors(control(2, 4)) == [(5, 3), (17, 13)]  # OFPFMFC_OVERLAP, OFPBFC_MSG_FAILED
    assert flows() == [("1", "1"), ("2", "3")]
    assert p.errors(control(3, 0), add(3, 4, 2), control(3, 6)) == []
    assert p.errors(control(4, 0), add(4, 1, 2), add(4, 5, 2)) == []
    p.close()
    br.ofctl("del-flows", "br0", "dl_dst=00:00:00:00:00:02")
    assert flows() == [("1", "1")]
    br.ofctl("del-flows", "br0")
    assert flows() == []


@pytest.mark.rootless
def test_200000_messages_in_one_bundle(br):
    """They take effect at once, and only at the commit."""
    version, n = of.OF14, 200000
    p = of.Peer(br.dir + "/br0.mgmt", version, timeout=60)
    control = [of.message(version, 33, struct.pack("!IHH", 1, kind, 3)) for kind in (0, 4)]
    action = of.output(version, 1)
    assert p.errors(control[0]) == []
    for start in range(0, n, 10000):
        adds = []
        for i in range(start, start + 10000):
            fields = of.oxm(3, bytes([0, 0, 0]) + struct.pack("!I", i)[1:])
            inner = of.flow_mod(version, action, priority=5, fields=fields, xid=1)
            adds.append(of.message(version, 34, struct.pack("!IHH", 1, 0, 3) + inner))
        assert p.errors(*adds) == []
    assert "flow_count=0" in br.ofctl("dump-aggregate", "br0")
    assert p.errors(control[1]) == []
    assert "flow_count=%d" % n in br.ofctl("dump-aggregate", "br0")
    p.close()


@pytest.mark.rootless
def test_a_peer_that_never_reads_costs_bounded_memory(br):
    """It is told of 20,000 packets and asks for 2,000 dumps; what cannot be kept is not kept."""
    br.ofctl("add-flow", "br0", "actions=controller")
    deaf = of.Peer(br.dir + "/br0.mgmt", of.OF13)
    deaf.send(of.message(of.OF13, of.SET_CONFIG, struct.pack("!HH", 0, 0xFFFF)))
    other = of.Peer(br.dir + "/br0.mgmt", of.OF13)
    assert other.answers() == []
    before = memory_kb(br)
    out = of.packet_out(of.OF13, of.output(of.OF13, 0xFFF9), bytes(12) + b"\x08\0" + bytes(1400), in_port=1)
    deaf.s.settimeout(0.2)
    try:
        deaf.send(b"".join(of.multipart(of.OF13, 12) for _ in range(2000)))
    except OSError:
        pass  # Its orders are not read either, for it does not read the answers.
    for _ in range(20):
        assert other.errors(*[out] * 1000) == []
    assert memory_kb(br) - before < 200 * 1024
    deaf.close()
    wait_for(lambda: other.answers() == [], 10, "an answer")
    other.close()


@pytest.mark.rootless
def test_loops_of_resubmits_and_groups_end(br):
    """Resubmits in a circle stop at the depth limit, whatever else happens."""
    for i in range(2):
        br.ofctl("add-flow", "br0", "table=%d,actions=resubmit(,%d),resubmit(,%d)" % (i, 1 - i, 1 - i))
    br.ofctl("-O", "OpenFlow13", "add-group", "br0", "group_id=1,type=all,bucket=resubmit(,0),bucket=resubmit(,1)")
    br.ofctl("-O", "OpenFlow13", "add-flow", "br0", "priority=40000,in_port=2,actions=group:1")
    p = of.Peer(br.dir + "/br0.mgmt", of.OF13)
    for port in (1, 2):
        out = of.packet_out(of.OF13, of.output(of.OF13, 0xFFF9), bytes(12) + b"\x08\0" + bytes(50), in_port=port)
        assert p.answers(*[out] * 20) is not None
    p.close()
    assert "Final flow" in br.appctl("ofproto/trace", "br0", "in_port=1")


@pytest.mark.rootless
def test_groups_that_lead_to_the_next_one_twice(br):
    """Two to the 60th ways lead through 60 of them: each is added at once, and a packet's way ends."""
    if br.kind != "sluice":
        pytest.skip("Open vSwitch does not look for loops")
    p, n = of.Peer(br.dir + "/br0.mgmt", of.OF13), 60

    def add(group, *actions):
        buckets = b"".join(struct.pack("!HHII4x", 16 + len(a), 0, of.ANY, of.ANY) + a for a in actions)
        return of.message(of.OF13, 15, struct.pack("!HBBI", 0, 0, 0, group) + buckets)

    def to_group(group):
        return struct.pack("!HHI", 22, 8, group)

    last = add(n, of.output(of.OF13, 2), of.output(of.OF13, 3))
    assert p.errors(last, *[add(i, to_group(i + 1), to_group(i + 1)) for i in range(n - 1, 0, -1)]) == []
    assert p.errors(add(n + 1, to_group(n + 1))) == [(6, 7)]  # OFPGMFC_LOOP
    out = of.packet_out(of.OF13, to_group(1), bytes(12) + b"\x08\0" + bytes(50), in_port=1)
    assert p.errors(out) == []
    p.close()


@pytest.mark.rootless
def test_a_bundle_with_ports_and_packets_is_all_or_nothing(br):
    """What is wrong with a port-mod, a packet-out or a group-mod is found before anything is done."""
    version = of.OF14
    p = of.Peer(br.dir + "/br0.mgmt", version)
    mac = bytes.fromhex(re.search(r" 1\(p1\): addr:(\S+)", br.ofctl("show", "br0")).group(1).replace(":", ""))
    frame = bytes(12) + b"\x08\0" + bytes(50)
    n = iter(range(1, 100))

    def bundle(*messages, flags=2):
        """The errors of a bundle that is ordered."""
        i = next(n)
        control = [of.message(version, 33, struct.pack("!IHH", i, kind, flags)) for kind in (0, 4)]
        adds = [of.message(version, 34, struct.pack("!IHH", i, 0, flags) + m) for m in messages]
        return p.errors(control[0], *adds, control[1])

    def port_mod(port, config):
        return of.message(version, 16, struct.pack("!I4x", port) + mac + bytes(2)
                          + struct.pack("!IIHHI", config, 0x20, 0, 8, 0))

    def to_group(group):
        return struct.pack("!HHI", 22, 8, group)

    group = of.message(version, 15, struct.pack("!HBBI", 0, 0, 0, 7))
    flow = of.flow_mod(version, of.output(version, 2), priority=5)
    out = of.packet_out(version, of.output(version, 3), frame, in_port=1)
    failed = (17, 13)  # OFPBFC_MSG_FAILED
    for bad, error in ((port_mod(99, 0), (7, 0)), (of.packet_out(version, to_group(8), frame, in_port=1), (2, 9))):
        assert bundle(group, flow, out, port_mod(1, 0x20), bad) == [error, failed]
        assert br.flows("br0") == [] and "NO_FWD" not in br.ofctl("show", "br0")
        assert "group_id" not in br.ofctl("-O", "OpenFlow13", "dump-groups", "br0")
        assert br.get("Interface", "p3", "statistics:tx_packets") == "0"
    # A group-mod that cannot be read is refused when it comes, and is no part of the bundle.
    assert bundle(of.message(version, 15, struct.pack("!HBBIHHII4x", 0, 0, 0, 7, 15, 0, of.ANY, of.ANY)), flow) == [(6, 12)]
    assert len(br.flows("br0")) == 1
    # And what is right is done, packets by groups that come along.
    late = of.packet_out(version, to_group(7), frame, in_port=1)
    assert bundle(group, late, out, port_mod(1, 0x20)) == []
    assert "NO_FWD" in br.ofctl("show", "br0")
    wait_for(lambda: br.get("Interface", "p3", "statistics:tx_packets") == "1", 10, "the packet")
    p.close()


def slow_bundle(br, p, n, *last):
    """Sends a bundle of 'n' packets, each of which meets tables over and over, and of 'last'; not what commits it."""
    version = of.OF14
    br.ofctl("del-flows", "br0")
    for i in range(2):
        br.ofctl("add-flow", "br0", "table=%d,actions=%s" % (i, ",".join(["resubmit(,%d)" % (1 - i)] * 2)))
    br.ofctl("add-flow", "br0", "priority=40000,reg0=1,actions=2")
    out = of.packet_out(version, of.nx_action(14, struct.pack("!HB", 0xFFF8, 0)), bytes(12) + b"\x08\0" + bytes(50), in_port=1)
    add = of.message(version, 34, struct.pack("!IHH", 1, 0, 2) + out)
    assert p.errors(of.message(version, 33, struct.pack("!IHH", 1, 0, 2)), *[add] * n) == []
    assert p.errors(*[of.message(version, 34, struct.pack("!IHH", 1, 0, 2) + m) for m in last]) == []
    return of.message(version, 33, struct.pack("!IHH", 1, 4, 2), xid=5)


@pytest.mark.rootless
def test_packets_of_a_bundle_take_turns(br):
    """While those of a great bundle are sent others are answered; the reply comes when all are."""
    if br.kind != "sluice":
        pytest.skip("Open vSwitch is busy until all is done")
    p, other = (of.Peer(br.dir + "/br0.mgmt", of.OF14, timeout=120) for _ in range(2))
    last = of.packet_out(of.OF14, of.output(of.OF14, 2), bytes(60), in_port=1)
    commit = slow_bundle(br, p, 3000, last)
    p.send(commit)
    for _ in range(3):
        assert other.answers(of.message(of.OF14, of.FEATURES_REQUEST)) != []
    p.s.setblocking(False)
    with pytest.raises(BlockingIOError):
        p.s.recv(1)
    p.s.settimeout(120)
    assert p.receive()[1:3] == (33, 5)
    assert p.answers() == []
    wait_for(lambda: "tx pkts=1," in br.ofctl("dump-ports", "br0", "p2"), what="the last packet")
    p.close()
    other.close()


@pytest.mark.rootless
def test_who_commits_and_hangs_up(br):
    """Ports are as the bundle says at once, long before its packets are sent, and each changes once; packets get lost."""
    if br.kind != "sluice":
        pytest.skip("Open vSwitch is busy until all is done")
    p = of.Peer(br.dir + "/br0.mgmt", of.OF14, timeout=120)
    mac = bytes.fromhex(re.search(r" 1\(p1\): addr:(\S+)", br.ofctl("show", "br0")).group(1).replace(":", ""))
    port_mod = of.message(of.OF14, 16, struct.pack("!I4x", 1) + mac + bytes(2) + struct.pack("!IIHHI", 0x20, 0x20, 0, 8, 0))
    back = port_mod[:-16] + struct.pack("!IIHHI", 0, 0x30, 0, 8, 0)
    other = of.Peer(br.dir + "/br0.mgmt", of.OF14, timeout=120)
    assert other.errors(of.message(of.OF14, of.SET_CONFIG, struct.pack("!HH", 0, 128))) == []  # from now on it is told of ports
    last = of.packet_out(of.OF14, of.output(of.OF14, 2), bytes(60), in_port=1)
    p.send(slow_bundle(br, p, 20000, *[port_mod, back] * 1000, port_mod, last))
    wait_for(lambda: "NO_FWD" in br.ofctl("show", "br0"), what="the port")
    p.s.setblocking(False)
    with pytest.raises(BlockingIOError):  # no reply yet: packets are being sent
        p.s.recv(1)
    p.close()
    br.ofctl("show", "br0")
    told = [m for m in other.answers() if m[1] == of.PORT_STATUS]
    assert len(told) == 1
    assert "tx pkts=0," in br.ofctl("dump-ports", "br0", "p2")
    other.close()


@pytest.mark.rootless
def test_a_tunnel_option_that_goes_while_a_bundle_is_open(br):
    """The bundle fails as a flow-mod would that came now; with the option back, it is done."""
    version, option = of.OF14, "{class=0xffff,type=0,len=4}->tun_metadata0"
    p = of.Peer(br.dir + "/br0.mgmt", version)
    br.ofctl("add-tlv-map", "br0", option)
    fields = of.oxm(40, bytes([0, 0, 0, 5]), oxm_class=1)
    flow = of.flow_mod(version, of.output(version, 2), priority=5, fields=fields)

    def control(kind):
        return of.message(version, 33, struct.pack("!IHH", 1, kind, 3))

    add = of.message(version, 34, struct.pack("!IHH", 1, 0, 3) + flow)
    assert p.errors(control(0), add) == []
    br.ofctl("del-tlv-map", "br0")
    errors = p.errors(control(4))
    assert len(errors) == 2 and errors[1] == (17, 13)  # OFPBFC_MSG_FAILED
    assert br.flows("br0") == []
    br.ofctl("add-tlv-map", "br0", option.replace("0xffff", "0x102"))
    assert p.errors(control(0), add) == []
    br.ofctl("del-tlv-map", "br0")
    br.ofctl("add-tlv-map", "br0", option)
    assert p.errors(control(4)) == []
    assert br.flows("br0") == ["priority=5,tun_metadata0=0x5 actions=output:2"]
    p.close()


@pytest.mark.rootless
def test_small_print_of_flow_mods_and_meters(br):
    """As the deployed switch has it: a delete's buffer says nothing, action sets have no place for some actions, a meter
    has bands, padding may be anything."""
    version = of.OF13
    p = of.Peer(br.dir + "/br0.mgmt", version)
    delete = of.flow_mod(version, command=3, table=255)
    assert p.errors(delete[:32] + bytes(4) + delete[36:]) == []
    add = of.flow_mod(version, of.output(version, 1))
    assert p.errors(add[:32] + bytes(4) + add[36:]) == [(1, 8)]  # OFPBRC_BUFFER_UNKNOWN
    conjunction = of.nx_action(34, struct.pack("!BBI", 0, 2, 7))
    written = struct.pack("!HH4x", 3, 8 + len(conjunction)) + conjunction
    assert p.errors(of.flow_mod(version, instructions=written)) == [(2, 0)]  # OFPBAC_BAD_TYPE
    assert p.errors(of.message(version, 29, struct.pack("!HHI", 0, 1, 1))) == [(12, 11)]  # OFPMMFC_OUT_OF_BANDS
    assert p.errors(of.experimenter(version, 16, struct.pack("!I", 0))) == []
    old = of.Peer(br.dir + "/br0.mgmt", of.OF10)
    assert old.errors(of.experimenter(of.OF10, 15, b"\1" + b"\xff" * 7)) == []  # NXT_FLOW_MOD_TABLE_ID
    assert br.flows("br0") == []
    p.close()
    old.close()
