# SPDX-License-Identifier: Apache-2.0
"""The switch dies and comes back while its peers go on: by itself under --monitor, or started again."""
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from outage import Outage
from switchlib import ROOT, Switch, heir_of, sh, switch_with_two_hosts, wait_for

sys.path.insert(1, os.path.join(ROOT, "tests", "perf"))
import rig  # noqa: E402

# Far above what it takes (docs/decisions/0010): a machine that runs other tests must not fail here.
SOON_S = 20


@pytest.fixture
def monitored():
    """A switch under --monitor with two hosts."""
    with switch_with_two_hosts("--monitor") as made:
        yield made


def spare_of(sw):
    """The pid of the process that is ready to take over."""
    def ready():
        with open(sw.log) as f:
            pids = [int(p) for p in re.findall(r"pid (\d+) is ready to take over", f.read())]
        return pids and pids[-1] != sw.pid and os.path.exists("/proc/%d" % pids[-1]) and pids[-1]
    return wait_for(ready, SOON_S, "the spare process")


def new_worker(sw, old):
    """Waits until a worker after 'old' answers; its pid."""
    def changed():
        try:
            return sw.pid if sw.pid != old else None
        except (OSError, ValueError):
            return None
    pid = wait_for(changed, SOON_S, "another worker")
    wait_for(lambda: sh(["ovs-appctl", "-T", "10", "version"], check=False,
                        env=sw.env).returncode == 0, SOON_S, "the worker to answer")
    return pid


def test_a_killed_switch_is_replaced_by_its_spare(monitored):
    sw, hosts = monitored
    old, spare = sw.pid, spare_of(sw)
    outage = Outage(hosts[0], "10.1.0.2")
    try:
        os.kill(old, signal.SIGKILL)
        assert new_worker(sw, old) == spare
        wait_for(lambda: hosts[0].ping("10.1.0.2", count=1), SOON_S, "traffic")
        # Ports have kept their numbers, and there is another spare.
        assert sw.get("Interface", "p1", "ofport") == "1"
        assert spare_of(sw) != spare
    finally:
        outage.close()
    hosts[0].ping("10.1.0.2", count=10, check=True)


def test_kernel_ports_survive(monitored):
    """An internal port keeps its addresses, and frames sent meanwhile arrive late, not never."""
    sw, hosts = monitored
    sw.ns.run("ip addr add 10.1.0.9/24 dev br0")
    sw.ns.run("ip link set br0 up")
    sw.vsctl("add-port", "br0", "gone", "--", "set", "Interface", "gone", "type=internal")
    wait_for(lambda: hosts[0].ping("10.1.0.9", count=1), SOON_S, "traffic")
    index = sw.ns.run("cat /sys/class/net/br0/ifindex")
    old = sw.pid
    spare_of(sw)
    # More than fits in the switch: only the kernel can have kept them.
    os.kill(sw.proc.pid, signal.SIGSTOP)
    os.kill(old, signal.SIGKILL)
    ping = hosts[0].popen("ping -n -q -c 200 -i 0.002 -W 20 10.1.0.9", stdout=subprocess.PIPE,
                          text=True)
    time.sleep(0.3)
    os.kill(sw.proc.pid, signal.SIGCONT)
    new_worker(sw, old)
    out = ping.communicate(timeout=60)[0]
    assert int(re.search(r"(\d+) received", out).group(1)) >= 190, out
    assert sw.ns.run("cat /sys/class/net/br0/ifindex") == index
    wait_for(lambda: hosts[1].ping("10.1.0.9", count=1), SOON_S, "traffic")
    # What goes, goes at once, as before.
    sw.vsctl("del-port", "br0", "gone")
    assert "gone" not in sw.ns.run("ip -o link show")
    sw.stop()
    assert "br0" not in sw.ns.run("ip -o link show")


