# SPDX-License-Identifier: Apache-2.0
"""A whole switch with testpmd's virtio_user ports in place of guests: physical port - VM - physical
port, through two VMs, and between VMs; and both ends going away under traffic.
"""
import re
import signal
import struct

import pytest

from switchlib import Failed, wait_for
from testpmd import Testpmd


@pytest.fixture
def peers():
    made = []
    yield made
    for p in made:
        p.kill()


def write_pcap(path, frames):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            f.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)


def read_pcap(path):
    with open(path, "rb") as f:
        data = f.read()
    frames, at = [], 24
    while at + 16 <= len(data):
        n = struct.unpack_from("<I", data, at + 8)[0]
        if at + 16 + n > len(data):
            break
        frames.append(data[at + 16:at + 16 + n])
        at += 16 + n
    return frames


def udp_frames(n):
    """Frames of all sizes that an MTU of 1500 has, each with its number."""
    out = []
    for i in range(n):
        size = 60 + i * 1454 // n
        ip = struct.pack(">BBHHHBBHII", 0x45, 0, size - 14, i, 0, 64, 17, 0, 0x0a000001,
                         0x0a000100 + i % 7)
        udp = struct.pack(">HHHH", 1000 + i % 5, 2000, size - 34, 0)
        out.append((b"\2\0\0\0\0\2\2\0\0\0\0\1\x08\0" + ip + udp).ljust(size, b"%d" % (i % 10)))
    return out


def vhost_ports(sw, *names):
    sw.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true")
    sw.add_bridge("br0", "fail_mode=secure")
    for i, name in enumerate(names, 1):
        sw.vsctl("add-port", "br0", name, "--", "set", "Interface", name,
                 "type=dpdkvhostuserclient", "ofport_request=%d" % i,
                 "options:vhost-server-path=%s/%s.sock" % (sw.dir, name))
    return ["%s/%s.sock" % (sw.dir, name) for name in names]


def all_up(sw, names):
    wait_for(lambda: all(sw.get("Interface", n, "link_state") == "up" for n in names), 40, "links")


def packets(sw, name, direction):
    text = sw.ofctl("dump-ports", "br0", name)
    return int(re.search(direction + r" pkts=(\d+)", text).group(1))


# PVVP has the plain shape.
SHAPES = {"packed": dict(options="packed_vq=1"),
          "not-mergeable": dict(options="mrg_rxbuf=0"),
          "two-queues": dict(queues=2)}


def through_vms(sw, peers, n_vms, **shape):
    """Every frame of a file passes all VMs and arrives as it was."""
    names = ["vm%d" % i for i in range(1, 2 * n_vms + 1)]
    paths = vhost_ports(sw, *names)
    sink = sw.dir + "/out.pcap"
    sw.vsctl("add-port", "br0", "sink", "--", "set", "Interface", "sink", "type=dpdk",
             "ofport_request=100", "options:dpdk-devargs=net_pcap0,tx_pcap=" + sink)
    flows = ["in_port=%d,actions=%d" % (2 * k, 2 * k + 1) for k in range(1, n_vms)]
    for line in flows + ["in_port=200,actions=1", "in_port=%d,actions=100" % (2 * n_vms)]:
        sw.ofctl("add-flow", "br0", line)
    peers.append(Testpmd(*paths, server=True, mode="io", **shape))
    peers[-1].ready()
    all_up(sw, names)
    frames = udp_frames(200)  # fewer than a ring holds
    write_pcap(sw.dir + "/in.pcap", frames)
    for _ in range(4):
        before = packets(sw, "sink", "tx")
        sw.vsctl("--if-exists", "del-port", "src")
        sw.vsctl("add-port", "br0", "src", "--", "set", "Interface", "src", "type=dpdk",
                 "ofport_request=200", "options:dpdk-devargs="
                 "net_pcap1,rx_pcap=%s/in.pcap" % sw.dir)
        try:
            wait_for(lambda: packets(sw, "sink", "tx") >= before + len(frames), 10, "all frames")
            break
        except Failed:
            pass  # a VM that did not run for a while lost some, as it may
    else:
        raise Failed("four times not all of %d frames came through" % len(frames))
    sw.vsctl("del-port", "sink")  # closes the file
    got = read_pcap(sink)[-len(frames):]
    # The order is not asked for: what missed all caches comes later than what follows it.
    assert sorted(got) == sorted(frames)


@pytest.mark.parametrize("shape", SHAPES)
def test_pvp(sw, peers, shape):
    through_vms(sw, peers, 1, **SHAPES[shape])


def test_pvvp(sw, peers):
    through_vms(sw, peers, 2)


def test_vm_to_vm_and_both_ends_restart(sw, peers):
    """Two VMs send to each other; then they are killed and started again, then the switch is."""
    names = ["vm1", "vm2"]
    paths = vhost_ports(sw, *names)
    sw.ofctl("add-flow", "br0", "in_port=1,actions=2")
    sw.ofctl("add-flow", "br0", "in_port=2,actions=1")

    def both_ways():
        before = [packets(sw, n, "tx") for n in names]
        wait_for(lambda: all(packets(sw, n, "tx") > b + 5000 for n, b in zip(names, before)), 40,
                 "traffic both ways")

    def begin():
        peers.append(Testpmd(*paths, server=True, mode="flowgen"))
        all_up(sw, names)
        both_ways()

    begin()
    peers.pop().kill()
    wait_for(lambda: sw.get("Interface", "vm1", "link_state") == "down", 20, "its end")
    begin()
    sw.kill(signal.SIGKILL)
    sw.start()
    all_up(sw, names)
    sw.ofctl("add-flow", "br0", "in_port=1,actions=2")
    sw.ofctl("add-flow", "br0", "in_port=2,actions=1")
    both_ways()
