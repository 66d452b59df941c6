# SPDX-License-Identifier: Apache-2.0
"""Sluice as Debian's alternative of ovs-vswitchd, under Debian's own ovs-ctl and ovsdb-server."""
import os
import re

import pytest

from machine import Machine
from outage import Outage
from switchlib import ROOT, SLUICED, Host, wait_for

CTL = "/usr/share/openvswitch/scripts/ovs-ctl"
START = CTL + " --system-id=random --no-record-hostname --no-monitor "


@pytest.fixture
def machine():
    """A machine with Sluice's files as the package puts them, and no configuration."""
    m = Machine()
    try:
        m.run("rm -rf /etc/openvswitch/* /var/lib/openvswitch/* /var/log/openvswitch/*;"
              "mkdir -p /usr/lib/sluice /tmp/debian;"
              "ln -s ../../sbin/sluiced /usr/lib/sluice/ovs-vswitchd")
        m.put(SLUICED, "/usr/sbin/sluiced")
        for name in ("postinst", "prerm", "postrm"):
            m.put(os.path.join(ROOT, "debian", "sluice." + name), "/tmp/debian/" + name)
        yield m
    finally:
        m.close()


def script(name, *args):
    """A script of the package (its #DEBHELPER# is a comment)."""
    return "sh /tmp/debian/%s %s" % (name, " ".join(args))


def chosen(m):
    return m.out("readlink -f /usr/sbin/ovs-vswitchd")


def choose(m):
    m.run(script("postinst", "configure"))
    m.run("update-alternatives --set ovs-vswitchd /usr/lib/sluice/ovs-vswitchd")


def test_installing_changes_nothing_and_removing_restores(machine):
    m = machine
    before = chosen(m)
    m.run(script("postinst", "configure"))
    assert chosen(m) == before
    listing = m.out("update-alternatives --query ovs-vswitchd")
    assert "Alternative: /usr/lib/sluice/ovs-vswitchd\nPriority: 40" in listing
    m.run("update-alternatives --set ovs-vswitchd /usr/lib/sluice/ovs-vswitchd")
    assert chosen(m) == "/usr/sbin/sluiced"
    # An upgrade keeps what the operator chose.
    m.run(script("prerm", "upgrade", "0.1.1"))
    m.run(script("postrm", "upgrade", "0.1.1"))
    m.run(script("postinst", "configure", "0.1.0"))
    assert chosen(m) == "/usr/sbin/sluiced"
    m.run(script("prerm", "remove"))
    m.run(script("postrm", "remove"))
    assert chosen(m) == before
    m.run("mkdir -p /var/lib/sluice /var/log/sluice; touch /etc/openvswitch/conf.db")
    m.run(script("postrm", "purge"))
    m.run("test ! -e /var/lib/sluice -a ! -e /var/log/sluice -a -e /etc/openvswitch/conf.db")


