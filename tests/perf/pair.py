# SPDX-License-Identifier: Apache-2.0
"""What the traffic source and the sink cost by themselves: testpmd between the same devices.

A row's cycles include them, so this is the part of both switches' figures that no switch can change.
"""
import os
import re
import subprocess
import time

import rig


def count_frames(pcaps):
    """At least the frames in the files: each takes 16 bytes and itself."""
    return sum(os.path.getsize(p) // 76 for p in pcaps)


def alone(pcaps, windows=3, seconds=1.0):
    """Cycles per packet of the best window, or None when testpmd does not run."""
    vdevs = []
    for i, path in enumerate(pcaps):
        vdevs += ["--vdev", "net_pcap%d,rx_pcap=%s,infinite_rx=1" % (i, path),
                  "--vdev", "net_null%d,no-rx=1" % i]
    mbufs = count_frames(pcaps) * 5 // 4 + 8192
    proc = subprocess.Popen(
        ["dpdk-testpmd", "--lcores", "0@0,1@%d" % rig.PMD_CORE, "--in-memory", "--no-pci",
         "--no-telemetry", "--file-prefix", "p%d" % os.getpid(), *vdevs, "--", "-i",
         "--total-num-mbufs=%d" % mbufs, "--forward-mode=io", "--no-flush-rx"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        proc.stdin.write("set record-core-cycles on\n")
        for _ in range(windows):
            proc.stdin.write("start\n")
            proc.stdin.flush()
            time.sleep(seconds)
            proc.stdin.write("stop\n")
        proc.stdin.write("quit\n")
        text, _ = proc.communicate(timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        proc.kill()
        text, _ = proc.communicate()
    seen = [float(c) for c in re.findall(r"CPU cycles/packet=([\d.]+)", text)]
    return min(seen) if seen else None
