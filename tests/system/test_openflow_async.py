# SPDX-License-Identifier: Apache-2.0
"""What the switch says unasked: packet-ins in every format, flow monitors, flow-removed, and who is told."""
import struct

import pytest

import openflow as of
from switchlib import wait_for

FRAME = bytes.fromhex("ffffffffffff000000000001080045000024000000000111000"
                      "00a0000010a00000200010002001000000102030405060708")
NX_PACKET_IN, NX_PACKET_IN2 = 17, 30


@pytest.fixture
def br(make_hermetic):
    sw = make_hermetic()
    sw.add_bridge("br0", "fail_mode=secure")
    sw.add_ports("br0", "p1", "p2")
    return sw


@pytest.fixture
def peer(br):
    """A function that makes a connection; closed at the end."""
    made = []

    def make(version=of.OF13, told=True):
        made.append(of.Peer(br.dir + "/br0.mgmt", version))
        if told:
            assert made[-1].errors(of.message(version, of.SET_CONFIG, struct.pack("!HH", 0, 128))) == []
        return made[-1]

    yield make
    for p in made:
        p.close()


def properties(body):
    """type -> bytes of a list of properties."""
    out = {}
    while body:
        kind, size = struct.unpack("!HH", body[:4])
        out[kind] = body[4:size]
        body = body[size + (-size % 8):]
    return out


@pytest.mark.rootless
@pytest.mark.parametrize("version", [of.OF10, of.OF13, of.OF14, of.OF15])
def test_packet_in_formats_all_carry_the_port(peer, version):
    p = peer(version)
    out = of.packet_out(version, of.output(version, 0xFFFD), FRAME, in_port=1)
    oxm_port, nxm_port = of.oxm(0, struct.pack("!I", 1)), bytes.fromhex("000000020001")

    p.send(out)
    body = p.wait(of.PACKET_IN)
    assert FRAME in body and (body[6:8] == b"\0\1" if version == of.OF10 else oxm_port in body)
    for format_, subtype, port in ((1, NX_PACKET_IN, nxm_port), (2, NX_PACKET_IN2, oxm_port)):
        assert p.errors(of.experimenter(version, 16, struct.pack("!I", format_))) == []
        p.send(out)
        body = p.wait(of.EXPERIMENTER)
        assert body[:8] == struct.pack("!II", of.NX, subtype)
        assert port in body and FRAME in body


@pytest.mark.rootless
def test_controller_action_with_userdata(br, peer):
    for reason, code in (("", 1), ("reason=no_match,", 0)):
        action = "controller(%smax_len=20,userdata=01.02.03.04.05)" % reason
        br.ofctl("add-flow", "br0", "in_port=1,actions=" + action)
        assert br.flows("br0")[0].endswith("actions=" + action)
        p = peer(of.OF13)
        assert p.errors(of.experimenter(of.OF13, 16, struct.pack("!I", 2))) == []
        p.send(of.packet_out(of.OF13, of.output(of.OF13, 0xFFF9), FRAME, in_port=1))
        props = properties(p.wait(of.EXPERIMENTER)[8:])
        assert props[0] == FRAME  # Whole, for nothing is buffered.
        assert props[5] == bytes([code]) and props[7] == bytes([1, 2, 3, 4, 5])


@pytest.mark.rootless
@pytest.mark.parametrize("version", [of.OF10, of.OF13])
def test_invalid_ttl_comes_to_who_asked_for_it(br, peer, version):
    br.ofctl("add-flow", "br0", "priority=5,actions=dec_ttl,2")
    br.ofctl("add-flow", "br0", "priority=9,in_port=2,actions=controller")
    p = peer(version, told=False)
    ttl1 = of.packet_out(version, of.output(version, 0xFFF9), FRAME, in_port=1)
    marker = of.packet_out(version, of.output(version, 0xFFF9), FRAME, in_port=2)
    reason_at = 8 if version == of.OF10 else 6

    def reasons(config):
        assert p.errors(config) == []
        p.send(ttl1 + marker)
        got = [p.wait(of.PACKET_IN)[reason_at]]
        if got[0] == 2:
            got.append(p.wait(of.PACKET_IN)[reason_at])
        return got

    def config(flags):
        return of.message(version, of.SET_CONFIG, struct.pack("!HH", flags, 128))

    if version == of.OF10:
        assert reasons(config(0)) == [1]
        assert reasons(config(4)) == [2, 1]
        assert reasons(config(0)) == [1]
    else:
        bits = struct.pack("!IIIIII", 7, 0, 0, 0, 0, 0)
        assert reasons(config(0)) == [1]
        assert reasons(of.message(version, 28, bits)) == [2, 1]


