# SPDX-License-Identifier: Apache-2.0
"""The small print of OpenFlow, byte by byte, beside genuine Open vSwitch: what the stock tools cannot say or do not show."""
import struct

import pytest

import openflow as of

pytestmark = pytest.mark.rootless

FRAME = bytes.fromhex("0200000000020200000000010800450000280001000040110000" "0a0000010a000002" "0001000200140000") + bytes(12)
NEW = [of.OF12, of.OF13, of.OF14, of.OF15]
ADD, MODIFY, DELETE = 0, 1, 3
CONTROLLER = 0xFFFD
NONE = 0xFFFFFFFFFFFFFFFF
NX_PACKET_IN, NX_PACKET_IN2 = 17, 30


@pytest.fixture
def both(pair):
    """Runs a conversation with each switch, on a connection of its own that is told all; returns what both said alike."""
    peers = []

    def run(version, conversation):
        said = []
        for sw in pair:
            sw.ofctl("del-flows", "br0")
            sw.appctl("revalidator/purge" if sw.kind == "ovs" else "revalidator/wait")
            peers.append(of.Peer(sw.dir + "/br0.mgmt", version))
            assert peers[-1].errors(of.message(version, of.SET_CONFIG, struct.pack("!HH", 0, 128))) == []
            said.append(conversation(peers[-1], sw))
        assert said[0] == said[1]
        return said[0]

    yield run
    for p in peers:
        p.close()


def flows(p):
    """Of each flow, as OpenFlow 1.2 and later tell them: its cookie and its match."""
    assert p.version in NEW
    seen = []
    for _, _, _, body in p.answers(of.multipart(p.version, 1, struct.pack("!B3xII4xQQ", 255, of.ANY, of.ANY, 0, 0) + of.oxm_match())):
        body = body[8:]
        while body:
            cookie, match = (16, 24) if p.version == of.OF15 else (24, 48)
            size, n = struct.unpack("!H", body[:2])[0], struct.unpack("!H", body[match + 2:match + 4])[0]
            seen.append((struct.unpack("!Q", body[cookie:cookie + 8])[0], body[match + 4:match + n].hex()))
            body = body[size:]
    return sorted(seen)


def received(p, sw, kind=of.PACKET_IN):
    """The packet-in that a frame on p1 leads to."""
    sw.appctl("netdev-dummy/receive", "p1", FRAME.hex())
    return p.wait(kind)


def properties(body):
    """type -> bytes of the properties of an NXT_PACKET_IN2."""
    out, body = {}, body[8:]
    while body:
        kind, size = struct.unpack("!HH", body[:4])
        out[kind] = body[4:size]
        body = body[size + -size % 8:]
    return out


@pytest.mark.parametrize("version", NEW)
def test_a_cookie_of_ones(both, version):
    """Is one like others where an add cannot do without."""
    def talk(p, _):
        errors = p.errors(of.flow_mod(version, of.output(version, 1), cookie=NONE))
        before = flows(p)
        return errors, before, p.errors(of.flow_mod(version, command=DELETE, cookie=0)), flows(p)

    assert both(version, talk) == ([], [(NONE, "")], [], [])


@pytest.mark.parametrize("version", NEW)
@pytest.mark.parametrize("command", range(5))
def test_all_tables(both, version, command):
    """Are something to delete from, and to do nothing else with."""
    errors = both(version, lambda p, _: p.errors(of.flow_mod(version, of.output(version, 1), table=255, command=command)))
    assert errors == ([] if command >= DELETE else [(5, 2)])


@pytest.mark.parametrize("version", [of.OF14, of.OF15])
def test_registers_of_a_match(both, version):
    """From OpenFlow 1.5 on the standard's packet registers, of 64 bits."""
    reg1 = of.oxm(1, struct.pack("!I", 5), 0x0001)

    def talk(p, _):
        return p.errors(of.flow_mod(version, of.output(version, 1), fields=reg1)), flows(p)

    packet_reg = struct.pack("!HBBQQ", 0x8001, 1, 16, 5, 0xFFFFFFFF).hex()
    assert both(version, talk) == ([], [(0, packet_reg if version == of.OF15 else reg1.hex())])


@pytest.mark.parametrize("version", [of.OF10, *NEW])
def test_the_flow_that_takes_all_misses(both, version):
    """Its packet-ins are misses from OpenFlow 1.3 on."""
    def talk(p, sw):
        assert p.errors(of.flow_mod(version, of.output(version, CONTROLLER), priority=0)) == []
        body = received(p, sw)
        return body[8 if version == of.OF10 else 6]

    assert both(version, talk) == (1 if version < of.OF13 else 0)


