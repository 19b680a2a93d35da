/* Metrics: what is counted on both sides, how it is bounded, and what Prometheus is shown. */
#include "runtime/service/histogram.h"
#include "tests/support/exposition.h"
#include "tests/support/failing.h"
#include "tests/support/streams.h"
#include "tests/support/world.h"

#include <vow/metrics.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define ECHO_METHOD "calls.Calls/Echo"
#define US ((uint64_t)1000)
#define MS (1000 * US)
#define S (1000 * MS)

/* A world whose server and channel are counted by one vow_metrics. */
struct counted {
    world       *world;
    vow_metrics *metrics;
};

static struct counted counted_open(world_kind kind, size_t max_series)
{
    struct counted counted = { streams_world(kind), vow_metrics_new(VOW_METRICS(.max_series = max_series)) };

    assert_non_null(counted.metrics);
    vow_server_intercept(counted.world->server, vow_metrics_interceptor(counted.metrics));
    vow_channel_intercept(counted.world->channel, vow_metrics_interceptor(counted.metrics));
    return counted;
}

static void counted_close(struct counted *counted)
{
    world_free(counted->world);
    vow_metrics_free(counted->metrics);
}

static uint64_t counted_number(const struct counted *counted, const char *method, bool is_served,
                               vow_metrics_counter counter)
{
    return vow_metrics_count(vow_metrics_find(counted->metrics, method, is_served), counter);
}

static vow_future *ask_to_fail(world *world)
{
    Calls__Text request = CALLS__TEXT__INIT;

    request.text = (char *)"no";
    return calls_calls_fail(world->channel, &request, NULL);
}

/* The page */

struct text {
    char  *data;
    size_t size;
};

static void text_take(const char *piece, size_t size, void *arg)
{
    struct text *text = arg;

    assert_int_equal(piece[size], '\0');
    text->data = realloc(text->data, text->size + size + 1);
    assert_non_null(text->data);
    memcpy(text->data + text->size, piece, size + 1);
    text->size += size;
}

/* What is printed, held against the format. Free it. */
static char *page_of(const vow_metrics *metrics)
{
    struct text text = { calloc(1, 1), 0 };
    const char *fault;

    vow_metrics_print(metrics, text_take, &text);
    fault = exposition_fault(text.data);
    if (fault)
        fail_msg("%s", fault);
    return text.data;
}

static void the_reader_of_pages_finds_what_is_wrong(void **state)
{
#define HEAD(type) "# HELP a_total b c\n# TYPE a_total " type "\n"
#define HISTOGRAM "# HELP h b c\n# TYPE h histogram\n"
    static const char *const wrong[] = {
        "a_total 1\n",
        "# TYPE a_total counter\na_total 1\n",
        "# HELP a_total b\na_total 1\n",
        HEAD("number") "a_total 1\n",
        HEAD("counter") "a_total 1",
        HEAD("counter") "a_total\n",
        HEAD("counter") "a_total 1 \n",
        HEAD("counter") "a_total  1\n",
        HEAD("counter") "a_total x\n",
        HEAD("counter") "a_total -1\n",
        HEAD("counter") "b_total 1\n",
        HEAD("counter") "a_total 1\na_total 2\n",
        HEAD("counter") "a_total{b=\"c\"} 1\na_total{b=\"c\"} 1\n",
        HEAD("counter") "a_total{b=\"c} 1\n",
        HEAD("counter") "a_total{b=c} 1\n",
        HEAD("counter") "a_total{b=\"\\t\"} 1\n",
        HEAD("counter") "a_total{b=\"\xFF\"} 1\n",
        HEAD("counter") HEAD("counter"),
        "# HELP a b\n# TYPE a counter\na 1\n",
        HISTOGRAM "h_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n",
        HISTOGRAM "h_bucket{x=\"y\",le=\"1\"} 1\nh_bucket{x=\"y\",le=\"+Inf\"} 0\nh_sum{x=\"y\"} "
                  "1\nh_count{x=\"y\"} 0\n",
        HISTOGRAM "h_bucket{x=\"y\",le=\"2\"} 1\nh_bucket{x=\"y\",le=\"1\"} 1\n",
        HISTOGRAM "h_bucket{x=\"y\",le=\"+Inf\"} 2\nh_sum{x=\"y\"} 1\nh_count{x=\"y\"} 1\n",
        HISTOGRAM "h_bucket{x=\"y\",le=\"+Inf\"} 2\nh_count{x=\"y\"} 2\n",
        HISTOGRAM "h_bucket{x=\"y\",le=\"+Inf\"} 2\nh_sum{x=\"y\"} 1\n",
        HISTOGRAM "h_bucket{x=\"y\",le=\"+Inf\"} 2\nh_sum{x=\"z\"} 1\nh_count{x=\"y\"} 2\n",
        HISTOGRAM "h_bucket{x=\"y\"} 2\nh_sum{x=\"y\"} 1\nh_count{x=\"y\"} 2\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (!exposition_fault(wrong[i]))
            fail_msg("nothing is found wrong in %s", wrong[i]);
    }
    assert_null(exposition_fault(
        HEAD("counter") "a_total{b=\"\\\"\\\\\\n\",c=\"d\"} 1\na_total{b=\"\"} 0.5\n" HISTOGRAM
                        "h_bucket{x=\"y\",le=\"1\"} 1\nh_bucket{x=\"y\",le=\"+Inf\"} 2\n"
                        "h_sum{x=\"y\"} 1\nh_count{x=\"y\"} 2\n"));
    assert_int_equal(exposition_value("a 1\nb{c=\"d\"} 2\n", "b{c=\"d\"}"), 2);
    assert_int_equal(exposition_value("a 1\n", "b"), -1);
}

