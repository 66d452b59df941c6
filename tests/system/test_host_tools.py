# SPDX-License-Identifier: Apache-2.0
"""Debian's smaller tools and scripts beside a Sluice: those that read its files and texts, ovs-bugtool's
plugins, and what /etc/network/interfaces calls.  The large ones have files of their own."""
import os
import re
import subprocess

import pytest

from switchlib import sh, wait_for

pytestmark = pytest.mark.rootless

SCRIPTS = "/usr/share/openvswitch/scripts/"
ARP = "ffffffffffff" "020000000001" "0806" "0001080006040001" "0200000000010a000001" "0000000000000a000002" + "00" * 18
UDP = ("in_port(1),eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,"
       "proto=17,tos=0,ttl=64,frag=no),udp(src=5,dst=%d)")


@pytest.fixture(params=["sluice", "ovs"])
def bridged(request, make_hermetic):
    """A bridge with two ports, one VLAN and megaflows."""
    sw = make_hermetic(kind=request.param)
    sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy",
             "other_config:hwaddr=aa:66:aa:66:00:00")
    sw.add_ports("br0", "p1", "p2")
    sw.vsctl("set", "Interface", "p2", "options:tx_pcap=%s/p2.pcap" % sw.dir)
    sw.ofctl("add-flow", "br0", "udp,tp_dst=7,actions=mod_vlan_vid:5,2")
    for frame in (ARP, UDP % 7, UDP % 8):
        sw.appctl("netdev-dummy/receive", "p1", frame)
    wait_for(lambda: len(sw.appctl("dpctl/dump-flows").splitlines()) >= 4, what="three flows")
    return sw


