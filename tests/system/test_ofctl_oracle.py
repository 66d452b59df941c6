# SPDX-License-Identifier: Apache-2.0
"""Commands of ovs-ofctl whose answers depend on more than their text, on Sluice and on genuine Open vSwitch: the same output, errors
and exit codes."""
import re

import pytest

from switchlib import sh

pytestmark = pytest.mark.rootless

FLOWS = ["in_port=1", "in_port=2,arp", "dl_src=02:00:00:00:00:01", "ip,nw_src=10.0.0.1", "dl_vlan=5", "vlan_tci=0", "mpls,mpls_label=5",
         "icmp6,icmp_type=135,icmp_code=0,nd_target=fc00::1", "ipv6,ipv6_label=5", "reg0=1", "tun_id=1", "metadata=1", "pkt_mark=1",
         "ct_state=+trk", "conj_id=5"]

# A field of IP without an Ethernet type: the tool leaves it out, and asks for packets that are frames.
FRAMES = ["dump-flows br0 nw_src=10.0.0.1", "dump-flows br0 in_port=2,nw_src=10.0.0.1", "dump-aggregate br0 nw_src=10.0.0.1",
          "-OOpenFlow13 dump-flows br0 nw_src=10.0.0.1", "-OOpenFlow13 dump-flows br0 vlan_vid=0/0", "dump-flows br0 ip,nw_src=10.0.0.1",
          "-OOpenFlow13 mod-flows br0 nw_src=10.0.0.1,actions=2", "dump-flows br0", "del-flows br0 in_port=2,nw_src=10.0.0.1",
          "dump-flows br0", "-OOpenFlow13 --strict del-flows br0 nw_src=10.0.0.1", "dump-flows br0",
          "-OOpenFlow13 del-flows br0 nw_src=10.0.0.1", "dump-flows br0"]

HIDDEN_TABLE = ["--strict del-flows br0 table=254,in_port=1", "-OOpenFlow13 --strict del-flows br0 table=254,in_port=1",
                "del-flows br0 table=254", "-OOpenFlow13 del-flows br0 table=254", "-OOpenFlow13 --bundle del-flows br0 table=254",
                "del-flows br0 table=254,cookie=1/-1", "-OOpenFlow13 --strict mod-flows br0 table=254,in_port=1,actions=drop",
                "-OOpenFlow13 add-flow br0 table=254,in_port=1,actions=drop", "-OOpenFlow13 dump-flows br0 table=254"]

LAST_TABLE = ["-OOpenFlow1%d mod-table br0 %s continue" % (v, table) for v in (1, 2) for table in ("252", "253", "254")] + [
    "-OOpenFlow12 dump-tables br0", "-OOpenFlow12 mod-table br0 all controller", "-OOpenFlow12 dump-tables br0"]

GROUPS = ["-OOpenFlow1%d dump-group-features br0" % v for v in range(1, 6)] + ["-OOpenFlow15 " + c for c in (
    "add-group br0 group_id=7,type=all,bucket=bucket_id:1,1",
    "insert-buckets br0 group_id=7,command_bucket_id=5,bucket=bucket_id:1,2",
    "insert-buckets br0 group_id=7,command_bucket_id=1,bucket=bucket_id:1,2",
    "insert-buckets br0 group_id=7,command_bucket_id=first,bucket=bucket_id:1,group:99",
    "insert-buckets br0 group_id=77,command_bucket_id=5,bucket=bucket_id:1,2",
    "insert-buckets br0 group_id=7,command_bucket_id=1,bucket=bucket_id:2,2", "dump-groups br0")]


# Fields of the datapath: what no packet from a port has, and a hash, nobody may match.
DATAPATH = ["add-flow br0 table=5,recirc_id=0,actions=2", "-OOpenFlow13 add-flow br0 table=6,ip,recirc_id=0,actions=2",
            "add-flow br0 recirc_id=5,actions=2", "add-flow br0 dp_hash=0,actions=2", "add-flow br0 dp_hash=0/0xff,actions=2",
            "-OOpenFlow13 --bundle add-flow br0 recirc_id=5,actions=2", "dump-flows br0 table=5", "dump-flows br0 recirc_id=0",
            "--strict mod-flows br0 table=5,recirc_id=0,actions=1", "dump-flows br0", "--strict del-flows br0 table=5,recirc_id=0",
            "del-flows br0 recirc_id=0", "dump-flows br0"]


def clean(text, switch):
    text = text.replace(switch.dir, "RUNDIR")
    text = re.sub(r"^\d{4}-\d\d-\d\dT[^|]*\|\d+\|", "", text, flags=re.M)
    text = re.sub(r" hard_age=\d+,", "", text)  # there where a second went by before the flow was changed
    return sorted(re.sub(r"duration=[\d.]+s|idle_age=\d+", "AGE", text).splitlines())


def run(switch, command):
    p = sh(["ovs-ofctl"] + command.split(), check=False, env=switch.env)
    return p.returncode, clean(p.stdout, switch), clean(p.stderr, switch)


