#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that what reads other peers' bytes has a fuzz target: each function of a header of src/openflow/ that is
named ofp..._decode(), and the readers of OTHERS, are called in tests/fuzz/."""
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROTOTYPE = re.compile(r"^(?:enum ofperr|int|bool|void) (ofp\w*_decode)\(", re.M)
# Reached by those of flow-mods, packet-outs, groups and continuations.
INNER = {"ofpacts_decode"}
# What servers of the database, the database and peers of dummy ports say; the headers that have them.
OTHERS = {
    "ovsdb/server_choice.h": ("server_choice_request", "server_choice_update"),
    "ovsdb/replica.h": ("ovsdb_replica_apply",),
    "rpc/json_frame.h": ("json_frame_scan",),
    "rpc/stream_private.h": ("stream_address_parse",),
    "netdev/netdev_dummy_stream.h": ("dummy_stream_take",),
    "tunnel/route_msg.h": ("route_msg_decode",),
}


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
    called = set(re.findall(r"\b(\w+)\(", text_of("tests/fuzz/*.c")))
    for header, names in OTHERS.items():
        gone = [name for name in names if name + "(" not in text_of("src/" + header)]
        if gone:
            sys.exit("%s has no %s" % (header, ", ".join(gone)))
        decoders.update(names)
    missing = sorted(decoders - called - INNER)
    if missing:
        sys.exit("no fuzz target calls: " + ", ".join(missing))


if __name__ == "__main__":
    main()
