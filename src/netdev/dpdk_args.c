// SPDX-License-Identifier: Apache-2.0
//
// Builds EAL's command line.  What stands in dpdk-extra wins over everything made here: for each
// option of ours the words of dpdk-extra are searched first.
//
// Defaults and why: one lcore (our threads are ordinary threads that register themselves); nothing
// is probed at start (an allow list with the host bridge, which no driver claims; devices attach
// when a port names them); no shared configuration and no telemetry socket, so that no file stays
// behind and several daemons live on one machine.
#include "netdev/dpdk_args.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static void
put_arg(struct dpdk_args *args, const char *arg)
{
    args->argv = xreallocarray(args->argv, (size_t)args->argc + 2, sizeof(*args->argv));
    args->argv[args->argc++] = xstrdup(arg);
    args->argv[args->argc] = NULL;
}

static void
put_option(struct dpdk_args *args, const char *option, const char *value)
{
    put_arg(args, option);
    put_arg(args, value);
}

// "-l" matches "-l", "-l0" and "-l=0"; "--huge-dir" matches itself and "--huge-dir=...".
static bool
word_is_option(const char *word, const char *option)
{
    size_t len = strlen(option);

    if (strncmp(word, option, len) != 0) {
        return false;
    }
    bool is_short = option[1] != '-';
    return is_short || word[len] == '\0' || word[len] == '=';
}

static bool
has_option(const struct dpdk_args *args, const char *option)
{
    for (int i = 1; i < args->argc; i++) {
        if (word_is_option(args->argv[i], option)) {
            return true;
        }
    }
    return false;
}

static bool
has_any_option(const struct dpdk_args *args, const char *const options[])
{
    for (size_t i = 0; options[i] != NULL; i++) {
        if (has_option(args, options[i])) {
            return true;
        }
    }
    return false;
}

// Splits dpdk-extra like a shell: white space separates, quotes group.
static void
put_extra(struct dpdk_args *args, const char *p)
{
    for (;;) {
        while (isspace((unsigned char)*p)) {
            p++;
        }
        if (*p == '\0') {
            return;
        }
        struct str word = STR_INIT;
        char quote = '\0';
        for (; *p != '\0' && (quote != '\0' || !isspace((unsigned char)*p)); p++) {
            if (quote == '\0' && (*p == '"' || *p == '\'')) {
                quote = *p;
            } else if (*p == quote && quote != '\0') {
                quote = '\0';
            } else {
                str_putc(&word, *p);
            }
        }
        put_arg(args, str_cstr(&word));
        str_free(&word);
    }
}

// A hex mask of CPUs as the list that --lcores takes; returns the lowest, or -1 when it is none or
// empty.
static int
mask_to_list(const char *mask, struct str *list)
{
    int lowest = -1;

    if (mask[0] == '0' && (mask[1] == 'x' || mask[1] == 'X')) {
        mask += 2;
    }
    size_t n = strlen(mask);
    for (size_t i = 0; i < n; i++) {
        if (!isxdigit((unsigned char)mask[i])) {
            return -1;
        }
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)tolower((unsigned char)mask[n - 1 - i]);
        unsigned int digit = isdigit(c) ? c - (unsigned int)'0' : c - 'a' + 10u;
        for (unsigned int bit = 0; bit < 4; bit++) {
            if (digit & (1u << bit)) {
                str_printf(list, "%s%zu", list->len ? "," : "", i * 4 + bit);
                lowest = lowest < 0 ? (int)(i * 4 + bit) : lowest;
            }
        }
    }
    return lowest;
}

static void
put_lcores(struct dpdk_args *args, const struct smap *config, const struct dpdk_machine *machine)
{
    static const char *const lcores[] = {"-c", "-l", "--lcores", NULL};
    static const char *const services[] = {"-s", "-S", NULL};
    args->has_lcores = has_any_option(args, lcores);
    args->mask_cpu = -1;
    if (args->has_lcores || has_any_option(args, services)) {
        return;
    }

    struct str list = STR_INIT, value = STR_INIT;
    const char *mask = smap_get(config, "dpdk-lcore-mask");
    args->mask_cpu = mask != NULL ? mask_to_list(mask, &list) : -1;
    args->has_lcores = args->mask_cpu >= 0;
    if (args->has_lcores) {
        str_printf(&value, "0@(%s)", str_cstr(&list));
    } else {
        args->bad_lcores = mask != NULL ? "dpdk-lcore-mask" : NULL;
        str_printf(&value, "0@%u", machine->first_cpu);
    }
    put_option(args, "--lcores", str_cstr(&value));
    str_free(&value);
    str_free(&list);
}

