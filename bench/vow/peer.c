#include "peer.h"

#include "measure/fail.h"

#include <string.h>
#include <uv.h>

bool bench_peer_has_tls(const char *url)
{
    return strncmp(url, "tls", 3) == 0 || strncmp(url, "grpcs", 5) == 0;
}

vow_channel *bench_peer_channel(vow_loop *loop, const char *target)
{
    vow_tls_options     tls = *VOW_TLS(.ca_file = BENCH_CERTIFICATE, .server_name = "localhost");
    vow_channel_options options = *VOW_CHANNEL(.max_message_size = BENCH_PEER_MESSAGE_MOST);

    if (bench_peer_has_tls(target))
        options.tls = &tls;
    return vow_channel_open(loop, target, &options);
}

bench_peer_link bench_peer_open(const bench_client_options *options)
{
    bench_peer_link link = { .loop = vow_loop_attach(uv_default_loop()) };

    if (!link.loop)
        bench_fail("cannot attach to the loop: out of memory or file descriptors");
    link.channel = bench_peer_channel(link.loop, options->target);
    return link;
}

void bench_peer_close(bench_peer_link *link)
{
    vow_channel_close(link->channel);
    vow_loop_close(link->loop);
}

Bench__Block bench_peer_block(size_t size)
{
    Bench__Block block = BENCH__BLOCK__INIT;

    block.body.data = bench_alloc(size, 1);
    block.body.len = size;
    memset(block.body.data, 'x', size);
    return block;
}

void bench_peer_wait_for_arrival(vow_channel *channel)
{
    Bench__Block empty = BENCH__BLOCK__INIT;
    vow_future  *answer = bench_echo_call(channel, &empty, NULL);

    if (vow_wait(answer) != VOW_OK)
        bench_fail("the server does not answer: %s", vow_future_error(answer));
    vow_drop(answer);
}
