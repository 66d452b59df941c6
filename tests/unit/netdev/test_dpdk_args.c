// SPDX-License-Identifier: Apache-2.0
//
// The arguments that EAL gets for each configuration: what is made, what dpdk-extra overrides, and
// what the machine decides.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "netdev/dpdk_args.h"

static const struct dpdk_machine no_huge = {.first_cpu = 3, .has_pci = true, .file_prefix = "p"};
static const struct dpdk_machine huge = {
    .first_cpu = 0, .has_pci = true, .file_prefix = "p", .free_huge_bytes = 1ULL << 30};

// Compares the whole line made from pairs of keys and values.
static void
check(const struct dpdk_machine *machine, const char *expected, const char *const pairs[][2],
      size_t n_pairs)
{
    struct smap config = SMAP_INIT;
    struct dpdk_args args;
    struct str line = STR_INIT;

    for (size_t i = 0; i < n_pairs; i++) {
        smap_put(&config, pairs[i][0], pairs[i][1]);
    }
    dpdk_args_init(&args, &config, machine);
    dpdk_args_format(&args, &line);
    assert_string_equal(str_cstr(&line), expected);
    assert_null(args.argv[args.argc]);
    dpdk_args_free(&args);
    str_free(&line);
    smap_destroy(&config);
}

#define CHECK(MACHINE, EXPECTED, ...)                        \
    do {                                                     \
        static const char *const pairs[][2] = {__VA_ARGS__}; \
        check(MACHINE, EXPECTED, pairs, ARRAY_SIZE(pairs));  \
    } while (0)

static void
test_no_huge_pages(void **state)
{
    CHECK(&no_huge,
          "--lcores 0@3 --no-huge -m 1024 --iova-mode=va --no-shconf -a 0000:00:00.0 "
          "--no-telemetry --file-prefix p",
          {"dpdk-init", "true"});
    CHECK(&no_huge,
          "--lcores 0@3 --no-huge -m 600 --iova-mode=va --no-shconf -a 0000:00:00.0 "
          "--no-telemetry --file-prefix p",
          {"dpdk-alloc-mem", "600"});
    // Huge pages that are asked for and missing: as many megabytes of ordinary ones.
    CHECK(&no_huge,
          "--lcores 0@3 --no-huge -m 1536 --iova-mode=va --no-shconf -a 0000:00:00.0 "
          "--no-telemetry --file-prefix p",
          {"dpdk-socket-mem", "1024,512"});
}

static void
test_huge_pages(void **state)
{
    struct dpdk_machine hidden = huge;

    hidden.huge_dir = "/";
    CHECK(&hidden,
          "--lcores 0@0 --huge-dir / --in-memory -a 0000:00:00.0 --no-telemetry --file-prefix p",
          {"dpdk-init", "true"});
    CHECK(&hidden,
          "--lcores 0@0 --huge-dir /mnt/h --in-memory -a 0000:00:00.0 --no-telemetry "
          "--file-prefix p",
          {"dpdk-hugepage-dir", "/mnt/h"});
    CHECK(&huge, "--lcores 0@0 --in-memory -a 0000:00:00.0 --no-telemetry --file-prefix p",
          {"dpdk-init", "true"});
    CHECK(&huge,
          "--lcores 0@0 --socket-mem 1024,0 --socket-limit 2048 --huge-dir /mnt/h --in-memory "
          "-a 0000:00:00.0 --no-telemetry --file-prefix p",
          {"dpdk-socket-mem", "1024,0"}, {"dpdk-alloc-mem", "77"}, {"dpdk-socket-limit", "2048"},
          {"dpdk-hugepage-dir", "/mnt/h"});
}

