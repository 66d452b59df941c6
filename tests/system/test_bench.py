# SPDX-License-Identifier: Apache-2.0
"""The bench (tests/perf/bench.py): an interrupted run goes on where it was; what its last line and
status say.  No figure is judged here."""
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from switchlib import ROOT, wait_for

PERF = os.path.join(ROOT, "tests", "perf")
sys.path.append(PERF)
import alternate  # noqa: E402
import openflow10  # noqa: E402
import record  # noqa: E402
import report  # noqa: E402
import rows_attack  # noqa: E402
import rows_forward  # noqa: E402
import traffic  # noqa: E402
from row import Metric, Row  # noqa: E402


def listen():
    """In the child: a shell's background jobs, and what runs in them, are started with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def bench(*args):
    return subprocess.Popen(
        ["/usr/bin/python3", os.path.join(PERF, "bench.py"), "--only", "sluice", "--rounds", "2",
         "--windows", "1", "--seconds", "0.1", *args], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, preexec_fn=listen)


def rounds(path, row="one-flow"):
    try:
        with open(path) as f:
            return json.load(f)["rows"][row]["sluice"]["rounds"]
    except OSError:
        return []


@pytest.fixture
def huge_pages():
    """What the bench's row reserves has to be had."""
    with open("/proc/meminfo") as f:
        free = next(int(line.split()[1]) for line in f if line.startswith("MemAvailable"))
    if os.geteuid() or free < 4 << 20:
        pytest.skip("no room for the bench's huge pages")


@pytest.mark.alone
def test_interrupted_run_goes_on(huge_pages, tmp_path):
    path = str(tmp_path / "bench.json")
    first = bench("--row", "one-flow", "--json", path)
    try:
        wait_for(lambda: rounds(path) or first.poll() is not None, 90, "the first round")
    finally:
        first.send_signal(signal.SIGINT)
    text = first.communicate(timeout=90)[0]
    if "cannot get" in text:
        pytest.skip(text.strip().split("\n")[-1])
    assert first.returncode == 130, text
    assert "INTERRUPTED; go on with --resume " + path in text
    before = rounds(path)
    assert len(before) == 1, text
    second = bench("--row", "one-flow", "--resume", path)
    text = second.communicate(timeout=90)[0]
    assert second.returncode in (0, 2) and "goals met" in text.split("\n")[-2], text
    assert rounds(path)[:1] == before and len(rounds(path)) == 2
    # What another row's run said stands beside it.
    book = record.Record(path, *(json.load(open(path))[part] for part in ("machine", "options")))
    book.resume(path)
    assert "cycles" in book.data["judged"]["one-flow"]
    other = bench("--row", "one-flow", "--resume", path, "--rounds", "3")
    text = other.communicate(timeout=90)[0]
    assert other.returncode == 1 and "is of rounds 2, this run of 3" in text


def of(*rows):
    """A record with these (row, sluice's figure, OVS' figure or None)."""
    book = record.Record(None, {}, {})
    for row, s, o in rows:
        book.row(row.name, ("sluice", "ovs"))
        for kind, cycles in (("sluice", s), ("ovs", o)):
            if cycles is not None:
                book.add(row, kind, {"cycles": cycles})
    return book.data["rows"]


def test_last_line_and_status():
    fast = Row("fast", [Metric("cycles", "", goal=100, ovs=200)], None, curve=("l3", 1))
    slow = Row("slow", [Metric("cycles", "", goal=100, ovs=400)], None)
    both = ("sluice", "ovs")
    assert report.summary([fast], of((fast, 90, 190)), both) == ("1 of 1 goals met", 0)
    assert report.summary([fast, slow], of((fast, 90, 190), (slow, 90, 190)), both) == \
        ("1 of 2 goals met; MISSED: slow (cycles)", 2)
    line, status = report.summary([fast], of((fast, 90, None)), both)
    assert status == 1 and line == "1 of 1 goals met; NO FIGURES on one side: fast"


