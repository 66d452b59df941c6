# SPDX-License-Identifier: Apache-2.0
"""A machine of one's own for tests that install things: the host's files with a private layer above
them, private /run, processes and network.  What happens there is gone with close()."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

from switchlib import ROOT, SLUICED, Failed, Netns, sh

# The layers.
LAYERS = r"""
set -e
mount --make-rprivate /
# Huge pages that other tests have mounted below /tmp would be out of reach and in the way.
awk '$3 == "hugetlbfs" {print $2}' /proc/mounts | xargs -r umount -l
mount -t tmpfs layers /mnt
for d in etc usr var opt; do
    test -d /$d || continue
    mkdir -p /mnt/$d /mnt/work-$d
    mount -t overlay -o lowerdir=/$d,upperdir=/mnt/$d,workdir=/mnt/work-$d overlay /$d
done
mkdir -m 1777 /mnt/tmp
mount --bind /mnt/tmp /tmp
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/lock
mount -t sysfs sysfs /sys
rm -rf /var/run
ln -s /run /var/run
ip link set lo up
mkdir /mnt/bin
printf '#!/bin/sh\nexit 0\n' >/mnt/bin/modprobe
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /mnt/bin/modprobe /usr/sbin/policy-rc.d
"""

# Process 1: makes the layers, says so, and buries the dead.
INIT = LAYERS + r"""
touch /mnt/up
exec /usr/bin/python3 -c '
import os, time
while True:
    try:
        os.waitpid(-1, 0)
    except ChildProcessError:
        time.sleep(0.02)
'
"""


# The same with systemd as process 1.  What it does to devices and control groups when it boots would
# reach the host: it has devices of its own, a hierarchy that begins at the machine's group, and one target
# with nothing in it, so that none of the host's services, mounts and rules for boot are looked at.
SYSTEMD = LAYERS + r"""
mkdir -p /mnt/dev
mount -t tmpfs -o mode=755 dev /mnt/dev
mkdir -p /mnt/dev/net /mnt/dev/pts /mnt/dev/shm /mnt/dev/mqueue /mnt/dev/hugepages
for d in null zero full random urandom tty net/tun; do
    touch /mnt/dev/$d
    mount --bind /dev/$d /mnt/dev/$d
done
mount -t tmpfs -o mode=1777 shm /mnt/dev/shm
mount --move /mnt/dev /dev
if [ "$1" = unified ]; then
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
else
    mount -t tmpfs -o mode=755 cgroups /sys/fs/cgroup
    mkdir /sys/fs/cgroup/systemd
    mount -t cgroup -o none,name=systemd systemd /sys/fs/cgroup/systemd
fi
echo 0123456789abcdef0123456789abcdef >/etc/machine-id
printf '[Unit]\nDefaultDependencies=no\nAllowIsolate=yes\n' >/etc/systemd/system/machine.target
touch /mnt/up
exec env -i container=machine PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=machine.target --log-target=console --show-status=no
"""


class Machine:
    def __init__(self):
        self.init = None
        self._start(["sh", "-c", INIT])

    def _start(self, command, *unshare, **popen):
        self.proc = subprocess.Popen(
            ["unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--mount-proc",
             "--kill-child", *unshare, *command], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, **popen)
        end = time.monotonic() + 20
        while not (self._find_init() and os.path.exists(self.path("/mnt/up"))):
            if self.proc.poll() is not None or time.monotonic() > end:
                self.close()
                raise Failed("the machine did not come up: " + self.proc.stderr.read())
            time.sleep(0.05)

    def _find_init(self):
        """The machine's first process, as the host numbers it."""
        try:
            with open("/proc/%d/task/%d/children" % (self.proc.pid, self.proc.pid)) as f:
                self.init = int(f.read().split()[0])
        except (OSError, IndexError):
            self.init = None
        return self.init

    def path(self, path):
        """Where the host finds a file of the machine."""
        return "/proc/%d/root%s" % (self.init, path)

    def put(self, source, target):
        """Copies a file of the host into the machine."""
        shutil.copy(source, self.path(target))

    def run(self, script, check=True, timeout=60):
        """Runs shell lines; returns the finished process, its output in .stdout."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("OVS_")}
        env["PATH"] = "/mnt/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        p = subprocess.run(["nsenter", "-t", str(self.init), "-m", "-n", "-i", "-u", "-p", "--",
                            "sh", "-c", script], text=True, timeout=timeout, env=env,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
        if check and p.returncode:
            raise Failed("%s: exit %d\n%s" % (script, p.returncode, p.stdout))
        return p

    def out(self, script, **kw):
        return self.run(script, **kw).stdout.strip()

    def add_host(self, n):
        """A namespace 10.1.0.n behind a new port p<n> of the machine's bridge br0; the caller closes it."""
        host = Netns("mh")
        try:
            sh(["ip", "link", "add", "p%d" % n, "netns", str(self.init), "type", "veth", "peer",
                "name", "eth0", "netns", host.name])
            host.run("ip addr add 10.1.0.%d/24 dev eth0" % n)
            host.run("ip link set eth0 up")
            self.run("ip link set p%d up; ovs-vsctl --timeout=10 add-port br0 p%d" % (n, n))
        except BaseException:
            host.close()
            raise
        return host

    def close(self):
        if self.proc.poll() is None:
            # The kernel ends everything else with the machine's first process.
            os.kill(self.init or self.proc.pid, signal.SIGKILL)
            try:
                self.proc.wait(10)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait(5)


