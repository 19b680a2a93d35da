/*
 * vow's talk: one stream in both directions, at most N blocks sent that have not come back.
 */
#include "measure/clock.h"
#include "measure/fail.h"
#include "measure/load.h"
#include "peer.h"

#include <stdlib.h>
#include <uv.h>

struct talk {
    bench_peer_link link;
    vow_call       *call;
    Bench__Block    block;
    bool            has_room;
    bool            over;

    uint64_t   *start_ns;   /* a ring, of the blocks that have not come back */
    size_t      oldest;     /* its index */
    size_t      unanswered; /* how many there are */
    bench_stamp stamp;

    bench_client_options options;
    bench_load           load;
};

static void talk_send(struct talk *talk);

static void talk_room(vow_future *room, void *arg)
{
    struct talk *talk = arg;

    if (talk->over)
        return;
    if (vow_future_code(room) != VOW_OK)
        bench_fail("sending failed: %s", vow_future_error(room));
    talk->has_room = true;
    talk_send(talk);
}

/* Sends what may be unanswered, while there is room. */
static void talk_send(struct talk *talk)
{
    size_t most = talk->options.outstanding;

    while (talk->has_room && talk->unanswered < most) {
        talk->start_ns[(talk->oldest + talk->unanswered) % most] = bench_stamp_now_ns(&talk->stamp);
        talk->unanswered++;
        talk->has_room = bench_streams_talk_send_request(talk->call, &talk->block);
        if (!talk->has_room)
            vow_done(vow_call_when_room(talk->call), talk_room, talk);
    }
}

static void talk_stop(struct talk *talk)
{
    talk->over = true;
    bench_load_print(&talk->load);
    bench_stamp_stop(&talk->stamp);
    vow_call_drop(talk->call);
    bench_peer_close(&talk->link);
}

static vow_future *talk_heard(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    struct talk *talk = arg;
    size_t       size = bench_block_of(message)->body.len;

    (void)call;
    if (talk->over)
        return NULL;
    if (size != talk->options.size || talk->unanswered == 0)
        bench_fail("%zu bytes came back where %zu were due", size, talk->unanswered ? talk->options.size : 0);
    if (!bench_load_goes_on(&talk->load, bench_stamp_now_ns(&talk->stamp))) {
        talk_stop(talk);
        return NULL;
    }
    bench_load_answered(&talk->load, talk->start_ns[talk->oldest], bench_stamp_now_ns(&talk->stamp));
    talk->oldest = (talk->oldest + 1) % talk->options.outstanding;
    talk->unanswered--;
    talk_send(talk);
    return NULL;
}

static void talk_ended(vow_future *end, void *arg)
{
    const struct talk *talk = arg;

    if (!talk->over)
        bench_fail("the stream ended: %s", vow_future_error(end));
}

int main(int argc, char **argv)
{
    static struct talk talk = { .has_room = true };

    talk.options = bench_client_options_read(argc, argv);
    if (talk.options.connections > 1 || talk.options.rate > 0)
        bench_fail_usage("a talk has one connection, and no --rate");
    talk.start_ns = bench_alloc(talk.options.outstanding, sizeof *talk.start_ns);
    talk.block = bench_peer_block(talk.options.size);
    talk.link = bench_peer_open(&talk.options);
    bench_peer_wait_for_arrival(talk.link.channel); /* connecting is not measured */
    bench_stamp_start(&talk.stamp, SIZE_MAX);

    talk.call = bench_streams_talk(talk.link.channel, NULL);
    vow_done(vow_call_read(talk.call, talk_heard, &talk), talk_ended, &talk);
    bench_load_begin(&talk.load, &talk.options, bench_stamp_now_ns(&talk.stamp));
    talk_send(&talk);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
