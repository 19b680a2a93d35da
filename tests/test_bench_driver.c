/*
 * The benchmark's driver, run as a user runs it: on scripts that play the peers' programs, and at the end,
 * held against servers that delay and stall, on the real ones.
 */
#include "bench/driver/json.h"
#include "bench/driver/record.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define OUTPUT_SIZE (256 << 10)
#define PATH_SIZE 512

/* A folder with a driver, beside which it finds the programs. */
struct stage {
    char folder[PATH_SIZE - 64];
    char output[OUTPUT_SIZE];
};

static void stage_path(const struct stage *stage, const char *name, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/%s", stage->folder, name);
}

static void stage_write(const struct stage *stage, const char *name, const char *script)
{
    char  path[PATH_SIZE];
    FILE *file;

    stage_path(stage, name, path);
    unlink(path); /* one that runs can't be written to */
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\n%s", script);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0755), 0);
}

static size_t stage_lines(const struct stage *stage, const char *name)
{
    char   path[PATH_SIZE];
    FILE  *file;
    size_t lines = 0;
    int    c;

    stage_path(stage, name, path);
    file = fopen(path, "r");
    assert_non_null(file);
    while ((c = fgetc(file)) != EOF)
        lines += c == '\n';
    fclose(file);
    return lines;
}

static void stage_remove(const struct stage *stage, const char *name)
{
    char path[PATH_SIZE];

    stage_path(stage, name, path);
    assert_int_equal(unlink(path), 0);
}

/* Says what a client of so many calls a second would. */
#define CLIENT(calls)                                                                                        \
    "echo calls_per_s=" calls " p50_us=10 p99_us=20 client_us_per_call=1 server_us_per_call=1\n"

/* A client's arguments are --target URL --server-pid PID --outstanding N, and more. */
#define SERVER_PID "$4"
#define OUTSTANDING "$6"

static int stage_setup(void **state)
{
    static const char *const servers[] = { "bench_floor_server", "bench_vow_server",
                                           "bench_grpc_cpp_server" };
    struct stage            *stage = calloc(1, sizeof *stage);
    char                     driver[PATH_SIZE], path[PATH_SIZE];

    assert_non_null(stage);
    snprintf(stage->folder, sizeof stage->folder, "%s/bench-XXXXXX", getenv("VOW_BUILD"));
    assert_non_null(mkdtemp(stage->folder));
    snprintf(driver, sizeof driver, "%s/bench_driver", getenv("VOW_BIN"));
    stage_path(stage, "bench_driver", path);
    assert_int_equal(link(driver, path), 0);
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
        stage_write(stage, servers[i], "echo tcp://127.0.0.1:1 limit=8\nexec sleep 600\n");
    stage_write(stage, "bench_floor_client", CLIENT("1000"));
    stage_write(stage, "bench_vow_client", CLIENT("500"));
    stage_write(stage, "bench_grpc_cpp_client", CLIENT("100"));
    *state = stage;
    return 0;
}

static int stage_teardown(void **state)
{
    struct stage *stage = *state;
    char          command[PATH_SIZE + 16];

    snprintf(command, sizeof command, "rm -r '%s'", stage->folder);
    assert_int_equal(system(command), 0);
    free(stage);
    return 0;
}