@pytest.mark.parametrize("format_", [1, 2])
def test_a_miss_has_no_cookie_but_0(both, format_):
    def talk(p, sw):
        assert p.errors(of.experimenter(of.OF10, 16, struct.pack("!I", format_))) == []
        body = received(p, sw, of.EXPERIMENTER)
        assert struct.unpack("!I", body[4:8])[0] == (NX_PACKET_IN if format_ == 1 else NX_PACKET_IN2)
        return (body[16:24] if format_ == 1 else properties(body)[4][4:]).hex()

    assert both(of.OF10, talk) == bytes(8).hex()


@pytest.mark.parametrize("without", [(), ("tun_id",)], ids=["all", "no id of a tunnel"])
def test_what_a_packet_out_carries(both, without):
    """OpenFlow 1.5: the match of a packet-out is what its packet has beside its bytes."""
    fields = {"in_port": of.oxm(0, struct.pack("!I", 1)), "tun_id": of.oxm(38, struct.pack("!Q", 9)),
              "metadata": of.oxm(2, struct.pack("!Q", 7)), "tun_src": of.oxm(31, bytes([10, 0, 0, 9]), 0x0001)}
    fields = {name: tlv for name, tlv in fields.items() if name not in without}
    match = of.oxm_match(b"".join(fields.values()))

    def talk(p, _):
        action = of.output(of.OF15, CONTROLLER)
        p.send(of.message(of.OF15, of.PACKET_OUT, struct.pack("!IHH", of.NO_BUFFER, len(action), 0) + match + action + FRAME))
        body = p.wait(of.PACKET_IN)
        n = struct.unpack("!H", body[18:20])[0]
        return sorted(name for name, tlv in fields.items() if tlv in body[20:16 + n])

    assert both(of.OF15, talk) == sorted(fields)


@pytest.mark.parametrize("tlv", [of.oxm(33, bytes(4), 0x0001), of.oxm(105, bytes(4), 0x0001), of.oxm(5, b"\x08\0")],
                         ids=["pkt_mark", "ct_state", "eth_type"])
def test_what_a_packet_out_may_not_carry(both, tlv):
    match = of.oxm_match(of.oxm(0, struct.pack("!I", 1)) + tlv)
    message = of.message(of.OF15, of.PACKET_OUT, struct.pack("!IHH", of.NO_BUFFER, 0, 0) + match + FRAME)
    assert both(of.OF15, lambda p, _: p.errors(message)) == [(1, 17)]


@pytest.mark.parametrize("version", [of.OF10, *NEW])
def test_a_packet_out_without_actions(both, version):
    """Goes nowhere, not even to a table."""
    def talk(p, _):
        assert p.errors(of.flow_mod(version, of.output(version, CONTROLLER))) == []
        p.send(of.packet_out(version, b"", FRAME, in_port=1) + of.packet_out(version, of.output(version, CONTROLLER), FRAME, in_port=2))
        body = p.wait(of.PACKET_IN)
        return struct.pack("!H", 2) == body[6:8] if version == of.OF10 else of.oxm(0, struct.pack("!I", 2)) in body

    assert both(version, talk)


@pytest.mark.parametrize("version", [of.OF14, of.OF15])
def test_a_port_mod_names_the_address(both, version):
    def talk(p, _):
        return p.errors(of.message(version, 16, struct.pack("!I4x6x2xII", 1, 0x20, 0x20)))

    assert both(version, talk) == [(7, 1)]


@pytest.mark.parametrize("flags, burst, shown", [(5, 0, 1000), (5, 7, 7), (1, 0, 1000)])
def test_a_burst_of_0(both, flags, burst, shown):
    """Is what the rate lets through in a second."""
    def talk(p, _):
        p.errors(of.message(of.OF13, 29, struct.pack("!HHI", 2, 0, 1)))
        band = struct.pack("!HHII4x", 1, 16, 1000, burst)
        assert p.errors(of.message(of.OF13, 29, struct.pack("!HHI", 0, flags, 1) + band)) == []
        return p.answers(of.multipart(of.OF13, 10, struct.pack("!I4x", 1)))[0][3][8 + 8 + 8:][:4]

    assert both(of.OF13, talk) == struct.pack("!I", shown)


