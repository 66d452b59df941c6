# SPDX-License-Identifier: Apache-2.0
"""Rows of cycles per packet: pcap source -> rules -> null sink."""
import os

import rig
import traffic
from row import Metric, Row

# What the rules call the ports: they are made before the source, so the sinks are 1, 2, ... and the
# source follows.
L3 = ["priority=5,ip,nw_dst=192.168.0.0/16,actions=output:dst"]


def pcap(options, n_flows, **shape):
    name = "f%d%s.pcap" % (n_flows, "".join("-%s%s" % kv for kv in sorted(shape.items())))
    return traffic.pcap(os.path.join(options.files, name), n_flows, **shape)


def cycles(sw, options, settle=45):
    rig.settle(sw, settle)
    best = rig.best(sw, options.windows, options.seconds)
    return {"cycles": best["cycles"], "mpps": best["mpps"], "hits": best["hits"],
            "pcaps": sw.pcaps, "megaflows": sw.n_megaflows()}


def forward(n_flows, rules, **shape):
    def measure(sw, options):
        sw.bridge()
        sw.sink()
        sw.rules(rules)
        sw.source(pcap(options, n_flows, **shape))
        return cycles(sw, options)
    return measure


def acl(n_flows, n_rules, seed=None, proto="udp", ipv6=False, **shape):
    """With a 'seed' rules, addresses, ports and order are others: the traffic's are anywhere then."""
    rules = {} if seed is None else {"seed": seed}
    if rules:
        shape["scattered"] = True
    if ipv6:
        shape["ipv6"] = True
    return forward(n_flows, list(traffic.acl(n_rules, "2", "1", n_flows,
                                             proto=proto + "6" * ipv6, **rules)),
                   proto=proto, **rules, **shape)


def million_sources(sw, options, sources):
    """Four sources of 250,000 flows: a memory pool of OVS-DPDK has no room for a million frames,
    and ports of different MTUs have pools of their own.  Returns their names."""
    names = []
    for i, mtu in enumerate((1500, 2500, 3500, 4500)):
        path = pcap(options, 250000, sources=sources, first=i * 250000)
        names.append("src%d" % i)
        sw.source(path, port=names[-1], number=i, more=["mtu_request=%d" % mtu])
    return names


def million(rules, sources):
    def measure(sw, options):
        sw.vsctl("set", "Open_vSwitch", ".", "other_config:flow-limit=400000")
        sw.bridge()
        sw.sink()
        sw.rules(rules)
        million_sources(sw, options, sources)
        return cycles(sw, options, 60)
    return measure


N_NETS = 12500  # each has a megaflow for each of the four sources


def many_megaflows(sw, options):
    answer = million(list(traffic.networks(N_NETS, "1")), N_NETS)(sw, options)
    if answer["megaflows"] < 4 * N_NETS:
        raise rig.switchlib.Failed("only %d megaflows" % answer["megaflows"])
    return answer


def tables_20(sw, options):
    sw.bridge()
    sw.sink()
    sw.rules(traffic.pipeline(20, "1"))
    sw.source(pcap(options, 100))
    return cycles(sw, options)


def outputs_8(sw, options):
    sw.bridge()
    for i in range(8):
        sw.sink(port="dst%d" % i, number=i)
    sw.rules(["in_port=9,actions=" + ",".join(str(i + 1) for i in range(8))])
    sw.source(pcap(options, 100))
    return cycles(sw, options)


N_MACS = 10000


def normal_macs(sw, options):
    """A learning switch: sources are learned, destinations were put into the table."""
    sw.bridge()
    sw.vsctl("set", "bridge", "br0", "fail_mode=standalone", "other_config:mac-table-size=30000")
    sw.sink()
    sw.rules(["actions=NORMAL"])
    sw.control([["fdb/add", "br0", "dst", "0", traffic.mac(1, i)] for i in range(N_MACS)])
    sw.source(pcap(options, N_MACS, macs=N_MACS))
    answer = cycles(sw, options)
    answer["learned"] = len(sw.appctl("fdb/show", "br0").splitlines()) - 1
    if answer["learned"] < N_MACS * 19 // 10:
        raise rig.switchlib.Failed("only %d of %d addresses learned" % (answer["learned"],
                                                                        2 * N_MACS))
    return answer


