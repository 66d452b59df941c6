# SPDX-License-Identifier: Apache-2.0
"""Switches and hosts for the system tests.

A Switch is one daemon with a run directory and a network namespace of its own: Sluice on its
embedded database, or genuine Open vSwitch with its ovsdb-server as the oracle.  A Host is a
network namespace joined to a switch by a veth pair.  Everything is bounded in time and removed
by close(), also after a failed test.
"""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SLUICED = os.environ.get("SLUICED", os.path.join(ROOT, "build", "src", "sluiced"))
GENUINE = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
_serial = iter(range(1, 1 << 20))


class Failed(AssertionError):
    """A command left with an unexpected status; carries its output."""


def sh(cmd, check=True, timeout=60, env=None, input=None):
    """Runs 'cmd' (a list, or a line split at spaces); returns its standard output."""
    args = cmd if isinstance(cmd, list) else cmd.split()
    p = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       timeout=timeout, env=env, input=input)
    if check and p.returncode:
        raise Failed("%s: exit %d\n%s%s" % (" ".join(args), p.returncode, p.stdout, p.stderr))
    return p.stdout if check else p


def wait_for(question, timeout=10.0, what="condition"):
    """Asks until the answer is true; returns it."""
    end = time.monotonic() + timeout
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failed("waited %.1f s in vain for %s" % (timeout, what))
        time.sleep(0.02)


def close_all(made):
    """Closes each of the list, the last one first, whatever becomes of the others."""
    errors = []
    for thing in reversed(made):
        try:
            thing.close()
        except Exception as e:  # close the others first
            errors.append(e)
    if errors:
        raise errors[0]


