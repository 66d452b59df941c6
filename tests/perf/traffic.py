# SPDX-License-Identifier: Apache-2.0
"""Traffic files and rule sets of the benchmark: the same seed gives the same bytes."""
import os
import random
import subprocess

LIB = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib")

SRC_PREFIXES = (0, 16, 20, 24, 28, 32)
DST_PREFIXES = (0, 16, 24, 26, 30, 32)
PORTS = (80, 443, 53, 8080, 5000)


def mac(side, i):
    """The i-th address of one side of 'make-pcap --macs': 1 receives, 0 sends."""
    return "02:%02x:00:%02x:%02x:%02x" % (side, i >> 16 & 255, i >> 8 & 255, i & 255)


def pcap(path, flows, size=64, vlan=None, ipv6=False, proto="udp", sources=65536, seed=1, macs=0,
         first=0, scattered=False):
    """Writes (once) a file of 'flows' distinct five-tuples in shuffled order."""
    if not os.path.exists(path):
        cmd = [os.path.join(LIB, "make-pcap"), "--flows", str(flows), "--size", str(size),
               "--proto", proto, "--seed", str(seed), "--sources", str(sources)]
        if vlan is not None:
            cmd += ["--vlan", str(vlan)]
        if ipv6:
            cmd += ["--ipv6"]
        if scattered:
            cmd += ["--random"]
        cmd += ["--macs", str(macs), "--first", str(first)]
        subprocess.run(cmd + [path], check=True)
    return path


def address(rng, first, bits):
    """A random network of 'bits' inside first.0.0.0/8, or None for bits == 0."""
    if not bits:
        return None
    value = first << 24 | rng.getrandbits(24)
    value &= 0xFFFFFFFF << (32 - bits) & 0xFFFFFFFF
    return "%d.%d.%d.%d/%d" % (value >> 24, value >> 16 & 255, value >> 8 & 255, value & 255, bits)


def flow_sample(rng, n_flows):
    """The addresses and ports of one of the traffic's flows (see make-pcap)."""
    i = rng.randrange(n_flows)
    return ("10.%d.%d.1" % (i >> 8 & 255, i & 255), "192.168.1.%d" % (1 + i % 200),
            1024 + i % 60000, PORTS[i % 5])


def net(addr, bits):
    value = 0
    for part in addr.split("."):
        value = value << 8 | int(part)
    value &= 0xFFFFFFFF << (32 - bits) & 0xFFFFFFFF
    return "%d.%d.%d.%d/%d" % (value >> 24, value >> 16 & 255, value >> 8 & 255, value & 255, bits)


def network_sample(rng, n_flows):
    """Addresses and ports somewhere in the traffic's networks, 10/8 and 192.168/16."""
    src, dst = rng.getrandbits(24), rng.getrandbits(16)
    return ("10.%d.%d.%d" % (src >> 16, src >> 8 & 255, src & 255),
            "192.168.%d.%d" % (dst >> 8, dst & 255), 1024 + rng.randrange(60000),
            PORTS[rng.randrange(5)])


def net6(addr, bits):
    """The network of make-pcap's IPv6 address that ends with the IPv4 address 'addr'."""
    value, bits = net(addr, bits).split("/")
    a, b, c, d = (int(part) for part in value.split("."))
    return "2001:db8::%x:%x/%d" % (a << 8 | b, c << 8 | d, 96 + int(bits))


def acl(n_rules, in_port, output, n_flows, sample=network_sample, seed=7, proto="udp", denied="drop"):
    """ACL rules with unique priorities, a default at the bottom.

    With sample=network_sample they lie anywhere in the traffic's networks, as the design has them; with
    flow_sample each is about some flow of the traffic, and nearly every flow needs a megaflow of its own.
    'proto' may be udp6 or tcp6: the same rules for make-pcap's IPv6 addresses.  'denied' is the action
    of a third of them.
    """
    rng = random.Random(seed)
    v6 = proto.endswith("6")
    src_field, dst_field, network = ("ipv6_src", "ipv6_dst", net6) if v6 else ("nw_src", "nw_dst", net)
    yield "priority=0,actions=output:%s" % output
    for i in range(n_rules):
        src, dst, sport, dport = sample(rng, n_flows)
        match = [proto, "in_port=%s" % in_port]
        bits = rng.choice(SRC_PREFIXES)
        if bits:
            match.append("%s=%s" % (src_field, network(src, bits)))
        bits = rng.choice(DST_PREFIXES)
        if bits:
            match.append("%s=%s" % (dst_field, network(dst, bits)))
        if rng.random() < 0.5:
            match.append("tp_dst=%d" % dport)
        if rng.random() < 1 / 3:
            match.append("tp_src=%d" % sport)
        action = denied if rng.random() < 1 / 3 else "output:%s" % output
        yield "priority=%d,%s,actions=%s" % (1 + i % 65000, ",".join(match), action)


def distinct(n_rules, in_port, output, seed=7):
    """Rules of which no two have the same match, up to 2^24 of them: one per source."""
    rng = random.Random(seed)
    for i in range(n_rules):
        yield ("priority=%d,udp,in_port=%s,nw_src=10.%d.%d.%d,nw_dst=172.16.%d.%d,tp_dst=%d,"
               "actions=output:%s" % (1 + i % 65000, in_port, i >> 16 & 255, i >> 8 & 255, i & 255,
                                      rng.randrange(256), rng.randrange(256), rng.randrange(65536),
                                      output))


def exact(n_rules, in_port, output):
    """One rule for each of the traffic's first 'n_rules' sources."""
    for i in range(n_rules):
        yield ("priority=10,udp,in_port=%s,nw_src=10.%d.%d.1,actions=output:%s"
               % (in_port, i >> 8 & 255, i & 255, output))


def networks(n_rules, output):
    """One rule for the network of each of the traffic's first 'n_rules' sources."""
    for i in range(n_rules):
        yield ("priority=10,ip,nw_src=10.%d.%d.0/24,actions=output:%s"
               % (i >> 8 & 255, i & 255, output))


def pipeline(n_tables, output, last="priority=1"):
    """A chain of tables, of which the last one forwards what 'last' matches."""
    lines = ["table=%d,priority=1,ip,actions=resubmit(,%d)" % (t, t + 1)
             for t in range(n_tables - 1)]
    return lines + ["table=%d,%s,actions=output:%s" % (n_tables - 1, last, output)]
