// SPDX-License-Identifier: Apache-2.0
//
// The relay's program as an inspector (RELAY_INSPECT in control.h): one process for all ports that
// have no relay.  It looks at the descriptors that wait in a front-end's connection before the
// switch takes them.  Who closes a file of a file system that does not answer waits for good, and
// who has such a file open has to close it, by its end at the latest: the switch must not have it.
// A socket that lingers makes wait who closes it, but not who ends: the inspector closes neither.
#ifndef RELAY_INSPECT_H
#define RELAY_INSPECT_H

// The program from its start on: serves 'channel' until told to end, or the switch's end is closed.
void inspect_run(int channel);

#endif
