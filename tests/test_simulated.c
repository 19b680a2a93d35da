/*
 * The simulated clock and network: that they keep the promises of the real ones, that every fault does what it
 * says, and that one seed is one run.
 */
#include "runtime/transport/simulated.h"
#include "tests/support/failing.h"

#include <vow/vow.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS 1000000u
#define TALK_MAX ((size_t)1 << 20)
#define ENDS_MAX 64

/* --- Two ends that talk ------------------------------------------------------------------------- */

/* One end, and what befell it. It sends bytes that follow from their place, and checks those it gets. */
struct talker {
    vow_stream *stream; /* NULL: closed */
    vow_loop   *loop;
    size_t      to_send;
    size_t      sent;
    size_t      got;
    size_t      room; /* given at a time */
    size_t      reads;
    size_t      smallest_read;
    size_t      lent; /* of a write under way */
    uint64_t    opened_ns;
    uint64_t    first_read_ns;
    bool        was_opened;
    bool        has_closed;
    bool        has_no_room;
    bool        finishes; /* once all is sent */
    enum { CLOSES_NEVER, CLOSES_IN_OPENED, CLOSES_IN_ROOM, CLOSES_IN_READ, CLOSES_IN_WRITTEN } closes;
    vow_code    code;
    char        why[200];
    uint8_t     buffer[4096];
};

struct net {
    vow_loop     *loop;
    vow_network  *network;
    vow_listener *listener;
    struct talker ends[ENDS_MAX]; /* of accepted streams */
    size_t        accepted;
    struct talker like; /* what accepted ends begin as */
    bool          closes_accepted;
};

static uint8_t pattern[TALK_MAX + 4096];

static void pattern_fill(void)
{
    uint64_t state = 7;

    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)vow_random_next(&state);
}

static void talker_close(struct talker *talker)
{
    vow_stream_close(talker->stream);
    talker->stream = NULL;
}

static void talker_send(struct talker *talker)
{
    while (talker->stream && talker->sent < talker->to_send) {
        size_t    left = talker->to_send - talker->sent;
        size_t    size = left < 30000 ? left : 30000;
        size_t    first = size / 3 + 1;
        vow_slice slices[2] = { { pattern + talker->sent, first }, { pattern + talker->sent + first, size - first } };

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
    assert_memory_equal(talker->buffer, pattern + talker->got, size);
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

static const vow_stream_events talker_events = {
    .opened = talker_opened,
    .room = talker_room,
    .read = talker_read,
    .written = talker_written,
    .closed = talker_closed,
};

static void net_accept(void *owner, vow_stream *stream)
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

static struct talker talker_like(size_t to_send)
{
    return (struct talker){ .to_send = to_send, .room = sizeof((struct talker *)0)->buffer, .smallest_read = SIZE_MAX };
}

static struct net *net_new_at(uint64_t seed, const char *address)
{
    struct net      *net = calloc(1, sizeof *net);
    vow_error error = { VOW_OK, "" };

    assert_non_null(net);
    net->loop = vow_loop_simulated(seed);
    assert_non_null(net->loop);
    net->network = vow_network_of(net->loop);
    net->like = talker_like(0);
    if (vow_listener_open(net->loop, address, NULL, net_accept, net, &net->listener, &error) != VOW_OK)
        fail_msg("%s", error.message);
    return net;
}

static struct net *net_new(uint64_t seed)
{
    return net_new_at(seed, "tcp://127.0.0.1:7000");
}

static void net_free(struct net *net)
{
    if (net->listener)
        vow_listener_close(net->listener);
    vow_loop_close(net->loop);
    free(net);
}

static void talker_connect_to(struct net *net, struct talker *talker, const char *target)
{
    vow_error error = { VOW_OK, "" };

    talker->loop = net->loop;
    talker->stream = vow_stream_connect(net->loop, target, &talker_events, talker, &error);
    if (!talker->stream)
        fail_msg("%s", error.message);
}

static void talker_connect(struct net *net, struct talker *talker)
{
    talker_connect_to(net, talker, "tcp://127.0.0.1:7000");
}

/* A connection of which nothing is asked yet. */
static void net_open(struct net *net, struct talker *client)
{
    *client = talker_like(0);
    talker_connect(net, client);
    vow_loop_advance(net->loop, 20);
    assert_true(client->was_opened);
    assert_int_equal(net->accepted, 1);
}

/* --- Streams ------------------------------------------------------------------------------------------ */

static void bytes_arrive_whole_and_in_order_both_ways(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct net   *net = net_new(seed);
        struct talker client = talker_like(TALK_MAX);

        net->like.to_send = TALK_MAX / 2;
        net->like.room = 1 + (size_t)seed * 37;
        talker_connect(net, &client);
        vow_loop_advance(net->loop, 5000);
        assert_int_equal(net->accepted, 1);
        assert_int_equal(net->ends[0].got, TALK_MAX);
        assert_int_equal(client.got, TALK_MAX / 2);
        assert_true(client.smallest_read < 512); /* they were cut */
        assert_false(client.has_closed);
        talker_close(&client);
        vow_loop_advance(net->loop, 100);
        assert_true(net->ends[0].has_closed);
        assert_int_equal(net->ends[0].code, VOW_OK);
        net_free(net);
    }
}

static void every_scheme_leads_over_the_simulated_network(void **state)
{
    static const char *const addresses[] = { "tcp://127.0.0.1:7000", "tcp://[::1]:7000", "unix:///run/vow",
                                             "memory://here", "tcp://10.0.0.2:7000" };

    (void)state;
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct net   *net = net_new_at(1, addresses[i]);
        struct talker client = talker_like(100);

        talker_connect_to(net, &client, addresses[i]);
        vow_loop_advance(net->loop, 100);
        assert_int_equal(net->ends[0].got, 100);
        assert_int_equal(vow_network_count(net->network).connections, 1);
        talker_close(&client);
        vow_loop_advance(net->loop, 100);
        net_free(net);
    }
}

