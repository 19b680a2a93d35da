/*
 * gRPC C++'s echo, calling: N turns outstanding, over as many connections as were asked for. A turn is a
 * call; in the program "chain" it is several, of which each is made when the one before was answered.
 */
#include "measure/arguments.h"
#include "measure/chain.h"
#include "measure/fail.h"
#include "measure/load.h"
#include "measure/process.h"
#include "peer.hpp"

#include <chrono>
#include <deque>
#include <mutex>
#include <optional>
#include <poll.h>
#include <thread>
#include <unistd.h>
#include <uv.h>

namespace
{

struct slot;

struct client {
    bench_client_options  options;
    bench::Block          request;
    grpc::CompletionQueue queue;
    std::mutex            lock; /* of what follows: with --rate, a second thread begins turns */
    bench_load            load;
    std::deque<slot>      slots;
    std::vector<slot *>   idle;
    bool                  over = false;

    void begin_turns(std::uint64_t now_ns);
};

/* One of the N turns that may be outstanding. */
struct slot {
    client                                                        &owner;
    std::unique_ptr<bench::Echo::Stub>                             stub;
    std::optional<grpc::ClientContext>                             context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<bench::Block>> reader;
    bench::Block                                                   reply;
    grpc::Status                                                   status;
    std::uint64_t                                                  start_ns = 0;
    unsigned                                                       echoes = 0;

    slot(client &it, const std::shared_ptr<grpc::Channel> &channel)
        : owner(it), stub(bench::Echo::NewStub(channel))
    {
    }

    void call()
    {
        context.emplace();
        reader = stub->AsyncCall(&*context, owner.request, &owner.queue);
        reader->Finish(&reply, &status, &on_answered);
    }

    void answered(bool)
    {
        if (!status.ok())
            bench_fail("a call failed: %s", status.error_message().c_str());
        if (reply.body().size() != owner.options.size)
            bench_fail("%zu bytes came back where %zu were due", reply.body().size(), owner.options.size);
        if (++echoes < BENCH_CHAIN_CALLS)
            call();
        else
            end_turn(uv_hrtime());
    }

    void end_turn(std::uint64_t now_ns)
    {
        std::lock_guard<std::mutex> guard(owner.lock);

        owner.over = !bench_load_goes_on(&owner.load, now_ns);
        if (owner.over)
            return;
        bench_load_answered(&owner.load, start_ns, now_ns);
        echoes = 0;
        owner.idle.push_back(this);
        owner.begin_turns(now_ns);
    }

    step_of<slot, &slot::answered> on_answered{ this };
};

void client::begin_turns(std::uint64_t now_ns)
{
    while (!idle.empty() && bench_load_call(&load, now_ns, &idle.back()->start_ns)) {
        slot *next = idle.back();

        idle.pop_back();
        next->call();
    }
}

/* A completion queue waits in whole milliseconds, which would be counted as the server's. */
void begin_turns_in_time(client &it, int timer)
{
    struct pollfd moment = { timer, POLLIN, 0 };

    while (poll(&moment, 1, -1) >= 0) {
        bench_load_timer_clear(timer);
        std::lock_guard<std::mutex> guard(it.lock);
        if (it.over)
            return;
        it.begin_turns(uv_hrtime());
    }
}

/* Connecting is not measured. */
void wait_for_connections(const std::vector<std::shared_ptr<grpc::Channel>> &channels)
{
    auto end = std::chrono::system_clock::now() + std::chrono::seconds(10);

    for (const auto &channel : channels)
        channel->GetState(true);
    for (const auto &channel : channels) {
        if (!channel->WaitForConnected(end))
            bench_fail("no connection to the server");
    }
}

void start(client &it)
{
    auto channels = open_channels(it.options.target, it.options.connections);
    int  timer;

    for (std::size_t i = 0; i < it.options.outstanding; i++) {
        it.slots.emplace_back(it, channels[i % channels.size()]);
        it.idle.push_back(&it.slots.back());
    }
    wait_for_connections(channels);
    bench_load_begin(&it.load, &it.options, uv_hrtime());
    timer = bench_load_timer_open(&it.load);
    if (timer < 0)
        it.begin_turns(uv_hrtime());
    else
        std::thread(begin_turns_in_time, std::ref(it), timer).detach();
}

} // namespace

int main(int argc, char **argv)
{
    static client it;

    it.options = bench_client_options_read(argc, argv);
    bench_process_raise_files(it.options.connections);
    it.request = make_block(it.options.size);
    start(it);
    run_until(it.queue, [] { return it.over; });
    bench_load_print(&it.load);
    _exit(0); /* what is on its way is not waited for */
}