@pytest.mark.parametrize("commands", [FRAMES, HIDDEN_TABLE, LAST_TABLE, GROUPS, DATAPATH],
                         ids=["frames", "hidden", "last", "groups", "datapath"])
def test_the_same_answers(pair, commands):
    for sw in pair:
        sw.ofctl("del-flows", "br0")
        for flow in FLOWS:
            sw.ofctl("add-flow", "br0", flow + ",actions=1")
    for command in commands:
        ours, theirs = (run(sw, command) for sw in pair)
        assert ours == theirs, command


@pytest.mark.parametrize("version", ["OpenFlow10", "OpenFlow15"])
def test_fields_of_select_groups(pair, version):
    """Whole fields, of which many have bits that no byte ends with and may have no mask, and masks: what is dumped can be added again."""
    names = ["vlan_vid", "vlan_pcp", "vlan_tci", "ip_dscp", "nw_ecn", "mpls_label", "mpls_tc", "mpls_bos", "ipv6_label", "tcp_flags",
             "ip_frag", "tun_flags", "in_port", "reg3", "xreg1", "ct_zone", "nd_target", "vlan_vid,vlan_pcp", "vlan_vid=0xfff",
             "ipv6_label=0xff", "metadata=5", "ip_src=255.255.0.0,ipv6_src", "eth_src=ff:ff:00:00:00:00"]
    groups = ["group_id=%d,type=select,selection_method=hash,fields(%s),bucket=bucket_id:0,actions=1" % g for g in enumerate(names, 1)]
    dumps = []
    for sw in pair:
        sw.ofctl("-O", version, "del-groups", "br0")
        sw.ofctl("-O", version, "add-groups", "br0", "-", input="\n".join(groups))
        dumps.append(sw.ofctl("-O", version, "dump-groups", "br0").splitlines()[1:])
        sw.ofctl("-O", version, "del-groups", "br0")
        sw.ofctl("-O", version, "add-groups", "br0", "-", input="\n".join(dumps[-1]))
        assert sorted(sw.ofctl("-O", version, "dump-groups", "br0").splitlines()[1:]) == sorted(dumps[-1])
        sw.ofctl("-O", version, "del-groups", "br0")
    assert sorted(dumps[0]) == sorted(dumps[1]) and len(dumps[0]) == len(names)


def test_flows_of_one_version_read_in_another(pair):
    """Each version has other words for the same action: none is lost, whatever the flow says of the packet."""
    matches = ["", "in_port=1", "ip", "tcp", "udp6", "sctp", "icmp", "arp", "mpls", "tcp,nw_frag=later", "sctp6,nw_frag=later", "udp,nw_frag=first",
               "dl_vlan=5", "vlan_tci=0", "tcp,dl_vlan=5", "ip,vlan_tci=0x1000/0x1000", "dl_type=0x88b5"]
    actions = ["mod_tp_src:7", "mod_tp_dst:8", "mod_nw_src:10.0.0.9", "mod_nw_dst:10.0.0.9", "mod_nw_tos:8", "mod_nw_ecn:1", "mod_nw_ttl:5",
               "mod_vlan_vid:7", "mod_vlan_pcp:3", "strip_vlan", "mod_vlan_vid:7,mod_vlan_pcp:3", "push_vlan:0x8100,mod_vlan_vid:7",
               "mod_dl_src:02:00:00:00:00:09", "mod_dl_dst:02:00:00:00:00:09", "dec_ttl", "enqueue:1:2", "set_queue:3,pop_queue",
               "push_mpls:0x8847,set_mpls_label(9),set_mpls_tc(1),set_mpls_ttl(5)", "pop_mpls:0x0800,mod_nw_ttl:5", "dec_mpls_ttl",
               "load:5->NXM_OF_IP_SRC[]", "load:5->NXM_OF_VLAN_TCI[0..11]", "load:5->NXM_OF_TCP_SRC[]", "normal", "flood", "controller:9"]
    for version in ("OpenFlow10", "OpenFlow11", "OpenFlow13"):
        dumps = []
        for sw in pair:
            sw.ofctl("del-flows", "br0")
            for n, action in enumerate(actions):
                for m, match in enumerate(matches):  # Some may not be combined.
                    sh(["ovs-ofctl", "-O", version, "add-flow", "br0", "priority=%d,%s,actions=%s,1" % (100 * n + m, match, action)],
                       check=False, env=sw.env)
            dumps.append([sorted(sw.ofctl("-OOpenFlow1%d" % v, "--no-stats", "dump-flows", "br0").replace("1/0x3->nw_ecn", "1->nw_ecn").splitlines())
                          for v in range(6)])
        assert len(dumps[1][0]) > 150
        for v, (ours, theirs) in enumerate(zip(*dumps)):
            assert ours == theirs, "added as %s, read as OpenFlow1%d" % (version, v)