/* The histogram */

static void a_bucket_has_what_is_above_the_bound_before_it_and_up_to_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i + 1 < VOW_HISTOGRAM_BUCKETS; i++) {
        assert_int_equal(vow_histogram_bucket(vow_histogram_bound_ns(i)), i);
        assert_int_equal(vow_histogram_bucket(vow_histogram_bound_ns(i) + 1), i + 1);
    }
    assert_int_equal(vow_histogram_bucket(0), 0);
    assert_int_equal(vow_histogram_bucket(UINT64_MAX), VOW_HISTOGRAM_BUCKETS - 1);
    assert_int_equal(vow_histogram_bound_ns(0), US);
    assert_int_equal(vow_histogram_bound_ns(VOW_HISTOGRAM_BUCKETS - 2), 10000 * S);
    assert_true(vow_histogram_bound_ns(VOW_HISTOGRAM_BUCKETS - 1) == UINT64_MAX);
}

static void a_bucket_is_at_most_an_eighth_of_the_duration_wide(void **state)
{
    (void)state;
    for (size_t i = 1; i + 1 < VOW_HISTOGRAM_BUCKETS; i++) {
        uint64_t from = vow_histogram_bound_ns(i - 1);

        assert_in_range(vow_histogram_bound_ns(i) - from, 1, from / 8);
    }
}