def test_a_spare_with_other_keys_is_not_used(monitored):
    sw, hosts = monitored
    old, spare = sw.pid, spare_of(sw)
    sw.vsctl("set", "Open_vSwitch", ".", "other_config:dpdk-extra=--log-level=pmd.net.pcap:8")
    os.kill(old, signal.SIGKILL)
    assert new_worker(sw, old) != spare
    wait_for(lambda: hosts[0].ping("10.1.0.2", count=1), SOON_S, "traffic")
    with open(sw.log) as f:
        lines = [line for line in f if "EAL ARGS" in line]
    assert "pmd.net.pcap" in lines[-1] or "pmd.net.pcap" in lines[-2], lines


def test_nothing_stays_when_the_switch_is_told_to_end(monitored):
    sw, hosts = monitored
    spare_of(sw)
    with open("/proc/%d/task/%d/children" % (sw.proc.pid, sw.proc.pid)) as f:
        children = f.read().split()
    sw.stop()
    assert len(children) == 3  # worker, keeper, spare
    assert [pid for pid in children if os.path.exists("/proc/" + pid)] == []
    assert [f for f in os.listdir(sw.dir) if f.endswith((".ctl", ".pid", ".dpdk", ".mgmt"))] == []


def test_a_spare_that_is_killed_does_no_harm(monitored):
    sw, hosts = monitored
    old = sw.pid
    os.kill(spare_of(sw), signal.SIGKILL)
    hosts[0].ping("10.1.0.2", check=True)
    os.kill(old, signal.SIGKILL)
    new_worker(sw, old)
    wait_for(lambda: hosts[0].ping("10.1.0.2", count=1), SOON_S, "traffic")


def test_a_keeper_that_is_killed_is_told_of(monitored):
    """Nobody has its descriptors any more: the next crash costs what it would without a keeper, no more."""
    sw, hosts = monitored
    old, spare = sw.pid, spare_of(sw)
    children = sh(["ps", "-o", "pid=", "--ppid", str(sw.proc.pid)]).split()
    keeper, = [int(pid) for pid in children if int(pid) not in (old, spare)]
    os.kill(keeper, signal.SIGKILL)
    wait_for(lambda: [line for line in sw.alarms() if "the keeper died, killed" in line], SOON_S, "a line in the log")
    hosts[0].ping("10.1.0.2", check=True)
    os.kill(old, signal.SIGKILL)
    new_worker(sw, old)
    wait_for(lambda: hosts[0].ping("10.1.0.2", count=1), SOON_S, "traffic")


@pytest.mark.alone
def test_a_spare_on_huge_pages():
    """It has packet buffers in its share of what the switch was to take, and leaves room for a successor."""
    try:
        with rig.huge_pages(384) as where:
            spare_takes_over_on(where)
    except SystemExit as e:
        pytest.skip(str(e))


def spare_takes_over_on(where):
    sw, hosts = Switch(args=["--monitor", "--linger-on-request"]), []
    # No page is left beside those that the switch was told to take.
    with open("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", encoding="ascii") as f:
        free_mb = int(f.read()) * 2
    try:
        sw.start()
        sw.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                 "other_config:dpdk-socket-mem=%d" % free_mb, "other_config:dpdk-hugepage-dir=" + where)
        sw.add_bridge("br0")
        for i in (1, 2):
            hosts.append(sw.add_host("br0", "p%d" % i, "10.1.0.%d/24" % i))
        wait_for(lambda: hosts[0].ping("10.1.0.2", count=1), SOON_S, "traffic")
        spare_of(sw)
        with open(sw.log) as f:
            before = f.read()
        assert "--socket-mem %d " % (free_mb - 128) in before
        assert len(re.findall("made .* packet buffers", before)) == 2
        # A restart of the unit: the spare's pages are enough for who takes over.
        sw.appctl("sluice/linger")
        sw.proc.wait(SOON_S)
        sw.start()
        with open(sw.log) as f:
            after = f.read()[len(before):]
        assert ", which lingers" in after and "ending pid" not in after
        # And a crash; the pidfile names the process in front of the switch.
        wait_for(lambda: open(sw.log).read().count("is ready to take over") == 2, SOON_S, "another spare")
        old, spare = sw.pid, spare_of(sw)
        os.kill(old, signal.SIGKILL)
        assert int(sh(["pgrep", "-P", str(new_worker(sw, old))])) == spare
        wait_for(lambda: hosts[0].ping("10.1.0.2", count=1), SOON_S, "traffic")
        with open(sw.log) as f:
            assert "--no-huge" not in f.read()
        # And once more from a stop: all pages have come back.
        sw.stop()
        sw.start()
        wait_for(lambda: hosts[0].ping("10.1.0.2", count=1), SOON_S, "traffic")
        with open(sw.log) as f:
            assert "--no-huge" not in f.read()
    finally:
        for h in hosts:
            h.close()
        sw.close()


