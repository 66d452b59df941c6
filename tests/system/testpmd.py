# SPDX-License-Identifier: Apache-2.0
"""dpdk-testpmd as a guest's stand-in: virtio_user ports on vhost-user sockets, no huge pages."""
import itertools
import os
import signal
import subprocess
import tempfile

from switchlib import wait_for

_serial = itertools.count()


class Testpmd:
    """Ports on 'paths' that forward by 'mode'.  With 'server' it listens, as QEMU does for
    dpdkvhostuserclient; 'options' go to each virtio_user port, e.g. packed_vq=1."""

    __test__ = False

    def __init__(self, *paths, server, mode, queues=1, options="", start=True, more=()):
        vdevs = []
        for i, path in enumerate(paths):
            vdevs += ["--vdev", "net_virtio_user%d,path=%s,queue_size=256,queues=%d%s%s"
                      % (i, path, queues, ",server=1" if server else "",
                         "," + options if options else "")]
        self.paths = paths if server else ()
        self.output = tempfile.TemporaryFile()
        self.proc = subprocess.Popen(
            ["dpdk-testpmd", "--lcores", "0@0,1@0", "--no-huge", "-m", "256", "--no-shconf",
             "--file-prefix", "t%d-%d" % (os.getpid(), next(_serial)), "--no-pci", "--no-telemetry"]
            + vdevs + ["--", "-i", "--total-num-mbufs=8192", "--forward-mode=" + mode,
                       "--rxq=%d" % queues, "--txq=%d" % queues] + (["--auto-start"] * start)
            + list(more),
            stdin=subprocess.PIPE, stdout=self.output, stderr=subprocess.STDOUT)

    def said(self):
        return os.pread(self.output.fileno(), 1 << 20, 0).decode(errors="replace")

    def ready(self):
        """Waits until it forwards: a ring that is up may still lack buffers.  The prompt comes when
        the ports, which wait for their peers, have been started."""
        wait_for(lambda: "testpmd>" in self.said() or self.proc.poll() is not None, 60, "testpmd")
        if self.proc.poll() is not None:
            raise AssertionError("testpmd ended: " + self.said()[-2000:])
        return self

    def command(self, line):
        self.proc.stdin.write(line.encode() + b"\n")
        self.proc.stdin.flush()

    def kill(self):
        """Ends as a guest that is killed: what a dead server leaves is removed."""
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGKILL)
        self.proc.wait()
        self.proc.stdin.close()
        self.output.close()
        for p in self.paths:
            if os.path.exists(p):
                os.unlink(p)
