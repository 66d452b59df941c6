# SPDX-License-Identifier: Apache-2.0
"""other_config:tx-steering of an Interface: which of a guest's queues frames go to."""
import struct

import vhost_frontend as vf
from switchlib import wait_for
from test_vhost_protocol import begin, connect, drivers, ether  # noqa: F401

N = 64  # connections
PAIRS = 4


def udp(port):
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 48, 0, 0, 64, 17, 0, b"\x0a\0\0\1", b"\x0a\0\0\2")
    return ether(dst=b"\2\0\0\0\0\2", kind=0x0800,
                 payload=ip + struct.pack(">HHHH", port, 53, 28, 0) + bytes(20))


def queues_of(sender, receiver, rounds=3):
    """To which queues the frames of each connection came."""
    seen = {port: set() for port in range(N)}
    n = 0
    for _ in range(rounds):
        sender.send(*[udp(port) for port in range(N)])

        def all_came():
            nonlocal n
            for q in range(PAIRS):
                for _, frame in receiver.receive(q):
                    if frame[12:14] == b"\x08\0":
                        seen[struct.unpack_from(">H", frame, 34)[0]].add(q)
                        n += 1
            return n >= N

        wait_for(all_came, 20, "the frames")
        n = 0
    return seen


def test_connections_are_spread_over_the_guests_queues(sw, drivers):  # noqa: F811
    begin(sw)
    a = connect(sw, drivers, "a")
    b = connect(sw, drivers, "b", features=(vf.MQ,), pairs=PAIRS)
    wait_for(lambda: 'n_rxq="4"' in sw.get("Interface", "b", "status"), 20, "four queues")
    # One thread polls a: it has one queue, whatever it sends.
    by_thread = queues_of(a, b)
    assert len(set.union(*by_thread.values())) == 1
    sw.vsctl("set", "Interface", "b", "other_config:tx-steering=hash")
    by_hash = queues_of(a, b)
    assert all(len(queues) == 1 for queues in by_hash.values())
    assert set.union(*by_hash.values()) == set(range(PAIRS))
    # Only to those that are on.
    for ring in (2, 3, 6, 7):
        b.enable(ring, False)
    b.fe.ask(vf.GET_FEATURES)
    for q in range(PAIRS):
        b.receive(q)
    by_hash = queues_of(a, b)
    assert all(len(queues) == 1 for queues in by_hash.values())
    assert set.union(*by_hash.values()) == {0, 2}
    sw.vsctl("set", "Interface", "b", "other_config:tx-steering=thread")
    assert len(set.union(*queues_of(a, b).values())) == 1
    if sw.kind == "sluice":
        with open(sw.log) as f:
            assert f.read().count("b: Tx packet steering mode has been set to") == 2