/* Runs a driver, keeps what it says on both outputs, and gives its exit status. */
static int run(struct stage *stage, const char *driver, const char *arguments)
{
    char   command[PATH_SIZE * 5];
    FILE  *output;
    size_t used = 0, got;
    int    status;

    snprintf(command, sizeof command, "exec '%s' %s 2>&1", driver, arguments);
    output = popen(command, "r");
    assert_non_null(output);
    while ((got = fread(stage->output + used, 1, OUTPUT_SIZE - 1 - used, output)) > 0)
        used += got;
    stage->output[used] = '\0';
    status = pclose(output);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* In three short rounds on vow and the floor, with figures in x.json. */
static int stage_run(struct stage *stage, const char *arguments)
{
    char driver[PATH_SIZE], all[PATH_SIZE * 3];

    stage_path(stage, "bench_driver", driver);
    assert_in_range(snprintf(all, sizeof all, "--rounds 3 --seconds 0.01 --json '%s/x.json' %s",
                             stage->folder, arguments),
                    1, sizeof all - 1);
    return run(stage, driver, all);
}

static void assert_says(const struct stage *stage, const char *wanted)
{
    if (!strstr(stage->output, wanted))
        fail_msg("\"%s\" is not in: %s", wanted, stage->output);
}

static void assert_does_not_say(const struct stage *stage, const char *unwanted)
{
    if (strstr(stage->output, unwanted))
        fail_msg("\"%s\" is in: %s", unwanted, stage->output);
}

static void assert_page_has(const struct stage *stage, const char *wanted)
{
    char command[PATH_SIZE * 2];

    snprintf(command, sizeof command, "grep -qF '%s' '%s/x.html'", wanted, stage->folder);
    if (system(command) != 0)
        fail_msg("\"%s\" is not in the page", wanted);
}

static void assert_page_lacks(const struct stage *stage, const char *unwanted)
{
    char command[PATH_SIZE * 2];

    snprintf(command, sizeof command, "grep -qF '%s' '%s/x.html'", unwanted, stage->folder);
    if (system(command) == 0)
        fail_msg("\"%s\" is in the page", unwanted);
}

static void stage_read(const struct stage *stage, bench_record *record)
{
    char path[PATH_SIZE], problem[256];

    *record = (bench_record){ 0 };
    stage_path(stage, "x.json", path);
    if (!bench_json_read(path, record, problem, sizeof problem))
        fail_msg("%s", problem);
}

/* What is measured */

static void each_round_of_a_peer_is_compared_with_the_floor(void **state)
{
    struct stage     *stage = *state;
    bench_record      record;
    const bench_cell *cell;

    assert_int_equal(stage_run(stage, "--workload unary-100 --peer vow"), 0);
    assert_says(stage, "bench: 2 runs in each of 3 rounds");
    assert_says(stage, "unary-100: calls of 32 bytes, 100 at once\n");
    assert_says(stage,
                "vow                    500  ±0%     10.0     20.0  ±0%      1.00      1.00    0.500  ±0%"
                "   1.00  ±0%\n");

    stage_read(stage, &record);
    assert_int_equal(record.cell_count, 2);
    cell = bench_record_find(&record, "unary-100", "vow");
    assert_int_equal(cell->count, 3);
    assert_string_equal(cell->raised, "limit=8");
    assert_true(bench_cell_median(cell, BENCH_CALLS_RATIO) == 0.5);
    assert_true(bench_cell_median(cell, BENCH_CPU_RATIO) == 1);
    assert_true(bench_cell_median(cell, BENCH_CPU_US_PER_CALL) == 2);
    assert_true(bench_cell_median(cell, BENCH_P99_RATIO) == 1);
    assert_string_not_equal(bench_record_fact(&record, "kernel"), "");
    assert_string_not_equal(bench_record_fact(&record, "TCP"), "");
    assert_string_not_equal(bench_record_fact(&record, "counting a call"), "");
    bench_record_done(&record);
}

static void a_share_of_the_rate_is_one_of_what_the_peer_did_in_the_closed_loop(void **state)
{
    static const char *const workloads[] = { "--workload rate-half",
                                             "--workload rate-half --workload unary-100" };
    struct stage            *stage = *state;

    stage_write(stage, "bench_vow_client",
                "echo >>\"$0.runs\"\n"
                "while [ $# -gt 0 ]; do [ \"$1\" = --rate ] && rate=$2; shift; done\n"
                "echo calls_per_s=500 rate_per_s=${rate:-7}\n");
    for (size_t i = 0; i < 2; i++) {
        bench_record record;
        char         arguments[128];

        snprintf(arguments, sizeof arguments, "--peer vow %s", workloads[i]);
        assert_int_equal(stage_run(stage, arguments), 0);
        stage_read(stage, &record);
        assert_true(bench_cell_median(bench_record_find(&record, "rate-half", "vow"), BENCH_RATE_PER_S) ==
                    250);
        bench_record_done(&record);
        /* In each round the closed loop is run once, whether it was asked for or not. */
        assert_int_equal(stage_lines(stage, "bench_vow_client.runs"), (i + 1) * 2 * 3);
    }
}

static void the_page_has_its_plots_in_itself(void **state)
{
    struct stage *stage = *state;
    char          command[PATH_SIZE * 2];

    snprintf(command, sizeof command, "--workload 'unary-*' --peer vow --html '%s/x.html'", stage->folder);
    assert_int_equal(stage_run(stage, command), 0);
    assert_says(stage, "/x.html has the plots");
    assert_page_has(stage, "Calls a second, by calls outstanding");
    assert_page_has(stage, "unary-1: calls of 32 bytes, 1 at once");
    snprintf(command, sizeof command, "! grep -E 'src=|href=|<script' '%s/x.html'", stage->folder);
    assert_int_equal(system(command), 0);
}

static void a_section_in_which_nothing_was_measured_is_not_in_the_page(void **state)
{
    struct stage *stage = *state;
    char          arguments[PATH_SIZE * 2];

    snprintf(arguments, sizeof arguments, "--workload unary-100 --peer vow --html '%s/x.html'",
             stage->folder);
    assert_int_equal(stage_run(stage, arguments), 0);
    assert_page_has(stage, "<h2>Latency</h2>");
    assert_page_has(stage, "<h2>All figures</h2>");
    assert_page_lacks(stage, "<h2>Calls outstanding</h2>"); /* of which one number was measured */
    assert_page_lacks(stage, "<h2>Payload</h2>");
    assert_page_lacks(stage, "<h2>Connections</h2>");
    assert_page_lacks(stage, "<h2>Equal rates");
    assert_page_lacks(stage, "<h2>Memory</h2>");
    assert_page_lacks(stage, "100 calls outstanding up to 1 KiB");
}

static void a_quick_run_is_without_what_is_for_a_full_one_unless_it_is_named(void **state)
{
    struct stage *stage = *state;
    bench_record  record;

    assert_int_equal(stage_run(stage, "--quick --rounds 1 --peer vow"), 0);
    stage_read(stage, &record);
    assert_non_null(bench_record_find(&record, "unary-100", "vow"));
    assert_null(bench_record_find(&record, "bytes-0", "vow"));
    bench_record_done(&record);

    assert_int_equal(stage_run(stage, "--quick --rounds 1 --peer vow --workload bytes-0"), 0);
    stage_read(stage, &record);
    assert_non_null(bench_record_find(&record, "bytes-0", "vow"));
    bench_record_done(&record);
}

static void in_a_quick_run_another_library_that_takes_more_than_a_second_is_run_once(void **state)
{
    struct stage *stage = *state;
    bench_record  record;

    stage_write(stage, "bench_grpc_cpp_client", "sleep 1.1\n" CLIENT("100"));
    assert_int_equal(stage_run(stage, "--quick --peer grpc-cpp --workload unary-100"), 0);
    stage_read(stage, &record);
    assert_int_equal(bench_record_find(&record, "unary-100", "grpc-cpp")->count, 1);
    assert_int_equal(bench_record_find(&record, "unary-100", "floor")->count, 3);
    bench_record_done(&record);
}

/* What goes wrong */

static void a_server_that_dies_in_mid_run_is_told_of_and_the_rest_is_reported(void **state)
{
    struct stage     *stage = *state;
    bench_record      record;
    const bench_cell *cell;

    stage_write(stage, "bench_vow_client",
                "[ " OUTSTANDING " = 10 ] && kill -9 " SERVER_PID
                " && { echo the server has gone; seq 1000 1200; } >&2 && exit 1\n" CLIENT("500"));
    assert_int_equal(stage_run(stage, "--peer vow --workload 'unary-10' --workload unary-100"), 1);
    assert_says(stage, "bench: vow's server (unary-10) was killed by signal 9 (Killed)\n");
    assert_does_not_say(stage, "vow's client"); /* which failed for that reason */
    assert_does_not_say(stage, "the server has gone");
    assert_does_not_say(stage, "\n1100\n");
    assert_says(stage, "vow               failed\n");

    stage_read(stage, &record);
    cell = bench_record_find(&record, "unary-10", "vow");
    assert_true(cell->has_failed);
    assert_int_equal(cell->count, 0);
    cell = bench_record_find(&record, "unary-100", "vow");
    assert_false(cell->has_failed);
    assert_int_equal(cell->count, 3);
    bench_record_done(&record);
}

static void a_failure_is_told_once_in_one_line_with_the_programs_words(void **state)
{
    static const struct {
        const char *script;
        const char *says;
    } cases[] = {
        { "echo bench_vow_client: nobody answers >&2\nexit 1\n",
          "bench: vow's client (unary-10) ended with status 1: nobody answers\n" },
        { "echo bench_vow_client: it makes no sense >&2\necho --help tells more >&2\nexit 2\n",
          "bench: vow's client (unary-10) ended with status 2: it makes no sense; --help tells more\n" },
        { "kill -9 $$\n", "bench: vow's client (unary-10) was killed by signal 9 (Killed)\n" },
        { "exit 0\n", "bench: vow's client (unary-10) left before it was done\n" },
        { CLIENT("500") "echo at the end >&2\nexit 7\n",
          "bench: vow's client (unary-10) ended with status 7: at the end\n" },
        { "exec /nonexistent\n", "bench: vow's client (unary-10) ended with status 127: " },
    };
    struct stage *stage = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *line;

        stage_write(stage, "bench_vow_client", cases[i].script);
        assert_int_equal(stage_run(stage, "--peer vow --workload unary-10"), 1);
        assert_says(stage, cases[i].says);
        line = strstr(stage->output, "vow's client");
        assert_null(strstr(line + 1, "vow's client"));
        line = strstr(stage->output, cases[i].says);
        assert_null(strstr(line + 1, "\nbench: "));
    }
}

