# SPDX-License-Identifier: Apache-2.0
"""The ovs-vsctl calls of libvirt and os-vif, word for word (surface 6.4, 6.5), on ports with a guest."""
import json

from switchlib import sh, wait_for
from test_vhost_protocol import begin, drivers, ether  # noqa: F401
from vhost_frontend import Driver

MAC, UUID = "52:54:00:12:34:56", "9ec65fd3-4b3d-4a0b-a7c5-b8b0d8b3a111"


def ask(sw, *args, code=0):
    """ovs-vsctl as libvirt starts it; its output."""
    p = sh(["ovs-vsctl", "--timeout=5"] + list(args), check=False, env=sw.env)
    assert p.returncode == code, (args, p.stdout, p.stderr)
    return p.stdout.strip()


def test_libvirt_vhost_user(sw, drivers):  # noqa: F811
    """libvirt looks a vhost-user port up by its socket, reads statistics, and sets bandwidth."""
    begin(sw)
    path = sw.dir + "/vm1.sock"
    ask(sw, "--may-exist", "add-port", "br0", "vhu1", "--", "set", "Interface", "vhu1",
        "type=dpdkvhostuserclient", "options:vhost-server-path=" + path)
    ask(sw, "--may-exist", "add-port", "br0", "vhu2", "--", "set", "Interface", "vhu2",
        "type=dpdkvhostuser")
    drivers.append(Driver(path, listen=True))
    drivers.append(Driver(sw.dir + "/vhu2"))
    a, b = drivers
    wait_for(lambda: sw.get("Interface", "vhu1", "link_state") == "up", 20, "the link")
    assert ask(sw, "--no-headings", "--columns=name", "find", "Interface",
               "options:vhost-server-path=" + path) == "vhu1"
    assert ask(sw, "get", "Interface", "vhu2", "name") == "vhu2"

    def statistics():
        text = ask(sw, "--if-exists", "--format=list", "--data=json", "--no-headings",
                   "--columns=statistics", "list", "Interface", "vhu1")
        return dict(json.loads(text)[1])

    a.send(*[ether() for _ in range(10)])
    b.expect(10)
    b.send(ether(src=b"\2\0\0\0\0\5"))
    a.expect(1)
    wait_for(lambda: statistics().get("rx_packets", 0) >= 10, 20, "the statistics")
    s = statistics()
    for key in ("bytes", "packets", "errors", "dropped"):
        assert "rx_" + key in s and "tx_" + key in s, s
    assert s["rx_bytes"] == 64 * s["rx_packets"] and s["rx_errors"] == s["tx_errors"] == 0
    # Bandwidth and VLANs of a running domain; traffic goes on.
    ask(sw, "set", "Interface", "vhu1", "ingress_policing_rate=800000",
        "ingress_policing_burst=80000")
    ask(sw, "--", "set", "port", "vhu1", "qos=@qos1", "--", "--id=@qos1", "create", "qos",
        "type=linux-htb", "other_config:min-rate=1000000", "other_config:max-rate=8000000",
        "other_config:burst=100000", "queues:0=@queue0", "--", "--id=@queue0", "create", "queue",
        "other_config:min-rate=1000000", "other_config:max-rate=8000000",
        "other_config:burst=100000")
    a.send(ether())
    b.expect(1)
    ask(sw, "--if-exists", "clear", "Port", "vhu1", "qos")
    ask(sw, "set", "Interface", "vhu1", "ingress_policing_rate=0", "ingress_policing_burst=0")
    ask(sw, "--", "clear", "Port", "vhu1", "tag", "--", "clear", "Port", "vhu1", "trunk", "--",
        "clear", "Port", "vhu1", "vlan_mode", "--", "set", "Port", "vhu1", "tag=7")
    assert ask(sw, "iface-to-br", "vhu1") == "br0"
    a.send(ether())
    (_, frame), = [x for x in b.expect(1) if x[1][6:12] == b"\2\0\0\0\0\1"]
    assert frame[12:16] == b"\x81\x00\x00\x07"
    # Migration's words.
    assert ask(sw, "--if-exists", "get", "Interface", "vhu1", "external_ids:PortData") == ""
    ask(sw, "set", "Interface", "vhu1", "external_ids:PortData=some-opaque-words")
    assert ask(sw, "--if-exists", "get", "Interface", "vhu1",
               "external_ids:PortData") == "some-opaque-words"
    ask(sw, "--", "--if-exists", "del-port", "vhu1")
    ask(sw, "--", "--if-exists", "del-port", "vhu1")
    assert ask(sw, "list-ports", "br0") == "vhu2"


def test_libvirt_tap(sw):
    """A tap of a virtualport: a device of the kernel that is given to the bridge with its names."""
    sw.add_bridge("br0")
    sw.ns.run("ip tuntap add vnet0 mode tap")
    sw.ns.run("ip link set vnet0 up")
    for mode in ("native-untagged", "native-tagged"):
        ask(sw, "--", "--may-exist", "add-port", "br0", "vnet0", "vlan_mode=" + mode, "tag=5",
            "trunk=5,6,7", "--", "set", "Interface", "vnet0", 'external-ids:attached-mac="%s"' % MAC,
            "--", "set", "Interface", "vnet0", 'external-ids:iface-id="%s"' % UUID,
            "--", "set", "Interface", "vnet0", 'external-ids:vm-id="%s"' % UUID,
            "--", "set", "Interface", "vnet0", "external-ids:iface-status=active")
        assert ask(sw, "get", "Interface", "vnet0", "external_ids:iface-id") == '"%s"' % UUID
        wait_for(lambda: int(ask(sw, "get", "Interface", "vnet0", "ofport")) > 0, 10, "the port")
        assert ask(sw, "get", "Port", "vnet0", "trunks") == "[5, 6, 7]"
        ask(sw, "--", "--if-exists", "del-port", "vnet0")
        assert ask(sw, "list-ports", "br0") == ""


def test_os_vif(sw, drivers):  # noqa: F811
    """Nova plugs a vhost-user port with an MTU before QEMU listens, plugs it again, unplugs it."""
    begin(sw, bridge=False)
    path = sw.dir + "/vhu9ec65fd3-4b"
    ids = ["external_ids:iface-id=" + UUID, "external_ids:iface-status=active",
           "external_ids:attached-mac=" + MAC, "external_ids:vm-uuid=" + UUID]
    for _ in range(2):
        ask(sw, "--", "--may-exist", "add-br", "br-int", "--", "set", "Bridge", "br-int",
            "datapath_type=netdev")
        ask(sw, "--", "--may-exist", "add-port", "br-int", "vhu9ec65fd3-4b", "--", "set",
            "Interface", "vhu9ec65fd3-4b", *ids, "type=dpdkvhostuserclient",
            "options:vhost-server-path=" + path)
        ask(sw, "--", "set", "interface", "vhu9ec65fd3-4b", "mtu_request=8950")
    drivers.append(Driver(path, listen=True))
    wait_for(lambda: ask(sw, "get", "Interface", "vhu9ec65fd3-4b", "mtu") == "8950"
             and ask(sw, "get", "Interface", "vhu9ec65fd3-4b", "link_state") == "up", 20, "the port")
    assert ask(sw, "get", "Interface", "vhu9ec65fd3-4b", "error") == "[]"
    types = ask(sw, "get", "Open_vSwitch", ".", "iface_types")
    assert "dpdkvhostuser," in types and "dpdkvhostuserclient" in types
    ask(sw, "--", "--if-exists", "del-port", "br-int", "vhu9ec65fd3-4b")
    assert ask(sw, "list-ports", "br-int") == ""