static void a_quantile_is_estimated_within_an_eighth(void **state)
{
    static const struct {
        double   quantile;
        uint64_t ns;
    } cases[] = { { 0.01, 10 * MS },  { 0.25, 250 * MS }, { 0.5, 500 * MS }, { 0.9, 900 * MS },
                  { 0.99, 990 * MS }, { 1, S },           { 2, S } };
    static vow_histogram histogram;

    (void)state;
    assert_int_equal(vow_histogram_quantile_ns(&histogram, 0.5), 0);
    for (uint64_t i = 1; i <= 1000; i++)
        vow_histogram_add(&histogram, i * MS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_in_range(vow_histogram_quantile_ns(&histogram, cases[i].quantile),
                        cases[i].ns - cases[i].ns / 8, cases[i].ns + cases[i].ns / 8);
    assert_in_range(vow_histogram_quantile_ns(&histogram, 0), 0, MS);
    assert_in_range(vow_histogram_quantile_ns(&histogram, -1), 0, MS);
    assert_in_range(vow_histogram_quantile_ns(&histogram, NAN), 0, MS);
    assert_int_equal(vow_histogram_count(&histogram), 1000);
    assert_true(fabs(vow_histogram_seconds(&histogram) - 500.5) < 1e-6);
}

static void what_takes_longer_than_all_bounds_counts_as_the_last(void **state)
{
    static vow_histogram histogram;

    (void)state;
    vow_histogram_add(&histogram, 10000 * S + 1);
    vow_histogram_add(&histogram, UINT64_MAX);
    assert_int_equal(vow_histogram_quantile_ns(&histogram, 0.5), 10000 * S);
    assert_int_equal(vow_histogram_count(&histogram), 2);
}

/* Counting */

static void calls_are_counted_on_both_sides_on(world_kind kind)
{
    struct counted counted = counted_open(kind, 0);

    for (int i = 0; i < 3; i++)
        assert_int_equal(world_settle(counted.world, world_echo(counted.world, "hello", NULL)), VOW_OK);
    assert_int_equal(world_settle(counted.world, ask_to_fail(counted.world)), VOW_INVALID_ARGUMENT);
    for (int is_served = 0; is_served < 2; is_served++) {
        const vow_metrics_series *echo = vow_metrics_find(counted.metrics, ECHO_METHOD, is_served);
        const vow_metrics_series *fail = vow_metrics_find(counted.metrics, "calls.Calls/Fail", is_served);

        assert_string_equal(vow_metrics_method(echo), ECHO_METHOD);
        assert_int_equal(vow_metrics_is_served(echo), is_served);
        assert_int_equal(vow_metrics_count(echo, VOW_METRICS_STARTED), 3);
        assert_int_equal(vow_metrics_count(echo, VOW_METRICS_ENDED), 3);
        assert_int_equal(vow_metrics_count(echo, VOW_METRICS_IN_FLIGHT), 0);
        assert_int_equal(vow_metrics_count(echo, VOW_METRICS_SENT_COUNT), 3);
        assert_int_equal(vow_metrics_count(echo, VOW_METRICS_SENT_BYTES), 21);
        assert_int_equal(vow_metrics_count(echo, VOW_METRICS_RECEIVED_COUNT), 3);
        assert_int_equal(vow_metrics_count(echo, VOW_METRICS_RECEIVED_BYTES), 21);
        assert_int_equal(vow_metrics_ended(echo, VOW_OK), 3);
        assert_int_equal(vow_metrics_ended(echo, VOW_INVALID_ARGUMENT), 0);
        assert_int_equal(vow_metrics_ended(fail, VOW_INVALID_ARGUMENT), 1);
        assert_int_equal(vow_metrics_ended(fail, VOW_OK), 0);
        assert_int_equal(vow_metrics_ended(fail, (vow_code)17), 0);
    }
    assert_null(vow_metrics_find(counted.metrics, "calls.Calls/Hold", true));
    assert_non_null(vow_metrics_at(counted.metrics, 3));
    assert_null(vow_metrics_at(counted.metrics, 4));
    counted_close(&counted);
}

static void calls_are_counted_on_both_sides(void **state)
{
    (void)state;
    calls_are_counted_on_both_sides_on(WORLD_SIMULATED);
    calls_are_counted_on_both_sides_on(WORLD_TCP);
    calls_are_counted_on_both_sides_on(WORLD_UNIX);
    calls_are_counted_on_both_sides_on(WORLD_MEMORY);
}

static void nothing_has_counted_nothing(void **state)
{
    (void)state;
    assert_int_equal(vow_metrics_count(NULL, VOW_METRICS_STARTED), 0);
    assert_int_equal(vow_metrics_count(NULL, VOW_METRICS_IN_FLIGHT), 0);
    assert_int_equal(vow_metrics_ended(NULL, VOW_OK), 0);
    assert_int_equal(vow_metrics_quantile_ns(NULL, 0.5), 0);
    assert_true(vow_metrics_seconds(NULL) < 1e-9);
    vow_metrics_free(NULL);
}

static void calls_that_run_are_in_flight_until_they_end(void **state)
{
    struct counted counted = counted_open(WORLD_SIMULATED, 0);
    vow_future    *answered = world_hold(counted.world, "", NULL);
    vow_future    *dropped = world_hold(counted.world, "", NULL);

    (void)state;
    assert_int_equal(counted_number(&counted, "calls.Calls/Hold", false, VOW_METRICS_IN_FLIGHT), 2);
    assert_int_equal(counted_number(&counted, "calls.Calls/Hold", true, VOW_METRICS_IN_FLIGHT), 0);
    world_wait_for_held(counted.world, 2);
    assert_int_equal(counted_number(&counted, "calls.Calls/Hold", true, VOW_METRICS_IN_FLIGHT), 2);
    vow_drop(dropped);
    assert_int_equal(counted_number(&counted, "calls.Calls/Hold", false, VOW_METRICS_IN_FLIGHT), 1);
    world_advance_ms(counted.world, 100);
    assert_int_equal(counted_number(&counted, "calls.Calls/Hold", true, VOW_METRICS_IN_FLIGHT), 1);
    world_answer_held(counted.world, "");
    assert_int_equal(world_settle(counted.world, answered), VOW_OK);
    for (int is_served = 0; is_served < 2; is_served++) {
        const vow_metrics_series *hold = vow_metrics_find(counted.metrics, "calls.Calls/Hold", is_served);

        assert_int_equal(vow_metrics_count(hold, VOW_METRICS_IN_FLIGHT), 0);
        assert_int_equal(vow_metrics_ended(hold, VOW_OK), 1);
        assert_int_equal(vow_metrics_ended(hold, VOW_CANCELLED), 1);
    }
    counted_close(&counted);
}

static void durations_are_those_of_the_loops_clock(void **state)
{
    struct counted            counted = counted_open(WORLD_SIMULATED, 0);
    vow_future               *reply = world_hold(counted.world, "", NULL);
    const vow_metrics_series *hold;

    (void)state;
    world_wait_for_held(counted.world, 1);
    world_advance_ms(counted.world, 2000);
    world_answer_held(counted.world, "");
    assert_int_equal(world_settle(counted.world, reply), VOW_OK);
    hold = vow_metrics_find(counted.metrics, "calls.Calls/Hold", true);
    assert_in_range(vow_metrics_quantile_ns(hold, 0.5), 2 * S - 2 * S / 8, 2 * S + 2 * S / 8);
    assert_true(fabs(vow_metrics_seconds(hold) - 2) < 0.01);
    counted_close(&counted);
}

/* Computes for 5 ms: on one thread, what it takes is the caller's time as well. */
static void serve_slowly(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    uint64_t end = uv_hrtime() + 5 * MS;

    (void)handler;
    while (uv_hrtime() < end)
        ;
    vow_call_reply(call, request);
}

static void what_a_handler_computes_is_part_of_its_calls_duration(void **state)
{
    static const vow_handler slow = { .size = sizeof slow,
                                      .method = &calls_calls_echo_method,
                                      .serve = serve_slowly };
    struct counted           counted = counted_open(WORLD_TCP, 0);

    (void)state;
    vow_server_handle(counted.world->server, &slow);
    assert_int_equal(world_settle(counted.world, world_echo(counted.world, "", NULL)), VOW_OK);
    for (int is_served = 0; is_served < 2; is_served++)
        assert_true(vow_metrics_seconds(vow_metrics_find(counted.metrics, ECHO_METHOD, is_served)) >= 0.005);
    counted_close(&counted);
}

static bool a_stream_was_counted(const world *world, void *arg)
{
    (void)world;
    return counted_number(arg, "calls.Streams/Join", true, VOW_METRICS_ENDED) == 1;
}

static void a_stream_counts_its_messages(void **state)
{
    struct counted counted = counted_open(WORLD_TCP, 0);
    vow_call      *call = vow_call_start(counted.world->channel, &streams_join, NULL);

    (void)state;
    streams_send(call, "one");
    streams_send(call, "three");
    vow_call_end(call);
    assert_int_equal(world_settle(counted.world, vow_call_next(call)), VOW_OK);
    assert_int_equal(world_settle(counted.world, vow_call_when_closed(call)), VOW_OK);
    vow_call_drop(call);
    world_run_until(counted.world, a_stream_was_counted, &counted);
    assert_int_equal(counted_number(&counted, "calls.Streams/Join", true, VOW_METRICS_RECEIVED_COUNT), 2);
    assert_int_equal(counted_number(&counted, "calls.Streams/Join", true, VOW_METRICS_RECEIVED_BYTES), 12);
    assert_int_equal(counted_number(&counted, "calls.Streams/Join", false, VOW_METRICS_SENT_COUNT), 2);
    assert_int_equal(counted_number(&counted, "calls.Streams/Join", false, VOW_METRICS_RECEIVED_COUNT), 1);
    counted_close(&counted);
}

/* Bounds */

static void serve_anything(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)handler;
    vow_call_reply(call, request);
}

