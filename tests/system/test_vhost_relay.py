# SPDX-License-Identifier: Apache-2.0
"""The relay: a front-end's connection outlives the switch, and its rings go on where they were."""
import os
import select
import signal
import socket
import struct
import threading
import time

import pytest

import vhost_frontend as vf
from guests import Guest
from switchlib import Switch, sh, wait_for
from test_restart import SOON_S, new_worker, spare_of
from test_vhost import boot, vhost_port
from test_vhost_relay_alone import start_relay
from vhost_frontend import Driver

KIND = 0x88b5


@pytest.fixture
def made():
    """What a test makes; closed in reverse."""
    things = []
    yield things
    for thing in reversed(things):
        thing.close()


def switch(made, *args, config=()):
    sw = Switch(args=list(args))
    made.append(sw)
    sw.start()
    sw.vsctl("set", "Open_vSwitch", ".", "other_config:dpdk-init=true", *config)
    sw.add_bridge("br0")
    return sw


def add_ports(sw, made, kind="dpdkvhostuserclient", n=2, **kw):
    """'n' ports with a driver each, joined by a bridge that floods."""
    drivers = []
    for i in range(n):
        name = "v%d" % i
        path = "%s/%s" % (sw.dir, name if kind == "dpdkvhostuser" else name + ".sock")
        more = [] if kind == "dpdkvhostuser" else ["options:vhost-server-path=" + path]
        sw.vsctl("add-port", "br0", name, "--", "set", "Interface", name, "type=" + kind, *more)
        drivers.append(Driver(path, listen=kind == "dpdkvhostuserclient", **kw))
        made.append(drivers[-1])
        wait_for(lambda: sw.get("Interface", name, "link_state") == "up", SOON_S, name)
    return drivers


def frame(number, source=0):
    return b"\xff" * 6 + b"\2\0\0\0\0" + bytes([source + 1]) + struct.pack(">HI", KIND, number) \
        + bytes(46)


def numbers(got):
    return [struct.unpack_from(">I", f, 14)[0] for _, f in got
            if struct.unpack_from(">H", f, 12)[0] == KIND]


def exchange(a, b, start, n=40):
    """Frames 'start' to 'start + n' from a to b: each once.  Misses may change their order."""
    a.send(*[frame(i) for i in range(start, start + n)])
    assert sorted(numbers(b.expect(n))) == list(range(start, start + n))


def is_open(driver):
    """Whether the front-end's connection is still there."""
    readable = select.select([driver.fe.s], [], [], 0)[0]
    return not readable or driver.fe.s.recv(1, socket.MSG_PEEK) != b""


def relays(sw, port=""):
    """The relays of a switch, or of one port, by the names of their sockets."""
    pids = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid) as f:
                words = f.read().split("\0")
        except OSError:
            continue
        if words[0] == "sluice-vhost-relay" and \
                words[1].startswith("%s/vhost-relay/%s" % (sw.dir, port)):
            pids.append(int(pid))
    return pids


def restart(sw):
    sw.stop()
    sw.start()


def freeze(pid):
    """Stops a process; returns when all its threads have stopped."""
    def stopped():
        states = []
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/stat" % (pid, task)) as f:
                states.append(f.read().rsplit(")", 1)[1].split()[0])
        return set(states) == {"T"}
    os.kill(pid, signal.SIGSTOP)
    wait_for(stopped, SOON_S, "all threads to stop")


@pytest.mark.parametrize("kind", ["dpdkvhostuserclient", "dpdkvhostuser"])
def test_a_planned_restart_keeps_guests(made, kind):
    sw = switch(made)
    a, b = add_ports(sw, made, kind)
    exchange(a, b, 0)
    for turn in (1, 2):
        restart(sw)
        wait_for(lambda: sw.get("Interface", "v1", "link_state") == "up", SOON_S, "the link")
        # More than a ring has, so that indices that are wrong show.
        for i in range(20):
            exchange(a, b, 1000 * turn + 40 * i)
            exchange(b, a, 1000 * turn + 40 * i)
        assert is_open(a) and is_open(b)
    # Nothing was mended on the way: the rings were stopped where they stood.
    with open(sw.log) as f:
        assert "mismatch" not in f.read()


