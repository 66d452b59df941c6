# SPDX-License-Identifier: Apache-2.0
"""Controllers: over TCP, TLS and passively; roles among several; protocols; what BR.snoop shows; fail modes."""
import json
import os
import socket
import ssl
import struct
import subprocess
import time

import pytest

import openflow as of
from switchlib import sh, wait_for

FRAME = bytes(12) + b"\x08\0" + bytes(50)


@pytest.fixture
def br(make_hermetic):
    sw = make_hermetic()
    sw.add_bridge("br0", "fail_mode=secure")
    sw.add_ports("br0", "p1", "p2")
    return sw


class Listener:
    """Waits for switches on a TCP port of its own."""

    def __init__(self, context=None):
        self.s, self.context = socket.create_server(("127.0.0.1", 0)), context
        self.s.settimeout(15)
        self.port = self.s.getsockname()[1]

    def accept(self, version=of.OF13):
        conn = self.s.accept()[0]
        conn.settimeout(15)
        if self.context:
            conn = self.context.wrap_socket(conn, server_side=True)
        return of.Peer(conn, version)

    def close(self):
        self.s.close()


@pytest.fixture
def listen():
    made = []

    def make(context=None):
        made.append(Listener(context))
        return made[-1]

    yield make
    for listener in made:
        listener.close()


def role(peer, wanted, generation=0):
    """The role that the switch answers, or the error."""
    body = struct.pack("!I4xQ", wanted, generation)
    for _, kind, _, answer in peer.answers(of.message(peer.version, 24, body)):
        if kind == of.ERROR:
            return struct.unpack("!HH", answer[:4])
        if kind == 25:  # Not a role-status.
            return struct.unpack("!I", answer[:4])[0]
    return None


@pytest.mark.rootless
def test_roles_of_two_controllers(br, listen):
    ones = [listen(), listen()]
    br.vsctl("set-controller", "br0", *["tcp:127.0.0.1:%d" % l.port for l in ones])
    a, b = [l.accept() for l in ones]
    none, equal, primary, secondary = range(4)
    assert role(a, none) == equal
    assert role(a, primary, 5) == primary
    assert role(b, primary, 6) == primary
    assert role(a, none) == secondary  # demoted
    assert role(a, primary, 3) == (11, 0)  # OFPRRFC_STALE
    assert a.errors(of.flow_mod(of.OF13)) == [(1, 10)]  # OFPBRC_IS_SLAVE
    assert b.errors(of.flow_mod(of.OF13)) == []
    wait_for(lambda: sorted(br.vsctl("--bare", "--columns=role", "list", "Controller").split())
             == ["master", "slave"], 15, "roles in the database")
    assert role(a, equal) == equal and a.errors(of.flow_mod(of.OF13)) == []
    a.close()
    again = ones[0].accept()  # It comes back by itself.
    assert role(again, none) == equal


@pytest.mark.rootless
def test_protocols_decide_what_is_spoken(br, listen):
    br.vsctl("set", "Bridge", "br0", "protocols=OpenFlow13,OpenFlow14")
    listener = listen()
    br.vsctl("set-controller", "br0", "tcp:127.0.0.1:%d" % listener.port)
    conn = listener.s.accept()[0]
    conn.settimeout(15)
    hello = conn.recv(64)
    assert hello[:2] == bytes([of.OF14, of.HELLO])
    assert hello[8:] == struct.pack("!HHI", 1, 8, 1 << of.OF13 | 1 << of.OF14)
    conn.sendall(of.message(of.OF10, of.HELLO, xid=9))
    error = conn.recv(256)
    assert error[1] == of.ERROR and error[8:12] == struct.pack("!HH", 0, 0)  # incompatible
    assert conn.recv(1) == b""
    conn.close()
    assert br.ofctl("dump-flows", "br0", check=False).returncode != 0
    br.ofctl("-O", "OpenFlow13", "dump-flows", "br0")


@pytest.mark.rootless
def test_snoop_shows_what_a_controller_and_the_switch_say(br, listen):
    listener = listen()
    br.vsctl("set-controller", "br0", "tcp:127.0.0.1:%d" % listener.port)
    p = listener.accept()
    snoop = socket.socket(socket.AF_UNIX)
    snoop.settimeout(10)
    snoop.connect(br.dir + "/br0.snoop")
    hello = snoop.recv(1 << 16)
    assert hello[1] == of.HELLO
    snoop.sendall(of.message(of.OF13, of.HELLO))
    flow = of.flow_mod(of.OF13, of.output(of.OF13, 2), xid=0x1234)
    request, seen = of.message(of.OF13, 20, xid=0x4321), b""

    def copied():
        nonlocal seen
        p.send(flow + request)
        seen += snoop.recv(1 << 16)
        return flow in seen and request in seen and of.message(of.OF13, 21, xid=0x4321) in seen

    wait_for(copied, 10, "copies")
    snoop.close()


