# SPDX-License-Identifier: Apache-2.0
"""Genuine Open vSwitch as an oracle: the same flows and frames through both, results compared.

A Lab is a switch with 'n' ports whose far ends lie in one namespace, where frame_io.py sends and
collects.  The generators below draw flow tables and frames from a small world of values, so that
rules really match, overlap and shadow each other.
"""
import json
import os
import re
import struct
import subprocess

from switchlib import Netns, Switch

HERE = os.path.dirname(os.path.abspath(__file__))
MACS = ["02:00:00:00:00:%02x" % i for i in (1, 2, 3, 4)] + ["01:00:5e:00:00:05",
                                                            "ff:ff:ff:ff:ff:ff"]
IPS = ["10.0.0.%d" % i for i in (1, 2, 3)] + ["10.1.0.1", "192.168.5.9"]
IP6S = ["fc00::1", "fc00::2", "fe80::1:2"]
VLANS = [None, 0, 1, 2, 100]
PORTS = [80, 443, 1000, 1001, 5000]


class Lab:
    """One switch, its ports p1..pn, and a process that feeds and drains them."""

    def __init__(self, kind, n_ports=4):
        self.sw = Switch(kind).start()
        self.far = Netns("far")
        self.sw.add_bridge("br0", "fail_mode=secure")
        for i in range(1, n_ports + 1):
            self.sw.ns.run("ip link add p%d type veth peer name e%d netns %s" % (
                i, i, self.far.name))
            for ns, dev in ((self.sw.ns, "p%d" % i), (self.far, "e%d" % i)):
                ns.run(["sysctl", "-qw", "net.ipv6.conf.%s.disable_ipv6=1" % dev])
                ns.run("ip link set %s up arp off" % dev)
            self.sw.vsctl("add-port", "br0", "p%d" % i, "--", "set", "Interface", "p%d" % i,
                          "ofport_request=%d" % i)
        self.io = self.far.popen(["/usr/bin/python3", os.path.join(HERE, "frame_io.py"),
                                  str(n_ports)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 text=True)

    def send(self, frames, gap=0.0, one_by_one=False):
        """Sends [(port, bytes)]; returns the sorted [(port, hex)] that came out.  'one_by_one': each
        when flows have counted the one before.  Where a MAC moved, the other one's datapath flows
        are wrong until it next looks at them: so they go each time, ours stay."""
        job = {"gap": gap, "frames": [[p, f.hex()] for p, f in frames]}
        if one_by_one:
            job["control"] = [self.sw.control_path(), "revalidator/purge" if self.sw.kind == "ovs"
                              else "revalidator/wait"]
        self.io.stdin.write(json.dumps(job) + "\n")
        self.io.stdin.flush()
        return sorted(map(tuple, json.loads(self.io.stdout.readline())))

    def close(self):
        self.io.stdin.close()
        self.io.wait(5)
        self.sw.close()
        self.far.close()


def without_known(sent):
    """[(port, hex)] without what docs/compat.md names: where addresses of a later fragment are
    rewritten, the other one changes two bytes of its payload as if they were a checksum."""
    return sorted((port, blank_later_fragment(bytearray.fromhex(frame)).hex())
                  for port, frame in sent)


def blank_later_fragment(frame):
    at = 12
    while frame[at:at + 2] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    ip = at + 2
    if frame[at:at + 2] == b"\x08\x00" and int.from_bytes(frame[ip + 6:ip + 8], "big") & 0x1fff:
        offset = {6: 16, 17: 6}.get(frame[ip + 9])
        csum = ip + 4 * (frame[ip] & 15) + (offset or 0)
        if offset and csum + 2 <= len(frame):
            frame[csum:csum + 2] = bytes(2)
    return frame


# --- random flows ---------------------------------------------------------------------------

def random_match(rng):
    """A match in the text of ovs-ofctl whose prerequisites are right."""
    m = []
    if rng.random() < 0.5:
        m.append("in_port=%d" % rng.randint(1, 4))
    if rng.random() < 0.25:
        m.append("dl_dst=" + rng.choice(MACS))
    if rng.random() < 0.1:
        m.append("dl_dst=01:00:00:00:00:00/01:00:00:00:00:00")
    if rng.random() < 0.2:
        m.append("dl_src=" + rng.choice(MACS[:4]))
    if rng.random() < 0.25:
        m.append(rng.choice(["dl_vlan=1", "dl_vlan=2", "dl_vlan=100", "dl_vlan=0xffff",
                             "dl_vlan_pcp=3", "vlan_tci=0x1000/0x1000"]))
    kind = rng.choice(["", "", "ip", "arp", "tcp", "udp", "icmp", "ipv6", "udp6", "icmp6"])
    if kind:
        m.insert(0, kind)
    if kind in ("ip", "tcp", "udp", "icmp"):
        for field in ("nw_src", "nw_dst"):
            if rng.random() < 0.4:
                m.append("%s=%s%s" % (field, rng.choice(IPS), rng.choice(["", "/24", "/8", "/30"])))
        if rng.random() < 0.15:
            m.append("nw_tos=%d" % rng.choice([0, 32, 184]))
        if rng.random() < 0.1:
            m.append("ip_frag=%s" % rng.choice(["no", "yes", "first", "later", "not_later"]))
        if rng.random() < 0.1:
            m.append("nw_ttl=%d" % rng.choice([1, 2, 64]))
    if kind == "arp":
        if rng.random() < 0.5:
            m.append("arp_op=%d" % rng.randint(1, 2))
        if rng.random() < 0.4:
            m.append("arp_tpa=" + rng.choice(IPS))
    if kind in ("tcp", "udp", "udp6") and "ip_frag=later" not in m:
        for field in ("tp_src", "tp_dst"):
            if rng.random() < 0.4:
                m.append("%s=%s" % (field, rng.choice([str(p) for p in PORTS]
                                                      + ["0x3e8/0xfffe"])))
    if kind == "tcp" and rng.random() < 0.2:
        flags = "tcp_flags=%s" % rng.choice(["+syn", "+ack-syn", "+rst"])
        m += [flags] if "ip_frag=later" not in m else []
    if kind == "icmp" and rng.random() < 0.4:
        m.append("icmp_type=%d" % rng.choice([0, 8]))
    if kind in ("ipv6", "udp6", "icmp6") and rng.random() < 0.5:
        m.append("ipv6_dst=%s%s" % (rng.choice(IP6S), rng.choice(["", "/16", "/64"])))
    return list(dict((x.split("=")[0], x) for x in m).values()), kind


def random_actions(rng, kind, table, n_tables, depth=0):
    """A list of actions that may follow a match of 'kind'."""
    a = []
    for _ in range(rng.choice([1, 1, 2, 3, 4])):
        pick = rng.random()
        if pick < 0.45:
            a.append(rng.choice(["output:1", "output:2", "output:3", "output:4", "in_port"]))
        elif pick < 0.52:
            a.append(rng.choice(["flood", "all"]))
        elif pick < 0.62:
            a.append(rng.choice(["mod_vlan_vid:%d" % rng.choice([1, 2, 100]), "strip_vlan",
                                 "mod_vlan_pcp:%d" % rng.randint(0, 7)]))
        elif pick < 0.70:
            a.append(rng.choice(["mod_dl_src:02:aa:00:00:00:01", "mod_dl_dst:02:bb:00:00:00:02"]))
        elif pick < 0.76:
            a.append("load:%#x->NXM_NX_REG%d[%d..%d]" % (rng.randint(0, 7), rng.randint(0, 2),
                                                          0, 7))
        elif pick < 0.80:
            a.append("move:NXM_OF_ETH_SRC[0..15]->NXM_NX_REG1[0..15]")
        elif pick < 0.84:
            a.append("move:NXM_NX_REG1[0..15]->NXM_OF_ETH_DST[0..15]")
        elif pick < 0.94 and kind in ("ip", "tcp", "udp", "icmp"):
            a.append(rng.choice(["mod_nw_src:10.9.9.9", "mod_nw_dst:10.8.8.8", "mod_nw_tos:32",
                                 "dec_ttl", "mod_nw_ttl:7"]))
        elif pick < 0.94 and kind in ("udp6", "ipv6"):
            a.append("set_field:fc00::99->ipv6_dst")
        if kind in ("tcp", "udp") and rng.random() < 0.2:
            a.append(rng.choice(["mod_tp_src:7", "mod_tp_dst:9"]))
        if table + 1 < n_tables and rng.random() < 0.25:
            a.append("resubmit(,%d)" % rng.randint(table + 1, n_tables - 1))
    return a or ["drop"]


# Tables of the pipeline's own actions.  The last one is only looked up, never written to but by learn().
RICH_TABLES = 5
LEARNED = 8
RICH_GROUPS = ["group_id=1,type=all,bucket=actions=output:1,bucket=actions=mod_dl_src:02:00:00:00:00:55,output:2",
               "group_id=2,type=indirect,bucket=actions=output:3,resubmit(,4)",
               "group_id=3,type=ff,bucket=watch_port:2,actions=output:2,bucket=watch_port:3,actions=output:3",
               "group_id=4,type=ff,bucket=watch_port:3,actions=clone(mod_dl_dst:02:bb:00:00:00:03,output:4),output:1"]
RICH_METERS = ["meter=1,kbps,band=type=drop,rate=10000000"]


def pipeline_action(rng):
    """One that has to do with tables, registers, the stack, groups, learning, controllers."""
    port = rng.randint(1, 4)
    return rng.choice([
        "push:NXM_OF_ETH_SRC[]", "pop:NXM_NX_XXREG0[0..47]", "push:NXM_NX_REG0[]", "pop:NXM_NX_REG2[]",
        "output:NXM_NX_REG0[0..7]", "note:01.02", "group:%d" % port, "meter:1", "set_field:7->metadata",
        "set_field:0x1/0x3->reg3", "set_field:5->pkt_mark", "ct_clear", "resubmit(,%d)" % LEARNED,
        "controller(reason=action,max_len=%d)" % rng.choice([0, 64, 65535]), "controller(userdata=01.02)",
        "multipath(eth_src,50,modulo_n,4,0,NXM_NX_REG1[0..3])",
        "bundle(eth_src,0,active_backup,ofport,members:%d,%d)" % (port, rng.randint(1, 4)),
        "bundle_load(eth_src,0,active_backup,ofport,NXM_NX_REG0[0..15],members:%d,2)" % port,
        "learn(table=%d,priority=3,hard_timeout=600,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],"
        "load:%d->NXM_NX_REG0[0..7],output:NXM_OF_IN_PORT[])" % (LEARNED, port)])


def rich_actions(rng, kind, table, in_clone=False):
    """Actions and instructions (a list each) of OpenFlow 1.3.  What docs/compat.md tells apart is left out: exit
    stands in no table that writes to the action set."""
    a = []
    for _ in range(rng.choice([1, 2, 3])):
        a += random_actions(rng, kind, table, RICH_TABLES)[:2] if rng.random() < 0.5 else [pipeline_action(rng)]
        if not in_clone and rng.random() < 0.12:
            a.append("clone(%s)" % ",".join(rich_actions(rng, kind, table, True)[0]))
    tagged = re.compile("vlan|resubmit|clone|group")
    if not any(tagged.search(x) for x in a) and rng.random() < 0.1 and table == 0:
        a.insert(0, "output(port=%d,max_len=%d)" % (rng.randint(1, 4), rng.choice([14, 40, 100])))
    w = []
    if rng.random() < 0.1:
        w.append("clear_actions")
    if rng.random() < 0.25:
        choice = ["output:1", "output:2", "set_field:5->metadata", "group:1", "mod_dl_src:02:aa:00:00:00:09",
                  "set_field:9->reg2"]
        w.append("write_actions(%s)" % ",".join(rng.sample(choice, rng.randint(1, 3))))
    if rng.random() < 0.15:
        w.append("write_metadata:%#x/0xf" % rng.randint(0, 15))
    if table + 1 < RICH_TABLES and rng.random() < 0.3:
        w.append("goto_table:%d" % rng.randint(table + 1, RICH_TABLES - 1))
    return a, w


def rich_flows(rng, n):
    """Flows for add-flow of OpenFlow 1.3, where one may be refused, and a conjunction."""
    exits = rng.random() < 0.3  # either flows that end the pipeline, or sets of actions
    lines = []
    for i in range(n):
        table = rng.choice([0, 0, rng.randrange(RICH_TABLES)])
        match, kind = random_match(rng)
        if table and rng.random() < 0.4:
            match.append(rng.choice(["reg0=%d/0x7" % rng.randint(0, 7), "metadata=%d/0xf" % rng.randint(0, 15),
                                     "reg2=0/1", "pkt_mark=5", "actset_output=%d" % rng.randint(1, 2)]))
        a, w = rich_actions(rng, kind, table)
        if exits:
            w = [x for x in w if not x.startswith("write_actions")]
            if rng.random() < 0.2:
                a.insert(rng.randrange(len(a) + 1), "exit")
        lines.append("table=%d,priority=%d,%s" % (table, 100 + i, ",".join(match + ["actions=" + ",".join(a + w)])))
    for clause, match in ((1, "in_port=1"), (1, "in_port=3"), (2, "ip,nw_dst=10.0.0.2"), (2, "arp")):
        lines.append("table=0,priority=99,%s,actions=conjunction(7,%d/2)" % (match, clause))
    lines.append("table=0,priority=99,conj_id=7,actions=output:2,output:4")
    return lines


def random_flows(rng, n, n_tables=3):
    """Lines for ovs-ofctl add-flows with distinct priorities, so that no two rules tie."""
    lines = []
    for i in range(n):
        table = rng.choice([0, 0, rng.randrange(n_tables)])
        match, kind = random_match(rng)
        if table and rng.random() < 0.3:
            match.append("reg%d=%d/0xff" % (rng.randint(0, 2), rng.randint(0, 7)))
        lines.append("table=%d,priority=%d,%s" % (table, 100 + i, ",".join(
            match + ["actions=" + ",".join(random_actions(rng, kind, table, n_tables))])))
    rng.shuffle(lines)
    return lines


# --- random frames ----------------------------------------------------------------------------

def csum(data):
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def ip_bytes(text):
    return bytes(int(x) for x in text.split("."))


def l4_bytes(rng, proto, pseudo):
    """A transport header with its checksum, and payload."""
    pay = bytes(rng.randrange(256) for _ in range(rng.choice([0, 1, 18, 30])))
    sport, dport = rng.choice(PORTS), rng.choice(PORTS)
    if proto == 6:
        flags = rng.choice([0x02, 0x12, 0x10, 0x04, 0x18])
        h = struct.pack("!HHIIBBHHH", sport, dport, 1, 2, 0x50, flags, 512, 0, 0)
        at = 16
    elif proto == 17:
        h, at = struct.pack("!HHHH", sport, dport, 8 + len(pay), 0), 6
        if rng.random() < 0.2 and len(pseudo) == 8:
            return h + pay  # UDP without a checksum
    elif proto == 1:
        h, at, pseudo = struct.pack("!BBHHH", rng.choice([0, 8]), 0, 0, 1, 1), 2, None
    elif proto == 58:
        h, at = struct.pack("!BBHHH", rng.choice([128, 129]), 0, 0, 1, 1), 2
    else:
        return pay
    whole = h + pay
    before = b"" if pseudo is None else pseudo + struct.pack("!BBH", 0, proto, len(whole))
    value = csum(before + whole) or (0xFFFF if proto == 17 else 0)
    return whole[:at] + struct.pack("!H", value) + whole[at + 2:]


def random_ipv4(rng):
    """A packet of IPv4."""
    proto = rng.choice([6, 17, 1, 132, 47, 2])  # OVS rewrites nothing of protocol 0
    src, dst = ip_bytes(rng.choice(IPS)), ip_bytes(rng.choice(IPS))
    frag = rng.choice([0x4000] * 8 + [0x2000, 0x2003, 0x0005])
    body = l4_bytes(rng, proto, src + dst)
    if rng.random() < 0.05:
        body = body[:rng.randrange(len(body) + 1)]
    h = struct.pack("!BBHHHBBH", 0x45, rng.choice([0, 32, 184]), 20 + len(body), 1, frag,
                    rng.choice([64, 64, 2, 1]), proto, 0) + src + dst
    return h[:10] + struct.pack("!H", csum(h)) + h[12:] + body


def random_frame(rng):
    """A well-formed frame of the small world."""
    l2 = mac_bytes(rng.choice(MACS)) + mac_bytes(rng.choice(MACS[:4]))
    vlan = rng.choice(VLANS)
    if vlan is not None:
        l2 += struct.pack("!HH", 0x8100, vlan | rng.choice([0, 3]) << 13)
    kind = rng.choice(["ip", "ip", "ip", "arp", "ipv6", "other"])
    if kind == "ip":
        body = random_ipv4(rng)
        frame = l2 + b"\x08\x00" + body
    elif kind == "ipv6":
        import ipaddress
        proto = rng.choice([6, 17, 58])
        src = ipaddress.IPv6Address(rng.choice(IP6S)).packed
        dst = ipaddress.IPv6Address(rng.choice(IP6S)).packed
        body = l4_bytes(rng, proto, src + dst)
        frame = l2 + b"\x86\xdd" + struct.pack("!IHBB", 0x60000000, len(body), proto, 64) \
            + src + dst + body
    elif kind == "arp":
        frame = l2 + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, rng.choice([1, 2])) \
            + mac_bytes(rng.choice(MACS[:4])) + ip_bytes(rng.choice(IPS)) + bytes(6) \
            + ip_bytes(rng.choice(IPS))
    else:
        frame = l2 + rng.choice([b"\x88\xb5", b"\x00\x30", b"\x88\xcc"]) + bytes(46)
    return frame + bytes(max(0, 60 - len(frame)))


