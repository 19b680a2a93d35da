/*
 * ZeroMQ's receiver: takes messages, and when an empty one comes, answers how many came before it.
 *
 * High-water marks are at their default of 1,000 messages here, so that a fast sender has to wait.
 */
#include "measure/arguments.h"
#include "measure/fail.h"
#include "peer.h"

#include <stdint.h>

int main(int argc, char **argv)
{
    bench_server_options options = bench_server_options_read(argc, argv);
    void                *dealer = zmq_socket(zmq_ctx_new(), ZMQ_DEALER);
    uint64_t             count = 0;
    zmq_msg_t            message;

    bench_zeromq_must(dealer ? 0 : -1, "open a socket");
    bench_zeromq_bind(dealer, options.listen, "");
    for (;;) {
        size_t size = bench_zeromq_receive(dealer, &message);

        zmq_msg_close(&message);
        if (size > 0) {
            count++;
            continue;
        }
        bench_zeromq_must(zmq_send(dealer, &count, sizeof count, 0), "answer");
        count = 0;
    }
}
