# SPDX-License-Identifier: Apache-2.0
"""The database's other face while traffic flows: a stock ovsdb-server that stops, changes its schema or
dies in the middle of a transaction; two daemons on one database; TLS and TCP.

The daemon is started as ovs-ctl starts it: ovs-vswitchd unix:.../db.sock.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from dbproxy import CuttingProxy
from switchlib import GENUINE, SCHEMA, SLUICED, Switch, close_all, sh, wait_for

KIND = os.environ.get("SWITCH_KIND", "sluice")
DAEMON = SLUICED if KIND == "sluice" else GENUINE


class Client(Switch):
    """A daemon (by default Sluice) that is a client of an ovsdb-server of its own."""

    def __init__(self, schema=SCHEMA, remote=None, **kw):
        super().__init__("ovs", **dict({"binary": DAEMON}, **kw))
        self.schema, self.remote = schema, remote

    def _start_server(self):
        db = self.dir + "/conf.db"
        if not os.path.exists(db):
            sh(["ovsdb-tool", "create", db, self.schema], env=self.env)
        self.start_server()

    def start_server(self, *more):
        sock = self.dir + "/db.sock"
        self.server = self.ns.popen(
            ["ovsdb-server", self.dir + "/conf.db", "--remote=punix:" + sock, "-vconsole:off",
             "--unixctl=" + self.dir + "/ovsdb.ctl"] + list(more), env=self.env,
            stdin=subprocess.DEVNULL)
        wait_for(lambda: sh(["ovsdb-client", "list-dbs", "unix:" + sock], check=False,
                            env=self.env).returncode == 0, 20, "ovsdb-server")

    def stop_server(self, sig=signal.SIGTERM):
        """Ends the server: by pid, as it runs under 'ip netns exec'."""
        self.server.send_signal(sig)
        self.server.wait(10)
        if os.path.exists(self.dir + "/db.sock"):
            os.unlink(self.dir + "/db.sock")

    def add_hosts(self, hosts):
        self.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
        for i in (1, 2):
            hosts.append(self.add_host("br0", "p%d" % i, "10.0.0.%d/24" % i))
        hosts[0].ping("10.0.0.2", check=True)

    def serve_new_port(self, name="t1"):
        """A change of the configuration is carried out and answered."""
        self.vsctl("add-port", "br0", name, "--", "set", "interface", name, "type=internal")
        assert int(self.get("interface", name, "ofport")) > 0


@pytest.fixture
def clients():
    made = []

    def make(start=True, **kw):
        made.append(Client(**kw))
        return made[-1].start() if start else made[-1]

    yield make
    close_all(made)


class Flood:
    """Pings all the time; counts what came back.  On a busy machine a few are on their way at the end."""

    UNDER_WAY = 20

    def __init__(self, host, address):
        self.proc = host.popen("ping -n -i 0.01 -W 1 %s" % address, stdout=subprocess.PIPE,
                               text=True)

    def stop(self):
        """(sent, received)"""
        self.proc.send_signal(signal.SIGINT)
        out, _ = self.proc.communicate(timeout=20)
        m = re.search(r"(\d+) packets transmitted, (\d+) received", out)
        return int(m.group(1)), int(m.group(2))


# ---- the server goes away ----

@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
def test_forwarding_goes_on_while_the_server_is_away(clients, hosts, sig):
    c = clients()
    c.add_hosts(hosts)
    c.ofctl("add-flow", "br0", "priority=5,udp,actions=drop")
    flows, ports = c.flows("br0"), c.get("interface", "p1", "ofport")
    flood = Flood(hosts[0], "10.0.0.2")
    c.stop_server(sig)
    hosts[0].ping("10.0.0.2", count=10, check=True)
    # OpenFlow and the control socket are served meanwhile.
    c.ofctl("add-flow", "br0", "priority=6,tcp,actions=drop")
    assert "br0" in c.appctl("dpif/show")
    c.start_server()
    c.serve_new_port()
    assert c.get("interface", "p1", "ofport") == ports
    assert c.flows("br0") == sorted(flows + ["priority=6,tcp actions=drop"])
    sent, received = flood.stop()
    assert sent > 10 and received >= sent - Flood.UNDER_WAY
    assert c.appctl("ovsdb/x", check=False).returncode == 2  # alive


def test_what_changed_while_the_server_was_away_is_made_so(clients, hosts):
    """Another's change during our absence: the file is edited with the server down."""
    c = clients()
    c.add_hosts(hosts)
    c.stop_server()
    sh(["ovsdb-tool", "transact", c.dir + "/conf.db", json.dumps(
        ["Open_vSwitch", {"op": "update", "table": "Bridge", "where": [["name", "==", "br0"]],
                          "row": {"other_config": ["map", [["dp-desc", "changed"]]]}}])],
       env=c.env)
    c.start_server()
    wait_for(lambda: "changed" in c.ofctl("dump-desc", "br0"), 20, "the change")
    hosts[0].ping("10.0.0.2", check=True)


