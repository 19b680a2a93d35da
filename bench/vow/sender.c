/*
 * vow's sender: one stream of blocks, sent whenever there is room.
 */
#include "measure/fail.h"
#include "measure/transfer.h"
#include "peer.h"

#include <uv.h>

#define BLOCKS_PER_STAMP 64 /* at most, as the bare sender looks at the clock once a write */

struct sender {
    bench_peer_link      link;
    vow_call            *call;
    Bench__Block         block;
    uint64_t             sent;
    bench_client_options options;
    bench_transfer       transfer;
};

static vow_future *sender_send(vow_call *call, void *arg)
{
    struct sender *sender = arg;

    while (bench_transfer_goes_on(&sender->transfer, uv_hrtime())) {
        for (int i = 0; i < BLOCKS_PER_STAMP; i++) {
            sender->sent++;
            if (!bench_streams_collect_send_request(call, &sender->block))
                return NULL;
        }
    }
    vow_call_end(call);
    return NULL;
}

static void sender_begin(struct sender *sender);

static void sender_ended(vow_future *reply, void *arg)
{
    struct sender      *sender = arg;
    const Bench__Count *count = bench_streams_collect_result(reply);

    if (!count)
        bench_fail("the stream failed: %s", vow_future_error(reply));
    vow_call_drop(sender->call);
    if (bench_transfer_ended(&sender->transfer, sender->sent, count->blocks, uv_hrtime()))
        sender_begin(sender);
    else
        bench_peer_close(&sender->link);
}

static void sender_sent(vow_future *end, void *arg)
{
    (void)arg;
    if (vow_future_code(end) != VOW_OK)
        bench_fail("sending failed: %s", vow_future_error(end));
}

static void sender_begin(struct sender *sender)
{
    sender->sent = 0;
    sender->call = bench_streams_collect(sender->link.channel, NULL);
    bench_transfer_begin(&sender->transfer, &sender->options, uv_hrtime());
    vow_done(vow_call_write(sender->call, sender_send, sender), sender_sent, sender);
    vow_done(vow_call_next(sender->call), sender_ended, sender);
}

int main(int argc, char **argv)
{
    static struct sender sender;

    sender.options = bench_client_options_read(argc, argv);
    sender.block = bench_peer_block(sender.options.size);
    sender.link = bench_peer_open(&sender.options);
    sender_begin(&sender);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
