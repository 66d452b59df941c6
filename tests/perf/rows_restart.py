# SPDX-License-Identifier: Apache-2.0
"""Rows of the restart: milliseconds without an answer to a ping each millisecond while the switch
is stopped and started, crashes under --monitor (by SIGSEGV, and Sluice also by SIGKILL), hands over to
another process (Sluice only), or is restarted by ovs-ctl or as a unit of systemd (Sluice only); from a namespace to another one, and to a guest's stand-in."""
import os
import shutil
import signal
import statistics
import time

import rig
from guests import Guest
from machine import Machine, NoSystemd, SystemdMachine
from outage import Outage
from row import Metric, Row
from switchlib import GENUINE, SLUICED, Host, wait_for
from testpmd import Testpmd

ADDRESS, GUEST = "10.1.0.2", "10.1.0.99"
CTL = "/usr/share/openvswitch/scripts/ovs-ctl --system-id=random --no-record-hostname "


def silence(host, address, act):
    """The longest time between two answers while 'act' runs and until answers come again."""
    outage = Outage(host, address)
    try:
        time.sleep(0.3)
        act()
        wait_for(lambda: Host.ping(host, address, count=1, timeout=1), 20, "answers")
        time.sleep(0.3)
        result = outage.finish()
    finally:
        outage.close()
    if not result["received"]:
        raise rig.switchlib.Failed("no answers")
    return result["silence_ms"]


def start_again(sw, *args):
    """Starts the daemon; the database's server has stayed."""
    sw.args = list(args)
    sw._start_server = lambda: None
    sw.start()


def stop_and_start(sw):
    sw.stop()
    start_again(sw)


def crash(sw, signum):
    """SIGSEGV for both switches: ovs-vswitchd's monitor does not come back from SIGKILL."""
    old = sw.pid
    os.kill(old, signum)

    def replaced():
        try:
            return sw.pid != old
        except (OSError, ValueError):
            return False
    wait_for(replaced, 20, "another worker")


def repeats(options):
    """Several in a run make up for few rounds."""
    return 3 if options.rounds < 3 else 1


def measure(sw, host, address, n):
    """Each way of a restart, the median of 'n'; crashes are one per monitor, which delays more."""
    answer = {"stop": statistics.median(silence(host, address, lambda: stop_and_start(sw))
                                        for _ in range(n))}
    if sw.kind == "sluice":
        answer["takeover"] = statistics.median(silence(host, address, sw.take_over)
                                               for _ in range(n))
    answer["crash"] = crashing(sw, host, address, signal.SIGSEGV)
    if sw.kind == "sluice":
        answer["kill"] = crashing(sw, host, address, signal.SIGKILL)
    if sw.kind == "sluice":
        answer["linger"] = lingering(sw, host, address, n)
    return answer


def crashing(sw, host, address, signum):
    sw.stop()
    start_again(sw, "--monitor")
    wait_for(lambda: Host.ping(host, address, count=1, timeout=1), 20, "answers")
    time.sleep(3)  # a spare process is ready by then
    return silence(host, address, lambda: crash(sw, signum))


def lingering(sw, host, address, n):
    """Stop and start of a switch that was asked to forward on meanwhile."""
    def again(*args):
        sw.stop()
        start_again(sw, *args)
    again("--linger")
    wait_for(lambda: Host.ping(host, address, count=1, timeout=1), 20, "answers")
    answer = statistics.median(silence(host, address, lambda: again("--linger"))
                               for _ in range(n))
    again()  # that one ends when it is told to
    return answer


def between_hosts(sw, options):
    hosts = []
    try:
        sw.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
        for i in (1, 2):
            hosts.append(sw.add_host("br0", "p%d" % i, "10.1.0.%d/24" % i))
        wait_for(lambda: hosts[0].ping(ADDRESS, count=1), 20, "traffic")
        return measure(sw, hosts[0], ADDRESS, repeats(options))
    finally:
        for h in hosts:
            h.close()


def to_guest(sw, options):
    """testpmd answers pings behind a vhost-user port; it listens, as QEMU does."""
    made = []
    try:
        sw.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
        host = sw.add_host("br0", "p1", "10.1.0.1/24")
        made.append(host.close)
        peer = Testpmd(sw.vhost("vm"), server=True, mode="icmpecho")
        made.append(peer.kill)
        peer.ready()
        wait_for(lambda: host.ping(GUEST, count=1), 20, "traffic")
        return measure(sw, host, GUEST, repeats(options))
    finally:
        for close in reversed(made):
            close()


def to_real_guest(sw, options):
    """A Linux guest in QEMU: the silence, and how often its link went down or up meanwhile."""
    made = []

    def flaps():
        return int(guest.sh("cat /sys/class/net/eth0/carrier_changes").strip())
    try:
        sw.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
        host = sw.add_host("br0", "p1", "10.1.0.1/24")
        made.append(host.close)
        guest = Guest(sw.dir, 1, [sw.vhost("vm")], [GUEST + "/24"])
        made.append(guest.close)
        guest.launch()
        guest.start()
        wait_for(lambda: host.ping(GUEST, count=1), 20, "traffic")
        before = flaps()
        answer = measure(sw, host, GUEST, n=1)
        answer["flaps"] = flaps() - before
        return answer
    finally:
        for close in reversed(made):
            close()


