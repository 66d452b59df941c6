// SPDX-License-Identifier: Apache-2.0
//
// What the files of the relay's process share; main.c has the overview.
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/record.h"

struct relay {
    const char *control_path, *inner_path; // our sockets' files
    char outer_path[108];
    int control, control_listen;   // -1: no switch
    int inner, inner_listen;       // -1: the library is not connected
    int outer, outer_listen;       // -1: no front-end; -1: it is the one that listens
    struct record *record;         // of 'outer'
    struct vhu_reader reader;      // of 'outer'
    int64_t message_ms;            // when it must be whole, while we listen
    struct vhu_msg asked;          // by the front-end, not answered yet
    bool is_asked, is_asked_again; // the second: of another library than the first one
    bool is_stopped;               // the switch said that it is about to end
    bool is_lost;                  // the library's connection broke; 'outer' waits
    bool is_calling;               // the switch tries to connect to the front-end
    // Which switch: now, of the library that is connected, of the one that was lost.
    unsigned int session, inner_session, lost_session;
    unsigned int n_replays; // in a row that did not last
    int64_t lost_ms, gone_ms;
    int64_t connect_ms, called_ms; // when the switch is asked to connect next; when it was last
    int64_t pause_ms;              // until then, doubled by each try
    int64_t confirm_ms; // when the library must have its confirmation, during postcopy; 0: need not
    int64_t replayed_ms; // when the last replay was over
    int unwanted;        // a connection to the front-end that came too late; -1: none
    // Until then 'outer' and 'unwanted' are left alone: the switch may have them, too; 0: has not.
    int64_t shared_ms;
    bool is_done;
};

// Forgets the front-end, so that the library starts anew.
void relay_drop_front_end(struct relay *, const char *why);

// --- sock.c: sockets, and the time ---

int64_t relay_now_ms(void); // monotonic
// Closes it unless it is -1, which it becomes.
void relay_close_fd(int *fd);
// A connection on a listening socket ('flags' as of accept4()); -1: there is none, or no room for
// it, after a pause that stalls this port only.
int relay_accept(int sock, int flags);
// Who does not read from it holds up no sender for long.
void relay_limit_sends(int sock);
// A message to the switch.  False when it is not there or does not read: it then loses lines of its
// log.
bool relay_tell(struct relay *, char op, const char *text);
// Tells the switch's log.
void relay_log(struct relay *, const char *text);

// --- replay.c: the library as our peer ---

// Tells the library what the front-end has told its predecessor.  False when it broke off, takes
// longer than RELAY_REPLAY_MS or does not offer what was negotiated ('*why' is then a text).
bool relay_replay(struct relay *, const char **why);
// Asks the library to stop in each ring, and notes where.
bool relay_stop_rings(struct relay *);
// Passes an answer of the library on.  False when one side broke.
bool relay_pass_reply(struct relay *, struct vhu_msg *reply);

#endif
