/*
 * gRPC C++, talking: blocks go out on one stream and come back on it, N of them unanswered at most.
 *
 * gRPC takes one block at a time on a stream, so those that may be sent are counted, and sent as it takes
 * them.
 */
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/load.h"
#include "peer.hpp"

#include <deque>
#include <unistd.h>
#include <uv.h>

namespace
{

/* Half a megabyte of buckets: not on the stack. */
bench_load load;

struct talker {
    bench_client_options                                                       options;
    std::unique_ptr<bench::Streams::Stub>                                      stub;
    grpc::CompletionQueue                                                      queue;
    grpc::ClientContext                                                        context;
    std::unique_ptr<grpc::ClientAsyncReaderWriter<bench::Block, bench::Block>> stream;
    bench::Block                                                               sent_block;
    bench::Block                                                               read_block;
    std::deque<std::uint64_t> sent_ns; /* of the unanswered */
    bool                      writes = true;
    bool                      over = false;

    void send()
    {
        if (writes || sent_ns.size() == options.outstanding)
            return;
        writes = true;
        sent_ns.push_back(uv_hrtime());
        stream->Write(sent_block, &on_written);
    }

    void opened(bool ok)
    {
        stream->Read(&read_block, &on_read);
        written(ok);
    }

    void written(bool ok)
    {
        if (!ok)
            bench_fail("the stream broke");
        writes = false;
        send();
    }

    void read(bool ok)
    {
        std::uint64_t now_ns = uv_hrtime();

        if (!ok)
            bench_fail("the stream ended");
        if (read_block.body().size() != options.size)
            bench_fail("%zu bytes came back where %zu were due", read_block.body().size(), options.size);
        over = !bench_load_goes_on(&load, now_ns);
        if (over)
            return;
        bench_load_answered(&load, sent_ns.front(), now_ns);
        sent_ns.pop_front();
        stream->Read(&read_block, &on_read);
        send();
    }

    step_of<talker, &talker::opened>  on_opened{ this };
    step_of<talker, &talker::written> on_written{ this };
    step_of<talker, &talker::read>    on_read{ this };
};

} // namespace

int main(int argc, char **argv)
{
    static talker it;

    it.options = bench_client_options_read(argc, argv);
    it.sent_block = make_block(it.options.size);
    it.stub = bench::Streams::NewStub(open_channels(it.options.target, 1)[0]);
    bench_load_begin(&load, &it.options, uv_hrtime());
    it.stream = it.stub->AsyncTalk(&it.context, &it.queue, &it.on_opened);
    run_until(it.queue, [] { return it.over; });
    bench_load_print(&load);
    _exit(0); /* what is on its way is not waited for */
}