@pytest.mark.rootless
def test_a_miss_behind_a_resubmit_is_no_packet_in(br, peer):
    """The flow that resubmits is what the packet met; a miss in the first table is one."""
    p = peer(of.OF10)
    marker = of.packet_out(of.OF10, of.output(of.OF10, 0xFFFD), FRAME, in_port=2)

    def reasons():
        br.appctl("revalidator/wait")
        br.appctl("netdev-dummy/receive", "p1", FRAME.hex())
        br.appctl("revalidator/wait")  # What a handler does with the packet is done.
        p.send(marker)
        got = []
        while not got or got[-1][6:8] != b"\0\2":
            got.append(p.wait(of.PACKET_IN))
        return [body[8] for body in got[:-1]]

    wait_for(lambda: reasons() == [0], 10, "a miss")
    br.ofctl("add-flow", "br0", "actions=resubmit(,3)")
    br.ofctl("add-flow", "br0", "table=3,in_port=7,actions=drop")
    for _ in range(3):
        assert reasons() == []


NO_MATCH, ACTION, INVALID_TTL, ACTION_SET, GROUP, BY_PACKET_OUT = range(6)


@pytest.mark.rootless
@pytest.mark.parametrize("flow, received, sent_out", [
    ("priority=0,actions=controller", NO_MATCH, BY_PACKET_OUT),
    ("priority=1,actions=controller", ACTION, BY_PACKET_OUT),
    ("priority=0,actions=group:1", GROUP, BY_PACKET_OUT),
    ("priority=1,actions=group:1", GROUP, BY_PACKET_OUT),
    ("priority=0,actions=write_actions(controller)", ACTION_SET, BY_PACKET_OUT),
    ("priority=1,actions=write_actions(group:1)", GROUP, BY_PACKET_OUT),
    ("priority=0,actions=clone(controller)", NO_MATCH, BY_PACKET_OUT),
    ("priority=1,actions=resubmit(,8)", NO_MATCH, BY_PACKET_OUT),
    ("priority=0,actions=resubmit(,9)", ACTION, BY_PACKET_OUT),
    ("priority=1,actions=controller(reason=no_match)", NO_MATCH, NO_MATCH),
    ("priority=1,ip,actions=dec_ttl,2", INVALID_TTL, INVALID_TTL),
], ids=lambda v: v.replace("actions=", "") if isinstance(v, str) else None)
def test_reasons(br, peer, flow, received, sent_out):
    """The flow of a table miss gives way to a group and the action set, and all that to a packet-out."""
    br.ofctl("-O", "OpenFlow13", "add-group", "br0", "group_id=1,type=all,bucket=actions=controller")
    for f in (flow, "table=8,priority=0,actions=controller", "table=9,priority=1,actions=controller"):
        br.ofctl("-O", "OpenFlow13", "add-flow", "br0", f)
    p = peer(of.OF15)
    every = b"".join(struct.pack("!HHI", kind, 8, bits) for kind, bits in enumerate((0x3F, 0x3F)))
    assert p.errors(of.message(of.OF15, 28, every)) == []
    frame = FRAME[:22] + b"\1" + FRAME[23:]  # a TTL of 1
    br.appctl("netdev-dummy/receive", "p1", frame.hex())
    assert p.wait(of.PACKET_IN)[6] == received
    p.send(of.packet_out(of.OF15, of.output(of.OF15, 0xFFF9), frame, in_port=1))
    assert p.wait(of.PACKET_IN)[6] == sent_out


@pytest.mark.rootless
def test_packet_ins_of_the_action_set_have_the_flows_cookie(br, peer):
    br.ofctl("-O", "OpenFlow13", "add-flow", "br0", "cookie=0x99,in_port=1,actions=write_actions(controller),goto_table:2")
    br.ofctl("-O", "OpenFlow13", "add-flow", "br0", "table=2,cookie=0x77,actions=drop")
    p = peer(of.OF13)
    assert p.errors(of.experimenter(of.OF13, 16, struct.pack("!I", 2))) == []
    br.appctl("netdev-dummy/receive", "p1", FRAME.hex())
    assert properties(p.wait(of.EXPERIMENTER)[8:])[4] == bytes(4) + struct.pack("!Q", 0x99)


def monitor_request(version, id_, flags, table=255, command=0):
    if version == of.OF10:
        return of.message(version, 16, struct.pack("!HHII4x", 0xFFFF, 0, of.NX, 2)
                          + struct.pack("!IHHHB5x", id_, flags, 0xFFFF, 0, table))
    if version == of.OF13:
        return of.message(version, 18, struct.pack("!HH4xII", 0xFFFF, 0, of.ONF, 1870)
                          + struct.pack("!IHHIB3x", id_, flags, 4, of.ANY, table) + of.oxm_match())
    return of.multipart(version, 16, struct.pack("!IIIHBB", id_, of.ANY, of.ANY, flags, table, command)
                        + of.oxm_match())


