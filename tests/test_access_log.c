/* The access log: what a line says, on both sides, and that it is one line whatever a peer has sent. */
#include "runtime/base/utf8.h"
#include "runtime/service/line.h"
#include "tests/support/failing.h"
#include "tests/support/json.h"
#include "tests/support/streams.h"
#include "tests/support/world.h"

#include <vow/access_log.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX 64
#define NOW_MS 1709210096789 /* 2024-02-29T12:34:56.789Z */
#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"

/* Lines that were written, and the clock they have their time from. */
struct lines {
    char    line[LINES_MAX][8300];
    size_t  count;
    int64_t now_ms;
};

static void lines_take(const char *line, size_t size, void *arg)
{
    struct lines *lines = arg;

    assert_in_range(lines->count, 0, LINES_MAX - 1);
    assert_in_range(size, 1, sizeof lines->line[0] - 1);
    assert_int_equal(line[size], '\0');
    memcpy(lines->line[lines->count++], line, size + 1);
}

static int64_t lines_now_ms(void *arg)
{
    return ((struct lines *)arg)->now_ms;
}

/* A world whose server and channel each have a log. */
struct logged {
    world          *world;
    vow_access_log *of_server;
    vow_access_log *of_channel;
    struct lines    served;
    struct lines    called;
};

static struct logged *logged_open(world_kind kind, vow_log_format format, size_t max_line_size)
{
    struct logged *logged = calloc(1, sizeof *logged);

    assert_non_null(logged);
    logged->served.now_ms = NOW_MS;
    logged->called.now_ms = NOW_MS;
    logged->world = streams_world(kind);
    logged->of_server = vow_access_log_new(VOW_ACCESS_LOG(.format = format, .max_line_size = max_line_size,
                                                          .now_ms = lines_now_ms, .now_arg = &logged->served),
                                           lines_take, &logged->served);
    logged->of_channel =
        vow_access_log_new(VOW_ACCESS_LOG(.format = format, .max_line_size = max_line_size,
                                          .now_ms = lines_now_ms, .now_arg = &logged->called),
                           lines_take, &logged->called);
    vow_server_intercept(logged->world->server, vow_access_log_interceptor(logged->of_server));
    vow_channel_intercept(logged->world->channel, vow_access_log_interceptor(logged->of_channel));
    return logged;
}

static void logged_close(struct logged *logged)
{
    world_free(logged->world);
    vow_access_log_free(logged->of_server);
    vow_access_log_free(logged->of_channel);
    free(logged);
}

static vow_future *ask_to_fail(world *world, const char *text)
{
    Calls__Text request = CALLS__TEXT__INIT;

    request.text = (char *)(uintptr_t)text;
    return calls_calls_fail(world->channel, &request, NULL);
}

static void assert_matches(const char *line, const char *pattern)
{
    if (fnmatch(pattern, line, 0) != 0)
        fail_msg("\"%s\" is not like \"%s\"", line, pattern);
}

/* The reader of JSON */

static void the_reader_of_json_finds_what_is_wrong(void **state)
{
    static const char *const wrong[] = {
        "",
        "{",
        "{}\n",
        "{\"a\":\"b\"}",
        "{\"a\":\"b\"}\n\n",
        "{\"a\":\"b\",}\n",
        "{\"a\":b}\n",
        "{\"a\":01}\n",
        "{\"a\":1.}\n",
        "{\"a\":\"\\x41\"}\n",
        "{\"a\":\"\\u12\"}\n",
        "{\"a\":\"\n\"}\n",
        "{\"a\":\"\xFF\"}\n",
        "{\"a\":1,\"a\":2}\n",
        "{\"a\":\"b\"c\"}\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (!json_fault(wrong[i]))
            fail_msg("nothing is found wrong in %s", wrong[i]);
    }
    assert_null(json_fault("{\"a\":\"b\\u00e9\\n\",\"c\":0.250}\n"));
    assert_string_equal(json_get("{\"a\":\"b\\u00e9\\n\",\"c\":0.250}\n", "a"), "b\xC3\xA9\n");
    assert_string_equal(json_get("{\"a\":\"b\",\"c\":0.250}\n", "c"), "0.250");
    assert_null(json_get("{\"a\":\"b\"}\n", "b"));
}

/* What a line says */