def by_ovs_ctl(sw, options):
    """Debian's script with its ovsdb-server and its saving of flows, on a machine of its own; the
    daemon has no huge pages there, and Open vSwitch does not start DPDK at all."""
    m, hosts = Machine(), []
    try:
        m.run("rm -rf /etc/openvswitch/* /var/lib/openvswitch/* /var/log/openvswitch/*")
        shutil.copy(SLUICED if sw.kind == "sluice" else GENUINE, m.path("/usr/sbin/bench-switch"))
        m.run("ln -sf bench-switch /usr/sbin/ovs-vswitchd; %s start" % CTL, timeout=60)
        # The bench's pages are out of reach there.
        m.run("ovs-vsctl --timeout=10 --no-wait set Open_vSwitch ."
              " other_config:dpdk-extra='--no-huge -m 512'")
        m.run("ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=netdev")
        for i in (1, 2):
            hosts.append(m.add_host(i))
        wait_for(lambda: Host.ping(hosts[0], ADDRESS, count=1), 20, "traffic")
        return {"restart": silence(hosts[0], ADDRESS,
                                   lambda: m.run(CTL + "restart", timeout=60))}
    finally:
        for h in hosts:
            h.close()
        m.close()


UNIT = {"other_config": {"dpdk-init": True, "dpdk-extra": "--no-huge -m 512"},
        "bridges": {"br0": {}}}


def by_systemd(sw, options):
    """The unit as it is installed, in a machine with systemd, without huge pages: its restart, kill -9
    of the switch, of which its monitor takes care, and of the monitor, of which systemd does."""
    if sw.kind != "sluice":
        return {}
    try:
        m, hosts = SystemdMachine(), []
    except NoSystemd as e:
        raise rig.switchlib.Failed(str(e)) from e

    def pids():
        return m.out("systemctl show -P MainPID sluiced"), \
            m.out("cat /run/openvswitch/ovs-vswitchd.pid", check=False)

    def kill(which):
        before = pids()[which]
        m.run("kill -9 " + before)
        wait_for(lambda: pids()[which] not in (before, "0", ""), 20, "another process")
    try:
        m.install_service()
        m.configure(UNIT)
        m.run("systemctl daemon-reload; systemctl start sluiced", timeout=60)
        for i in (1, 2):
            hosts.append(m.add_host(i))
        wait_for(lambda: Host.ping(hosts[0], ADDRESS, count=1), 20, "traffic")
        time.sleep(3)  # a spare process is ready by then
        answer = {"restart": silence(hosts[0], ADDRESS,
                                     lambda: m.run("systemctl restart sluiced", timeout=60))}
        for key, which in (("kill", 1), ("kill-monitor", 0)):
            time.sleep(3)
            answer[key] = silence(hosts[0], ADDRESS, lambda which=which: kill(which))
        return answer
    finally:
        for h in hosts:
            h.close()
        m.close()


def metrics(where):
    return [Metric("stop", "silence, ms: stop and start, " + where, "ms", goal=50),
            Metric("crash", "silence, ms: crash under --monitor, " + where, "ms", goal=50),
            Metric("kill", "silence, ms: kill -9 under --monitor, " + where, "ms", goal=50),
            Metric("takeover", "silence, ms: --takeover, " + where, "ms", goal=50),
            Metric("linger", "silence, ms: stop and start with --linger, " + where, "ms", goal=50)]


ROWS = [
    Row("restart-hosts", metrics("namespaces"), between_hosts, limit=90, takes=(12, 6)),
    Row("restart-virtio-user", metrics("virtio-user"), to_guest, limit=120, takes=(13, 8)),
    Row("restart-guest", [Metric("stop", "silence, ms: stop and start, Linux guest", "ms", goal=300),
                          Metric("crash", "silence, ms: crash, Linux guest", "ms", goal=300),
                          Metric("kill", "silence, ms: kill -9 under --monitor, Linux guest", "ms",
                                 goal=300),
                          Metric("takeover", "silence, ms: --takeover, Linux guest", "ms", goal=300),
                          Metric("linger", "silence, ms: stop and start with --linger, Linux guest",
                                 "ms", goal=300),
                          Metric("flaps", "changes of the guest's link over all that", "")],
        to_real_guest, limit=120, takes=(23, 13)),
    Row("restart-ovs-ctl", [Metric("restart", "silence, ms: ovs-ctl restart, namespaces", "ms")],
        by_ovs_ctl, limit=120, takes=(2, 2)),
    Row("restart-unit", [Metric("restart", "silence, ms: systemctl restart, namespaces", "ms", goal=50),
                         Metric("kill", "silence, ms: kill -9 of the unit's switch", "ms", goal=50),
                         Metric("kill-monitor", "silence, ms: kill -9 of the unit's monitor", "ms",
                                goal=50)],
        by_systemd, limit=120, takes=(15, 1)),
]
