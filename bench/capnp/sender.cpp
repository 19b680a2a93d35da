/*
 * Cap'n Proto's sender: streaming calls, as many on their way as its own flow control allows.
 */
#include "link.h"
#include "measure/transfer.h"

#include <uv.h>

namespace
{

/* Sends until the time is up; gives how many it has sent. */
uint64_t sendAll(Blocks::Client &forth, const std::vector<kj::byte> &payload, const bench_transfer &transfer,
                 kj::WaitScope &scope)
{
    uint64_t sent = 0;

    while (bench_transfer_goes_on(&transfer, uv_hrtime())) {
        auto request = forth.putRequest(sizeOfBlock(payload.size()));

        request.setBlock(kj::arrayPtr(payload.data(), payload.size()));
        request.send().wait(scope);
        sent++;
    }
    return sent;
}

} // namespace

int main(int argc, char **argv)
{
    auto options = bench_client_options_read(argc, argv);

    return runClient([&]() {
        auto                  io = kj::setupAsyncIo();
        auto                  link = openLink(io, options.target);
        std::vector<kj::byte> payload(options.size, 'x');
        bench_transfer        transfer = {};
        uint64_t              sent, received;

        do {
            Blocks::Client forth = link->echo.collectRequest().send().wait(io.waitScope).getForth();

            bench_transfer_begin(&transfer, &options, uv_hrtime());
            sent = sendAll(forth, payload, transfer, io.waitScope);
            received = forth.doneRequest().send().wait(io.waitScope).getCount();
        } while (bench_transfer_ended(&transfer, sent, received, uv_hrtime()));
    });
}
