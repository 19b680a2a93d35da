/*
 * gRPC C++'s sender: one stream of blocks, each written when gRPC has taken the last one.
 */
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/transfer.h"
#include "peer.hpp"

#include <optional>
#include <uv.h>

namespace
{

struct sender {
    bench_client_options                                   options;
    bench_transfer                                         transfer{};
    std::unique_ptr<bench::Streams::Stub>                  stub;
    grpc::CompletionQueue                                  queue;
    std::optional<grpc::ClientContext>                     context;
    std::unique_ptr<grpc::ClientAsyncWriter<bench::Block>> writer;
    bench::Block                                           block;
    bench::Count                                           count;
    grpc::Status                                           status;
    std::uint64_t                                          sent = 0;
    bool                                                   over = false;

    void begin()
    {
        sent = 0;
        bench_transfer_begin(&transfer, &options, uv_hrtime());
        context.emplace();
        writer = stub->AsyncCollect(&*context, &count, &queue, &on_written);
    }

    void written(bool ok)
    {
        if (!ok)
            bench_fail("the stream broke after %llu blocks", static_cast<unsigned long long>(sent));
        if (bench_transfer_goes_on(&transfer, uv_hrtime())) {
            sent++;
            writer->Write(block, &on_written);
        } else {
            writer->WritesDone(&on_all_written);
        }
    }

    void all_written(bool)
    {
        writer->Finish(&status, &on_ended);
    }

    void ended(bool)
    {
        if (!status.ok())
            bench_fail("the stream failed: %s", status.error_message().c_str());
        over = !bench_transfer_ended(&transfer, sent, count.blocks(), uv_hrtime());
        if (!over)
            begin();
    }

    step_of<sender, &sender::written>     on_written{ this };
    step_of<sender, &sender::all_written> on_all_written{ this };
    step_of<sender, &sender::ended>       on_ended{ this };
};

} // namespace

int main(int argc, char **argv)
{
    sender it;

    it.options = bench_client_options_read(argc, argv);
    it.block = make_block(it.options.size);
    it.stub = bench::Streams::NewStub(open_channels(it.options.target, 1)[0]);
    it.begin();
    run_until(it.queue, [&] { return it.over; });
    return 0;
}
