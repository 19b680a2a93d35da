/*
 * The page of tools/report: what stands in it, where its axes are marked, and that it needs nothing but
 * itself.
 */
#include "tools/report/axis.h"
#include "tools/report/report.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct page {
    report report;
    char  *text; /* after page_finish */
    size_t size;
    FILE  *file;
};

static struct page *page_new(const char *title)
{
    struct page *page = calloc(1, sizeof *page);

    assert_non_null(page);
    page->file = open_memstream(&page->text, &page->size);
    assert_non_null(page->file);
    report_begin(&page->report, page->file, title);
    return page;
}

static const char *page_finish(struct page *page)
{
    assert_true(report_end(&page->report));
    fclose(page->file);
    return page->text;
}

static void page_free(struct page *page)
{
    free(page->text);
    free(page);
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in: %s", part, text);
}

static void assert_has_not(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("\"%s\" is in: %s", part, text);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;

    for (text = strstr(text, part); text; text = strstr(text + 1, part))
        count++;
    return count;
}

/* The marks of an axis over `low` … `high` as "1 2 5". */
static const char *marks_of(report_axis like, double low, double high)
{
    static char text[512];
    axis        axis;
    axis_mark   marks[AXIS_MARKS_MAX];
    size_t      count;

    axis_init(&axis, &like);
    axis_include(&axis, low);
    axis_include(&axis, high);
    axis_settle(&axis);
    count = axis_marks(&axis, marks);
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        strcat(text, i ? ", " : "");
        strcat(text, marks[i].label);
        assert_true(axis_place(&axis, marks[i].value) >= -1e-6 &&
                    axis_place(&axis, marks[i].value) <= 1 + 1e-6);
    }
    return text;
}

/* Numbers */

static void numbers_are_grouped_by_thousands(void **state)
{
    char text[REPORT_NUMBER_SIZE];

    (void)state;
    assert_string_equal(report_number(text, 999, 0), "999");
    assert_string_equal(report_number(text, 1000, 0), "1,000");
    assert_string_equal(report_number(text, 1007399.4, 0), "1,007,399");
    assert_string_equal(report_number(text, -1234.5, 2), "-1,234.50");
    assert_string_equal(report_number(text, NAN, 0), "-");
    assert_string_equal(report_number(text, INFINITY, 0), "inf");
}

static void durations_and_bytes_have_three_digits_and_a_unit(void **state)
{
    char text[REPORT_NUMBER_SIZE];

    (void)state;
    assert_string_equal(report_seconds(text, 0), "0 s");
    assert_string_equal(report_seconds(text, 84e-6), "84.0 µs");
    assert_string_equal(report_seconds(text, 0.00125), "1.25 ms");
    assert_string_equal(report_seconds(text, 0.0009994), "999 µs");
    assert_string_equal(report_seconds(text, 0.0009996), "1.00 ms");
    assert_string_equal(report_seconds(text, 90), "90.0 s");
    assert_string_equal(report_bytes(text, 0), "0 B");
    assert_string_equal(report_bytes(text, 1023), "1023 B");
    assert_string_equal(report_bytes(text, 1024), "1.00 KiB");
    assert_string_equal(report_bytes(text, 4194304), "4.00 MiB");
    assert_string_equal(report_bytes(text, NAN), "-");
}

/* Axes */

static void a_linear_axis_is_marked_at_round_numbers(void **state)
{
    (void)state;
    assert_string_equal(marks_of((report_axis){ .scale = REPORT_LINEAR }, 0, 5), "0, 1, 2, 3, 4, 5");
    assert_string_equal(marks_of((report_axis){ .scale = REPORT_LINEAR }, 970, 1030),
                        "970, 980, 990, 1k, 1.01k, 1.02k, 1.03k");
    assert_string_equal(marks_of((report_axis){ .scale = REPORT_LINEAR, .from_zero = true }, 80, 100),
                        "0, 20, 40, 60, 80, 100");
    assert_string_equal(marks_of((report_axis){ .unit = REPORT_SECONDS, .from_zero = true }, 0, 0.003),
                        "0 s, 500 µs, 1 ms, 1.5 ms, 2 ms, 2.5 ms, 3 ms");
}

static void a_linear_axis_of_one_value_has_a_length_all_the_same(void **state)
{
    (void)state;
    assert_string_equal(marks_of((report_axis){ .from_zero = true }, 0, 0), "0, 0.2, 0.4, 0.6, 0.8, 1");
    assert_string_equal(marks_of((report_axis){ .from_zero = true }, 7, 7), "0, 2, 4, 6, 8");
}

static void a_logarithmic_axis_is_marked_within_its_decades(void **state)
{
    report_axis seconds = { .scale = REPORT_LOG, .unit = REPORT_SECONDS };

    (void)state;
    assert_string_equal(marks_of(seconds, 0.00011, 0.018),
                        "100 µs, 200 µs, 500 µs, 1 ms, 2 ms, 5 ms, 10 ms, 20 ms");
    assert_string_equal(marks_of(seconds, 0.00001, 10), "10 µs, 100 µs, 1 ms, 10 ms, 100 ms, 1 s, 10 s");
    assert_string_equal(marks_of(seconds, 0.003, 0.003), "2 ms, 3 ms, 4 ms, 5 ms");
}

