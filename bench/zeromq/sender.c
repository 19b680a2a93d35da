/*
 * ZeroMQ's sender: messages from dealer to dealer, each as soon as there is room for it.
 */
#include "measure/fail.h"
#include "measure/transfer.h"
#include "peer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static void send_one(void *dealer, const char *payload, size_t size)
{
    zmq_msg_t message;

    bench_zeromq_must(zmq_msg_init_size(&message, size), "make a message");
    memcpy(zmq_msg_data(&message), payload, size);
    bench_zeromq_must(zmq_msg_send(&message, dealer, 0), "send");
}

static uint64_t receive_count(void *dealer)
{
    uint64_t count;

    if (bench_zeromq_must(zmq_recv(dealer, &count, sizeof count, 0), "receive an answer") != sizeof count)
        bench_fail("what came back is no count");
    return count;
}

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);
    void                *dealer = zmq_socket(zmq_ctx_new(), ZMQ_DEALER);
    char                *payload = bench_alloc(options.size, 1);
    bench_transfer       transfer = { 0 };
    uint64_t             sent;

    memset(payload, 'x', options.size);
    bench_zeromq_must(dealer ? 0 : -1, "open a socket");
    bench_zeromq_connect(dealer, options.target);
    do {
        bench_transfer_begin(&transfer, &options, uv_hrtime());
        for (sent = 0; bench_transfer_goes_on(&transfer, uv_hrtime()); sent++)
            send_one(dealer, payload, options.size);
        send_one(dealer, payload, 0);
    } while (bench_transfer_ended(&transfer, sent, receive_count(dealer), uv_hrtime()));
    _Exit(fflush(stdout) ? 1 : 0);
}