static void an_end_knows_its_peer(void **state)
{
    struct net   *net = net_new_at(1, "tcp://10.0.0.2:7000");
    struct talker client = talker_like(0);

    (void)state;
    talker_connect_to(net, &client, "tcp://10.0.0.2:7000");
    assert_string_equal(vow_stream_peer(client.stream), "");
    vow_loop_advance(net->loop, 100);
    assert_string_equal(vow_stream_peer(client.stream), "tcp://10.0.0.2:7000");
    assert_string_equal(vow_stream_peer_host(net->ends[0].stream), "10.0.0.1");
    assert_false(vow_stream_is_local(net->ends[0].stream));
    talker_close(&client);
    vow_loop_advance(net->loop, 100);
    net_free(net);
}

static void latency_is_kept(void **state)
{
    struct net   *net = net_new(3);
    struct talker client = talker_like(1);

    (void)state;
    vow_network_set_faults(net->network, &(vow_network_faults){ .latency_us = 30000 });
    talker_connect(net, &client);
    vow_loop_advance(net->loop, 59);
    assert_false(client.was_opened);
    vow_loop_advance(net->loop, 1);
    assert_true(client.was_opened);
    vow_loop_advance(net->loop, 31);
    assert_int_equal(net->ends[0].got, 1);
    assert_in_range(net->ends[0].first_read_ns - client.opened_ns, 30 * NS_PER_MS, 31 * NS_PER_MS);
    talker_close(&client);
    vow_loop_advance(net->loop, 100);
    net_free(net);
}

static void a_link_carries_no_more_than_its_bandwidth(void **state)
{
    struct net   *net = net_new(4);
    struct talker client = talker_like(100000);

    (void)state;
    vow_network_set_faults(net->network, &(vow_network_faults){ .latency_us = 1000, .bytes_per_second = 100000 });
    talker_connect(net, &client);
    vow_loop_advance(net->loop, 500);
    assert_in_range(net->ends[0].got, 30000, 60000);
    vow_loop_advance(net->loop, 600);
    assert_int_equal(net->ends[0].got, 100000);
    talker_close(&client);
    vow_loop_advance(net->loop, 100);
    net_free(net);
}

static void a_reader_that_pauses_makes_the_writer_wait(void **state)
{
    struct net   *net = net_new(5);
    struct talker client;
    size_t before;

    (void)state;
    net_open(net, &client);
    vow_stream_pause(net->ends[0].stream);
    client.to_send = TALK_MAX;
    talker_send(&client);
    vow_loop_advance(net->loop, 1000);
    assert_int_equal(net->ends[0].got, 0);
    assert_true(client.lent > 0);
    assert_true(client.sent < 200000);
    before = client.sent;
    vow_loop_advance(net->loop, 1000);
    assert_int_equal(client.sent, before);
    vow_stream_resume(net->ends[0].stream);
    vow_loop_advance(net->loop, 2000);
    assert_int_equal(net->ends[0].got, TALK_MAX);
    talker_close(&client);
    vow_loop_advance(net->loop, 100);
    net_free(net);
}

/* --- Ending ----------------------------------------------------------------------------------------------- */

static void finish_delivers_everything_while_the_peer_is_still_sending(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct net   *net = net_new(seed);
        struct talker client = talker_like(200000);

        client.finishes = true;
        net->like.to_send = TALK_MAX;
        talker_connect(net, &client);
        vow_loop_advance(net->loop, 5000);
        assert_int_equal(net->ends[0].got, 200000);
        assert_true(net->ends[0].has_closed);
        assert_int_equal(net->ends[0].code, VOW_OK);
        net_free(net);
    }
}

