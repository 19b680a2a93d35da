/*
 * Apache Thrift's echo, calling: N turns outstanding, over as many connections as were asked for. A turn is a
 * call; in the program "chain" it is several, of which each is made when the one before was answered.
 */
#include "measure/arguments.h"
#include "measure/chain.h"
#include "measure/fail.h"
#include "measure/load.h"
#include "measure/process.h"
#include "peer.hpp"

#include <cerrno>
#include <deque>
#include <sys/epoll.h>
#include <uv.h>

namespace
{

struct turn {
    std::uint64_t start_ns;
    unsigned      echoes; /* that were answered */
};

/* A connection, and its turns in the order in which their answers will come. */
struct lane {
    connection       link;
    std::deque<turn> turns;

    explicit lane(const char *target) : link(target)
    {
    }
};

struct client {
    bench_client_options options;
    bench::Block         request;
    bench::Block         reply;
    bench_load           load;
    int                  epoll;
    int                  timer;
    std::deque<lane>     lanes;
    std::vector<lane *>  idle; /* a lane for each turn that could begin on it */
};

void watch(client &it, int descriptor, lane *which)
{
    struct epoll_event event = {};

    event.events = EPOLLIN;
    event.data.ptr = which;
    if (epoll_ctl(it.epoll, EPOLL_CTL_ADD, descriptor, &event) != 0)
        bench_fail("cannot watch a descriptor: %m");
}

void call(client &it, lane &on, turn which)
{
    on.turns.push_back(which);
    on.link.calls().send_Call(it.request);
}

void begin_turns(client &it, std::uint64_t now_ns)
{
    turn next = { 0, 0 };

    while (!it.idle.empty() && bench_load_call(&it.load, now_ns, &next.start_ns)) {
        lane *on = it.idle.back();

        it.idle.pop_back();
        call(it, *on, next);
    }
}

/* The clock is looked at for each answer: a large one has come in part only when it begins to be read. False:
 * the load is over. */
bool take_answer(client &it, lane &from)
{
    turn          which = from.turns.front();
    std::uint64_t now_ns;

    from.turns.pop_front();
    from.link.calls().recv_Call(it.reply);
    if (it.reply.body.size() != it.options.size)
        bench_fail("%zu bytes came back where %zu were due", it.reply.body.size(), it.options.size);
    if (++which.echoes < BENCH_CHAIN_CALLS) {
        call(it, from, which);
        return true;
    }
    now_ns = uv_hrtime();
    if (!bench_load_goes_on(&it.load, now_ns))
        return false;
    bench_load_answered(&it.load, which.start_ns, now_ns);
    it.idle.push_back(&from);
    begin_turns(it, now_ns);
    return true;
}

/* Takes the answer that has begun to come, and those that were read with it. */
bool take_answers(client &it, lane &from)
{
    do {
        if (!take_answer(it, from))
            return false;
    } while (from.link.has_read_ahead());
    return true;
}

bool take_moment(client &it)
{
    std::uint64_t now_ns = uv_hrtime();

    bench_load_timer_clear(it.timer);
    if (!bench_load_goes_on(&it.load, now_ns))
        return false;
    begin_turns(it, now_ns);
    return true;
}

bool wait(client &it)
{
    struct epoll_event events[64];
    int                count = epoll_wait(it.epoll, events, 64, -1);

    if (count < 0 && errno != EINTR)
        bench_fail("cannot wait: %m");
    for (int i = 0; i < count; i++) {
        auto *from = static_cast<lane *>(events[i].data.ptr); /* none: the timer */

        if (!(from ? take_answers(it, *from) : take_moment(it)))
            return false;
    }
    return true;
}

void start(client &it)
{
    it.epoll = epoll_create1(EPOLL_CLOEXEC);
    for (std::size_t i = 0; i < it.options.connections; i++) {
        it.lanes.emplace_back(it.options.target);
        watch(it, it.lanes.back().link.descriptor(), &it.lanes.back());
    }
    for (std::size_t i = 0; i < it.options.outstanding; i++)
        it.idle.push_back(&it.lanes[i % it.options.connections]);
    bench_load_begin(&it.load, &it.options, uv_hrtime());
    it.timer = bench_load_timer_open(&it.load);
    if (it.timer >= 0)
        watch(it, it.timer, nullptr);
    begin_turns(it, uv_hrtime());
}

} // namespace

int main(int argc, char **argv)
{
    static client it;

    it.options = bench_client_options_read(argc, argv);
    bench_process_raise_files(it.options.connections);
    it.request = make_block(it.options.size);
    start(it);
    while (wait(it))
        ;
    bench_load_print(&it.load);
    return 0;
}
