# SPDX-License-Identifier: Apache-2.0
"""Huge pages that other processes want as well: a start that finds them taken goes on with ordinary pages,
and one that fails does not keep EAL's locks, which every DPDK process on the machine takes when it starts."""
import fcntl
import glob
import os
import re
import subprocess
import tempfile

import pytest

from switchlib import SLUICED, Hermetic, sh, wait_for

COUNTS = [p for p in ["/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"] +
          glob.glob("/sys/devices/system/node/node*/hugepages/hugepages-2048kB/free_hugepages")
          if os.path.exists(p)]

RESERVED = "/sys/kernel/mm/hugepages/hugepages-2048kB/resv_hugepages"

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or len(COUNTS) < 2, reason="no huge pages here")


class Pages:
    """The daemon's own view of how many huge pages are free, and a directory of them."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="sluice-pages-")
        self.huge = self.dir + "/huge"
        self.daemon = self.dir + "/daemon"
        os.mkdir(self.huge)
        lines = ["#!/bin/sh", "mount -t hugetlbfs -o pagesize=2M none " + self.huge]
        for i, path in enumerate(COUNTS):
            lines.append("mount --bind %s/free%d %s" % (self.dir, i, path))
        lines.append("mount --bind %s/reserved %s" % (self.dir, RESERVED))
        lines += ["exec %s \"$@\"" % SLUICED]
        with open(self.dir + "/inside", "w") as f:
            f.write("\n".join(lines) + "\n")
        with open(self.daemon, "w") as f:
            f.write("#!/bin/sh\nexec unshare --mount sh %s/inside \"$@\"\n" % self.dir)
        os.chmod(self.daemon, 0o755)
        self.set(512)
        self.reserve(0)

    def reserve(self, n):
        """As many of them are promised to somebody who has not touched them yet."""
        with open(self.dir + "/reserved", "w") as f:
            f.write("%d\n" % n)

    def set(self, n):
        for i in range(len(COUNTS)):
            with open("%s/free%d" % (self.dir, i), "w") as f:
                f.write("%d\n" % n)

    def lock(self, switch):
        """EAL's lock, as another process would take it; the file, or None if somebody holds it."""
        fd = os.open("/proc/%d/root%s" % (switch.pid, self.huge), os.O_RDONLY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        return fd


@pytest.fixture
def pages():
    made = Pages()
    yield made
    sh(["rm", "-rf", made.dir])


@pytest.fixture
def switch(pages):
    made = Hermetic(binary=pages.daemon)
    made.start()
    # Of all such directories on the machine, this one.
    made.vsctl("set", "Open_vSwitch", ".", "other_config:dpdk-hugepage-dir=" + pages.huge)
    yield made
    made.close()


def log_has(switch, text):
    with open(switch.log) as f:
        return text in f.read()


def test_pages_that_others_take_first(pages, switch):
    lock = pages.lock(switch)
    adding = subprocess.Popen(["ovs-vsctl", "--timeout=20", "add-br", "br0", "--", "set", "bridge",
                               "br0", "datapath_type=dummy"], env=switch.env)
    wait_for(lambda: log_has(switch, "waiting for another process that starts DPDK"), what="waiting")
    assert adding.poll() is None and not log_has(switch, "EAL ARGS")
    pages.set(0)
    os.close(lock)
    assert adding.wait(20) == 0
    assert log_has(switch, "--no-huge")
    switch.add_ports("br0", "p1")
    assert switch.get("interface", "p1", "ofport") == "1"
    assert pages.lock(switch) is not None


def test_pages_that_are_promised_to_others(pages, switch):
    """They count as free until they are touched."""
    pages.reserve(500)
    switch.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    assert log_has(switch, "--no-huge")


def test_a_lock_that_is_kept(pages, switch):
    lock = pages.lock(switch)
    switch.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", timeout=30)
    assert log_has(switch, "keeps the lock of " + pages.huge) and log_has(switch, "--no-huge")
    os.close(lock)


def test_a_failed_start_keeps_no_lock(pages, switch):
    switch.vsctl("--no-wait", "set", "Open_vSwitch", ".",
                 "other_config:dpdk-extra=--socket-me=900000000")  # EAL's own look finds too few
    switch.vsctl("--no-wait", "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    wait_for(lambda: log_has(switch, "cannot start DPDK"), what="the failure")
    lock = pages.lock(switch)
    assert lock is not None
    os.close(lock)
    assert "br0" in switch.vsctl("list-br")


@pytest.mark.parametrize("keys,init", [("dpdk-socket-mem=1024", "try"), ("dpdk-socket-mem=1024", None),
                                       ("dpdk-alloc-mem=1024", "try"), ("dpdk-socket-mem=\"0,32\"", "try"),
                                       ("dpdk-extra=\"--socket-mem=1024\"", "try")])
def test_bridges_do_without_pages_that_are_missing(pages, switch, keys, init):
    """As with Open vSwitch; EAL, once it has failed like this, could not be started again."""
    pages.set(32)
    switch.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:" + keys,
                 *(["other_config:dpdk-init=" + init] if init else []))
    switch.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    switch.add_ports("br0", "p1")
    assert switch.get("interface", "p1", "ofport") == "1"
    assert switch.get("Open_vSwitch", ".", "dpdk_initialized") == "false"
    assert log_has(switch, "more huge pages than the 64 MB that are free")
    assert log_has(switch, "DPDK runs without other_config:dpdk-*")


def test_pages_that_are_on_their_way(pages, switch):
    """Of a process that has just ended: they are waited for."""
    pages.set(32)
    switch.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=try",
                 "other_config:dpdk-socket-mem=128")
    wait_for(lambda: log_has(switch, "DPDK Enabled - initializing"), what="the start")
    pages.set(512)
    wait_for(lambda: log_has(switch, "EAL ARGS"), what="EAL")
    assert log_has(switch, "--socket-mem 128") and not log_has(switch, "MB that are free")