static void what_was_taken_before_a_close_arrives(void **state)
{
    struct net   *net = net_new(6);
    struct talker client;

    (void)state;
    net_open(net, &client);
    assert_true(vow_stream_write(client.stream, &(vow_slice){ pattern, 10 }, 1));
    talker_close(&client);
    vow_loop_advance(net->loop, 100);
    assert_int_equal(net->ends[0].got, 10);
    assert_true(net->ends[0].has_closed);
    assert_int_equal(net->ends[0].code, VOW_OK);
    net_free(net);
}

static void writing_to_a_peer_that_has_closed_is_answered_with_a_reset(void **state)
{
    struct net   *net = net_new(7);
    struct talker client;

    (void)state;
    net_open(net, &client);
    vow_stream_pause(client.stream); /* does not see the end */
    talker_close(&net->ends[0]);
    vow_loop_advance(net->loop, 100);
    assert_false(client.has_closed);
    client.to_send = 10;
    talker_send(&client);
    vow_stream_resume(client.stream);
    vow_loop_advance(net->loop, 100);
    assert_true(client.has_closed);
    net_free(net);
}

static void closing_over_bytes_that_nobody_read_resets_the_peer(void **state)
{
    struct net   *net = net_new(8);
    struct talker client;

    (void)state;
    net_open(net, &client);
    vow_stream_pause(net->ends[0].stream);
    client.to_send = 1000;
    talker_send(&client);
    vow_loop_advance(net->loop, 100);
    talker_close(&net->ends[0]);
    vow_loop_advance(net->loop, 100);
    assert_true(client.has_closed);
    assert_string_equal(client.why,
                        "UNAVAILABLE: tcp://127.0.0.1:7000: the connection was lost: connection reset by peer");
    assert_int_equal(vow_network_count(net->network).resets, 0);
    net_free(net);
}

static void an_end_may_be_closed_in_any_callback(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct net   *net = net_new(seed);
        struct talker client = talker_like(300000);

        client.closes = seed % 5;
        net->like.to_send = 300000;
        net->like.closes = seed / 5 % 5;
        net->closes_accepted = seed % 7 == 0;
        talker_connect(net, &client);
        vow_loop_advance(net->loop, 3000);
        if (client.stream)
            talker_close(&client);
        vow_loop_advance(net->loop, 3000);
        for (size_t i = 0; i < net->accepted; i++)
            assert_null(net->ends[i].stream);
        net_free(net);
    }
}

static void an_attempt_may_be_closed_at_any_moment(void **state)
{
    (void)state;
    for (int64_t ms = 0; ms < 20; ms++) {
        struct net   *net = net_new((uint64_t)ms);
        struct talker client = talker_like(0);

        vow_network_set_faults(net->network, &(vow_network_faults){ .latency_us = 3000 });
        talker_connect_to(net, &client, "tcp://localhost:7000");
        vow_loop_advance(net->loop, ms);
        talker_close(&client);
        vow_loop_advance(net->loop, 100);
        assert_true(net->accepted == 0 || net->ends[0].has_closed);
        net_free(net);
    }
}

static void a_stream_without_room_closes(void **state)
{
    struct net   *net = net_new(9);
    struct talker client = talker_like(100);

    (void)state;
    net->like.has_no_room = true;
    talker_connect(net, &client);
    vow_loop_advance(net->loop, 100);
    assert_int_equal(net->ends[0].code, VOW_RESOURCE_EXHAUSTED);
    assert_true(client.has_closed);
    net_free(net);
}

/* --- Connecting -------------------------------------------------------------------------------------------- */

static void a_connection_to_nobody_is_refused(void **state)
{
    struct net   *net = net_new(1);
    struct talker client = talker_like(0);
    struct talker local = talker_like(0);

    (void)state;
    talker_connect_to(net, &client, "tcp://127.0.0.1:7001");
    talker_connect_to(net, &local, "unix:///run/nobody");
    vow_loop_advance(net->loop, 20);
    assert_false(client.was_opened);
    assert_string_equal(client.why, "UNAVAILABLE: tcp://127.0.0.1:7001: connection refused (is the server running?)");
    assert_string_equal(local.why,
                        "UNAVAILABLE: unix:///run/nobody: there is no such socket (is the server running?)");
    assert_int_equal(vow_network_count(net->network).refused, 2);
    net_free(net);
}

static void a_name_is_resolved_unless_it_is_invalid(void **state)
{
    struct net   *net = net_new(1);
    struct talker known = talker_like(0);
    struct talker unknown = talker_like(0);

    (void)state;
    talker_connect_to(net, &known, "tcp://weather.example:7000");
    talker_connect_to(net, &unknown, "tcp://weather.invalid:7000");
    vow_loop_advance(net->loop, 100);
    assert_true(known.was_opened);
    assert_string_equal(vow_stream_peer(known.stream), "tcp://127.0.0.1:7000");
    assert_string_equal(unknown.why, "UNAVAILABLE: tcp://weather.invalid:7000: the name cannot be resolved: unknown "
                                     "node or service");
    talker_close(&known);
    vow_loop_advance(net->loop, 100);
    net_free(net);
}

