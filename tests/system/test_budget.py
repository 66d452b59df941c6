# SPDX-License-Identifier: Apache-2.0
"""The budget of instructions (tests/perf/budget.py): what counts for which stage, and that a stage that
grew, or a load that does not end, fails.  Nothing is measured here."""
import argparse
import os
import shutil
import sys

import pytest

from switchlib import ROOT

sys.path.append(os.path.join(ROOT, "tests", "perf"))
import budget  # noqa: E402

INPUT = os.path.join(ROOT, "src", "pmd", "input.c")


def line_of(function):
    """A line in the function's body."""
    first, last, _ = next(f for f in budget.functions(INPUT) if f[2] == function)
    return (first + last) // 2


def profile(tmp_path, *lines):
    """What budget.py makes of a profile of callgrind with these lines, of the program /bin/true."""
    path = tmp_path / "callgrind.out"
    path.write_text("\n".join(("positions: line", "events: Ir", "ob=(1) /bin/true") + lines) + "\n")
    return budget.Profile(str(path), "/bin/true")


def test_functions_of_one_file_are_stages_of_their_own(tmp_path):
    emc, smc = line_of("emc_lookup"), line_of("smc_lookup")
    p = profile(
        tmp_path, "fl=(1) " + INPUT, "fn=(1) pmd_input",
        "%d 1000" % line_of("pmd_input"),
        "cfi=(2) %s/src/flow/extract.c" % ROOT, "cfn=(2) key_extract", "calls=10 55", "* 777",
        "%d 40" % emc, "* 2",               # the same line once more
        "%+d 300" % (smc - emc),            # callgrind writes how far the next line is
        "fi=(3) %s/src/pmd/bucket.h" % ROOT, "12 7", "fe=(1)",
        "%+d 5" % (emc - 12),
        "ob=(2) /lib/libc.so", "fn=(3) memcpy", "%d 9999" % emc)
    assert p.packets == 10
    stages = {}
    for where, cost in p.costs.items():
        stages[budget.stage_of(where)] = stages.get(budget.stage_of(where), 0) + cost
    assert stages == {"input": 1000, "emc": 47, "smc": 300, "lookup": 7}


def test_the_cascade_has_a_stage_for_each_part():
    named = set(budget.FUNCTIONS["pmd/input.c"].values())
    assert named >= {"hash", "emc", "smc", "promote"}
    budget.check_functions()  # all of them are there
    with open(budget.BUDGET, encoding="utf-8") as f:
        recorded = budget.json.load(f)["loads"]
    assert set(recorded) == set(budget.LOADS)
    for load, stages in recorded.items():
        assert set(stages) >= {"extract", "hash", "emc", "execute", "send", "total"}, load
    assert recorded["dpcls-1000"]["dpcls"] > recorded["emc-1000"].get("dpcls", 0) + 10


def test_a_function_that_is_gone_is_told(monkeypatch):
    monkeypatch.setitem(budget.FUNCTIONS, "pmd/input.c", {"emc_nonesuch": "emc"})
    with pytest.raises(RuntimeError, match="src/pmd/input.c has no emc_nonesuch"):
        budget.check_functions()


@pytest.mark.parametrize("emc,good", [(20.9, True), (21.1, False)])
def test_a_stage_that_grew_by_more_than_5_percent_fails(monkeypatch, capsys, emc, good):
    recorded = {"emc": 20.0, "smc": 30.0, "total": 300.0}
    runs = []

    def count(bench, load, verbose):
        runs.append(load)
        return {"emc": emc, "smc": 30.0, "clock": 99.0, "total": 301.0}
    monkeypatch.setattr(budget, "count", count)
    args = argparse.Namespace(bench="", verbose=False)
    assert budget.judge(args, "load", recorded) is good
    out = capsys.readouterr().out
    assert ("FAILED budget load, emc: 21.10 instructions per packet, was 20.00, allowed 21.00" in out) \
        is not good
    assert "passed budget load, smc" in out and "clock" not in out
    assert len(runs) == (1 if good else budget.RUNS)


@pytest.mark.skipif(not shutil.which("valgrind"), reason="no valgrind")
@pytest.mark.parametrize("program,limit,text", [
    ("while :; do :; done", "CPU_LIMIT_S", "no end after 1 s of processor time"),
    ("sleep 30", "RUN_LIMIT_S", "no end after 1 s"),
    ("exit 3", "", "failed:")])
def test_a_load_that_does_not_end_fails(monkeypatch, tmp_path, program, limit, text):
    bench = tmp_path / "bench_dp"
    bench.write_text("#!/bin/sh\n%s\n" % program)
    bench.chmod(0o755)
    if limit:
        monkeypatch.setattr(budget, limit, 1)
    with pytest.raises(RuntimeError, match=text):
        budget.count(str(bench), "one-flow", False)