static void each_call_is_a_line_of_text_on_both_sides(world_kind kind)
{
    struct logged *logged = logged_open(kind, VOW_LOG_TEXT, 0);

    assert_int_equal(world_settle(logged->world, world_echo(logged->world, "hello", NULL)), VOW_OK);
    assert_int_equal(logged->served.count, 1);
    assert_matches(logged->served.line[0],
                   "2024-02-29T12:34:56.789Z server calls.Calls/Echo ?* OK *.[0-9][0-9][0-9]ms "
                   "received=1/7 sent=1/7 timeout=[0-9]* left=[0-9]* trace=-\n");
    assert_int_equal(logged->called.count, 1);
    assert_matches(logged->called.line[0],
                   "2024-02-29T12:34:56.789Z channel calls.Calls/Echo ?* OK *.[0-9][0-9][0-9]ms "
                   "received=1/7 sent=1/7 timeout=[0-9]* left=[0-9]* trace=-\n");
    logged_close(logged);
}

static void each_call_is_an_object_of_json_on_both_sides(world_kind kind)
{
    struct logged *logged = logged_open(kind, VOW_LOG_JSON, 0);
    const char    *line = logged->served.line[0];

    assert_int_equal(world_settle(logged->world, world_echo(logged->world, "hello", NULL)), VOW_OK);
    assert_int_equal(logged->served.count, 1);
    assert_null(json_fault(line));
    assert_string_equal(json_get(line, "time"), "2024-02-29T12:34:56.789Z");
    assert_string_equal(json_get(line, "side"), "server");
    assert_string_equal(json_get(line, "method"), "calls.Calls/Echo");
    assert_non_null(json_get(line, "peer"));
    assert_string_equal(json_get(line, "code"), "OK");
    assert_non_null(json_get(line, "duration_ms"));
    assert_string_equal(json_get(line, "received_count"), "1");
    assert_string_equal(json_get(line, "received_bytes"), "7");
    assert_string_equal(json_get(line, "sent_count"), "1");
    assert_string_equal(json_get(line, "sent_bytes"), "7");
    assert_non_null(json_get(line, "timeout_ms"));
    assert_non_null(json_get(line, "left_ms"));
    assert_null(json_get(line, "trace_id"));
    assert_null(json_get(line, "message"));
    line = logged->called.line[0];
    assert_null(json_fault(line));
    assert_string_equal(json_get(line, "side"), "channel");
    assert_in_range(strtol(json_get(line, "timeout_ms"), NULL, 10), 9000, 10000);
    logged_close(logged);
}

static void each_call_is_a_line_of_text_wherever_it_runs(void **state)
{
    (void)state;
    each_call_is_a_line_of_text_on_both_sides(WORLD_SIMULATED);
    each_call_is_a_line_of_text_on_both_sides(WORLD_TCP);
    each_call_is_a_line_of_text_on_both_sides(WORLD_UNIX);
    each_call_is_a_line_of_text_on_both_sides(WORLD_MEMORY);
}

static void each_call_is_an_object_of_json_wherever_it_runs(void **state)
{
    (void)state;
    each_call_is_an_object_of_json_on_both_sides(WORLD_SIMULATED);
    each_call_is_an_object_of_json_on_both_sides(WORLD_TCP);
    each_call_is_an_object_of_json_on_both_sides(WORLD_UNIX);
    each_call_is_an_object_of_json_on_both_sides(WORLD_MEMORY);
}

static void a_failure_is_logged_with_its_code_and_message(void **state)
{
    struct logged *logged = logged_open(WORLD_SIMULATED, VOW_LOG_TEXT, 0);

    (void)state;
    world_settle(logged->world, ask_to_fail(logged->world, "no city called Atlantis"));
    assert_matches(logged->served.line[0],
                   "* INVALID_ARGUMENT *ms received=1/25 sent=0/0 * \"no city called Atlantis\"\n");
    assert_matches(logged->called.line[0],
                   "* INVALID_ARGUMENT *ms received=0/0 sent=1/25 * \"no city called Atlantis\"\n");
    logged_close(logged);
}