def gone(pid):
    """It is no process any more, or one that nobody has buried."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def heir_of(pid):
    """The process that has the memory of worker 'pid' when that is dead; None: there is none."""
    for child in sh(["pgrep", "-P", str(pid)], check=False).stdout.split():
        try:
            with open("/proc/%s/comm" % child, encoding="ascii") as f:
                if f.read() == "sluice-heir\n":
                    return int(child)
        except OSError:
            pass
    return None


def new_name(stem):
    """A name for a namespace or device that no other test on this machine uses."""
    return "s%x%s%d" % (os.getpid() & 0xfffff, stem, next(_serial))


class Netns:
    """A network namespace; removed with everything in it."""

    def __init__(self, stem="ns"):
        self.name = new_name(stem)
        sh(["ip", "netns", "add", self.name])
        self.run("ip link set lo up")

    def run(self, cmd, **kw):
        args = cmd if isinstance(cmd, list) else cmd.split()
        return sh(["ip", "netns", "exec", self.name] + args, **kw)

    def popen(self, cmd, **kw):
        args = cmd if isinstance(cmd, list) else cmd.split()
        return subprocess.Popen(["ip", "netns", "exec", self.name] + args, **kw)

    def close(self):
        sh(["ip", "netns", "del", self.name], check=False)


class NoNetns:
    """Where a hermetic switch runs: here.  Its ports are dummies, so that nothing is touched."""
    name = None

    def popen(self, cmd, **kw):
        return subprocess.Popen(cmd if isinstance(cmd, list) else cmd.split(), **kw)

    def close(self):
        pass


class Switch:
    """One daemon.  kind: "sluice" or "ovs" (genuine Open vSwitch, the oracle)."""

    def __init__(self, kind="sluice", args=(), binary=None, netns=None, valgrind=None):
        self.kind, self.args = kind, list(args)
        self.binary = binary or (SLUICED if kind == "sluice" else GENUINE)
        self.own_ns = netns is None
        self.ns = netns or Netns("sw")
        self.dir = tempfile.mkdtemp(prefix="sluice-test-")
        self.env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_DBDIR=self.dir,
                        OVS_LOGDIR=self.dir, OVS_SYSCONFDIR=self.dir)
        self.env.pop("OVS_PKGDATADIR", None)
        self.server = None
        self.proc = None
        self.log = os.path.join(self.dir, "ovs-vswitchd.log")

    # -- life ------------------------------------------------------------------------------
    def start(self, timeout=20):
        cmd = [self.binary]
        if self.kind == "ovs":
            self._start_server()
            cmd += ["unix:%s/db.sock" % self.dir, "--pidfile=%s/ovs-vswitchd.pid" % self.dir,
                    "--unixctl=%s/ovs-vswitchd.ctl" % self.dir]
        else:
            cmd += ["--pidfile"]
        cmd += ["--log-file=" + self.log, "--no-chdir"] + self.args
        out = open(os.path.join(self.dir, "stderr"), "ab")
        self.proc = self.ns.popen(cmd, env=self.env, stdout=out, stderr=out,
                                  stdin=subprocess.DEVNULL)
        out.close()
        wait_for(self._ready, timeout, "the switch to start (%s)" % self.stderr_tail())
        with contextlib.suppress(Failed):  # a test may have bridges that never come
            wait_for(self._bridges_serve, 2, "the bridges")
        return self

    def _start_server(self):
        db, sock = self.dir + "/conf.db", self.dir + "/db.sock"
        if not os.path.exists(db):
            sh(["ovsdb-tool", "create", db, SCHEMA], env=self.env)
        self.server = subprocess.Popen(
            ["ovsdb-server", db, "--remote=punix:" + sock, "-vconsole:off",
             "--unixctl=" + self.dir + "/ovsdb.ctl"], env=self.env, stdin=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists(sock), 10, "ovsdb-server")
        self.vsctl("--no-wait", "init")

    def _ready(self):
        if self.proc.poll() is not None:
            raise Failed("the switch ended with %s: %s" % (self.proc.returncode,
                                                           self.stderr_tail()))
        if not os.path.exists(self.dir + "/db.sock"):
            return False
        p = sh(["ovs-vsctl", "--timeout=2", "get", "Open_vSwitch", ".", "iface_types"],
               check=False, env=self.env)
        return p.returncode == 0 and "internal" in p.stdout

    def _bridges_serve(self):
        """Types of interfaces may be those that an earlier process wrote; bridges' sockets are not."""
        p = sh(["ovs-vsctl", "--timeout=2", "list-br"], check=False, env=self.env)
        return all(os.path.exists("%s/%s.mgmt" % (self.dir, br)) for br in p.stdout.split())

    def stderr_tail(self):
        try:
            with open(os.path.join(self.dir, "stderr"), errors="replace") as f:
                return f.read()[-2000:]
        except OSError:
            return ""

    @property
    def pid(self):
        with open(self.dir + "/ovs-vswitchd.pid") as f:
            return int(f.read())

    def kill(self, sig=signal.SIGKILL):
        os.kill(self.pid, sig)
        self.proc.wait(10)

    def take_over(self, timeout=20):
        """Starts another daemon on top of the running one, which ends; the new pid."""
        old, first = self.pid, self.proc
        if "--takeover" not in self.args:
            self.args = [*self.args, "--takeover"]
        self.proc = None
        with open(os.path.join(self.dir, "stderr"), "ab") as out:
            self.proc = self.ns.popen([self.binary, "--pidfile", "--log-file=" + self.log,
                                       "--no-chdir"] + self.args, env=self.env, stdout=out,
                                      stderr=out, stdin=subprocess.DEVNULL)
        if first.wait(timeout) != 0 or self.pid == old:
            raise Failed("pid %d was not replaced" % old)
        return self.pid

    def stop(self):
        """Ends the daemon by 'exit'; returns how long that took."""
        start = time.monotonic()
        if self.proc and self.proc.poll() is None:
            sh(self._appctl_args("exit"), check=False, env=self.env)
            try:
                self.proc.wait(10)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait(5)
                raise Failed("the switch did not end within 10 s of exit")
        return time.monotonic() - start

    def sanitizer_report(self):
        """What a sanitized build printed, from its first complaint on, or None."""
        try:
            with open(os.path.join(self.dir, "stderr"), errors="replace") as f:
                text = f.read()
        except OSError:
            return None
        m = re.search(r"ERROR: (Address|Leak)Sanitizer|runtime error:", text)
        return text[m.start():m.start() + 6000] if m else None

    def close(self):
        try:
            self.stop()
            report = self.sanitizer_report()
            if report:
                raise Failed("a sanitizer complains:\n" + report)
        finally:
            if self.server:
                self.server.terminate()
                self.server.wait(5)
            if self.own_ns:
                self.ns.close()
            if not os.environ.get("KEEP"):
                shutil.rmtree(self.dir, ignore_errors=True)

    # -- the stock tools -------------------------------------------------------------------
    def vsctl(self, *args, check=True, timeout=15):
        return sh(["ovs-vsctl", "--timeout=%d" % timeout] + list(args), check=check,
                  env=self.env, timeout=timeout + 10)

    def ofctl(self, *args, check=True, input=None, timeout=60):
        return sh(["ovs-ofctl"] + list(args), check=check, env=self.env, input=input,
                  timeout=timeout)

    def _appctl_args(self, *args):
        target = []
        if self.kind == "ovs":
            target = ["-t", self.dir + "/ovs-vswitchd.ctl"]
        return ["ovs-appctl", "-T", "10"] + target + list(args)

    def control_path(self):
        """The daemon's control socket."""
        if self.kind == "ovs":
            return self.dir + "/ovs-vswitchd.ctl"
        return "%s/ovs-vswitchd.%d.ctl" % (self.dir, self.pid)

    def appctl(self, *args, check=True):
        return sh(self._appctl_args(*args), check=check, env=self.env)

    def get(self, table, record, column):
        return self.vsctl("get", table, record, column).strip()

    def flows(self, bridge, *match):
        """The flows of 'bridge' without their counters, sorted."""
        out = self.ofctl("--no-stats", "dump-flows", bridge, *match)
        return sorted(line.strip() for line in out.splitlines() if "actions=" in line)

    def n_packets(self, bridge, *match):
        """The sum of n_packets over the flows that match."""
        self.appctl("revalidator/wait")
        out = self.ofctl("dump-flows", bridge, *match)
        return sum(int(n) for n in re.findall(r"n_packets=(\d+)", out))

    def add_bridge(self, name, *more):
        self.vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev", *more)

    def alarms(self):
        """The WARN, ERR and EMER lines of the log."""
        with open(self.log) as f:
            return [line for line in f if re.search(r"\|(WARN|ERR|EMER)\|", line)]

    # -- what stands around it -------------------------------------------------------------
    def add_host(self, bridge, port, address=None, *more, mtu=None):
        """A Host behind a new port of type system; 'more' goes to ovs-vsctl add-port."""
        host = Host(self, port, address, mtu)
        self.vsctl("add-port", bridge, port, *more)
        return host