@pytest.fixture
def reserved():
    """A gigabyte of huge pages that really are there."""
    path, n = "/proc/sys/vm/nr_hugepages", 512

    def change(by):
        with open(path) as f:
            wanted = max(0, int(f.read()) + by)
        with open(path, "w") as f:
            f.write(str(wanted))
        with open(path) as f:
            return int(f.read()) == wanted
    got = change(n)
    try:
        if not got:
            pytest.skip("no gigabyte of huge pages")
        yield
    finally:
        change(-n)


@pytest.mark.alone
def test_a_directory_that_another_mount_hides(reserved, pages, switch):
    """As in a container that has the host's table of mounts, but not its directories."""
    sh(["nsenter", "-t", str(switch.pid), "-m", "mount", "-t", "tmpfs", "none", pages.huge])
    switch.vsctl("remove", "Open_vSwitch", ".", "other_config", "dpdk-hugepage-dir")
    switch.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    assert switch.get("interface", "br0", "ofport") == "65534"
    assert log_has(switch, "--huge-dir") and not log_has(switch, "--no-huge")


def n_free():
    """Not the daemon's view, but what there is."""
    with open(COUNTS[0]) as f:
        return int(f.read())


def n_of(switch):
    """Huge pages that the daemon has mapped, and files of cleared ones that it has open."""
    with open("/proc/%d/status" % switch.pid) as f:
        mapped = int(re.search(r"HugetlbPages:\s+(\d+) kB", f.read()).group(1)) // 2048
    links = [os.readlink(p) for p in glob.glob("/proc/%d/fd/*" % switch.pid) if os.path.islink(p)]
    return mapped, sum("/memfd:cleared" in x for x in links)


@pytest.mark.alone
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor clears them itself")
def test_pages_are_cleared_by_several_threads(reserved, pages, switch):
    """All that was asked for, and not a page more."""
    switch.vsctl("set", "Open_vSwitch", ".", "other_config:dpdk-socket-mem=200",
                 "other_config:dpdk-init=true")
    wait_for(lambda: log_has(switch, "DPDK Enabled - initialized"), what="DPDK")
    assert n_of(switch) == (100, 100)
    assert "dpdk-clear" not in sh("ps -L -o comm= -p %d" % switch.pid)
    switch.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    assert switch.get("interface", "br0", "ofport") == "65534"
    assert n_of(switch) == (100, 100)


@pytest.mark.alone
@pytest.mark.skipif(len(COUNTS) > 0 and n_free() > 0, reason="there are huge pages")
def test_pages_that_are_not_there(pages, switch):
    """The counters have promised them."""
    switch.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-socket-mem=64")
    switch.vsctl("--no-wait", "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    wait_for(lambda: log_has(switch, "cannot start DPDK"), what="the failure")
    assert "br0" in switch.vsctl("list-br")
