/*
 * What Apache Thrift takes for a connection on which nothing happens. A call that nobody answers holds up its
 * connection, so that there is no second one to weigh.
 */
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/process.h"
#include "measure/weight.h"
#include "peer.hpp"

#include <deque>
#include <unistd.h>

static constexpr std::size_t first_connections = 100; /* that come before the first look */

int main(int argc, char **argv)
{
    bench_client_options   options = bench_client_options_read(argc, argv);
    std::deque<connection> links;
    bench_weight           before{};
    bench::Block           reply;

    if (options.outstanding != 0 || options.connections <= first_connections)
        bench_fail_usage("--outstanding must be 0, and --connections more than %zu", first_connections);
    bench_process_raise_files(options.connections);
    while (links.size() < options.connections) {
        links.emplace_back(options.target);
        links.back().calls().Call(reply, make_block(options.size));
        if (links.size() == first_connections)
            before = bench_weight_now(options.server_pid);
    }
    bench_weight_print(&before, options.server_pid, links.size() - first_connections,
                       BENCH_BYTES_PER_CONNECTION);
    _exit(0); /* with all of them open */
}
