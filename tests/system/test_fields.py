# SPDX-License-Identifier: Apache-2.0
"""Fields that fit into few actions: those of experimenters (NXAST_REG_LOAD2) and tunnel options that are not mapped,
beside genuine Open vSwitch."""
import re

import pytest

pytestmark = pytest.mark.rootless

SET = ("set_field:1->tun_erspan_idx", "set_field:0x10/0xf0->tun_erspan_idx", "load:1->tun_erspan_ver[0..1]",
       "set_field:::1->ipv6_src")
OPTIONS = ("tun_metadata0=1,actions=drop", "tun_metadata63=1/1,actions=drop", "actions=set_field:1->tun_metadata0",
           "actions=load:1->tun_metadata5[0..3]", "actions=move:tun_metadata0[0..3]->reg0[0..3]",
           "actions=move:reg0[0..3]->tun_metadata0[0..3]", "actions=push:tun_metadata0[0..3]",
           "actions=learn(table=1,tun_metadata0[0..3])", "actions=multipath(symmetric_l4,0,modulo_n,2,0,tun_metadata7[0..3])")


def start(make_hermetic, kind):
    sw = make_hermetic(kind=kind)
    sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy",
             "protocols=OpenFlow10,OpenFlow13,OpenFlow15")
    return sw


def test_long_codes_there_and_back(make_hermetic):
    seen = []
    for kind in ("sluice", "ovs"):
        sw = start(make_hermetic, kind)
        out = []
        for version in ("OpenFlow10", "OpenFlow13", "OpenFlow15"):
            for action in SET:
                sw.ofctl("-O", version, "add-flow", "br0", "ipv6,actions=" + action)
                text = sw.ofctl("-O", version, "dump-flows", "br0", "ipv6")
                out.append((version, action, re.search("actions=(.*)", text).group(1)))
        seen.append(out)
    assert seen[0] == seen[1]


def test_options_without_a_mapping(make_hermetic):
    seen = []
    for kind in ("sluice", "ovs"):
        sw = start(make_hermetic, kind)
        out = []
        for version in ("OpenFlow10", "OpenFlow13", "OpenFlow15"):
            for flow in OPTIONS:
                p = sw.ofctl("-O", version, "add-flow", "br0", flow, check=False)
                out.append((version, flow, p.returncode, re.findall(r"OFPT_ERROR.*: (\w+)", p.stdout + p.stderr)))
        seen.append(out)
    assert seen[0] == seen[1]
    assert all(names == ["NXFMFC_INVALID_TLV_FIELD"] for _, _, _, names in seen[0])
