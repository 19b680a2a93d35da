#include "peer.hpp"

#include "measure/arguments.h"
#include "measure/fail.h"

#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/transport/TBufferTransports.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>

using namespace apache::thrift;

static constexpr std::size_t read_size = 64 << 10;

static const std::string loopback = "tcp://127.0.0.1:";

uint32_t two_way_socket::read(uint8_t *bytes, uint32_t size)
{
    std::size_t given = std::min<std::size_t>(size, come.size() - taken);

    if (given == 0)
        return TSocket::read(bytes, size);
    std::memcpy(bytes, come.data() + taken, given);
    taken += given;
    return static_cast<uint32_t>(given);
}

void two_way_socket::write(const uint8_t *bytes, uint32_t size)
{
    while (size > 0) {
        ssize_t written = send(getSocketFD(), bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (written >= 0) {
            bytes += written;
            size -= static_cast<uint32_t>(written);
        } else if (errno == EAGAIN) {
            wait_and_read();
        } else {
            bench_fail("cannot write: %m");
        }
    }
}

/* Until there is room again to write. */
void two_way_socket::wait_and_read()
{
    struct pollfd either = { getSocketFD(), POLLIN | POLLOUT, 0 };

    if (poll(&either, 1, -1) < 0)
        bench_fail("cannot wait: %m");
    if (!(either.revents & POLLIN))
        return;
    come.erase(come.begin(), come.begin() + static_cast<std::ptrdiff_t>(taken));
    taken = 0;

    std::size_t size = come.size();
    come.resize(size + read_size);
    come.resize(size + TSocket::read(come.data() + size, read_size));
}

connection::connection(const char *target)
{
    std::string path = unix_path(target);

    if (path.empty())
        socket = std::make_shared<two_way_socket>("127.0.0.1", loopback_port(target));
    else
        socket = std::make_shared<two_way_socket>(path);
    socket->open();
    /* A frame is read in two parts, its size and the rest: the buffer makes that one read of the system's. */
    buffered = std::make_shared<transport::TBufferedTransport>(socket, read_size);
    auto framed = std::make_shared<transport::TFramedTransport>(buffered);
    client = std::make_unique<bench::EchoClient>(std::make_shared<protocol::TBinaryProtocol>(framed));
}

bool connection::has_read_ahead() const
{
    uint32_t size = 1;

    return buffered->borrow(nullptr, &size) != nullptr;
}

int connection::descriptor() const
{
    return socket->getSocketFD();
}

bench::EchoClient &connection::calls()
{
    return *client;
}

bench::Block make_block(std::size_t size)
{
    bench::Block block;

    block.__set_body(std::string(size, 'x'));
    return block;
}

std::string unix_path(const std::string &url)
{
    static const std::string scheme = "unix://";

    return url.compare(0, scheme.size(), scheme) == 0 ? url.substr(scheme.size()) : "";
}

int loopback_port(const std::string &url)
{
    if (url.compare(0, loopback.size(), loopback) != 0)
        bench_fail_usage("\"%s\" is no address: write %sport or unix:///path", url.c_str(), loopback.c_str());
    return static_cast<int>(bench_argument_count("port", url.c_str() + loopback.size(), 0, 65535));
}
