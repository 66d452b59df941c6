// SPDX-License-Identifier: Apache-2.0
//
// A relay outlives its switch and reads what a hostile front-end sends, so it keeps none of the
// switch's privileges: what it needs from then on are the descriptors that it has, those that it is
// given, and the removal of its own files.
#ifndef RELAY_CONFINE_H
#define RELAY_CONFINE_H

// For the rest of this process's life: no capabilities and none to come (no_new_privs); files are
// removed in the directories of 'paths' (up to NULL) only, and that of the first may be removed
// itself; every system call but the relay's own ones is EPERM.  Neither sockets nor files can be
// opened, nor connections made, nor programs or processes started.
//
// A kernel without Landlock leaves out the directories, a machine other than x86-64 and AArch64 or
// a sanitized build the system calls.  0, or a negative errno when something else failed; the rest
// is in force nevertheless.
int relay_confine(const char *const paths[]);

#endif