static void counted_serve_anything(struct counted *counted)
{
    static const vow_handler fallback = { .size = sizeof fallback, .serve = serve_anything };

    vow_server_handle(counted->world->server, &fallback);
}

/* By a channel that is not counted, as a stranger's is not. */
static void call_by_name(struct counted *counted, const char *name)
{
    vow_method method = {
        .size = sizeof method, .name = name, .request = &vow_raw_descriptor, .reply = &vow_raw_descriptor
    };
    vow_raw      request = VOW_RAW_INIT("abc", 3);
    vow_channel *stranger = vow_channel_open(counted->world->loop, counted->world->address, NULL);

    assert_int_equal(world_settle(counted->world, vow_call_unary(stranger, &method, &request.base, NULL)),
                     VOW_OK);
    vow_channel_close(stranger);
}

static void names_that_a_peer_makes_up_take_half_of_the_series(void **state)
{
    struct counted counted = counted_open(WORLD_MEMORY, 8);
    char           name[32];

    (void)state;
    counted_serve_anything(&counted);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "made.Up/%d", i);
        call_by_name(&counted, name);
    }
    assert_int_equal(counted_number(&counted, "made.Up/3", true, VOW_METRICS_ENDED), 1);
    assert_null(vow_metrics_find(counted.metrics, "made.Up/4", true));
    assert_int_equal(counted_number(&counted, "other", true, VOW_METRICS_ENDED), 16);
    assert_int_equal(world_settle(counted.world, world_echo(counted.world, "", NULL)), VOW_OK);
    assert_int_equal(counted_number(&counted, ECHO_METHOD, true, VOW_METRICS_ENDED), 1);
    call_by_name(&counted, "made.Up/0");
    assert_int_equal(counted_number(&counted, "made.Up/0", true, VOW_METRICS_ENDED), 2);
    free(page_of(counted.metrics));
    counted_close(&counted);
}

