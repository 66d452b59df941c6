# SPDX-License-Identifier: Apache-2.0
"""Descriptors that come with messages: whatever the message, none stays open in the daemon or a relay."""
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
    messages = [(request, struct.pack("<Q", ring), [d.fd]) for ring in (0, 1)
                for request in (vf.SET_VRING_CALL, vf.SET_VRING_ERR, vf.SET_VRING_KICK)]
    messages += [(vf.SET_LOG_FD, b"", [d.fd]), (vf.SET_BACKEND_REQ_FD, b"", [d.fd]),
                 (vf.SET_LOG_BASE, struct.pack("<QQ", 4096, 0), [d.fd]), (vf.SET_MEM_TABLE, *table)]
    for message in messages:
        for _ in range(20):
            # A log may be refused, or be answered twice: that it was read counts.
            d.fe.ask(*message, flags=vf.NEED_REPLY)
    # A few of each in daemon and relay.
    assert n_open(sw) < running + 3 * len(messages)
    drivers.remove(d)
    d.close()
    wait_for(lambda: n_open(sw) <= before, 20, "what was sent to be closed")


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
