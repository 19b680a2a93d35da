/*
 * The benchmark's records: as JSON and back, and compared with each other.
 */
#include "bench/driver/compare.h"
#include "bench/driver/json.h"
#include "bench/driver/record.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Records and files */

/* Adds a round of one figure. */
static void add(bench_record *record, const char *workload, const char *peer, bench_figure figure,
                double value)
{
    bench_cell   *cell = bench_record_find(record, workload, peer);
    bench_results results = bench_results_unknown();

    results.figures[figure] = value;
    bench_cell_add(cell ? cell : bench_record_add(record, workload, peer), &results);
}

/* Five rounds around `value`, a twentieth of it apart in all. */
static void add_rounds(bench_record *record, const char *workload, const char *peer, bench_figure figure,
                       double value)
{
    static const double spread[] = { 1, 0.98, 1.02, 0.99, 1.01 };

    for (size_t i = 0; i < sizeof spread / sizeof *spread; i++)
        add(record, workload, peer, figure, value * spread[i]);
}

struct file {
    char path[64];
};

static struct file file_with(const char *text)
{
    struct file file = { "/tmp/vow-bench-XXXXXX" };
    int         descriptor = mkstemp(file.path);

    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, text, strlen(text)), strlen(text));
    close(descriptor);
    return file;
}

static void file_with_record(struct file *file, const bench_record *record)
{
    FILE *stream;

    *file = file_with("");
    stream = fopen(file->path, "w");
    assert_non_null(stream);
    assert_true(bench_json_write(stream, record));
    assert_int_equal(fclose(stream), 0);
}

static void assert_refused(const char *text, const char *wanted)
{
    struct file  file = file_with(text);
    bench_record record = { 0 };
    char         problem[256] = "";

    assert_false(bench_json_read(file.path, &record, problem, sizeof problem));
    assert_string_equal(problem, wanted);
    bench_record_done(&record);
    unlink(file.path);
}

/* JSON */

static void a_record_comes_back_from_json_as_it_was(void **state)
{
    bench_record      record = { .seconds = 0.25 }, read = { 0 };
    struct file       file;
    char              problem[256] = "";
    const bench_cell *cell;

    (void)state;
    bench_record_tell(&record, "commit", "%s", "1234abcd \"quoted\"");
    add(&record, "unary-1", "vow", BENCH_P99_US, 12.0625);
    add(&record, "unary-1", "vow", BENCH_CALLS_PER_S, 1007399);
    add(&record, "memory", "vow", BENCH_BYTES_PER_CALL, 1051);
    snprintf(record.cells[1].raised, sizeof record.cells[1].raised, "max_calls=1");
    record.cells[1].has_failed = true;
    file_with_record(&file, &record);

    if (!bench_json_read(file.path, &read, problem, sizeof problem))
        fail_msg("%s", problem);
    assert_true(read.seconds == 0.25);
    assert_string_equal(bench_record_fact(&read, "commit"), "1234abcd \"quoted\"");
    assert_int_equal(read.cell_count, 2);
    cell = bench_record_find(&read, "unary-1", "vow");
    assert_int_equal(cell->count, 2);
    assert_true(cell->rounds[0].figures[BENCH_P99_US] == 12.0625);
    assert_true(isnan(cell->rounds[1].figures[BENCH_P99_US]));
    assert_true(isnan(cell->rounds[0].figures[BENCH_CALLS_PER_S]));
    assert_true(cell->rounds[1].figures[BENCH_CALLS_PER_S] == 1007399);
    assert_false(cell->has_failed);
    cell = bench_record_find(&read, "memory", "vow");
    assert_string_equal(cell->raised, "max_calls=1");
    assert_true(cell->has_failed);

    bench_record_done(&record);
    bench_record_done(&read);
    unlink(file.path);
}

