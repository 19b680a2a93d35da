/*
 * What a call takes that is never answered, and what a connection takes that is idle.
 */
#include "measure/arguments.h"
#include "measure/weight.h"
#include "peer.h"

#include <nng/protocol/reqrep0/req.h>
#include <string.h>
#include <unistd.h>

#define BATCH 1000

struct client {
    nng_socket  requester;
    nng_ctx     asking;
    nng_aio    *aio; /* of what is asked */
    const char *target;
    size_t      size;
};

static void client_open(struct client *client, const bench_client_options *options)
{
    client->target = options->target;
    client->size = options->size;
    bench_nng_must(nng_req0_open(&client->requester), "open a socket");
    bench_nng_socket_init(client->requester);
    /* Else what has no answer after a minute is sent again. */
    bench_nng_must(nng_socket_set_ms(client->requester, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE),
                   "set an option");
    bench_nng_must(nng_ctx_open(&client->asking, client->requester), "open a context");
    bench_nng_must(nng_aio_alloc(&client->aio, NULL, NULL), "prepare for a call");
}

/* The answer to an empty message: what was sent before it has arrived. */
static void client_wait_for_arrival(struct client *client)
{
    nng_msg *message;

    bench_nng_must(nng_msg_alloc(&message, 0), "make a message");
    nng_aio_set_msg(client->aio, message);
    nng_ctx_send(client->asking, client->aio);
    nng_aio_wait(client->aio);
    bench_nng_must(nng_aio_result(client->aio), "send");
    nng_ctx_recv(client->asking, client->aio);
    nng_aio_wait(client->aio);
    bench_nng_must(nng_aio_result(client->aio), "receive an answer");
    nng_msg_free(nng_aio_get_msg(client->aio));
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

static void client_call(size_t from, size_t to, void *arg)
{
    struct client *client = arg;

    for (size_t i = from; i < to; i++)
        call(client->requester, client->size);
    client_wait_for_arrival(client);
}

static void client_connect(size_t from, size_t to, void *arg)
{
    struct client *client = arg;

    for (size_t i = from; i < to; i++)
        bench_nng_dial(client->requester, client->target);
    client_wait_for_arrival(client);
}

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);
    struct client        client;

    client_open(&client, &options);
    if (options.outstanding > 0) {
        bench_nng_dial(client.requester, options.target);
        bench_weigh(&options, BENCH_BYTES_PER_CALL, BATCH, client_call, &client);
    } else {
        bench_weigh(&options, BENCH_BYTES_PER_CONNECTION, BATCH, client_connect, &client);
    }
    _exit(0); /* calls and connections go with the process */
}