@pytest.mark.rootless
def test_a_passive_controller_is_only_told_what_it_asks_for(br):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    br.vsctl("set-controller", "br0", "ptcp:%d:127.0.0.1" % port)
    br.ofctl("add-flow", "br0", "actions=controller")

    def connect():
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        except OSError:
            return None

    p = of.Peer(wait_for(connect, 10, "the switch to listen"), of.OF13)
    # Of several connections there is no one state or role.
    if br.kind == "sluice":
        wait_for(lambda: br.get("Controller", "br0", "is_connected") == "true", 20, "the database")
    assert br.get("Controller", "br0", "role") == "[]"
    assert br.get("Controller", "br0", "status") == "{}"
    out = of.packet_out(of.OF13, of.output(of.OF13, 0xFFF9), FRAME, in_port=1)
    assert p.answers(out) == []
    p.send(of.message(of.OF13, of.SET_CONFIG, struct.pack("!HH", 0, 0xFFFF)) + out)
    assert p.wait(of.PACKET_IN).endswith(FRAME)
    p.close()


@pytest.mark.rootless
def test_a_controller_by_the_name_of_its_host(br, listen):
    listener = listen()
    name = "tcp:localhost:%d" % listener.port
    br.vsctl("set-controller", "br0", name, "tcp:nosuch.invalid:6653")
    p = listener.accept()
    assert p.answers() == []
    assert sorted(br.vsctl("get-controller", "br0").split()) == sorted([name, "tcp:nosuch.invalid:6653"])

    def row(target, column):
        return br.vsctl("--bare", "--columns=" + column, "find", "Controller", 'target="%s"' % target).strip()

    wait_for(lambda: row(name, "is_connected") == "true", 20, "the connection in the database")
    # The other one is tried again and again, and says why.
    wait_for(lambda: "no address of host nosuch.invalid" in row("tcp:nosuch.invalid:6653", "status"), 60,
             "the reason")
    assert row("tcp:nosuch.invalid:6653", "is_connected") == "false"


@pytest.mark.rootless
def test_targets_that_make_no_sense(br, listen):
    """A line in the log for each, in one piece, and the others are served."""
    listener = listen()
    bad = ["tcp:", "tcp:a b:1", "tcp:10.0.0.256:1", "tcp:" + "a" * 5000, "tcp:x\ny:1", "unix:x\ny",
           "tcp:host:0", "huh:1", "tcp:\u00fc:1"]
    br.vsctl("set", "Bridge", "br0", "controller=[%s]" % ",".join(
        "@c%d" % i for i in range(len(bad) + 1)), *[
            word for i, target in enumerate(bad + ["tcp:127.0.0.1:%d" % listener.port])
            for word in ("--", "--id=@c%d" % i, "create", "Controller", "target=" + json.dumps(target))])
    p = listener.accept()
    assert p.answers() == []
    wait_for(lambda: br.vsctl("--bare", "--columns=is_connected", "list", "Controller").split().count(
        "true") == 1, 20, "the connection in the database")
    with open(br.log) as f:
        assert all(line[:2] == "20" and len(line) < 6000 for line in f)


@pytest.mark.rootless
@pytest.mark.parametrize("target", ["tcp:127.0.0.1:x", "tcp:", "unix:", "ssl:127.0.0.1:99999"])
def test_a_mistyped_controller_is_one(br, target):
    """The bridge waits for it as for one that is not there, and loses nothing when it is corrected."""
    def flows():
        return br.ofctl("dump-flows", "br0").splitlines()[1:]

    br.vsctl("set-controller", "br0", target, "--", "set", "Bridge", "br0", "fail_mode=standalone")
    assert flows() == []
    br.ofctl("add-flow", "br0", "in_port=1,actions=2")
    br.vsctl("set-controller", "br0", "tcp:127.0.0.1:1")
    br.vsctl("set-controller", "br0", target)
    assert "in_port=1 actions=output:2" in "".join(flows())
    br.vsctl("del-controller", "br0")
    assert len(flows()) == 1 and "actions=NORMAL" in flows()[0]