static void a_logarithmic_axis_of_bytes_is_marked_at_powers_of_two(void **state)
{
    report_axis bytes = { .scale = REPORT_LOG, .unit = REPORT_BYTES };

    (void)state;
    assert_string_equal(marks_of(bytes, 32, 256), "32 B, 64 B, 128 B, 256 B");
    assert_string_equal(marks_of(bytes, 1, 4194304),
                        "1 B, 4 B, 16 B, 64 B, 256 B, 1 KiB, 4 KiB, 16 KiB, 64 KiB, "
                        "256 KiB, 1 MiB, 4 MiB");
}

static void an_axis_of_nines_spreads_the_last_per_cents(void **state)
{
    report_axis like = { .scale = REPORT_NINES, .unit = REPORT_SHARES };
    axis        axis;

    (void)state;
    assert_string_equal(marks_of(like, 0, 0.99999), "0 %, 50 %, 90 %, 99 %, 99.9 %, 99.99 %, 99.999 %");
    axis_init(&axis, &like);
    axis_include(&axis, 0);
    axis_include(&axis, 0.9999);
    axis_settle(&axis);
    assert_true(fabs(axis_place(&axis, 0.9) - 0.25) < 1e-6);
    assert_true(fabs(axis_place(&axis, 0.99) - 0.5) < 1e-6);
    assert_true(isnan(axis_place(&axis, 1)));
}

static void what_has_no_place_on_a_logarithmic_axis_is_left_out(void **state)
{
    (void)state;
    assert_string_equal(marks_of((report_axis){ .scale = REPORT_LOG }, 0, 1), "1, 2");
    assert_string_equal(marks_of((report_axis){ .scale = REPORT_LOG }, -5, 2), "2, 3, 4");
}

/* Pages */

static void a_page_needs_nothing_from_elsewhere(void **state)
{
    static const double x[] = { 0, 1 }, y[] = { 1, 2 };
    struct page        *page = page_new("A page");
    const char         *text;

    (void)state;
    report_plot_show(&page->report,
                     &(report_plot){ .title = "A plot",
                                     .x = { .title = "time" },
                                     .y = { .title = "calls" },
                                     .series = &(report_series){ .name = "vow", .x = x, .y = y, .count = 2 },
                                     .series_count = 1 });
    text = page_finish(page);
    assert_has(text, "<!DOCTYPE html>");
    assert_has(text, "<title>A page</title>");
    assert_has(text, "prefers-color-scheme: dark");
    assert_has_not(text, "http");
    assert_has_not(text, "<script");
    assert_has_not(text, "<link");
    assert_has_not(text, "src=");
    assert_has_not(text, "url(");
    assert_has_not(text, "@import");
    page_free(page);
}

static void texts_cannot_break_out_of_the_page(void **state)
{
    static const double bad_y[] = { 1 };
    const char         *bad = "<b a=\"&\">\x01";
    struct page        *page = page_new(bad);
    const char         *text;

    (void)state;
    report_section(&page->report, bad);
    report_paragraph(&page->report, "%s", bad);
    report_preformatted(&page->report, bad);
    report_table_show(&page->report, &(report_table){ .title = bad,
                                                      .columns = &(report_column){ .title = bad },
                                                      .column_count = 1,
                                                      .cells = &bad,
                                                      .row_count = 1 });
    report_plot_show(&page->report,
                     &(report_plot){ .title = bad,
                                     .form = REPORT_BARS,
                                     .x = { .title = bad },
                                     .y = { .title = bad },
                                     .series = &(report_series){ .name = bad, .y = bad_y, .count = 1 },
                                     .series_count = 1,
                                     .labels = &bad,
                                     .label_count = 1 });
    text = page_finish(page);
    assert_has_not(text, "<b a");
    assert_has(text, "&lt;b a=&quot;&amp;&quot;&gt; ");
    assert_has_not(text, "\x01");
    page_free(page);
}

static void a_table_has_its_cells_row_by_row(void **state)
{
    static const report_column columns[] = { { "peer", false }, { "calls/s", true } };
    static const char *const   cells[] = { "vow", "1,000", "other", NULL };
    struct page               *page = page_new("T");
    const char                *text;

    (void)state;
    report_table_show(
        &page->report,
        &(report_table){ .columns = columns, .column_count = 2, .cells = cells, .row_count = 2 });
    text = page_finish(page);
    assert_has(text, "<th>peer</th><th class=\"n\">calls/s</th>");
    assert_has(text, "<tr><td>vow</td><td class=\"n\">1,000</td></tr>");
    assert_has(text, "<tr><td>other</td><td class=\"n\">–</td></tr>");
    page_free(page);
}

/* Plots */