static void more_than_a_line_can_quote_is_shown_whole(void **state)
{
    struct stage *stage = *state;

    stage_write(stage, "bench_vow_client", "seq 1000 1200 >&2\nexit 1\n");
    assert_int_equal(stage_run(stage, "--peer vow --workload unary-10"), 1);
    assert_says(stage, "\n1150\n1151\n");
    assert_says(stage, "bench: vow's client (unary-10) ended with status 1: 1000; 1001; ");
}

static void what_a_program_says_that_ends_well_is_shown(void **state)
{
    struct stage *stage = *state;

    stage_write(stage, "bench_vow_client", "echo beware >&2\n" CLIENT("500"));
    assert_int_equal(stage_run(stage, "--peer vow --workload unary-10"), 0);
    assert_says(stage, "beware\nbeware\nbeware\n");
}

static void what_was_measured_before_ctrl_c_is_reported(void **state)
{
    struct stage     *stage = *state;
    bench_record      record;
    const bench_cell *cell;

    stage_write(stage, "bench_vow_client",
                "[ " OUTSTANDING " = 100 ] && kill -INT $PPID && exec sleep 600\n" CLIENT("500"));
    assert_int_equal(stage_run(stage, "--peer vow --workload unary-10 --workload unary-100"), 130);
    assert_says(stage, "vow                    500 ");
    assert_says(stage, "vow               not measured\n");
    assert_says(stage, "bench: interrupted; what was measured until then:\n");

    stage_read(stage, &record);
    assert_int_equal(bench_record_find(&record, "unary-10", "vow")->count, 1);
    cell = bench_record_find(&record, "unary-100", "vow");
    assert_int_equal(cell->count, 0);
    assert_false(cell->has_failed);
    bench_record_done(&record);
}

