/*
 * vow's small calls, one outstanding: first alone, then beside a stream of 4 MiB messages on the same
 * connection.
 */
#include "measure/fail.h"
#include "measure/load.h"
#include "measure/results.h"
#include "peer.h"

#include <stdlib.h>
#include <uv.h>

/* A message of 4 MiB, the most that a server takes by default, with what protobuf puts around it. */
#define BULK_SIZE (((size_t)4 << 20) - 16)

struct client {
    bench_peer_link      link;
    Bench__Block         request;
    uint64_t             sent_ns;
    bench_client_options options;
    bench_load           load;
    bench_results        alone; /* once that is measured */
    vow_call            *bulk;  /* and the stream that then runs beside */
    Bench__Block         bulk_block;
    uint64_t             bulk_blocks; /* while measuring */
};

static vow_future *bulk_send(vow_call *call, void *arg)
{
    struct client *client = arg;

    do
        client->bulk_blocks += client->load.began_ns != 0;
    while (bench_streams_collect_send_request(call, &client->bulk_block));
    return NULL;
}

static void bulk_over(vow_future *end, void *arg)
{
    (void)arg;
    bench_fail("the stream ended: %s", vow_future_error(end));
}

static void client_finish(struct client *client)
{
    bench_results results = bench_load_results(&client->load);
    double        seconds = (double)(client->load.ended_ns - client->load.began_ns) / 1e9;

    results.figures[BENCH_MB_PER_S] = (double)client->bulk_blocks * (double)BULK_SIZE / seconds / 1e6;
    results.figures[BENCH_ALONE_P50_US] = client->alone.figures[BENCH_P50_US];
    results.figures[BENCH_ALONE_P99_US] = client->alone.figures[BENCH_P99_US];
    bench_results_print(&results);
    exit(0); /* what is on its way is not waited for */
}

static void client_call(struct client *client);

/* Alone, then beside. */
static void client_turn(struct client *client)
{
    if (client->bulk)
        client_finish(client);
    client->alone = bench_load_results(&client->load);
    client->bulk = bench_streams_collect(client->link.channel, NULL);
    client->bulk_block = bench_peer_block(BULK_SIZE);
    vow_done(vow_call_write(client->bulk, bulk_send, client), bulk_over, client);
    bench_load_begin(&client->load, &client->options, uv_hrtime());
    client_call(client);
}

static void client_answered(vow_future *reply, void *arg)
{
    struct client      *client = arg;
    const Bench__Block *block = bench_echo_call_result(reply);
    uint64_t            now_ns = uv_hrtime();

    if (!block || block->body.len != client->options.size)
        bench_fail("a call failed: %s", vow_future_error(reply));
    if (!bench_load_goes_on(&client->load, now_ns)) {
        client_turn(client);
        return;
    }
    bench_load_answered(&client->load, client->sent_ns, now_ns);
    client_call(client);
}

static void client_call(struct client *client)
{
    client->sent_ns = uv_hrtime();
    vow_done(bench_echo_call(client->link.channel, &client->request, NULL), client_answered, client);
}

int main(int argc, char **argv)
{
    static struct client client;

    client.options = bench_client_options_read(argc, argv);
    client.request = bench_peer_block(client.options.size);
    client.link = bench_peer_open(&client.options);
    bench_load_begin(&client.load, &client.options, uv_hrtime());
    client_call(&client);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
