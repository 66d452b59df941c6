# SPDX-License-Identifier: Apache-2.0
"""OpenFlow as the stock ovs-ofctl speaks it: what flow-mods mean, errors, bundles, groups, meters,
statistics and asynchronous messages, in the versions that the switch offers."""
import subprocess
import time

import pytest

from switchlib import Hermetic

VERSIONS = ["OpenFlow10", "OpenFlow13", "OpenFlow14", "OpenFlow15"]


@pytest.fixture
def br(sw):
    sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev",
             "fail_mode=secure")
    return sw


def flows(sw, *args):
    out = sw.ofctl("--no-stats", *args, "dump-flows", "br0")
    return sorted(line.strip().replace("reset_counts ", "") for line in out.splitlines() if "actions=" in line)


def test_modify_changes_or_adds(br):
    br.ofctl("add-flow", "br0", "priority=9,cookie=5,ip,actions=2")
    br.ofctl("mod-flows", "br0", "ip,actions=3")
    assert flows(br) == ["priority=9,ip actions=output:3"]  # OpenFlow 1.0: the cookie as well
    br.ofctl("mod-flows", "br0", "cookie=6/-1,actions=drop")
    assert flows(br) == ["priority=9,ip actions=output:3"]
    br.ofctl("mod-flows", "br0", "table=1,arp,actions=drop")
    assert "table=1, arp actions=drop" in flows(br)
    br.ofctl("-O", "OpenFlow13", "mod-flows", "br0", "table=2,arp,actions=drop")
    assert not any("table=2" in f for f in flows(br))


def test_delete_by_everything(br):
    def fill():
        br.ofctl("del-flows", "br0")
        br.ofctl("add-flow", "br0", "priority=1,ip,actions=1")
        br.ofctl("add-flow", "br0", "priority=2,cookie=7,tcp,tp_dst=80,actions=2")
        br.ofctl("add-flow", "br0", "table=3,arp,actions=3")

    for args, left in (
            (["ip"], ["table=3, arp actions=output:3"]),
            (["--strict", "priority=1,ip"],
             ["cookie=0x7, priority=2,tcp,tp_dst=80 actions=output:2",
              "table=3, arp actions=output:3"]),
            (["--strict", "priority=2,ip"], 3),
            (["cookie=7/-1"], 2),
            (["out_port=3"], 2),
            (["table=3"], 2),
            (["udp"], 3)):
        fill()
        options, match = args[:-1], args[-1]
        br.ofctl(*options, "del-flows", "br0", match)
        now = flows(br)
        assert (len(now) == left) if isinstance(left, int) else (now == sorted(left)), args


@pytest.mark.parametrize("args,error", [
    (["add-flow", "br0", "actions=group:77"], "OFPBAC_BAD_OUT_GROUP"),
    (["-O", "OpenFlow13", "add-flow", "br0", "actions=meter:7"], "OFPMMFC_INVALID_METER"),
    (["add-flow", "br0", "check_overlap,priority=3,tcp,actions=drop"], "OFPFMFC_OVERLAP"),
    (["-O", "OpenFlow13", "add-flow", "br0", "table=254,actions=drop"], "OFPBRC_EPERM"),
    (["-O", "OpenFlow13", "add-group", "br0", "group_id=1,type=all,bucket=output:1"],
     "OFPGMFC_GROUP_EXISTS"),
    (["-O", "OpenFlow13", "mod-group", "br0", "group_id=5,type=all,bucket=output:1"],
     "OFPGMFC_UNKNOWN_GROUP"),
    (["-O", "OpenFlow13", "mod-meter", "br0", "meter=9,kbps,band=type=drop,rate=1"],
     "OFPMMFC_UNKNOWN_METER"),
    # Without the bit that says that there is a tag: no dump could be decoded behind such a flow.
    (["-O", "OpenFlow13", "add-flow", "br0", "dl_vlan=5,actions=set_field:6->vlan_vid,1"],
     "OFPBAC_BAD_SET_ARGUMENT"),
    (["-O", "OpenFlow15", "add-flow", "br0", "dl_vlan=5,actions=set_field:6/0xfff->vlan_vid,1"],
     "OFPBAC_BAD_SET_ARGUMENT"),
])
def test_errors(br, args, error):
    br.ofctl("add-flow", "br0", "priority=3,in_port=1,actions=drop")
    br.ofctl("add-group", "br0", "group_id=1,type=all,bucket=output:1")
    p = br.ofctl(*args, check=False)
    assert error in p.stderr + p.stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_flows_survive_dump_and_replace(br, version, tmp_path):
    """What ovs-save does: a dump is put back and gives the same dump."""
    for f in ("priority=5,tcp,tp_dst=80,actions=output:1",
              "table=2,ip,nw_src=10.0.0.0/8,actions=mod_dl_src:00:01:02:03:04:05,output:2",
              "table=3,reg3=5/0xff,ipv6,ipv6_dst=fe80::/10,actions=load:0x5->NXM_NX_REG1[],"
              "resubmit(,4)",
              "cookie=0x1234,idle_timeout=600,hard_timeout=900,arp,arp_tpa=1.2.3.4,actions=NORMAL"):
        br.ofctl("add-flow", "br0", f)
    before = flows(br, "-O", version)
    saved = tmp_path / "flows"
    saved.write_text("\n".join(before) + "\n")
    br.ofctl("del-flows", "br0")
    options = ["-O", version] if version != "OpenFlow10" else ["-O", "OpenFlow14"]
    br.ofctl(*options, "--bundle", "replace-flows", "br0", str(saved))
    assert flows(br, "-O", version) == before
    assert br.ofctl("-O", version, "diff-flows", "br0", str(saved)) == ""


