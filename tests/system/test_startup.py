# SPDX-License-Identifier: Apache-2.0
"""The start-up file (sluiced --config): a switch that is configured without any tool."""
import json
import os
import subprocess

import pytest

from switchlib import SLUICED, Host, sh, wait_for


def write(switch, config, name="sluiced.json"):
    path = os.path.join(switch.dir, name)
    with open(path, "w") as f:
        f.write(config if isinstance(config, str) else json.dumps(config, indent=1))
    return path


@pytest.fixture
def configured(make_switch):
    """A function: a switch that starts with this file."""
    def make(config, **kw):
        switch = make_switch(start=False, **kw)
        switch.args += ["--config=" + write(switch, config)]
        return switch
    return make


def refuse(switch, config, *args):
    """Starts the daemon in the background with a bad file; returns what it says."""
    path = write(switch, config)
    p = subprocess.run([SLUICED, "--detach", "--pidfile", "--log-file", "--config=" + path] +
                       list(args), env=switch.env, text=True, timeout=30,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert p.returncode == 1, p.stderr
    assert not os.path.exists(switch.dir + "/ovs-vswitchd.pid")
    return p.stderr.replace(path, "FILE")


PORTS = {"p1": {"type": "internal", "ofport_request": 11, "tag": 5},
         "p2": {"type": "internal", "ofport_request": 12}}


def test_bridges_ports_and_flows_are_there_when_it_is_ready(configured):
    sw = configured({"bridges": {"br0": {
        "fail_mode": "secure", "ports": PORTS,
        "flows": ["table=0,priority=7,tcp,in_port=p1,actions=output:p2", "actions=drop"]}}})
    sw.start()
    assert sw.vsctl("list-ports", "br0").split() == ["p1", "p2"]
    assert sw.get("Interface", "p1", "ofport") == "11"
    assert sw.get("Port", "p1", "tag") == "5"
    assert sw.get("Bridge", "br0", "datapath_type") == "netdev"
    flows = sw.flows("br0")
    assert len(flows) == 2
    assert any("priority=7,tcp,in_port=" in f and f.endswith(("actions=output:12",
                                                              "actions=output:p2"))
               for f in flows), flows
    assert sw.alarms() == []


def test_hosts_talk_through_a_switch_that_no_tool_touched(configured, hosts):
    sw = configured({"bridges": {"br0": {"ports": {"h1": {}, "h2": {}, "h3": {}}, "flows": [
        "priority=10,arp,actions=NORMAL", "priority=5,icmp,in_port=h3,actions=drop",
        "priority=1,actions=NORMAL"]}}})
    for n in (1, 2, 3):
        hosts.append(Host(sw, "h%d" % n, "10.0.0.%d/24" % n))
    sw.start()
    assert hosts[0].ping("10.0.0.2")
    assert hosts[2].silent("10.0.0.1")


def test_the_file_is_merged_at_every_start(configured):
    sw = configured({"other_config": {"max-idle": 5000}, "bridges": {"br0": {"ports": PORTS}}})
    sw.start()
    sw.vsctl("add-port", "br0", "mine", "--", "set", "interface", "mine", "type=internal",
             "--", "set", "port", "p1", "tag=9", "--", "add-br", "br9")
    sw.stop()
    sw.start()
    assert sw.vsctl("list-ports", "br0").split() == ["mine", "p1", "p2"]
    assert sw.get("Port", "p1", "tag") == "5"
    assert sw.vsctl("list-br").split() == ["br0", "br9"]
    sw.stop()
    write(sw, {"exclusive": True, "bridges": {"br0": {"ports": {"p1": PORTS["p1"]}}}})
    sw.start()
    assert sw.vsctl("list-br").split() == ["br0"]
    assert sw.vsctl("list-ports", "br0").split() == ["p1"]
    assert sw.get("Open_vSwitch", ".", "other_config") == "{}"


def test_what_else_a_port_has(configured):
    sw = configured({"bridges": {"br0": {"ports": {
        "p1": {"type": "internal", "ingress_policing_rate": 8000, "ingress_policing_burst": 800,
               "ingress_policing_kpkts_rate": 3, "ingress_policing_kpkts_burst": 2}}}}})
    sw.start()
    columns = ["ingress_policing_rate", "ingress_policing_burst", "ingress_policing_kpkts_rate",
               "ingress_policing_kpkts_burst"]
    assert [sw.get("Interface", "p1", c) for c in columns] == ["8000", "800", "3", "2"]
    sw.stop()
    write(sw, {"exclusive": True, "bridges": {"br0": {"ports": {"p1": {"type": "internal"}}}}})
    sw.start()
    assert [sw.get("Interface", "p1", c) for c in columns] == ["0"] * 4


def test_flows_from_a_file_and_none_at_all(configured):
    sw = configured({"bridges": {"br0": {"flows_file": "flows.txt", "ports": PORTS},
                                 "br1": {"flows": []}, "br2": {}}})
    write(sw, "# a comment\n\ntable=3,ip,nw_dst=192.0.2.0/24,actions=p2\n", "flows.txt")
    sw.start()
    flows = sw.flows("br0")
    assert len(flows) == 1 and "table=3" in flows[0] and "nw_dst=192.0.2.0/24" in flows[0]
    assert sw.flows("br1") == []
    assert len(sw.flows("br2")) == 1  # what a new bridge has: NORMAL


def test_many_flows_in_the_file_itself(configured):
    flows = ["table=1,priority=%d,tcp,tp_dst=%d,actions=drop" % (i // 65535, i % 65535)
             for i in range(70000)]
    sw = configured({"bridges": {"br0": {"flows": flows}}})
    sw.start()
    assert len(sw.flows("br0")) == 70000
    sw.stop()
    text = refuse(sw, {"bridges": {"br0": {"flows": flows + ["actions=nonsense"]}}})
    assert "FILE:70005: bridges.br0.flows#70000: " in text, text


def test_a_flow_waits_for_its_port(configured):
    sw = configured({"bridges": {"br0": {"ports": {"late0": {}}, "flows": [
        "in_port=late0,actions=drop", "priority=3,actions=NORMAL"]}}})
    sw.start()
    assert len(sw.flows("br0")) == 1
    sh(["ip", "-n", sw.ns.name, "link", "add", "late0", "type", "veth", "peer", "name", "late1"])
    wait_for(lambda: len(sw.flows("br0")) == 2, 10, "the flow of a port that came late")


@pytest.mark.parametrize("config, said", [
    ("{\n\"bridges\": [\n", "FILE:3:"),
    ('{\n"bridges": {"br0": {\n"fail_mod": "secure"}}}',
     'FILE:3: bridges.br0.fail_mod: unknown key "fail_mod"'),
    ('{"bridges": {"br0": {"ports": {"p": {"tag": 4096}}}}}', "bridges.br0.ports.p.tag: "),
    ('{"bridges": {"br0": {"flows": ["priority=1,actions=outptu:1"]}}}',
     "FILE:1: bridges.br0.flows#0: "),
    ('{"bridges": {"br0": {"flows": ["in_port=nobody,actions=drop"]}}}', "nobody"),
    ('{"bridges": {"br0": {"flows": ["nw_dst=1.2.3.4,actions=drop,drop"]}}}', "flows#0"),
    ('{"bridges": {"br0": {"flows": ["table=254,actions=goto_table:3"]}}}', "flows#0"),
    ('{"bridges": {"br0": {"controllers": ["tcp:[::1]:6653", "unix:/x", "tcp:[::1]:6653"]}}}',
     "bridges.br0.controllers#2: is there twice"),
    ('{"bridges": {"br0": {}}}\0{"bridges": 5}', "FILE: has a null byte"),
    ("[]", "FILE:1: must be an object"),
    ("", "FILE:1:"),
])
def test_a_bad_file_ends_the_start_before_anything_is_done(make_switch, config, said):
    sw = make_switch(start=False)
    text = refuse(sw, config)
    assert said in text, text
    assert not os.path.exists(sw.dir + "/conf.db")


def test_a_bad_file_leaves_the_database_as_it_was(configured):
    sw = configured({"bridges": {"br0": {"ports": PORTS}}})
    sw.start()
    sw.stop()
    with open(sw.dir + "/conf.db", "rb") as f:
        before = f.read()
    refuse(sw, '{"exclusive": true, "bridges": {"br1": {}, "br2": {"x": 1}}}')
    with open(sw.dir + "/conf.db", "rb") as f:
        assert f.read() == before


def test_it_needs_the_database_to_be_ours(make_switch):
    sw = make_switch(start=False)
    text = refuse(sw, "{}", "unix:/nonexistent")
    assert "--config needs the embedded database" in text


def test_hostile_files_are_refused(make_switch):
    sw = make_switch(start=False)
    deep = "[" * 100000
    assert "FILE:1:" in refuse(sw, deep)
    assert "FILE:1" in refuse(sw, '{"bridges": {"%s": {}}}' % ("/" * 5000))
    os.mkfifo(sw.dir + "/fifo")
    assert "not a regular file" in refuse(sw, '{"bridges": {"b": {"flows_file": "fifo"}}}')
    p = subprocess.run(["timeout", "5", SLUICED, "--config=" + sw.dir + "/none"], env=sw.env,
                       stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert p.returncode == 1 and "cannot read" in p.stderr
    p = subprocess.run(["timeout", "5", SLUICED, "--config=" + sw.dir], env=sw.env,
                       stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert p.returncode == 1 and "regular file" in p.stderr
    p = subprocess.run(["timeout", "5", SLUICED, "--config=" + sw.dir + "/fifo"], env=sw.env,
                       stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert p.returncode == 1 and "regular file" in p.stderr