def test_ovs_ctl_starts_shows_restarts_and_stops_it(machine):
    m = machine
    choose(m)
    out = m.run(START + "start", timeout=90).stdout
    assert "Starting ovs-vswitchd" in out and "ailed" not in out, out

    status = m.run(CTL + " status").stdout
    pids = dict(re.findall(r"(\S+) is running with pid (\d+)", status))
    assert set(pids) == {"ovsdb-server", "ovs-vswitchd"}, status
    assert m.out("readlink /proc/%s/exe" % pids["ovs-vswitchd"]) == "/usr/sbin/sluiced"
    assert "Sluice" in m.out("ovs-vswitchd --version")
    assert re.search(r"ovs-vswitchd \(Open vSwitch\) \d", m.out(CTL + " version"))
    m.run(CTL + " load-kmod")
    m.run(CTL + " record-hostname-if-not-set")
    assert m.out("ovs-vsctl get Open_vSwitch . external_ids:hostname").strip('"') == m.out("hostname -f || hostname")

    # A switch with flows, through the server that is not ours.
    m.run("ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=netdev"
          " other_config:hwaddr=02:00:00:00:00:01"
          " -- add-port br0 p1 -- set interface p1 type=internal ofport_request=7"
          " -- add-port br0 p2 -- set interface p2 type=internal")
    m.run("ovs-ofctl add-flow br0 priority=9,in_port=p1,actions=drop &&"
          " ovs-ofctl -O OpenFlow15 add-group br0 group_id=1,type=all,bucket=actions=output:7")
    assert m.out("ovs-vsctl get interface p1 ofport") == "7"
    dpid = m.out("ovs-vsctl get bridge br0 datapath_id")

    # Ports for the time of a run go when somebody says so, and the others stay.
    m.run("ovs-vsctl --timeout=10 add-port br0 t1 -- set interface t1 type=internal -- set port t1"
          " other_config:transient=true && " + CTL + " delete-transient-ports")
    assert m.out("ovs-vsctl list-ports br0").split() == ["p1", "p2"]
    assert "t1" not in m.out("ip -o link show")

    # Restart: flows are saved and restored by ovs-save, ports keep their numbers.
    out = m.run(START + "restart", timeout=120).stdout
    assert "Saving flows" in out and "Restoring saved flows" in out and "ailed" not in out, out
    status = m.run(CTL + " status").stdout
    again = dict(re.findall(r"(\S+) is running with pid (\d+)", status))
    assert again["ovs-vswitchd"] != pids["ovs-vswitchd"]
    assert m.out("ovs-vsctl get interface p1 ofport") == "7"
    assert m.out("ovs-vsctl get bridge br0 datapath_id") == dpid
    flows = m.out("ovs-ofctl --no-stats dump-flows br0")
    assert re.search(r"priority=9,in_port=(7|p1) actions=drop", flows), flows
    assert "group_id=1" in m.out("ovs-ofctl -O OpenFlow15 dump-groups br0")
    assert m.out("ovs-vsctl get Open_vSwitch . other_config") == "{}"

    out = m.run(CTL + " stop", timeout=60).stdout
    assert "Exiting ovs-vswitchd" in out and "Killing" not in out, out
    p = m.run(CTL + " status", check=False)
    assert p.returncode and "ovs-vswitchd is not running" in p.stdout
    # Nothing is left: pidfiles, control sockets, devices.
    assert m.out("ls /run/openvswitch | grep -E 'pid|ctl|mgmt|snoop' || true") == ""
    assert "br0" not in m.out("ip -o link show")
    log = m.out("cat /var/log/openvswitch/ovs-vswitchd.log")
    alarms = [l for l in log.splitlines() if re.search(r"\|(WARN|ERR|EMER)\|", l)]
    # The server goes first when both restart: that the connection broke is no alarm of ours.
    assert [l for l in alarms if "no-huge" not in l and "huge" not in l.lower()] == [], alarms


