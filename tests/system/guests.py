# SPDX-License-Identifier: Apache-2.0
"""QEMU guests for the system tests: tests/vm's scripts behind a small class.

The images are built once, and again after a change of their scripts, into build/guest (cloud kernel,
NICs, the PROGRAMS) and build/guest-full (full kernel: shares the host's programs by 9p, so testpmd
runs inside).
"""
import json
import os
import socket
import subprocess

from switchlib import ROOT, Failed, sh, wait_for

VM = os.path.join(ROOT, "tests", "vm")
IMAGES = {"guest": "linux-image-cloud-amd64", "guest-full": "linux-image-amd64"}
PROGRAMS = ("iperf3", "ethtool")


def image(name="guest"):
    """The folder of a guest image, built if it is not there yet."""
    path = os.path.join(ROOT, "build", name)
    made = os.path.join(path, "version")
    newest = max(os.path.getmtime(os.path.join(VM, f)) for f in ("build-guest", "guest-init"))
    if not os.path.exists(made) or os.path.getmtime(made) < newest:
        programs = [x for p in PROGRAMS if name == "guest" for x in ("-b", p)]
        sh([os.path.join(VM, "build-guest"), "-o", path, "-p", IMAGES[name]] + programs, timeout=180)
    return path


class Guest:
    """A running guest with vhost-user NICs on 'sockets' and addresses on eth0, eth1..."""

    def __init__(self, directory, number, sockets, addresses, server=True, full=False, queues=1,
                 memory=None, cpus=1, more=()):
        self.dir, self.number, self.full = directory, number, full
        self.ctl = os.path.join(directory, "guest%d.ctl" % number)
        self.pidfile = os.path.join(directory, "guest%d.pid" % number)
        self.console = os.path.join(directory, "guest%d.console" % number)
        cmd = [os.path.join(VM, "run-guest"), "-i", str(number), "-s", self.ctl, "-p",
               self.pidfile, "-T", "600", "-a", ",".join(addresses), "-q", str(queues),
               "-m", str(memory or (192 if full else 96)), "-c", str(cpus)]
        for s in sockets:
            cmd += ["-u" if server else "-U", s]
        if full:
            cmd += ["-r"]
        self.cmd = cmd + list(more)
        self.env = dict(os.environ, GUEST=image("guest-full" if full else "guest"))
        self.proc, self.jobs = None, 0

    def launch(self):
        """Starts QEMU and waits for nothing."""
        with open(self.console, "wb") as out:
            self.proc = subprocess.Popen(self.cmd, env=self.env, stdout=out, stderr=out,
                                         stdin=subprocess.DEVNULL)
        return self

    def answers(self, timeout=60):
        """Waits for its shell."""
        wait_for(lambda: self.sh("true", check=False).returncode == 0, timeout, "the guest")
        return self

    def start(self):
        """Boots; returns when a shell answers.  One retry: a boot may fail by chance."""
        for attempt in (1, 2):
            if attempt == 2 or self.proc is None or self.proc.poll() is not None:
                self.launch()
            try:
                return self.answers()
            except AssertionError:
                self.kill()
                if attempt == 2:
                    with open(self.console, errors="replace") as f:
                        raise Failed("guest %d does not come up:\n%s" % (self.number,
                                                                         f.read()[-2000:]))

    def background(self, command):
        """Runs a command inside that goes on; finish(name) waits for its status and output."""
        self.jobs += 1
        name = "/tmp/job%d" % self.jobs
        self.sh("((%s) >%s.out 2>&1 </dev/null; echo $? >%s.rc) >/dev/null 2>&1 </dev/null &"
                % (command, name, name))
        return name

    def finish(self, name, timeout=60):
        """The status and the output of a background command."""
        wait_for(lambda: self.sh("test -s %s.rc" % name, check=False).returncode == 0, timeout, name)
        return int(self.sh("cat %s.rc" % name)), self.sh("cat %s.out" % name)

    def sh(self, command, check=True, timeout=60):
        """Runs a shell command inside; returns its output, or the process with check=False."""
        if self.proc.poll() is not None:
            raise Failed("guest %d has ended" % self.number)
        env = dict(os.environ, LIMIT=str(timeout), WAIT="10")
        return sh([os.path.join(VM, "guest-sh"), self.ctl, command], check=check, env=env,
                  timeout=timeout + 15)

    def ping(self, address, count=3, check=False):
        p = self.sh("ping -c %d -i 0.2 -W 2 %s" % (count, address), check=False)
        ok = " 0% packet loss" in p.stdout
        if check and not ok:
            raise Failed("ping %s from guest %d: %s" % (address, self.number, p.stdout))
        return ok

    def kill(self):
        try:
            with open(self.pidfile) as f:
                os.kill(int(f.read()), 9)
        except (OSError, ValueError):
            pass
        if self.proc:
            try:
                self.proc.wait(10)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait(5)

    close = kill


class Monitor:
    """QEMU's control connection; the guest is started with Monitor.arguments(path)."""

    @staticmethod
    def arguments(path):
        return ["-x", "-qmp", "-x", "unix:%s,server=on,wait=off" % path]

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        wait_for(lambda: self.sock.connect_ex(path) == 0, 20, "QEMU's monitor")
        self.file = self.sock.makefile("rw")
        self.file.readline()  # the greeting
        self.run("qmp_capabilities")

    def run(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if "error" in answer:
                raise Failed("%s: %s" % (command, answer["error"]["desc"]))
            if "return" in answer:  # else an event
                return answer["return"]

    def close(self):
        self.file.close()
        self.sock.close()
