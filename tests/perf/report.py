# SPDX-License-Identifier: Apache-2.0
"""The bench's results for people: the table, what is to be said beside it, the picture."""
import os
import subprocess
import sys

NAMES = {"sluice": "Sluice", "ovs": "OVS-DPDK 3.1.0"}
FAMILIES = (("l3", "one L3 rule"), ("acl", "1,000 ACL rules"))


def head():
    print("%-48s %21s %21s %8s" % ("", NAMES["sluice"], NAMES["ovs"], "ratio"))


def figure(metric, result):
    if not result:
        return " " * 21
    one = result["metrics"].get(metric.key)
    if not one:
        return "%-21s" % ("       failed" if result["errors"] else "            -")
    return "%11.*f +-%7.*f" % (metric.digits, one["median"], metric.digits, one["spread"] / 2)


def median(metric, result, kind):
    """The figure of one switch, or None."""
    return result.get(kind, {}).get("metrics", {}).get(metric.key, {}).get("median")


def verdict(metric, result, pair=None, results=None):
    """(ratio or None, "goal ... met", "goal ... MISSED" or "").  'results': those of all rows, of which
    one may be the measure."""
    s, o = median(metric, result, "sluice"), median(metric, result, "ovs")
    other = (results or {}).get(metric.flat[0], {}) if metric.flat else {}
    return (metric.ratio(s, o) if s is not None and o is not None else None,
            metric.judge(s, o, pair) or metric.judge_flat(s, median(metric, other, "sluice")))


def beside(metric, result):
    """What else has to be known of a verdict."""
    one = result.get("sluice", {}).get("metrics", {}).get(metric.key, {})
    yield metric.itself(one.get("median"))
    for kind, r in result.items():
        if any("NOT SETTLED" in text for i in r["rounds"] for text in i.get("remarks", ())):
            yield NAMES[kind] + " NOT SETTLED"


def judgements(row, result, pair, results=None):
    """The table's right side, for the JSON file."""
    answer = {}
    for metric in row.metrics:
        ratio, judged = verdict(metric, result, pair, results)
        answer[metric.key] = {"title": metric.title, "unit": metric.unit, "better": metric.best,
                              "ratio": ratio, "goal": metric.goal,
                              "goal_ratio": metric.goal_ratio(), "verdict": judged,
                              "beside": [text for text in beside(metric, result) if text]}
    return answer


def print_row(row, result, pair, results=None):
    """'pair': what source and sink cost alone, or None."""
    for metric in row.metrics:
        ratio, judged = verdict(metric, result, pair, results)
        print("%-48s %s %s %8s  %s" % (
            metric.title[:48], figure(metric, result.get("sluice")),
            figure(metric, result.get("ovs")), "%.2fx" % ratio if ratio else "-",
            "; ".join(text for text in (judged, *beside(metric, result)) if text)))
    if pair:
        print("    source and sink alone: %.1f" % pair)
    for kind, r in result.items():
        for text in notes(r):
            print("    %-7s %s" % (kind, text))
    sys.stdout.flush()


def notes(result):
    """What else there is to say of a row on one switch: errors, hits, what an attack left."""
    for error in sorted(set(result["errors"])):
        yield "FAILED: " + error
    for i, one in enumerate(result["rounds"], 1):
        for remark in one.get("remarks", ()):
            yield "round %d: %s" % (i, remark)
    if not result["rounds"]:
        return
    last = result["rounds"][-1]
    if "hits" in last:
        yield "%.2f Mpps; " % last["mpps"] + " ".join(
            "%s %.0f%%" % (k.replace("simple match", "simple"), 100 * v)
            for k, v in last["hits"].items() if v >= 0.005) + (
                "; %d megaflows" % last["megaflows"] if "megaflows" in last else "")
    for a in last.get("attacks", ()):
        yield ("%d/s: %.0f/s arrived%s, established %.2f Mpps before, %.2f in the pauses, "
               "%d megaflows, memory %+.1f MB"
               % (a["rate"], a["arrived"], " (NOT ALL)" if a["arrived"] < 0.9 * a["rate"] else "",
                  a["before"] / 1e6, a["rest"] / 1e6, a["megaflows"], a["grown"] / 1e6))


def summary(rows, results, kinds, pairs=None):
    """(last line, exit status): 1 where a switch has no figures of a row, 2 where a goal is missed.
    'pairs': what source and sink cost alone, by rows."""
    goals, missed = 0, []
    for row in rows:
        for metric in row.metrics:
            judged = verdict(metric, results.get(row.name, {}), (pairs or {}).get(row.name), results)[1]
            goals += bool(judged)
            if judged.endswith("MISSED"):
                missed.append("%s (%s)" % (row.name, metric.key))
    empty = [r.name for r in rows
             if any(not results.get(r.name, {}).get(k, {}).get("rounds") for k in kinds)]
    line = "%d of %d goals met" % (goals - len(missed), goals)
    if missed:
        line += "; MISSED: " + ", ".join(missed)
    if empty:
        line += "; NO FIGURES on one side: " + ", ".join(empty)
    return line, 1 if empty else 2 if missed else 0


def points(rows, results, kind, family):
    """The curve's (flows, cycles), in order of flows."""
    for row in sorted((r for r in rows if r.curve and r.curve[0] == family),
                      key=lambda r: r.curve[1]):
        one = results.get(row.name, {}).get(kind, {}).get("metrics", {}).get("cycles")
        if one:
            yield row.curve[1], one["median"]


def draw(rows, results, path):
    """Cycles per packet over flows as a picture: a panel for each set of rules, in each both
    switches."""
    panels = []
    for family, title in FAMILIES:
        curves = [(NAMES[kind], list(points(rows, results, kind, family))) for kind in NAMES]
        curves = [c for c in curves if c[1]]
        if curves:
            panels.append("set title '%s'\nplot %s\n%s" % (
                title, ", ".join("'-' with linespoints lw 2 title '%s'" % c[0] for c in curves),
                "".join("".join("%d %f\n" % p for p in c[1]) + "e\n" for c in curves)))
    if not panels:
        print("bench: no picture: no row with figures is of a curve", file=sys.stderr)
        if os.path.exists(path):  # of another run, whose rows had one
            os.unlink(path)
        return
    script = ("set terminal svg size %d,450\nset output '%s'\nset logscale xy\n"
              "set xrange [0.8:1.5e6]\nset yrange [40:20000]\n"
              "set xlabel 'flows'\nset ylabel 'cycles per packet'\nset grid\nset key left top\n"
              "set multiplot layout 1,%d\n%sunset multiplot\n"
              % (600 * len(panels), path, len(panels), "".join(panels)))
    try:
        subprocess.run(["gnuplot"], input=script, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as e:  # the figures are there all the same
        print("bench: no picture: %s" % e, file=sys.stderr)