static void a_malformed_target_is_refused_on_the_spot(void **state)
{
    struct net      *net = net_new(1);
    struct talker    client = talker_like(0);
    vow_error error = { VOW_OK, "" };

    (void)state;
    assert_null(vow_stream_connect(net->loop, "tcp://nowhere", &talker_events, &client, &error));
    assert_int_equal(error.code, VOW_INVALID_ARGUMENT);
    net_free(net);
}

static void an_address_is_listened_on_once(void **state)
{
    struct net          *net = net_new(1);
    vow_listener *second = NULL;
    vow_error     error = { VOW_OK, "" };

    (void)state;
    assert_int_equal(vow_listener_open(net->loop, "tcp://0.0.0.0:7000", NULL, net_accept, net, &second, &error),
                     VOW_ALREADY_EXISTS);
    assert_string_equal(error.message, "cannot listen on tcp://0.0.0.0:7000: the address is in use; stop who listens there, or "
                                       "choose another");
    assert_null(second);
    vow_listener_close(net->listener);
    assert_int_equal(vow_listener_open(net->loop, "tcp://0.0.0.0:7000", NULL, net_accept, net, &net->listener, &error),
                     VOW_OK);
    net_free(net);
}

static void port_0_is_chosen_by_the_system(void **state)
{
    struct net          *net = net_new_at(1, "tcp://127.0.0.1:0");
    vow_listener *second = NULL;
    char          expected[64];

    (void)state;
    assert_int_equal(vow_listener_open(net->loop, "tcp://127.0.0.1:0", NULL, net_accept, net, &second, NULL), VOW_OK);
    assert_int_not_equal(vow_listener_port(net->listener), vow_listener_port(second));
    snprintf(expected, sizeof expected, "tcp://127.0.0.1:%d", vow_listener_port(second));
    assert_string_equal(vow_listener_address(second), expected);
    vow_listener_close(second);
    net_free(net);
}

static void a_listener_that_closes_resets_what_it_has_not_accepted(void **state)
{
    struct net   *net = net_new(1);
    struct talker client = talker_like(0);

    (void)state;
    vow_network_set_faults(net->network, &(vow_network_faults){ .latency_us = 10000 });
    talker_connect(net, &client);
    vow_loop_advance(net->loop, 25);
    assert_true(client.was_opened);
    vow_listener_close(net->listener);
    net->listener = NULL;
    vow_loop_advance(net->loop, 100);
    assert_int_equal(net->accepted, 0);
    assert_int_equal(client.code, VOW_UNAVAILABLE);
    net_free(net);
}

/* --- Faults --------------------------------------------------------------------------------------------------- */

static void a_reset_tells_both_ends(void **state)
{
    struct net   *net = net_new(11);
    struct talker client = talker_like(TALK_MAX);

    (void)state;
    vow_network_set_faults(net->network, &(vow_network_faults){ .reset = 1000 });
    net->like.to_send = TALK_MAX;
    talker_connect(net, &client);
    vow_loop_advance(net->loop, 20000);
    assert_int_equal(client.code, VOW_UNAVAILABLE);
    assert_int_equal(net->ends[0].code, VOW_UNAVAILABLE);
    assert_int_equal(vow_network_count(net->network).resets, 1);
    net_free(net);
}

static void a_black_hole_tells_nobody(void **state)
{
    struct net   *net = net_new(12);
    struct talker client = talker_like(TALK_MAX);

    (void)state;
    vow_network_set_faults(net->network, &(vow_network_faults){ .black_hole = 1000 });
    net->like.to_send = TALK_MAX;
    talker_connect(net, &client);
    vow_loop_advance(net->loop, 20000);
    assert_int_equal(vow_network_count(net->network).black_holes, 1);
    if (client.got < TALK_MAX)
        assert_true(net->ends[0].lent > 0); /* its buffer is full */
    talker_close(&client);
    vow_loop_advance(net->loop, 3600000);
    assert_false(net->ends[0].has_closed);
    talker_close(&net->ends[0]);
    net_free(net);
}

