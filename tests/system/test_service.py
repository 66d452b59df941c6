# SPDX-License-Identifier: Apache-2.0
"""The service: readiness, watchdog, and the files that are installed with it."""
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from switchlib import ROOT, SLUICED, Netns, sh, wait_for


class Supervisor:
    """Starts the daemon as systemd does, and hears what it says on the notification socket."""

    def __init__(self, tmp_path, **env):
        self.dir = str(tmp_path)
        self.ns = Netns("sv")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.dir + "/notify")
        self.env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_DBDIR=self.dir, OVS_LOGDIR=self.dir,
                        OVS_SYSCONFDIR=self.dir, NOTIFY_SOCKET=self.dir + "/notify", **env)
        self.proc = None
        self.heard = []

    def start(self, *args):
        self.proc = subprocess.Popen(
            ["ip", "netns", "exec", self.ns.name, SLUICED, "--pidfile", "--log-file",
             "--no-chdir", "-vconsole:off"] + list(args), env=self.env,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def hear(self, word, timeout=15):
        """Waits for a message that has 'word'; returns its lines and when it came."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            self.socket.settimeout(max(0.01, end - time.monotonic()))
            try:
                lines = self.socket.recv(4096).decode().split("\n")
            except TimeoutError:
                break
            self.heard += lines
            if word in lines:
                return lines, time.monotonic()
        raise AssertionError("%s was not said; heard %s" % (word, self.heard))

    def close(self):
        if self.proc and self.proc.poll() is None:
            self.proc.send_signal(signal.SIGCONT)
            self.proc.terminate()
            try:
                self.proc.wait(10)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        self.socket.close()
        self.ns.close()


@pytest.fixture
def supervisor(tmp_path):
    made = []

    def make(**env):
        made.append(Supervisor(tmp_path, **env))
        return made[-1]

    yield make
    for s in made:
        s.close()


def test_ready_is_said_when_the_configuration_is_in_force(supervisor):
    s = supervisor()
    config = s.dir + "/c.json"
    with open(config, "w") as f:
        f.write('{"bridges": {"br0": {"ports": {"p1": {"type": "internal"}}}}}')
    s.start("--config=" + config)
    lines, _ = s.hear("READY=1")
    # No waiting here: what the file asks for must be there already.
    out = sh(["ovs-vsctl", "--no-wait", "--timeout=5", "get", "interface", "p1", "ofport"],
             env=s.env)
    assert int(out) > 0
    assert "p1" in s.ns.run("ip -o link show")
    assert "MAINPID=%d" % s.proc.pid in lines
    sh(["ovs-appctl", "-T", "10", "exit"], env=s.env)
    s.hear("STOPPING=1")
    assert s.proc.wait(10) == 0


def test_not_ready_when_it_cannot_start(supervisor):
    s = supervisor()
    s.start("--config=/nonexistent")
    assert s.proc.wait(20) == 1
    s.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        while True:
            assert b"READY=1" not in s.socket.recv(4096)


def test_watchdog_is_fed_twice_in_its_time_and_not_by_a_daemon_that_hangs(supervisor):
    s = supervisor(WATCHDOG_USEC="1000000")
    s.start()
    _, ready = s.hear("READY=1")
    times = [s.hear("WATCHDOG=1", 3)[1] for _ in range(4)]
    assert times[-1] - ready < 4 * 0.5 + 1
    assert all(b - a < 1 for a, b in zip(times, times[1:]))
    os.kill(s.proc.pid, signal.SIGSTOP)
    s.socket.settimeout(0.7)
    with pytest.raises(TimeoutError):
        s.socket.recv(4096)  # one may have been on its way
        s.socket.recv(4096)
    os.kill(s.proc.pid, signal.SIGCONT)
    s.hear("WATCHDOG=1", 3)


def test_no_watchdog_no_messages(supervisor):
    s = supervisor()
    s.start()
    s.hear("READY=1")
    s.socket.settimeout(1.5)
    with pytest.raises(TimeoutError):
        s.socket.recv(4096)


# ---- The files ----

def built(name):
    """The unit and the defaults as meson configured them."""
    path = os.path.join(ROOT, "build", "conf", name)
    assert os.path.exists(path), "build/conf/%s: run make first" % name
    return path


def unit_settings():
    settings = {}
    with open(built("sluiced.service")) as f:
        text = f.read().replace("\\\n", "")
    for line in text.splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            settings.setdefault(key, []).append(value)
    return settings


@pytest.mark.rootless
def test_unit_passes_systemd_analyze(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze")
    unit = tmp_path / "sluiced.service"
    with open(built("sluiced.service")) as f:
        # Where the program will be installed there may be nothing now.
        text = re.sub(r"^ExecStart=\S+", "ExecStart=" + SLUICED, f.read(), flags=re.M)
    text = re.sub(r"^Documentation=.*\n", "", text, flags=re.M)
    unit.write_text(text)
    p = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    about_us = [line for line in p.stdout.splitlines() if "sluiced" in line]
    assert about_us == [] and p.returncode == 0, p.stdout


@pytest.mark.rootless
def test_unit_fits_the_daemon():
    s = unit_settings()
    assert s["Type"] == ["notify"]
    assert int(s["WatchdogSec"][0]) >= 10
    help_text = subprocess.run([SLUICED, "--help"], text=True, stdout=subprocess.PIPE,
                               timeout=20).stdout
    options = re.findall(r"(?<=\s)--[a-z-]+", s["ExecStart"][0])
    assert "--pidfile" in options
    with open(built("sluiced")) as f:
        options += re.findall(r"(?<=[= ])--[a-z-]+", re.search(
            r"^SLUICED_OPTIONS=(.*)$", f.read(), re.M).group(0))
    assert "--config" in options
    for option in options:
        assert option in help_text, option
    # The daemon stays in the foreground under systemd, and its sockets are where tools look.
    assert "--detach" not in options
    assert s["RuntimeDirectory"] == ["openvswitch"]


def test_logrotate_takes_the_file_beside_the_one_of_open_vswitch(tmp_path):
    if not shutil.which("logrotate"):
        pytest.skip("no logrotate")
    logs = tmp_path / "sluice"
    logs.mkdir(mode=0o755)
    log = logs / "ovs-vswitchd.log"
    log.write_text("x" * 100)
    with open(os.path.join(ROOT, "conf", "sluiced.logrotate")) as f:
        text = f.read().replace("/var/log/sluice", str(logs))
    config = tmp_path / "logrotate.conf"
    config.write_text(text)
    config.chmod(0o644)
    p = subprocess.run(["logrotate", "-d", "-f", "-s", str(tmp_path / "state"), str(config)],
                       text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert p.returncode == 0 and "error:" not in p.stdout, p.stdout
    assert "rotating log " + str(log) in p.stdout, p.stdout
    # No log is in two files: logrotate would refuse the second.
    ovs = "/etc/logrotate.d/openvswitch-switch"
    if os.path.exists(ovs):
        p = subprocess.run(["logrotate", "-d", "-s", str(tmp_path / "state"), ovs,
                            os.path.join(ROOT, "conf", "sluiced.logrotate")], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        assert "duplicate" not in p.stdout, p.stdout


def test_a_rotated_log_is_reopened(supervisor):
    s = supervisor()
    s.start()
    s.hear("READY=1")
    log = s.dir + "/ovs-vswitchd.log"
    os.rename(log, log + ".1")
    # What the unit's ExecReload does.
    assert unit_settings()["ExecReload"] == ["/usr/bin/ovs-appctl -T 10 vlog/reopen"]
    sh(["ovs-appctl", "-T", "10", "vlog/reopen"], env=s.env)
    wait_for(lambda: os.path.exists(log), 5, "the new log")


def test_default_configuration_and_example_are_good(make_switch):
    conf = os.path.join(ROOT, "conf")
    sw = make_switch(args=["--config=" + conf + "/sluiced.json"])
    assert sw.vsctl("list-br") == ""
    sw.stop()
    # The example wants a network card and must be refused for nothing before that.
    p = subprocess.run([SLUICED, "--config=" + conf + "/sluiced.json.example", "--db=/nonexistent/x/y",
                        "--pidfile"], env=sw.env, text=True, stdin=subprocess.DEVNULL,
                       stderr=subprocess.PIPE, timeout=20)
    assert p.returncode == 1 and "sluiced.json.example" not in p.stderr, p.stderr


@pytest.mark.rootless
@pytest.mark.parametrize("page", ["sluiced.8", "sluiced.json.5"])
def test_manual_pages_are_well_formed(page):
    path = os.path.join(ROOT, "docs", "man", page)
    tried = False
    if shutil.which("mandoc"):
        p = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", path], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        assert [l for l in p.stdout.splitlines() if "outdated" not in l] == []
        tried = True
    if shutil.which("man"):
        p = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", path], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                           env=dict(os.environ, MANWIDTH="80", LC_ALL="C.UTF-8"))
        assert p.returncode == 0 and p.stderr == "" and "SYNOPSIS" in p.stdout \
            or page.endswith("5") and "DESCRIPTION" in p.stdout, p.stderr
        tried = True
    if not tried:
        pytest.skip("neither mandoc nor man")


@pytest.mark.rootless
def test_manual_page_has_every_option():
    help_text = subprocess.run([SLUICED, "--help"], text=True, stdout=subprocess.PIPE,
                               timeout=20).stdout
    with open(os.path.join(ROOT, "docs", "man", "sluiced.8")) as f:
        page = f.read()
    options = set(re.findall(r"--([a-z][a-z-]+)", help_text))
    assert len(options) > 20
    missing = [o for o in options if not re.search(r"Fl Fl %s\b" % re.escape(o), page)]
    assert missing == []
