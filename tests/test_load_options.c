/*
 * vow-load's command line: what each option does, where its values end, and what goes with what.
 */
#include "tools/vow-load/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define S UINT64_C(1000000000)
#define ARGUMENTS_MAX 120

static bool parse(load_options *options, load_problem *problem, const char *const *arguments)
{
    char *argv[ARGUMENTS_MAX] = { (char *)"vow-load" };
    int   argc = 1;

    for (; arguments[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)arguments[argc - 1];
    return load_options_parse(options, argc, argv, problem);
}

/* Of a call over TLS, which takes every option. */
#define READ(options, ...)                                                                                             \
    do {                                                                                                               \
        load_problem why;                                                                                              \
                                                                                                                       \
        if (!parse(&(options), &why, (const char *[]){ "tls://h:1", "a.B/C", __VA_ARGS__, NULL }))                     \
            fail_msg("%s", why.text);                                                                                  \
    } while (0)

static void assert_refused(const char *text, const char *const *arguments)
{
    load_options options;
    load_problem problem;

    if (parse(&options, &problem, arguments))
        fail_msg("it is taken, and not refused: %s", text);
    assert_string_equal(problem.text, text);
    load_options_done(&options);
}

#define REFUSED(text, ...) assert_refused(text, (const char *[]){ "tls://h:1", "a.B/C", __VA_ARGS__, NULL })

static void without_options_one_call_at_a_time_is_made_for_ten_seconds(void **state)
{
    load_options  options;
    load_schedule schedule;
    load_problem  problem;

    (void)state;
    READ(options, NULL);
    assert_string_equal(options.target, "tls://h:1");
    assert_string_equal(options.method, "a.B/C");
    assert_int_equal(options.outstanding, 1);
    assert_int_equal(options.connections, 1);
    assert_int_equal(options.threads, 1);
    assert_int_equal(options.seed, 1);
    assert_int_equal(options.timeout_ms, 10000);
    assert_int_equal(options.connect_ns, 10 * S);
    assert_int_equal(options.give_up_ns, 2 * S);
    assert_int_equal(options.warm_up_ns, S);
    assert_int_equal(options.length_ns, 10 * S);
    assert_false(options.spins || options.has_no_trial || options.is_quiet || options.finds_capacity);
    assert_true(load_options_schedule(&options, &schedule, &problem));
    assert_false(schedule.is_open);
}

static void names_of_files_are_kept_as_they_are(void **state)
{
    load_options options;

    (void)state;
    READ(options, "--json", "{}", "--proto", "a.proto", "-I", "one", "-I", "two", "--ca", "ca.pem", "--cert", "c.pem",
         "--key", "k.pem", "--server-name", "s", "--json-out", "o.json", "--html", "o.html");
    assert_string_equal(options.json, "{}");
    assert_string_equal(options.proto_file, "a.proto");
    assert_string_equal(options.folders[0], "one");
    assert_string_equal(options.folders[1], "two");
    assert_null(options.folders[2]);
    assert_string_equal(options.tls.ca_file, "ca.pem");
    assert_string_equal(options.tls.certificate_file, "c.pem");
    assert_string_equal(options.tls.key_file, "k.pem");
    assert_string_equal(options.tls.server_name, "s");
    assert_int_equal(options.tls.size, sizeof options.tls);
    assert_string_equal(options.json_out, "o.json");
    assert_string_equal(options.html_out, "o.html");
    READ(options, "--data", "d.bin", "--descriptors", "d.set");
    assert_string_equal(options.data_file, "d.bin");
    assert_string_equal(options.descriptors_file, "d.set");
}

static void a_flag_is_one_without_a_value(void **state)
{
    load_options options;

    (void)state;
    READ(options, "--insecure", "--quiet", "--no-trial", "--spin");
    assert_true(options.tls.trusts_anybody);
    assert_true(options.is_quiet);
    assert_true(options.has_no_trial);
    assert_true(options.spins);
    READ(options, "--help");
    assert_true(options.wants_help);
    READ(options, "--version");
    assert_true(options.wants_version);
}

static void metadata_has_its_name_in_lower_case_and_no_space_before_its_value(void **state)
{
    load_options options;

    (void)state;
    READ(options, "-H", "Authorization:  Bearer a: b ", "-H", "x-empty:");
    assert_int_equal(options.metadata_count, 2);
    assert_string_equal(options.metadata[0].name, "authorization");
    assert_string_equal(options.metadata[0].value, "Bearer a: b ");
    assert_string_equal(options.metadata[1].name, "x-empty");
    assert_string_equal(options.metadata[1].value, "");
    assert_null(options.metadata[2].name);
    load_options_done(&options);
    REFUSED("-H: takes NAME:VALUE, not \"name\"", "-H", "name");
    REFUSED("-H: takes NAME:VALUE, not \":value\"", "-H", ":value");
}

static void numbers_have_bounds_on_both_sides(void **state)
{
    load_options options;

    (void)state;
    READ(options, "--threads", "64", "--connections", "10k", "--outstanding", "1M", "--count", "1000000M");
    assert_int_equal(options.threads, 64);
    assert_int_equal(options.connections, 10000);
    assert_int_equal(options.outstanding, 1000000);
    assert_int_equal(options.count, UINT64_C(1000000000000));
    READ(options, "--seed", "0");
    assert_int_equal(options.seed, 0);
    REFUSED("--threads: takes a number from 1 to 64, not \"65\"", "--threads", "65");
    REFUSED("--threads: takes a number from 1 to 64, not \"0\"", "--threads", "0");
    REFUSED("--connections: takes a number from 1 to 10000, not \"10001\"", "--connections", "10001");
    REFUSED("--outstanding: takes a number from 1 to 1000000, not \"1.5\"", "--outstanding", "1.5");
    REFUSED("--count: takes a number from 1 to 1000000000000, not \"many\"", "--count", "many");
    REFUSED("--seed: takes a whole number, not \"-1\"", "--seed", "-1");
}

static void times_have_units_and_those_that_must_not_be_nothing_are_not(void **state)
{
    load_options options;

    (void)state;
    READ(options, "--duration", "1500ms", "--warm-up", "0", "--timeout", "1ms", "--connect-timeout", "1ms", "--give-up",
         "0s");
    assert_int_equal(options.length_ns, 3 * S / 2);
    assert_int_equal(options.warm_up_ns, 0);
    assert_int_equal(options.timeout_ms, 1);
    assert_int_equal(options.connect_ns, S / 1000);
    assert_int_equal(options.give_up_ns, 0);
    READ(options, "--timeout", "none");
    assert_int_equal(options.timeout_ms, VOW_NO_TIMEOUT);
    REFUSED("--duration: of 0 measures nothing", "--duration", "0");
    REFUSED("--timeout: takes at least 1ms, or none", "--timeout", "999us");
    REFUSED("--connect-timeout: takes at least 1ms", "--connect-timeout", "999us");
    REFUSED("--give-up: takes a time with its unit, such as 10s or 500ms, not \"2\"", "--give-up", "2");
}

static void what_may_be_given_again_has_an_end(void **state)
{
    const char *folders[ARGUMENTS_MAX] = { "tls://h:1", "a.B/C" };
    const char *expectations[ARGUMENTS_MAX] = { "tls://h:1", "a.B/C" };

    (void)state;
    for (size_t i = 0; i <= LOAD_FOLDERS_MAX; i++) {
        folders[2 + 2 * i] = "-I";
        folders[3 + 2 * i] = "folder";
    }
    assert_refused("-I: was given more than 32 times", folders);
    _Static_assert(2 * (LOAD_EXPECTATIONS_MAX + 2) < ARGUMENTS_MAX, "there is room for one too many");
    for (size_t i = 0; i <= LOAD_EXPECTATIONS_MAX; i++) {
        expectations[2 + 2 * i] = "--expect";
        expectations[3 + 2 * i] = "errors=0";
    }
    assert_refused("--expect: was given more than 32 times", expectations);
}

static void what_an_option_means_depends_on_others(void **state)
{
    load_options options;

    (void)state;
    READ(options, "--count", "5");
    assert_int_equal(options.warm_up_ns, 0);
    READ(options, "--count", "5", "--warm-up", "2s");
    assert_int_equal(options.warm_up_ns, 2 * S);
    READ(options, "--rate", "100");
    assert_int_equal(options.outstanding, 10000);
    READ(options, "--find-capacity", "p99<5ms");
    assert_int_equal(options.outstanding, 10000);
    assert_int_equal(options.length_ns, 3 * S);
    assert_true(options.finds_capacity);
    READ(options, "--threads", "3", "--outstanding", "3");
    assert_int_equal(options.connections, 3);
}

static void what_does_not_go_together_is_refused(void **state)
{
    (void)state;
    REFUSED("--json and --data both say what is asked", "--json", "{}", "--data", "d");
    REFUSED("--proto and --descriptors both say where the method is described", "--proto", "p", "--descriptors", "d");
    REFUSED("--count and --duration both say when it ends", "--count", "5", "--duration", "1s");
    REFUSED("--count and --find-capacity both say when it ends", "--count", "5", "--find-capacity", "p50<1s");
    REFUSED("--connections: each of 4 threads has one at least", "--threads", "4", "--connections", "3");
    REFUSED("--outstanding: 5 connections want as many calls at least", "--connections", "5");
    REFUSED("--count goes with one rate, not with several", "--count", "5", "--rate", "1..3/1");
    REFUSED("--find-capacity goes with one rate, not with several", "--find-capacity", "p50<1s", "--rate", "1..3/1");
    REFUSED("--html: a value is missing", "--html");
    REFUSED("there is no option --htm", "--htm", "a");
}

static void options_of_tls_want_a_target_with_tls(void **state)
{
    static const char *const given[][2] = {
        { "--ca", "f" }, { "--cert", "f" }, { "--key", "f" }, { "--server-name", "n" }, { "--insecure", NULL },
    };
    static const char *const without[] = { "tcp://h:1", "grpc://h:1", "unix:///h" };
    static const char *const with[] = { "tls://h:1", "grpcs://h:1", "tls+unix:///h", "grpcs+unix:///h" };
    load_options             options;
    load_problem             problem;

    (void)state;
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        const char *arguments[] = { "", "a.B/C", given[i][0], given[i][1], NULL };

        for (size_t j = 0; j < sizeof without / sizeof without[0]; j++) {
            arguments[0] = without[j];
            assert_false(parse(&options, &problem, arguments));
            assert_non_null(strstr(problem.text, " is called without TLS: --ca, --cert, --key, --server-name and "));
        }
        for (size_t j = 0; j < sizeof with / sizeof with[0]; j++) {
            arguments[0] = with[j];
            assert_true(parse(&options, &problem, arguments));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_options_one_call_at_a_time_is_made_for_ten_seconds),
        cmocka_unit_test(names_of_files_are_kept_as_they_are),
        cmocka_unit_test(a_flag_is_one_without_a_value),
        cmocka_unit_test(metadata_has_its_name_in_lower_case_and_no_space_before_its_value),
        cmocka_unit_test(numbers_have_bounds_on_both_sides),
        cmocka_unit_test(times_have_units_and_those_that_must_not_be_nothing_are_not),
        cmocka_unit_test(what_may_be_given_again_has_an_end),
        cmocka_unit_test(what_an_option_means_depends_on_others),
        cmocka_unit_test(what_does_not_go_together_is_refused),
        cmocka_unit_test(options_of_tls_want_a_target_with_tls),
    };

    return cmocka_run_group_tests_name("vow-load's command line", tests, NULL, NULL);
}