def test_what_is_judged_and_what_is_said_beside():
    seconds = Metric("cycles", "", "s", goal=2, ovs=5)
    row = Row("row", [seconds], None)
    results = of((row, 1.5, 3))["row"]
    assert report.verdict(seconds, results) == (2, "goal 2.50x MISSED")
    assert [text for text in report.beside(seconds, results) if text] == ["2 s: met"]
    results["ovs"]["rounds"][0]["remarks"] = ["NOT SETTLED within 45 s: of 10 packets 4 missed"]
    assert report.judgements(row, results, None)["cycles"]["beside"] == \
        ["2 s: met", "OVS-DPDK 3.1.0 NOT SETTLED"]
    # Where the design has no figure of OVS, what source and sink cost is the measure.
    cycles = Metric("cycles", "", goal=180, pair=60)
    for own, verdict in ((290, "met"), (310, "MISSED")):
        results = of((Row("row", [cycles], None), own, 2000))["row"]
        assert report.verdict(cycles, results, 100)[1] == \
            "goal 3.00 times source and sink " + verdict
        assert report.verdict(cycles, results)[1] == "goal 180 MISSED"


def test_a_row_may_be_measured_by_another():
    base = Row("base", [Metric("cycles", "", goal=130, ovs=821)], None)
    seed = Row("seed", [Metric("cycles", "", flat=("base", 1.3))], None)
    for own, verdict, status in ((125, "1.25, met", 0), (140, "1.40, MISSED", 2)):
        results = of((base, 100, 2000), (seed, own, 400))
        assert report.verdict(seed.metrics[0], results["seed"], results=results) == \
            (400 / own, "goal 1.30 times base: " + verdict)
        assert report.summary([base, seed], results, ("sluice", "ovs"))[1] == status
    # Alone it cannot be judged.
    assert report.verdict(seed.metrics[0], results["seed"])[1] == ""
    assert report.summary([seed], of((seed, 140, 400)), ("sluice", "ovs"))[0] == "0 of 0 goals met"


def test_rows_are_measured_by_rows_that_come_before():
    names = [row.name for row in rows_forward.ROWS]
    likes = [(row.name, row.metrics[0].flat[0]) for row in rows_forward.ROWS if row.metrics[0].flat]
    assert likes and all(names.index(like) < names.index(name) for name, like in likes)


def test_windows_of_two_states_in_turn():
    class Clock:
        looks = iter(alternate.Look(t, 0, t, n) for t, n in
                     [(0, 0), (2, 20), (2, 20), (3, 25), (3, 25), (4, 55)])

        def look(self):
            return next(self.looks)
    rest, run = alternate.Windows(Clock()), alternate.Windows(Clock())
    for windows in (rest, run, rest):
        with windows:
            pass
    assert rest.rate(0) == 10 and rest.rate() == 50 / 3 and run.rate() == 5


def test_a_counter_sums_its_ports(monkeypatch):
    """What rules deny goes to a second sink: where one gets nothing, the other does."""
    class Connection:
        def __init__(self, path):
            assert path == "/dir/br0.mgmt"
            self.asked = []

        def send(self, *messages):
            self.asked += [message[-7] for message in messages]

        def wait_for(self, kind):
            sent = {1: 0, 2: 70}[self.asked.pop(0)]
            return bytes(20) + sent.to_bytes(8, "big") + (1000 + sent).to_bytes(8, "big")
    monkeypatch.setattr(openflow10, "Connection", Connection)

    class Switch:
        dir = "/dir"

        def pmd_times(self):
            return 3.0, 2.0
    assert alternate.Counter(Switch(), 1, 2).look().packets == 2070
    look = alternate.Counter(Switch(), 2, received=True).look()
    assert (look.packets, look.ran, look.waited) == (70, 3.0, 2.0)


