# SPDX-License-Identifier: Apache-2.0
"""The relay's program by itself: the tests are its switch, the vhost library and the front-end."""
import fcntl
import os
import select
import socket
import struct
import tempfile
import time

import pytest

import vhost_frontend as vf
from switchlib import SLUICED, wait_for
from vhost_frontend import Frontend

PROGRAM = os.path.dirname(os.path.abspath(SLUICED)) + "/relay/sluice-vhost-relay"
SOON_S = 20


def listening(kind, path):
    s = socket.socket(socket.AF_UNIX, kind)
    s.bind(path)
    s.listen(4)
    return s


def start_relay(control_path, inner_path, outer_path, kind="server"):
    """The program with its sockets, as a switch starts it; returns the switch's end of the first."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    inherited = [theirs, listening(socket.SOCK_SEQPACKET, control_path),
                 listening(socket.SOCK_STREAM, inner_path),
                 listening(socket.SOCK_STREAM, outer_path) if kind == "server" else socket.socket()]
    high = [fcntl.fcntl(s, fcntl.F_DUPFD_CLOEXEC, 3 + len(inherited)) for s in inherited]
    os.waitpid(os.posix_spawn(PROGRAM, ["sluice-vhost-relay", control_path, inner_path, kind], {},
                              file_actions=[(os.POSIX_SPAWN_DUP2, fd, 3 + i)
                                            for i, fd in enumerate(high)]), 0)
    for fd in high:
        os.close(fd)
    for s in inherited:
        s.close()
    return ours


def read_all(s, size):
    data = b""
    while len(data) < size:
        more = s.recv(size - len(data))
        assert more
        data += more
    return data


class Relay:
    """A relay, with a switch and a library that do what a test has them do.  Of a server port it has
    a front-end, of a client port it calls for one."""

    def __init__(self, kind="server"):
        self.dir = tempfile.TemporaryDirectory(prefix="sluice-test-")
        self.outer = self.dir.name + "/v0"
        os.mkdir(self.dir.name + "/vhost-relay")
        self.paths = [self.dir.name + "/vhost-relay/v0." + end for end in ("ctl", "vhu")]
        self.control = start_relay(*self.paths, self.outer, kind)
        self.library = None
        self.come()
        self.fe = Frontend(self.outer) if kind == "server" else None

    def come(self):
        """The switch is there, and its library connects."""
        if self.control is None:
            self.control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.control.connect(self.paths[0])
        self.control.send(b"A" + self.outer.encode())
        self.library = socket.socket(socket.AF_UNIX)
        self.library.connect(self.paths[1])
        self.library.settimeout(SOON_S)

    def die(self):
        for s in (self.control, self.library):
            s.close()
        self.control = None

    def await_call(self):
        """It has the switch try to connect to the front-end."""
        self.control.settimeout(SOON_S)
        message = None
        while message != b"C":
            message = self.control.recv(256)
            assert message

    def connect(self, tells=True):
        """The switch answers the call."""
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        socket.send_fds(self.control, [b"O"], [theirs.fileno()])
        theirs.close()
        if tells:
            self.tell_closed()
        self.fe = Frontend(None, ours)

    def tell_closed(self):
        """The switch no longer has that connection."""
        self.control.send(b"A" + self.outer.encode())

    def take(self):
        """The library reads one request: its number."""
        request, _, size = struct.unpack("<III", read_all(self.library, 12))
        read_all(self.library, size)
        return request

    def answer(self, request, payload=struct.pack("<Q", 0)):
        self.library.send(struct.pack("<III", request, 5, len(payload)) + payload)

    def pass_on(self, request):
        """What the front-end says reaches the library."""
        self.fe.send(request)
        assert self.take() == request

    def die_and_come(self):
        self.die()
        self.come()

    def spares_the_next(self):
        """The switch that comes now does not hear of the front-end."""
        self.die_and_come()
        assert self.library.recv(1) == b"" and not self.front_end_is_there()

    def take_replay(self):
        """Answers until the replay is over: with the second question for features."""
        for _ in range(2):
            while self.take() != vf.GET_FEATURES:
                pass
            self.answer(vf.GET_FEATURES)

    def front_end_is_there(self):
        readable = select.select([self.fe.s], [], [], 0)[0]
        return not readable or self.fe.s.recv(1, socket.MSG_PEEK) != b""

    def close(self):
        if self.control is not None:
            self.control.close()
        self.library.close()
        if self.fe is not None:
            self.fe.close()
        wait_for(lambda: not os.path.exists(self.paths[0]), SOON_S, "the relay to end")
        assert not os.path.exists(self.outer) and os.listdir(self.dir.name) == []
        self.dir.cleanup()


@pytest.fixture
def relay():
    r = Relay()
    yield r
    r.close()


@pytest.fixture
def caller():
    r = Relay("client")
    yield r
    r.close()


def test_a_call_that_is_not_answered(caller):
    """It is made again; an answer that comes late is as good."""
    caller.await_call()
    caller.await_call()
    caller.connect()
    caller.pass_on(vf.SET_OWNER)


def test_a_connection_that_the_switch_still_has(caller):
    """The last one that closes it closes what waits in it: until that is the relay it does nothing with it."""
    caller.await_call()
    caller.connect(tells=False)
    caller.fe.send(vf.GET_FEATURES)
    assert not select.select([caller.library], [], [], 0.3)[0]
    caller.tell_closed()
    assert caller.take() == vf.GET_FEATURES


def test_a_late_connection_that_the_switch_still_has(caller):
    """The library has gone meanwhile: it is closed once the switch no longer has it."""
    caller.await_call()
    caller.library.shutdown(socket.SHUT_WR)
    assert caller.library.recv(1) == b""
    caller.connect(tells=False)
    assert not select.select([caller.fe.s], [], [], 0.3)[0]
    caller.tell_closed()
    assert select.select([caller.fe.s], [], [], SOON_S)[0]
    assert caller.fe.s.recv(1) == b""


def test_calls_become_rare(caller):
    """The pauses between them grow, to 1.5 s for these four; they are made again for the next
    library."""
    caller.await_call()
    start = time.monotonic()
    for _ in range(4):
        caller.control.send(b"O")
        caller.await_call()
    assert time.monotonic() - start > 0.8
    caller.connect()
    caller.pass_on(vf.SET_OWNER)
    caller.fe.close()
    assert caller.library.recv(1) == b""
    caller.library.close()
    caller.come()
    caller.await_call()


def test_a_record_that_kills_each_switch(relay):
    """Three replays that are not survived: the fourth switch is spared."""
    relay.pass_on(vf.SET_OWNER)
    for _ in range(3):
        relay.die_and_come()
        assert relay.take() == vf.GET_FEATURES and relay.front_end_is_there()
    relay.spares_the_next()


def test_a_question_that_hangs_each_switch(relay):
    """However long it takes until the watchdog ends one."""
    relay.pass_on(vf.GET_QUEUE_NUM)
    for _ in range(3):
        relay.die_and_come()
        relay.take_replay()
        assert relay.take() == vf.GET_QUEUE_NUM and relay.front_end_is_there()
        time.sleep(1.1)
    relay.spares_the_next()


def test_a_switch_that_needs_long_for_its_answers(relay):
    """Its library has one thread for all guests that come at the same time, and no processor for itself."""
    relay.pass_on(vf.SET_OWNER)
    relay.die_and_come()
    assert relay.take() == vf.GET_FEATURES
    time.sleep(0.8)
    relay.answer(vf.GET_FEATURES)
    assert relay.take() == vf.SET_OWNER and relay.take() == vf.GET_FEATURES
    time.sleep(0.8)
    relay.answer(vf.GET_FEATURES)
    relay.pass_on(vf.SET_OWNER)
    assert relay.front_end_is_there()


def test_a_record_that_hangs_each_switch(relay):
    """Three replays that get no answer: the fourth switch is spared, however long each was waited for."""
    relay.pass_on(vf.SET_OWNER)
    for _ in range(3):
        relay.die_and_come()
        assert relay.take() == vf.GET_FEATURES
        assert relay.library.recv(1) == b"" and relay.front_end_is_there()
    relay.spares_the_next()


def test_switches_that_die_of_something_else(relay):
    """One that lived for long after a replay does not count against the front-end."""
    relay.pass_on(vf.SET_OWNER)
    for i in range(4):
        relay.die_and_come()
        relay.take_replay()
        if i == 2:
            time.sleep(1.1)
    relay.pass_on(vf.GET_QUEUE_NUM)
    assert relay.front_end_is_there()


def test_a_memory_table_that_nobody_confirms(relay):
    """During postcopy the library's thread for all ports waits for it: not for long."""
    relay.pass_on(vf.POSTCOPY_ADVISE)
    relay.answer(vf.POSTCOPY_ADVISE)
    relay.fe.send(vf.SET_MEM_TABLE, bytes(8))
    assert relay.take() == vf.SET_MEM_TABLE
    relay.answer(vf.SET_MEM_TABLE, bytes(40))
    read_all(relay.fe.s, 20 + 52)
    assert relay.front_end_is_there()
    assert relay.library.recv(1) == b""  # what it waits for has failed
    assert not relay.front_end_is_there()


def status_of(relay):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid) as f:
                if f.read().split("\0")[1:2] != relay.paths[:1]:
                    continue
            with open("/proc/%s/status" % pid) as f:
                return dict(line.split() for line in f if len(line.split()) == 2)
        except OSError:
            continue
    raise AssertionError("no relay")


def test_it_has_no_privileges(relay):
    # Nothing that a front-end sends is read before.
    relay.pass_on(vf.SET_OWNER)
    status = status_of(relay)
    for name in ("CapPrm", "CapEff", "CapInh", "CapBnd", "CapAmb"):
        assert int(status[name + ":"], 16) == 0
    assert status["NoNewPrivs:"] == "1"
    with open(PROGRAM, "rb") as f:
        assert status["Seccomp:"] == "2" or b"libasan" in f.read()
