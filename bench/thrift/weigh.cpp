/*
 * What Apache Thrift takes for a connection on which nothing happens. A call that nobody answers holds up its
 * connection, so that there is no second one to weigh.
 */
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/weight.h"
#include "peer.hpp"

#include <deque>
#include <unistd.h>

namespace
{

struct client {
    const char            *target;
    std::size_t            size;
    std::deque<connection> links;
};

void client_connect(std::size_t from, std::size_t to, void *arg)
{
    client      &it = *static_cast<client *>(arg);
    bench::Block reply;

    for (std::size_t i = from; i < to; i++) {
        it.links.emplace_back(it.target);
        it.links.back().calls().Call(reply, make_block(it.size));
    }
}

} // namespace

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);
    client               it{ options.target, options.size, {} };

    if (options.outstanding > 0)
        bench_fail_usage("no second call waits beside one without an answer: --outstanding must be 0");
    bench_weigh(&options, BENCH_BYTES_PER_CONNECTION, 1, client_connect, &it);
    _exit(0); /* with all of them open */
}