static void a_file_that_is_none_of_a_benchmark_is_refused_in_words(void **state)
{
    bench_record record = { 0 };
    char         problem[256];

    (void)state;
    assert_false(bench_json_read("/nonexistent/x.json", &record, problem, sizeof problem));
    assert_string_equal(problem, "unable to open /nonexistent/x.json: No such file or directory");
    assert_refused("{", "line 1: string or '}' expected near end of file");
    assert_refused("[]", "it is not the JSON of a benchmark");
    assert_refused("{\"format\": \"other\", \"version\": 2}", "it is not the JSON of a benchmark");
    assert_refused("{\"format\": \"vow-bench\", \"version\": 1}",
                   "it has version 1 of the format, this program reads version 2");
    assert_refused("{\"format\": \"vow-bench\", \"version\": 2}", "it lacks seconds, facts or results");
}

#define FILE_OF(results)                                                                                     \
    "{\"format\": \"vow-bench\", \"version\": 2, \"seconds\": 1, \"facts\": {}, \"results\": [" results "]}"
#define CELL_OF(figures) "{\"workload\": \"w\", \"peer\": \"p\", \"figures\": {" figures "}}"

static void a_file_whose_results_are_no_results_is_refused_in_words(void **state)
{
    (void)state;
    assert_refused(FILE_OF("{}"), "one of its results lacks workload, peer or figures");
    assert_refused(FILE_OF(CELL_OF("\"p50_us\": {}")),
                   "p50_us of p on w has no rounds, or not as many as others");
    assert_refused(FILE_OF(CELL_OF("\"p50_us\": {\"rounds\": [\"x\"]}")),
                   "p50_us of p on w has a round that is no number");
    assert_refused(FILE_OF(CELL_OF("\"p50_us\": {\"rounds\": [1]}, \"p99_us\": {\"rounds\": [1, 2]}")),
                   "p99_us of p on w has no rounds, or not as many as others");
}

static void a_figure_that_this_version_does_not_have_is_passed_over(void **state)
{
    struct file  file = file_with(FILE_OF(CELL_OF("\"p77_us\": {}, \"p50_us\": {\"rounds\": [1, 2, 3]}")));
    bench_record record = { 0 };
    char         problem[256] = "";

    (void)state;
    if (!bench_json_read(file.path, &record, problem, sizeof problem))
        fail_msg("%s", problem);
    assert_true(bench_cell_median(&record.cells[0], BENCH_P50_US) == 2);
    bench_record_done(&record);
    unlink(file.path);
}

/* Comparisons */

/* One figure of one peer, before and after. */
static bench_comparison compare(bench_record *before, bench_record *after, const char *workload,
                                const char *peer, bench_figure figure, double old, double new)
{
    add_rounds(before, workload, peer, figure, old);
    add_rounds(after, workload, peer, figure, new);
    return bench_compare(before, after);
}

struct expected {
    const char  *name;
    const char  *workload;
    const char  *peer;
    bench_figure figure;
    double new; /* it was 100 */
    enum { SAME, BETTER, WORSE } verdict;
    bool fails; /* it is ours */
};

static const struct expected expectations[] = {
    { "a tenth fewer calls", "unary-100", "vow", BENCH_CALLS_RATIO, 90, WORSE, true },
    { "a tenth more calls", "unary-100", "vow", BENCH_CALLS_RATIO, 110, BETTER, false },
    { "fewer calls, within the noise", "unary-100", "vow", BENCH_CALLS_RATIO, 98, SAME, false },
    { "more processor time", "unary-100", "vow", BENCH_CPU_RATIO, 120, WORSE, true },
    { "less processor time", "unary-100", "vow-grpc", BENCH_CPU_RATIO, 80, BETTER, false },
    { "a longer p99 at a rate", "rate-5000", "vow", BENCH_P99_RATIO, 150, WORSE, true },
    { "a longer p99 at full load, which says little", "unary-100", "vow", BENCH_P99_RATIO, 150, SAME, false },
    { "calls a second at a rate, which are given", "rate-5000", "vow", BENCH_CALLS_RATIO, 50, SAME, false },
    { "another library's", "unary-100", "grpc-cpp", BENCH_CALLS_RATIO, 50, WORSE, false },
    { "the floor itself", "unary-100", "floor", BENCH_CALLS_PER_S, 50, SAME, false },
    { "no floor to compare with", "memory", "vow", BENCH_BYTES_PER_CALL, 130, WORSE, true },
    { "a workload of another version", "unary-7", "vow", BENCH_CALLS_RATIO, 50, SAME, false },
};