static void a_call_without_a_deadline_shows_none(void **state)
{
    struct logged *logged = logged_open(WORLD_SIMULATED, VOW_LOG_TEXT, 0);

    (void)state;
    world_settle(logged->world, world_echo(logged->world, "", VOW_CALL(.timeout_ms = VOW_NO_TIMEOUT)));
    assert_matches(logged->served.line[0], "* timeout=- left=- *");
    assert_matches(logged->called.line[0], "* timeout=- left=- *");
    logged_close(logged);
}

static void a_call_whose_deadline_has_passed_says_what_it_was(void **state)
{
    struct logged *logged = logged_open(WORLD_SIMULATED, VOW_LOG_TEXT, 0);

    (void)state;
    assert_int_equal(world_settle(logged->world, world_hold(logged->world, "", VOW_CALL(.timeout_ms = 50))),
                     VOW_DEADLINE_EXCEEDED);
    world_advance_ms(logged->world, 10);
    assert_int_equal(logged->called.count, 1);
    assert_matches(logged->called.line[0], "* DEADLINE_EXCEEDED 50.000ms * timeout=50 left=0 *");
    assert_int_equal(logged->served.count, 1); /* cancelled by the one or the other */
    logged_close(logged);
}

static void a_cancelled_call_is_logged_once_on_each_side(void **state)
{
    struct logged *logged = logged_open(WORLD_TCP, VOW_LOG_TEXT, 0);
    vow_future    *reply = world_hold(logged->world, "", NULL);

    (void)state;
    world_wait_for_held(logged->world, 1);
    vow_drop(reply);
    assert_int_equal(logged->called.count, 1);
    assert_matches(logged->called.line[0], "* CANCELLED *");
    world_advance_ms(logged->world, 50);
    assert_int_equal(logged->served.count, 1);
    assert_matches(logged->served.line[0], "* CANCELLED *");
    logged_close(logged);
}

static void a_call_that_finds_no_server_has_no_peer(void **state)
{
    struct logged *logged = logged_open(WORLD_SIMULATED, VOW_LOG_TEXT, 0);
    vow_channel   *nowhere = vow_channel_open(logged->world->loop, "tcp://127.0.0.1:1", NULL);
    Calls__Text    request = CALLS__TEXT__INIT;

    (void)state;
    vow_channel_intercept(nowhere, vow_access_log_interceptor(logged->of_channel));
    assert_int_equal(world_settle(logged->world, calls_calls_echo(nowhere, &request, NULL)), VOW_UNAVAILABLE);
    assert_matches(logged->called.line[0],
                   "* channel calls.Calls/Echo - UNAVAILABLE * \"tcp://127.0.0.1:1: *\"\n");
    vow_channel_close(nowhere);
    logged_close(logged);
}

static bool has_a_line(const world *world, void *arg)
{
    (void)world;
    return ((struct lines *)arg)->count > 0;
}

static void a_stream_counts_its_messages_and_their_bytes(void **state)
{
    struct logged *logged = logged_open(WORLD_TCP, VOW_LOG_TEXT, 0);
    vow_call      *call = vow_call_start(logged->world->channel, &streams_join, NULL);

    (void)state;
    streams_send(call, "one");
    streams_send(call, "three");
    vow_call_end(call);
    assert_int_equal(world_settle(logged->world, vow_call_next(call)), VOW_OK);
    assert_int_equal(world_settle(logged->world, vow_call_when_closed(call)), VOW_OK);
    vow_call_drop(call);
    world_run_until(logged->world, has_a_line, &logged->served);
    assert_matches(logged->called.line[0],
                   "* channel calls.Streams/Join * OK * received=1/[0-9]* sent=2/12 timeout=- *");
    assert_matches(logged->served.line[0],
                   "* server calls.Streams/Join * OK * received=2/12 sent=1/[0-9]* timeout=- *");
    logged_close(logged);
}

/* The trace */

