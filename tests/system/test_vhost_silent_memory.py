# SPDX-License-Identifier: Apache-2.0
"""Guests' files in a file system that does not answer: FUSE, spoken by hand."""
import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import textwrap

import pytest

import vhost_frontend as vf
from switchlib import wait_for
from test_vhost_hostile import Neighbours
from test_vhost_protocol import add_server, begin, drivers  # noqa: F401
from vhost_frontend import Driver, Frontend


def descriptors(sw):
    return len(os.listdir("/proc/%d/fd" % sw.pid))


# A file system with one file, whose pages never come.  Its mount is seen by nobody else.
SILENT_FILE_SYSTEM = textwrap.dedent(r'''
    import ctypes, os, socket, struct, sys, threading
    INIT, LOOKUP, GETATTR, OPEN, STATFS, READ, FLUSH = 26, 1, 3, 14, 17, 15, 25
    ATTR = struct.Struct("<QQQQQQIIIIIIIIII")
    libc = ctypes.CDLL(None, use_errno=True)
    fuse = os.open("/dev/fuse", os.O_RDWR)
    where, out = sys.argv[1], socket.socket(fileno=int(sys.argv[2]))
    options = b"fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % fuse
    if libc.unshare(0x20000) or libc.mount(b"none", b"/", None, 0x44000, None) \
            or libc.mount(b"silent", where.encode(), b"fuse", 0, options):
        sys.exit("mount: " + os.strerror(ctypes.get_errno()))

    def attributes(node):
        mode = 0o40755 if node == 1 else 0o100666
        return ATTR.pack(node, 1 << 30, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def is_held_up(pid):
        try:
            program = os.path.basename(os.readlink("/proc/%d/exe" % pid))
        except OSError:  # it is about to end
            program = open("/proc/%d/comm" % pid).read()
        return "sluice" in program and os.path.exists(where + ".hold")

    def serve():
        while True:
            request = os.read(fuse, 1 << 20)
            _, opcode, unique, node, _, _, pid = struct.unpack("<IIQQIII", request[:36])
            error, body = 0, b""
            if opcode == INIT:
                body = struct.pack("<IIIIHHII", 7, 31, 0, 0, 16, 16, 65536, 1).ljust(64, b"\0")
            elif opcode == LOOKUP:
                body = struct.pack("<QQQQII", 2, 0, 3600, 3600, 0, 0) + attributes(2)
            elif opcode == GETATTR:
                body = struct.pack("<QII", 3600, 0, 0) + attributes(node)
            elif opcode == OPEN:
                body = bytes(16)
            elif opcode == STATFS:
                if is_held_up(pid):
                    continue
                body = bytes(80)
            elif opcode == READ:
                out.send(b"touched")
                continue
            elif opcode == FLUSH:
                if is_held_up(pid):
                    continue
            else:
                error = -38
            os.write(fuse, struct.pack("<IiQ", 16 + len(body), error, unique) + body)

    threading.Thread(target=serve, daemon=True).start()
    fd = os.open(where + "/memory", os.O_RDWR)
    socket.send_fds(out, [b"open"], [fd])
    os.close(fd)  # at our end nobody would answer
    sys.stdin.read()
    os._exit(0)  # and with the process what waits for it
''')