// Together with its spare process the switch takes what it was asked to take.
static void
test_a_spare_has_its_share(void **state)
{
    struct dpdk_machine small = huge, large = huge;

    small.has_spare = large.has_spare = true;
    small.huge_page_bytes = 2 << 20;
    large.huge_page_bytes = 1 << 30;
    CHECK(&small,
          "--lcores 0@0 --socket-mem 0,896,512 --in-memory -a 0000:00:00.0 --no-telemetry "
          "--file-prefix p",
          {"dpdk-socket-mem", "0,1024,512"});
    CHECK(&small, "--lcores 0@0 -m 128 --in-memory -a 0000:00:00.0 --no-telemetry --file-prefix p",
          {"dpdk-alloc-mem", "256"});
    // Too little to share.
    CHECK(&small,
          "--lcores 0@0 --socket-mem 255 --in-memory -a 0000:00:00.0 --no-telemetry "
          "--file-prefix p",
          {"dpdk-socket-mem", "255"});
    CHECK(&large,
          "--lcores 0@0 --socket-mem 1024 --in-memory -a 0000:00:00.0 --no-telemetry "
          "--file-prefix p",
          {"dpdk-socket-mem", "1024"});
    CHECK(&large,
          "--lcores 0@0 --socket-mem 1024,0 --in-memory -a 0000:00:00.0 --no-telemetry "
          "--file-prefix p",
          {"dpdk-socket-mem", "2048,0"});
    // Who says it in EAL's words means them, and pages in files are of one process.
    CHECK(&small,
          "--socket-mem 1024 --lcores 0@0 --in-memory -a 0000:00:00.0 --no-telemetry "
          "--file-prefix p",
          {"dpdk-extra", "--socket-mem 1024"});
    CHECK(&small,
          "--legacy-mem --lcores 0@0 --socket-mem 1024 -a 0000:00:00.0 --no-telemetry "
          "--file-prefix p",
          {"dpdk-extra", "--legacy-mem"}, {"dpdk-socket-mem", "1024"});
}

// Node 0 has 512 MB, node 1 none, and there are no more.
static uint64_t
free_of_nodes(int node)
{
    return node <= 0 ? 512 : 0;
}

static bool
fits(const struct dpdk_machine *machine, const char *key, const char *value)
{
    struct smap config = SMAP_INIT;
    struct dpdk_args args;

    smap_put(&config, key, value);
    dpdk_args_init(&args, &config, machine);
    bool fit = dpdk_args_fit(&args, free_of_nodes);
    dpdk_args_free(&args);
    smap_destroy(&config);
    return fit;
}

static void
test_pages_that_are_missing(void **state)
{
    assert_true(fits(&huge, "dpdk-init", "true"));
    assert_true(fits(&huge, "dpdk-socket-mem", "512"));
    assert_true(fits(&huge, "dpdk-socket-mem", "512,0,0"));
    assert_false(fits(&huge, "dpdk-socket-mem", "513"));
    assert_false(fits(&huge, "dpdk-socket-mem", "0,1"));
    assert_false(fits(&huge, "dpdk-socket-mem", "64,0,64"));
    assert_true(fits(&huge, "dpdk-alloc-mem", "512"));
    assert_false(fits(&huge, "dpdk-alloc-mem", "513"));
    assert_true(fits(&huge, "dpdk-extra", "--socket-mem=512,0"));
    assert_false(fits(&huge, "dpdk-extra", "--socket-mem=512,1"));
    assert_false(fits(&huge, "dpdk-extra", "--socket-mem 513"));
    assert_false(fits(&huge, "dpdk-extra", "-m 513"));
    // Words that lack their value are EAL's to refuse, and ordinary pages are not counted.
    assert_true(fits(&huge, "dpdk-extra", "--file-prefix x --socket-mem=,"));
    assert_true(fits(&no_huge, "dpdk-socket-mem", "4096"));
    assert_true(fits(&huge, "dpdk-extra", "--no-huge -m 4096"));
}

static void
test_lcore_mask(void **state)
{
    CHECK(&huge, "--lcores 0@(1,4,5) --in-memory -a 0000:00:00.0 --no-telemetry --file-prefix p",
          {"dpdk-lcore-mask", "0x32"});
    CHECK(&huge, "--lcores 0@(64) --in-memory -a 0000:00:00.0 --no-telemetry --file-prefix p",
          {"dpdk-lcore-mask", "10000000000000000"});
    // Nonsense and an empty mask: the default.
    CHECK(&huge, "--lcores 0@0 --in-memory -a 0000:00:00.0 --no-telemetry --file-prefix p",
          {"dpdk-lcore-mask", "0xyz"});
    CHECK(&huge, "--lcores 0@0 --in-memory -a 0000:00:00.0 --no-telemetry --file-prefix p",
          {"dpdk-lcore-mask", "0"});
}

