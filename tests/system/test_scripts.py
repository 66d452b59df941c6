# SPDX-License-Identifier: Apache-2.0
"""Debian's scripts that want a machine of their own, beside Sluice under Debian's ovs-ctl: ovs-docker, ovs-systemd-reload,
ovs-bugtool as a whole, ovs-check-dead-ifs, and what the list of binaries says has no business with a switch."""
import re
import subprocess

import pytest

from switchlib import wait_for
from test_dropin import CTL, START, choose, machine  # noqa: F401 (a fixture)

SCRIPTS = "/usr/share/openvswitch/scripts/"
# What Debian's packages for switches bring, by where it is tested; those at the end talk to no switch of ours.
TESTED = {
    "ovs-appctl": "test_texts", "ovs-ofctl": "test_openflow", "ovs-vsctl": "test_ovsdb_vsctl", "ovs-dpctl": "test_scripts",
    "ovs-dpctl-top": "test_host_tools", "ovs-pcap": "test_host_tools", "ovs-tcpundump": "test_host_tools",
    "ovs-tcpdump": "test_peers", "ovs-docker": "test_scripts", "ovs-pki": "test_controllers", "ovsdb-client": "test_ovsdb",
    "ovsdb-tool": "test_ovsdb_journal", "ovs-bugtool": "test_scripts", "ovsdb-server": "test_stock_database",
    "ovs-check-dead-ifs": "test_scripts", "ovs-ctl": "test_dropin", "ovs-save": "test_dropin", "ifupdown.sh": "test_host_tools",
    "ovs-systemd-reload": "test_scripts", "ovs-testcontroller": "test_quiet", "ovs-lib": "test_dropin",
    "ovs-kmod-ctl": "test_scripts", "ovs-parse-backtrace": "test_scripts", "ovs-vlan-test": "test_scripts",
}


@pytest.fixture
def m(machine):  # noqa: F811
    choose(machine)
    machine.run(START + "start", timeout=90)
    machine.run("ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=netdev")
    return machine


def pid(m):
    return m.out("cat /run/openvswitch/ovs-vswitchd.pid")


def test_the_list_is_whole():
    """Of openvswitch-switch, -common and -testcontroller: whatever there is has a test, by its own name."""
    found = set()
    for package in ("openvswitch-switch", "openvswitch-common", "openvswitch-testcontroller"):
        out = subprocess.run(["dpkg", "-L", package], stdout=subprocess.PIPE, text=True, check=True).stdout
        found |= {line.rsplit("/", 1)[1] for line in out.splitlines()
                  if re.search(r"/s?bin/[^/]+$|/openvswitch/scripts/[^/]+$", line)}
    # The programs of ovs-bugtool's plugins are in test_host_tools, and run as a whole below.
    assert {name for name in found if not name.startswith("ovs-bugtool-")} == set(TESTED)


def test_ovs_docker(m):
    """Containers are namespaces here; docker says where they are."""
    m.run("mkdir -p /var/run/netns; printf '#!/bin/sh\\nfor last; do :; done\\ncat /tmp/$last.pid\\n' >/mnt/bin/docker;"
          "chmod 755 /mnt/bin/docker")
    for name in ("one", "two"):
        m.run("unshare --net sleep 100 </dev/null >/dev/null 2>&1 & echo $! >/tmp/%s.pid" % name)
    for n, name in enumerate(("one", "two"), 1):
        m.run("ovs-docker add-port br0 eth1 %s --ipaddress=10.7.0.%d/24 --macaddress=02:00:00:00:07:0%d --mtu=1400" % (
            name, n, n))
    assert m.out("ovs-vsctl --bare --columns=external_ids find Interface external_ids:container_id=one") == (
        "container_id=one container_iface=eth1")

    def reaches():
        return m.run("nsenter -t $(cat /tmp/one.pid) -n ping -c 1 -W 1 10.7.0.2", check=False).returncode == 0
    wait_for(reaches, 20, "the other container")
    m.run("ovs-docker set-vlan br0 eth1 one 5")
    assert not reaches()
    m.run("ovs-docker set-vlan br0 eth1 two 5")
    wait_for(reaches, 20, "the other container in the VLAN")
    assert "already attached" in m.run("ovs-docker add-port br0 eth1 one", check=False).stdout
    m.run("ovs-docker del-port br0 eth1 one; ovs-docker del-ports br0 two")
    assert m.out("ovs-vsctl list-ports br0") == ""
    m.run("kill $(cat /tmp/one.pid /tmp/two.pid)")


