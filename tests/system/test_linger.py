# SPDX-License-Identifier: Apache-2.0
"""--linger: a switch that was told to end forwards on until the next one takes over."""
import glob
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

import pytest

from outage import Outage
from switchlib import Switch, gone, sh, switch_with_two_hosts, wait_for
from testpmd import Testpmd

# Far above what it takes: a machine that runs other tests must not fail here.
SOON_S = 20


def lingering(sw):
    """The control socket's path of the process that lingers, or None."""
    path = sw.dir + "/ovs-vswitchd.lingering"
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
    except OSError:
        return None
    return path


def lingering_pid(sw):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(sw.dir + "/ovs-vswitchd.lingering")
        return struct.unpack("iII", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


def await_end(pid):
    wait_for(lambda: gone(pid), SOON_S, "the end of pid %d" % pid)


def log_of(sw):
    with open(sw.log) as f:
        return f.read()


def refused(sw, pid):
    """Another start finds that the switch runs as 'pid', and leaves it alone."""
    second = sw.ns.popen([sw.binary, "--pidfile", "--no-chdir", *sw.args], env=sw.env,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert b"already running as pid %d" % pid in second.communicate(timeout=SOON_S)[1]
    assert second.returncode == 1 and not gone(pid)


# Listens at argv[1] for a hand-over, says that it does, and hangs.
HANGS = """
import socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind(sys.argv[1])
s.listen(1)
print("ready", flush=True)
conn = s.accept()[0]
time.sleep(600)
"""


# Listens at argv[1], closes the first connection and its socket, and ends some time later; says so in argv[2].
ENDS = """
import os, signal, socket, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
try:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
except PermissionError:
    os.nice(-20)
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(1)
print("ready", flush=True)
s.accept()[0].close()
s.close()
time.sleep(0.5)
open(sys.argv[2], "w").close()
"""


def run_switch(*args):
    sw = None
    try:
        with switch_with_two_hosts("--linger=60", *args) as (sw, hosts):
            yield sw, hosts
    finally:
        if sw and lingering(sw):
            pid = lingering_pid(sw)
            os.kill(pid, signal.SIGTERM)
            await_end(pid)


@pytest.fixture
def plain():
    yield from run_switch()


@pytest.fixture(params=[(), ("--monitor",)], ids=["plain", "monitor"])
def running(request):
    yield from run_switch(*request.param)


def leftovers(sw):
    return [f for f in os.listdir(sw.dir) if re.search(r"\.(ctl|pid|mgmt|snoop|sock)$", f)]


def test_stop_and_start_without_silence(running):
    sw, hosts = running
    sw.ns.run("ip addr add 10.1.0.9/24 dev br0")
    sw.ns.run("ip link set br0 up")
    index = sw.ns.run("cat /sys/class/net/br0/ifindex")
    sw.ofctl("add-flow", "br0", "priority=7,cookie=0x5,arp,actions=NORMAL")
    flows = sw.flows("br0")
    outage = Outage(hosts[0], "10.1.0.2")
    try:
        time.sleep(0.2)
        old = sw.pid
        sw.stop()
        # For whoever asks, the switch has ended.
        assert gone(old) and sw.proc.returncode == 0
        assert leftovers(sw) == []
        # A new flow of traffic is still translated.
        hosts[1].ping("10.1.0.9", count=3, check=True)
        lingerer = lingering_pid(sw)
        sw.start()
        time.sleep(0.2)
        result = outage.finish()
    finally:
        outage.close()
    assert result["lost"] < 500, result
    await_end(lingerer)
    assert lingering(sw) is None
    assert sw.ns.run("cat /sys/class/net/br0/ifindex") == index
    assert sw.flows("br0") == flows
    assert sw.get("Interface", "p1", "ofport") == "1"
    # What is changed now is changed in the new one, by which all is served.
    sw.vsctl("del-port", "br0", "p1")
    assert hosts[0].silent("10.1.0.2", count=1)
    assert not sw.alarms()


def test_ends_by_signal_and_by_a_second_one(running):
    sw, hosts = running
    os.kill(sw.pid, signal.SIGTERM)
    assert sw.proc.wait(10) == -signal.SIGTERM
    wait_for(lambda: lingering(sw), SOON_S, "the socket")
    assert leftovers(sw) == []
    hosts[0].ping("10.1.0.2", count=5, check=True)
    # Nothing answers where the switch would.
    assert sh(["ovs-appctl", "-T", "5", "version"], check=False, env=sw.env).returncode
    pid = lingering_pid(sw)
    sh(["ovs-appctl", "-T", "5", "-t", lingering(sw), "exit"], env=sw.env)
    await_end(pid)
    assert hosts[0].silent("10.1.0.2", count=1)
    assert "br0" not in sw.ns.run("ip -o link show")
    assert glob.glob(sw.dir + "/ovs-vswitchd.*") == [sw.log]
    assert not sw.alarms()


def test_exit_cleanup_ends_at_once(plain):
    sw, hosts = plain
    sw.appctl("exit", "--cleanup")
    assert sw.proc.wait(10) == 0
    assert lingering(sw) is None
    assert "br0" not in sw.ns.run("ip -o link show")


def test_a_crash_is_a_crash(running):
    """The process in the pidfile is killed, as by the kernel, which wants memory: nobody forwards on."""
    sw, hosts = running
    old = sw.pid
    worker = int(sh(["pgrep", "-P", str(old)]))
    os.kill(old, signal.SIGKILL)
    await_end(worker)
    assert lingering(sw) is None
    if "--monitor" in sw.args:
        wait_for(lambda: sw.pid != old and not gone(sw.pid), SOON_S, "another worker")
        # The switch itself crashes: the process in the pidfile tells of it.
        old = sw.pid
        wait_for(lambda: hosts[0].ping("10.1.0.2", count=1), SOON_S, "traffic")
        os.kill(int(sh(["pgrep", "-P", str(old)])), signal.SIGSEGV)
        wait_for(lambda: sw.pid != old and not gone(sw.pid), SOON_S, "another worker")
    else:
        assert sw.proc.wait(10) == -signal.SIGKILL
        sw.start()
    wait_for(lambda: hosts[0].ping("10.1.0.2", count=1), SOON_S, "traffic")


def test_lingering_on_request():
    """What the unit does: a stop ends all, a restart asks first."""
    sw = Switch(args=["--linger-on-request=60"])
    try:
        sw.start()
        sw.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
        sw.stop()
        assert lingering(sw) is None and leftovers(sw) == []
        sw.start()
        old = sw.pid
        sw.appctl("sluice/linger")
        assert sw.proc.wait(SOON_S) == 0 and gone(old)
        pid = lingering_pid(sw)
        sw.args = []
        sw.start()
        await_end(pid)
        answer = sw.appctl("sluice/linger", check=False)
        assert answer.returncode and "needs --linger" in answer.stderr
    finally:
        sw.close()


def test_a_lingering_one_that_is_killed_does_no_harm(plain):
    sw, hosts = plain
    sw.stop()
    pid = lingering_pid(sw)
    os.kill(pid, signal.SIGKILL)
    await_end(pid)
    sw.start()
    wait_for(lambda: hosts[0].ping("10.1.0.2", count=1), SOON_S, "traffic")
    assert not os.path.exists(sw.dir + "/ovs-vswitchd.lingering")
    assert not sw.alarms()


def test_one_that_is_about_to_end_is_waited_for():
    """It has closed its socket, but not given back memory and devices."""
    sw = Switch()
    ending = None
    cpus = os.sched_getaffinity(0)
    try:
        # On one processor whoever accepts goes first, and is heard of before anybody asks further.
        os.sched_setaffinity(0, {max(cpus)})
        ended = sw.dir + "/ended"
        ending = subprocess.Popen([sys.executable, "-c", ENDS, sw.dir + "/ovs-vswitchd.lingering", ended],
                                  stdout=subprocess.PIPE)
        assert ending.stdout.readline() == b"ready\n"
        sw.start()
        assert os.stat(sw.dir + "/ovs-vswitchd.pid").st_mtime_ns >= os.stat(ended).st_mtime_ns
        assert ending.wait(SOON_S) == 0
    finally:
        os.sched_setaffinity(0, cpus)
        if ending is not None and ending.poll() is None:
            ending.kill()
            ending.wait()
        sw.close()


def test_without_room_for_two_it_is_a_start(plain):
    """EAL's --legacy-mem keeps files that belong to one process."""
    sw, hosts = plain
    sw.ofctl("add-flow", "br0", "priority=7,cookie=0x5,arp,actions=NORMAL")
    sw.stop()
    pid = lingering_pid(sw)
    with open(sw.dir + "/ovs-vswitchd.dpdk", "w") as f:
        f.write("huge\0dpdk-extra\0--legacy-mem\0")
    sw.start()
    assert gone(pid)
    with open(sw.log) as f:
        assert "ending pid %d, which lingers: there is no memory for two" % pid in f.read()
    wait_for(lambda: hosts[0].ping("10.1.0.2", count=1), SOON_S, "traffic")
    assert "cookie=0x5" not in "".join(sw.flows("br0"))
    assert not sw.alarms()


def test_what_dpdk_cannot_do_beside_it_is_done_afterwards(plain):
    """EAL starts once in a process: a try that fails must not be the start's."""
    sw, hosts = plain
    sw.stop()
    pid = lingering_pid(sw)
    with open(sw.dir + "/ovs-vswitchd.dpdk", "w") as f:
        f.write("ordinary\0dpdk-extra\0--no-such-option\0")
    sw.start()
    assert gone(pid)
    assert "ending pid %d, which lingers: DPDK does not start beside it" % pid in log_of(sw)
    wait_for(lambda: hosts[0].ping("10.1.0.2", count=1), SOON_S, "traffic")


def test_a_successor_that_dies_does_no_harm(plain):
    """It asks and then does not go on; the next one does."""
    sw, hosts = plain
    sw.ofctl("add-flow", "br0", "priority=7,cookie=0x5,arp,actions=NORMAL")
    flows = sw.flows("br0")
    sw.stop()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    path = sw.dir + "/successor"
    listener.bind(path)
    listener.listen(1)
    sh(["ovs-appctl", "-T", "5", "-t", lingering(sw), "sluice/hand-over", path], env=sw.env)
    conn = listener.accept()[0]
    while conn.recv(64)[:1] != b"E":
        pass
    # While it might, nobody else starts, and nobody ends the one that forwards.
    refused(sw, lingering_pid(sw))
    conn.close()
    wait_for(lambda: "did not take over; going on" in log_of(sw), SOON_S, "the end of the takeover")
    wait_for(lambda: lingering(sw), SOON_S, "the socket")
    hosts[0].ping("10.1.0.2", count=5, check=True)
    sw.start()
    assert sw.flows("br0") == flows
    hosts[0].ping("10.1.0.2", count=5, check=True)


@pytest.mark.parametrize("kind", ["linger", "takeover"])
def test_a_successor_that_hangs_is_ended(kind):
    """The old one's clock is moved on; it is one process then as before."""
    sw = Switch(args=["--enable-dummy"] + (["--linger=60"] if kind == "linger" else []))
    hung = None
    try:
        sw.start()
        sw.add_bridge("br0")
        old = sw.pid
        control = "%s/ovs-vswitchd.%d.ctl" % (sw.dir, old)
        if kind == "linger":
            sw.stop()
            control = lingering(sw)
            old = lingering_pid(sw)
        path = sw.dir + "/successor"
        hung = subprocess.Popen([sys.executable, "-c", HANGS, path], stdout=subprocess.PIPE)
        assert hung.stdout.readline() == b"ready\n"
        sh(["ovs-appctl", "-T", "5", "-t", control, "sluice/hand-over", path], env=sw.env)
        wait_for(lambda: lingering(sw) and not glob.glob(sw.dir + "/*.pid"), SOON_S, "the hand-over")
        refused(sw, old)
        assert hung.poll() is None
        wait_for(lambda: "handing over" in log_of(sw), SOON_S, "the hand-over")
        sh(["ovs-appctl", "-T", "5", "-t", lingering(sw), "time/warp", "31000"], env=sw.env)
        assert hung.wait(10) == -signal.SIGKILL
        wait_for(lambda: "did not take over; going on" in log_of(sw), SOON_S, "the end of it")
        assert not gone(old)
        if kind == "linger":
            assert lingering_pid(sw) == old
        else:
            wait_for(lambda: os.path.exists(sw.dir + "/ovs-vswitchd.pid"), SOON_S, "the pidfile")
            assert sw.vsctl("list-br").split() == ["br0"] and lingering(sw) is None
    finally:
        if hung is not None and hung.poll() is None:
            hung.kill()
        pid = lingering_pid(sw) if lingering(sw) else None
        sw.close()
        if pid is not None and not gone(pid):
            os.kill(pid, signal.SIGTERM)
            await_end(pid)


def test_guests_stay_with_the_old_one_until_the_new_one_is_there(plain):
    """A peer on virtio-user; flows that are to be restored first keep the new one waiting."""
    sw, hosts = plain
    path = sw.dir + "/vm.sock"
    sw.vsctl("add-port", "br0", "vm", "--", "set", "Interface", "vm", "type=dpdkvhostuserclient",
             "options:vhost-server-path=" + path)
    peer = Testpmd(path, server=True, mode="icmpecho")
    try:
        peer.ready()
        wait_for(lambda: hosts[0].ping("10.1.0.99", count=1), SOON_S, "traffic")
        sw.stop()
        hosts[0].ping("10.1.0.99", count=5, check=True)
        # One that dies has not taken the guest away.
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(sw.dir + "/successor")
        listener.listen(1)
        sh(["ovs-appctl", "-T", "5", "-t", lingering(sw), "sluice/hand-over", sw.dir + "/successor",
            "late-guests"], env=sw.env)
        conn = listener.accept()[0]
        while conn.recv(64)[:1] != b"E":
            pass
        conn.sendall(b"C")
        assert conn.recv(64) == b"C"
        assert hosts[0].silent("10.1.0.99", count=1)
        conn.close()
        wait_for(lambda: hosts[0].ping("10.1.0.99", count=1), SOON_S, "traffic")
        lingerer = lingering_pid(sw)
        sw.start()
        wait_for(lambda: hosts[0].ping("10.1.0.99", count=1), SOON_S, "traffic")
        await_end(lingerer)
        sw.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:flow-restore-wait=true")
        sw.stop()
        sw.start()
        hosts[0].ping("10.1.0.99", count=5, check=True)
        sw.vsctl("remove", "Open_vSwitch", ".", "other_config", "flow-restore-wait=true")
        wait_for(lambda: lingering(sw) is None, SOON_S, "the end of the old one")
        wait_for(lambda: hosts[0].ping("10.1.0.99", count=1), SOON_S, "traffic")
        with open(sw.log) as f:
            assert "not kept" not in f.read()
    finally:
        peer.kill()
    # The last relay takes the directory along.
    sw.vsctl("del-port", "br0", "vm")
    wait_for(lambda: not os.path.exists(sw.dir + "/vhost-relay"), SOON_S, "the relay's directory")


def test_time_is_up_and_the_directory_goes():
    sw = Switch(args=["--linger=1"])
    try:
        sw.start()
        sw.add_bridge("br0")
        sw.stop()
        pid = lingering_pid(sw)
        await_end(pid)
        assert glob.glob(sw.dir + "/ovs-vswitchd.*") == [sw.log]
        with open(sw.log) as f:
            assert "lingering ends: nobody has taken over" in f.read()
        sw.args = ["--linger=60"]
        sw.start()
        sw.stop()
        # Another switch begins without asking, or nobody can find this one any more.
        pid = lingering_pid(sw)
        with open(sw.dir + "/ovs-vswitchd.pid", "w") as f:
            f.write("1\n")
        await_end(pid)
        sw.start()
        sw.stop()
        pid = lingering_pid(sw)
        os.unlink(sw.dir + "/ovs-vswitchd.lingering")
        await_end(pid)
        # Without a bridge there is nothing to go on with.
        sw.start()
        sw.vsctl("del-br", "br0")
        sw.stop()
        assert lingering(sw) is None
        assert not sw.alarms()
    finally:
        sw.close()


def test_flows_that_others_restore_are_not_kept(plain):
    """As ovs-ctl restart does it: the saved flows come from its files, and until then the old process
    forwards by those that it has."""
    sw, hosts = plain
    sw.ofctl("-O", "OpenFlow15", "add-group", "br0", "group_id=4,type=all,bucket=actions=NORMAL")
    sw.ofctl("add-flow", "br0", "priority=7,cookie=0x5,actions=NORMAL")
    sw.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:flow-restore-wait=true")
    sw.stop()
    lingerer = lingering_pid(sw)
    sw.start()
    fresh = ["priority=0 actions=NORMAL"]  # of a bridge without a controller
    assert sw.flows("br0") == fresh
    assert "group_id" not in sw.ofctl("-O", "OpenFlow15", "dump-groups", "br0")
    hosts[0].ping("10.1.0.2", count=5, check=True)
    assert not gone(lingerer)
    sw.ofctl("add-flow", "br0", "priority=8,cookie=0x6,actions=NORMAL")
    sw.vsctl("remove", "Open_vSwitch", ".", "other_config", "flow-restore-wait=true")
    await_end(lingerer)
    assert sw.flows("br0") == ["cookie=0x6, priority=8 actions=NORMAL", *fresh]
    hosts[0].ping("10.1.0.2", count=5, check=True)
    assert not sw.alarms()
