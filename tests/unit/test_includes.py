#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the table "who may include whom" of docs/architecture.md against every #include in src/.

The table's rows are the truth: | `src/X/` | what lives there | may include |, where the last cell names
folders, single headers in backquotes, "all", or libraries.  Also fails for a folder without a row,
and checks itself on a made-up violation.
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def read_table(text):
    """Folder -> (folders, headers) that it may include; None for 'all'."""
    table = {}
    for line in text.splitlines():
        m = re.match(r"\|\s*`src/([\w.]+)/?`\s*\|[^|]*\|([^|]*)\|", line)
        if not m:
            continue
        name, cell = m.groups()
        headers = set(re.findall(r"`(\w+/[\w.]+)`", cell))
        folders = set(re.findall(r"\b\w+\b", re.sub(r"`[^`]*`", "", cell)))
        table[name] = None if "all" in folders else (folders, headers)
    return table


def violations(table, path, text):
    """What 'path' (relative to src/) includes and may not."""
    folder = path.split("/")[0] if "/" in path else "main.c"
    if folder not in table:
        return ["%s: folder %s is not in the table" % (path, folder)]
    rule = table[folder]
    found = []
    for target in INCLUDE.findall(text):
        other = target.split("/")[0]
        if rule is None or "/" not in target or other == folder:
            continue
        if other not in rule[0] and target not in rule[1]:
            found.append('%s: may not include "%s"' % (path, target))
    return found


def main():
    with open(os.path.join(ROOT, "docs", "architecture.md"), encoding="utf-8") as page:
        table = read_table(page.read())
    # The checker itself: a table that it cannot read, or a rule that it does not apply, must fail.
    assert len(table) >= 15, "the table of docs/architecture.md was not understood"
    assert violations(table, "base/x.c", '#include "rpc/stream.h"\n')
    assert violations(table, "slowpath/x.c", '#include "pmd/pmd.h"\n')
    assert not violations(table, "slowpath/x.c", '#include "pmd/dp.h"\n#include "base/log.h"\n')

    bad, n_files = [], 0
    for where, _, names in os.walk(os.path.join(ROOT, "src")):
        for name in names:
            if name.endswith((".c", ".h", ".def")):
                path = os.path.join(where, name)
                n_files += 1
                with open(path, encoding="utf-8", errors="replace") as source:
                    bad += violations(table, os.path.relpath(path, os.path.join(ROOT, "src")),
                                      source.read())
    print("\n".join(bad + ["%d files looked at, %d violations" % (n_files, len(bad))]))
    sys.exit(1 if bad or n_files < 30 else 0)


if __name__ == "__main__":
    main()
