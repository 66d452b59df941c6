# SPDX-License-Identifier: Apache-2.0
"""What a row of the bench is: a load, and the figures that it gives."""
import signal
import subprocess
import sys
import time

import rig

KINDS = ("sluice", "ovs")


class Metric:
    """One figure of a row; 'best' says which way is better ("low" or "high").

    'goal' is the design's, on its machine, where OVS-DPDK had 'ovs'.  Machines differ, so what is
    judged is the ratio of the two switches in one run, where there is one; where OVS-DPDK has none,
    the ratio to source and sink alone, which took 'pair' there; the figure itself where there is neither.
    With 'flat', (a row's name, times), Sluice's figure is to be no more than so many times its own of
    that row: the load is another one, the cost has to stay."""

    def __init__(self, key, title, unit="cycles", goal=None, best="low", digits=1, ovs=None,
                 pair=None, flat=None):
        self.key, self.title, self.unit, self.goal = key, title, unit, goal
        self.best, self.digits, self.ovs, self.pair = best, digits, ovs, pair
        self.flat = flat

    def goal_ratio(self):
        """How many times better than OVS-DPDK the design wants to be, or None."""
        return self.ratio(self.goal, self.ovs) if self.goal and self.ovs else None

    def judge(self, sluice, ovs, pair=None):
        """"goal ... met" or "goal ... MISSED", as far as can be said."""
        if self.goal is None or sluice is None:
            return ""
        wanted = self.goal_ratio()
        if wanted and ovs is not None:
            return "goal %.2fx %s" % (wanted, "met" if self.ratio(sluice, ovs) >= wanted
                                      else "MISSED")
        if self.pair and pair:
            return "goal %.2f times source and sink %s" % (
                self.goal / self.pair,
                "met" if sluice / pair <= self.goal / self.pair else "MISSED")
        return "goal %g %s" % (self.goal, self.met(sluice))

    def judge_flat(self, sluice, other):
        """The same of 'flat'; 'other' is the figure of the row that it names, or None."""
        if not self.flat or sluice is None or not other:
            return ""
        name, times = self.flat
        return "goal %.2f times %s: %.2f, %s" % (
            times, name, sluice / other, "met" if sluice <= times * other else "MISSED")

    def met(self, sluice):
        """Of the goal itself: "met" or "MISSED"."""
        return "met" if (sluice <= self.goal if self.best == "low" else sluice >= self.goal) \
            else "MISSED"

    def itself(self, sluice):
        """What is to be said of the goal itself where a ratio is judged; but cycles and Mpps are
        another machine's."""
        if self.goal is None or sluice is None or not self.ovs or \
                self.unit not in ("s", "bytes", "1/s"):
            return ""
        return "%g %s: %s" % (self.goal, self.unit, self.met(sluice))

    def ratio(self, sluice, ovs):
        """How many times better Sluice is, or None."""
        a, b = (ovs, sluice) if self.best == "low" else (sluice, ovs)
        return a / b if b else None


class Row:
    """'measure(switch, options)' builds the load on a fresh switch and returns {metric key: value};
    other keys of its answer are kept as notes.  A run takes at most 'limit' seconds; 'takes' is what
    it took once, on Sluice and on OVS-DPDK, for the estimate.  'huge_mb' of huge pages are for the
    switch, 'spare_mb' for what grows and for others.  A row that takes minutes and has no goal may
    have at most 'most_rounds'."""

    def __init__(self, name, metrics, measure, limit=120, curve=None, huge_mb=1024, spare_mb=512,
                 takes=(5, 5), most_rounds=None):
        self.name, self.metrics, self.measure = name, metrics, measure
        self.limit, self.curve, self.huge_mb, self.spare_mb = limit, curve, huge_mb, spare_mb
        self.takes = dict(zip(KINDS, takes))
        self.most_rounds = most_rounds

    def rounds(self, options):
        """How often it is run."""
        return min(options.rounds, self.most_rounds or options.rounds)


class Options:
    """Of a whole run: where files go, how long windows are, how often all is done; and of a row:
    where its huge pages are."""

    def __init__(self, files, windows=4, seconds=0.5, rounds=1):
        self.files, self.windows, self.seconds, self.rounds = files, windows, seconds, rounds
        self.huge_dir = None


class TimeUp(Exception):
    pass


# The kernel can spin while it reaps a process, deaf to signals, where another one's dentries in /proc
# are on their way out (mended by "get rid of busy-waiting in shrink_dcache_tree()"); it held up this
# program for up to 20 minutes.  Giving back its caches ends that.  Who does so ends with this program,
# however that ends, and has none of its pipes, whose readers wait for their end.
RESCUE = """
import os, time
parent, end = os.getppid(), time.monotonic() + %d
while os.getppid() == parent and time.monotonic() < end:
    time.sleep(1)
if os.getppid() == parent:
    open("/proc/sys/vm/drop_caches", "w").write("2")
"""


class bounded:
    """with bounded(seconds): raises TimeUp in the main thread after that."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __enter__(self):
        self.rescuer = subprocess.Popen([sys.executable, "-c", RESCUE % (self.seconds + 10)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)

        def stop(_sig, _frame):
            raise TimeUp("not done after %d s" % self.seconds)
        self.before = signal.signal(signal.SIGALRM, stop)
        signal.alarm(self.seconds)

    def __exit__(self, *_exc):
        signal.alarm(0)
        signal.signal(signal.SIGALRM, self.before)
        self.rescuer.kill()
        self.rescuer.wait()
        return False


def run_once(row, kind, options):
    """One run of one row on a fresh switch: what row.measure() says, and what it took."""
    sw, start = rig.BenchSwitch(kind, options.huge_dir, row.huge_mb), time.monotonic()
    try:
        with bounded(row.limit):
            sw.begin()
            answer = row.measure(sw, options)
        answer["remarks"] = sw.remarks
    finally:
        try:
            sw.close()
        except rig.switchlib.Failed as e:  # the figures stand all the same
            print("%s on %s: %s" % (row.name, kind, e), file=sys.stderr)
    answer["took"] = round(time.monotonic() - start, 1)
    return answer
