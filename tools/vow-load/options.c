#include "tools/vow-load/options.h"

#include "tools/vow-load/buffer.h"
#include "tools/vow-load/quantity.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)
#define CLOSED_OUTSTANDING 1
#define OPEN_OUTSTANDING 10000
#define COUNT_MAX UINT64_C(1000000000000)

/* Single values */

typedef bool set_fn(load_options *options, const char *value, load_problem *problem);

static bool wants(load_problem *problem, const char *what, const char *value)
{
    return load_problem_set(problem, "takes %s, not \"%s\"", what, value);
}

static bool set_duration(uint64_t *ns, const char *value, load_problem *problem)
{
    return load_parse_duration(value, ns) ||
           wants(problem, "a time with its unit, such as 10s or 500ms", value);
}

static bool set_count(uint64_t *count, uint64_t most, const char *value, load_problem *problem)
{
    if (load_parse_count(value, most, count) && *count > 0)
        return true;
    return load_problem_set(problem, "takes a number from 1 to %llu, not \"%s\"", (unsigned long long)most,
                            value);
}

static bool set_outstanding(load_options *options, const char *value, load_problem *problem)
{
    return set_count(&options->outstanding, LOAD_OUTSTANDING_MAX, value, problem);
}

static bool set_rate(load_options *options, const char *value, load_problem *problem)
{
    (void)problem;
    options->rates = value;
    return true;
}

static bool set_length(load_options *options, const char *value, load_problem *problem)
{
    options->has_length = true;
    if (!set_duration(&options->length_ns, value, problem))
        return false;
    return options->length_ns > 0 || load_problem_set(problem, "of 0 measures nothing");
}

static bool set_calls(load_options *options, const char *value, load_problem *problem)
{
    return set_count(&options->count, COUNT_MAX, value, problem);
}

static bool set_warm_up(load_options *options, const char *value, load_problem *problem)
{
    options->has_warm_up = true;
    return set_duration(&options->warm_up_ns, value, problem);
}

static bool set_connections(load_options *options, const char *value, load_problem *problem)
{
    return set_count(&options->connections, LOAD_CONNECTIONS_MAX, value, problem);
}

static bool set_threads(load_options *options, const char *value, load_problem *problem)
{
    return set_count(&options->threads, LOAD_THREADS_MAX, value, problem);
}

static bool set_capacity(load_options *options, const char *value, load_problem *problem)
{
    options->finds_capacity = true;
    return load_expectation_parse(&options->capacity, value, problem);
}

static bool set_expectation(load_options *options, const char *value, load_problem *problem)
{
    if (options->expectation_count == LOAD_EXPECTATIONS_MAX)
        return load_problem_set(problem, "was given more than %d times", LOAD_EXPECTATIONS_MAX);
    return load_expectation_parse(&options->expectations[options->expectation_count++], value, problem);
}

static bool set_seed(load_options *options, const char *value, load_problem *problem)
{
    return load_parse_count(value, UINT64_C(1) << 53, &options->seed) ||
           wants(problem, "a whole number", value);
}

static bool set_timeout(load_options *options, const char *value, load_problem *problem)
{
    uint64_t ns;

    if (strcmp(value, "none") == 0) {
        options->timeout_ms = VOW_NO_TIMEOUT;
        return true;
    }
    if (!set_duration(&ns, value, problem))
        return false;
    options->timeout_ms = (int64_t)(ns / 1000000);
    return options->timeout_ms > 0 || load_problem_set(problem, "takes at least 1ms, or none");
}

static bool set_connect(load_options *options, const char *value, load_problem *problem)
{
    if (!set_duration(&options->connect_ns, value, problem))
        return false;
    return options->connect_ns >= 1000000 || load_problem_set(problem, "takes at least 1ms");
}

static bool set_give_up(load_options *options, const char *value, load_problem *problem)
{
    return set_duration(&options->give_up_ns, value, problem);
}

static bool set_folder(load_options *options, const char *value, load_problem *problem)
{
    size_t count = 0;

    while (options->folders[count])
        count++;
    if (count == LOAD_FOLDERS_MAX)
        return load_problem_set(problem, "was given more than %d times", LOAD_FOLDERS_MAX);
    options->folders[count] = value;
    return true;
}

