// SPDX-License-Identifier: Apache-2.0
/*
 * symtab.c - names for rows that a transaction is about to insert, see symtab.h.
 */
#include "ovsdb/symtab.h"

#include "base/uthash.h"

struct symtab_entry {
    UT_hash_handle hh;
    struct ovsdb_symbol symbol;
    char name[];
};

struct ovsdb_symtab {
    struct symtab_entry *entries;
};

struct ovsdb_symtab *
ovsdb_symtab_create(void)
{
    return xzalloc(sizeof(struct ovsdb_symtab));
}

void
ovsdb_symtab_destroy(struct ovsdb_symtab *symtab)
{
    struct symtab_entry *entry, *next;

    if (symtab != NULL) {
        HASH_ITER (hh, symtab->entries, entry, next) {
            HASH_DEL(symtab->entries, entry);
            free(entry);
        }
        free(symtab);
    }
}

struct ovsdb_symbol *
ovsdb_symtab_get(struct ovsdb_symtab *symtab, const char *name)
{
    struct symtab_entry *entry;

    HASH_FIND_STR(symtab->entries, name, entry);
    if (entry == NULL) {
        size_t size = strlen(name) + 1;

        entry = xzalloc(sizeof *entry + size);
        memcpy(entry->name, name, size);
        uuid_generate(&entry->symbol.uuid);
        HASH_ADD_STR(symtab->entries, name, entry);
    }
    return &entry->symbol;
}

bool
ovsdb_is_id(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";

    if (*name == '\0' || strchr(letters, *name) == NULL) {
        return false;
    }
    for (; *name != '\0'; name++) {
        if (strchr(letters, *name) == NULL && (*name < '0' || *name > '9')) {
            return false;
        }
    }
    return true;
}
