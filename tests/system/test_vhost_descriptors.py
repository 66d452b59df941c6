# SPDX-License-Identifier: Apache-2.0
"""Descriptors that come with messages: whatever the message, none stays open in the daemon or a relay."""
import contextlib
import os
import socket
import struct

import pytest

import vhost_frontend as vf
from switchlib import wait_for
from test_vhost_protocol import add_server, begin, drivers  # noqa: F401
from test_vhost_relay import relays
from vhost_frontend import Driver, Frontend

RELAY = pytest.mark.parametrize("relay", (True, False), ids=("relay", "no-relay"))
REQUESTS = range(45)  # those of vhost-user.rst, and some more
# Times of asking, 20 ms apart: the library looks once a second whether it can connect to a relay.  What is open while
# it does not is less than what is open ever after.
STEADY = 75
SIZES = (0, 8, 20, 40, 400)  # of payloads; one fits most messages, the last one fits none


def n_open(sw):
    return sum(len(os.listdir("/proc/%d/fd" % pid)) for pid in [sw.pid] + relays(sw))


def at_rest(sw):
    """What is open once nothing comes or goes: relay and library find together again after a front-end."""
    seen = []

    def is_steady():
        seen.append(n_open(sw))
        return len(seen) >= STEADY and len(set(seen[-STEADY:])) == 1
    wait_for(is_steady, 20, "descriptors that neither come nor go")
    return seen[-1]


def say_goodbye(fe):
    """All that was sent has been read when the other side is gone, too."""
    try:
        fe.s.shutdown(socket.SHUT_WR)
        while fe.s.recv(4096):
            pass
    except OSError:
        pass
    fe.close()


def start(sw, relay, *config):
    begin(sw, "other_config:vhost-relay=%s" % str(relay).lower(), *config)
    path = add_server(sw, "h")
    say_goodbye(Frontend(path))
    return path


@RELAY
def test_messages_of_all_kinds(sw, relay):
    """Sizes and numbers of descriptors that fit and that do not, each three times."""
    path = start(sw, relay)
    before = at_rest(sw)
    fd = os.memfd_create("file")
    os.ftruncate(fd, 8192)
    for request in REQUESTS:
        for size in SIZES:
            # Rings of numbers that there are, and of such that there cannot be.
            payload = struct.pack("<II", 1, 0).ljust(size, b"\xff")[:size]
            for n_fds in (1, 2, 9):
                # Most end the connection unless there is to be an answer.
                for flags in (1, vf.NEED_REPLY):
                    fe = Frontend(path)
                    for _ in range(3):
                        fe.send(request, payload, [fd] * n_fds, flags=flags)
                    say_goodbye(fe)
        assert n_open(sw) < before + 20, "after request %d" % request
    os.close(fd)
    wait_for(lambda: n_open(sw) <= before, 20, "what was sent to be closed")


@RELAY
def test_rings_that_cannot_be(sw, relay):
    path = start(sw, relay)
    before = at_rest(sw)
    fd = os.memfd_create("file")
    for request in (vf.SET_VRING_NUM, vf.SET_VRING_BASE, vf.SET_VRING_ADDR, vf.SET_VRING_ENABLE,
                    vf.SET_INFLIGHT_FD):
        for _ in range(10):
            fe = Frontend(path)
            fe.send(request, struct.pack("<IIQHH", 999, 0, 0, 999, 0).ljust(40, b"\xff"), [fd])
            say_goodbye(fe)
    os.close(fd)
    wait_for(lambda: n_open(sw) <= before, 20, "what was sent to be closed")