static void refused_and_hung_attempts_do_not_open(void **state)
{
    struct net   *net = net_new(13);
    struct talker refused = talker_like(0);
    struct talker hung = talker_like(0);

    (void)state;
    vow_network_set_faults(net->network, &(vow_network_faults){ .refused = 1000 });
    talker_connect(net, &refused);
    vow_network_set_faults(net->network, &(vow_network_faults){ .hung = 1000 });
    talker_connect(net, &hung);
    vow_loop_advance(net->loop, 3600000);
    assert_string_equal(refused.why,
                        "UNAVAILABLE: tcp://127.0.0.1:7000: connection refused (is the server running?)");
    assert_false(hung.was_opened || hung.has_closed);
    assert_int_equal(vow_network_count(net->network).refused, 1);
    assert_int_equal(vow_network_count(net->network).hung, 1);
    assert_int_equal(vow_network_count(net->network).attempts, 2);
    assert_int_equal(vow_network_count(net->network).connections, 0);
    talker_close(&hung);
    net_free(net);
}

static void a_stall_passes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct net   *net = net_new(seed);
        struct talker client = talker_like(TALK_MAX);

        vow_network_set_faults(net->network, &(vow_network_faults){ .stall = 1000 });
        talker_connect(net, &client);
        vow_loop_advance(net->loop, 30000);
        assert_int_equal(net->ends[0].got, TALK_MAX);
        assert_int_equal(vow_network_count(net->network).stalls, 1);
        talker_close(&client);
        vow_loop_advance(net->loop, 3000);
        net_free(net);
    }
}

static void slow_and_one_byte_links_deliver_all(void **state)
{
    struct net   *net = net_new(14);
    struct talker client = talker_like(50000);

    (void)state;
    vow_network_set_faults(net->network, &(vow_network_faults){ .slow = 1000, .one_byte = 1000 });
    talker_connect(net, &client);
    vow_loop_advance(net->loop, 1000);
    assert_in_range(net->ends[0].got, 10000, 20000);
    vow_loop_advance(net->loop, 4000);
    assert_int_equal(net->ends[0].got, 50000);
    assert_int_equal(net->ends[0].reads, 50000);
    assert_int_equal(vow_network_count(net->network).slow, 1);
    assert_int_equal(vow_network_count(net->network).one_byte, 1);
    assert_int_equal(vow_network_count(net->network).segments, 50000);
    assert_int_equal(vow_network_count(net->network).bytes, 50000);
    talker_close(&client);
    vow_loop_advance(net->loop, 100);
    net_free(net);
}

static void a_test_may_reset_all_connections(void **state)
{
    struct net   *net = net_new(15);
    struct talker client;
    struct talker trying = talker_like(0);

    (void)state;
    net_open(net, &client);
    talker_connect(net, &trying);
    vow_network_reset(net->network);
    assert_false(client.has_closed); /* it is told later, from the loop */
    vow_loop_advance(net->loop, 1);
    assert_int_equal(client.code, VOW_UNAVAILABLE);
    assert_int_equal(net->ends[0].code, VOW_UNAVAILABLE);
    assert_int_equal(trying.code, VOW_UNAVAILABLE);
    net_free(net);
}

static void what_a_cut_network_kept_back_arrives_when_it_heals(void **state)
{
    struct net   *net = net_new(16);
    struct talker client;
    struct talker trying = talker_like(0);

    (void)state;
    net_open(net, &client);
    vow_network_cut(net->network);
    client.to_send = 300000;
    talker_send(&client);
    talker_connect(net, &trying);
    vow_loop_advance(net->loop, 60000);
    assert_int_equal(net->ends[0].got, 0);
    assert_true(client.lent > 0);
    assert_false(trying.was_opened || trying.has_closed);
    vow_network_heal(net->network);
    vow_loop_advance(net->loop, 1000);
    assert_int_equal(net->ends[0].got, 300000);
    assert_true(trying.was_opened);
    talker_close(&client);
    talker_close(&trying);
    vow_loop_advance(net->loop, 1000);
    net_free(net);
}

static void a_network_that_refuses_keeps_open_connections(void **state)
{
    struct net   *net = net_new(17);
    struct talker client;
    struct talker trying = talker_like(0);

    (void)state;
    net_open(net, &client);
    vow_network_refuse(net->network);
    talker_connect(net, &trying);
    client.to_send = 10;
    talker_send(&client);
    vow_loop_advance(net->loop, 100);
    assert_int_equal(net->ends[0].got, 10);
    assert_int_equal(trying.code, VOW_UNAVAILABLE);
    vow_network_heal(net->network);
    trying = talker_like(0);
    talker_connect(net, &trying);
    vow_loop_advance(net->loop, 100);
    assert_true(trying.was_opened);
    talker_close(&client);
    talker_close(&trying);
    vow_loop_advance(net->loop, 100);
    net_free(net);
}

