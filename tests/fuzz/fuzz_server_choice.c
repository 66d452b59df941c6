// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: what a server of the database says of itself, as JSON values one after the other: an
 * object with "tables" is the schema of "_Server" on a new connection, any other value the
 * <table-updates2> of its monitor.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json_values.h"
#include "ovsdb/server_choice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
take(json_t *json, void *arg)
{
    struct server_choice *choice = arg;

    if (json_object_get(json, "tables") != NULL) {
        server_choice_reset(choice);
        json_decref(server_choice_request(choice, json));
    } else {
        const char *why = server_choice_update(choice, json);

        if (why != NULL && *why == '\0') {
            abort();
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *error;
    struct server_choice *choice = server_choice_create(
        "tcp:1.2.3.4:5,tcp:db.example:6,cid:11111111-2222-4333-8444-555555555555", "Open_vSwitch",
        &error);

    if (choice == NULL) {
        abort();
    }
    fuzz_json_values(data, size, take, choice);
    server_choice_destroy(choice);
    return 0;
}
