/*
 * The command line of vow-load, as numbers and names. What it takes is told by load_help.
 */
#ifndef VOW_LOAD_OPTIONS_H
#define VOW_LOAD_OPTIONS_H

#include "tools/vow-load/expect.h"
#include "tools/vow-load/problem.h"
#include "tools/vow-load/schedule.h"

#include <vow/vow.h>

#define LOAD_METADATA_MAX 100
#define LOAD_FOLDERS_MAX 32
#define LOAD_OUTSTANDING_MAX 1000000
#define LOAD_CONNECTIONS_MAX 10000
#define LOAD_THREADS_MAX 64

/* Texts are lent by the command line; NULL: not given. */
typedef struct load_options {
    const char *target;
    const char *method;
    bool        wants_help, wants_version;

    const char *data_file;
    const char *json; /* a file, or the text itself */
    const char *proto_file;
    const char *folders[LOAD_FOLDERS_MAX + 1];
    const char *descriptors_file;
    uint64_t    seed;

    vow_metadata metadata[LOAD_METADATA_MAX + 1];
    char        *metadata_names[LOAD_METADATA_MAX]; /* in lower case; owned */
    size_t       metadata_count;
    int64_t      timeout_ms;

    vow_tls_options tls;

    const char *rates; /* NULL: a closed loop */
    uint64_t    length_ns;
    bool        has_length;
    uint64_t    count;
    uint64_t    warm_up_ns;
    bool        has_warm_up;
    uint64_t    outstanding;
    uint64_t    connections;
    uint64_t    threads;
    uint64_t    give_up_ns;
    uint64_t    connect_ns;
    bool        has_no_trial;
    bool        spins;

    load_expectation expectations[LOAD_EXPECTATIONS_MAX];
    size_t           expectation_count;
    load_expectation capacity;
    bool             finds_capacity;

    const char *json_out;
    const char *html_out;
    bool        is_quiet;
} load_options;

extern const char load_help[];

/* False: `problem` says which argument is wrong, and why. */
bool load_options_parse(load_options *options, int argc, char **argv, load_problem *problem);
void load_options_done(load_options *options);

/* The schedule that they ask for; of a search for the capacity, that of its first rate. */
bool load_options_schedule(const load_options *options, load_schedule *schedule, load_problem *problem);

#endif
