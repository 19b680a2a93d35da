/*
 * What Cap'n Proto's clients begin with: an event loop, connections, and a block to send.
 */
#ifndef BENCH_CAPNP_LINK_H
#define BENCH_CAPNP_LINK_H

#include "capnp/echo.capnp.h"
#include "capnp/memory.h"
#include "measure/arguments.h"
#include "measure/fail.h"

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <string.h>
#include <string>
#include <vector>

/* One connection; all limits are at their defaults. */
class Link
{
  public:
    explicit Link(kj::Own<kj::AsyncIoStream> opened)
        : stream(kj::mv(opened)), client(*stream), echo(client.bootstrap().castAs<Echo>())
    {
    }

  private:
    kj::Own<kj::AsyncIoStream> stream;
    capnp::TwoPartyClient      client;

  public:
    Echo::Client echo;
};

/* Cap'n Proto writes an address without its scheme, but for "unix:". */
inline kj::Own<Link> openLink(kj::AsyncIoContext &io, const char *url)
{
    std::string address(url);

    address = address.rfind("unix://", 0) == 0 ? "unix:" + address.substr(strlen("unix://"))
                                               : address.substr(strlen("tcp://"));
    return kj::heap<Link>(
        io.provider->getNetwork()
            .parseAddress(address)
            .then([](kj::Own<kj::NetworkAddress> &&found) { return found->connect().attach(kj::mv(found)); })
            .wait(io.waitScope));
}

inline capnp::MessageSize sizeOfBlock(size_t size)
{
    return { size / sizeof(capnp::word) + 16, 0 };
}

/* Fails unless what came back is as long as what was sent. */
inline void checkSize(capnp::Data::Reader block, size_t size)
{
    if (block.size() != size)
        bench_fail("%zu bytes came back where %zu were due", block.size(), size);
}

/* Runs a client's main part; what it throws ends the program, with the text. */
template <typename Function> int runClient(Function &&function)
{
    keepFreedMemory();
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions(function))
        bench_fail("%s", kj::str(*exception).cStr());
    return 0;
}

#endif