/* Neither the earlier report nor a new file has anything in it that says nothing. */
static void before_anything_was_measured_no_report_is_written(void **state)
{
    static const struct {
        const char *script;
        int         status;
        const char *says;
    } cases[] = {
        { "kill -INT $PPID && exec sleep 600\n", 130,
          "bench: interrupted before anything was measured; there is no report\n" },
        { "exit 1\n", 1, "bench: nothing could be measured; there is no report\n" },
    };
    struct stage *stage = *state;

    stage_write(stage, "x.json", "an earlier report\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[PATH_SIZE], html[PATH_SIZE * 2];

        stage_write(stage, "bench_floor_client", cases[i].script);
        stage_write(stage, "bench_vow_client", cases[i].script);
        stage_path(stage, "x.html", path);
        snprintf(html, sizeof html, "--peer vow --workload unary-10 --html '%s'", path);
        assert_int_equal(stage_run(stage, html), cases[i].status);
        assert_says(stage, cases[i].says);
        assert_does_not_say(stage, "Medians");
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(stage_lines(stage, "x.json"), 2);
    }
}

static void workloads_that_were_not_reached_are_counted_and_not_listed(void **state)
{
    struct stage *stage = *state;
    char          arguments[PATH_SIZE * 2];

    stage_write(stage, "bench_vow_client", "kill -INT $PPID && exec sleep 600\n");
    snprintf(arguments, sizeof arguments, "--peer vow --workload 'unary-*' --html '%s/x.html'",
             stage->folder);
    assert_int_equal(stage_run(stage, arguments), 130);
    assert_says(stage, "unary-1: ");
    assert_does_not_say(stage, "unary-10: ");
    assert_says(stage, "\n3 further workloads: not measured\n");
    assert_page_has(stage, "unary-1: ");
    assert_page_lacks(stage, "unary-10: ");
}