static void methods_beyond_the_bound_are_counted_as_others(void **state)
{
    struct counted counted = counted_open(WORLD_SIMULATED, 2);

    (void)state;
    world_settle(counted.world, world_echo(counted.world, "", NULL)); /* a series for each side */
    world_settle(counted.world, ask_to_fail(counted.world));
    world_settle(counted.world, ask_to_fail(counted.world));
    for (int is_served = 0; is_served < 2; is_served++) {
        assert_int_equal(counted_number(&counted, ECHO_METHOD, is_served, VOW_METRICS_ENDED), 1);
        assert_null(vow_metrics_find(counted.metrics, "calls.Calls/Fail", is_served));
        assert_int_equal(counted_number(&counted, "other", is_served, VOW_METRICS_ENDED), 2);
        assert_int_equal(
            vow_metrics_ended(vow_metrics_find(counted.metrics, "other", is_served), VOW_INVALID_ARGUMENT),
            2);
    }
    assert_null(vow_metrics_at(counted.metrics, 4));
    free(page_of(counted.metrics));
    counted_close(&counted);
}

static void names_that_are_no_plain_text_are_counted_as_others(void **state)
{
    struct counted counted = counted_open(WORLD_MEMORY, 0);
    char           name[300];

    (void)state;
    counted_serve_anything(&counted);
    call_by_name(&counted, "line\nbreak");
    call_by_name(&counted, "other");
    memset(name, 'x', sizeof name);
    name[257] = '\0';
    call_by_name(&counted, name);
    assert_int_equal(counted_number(&counted, "other", true, VOW_METRICS_ENDED), 3);
    assert_null(vow_metrics_at(counted.metrics, 1));
    name[256] = '\0';
    call_by_name(&counted, name);
    assert_int_equal(counted_number(&counted, name, true, VOW_METRICS_ENDED), 1);
    call_by_name(&counted, "quo\"te back\\slash");
    memset(name, '"', 256);
    call_by_name(&counted, name);
    free(page_of(counted.metrics));
    counted_close(&counted);
}

/* Prometheus */