@contextlib.contextmanager
def switch_with_two_hosts(*args):
    """A switch whose hosts 10.1.0.1 and 10.1.0.2 reach each other by ports p1 and p2 of br0."""
    sw = Switch(args=list(args))
    hosts = []
    try:
        sw.start()
        sw.add_bridge("br0")
        for i in (1, 2):
            hosts.append(sw.add_host("br0", "p%d" % i, "10.1.0.%d/24" % i))
        wait_for(lambda: hosts[0].ping("10.1.0.2", count=1), 20, "traffic")
        yield sw, hosts
    finally:
        for h in hosts:
            h.close()
        sw.close()


class Control:
    """A connection to a daemon's control socket: many commands without a process for each."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(path)
        self.n, self.rest = 0, ""

    def run(self, command, *args):
        """(True, result) or (False, error)."""
        self.n += 1
        request = {"id": self.n, "method": command, "params": list(args)}
        self.sock.sendall(json.dumps(request).encode())
        while True:
            try:
                reply, end = json.JSONDecoder().raw_decode(self.rest)
                break
            except ValueError:
                data = self.sock.recv(1 << 20)
                if not data:
                    raise Failed("the daemon closed the control socket after " + command)
                self.rest += data.decode()
        self.rest = self.rest[end:].lstrip()
        ok = reply["error"] is None
        return ok, reply["result"] if ok else reply["error"]

    def close(self):
        self.sock.close()


class Hermetic(Switch):
    """A switch whose datapath and ports are dummies: no root, no device, a clock that can stop."""

    def __init__(self, kind="sluice", args=("--enable-dummy=override", "--disable-system"), **kw):
        super().__init__(kind, args=args, netns=NoNetns(), **kw)

    def control(self):
        return Control(self.control_path())

    def add_ports(self, bridge, *names):
        """Ports of type dummy that get the OpenFlow ports 1, 2..."""
        for i, name in enumerate(names, 1):
            self.vsctl("add-port", bridge, name, "--", "set", "Interface", name, "type=dummy",
                       "ofport_request=%d" % i)


def hermetic_pair(prepare):
    """Of a fixture: ours and genuine Open vSwitch, each started and given to 'prepare'."""
    switches = []
    try:
        for kind in ("sluice", "ovs"):
            switches.append(Hermetic(kind).start())
            prepare(switches[-1])
        yield switches
    finally:
        for sw in switches:
            sw.close()


class Host(Netns):
    """A namespace whose eth0 is the peer of device 'port' in the switch's namespace."""

    def __init__(self, switch, port, address=None, mtu=None):
        super().__init__("h")
        self.switch, self.port = switch, port
        extra = ["mtu", str(mtu)] if mtu else []
        sh(["ip", "-n", switch.ns.name, "link", "add", port] + extra + ["type", "veth", "peer",
           "name", "eth0", "netns", self.name])
        # The kernel on the switch's side must not answer for the hosts.
        switch.ns.run(["sysctl", "-qw", "net.ipv6.conf.%s.disable_ipv6=1" % port,
                       "net.ipv4.conf.%s.arp_ignore=8" % port])
        switch.ns.run("ip link set %s up" % port)
        self.run(["sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0"])
        self.run("ip link set eth0 up" + (" mtu %d" % mtu if mtu else ""))
        if address:
            self.run("ip addr add %s dev eth0" % address)

    def mac(self):
        return json.loads(self.run("ip -j link show eth0"))[0]["address"]

    def ping(self, address, count=3, interval=0.05, timeout=2, size=None, check=False):
        """True when all of 'count' pings to 'address' were answered."""
        cmd = "ping -n -q -c %d -i %s -W %s %s" % (count, interval, timeout, address)
        if size:
            cmd += " -s %d" % size
        p = self.run(cmd, check=False)
        ok = ", 0% packet loss" in p.stdout or " 0% packet loss" in p.stdout
        if check and not ok:
            raise Failed("ping %s from %s: %s%s" % (address, self.name, p.stdout, p.stderr))
        return ok

    def silent(self, address, count=2):
        """True when none of 'count' pings to 'address' was answered."""
        p = self.run("ping -n -q -c %d -i 0.2 -W 0.5 %s" % (count, address), check=False)
        return " 100% packet loss" in p.stdout or "Unreachable" in p.stdout