static void the_traces_id_is_logged_where_it_is_well_formed(void **state)
{
    static const struct {
        const char *traceparent;
        bool        is_good;
    } cases[] = {
        { "00-" TRACE "-00f067aa0ba902b7-01", true },
        { "00-" TRACE "-00f067aa0ba902b7-00", true },
        { "00-" TRACE "-00f067aa0ba902b7-01-more", false }, /* version 00 ends there */
        { "cc-" TRACE "-00f067aa0ba902b7-01-more", true },
        { "cc-" TRACE "-00f067aa0ba902b7-01.more", false },
        { "ff-" TRACE "-00f067aa0ba902b7-01", false },
        { "00-00000000000000000000000000000000-00f067aa0ba902b7-01", false },
        { "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false },
        { "00-" TRACE "-00f067aa0ba902b7-0", false },
        { "00-" TRACE, false },
        { "", false },
        { "00", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct logged *logged = logged_open(WORLD_SIMULATED, VOW_LOG_TEXT, 0);
        const char    *pattern = cases[i].is_good ? "* trace=" TRACE "\n" : "* trace=-\n";

        print_message("%s\n", cases[i].traceparent);
        world_settle(logged->world,
                     world_echo(logged->world, "",
                                VOW_CALL(.metadata = VOW_METADATA(
                                             { .name = "first", .value = "1" },
                                             { .name = "traceparent", .value = cases[i].traceparent }))));
        assert_matches(logged->served.line[0], pattern);
        assert_matches(logged->called.line[0], pattern);
        logged_close(logged);
    }
}

static void json_has_the_traces_id_where_there_is_one(void **state)
{
    static const char *const parents[] = { "00-" TRACE "-00f067aa0ba902b7-01", "" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct logged *logged = logged_open(WORLD_SIMULATED, VOW_LOG_JSON, 0);

        world_settle(logged->world,
                     world_echo(logged->world, "",
                                VOW_CALL(.metadata =
                                             VOW_METADATA({ .name = "traceparent", .value = parents[i] }))));
        if (*parents[i])
            assert_matches(logged->served.line[0], "*,\"trace_id\":\"" TRACE "\"}\n");
        else
            assert_null(strstr(logged->served.line[0], "trace_id"));
        logged_close(logged);
    }
}

static void serve_by_asking(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    world *world = handler->arg;

    vow_call_answer(call,
                    calls_calls_read(world->channel, (const Calls__Text *)request, VOW_CALL(.parent = call)));
}

static void a_call_made_for_another_is_logged_under_its_trace(void **state)
{
    struct logged          *logged = logged_open(WORLD_TCP, VOW_LOG_TEXT, 0);
    vow_handler             asking = { .size = sizeof asking,
                                       .method = &calls_calls_echo_method,
                                       .serve = serve_by_asking,
                                       .arg = logged->world };
    const vow_call_options *options =
        VOW_CALL(.metadata =
                     VOW_METADATA({ .name = "traceparent", .value = "00-" TRACE "-00f067aa0ba902b7-01" }));

    (void)state;
    vow_server_handle(logged->world->server, &asking);
    assert_int_equal(world_settle(logged->world, world_echo(logged->world, "", options)), VOW_OK);
    assert_int_equal(logged->called.count, 2);
    assert_matches(logged->called.line[0], "* channel calls.Calls/Read * trace=" TRACE "\n");
    assert_matches(logged->served.line[0], "* server calls.Calls/Read * trace=" TRACE "\n");
    logged_close(logged);
}

/* Time */

static void the_time_is_the_date_in_utc(void **state)
{
    static const struct {
        int64_t     ms;
        const char *text;
    } cases[] = {
        { 0, "1970-01-01T00:00:00.000Z *" },
        { -1, "1970-01-01T00:00:00.000Z *" },
        { INT64_MIN, "1970-01-01T00:00:00.000Z *" },
        { 951782399999, "2000-02-28T23:59:59.999Z *" },
        { 951782400000, "2000-02-29T00:00:00.000Z *" },
        { 951868800000, "2000-03-01T00:00:00.000Z *" },
        { 1704067199999, "2023-12-31T23:59:59.999Z *" },
        { 1704067200000, "2024-01-01T00:00:00.000Z *" },
        { 4107542400000, "2100-03-01T00:00:00.000Z *" }, /* no leap year */
        { 253402300799999, "9999-12-31T23:59:59.999Z *" },
        { 253402300800000, "9999-12-31T23:59:59.999Z *" },
        { INT64_MAX, "9999-12-31T23:59:59.999Z *" },
    };
    struct logged *logged = logged_open(WORLD_SIMULATED, VOW_LOG_TEXT, 0);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        logged->served.now_ms = cases[i].ms;
        world_settle(logged->world, world_echo(logged->world, "", NULL));
        assert_matches(logged->served.line[i], cases[i].text);
    }
    logged_close(logged);
}

static void without_a_clock_of_its_own_a_log_has_the_systems(void **state)
{
    world          *world = world_new(WORLD_MEMORY);
    struct lines   *lines = calloc(1, sizeof *lines);
    vow_access_log *log = vow_access_log_new(NULL, lines_take, lines);

    (void)state;
    assert_non_null(lines);
    vow_server_intercept(world->server, vow_access_log_interceptor(log));
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    assert_matches(
        lines->line[0],
        "2[0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9].[0-9][0-9][0-9]Z *");
    world_free(world);
    vow_access_log_free(log);
    free(lines);
}

/* Hostile peers */

/* What a text becomes between quotes. */
static const struct escaped {
    const char *text;
    const char *as_text;
    const char *as_json;
    const char *as_label;
} escapes[] = {
    { "plain", "plain", "plain", "plain" },
    { "say \"hi\"", "say \\\"hi\\\"", "say \\\"hi\\\"", "say \\\"hi\\\"" },
    { "C:\\", "C:\\\\", "C:\\\\", "C:\\\\" },
    { "a\nb", "a\\nb", "a\\nb", "a\\nb" },
    { "a\r\tb", "a\\r\\tb", "a\\r\\tb",
      "a\xEF\xBF\xBD\xEF\xBF\xBD"
      "b" },
    { "\x1b[2J", "\\u001b[2J", "\\u001b[2J", "\xEF\xBF\xBD[2J" },
    { "\x7f", "\\u007f", "\\u007f", "\xEF\xBF\xBD" },
    { "caf\xC3\xA9 \xF0\x9F\x98\x80", "caf\xC3\xA9 \xF0\x9F\x98\x80", "caf\xC3\xA9 \xF0\x9F\x98\x80",
      "caf\xC3\xA9 \xF0\x9F\x98\x80" },
    { "\xC2\x85|\xC2\x9B", "\\u0085|\\u009b", "\\u0085|\\u009b", "\xEF\xBF\xBD|\xEF\xBF\xBD" },
    { "\xE2\x80\xA8|\xE2\x80\xA9|\xE2\x80\xAE", "\\u2028|\\u2029|\\u202e", "\\u2028|\\u2029|\\u202e",
      "\xEF\xBF\xBD|\xEF\xBF\xBD|\xEF\xBF\xBD" },
    { "\xE2\x81\xA6|\xE2\x80\x8F|\xEF\xBB\xBF", "\\u2066|\\u200f|\\ufeff", "\\u2066|\\u200f|\\ufeff",
      "\xEF\xBF\xBD|\xEF\xBF\xBD|\xEF\xBF\xBD" },
    { "\xFF|\xC0\x80|\xC3", "\\xff|\\xc0\\x80|\\xc3", "\\ufffd|\\ufffd\\ufffd|\\ufffd",
      "\xEF\xBF\xBD|\xEF\xBF\xBD\xEF\xBF\xBD|\xEF\xBF\xBD" },
    { "\xED\xA0\x80", "\\xed\\xa0\\x80", "\\ufffd\\ufffd\\ufffd", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
    { "\xF4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\\ufffd\\ufffd\\ufffd\\ufffd",
      "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
    { "\xE0\x80\xAF|\xE2\x82", "\\xe0\\x80\\xaf|\\xe2\\x82", "\\ufffd\\ufffd\\ufffd|\\ufffd\\ufffd",
      "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD|\xEF\xBF\xBD\xEF\xBF\xBD" },
};

static const char *escape(vow_escape how, const char *text, size_t max)
{
    static char data[4096];
    vow_line    line;

    vow_line_init(&line, data, sizeof data);
    vow_line_escape(&line, how, text, max, 0);
    assert_int_equal(strlen(data), line.size);
    return data;
}

static void what_is_no_plain_text_is_escaped_as_the_format_has_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        assert_string_equal(escape(VOW_ESCAPE_TEXT, escapes[i].text, SIZE_MAX), escapes[i].as_text);
        assert_string_equal(escape(VOW_ESCAPE_JSON, escapes[i].text, SIZE_MAX), escapes[i].as_json);
        assert_string_equal(escape(VOW_ESCAPE_LABEL, escapes[i].text, SIZE_MAX), escapes[i].as_label);
    }
}

static void every_two_bytes_stay_inside_their_quotes(void **state)
{
    (void)state;
    for (unsigned pair = 0x0101; pair <= 0xFFFF; pair++) {
        char        text[] = { (char)(pair >> 8), (char)pair, 'z', '\0' };
        char        json[64];
        const char *shown = escape(VOW_ESCAPE_TEXT, text, SIZE_MAX);

        if (!(pair & 0xFF))
            continue;
        assert_int_equal(vow_utf8_span(shown, strlen(shown)), strlen(shown));
        for (const char *at = shown; *at; at++)
            assert_true((unsigned char)*at >= 0x20 && *at != 0x7F && (*at != '"' || at[-1] == '\\'));
        snprintf(json, sizeof json, "{\"x\":\"%s\"}\n", escape(VOW_ESCAPE_JSON, text, SIZE_MAX));
        if (json_fault(json))
            fail_msg("%04x becomes %s: %s", pair, json, json_fault(json));
    }
}

static void a_text_that_is_too_long_is_cut_between_characters(void **state)
{
    (void)state;
    assert_string_equal(escape(VOW_ESCAPE_TEXT, "12345678", 8), "12345678");
    assert_string_equal(escape(VOW_ESCAPE_TEXT, "123456789", 8), "12345...");
    assert_string_equal(escape(VOW_ESCAPE_JSON, "1234\n6789", 8), "1234...");
    assert_string_equal(escape(VOW_ESCAPE_JSON, "123\n6789", 8), "123\\n...");
    assert_string_equal(escape(VOW_ESCAPE_JSON,
                               "1234\xE2\x82\xAC"
                               "89",
                               8),
                        "1234...");
    assert_string_equal(escape(VOW_ESCAPE_TEXT, "123", 3), "123");
    assert_string_equal(escape(VOW_ESCAPE_TEXT, "1234", 3), "...");
}

static void a_hostile_message_stays_on_its_line(void **state)
{
    struct logged *text = logged_open(WORLD_TCP, VOW_LOG_TEXT, 0);
    struct logged *json = logged_open(WORLD_TCP, VOW_LOG_JSON, 0);

    (void)state;
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        char ending[128];

        if (vow_utf8_span(escapes[i].text, strlen(escapes[i].text)) != strlen(escapes[i].text))
            continue; /* no message of protobuf's has it */
        world_settle(text->world, ask_to_fail(text->world, escapes[i].text));
        world_settle(json->world, ask_to_fail(json->world, escapes[i].text));
        snprintf(ending, sizeof ending, " trace=- \"%s\"\n", escapes[i].as_text);
        assert_string_equal(strstr(text->served.line[text->served.count - 1], " trace="), ending);
        assert_null(json_fault(json->served.line[json->served.count - 1]));
        assert_string_equal(json_get(json->served.line[json->served.count - 1], "message"), escapes[i].text);
    }
    logged_close(text);
    logged_close(json);
}

