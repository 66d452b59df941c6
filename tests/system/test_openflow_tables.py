# SPDX-License-Identifier: Apache-2.0
"""Room in flow tables (OpenFlow 1.4's vacancy events) and what older versions say of tables and ports.

The same bytes come from genuine Open vSwitch 3.1 (SWITCH_KIND=ovs)."""
import struct

import pytest

import openflow as of

TABLE_STATUS, TABLE_DESC = 31, 14
DOWN, UP = 3, 4
OF11, OF12 = 2, 3


@pytest.fixture
def br(make_hermetic):
    sw = make_hermetic()
    sw.add_bridge("br0", "fail_mode=secure")
    sw.add_ports("br0", "p1")
    sw.vsctl("--", "--id=@t", "create", "Flow_Table", "flow_limit=10", "--", "set", "Bridge", "br0",
             "flow_tables:1=@t")
    return sw


def table_mod(table, config, *vacancy):
    body = struct.pack("!B3xI", table, config)
    if vacancy:
        body += struct.pack("!HHBBBx", 3, 8, *vacancy)
    return of.message(of.OF14, 17, body)


def desc(table, config, *vacancy):
    body = struct.pack("!BxIHHI", table, config, 2, 8, 7)
    if vacancy:
        body += struct.pack("!HHBBBx", 3, 8, *vacancy)
    return struct.pack("!H", len(body) + 2) + body


def flow(priority, command=0):
    return of.flow_mod(of.OF14, table=1, priority=priority, command=command, hard=100)


@pytest.fixture
def peer(br):
    p = of.Peer(br.dir + "/br0.mgmt", of.OF14)
    # Nobody is told of tables who does not ask.
    assert p.errors(of.message(of.OF14, 28, struct.pack("!HHIHHI", 9, 8, 0x18, 8, 8, 0x18))) == []
    yield p
    p.close()


def events(peer, *messages):
    return [m[3] for m in peer.answers(*messages) if m[1] == TABLE_STATUS]


@pytest.mark.rootless
def test_vacancy_events(peer):
    assert peer.errors(table_mod(1, 8, 20, 80, 0)) == []
    for i in range(8):
        assert events(peer, flow(i)) == []
    assert events(peer, flow(8)) == [struct.pack("!B7x", DOWN) + desc(1, 8, 20, 80, 10)]
    assert events(peer, flow(9)) == []  # Once is enough,
    assert events(peer, flow(9, 4), flow(8, 4), flow(9), flow(8)) == []  # until there was room in between.
    for i in range(1, 9):
        assert events(peer, flow(i, 4)) == []
    assert events(peer, flow(9, 4)) == [struct.pack("!B7x", UP) + desc(1, 8, 20, 80, 90)]
    assert events(peer, flow(0, 4)) == []


@pytest.mark.rootless
def test_vacancy_events_of_those_who_ask(br, peer):
    other = of.Peer(br.dir + "/br0.mgmt", of.OF14)
    older = of.Peer(br.dir + "/br0.mgmt", of.OF13)
    assert peer.errors(table_mod(1, 8, 20, 80, 0)) == []
    assert len(events(peer, *[flow(i) for i in range(10)])) == 1
    assert events(other) == [] and events(older) == []
    assert peer.errors(table_mod(1, 0)) == []
    assert events(peer, *[flow(i, 4) for i in range(10)]) == []
    other.close()
    older.close()


@pytest.mark.rootless
def test_table_desc_and_bad_vacancy(br, peer):
    def tables():
        return peer.answers(of.multipart(of.OF14, TABLE_DESC))[0][3][8:]

    assert tables().startswith(desc(0, 0) + desc(1, 0))
    assert peer.errors(table_mod(1, 8, 20, 80, 5)) == [(14, 2)]  # vacancy is the switch's
    assert peer.errors(table_mod(1, 8, 80, 20, 0)) == [(14, 2)]
    assert peer.errors(table_mod(1, 8, 20, 101, 0)) == [(14, 2)]
    assert tables().startswith(desc(0, 0) + desc(1, 0))
    assert peer.errors(table_mod(1, 12, 20, 80, 0)) == []
    assert tables().startswith(desc(0, 0) + desc(1, 12, 20, 80, 100))
    br.ofctl("-O", "OpenFlow14", "mod-table", "br0", "1", "noevict")
    text = br.ofctl("-O", "OpenFlow14", "dump-table-desc", "br0")
    assert ("table 1:\n   eviction=off eviction_flags=OTHER|IMPORTANCE|LIFETIME\n"
            "   vacancy=on vacancy_down=20% vacancy_up=80% vacancy=100%\n") in text
    assert peer.errors(table_mod(255, 8, 10, 20, 0)) == []
    assert tables().startswith(desc(0, 8, 10, 20, 100) + desc(1, 8, 10, 20, 100))


@pytest.mark.rootless
@pytest.mark.parametrize("version, bits", [
    (OF11, "0000fbff" * 2 + "0000003e" + "01ffe7ff" * 2),
    (OF12, "0000101ffffffffd" * 2 + "03ff8001" * 2 + "0000000ffffffbdd" * 2 + "f" * 32 + "0000003e"),
])
def test_what_tables_can_in_old_versions(br, version, bits):
    p = of.Peer(br.dir + "/br0.mgmt", version)
    body = p.answers(of.multipart(version, 3))[0][3][8:]
    size = 40 + len(bits) // 2 + 4 + 8 + 16
    assert len(body) % size == 0
    first = body[:size]
    assert first[0] == 0 and first[40:40 + len(bits) // 2].hex() == bits
    p.close()


@pytest.mark.rootless
@pytest.mark.parametrize("version", [of.OF14, of.OF15])
def test_port_statistics_with_names_of_their_own(br, version):
    p = of.Peer(br.dir + "/br0.mgmt", version)
    body = p.answers(of.multipart(version, 4, struct.pack("!I4x", 1)))[0][3][8:]
    assert struct.unpack("!H", body[:2])[0] == len(body)
    props, rest = [], body[80:]
    while rest:
        size = struct.unpack("!H", rest[2:4])[0]
        props.append(rest[:size])
        rest = rest[size + -size % 8:]
    rfc2819, custom = struct.pack("!HHII4x", 0xFFFF, 184, 0xAA01, 1), struct.pack("!HHIIHH", 0xFFFF, 156, 0xAA01, 2, 0, 6)
    assert props[0][:4] == struct.pack("!HH", 0, 40) and props[1] == rfc2819 + b"\xff" * 168
    assert props[2] == custom + b"".join(
        bytes([len(n)]) + n.encode() + bytes(8) for n in ("rx_custom_packets_1", "rx_custom_packets_2", "rx_q0_bytes",
                                                          "rx_q0_packets", "tx_q0_bytes", "tx_q0_packets"))
    assert "CUSTOM Statistics" in br.ofctl("-O", "OpenFlow%d" % (10 + version - 1), "dump-ports", "br0", "p1")
    p.close()


@pytest.mark.rootless
def test_patch_ports_count_packets_only(br):
    br.add_bridge("br1")
    for port, bridge, to in (("pa", "br0", "pb"), ("pb", "br1", "pa")):
        br.vsctl("add-port", bridge, port, "--", "set", "Interface", port, "type=patch", "options:peer=" + to)
    assert "drop=?, errs=?, frame=?" in br.ofctl("dump-ports", "br0", "pa")