def test_server_dies_in_the_middle_of_a_transaction(clients, hosts):
    c = clients(start=False)
    direct = c.dir + "/direct.sock"
    proxy = None
    try:
        # The daemon's way to the database leads over the proxy at db.sock.
        sh(["ovsdb-tool", "create", c.dir + "/conf.db", SCHEMA], env=c.env)
        proxy = CuttingProxy(c.dir + "/db.sock", direct)
        c.server = subprocess.Popen(
            ["ovsdb-server", c.dir + "/conf.db", "--remote=punix:" + direct, "-vconsole:off",
             "--unixctl=" + c.dir + "/ovsdb.ctl"], env=c.env, stdin=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists(direct), 10, "ovsdb-server")
        # What the test asks of the database goes there directly.
        c._start_server = lambda: c.vsctl("--no-wait", "init")
        c.vsctl = lambda *args, timeout=15, check=True: sh(
            ["ovs-vsctl", "--db=unix:" + direct, "--timeout=%d" % timeout] + list(args),
            check=check, env=c.env, timeout=timeout + 10)
        c.start()
        c.add_hosts(hosts)
        for i, how in enumerate(("lost", "unheard")):
            proxy.armed = how
            c.vsctl("add-port", "br0", "t%d" % i, "--", "set", "interface", "t%d" % i,
                    "type=internal", timeout=30)
            assert proxy.cuts == i + 1
            assert int(c.get("interface", "t%d" % i, "ofport")) > 0
            hosts[0].ping("10.0.0.2", check=True)
    finally:
        if proxy:
            proxy.close()


# ---- the schema changes ----

def changed_schema(path, version, change):
    with open(SCHEMA) as f:
        schema = json.load(f)
    schema["version"] = version
    change(schema["tables"])
    with open(path, "w") as f:
        json.dump(schema, f)
    return str(path)


def test_schema_changes_under_way(clients, hosts, tmp_path):
    c = clients()
    c.add_hosts(hosts)
    sock = "unix:%s/db.sock" % c.dir

    def newer(tables):
        tables["Extra"] = {"columns": {"x": {"type": "string"}}}
        tables["Bridge"]["columns"]["extra"] = {"type": "string"}

    def older(tables):
        for column in ("rstp_enable", "rstp_status", "mcast_snooping_enable", "auto_attach"):
            del tables["Bridge"]["columns"][column]
        del tables["Interface"]["columns"]["lldp"]
        del tables["AutoAttach"]
        del tables["Open_vSwitch"]["columns"]["datapaths"]
        for table in ("Datapath", "CT_Zone", "CT_Timeout_Policy"):
            del tables[table]

    flood = Flood(hosts[0], "10.0.0.2")
    for i, (version, change) in enumerate((("8.9.0", newer), ("7.9.0", older))):
        path = changed_schema(tmp_path / ("schema%d" % i), version, change)
        sh(["ovsdb-client", "convert", sock, path], env=c.env)
        c.serve_new_port("t%d" % i)
        assert c.get("interface", "p1", "error") == "[]"
    sent, received = flood.stop()
    assert received >= sent - Flood.UNDER_WAY
    if KIND == "sluice":  # on the one connection, and so with the lock all the time
        with open(c.log) as f:
            log = f.read()
        assert log.count(": connected") == 1 and log.count("has changed, monitoring it anew") == 2


def test_a_database_that_goes_and_comes(clients, hosts):
    """Taken out of the server and put back, while the server stays."""
    c = clients()
    c.add_hosts(hosts)
    flood = Flood(hosts[0], "10.0.0.2")
    ctl = ["ovs-appctl", "-t", c.dir + "/ovsdb.ctl"]
    sh(ctl + ["ovsdb-server/remove-db", "Open_vSwitch"], env=c.env)
    time.sleep(1)
    sh(ctl + ["ovsdb-server/add-db", c.dir + "/conf.db"], env=c.env)
    c.serve_new_port()
    sent, received = flood.stop()
    assert received >= sent - Flood.UNDER_WAY