static void a_peer_that_has_no_part_in_what_was_asked_for_is_named(void **state)
{
    struct stage *stage = *state;

    stage_write(stage, "bench_vow_client", CLIENT("500"));
    assert_int_equal(stage_run(stage, "--peer vow --peer nghttpd --workload unary-10"), 0);
    assert_says(stage, "bench: nghttpd has no part in these workloads\n");
    assert_does_not_say(stage, "floor has no part");
    assert_does_not_say(stage, "vow has no part");
}

/* A terminal sends it to all processes of the driver's group. */
static void ctrl_c_reaches_the_driver_and_not_the_programs(void **state)
{
    struct stage *stage = *state;

    stage_write(stage, "bench_vow_client",
                "read -r _ _ _ _ group _ <\"/proc/$$/stat\"\n[ \"$group\" = $$ ] || exit 1\n" CLIENT("500"));
    assert_int_equal(stage_run(stage, "--peer vow --workload unary-10"), 0);
}

static void a_peer_whose_programs_are_missing_is_left_out_and_that_is_said(void **state)
{
    struct stage *stage = *state;

    stage_remove(stage, "bench_grpc_cpp_client");
    assert_int_equal(stage_run(stage, "--peer vow --peer grpc-cpp --workload unary-10"), 0);
    assert_says(stage, "bench: grpc-cpp is left out of 1 of its 1 workloads: its programs are not in ");
    assert_says(stage, "vow                    500 ");
}

static void without_vows_own_programs_or_the_floors_nothing_is_run(void **state)
{
    struct stage *stage = *state;

    stage_remove(stage, "bench_vow_client");
    assert_int_equal(stage_run(stage, "--peer vow --workload unary-10"), 1);
    assert_says(stage, "bench: vow's programs are not in ");
    assert_says(stage, "; build them with ./dev build\n");
}

static void a_client_that_says_something_else_is_quoted(void **state)
{
    struct stage *stage = *state;

    stage_write(stage, "bench_vow_client", "echo all is well\n");
    assert_int_equal(stage_run(stage, "--peer vow --workload unary-10"), 1);
    assert_says(stage, "bench: vow's client (unary-10) prints what is no line of results: all is well\n");
}

static void a_command_line_that_makes_no_sense_is_refused_in_words(void **state)
{
    static const struct {
        const char *arguments;
        const char *words;
    } cases[] = {
        { "--rounds 0", "bench: --rounds wants a whole number from 1 to 100, not \"0\"" },
        { "--rounds 101", "bench: --rounds wants a whole number from 1 to 100, not \"101\"" },
        { "--seconds 0", "bench: --seconds wants seconds, from 0.001 to 3600, not \"0\"" },
        { "--peer nobody", "bench: there is no peer \"nobody\"" },
        { "--workload 'nothing*'", "bench: there is no workload \"nothing*\"" },
        { "--peer redis --workload memory", "bench: none of these peers has a part in these workloads" },
        { "--fast", "bench: \"--fast\" is no option, or lacks its value" },
        { "--against", "bench: \"--against\" is no option, or lacks its value" },
        { "unary-1", "bench: \"unary-1\" is no option, or lacks its value" },
        { "--peer vow --workload unary-1 --against /nonexistent",
          "bench: cannot compare with /nonexistent: unable to open /nonexistent: No such file or directory" },
        { "--peer vow --workload unary-1 --against /dev/null",
          "bench: cannot compare with /dev/null: line 1: '[' or '{' expected near end of file" },
        { "--peer vow --workload unary-1 --against /", "bench: cannot compare with /: line " },
        { "--peer vow --workload unary-1 --html /nonexistent/x.html",
          "bench: cannot write /nonexistent/x.html: No such file or directory" },
        { "--peer vow --workload unary-1 --html /", "bench: cannot write /: Is a directory" },
    };
    struct stage *stage = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (stage_run(stage, cases[i].arguments) != 2)
            fail_msg("%s: %s", cases[i].arguments, stage->output);
        assert_says(stage, cases[i].words);
        assert_does_not_say(stage, "runs in each of");
    }
}

