// SPDX-License-Identifier: Apache-2.0
//
// What the files of src/netdev share beyond the provider interface.  Main thread.
#ifndef NETDEV_NETDEV_PRIVATE_H
#define NETDEV_NETDEV_PRIVATE_H

#include "netdev/netdev_provider.h"

struct loop *netdev_loop(void); // NULL in tests that have none
// netdev_end.c: whether netdev_end() was called; closes now or, after it, with netdev_close_rest(),
// which netdev_fini() calls.
bool netdev_is_ending(void);
void netdev_close_fd(int fd);
void netdev_close_rest(void);
// The keys that the database has, as dpdk_set_config() left them.
const struct smap *dpdk_config(void);

// Starts EAL in a process that is not the switch yet, on huge or on ordinary pages as the switch
// does; -ENOMEM when that is not to be had (dpdk.c).
int dpdk_start_standby(const struct smap *config, bool huge, char **errorp);
// What a standby must start EAL with (dpdk_standby.c).
void dpdk_note_write(const struct smap *config, bool huge);
void dpdk_note_remove(void);

// netdev-dummy/* (netdev_dummy_ctl.c).
void netdev_dummy_ctl_register(void);

#endif