def many_flows(n):
    """Lines of 'n' flows: matches, masks, cookies, timeouts and instructions of many kinds."""
    for i in range(n):
        match = ["tcp,nw_src=10.%d.%d.0/24,tp_dst=%d" % (i // 256 % 256, i % 256, i % 65536),
                 "dl_src=02:00:%02x:%02x:%02x:01,dl_vlan=%d" % (i >> 16, i >> 8 & 255, i & 255,
                                                                i % 4096),
                 "udp6,ipv6_dst=fc00::%x:0/112,reg1=%d" % (i % 65536, i)][i % 3]
        action = ["drop", "output:1", "NORMAL", "group:5",
                  "set_field:%d->reg0,resubmit(,9)" % (i % 4096),
                  "write_metadata:%#x,goto_table:10" % i, "mod_vlan_vid:5,LOCAL"][i % 7]
        yield "table=%d,priority=%d,cookie=%#x,%s%s,actions=%s\n" % (
            i % 8, 1 + i % 60000, i, match, ",idle_timeout=60000" if i % 5 == 0 else "", action)


def test_100000_flows_come_back_exactly(machine, tmp_path):
    """Through ovs-save, which asks for groups, flows and the option map in the newest protocol."""
    m = machine
    choose(m)
    m.run(START + "start", timeout=90)
    m.run("ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=netdev fail_mode=secure"
          " -- add-port br0 p1 -- set interface p1 type=internal")
    m.run("ovs-ofctl add-tlv-map br0 '{class=0x102,type=1,len=4}->tun_metadata0' &&"
          " ovs-ofctl -O OpenFlow15 add-group br0 'group_id=5,type=select,"
          "bucket=weight:2,actions=output:1,bucket=weight:1,actions=drop'")
    flows = tmp_path / "flows"
    flows.write_text("".join(many_flows(100000)))
    m.put(str(flows), "/tmp/flows")
    m.run("ovs-ofctl -O OpenFlow15 --bundle add-flows br0 /tmp/flows", timeout=120)
    dump = "ovs-ofctl -O OpenFlow15 --no-stats dump-flows br0 | sort > /tmp/%s; wc -l < /tmp/%s"
    n = int(m.out(dump % ("before", "before")))
    assert n >= 100000, n
    groups = m.out("ovs-ofctl -O OpenFlow15 dump-groups br0")
    out = m.run(START + "restart", timeout=300).stdout
    # "exit" is given one second, which a busy machine may miss: then it is told once more.
    assert "Restoring saved flows" in out and "Killing" not in out, out
    m.out(dump % ("after", "after"))
    m.run("cmp /tmp/before /tmp/after")
    assert m.out("ovs-ofctl -O OpenFlow15 dump-groups br0").splitlines()[1:] == \
        groups.splitlines()[1:]
    assert "0x102" in m.out("ovs-ofctl dump-tlv-map br0")
    m.run(CTL + " stop", timeout=60)


def test_force_reload_kmod_brings_everything_back(machine):
    """Flows, groups and the option map in the protocols of each bridge, and ports.  (Addresses of
    userspace devices are gone before the script looks, with genuine Open vSwitch as well.)"""
    m = machine
    choose(m)
    m.run(START + "start", timeout=90)
    m.run("ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=netdev"
          " other_config:hwaddr=02:00:00:00:00:01"
          " -- add-port br0 p1 -- set interface p1 type=internal ofport_request=7"
          " -- add-br br1 -- set bridge br1 datapath_type=netdev protocols=OpenFlow10,OpenFlow13"
          " other_config:hwaddr=02:00:00:00:00:02 fail_mode=secure"
          " -- add-port br0 x0 -- set interface x0 type=patch options:peer=x1 ofport_request=9"
          " -- add-port br1 x1 -- set interface x1 type=patch options:peer=x0 ofport_request=9")
    m.run("ovs-ofctl add-tlv-map br0 '{class=0x102,type=1,len=4}->tun_metadata0,"
          "{class=0x102,type=2,len=8}->tun_metadata5' &&"
          " for b in br0 br1; do"
          " ovs-ofctl -O OpenFlow13 add-group $b group_id=1,type=all,bucket=actions=output:9 &&"
          " ovs-ofctl -O OpenFlow13 add-group $b 'group_id=2,type=select,bucket=weight:5,"
          "actions=group:1,bucket=weight:1,actions=drop' &&"
          " ovs-ofctl -O OpenFlow13 add-flow $b 'priority=3,cookie=0x5,ip,nw_dst=10.0.0.0/8,"
          "idle_timeout=6000,actions=dec_ttl,write_metadata:5,goto_table:3' &&"
          " ovs-ofctl -O OpenFlow13 add-flow $b table=3,actions=group:2 || exit 1; done")
    state = ("for b in br0 br1; do ovs-ofctl -O OpenFlow13 --no-stats dump-flows $b | grep -v ^OFPST;"
             " ovs-ofctl -O OpenFlow13 dump-groups $b | grep -v ^OFPST | sort;"
             " ovs-ofctl dump-tlv-map $b | grep -v xid; done;"
             " ovs-vsctl --columns=name,ofport,error find interface")
    before = m.out(state)
    assert "group:2" in before and "tun_metadata5" in before, before
    pid = m.out("cat /run/openvswitch/ovs-vswitchd.pid")
    out = m.run(START + "force-reload-kmod", timeout=120, check=False).stdout
    assert "Restoring saved flows" in out and "Restoring interface configuration" in out, out
    assert m.out("cat /run/openvswitch/ovs-vswitchd.pid") != pid
    assert m.out(state) == before, out
    assert m.out("ovs-vsctl get Open_vSwitch . other_config") == "{}"
    m.run(CTL + " stop", timeout=60)


def test_monitor_of_ovs_ctl_restarts_it_after_a_crash(machine):
    m = machine
    choose(m)
    m.run(CTL + " --system-id=random --no-record-hostname start", timeout=90)
    before = m.out("cat /run/openvswitch/ovs-vswitchd.pid")
    m.run("kill -SEGV " + before)
    m.run("for i in $(seq 100); do new=$(cat /run/openvswitch/ovs-vswitchd.pid 2>/dev/null);"
          ' test -n "$new" -a "$new" != %s && ovs-appctl -T 2 version && exit 0; sleep 0.1; done;'
          " exit 1" % before)
    m.run(CTL + " stop", timeout=60)


def test_restarts_of_a_switch_that_lingers(machine):
    """--linger through ovs-ctl's options: saved flows come back once, the old process forwards until
    then, force-reload-kmod works, and genuine Open vSwitch ends what lingers."""
    m = machine
    choose(m)
    start = START + "--ovs-vswitchd-options=--linger=60 "
    m.run(start + "start", timeout=90)
    m.run("ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=netdev"
          " other_config:hwaddr=02:00:00:00:00:01")
    hosts = []
    try:
        for i in (1, 2):
            hosts.append(m.add_host(i))
        m.run("ovs-ofctl add-tlv-map br0 '{class=0x102,type=1,len=4}->tun_metadata0' &&"
              " ovs-ofctl add-flow br0 priority=9,cookie=0x5,actions=NORMAL &&"
              " ovs-ofctl -O OpenFlow15 add-group br0 group_id=1,type=all,bucket=actions=output:1")
        state = ("ovs-ofctl --no-stats dump-flows br0; ovs-ofctl -O OpenFlow15 dump-groups br0 |"
                 " grep -v ^OFPST; ovs-ofctl dump-tlv-map br0 | grep -v xid; ip -o link show br0")
        wait_for(lambda: Host.ping(hosts[0], "10.1.0.2", count=1), 20, "traffic")
        before = m.out(state)
        assert "group_id=1" in before and "0x102" in before, before
        outage = Outage(hosts[0], "10.1.0.2")
        try:
            out = m.run(start + "restart", timeout=120).stdout
            assert "Restoring saved flows" in out and "ailed" not in out, out
            Host.ping(hosts[0], "10.1.0.2", count=1, check=True)
            result = outage.finish()
        finally:
            outage.close()
        assert result["lost"] < 300, result  # a second and more without
        assert m.out(state) == before, out
        # It ends with the takeover, a moment after the tool has returned.
        wait_for(lambda: m.out("ls /run/openvswitch | grep lingering || true") == "", 10,
                 "the end of the old switch")
        out = m.run(start + "force-reload-kmod", timeout=120, check=False).stdout
        assert "Restoring saved flows" in out, out
        assert m.out(state) == before, out
        m.run(CTL + " stop", timeout=60)
        # For the script it is stopped, and stopping it again is fine.
        p = m.run(CTL + " status", check=False)
        assert p.returncode and "ovs-vswitchd is not running" in p.stdout
        m.run(CTL + " stop", timeout=60)
        Host.ping(hosts[0], "10.1.0.2", count=1, check=True)
    finally:
        for h in hosts:
            h.close()
    m.run("update-alternatives --set ovs-vswitchd"
          " /usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk")
    out = m.run(START + "start", timeout=90).stdout
    assert "ailed" not in out, out
    m.run("for i in $(seq 50); do test ! -e /run/openvswitch/ovs-vswitchd.lingering"
          " && exit 0; sleep 0.1; done; exit 1")
    assert m.out("ovs-vsctl --timeout=10 get interface br0 ofport") == "65534"
    m.run(CTL + " stop", timeout=60)


def test_the_genuine_switch_takes_its_place_back(machine):
    """What Sluice left in database and run directory does not disturb its neighbour."""
    m = machine
    choose(m)
    m.run(START + "start", timeout=90)
    m.run("ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=netdev")
    m.run(CTL + " stop", timeout=60)
    m.run("update-alternatives --set ovs-vswitchd"
          " /usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk")
    assert os.path.basename(chosen(m)) == "ovs-vswitchd-dpdk"
    out = m.run(START + "start", timeout=90).stdout
    assert "ailed" not in out, out
    assert m.out("ovs-vsctl --timeout=10 get interface br0 ofport") == "65534"
    m.run(CTL + " stop", timeout=60)
