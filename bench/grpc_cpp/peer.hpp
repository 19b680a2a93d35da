/*
 * What the programs on gRPC C++ have in common.
 *
 * The idea: a completion queue gives back the address of a `step`, which knows what to do next. Such a queue,
 * run by one thread, takes less processor time here than the callback API (25 against 31 us a call at each
 * side, with 100 calls outstanding), whose callbacks run on threads of gRPC's own. All else is at its
 * defaults, but the limit on a message.
 */
#ifndef BENCH_GRPC_CPP_PEER_HPP
#define BENCH_GRPC_CPP_PEER_HPP

#include "echo.grpc.pb.h"

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

constexpr int message_most = 8 << 20;

/* What follows once an operation is through; `ok` is gRPC's word for its having been possible. */
struct step {
    virtual void happened(bool ok) = 0;

  protected:
    ~step() = default;
};

/* A step that is a function of its owner. */
template <class Owner, void (Owner::*function)(bool)> struct step_of final : step {
    explicit step_of(Owner *it) : owner(it)
    {
    }

    void happened(bool ok) override
    {
        (owner->*function)(ok);
    }

    Owner *owner;
};

/* "tcp://127.0.0.1:7000" and "grpc://127.0.0.1:7000", but also "unix:///path" and "grpc+unix:///path", as
 * gRPC writes them. */
std::string grpc_address(const std::string &url);

/* The addresses of so many channels, each with a connection of its own. */
std::vector<std::shared_ptr<grpc::Channel>> open_channels(const char *target, std::size_t count);

bench::Block make_block(std::size_t size);

/* Runs what happens on the queue until `over` says so. */
template <class Over> void run_until(grpc::CompletionQueue &queue, Over over)
{
    void *happened;
    bool  ok;

    while (!over() && queue.Next(&happened, &ok))
        static_cast<step *>(happened)->happened(ok);
}

#endif
