#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that what reads other peers' bytes has a fuzz target: each function of a header of src/openflow/ that is
named ofp..._decode(), and the readers of OTHERS, are called in tests/fuzz/; each kind of OpenFlow message that a peer
may say has a seed there."""
import glob
import os
import re
import sys

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROTOTYPE = re.compile(r"^(?:enum ofperr|int|bool|void) (ofp\w*_decode)\(", re.M)
# Reached by those of flow-mods, packet-outs, groups and continuations.
INNER = {"ofpacts_decode"}
# What servers of the database, the database, peers of dummy ports and operators say; the headers that have them.
OTHERS = {
    "ovsdb/server_choice.h": ("server_choice_request", "server_choice_update"),
    "ovsdb/replica.h": ("ovsdb_replica_apply",),
    "rpc/json_frame.h": ("json_frame_scan",),
    "rpc/stream_private.h": ("stream_address_parse",),
    "netdev/netdev_dummy_stream.h": ("dummy_stream_take",),
    "tunnel/route_msg.h": ("route_msg_decode",),
    "rpc/jsonrpc.h": ("jsonrpc_msg_from_json",),
    "ofproto/lacp_pdu.h": ("lacp_pdu_decode",),
    "ofproto/flow_journal.h": ("flow_journal_read",),
    "flow/dpkey.h": ("dpkey_parse",),
    "flow/dp_action.h": ("dp_actions_parse",),
    "flow/match.h": ("match_parse", "flow_parse", "match_parse_filter"),
    "openflow/ofp_text.h": ("ofpacts_parse",),
}


def text_of(pattern):
    found = []
    for path in glob.glob(os.path.join(ROOT, pattern)):
        with open(path, encoding="utf-8") as f:
            found.append(f.read())
    return "\n".join(found)


def kinds_without_seed():
    sys.path.insert(0, os.path.join(ROOT, "tests", "system"))
    from openflow_kinds import VERSIONS, kinds, place
    missing, seeds = set(), set()
    for version in VERSIONS:
        missing.update(k.name for k in kinds(version))
    for path in glob.glob(os.path.join(ROOT, "tests/fuzz/corpus/openflow/*")):
        with open(path, "rb") as f:
            seed = f.read()
        if len(seed) >= 16 or seed[1] != 4:
            seeds.update(k.name for k in kinds(seed[0]) if (k.where, k.number) == place(seed))
    return sorted(missing - seeds)


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
    if kinds_without_seed():
        sys.exit("no seed in tests/fuzz/corpus/openflow: " + ", ".join(kinds_without_seed()))


if __name__ == "__main__":
    main()
