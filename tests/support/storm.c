#include "tests/support/storm.h"

#include "runtime/base/random.h"
#include "runtime/protocol/protocol.h"
#include "runtime/transport/simulated.h"
#include "tests/support/failing.h"
#include "tests/support/storm_service.h"
#include "tests/support/storm_streams.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVERS         2
#define CHANNELS        4 /* of callers, two to each server */
#define PER_CHANNEL     2 /* connections, at most */
#define CALLS           220
#define STREAMS         40
#define MS              1000000u
#define SLACK_NS        (2u * MS)
#define TIMEOUT_MAX_MS  3000
#define GRACE_MS        500
#define CONNECT_MS      1000
#define CALM_TIMEOUT_MS 60000 /* of the last calls, when all faults are over */

const char *const storm_fault_names[STORM_FAULTS] = {
    [STORM_REFUSED] = "refused",     [STORM_HUNG] = "hung",   [STORM_RESET] = "reset",
    [STORM_BLACK_HOLE] = "black hole", [STORM_STALL] = "stall", [STORM_SLOW] = "slow",
    [STORM_ONE_BYTE] = "one byte",
};

/* What a caller asks for. */
typedef enum kind { ECHO, BLOCK, HOLD, FAIL, READ, MISSING, KINDS } kind;

static const struct {
    const char *name;
    vow_code    usual; /* how it ends when nothing comes between */
    unsigned    weight;
} kinds[KINDS] = {
    [ECHO] = { "echo", VOW_OK, 40 },   [BLOCK] = { "block", VOW_OK, 12 },
    [HOLD] = { "hold", VOW_OK, 25 },   [FAIL] = { "fail", VOW_INVALID_ARGUMENT, 6 },
    [READ] = { "read", VOW_OK, 14 },   [MISSING] = { "missing", VOW_UNIMPLEMENTED, 3 },
};

typedef struct storm storm;

typedef struct storm_call {
    storm      *storm;
    vow_future *future; /* a handle for who may cancel it; NULL: dropped */
    size_t      number;
    kind        kind;
    uint64_t    deadline_ns;
    unsigned    settled;
    bool        was_dropped;
    bool        was_cancelled;
    bool        is_calm; /* made after the faults: has to succeed */
} storm_call;

struct storm {
    vow_loop      *loop;
    vow_network   *network;
    vow_server    *servers[SERVERS];
    vow_channel   *channels[CHANNELS];
    storm_service  service;
    storm_streams  streams;
    uint64_t       random;
    size_t         block_max;
    storm_call     calls[STORM_CALLS_MAX];
    size_t         count;
    size_t         pending;
    bool           verbose;
    bool           is_grpc; /* channels speak it; servers speak both */
    storm_totals  *totals;
    storm_result   result;
};

/* Telling */

static double storm_ms(const storm *storm)
{
    return (double)vow_loop_now_ns(storm->loop) / MS;
}

static void storm_tell(void *owner, const char *what, size_t call)
{
    storm *storm = owner;

    if (storm->verbose)
        fprintf(stderr, "%10.3f ms  call %zu %s\n", storm_ms(storm), call, what);
}

static void storm_fail(void *owner, const char *what, size_t call)
{
    storm *storm = owner;

    if (storm->verbose)
        fprintf(stderr, "%10.3f ms  call %zu: FAILED: %s\n", storm_ms(storm), call, what);
    if (!*storm->result.what)
        snprintf(storm->result.what, sizeof storm->result.what, "call %zu: %s", call, what);
}

static void storm_say(const storm *storm, const char *format, ...)
{
    va_list words;

    if (!storm->verbose)
        return;
    fprintf(stderr, "%10.3f ms  ", storm_ms(storm));
    va_start(words, format);
    vfprintf(stderr, format, words);
    va_end(words);
    fputc('\n', stderr);
}

static uint64_t storm_below(storm *storm, uint64_t bound)
{
    return vow_random_below(&storm->random, bound);
}

/* A call ends */