def test_ovs_systemd_reload(m):
    """What systemctl reload of openvswitch-switch runs: services stop and start, flows are there again."""
    m.run("printf '#!/bin/sh\\ncase \"$2 $3\" in\\n\"stop ovsdb-server\") %s --no-ovs-vswitchd stop;;\\n"
          "\"start ovsdb-server\") %s --system-id=random --no-ovs-vswitchd start;;\\n"
          "\"stop ovs-vswitchd\") %s --no-ovsdb-server stop;;\\n"
          "\"start ovs-vswitchd\") %s --no-ovsdb-server --no-monitor --no-record-hostname --system-id=random start;;\\n*) exit 1;;\\n"
          "esac\\n' >/mnt/bin/systemctl; chmod 755 /mnt/bin/systemctl" % (CTL, CTL, CTL, CTL))
    m.run("ovs-vsctl add-port br0 i1 -- set Interface i1 type=internal ofport_request=5; ovs-ofctl del-flows br0;"
          "ovs-ofctl add-flow br0 table=3,priority=7,udp,tp_dst=9,actions=output:5")
    before = pid(m)
    out = m.run(SCRIPTS + "ovs-systemd-reload", timeout=120).stdout
    assert "Saving flows" in out and "ailed" not in out, out
    assert pid(m) != before
    assert re.search(r"table=3, priority=7,udp,tp_dst=9 actions=output:(5|i1)", m.out("ovs-ofctl --no-stats dump-flows br0"))
    assert m.out("ovs-vsctl get Interface i1 ofport") == "5"
    # Its other word, for the kernel's module, of which there is none in use.
    before = pid(m)
    out = m.run(SCRIPTS + "ovs-systemd-reload force-reload-kmod", timeout=120, check=False).stdout
    assert "Traceback" not in out, out
    wait_for(lambda: m.run("ovs-appctl version", check=False).returncode == 0, 20, "the daemon")
    assert m.out("ovs-vsctl get Interface i1 ofport") == "5"


def test_ovs_bugtool(m):
    """The whole report: what the tool can ask is in it, and nothing of ours timed out."""
    m.run("ovs-vsctl add-port br0 i1 -- set Interface i1 type=internal")
    out = m.run("cd /tmp && ovs-bugtool --yestoall --silent --output=tar --outfile=/tmp/report.tar"
                " --entries=network-status,network-info,system-logs,system-configuration", timeout=300).stdout
    assert "Traceback" not in out, out
    m.run("mkdir /tmp/report && tar -C /tmp/report -xf /tmp/report.tar")
    for name, wanted in (
            ("ovs-vsctl-show", "Bridge br0"), ("dump-ovsdb", "Interface table"), ("get_port_stats", "i1 : {.*rx_packets="),
            ("ovs-ofctl-show", r"1\(i1\): addr:"), ("ovs-ofctl-dump-flows", "actions=NORMAL"), ("ovs-ofctl-dump-ports", "port  1: rx"),
            ("ovs-ofctl-dump-groups", "GROUP_DESC reply"), ("ovs-ofctl-dump-group-stats", "GROUP reply"),
            ("ovs-ofctl-dump-tlv-map", "mapping table"), ("ovs-appctl-fdb-show", "VLAN  MAC"), ("ovs-appctl-dpif", "i1 1/2"),
            ("ovs-appctl-dpctl-show-s", r"port 2: i1 \(tap\)"), ("ovs-appctl-memory-show", "ports:2"), ("dpif-show", "br0 65534/1"),
            ("ovs-appctl-coverage-show", "bridge_reconfigure"), ("ovs-appctl-vlog-list", "bridge +OFF +ERR +INFO"),
            ("pmd-rxq-show", "Displaying last 60 seconds"), ("ovs_bridge_datapath_type", "br0 datapath_type=netdev"),
            ("qos_configs", "ingress_policing_rate: 0"), ("ovs-daemons-ver", r"ovs-vswitchd \(Open vSwitch\) 3.1.0"),
            ("ovs_vswitchd_cmdline", "ovs-vswitchd unix:"), ("ovs_vswitchd_threads", "ovs-vswitchd"),
            ("ovs_vswitchd_threads_affinity", "current affinity list"), ("ovs_rundir_ls-la", r"srwxr-x--- .* ovs-vswitchd\.\d+\.ctl")):
        found = m.out("cat /tmp/report/*/%s.out" % name)
        assert re.search(wanted, found), (name, found)


def test_ovs_check_dead_ifs(m):
    """Sluice listens at no device that is gone, also not when one comes back under its old name."""
    m.run("ip link add v1 type veth peer name v2; ip link set v1 up; ip link set v2 up; ovs-vsctl add-port br0 v1")
    assert m.out(SCRIPTS + "ovs-check-dead-ifs") == ""
    m.run("ip link del v1; ip link add v1 type veth peer name v2; ip link set v1 up; ip link set v2 up")
    wait_for(lambda: m.out(SCRIPTS + "ovs-check-dead-ifs") == "", 10, "the new device")