def test_a_killed_switch_keeps_guests(made):
    """What a guest sends meanwhile waits in its ring, and arrives once."""
    sw = switch(made, "--monitor")
    a, b = add_ports(sw, made)
    exchange(a, b, 0)
    for turn in range(3):
        old = sw.pid
        spare_of(sw)
        freeze(old)  # else it may have taken some when it dies
        a.send(*[frame(i) for i in range(1000, 1016)])
        os.kill(old, signal.SIGKILL)
        new_worker(sw, old)
        assert sorted(numbers(b.expect(16, timeout=SOON_S))) == list(range(1000, 1016))
        for i in range(20):
            exchange(a, b, 2000 + 40 * i)
            exchange(b, a, 2000 + 40 * i)
        assert is_open(a) and is_open(b)


def test_requests_meanwhile_are_answered_by_the_next_switch(made):
    sw = switch(made, "--monitor")
    a, = add_ports(sw, made, n=1)
    old = sw.pid
    spare_of(sw)
    os.kill(sw.proc.pid, signal.SIGSTOP)
    os.kill(old, signal.SIGKILL)
    a.fe.send(vf.GET_FEATURES)
    time.sleep(0.5)
    assert not select.select([a.fe.s], [], [], 0)[0]
    os.kill(sw.proc.pid, signal.SIGCONT)
    a.fe.s.settimeout(SOON_S)
    assert struct.unpack("<Q", a.fe.s.recv(20)[12:])[0] == a.offered


def test_who_stops_his_rings_meanwhile_costs_nobody_the_connection(made):
    """The next switch waits for guests while its vhost thread ends the first one's device, for which it
    waits for the switch: neither may wait for the other."""
    sw = switch(made)
    drivers = add_ports(sw, made, n=16)
    first, others = drivers[:3], drivers[3:]
    sw.stop()
    for driver in first:
        driver.fe.send(vf.GET_VRING_BASE, struct.pack("<II", 0, 0))
    sw.start()
    assert all(len(driver.fe.s.recv(20)) == 20 for driver in first)
    wait_for(lambda: all(sw.get("Interface", "v%d" % i, "link_state") == "up" for i in range(3, 16)), SOON_S,
             "the links")
    exchange(others[0], others[1], 0)
    assert all(is_open(d) for d in others)


def test_a_guest_is_let_go_when_its_port_goes(made):
    sw = switch(made)
    a, b = add_ports(sw, made)
    sw.vsctl("del-port", "br0", "v0")
    wait_for(lambda: not is_open(a), SOON_S, "the connection to close")
    wait_for(lambda: len(relays(sw)) == 1, SOON_S, "the relay to end")
    assert is_open(b)
    # The same name again, for another guest.
    path = sw.dir + "/again.sock"
    sw.vsctl("add-port", "br0", "v0", "--", "set", "Interface", "v0", "type=dpdkvhostuserclient",
             "options:vhost-server-path=" + path)
    made.append(Driver(path, listen=True))
    exchange(made[-1], b, 0)
    sw.appctl("exit", "--cleanup")
    wait_for(lambda: not is_open(b) and not relays(sw), SOON_S, "the relays to end")
    assert not os.path.exists(sw.dir + "/vhost-relay")


def test_a_switch_that_does_not_come_back_lets_its_guests_go(made):
    sw = switch(made)
    a, = add_ports(sw, made, n=1)
    start = time.monotonic()
    sw.stop()
    time.sleep(2)
    assert is_open(a)
    wait_for(lambda: not is_open(a), 30, "the connection to close")
    assert time.monotonic() - start > 8
    wait_for(lambda: not relays(sw), SOON_S, "the relay to end")


def test_another_guest_after_the_relay_was_killed(made):
    sw = switch(made)
    a, b = add_ports(sw, made, "dpdkvhostuser")
    for pid in relays(sw):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not is_open(a), SOON_S, "the connection to close")
    wait_for(lambda: len(relays(sw)) == 2, SOON_S, "other relays")
    again = [Driver(d.path) for d in (a, b)]
    made.extend(again)
    for i in (0, 1):
        wait_for(lambda: sw.get("Interface", "v%d" % i, "link_state") == "up", SOON_S, "the link")
    exchange(*again, 0)


def test_a_refused_message_ends_the_connection(made):
    """As it does without a relay; the next front-end is welcome."""
    sw = switch(made)
    a, b = add_ports(sw, made, "dpdkvhostuser")
    a.fe.send(vf.SET_VRING_NUM, struct.pack("<II", 200, 7))
    wait_for(lambda: not is_open(a), SOON_S, "the connection to close")
    assert is_open(b)
    again = Driver(a.path)
    made.append(again)
    wait_for(lambda: sw.get("Interface", "v0", "link_state") == "up", SOON_S, "the link")
    exchange(again, b, 0)


