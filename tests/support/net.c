#include "tests/support/net.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint8_t talk_pattern[TALK_MAX + 4096];

static void talk_pattern_fill(void)
{
    uint64_t state = 7;

    for (size_t i = 0; i < sizeof talk_pattern; i++)
        talk_pattern[i] = (uint8_t)vow_random_next(&state);
}

void talker_close(struct talker *talker)
{
    vow_stream_close(talker->stream);
    talker->stream = NULL;
}

void talker_send(struct talker *talker)
{
    while (talker->stream && talker->sent < talker->to_send) {
        size_t    left = talker->to_send - talker->sent;
        size_t    size = left < 30000 ? left : 30000;
        size_t    first = size / 3 + 1;
        vow_slice slices[2] = { { talk_pattern + talker->sent, first },
                                { talk_pattern + talker->sent + first, size - first } };

        talker->sent += size;
        if (!vow_stream_write(talker->stream, slices, size > first ? 2 : 1)) {
            talker->lent = size;
            return;
        }
    }
    if (talker->stream && talker->finishes) {
        vow_stream_finish(talker->stream);
        talker->stream = NULL;
    }
}

static void talker_opened(void *owner)
{
    struct talker *talker = owner;

    talker->was_opened = true;
    talker->opened_ns = vow_loop_now_ns(talker->loop);
    if (talker->closes == CLOSES_IN_OPENED)
        talker_close(talker);
    else
        talker_send(talker);
}

static vow_room talker_room(void *owner)
{
    struct talker *talker = owner;

    if (talker->closes == CLOSES_IN_ROOM)
        talker_close(talker);
    return (vow_room){ talker->buffer, talker->has_no_room ? 0 : talker->room };
}

static void talker_read(void *owner, size_t size)
{
    struct talker *talker = owner;

    assert_non_null(talker->stream);
    assert_true(size > 0 && size <= talker->room);
    assert_memory_equal(talker->buffer, talk_pattern + talker->got, size);
    if (talker->got == 0)
        talker->first_read_ns = vow_loop_now_ns(talker->loop);
    talker->got += size;
    talker->reads++;
    if (size < talker->smallest_read)
        talker->smallest_read = size;
    if (talker->closes == CLOSES_IN_READ)
        talker_close(talker);
}

static void talker_written(void *owner)
{
    struct talker *talker = owner;

    assert_true(talker->lent > 0);
    talker->lent = 0;
    if (talker->closes == CLOSES_IN_WRITTEN)
        talker_close(talker);
    else
        talker_send(talker);
}

static void talker_closed(void *owner, const vow_status *why)
{
    struct talker *talker = owner;

    assert_false(talker->has_closed);
    assert_non_null(talker->stream);
    talker->has_closed = true;
    talker->stream = NULL;
    talker->code = why->code;
    snprintf(talker->why, sizeof talker->why, "%s", vow_status_text(why));
}

const vow_stream_events talker_events = {
    .opened = talker_opened,
    .room = talker_room,
    .read = talker_read,
    .written = talker_written,
    .closed = talker_closed,
};

void net_accept(void *owner, vow_stream *stream)
{
    struct net    *net = owner;
    struct talker *talker = &net->ends[net->accepted++];

    assert_true(net->accepted <= ENDS_MAX);
    *talker = net->like;
    talker->loop = net->loop;
    talker->stream = stream;
    if (net->closes_accepted) {
        talker_close(talker);
        return;
    }
    vow_stream_adopt(stream, &talker_events, talker);
    talker_send(talker);
}

struct talker talker_like(size_t to_send)
{
    return (struct talker){ .to_send = to_send,
                            .room = sizeof((struct talker *)0)->buffer,
                            .smallest_read = SIZE_MAX };
}

struct net *net_new_at(uint64_t seed, const char *address)
{
    struct net *net = calloc(1, sizeof *net);
    vow_error   error = { VOW_OK, "" };

    assert_non_null(net);
    talk_pattern_fill();
    net->loop = vow_loop_simulated(seed);
    assert_non_null(net->loop);
    net->network = vow_network_of(net->loop);
    net->like = talker_like(0);
    if (vow_listener_open(net->loop, address, NULL, net_accept, net, &net->listener, &error) != VOW_OK)
        fail_msg("%s", error.message);
    return net;
}

struct net *net_new(uint64_t seed)
{
    return net_new_at(seed, "tcp://127.0.0.1:7000");
}

void net_free(struct net *net)
{
    if (net->listener)
        vow_listener_close(net->listener);
    vow_loop_close(net->loop);
    free(net);
}

void talker_connect_to(struct net *net, struct talker *talker, const char *target)
{
    vow_error error = { VOW_OK, "" };

    talker->loop = net->loop;
    talker->stream = vow_stream_connect(net->loop, target, &talker_events, talker, &error);
    if (!talker->stream)
        fail_msg("%s", error.message);
}

void talker_connect(struct net *net, struct talker *talker)
{
    talker_connect_to(net, talker, "tcp://127.0.0.1:7000");
}

void net_open(struct net *net, struct talker *client)
{
    *client = talker_like(0);
    talker_connect(net, client);
    vow_loop_advance(net->loop, 20);
    assert_true(client->was_opened);
    assert_int_equal(net->accepted, 1);
}
