// SPDX-License-Identifier: Apache-2.0
/*
 * symtab.h - the "uuid-name"s of one transaction (RFC 7047 paragraph 5.1, <named-uuid>).  A name
 * may be used before the insert that declares it; the first use picks the UUID.
 */
#ifndef OVSDB_SYMTAB_H
#define OVSDB_SYMTAB_H 1

#include <stdbool.h>

#include "base/uuid.h"

struct ovsdb_symbol {
    struct uuid uuid;
    bool is_declared; /* by an insert operation */
};

struct ovsdb_symtab *ovsdb_symtab_create(void);
void ovsdb_symtab_destroy(struct ovsdb_symtab *symtab);

/* The symbol, made if there was none. */
struct ovsdb_symbol *ovsdb_symtab_get(struct ovsdb_symtab *symtab, const char *name);

/* <id> of RFC 7047 paragraph 3.1: a letter or underscore, then letters, digits and underscores. */
bool ovsdb_is_id(const char *name);

#endif /* ovsdb/symtab.h */
