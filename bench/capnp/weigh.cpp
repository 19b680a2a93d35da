/*
 * What a call takes that is never answered, and what a connection takes that is idle.
 */
#include "link.h"
#include "measure/weight.h"

#include <unistd.h>

namespace
{

constexpr size_t batchCalls = 1000;

/* The answer to an empty block: what was sent before it has arrived. */
void waitForArrival(Echo::Client &echo, kj::WaitScope &scope)
{
    checkSize(echo.callRequest().send().wait(scope).getBlock(), 0);
}

struct Calls {
    using Answer = capnp::RemotePromise<Echo::CallResults>;

    kj::AsyncIoContext      &io;
    kj::Own<Link>            link;
    std::vector<kj::byte>    payload;
    kj::ArrayBuilder<Answer> answers;

    Calls(kj::AsyncIoContext &context, const bench_client_options &options)
        : io(context), link(openLink(context, options.target)), payload(options.size, 'x'),
          answers(kj::heapArrayBuilder<Answer>(options.outstanding))
    {
        /* These pages are the benchmark's own: they are made resident before anything is weighed. */
        memset(static_cast<void *>(answers.begin()), 0, options.outstanding * sizeof(Answer));
    }
};

void makeCalls(size_t from, size_t to, void *arg)
{
    auto &calls = *static_cast<Calls *>(arg);

    for (size_t i = from; i < to; i++) {
        auto request = calls.link->echo.callRequest(sizeOfBlock(calls.payload.size()));

        request.setBlock(kj::arrayPtr(calls.payload.data(), calls.payload.size()));
        calls.answers.add(request.send());
    }
    waitForArrival(calls.link->echo, calls.io.waitScope);
}

struct Connections {
    kj::AsyncIoContext        &io;
    const char                *target;
    std::vector<kj::Own<Link>> links;
};

void openConnections(size_t from, size_t to, void *arg)
{
    auto &connections = *static_cast<Connections *>(arg);

    for (size_t i = from; i < to; i++) {
        connections.links.push_back(openLink(connections.io, connections.target));
        waitForArrival(connections.links.back()->echo, connections.io.waitScope);
    }
}

} // namespace

int main(int argc, char **argv)
{
    auto options = bench_client_options_read(argc, argv);

    return runClient([&]() {
        auto io = kj::setupAsyncIo();

        if (options.outstanding > 0) {
            Calls calls(io, options);

            bench_weigh(&options, BENCH_BYTES_PER_CALL, batchCalls, makeCalls, &calls);
            _exit(0); /* the calls go with the process */
        }
        Connections connections{ io, options.target, {} };

        connections.links.reserve(options.connections);
        bench_weigh(&options, BENCH_BYTES_PER_CONNECTION, 1, openConnections, &connections);
        _exit(0); /* the connections go with the process */
    });
}
