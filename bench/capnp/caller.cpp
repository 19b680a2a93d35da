#include "caller.h"

#include "measure/process.h"

#include <uv.h>

Caller::Caller(kj::AsyncIoContext &io, const bench_client_options &options)
    : options(options), payload(options.size, 'x'), io(io), tasks(*this)
{
    bench_process_raise_files(options.connections);
    for (size_t i = 0; i < options.connections; i++)
        links.push_back(openLink(io, options.target));
    slots.reserve(options.outstanding);
    for (size_t i = 0; i < options.outstanding; i++) {
        slots.push_back({ &links[i % links.size()]->echo, 0 });
        idle.push_back(&slots.back());
    }
}

void Caller::run()
{
    auto end = kj::newPromiseAndFulfiller<void>();

    finished = kj::mv(end.fulfiller);
    bench_load_begin(&load, &options, uv_hrtime());
    timerFd = bench_load_timer_open(&load);
    if (timerFd >= 0) {
        timer = kj::heap<kj::UnixEventPort::FdObserver>(io.unixEventPort, timerFd,
                                                        kj::UnixEventPort::FdObserver::OBSERVE_READ);
        watchTimer();
    }
    begin(uv_hrtime());
    end.promise.wait(io.waitScope);
}

bool Caller::goesOn(uint64_t nowNs)
{
    if (over)
        return false;
    if (bench_load_goes_on(&load, nowNs))
        return true;
    over = true;
    bench_load_print(&load);
    finished->fulfill();
    return false;
}

void Caller::begin(uint64_t nowNs)
{
    while (!idle.empty() && bench_load_call(&load, nowNs, &idle.back()->startNs)) {
        Slot &slot = *idle.back();

        idle.pop_back();
        tasks.add(call(*slot.echo).then([this, &slot]() { answered(slot); }));
    }
}

void Caller::answered(Slot &slot)
{
    uint64_t nowNs = uv_hrtime();

    if (!goesOn(nowNs))
        return;
    bench_load_answered(&load, slot.startNs, nowNs);
    idle.push_back(&slot);
    begin(nowNs);
}

void Caller::watchTimer()
{
    KJ_IF_MAYBE (observer, timer) {
        tasks.add((*observer)->whenBecomesReadable().then([this]() {
            uint64_t nowNs = uv_hrtime();

            bench_load_timer_clear(timerFd);
            if (!goesOn(nowNs))
                return;
            begin(nowNs);
            watchTimer();
        }));
    }
}

void Caller::taskFailed(kj::Exception &&exception)
{
    bench_fail("a call failed: %s", kj::str(exception).cStr());
}
