/*
 * Cap'n Proto's echo, serving: an event loop for each thread, all of them listening on one socket.
 *
 * All limits are at their defaults: a message may have 64 MiB.
 */
#include "capnp/echo.capnp.h"
#include "capnp/memory.h"
#include "measure/arguments.h"
#include "measure/listen.h"
#include "measure/process.h"

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <thread>
#include <vector>

namespace
{

capnp::MessageSize sizeOf(capnp::Data::Reader block)
{
    return { block.size() / sizeof(capnp::word) + 16, 0 };
}

class Collector final : public Blocks::Server
{
  public:
    kj::Promise<void> put(PutContext) override
    {
        count++;
        return kj::READY_NOW;
    }

    kj::Promise<void> done(DoneContext context) override
    {
        context.getResults().setCount(count);
        return kj::READY_NOW;
    }

  private:
    uint64_t count = 0;
};

class Talker final : public Blocks::Server
{
  public:
    explicit Talker(Blocks::Client back) : back(kj::mv(back))
    {
    }

    /* The next block is delivered once the stream back has room for more. */
    kj::Promise<void> put(PutContext context) override
    {
        auto block = context.getParams().getBlock();
        auto request = back.putRequest(sizeOf(block));

        request.setBlock(block);
        return request.send();
    }

  private:
    Blocks::Client back;
};

class EchoServer final : public Echo::Server
{
  public:
    explicit EchoServer(bool silent) : silent(silent)
    {
    }

    kj::Promise<void> call(CallContext context) override
    {
        auto block = context.getParams().getBlock();

        if (silent && block.size() > 0)
            return kj::NEVER_DONE;
        context.getResults(sizeOf(block)).setBlock(block);
        return kj::READY_NOW;
    }

    kj::Promise<void> step(StepContext context) override
    {
        auto block = context.getParams().getBlock();
        auto results = context.getResults(sizeOf(block));

        results.setBlock(block);
        results.setNext(thisCap());
        return kj::READY_NOW;
    }

    kj::Promise<void> collect(CollectContext context) override
    {
        context.getResults().setForth(kj::heap<Collector>());
        return kj::READY_NOW;
    }

    kj::Promise<void> talk(TalkContext context) override
    {
        context.getResults().setForth(kj::heap<Talker>(context.getParams().getBack()));
        return kj::READY_NOW;
    }

  private:
    bool silent;
};

void serve(int listener, bool silent)
{
    auto                  io = kj::setupAsyncIo();
    auto                  receiver = io.lowLevelProvider->wrapListenSocketFd(listener);
    capnp::TwoPartyServer server(kj::heap<EchoServer>(silent));

    server.listen(*receiver).wait(io.waitScope);
}

} // namespace

int main(int argc, char **argv)
{
    auto                     options = bench_server_options_read(argc, argv);
    int                      listener = bench_listen(options.listen);
    std::vector<std::thread> others;

    keepFreedMemory();
    bench_process_raise_files(0);
    bench_listen_print(listener);
    for (size_t i = 1; i < options.threads; i++)
        others.emplace_back(serve, listener, options.silent);
    serve(listener, options.silent);
    return 0;
}
