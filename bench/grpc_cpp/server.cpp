/*
 * gRPC C++'s server: a completion queue and a thread for each --threads, as its documents advise.
 *
 * It counts the calls of bench.Echo that were answered with OK. It tells the number when it is asked by
 * bench.Counts, and prints it when SIGTERM ends it.
 */
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/process.h"
#include "peer.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <list>
#include <thread>
#include <unistd.h>

namespace
{

struct server {
    bench::Echo::AsyncService    echo;
    bench::Streams::AsyncService streams;
    bench::Counts::AsyncService  counts;
    bool                         silent;
    std::atomic<std::uint64_t>   answered{ 0 };
};

/* What a call of any kind begins with: it waits to be called, and makes the next one wait as soon as it was.
 */
template <class Call> struct call_of {
    call_of(server &it, grpc::ServerCompletionQueue *its_queue) : owner(it), queue(its_queue)
    {
    }

    server                      &owner;
    grpc::ServerCompletionQueue *queue;
    grpc::ServerContext          context;

    /* False: the server ends, and nobody will call. */
    bool was_called(bool ok)
    {
        if (ok)
            new Call(owner, queue);
        return ok;
    }
};

struct echo_call : call_of<echo_call> {
    bench::Block                                  block;
    grpc::ServerAsyncResponseWriter<bench::Block> writer{ &context };

    echo_call(server &it, grpc::ServerCompletionQueue *its_queue) : call_of(it, its_queue)
    {
        owner.echo.RequestCall(&context, &block, &writer, queue, queue, &on_called);
    }

    void called(bool ok)
    {
        if (!was_called(ok)) {
            delete this;
            return;
        }
        /* The empty block is the caller's question whether all before it have arrived. */
        if (!owner.silent || block.body().empty())
            writer.Finish(block, grpc::Status::OK, &on_answered);
    }

    void answered(bool ok)
    {
        if (ok)
            owner.answered.fetch_add(1, std::memory_order_relaxed);
        delete this;
    }

    step_of<echo_call, &echo_call::called>   on_called{ this };
    step_of<echo_call, &echo_call::answered> on_answered{ this };
};

struct count_call : call_of<count_call> {
    bench::Block                                  question;
    grpc::ServerAsyncResponseWriter<bench::Count> writer{ &context };

    count_call(server &it, grpc::ServerCompletionQueue *its_queue) : call_of(it, its_queue)
    {
        owner.counts.RequestAnswered(&context, &question, &writer, queue, queue, &on_called);
    }

    void called(bool ok)
    {
        bench::Count count;

        if (!was_called(ok)) {
            delete this;
            return;
        }
        count.set_blocks(owner.answered);
        writer.Finish(count, grpc::Status::OK, &on_answered);
    }

    void answered(bool)
    {
        delete this;
    }

    step_of<count_call, &count_call::called>   on_called{ this };
    step_of<count_call, &count_call::answered> on_answered{ this };
};

struct collect_call : call_of<collect_call> {
    bench::Block                                        block;
    bench::Count                                        count;
    grpc::ServerAsyncReader<bench::Count, bench::Block> reader{ &context };

    collect_call(server &it, grpc::ServerCompletionQueue *its_queue) : call_of(it, its_queue)
    {
        owner.streams.RequestCollect(&context, &reader, queue, queue, &on_called);
    }

    void called(bool ok)
    {
        if (was_called(ok))
            reader.Read(&block, &on_read);
        else
            delete this;
    }

    void read(bool ok)
    {
        if (!ok) {
            reader.Finish(count, grpc::Status::OK, &on_answered);
            return;
        }
        count.set_blocks(count.blocks() + !block.body().empty());
        reader.Read(&block, &on_read);
    }

    void answered(bool)
    {
        delete this;
    }

