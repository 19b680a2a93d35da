/*
 * ZeroMQ's echo, serving: a router that sends each message back to where it came from.
 *
 * With more than one thread, as in the Guide's multithreaded server: a router and, behind a proxy, as many
 * workers. ZeroMQ's own thread, which reads and writes, comes on top in both cases. A silent server keeps
 * what it gets.
 */
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/process.h"
#include "peer.h"

#include <pthread.h>
#include <stdbool.h>

#define WORKERS_ADDRESS "inproc://workers"

static void *context;
static bool  is_silent;

/* A request that is not answered. */
struct kept {
    struct kept *next;
    zmq_msg_t    caller;
    zmq_msg_t    body;
};

static void keep(zmq_msg_t *caller, zmq_msg_t *body)
{
    static struct kept *all;
    struct kept        *kept = bench_alloc(1, sizeof *kept);

    bench_zeromq_must(zmq_msg_init(&kept->caller), "make a message");
    bench_zeromq_must(zmq_msg_init(&kept->body), "make a message");
    bench_zeromq_must(zmq_msg_move(&kept->caller, caller), "keep a message");
    bench_zeromq_must(zmq_msg_move(&kept->body, body), "keep a message");
    kept->next = all;
    all = kept;
}

static void serve(void *socket)
{
    zmq_msg_t caller, body;

    for (;;) {
        bench_zeromq_receive(socket, &caller);
        if (bench_zeromq_receive(socket, &body) > 0 && is_silent) {
            keep(&caller, &body);
            continue;
        }
        bench_zeromq_must(zmq_msg_send(&caller, socket, ZMQ_SNDMORE), "answer");
        bench_zeromq_must(zmq_msg_send(&body, socket, 0), "answer");
    }
}

static void *worker_run(void *arg)
{
    void *socket = bench_zeromq_unlimited(context, ZMQ_DEALER);

    (void)arg;
    bench_zeromq_connect(socket, WORKERS_ADDRESS);
    serve(socket);
    return NULL;
}

static void serve_with_workers(void *router, size_t threads)
{
    void     *workers = bench_zeromq_unlimited(context, ZMQ_DEALER);
    pthread_t thread;

    bench_zeromq_must(zmq_bind(workers, WORKERS_ADDRESS), "listen to workers");
    for (size_t i = 0; i < threads; i++) {
        if (pthread_create(&thread, NULL, worker_run, NULL) != 0)
            bench_fail("cannot start a thread");
    }
    zmq_proxy(router, workers, NULL);
}

int main(int argc, char **argv)
{
    bench_server_options options = bench_server_options_read(argc, argv);
    void                *router;

    bench_process_raise_files(0);
    is_silent = options.silent;
    context = zmq_ctx_new();
    router = bench_zeromq_unlimited(context, ZMQ_ROUTER);
    bench_zeromq_bind(router, options.listen, "sndhwm=none rcvhwm=none");
    if (options.threads > 1)
        serve_with_workers(router, options.threads);
    else
        serve(router);
    return 1;
}