static bool call_code_is_allowed(const storm_call *call, vow_code code)
{
    if (code == kinds[call->kind].usual)
        return true;
    if (call->is_calm)
        return false;
    if (code == VOW_CANCELLED)
        return call->was_cancelled;
    return code == VOW_UNAVAILABLE || code == VOW_DEADLINE_EXCEEDED;
}

static bool text_is_of(const Calls__Text *reply, size_t number, size_t size)
{
    char expected[STORM_TEXT_MAX + 64];

    storm_text(expected, number, size);
    return reply && strcmp(reply->text, expected) == 0;
}

static bool call_has_its_own_bytes(const storm_call *call, vow_future *settled)
{
    size_t              size = call->storm->service.sizes[call->number];
    bool                by_child = call->kind == ECHO && call->number % 2 && call->storm->service.children;
    const Calls__Block *block;
    uint8_t            *expected;
    bool                same;

    if (call->kind != BLOCK)
        return text_is_of(vow_future_value(settled), call->number + (by_child ? STORM_CHILD : 0), size);
    block = vow_future_value(settled);
    expected = malloc(size);
    storm_block(expected, call->number, size);
    same = block && block->body.len == size && memcmp(block->body.data, expected, size) == 0;
    free(expected);
    return same;
}

static void trace_add(storm *storm, uint64_t value)
{
    storm->result.trace = (storm->result.trace ^ value) * 0x100000001b3u;
}

static void call_settled(vow_future *settled, void *arg)
{
    storm_call *call = arg;
    storm      *storm = call->storm;
    uint64_t    now = vow_loop_now_ns(storm->loop);
    vow_code    code = vow_future_code(settled);

    storm_tell(storm, vow_future_error(settled), call->number);
    trace_add(storm, now * STORM_CODES + code);
    storm->pending--;
    storm->totals->ended[code]++;
    if (call->settled++)
        storm_fail(storm, "it settled twice", call->number);
    if (!call_code_is_allowed(call, code))
        storm_fail(storm, vow_future_error(settled), call->number);
    if (now > call->deadline_ns + SLACK_NS)
        storm_fail(storm, "it settled after its deadline", call->number);
    if (code == VOW_DEADLINE_EXCEEDED && now < call->deadline_ns)
        storm_fail(storm, "its deadline had not passed", call->number);
    if (code == VOW_OK && !call_has_its_own_bytes(call, settled))
        storm_fail(storm, "it has another's reply", call->number);
    if (code == VOW_INVALID_ARGUMENT &&
        !text_is_of(&(Calls__Text){ .text = (char *)(uintptr_t)vow_future_message(settled) }, call->number,
                    storm->service.sizes[call->number]))
        storm_fail(storm, "it has another's failure", call->number);
}

/* A call begins */

static kind storm_choose_kind(storm *storm)
{
    uint64_t drawn = storm_below(storm, 100);

    for (kind kind = ECHO; kind < KINDS; kind++) {
        if (drawn < kinds[kind].weight)
            return kind;
        drawn -= kinds[kind].weight;
    }
    return ECHO;
}

static vow_future *call_ask(storm_call *call, vow_channel *channel, const vow_call_options *options)
{
    static vow_future *(*const ask[KINDS])(vow_channel *, const Calls__Text *, const vow_call_options *) = {
        [ECHO] = calls_calls_echo, [HOLD] = calls_calls_hold,       [FAIL] = calls_calls_fail,
        [READ] = calls_calls_read, [MISSING] = calls_calls_missing,
    };
    size_t       size = call->storm->service.sizes[call->number];
    Calls__Text  text = CALLS__TEXT__INIT;
    Calls__Block block = CALLS__BLOCK__INIT;
    uint8_t     *bytes = malloc(size + STORM_TEXT_MAX);
    vow_future  *reply;

    if (call->kind == BLOCK) {
        storm_block(bytes, call->number, size);
        block.body = (ProtobufCBinaryData){ .data = bytes, .len = size };
        reply = calls_calls_echo_block(channel, &block, options);
    } else {
        storm_text((char *)bytes, call->number, size);
        text.text = (char *)bytes;
        reply = ask[call->kind](channel, &text, options);
    }
    free(bytes);
    return reply;
}