@pytest.fixture
def silent_file(tmp_path):
    """A descriptor of that file, and a function that tells whether somebody has touched it."""
    if not os.path.exists("/dev/fuse"):
        pytest.skip("no FUSE here")
    ours, theirs = socket.socketpair()
    server = subprocess.Popen(
        [sys.executable, "-c", SILENT_FILE_SYSTEM, str(tmp_path), str(theirs.fileno())],
        pass_fds=[theirs.fileno()], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    theirs.close()
    ours.settimeout(20)
    fd = -1
    try:
        data, fds, _, _ = socket.recv_fds(ours, 100, 1)
        if not fds:
            pytest.skip("no mounts here: " + server.communicate(timeout=10)[1])
        fd = fds[0]
        ours.setblocking(False)

        def touched():
            try:
                return ours.recv(100) != b""
            except BlockingIOError:
                return False

        touched.end_server = server.kill
        yield fd, touched
    finally:
        if fd >= 0:
            with contextlib.suppress(OSError):  # its server may have ended
                os.close(fd)
        server.kill()
        server.wait(10)
        ours.close()


class Elsewhere(Driver):
    """Its rings are sound; its buffers lie in a file of another file system."""
    AT = 1 << 32

    def __init__(self, path, fd, **kw):
        self.elsewhere = fd
        super().__init__(path, **kw)

    def set_memory(self, regions):
        super().set_memory(regions + [(self.AT, 1 << 20, self.elsewhere)])


def test_memory_of_a_file_system_that_does_not_answer(sw, drivers, silent_file):  # noqa: F811
    """A forwarding thread would wait for its pages, with all ports."""
    fd, touched = silent_file
    begin(sw)
    near = Neighbours(sw, drivers)
    path = add_server(sw, "h")
    before = descriptors(sw)
    for _ in range(3):
        h = Elsewhere(path, fd, fill=False)
        for ring, flags in ((h.tx, 0), (h.rx, 2)):
            for i in range(16):
                ring.describe(i, h.AT + 4096 * i, 2048, flags)
                ring.offer(i)
        for _ in range(5):
            near.exchange()
        h.close()
    assert not touched()
    assert sw.get("Interface", "h", "link_state") == "down"
    wait_for(lambda: descriptors(sw) <= before, 20, "descriptors to be closed")
    drivers.append(Driver(path))  # an honest one
    wait_for(lambda: near.exchange() or drivers[-1].receive(), 20, "frames for an honest guest")


def test_refused_files_do_not_fill_the_log(sw, silent_file):
    fd, _ = silent_file
    begin(sw)
    path = add_server(sw, "h")
    for _ in range(200):
        fe = Frontend(path)
        fe.send(vf.SET_VRING_CALL, struct.pack("<Q", 0), [fd])
        assert is_over(fe)
        fe.close()
    sw.appctl("version")  # its main thread has read what the relay said
    with open(sw.log, encoding="utf-8") as f:
        assert 0 < f.read().count("h: a descriptor of a kind that its message may not carry") < 100


@pytest.mark.parametrize("relay", ("true", "false"), ids=("relay", "no-relay"))
@pytest.mark.parametrize("request_", (vf.SET_MEM_TABLE, vf.SET_VRING_CALL, vf.SET_LOG_FD, vf.SET_OWNER),
                         ids=("memory", "call", "log", "unwanted"))
def test_a_file_that_cannot_be_closed(sw, drivers, silent_file, tmp_path, request_, relay):  # noqa: F811
    """Its server is asked when it is closed, and what kind of file system it is.  That may cost its own port,
    not those of others, nor the end of the daemon."""
    fd, _ = silent_file
    open(str(tmp_path) + ".hold", "w").close()
    begin(sw, "other_config:vhost-relay=" + relay)
    path = add_server(sw, "h")
    before = descriptors(sw)
    payload = struct.pack("<IIQQQQ", 1, 0, 0, 1 << 20, vf.USER, 0) if request_ == vf.SET_MEM_TABLE \
        else struct.pack("<Q", 0)
    # More than once: who was hung by the first one is not asked again.
    for _ in range(1 if relay == "true" else 3):
        fe = Frontend(path)
        fe.send(request_, payload, [fd])
        assert is_over(fe)  # it was read
        fe.close()
    other = Frontend(add_server(sw, "g"))
    assert other.ask(vf.GET_FEATURES)
    other.close()
    if relay == "false":
        drivers.append(Driver(path))  # the same port, for an honest one
        wait_for(lambda: sw.get("Interface", "h", "link_state") == "up", 20, "the link")
        assert descriptors(sw) < before + 20
    sw.vsctl("del-port", "h")
    assert sw.vsctl("list-ports", "br0").split() == ["g"]
    if relay == "true":
        # The old relay can be ended by nobody, but is in nobody's way.
        drivers.append(Driver(add_server(sw, "h")))
        wait_for(lambda: sw.get("Interface", "h", "link_state") == "up", 20, "the link")
    sw.stop()


def is_over(fe):
    try:
        return fe.s.recv(1000) == b""
    except ConnectionResetError:
        return True


def test_a_header_in_pieces(sw, drivers, silent_file, tmp_path):  # noqa: F811
    """Descriptors that come with the second half are looked at as well, or not received."""
    fd, _ = silent_file
    open(str(tmp_path) + ".hold", "w").close()
    begin(sw, "other_config:vhost-relay=false")
    path = add_server(sw, "h")
    header = struct.pack("<III", vf.SET_VRING_CALL, 1, 8)
    for split in (1, 4, 11):
        fe = Frontend(path)
        fe.s.send(header[:split])
        socket.send_fds(fe.s, [header[split:] + bytes(8)], [fd])
        assert is_over(fe)
        fe.close()
    other = Frontend(add_server(sw, "g"))
    assert other.ask(vf.GET_FEATURES)
    other.close()


def inspectors(sw):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, encoding="ascii", errors="replace") as f:
                words = f.read().split("\0")
            if words[:2] == ["sluice-vhost-relay", "inspect"] and is_netns_of(sw, pid):
                found.append(int(pid))
        except OSError:
            pass
    return found


