# SPDX-License-Identifier: Apache-2.0
"""Columns and keys of things that are not there yet: accepted, named once in the log, and nothing suffers."""
import json
import re
import time

import pytest

from switchlib import SCHEMA, wait_for

pytestmark = pytest.mark.rootless

COLUMNS = {
    ("Bridge", "stp_enable"), ("Bridge", "rstp_enable"), ("Bridge", "mcast_snooping_enable"),
    ("Bridge", "netflow"), ("Bridge", "sflow"), ("Bridge", "ipfix"), ("Bridge", "auto_attach"),
    ("Datapath", "ct_zones"), ("Port", "bond_fake_iface"),
    ("Interface", "bfd"), ("Interface", "cfm_mpid"), ("Interface", "lldp"),
    ("Controller", "local_ip"), ("Flow_Sample_Collector_Set", "ipfix"), ("Queue", "dscp"),
}
# Keys of Open_vSwitch.other_config: what each is set to.  Those of the second table are served.
UNSERVED_KEYS = {
    "hw-offload": "true", "hw-offload-priority": '"tc,dpdk"', "n-offload-threads": "4", "tc-policy": "skip_hw",
    "offload-rebalance": "true", "offloaded-stats-delay": "1000", "shared-mempool-config": "1500",
    "explicit-sampled-drops": "true",
}
SERVED_KEYS = {
    "dpdk-init": "true", "dpdk-lcore-mask": "1", "pmd-cpu-mask": "1", "dpdk-socket-mem": "64", "dpdk-alloc-mem": "64",
    "dpdk-socket-limit": "1000", "dpdk-hugepage-dir": "/dev/hugepages", "dpdk-extra": '"--no-telemetry"',
    "dpdk-probe-at-init": "true", "vhost-sock-dir": "x", "vhost-iommu-support": "true", "vhost-postcopy-support": "true",
    "per-port-memory": "true", "max-idle": "5000", "max-revalidator": "400", "min-revalidate-pps": "6",
    "flow-limit": "1000", "n-handler-threads": "2", "n-revalidator-threads": "3", "emc-insert-inv-prob": "5",
    "smc-enable": "false", "pmd-rxq-assign": "roundrobin", "pmd-rxq-isolate": "true", "pmd-auto-lb": "false",
    "pmd-auto-lb-rebal-interval": "2", "pmd-auto-lb-load-threshold": "90", "pmd-auto-lb-improvement-threshold": "20",
    "pmd-perf-metrics": "true", "pmd-sleep-max": "50", "pmd-maxsleep": "60", "tx-flush-interval": "5",
    "userspace-tso-enable": "true", "vlan-limit": "0", "bundle-idle-timeout": "20", "stats-update-interval": "6000",
    "flow-restore-wait": "false", "enable-statistics": "true",
    # Others', and nobody's.
    "private_key": "x", "certificate": "x", "ca_cert": "x", "ipsec_skb_mark": "1", "n-dpdk-rxqs": "2",
}
# Every other column of the schema: configuration that is served, what the switch writes, what is others'.
SERVED = {
    "Open_vSwitch": "bridges ssl other_config datapaths manager_options external_ids next_cfg",
    "Bridge": "name datapath_type ports mirrors controller protocols fail_mode other_config external_ids flood_vlans "
              "flow_tables",
    "Port": "name interfaces trunks cvlans tag vlan_mode qos mac bond_mode lacp bond_updelay bond_downdelay "
            "fake_bridge protected other_config external_ids",
    "Interface": "name type options ingress_policing_rate ingress_policing_burst ingress_policing_kpkts_rate "
                 "ingress_policing_kpkts_burst mac external_ids ofport_request other_config mtu_request",
    "Flow_Table": "name flow_limit overflow_policy groups prefixes external_ids",
    "QoS": "type queues other_config external_ids",
    "Queue": "other_config external_ids",
    "Mirror": "name select_all select_src_port select_dst_port select_vlan output_port output_vlan snaplen external_ids",
    "Controller": "type target max_backoff inactivity_probe connection_mode enable_async_messages "
                  "controller_queue_size controller_rate_limit controller_burst_limit other_config external_ids",
    "Manager": "target max_backoff inactivity_probe connection_mode other_config external_ids",
    "SSL": "private_key certificate ca_cert bootstrap_ca_cert external_ids",
    "Datapath": "datapath_version external_ids",
}
WRITTEN = {
    "Open_vSwitch": "cur_cfg statistics ovs_version db_version system_type system_version datapath_types iface_types "
                    "dpdk_initialized dpdk_version",
    "Bridge": "datapath_version datapath_id", "Port": "bond_active_slave",
    "Interface": "mac_in_use ifindex ofport lacp_current statistics status admin_state link_state link_resets "
                 "link_speed duplex mtu error",
    "Mirror": "statistics", "Controller": "is_connected role status", "Manager": "is_connected status",
    "Datapath": "capabilities",
}
# What nobody writes while its feature is not there, and what says how that feature is to be.
WITH_ITS_FEATURE = {
    "Bridge": "status rstp_status", "Port": "status rstp_status rstp_statistics statistics",
    "Interface": "bfd_status cfm_remote_mpids cfm_flap_count cfm_fault cfm_fault_status cfm_remote_opstate cfm_health",
    "Controller": "local_netmask local_gateway",
}
WHOLE_TABLES = {"NetFlow", "sFlow", "IPFIX", "AutoAttach", "CT_Zone", "CT_Timeout_Policy"}
BROADCAST = "ffffffffffff" "020000000001" "88b5" + "00" * 46


