/*
 * vow-load's runs over real sockets, against a server on a thread of its own that is as slow as it is told to
 * be.
 *
 * What is scripted is far longer than what a busy machine adds; the tolerance is a fifth.
 */
#include "calls.vow.h"
#include "tools/vow-load/run.h"
#include "tools/vow-load/show.h"
#include "tools/vow-load/search.h"

#include <vow/vow.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)

/* One server for each test. `delay_ms` is set before its first call. */
static struct {
    vow_threads     *threads;
    int              port;
    int64_t          delay_ms;
    uint64_t         stalls_at_ms, stalls_for_ms; /* since the first call */
    _Atomic uint64_t first_ns;
    atomic_size_t    calls;
    atomic_size_t    signed_calls; /* with the metadata "who: me" */
} place;

static vow_future *answer(vow_future *slept, void *arg)
{
    Calls__Text reply = CALLS__TEXT__INIT;

    (void)slept;
    reply.text = (char *)(uintptr_t) "answer";
    vow_call_reply(arg, &reply.base);
    return NULL;
}

static void serve(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    uint64_t    now_ns = uv_hrtime(), none = 0, since_ms;
    int64_t     delay_ms = place.delay_ms;
    const char *who = vow_call_metadata_get(call, "who");

    (void)request;
    (void)handler;
    atomic_fetch_add(&place.calls, 1);
    atomic_fetch_add(&place.signed_calls, who && strcmp(who, "me") == 0);
    atomic_compare_exchange_strong(&place.first_ns, &none, now_ns);
    since_ms = (now_ns - place.first_ns) / MS;
    if (since_ms >= place.stalls_at_ms && since_ms < place.stalls_at_ms + place.stalls_for_ms)
        delay_ms += (int64_t)(place.stalls_at_ms + place.stalls_for_ms - since_ms);
    vow_call_answer(call, vow_then(vow_sleep(vow_call_loop(call), delay_ms), answer, call));
}

static vow_code set_up(vow_loop *loop, size_t index, void *arg, vow_error *error)
{
    const vow_handler handler = { sizeof handler, &calls_calls_echo_method, serve, NULL, NULL };
    vow_server       *server = vow_server_open(loop, NULL);
    vow_code          code;

    (void)index;
    (void)arg;
    vow_server_handle(server, &handler);
    code = vow_server_listen(server, "tcp://127.0.0.1:0", error);
    place.port = vow_server_port(server);
    return code;
}

static int open_place(void **state)
{
    vow_error error;

    (void)state;
    memset(&place, 0, sizeof place);
    place.threads = vow_threads_start(1, set_up, NULL, &error);
    if (!place.threads)
        fail_msg("%s", error.message);
    return 0;
}

static int close_place(void **state)
{
    (void)state;
    vow_threads_stop(place.threads, 1000);
    return 0;
}

/* Runs */

static const vow_method    echo = { .size = sizeof echo,
                                    .name = "calls.Calls/Echo",
                                    .request = &vow_raw_descriptor,
                                    .reply = &vow_raw_descriptor };
static const load_requests empty;

/* `rates` NULL: a closed loop. */
static load_plan plan_of(const char *rates, uint64_t length_ns)
{
    static char target[64];
    load_plan   plan = {
          .target = target,
          .method = &echo,
          .requests = &empty,
          .timeout_ms = 10000,
          .connect_ns = 10 * S,
          .give_up_ns = 2 * S,
          .outstanding = rates ? 1000 : 1,
          .connections = 1,
          .threads = 1,
    };
    load_problem problem;

    snprintf(target, sizeof target, "tcp://127.0.0.1:%d", place.port);
    if (!rates)
        load_schedule_closed(&plan.schedule, length_ns);
    else if (!load_schedule_open(&plan.schedule, rates, length_ns, &problem))
        fail_msg("%s", problem.text);
    return plan;
}

static double quantile_ms(const load_result *result, double share)
{
    return (double)stats_histogram_quantile(&result->total->latency, share) / 1e6;
}

static void assert_within_a_fifth(double value, double wanted)
{
    if (value < wanted * 0.8 || value > wanted * 1.2)
        fail_msg("%g is not %g within a fifth", value, wanted);
}

static void assert_adds_up(const load_result *result)
{
    const load_tally *total = result->total;

    assert_int_equal(total->begun, total->answered + load_tally_failed(total) + total->unfinished);
    assert_int_equal(total->latency.count, total->answered);
}

static void assert_reports_delay(load_plan plan)
{
    load_result *result;

    place.delay_ms = 60;
    load_schedule_warm_up(&plan.schedule, S / 5);
    result = load_run(&plan, NULL, NULL);
    assert_int_equal(result->end, LOAD_COMPLETE);
    assert_within_a_fifth(quantile_ms(result, 0.5), 60);
    assert_true(quantile_ms(result, 0) >= 59);
    assert_int_equal(load_tally_failed(result->total), 0);
    assert_adds_up(result);
    load_result_free(result, &plan);
}

