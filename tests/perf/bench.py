#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make bench: Sluice beside Debian's OVS-DPDK on the same core, ports and traffic.

bench.py [--row PATTERN]... [--rounds N] [--windows N] [--seconds S] [--json FILE] [--svg FILE]
         [--resume FILE] [--only KIND] [--missed-ok] [--list] [--estimate]

Each row runs on both switches in turn, 'rounds' times over, each time on a fresh switch; a round's
figure is the best of its windows, the row's figure the median of its rounds, the spread the distance
of the extremes.  A row that fails on one side says so in the table and stops nothing else.  The
machine has to be quiet: two cores, of which the PMD thread takes the second alone.

After each run all figures so far are in --json's file; --resume takes such a file and does what it
lacks.  The last line tells which goals are missed, and so does the exit status: 0 all are met, 1 a
row has no figures, 2 a goal is missed (0 with --missed-ok), 130 the run was interrupted.
"""
import argparse
import fnmatch
import os
import shutil
import signal
import sys
import tempfile
import time

import pair
import record
import report
import rig
import row as rowlib
import rows_attack
import rows_control
import rows_forward
import rows_pvp
import rows_restart
import rows_tcp

ROWS = rows_forward.ROWS + rows_control.ROWS + rows_pvp.ROWS + rows_attack.ROWS + \
    rows_restart.ROWS + rows_tcp.ROWS


TRY_AGAIN_S = 60  # a run that failed sooner than this is tried once more


def try_run(row, kind, options):
    """One run of a row; what fails soon, like a start on a machine that just stalled, gets a second
    chance, and the answer says so."""
    start = time.monotonic()
    try:
        return rowlib.run_once(row, kind, options)
    except Exception as e:
        if time.monotonic() - start > TRY_AGAIN_S:
            raise
        print("%s on %s, tried again: %s" % (row.name, kind, first_line(e)), file=sys.stderr)
        answer = rowlib.run_once(row, kind, options)
        answer["remarks"].append("the second try; the first: " + first_line(e))
        return answer


def first_line(e):
    return (str(e).strip().split("\n")[0] or type(e).__name__)[:200]


def run_row(row, kinds, options, book):
    """The rounds of one row that 'book' lacks."""
    for i in range(row.rounds(options)):
        for kind in kinds:
            if book.done(row.name, kind) > i:
                continue
            try:
                book.add(row, kind, try_run(row, kind, options))
            except Exception as e:  # whatever it is, the other rows go on
                book.add(row, kind, error=first_line(e))
                print("%s on %s: %s" % (row.name, kind, first_line(e)), file=sys.stderr)


def measure_pair(row, options, book, known):
    """What source and sink cost alone, once for each set of files."""
    pcaps = [tuple(r["pcaps"]) for result in book.data["rows"][row.name].values()
             for r in result["rounds"] if "pcaps" in r and os.path.exists(r["pcaps"][0])]
    if not pcaps:
        return
    if pcaps[0] not in known:
        known[pcaps[0]] = pair.alone(pcaps[0], min(2, options.windows), options.seconds)
    if known[pcaps[0]]:
        book.data["source_and_sink"][row.name] = known[pcaps[0]]
        book.save()


def one_row(row, kinds, options, book, known):
    """All of one row; what goes wrong beside its runs costs this row's figures and no other's."""
    try:
        with rig.huge_pages(row.huge_mb + row.spare_mb) as options.huge_dir:
            run_row(row, kinds, options, book)
            measure_pair(row, options, book, known)
    except Exception as e:
        for kind in kinds:
            if book.done(row.name, kind) < row.rounds(options):
                book.add(row, kind, error=first_line(e))
        print("%s: %s" % (row.name, first_line(e)), file=sys.stderr)


def choose(patterns):
    """The rows whose names match one of the patterns, all without any."""
    unknown = [p for p in patterns if not any(fnmatch.fnmatch(r.name, p) for r in ROWS)]
    if unknown:
        raise SystemExit("bench: no row %s; there are: %s" % (
            ", ".join(unknown), " ".join(r.name for r in ROWS)))
    return [r for r in ROWS if not patterns or any(fnmatch.fnmatch(r.name, p) for p in patterns)]


def left(rows, kinds, options, book):
    """Seconds that the runs still to be done will take, as they did once with default windows."""
    extra = options.windows * options.seconds - 2
    return sum((row.takes[kind] + extra) * max(0, row.rounds(options) - book.done(row.name, kind))
               for row in rows for kind in kinds)


def estimate(rows, kinds, options, book):
    """What is still to be done, and how long it takes."""
    for row in rows:
        print("%-24s %6.1f min" % (row.name, left([row], kinds, options, book) / 60))
    print("%-24s %6.1f min" % ("all", left(rows, kinds, options, book) / 60))


def parse_args():
    p = argparse.ArgumentParser()
    p.add_argument("--row", action="append", default=[], help="name or pattern; may be repeated")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--windows", type=int, default=4)
    p.add_argument("--seconds", type=float, default=0.5, help="length of a window")
    p.add_argument("--json")
    p.add_argument("--svg")
    p.add_argument("--resume", help="a --json file of an interrupted run, to be finished; it is "
                   "also where the rest goes unless --json says otherwise")
    p.add_argument("--only", choices=rowlib.KINDS)
    p.add_argument("--missed-ok", action="store_true", help="missed goals are no failure")
    p.add_argument("--list", action="store_true")
    p.add_argument("--estimate", action="store_true", help="how long it would take, by rows; with "
                   "--resume, what is left")
    return p.parse_args()


def run(args, rows, kinds, book):
    known, begin = {}, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as files:
        options = rowlib.Options(files, args.windows, args.seconds, args.rounds)
        for i, row in enumerate(rows, 1):
            book.row(row.name, kinds)
            if any(book.done(row.name, kind) < row.rounds(options) for kind in kinds):
                one_row(row, kinds, options, book, known)
            result, alone = book.data["rows"][row.name], book.data["source_and_sink"].get(row.name)
            book.judge(row.name, report.judgements(row, result, alone, book.data["rows"]))
            report.print_row(row, result, alone, book.data["rows"])
            print("bench: %d of %d rows, %.1f min gone, about %.1f left"
                  % (i, len(rows), (time.monotonic() - begin) / 60,
                     left(rows, kinds, options, book) / 60), file=sys.stderr)


def main():
    args = parse_args()
    rows = choose(args.row)
    if args.list:
        print("\n".join(r.name for r in rows))
        return 0
    kinds = [args.only] if args.only else rowlib.KINDS
    options = {"rounds": args.rounds, "windows": args.windows, "seconds": args.seconds}
    book = record.Record(args.json or args.resume, rig.machine(), options)
    if args.resume:
        book.resume(args.resume)
    if args.estimate:
        estimate(rows, kinds, rowlib.Options("", **options), book)
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # The PMD's core is for the PMD: the bench, its tools and the daemons' other threads stay away.
    os.sched_setaffinity(0, os.sched_getaffinity(0) - {rig.PMD_CORE} or {0})
    print("%(cpu)s, %(cores)d cores, %(memory)d GB, Linux %(kernel)s, DPDK %(dpdk)s; Sluice %(commit)s,"
          " %(compiler)s, %(flags)s" % book.data["machine"])
    print("cycles per packet unless a row says otherwise; one PMD thread, source and sink included; "
          "%d rounds of %d rows, about %.0f minutes\n" % (
              args.rounds, len(rows),
              left(rows, kinds, rowlib.Options("", **options), book) / 60))
    report.head()
    interrupted = False
    try:
        run(args, rows, kinds, book)
    except KeyboardInterrupt:
        interrupted = True
    shutil.rmtree("/var/run/dpdk/s%d" % os.getpid(), ignore_errors=True)
    if args.svg:
        report.draw(rows, book.data["rows"], args.svg)
    line, status = report.summary(rows, book.data["rows"], kinds, book.data["source_and_sink"])
    if interrupted:
        go_on = "; go on with --resume " + book.path if book.path else ""
        print("bench: INTERRUPTED%s; so far %s" % (go_on, line))
        return 130
    print("bench: " + line)
    return 0 if status == 2 and args.missed_ok else status


if __name__ == "__main__":
    sys.exit(main())
