# SPDX-License-Identifier: Apache-2.0
"""os-ken as controller: a learning switch, and the library of ofctl_rest, in every version that it has.

One osken-manager governs one bridge of each version (Debian has os-ken's library but not its example
applications; tests/system/apps has ours).  SWITCH_KIND=ovs asks genuine Open vSwitch the same.
"""
import os

import pytest

import switchlib
from osken import OsKen

# OpenFlow version: datapath id of its bridge.
BRIDGES = {1: 10, 3: 12, 4: 13, 5: 14, 6: 15}
# What os-ken's library asks in 1.5 (statistics in new forms) no Open vSwitch answers.
REST = [1, 3, 4, 5]


class Net:
    """Five bridges with two hosts each and their controller."""

    def __init__(self):
        self.hosts = {}
        self.sw = switchlib.Switch(os.environ.get("SWITCH_KIND", "sluice"))
        self.osken = OsKen(self.sw, "learner", "rest")

    def start(self):
        self.sw.start()
        for version, n in BRIDGES.items():
            bridge = "br%d" % n
            self.sw.add_bridge(bridge, "fail_mode=secure", "protocols=OpenFlow%d" % n,
                               "other_config:datapath-id=%016x" % n)
            self.hosts[version] = [
                self.sw.add_host(bridge, "p%d-%d" % (n, i), "10.%d.0.%d/24" % (n, i), "--", "set",
                                 "interface", "p%d-%d" % (n, i), "ofport_request=%d" % i)
                for i in (1, 2)]
            self.osken.connect(bridge)
        for n in BRIDGES.values():
            self.osken.wait_until_said(n, "features")
        return self

    def close(self):
        try:
            self.osken.close()
            for pair in self.hosts.values():
                for host in pair:
                    host.close()
        finally:
            self.sw.close()


@pytest.fixture(scope="module")
def net():
    n = Net()
    try:
        yield n.start()
    finally:
        n.close()


@pytest.mark.parametrize("version", BRIDGES)
def test_hosts_ping_over_learned_flows(net, version):
    n = BRIDGES[version]
    a, b = net.hosts[version]
    assert net.osken.said(n, "features") == [[str(version), "254"]]
    a.ping("10.%d.0.2" % n, check=True)
    flows = net.sw.ofctl("-O", "OpenFlow%d" % n, "dump-flows", "br%d" % n)
    for port, src, dst in ((1, a, b), (2, b, a)):
        text = "priority=1,in_port=%d,dl_src=%s,dl_dst=%s actions=output:%d" % (
            port, src.mac(), dst.mac(), 3 - port)
        assert text in flows, flows
    # The flows carry what follows: the controller hears of no more.
    before = len(net.osken.said(n, "packet-in"))
    assert before >= 3
    a.ping("10.%d.0.2" % n, check=True)
    assert len(net.osken.said(n, "packet-in")) == before
    # Deleted flows and ports are told.
    net.sw.ofctl("-O", "OpenFlow%d" % n, "del-flows", "br%d" % n, "in_port=1")
    assert net.osken.wait_until_said(n, "removed") == [["2", "1"]]
    net.sw.vsctl("add-port", "br%d" % n, "x%d" % n, "--", "set", "interface", "x%d" % n,
                 "type=internal", "ofport_request=7")
    net.sw.vsctl("del-port", "x%d" % n)
    switchlib.wait_for(lambda: ["delete", "x%d" % n, "7"] in net.osken.said(n, "port"), 10,
                       "the deletion of the port to be told")
    assert ["add", "x%d" % n, "7"] in net.osken.said(n, "port")
    assert net.osken.said(n, "error") == []


@pytest.mark.parametrize("version", REST)
def test_rest_describes_the_switch(net, version):
    n = BRIDGES[version]
    ask = lambda what, body=None: net.osken.ask("%s/%d" % (what, n), body)[str(n)]
    assert net.osken.ask("switches") and n in net.osken.ask("switches")
    assert ask("desc") == {"dp_desc": "None", "hw_desc": "Open vSwitch", "mfr_desc": "Nicira, Inc.",
                           "serial_num": "None", "sw_desc": "3.1.0"}
    if version > 3:
        ports = {p["name"]: p for p in ask("portdesc")}
        p1 = ports["p%d-1" % n]
        speed = p1 if version == 4 else p1["properties"][0]
        assert (p1["port_no"], p1["config"], p1["state"]) == (1, 0, 4)
        assert (speed["curr"], speed["curr_speed"], speed["max_speed"]) == (2112, 10000000, 0)
        assert ports["br%d" % n]["port_no"] == "LOCAL"
        features = ask("meterfeatures")[0]
        assert features["max_meter"] == 262144 and features["band_types"] == ["DROP"]
        assert sorted(features["capabilities"]) == ["BURST", "KBPS", "PKTPS", "STATS"]
    if version > 1:
        assert ask("role")[0]["role"] == "EQUAL"
        assert set(ask("groupfeatures")[0]["types"]) == {"ALL", "SELECT", "INDIRECT", "FF"}
    tables = ask("table")
    assert [t["table_id"] for t in tables] == list(range(254))
    assert tables[0]["active_count"] >= 1 and tables[1]["active_count"] == 0
    assert all(t.get("name", "") == "" for t in tables)
    stats = {p["port_no"]: p for p in ask("port")}
    assert set(stats) == {1, 2, "LOCAL"}
    assert stats[1]["rx_packets"] >= 3 and stats[1]["rx_bytes"] > 3 * 42
    local = stats["LOCAL"] if version < 5 else stats["LOCAL"]["properties"][0]
    assert (local["collisions"], local["rx_crc_err"]) == (0, 0)
    assert ask("queue") == []


