// SPDX-License-Identifier: Apache-2.0
//
// What the files of dpctl/* share.  Main thread.
#ifndef PMD_DPCTL_H
#define PMD_DPCTL_H

#include "flow/dpkey.h"
#include "pmd/pmd_ctl.h"

struct text;

enum { DPCTL_MAX_WORDS = 8 };

// What a command was given: options anywhere, the rest in order.
struct dpctl_args {
    struct dp *dp;
    bool more, names, no_names, statistics, clear;
    const char *words[DPCTL_MAX_WORDS];
    int n_words;
};

// False: an error was sent, for an unknown option.  'dp' is NULL without a datapath.
bool dpctl_parse_options(struct unixctl_conn *, int argc, const char *argv[], void *dpp,
                         struct dpctl_args *);
// Options in front only: how many there are, or -1 and an error was sent.
int dpctl_parse_leading_options(struct unixctl_conn *, int argc, const char *argv[], void *dpp,
                                struct dpctl_args *);
// As dpctl_parse_options(), and no datapath is an error, too.
bool dpctl_parse_args(struct unixctl_conn *, int argc, const char *argv[], void *dpp,
                      struct dpctl_args *);
// Takes the name of the datapath off the front of 'n_max' words or more.  False: an error was sent,
// since there are too many words and the first is no datapath.
bool dpctl_take_dp_name(struct unixctl_conn *, struct dpctl_args *, int n_max);

// Names of the datapath's ports; 'print': in output, too, instead of their numbers.
struct dp_port_names dpctl_names(const struct dp *, bool print);
// "packets:1, bytes:60, used:0.1s, flags:S".
void dpctl_put_stats(struct text *, const struct dp_flow_stats *);

// Called by dpctl_init(): flows by hand, texts of actions.
void dpctl_flow_init(struct dp **);
void dpctl_normalize_init(struct dp **);

#endif
