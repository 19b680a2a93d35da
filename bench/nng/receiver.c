/*
 * nng's receiver: takes messages from the other end of a pair, and when an empty one comes, answers how many
 * came before it.
 */
#include "measure/arguments.h"
#include "measure/fail.h"
#include "peer.h"
#include "stream.h"

#include <stdint.h>
#include <string.h>

static void answer(nng_socket pair, uint64_t count)
{
    nng_msg *message;

    bench_nng_must(nng_msg_alloc(&message, sizeof count), "make a message");
    memcpy(nng_msg_body(message), &count, sizeof count);
    bench_nng_must(nng_sendmsg(pair, message, 0), "answer");
}

int main(int argc, char **argv)
{
    bench_server_options options = bench_server_options_read(argc, argv);
    nng_socket           pair = bench_nng_stream_open();
    uint64_t             count = 0;

    bench_nng_listen(pair, options.listen);
    for (;;) {
        nng_msg *message;
        size_t   size;

        bench_nng_must(nng_recvmsg(pair, &message, 0), "receive");
        size = nng_msg_len(message);
        nng_msg_free(message);
        if (size > 0) {
            count++;
            continue;
        }
        answer(pair, count);
        count = 0;
    }
}