static void serve_anything(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)handler;
    vow_call_reply(call, request);
}

static vow_code call_by_name(world *world, const char *name)
{
    vow_method method = {
        .size = sizeof method, .name = name, .request = &vow_raw_descriptor, .reply = &vow_raw_descriptor
    };
    vow_raw     request = VOW_RAW_INIT("abc", 3);
    vow_future *reply = vow_call_unary(world->channel, &method, &request.base, NULL);

    return world_settle(world, reply);
}

static void a_hostile_name_stays_one_word(void **state)
{
    static const vow_handler fallback = { .size = sizeof fallback, .serve = serve_anything };
    static const struct {
        const char *name;
        const char *pattern;
    } cases[] = {
        { "-", "* server \"-\" *" },
        { "a b", "* server \"a b\" *" },
        { "x OK 0.001ms\n2024-02-29T12:34:56.789Z server good",
          "* server \"x OK 0.001ms\\\\n2024-* server good\" *" },
        { "quote\"", "* server \"quote\\\\\"\" *" },
        { "b\\s", "* server \"b\\\\\\\\s\" *" },
    };
    struct logged *logged = logged_open(WORLD_TCP, VOW_LOG_TEXT, 0);

    (void)state;
    vow_server_handle(logged->world->server, &fallback);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(call_by_name(logged->world, cases[i].name), VOW_OK);
        assert_int_equal(logged->served.count, i + 1);
        assert_matches(logged->served.line[i], cases[i].pattern);
        assert_ptr_equal(strchr(logged->served.line[i], '\n')[1], 0);
    }
    logged_close(logged);
}