@pytest.mark.rootless
def test_without_probes_nobody_waits_for_a_controller_that_is_away(br):
    """Three probe intervals of none are no time."""
    br.vsctl("set-controller", "br0", "tcp:127.0.0.1:1", "--", "set", "Controller", "br0", "inactivity_probe=0",
             "--", "set", "Bridge", "br0", "fail_mode=standalone")
    wait_for(lambda: "priority=15790320" in br.appctl("bridge/dump-flows", "br0"), what="the flow of fail-open")


@pytest.mark.rootless
def test_without_probes_who_is_connected_is_there(br, listen):
    """Also who says nothing yet: it waits for packets."""
    listener = listen()
    br.vsctl("set-controller", "br0", "tcp:127.0.0.1:%d" % listener.port, "--", "set", "Controller", "br0",
             "inactivity_probe=0", "--", "set", "Bridge", "br0", "fail_mode=standalone")
    p = listener.accept()
    assert p.answers() == []
    time.sleep(1.5)
    assert "priority=15790320" not in br.appctl("bridge/dump-flows", "br0")
    assert not [line for line in br.alarms() if "failing open" in line]


@pytest.mark.rootless
def test_what_goes_to_a_controller_is_marked(br, listen):
    def tos(port):
        out = sh(["ss", "-tnH", "--tos", "dst", "127.0.0.1:%d" % port])
        return out.split("tos:")[1].split()[0] if "tos:" in out else ""

    listener = listen()
    br.vsctl("set-controller", "br0", "tcp:127.0.0.1:%d" % listener.port)
    p = listener.accept()
    assert p.answers() == []
    assert tos(listener.port) == "0xc0"  # 48
    br.vsctl("set", "Controller", "br0", "other_config:dscp=10")
    p = listener.accept()
    assert p.answers() == []
    wait_for(lambda: tos(listener.port) == "0x28", 10, "the new mark")


@pytest.mark.rootless
@pytest.mark.parametrize("confined", [True, False])
def test_sockets_that_a_database_may_name(make_hermetic, tmp_path, confined):
    """Those in the run directory; others only with --no-self-confinement."""
    options = ["--enable-dummy=override", "--disable-system"]
    br = make_hermetic(args=options + ["--disable-system-route" if confined else "--no-self-confinement"])
    br.add_bridge("br0", "fail_mode=secure")

    def answers(path):
        try:
            p = of.Peer(path, of.OF13)
        except OSError:
            return False
        good = p.answers() == []
        p.close()
        return good

    inside, outside, kept = br.dir + "/br0.controller", str(tmp_path / "s"), str(tmp_path / "kept")
    with open(kept, "w") as f:
        f.write("x")
    br.vsctl("set-controller", "br0", "punix:" + inside)
    wait_for(lambda: answers(inside), 10, "the socket")
    br.vsctl("set-controller", "br0", "punix:" + inside, "punix:" + outside, "punix:%s/../%s" % (br.dir, outside),
             *(["punix:" + kept, "punix:%s/db.sock" % br.dir] if confined else []))
    wait_for(lambda: answers(inside), 10, "the socket")
    if confined:
        assert not answers(outside) and open(kept).read() == "x"
        br.vsctl("list-br")
    else:
        wait_for(lambda: answers(outside), 10, "the other socket")
    for path in (br.dir + "/listens", outside + "2"):
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(path)
            s.listen()
            s.settimeout(3 if confined and path != br.dir + "/listens" else 15)
            br.vsctl("set-controller", "br0", "unix:" + path)
            if confined and path != br.dir + "/listens":
                with pytest.raises(socket.timeout):
                    s.accept()
                assert any("Not connecting to socket controller" in line for line in br.alarms())
            else:
                s.accept()[0].close()