def configure(sw):
    """All of it, twice, on two bridges."""
    for br, stp in (("br0", "stp_enable"), ("br1", "rstp_enable")):
        sw.vsctl("set", "Bridge", br, stp + "=true", "mcast_snooping_enable=true",
                 "netflow=@n", "sflow=@s", "ipfix=@i", "auto_attach=@a",
                 "--", "--id=@n", "create", "NetFlow", 'targets="127.0.0.1:2055"',
                 "--", "--id=@s", "create", "sFlow", 'targets="127.0.0.1:6343"', "agent=lo",
                 "--", "--id=@i", "create", "IPFIX", 'targets="127.0.0.1:4739"',
                 "--", "--id=@a", "create", "AutoAttach", "system_name=me",
                 "--", "--id=@b", "get", "Bridge", br,
                 "--", "--id=@j", "create", "IPFIX", 'targets="127.0.0.1:4740"',
                 "--", "create", "Flow_Sample_Collector_Set", "id=1", "bridge=@b", "ipfix=@j")
        sw.vsctl("set-controller", br, "punix:%s/%s.controller" % (sw.dir, br), "--", "set", "Controller",
                 br, "local_ip=10.0.0.1", "local_netmask=255.0.0.0")
    for p in ("p1", "p2"):
        sw.vsctl("set", "Port", p, "bond_fake_iface=true", "--", "set", "Interface", p, "bfd:enable=true",
                 "cfm_mpid=1", "lldp:enable=true")
        sw.vsctl("set", "Port", p, "qos=@q", "--", "--id=@q", "create", "QoS", "type=egress-policer",
                 "other_config:cir=1000000", "other_config:cbs=1000000", "queues:1=@u",
                 "--", "--id=@u", "create", "Queue", "dscp=10")
    sw.vsctl("set", "Open_vSwitch", ".", "datapaths:netdev=@d", "--", "--id=@d", "create",
             "Datapath", "datapath_version=x", "ct_zones:1=@z", "--", "--id=@z", "create",
             "CT_Zone", "external_ids:a=b")


def said(sw):
    with open(sw.log) as f:
        return re.findall(r"\|INFO\|column ([\w:-]+) of table (\w+) is accepted, but has no effect",
                          f.read())


