// SPDX-License-Identifier: Apache-2.0
/*
 * dp_features.h - what the datapath can do, by the names under which the database and ovs-appctl
 * know it: Datapath.capabilities, dpif/show-dp-features, dpif/set-dp-features.
 *
 * Main thread.  A feature is a yes or a number.  What the datapath has is fixed ("boot time" in the
 * texts); what is in force ("run time") may be set to less.  Translation does not ask: it is part
 * of the same program, so that it never meets a datapath that lacks something.
 */
#ifndef SLOWPATH_DP_FEATURES_H
#define SLOWPATH_DP_FEATURES_H 1

#include "base/str.h"

enum { FEATURES_MAX = 32 };

/* What was set to less than there is.  Zeroed memory is nothing. */
struct features {
    bool is_set[FEATURES_MAX];
    unsigned value[FEATURES_MAX]; /* where 'is_set' */
};

/* All that there is, one line for each, as dpif/show-dp-features prints it. */
void features_show(struct str *);
/* The line of dpif/set-dp-features about 'name', or with NULL those about all. */
void features_show_settings(const struct features *, const char *name, struct str *);
/* Sets feature 'name'.  NULL, or why not. */
const char *features_set(struct features *, const char *name, const char *value);
/* Calls 'fn' for each of what Datapath.capabilities has, with what is in force. */
void features_capabilities(const struct features *,
                           void (*fn)(const char *name, const char *value, void *aux), void *aux);

#endif /* slowpath/dp_features.h */