@RELAY
def test_descriptors_that_take_the_place_of_others(sw, drivers, relay):  # noqa: F811
    """Of a connection that lasts: the last one of each kind is kept."""
    path = start(sw, relay)
    before = at_rest(sw)
    d = Driver(path, features=(vf.LOG_ALL,))
    drivers.append(d)
    wait_for(lambda: sw.get("Interface", "h", "link_state") == "up", 20, "the link")
    running = n_open(sw)
    table = d.memory_table([(0, d.size, d.fd)])
    event, channels = os.eventfd(0), socket.socketpair()
    messages = [(request, struct.pack("<Q", ring), [event]) for ring in (0, 1)
                for request in (vf.SET_VRING_CALL, vf.SET_VRING_ERR, vf.SET_VRING_KICK)]
    messages += [(vf.SET_LOG_FD, b"", [d.fd]),
                 (vf.SET_BACKEND_REQ_FD, b"", [channels[0].fileno()]),
                 (vf.SET_LOG_BASE, struct.pack("<QQ", 4096, 0), [d.fd]), (vf.SET_MEM_TABLE, *table)]
    for message in messages:
        for _ in range(20):
            # A log may be refused, or be answered twice: that it was read counts.
            d.fe.ask(*message, flags=vf.NEED_REPLY)
    # A few of each in daemon and relay.
    assert n_open(sw) < running + 3 * len(messages)
    drivers.remove(d)
    d.close()
    os.close(event)
    for channel in channels:
        channel.close()
    wait_for(lambda: n_open(sw) <= before, 20, "what was sent to be closed")


@pytest.fixture
def lingering():
    """Makes TCP connections whose last close waits for an hour: nobody reads what is sent."""
    made = []

    def make():
        with socket.socket() as listener, socket.socket() as s:
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
            s.connect(listener.getsockname())
            made.append(listener.accept()[0])
            s.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    s.send(bytes(65536))
            s.setblocking(True)
            return s.detach()
    yield make
    for s in made:
        s.close()


def give(fe, request, fds):
    """Sent by a process that ends with it: who ends does not wait, as who closes would."""
    go, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(told)
        os.read(go, 1)
        fe.send(request, struct.pack("<Q", 0), fds)
        os._exit(0)
    for fd in fds + [go, told]:
        os.close(fd)
    os.waitpid(pid, 0)


def is_over(fe):
    try:
        return fe.s.recv(1000) == b""
    except ConnectionResetError:
        return True


def in_a_stream(lingering):
    """In the queue of a socket of AF_UNIX, which closes it with itself."""
    ours, theirs = socket.socketpair()
    fd = lingering()
    socket.send_fds(ours, [b"x"], [fd])
    os.close(fd)  # not the last one
    ours.close()
    return theirs.detach()


@RELAY
@pytest.mark.parametrize("request_", (vf.SET_VRING_CALL, vf.SET_VRING_KICK, vf.SET_BACKEND_REQ_FD, vf.SET_LOG_FD,
                                      vf.GET_FEATURES),
                         ids=("call", "kick", "channel", "log", "unwanted"))
def test_a_socket_whose_close_waits(sw, drivers, lingering, request_, relay):  # noqa: F811
    """The library's thread, which would close it, serves all ports."""
    path = start(sw, relay)
    for attempt in range(4):
        try:
            fe = Frontend(path)
        except OSError:
            assert relay and attempt  # its own relay may hang
            break
        fe.s.settimeout(1 if relay and attempt else 20)
        # The ninth is one more than anybody takes.
        give(fe, request_, [os.eventfd(0) for _ in range(8 * (attempt % 2))] + [lingering()])
        try:
            assert is_over(fe)
        except TimeoutError:
            assert relay and attempt
        fe.close()
    drivers.append(Driver(add_server(sw, "g")))
    wait_for(lambda: sw.get("Interface", "g", "link_state") == "up", 20, "the link of another")
    sw.vsctl("del-port", "h")
    sw.stop()


@RELAY
def test_a_stream_with_such_a_socket_in_it(sw, drivers, lingering, relay):  # noqa: F811
    path = start(sw, relay)
    fe = Frontend(path)
    for request in (vf.SET_BACKEND_REQ_FD, vf.SET_VRING_CALL, vf.SET_BACKEND_REQ_FD):
        with contextlib.suppress(OSError):
            give(fe, request, [in_a_stream(lingering)])
    with contextlib.suppress(OSError):
        fe.send(vf.SET_BACKEND_REQ_FD, b"", [])
    drivers.append(Driver(add_server(sw, "g")))
    wait_for(lambda: sw.get("Interface", "g", "link_state") == "up", 20, "the link of another")
    fe.close()
    drivers.append(Driver(add_server(sw, "i")))
    wait_for(lambda: sw.get("Interface", "i", "link_state") == "up", 20, "the link of another")