static void a_page_has_every_family_for_both_sides(void **state)
{
    static const struct {
        const char *series;
        double      value;
    } cases[] = {
        { "vow_server_calls_started_total{method=\"calls.Calls/Echo\"}", 3 },
        { "vow_server_calls_total{method=\"calls.Calls/Echo\",code=\"OK\"}", 3 },
        { "vow_server_calls_total{method=\"calls.Calls/Fail\",code=\"OK\"}", 0 },
        { "vow_server_calls_total{method=\"calls.Calls/Fail\",code=\"INVALID_ARGUMENT\"}", 1 },
        { "vow_server_calls_total{method=\"calls.Calls/Echo\",code=\"INVALID_ARGUMENT\"}", -1 },
        { "vow_server_calls_in_flight{method=\"calls.Calls/Hold\"}", 1 },
        { "vow_server_sent_messages_total{method=\"calls.Calls/Echo\"}", 3 },
        { "vow_server_sent_bytes_total{method=\"calls.Calls/Echo\"}", 21 },
        { "vow_server_received_messages_total{method=\"calls.Calls/Echo\"}", 3 },
        { "vow_server_received_bytes_total{method=\"calls.Calls/Echo\"}", 21 },
        { "vow_server_call_duration_seconds_count{method=\"calls.Calls/Echo\"}", 3 },
        { "vow_server_call_duration_seconds_bucket{method=\"calls.Calls/Echo\",le=\"+Inf\"}", 3 },
        { "vow_channel_calls_started_total{method=\"calls.Calls/Echo\"}", 3 },
        { "vow_channel_calls_total{method=\"calls.Calls/Echo\",code=\"OK\"}", 3 },
        { "vow_channel_calls_in_flight{method=\"calls.Calls/Hold\"}", 1 },
        { "vow_channel_call_duration_seconds_count{method=\"calls.Calls/Echo\"}", 3 },
    };
    struct counted counted = counted_open(WORLD_TCP, 0);
    vow_future    *held;
    char          *page = page_of(counted.metrics);

    (void)state;
    assert_string_equal(page, "");
    free(page);
    for (int i = 0; i < 3; i++)
        world_settle(counted.world, world_echo(counted.world, "hello", NULL));
    world_settle(counted.world, ask_to_fail(counted.world));
    held = world_hold(counted.world, "", NULL);
    world_wait_for_held(counted.world, 1);
    page = page_of(counted.metrics);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value = exposition_value(page, cases[i].series);

        if (fabs(value - cases[i].value) > 1e-9)
            fail_msg("%s is %g and should be %g in:\n%s", cases[i].series, value, cases[i].value, page);
    }
    free(page);
    world_answer_held(counted.world, "");
    assert_int_equal(world_settle(counted.world, held), VOW_OK);
    counted_close(&counted);
}

static double bucket_of_hold(const char *page, const char *bound)
{
    char series[120];

    snprintf(series, sizeof series,
             "vow_server_call_duration_seconds_bucket{method=\"calls.Calls/Hold\",le=\"%s\"}", bound);
    return exposition_value(page, series);
}

static void buckets_are_cumulative_and_their_bounds_are_seconds(void **state)
{
    static const int64_t durations_ms[] = { 8, 20, 30, 80, 900, 2400, 2600 };
    static const struct {
        const char *bound;
        double      count;
    } cases[] = { { "0.00001", 0 }, { "0.000025", 0 }, { "0.005", 0 }, { "0.01", 1 },
                  { "0.025", 2 },   { "0.05", 3 },     { "0.1", 4 },   { "0.25", 4 },
                  { "0.5", 4 },     { "1", 5 },        { "2.5", 6 },   { "5", 7 },
                  { "1000", 7 },    { "+Inf", 7 },     { "2500", -1 }, { "0.000005", -1 } };
    struct counted counted = counted_open(WORLD_SIMULATED, 0);
    char          *page;

    (void)state;
    for (size_t i = 0; i < sizeof durations_ms / sizeof durations_ms[0]; i++) {
        vow_future *reply = world_hold(counted.world, "", NULL);

        world_wait_for_held(counted.world, 1);
        world_advance_ms(counted.world, durations_ms[i]);
        world_answer_held(counted.world, "");
        assert_int_equal(world_settle(counted.world, reply), VOW_OK);
    }
    page = page_of(counted.metrics);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double count = bucket_of_hold(page, cases[i].bound);

        if (fabs(count - cases[i].count) > 1e-9)
            fail_msg("%s has %g and should have %g in:\n%s", cases[i].bound, count, cases[i].count, page);
    }
    free(page);
    counted_close(&counted);
}

/* Adding up */

