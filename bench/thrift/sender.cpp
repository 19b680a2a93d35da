/*
 * Apache Thrift's sender: one-way calls, which it has in place of streams.
 */
#include "measure/arguments.h"
#include "measure/transfer.h"
#include "peer.hpp"

#include <uv.h>

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);
    connection           link(options.target);
    bench::Block         block = make_block(options.size);
    bench_transfer       transfer{};
    std::uint64_t        sent, given;

    do {
        sent = 0;
        bench_transfer_begin(&transfer, &options, uv_hrtime());
        while (bench_transfer_goes_on(&transfer, uv_hrtime())) {
            link.calls().Give(block);
            sent++;
        }
        given = static_cast<std::uint64_t>(link.calls().Given());
    } while (bench_transfer_ended(&transfer, sent, given, uv_hrtime()));
    return 0;
}
