/*
 * What gRPC C++ takes for a call that nobody answers, or for a connection on which nothing happens.
 */
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/weight.h"
#include "peer.hpp"

#include <deque>
#include <unistd.h>

namespace
{

constexpr std::size_t batch_calls = 1000;

struct waiting_call {
    grpc::ClientContext                                            context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<bench::Block>> reader;
    bench::Block                                                   reply;
    grpc::Status                                                   status;

    waiting_call(bench::Echo::Stub &stub, const bench::Block &request, grpc::CompletionQueue &queue)
        : reader(stub.AsyncCall(&context, request, &queue))
    {
        reader->Finish(&reply, &status, this);
    }
};

/* Waits for the answer to an empty block: what was sent before it has arrived. */
void wait_for_arrival(bench::Echo::Stub &stub)
{
    grpc::ClientContext context;
    bench::Block        reply;
    grpc::Status        status = stub.Call(&context, bench::Block(), &reply);

    if (!status.ok())
        bench_fail("the server does not answer: %s", status.error_message().c_str());
}

struct calls {
    bench::Block                       request;
    std::unique_ptr<bench::Echo::Stub> stub;
    grpc::CompletionQueue              queue;
    std::deque<waiting_call>           waiting;

    explicit calls(const bench_client_options &options)
        : request(make_block(options.size)),
          stub(bench::Echo::NewStub(open_channels(options.target, 1)[0]))
    {
    }
};

void make_calls(std::size_t from, std::size_t to, void *arg)
{
    calls &it = *static_cast<calls *>(arg);

    for (std::size_t i = from; i < to; i++)
        it.waiting.emplace_back(*it.stub, it.request, it.queue);
    wait_for_arrival(*it.stub);
}

struct connections {
    const char                                 *target;
    std::vector<std::shared_ptr<grpc::Channel>> channels;
};

void open_connections(std::size_t from, std::size_t to, void *arg)
{
    connections &it = *static_cast<connections *>(arg);

    for (std::size_t i = from; i < to; i++) {
        it.channels.push_back(open_channels(it.target, 1)[0]);
        wait_for_arrival(*bench::Echo::NewStub(it.channels.back()));
    }
}

} // namespace

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);

    if (options.outstanding > 0) {
        calls it(options);

        bench_weigh(&options, BENCH_BYTES_PER_CALL, batch_calls, make_calls, &it);
        _exit(0); /* the calls are never answered */
    }
    connections it{ options.target, {} };

    bench_weigh(&options, BENCH_BYTES_PER_CONNECTION, 1, open_connections, &it);
    _exit(0); /* with all of them open */
}