@pytest.mark.parametrize("version", [of.OF13, of.OF14])
@pytest.mark.parametrize("mistake, code", [("flags", 7), ("closed", 4)])
def test_a_message_that_does_not_fit_ends_its_bundle(both, version, mistake, code):
    """Nothing of it is done, and its number is free."""
    add = of.flow_mod(version, of.output(version, 1))

    def control(kind, flags=3):
        body = struct.pack("!IHH", 1, kind, flags)
        return of.message(version, 33, body) if version == of.OF14 else of.experimenter(version, 2300, body, of.ONF)

    def message(flags):
        body = struct.pack("!IHH", 1, 0, flags) + add
        return of.message(version, 34, body) if version == of.OF14 else of.experimenter(version, 2301, body, of.ONF)

    def talk(p, _):
        good = p.answers(control(0), message(3))
        assert [m[1] for m in good] == [33 if version == of.OF14 else of.EXPERIMENTER]
        wrong = p.errors(message(1)) if mistake == "flags" else p.errors(control(2), message(3))
        return good, wrong, p.errors(control(4)), flows(p), p.errors(control(0)), p.errors(control(6))

    _, wrong, commit, left, again, end = both(version, talk)
    assert wrong == [(17, code) if version == of.OF14 else (0xFFFF, 2300 + code)]
    assert commit == [(17, 2) if version == of.OF14 else (0xFFFF, 2302)]
    assert (left, again, end) == ([], [], [])


@pytest.mark.parametrize("version, kind", [(of.OF14, 12), (of.OF15, 31)])
def test_asynchronous_messages_that_nobody_knows(both, version, kind):
    assert both(version, lambda p, _: p.errors(of.message(version, 28, struct.pack("!HHI", kind, 8, 1)))) == [(15, 1)]


def test_asynchronous_messages_of_old_versions(both):
    """OpenFlow 1.3: all reasons that a controller set are told."""
    def talk(p, _):
        assert p.errors(of.message(of.OF13, 28, struct.pack("!6I", *[of.ANY] * 6))) == []
        return p.answers(of.message(of.OF13, 26))[0][3].hex()

    assert both(of.OF13, talk) == struct.pack("!6I", 7, 7, 7, 7, 0x3F, 0x3F).hex()


@pytest.mark.parametrize("version", [of.OF10, *NEW])
def test_replies_that_nobody_asked_for(both, version):
    reply = of.message(version, of.multipart_request(version) + 1, struct.pack("!HH", 3, 0) + bytes(0 if version == of.OF10 else 4))
    assert both(version, lambda p, _: p.errors(reply)) == [(1, 1)]


@pytest.mark.parametrize("version", [of.OF11, *NEW])
@pytest.mark.parametrize("kind", range(3, 11))
def test_the_set_actions_of_openflow_11(both, version, kind):
    """Later versions take them, too, and tell them as fields that are set."""
    body = b"\2\0\0\0\0\1" + bytes(6) if kind in (3, 4) else struct.pack("!I", 0x0A000001) if kind in (5, 6) else (
        b"\x20" if kind == 7 else b"\1" if kind == 8 else b"\0\7").ljust(4, b"\0")
    action = struct.pack("!HH", kind, 4 + len(body)) + body
    tcp = of.oxm(5, b"\x08\0") + of.oxm(10, b"\6")
    match11 = struct.pack("!HHII", 0, 88, 0, 0x3FF & ~(1 << 3) & ~(1 << 5)) + bytes(6) + b"\xff" * 6 + bytes(6) + b"\xff" * 6
    match11 += struct.pack("!HBxHBB", 0, 0, 0x800, 0, 6) + (bytes(4) + b"\xff" * 4) * 2 + bytes(20) + b"\xff" * 8

    def talk(p, sw):
        message = of.flow_mod(version, action, fields=tcp)
        if version == of.OF11:
            message = of.message(version, of.FLOW_MOD, message[8:48] + match11 + message[64:])
        return p.errors(message), sw.flows("br0")

    errors, seen = both(version, talk)
    assert errors == [] and len(seen) == 1 and ("load:" if kind == 8 else "mod_") in seen[0]


@pytest.mark.parametrize("version", NEW)
@pytest.mark.parametrize("kind, value, told", [(1, b"\0\7\0\0", "mod_vlan_vid:7"), (2, b"\3\0\0\0", "mod_vlan_pcp:3"),
                                               (13, struct.pack("!I", 99), "mpls_label"), (14, b"\5\0\0\0", "mpls_tc")])
def test_tags_and_labels_of_openflow_11(both, version, kind, value, told):
    """The same where there is a tag or a label, and an error where there is none."""
    action = struct.pack("!HH", kind, 8) + value
    there = of.oxm(6, b"\x10\5") if kind < 13 else of.oxm(5, b"\x88\x47")

    def talk(p, sw):
        return p.errors(of.flow_mod(version, action)), p.errors(of.flow_mod(version, action, fields=there)), sw.flows("br0")

    without, errors, seen = both(version, talk)
    assert without == [(2, 10)] and errors == [] and len(seen) == 1 and told in seen[0]


@pytest.mark.parametrize("group, errors", [(0xFFFFFFFF, []), (0xFFFFFF01, []), (7, []), (0xFFFFFFFC, [])])
def test_deletes_of_groups_that_are_not_there(both, group, errors):
    assert both(of.OF13, lambda p, _: p.errors(of.message(of.OF13, 15, struct.pack("!HBxI", 2, 0, group)))) == errors