static void an_open_loop_reports_the_delay_that_there_is(void **state)
{
    load_plan plan = plan_of("100", S / 2);

    (void)state;
    assert_reports_delay(plan);
    assert_int_equal(place.calls, 70);
}

static void so_does_one_that_spins(void **state)
{
    load_plan plan = plan_of("100", S / 2);

    (void)state;
    plan.spins = true;
    assert_reports_delay(plan);
    assert_int_equal(place.calls, 70);
}

static void a_closed_loop_reports_the_delay_that_there_is(void **state)
{
    (void)state;
    assert_reports_delay(plan_of(NULL, S / 2));
}

static void metadata_goes_with_every_call(void **state)
{
    load_plan    plan = plan_of(NULL, S);
    load_result *result;

    (void)state;
    plan.metadata = VOW_METADATA({ .name = "who", .value = "me" });
    load_schedule_limit(&plan.schedule, 20);
    result = load_run(&plan, NULL, NULL);
    assert_int_equal(result->total->answered, 20);
    assert_int_equal(place.signed_calls, 20);
    load_result_free(result, &plan);
}

static void a_call_has_the_time_that_the_plan_gives_it(void **state)
{
    load_plan    plan = plan_of(NULL, S);
    load_result *result;

    (void)state;
    place.delay_ms = 2000;
    plan.timeout_ms = 50;
    load_schedule_limit(&plan.schedule, 2);
    result = load_run(&plan, NULL, NULL);
    assert_int_equal(result->total->answered, 0);
    assert_int_equal(load_tally_failed(result->total), 2);
    assert_int_equal(result->total->failed[VOW_DEADLINE_EXCEEDED], 2);
    assert_adds_up(result);
    load_result_free(result, &plan);
}

/* 200 of 600 calls wait for 500, 497.5 … 2.5 ms; six are the hundredth part: p99 is the seventh longest. */
static void a_stall_shows_in_an_open_loop(void **state)
{
    load_plan    plan = plan_of("400", 3 * S / 2);
    load_result *result;

    (void)state;
    place.stalls_at_ms = 500;
    place.stalls_for_ms = 500;
    result = load_run(&plan, NULL, NULL);
    assert_int_equal(result->total->answered, 600);
    assert_within_a_fifth(quantile_ms(result, 0.99), 485);
    assert_within_a_fifth(quantile_ms(result, 1), 500);
    assert_adds_up(result);
    load_result_free(result, &plan);
}

static void and_not_in_a_closed_one(void **state)
{
    load_plan    plan = plan_of(NULL, 3 * S / 2);
    load_result *result;

    (void)state;
    place.delay_ms = 5;
    place.stalls_at_ms = 500;
    place.stalls_for_ms = 500;
    result = load_run(&plan, NULL, NULL);
    assert_true(quantile_ms(result, 0.99) < 250);
    assert_within_a_fifth(quantile_ms(result, 1), 505);
    load_result_free(result, &plan);
}

static void threads_and_connections_share_the_calls(void **state)
{
    load_plan    plan = plan_of(NULL, 86400 * S);
    load_result *result;

    (void)state;
    place.delay_ms = 2; /* long enough to tell what it took */
    load_schedule_limit(&plan.schedule, 1001);
    plan.outstanding = 20;
    plan.connections = 7;
    plan.threads = 3;
    result = load_run(&plan, NULL, NULL);
    assert_int_equal(result->total->answered, 1001);
    assert_int_equal(place.calls, 1001);
    assert_true(result->rate > 0);
    assert_true(result->cpu_per_call > 0);
    assert_true(result->cpu_share > 0 &&
                result->cpu_share <= 5); /* of three threads, the main one, and the server's */
    assert_true(result->moment_count > 0);
    assert_adds_up(result);
    load_result_free(result, &plan);
}

/* A thread begins and ends in that time, and there would be more than a core for each. */
static void a_run_too_short_to_tell_tells_no_processor_time(void **state)
{
    load_plan    plan = plan_of(NULL, 86400 * S);
    load_result *result;

    (void)state;
    load_schedule_limit(&plan.schedule, 3);
    result = load_run(&plan, NULL, NULL);
    assert_int_equal(result->total->answered, 3);
    assert_true(isnan(result->cpu_per_call));
    assert_true(isnan(result->cpu_share));
    load_result_free(result, &plan);
}

/* What else befalls a run */

static void watch_and_kill(const load_moment *moment, void *arg)
{
    (void)arg;
    if (moment->answered > 0 && place.threads) {
        vow_threads_stop(place.threads, 0);
        place.threads = NULL;
    }
}

static void a_server_that_goes_away_ends_the_run_with_what_was_measured(void **state)
{
    load_plan    plan = plan_of("100", 60 * S);
    load_result *result;

    (void)state;
    plan.give_up_ns = S / 2;
    result = load_run(&plan, watch_and_kill, NULL);
    assert_int_equal(result->end, LOAD_SERVER_GONE);
    assert_non_null(strstr(result->why.text, "the server has gone: UNAVAILABLE: tcp://127.0.0.1:"));
    assert_true(result->total->answered > 0);
    assert_true(result->total->failed[VOW_UNAVAILABLE] > 0);
    assert_true(result->seconds < 30);
    assert_true(result->moment_count > 0);
    assert_adds_up(result);
    load_result_free(result, &plan);
}