def test_an_inspector_that_was_ended(sw, drivers):  # noqa: F811
    """There is another one at once, and no front-end notices."""
    begin(sw, "other_config:vhost-relay=false")
    path = add_server(sw, "h")
    (old,) = wait_for(lambda: inspectors(sw), 20, "an inspector")
    os.kill(old, signal.SIGKILL)
    drivers.append(Driver(path))
    wait_for(lambda: sw.get("Interface", "h", "link_state") == "up", 20, "the link")
    wait_for(lambda: inspectors(sw) not in ([], [old]), 20, "another one")
    sw.stop()
    wait_for(lambda: not inspectors(sw), 20, "its end")


def hung():
    """How many processes wait for that file system at their end; such have no command line any more."""
    n = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid, encoding="ascii", errors="replace") as f:
                text = f.read()
            n += "(sluice-vhost-re)" in text and text.rsplit(")", 1)[1].split()[0] in "DS" \
                and not os.path.exists("/proc/%s/exe" % pid)
        except OSError:
            pass
    return n


def is_refused(fe):
    return select.select([fe.s], [], [], 0)[0] and is_over(fe)


def come_up(sw, drivers, path, port):
    """A driver of 'port' that comes again when it is refused: who is to look may need too long on a busy machine, who
    is about to end may not have done so."""
    drivers.append(Driver(path))

    def is_up():
        if is_refused(drivers[-1].fe):
            drivers.append(Driver(path))
        return sw.get("Interface", port, "link_state") == "up"

    wait_for(is_up, 20, "the link of " + port)


def test_inspectors_that_hang_are_bounded(sw, drivers, silent_file, tmp_path):  # noqa: F811
    """A port has four; then nobody looks at what it is sent, others are served, and no descriptor is left.  Once
    they have ended, the port has a guest again."""
    fd, touched = silent_file
    open(str(tmp_path) + ".hold", "w").close()
    begin(sw, "other_config:vhost-relay=false")
    path, other = add_server(sw, "h"), add_server(sw, "g")
    before, hung_before = descriptors(sw), hung()
    for i in range(80):
        fe = Frontend(path)
        fe.send(vf.SET_VRING_CALL, struct.pack("<Q", 0), [fd])
        assert is_over(fe)
        fe.close()
        # Those of other tests, which are about to end, look the same for a moment.
        wait_for(lambda: hung() - hung_before <= 4, 20, "no more than four to hang")
    wait_for(lambda: hung() - hung_before == 4, 20, "four to hang")
    with open(sw.log) as f:
        assert "what came before is not closed yet" in f.read()
    come_up(sw, drivers, other, "g")
    wait_for(lambda: descriptors(sw) < before + 20, 20, "descriptors to be closed")
    touched.end_server()
    wait_for(lambda: hung() <= hung_before, 20, "their end")
    come_up(sw, drivers, path, "h")


def is_netns_of(sw, pid):
    wanted = os.stat("/run/netns/" + sw.ns.name)
    have = os.stat("/proc/%s/ns/net" % pid)
    return (wanted.st_dev, wanted.st_ino) == (have.st_dev, have.st_ino)
