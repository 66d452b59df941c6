# SPDX-License-Identifier: Apache-2.0
"""The bench's machine: huge pages for the time of a run, one switch at a time, its PMD's counters."""
import contextlib
import glob
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "system"))
import switchlib  # noqa: E402

PMD_CORE = 1
PATIENCE_S = 3


@contextlib.contextmanager
def huge_pages(megabytes):
    """Reserves 2 MB pages and mounts them where nobody else looks; gives all back."""
    path = "/proc/sys/vm/nr_hugepages"
    with open(path) as f:
        before = int(f.read())
    mount = tempfile.mkdtemp(prefix="sluice-huge-")
    try:
        with open(path, "w") as f:
            f.write(str(before + megabytes // 2))
        with open(path) as f:
            if int(f.read()) < megabytes // 2:
                raise switchlib.Failed("cannot get %d MB of huge pages" % megabytes)
        switchlib.sh(["mount", "-t", "hugetlbfs", "-o", "pagesize=2M", "none", mount])
        yield mount
    finally:
        try:
            unmount(mount)
        finally:
            with open(path) as f:  # somebody else may have taken or given some meanwhile
                now = int(f.read())
            with open(path, "w") as f:
                f.write(str(max(0, now - megabytes // 2)))


def unmount(mount):
    """A switch that was killed holds it until the kernel has taken it apart."""
    def gone():
        switchlib.sh(["umount", mount], check=False)
        return not os.path.ismount(mount)
    try:
        switchlib.wait_for(gone, 20, mount + " to be free")
    except switchlib.Failed as e:
        switchlib.sh(["umount", "--lazy", mount])
        print("bench: %s" % e, file=sys.stderr)
    os.rmdir(mount)


class BenchSwitch(switchlib.Switch):
    """A switch with one PMD thread on core 1, everything else on core 0."""

    def __init__(self, kind, huge_dir, megabytes=1024):
        super().__init__(kind)
        self.huge_dir, self.megabytes = huge_dir, megabytes
        self.pcaps = []    # of all sources
        self.remarks = []  # what the reader of the row's figures has to know

    def begin(self):
        self.start()
        extra = "--file-prefix s%d --no-pci --no-telemetry --huge-dir %s" % (
            os.getpid(), self.huge_dir)
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                   "other_config:dpdk-socket-mem=%d" % self.megabytes,
                   "other_config:dpdk-lcore-mask=0x1",
                   "other_config:pmd-cpu-mask=%#x" % (1 << PMD_CORE),
                   "other_config:dpdk-extra=" + extra)
        # Sluice answers when DPDK has its pages, which the kernel clears first: seconds for gigabytes.
        switchlib.wait_for(lambda: self.vsctl("get", "Open_vSwitch", ".", "dpdk_initialized",
                                              timeout=60).strip() == "true", 60, "DPDK")
        return self

    def close(self):
        """What the daemon does at leisure on its way out, like freeing a million rules, is no row's
        business: it is killed after a while.  DPDK's next process with this prefix clears up."""
        if self.proc and self.proc.poll() is None:
            switchlib.sh(self._appctl_args("exit"), check=False, env=self.env)
            try:
                self.proc.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait(5)
        super().close()

    def bridge(self, name="br0"):
        self.vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev",
                   "fail_mode=secure")

    def source(self, pcap, bridge="br0", port="src", number=0, more=()):
        self.pcaps.append(pcap)
        self.vsctl("add-port", bridge, port, "--", "set", "interface", port, "type=dpdk",
                   "options:dpdk-devargs=net_pcap%d,rx_pcap=%s,infinite_rx=1" % (number, pcap),
                   *more, timeout=60)

    def sink(self, bridge="br0", port="dst", number=0):
        self.vsctl("add-port", bridge, port, "--", "set", "interface", port, "type=dpdk",
                   "options:dpdk-devargs=net_null%d,no-rx=1" % number)

    def wire(self, bridge="br0", port="atk"):
        """A port polled by the PMD whose other end is a kernel device; returns that one's name."""
        self.ns.run("ip link add %s-k type veth peer name %s-p" % (port, port))
        for end in (port + "-k", port + "-p"):
            self.ns.run(["sysctl", "-qw", "net.ipv6.conf.%s.disable_ipv6=1" % end])
            self.ns.run("ip link set %s up" % end)
        self.vsctl("add-port", bridge, port, "--", "set", "interface", port, "type=dpdk",
                   "options:dpdk-devargs=eth_af_packet0,iface=%s-p" % port)
        return port + "-k"

    def vhost(self, port, bridge="br0"):
        """A vhost-user client port; returns the path of its socket."""
        path = os.path.join(self.dir, port + ".sock")
        self.vsctl("add-port", bridge, port, "--", "set", "interface", port,
                   "type=dpdkvhostuserclient", "options:vhost-server-path=" + path)
        return path

    def control(self, calls):
        """Sends many commands, each [name, argument...], over one control connection."""
        path = (self.dir + "/ovs-vswitchd.ctl" if self.kind == "ovs" else
                glob.glob(self.dir + "/ovs-vswitchd.*.ctl")[0])
        answers, buf, decoder = [], "", json.JSONDecoder()
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(path)
            for i, call in enumerate(calls):
                s.sendall(json.dumps({"id": i, "method": call[0], "params": call[1:]}).encode())
                while len(answers) <= i:
                    try:
                        answer, end = decoder.raw_decode(buf)
                        answers.append(answer)
                        buf = buf[end:].lstrip()
                    except ValueError:
                        data = s.recv(65536).decode()
                        if not data:
                            raise switchlib.Failed("the control socket was closed") from None
                        buf += data
        for call, answer in zip(calls, answers):
            if answer.get("error"):
                raise switchlib.Failed("%s: %s" % (" ".join(call), answer["error"]))
        return [a["result"] for a in answers]

    def port_packets(self, port, direction, bridge="br0"):
        """The port's packet counter at this moment ("rx" or "tx")."""
        m = re.search(r"%s pkts=(\d+)" % direction, self.ofctl("dump-ports", bridge, port))
        return int(m.group(1)) if m else 0

    def rate(self, port, direction, seconds):
        """Packets per second over a window."""
        first, start = self.port_packets(port, direction), time.monotonic()
        time.sleep(seconds)
        return (self.port_packets(port, direction) - first) / (time.monotonic() - start)

    def pmd_times(self):
        """Seconds for which PMD threads have run, and for which they wanted their core and somebody
        else had it."""
        ran = waited = 0
        for path in glob.glob("/proc/%d/task/*/" % self.pid):
            try:
                with open(path + "comm") as comm, open(path + "schedstat") as stat:
                    if comm.read().startswith("pmd-c"):
                        one = stat.read().split()
                        ran, waited = ran + int(one[0]) / 1e9, waited + int(one[1]) / 1e9
            except OSError:  # a thread that just ended, or a kernel that does not count
                continue
        return ran, waited

    def resident(self):
        """Bytes of memory of its own that the daemon has touched."""
        with open("/proc/%d/status" % self.pid) as f:
            return int(re.search(r"RssAnon:\s+(\d+) kB", f.read()).group(1)) * 1024

    def n_megaflows(self):
        # A process of ovs-appctl costs the daemon's core five milliseconds; some rows ask often.
        m = re.search(r"^  flows: (\d+)", self.control([["dpctl/show"]])[0], re.M)
        return int(m.group(1)) if m else 0

    def rules(self, lines, bridge="br0", bundle=True):
        """Replaces the flows of 'bridge'; returns the seconds that ovs-ofctl took."""
        self.ofctl("del-flows", bridge)
        path = os.path.join(self.dir, "rules")
        with open(path, "w") as f:
            f.write("\n".join(lines) + "\n")
        start = time.monotonic()
        self.ofctl(*(["--bundle"] if bundle else []), "add-flows", bridge, path, timeout=300)
        return time.monotonic() - start


def pmd_counters(text):
    """What the PMD threads of a 'pmd-stats-show' counted, summed."""
    total, pmd = {}, False
    for line in text.splitlines():
        if line.startswith("pmd thread"):
            pmd = True
        elif line.startswith("main thread"):
            pmd = False
        m = re.match(r" +([a-z .]+): +([\d.]+)", line)
        if pmd and m:
            total[m.group(1)] = total.get(m.group(1), 0) + float(m.group(2))
    return total


def window(switch, seconds=1.0):
    """Cycles per packet, Mpps and hits per level over one window, or None without packets."""
    switch.appctl("dpif-netdev/pmd-stats-clear")
    start = time.monotonic()
    time.sleep(seconds)
    text = switch.appctl("dpif-netdev/pmd-stats-show")
    took = time.monotonic() - start
    c = pmd_counters(text)
    n = c.get("packets received", 0)
    if not n:
        return None
    passes = n + c.get("packet recirculations", 0)
    hits = {level: c.get(level + " hits", 0) / passes
            for level in ("simple match", "emc", "smc", "megaflow")}
    hits["miss"] = c.get("miss with success upcall", 0) / passes
    return {"cycles": c["processing cycles"] / n, "mpps": n / took / 1e6, "hits": hits}


def best(switch, windows=5, seconds=1.0):
    """The best of several windows: what the machine does when nothing disturbs it."""
    seen = [w for w in (window(switch, seconds) for _ in range(windows)) if w]
    if not seen:
        raise switchlib.Failed("no packets: " + switch.appctl("dpif-netdev/pmd-stats-show"))
    return min(seen, key=lambda w: w["cycles"])


SETTLED = 4  # windows in a row, a second: OVS-DPDK ranks its subtables that often


def settle(switch, limit=30):
    """Waits until misses have stopped and flows have found their places in the caches.  Where that
    does not come about in time the row says so: its figures are of a switch that still learns."""
    end, good, last, now = time.monotonic() + limit, 0, None, None
    while good < SETTLED and time.monotonic() < end:
        last, now = now, window(switch, 0.25)
        quiet = last and now and now["hits"]["miss"] < 1e-4 and all(
            abs(last["hits"][level] - now["hits"][level]) < 0.01 for level in now["hits"])
        good = good + 1 if quiet else 0
    if good < SETTLED:
        switch.remarks.append("NOT SETTLED within %g s: %s" % (
            limit, "of the last window's packets %.3g %% missed" % (100 * now["hits"]["miss"])
            if now else "no packets came"))


def output(*cmd):
    return subprocess.run(cmd, capture_output=True, text=True, check=False).stdout.strip()


def how_built():
    """Compiler and flags, as the build has them for the daemon's sources."""
    build = os.path.dirname(os.path.dirname(switchlib.SLUICED))
    try:
        with open(os.path.join(build, "compile_commands.json")) as f:
            command = next(c["command"] for c in json.load(f) if c["file"].endswith("src/main.c"))
    except (OSError, StopIteration):
        return "unknown compiler", "unknown flags"
    words = command.split()
    compiler = next(w for w in words if not w.endswith("ccache"))
    return (output(compiler, "--version").split("\n")[0],
            " ".join(w for w in words if re.match(r"-(O|march=|mtune=|flto|fsanitize)", w)))


def machine():
    """Which machine, compiler and flags the figures are of."""
    with open("/proc/cpuinfo") as f:
        cpu = re.search(r"model name\s*: (.*)", f.read()).group(1)
    with open("/proc/meminfo") as f:
        memory = int(re.search(r"MemTotal:\s*(\d+)", f.read()).group(1)) / 1e6
    compiler, flags = how_built()
    return {"cpu": cpu, "cores": os.cpu_count(), "memory": memory, "kernel": os.uname().release,
            "dpdk": output("pkg-config", "--modversion", "libdpdk"),
            "commit": output("git", "-C", os.path.dirname(__file__), "describe", "--always",
                             "--dirty"),
            "compiler": compiler, "flags": flags}
