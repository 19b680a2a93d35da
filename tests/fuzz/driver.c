/*
 * Runs a fuzz target without libFuzzer: over each file of a corpus, and over mutations of it.
 *
 *     fuzz_frames FOLDER [MUTATIONS [SEED]]
 *
 * The idea: the same files, count and seed give the same inputs everywhere, so that a failure in CI is one on
 * every machine. The input under way is in a block of exactly its size, and is written to crash-input on failure.
 */
#include "runtime/base/random.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_MAX ((size_t)64 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* AddressSanitizer ends the program through this; others abort. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static const uint8_t *input;
static size_t         input_size;

static void save_input(void)
{
    int file = open("crash-input", O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (file < 0)
        return;
    if (write(file, input, input_size) == (ssize_t)input_size)
        fprintf(stderr, "the input is in crash-input (%zu bytes)\n", input_size);
    close(file);
}

static void aborted(int signal_number)
{
    save_input();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void run(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);

    if (!exact)
        abort();
    memcpy(exact, data, size);
    input = exact;
    input_size = size;
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

/* Numbers at which codecs go wrong. */
static uint8_t telling_byte(uint64_t *random)
{
    static const uint8_t bytes[] = { 0, 1, 0x7f, 0x80, 0xff, 0x08, 0x0a, 0x10 };

    return vow_random_below(random, 2) ? bytes[vow_random_below(random, sizeof bytes)]
                                       : (uint8_t)vow_random_next(random);
}

/* Removes, doubles or overwrites a piece. Gives the new size. */
static size_t mutate(uint8_t *data, size_t size, uint64_t *random)
{
    size_t at = size ? vow_random_below(random, size) : 0;
    size_t piece = size > at ? 1 + vow_random_below(random, size - at < 32 ? size - at : 32) : 0;

    switch (vow_random_below(random, 5)) {
    case 0:
        memmove(data + at, data + at + piece, size - at - piece);
        return size - piece;
    case 1:
        if (size + piece > INPUT_MAX)
            return size;
        memmove(data + at + piece, data + at, size - at);
        return size + piece;
    case 2:
        if (piece)
            data[at] ^= (uint8_t)(1u << vow_random_below(random, 8));
        return size;
    default:
        if (piece)
            data[at] = telling_byte(random);
        return size;
    }
}

static void run_file(const char *path, long mutations, uint64_t seed)
{
    static uint8_t whole[INPUT_MAX], changed[INPUT_MAX];
    FILE          *file = fopen(path, "rb");
    size_t         size;

    if (!file)
        return;
    size = fread(whole, 1, sizeof whole, file);
    fclose(file);
    run(whole, size);
    for (long i = 0; i < mutations; i++) {
        size_t changed_size = size;

        memcpy(changed, whole, size);
        for (uint64_t left = 1 + vow_random_below(&seed, 6); left > 0; left--)
            changed_size = mutate(changed, changed_size, &seed);
        run(changed, changed_size);
    }
}

int main(int count, char **arguments)
{
    long            mutations = count > 2 ? atol(arguments[2]) : 1000;
    uint64_t        seed = count > 3 ? strtoull(arguments[3], NULL, 0) : 1;
    struct dirent **entries;
    int             files = count > 1 ? scandir(arguments[1], &entries, NULL, alphasort) : -1;
    int             ran = 0;

    if (files < 0) {
        fprintf(stderr, "%s FOLDER [MUTATIONS [SEED]]\n", arguments[0]);
        return 2;
    }
    signal(SIGABRT, aborted);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(save_input);
    for (int i = 0; i < files; i++) {
        char path[4096];

        snprintf(path, sizeof path, "%s/%s", arguments[1], entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') {
            run_file(path, mutations, seed + (uint64_t)i);
            ran++;
        }
        free(entries[i]);
    }
    free(entries);
    printf("%d files, %ld mutations of each\n", ran, mutations);
    return ran == 0;
}
