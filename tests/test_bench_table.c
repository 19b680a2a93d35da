/*
 * The benchmark's table, on terminals of every width.
 */
#include "bench/driver/record.h"
#include "bench/driver/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LEAST_WIDTH 80

/* A round in which the figures of a call are `factor` times what they are. */
static void add_round(bench_record *record, const char *workload, const char *peer, double factor)
{
    static const struct {
        bench_figure figure;
        double       value;
    } figures[] = {
        { BENCH_CALLS_PER_S, 1234567 },
        { BENCH_MB_PER_S, 2345 },
        { BENCH_P50_US, 12345.6 },
        { BENCH_P99_US, 23456.7 },
        { BENCH_P999_US, 34567.8 },
        { BENCH_CLIENT_US_PER_CALL, 123.45 },
        { BENCH_SERVER_US_PER_CALL, 234.56 },
        { BENCH_CALLS_RATIO, 0.75 },
        { BENCH_CPU_RATIO, 1.25 },
        { BENCH_BYTES_PER_CALL, 1051 },
        { BENCH_SERVER_BYTES_PER_CALL, 968 },
    };
    bench_cell   *cell = bench_record_find(record, workload, peer);
    bench_results results = bench_results_unknown();

    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        results.figures[figures[i].figure] = figures[i].value * factor;
    bench_cell_add(cell ? cell : bench_record_add(record, workload, peer), &results);
}

/* What the table says; the caller frees it. */
static char *print(const bench_record *record, size_t width)
{
    char  *text = NULL;
    size_t size;
    FILE  *file = open_memstream(&text, &size);

    assert_non_null(file);
    bench_table_print(file, record, width);
    fclose(file);
    return text;
}

static size_t columns_of(const char *line, size_t size)
{
    size_t columns = 0;

    for (size_t i = 0; i < size; i++)
        columns += ((unsigned char)line[i] & 0xc0) != 0x80;
    return columns;
}

static void assert_fits(const char *text, size_t width)
{
    while (*text) {
        size_t size = strcspn(text, "\n");

        if (columns_of(text, size) > width)
            fail_msg("more than %zu columns: %.*s", width, (int)size, text);
        text += size + (text[size] != '\0');
    }
}

static void what_there_is_no_room_for_is_left_out_and_the_rest_is_in_line(void **state)
{
    static const struct {
        size_t      width;
        const char *title;
    } cases[] = {
        { 200, "   calls/s    ±   MB/s   p50 us   p99 us    ±    p99.9 client us server us calls/fl    ± "
               "cpu/fl    "
               "±\n" },
        { BENCH_TABLE_WIDE,
          "   calls/s    ±   MB/s   p50 us   p99 us    ±    p99.9 client us server us calls/fl    "
          "± cpu/fl    ±\n" },
        { BENCH_TABLE_WIDE - 1,
          "   calls/s    ±   MB/s   p50 us   p99 us    ± client us server us calls/fl    ± cpu/fl    ±\n" },
        { 100, "   calls/s    ±   MB/s   p50 us   p99 us    ± server us calls/fl    ± cpu/fl    ±\n" },
        { LEAST_WIDTH, "   calls/s    ±   p50 us   p99 us    ± calls/fl    ± cpu/fl    ±\n" },
    };
    bench_record record = { .seconds = 1 };

    (void)state;
    add_round(&record, "bytes-64k", "redis-benchmark", 1);
    add_round(&record, "bytes-64k", "redis-benchmark", 1.1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = print(&record, cases[i].width);

        if (!strstr(text, cases[i].title))
            fail_msg("%zu columns: %s", cases[i].width, text);
        assert_fits(text, cases[i].width);
        free(text);
    }
    bench_record_done(&record);
}

static void a_median_of_several_rounds_says_how_sure_it_is(void **state)
{
    bench_record record = { .seconds = 1 };
    char        *text;

    (void)state;
    for (int i = 0; i < 5; i++)
        add_round(&record, "unary-100", "vow", 1 + 0.02 * i);
    for (int i = 0; i < 5; i++)
        add_round(&record, "unary-100", "nng", i < 3 ? 1 : 3);
    text = print(&record, LEAST_WIDTH);
    assert_non_null(
        strstr(text, "vow              1,283,950  ±4%   12,839   24,395  ±4%    0.780  ±4%   1.30  ±4%"));
    assert_non_null(strstr(text, "nng              1,234,567 >99%"));
    assert_non_null(strstr(text, "±: the farther end of a median's 95% interval."));
    free(text);
    bench_record_done(&record);
}

static void a_single_round_is_not_sure_of_anything(void **state)
{
    bench_record record = { .seconds = 1 };
    char        *text;

    (void)state;
    add_round(&record, "unary-100", "vow", 1);
    text = print(&record, LEAST_WIDTH);
    assert_non_null(strstr(text, "calls/s   p50 us   p99 us client us server us calls/fl cpu/fl\n"));
    assert_null(strstr(text, "%"));
    free(text);
    bench_record_done(&record);
}

static void a_workload_on_which_all_failed_has_no_columns(void **state)
{
    bench_record record = { .seconds = 1 };
    char        *text;

    (void)state;
    bench_record_add(&record, "unary-1", "vow")->has_failed = true;
    text = print(&record, LEAST_WIDTH);
    assert_non_null(strstr(text, "unary-1: calls of 32 bytes, 1 at once\nvow               failed\n"));
    free(text);
    bench_record_done(&record);
}

static void memory_is_told_with_how_sure_it_is(void **state)
{
    bench_record record = { .seconds = 1 };
    char        *text;

    (void)state;
    add_round(&record, "memory", "vow", 1);
    text = print(&record, LEAST_WIDTH);
    assert_non_null(strstr(text, "vow             client     1,051 bytes, server       968 bytes\n"));
    free(text);
    add_round(&record, "memory", "vow", 1.02);
    text = print(&record, LEAST_WIDTH);
    assert_non_null(strstr(text, "vow             client     1,062 bytes ±1%, server       978 bytes ±1%\n"));
    free(text);
    bench_record_done(&record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_there_is_no_room_for_is_left_out_and_the_rest_is_in_line),
        cmocka_unit_test(a_median_of_several_rounds_says_how_sure_it_is),
        cmocka_unit_test(a_single_round_is_not_sure_of_anything),
        cmocka_unit_test(a_workload_on_which_all_failed_has_no_columns),
        cmocka_unit_test(memory_is_told_with_how_sure_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
