// SPDX-License-Identifier: Apache-2.0
/*
 * A driver for fuzz targets that needs no clang: runs LLVMFuzzerTestOneInput() on every file of the
 * corpus, then on mutations of them, for a bounded number of runs and seconds.
 *
 *     fuzz_NAME [-runs=N] [-seconds=N] [-seed=N] CORPUS_DIR|FILE...
 *
 * Built with -Db_sanitize=address,undefined, a crash or report ends the process with its status;
 * the input is then left in crash-SEED-RUN (or printed in hex when that cannot be written), so that
 * it can go into the corpus.  With clang and -Dfuzzers=true, libFuzzer takes this file's place.
 */
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_SIZE 65536

struct input {
    uint8_t *data;
    size_t size;
};

static struct {
    struct input *inputs;
    size_t n_inputs;
    uint64_t rng;
    uint64_t seed;
    unsigned long run;
    uint8_t current[MAX_SIZE]; /* What runs now, for the crash handler. */
    size_t current_size;
} fuzz;

static uint64_t
rnd(void)
{
    fuzz.rng ^= fuzz.rng << 13;
    fuzz.rng ^= fuzz.rng >> 7;
    fuzz.rng ^= fuzz.rng << 17;
    return fuzz.rng;
}

static size_t
rnd_below(size_t max)
{
    return max ? (size_t)(rnd() % max) : 0;
}

static void
add_file(const char *path)
{
    uint8_t *data = malloc(MAX_SIZE);
    FILE *stream = fopen(path, "rb");

    if (data == NULL || stream == NULL) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    size_t size = fread(data, 1, MAX_SIZE, stream);
    fclose(stream);
    fuzz.inputs = realloc(fuzz.inputs, (fuzz.n_inputs + 1) * sizeof(*fuzz.inputs));
    fuzz.inputs[fuzz.n_inputs++] = (struct input){data, size};
}

static void
add_path(const char *path)
{
    struct dirent **entries;
    struct stat st;

    if (stat(path, &st) != 0) {
        fprintf(stderr, "%s does not exist\n", path);
        exit(2);
    }
    if (!S_ISDIR(st.st_mode)) {
        add_file(path);
        return;
    }
    int n = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char file[4096];
        snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
        if (stat(file, &st) == 0 && S_ISREG(st.st_mode)) {
            add_file(file);
        }
        free(entries[i]);
    }
    free(entries);
}

static void
save_current(void)
{
    char name[64];

    snprintf(name, sizeof(name), "crash-%" PRIu64 "-%lu", fuzz.seed, fuzz.run);
    FILE *stream = fopen(name, "wb");
    if (stream != NULL) {
        fwrite(fuzz.current, 1, fuzz.current_size, stream);
        fclose(stream);
        fprintf(stderr, "fuzz: the input that failed is in %s\n", name);
        return;
    }
    fprintf(stderr, "fuzz: the input that failed:");
    for (size_t i = 0; i < fuzz.current_size; i++) {
        fprintf(stderr, "%02x", fuzz.current[i]);
    }
    fprintf(stderr, "\n");
}

/* ASan calls this before it ends the process; gcc's runtime has it as a weak hook. */
void __asan_on_error(void);
void
__asan_on_error(void)
{
    save_current();
}

static void
on_abort(int signum)
{
    save_current();
    signal(signum, SIG_DFL);
    raise(signum);
}

/* Runs on a copy of exactly the right size, so that ASan sees each byte read beyond it. */
static void
run_one(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    memcpy(fuzz.current, data, size);
    fuzz.current_size = size;
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    fuzz.run++;
}

static const uint64_t interesting[] = {
    0,    1,      2,      7,      8,       15,         16,         31,         32,        63,
    64,   127,    128,    255,    256,     511,        1023,       1500,       4095,      4096,
    9000, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, UINT64_MAX};