static size_t storm_choose_size(storm *storm, kind kind)
{
    size_t most = kind == BLOCK ? storm->block_max : kind == FAIL ? 200 : STORM_TEXT_MAX;

    if (storm_below(storm, 3))
        most = most / 50 + 1; /* most are small */
    return 8 + storm_below(storm, most);
}

/* Nine of ten are waited for; the rest is only held, until it is dropped. */
static storm_call *storm_begin_call(storm *storm, kind kind, size_t channel, int64_t timeout_ms)
{
    storm_call *call = &storm->calls[storm->count];
    bool        waits = storm_below(storm, 4) == 0;

    *call = (storm_call){ .storm = storm, .number = storm->count, .kind = kind };
    storm->service.sizes[call->number] = storm_choose_size(storm, kind);
    call->deadline_ns = vow_loop_now_ns(storm->loop) + (uint64_t)timeout_ms * MS;
    call->future = call_ask(call, storm->channels[channel],
                            VOW_CALL(.timeout_ms = timeout_ms, .wait_for_ready = waits || timeout_ms > TIMEOUT_MAX_MS));
    storm_say(storm, "call %zu begins: %s, %zu bytes, %lld ms, channel %zu%s", call->number, kinds[kind].name,
              storm->service.sizes[call->number], (long long)timeout_ms, channel, waits ? ", waits" : "");
    storm->count++;
    return call;
}

static void call_await(storm_call *call)
{
    call->storm->pending++;
    vow_done(vow_future_ref(call->future), call_settled, call);
}

static void storm_call_any(storm *storm)
{
    int64_t     timeout_ms = 1 + (int64_t)storm_below(storm, storm_below(storm, 4) ? TIMEOUT_MAX_MS : 60);
    storm_call *call = storm_begin_call(storm, storm_choose_kind(storm), storm_below(storm, CHANNELS), timeout_ms);

    call->was_dropped = storm_below(storm, 12) == 0;
    if (!call->was_dropped)
        call_await(call);
}

/* What happens meanwhile */

static void storm_drop_or_cancel(storm *storm)
{
    storm_call *call = &storm->calls[storm_below(storm, storm->count)];

    if (!call->future || vow_future_settled(call->future))
        return;
    if (call->was_dropped) {
        storm_tell(storm, "is dropped", call->number);
        vow_drop(call->future);
        call->future = NULL;
    } else {
        storm_tell(storm, "is cancelled", call->number);
        call->was_cancelled = true;
        vow_cancel(call->future);
    }
}

static bool server_open(storm *storm, size_t index)
{
    char      address[40];
    vow_error error = { VOW_OK, "" };

    snprintf(address, sizeof address, "tcp://10.0.0.%zu:7000", index + 1);
    storm->servers[index] = vow_server_open(storm->loop, NULL);
    storm_serve(storm->servers[index], &storm->service);
    storm_streams_serve(storm->servers[index], &storm->streams);
    if (vow_server_listen(storm->servers[index], address, &error) == VOW_OK)
        return true;
    storm_fail(storm, error.message, index);
    return false;
}

static void storm_restart_server(storm *storm)
{
    size_t index = storm_below(storm, SERVERS);

    if (storm_below(storm, 2)) {
        vow_future *drained = vow_server_drain(storm->servers[index], GRACE_MS);

        storm_say(storm, "server %zu drains", index);
        vow_loop_advance(storm->loop, GRACE_MS + 1);
        if (!vow_future_settled(drained))
            storm_fail(storm, "the drain of this server does not end", index);
        vow_drop(drained);
    }
    storm_say(storm, "server %zu closes, and opens again", index);
    vow_server_close(storm->servers[index]);
    server_open(storm, index);
}