def test_ovs_dpctl_and_ovs_kmod_ctl(m):
    """ovs-dpctl talks to the kernel: what is ours it is told by ovs-appctl; and no module is in use."""
    assert "netdev@ovs-netdev" in m.out("ovs-appctl dpctl/show")
    assert "netdev@ovs-netdev" not in m.run("ovs-dpctl dump-dps", check=False).stdout
    m.run(SCRIPTS + "ovs-kmod-ctl version", check=False)
    m.run(SCRIPTS + "ovs-kmod-ctl remove", check=False)
    assert m.out("ovs-appctl ofproto/list") == "br0"


def test_what_asks_no_switch(m):
    """ovs-parse-backtrace reads what "backtrace" printed once; no switch of today has the command."""
    out = m.run("ovs-appctl backtrace", check=False)
    assert out.returncode == 2 and '"backtrace" is not a valid command' in out.stdout
    done = m.out("printf 'Backtrace (count 2)\\n  one [0x1]\\n\\n' | ovs-parse-backtrace", check=False)
    assert "Binary: /usr/sbin/ovs-vswitchd" in done
    # ovs-vlan-test sends text where Python 3 wants bytes: no frame of it reaches any switch.
    m.run("timeout 30 ovs-vlan-test -s 127.0.0.1:15531 127.0.0.1:15532 >/dev/null 2>&1 & sleep 1")
    assert "bytes-like object is required" in m.out("timeout 15 ovs-vlan-test 127.0.0.1:15531 127.0.0.1:15533", check=False)


def proc(m, name):
    return m.out("cat /proc/%s/%s" % (pid(m), name))


def test_options_of_ovs_ctl(machine):  # noqa: F811
    """Those that reach the daemon, each by what it does there."""
    m = machine
    choose(m)
    m.run("mkdir -p /etc/openvswitch /tmp/cwd; chown nobody:nogroup /run/openvswitch /var/log/openvswitch /etc/openvswitch || "
          "(mkdir -p /run/openvswitch /var/log/openvswitch; chown nobody:nogroup /run/openvswitch /var/log/openvswitch)")
    options = ("--system-id=me --system-type=KVM --system-version=7 --external-id=a=b --no-record-hostname --ovs-user=nobody:nogroup"
               " --daemon-cwd=/tmp/cwd --no-mlockall --dump-hugepages --ovs-vswitchd-priority=5 --db-file=/etc/openvswitch/other.db"
               " --ovs-vswitchd-options='-vconsole:off -vfile:dbg'")
    out = m.run(CTL + " " + options + " start", timeout=90).stdout
    assert "ailed" not in out, out
    vsctl = "ovs-vsctl --timeout=10 "
    m.run(vsctl + "add-br br0 -- set bridge br0 datapath_type=netdev")
    status = proc(m, "status")
    assert re.search(r"^Uid:\s+65534\b", status, re.M), status
    assert re.search(r"^VmLck:\s+0 kB", status, re.M), status
    assert proc(m, "stat").rsplit(")", 1)[1].split()[16] == "5"  # nice
    assert m.out("readlink /proc/%s/cwd" % pid(m)) == "/tmp/cwd"
    assert int(proc(m, "coredump_filter"), 16) & 0x60  # huge pages
    assert m.out("grep -c '|DBG|' /var/log/openvswitch/ovs-vswitchd.log") != "0"
    for column, value in (("external_ids:system-id", "me"), ("external_ids:a", "b"), ("system_type", "KVM"),
                          ("system_version", "7"), ("ovs_version", "3.1.0")):
        assert m.out(vsctl + "get Open_vSwitch . " + column).strip('"') == value
    # The monitor (there was no --no-monitor) brings it back as the same user, with the same limits.
    before = pid(m)
    m.run("kill -SEGV " + before)
    wait_for(lambda: m.run("test $(cat /run/openvswitch/ovs-vswitchd.pid) != %s && ovs-appctl version" % before,
                           check=False).returncode == 0, 20, "another worker")
    assert re.search(r"^Uid:\s+65534\b", proc(m, "status"), re.M)
    assert proc(m, "stat").rsplit(")", 1)[1].split()[16] == "5"
    m.run(CTL + " " + options + " --delete-bridges restart", timeout=120)
    assert m.out(vsctl + "list-br") == ""
    out = m.run(CTL + " --db-file=/etc/openvswitch/other.db stop", timeout=60).stdout
    assert "Exiting ovs-vswitchd" in out and "Killing" not in out, out


def test_force_reload_kmod(m):
    """There is no module to reload: flows and numbers of ports come through."""
    m.run("ovs-vsctl add-port br0 i1 -- set Interface i1 type=internal ofport_request=5;"
          "ovs-ofctl add-flow br0 table=3,priority=7,actions=output:5")
    before = pid(m)
    out = m.run(START + "force-reload-kmod", timeout=120, check=False).stdout
    assert "Saving flows" in out and "Restoring saved flows" in out, out
    assert pid(m) != before
    assert re.search(r"table=3, priority=7 actions=output:(5|i1)", m.out("ovs-ofctl --no-stats dump-flows br0"))
    assert m.out("ovs-vsctl get Interface i1 ofport") == "5"