// Where the thread that starts EAL is to stay.
static void
check_place(const char *key, const char *value, bool has_lcores, int mask_cpu)
{
    struct smap config = SMAP_INIT;
    struct dpdk_args args;

    smap_put(&config, key, value);
    dpdk_args_init(&args, &config, &huge);
    assert_int_equal(args.has_lcores, has_lcores);
    assert_int_equal(args.mask_cpu, mask_cpu);
    dpdk_args_free(&args);
    smap_destroy(&config);
}

static void
test_the_place_of_the_main_thread(void **state)
{
    check_place("dpdk-lcore-mask", "0x32", true, 1);
    check_place("dpdk-lcore-mask", "10000000000000000", true, 64);
    check_place("dpdk-lcore-mask", "0xyz", false, -1);
    check_place("dpdk-lcore-mask", "0", false, -1);
    check_place("dpdk-extra", "-l 1", true, -1);
    check_place("dpdk-extra", "-S 0x2", false, -1);
    check_place("dpdk-init", "true", false, -1);
}

static void
test_extra_wins(void **state)
{
    CHECK(&huge, "-l 1 -m 99 --legacy-mem --no-pci --telemetry --file-prefix=x",
          {"dpdk-extra", "-l 1 -m 99 --legacy-mem --no-pci --telemetry --file-prefix=x"},
          {"dpdk-alloc-mem", "5"});
    // What stock deployments write for machines without huge pages.
    CHECK(&huge,
          "--no-huge --legacy-mem --no-pci --file-prefix=x --lcores 0@0 -m 600 --iova-mode=va "
          "--no-shconf --no-telemetry",
          {"dpdk-extra", "--no-huge --legacy-mem --no-pci --file-prefix=x"},
          {"dpdk-alloc-mem", "600"});
    CHECK(&huge,
          "--vdev net_tap0,iface=a b --lcores 0@0 --in-memory -a 0000:00:00.0 "
          "--no-telemetry --file-prefix p",
          {"dpdk-extra", "  --vdev 'net_tap0,iface=a b'\t"});
    CHECK(&huge, "-b 0000:01:00.0 --lcores 0@0 --in-memory --no-telemetry --file-prefix p",
          {"dpdk-extra", "-b 0000:01:00.0"});
}

static void
test_devices(void **state)
{
    static const struct dpdk_machine no_pci = {.file_prefix = "p", .free_huge_bytes = 1ULL << 30};

    CHECK(&huge, "--lcores 0@0 --in-memory --no-telemetry --file-prefix p",
          {"dpdk-probe-at-init", "true"});
    CHECK(&no_pci, "--lcores 0@0 --in-memory --no-pci --no-telemetry --file-prefix p",
          {"dpdk-init", "try"});
}

static bool
reads_drivers_later(const char *key, const char *value)
{
    struct smap config = SMAP_INIT;
    struct dpdk_args args;

    smap_put(&config, key, value);
    dpdk_args_init(&args, &config, &huge);
    bool later = args.lazy_drivers;
    dpdk_args_free(&args);
    smap_destroy(&config);
    return later;
}

// A device that EAL is to find at start must have its driver there.
static void
test_drivers_are_read_later_unless_a_device_is_named(void **state)
{
    assert_true(reads_drivers_later("dpdk-init", "true"));
    assert_true(reads_drivers_later("dpdk-extra", "--no-pci --file-prefix x"));
    assert_false(reads_drivers_later("dpdk-probe-at-init", "true"));
    assert_false(reads_drivers_later("dpdk-extra", "--vdev net_null0"));
    assert_false(reads_drivers_later("dpdk-extra", "-a 0000:01:00.0"));
    assert_false(reads_drivers_later("dpdk-extra", "--block=0000:01:00.0"));
}

