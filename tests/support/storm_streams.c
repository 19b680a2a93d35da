#include "tests/support/storm_streams.h"

#include "runtime/base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES_MAX 40
#define HEADER_SIZE 8

static const vow_method relay_method = { sizeof relay_method, "calls.Streams/Relay", &vow_raw_descriptor,
                                         &vow_raw_descriptor, true, true, false, NULL };

struct storm_stream {
    storm_streams *streams;
    size_t         number;
    vow_call      *call; /* NULL: dropped */
    uint64_t       random;
    uint32_t       to_send;
    uint32_t       sent;
    uint32_t       got;
    bool           is_slow;
    bool           has_to_succeed;
    bool           was_dropped;
    unsigned       settled;
    size_t         sizes[MESSAGES_MAX];
};

static uint8_t pattern(size_t stream, uint32_t place, size_t at)
{
    return (uint8_t)(stream * 31 + place * 7 + at * 3);
}

static uint8_t *message_new(size_t stream, uint32_t place, size_t size)
{
    uint8_t *bytes = malloc(size);
    uint32_t number = (uint32_t)stream;

    memcpy(bytes, &number, 4);
    memcpy(bytes + 4, &place, 4);
    for (size_t at = HEADER_SIZE; at < size; at++)
        bytes[at] = pattern(stream, place, at);
    return bytes;
}

static bool message_is(const vow_raw *raw, size_t stream, uint32_t place, size_t size)
{
    uint8_t *expected = message_new(stream, place, size);
    bool     is_same = raw->data_size == size && memcmp(raw->data, expected, size) == 0;

    free(expected);
    return is_same;
}

/* The handler: sends back what it is sent. */

static vow_future *relay_back(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    storm_streams *streams = arg;

    if (!vow_call_send(call, message))
        return vow_call_when_room(call);
    if (vow_random_below(&streams->random, 8))
        return NULL;
    return vow_sleep(streams->loop, (int64_t)vow_random_below(&streams->random, 9));
}

static void relay_gone(vow_future *settled, void *arg)
{
    storm_streams *streams = arg;

    (void)settled;
    streams->let_go++;
}

static void relay(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    storm_streams *streams = handler->arg;

    (void)request;
    streams->held++;
    vow_done(vow_call_when_closed(call), relay_gone, streams);
    vow_call_answer(call, vow_call_read(call, relay_back, streams));
}

void storm_streams_serve(vow_server *server, storm_streams *streams)
{
    vow_server_handle(server, &(vow_handler){ sizeof(vow_handler), &relay_method, relay, NULL, streams });
}

/* The caller */

static vow_future *stream_send(vow_call *call, void *arg)
{
    storm_stream *stream = arg;
    bool          has_room = true;

    while (has_room && stream->sent < stream->to_send) {
        size_t        size = stream->sizes[stream->sent];
        uint8_t      *bytes = message_new(stream->number, stream->sent, size);
        const vow_raw raw = VOW_RAW_INIT(bytes, size);

        stream->sent++;
        has_room = vow_call_send(call, &raw.base);
        free(bytes);
    }
    if (stream->sent == stream->to_send)
        vow_call_end(call);
    return NULL;
}

static vow_future *stream_read(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    storm_stream  *stream = arg;
    storm_streams *streams = stream->streams;

    (void)call;
    if (stream->got >= stream->sent)
        streams->fail(streams->owner, "a message came that was not sent", stream->number);
    else if (!message_is((const vow_raw *)message, stream->number, stream->got, stream->sizes[stream->got]))
        streams->fail(streams->owner, "a message of a stream is not the one that was next", stream->number);
    stream->got++;
    streams->messages++;
    return stream->is_slow ? vow_sleep(streams->loop, 1 + (int64_t)vow_random_below(&stream->random, 60)) : NULL;
}

static void stream_ended(vow_future *settled, void *arg)
{
    storm_stream  *stream = arg;
    storm_streams *streams = stream->streams;
    vow_code       code = vow_future_code(settled);
    bool is_allowed = code == VOW_OK || (!stream->has_to_succeed && (code == VOW_UNAVAILABLE ||
                                                                      code == VOW_DEADLINE_EXCEEDED)) ||
                      (code == VOW_CANCELLED && stream->was_dropped);

    streams->tell(streams->owner, vow_future_error(settled), stream->number);
    streams->pending--;
    if (stream->settled++)
        streams->fail(streams->owner, "a stream settled twice", stream->number);
    if (!is_allowed)
        streams->fail(streams->owner, vow_future_error(settled), stream->number);
    if (code == VOW_OK && stream->got != stream->to_send)
        streams->fail(streams->owner, "a stream ended well before all its messages had come back", stream->number);
    streams->ended_well += code == VOW_OK;
}

static size_t stream_choose_size(storm_streams *streams, uint64_t *random)
{
    size_t most = vow_random_below(random, 4) ? 3000 : streams->size_max;

    return HEADER_SIZE + vow_random_below(random, most);
}

void storm_streams_begin(storm_streams *streams, vow_channel *channel, int64_t timeout_ms, bool has_to_succeed)
{
    storm_stream *stream = calloc(1, sizeof *stream);

    *stream = (storm_stream){ .streams = streams, .number = streams->count, .has_to_succeed = has_to_succeed,
                              .random = vow_random_next(&streams->random) };
    stream->to_send = (uint32_t)vow_random_below(&stream->random, MESSAGES_MAX);
    stream->is_slow = !has_to_succeed && vow_random_below(&stream->random, 3) == 0;
    for (uint32_t i = 0; i < stream->to_send; i++)
        stream->sizes[i] = stream_choose_size(streams, &stream->random);
    streams->streams[streams->count++] = stream;
    streams->pending++;
    streams->tell(streams->owner, "begins as a stream", stream->number);
    stream->call = vow_call_start(channel, &relay_method, VOW_CALL(.timeout_ms = timeout_ms,
                                                                   .wait_for_ready = has_to_succeed));
    vow_done(vow_call_read(stream->call, stream_read, stream), stream_ended, stream);
    vow_detach(vow_call_write(stream->call, stream_send, stream));
}

static void stream_drop(storm_stream *stream)
{
    stream->was_dropped = true;
    vow_call_drop(stream->call);
    stream->call = NULL;
}

void storm_streams_drop_one(storm_streams *streams)
{
    storm_stream *stream = streams->count ? streams->streams[vow_random_below(&streams->random, streams->count)] : NULL;

    if (!stream || !stream->call || stream->has_to_succeed)
        return;
    streams->tell(streams->owner, "is dropped as a stream", stream->number);
    stream_drop(stream);
}

void storm_streams_close(storm_streams *streams)
{
    for (size_t i = 0; i < streams->count; i++) {
        if (streams->streams[i]->call)
            stream_drop(streams->streams[i]);
        if (streams->streams[i]->settled != 1)
            streams->fail(streams->owner, "a stream did not settle once", i);
        free(streams->streams[i]);
    }
}