/* Bounds */

static void a_line_has_no_more_than_its_bound(void **state)
{
    static const struct {
        size_t option;
        size_t bound;
    } cases[] = { { 0, 2048 },    { 1, 1024 },    { 1023, 1024 }, { 1024, 1024 },
                  { 1025, 1025 }, { 8192, 8192 }, { 8193, 8192 } };
    char long_text[4001];

    (void)state;
    memset(long_text, '\x01', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int format = 0; format < 2; format++) {
            struct logged *logged = logged_open(WORLD_SIMULATED, (vow_log_format)format, cases[i].option);
            const char    *line = logged->served.line[0];

            world_settle(logged->world, ask_to_fail(logged->world, long_text));
            assert_in_range(strlen(line), cases[i].bound - 5,
                            cases[i].bound); /* part of an escape does not fit */
            assert_matches(line, format == VOW_LOG_TEXT ? "* \"\\\\u0001*...\"\n"
                                                        : "*,\"message\":\"\\\\u0001*...\"}\n");
            if (format == VOW_LOG_JSON)
                assert_null(json_fault(line));
            logged_close(logged);
        }
    }
}

static void a_message_that_is_cut_fills_its_line_and_keeps_its_quotes(void **state)
{
    char long_text[3001];

    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    for (int format = 0; format < 2; format++) {
        struct logged *logged = logged_open(WORLD_SIMULATED, (vow_log_format)format, 0);

        world_settle(logged->world, ask_to_fail(logged->world, long_text));
        assert_int_equal(strlen(logged->served.line[0]), 2048);
        assert_matches(logged->served.line[0], format == VOW_LOG_TEXT ? "*xxx...\"\n" : "*xxx...\"}\n");
        logged_close(logged);
    }
}