static void a_report_that_could_not_be_written_is_a_failure_and_the_other_one_is(void **state)
{
    struct stage *stage = *state;
    bench_record  record;

    assert_int_equal(stage_run(stage, "--peer vow --workload unary-1 --html /dev/full"), 1);
    assert_says(stage, "bench: cannot write /dev/full: No space left on device\n");
    assert_does_not_say(stage, "has the plots");
    stage_read(stage, &record);
    assert_non_null(bench_record_find(&record, "unary-1", "vow"));
    bench_record_done(&record);
}

/* What changed since */

/* A first run of all three peers, kept as y.json; then another one with vow's client as given. */
static int run_against_earlier(struct stage *stage, const char *peer, const char *client)
{
    char from[PATH_SIZE], to[PATH_SIZE], arguments[PATH_SIZE * 3];

    assert_int_equal(stage_run(stage, "--peer vow --peer grpc-cpp --workload unary-100"), 0);
    stage_path(stage, "x.json", from);
    stage_path(stage, "y.json", to);
    assert_int_equal(rename(from, to), 0);
    stage_write(stage, peer, client);
    snprintf(arguments, sizeof arguments,
             "--peer vow --peer grpc-cpp --workload unary-100 --html '%s/x.html' --against '%s'",
             stage->folder, to);
    return stage_run(stage, arguments);
}

static void that_nothing_changed_is_no_failure(void **state)
{
    struct stage *stage = *state;

    assert_int_equal(run_against_earlier(stage, "bench_vow_client", CLIENT("490")), 0);
    assert_says(stage, "0 of 4 figures changed beyond the noise\n");
}

static void a_report_of_other_workloads_is_refused(void **state)
{
    struct stage *stage = *state;
    char          arguments[PATH_SIZE * 2];

    assert_int_equal(stage_run(stage, "--peer vow --workload unary-1"), 0);
    snprintf(arguments, sizeof arguments, "--peer vow --workload unary-10 --against '%s/x.json'",
             stage->folder);
    assert_int_equal(stage_run(stage, arguments), 2);
    assert_says(stage, "x.json: it has none of what is to be measured\n");
}

static void that_a_report_is_of_another_machine_is_said(void **state)
{
    struct stage *stage = *state;
    char          command[PATH_SIZE * 3];

    assert_int_equal(stage_run(stage, "--peer vow --workload unary-1"), 0);
    snprintf(command, sizeof command,
             "sed 's/\"kernel\": \".*\"/\"kernel\": \"Plan 9\"/' '%s/x.json' >'%s/y.json'", stage->folder,
             stage->folder);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command, "--peer vow --workload unary-1 --against '%s/y.json'", stage->folder);
    assert_int_equal(stage_run(stage, command), 0);
    assert_says(stage, "/y.json is of another machine: its kernel is \"Plan 9\", and here it is \"Linux");
    assert_does_not_say(stage, "its processor is");
}

static void what_is_worse_twice_has_a_status_of_its_own(void **state)
{
    struct stage *stage = *state;

    assert_int_equal(run_against_earlier(stage, "bench_vow_client", CLIENT("400")), 3);
    assert_says(stage, "bench: something seems to be worse; measuring it again, 5 times\n");
    assert_says(
        stage,
        "vow is worse:\n  calls_ratio of vow on unary-100: 0.4, was 0.5 (-20 %, surely between -20 % and "
        "-20 %)\n");
    assert_page_has(stage, "Worse: calls_ratio of vow on unary-100: 0.4, was 0.5");
}