def test_starts_on_an_older_schema(clients, hosts, tmp_path):
    def older(tables):
        del tables["Open_vSwitch"]["columns"]["datapaths"]
        for table in ("Datapath", "CT_Zone", "CT_Timeout_Policy"):
            del tables[table]
        del tables["Open_vSwitch"]["columns"]["dpdk_version"]

    c = clients(schema=changed_schema(tmp_path / "old", "7.15.0", older))
    c.add_hosts(hosts)


def test_a_schema_that_nobody_can_use(clients, hosts, tmp_path):
    """Names that are optional: what runs goes on until the schema is one again."""
    if KIND == "ovs":
        pytest.skip("genuine Open vSwitch ignores columns of other types")

    def nameless(tables):
        tables["Interface"]["columns"]["name"] = {"type": {"key": "string", "min": 0}}
        tables["Interface"]["indexes"] = []

    c = clients()
    c.add_hosts(hosts)
    sock = "unix:%s/db.sock" % c.dir
    sh(["ovsdb-client", "convert", sock,
        changed_schema(tmp_path / "nameless", "8.9.0", nameless)], env=c.env)
    wait_for(lambda: "cannot use the server's schema" in open(c.log).read(), 20, "the complaint")
    hosts[0].ping("10.0.0.2", check=True)
    sh(["ovsdb-client", "convert", sock, SCHEMA], env=c.env)
    c.serve_new_port()
    hosts[0].ping("10.0.0.2", check=True)


