/*
 * nng's echo, serving: a replier with as many contexts as nng's own example of a server has, 128.
 *
 * nng brings its threads, two for each core, and calls back on them: so many requests are served at once, and
 * --threads does not choose how many. A context that leaves its request unanswered is used up; a silent
 * server has another one take its place.
 */
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/process.h"
#include "peer.h"

#include <nng/protocol/reqrep0/rep.h>
#include <stdbool.h>
#include <unistd.h>

#define CONTEXTS 128

static nng_socket replier;
static bool       is_silent;

/* A context of the replier, and the request that it has. */
struct exchange {
    nng_ctx  context;
    nng_aio *aio;
    bool     is_answering;
};

static void exchange_on(void *arg);

static void exchange_start(void)
{
    struct exchange *exchange = bench_alloc(1, sizeof *exchange);

    bench_nng_must(nng_ctx_open(&exchange->context, replier), "open a context");
    bench_nng_must(nng_aio_alloc(&exchange->aio, exchange_on, exchange), "prepare for a request");
    nng_ctx_recv(exchange->context, exchange->aio);
}

static void exchange_answer(struct exchange *exchange)
{
    if (is_silent && nng_msg_len(nng_aio_get_msg(exchange->aio)) > 0) {
        exchange_start(); /* in place of this one, which keeps the request */
        return;
    }
    exchange->is_answering = true;
    nng_ctx_send(exchange->context, exchange->aio); /* the request's own message */
}

static void exchange_on(void *arg)
{
    struct exchange *exchange = arg;

    bench_nng_must(nng_aio_result(exchange->aio), exchange->is_answering ? "answer" : "receive a request");
    if (exchange->is_answering) {
        exchange->is_answering = false;
        nng_ctx_recv(exchange->context, exchange->aio);
    } else {
        exchange_answer(exchange);
    }
}

int main(int argc, char **argv)
{
    bench_server_options options = bench_server_options_read(argc, argv);

    bench_process_raise_files(0);
    is_silent = options.silent;
    bench_nng_must(nng_rep0_open(&replier), "open a socket");
    bench_nng_socket_init(replier);
    for (int i = 0; i < CONTEXTS; i++)
        exchange_start();
    bench_nng_listen(replier, options.listen);
    for (;;)
        pause();
}