@RELAY
@pytest.mark.parametrize("request_, kind", (
    (vf.SET_VRING_CALL, "memory"), (vf.SET_VRING_KICK, "stream"), (vf.SET_VRING_CALL, "datagrams"),
    (vf.SET_VRING_ERR, "terminal"), (vf.SET_MEM_TABLE, "device"), (vf.SET_MEM_TABLE, "folder"),
    (vf.SET_BACKEND_REQ_FD, "memory"), (vf.SET_OWNER, "stream")))
def test_kinds_that_a_message_may_not_carry(sw, request_, kind, relay):
    """The inspector does not know whose they are, and takes what some message may carry."""
    if not relay and kind in ("memory", "stream"):
        pytest.skip("carried by other messages")
    path = start(sw, relay)
    fds = {"memory": lambda: [os.memfd_create("x")],
           "stream": lambda: [s.detach() for s in socket.socketpair()],
           "datagrams": lambda: [s.detach() for s in socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)],
           "terminal": lambda: list(os.openpty()),
           "device": lambda: [os.open(os.devnull, os.O_RDWR)],
           "folder": lambda: [os.open("/tmp", os.O_RDONLY)]}[kind]()
    fe = Frontend(path)
    fe.send(request_, struct.pack("<Q", 0), [fds[-1]])
    assert is_over(fe)
    fe.close()
    for fd in fds:
        os.close(fd)

    def logged():
        with open(sw.log) as f:
            return "of a kind that its message may not carry" in f.read()
    wait_for(logged, 20, "a line in the log")


@RELAY
def test_who_was_not_to_listen(sw, relay):
    """Told to listen, the library would answer a memory table with addresses of ours, and keep all
    other ports waiting for the confirmation."""
    path = start(sw, relay)
    fd = os.memfd_create("guest")
    os.ftruncate(fd, 1 << 20)
    fe = Frontend(path)
    fe.send(vf.SET_OWNER)
    fe.send(vf.POSTCOPY_LISTEN)
    fe.send(vf.SET_MEM_TABLE, struct.pack("<IIQQQQ", 1, 0, 0, 1 << 20, vf.USER, 0), [fd])
    os.close(fd)
    try:
        assert fe.s.recv(1000) == b""
    except ConnectionResetError:
        pass
    other = Frontend(add_server(sw, "g"))
    assert other.ask(vf.GET_FEATURES)
    other.close()
    fe.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="userfaultfd needs root")
@pytest.mark.parametrize("offered", (True, False), ids=("offered", "not-offered"))
def test_postcopy_begins_once(sw, offered):
    """Each beginning would be another userfaultfd; where it is not offered it does not begin."""
    begin(sw, "other_config:vhost-relay=false",
          "other_config:vhost-postcopy-support=%s" % str(offered).lower())
    path = sw.dir + "/h.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(20)
        sw.vsctl("add-port", "br0", "h", "--", "set", "Interface", "h", "type=dpdkvhostuserclient",
                 "options:vhost-server-path=" + path)
        fe = Frontend(None, listener.accept()[0])
    fe.ask(vf.GET_FEATURES)
    before = at_rest(sw)

    def advise():
        """Whether there came a userfaultfd."""
        fe.send(vf.POSTCOPY_ADVISE, flags=vf.NEED_REPLY)
        _, fds, _, _ = socket.recv_fds(fe.s, 100, 1)
        for fd in fds:
            os.close(fd)
        return len(fds) == 1

    assert [advise() for _ in range(4)] == [offered, False, False, False]
    assert n_open(sw) == before + offered
    if offered:
        assert fe.ask(vf.POSTCOPY_END, flags=vf.NEED_REPLY) == 0
        assert advise() and n_open(sw) == before + 1
    fe.close()
