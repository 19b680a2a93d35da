/*
 * What a call takes that is never answered, and what a connection takes that is idle.
 *
 * What process and first connections take by themselves is there before the first look, and falls out.
 */
#include "link.h"
#include "measure/process.h"
#include "measure/weight.h"

#include <unistd.h>

namespace
{

constexpr size_t firstOnes = 1000; /* and from then on, so many at a time */
constexpr size_t spareFiles = 100; /* beside the connections */

/* The answer to an empty block: what was sent before it has arrived. */
void waitForArrival(Echo::Client &echo, kj::WaitScope &scope)
{
    checkSize(echo.callRequest().send().wait(scope).getBlock(), 0);
}

void weighCalls(kj::AsyncIoContext &io, const bench_client_options &options)
{
    using Answer = capnp::RemotePromise<Echo::CallResults>;

    auto                  link = openLink(io, options.target);
    std::vector<kj::byte> payload(options.size, 'x');
    bench_weight          before;
    auto                  answers = kj::heapArrayBuilder<Answer>(options.outstanding);

    /* These pages are the benchmark's own: they are made resident before anything is weighed. */
    memset(static_cast<void *>(answers.begin()), 0, options.outstanding * sizeof(Answer));
    for (size_t i = 0; i < options.outstanding; i++) {
        auto request = link->echo.callRequest(sizeOfBlock(options.size));

        request.setBlock(kj::arrayPtr(payload.data(), payload.size()));
        answers.add(request.send());
        if ((i + 1) % firstOnes == 0 || i + 1 == options.outstanding)
            waitForArrival(link->echo, io.waitScope);
        if (i + 1 == firstOnes)
            before = bench_weight_now(options.server_pid);
    }
    bench_weight_print(&before, options.server_pid, options.outstanding - firstOnes, BENCH_BYTES_PER_CALL);
    _exit(0); /* the calls go with the process */
}

void weighConnections(kj::AsyncIoContext &io, const bench_client_options &options)
{
    std::vector<kj::Own<Link>> links;
    bench_weight               before;

    links.reserve(options.connections);
    while (links.size() < options.connections) {
        links.push_back(openLink(io, options.target));
        waitForArrival(links.back()->echo, io.waitScope);
        if (links.size() == firstOnes)
            before = bench_weight_now(options.server_pid);
    }
    bench_weight_print(&before, options.server_pid, options.connections - firstOnes,
                       BENCH_BYTES_PER_CONNECTION);
    _exit(0); /* the connections go with the process */
}

} // namespace

int main(int argc, char **argv)
{
    auto options = bench_client_options_read(argc, argv);

    if (options.outstanding <= firstOnes && options.connections <= firstOnes)
        bench_fail_usage("more than the %zu that come before the first look are to be weighed", firstOnes);
    bench_process_raise_files(options.connections + spareFiles);
    return runClient([&]() {
        auto io = kj::setupAsyncIo();

        if (options.outstanding > 0)
            weighCalls(io, options);
        else
            weighConnections(io, options);
    });
}
