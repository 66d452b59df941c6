# SPDX-License-Identifier: Apache-2.0
"""A newer package over a running switch: what was configured, what forwards, and what the operator changed
stay.  'make deb' runs this."""
import pytest

from conftest import DPKG
from switchlib import wait_for

CTL = "/usr/share/openvswitch/scripts/ovs-ctl"
START = CTL + " --system-id=random --no-record-hostname --no-monitor "
NEWER = r"""
set -e
dpkg-deb -R /tmp/sluice.deb /tmp/newer
cd /tmp/newer
sed -i 's/^Version: \(.*\)/Version: \1+next/' DEBIAN/control
# Conffiles that have changed since, and a program that can be told from the older one.
for f in etc/default/sluiced etc/sluice/sluiced.json etc/logrotate.d/sluiced; do
    grep -qx "/$f" DEBIAN/conffiles
done
echo '# of the newer package' >>etc/default/sluiced
echo '# of the newer package' >>etc/logrotate.d/sluiced
sed 's/^{$/{"comment": "of the newer package",/' -i etc/sluice/sluiced.json
printf newer >>usr/sbin/sluiced
find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | xargs -0 md5sum >DEBIAN/md5sums
dpkg-deb --root-owner-group -Znone -b . /tmp/newer.deb
"""


@pytest.fixture(autouse=True)
def newer(request):
    """The same package as its successor, in each machine."""
    name = "systemd_machine" if "systemd_machine" in request.fixturenames else "machine"
    m = request.getfixturevalue(name)
    m.run(NEWER, timeout=120)
    return m


def upgrade(m):
    m.run(DPKG + "-i /tmp/newer.deb", timeout=120)
    assert m.out("dpkg-query -W -f '${db:Status-Abbrev}${Version}' sluice").endswith("+next")


def check_conffiles(m):
    """The operator's are as they were, the new ones beside them; what he left alone is new."""
    assert "# mine" in m.out("cat /etc/default/sluiced")
    assert "newer" not in m.out("cat /etc/default/sluiced")
    assert "newer" in m.out("cat /etc/default/sluiced.dpkg-dist")
    assert "of the newer package" in m.out("cat /etc/logrotate.d/sluiced")
    assert m.run("dpkg --verify sluice | grep -v ' c '", check=False).stdout.strip() == ""


def flows(m):
    return sorted(line for line in m.out("ovs-ofctl --no-stats dump-flows br0").splitlines()
                  if "actions" in line)


def configuration(m):
    return m.out("ovs-vsctl --timeout=10 --columns=name,ofport,external_ids list Interface;"
                 "ovs-vsctl get Bridge br0 datapath_id;"
                 "ovs-vsctl --columns=name,fail_mode,other_config list Bridge;"
                 "ovs-vsctl --columns=name,tag list Port")


def configure(m):
    m.run("ovs-vsctl --timeout=10 add-br br0 -- set bridge br0 datapath_type=netdev fail_mode=secure"
          " other_config:hwaddr=02:00:00:00:00:01"
          " -- add-port br0 p1 tag=5 -- set interface p1 type=internal ofport_request=7 external_ids:a=b"
          " -- add-port br0 p2 -- set interface p2 type=internal")
    m.run("ovs-ofctl add-flow br0 priority=9,in_port=p1,actions=drop &&"
          " ovs-ofctl add-flow br0 table=3,cookie=0x5,tcp,tp_dst=80,actions=p2 &&"
          " ovs-ofctl -O OpenFlow15 add-group br0 group_id=1,type=all,bucket=actions=output:7")


def version_that_runs(m):
    """Of the switch's program: whether the process has the newer package's file."""
    pid = m.out("cat /run/openvswitch/ovs-vswitchd.pid")
    return pid, m.out("tail -c 5 /proc/%s/exe" % pid) == "newer"


def test_of_the_service(systemd_machine):
    """It restarts the switch, which keeps what it had."""
    m = systemd_machine
    m.run("rm /usr/sbin/policy-rc.d")  # packages may start and stop services
    m.run(DPKG + "-i /tmp/sluice.deb", timeout=120)
    m.run("echo '# mine' >>/etc/default/sluiced")
    m.run("echo '{\"bridges\": {\"mine\": {}}}' >/etc/sluice/sluiced.json")
    m.run("systemctl daemon-reload && systemctl start sluiced", timeout=60)
    configure(m)
    before = configuration(m), flows(m)
    assert "mine" in before[0] and len(before[1]) == 2
    old, is_newer = version_that_runs(m)
    assert not is_newer
    upgrade(m)
    assert m.out("systemctl is-active sluiced") == "active"
    new, is_newer = version_that_runs(m)
    assert new != old and is_newer
    assert (configuration(m), flows(m)) == before
    assert "group_id=1" in m.out("ovs-ofctl -O OpenFlow15 dump-groups br0")
    check_conffiles(m)
    assert "mine" in m.out("cat /etc/sluice/sluiced.json")
    # The next stop and start, too.
    m.run("systemctl stop sluiced && systemctl start sluiced", timeout=60)
    assert configuration(m) == before[0]
    # Removed, it does not run on without its files.
    m.run(DPKG + "-r sluice", timeout=120)
    assert m.run("pidof sluiced ovs-vswitchd", check=False).returncode != 0


def test_of_a_service_that_does_not_run(systemd_machine):
    m = systemd_machine
    m.run("rm /usr/sbin/policy-rc.d")
    m.run(DPKG + "-i /tmp/sluice.deb", timeout=120)
    m.run("echo '# mine' >>/etc/default/sluiced")
    upgrade(m)
    assert m.out("systemctl is-active sluiced", check=False) == "inactive"
    assert m.run("pidof sluiced ovs-vswitchd", check=False).returncode != 0
    check_conffiles(m)


def test_of_the_alternative(machine):
    """Under Open vSwitch's own scripts, which the package leaves alone: the next restart is of the newer one."""
    m = machine
    m.run("rm -rf /etc/openvswitch/* /var/lib/openvswitch/* /var/log/openvswitch/*")
    m.run(DPKG + "-i /tmp/sluice.deb", timeout=120)
    m.run("echo '# mine' >>/etc/default/sluiced")
    m.run("update-alternatives --set ovs-vswitchd /usr/lib/sluice/ovs-vswitchd")
    m.run(START + "start", timeout=90)
    configure(m)
    before = configuration(m), flows(m)
    old, _ = version_that_runs(m)
    upgrade(m)
    check_conffiles(m)
    assert m.out("readlink /etc/alternatives/ovs-vswitchd") == "/usr/lib/sluice/ovs-vswitchd"
    # It runs on as it was.
    assert version_that_runs(m) == (old, False)
    assert (configuration(m), flows(m)) == before
    out = m.run(START + "restart", timeout=120).stdout
    assert "Restoring saved flows" in out and "ailed" not in out, out
    new, is_newer = version_that_runs(m)
    assert new != old and is_newer
    wait_for(lambda: (configuration(m), flows(m)) == before, what="what was there")
    assert "group_id=1" in m.out("ovs-ofctl -O OpenFlow15 dump-groups br0")
    m.run(CTL + " stop", timeout=60)