def test_a_server_that_is_not_there_is_named(clients):
    """Who waits for a daemon that does not come up finds the reason in its log."""
    c = clients(start=False)
    with open(c.dir + "/stderr", "ab") as out:
        c.proc = c.ns.popen([c.binary, "unix:%s/db.sock" % c.dir, "--log-file=" + c.log,
                             "--pidfile=%s/ovs-vswitchd.pid" % c.dir, "--no-chdir",
                             "--unixctl=%s/ovs-vswitchd.ctl" % c.dir], env=c.env,
                            stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    wait_for(lambda: os.path.exists(c.log) and re.search(
        r"\|INFO\|.*db\.sock.*No such file or directory", open(c.log).read()), 10, "the reason")


def test_a_database_without_its_row(clients):
    """Nobody has run `ovs-vsctl init`: the daemon goes into the background all the same."""
    c = clients(start=False)
    vsctl, c.vsctl = c.vsctl, lambda *args, **kw: None
    c._start_server()
    c.vsctl = vsctl
    subprocess.run(["ip", "netns", "exec", c.ns.name, c.binary, "unix:%s/db.sock" % c.dir,
                    "--pidfile=%s/ovs-vswitchd.pid" % c.dir, "--log-file=" + c.log, "--no-chdir",
                    "--unixctl=%s/ovs-vswitchd.ctl" % c.dir, "--detach", "-vconsole:off"],
                   env=c.env, check=True, timeout=30, stdin=subprocess.DEVNULL)
    try:
        c.vsctl("init")
        c.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
        assert c.get("interface", "br0", "ofport") == "65534"
    finally:
        pid = c.pid
        c.appctl("exit")
        wait_for(lambda: not os.path.exists("/proc/%d" % pid), 20, "the end of the daemon")


# ---- two daemons ----

class Second:
    """Another daemon on the database of 'a', with its network but run directory and log of its own."""

    def __init__(self, a):
        self.dir = tempfile.mkdtemp(prefix="sluice-test-")
        self.log = self.dir + "/ovs-vswitchd.log"
        with open(self.dir + "/stderr", "wb") as out:
            self.proc = a.ns.popen(
                [DAEMON, "unix:%s/db.sock" % a.dir, "--pidfile=%s/ovs-vswitchd.pid" % self.dir,
                 "--unixctl=%s/ovs-vswitchd.ctl" % self.dir, "--log-file=" + self.log,
                 "--no-chdir"], env=dict(a.env, OVS_RUNDIR=self.dir, OVS_LOGDIR=self.dir),
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        wait_for(lambda: os.path.exists(self.log) and "another ovs-vswitchd process is running"
                 in open(self.log).read(), 20, "the second to say that it idles")

    def close(self):
        self.proc.terminate()
        self.proc.wait(20)
        shutil.rmtree(self.dir, ignore_errors=True)


def test_the_lock_goes_to_another_while_the_server_is_away(clients, hosts):
    """Who comes back too late gives its bridges up to the other."""
    a = clients()
    a.add_hosts(hosts)
    second = Second(a)
    try:
        os.kill(a.pid, signal.SIGSTOP)
        try:
            a.stop_server()
            a.start_server()
            wait_for(lambda: os.path.exists(second.dir + "/br0.mgmt"), 30, "the second to act")
        finally:
            os.kill(a.pid, signal.SIGCONT)
        wait_for(lambda: not os.path.exists(a.dir + "/br0.mgmt"), 30, "the first to yield")
        wait_for(lambda: hosts[0].ping("10.0.0.2", count=1), 20, "pings through the second")
        a.serve_new_port()
        wait_for(lambda: a.vsctl("--columns=name", "find", "interface", "error!=[]") == "", 20,
                 "all ports of the second")
        # And back, when the second ends.
        second.proc.terminate()
        wait_for(lambda: os.path.exists(a.dir + "/br0.mgmt"), 30, "the first to act again")
        wait_for(lambda: hosts[0].ping("10.0.0.2", count=1), 20, "pings through the first")
    finally:
        second.close()


@pytest.mark.parametrize("first", ["same", "ovs"])
def test_second_daemon_idles_and_takes_over(clients, hosts, first):
    a = clients(**({} if first == "same" else {"binary": GENUINE}))
    a.add_hosts(hosts)
    second = Second(a)
    dir2 = second.dir
    try:
        assert os.listdir(dir2) and not [f for f in os.listdir(dir2) if f.endswith(".mgmt")]
        hosts[0].ping("10.0.0.2", check=True)
        a.serve_new_port()
        a.kill()
        wait_for(lambda: os.path.exists(dir2 + "/br0.mgmt"), 30, "the second to take over")
        wait_for(lambda: hosts[0].ping("10.0.0.2", count=1), 20, "pings through the second")
        a.serve_new_port("t2")
        assert a.get("interface", "p1", "error") == "[]"
    finally:
        second.close()


# ---- TCP and TLS ----

@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """Two authorities with a key and a certificate each."""
    d = tmp_path_factory.mktemp("pki")

    def openssl(*args):
        subprocess.run(["openssl"] + [str(a) for a in args], check=True, cwd=d, timeout=60,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    for ca in ("switch", "controller"):
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        openssl("req", "-x509", *key, "-keyout", ca + "ca.key", "-out", ca + "ca.pem", "-subj",
                "/CN=%s authority" % ca, "-days", "2")
        openssl("req", *key, "-keyout", ca + ".key", "-out", ca + ".csr", "-subj", "/CN=" + ca)
        openssl("x509", "-req", "-in", ca + ".csr", "-CA", ca + "ca.pem", "-CAkey",
                ca + "ca.key", "-CAcreateserial", "-days", "2", "-out", ca + ".pem")
    return str(d)


def start_over(c, remote, args):
    """Starts the daemon with another remote than the Unix socket; vsctl keeps that."""
    c._start_server()
    c.vsctl("--no-wait", "init")
    out = open(c.dir + "/stderr", "ab")
    c.proc = c.ns.popen(
        [c.binary, remote, "--pidfile=%s/ovs-vswitchd.pid" % c.dir,
         "--unixctl=%s/ovs-vswitchd.ctl" % c.dir, "--log-file=" + c.log, "--no-chdir"] + args,
        env=c.env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    out.close()
    wait_for(c._ready, 20, "the switch over " + remote)


def server_listens_on(c, *more):
    original = c.start_server
    c.start_server = lambda: original(*more)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_database_over_tcp(clients, hosts, host):
    c = clients(start=False)
    server_listens_on(c, "--remote=ptcp:6640:127.0.0.1")
    start_over(c, "tcp:%s:6640" % host, [])
    c.add_hosts(hosts)
    c.stop_server(signal.SIGKILL)
    hosts[0].ping("10.0.0.2", check=True)
    c.start_server()
    c.serve_new_port()


@pytest.mark.parametrize("ca", ["--ca-cert", "--bootstrap-ca-cert"])
def test_database_over_tls(clients, hosts, pki, ca):
    c = clients(start=False)
    server_listens_on(c, "--remote=pssl:6640:127.0.0.1", "--private-key=%s/controller.key" % pki,
                      "--certificate=%s/controller.pem" % pki, "--ca-cert=%s/switchca.pem" % pki,
                      "--peer-ca-cert=%s/controllerca.pem" % pki)
    name = pki + "/controllerca.pem" if ca == "--ca-cert" else c.dir + "/learned.pem"
    start_over(c, "ssl:127.0.0.1:6640", ["--private-key=%s/switch.key" % pki, "--certificate=%s"
               "/switch.pem" % pki, ca + "=" + name, "--peer-ca-cert=%s/switchca.pem" % pki])
    if ca == "--bootstrap-ca-cert":
        with open(name) as learned, open(pki + "/controllerca.pem") as known:
            assert learned.read().split("-----")[2] == known.read().split("-----")[2]
    c.add_hosts(hosts)


def test_database_with_the_wrong_certificate_is_not_believed(clients, pki):
    c = clients(start=False)
    server_listens_on(c, "--remote=pssl:6640:127.0.0.1", "--private-key=%s/controller.key" % pki,
                      "--certificate=%s/controller.pem" % pki, "--ca-cert=%s/switchca.pem" % pki)
    c._start_server()
    c.vsctl("--no-wait", "init", "--", "add-br", "br0")
    out = open(c.dir + "/stderr", "ab")
    c.proc = c.ns.popen([c.binary, "ssl:127.0.0.1:6640", "--pidfile=%s/ovs-vswitchd.pid" % c.dir,
                         "--unixctl=%s/ovs-vswitchd.ctl" % c.dir, "--log-file=" + c.log,
                         "--private-key=%s/switch.key" % pki, "--certificate=%s/switch.pem" % pki,
                         "--ca-cert=%s/switchca.pem" % pki], env=c.env, stdin=subprocess.DEVNULL,
                        stdout=out, stderr=out)
    out.close()
    wait_for(lambda: os.path.exists(c.log) and re.search(
        r"\|WARN\|.*certificate verify failed", open(c.log).read()), 20, "the complaint")
    assert c.vsctl("get", "Open_vSwitch", ".", "cur_cfg", check=False).stdout.strip() == "0"


def test_expired_certificate_and_another_authority(clients, pki):
    """A server whose certificate has expired is not believed until it has a new one; files that are
    replaced while the daemon runs count with the next connection."""
    c = clients(start=False)
    ca, expired = c.dir + "/ca.pem", c.dir + "/expired.pem"
    shutil.copy(pki + "/controllerca.pem", ca)
    sh(["openssl", "x509", "-req", "-in", pki + "/controller.csr", "-CA", pki + "/controllerca.pem", "-CAkey",
        pki + "/controllerca.key", "-CAcreateserial", "-days", "-1", "-out", expired])

    def serve(name, certificate):
        return ("--remote=pssl:6640:127.0.0.1", "--private-key=%s/%s.key" % (pki, name),
                "--certificate=" + certificate, "--ca-cert=%s/switchca.pem" % pki)

    def complaints():
        if not os.path.exists(c.log):
            return 0
        with open(c.log, encoding="utf-8") as f:
            return len(re.findall(r"\|WARN\|.*certificate verify failed", f.read()))

    start = c.start_server
    server_listens_on(c, *serve("controller", expired))
    c._start_server()
    c.vsctl("--no-wait", "init", "--", "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
    with open(c.dir + "/stderr", "ab") as out:
        c.proc = c.ns.popen([c.binary, "ssl:127.0.0.1:6640", "--pidfile=%s/ovs-vswitchd.pid" % c.dir,
                             "--unixctl=%s/ovs-vswitchd.ctl" % c.dir, "--log-file=" + c.log,
                             "--private-key=%s/switch.key" % pki, "--certificate=%s/switch.pem" % pki,
                             "--ca-cert=" + ca], env=c.env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    wait_for(complaints, 20, "the complaint")
    c.stop_server()
    start(*serve("controller", pki + "/controller.pem"))
    c.serve_new_port("t1")
    before = complaints()
    c.stop_server()
    start(*serve("switch", pki + "/switch.pem"))
    wait_for(lambda: complaints() > before, 30, "the second complaint")
    shutil.copy(pki + "/switchca.pem", ca)
    c.serve_new_port("t2")