@pytest.mark.rootless
def test_tls_controller(br, listen, tmp_path):
    """Both sides show certificates of one authority; without the switch's nothing is spoken."""
    def openssl(*args):
        sh(["openssl"] + list(args))

    ca, ca_key = str(tmp_path / "ca.pem"), str(tmp_path / "ca.key")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
            "-subj", "/CN=ca", "-keyout", ca_key, "-out", ca)
    for name in ("switch", "controller"):
        stem = str(tmp_path / name)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=" + name,
                "-keyout", stem + ".key", "-out", stem + ".csr")
        openssl("x509", "-req", "-in", stem + ".csr", "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "30",
                "-out", stem + ".pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(tmp_path / "controller.pem"), str(tmp_path / "controller.key"))
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    listener = listen(context)
    br.vsctl("set-ssl", str(tmp_path / "switch.key"), str(tmp_path / "switch.pem"), ca)
    br.vsctl("set-controller", "br0", "ssl:127.0.0.1:%d" % listener.port)
    p = listener.accept()
    assert p.errors(of.flow_mod(of.OF13, of.output(of.OF13, 2), priority=7)) == []
    assert br.flows("br0") == ["priority=7 actions=output:2"]
    wait_for(lambda: "true" in br.vsctl("--bare", "--columns=is_connected", "list", "Controller"), 15,
             "is_connected")
    p.close()


@pytest.fixture
def pki(tmp_path):
    """A directory with what ovs-pki makes: authorities, and keys "sw" and "ctl" that they signed."""
    def run(*args):
        sh(["env", "-C", str(tmp_path), "ovs-pki", "-b", "--dir=%s/pki" % tmp_path, "--log=%s/pki.log" % tmp_path,
            *args])

    run("init")
    run("req+sign", "sw", "switch")
    run("req+sign", "ctl", "controller")
    return str(tmp_path)


@pytest.mark.rootless
def test_keys_of_ovs_pki_and_the_test_controller(br, pki):
    """Only who shows a certificate of the right authority is spoken to; --bootstrap takes the first one for right."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    controller = subprocess.Popen(
        ["ovs-testcontroller", "pssl:%d:127.0.0.1" % port, "--private-key=%s/ctl-privkey.pem" % pki,
         "--certificate=%s/ctl-cert.pem" % pki, "--ca-cert=%s/pki/switchca/cacert.pem" % pki,
         "--peer-ca-cert=%s/pki/controllerca/cacert.pem" % pki, "--unixctl=%s/ctl" % pki],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def is_connected():
        return br.vsctl("--bare", "--columns=is_connected", "list", "Controller").strip() == "true"

    def keys(ca, *options):
        br.vsctl(*options, "set-ssl", pki + "/sw-privkey.pem", pki + "/sw-cert.pem", ca)
        br.vsctl("del-controller", "br0", "--", "set-controller", "br0", "ssl:127.0.0.1:%d" % port, "--", "set",
                 "Controller", "br0", "max_backoff=1000")

    try:
        keys(pki + "/pki/switchca/cacert.pem")
        wait_for(lambda: "certificate verify failed" in open(br.log, encoding="utf-8").read(), 20, "the refusal")
        assert not is_connected()
        keys(pki + "/pki/controllerca/cacert.pem")
        wait_for(is_connected, 20, "is_connected")
        wait_for(lambda: any("CONTROLLER" in f for f in br.flows("br0")), 20, "the controller's flow")
        if br.kind == "ovs":
            return  # It makes no file once it has an authority.
        keys(pki + "/first.pem", "--bootstrap")
        wait_for(lambda: os.path.exists(pki + "/first.pem") and is_connected(), 20, "is_connected")
        with open(pki + "/first.pem", encoding="utf-8") as first:
            assert "BEGIN CERTIFICATE" in first.read()
    finally:
        controller.terminate()
        controller.wait(10)


@pytest.mark.rootless
def test_standalone_switches_by_itself_while_its_controller_is_away(br, listen):
    """Three probe intervals (5 s each at least) without a controller, then NORMAL; back at once when it is there."""
    br.vsctl("set-fail-mode", "br0", "standalone")
    listener = listen()
    br.vsctl("set-controller", "br0", "tcp:127.0.0.1:%d" % listener.port, "--", "set", "Controller", "br0",
             "inactivity_probe=1000", "max_backoff=1000")
    p = listener.accept()
    assert p.answers() == []
    fail_open = "priority=%d," % 0xF0F0F0
    assert fail_open not in br.appctl("bridge/dump-flows", "br0")
    listener.close()
    p.close()
    wait_for(lambda: fail_open in br.appctl("bridge/dump-flows", "br0"), 40, "fail-open")
    assert br.flows("br0") == []  # Its flow is hidden.
    br.vsctl("del-controller", "br0")
    assert fail_open not in br.appctl("bridge/dump-flows", "br0")
    br.vsctl("set-fail-mode", "br0", "secure")
    assert "NORMAL" not in br.appctl("bridge/dump-flows", "br0")


def is_open(peer):
    """Answers come."""
    try:
        return peer.answers() == []
    except (OSError, EOFError, struct.error):
        return False


@pytest.mark.rootless
def test_new_settings_keep_the_connection(br, listen):
    listener = listen()
    br.vsctl("set-controller", "br0", "tcp:127.0.0.1:%d" % listener.port)
    p = listener.accept()
    assert role(p, 2, 1) == 2
    for setting in ("inactivity_probe=30000", "max_backoff=2000", "controller_rate_limit=200",
                    "controller_burst_limit=50", "connection_mode=out-of-band",
                    "enable_async_messages=false", "other_config:x=y"):
        br.vsctl("set", "Controller", "br0", setting)
        assert is_open(p), setting
    assert role(p, 0) == 2  # it is still the primary one
    # A bridge of another datapath ID is another switch, and so it says.
    br.vsctl("set", "bridge", "br0", "other_config:datapath-id=00000000000000bb")
    assert not is_open(p)
    p = listener.accept()
    reply = [body for _, kind, _, body in p.answers(of.message(of.OF13, of.FEATURES_REQUEST))
             if kind == of.FEATURES_REPLY]
    assert struct.unpack("!Q", reply[0][:8]) == (0xbb,)
    p.close()


@pytest.mark.rootless
def test_messages_switched_off_on_a_connection(br, listen):
    """enable_async_messages counts at once, unless the controller itself has said what it wants."""
    def told():
        return any(peer.answers(of.message(of.OF13, 26))[0][3])

    def enable(value):
        br.vsctl("set", "Controller", "br0", "enable_async_messages=" + value)

    listener = listen()
    br.vsctl("set-controller", "br0", "tcp:127.0.0.1:%d" % listener.port)
    peer = listener.accept()
    assert told()
    enable("false")
    assert not told()
    enable("true")
    assert told()
    assert peer.errors(of.message(of.OF13, 28, struct.pack("!6I", 1, 0, 0, 0, 0, 0))) == []
    enable("false")
    assert told()


@pytest.mark.rootless
def test_rate_limit(br, listen):
    """So many packet-ins at once; as many wait, of all ports alike, and come at the rate; the status counts them."""
    listener = listen()
    br.vsctl("set-controller", "br0", "tcp:127.0.0.1:%d" % listener.port, "--", "set", "Controller", "br0",
             "controller_rate_limit=100", "controller_burst_limit=40")
    p, other = listener.accept(), of.Peer(br.dir + "/br0.mgmt", of.OF13)
    br.ofctl("add-flow", "br0", "actions=controller")
    assert p.answers() == []
    br.appctl("time/stop")

    def packets(port, n):
        out = of.packet_out(of.OF13, of.output(of.OF13, 0xFFF9), FRAME, in_port=port)
        assert other.errors(*[out] * n) == []

    def came():
        """The ports of the packet-ins that have come."""
        return [struct.unpack("!I", body[24:28])[0] for _, kind, _, body in p.answers() if kind == of.PACKET_IN]

    packets(1, 200)
    assert came() == [1] * 40
    packets(2, 20)
    assert came() == []
    br.appctl("time/warp", "1000")
    ports = []
    wait_for(lambda: ports.extend(came()) or len(ports) >= 40, 10, "what waited")
    assert ports.count(1) == ports.count(2) == 20 and ports[:6] != [1] * 6
    status = lambda: br.vsctl("--bare", "--columns=status", "list", "Controller")
    br.appctl("time/warp", "5000")
    wait_for(lambda: "packet-in-action-queued" in status(), 15, "the status")
    for count in ("backlog=0", "bypassed=40", "queued=180", "dropped=140"):
        assert "packet-in-action-" + count in status()
    assert "packet-in-miss-bypassed=0" in status()
    p.close()
    other.close()


@pytest.mark.rootless
def test_flow_monitors_of_each_version(br):
    """The stock tool understands what it is told, and hears of flows that leave its port."""
    for version in ("OpenFlow10", "OpenFlow11", "OpenFlow12", "OpenFlow13"):
        br.ofctl("del-flows", "br0")
        with open(br.dir + "/monitor-" + version, "w+") as out:
            tool = subprocess.Popen(["ovs-ofctl", "-O", version, "monitor", "br0",
                                     "watch:!initial,out_port=2,table=0"], env=br.env, stdout=out,
                                    stderr=subprocess.STDOUT)
            try:
                text = lambda: open(out.name).read()
                wait_for(lambda: "FLOW_MONITOR" in text(), 10, "the first answer")
                br.ofctl("add-flow", "br0", "in_port=1,ip,actions=2")
                br.ofctl("add-flow", "br0", "in_port=1,ip,actions=3")
                br.ofctl("add-flow", "br0", "in_port=1,ip,actions=1")  # of no interest
                wait_for(lambda: text().count("event=ADDED") == 2, 10, version)
            finally:
                tool.kill()
                tool.wait()
            assert "decode error" not in text()
            assert "actions=output:2" in text() and "actions=output:3" in text(), text()