static void a_target_that_refuses_ends_it_before_it_began(void **state)
{
    load_plan    plan = plan_of("100", S);
    load_result *result;

    (void)state;
    vow_threads_stop(place.threads, 0);
    place.threads = NULL;
    plan.connect_ns = 300 * MS;
    result = load_run(&plan, NULL, NULL);
    assert_int_equal(result->end, LOAD_NO_CONNECTION);
    assert_non_null(strstr(result->why.text, "0 of 1 connections could be made (--connect-timeout)"));
    assert_int_equal(result->total->begun, 0);
    load_result_free(result, &plan);
}

/* A server that answers 50 calls at a time in 50 ms takes 1,000 a second: the rest waits and never begins. */
static void a_rate_beyond_the_server_is_told_with_what_was_reached(void **state)
{
    load_plan    plan = plan_of("10000", S);
    load_result *result;
    load_verdict verdict;

    (void)state;
    place.delay_ms = 50;
    plan.outstanding = 50;
    result = load_run(&plan, NULL, NULL);
    load_verdict_of(&verdict, &plan, result, NULL, 0);
    assert_int_equal(verdict.status, LOAD_TOO_FAST);
    assert_non_null(strstr(verdict.words,
                           "of 10,000 calls a second began, since 50 were outstanding, as many as "
                           "--outstanding allows: answers come more slowly than calls are due."));
    assert_in_range(result->total->begun + result->missed, 10000, 10000);
    assert_true(result->rate < 1200);
    assert_adds_up(result);
    load_result_free(result, &plan);
}

/* 10 calls at a time of 50 ms each are 200 a second. */
static void a_search_finds_what_a_server_takes(void **state)
{
    load_plan    plan = plan_of("150", S / 2);
    load_options options = { .length_ns = S / 2, .finds_capacity = true };
    load_search *search;
    load_problem problem;

    (void)state;
    place.delay_ms = 50;
    plan.outstanding = 10;
    assert_true(load_expectation_parse(&options.capacity, "p50<500ms", &problem));
    search = load_search_run(&plan, &options, NULL, NULL);
    assert_true(search->capacity >= 100);
    assert_true(search->capacity <= 260);
    assert_in_range(search->trial_count, 3, LOAD_TRIALS_MAX);
    load_search_free(search);
}

static void assert_file_has(const char *path, const char *wanted)
{
    static char text[1 << 20];
    FILE       *file = fopen(path, "r");

    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    unlink(path);
    if (!strstr(text, wanted))
        fail_msg("%s lacks: %s", path, wanted);
}

/* How busy it really was depends on who else runs. */
static void reports_say_that_the_generator_was_busy(void **state)
{
    load_plan     plan = plan_of("100", S / 5);
    load_options  options = { .length_ns = S / 5 };
    load_verdict  verdict;
    load_findings findings = { .options = &options, .plan = &plan, .verdict = &verdict, .first_call_s = NAN };
    load_problem  problem;
    load_result  *result;
    char          json[100], html[100];

    (void)state;
    snprintf(json, sizeof json, "/tmp/vow-test-%d.json", (int)getpid());
    snprintf(html, sizeof html, "/tmp/vow-test-%d.html", (int)getpid());
    result = load_run(&plan, NULL, NULL);
    result->cpu_share = 0.97;
    load_verdict_of(&verdict, &plan, result, NULL, 0);
    findings.result = result;
    assert_true(load_show_json(json, &findings, &problem));
    assert_true(load_show_html(html, &findings, &problem));
    assert_file_has(json, "\"warning\": \"the generator was busy for 97 % of the time");
    assert_file_has(html, "Warning: the generator was busy for 97 % of the time");
    load_result_free(result, &plan);
}

#define at_place(test) cmocka_unit_test_setup_teardown(test, open_place, close_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        at_place(an_open_loop_reports_the_delay_that_there_is),
        at_place(so_does_one_that_spins),
        at_place(a_closed_loop_reports_the_delay_that_there_is),
        at_place(metadata_goes_with_every_call),
        at_place(a_call_has_the_time_that_the_plan_gives_it),
        at_place(a_stall_shows_in_an_open_loop),
        at_place(and_not_in_a_closed_one),
        at_place(threads_and_connections_share_the_calls),
        at_place(a_run_too_short_to_tell_tells_no_processor_time),
        at_place(a_server_that_goes_away_ends_the_run_with_what_was_measured),
        at_place(a_target_that_refuses_ends_it_before_it_began),
        at_place(a_rate_beyond_the_server_is_told_with_what_was_reached),
        at_place(a_search_finds_what_a_server_takes),
        at_place(reports_say_that_the_generator_was_busy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