static void storm_something_happens(storm *storm)
{
    uint64_t drawn = storm_below(storm, 1000);

    if (drawn < 120)
        storm_drop_or_cancel(storm);
    else if (drawn >= 140 && drawn < 200 && storm->streams.count < STREAMS)
        storm_streams_begin(&storm->streams, storm->channels[storm_below(storm, CHANNELS)],
                            1 + (int64_t)storm_below(storm, TIMEOUT_MAX_MS), false);
    else if (drawn >= 200 && drawn < 215)
        storm_streams_drop_one(&storm->streams);
    else if (drawn < 130)
        storm_restart_server(storm);
    else if (drawn < 140)
        vow_network_reset(storm->network);
    else if (drawn > 500)
        vow_loop_advance(storm->loop, 1 + (int64_t)storm_below(storm, 25));
}

/* The storm */

/* At least three kinds of fault, each on one connection in ten to one in three. */
static void storm_draw_faults(storm *storm)
{
    unsigned           rates[STORM_FAULTS] = { 0 };
    unsigned           chosen = 0;
    vow_network_faults faults = { .size = sizeof faults, .latency_us = 100 + storm_below(storm, 20000) };

    while (chosen < 3 || storm_below(storm, 3)) {
        size_t fault = storm_below(storm, STORM_FAULTS);

        chosen += rates[fault] == 0;
        rates[fault] = 100 + (unsigned)storm_below(storm, 230);
        if (chosen == STORM_FAULTS)
            break;
    }
    faults.refused = rates[STORM_REFUSED];
    faults.hung = rates[STORM_HUNG];
    faults.reset = rates[STORM_RESET];
    faults.black_hole = rates[STORM_BLACK_HOLE];
    faults.stall = rates[STORM_STALL];
    faults.slow = rates[STORM_SLOW];
    faults.one_byte = rates[STORM_ONE_BYTE];
    /* A byte at a time takes its time, which the seed has not. */
    storm->block_max = rates[STORM_ONE_BYTE] ? (size_t)4 << 10 : STORM_BLOCK_MAX;
    storm->streams.size_max = rates[STORM_ONE_BYTE] ? (size_t)4 << 10 : (size_t)150 << 10;
    for (int i = 0; i < STORM_FAULTS; i++) {
        if (rates[i])
            storm_say(storm, "%s: %u of 1000 connections", storm_fault_names[i], rates[i]);
    }
    vow_network_set_faults(storm->network, &faults);
}

static vow_channel *storm_open_channel(storm *storm, size_t server)
{
    char target[40];

    snprintf(target, sizeof target, "%s://10.0.0.%zu:7000", storm->is_grpc ? "grpc" : "tcp", server % SERVERS + 1);
    return vow_channel_open(storm->loop, target,
                            VOW_CHANNEL(.connections = PER_CHANNEL, .connect_timeout_ms = CONNECT_MS,
                                        .backoff_min_ms = 20, .backoff_max_ms = 200));
}

static void storm_open(storm *storm)
{
    storm->network = vow_network_of(storm->loop);
    storm->service = (storm_service){ .loop = storm->loop, .random = storm->random ^ 77, .owner = storm,
                                      .fail = storm_fail, .tell = storm_tell };
    storm->streams = (storm_streams){ .loop = storm->loop, .random = storm->random ^ 99, .owner = storm,
                                      .fail = storm_fail, .tell = storm_tell };
    storm_draw_faults(storm);
    for (size_t i = 0; i < SERVERS; i++)
        server_open(storm, i);
    for (size_t i = 0; i < CHANNELS; i++)
        storm->channels[i] = storm_open_channel(storm, i);
    storm->service.children = storm_open_channel(storm, 1);
}

/* Until every call has settled, and every handler has heard that its caller has gone. */
static void storm_end(storm *storm)
{
    vow_loop_advance(storm->loop, TIMEOUT_MAX_MS + 2);
    if (storm->pending + storm->streams.pending)
        storm_fail(storm, "so many calls have not settled in time", storm->pending + storm->streams.pending);
    for (size_t i = 0; i < storm->count; i++) {
        if (storm->calls[i].was_dropped && storm->calls[i].future && !vow_future_settled(storm->calls[i].future))
            storm_fail(storm, "it was held only, and has not settled in time", i);
    }
    vow_loop_advance(storm->loop, 5 * TIMEOUT_MAX_MS);
    if (storm->service.held != storm->service.let_go || storm->streams.held != storm->streams.let_go)
        storm_fail(storm, "so many handlers have not heard that their callers have gone",
                   storm->service.held - storm->service.let_go + storm->streams.held - storm->streams.let_go);
    if (storm->service.jobs)
        storm_fail(storm, "so many jobs have not ended", storm->service.jobs);
}