static void a_line_goes_through_its_points_and_stops_at_gaps(void **state)
{
    static const double x[] = { 0, 1, 2, 3, 4 }, y[] = { 0, 1, NAN, 3, 4 };
    struct page        *page = page_new("T");
    const char         *text;

    (void)state;
    report_plot_show(&page->report,
                     &(report_plot){ .title = "P",
                                     .x = { .title = "x" },
                                     .y = { .title = "y" },
                                     .series = &(report_series){ .name = "s", .x = x, .y = y, .count = 5 },
                                     .series_count = 1 });
    text = page_finish(page);
    /* From the left lower corner to the right upper one, in two pieces. */
    assert_has(text, "d=\"M80.0 322.0L270.0 245.0M650.0 91.0L840.0 14.0\"");
    assert_int_equal(count_of(text, "<circle"), 4);
    assert_has(text, "<title>s, 3: 3.00</title>");
    assert_int_equal(count_of(text, "class=\"legend\""), 0);
    page_free(page);
}

static void steps_hold_until_the_next_value(void **state)
{
    static const double x[] = { 0, 5 }, y[] = { 0, 5 };
    struct page        *page = page_new("T");

    (void)state;
    report_plot_show(&page->report,
                     &(report_plot){ .title = "P",
                                     .form = REPORT_STEPS,
                                     .x = { .title = "x" },
                                     .y = { .title = "y" },
                                     .series = &(report_series){ .name = "s", .x = x, .y = y, .count = 2 },
                                     .series_count = 1 });
    assert_has(page_finish(page), "d=\"M80.0 322.0H840.0L840.0 14.0\"");
    page_free(page);
}

static void bars_stand_side_by_side_in_groups_with_whiskers(void **state)
{
    static const char *const   labels[] = { "32 B", "64 KiB" };
    static const double        a[] = { 5, 10 }, b[] = { NAN, 10 }, low[] = { 4, 9 }, high[] = { 6, 10 };
    static const report_series series[] = { { .name = "a", .y = a, .count = 2, .low = low, .high = high },
                                            { .name = "b", .y = b, .count = 2 } };
    struct page               *page = page_new("T");
    const char                *text;

    (void)state;
    report_plot_show(&page->report, &(report_plot){ .title = "P",
                                                    .form = REPORT_BARS,
                                                    .y = { .title = "y", .from_zero = true },
                                                    .series = series,
                                                    .series_count = 2,
                                                    .labels = labels,
                                                    .label_count = 2 });
    text = page_finish(page);
    assert_int_equal(count_of(text, "<rect"), 3);
    assert_has(text, "<rect class=\"f0\" x=\"118.0\" y=\"168.0\" width=\"142.9\" height=\"154.0\">");
    assert_has(text, "<title>a, 32 B: 5.00</title>");
    assert_int_equal(count_of(text, "<line class=\"axis\""), 2 + 2 * 3);
    assert_int_equal(count_of(text, "class=\"legend\""), 1);
    page_free(page);
}

static void a_plot_of_nothing_says_so(void **state)
{
    static const double none[] = { NAN };
    struct page        *page = page_new("T");
    const char         *text;

    (void)state;
    report_plot_show(
        &page->report,
        &(report_plot){ .title = "P",
                        .x = { .title = "x" },
                        .y = { .title = "y" },
                        .series = &(report_series){ .name = "s", .x = none, .y = none, .count = 1 },
                        .series_count = 1 });
    text = page_finish(page);
    assert_has(text, "Nothing was measured.");
    assert_has_not(text, "<svg");
    page_free(page);
}

static void a_page_that_cannot_be_written_is_not_said_to_be(void **state)
{
    FILE  *full = fopen("/dev/full", "w");
    report report;

    (void)state;
    assert_non_null(full);
    report_begin(&report, full, "T");
    assert_false(report_end(&report));
    fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_grouped_by_thousands),
        cmocka_unit_test(durations_and_bytes_have_three_digits_and_a_unit),
        cmocka_unit_test(a_linear_axis_is_marked_at_round_numbers),
        cmocka_unit_test(a_linear_axis_of_one_value_has_a_length_all_the_same),
        cmocka_unit_test(a_logarithmic_axis_is_marked_within_its_decades),
        cmocka_unit_test(a_logarithmic_axis_of_bytes_is_marked_at_powers_of_two),
        cmocka_unit_test(an_axis_of_nines_spreads_the_last_per_cents),
        cmocka_unit_test(what_has_no_place_on_a_logarithmic_axis_is_left_out),
        cmocka_unit_test(a_page_needs_nothing_from_elsewhere),
        cmocka_unit_test(texts_cannot_break_out_of_the_page),
        cmocka_unit_test(a_table_has_its_cells_row_by_row),
        cmocka_unit_test(a_line_goes_through_its_points_and_stops_at_gaps),
        cmocka_unit_test(steps_hold_until_the_next_value),
        cmocka_unit_test(bars_stand_side_by_side_in_groups_with_whiskers),
        cmocka_unit_test(a_plot_of_nothing_says_so),
        cmocka_unit_test(a_page_that_cannot_be_written_is_not_said_to_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