def test_ovs_pcap_and_ovs_tcpundump(bridged, tmp_path):
    """Frames out of a file that a port wrote, as hex, straight and by way of tcpdump's text."""
    path = bridged.dir + "/p2.pcap"
    wait_for(lambda: os.path.exists(path) and len(sh(["ovs-pcap", path]).split()) == 3, what="three frames")
    frames = sh(["ovs-pcap", path]).split()
    assert ARP in frames
    assert any("81000005" in frame for frame in frames)
    text = tmp_path / "text"
    text.write_text("".join("12:00:00.000000 x\n" + "".join(
        "\t0x%04x:  %s\n" % (at // 2, " ".join(frame[i:i + 4] for i in range(at, min(at + 32, len(frame)), 4)))
        for at in range(0, len(frame), 32)) for frame in frames))
    with open(text, encoding="ascii") as f:
        done = subprocess.run(["ovs-tcpundump"], stdin=f, stdout=subprocess.PIPE, text=True, timeout=20, check=True)
    assert done.stdout.split() == frames


def test_ovs_dpctl_top(bridged, tmp_path):
    """It sums up flows by each field; the text is ours."""
    flows = "\n".join(line for line in bridged.appctl("dpctl/dump-flows").splitlines() if "recirc_id" in line)
    path = tmp_path / "flows"
    path.write_text(flows + "\n")
    done = sh(["ovs-dpctl-top", "--script", "--flow-file", str(path)], check=False)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert re.search(r"in_port\(1\)", done.stdout), done.stdout
    assert re.search(r"eth_type\(0x0800\)", done.stdout) and re.search(r"eth_type\(0x0806\)", done.stdout), done.stdout


PARSE = r"""
import sys
from ovs.flow.odp import ODPFlow
from ovs.flow.ofp import OFPFlow
kind = {"odp": ODPFlow, "ofp": OFPFlow}[sys.argv[1]]
for line in sys.stdin:
    if line.strip():
        flow = kind(line.strip())
        print(flow.match.get("in_port"), flow.info.get("packets"), flow.info.get("n_packets"), len(flow.actions))
"""


def test_pythons_parser_of_flows(bridged):
    """python3-openvswitch's ovs.flow takes the texts of both kinds of flows apart."""
    lines = [line for line in bridged.appctl("dpctl/dump-flows").splitlines() if "recirc_id" in line]
    done = sh(["/usr/bin/python3", "-c", PARSE, "odp"], check=False, input="\n".join(lines))
    if "No module named" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(lines) >= 3
    lines = [line for line in bridged.ofctl("--no-stats", "dump-flows", "br0").splitlines() if "actions=" in line]
    done = sh(["/usr/bin/python3", "-c", PARSE, "ofp"], check=False, input="\n".join(lines))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(lines) == 2


@pytest.fixture
def path_of_tools(bridged, tmp_path):
    """An environment in which ovs-appctl finds the daemon, and what would change the host only says so."""
    said = tmp_path / "said"
    said.touch()
    for name in ("systemctl", "service", "ip", "ifup", "ifdown"):
        stub = tmp_path / name
        stub.write_text('#!/bin/sh\necho "%s $*" >>%s\n' % (name, said))
        stub.chmod(0o755)
    if bridged.kind == "ovs":  # its program has another name
        stub = tmp_path / "ovs-appctl"
        stub.write_text('#!/bin/sh\nexec /usr/bin/ovs-appctl -t %s "$@"\n' % bridged.control_path())
        stub.chmod(0o755)
    return dict(bridged.env, PATH="%s:%s" % (tmp_path, os.environ["PATH"])), said


def test_plugins_of_ovs_bugtool(bridged, path_of_tools):
    """What support asks for: each answers for each bridge, and nobody complains."""
    env, _ = path_of_tools
    for name, wanted in (("fdb-show", "br0.*Age"), ("ovs-appctl-dpif", "p1 1/.*ufid:"), ("get-port-stats", "p2 : {.*tx_packets=3"),
                         ("ovs-bridge-datapath-type", "br0 datapath_type=dummy"), ("qos-configs", "p1.*ingress_policing_rate"),
                         ("ovs-ofctl-loop-over-bridges show", "p2"), ("ovs-ofctl-loop-over-bridges dump-flows", "tp_dst=7"),
                         ("ovs-ofctl-loop-over-bridges dump-group-stats", "")):
        command = (SCRIPTS + "ovs-bugtool-" + name).split()

        def text():
            done = sh(command, check=False, env=env)
            assert done.returncode == 0 and not done.stderr, (name, done)
            return re.search(wanted, done.stdout, re.S)
        wait_for(text, 15, name)


def ifupdown(env, mode, iface, **settings):
    env = dict(env, MODE=mode, IFACE=iface, **{"IF_OVS_" + k.upper(): v for k, v in settings.items()})
    done = sh([SCRIPTS + "ifupdown.sh"], check=False, env=env)
    assert done.returncode == 0 and not done.stderr, done
    assert not done.stdout


def test_interfaces_of_etc_network(bridged, path_of_tools):
    """What Debian's ifupdown has run for the types of stanzas, up and down."""
    env, said = path_of_tools
    ifupdown(env, "start", "br1", type="OVSBridge", options="-- set Bridge br1 datapath_type=dummy fail_mode=secure",
             ports="i1 x1")
    ifupdown(env, "start", "i1", type="OVSIntPort", bridge="br1", options="tag=5", extra="set Interface ${IFACE} external-ids:a=b")
    ifupdown(env, "start", "x1", type="OVSPatchPort", bridge="br1", patch_peer="x2")
    ifupdown(env, "start", "x2", type="OVSPatchPort", bridge="br0", patch_peer="x1")
    ifupdown(env, "start", "s1", type="OVSPort", bridge="br1")
    ifupdown(env, "start", "bond0", type="OVSBond", bridge="br1", bonds="m1 m2", options="bond_mode=balance-slb")
    assert sorted(bridged.vsctl("list-ports", "br1").split()) == ["bond0", "i1", "s1", "x1"]
    assert bridged.get("Port", "i1", "tag") == "5" and bridged.get("Interface", "i1", "external_ids:a") == "b"
    assert int(bridged.get("Interface", "m2", "ofport")) > 0
    assert "patch: peer=x2" in bridged.appctl("dpif/show")
    for words in ("ifup --allow=br1 i1 x1", "ip link set dev i1 up", "ip link set dev bond0 up", "ip link set dev m2 up"):
        assert words in said.read_text()
    for name in ("i1", "x1", "s1", "bond0"):
        ifupdown(env, "stop", name, type="OVSPort", bridge="br1")
    ifupdown(env, "stop", "x2", type="OVSPort", bridge="br0")
    assert bridged.vsctl("list-ports", "br1").split() == []
    ifupdown(env, "stop", "br1", type="OVSBridge")
    assert bridged.vsctl("list-br").split() == ["br0"]