FLAT = 1.3  # what other seeds and protocols may cost beside the row that they are like


def row(name, title, measure, goal=None, ovs=None, pair=None, like=None, **more):
    return Row(name, [Metric("cycles", title, goal=goal, ovs=ovs, pair=pair,
                             flat=(like, FLAT) if like else None)], measure, **more)


ROWS = [
    row("one-flow", "one flow, in_port rule", forward(1, ["in_port=2,actions=1"]), 85, 131),
    row("l3-100", "100 flows, one L3 rule", forward(100, L3), 90, 151, curve=("l3", 100)),
    row("l3-10k", "10,000 flows, one L3 rule", forward(10000, L3), 105, 279, curve=("l3", 10000)),
    row("l3-100k", "100,000 flows, one L3 rule", forward(100000, L3), 140, 360, curve=("l3", 100000)),
    row("l3-1m", "1,000,000 flows, one L3 rule", million(L3, 65536), 180,
        pair=74, curve=("l3", 1000000), huge_mb=5120, limit=240, takes=(11, 6)),
    row("nets-1m", "1,000,000 flows over 50,000 megaflows of /24", many_megaflows, huge_mb=5120,
        limit=240, takes=(12, 26)),
    row("acl1k-10k", "10,000 flows, 1,000 ACL rules", acl(10000, 1000), 130, 821, curve=("acl", 10000), takes=(5, 9)),
    row("acl1k-100k", "100,000 flows, 1,000 ACL rules", acl(100000, 1000), 180, 4357,
        curve=("acl", 100000), takes=(5, 24)),
    row("acl1k-1", "one flow, 1,000 ACL rules", acl(1, 1000), curve=("acl", 1)),
    row("acl1k-1000", "1,000 flows, 1,000 ACL rules", acl(1000, 1000), curve=("acl", 1000)),
    row("acl1k-10k-seed", "10,000 flows, 1,000 ACL rules, other seeds", acl(10000, 1000, seed=4711),
        like="acl1k-10k", takes=(5, 8)),
    row("acl1k-10k-tcp", "10,000 TCP flows, 1,000 ACL rules", acl(10000, 1000, proto="tcp"),
        like="acl1k-10k", takes=(5, 9)),
    row("acl1k-10k-576", "10,000 flows of 576 bytes, 1,000 ACL rules",
        acl(10000, 1000, seed=5, size=576), takes=(5, 9)),
    row("acl1k-10k-ipv6", "10,000 IPv6 flows, 1,000 ACL rules", acl(10000, 1000, ipv6=True), takes=(5, 9)),
    row("acl1k-100k-seed", "100,000 flows, 1,000 ACL rules, other seeds", acl(100000, 1000, seed=4711),
        like="acl1k-100k", takes=(5, 24)),
    row("acl100k-10k", "10,000 flows, 100,000 ACL rules", acl(10000, 100000), 150, 1366, takes=(7, 25)),
    row("exact-50k", "100,000 flows over 50,000 exact megaflows",
        forward(100000, list(traffic.exact(50000, "2", "1")) + ["priority=0,actions=1"],
                sources=50000), 190, 1007, takes=(6, 20)),
    row("normal-10k", "NORMAL, 10,000 MACs each way", normal_macs, takes=(6, 10)),
    row("vlan", "100 flows, push VLAN",
        forward(100, ["in_port=2,actions=push_vlan:0x8100,set_field:4101->vlan_vid,output:1"])),
    row("vlan-pop", "100 flows, pop VLAN",
        forward(100, ["in_port=2,dl_vlan=5,actions=pop_vlan,output:1"], vlan=5)),
    row("rewrite", "100 flows, MAC and TTL rewrite",
        forward(100, ["in_port=2,ip,actions=mod_dl_src:02:00:00:00:00:99,"
                      "mod_dl_dst:02:00:00:00:00:98,dec_ttl,output:1"])),
    row("ipv6", "100 flows, IPv6", forward(100, ["ipv6,actions=output:1"], ipv6=True)),
    row("size-1518", "100 flows, 1518-byte frames",
        forward(100, ["in_port=2,actions=1"], size=1518)),
    row("tables-20", "100 flows, pipeline of 20 tables", tables_20),
    row("outputs-8", "100 flows, eight output ports", outputs_8),
]
