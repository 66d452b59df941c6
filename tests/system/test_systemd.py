# SPDX-License-Identifier: Apache-2.0
"""The unit under a systemd that runs: start, readiness, limits, restart, watchdog, stop."""
import os
import re

import pytest

from machine import NoSystemd, SystemdMachine
from switchlib import ROOT, wait_for
from test_vhost_relay import is_open
from vhost_frontend import Driver

# linux/capability.h
CAP_NET_ADMIN, CAP_SYS_MODULE, CAP_SYS_PTRACE, CAP_SYS_BOOT = 12, 16, 19, 22
CONFIG = {"other_config": {"dpdk-init": True, "dpdk-extra": "--no-huge -m 64"},
          "bridges": {"br0": {
              "ports": {"p1": {"type": "internal"}, "eth9": {},
                        "v1": {"type": "dpdkvhostuserclient",
                               "options": {"vhost-server-path": "/tmp/v1"}}},
              "flows": ["in_port=p1,actions=eth9"]}}}
LINGERING = "test -e /run/openvswitch/ovs-vswitchd.lingering"


@pytest.fixture
def machine():
    """A machine with what 'make install' puts there."""
    try:
        m = SystemdMachine()
    except NoSystemd as e:
        pytest.skip(str(e))
    try:
        m.install_service()
        m.configure(CONFIG)
        m.run("ip link add eth9 type veth peer name eth8; ip link set eth8 up; ip link set eth9 up")
        m.run("systemctl daemon-reload")
        yield m
    finally:
        m.close()


def show(m, name):
    return m.out("systemctl show -P %s sluiced" % name)


def drop_in(m, text):
    m.run("mkdir -p /etc/systemd/system/sluiced.service.d")
    with open(m.path("/etc/systemd/system/sluiced.service.d/test.conf"), "w", encoding="utf-8") as f:
        f.write(text)
    m.run("systemctl daemon-reload")


def options(m, more):
    """The options of the service besides --config."""
    with open(os.path.join(ROOT, "build", "conf", "sluiced.service"), encoding="utf-8") as f:
        settings = re.search("^EnvironmentFile=-(.*)", f.read(), re.M)[1]
    m.run("sed -i 's|^SLUICED_OPTIONS=.*|SLUICED_OPTIONS=%s --config=%s|' %s" % (more, m.config, settings))


def pidfile(m):
    return m.out("cat /run/openvswitch/ovs-vswitchd.pid")


def log(m):
    return m.out("cat /var/log/sluice/ovs-vswitchd.log")


def relays(m):
    return set(m.out("pgrep -f [s]luice-vhost-relay", check=False).split())


def connect(m):
    """A front-end at v1, with its link up."""
    guest = Driver(m.path("/tmp/v1"), listen=True)
    wait_for(lambda: m.out("ovs-vsctl get interface v1 link_state") == "up", timeout=5, what="v1")
    return guest


def forwards(m):
    """Whether frames that go into p1 come out of eth9."""
    sent = int(m.out("cat /sys/class/net/eth8/statistics/rx_packets"))
    m.run("ip link set p1 up; python3 -c \"import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW);"
          " s.bind(('p1', 0)); s.send(bytes(12) + b'\\x08\\x00' + bytes(50))\"")
    try:
        wait_for(lambda: int(m.out("cat /sys/class/net/eth8/statistics/rx_packets")) > sent,
                 timeout=1, what="a frame at eth8")
    except AssertionError:
        return False
    return True


def until_forwarding(m, but_not=None):
    """The main process, once it is another one than 'but_not' and forwards."""
    wait_for(lambda: show(m, "StatusText") == "Forwarding" and show(m, "ActiveState") == "active"
             and show(m, "MainPID") not in ("0", but_not), timeout=20, what="the service")
    wait_for(lambda: forwards(m), timeout=10, what="frames")
    return show(m, "MainPID")