def test_half_a_message_stalls_nobody_else(made):
    sw = switch(made)
    a, b, c = add_ports(sw, made, "dpdkvhostuser", n=3)
    a.fe.s.sendall(struct.pack("<III", vf.SET_MEM_TABLE, 1, 40) + bytes(8))
    c.close()
    made.remove(c)
    wait_for(lambda: sw.get("Interface", "v2", "link_state") == "down", 1.5, "the link to go down")
    again = Driver(c.path)
    made.append(again)
    exchange(again, b, 0)


def dribbling(driver):
    """A header that promises more than comes."""
    driver.fe.s.sendall(struct.pack("<III", vf.SET_VRING_NUM, 1, 1000))


def test_halves_of_messages_hold_up_no_change_of_the_switch(made):
    """Front-ends that stall together: neither a takeover nor a stop waits for each of them."""
    sw = switch(made)
    a, b, *hostile = add_ports(sw, made, n=6)
    exchange(a, b, 0)
    for change in (sw.take_over, lambda: restart(sw)):
        for d in hostile:
            dribbling(d)
        change()
        wait_for(lambda: sw.get("Interface", "v1", "link_state") == "up", SOON_S, "the link")
        exchange(a, b, 100)
        assert all(is_open(d) for d in (a, b))
        # What is not whole within its time ends the connection; the next one is welcome.
        for i, d in enumerate(hostile):
            wait_for(lambda: not is_open(d), SOON_S, "the connection to close")
            d.close()
            made.remove(d)
            os.unlink(d.path)
            hostile[i] = Driver(d.path, listen=True)
            made.append(hostile[i])
    # Each was answered for, by its relay.
    with open(sw.log) as f:
        assert "does not answer" not in f.read()
    dribbling(hostile[0])
    sw.vsctl("del-port", "v2")
    wait_for(lambda: len(relays(sw)) == 5, SOON_S, "the relay to end")


def test_a_message_byte_by_byte_has_its_time(made):
    """The time is the message's, not a byte's."""
    sw = switch(made)
    a, b = add_ports(sw, made)
    dribbling(a)
    ended = False
    for _ in range(40):
        time.sleep(0.25)
        try:
            a.fe.s.sendall(b"x")
        except OSError:
            ended = True
            break
    assert ended and is_open(b)


def test_relays_that_hang_are_given_up_together(made):
    sw = switch(made)
    a, b, *others = add_ports(sw, made, n=4)
    stopped = relays(sw)
    try:
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        sw.stop()
        with open(sw.log) as f:
            assert f.read().count("the relay of its guest does not answer, going on") == 4
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    # The used indices in memory say where the rings are.
    sw.start()
    wait_for(lambda: sw.get("Interface", "v1", "link_state") == "up", SOON_S, "the link")
    exchange(a, b, 0)


@pytest.mark.parametrize("kind", ["dpdkvhostuserclient", "dpdkvhostuser"])
def test_a_relay_of_another_version_that_hangs(made, kind):
    """It does not hear that it is to go, and has what the port needs: the front-end's socket."""
    sw = switch(made)
    side = "s" if kind == "dpdkvhostuser" else "c"
    os.mkdir(sw.dir + "/vhost-relay", mode=0o700)
    inner = "%s/vhost-relay/v0.1%s" % (sw.dir, side)
    with start_relay(inner + ".ctl", inner, sw.dir + "/v0", {"s": "server", "c": "client"}[side]):
        old, = relays(sw)
        freeze(old)
        a, b = add_ports(sw, made, kind)
        assert old not in relays(sw)
    exchange(a, b, 0)
    assert not os.path.exists(inner) and not os.path.exists(inner + ".ctl")


@pytest.mark.parametrize("kind", ["dpdkvhostuserclient", "dpdkvhostuser"])
def test_a_relay_that_hangs_when_it_is_taken_over(made, kind):
    """It takes the next switch's connections and does nothing with them: the front-end comes anew."""
    sw = switch(made)
    a, b = add_ports(sw, made, kind)
    exchange(a, b, 0)
    old, = relays(sw, "v0.")
    sw.stop()
    freeze(old)
    sw.start()
    wait_for(lambda: old not in relays(sw, "v0.") and relays(sw, "v0."), SOON_S, "another relay")
    assert not is_open(a) and is_open(b)
    if kind == "dpdkvhostuserclient":
        os.unlink(a.path)
    again = Driver(a.path, listen=kind == "dpdkvhostuserclient")
    made.append(again)
    wait_for(lambda: sw.get("Interface", "v0", "link_state") == "up", SOON_S, "the link")
    exchange(again, b, 0)


