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
#include "measure/weight.h"
#include "peer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_CALLS 1000

struct client {
    void       *socket; /* a dealer for calls, a router for connections */
    const char *target;
    size_t      size;
};

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

static void client_call(size_t from, size_t to, void *arg)
{
    struct client *client = arg;

    for (size_t i = from; i < to; i++)
        send_block(client->socket, client->size);
    send_block(client->socket, 0);
    receive_empty(client->socket);
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

static void client_connect(size_t from, size_t to, void *arg)
{
    struct client *client = arg;

    for (size_t i = from; i < to; i++)
        connect_one(client->socket, client->target, (uint32_t)i + 1);
}

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);
    void                *context = zmq_ctx_new();
    struct client        client = { .target = options.target, .size = options.size };

    if (options.outstanding > 0) {
        client.socket = bench_zeromq_unlimited(context, ZMQ_DEALER);
        bench_zeromq_connect(client.socket, options.target);
        bench_weigh(&options, BENCH_BYTES_PER_CALL, BATCH_CALLS, client_call, &client);
    } else {
        client.socket = bench_zeromq_unlimited(context, ZMQ_ROUTER);
        bench_weigh(&options, BENCH_BYTES_PER_CONNECTION, 1, client_connect, &client);
    }
    _Exit(fflush(stdout) ? 1 : 0); /* calls and connections go with the process */
}