def test_it_starts_restarts_and_stops(machine):
    m = machine
    m.run("systemctl start sluiced")
    # Readiness is the daemon's word, so all is there when the start returns.
    assert show(m, "ActiveState") == "active" and show(m, "StatusText") == "Forwarding"
    assert forwards(m)
    first = show(m, "MainPID")
    # The main process is the monitor, the pidfile has its child that switches.
    assert m.out("ps -o ppid= -p " + pidfile(m)) == first
    assert m.out("readlink /proc/%s/exe" % first).endswith("/sbin/sluiced")
    assert "actions=output" in m.out("ovs-ofctl dump-flows br0")
    guest = connect(m)
    kept = relays(m)
    assert len(kept) == 1

    # The unit's limits are in force, and nothing of what the switch does is against them.
    status = m.out("cat /proc/%s/status" % first)
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status
    bounding = int(re.search(r"CapBnd:\t(\w+)", status)[1], 16)
    assert bounding >> CAP_NET_ADMIN & 1
    assert not bounding & (1 << CAP_SYS_MODULE | 1 << CAP_SYS_PTRACE | 1 << CAP_SYS_BOOT)
    assert m.run("nsenter -t %s -m touch /usr/x" % first, check=False).returncode, "ProtectSystem"
    assert not re.search(r"\|(WARN|ERR|EMER)\|", log(m)), log(m)

    # logrotate's way, by the unit's ExecReload.
    m.run("mv /var/log/sluice/ovs-vswitchd.log /var/log/sluice/old && systemctl reload sluiced"
          " && test -e /var/log/sluice/ovs-vswitchd.log")

    # A restart has another process, and the old one forwards until it does; the relay is the same one,
    # so the guest stays connected.
    device = m.out("cat /sys/class/net/p1/ifindex")
    m.run("systemctl restart sluiced")
    second = until_forwarding(m)
    assert second != first and relays(m) == kept and is_open(guest)
    assert show(m, "NRestarts") == "0"
    assert log(m).count("|lingering: ") == 1 and ", which lingers" in log(m)
    assert m.out("cat /sys/class/net/p1/ifindex") == device
    wait_for(lambda: m.run(LINGERING, check=False).returncode,
             timeout=10, what="the end of the old switch")
    guest.close()

    # A stop is one.
    m.run("systemctl stop sluiced")
    assert log(m).count("|lingering: ") == 1
    assert show(m, "ActiveState") == "inactive" and show(m, "Result") == "success"
    assert m.run("test -e /run/openvswitch/ovs-vswitchd.pid", check=False).returncode
    assert m.run("ip link show p1", check=False).returncode
    wait_for(lambda: not m.out("pgrep -x sluiced", check=False), timeout=2, what="the last process")
    # The database is there, so the next start has the bridges without the file as well.
    m.configure({})
    m.run("systemctl start sluiced")
    assert "br0" in m.out("ovs-vsctl list-br")


def test_the_monitor_starts_again_what_crashes_or_hangs(machine):
    m = machine
    drop_in(m, "[Service]\nWatchdogSec=2\n")
    m.run("systemctl start sluiced")
    monitor = until_forwarding(m)
    guest = connect(m)
    kept = relays(m)
    m.run("ovs-ofctl add-flow br0 cookie=0x77,priority=7,arp,actions=drop")
    device = m.out("cat /sys/class/net/p1/ifindex")

    def comes_back(signal):
        switch = pidfile(m)
        # The pidfile has the process in front; what hangs is the one behind it.
        m.run("kill -%s %s" % (signal, switch if signal == "KILL" else m.out("pgrep -P " + switch)))
        wait_for(lambda: pidfile(m) not in ("", switch) and show(m, "StatusText") == "Forwarding"
                 and m.out("ovs-ofctl dump-flows br0 cookie=0x77/-1 | grep -c cookie", check=False) == "1",
                 timeout=20, what="the switch after SIG" + signal)
        assert forwards(m)
        # For systemd nothing has happened, and to peers little.
        assert show(m, "NRestarts") == "0" and show(m, "MainPID") == monitor
        assert m.out("cat /sys/class/net/p1/ifindex") == device
        assert relays(m) == kept and is_open(guest)

    comes_back("KILL")
    comes_back("STOP")  # It is not heard of, so the monitor aborts it.
    assert "hangs, aborting it" in log(m)

    # A switch without its monitor is none: systemd would start another beside it.
    switch = pidfile(m)
    m.run("kill -9 " + monitor)
    until_forwarding(m, but_not=monitor)
    assert show(m, "NRestarts") == "1" and pidfile(m) != switch and relays(m) == kept
    guest.close()
    m.run("systemctl stop sluiced")
    wait_for(lambda: not m.out("pgrep -x sluiced", check=False), timeout=2, what="the last process")
    assert m.run("ip link show p1", check=False).returncode


