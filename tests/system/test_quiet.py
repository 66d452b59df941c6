# SPDX-License-Identifier: Apache-2.0
"""Where nothing is wrong the log has no WARN and no ERR, and standard error has nothing at all: a full
day of a switch, on both faces of the database, with the options that service scripts give."""
import os
import subprocess
import time

import pytest

from osken import OsKen
from switchlib import GENUINE, SLUICED, sh, wait_for

KIND = os.environ.get("SWITCH_KIND", "sluice")
DAEMON = SLUICED if KIND == "sluice" else GENUINE
# As ovs-ctl starts the daemon, and those of its options that operators add.
OPTIONS = ["-vconsole:emer", "-vsyslog:err", "-vfile:info", "--mlockall", "--no-self-confinement",
           "--overwrite-pidfile", "--monitor", "--detach"]


class Service:
    """The daemon as a service: detached, under its monitor."""

    def __init__(self, switch, face):
        self.sw, self.face = switch, face
        cmd = [DAEMON] + OPTIONS + [
            "--no-chdir", "--log-file=" + switch.log, "--pidfile=%s/ovs-vswitchd.pid" % switch.dir,
            "--unixctl=%s/ovs-vswitchd.ctl" % switch.dir]
        if face == "stock":
            switch._start_server()
            cmd.insert(1, "unix:%s/db.sock" % switch.dir)
        with open(switch.dir + "/out", "wb") as out:
            p = subprocess.run(["ip", "netns", "exec", switch.ns.name] + cmd, env=switch.env,
                               timeout=60, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        assert p.returncode == 0, self.said()

    def said(self):
        with open(self.sw.dir + "/out") as f:
            return f.read()

    def appctl(self, *args):
        return subprocess.run(["ovs-appctl", "-T", "10", "-t", self.sw.dir + "/ovs-vswitchd.ctl"]
                              + list(args), env=self.sw.env, text=True, timeout=30,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True).stdout

    def pids(self):
        out = subprocess.run(["ip", "netns", "pids", self.sw.ns.name], stdout=subprocess.PIPE,
                             text=True).stdout
        server = self.sw.server.pid if self.sw.server else None
        return [int(p) for p in out.split() if int(p) != server]

    def stop(self):
        self.appctl("exit")
        wait_for(lambda: self.pids() == [], 20, "the daemon and its monitor to end")


@pytest.fixture(params=["embedded", "stock"])
def service(request, make_switch):
    if KIND == "ovs" and request.param == "embedded":
        pytest.skip("genuine Open vSwitch has one face")
    sw = make_switch(kind="ovs", binary=DAEMON, start=False)
    s = Service(sw, request.param)
    yield s
    for pid in s.pids():
        os.kill(pid, 9)
    wait_for(lambda: s.pids() == [], 10, "everything to be gone")


def configure(sw, hosts):
    """Bridges, VLANs, a patch, a bond, a mirror, and what comes with them."""
    sw.add_bridge("br0", "other_config:hwaddr=02:00:00:00:00:01")
    sw.add_bridge("br1", "other_config:hwaddr=02:00:00:00:00:02", "protocols=OpenFlow10,OpenFlow13")
    for i, tag in ((1, 0), (2, 0), (3, 7), (4, 7)):
        hosts.append(sw.add_host("br0", "p%d" % i, "10.0.%d.%d/24" % (tag, i),
                                 *(["tag=%d" % tag] if tag else [])))
    sw.vsctl("add-port", "br0", "x0", "--", "set", "interface", "x0", "type=patch",
             "options:peer=x1", "--", "add-port", "br1", "x1", "--", "set", "interface", "x1",
             "type=patch", "options:peer=x0")
    hosts.append(sw.add_host("br1", "p5", "10.0.0.5/24"))
    sw.vsctl("add-port", "br1", "i0", "--", "set", "interface", "i0", "type=internal",
             "mtu_request=1400")
    # What a mirror's port sends is dropped with a warning: this one is down and sends nothing.
    sw.vsctl("add-port", "br0", "m0", "--", "set", "interface", "m0", "type=internal")
    sw.vsctl("--", "set", "bridge", "br0", "mirrors=@m", "--", "--id=@i", "get", "port", "p2",
             "--", "--id=@o", "get", "port", "m0", "--", "--id=@m", "create", "mirror", "name=m",
             "select-src-port=@i", "output-port=@o")


def reach(host, address):
    """Traffic passes; how fast is not the question here."""
    wait_for(lambda: host.ping(address, count=2), 30, "%s to answer" % address)


def exercise(sw, hosts, service):
    h1, h2, h3, h4, h5 = hosts
    reach(h1, "10.0.0.2")
    reach(h1, "10.0.0.5")
    reach(h3, "10.0.7.4")
    sw.ofctl("-O", "OpenFlow13", "add-group", "br1", "group_id=1,type=select,bucket=actions=normal")
    sw.ofctl("-O", "OpenFlow13", "add-meter", "br1", "meter=1,kbps,band=type=drop,rate=100000")
    sw.ofctl("-O", "OpenFlow13", "add-flow", "br1", "priority=9,icmp actions=meter:1,group:1")
    sw.ofctl("--bundle", "replace-flows", "br0", "-", input="actions=normal\n")
    reach(h1, "10.0.0.5")
    for what in ("dump-flows", "dump-ports", "dump-tables", "show", "dump-desc"):
        sw.ofctl(what, "br0")
    for what in ("dpctl/show", "dpif/show", "fdb/show br0", "memory/show", "coverage/show",
                 "dpif-netdev/pmd-stats-show", "dpif-netdev/pmd-rxq-show", "upcall/show",
                 "ofproto/trace br0 in_port=1", "vlog/list", "revalidator/wait", "vlog/reopen"):
        service.appctl(*what.split(" ", 2))
    sw.vsctl("clear", "bridge", "br0", "mirrors")
    # Ports, addresses and hosts come and go.
    sw.vsctl("set", "interface", "i0", "mtu_request=1300")
    sw.vsctl("del-port", "i0", "--", "set", "port", "p3", "tag=8", "--", "set", "port", "p4",
             "tag=8")
    reach(h3, "10.0.7.4")
    h2.run("ip link set eth0 down")
    wait_for(lambda: sw.get("interface", "p2", "link_state") == "down", 10, "the link state")
    h2.run("ip link set eth0 up")
    reach(h1, "10.0.0.2")
    sw.vsctl("del-br", "br1")
    sw.vsctl("add-br", "br1", "--", "set", "bridge", "br1", "datapath_type=netdev")
    # Once more than one round of statistics.
    end = time.monotonic() + 5.5
    while time.monotonic() < end:
        reach(h1, "10.0.0.2")
        time.sleep(0.2)


def test_a_day_without_a_warning(service, hosts):
    sw = service.sw
    assert service.said() == ""
    with open("/proc/%d/status" % sw.pid) as f:
        locked = next(line for line in f if line.startswith("VmLck"))
    assert int(locked.split()[1]) > 10000, locked  # --mlockall
    configure(sw, hosts)
    exercise(sw, hosts, service)
    service.stop()
    assert service.said() == ""
    # Genuine Open vSwitch complains of a kernel without its module.
    assert [a for a in sw.alarms() if "failed to enumerate system datapaths" not in a] == []


def add_bond(service, hosts):
    """Two links to one neighbour, which has a bond of its own; one has the address."""
    sw = service.sw
    hosts.append(sw.add_host("br0", "m1"))
    far = hosts[-1]
    sh(["ip", "-n", sw.ns.name, "link", "add", "m2", "type", "veth", "peer", "name", "eth1", "netns", far.name])
    sw.ns.run("ip link set m2 up")
    far.run("ip link set eth1 up")
    far.run("ip addr add 10.0.0.9/24 dev eth0")
    sw.vsctl("del-port", "m1", "--", "add-bond", "br0", "bond0", "m1", "m2", "bond_mode=active-backup",
             "other_config:bond-primary=m1")
    wait_for(lambda: "active member" in service.appctl("bond/show", "bond0"), 10, "an active member")
    return far


def take_over(service):
    """A start on top of the running one, with its options."""
    sw, old = service.sw, service.sw.pid
    cmd = [DAEMON, *OPTIONS, "--takeover", "--no-chdir", "--log-file=" + sw.log, "--pidfile=%s/ovs-vswitchd.pid" % sw.dir,
           "--unixctl=%s/ovs-vswitchd.ctl" % sw.dir]
    if service.face == "stock":
        cmd.insert(1, "unix:%s/db.sock" % sw.dir)
    with open(sw.dir + "/out", "ab") as out:
        p = subprocess.run(["ip", "netns", "exec", sw.ns.name] + cmd, env=sw.env, timeout=60, stdin=subprocess.DEVNULL,
                           stdout=out, stderr=out, check=False)
    assert p.returncode == 0 and sw.pid != old, service.said()


@pytest.mark.parametrize("controller", ["ovs-testcontroller", "os-ken"])
def test_a_controller_a_bond_and_policers_without_a_warning(service, hosts, controller):
    """Flows and packet-ins of a controller that comes, goes in order and is taken away; a link of a bond that fails;
    limits; every way in which the log's levels and forms are set; and a takeover."""
    sw = service.sw
    sw.add_bridge("br0", "other_config:hwaddr=02:00:00:00:00:01", "protocols=OpenFlow10,OpenFlow13",
                  # Theirs warns that there is no route to this host itself.
                  "other_config:disable-in-band=%s" % ("true" if KIND == "ovs" else "false"))
    for i in (1, 2):
        hosts.append(sw.add_host("br0", "p%d" % i, "10.0.0.%d/24" % i))
    h1 = hosts[0]
    if controller == "os-ken":
        peer = OsKen(sw, "learner")
        peer.connect("br0")
        proc = peer.proc
    else:
        proc = sw.ns.popen(["ovs-testcontroller", "ptcp:6653:127.0.0.1", "-vconsole:off", "--unixctl=%s/tc.ctl" % sw.dir],
                           stdin=subprocess.DEVNULL)
        wait_for(lambda: sw.ns.run("ss -Htln sport = :6653"), 20, "the controller to listen")
        sw.vsctl("set-controller", "br0", "tcp:127.0.0.1:6653")
    try:
        wait_for(lambda: sw.vsctl("--bare", "--columns=is_connected", "list", "Controller").strip() == "true", 30,
                 "the connection")
        reach(h1, "10.0.0.2")
        sw.vsctl("del-controller", "br0")
        wait_for(lambda: not sw.ns.run("ss -Htn state established dport = :6653"), 10, "the connection to end")
    finally:
        proc.terminate()
        proc.wait(10)
    sw.ofctl("del-flows", "br0")
    sw.ofctl("add-flow", "br0", "actions=NORMAL")
    far = add_bond(service, hosts)
    reach(h1, "10.0.0.9")
    if KIND == "sluice":  # theirs has policers on ports of DPDK, and by kernels with the modules
        sw.vsctl("set", "Interface", "p1", "ingress_policing_rate=100000", "ingress_policing_burst=10000",
                 "--", "set", "Port", "p2", "qos=@q", "--", "--id=@q", "create", "QoS", "type=egress-policer",
                 "other_config:cir=1000000", "other_config:cbs=100000")
    reach(h1, "10.0.0.2")
    far.run("ip link set eth0 down")
    wait_for(lambda: sw.get("Interface", "m1", "link_state") == "down", 10, "the link state")
    far.run("ip link set eth0 up")
    wait_for(lambda: sw.get("Interface", "m1", "link_state") == "up", 10, "the link state")
    for what in ("PATTERN:file:%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m", "FACILITY:daemon", "ANY:file:info", "syslog:err"):
        service.appctl("vlog/set", what)
    for what in ("vlog/list-pattern", "vlog/disable-rate-limit", "vlog/enable-rate-limit", "vlog/close", "vlog/reopen"):
        service.appctl(what)
    if KIND == "sluice":
        take_over(service)
        reach(h1, "10.0.0.2")
    service.stop()
    assert service.said() == ""
    assert [a for a in sw.alarms() if "failed to enumerate system datapaths" not in a] == []
