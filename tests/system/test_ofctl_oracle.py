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


def clean(text, switch):
    text = text.replace(switch.dir, "RUNDIR")
    text = re.sub(r"^\d{4}-\d\d-\d\dT[^|]*\|\d+\|", "", text, flags=re.M)
    text = re.sub(r" hard_age=\d+,", "", text)  # there where a second went by before the flow was changed
    return sorted(re.sub(r"duration=[\d.]+s|idle_age=\d+", "AGE", text).splitlines())


def run(switch, command):
    p = sh(["ovs-ofctl"] + command.split(), check=False, env=switch.env)
    return p.returncode, clean(p.stdout, switch), clean(p.stderr, switch)


@pytest.mark.parametrize("commands", [FRAMES, HIDDEN_TABLE, LAST_TABLE, GROUPS], ids=["frames", "hidden", "last", "groups"])
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