static void metrics_of_several_loops_add_up(void **state)
{
    struct counted counted[2] = { counted_open(WORLD_SIMULATED, 0), counted_open(WORLD_MEMORY, 0) };
    vow_metrics   *sum = vow_metrics_new(NULL);
    char          *page;

    (void)state;
    for (int i = 0; i < 2; i++) {
        world_settle(counted[i].world, world_echo(counted[i].world, "hello", NULL));
        world_settle(counted[i].world, world_echo(counted[i].world, "hello", NULL));
    }
    world_settle(counted[1].world, ask_to_fail(counted[1].world));
    assert_int_equal(vow_metrics_add(sum, counted[0].metrics), VOW_OK);
    assert_int_equal(vow_metrics_add(sum, counted[1].metrics), VOW_OK);
    page = page_of(sum);
    assert_int_equal(exposition_value(page, "vow_server_calls_started_total{method=\"calls.Calls/Echo\"}"),
                     4);
    assert_int_equal(exposition_value(page, "vow_server_calls_in_flight{method=\"calls.Calls/Echo\"}"), 0);
    assert_int_equal(
        exposition_value(page, "vow_server_calls_total{method=\"calls.Calls/Echo\",code=\"OK\"}"), 4);
    assert_int_equal(exposition_value(page, "vow_channel_sent_bytes_total{method=\"calls.Calls/Echo\"}"), 28);
    assert_int_equal(
        exposition_value(page, "vow_server_call_duration_seconds_count{method=\"calls.Calls/Echo\"}"), 4);
    assert_int_equal(
        exposition_value(page,
                         "vow_server_calls_total{method=\"calls.Calls/Fail\",code=\"INVALID_ARGUMENT\"}"),
        1);
    free(page);
    vow_metrics_free(sum);
    counted_close(&counted[0]);
    counted_close(&counted[1]);
}

static void a_sum_keeps_its_own_bound(void **state)
{
    struct counted counted = counted_open(WORLD_SIMULATED, 0);
    vow_metrics   *sum = vow_metrics_new(VOW_METRICS(.max_series = 2));

    (void)state;
    world_settle(counted.world, world_echo(counted.world, "hello", NULL));
    world_settle(counted.world, ask_to_fail(counted.world));
    assert_int_equal(vow_metrics_add(sum, counted.metrics), VOW_OK);
    assert_int_equal(vow_metrics_add(sum, counted.metrics), VOW_OK);
    assert_int_equal(vow_metrics_count(vow_metrics_find(sum, ECHO_METHOD, true), VOW_METRICS_ENDED), 2);
    assert_int_equal(vow_metrics_count(vow_metrics_find(sum, "other", true), VOW_METRICS_ENDED), 2);
    assert_null(vow_metrics_at(sum, 4));
    free(page_of(sum));
    vow_metrics_free(sum);
    counted_close(&counted);
}

/* Memory */

static void metrics_are_made_whole_or_not_at_all(void **state)
{
    size_t nth = 0;

    (void)state;
    for (;; nth++) {
        vow_metrics *metrics;

        failing_install(nth, false);
        metrics = vow_metrics_new(NULL);
        assert_true(failing_has_failed() == !metrics);
        vow_metrics_free(metrics);
        assert_int_equal(failing_outstanding(), 0);
        failing_remove();
        if (metrics)
            break;
    }
    assert_int_equal(nth, 4);
}

static void without_metrics_nothing_is_counted_and_calls_go_on(void **state)
{
    world *world = world_new(WORLD_SIMULATED);

    (void)state;
    vow_server_intercept(world->server, vow_metrics_interceptor(NULL));
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    world_free(world);
}

static void a_series_that_there_is_no_memory_for_is_counted_with_the_others(void **state)
{
    struct counted counted;
    vow_metrics   *sum;

    (void)state;
    failing_install(SIZE_MAX, false);
    counted = counted_open(WORLD_SIMULATED, 0);
    assert_int_equal(world_settle(counted.world, ask_to_fail(counted.world)),
                     VOW_INVALID_ARGUMENT); /* connects */
    failing_all_from_now();
    assert_int_equal(world_settle(counted.world, world_echo(counted.world, "", NULL)), VOW_OK);
    failing_stop();
    assert_int_equal(counted_number(&counted, "other", false, VOW_METRICS_ENDED), 1);
    assert_int_equal(counted_number(&counted, "other", true, VOW_METRICS_ENDED), 1);
    sum = vow_metrics_new(NULL);
    failing_all_from_now();
    assert_int_equal(vow_metrics_add(sum, counted.metrics), VOW_RESOURCE_EXHAUSTED);
    failing_stop();
    assert_int_equal(vow_metrics_count(vow_metrics_find(sum, "other", true), VOW_METRICS_ENDED), 2);
    vow_metrics_free(sum);
    counted_close(&counted);
    assert_int_equal(failing_outstanding(), 0);
    failing_remove();
}

