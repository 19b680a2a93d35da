/*
 * Apache Thrift's nonblocking server: calls are served on the threads that read them, as fits handlers that
 * do not wait.
 */
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/process.h"
#include "peer.hpp"

#include <thrift/TOutput.h>
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/server/TNonblockingServer.h>
#include <thrift/transport/TNonblockingServerSocket.h>

#include <atomic>
#include <cstdio>

using namespace apache::thrift;

namespace
{

struct handler : bench::EchoIf {
    std::atomic<std::int64_t> given{ 0 };

    void Call(bench::Block &reply, const bench::Block &block) override
    {
        reply = block;
    }

    void Give(const bench::Block &) override
    {
        given++;
    }

    std::int64_t Given() override
    {
        return given.exchange(0);
    }
};

/* Told once the server listens. */
struct announcement : server::TServerEventHandler {
    std::string                                          listen;
    std::shared_ptr<transport::TNonblockingServerSocket> socket;

    void preServe() override
    {
        if (unix_path(listen).empty())
            std::printf("tcp://127.0.0.1:%d\n", socket->getListenPort());
        else
            std::printf("%s\n", listen.c_str());
        if (std::fflush(stdout) != 0)
            bench_fail("cannot tell the address: %m");
    }
};

std::shared_ptr<transport::TNonblockingServerSocket> make_socket(const char *listen)
{
    std::string path = unix_path(listen);

    if (path.empty())
        return std::make_shared<transport::TNonblockingServerSocket>("127.0.0.1", loopback_port(listen));
    return std::make_shared<transport::TNonblockingServerSocket>(path);
}

} // namespace

int main(int argc, char **argv)
{
    bench_server_options options = bench_server_options_read(argc, argv);
    auto                 announced = std::make_shared<announcement>();
    auto                 processor = std::make_shared<bench::EchoProcessor>(std::make_shared<handler>());

    if (options.silent)
        bench_fail_usage(
            "a call of Thrift's holds up its connection until it is answered: there is no --silent");
    /* Each client that goes is reported otherwise. */
    GlobalOutput.setOutputFunction([](const char *) {});
    bench_process_raise_files(0);
    announced->listen = options.listen;
    announced->socket = make_socket(options.listen);

    server::TNonblockingServer server(processor, std::make_shared<protocol::TBinaryProtocolFactory>(),
                                      announced->socket);
    server.setNumIOThreads(options.threads);
    server.setServerEventHandler(announced);
    server.serve();
    return 0;
}
