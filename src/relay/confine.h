// SPDX-License-Identifier: Apache-2.0
//
// A relay outlives its switch and reads what a hostile front-end sends, so it keeps none of the
// switch's privileges: what it needs from then on are the descriptors that it has, those that it is
// given, and the removal of its own files.
#ifndef RELAY_CONFINE_H
#define RELAY_CONFINE_H

// Goes on as nobody's child, deaf to a terminal's signals: whoever started us may end, and need not
// bury us.  The caller's process ends with 0, or 1 when there can be no other.
void relay_leave_parent(void);

// For the rest of this process's life: no capabilities and none to come (no_new_privs); files are
// removed in the directories of 'paths' (up to NULL) only, and that of the first, if any, may be
// removed itself; every system call but the relay's own ones is EPERM.  Neither sockets nor files
// can be opened, nor connections made, nor programs or processes started.
//
// What of it is not in force, each by itself: 0, or a negative errno.  A kernel without Landlock
// (or a container that does not let it be used) is no error, nor is a machine other than x86-64 and
// AArch64 or a sanitized build, which have no filter of system calls.
struct relay_kept {
    int capabilities, syscalls, files;
};

struct relay_kept relay_confine(const char *const paths[]);

#endif