static size_t
mutate_once(uint8_t *p, size_t size)
{
    size_t pos = rnd_below(size);

    switch (rnd_below(9)) {
    case 0: /* Flip a bit. */
        if (size > 0) {
            p[pos] ^= (uint8_t)(1u << rnd_below(8));
        }
        break;
    case 1: /* Random byte. */
        if (size > 0) {
            p[pos] = (uint8_t)rnd();
        }
        break;
    case 2: /* Cut. */
        size = pos;
        break;
    case 3: { /* Remove a piece. */
        size_t n = rnd_below(size - pos + 1);
        memmove(p + pos, p + pos + n, size - pos - n);
        size -= n;
        break;
    }
    case 4: { /* Repeat a piece. */
        size_t n = rnd_below(size - pos + 1);
        if (size + n <= MAX_SIZE) {
            memmove(p + pos + n, p + pos, size - pos);
            size += n;
        }
        break;
    }
    case 5: { /* An interesting number of 1, 2, 4 or 8 bytes, big-endian. */
        size_t n = (size_t)1 << rnd_below(4);
        uint64_t value = interesting[rnd_below(sizeof(interesting) / sizeof(interesting[0]))];
        for (size_t i = 0; pos + n <= size && i < n; i++) {
            p[pos + i] = (uint8_t)(value >> (8 * (n - 1 - i)));
        }
        break;
    }
    case 6: /* Insert random bytes. */
        if (size < MAX_SIZE) {
            memmove(p + pos + 1, p + pos, size - pos);
            p[pos] = (uint8_t)rnd();
            size++;
        }
        break;
    case 7: { /* A piece of another input. */
        const struct input *other = &fuzz.inputs[rnd_below(fuzz.n_inputs)];
        size_t from = rnd_below(other->size);
        size_t n = rnd_below(other->size - from + 1);
        n = pos + n > MAX_SIZE ? MAX_SIZE - pos : n;
        memcpy(p + pos, other->data + from, n);
        size = pos + n > size ? pos + n : size;
        break;
    }
    default: /* Count up or down. */
        if (size > 0) {
            p[pos] += (uint8_t)(rnd() & 1 ? 1 : -1);
        }
        break;
    }
    return size;
}

static void
mutate_and_run(void)
{
    static uint8_t work[MAX_SIZE];
    const struct input *input = &fuzz.inputs[rnd_below(fuzz.n_inputs)];
    size_t size = input->size;

    memcpy(work, input->data, size);
    for (size_t n = 1 + rnd_below(6); n > 0; n--) {
        size = mutate_once(work, size);
    }
    run_one(work, size);
}

static int
parse_option(const char *arg, const char *name, unsigned long *value)
{
    size_t len = strlen(name);

    if (strncmp(arg, name, len) != 0) {
        return 0;
    }
    *value = strtoul(arg + len, NULL, 0);
    return 1;
}

int
main(int argc, char *argv[])
{
    unsigned long runs = 50000, seconds = 5, seed = (unsigned long)time(NULL);

    for (int i = 1; i < argc; i++) {
        if (!parse_option(argv[i], "-runs=", &runs) &&
            !parse_option(argv[i], "-seconds=", &seconds) &&
            !parse_option(argv[i], "-seed=", &seed)) {
            add_path(argv[i]);
        }
    }
    if (fuzz.n_inputs == 0) {
        fprintf(stderr, "usage: %s [-runs=N] [-seconds=N] [-seed=N] CORPUS...\n", argv[0]);
        return 2;
    }
    fuzz.seed = seed;
    fuzz.rng = seed * 0x9e3779b97f4a7c15u | 1;
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    for (size_t i = 0; i < fuzz.n_inputs; i++) {
        run_one(fuzz.inputs[i].data, fuzz.inputs[i].size);
    }
    time_t end = time(NULL) + (time_t)seconds;
    for (unsigned long n = 0; n < runs && time(NULL) < end; n++) {
        mutate_and_run();
    }
    printf("fuzz: %lu runs, %zu seeds, seed %lu: ok\n", fuzz.run, fuzz.n_inputs, seed);
    for (size_t i = 0; i < fuzz.n_inputs; i++) {
        free(fuzz.inputs[i].data);
    }
    free(fuzz.inputs);
    return 0;
}
