/*
 * What the clients on Apache Thrift have in common: a connection on which calls are sent ahead of their
 * answers.
 *
 * The idea: a generated client has a send_ and a recv_ for each method, and a server answers the calls of a
 * connection in order; so N calls are sent before the first answer is read, which is as far as Thrift's C++
 * goes. Each call leaves in a write of its own, since a framed transport is flushed for each.
 */
#ifndef BENCH_THRIFT_PEER_HPP
#define BENCH_THRIFT_PEER_HPP

#include "Echo.h"

#include <thrift/transport/TSocket.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

/* The server works on one call of a connection at a time, and reads none while it cannot write the last
 * answer. A client that only writes meanwhile would wait for ever: this one reads as well. */
class two_way_socket : public apache::thrift::transport::TSocket
{
  public:
    using TSocket::TSocket;

    uint32_t read(uint8_t *bytes, uint32_t size) override;
    void     write(const uint8_t *bytes, uint32_t size) override;

  private:
    void wait_and_read();

    std::vector<uint8_t> come;      /* while writing */
    std::size_t          taken = 0; /* of these */
};

class connection
{
  public:
    explicit connection(const char *target);

    /* Has more been read than was taken? Then no descriptor tells of it. */
    bool has_read_ahead() const;
    int  descriptor() const;

    bench::EchoClient &calls();

  private:
    std::shared_ptr<two_way_socket>                        socket;
    std::shared_ptr<apache::thrift::transport::TTransport> buffered;
    std::unique_ptr<bench::EchoClient>                     client;
};

bench::Block make_block(std::size_t size);

/* The path of "unix:///path"; else "". */
std::string unix_path(const std::string &url);

/* The port of "tcp://127.0.0.1:7000"; any other host is not served here. */
int loopback_port(const std::string &url);

#endif