# --- recirculation ---------------------------------------------------------------------------

def mpls_frame(rng):
    """One to three labels over a whole packet of IPv4.  (OVS changes what looks like payload of later
    fragments, and sets all of a label where it looked at a part of it.)"""
    n = rng.choice([1, 1, 1, 2, 2, 3])
    out = mac_bytes(rng.choice(MACS[:4])) + b"\x02\0\0\0\0\x01\x88\x47"
    for i in range(n):
        out += struct.pack(">I", rng.choice([16, 17]) << 12 | 4 << 9 | (i == n - 1) << 8 | rng.choice([1, 2, 64]))
    while True:
        ip = random_ipv4(rng)
        if ip[6] == 0x40 and len(ip) >= 40:
            return out + ip


def mpls_flows(rng):
    """Tables in which a label is popped somewhere, and what is below is looked at afterwards; groups
    whose buckets all come to the same."""
    after = ["dec_ttl", "mod_nw_tos:32", "mod_nw_src:10.9.9.9", "mod_tp_dst:9", "resubmit(,2)", "output:2", "output:3",
             "move:NXM_OF_IP_SRC[0..7]->NXM_NX_REG0[0..7]", "load:7->NXM_NX_REG1[0..7]", "push:NXM_OF_IP_DST[]",
             "pop:NXM_NX_REG2[]", "group:1", "group:2", "group:3", "group:4", "mod_dl_dst:02:bb:00:00:00:02", "clone(dec_ttl,output:4)",
             "mod_vlan_vid:5", "push_mpls:0x8847,set_mpls_ttl:7", "in_port", "strip_vlan", "check_pkt_larger(60)->NXM_NX_REG1[0]"]
    flows = []
    for i in range(8):
        match = ["mpls", rng.choice(["", "mpls_bos=1", "mpls_label=16", "mpls_label=17,mpls_bos=1", "in_port=2"])]
        actions = rng.sample(["mod_dl_src:02:aa:00:00:00:01", "output:4", "group:1"], rng.randint(0, 2))
        for _ in range(rng.choice([1, 1, 2])):
            actions += ["pop_mpls:" + rng.choice(["0x0800", "0x0800", "0x8847"])]
            actions += [rng.choice(after) for _ in range(rng.randint(1, 4))]
        flows.append("table=0,priority=%d,%s,actions=%s" % (100 + i, ",".join(filter(None, match)), ",".join(actions)))
    for i in range(6):
        match = [rng.choice(["ip", "udp", "ip,nw_dst=10.0.0.0/24", "ipv6", "mpls", "reg0=1/0xff", "ip,nw_ttl=64"])]
        flows.append("table=2,priority=%d,%s,actions=%s" % (100 + i, match[0], ",".join(
            rng.choice(["output:1", "output:2", "output:3", "group:1", "load:3->NXM_NX_REG1[0..7]"]) for _ in range(rng.randint(1, 3)))))
    flows.append("table=2,priority=1,actions=output:4")
    return flows


GROUPS = ["group_id=1,type=select,bucket=weight:3,actions=output:2,bucket=weight:5,actions=output:2",
          "group_id=2,type=all,bucket=actions=dec_ttl,output:1,bucket=actions=output:3",
          "group_id=3,type=select,selection_method=dp_hash,bucket=actions=mod_nw_tos:8,resubmit(,2),bucket=actions=mod_nw_tos:8,resubmit(,2)",
          "group_id=4,type=ff,bucket=watch_port:2,actions=group:1"]
