#include "peer.hpp"

#include "measure/fail.h"

static bool begins_with(const std::string &text, const std::string &start)
{
    return text.compare(0, start.size(), start) == 0;
}

std::string grpc_address(const std::string &url)
{
    for (const std::string scheme : { "tcp://", "grpc://" }) {
        if (begins_with(url, scheme))
            return url.substr(scheme.size());
    }
    if (begins_with(url, "grpc+unix://"))
        return url.substr(sizeof "grpc+" - 1);
    if (!begins_with(url, "unix://"))
        bench_fail_usage("\"%s\" is no address: write grpc://host:port or grpc+unix:///path", url.c_str());
    return url;
}

std::vector<std::shared_ptr<grpc::Channel>> open_channels(const char *target, std::size_t count)
{
    grpc::ChannelArguments                      arguments;
    std::vector<std::shared_ptr<grpc::Channel>> channels;

    /* Channels to one address share a connection otherwise. */
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetMaxReceiveMessageSize(message_most);
    for (std::size_t i = 0; i < count; i++)
        channels.push_back(
            grpc::CreateCustomChannel(grpc_address(target), grpc::InsecureChannelCredentials(), arguments));
    return channels;
}

bench::Block make_block(std::size_t size)
{
    bench::Block block;

    block.set_body(std::string(size, 'x'));
    return block;
}
