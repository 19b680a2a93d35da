/*
 * nng's other end of a talk: sends back each message of a pair, as it is.
 */
#include "measure/arguments.h"
#include "stream.h"

int main(int argc, char **argv)
{
    bench_server_options options = bench_server_options_read(argc, argv);
    nng_socket           pair = bench_nng_stream_open();
    nng_msg             *message;

    bench_nng_listen(pair, options.listen);
    for (;;) {
        bench_nng_must(nng_recvmsg(pair, &message, 0), "receive");
        bench_nng_must(nng_sendmsg(pair, message, 0), "send back");
    }
}
