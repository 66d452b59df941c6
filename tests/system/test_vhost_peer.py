# SPDX-License-Identifier: Apache-2.0
"""vhost-user ports without guests: testpmd's virtio_user as a good peer, this file as a bad one.

The devices are joined by tests/unit/netdev/wire.c, so that only src/netdev and DPDK's vhost library
take part.
"""
import os
import re
import socket
import struct
import tempfile
import time

import pytest

from switchlib import wait_for
from test_netdev import Lab, ping
from testpmd import Testpmd
from vhost_frontend import GET_FEATURES, SET_MEM_TABLE, SET_OWNER, Frontend, Rings


@pytest.fixture
def peers():
    made = []
    yield made
    for p in made:
        p.kill()


@pytest.fixture
def lab():
    lab = Lab()
    yield lab
    lab.close()


@pytest.fixture
def rundir():
    with tempfile.TemporaryDirectory(prefix="sluice-test-") as d:
        yield d


def connected(w):
    return [m == "connected" for m in re.findall(r"\bstatus=(\w+)", "\n".join(w.ask("stats")))]


def test_client_ports(lab, peers, rundir):
    """The sockets come later, go, and come back; both directions carry frames."""
    paths = [rundir + "/v%d" % i for i in (0, 1)]
    w = lab.wire(*["dpdkvhostuserclient:v%d:vhost-server-path=%s" % (i, paths[i]) for i in (0, 1)],
                 veths=(), dpdk=True, env={"OVS_RUNDIR": rundir})
    assert connected(w) == [False, False] and w.dev("v0")["carrier"] == "0"
    for _ in range(2):
        peers.append(Testpmd(*paths, server=True, mode="flowgen"))
        wait_for(lambda: connected(w) == [True, True], 20)
        before = w.dev("v0")["rx"], w.dev("v1")["tx"]
        wait_for(lambda: w.dev("v0")["rx"] > before[0] + 10000
                 and w.dev("v1")["tx"] > before[1] + 10000, 20)
        assert w.dev("v0")["carrier"] == "1"
        peers.pop().kill()
        wait_for(lambda: connected(w) == [False, False], 10)
    assert not [x for x in w.log if "|WARN|" in x], w.log
    # A second port on the same socket is refused by name.
    assert w.dev("v0")["rx_err"] == 0


def test_server_port_follows_the_queues(lab, peers, rundir):
    left = socket.socket(socket.AF_UNIX)  # a daemon before us died here
    left.bind(rundir + "/s0")
    left.close()
    w = lab.wire("dpdkvhostuser:s0", "dpdk:p1:dpdk-devargs=net_null0,no-rx=1", veths=(), dpdk=True,
                 env={"OVS_RUNDIR": rundir})
    for queues in (2, 1, 4):
        peers.append(Testpmd(rundir + "/s0", server=False, mode="txonly", queues=queues))
        wait_for(lambda: "configured_rx_queues=%d," % queues in "\n".join(w.ask("stats")), 20)
        before = w.dev("s0")["rx"]
        wait_for(lambda: w.dev("s0")["rx"] > before + 10000, 20)
        assert "num_of_vrings=%d" % (2 * queues) in "\n".join(w.ask("stats"))
        peers.pop().kill()
        wait_for(lambda: connected(w) == [False], 10)
    w.close()
    lab.wires.remove(w)
    assert os.listdir(rundir) == []


# --- a hostile front-end ------------------------------------------------------------------------

def hostile_chains(r):
    """Send rings that no driver writes."""
    d = r.DATA + 0x80000
    r.desc(0, d, 64, 1, 0)                # a loop of one
    r.desc(1, d, 64, 1, 2)
    r.desc(2, d, 64, 1, 1)                # a loop of two
    r.desc(3, d, 64, 1, 60000)            # the next one is outside of the ring
    r.desc(4, 1 << 60, 64, 0, 0)          # an address outside of the memory
    r.desc(5, r.SIZE - 16, 4096, 0, 0)    # across the end of the memory
    r.desc(6, d, 0xffffffff, 0, 0)        # a huge length
    r.desc(7, (1 << 64) - 8, 64, 0, 0)    # an address that wraps
    r.desc(8, d, 0, 0, 0)                 # nothing
    r.desc(9, d, 5, 0, 0)                 # less than the virtio header
    r.desc(10, d, 12, 0, 0)               # the virtio header alone
    r.desc(11, d, 20, 0, 0)               # less than an Ethernet header
    r.desc(12, d, 64, 4, 0)               # indirect, not negotiated
    r.desc(13, d, 65535 + 12, 0, 0)       # an oversized frame
    r.desc(14, d, 100, 2, 0)              # write-only in a send ring
    # A forged offload header: checksum and segmentation far outside of the frame.
    r.put(r.DATA + 0x2000, struct.pack("<BBHHHHH", 1, 1, 65535, 1, 65535, 65535, 1) + bytes(100))
    r.desc(15, d + 0x2000, 112, 0, 0)
    heads = list(range(16)) * 4 + [0xffff, 256, 300]
    r.kick(heads)