/* HTTP's habit: "Name: value". Names of metadata are lower case. */
static bool set_metadata(load_options *options, const char *value, load_problem *problem)
{
    const char *colon = strchr(value, ':');
    char       *name;

    if (!colon || colon == value)
        return wants(problem, "NAME:VALUE", value);
    if (options->metadata_count == LOAD_METADATA_MAX)
        return load_problem_set(problem, "was given more than %d times", LOAD_METADATA_MAX);
    name = load_copy(value, (size_t)(colon - value));
    for (char *at = name; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    for (colon++; *colon == ' '; colon++)
        continue;
    options->metadata_names[options->metadata_count] = name;
    options->metadata[options->metadata_count++] = (vow_metadata){ .name = name, .value = colon };
    return true;
}

/* All of them */

#define TEXT(field) offsetof(load_options, field)

static const struct {
    const char *name;
    set_fn     *set; /* NULL: `text` is where the value goes */
    size_t      text;
} values[] = {
    { "--outstanding", set_outstanding, 0 },
    { "--rate", set_rate, 0 },
    { "--duration", set_length, 0 },
    { "--count", set_calls, 0 },
    { "--warm-up", set_warm_up, 0 },
    { "--connections", set_connections, 0 },
    { "--threads", set_threads, 0 },
    { "--find-capacity", set_capacity, 0 },
    { "--json", NULL, TEXT(json) },
    { "--seed", set_seed, 0 },
    { "--data", NULL, TEXT(data_file) },
    { "--proto", NULL, TEXT(proto_file) },
    { "-I", set_folder, 0 },
    { "--descriptors", NULL, TEXT(descriptors_file) },
    { "-H", set_metadata, 0 },
    { "--timeout", set_timeout, 0 },
    { "--ca", NULL, TEXT(tls.ca_file) },
    { "--cert", NULL, TEXT(tls.certificate_file) },
    { "--key", NULL, TEXT(tls.key_file) },
    { "--server-name", NULL, TEXT(tls.server_name) },
    { "--expect", set_expectation, 0 },
    { "--json-out", NULL, TEXT(json_out) },
    { "--html", NULL, TEXT(html_out) },
    { "--connect-timeout", set_connect, 0 },
    { "--give-up", set_give_up, 0 },
};

static const struct {
    const char *name;
    size_t      flag;
} flags[] = {
    { "--insecure", TEXT(tls.trusts_anybody) },
    { "--quiet", TEXT(is_quiet) },
    { "--no-trial", TEXT(has_no_trial) },
    { "--spin", TEXT(spins) },
    { "--help", TEXT(wants_help) },
    { "--version", TEXT(wants_version) },
};

/* Gives how many arguments were taken; 0: `problem` says what is wrong with the first. */
static int option_take(load_options *options, char **argv, int left, load_problem *problem)
{
    load_problem why;

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (strcmp(argv[0], flags[i].name) == 0) {
            *(bool *)((char *)options + flags[i].flag) = true;
            return 1;
        }
    }
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        if (strcmp(argv[0], values[i].name) != 0)
            continue;
        if (left < 2) {
            load_problem_set(problem, "%s: a value is missing", argv[0]);
            return 0;
        }
        if (!values[i].set) {
            *(const char **)((char *)options + values[i].text) = argv[1];
            return 2;
        }
        if (values[i].set(options, argv[1], &why))
            return 2;
        load_problem_set(problem, "%s: %s", argv[0], why.text);
        return 0;
    }
    load_problem_set(problem, "there is no option %s", argv[0]);
    return 0;
}

static bool options_read(load_options *options, int argc, char **argv, load_problem *problem)
{
    for (int i = 1; i < argc;) {
        if (argv[i][0] == '-') {
            int taken = option_take(options, argv + i, argc - i, problem);

            if (taken == 0)
                return false;
            i += taken;
        } else if (!options->target) {
            options->target = argv[i++];
        } else if (!options->method) {
            options->method = argv[i++];
        } else {
            return load_problem_set(problem, "\"%s\" is one argument too many", argv[i]);
        }
    }
    return true;
}

