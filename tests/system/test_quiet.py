# SPDX-License-Identifier: Apache-2.0
"""Where nothing is wrong the log has no WARN and no ERR, and standard error has nothing at all: a full
day of a switch, on both faces of the database, with the options that service scripts give."""
import os
import subprocess
import time

import pytest

from switchlib import GENUINE, SLUICED, Netns, wait_for

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