def hammer(path):
    """One round of everything bad; returns how many connections it used."""
    n = 0
    for i in range(1000):  # opens and closes
        Frontend(path).close()
        n += 1
    for size in (0, 1, 4, 11):  # cut headers
        f = Frontend(path)
        f.s.sendall(struct.pack("<III", GET_FEATURES, 1, 0)[:size])
        f.close()
    for request in list(range(0, 45)) + [200, 0xffffffff]:  # nonsense payloads
        for payload, size in ((b"", None), (b"\xff" * 8, None), (b"\xff" * 40, None),
                              (b"\0" * 300, None), (b"", 0xffffffff), (b"\1" * 8, 4096)):
            f = Frontend(path)
            f.send(SET_OWNER)
            f.send(request, payload, size=size)
            f.close()
            n += 1
    fd = os.memfd_create("guest")
    os.ftruncate(fd, 4096)
    for regions in (0, 1, 8, 9, 1000, 0xffffffff):  # memory tables that lie
        for gpa, size, offset in ((0, 0, 0), (0, 1 << 63, 0), (1 << 63, 1 << 63, 0),
                                  (0, 4096, 1 << 62), (0, (1 << 64) - 1, 4095), (0, 1 << 20, 0)):
            f = Frontend(path)
            f.send(SET_OWNER)
            f.send(SET_MEM_TABLE, struct.pack("<II", regions, 0)
                   + struct.pack("<QQQQ", gpa, size, 0x7f0000000000, offset) * min(regions, 8),
                   [fd] * min(regions, 8))
            f.close()
            n += 1
    os.close(fd)
    return n


def test_hostile_frontend(lab, rundir):
    """Nothing ends, and the neighbour's frames go on."""
    w = lab.wire("dpdkvhostuser:s0", "system:vb", dpdk=True, veths=("vb",),
                 env={"OVS_RUNDIR": rundir})
    path = rundir + "/s0"
    hammer(path)
    assert w.proc.poll() is None, "".join(w.log[-20:])
    for num, addr in ((256, None), (0, None), (3, None), (65535, None), (1 << 31, None),
                      (256, 0), (256, (1 << 64) - 0x1000), (256, 0x7f00000fff00)):
        r = Rings(path, num=num, addr=addr)
        for _ in range(3):
            hostile_chains(r)
            time.sleep(0.01)
        r.close()
        assert w.dev("s0")["type"] == "dpdkvhostuser"
    # Lengths that change while they are looked at.
    r = Rings(path)
    wait_for(lambda: connected(w) == [True], 10)
    end = time.monotonic() + 1
    while time.monotonic() < end:
        r.desc(0, r.DATA + 0x80000, 64, 0, 0)
        r.kick([0] * 200)
        r.desc(0, r.DATA + 0x80000, 0xfffffff0, 1, 0)
    r.close()
    wait_for(lambda: connected(w) == [False], 10)
    # Good frames still pass after all that.
    r = Rings(path)
    wait_for(lambda: connected(w) == [True], 10)
    before = w.dev("vb")["tx"]
    r.put(r.DATA, bytes(12) + b"\xff" * 6 + b"\2\0\0\0\0\1\x88\xb5" + bytes(60))
    r.desc(0, r.DATA + 0x80000, 12 + 74, 0, 0)
    r.kick([0])
    wait_for(lambda: w.dev("vb")["tx"] > before, 5)
    r.close()


def test_memory_that_is_not_there(lab, rundir):
    """The file behind the guest's memory is shorter than the table says, or is cut under us."""
    w = lab.wire("dpdkvhostuser:s0", "system:vb", dpdk=True, veths=("vb",),
                 env={"OVS_RUNDIR": rundir})
    r = Rings(rundir + "/s0", file_size=0x81000)
    hostile_chains(r)
    time.sleep(0.2)
    r.close()
    assert w.dev("vb")["carrier"] == "1"
    r = Rings(rundir + "/s0")
    wait_for(lambda: connected(w) == [True], 10)
    os.ftruncate(r.fd, 0)
    time.sleep(0.3)
    assert w.dev("vb")["carrier"] == "1"
    r.close()
    wait_for(lambda: connected(w) == [False], 10)
    w.ns.run("ip link set vb down")