/* What one option means depends on others. */
static void options_fill(load_options *options)
{
    bool is_open = options->rates || options->finds_capacity;

    if (!options->has_length)
        options->length_ns = (options->finds_capacity ? 3 : 10) * SECOND_NS;
    if (!options->has_warm_up)
        options->warm_up_ns = options->count ? 0 : SECOND_NS;
    if (!options->outstanding)
        options->outstanding = is_open ? OPEN_OUTSTANDING : CLOSED_OUTSTANDING;
    if (!options->threads)
        options->threads = 1;
    if (!options->connections)
        options->connections = options->threads;
    options->tls.size = sizeof options->tls;
}

static bool has_tls_options(const load_options *options)
{
    const vow_tls_options *tls = &options->tls;

    return tls->ca_file || tls->certificate_file || tls->key_file || tls->server_name || tls->trusts_anybody;
}

/* tls://, tls+unix://, grpcs:// and so on. */
static bool is_over_tls(const char *target)
{
    return strncmp(target, "tls", 3) == 0 || strncmp(target, "grpcs", 5) == 0;
}

static bool options_check(const load_options *options, load_problem *problem)
{
    load_schedule schedule;

    if (!options->target || !options->method)
        return load_problem_set(problem, "TARGET and METHOD are needed");
    if (!strstr(options->target, "://"))
        return load_problem_set(problem, "the target \"%s\" is no URL, such as tcp://127.0.0.1:7000",
                                options->target);
    if (has_tls_options(options) && !is_over_tls(options->target))
        return load_problem_set(problem,
                                "%s is called without TLS: --ca, --cert, --key, --server-name and "
                                "--insecure want tls:// or grpcs://",
                                options->target);
    if (!strchr(options->method, '/'))
        return load_problem_set(problem, "the method \"%s\" is not like package.Service/Method",
                                options->method);
    if (options->json && options->data_file)
        return load_problem_set(problem, "--json and --data both say what is asked");
    if (options->proto_file && options->descriptors_file)
        return load_problem_set(problem, "--proto and --descriptors both say where the method is described");
    if (options->count && (options->has_length || options->finds_capacity))
        return load_problem_set(problem, "--count and --%s both say when it ends",
                                options->has_length ? "duration" : "find-capacity");
    if (options->connections < options->threads)
        return load_problem_set(problem, "--connections: each of %llu threads has one at least",
                                (unsigned long long)options->threads);
    if (options->outstanding < options->connections)
        return load_problem_set(problem, "--outstanding: %llu connections want as many calls at least",
                                (unsigned long long)options->connections);
    return load_options_schedule(options, &schedule, problem);
}

bool load_options_parse(load_options *options, int argc, char **argv, load_problem *problem)
{
    *options = (load_options){
        .seed = 1,
        .timeout_ms = 10000,
        .connect_ns = 10 * SECOND_NS,
        .give_up_ns = 2 * SECOND_NS,
    };
    if (!options_read(options, argc, argv, problem))
        return false;
    if (options->wants_help || options->wants_version)
        return true;
    options_fill(options);
    return options_check(options, problem);
}

void load_options_done(load_options *options)
{
    for (size_t i = 0; i < options->metadata_count; i++)
        free(options->metadata_names[i]);
}

bool load_options_schedule(const load_options *options, load_schedule *schedule, load_problem *problem)
{
    const char *rates = options->rates ? options->rates : "1000";

    if (!options->rates && !options->finds_capacity)
        load_schedule_closed(schedule, options->count ? LOAD_DURATION_MAX_NS : options->length_ns);
    else if (!load_schedule_open(schedule, rates, options->length_ns, problem))
        return false;
    if (schedule->step_count > 1 && (options->count || options->finds_capacity))
        return load_problem_set(problem, "--%s goes with one rate, not with several",
                                options->count ? "count" : "find-capacity");
    if (options->count)
        load_schedule_limit(schedule, options->count);
    load_schedule_warm_up(schedule, options->warm_up_ns);
    return true;
}
