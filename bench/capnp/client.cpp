/*
 * Cap'n Proto's echo, calling: N calls outstanding, each made again when it was answered.
 */
#include "caller.h"

namespace
{

class EchoCaller final : public Caller
{
  public:
    using Caller::Caller;

  private:
    kj::Promise<void> call(Echo::Client &echo) override
    {
        auto request = echo.callRequest(sizeOfBlock(options.size));

        request.setBlock(kj::arrayPtr(payload.data(), payload.size()));
        return request.send().then([this](capnp::Response<Echo::CallResults> &&answer) {
            checkSize(answer.getBlock(), options.size);
        });
    }
};

} // namespace

int main(int argc, char **argv)
{
    auto options = bench_client_options_read(argc, argv);

    return runClient([&]() {
        auto io = kj::setupAsyncIo();

        EchoCaller(io, options).run();
    });
}