@pytest.mark.parametrize("version", ["OpenFlow13", "OpenFlow14", "OpenFlow15"])
def test_a_bundle_is_all_or_nothing(br, version, tmp_path):
    br.ofctl("add-flow", "br0", "arp,actions=drop")
    script = tmp_path / "bundle"
    script.write_text("flow delete arp\nflow add tcp,actions=1\nflow add udp,actions=group:99\n")
    p = br.ofctl("-O", version, "bundle", "br0", str(script), check=False)
    assert p.returncode and "OFPBAC_BAD_OUT_GROUP" in p.stderr
    assert flows(br) == ["arp actions=drop"]
    script.write_text("flow delete arp\ngroup add group_id=99,type=all,bucket=output:1\n"
                      "flow add udp,actions=group:99\nflow add tcp,actions=1\n")
    br.ofctl("-O", version, "bundle", "br0", str(script))
    assert flows(br) == ["tcp actions=output:1", "udp actions=group:99"]
    script.write_text("group delete group_id=99\nflow add actions=group:98\n")
    p = br.ofctl("-O", version, "bundle", "br0", str(script), check=False)
    assert p.returncode
    assert flows(br) == ["tcp actions=output:1", "udp actions=group:99"]
    assert "group_id=99" in br.ofctl("dump-groups", "br0")


def test_many_flows_in_one_bundle_and_one_dump(br, tmp_path):
    script = tmp_path / "flows"
    script.write_text("".join("priority=%d,ip,nw_src=10.%d.%d.%d,actions=drop\n"
                              % (i % 60000, i >> 16, i >> 8 & 255, i & 255)
                              for i in range(30000)))
    br.ofctl("--bundle", "add-flows", "br0", str(script))
    assert len(flows(br)) == 30000
    assert "flow_count=30000" in br.ofctl("dump-aggregate", "br0")
    assert "active=30000" in br.ofctl("dump-tables", "br0")
    br.ofctl("del-flows", "br0", "ip,nw_src=10.0.0.0/24")
    assert "flow_count=29744" in br.ofctl("dump-aggregate", "br0")


def test_groups(br):
    br.ofctl("add-group", "br0", "group_id=1,type=select,bucket=output:1,bucket=weight:5,output:2")
    br.ofctl("add-flow", "br0", "udp,actions=group:1")
    br.ofctl("-O", "OpenFlow15", "insert-buckets", "br0",
             "group_id=1,command_bucket_id=last,bucket=bucket_id:7,output:3")
    text = br.ofctl("-O", "OpenFlow15", "dump-groups", "br0")
    assert "bucket_id:7" in text and "actions=output:3" in text
    br.ofctl("-O", "OpenFlow15", "remove-buckets", "br0", "group_id=1,command_bucket_id=7")
    assert "bucket_id:7" not in br.ofctl("-O", "OpenFlow15", "dump-groups", "br0")
    stats = br.ofctl("-O", "OpenFlow13", "dump-group-stats", "br0")
    assert "ref_count=1" in stats and "bucket1" in stats
    br.ofctl("del-groups", "br0", "group_id=1")
    assert flows(br) == []
    p = br.ofctl("-O", "OpenFlow13", "add-group", "br0",
                 "group_id=4,type=all,bucket=group:4", check=False)
    assert "OFPGMFC_LOOP" in p.stderr + p.stdout