def test_each_column_is_named_once(make_hermetic):
    sw = make_hermetic(kind="sluice")
    for br in ("br0", "br1"):
        sw.vsctl("add-br", br, "--", "set", "Bridge", br, "datapath_type=dummy")
    sw.add_ports("br0", "p1", "p2")
    assert said(sw) == []
    configure(sw)
    # Switched off again: nothing more to say, also not when it comes back.
    sw.vsctl("set", "Bridge", "br0", "stp_enable=false", "--", "set", "Interface", "p1",
             "bfd:enable=false")
    sw.vsctl("set", "Bridge", "br0", "stp_enable=true", "--", "set", "Interface", "p1",
             "bfd:enable=true")
    wait_for(lambda: len(said(sw)) >= len(COLUMNS), what="the lines")
    assert sorted((t, c) for c, t in said(sw)) == sorted(COLUMNS)
    assert sw.alarms() == []
    # Frames go as before.
    sw.appctl("netdev-dummy/receive", "p1", BROADCAST)
    wait_for(lambda: "tx pkts=1" in sw.ofctl("dump-ports", "br0", "p2"), what="the frame")


def test_what_is_off_is_not_named(make_hermetic):
    sw = make_hermetic(kind="sluice")
    sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy",
             "stp_enable=false", "rstp_enable=false", "mcast_snooping_enable=false")
    sw.add_ports("br0", "p1")
    sw.vsctl("set", "Port", "p1", "bond_fake_iface=false", "--", "set", "Interface",
             "p1", "bfd:enable=false", "bfd:min_tx=100", "lldp:enable=false")
    time.sleep(0.3)
    assert said(sw) == [] and sw.alarms() == []


def test_every_column_has_a_place():
    """The tables above are the schema: what it gains has to be served, or named."""
    with open(SCHEMA, encoding="utf-8") as f:
        schema = {(t, c) for t, table in json.load(f)["tables"].items() for c in table["columns"]}
    named = [(t, c) for table in (SERVED, WRITTEN, WITH_ITS_FEATURE) for t, text in table.items()
             for c in text.split()]
    assert len(named) == len(set(named)) and not set(named) & COLUMNS
    rest = {(t, c) for t, c in schema if t not in WHOLE_TABLES} - set(named) - COLUMNS
    assert rest == {("Flow_Sample_Collector_Set", c) for c in ("id", "bridge", "external_ids")}
    assert set(named) | COLUMNS <= schema


def test_each_key_is_named_once(make_hermetic):
    sw = make_hermetic(kind="sluice")
    sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy")
    sw.add_ports("br0", "p1", "p2")
    for key in UNSERVED_KEYS:  # off is nothing to speak of
        if UNSERVED_KEYS[key] == "true":
            sw.vsctl("set", "Open_vSwitch", ".", "other_config:%s=false" % key)
    for key, value in SERVED_KEYS.items():
        sw.vsctl("set", "Open_vSwitch", ".", "other_config:%s=%s" % (key, value))
        assert said(sw) == [], key
    for n, (key, value) in enumerate(UNSERVED_KEYS.items(), 1):
        for v in (value, "false", value):
            sw.vsctl("set", "Open_vSwitch", ".", "other_config:%s=%s" % (key, v))
        wait_for(lambda n=n: len(said(sw)) == n, what="a line for " + key)
        assert said(sw)[-1] == ("other_config:" + key, "Open_vSwitch")
    assert sw.alarms() == []
    sw.appctl("netdev-dummy/receive", "p1", BROADCAST)
    wait_for(lambda: "tx pkts=1" in sw.ofctl("dump-ports", "br0", "p2"), what="the frame")


def test_offload_of_segments_is_said(make_hermetic):
    """Once, at the start that it was there for."""
    sw = make_hermetic(kind="sluice", start=False)
    sw.start()
    sw.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:userspace-tso-enable=true")
    sw.stop()
    sw.start()
    sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy")
    sw.vsctl("set", "Open_vSwitch", ".", "other_config:max-idle=9000")
    with open(sw.log, encoding="utf-8") as f:
        assert f.read().split("opened log file")[-1].count("Userspace TCP Segmentation Offloading support enabled") == 1
