#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that every decoder of OpenFlow messages has a fuzz target: each function of a header of
src/openflow/ that is named ofp..._decode() is called in tests/fuzz/."""
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROTOTYPE = re.compile(r"^(?:enum ofperr|int|bool|void) (ofp\w*_decode)\(", re.M)
# Reached by those of flow-mods, packet-outs, groups and continuations.
INNER = {"ofpacts_decode"}


def text_of(pattern):
    found = []
    for path in glob.glob(os.path.join(ROOT, pattern)):
        with open(path, encoding="utf-8") as f:
            found.append(f.read())
    return "\n".join(found)


def main():
    decoders = set(PROTOTYPE.findall(text_of("src/openflow/*.h")))
    if len(decoders) < 20:
        sys.exit("only %d decoders found: has their form changed?" % len(decoders))
    called = set(re.findall(r"\b(ofp\w*_decode)\(", text_of("tests/fuzz/*.c")))
    missing = sorted(decoders - called - INNER)
    if missing:
        sys.exit("no fuzz target calls: " + ", ".join(missing))


if __name__ == "__main__":
    main()
