# SPDX-License-Identifier: Apache-2.0
"""Every spelling of what is logged where, beside genuine Open vSwitch: -v, --syslog-*, --log-file on the command line,
vlog/* at run time, and what lines look like in each pattern."""
import os
import re
import subprocess

import pytest

from switchlib import GENUINE, SLUICED, hermetic_pair, wait_for

pytestmark = pytest.mark.rootless

OPTIONS = """-v
-vdbg
-vDBG
-vemer
-voff
-vany
-vconsole
-vconsole:off
-vconsole:OFF
-vANY:console:off
-vany:any:off
-vsyslog:err
-vfile:info
-vbridge
-vbridge:file:dbg
-vfile:bridge:dbg
-vdbg:bridge:file
-v:bridge:
-vbridge,file,dbg
-v bridge:dbg
-vbridge:dbg:foo
-vnosuch:dbg
-vfoo
-vinfo:warn
-vconsole:syslog:dbg
-vbridge:bond:dbg
-vPATTERN:file:%D{%Y}|%m
-vpattern:FILE:%m
-vPATTERN:any:%m
-vPATTERN:ANY:%m
-vPATTERN:foo:%m
-vPATTERN:file
-vPATTERN:console:
-vPATTERN
-vPATTERN:file:%Q
-vPATTERN:file:%5m%-8c%08N%t%T%P%p%A%e%n%%
-vPATTERN:file:%D
-vFACILITY:daemon
-vFACILITY:LOCAL0
-vFACILITY:local8
-vFACILITY
-vFACILITY:
--verbose
--verbose=bridge:dbg
--verbose=nosuch
--syslog-method=null
--syslog-method=libc
--syslog-method=unix:/dev/log
--syslog-method=unix:/nosuch
--syslog-method=udp:127.0.0.1:514
--syslog-target=127.0.0.1:514
--log-file
--log
--log-f=/dev/null
--log-file=/dev/null
--mon
--det
--pid
--pidfile=
--overwrite
--no-chdir=1
--nosuch
--dpdk
--option
-o
-W
-vconsole:off -vfile:dbg -vPATTERN:console:%m --log-file""".splitlines()


@pytest.mark.parametrize("options", OPTIONS)
def test_options(tmp_path, options):
    env = dict(os.environ, OVS_RUNDIR=str(tmp_path), OVS_LOGDIR=str(tmp_path), OVS_DBDIR=str(tmp_path),
               OVS_SYSCONFDIR=str(tmp_path))
    found = []
    for binary in (SLUICED, GENUINE):
        p = subprocess.run(["timeout", "10", binary, *options.split(" "), "--version"], env=env, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        texts = [re.sub(r"^\d{4}-\d\d-\d\dT\S*?\|", "TIME|", re.sub("ovs-vswitchd-dpdk|sluiced", "ovs-vswitchd",
                        text.replace(binary, "ovs-vswitchd")), flags=re.M) for text in (p.stdout, p.stderr)]
        found.append((p.returncode, texts[0].replace("Sluice 0.1.0\n", ""), texts[1]))
    assert found[0] == found[1]


@pytest.fixture(scope="module")
def pair():
    yield from hermetic_pair(lambda sw: None)


def run(pair, *args):
    """What both answer to a command."""
    found = []
    for sw in pair:
        p = sw.appctl(*args, check=False)
        found.append((p.returncode, p.stdout, re.sub("^ovs-appctl: .*", "", p.stderr, flags=re.M)))
    return found


def levels(sw):
    """Of the modules that both have."""
    lines = sw.appctl("vlog/list").splitlines()
    return [line for line in lines if line.split()[0] in ("console", "-------", "bridge", "bond", "lacp", "vlog", "dpif_netdev",
                                                          "ofproto", "connmgr", "jsonrpc", "daemon_unix")]


def test_vlog_set(pair):
    for spec in ("ANY:ANY:warn", "bridge", "bond:dbg", "file:lacp:info", "lacp:OFF", "any:console:emer", "syslog", "console:off",
                 "ANY:file:dbg", "dbg:vlog:syslog", "nosuch:dbg", "bridge:nosuch", "", ":", "bridge::dbg", "bridge bond:info",
                 "off", "any", "PATTERN:file:%m", "ANY:file:info", "FACILITY:local3", "FACILITY:nosuch", "PATTERN:nosuch:%m"):
        ours, theirs = run(pair, "vlog/set", spec)
        assert ours == theirs, spec
        assert levels(pair[0]) == levels(pair[1]), spec
        ours, theirs = run(pair, "vlog/list-pattern")
        assert ours == theirs, spec
    for words in (("vlog/set", "bridge:dbg", "bond:err", "nosuch"), ("vlog/set",), ("vlog/disable-rate-limit", "bridge", "nosuch"),
                  ("vlog/enable-rate-limit",), ("vlog/disable-rate-limit", "ANY"), ("vlog/enable-rate-limit", "bridge"),
                  ("vlog/list", "x"), ("vlog/close", "x"), ("vlog/close",), ("vlog/close",), ("vlog/reopen",)):
        ours, theirs = run(pair, *words)
        assert ours == theirs, words
        assert levels(pair[0]) == levels(pair[1]), words


@pytest.mark.parametrize("pattern", [
    "%m", "%c|%p|%m", "%t|%T|%m", "%10c|%-10c|%p|%m", "%05N|%m", "%A %m", "%D{%Y}%d{%Y} %m", "%%|%m", "%20p|%-7p|%07p|%m",
    "%E|%m", "%B|%m", "%Q|%m", "%5|%m", "%D{%H:%M:%S.###}|%m", "%-|%m"])  # of a % or a { at the end theirs reads beyond it
def test_lines_in_patterns(pair, pattern):
    for sw in pair:  # lines of the daemon's own at a known moment
        sw.appctl("vlog/set", "ANY:ANY:off", "vlog:file:info", "PATTERN:file:" + pattern)
        sw.appctl("vlog/close")
        if os.path.exists(sw.log):
            os.unlink(sw.log)
        sw.appctl("vlog/reopen")
        sw.appctl("vlog/reopen")  # says nothing where nobody renamed the file
        os.rename(sw.log, sw.log + ".1")
        sw.appctl("vlog/reopen")
    # Theirs are written by a thread, a little later.
    last = []

    def agree():
        last[:] = [clean("".join(read(name) for name in (sw.log + ".1", sw.log)), sw) for sw in pair]
        return last[0] == last[1]
    try:
        wait_for(agree, 3)
    except AssertionError:
        assert last[0] == last[1]
    assert last[0].count("--") == 2 and len(last[0]) > 8


def read(name):
    if not os.path.exists(name):
        return ""
    with open(name, encoding="utf-8") as f:
        return f.read() + "--\n"


def clean(text, sw):
    text = text.replace(sw.dir, "RUNDIR").replace("ovs-vswitchd-dpdk", "ovs-vswitchd").replace("sluiced", "ovs-vswitchd")
    text = re.sub(r"(?m)^.*closing log file\n", "", text)  # theirs is often too late for the file that it closes
    text = re.sub(r"\d\d:\d\d:\d\d(\.\d{3})?", "TIME", text.replace(os.uname().nodename, "HOST"))
    return re.sub(r"(?m)^(0*)\d+(?=\|opened)", lambda m: "N" * (1 if not m[1] else len(m[0])), text)
