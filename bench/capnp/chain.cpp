/*
 * Cap'n Proto's chain: eight calls, each of them made on what the one before it answers.
 *
 * The idea is Cap'n Proto's own, pipelining: a call is made on the promise of an answer, so all eight leave
 * at once and take one round trip.
 */
#include "caller.h"

#include <kj/vector.h>

namespace
{

constexpr size_t chainCalls = 8;

class ChainCaller final : public Caller
{
  public:
    using Caller::Caller;

  private:
    kj::Promise<void> call(Echo::Client &echo) override
    {
        kj::Vector<kj::Promise<void>> answers(chainCalls);
        Echo::Client                  next = echo;

        for (size_t i = 0; i < chainCalls; i++) {
            auto request = next.stepRequest(sizeOfBlock(options.size));

            request.setBlock(kj::arrayPtr(payload.data(), payload.size()));
            auto answer = request.send();
            next = answer.getNext();
            answers.add(answer.then([this](capnp::Response<Echo::StepResults> &&step) {
                checkSize(step.getBlock(), options.size);
            }));
        }
        return kj::joinPromises(answers.releaseAsArray());
    }
};

} // namespace

int main(int argc, char **argv)
{
    auto options = bench_client_options_read(argc, argv);

    return runClient([&]() {
        auto io = kj::setupAsyncIo();

        ChainCaller(io, options).run();
    });
}
