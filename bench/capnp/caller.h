/*
 * A load of calls with Cap'n Proto, whatever one of them is: a call, or a chain of eight.
 *
 * The idea: a slot for each call that may be outstanding; an answer frees its slot, and what is due takes the
 * free ones. As in load.h, in the open loop a timer says when something is due.
 */
#ifndef BENCH_CAPNP_CALLER_H
#define BENCH_CAPNP_CALLER_H

#include "link.h"
#include "measure/load.h"

#include <kj/async-unix.h>

class Caller : private kj::TaskSet::ErrorHandler
{
  public:
    Caller(kj::AsyncIoContext &io, const bench_client_options &options);
    virtual ~Caller() = default;

    /* Returns once the results have been printed. */
    void run();

  protected:
    /* Makes a call on `echo`, and settles once its answer has been checked. */
    virtual kj::Promise<void> call(Echo::Client &echo) = 0;

    const bench_client_options &options;
    std::vector<kj::byte>       payload;

  private:
    struct Slot {
        Echo::Client *echo; /* of its connection */
        uint64_t      startNs;
    };

    void begin(uint64_t nowNs);
    void answered(Slot &slot);
    void watchTimer();
    bool goesOn(uint64_t nowNs);
    void taskFailed(kj::Exception &&exception) override;

    kj::AsyncIoContext                               &io;
    std::vector<kj::Own<Link>>                        links;
    std::vector<Slot>                                 slots;
    std::vector<Slot *>                               idle;
    bool                                              over = false;
    bench_load                                        load;
    kj::Own<kj::PromiseFulfiller<void>>               finished;
    kj::Maybe<kj::Own<kj::UnixEventPort::FdObserver>> timer;
    int                                               timerFd = -1;
    kj::TaskSet                                       tasks; /* goes first: what it runs uses the others */
};

#endif