static void without_memory_only_that_connection_ends(void **state)
{
    size_t nth;

    (void)state;
    for (nth = 0;; nth++) {
        struct net   *net;
        struct talker client;
        bool   failed;

        failing_install(SIZE_MAX, false);
        net = net_new(18);
        net_open(net, &client);
        failing_install(nth, false);
        client.to_send = 100000;
        talker_send(&client);
        vow_loop_advance(net->loop, 1000);
        failed = failing_has_failed();
        failing_stop();
        if (failed) {
            assert_int_equal(client.code, VOW_RESOURCE_EXHAUSTED);
            assert_true(net->ends[0].has_closed);
        } else {
            assert_int_equal(net->ends[0].got, 100000);
            talker_close(&client);
        }
        vow_loop_advance(net->loop, 1000);
        net_free(net);
        failing_remove();
        if (!failed)
            break;
    }
    assert_true(nth > 0);
}

/* --- One seed, one run ------------------------------------------------------------------------------------------ */

static void count_done(vow_future *settled, void *arg)
{
    (void)settled;
    ++*(unsigned *)arg;
}

/* Twenty connections under all faults at once. */
static uint64_t storm_trace(uint64_t seed, vow_network_counts *counts)
{
    static const vow_network_faults faults = { .refused = 100, .hung = 100, .reset = 200, .black_hole = 100,
                                               .stall = 200, .slow = 100, .one_byte = 100 };
    struct net     *net = net_new(seed);
    struct talker  *clients = calloc(20, sizeof *clients);
    uint64_t trace;

    vow_network_set_faults(net->network, &faults);
    net->like.to_send = 50000;
    for (size_t i = 0; i < 20; i++) {
        clients[i] = talker_like(50000);
        talker_connect_to(net, &clients[i], i % 2 ? "tcp://localhost:7000" : "tcp://127.0.0.1:7000");
        vow_loop_advance(net->loop, 3);
    }
    vow_loop_advance(net->loop, 30000);
    trace = vow_network_trace(net->network);
    *counts = vow_network_count(net->network);
    for (size_t i = 0; i < 20; i++) {
        if (clients[i].stream)
            talker_close(&clients[i]);
    }
    for (size_t i = 0; i < net->accepted; i++) {
        if (net->ends[i].stream)
            talker_close(&net->ends[i]);
    }
    net_free(net);
    free(clients);
    return trace;
}

static void the_same_seed_gives_the_same_run_and_another_seed_another(void **state)
{
    vow_network_counts first;
    vow_network_counts again;
    uint64_t           trace = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t before = trace;

        trace = storm_trace(seed, &first);
        assert_int_equal(trace, storm_trace(seed, &again));
        assert_memory_equal(&first, &again, sizeof first);
        assert_int_not_equal(trace, before);
        assert_int_equal(first.attempts, 20);
    }
}

static void faults_leave_the_loops_own_chance_alone(void **state)
{
    uint64_t next[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct net   *net = net_new(21);
        struct talker client = talker_like(50000);

        if (i)
            vow_network_set_faults(net->network, &(vow_network_faults){ .reset = 1000, .stall = 1000 });
        talker_connect(net, &client);
        vow_loop_advance(net->loop, 1000);
        next[i] = vow_random_next(&vow_scheduler_of(net->loop)->random);
        if (client.stream)
            talker_close(&client);
        vow_loop_advance(net->loop, 20000);
        net_free(net);
    }
    assert_int_equal(next[0], next[1]);
}

/* --- The clock ---------------------------------------------------------------------------------------------------- */

static void a_sleep_takes_simulated_time(void **state)
{
    vow_loop   *loop = vow_loop_simulated(1);
    uint64_t    began = vow_loop_now_ns(loop);
    vow_future *sleep = vow_sleep(loop, 86400000);

    (void)state;
    vow_loop_advance(loop, 86399999);
    assert_false(vow_future_settled(sleep));
    vow_loop_advance(loop, 1);
    assert_true(vow_future_settled(sleep));
    assert_int_equal(vow_loop_now_ns(loop) - began, 86400000ull * NS_PER_MS);
    vow_drop(sleep);
    vow_loop_close(loop);
}

static void waiting_jumps_to_what_is_due(void **state)
{
    vow_loop   *loop = vow_loop_simulated(1);
    uint64_t    began = vow_loop_now_ns(loop);
    vow_future *sleep = vow_sleep(loop, 1000);

    (void)state;
    assert_int_equal(vow_wait(sleep), VOW_OK);
    assert_int_equal(vow_loop_now_ns(loop) - began, 1000ull * NS_PER_MS);
    vow_drop(sleep);
    vow_loop_close(loop);
}

static void waiting_for_what_nothing_will_settle_fails(void **state)
{
    vow_loop    *loop = vow_loop_simulated(1);
    vow_promise *promise;
    vow_future  *future = vow_promise_new(loop, &promise);

    (void)state;
    assert_int_equal(vow_wait(future), VOW_FAILED_PRECONDITION);
    vow_drop(future);
    vow_reject(promise, VOW_CANCELLED, "nobody waits");
    vow_loop_close(loop);
}