def test_nobody_waits_for_the_memory_of_the_dead(monitored):
    """But for what needs it: devices whose registers may be mapped."""
    sw, hosts = monitored
    old, spare = sw.pid, spare_of(sw)
    heir = wait_for(lambda: heir_of(old), SOON_S, "the heir")
    add = None
    os.kill(heir, signal.SIGSTOP)
    try:
        os.kill(old, signal.SIGKILL)
        assert new_worker(sw, old) == spare
        wait_for(lambda: hosts[0].ping("10.1.0.2", count=1), SOON_S, "traffic")
        add = sw.ns.popen(["ovs-vsctl", "--timeout=60", "add-port", "br0", "d0", "--", "set", "Interface", "d0",
                           "type=dpdk", "options:dpdk-devargs=net_null0"], env=sw.env)

        def waits():
            with open(sw.log) as f:
                return "waiting for the memory of the process that died" in f.read()
        wait_for(waits, SOON_S, "the port")
        assert add.poll() is None and os.path.exists("/proc/%d" % heir)
    finally:
        os.kill(heir, signal.SIGCONT)
        if add:
            assert add.wait(60) == 0
    wait_for(lambda: not os.path.exists("/proc/%d" % heir), SOON_S, "the end of the heir")
    assert sw.get("Interface", "d0", "error") == "[]"
    # A planned end leaves nobody behind.
    heir = wait_for(lambda: heir_of(sw.pid), SOON_S, "the new one's heir")
    sw.stop()
    assert not os.path.exists("/proc/%d" % heir)


def test_a_second_crash_waits_for_a_moment_only(monitored):
    """Early crashes in a row wait longer each time: a switch that cannot run does not spin."""
    sw, hosts = monitored
    for _ in range(3):
        old = sw.pid
        os.kill(old, signal.SIGKILL)
        new_worker(sw, old)
    wait_for(lambda: hosts[0].ping("10.1.0.2", count=1), SOON_S, "traffic")
    with open(sw.log) as f:
        waits = re.findall(r"crashed right after its start, waiting (\d+) ms", f.read())
    # A machine that takes ten seconds for one of them ends the row.
    assert waits in (["100", "200"], ["100"], []), waits


def test_flows_of_a_start_up_file_are_there_again(tmp_path):
    """Killed without any controller: what the switch was told at its start is in force again."""
    config = tmp_path / "c.json"
    config.write_text('{"bridges": {"br0": {"fail_mode": "secure", "ports": {}, '
                      '"flows": ["priority=5,arp,actions=NORMAL", "priority=0,actions=drop"]}}}')
    sw = Switch(args=["--monitor", "--config=" + str(config)])
    try:
        sw.start()
        before = sw.flows("br0")
        assert len(before) == 2
        old = sw.pid
        os.kill(old, signal.SIGKILL)
        new_worker(sw, old)
        # The control socket answers before the bridge is there.
        wait_for(lambda: sh(["ovs-ofctl", "show", "br0"], check=False, env=sw.env).returncode == 0,
                 SOON_S, "the bridge")
        wait_for(lambda: sw.flows("br0") == before, SOON_S, "the flows")
    finally:
        sw.close()