// Megabytes that the keys ask for, 0 when they do not say.
static uint64_t
wanted_mb(const struct smap *config)
{
    const char *socket_mem = smap_get(config, "dpdk-socket-mem");
    if (socket_mem == NULL) {
        return smap_get_uint(config, "dpdk-alloc-mem", 0);
    }
    uint64_t sum = 0;
    for (const char *p = socket_mem; *p != '\0';) {
        char *end;
        sum += strtoul(p, &end, 10) & 0xffffff;
        p = *end == '\0' ? end : end + 1;
    }
    return sum;
}

// The memory key in force that is no list of numbers; NULL: none.
static const char *
bad_memory_key(const struct smap *config)
{
    const char *key =
        smap_get(config, "dpdk-socket-mem") != NULL ? "dpdk-socket-mem" : "dpdk-alloc-mem";
    const char *value = smap_get_def(config, key, "0");

    return value[0] == '\0' || value[strspn(value, "0123456789,")] != '\0' ? key : NULL;
}

// The text of a memory key with what the spare process has taken off its first number that is not
// 0.
static char *
without_share(const char *value, uint64_t share_mb)
{
    size_t n = strspn(value, "0,");

    return xasprintf("%.*s%llu%s", (int)n, value,
                     (unsigned long long)(strtoul(value + n, NULL, 10) - share_mb),
                     value + n + strspn(value + n, "0123456789"));
}

uint64_t
dpdk_args_share_bytes(const struct smap *config, uint64_t huge_page_bytes)
{
    const char *value =
        smap_get_def(config, "dpdk-socket-mem", smap_get_def(config, "dpdk-alloc-mem", ""));
    uint64_t share = ROUND_UP(DPDK_MIN_HUGE_BYTES, MAX(huge_page_bytes, (uint64_t)1 << 20));
    // Half of what was asked for, or more, stays the switch's.
    uint64_t first_mb = strtoul(value + strspn(value, "0,"), NULL, 10) & 0xffffff;

    return first_mb << 20 >= 2 * share ? share : 0;
}

static void
put_memory_size(struct dpdk_args *args, const struct smap *config,
                const struct dpdk_machine *machine)
{
    uint64_t share = machine->has_spare && !has_option(args, "--legacy-mem")
                         ? dpdk_args_share_bytes(config, machine->huge_page_bytes)
                         : 0;
    const char *option = "--socket-mem", *value = smap_get(config, "dpdk-socket-mem");

    if (value == NULL) {
        option = "-m";
        value = smap_get(config, "dpdk-alloc-mem");
    }
    if (value != NULL) {
        char *text = share > 0 ? without_share(value, share >> 20) : xstrdup(value);
        put_option(args, option, text);
        free(text);
    }
}

static void
put_no_huge(struct dpdk_args *args, const struct smap *config)
{
    char mb[32];

    args->no_huge = true;
    if (!has_option(args, "--no-huge")) {
        put_arg(args, "--no-huge");
    }
    if (!has_option(args, "-m") && !has_option(args, "--socket-mem")) {
        uint64_t wanted = wanted_mb(config);
        args->bad_memory = bad_memory_key(config);
        snprintf(mb, sizeof(mb), "%llu",
                 (unsigned long long)(wanted > 0 ? wanted : DPDK_NO_HUGE_MB));
        put_option(args, "-m", mb);
    }
    if (!has_option(args, "--iova-mode")) {
        put_arg(args, "--iova-mode=va");
    }
    if (!has_option(args, "--no-shconf")) {
        put_arg(args, "--no-shconf");
    }
}