@pytest.mark.parametrize("reads", (True, False))
def test_a_relay_that_says_nothing(made, reads):
    """One that was taken over and reads what it is told is waited for: the library may be late."""
    sw = switch(made)
    os.mkdir(sw.dir + "/vhost-relay", mode=0o700)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(sw.dir + "/vhost-relay/v0.2s.ctl")
        listener.listen(1)
        listener.settimeout(SOON_S)
        sw.vsctl("--no-wait", "add-port", "br0", "v0", "--", "set", "Interface", "v0", "type=dpdkvhostuser")
        control = listener.accept()[0]
        control.settimeout(SOON_S)
        message = b"A" + (sw.dir + "/v0").encode()
        assert control.recv(256) == message
        # In the middle of its time it is told once more.
        assert control.recv(256, socket.MSG_PEEK) == message
        if reads:
            assert control.recv(256) == message
        silence = select.poll()
        silence.register(control, select.POLLRDHUP)
        # The other half takes 2.5 s.
        assert bool(silence.poll(1000 * (5 if reads else SOON_S))) != reads
        control.close()
    wait_for(lambda: relays(sw, "v0."), SOON_S, "another relay")


def test_a_port_goes_although_its_relay_hangs(made):
    sw = switch(made)
    a, b = add_ports(sw, made, "dpdkvhostuser")
    pid, = relays(sw, "v0.")
    freeze(pid)
    sw.vsctl("del-port", "v0")
    assert relays(sw, "v0.") == [] and not is_open(a)
    sw.vsctl("add-port", "br0", "v0", "--", "set", "Interface", "v0", "type=dpdkvhostuser")
    again = Driver(a.path)
    made.append(again)
    wait_for(lambda: sw.get("Interface", "v0", "link_state") == "up", SOON_S, "the link")
    exchange(again, b, 0)


def take_away(sw, path):
    """The relays are gone, if there are any, and nobody can listen where they did."""
    for pid in relays(sw):
        os.kill(pid, signal.SIGKILL)
    os.unlink(path)
    os.mkdir(path)


def give_back(sw, path, made):
    def connect():
        try:
            made.append(Driver(path))
        except (FileNotFoundError, ConnectionRefusedError):  # the file is there before anybody listens
            return False
        return True

    os.rmdir(path)
    wait_for(connect, SOON_S, "the socket")
    wait_for(lambda: sw.get("Interface", "v0", "link_state") == "up", SOON_S, "the link")


def test_a_relay_that_cannot_be_replaced_at_once(made):
    sw = switch(made)
    a, = add_ports(sw, made, "dpdkvhostuser", n=1)
    take_away(sw, a.path)

    def said():
        with open(sw.log) as f:
            return "its relay is gone and there is no other" in f.read()

    wait_for(said, SOON_S, "the failure")
    give_back(sw, a.path, made)


@pytest.mark.parametrize("relay", ("true", "false"))
def test_a_takeover_that_cannot_have_a_socket(made, relay):
    """What is in its way stays; when it is gone, the port listens."""
    sw = switch(made, config=["other_config:vhost-relay=" + relay])
    a, = add_ports(sw, made, "dpdkvhostuser", n=1)
    take_away(sw, a.path)
    sw.take_over()
    with open(sw.log) as f:
        assert "there is something else, trying again" in f.read()
    assert sw.get("Interface", "v0", "link_state") == "down"
    give_back(sw, a.path, made)
    # A live socket of somebody else's is not removed.
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(sw.dir + "/v1")
        other.listen(1)
        sw.vsctl("--no-wait", "add-port", "br0", "v1", "--", "set", "Interface", "v1",
                 "type=dpdkvhostuser")
        wait_for(lambda: "something else" in sw.get("Interface", "v1", "error"), SOON_S, "an error")
        assert os.path.exists(sw.dir + "/v1")


def test_without_a_relay(made):
    sw = switch(made, config=["other_config:vhost-relay=false"])
    a, b = add_ports(sw, made)
    assert relays(sw) == []
    exchange(a, b, 0)
    sw.stop()
    wait_for(lambda: not is_open(a), SOON_S, "the connection to close")