def test_time_that_others_had_the_core_does_not_count():
    begun = alternate.Look(100.0, 7.0, 50.0, 1000)
    assert alternate.Look(100.5, 7.125, 50.375, 1300).since(begun) == (0.375, 300)
    # A wait of two seconds that ended in the window, of which it had an eighth of one.
    assert alternate.Look(100.5, 9.0, 50.375, 1300).since(begun) == (0.375, 300)
    # A PMD that sleeps has the time all the same, and so has one whose kernel does not count.
    assert alternate.Look(100.5, 7.0, 50.25, 1300).since(begun) == (0.5, 300)
    # One that never had its core has neither time nor a rate.
    windows = alternate.Windows(None)
    windows.all.append(alternate.Look(100.5, 9.0, 50.0, 1000).since(begun))
    assert windows.all == [(0, 0)] and windows.rate() == 0
    assert alternate.Look(100.5, 7.0, 50.0, 1300).since(begun) == (0.5, 300)


def test_rules_of_attacks_are_lines():
    made = [rows_attack.tse_rules(), rows_attack.tse6_rules(), rows_attack.exact_rules(),
            rows_attack.upcall_rules()]
    for lines in made:
        assert lines[:8] == rows_attack.ESTABLISHED and len(lines) > 8
    assert all(isinstance(line, str) for lines in made for line in lines)


def test_rules_are_the_same_whatever_they_do():
    drop, two = list(traffic.acl(300, "3", "1", 10)), \
        list(traffic.acl(300, "3", "1", 10, denied="output:2"))
    assert [line.replace("actions=drop", "actions=output:2") for line in drop] == two
    assert 60 < sum(line.endswith("output:2") for line in two) < 140
    v6 = list(traffic.acl(300, "3", "1", 10, proto="udp6"))
    assert "nw_" not in "".join(v6) and traffic.net6("10.1.2.3", 16) == "2001:db8::a01:0/112"
    assert [line.split("actions=")[1] for line in v6] == [line.split("actions=")[1] for line in drop]


def test_memory_under_attack_is_judged():
    for row in rows_attack.ROWS:
        grown = row.metrics[-1]
        assert grown.key == "grown"
        assert grown.judge(10, 500) == "goal %g met" % rows_attack.GROWN_MB
        assert grown.judge(rows_attack.GROWN_MB + 1, None).endswith("MISSED")


def test_no_picture_is_no_reason_to_say_nothing(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    row = Row("l3", [Metric("cycles", "")], None, curve=("l3", 1))
    report.draw([row], of((row, 100, 300)), str(tmp_path / "bench.svg"))
    assert "bench: no picture: " in capsys.readouterr().err


def test_no_picture_of_another_run_stays(tmp_path, capsys):
    """`make bench ROW=...` of a row that is on no curve: the last run's picture would lie."""
    path = tmp_path / "bench.svg"
    path.write_text("of an older run")
    row = Row("barrier", [Metric("median", "")], None)
    report.draw([row], of((row, None, None)), str(path))
    assert "no row with figures is of a curve" in capsys.readouterr().err and not path.exists()


@pytest.mark.skipif(not shutil.which("gnuplot"), reason="no gnuplot")
def test_picture_has_both_curves(tmp_path):
    path = str(tmp_path / "bench.svg")
    rows = [Row("%s%d" % (family, n), [Metric("cycles", "")], None, curve=(family, n))
            for family in ("l3", "acl") for n in (1, 1000)]
    report.draw(rows, of(*((r, 100, 300) for r in rows)), path)
    with open(path) as f:
        text = f.read()
    for title in ("one L3 rule", "1,000 ACL rules", "Sluice", "OVS-DPDK 3.1.0"):
        assert title in text, title
    assert text.count("<title>") >= 4, "two curves in each of two panels"


def test_reasons_are_told():
    row = Row("row", [Metric("cycles", "")], None)
    results = of((row, 90, 190))
    results["row"]["ovs"]["rounds"][0]["remarks"] = ["NOT SETTLED within 30 s: no packets came"]
    assert list(report.notes(results["row"]["ovs"])) == \
        ["round 1: NOT SETTLED within 30 s: no packets came"]
