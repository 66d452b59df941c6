// SPDX-License-Identifier: Apache-2.0
/*
 * db_row.c - reads columns of rows by name, see db.h.  A column that does not exist, or has another
 * type than the caller expects, reads as empty.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ovsdb/db.h"
#include "ovsdb/row.h"

const struct uuid *
row_uuid(const struct db_row *row)
{
    return &row->uuid;
}

const char *
row_table(const struct db_row *row)
{
    return row->table->schema->name;
}

uint64_t
row_seqno(const struct db_row *row)
{
    return row->seqno;
}

/* The column's value if its keys are of type 'type', else NULL. */
static const struct ovsdb_datum *
get(const struct db_row *row, const char *name, enum ovsdb_atomic type)
{
    const struct ovsdb_column *column = ovsdb_table_column(row->table->schema, name);

    return column != NULL && column->type.key.type == type ? ovsdb_row_get(row, column) : NULL;
}

/* Element 'i' of such a column, or NULL. */
static const union ovsdb_atom *
get_at(const struct db_row *row, const char *name, enum ovsdb_atomic type, size_t i)
{
    const struct ovsdb_datum *datum = get(row, name, type);

    return datum != NULL && i < datum->n ? &datum->keys[i] : NULL;
}

size_t
row_n(const struct db_row *row, const char *name)
{
    const struct ovsdb_column *column = ovsdb_table_column(row->table->schema, name);

    return column != NULL ? ovsdb_row_get(row, column)->n : 0;
}

const char *
row_str_at(const struct db_row *row, const char *column, size_t i)
{
    const union ovsdb_atom *atom = get_at(row, column, OVSDB_STRING, i);

    return atom != NULL ? atom->string : NULL;
}

const char *
row_str(const struct db_row *row, const char *column)
{
    return row_str_at(row, column, 0);
}

bool
row_int(const struct db_row *row, const char *column, int64_t *value)
{
    const union ovsdb_atom *atom = get_at(row, column, OVSDB_INTEGER, 0);

    if (atom != NULL) {
        *value = atom->integer;
    }
    return atom != NULL;
}

bool
row_bool(const struct db_row *row, const char *column, bool *value)
{
    const union ovsdb_atom *atom = get_at(row, column, OVSDB_BOOLEAN, 0);

    if (atom != NULL) {
        *value = atom->boolean;
    }
    return atom != NULL;
}

int64_t
row_int_or(const struct db_row *row, const char *column, int64_t dflt)
{
    row_int(row, column, &dflt);
    return dflt;
}

bool
row_bool_or(const struct db_row *row, const char *column, bool dflt)
{
    row_bool(row, column, &dflt);
    return dflt;
}

int64_t
row_int_at(const struct db_row *row, const char *column, size_t i)
{
    const union ovsdb_atom *atom = get_at(row, column, OVSDB_INTEGER, i);

    return atom != NULL ? atom->integer : 0;
}

/* References. */

static const struct db_row *
follow(const struct db_row *row, const struct ovsdb_base *base, const union ovsdb_atom *atom)
{
    if (base->type != OVSDB_UUID || base->uuid.ref == NULL) {
        return NULL;
    }
    return ovsdb_table_row(row->table->db->tables[base->uuid.ref->index], &atom->uuid);
}

const struct db_row *
row_ref_at(const struct db_row *row, const char *name, size_t i)
{
    const struct ovsdb_column *column = ovsdb_table_column(row->table->schema, name);
    const union ovsdb_atom *atom = get_at(row, name, OVSDB_UUID, i);

    return atom != NULL ? follow(row, &column->type.key, atom) : NULL;
}

const struct db_row *
row_ref(const struct db_row *row, const char *column)
{
    return row_ref_at(row, column, 0);
}

const struct db_row **
row_refs(const struct db_row *row, const char *name, size_t *n)
{
    const struct ovsdb_column *column = ovsdb_table_column(row->table->schema, name);
    const struct ovsdb_datum *datum = column != NULL ? ovsdb_row_get(row, column) : NULL;
    const struct db_row **rows;

    *n = 0;
    if (datum == NULL || datum->n == 0) {
        return NULL;
    }
    bool is_map = ovsdb_type_is_map(&column->type);
    rows = xcalloc(datum->n, sizeof(struct db_row *));
    for (uint32_t i = 0; i < datum->n; i++) {
        const struct db_row *target = is_map ? follow(row, &column->type.value, &datum->values[i])
                                             : follow(row, &column->type.key, &datum->keys[i]);

        if (target != NULL) {
            rows[(*n)++] = target;
        }
    }
    if (*n == 0) {
        free(rows);
        rows = NULL;
    }
    return rows;
}

/* Maps. */

const char *
row_map_get(const struct db_row *row, const char *column, const char *key)
{
    const struct ovsdb_datum *datum = get(row, column, OVSDB_STRING);
    union ovsdb_atom atom = {.string = (char *)key};
    uint32_t i;

    if (datum == NULL || datum->value_type != OVSDB_STRING) {
        return NULL;
    }
    i = ovsdb_datum_find(datum, &atom);
    return i != UINT32_MAX ? datum->values[i].string : NULL;
}

int64_t
row_map_int(const struct db_row *row, const char *column, const char *key, int64_t dflt)
{
    const char *text = row_map_get(row, column, key);
    int64_t value;

    if (text == NULL) {
        return dflt;
    }
    bool is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    return str_to_i64(is_hex ? text + 2 : text, is_hex ? 16 : 10, &value) ? value : dflt;
}

bool
row_map_bool(const struct db_row *row, const char *column, const char *key, bool dflt)
{
    const char *text = row_map_get(row, column, key);

    return text == NULL             ? dflt
           : !strcmp(text, "true")  ? true
           : !strcmp(text, "false") ? false
                                    : dflt;
}

void
row_map_at(const struct db_row *row, const char *column, size_t i, const char **key,
           const char **value)
{
    const struct ovsdb_datum *datum = get(row, column, OVSDB_STRING);
    bool is_there = datum != NULL && datum->value_type == OVSDB_STRING && i < datum->n;

    *key = is_there ? datum->keys[i].string : NULL;
    *value = is_there ? datum->values[i].string : NULL;
}

int64_t
row_imap_at(const struct db_row *row, const char *name, size_t i, const struct db_row **value)
{
    const struct ovsdb_column *column = ovsdb_table_column(row->table->schema, name);
    const struct ovsdb_datum *datum = get(row, name, OVSDB_INTEGER);

    *value = NULL;
    if (datum == NULL || i >= datum->n) {
        return 0;
    }
    if (datum->value_type == OVSDB_UUID) {
        *value = follow(row, &column->type.value, &datum->values[i]);
    }
    return datum->keys[i].integer;
}
