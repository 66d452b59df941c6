// SPDX-License-Identifier: Apache-2.0
//
// What the switch and the relay of one port say to each other: datagrams on a SOCK_SEQPACKET
// socket, the first byte is one of these, the rest is text without a null byte.
#ifndef RELAY_CONTROL_H
#define RELAY_CONTROL_H

// The relay's program, argv[0]; its first argument is its control socket, by which a switch finds
// one that hangs.
#define RELAY_PROGRAM "sluice-vhost-relay"
// Its only argument when it is no relay but an inspector (inspect.h): RELAY_FD_CONTROL is then the
// channel on which it gets connections of front-ends, and answers.
#define RELAY_INSPECT "inspect"

enum relay_control {
    // Switch to relay.
    RELAY_ATTACH = 'A', // text: the front-end's socket
    RELAY_DELETE = 'D', // go (in all versions); answered, or by the end of the connection
    RELAY_STOP = 'S',   // the switch is about to end: stop the rings; answered
    // Answers RELAY_CONNECT; with a descriptor: connected to the front-end.  That is left alone
    // until the next message, which tells that the switch has closed its own.
    RELAY_OUTER = 'O',
    // Relay to switch.
    RELAY_STOPPED = 's',
    RELAY_READY = 'R',   // the vhost library is connected and knows all that its predecessor knew
    RELAY_LOG = 'I',     // text for the log
    RELAY_CONNECT = 'C', // try to connect to the front-end: the relay itself may not
    // Switch to inspector, with a connection, and its answers.
    RELAY_LOOK = 'L', // at the descriptors that come next
    RELAY_GOOD = 'g',
    RELAY_BAD = 'b',
    // What it may not close, and what was bad, an inspector has open until its end.
    RELAY_KEEP = 'K', // with a connection that nobody looks at any more
    RELAY_END = 'X',
};

enum {
    RELAY_CONTROL_MAX = 256, // longest datagram
    // Part of the sockets' names: to a relay of another version a switch says RELAY_DELETE only.
    RELAY_CONTROL_VERSION = 2,
    RELAY_CONTROL_VERSIONS = 8, // up to this one it looks for them
    // A switch that has not come back by then is gone for good.
    RELAY_LINGER_MS = 10000,
    // For an answer of the switch's vhost library.
    RELAY_ANSWER_MS = 500,
    // For all that it is told and asked when it takes over: its one thread has other guests, too,
    // which come at the same time, and may wait for processors.  Less than the time after which a
    // switch takes a relay for one that hangs.
    RELAY_REPLAY_MS = 2000,
    // Descriptors with which the relay's program starts.
    RELAY_FD_CONTROL = 3,        // connected to the switch
    RELAY_FD_CONTROL_LISTEN = 4, // for the next switch
    RELAY_FD_INNER_LISTEN = 5,   // for the vhost library
    RELAY_FD_OUTER_LISTEN = 6,   // for the front-end, or /dev/null when it is the one that listens
    RELAY_N_FDS = 4,
};

#endif