static void a_name_that_is_too_long_leaves_room_for_the_rest(void **state)
{
    static const vow_handler fallback = { .size = sizeof fallback, .serve = serve_anything };
    char                     name[512 + 1];

    (void)state;
    for (int format = 0; format < 2; format++) {
        struct logged *logged = logged_open(WORLD_SIMULATED, (vow_log_format)format, 1024);

        vow_server_handle(logged->world->server, &fallback);
        memset(name, '\n', sizeof name - 1);
        name[sizeof name - 1] = '\0';
        assert_int_equal(call_by_name(logged->world, name), VOW_OK);
        if (format == VOW_LOG_TEXT) {
            assert_matches(logged->served.line[0],
                           "*...\" ?* OK *ms received=1/3 sent=1/3 timeout=* left=* trace=-\n");
        } else {
            assert_null(json_fault(logged->served.line[0]));
            assert_string_equal(json_get(logged->served.line[0], "sent_bytes"), "3");
        }
        logged_close(logged);
    }
}

/* Memory */

static void a_log_that_there_is_no_memory_for_logs_nothing(void **state)
{
    world *world;

    (void)state;
    failing_install(0, true);
    assert_null(vow_access_log_new(NULL, lines_take, NULL));
    failing_remove();
    vow_access_log_free(NULL);
    world = world_new(WORLD_SIMULATED);
    vow_server_intercept(world->server, vow_access_log_interceptor(NULL));
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    world_free(world);
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

static void a_call_without_memory_is_logged_without_what_its_beginning_knew(void **state)
{
    struct logged *logged;
    vow_future    *reply;

    (void)state;
    failing_install(SIZE_MAX, false);
    logged = logged_open(WORLD_SIMULATED, VOW_LOG_TEXT, 0);
    assert_int_equal(world_settle(logged->world, world_echo(logged->world, "", NULL)), VOW_OK); /* connects */
    vow_channel_intercept(logged->world->channel, VOW_INTERCEPTOR(.begin = take_all_memory));
    vow_channel_intercept(logged->world->channel, vow_access_log_interceptor(logged->of_server));
    reply = world_echo(logged->world, "", NULL);
    failing_stop();
    world_settle(logged->world, reply);
    assert_matches(logged->served.line[logged->served.count - 1], "* channel calls.Calls/Echo * timeout=- *");
    logged_close(logged);
    assert_int_equal(failing_outstanding(), 0);
    failing_remove();
}

static void logging_a_call_asks_for_no_memory_once_the_loop_is_warm(void **state)
{
    struct logged *logged;
    size_t         before;

    (void)state;
    failing_install(SIZE_MAX, false);
    logged = logged_open(WORLD_MEMORY, VOW_LOG_JSON, 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(world_settle(logged->world, world_echo(logged->world, "hello", NULL)), VOW_OK);
    before = failing_asked();
    for (int i = 0; i < 20; i++)
        assert_int_equal(world_settle(logged->world, world_echo(logged->world, "hello", NULL)), VOW_OK);
    assert_int_equal(failing_asked(), before);
    logged_close(logged);
    failing_remove();
}

/* Drops another call, whose line is then written inside this one's. */
struct nested {
    struct lines lines;
    vow_future  *other;
};

static void nested_take(const char *line, size_t size, void *arg)
{
    struct nested *nested = arg;
    vow_future    *other = nested->other;

    nested->other = NULL;
    vow_drop(other);
    lines_take(line, size, &nested->lines);
}

static void a_log_may_be_written_by_a_function_that_ends_other_calls(void **state)
{
    struct nested  *nested = calloc(1, sizeof *nested);
    vow_access_log *log = vow_access_log_new(NULL, nested_take, nested);
    world          *world = world_new(WORLD_SIMULATED);

    (void)state;
    assert_non_null(nested);
    vow_channel_intercept(world->channel, vow_access_log_interceptor(log));
    nested->other = world_hold(world, "", NULL);
    world_wait_for_held(world, 1);
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    assert_int_equal(nested->lines.count, 2);
    assert_matches(nested->lines.line[0], "* calls.Calls/Hold * CANCELLED *");
    assert_matches(nested->lines.line[1], "* calls.Calls/Echo * OK *");
    world_free(world);
    vow_access_log_free(log);
    free(nested);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reader_of_json_finds_what_is_wrong),
        cmocka_unit_test(each_call_is_a_line_of_text_wherever_it_runs),
        cmocka_unit_test(each_call_is_an_object_of_json_wherever_it_runs),
        cmocka_unit_test(a_failure_is_logged_with_its_code_and_message),
        cmocka_unit_test(a_call_without_a_deadline_shows_none),
        cmocka_unit_test(a_call_whose_deadline_has_passed_says_what_it_was),
        cmocka_unit_test(a_cancelled_call_is_logged_once_on_each_side),
        cmocka_unit_test(a_call_that_finds_no_server_has_no_peer),
        cmocka_unit_test(a_stream_counts_its_messages_and_their_bytes),
        cmocka_unit_test(the_traces_id_is_logged_where_it_is_well_formed),
        cmocka_unit_test(json_has_the_traces_id_where_there_is_one),
        cmocka_unit_test(a_call_made_for_another_is_logged_under_its_trace),
        cmocka_unit_test(the_time_is_the_date_in_utc),
        cmocka_unit_test(without_a_clock_of_its_own_a_log_has_the_systems),
        cmocka_unit_test(what_is_no_plain_text_is_escaped_as_the_format_has_it),
        cmocka_unit_test(every_two_bytes_stay_inside_their_quotes),
        cmocka_unit_test(a_text_that_is_too_long_is_cut_between_characters),
        cmocka_unit_test(a_hostile_message_stays_on_its_line),
        cmocka_unit_test(a_hostile_name_stays_one_word),
        cmocka_unit_test(a_line_has_no_more_than_its_bound),
        cmocka_unit_test(a_message_that_is_cut_fills_its_line_and_keeps_its_quotes),
        cmocka_unit_test(a_name_that_is_too_long_leaves_room_for_the_rest),
        cmocka_unit_test(a_log_that_there_is_no_memory_for_logs_nothing),
        cmocka_unit_test(a_call_without_memory_is_logged_without_what_its_beginning_knew),
        cmocka_unit_test(logging_a_call_asks_for_no_memory_once_the_loop_is_warm),
        cmocka_unit_test(a_log_may_be_written_by_a_function_that_ends_other_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
