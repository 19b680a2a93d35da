/*
 * What a call takes that is never answered, and what a connection takes that is idle.
 *
 * ZeroMQ knows messages and no calls: it keeps nothing for one that has left. What its caller would have to
 * keep to find the answer's owner is not weighed, since it is not ZeroMQ's.
 *
 * Many connections to one address need a router on this side too, which calls them by names of its own.
 */
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/process.h"
#include "measure/weight.h"
#include "peer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ONES 1000 /* and from then on, so many at a time */
#define SPARE_FILES 100 /* beside the connections */

static void send_block(void *socket, size_t size)
{
    zmq_msg_t message;

    bench_zeromq_must(zmq_msg_init_size(&message, size), "make a message");
    memset(zmq_msg_data(&message), 'x', size);
    bench_zeromq_must(zmq_msg_send(&message, socket, 0), "send");
}

/* The empty message has come back: what was sent before it has arrived. */
static void receive_empty(void *socket)
{
    zmq_msg_t message;

    if (bench_zeromq_receive(socket, &message) != 0)
        bench_fail("the server has answered what it should not");
    zmq_msg_close(&message);
}

static void weigh_calls(void *context, const bench_client_options *options)
{
    void        *dealer = bench_zeromq_unlimited(context, ZMQ_DEALER);
    bench_weight before = { 0 };

    bench_zeromq_connect(dealer, options->target);
    for (size_t i = 0; i < options->outstanding; i++) {
        send_block(dealer, options->size);
        if ((i + 1) % FIRST_ONES == 0 || i + 1 == options->outstanding) {
            send_block(dealer, 0);
            receive_empty(dealer);
        }
        if (i + 1 == FIRST_ONES)
            before = bench_weight_now(options->server_pid);
    }
    bench_weight_print(&before, options->server_pid, options->outstanding - FIRST_ONES, BENCH_BYTES_PER_CALL);
}

/* Opens a connection, and waits until an empty message has come back over it. */
static void connect_one(void *router, const char *target, uint32_t name)
{
    zmq_msg_t message;

    bench_zeromq_must(zmq_setsockopt(router, ZMQ_CONNECT_ROUTING_ID, &name, sizeof name),
                      "name a connection");
    bench_zeromq_connect(router, target);
    bench_zeromq_must(zmq_send(router, &name, sizeof name, ZMQ_SNDMORE), "send");
    send_block(router, 0);
    if (bench_zeromq_receive(router, &message) != sizeof name)
        bench_fail("an answer came from somewhere else");
    zmq_msg_close(&message);
    receive_empty(router);
}

static void weigh_connections(void *context, const bench_client_options *options)
{
    void        *router = bench_zeromq_unlimited(context, ZMQ_ROUTER);
    bench_weight before = { 0 };

    for (size_t i = 0; i < options->connections; i++) {
        connect_one(router, options->target, (uint32_t)i + 1);
        if (i + 1 == FIRST_ONES)
            before = bench_weight_now(options->server_pid);
    }
    bench_weight_print(&before, options->server_pid, options->connections - FIRST_ONES,
                       BENCH_BYTES_PER_CONNECTION);
}

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);
    void                *context = zmq_ctx_new();

    if (options.outstanding <= FIRST_ONES && options.connections <= FIRST_ONES)
        bench_fail_usage("more than the %d that come before the first look are to be weighed", FIRST_ONES);
    bench_process_raise_files(options.connections + SPARE_FILES);
    if (options.outstanding > 0)
        weigh_calls(context, &options);
    else
        weigh_connections(context, &options);
    _Exit(fflush(stdout) ? 1 : 0); /* calls and connections go with the process */
}