class SystemdMachine(Machine):
    """A machine whose first process is the host's systemd."""
    UNIT = "/lib/systemd/system/sluiced.service"

    def __init__(self):
        self.init = self.config = None
        self.groups = None
        unified = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
        root = "/sys/fs/cgroup" if unified else "/sys/fs/cgroup/systemd"
        if not os.path.exists("/lib/systemd/systemd") or not os.access(root + "/cgroup.procs", os.W_OK):
            raise NoSystemd("needs systemd, and its control groups writable")
        self.groups = "%s/sluice-machine-%d" % (root, os.getpid())
        os.mkdir(self.groups)

        def join():
            with open(self.groups + "/cgroup.procs", "w", encoding="ascii") as f:
                f.write("0")

        self._start(["sh", "-c", SYSTEMD, "sh", "unified" if unified else "named"], "--cgroup",
                    preexec_fn=join)
        self.wait_for_systemd()

    def wait_for_systemd(self):
        end = time.monotonic() + 20
        while self.out("systemctl is-system-running", check=False) != "running":
            if time.monotonic() > end:
                self.close()
                raise Failed("systemd is not running")
            time.sleep(0.1)

    def install_service(self):
        """What 'make install' puts there for sluiced.service; .config is its start-up file then."""
        build = os.path.join(ROOT, "build")
        with open(os.path.join(build, "conf", "sluiced.service"), encoding="utf-8") as f:
            unit = f.read()
        prefix = re.search("^ExecStart=(.*)/sbin/sluiced ", unit, re.M)[1]
        settings = re.search("^EnvironmentFile=-(.*)", unit, re.M)[1]
        with open(os.path.join(build, "conf", "sluiced"), encoding="utf-8") as f:
            self.config = re.search("^SLUICED_OPTIONS=.*--config=(.*)", f.read(), re.M)[1]
        for source, target in ((SLUICED, prefix + "/sbin/sluiced"), (build + "/conf/sluiced", settings),
                               (build + "/conf/sluiced.service", self.UNIT),
                               (ROOT + "/conf/sluiced-stop", prefix + "/libexec/sluice/sluiced-stop"),
                               (build + "/src/relay/sluice-vhost-relay",
                                prefix + "/libexec/sluice/sluice-vhost-relay")):
            self.run("mkdir -p " + os.path.dirname(target))
            self.put(source, target)
        self.run("mkdir -p " + os.path.dirname(self.config))

    def configure(self, config):
        """The start-up file: its text, or what it says."""
        with open(self.path(self.config), "w", encoding="utf-8") as f:
            f.write(config if isinstance(config, str) else json.dumps(config))

    def close(self):
        super().close()
        if self.groups:
            # A group goes when the last of its processes is buried.
            for _ in range(50):
                for folder, _, _ in os.walk(self.groups, topdown=False):
                    try:
                        os.rmdir(folder)
                    except OSError:
                        pass
                if not os.path.exists(self.groups):
                    break
                time.sleep(0.1)


class NoSystemd(Exception):
    """This host cannot run a machine with systemd."""