def updates(version, body):
    """The events of a reply, by OpenFlow 1.4's numbers."""
    body = body[16 if version < of.OF14 else 8:]
    out = []
    while body:
        size, event = struct.unpack("!HH", body[:4])
        assert size >= 8
        out.append(event if version >= of.OF14 else event + 1)
        body = body[size:]
    return out


INITIAL, ADDED, REMOVED, MODIFIED, ABBREV, PAUSED, RESUMED = range(7)


@pytest.mark.rootless
@pytest.mark.parametrize("version", [of.OF10, of.OF13, of.OF14, of.OF15])
def test_flow_monitor(br, peer, version):
    p = peer(version)
    reply = of.multipart_request(version) + 1

    def events():
        return updates(version, p.wait(reply))

    br.ofctl("add-flow", "br0", "ip,actions=2")
    p.send(monitor_request(version, 1, 0x1F))
    assert events() == [INITIAL if version >= of.OF14 else ADDED]
    br.ofctl("add-flow", "br0", "table=3,arp,actions=2")
    assert events() == [ADDED]
    br.ofctl("mod-flows", "br0", "table=3,arp,actions=2")  # changes nothing: no event
    br.ofctl("mod-flows", "br0", "table=3,arp,actions=1")
    assert events() == [MODIFIED]
    br.ofctl("add-flow", "br0", "table=3,arp,actions=1")
    assert events() == [ADDED]
    p.send(of.flow_mod(version, of.output(version, 1), priority=77, xid=0x4D))
    body = p.wait(reply)
    assert updates(version, body) == [ABBREV] and body.endswith(b"\0\0\0\x4d")
    br.ofctl("del-flows", "br0")
    assert events() == [REMOVED] * 3


@pytest.mark.rootless
@pytest.mark.parametrize("version", [of.OF10, of.OF13, of.OF14])
def test_flow_monitor_errors(br, peer, version):
    if br.kind == "ovs":
        pytest.skip("3.1 answers with bytes that it has freed")
    p = peer(version)
    assert p.errors(monitor_request(version, 1, 0x1F)) == []
    vendor = 0xFFFF if version == of.OF13 else 0xB0C2
    exists, flags, table = ((16, 1), (16, 5), (16, 6)) if version >= of.OF14 else (vendor, vendor, None)
    for request, error in ((monitor_request(version, 1, 0x1F), exists),
                           (monitor_request(version, 2, 0x180), flags),
                           (monitor_request(version, 3, 0x1F, table=254), table)):
        got = p.errors(request)
        assert len(got) == 1
        assert error is None or got[0] == error or got[0][0] == error
    if version >= of.OF14:
        assert p.errors(monitor_request(version, 9, 0x1F, command=2)) == [(16, 3)]
        assert p.errors(monitor_request(version, 1, 0, command=2)) == []
        assert p.errors(monitor_request(version, 1, 0x1F)) == []


@pytest.mark.rootless
def test_flow_monitor_pauses_for_who_does_not_read(br, peer, tmp_path):
    """Of events that are not read only the first are kept; then comes how it is now.  Nobody else waits."""
    p, other = peer(of.OF14), peer(of.OF14)
    assert p.answers(monitor_request(of.OF14, 1, 0x1F)) != []
    n = 1000
    flows = tmp_path / "flows"
    flows.write_text("".join("table=1,priority=%d,actions=1,2,1,2,1,2\n" % i for i in range(n)))
    for _ in range(8):
        br.ofctl("-O", "OpenFlow14", "--bundle", "add-flows", "br0", str(flows))
    assert other.errors() == []
    seen = []
    while RESUMED not in seen:
        seen += updates(of.OF14, p.wait(19))
    assert PAUSED in seen and seen.index(PAUSED) < 8 * n and seen[-1] == RESUMED
    assert seen[seen.index(PAUSED) + 1:-1].count(MODIFIED) + seen.count(ADDED) >= n


@pytest.mark.rootless
def test_requests_are_forwarded_to_who_asked(br, peer):
    asks, does, other = peer(of.OF14), peer(of.OF14), peer(of.OF14)
    assert asks.errors(of.message(of.OF14, 28, struct.pack("!HHI", 11, 8, 3))) == []
    add = of.message(of.OF14, 15, struct.pack("!HBBI", 0, 0, 0, 5), xid=0x77)
    assert does.answers(add) == []
    assert asks.wait(32) == add
    assert does.errors(add) == [(6, 0)]  # There already: not forwarded.
    meter = of.message(of.OF14, 29, struct.pack("!HHIHHII4x", 0, 1, 9, 1, 16, 100, 0), xid=0x78)
    assert does.answers(meter) == []
    assert asks.wait(32)[:16] == meter[:16]  # 3.1 forwards bands without their rate
    assert other.answers() == []