def test_meters(br):
    of13 = ["-O", "OpenFlow13"]
    br.ofctl(*of13, "add-meter", "br0", "meter=1,pktps,burst,stats,band=type=drop,rate=9,burst_size=3")
    text = br.ofctl(*of13, "dump-meters", "br0")
    assert "meter=1 pktps burst stats" in text and "rate=9 burst_size=3" in text
    br.ofctl(*of13, "add-flow", "br0", "tcp,actions=meter:1,output:1")
    assert "flow_count:1" in br.ofctl(*of13, "meter-stats", "br0")
    br.ofctl(*of13, "del-meters", "br0")
    assert flows(br) == []


def test_tunnel_option_table(br):
    br.ofctl("add-tlv-map", "br0", "{class=0xffff,type=0,len=4}->tun_metadata0")
    text = br.ofctl("dump-tlv-map", "br0")
    assert "max option space=" in text and "max fields=64" in text and "tun_metadata0" in text
    p = br.ofctl("add-tlv-map", "br0", "{class=0xffff,type=0,len=4}->tun_metadata1", check=False)
    assert "NXTTMFC_DUP_ENTRY" in p.stderr + p.stdout
    br.ofctl("del-tlv-map", "br0")
    assert "tun_metadata0" not in br.ofctl("dump-tlv-map", "br0")


def test_ports(br, hosts):
    hosts.append(br.add_host("br0", "p1"))
    name = "p1"
    br.ofctl("mod-port", "br0", name, "noflood")
    assert "NO_FLOOD" in br.ofctl("show", "br0")
    br.ofctl("mod-port", "br0", name, "flood")
    br.ofctl("mod-port", "br0", name, "down")
    assert "PORT_DOWN" in br.ofctl("-O", "OpenFlow14", "dump-ports-desc", "br0")
    br.ofctl("mod-port", "br0", name, "up")
    br.ofctl("set-frags", "br0", "drop")
    assert br.ofctl("get-frags", "br0").strip() == "drop"
    br.ofctl("set-frags", "br0", "normal")


