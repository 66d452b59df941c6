# SPDX-License-Identifier: Apache-2.0
"""Greetings of controllers, from plain to bent: which version comes of it, or which error, compared with genuine
Open vSwitch."""
import socket
import struct

import pytest

import openflow as of
from switchlib import hermetic_pair

pytestmark = pytest.mark.rootless

BITMAP = 1


def element(kind, body, pad=True):
    data = struct.pack("!HH", kind, 4 + len(body)) + body
    return data + bytes(-len(data) % 8 if pad else 0)


def versions(*numbers, words=()):
    return struct.pack("!I", sum(1 << n for n in numbers)) + b"".join(struct.pack("!I", w) for w in words)


# (version of the header, body)
HELLOS = {
    "plain": [(v, b"") for v in (1, 2, 3, 4, 5, 6, 7, 30, 31, 32, 255)],
    "bitmap": [(6, element(BITMAP, versions(*v))) for v in ((1,), (4,), (1, 4), (2, 3), (6,), (1, 2, 3, 4, 5, 6))],
    "bitmap above the header": [(1, element(BITMAP, versions(1, 4))), (4, element(BITMAP, versions(5, 6)))],
    "bitmap of strangers": [(6, element(BITMAP, versions(7, 8))), (6, element(BITMAP, versions(31)))],
    "version 0": [(4, element(BITMAP, versions(0))), (4, element(BITMAP, versions(0, 1)))],
    "empty bitmaps": [(4, element(BITMAP, b"")), (4, element(BITMAP, versions()))],
    "long bitmaps": [(4, element(BITMAP, versions(1, words=[w]))) for w in (0, 0xffffffff)] + [
        (5, element(BITMAP, versions(4, words=[0] * 200)))],
    "odd bitmaps": [(4, element(BITMAP, versions(1) + b"\0" * n)) for n in (1, 2, 3)] + [
        (4, element(BITMAP, b"\0\0"))],
    "not padded": [(4, element(BITMAP, versions(1, words=[0]), pad=False)), (4, element(7, b"x", pad=False))],
    "two bitmaps": [(4, element(BITMAP, versions(1)) + element(BITMAP, versions(4))),
                    (4, element(BITMAP, versions(4)) + element(BITMAP, versions(1))),
                    (4, element(BITMAP, versions(1)) + element(BITMAP, versions(9))),
                    (4, element(BITMAP, versions(1)) + element(BITMAP, b"")),
                    (4, element(BITMAP, versions(1)) + element(BITMAP, b"\0" * 6))],
    "other elements": [(4, element(0, b"")), (4, element(2, b"abcdefgh")), (4, element(0xffff, b"")),
                       (4, element(9, b"abc") + element(BITMAP, versions(1))),
                       (4, element(BITMAP, versions(1)) + element(9, b"abc"))],
    "cut": [(4, element(BITMAP, versions(1))[:n]) for n in range(1, 8)] + [
        (4, element(BITMAP, versions(1)) + b"\0" * n) for n in (1, 3, 4, 8)],
    "lengths": [(4, struct.pack("!HH", BITMAP, n) + versions(1)) for n in (0, 1, 3, 4, 5, 6, 7, 9, 12, 16, 0xffff)],
    "text": [(1, b"hello, switch"), (4, b"hello, switch")],
}


def greet(sw, version, body):
    """What comes of a hello: the versions of which a request for the features is answered, or the error."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(sw.dir + "/br0.mgmt")
    s.sendall(of.message(version, of.HELLO, body, xid=77) + b"".join(of.message(v, of.FEATURES_REQUEST, xid=v) for v in range(1, 7)) + of.message(
        4, of.ECHO_REQUEST, b"end", xid=99))
    data = b""
    while not data.endswith(b"end"):
        try:
            got = s.recv(1 << 16)
        except ConnectionError:
            break
        if not got:
            break
        data += got
    s.close()
    seen = []
    while len(data) >= 8:
        v, kind, size, xid = struct.unpack("!BBHI", data[:8])
        if kind == of.ERROR:
            code = struct.unpack("!HH", data[8:12])
            seen.append((v, "error", code, data[12:size] if code[0] == 0 else xid))
        elif kind == of.FEATURES_REPLY:
            seen.append((v, "features", xid))
        data = data[size:]
    return seen


@pytest.fixture(scope="module")
def pair():
    def prepare(sw):
        sw.add_bridge("br0", "fail_mode=secure")

    yield from hermetic_pair(prepare)


def only(pair, *protocols):
    for sw in pair:
        sw.vsctl("set", "bridge", "br0", "protocols=[%s]" % ",".join(protocols))


@pytest.mark.parametrize("name", HELLOS)
@pytest.mark.parametrize("protocols", [(), ("OpenFlow10", "OpenFlow13"), ("OpenFlow14",)])
def test_what_comes_of_a_hello(pair, name, protocols):
    only(pair, *protocols)
    ours, theirs = ([greet(sw, v, body) for v, body in HELLOS[name]] for sw in pair)
    assert ours == theirs


def test_the_last_sound_bitmap_counts(pair):
    only(pair)
    body = element(9, b"?") + element(BITMAP, versions(4)) + element(BITMAP, versions(1, 3)) + element(BITMAP, b"")
    assert (3, "features", 3) in greet(pair[0], 4, body)


def test_no_version_at_all(pair):
    only(pair)
    assert greet(pair[0], 0, b"") == [(1, "error", (0, 0), b"We support version 0x06 and earlier, you support no version, "
                                       b"no common versions.")]


def test_hellos_later_on(pair):
    """They are errors, and the version stays."""
    only(pair)
    answers = []
    for sw in pair:
        p = of.Peer(sw.dir + "/br0.mgmt", of.OF13)
        answers.append([p.errors(of.message(v, of.HELLO, body)) for hellos in HELLOS.values() for v, body in hellos])
        assert p.answers(of.message(of.OF13, of.FEATURES_REQUEST))[0][:2] == (of.OF13, of.FEATURES_REPLY)
        p.close()
    assert answers[0] == answers[1]
