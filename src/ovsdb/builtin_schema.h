// SPDX-License-Identifier: Apache-2.0
/*
 * builtin_schema.h - conf/vswitch.ovsschema as a string in the daemon; embed.py makes its .c file.
 */
#ifndef OVSDB_BUILTIN_SCHEMA_H
#define OVSDB_BUILTIN_SCHEMA_H 1

extern const char ovsdb_builtin_schema[];

#endif /* ovsdb/builtin_schema.h */
