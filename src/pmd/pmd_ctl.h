// SPDX-License-Identifier: Apache-2.0
//
// What the command files of this folder share.
#ifndef PMD_PMD_CTL_H
#define PMD_PMD_CTL_H

#include <inttypes.h>

#include "pmd/pmd.h"

struct unixctl_conn;

struct pmd_ctl_args {
    int core; // -1: all
    unsigned secs;
    unsigned n_iterations, n_milliseconds;
    bool no_histograms;
};

// The datapath, or NULL when there is none: before the first bridge, and after the last.
struct dp *pmd_ctl_dp(struct dp **);
// Likewise; an error is sent when there is none.
struct dp *pmd_ctl_dp_or_error(struct unixctl_conn *, struct dp **);
struct pmd **pmd_ctl_list(const struct dp *, unsigned *n);
void pmd_ctl_put_header(struct str *, const struct pmd *);

typedef void pmd_ctl_put_fn(struct str *, struct pmd *, const struct pmd_ctl_args *);
// Answers with what the function says of each PMD that 'args' asks for.
void pmd_ctl_show(struct unixctl_conn *, const struct dp *, const struct pmd_ctl_args *args,
                  pmd_ctl_put_fn *);

bool pmd_ctl_is_dp_name(const struct dp *, const char *);
bool pmd_ctl_parse(struct unixctl_conn *, const struct dp *, int argc, const char *argv[],
                   struct pmd_ctl_args *);
void perf_ctl_init(struct dp **);
void perf_log_ctl_init(struct dp **);
struct perf_record;
void perf_put_iteration_header(struct str *);
void perf_put_iteration(struct str *, const struct perf_record *);
void limits_ctl_init(struct dp **);
void dpctl_init(struct dp **);

#endif
