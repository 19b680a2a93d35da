/*
 * vow's echo, serving: as a program would that knows nothing of benchmarks.
 *
 * Limits are at their defaults, but that of the largest message. A silent server raises two more, both of
 * them counts: it is sent more calls than a server keeps by default, and leaves them unanswered, to let them
 * be weighed.
 */
#include "measure/fail.h"
#include "peer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define SILENT_CALLS 10000000

static void answer(vow_call *call, const Bench__Block *block, void *arg)
{
    (void)arg;
    bench_echo_call_reply(call, block);
}

/* The empty block is the caller's question whether all before it have arrived: frames keep their order. */
static void answer_empty_only(vow_call *call, const Bench__Block *block, void *arg)
{
    (void)arg;
    if (block->body.len == 0)
        bench_echo_call_reply(call, block);
}

/* A stream that is collected. */
struct collection {
    vow_call *call;
    uint64_t  blocks;
};

static vow_future *collect_one(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    struct collection *collection = arg;

    (void)call;
    collection->blocks += bench_block_of(message)->body.len > 0;
    return NULL;
}

static void collected(vow_future *end, void *arg)
{
    struct collection *collection = arg;
    Bench__Count       count = BENCH__COUNT__INIT;

    count.blocks = collection->blocks;
    if (vow_future_code(end) == VOW_OK)
        bench_streams_collect_reply(collection->call, &count);
    else
        vow_call_fail(collection->call, vow_future_code(end), "%s", vow_future_error(end));
}

static void collect(vow_call *call, void *arg)
{
    struct collection *collection = vow_call_alloc(call, sizeof *collection);

    (void)arg;
    if (!collection)
        return;
    collection->call = call;
    vow_done(vow_call_read(call, collect_one, collection), collected, collection);
}

static vow_future *talk_back(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    (void)arg;
    bench_streams_talk_send_reply(call, bench_block_of(message));
    return NULL;
}

static void talked(vow_future *end, void *arg)
{
    (void)end;
    vow_call_end(arg);
}

static void talk(vow_call *call, void *arg)
{
    (void)arg;
    vow_done(vow_call_read(call, talk_back, NULL), talked, call);
}

static void stall(vow_call *call, void *arg)
{
    (void)call;
    (void)arg;
}

static vow_server *server_open(vow_loop *loop, bool silent)
{
    static const bench_echo_service    echo = { .call = answer };
    static const bench_echo_service    silence = { .call = answer_empty_only };
    static const bench_streams_service streams = { .collect = collect, .talk = talk, .stall = stall };
    vow_server                        *server;

    if (silent)
        server = vow_server_open(loop, VOW_SERVER(.max_message_size = BENCH_PEER_MESSAGE_MOST,
                                                  .max_calls = SILENT_CALLS,
                                                  .max_calls_per_connection = SILENT_CALLS));
    else
        server = vow_server_open(loop, VOW_SERVER(.max_message_size = BENCH_PEER_MESSAGE_MOST));
    bench_echo_serve(server, silent ? &silence : &echo, NULL);
    bench_streams_serve(server, &streams, NULL);
    return server;
}

/* "tcp://127.0.0.1:0" becomes "tcp://127.0.0.1:40123"; an address that has no port stays. */
static void print_address(const vow_server *server, const char *listen, bool silent)
{
    int port = vow_server_port(server);

    if (port)
        printf("%.*s:%d", (int)(strrchr(listen, ':') - listen), listen, port);
    else
        fputs(listen, stdout);
    if (silent)
        printf(" max_calls=%d max_calls_per_connection=%d", SILENT_CALLS, SILENT_CALLS);
    putchar('\n');
    if (fflush(stdout) != 0)
        bench_fail("cannot tell the address: %m");
}

/* One loop, as a program has that runs its own. */
static int serve_alone(const bench_server_options *options)
{
    vow_loop   *loop = vow_loop_attach(uv_default_loop());
    vow_server *server;
    vow_error   error;

    if (!loop)
        bench_fail("cannot attach to the loop: out of memory or file descriptors");
    server = server_open(loop, options->silent);
    if (vow_server_listen(server, options->listen, &error) != VOW_OK)
        bench_fail("%s", error.message);
    print_address(server, options->listen, options->silent);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

/* What each thread sets up; the last one tells the address, when all listen. */
static vow_code thread_set_up(vow_loop *loop, size_t index, void *arg, vow_error *error)
{
    const bench_server_options *options = arg;
    vow_server                 *server = server_open(loop, options->silent);
    vow_code                    code = vow_server_listen(server, options->listen, error);

    if (code == VOW_OK && index + 1 == options->threads)
        print_address(server, options->listen, options->silent);
    return code;
}

static int serve_on_threads(bench_server_options *options)
{
    vow_error error;

    if (!vow_threads_start(options->threads, thread_set_up, options, &error))
        bench_fail("%s", error.message);
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    bench_server_options options = bench_server_options_read(argc, argv);

    return options.threads > 1 ? serve_on_threads(&options) : serve_alone(&options);
}
