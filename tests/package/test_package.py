# SPDX-License-Identifier: Apache-2.0
"""The built package on a machine of its own: install, upgrade, remove, purge.  'make deb' runs this."""
import os

from conftest import DPKG


def state(m):
    return m.out("dpkg-query -W -f '${db:Status-Abbrev}' sluice", check=False)[:2]


def test_life_of_the_package(machine):
    m = machine
    before = m.out("readlink /etc/alternatives/ovs-vswitchd")
    files_before = m.out("dpkg -L openvswitch-switch openvswitch-common | sort -u")

    # Installed, beside Open vSwitch and without touching it.
    m.run(DPKG + "-i /tmp/sluice.deb", timeout=120)
    assert state(m) == "ii"
    assert m.out("readlink /etc/alternatives/ovs-vswitchd") == before
    assert "/usr/lib/sluice/ovs-vswitchd" in m.out("update-alternatives --list ovs-vswitchd")
    ours = set(m.out("dpkg -L sluice").split("\n"))
    for path in ("/usr/sbin/sluiced", "/usr/lib/sluice/ovs-vswitchd",
                 "/lib/systemd/system/sluiced.service", "/etc/default/sluiced",
                 "/etc/logrotate.d/sluiced", "/etc/sluice/sluiced.json",
                 "/usr/lib/tmpfiles.d/sluiced.conf", "/usr/share/man/man8/sluiced.8.gz",
                 "/usr/share/man/man5/sluiced.json.5.gz"):
        assert path in ours, path
    shared = [p for p in ours & set(files_before.split("\n"))
              if not os.path.isdir(p) and not p.startswith("diverted")]
    assert shared == []
    assert "Sluice" in m.out("sluiced --version")
    assert "ExecStart=/usr/sbin/sluiced " in m.out("cat /lib/systemd/system/sluiced.service")
    assert "--config=/etc/sluice/sluiced.json" in m.out("cat /etc/default/sluiced")
    # Neither enabled nor running.
    assert m.out("ls /etc/systemd/system/*.wants/sluiced.service 2>/dev/null", check=False) == ""
    assert m.run("pidof sluiced ovs-vswitchd", check=False).returncode != 0

    # What the operator decided outlives an upgrade.
    m.run("update-alternatives --set ovs-vswitchd /usr/lib/sluice/ovs-vswitchd")
    m.run("echo '{\"bridges\": {\"mine\": {}}}' >/etc/sluice/sluiced.json")
    m.run(DPKG + "-i /tmp/sluice.deb", timeout=120)
    assert m.out("readlink /etc/alternatives/ovs-vswitchd") == "/usr/lib/sluice/ovs-vswitchd"
    assert "mine" in m.out("cat /etc/sluice/sluiced.json")
    assert "Sluice" in m.out("ovs-vswitchd --version")

    # Removed: the alternative falls back, configuration and data stay.
    m.run("mkdir -p /var/lib/sluice /var/log/sluice && touch /var/lib/sluice/conf.db")
    m.run(DPKG + "-r sluice", timeout=120)
    assert m.out("readlink /etc/alternatives/ovs-vswitchd") == before
    assert "Sluice" not in m.out("ovs-vswitchd --version")
    m.run("test -e /etc/sluice/sluiced.json -a -e /var/lib/sluice/conf.db")

    # Purged: nothing of ours is left.
    m.run(DPKG + "-P sluice", timeout=120)
    left = m.out("ls -d /etc/sluice /etc/default/sluiced /etc/logrotate.d/sluiced /var/lib/sluice"
                 " /var/log/sluice /usr/lib/sluice /usr/sbin/sluiced 2>/dev/null", check=False)
    assert left == ""
    assert m.out("dpkg -L openvswitch-switch openvswitch-common | sort -u") == files_before


def test_the_service_starts_as_the_unit_says(systemd_machine):
    m = systemd_machine
    m.run(DPKG + "-i /tmp/sluice.deb", timeout=120)
    m.run("ip link add eth9 type veth peer name eth8")
    m.run("""echo '{"other_config": {"dpdk-init": true}, "bridges": {"br0": {"ports": {"p1": {"type": "internal"}, "eth9": {},
             "v1": {"type": "dpdkvhostuserclient", "options": {"vhost-server-path": "/tmp/v1"}}},
             "flows": ["in_port=p1,actions=eth9"]}}}' >/etc/sluice/sluiced.json""")
    m.run("systemctl daemon-reload && systemctl start sluiced", timeout=60)
    show = m.out("ovs-vsctl --timeout=10 show")
    assert "error" not in show, show
    assert int(m.out("ovs-vsctl get interface p1 ofport")) > 0
    assert "actions=output" in m.out("ovs-ofctl dump-flows br0")
    m.run("test -s /var/lib/sluice/conf.db -a -s /var/log/sluice/ovs-vswitchd.log")
    log = m.out("cat /var/log/sluice/ovs-vswitchd.log")
    assert "|ERR|" not in log, log
    # logrotate with Open vSwitch's file and ours, for real.
    m.run("logrotate -f -s /tmp/state /etc/logrotate.conf")
    m.run("ovs-appctl -T 10 vlog/reopen && test -e /var/log/sluice/ovs-vswitchd.log"
          " -a -e /var/log/sluice/ovs-vswitchd.log.1")
    assert "sluice-vhost-relay" in m.out("pgrep -af [v]host-relay")
    m.run("systemctl stop sluiced")
    assert m.run("pidof sluiced ovs-vswitchd", check=False).returncode != 0