/* Takes all memory that a call has, and lets it have no more. */
static vow_future *take_all_memory(vow_call *call, void *arg)
{
    static const char keys[4096];
    size_t            taken = 0;

    (void)arg;
    failing_all_from_now();
    while (taken < sizeof keys && vow_call_slot(call, &keys[taken], 1))
        taken++;
    assert_in_range(taken, 1, sizeof keys - 1);
    return NULL;
}

static vow_future *let_memory_be_had(vow_call *call, void *arg)
{
    (void)call;
    (void)arg;
    failing_stop();
    return NULL;
}

static void a_call_without_memory_is_counted_when_it_ends(void **state)
{
    struct counted            counted = { .world = NULL };
    const vow_metrics_series *echo;
    vow_future               *reply;

    (void)state;
    failing_install(SIZE_MAX, false);
    counted.world = world_new(WORLD_SIMULATED);
    counted.metrics = vow_metrics_new(NULL);
    assert_int_equal(world_settle(counted.world, world_echo(counted.world, "", NULL)), VOW_OK); /* connects */
    vow_channel_intercept(counted.world->channel, VOW_INTERCEPTOR(.begin = take_all_memory));
    vow_channel_intercept(counted.world->channel, vow_metrics_interceptor(counted.metrics));
    vow_channel_intercept(counted.world->channel, VOW_INTERCEPTOR(.begin = let_memory_be_had));
    reply = world_echo(counted.world, "", NULL);
    assert_int_equal(world_settle(counted.world, reply), VOW_OK);
    echo = vow_metrics_find(counted.metrics, ECHO_METHOD, false);
    assert_int_equal(vow_metrics_count(echo, VOW_METRICS_STARTED), 1);
    assert_int_equal(vow_metrics_count(echo, VOW_METRICS_ENDED), 1);
    counted_close(&counted);
    assert_int_equal(failing_outstanding(), 0);
    failing_remove();
}

static void counting_a_call_asks_for_no_memory_once_the_loop_is_warm(void **state)
{
    struct counted counted;
    size_t         before;

    (void)state;
    failing_install(SIZE_MAX, false);
    counted = counted_open(WORLD_MEMORY, 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(world_settle(counted.world, world_echo(counted.world, "hello", NULL)), VOW_OK);
    before = failing_asked();
    for (int i = 0; i < 20; i++)
        assert_int_equal(world_settle(counted.world, world_echo(counted.world, "hello", NULL)), VOW_OK);
    assert_int_equal(failing_asked(), before);
    counted_close(&counted);
    failing_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reader_of_pages_finds_what_is_wrong),
        cmocka_unit_test(a_bucket_has_what_is_above_the_bound_before_it_and_up_to_its_own),
        cmocka_unit_test(a_bucket_is_at_most_an_eighth_of_the_duration_wide),
        cmocka_unit_test(a_quantile_is_estimated_within_an_eighth),
        cmocka_unit_test(what_takes_longer_than_all_bounds_counts_as_the_last),
        cmocka_unit_test(calls_are_counted_on_both_sides),
        cmocka_unit_test(nothing_has_counted_nothing),
        cmocka_unit_test(calls_that_run_are_in_flight_until_they_end),
        cmocka_unit_test(durations_are_those_of_the_loops_clock),
        cmocka_unit_test(what_a_handler_computes_is_part_of_its_calls_duration),
        cmocka_unit_test(a_stream_counts_its_messages),
        cmocka_unit_test(names_that_a_peer_makes_up_take_half_of_the_series),
        cmocka_unit_test(methods_beyond_the_bound_are_counted_as_others),
        cmocka_unit_test(names_that_are_no_plain_text_are_counted_as_others),
        cmocka_unit_test(a_page_has_every_family_for_both_sides),
        cmocka_unit_test(buckets_are_cumulative_and_their_bounds_are_seconds),
        cmocka_unit_test(metrics_of_several_loops_add_up),
        cmocka_unit_test(a_sum_keeps_its_own_bound),
        cmocka_unit_test(metrics_are_made_whole_or_not_at_all),
        cmocka_unit_test(without_metrics_nothing_is_counted_and_calls_go_on),
        cmocka_unit_test(a_series_that_there_is_no_memory_for_is_counted_with_the_others),
        cmocka_unit_test(a_call_without_memory_is_counted_when_it_ends),
        cmocka_unit_test(counting_a_call_asks_for_no_memory_once_the_loop_is_warm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
