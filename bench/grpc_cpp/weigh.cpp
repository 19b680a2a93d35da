/*
 * What gRPC C++ takes for a call that nobody answers, or for a connection on which nothing happens.
 */
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/process.h"
#include "measure/weight.h"
#include "peer.hpp"

#include <algorithm>
#include <deque>
#include <unistd.h>

namespace
{

constexpr std::size_t first_calls = 1000; /* that come before the first look */
constexpr std::size_t batch_calls = 1000; /* made before their arrival is waited for */
constexpr std::size_t first_connections = 100;

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

void weigh_calls(const bench_client_options &options)
{
    bench::Block                       request = make_block(options.size);
    std::unique_ptr<bench::Echo::Stub> stub = bench::Echo::NewStub(open_channels(options.target, 1)[0]);
    grpc::CompletionQueue              queue;
    std::deque<waiting_call>           calls;
    bench_weight                       before{};

    if (options.outstanding <= first_calls)
        bench_fail_usage("--outstanding must be more than the %zu calls that come before the first look",
                         first_calls);
    while (calls.size() < options.outstanding) {
        calls.emplace_back(*stub, request, queue);
        if (calls.size() % batch_calls == 0 || calls.size() == options.outstanding)
            wait_for_arrival(*stub);
        if (calls.size() == first_calls)
            before = bench_weight_now(options.server_pid);
    }
    bench_weight_print(&before, options.server_pid, calls.size() - first_calls, BENCH_BYTES_PER_CALL);
}

void weigh_connections(const bench_client_options &options)
{
    std::vector<std::shared_ptr<grpc::Channel>> channels;
    bench_weight                                before{};

    if (options.connections <= first_connections)
        bench_fail_usage("--connections must be more than the %zu that come before the first look",
                         first_connections);
    while (channels.size() < options.connections) {
        channels.push_back(open_channels(options.target, 1)[0]);
        wait_for_arrival(*bench::Echo::NewStub(channels.back()));
        if (channels.size() == first_connections)
            before = bench_weight_now(options.server_pid);
    }
    bench_weight_print(&before, options.server_pid, channels.size() - first_connections,
                       BENCH_BYTES_PER_CONNECTION);
}

} // namespace

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);

    bench_process_raise_files(options.connections);
    if (options.outstanding)
        weigh_calls(options);
    else
        weigh_connections(options);
    _exit(0); /* the calls are never answered */
}