static void
put_memory(struct dpdk_args *args, const struct smap *config, const struct dpdk_machine *machine)
{
    static const char *const memory_options[] = {"-m", "--socket-mem", NULL};
    bool asked = wanted_mb(config) > 0 || has_any_option(args, memory_options);

    if (has_option(args, "--no-huge")) {
        put_no_huge(args, config);
        return;
    }
    if (machine->free_huge_bytes < (asked ? 1 : DPDK_MIN_HUGE_BYTES)) {
        args->missing_huge = asked;
        put_no_huge(args, config);
        return;
    }

    if (!has_any_option(args, memory_options)) {
        put_memory_size(args, config, machine);
    }
    const char *value = smap_get(config, "dpdk-socket-limit");
    if (value != NULL && !has_option(args, "--socket-limit")) {
        put_option(args, "--socket-limit", value);
    }
    value = smap_get(config, "dpdk-hugepage-dir");
    if (value == NULL && !has_option(args, "--legacy-mem")) {
        value = machine->huge_dir;
    }
    if (value != NULL && !has_option(args, "--huge-dir")) {
        put_option(args, "--huge-dir", value);
    }
    if (!has_option(args, "--in-memory") && !has_option(args, "--legacy-mem")) {
        put_arg(args, "--in-memory");
    }
    args->in_memory = has_option(args, "--in-memory");
}

static void
put_devices(struct dpdk_args *args, const struct smap *config, const struct dpdk_machine *machine)
{
    static const char *const options[] = {"-a", "--allow", "-w", "--pci-whitelist",
                                          "-b", "--block", NULL};
    bool named =
        has_any_option(args, options) || smap_get_bool(config, "dpdk-probe-at-init", false);

    args->lazy_drivers = !named && !has_option(args, "--vdev");
    if (named || has_option(args, "--no-pci")) {
        return;
    }
    if (machine->has_pci) {
        put_option(args, "-a", "0000:00:00.0");
    } else {
        put_arg(args, "--no-pci");
    }
}

void
dpdk_args_init(struct dpdk_args *args, const struct smap *config,
               const struct dpdk_machine *machine)
{
    *args = (struct dpdk_args){0};
    put_arg(args, "sluiced");
    put_extra(args, smap_get_def(config, "dpdk-extra", ""));
    put_lcores(args, config, machine);
    put_memory(args, config, machine);
    put_devices(args, config, machine);
    if (!has_option(args, "--telemetry") && !has_option(args, "--no-telemetry")) {
        put_arg(args, "--no-telemetry");
    }
    if (!has_option(args, "--file-prefix")) {
        put_option(args, "--file-prefix", machine->file_prefix);
    }
}

// The value of the last such option; NULL: there is none.
static const char *
last_value(const struct dpdk_args *args, const char *option)
{
    size_t len = strlen(option);
    const char *value = NULL;

    for (int i = 1; i < args->argc; i++) {
        const char *word = args->argv[i];
        if (word_is_option(word, option)) {
            value = word[len] == '\0' ? args->argv[i + 1] : word + len + (word[len] == '=');
        }
    }
    return value;
}

void
dpdk_args_node_bytes(const struct dpdk_args *args, bool one_node, uint64_t *bytes, size_t n_nodes)
{
    const char *by_node = last_value(args, "--socket-mem"), *sum = last_value(args, "-m");
    const char *p = by_node != NULL ? by_node : one_node && sum != NULL ? sum : "";

    memset(bytes, 0, n_nodes * sizeof(*bytes));
    for (size_t node = 0; node < (by_node != NULL ? n_nodes : 1) && *p != '\0'; node++) {
        bytes[node] = ((uint64_t)strtoul(p, NULL, 10) & 0xffffff) << 20;
        p += strcspn(p, ",");
        p += *p == ',';
    }
}

bool
dpdk_args_fit(const struct dpdk_args *args, uint64_t (*free_mb)(int node))
{
    const char *sockets = last_value(args, "--socket-mem"), *all = last_value(args, "-m");
    bool fit = true;

    if (args->no_huge) {
        return true;
    }
    for (int node = 0; fit && sockets != NULL && *sockets != '\0'; node++) {
        uint64_t wanted = strtoul(sockets, NULL, 10);
        fit = wanted == 0 || wanted <= free_mb(node);
        sockets += strcspn(sockets, ",");
        sockets += *sockets == ',';
    }
    return fit && (all == NULL || strtoul(all, NULL, 10) <= free_mb(-1));
}

void
dpdk_args_free(struct dpdk_args *args)
{
    for (int i = 0; i < args->argc; i++) {
        free(args->argv[i]);
    }
    free(args->argv);
    *args = (struct dpdk_args){0};
}

void
dpdk_args_format(const struct dpdk_args *args, struct str *out)
{
    for (int i = 1; i < args->argc; i++) {
        str_printf(out, "%s%s", i > 1 ? " " : "", args->argv[i]);
    }
}
