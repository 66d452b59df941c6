// SPDX-License-Identifier: Apache-2.0
/*
 * ovsdb_test.h - helpers of the unit tests of src/ovsdb: JSON with single quotes, a small database,
 * transactions by text.
 */
#ifndef OVSDB_TEST_H
#define OVSDB_TEST_H 1

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/util.h"
#include "ovsdb/error.h"
#include "ovsdb/exec.h"
#include "ovsdb/row.h"
#include "ovsdb/schema.h"
#include "ovsdb/txn.h"

/* Parses JSON in which ' stands for ". */
static inline json_t *
parse(const char *text)
{
    char *copy = xstrdup(text);
    json_error_t error;

    for (char *p = copy; *p != '\0'; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    json_t *json = json_loads(copy, JSON_DECODE_ANY, &error);
    if (json == NULL) {
        fail_msg("%s: %s", error.text, text);
    }
    free(copy);
    return json;
}

/* Asserts that 'json' equals the text; takes 'json'. */
static inline void
assert_json(json_t *json, const char *text)
{
    json_t *wanted = parse(text);

    if (!json_equal(json, wanted)) {
        fail_msg("got %s, wanted %s", json_dumps(json, JSON_ENCODE_ANY | JSON_SORT_KEYS), text);
    }
    json_decref(json);
    json_decref(wanted);
}

/* Asserts that 'error' has the tag 'tag' (NULL: is no error); frees it. */
static inline void
assert_error(struct ovsdb_error *error, const char *tag)
{
    if (error == NULL) {
        assert_null(tag);
    } else if (tag == NULL || strcmp(ovsdb_error_tag(error), tag)) {
        fail_msg("got %s, wanted %s", ovsdb_error_to_text(error), tag ? tag : "none");
    }
    ovsdb_error_free(error);
}

static const char test_schema[] =
    "{'name': 'Test', 'version': '1.2.3', 'tables': {"
    "  'Root': {'isRoot': true, 'maxRows': 3, 'indexes': [['name']], 'columns': {"
    "    'name': {'type': 'string', 'mutable': false},"
    "    'n': {'type': {'key': {'type': 'integer', 'minInteger': -10, 'maxInteger': 100}}},"
    "    'on': {'type': {'key': 'integer', 'min': 0}},"
    "    'r': {'type': 'real'},"
    "    'map': {'type': {'key': 'string', 'value': 'string', 'min': 0, 'max': 'unlimited'}},"
    "    'ints': {'type': {'key': 'integer', 'min': 0, 'max': 3}},"
    "    'mode': {'type': {'key': {'type': 'string', 'enum': ['set', ['a', 'b']]}, 'min': 0}},"
    "    'kids': {'type': {'key': {'type': 'uuid', 'refTable': 'Kid'}, 'min': 0, 'max': 5}},"
    "    'fav': {'type': {'key': {'type': 'uuid', 'refTable': 'Kid', 'refType': 'weak'},"
    "                     'min': 0}},"
    "    'stat': {'type': {'key': 'string', 'value': 'integer', 'min': 0, 'max': 'unlimited'},"
    "             'ephemeral': true}}},"
    "  'Kid': {'columns': {"
    "    'tag': {'type': {'key': {'type': 'string', 'maxLength': 3}}},"
    "    'next': {'type': {'key': {'type': 'uuid', 'refTable': 'Kid'}, 'min': 0}},"
    "    'must': {'type': {'key': {'type': 'uuid', 'refTable': 'Root', 'refType': 'weak'},"
    "                      'min': 0}}}}}}";

static inline struct ovsdb_schema *
make_schema(const char *text)
{
    json_t *json = parse(text);
    struct ovsdb_schema *schema;

    assert_error(ovsdb_schema_from_json(json, &schema), NULL);
    json_decref(json);
    return schema;
}

static inline struct ovsdb_database *
make_db(void)
{
    return ovsdb_database_create(make_schema(test_schema));
}

/* Runs operations, an array without the database's name, and commits; returns the results. */
static inline json_t *
run(struct ovsdb_database *db, const char *ops)
{
    struct ovsdb_exec exec = {.db = db};
    json_t *params = parse(ops);

    json_array_insert_new(params, 0, json_string("Test"));
    ovsdb_exec(&exec, params);
    json_decref(params);
    if (exec.txn != NULL) {
        struct ovsdb_error *error = ovsdb_txn_precommit(exec.txn);

        if (error != NULL) {
            ovsdb_txn_abort(exec.txn);
            ovsdb_exec_append_error(exec.results, error);
        } else {
            ovsdb_txn_commit(exec.txn, ++db->seqno);
        }
    }
    return exec.results;
}

/* Runs operations of which the last result must be an error with 'tag'. */
static inline void
run_fails(struct ovsdb_database *db, const char *ops, const char *tag)
{
    json_t *results = run(db, ops);
    const char *got = NULL;

    for (size_t i = 0; i < json_array_size(results) && got == NULL; i++) {
        got = json_string_value(json_object_get(json_array_get(results, i), "error"));
    }
    if (got == NULL || strcmp(got, tag)) {
        fail_msg("%s: got %s, wanted %s", ops, json_dumps(results, 0), tag);
    }
    json_decref(results);
}

/* Runs operations that must all succeed. */
static inline void
run_ok(struct ovsdb_database *db, const char *ops)
{
    json_t *results = run(db, ops);

    for (size_t i = 0; i < json_array_size(results); i++) {
        if (json_object_get(json_array_get(results, i), "error") != NULL) {
            fail_msg("%s: %s", ops, json_dumps(results, 0));
        }
    }
    json_decref(results);
}

static inline unsigned int
n_rows(const struct ovsdb_database *db, const char *table)
{
    return HASH_COUNT(ovsdb_database_table(db, table)->rows);
}

#endif /* ovsdb_test.h */
