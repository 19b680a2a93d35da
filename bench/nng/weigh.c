/*
 * What a call takes that is never answered, and what a connection takes that is idle.
 *
 * What process and first connections take by themselves is there before the first look, and falls out.
 */
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/process.h"
#include "measure/weight.h"
#include "peer.h"

#include <nng/protocol/reqrep0/req.h>
#include <string.h>
#include <unistd.h>

#define FIRST_ONES 1000 /* and from then on, so many at a time */
#define SPARE_FILES 100 /* beside the connections */

/* The answer to an empty message: what was sent before it has arrived. */
static void wait_for_arrival(nng_ctx context, nng_aio *aio)
{
    nng_msg *message;

    bench_nng_must(nng_msg_alloc(&message, 0), "make a message");
    nng_aio_set_msg(aio, message);
    nng_ctx_send(context, aio);
    nng_aio_wait(aio);
    bench_nng_must(nng_aio_result(aio), "send");
    nng_ctx_recv(context, aio);
    nng_aio_wait(aio);
    bench_nng_must(nng_aio_result(aio), "receive an answer");
    nng_msg_free(nng_aio_get_msg(aio));
}

/* One that waits for its answer, as a caller would; its context and what it waits with stay. */
static void call(nng_socket requester, size_t size)
{
    nng_msg *message;
    nng_ctx  context;
    nng_aio *aio;

    bench_nng_must(nng_ctx_open(&context, requester), "open a context");
    bench_nng_must(nng_aio_alloc(&aio, NULL, NULL), "prepare for a call");
    bench_nng_must(nng_msg_alloc(&message, size), "make a message");
    memset(nng_msg_body(message), 'x', size);
    nng_aio_set_msg(aio, message);
    nng_ctx_send(context, aio);
    nng_aio_wait(aio);
    bench_nng_must(nng_aio_result(aio), "send");
    nng_ctx_recv(context, aio);
}

static void weigh(nng_socket requester, nng_ctx asking, const bench_client_options *options)
{
    size_t       count = options->outstanding > 0 ? options->outstanding : options->connections;
    bool         of_calls = options->outstanding > 0;
    bench_weight before = { 0 };
    nng_aio     *aio;

    if (count <= FIRST_ONES)
        bench_fail_usage("more than the %d that come before the first look are to be weighed", FIRST_ONES);
    bench_nng_must(nng_aio_alloc(&aio, NULL, NULL), "prepare for a call");
    if (of_calls)
        bench_nng_dial(requester, options->target);
    for (size_t i = 0; i < count; i++) {
        if (of_calls)
            call(requester, options->size);
        else
            bench_nng_dial(requester, options->target);
        if ((i + 1) % FIRST_ONES == 0 || i + 1 == count)
            wait_for_arrival(asking, aio);
        if (i + 1 == FIRST_ONES)
            before = bench_weight_now(options->server_pid);
    }
    bench_weight_print(&before, options->server_pid, count - FIRST_ONES,
                       of_calls ? BENCH_BYTES_PER_CALL : BENCH_BYTES_PER_CONNECTION);
}

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);
    nng_socket           requester;
    nng_ctx              asking;

    bench_process_raise_files(options.connections + SPARE_FILES);
    bench_nng_must(nng_req0_open(&requester), "open a socket");
    bench_nng_socket_init(requester);
    /* Else what has no answer after a minute is sent again. */
    bench_nng_must(nng_socket_set_ms(requester, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE),
                   "set an option");
    bench_nng_must(nng_ctx_open(&asking, requester), "open a context");
    weigh(requester, asking, &options);
    _exit(0); /* calls and connections go with the process */
}