class OldRelay(threading.Thread):
    """A relay of another version that a switch before this one has left: it has the front-end, and
    does nothing but to go when it is told."""

    def __init__(self, sw, name, kind, outer):
        super().__init__(daemon=True)
        directory = sw.dir + "/vhost-relay"
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self.paths = [directory + "/%s.1%s%s" % (name, kind, end) for end in ("", ".ctl")]
        self.inner, self.control = (socket.socket(socket.AF_UNIX, kind) for kind in
                                    (socket.SOCK_STREAM, socket.SOCK_SEQPACKET))
        for s, path in zip((self.inner, self.control), self.paths):
            s.bind(path)
            s.listen(1)
        self.outer = socket.socket(socket.AF_UNIX)
        if kind == "s":
            self.paths.append(outer)
            self.outer.bind(outer)
            self.outer.listen(1)
        else:
            self.outer.connect(outer)
        self.told = None

    def run(self):
        s, _ = self.control.accept()
        self.told = s.recv(256)
        for path in self.paths:
            os.unlink(path)
        self.close()
        s.close()

    def close(self):
        for s in (self.outer, self.inner, self.control):
            s.close()


def test_relays_of_other_versions_let_their_guests_go(made):
    """An upgrade that changes what switch and relay say to each other: guests connect anew, at
    once."""
    sw = switch(made)
    old = [OldRelay(sw, "v0", "s", sw.dir + "/v0")]
    qemu = socket.socket(socket.AF_UNIX)
    path = sw.dir + "/v1.sock"
    qemu.bind(path)
    qemu.listen(1)
    old.append(OldRelay(sw, "v1", "c", path))
    held, _ = qemu.accept()
    held.settimeout(SOON_S)
    for relay in old:
        relay.start()
    # One that hangs, and the files of one that was killed.
    deaf = OldRelay(sw, "v2", "s", sw.dir + "/nobody")
    made.append(deaf)
    dead = OldRelay(sw, "v2", "c", sw.dir + "/nobody")
    dead.close()
    sw.vsctl("add-port", "br0", "v0", "--", "set", "Interface", "v0", "type=dpdkvhostuser")
    a = Driver(sw.dir + "/v0")
    made.append(a)
    sw.vsctl("add-port", "br0", "v1", "--", "set", "Interface", "v1", "type=dpdkvhostuserclient",
             "options:vhost-server-path=" + path)
    assert held.recv(1) == b""
    # As QEMU, which has one peer at a time.
    qemu.close()
    held.close()
    os.unlink(path)
    b = Driver(path, listen=True)
    made.append(b)
    for name in ("v0", "v1"):
        wait_for(lambda: sw.get("Interface", name, "link_state") == "up", SOON_S, name)
    exchange(a, b, 0)
    for relay in old:
        relay.join(SOON_S)
        assert relay.told == b"D"
    sw.vsctl("add-port", "br0", "v2", "--", "set", "Interface", "v2", "type=dpdkvhostuserclient",
             "options:vhost-server-path=%s/v2.sock" % sw.dir)
    c = Driver(sw.dir + "/v2.sock", listen=True)
    made.append(c)
    wait_for(lambda: sw.get("Interface", "v2", "link_state") == "up", SOON_S, "v2")
    exchange(c, b, 100)
    assert not any(os.path.exists(p) for p in dead.paths)


def test_without_a_relay_none_of_an_earlier_switch_stays(made):
    sw = switch(made)
    a, = add_ports(sw, made, "dpdkvhostuser", n=1)
    sw.vsctl("set", "Open_vSwitch", ".", "other_config:vhost-relay=false")
    sw.stop()
    assert is_open(a)
    sw.start()
    wait_for(lambda: not is_open(a), SOON_S, "the connection to close")
    with open(sw.log) as f:
        assert "v0: a relay that this switch does not use lets its guest go" in f.read()
    again = Driver(a.path)
    made.append(again)
    wait_for(lambda: sw.get("Interface", "v0", "link_state") == "up", SOON_S, "the link")
    assert relays(sw) == []


def carrier_changes(guest):
    return int(guest.sh("cat /sys/class/net/eth0/carrier_changes").strip())


def test_a_real_guest_sees_its_link_stay_up(made):
    sw = switch(made)
    host = sw.add_host("br0", "p3", "10.1.0.3/24")
    made.append(host)
    path = vhost_port(sw, "vm1")
    guest = Guest(sw.dir, 1, [path], ["10.1.0.1/24"])
    made.append(guest)
    boot([guest])
    wait_for(lambda: host.ping("10.1.0.1", count=1), SOON_S, "the guest")
    before = carrier_changes(guest)
    for restart in (lambda: (sw.stop(), sw.start()), sw.take_over):
        restart()
        wait_for(lambda: host.ping("10.1.0.1", count=1), SOON_S, "the guest, again")
        assert sw.get("Interface", "vm1", "link_state") == "up"
        assert carrier_changes(guest) == before