static void storm_calm(storm *storm)
{
    storm->block_max = STORM_BLOCK_MAX;
    vow_network_heal(storm->network);
    vow_network_set_faults(storm->network, VOW_NETWORK_FAULTS(.latency_us = 100));
    vow_network_reset(storm->network); /* connections keep the faults that they were made with */
    vow_loop_advance(storm->loop, 1);
    storm_say(storm, "the faults are over");
    for (size_t i = 0; i < CHANNELS; i++) {
        storm_call *call = storm_begin_call(storm, i < SERVERS ? READ : BLOCK, i, CALM_TIMEOUT_MS);

        call->is_calm = true;
        call_await(call);
        storm_streams_begin(&storm->streams, storm->channels[i], CALM_TIMEOUT_MS, true);
    }
    vow_loop_advance(storm->loop, CALM_TIMEOUT_MS + 1);
    if (storm->pending + storm->streams.pending)
        storm_fail(storm, "so many calls of fair weather have not settled", storm->pending);
}

static void storm_count(storm *storm)
{
    vow_network_counts counts = vow_network_count(storm->network);
    storm_totals      *totals = storm->totals;

    totals->struck[STORM_REFUSED] += counts.refused;
    totals->struck[STORM_HUNG] += counts.hung;
    totals->struck[STORM_RESET] += counts.resets;
    totals->struck[STORM_BLACK_HOLE] += counts.black_holes;
    totals->struck[STORM_STALL] += counts.stalls;
    totals->struck[STORM_SLOW] += counts.slow;
    totals->struck[STORM_ONE_BYTE] += counts.one_byte;
    totals->connections += counts.connections;
    totals->served += storm->service.ran;
    totals->streams += storm->streams.count;
    totals->streamed += storm->streams.messages;
    totals->ended_well += storm->streams.ended_well;
    if (counts.connections < 4)
        storm_fail(storm, "so few connections came about", counts.connections);
    trace_add(storm, vow_network_trace(storm->network));
}

static void storm_close(storm *storm)
{
    for (size_t i = 0; i < storm->count; i++) {
        storm_call *call = &storm->calls[i];

        storm->totals->dropped += call->was_dropped;
        if (!call->was_dropped && call->settled != 1)
            storm_fail(storm, "it did not settle once", i);
        vow_drop(call->future);
    }
    storm_streams_close(&storm->streams);
    storm_count(storm);
    for (size_t i = 0; i < CHANNELS; i++)
        vow_channel_close(storm->channels[i]);
    vow_channel_close(storm->service.children);
    for (size_t i = 0; i < SERVERS; i++)
        vow_server_close(storm->servers[i]);
    vow_loop_close(storm->loop);
}

storm_result storm_run(uint64_t seed, bool verbose, storm_totals *totals)
{
    storm       *storm = calloc(1, sizeof *storm);
    storm_result result;
    uint64_t     mixed = ~seed; /* neighbouring seeds are to have nothing in common */

    failing_install(SIZE_MAX, false);
    *storm = (struct storm){ .verbose = verbose, .totals = totals, .random = vow_random_next(&mixed),
                             .loop = vow_loop_simulated(seed), .is_grpc = seed % 3 == 0 && !vow_protocol_grpc.lacks };
    storm_open(storm);
    while (storm->count < CALLS) {
        storm_call_any(storm);
        storm_something_happens(storm);
    }
    storm_end(storm);
    storm_calm(storm);
    storm_close(storm);
    result = storm->result;
    if (failing_outstanding() && !*result.what)
        snprintf(result.what, sizeof result.what, "%zu blocks of memory were not freed", failing_outstanding());
    failing_remove();
    free(storm);
    return result;
}
