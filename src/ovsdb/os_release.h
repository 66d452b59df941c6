// SPDX-License-Identifier: Apache-2.0
/*
 * os_release.h - the operating system's name and version for Open_vSwitch.system_type and
 * system_version of a new database.
 */
#ifndef OVSDB_OS_RELEASE_H
#define OVSDB_OS_RELEASE_H 1

/* ID and VERSION_ID of os-release(5), "unknown" if absent; new strings. */
void ovsdb_read_os_release(char **id, char **version);

#endif /* ovsdb/os_release.h */