static void advancing_by_nothing_runs_what_is_ready(void **state)
{
    vow_loop *loop = vow_loop_simulated(1);
    unsigned  done = 0;
    uint64_t  began = vow_loop_now_ns(loop);

    (void)state;
    vow_done(vow_value(loop, NULL, NULL), count_done, &done);
    vow_done(vow_sleep(loop, 0), count_done, &done);
    assert_int_equal(done, 0);
    vow_loop_advance(loop, 0);
    assert_int_equal(done, 2);
    assert_int_equal(vow_loop_now_ns(loop), began);
    vow_loop_close(loop);
}

static vow_future *sleep_again(vow_future *settled, void *arg)
{
    unsigned *rounds = arg;

    ++*rounds;
    return vow_then(vow_sleep(vow_future_loop(settled), 0), sleep_again, arg);
}

static vow_future *go_on(vow_future *settled, void *arg)
{
    ++*(unsigned *)arg;
    return vow_then(vow_value(vow_future_loop(settled), NULL, NULL), go_on, arg);
}

static void a_chain_that_feeds_itself_does_not_stop_the_clock(void **state)
{
    vow_loop   *loop = vow_loop_simulated(1);
    unsigned    rounds = 0;
    unsigned    sleeps = 0;
    vow_future *chain = vow_then(vow_value(loop, NULL, NULL), go_on, &rounds);
    vow_future *naps = vow_then(vow_sleep(loop, 0), sleep_again, &sleeps);

    (void)state;
    vow_loop_advance(loop, 2);
    assert_true(rounds > 1000);
    assert_true(sleeps > 1);
    vow_drop(chain);
    vow_drop(naps);
    vow_loop_close(loop);
}

/* --- Posts and jobs -------------------------------------------------------------------------------------------------- */

struct order {
    vow_loop *loop;
    unsigned  count;
    unsigned  numbers[100];
    unsigned  running;
    unsigned  most_running;
};

struct numbered {
    struct order   *order;
    unsigned number;
};

static void posted_run(void *arg)
{
    struct numbered *numbered = arg;

    numbered->order->numbers[numbered->order->count++] = numbered->number;
}

static void posts_keep_their_order_and_take_time(void **state)
{
    vow_loop *loop = vow_loop_simulated(2);
    struct order     order = { .loop = loop };
    struct numbered  posts[100];

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        posts[i] = (struct numbered){ &order, i };
        assert_int_equal(vow_loop_post(loop, posted_run, &posts[i]), VOW_OK);
    }
    assert_int_equal(order.count, 0);
    vow_loop_advance(loop, 1);
    assert_int_equal(order.count, 100);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(order.numbers[i], i);
    vow_loop_close(loop);
}

static vow_code job_run(void *job, vow_error *error)
{
    struct numbered *numbered = job;

    if (numbered->number == 99)
        return vow_error_set(error, VOW_NOT_FOUND, "no job 99");
    posted_run(job);
    return VOW_OK;
}

static void job_released(void *job)
{
    ((struct numbered *)job)->order->running++;
}

static void jobs_take_time_four_at_once(void **state)
{
    vow_loop   *loop = vow_loop_simulated(3);
    struct order       order = { .loop = loop };
    struct numbered    jobs[100];
    vow_future *works[100];
    uint64_t    began = vow_loop_now_ns(loop);
    vow_future *all;

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        jobs[i] = (struct numbered){ &order, i };
        works[i] = vow_work(loop, job_run, &jobs[i], job_released);
    }
    vow_drop(works[50]); /* has not begun */
    works[50] = vow_value(loop, NULL, NULL);
    all = vow_all(loop, 100, works);
    assert_int_equal(vow_wait(all), VOW_NOT_FOUND);
    assert_string_equal(vow_future_error(all), "NOT_FOUND: no job 99");
    assert_true(order.count > 90 && order.count < 99);
    assert_in_range(vow_loop_now_ns(loop) - began, 10 * NS_PER_MS, 50 * NS_PER_MS);
    vow_drop(all);
    vow_loop_advance(loop, 10);
    assert_int_equal(order.running, 100);
    vow_loop_close(loop);
}

/* --- Closing the loop --------------------------------------------------------------------------------------------------- */

static void a_loop_that_closes_runs_what_is_left(void **state)
{
    vow_loop *loop = vow_loop_simulated(4);
    struct order     order = { .loop = loop };
    struct numbered  post = { &order, 1 };
    unsigned  done = 0;

    (void)state;
    assert_int_equal(vow_loop_post(loop, posted_run, &post), VOW_OK);
    vow_done(vow_sleep(loop, 1000), count_done, &done);
    vow_loop_close(loop);
    assert_int_equal(order.count, 1);
    assert_int_equal(done, 1);
}