def test_flow_removed_and_timeouts(br):
    monitor = subprocess.Popen(["ovs-ofctl", "monitor", "br0", "100"], env=br.env,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        time.sleep(0.5)
        br.ofctl("add-flow", "br0", "idle_timeout=1,send_flow_rem,in_port=9,actions=drop")
        br.ofctl("add-flow", "br0", "hard_timeout=1,send_flow_rem,in_port=8,actions=drop")
        br.ofctl("add-flow", "br0", "send_flow_rem,in_port=7,actions=drop")
        br.ofctl("del-flows", "br0", "in_port=7")
        time.sleep(3)
        assert flows(br) == []
    finally:
        monitor.terminate()
        out = monitor.communicate()[0]
    for port, reason in ((9, "idle"), (8, "hard"), (7, "delete")):
        assert any("in_port=%d" % port in line and "reason=" + reason in line
                   for line in out.splitlines()), out


def test_conjunctive_matches(br):
    for f in ("priority=10,ip,ip_src=10.0.0.1,actions=conjunction(7,1/2)",
              "priority=10,ip,ip_src=10.0.0.2,actions=conjunction(7,1/2)",
              "priority=10,tcp,tp_dst=80,actions=conjunction(7,2/2)",
              "priority=10,tcp,tp_dst=443,actions=conjunction(7,2/2)",
              "priority=10,conj_id=7,ip,actions=LOCAL",
              "priority=5,ip,ip_src=10.0.0.1,actions=drop",
              "priority=20,tcp,tp_dst=22,actions=drop"):
        br.ofctl("add-flow", "br0", f)

    def verdict(src, port):
        out = br.appctl("ofproto/trace", "br0",
                        "in_port=1,tcp,nw_src=%s,nw_dst=10.9.9.9,tp_dst=%d" % (src, port))
        return "priority 10" in out and "LOCAL" in out

    assert verdict("10.0.0.1", 80) and verdict("10.0.0.2", 443)
    assert not verdict("10.0.0.3", 80)
    assert not verdict("10.0.0.1", 81)
    assert not verdict("10.0.0.1", 22)
    br.ofctl("del-flows", "br0", "ip,ip_src=10.0.0.2")
    assert not verdict("10.0.0.2", 443)


def test_64_clauses_of_thousands_of_conjunctions(br, tmp_path):
    """All clauses match, but of all ids only one has all of them."""
    n_ids, whole = 3000, 1777
    lines = ["priority=10,conj_id=%d,actions=LOCAL" % whole, "priority=1,actions=drop"]
    for i in range(64):
        ids = [j for j in range(1, n_ids + 1) if j == whole or j % 64 != i]
        lines.append("priority=10,metadata=0/%#x,actions=%s" % (
            1 << i, ",".join("conjunction(%d,%d/64)" % (j, i + 1) for j in ids)))
    (tmp_path / "flows").write_text("\n".join(lines) + "\n")
    br.ofctl("add-flows", "br0", str(tmp_path / "flows"))

    def trace():
        return br.appctl("ofproto/trace", "br0", "in_port=1,tcp")
    assert "conj_id=%d" % whole in trace() and "LOCAL" in trace()
    br.ofctl("del-flows", "br0", "metadata=0/0x8000")
    assert "priority 1" in trace() and "LOCAL" not in trace()


def test_ports_of_one_transaction_are_numbered_in_a_known_order():
    """First those that ask for a number, then by name; the sets in the database have no order."""
    names = ["p%d" % i for i in range(1, 13)]
    switch = Hermetic().start()
    try:
        words = ["add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy"]
        for name in reversed(names):
            words += ["--", "add-port", "br0", name, "--", "set", "Interface", name, "type=dummy"]
        switch.vsctl(*words, "--", "set", "Interface", "p12", "ofport_request=1")
        numbers = [int(switch.get("Interface", name, "ofport")) for name in names]
        assert numbers == list(range(2, 13)) + [1]
        members = ["m%d" % i for i in range(1, 13)]
        words = ["add-bond", "br0", "bond0", *reversed(members)]
        for name in members:
            words += ["--", "set", "Interface", name, "type=dummy"]
        switch.vsctl(*words)
        numbers = [int(switch.get("Interface", name, "ofport")) for name in members]
        assert numbers == list(range(13, 25))
    finally:
        switch.close()


def test_requested_port_numbers_go_before_others(make_hermetic):
    """Who has a number by chance gives it up; who requested it does not; two may change theirs at once."""
    switch = make_hermetic()
    switch.add_bridge("br0")
    for name in ("p1", "p2", "p3"):
        switch.vsctl("add-port", "br0", name, "--", "set", "Interface", name, "type=dummy")

    def request(**numbers):
        args = []
        for name, n in numbers.items():
            args += ["--", "set", "Interface", name, "ofport_request=%d" % n]
        switch.vsctl(*args[1:])
        return ofports()

    def ofports():
        names = switch.vsctl("list-ports", "br0").split()
        return {name: int(switch.get("Interface", name, "ofport")) for name in names}

    assert ofports() == {"p1": 1, "p2": 2, "p3": 3}
    assert request(p2=1) == {"p1": 4, "p2": 1, "p3": 3}
    switch.vsctl("add-port", "br0", "p5", "--", "set", "Interface", "p5", "type=dummy", "ofport_request=3")
    if switch.kind == "sluice":  # There it depends on a hash who gets the number, now or later.
        assert ofports() == {"p1": 4, "p2": 1, "p3": 5, "p5": 3}
    assert request(p3=6, p2=7)["p3"] == 6
    assert request(p3=7, p2=6) == {"p1": 4, "p2": 6, "p3": 7, "p5": 3}
    assert request(p5=6)["p5"] == 3
    switch.vsctl("del-port", "br0", "p2")
    assert ofports() == {"p1": 4, "p3": 7, "p5": 6}
    # A request that came to nothing is granted when the number is free.
    assert request(p1=7)["p1"] == 4
    assert request(p3=8) == {"p1": 7, "p3": 8, "p5": 6}
    # The numbers count, not only in the database.
    show = switch.ofctl("show", "br0")
    assert all(" %d(%s)" % (n, name) in show for name, n in ofports().items())
    assert "|WARN|" not in "".join(switch.alarms())