static void what_changed_beyond_the_noise_is_found_and_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof expectations / sizeof *expectations; i++) {
        const struct expected *expected = &expectations[i];
        bench_record           before = { 0 }, after = { 0 };
        bench_comparison       comparison = compare(&before, &after, expected->workload, expected->peer,
                                                    expected->figure, 100, expected->new);

        if (comparison.count != (expected->verdict != SAME) ||
            (comparison.count && comparison.changes[0].is_worse != (expected->verdict == WORSE)) ||
            bench_comparison_is_worse(&comparison) != expected->fails)
            fail_msg("%s: %zu changes", expected->name, comparison.count);
        bench_comparison_done(&comparison);
        bench_record_done(&before);
        bench_record_done(&after);
    }
}

static void a_change_says_from_what_to_what_and_how_sure_that_is(void **state)
{
    bench_record     before = { 0 }, after = { 0 };
    bench_comparison comparison = compare(&before, &after, "unary-100", "vow", BENCH_CALLS_RATIO, 0.8, 0.6);
    char             text[256];

    (void)state;
    bench_change_describe(&comparison.changes[0], text, sizeof text);
    assert_string_equal(
        text, "calls_ratio of vow on unary-100: 0.6, was 0.8 (-25 %, surely between -29 % and -21 %)");
    bench_comparison_done(&comparison);
    bench_record_done(&before);
    bench_record_done(&after);
}

static void a_single_round_is_too_few_to_tell(void **state)
{
    bench_record     before = { 0 }, after = { 0 };
    bench_comparison comparison;

    (void)state;
    add(&before, "unary-100", "vow", BENCH_CALLS_RATIO, 1);
    add_rounds(&after, "unary-100", "vow", BENCH_CALLS_RATIO, 0.5);
    comparison = bench_compare(&before, &after);
    assert_int_equal(comparison.count, 0);
    assert_int_equal(comparison.compared, 1);
    assert_int_equal(comparison.unknown, 1);
    bench_comparison_done(&comparison);
    bench_record_done(&before);
    bench_record_done(&after);
}

static void only_what_is_worse_again_is_confirmed(void **state)
{
    bench_record     before = { 0 }, after = { 0 }, again = { 0 };
    bench_comparison first, second;

    (void)state;
    add_rounds(&before, "unary-1", "vow", BENCH_P50_RATIO, 1);
    add_rounds(&after, "unary-1", "vow", BENCH_P50_RATIO, 1.5);
    add_rounds(&again, "unary-1", "vow", BENCH_P50_RATIO, 1.01);
    first = compare(&before, &after, "unary-100", "vow", BENCH_CALLS_RATIO, 1, 0.5);
    add_rounds(&again, "unary-100", "vow", BENCH_CALLS_RATIO, 0.6);
    second = bench_compare(&before, &again);

    assert_int_equal(first.count, 2);
    assert_int_equal(bench_comparison_confirm(&first, &second), 1);
    assert_false(first.changes[0].is_confirmed);
    assert_true(first.changes[1].is_confirmed);
    bench_comparison_done(&first);
    bench_comparison_done(&second);
    bench_record_done(&before);
    bench_record_done(&after);
    bench_record_done(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_from_json_as_it_was),
        cmocka_unit_test(a_file_that_is_none_of_a_benchmark_is_refused_in_words),
        cmocka_unit_test(a_file_whose_results_are_no_results_is_refused_in_words),
        cmocka_unit_test(a_figure_that_this_version_does_not_have_is_passed_over),
        cmocka_unit_test(what_changed_beyond_the_noise_is_found_and_nothing_else),
        cmocka_unit_test(a_change_says_from_what_to_what_and_how_sure_that_is),
        cmocka_unit_test(a_single_round_is_too_few_to_tell),
        cmocka_unit_test(only_what_is_worse_again_is_confirmed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
