/*
 * nng's sender: messages to the other end of a pair, each as soon as there is room for it.
 */
#include "measure/fail.h"
#include "measure/transfer.h"
#include "stream.h"

#include <string.h>
#include <unistd.h>
#include <uv.h>

static void send_one(nng_socket pair, const char *payload, size_t size)
{
    nng_msg *message;

    bench_nng_must(nng_msg_alloc(&message, size), "make a message");
    memcpy(nng_msg_body(message), payload, size);
    bench_nng_must(nng_sendmsg(pair, message, 0), "send");
}

static uint64_t receive_count(nng_socket pair)
{
    nng_msg *message;
    uint64_t count;

    bench_nng_must(nng_recvmsg(pair, &message, 0), "receive an answer");
    if (nng_msg_len(message) != sizeof count)
        bench_fail("%zu bytes came back where a count was due", nng_msg_len(message));
    memcpy(&count, nng_msg_body(message), sizeof count);
    nng_msg_free(message);
    return count;
}

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);
    nng_socket           pair = bench_nng_stream_open();
    char                *payload = bench_alloc(options.size, 1);
    bench_transfer       transfer = { 0 };
    uint64_t             sent;

    memset(payload, 'x', options.size);
    bench_nng_dial(pair, options.target);
    do {
        bench_transfer_begin(&transfer, &options, uv_hrtime());
        for (sent = 0; bench_transfer_goes_on(&transfer, uv_hrtime()); sent++)
            send_one(pair, payload, options.size);
        send_one(pair, payload, 0);
    } while (bench_transfer_ended(&transfer, sent, receive_count(pair), uv_hrtime()));
    _exit(0); /* nng's threads go with the process */
}
