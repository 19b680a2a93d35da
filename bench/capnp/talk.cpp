/*
 * Cap'n Proto's talk: streaming calls in both directions, at most N blocks sent that have not come back.
 */
#include "link.h"
#include "measure/load.h"

#include <deque>
#include <uv.h>

namespace
{

class Talk final : private kj::TaskSet::ErrorHandler
{
  public:
    Talk(kj::AsyncIoContext &io, const bench_client_options &options)
        : options(options), payload(options.size, 'x'), io(io), link(openLink(io, options.target)),
          tasks(*this)
    {
    }

    void run();
    void cameBack();

    const bench_client_options &options;

  private:
    void send();
    void taskFailed(kj::Exception &&exception) override;

    std::vector<kj::byte> payload;
    kj::AsyncIoContext   &io;
    kj::Own<Link>         link;
    Blocks::Client        forth = nullptr;
    std::deque<uint64_t>  startedNs; /* of the blocks that have not come back, the oldest first */
    bool                  isSending = false;
    bool                  over = false;
    bench_load            load;
    kj::Own<kj::PromiseFulfiller<void>> finished;
    kj::TaskSet                         tasks; /* goes first: what it runs uses the others */
};

/* Where the server puts what it sends back. */
class Back final : public Blocks::Server
{
  public:
    explicit Back(Talk &talk) : talk(talk)
    {
    }

    kj::Promise<void> put(PutContext context) override
    {
        checkSize(context.getParams().getBlock(), talk.options.size);
        talk.cameBack();
        return kj::READY_NOW;
    }

  private:
    Talk &talk;
};

void Talk::run()
{
    auto end = kj::newPromiseAndFulfiller<void>();
    auto request = link->echo.talkRequest();

    finished = kj::mv(end.fulfiller);
    request.setBack(kj::heap<Back>(*this));
    forth = request.send().wait(io.waitScope).getForth();
    bench_load_begin(&load, &options, uv_hrtime());
    send();
    end.promise.wait(io.waitScope);
}

void Talk::cameBack()
{
    uint64_t nowNs = uv_hrtime();

    if (over)
        return;
    if (!bench_load_goes_on(&load, nowNs)) {
        over = true;
        bench_load_print(&load);
        finished->fulfill();
        return;
    }
    bench_load_answered(&load, startedNs.front(), nowNs);
    startedNs.pop_front();
    send();
}

/* Sends the next block, if it may; and so on, as the stream has room for more. */
void Talk::send()
{
    if (isSending || over || startedNs.size() >= options.outstanding)
        return;
    auto request = forth.putRequest(sizeOfBlock(options.size));

    request.setBlock(kj::arrayPtr(payload.data(), payload.size()));
    startedNs.push_back(uv_hrtime());
    isSending = true;
    tasks.add(request.send().then([this]() {
        isSending = false;
        send();
    }));
}

void Talk::taskFailed(kj::Exception &&exception)
{
    bench_fail("a block could not be sent: %s", kj::str(exception).cStr());
}

} // namespace

int main(int argc, char **argv)
{
    auto options = bench_client_options_read(argc, argv);

    return runClient([&]() {
        auto io = kj::setupAsyncIo();

        Talk(io, options).run();
    });
}
