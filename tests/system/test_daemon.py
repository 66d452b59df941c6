# SPDX-License-Identifier: Apache-2.0
"""The process contract: options, pidfile, background, monitor, control socket, ways to end.

What ovs-ctl, systemd, logrotate and operators rely on.  Texts are those of ovs-vswitchd 3.1.
"""
import glob
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from switchlib import SLUICED, Netns, gone, heir_of, wait_for


class Daemon:
    """Runs the daemon with directories and a network namespace of its own; any options."""

    def __init__(self, tmp_path):
        self.dir = str(tmp_path)
        self.ns = Netns("dm")
        self.env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_DBDIR=self.dir, OVS_LOGDIR=self.dir,
                        OVS_SYSCONFDIR=self.dir)
        self.pidfile = self.dir + "/ovs-vswitchd.pid"
        self.logfile = self.dir + "/ovs-vswitchd.log"

    def run(self, *args, timeout=30, binary=SLUICED, env=None):
        return subprocess.run(["ip", "netns", "exec", self.ns.name, binary] + list(args),
                              env=dict(self.env, **(env or {})), text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)

    def popen(self, *args, env=None):
        return subprocess.Popen(["ip", "netns", "exec", self.ns.name, SLUICED] + list(args),
                                env=dict(self.env, **(env or {})), stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def detach(self, *args):
        # To files: a daemon that kept a pipe open would make us wait for ever.
        with open(self.dir + "/out", "wb") as out:
            status = subprocess.run(
                ["ip", "netns", "exec", self.ns.name, SLUICED, "--detach", "--pidfile",
                 "--log-file"] + list(args), env=self.env, timeout=60, stdin=subprocess.DEVNULL,
                stdout=out, stderr=out).returncode
        return status

    def pid(self):
        with open(self.pidfile) as f:
            return int(f.read())

    def appctl(self, *args):
        return subprocess.run(["ovs-appctl", "-T", "10"] + list(args), env=self.env, text=True,
                              timeout=30, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def vsctl(self, *args):
        return subprocess.run(["ovs-vsctl", "-t", "30"] + list(args), env=self.env, text=True,
                              timeout=60, check=True, stdout=subprocess.PIPE).stdout

    def log(self):
        with open(self.logfile) as f:
            return f.read()

    def leftovers(self):
        return [f for f in os.listdir(self.dir)
                if f.endswith((".pid", ".ctl", ".sock", ".mgmt", ".snoop", ".tmp"))]

    def close(self):
        for pid in set(self._pids()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.ns.close()

    def _pids(self):
        """Whatever still runs in our namespace: workers and monitors."""
        out = subprocess.run(["ip", "netns", "pids", self.ns.name], stdout=subprocess.PIPE,
                             text=True).stdout
        return [int(p) for p in out.split()]


@pytest.fixture
def daemon(tmp_path):
    d = Daemon(tmp_path)
    yield d
    d.close()


# -- options ---------------------------------------------------------------------------------
def test_version_is_what_ovs_ctl_parses(daemon):
    p = daemon.run("--version")
    lines = p.stdout.splitlines()
    assert p.returncode == 0
    assert lines[0] == "ovs-vswitchd (Open vSwitch) 3.1.0"
    assert re.match(r"DPDK \d+\.\d+", lines[1])
    assert lines[2].startswith("Sluice ")


def test_help_names_every_option(daemon):
    text = daemon.run("--help").stdout
    for option in ("--detach --monitor --user --no-chdir --pidfile --overwrite-pidfile --log-file "
                   "--verbose --unixctl --db --remote --enable-dummy --disable-system --disable-system-route --mlockall "
                   "--private-key --certificate --ca-cert --bootstrap-ca-cert --ssl-protocols "
                   "--ssl-ciphers --syslog-target --syslog-method --version").split():
        assert option in text


@pytest.mark.parametrize("args, text", [
    (["--bogus"], "ovs-vswitchd: unrecognized option '--bogus'"),
    (["--dpdk"], "ovs-vswitchd: Using --dpdk to configure DPDK is not supported."),
    (["unix:a", "unix:b"],
     "ovs-vswitchd: at most one non-option argument accepted; use --help for usage"),
    (["-vfoo:x"], 'ovs-vswitchd: processing "foo:x": no destination, level, or module "foo"'),
    (["--pidfile=/nonexistent/x.pid"],
     "ovs-vswitchd: /nonexistent/x.pid.tmp: create failed (No such file or directory)"),
    (["bogus:x"], "ovs-vswitchd: bogus:x: unknown connection method"),
    (["--user=no-such-user-here"], "ovs-vswitchd: user no-such-user-here not found, aborting."),
    (["--enable-dummy=what"], "ovs-vswitchd: --enable-dummy takes"),
    (["--unixctl=/nonexistent/x.ctl"], "could not initialize control socket"),
])
def test_mistakes_end_with_status_1_and_a_text(daemon, args, text):
    p = daemon.run(*args)
    assert p.returncode == 1
    assert text in p.stderr
    assert daemon.leftovers() == []


# -- pidfile, background ------------------------------------------------------------------------
def test_detach_returns_when_ready(daemon):
    assert daemon.detach() == 0
    pid = daemon.pid()
    with open("/proc/%d/comm" % pid) as f:
        assert f.read() == "ovs-vswitchd\n"
    assert os.path.exists(daemon.dir + "/ovs-vswitchd.%d.ctl" % pid)
    assert "ovs-vswitchd (Open vSwitch) 3.1.0" in daemon.log()
    # Its terminal is gone: standard streams and working directory.
    for fd in range(3):
        assert os.readlink("/proc/%d/fd/%d" % (pid, fd)) == "/dev/null"
    assert os.readlink("/proc/%d/cwd" % pid) == "/"
    assert daemon.appctl("exit").returncode == 0
    wait_for(lambda: gone(pid), 3, "the daemon to end")
    assert daemon.leftovers() == []


def test_pidfile_is_locked_and_keeps_a_second_one_out(daemon):
    assert daemon.detach() == 0
    p = daemon.run("--pidfile")
    assert p.returncode == 1
    assert "already running as pid %d, aborting" % daemon.pid() in p.stderr
    assert daemon.appctl("version").returncode == 0


def test_stale_pidfile_and_sockets_are_replaced(daemon):
    assert daemon.detach() == 0
    first = daemon.pid()
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: gone(first), 3, "the daemon to die")
    assert daemon.detach() == 0
    assert daemon.pid() != first
    assert daemon.appctl("version").stdout == "ovs-vswitchd (Open vSwitch) 3.1.0\n"


def test_a_successor_waits_until_what_was_killed_is_gone(daemon):
    """The kernel takes its time with the taps of a killed process; without a wait the socket is in
    use, or the taps are busy."""
    assert daemon.detach() == 0
    taps = ["k%d" % i for i in range(24)]
    args = ["add-br", "br0"]
    for tap in taps:
        args += ["--", "add-port", "br0", tap, "--", "set", "interface", tap, "type=internal"]
    daemon.vsctl(*args)
    for _ in range(2):
        os.kill(daemon.pid(), signal.SIGKILL)
        assert daemon.detach() == 0
        assert daemon.vsctl("--columns=name,error", "find", "interface", "error!=[]") == ""
        assert daemon.vsctl("list-ports", "br0").split() == sorted(taps)


def test_monitor_restarts_after_a_crash_and_not_after_exit(daemon):
    assert daemon.detach("--monitor") == 0
    first = daemon.pid()
    os.kill(first, signal.SIGSEGV)
    wait_for(lambda: daemon.pid() != first and daemon.appctl("version").returncode == 0, 15,
             "the monitor to start another")
    second = daemon.pid()
    assert "died, killed (Segmentation fault" in daemon.log()
    assert not os.path.exists(daemon.dir + "/ovs-vswitchd.%d.ctl" % first)
    assert daemon.appctl("exit").returncode == 0
    wait_for(lambda: gone(second), 3, "the daemon to end")
    wait_for(lambda: daemon._pids() == [], 3, "the monitor to end")
    assert daemon.leftovers() == []


def test_monitor_leaves_one_dead_that_hangs_and_was_told_to_end(daemon):
    """As `ovs-ctl stop` does it: exit, SIGTERM, and SIGKILL when neither is heard."""
    assert daemon.detach("--monitor") == 0
    pid = daemon.pid()
    for signum in (signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL):
        os.kill(pid, signum)
        time.sleep(0.1)
    wait_for(lambda: daemon._pids() == [], 5, "the monitor to end")
    assert "restarting" not in daemon.log()


WAITS = "waiting for the memory of the process that died"


def parent_of(pid):
    with open("/proc/%d/stat" % pid) as f:
        return int(f.read().rsplit(")", 1)[1].split()[1])


@pytest.fixture
def stopped_heir(daemon):
    """Of a worker with a monitor; goes on at the end."""
    assert daemon.detach("--monitor") == 0
    heir = wait_for(lambda: heir_of(daemon.pid()), 5, "the heir")
    os.kill(heir, signal.SIGSTOP)
    yield heir
    try:
        os.kill(heir, signal.SIGCONT)
    except ProcessLookupError:
        pass


def test_a_start_waits_for_the_memory_of_one_that_was_killed_with_its_monitor(daemon, stopped_heir):
    """EAL would find too few pages, and run without them for life."""
    worker = daemon.pid()
    for pid in parent_of(worker), worker:
        os.kill(pid, signal.SIGKILL)
    daemon.popen("--pidfile", "--log-file")
    wait_for(lambda: WAITS in daemon.log(), 5, "the next one")
    assert daemon.pid() == worker and not gone(stopped_heir)
    os.kill(stopped_heir, signal.SIGCONT)
    wait_for(lambda: daemon.pid() != worker and daemon.appctl("version").returncode == 0, 10,
             "the next one to start")
    assert gone(stopped_heir)


def test_monitor_ends_when_the_memory_is_back(daemon, stopped_heir):
    """As its worker hangs and is killed."""
    worker = daemon.pid()
    monitor = parent_of(worker)
    os.kill(worker, signal.SIGSTOP)
    os.kill(worker, signal.SIGTERM)
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: WAITS in daemon.log(), 5, "the monitor to wait")
    assert not gone(monitor)
    os.kill(stopped_heir, signal.SIGCONT)
    wait_for(lambda: gone(monitor), 5, "the monitor to end")
    assert gone(stopped_heir) and "restarting" not in daemon.log()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_end_it_cleanly_within_2_seconds(daemon, signum):
    proc = daemon.popen("--pidfile", "--log-file")
    wait_for(lambda: os.path.exists(daemon.pidfile) and daemon.appctl("version").returncode == 0,
             10, "the daemon")
    start = time.monotonic()
    os.kill(daemon.pid(), signum)
    assert proc.wait(5) == -signum
    assert time.monotonic() - start < 2
    assert daemon.leftovers() == []


def test_readiness_is_told_to_systemd(daemon):
    path = daemon.dir + "/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        s.settimeout(10)
        proc = daemon.popen("--pidfile", env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"})
        told = s.recv(4096).decode()
        assert "READY=1" in told
        assert s.recv(4096) == b"WATCHDOG=1"
        daemon.appctl("exit")
        while True:
            told = s.recv(4096)
            if told != b"WATCHDOG=1":
                break
        assert told == b"STOPPING=1"
        proc.wait(5)


@pytest.mark.parametrize("options", [[], ["--hw-rawio-access"]])
def test_another_user_keeps_network_capabilities(daemon, options):
    os.chmod(daemon.dir, 0o777)
    parent = os.path.dirname(daemon.dir)
    while parent != "/":
        os.chmod(parent, os.stat(parent).st_mode | 0o011)
        parent = os.path.dirname(parent)
    assert daemon.detach("--user=nobody:nogroup", *options) == 0
    with open("/proc/%d/status" % daemon.pid()) as f:
        status = dict(line.rstrip("\n").split(":", 1) for line in f)
    assert set(status["Uid"].split()) == {"65534"}
    assert int(status["CapEff"], 16) & (1 << 12)       # CAP_NET_ADMIN
    assert not int(status["CapEff"], 16) & (1 << 21)   # CAP_SYS_ADMIN
    assert bool(int(status["CapEff"], 16) & (1 << 17)) == bool(options)   # CAP_SYS_RAWIO
    assert daemon.appctl("exit").returncode == 0


# -- the log --------------------------------------------------------------------------------------
def test_log_lines_have_the_format_that_tools_parse(daemon):
    assert daemon.detach() == 0
    lines = daemon.log().splitlines()
    assert lines
    for line in lines:
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\|\d{5}\|[\w()]+\|"
                        r"(EMER|ERR|WARN|INFO|DBG)\|", line), line
    # Nothing is wrong, so nothing is said to be.
    assert not re.search(r"\|(EMER|ERR)\|", daemon.log())


def test_the_environment_says_where_syslog_is(daemon):
    path = daemon.dir + "/syslog"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        s.settimeout(10)
        proc = daemon.popen("--pidfile", env={"OVS_SYSLOG_METHOD": "unix:" + path})
        assert b"ovs-vswitchd" in s.recv(4096)
        daemon.appctl("exit")
        proc.wait(10)
    p = daemon.run("--pidfile", env={"OVS_SYSLOG_METHOD": "nix"})
    assert p.returncode == 1 and "nix" in p.stderr


def test_logrotate_reopens(daemon):
    assert daemon.detach() == 0
    os.rename(daemon.logfile, daemon.logfile + ".1")
    assert daemon.appctl("vlog/reopen").returncode == 0
    assert "|vlog|INFO|opened log file " + daemon.logfile in daemon.log()
    assert daemon.appctl("vlog/set", "vlog:file:off").returncode == 0
    table = daemon.appctl("vlog/list").stdout
    assert re.search(r"^vlog +OFF       INFO        OFF$", table, re.M)


# -- the control socket -----------------------------------------------------------------------------
def test_control_commands_in_the_documented_formats(daemon):
    assert daemon.detach() == 0
    assert daemon.appctl("version").stdout == "ovs-vswitchd (Open vSwitch) 3.1.0\n"
    commands = daemon.appctl("list-commands").stdout
    assert commands.startswith("The available commands are:\n  ")
    names = [line.split()[0] for line in commands.splitlines()[1:]]
    assert names == sorted(names)
    assert {"exit", "version", "vlog/set", "coverage/show", "memory/show"} <= set(names)
    coverage = daemon.appctl("coverage/show").stdout
    assert re.match(r"Event coverage, avg rate over last: 5 seconds, last minute, last hour,  "
                    r"hash=[0-9a-f]{8}:\n", coverage)
    assert re.search(r"^\d+ events never hit$", coverage, re.M)
    assert int(daemon.appctl("coverage/read-counter", "unixctl_received").stdout) > 0
    assert daemon.appctl("memory/show").stdout.count("\n") == 1
    p = daemon.appctl("bogus")
    assert p.returncode == 2
    assert p.stderr.startswith('"bogus" is not a valid command (use "list-commands" to see a list '
                               'of valid commands)\n')
    p = daemon.appctl("coverage/read-counter")
    assert p.stderr.startswith('"coverage/read-counter" command requires at least 1 arguments\n')


def test_hostile_control_clients_do_no_harm(daemon):
    assert daemon.detach() == 0
    path = glob.glob(daemon.dir + "/*.ctl")[0]
    pid = daemon.pid()
    held = []
    for data in (b"", b"x", b"{", b"[" * 5000, b"[]", b'{"id":1}', b'{"method":1,"id":1}',
                 b'{"method":"version","id":0,"params":[1]}', b'{"method":"version","params":[]}',
                 b"\0" * 100, b'{"a":"' + b"x" * (5 << 20), b"{}" * 1000):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(5)
        s.connect(path)
        try:
            s.sendall(data)
        except OSError:
            pass  # It may have hung up in the middle: that is the point.
        held.append(s)
    # Many commands from one who never reads the answers.
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    s.setblocking(False)
    try:
        for _ in range(2000):
            s.send(json.dumps({"id": 0, "method": "list-commands", "params": []}).encode())
    except OSError:
        pass
    held.append(s)
    assert daemon.appctl("version").returncode == 0
    for s in held:
        s.close()
    assert daemon.appctl("version").returncode == 0
    assert daemon.pid() == pid


def test_time_can_be_stopped_and_warped_with_dummy(daemon):
    assert daemon.detach("--enable-dummy") == 0
    assert daemon.appctl("time/stop").returncode == 0
    assert daemon.appctl("time/warp", "10000", "500").stdout == "warped\n"
    assert daemon.appctl("time/warp", "x").returncode == 2
    assert daemon.appctl("vlog/message", "hello there").returncode == 0
    assert daemon.log().endswith("hello there\n")


def test_exit_answers_and_leaves_within_2_seconds(daemon):
    assert daemon.detach() == 0
    pid = daemon.pid()
    start = time.monotonic()
    p = daemon.appctl("exit", "--cleanup")
    assert daemon.leftovers() == []
    assert p.returncode == 0 and p.stdout == "" and p.stderr == ""
    wait_for(lambda: gone(pid), 3, "the daemon to end")
    assert time.monotonic() - start < 2