    step_of<collect_call, &collect_call::called>   on_called{ this };
    step_of<collect_call, &collect_call::read>     on_read{ this };
    step_of<collect_call, &collect_call::answered> on_answered{ this };
};

/* Reads the next block while the last one is written. */
struct talk_call : call_of<talk_call> {
    bench::Block block_read;
    bench::Block block_written;
    bool         writes = false;
    bool         holds_one = false; /* that waits to be written */
    bool         ended = false;
    grpc::ServerAsyncReaderWriter<bench::Block, bench::Block> stream{ &context };

    talk_call(server &it, grpc::ServerCompletionQueue *its_queue) : call_of(it, its_queue)
    {
        owner.streams.RequestTalk(&context, &stream, queue, queue, &on_called);
    }

    void called(bool ok)
    {
        if (was_called(ok))
            stream.Read(&block_read, &on_read);
        else
            delete this;
    }

    void read(bool ok)
    {
        holds_one = ok;
        ended = !ok;
        go_on();
    }

    void written(bool)
    {
        writes = false;
        go_on();
    }

    void go_on()
    {
        if (writes)
            return;
        if (holds_one) {
            holds_one = false;
            writes = true;
            block_written.Swap(&block_read);
            stream.Write(block_written, &on_written);
            stream.Read(&block_read, &on_read);
        } else if (ended) {
            stream.Finish(grpc::Status::OK, &on_answered);
        }
    }

    void answered(bool)
    {
        delete this;
    }

    step_of<talk_call, &talk_call::called>   on_called{ this };
    step_of<talk_call, &talk_call::read>     on_read{ this };
    step_of<talk_call, &talk_call::written>  on_written{ this };
    step_of<talk_call, &talk_call::answered> on_answered{ this };
};

void serve(server &it, grpc::ServerCompletionQueue *queue)
{
    new echo_call(it, queue);
    new count_call(it, queue);
    new collect_call(it, queue);
    new talk_call(it, queue);
    run_until(*queue, [] { return false; });
}

/* As clients take it, and what was raised. */
void print_address(const std::string &listen, int port)
{
    std::string address = listen;

    if (listen.compare(0, 4, "unix") == 0)
        address = "grpc+" + listen;
    else
        address = "grpc://" + grpc_address(listen).substr(0, grpc_address(listen).rfind(':')) + ":" +
                  std::to_string(port);
    std::printf("%s max_receive_message_size=%d\n", address.c_str(), message_most);
    if (std::fflush(stdout) != 0)
        bench_fail("cannot tell the address: %m");
}

/* Before the first thread is made, which inherits it: SIGTERM is waited for and interrupts nobody. */
sigset_t block_sigterm()
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    return signals;
}

} // namespace

int main(int argc, char **argv)
{
    bench_server_options                                    options = bench_server_options_read(argc, argv);
    sigset_t                                                signals = block_sigterm();
    server                                                  it;
    grpc::ServerBuilder                                     builder;
    std::list<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
    int                                                     port = 0;
    int                                                     signal;

    bench_process_raise_files(0);
    it.silent = options.silent;
    builder.AddListeningPort(grpc_address(options.listen), grpc::InsecureServerCredentials(), &port);
    builder.SetMaxReceiveMessageSize(message_most);
    builder.RegisterService(&it.echo);
    builder.RegisterService(&it.streams);
    builder.RegisterService(&it.counts);
    for (std::size_t i = 0; i < std::max<std::size_t>(options.threads, 1); i++)
        queues.push_back(builder.AddCompletionQueue());

    std::unique_ptr<grpc::Server> running = builder.BuildAndStart();
    if (!running || port == 0)
        bench_fail("cannot listen on %s", options.listen);
    for (const auto &queue : queues)
        std::thread(serve, std::ref(it), queue.get()).detach();
    print_address(options.listen, port);

    sigwait(&signals, &signal);
    std::printf("answered=%llu\n", static_cast<unsigned long long>(it.answered));
    std::fflush(stdout);
    _exit(0); /* the calls of a silent server are never answered, so that nothing would end in good order */
}
