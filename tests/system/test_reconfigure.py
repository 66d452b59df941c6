# SPDX-License-Identifier: Apache-2.0
"""Traffic between two ports does not notice what is changed elsewhere: not one ping of some thousands
is lost while other ports, bridges and settings come and go."""
import re
import subprocess
import time

import pytest

from switchlib import new_name


def patches(sw):
    sw.vsctl("add-br", "br8", "--", "set", "bridge", "br8", "datapath_type=netdev",
             "--", "add-port", "br0", "x0", "--", "set", "interface", "x0", "type=patch",
             "options:peer=x1", "--", "add-port", "br8", "x1", "--", "set", "interface", "x1",
             "type=patch", "options:peer=x0")
    sw.vsctl("del-br", "br8", "--", "del-port", "x0")


def devices(sw):
    sw.vsctl("add-port", "br0", "i9", "--", "set", "interface", "i9", "type=internal",
             "mtu_request=1400")
    name = new_name("v")
    sw.ns.run("ip link add %s type veth peer name %sp" % (name, name))
    sw.vsctl("add-port", "br0", name, "--", "set", "port", name, "tag=5")
    sw.vsctl("del-port", "i9", "--", "del-port", name)


def mirrors(sw):
    sw.vsctl("--", "--id=@p", "get", "port", "br0", "--", "--id=@m", "create", "mirror", "name=m",
             "select_all=true", "output_port=@p", "--", "set", "bridge", "br0", "mirrors=@m")
    sw.vsctl("clear", "bridge", "br0", "mirrors")


def settings(sw):
    for key, values in (("max-idle", (9000, 10000)), ("flow-limit", (1000, 200000)),
                        ("emc-insert-inv-prob", (1, 100)), ("smc-enable", ("false", "true")),
                        ("emc-entries", (65536, 8192)),
                        ("n-handler-threads", (2, 1)), ("n-revalidator-threads", (3, 1)),
                        ("pmd-rxq-assign", ("roundrobin", "cycles")), ("pmd-cpu-mask", (2, 1))):
        for value in values:
            sw.vsctl("set", "Open_vSwitch", ".", "other_config:%s=%s" % (key, value))


def bridge_settings(sw):
    for change in ("fail_mode=standalone", "fail_mode=[]", "protocols=OpenFlow13",
                   "protocols=[]", "other_config:mac-aging-time=200",
                   "other_config:hwaddr=02:00:00:00:00:77", "other_config:mac-table-size=4096"):
        sw.vsctl("set", "bridge", "br0", change)


def flows(sw):
    sw.ofctl("add-flow", "br0", "table=3,in_port=5,tcp,actions=drop")
    sw.ofctl("--bundle", "replace-flows", "br0", "-", input="actions=normal\n")
    for command in ("revalidator/purge", "dpctl/del-flows", "fdb/flush", "vlog/reopen"):
        sw.appctl(command)


@pytest.mark.parametrize("change", [patches, devices, mirrors, settings, bridge_settings, flows],
                         ids=lambda fn: fn.__name__)
def test_others_do_not_notice(sw, hosts, change):
    sw.add_bridge("br0", "other_config:hwaddr=02:00:00:00:00:01")
    hosts += [sw.add_host("br0", "p1", "10.0.0.1/24"), sw.add_host("br0", "p2", "10.0.0.2/24")]
    hosts[0].ping("10.0.0.2", check=True)
    ping = hosts[0].popen("ping -n -i 0.002 -w 60 10.0.0.2", stdout=subprocess.PIPE, text=True)
    time.sleep(0.2)
    end = time.monotonic() + 3
    change(sw)
    while time.monotonic() < end:
        change(sw)
    time.sleep(0.2)
    ping.send_signal(2)
    out, _ = ping.communicate(timeout=20)
    got = [int(n) for n in re.findall(r"icmp_seq=(\d+) ", out)]
    assert len(got) > 100
    assert sorted(set(range(1, max(got) + 1)) - set(got)) == []  # the last ones are under way
    assert len(got) == len(set(got))