def test_it_comes_back_from_a_crash_and_a_hang_without_a_monitor(machine):
    m = machine
    options(m, "")
    drop_in(m, "[Service]\nWatchdogSec=2\n")
    m.run("systemctl start sluiced")
    first = until_forwarding(m)
    assert pidfile(m) == first
    guest = connect(m)
    kept = relays(m)
    m.run("kill -9 " + first)
    second = until_forwarding(m, but_not=first)
    assert show(m, "NRestarts") == "1"
    # One that hangs is not fed, and goes the same way.
    m.run("kill -STOP " + second)
    third = until_forwarding(m, but_not=second)
    assert show(m, "NRestarts") == "2" and third != second
    assert relays(m) == kept and is_open(guest)
    guest.close()
    assert "actions=output" in m.out("ovs-ofctl dump-flows br0")


def test_a_stop_in_the_midst_of_a_restart_is_a_stop(machine):
    """It replaces the restart when the old switch was already asked to forward on."""
    m = machine
    drop_in(m, "[Service]\nExecStop=-/bin/sh -c 'while test -e /run/hold; do sleep 0.02; done'\n")
    m.run("systemctl start sluiced; touch /run/hold; systemctl --no-block restart sluiced")
    wait_for(lambda: not m.run(LINGERING, check=False).returncode, timeout=10, what="one that lingers")
    m.run("systemctl --no-block stop sluiced")
    wait_for(lambda: " stop " in m.out("systemctl list-jobs --plain --no-legend sluiced.service"),
             timeout=5, what="the stop")
    assert forwards(m)
    m.run("rm /run/hold")
    wait_for(lambda: show(m, "ActiveState") == "inactive", timeout=15, what="the end of the service")
    wait_for(lambda: not m.out("pgrep -x sluiced", check=False), timeout=2, what="the last process")
    assert m.run(LINGERING, check=False).returncode
    assert m.run("ip link show p1", check=False).returncode


def test_a_restart_whose_start_fails_leaves_the_old_one_to_the_next_start(machine):
    m = machine
    m.run("systemctl start sluiced")
    m.run("ovs-ofctl add-flow br0 cookie=0x77,priority=7,arp,actions=drop")
    m.configure('{"bridges": {"br0": {"prots": {}}}}')
    m.run("systemctl restart sluiced", check=False)
    wait_for(lambda: "prots" in log(m), timeout=5, what="the error")
    assert forwards(m)
    m.configure(CONFIG)
    # Its own next try may be under way with what stood there before, and this would wait for that one.
    again = "systemctl reset-failed sluiced; systemctl start sluiced"
    m.run("{ %s; } || { %s; }" % (again, again))
    until_forwarding(m)
    assert "taking over from pid" in log(m)
    wait_for(lambda: m.run(LINGERING, check=False).returncode, timeout=10, what="the end of the old switch")


@pytest.mark.parametrize("monitor", ["", "--monitor"], ids=["plain", "monitor"])
def test_one_that_lingers_is_stopped_and_forwards_on(machine, monitor):
    m = machine
    options(m, monitor + " --linger=60")
    drop_in(m, "[Service]\nWatchdogSec=2\n")
    m.run("systemctl start sluiced")
    first = until_forwarding(m)
    assert (pidfile(m) == first) != bool(monitor)
    if not monitor:
        m.run("sleep 3")
        assert show(m, "NRestarts") == "0"  # The watchdog is fed through the process in front.
    guest = connect(m)
    kept = relays(m)

    m.run("systemctl stop sluiced")
    assert show(m, "ActiveState") == "inactive" and show(m, "Result") == "success"
    assert m.run("ovs-vsctl --timeout=2 show", check=False).returncode
    assert forwards(m) and is_open(guest)
    m.run("systemctl start sluiced")
    second = until_forwarding(m)
    assert second != first and relays(m) == kept and is_open(guest)
    third = second
    if not monitor:
        m.run("systemctl restart sluiced")
        third = until_forwarding(m, but_not=second)
    wait_for(lambda: m.run(LINGERING, check=False).returncode,
             timeout=10, what="the end of the old switch")
    m.run("kill -9 " + third)
    until_forwarding(m, but_not=third)
    assert show(m, "NRestarts") == "1" and relays(m) == kept
    guest.close()
    m.run("systemctl stop sluiced;"
          " ovs-appctl -T 5 -t /run/openvswitch/ovs-vswitchd.lingering exit")
    wait_for(lambda: m.run("ip link show p1", check=False).returncode, timeout=10, what="the end")


def test_a_bad_file_is_an_error_of_the_start(machine):
    m = machine
    m.configure('{"bridges": {"br0": {"prots": {}}}}')
    assert m.run("systemctl start sluiced", check=False).returncode == 1
    assert "prots" in log(m)
    m.run("systemctl stop sluiced")
    m.configure(CONFIG)
    m.run("systemctl start sluiced")
    assert forwards(m)