@pytest.mark.parametrize("version", REST)
def test_rest_adds_reads_changes_and_deletes_flows(net, version):
    n = BRIDGES[version]
    ask = lambda what, body=None: net.osken.ask("%s/%d" % (what, n), body)[str(n)]
    ip = {"dl_type": 0x800, "nw_dst": "192.0.2.0/24"} if version < 5 else \
        {"eth_type": 0x800, "ipv4_dst": "192.0.2.0/24"}
    output = [{"type": "OUTPUT", "port": 2}]
    flow = {"dpid": n, "priority": 77, "cookie": 5, "idle_timeout": 300, "match": dict(ip, in_port=1)}
    does = {"actions": output} if version < 5 else \
        {"instructions": [{"type": "APPLY_ACTIONS", "actions": output}]}
    flow.update(does)
    assert net.osken.ask("flowentry/add", flow) == "sent"

    def mine():
        wanted = {"match": ip} if version == 1 else {"cookie": 5, "cookie_mask": 0xff}
        return [f for f in ask("flow", wanted) if f["priority"] == 77]

    f, = switchlib.wait_for(mine, 10, "the flow")
    assert f["cookie"] == 5 and f["packet_count"] == 0
    assert f["idle_timeout"] == 300
    match = f["match"]
    assert match["in_port"] == 1
    assert match.get("nw_dst", match.get("ipv4_dst")) in ("192.0.2.0/24", "192.0.2.0/255.255.255.0")
    if version < 5:
        assert f["actions"] == ["OUTPUT:2"]
    else:
        assert f["instructions"][0]["actions"][0]["port"] == 2
    sums, = ask("aggregateflow")
    assert sums["flow_count"] >= 2
    net.osken.ask("flowentry/modify_strict", {k: flow[k] for k in flow if k not in does})
    switchlib.wait_for(lambda: "actions=drop" in net.sw.ofctl(
        "-O", "OpenFlow%d" % n, "dump-flows", "br%d" % n, "ip"), 10, "the changed flow")
    net.osken.ask("flowentry/delete_strict", flow)
    switchlib.wait_for(lambda: not mine(), 10, "the flow to go")


@pytest.mark.parametrize("version", [4, 5])
def test_rest_adds_groups_and_meters(net, version):
    n = BRIDGES[version]
    ask = lambda what: net.osken.ask("%s/%d" % (what, n))[str(n)]
    group = {"dpid": n, "type": "SELECT", "group_id": 9,
             "buckets": [{"weight": 1, "actions": [{"type": "OUTPUT", "port": 1}]}]}
    net.osken.ask("groupentry/add", group)
    described, = switchlib.wait_for(lambda: ask("groupdesc"), 10, "the group")
    assert (described["group_id"], described["type"]) == (9, "SELECT")
    stats, = ask("group")
    assert (stats["group_id"], stats["ref_count"]) == (9, 0)
    assert [b["packet_count"] for b in stats["bucket_stats"]] == [0]
    net.osken.ask("groupentry/delete", {"dpid": n, "group_id": 9})
    switchlib.wait_for(lambda: not ask("groupdesc"), 10, "the group to go")

    meter = {"dpid": n, "flags": ["KBPS", "BURST"], "meter_id": 4,
             "bands": [{"type": "DROP", "rate": 1000, "burst_size": 50}]}
    net.osken.ask("meterentry/add", meter)
    m, = switchlib.wait_for(lambda: ask("meterconfig"), 10, "the meter")
    assert m["meter_id"] == 4 and set(m["flags"]) == {"KBPS", "BURST"}
    assert (m["bands"][0]["rate"], m["bands"][0]["burst_size"]) == (1000, 50)
    stats, = ask("meter")
    assert stats["meter_id"] == 4 and len(stats["band_stats"]) == 1
    net.osken.ask("meterentry/delete", {"dpid": n, "meter_id": 4})
    switchlib.wait_for(lambda: not ask("meter"), 10, "the meter to go")


def test_nothing_was_wrong(net):
    """After the tests above: no error messages to the controller, no alarms in the log."""
    for n in BRIDGES.values():
        assert net.osken.said(n, "error") == []
    assert "Traceback" not in net.osken.text(), net.osken.text()[-3000:]
    assert net.sw.alarms() == []