static void handles_outlive_the_loops_close(void **state)
{
    vow_loop    *loop = vow_loop_simulated(5);
    vow_promise *promise;
    vow_future  *sleep = vow_sleep(loop, 1000);
    vow_future  *kept = vow_promise_new(loop, &promise);
    vow_future  *both = vow_all_settled(loop, VOW_FUTURES(vow_future_ref(sleep), vow_future_ref(kept)));

    (void)state;
    vow_loop_close(loop);
    assert_int_equal(vow_future_code(sleep), VOW_CANCELLED);
    vow_drop(sleep);
    vow_drop(both);
    vow_drop(kept);
    vow_resolve(promise, NULL, NULL); /* the last: frees the loop */
}

static void close_loop(vow_future *settled, void *arg)
{
    (void)settled;
    vow_loop_close(arg);
}

static void a_loop_may_be_closed_in_a_callback(void **state)
{
    vow_loop *loop = vow_loop_simulated(6);
    unsigned  done = 0;

    (void)state;
    vow_done(vow_sleep(loop, 10), close_loop, loop);
    vow_done(vow_sleep(loop, 1000), count_done, &done);
    vow_loop_advance(loop, 20);
    assert_int_equal(done, 1);
}

static void a_loop_closes_over_open_streams(void **state)
{
    struct net   *net = net_new(22);
    struct talker client;

    (void)state;
    net_open(net, &client);
    client.to_send = 300000;
    talker_send(&client);
    vow_network_cut(net->network);
    net_free(net);
    assert_false(client.has_closed);
}

static int group_setup(void **state)
{
    (void)state;
    pattern_fill();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_arrive_whole_and_in_order_both_ways),
        cmocka_unit_test(every_scheme_leads_over_the_simulated_network),
        cmocka_unit_test(an_end_knows_its_peer),
        cmocka_unit_test(latency_is_kept),
        cmocka_unit_test(a_link_carries_no_more_than_its_bandwidth),
        cmocka_unit_test(a_reader_that_pauses_makes_the_writer_wait),
        cmocka_unit_test(finish_delivers_everything_while_the_peer_is_still_sending),
        cmocka_unit_test(what_was_taken_before_a_close_arrives),
        cmocka_unit_test(writing_to_a_peer_that_has_closed_is_answered_with_a_reset),
        cmocka_unit_test(closing_over_bytes_that_nobody_read_resets_the_peer),
        cmocka_unit_test(an_end_may_be_closed_in_any_callback),
        cmocka_unit_test(an_attempt_may_be_closed_at_any_moment),
        cmocka_unit_test(a_stream_without_room_closes),
        cmocka_unit_test(a_connection_to_nobody_is_refused),
        cmocka_unit_test(a_name_is_resolved_unless_it_is_invalid),
        cmocka_unit_test(a_malformed_target_is_refused_on_the_spot),
        cmocka_unit_test(an_address_is_listened_on_once),
        cmocka_unit_test(port_0_is_chosen_by_the_system),
        cmocka_unit_test(a_listener_that_closes_resets_what_it_has_not_accepted),
        cmocka_unit_test(a_reset_tells_both_ends),
        cmocka_unit_test(a_black_hole_tells_nobody),
        cmocka_unit_test(refused_and_hung_attempts_do_not_open),
        cmocka_unit_test(a_stall_passes),
        cmocka_unit_test(slow_and_one_byte_links_deliver_all),
        cmocka_unit_test(a_test_may_reset_all_connections),
        cmocka_unit_test(what_a_cut_network_kept_back_arrives_when_it_heals),
        cmocka_unit_test(a_network_that_refuses_keeps_open_connections),
        cmocka_unit_test(without_memory_only_that_connection_ends),
        cmocka_unit_test(the_same_seed_gives_the_same_run_and_another_seed_another),
        cmocka_unit_test(faults_leave_the_loops_own_chance_alone),
        cmocka_unit_test(a_sleep_takes_simulated_time),
        cmocka_unit_test(waiting_jumps_to_what_is_due),
        cmocka_unit_test(waiting_for_what_nothing_will_settle_fails),
        cmocka_unit_test(advancing_by_nothing_runs_what_is_ready),
        cmocka_unit_test(a_chain_that_feeds_itself_does_not_stop_the_clock),
        cmocka_unit_test(posts_keep_their_order_and_take_time),
        cmocka_unit_test(jobs_take_time_four_at_once),
        cmocka_unit_test(a_loop_that_closes_runs_what_is_left),
        cmocka_unit_test(handles_outlive_the_loops_close),
        cmocka_unit_test(a_loop_may_be_closed_in_a_callback),
        cmocka_unit_test(a_loop_closes_over_open_streams),
    };

    return cmocka_run_group_tests(tests, group_setup, NULL);
}
