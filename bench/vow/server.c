/*
 * vow's echo, serving: as a program would that knows nothing of benchmarks.
 *
 * Limits are at their defaults, but that of the largest message. A silent server raises those of calls and of
 * memory: it is sent more calls than a server keeps by default, and leaves them unanswered, to let them be
 * weighed.
 *
 *     --listen tcp:// | tls:// | grpc:// | grpcs://127.0.0.1:0, or unix:// | tls+unix:// | ... and a path
 *
 * Each of them serves both protocols; the address that is printed says which one is to be called. It counts
 * the calls of bench.Echo that were answered with OK. It tells the number when it is asked by bench.Counts,
 * and prints it when SIGTERM ends it.
 */
#include "measure/fail.h"
#include "measure/process.h"
#include "peer.h"

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define SILENT_CALLS 10000000
#define SILENT_MEMORY (2u << 30) /* for both sides together this is what a million calls may take */
#define THREADS_MOST 256
#define ADDRESS_SIZE 256

/* What a thread has answered; it alone writes here, so that counting takes no lock on the bus. */
struct tally {
    _Alignas(64) atomic_uint_fast64_t answered;
};

static struct tally tallies[THREADS_MOST];

static void answer(vow_call *call, const Bench__Block *block, void *arg)
{
    struct tally *tally = arg;
    uint_fast64_t answered = atomic_load_explicit(&tally->answered, memory_order_relaxed);

    atomic_store_explicit(&tally->answered, answered + 1, memory_order_relaxed);
    bench_echo_call_reply(call, block);
}

static uint64_t answered_by_all(void)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < THREADS_MOST; i++)
        sum += atomic_load_explicit(&tallies[i].answered, memory_order_relaxed);
    return sum;
}

static void answer_count(vow_call *call, const Bench__Block *question, void *arg)
{
    Bench__Count count = BENCH__COUNT__INIT;

    (void)question;
    (void)arg;
    count.blocks = answered_by_all();
    bench_counts_answered_reply(call, &count);
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

static vow_server *server_open(vow_loop *loop, const bench_server_options *options, struct tally *tally)
{
    static const bench_echo_service    echo = { .call = answer };
    static const bench_echo_service    silence = { .call = answer_empty_only };
    static const bench_streams_service streams = { .collect = collect, .talk = talk, .stall = stall };
    static const bench_counts_service  counts = { .answered = answer_count };
    vow_tls_options tls = *VOW_TLS(.certificate_file = BENCH_CERTIFICATE, .key_file = BENCH_CERTIFICATE_KEY,
                                   .is_required = true);
    vow_server_options limits = *VOW_SERVER(.max_message_size = BENCH_PEER_MESSAGE_MOST);
    vow_server        *server;

    if (options->silent) {
        limits.max_calls = limits.max_calls_per_connection = SILENT_CALLS;
        limits.max_memory = SILENT_MEMORY;
    }
    if (bench_peer_has_tls(options->listen))
        limits.tls = &tls;
    server = vow_server_open(loop, &limits);
    bench_echo_serve(server, options->silent ? &silence : &echo, tally);
    bench_streams_serve(server, &streams, NULL);
    bench_counts_serve(server, &counts, NULL);
    return server;
}

/* A server listens on a transport, and hears what is spoken there: of a protocol's scheme it gets tcp:// or
 * unix://. */
static vow_code server_listen(vow_server *server, const char *listen, vow_error *error)
{
    const char *place = strstr(listen, "://");
    const char *unix_place = strstr(listen, "unix://");
    char        address[ADDRESS_SIZE];

    if (!place || unix_place)
        return vow_server_listen(server, unix_place ? unix_place : listen, error);
    snprintf(address, sizeof address, "tcp%s", place);
    return vow_server_listen(server, address, error);
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
        printf(" max_calls=%d max_calls_per_connection=%d max_memory=%u", SILENT_CALLS, SILENT_CALLS,
               SILENT_MEMORY);
    putchar('\n');
    if (fflush(stdout) != 0)
        bench_fail("cannot tell the address: %m");
}

/* One loop, as a program has that runs its own. */
static void serve_alone(const bench_server_options *options)
{
    vow_loop   *loop = vow_loop_attach(uv_default_loop());
    vow_server *server;
    vow_error   error;

    if (!loop)
        bench_fail("cannot attach to the loop: out of memory or file descriptors");
    server = server_open(loop, options, &tallies[0]);
    if (server_listen(server, options->listen, &error) != VOW_OK)
        bench_fail("%s", error.message);
    print_address(server, options->listen, options->silent);
}

/* What each thread sets up; the last one tells the address, when all listen. */
static vow_code thread_set_up(vow_loop *loop, size_t index, void *arg, vow_error *error)
{
    const bench_server_options *options = arg;
    vow_server                 *server = server_open(loop, options, &tallies[index]);
    vow_code                    code = server_listen(server, options->listen, error);

    if (code == VOW_OK && index + 1 == options->threads)
        print_address(server, options->listen, options->silent);
    return code;
}

static void serve_on_threads(bench_server_options *options)
{
    vow_error error;

    if (options->threads > THREADS_MOST)
        bench_fail_usage("--threads must be at most %d", THREADS_MOST);
    if (!vow_threads_start(options->threads, thread_set_up, options, &error))
        bench_fail("%s", error.message);
}

static void stop(uv_signal_t *signal, int number)
{
    (void)signal;
    (void)number;
    printf("answered=%" PRIu64 "\n", answered_by_all());
    fflush(stdout);
    _exit(0); /* the calls of a silent server are never answered, so that nothing would end in good order */
}

int main(int argc, char **argv)
{
    bench_server_options options = bench_server_options_read(argc, argv);
    uv_signal_t          signal;

    bench_process_raise_files(0);
    bench_must(uv_signal_init(uv_default_loop(), &signal), "make a handle");
    bench_must(uv_signal_start(&signal, stop, SIGTERM), "wait for SIGTERM");
    if (options.threads > 1)
        serve_on_threads(&options);
    else
        serve_alone(&options);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
