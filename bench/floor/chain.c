/*
 * The bare chain: several frames, each sent when the one before has come back, count as one call.
 */
#include "measure/chain.h"
#include "exchange.h"
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/load.h"

#include <signal.h>
#include <stdlib.h>

struct chain {
    bench_exchange       exchange;
    unsigned             answers; /* of the call that is under way */
    uint64_t             start_ns;
    bench_client_options options;
    bench_load           load;
};

static void chain_on_answer(bench_exchange *exchange)
{
    struct chain *chain = exchange->owner;
    uint64_t      now_ns;

    if (++chain->answers < BENCH_CHAIN_CALLS) {
        bench_exchange_again(exchange);
        return;
    }
    now_ns = uv_hrtime();
    if (!bench_load_goes_on(&chain->load, now_ns)) {
        bench_load_print(&chain->load);
        exit(0);
    }
    bench_load_answered(&chain->load, chain->start_ns, now_ns);
    chain->answers = 0;
    chain->start_ns = now_ns;
    bench_exchange_again(exchange);
}

/* The first one comes back while connecting has just ended: with it the load begins. */
static void chain_begin(bench_exchange *exchange)
{
    struct chain *chain = exchange->owner;

    exchange->exchanged = chain_on_answer;
    chain->start_ns = uv_hrtime();
    bench_load_begin(&chain->load, &chain->options, chain->start_ns);
    bench_exchange_again(exchange);
}

int main(int argc, char **argv)
{
    static struct chain chain;

    chain.options = bench_client_options_read(argc, argv);
    if (chain.options.outstanding != 1 || chain.options.rate > 0)
        bench_fail_usage("the bare chain is one at a time: --outstanding 1, and no --rate");
    signal(SIGPIPE, SIG_IGN); /* libuv writes without MSG_NOSIGNAL */
    bench_exchange_open(&chain.exchange, chain.options.target, chain.options.size, chain_begin, &chain);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