static void what_is_worse_once_is_said_and_no_failure(void **state)
{
    struct stage *stage = *state;

    assert_int_equal(run_against_earlier(stage, "bench_vow_client",
                                         "echo >>\"$0.runs\"\n"
                                         "if [ $(wc -l <\"$0.runs\") -le 3 ]; then\n" CLIENT(
                                             "400") "else\n" CLIENT("500") "fi\n"),
                     0);
    assert_says(stage, "-20 %); not so when measured again\n");
}

static void what_is_better_is_said(void **state)
{
    struct stage *stage = *state;

    assert_int_equal(run_against_earlier(stage, "bench_vow_client", CLIENT("600")), 0);
    assert_says(stage, "vow is better:\n  calls_ratio of vow on unary-100: 0.6, was 0.5 (+20 %");
}

static void that_another_library_is_worse_is_said_and_no_failure(void **state)
{
    struct stage *stage = *state;

    assert_int_equal(run_against_earlier(stage, "bench_grpc_cpp_client", CLIENT("50")), 0);
    assert_says(stage, "Others are worse:\n  calls_ratio of grpc-cpp on unary-100: 0.05, was 0.1 (-50 %");
    assert_does_not_say(stage, "measuring it again");
}

/* On real sockets */

static void a_delay_and_a_stall_are_reported_as_they_are(void **state)
{
    struct stage *stage = *state;
    char          driver[PATH_SIZE];

    snprintf(driver, sizeof driver, "%s/bench_driver", getenv("VOW_BIN"));
    if (run(stage, driver, "--check") != 0)
        fail_msg("%s", stage->output);
    assert_says(stage, "\nall as it should be\n");
}

#define STAGE_TEST(claim) cmocka_unit_test_setup_teardown(claim, stage_setup, stage_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(each_round_of_a_peer_is_compared_with_the_floor),
        STAGE_TEST(a_share_of_the_rate_is_one_of_what_the_peer_did_in_the_closed_loop),
        STAGE_TEST(the_page_has_its_plots_in_itself),
        STAGE_TEST(a_section_in_which_nothing_was_measured_is_not_in_the_page),
        STAGE_TEST(a_quick_run_is_without_what_is_for_a_full_one_unless_it_is_named),
        STAGE_TEST(in_a_quick_run_another_library_that_takes_more_than_a_second_is_run_once),
        STAGE_TEST(a_server_that_dies_in_mid_run_is_told_of_and_the_rest_is_reported),
        STAGE_TEST(a_failure_is_told_once_in_one_line_with_the_programs_words),
        STAGE_TEST(more_than_a_line_can_quote_is_shown_whole),
        STAGE_TEST(what_a_program_says_that_ends_well_is_shown),
        STAGE_TEST(what_was_measured_before_ctrl_c_is_reported),
        STAGE_TEST(before_anything_was_measured_no_report_is_written),
        STAGE_TEST(workloads_that_were_not_reached_are_counted_and_not_listed),
        STAGE_TEST(a_peer_that_has_no_part_in_what_was_asked_for_is_named),
        STAGE_TEST(ctrl_c_reaches_the_driver_and_not_the_programs),
        STAGE_TEST(a_peer_whose_programs_are_missing_is_left_out_and_that_is_said),
        STAGE_TEST(without_vows_own_programs_or_the_floors_nothing_is_run),
        STAGE_TEST(a_client_that_says_something_else_is_quoted),
        STAGE_TEST(a_command_line_that_makes_no_sense_is_refused_in_words),
        STAGE_TEST(a_report_that_could_not_be_written_is_a_failure_and_the_other_one_is),
        STAGE_TEST(that_nothing_changed_is_no_failure),
        STAGE_TEST(a_report_of_other_workloads_is_refused),
        STAGE_TEST(that_a_report_is_of_another_machine_is_said),
        STAGE_TEST(what_is_worse_twice_has_a_status_of_its_own),
        STAGE_TEST(what_is_worse_once_is_said_and_no_failure),
        STAGE_TEST(what_is_better_is_said),
        STAGE_TEST(that_another_library_is_worse_is_said_and_no_failure),
        STAGE_TEST(a_delay_and_a_stall_are_reported_as_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