static void
check_node_bytes(const char *key, const char *value, bool one_node, const uint64_t expected_mb[4])
{
    struct smap config = SMAP_INIT;
    struct dpdk_args args;
    uint64_t bytes[4];

    smap_put(&config, key, value);
    dpdk_args_init(&args, &config, &huge);
    dpdk_args_node_bytes(&args, one_node, bytes, ARRAY_SIZE(bytes));
    for (size_t i = 0; i < ARRAY_SIZE(bytes); i++) {
        assert_int_equal(bytes[i], expected_mb[i] << 20);
    }
    dpdk_args_free(&args);
    smap_destroy(&config);
}

static void
test_memory_of_each_node(void **state)
{
    static const uint64_t none[4] = {0}, two[4] = {1024, 0, 512}, one[4] = {600};
    static const uint64_t all[4] = {1, 2, 3, 4};

    check_node_bytes("dpdk-init", "true", true, none);
    check_node_bytes("dpdk-socket-mem", "1024,0,512", false, two);
    check_node_bytes("dpdk-socket-mem", "1,2,3,4,5", true, all);
    check_node_bytes("dpdk-extra", "--socket-mem 7 --socket-mem=1024,,512", false, two);
    check_node_bytes("dpdk-extra", "--socket-mem", true, none);
    // How EAL shares a sum among nodes is its own matter.
    check_node_bytes("dpdk-alloc-mem", "600", true, one);
    check_node_bytes("dpdk-extra", "-m600", true, one);
    check_node_bytes("dpdk-alloc-mem", "600", false, none);
}

static void
test_says_that_huge_pages_are_missing(void **state)
{
    struct smap config = SMAP_INIT;
    struct dpdk_args args;

    dpdk_args_init(&args, &config, &no_huge);
    assert_true(args.no_huge);
    assert_false(args.missing_huge);
    dpdk_args_free(&args);
    smap_put(&config, "dpdk-socket-mem", "1024");
    dpdk_args_init(&args, &config, &no_huge);
    assert_true(args.no_huge);
    assert_true(args.missing_huge);
    dpdk_args_free(&args);
    dpdk_args_init(&args, &config, &huge);
    assert_false(args.no_huge);
    dpdk_args_free(&args);
    smap_destroy(&config);
}

// The keys that are left out of a configuration with one key, in one string.
static const char *
left_out(const char *key, const char *value)
{
    struct smap config = SMAP_INIT;
    struct dpdk_args args;

    smap_put(&config, key, value);
    dpdk_args_init(&args, &config, &no_huge);
    const char *found = args.bad_lcores != NULL ? args.bad_lcores : args.bad_memory;
    dpdk_args_free(&args);
    smap_destroy(&config);
    return found != NULL ? found : "";
}

static void
test_names_what_it_leaves_out(void **state)
{
    static const char *const good[][2] = {
        {"dpdk-lcore-mask", "3"}, {"dpdk-lcore-mask", "0X30"}, {"dpdk-socket-mem", "1024,0"},
        {"dpdk-socket-mem", "0"}, {"dpdk-alloc-mem", "512"},   {"dpdk-extra", "-m 5"},
    };
    static const char *const bad[][2] = {
        {"dpdk-lcore-mask", "0xyz"}, {"dpdk-lcore-mask", ""},     {"dpdk-lcore-mask", "0"},
        {"dpdk-socket-mem", "abc"},  {"dpdk-socket-mem", "1 GB"}, {"dpdk-socket-mem", ""},
        {"dpdk-alloc-mem", "-5"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_string_equal(left_out(good[i][0], good[i][1]), "");
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_string_equal(left_out(bad[i][0], bad[i][1]), bad[i][0]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_huge_pages),
        cmocka_unit_test(test_huge_pages),
        cmocka_unit_test(test_a_spare_has_its_share),
        cmocka_unit_test(test_pages_that_are_missing),
        cmocka_unit_test(test_lcore_mask),
        cmocka_unit_test(test_the_place_of_the_main_thread),
        cmocka_unit_test(test_extra_wins),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_drivers_are_read_later_unless_a_device_is_named),
        cmocka_unit_test(test_memory_of_each_node),
        cmocka_unit_test(test_says_that_huge_pages_are_missing),
        cmocka_unit_test(test_names_what_it_leaves_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
